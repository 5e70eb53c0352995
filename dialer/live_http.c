/* The API nodes of flows: the engine's request (campaigns/flow_api.h) through dialer/web.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/xalloc.h"
#include "campaigns/flow_api.h"
#include "dialer/live_call.h"
#include "dialer/web.h"

struct asked {
    struct lives *lives;
    struct uuid call;
    uint32_t seq;
};

static void answered(const struct web_resp *resp, void *arg)
{
    struct asked *a = arg;
    struct lives *l = a->lives;
    struct live_call *c = live_find(l, &a->call);

    if (c && c->phase == LIVE_RUNNING && !c->hung_up && c->state->seq == a->seq &&
        c->state->wait.kind == IVR_WAIT_HTTP) {
        struct ivr_input in = {.kind = IVR_IN_HTTP_DONE, .token = a->seq};
        in.http.result = flow_http_result(resp->err);
        if (resp->err == 0) {
            free(c->body);
            c->body = xstrndup(resp->body, resp->len);
            in.http.status = (int)resp->status;
            in.http.body = c->body;
            in.http.body_len = resp->len;
        } else {
            log_warn("live", "call=%s seq=%u http_err=%d", c->id, a->seq, resp->err);
        }
        live_feed(c, &in);
    }
    free(a);
    live_let_go(l);
}

static int send_it(struct live_call *c, const struct flow_request *r)
{
    struct asked *a = xcalloc(1, sizeof(*a));

    *a = (struct asked){c->lives, c->start.id, c->state->seq};
    live_hold(c->lives);
    int err = web_send(c->lives->d->web,
                       &(struct web_req){.method = r->method,
                                         .url = r->url,
                                         .headers = (const char *const *)r->headers,
                                         .body = r->body,
                                         .body_len = r->body_len,
                                         .timeout_ms = r->timeout_ms,
                                         .max_bytes = FLOW_ANSWER_MAX,
                                         .once = true,
                                         .public_only = r->public_only},
                       answered, a);
    if (err) {
        free(a);
        live_let_go(c->lives);
    }
    return err;
}

bool live_http_send(struct live_call *c, const struct ivr_http *http)
{
    const struct flow_api api = {c->lives->secrets, c->lives->d->config.api_hosts};
    CLEANUP(flow_request_free) struct flow_request r = {0};
    char why[FLOW_SECRET_NAME_MAX];

    if (!c->lives->d->web) {
        live_warn(c, "http_refused", "no client");
        return false;
    }
    int err = flow_request_make(&api, http, &r, why);
    if (err) {
        live_warn(c, flow_request_warning(err), why);
        return false;
    }
    err = send_it(c, &r);
    if (err)
        live_warn(c, "http_refused", "the request could not be sent");
    return !err;
}
