/* pools - furrow-server's connections to Postgres and Redis: who has which. */
#ifndef SERVER_POOLS_H
#define SERVER_POOLS_H

#include "base/errors.h"
#include "server/server.h"

/* pool, hook_pool, many_pool, flush and redis of *s, and the clock that all share. After
 * an error, too, they are the caller's to pools_close(). */
NODISCARD int pools_open(struct server *s, struct errtext *e);
void pools_close(struct server *s);

/* An http_flush_fn of the server. */
int pools_flush(void *app);

#endif
