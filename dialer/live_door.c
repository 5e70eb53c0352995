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
#include "campaigns/call_hours_store.h"
#include "campaigns/flow_store.h"
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

static int begin_work(struct pg *pg, void *arg)
{
    struct begin *b = arg;

    call_context_free(&b->context);
    memset(&b->context, 0, sizeof(b->context));
    int err = call_begin(pg, &b->start, &b->context);
    if (err)
        return err;
    err = programs_get(b->lives->programs, pg, b->start.tenant_id, b->context.flow_source,
                       b->context.flow_sha256, &b->program);
    if (!err)
        find_hours(pg, b);
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
    int err =
        db_submit(c->lives->d->db, DB_KEEP, db_key(&s->id), begin_work, begin_done, b);
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
    struct call_step step;
    struct call_event *events;
    struct call_sms *sms;
    struct call_recording recording;
    void *state;
    struct texts texts;
};

static void commit_free(struct commit *w)
{
    for (size_t i = 0; i < w->step.event_count; i++)
        json_decref((json_t *)w->events[i].data);
    free(w->events);
    free(w->sms);
    free(w->state);
    texts_deinit(&w->texts);
    free(w);
}

static void put(json_t *data, const char *key, const char *value)
{
    if (value && value[0] != '\0')
        json_object_set_new(data, key, json_string(value));
}

static void add_events(struct commit *w, struct live_call *c)
{
    size_t n = c->out.event_count;

    w->events = xcalloc(n + 1, sizeof(*w->events));
    for (size_t i = 0; i < n; i++) {
        const struct ivr_event *ev = &c->out.events[i];
        json_t *data = json_object();
        put(data, "flow", ev->flow);
        put(data, "name", ev->name);
        put(data, "value", ev->value);
        put(data, "category", ev->category);
        w->events[i] = (struct call_event){.kind = ivr_event_name(ev->kind),
                                           .node = keep(&w->texts, ev->node),
                                           .data = data};
    }
    if (c->note.code[0] != '\0') {
        json_t *data = json_object();
        put(data, "name", c->note.code);
        put(data, "value", c->note.detail);
        w->events[n++] = (struct call_event){
            .kind = ivr_event_name(IVR_EV_WARNING), .node = "", .data = data};
        memset(&c->note, 0, sizeof(c->note));
    }
    w->step.events = w->events;
    w->step.event_count = n;
}

static void add_sms(struct commit *w, struct live_call *c, const struct ivr_effect *fx)
{
    const char *to = fx->sms.to;
    struct call_sms *sms = &w->sms[w->step.sms_count];
    char key[UUID_TEXT_MAX + 24];

    if (!to || to[0] != '+' || !str_to_i64(to + 1, &sms->phone) || sms->phone <= 0) {
        live_warn(c, "sms_refused", "not a number to send to");
        return;
    }
    snprintf(key, sizeof(key), "%s-%u-%zu", c->id, c->state->seq, w->step.sms_count + 1);
    sms->language = keep(&w->texts, fx->sms.lang);
    sms->text = keep(&w->texts, fx->sms.text);
    sms->dedupe_key = keep(&w->texts, key);
    w->step.sms_count++;
}

static void add_recording(struct commit *w, struct live_call *c,
                          const struct ivr_record *r)
{
    const struct live_phone_ops *ops = c->start.ops;
    char location[512] = "";

    ops->recording_location(c->start.phone_arg, &c->start.id, c->recording.name, location,
                            sizeof(location));
    w->recording =
        (struct call_recording){.id = uuid_v7(w->step.at_ms),
                                .name = keep(&w->texts, c->recording.name),
                                .source = ops->source,
                                .location = keep(&w->texts, location),
                                .node = keep(&w->texts, r->node),
                                .language = keep(&w->texts, c->state->lang),
                                .pipeline = keep(&w->texts, r->pipeline),
                                .on_done_sms = keep(&w->texts, r->on_done_sms)};
    w->step.recording = &w->recording;
}

static void add_effects(struct commit *w, struct live_call *c)
{
    w->sms = xcalloc(c->out.effect_count + 1, sizeof(*w->sms));
    w->step.sms = w->sms;
    for (size_t i = 0; i < c->out.effect_count; i++) {
        const struct ivr_effect *fx = &c->out.effects[i];
        if (fx->kind == IVR_FX_SMS) {
            add_sms(w, c, fx);
        } else if (fx->kind == IVR_FX_RECORD) {
            add_recording(w, c, &fx->record);
        } else if (fx->kind == IVR_FX_OPT_OUT) {
            w->step.opt_out = keep(&w->texts, fx->opt_out.scope);
            w->step.opt_out_source = "keypress";
        } else if (fx->kind == IVR_FX_LANG) {
            w->step.language = keep(&w->texts, fx->lang.tag);
        } else if (fx->kind == IVR_FX_CALLBACK &&
                   (!c->start.inbound || c->start.callback_campaign_id)) {
            w->step.callback_at_ms = fx->callback.at_ms;
            w->step.callback_campaign_id = c->start.callback_campaign_id;
        }
    }
}

static int commit_work(struct pg *pg, void *arg)
{
    return call_commit_step(pg, &((struct commit *)arg)->step);
}

static void commit_done(int err, void *arg)
{
    struct commit *w = arg;
    struct lives *l = w->lives;
    struct live_call *c = live_find(l, &w->step.call_id);

    if (c && c->state)
        live_committed(c, (uint32_t)w->step.seq, err);
    else if (err && err != EEXIST)
        log_error("live", "seq=%d state=commit_refused err=%d", w->step.seq, err);
    commit_free(w);
    live_let_go(l);
}

static int copy_state(struct commit *w, struct live_call *c)
{
    const uint8_t *bytes;
    size_t len;

    int err = ivr_state_write(c->state, c->arena, &bytes, &len);
    if (err)
        return err;
    w->state = xmalloc(len);
    memcpy(w->state, bytes, len);
    w->step.state = w->state;
    w->step.state_len = len;
    return 0;
}

int live_door_commit(struct live_call *c)
{
    struct commit *w = xcalloc(1, sizeof(*w));
    const bool ended = c->state->status == IVR_ENDED;

    w->lives = c->lives;
    w->step = (struct call_step){.call_id = c->start.id,
                                 .tenant_id = c->start.tenant_id,
                                 .at_ms = clock_now_ms(),
                                 .phone = c->start.phone,
                                 .campaign_id = c->start.campaign_id,
                                 .seq = (int)c->state->seq,
                                 .status = ended ? "ended" : "waiting"};
    int err = copy_state(w, c);
    add_effects(w, c);
    add_events(w, c);
    live_hold(c->lives);
    if (!err)
        err = db_submit(c->lives->d->db, DB_KEEP, db_key(&c->start.id), commit_work,
                        commit_done, w);
    if (err) {
        commit_free(w);
        live_let_go(c->lives);
    }
    return err;
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

static void submit_ending(struct live_call *c, struct ending *w, db_work_fn *work)
{
    w->lives = c->lives;
    w->call = c->start.id;
    w->tenant_id = c->start.tenant_id;
    w->at_ms = clock_now_ms();
    live_hold(c->lives);
    int err =
        db_submit(c->lives->d->db, DB_KEEP, db_key(&c->start.id), work, ending_done, w);
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
    submit_ending(c, w, recording_work);
}

void live_door_finish(struct live_call *c, const char *outcome)
{
    struct ending *w = xcalloc(1, sizeof(*w));

    str_cut(w->outcome, sizeof(w->outcome), outcome);
    w->results = STEAL(c->results);
    submit_ending(c, w, finish_work);
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
    return programs_get(w->lives->programs, pg, w->tenant_id, source, row.sha256,
                        &w->program);
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
