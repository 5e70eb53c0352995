/* pool_internal - shared by pool.c (life), pool_fetch.c, pool_work.c and pool_ack.c. */
#ifndef WORKERS_POOL_INTERNAL_H
#define WORKERS_POOL_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/pg.h"
#include "workers/pool.h"

enum { POOL_AWAY_MS = 200 };

struct work {
    struct queue_item item;
    enum job_result result;
    char why[JOB_WHY_MAX];
    int64_t delay_ms, run_ms, wait_ms;
    json_t *output;     /* what a job that is done says; owned */
    struct work *next;  /* on the ready or the finished list */
    int place;          /* in all[] */
    bool lone;          /* a worker died at it: runs while nothing else does */
    bool begun;         /* a thread has it */
    bool over;          /* it has its result */
    atomic_bool cancel; /* a person wants it stopped */
    atomic_bool *stop;  /* its thread's flag while one has it */
};

struct work_list {
    struct work *first, *last;
    int count;
};

struct pool_thread {
    struct pool *pool;
    pthread_t id;
    atomic_bool stop; /* breaks off what it waits for */
};

struct pool {
    struct pool_options options;
    int quota[QUEUE_KINDS_MAX], limit[QUEUE_KINDS_MAX];
    struct pg_pool *pg;

    pthread_mutex_t lock; /* guards everything down to counts */
    pthread_cond_t ready_changed, room_changed, finished_changed;
    struct work_list ready, finished;
    struct work **all; /* taken and not yet acknowledged */
    int all_count, all_cap;
    int running[QUEUE_KINDS_MAX], taken[QUEUE_KINDS_MAX];
    int running_total;
    bool alone;   /* only lone work may begin */
    bool drained; /* all threads have ended: the acknowledger writes the rest and ends */
    struct pool_counts counts;
    struct queue_tally tally; /* since it was last written */

    atomic_bool stopping, cancelled, wiped, suspects;
    atomic_bool news; /* the relay moved something: rows may be there too */
    int stop_fd;
    pthread_t fetcher, acknowledger, relay;
    struct pool_thread *threads;
    int thread_count; /* started */
    struct queue *fetch_queue, *ack_queue, *relay_queue;
};

void work_list_add(struct work_list *l, struct work *w);
/* Behind the last that ranks as high. */
void work_list_add_ranked(struct work_list *l, struct work *w);
/* prev NULL: w is the first. */
void work_list_remove(struct work_list *l, struct work *prev, struct work *w);
/* Called with the lock held: waits for cond, at most ms. */
void pool_wait(struct pool *p, pthread_cond_t *cond, int64_t ms);
/* Called with the lock held: w has its result. */
void pool_put_finished(struct pool *p, struct work *w);

/* The threads' main functions. */
void *pool_fetcher(void *pool);
void *pool_acknowledger(void *pool);
void *pool_relay(void *pool);
void *pool_thread(void *pool_thread);

#endif
