/*
 * Lock: gate->lock guards all that is not const. Handlers run without it. The watch
 * thread looks at those in line every LOOK_MS while there are any.
 */
#include "server/http_gate.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include <microhttpd.h>

#include "base/clock.h"
#include "base/xalloc.h"

enum {
    LOOK_MS = 50,
    MANY_ENOUGH = HTTP_MANY_MAX / 2, /* for another thread that serves some together */
};

enum kind { ALONE, MANY, KINDS };

struct queue {
    struct http_place *first, **end;
    int n;
};

struct line {
    struct queue queues[KINDS];
    int waiting, running, running_many; /* running: threads */
    long served, shed;
    int64_t shed_at_ms; /* 0: never */
};

struct http_gate {
    struct http_limits limits; /* const, as are: */
    http_gate_fn *fn;
    pthread_t *threads, watch;

    pthread_mutex_t lock;
    pthread_cond_t work, look; /* somebody may be served; the watch has something to do */
    struct line lines[HTTP_CLASSES];
    int thread_count;
    bool watched, watching, stopping; /* watching: it looks every LOOK_MS */
};

static void append(struct line *l, struct http_place *task)
{
    struct queue *q = &l->queues[task->many ? MANY : ALONE];

    task->next = NULL;
    *q->end = task;
    q->end = &task->next;
    q->n++;
    l->waiting++;
}

static struct http_place *take_first(struct line *l, enum kind kind)
{
    struct queue *q = &l->queues[kind];
    struct http_place *task = q->first;

    q->first = task->next;
    if (!q->first)
        q->end = &q->first;
    q->n--;
    l->waiting--;
    task->next = NULL;
    return task;
}

/* A chain of them. */
static struct http_place *take_many(struct line *l)
{
    struct http_place *first = take_first(l, MANY), *last = first;

    for (int n = 1; n < HTTP_MANY_MAX && l->queues[MANY].first; n++) {
        last->next = take_first(l, MANY);
        last = last->next;
    }
    return first;
}

/* While some are served together others gather, until those are done or there are enough
 * of them: a transaction of many costs little more than one of few. */
static bool may_be_served_together(const struct line *l)
{
    return l->queues[MANY].first && l->running_many < HTTP_MANY_THREADS &&
           (l->running_many == 0 || l->queues[MANY].n >= MANY_ENOUGH);
}

/* Who stands in line for the longest of those that may be served; NULL: nobody. */
static struct queue *next_queue(struct line *l)
{
    struct queue *alone = &l->queues[ALONE], *many = &l->queues[MANY];

    if (!may_be_served_together(l))
        return alone->first ? alone : NULL;
    return alone->first && alone->first->since_ms <= many->first->since_ms ? alone : many;
}

/* The most urgent one that may run, or some that may together; NULL: none. */
static struct http_place *next_task(struct http_gate *g)
{
    for (int c = HTTP_CLASSES - 1; c >= 0; c--) {
        struct line *l = &g->lines[c];
        struct queue *q = l->running < g->limits.of[c].running_max ? next_queue(l) : NULL;
        if (!q)
            continue;
        l->running++;
        if (q == &l->queues[ALONE])
            return take_first(l, ALONE);
        l->running_many++;
        return take_many(l);
    }
    return NULL;
}

/* The connection may be gone at once when it is woken. */
static void through(struct http_gate *g, struct http_place *task, bool shed)
{
    struct MHD_Connection *c = task->connection;

    g->fn(task, shed);
    MHD_resume_connection(c);
}

/* Wakes those that were served. *left: the others. Returns how many were. */
static long through_many(struct http_gate *g, struct http_place *task,
                         struct http_place **left)
{
    long served = 0;

    g->fn(task, false);
    while (task) {
        struct http_place *next = task->next;
        if (task->many) {
            served++;
            MHD_resume_connection(task->connection);
        } else {
            *left = task;
            left = &task->next;
        }
        task = next;
    }
    *left = NULL;
    return served;
}

/* They were in line before. */
static void put_back(struct line *l, struct http_place *left)
{
    while (left) {
        struct http_place *next = left->next;
        append(l, left);
        left = next;
    }
}

static void *run(void *arg)
{
    struct http_gate *g = arg;

    pthread_mutex_lock(&g->lock);
    for (;;) {
        struct http_place *task = next_task(g);
        if (!task && g->stopping)
            break;
        if (!task) {
            pthread_cond_wait(&g->work, &g->lock);
            continue;
        }
        struct line *l = &g->lines[task->class];
        struct http_place *left = NULL;
        const bool many = task->many;
        long served = 1;
        pthread_mutex_unlock(&g->lock);
        if (many)
            served = through_many(g, task, &left);
        else
            through(g, task, false);
        pthread_mutex_lock(&g->lock);
        l->running--;
        l->running_many -= many;
        l->served += served;
        for (const struct http_place *p = left; p && p->next; p = p->next)
            pthread_cond_signal(&g->work);
        put_back(l, left);
        if (l->waiting > 0) /* of a class at its limit, others may sleep */
            pthread_cond_signal(&g->work);
    }
    pthread_mutex_unlock(&g->lock);
    return NULL;
}

/* ---- those who wait for too long ---- */

static struct http_place *take_overdue(struct http_gate *g, int64_t now)
{
    struct http_place *overdue = NULL, **end = &overdue;

    for (int c = HTTP_CLASSES - 1; c >= 0; c--)
        for (int kind = 0; kind < KINDS; kind++) {
            struct line *l = &g->lines[c];
            const struct queue *q = &l->queues[kind];
            while (q->first && (g->stopping || now - q->first->since_ms >=
                                                   g->limits.of[c].patience_ms)) {
                *end = take_first(l, kind);
                end = &(*end)->next;
                l->shed++;
                l->shed_at_ms = now;
            }
        }
    *end = NULL;
    return overdue;
}

static bool is_anybody_waiting(const struct http_gate *g)
{
    for (int c = 0; c < HTTP_CLASSES; c++)
        if (g->lines[c].waiting > 0)
            return true;
    return false;
}

static void sleep_locked(struct http_gate *g)
{
    struct timespec until;
    int64_t at = mono_ms() + LOOK_MS;

    g->watching = is_anybody_waiting(g);
    if (!g->watching) {
        pthread_cond_wait(&g->look, &g->lock);
        return;
    }
    until.tv_sec = (time_t)(at / 1000);
    until.tv_nsec = (long)(at % 1000) * 1000000;
    pthread_cond_timedwait(&g->look, &g->lock, &until);
}

static void *watch(void *arg)
{
    struct http_gate *g = arg;

    pthread_mutex_lock(&g->lock);
    for (;;) {
        struct http_place *task = take_overdue(g, mono_ms());
        if (!task && g->stopping)
            break;
        if (!task) {
            sleep_locked(g);
            continue;
        }
        pthread_mutex_unlock(&g->lock);
        while (task) {
            struct http_place *next = task->next;
            through(g, task, true);
            task = next;
        }
        pthread_mutex_lock(&g->lock);
    }
    pthread_mutex_unlock(&g->lock);
    return NULL;
}

/* ---- the door ---- */

static int64_t oldest_ms(const struct line *l, int64_t now)
{
    int64_t oldest = 0;

    for (int kind = 0; kind < KINDS; kind++) {
        const struct http_place *first = l->queues[kind].first;
        if (first && now - first->since_ms > oldest)
            oldest = now - first->since_ms;
    }
    return oldest;
}

static bool is_shut(const struct http_gate *g, enum http_class class, int64_t now)
{
    const struct http_limit *limit = &g->limits.of[class];

    if (g->stopping || g->lines[class].waiting >= limit->waiting_max)
        return true;
    for (int c = class + 1; c < HTTP_CLASSES; c++)
        if (oldest_ms(&g->lines[c], now) >= limit->patience_ms)
            return true;
    return false;
}

static bool refuse(struct http_gate *g, enum http_class class, int64_t now)
{
    if (!is_shut(g, class, now))
        return false;
    g->lines[class].shed++;
    g->lines[class].shed_at_ms = now;
    return true;
}

bool http_gate_refuses(struct http_gate *g, enum http_class class)
{
    pthread_mutex_lock(&g->lock);
    bool refused = refuse(g, class, mono_ms());
    pthread_mutex_unlock(&g->lock);
    return refused;
}

bool http_gate_enter(struct http_gate *g, struct http_place *task,
                     struct MHD_Connection *c, enum http_class class, bool many)
{
    int64_t now = mono_ms();

    pthread_mutex_lock(&g->lock);
    bool in = !refuse(g, class, now);
    if (in) {
        *task = (struct http_place){
            .connection = c, .class = class, .since_ms = now, .many = many};
        MHD_suspend_connection(c);
        append(&g->lines[class], task);
        if (!many || may_be_served_together(&g->lines[class]))
            pthread_cond_signal(&g->work);
        if (!g->watching) {
            g->watching = true;
            pthread_cond_signal(&g->look);
        }
    }
    pthread_mutex_unlock(&g->lock);
    return in;
}

void http_gate_load(struct http_gate *g, struct http_load *out)
{
    int64_t now = mono_ms();

    *out = (struct http_load){0};
    pthread_mutex_lock(&g->lock);
    for (int c = 0; c < HTTP_CLASSES; c++) {
        const struct line *l = &g->lines[c];
        out->of[c].waiting = l->waiting;
        out->of[c].running = l->running;
        out->of[c].served = l->served;
        out->of[c].shed = l->shed;
        out->of[c].oldest_ms = oldest_ms(l, now);
        out->of[c].shed_ago_ms = l->shed_at_ms ? now - l->shed_at_ms : -1;
    }
    pthread_mutex_unlock(&g->lock);
}

/* ---- life ---- */

static int start_threads(struct http_gate *g, int threads)
{
    int err = pthread_create(&g->watch, NULL, watch, g);

    g->watched = !err;
    while (!err && g->thread_count < threads) {
        err = pthread_create(&g->threads[g->thread_count], NULL, run, g);
        g->thread_count += !err;
    }
    return err;
}

int http_gate_new(struct http_gate **out, int threads, const struct http_limits *limits,
                  http_gate_fn *fn)
{
    struct http_gate *g = xcalloc(1, sizeof(*g));

    g->limits = *limits;
    g->fn = fn;
    g->threads = xcalloc((size_t)threads, sizeof(*g->threads));
    for (int c = 0; c < HTTP_CLASSES; c++)
        for (int kind = 0; kind < KINDS; kind++)
            g->lines[c].queues[kind].end = &g->lines[c].queues[kind].first;
    pthread_mutex_init(&g->lock, NULL);
    pthread_cond_init(&g->work, NULL);
    mono_cond_init(&g->look);
    int err = start_threads(g, threads);
    if (err) {
        http_gate_stop(g);
        http_gate_free(g);
        return err;
    }
    *out = g;
    return 0;
}

void http_gate_stop(struct http_gate *g)
{
    pthread_mutex_lock(&g->lock);
    g->stopping = true;
    pthread_cond_broadcast(&g->work);
    pthread_cond_signal(&g->look);
    pthread_mutex_unlock(&g->lock);
    for (int i = 0; i < g->thread_count; i++)
        pthread_join(g->threads[i], NULL);
    if (g->watched)
        pthread_join(g->watch, NULL);
    g->thread_count = 0;
    g->watched = false;
}

void http_gate_free(struct http_gate *g)
{
    if (!g)
        return;
    pthread_mutex_destroy(&g->lock);
    pthread_cond_destroy(&g->work);
    pthread_cond_destroy(&g->look);
    free(g->threads);
    free(g);
}
