/*
 * The acknowledger, which writes results, prolongs leases and learns what became of
 * the jobs at hand (cancelled, held), and the relay, which sends ids and looks for
 * what got lost. Only the acknowledger frees work.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/xalloc.h"
#include "workers/pool_internal.h"

enum {
    RELAY_AWAKE_MS = 5, /* how often the relay looks after it found something … */
    RELAY_STAY_MS = 50, /* … and for how long */
    RELAY_KEEN_MS = 1,  /* at first: a notice is not sent while rows are on their way */
    RELAY_KEEN_TIMES = 3,
    RELAY_SLEEP_MS = 250,
    FINAL_TRY_MS = 3000,
    RENEW_AGAIN_MS = 500, /* after a failure: the database may be back */
    RECALL_EVERY_MS = 400,
    TALLY_EVERY_MS = 2000,
    EXPIRE_EVERY_MS = 60000,
    REAP_EVERY_MAX_MS = 15000, /* it reads every open job */
};

/* ---- acknowledger ---- */

static void forget(struct pool *p, struct work *first)
{
    pthread_mutex_lock(&p->lock);
    while (first) {
        struct work *w = first;
        first = w->next;
        p->all[w->place] = p->all[--p->all_count];
        p->all[w->place]->place = w->place;
        p->taken[w->item.kind]--;
        queue_item_clear(&w->item);
        json_decref(w->output);
        free(w);
    }
    pthread_cond_signal(&p->room_changed);
    pthread_mutex_unlock(&p->lock);
}

/* Until it is written; at the end only for a while, then the leases lapse. */
static void write_results(struct pool *p, struct work *first, int n)
{
    CLEANUP(free_cleanup)
    struct queue_result *results = xcalloc((size_t)n, sizeof(*results));
    int64_t give_up_ms = 0;
    int i = 0;

    for (const struct work *w = first; w; w = w->next)
        results[i++] = (struct queue_result){.item = &w->item,
                                             .result = w->result,
                                             .why = w->why,
                                             .output = w->output,
                                             .delay_ms = w->delay_ms};
    while (queue_finish(p->ack_queue, results, n)) {
        pthread_mutex_lock(&p->lock);
        if (p->drained && give_up_ms == 0)
            give_up_ms = mono_ms() + FINAL_TRY_MS;
        if (give_up_ms > 0 && mono_ms() > give_up_ms) {
            log_warn("pool", "results=%d not written; the jobs run again", n);
            pthread_mutex_unlock(&p->lock);
            return;
        }
        pool_wait(p, &p->finished_changed, POOL_AWAY_MS);
        pthread_mutex_unlock(&p->lock);
    }
}

/* The items stay: only this thread frees them. */
static const struct queue_item **items_at_hand(struct pool *p, int *n)
{
    pthread_mutex_lock(&p->lock);
    *n = p->all_count;
    const struct queue_item **items = xcalloc((size_t)*n + 1, sizeof(*items));
    for (int i = 0; i < *n; i++)
        items[i] = &p->all[i]->item;
    pthread_mutex_unlock(&p->lock);
    return items;
}

static bool renew(struct pool *p)
{
    int n = 0;
    const struct queue_item **items = items_at_hand(p, &n);
    bool bad = n > 0 && queue_renew(p->ack_queue, items, n);

    if (bad)
        log_warn("pool", "jobs=%d their leases could not be prolonged", n);
    free(items);
    return !bad;
}

/* Called with the lock held. Cancelled: a thread ends it, now or when it gets it.
 * Held: it goes back if no thread has it yet. */
static void recall_one(struct pool *p, struct work *w, bool cancel)
{
    struct work *prev = NULL;

    if (cancel) {
        atomic_store(&w->cancel, true);
        if (w->stop)
            atomic_store(w->stop, true);
        return;
    }
    if (w->begun)
        return;
    for (struct work *r = p->ready.first; r && r != w; r = r->next)
        prev = r;
    if (prev ? prev->next != w : p->ready.first != w)
        return; /* already among the finished */
    work_list_remove(&p->ready, prev, w);
    w->result = JOB_HANDED_BACK;
    pool_put_finished(p, w);
}

static void recall(struct pool *p)
{
    int n = 0, count = 0;
    const struct queue_item **items = items_at_hand(p, &n);
    struct queue_recall *recalled = xcalloc((size_t)n + 1, sizeof(*recalled));

    if (n > 0 && queue_recall(p->ack_queue, items, n, recalled, &count))
        count = 0; /* asked again soon */
    pthread_mutex_lock(&p->lock);
    for (int i = 0; i < count; i++)
        for (int k = 0; k < p->all_count; k++)
            if (&p->all[k]->item == recalled[i].item)
                recall_one(p, p->all[k], recalled[i].cancel);
    pthread_mutex_unlock(&p->lock);
    free(recalled);
    free(items);
}

static void write_tally(struct pool *p)
{
    CLEANUP(free_cleanup) struct queue_tally *t = xcalloc(1, sizeof(*t));

    pthread_mutex_lock(&p->lock);
    *t = p->tally;
    p->tally.count = 0;
    pthread_mutex_unlock(&p->lock);
    if (t->count > 0 && queue_tally_write(p->ack_queue, t))
        log_info("pool", "kinds=%d the counts of a while are lost", t->count);
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

void *pool_acknowledger(void *pool)
{
    struct pool *p = pool;
    int64_t every_ms = p->options.queue.lease_ms / 3, renew_at_ms = mono_ms() + every_ms;
    int64_t recall_at_ms = mono_ms() + RECALL_EVERY_MS;
    int64_t tally_at_ms = mono_ms() + TALLY_EVERY_MS;

    for (bool over = false; !over;) {
        pthread_mutex_lock(&p->lock);
        int64_t until_ms = earlier(renew_at_ms, recall_at_ms);
        while (!p->finished.first && !p->drained && mono_ms() < until_ms)
            pool_wait(p, &p->finished_changed, until_ms - mono_ms() + 1);
        struct work_list l = p->finished;
        p->finished = (struct work_list){0};
        over = p->drained && !l.first;
        pthread_mutex_unlock(&p->lock);
        if (l.first) {
            write_results(p, l.first, l.count);
            forget(p, l.first);
        }
        if (mono_ms() >= renew_at_ms)
            renew_at_ms = mono_ms() + (renew(p) ? every_ms : RENEW_AGAIN_MS);
        if (mono_ms() >= recall_at_ms) {
            recall(p);
            recall_at_ms = mono_ms() + RECALL_EVERY_MS;
        }
        if (mono_ms() >= tally_at_ms || over) {
            write_tally(p);
            tally_at_ms = mono_ms() + TALLY_EVERY_MS;
        }
    }
    return NULL;
}

/* ---- relay ---- */

/* looks: how often nothing was found since something was. */
static int relay_wait_ms(const struct pool *p, int err, int64_t awake_until_ms, int looks)
{
    if (err)
        return POOL_AWAY_MS;
    if (mono_ms() < awake_until_ms)
        return looks < RELAY_KEEN_TIMES ? RELAY_KEEN_MS : RELAY_AWAKE_MS;
    return p->options.sweep_ms < RELAY_SLEEP_MS ? (int)p->options.sweep_ms
                                                : RELAY_SLEEP_MS;
}

/* Jobs whose worker died or was late; Redis has no part in it. */
static void look_after_the_dead(struct pool *p, int64_t *reap_at_ms)
{
    int64_t every_ms = p->options.queue.lease_ms / 4;
    struct queue_reaped reaped = {0};
    bool any = false;

    if (mono_ms() >= *reap_at_ms) {
        if (queue_reap(p->relay_queue, &reaped))
            return;
        *reap_at_ms = mono_ms() + earlier(every_ms, REAP_EVERY_MAX_MS);
    }
    if (reaped.died > 0)
        log_warn("pool", "jobs=%d held by a worker that is gone; they run one at a time",
                 reaped.died);
    if (reaped.late > 0)
        log_warn("pool",
                 "jobs=%d a worker was too busy to prolong its leases; they run again",
                 reaped.late);
    if (!queue_suspects(p->relay_queue, &any))
        atomic_store(&p->suspects, any);
}

static void expire(struct pool *p, int64_t *expire_at_ms)
{
    int n = 0;

    if (p->options.keep_ms < 1 || mono_ms() < *expire_at_ms)
        return;
    /* A full batch: there is more, and it goes on after the next sweep. */
    if (!queue_expire(p->relay_queue, p->options.keep_ms, &n) && n < QUEUE_EXPIRE_BATCH)
        *expire_at_ms = mono_ms() + EXPIRE_EVERY_MS;
}

/* Sends what is due, and says when the next sweep is: early for a delayed job. */
static int sweep(struct pool *p, bool wiped, int64_t *sweep_at_ms, int *swept)
{
    int64_t due_ms = p->options.sweep_ms;
    int err = queue_sweep(p->relay_queue, wiped, swept);

    if (!err)
        err = queue_next_due(p->relay_queue, due_ms, &due_ms);
    *sweep_at_ms = mono_ms() + due_ms;
    if (wiped && err)
        atomic_store(&p->wiped, true);
    return err;
}

void *pool_relay(void *pool)
{
    struct pool *p = pool;
    int64_t awake_until_ms = 0, sweep_at_ms = 0, reap_at_ms = 0, dead_at_ms = 0;
    int64_t expire_at_ms = 0;
    int looks = 0;

    while (!atomic_load(&p->stopping)) {
        int moved = 0, swept = 0;
        if (mono_ms() >= dead_at_ms) {
            dead_at_ms = mono_ms() + p->options.sweep_ms;
            look_after_the_dead(p, &reap_at_ms);
            expire(p, &expire_at_ms);
        }
        int err = queue_relay(p->relay_queue, &moved);
        bool wiped = !err && atomic_exchange(&p->wiped, false);
        if (!err && (wiped || mono_ms() >= sweep_at_ms))
            err = sweep(p, wiped, &sweep_at_ms, &swept);
        if (moved + swept > 0) {
            atomic_store(&p->news, true);
            awake_until_ms = mono_ms() + RELAY_STAY_MS;
            looks = 0;
        }
        if (moved > 0 && !err)
            continue;
        int64_t wait_ms = relay_wait_ms(p, err, awake_until_ms, looks++);
        if (!err)
            wait_ms = earlier(wait_ms, sweep_at_ms - mono_ms());
        if (queue_wait_notice(p->relay_queue, p->stop_fd, wait_ms < 0 ? 0 : (int)wait_ms))
            sweep_at_ms = 0;
    }
    return NULL;
}
