/*
 * The fetcher: takes jobs while there is room.
 *
 * A job that a worker died at is a suspect. It runs while nothing else does in this
 * process: when the process dies again, it was this job. First the work at hand is
 * waited for, but not for ever: a long job must not keep the other threads idle, so
 * the wait starts short, doubles, and between two of them everything runs as usual.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/xalloc.h"
#include "workers/pool_internal.h"

enum {
    FETCH_WAIT_MS = 500, /* also bounds how late a stop is noticed */
    FETCH_SHORT_MS = 20, /* some kind has no room now and may get some */
    DEGRADED_MS = 50,
    ROWS_EVERY_MS = 50,
    PATIENCE_MIN_MS = 1000, /* how long the pool is kept from new work for a suspect */
    PATIENCE_MAX_MS = 120000,
};

struct lone_phase {
    int64_t next_ms; /* monotonic: not before */
    int64_t patience_ms;
};

/* Waits until some kind has room; false when the pool stops. */
static bool find_room(struct pool *p, int *room, bool *everywhere)
{
    bool any = false;

    pthread_mutex_lock(&p->lock);
    while (!any && !atomic_load(&p->stopping)) {
        *everywhere = true;
        for (int k = 0; k < p->options.queue.kind_count; k++) {
            room[k] = p->limit[k] - p->taken[k];
            if (room[k] < p->limit[k] / 4) /* by and by, not one by one */
                room[k] = 0;
            any |= room[k] > 0;
            *everywhere &= room[k] > 0;
        }
        if (!any)
            pool_wait(p, &p->room_changed, FETCH_WAIT_MS);
    }
    pthread_mutex_unlock(&p->lock);
    return any && !atomic_load(&p->stopping);
}

/* Called with the lock held. A job whose lease lapsed while this worker was too busy has
 * come back to it: with the lease that was just taken it goes on as it is. */
static bool is_at_hand(const struct pool *p, const struct job *job)
{
    for (int i = 0; job->attempts > 1 && i < p->all_count; i++)
        if (!p->all[i]->over &&
            memcmp(&p->all[i]->item.job.id, &job->id, sizeof(job->id)) == 0)
            return true;
    return false;
}

static void put_ready(struct pool *p, struct queue_item *items, int n, bool lone)
{
    pthread_mutex_lock(&p->lock);
    for (int i = 0; i < n; i++) {
        if (is_at_hand(p, &items[i].job)) {
            queue_item_clear(&items[i]);
            continue;
        }
        struct work *w = xcalloc(1, sizeof(*w));
        w->item = items[i];
        w->lone = lone;
        if (p->all_count == p->all_cap) {
            p->all_cap = p->all_cap ? 2 * p->all_cap : 64;
            p->all = xrealloc(p->all, (size_t)p->all_cap * sizeof(*p->all));
        }
        w->place = p->all_count;
        p->all[p->all_count++] = w;
        p->taken[w->item.kind]++;
        p->counts.fetched++;
        work_list_add_ranked(&p->ready, w);
    }
    for (int i = 0; i < n; i++) /* not all of a thousand threads for one job */
        pthread_cond_signal(&p->ready_changed);
    pthread_mutex_unlock(&p->lock);
}

static void pause_ms(struct pool *p, int64_t ms)
{
    pthread_mutex_lock(&p->lock);
    if (!atomic_load(&p->stopping))
        pool_wait(p, &p->room_changed, ms);
    pthread_mutex_unlock(&p->lock);
}

/* Keeps new work from beginning until what runs has ended; false: it did not in time. */
static bool clear_the_floor(struct pool *p, int64_t patience_ms)
{
    int64_t end_ms = mono_ms() + patience_ms;

    pthread_mutex_lock(&p->lock);
    p->alone = true;
    while (p->running_total > 0 && !atomic_load(&p->stopping) && mono_ms() < end_ms)
        pool_wait(p, &p->room_changed, end_ms - mono_ms() + 1);
    bool clear = p->running_total == 0 && !atomic_load(&p->stopping);
    pthread_mutex_unlock(&p->lock);
    return clear;
}

/* Until the lone work has ended, or the pool stops. */
static void wait_for_lone(struct pool *p)
{
    pthread_mutex_lock(&p->lock);
    for (bool busy = true; busy && !atomic_load(&p->stopping);) {
        busy = p->running_total > 0;
        for (const struct work *w = p->ready.first; w && !busy; w = w->next)
            busy = w->lone;
        if (busy)
            pool_wait(p, &p->room_changed, FETCH_WAIT_MS);
    }
    pthread_mutex_unlock(&p->lock);
}

static void run_suspect(struct pool *p, struct lone_phase *phase)
{
    struct queue_item item;
    int64_t from_ms = mono_ms();
    int n = 0;

    if (!clear_the_floor(p, phase->patience_ms)) {
        phase->patience_ms *= 2;
        if (phase->patience_ms > PATIENCE_MAX_MS)
            phase->patience_ms = PATIENCE_MAX_MS;
    } else {
        phase->patience_ms = PATIENCE_MIN_MS;
        if (queue_take_suspect(p->fetch_queue, &item, &n) || n == 0)
            atomic_store(&p->suspects, false); /* the relay looks again */
        else
            put_ready(p, &item, 1, true);
        if (n > 0)
            wait_for_lone(p);
    }
    pthread_mutex_lock(&p->lock);
    p->alone = false;
    pthread_cond_broadcast(&p->ready_changed);
    pthread_mutex_unlock(&p->lock);
    /* The others get as much time as this took. */
    phase->next_ms = 2 * mono_ms() - from_ms;
}

/* First what does not come by Redis, now and then; then what does. */
static int fetch(struct pool *p, const int *room, int wait_ms, bool idle,
                 int64_t *rows_at_ms, struct queue_item *items, int *n)
{
    int err = 0;

    *n = 0;
    if (mono_ms() >= *rows_at_ms) {
        *rows_at_ms = mono_ms() + ROWS_EVERY_MS;
        if (atomic_exchange(&p->news, false))
            queue_look_again(p->fetch_queue);
        err = queue_take_rows(p->fetch_queue, room, idle, items, QUEUE_BATCH, n);
    }
    if (queue_has_limits(p->fetch_queue) && wait_ms > ROWS_EVERY_MS)
        wait_ms = ROWS_EVERY_MS;
    return err || *n > 0
               ? err
               : queue_fetch(p->fetch_queue, room, wait_ms, items, QUEUE_BATCH, n);
}

void *pool_fetcher(void *pool)
{
    struct pool *p = pool;
    struct queue_item *items = xcalloc(QUEUE_BATCH, sizeof(*items));
    struct lone_phase phase = {.patience_ms = PATIENCE_MIN_MS};
    int room[QUEUE_KINDS_MAX] = {0};
    bool everywhere = true, away = false, idle = false;
    int64_t rows_at_ms = 0;

    while (find_room(p, room, &everywhere)) {
        int n = 0;
        if (atomic_load(&p->suspects) && mono_ms() >= phase.next_ms) {
            run_suspect(p, &phase);
            continue;
        }
        int wait_ms =
            everywhere && !atomic_load(&p->suspects) ? FETCH_WAIT_MS : FETCH_SHORT_MS;
        int err = fetch(p, room, wait_ms, idle, &rows_at_ms, items, &n);
        idle = n == 0;
        if (queue_take_wiped(p->fetch_queue))
            atomic_store(&p->wiped, true);
        if ((err != 0) != away)
            log_warn("pool", "postgres is %s", err ? "away; jobs wait" : "back");
        away = err != 0;
        if (n > 0)
            put_ready(p, items, n, false);
        else if (err)
            pause_ms(p, POOL_AWAY_MS);
        else if (queue_is_degraded(p->fetch_queue))
            pause_ms(p, DEGRADED_MS);
    }
    free(items);
    return NULL;
}
