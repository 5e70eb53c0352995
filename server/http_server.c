#include "server/http_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include <microhttpd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/xalloc.h"
#include "server/contract.h"
#include "server/http_allow.h"
#include "server/http_aside.h"
#include "server/http_flush.h"
#include "server/http_framing.h"
#include "server/http_gate.h"
#include "server/http_origin.h"
#include "server/http_path.h"
#include "server/http_send.h"
#include "server/http_spool.h"
#include "server/http_wait.h"

enum {
    IDLE_TIMEOUT_S = 30,
    CONNECTIONS_MAX = 1024,
    PATH_BYTES_MAX = 1024,
    MEMORY_BODY_MAX = 128 * 1024, /* longer ones go to a file */
    LOOPS = 2,                    /* of each listener */
    ASIDE_THREADS = 4,
    STOP_MS = 2000, /* for answers that are ready to leave */
};

struct listener {
    struct http_server *server;
    int place;
    struct MHD_Daemon *daemon;
};

struct http_server {
    struct http_server_options options;
    char token[256];
    struct listener *listeners; /* the main one first */
    size_t listener_count;
    struct http_wait *wait;
    struct http_gate *gate;
    struct http_aside *aside;
    struct http_flush *flush; /* NULL: none */
    pthread_mutex_t lock;
    pthread_cond_t left; /* an answer has left */
    int owed;            /* answers to requests that came whole; guarded by lock */
};

/* One request, from its first header to its end. It belongs to the loop of its
 * connection, and while it stands in line or is served, to the gate. */
struct exchange {
    struct http_place task; /* first */
    const struct http_server *server;
    struct MHD_Connection *connection;
    const char *method, *decoded;  /* borrowed from the connection; decoded: the path */
    bool whole, answered, judging; /* it came whole; resp is the answer; may() is asked */
    struct response resp;
    const struct mount *mount; /* NULL: nobody is at home there */
    const struct route *route;
    char *url;  /* our copy, as it came; NULL: too long */
    char *path; /* our copy, cut into segments */
    const char *params[REQUEST_PARAMS_MAX];
    struct buf body;
    struct spool spool; /* of a long body */
    int refuse;         /* status to answer instead of calling the handler; 0 none */
    char allow[64];
    bool shed, judged;     /* judged: whether it may is known: */
    struct response early; /* the refusal, status 0: none */
    int tenant_id;
    char key_name[64];
    char memo[REQUEST_MEMO_MAX];
    struct http_waiter waiter;
    struct http_task aside;
    struct http_flushed flushed;
    bool at_disk; /* the answer waits for it */
};

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

static void find_route(const struct listener *l, struct exchange *x, const char *host,
                       const char *method, const char *url)
{
    const struct http_server_options *o = &l->server->options;

    x->refuse = MHD_HTTP_NOT_FOUND;
    for (size_t i = 0; i < o->mount_count; i++) {
        const struct mount *m = &o->mounts[i];
        const char *path = path_below(m->base, url);
        if (m->listener != l->place || !path || !host_is(m->host, host))
            continue;
        if (!x->mount)
            x->mount = m;
        if (find_in(m, x, method, path)) {
            x->mount = m;
            return;
        }
    }
}

/* Asked once, before a long body is kept. */
static void judge(const struct http_server *s, struct exchange *x, struct request *req)
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
    judge(s, x, req);
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

static struct request request_of(struct exchange *x)
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

static void respond_anew(struct exchange *x)
{
    buf_free(&x->resp.body);
    x->resp =
        (struct response){.status = 500, .content_type = "text/plain", .file_fd = -1};
}

/* What a request that waited would be told if it could not wait stands. */
static void serve_shed(struct exchange *x, struct request *req)
{
    if (x->resp.status && x->resp.again_ms > 0)
        return;
    respond_anew(x);
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
        respond_anew(x);
        reqs[n] = request_of(x);
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

/* Of the gate, or of the loop where nothing is to be waited for. */
static void serve_task(struct http_place *task, bool shed)
{
    struct exchange *x = (struct exchange *)task; /* its first member */

    if (task->many && !shed) {
        serve_many(task);
        return;
    }
    struct request req = request_of(x);
    if (x->judging) {
        x->judging = false;
        x->shed = shed;
        if (!shed)
            judge(x->server, x, &req);
        return;
    }
    if (shed) {
        serve_shed(x, &req);
        x->resp.again_ms = 0;
    } else {
        respond_anew(x);
        serve(x->server, x, &req, &x->resp);
    }
    x->answered = true;
}

static void serve_aside(void *arg)
{
    struct exchange *x = arg;
    struct request req = request_of(x);

    respond_anew(x);
    req.aside = true;
    serve(x->server, x, &req, &x->resp);
    x->answered = true;
    MHD_resume_connection(x->connection);
}

/* What may be lost is not told. */
static void answer_lost(struct exchange *x)
{
    struct request req = request_of(x);

    log_error("http", "path=%s err=%d what was done may not be on the disk",
              LOG_ESC(x->decoded), x->flushed.err);
    serve_shed(x, &req);
    x->resp.unflushed = false;
}

/* True: it is called again later; until then the answer stays. */
static bool is_at_disk(struct http_server *s, struct exchange *x)
{
    if (!x->resp.unflushed || !s->flush)
        return false;
    x->resp.unflushed = false;
    x->at_disk = x->answered = true;
    if (http_flush_add(s->flush, &x->flushed, x->connection))
        return true;
    x->at_disk = x->answered = false;
    x->flushed.err = ECANCELED;
    answer_lost(x);
    return false;
}

/* True: it is called again later, with another answer than the one that is there. */
static bool is_put_off(struct http_server *s, struct exchange *x)
{
    if (!x->resp.aside)
        return x->resp.again_ms > 0 &&
               http_wait_add(s->wait, &x->waiter, x->connection, x->resp.again_ms);
    x->aside = (struct http_task){.run = serve_aside, .arg = x};
    if (http_aside_add(s->aside, &x->aside, x->connection))
        return true;
    respond_anew(x);
    respond_error(&x->resp, MHD_HTTP_SERVICE_UNAVAILABLE, "unavailable",
                  "the server stops; send it again");
    return false;
}

static bool is_quick(const struct exchange *x)
{
    if (!x->route || x->route->class == HTTP_AT_ONCE)
        return true;
    if (x->refuse)
        return x->refuse != MHD_HTTP_CONTENT_TOO_LARGE || !x->mount->contract->too_large;
    return x->judged && x->early.status;
}

static enum MHD_Result answer(struct http_server *s, struct exchange *x)
{
    if (!x->whole) {
        x->whole = true;
        pthread_mutex_lock(&s->lock);
        s->owed++;
        pthread_mutex_unlock(&s->lock);
        if (x->spool.len > 0 && !x->refuse && !spool_map(&x->spool))
            x->refuse = MHD_HTTP_SERVICE_UNAVAILABLE;
    }
    if (!x->answered) {
        if (is_quick(x))
            serve_task(&x->task, false);
        else if (x->shed)
            serve_task(&x->task, true);
        else if (http_gate_enter(s->gate, &x->task, x->connection, x->route->class,
                                 !x->refuse && x->route->many))
            return MHD_YES;
        else
            serve_task(&x->task, true);
    }
    x->answered = false;
    if (x->at_disk && x->flushed.err)
        answer_lost(x);
    x->at_disk = false;
    if (is_at_disk(s, x) || is_put_off(s, x))
        return MHD_YES;
    log_debug("http", "method=%s path=%s status=%d", x->method, LOG_ESC(x->decoded),
              x->resp.status);
    return http_send(x->connection, &x->resp, x->allow);
}

/* Of a body that is too long for memory, all goes to a file. */
static int keep_long(const struct http_server *s, struct exchange *x, const char *data,
                     size_t size)
{
    int err = 0;

    if (x->spool.fd < 0) {
        err = spool_open(&x->spool, s->options.spool_dir);
        if (!err)
            err = spool_add(&x->spool, x->body.data, x->body.len);
        buf_free(&x->body);
    }
    return err ? err : spool_add(&x->spool, data, size);
}

/* Who may not, or not now, sends the rest in vain. */
static void let_by(struct exchange *x)
{
    buf_free(&x->body);
    spool_free(&x->spool);
}

/* Some bytes of the body. False: it is asked first whether its sender may; then they come
 * again. */
static bool take(const struct http_server *s, struct exchange *x, const char *data,
                 size_t size)
{
    size_t len = x->body.len + x->spool.len + size;

    if (x->refuse || x->shed || (x->judged && x->early.status))
        return true;
    if (len > x->route->max_body) {
        x->refuse = MHD_HTTP_CONTENT_TOO_LARGE;
    } else if (len <= MEMORY_BODY_MAX) {
        buf_add(&x->body, data, size);
        return true;
    } else if (!x->judged && x->route->scope == SCOPE_API) {
        x->judging = true;
        if (http_gate_enter(s->gate, &x->task, x->connection, x->route->class, false))
            return false;
        x->judging = false;
        x->shed = true;
    } else {
        struct request req = request_of(x);
        judge(s, x, &req);
        if (x->early.status)
            return true;
        int err = keep_long(s, x, data, size);
        if (!err)
            return true;
        log_warn("http", "path=%s a body cannot be kept: %s", LOG_ESC(x->decoded),
                 strerror(err));
        x->refuse = MHD_HTTP_SERVICE_UNAVAILABLE;
    }
    let_by(x);
    return true;
}

/* What is announced as too long, or cannot be served when it is there, is not waited for
 * in vain. */
static void judge_length(const struct http_server *s, struct exchange *x)
{
    const char *text =
        MHD_lookup_connection_value(x->connection, MHD_HEADER_KIND, "Content-Length");
    int64_t len = 0;

    if (x->refuse || !text || !str_to_i64(text, &len) || len <= 0)
        return;
    if ((uint64_t)len > x->route->max_body)
        x->refuse = MHD_HTTP_CONTENT_TOO_LARGE;
    else if (x->route->class == HTTP_REST)
        x->shed = http_gate_refuses(s->gate, HTTP_REST);
}

/* Where it ends is not certain: what follows is nobody's request. */
static enum MHD_Result hang_up(struct exchange *x, const char *why)
{
    struct request req = request_of(x);

    log_info("http", "path=%s refused: %s", LOG_ESC(x->decoded), why);
    respond_anew(x);
    respond_header(&x->resp, "Connection", "close");
    request_refuse_as(&req, &x->resp, MHD_HTTP_BAD_REQUEST, "bad_request", why);
    return http_send(x->connection, &x->resp, "");
}

/* Before anything is decoded: what a provider signs is the URL as it wrote it. */
static void *on_url(void *arg, const char *uri, struct MHD_Connection *c)
{
    struct exchange *x = xcalloc(1, sizeof(*x));

    (void)arg, (void)c;
    spool_init(&x->spool);
    x->resp.file_fd = -1;
    if (strlen(uri) < REQUEST_URL_MAX)
        x->url = xstrdup(uri);
    return x;
}

static enum MHD_Result on_request(void *arg, struct MHD_Connection *c, const char *url,
                                  const char *method, const char *version,
                                  const char *data, size_t *size, void **state)
{
    const struct listener *l = arg;
    struct exchange *x = *state;

    if (!x->connection) {
        const char *why = http_framing_error(c, version);
        x->server = l->server;
        x->connection = c;
        x->method = method;
        x->decoded = url;
        find_route(l, x, MHD_lookup_connection_value(c, MHD_HEADER_KIND, "Host"), method,
                   url);
        if (strlen(url) > PATH_BYTES_MAX || !x->url)
            x->refuse = MHD_HTTP_URI_TOO_LONG;
        if (why)
            return hang_up(x, why);
        judge_length(l->server, x);
        return MHD_YES;
    }
    if (*size > 0) {
        if (take(l->server, x, data, *size))
            *size = 0;
        return MHD_YES;
    }
    return answer(l->server, x);
}

static void settle(struct http_server *s)
{
    pthread_mutex_lock(&s->lock);
    s->owed--;
    pthread_cond_signal(&s->left);
    pthread_mutex_unlock(&s->lock);
}

static void on_done(void *arg, struct MHD_Connection *c, void **state,
                    enum MHD_RequestTerminationCode code)
{
    const struct listener *l = arg;
    struct exchange *x = *state;

    (void)c, (void)code;
    if (!x)
        return;
    http_wait_end(l->server->wait, &x->waiter);
    if (x->whole)
        settle(l->server);
    buf_free(&x->body);
    buf_free(&x->resp.body);
    if (x->resp.file_fd >= 0)
        close(x->resp.file_fd);
    buf_free(&x->early.body);
    spool_free(&x->spool);
    free(x->path);
    free(x->url);
    free(x);
    *state = NULL;
}

static int listen_at(struct listener *l, const char *address, int port, struct errtext *e)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};

    if (inet_pton(AF_INET, address, &at.sin_addr) != 1)
        return errtext_set(e, EINVAL, 0, 0, "'%s' is no IPv4 address to listen on",
                           address);
    l->daemon = MHD_start_daemon(
        MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_ERROR_LOG | MHD_ALLOW_SUSPEND_RESUME,
        (uint16_t)port, NULL, NULL, on_request, l, MHD_OPTION_URI_LOG_CALLBACK, on_url,
        NULL, MHD_OPTION_NOTIFY_COMPLETED, on_done, l, MHD_OPTION_SOCK_ADDR,
        (struct sockaddr *)&at, MHD_OPTION_THREAD_POOL_SIZE, (unsigned)LOOPS,
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_TIMEOUT_S,
        MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS_MAX, MHD_OPTION_END);
    if (l->daemon)
        return 0;
    return errtext_set(e, EADDRINUSE, 0, 0,
                       "cannot listen on %s:%d: %s (%s another port, 0 any free one)",
                       address, port, strerror(errno),
                       l->place == 0 ? "FURROW_PORT names" : "name");
}

static int start_threads(struct http_server *s, struct errtext *e)
{
    int err = http_wait_new(&s->wait, HTTP_WAITING_MAX);

    if (!err)
        err = http_gate_new(&s->gate, s->options.threads, &s->options.limits, serve_task);
    if (!err)
        err = http_aside_new(&s->aside, ASIDE_THREADS);
    if (!err && s->options.flush)
        err = http_flush_new(&s->flush, s->options.flush, s->options.app);
    return err ? errtext_set(e, err, 0, 0, "no thread can be started: %s", strerror(err))
               : 0;
}

int http_server_start(struct http_server **out, const struct http_server_options *o,
                      struct errtext *e)
{
    struct http_server *s = xcalloc(1, sizeof(*s));

    s->options = *o;
    str_cut(s->token, sizeof(s->token), o->media_token ? o->media_token : "");
    s->options.media_token = s->token;
    pthread_mutex_init(&s->lock, NULL);
    mono_cond_init(&s->left);
    s->listeners = xcalloc(o->other_count + 1, sizeof(*s->listeners));
    int err = start_threads(s, e);
    for (size_t i = 0; !err && i < o->other_count + 1; i++) {
        s->listeners[i] = (struct listener){.server = s, .place = (int)i};
        s->listener_count = i + 1;
        err = i == 0 ? listen_at(&s->listeners[i], o->address, o->port, e)
                     : listen_at(&s->listeners[i], o->others[i - 1].address,
                                 o->others[i - 1].port, e);
    }
    if (err)
        http_server_stop(s);
    else
        *out = s;
    return err;
}

void http_server_load(const struct http_server *s, struct http_load *out)
{
    http_gate_load(s->gate, out);
}

int http_server_port(const struct http_server *s, int listener)
{
    const union MHD_DaemonInfo *info =
        MHD_get_daemon_info(s->listeners[listener].daemon, MHD_DAEMON_INFO_BIND_PORT);

    return info ? info->port : 0;
}

/* Answers that are ready leave before the connections are closed, if they can. */
static void let_leave(struct http_server *s)
{
    int64_t at = mono_ms() + STOP_MS;
    const struct timespec until = {.tv_sec = (time_t)(at / 1000),
                                   .tv_nsec = (long)(at % 1000) * 1000000};
    int err = 0;

    pthread_mutex_lock(&s->lock);
    while (s->owed > 0 && !err)
        err = pthread_cond_timedwait(&s->left, &s->lock, &until);
    pthread_mutex_unlock(&s->lock);
}

void http_server_stop(struct http_server *s)
{
    if (!s)
        return;
    if (s->wait)
        http_wait_stop(s->wait);
    if (s->gate)
        http_gate_stop(s->gate);
    if (s->aside)
        http_aside_stop(s->aside);
    let_leave(s);
    if (s->flush)
        http_flush_stop(s->flush);
    for (size_t i = 0; i < s->listener_count; i++)
        if (s->listeners[i].daemon)
            MHD_stop_daemon(s->listeners[i].daemon);
    http_wait_free(s->wait);
    http_gate_free(s->gate);
    http_aside_free(s->aside);
    http_flush_free(s->flush);
    pthread_cond_destroy(&s->left);
    pthread_mutex_destroy(&s->lock);
    free(s->listeners);
    free(s);
}
