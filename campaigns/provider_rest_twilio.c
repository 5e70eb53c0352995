/* Twilio's Calls resource. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/json_text.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "campaigns/provider_rest.h"

enum {
    RING_MIN_S = 5,
    RING_MAX_S = 600,
    BEEP_MIN_S = 3,
    BEEP_MAX_S = 59,
};

static const char time_form[] = "%a, %d %b %Y %H:%M:%S %z";

static char *calls_url(const struct provider *p, const char *rest)
{
    return xasprintf("%s/2010-04-01/Accounts/%s/Calls%s", p->settings.api_url, p->account,
                     rest);
}

static char *call_url(const struct provider *p, const struct provider_call_news *known)
{
    char rest[PROVIDER_CALL_ID_MAX + 8];

    snprintf(rest, sizeof(rest), "/%s.json", known->call_id);
    return calls_url(p, rest);
}

/* ---- originate ---- */

static void add_told(struct buf *b, const struct provider_order *o, const char *name,
                     const char *what)
{
    CLEANUP(free_cleanup) char *url = provider_told_of(o, what);

    provider_form_add(b, name, url);
}

static int between(int n, int min, int max)
{
    return n < min ? min : n > max ? max : n;
}

/* A message waits for the machine's end before the flow is asked for; else the flow
 * begins at once and the machine is told of later. */
static void add_machine(struct buf *b, const struct provider_order *o)
{
    if (o->machine.action == MACHINE_NOT_ASKED)
        return;
    if (o->machine.action == MACHINE_MESSAGE) {
        provider_form_add(b, "MachineDetection", "DetectMessageEnd");
        provider_form_add_int(b, "MachineDetectionTimeout",
                              between(o->machine.beep_wait_s, BEEP_MIN_S, BEEP_MAX_S));
        provider_form_add(b, "AsyncAmd", "false");
        return;
    }
    provider_form_add(b, "MachineDetection", "Enable");
    provider_form_add_int(b, "MachineDetectionTimeout", 30);
    provider_form_add(b, "AsyncAmd", "true");
    add_told(b, o, "AsyncAmdStatusCallback", "machine");
    provider_form_add(b, "AsyncAmdStatusCallbackMethod", "POST");
}

static void originate(const struct provider *p, const struct provider_order *o,
                      struct provider_request *out)
{
    static const char *const events[] = {"initiated", "ringing", "answered", "completed"};
    CLEANUP(buf_free) struct buf b = {0};
    CLEANUP(free_cleanup) char *url = provider_hook_of(o, "voice");
    char to[32];

    snprintf(to, sizeof(to), "+%lld", (long long)o->phone);
    provider_form_add(&b, "To", to);
    provider_form_add(&b, "From", o->from);
    provider_form_add(&b, "Url", url);
    provider_form_add(&b, "Method", "POST");
    add_told(&b, o, "StatusCallback", "status");
    provider_form_add(&b, "StatusCallbackMethod", "POST");
    for (size_t i = 0; i < ARRAY_LEN(events); i++)
        provider_form_add(&b, "StatusCallbackEvent", events[i]);
    provider_form_add_int(
        &b, "Timeout",
        between(o->ring_timeout_s > 0 ? o->ring_timeout_s : 60, RING_MIN_S, RING_MAX_S));
    provider_form_add_int(&b, "TimeLimit", o->time_limit_s);
    provider_form_add(&b, "Record", "false");
    add_machine(&b, o);
    *out = (struct provider_request){
        .method = "POST", .url = calls_url(p, ".json"), .body = buf_take(&b)};
}

/* ---- answers ---- */

static bool read_call(const json_t *o, struct provider_seen *out)
{
    struct provider_call_news *n = &out->news;
    int64_t seconds = 0;

    *out = (struct provider_seen){.news = PROVIDER_CALL_NEWS, .look = -1};
    if (!json_text(o, "sid")[0] ||
        str_copy(n->call_id, sizeof(n->call_id), json_text(o, "sid")) ||
        strpbrk(n->call_id, "/?#%& \"<>"))
        return false;
    n->status = provider_twilio_status(json_text(o, "status"));
    n->answered_by = provider_twilio_answered_by(json_text(o, "answered_by"));
    provider_twilio_cause(n, "");
    if (provider_call_is_over(n->status) &&
        str_to_i64(json_text(o, "duration"), &seconds) && seconds >= 0 &&
        seconds < 10000000)
        n->duration_s = (int)seconds;
    n->price_micros = provider_micros(json_text(o, "price"));
    if (n->price_micros >= 0)
        str_cut(n->currency, sizeof(n->currency), json_text(o, "price_unit"));
    provider_digits(json_text(o, "to"), out->to);
    provider_digits(json_text(o, "from"), out->from);
    out->created_ms = provider_time(json_text(o, "date_created"), time_form);
    return true;
}

/* What a number can be blamed for; the rest is the account's or ours. */
static int cause_of(long status, int code)
{
    static const struct {
        int code, cause;
    } table[] = {{21211, 1}, {21217, 1}, {21214, 27}, {20429, 42}};

    for (size_t i = 0; i < ARRAY_LEN(table); i++)
        if (table[i].code == code)
            return table[i].cause;
    return status == 429 ? 42 : 50;
}

static enum provider_judgement judge(long status, const char *body, size_t len,
                                     struct provider_call_news *out)
{
    json_auto_t *o = json_loadb(body, len, 0, NULL);
    struct provider_seen seen;

    *out = PROVIDER_CALL_NEWS;
    if (status >= 200 && status < 300) {
        if (!read_call(o, &seen))
            return PROVIDER_MAYBE;
        *out = seen.news;
        return PROVIDER_TOOK;
    }
    enum provider_judgement judgement = provider_judge_status(status);
    if (judgement != PROVIDER_REFUSED)
        return judgement;
    json_int_t code = json_integer_value(json_object_get(o, "code"));
    if (code <= 0 || code > 999999)
        code = status;
    out->status = PROVIDER_CALL_FAILED;
    out->cause = cause_of(status, (int)code);
    snprintf(out->code, sizeof(out->code), "%d", (int)code);
    provider_says(out, json_text(o, "message"));
    return PROVIDER_REFUSED;
}

/* ---- looking ---- */

static bool look(const struct provider *p, const struct provider_call_news *known, int n,
                 struct provider_request *out)
{
    if (n > 0)
        return false;
    *out = (struct provider_request){.method = "GET", .url = call_url(p, known)};
    return true;
}

static enum provider_sight see(int n, long status, const char *body, size_t len,
                               struct provider_seen *out)
{
    json_auto_t *o = json_loadb(body, len, 0, NULL);

    (void)n;
    if (status == 404)
        return PROVIDER_ABSENT;
    return status >= 200 && status < 300 && read_call(o, out) ? PROVIDER_SEEN
                                                              : PROVIDER_NO_ANSWER;
}

/* Not by StartTime: a call that is still queued has none. The newest come first. */
static bool search(const struct provider *p, const struct provider_order *o, int n,
                   struct provider_request *out)
{
    CLEANUP(buf_free) struct buf b = {0};
    char to[32];

    if (n > 0)
        return false;
    snprintf(to, sizeof(to), "+%lld", (long long)o->phone);
    provider_form_add(&b, "To", to);
    provider_form_add(&b, "From", o->from);
    provider_form_add_int(&b, "PageSize", PROVIDER_SEEN_MAX);
    CLEANUP(free_cleanup) char *rest = xasprintf(".json?%s", b.data);
    *out = (struct provider_request){.method = "GET", .url = calls_url(p, rest)};
    return true;
}

static enum provider_sight list(int n, long status, const char *body, size_t len,
                                struct provider_seen *out, size_t *count)
{
    json_auto_t *o = json_loadb(body, len, 0, NULL);
    const json_t *calls = json_object_get(o, "calls");

    (void)n;
    *count = 0;
    if (status < 200 || status > 299 || !json_is_array(calls))
        return PROVIDER_NO_ANSWER;
    for (size_t i = 0; i < json_array_size(calls) && *count < PROVIDER_SEEN_MAX; i++)
        if (read_call(json_array_get(calls, i), &out[*count]))
            ++*count;
    return *count > 0 ? PROVIDER_SEEN : PROVIDER_ABSENT;
}

/* canceled ends what was not answered, completed what was. */
static void end(const struct provider *p, const struct provider_call_news *known,
                bool hard, struct provider_request *out)
{
    bool up = known->status == PROVIDER_CALL_UP || hard;

    *out = (struct provider_request){
        .method = "POST",
        .url = call_url(p, known),
        .body = xstrdup(up ? "Status=completed" : "Status=canceled")};
}

static void redirect(const struct provider *p, const struct provider_call_news *known,
                     const char *url, struct provider_request *out)
{
    CLEANUP(buf_free) struct buf b = {0};

    provider_form_add(&b, "Url", url);
    provider_form_add(&b, "Method", "POST");
    *out = (struct provider_request){
        .method = "POST", .url = call_url(p, known), .body = buf_take(&b)};
}

const struct provider_rest_ops provider_rest_twilio = {.kind = PROVIDER_TWILIO,
                                                       .originate = originate,
                                                       .judge = judge,
                                                       .look = look,
                                                       .see = see,
                                                       .search = search,
                                                       .list = list,
                                                       .end = end,
                                                       .redirect = redirect};
