/*
 * The ari back end: Asterisk's REST interface. Commands that one request carries out
 * have it as method and request (path and query below the ARI base URL).
 */
#include "ivr/backend_kinds.h"

#include <errno.h>
#include <string.h>

#include "ivr/arena.h"

/* ---- render ---- */

static int play_words(const char *channel, struct ivr_arena *arena,
                      struct ivr_command *cmd)
{
    struct growing g = {.arena = arena};

    growing_printf(&g, "/channels/%s/play?media=", channel);
    for (size_t i = 0; i < cmd->media_count; i++) {
        const char *uri = backend_percent(arena, cmd->media[i]);
        if (!uri)
            return ENOMEM;
        growing_printf(&g, "%s%s", i ? "," : "", uri);
    }
    cmd->method = "POST";
    cmd->request = growing_text(&g);
    return cmd->request ? 0 : ENOMEM;
}

static const char *terminate_on(enum ivr_finish finish)
{
    switch (finish) {
    case IVR_FINISH_ANY:
        return "any";
    case IVR_FINISH_STAR:
        return "*";
    case IVR_FINISH_HASH:
        return "%23";
    case IVR_FINISH_NONE:
        break;
    }
    return "none";
}

static long seconds(int64_t ms)
{
    return (long)((ms + 999) / 1000);
}

static int record_words(const char *channel, const char *format, struct ivr_arena *arena,
                        struct ivr_command *cmd)
{
    const struct ivr_record *r = &cmd->effect->record;
    const char *as = backend_percent(arena, format ? format : "wav16");

    if (!as)
        return ENOMEM;
    cmd->method = "POST";
    cmd->request = arena_printf(
        arena,
        "/channels/%s/record?name=%s-%lu&format=%s&maxDurationSeconds=%ld"
        "&maxSilenceSeconds=%ld&ifExists=fail&beep=%s&terminateOn=%s",
        channel, channel, (unsigned long)r->step, as, seconds(r->max_ms),
        seconds(r->silence_ms), r->beep ? "true" : "false", terminate_on(r->finish));
    return cmd->request ? 0 : ENOMEM;
}

static const char *hangup_reason(const char *reason)
{
    static const char *const words[][2] = {{"busy", "busy"}, {"error", "failure"}};

    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (strcmp(words[i][0], reason) == 0)
            return words[i][1];
    return "normal";
}

static int ari_words(const struct ivr_call_ctx *ctx, struct ivr_arena *arena,
                     struct ivr_command *cmd)
{
    const char *channel = backend_percent(arena, ctx->channel ? ctx->channel : "");

    if (!channel)
        return ENOMEM;
    switch (cmd->kind) {
    case IVR_CMD_PLAY:
        return play_words(channel, arena, cmd);
    case IVR_CMD_RECORD:
        return record_words(channel, ctx->format, arena, cmd);
    case IVR_CMD_MOH_START:
        cmd->method = "POST";
        cmd->request = arena_printf(arena, "/channels/%s/moh", channel);
        break;
    case IVR_CMD_HANGUP:
        cmd->method = "DELETE";
        cmd->request = arena_printf(arena, "/channels/%s?reason=%s", channel,
                                    hangup_reason(cmd->effect->hangup.reason));
        break;
    case IVR_CMD_MEDIA_GONE:
    case IVR_CMD_COLLECT:
    case IVR_CMD_DIAL:
    case IVR_CMD_ENQUEUE:
    case IVR_CMD_HTTP:
    case IVR_CMD_DATA:
    case IVR_CMD_ROW:
        break;
    }
    return cmd->request ? 0 : ENOMEM;
}

static int ari_render(const struct ivr_out *step, const struct ivr_call_ctx *ctx,
                      struct ivr_arena *arena, struct ivr_rendered *out)
{
    return backend_render(step, ctx, ari_words, arena, out);
}

/* ---- parse ---- */

static const char *text_of(const json_t *o, const char *key)
{
    const char *s = json_string_value(json_object_get(o, key));

    return s ? s : "";
}

static bool waits_for(const struct ivr_state *state, enum ivr_wait_kind kind)
{
    return state && state->status == IVR_WAITING && state->wait.kind == kind;
}

static int parse_key(const json_t *ev, const struct ivr_state *state,
                     struct ivr_arena *arena, struct ivr_parsed *out)
{
    const char *digit = text_of(ev, "digit");

    (void)state;
    (void)arena;
    if (strlen(digit) != 1)
        return EBADMSG;
    if (strchr("0123456789*#", digit[0])) {
        out->kind = IVR_PARSED_KEY;
        out->key = digit[0];
    }
    return 0;
}

static int parse_played(const json_t *ev, const struct ivr_state *state,
                        struct ivr_arena *arena, struct ivr_parsed *out)
{
    const json_t *playback = json_object_get(ev, "playback");

    (void)arena;
    if (!json_is_object(playback))
        return EBADMSG;
    if (state && state->status == IVR_WAITING &&
        strcmp(text_of(playback, "state"), "failed") == 0) {
        out->kind = IVR_PARSED_INPUT;
        out->input.kind = IVR_IN_MEDIA_FAILED;
    }
    return 0;
}

/* Asterisk cuts the duration to whole seconds; the file's own length is measured
 * later. Without a word spoken talking_duration is 0. */
static int parse_recorded(const json_t *ev, const struct ivr_state *state,
                          struct ivr_arena *arena, struct ivr_parsed *out)
{
    const json_t *r = json_object_get(ev, "recording");

    if (!json_is_object(r))
        return EBADMSG;
    if (!waits_for(state, IVR_WAIT_RECORDING))
        return 0;
    bool failed = strcmp(text_of(ev, "type"), "RecordingFailed") == 0 ||
                  strcmp(text_of(r, "state"), "failed") == 0;
    const json_t *talking = json_object_get(r, "talking_duration");
    out->kind = IVR_PARSED_INPUT;
    out->input.kind = IVR_IN_RECORDED;
    out->input.recorded.result = IVR_RECORDED_OK;
    if (failed)
        out->input.recorded.result = IVR_RECORDED_FAILED;
    else if (json_is_integer(talking) && json_integer_value(talking) == 0)
        out->input.recorded.result = IVR_RECORDED_EMPTY;
    json_int_t duration_s = json_integer_value(json_object_get(r, "duration"));
    if (duration_s < 0 || duration_s > 86400)
        return EBADMSG;
    out->input.recorded.duration_ms = duration_s * 1000;
    out->input.recorded.ref = arena_text(arena, text_of(r, "name"));
    out->input.recorded.reason = arena_text(arena, text_of(r, "cause"));
    return out->input.recorded.ref && out->input.recorded.reason ? 0 : ENOMEM;
}

static int parse_dial(const json_t *ev, const struct ivr_state *state,
                      struct ivr_arena *arena, struct ivr_parsed *out)
{
    static const struct {
        const char *status;
        enum ivr_dialled result;
    } ends[] = {{"BUSY", IVR_DIALLED_BUSY},
                {"NOANSWER", IVR_DIALLED_NO_ANSWER},
                {"CANCEL", IVR_DIALLED_NO_ANSWER},
                {"CONGESTION", IVR_DIALLED_FAILED},
                {"CHANUNAVAIL", IVR_DIALLED_FAILED}};
    const char *status = text_of(ev, "dialstatus");

    (void)arena;
    for (size_t i = 0; waits_for(state, IVR_WAIT_DIAL) && i < ARRAY_LEN(ends); i++)
        if (strcmp(status, ends[i].status) == 0) {
            out->kind = IVR_PARSED_INPUT;
            out->input.kind = IVR_IN_DIAL_ENDED;
            out->input.dialled.result = ends[i].result;
        }
    return 0;
}

static int parse_hangup(const json_t *ev, const struct ivr_state *state,
                        struct ivr_arena *arena, struct ivr_parsed *out)
{
    json_int_t cause = json_integer_value(json_object_get(ev, "cause"));

    (void)state;
    (void)arena;
    if (cause < 0 || cause > 127)
        return EBADMSG;
    out->kind = IVR_PARSED_INPUT;
    out->input.kind = IVR_IN_HANGUP;
    out->input.hangup.cause = (int)cause;
    return 0;
}

static int ari_parse(const char *bytes, size_t len, const struct ivr_state *state,
                     struct ivr_arena *arena, struct ivr_parsed *out)
{
    static const struct {
        const char *type;
        int (*parse)(const json_t *ev, const struct ivr_state *state,
                     struct ivr_arena *arena, struct ivr_parsed *out);
    } events[] = {
        {"ChannelDtmfReceived", parse_key},
        {"PlaybackFinished", parse_played},
        {"RecordingFinished", parse_recorded},
        {"RecordingFailed", parse_recorded},
        {"Dial", parse_dial},
        {"ChannelDestroyed", parse_hangup},
    };
    struct ivr_parsed p = {.kind = IVR_PARSED_NOTHING};
    json_t *ev = json_loadb(bytes, len, 0, NULL);
    const char *type = text_of(ev, "type");
    int err = json_is_object(ev) && type[0] != '\0' ? 0 : EBADMSG;

    p.input.token = state ? state->seq : 0;
    for (size_t i = 0; !err && i < ARRAY_LEN(events); i++)
        if (strcmp(type, events[i].type) == 0)
            err = events[i].parse(ev, state, arena, &p);
    json_decref(ev);
    if (!err)
        *out = p;
    return err;
}

const struct ivr_backend backend_ari = {"ari", IVR_CAP_ALL, ari_parse, ari_render, NULL};
