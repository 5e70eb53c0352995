#include "campaigns/provider_rest.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/form.h"
#include "base/str.h"
#include "base/xalloc.h"

/* ---- building ---- */

void provider_request_free(struct provider_request *r)
{
    free(r->url);
    free(r->body);
}

void provider_form_add(struct buf *b, const char *name, const char *value)
{
    CLEANUP(free_cleanup) char *escaped = form_escape(value);

    buf_printf(b, "%s%s=%s", b->len ? "&" : "", name, escaped);
}

void provider_form_add_int(struct buf *b, const char *name, int value)
{
    buf_printf(b, "%s%s=%d", b->len ? "&" : "", name, value);
}

char *provider_hook_of(const struct provider_order *o, const char *what)
{
    char id[UUID_TEXT_MAX];

    return xasprintf("%s/%s/%s", o->hook, what, uuid_text(&o->attempt, id));
}

char *provider_told_of(const struct provider_order *o, const char *what)
{
    CLEANUP(free_cleanup) char *url = provider_hook_of(o, what);

    return xasprintf("%s" PROVIDER_TELL_AGAIN, url);
}

/* ---- reading ---- */

void provider_digits(const char *number, char out[32])
{
    size_t n = 0;

    for (const char *p = number; *p && n < 31; p++)
        if (isdigit((unsigned char)*p))
            out[n++] = *p;
    out[n] = '\0';
}

void provider_says(struct provider_call_news *news, const char *text)
{
    enum { SHORT = 5, SHOWN = 2 }; /* digits */

    if (!str_is_utf8(text, strlen(text)))
        return;
    str_cut(news->says, sizeof(news->says), text);
    for (char *p = news->says; *p;) {
        size_t n = strspn(p, "0123456789");
        if (n > SHORT)
            memset(p, '*', n - SHOWN);
        p += n ? n : 1;
    }
}

/* 408 and 409 may come after something was done. */
enum provider_judgement provider_judge_status(long status)
{
    if (status >= 400 && status < 500 && status != 408 && status != 409)
        return PROVIDER_REFUSED;
    return PROVIDER_MAYBE;
}

int64_t provider_time(const char *text, const char *form)
{
    struct tm tm = {0};
    const char *end = strptime(text, form, &tm);
    long offset = tm.tm_gmtoff;

    if (!end || *end)
        return 0;
    return ((int64_t)timegm(&tm) - offset) * 1000;
}

const struct provider_rest_ops *provider_rest_find(enum provider_kind kind)
{
    return kind == PROVIDER_TWILIO  ? &provider_rest_twilio
           : kind == PROVIDER_PLIVO ? &provider_rest_plivo
                                    : NULL;
}

enum provider_control provider_judge_control(enum provider_kind kind, long status,
                                             const char *body, size_t len,
                                             struct provider_call_news *why)
{
    /* twilio.com/docs/api/errors/21220: the call is not in progress. */
    static const char not_up[] = "21220";
    const struct provider_rest_ops *rest = provider_rest_find(kind);

    *why = PROVIDER_CALL_NEWS;
    if (status >= 200 && status < 300)
        return PROVIDER_CONTROL_DONE;
    if (status == 404)
        return PROVIDER_CONTROL_OVER;
    if (!rest || rest->judge(status, body, len, why) != PROVIDER_REFUSED)
        return PROVIDER_CONTROL_MAYBE;
    return kind == PROVIDER_TWILIO && strcmp(why->code, not_up) == 0
               ? PROVIDER_CONTROL_OVER
               : PROVIDER_CONTROL_REFUSED;
}

bool provider_seen_is(const struct provider_seen *seen, const struct provider_order *o,
                      int64_t from_ms, int64_t to_ms)
{
    char to[32], from[32], number[32];

    snprintf(number, sizeof(number), "%lld", (long long)o->phone);
    provider_digits(number, to);
    provider_digits(o->from, from);
    if (strcmp(seen->to, to) != 0 || strcmp(seen->from, from) != 0)
        return false;
    if (!seen->created_ms)
        return true; /* it is under way, and no other call to that number is */
    return (!from_ms || seen->created_ms >= from_ms) &&
           (!to_ms || seen->created_ms <= to_ms);
}
