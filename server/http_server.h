/*
 * http_server - libmicrohttpd with const route tables: exact method, pattern,
 * scope, largest body, how urgent it is. Handlers are straight-line code on a pool thread
 * (server/http_gate.h); the loops that hold the connections never wait for them. Each
 * request has one owner of its memory, released once when it is over.
 *
 * A contract is a route table with its own shape of errors. It is mounted at places: a
 * listener, a host name, a base path. A request goes to the first mount of its place that
 * knows its path; when none does, the first one says 404. Handlers see paths without the
 * base.
 *
 * Bodies over a route's limit get 413 before the handler sees anything, and one that is
 * too long for memory is not kept before its sender is known; unknown paths 404, wrong
 * methods 405 with Allow. Patterns: literal segments and {name}, which matches one
 * segment.
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
    /* the mount's token, when one is configured: Authorization: Bearer, or X-API-Key */
    SCOPE_OPERATOR,
};

enum { REQUEST_PARAMS_MAX = 4, REQUEST_URL_MAX = 4096, REQUEST_MEMO_MAX = 64 };

struct mount;

struct request {
    const char *method, *path;              /* decoded, borrowed for the call */
    const char *url;                        /* path and query as they came, undecoded */
    const char *params[REQUEST_PARAMS_MAX]; /* {name} segments in order, decoded */
    const char *authorization;              /* header, NULL when absent */
    const char *body; /* in memory, or a long one in a mapped file without a name */
    size_t body_len;
    bool aside;       /* this is a thread where it may take long; response.aside */
    int64_t since_ms; /* mono_ms() when it came whole, and so since when it waits; 0: it
                         does not */
    char *memo;       /* REQUEST_MEMO_MAX bytes of the handler's, zero at first;
                         response.again_ms */
    void *app;        /* the program's struct, as given to http_server_start */
    const struct mount *mount;
    int tenant_id;     /* SCOPE_API: of the key; else of the mount, 0: none */
    char key_name[64]; /* SCOPE_API: which; else "" */
    void *connection;  /* for request_header and request_peer */
    const struct http_server *server;
};

/* The first header of that name, in any case; NULL: none. Borrowed for the call. */
const char *request_header(const struct request *req, const char *name);
/* The address that the request came from, of a proxy when there is one: "127.0.0.1". */
enum { REQUEST_PEER_MAX = 48 };
const char *request_peer(const struct request *req, char out[REQUEST_PEER_MAX]);

enum { RESPONSE_HEADERS_MAX = 6, RESPONSE_HEADER_MAX = 300 };
struct response_header {
    const char *name; /* a literal */
    char value[RESPONSE_HEADER_MAX];
};

struct response {
    int status;
    const char *content_type;                             /* a literal */
    struct response_header headers[RESPONSE_HEADERS_MAX]; /* further ones */
    int header_count;
    struct buf body; /* sent and freed … */
    int file_fd;     /* … or this file, closed after; -1 none */
    int64_t file_size;
    /* Call the handler again with the same request after so long; no thread is held
     * meanwhile. What stands here is answered only if it cannot wait: too many do, or the
     * server stops. 0: this is the answer. */
    int again_ms;
    /* Call the handler again with the same request on a thread where it may take long:
     * it is about to write much, or to wait for a disk. */
    bool aside;
    /* What it tells was committed without waiting for the disk: it leaves after the next
     * http_flush_fn; if that fails, as if it had been shed. */
    bool unflushed;
};

typedef void(route_fn)(const struct request *req, struct response *resp);

/* Serves many requests at once, those of them that it can: done[i] is set, and
 * resps[i] is filled in. The others are served one by one by their own handlers, as if it
 * had seen nothing of them. */
enum { HTTP_MANY_MAX = 64, HTTP_MANY_THREADS = 2 };
typedef void(route_many_fn)(const struct request *reqs, struct response *const *resps,
                            bool *done, size_t n);

/* What is served first when not all can be (server/http_gate.h), the most urgent last. */
enum http_class {
    HTTP_REST,     /* APIs, uploads: whoever asks can ask again */
    HTTP_CALLBACK, /* what providers tell, and may tell again */
    HTTP_VOICE,    /* a caller hears the answer, or silence */
    HTTP_PROBE,    /* one at a time: whether and how we live */
    HTTP_CLASSES,
    HTTP_AT_ONCE, /* asks no database and no other machine: served without standing in
                     line */
};

/* Rows of routes leave out what is as usual. */
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"
struct route {
    const char *method, *pattern;
    enum scope scope;
    size_t max_body;
    route_fn *handler;
    const char *api_scope; /* with SCOPE_API */
    enum http_class class;
    /* The answer to one that cannot be served now. It asks no database and no other
     * machine. NULL: 503 with Retry-After. */
    route_fn *shed;
    /* Of SCOPE_OPEN. NULL: each is served by itself. */
    route_many_fn *many;
};

/* How an error is told. */
enum error_shape {
    ERRORS_CODED,  /* ours: {"error": code, "hint": text} */
    ERRORS_TEXT,   /* {"error": text} */
    ERRORS_DETAIL, /* {"detail": text}, of fields {"detail": [{"loc", "msg", "type"}]} */
};

struct contract {
    const char *name; /* "plivo-ivr"; its base path is "/plivo-ivr" */
    enum error_shape errors;
    bool cross_origin; /* pages of other origins may ask: those that the mount names */
    const struct route *routes;
    size_t route_count;
    /* Says in its own way that a body is over the route's limit; NULL: 413. */
    route_fn *too_large;
};

struct mount {
    const struct contract *contract;
    int listener;           /* 0 the main one, else its place in the options plus 1 */
    const char *host;       /* without port; NULL: whatever host is asked for */
    const char *base;       /* "/plivo-ivr"; "" at the root */
    const char *public_url; /* by which the mount is reached from outside; "" unknown */
    const char *token;      /* of SCOPE_OPERATOR; "" none */
    const char *origins;    /* "*", or a list "https://a.example, https://b.example" */
    int tenant_id;
};

struct http_listener {
    char address[64];
    int port;
};

/* Fills tenant_id and key_name. ENOENT: no such key; ENOKEY: nor any other; EACCES: it
 * lacks the scope; EBUSY: it asks too often, *wait_s from now it may; other errors: it
 * cannot be known now. */
typedef int(authorise_fn)(struct request *req, const char *key, const char *scope,
                          int *wait_s);

/* Sets status and a text/plain or JSON body. */
void respond_text(struct response *resp, int status, const char *text);
void respond_error(struct response *resp, int status, const char *code, const char *hint);
/* One more header; what does not fit is left out. */
void respond_header(struct response *resp, const char *name, const char *value);

/* Puts on the disk what was committed before the call; of one thread at a time. */
typedef int(http_flush_fn)(void *app);

struct http_limit {
    int running_max, waiting_max, patience_ms; /* server/http_gate.h */
};
struct http_limits {
    struct http_limit of[HTTP_CLASSES];
};

/* How much there is to do. */
struct http_load {
    struct {
        int waiting, running;
        long served, shed;   /* since the start */
        int64_t oldest_ms;   /* has waited for so long; 0: none waits */
        int64_t shed_ago_ms; /* the last one that was shed; -1: none was */
    } of[HTTP_CLASSES];
};

struct http_server_options {
    const char *address; /* to bind */
    int port;            /* 0: any free one */
    const struct http_listener *others;
    size_t other_count;
    int threads; /* that run handlers, of all listeners */
    struct http_limits limits;
    const char *media_token;    /* "" none */
    authorise_fn *authorise;    /* for routes with SCOPE_API */
    http_flush_fn *flush;       /* for response.unflushed; NULL: nobody sets that */
    const char *spool_dir;      /* where long bodies lie while they come */
    const struct mount *mounts; /* in the order in which they are asked */
    size_t mount_count;
    void *app;
};

enum { HTTP_WAITING_MAX = 256 }; /* requests that wait at a time, of all listeners */

struct http_server;
NODISCARD int http_server_start(struct http_server **out,
                                const struct http_server_options *o, struct errtext *e);
void http_server_load(const struct http_server *s, struct http_load *out);
/* listener: 0 the main one. */
int http_server_port(const struct http_server *s, int listener);
/* Waits for requests at hand. */
void http_server_stop(struct http_server *s);

#endif
