/* Messages by Plivo's REST API (plivo.com/docs/messaging/api/message). */
#include "workers/sms_sender.h"

#include <errno.h>
#include <stdlib.h>

#include <jansson.h>

#include "base/xalloc.h"

static int build(const struct sms_out *m, struct sms_request *r, struct errtext *e)
{
    const struct provider *p = m->account;
    CLEANUP(free_cleanup) char *account = http_escape(p->account);
    char to[PHONE_TEXT_MAX];
    struct uuid pool;
    json_auto_t *body = json_pack("{s:s, s:s, s:s}", "dst", phone_text(m->phone, to) + 1,
                                  "text", m->body, "type", "sms");

    if (!body)
        return errtext_set(e, EINVAL, 0, 0, "the text is no UTF-8");
    r->method = "POST";
    /* Without the slash at the end it answers 405. */
    r->url = xasprintf("%s/v1/Account/%s/Message/", p->settings.api_url, account);
    json_object_set_new(body,
                        uuid_parse(m->sender, &pool) == 0 ? "powerpack_uuid" : "src",
                        json_string(m->sender));
    if (*m->report_url) {
        json_object_set_new(body, "url", json_string(m->report_url));
        json_object_set_new(body, "method", json_string("POST"));
    }
    CLEANUP(free_cleanup) char *text = json_dumps(body, JSON_COMPACT);
    buf_puts(&r->body, text);
    sms_header(r, "Content-Type", "application/json");
    sms_header(r, "Accept", "application/json");
    str_cut(r->user, sizeof(r->user), p->account);
    return 0;
}

/* A text, or an object of texts. */
static void say(struct sms_answer *out, enum sms_verdict verdict, long status,
                const json_t *error)
{
    CLEANUP(free_cleanup)
    char *text = json_is_object(error) ? json_dumps(error, JSON_COMPACT) : NULL;

    sms_say(out, verdict, status, text ? text : json_string_value(error));
}

static void judge(const struct sms_out *m, const struct http_resp *resp,
                  struct sms_answer *out)
{
    json_auto_t *root = resp->body ? json_loadb(resp->body, resp->len, 0, NULL) : NULL;
    const json_t *ids = json_object_get(root, "message_uuid");
    const char *id = json_string_value(json_is_array(ids) ? json_array_get(ids, 0) : ids);

    (void)m;
    str_cut(out->provider_id, sizeof(out->provider_id), id ? id : "");
    if (resp->status / 100 != 2)
        say(out, sms_verdict_of(resp->status), resp->status,
            json_object_get(root, "error"));
    else if (id || !root)
        out->verdict = SMS_TAKEN;
    else if (json_array_size(json_object_get(root, "invalid_number")) > 0)
        sms_say(out, SMS_REFUSED, resp->status, "the number is invalid");
    else
        say(out, SMS_REFUSED, resp->status, json_object_get(root, "error"));
}

const struct sms_sender sms_plivo = {.build = build, .judge = judge};
