#include "campaigns/flow_api.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/files.h"
#include "base/log.h"
#include "base/str.h"
#include "base/url.h"
#include "base/xalloc.h"

enum { SECRETS_MAX = 1 << 16 };

/* ---- secrets ---- */

struct flow_secrets {
    struct flow_secrets *next;
    char *name, *value;
};

void flow_secrets_free(struct flow_secrets *s)
{
    while (s) {
        struct flow_secrets *next = s->next;
        free(s->name);
        free(s->value);
        free(s);
        s = next;
    }
}

struct flow_secrets *flow_secrets_read(const char *path)
{
    CLEANUP(free_cleanup) char *text = NULL;
    struct flow_secrets *all = NULL;
    char *line, *rest;

    int err = path[0] ? files_read(path, SECRETS_MAX, &text, NULL) : ENOENT;
    if (err) {
        if (path[0])
            log_warn("flow", "secrets_file=%s err=%d", LOG_ESC(path), err);
        return NULL;
    }
    rest = text;
    while ((line = strsep(&rest, "\n"))) {
        char *value = strchr(line, '=');
        line = str_trim(line);
        if (!value || line[0] == '#' || value < line)
            continue;
        *value++ = '\0';
        struct flow_secrets *s = xcalloc(1, sizeof(*s));
        *s =
            (struct flow_secrets){all, xstrdup(str_trim(line)), xstrdup(str_trim(value))};
        all = s;
    }
    return all;
}

static const char *secret_find(const struct flow_secrets *s, const char *name, size_t len)
{
    for (; s; s = s->next)
        if (strlen(s->name) == len && memcmp(s->name, name, len) == 0)
            return s->value;
    return NULL;
}

/* Puts secrets in the place of {secret:NAME}. ENOENT: one is not there. */
static int fill_in(const struct flow_secrets *secrets, const char *text, struct buf *out,
                   char why[FLOW_SECRET_NAME_MAX])
{
    static const char mark[] = "{secret:";
    const char *at;

    while ((at = strstr(text, mark))) {
        const char *name = at + sizeof(mark) - 1, *end = strchr(name, '}');
        if (!end)
            break;
        const char *value = secret_find(secrets, name, (size_t)(end - name));
        if (!value) {
            snprintf(why, FLOW_SECRET_NAME_MAX, "%.*s", (int)(end - name), name);
            return ENOENT;
        }
        buf_add(out, text, (size_t)(at - text));
        buf_puts(out, value);
        text = end + 1;
    }
    buf_puts(out, text);
    return 0;
}

/* ---- where it leads ---- */

static size_t without_port(const char *host, size_t len)
{
    size_t n = len;

    while (n > 0 && host[n - 1] >= '0' && host[n - 1] <= '9')
        n--;
    /* What stands in brackets is an address with colons of its own. */
    return n > 1 && n < len && host[n - 1] == ':' &&
                   (host[0] != '[' || host[n - 2] == ']')
               ? n - 1
               : len;
}

static bool is_it(const char *host, size_t len, const char *entry, size_t entry_len)
{
    if (without_port(entry, entry_len) == entry_len)
        len = without_port(host, len);
    return url_host_is_in(host, len, entry, entry_len);
}

static bool is_listed(const char *host, size_t len, const char *list)
{
    while (*(list += strspn(list, ", "))) {
        size_t n = strcspn(list, ", ");
        if (is_it(host, len, list, n))
            return true;
        list += n;
    }
    return false;
}

static int may(const char *hosts, const char *url, char why[FLOW_SECRET_NAME_MAX])
{
    size_t len = 0;
    bool https = false;
    const char *host = url_authority(url, &len, &https);

    if (host && (!hosts[0] || is_listed(host, len, hosts)))
        return 0;
    snprintf(why, FLOW_SECRET_NAME_MAX, "%.*s", host ? (int)len : 4, host ? host : url);
    return EACCES;
}

/* ---- the request ---- */

void flow_request_free(struct flow_request *r)
{
    free(r->method);
    free(r->url);
    for (size_t i = 0; i < FLOW_HEADERS_MAX; i++)
        free(r->headers[i]);
    free(r->body);
    *r = (struct flow_request){0};
}

static int fill_header(const struct flow_api *api, const struct ivr_header *h, char **out,
                       char why[FLOW_SECRET_NAME_MAX])
{
    struct buf b = {0};

    buf_printf(&b, "%s: ", h->name);
    int err = fill_in(api->secrets, h->value, &b, why);
    if (err)
        buf_free(&b);
    *out = err ? NULL : b.data;
    return err;
}

int flow_request_make(const struct flow_api *api, const struct ivr_http *http,
                      struct flow_request *out, char why[FLOW_SECRET_NAME_MAX])
{
    struct flow_request r = {.public_only = !api->hosts[0]};
    struct buf url = {0};

    *out = (struct flow_request){0};
    why[0] = '\0';
    if (http->header_count > FLOW_HEADERS_MAX) {
        snprintf(why, FLOW_SECRET_NAME_MAX, "more than %d headers", FLOW_HEADERS_MAX);
        return EMSGSIZE;
    }
    int err = fill_in(api->secrets, http->url, &url, why);
    r.url = url.data ? url.data : xstrdup("");
    if (!err)
        err = may(api->hosts, r.url, why);
    for (size_t i = 0; !err && i < http->header_count; i++)
        err = fill_header(api, &http->headers[i], &r.headers[i], why);
    if (err) {
        flow_request_free(&r);
        return err;
    }
    r.method = xstrdup(http->method);
    r.body = http->body ? xstrdup(http->body) : NULL;
    r.body_len = r.body ? strlen(r.body) : 0;
    r.timeout_ms = http->timeout_ms > INT_MAX ? INT_MAX : (int)http->timeout_ms;
    *out = r;
    return 0;
}

const char *flow_request_warning(int err)
{
    return err == ENOENT ? "secret_missing" : "http_refused";
}

enum ivr_http_result flow_http_result(int err)
{
    if (err == 0)
        return IVR_HTTP_ANSWERED;
    return err == ETIMEDOUT ? IVR_HTTP_TIMEOUT : IVR_HTTP_FAILED;
}
