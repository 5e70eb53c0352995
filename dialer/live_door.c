/*
 * A live call's works for Postgres. Everything that crosses the door is a copy; works of
 * one call have one key, so they are done in the order of its life.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/xalloc.h"
#include "campaigns/call_effects.h"
#include "campaigns/call_hours_store.h"
#include "campaigns/flow_store.h"
#include "campaigns/kept_call_store.h"
#include "dialer/db.h"
#include "dialer/live_call.h"
#include "dialer/prompts.h"

/* Texts that a work owns. */
struct texts {
    char **list;
    size_t n;
};

static const char *keep(struct texts *t, const char *text)
{
    if (!text)
        return NULL;
    t->list = xrealloc(t->list, (t->n + 1) * sizeof(*t->list));
    return t->list[t->n++] = xstrdup(text);
}

static void texts_deinit(struct texts *t)
{
    for (size_t i = 0; i < t->n; i++)
        free(t->list[i]);
    free(t->list);
}

/* ---- begin ---- */

struct begin {
    struct lives *lives;
    struct call_start start;
    struct call_context context;
    struct program *program;
    int64_t callback_campaign_id;
    struct ivr_span *open;
    size_t open_count;
    struct texts texts;
};

/* Without them a time is taken as it is said: no reason to refuse the call. */
static void find_hours(struct pg *pg, struct begin *b)
{
    const struct call_start *s = &b->start;
    int64_t campaign = s->inbound ? b->callback_campaign_id : s->campaign_id;

    if (!campaign || b->open || !ivr_prog_calls_back(program_of(b->program)))
        return;
    int err = call_hours_load(pg, s->tenant_id, campaign, s->contact_id, s->phone,
                              s->at_ms, &b->open, &b->open_count);
    if (err)
        log_warn("live", "campaign=%lld err=%d its hours are not known to the flow",
                 (long long)campaign, err);
}

/* It may be run again. */
static void begin_anew(struct begin *b)
{
    call_context_free(&b->context);
    program_release(b->program);
    b->program = NULL;
}

static int find_program(struct pg *pg, struct begin *b)
{
    const struct program_source of = {b->context.flow_source, b->context.flow_sha256,
                                      b->start.flow_revision_id};
    int err = programs_get(b->lives->programs, pg, b->start.tenant_id, &of, &b->program);

    if (!err)
        find_hours(pg, b);
    return err;
}

static int begin_work(struct pg *pg, void *arg)
{
    struct begin *b = arg;

    begin_anew(b);
    int err = call_begin(pg, &b->start, &b->context);
    return err ? err : find_program(pg, b);
}

/* Calls out whose contacts are known. */
static int begin_together(struct pg *pg, void *const *args, size_t n, int *errs)
{
    CLEANUP(free_cleanup) const struct call_start **starts = xcalloc(n, sizeof(*starts));
    CLEANUP(free_cleanup) struct call_context *found = xcalloc(n, sizeof(*found));

    for (size_t i = 0; i < n; i++) {
        struct begin *b = args[i];
        begin_anew(b);
        starts[i] = &b->start;
    }
    int err = calls_begin(pg, starts, n, found, errs);
    for (size_t i = 0; !err && i < n; i++)
        ((struct begin *)args[i])->context = found[i];
    for (size_t i = 0; !err && i < n; i++) {
        if (!errs[i])
            errs[i] = find_program(pg, args[i]);
        if (errs[i] == ECONNRESET || errs[i] == EAGAIN) /* each again, by itself */
            err = errs[i];
    }
    return err;
}

static void begin_done(int err, void *arg)
{
    struct begin *b = arg;
    struct lives *l = b->lives;
    struct live_call *c = live_find(l, &b->start.id);

    if (c && c->phase == LIVE_BEGINNING && err) {
        live_fail(c, "begin", err);
    } else if (c && c->phase == LIVE_BEGINNING) {
        c->program = STEAL(b->program);
        c->contact = STEAL(b->context.contact);
        c->tz_min = b->context.tz_min;
        c->open = STEAL(b->open);
        c->open_count = b->open_count;
        c->dropped = STEAL(b->context.kept);
        c->dropped_len = b->context.kept_len;
        str_cut(c->language, sizeof(c->language), b->context.language);
        live_begun(c);
    }
    program_release(b->program);
    call_context_free(&b->context);
    texts_deinit(&b->texts);
    free(b->open);
    free(b);
    live_let_go(l);
}

int live_door_begin(struct live_call *c)
{
    struct begin *b = xcalloc(1, sizeof(*b));
    const struct live_start *s = &c->start;

    b->lives = c->lives;
    b->callback_campaign_id = s->callback_campaign_id;
    b->start = (struct call_start){.id = s->id,
                                   .tenant_id = s->tenant_id,
                                   .inbound = s->inbound,
                                   .campaign_id = s->campaign_id,
                                   .contact_id = s->contact_id,
                                   .phone = s->phone,
                                   .extension = keep(&b->texts, s->extension),
                                   .flow_revision_id = s->flow_revision_id,
                                   .slot = c->lives->d->slot,
                                   .at_ms = clock_now_ms()};
    live_hold(c->lives);
    int err = db_submit_order(
        c->lives->d->db,
        &(struct db_order){.mode = DB_KEEP,
                           .patience_ms = DB_BRIEF_MS,
                           .key = db_key(&s->id),
                           .tenant_id = s->tenant_id,
                           .work = begin_work,
                           .together =
                               !s->inbound && s->contact_id > 0 ? begin_together : NULL,
                           .done = begin_done,
                           .arg = b});
    if (err) {
        texts_deinit(&b->texts);
        free(b);
        live_let_go(c->lives);
    }
    return err;
}

/* ---- a step ---- */

struct commit {
    struct lives *lives;
    int64_t at_us; /* mono_us() */
    struct call_step step;
    struct call_effects effects;
    void *state;
    struct texts texts;
};

static void commit_free(struct commit *w)
{
    call_effects_free(&w->effects);
    free(w->state);
    texts_deinit(&w->texts);
    free(w);
}

static const char *keep_text(void *arg, const char *text)
{
    return keep(arg, text);
}

static void add_effects(struct commit *w, struct live_call *c)
{
    const struct live_phone_ops *ops = c->start.ops;
    struct call_effects *e = &w->effects;
    char location[512] = "";

    if (c->recording.open)
        ops->recording_location(c->start.phone_arg, &c->start.id, c->recording.name,
                                location, sizeof(location));
    *e = (struct call_effects){.call = c->id,
                               .recording = c->recording.name,
                               .source = ops->source,
                               .location = location,
                               .inbound = c->start.inbound,
                               .callback_campaign_id = c->start.callback_campaign_id,
                               .keep = keep_text,
                               .arg = &w->texts};
    str_cut(e->note_code, sizeof(e->note_code), c->note.code);
    str_cut(e->note_detail, sizeof(e->note_detail), c->note.detail);
    call_effects_fill(e, &c->out, &w->step);
    if (e->note_code[0] && strcmp(e->note_code, c->note.code) != 0)
        log_warn("live", "call=%s warning=%s detail=%s", c->id, e->note_code,
                 LOG_ESC(e->note_detail));
    memset(&c->note, 0, sizeof(c->note));
}

static int commit_work(struct pg *pg, void *arg)
{
    return call_commit_step(pg, &((struct commit *)arg)->step);
}

static int commit_together(struct pg *pg, void *const *args, size_t n, int *errs)
{
    CLEANUP(free_cleanup) const struct call_step **steps = xcalloc(n, sizeof(*steps));

    for (size_t i = 0; i < n; i++)
        steps[i] = &((struct commit *)args[i])->step;
    return call_commit_steps(pg, steps, n, errs);
}

static void commit_done(int err, void *arg)
{
    struct commit *w = arg;
    struct lives *l = w->lives;
    struct live_call *c = live_find(l, &w->step.call_id);

    if (!err)
        latency_add(&l->commits, mono_us() - w->at_us);
    if (c && c->state && w->step.data)
        live_data_done(c, (uint32_t)w->step.seq, &w->effects.data_result);
    c = live_find(l, &w->step.call_id);
    if (c && c->state)
        live_committed(c, (uint32_t)w->step.seq, err);
    else if (err && err != EEXIST)
        log_error("live", "seq=%d state=commit_refused err=%d", w->step.seq, err);
    commit_free(w);
    live_let_go(l);
}

int live_door_commit(struct live_call *c)
{
    struct commit *w = xcalloc(1, sizeof(*w));
    const bool ended = c->state->status == IVR_ENDED;

    w->lives = c->lives;
    w->at_us = mono_us();
    w->step = (struct call_step){.call_id = c->start.id,
                                 .tenant_id = c->start.tenant_id,
                                 .at_ms = clock_now_ms(),
                                 .phone = c->start.phone,
                                 .campaign_id = c->start.campaign_id,
                                 .seq = (int)c->state->seq,
                                 .status = ended ? "ended" : "waiting"};
    w->state = xmalloc(c->len);
    memcpy(w->state, c->bytes, c->len);
    w->step.state = w->state;
    w->step.state_len = c->len;
    add_effects(w, c);
    live_hold(c->lives);
    const bool plain = call_step_is_plain(&w->step); /* others lock numbers */
    int err = db_submit_order(
        c->lives->d->db,
        &(struct db_order){.mode = DB_KEEP,
                           .patience_ms = c->ahead && !c->hung_up ? DB_PATIENT_MS : 0,
                           .key = db_key(&c->start.id),
                           .tenant_id = plain ? w->step.tenant_id : 0,
                           .work = commit_work,
                           .together = plain ? commit_together : NULL,
                           .done = commit_done,
                           .arg = w});
    if (err) {
        commit_free(w);
        live_let_go(c->lives);
    }
    return err;
}

/* ---- a dropped call ---- */

struct keeping {
    struct lives *lives;
    struct kept_call kept;
    void *state;
    int64_t at_ms;
};

static int keep_work(struct pg *pg, void *arg)
{
    const struct keeping *w = arg;

    return kept_call_write(pg, &w->kept, w->at_ms);
}

static void keep_done(int err, void *arg)
{
    struct keeping *w = arg;
    struct lives *l = w->lives;
    char id[UUID_TEXT_MAX];

    if (err)
        log_warn("live", "call=%s err=%d it cannot be gone on with",
                 uuid_text(&w->kept.call, id), err);
    free(w->state);
    free(w);
    live_let_go(l);
}

void live_door_keep(struct live_call *c, void *state, size_t len)
{
    struct keeping *w = xcalloc(1, sizeof(*w));

    w->lives = c->lives;
    w->at_ms = clock_now_ms();
    w->state = state;
    w->kept = (struct kept_call){.call = c->start.id,
                                 .tenant_id = c->start.tenant_id,
                                 .phone = c->start.phone,
                                 .flow_revision_id = c->start.flow_revision_id,
                                 .state = state,
                                 .state_len = len};
    live_hold(c->lives);
    int err =
        db_submit_order(c->lives->d->db, &(struct db_order){.mode = DB_KEEP,
                                                            .key = db_key(&c->start.id),
                                                            .work = keep_work,
                                                            .done = keep_done,
                                                            .arg = w});
    if (err)
        keep_done(err, w);
}

/* ---- the end of a recording, the end of the call ---- */

struct ending {
    struct lives *lives;
    struct uuid call;
    int tenant_id, duration_ms;
    int64_t at_ms;
    char name[LIVE_NAME_MAX], state[16], error[128], outcome[32];
    json_t *results;
};

static int recording_work(struct pg *pg, void *arg)
{
    const struct ending *w = arg;

    return call_recording_end(pg, w->tenant_id, w->name, w->state, w->duration_ms,
                              w->error, w->at_ms);
}

static int finish_work(struct pg *pg, void *arg)
{
    const struct ending *w = arg;

    return call_finish(pg, &(struct call_end){.id = w->call,
                                              .tenant_id = w->tenant_id,
                                              .at_ms = w->at_ms,
                                              .outcome = w->outcome,
                                              .results = w->results});
}

static int finish_together(struct pg *pg, void *const *args, size_t n, int *errs)
{
    CLEANUP(free_cleanup) struct call_end *ends = xcalloc(n, sizeof(*ends));
    CLEANUP(free_cleanup) const struct call_end **list = xcalloc(n, sizeof(*list));
    bool own = false;

    for (size_t i = 0; i < n; i++) {
        const struct ending *w = args[i];
        ends[i] = (struct call_end){.id = w->call,
                                    .tenant_id = w->tenant_id,
                                    .at_ms = w->at_ms,
                                    .outcome = w->outcome,
                                    .results = w->results};
        list[i] = &ends[i];
        errs[i] = 0;
    }
    int err = pg_begin_own(pg, ends[0].tenant_id, &own);
    return err ? err : pg_end_own(pg, own, calls_finish(pg, list, n));
}

static void ending_done(int err, void *arg)
{
    struct ending *w = arg;
    struct lives *l = w->lives;
    char id[UUID_TEXT_MAX];

    if (err)
        log_error("live", "call=%s end_of=%s err=%d", uuid_text(&w->call, id),
                  w->name[0] ? w->name : "call", err);
    json_decref(w->results);
    free(w);
    live_let_go(l);
}

static void submit_ending(struct live_call *c, struct ending *w, db_work_fn *work,
                          db_together_fn *together)
{
    w->lives = c->lives;
    w->call = c->start.id;
    w->tenant_id = c->start.tenant_id;
    w->at_ms = clock_now_ms();
    live_hold(c->lives);
    int err = db_submit_order(
        c->lives->d->db, &(struct db_order){.mode = DB_KEEP,
                                            .patience_ms = together ? DB_PATIENT_MS : 0,
                                            .key = db_key(&c->start.id),
                                            .tenant_id = c->start.tenant_id,
                                            .work = work,
                                            .together = together,
                                            .done = ending_done,
                                            .arg = w});
    if (err)
        ending_done(err, w);
}

void live_door_recording_end(struct live_call *c, const char *name, const char *state,
                             int64_t duration_ms, const char *error)
{
    struct ending *w = xcalloc(1, sizeof(*w));

    str_cut(w->name, sizeof(w->name), name);
    str_cut(w->state, sizeof(w->state), state);
    str_cut(w->error, sizeof(w->error), error);
    w->duration_ms = (int)duration_ms;
    submit_ending(c, w, recording_work, NULL);
}

void live_door_finish(struct live_call *c, const char *outcome)
{
    struct ending *w = xcalloc(1, sizeof(*w));

    str_cut(w->outcome, sizeof(w->outcome), outcome);
    w->results = STEAL(c->results);
    submit_ending(c, w, finish_work, finish_together);
}

/* ---- prompts before the first call ---- */

struct warm {
    struct lives *lives;
    int tenant_id;
    int64_t revision_id;
    struct program *program;
};

static int warm_work(struct pg *pg, void *arg)
{
    struct warm *w = arg;
    struct flow_row row;
    CLEANUP(free_cleanup) char *source = NULL;

    int err = flow_load(pg, w->tenant_id, w->revision_id, &row, &source);
    if (err)
        return err;
    const struct program_source of = {source, row.sha256, w->revision_id};
    return programs_get(w->lives->programs, pg, w->tenant_id, &of, &w->program);
}

static void warmed(int err, void *arg)
{
    (void)err; /* logged there */
    live_let_go(arg);
}

static void warm_done(int err, void *arg)
{
    struct warm *w = arg;
    struct lives *l = w->lives;
    struct prompts *prompts = l->closed ? NULL : l->d->prompts;
    struct ivr_prompt p;
    char hash[PROMPT_HASH_MAX];

    if (err)
        log_warn("live", "flow_revision=%lld state=not_warmed err=%d",
                 (long long)w->revision_id, err);
    for (size_t i = 0; !err && prompts && ivr_prog_prompt(program_of(w->program), i, &p);
         i++) {
        if (!prompts_find(prompts, &p, hash))
            continue;
        live_hold(l);
        if (prompts_make(prompts, &p, warmed, l))
            live_let_go(l);
    }
    program_release(w->program);
    free(w);
    live_let_go(l);
}

void lives_warm(struct lives *l, int tenant_id, int64_t flow_revision_id)
{
    struct warm *w = xcalloc(1, sizeof(*w));

    *w = (struct warm){l, tenant_id, flow_revision_id, NULL};
    live_hold(l);
    if (db_submit(l->d->db, DB_TRY, (uint64_t)flow_revision_id, warm_work, warm_done,
                  w)) {
        free(w);
        live_let_go(l);
    }
}
