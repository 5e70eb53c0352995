/*
 * What people want no more, told by programs: another system's unsubscribe page, a
 * clerk's screen, the gateway that receives messages. It acts with the commit, before the
 * answer.
 */
#include <errno.h>
#include <string.h>

#include <jansson.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/pg.h"
#include "base/str.h"
#include "batches/command_store.h"
#include "campaigns/campaign_store.h"
#include "campaigns/message_store.h"
#include "compliance/dnc_store.h"
#include "contacts/phone.h"
#include "server/server.h"

enum { NOTE_MAX = 200, MESSAGE_ID_MAX = 100 };

static void refuse(struct response *resp, int status, const char *code, const char *hint)
{
    respond_json(resp, status, json_pack("{s:s, s:s}", "error", code, "hint", hint));
}

/* NULL: the answer is in resp. */
static json_t *body_of(const struct request *req, struct response *resp)
{
    json_error_t at;
    json_t *json = json_loadb(req->body ? req->body : "", req->body_len,
                              JSON_REJECT_DUPLICATES, &at);

    if (json_is_object(json))
        return json;
    json_decref(json);
    refuse(resp, 400, "bad_json", json ? "send one JSON object" : at.text);
    return NULL;
}

/* Of a text member; "" when it is not there. False: it is no text, or too long. */
static bool text_of(const json_t *json, const char *key, size_t max, const char **out)
{
    const json_t *v = json_object_get(json, key);

    *out = "";
    if (!v || json_is_null(v))
        return true;
    if (!json_is_string(v) || json_string_length(v) > max)
        return false;
    *out = json_string_value(v);
    return true;
}

/* The number under key; 0: the answer is in resp. */
static int64_t phone_of(const json_t *json, const char *key, struct response *resp)
{
    const char *text = "", *region = "";
    struct phone phone = {0};
    enum phone_error bad = PHONE_NOT_A_NUMBER;

    if (text_of(json, key, 64, &text) && text_of(json, "region", 2, &region))
        bad = phone_parse(text, strlen(text), region, &phone);
    /* A number that is in no plan may ring all the same: the wish is kept. */
    if (bad == PHONE_VALID || (bad == PHONE_INVALID && phone.e164 > 0))
        return phone.e164;
    respond_json(resp, 422,
                 json_pack("{s:s, s:s, s:s}", "error", phone_error_reason(bad), "field",
                           key, "hint", phone_error_hint(bad)));
    return 0;
}

static int add(const struct request *req, const struct dnc_entry *entry, bool *added)
{
    const struct server *s = req->app;
    struct pg *pg = pg_pool_take(s->pool);
    int err = dnc_add(pg, req->tenant_id, entry, clock_now_ms(), added);
    char masked[PHONE_TEXT_MAX];

    pg_pool_give(s->pool, pg);
    if (err)
        log_error("opt_out", "phone=%s source=%s err=%d not recorded",
                  phone_mask(entry->phone, masked), entry->source, err);
    else
        log_info("opt_out", "tenant=%d phone=%s source=%s key=%s added=%d",
                 req->tenant_id, phone_mask(entry->phone, masked), entry->source,
                 req->key_name, *added);
    return err;
}

static void respond_unavailable(struct response *resp)
{
    refuse(resp, 503, "unavailable",
           "nothing was recorded: the database does not answer; send it again");
}

/* False: the answer is in resp. */
static bool find_campaign(const struct request *req, const char *name, int64_t *id,
                          struct response *resp)
{
    const struct server *s = req->app;
    struct campaign_row row;
    struct errtext e = {0};

    if (!*name)
        return true;
    struct pg *pg = pg_pool_take(s->pool);
    int err = campaign_find(pg, req->tenant_id, name, &row, &e);
    pg_pool_give(s->pool, pg);
    if (err == ENOENT)
        refuse(resp, 404, "no_such_campaign", e.text);
    else if (err)
        respond_unavailable(resp);
    else
        *id = row.id;
    return err == 0;
}

void route_opt_out(const struct request *req, struct response *resp)
{
    json_auto_t *json = body_of(req, resp);
    const char *campaign = "", *note = "";
    struct dnc_entry entry = {.source = "api"};
    char text[PHONE_TEXT_MAX];
    bool added = false;

    if (!json || !(entry.phone = phone_of(json, "phone", resp)))
        return;
    if (!text_of(json, "campaign", 64, &campaign) ||
        !text_of(json, "note", NOTE_MAX, &note)) {
        refuse(resp, 422, "bad_field",
               "campaign and note are texts, note of at most 200 bytes");
        return;
    }
    if (!find_campaign(req, campaign, &entry.campaign_id, resp))
        return;
    entry.note = *note ? note : req->key_name;
    if (add(req, &entry, &added))
        respond_unavailable(resp);
    else
        respond_json(resp, 200,
                     json_pack("{s:s, s:s?, s:b}", "phone", phone_text(entry.phone, text),
                               "campaign", *campaign ? campaign : NULL, "added", added));
}

/* What it means, and whether it is news, in one transaction. */
static int take_message(const struct request *req, const struct message_in *in,
                        enum message_word *word, bool *added, bool *taken)
{
    const struct server *s = req->app;
    const struct command_letter command = {
        .phone = in->from, .text = in->text, .key = in->provider_id};
    const int64_t now_ms = clock_now_ms();
    bool before = false;

    struct pg *pg = pg_pool_take(s->pool);
    int err = pg_begin(pg, req->tenant_id);
    if (!err) {
        err = dnc_is_stopped_sms(pg, req->tenant_id, in->from, &before);
        if (!err)
            err = message_received(pg, req->tenant_id, in, now_ms, word);
        if (!err && *word == MESSAGE_WORD_NONE)
            err = command_receive(pg, req->tenant_id, &command, now_ms, taken);
        err = pg_end(pg, err);
    }
    pg_pool_give(s->pool, pg);
    *added = *word == MESSAGE_WORD_STOP && !before;
    return err;
}

void route_sms_in(const struct request *req, struct response *resp)
{
    static const char *const actions[] = {"none", "opted_out", "opted_in", "helped"};
    json_auto_t *json = body_of(req, resp);
    const char *text = "", *id = "";
    struct message_in in = {0};
    enum message_word word = MESSAGE_WORD_NONE;
    char masked[PHONE_TEXT_MAX];
    bool added = false, taken = false;

    if (!json || !(in.from = phone_of(json, "from", resp)))
        return;
    if (!json_object_get(json, "text") || !text_of(json, "text", 4096, &text)) {
        refuse(resp, 422, "bad_field", "text is the message, of at most 4096 bytes");
        return;
    }
    if (!text_of(json, "id", MESSAGE_ID_MAX, &id)) {
        refuse(resp, 422, "bad_field", "id is the gateway's own, of at most 100 bytes");
        return;
    }
    in.text = text;
    in.provider_id = *id ? id : NULL;
    int err = take_message(req, &in, &word, &added, &taken);
    if (err) {
        log_error("sms", "from=%s err=%d not recorded", phone_mask(in.from, masked), err);
        respond_unavailable(resp);
        return;
    }
    respond_json(resp, 200,
                 json_pack("{s:s, s:b}", "action", taken ? "command" : actions[word],
                           "added", added));
}
