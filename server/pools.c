#include "server/pools.h"

#include <errno.h>

#include "base/clock.h"
#include "base/migrate.h"
#include "base/pg.h"
#include "server/hook_time.h"
#include "server/redis_pool.h"

enum {
    POOL_SIZE = 4,
    HOLD_MORE_MS = 1000, /* for a database that does not end a statement itself */
    MANY_LOCK_MS = 100,  /* of those that are served together; then each waits alone */
};

int pools_open(struct server *s, struct errtext *e)
{
    struct pg_options pg = {.url = s->config.common.database_url,
                            .role = "furrow_app",
                            .name = "furrow-server"};
    struct pg_options hooks = pg;
    struct errtext unmigrated = {0};

    pg.statement_ms = (int)s->config.api_statement_ms;
    pg.hold_ms = pg.statement_ms ? pg.statement_ms + HOLD_MORE_MS : 0;
    hooks.by_key = true;
    hook_time_usual(&s->config, &hooks);
    int err = pg_pool_new(&s->pool, &pg, POOL_SIZE, e);
    if (!err)
        err = pg_pool_new(&s->hook_pool, &hooks, (int)s->config.threads + 1, e);
    if (!err)
        err = pg_pool_new(&s->flush, &hooks, 1, e);
    hooks.lock_ms = MANY_LOCK_MS;
    if (!err)
        err = pg_pool_new(&s->many_pool, &hooks, HTTP_MANY_THREADS, e);
    if (err)
        return err;
    struct pg *one = pg_pool_take(s->pool);
    err = clock_share(one, e);
    if (err && migrate_check(one, &unmigrated) == EINVAL)
        *e = unmigrated;
    pg_pool_give(s->pool, one);
    return err ? err
               : redis_pool_new(&s->redis, s->config.common.redis_url, POOL_SIZE, e);
}

void pools_close(struct server *s)
{
    redis_pool_free(s->redis);
    pg_pool_free(s->flush);
    pg_pool_free(s->many_pool);
    pg_pool_free(s->hook_pool);
    pg_pool_free(s->pool);
}

/* The commit of a transaction that has written takes along all before it. */
int pools_flush(void *app)
{
    const struct server *s = app;

    struct pg *pg = pg_pool_take(s->flush);
    int err =
        pg_run(pg, NULL, "SELECT pg_logical_emit_message(true, 'furrow', '')", NULL);

    pg_pool_give(s->flush, pg);
    return err;
}
