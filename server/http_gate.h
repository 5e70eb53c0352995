/*
 * http_gate - which requests are served when not all can be. Threads of its own run the
 * handlers, so that the loops that hold the connections never wait for a database and can
 * always say no.
 *
 * What is scarce are those threads, each of which needs a connection to the database. A
 * class (server/http_server.h) has at most running_max of them, the more urgent one comes
 * first, at most waiting_max requests stand in line, and none for longer than
 * patience_ms: then it is told to come back. While a more urgent class waits longer than
 * a class's patience, that class is refused at the door.
 *
 * Requests that may be served together are: while HTTP_MANY_THREADS threads serve some,
 * those that come stand in line, and the next of these threads takes them all. Who comes
 * alone waits for nobody.
 */
#ifndef SERVER_HTTP_GATE_H
#define SERVER_HTTP_GATE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attrs.h"
#include "server/http_server.h"

struct MHD_Connection;
struct http_gate;

/* Of a connection in line; in memory that lives as long as its request. */
struct http_place {
    struct http_place *next;
    struct MHD_Connection *connection;
    enum http_class class;
    int64_t since_ms; /* monotonic */
    bool many;        /* it may be served together with others */
};

/* Serves it, or says why not; of a thread of the gate. The connection's handler is called
 * again after it. With task->many, and unless they are shed, it is a chain of those that
 * came meanwhile, HTTP_MANY_MAX at most; those of them whose many is false after it were
 * not served, and stand in line again for a thread of their own. */
typedef void(http_gate_fn)(struct http_place *task, bool shed);

NODISCARD int http_gate_new(struct http_gate **out, int threads,
                            const struct http_limits *limits, http_gate_fn *fn);
/* From the connection's handler, which is called again once fn is through with it. False:
 * there is no place; counted as shed. */
bool http_gate_enter(struct http_gate *g, struct http_place *task,
                     struct MHD_Connection *c, enum http_class class, bool many);
/* Would it be refused now? If so it is counted as shed. */
bool http_gate_refuses(struct http_gate *g, enum http_class class);
void http_gate_load(struct http_gate *g, struct http_load *out);
/* Sheds who waits, waits for those at hand; nobody enters from then on. */
void http_gate_stop(struct http_gate *g);
void http_gate_free(struct http_gate *g); /* after http_gate_stop; NULL is allowed */

#endif
