#include "base/redis.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#include "base/clock.h"
#include "base/str.h"
#include "base/xalloc.h"

enum { CONNECT_MS = 2000, BACKOFF_MIN_MS = 100, BACKOFF_MAX_MS = 2000 };

struct redis {
    redisContext *ctx;
    struct redis_address address;
    int timeout_ms, backoff_ms;
    unsigned connects;
    int64_t retry_at_ms; /* monotonic */
    char error[256];
};

static int parse_unix(const char *rest, struct redis_address *a)
{
    const char *query = strchr(rest, '?');
    size_t len = query ? (size_t)(query - rest) : strlen(rest);

    if (len == 0 || len >= sizeof(a->path))
        return EINVAL;
    memcpy(a->path, rest, len);
    a->path[len] = '\0';
    if (query && (sscanf(query, "?db=%d", &a->db) != 1 || a->db < 0))
        return EINVAL;
    return 0;
}

static int parse_tcp(const char *rest, struct redis_address *a)
{
    char host[sizeof(a->host) + 16];
    const char *at = strrchr(rest, '@');

    if (at) {
        const char *colon = strchr(rest, ':');
        if (!colon || colon > at || (size_t)(at - colon - 1) >= sizeof(a->password))
            return EINVAL;
        memcpy(a->password, colon + 1, (size_t)(at - colon - 1));
        rest = at + 1;
    }
    const char *slash = strchr(rest, '/');
    size_t len = slash ? (size_t)(slash - rest) : strlen(rest);
    if (len == 0 || len >= sizeof(host))
        return EINVAL;
    memcpy(host, rest, len);
    host[len] = '\0';
    if (slash && slash[1] && (sscanf(slash + 1, "%d", &a->db) != 1 || a->db < 0))
        return EINVAL;
    char *port = strrchr(host, ':');
    a->port = 6379;
    if (port) {
        *port++ = '\0';
        int64_t v = 0;
        if (!str_to_i64(port, &v) || v < 1 || v > 65535)
            return EINVAL;
        a->port = (int)v;
    }
    return str_copy(a->host, sizeof(a->host), host);
}

int redis_address_parse(const char *url, struct redis_address *out, struct errtext *e)
{
    struct redis_address a = {0};
    int err = EINVAL;

    if (strncmp(url, "unix://", 7) == 0)
        err = parse_unix(url + 7, &a);
    else if (strncmp(url, "redis://", 8) == 0)
        err = parse_tcp(url + 8, &a);
    if (err)
        return errtext_set(e, EINVAL, 0, 0,
                           "Redis URL: want redis://host:port/db or unix:///path.sock");
    *out = a;
    return 0;
}

static struct timeval to_timeval(int ms)
{
    return (struct timeval){.tv_sec = ms / 1000, .tv_usec = (ms % 1000) * 1000L};
}

static void drop(struct redis *r, const char *why)
{
    bool late = strcmp(why, strerror(EAGAIN)) == 0; /* what hiredis makes of a timeout */

    str_cut(r->error, sizeof(r->error), late ? "no answer in time" : why);
    if (r->ctx)
        redisFree(r->ctx);
    r->ctx = NULL;
}

static int hello(struct redis *r)
{
    CLEANUP(redis_reply_free) redisReply *reply = NULL;

    if (r->address.password[0]) {
        reply = redisCommand(r->ctx, "AUTH %s", r->address.password);
        if (!reply || reply->type == REDIS_REPLY_ERROR)
            return EACCES;
        redis_reply_free(&reply);
    }
    reply = redisCommand(r->ctx, "SELECT %d", r->address.db);
    return reply && reply->type != REDIS_REPLY_ERROR ? 0 : ECONNRESET;
}

static int connect_now(struct redis *r)
{
    struct timeval limit = to_timeval(CONNECT_MS);
    const struct redis_address *a = &r->address;

    r->ctx = a->path[0] ? redisConnectUnixWithTimeout(a->path, limit)
                        : redisConnectWithTimeout(a->host, a->port, limit);
    if (!r->ctx || r->ctx->err) {
        drop(r, r->ctx ? r->ctx->errstr : "out of memory");
        return ECONNRESET;
    }
    redisSetTimeout(r->ctx, to_timeval(r->timeout_ms));
    if (hello(r)) {
        drop(r, r->ctx->err ? r->ctx->errstr : "AUTH or SELECT refused");
        return ECONNRESET;
    }
    r->connects++;
    return 0;
}

static int ensure_connected(struct redis *r)
{
    if (r->ctx && !r->ctx->err)
        return 0;
    if (r->ctx)
        drop(r, r->ctx->errstr);
    if (mono_ms() < r->retry_at_ms)
        return ECONNRESET;
    int err = connect_now(r);
    if (err) {
        r->backoff_ms = r->backoff_ms ? r->backoff_ms * 2 : BACKOFF_MIN_MS;
        if (r->backoff_ms > BACKOFF_MAX_MS)
            r->backoff_ms = BACKOFF_MAX_MS;
        r->retry_at_ms = mono_ms() + r->backoff_ms;
        return err;
    }
    r->backoff_ms = 0;
    return 0;
}

int redis_open_later(struct redis **out, const char *url, struct errtext *e)
{
    struct redis *r = xcalloc(1, sizeof(*r));

    r->timeout_ms = 5000;
    int err = redis_address_parse(url, &r->address, e);
    if (err)
        redis_close(r);
    else
        *out = r;
    return err;
}

int redis_open(struct redis **out, const char *url, struct errtext *e)
{
    struct redis *r = NULL;

    int err = redis_open_later(&r, url, e);
    if (!err && (err = connect_now(r)))
        errtext_set(e, err, 0, 0, "Redis: %s", r->error);
    if (err)
        redis_close(r);
    else
        *out = r;
    return err;
}

void redis_close(struct redis *r)
{
    if (!r)
        return;
    if (r->ctx)
        redisFree(r->ctx);
    free(r);
}

static int judge(struct redis *r, redisReply *reply, redisReply **out)
{
    if (!reply) {
        drop(r, r->ctx->errstr);
        return ECONNRESET;
    }
    if (reply->type == REDIS_REPLY_ERROR) {
        str_cut(r->error, sizeof(r->error), reply->str);
        bool loading = strncmp(reply->str, "LOADING", 7) == 0;
        freeReplyObject(reply);
        return loading ? ECONNRESET : EPROTO;
    }
    if (out)
        *out = reply;
    else
        freeReplyObject(reply);
    return 0;
}

int redis_cmd(struct redis *r, redisReply **out, const char *fmt, ...)
{
    va_list ap;

    int err = ensure_connected(r);
    if (err)
        return err;
    va_start(ap, fmt);
    redisReply *reply = redisvCommand(r->ctx, fmt, ap);
    va_end(ap);
    return judge(r, reply, out);
}

int redis_cmd_argv(struct redis *r, redisReply **out, int argc, const char **argv,
                   const size_t *lengths)
{
    int err = ensure_connected(r);

    if (err)
        return err;
    return judge(r, redisCommandArgv(r->ctx, argc, argv, lengths), out);
}

void redis_set_timeout(struct redis *r, int timeout_ms)
{
    r->timeout_ms = timeout_ms;
    if (r->ctx)
        redisSetTimeout(r->ctx, to_timeval(timeout_ms));
}

const char *redis_error(const struct redis *r)
{
    return r->error;
}

int redis_run_id(struct redis *r, char out[REDIS_RUN_ID_MAX])
{
    CLEANUP(redis_reply_free) redisReply *reply = NULL;

    int err = redis_cmd(r, &reply, "INFO server");
    if (err)
        return err;
    const char *at = reply->str ? strstr(reply->str, "run_id:") : NULL;
    return at && sscanf(at, "run_id:%63[0-9a-f]", out) == 1 ? 0 : EPROTO;
}

unsigned redis_connects(const struct redis *r)
{
    return r->connects;
}

redisContext *redis_context(struct redis *r)
{
    return ensure_connected(r) ? NULL : r->ctx;
}

void redis_reply_free(redisReply **reply)
{
    if (*reply)
        freeReplyObject(*reply);
    *reply = NULL;
}
