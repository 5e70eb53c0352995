/*
 * A pool of connections for threads, and who holds one for too long.
 *
 * Lock: pool->lock guards free_list, free_count, held and stopping. It is never held
 * while a statement runs.
 */
#include "base/pg.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/pg_inside.h"
#include "base/xalloc.h"

struct held {
    const struct pg *pg;        /* NULL: the place is free */
    int64_t since_ms, until_ms; /* monotonic; then it is cut */
    int line; /* the socket of its connection, a number of our own; -1 none, or cut */
};

struct pg_pool {
    pthread_mutex_t lock;
    pthread_cond_t given, changed;
    struct pg **free_list;
    struct held *held; /* size places, with hold_ms */
    bool stopping;
    int free_count, size, hold_ms;
    int64_t look_ms;   /* when the watcher looks next; 0: when it is told to */
    pthread_t watcher; /* with hold_ms */
};

/* ---- who holds one for too long ---- */

/* The number is dropped at give, so that it never is another file's. */
static void note_taken(struct pg_pool *pool, struct pg *pg, int hold_ms)
{
    const int line = PQsocket(pg_conn(pg));
    const int64_t now = mono_ms();
    struct held *h = pool->held;

    while (h->pg)
        h++;
    *h = (struct held){.pg = pg,
                       .since_ms = now,
                       .until_ms = now + hold_ms,
                       .line = line < 0 ? -1 : fcntl(line, F_DUPFD_CLOEXEC, 0)};
    if (pool->look_ms && pool->look_ms <= h->until_ms)
        return;
    pool->look_ms = h->until_ms;
    pthread_cond_signal(&pool->changed);
}

void pg_pool_note_line(struct pg_pool *pool, struct pg *pg)
{
    pthread_mutex_lock(&pool->lock);
    for (int i = 0; i < pool->size; i++) {
        struct held *h = &pool->held[i];
        if (h->pg != pg)
            continue;
        if (h->line >= 0)
            close(h->line);
        h->line = fcntl(PQsocket(pg_conn(pg)), F_DUPFD_CLOEXEC, 0);
        if (!pool->look_ms || pool->look_ms > h->until_ms) {
            pool->look_ms = h->until_ms;
            pthread_cond_signal(&pool->changed);
        }
    }
    pthread_mutex_unlock(&pool->lock);
}

static void note_given(struct pg_pool *pool, const struct pg *pg)
{
    for (int i = 0; i < pool->size; i++)
        if (pool->held[i].pg == pg) {
            if (pool->held[i].line >= 0)
                close(pool->held[i].line);
            pool->held[i].pg = NULL;
            return;
        }
}

/* And says when to look again. */
static void cut(struct pg_pool *pool)
{
    const int64_t now = mono_ms();

    pool->look_ms = 0;
    for (int i = 0; i < pool->size; i++) {
        struct held *h = &pool->held[i];
        if (!h->pg || h->line < 0)
            continue;
        if (now < h->until_ms) {
            if (!pool->look_ms || h->until_ms < pool->look_ms)
                pool->look_ms = h->until_ms;
            continue;
        }
        log_warn("pg", "held_ms=%lld the database does not answer: the connection is cut",
                 (long long)(now - h->since_ms));
        shutdown(h->line, SHUT_RDWR);
        close(h->line);
        h->line = -1;
    }
}

static void *watch(void *arg)
{
    struct pg_pool *pool = arg;

    pthread_mutex_lock(&pool->lock);
    while (!pool->stopping) {
        const struct timespec until = {.tv_sec = (time_t)(pool->look_ms / 1000),
                                       .tv_nsec = (long)(pool->look_ms % 1000) * 1000000};
        if (pool->look_ms)
            pthread_cond_timedwait(&pool->changed, &pool->lock, &until);
        else
            pthread_cond_wait(&pool->changed, &pool->lock);
        cut(pool);
    }
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}

static int begin_watch(struct pg_pool *pool, int hold_ms)
{
    pool->held = xcalloc((size_t)pool->size, sizeof(*pool->held));
    int err = pthread_create(&pool->watcher, NULL, watch, pool);
    pool->hold_ms = err ? 0 : hold_ms;
    for (int i = 0; i < pool->free_count && !err; i++)
        pool->free_list[i]->pool = pool;
    return err;
}

static void end_watch(struct pg_pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    pool->stopping = true;
    pthread_cond_signal(&pool->changed);
    pthread_mutex_unlock(&pool->lock);
    pthread_join(pool->watcher, NULL);
}

/* ---- the pool ---- */

int pg_pool_new(struct pg_pool **out, const struct pg_options *options, int size,
                struct errtext *e)
{
    struct pg_pool *pool = xcalloc(1, sizeof(*pool));
    pthread_condattr_t attr;
    int err = 0;

    pthread_mutex_init(&pool->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&pool->given, NULL);
    pthread_cond_init(&pool->changed, &attr);
    pthread_condattr_destroy(&attr);
    pool->free_list = xcalloc((size_t)size, sizeof(*pool->free_list));
    for (; pool->free_count < size && !err; pool->free_count += !err)
        err = pg_open(&pool->free_list[pool->free_count], options, e);
    pool->size = pool->free_count;
    if (!err && options->hold_ms > 0)
        err = begin_watch(pool, options->hold_ms);
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
    if (pool->hold_ms > 0)
        end_watch(pool);
    for (int i = 0; i < pool->free_count; i++)
        pg_close(pool->free_list[i]);
    free(pool->free_list);
    free(pool->held);
    pthread_cond_destroy(&pool->given);
    pthread_cond_destroy(&pool->changed);
    pthread_mutex_destroy(&pool->lock);
    free(pool);
}

struct pg *pg_pool_take(struct pg_pool *pool)
{
    return pg_pool_take_for(pool, pool->hold_ms);
}

struct pg *pg_pool_take_for(struct pg_pool *pool, int hold_ms)
{
    pthread_mutex_lock(&pool->lock);
    while (pool->free_count == 0)
        pthread_cond_wait(&pool->given, &pool->lock);
    struct pg *pg = pool->free_list[--pool->free_count];
    pthread_mutex_unlock(&pool->lock);
    pg_notice_closed(pg);
    pg->connect_by_ms = hold_ms > 0 ? mono_ms() + hold_ms : 0;
    if (pool->hold_ms > 0 && hold_ms > 0) {
        pthread_mutex_lock(&pool->lock);
        note_taken(pool, pg, hold_ms);
        pthread_mutex_unlock(&pool->lock);
    }
    return pg;
}

void pg_pool_give(struct pg_pool *pool, struct pg *pg)
{
    pg_rollback(pg); /* a forgotten transaction must not reach the next holder */
    pthread_mutex_lock(&pool->lock);
    if (pool->hold_ms > 0)
        note_given(pool, pg);
    pool->free_list[pool->free_count++] = pg;
    pthread_cond_signal(&pool->given);
    pthread_mutex_unlock(&pool->lock);
}
