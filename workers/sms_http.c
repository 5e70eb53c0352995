/* Messages by a gateway that its account's settings describe
 * (campaigns/provider_http.h). */
#include "workers/sms_sender.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/xalloc.h"
#include "campaigns/provider_http.h"

enum { ERROR_TEXT_MAX = 200, OK_TEXT_MAX = 64 };

struct values {
    const char *of[HTTP_PLACES];
    char to[PHONE_TEXT_MAX], id[UUID_TEXT_MAX];
};

static void fill_values(struct values *v, const struct sms_out *m)
{
    phone_text(m->phone, v->to);
    v->of[HTTP_TO] = v->to;
    v->of[HTTP_TO_DIGITS] = v->to + 1;
    v->of[HTTP_FROM] = m->sender;
    v->of[HTTP_TEXT] = m->body;
    v->of[HTTP_ID] = uuid_text(&m->id, v->id);
    v->of[HTTP_REPORT_URL] = m->report_url;
    v->of[HTTP_ACCOUNT] = m->account->account;
    v->of[HTTP_TOKEN] = m->account->token;
}

static char *filled(const char *text, const struct values *v, http_escape_fn *escape)
{
    struct buf b = {0};

    provider_http_fill(&b, text, v->of, escape);
    return buf_take(&b);
}

/* A copy with every text filled; a text that is no UTF-8 becomes null. */
static json_t *fill_json(json_t *value, const struct values *v)
{
    const char *key = NULL;
    json_t *item = NULL;
    size_t i = 0;

    if (json_is_string(value)) {
        CLEANUP(free_cleanup) char *text = filled(json_string_value(value), v, NULL);
        json_t *out = json_string(text);
        return out ? out : json_null();
    }
    if (json_is_array(value)) {
        json_t *out = json_array();
        json_array_foreach(value, i, item) json_array_append_new(out, fill_json(item, v));
        return out;
    }
    if (json_is_object(value)) {
        json_t *out = json_object();
        json_object_foreach(value, key, item)
            json_object_set_new(out, key, fill_json(item, v));
        return out;
    }
    return json_deep_copy(value);
}

static void fill_form(struct buf *out, json_t *body, const struct values *v)
{
    const char *key = NULL;
    json_t *item = NULL;

    json_object_foreach(body, key, item)
    {
        CLEANUP(free_cleanup)
        char *text = json_is_string(item) ? filled(json_string_value(item), v, NULL)
                                          : json_dumps(item, JSON_ENCODE_ANY);
        sms_form_add(out, key, text ? text : "");
    }
}

static void fill_headers(struct sms_request *r, json_t *headers, const struct values *v)
{
    const char *key = NULL;
    json_t *item = NULL;

    json_object_foreach(headers, key, item)
    {
        CLEANUP(free_cleanup) char *text = filled(json_string_value(item), v, NULL);
        sms_header(r, key, text);
    }
}

static int read_settings(const struct sms_out *m, struct provider_http *h,
                         struct errtext *e)
{
    int err = provider_http_read(m->account->settings_json, h, e);

    if (err || h->sends)
        return err;
    provider_http_free(h);
    return errtext_set(e, EINVAL, 0, 0,
                       "the settings of provider '%s' have no \"send\": they do not say "
                       "how a message is sent",
                       m->account->name);
}

static int build(const struct sms_out *m, struct sms_request *r, struct errtext *e)
{
    static const char *const methods[] = {"POST", "PUT", "GET"};
    CLEANUP(provider_http_free) struct provider_http h = {0};
    struct values v;

    int err = read_settings(m, &h, e);
    if (err)
        return err;
    fill_values(&v, m);
    for (size_t i = 0; i < ARRAY_LEN(methods); i++)
        if (strcmp(methods[i], h.send.method) == 0)
            r->method = methods[i];
    r->url = filled(h.send.url, &v, http_escape);
    if (h.send.body && h.send.content == HTTP_JSON) {
        json_auto_t *body = fill_json(h.send.body, &v);
        CLEANUP(free_cleanup) char *text = json_dumps(body, JSON_COMPACT);
        buf_puts(&r->body, text ? text : "{}");
        sms_header(r, "Content-Type", "application/json");
    } else if (h.send.body) {
        fill_form(&r->body, h.send.body, &v);
        sms_header(r, "Content-Type", "application/x-www-form-urlencoded");
    }
    sms_header(r, "Accept", "application/json");
    fill_headers(r, h.send.headers, &v);
    return 0;
}

static void judge(const struct sms_out *m, const struct http_resp *resp,
                  struct sms_answer *out)
{
    CLEANUP(provider_http_free) struct provider_http h = {0};
    json_auto_t *root = resp->body ? json_loadb(resp->body, resp->len, 0, NULL) : NULL;
    char error[ERROR_TEXT_MAX] = "", ok[OK_TEXT_MAX] = "";
    struct errtext e = {0};

    if (read_settings(m, &h, &e)) {
        sms_say(out, SMS_SET_RIGHT, resp->status, e.text);
        return;
    }
    if (h.send.error[0] &&
        !provider_http_text_at(root, h.send.error, error, sizeof(error)))
        error[0] = '\0';
    if (h.send.id[0] && !provider_http_text_at(root, h.send.id, out->provider_id,
                                               sizeof(out->provider_id)))
        out->provider_id[0] = '\0';
    bool good = resp->status / 100 == 2;
    if (good && h.send.ok_is)
        good = provider_http_text_at(root, h.send.ok_at, ok, sizeof(ok)) &&
               provider_http_is_one_of(h.send.ok_is, ok);
    if (good)
        out->verdict = SMS_TAKEN;
    else if (provider_http_is_one_of(h.send.opted_out, error))
        sms_say(out, SMS_STOPPED, resp->status, error);
    else if (resp->status / 100 == 2)
        sms_say(out, SMS_REFUSED, resp->status,
                error[0] ? error : "it does not say that it took the message");
    else
        sms_say(out, sms_verdict_of(resp->status), resp->status, error);
}

const struct sms_sender sms_http = {.build = build, .judge = judge};
