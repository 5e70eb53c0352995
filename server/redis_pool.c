/* lock guards free_list and free_count; it is not held while a command runs. */
#include "server/redis_pool.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/redis.h"
#include "base/xalloc.h"

enum { TIMEOUT_MS = 200 }; /* a caller waits for it, twice when Redis says nothing */

struct redis_pool {
    pthread_mutex_t lock;
    pthread_cond_t given;
    struct redis **free_list;
    int free_count;
};

int redis_pool_new(struct redis_pool **out, const char *url, int size, struct errtext *e)
{
    struct redis_pool *pool = xcalloc(1, sizeof(*pool));
    int err = 0;

    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->given, NULL);
    pool->free_list = xcalloc((size_t)size, sizeof(struct redis *));
    for (; pool->free_count < size && !err; pool->free_count += !err) {
        err = redis_open_later(&pool->free_list[pool->free_count], url, e);
        if (!err)
            redis_set_timeout(pool->free_list[pool->free_count], TIMEOUT_MS);
    }
    if (err)
        redis_pool_free(pool);
    else
        *out = pool;
    return err;
}

void redis_pool_free(struct redis_pool *pool)
{
    if (!pool)
        return;
    for (int i = 0; i < pool->free_count; i++)
        redis_close(pool->free_list[i]);
    free(pool->free_list);
    pthread_cond_destroy(&pool->given);
    pthread_mutex_destroy(&pool->lock);
    free(pool);
}

struct redis *redis_pool_take(struct redis_pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    while (pool->free_count == 0)
        pthread_cond_wait(&pool->given, &pool->lock);
    struct redis *r = pool->free_list[--pool->free_count];
    pthread_mutex_unlock(&pool->lock);
    return r;
}

void redis_pool_give(struct redis_pool *pool, struct redis *r)
{
    pthread_mutex_lock(&pool->lock);
    pool->free_list[pool->free_count++] = r;
    pthread_cond_signal(&pool->given);
    pthread_mutex_unlock(&pool->lock);
}
