/* A step's commands, carried out in their order on the phone. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/xalloc.h"
#include "dialer/live_call.h"
#include "dialer/prompts.h"

enum { WAV_HEADER = 44, WAV_BYTES_PER_MS = 16, SPOKEN_MS_PER_BYTE = 100 };

void live_warn(struct live_call *c, const char *code, const char *detail)
{
    log_warn("live", "call=%s warning=%s detail=%s", c->id, code, LOG_ESC(detail));
    str_cut(c->note.code, sizeof(c->note.code), code);
    str_cut(c->note.detail, sizeof(c->note.detail), detail);
}

/* ---- prompts ---- */

static bool needs_media(const struct live_call *c)
{
    return strcmp(c->backend->name, "sim") != 0 && c->lives->d->prompts;
}

struct made {
    struct lives *lives;
    struct uuid call;
    uint32_t seq;
};

static void prompt_made(int err, void *arg)
{
    struct made *m = arg;
    struct live_call *c = live_find(m->lives, &m->call);

    (void)err; /* logged there; rendering finds it missing */
    if (c && c->phase == LIVE_COMMITTING && c->state->seq == m->seq &&
        c->prompts_left > 0 && --c->prompts_left == 0) {
        if (live_is_ready(c))
            live_go(c);
        else
            live_arm(c, LIVE_TIMER_DOOR, live_commit_wait_ms(c));
    }
    live_let_go(m->lives);
    free(m);
}

void live_prepare(struct live_call *c)
{
    char hash[PROMPT_HASH_MAX];

    c->prompts_left = 0;
    for (size_t i = 0; needs_media(c) && i < c->out.effect_count; i++) {
        const struct ivr_effect *fx = &c->out.effects[i];
        struct prompts *prompts = c->lives->d->prompts;
        if (fx->kind != IVR_FX_PROMPT || !prompts_find(prompts, &fx->prompt, hash))
            continue;
        struct made *m = xcalloc(1, sizeof(*m));
        *m = (struct made){c->lives, c->start.id, c->state->seq};
        int err = prompts_make(prompts, &fx->prompt, prompt_made, m);
        if (err) {
            log_warn("live", "call=%s prompt=unavailable lang=%s err=%d", c->id,
                     LOG_ESC(fx->prompt.lang), err);
            free(m);
            continue;
        }
        live_hold(c->lives);
        c->prompts_left++;
    }
}

static int uri_of(const struct lives *l, const char *hash, char *uri, size_t size)
{
    const char *base = l->d->config.ari_media;
    int n;

    if (strncmp(base, "http", 4) == 0)
        n = snprintf(uri, size, "sound:%s/%s.wav", base, hash);
    else
        n = snprintf(uri, size, "sound:%s/%s", base[0] ? base : l->folder, hash);
    return n > 0 && (size_t)n < size ? 0 : ENOENT;
}

int lives_beep(const struct lives *l, char *uri, size_t size)
{
    const char *hash = prompts_beep(l->d->prompts);

    return *hash ? uri_of(l, hash, uri, size) : ENOENT;
}

static int media(const struct ivr_prompt *p, char *uri, size_t size, void *arg)
{
    const struct lives *l = arg;
    char hash[PROMPT_HASH_MAX];

    int err = prompts_find(l->d->prompts, p, hash);
    return err ? err : uri_of(l, hash, uri, size);
}

/* ---- going ---- */

void live_go(struct live_call *c)
{
    const struct ivr_call_ctx ctx = {.channel = c->channel,
                                     .format = c->start.ops->format,
                                     .media = needs_media(c) ? media : NULL,
                                     .arg = c->lives};

    live_disarm(c, LIVE_TIMER_DOOR);
    int err = c->backend->render(&c->out, &ctx, c->arena, &c->rendered);
    if (err) {
        live_fail(c, "render", err);
        return;
    }
    c->phase = LIVE_RUNNING;
    if (c->state->status == IVR_WAITING) {
        int64_t left = c->state->wait.deadline_at_ms - live_now_ms(c);
        /* The network keeps real time, whatever the clock of the rules. */
        if (c->state->wait.kind != IVR_WAIT_HTTP && c->state->wait.kind != IVR_WAIT_DATA)
            left = left > 0 ? clock_real_delay_ms(left) : 0;
        /* A minute of a fast clock passes while a busy machine writes a row: the last
         * resort must not overtake the answer it waits for. */
        if (clock_is_virtual() && left < LIVE_DEADLINE_MIN_MS)
            left = LIVE_DEADLINE_MIN_MS;
        live_arm(c, LIVE_TIMER_DEADLINE, left);
    }
    live_run(c);
}

static int64_t spoken_ms(const struct live_call *c, const char *uri)
{
    struct stat st;
    const char *hash = strrchr(uri, '/');

    if (!needs_media(c))
        return (int64_t)strlen(uri) * SPOKEN_MS_PER_BYTE;
    CLEANUP(free_cleanup)
    char *path = xasprintf("%s/%.64s.wav", c->lives->folder, hash ? hash + 1 : uri);
    if (stat(path, &st) || st.st_size < WAV_HEADER)
        return 0;
    return (st.st_size - WAV_HEADER) / WAV_BYTES_PER_MS;
}

/* The phone has been told what came of an event. */
static void acted(struct live_call *c)
{
    if (c->event_us)
        latency_add(&c->lives->actions, mono_us() - c->event_us);
    c->event_us = 0;
}

static void play(struct live_call *c, const struct ivr_command *cmd)
{
    int64_t ms = 0;

    for (size_t i = 0; i < cmd->media_count; i++)
        ms += spoken_ms(c, cmd->media[i]);
    if (++c->lives->play_ids == 0)
        c->lives->play_ids = 1;
    c->play_id = c->lives->play_ids;
    c->play_bargeable = cmd->bargeable;
    live_arm(c, LIVE_TIMER_PLAY, ms + LIVE_PLAY_GRACE_MS);
    c->start.ops->play(c->start.phone_arg, &c->start.id, c->play_id, cmd->media,
                       cmd->media_count);
    acted(c);
}

/* What outlasts the step that asks for keys. */
static void keep_collect(struct live_call *c, const struct ivr_collect *collect)
{
    size_t n = 0;

    while (collect->global_keys && collect->global_keys[n])
        n++;
    c->global_keys = xrealloc(c->global_keys, (n + 1) * sizeof(*c->global_keys));
    for (size_t i = 0; i < n; i++)
        c->global_keys[i] = collect->global_keys[i];
    c->global_keys[n] = NULL;
    c->collect = *collect;
    c->collect.global_keys = c->global_keys;
    c->collects = true;
}

static void collect(struct live_call *c)
{
    c->collects = false;
    ivr_keys_arm(&c->keys, &c->collect, c->barged, live_now_ms(c));
    live_take_keys(c);
}

void live_take_keys(struct live_call *c)
{
    int64_t now_ms = live_now_ms(c);
    struct ivr_input in;

    if (c->phase != LIVE_RUNNING || !c->keys.armed)
        return;
    if (ivr_keys_take(&c->keys, now_ms, c->state->seq, &in)) {
        live_feed(c, &in);
        return;
    }
    int64_t left = c->keys.due_at_ms - now_ms;
    live_arm(c, LIVE_TIMER_KEYS, left > 0 ? clock_real_delay_ms(left) : 0);
}

static void record(struct live_call *c, const struct ivr_record *r)
{
    c->recording.started = true;
    memset(c->keys.digits, 0, sizeof(c->keys.digits));
    c->keys.n = 0;
    c->start.ops->record(c->start.phone_arg, &c->start.id, c->recording.name, r);
    acted(c);
}

/* True: it is out, the phone will answer. */
static bool dial(struct live_call *c, const struct ivr_effect *fx)
{
    struct ivr_input in = {.kind = IVR_IN_DIAL_ENDED, .token = c->state->seq};

    if (strncmp(fx->dial.to, "ext:", 4) == 0 && fx->dial.to[4] != '\0') {
        const struct live_dial dial = {.extension = fx->dial.to + 4,
                                       .ring_ms = fx->dial.ring_ms,
                                       .max_ms = fx->dial.max_ms,
                                       .confirm_key = fx->dial.confirm_key};
        c->start.ops->dial(c->start.phone_arg, &c->start.id, &dial);
        acted(c);
        return true;
    }
    live_warn(c, "transfer_refused", "only extensions (ext:...) can be dialled");
    in.dialled.result = IVR_DIALLED_FAILED;
    live_feed(c, &in);
    return false;
}

static bool http(struct live_call *c, const struct ivr_http *h)
{
    struct ivr_input in = {.kind = IVR_IN_HTTP_DONE, .token = c->state->seq};

    if (h->mock_body && strcmp(c->backend->name, "sim") == 0) {
        in.http.result = IVR_HTTP_ANSWERED;
        in.http.status = h->mock_status;
        in.http.body = h->mock_body;
        in.http.body_len = strlen(h->mock_body);
    } else if (live_http_send(c, h)) {
        return true;
    } else {
        in.http.result = IVR_HTTP_FAILED;
    }
    live_feed(c, &in);
    return false;
}

/* The flow's own way on; c may be gone after it. */
static void data_answer(struct live_call *c)
{
    const struct ivr_input in = table_result_input(&c->data.result, c->data.seq);

    c->data.wanted = false;
    live_feed(c, &in);
}

/* True: it is not known yet, and will be told. */
static bool data(struct live_call *c)
{
    c->data.wanted = true;
    if (c->data.seq != c->state->seq)
        return true;
    data_answer(c);
    return false;
}

void live_data_done(struct live_call *c, uint32_t seq, struct table_result *result)
{
    table_result_free(&c->data.result);
    c->data.result = *result;
    result->row = NULL;
    c->data.seq = seq;
    if (c->phase == LIVE_RUNNING && !c->hung_up && c->data.wanted &&
        c->state->seq == seq && c->state->wait.kind == IVR_WAIT_DATA)
        data_answer(c);
}

/* True: go on with the next command. After false c may be gone. */
static bool carry_out(struct live_call *c, const struct ivr_command *cmd)
{
    const struct ivr_effect *fx = cmd->effect;
    bool type_ahead = c->state->wait.kind == IVR_WAIT_KEYS && c->keys.n > 0;

    switch (cmd->kind) {
    case IVR_CMD_PLAY:
        if (cmd->bargeable && (c->barged || type_ahead)) {
            c->barged = true;
            return true;
        }
        play(c, cmd);
        return false;
    case IVR_CMD_MEDIA_GONE:
        log_warn("live", "call=%s seq=%u prompt=missing lang=%s", c->id, c->state->seq,
                 LOG_ESC(fx->prompt.lang));
        if (c->state->status == IVR_WAITING)
            return !live_feed(c, &(struct ivr_input){.kind = IVR_IN_MEDIA_FAILED,
                                                     .token = c->state->seq});
        return true;
    case IVR_CMD_COLLECT:
        keep_collect(c, &fx->collect);
        collect(c);
        return false;
    case IVR_CMD_RECORD:
        record(c, &fx->record);
        return true;
    case IVR_CMD_DIAL:
        return dial(c, fx);
    case IVR_CMD_ENQUEUE:
        live_queue_enter(c, fx);
        return true;
    case IVR_CMD_HTTP:
        return http(c, &fx->http);
    case IVR_CMD_DATA:
        return data(c);
    case IVR_CMD_MOH_START:
        c->moh = true;
        c->start.ops->moh(c->start.phone_arg, &c->start.id, true);
        return true;
    case IVR_CMD_ROW:
        return true;
    case IVR_CMD_HANGUP:
        break;
    }
    live_hang_up(c, fx->hangup.reason);
    acted(c);
    return false;
}

static void carry_out_all(struct live_call *c)
{
    while (c->at < c->rendered.n)
        if (!carry_out(c, &c->rendered.commands[c->at++]))
            return;
    if (c->collects)
        collect(c);
    /* A flow that ended without a hang-up of its own. */
    else if (c->state->status == IVR_ENDED && c->phase == LIVE_RUNNING)
        live_hang_up(c, "normal");
}

void live_run(struct live_call *c)
{
    struct lives *l = c->lives;
    const struct uuid id = c->start.id;

    carry_out_all(c);
    c = live_find(l, &id);
    if (!c || c->phase != LIVE_RUNNING)
        return;
    if (c->at + 1 == c->rendered.n) {
        const struct ivr_command *last = &c->rendered.commands[c->at];
        if (last->kind == IVR_CMD_COLLECT)
            keep_collect(c, &last->effect->collect);
    }
    if (c->at + c->collects >= c->rendered.n)
        live_rest(c);
}
