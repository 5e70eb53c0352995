#include "server/http_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/xalloc.h"
#include "server/http_exchange.h"
#include "server/http_framing.h"

enum {
    IDLE_TIMEOUT_S = 30,
    CONNECTIONS_MAX = 1024,
    PATH_BYTES_MAX = 1024,
    LOOPS = 2, /* of each listener */
    ASIDE_THREADS = 4,
    STOP_MS = 2000, /* for answers that are ready to leave */
};

struct listener {
    struct http_server *server;
    int place;
    struct MHD_Daemon *daemon;
};

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
        exchange_find_route(l->server, l->place, x,
                            MHD_lookup_connection_value(c, MHD_HEADER_KIND, "Host"));
        if (strlen(url) > PATH_BYTES_MAX || !x->url)
            x->refuse = MHD_HTTP_URI_TOO_LONG;
        if (why)
            return exchange_hang_up(x, why);
        exchange_judge_length(l->server, x);
        return MHD_YES;
    }
    if (*size > 0) {
        if (exchange_take(l->server, x, data, *size))
            *size = 0;
        return MHD_YES;
    }
    return exchange_answer(l->server, x);
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
        err = http_gate_new(&s->gate, s->options.threads, &s->options.limits,
                            exchange_serve);
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
