/* Calls at providers: the first request of a call in or out, and those that its documents
 * lead to. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/xalloc.h"
#include "campaigns/call_store.h"
#include "campaigns/provider_call_store.h"
#include "server/voice.h"

enum { DIGITS_MAX = 15 /* of a number, by E.164 */ };

static int refuse_call(const struct hook *h, struct response *resp, const char *why)
{
    log_warn("voice", "tenant=%d provider=%s call=%.40s refused=%s",
             h->provider.tenant_id, h->provider.name, LOG_ESC(voice_provider_call(h)),
             why);
    resp->status = 200;
    resp->content_type = "text/xml";
    buf_puts(&resp->body,
             h->provider.kind == PROVIDER_TWILIO
                 ? "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response><Reject "
                   "reason=\"rejected\"/></Response>"
                 : "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response><Hangup "
                   "reason=\"rejected\"/></Response>");
    return 0;
}

int64_t voice_phone(const char *text)
{
    int64_t n = 0;

    text += *text == '+' || *text == ' ';
    return strlen(text) <= DIGITS_MAX && str_to_i64(text, &n) && n > 0 ? n : 0;
}

int64_t voice_caller(const struct hook *h)
{
    return voice_phone(hook_param(h, "From"));
}

/* ---- the first request ---- */

/* The session and its START; the call's row and what it begins with are written with it.
 */
static int begin(struct voice_call *v, struct hook *h, struct call_start *start)
{
    struct call_context context = {0};
    struct voice_session *s = &v->session;
    struct ivr_input in = {.kind = IVR_IN_START};
    int err = 0;

    start->tenant_id = h->provider.tenant_id;
    start->at_ms = h->now_ms;
    if (h->gather) {
        context = h->gather->ask->context;
        h->gather->ask->context = (struct call_context){0};
        h->gather->start = *start;
    } else {
        err = call_begin(h->pg, start, &context);
    }
    if (err)
        return err;
    s->call = start->id;
    s->tenant_id = start->tenant_id;
    s->account_id = h->provider.id;
    s->inbound = start->inbound;
    s->phone = start->phone;
    s->campaign_id = start->campaign_id;
    s->flow_revision_id = start->flow_revision_id;
    s->tz_min = context.tz_min;
    s->contact = json_incref(context.contact);
    str_cut(s->language, sizeof(s->language), context.language);
    str_cut(s->flow_sha256, sizeof(s->flow_sha256), context.flow_sha256);
    str_cut(s->provider_call_id, sizeof(s->provider_call_id), voice_provider_call(h));
    str_cut(s->dialled, sizeof(s->dialled), hook_param(h, "To"));
    if (!h->gather)
        err = voice_session_add(h->pg, s, h->now_ms);
    if (!err)
        err = voice_open(v, h);
    /* One of another version is passed over. */
    if (!err && context.kept &&
        ivr_state_read(context.kept, context.kept_len, v->arena, &v->kept))
        v->kept = NULL;
    call_context_free(&context);
    return err ? err : voice_feed(v, &in);
}

/* A provider that asks for a call's first document anew gets the one where the call is.
 */
static int again(struct voice_call *v, struct hook *h, struct response *resp)
{
    int err = voice_open(v, h);

    if (!err && voice_is_redirected(v))
        err = voice_redirect(v);
    return err ? err : voice_answer(v, resp);
}

/* The number is the tenant's own, and whoever sees the log needs it. */
static int refuse_number(const struct hook *h, struct response *resp)
{
    char why[160];

    snprintf(why, sizeof(why),
             "no_such_number to=%.40s: 'furrow extension add NUMBER --flow NAME' lets it "
             "be called in",
             LOG_ESC(hook_param(h, "To")));
    return refuse_call(h, resp, why);
}

/* A number that is only to be rung: nothing is answered, and the caller is called back.
 */
static int missed(struct hook *h, const struct call_extension *x, struct response *resp)
{
    int64_t phone = voice_caller(h);
    int err = 0;

    if (phone && x->callback_campaign_id)
        err = call_request_callback(h->pg, h->provider.tenant_id, x->callback_campaign_id,
                                    phone, h->now_ms, h->now_ms, NULL);
    return err ? err : refuse_call(h, resp, "missed_call");
}

static int begin_in(struct voice_call *v, struct hook *h, int64_t flow_revision_id,
                    int64_t callback_campaign_id, struct response *resp)
{
    struct call_start start = {.id = uuid_v7(h->now_ms),
                               .inbound = true,
                               .phone = voice_caller(h),
                               .extension = hook_param(h, "To"),
                               .flow_revision_id = flow_revision_id,
                               .slot = -1};

    v->session.callback_campaign_id = callback_campaign_id;
    int err = begin(v, h, &start);
    return err ? err : voice_answer(v, resp);
}

int voice_gather_in(struct voice_call *v, struct hook *h, struct response *resp)
{
    const struct call_ask *ask = h->gather->ask;

    return begin_in(v, h, ask->flow_revision_id, ask->callback_campaign_id, resp);
}

static int answer_in(struct hook *h, struct response *resp)
{
    CLEANUP(voice_close) struct voice_call v = {0};
    struct call_extension x = {0};

    if (!voice_backend(h->provider.kind) || !voice_provider_call(h)[0] ||
        strlen(voice_provider_call(h)) >= VOICE_PROVIDER_ID_MAX)
        return refuse_call(h, resp, "no_call_id");
    int err = voice_session_find_provider(h->pg, h->provider.id, voice_provider_call(h),
                                          &v.session);
    if (!err)
        return again(&v, h, resp);
    if (err == ENOENT)
        err = call_find_extension(h->pg, hook_param(h, "To"), &x);
    if (err == ENOENT || (!err && x.tenant_id != h->provider.tenant_id))
        return refuse_number(h, resp);
    if (err)
        return err;
    if (x.missed_call)
        return missed(h, &x, resp);
    return begin_in(&v, h, x.flow_revision_id, x.callback_campaign_id, resp);
}

/* That it is up, and who answered where the provider waited to know; Plivo says neither
 * anywhere else. ENOENT: that account has no such attempt. */
static int tell_dialer(const struct hook *h, const struct uuid *attempt,
                       struct provider_call_news *news)
{
    if (provider_call_read_form(h->provider.kind, h->body.n ? &h->body : &h->query, news))
        return 0;
    news->attempt = *attempt;
    return provider_call_told(h->pg, h->provider.tenant_id, h->provider.id, news,
                              h->now_ms, NULL);
}

static int answer_out(struct hook *h, struct response *resp)
{
    CLEANUP(voice_close) struct voice_call v = {0};
    struct provider_call_news news = PROVIDER_CALL_NEWS;
    struct voice_attempt a = {0};
    struct uuid id;

    if (uuid_parse(h->req->params[1], &id))
        return refuse_call(h, resp, "no_call_id");
    int err = voice_session_find(h->pg, h->provider.id, &id, &v.session);
    if (!err)
        return again(&v, h, resp);
    if (err == ENOENT)
        err = voice_attempt_find(h->pg, h->provider.id, &id, &a);
    if (!err)
        err = tell_dialer(h, &id, &news);
    if (err == ENOENT)
        return refuse_call(h, resp, "no_such_attempt");
    if (err)
        return err;
    if (news.answered_by == PROVIDER_ANSWERED_MACHINE && a.machine_flow_revision_id)
        a.flow_revision_id = a.machine_flow_revision_id;
    struct call_start start = {.id = id,
                               .campaign_id = a.campaign_id,
                               .contact_id = a.contact_id,
                               .phone = a.phone,
                               .flow_revision_id = a.flow_revision_id,
                               .slot = a.slot};
    err = begin(&v, h, &start);
    return err ? err : voice_answer(&v, resp);
}

static const struct hook_route in_route = {
    .group = HOOK_VOICE, .run = answer_in, .failed = voice_apologise};
static const struct hook_route out_route = {
    .group = HOOK_VOICE, .run = answer_out, .failed = voice_apologise};

void route_hook_voice_in(const struct request *req, struct response *resp)
{
    hook_serve(req, req->params[0], &in_route, resp);
}

void route_hook_voice_out(const struct request *req, struct response *resp)
{
    hook_serve(req, req->params[0], &out_route, resp);
}

void route_hook_voice_shed(const struct request *req, struct response *resp)
{
    hook_shed(req, req->params[0], &in_route, resp);
}

/* ---- the following ones ---- */

static int said(struct voice_call *v, struct ivr_parsed *p)
{
    int err = 0;

    if (p->input.kind == IVR_IN_QUEUE_LEFT && p->input.left.result == IVR_LEFT_SERVED)
        p->input.left.agent = v->session.agent;
    if (p->input.kind == IVR_IN_HANGUP)
        return voice_hung_up(v, p->input.hangup.cause);
    if (p->input.kind == IVR_IN_RECORDED)
        err = voice_recorded(v, p);
    if (!err)
        err = voice_feed(v, &p->input);
    return err == ENODATA ? 0 : err; /* then the last document again */
}

/* Of the caller's own requests, the first after it was asked for, should the provider not
 * have fetched the call. */
static bool leaves_flow(const struct voice_call *v, const struct ivr_parsed *p)
{
    const bool of_caller = p->kind == IVR_PARSED_INPUT || p->kind == IVR_PARSED_DOCUMENT;

    return voice_is_redirected(v) && of_caller && !p->aside && !p->agent &&
           p->input.kind != IVR_IN_HANGUP;
}

/* v->session is there. */
static int act_on(struct voice_call *v, struct hook *h, struct response *resp)
{
    const char *token = h->req->params[2], *wait = h->req->params[3];
    struct ivr_parsed parsed;

    int err = voice_open(v, h);
    if (!err)
        err = voice_request(v, token, wait, &parsed);
    if (err == EBADMSG) /* no address of ours: where it was */
        return voice_answer(v, resp);
    if (!err && parsed.kind == IVR_PARSED_NOTHING &&
        parsed.input.kind == IVR_IN_RECORDED && parsed.input.recorded.ref)
        err = voice_recorded(v, &parsed);
    if (!err && parsed.agent)
        err = voice_queue_agent(v, parsed.agent);
    if (!err && parsed.queued_at_ms && parsed.kind != IVR_PARSED_NOTHING)
        err = voice_queue_look(v, token, wait, &parsed);
    if (!err && leaves_flow(v, &parsed)) {
        err = parsed.input.kind == IVR_IN_RECORDED ? voice_recorded(v, &parsed) : 0;
        if (!err)
            err = voice_redirect(v);
        return err ? err : voice_answer(v, resp);
    }
    if (!err && voice_is_overdue(v))
        parsed = (struct ivr_parsed){
            .kind = IVR_PARSED_INPUT,
            .input = {.kind = IVR_IN_DEADLINE, .token = v->state->seq}};
    if (!err && parsed.kind == IVR_PARSED_INPUT)
        err = said(v, &parsed);
    if (!err && parsed.kind == IVR_PARSED_DOCUMENT && parsed.aside)
        return voice_answer_aside(v, &parsed, resp);
    if (!err && parsed.kind == IVR_PARSED_DOCUMENT) {
        free(v->session.document);
        v->session.document = xstrdup(parsed.document);
    }
    return err ? err : voice_answer(v, resp);
}

/* One that waits in a queue, or is over, has more to it than a step. */
int voice_gather_act(struct voice_call *v, struct hook *h, struct response *resp)
{
    const struct voice_session *s = &v->session;

    if (s->ended || s->queued_at_ms || s->queue[0] || s->agent[0] ||
        s->redirect_revision_id)
        return VOICE_ALONE;
    int err = act_on(v, h, resp);
    return !err && s->queued_at_ms ? VOICE_ALONE : err;
}

static int act(struct hook *h, struct response *resp)
{
    CLEANUP(voice_close) struct voice_call v = {0};
    struct uuid id;

    if (uuid_parse(h->req->params[1], &id))
        return refuse_call(h, resp, "no_call_id");
    int err = voice_session_find(h->pg, h->provider.id, &id, &v.session);
    if (err == ENOENT)
        return refuse_call(h, resp, "no_such_call");
    return err ? err : act_on(&v, h, resp);
}

void route_hook_voice_act(const struct request *req, struct response *resp)
{
    static const struct hook_route route = {
        .group = HOOK_VOICE, .run = act, .failed = voice_apologise};

    hook_serve(req, req->params[0], &route, resp);
}
