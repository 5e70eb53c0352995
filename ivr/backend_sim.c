/*
 * The sim back end: a phone for people and tests. Each command has a line to show;
 * parse reads a typed line:
 *
 *   5 * #             a key                   spoke 12       a recording of 12 s
 *   1234  1234#       a whole entry           silent         a recording without speech
 *   (empty line)      no input                unrecorded     a recording that failed
 *   hangup            the party is gone       completed 30   a transfer that talked 30 s
 *   stop              the operator ends it    busy  unanswered  undialled
 *   unplayed          a prompt failed         served  waited  full  left  unqueued
 *   late              the wait's deadline     http 200 BODY   http timeout   http failed
 *   say WORDS         words in place of keys
 *   data ROW   data none   data locked   data failed   what came of a table
 *   place 3 120       the third in the queue, with about 120 s to wait yet
 */
#include "ivr/backend_kinds.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ivr/arena.h"

/* ---- render ---- */

static const char *s_of(const char *text)
{
    return text ? text : "";
}

static const char *prompts_line(struct ivr_arena *arena, const struct ivr_command *cmd)
{
    struct growing g = {.arena = arena};

    for (size_t i = 0; i < cmd->media_count; i++) {
        const struct ivr_prompt *p = &cmd->effect[i].prompt;
        if (i > 0)
            growing_puts(&g, "\n");
        if (p->asset && p->asset[0] != '\0')
            growing_printf(&g, "plays recording %s (%s)", p->asset, s_of(p->lang));
        else
            growing_printf(&g, "says (%s): %s", s_of(p->lang), p->text);
    }
    return growing_text(&g);
}

static const char *collect_line(struct ivr_arena *arena, const struct ivr_collect *c)
{
    return arena_printf(arena, "waits %ld s for %d to %d keys%s%s",
                        (long)((c->first_ms + 999) / 1000), c->min, c->own_max,
                        s_of(c->finish)[0] ? ", ended by " : "", s_of(c->finish));
}

static const char *record_line(struct ivr_arena *arena, const struct ivr_record *r)
{
    static const char *const ends[] = {[IVR_FINISH_NONE] = "",
                                       [IVR_FINISH_ANY] = ", any key ends it",
                                       [IVR_FINISH_STAR] = ", * ends it",
                                       [IVR_FINISH_HASH] = ", # ends it"};

    return arena_printf(arena, "%srecords up to %ld s%s", r->beep ? "beeps, " : "",
                        (long)((r->max_ms + 999) / 1000), ends[r->finish]);
}

static const char *row_line(struct ivr_arena *arena, const struct ivr_effect *fx)
{
    if (fx->kind == IVR_FX_SMS)
        return arena_printf(arena, "sends SMS to %s: %s", s_of(fx->sms.to),
                            s_of(fx->sms.text));
    if (fx->kind == IVR_FX_SUBMIT && s_of(fx->submit.recording)[0])
        return arena_printf(arena, "submits recording %s (%s)", fx->submit.recording,
                            fx->submit.pipeline);
    if (fx->kind == IVR_FX_SUBMIT)
        return arena_printf(arena, "submits %s %s", s_of(fx->submit.intent),
                            s_of(fx->submit.entities));
    if (fx->kind == IVR_FX_CALLBACK)
        return arena_printf(arena, "notes: call %s back at %lld ms",
                            s_of(fx->callback.to), (long long)fx->callback.at_ms);
    if (fx->kind == IVR_FX_OPT_OUT)
        return arena_printf(arena, "notes: never call again (%s)",
                            s_of(fx->opt_out.scope));
    return arena_printf(arena, "notes: speaks %s", s_of(fx->lang.tag));
}

static const char *line_of(struct ivr_arena *arena, const struct ivr_command *cmd)
{
    const struct ivr_effect *fx = cmd->effect;

    switch (cmd->kind) {
    case IVR_CMD_PLAY:
        return prompts_line(arena, cmd);
    case IVR_CMD_MEDIA_GONE:
        return arena_printf(
            arena, "has nothing to play for (%s): %s", s_of(fx->prompt.lang),
            s_of(fx->prompt.text)[0] ? fx->prompt.text : s_of(fx->prompt.asset));
    case IVR_CMD_COLLECT:
        return collect_line(arena, &fx->collect);
    case IVR_CMD_RECORD:
        return record_line(arena, &fx->record);
    case IVR_CMD_DIAL:
        return arena_printf(arena, "dials %s for %ld s", s_of(fx->dial.to),
                            (long)((fx->dial.ring_ms + 999) / 1000));
    case IVR_CMD_ENQUEUE:
        return arena_printf(arena, "puts the call into queue %s",
                            s_of(fx->enqueue.queue));
    case IVR_CMD_HTTP:
        return arena_printf(arena, "asks %s %s", fx->http.method, fx->http.url);
    case IVR_CMD_DATA:
        return arena_printf(arena, "looks into the table %s", fx->data.table);
    case IVR_CMD_MOH_START:
        return "plays hold music";
    case IVR_CMD_ROW:
        return row_line(arena, fx);
    case IVR_CMD_HANGUP:
        break;
    }
    return arena_printf(arena, "hangs up (%s)", s_of(fx->hangup.reason));
}

static int sim_words(const struct ivr_call_ctx *ctx, struct ivr_arena *arena,
                     struct ivr_command *cmd)
{
    (void)ctx;
    cmd->line = line_of(arena, cmd);
    return cmd->line ? 0 : ENOMEM;
}

static int sim_render(const struct ivr_out *step, const struct ivr_call_ctx *ctx,
                      struct ivr_arena *arena, struct ivr_rendered *out)
{
    return backend_render(step, ctx, sim_words, arena, out);
}

/* ---- parse ---- */

struct word {
    const char *text;
    enum ivr_input_kind kind;
    int result; /* of the kind's own enum */
};

static const struct word words[] = {
    {"hangup", IVR_IN_HANGUP, 16},
    {"stop", IVR_IN_STOP, 0},
    {"unplayed", IVR_IN_MEDIA_FAILED, 0},
    {"late", IVR_IN_DEADLINE, 0},
    {"spoke", IVR_IN_RECORDED, IVR_RECORDED_OK},
    {"silent", IVR_IN_RECORDED, IVR_RECORDED_EMPTY},
    {"unrecorded", IVR_IN_RECORDED, IVR_RECORDED_FAILED},
    {"completed", IVR_IN_DIAL_ENDED, IVR_DIALLED_COMPLETED},
    {"busy", IVR_IN_DIAL_ENDED, IVR_DIALLED_BUSY},
    {"unanswered", IVR_IN_DIAL_ENDED, IVR_DIALLED_NO_ANSWER},
    {"undialled", IVR_IN_DIAL_ENDED, IVR_DIALLED_FAILED},
    {"served", IVR_IN_QUEUE_LEFT, IVR_LEFT_SERVED},
    {"waited", IVR_IN_QUEUE_LEFT, IVR_LEFT_TIMEOUT},
    {"full", IVR_IN_QUEUE_LEFT, IVR_LEFT_FULL},
    {"left", IVR_IN_QUEUE_LEFT, IVR_LEFT_BY_KEY},
    {"unqueued", IVR_IN_QUEUE_LEFT, IVR_LEFT_FAILED},
};

/* "12" is 12 s; nothing is what the word usually means. */
static int parse_seconds(const char *text, int64_t usual_ms, int64_t *ms)
{
    char *end;

    *ms = usual_ms;
    if (*text == '\0')
        return 0;
    long s = strtol(text, &end, 10);
    if (*end != '\0' || s < 0 || s > 86400)
        return EBADMSG;
    *ms = (int64_t)s * 1000;
    return 0;
}

static int parse_http(const char *rest, struct ivr_input *in)
{
    char *end;

    in->kind = IVR_IN_HTTP_DONE;
    if (strcmp(rest, "timeout") == 0 || strcmp(rest, "failed") == 0) {
        in->http.result = *rest == 't' ? IVR_HTTP_TIMEOUT : IVR_HTTP_FAILED;
        return 0;
    }
    long status = strtol(rest, &end, 10);
    if (end == rest || status < 100 || status > 599 || (*end != '\0' && *end != ' '))
        return EBADMSG;
    in->http.result = IVR_HTTP_ANSWERED;
    in->http.status = (int)status;
    in->http.body = *end ? end + 1 : end;
    in->http.body_len = strlen(in->http.body);
    return 0;
}

static int fill(const struct word *w, const char *rest, struct ivr_input *in)
{
    enum { USUAL_SPEECH_MS = 5000, USUAL_TALK_MS = 30000 };
    int64_t ms = 0;
    int err = 0;

    in->kind = w->kind;
    if (w->kind == IVR_IN_RECORDED) {
        bool spoke = w->result == IVR_RECORDED_OK;
        err = parse_seconds(rest, spoke ? USUAL_SPEECH_MS : 0, &ms);
        in->recorded.result = (enum ivr_recorded)w->result;
        in->recorded.duration_ms = ms;
        in->recorded.reason = spoke ? "key" : "silence";
    } else if (w->kind == IVR_IN_DIAL_ENDED) {
        bool talked = w->result == IVR_DIALLED_COMPLETED;
        err = parse_seconds(rest, talked ? USUAL_TALK_MS : 0, &ms);
        in->dialled.result = (enum ivr_dialled)w->result;
        in->dialled.talked_ms = ms;
    } else if (w->kind == IVR_IN_QUEUE_LEFT) {
        err = parse_seconds(rest, USUAL_TALK_MS, &ms);
        in->left.result = (enum ivr_left)w->result;
        in->left.waited_ms = ms;
    } else if (*rest != '\0') {
        err = EBADMSG;
    } else if (w->kind == IVR_IN_HANGUP) {
        in->hangup.cause = w->result;
    }
    return err;
}

/* "place 3" or "place 3 120": third in the queue, about two minutes yet. */
static int parse_place(char *rest, struct ivr_input *in)
{
    enum { A_PLACE_MS = 60000, PLACES_MAX = 10000 };
    char *end;

    in->kind = IVR_IN_QUEUE_NEWS;
    long place = strtol(rest, &end, 10);
    if (end == rest || place < 1 || place > PLACES_MAX || (*end != '\0' && *end != ' '))
        return EBADMSG;
    in->news.position = (int)place;
    return parse_seconds(*end ? end + 1 : end, A_PLACE_MS * place, &in->news.wait_ms);
}

static int parse_data(char *rest, struct ivr_input *in)
{
    static const struct word results[] = {{"none", IVR_IN_DATA_DONE, IVR_DATA_NONE},
                                          {"locked", IVR_IN_DATA_DONE, IVR_DATA_LOCKED},
                                          {"failed", IVR_IN_DATA_DONE, IVR_DATA_FAILED}};

    in->kind = IVR_IN_DATA_DONE;
    in->data.row = rest;
    in->data.row_len = strlen(rest);
    if (*rest == '{')
        return 0;
    for (size_t i = 0; i < ARRAY_LEN(results); i++) {
        if (strcmp(results[i].text, rest) == 0) {
            in->data.result = (enum ivr_data_result)results[i].result;
            return 0;
        }
    }
    return EBADMSG;
}

static int parse_word(char *line, struct ivr_input *in)
{
    char *rest = strchr(line, ' ');

    if (rest)
        *rest++ = '\0';
    else
        rest = line + strlen(line);
    if (strcmp(line, "http") == 0)
        return parse_http(rest, in);
    if (strcmp(line, "data") == 0)
        return parse_data(rest, in);
    if (strcmp(line, "say") == 0) {
        in->kind = IVR_IN_SAID;
        in->said.text = rest;
        return 0;
    }
    if (strcmp(line, "place") == 0)
        return parse_place(rest, in);
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (strcmp(words[i].text, line) == 0)
            return fill(&words[i], rest, in);
    return EBADMSG;
}

static int sim_parse(const char *bytes, size_t len, const struct ivr_state *state,
                     struct ivr_arena *arena, struct ivr_parsed *out)
{
    struct ivr_parsed p = {.kind = IVR_PARSED_INPUT};
    int err = 0;

    while (len > 0 && (bytes[len - 1] == '\n' || bytes[len - 1] == '\r'))
        len--;
    if (memchr(bytes, '\0', len))
        return EBADMSG;
    char *line = arena_copy(arena, bytes, len);
    if (!line)
        return ENOMEM;
    p.input.token = state ? state->seq : 0;
    if (len == 0) {
        p.input.kind = IVR_IN_NO_INPUT;
    } else if (strspn(line, "0123456789*#") < len) {
        err = parse_word(line, &p.input);
    } else if (len == 1) {
        p.kind = IVR_PARSED_KEY;
        p.key = line[0];
    } else {
        p.input.kind = IVR_IN_DIGITS;
        if (line[len - 1] == '#') {
            p.input.keys.finish = '#';
            line[len - 1] = '\0';
        }
        p.input.keys.digits = line;
        err = strlen(line) > IVR_DIGITS_MAX ? EBADMSG : 0;
    }
    if (!err)
        *out = p;
    return err;
}

const struct ivr_backend backend_sim = {"sim", IVR_CAP_ALL, sim_parse, sim_render, NULL};
