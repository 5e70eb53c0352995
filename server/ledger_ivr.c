/* The webhooks themselves. A caller who is not known by number hears so, and is not
 * recorded; whatever goes wrong, the answer is words and a hang-up. */
#include "server/ledger_ivr.h"

#include <errno.h>
#include <string.h>

#include "base/pg.h"
#include "campaigns/message_settings_store.h"
#include "campaigns/provider_media.h"
#include "campaigns/provider_store.h"
#include "server/server.h"

enum { HUNG_UP = 16 };

static const char broken[] =
    "There was an error processing your request. Please try again.";

/* A caller of whom nothing is known, not even the call. */
static const char unregistered[] =
    "Welcome to Voice Ledger. This phone number is not registered. "
    "Please register with your cooperative first. Goodbye.";

int ledger_ivr_init(struct server *s, struct pg *pg, struct errtext *e)
{
    const char *name = s->config.ledger.account;
    struct provider p = {0};
    int tenant = 0;

    if (!name[0])
        return 0;
    int err =
        pg_tenant_find(pg, s->config.contracts[CONTRACT_VOICE_LEDGER].tenant, &tenant, e);
    if (!err)
        err = provider_find(pg, NULL, tenant, name, &p, e);
    if (!err && p.kind != PROVIDER_TWILIO)
        err = errtext_set(e, EINVAL, 0, 0,
                          "voice_ledger_account: '%s' is no account at "
                          "Twilio",
                          name);
    s->ledger_account = p.hook;
    provider_wipe(&p);
    return err;
}

/* ---- languages ---- */

static void put_escaped(struct buf *b, const char *text)
{
    for (; *text; text++)
        if (strchr("&<>\"'", *text))
            buf_printf(b, "&#%d;", *text);
        else
            buf_add(b, text, 1);
}

/* An address of the contract, in a document. */
static void put_url(const struct request *req, struct buf *b, const char *place)
{
    char url[512];

    put_escaped(b, contract_url(req, place, url, sizeof(url)) ? url : place);
}

static int ask_language(struct ledger_turn *t, const char **words, struct response *resp)
{
    struct buf *b = respond_xml(resp);

    (void)words;
    buf_puts(b,
             "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response><Gather input=\"dtmf\" "
             "method=\"POST\" numDigits=\"1\" timeout=\"5\" finishOnKey=\"\" "
             "actionOnEmptyResult=\"true\" action=\"");
    put_url(t->hook.req, b, "/voice/ivr/language-selected");
    buf_puts(b, "\" bargeIn=\"true\"><Say language=\"en-US\" voice=\"Polly.Joanna\" "
                "loop=\"1\">Welcome to Voice Ledger. Press 1 for English. "
                "Press 2 for Amharic. Press 3 for Oromo.</Say></Gather></Response>\n");
    return 0;
}

void ledger_ivr_language(const struct request *req, struct response *resp)
{
    ledger_take(req, ask_language, broken, resp);
}

static int select_language(struct ledger_turn *t, const char **words,
                           struct response *resp)
{
    static const struct {
        const char *digit, *said, *place;
    } choices[] = {
        {"1", "You selected English.", "/voice/ivr/incoming?lang=en"},
        {"2", "You selected Amharic.", "/voice/ivr/incoming?lang=am"},
        {"3", "You selected Oromo.", "/voice/ivr/incoming?lang=om"},
    };
    const char *digit = ledger_param(t, "Digits");
    const char *said =
        digit[0] ? "Invalid selection. Defaulting to English." : choices[0].said;
    const char *place = choices[0].place;
    struct buf *b = respond_xml(resp);

    (void)words;
    for (size_t i = 0; i < ARRAY_LEN(choices); i++)
        if (str_is(choices[i].digit, digit)) {
            said = choices[i].said;
            place = choices[i].place;
        }
    buf_printf(b,
               "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response><Say "
               "language=\"en-US\" voice=\"Polly.Joanna\" loop=\"1\">%s</Say><Redirect "
               "method=\"POST\">",
               said);
    put_url(t->hook.req, b, place);
    buf_puts(b, "</Redirect></Response>\n");
    return 0;
}

void ledger_ivr_language_selected(const struct request *req, struct response *resp)
{
    ledger_take(req, select_language, broken, resp);
}

/* ---- the call ---- */

static bool is_language(const char *lang)
{
    return str_is(lang, "en") || str_is(lang, "am") || str_is(lang, "om");
}

static bool has_call(const struct ledger_turn *t)
{
    const size_t n = strlen(ledger_param(t, "CallSid"));

    return n > 0 && n < VOICE_PROVIDER_ID_MAX - UUID_TEXT_MAX;
}

/* Asked for its first document anew, a call gets the one where it is; in another
 * language, or over, it begins anew. */
static int incoming(struct ledger_turn *t, const char **words, struct response *resp)
{
    const char *lang = ledger_param(t, "lang");

    if (!has_call(t)) {
        *words = t->caller.registered ? broken : unregistered;
        return 0;
    }
    if (is_language(lang))
        str_cut(t->lang, sizeof(t->lang), lang);
    int err = ledger_find(t);
    if (!err && ledger_is_recording(t) &&
        (!t->lang[0] || str_is(t->lang, t->voice.session.language)))
        return ledger_answer(t, resp);
    if (!err) {
        err = voice_hung_up(&t->voice, HUNG_UP);
        if (!err)
            err = voice_session_set_aside(t->hook.pg, &t->voice.session.call);
        voice_close(&t->voice);
    }
    if (!err || err == ENOENT)
        err = ledger_begin(t);
    return err ? err : ledger_answer(t, resp);
}

void ledger_ivr_incoming(const struct request *req, struct response *resp)
{
    ledger_take(req, incoming, broken, resp);
}

static int recording(struct ledger_turn *t, const char **words, struct response *resp)
{
    const char *url = ledger_param(t, "RecordingUrl");

    if (!url[0])
        *words = "No recording was received. Please call back and try again.";
    else if (!t->caller.approved)
        *words = "We could not verify your phone number. Please try again later.";
    else if (provider_media_may(&t->hook.provider, url) == PROVIDER_MEDIA_REFUSED ||
             strlen(url) >= 1000)
        *words = "We could not process your recording. Please try again later.";
    else if (!has_call(t))
        *words = broken;
    if (*words)
        return 0;
    int err = ledger_find(t);
    if (err == ENOENT)
        err = ledger_begin(t);
    if (!err && ledger_is_recording(t))
        err = ledger_recorded(t, url);
    return err ? err : ledger_answer(t, resp);
}

void ledger_ivr_recording(const struct request *req, struct response *resp)
{
    ledger_take(req, recording, broken, resp);
}

static int received(struct response *resp)
{
    respond_json(resp, 200, json_pack("{s:s}", "status", "received"));
    return 0;
}

/* Of a caller who hung up while they spoke, this is all that is told of it. */
static int recording_status(struct ledger_turn *t, const char **words,
                            struct response *resp)
{
    const char *url = ledger_param(t, "RecordingUrl");
    struct response unheard = {0};

    (void)words;
    if (!str_is(ledger_param(t, "RecordingStatus"), "completed") || !url[0] ||
        strlen(url) >= 1000 || !has_call(t) ||
        provider_media_may(&t->hook.provider, url) == PROVIDER_MEDIA_REFUSED)
        return received(resp);
    int err = ledger_find(t);
    if (!err && ledger_is_recording(t)) {
        err = ledger_recorded(t, url);
        if (!err)
            err = ledger_answer(t, &unheard);
        buf_free(&unheard.body);
    }
    return err && err != ENOENT ? err : received(resp);
}

void ledger_ivr_recording_status(const struct request *req, struct response *resp)
{
    ledger_take(req, recording_status, NULL, resp);
}

static bool is_over(const char *status)
{
    static const char *const ends[] = {"completed", "busy", "no-answer", "failed",
                                       "canceled"};

    for (size_t i = 0; i < ARRAY_LEN(ends); i++)
        if (str_is(ends[i], status))
            return true;
    return false;
}

/* The recording's own end may come after the call's. */
static int status(struct ledger_turn *t, const char **words, struct response *resp)
{
    struct response unheard = {0};

    (void)words;
    if (!has_call(t) || !is_over(ledger_param(t, "CallStatus")))
        return received(resp);
    int err = ledger_find(t);
    if (!err && !ledger_is_recording(t))
        err = voice_hung_up(&t->voice, HUNG_UP);
    if (!err)
        err = ledger_answer(t, &unheard);
    buf_free(&unheard.body);
    return err && err != ENOENT ? err : received(resp);
}

void ledger_ivr_status(const struct request *req, struct response *resp)
{
    ledger_take(req, status, NULL, resp);
}

/* Addresses of the documents themselves: the silence after a recording. */
static int act(struct ledger_turn *t, const char **words, struct response *resp)
{
    const struct request *req = t->hook.req;
    struct ivr_parsed parsed;
    struct uuid call;

    int err = has_call(t) ? ledger_find(t) : ENOENT;
    if (err == ENOENT ||
        (!err && (uuid_parse(req->params[0], &call) ||
                  memcmp(&call, &t->voice.session.call, sizeof(call)) != 0))) {
        *words = broken;
        return 0;
    }
    if (!err)
        err = voice_request(&t->voice, req->params[1], req->params[2], &parsed);
    if (err == EBADMSG)
        return ledger_answer(t, resp);
    if (!err && parsed.kind == IVR_PARSED_INPUT) {
        if (parsed.input.kind == IVR_IN_RECORDED)
            err = voice_recorded(&t->voice, &parsed);
        if (!err)
            err = voice_feed(&t->voice, &parsed.input);
    }
    return err && err != ENODATA ? err : ledger_answer(t, resp);
}

void ledger_ivr_act(const struct request *req, struct response *resp)
{
    ledger_take(req, act, broken, resp);
}

void ledger_ivr_shed(const struct request *req, struct response *resp)
{
    ledger_shed(req, broken, resp);
}

/* Can a message leave: has the tenant an account for that? Without one it is in the log.
 */
static int sends_messages(const struct request *req, bool *out)
{
    const struct server *s = req->app;
    struct message_settings settings = {0};
    struct pg *pg = pg_pool_take(s->pool);

    int err = message_settings_load(pg, req->tenant_id, &settings);
    pg_pool_give(s->pool, pg);
    *out = !err && settings.account_id > 0;
    return err == ENOENT ? 0 : err; /* there are no settings: nothing is wrong */
}

void ledger_ivr_health(const struct request *req, struct response *resp)
{
    char base[512];
    bool sends = false;
    int err = sends_messages(req, &sends);

    respond_json(resp, 200,
                 json_pack("{s:s, s:s, s:s, s:b}", "status", err ? "degraded" : "healthy",
                           "service", "voice-ledger-ivr", "base_url",
                           contract_url(req, "", base, sizeof(base)) ? base : "",
                           "sms_available", sends));
}
