#include "unit/cm.h"

#include "unit/ivr_drive.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/files.h"
#include "base/sha256.h"

enum { FILE_LIMIT = 1 << 20, LINE_MAX_BYTES = 9000 };

static int resolve(const char *name, const char *sha256, const char **text, size_t *len,
                   void *arg)
{
    struct drive_flows *flows = arg;
    json_t *flow = json_object_get(flows->named, name);
    char path[500], *found = NULL;

    (void)sha256;
    if (flow) {
        found = json_dumps(flow, JSON_COMPACT);
        *len = found ? strlen(found) : 0;
    } else if (flows->dir) {
        snprintf(path, sizeof(path), "%s/%s.json", flows->dir, name);
        if (files_read(path, FILE_LIMIT, &found, len))
            return ENOENT;
    }
    if (!found || flows->n == ARRAY_LEN(flows->texts)) {
        free(found);
        return flow ? ENOMEM : ENOENT;
    }
    *text = flows->texts[flows->n++] = found;
    return 0;
}

void drive_flows_free(struct drive_flows *flows)
{
    while (flows->n > 0)
        free(flows->texts[--flows->n]);
}

int drive_compile(struct ivr_prog **out, const char *text, size_t len,
                  struct drive_flows *flows, struct ivr_arena *arena,
                  struct ivr_issues *issues)
{
    const struct ivr_compile_options options = {.sha256 = sha256_of,
                                                .resolve = resolve,
                                                .arg = flows,
                                                .backends = flows->backends};

    return ivr_compile(out, text, len, &options, arena, issues);
}

void drive_begin(struct drive *d, const struct ivr_prog *prog, struct ivr_arena *arena)
{
    *d = (struct drive){.arena = arena,
                        .prog = prog,
                        .env = {.now_ms = DRIVE_NOW_MS,
                                .seed = 7,
                                .tz_min = 180,
                                .tenant = DRIVE_TENANT,
                                .session = "call-1",
                                .phone = "+251911234567",
                                .dialled = "2001",
                                .language = "",
                                .caps = IVR_CAP_ALL}};
}

static void read_caps(struct drive *d, const json_t *list)
{
    static const char *const names[] = {"sms",   "callback", "transfer",
                                        "queue", "http",     "record"};
    json_t *item = NULL;
    size_t i = 0;

    d->env.caps = 0;
    json_array_foreach(list, i, item)
    {
        for (size_t k = 0; k < ARRAY_LEN(names); k++)
            if (strcmp(names[k], json_string_value(item)) == 0)
                d->env.caps |= 1u << k;
    }
}

/* [[from, until], …] in seconds from now. */
static void read_open(struct drive *d, const json_t *list)
{
    json_t *item = NULL;
    size_t i = 0;

    json_array_foreach(list, i, item)
    {
        assert_true(i < ARRAY_LEN(d->open));
        d->open[i].from_ms =
            DRIVE_NOW_MS + json_integer_value(json_array_get(item, 0)) * 1000;
        d->open[i].until_ms =
            DRIVE_NOW_MS + json_integer_value(json_array_get(item, 1)) * 1000;
    }
    d->env.open = d->open;
    d->env.open_count = i;
}

void drive_env(struct drive *d, json_t *env)
{
    const char *key = NULL;
    json_t *v = NULL;

    json_object_foreach(env, key, v)
    {
        if (strcmp(key, "phone") == 0)
            d->env.phone = json_string_value(v);
        else if (strcmp(key, "dialled") == 0)
            d->env.dialled = json_string_value(v);
        else if (strcmp(key, "language") == 0)
            d->env.language = json_string_value(v);
        else if (strcmp(key, "inbound") == 0)
            d->env.inbound = json_is_true(v);
        else if (strcmp(key, "contact") == 0)
            d->env.contact = v;
        else if (strcmp(key, "seed") == 0)
            d->env.seed = (uint64_t)json_integer_value(v);
        else if (strcmp(key, "caps") == 0)
            read_caps(d, v);
        else if (strcmp(key, "open") == 0)
            read_open(d, v);
        else if (strcmp(key, "voices") == 0) {
            json_t *item = NULL;
            size_t i = 0;
            json_array_foreach(v, i, item) d->voices[i] = json_string_value(item);
            d->voices[json_array_size(v)] = NULL;
            d->env.voices = d->voices;
        } else
            fail_msg("the case's env has an unknown '%s'", key);
    }
}

struct word {
    const char *text;
    enum ivr_input_kind kind;
    int result;
};

bool drive_parse(const char *text, uint32_t token, struct ivr_input *in)
{
    static const struct word words[] = {
        {"start", IVR_IN_START, 0},
        {"digits", IVR_IN_DIGITS, 0},
        {"said", IVR_IN_SAID, 0},
        {"data", IVR_IN_DATA_DONE, IVR_DATA_DONE},
        {"data_none", IVR_IN_DATA_DONE, IVR_DATA_NONE},
        {"data_locked", IVR_IN_DATA_DONE, IVR_DATA_LOCKED},
        {"data_failed", IVR_IN_DATA_DONE, IVR_DATA_FAILED},
        {"no_input", IVR_IN_NO_INPUT, 0},
        {"media_failed", IVR_IN_MEDIA_FAILED, 0},
        {"recorded", IVR_IN_RECORDED, IVR_RECORDED_OK},
        {"recorded_empty", IVR_IN_RECORDED, IVR_RECORDED_EMPTY},
        {"recording_failed", IVR_IN_RECORDED, IVR_RECORDED_FAILED},
        {"dial_completed", IVR_IN_DIAL_ENDED, IVR_DIALLED_COMPLETED},
        {"dial_busy", IVR_IN_DIAL_ENDED, IVR_DIALLED_BUSY},
        {"dial_no_answer", IVR_IN_DIAL_ENDED, IVR_DIALLED_NO_ANSWER},
        {"dial_failed", IVR_IN_DIAL_ENDED, IVR_DIALLED_FAILED},
        {"queue_served", IVR_IN_QUEUE_LEFT, IVR_LEFT_SERVED},
        {"queue_timeout", IVR_IN_QUEUE_LEFT, IVR_LEFT_TIMEOUT},
        {"queue_full", IVR_IN_QUEUE_LEFT, IVR_LEFT_FULL},
        {"queue_key", IVR_IN_QUEUE_LEFT, IVR_LEFT_BY_KEY},
        {"queue_failed", IVR_IN_QUEUE_LEFT, IVR_LEFT_FAILED},
        {"queue_news", IVR_IN_QUEUE_NEWS, 0},
        {"http", IVR_IN_HTTP_DONE, IVR_HTTP_ANSWERED},
        {"http_timeout", IVR_IN_HTTP_DONE, IVR_HTTP_TIMEOUT},
        {"http_failed", IVR_IN_HTTP_DONE, IVR_HTTP_FAILED},
        {"deadline", IVR_IN_DEADLINE, 0},
        {"hangup", IVR_IN_HANGUP, 0},
        {"stop", IVR_IN_STOP, 0},
    };
    size_t len = strcspn(text, " ");
    const char *rest = text[len] ? text + len + 1 : "";

    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        const struct word *w = &words[i];
        if (strlen(w->text) != len || memcmp(w->text, text, len) != 0)
            continue;
        *in = (struct ivr_input){.kind = w->kind, .token = token};
        if (w->kind == IVR_IN_DIGITS) {
            in->keys.digits = rest;
            in->keys.finish = *rest ? 0 : '#';
        } else if (w->kind == IVR_IN_SAID) {
            in->said.text = rest;
        } else if (w->kind == IVR_IN_DATA_DONE) {
            in->data.result = (enum ivr_data_result)w->result;
            in->data.row = rest;
            in->data.row_len = strlen(rest);
        } else if (w->kind == IVR_IN_RECORDED) {
            in->recorded.result = (enum ivr_recorded)w->result;
            in->recorded.ref = rest;
            in->recorded.duration_ms = 4200;
            in->recorded.reason = "silence";
        } else if (w->kind == IVR_IN_DIAL_ENDED) {
            in->dialled.result = (enum ivr_dialled)w->result;
            in->dialled.talked_ms = w->result == IVR_DIALLED_COMPLETED ? 61000 : 0;
            in->dialled.cause = w->result == IVR_DIALLED_BUSY ? 17 : 16;
        } else if (w->kind == IVR_IN_QUEUE_LEFT) {
            in->left.result = (enum ivr_left)w->result;
            in->left.waited_ms = 9000;
            in->left.agent = rest;
        } else if (w->kind == IVR_IN_QUEUE_NEWS) {
            in->news.position = (int)strtol(rest, NULL, 10);
            in->news.wait_ms = 90000;
        } else if (w->kind == IVR_IN_HTTP_DONE) {
            in->http.result = (enum ivr_http_result)w->result;
            in->http.status = (int)strtol(rest, NULL, 10);
            in->http.body = strchr(rest, ' ') ? strchr(rest, ' ') + 1 : "";
            in->http.body_len = strlen(in->http.body);
        }
        return true;
    }
    return false;
}

/* ---- a sprint as lines ---- */

PRINTF_LIKE(2, 3) static void add_line(json_t *list, const char *format, ...)
{
    char line[LINE_MAX_BYTES];
    va_list args;

    va_start(args, format);
    vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    json_array_append_new(list, json_string(line));
}

static void add_collect(json_t *list, const struct ivr_collect *c)
{
    char keys[200] = "";
    size_t n = 0;

    for (size_t i = 0; c->global_keys[i]; i++)
        n += (size_t)snprintf(keys + n, sizeof(keys) - n, " %s", c->global_keys[i]);
    add_line(list,
             "COLLECT %d to %d keys, at most %d, finish '%s', first %" PRId64
             " ms, then %" PRId64 " ms%s%s%s%s%s",
             c->min, c->own_max, c->max, c->finish, c->first_ms, c->inter_ms,
             c->sensitive ? ", sensitive" : "", *c->hears ? ", hears " : "", c->hears,
             *keys ? ", global" : "", keys);
}

static void add_http(json_t *list, const struct ivr_http *h)
{
    add_line(list, "HTTP %s %s within %" PRId64 " ms%s%s%s%s", h->method, h->url,
             h->timeout_ms, h->body ? " body " : "", h->body ? h->body : "",
             h->mock_body ? " mock " : "", h->mock_body ? h->mock_body : "");
    for (size_t i = 0; i < h->header_count; i++)
        add_line(list, "  %s: %s", h->headers[i].name, h->headers[i].value);
}

static void add_effect(json_t *list, const struct ivr_effect *fx)
{
    static const char *const finish[] = {"none", "any", "*", "#"};
    static const char *const ops[] = {"find", "insert", "update", "delete"};
    const struct ivr_prompt *p = &fx->prompt;
    const struct ivr_record *r = &fx->record;

    switch (fx->kind) {
    case IVR_FX_PROMPT:
        add_line(list, "PROMPT %s%s%s %s%s%s%s", p->lang, *p->voice ? "/" : "", p->voice,
                 *p->asset ? "audio " : "", *p->asset ? p->asset : p->text,
                 p->bargeable ? " (bargeable)" : "",
                 p->part == IVR_PART_NOT_TAKEN ? " (not taken)" : "");
        return;
    case IVR_FX_COLLECT:
        add_collect(list, &fx->collect);
        return;
    case IVR_FX_RECORD:
        add_line(list,
                 "RECORD %s at step %u of %s, %" PRId64 " ms, silence %" PRId64
                 " ms, finish %s%s, pipeline %s, sms '%s'",
                 r->purpose, r->step, r->node, r->max_ms, r->silence_ms,
                 finish[r->finish], r->beep ? ", beep" : "", r->pipeline, r->on_done_sms);
        return;
    case IVR_FX_DIAL:
        add_line(list,
                 "DIAL %s from '%s', ring %" PRId64 " ms, talk %" PRId64 " ms%s%s%.1s",
                 fx->dial.to, fx->dial.from, fx->dial.ring_ms, fx->dial.max_ms,
                 fx->dial.record ? ", recorded" : "",
                 fx->dial.confirm_key ? ", confirmed by " : "", &fx->dial.confirm_key);
        return;
    case IVR_FX_ENQUEUE:
        add_line(list, "ENQUEUE %s priority %d, %" PRId64 " ms, exit key '%.1s'",
                 fx->enqueue.queue, fx->enqueue.priority, fx->enqueue.max_wait_ms,
                 &fx->enqueue.exit_key);
        if (fx->enqueue.announce_ms)
            add_line(list, "  news every %" PRId64 " ms", fx->enqueue.announce_ms);
        return;
    case IVR_FX_HTTP:
        add_http(list, &fx->http);
        return;
    case IVR_FX_DATA:
        add_line(list, "DATA %s %s where %s set %s%s%s", ops[fx->data.op], fx->data.table,
                 fx->data.where, fx->data.change, fx->data.mock ? " mock " : "",
                 fx->data.mock ? fx->data.mock : "");
        return;
    case IVR_FX_SMS:
        add_line(list, "SMS %s %s %s", fx->sms.to, fx->sms.lang, fx->sms.text);
        return;
    case IVR_FX_SUBMIT:
        if (fx->submit.recording[0])
            add_line(list, "SUBMIT %s to %s", fx->submit.recording, fx->submit.pipeline);
        else
            add_line(list, "SUBMIT %s %s", fx->submit.intent, fx->submit.entities);
        return;
    case IVR_FX_CALLBACK:
        add_line(list, "CALLBACK %s in %" PRId64 " s flow '%s'", fx->callback.to,
                 (fx->callback.at_ms - DRIVE_NOW_MS) / 1000, fx->callback.flow);
        return;
    case IVR_FX_OPT_OUT:
        add_line(list, "OPT_OUT %s", fx->opt_out.scope);
        return;
    case IVR_FX_LANG:
        add_line(list, "LANG %s", fx->lang.tag);
        return;
    case IVR_FX_HANGUP:
        add_line(list, "HANGUP %s %s%s%s", fx->hangup.reason, fx->hangup.outcome,
                 *fx->hangup.details ? " " : "", fx->hangup.details);
        return;
    }
}

static void add_state(json_t *list, const struct drive *d)
{
    static const char *const waits[] = {"nothing", "keys", "recording", "dial",
                                        "queue",   "http", "data"};
    static const char *const verdicts[] = {"ok",   "stale",        "wrong_wait",
                                           "over", "pin_mismatch", "corrupt"};
    const struct ivr_state *s = d->out.state;

    if (d->out.verdict != IVR_OK)
        add_line(list, "= %s", verdicts[d->out.verdict]);
    else if (s->status == IVR_ENDED)
        add_line(list, "= ended %s", s->outcome);
    else
        add_line(list, "= waits for %s within %" PRId64 " s, %s, depth %d",
                 waits[s->wait.kind], (s->wait.deadline_at_ms - d->env.now_ms) / 1000,
                 s->lang, s->depth);
}

json_t *drive_lines(const struct drive *d)
{
    json_t *list = json_array();

    for (size_t i = 0; i < d->out.effect_count; i++)
        add_effect(list, &d->out.effects[i]);
    add_state(list, d);
    for (size_t i = 0; i < d->out.event_count; i++) {
        const struct ivr_event *ev = &d->out.events[i];
        add_line(list, "- %s/%s %s %s%s%s%s%s", ev->flow, ev->node,
                 ivr_event_name(ev->kind), ev->name, *ev->value ? " = " : "", ev->value,
                 *ev->category ? " : " : "", ev->category);
    }
    return list;
}

/* ---- steps ---- */

static bool is_blocking(enum ivr_effect_kind kind)
{
    return kind == IVR_FX_COLLECT || kind == IVR_FX_RECORD || kind == IVR_FX_DIAL ||
           kind == IVR_FX_ENQUEUE || kind == IVR_FX_HTTP || kind == IVR_FX_DATA ||
           kind == IVR_FX_HANGUP;
}

/* The invariants that hold after any input whatever. */
static void check_invariants(const struct drive *d)
{
    const struct ivr_state *s = d->out.state;
    size_t n = d->out.effect_count, blocking = 0;

    for (size_t i = 0; i < n; i++)
        blocking += is_blocking(d->out.effects[i].kind);
    if (s->status == IVR_WAITING) {
        assert_int_equal(blocking, 1);
        assert_true(is_blocking(d->out.effects[n - 1].kind));
        assert_int_not_equal(d->out.effects[n - 1].kind, IVR_FX_HANGUP);
        assert_true(s->wait.deadline_at_ms > d->env.now_ms);
        assert_true(s->wait.deadline_at_ms <= s->hard_stop_at_ms);
    } else {
        assert_true(blocking <= 1);
        if (blocking)
            assert_int_equal(d->out.effects[n - 1].kind, IVR_FX_HANGUP);
        assert_string_not_equal(s->outcome, "");
    }
    assert_true(s->depth >= 1 && s->depth <= IVR_MAX_DEPTH);
    assert_true(s->total_steps <= 1000 + 30);
}

static void round_trip(struct drive *d)
{
    const uint8_t *bytes = NULL, *again = NULL;
    size_t len = 0, again_len = 0;

    assert_int_equal(ivr_state_write(d->out.state, d->arena, &bytes, &len), 0);
    assert_int_equal(ivr_state_read(bytes, len, d->arena, &d->state), 0);
    assert_int_equal(ivr_state_write(d->state, d->arena, &again, &again_len), 0);
    assert_int_equal(len, again_len);
    assert_memory_equal(bytes, again, len);
}

void drive_step(struct drive *d, const struct ivr_input *in)
{
    const struct ivr_state *state = in->kind == IVR_IN_START ? NULL : d->state;

    assert_int_equal(ivr_step(d->prog, &d->env, state, in, d->arena, &d->out), 0);
    json_t *lines = drive_lines(d);
    uint32_t seq = state ? state->seq : 0;
    assert_int_equal(ivr_step(d->prog, &d->env, state, in, d->arena, &d->out), 0);
    json_t *again = drive_lines(d);
    assert_true(json_equal(lines, again));
    json_decref(lines);
    json_decref(again);
    if (d->out.verdict != IVR_OK) {
        assert_null(d->out.state);
        return;
    }
    assert_int_equal(d->out.state->seq, seq + 1);
    check_invariants(d);
    round_trip(d);
}
