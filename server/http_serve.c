/* Requests find their route and their handler. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "server/contract.h"
#include "server/http_allow.h"
#include "server/http_exchange.h"
#include "server/http_origin.h"
#include "server/http_path.h"

/* True: the mount knows the path, and x says what is done with it. */
static bool find_in(const struct mount *m, struct exchange *x, const char *method,
                    const char *path)
{
    bool known = false;

    for (size_t i = 0; i < m->contract->route_count; i++) {
        const struct route *r = &m->contract->routes[i];
        if (!path_is_like(r->pattern, path))
            continue;
        free(x->path);
        x->path = xstrdup(path);
        if (!path_match(r->pattern, x->path, x->params))
            continue;
        if (strcmp(r->method, method) == 0 ||
            (strcmp(method, "HEAD") == 0 && strcmp(r->method, "GET") == 0)) {
            x->route = r;
            x->refuse = 0;
            return true;
        }
        size_t n = strlen(x->allow);
        snprintf(x->allow + n, sizeof(x->allow) - n, "%s%s", n ? ", " : "", r->method);
        x->refuse = MHD_HTTP_METHOD_NOT_ALLOWED;
        known = true;
    }
    return known;
}

void exchange_find_route(const struct http_server *s, int listener, struct exchange *x,
                         const char *host)
{
    const struct http_server_options *o = &s->options;

    x->refuse = MHD_HTTP_NOT_FOUND;
    for (size_t i = 0; i < o->mount_count; i++) {
        const struct mount *m = &o->mounts[i];
        const char *path = path_below(m->base, x->decoded);
        if (m->listener != listener || !path || !host_is(m->host, host))
            continue;
        if (!x->mount)
            x->mount = m;
        if (find_in(m, x, x->method, path)) {
            x->mount = m;
            return;
        }
    }
}

void exchange_judge(const struct http_server *s, struct exchange *x, struct request *req)
{
    if (x->judged)
        return;
    x->early = (struct response){.content_type = "text/plain", .file_fd = -1};
    x->judged = true;
    (void)http_is_allowed(&s->options, x->route, req, &x->early);
    x->tenant_id = req->tenant_id;
    memcpy(x->key_name, req->key_name, sizeof(x->key_name));
}

/* False: the answer is in resp. */
static bool may(const struct http_server *s, struct exchange *x, struct request *req,
                struct response *resp)
{
    exchange_judge(s, x, req);
    req->tenant_id = x->tenant_id;
    memcpy(req->key_name, x->key_name, sizeof(req->key_name));
    if (x->early.status == 0)
        return true;
    *resp = x->early;
    x->early.body = (struct buf){0};
    return false;
}

/* A body that was not taken: too long, or there was no place for it. */
static void serve_untaken(const struct http_server *s, struct exchange *x,
                          struct request *req, struct response *resp)
{
    route_fn *too_large = x->mount->contract->too_large;

    if (x->refuse == MHD_HTTP_SERVICE_UNAVAILABLE) {
        respond_header(resp, "Retry-After", "5");
        request_refuse_as(
            req, resp, x->refuse, "unavailable",
            "there is no place for it now; wait as long as Retry-After says "
            "and send it again");
    } else if (!too_large) {
        request_refuse_as(req, resp, x->refuse, "too_large",
                          "the body is over this path's limit");
    } else if (may(s, x, req, resp)) {
        too_large(req, resp);
    }
}

static void serve(const struct http_server *s, struct exchange *x, struct request *req,
                  struct response *resp)
{
    if (x->refuse && origin_asks(req)) {
        x->allow[0] = '\0';
        origin_answer(req, resp);
    } else if (x->refuse == MHD_HTTP_NOT_FOUND) {
        request_refuse_as(req, resp, x->refuse, "not_found", "no such path");
    } else if (x->refuse == MHD_HTTP_METHOD_NOT_ALLOWED) {
        request_refuse_as(req, resp, x->refuse, "method_not_allowed",
                          "see the Allow header");
    } else if (x->refuse == MHD_HTTP_URI_TOO_LONG) {
        request_refuse_as(req, resp, x->refuse, "too_long",
                          "the address is too long: a path has at most 1024 bytes, with "
                          "its query 4095");
    } else if (x->refuse) {
        serve_untaken(s, x, req, resp);
    } else if (may(s, x, req, resp)) {
        x->route->handler(req, resp);
    }
    if (x->mount)
        origin_allow(req, resp);
}

struct request exchange_request(struct exchange *x)
{
    struct request req = {
        .method = x->method,
        .path = x->mount ? path_below(x->mount->base, x->decoded) : x->decoded,
        .url = x->url,
        .connection = x->connection,
        .server = x->server,
        .authorization =
            MHD_lookup_connection_value(x->connection, MHD_HEADER_KIND, "Authorization"),
        .body = x->spool.map ? x->spool.map : x->body.data,
        .body_len = x->spool.map ? x->spool.len : x->body.len,
        .since_ms = x->task.since_ms,
        .memo = x->memo,
        .mount = x->mount,
        .tenant_id = x->mount ? x->mount->tenant_id : 0,
        .app = x->server->options.app};

    memcpy(req.params, x->params, sizeof(req.params));
    return req;
}

void exchange_respond_anew(struct exchange *x)
{
    buf_free(&x->resp.body);
    x->resp =
        (struct response){.status = 500, .content_type = "text/plain", .file_fd = -1};
}

void exchange_serve_shed(struct exchange *x, struct request *req)
{
    if (x->resp.status && x->resp.again_ms > 0)
        return;
    exchange_respond_anew(x);
    if (x->route->shed) {
        x->route->shed(req, &x->resp);
    } else {
        respond_header(&x->resp, "Retry-After", "5");
        request_refuse_as(req, &x->resp, MHD_HTTP_SERVICE_UNAVAILABLE, "overloaded",
                          "there is too much to do now; wait as long as Retry-After says "
                          "and send it again");
    }
    origin_allow(req, &x->resp);
}

/* Those of one function; others wait for their own handlers. */
static void serve_many(struct http_place *first)
{
    struct exchange *all[HTTP_MANY_MAX];
    struct request reqs[HTTP_MANY_MAX];
    struct response *resps[HTTP_MANY_MAX];
    bool done[HTTP_MANY_MAX] = {false};
    route_many_fn *many = ((struct exchange *)first)->route->many;
    size_t n = 0;

    for (struct http_place *p = first; p; p = p->next) {
        struct exchange *x = (struct exchange *)p;
        p->many = x->route->many == many;
        if (!p->many)
            continue;
        exchange_respond_anew(x);
        reqs[n] = exchange_request(x);
        resps[n] = &x->resp;
        all[n++] = x;
    }
    many(reqs, resps, done, n);
    for (size_t i = 0; i < n; i++) {
        all[i]->answered = all[i]->task.many = done[i];
        if (done[i])
            origin_allow(&reqs[i], resps[i]);
    }
}

void exchange_serve(struct http_place *task, bool shed)
{
    struct exchange *x = (struct exchange *)task; /* its first member */

    if (task->many && !shed) {
        serve_many(task);
        return;
    }
    struct request req = exchange_request(x);
    if (x->judging) {
        x->judging = false;
        x->shed = shed;
        if (!shed)
            exchange_judge(x->server, x, &req);
        return;
    }
    if (shed) {
        exchange_serve_shed(x, &req);
        x->resp.again_ms = 0;
    } else {
        exchange_respond_anew(x);
        serve(x->server, x, &req, &x->resp);
    }
    x->answered = true;
}

void exchange_serve_aside(void *arg)
{
    struct exchange *x = arg;
    struct request req = exchange_request(x);

    exchange_respond_anew(x);
    req.aside = true;
    serve(x->server, x, &req, &x->resp);
    x->answered = true;
    MHD_resume_connection(x->connection);
}
