#include "workers/sms_sender.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"

const struct sms_sender *sms_sender_of(enum provider_kind kind)
{
    switch (kind) {
    case PROVIDER_TWILIO:
        return &sms_twilio;
    case PROVIDER_PLIVO:
        return &sms_plivo;
    case PROVIDER_AFRICASTALKING:
        return &sms_africastalking;
    case PROVIDER_HTTP:
    case PROVIDER_KINDS:
        break;
    }
    return &sms_http;
}

void sms_request_free(struct sms_request *r)
{
    free(r->url);
    buf_free(&r->body);
    for (size_t i = 0; i < r->header_count; i++)
        free(r->headers[i]);
    *r = (struct sms_request){0};
}

void sms_header(struct sms_request *r, const char *name, const char *value)
{
    /* Nothing begins a second line. */
    int len = (int)strcspn(value, "\r\n");

    if (r->header_count < SMS_HEADERS_MAX)
        r->headers[r->header_count++] = xasprintf("%s: %.*s", name, len, value);
}

void sms_form_add(struct buf *form, const char *name, const char *value)
{
    CLEANUP(free_cleanup) char *key = http_escape(name);
    CLEANUP(free_cleanup) char *escaped = http_escape(value);

    buf_printf(form, "%s%s=%s", form->len ? "&" : "", key, escaped);
}

enum sms_verdict sms_verdict_of(long status)
{
    switch (status) {
    case 401: /* the token */
    case 402: /* the balance */
    case 403:
    case 404: /* the account, or the address */
    case 405:
        return SMS_SET_RIGHT;
    case 408:
    case 409:
    case 425:
    case 429:
        return SMS_AGAIN;
    default:
        return status / 100 == 4   ? SMS_REFUSED
               : status / 100 == 5 ? SMS_AGAIN
                                   : SMS_SET_RIGHT; /* it is to be found elsewhere */
    }
}

void sms_say(struct sms_answer *a, enum sms_verdict verdict, long status,
             const char *text)
{
    bool more = text && *text;

    a->verdict = verdict;
    snprintf(a->why, sizeof(a->why), "the provider answered %ld%s%.200s", status,
             more ? ": " : "", more ? text : "");
    str_end_whole(a->why);
}
