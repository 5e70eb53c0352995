#include "base/http.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include <curl/curl.h>

#include "base/str.h"
#include "base/xalloc.h"

enum {
    CONNECT_MS = 3000,
    TOTAL_MS = 30000,
    MAX_BYTES = 8 << 20,
    SLOW_BYTES = 32,
    SLOW_S = 15
};

struct http {
    CURL *curl;
    const atomic_bool *stop;
};

struct transfer {
    const struct http_req *req;
    struct http_resp *resp;
    struct buf body;
    size_t seen, max;
    bool too_big, sink_failed;
};

int http_new(struct http **out, const atomic_bool *stop)
{
    struct http *h = xcalloc(1, sizeof(*h));

    h->curl = curl_easy_init();
    if (!h->curl) {
        free(h);
        return ENOMEM;
    }
    h->stop = stop;
    *out = h;
    return 0;
}

void http_free(struct http *h)
{
    if (!h)
        return;
    curl_easy_cleanup(h->curl);
    free(h);
}

static size_t on_body(char *data, size_t size, size_t count, void *arg)
{
    struct transfer *t = arg;
    size_t n = size * count;

    t->seen += n;
    if (t->seen > t->max) {
        t->too_big = true;
        return 0;
    }
    if (!t->req->sink) {
        buf_add(&t->body, data, n);
        return n;
    }
    if (fwrite(data, 1, n, t->req->sink) != n) {
        t->sink_failed = true;
        return 0;
    }
    return n;
}

static size_t on_header(char *line, size_t size, size_t count, void *arg)
{
    struct transfer *t = arg;
    size_t n = size * count;
    char text[600];

    if (n >= sizeof(text))
        return n;
    memcpy(text, line, n);
    text[n] = '\0';
    char *colon = strchr(text, ':');
    if (!colon)
        return n;
    *colon = '\0';
    const char *value = str_trim(colon + 1);
    int64_t seconds = 0;
    if (strcasecmp(text, "content-type") == 0)
        str_cut(t->resp->content_type, sizeof(t->resp->content_type), value);
    else if (strcasecmp(text, "location") == 0)
        str_cut(t->resp->location, sizeof(t->resp->location), value);
    else if (strcasecmp(text, "retry-after") == 0 && str_to_i64(value, &seconds))
        t->resp->retry_after_s = seconds;
    return n;
}

static int on_progress(void *arg, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    const struct http *h = arg;

    (void)a, (void)b, (void)c, (void)d;
    return h->stop && atomic_load(h->stop);
}

static curl_mime *build_parts(CURL *curl, const struct http_req *req)
{
    if (!req->parts)
        return NULL;
    curl_mime *mime = curl_mime_init(curl);
    for (size_t i = 0; i < req->part_count; i++) {
        const struct http_part *p = &req->parts[i];
        curl_mimepart *part = curl_mime_addpart(mime);
        curl_mime_name(part, p->name);
        if (p->path)
            curl_mime_filedata(part, p->path);
        else
            curl_mime_data(part, p->data, p->len);
        if (p->filename)
            curl_mime_filename(part, p->filename);
        if (p->content_type)
            curl_mime_type(part, p->content_type);
    }
    return mime;
}

static struct curl_slist *build_headers(const struct http_req *req)
{
    struct curl_slist *list = curl_slist_append(NULL, "Expect:");

    for (size_t i = 0; req->headers && req->headers[i]; i++)
        list = curl_slist_append(list, req->headers[i]);
    return list;
}

/* IANA's special-purpose registries: addresses that are nobody's on the Internet. */
static bool is_public4(uint32_t a)
{
    static const struct {
        uint32_t net;
        int bits;
    } inner[] = {
        {0x00000000, 8},  {0x0a000000, 8},  {0x64400000, 10}, {0x7f000000, 8},
        {0xa9fe0000, 16}, {0xac100000, 12}, {0xc0000000, 24}, {0xc0a80000, 16},
        {0xc6120000, 15}, {0xe0000000, 3},
    };

    for (size_t i = 0; i < ARRAY_LEN(inner); i++)
        if ((a ^ inner[i].net) >> (32 - inner[i].bits) == 0)
            return false;
    return true;
}

/* Global unicast alone, and what is not a v4 address in disguise. */
static bool is_public6(const uint8_t *b)
{
    return (b[0] & 0xe0) == 0x20 && !(b[0] == 0x20 && b[1] == 0x02) &&
           !(b[0] == 0x20 && b[1] == 0x01 && b[2] == 0 && b[3] == 0);
}

bool http_address_is_public(const struct sockaddr *at)
{
    if (at->sa_family == AF_INET)
        return is_public4(
            ntohl(((const struct sockaddr_in *)(const void *)at)->sin_addr.s_addr));
    return at->sa_family == AF_INET6 &&
           is_public6(((const struct sockaddr_in6 *)(const void *)at)->sin6_addr.s6_addr);
}

/* Asked with the address that the name has led to, so no name leads around it. */
static curl_socket_t open_public(void *arg, curlsocktype purpose,
                                 struct curl_sockaddr *at)
{
    (void)arg, (void)purpose;
    if (!http_address_is_public(&at->addr))
        return CURL_SOCKET_BAD;
    return socket(at->family, at->socktype | SOCK_CLOEXEC, at->protocol);
}

void http_curl_public_only(void *curl)
{
    curl_easy_setopt(curl, CURLOPT_OPENSOCKETFUNCTION, open_public);
    curl_easy_setopt(curl, CURLOPT_FRESH_CONNECT, 1L); /* none that was opened without */
    curl_easy_setopt(curl, CURLOPT_FORBID_REUSE, 1L);
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
}

static void set_limits(struct http *h, const struct http_req *req)
{
    CURL *c = h->curl;

    curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS,
                     (long)(req->connect_ms > 0 ? req->connect_ms : CONNECT_MS));
    curl_easy_setopt(c, CURLOPT_TIMEOUT_MS,
                     (long)(req->timeout_ms > 0 ? req->timeout_ms : TOTAL_MS));
    curl_easy_setopt(c, CURLOPT_LOW_SPEED_LIMIT, (long)SLOW_BYTES);
    curl_easy_setopt(c, CURLOPT_LOW_SPEED_TIME, (long)SLOW_S);
    curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(c, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, req->redirects > 0 ? 1L : 0L);
    curl_easy_setopt(c, CURLOPT_MAXREDIRS, (long)req->redirects);
    if (req->public_only)
        http_curl_public_only(c);
    if (req->once) {
        curl_easy_setopt(c, CURLOPT_FRESH_CONNECT, 1L);
        curl_easy_setopt(c, CURLOPT_FORBID_REUSE, 1L);
    }
    curl_easy_setopt(c, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(c, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl_easy_setopt(c, CURLOPT_XFERINFODATA, h);
}

static void set_content(CURL *c, const struct http_req *req)
{
    curl_easy_setopt(c, CURLOPT_URL, req->url);
    if (req->body) {
        curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)req->body_len);
        curl_easy_setopt(c, CURLOPT_POSTFIELDS, req->body);
    }
    if (req->upload) {
        curl_easy_setopt(c, CURLOPT_UPLOAD, 1L);
        curl_easy_setopt(c, CURLOPT_READDATA, req->upload); /* by fread */
        curl_easy_setopt(c, CURLOPT_INFILESIZE_LARGE, (curl_off_t)req->upload_bytes);
    }
    if (req->method && strcmp(req->method, "HEAD") == 0)
        curl_easy_setopt(c, CURLOPT_NOBODY, 1L);
    else if (req->method)
        curl_easy_setopt(c, CURLOPT_CUSTOMREQUEST, req->method);
    if (req->user) {
        if (req->aws_sigv4)
            curl_easy_setopt(c, CURLOPT_AWS_SIGV4, req->aws_sigv4);
        else
            curl_easy_setopt(c, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
        curl_easy_setopt(c, CURLOPT_USERNAME, req->user);
        curl_easy_setopt(c, CURLOPT_PASSWORD, req->password ? req->password : "");
    }
}

int http_curl_errno(int code)
{
    switch (code) {
    case CURLE_OK:
        return 0;
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
        return EINVAL;
    case CURLE_COULDNT_CONNECT:
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
        return ECONNREFUSED;
    case CURLE_OPERATION_TIMEDOUT:
        return ETIMEDOUT;
    case CURLE_ABORTED_BY_CALLBACK:
        return ECANCELED;
    default:
        return ECONNRESET;
    }
}

static int to_errno(CURLcode code, const struct transfer *t)
{
    if (t->too_big)
        return EMSGSIZE;
    return t->sink_failed ? EIO : http_curl_errno((int)code);
}

int http_do(struct http *h, const struct http_req *req, struct http_resp *resp)
{
    CURL *c = h->curl;
    struct transfer t = {
        .req = req, .resp = resp, .max = req->max_bytes ? req->max_bytes : MAX_BYTES};

    *resp = (struct http_resp){.retry_after_s = -1};
    curl_easy_reset(c);
    set_limits(h, req);
    set_content(c, req);
    curl_mime *mime = build_parts(c, req);
    if (mime)
        curl_easy_setopt(c, CURLOPT_MIMEPOST, mime);
    struct curl_slist *headers = build_headers(req);
    curl_easy_setopt(c, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(c, CURLOPT_WRITEDATA, &t);
    curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(c, CURLOPT_HEADERDATA, &t);
    char why[CURL_ERROR_SIZE] = "";
    curl_easy_setopt(c, CURLOPT_ERRORBUFFER, why);
    CURLcode code = curl_easy_perform(c);
    curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &resp->status);
    curl_easy_setopt(c, CURLOPT_ERRORBUFFER, NULL);
    curl_slist_free_all(headers);
    curl_mime_free(mime);
    resp->len = t.seen;
    if (!req->sink)
        resp->body = buf_take(&t.body);
    int err = to_errno(code, &t);
    if (err)
        str_cut(resp->error, sizeof(resp->error),
                why[0] ? why : curl_easy_strerror(code));
    return err;
}

void http_resp_free(struct http_resp *resp)
{
    free(resp->body);
    resp->body = NULL;
}

char *http_escape(const char *text)
{
    char *curl_text = curl_easy_escape(NULL, text, 0);
    char *out = xstrdup(curl_text ? curl_text : "");

    curl_free(curl_text);
    return out;
}
