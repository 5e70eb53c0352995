/*
 * What a dead process left behind: attempts of its node slot that are still open, calls
 * without an end, recordings that nobody will finish any more.
 *
 * Our own slot comes first, before the first call goes out. Then, every few seconds,
 * slots of other dialers whose lease lapsed: the slot is taken under a holder of our own
 * (so that a stalled owner learns that it has lost it), its calls are hung up and ended
 * like ours, and it is given back when none is left. All are taken under one holder: what
 * it has and does not know of, because the answer was lost or the slot could not be read,
 * is found by the next look, and what it has at the end lapses at once.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/pg.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "campaigns/call_store.h"
#include "campaigns/slot_store.h"
#include "dialer/db.h"
#include "dialer/dialer.h"
#include "dialer/pacing.h"
#include "dialer/placed.h"
#include "dialer/recovery.h"
#include "dialer/sweep_parts.h"
#include "dialer/trunk.h"

enum {
    SLOTS_MAX = 16,
    LAPSED_EVERY_MS = 5000,
    RECLAIM_EVERY_MS = 15000,
    OWN_AGAIN_MS = 1000,
    KEY = 3, /* of our work at the door: in order */
};

struct lost_recording {
    int tenant_id;
    char name[160];
};

struct recovery {
    struct dialer *dialer;
    struct uuid holder; /* of the slots of others */
    bool done, busy, looking_at_recordings;
    struct adopted_slot slots[SLOTS_MAX]; /* of others */
    size_t slot_count;
    struct lost_recording *suspects; /* live recordings of ended calls, a pass ago */
    size_t suspect_count;
    int64_t own_at_ms, lapsed_at_ms, recordings_at_ms, reclaim_at_ms; /* monotonic */
};

/* ---- on a database thread: what is open in a slot ---- */

struct leftover {
    struct attempt_row row;
    struct trunk_row trunk;
};

struct load {
    struct dialer *dialer;
    bool own, tidy;
    int slot;           /* own */
    struct uuid holder; /* for slots of others */
    struct adopted_slot skip[SLOTS_MAX], taken[SLOTS_MAX];
    size_t skip_count, taken_count;
    struct leftover *rows;
    size_t n, interrupted;
};

static int end_calls(struct pg *pg, struct load *l, int tenant_id, int slot)
{
    CLEANUP(free_cleanup) struct call_open *calls = NULL;
    size_t n = 0;

    int err = call_list_open(pg, tenant_id, slot, &calls, &n);
    for (size_t i = 0; !err && i < n; i++)
        err = call_finish(pg, &(struct call_end){.id = calls[i].id,
                                                 .tenant_id = calls[i].tenant_id,
                                                 .at_ms = clock_now_ms(),
                                                 .outcome = "interrupted"});
    l->interrupted += n;
    return err;
}

static int withdraw_intent(struct pg *pg, const struct attempt_row *row)
{
    const struct attempt_move move = {.id = row->id,
                                      .to = ATTEMPT_WITHDRAWN,
                                      .at_ms = clock_now_ms(),
                                      .only_intent = true,
                                      .note = "its dialer died before it was sent"};

    return attempt_move(pg, row->tenant_id, &move, 1, NULL);
}

static int load_tenant(struct pg *pg, struct load *l, int tenant_id, int slot)
{
    CLEANUP(free_cleanup) struct attempt_row *rows = NULL;
    size_t n = 0;

    int err = l->tidy ? 0 : end_calls(pg, l, tenant_id, slot);
    if (!err)
        err = attempt_list_open(pg, tenant_id, slot, &rows, &n);
    for (size_t i = 0; !err && i < n; i++) {
        if (rows[i].state == ATTEMPT_INTENT && !l->tidy) {
            err = withdraw_intent(pg, &rows[i]);
            continue;
        }
        l->rows = xrealloc(l->rows, (l->n + 1) * sizeof(*l->rows));
        l->rows[l->n].row = rows[i];
        if (!l->tidy)
            err = trunk_load(pg, tenant_id, rows[i].trunk_id, &l->rows[l->n].trunk);
        l->n++;
    }
    return err;
}

static int load_slot(struct pg *pg, struct load *l, int slot)
{
    static _Thread_local int tenants[TENANTS_MAX];
    size_t n = 0;

    int err = pg_tenants(pg, tenants, TENANTS_MAX, &n);
    for (size_t i = 0; !err && i < n; i++)
        err = load_tenant(pg, l, tenants[i], slot);
    return err;
}

static bool is_skipped(const struct load *l, int slot)
{
    for (size_t i = 0; i < l->skip_count; i++)
        if (l->skip[i].slot == slot)
            return true;
    return slot == l->slot;
}

static int take_lapsed(struct pg *pg, struct load *l)
{
    int slots[SLOTS_MAX], got = -1;
    char host[128] = "";
    size_t n = 0;

    gethostname(host, sizeof(host) - 1);
    int err = slot_list_lapsed(pg, "dialer", &l->holder, slots, SLOTS_MAX, &n);
    for (size_t i = 0; !err && i < n && l->skip_count + l->taken_count < SLOTS_MAX; i++) {
        if (is_skipped(l, slots[i]))
            continue;
        err = slot_take(pg, "dialer", slots[i], &l->holder, host, getpid(), &got);
        if (!err && got != slots[i])
            err = slot_give(pg, "dialer", got, &l->holder); /* somebody was quicker */
        else if (!err)
            l->taken[l->taken_count++] =
                (struct adopted_slot){.slot = got, .holder = l->holder};
    }
    for (size_t i = 0; !err && i < l->taken_count; i++)
        err = load_slot(pg, l, l->taken[i].slot);
    return err;
}

static int run_load(struct pg *pg, void *arg)
{
    struct load *l = arg;

    return l->own ? load_slot(pg, l, l->slot) : take_lapsed(pg, l);
}

/* ---- adopting ---- */

static void adopt(struct recovery *r, const struct leftover *left)
{
    struct dialer *d = r->dialer;
    struct trunk *trunk = NULL;
    struct errtext e = {0};
    char id[UUID_TEXT_MAX];

    if (trunks_get(d, &left->trunk, &trunk, &e))
        log_error("recovery", "attempt=%s stays open, its switch cannot be asked: %s",
                  uuid_text(&left->row.id, id), e.text);
    else if (placed_adopt(d, &left->row, trunk))
        log_info("recovery", "attempt=%s state=%s asking the switch",
                 uuid_text(&left->row.id, id), attempt_state_name(left->row.state));
}

static void on_loaded(int err, void *arg)
{
    struct load *l = arg;
    struct recovery *r = l->dialer->sweep ? l->dialer->sweep->recovery : NULL;

    if (!r)
        goto out;
    r->busy = false;
    /* One that was taken but could not be read is found again. */
    for (size_t i = 0; i < l->taken_count; i++)
        if (!err && r->slot_count < SLOTS_MAX)
            r->slots[r->slot_count++] = l->taken[i];
    if (err) {
        if (err != ECANCELED)
            log_warn("recovery", "err=%d the open attempts could not be read", err);
        goto out;
    }
    for (size_t i = 0; i < l->n; i++)
        adopt(r, &l->rows[i]);
    if (l->own) {
        r->done = true;
        log_info("recovery", "slot=%d state=done open=%zu interrupted_calls=%zu", l->slot,
                 l->n, l->interrupted);
    }
out:
    free(l->rows);
    free(l);
}

static struct load *new_load(const struct recovery *r, bool own)
{
    struct load *l = xcalloc(1, sizeof(*l));

    l->dialer = r->dialer;
    l->own = own;
    l->slot = r->dialer->slot;
    l->holder = r->holder;
    memcpy(l->skip, r->slots, sizeof(l->skip));
    l->skip_count = r->slot_count;
    return l;
}

static void submit_load(struct recovery *r, struct load *l)
{
    r->busy = db_submit(r->dialer->db, DB_TRY, KEY, run_load, on_loaded, l) == 0;
    if (!r->busy)
        free(l);
}

/* ---- giving adopted slots back ---- */

struct give_slot {
    struct adopted_slot slot;
};

static int run_give(struct pg *pg, void *arg)
{
    const struct give_slot *g = arg;

    return slot_give(pg, "dialer", g->slot.slot, &g->slot.holder);
}

static void on_given(int err, void *arg)
{
    struct give_slot *g = arg;

    if (!err)
        log_info("recovery", "slot=%d state=settled", g->slot.slot);
    free(g);
}

static void give_settled_slots(struct recovery *r)
{
    for (size_t i = 0; i < r->slot_count;) {
        if (placed_count_adopted(r->dialer, r->slots[i].slot) > 0) {
            i++;
            continue;
        }
        struct give_slot *g = xcalloc(1, sizeof(*g));
        g->slot = r->slots[i];
        r->slots[i] = r->slots[--r->slot_count];
        if (db_submit(r->dialer->db, DB_KEEP, KEY, run_give, on_given, g))
            free(g);
    }
}

static int run_lapse(struct pg *pg, void *arg)
{
    const struct adopted_slot *all = arg;

    return slot_lapse(pg, "dialer", &all->holder);
}

static void on_lapsed(int err, void *arg)
{
    if (err)
        log_warn("recovery", "err=%d slots of others are left to lapse", err);
    free(arg);
}

void recovery_leave(struct dialer *d)
{
    struct recovery *r = d->sweep ? d->sweep->recovery : NULL;

    if (!r || !d->db)
        return;
    if (!r->busy)
        give_settled_slots(r);
    struct adopted_slot *all = xcalloc(1, sizeof(*all));
    all->holder = r->holder;
    if (db_submit(d->db, DB_KEEP, KEY, run_lapse, on_lapsed, all))
        free(all);
}

size_t recovery_slots(const struct recovery *r, struct adopted_slot *out, size_t max)
{
    size_t n = r->slot_count < max ? r->slot_count : max;

    memcpy(out, r->slots, n * sizeof(*out));
    return n;
}

/* ---- recordings that nobody finishes ---- */

struct recording_look {
    struct dialer *dialer;
    struct lost_recording *found;
    size_t n;
};

static int run_look(struct pg *pg, void *arg)
{
    static _Thread_local int tenants[TENANTS_MAX];
    struct recording_look *look = arg;
    size_t count = 0;

    int err = pg_tenants(pg, tenants, TENANTS_MAX, &count);
    for (size_t t = 0; !err && t < count; t++) {
        CLEANUP(free_cleanup) struct call_live_recording *rows = NULL;
        size_t n = 0;
        err = call_list_live_recordings(pg, tenants[t], NULL, &rows, &n);
        for (size_t i = 0; !err && i < n; i++) {
            look->found = xrealloc(look->found, (look->n + 1) * sizeof(*look->found));
            look->found[look->n].tenant_id = tenants[t];
            str_cut(look->found[look->n++].name, sizeof(look->found->name), rows[i].name);
        }
    }
    return err;
}

struct recording_end {
    struct dialer *dialer;
    struct lost_recording recording;
    const char *state;
};

static int run_recording_end(struct pg *pg, void *arg)
{
    const struct recording_end *e = arg;
    bool lost = strcmp(e->state, "lost_media") == 0;

    return call_recording_end(pg, e->recording.tenant_id, e->recording.name, e->state, 0,
                              lost ? "its call was cut by a crash" : NULL,
                              clock_now_ms());
}

static void on_recording_end(int err, void *arg)
{
    struct recording_end *e = arg;

    if (err)
        log_error("recovery", "recording=%s err=%d", LOG_ESC(e->recording.name), err);
    else
        log_info("recovery", "recording=%s state=%s", LOG_ESC(e->recording.name),
                 e->state);
    free(e);
}

static void on_exists(struct dialer *d, const char *name, enum trunk_recording answer,
                      void *arg)
{
    struct recording_end *e = arg;

    (void)name;
    e->state = answer == TRUNK_RECORDING_STORED ? "finished" : "lost_media";
    if (answer == TRUNK_RECORDING_UNASKED ||
        db_submit(d->db, DB_KEEP, KEY, run_recording_end, on_recording_end, e))
        free(e); /* the next look finds it again */
}

/* Recordings of Asterisk's channels carry its prefix; no other switch keeps files. */
static bool ask_switch(struct recovery *r, struct recording_end *e)
{
    static const struct trunk_row nowhere = {.id = -1,
                                             .name = "recovery",
                                             .kind = "ari",
                                             .endpoint = "PJSIP/{number}",
                                             .cps = 1,
                                             .max_channels = 1,
                                             .settings = "{}"};
    struct trunk *t = trunks_find_kind(r->dialer, "ari");

    if (strncmp(e->recording.name, "fw", 2) != 0)
        return false;
    if (!t && r->dialer->ari && trunks_get(r->dialer, &nowhere, &t, NULL))
        t = NULL;
    if (!t) {
        free(e); /* a dialer that has an Asterisk will ask */
        return true;
    }
    if (!t->ops->recording_exists)
        return false;
    t->ops->recording_exists(t, e->recording.name, on_exists, e);
    return true;
}

static void settle_recording(struct recovery *r, const struct lost_recording *lost)
{
    struct recording_end *e = xcalloc(1, sizeof(*e));

    e->dialer = r->dialer;
    e->recording = *lost;
    if (!ask_switch(r, e))
        on_exists(r->dialer, lost->name, TRUNK_RECORDING_GONE, e);
}

static bool is_suspect(const struct recovery *r, const char *name)
{
    for (size_t i = 0; i < r->suspect_count; i++)
        if (strcmp(r->suspects[i].name, name) == 0)
            return true;
    return false;
}

/* A recording may end a moment after its call: only one seen twice is lost. */
static void on_looked(int err, void *arg)
{
    struct recording_look *look = arg;
    struct recovery *r = look->dialer->sweep ? look->dialer->sweep->recovery : NULL;

    if (r)
        r->looking_at_recordings = false;
    if (r && !err) {
        for (size_t i = 0; i < look->n; i++)
            if (is_suspect(r, look->found[i].name))
                settle_recording(r, &look->found[i]);
        free(r->suspects);
        r->suspects = STEAL(look->found);
        r->suspect_count = look->n;
    }
    free(look->found);
    free(look);
}

static void look_at_recordings(struct recovery *r)
{
    struct recording_look *look = xcalloc(1, sizeof(*look));

    look->dialer = r->dialer;
    r->looking_at_recordings =
        db_submit(r->dialer->db, DB_TRY, KEY, run_look, on_looked, look) == 0;
    if (!r->looking_at_recordings)
        free(look);
}

/* ---- intents whose commit nobody heard of ---- */

static void on_tidied(int err, void *arg)
{
    struct load *l = arg;
    struct dialer *d = l->dialer;

    if (err && d->sweep)
        d->sweep->tidy = true; /* again later */
    for (size_t i = 0; d->sweep && !err && i < l->n; i++) {
        const struct attempt_row *row = &l->rows[i].row;
        if (row->state == ATTEMPT_INTENT && !placed_has(d, &row->id) &&
            !runners_know(d->sweep, &row->id))
            placed_withdraw_intent(d, row, "its claim was not confirmed");
    }
    if (d->sweep)
        d->sweep->tidying = false;
    free(l->rows);
    free(l);
}

void recovery_tidy(struct recovery *r)
{
    struct load *l = new_load(r, true);

    l->tidy = true;
    if (db_submit(r->dialer->db, DB_TRY, KEY, run_load, on_tidied, l))
        free(l);
    else
        r->dialer->sweep->tidying = true; /* no claim may begin before it has looked */
}

/* ---- begin, tick, end ---- */

struct recovery *recovery_new(struct dialer *d)
{
    struct recovery *r = xcalloc(1, sizeof(*r));

    r->dialer = d;
    r->holder = uuid_v7(clock_real_ms());
    r->lapsed_at_ms = mono_ms() + LAPSED_EVERY_MS;
    r->recordings_at_ms = mono_ms();
    return r;
}

void recovery_free(struct recovery *r)
{
    if (!r)
        return;
    free(r->suspects);
    free(r);
}

bool recovery_is_done(const struct recovery *r)
{
    return r->done;
}

void recovery_tick(struct recovery *r)
{
    int64_t now = mono_ms();

    if (r->busy)
        return;
    give_settled_slots(r);
    if (!r->done) {
        if (now >= r->own_at_ms) {
            r->own_at_ms = now + OWN_AGAIN_MS;
            submit_load(r, new_load(r, true));
        }
        return;
    }
    if (now >= r->lapsed_at_ms) {
        r->lapsed_at_ms = now + LAPSED_EVERY_MS;
        submit_load(r, new_load(r, false));
    }
    if (now >= r->reclaim_at_ms) {
        r->reclaim_at_ms = now + RECLAIM_EVERY_MS;
        recovery_reclaim_slots(r->dialer);
    }
    if (now >= r->recordings_at_ms && !r->looking_at_recordings) {
        r->recordings_at_ms = now + r->dialer->config.recording_look_ms;
        look_at_recordings(r);
    }
}
