/* Messages that providers hand to us, and what becomes of those we handed to them. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/sha256.h"
#include "base/xalloc.h"
#include "batches/command_store.h"
#include "campaigns/message_form.h"
#include "campaigns/message_store.h"
#include "campaigns/provider_event_store.h"
#include "campaigns/provider_http.h"
#include "server/hook.h"

static void answer_empty(struct response *resp, const char *content_type,
                         const char *body)
{
    resp->status = 200;
    resp->content_type = content_type;
    buf_puts(&resp->body, body);
}

/* ---- what was told ---- */

struct telling {
    struct message_told told;
    struct provider_http http;
    json_t *json;
};

static void telling_free(struct telling *t)
{
    json_decref(t->json);
    provider_http_free(&t->http);
}

static void tell(struct hook *h, struct telling *t)
{
    struct errtext e = {0};

    t->told = (struct message_told){
        .kind = h->provider.kind, .body = &h->body, .query = &h->query};
    if (h->provider.kind != PROVIDER_HTTP)
        return;
    if (!provider_http_read(h->provider.settings_json, &t->http, &e))
        t->told.http = &t->http;
    t->json = json_loadb(h->req->body ? h->req->body : "", h->req->body_len,
                         JSON_REJECT_DUPLICATES, NULL);
    t->told.json = t->json;
}

/* ---- what becomes of a message ---- */

/* Which message it is about: the path says so, or the provider's own id. */
static int find_message(struct hook *h, const char *provider_id, struct uuid *out)
{
    const char *named = h->req->params[1];

    if (named)
        return uuid_parse(named, out) ? ENOENT : 0;
    return *provider_id ? message_by_provider_id(h->pg, h->provider.tenant_id,
                                                 h->provider.id, provider_id, out)
                        : ENOENT;
}

static int report_news(struct hook *h, const struct message_news *news)
{
    struct message_report r = {.account_id = h->provider.id,
                               .provider_id = news->provider_id,
                               .error = news->error,
                               .state = news->state,
                               .price_micros = news->price_micros,
                               .currency = news->currency,
                               .opted_out = news->opted_out};
    int err = find_message(h, news->provider_id, &r.id);

    return err ? err : message_report(h->pg, h->provider.tenant_id, &r, h->now_ms, NULL);
}

static int report(struct hook *h, struct response *resp)
{
    CLEANUP(telling_free) struct telling t = {0};
    struct message_news news;
    int err = 0;

    tell(h, &t);
    if (message_read_report(&t.told, &news))
        err = report_news(h, &news);
    if (err == ENOENT) {
        respond_error(resp, 404, "not_found", "this account sent no such message");
        return 0;
    }
    if (!err)
        answer_empty(resp, "text/plain", "");
    return err;
}

void route_hook_message(const struct request *req, struct response *resp)
{
    static const struct hook_route route = {.group = HOOK_MESSAGES, .run = report};

    hook_serve(req, req->params[0], &route, resp);
}

/* ---- what people write ---- */

static int take_letter(struct hook *h, const struct message_letter *letter)
{
    static const char *const names[] = {"none", "stop", "start", "help"};
    const struct message_in in = {.from = letter->from,
                                  .text = letter->text,
                                  .provider_id =
                                      letter->provider_id[0] ? letter->provider_id : NULL,
                                  .provider_word = letter->provider_word};
    enum message_word word = MESSAGE_WORD_NONE;
    char masked[PHONE_TEXT_MAX];

    int err = message_received(h->pg, h->provider.tenant_id, &in, h->now_ms, &word);
    const struct command_letter command = {
        .phone = letter->from, .text = letter->text, .key = in.provider_id};
    bool taken = false;
    if (!err && word == MESSAGE_WORD_NONE)
        err = command_receive(h->pg, h->provider.tenant_id, &command, h->now_ms, &taken);
    if (!err)
        log_info("hook", "tenant=%d provider=%s message_from=%s word=%s command=%d",
                 h->provider.tenant_id, h->provider.name, phone_mask(in.from, masked),
                 names[word], taken);
    return err;
}

/* A provider may tell again with another nonce, and by then the person has written
 * something else: what the message's own id stands for is done once. */
static int take_letter_once(struct hook *h, const struct message_letter *letter)
{
    struct provider_answer before = {.status = 200};
    struct provider_event ev = {.account_id = h->provider.id};
    CLEANUP(buf_free) struct buf id = {0};
    bool known = false;

    if (!letter->provider_id[0])
        return take_letter(h, letter);
    buf_printf(&id, "letter\n%s\n%lld\n%s", letter->provider_id, (long long)letter->from,
               letter->text);
    sha256_of(id.data, id.len, ev.key);
    memcpy(ev.request, ev.key, sizeof(ev.request));
    int err = provider_event_find(h->pg, &ev, &known, &before);
    buf_free(&before.body);
    if (err || known)
        return err;
    err = take_letter(h, letter);
    return err ? err
               : provider_event_keep(h->pg, h->provider.tenant_id, &ev, &before,
                                     clock_real_ms());
}

/* A gateway that gives its messages no ids says a second STOP as it said the first; there
 * may have been a START between them. */
static int receive_again(struct hook *h)
{
    CLEANUP(free_cleanup) struct message_letter *letter = xcalloc(1, sizeof(*letter));
    CLEANUP(telling_free) struct telling t = {0};

    tell(h, &t);
    return message_read_letter(&t.told, letter) && !letter->provider_id[0] &&
                   opt_out_is_said(letter->text)
               ? take_letter(h, letter)
               : 0;
}

static int receive(struct hook *h, struct response *resp)
{
    CLEANUP(free_cleanup) struct message_letter *letter = xcalloc(1, sizeof(*letter));
    CLEANUP(telling_free) struct telling t = {0};

    tell(h, &t);
    int err = message_read_letter(&t.told, letter) ? take_letter_once(h, letter) : 0;
    if (err)
        return err;
    /* What is to be said leaves as a message of its own, in the ledger of messages. */
    if (provider_carries_calls(h->provider.kind))
        answer_empty(resp, "text/xml",
                     "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response></Response>");
    else
        answer_empty(resp, "text/plain", "");
    return 0;
}

void route_hook_sms(const struct request *req, struct response *resp)
{
    static const struct hook_route route = {
        .group = HOOK_MESSAGES, .run = receive, .again = receive_again};

    hook_serve(req, req->params[0], &route, resp);
}
