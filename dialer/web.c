/*
 * libcurl asks for sockets to be watched (uv_poll) and for one timer; both only tell it
 * to go on. Finished requests are read from it after each turn, outside its own
 * callbacks, so a done may send again.
 */
#include "dialer/web.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <curl/curl.h>

#include "base/http.h"
#include "base/log.h"
#include "base/str.h"
#include "base/xalloc.h"

enum {
    CONNECT_MS = 3000,
    CONNECT_ONCE_MS = 1500, /* what must not be late fails early */
    TOTAL_MS = 10000,
    MAX_BYTES = 1 << 20,
    OPEN_MAX = 4096,
    IDLE_S = 10, /* Asterisk drops an idle connection after 15 s */
};

struct request {
    struct request *next, **link;
    struct web *web;
    CURL *curl;
    struct curl_slist *headers;
    struct buf once; /* the body that is given once */
    size_t given;
    struct buf body;
    size_t max;
    bool too_big;
    web_done_fn *done;
    void *arg;
};

struct watch { /* freed when its handle has closed */
    uv_poll_t poll;
    struct web *web;
    curl_socket_t fd;
};

struct web { /* freed when the timer has closed */
    uv_timer_t timer;
    uv_loop_t *loop;
    CURLM *multi;
    struct request *open;
    size_t open_count;
    int max_host;
    bool closing;
};

static int to_errno(CURLcode code, const struct request *r)
{
    int err = http_curl_errno((int)code);
    long sent = 0;

    if (r->too_big)
        return EMSGSIZE;
    curl_easy_getinfo(r->curl, CURLINFO_REQUEST_SIZE, &sent);
    return sent == 0 && (err == ETIMEDOUT || err == ECONNRESET) ? ECONNREFUSED : err;
}

/* Takes it out of the list and of libcurl, tells, frees. */
static void finish(struct request *r, int err)
{
    struct web *w = r->web;
    struct web_resp resp = {.err = err, .body = "", .len = r->body.len};

    if (!err)
        curl_easy_getinfo(r->curl, CURLINFO_RESPONSE_CODE, &resp.status);
    if (r->body.data)
        resp.body = r->body.data;
    curl_multi_remove_handle(w->multi, r->curl);
    *r->link = r->next;
    if (r->next)
        r->next->link = r->link;
    w->open_count--;
    r->done(&resp, r->arg);
    curl_easy_cleanup(r->curl);
    curl_slist_free_all(r->headers);
    buf_free(&r->once);
    buf_free(&r->body);
    free(r);
}

static void read_finished(struct web *w)
{
    CURLMsg *msg = NULL;
    int left = 0;

    while ((msg = curl_multi_info_read(w->multi, &left))) {
        struct request *r = NULL;
        if (msg->msg != CURLMSG_DONE)
            continue;
        CURLcode code = msg->data.result;
        curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, &r);
        finish(r, to_errno(code, r));
    }
}

static void go_on(struct web *w, curl_socket_t fd, int what)
{
    int running = 0;

    curl_multi_socket_action(w->multi, fd, what, &running);
    read_finished(w);
}

/* ---- what libcurl asks for ---- */

static void on_ready(uv_poll_t *poll, int status, int events)
{
    const struct watch *h = poll->data;
    int what = status < 0 ? CURL_CSELECT_ERR : 0;

    if (events & UV_READABLE)
        what |= CURL_CSELECT_IN;
    if (events & UV_WRITABLE)
        what |= CURL_CSELECT_OUT;
    go_on(h->web, h->fd, what);
}

static void on_watch_closed(uv_handle_t *h)
{
    free(h->data);
}

static void unwatch(struct web *w, struct watch *h, curl_socket_t fd)
{
    if (!h)
        return;
    curl_multi_assign(w->multi, fd, NULL);
    uv_poll_stop(&h->poll);
    uv_close((uv_handle_t *)&h->poll, on_watch_closed);
}

static int on_socket(CURL *curl, curl_socket_t fd, int what, void *arg, void *socket_arg)
{
    struct web *w = arg;
    struct watch *h = socket_arg;

    (void)curl;
    if (what == CURL_POLL_REMOVE) {
        unwatch(w, h, fd);
        return 0;
    }
    if (!h) {
        h = xcalloc(1, sizeof(*h));
        h->web = w;
        h->fd = fd;
        if (uv_poll_init_socket(w->loop, &h->poll, fd)) {
            free(h);
            return -1;
        }
        h->poll.data = h;
        curl_multi_assign(w->multi, fd, h);
    }
    int events = (what & CURL_POLL_IN ? UV_READABLE : 0) |
                 (what & CURL_POLL_OUT ? UV_WRITABLE : 0);
    return uv_poll_start(&h->poll, events, on_ready) ? -1 : 0;
}

static void on_time(uv_timer_t *timer)
{
    go_on(timer->data, CURL_SOCKET_TIMEOUT, 0);
}

static int on_timer(CURLM *multi, long ms, void *arg)
{
    struct web *w = arg;

    (void)multi;
    if (ms < 0)
        uv_timer_stop(&w->timer);
    else
        uv_timer_start(&w->timer, on_time, (uint64_t)ms, 0);
    return 0;
}

static size_t on_body(char *data, size_t size, size_t count, void *arg)
{
    struct request *r = arg;
    size_t n = size * count;

    if (r->body.len + n > r->max) {
        r->too_big = true;
        return 0;
    }
    buf_add(&r->body, data, n);
    return n;
}

/* ---- sending ---- */

static size_t on_give(char *to, size_t size, size_t count, void *arg)
{
    struct request *r = arg;
    size_t n = r->once.len - r->given;

    if (n > size * count)
        n = size * count;
    memcpy(to, r->once.data + r->given, n);
    r->given += n;
    return n;
}

/* Without a way to go back in the body libcurl gives up where it would send it again. */
static void set_body_once(struct request *r, const struct web_req *req)
{
    buf_add(&r->once, req->body, req->body_len);
    curl_easy_setopt(r->curl, CURLOPT_POST, 1L);
    curl_easy_setopt(r->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)req->body_len);
    curl_easy_setopt(r->curl, CURLOPT_READFUNCTION, on_give);
    curl_easy_setopt(r->curl, CURLOPT_READDATA, r);
}

static void set_content(struct request *r, const struct web_req *req)
{
    CURL *c = r->curl;

    curl_easy_setopt(c, CURLOPT_URL, req->url);
    if (req->body && req->once) {
        set_body_once(r, req);
    } else if (req->body) {
        curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)req->body_len);
        curl_easy_setopt(c, CURLOPT_COPYPOSTFIELDS, req->body);
    } else if (str_is(req->method, "POST") || str_is(req->method, "PUT")) {
        curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)0);
        curl_easy_setopt(c, CURLOPT_COPYPOSTFIELDS, "");
    }
    if (str_is(req->method, "HEAD"))
        curl_easy_setopt(c, CURLOPT_NOBODY, 1L);
    else if (req->method)
        curl_easy_setopt(c, CURLOPT_CUSTOMREQUEST, req->method);
    if (req->user) {
        curl_easy_setopt(c, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
        curl_easy_setopt(c, CURLOPT_USERNAME, req->user);
        curl_easy_setopt(c, CURLOPT_PASSWORD, req->password ? req->password : "");
    }
}

static void set_transport(CURL *c, const struct web_req *req)
{
    curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS,
                     (long)(req->once ? CONNECT_ONCE_MS : CONNECT_MS));
    curl_easy_setopt(c, CURLOPT_TIMEOUT_MS,
                     (long)(req->timeout_ms > 0 ? req->timeout_ms : TOTAL_MS));
    curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(c, CURLOPT_MAXAGE_CONN, (long)IDLE_S);
    curl_easy_setopt(c, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    if (req->public_only)
        http_curl_public_only(c);
    if (req->once && !req->body) {
        curl_easy_setopt(c, CURLOPT_FRESH_CONNECT, 1L);
        curl_easy_setopt(c, CURLOPT_FORBID_REUSE, 1L);
    }
    if (req->direct)
        curl_easy_setopt(c, CURLOPT_PROXY, "");
}

static void set_answer(struct request *r, const struct web_req *req)
{
    r->max = req->max_bytes ? req->max_bytes : MAX_BYTES;
    r->headers = curl_slist_append(NULL, "Expect:");
    for (size_t i = 0; req->headers && req->headers[i]; i++)
        r->headers = curl_slist_append(r->headers, req->headers[i]);
    curl_easy_setopt(r->curl, CURLOPT_HTTPHEADER, r->headers);
    curl_easy_setopt(r->curl, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(r->curl, CURLOPT_WRITEDATA, r);
    curl_easy_setopt(r->curl, CURLOPT_PRIVATE, r);
}

int web_send(struct web *w, const struct web_req *req, web_done_fn *done, void *arg)
{
    if (w->closing)
        return ECANCELED;
    if (!req->url || !req->url[0])
        return EINVAL;
    if (w->open_count >= OPEN_MAX)
        return EAGAIN;
    struct request *r = xcalloc(1, sizeof(*r));
    r->curl = curl_easy_init();
    if (!r->curl) {
        free(r);
        return EAGAIN;
    }
    r->web = w;
    r->done = done;
    r->arg = arg;
    set_transport(r->curl, req);
    set_content(r, req);
    set_answer(r, req);
    r->next = w->open;
    r->link = &w->open;
    if (w->open)
        w->open->link = &r->next;
    w->open = r;
    w->open_count++;
    /* Only arms the timer: nothing is sent from here. */
    CURLMcode code = curl_multi_add_handle(w->multi, r->curl);
    if (code)
        log_error("web", "err=%s", LOG_ESC(curl_multi_strerror(code)));
    return 0;
}

/* ---- life ---- */

int web_max_host(const struct web *w)
{
    return w->max_host;
}

static void on_closed(uv_handle_t *h)
{
    free(h->data);
}

void web_close(struct web *w)
{
    if (!w)
        return;
    w->closing = true;
    while (w->open)
        finish(w->open, ECANCELED);
    curl_multi_cleanup(w->multi);
    uv_close((uv_handle_t *)&w->timer, on_closed);
}

int web_new(struct web **out, uv_loop_t *loop, int max_host)
{
    struct web *w = xcalloc(1, sizeof(*w));

    if (curl_global_init(CURL_GLOBAL_DEFAULT) || !(w->multi = curl_multi_init())) {
        free(w);
        return ENOMEM;
    }
    w->loop = loop;
    w->max_host = max_host;
    uv_timer_init(loop, &w->timer);
    w->timer.data = w;
    curl_multi_setopt(w->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(w->multi, CURLMOPT_SOCKETDATA, w);
    curl_multi_setopt(w->multi, CURLMOPT_TIMERFUNCTION, on_timer);
    curl_multi_setopt(w->multi, CURLMOPT_TIMERDATA, w);
    curl_multi_setopt(w->multi, CURLMOPT_MAX_HOST_CONNECTIONS, (long)max_host);
    /* Kept as long as they may serve; by itself it closes them when few are busy. */
    curl_multi_setopt(w->multi, CURLMOPT_MAXCONNECTS, (long)max_host);
    *out = w;
    return 0;
}
