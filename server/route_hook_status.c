/* What providers say of calls besides asking for documents: how they fare, who answered,
 * that they are over. */
#include <errno.h>

#include "base/log.h"
#include "campaigns/provider_call_store.h"
#include "server/voice.h"

static int end_flow(struct voice_call *v, struct hook *h, int cause)
{
    int err = voice_open(v, h);

    if (!err)
        err = voice_hung_up(v, cause);
    return err ? err : voice_session_write(h->pg, &v->session, h->now_ms);
}

/* Parameters of a GET stand in its query. */
static int read_news(const struct hook *h, struct provider_call_news *news)
{
    return provider_call_read_form(h->provider.kind, h->body.n ? &h->body : &h->query,
                                   news);
}

static void answer(struct response *resp)
{
    resp->status = 200;
    resp->content_type = "text/plain";
}

/* ---- calls that the dialer has placed ---- */

/* The ledger is the dialer's: it reads the row, and moves the attempt. */
static int placed(struct hook *h, struct response *resp)
{
    CLEANUP(voice_close) struct voice_call v = {0};
    struct provider_call_news news = PROVIDER_CALL_NEWS;
    struct uuid attempt;

    if (uuid_parse(h->req->params[1], &attempt) || read_news(h, &news)) {
        respond_error(resp, 400, "bad_request", "this says nothing of a call");
        return 0;
    }
    news.attempt = attempt;
    int err = provider_call_told(h->pg, h->provider.tenant_id, h->provider.id, &news,
                                 h->now_ms, NULL);
    if (err == ENOENT) {
        respond_error(resp, 404, "not_found", "this account has no such call");
        return 0;
    }
    answer(resp);
    if (err || !provider_call_is_over(news.status))
        return err;
    err = voice_session_find(h->pg, h->provider.id, &attempt, &v.session);
    return err == ENOENT ? 0 : err ? err : end_flow(&v, h, news.cause);
}

void route_hook_status_out(const struct request *req, struct response *resp)
{
    static const struct hook_route route = {.group = HOOK_VOICE, .run = placed};

    hook_serve(req, req->params[0], &route, resp);
}

/* ---- calls in: the address of a number's status callbacks ---- */

static int called_in(struct hook *h, struct response *resp)
{
    CLEANUP(voice_close) struct voice_call v = {0};
    struct provider_call_news news = PROVIDER_CALL_NEWS;

    answer(resp);
    if (read_news(h, &news) || !provider_call_is_over(news.status))
        return 0;
    int err =
        voice_session_find_provider(h->pg, h->provider.id, news.call_id, &v.session);
    return err == ENOENT ? 0 : err ? err : end_flow(&v, h, news.cause);
}

void route_hook_status_in(const struct request *req, struct response *resp)
{
    static const struct hook_route route = {.group = HOOK_VOICE, .run = called_in};

    hook_serve(req, req->params[0], &route, resp);
}
