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

#include "base/sha256.h"
#include "server/server.h"

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

void route_prompt(const struct request *req, struct response *resp)
{
    const struct server *s = req->app;
    char path[700];
    size_t n = 0;

    if (!is_hash(req->params[0], &n) || (strcmp(req->params[0] + n, ".wav") != 0 &&
                                         strcmp(req->params[0] + n, ".wav16") != 0)) {
        respond_error(resp, 404, "not_found", "want <sha256>.wav or <sha256>.wav16");
        return;
    }
    snprintf(path, sizeof(path), "%s/prompts/%s", s->config.common.data_dir,
             req->params[0]);
    send_file(path, resp);
}

void route_recording(const struct request *req, struct response *resp)
{
    const struct server *s = req->app;
    char path[700];
    size_t n = 0;

    if (!is_hash(req->params[0], &n) || req->params[0][n]) {
        respond_error(resp, 404, "not_found", "want a sha256 in hex");
        return;
    }
    snprintf(path, sizeof(path), "%s/media/%.2s/%s", s->config.common.data_dir,
             req->params[0], req->params[0]);
    send_file(path, resp);
}
