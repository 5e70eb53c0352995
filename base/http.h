/*
 * http - one blocking HTTP client (a libcurl easy handle) for worker threads
 * and the CLI; keeps its connections alive between requests.
 *
 * Every request has connect, total and low-speed limits and a size limit. Only
 * http and https, no redirects unless asked for. A struct http belongs to one
 * thread. The dialer's loop has its own client over curl_multi.
 *
 * Errors: ECONNREFUSED not connected (nothing was sent), ETIMEDOUT a limit
 * passed (the peer may have acted), ECONNRESET broken off (the same), EMSGSIZE
 * body over max_bytes, ECANCELED stop flag, EINVAL bad URL, EIO writing the
 * sink file. A status of 400 and more is an answer, not an error.
 */
#ifndef BASE_HTTP_H
#define BASE_HTTP_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/attrs.h"

struct http;

struct http_part {                              /* of a multipart/form-data body */
    const char *name, *filename, *content_type; /* filename, content_type may be NULL */
    const char *data;                           /* either data … */
    size_t len;
    const char *path; /* … or a file */
};

struct http_req {
    const char *method; /* NULL: GET, or POST when there is a body */
    const char *url;
    const char *const *headers; /* "Name: value", NULL-terminated; may be NULL */
    const char *body;
    size_t body_len;
    const struct http_part *parts; /* multipart instead of body */
    size_t part_count;
    FILE *upload; /* or a file instead of either: PUT; borrowed */
    int64_t upload_bytes;
    const char *user, *password; /* Basic authentication; NULL for none */
    const char *aws_sigv4;       /* then they sign: "aws:amz:<region>:<service>" */
    int connect_ms, timeout_ms;  /* 0: 3 s, 30 s */
    size_t max_bytes;            /* of the answer; 0: 8 MiB */
    int redirects;               /* how many to follow; 0 none */
    bool once; /* at most once on the wire: never over a connection that may be dead */
    bool public_only; /* to no private, loopback or link-local address: ECONNREFUSED */
    FILE *sink;       /* body goes here instead of memory; borrowed */
};

struct http_resp {
    long status;
    char *body; /* NUL-terminated; NULL with a sink */
    size_t len;
    char content_type[128];
    char location[512];
    long retry_after_s; /* -1 when the server did not say */
    char error[256];    /* of libcurl, when the call failed */
};

/* stop: checked while waiting, may be NULL; borrowed for the life of out. */
NODISCARD int http_new(struct http **out, const atomic_bool *stop);
void http_free(struct http *h);
/* *resp is filled in any case and is the caller's to http_resp_free(). */
NODISCARD int http_do(struct http *h, const struct http_req *req, struct http_resp *resp);
void http_resp_free(struct http_resp *resp); /* for CLEANUP */

/* What the end of a transfer (a CURLcode) comes to, of any client of libcurl: the errors
 * above, but that ETIMEDOUT and ECONNRESET do not say whether anything was sent. */
int http_curl_errno(int code);

/* What public_only asks of an address. */
struct sockaddr;
bool http_address_is_public(const struct sockaddr *at);
/* curl: a CURL that is not of this module, which is held to the same. */
void http_curl_public_only(void *curl);

/* Percent-encode a path segment or query value; the caller's to free(). */
char *http_escape(const char *text);

#endif
