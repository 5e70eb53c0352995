#include "server/http_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <microhttpd.h>

#include "base/log.h"
#include "base/xalloc.h"

enum { IDLE_TIMEOUT_S = 30, CONNECTIONS_MAX = 1024, PATH_BYTES_MAX = 1024 };

struct http_server {
    struct MHD_Daemon *daemon;
    struct http_server_options options;
    char token[256];
};

/* One request, from its first header to its end. */
struct exchange {
    const struct route *route;
    char *path; /* our copy, cut into segments */
    const char *params[REQUEST_PARAMS_MAX];
    struct buf body;
    int refuse; /* status to answer instead of calling the handler; 0 none */
    const char *allow;
};

void respond_text(struct response *resp, int status, const char *text)
{
    resp->status = status;
    resp->content_type = "text/plain; charset=utf-8";
    buf_puts(&resp->body, text);
}

void respond_error(struct response *resp, int status, const char *code, const char *hint)
{
    resp->status = status;
    resp->content_type = "application/json";
    buf_printf(&resp->body, "{\"error\":\"%s\",\"hint\":\"%s\"}\n", code, hint);
}

/* Cuts path at slashes while it compares; {name} takes one non-empty segment. */
static bool match(const char *pattern, char *path, const char **params)
{
    int n = 0;

    for (;;) {
        while (*pattern == '/')
            pattern++;
        while (*path == '/')
            path++;
        if (!*pattern || !*path)
            return !*pattern && !*path;
        size_t plen = strcspn(pattern, "/"), len = strcspn(path, "/");
        if (*pattern == '{') {
            if (n == REQUEST_PARAMS_MAX)
                return false;
            params[n++] = path;
        } else if (plen != len || strncmp(pattern, path, len) != 0) {
            return false;
        }
        pattern += plen;
        path += len;
        if (*path)
            *path++ = '\0';
    }
}

static void find_route(const struct http_server *s, struct exchange *x,
                       const char *method, const char *url)
{
    x->refuse = MHD_HTTP_NOT_FOUND;
    for (size_t i = 0; i < s->options.route_count; i++) {
        const struct route *r = &s->options.routes[i];
        free(x->path);
        x->path = xstrdup(url);
        if (!match(r->pattern, x->path, x->params))
            continue;
        if (strcmp(r->method, method) == 0 ||
            (strcmp(method, "HEAD") == 0 && strcmp(r->method, "GET") == 0)) {
            x->route = r;
            x->refuse = 0;
            return;
        }
        x->refuse = MHD_HTTP_METHOD_NOT_ALLOWED;
        x->allow = r->method;
    }
}

static bool has_media_token(const struct http_server *s, const char *authorization)
{
    char expected[sizeof(s->token) + 8];

    if (!s->token[0])
        return true;
    int n = snprintf(expected, sizeof(expected), "Bearer %s", s->token);
    return authorization && strlen(authorization) == (size_t)n &&
           mem_equal_ct(authorization, expected, (size_t)n);
}

/* False: the answer is in resp. */
static bool is_allowed(const struct http_server *s, const struct route *r,
                       struct request *req, struct response *resp)
{
    static const char bearer[] = "Bearer ";
    const char *given = req->authorization;
    int err = ENOENT;

    if (r->scope == SCOPE_OPEN)
        return true;
    if (r->scope == SCOPE_MEDIA) {
        if (has_media_token(s, given))
            return true;
        respond_error(resp, MHD_HTTP_UNAUTHORIZED, "unauthorized",
                      "send Authorization: Bearer <media_token>");
        return false;
    }
    if (given && strncasecmp(given, bearer, strlen(bearer)) == 0)
        err = s->options.authorise(req, given + strlen(bearer), r->api_scope);
    if (err == ENOENT)
        respond_error(resp, MHD_HTTP_UNAUTHORIZED, "unauthorized",
                      "send Authorization: Bearer <key>; 'furrow key create' makes one");
    else if (err == EACCES)
        respond_error(resp, MHD_HTTP_FORBIDDEN, "forbidden",
                      "this key may not do that; 'furrow key list' shows its scopes");
    else if (err)
        respond_error(resp, MHD_HTTP_SERVICE_UNAVAILABLE, "unavailable",
                      "the database does not answer; send it again");
    return err == 0;
}

static enum MHD_Result send_response(struct MHD_Connection *c, struct response *resp,
                                     const char *allow)
{
    struct MHD_Response *r =
        resp->file_fd >= 0
            ? MHD_create_response_from_fd64((uint64_t)resp->file_size, resp->file_fd)
            : MHD_create_response_from_buffer(resp->body.len, resp->body.data,
                                              MHD_RESPMEM_MUST_COPY);
    buf_free(&resp->body);
    if (!r)
        return MHD_NO;
    MHD_add_response_header(r, "Content-Type", resp->content_type);
    MHD_add_response_header(r, "X-Content-Type-Options", "nosniff");
    if (allow)
        MHD_add_response_header(r, "Allow", allow);
    enum MHD_Result ok = MHD_queue_response(c, (unsigned)resp->status, r);
    MHD_destroy_response(r);
    return ok;
}

static enum MHD_Result answer(const struct http_server *s, struct MHD_Connection *c,
                              struct exchange *x, const char *method, const char *url)
{
    struct response resp = {.status = 500, .content_type = "text/plain", .file_fd = -1};
    const char *authorization =
        MHD_lookup_connection_value(c, MHD_HEADER_KIND, "Authorization");

    if (x->refuse == MHD_HTTP_NOT_FOUND)
        respond_error(&resp, x->refuse, "not_found", "no such path");
    else if (x->refuse == MHD_HTTP_METHOD_NOT_ALLOWED)
        respond_error(&resp, x->refuse, "method_not_allowed", "see the Allow header");
    else if (x->refuse)
        respond_error(&resp, x->refuse, "too_large",
                      "the body is over this path's limit");
    else {
        struct request req = {.method = method,
                              .path = url,
                              .authorization = authorization,
                              .body = x->body.data,
                              .body_len = x->body.len,
                              .app = s->options.app};
        memcpy(req.params, x->params, sizeof(req.params));
        if (is_allowed(s, x->route, &req, &resp))
            x->route->handler(&req, &resp);
    }
    log_debug("http", "method=%s path=%s status=%d", method, LOG_ESC(url), resp.status);
    return send_response(c, &resp, x->allow);
}

static enum MHD_Result on_request(void *arg, struct MHD_Connection *c, const char *url,
                                  const char *method, const char *version,
                                  const char *data, size_t *size, void **state)
{
    const struct http_server *s = arg;
    struct exchange *x = *state;

    (void)version;
    if (!x) {
        x = *state = xcalloc(1, sizeof(*x));
        if (strlen(url) > PATH_BYTES_MAX)
            x->refuse = MHD_HTTP_NOT_FOUND;
        else
            find_route(s, x, method, url);
        return MHD_YES;
    }
    if (*size > 0) {
        if (!x->refuse && x->body.len + *size > x->route->max_body)
            x->refuse = MHD_HTTP_CONTENT_TOO_LARGE;
        if (!x->refuse)
            buf_add(&x->body, data, *size);
        *size = 0;
        return MHD_YES;
    }
    return answer(s, c, x, method, url);
}

static void on_done(void *arg, struct MHD_Connection *c, void **state,
                    enum MHD_RequestTerminationCode code)
{
    struct exchange *x = *state;

    (void)arg, (void)c, (void)code;
    if (!x)
        return;
    buf_free(&x->body);
    free(x->path);
    free(x);
    *state = NULL;
}

int http_server_start(struct http_server **out, const struct http_server_options *o,
                      struct errtext *e)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)o->port)};

    if (inet_pton(AF_INET, o->address, &at.sin_addr) != 1)
        return errtext_set(e, EINVAL, 0, 0, "listen_address '%s' is no IPv4 address",
                           o->address);
    struct http_server *s = xcalloc(1, sizeof(*s));
    s->options = *o;
    str_cut(s->token, sizeof(s->token), o->media_token ? o->media_token : "");
    s->daemon = MHD_start_daemon(
        MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_ERROR_LOG, (uint16_t)o->port, NULL, NULL,
        on_request, s, MHD_OPTION_NOTIFY_COMPLETED, on_done, NULL, MHD_OPTION_SOCK_ADDR,
        (struct sockaddr *)&at, MHD_OPTION_THREAD_POOL_SIZE, (unsigned)o->threads,
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_TIMEOUT_S,
        MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS_MAX, MHD_OPTION_END);
    if (!s->daemon) {
        free(s);
        return errtext_set(e, EADDRINUSE, 0, 0, "cannot listen on %s:%d: %s", o->address,
                           o->port, strerror(errno));
    }
    *out = s;
    return 0;
}

int http_server_port(const struct http_server *s)
{
    const union MHD_DaemonInfo *info =
        MHD_get_daemon_info(s->daemon, MHD_DAEMON_INFO_BIND_PORT);

    return info ? info->port : 0;
}

void http_server_stop(struct http_server *s)
{
    if (!s)
        return;
    MHD_stop_daemon(s->daemon);
    free(s);
}
