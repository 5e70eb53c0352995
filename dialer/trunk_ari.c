/*
 * The ari trunk: calls out through Asterisk. An origination is on the wire at most once,
 * over the WebSocket (ari_wire.c) or by HTTP (web.h, once).
 */
#include "dialer/ari_inside.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "dialer/placed.h"
#include "dialer/trunk_kinds.h"

enum {
    ANSWER_MS = 8000, /* Asterisk answers an origination in milliseconds */
    CAUSE_CONGESTION = 34,
    CAUSE_CONFIG = 50, /* Q.850: requested facility not subscribed */
};

static int ari_open(struct trunk **out, struct dialer *d, const struct trunk_row *row,
                    struct errtext *e)
{
    if (!strstr(row->endpoint, "{number}") || !strchr(row->endpoint, '/'))
        return errtext_set(e, EINVAL, 0, 0,
                           "trunk '%s': endpoint '%s' must be like "
                           "PJSIP/{number}@trunk",
                           row->name, row->endpoint);
    struct trunk *t = xcalloc(1, sizeof(*t));
    t->ops = &trunk_ari;
    t->dialer = d;
    t->row = *row;
    *out = t;
    return 0;
}

static void ari_trunk_close(struct trunk *t)
{
    free(t);
}

static bool ari_trunk_is_ready(const struct trunk *t)
{
    return ari_is_ready(t->dialer->ari);
}

/* Half of the connections are for the calls that are up; a request that had to wait for a
 * free one would outlive its permit. */
static bool ari_has_room(const struct trunk *t)
{
    const struct ari *a = t->dialer->ari;

    return a && a->in_flight < web_max_host(t->dialer->web) / 2;
}

static void on_duplicate_asked(struct dialer *d, const struct web_resp *resp,
                               const struct ari_ask *ask)
{
    /* Nobody else makes this id: a living channel of that name is this attempt's. */
    ask->originated(d, &ask->call, ari_is_ok(resp) ? TRUNK_ACCEPTED : TRUNK_UNKNOWN, 0);
}

static enum trunk_result result_of(const struct web_resp *resp, int *cause)
{
    if (resp->err)
        return resp->err == ECONNREFUSED ? TRUNK_NOT_SENT : TRUNK_UNKNOWN;
    if (ari_is_ok(resp))
        return TRUNK_ACCEPTED;
    switch (resp->status) {
    case 401: /* refused before anything was done */
    case 403:
        *cause = CAUSE_CONFIG;
        return TRUNK_NOT_SENT;
    case 429:
    case 503:
        *cause = CAUSE_CONGESTION;
        return TRUNK_NOT_SENT;
    case 500: /* "Allocation failed": no such endpoint, or no contact for it */
        *cause = CAUSE_CONGESTION;
        return TRUNK_REJECTED;
    default:
        break;
    }
    if (resp->status >= 500)
        return TRUNK_UNKNOWN;
    *cause = CAUSE_CONFIG;
    return TRUNK_REJECTED;
}

static void on_originated(struct dialer *d, const struct web_resp *resp,
                          const struct ari_ask *ask)
{
    char id[UUID_TEXT_MAX];
    int cause = 0;

    if (d->ari)
        d->ari->in_flight--;
    fault_point("ari_sent");
    if (!resp->err && resp->status == 409 && d->ari) {
        char name[ARI_CHANNEL_MAX];
        ari_channel_name(d->ari, &ask->call, name);
        ari_sendf(d, "GET", on_duplicate_asked, ask, "/channels/%s", name);
        return;
    }
    enum trunk_result result = result_of(resp, &cause);
    if (result != TRUNK_ACCEPTED)
        log_warn("ari", "attempt=%s origination: status=%ld err=%d answer=%s",
                 uuid_text(&ask->call, id), resp->status, resp->err, LOG_ESC(resp->body));
    if (result == TRUNK_REJECTED || result == TRUNK_NOT_SENT) {
        struct ari_call *c = d->ari ? ari_call_find(d->ari, &ask->call) : NULL;
        if (c)
            ari_call_forget(d->ari, c);
    }
    ask->originated(d, &ask->call, result, cause);
}

static char *origination_body(const struct ari *a, const struct trunk *t,
                              const struct trunk_origination *o)
{
    const char *form = t->row.endpoint;
    const char *gap = strstr(form, "{number}");
    char attempt[UUID_TEXT_MAX];

    char *endpoint = xasprintf("%.*s%lld%s", (int)(gap - form), form, (long long)o->phone,
                               gap + strlen("{number}"));
    json_auto_t *json =
        json_pack("{s:s,s:s,s:i,s:{s:s}}", "endpoint", endpoint, "app", a->own_app,
                  "timeout", o->ring_timeout_s > 0 ? o->ring_timeout_s : 30, "variables",
                  "PJSIP_HEADER(add,X-Furrow-Attempt)", uuid_text(&o->attempt, attempt));
    free(endpoint);
    if (o->caller_id && o->caller_id[0])
        json_object_set_new(json, "callerId", json_string(o->caller_id));
    return json_dumps(json, JSON_COMPACT);
}

static void ari_originate(struct trunk *t, struct permit *permit,
                          const struct trunk_origination *o, trunk_originated_fn *done)
{
    struct dialer *d = t->dialer;
    struct ari *a = d->ari;
    struct ari_ask ask = {.call = o->attempt, .originated = done};
    char channel[ARI_CHANNEL_MAX];
    char path[ARI_CHANNEL_MAX + 16];

    if (!ari_trunk_is_ready(t)) {
        permit_free(permit);
        done(d, &o->attempt, TRUNK_NOT_SENT, 0);
        return;
    }
    ari_channel_name(a, &o->attempt, channel);
    snprintf(path, sizeof(path), "/channels/%s", channel);
    char *body = origination_body(a, t, o);
    fault_point("ari_send");
    bool may = permit_use(permit, mono_ms(), clock_now_ms());
    if (may) {
        /* Known before it is sent: events may come before the answer. */
        ari_call_get(a, &o->attempt, NULL);
        a->in_flight++;
        ari_send(d,
                 &(struct ari_request){.method = "POST",
                                       .path = path,
                                       .body = body,
                                       .once = true,
                                       .brief = true,
                                       .timeout_ms = ANSWER_MS},
                 on_originated, &ask);
    }
    free(body);
    permit_free(permit);
    if (!may)
        done(d, &o->attempt, TRUNK_NOT_SENT, 0);
}

/* What it means has been decided by who asked. One that was never up may yet appear when
 * its origination is still on the way. */
static void absent(struct dialer *d, const struct uuid *attempt)
{
    struct ari_call *c = d->ari ? ari_call_find(d->ari, attempt) : NULL;

    if (!c || c->ended || (!c->was_up && !c->hang_up_reason && placed_has(d, attempt)))
        return;
    c->told_absent = true;
    ari_call_end(d->ari, c, 0, 0);
}

static void on_queried(struct dialer *d, const struct web_resp *resp,
                       const struct ari_ask *ask)
{
    struct ari *a = d->ari;

    if (a && ari_is_ok(resp)) {
        json_auto_t *json = json_loadb(resp->body, resp->len, 0, NULL);
        const char *state = json_string_value(json_object_get(json, "state"));
        struct ari_call *c = ari_call_get(a, &ask->call, NULL);
        if (str_is(state, "Up"))
            c->was_up = true;
        ask->queried(d, &ask->call, c->was_up ? TRUNK_PRESENT_UP : TRUNK_PRESENT_RINGING);
    } else if (a && ari_is_absent(resp)) {
        ask->queried(d, &ask->call, TRUNK_ABSENT);
        absent(d, &ask->call);
    } else {
        ask->queried(d, &ask->call, TRUNK_UNASKED);
    }
}

static void ari_query(struct trunk *t, const struct uuid *attempt, trunk_query_fn *done)
{
    char channel[ARI_CHANNEL_MAX];

    if (!t->dialer->ari) {
        done(t->dialer, attempt, TRUNK_UNASKED);
        return;
    }
    ari_channel_name(t->dialer->ari, attempt, channel);
    ari_sendf(t->dialer, "GET", on_queried,
              &(struct ari_ask){.call = *attempt, .queried = done}, "/channels/%s",
              channel);
}

static void ari_trunk_hang_up(struct trunk *t, const struct uuid *attempt)
{
    if (t->dialer->ari)
        ari_call_hang_up(t->dialer->ari, attempt, "normal");
}

/* Asterisk tells when its other side speaks; it hears no beep: the pause after a
 * machine's greeting stands in for it. */
static void ari_listen(struct trunk *t, const struct uuid *attempt)
{
    char channel[ARI_CHANNEL_MAX], value[24];

    if (!t->dialer->ari)
        return;
    ari_channel_name(t->dialer->ari, attempt, channel);
    snprintf(value, sizeof(value), "%d,%d", ARI_QUIET_MS, ARI_LOUDNESS);
    ari_sendf(t->dialer, "POST", NULL, NULL, "/channels/%s/variable?variable=%s&value=%s",
              channel, "TALK_DETECT(set)", value);
}

static void on_recording(struct dialer *d, const struct web_resp *resp,
                         const struct ari_ask *ask)
{
    enum trunk_recording answer = TRUNK_RECORDING_UNASKED;

    if (ari_is_ok(resp))
        answer = TRUNK_RECORDING_STORED;
    else if (ari_is_absent(resp))
        answer = TRUNK_RECORDING_GONE;
    ask->recording(d, ask->name, answer, ask->arg);
}

static void ari_recording_exists(struct trunk *t, const char *name,
                                 trunk_recording_fn *done, void *arg)
{
    struct ari_ask ask = {.recording = done, .arg = arg};

    if (!t->dialer->ari) {
        done(t->dialer, name, TRUNK_RECORDING_UNASKED, arg);
        return;
    }
    str_cut(ask.name, sizeof(ask.name), name);
    ari_sendf(t->dialer, "GET", on_recording, &ask, "/recordings/stored/%s", name);
}

const struct trunk_ops trunk_ari = {
    .kind = "ari",
    .open = ari_open,
    .close = ari_trunk_close,
    .is_ready = ari_trunk_is_ready,
    .has_room = ari_has_room,
    .originate = ari_originate,
    .query = ari_query,
    .hang_up = ari_trunk_hang_up,
    .listen = ari_listen,
    .phone = &ari_phone_ops,
    .recording_exists = ari_recording_exists,
};
