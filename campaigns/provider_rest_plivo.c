/* Plivo's Call and Request resources. A call is seen in one of three places: among the
 * live ones, among the queued ones, or, when it is over, in its record, which is written
 * some time after the end. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/json_text.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "campaigns/provider_rest.h"

enum { LIVE, QUEUED, RECORD, PLACES };

enum { PAGE_MAX = 20, MACHINE_MS = 5000 };

static const char time_form[] = "%Y-%m-%d %H:%M:%S%z";

static char *call_url(const struct provider *p, const char *rest)
{
    return xasprintf("%s/v1/Account/%s/Call/%s", p->settings.api_url, p->account, rest);
}

static const char *id_of(const struct provider_call_news *known)
{
    return known->call_id[0] ? known->call_id : known->request_id;
}

/* ---- originate ---- */

static void set_text(json_t *o, const char *name, const char *value)
{
    json_object_set_new(o, name, json_string(value));
}

static void set_told(json_t *o, const struct provider_order *order, const char *url_name,
                     const char *method_name, const char *what)
{
    CLEANUP(free_cleanup) char *url = provider_told_of(order, what);

    set_text(o, url_name, url);
    set_text(o, method_name, "POST");
}

/* Its own hanging up is quicker than ours. For a message the flow is asked for after the
 * detection; without an address to tell, it waits for it. */
static void set_machine(json_t *o, const struct provider_order *order)
{
    if (order->machine.action == MACHINE_NOT_ASKED)
        return;
    set_text(o, "machine_detection",
             order->machine.action == MACHINE_HANG_UP ? "hangup" : "true");
    json_object_set_new(o, "machine_detection_time", json_integer(MACHINE_MS));
    if (order->machine.action == MACHINE_AS_HUMAN)
        set_told(o, order, "machine_detection_url", "machine_detection_method",
                 "machine");
}

static void originate(const struct provider *p, const struct provider_order *order,
                      struct provider_request *out)
{
    CLEANUP(free_cleanup) char *voice = provider_hook_of(order, "voice");
    json_auto_t *o = json_object();
    char to[32], from[32];

    snprintf(to, sizeof(to), "%lld", (long long)order->phone);
    provider_digits(order->from, from);
    set_text(o, "to", to);
    set_text(o, "from", from);
    set_text(o, "answer_url", voice);
    set_text(o, "answer_method", "POST");
    set_told(o, order, "ring_url", "ring_method", "status");
    set_told(o, order, "hangup_url", "hangup_method", "status");
    json_object_set_new(
        o, "ring_timeout",
        json_integer(order->ring_timeout_s > 0 ? order->ring_timeout_s : 60));
    json_object_set_new(o, "time_limit", json_integer(order->time_limit_s));
    set_machine(o, order);
    *out = (struct provider_request){.method = "POST",
                                     .url = call_url(p, ""),
                                     .body = json_dumps(o, JSON_COMPACT | JSON_SORT_KEYS),
                                     .json = true};
}

/* ---- answers ---- */

static bool copy_id(char out[PROVIDER_CALL_ID_MAX], const char *id)
{
    return *id && !strpbrk(id, "/?#%& \"<>") &&
           str_copy(out, PROVIDER_CALL_ID_MAX, id) == 0;
}

/* An answer has no code of its own, but names what is wrong: a number that is none is
 * nobody's fault but the number's. */
static void blame(const json_t *error, long status, struct provider_call_news *out)
{
    const char *field =
        json_object_iter_key(json_object_iter((json_t *)(uintptr_t)error));

    if (status != 400 || !field || !str_is_utf8(field, strlen(field)) ||
        strspn(field, "abcdefghijklmnopqrstuvwxyz_") != strlen(field))
        return;
    snprintf(out->code, sizeof(out->code), "400 %.11s", field);
    if (json_object_size(error) == 1 && strcmp(field, "to") == 0)
        out->cause = 1;
}

static enum provider_judgement judge(long status, const char *body, size_t len,
                                     struct provider_call_news *out)
{
    json_auto_t *o = json_loadb(body, len, 0, NULL);
    const json_t *id = json_object_get(o, "request_uuid");
    const json_t *error = json_object_get(o, "error");

    *out = PROVIDER_CALL_NEWS;
    if (json_is_array(id) && json_array_size(id) == 1)
        id = json_array_get(id, 0);
    if (status >= 200 && status < 300) {
        if (!json_is_string(id) || !copy_id(out->request_id, json_string_value(id)))
            return PROVIDER_MAYBE;
        out->status = PROVIDER_CALL_QUEUED;
        return PROVIDER_TOOK;
    }
    enum provider_judgement judgement = provider_judge_status(status);
    if (judgement != PROVIDER_REFUSED)
        return judgement;
    out->status = PROVIDER_CALL_FAILED;
    out->cause = status == 429 ? 42 : 50;
    snprintf(out->code, sizeof(out->code), "%ld", status);
    if (json_is_object(error)) {
        blame(error, status, out);
        CLEANUP(free_cleanup) char *all = json_dumps(error, JSON_COMPACT);
        provider_says(out, all ? all : "");
    } else {
        provider_says(out, json_text(o, "error"));
    }
    return PROVIDER_REFUSED;
}

/* ---- looking ---- */

static bool look(const struct provider *p, const struct provider_call_news *known, int n,
                 struct provider_request *out)
{
    static const char *const queries[PLACES] = {"?status=live", "?status=queued", ""};
    char rest[PROVIDER_CALL_ID_MAX + 24];

    if (n >= PLACES)
        return false;
    snprintf(rest, sizeof(rest), "%s/%s", id_of(known), queries[n]);
    *out = (struct provider_request){.method = "GET", .url = call_url(p, rest)};
    return true;
}

static bool seconds(const json_t *o, const char *name, int *out)
{
    const json_t *value = json_object_get(o, name);
    int64_t n = json_is_integer(value) ? json_integer_value(value) : -1;

    if (json_is_string(value) && !str_to_i64(json_string_value(value), &n))
        return false;
    if (n < 0 || n > 10000000)
        return false;
    *out = (int)n;
    return true;
}

static void code_of(const json_t *o, char out[16])
{
    const json_t *code = json_object_get(o, "hangup_cause_code");

    out[0] = '\0';
    if (json_is_integer(code))
        snprintf(out, 16, "%lld", (long long)json_integer_value(code));
    else if (json_is_string(code))
        str_cut(out, 16, json_string_value(code));
}

/* A record does not say how it ended but by the cause; answered is what has an answer. */
static void read_record(const json_t *o, struct provider_seen *out)
{
    struct provider_call_news *n = &out->news;
    char code[16];
    int talked = 0;

    if (!seconds(o, "call_duration", &talked) && !seconds(o, "bill_duration", &talked))
        talked = 0;
    n->status = json_text(o, "answer_time")[0] || talked > 0 ? PROVIDER_CALL_COMPLETED
                                                             : PROVIDER_CALL_FAILED;
    n->duration_s = talked;
    code_of(o, code);
    provider_plivo_cause(n, code, json_text(o, "hangup_cause_name"));
    if (n->status == PROVIDER_CALL_FAILED) {
        n->status = n->cause == 17   ? PROVIDER_CALL_BUSY
                    : n->cause == 19 ? PROVIDER_CALL_NO_ANSWER
                    : n->cause == 26 ? PROVIDER_CALL_CANCELED
                                     : PROVIDER_CALL_FAILED;
    }
    n->price_micros = provider_micros(json_text(o, "total_amount"));
    if (n->price_micros >= 0)
        str_cut(n->currency, sizeof(n->currency), "USD");
    provider_digits(json_text(o, "to_number"), out->to);
    provider_digits(json_text(o, "from_number"), out->from);
    out->created_ms = provider_time(json_text(o, "initiation_time"), time_form);
}

static bool read_call(int place, const json_t *o, struct provider_seen *out)
{
    *out = (struct provider_seen){.news = PROVIDER_CALL_NEWS, .look = -1};
    if (!json_is_object(o) ||
        (!copy_id(out->news.call_id, json_text(o, "call_uuid")) &&
         !copy_id(out->news.request_id, json_text(o, "request_uuid"))))
        return false;
    (void)copy_id(out->news.request_id, json_text(o, "request_uuid"));
    if (place == RECORD) {
        read_record(o, out);
        return true;
    }
    out->news.status = place == QUEUED
                           ? PROVIDER_CALL_QUEUED
                           : provider_plivo_status(json_text(o, "call_status"));
    provider_digits(json_text(o, "to"), out->to);
    provider_digits(json_text(o, "from"), out->from);
    return true;
}

static enum provider_sight see(int n, long status, const char *body, size_t len,
                               struct provider_seen *out)
{
    json_auto_t *o = json_loadb(body, len, 0, NULL);

    if (status == 404)
        return PROVIDER_ABSENT;
    return status >= 200 && status < 300 && read_call(n, o, out) ? PROVIDER_SEEN
                                                                 : PROVIDER_NO_ANSWER;
}

static bool search(const struct provider *p, const struct provider_order *o, int n,
                   struct provider_request *out)
{
    char rest[160], from[32];

    if (n >= PLACES)
        return false;
    provider_digits(o->from, from);
    if (n == RECORD)
        snprintf(rest, sizeof(rest), "?to_number=%lld&from_number=%s&limit=%d",
                 (long long)o->phone, from, PAGE_MAX);
    else
        snprintf(rest, sizeof(rest), "?status=%s", n == LIVE ? "live" : "queued");
    *out = (struct provider_request){.method = "GET", .url = call_url(p, rest)};
    return true;
}

/* Live and queued ones are listed by id alone. */
static enum provider_sight list(int n, long status, const char *body, size_t len,
                                struct provider_seen *out, size_t *count)
{
    json_auto_t *o = json_loadb(body, len, 0, NULL);
    const json_t *all = json_object_get(o, n == RECORD ? "objects" : "calls");

    *count = 0;
    if (status == 404)
        return PROVIDER_ABSENT;
    if (status < 200 || status > 299 || !json_is_array(all))
        return PROVIDER_NO_ANSWER;
    for (size_t i = 0; i < json_array_size(all) && *count < PROVIDER_SEEN_MAX; i++) {
        const json_t *one = json_array_get(all, i);
        struct provider_seen *s = &out[*count];
        if (n == RECORD) {
            *count += read_call(RECORD, one, s);
            continue;
        }
        *s = (struct provider_seen){.news = PROVIDER_CALL_NEWS, .look = n};
        *count += json_is_string(one) && copy_id(s->news.call_id, json_string_value(one));
    }
    return *count > 0 ? PROVIDER_SEEN : PROVIDER_ABSENT;
}

static void end(const struct provider *p, const struct provider_call_news *known,
                bool hard, struct provider_request *out)
{
    bool queued = known->status <= PROVIDER_CALL_QUEUED && !hard;
    char rest[PROVIDER_CALL_ID_MAX + 8];

    *out = (struct provider_request){.method = "DELETE"};
    snprintf(rest, sizeof(rest), "%s/", id_of(known));
    if (queued)
        out->url =
            xasprintf("%s/v1/Account/%s/Request/%s/", p->settings.api_url, p->account,
                      known->request_id[0] ? known->request_id : known->call_id);
    else
        out->url = call_url(p, rest);
}

static void redirect(const struct provider *p, const struct provider_call_news *known,
                     const char *url, struct provider_request *out)
{
    json_auto_t *o = json_object();
    char rest[PROVIDER_CALL_ID_MAX + 8];

    set_text(o, "legs", "aleg");
    set_text(o, "aleg_url", url);
    set_text(o, "aleg_method", "POST");
    snprintf(rest, sizeof(rest), "%s/", known->call_id);
    *out = (struct provider_request){.method = "POST",
                                     .url = call_url(p, rest),
                                     .body = json_dumps(o, JSON_COMPACT | JSON_SORT_KEYS),
                                     .json = true};
}

const struct provider_rest_ops provider_rest_plivo = {.kind = PROVIDER_PLIVO,
                                                      .originate = originate,
                                                      .judge = judge,
                                                      .look = look,
                                                      .see = see,
                                                      .search = search,
                                                      .list = list,
                                                      .end = end,
                                                      .redirect = redirect};
