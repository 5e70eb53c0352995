/*
 * http_server - libmicrohttpd with one const route table: exact method, pattern,
 * scope, largest body. Handlers are straight-line code on a pool thread; each
 * request has one owner of its memory, released once when it is over.
 *
 * Bodies over a route's limit get 413 before the handler sees anything; unknown
 * paths 404, wrong methods 405 with Allow. Patterns: literal segments and
 * {name}, which matches one segment.
 */
#ifndef SERVER_HTTP_SERVER_H
#define SERVER_HTTP_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attrs.h"
#include "base/errors.h"
#include "base/str.h"

enum scope {
    SCOPE_OPEN,  /* anybody who reaches the port */
    SCOPE_MEDIA, /* the media token, when one is configured */
    SCOPE_API,   /* a key of a tenant that has the route's api_scope */
};

enum { REQUEST_PARAMS_MAX = 4 };

struct request {
    const char *method, *path;              /* raw, borrowed for the call */
    const char *params[REQUEST_PARAMS_MAX]; /* {name} segments in order */
    const char *authorization;              /* header, NULL when absent */
    const char *body;
    size_t body_len;
    void *app;     /* the program's struct, as given to http_server_start */
    int tenant_id; /* SCOPE_API: whose key it is, and which; else 0 and "" */
    char key_name[64];
};

struct response {
    int status;
    const char *content_type; /* a literal */
    struct buf body;          /* sent and freed … */
    int file_fd;              /* … or this file, closed after; -1 none */
    int64_t file_size;
};

typedef void(route_fn)(const struct request *req, struct response *resp);

struct route {
    const char *method, *pattern;
    enum scope scope;
    size_t max_body;
    route_fn *handler;
    const char *api_scope; /* with SCOPE_API */
};

/* Fills tenant_id and key_name. ENOENT: no such key; EACCES: it lacks the scope; other
 * errors: it cannot be known now. */
typedef int(authorise_fn)(struct request *req, const char *key, const char *scope);

/* Sets status and a text/plain or JSON body. */
void respond_text(struct response *resp, int status, const char *text);
void respond_error(struct response *resp, int status, const char *code, const char *hint);

struct http_server_options {
    const char *address; /* to bind */
    int port;            /* 0: any free one */
    int threads;
    const char *media_token; /* "" none */
    authorise_fn *authorise; /* for routes with SCOPE_API */
    const struct route *routes;
    size_t route_count;
    void *app;
};

struct http_server;
NODISCARD int http_server_start(struct http_server **out,
                                const struct http_server_options *o, struct errtext *e);
int http_server_port(const struct http_server *s);
void http_server_stop(struct http_server *s); /* waits for requests at hand */

#endif
