#include "workers/pool.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <sodium.h>

#include "base/clock.h"
#include "base/http.h"
#include "base/log.h"
#include "base/pg.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "workers/backoff.h"

enum {
    FETCH_WAIT_MS = 500, /* also bounds how late a stop is noticed */
    FETCH_SHORT_MS = 20, /* some kind has no room now and may get some */
    AWAY_MS = 200,
    DEGRADED_MS = 50,
    RELAY_AWAKE_MS = 5, /* how often the relay looks after it found something … */
    RELAY_STAY_MS = 50, /* … and for how long */
    RELAY_KEEN_MS = 1,  /* at first: a notice is not sent while rows are on their way */
    RELAY_KEEN_TIMES = 3,
    RELAY_SLEEP_MS = 250,
    PREFETCH = 4, /* jobs taken ahead of a quick kind's threads, times its quota */
    FINAL_TRY_MS = 3000,
    DB_BACK_MS = 1000,
};

struct work {
    struct queue_item item;
    enum job_result result;
    char why[JOB_WHY_MAX];
    int64_t delay_ms;
    struct work *next; /* on the ready or the finished list */
    int place;         /* in all[] */
};

struct list {
    struct work *first, *last;
    int count;
};

struct pool {
    struct pool_options options;
    int quota[QUEUE_KINDS_MAX], limit[QUEUE_KINDS_MAX];
    struct pg_pool *pg;

    pthread_mutex_t lock; /* guards everything down to counts */
    pthread_cond_t ready_changed, room_changed, finished_changed;
    struct list ready, finished;
    struct work **all; /* taken and not yet acknowledged */
    int all_count, all_cap;
    int running[QUEUE_KINDS_MAX], taken[QUEUE_KINDS_MAX];
    int running_total;
    bool drained; /* all threads have ended: the acknowledger writes the rest and ends */
    struct pool_counts counts;

    atomic_bool stopping, cancelled, wiped;
    int stop_fd;
    pthread_t fetcher, acknowledger, relay, *threads;
    int thread_count; /* started */
    struct queue *fetch_queue, *ack_queue, *relay_queue;
};

static void list_add(struct list *l, struct work *w)
{
    w->next = NULL;
    if (l->last)
        l->last->next = w;
    else
        l->first = w;
    l->last = w;
    l->count++;
}

static void list_remove(struct list *l, struct work *prev, struct work *w)
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

static void wait_for(struct pool *p, pthread_cond_t *cond, int64_t ms)
{
    struct timespec at;

    clock_gettime(CLOCK_MONOTONIC, &at);
    at.tv_sec += ms / 1000;
    at.tv_nsec += ms % 1000 * 1000000;
    if (at.tv_nsec >= 1000000000) {
        at.tv_sec++;
        at.tv_nsec -= 1000000000;
    }
    pthread_cond_timedwait(cond, &p->lock, &at);
}

/* ---- fetcher ---- */

/* Waits until some kind has room; false when the pool stops. */
static bool find_room(struct pool *p, int *room, bool *everywhere)
{
    bool any = false;

    pthread_mutex_lock(&p->lock);
    while (!any && !atomic_load(&p->stopping)) {
        *everywhere = true;
        for (int k = 0; k < p->options.queue.kind_count; k++) {
            room[k] = p->limit[k] - p->taken[k];
            any |= room[k] > 0;
            *everywhere &= room[k] > 0;
        }
        if (!any)
            wait_for(p, &p->room_changed, FETCH_WAIT_MS);
    }
    pthread_mutex_unlock(&p->lock);
    return any && !atomic_load(&p->stopping);
}

static void put_ready(struct pool *p, const struct queue_item *items, int n)
{
    pthread_mutex_lock(&p->lock);
    for (int i = 0; i < n; i++) {
        struct work *w = xcalloc(1, sizeof(*w));
        w->item = items[i];
        if (p->all_count == p->all_cap) {
            p->all_cap = p->all_cap ? 2 * p->all_cap : 64;
            p->all = xrealloc(p->all, (size_t)p->all_cap * sizeof(*p->all));
        }
        w->place = p->all_count;
        p->all[p->all_count++] = w;
        p->taken[w->item.kind]++;
        p->counts.fetched++;
        list_add(&p->ready, w);
    }
    pthread_cond_broadcast(&p->ready_changed);
    pthread_mutex_unlock(&p->lock);
}

static void pause_ms(struct pool *p, int64_t ms)
{
    pthread_mutex_lock(&p->lock);
    if (!atomic_load(&p->stopping))
        wait_for(p, &p->room_changed, ms);
    pthread_mutex_unlock(&p->lock);
}

static void *fetcher_main(void *arg)
{
    struct pool *p = arg;
    struct queue_item *items = xcalloc(QUEUE_BATCH, sizeof(*items));
    int room[QUEUE_KINDS_MAX] = {0};
    bool everywhere = true, away = false;

    while (find_room(p, room, &everywhere)) {
        int n = 0;
        int err =
            queue_fetch(p->fetch_queue, room, everywhere ? FETCH_WAIT_MS : FETCH_SHORT_MS,
                        items, QUEUE_BATCH, &n);
        if (queue_take_wiped(p->fetch_queue))
            atomic_store(&p->wiped, true);
        if ((err != 0) != away)
            log_warn("pool", "postgres is %s", err ? "away; jobs wait" : "back");
        away = err != 0;
        if (n > 0)
            put_ready(p, items, n);
        else if (err)
            pause_ms(p, AWAY_MS);
        else if (queue_is_degraded(p->fetch_queue))
            pause_ms(p, DEGRADED_MS);
    }
    free(items);
    return NULL;
}

/* ---- threads ---- */

/* The oldest ready job whose kind is below its quota; NULL when the pool stops. */
static struct work *next_work(struct pool *p)
{
    pthread_mutex_lock(&p->lock);
    while (!atomic_load(&p->stopping)) {
        struct work *prev = NULL, *w = p->ready.first;
        while (w && p->running[w->item.kind] >= p->quota[w->item.kind]) {
            prev = w;
            w = w->next;
        }
        if (w) {
            list_remove(&p->ready, prev, w);
            p->running[w->item.kind]++;
            p->running_total++;
            pthread_mutex_unlock(&p->lock);
            return w;
        }
        pthread_cond_wait(&p->ready_changed, &p->lock);
    }
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

/* Called with the lock held. */
static void put_finished(struct pool *p, struct work *w)
{
    int64_t *const count[] = {[JOB_DONE] = &p->counts.done,
                              [JOB_RETRY] = &p->counts.retried,
                              [JOB_BURY] = &p->counts.buried,
                              [JOB_HANDED_BACK] = &p->counts.handed_back};

    ++*count[w->result];
    list_add(&p->finished, w);
    pthread_cond_signal(&p->finished_changed);
}

static int64_t delay_for(const struct pool *p, const struct work *w, int64_t wish_ms)
{
    if (w->result == JOB_HANDED_BACK)
        return atomic_load(&p->stopping) ? 0 : DB_BACK_MS;
    int64_t ms = backoff_ms(w->item.job.attempts, p->options.retry_base_ms,
                            p->options.retry_max_ms, randombytes_random());
    return wish_ms > ms ? wish_ms : ms;
}

static void do_work(struct pool *p, struct job_ctx *ctx, struct work *w)
{
    const struct job_kind *kind = p->options.queue.kinds[w->item.kind];
    const struct job *job = &w->item.job;
    char id[UUID_TEXT_MAX];

    ctx->why[0] = '\0';
    ctx->retry_after_ms = 0;
    if (job->attempts > job->max_attempts) /* a worker died with each try */
        w->result = job_say(
            ctx, JOB_BURY, "gave up after %d tries; the last: %.200s", job->max_attempts,
            w->item.last_error[0] ? w->item.last_error : "the worker died at it");
    else
        w->result = kind->run(ctx, job);
    if (w->result == JOB_RETRY && job->attempts >= job->max_attempts)
        w->result = JOB_BURY;
    str_cut(w->why, sizeof(w->why), w->result == JOB_DONE ? "" : ctx->why);
    if (w->result == JOB_BURY && kind->buried) {
        int err = kind->buried(ctx, job, w->why);
        if (err) /* the failure is not yet visible: not buried */
            w->result = JOB_HANDED_BACK;
    }
    w->delay_ms = delay_for(p, w, ctx->retry_after_ms);
    if (w->result == JOB_BURY)
        log_warn("job", "id=%s kind=%s attempts=%d buried: %s", uuid_text(&job->id, id),
                 kind->name, job->attempts, LOG_ESC(w->why));
    else if (w->result != JOB_DONE)
        log_info("job", "id=%s kind=%s attempts=%d again_in_ms=%lld why=%s",
                 uuid_text(&job->id, id), kind->name, job->attempts,
                 (long long)w->delay_ms, LOG_ESC(w->why));
}

static void *thread_main(void *arg)
{
    struct pool *p = arg;
    struct job_ctx ctx = {.pool = p->pg, .config = p->options.config};

    if (http_new(&ctx.http, &p->cancelled))
        abort(); /* out of memory */
    for (struct work *w; (w = next_work(p));) {
        do_work(p, &ctx, w);
        pthread_mutex_lock(&p->lock);
        p->running[w->item.kind]--;
        p->running_total--;
        put_finished(p, w);
        /* Another thread may wait for this kind's quota. */
        pthread_cond_signal(&p->ready_changed);
        pthread_cond_signal(&p->room_changed);
        pthread_mutex_unlock(&p->lock);
    }
    http_free(ctx.http);
    return NULL;
}

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
        wait_for(p, &p->finished_changed, AWAY_MS);
        pthread_mutex_unlock(&p->lock);
    }
}

/* The items stay: only this thread frees them. */
static void renew(struct pool *p)
{
    pthread_mutex_lock(&p->lock);
    int n = p->all_count;
    const struct queue_item **items = xcalloc((size_t)n + 1, sizeof(*items));
    for (int i = 0; i < n; i++)
        items[i] = &p->all[i]->item;
    pthread_mutex_unlock(&p->lock);
    if (n > 0 && queue_renew(p->ack_queue, items, n))
        log_warn("pool", "jobs=%d their leases could not be prolonged", n);
    free(items);
}

static void *acknowledger_main(void *arg)
{
    struct pool *p = arg;
    int64_t every_ms = p->options.queue.lease_ms / 3, renew_at_ms = mono_ms() + every_ms;

    for (bool over = false; !over;) {
        pthread_mutex_lock(&p->lock);
        while (!p->finished.first && !p->drained && mono_ms() < renew_at_ms)
            wait_for(p, &p->finished_changed, renew_at_ms - mono_ms() + 1);
        struct list l = p->finished;
        p->finished = (struct list){0};
        over = p->drained && !l.first;
        pthread_mutex_unlock(&p->lock);
        if (l.first) {
            write_results(p, l.first, l.count);
            forget(p, l.first);
        }
        if (mono_ms() >= renew_at_ms) {
            renew(p);
            renew_at_ms = mono_ms() + every_ms;
        }
    }
    return NULL;
}

/* ---- relay ---- */

/* looks: how often nothing was found since something was. */
static int relay_wait_ms(const struct pool *p, int err, int64_t awake_until_ms, int looks)
{
    if (err)
        return AWAY_MS;
    if (mono_ms() < awake_until_ms)
        return looks < RELAY_KEEN_TIMES ? RELAY_KEEN_MS : RELAY_AWAKE_MS;
    return p->options.sweep_ms < RELAY_SLEEP_MS ? (int)p->options.sweep_ms
                                                : RELAY_SLEEP_MS;
}

static void *relay_main(void *arg)
{
    struct pool *p = arg;
    int64_t awake_until_ms = 0, sweep_at_ms = 0;
    int looks = 0;

    while (!atomic_load(&p->stopping)) {
        int moved = 0, swept = 0;
        int err = queue_relay(p->relay_queue, &moved);
        bool wiped = !err && atomic_exchange(&p->wiped, false);
        if (!err && (wiped || mono_ms() >= sweep_at_ms)) {
            sweep_at_ms = mono_ms() + p->options.sweep_ms;
            err = queue_sweep(p->relay_queue, wiped, &swept);
            if (wiped && err)
                atomic_store(&p->wiped, true);
        }
        if (moved + swept > 0) {
            awake_until_ms = mono_ms() + RELAY_STAY_MS;
            looks = 0;
        }
        if (moved == 0 || err)
            queue_wait_notice(p->relay_queue, p->stop_fd,
                              relay_wait_ms(p, err, awake_until_ms, looks++));
    }
    return NULL;
}

/* ---- life ---- */

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
    }
}

static void init_locks(struct pool *p)
{
    pthread_condattr_t attr;

    pthread_mutex_init(&p->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&p->ready_changed, &attr);
    pthread_cond_init(&p->room_changed, &attr);
    pthread_cond_init(&p->finished_changed, &attr);
    pthread_condattr_destroy(&attr);
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
    pthread_cond_destroy(&p->ready_changed);
    pthread_cond_destroy(&p->room_changed);
    pthread_cond_destroy(&p->finished_changed);
    pthread_mutex_destroy(&p->lock);
    if (p->stop_fd >= 0)
        close(p->stop_fd);
    free(p->all);
    free(p->threads);
    free(p);
}

static void spawn(pthread_t *thread, void *(*run)(void *), struct pool *p)
{
    int err = pthread_create(thread, NULL, run, p);

    if (!err)
        return;
    log_error("pool", "no thread: %s", strerror(err));
    abort(); /* like memory: a limit of the machine, found at start */
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
    init_locks(p);
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
    spawn(&p->acknowledger, acknowledger_main, p);
    spawn(&p->relay, relay_main, p);
    for (; p->thread_count < p->options.threads; p->thread_count++)
        spawn(&p->threads[p->thread_count], thread_main, p);
    spawn(&p->fetcher, fetcher_main, p);
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
        list_remove(&p->ready, NULL, w);
        w->result = JOB_HANDED_BACK;
        put_finished(p, w);
    }
    pthread_mutex_unlock(&p->lock);
}

static void wait_for_running(struct pool *p, int64_t grace_ms)
{
    int64_t end_ms = mono_ms() + grace_ms;

    pthread_mutex_lock(&p->lock);
    while (p->running_total > 0 && mono_ms() < end_ms)
        wait_for(p, &p->room_changed, end_ms - mono_ms() + 1);
    if (p->running_total > 0)
        log_info("pool", "jobs=%d broken off after the grace time", p->running_total);
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
    atomic_store(&p->cancelled, true);
    for (int i = 0; i < p->thread_count; i++)
        pthread_join(p->threads[i], NULL);
    pthread_mutex_lock(&p->lock);
    p->drained = true;
    pthread_cond_broadcast(&p->finished_changed);
    pthread_mutex_unlock(&p->lock);
    pthread_join(p->acknowledger, NULL);
    pool_free(p);
}
