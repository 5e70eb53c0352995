/*
 * volatile_pool - threads that do losable jobs, and the two that feed them.
 *
 *   fetcher   takes jobs in batches while there is room, and those of dead workers
 *   threads   take what waits in turn of the kinds that are below their quota
 *   keeper    acknowledges in batches, gives signs of life, moves what has come due
 *
 * It needs Redis only: its jobs get no database (ctx->pool is NULL). While Redis is away
 * it waits; when Redis came back empty it says so and goes on.
 *
 * Lock: one, pool->lock, over the lists and counters; never held during a job or a
 * Redis command.
 */
#ifndef WORKERS_VOLATILE_POOL_H
#define WORKERS_VOLATILE_POOL_H

#include <stdint.h>

#include "base/attrs.h"
#include "base/errors.h"
#include "workers/volatile_queue.h"

struct volatile_pool_options {
    struct volatile_options queue;
    int threads;
    int64_t retry_base_ms, retry_max_ms;
    const void *config; /* handed to the jobs; borrowed */
};

struct volatile_pool;

struct volatile_counts {
    int64_t fetched, done, retried, buried, handed_back, taken_over;
    int ready, running, wipes;
};

/* Starts the threads. options is copied, what it points to borrowed. Redis need not
 * answer. EINVAL: a kind is durable, the URL is none. */
NODISCARD int volatile_pool_start(struct volatile_pool **out,
                                  const struct volatile_pool_options *options,
                                  struct errtext *e);
struct volatile_counts volatile_pool_count(struct volatile_pool *p);
/* Takes no more, gives back what is not begun, waits up to grace_ms for what is, breaks
 * off the rest, ends the threads, frees p. Bounded. NULL is allowed. */
void volatile_pool_stop(struct volatile_pool *p, int64_t grace_ms);

#endif
