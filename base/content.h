/*
 * content - recordings and recorded prompts, each under the hash of its bytes: files
 * below data_dir, or objects in a bucket that any S3-compatible service keeps. Which one
 * is configuration (content_*); no caller knows.
 *
 * What is under a hash never changes: putting it again changes nothing, and what is read
 * is hashed before anybody sees it. Recordings are people's voices and want a token to be
 * read over HTTP; prompts do not: so they stand on two shelves.
 *
 * A struct content is read-only once it is made: any thread. http belongs to the calling
 * thread; NULL opens a connection for this one request. Calls block on the disk or the
 * network, at most content_timeout_s.
 *
 * Errors: ENOENT it is not there; EBADMSG it is there and is something else than its hash
 * says; EMSGSIZE larger than content_max_mib; EACCES the bucket takes no such key; EAGAIN
 * the bucket does not answer or asks for patience; else the disk's. *e says more.
 * Requests are signed as AWS documents it (Signature Version 4), by libcurl.
 */
#ifndef BASE_CONTENT_H
#define BASE_CONTENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attrs.h"
#include "base/config.h"
#include "base/errors.h"
#include "base/sha256.h"

struct http;
struct content_ops;

enum content_shelf { CONTENT_MEDIA, CONTENT_PROMPTS };

struct content {
    const struct content_ops *ops;
    const struct config_common *config; /* borrowed */
    char base[512];   /* URL or directory above the shelves, no '/' at its end */
    char signing[96]; /* of libcurl: "aws:amz:<region>:s3" */
};

/* EINVAL: the configuration cannot be, *e says which key. common is borrowed. */
NODISCARD int content_init(struct content *c, const struct config_common *common,
                           struct errtext *e);
/* Where a shelf's content lies, for a line that a person reads. */
const char *content_place(const struct content *c);

/* Takes the file at path over: under its hash when this returns 0, gone from path; it
 * should lie on the file system of data_dir. Otherwise it is left where it is. */
NODISCARD int content_put(const struct content *c, struct http *http,
                          enum content_shelf shelf, const char *path,
                          char sha256[SHA256_TEXT_MAX], int64_t *bytes,
                          struct errtext *e);
/* *fd is the caller's to close, at its beginning; what it reads is what the hash says. */
NODISCARD int content_open(const struct content *c, struct http *http,
                           enum content_shelf shelf, const char *sha256, int *fd,
                           int64_t *bytes, struct errtext *e);
/* 0 or ENOENT: asked, not read. */
NODISCARD int content_has(const struct content *c, struct http *http,
                          enum content_shelf shelf, const char *sha256,
                          struct errtext *e);
/* What is not there is deleted, too: 0. */
NODISCARD int content_delete(const struct content *c, struct http *http,
                             enum content_shelf shelf, const char *sha256,
                             struct errtext *e);
/* Can it be read and written at all? For furrow doctor. */
NODISCARD int content_check(const struct content *c, struct errtext *e);

/* A path by which a program or a library reads fd from its beginning. */
enum { CONTENT_FD_PATH_MAX = 32 };
const char *content_fd_path(int fd, char out[CONTENT_FD_PATH_MAX]);

#endif
