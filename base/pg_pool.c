/*
 * The pool and the few lookups every program makes of an installation.
 *
 * Lock: pool->lock guards free_list and free_count. It is never held while a
 * statement runs.
 */
#include "base/pg.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "base/xalloc.h"

struct pg_pool {
    pthread_mutex_t lock;
    pthread_cond_t given;
    struct pg **free_list;
    int free_count, size;
};

int pg_pool_new(struct pg_pool **out, const struct pg_options *options, int size,
                struct errtext *e)
{
    struct pg_pool *pool = xcalloc(1, sizeof(*pool));
    int err = 0;

    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->given, NULL);
    pool->free_list = xcalloc((size_t)size, sizeof(*pool->free_list));
    for (; pool->free_count < size && !err; pool->free_count += !err)
        err = pg_open(&pool->free_list[pool->free_count], options, e);
    pool->size = pool->free_count;
    if (err) {
        pg_pool_free(pool);
        return err;
    }
    *out = pool;
    return 0;
}

void pg_pool_free(struct pg_pool *pool)
{
    if (!pool)
        return;
    for (int i = 0; i < pool->free_count; i++)
        pg_close(pool->free_list[i]);
    free(pool->free_list);
    pthread_cond_destroy(&pool->given);
    pthread_mutex_destroy(&pool->lock);
    free(pool);
}

struct pg *pg_pool_take(struct pg_pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    while (pool->free_count == 0)
        pthread_cond_wait(&pool->given, &pool->lock);
    struct pg *pg = pool->free_list[--pool->free_count];
    pthread_mutex_unlock(&pool->lock);
    return pg;
}

void pg_pool_give(struct pg_pool *pool, struct pg *pg)
{
    pg_rollback(pg); /* a forgotten transaction must not reach the next holder */
    pthread_mutex_lock(&pool->lock);
    pool->free_list[pool->free_count++] = pg;
    pthread_cond_signal(&pool->given);
    pthread_mutex_unlock(&pool->lock);
}

/* Says which there are, some of them. */
static int no_such_tenant(struct pg *pg, const char *name, struct errtext *e)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    CLEANUP(buf_free) struct buf names = {0};

    int err = pg_run(pg, &res, "SELECT name FROM tenants ORDER BY name LIMIT 20", NULL);
    for (int i = 0; !err && i < PQntuples(res); i++)
        buf_printf(&names, "%s%s", i ? ", " : "", pg_text(res, i, 0));
    return errtext_set(e, ENOENT, 0, 0, "no tenant '%s'; there are: %s", name,
                       names.data ? names.data : "none");
}

int pg_tenant_find(struct pg *pg, const char *name, int *out, struct errtext *e)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    pg_arg_text(&a, name);
    int err = pg_run(pg, &res, "SELECT id FROM tenants WHERE name = $1", &a);
    if (err)
        return errtext_set(e, err, 0, 0, "tenants: %s", pg_error(pg));
    if (PQntuples(res) == 0)
        return no_such_tenant(pg, name, e);
    *out = (int)pg_i64(res, 0, 0);
    return 0;
}

int pg_tenant_add(struct pg *pg, const char *name)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    pg_arg_text(&a, name);
    int err = pg_run(pg, &res,
                     "INSERT INTO tenants (name) VALUES ($1) ON CONFLICT DO NOTHING", &a);
    return err || pg_affected(res) > 0 ? err : EEXIST;
}

int pg_tenants(struct pg *pg, int *ids, size_t max, size_t *n)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;

    int err = pg_run(pg, &res, "SELECT id FROM tenants ORDER BY id", NULL);
    if (err)
        return err;
    *n = 0;
    for (int i = 0; i < PQntuples(res) && *n < max; i++)
        ids[(*n)++] = (int)pg_i64(res, i, 0);
    return 0;
}

int pg_installation(struct pg *pg, char out[INSTALLATION_ID_MAX])
{
    CLEANUP(pg_result_free) PGresult *res = NULL;

    int err = pg_run(pg, &res, "SELECT id FROM installation", NULL);
    if (err)
        return err;
    return PQntuples(res) == 1 ? str_copy(out, INSTALLATION_ID_MAX, pg_text(res, 0, 0))
                               : ENOENT;
}
