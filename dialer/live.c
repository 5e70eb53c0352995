#include "dialer/live.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/xalloc.h"
#include "campaigns/flow_api.h"
#include "dialer/live_call.h"
#include "dialer/prompts.h"

/* ---- the table ---- */

static struct live_call **bucket(struct lives *l, const struct uuid *id)
{
    return &l->buckets[(id->bytes[14] << 8 | id->bytes[15]) % LIVE_BUCKETS];
}

struct live_call *live_find(const struct lives *l, const struct uuid *id)
{
    struct live_call *c = NULL;

    if (!l->closed)
        c = l->buckets[(id->bytes[14] << 8 | id->bytes[15]) % LIVE_BUCKETS];
    while (c && memcmp(&c->start.id, id, sizeof(*id)) != 0)
        c = c->next;
    return c;
}

static void take_out(struct live_call *c)
{
    struct live_call **at = bucket(c->lives, &c->start.id);

    while (*at && *at != c)
        at = &(*at)->next;
    if (*at) {
        *at = c->next;
        c->lives->n--;
    }
}

void live_hold(struct lives *l)
{
    l->pending++;
}

static void release(struct lives *l)
{
    programs_free(l->programs);
    flow_secrets_free(l->secrets);
    free(l->folder);
    free(l);
}

void live_let_go(struct lives *l)
{
    if (--l->pending == 0 && l->closed)
        release(l);
}

/* ---- timers ---- */

int64_t live_now_ms(const struct live_call *c)
{
    return c->answered_at_ms + clock_business_ms(mono_ms() - c->answered_ms);
}

static void ring(uv_timer_t *timer);

static void wind(struct live_call *c)
{
    int64_t first = 0;

    for (int i = 0; i < LIVE_TIMERS; i++)
        if (c->due[i] && (!first || c->due[i] < first))
            first = c->due[i];
    if (!first) {
        uv_timer_stop(&c->timer);
        return;
    }
    int64_t left = first - mono_ms();
    uv_update_time(c->timer.loop);
    uv_timer_start(&c->timer, ring, left > 0 ? (uint64_t)left : 0, 0);
}

void live_arm(struct live_call *c, enum live_timer which, int64_t real_ms)
{
    c->due[which] = mono_ms() + (real_ms > 0 ? real_ms : 0);
    wind(c);
}

void live_disarm(struct live_call *c, enum live_timer which)
{
    if (!c->due[which])
        return;
    c->due[which] = 0;
    wind(c);
}

static void door_is_late(struct live_call *c)
{
    if (c->phase == LIVE_BEGINNING)
        live_fail(c, "no_flow_in_time", ETIMEDOUT);
    else if (c->phase == LIVE_COMMITTING)
        live_door_is_late(c);
}

static void play_is_late(struct live_call *c)
{
    struct live_event ev = {.kind = LIVE_PLAYED,
                            .played = {.play_id = c->play_id, .failed = true}};

    log_warn("live", "call=%s play=%u state=no_answer", c->id, c->play_id);
    c->start.ops->play_stop(c->start.phone_arg, &c->start.id, c->play_id);
    live_event(c->lives, &c->start.id, &ev);
}

static void end_is_late(struct live_call *c)
{
    if (c->phase == LIVE_HANGING) {
        log_warn("live", "call=%s state=hang_up_unanswered", c->id);
        live_finish(c, c->outcome);
        return;
    }
    log_warn("live", "call=%s recording=%s state=no_answer", c->id, c->recording.name);
    live_feed_hang_up(c);
}

static void due(struct live_call *c, enum live_timer which)
{
    switch (which) {
    case LIVE_TIMER_DOOR:
        door_is_late(c);
        break;
    case LIVE_TIMER_PLAY:
        if (c->play_id)
            play_is_late(c);
        break;
    case LIVE_TIMER_KEYS:
        live_take_keys(c);
        break;
    case LIVE_TIMER_DEADLINE:
        if (c->phase == LIVE_RUNNING && c->state->status == IVR_WAITING)
            live_feed(
                c, &(struct ivr_input){.kind = IVR_IN_DEADLINE, .token = c->state->seq});
        break;
    case LIVE_TIMER_QUEUE:
        live_queue_look(c);
        break;
    case LIVE_TIMER_END:
        end_is_late(c);
        break;
    case LIVE_TIMERS:
        break;
    }
}

/* One timer at a time: what it starts may end the call. */
static void ring(uv_timer_t *timer)
{
    struct live_call *c = timer->data;
    int64_t now = mono_ms();

    for (int i = 0; i < LIVE_TIMERS; i++)
        if (c->due[i] && c->due[i] <= now) {
            const struct uuid id = c->start.id;
            struct lives *l = c->lives;
            c->due[i] = 0;
            live_hold(l);
            due(c, (enum live_timer)i);
            c = live_find(l, &id);
            if (c)
                wind(c);
            live_let_go(l);
            return;
        }
    wind(c);
}

/* ---- ends ---- */

static void timer_closed(uv_handle_t *handle)
{
    struct live_call *c = handle->data;
    struct lives *l = c->lives;

    program_release(c->program);
    ivr_arena_free(c->arena);
    ivr_arena_free(c->before);
    free(c->dropped);
    free(c->bytes);
    free(c->global_keys);
    free(c->open);
    json_decref(c->contact);
    json_decref(c->results);
    free(c->extension);
    free(c->body);
    table_result_free(&c->data.result);
    free(c);
    live_let_go(l);
}

static void drop(struct live_call *c)
{
    ivr_keys_clear(&c->keys);
    memset(c->due, 0, sizeof(c->due));
    uv_timer_stop(&c->timer);
    uv_close((uv_handle_t *)&c->timer, timer_closed);
}

void live_finish(struct live_call *c, const char *outcome)
{
    live_queue_drop(c);
    char text[sizeof(c->outcome)];
    struct live_result result = {.call = c->start.id,
                                 .opted_out = c->opted_out,
                                 .callback_at_ms = c->callback_at_ms,
                                 .outcome = text,
                                 .cause = c->cause};

    str_cut(text, sizeof(text), outcome);
    if (c->recording.open && !c->recording.started)
        live_door_recording_end(c, c->recording.name, "empty", 0,
                                "the call ended before it began");
    live_door_finish(c, text);
    log_info("live", "call=%s state=ended outcome=%s cause=%d", c->id, text, c->cause);
    take_out(c);
    if (c->start.ended)
        c->start.ended(c->lives->d, &result);
    drop(c);
}

void live_hang_up(struct live_call *c, const char *reason)
{
    c->phase = LIVE_HANGING;
    if (c->outcome[0] == '\0' && c->state)
        str_cut(c->outcome, sizeof(c->outcome), c->state->outcome);
    live_disarm(c, LIVE_TIMER_DOOR);
    live_disarm(c, LIVE_TIMER_KEYS);
    live_disarm(c, LIVE_TIMER_DEADLINE);
    live_arm(c, LIVE_TIMER_END, LIVE_HANGUP_WAIT_MS);
    c->start.ops->hang_up(c->start.phone_arg, &c->start.id, reason);
}

void live_fail(struct live_call *c, const char *why, int err)
{
    log_error("live", "call=%s state=failed why=%s err=%d", c->id, why, err);
    str_cut(c->outcome, sizeof(c->outcome), "failed");
    if (c->hung_up)
        live_finish(c, c->outcome);
    else
        live_hang_up(c, "error");
}

/* ---- starting ---- */

int live_start(struct lives *l, const struct live_start *start)
{
    if (l->closed || l->stopping)
        return ECANCELED;
    if (live_find(l, &start->id))
        return EEXIST;
    const struct ivr_backend *backend = ivr_backend_find(start->ops->backend);
    if (!backend)
        return EINVAL;
    struct live_call *c = xcalloc(1, sizeof(*c));
    int err = uv_timer_init(l->d->loop, &c->timer);
    if (err) {
        free(c);
        return -err;
    }
    c->lives = l;
    c->timer.data = c;
    c->backend = backend;
    c->start = *start;
    c->answered_ms = mono_ms();
    c->answered_at_ms = clock_now_ms();
    c->extension = start->extension ? xstrdup(start->extension) : NULL;
    c->start.extension = c->extension;
    c->results = json_object();
    uuid_text(&c->start.id, c->id);
    if (start->phone)
        phone_text(start->phone, c->phone);
    start->ops->channel(start->phone_arg, &c->start.id, c->channel, sizeof(c->channel));
    live_hold(l);
    err = live_door_begin(c);
    if (err) {
        drop(c);
        return err;
    }
    c->next = *bucket(l, &c->start.id);
    *bucket(l, &c->start.id) = c;
    l->n++;
    live_arm(c, LIVE_TIMER_DOOR, LIVE_BEGIN_WAIT_MS);
    return 0;
}

void live_begun(struct live_call *c)
{
    live_disarm(c, LIVE_TIMER_DOOR);
    if (c->stopping) {
        str_cut(c->outcome, sizeof(c->outcome), "interrupted");
        live_hang_up(c, "stopped");
        return;
    }
    live_feed(c, &(struct ivr_input){.kind = IVR_IN_START});
}

/* ---- what the phone says ---- */

static bool listens_for_keys(const struct live_call *c)
{
    return (c->phase == LIVE_RUNNING || c->phase == LIVE_COMMITTING) && c->state &&
           c->state->status == IVR_WAITING && !c->recording.started &&
           mono_ms() >= c->deaf_until_ms;
}

static void on_key(struct live_call *c, char key)
{
    if (!listens_for_keys(c))
        return;
    if (c->play_id && c->play_bargeable && !c->barged) {
        c->start.ops->play_stop(c->start.phone_arg, &c->start.id, c->play_id);
        c->barged = true;
        live_arm(c, LIVE_TIMER_PLAY, LIVE_PLAY_GRACE_MS);
    }
    if (c->state->wait.kind == IVR_WAIT_RECORDING)
        return; /* it only skipped the prompt */
    if (c->state->wait.kind == IVR_WAIT_QUEUE) {
        live_queue_key(c, key);
        return;
    }
    ivr_keys_press(&c->keys, key, live_now_ms(c));
    live_take_keys(c);
}

static void on_played(struct live_call *c, uint32_t play_id, bool failed)
{
    if (!c->play_id || c->play_id != play_id)
        return;
    c->play_id = 0;
    live_disarm(c, LIVE_TIMER_PLAY);
    if (c->phase != LIVE_RUNNING)
        return;
    if (failed && !c->barged && c->state->status == IVR_WAITING &&
        live_feed(
            c, &(struct ivr_input){.kind = IVR_IN_MEDIA_FAILED, .token = c->state->seq}))
        return;
    live_run(c);
}

static const char *const row_states[] = {[IVR_RECORDED_OK] = "finished",
                                         [IVR_RECORDED_EMPTY] = "empty",
                                         [IVR_RECORDED_FAILED] = "failed"};

static void on_recorded(struct live_call *c, const struct live_event *ev)
{
    const char *reason = ev->recorded.reason ? ev->recorded.reason : "";

    if (strncmp(ev->recorded.name, c->channel, strlen(c->channel)) != 0)
        return;
    /* Also one that the flow has left: its row still wants an end. */
    live_door_recording_end(c, ev->recorded.name, row_states[ev->recorded.result],
                            ev->recorded.duration_ms,
                            ev->recorded.result == IVR_RECORDED_OK ? "" : reason);
    if (!c->recording.open || !str_is(c->recording.name, ev->recorded.name))
        return;
    bool by_key = c->recording.finish != IVR_FINISH_NONE &&
                  (reason[0] == '\0' || strcmp(reason, "key") == 0);
    c->recording.open = c->recording.started = false;
    c->deaf_until_ms = by_key ? mono_ms() + LIVE_DEAF_MS : 0;
    str_cut(c->recorded_name, sizeof(c->recorded_name), c->recording.name);
    str_cut(c->recorded_reason, sizeof(c->recorded_reason), reason);
    struct ivr_input in = {.kind = IVR_IN_RECORDED, .token = c->recording.token};
    in.recorded.result = ev->recorded.result;
    in.recorded.ref = c->recorded_name;
    in.recorded.duration_ms = ev->recorded.duration_ms;
    in.recorded.reason = c->recorded_reason;
    if (c->phase != LIVE_RUNNING)
        return;
    if (!c->hung_up) {
        live_feed(c, &in);
        return;
    }
    c->recorded_told = true;
    live_feed(c, &in);
    live_feed_hang_up(c);
}

static void on_dialled(struct live_call *c, const struct live_event *ev)
{
    struct ivr_input in = {.kind = IVR_IN_DIAL_ENDED};

    if (c->queue.at != QUEUE_OUT) {
        live_queue_dialled(c, ev);
        return;
    }
    if (c->phase != LIVE_RUNNING || c->state->wait.kind != IVR_WAIT_DIAL)
        return;
    in.token = c->state->seq;
    in.dialled.result = ev->dialled.result;
    in.dialled.talked_ms = ev->dialled.talked_ms;
    in.dialled.cause = ev->dialled.cause;
    live_feed(c, &in);
}

static void on_hung_up(struct live_call *c, int cause)
{
    if (c->hung_up)
        return;
    c->hung_up = true;
    c->cause = cause;
    c->play_id = 0;
    c->moh = false;
    ivr_keys_clear(&c->keys);
    live_queue_drop(c);
    live_disarm(c, LIVE_TIMER_PLAY);
    live_disarm(c, LIVE_TIMER_KEYS);
    live_disarm(c, LIVE_TIMER_DEADLINE);
    if (c->phase == LIVE_HANGING) {
        live_finish(c, c->outcome);
    } else if (c->phase == LIVE_BEGINNING) {
        live_finish(c, "hung_up");
    } else if (c->state->status == IVR_ENDED) {
        live_finish(c, c->state->outcome);
    } else if (c->phase == LIVE_RUNNING && c->recording.started) {
        /* Its end comes next, and goes to the flow first. */
        live_arm(c, LIVE_TIMER_END, LIVE_RECORDED_WAIT_MS);
    } else {
        live_feed_hang_up(c);
    }
}

void live_event(struct lives *l, const struct uuid *call, const struct live_event *ev)
{
    struct live_call *c = live_find(l, call);
    const struct uuid id = *call;

    if (!c)
        return;
    if (!c->event_us)
        c->event_us = ev->at_us ? ev->at_us : mono_us();
    switch (ev->kind) {
    case LIVE_KEY:
        on_key(c, ev->key);
        break;
    case LIVE_PLAYED:
        on_played(c, ev->played.play_id, ev->played.failed);
        break;
    case LIVE_RECORDED:
        on_recorded(c, ev);
        break;
    case LIVE_BRIDGED:
        live_queue_bridged(c);
        break;
    case LIVE_DIALLED:
        on_dialled(c, ev);
        break;
    case LIVE_HUNG_UP:
        on_hung_up(c, ev->hung_up.cause);
        break;
    }
    c = live_find(l, &id);
    if (c && c->phase != LIVE_COMMITTING)
        c->event_us = 0; /* nothing more comes of it */
}

/* ---- all of them ---- */

int lives_new(struct lives **out, struct dialer *d)
{
    struct lives *l = xcalloc(1, sizeof(*l));
    CLEANUP(free_cleanup) char *dir = realpath(d->config.common.data_dir, NULL);

    l->d = d;
    l->programs = programs_new();
    l->folder = xasprintf("%s/prompts", dir ? dir : d->config.common.data_dir);
    l->secrets = flow_secrets_read(d->config.secrets_file);
    *out = l;
    return 0;
}

void lives_tick(struct lives *l)
{
    const struct latency *a = &l->actions, *k = &l->commits;
    int64_t now = mono_ms();

    if (now < l->said_at_ms + LIVE_SAY_MS)
        return;
    if (a->n > 0)
        log_info("live",
                 "calls=%zu actions=%llu span_ms=%lld action_p50_us=%lld "
                 "action_p99_us=%lld action_max_us=%lld commit_p50_us=%lld "
                 "commit_p99_us=%lld commit_max_us=%lld",
                 l->n, (unsigned long long)a->n, (long long)(now - l->said_at_ms),
                 (long long)latency_at(a, 0.5), (long long)latency_at(a, 0.99),
                 (long long)a->most_us, (long long)latency_at(k, 0.5),
                 (long long)latency_at(k, 0.99), (long long)k->most_us);
    l->actions = l->commits = (struct latency){0};
    l->said_at_ms = now;
}

static size_t all_calls(struct lives *l, struct uuid **out)
{
    size_t n = 0;

    *out = xcalloc(l->n + 1, sizeof(**out));
    for (size_t i = 0; i < LIVE_BUCKETS; i++)
        for (struct live_call *c = l->buckets[i]; c; c = c->next)
            (*out)[n++] = c->start.id;
    return n;
}

void lives_free(struct lives *l)
{
    if (!l)
        return;
    live_hold(l);
    for (size_t i = 0; i < LIVE_BUCKETS; i++)
        while (l->buckets[i]) {
            struct live_call *c = l->buckets[i];
            take_out(c);
            drop(c);
        }
    l->closed = true;
    live_let_go(l);
}

bool live_is_running(const struct lives *l, const struct uuid *call)
{
    return live_find(l, call) != NULL;
}

size_t lives_count(const struct lives *l)
{
    return l->n;
}

void lives_stop(struct lives *l)
{
    CLEANUP(free_cleanup) struct uuid *ids = NULL;

    l->stopping = true;
    size_t n = all_calls(l, &ids);
    for (size_t i = 0; i < n; i++) {
        struct live_call *c = live_find(l, &ids[i]);
        if (!c || c->stopping)
            continue;
        c->stopping = true;
        if ((c->phase == LIVE_RUNNING || c->phase == LIVE_COMMITTING) && !c->hung_up &&
            c->state->status == IVR_WAITING &&
            !live_feed(
                c, &(struct ivr_input){.kind = IVR_IN_STOP, .token = c->state->seq})) {
            str_cut(c->outcome, sizeof(c->outcome), "interrupted");
            live_hang_up(c, "stopped");
        }
    }
}
