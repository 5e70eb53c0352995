#include "dialer/sweep.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/pg.h"
#include "base/xalloc.h"
#include "campaigns/slot_store.h"
#include "dialer/ari.h"
#include "dialer/db.h"
#include "dialer/dialer.h"
#include "dialer/live.h"
#include "dialer/pacing.h"
#include "dialer/placed.h"
#include "dialer/sweep_parts.h"

enum {
    SECOND_MS = 1000,
    RENEW_MS = 5000,
    LEASE_SURE_MS = SLOT_LEASE_S * 1000 - 3000, /* without renewal: then it is not ours */
    PARTITIONS_MS = 3600 * 1000,
    MAINTENANCE_KEY = 1,
    RENEW_KEY = 2,
    SLOTS_MAX = 17,
    BACKLOG_CLEAR_PERCENT = 80,
};

/* ---- why nothing goes out ---- */

enum {
    HELD_STOPPING = 1 << 0,
    HELD_RECOVERY = 1 << 1,
    HELD_SLOT = 1 << 2,
    HELD_DB = 1 << 3,
    HELD_PACING = 1 << 4,
    HELD_FULL = 1 << 5,
    HELD_DRAINED = 1 << 6,
    HELD_SPARE = 1 << 7,
    HELD_BACKLOG = 1 << 8, /* and the next two, in the order of enum backlog */
};

static const struct {
    unsigned bit;
    const char *why, *what;
} reasons[] = {
    {HELD_STOPPING, "stopping", "this dialer is ending"},
    {HELD_RECOVERY, "recovery", "open attempts of before are being read"},
    {HELD_SLOT, "slot", "the node slot's lease could not be renewed"},
    {HELD_DB, "database", "PostgreSQL does not answer"},
    {HELD_PACING, "pacing", "Redis is away or being rebuilt"},
    {HELD_FULL, "max_live_calls", "this dialer carries as many calls as it may"},
    {HELD_DRAINED, "drained", "drained by hand ('furrow node resume' ends it)"},
    {HELD_SPARE, "spare", "a dialer of a lower node_priority places them"},
    {HELD_BACKLOG << BACKLOG_RECORDINGS, "recordings",
     "more recordings wait to be fetched than allowed"},
    {HELD_BACKLOG << BACKLOG_ASR, "asr",
     "more recordings wait to be transcribed than allowed"},
    {HELD_BACKLOG << BACKLOG_SMS, "sms", "more messages wait to be sent than allowed"},
};

static unsigned high_backlogs(const struct sweep *s)
{
    const struct dialer_config *c = &s->dialer->config;
    const int64_t max[BACKLOGS] = {[BACKLOG_RECORDINGS] = c->max_recording_backlog,
                                   [BACKLOG_ASR] = c->max_asr_backlog,
                                   [BACKLOG_SMS] = c->max_sms_backlog};
    unsigned high = 0;

    for (int i = 0; i < BACKLOGS; i++) {
        unsigned bit = (unsigned)HELD_BACKLOG << i;
        int64_t percent = s->held & bit ? BACKLOG_CLEAR_PERCENT : 100;

        if (max[i] > 0 && s->backlog[i] * 100 > max[i] * percent)
            high |= bit;
    }
    return high;
}

/* Every reason, for people. */
static void held_text(const struct sweep *s, char *out, size_t size)
{
    size_t len = 0;

    out[0] = '\0';
    for (size_t i = 0; i < ARRAY_LEN(reasons) && len < size; i++)
        if (s->held & reasons[i].bit)
            len += (size_t)snprintf(out + len, size - len, "%s%s", len ? "; " : "",
                                    reasons[i].what);
}

int64_t sweep_room(const struct sweep *s)
{
    const struct dialer *d = s->dialer;
    size_t live = lives_count(d->lives), placed = placed_count(d);

    return d->config.max_live_calls - (int64_t)(live > placed ? live : placed);
}

static void look_around(struct sweep *s)
{
    const struct dialer *d = s->dialer;
    unsigned now = 0;

    now |= s->stopping ? HELD_STOPPING : 0;
    now |= recovery_is_done(s->recovery) ? 0 : HELD_RECOVERY;
    now |= d->slot_held ? 0 : HELD_SLOT;
    now |= db_is_up(d->db) ? 0 : HELD_DB;
    now |= pacing_is_ready(d->pacing) ? 0 : HELD_PACING;
    now |= sweep_room(s) > 0 ? 0 : HELD_FULL;
    now |= s->news.drained ? HELD_DRAINED : 0;
    now |= s->news.spare ? HELD_SPARE : 0;
    now |= high_backlogs(s);
    for (size_t i = 0; i < ARRAY_LEN(reasons); i++) {
        if ((now & reasons[i].bit) && !(s->held & reasons[i].bit))
            log_info("sweep", "held=%s no calls go out: %s", reasons[i].why,
                     reasons[i].what);
        else if (!(now & reasons[i].bit) && (s->held & reasons[i].bit))
            log_info("sweep", "released=%s%s", reasons[i].why,
                     now ? "" : " calls may go out");
    }
    s->held = now;
}

bool sweep_may_send(const struct sweep *s)
{
    const struct dialer *d = s->dialer;

    /* held is as old as the last tick; these may not be. */
    return s->held == 0 && !s->stopping && d->slot_held && db_is_up(d->db) &&
           pacing_is_ready(d->pacing);
}

/* ---- maintenance ---- */

struct maintenance_work {
    struct dialer *dialer;
    struct maintenance m;
};

static int run_maintenance(struct pg *pg, void *arg)
{
    struct maintenance_work *w = arg;

    return maintenance_run(pg, &w->m);
}

static void note_news(struct sweep *s, const struct slot_news *news)
{
    if (news->share != s->news.share)
        log_info("sweep", "share=%.3f of the calls, by the dialers' weights",
                 news->share);
    s->news = *news;
}

static void on_maintained(int err, void *arg)
{
    struct maintenance_work *w = arg;
    struct sweep *s = w->dialer->sweep;

    if (s) {
        s->maintaining = false;
        s->maintain_at_ms = mono_ms() + SECOND_MS;
        if (!err) {
            memcpy(s->backlog, w->m.backlog, sizeof(s->backlog));
            note_news(s, &w->m.news);
            if (w->m.has_switch)
                ari_lines_want(w->dialer->ari, w->m.lines, w->m.line_count);
            s->seen++;
            for (size_t i = 0; !s->stopping && i < w->m.n; i++)
                runner_update(s, &w->m.campaigns[i]);
            runners_retire(s, s->stopping);
            if (w->m.partitions)
                s->partitions_at_ms = mono_ms() + PARTITIONS_MS;
        }
    }
    free(w->m.campaigns);
    free(w->m.lines);
    free(w);
}

static void maintain(struct sweep *s)
{
    struct maintenance_work *w = xcalloc(1, sizeof(*w));

    w->dialer = s->dialer;
    w->m.slot = s->dialer->slot;
    w->m.holder = s->dialer->holder;
    held_text(s, w->m.held, sizeof(w->m.held));
    w->m.has_switch = s->dialer->ari && ari_is_ready(s->dialer->ari);
    w->m.ready = w->m.has_switch || !s->dialer->ari;
    w->m.weight = (int)s->dialer->config.node_weight;
    w->m.priority = (int)s->dialer->config.node_priority;
    w->m.news.share = 1;
    w->m.partitions = mono_ms() >= s->partitions_at_ms;
    s->maintaining = db_submit(s->dialer->db, DB_TRY, MAINTENANCE_KEY, run_maintenance,
                               on_maintained, w) == 0;
    if (!s->maintaining)
        free(w);
}

/* ---- the node slot ---- */

struct renewal {
    struct dialer *dialer;
    struct adopted_slot slots[SLOTS_MAX]; /* ours is the first */
    size_t n;
    int64_t began_ms;
};

static int run_renewal(struct pg *pg, void *arg)
{
    struct renewal *w = arg;

    int err = slot_renew(pg, "dialer", w->slots[0].slot, &w->slots[0].holder);
    for (size_t i = 1; !err && i < w->n; i++) {
        int other = slot_renew(pg, "dialer", w->slots[i].slot, &w->slots[i].holder);
        err = other == EACCES ? 0 : other;
    }
    return err;
}

static void on_renewed(int err, void *arg)
{
    struct renewal *w = arg;
    struct dialer *d = w->dialer;
    struct sweep *s = d->sweep;

    if (s) {
        s->renewing = false;
        if (!err) {
            s->renewed_at_ms = w->began_ms;
            d->slot_held = true;
        } else if (err == EACCES) {
            d->slot_held = false;
            log_error("sweep", "slot=%d another process has taken it over: ending",
                      d->slot);
            dialer_stop(d, EXIT_FAILURE);
        }
    }
    free(w);
}

static void renew(struct sweep *s)
{
    struct renewal *w = xcalloc(1, sizeof(*w));
    struct dialer *d = s->dialer;

    w->dialer = d;
    w->began_ms = mono_ms();
    w->slots[0] = (struct adopted_slot){.slot = d->slot, .holder = d->holder};
    w->n = 1 + recovery_slots(s->recovery, w->slots + 1, SLOTS_MAX - 1);
    s->renewing = db_submit(d->db, DB_TRY, RENEW_KEY, run_renewal, on_renewed, w) == 0;
    if (!s->renewing)
        free(w);
}

/* ---- the turn ---- */

static void every_second(struct sweep *s, int64_t now)
{
    struct dialer *d = s->dialer;

    s->second_at_ms = now + SECOND_MS / 4;
    placed_tick(d);
    lives_tick(d->lives);
    if (!s->stopping)
        recovery_tick(s->recovery);
    if (!s->renewing && now >= s->renew_at_ms) {
        /* While the database is away, ask more often: it also finds out. */
        s->renew_at_ms = now + (db_is_up(d->db) ? RENEW_MS : SECOND_MS);
        renew(s);
    }
    if (now - s->renewed_at_ms > LEASE_SURE_MS)
        d->slot_held = false;
}

static void on_tick(uv_timer_t *timer)
{
    struct sweep *s = timer->data;
    int64_t now = mono_ms();

    if (now >= s->second_at_ms)
        every_second(s, now);
    if (!s->maintaining && now >= s->maintain_at_ms && !s->stopping)
        maintain(s);
    if (s->stopping)
        runners_retire(s, true);
    look_around(s);
    if (s->tidy && !s->tidying && s->claims == 0 && db_is_up(s->dialer->db) &&
        !s->stopping) {
        s->tidy = false;
        recovery_tidy(s->recovery);
    }
    runners_tick(s, s->kicked);
    s->kicked = false;
}

void sweep_kick(struct dialer *d)
{
    if (d->sweep)
        d->sweep->kicked = true;
}

struct sweep *sweep_new(struct dialer *d)
{
    const int64_t long_ms = INT64_C(1000000000);
    struct sweep *s = xcalloc(1, sizeof(*s));

    s->dialer = d;
    s->news.share = 1;
    s->recovery = recovery_new(d);
    s->business_per_real = (double)long_ms / (double)clock_real_delay_ms(long_ms);
    s->renewed_at_ms = mono_ms();
    s->renew_at_ms = mono_ms() + RENEW_MS;
    uv_timer_init(d->loop, &s->timer);
    s->timer.data = s;
    uv_timer_start(&s->timer, on_tick, 0, (uint64_t)d->config.tick_ms);
    return s;
}

void sweep_stop(struct dialer *d)
{
    if (d->sweep && !d->sweep->stopping) {
        d->sweep->stopping = true;
        runners_retire(d->sweep, true);
    }
}

bool sweep_is_idle(const struct dialer *d)
{
    const struct sweep *s = d->sweep;

    return !s || (runners_are_idle(s) && s->claims == 0 && !s->tidying);
}

static void on_closed(uv_handle_t *h)
{
    struct sweep *s = h->data;

    recovery_free(s->recovery);
    free(s);
}

void sweep_free(struct sweep *s)
{
    if (!s)
        return;
    s->stopping = true;
    runners_retire(s, true);
    uv_close((uv_handle_t *)&s->timer, on_closed);
}
