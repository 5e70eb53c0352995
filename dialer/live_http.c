/* The API nodes of flows: the engine's request, with its secrets, through dialer/web. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/files.h"
#include "base/log.h"
#include "base/xalloc.h"
#include "dialer/live_call.h"
#include "dialer/web.h"

enum { SECRETS_MAX = 1 << 16, HEADERS_MAX = 32, ANSWER_MAX = 64 << 10 };

/* ---- secrets ---- */

struct secret {
    struct secret *next;
    char *name, *value;
};

void secrets_free(struct secret *s)
{
    while (s) {
        struct secret *next = s->next;
        free(s->name);
        free(s->value);
        free(s);
        s = next;
    }
}

struct secret *secrets_load(const char *path)
{
    CLEANUP(free_cleanup) char *text = NULL;
    struct secret *all = NULL;
    char *line, *rest;

    int err = path[0] ? files_read(path, SECRETS_MAX, &text, NULL) : ENOENT;
    if (err) {
        if (path[0])
            log_warn("live", "secrets_file=%s err=%d", LOG_ESC(path), err);
        return NULL;
    }
    rest = text;
    while ((line = strsep(&rest, "\n"))) {
        char *value = strchr(line, '=');
        line = str_trim(line);
        if (!value || line[0] == '#' || value < line)
            continue;
        *value++ = '\0';
        struct secret *s = xcalloc(1, sizeof(*s));
        *s = (struct secret){all, xstrdup(str_trim(line)), xstrdup(str_trim(value))};
        all = s;
    }
    return all;
}

static const char *secret_find(const struct secret *s, const char *name, size_t len)
{
    for (; s; s = s->next)
        if (strlen(s->name) == len && memcmp(s->name, name, len) == 0)
            return s->value;
    return NULL;
}

/* Puts secrets in the place of {secret:NAME}. ENOENT: one is not there. */
static int fill_in(struct live_call *c, const char *text, struct buf *out)
{
    static const char mark[] = "{secret:";
    const char *at;

    while ((at = strstr(text, mark))) {
        const char *name = at + sizeof(mark) - 1, *end = strchr(name, '}');
        if (!end)
            break;
        const char *value = secret_find(c->lives->secrets, name, (size_t)(end - name));
        if (!value) {
            char what[64];
            snprintf(what, sizeof(what), "%.*s", (int)(end - name), name);
            live_warn(c, "secret_missing", what);
            return ENOENT;
        }
        buf_add(out, text, (size_t)(at - text));
        buf_puts(out, value);
        text = end + 1;
    }
    buf_puts(out, text);
    return 0;
}

/* ---- the request ---- */

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
        in.http.result = resp->err == 0           ? IVR_HTTP_ANSWERED
                         : resp->err == ETIMEDOUT ? IVR_HTTP_TIMEOUT
                                                  : IVR_HTTP_FAILED;
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

static int send_it(struct live_call *c, const struct ivr_http *http, struct buf *texts,
                   size_t n)
{
    const char *headers[HEADERS_MAX + 1] = {NULL};
    struct asked *a = xcalloc(1, sizeof(*a));

    for (size_t i = 0; i < http->header_count; i++)
        headers[i] = texts[i + 1].data;
    *a = (struct asked){c->lives, c->start.id, c->state->seq};
    live_hold(c->lives);
    int err = web_send(c->lives->d->web,
                       &(struct web_req){.method = http->method,
                                         .url = texts[0].data,
                                         .headers = n > 1 ? headers : NULL,
                                         .body = http->body,
                                         .body_len = http->body ? strlen(http->body) : 0,
                                         .timeout_ms = http->timeout_ms > INT_MAX
                                                           ? INT_MAX
                                                           : (int)http->timeout_ms,
                                         .max_bytes = ANSWER_MAX,
                                         .once = true},
                       answered, a);
    if (err) {
        free(a);
        live_let_go(c->lives);
    }
    return err;
}

bool live_http_send(struct live_call *c, const struct ivr_http *http)
{
    struct buf texts[HEADERS_MAX + 1] = {{0}};
    size_t n = http->header_count + 1;

    if (!c->lives->d->web || http->header_count > HEADERS_MAX) {
        live_warn(c, "http_refused", "no client, or too many headers");
        return false;
    }
    int err = fill_in(c, http->url, &texts[0]);
    for (size_t i = 0; !err && i < http->header_count; i++) {
        buf_printf(&texts[i + 1], "%s: ", http->headers[i].name);
        err = fill_in(c, http->headers[i].value, &texts[i + 1]);
    }
    if (!err) {
        err = send_it(c, http, texts, n);
        if (err)
            live_warn(c, "http_refused", "the request could not be sent");
    }
    for (size_t i = 0; i < n; i++)
        buf_free(&texts[i]);
    return !err;
}
