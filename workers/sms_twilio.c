/* Messages by Twilio's REST API (twilio.com/docs/messaging/api/message-resource). */
#include "workers/sms_sender.h"

#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/money.h"
#include "base/xalloc.h"
#include "campaigns/provider.h"

static int build(const struct sms_out *m, struct sms_request *r, struct errtext *e)
{
    const struct provider *p = m->account;
    CLEANUP(free_cleanup) char *account = http_escape(p->account);
    char to[PHONE_TEXT_MAX];
    /* MG and 32 hexadecimal digits: a pool of senders. */
    bool pool = strncmp(m->sender, "MG", 2) == 0 && strlen(m->sender) == 34;

    (void)e;
    r->method = "POST";
    r->url = xasprintf("%s/2010-04-01/Accounts/%s/Messages.json", p->settings.api_url,
                       account);
    sms_form_add(&r->body, "To", phone_text(m->phone, to));
    sms_form_add(&r->body, pool ? "MessagingServiceSid" : "From", m->sender);
    sms_form_add(&r->body, "Body", m->body);
    if (*m->report_url) {
        CLEANUP(free_cleanup)
        char *url = xasprintf("%s%s", m->report_url, PROVIDER_TELL_AGAIN);
        sms_form_add(&r->body, "StatusCallback", url);
    }
    sms_header(r, "Content-Type", "application/x-www-form-urlencoded");
    sms_header(r, "Accept", "application/json");
    str_cut(r->user, sizeof(r->user),
            p->settings.user[0] ? p->settings.user : p->account);
    return 0;
}

/* twilio.com/docs/api/errors. Others of status 400 are about this message. */
static enum sms_verdict verdict_of(long status, json_int_t code)
{
    switch (code) {
    case 21610:
        return SMS_STOPPED;
    case 20003: /* the token */
    case 20005: /* suspended */
    case 21210: /* the sender is not verified */
    case 21212: /* … is no number */
    case 21606: /* … cannot send messages */
    case 21219: /* trial: the number is not verified */
    case 21215: /* country not allowed */
    case 21216:
    case 21408:
    case 13227:
        return SMS_SET_RIGHT;
    default:
        return status / 100 == 2 ? SMS_REFUSED : sms_verdict_of(status);
    }
}

static void judge(const struct sms_out *m, const struct http_resp *resp,
                  struct sms_answer *out)
{
    json_auto_t *root = resp->body ? json_loadb(resp->body, resp->len, 0, NULL) : NULL;
    const char *sid = json_string_value(json_object_get(root, "sid"));
    const char *status = json_string_value(json_object_get(root, "status"));
    const char *price = json_string_value(json_object_get(root, "price"));
    const char *unit = json_string_value(json_object_get(root, "price_unit"));
    bool taken = resp->status / 100 == 2 && !str_is(status, "failed") &&
                 !str_is(status, "undelivered") && !str_is(status, "canceled");

    (void)m;
    str_cut(out->provider_id, sizeof(out->provider_id), sid ? sid : "");
    if (taken) {
        out->verdict = SMS_TAKEN;
        if (price && money_parse(price, &out->price_micros)) {
            out->price_micros = llabs(out->price_micros); /* "-0.0075" is what it costs */
            str_cut(out->currency, sizeof(out->currency), unit ? unit : "");
        }
        return;
    }
    bool created = resp->status / 100 == 2;
    const json_t *code = json_object_get(root, created ? "error_code" : "code");
    sms_say(
        out, verdict_of(resp->status, json_integer_value(code)), resp->status,
        json_string_value(json_object_get(root, created ? "error_message" : "message")));
}

const struct sms_sender sms_twilio = {.build = build, .judge = judge};
