/* The life of a pool; its threads: pool_fetch.c, pool_work.c, pool_ack.c. */
#include "workers/pool.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <jansson.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/xalloc.h"
#include "workers/pool_internal.h"
#include "workers/threads.h"

enum {
    PREFETCH = 4, /* jobs taken ahead of a quick kind's threads, times its quota … */
    PREFETCH_MIN = 512, /* … and at least: taking and finishing is cheap by the hundred */
};

#define CONDS(p)                                                                         \
    (pthread_cond_t *const[]){&(p)->ready_changed, &(p)->room_changed,                   \
                              &(p)->finished_changed},                                   \
        3

void work_list_add(struct work_list *l, struct work *w)
{
    w->next = NULL;
    if (l->last)
        l->last->next = w;
    else
        l->first = w;
    l->last = w;
    l->count++;
}

void work_list_add_ranked(struct work_list *l, struct work *w)
{
    struct work *prev = NULL;

    if (!l->last || l->last->item.priority >= w->item.priority) {
        work_list_add(l, w);
        return;
    }
    for (struct work *x = l->first; x->item.priority >= w->item.priority; x = x->next)
        prev = x;
    w->next = prev ? prev->next : l->first;
    if (prev)
        prev->next = w;
    else
        l->first = w;
    l->count++;
}

void work_list_remove(struct work_list *l, struct work *prev, struct work *w)
{
    if (prev)
        prev->next = w->next;
    else
        l->first = w->next;
    if (l->last == w)
        l->last = prev;
    w->next = NULL;
    l->count--;
}

void pool_wait(struct pool *p, pthread_cond_t *cond, int64_t ms)
{
    threads_wait(cond, &p->lock, ms);
}

static void set_quotas(struct pool *p)
{
    int threads = p->options.threads;

    for (int k = 0; k < p->options.queue.kind_count; k++) {
        bool slow = p->options.queue.kinds[k]->slow;
        int q = p->options.quota[k];
        if (q < 1)
            q = slow ? (threads + 1) / 2 : threads;
        p->quota[k] = q > threads ? threads : q;
        p->limit[k] = slow ? p->quota[k] + 1 : PREFETCH * p->quota[k];
        if (!slow && p->limit[k] < PREFETCH_MIN)
            p->limit[k] = PREFETCH_MIN;
    }
}

static int open_all(struct pool *p, struct errtext *e)
{
    const struct pg_options pg = {.url = p->options.queue.database_url,
                                  .role = "furrow_app",
                                  .name = "furrow-worker"};
    int connections = p->options.connections;

    if (connections < 1)
        connections = 2 * (int)sysconf(_SC_NPROCESSORS_ONLN);
    if (connections > p->options.threads)
        connections = p->options.threads;
    int err = pg_pool_new(&p->pg, &pg, connections, e);
    if (!err)
        err = queue_open(&p->fetch_queue, &p->options.queue, e);
    if (!err)
        err = queue_open(&p->ack_queue, &p->options.queue, e);
    if (!err)
        err = queue_open(&p->relay_queue, &p->options.queue, e);
    return err;
}

static void pool_free(struct pool *p)
{
    queue_close(p->fetch_queue);
    queue_close(p->ack_queue);
    queue_close(p->relay_queue);
    pg_pool_free(p->pg);
    threads_deinit(&p->lock, CONDS(p));
    if (p->stop_fd >= 0)
        close(p->stop_fd);
    free(p->all);
    free(p->threads);
    free(p);
}

int pool_start(struct pool **out, const struct pool_options *options, struct errtext *e)
{
    for (int k = 0; k < options->queue.kind_count; k++)
        if (options->queue.kinds[k]->storage != JOB_DURABLE)
            return errtext_set(e, EINVAL, 0, 0, "kind '%s' is volatile: volatile_pool.h",
                               options->queue.kinds[k]->name);
    struct pool *p = xcalloc(1, sizeof(*p));

    p->options = *options;
    if (p->options.sweep_ms < 1)
        p->options.sweep_ms = 1000;
    threads_init(&p->lock, CONDS(p));
    set_quotas(p);
    p->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int err = p->stop_fd < 0 ? errtext_set(e, errno, 0, 0, "eventfd: %s", strerror(errno))
                             : open_all(p, e);
    if (err) {
        pool_free(p);
        return err;
    }
    json_object_seed(0); /* not by two threads at once */
    p->threads = xcalloc((size_t)p->options.threads, sizeof(*p->threads));
    threads_spawn(&p->acknowledger, 0, pool_acknowledger, p);
    threads_spawn(&p->relay, 0, pool_relay, p);
    for (; p->thread_count < p->options.threads; p->thread_count++) {
        struct pool_thread *t = &p->threads[p->thread_count];
        t->pool = p;
        threads_spawn(&t->id, 0, pool_thread, t);
    }
    threads_spawn(&p->fetcher, 0, pool_fetcher, p);
    *out = p;
    return 0;
}

struct pool_counts pool_count(struct pool *p)
{
    pthread_mutex_lock(&p->lock);
    struct pool_counts c = p->counts;
    c.ready = p->ready.count;
    c.running = p->running_total;
    pthread_mutex_unlock(&p->lock);
    return c;
}

/* Called once no thread takes ready jobs any more. */
static void hand_back_ready(struct pool *p)
{
    pthread_mutex_lock(&p->lock);
    while (p->ready.first) {
        struct work *w = p->ready.first;
        work_list_remove(&p->ready, NULL, w);
        w->result = JOB_HANDED_BACK;
        pool_put_finished(p, w);
    }
    pthread_mutex_unlock(&p->lock);
}

static void wait_for_running(struct pool *p, int64_t grace_ms)
{
    int64_t end_ms = mono_ms() + grace_ms;

    pthread_mutex_lock(&p->lock);
    while (p->running_total > 0 && mono_ms() < end_ms)
        pool_wait(p, &p->room_changed, end_ms - mono_ms() + 1);
    if (p->running_total > 0)
        log_info("pool", "jobs=%d broken off after the grace time", p->running_total);
    pthread_mutex_unlock(&p->lock);
}

/* Under the lock: a thread that just begins sees one flag or the other. */
static void break_off(struct pool *p)
{
    pthread_mutex_lock(&p->lock);
    atomic_store(&p->cancelled, true);
    for (int i = 0; i < p->thread_count; i++)
        atomic_store(&p->threads[i].stop, true);
    pthread_mutex_unlock(&p->lock);
}

void pool_stop(struct pool *p, int64_t grace_ms)
{
    uint64_t one = 1;

    if (!p)
        return;
    pthread_mutex_lock(&p->lock);
    atomic_store(&p->stopping, true);
    pthread_cond_broadcast(&p->ready_changed);
    pthread_cond_broadcast(&p->room_changed);
    pthread_mutex_unlock(&p->lock);
    if (write(p->stop_fd, &one, sizeof(one)) != sizeof(one))
        log_warn("pool", "the stop event could not be raised");
    pthread_join(p->fetcher, NULL);
    pthread_join(p->relay, NULL);
    hand_back_ready(p);
    wait_for_running(p, grace_ms);
    break_off(p);
    for (int i = 0; i < p->thread_count; i++)
        pthread_join(p->threads[i].id, NULL);
    pthread_mutex_lock(&p->lock);
    p->drained = true;
    pthread_cond_broadcast(&p->finished_changed);
    pthread_mutex_unlock(&p->lock);
    pthread_join(p->acknowledger, NULL);
    pool_free(p);
}
