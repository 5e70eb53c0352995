/*
 * http_flush - answers that leave once what they tell is on the disk. Transactions are
 * committed without waiting for it; one thread waits, for all that came meanwhile at
 * once: so many answers cost one write to the disk, and hold no other thread.
 */
#ifndef SERVER_HTTP_FLUSH_H
#define SERVER_HTTP_FLUSH_H

#include <stdbool.h>

#include "base/attrs.h"
#include "server/http_server.h"

struct MHD_Connection;
struct http_flush;

struct http_flushed { /* in memory that lives as long as its request */
    struct http_flushed *next;
    struct MHD_Connection *connection;
    int err; /* of the flush; other than 0: it may be lost */
};

NODISCARD int http_flush_new(struct http_flush **out, http_flush_fn *fn, void *app);
/* From the connection's handler, which is called again after a flush that begins after
 * this. False: it stops. */
bool http_flush_add(struct http_flush *f, struct http_flushed *item,
                    struct MHD_Connection *c);
void http_flush_stop(struct http_flush *f); /* after a last one for all that wait */
void http_flush_free(struct http_flush *f); /* after http_flush_stop; NULL is allowed */

#endif
