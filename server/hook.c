#include "server/hook.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/pg.h"
#include "base/sha256.h"
#include "campaigns/provider_event_store.h"
#include "server/hook_accounts.h"
#include "server/hook_time.h"
#include "server/hook_url.h"
#include "server/signature.h"

enum { NONCE_MAX = 256, TRIES = 2 };

static atomic_long counts[HOOK_COUNTS];

const char *hook_count_name(enum hook_count which)
{
    static const char *const names[HOOK_COUNTS] = {"done", "again", "refused", "failed",
                                                   "shed"};

    return names[which];
}

long hook_count_read(enum hook_count which)
{
    return atomic_load(&counts[which]);
}

void hook_count_one(enum hook_count which)
{
    atomic_fetch_add(&counts[which], 1);
}

const char *hook_param(const struct hook *h, const char *name)
{
    const struct form_text *v = form_get(&h->body, name);

    if (!v)
        v = form_get(&h->query, name);
    return v ? v->data : "";
}

/* ---- whose it is, and whether it is them ---- */

static void refuse(const struct hook *h, struct response *resp, int status,
                   const char *code, const char *why)
{
    hook_count_one(HOOK_REFUSED);
    log_warn("hook", "tenant=%d provider=%s path=%s status=%d refused=%s",
             h->provider.tenant_id, h->provider.name, LOG_ESC(h->req->path), status, why);
    respond_error(resp, status, code, why);
}

void hook_fail(const struct hook *h, const struct hook_route *route,
               struct response *resp, const char *why, int err)
{
    hook_count_one(HOOK_FAILED);
    log_error("hook", "tenant=%d provider=%s path=%s failed=%s err=%d",
              h->provider.tenant_id, h->provider.name, LOG_ESC(h->req->path), why, err);
    buf_free(&resp->body);
    if (route->failed)
        route->failed(h, resp);
    else
        respond_error(resp, 503, "unavailable", "nothing was recorded; send it again");
}

static bool asked_url(const struct hook *h, char *out, size_t size)
{
    const struct server_config *c = &h->server->config;
    const struct provider_settings *s = &h->provider.settings;
    char peer[REQUEST_PEER_MAX];
    const struct hook_asked asked = {
        .public_url = s->public_url[0] ? s->public_url : c->common.public_url,
        .trusted_proxies = c->trusted_proxies,
        .peer = request_peer(h->req, peer),
        .host = request_header(h->req, "Host"),
        .forwarded_proto = request_header(h->req, "X-Forwarded-Proto"),
        .forwarded_host = request_header(h->req, "X-Forwarded-Host"),
        .url = h->req->url};

    return hook_url(&asked, out, size);
}

static bool plivo_is_proved(const struct hook *h, enum hook_group group,
                            struct signed_request *r)
{
    const char *token = h->provider.signing_token;
    static const char *const voice[] = {"X-Plivo-Signature-V3",
                                        "X-Plivo-Signature-Ma-V3"};
    static const char *const messages[] = {"X-Plivo-Signature-V2",
                                           "X-Plivo-Signature-Ma-V2"};
    bool right = false;

    r->nonce = request_header(h->req, "X-Plivo-Signature-V3-Nonce");
    for (size_t i = 0; i < ARRAY_LEN(voice); i++) {
        r->signature = request_header(h->req, voice[i]);
        right |= r->nonce && r->signature && signature_is_plivo_v3(token, r);
    }
    if (right || group != HOOK_MESSAGES || r->nonce)
        return right;
    r->nonce = request_header(h->req, "X-Plivo-Signature-V2-Nonce");
    for (size_t i = 0; i < ARRAY_LEN(messages); i++) {
        r->signature = request_header(h->req, messages[i]);
        right |= r->nonce && r->signature && signature_is_plivo_v2(token, r);
    }
    return right;
}

/* *nonce: the header, or NULL. */
static bool is_proved(const struct hook *h, enum hook_group group, const char *url,
                      const char **nonce)
{
    struct signed_request r = {.method = h->req->method,
                               .url = url,
                               .content_type = request_header(h->req, "Content-Type"),
                               .body = h->req->body ? h->req->body : "",
                               .body_len = h->req->body_len};
    bool right = true;

    *nonce = NULL;
    if (h->provider.kind == PROVIDER_TWILIO) {
        r.signature = request_header(h->req, "X-Twilio-Signature");
        right = r.signature && signature_is_twilio(h->provider.signing_token, &r);
    } else if (h->provider.kind == PROVIDER_PLIVO) {
        right = plivo_is_proved(h, group, &r) && strlen(r.nonce) < NONCE_MAX;
        *nonce = r.nonce;
    }
    return right;
}

static bool is_signed(const struct hook *h)
{
    static const char *const headers[] = {
        "X-Twilio-Signature", "X-Plivo-Signature-V3", "X-Plivo-Signature-Ma-V3",
        "X-Plivo-Signature-V2", "X-Plivo-Signature-Ma-V2"};
    bool any = false;

    for (size_t i = 0; i < ARRAY_LEN(headers); i++)
        any |= request_header(h->req, headers[i]) != NULL;
    return any;
}

/* Is it signed for this host by the one scheme or the other? *out: for which URL. */
static bool is_signed_for(const struct hook *h, enum hook_group group, const char *host,
                          size_t len, char *out, size_t size)
{
    static const char *const schemes[] = {"https", "http"};
    const char *nonce;

    for (size_t i = 0; i < ARRAY_LEN(schemes); i++) {
        int n =
            snprintf(out, size, "%s://%.*s%s", schemes[i], (int)len, host, h->req->url);
        if (n > 0 && (size_t)n < size && is_proved(h, group, out, &nonce))
            return true;
    }
    return false;
}

/* The log says what an operator can put right; the sender is told nothing of it. */
static void refuse_unproved(const struct hook *h, enum hook_group group, const char *url,
                            struct response *resp)
{
    static const char told[] = "the signature is not that of this account";
    char other[REQUEST_URL_MAX + 2 * PROVIDER_URL_MAX], base[2 * PROVIDER_URL_MAX];
    const char *scheme = strstr(url, "://");
    const char *host = scheme ? scheme + 3 : url;
    const char *asked = request_header(h->req, "Host");
    size_t len = (size_t)(strstr(url, h->req->url) - host);

    hook_count_one(HOOK_REFUSED);
    respond_error(resp, 403, "forbidden", told);
    snprintf(base, sizeof(base), "%.*s", (int)(host + len - url), url);
    if (!is_signed(h)) {
        log_warn("hook",
                 "tenant=%d provider=%s path=%s status=403 refused=unsigned: it bears no "
                 "signature",
                 h->provider.tenant_id, h->provider.name, LOG_ESC(h->req->path));
    } else if (is_signed_for(h, group, host, len, other, sizeof(other)) ||
               (asked &&
                is_signed_for(h, group, asked, strlen(asked), other, sizeof(other)))) {
        other[strlen(other) - strlen(h->req->url)] = '\0';
        log_warn("hook",
                 "tenant=%d provider=%s path=%s status=403 refused=url: it is signed for "
                 "%s, and was expected at %s; set public_url to what stands at the "
                 "provider's console",
                 h->provider.tenant_id, h->provider.name, LOG_ESC(h->req->path),
                 LOG_ESC(other), LOG_ESC(base));
    } else {
        log_warn(
            "hook",
            "tenant=%d provider=%s path=%s status=403 refused=signature: it is signed "
            "with another token, or for another URL than %s; 'furrow provider set %s "
            "--token-file FILE' states the token anew",
            h->provider.tenant_id, h->provider.name, LOG_ESC(h->req->path), LOG_ESC(base),
            h->provider.name);
    }
}

/* ---- what they say ---- */

static bool is_text(const struct form *f)
{
    for (size_t i = 0; i < f->n; i++) {
        const struct form_pair *p = &f->pairs[i];
        if (memchr(p->name.data, '\0', p->name.len) ||
            memchr(p->value.data, '\0', p->value.len) ||
            !str_is_utf8(p->name.data, p->name.len) ||
            !str_is_utf8(p->value.data, p->value.len))
            return false;
    }
    return true;
}

static bool read_params(struct hook *h)
{
    const char *query = strchr(h->req->url, '?');

    if (query && form_parse(&h->query, query + 1, strlen(query + 1)))
        return false;
    if (form_is_type(request_header(h->req, "Content-Type")) && h->req->body_len > 0 &&
        form_parse(&h->body, h->req->body, h->req->body_len))
        return false;
    return is_text(&h->query) && is_text(&h->body);
}

void hook_event(const struct hook *h, const char *nonce, struct provider_event *ev)
{
    CLEANUP(buf_free) struct buf all = {0};

    buf_printf(&all, "%s\n%s\n", h->req->method, h->req->url);
    buf_add(&all, h->req->body ? h->req->body : "", h->req->body_len);
    ev->account_id = h->provider.id;
    sha256_of(all.data, all.len, ev->request);
    if (nonce)
        sha256_of(nonce, strlen(nonce), ev->key);
    else
        memcpy(ev->key, ev->request, sizeof(ev->key));
}

/* ---- once ---- */

void hook_answer_again(struct provider_answer *a, struct response *resp)
{
    static const char *const types[] = {"application/json", "text/xml",
                                        "application/xml"};

    hook_count_one(HOOK_AGAIN);
    resp->status = a->status;
    resp->content_type = "text/plain";
    for (size_t i = 0; i < ARRAY_LEN(types); i++)
        if (str_is(a->content_type, types[i]))
            resp->content_type = types[i];
    buf_free(&resp->body);
    buf_add(&resp->body, a->body.data ? a->body.data : "", a->body.len);
    buf_free(&a->body);
}

int hook_find_before(struct hook *h, const struct provider_event *ev, bool *known,
                     struct response *resp)
{
    struct provider_answer before = {0};

    int err = provider_event_find(h->pg, ev, known, &before);
    if (!err && *known)
        hook_answer_again(&before, resp);
    return err;
}

int hook_keep(struct hook *h, const struct provider_event *ev,
              const struct response *resp)
{
    struct provider_answer a = {.status = resp->status, .body = resp->body};

    str_cut(a.content_type, sizeof(a.content_type), resp->content_type);
    return provider_event_keep(h->pg, h->provider.tenant_id, ev, &a, clock_real_ms());
}

/* *known: it was answered before, and resp is that answer. */
static int run_once(struct hook *h, const struct hook_route *route,
                    const struct provider_event *ev, struct response *resp, bool *known)
{
    int err = pg_begin_later(h->pg, h->provider.tenant_id);
    if (!err) /* the answer leaves after a flush (response.unflushed) */
        err = pg_run_later(h->pg, "SET LOCAL synchronous_commit = off", NULL);
    if (!err)
        err = hook_limit(h->pg, h->req, route->failed != NULL);
    if (err) {
        pg_rollback(h->pg);
        return err;
    }
    err = hook_find_before(h, ev, known, resp);
    if (!err && *known)
        return pg_end(h->pg, route->again ? route->again(h) : 0);
    if (!err)
        err = route->run(h, resp);
    if (!err)
        err = hook_keep(h, ev, resp);
    if (!err && h->after) /* what comes of it does not wait for the answer */
        err = pg_run_later(h->pg, "SET LOCAL synchronous_commit TO DEFAULT", NULL);
    return pg_end(h->pg, err);
}

void hook_after(struct hook *h, bool done)
{
    void (*after)(struct server *, void *, bool) = h->after;

    h->after = NULL;
    if (after)
        after(h->server, h->after_arg, done);
}

/* EEXIST: another copy of it was answered meanwhile. EAGAIN: a deadlock. */
static void run(struct hook *h, const struct hook_route *route,
                const struct provider_event *ev, struct response *resp)
{
    bool known = false;
    int err = EAGAIN;

    for (int i = 0; i < TRIES && (err == EEXIST || err == EAGAIN); i++) {
        buf_free(&resp->body);
        err = run_once(h, route, ev, resp, &known);
        hook_after(h, err == 0);
    }
    pg_pool_give(h->server->hook_pool, h->pg);
    h->pg = NULL;
    resp->unflushed = err == 0;
    if (err == EACCES)
        refuse(h, resp, 403, "forbidden", "this nonce was used for another request");
    else if (err)
        hook_fail(h, route, resp, "run", err);
    else if (!known)
        hook_count_one(HOOK_DONE);
}

/* ---- one request ---- */

void hook_free(struct hook *h)
{
    provider_wipe(&h->provider);
    form_free(&h->query);
    form_free(&h->body);
}

/* False: the answer is in resp. */
static bool find_account(struct hook *h, const char *name, const struct hook_route *route,
                         struct response *resp)
{
    struct errtext e = {0};
    struct uuid hook;
    int err = ENOENT;

    if (uuid_parse(name, &hook) == 0)
        err = hook_accounts_find(h->server->accounts, &hook,
                                 hook_find_ms(h->req, route->failed != NULL),
                                 &h->provider, &e);
    if (err == ENOENT) {
        hook_count_one(HOOK_REFUSED);
        log_warn("hook", "path=%s status=404 refused=unknown", LOG_ESC(h->req->path));
        respond_error(resp, 404, "not_found", "no such path");
    } else if (err) {
        log_error("hook", "%s", e.text);
        hook_fail(h, route, resp, "account", err);
    }
    return err == 0;
}

/* Whoever listens to the answer hears that something is wrong. */
static void refuse_garbled(const struct hook *h, const struct hook_route *route,
                           struct response *resp)
{
    refuse(h, resp, route->failed ? 200 : 400, "bad_encoding",
           "parameters are not UTF-8 text");
    if (!route->failed)
        return;
    buf_free(&resp->body);
    route->failed(h, resp);
}

bool hook_prepare(struct hook *h, const char *hook, const struct hook_route *route,
                  struct provider_event *ev, struct response *resp)
{
    char url[REQUEST_URL_MAX + 2 * PROVIDER_URL_MAX];
    const char *nonce = NULL;

    if (!find_account(h, hook, route, resp))
        return false;
    if (!asked_url(h, url, sizeof(url))) {
        refuse(h, resp, 403, "forbidden",
               "by which URL was this asked? set public_url of furrow-server");
        return false;
    }
    if (!is_proved(h, route->group, url, &nonce)) {
        refuse_unproved(h, route->group, url, resp);
        return false;
    }
    const char *end = strstr(url, h->req->url);
    snprintf(h->base, sizeof(h->base), "%.*s/hooks/%s", (int)(end - url), url, hook);
    if (!read_params(h)) {
        refuse_garbled(h, route, resp);
        return false;
    }
    hook_event(h, nonce, ev);
    return true;
}

void hook_serve(const struct request *req, const char *hook,
                const struct hook_route *route, struct response *resp)
{
    CLEANUP(hook_free)
    struct hook h = {
        .req = req, .server = req->app, .now_ms = clock_now_ms(), .can_wait = true};
    struct provider_event ev;

    if (!hook_prepare(&h, hook, route, &ev, resp))
        return;
    h.pg = hook_take(h.server->hook_pool, req, route->failed != NULL);
    run(&h, route, &ev, resp);
}

/* ---- when there is no time ---- */

/* Of an account that is not known here, as far as the request itself shows it. */
static void guess_account(struct hook *h)
{
    h->provider.kind = request_header(h->req, "X-Twilio-Signature")     ? PROVIDER_TWILIO
                       : request_header(h->req, "X-Plivo-Signature-V3") ? PROVIDER_PLIVO
                                                                        : PROVIDER_HTTP;
    str_cut(h->provider.name, sizeof(h->provider.name), "?");
}

void hook_shed(const struct request *req, const char *hook,
               const struct hook_route *route, struct response *resp)
{
    CLEANUP(hook_free)
    struct hook h = {
        .req = req, .server = req->app, .now_ms = clock_now_ms(), .at_once = true};
    char url[REQUEST_URL_MAX + 2 * PROVIDER_URL_MAX];
    const char *nonce;
    struct uuid id;

    bool known = uuid_parse(hook, &id) == 0 &&
                 hook_accounts_recall(h.server->accounts, &id, &h.provider);
    if (!known)
        guess_account(&h);
    if (known &&
        (!asked_url(&h, url, sizeof(url)) || !is_proved(&h, route->group, url, &nonce))) {
        refuse(&h, resp, 403, "forbidden", "the signature is not that of this account");
        return;
    }
    if (known) {
        const char *end = strstr(url, req->url);
        snprintf(h.base, sizeof(h.base), "%.*s/hooks/%s", (int)(end - url), url, hook);
    }
    hook_count_one(HOOK_SHED);
    (void)read_params(&h); /* what cannot be read is as if it were not there */
    if (route->failed) {
        route->failed(&h, resp);
    } else {
        respond_header(resp, "Retry-After", "5");
        respond_error(
            resp, 503, "overloaded",
            "nothing was recorded; wait as long as Retry-After says and send it "
            "again");
    }
}
