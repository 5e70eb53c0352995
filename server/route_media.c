/*
 * Prompts and recordings by content hash, for Asterisk on another machine and for
 * workers elsewhere. A name is exactly 64 hex digits (prompts with .wav or
 * .wav16), so no path can be smuggled in. Recordings are people's voices: they
 * want the media token; prompts do not.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/content.h"
#include "base/form.h"
#include "base/log.h"
#include "base/sha256.h"
#include "base/str.h"
#include "server/server.h"
#include "server/spoken.h"

static bool is_hash(const char *name, size_t *rest)
{
    size_t n = strspn(name, "0123456789abcdef");

    *rest = n;
    return n == SHA256_TEXT_MAX - 1;
}

static void send_file(const char *path, struct response *resp)
{
    struct stat st;

    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 || fstat(fd, &st) || !S_ISREG(st.st_mode)) {
        if (fd >= 0)
            close(fd);
        respond_error(resp, 404, "not_found", "no such content on this machine");
        return;
    }
    resp->status = 200;
    resp->content_type = "audio/wav";
    resp->file_fd = fd;
    resp->file_size = st.st_size;
}

/* By its hash, verified, from wherever content lies. */
static void send_content(const struct server *s, enum content_shelf shelf,
                         const char *sha256, struct response *resp)
{
    struct content content;
    struct errtext e = {0};
    int64_t bytes = 0;
    int fd = -1;

    int err = content_init(&content, &s->config.common, &e);
    if (!err)
        err = content_open(&content, NULL, shelf, sha256, &fd, &bytes, &e);
    if (err && err != ENOENT) {
        log_warn("media", "content=%.16s err=%d %s", sha256, err, LOG_ESC(e.text));
        respond_error(resp, 503, "store", "the content store does not answer well");
        return;
    }
    if (err) {
        respond_error(resp, 404, "not_found", "no such content");
        return;
    }
    resp->status = 200;
    resp->content_type = "audio/wav";
    resp->file_fd = fd;
    resp->file_size = bytes;
}

/* Words of ours that a document of ours names: what is not made cannot be sent either. */
static void make(const struct server *s, const char *hash, const char *query)
{
    struct form f = {0};

    int err = form_parse(&f, query, strlen(query));
    if (!err)
        err = spoken_make(s->spoken, hash, &f);
    if (err)
        log_warn("media", "prompt=%.16s err=%d not made", hash, err);
    form_free(&f);
}

void route_prompt(const struct request *req, struct response *resp)
{
    const struct server *s = req->app;
    char path[700], hash[SHA256_TEXT_MAX];
    size_t n = 0;

    if (!is_hash(req->params[0], &n) || (strcmp(req->params[0] + n, ".wav") != 0 &&
                                         strcmp(req->params[0] + n, ".wav16") != 0)) {
        respond_error(resp, 404, "not_found", "want <sha256>.wav or <sha256>.wav16");
        return;
    }
    snprintf(path, sizeof(path), "%s/prompts/%s", s->config.common.data_dir,
             req->params[0]);
    str_cut(hash, sizeof(hash), req->params[0]);
    if (access(path, R_OK) && strchr(req->url, '?'))
        make(s, hash, strchr(req->url, '?') + 1);
    if (access(path, R_OK) == 0) {
        send_file(path, resp);
        return;
    }
    /* A dialer converts a recorded prompt to what its Asterisk plays; a provider asks
     * here, and plays any WAV. */
    send_content(s, CONTENT_PROMPTS, hash, resp);
}

void route_recording(const struct request *req, struct response *resp)
{
    const struct server *s = req->app;
    size_t n = 0;

    if (!is_hash(req->params[0], &n) || req->params[0][n]) {
        respond_error(resp, 404, "not_found", "want a sha256 in hex");
        return;
    }
    send_content(s, CONTENT_MEDIA, req->params[0], resp);
}
