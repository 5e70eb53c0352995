#include "workers/volatile_pool.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "base/clock.h"
#include "base/http.h"
#include "base/log.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "workers/backoff.h"
#include "workers/threads.h"

enum {
    FETCH_WAIT_MS = 500, /* also bounds how late a stop is noticed */
    FETCH_SHORT_MS = 20, /* some kind has no room now and may get some */
    PAUSED_MS = 200,     /* how late a pause and its end are noticed, beside the above */
    TALLY_MS = 1000,
    SUSPECT_WAIT_MS = 20,
    AWAY_MS = 100,
    TICK_MS = 50,    /* how late a job for later may be */
    PREFETCH = 1024, /* of a quick kind */
    AT_ONCE = 8,     /* quick jobs a thread takes when many wait */
    TRIES = 8,       /* of a kind that names no number */
    FINAL_TRY_MS = 3000,
    STACK_BYTES = 256 << 10,
};

struct work {
    struct volatile_entry entry;
    struct volatile_envelope job; /* root NULL while unread, or no job at all */
    enum job_result result;
    char *text, *why; /* of what comes again or is buried; else NULL */
    int64_t delay_ms, wait_ms, run_ms;
    atomic_llong renewed_ms; /* monotonic; last sign of life */
    struct work *next;       /* on a ready list or the finished list */
    int place;               /* in all[] */
};

struct list {
    struct work *first, *last;
    int count;
};

struct volatile_pool {
    struct volatile_pool_options options;
    int quota[VOLATILE_KINDS_MAX], limit[VOLATILE_KINDS_MAX];

    pthread_mutex_t lock; /* guards everything down to counts */
    pthread_cond_t ready_changed, room_changed, finished_changed;
    struct list ready[VOLATILE_KINDS_MAX], finished;
    int turn;          /* the kind that is asked first */
    struct work **all; /* taken and not yet acknowledged */
    int all_count, all_cap;
    int running[VOLATILE_KINDS_MAX], taken[VOLATILE_KINDS_MAX];
    int running_total, ready_total, idle, suspects;
    bool fetcher_waits, keeper_waits;
    bool drained; /* all threads have ended: the keeper writes the rest and ends */
    bool paused[VOLATILE_KINDS_MAX];
    struct volatile_counts counts;
    struct volatile_tally tally[VOLATILE_KINDS_MAX]; /* not yet written */

    atomic_bool stopping, cancelled;
    pthread_t fetcher, keeper, *threads;
    struct volatile_queue *fetch_queue, *keep_queue;
};

#define CONDS(p)                                                                         \
    (pthread_cond_t *const[]){&(p)->ready_changed, &(p)->room_changed,                   \
                              &(p)->finished_changed},                                   \
        3

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

static struct work *list_take(struct list *l)
{
    struct work *w = l->first;

    l->first = w->next;
    if (!l->first)
        l->last = NULL;
    l->count--;
    return w;
}

/* ---- fetcher ---- */

/* Which kinds a person has paused; while Redis is away, those that were. */
static void look_for_pauses(struct volatile_pool *p, int64_t *at_ms)
{
    bool paused[VOLATILE_KINDS_MAX];

    if (mono_ms() < *at_ms)
        return;
    *at_ms = mono_ms() + PAUSED_MS;
    if (volatile_paused(p->fetch_queue, paused))
        return;
    pthread_mutex_lock(&p->lock);
    if (memcmp(p->paused, paused, sizeof(paused)) != 0)
        pthread_cond_broadcast(&p->ready_changed);
    memcpy(p->paused, paused, sizeof(paused));
    pthread_mutex_unlock(&p->lock);
}

/* Whether some kind has room, after a while of waiting for it; false too when the pool
 * stops. */
static bool find_room(struct volatile_pool *p, int *room, bool *everywhere)
{
    bool any = false, held = false;

    pthread_mutex_lock(&p->lock);
    *everywhere = true;
    for (int k = 0; k < p->options.queue.kind_count; k++) {
        room[k] = p->paused[k] ? 0 : p->limit[k] - p->taken[k];
        /* Not for a handful when a batch can be had a moment later. */
        if (p->ready[k].count > p->options.threads && room[k] < p->limit[k] / 4)
            room[k] = 0;
        any |= room[k] > 0;
        held |= p->paused[k];
        *everywhere &= room[k] > 0 || p->paused[k];
    }
    if (!any && !atomic_load(&p->stopping)) {
        p->fetcher_waits = true;
        threads_wait(&p->room_changed, &p->lock, held ? PAUSED_MS : FETCH_WAIT_MS);
        p->fetcher_waits = false;
    }
    pthread_mutex_unlock(&p->lock);
    return any && !atomic_load(&p->stopping);
}

/* Called with the lock held. */
static bool is_taken(const struct volatile_pool *p, const struct volatile_entry *e)
{
    for (int i = 0; i < p->all_count; i++)
        if (p->all[i]->entry.kind == e->kind &&
            strcmp(p->all[i]->entry.entry, e->entry) == 0)
            return true;
    return false;
}

/* Called with the lock held. */
static void add_work(struct volatile_pool *p, struct volatile_entry *e, int64_t now_ms)
{
    struct work *w = xcalloc(1, sizeof(*w));

    w->entry = *e;
    atomic_store(&w->renewed_ms, now_ms);
    e->text = NULL;
    if (p->all_count == p->all_cap) {
        p->all_cap = p->all_cap ? 2 * p->all_cap : 64;
        p->all = xrealloc(p->all, (size_t)p->all_cap * sizeof(struct work *));
    }
    w->place = p->all_count;
    p->all[p->all_count++] = w;
    p->taken[w->entry.kind]++;
    p->suspects += w->entry.suspect;
    p->counts.fetched++;
    list_add(&p->ready[w->entry.kind], w);
    p->ready_total++;
}

/* over: taken over; this worker may itself still have some of them. */
static void put_ready(struct volatile_pool *p, struct volatile_entry *entries, int n,
                      bool over)
{
    int64_t now_ms = mono_ms();

    pthread_mutex_lock(&p->lock);
    for (int i = 0; i < n; i++) {
        if (over && is_taken(p, &entries[i])) {
            free(entries[i].text);
            continue;
        }
        p->counts.taken_over += over;
        add_work(p, &entries[i], now_ms);
    }
    int wake = n < p->idle ? n : p->idle;
    for (int i = 0; i < wake; i++)
        pthread_cond_signal(&p->ready_changed);
    pthread_mutex_unlock(&p->lock);
}

static void pause_ms(struct volatile_pool *p, int64_t ms)
{
    pthread_mutex_lock(&p->lock);
    if (!atomic_load(&p->stopping))
        threads_wait(&p->room_changed, &p->lock, ms);
    pthread_mutex_unlock(&p->lock);
}

/* Answers when to look again. */
static int64_t take_over(struct volatile_pool *p, const int *room,
                         struct volatile_entry *entries)
{
    int n = 0, left = 0;

    pthread_mutex_lock(&p->lock);
    bool suspects = p->suspects == 0;
    pthread_mutex_unlock(&p->lock);
    int err = volatile_take_over(p->fetch_queue, room, suspects, entries, VOLATILE_BATCH,
                                 &n, &left);
    if (n > 0) {
        put_ready(p, entries, n, true);
        log_info("volatile", "jobs=%d taken over from a worker that is gone or late", n);
    }
    return mono_ms() +
           (err || left == 0 ? p->options.queue.lease_ms / 2 : SUSPECT_WAIT_MS);
}

static void *fetcher_main(void *arg)
{
    struct volatile_pool *p = arg;
    struct volatile_entry *entries = xcalloc(VOLATILE_BATCH, sizeof(*entries));
    int room[VOLATILE_KINDS_MAX] = {0};
    int64_t over_at_ms = 0, paused_at_ms = 0;
    bool everywhere = true;

    while (!atomic_load(&p->stopping)) {
        int n = 0;
        look_for_pauses(p, &paused_at_ms);
        if (!find_room(p, room, &everywhere))
            continue;
        if (mono_ms() >= over_at_ms)
            over_at_ms = take_over(p, room, entries);
        int64_t wait_ms = everywhere ? FETCH_WAIT_MS : FETCH_SHORT_MS;
        if (over_at_ms - mono_ms() < wait_ms)
            wait_ms = over_at_ms - mono_ms();
        int err = volatile_fetch(p->fetch_queue, room, (int)wait_ms, entries,
                                 VOLATILE_BATCH, &n);
        if (n > 0)
            put_ready(p, entries, n, false);
        if (err)
            pause_ms(p, AWAY_MS);
        pthread_mutex_lock(&p->lock);
        p->counts.wipes = volatile_wipes(p->fetch_queue);
        pthread_mutex_unlock(&p->lock);
    }
    free(entries);
    return NULL;
}

/* ---- threads ---- */

/* Called with the lock held: up to max jobs of one kind, in turn. */
static int take_ready(struct volatile_pool *p, struct work **out, int max)
{
    int kinds = p->options.queue.kind_count, n = 0;

    for (int i = 0; i < kinds && n == 0; i++) {
        int k = (p->turn + i) % kinds;
        const struct job_kind *kind = p->options.queue.kinds[k];
        int most = kind->slow ? 1 : p->ready[k].count / p->options.threads;
        most = most > max ? max : most < 1 ? 1 : most;
        if (p->running[k] >= p->quota[k] || p->paused[k])
            continue;
        while (n < most && p->ready[k].first)
            out[n++] = list_take(&p->ready[k]);
        if (n > 0) {
            p->turn = (k + 1) % kinds;
            p->running[k]++; /* a thread, not a job */
            p->running_total++;
            p->ready_total -= n;
        }
    }
    return n;
}

/* 0 when the pool stops. */
static int next_work(struct volatile_pool *p, struct work **out, int max)
{
    int n = 0;

    pthread_mutex_lock(&p->lock);
    while (!atomic_load(&p->stopping) && (n = take_ready(p, out, max)) == 0) {
        p->idle++;
        pthread_cond_wait(&p->ready_changed, &p->lock);
        p->idle--;
    }
    pthread_mutex_unlock(&p->lock);
    return n;
}

/* Called with the lock held. */
static void put_finished(struct volatile_pool *p, struct work *w)
{
    int64_t *const count[] = {[JOB_DONE] = &p->counts.done,
                              [JOB_RETRY] = &p->counts.retried,
                              [JOB_BURY] = &p->counts.buried,
                              [JOB_HANDED_BACK] = &p->counts.handed_back};

    struct volatile_tally *t = &p->tally[w->entry.kind];

    ++*count[w->result];
    t->done += w->result == JOB_DONE;
    t->retried += w->result == JOB_RETRY;
    t->buried += w->result == JOB_BURY;
    if (w->result != JOB_HANDED_BACK) {
        t->wait_ms += w->wait_ms;
        t->run_ms += w->run_ms;
    }
    list_add(&p->finished, w);
    if (p->keeper_waits)
        pthread_cond_signal(&p->finished_changed);
}

/* The text that comes again, or lies among the buried ones. */
static void write_text(struct work *w, int tries, const char *why)
{
    struct volatile_envelope v = w->job;

    v.tries = tries;
    w->why = xstrdup(why);
    w->text = v.root ? volatile_envelope_text(&v, why) : xstrdup(w->entry.text);
}

static void run_job(struct volatile_pool *p, struct job_ctx *ctx, struct work *w)
{
    const struct job_kind *kind = p->options.queue.kinds[w->entry.kind];
    const struct job job = {.id = w->job.id,
                            .tenant_id = w->job.tenant_id,
                            .payload = w->job.payload,
                            .attempts = w->job.tries + 1,
                            .max_attempts = kind->tries > 0 ? kind->tries : TRIES};
    char id[UUID_TEXT_MAX];

    int64_t from_ms = mono_ms();
    w->wait_ms = volatile_age_ms(w->entry.entry);
    w->result = kind->run(ctx, &job);
    w->run_ms = mono_ms() - from_ms;
    if (w->result == JOB_DONE)
        return;
    if (w->result > JOB_HANDED_BACK) /* no word of a losable kind's */
        w->result = JOB_HANDED_BACK;
    if (w->result == JOB_RETRY && job.attempts >= job.max_attempts)
        w->result = JOB_BURY;
    if (w->result == JOB_BURY && kind->buried && kind->buried(ctx, &job, ctx->why))
        w->result = JOB_HANDED_BACK;
    bool tried = w->result != JOB_HANDED_BACK;
    if (tried)
        w->delay_ms = backoff_ms(job.attempts, p->options.retry_base_ms,
                                 p->options.retry_max_ms, randombytes_random());
    else
        w->delay_ms = atomic_load(&p->stopping) ? 0 : p->options.retry_base_ms;
    if (ctx->retry_after_ms > w->delay_ms)
        w->delay_ms = ctx->retry_after_ms;
    write_text(w, w->job.tries + tried, ctx->why);
    log_at(w->result == JOB_BURY ? LOG_WARN : LOG_INFO, "job",
           "id=%s kind=%s attempts=%d losable %s: %s", uuid_text(&job.id, id), kind->name,
           job.attempts, w->result == JOB_BURY ? "buried" : "again", LOG_ESC(ctx->why));
}

/* false: its lease lapsed while it waited here; somebody else has it, or will. */
static bool do_work(struct volatile_pool *p, struct job_ctx *ctx, struct work *w)
{
    if (mono_ms() - atomic_load(&w->renewed_ms) > p->options.queue.lease_ms)
        return false;
    ctx->why[0] = '\0';
    ctx->retry_after_ms = 0;
    if (!volatile_envelope_read(w->entry.text, &w->job)) {
        run_job(p, ctx, w);
        return true;
    }
    w->result = JOB_BURY;
    write_text(w, 0, "it is no losable job");
    log_warn("volatile", "kind=%s entry=%s is no job; buried",
             p->options.queue.kinds[w->entry.kind]->name, w->entry.entry);
    return true;
}

/* Called with the lock held. */
static void forget(struct volatile_pool *p, struct work *w)
{
    p->all[w->place] = p->all[--p->all_count];
    p->all[w->place]->place = w->place;
    p->taken[w->entry.kind]--;
    p->suspects -= w->entry.suspect;
    volatile_envelope_clear(&w->job);
    free(w->entry.text);
    free(w->text);
    free(w->why);
    free(w);
}

static void *thread_main(void *arg)
{
    struct volatile_pool *p = arg;
    struct job_ctx ctx = {.config = p->options.config, .stop = &p->cancelled};
    struct work *mine[AT_ONCE];

    if (http_new(&ctx.http, &p->cancelled))
        abort(); /* out of memory */
    for (int n; (n = next_work(p, mine, AT_ONCE)) > 0;) {
        int kind = mine[0]->entry.kind;
        bool held[AT_ONCE];
        for (int i = 0; i < n; i++) {
            held[i] = true;
            if (i > 0 && atomic_load(&p->stopping)) {
                mine[i]->result = JOB_HANDED_BACK;
                mine[i]->text = xstrdup(mine[i]->entry.text);
            } else {
                held[i] = do_work(p, &ctx, mine[i]);
            }
        }
        pthread_mutex_lock(&p->lock);
        p->running[kind]--;
        p->running_total--;
        for (int i = 0; i < n; i++)
            if (held[i])
                put_finished(p, mine[i]);
            else
                forget(p, mine[i]);
        if (p->ready_total > 0 && p->idle > 0) /* one may wait for this kind's quota */
            pthread_cond_signal(&p->ready_changed);
        if (atomic_load(&p->stopping))
            pthread_cond_signal(&p->room_changed);
        pthread_mutex_unlock(&p->lock);
    }
    http_free(ctx.http);
    return NULL;
}

/* ---- keeper ---- */

/* Until it is written; at the end only for a while, then the leases lapse. */
static void write_results(struct volatile_pool *p, struct work *first, int n)
{
    CLEANUP(free_cleanup)
    struct volatile_result *results = xcalloc((size_t)n, sizeof(*results));
    int64_t give_up_ms = 0;
    int i = 0;

    for (const struct work *w = first; w; w = w->next)
        results[i++] = (struct volatile_result){.kind = w->entry.kind,
                                                .entry = w->entry.entry,
                                                .result = w->result,
                                                .text = w->text,
                                                .why = w->why ? w->why : "",
                                                .delay_ms = w->delay_ms,
                                                .job = w->job.root ? &w->job : NULL};
    while (volatile_finish(p->keep_queue, results, n)) {
        pthread_mutex_lock(&p->lock);
        if (p->drained && give_up_ms == 0)
            give_up_ms = mono_ms() + FINAL_TRY_MS;
        bool late = give_up_ms > 0 && mono_ms() > give_up_ms;
        if (!late)
            threads_wait(&p->finished_changed, &p->lock, AWAY_MS);
        pthread_mutex_unlock(&p->lock);
        if (late) {
            log_warn("volatile", "results=%d not written; those jobs run again", n);
            return;
        }
    }
}

/* Called with the lock held. */
static bool wants_sign(const struct volatile_pool *p, struct work *w, int kind,
                       int64_t now_ms)
{
    return w->entry.kind == kind &&
           now_ms - atomic_load(&w->renewed_ms) >= p->options.queue.lease_ms / 3;
}

static void renew_kind(struct volatile_pool *p, int kind, int64_t now_ms)
{
    int n = 0;

    pthread_mutex_lock(&p->lock);
    size_t most = (size_t)p->all_count + 1;
    CLEANUP(free_cleanup)
    char(*names)[VOLATILE_ENTRY_MAX] = xcalloc(most, sizeof(*names));
    CLEANUP(free_cleanup) const char **entries = xcalloc(most, sizeof(*entries));
    for (int i = 0; i < p->all_count; i++)
        if (wants_sign(p, p->all[i], kind, now_ms)) {
            memcpy(names[n], p->all[i]->entry.entry, sizeof(names[n]));
            entries[n] = names[n];
            n++;
        }
    pthread_mutex_unlock(&p->lock);
    if (n == 0)
        return;
    if (volatile_renew(p->keep_queue, kind, entries, n)) {
        log_warn("volatile", "jobs=%d their leases could not be prolonged", n);
        return;
    }
    pthread_mutex_lock(&p->lock);
    for (int i = 0; i < p->all_count; i++)
        if (wants_sign(p, p->all[i], kind, now_ms))
            atomic_store(&p->all[i]->renewed_ms, now_ms);
    pthread_mutex_unlock(&p->lock);
}

/* A sign of life for all that is older than a third of the lease, and of the worker. */
static void renew(struct volatile_pool *p)
{
    for (int k = 0; k < p->options.queue.kind_count; k++) {
        renew_kind(p, k, mono_ms());
        volatile_sign(p->keep_queue, k);
    }
}

static struct list wait_finished(struct volatile_pool *p, int64_t until_ms, bool *over)
{
    pthread_mutex_lock(&p->lock);
    while (!p->finished.first && !p->drained && mono_ms() < until_ms) {
        p->keeper_waits = true;
        threads_wait(&p->finished_changed, &p->lock, until_ms - mono_ms() + 1);
        p->keeper_waits = false;
    }
    struct list l = p->finished;
    p->finished = (struct list){0};
    *over = p->drained && !l.first;
    pthread_mutex_unlock(&p->lock);
    return l;
}

static void forget_all(struct volatile_pool *p, struct work *first)
{
    pthread_mutex_lock(&p->lock);
    while (first) {
        struct work *w = first;
        first = w->next;
        forget(p, w);
    }
    if (p->fetcher_waits)
        pthread_cond_signal(&p->room_changed);
    pthread_mutex_unlock(&p->lock);
}

/* Counts that cannot be written are kept for the next time. */
static void write_tally(struct volatile_pool *p)
{
    for (int k = 0; k < p->options.queue.kind_count; k++) {
        pthread_mutex_lock(&p->lock);
        struct volatile_tally t = p->tally[k];
        p->tally[k] = (struct volatile_tally){0};
        pthread_mutex_unlock(&p->lock);
        if (t.done + t.retried + t.buried == 0 || !volatile_count(p->keep_queue, k, &t))
            continue;
        pthread_mutex_lock(&p->lock);
        volatile_tally_add(&p->tally[k], &t);
        pthread_mutex_unlock(&p->lock);
    }
}

static void *keeper_main(void *arg)
{
    struct volatile_pool *p = arg;
    int64_t every_ms = p->options.queue.lease_ms / 6, renew_at_ms = mono_ms() + every_ms;
    int64_t due_at_ms = mono_ms(), tally_at_ms = due_at_ms;

    for (bool over = false; !over;) {
        int64_t until_ms = due_at_ms < renew_at_ms ? due_at_ms : renew_at_ms;
        struct list l = wait_finished(p, until_ms, &over);
        if (l.first) {
            write_results(p, l.first, l.count);
            forget_all(p, l.first);
        }
        if (mono_ms() >= due_at_ms) {
            int64_t next_ms = -1;
            int moved = 0;
            int err = volatile_due(p->keep_queue, &moved, &next_ms);
            bool soon = !err && next_ms >= 0 && next_ms < TICK_MS;
            due_at_ms = mono_ms() + (soon ? next_ms : TICK_MS);
        }
        if (over || mono_ms() >= tally_at_ms) {
            write_tally(p);
            tally_at_ms = mono_ms() + TALLY_MS;
        }
        if (mono_ms() >= renew_at_ms) {
            renew(p);
            renew_at_ms = mono_ms() + every_ms;
        }
    }
    volatile_leave(p->keep_queue);
    return NULL;
}

/* ---- life ---- */

static void init(struct volatile_pool *p)
{
    for (int k = 0; k < p->options.queue.kind_count; k++) {
        bool slow = p->options.queue.kinds[k]->slow;
        p->quota[k] = slow ? (p->options.threads + 1) / 2 : p->options.threads;
        if (slow && p->options.queue.kind_count == 1)
            p->quota[k] = p->options.threads; /* nobody to leave room for */
        p->limit[k] = slow ? p->quota[k] + 1 : PREFETCH;
    }
    threads_init(&p->lock, CONDS(p));
}

static void pool_free(struct volatile_pool *p)
{
    volatile_queue_close(p->fetch_queue);
    volatile_queue_close(p->keep_queue);
    threads_deinit(&p->lock, CONDS(p));
    free(p->all);
    free(p->threads);
    free(p);
}

int volatile_pool_start(struct volatile_pool **out,
                        const struct volatile_pool_options *options, struct errtext *e)
{
    struct volatile_pool *p = xcalloc(1, sizeof(*p));

    p->options = *options;
    init(p);
    int err = volatile_queue_open(&p->fetch_queue, &p->options.queue, e);
    if (!err)
        err = volatile_queue_open(&p->keep_queue, &p->options.queue, e);
    if (err) {
        pool_free(p);
        return err;
    }
    json_object_seed(0); /* not by two threads at once */
    p->threads = xcalloc((size_t)p->options.threads, sizeof(*p->threads));
    threads_spawn(&p->keeper, STACK_BYTES, keeper_main, p);
    for (int i = 0; i < p->options.threads; i++)
        threads_spawn(&p->threads[i], STACK_BYTES, thread_main, p);
    threads_spawn(&p->fetcher, STACK_BYTES, fetcher_main, p);
    *out = p;
    return 0;
}

struct volatile_counts volatile_pool_count(struct volatile_pool *p)
{
    pthread_mutex_lock(&p->lock);
    struct volatile_counts c = p->counts;
    c.ready = p->ready_total;
    c.running = p->running_total;
    pthread_mutex_unlock(&p->lock);
    return c;
}

/* Called once no thread takes ready jobs any more. */
static void hand_back_ready(struct volatile_pool *p)
{
    pthread_mutex_lock(&p->lock);
    for (int k = 0; k < p->options.queue.kind_count; k++)
        while (p->ready[k].first) {
            struct work *w = list_take(&p->ready[k]);
            w->result = JOB_HANDED_BACK;
            w->text = xstrdup(w->entry.text);
            put_finished(p, w);
        }
    p->ready_total = 0;
    pthread_mutex_unlock(&p->lock);
}

static void wait_for_running(struct volatile_pool *p, int64_t grace_ms)
{
    int64_t end_ms = mono_ms() + grace_ms;

    pthread_mutex_lock(&p->lock);
    while (p->running_total > 0 && mono_ms() < end_ms)
        threads_wait(&p->room_changed, &p->lock, end_ms - mono_ms() + 1);
    if (p->running_total > 0)
        log_info("volatile", "threads=%d broken off after the grace time",
                 p->running_total);
    pthread_mutex_unlock(&p->lock);
}

void volatile_pool_stop(struct volatile_pool *p, int64_t grace_ms)
{
    if (!p)
        return;
    pthread_mutex_lock(&p->lock);
    atomic_store(&p->stopping, true);
    pthread_cond_broadcast(&p->ready_changed);
    pthread_cond_broadcast(&p->room_changed);
    pthread_mutex_unlock(&p->lock);
    pthread_join(p->fetcher, NULL);
    hand_back_ready(p);
    wait_for_running(p, grace_ms);
    atomic_store(&p->cancelled, true);
    for (int i = 0; i < p->options.threads; i++)
        pthread_join(p->threads[i], NULL);
    pthread_mutex_lock(&p->lock);
    p->drained = true;
    pthread_cond_broadcast(&p->finished_changed);
    pthread_mutex_unlock(&p->lock);
    pthread_join(p->keeper, NULL);
    pool_free(p);
}
