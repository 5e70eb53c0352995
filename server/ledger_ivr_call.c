#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/pg.h"
#include "campaigns/call_store.h"
#include "campaigns/flow_store.h"
#include "campaigns/provider_event_store.h"
#include "campaigns/sample_store.h"
#include "server/hook_accounts.h"
#include "server/hook_time.h"
#include "server/ledger_ivr.h"
#include "server/server.h"
#include "server/signature.h"

enum { TRIES = 3, PAUSE_S = 1 };

/* ---- answers ---- */

void ledger_say(const char *words, struct response *resp)
{
    /* Words of ours: nothing in them needs escaping. */
    buf_printf(respond_xml(resp),
               "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response><Say "
               "language=\"en-US\" voice=\"Polly.Joanna\" "
               "loop=\"1\">%s</Say><Hangup/></Response>\n",
               words);
}

int ledger_answer(struct ledger_turn *t, struct response *resp)
{
    int err = voice_answer(&t->voice, resp);

    resp->content_type = "application/xml";
    return err;
}

const char *ledger_param(const struct ledger_turn *t, const char *name)
{
    return hook_param(&t->hook, name);
}

/* ---- the call ---- */

/* Heard after a recording that never came; of the languages that Twilio itself speaks. */
static const struct ivr_prompt *unrecorded(const char *language)
{
    static const struct ivr_prompt list[] = {
        {.asset = "",
         .text = "I did not receive a recording. Please try again. Goodbye.",
         .lang = "en",
         .voice = ""},
        {.asset = "",
         .text = "ድምፅዎ አልደረሰኝም። እባክዎ እንደገና ይሞክሩ። ደህና ይሁኑ።",
         .lang = "am",
         .voice = ""},
        {.asset = "",
         .text = "Sagalee keessan hin arganne. Maaloo irra deebi'aa yaalaa. Nagaatti.",
         .lang = "om",
         .voice = ""},
    };

    for (size_t i = 0; i < ARRAY_LEN(list); i++)
        if (str_is(list[i].lang, language))
            return &list[i];
    return &list[0];
}

/* The contract's own addresses instead of those below /hooks. */
static int open_voice(struct ledger_turn *t)
{
    struct voice_call *v = &t->voice;
    const struct request *req = t->hook.req;
    char root[2 * PROVIDER_URL_MAX - 64], place[64];

    if (!contract_url(req, "", root, sizeof(root)) ||
        !contract_url(req, "/voice/ivr/recording", t->record_url,
                      sizeof(t->record_url)) ||
        !contract_url(req, "/voice/ivr/recording-status", t->status_url,
                      sizeof(t->status_url)))
        return EINVAL;
    /* As of an account: prompts lie beside it (server/voice_words.c). */
    snprintf(t->hook.base, sizeof(t->hook.base),
             "%s/hooks/00000000-0000-0000-0000-000000000000", root);
    int err = voice_open(v, &t->hook);
    if (err)
        return err;
    snprintf(place, sizeof(place), "/voice/ivr/call/%s", v->id);
    if (!contract_url(req, place, v->prefix, sizeof(v->prefix)))
        return EINVAL;
    v->document.record_url = t->record_url;
    v->document.record_status_url = t->status_url;
    v->document.record_pause_s = PAUSE_S;
    v->document.unrecorded = unrecorded(v->session.language);
    v->document.unanswered = false;
    return 0;
}

int ledger_find(struct ledger_turn *t)
{
    int err = voice_session_find_provider(t->hook.pg, t->hook.provider.id,
                                          ledger_param(t, "CallSid"), &t->voice.session);

    return err ? err : open_voice(t);
}

/* The published one; the sample where the tenant has none of that name. */
static int find_flow(struct ledger_turn *t, struct flow_row *out)
{
    const char *name = t->hook.server->config.ledger.flow;
    const struct sample *sample = sample_find(name);
    const int tenant = t->hook.provider.tenant_id;
    struct sample_loaded loaded;
    struct errtext e = {0};

    int err = flow_find(t->hook.pg, tenant, name, out, &e);
    if (err != ENOENT || !sample)
        return err;
    err = sample_load(t->hook.pg, tenant, sample, false, t->hook.now_ms, &loaded, &e);
    return err ? err : flow_find(t->hook.pg, tenant, name, out, &e);
}

static void describe(const struct caller *c, json_t *contact)
{
    json_object_set_new(contact, "caller",
                        json_string(c->approved     ? "approved"
                                    : c->registered ? "pending"
                                                    : "unknown"));
    if (c->name[0])
        json_object_set_new(contact, "name", json_string(c->name));
}

int ledger_begin(struct ledger_turn *t)
{
    struct voice_session *s = &t->voice.session;
    const struct ivr_input in = {.kind = IVR_IN_START};
    struct call_context context = {0};
    struct flow_row flow;

    int err = find_flow(t, &flow);
    if (err)
        return err == ENOENT ? EPROTO : err;
    s->call = uuid_v7(t->hook.now_ms);
    s->tenant_id = t->hook.provider.tenant_id;
    s->account_id = t->hook.provider.id;
    s->inbound = true;
    s->phone = voice_phone(ledger_param(t, "From"));
    s->flow_revision_id = flow.revision_id;
    str_cut(s->flow_sha256, sizeof(s->flow_sha256), flow.sha256);
    str_cut(s->provider_call_id, sizeof(s->provider_call_id), ledger_param(t, "CallSid"));
    str_cut(s->dialled, sizeof(s->dialled), ledger_param(t, "To"));
    const struct call_start start = {.id = s->call,
                                     .tenant_id = s->tenant_id,
                                     .inbound = true,
                                     .phone = s->phone,
                                     .extension = s->dialled,
                                     .flow_revision_id = flow.revision_id,
                                     .slot = -1,
                                     .at_ms = t->hook.now_ms};
    err = call_begin(t->hook.pg, &start, &context);
    if (err)
        return err;
    s->tz_min = context.tz_min;
    s->contact = json_incref(context.contact);
    str_cut(s->language, sizeof(s->language),
            t->lang[0]              ? t->lang
            : t->caller.language[0] ? t->caller.language
                                    : context.language);
    call_context_free(&context);
    describe(&t->caller, s->contact);
    err = voice_session_add(t->hook.pg, s, t->hook.now_ms);
    if (!err)
        err = open_voice(t);
    return err ? err : voice_feed(&t->voice, &in);
}

bool ledger_is_recording(const struct ledger_turn *t)
{
    const struct ivr_state *state = t->voice.state;

    return state && state->status == IVR_WAITING &&
           state->wait.kind == IVR_WAIT_RECORDING;
}

int ledger_recorded(struct ledger_turn *t, const char *url)
{
    struct voice_call *v = &t->voice;
    int64_t seconds = 0;

    if (!str_to_i64(ledger_param(t, "RecordingDuration"), &seconds) || seconds < 0 ||
        seconds > 86400)
        seconds = 0;
    const struct ivr_parsed p = {.kind = IVR_PARSED_INPUT,
                                 .recording_url = url,
                                 .recording_id = ledger_param(t, "RecordingSid"),
                                 .input = {.kind = IVR_IN_RECORDED,
                                           .token = v->state->seq,
                                           .recorded = {.result = IVR_RECORDED_OK,
                                                        .ref = v->session.recording,
                                                        .duration_ms = seconds * 1000,
                                                        .reason = "key"}}};

    int err = voice_recorded(v, &p);
    return err ? err : voice_feed(v, &p.input);
}

/* ---- one request ---- */

static void turn_free(struct ledger_turn *t)
{
    voice_close(&t->voice);
    provider_wipe(&t->hook.provider);
    form_free(&t->hook.body);
    form_free(&t->hook.query);
}

static bool is_signed(const struct ledger_turn *t)
{
    const struct request *req = t->hook.req;
    char url[REQUEST_URL_MAX + 512];
    const struct signed_request r = {.method = req->method,
                                     .url = url,
                                     .content_type = request_header(req, "Content-Type"),
                                     .body = req->body ? req->body : "",
                                     .body_len = req->body_len,
                                     .signature =
                                         request_header(req, "X-Twilio-Signature")};

    return r.signature && contract_asked_url(req, url, sizeof(url)) &&
           signature_is_twilio(t->hook.provider.signing_token, &r);
}

/* To a caller who listens, or to a carrier that tells it again. */
static void apologise(const struct request *req, const char *sorry, struct response *resp)
{
    buf_free(&resp->body);
    if (sorry)
        ledger_say(sorry, resp);
    else
        request_refuse(req, resp, 503, "nothing was recorded; send it again");
}

/* False: the answer is in resp. */
static bool find_account(struct ledger_turn *t, const char *sorry, struct response *resp)
{
    struct server *s = t->hook.server;
    struct errtext e = {0};

    if (t->hook.at_once) {
        if (hook_accounts_recall(s->accounts, &s->ledger_account, &t->hook.provider))
            return true;
        ledger_say(sorry, resp);
        return false;
    }
    if (hook_accounts_find(s->accounts, &s->ledger_account,
                           hook_find_ms(t->hook.req, sorry != NULL), &t->hook.provider,
                           &e) == 0)
        return true;
    log_error("ledger_ivr", "%s", e.text);
    apologise(t->hook.req, sorry, resp);
    return false;
}

/* False: the answer is in resp. */
static bool is_believed(struct ledger_turn *t, const char *sorry, struct response *resp)
{
    const struct server *s = t->hook.server;
    const char *token = s->config.ledger.auth_token;

    t->hook.provider.kind = PROVIDER_TWILIO;
    t->hook.provider.tenant_id = t->hook.req->tenant_id;
    if (uuid_is_zero(&s->ledger_account)) {
        if (!token[0])
            return true;
        str_cut(t->hook.provider.signing_token, sizeof(t->hook.provider.signing_token),
                token);
    } else if (!find_account(t, sorry, resp)) {
        return false;
    }
    if (is_signed(t))
        return true;
    hook_count_one(HOOK_REFUSED);
    log_warn("ledger_ivr", "path=%s status=403 refused=signature",
             LOG_ESC(t->hook.req->path));
    request_refuse(t->hook.req, resp, 403, "the signature is not that of this account");
    return false;
}

static int answer(struct ledger_turn *t, ledger_fn *fn, struct response *resp)
{
    const char *words = NULL;

    int err = caller_find(t->hook.pg, t->hook.provider.tenant_id,
                          voice_phone(ledger_param(t, "From")), &t->caller);
    if (!err)
        err = fn(t, &words, resp);
    if (!err && words)
        ledger_say(words, resp);
    return err;
}

/* Of an account, what was told before is answered as it was then: a call's first request
 * would otherwise begin it anew. Without one anybody tells anything. */
static int answer_once(struct ledger_turn *t, ledger_fn *fn, struct response *resp)
{
    struct provider_event ev;
    bool known = false;

    if (uuid_is_zero(&t->hook.server->ledger_account))
        return answer(t, fn, resp);
    hook_event(&t->hook, NULL, &ev);
    int err = hook_find_before(&t->hook, &ev, &known, resp);
    if (err || known)
        return err;
    err = answer(t, fn, resp);
    return err ? err : hook_keep(&t->hook, &ev, resp);
}

/* Requests of a call wait for each other: a call that is asked for in several languages
 * at once begins anew with each, and only one of them may be at it. */
static int one_by_one(const struct ledger_turn *t)
{
    struct pg_args a = {0};

    pg_arg_text(&a, ledger_param(t, "CallSid"));
    return pg_run_later(
        t->hook.pg,
        "SELECT pg_advisory_xact_lock(hashtextextended('voice-ledger ' || $1, 0))", &a);
}

static int run(struct ledger_turn *t, ledger_fn *fn, struct response *resp)
{
    int err = pg_begin(t->hook.pg, t->hook.provider.tenant_id);

    if (!err)
        err = hook_limit(t->hook.pg, t->hook.req, true);
    if (!err)
        err = one_by_one(t);
    return err ? err : pg_end(t->hook.pg, answer_once(t, fn, resp));
}

void ledger_shed(const struct request *req, const char *sorry, struct response *resp)
{
    CLEANUP(turn_free)
    struct ledger_turn t = {.hook = {.req = req, .server = req->app, .at_once = true}};

    if (is_believed(&t, sorry, resp))
        ledger_say(sorry, resp);
    hook_count_one(HOOK_SHED);
}

void ledger_take(const struct request *req, ledger_fn *fn, const char *sorry,
                 struct response *resp)
{
    CLEANUP(turn_free)
    struct ledger_turn t = {
        .hook = {.req = req, .server = req->app, .now_ms = clock_now_ms()}};
    int err = EAGAIN;

    if (!is_believed(&t, sorry, resp))
        return;
    if (!request_form(req, &t.hook.body, resp) ||
        !request_query(req, &t.hook.query, resp)) {
        hook_count_one(HOOK_REFUSED);
        log_warn("ledger_ivr",
                 "path=%s refused=parameters are no UTF-8 text, or too many",
                 LOG_ESC(req->path));
        if (sorry)
            ledger_say(sorry, resp);
        return;
    }
    t.hook.pg = hook_take(t.hook.server->hook_pool, req, true);
    for (int i = 0; i < TRIES && (err == EAGAIN || err == EEXIST); i++) {
        voice_close(&t.voice);
        buf_free(&resp->body);
        err = run(&t, fn, resp);
        hook_after(&t.hook, err == 0);
    }
    pg_pool_give(t.hook.server->hook_pool, t.hook.pg);
    t.hook.pg = NULL;
    if (err) {
        log_error("ledger_ivr", "call=%.40s path=%s err=%d",
                  LOG_ESC(ledger_param(&t, "CallSid")), LOG_ESC(req->path), err);
        apologise(req, sorry, resp);
    }
}
