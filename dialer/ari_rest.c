#include "dialer/ari_inside.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/http.h"
#include "base/log.h"
#include "base/str.h"
#include "base/xalloc.h"

struct pending { /* one request, or the word that it could not be sent */
    struct dialer *dialer;
    ari_reply_fn *fn;
    struct ari_ask ask;
    uv_timer_t refused;
    int err;
};

static void tell(const struct pending *p, const struct web_resp *resp)
{
    if (resp->err || resp->status == 401 || resp->status == 403)
        log_debug("ari", "answer=%ld err=%d", resp->status, resp->err);
    if (p->fn)
        p->fn(p->dialer, resp, &p->ask);
}

static void on_done(const struct web_resp *resp, void *arg)
{
    struct pending *p = arg;

    tell(p, resp);
    free(p);
}

static void on_closed(uv_handle_t *h)
{
    struct pending *p = h->data;

    tell(p, &(struct web_resp){.err = p->err, .body = ""});
    free(p);
}

void ari_send(struct dialer *d, const struct ari_request *request, ari_reply_fn *fn,
              const struct ari_ask *ask)
{
    static const char *const json[] = {"Content-Type: application/json", NULL};
    if (ari_wire_takes(d->ari, request)) {
        ari_wire_send(d->ari, request, fn, ask);
        return;
    }
    struct pending *p = xcalloc(1, sizeof(*p));
    p->dialer = d;
    p->fn = fn;
    if (ask)
        p->ask = *ask;
    const char *base = d->config.ari_url;
    int len = (int)strlen(base);
    while (len > 0 && base[len - 1] == '/')
        len--;
    char *url = xasprintf("%.*s%s", len, base, request->path);
    p->err = web_send(d->web,
                      &(struct web_req){
                          .method = request->method,
                          .url = url,
                          .headers = request->body ? json : NULL,
                          .body = request->body,
                          .body_len = request->body ? strlen(request->body) : 0,
                          .user = d->config.ari_user,
                          .password = d->config.ari_secret,
                          .timeout_ms = request->timeout_ms,
                          .once = request->once,
                          .direct = true,
                      },
                      on_done, p);
    free(url);
    if (!p->err)
        return;
    p->err = ECONNREFUSED; /* nothing has left */
    uv_timer_init(d->loop, &p->refused);
    p->refused.data = p;
    uv_close((uv_handle_t *)&p->refused, on_closed);
}

/* A path made of parts, each text among them escaped. */
static void put_path(struct buf *path, const char *fmt, va_list args)
{
    for (const char *p = fmt; *p; p++) {
        if (*p != '%') {
            buf_add(path, p, 1);
        } else if (*++p == 's') {
            char *escaped = http_escape(va_arg(args, const char *));
            buf_puts(path, escaped);
            free(escaped);
        } else {
            buf_printf(path, "%d", va_arg(args, int));
        }
    }
}

void ari_sendf(struct dialer *d, const char *method, ari_reply_fn *fn,
               const struct ari_ask *ask, const char *fmt, ...)
{
    CLEANUP(buf_free) struct buf path = {0};
    va_list args;

    va_start(args, fmt);
    put_path(&path, fmt, args);
    va_end(args);
    ari_send(d, &(struct ari_request){.method = method, .path = path.data}, fn, ask);
}

void ari_sendf_brief(struct dialer *d, const char *method, ari_reply_fn *fn,
                     const struct ari_ask *ask, const char *fmt, ...)
{
    CLEANUP(buf_free) struct buf path = {0};
    va_list args;

    va_start(args, fmt);
    put_path(&path, fmt, args);
    va_end(args);
    ari_send(d, &(struct ari_request){.method = method, .path = path.data, .brief = true},
             fn, ask);
}
