/* A request's body is taken, its turn comes, its answer waits for what it waits for. */
#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "server/contract.h"
#include "server/http_exchange.h"
#include "server/http_send.h"

enum { MEMORY_BODY_MAX = 128 * 1024 /* longer ones go to a file */ };

/* What may be lost is not told. */
static void answer_lost(struct exchange *x)
{
    struct request req = exchange_request(x);

    log_error("http", "path=%s err=%d what was done may not be on the disk",
              LOG_ESC(x->decoded), x->flushed.err);
    exchange_serve_shed(x, &req);
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
    x->aside = (struct http_task){.run = exchange_serve_aside, .arg = x};
    if (http_aside_add(s->aside, &x->aside, x->connection))
        return true;
    exchange_respond_anew(x);
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

enum MHD_Result exchange_answer(struct http_server *s, struct exchange *x)
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
            exchange_serve(&x->task, false);
        else if (x->shed)
            exchange_serve(&x->task, true);
        else if (http_gate_enter(s->gate, &x->task, x->connection, x->route->class,
                                 !x->refuse && x->route->many))
            return MHD_YES;
        else
            exchange_serve(&x->task, true);
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

bool exchange_take(const struct http_server *s, struct exchange *x, const char *data,
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
        struct request req = exchange_request(x);
        exchange_judge(s, x, &req);
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

void exchange_judge_length(const struct http_server *s, struct exchange *x)
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

enum MHD_Result exchange_hang_up(struct exchange *x, const char *why)
{
    struct request req = exchange_request(x);

    log_info("http", "path=%s refused: %s", LOG_ESC(x->decoded), why);
    exchange_respond_anew(x);
    respond_header(&x->resp, "Connection", "close");
    request_refuse_as(&req, &x->resp, MHD_HTTP_BAD_REQUEST, "bad_request", why);
    return http_send(x->connection, &x->resp, "");
}
