/*
 * http_exchange - one request of a server, from its first header to its end. Inside
 * http_server.c, http_exchange.c and http_serve.c only.
 */
#ifndef SERVER_HTTP_EXCHANGE_H
#define SERVER_HTTP_EXCHANGE_H

#include <pthread.h>

#include <microhttpd.h>

#include "server/http_aside.h"
#include "server/http_flush.h"
#include "server/http_gate.h"
#include "server/http_server.h"
#include "server/http_spool.h"
#include "server/http_wait.h"

struct listener;

struct http_server {
    struct http_server_options options;
    char token[256];
    struct listener *listeners; /* the main one first */
    size_t listener_count;
    struct http_wait *wait;
    struct http_gate *gate;
    struct http_aside *aside;
    struct http_flush *flush; /* NULL: none */
    pthread_mutex_t lock;
    pthread_cond_t left; /* an answer has left */
    int owed;            /* answers to requests that came whole; guarded by lock */
};

/* One request, from its first header to its end. It belongs to the loop of its
 * connection, and while it stands in line or is served, to the gate. */
struct exchange {
    struct http_place task; /* first */
    const struct http_server *server;
    struct MHD_Connection *connection;
    const char *method, *decoded;  /* borrowed from the connection; decoded: the path */
    bool whole, answered, judging; /* it came whole; resp is the answer; may() is asked */
    struct response resp;
    const struct mount *mount; /* NULL: nobody is at home there */
    const struct route *route;
    char *url;  /* our copy, as it came; NULL: too long */
    char *path; /* our copy, cut into segments */
    const char *params[REQUEST_PARAMS_MAX];
    struct buf body;
    struct spool spool; /* of a long body */
    int refuse;         /* status to answer instead of calling the handler; 0 none */
    char allow[64];
    bool shed, judged;     /* judged: whether it may is known: */
    struct response early; /* the refusal, status 0: none */
    int tenant_id;
    char key_name[64];
    char memo[REQUEST_MEMO_MAX];
    struct http_waiter waiter;
    struct http_task aside;
    struct http_flushed flushed;
    bool at_disk; /* the answer waits for it */
};

/* ---- http_exchange.c: on the loop of its connection ---- */

/* The length that is announced: what is too long, or cannot be served when it is there,
 * is not waited for in vain. */
void exchange_judge_length(const struct http_server *s, struct exchange *x);
/* Some bytes of the body. False: it is asked first whether its sender may; then they come
 * again. */
bool exchange_take(const struct http_server *s, struct exchange *x, const char *data,
                   size_t size);
/* All of it is there; or an answer is, and it is called again. */
enum MHD_Result exchange_answer(struct http_server *s, struct exchange *x);
/* Where it ends is not certain: what follows is nobody's request. */
enum MHD_Result exchange_hang_up(struct exchange *x, const char *why);

/* ---- http_serve.c: on a thread of the gate, or on the loop ---- */

/* Of that listener; x has the mount and the route, or a status to refuse with. */
void exchange_find_route(const struct http_server *s, int listener, struct exchange *x,
                         const char *host);
struct request exchange_request(struct exchange *x);
/* Whether it may be served; asked once, before a long body is kept. */
void exchange_judge(const struct http_server *s, struct exchange *x, struct request *req);
void exchange_respond_anew(struct exchange *x);
/* What a request that waited would be told if it could not wait stands. */
void exchange_serve_shed(struct exchange *x, struct request *req);
/* Of the gate, or of the loop where nothing is to be waited for. */
void exchange_serve(struct http_place *task, bool shed);
void exchange_serve_aside(void *exchange);

#endif
