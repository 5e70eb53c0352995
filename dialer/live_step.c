/* One step of a call's flow: input → engine → commit and prompts → commands. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/xalloc.h"
#include "dialer/live_call.h"
#include "dialer/prompts.h"

static void broken(struct live_call *c, const char *why, int err)
{
    if (c->hung_up) /* its end follows anyway */
        log_error("live", "call=%s state=failed why=%s err=%d", c->id, why, err);
    else
        live_fail(c, why, err);
}

static uint64_t seed_of(const struct uuid *id)
{
    uint64_t seed;

    memcpy(&seed, id->bytes + 8, sizeof(seed));
    return seed;
}

static struct ivr_env env_of(const struct live_call *c)
{
    const struct prompts *prompts = c->lives->d->prompts;
    const char *const *voices = prompts ? prompts_voices(prompts) : NULL;

    /* Nobody hears the simulated party's prompts: it does without espeak-ng. */
    if (voices && !voices[0] && strcmp(c->backend->name, "sim") == 0)
        voices = NULL;
    return (struct ivr_env){
        .now_ms = live_now_ms(c),
        .seed = seed_of(&c->start.id),
        .tenant = c->start.tenant_id,
        .session = c->id,
        .inbound = c->start.inbound,
        .phone = c->phone,
        .dialled = c->start.extension ? c->start.extension : "",
        .language = c->language,
        .voices = voices,
        .contact = c->contact,
        .caps = c->backend->caps,
        .tz_min = c->tz_min,
        .open = c->open,
        .open_count = c->open_count,
    };
}

/* What the last sprint had going is over. */
static void quiet(struct live_call *c)
{
    const struct live_phone_ops *ops = c->start.ops;

    live_disarm(c, LIVE_TIMER_PLAY);
    live_disarm(c, LIVE_TIMER_KEYS);
    live_disarm(c, LIVE_TIMER_DEADLINE);
    c->keys.armed = false;
    c->keys.collect = NULL;
    if (c->play_id && !c->hung_up)
        ops->play_stop(c->start.phone_arg, &c->start.id, c->play_id);
    c->play_id = 0;
    if (c->moh && !c->hung_up)
        ops->moh(c->start.phone_arg, &c->start.id, false);
    c->moh = false;
    if (c->recording.started && !c->hung_up)
        ops->record_stop(c->start.phone_arg, &c->start.id, c->recording.name);
    c->barged = false;
}

static void remember_results(struct live_call *c)
{
    for (size_t i = 0; i < c->out.event_count; i++) {
        const struct ivr_event *ev = &c->out.events[i];
        if (ev->kind == IVR_EV_RESULT)
            json_object_set_new(
                c->results, ev->name,
                json_pack("{s:s?, s:s?}", "value", ev->value, "category", ev->category));
    }
}

/* Another number's callback is its own contact's, and not this attempt's. */
static bool is_party(const struct live_call *c, const char *to)
{
    int64_t phone = 0;

    return !to || to[0] != '+' || !str_to_i64(to + 1, &phone) || phone == c->start.phone;
}

static void remember_effects(struct live_call *c)
{
    for (size_t i = 0; i < c->out.effect_count; i++) {
        const struct ivr_effect *fx = &c->out.effects[i];
        if (fx->kind == IVR_FX_OPT_OUT) {
            c->opted_out = true;
        } else if (fx->kind == IVR_FX_CALLBACK) {
            if (is_party(c, fx->callback.to))
                c->callback_at_ms = fx->callback.at_ms;
            if (c->start.inbound && !c->start.callback_campaign_id)
                live_warn(c, "callback_refused", "no campaign is named for call-backs");
        } else if (fx->kind == IVR_FX_SUBMIT) {
            c->submitted = true;
        } else if (fx->kind == IVR_FX_LANG) {
            str_cut(c->language, sizeof(c->language), fx->lang.tag);
        } else if (fx->kind == IVR_FX_RECORD) {
            c->recording.open = true;
            c->recording.started = false;
            c->recording.token = c->state->seq;
            c->recording.finish = fx->record.finish;
            snprintf(c->recording.name, sizeof(c->recording.name), "%s-%lu", c->channel,
                     (unsigned long)fx->record.step);
        }
    }
}

/* Makes the step's state the call's, independent of all arenas. */
static int adopt(struct live_call *c, struct ivr_arena *arena, const struct ivr_out *out)
{
    const uint8_t *bytes;
    size_t len;

    int err = ivr_state_write(out->state, arena, &bytes, &len);
    if (err)
        return err;
    c->bytes = xrealloc(c->bytes, len);
    memcpy(c->bytes, bytes, len);
    c->len = len;
    c->head = *out->state;
    c->head.vars = NULL;
    c->head.var_count = 0;
    c->state = &c->head;
    ivr_arena_free(c->before);
    c->before = c->arena;
    c->arena = arena;
    c->out = *out;
    c->rendered = (struct ivr_rendered){0};
    c->at = 0;
    c->collects = false;
    return 0;
}

void live_rest(struct live_call *c)
{
    ivr_arena_free(c->before);
    ivr_arena_free(c->arena);
    c->before = c->arena = NULL;
    c->out = (struct ivr_out){0};
    c->rendered = (struct ivr_rendered){0};
    c->at = 0;
}

/* 0, ENODATA when the engine would not have it, or what is wrong. */
static int step(struct live_call *c, const struct ivr_input *in)
{
    struct ivr_env env = env_of(c);
    const struct ivr_state *state = NULL;
    struct ivr_arena *arena;
    struct ivr_out out;

    int err = ivr_arena_new(&arena, NULL);
    if (err)
        return err;
    if (c->state)
        err = ivr_state_read(c->bytes, c->len, arena, &state);
    else if (c->dropped && /* one of another version is passed over */
             ivr_state_read(c->dropped, c->dropped_len, arena, &env.kept))
        env.kept = NULL;
    if (!err)
        err = ivr_step(program_of(c->program), &env, state, in, arena, &out);
    if (!err && out.verdict != IVR_OK) {
        log_debug("live", "call=%s input=%d verdict=%d", c->id, in->kind, out.verdict);
        err = out.verdict == IVR_CORRUPT || out.verdict == IVR_PIN_MISMATCH ? EPROTO
                                                                            : ENODATA;
    }
    if (!err)
        err = adopt(c, arena, &out);
    if (err)
        ivr_arena_free(arena);
    return err;
}

/* What is recorded without a row would be found by nobody if this process died. */
static bool awaits_row(const struct live_call *c)
{
    return !c->committed && c->recording.open && !c->recording.started &&
           c->recording.token == c->state->seq;
}

int64_t live_commit_wait_ms(const struct live_call *c)
{
    return awaits_row(c) ? c->lives->d->config.record_wait_ms : LIVE_COMMIT_WAIT_MS;
}

/*
 * A question after keys may be asked while they are on their way to the disk, which takes
 * long when Postgres flushes: it tells nobody that something was taken, and all that can
 * come of it are keys or a hang-up, whose step is committed after this one. Only one
 * ahead: what was kept of a call cut by a crash is all but the keys pressed last. Every
 * other effect, and any other prompt, waits for all steps before it.
 */
static bool runs_ahead(const struct live_call *c, const struct ivr_input *in)
{
    const size_t n = c->out.effect_count;

    if ((in->kind != IVR_IN_DIGITS && in->kind != IVR_IN_NO_INPUT) ||
        c->state->status != IVR_WAITING || c->state->wait.kind != IVR_WAIT_KEYS ||
        c->kept + 1 != c->state->seq || n == 0)
        return false;
    for (size_t i = 0; i < n; i++) {
        const struct ivr_effect *fx = &c->out.effects[i];
        bool asks = fx->kind == IVR_FX_COLLECT ||
                    (fx->kind == IVR_FX_PROMPT && fx->prompt.part != IVR_PART_TOLD);
        if (!asks)
            return false;
    }
    return true;
}

bool live_is_ready(const struct live_call *c)
{
    return (c->committed || c->ahead) && c->prompts_left == 0;
}

bool live_feed(struct live_call *c, const struct ivr_input *in)
{
    int err = step(c, in);

    if (err == ENODATA)
        return false;
    if (err) {
        broken(c, "step", err);
        return true;
    }
    quiet(c);
    if (in->kind != IVR_IN_QUEUE_NEWS)
        live_queue_drop(c);
    remember_results(c);
    remember_effects(c);
    c->phase = LIVE_COMMITTING;
    c->committed = false;
    c->ahead = runs_ahead(c, in);
    c->data.wanted = false;
    err = live_door_commit(c);
    if (c->hung_up)
        return true;
    if (err) { /* closing: this process will not say so, the next one finds the call */
        log_warn("live", "call=%s seq=%u state=uncommitted err=%d", c->id, c->state->seq,
                 err);
        c->committed = !awaits_row(c);
    }
    live_prepare(c);
    if (live_is_ready(c))
        live_go(c);
    else
        live_arm(c, LIVE_TIMER_DOOR,
                 c->prompts_left > 0 ? LIVE_PROMPT_WAIT_MS : live_commit_wait_ms(c));
    return true;
}

/* The row, when it comes, has its end behind it in the door's queue. */
static void give_up_recording(struct live_call *c)
{
    static const char why[] = "the database did not answer";
    struct ivr_input in = {.kind = IVR_IN_RECORDED, .token = c->state->seq};

    live_door_recording_end(c, c->recording.name, "failed", 0, why);
    c->recording.open = false;
    str_cut(c->recorded_name, sizeof(c->recorded_name), c->recording.name);
    in.recorded.result = IVR_RECORDED_FAILED;
    in.recorded.ref = c->recorded_name;
    in.recorded.reason = why;
    live_feed(c, &in);
}

/* Its commit is late, or its prompts are. */
void live_door_is_late(struct live_call *c)
{
    bool to_record = awaits_row(c);

    if (!c->committed)
        log_warn("live", "call=%s seq=%u state=uncommitted wait_ms=%lld", c->id,
                 c->state->seq, (long long)live_commit_wait_ms(c));
    if (c->prompts_left > 0)
        log_warn("live", "call=%s seq=%u prompts_missing=%zu", c->id, c->state->seq,
                 c->prompts_left);
    c->prompts_left = 0;
    if (to_record) {
        give_up_recording(c);
        return;
    }
    c->committed = true;
    live_go(c);
}

void live_committed(struct live_call *c, uint32_t seq, int err)
{
    /* EEXIST: it was committed by a try whose answer was lost. */
    if (err == EEXIST) {
        log_info("live", "call=%s seq=%u state=committed_before", c->id, seq);
        err = 0;
    }
    if (err)
        log_error("live", "call=%s seq=%u state=commit_refused err=%d", c->id, seq, err);
    else
        c->kept = seq;
    bool waits = c->phase == LIVE_COMMITTING, running = c->phase == LIVE_RUNNING;
    if ((!waits && !running) || c->hung_up || (running && err == ECANCELED))
        return;
    if (err) {
        live_disarm(c, LIVE_TIMER_DOOR);
        live_fail(c, "commit", err);
        return;
    }
    if (c->state->seq != seq || c->committed)
        return;
    c->committed = true;
    if (waits && live_is_ready(c))
        live_go(c);
}

void live_feed_hang_up(struct live_call *c)
{
    void *here = NULL;
    const size_t len = c->len;

    if (ivr_state_may_go_on(program_of(c->program), c->state)) {
        here = xmalloc(len);
        memcpy(here, c->bytes, len);
    }
    c->submitted = false;
    if (c->state->status == IVR_WAITING && c->state->wait.kind == IVR_WAIT_RECORDING &&
        c->recording.open && !c->recorded_told) {
        struct ivr_input in = {.kind = IVR_IN_RECORDED, .token = c->state->seq};
        in.recorded.result =
            c->recording.started ? IVR_RECORDED_FAILED : IVR_RECORDED_EMPTY;
        str_cut(c->recorded_name, sizeof(c->recorded_name), c->recording.name);
        in.recorded.ref = c->recorded_name;
        in.recorded.reason = "hangup";
        c->recorded_told = true;
        /* One that never began will not be told; one that did may still be. */
        if (!c->recording.started) {
            live_door_recording_end(c, c->recording.name, "empty", 0,
                                    "hung up before it began");
            c->recording.open = false;
        }
        live_feed(c, &in);
    }
    if (c->state->status == IVR_WAITING) {
        struct ivr_input in = {.kind = IVR_IN_HANGUP, .token = c->state->seq};
        in.hangup.cause = c->cause;
        live_feed(c, &in);
    }
    /* What the flow sends off by itself needs nobody to come back. */
    if (here && !c->submitted)
        live_door_keep(c, STEAL(here), len);
    free(here);
    live_finish(c, c->state->status == IVR_ENDED ? c->state->outcome : "hung_up");
}
