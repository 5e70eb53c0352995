/* Messages by Africa's Talking (developers.africastalking.com/docs/sms/sending/bulk). */
#include "workers/sms_sender.h"

#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/money.h"
#include "base/xalloc.h"

static int build(const struct sms_out *m, struct sms_request *r, struct errtext *e)
{
    const struct provider *p = m->account;
    char to[PHONE_TEXT_MAX];

    (void)e;
    r->method = "POST";
    r->url = xasprintf("%s/version1/messaging", p->settings.api_url);
    sms_form_add(&r->body, "username", p->account);
    sms_form_add(&r->body, "to", phone_text(m->phone, to));
    sms_form_add(&r->body, "message", m->body);
    if (*m->sender)
        sms_form_add(&r->body, "from", m->sender);
    sms_form_add(&r->body, "bulkSMSMode", "1");
    sms_form_add(&r->body, "enqueue", "1");
    sms_header(r, "Content-Type", "application/x-www-form-urlencoded");
    sms_header(r, "Accept", "application/json"); /* else it answers in XML */
    sms_header(r, "apiKey", p->token);
    return 0;
}

/* Of one recipient: the HTTP status says nothing about it. */
static enum sms_verdict verdict_of(json_int_t code)
{
    switch (code) {
    case 100: /* processed */
    case 101: /* sent */
    case 102: /* queued */
        return SMS_TAKEN;
    case 401: /* held for risk */
    case 402: /* sender */
    case 405: /* balance */
        return SMS_SET_RIGHT;
    case 406: /* the person is in the blacklist */
        return SMS_STOPPED;
    case 407: /* no route */
    case 500:
    case 501:
    case 502:
        return SMS_AGAIN;
    default:
        return SMS_REFUSED;
    }
}

/* "KES 0.8000" */
static void read_cost(const char *cost, struct sms_answer *out)
{
    const char *blank = cost ? strchr(cost, ' ') : NULL;

    if (!blank || blank - cost != 3 || !money_parse(blank + 1, &out->price_micros))
        return;
    memcpy(out->currency, cost, 3);
    out->currency[3] = '\0';
}

static void judge(const struct sms_out *m, const struct http_resp *resp,
                  struct sms_answer *out)
{
    json_auto_t *root = resp->body ? json_loadb(resp->body, resp->len, 0, NULL) : NULL;
    const json_t *data = json_object_get(root, "SMSMessageData");
    const char *said = json_string_value(json_object_get(data, "Message"));
    const json_t *to = json_array_get(json_object_get(data, "Recipients"), 0);

    (void)m;
    if (resp->status / 100 != 2) {
        CLEANUP(free_cleanup)
        char *text = resp->body ? xasprintf("%.200s", resp->body) : NULL;
        sms_say(out, sms_verdict_of(resp->status), resp->status, said ? said : text);
        return;
    }
    if (!data) { /* it may have been sent: a second one would not be better */
        out->verdict = SMS_TAKEN;
        return;
    }
    if (!to) { /* nothing left: "InvalidSenderId", or "Sent to 0/1 …" */
        bool number = said && strncmp(said, "Sent to 0/", 10) == 0;
        sms_say(out, number ? SMS_REFUSED : SMS_SET_RIGHT, resp->status, said);
        return;
    }
    const char *id = json_string_value(json_object_get(to, "messageId"));
    enum sms_verdict verdict =
        verdict_of(json_integer_value(json_object_get(to, "statusCode")));
    if (verdict == SMS_TAKEN) {
        out->verdict = verdict;
        str_cut(out->provider_id, sizeof(out->provider_id), id ? id : "");
        read_cost(json_string_value(json_object_get(to, "cost")), out);
    } else {
        sms_say(out, verdict, (long)json_integer_value(json_object_get(to, "statusCode")),
                json_string_value(json_object_get(to, "status")));
    }
}

const struct sms_sender sms_africastalking = {.build = build, .judge = judge};
