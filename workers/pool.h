/*
 * pool - N identical threads that do jobs, and the three that feed them.
 *
 *   fetcher       takes jobs while there is room and puts them on the ready list
 *   threads       take the oldest ready job whose kind is below its quota, do it
 *   acknowledger  writes results in batches, prolongs leases, hears of cancelled jobs
 *   relay         outbox → streams, the sweep, and the jobs of dead workers
 *
 * A job whose worker died runs while nothing else does in its new worker, so that a
 * second death is its own: it is then buried (pool_fetch.c).
 *
 * A thread owns its HTTP handle; Postgres connections come from a pool and are
 * held for one transaction at a time. So slow services hold threads, never
 * connections, and a slow kind at most its quota of threads.
 *
 * Lock: one, pool->lock, over the lists and counters; never held during a job, a
 * query or a Redis command.
 */
#ifndef WORKERS_POOL_H
#define WORKERS_POOL_H

#include <stdint.h>

#include "base/attrs.h"
#include "base/errors.h"
#include "workers/job.h"
#include "workers/queue.h"

struct pool_options {
    struct queue_options queue;
    int threads;
    int quota[QUEUE_KINDS_MAX]; /* threads a kind may hold; 0: half when slow, else all */
    int connections;            /* of the Postgres pool; 0: twice the cores */
    int64_t retry_base_ms, retry_max_ms;
    int64_t sweep_ms;
    int64_t keep_ms;    /* how long done and cancelled rows stay; 0: for ever */
    const void *config; /* handed to the jobs; borrowed */
};

struct pool;

struct pool_counts {
    int64_t fetched, done, retried, buried, handed_back, cancelled;
    int ready, running;
};

/* Starts the threads. options is copied, what it points to borrowed. Postgres
 * must answer; Redis need not. */
NODISCARD int pool_start(struct pool **out, const struct pool_options *options,
                         struct errtext *e);
struct pool_counts pool_count(struct pool *p);
/* Takes no more jobs, waits up to grace_ms for those at work, breaks off the rest,
 * hands back what was not done, ends the threads, frees p. Bounded. NULL allowed. */
void pool_stop(struct pool *p, int64_t grace_ms);

#endif
