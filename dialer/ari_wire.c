/*
 * Requests over the WebSocket of our own application, which Asterisk takes from 20.14,
 * 21.9 and 22.4 on: neither side parses HTTP, and no connection of its own is woken for
 * each. Asterisk serves them one after another, so only what it answers without waiting
 * for a channel's thread goes here (ari_request.brief); one that waited would hold up
 * all. What comes while it is behind goes by HTTP, beside it.
 *
 * An older Asterisk ignores what it is sent, so one that is asked and answers is known to
 * take them, and nothing else is. Until then, while the socket is away, and after a
 * request that was not answered in time, all go by HTTP.
 *
 * What was handed to the socket and not answered may have been done; what was not has
 * not. Nothing is sent twice.
 */
#include "dialer/ari_inside.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "base/xalloc.h"

enum {
    ANSWER_MS = 10000,
    LEAVE_ONCE_MS = 1500, /* what must not be late is not sent late */
    OPEN_MAX = 4,         /* more, and it is behind: others are served side by side */
    BODY_MAX = 32 << 10,  /* Asterisk takes frames of 64 KiB */
};

struct ari_wired {
    struct ari_wired *next;
    int64_t number;
    char *text; /* NULL: it was handed to the socket */
    size_t len;
    int64_t leave_by_ms, answer_by_ms; /* monotonic */
    ari_reply_fn *fn;
    struct ari_ask ask;
};

static void list_add(struct ari_wired_list *l, struct ari_wired *w)
{
    w->next = NULL;
    *(l->head ? l->tail : &l->head) = w;
    l->tail = &w->next;
}

/* Tells and frees. Not from inside a walk: who is told may send again. */
static void tell(struct dialer *d, struct ari_wired *w, const struct web_resp *resp)
{
    if (w->fn)
        w->fn(d, resp, &w->ask);
    free(w->text);
    free(w);
}

/* All of a list that is nobody's any more. */
static void tell_all(struct dialer *d, struct ari_wired_list *l, int err)
{
    struct ari_wired *next = NULL;

    for (struct ari_wired *w = l->head; w; w = next) {
        next = w->next;
        tell(d, w,
             &(struct web_resp){.err = w->text && err != ECANCELED ? ECONNREFUSED : err,
                                .body = ""});
    }
}

static char *text_of(const struct ari_request *r, int64_t number, size_t *len)
{
    char id[24];

    snprintf(id, sizeof(id), "%lld", (long long)number);
    json_auto_t *json =
        json_pack("{s:s,s:s,s:s,s:s,s:s*,s:s*}", "type", "RESTRequest", "request_id", id,
                  "method", r->method, "uri", r->path + 1, "content_type",
                  r->body ? "application/json" : NULL, "message_body", r->body);
    char *text = json_dumps(json, JSON_COMPACT);
    *len = text ? strlen(text) : 0;
    return text;
}

static void submit(struct ari *a, const struct ari_request *r, ari_reply_fn *fn,
                   const struct ari_ask *ask)
{
    struct ari_wired *w = xcalloc(1, sizeof(*w));
    int64_t now = mono_ms();

    w->number = ++a->wire.last;
    w->fn = fn;
    if (ask)
        w->ask = *ask;
    w->answer_by_ms = now + (r->timeout_ms > 0 ? r->timeout_ms : ANSWER_MS);
    w->leave_by_ms = r->once ? now + LEAVE_ONCE_MS : w->answer_by_ms;
    w->text = text_of(r, w->number, &w->len);
    if (!w->text)
        abort(); /* its parts are texts of ours, and memory has not run out elsewhere */
    list_add(&a->wire.open, w);
    a->wire.count++;
    ari_socket_send(a->own);
}

bool ari_wire_takes(const struct ari *a, const struct ari_request *r)
{
    return a && r->brief && a->wire.speaks && ari_socket_is_up(a->own) &&
           a->wire.count < OPEN_MAX && !(r->once && a->wire.spoilt) &&
           (!r->body || strlen(r->body) < BODY_MAX);
}

void ari_wire_send(struct ari *a, const struct ari_request *r, ari_reply_fn *fn,
                   const struct ari_ask *ask)
{
    submit(a, r, fn, ask);
}

/* Those before the first that has not left have left. */
const char *ari_wire_next(void *arg, size_t *len)
{
    struct ari *a = arg;
    int64_t now = mono_ms();

    free(a->wire.leaving);
    a->wire.leaving = NULL;
    for (struct ari_wired *w = a->wire.open.head; w; w = w->next) {
        if (!w->text || now > w->leave_by_ms) /* the tick tells who was too late */
            continue;
        *len = w->len;
        return a->wire.leaving = STEAL(w->text);
    }
    return NULL;
}

static struct ari_wired *take_numbered(struct ari *a, const char *id)
{
    struct ari_wired_list rest = {0};
    struct ari_wired *found = NULL, *next = NULL;
    int64_t number = 0;

    if (!id || !str_to_i64(id, &number))
        return NULL;
    /* They are answered in their order: it is the first, but for those given up. */
    if (a->wire.open.head && a->wire.open.head->number == number) {
        found = a->wire.open.head;
        a->wire.open.head = found->next;
        return found;
    }
    for (struct ari_wired *w = a->wire.open.head; w; w = next) {
        next = w->next;
        if (w->number == number)
            found = w;
        else
            list_add(&rest, w);
    }
    a->wire.open = rest;
    return found;
}

void ari_wire_answered(struct ari *a, const json_t *answer)
{
    const json_t *status = json_object_get(answer, "status_code");
    const char *body = json_string_value(json_object_get(answer, "message_body"));
    struct ari_wired *w =
        take_numbered(a, json_string_value(json_object_get(answer, "request_id")));

    if (!w) /* late, and given up before */
        return;
    a->wire.count--;
    const struct web_resp resp = {.status = (long)json_integer_value(status),
                                  .body = body ? body : "",
                                  .len = body ? strlen(body) : 0};
    /* Asterisk keeps this word for as long as the connection lives, and says it of every
     * origination that fails later: those go by HTTP. */
    if (resp.status == 409)
        a->wire.spoilt = true;
    tell(a->dialer, w, &resp);
}

void ari_wire_tick(struct ari *a, int64_t mono_now_ms)
{
    struct ari_wired_list rest = {0}, late = {0};
    struct ari_wired *next = NULL;
    bool unanswered = false;

    for (struct ari_wired *w = a->wire.open.head; w; w = next) {
        next = w->next;
        bool over = mono_now_ms > (w->text ? w->leave_by_ms : w->answer_by_ms);
        unanswered |= over && !w->text;
        a->wire.count -= over;
        list_add(over ? &late : &rest, w);
    }
    a->wire.open = rest;
    if (unanswered && a->wire.speaks) {
        a->wire.speaks = false;
        log_warn("ari",
                 "app=%s a request over the WebSocket was not answered; they go "
                 "by HTTP now",
                 a->own_app);
    }
    tell_all(a->dialer, &late, ETIMEDOUT);
}

void ari_wire_lost(struct ari *a, int err)
{
    struct ari_wired_list gone = a->wire.open;

    a->wire.open = (struct ari_wired_list){0};
    a->wire.count = 0;
    a->wire.speaks = false;
    a->wire.spoilt = false;
    free(a->wire.leaving);
    a->wire.leaving = NULL;
    tell_all(a->dialer, &gone, err);
}

static void on_spoken(struct dialer *d, const struct web_resp *resp,
                      const struct ari_ask *ask)
{
    (void)ask;
    if (!d->ari || resp->err)
        return;
    d->ari->wire.speaks = true;
    log_info("ari", "app=%s requests go over the WebSocket", d->ari->own_app);
}

void ari_wire_ask(struct ari *a)
{
    if (ari_socket_is_up(a->own) && !a->replaced && !a->dialer->config.ari_http_only)
        submit(a, &(struct ari_request){.method = "GET", .path = "/asterisk/ping"},
               on_spoken, NULL);
}
