/*
 * content in a bucket. A name is only of letters that stand for themselves in a URL, so
 * that what is signed is what is asked on every service. An object is asked for before it
 * is put: the same recording is sent once, and a second sender could only write the same.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/content_ops.h"
#include "base/files.h"
#include "base/http.h"
#include "base/str.h"
#include "base/xalloc.h"

#define EMPTY_SHA256 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

enum { HEADER_MAX = 128, ANSWER_MAX = 65536, CODE_MAX = 64, DOCUMENT_HEAD = 512 };

static bool only(const char *text, const char *letters)
{
    return text[strspn(text, letters)] == '\0';
}

#define SMALL   "abcdefghijklmnopqrstuvwxyz0123456789"
#define LETTERS SMALL "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

static int judge_settings(const struct config_common *k, struct errtext *e)
{
    size_t n = strlen(k->content_bucket);

    if (n < 3 || n > 63 || !only(k->content_bucket, SMALL "-."))
        return errtext_set(e, EINVAL, 0, 0,
                           "content_bucket = '%s' is no name of a bucket: 3 to 63 small "
                           "letters, digits, '-', '.'",
                           k->content_bucket);
    if (!k->content_region[0] || !only(k->content_region, SMALL "-"))
        return errtext_set(e, EINVAL, 0, 0,
                           "content_region = '%s' is no region, e.g. "
                           "us-east-1",
                           k->content_region);
    if (!only(k->content_prefix, LETTERS "-._/") || k->content_prefix[0] == '/' ||
        strstr(k->content_prefix, ".."))
        return errtext_set(e, EINVAL, 0, 0,
                           "content_prefix = '%s': want letters, digits, '-', '.', '_' "
                           "and '/', not at its beginning",
                           k->content_prefix);
    if (!k->content_key_id[0] || !k->content_secret[0])
        return errtext_set(e, EINVAL, 0, 0,
                           "content_bucket wants content_key_id and content_secret (or "
                           "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY)");
    return 0;
}

int content_s3_init(struct content *c, struct errtext *e)
{
    const struct config_common *k = c->config;
    CLEANUP(free_cleanup)
    char *endpoint = k->content_endpoint[0]
                         ? xstrdup(k->content_endpoint)
                         : xasprintf("https://s3.%s.amazonaws.com", k->content_region);
    char *host = strstr(endpoint, "://");
    size_t prefix = strlen(k->content_prefix);

    c->ops = &content_s3;
    int err = judge_settings(k, e);
    if (err)
        return err;
    if (!host ||
        (strncmp(endpoint, "https://", 8) != 0 && strncmp(endpoint, "http://", 7) != 0))
        return errtext_set(e, EINVAL, 0, 0,
                           "content_endpoint = '%s': want https://host[:port]", endpoint);
    host += 3;
    host[strcspn(host, "/")] = '\0';
    if (prefix && k->content_prefix[prefix - 1] == '/')
        prefix--;
    /* Services on a host of their own seldom answer at bucket.host. */
    bool as_path = str_is(k->content_addressing, "path") ||
                   (str_is(k->content_addressing, "auto") && k->content_endpoint[0]);
    int n = as_path ? snprintf(c->base, sizeof(c->base), "%s/%s%s%.*s", endpoint,
                               k->content_bucket, prefix ? "/" : "", (int)prefix,
                               k->content_prefix)
                    : snprintf(c->base, sizeof(c->base), "%.*s%s.%s%s%.*s",
                               (int)(host - endpoint), endpoint, k->content_bucket, host,
                               prefix ? "/" : "", (int)prefix, k->content_prefix);
    snprintf(c->signing, sizeof(c->signing), "aws:amz:%s:s3", k->content_region);
    return (size_t)n >= sizeof(c->base)
               ? errtext_set(e, EINVAL, 0, 0, "content_endpoint is too long")
               : 0;
}

/* <Code> of an error's document: what the service calls it. */
static void read_code(const char *document, char out[CODE_MAX])
{
    const char *from = strstr(document, "<Code>");
    size_t n = from ? strcspn(from += 6, "<") : 0;

    out[0] = '\0';
    if (n >= CODE_MAX || strspn(from ? from : "", LETTERS) < n)
        return;
    memcpy(out, from ? from : "", n);
    out[n] = '\0';
}

/* What would have been the object is the error's document then. */
static void read_error(const struct http_req *req, const struct http_resp *resp,
                       char out[CODE_MAX])
{
    char head[DOCUMENT_HEAD] = "";
    ssize_t n = 0;

    if (req->sink && fflush(req->sink) == 0)
        n = pread(fileno(req->sink), head, sizeof(head) - 1, 0);
    head[n > 0 ? n : 0] = '\0';
    read_code(resp->body ? resp->body : head, out);
}

static int judge(const struct content *c, const struct http_req *req,
                 const struct http_resp *resp, struct errtext *e)
{
    char code[CODE_MAX];

    if (resp->status / 100 == 2)
        return 0;
    read_error(req, resp, code);
    int err = resp->status == 404                          ? ENOENT
              : resp->status == 401 || resp->status == 403 ? EACCES
              : resp->status == 408 || resp->status == 429 || resp->status / 100 == 5
                  ? EAGAIN
                  : EPROTO;
    return errtext_set(e, err, 0, 0, "the bucket at %.150s answered %ld%s%s%s",
                       content_place(c), resp->status, code[0] ? " " : "", code,
                       err == EACCES ? "; check content_key_id, content_secret, "
                                       "content_region and this machine's clock"
                                     : "");
}

/* One signed request. hash: of what is sent. */
static int ask(const struct content *c, struct http *http, const struct http_req *asked,
               const char *hash, struct errtext *e)
{
    CLEANUP(http_resp_free) struct http_resp resp = {0};
    struct http_req req = *asked;
    const struct config_common *k = c->config;
    char stated[HEADER_MAX];
    const char *headers[] = {
        stated, req.upload ? "Content-Type: application/octet-stream" : NULL, NULL};

    snprintf(stated, sizeof(stated), "x-amz-content-sha256: %s", hash);
    req.headers = headers;
    req.user = k->content_key_id;
    req.password = k->content_secret;
    req.aws_sigv4 = c->signing;
    req.timeout_ms = (int)k->content_timeout_s * 1000;
    int err = http_do(http, &req, &resp);
    if (err == EMSGSIZE || err == ECANCELED)
        return errtext_set(e, err, 0, 0,
                           err == EMSGSIZE ? "the object is larger than %lld MiB "
                                             "(content_max_mib)"
                                           : "stopped",
                           (long long)k->content_max_mib);
    if (err)
        return errtext_set(e, EAGAIN, 0, 0, "the bucket at %.150s: %.120s",
                           content_place(c), resp.error);
    return judge(c, &req, &resp, e);
}

static int has(const struct content *c, struct http *http, const char *name,
               struct errtext *e)
{
    struct http_req req = {.method = "HEAD", .url = name};

    return ask(c, http, &req, EMPTY_SHA256, e);
}

static int put(const struct content *c, struct http *http, const char *name,
               const char *sha256, const char *path, int64_t bytes, struct errtext *e)
{
    struct errtext absent = {0};

    int err = has(c, http, name, &absent);
    if (err != ENOENT)
        return err ? errtext_set(e, err, 0, 0, "%s", absent.text) : 0;
    FILE *from = fopen(path, "rbe");
    if (!from)
        return errtext_set(e, errno, 0, 0, "%.200s: %s", path, strerror(errno));
    struct http_req req = {.method = "PUT",
                           .url = name,
                           .upload = from,
                           .upload_bytes = bytes,
                           .max_bytes = ANSWER_MAX};
    err = ask(c, http, &req, sha256, e);
    fclose(from);
    return err;
}

/* Into a file without a name: nothing is left behind, whoever dies. */
static int open_nameless(const struct content *c, int *fd, struct errtext *e)
{
    char dir[sizeof(c->config->data_dir) + 16];

    snprintf(dir, sizeof(dir), "%s/media", c->config->data_dir);
    int err = files_mkdirs(dir);
    if (!err && (*fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600)) < 0)
        err = errno;
    return err ? errtext_set(e, err, 0, 0, "%.200s: %s", dir, strerror(err)) : 0;
}

static int open_object(const struct content *c, struct http *http, const char *name,
                       int *fd, struct errtext *e)
{
    int file = -1;

    int err = open_nameless(c, &file, e);
    if (err)
        return err;
    FILE *to = fdopen(dup(file), "wbe");
    if (!to) {
        close(file);
        return errtext_set(e, errno, 0, 0, "%s", strerror(errno));
    }
    struct http_req req = {
        .url = name, .sink = to, .max_bytes = (size_t)c->config->content_max_mib << 20};
    err = ask(c, http, &req, EMPTY_SHA256, e);
    if (fclose(to) && !err)
        err = errtext_set(e, EIO, 0, 0, "data_dir cannot be written");
    if (err)
        close(file);
    else
        *fd = file;
    return err;
}

static int remove_object(const struct content *c, struct http *http, const char *name,
                         struct errtext *e)
{
    struct http_req req = {.method = "DELETE", .url = name};
    struct errtext why = {0};

    int err = ask(c, http, &req, EMPTY_SHA256, &why);
    return err && err != ENOENT ? errtext_set(e, err, 0, 0, "%s", why.text) : 0;
}

/* A name nobody has: 404 of an object says that bucket and key are right. A missing
 * bucket answers 404 as well, but with a document that a HEAD has not. */
static int check(const struct content *c, struct http *http, struct errtext *e)
{
    CLEANUP(free_cleanup) char *name = xasprintf("%s/check", c->base);
    struct http_req req = {.url = name, .max_bytes = ANSWER_MAX};
    struct errtext why = {0};

    int err = ask(c, http, &req, EMPTY_SHA256, &why);
    if (!err || (err == ENOENT && !strstr(why.text, "NoSuchBucket")))
        return 0;
    return errtext_set(e, err, 0, 0, "%s", why.text);
}

const struct content_ops content_s3 = {.over_http = true,
                                       .put = put,
                                       .open = open_object,
                                       .has = has,
                                       .remove = remove_object,
                                       .check = check};
