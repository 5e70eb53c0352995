/*
 * http_wait - connections that are asked again later: a request whose answer is made
 * elsewhere holds no thread meanwhile. One thread of its own wakes them when their time
 * has come.
 */
#ifndef SERVER_HTTP_WAIT_H
#define SERVER_HTTP_WAIT_H

#include <stdbool.h>

#include "base/attrs.h"

struct MHD_Connection;
struct http_wait;

/* Of a connection; in memory that lives as long as its request, zero at first. */
struct http_waiter {
    struct http_waiter *next;
    struct MHD_Connection *connection;
    long long due_ms; /* monotonic */
    bool counted;     /* among those that wait, from its first time until its end */
};

NODISCARD int http_wait_new(struct http_wait **out, int max); /* how many may wait */
/* From the connection's handler: it is called again after ms. False: it is not, because
 * the server stops or max wait already. */
bool http_wait_add(struct http_wait *w, struct http_waiter *waiter,
                   struct MHD_Connection *c, int ms);
/* Its request is over. */
void http_wait_end(struct http_wait *w, struct http_waiter *waiter);
/* Wakes all; none may wait from then on. */
void http_wait_stop(struct http_wait *w);
void http_wait_free(struct http_wait *w); /* after http_wait_stop; NULL is allowed */

#endif
