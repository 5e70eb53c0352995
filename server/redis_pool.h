/*
 * redis_pool - a few connections to Redis for handler threads, each held for one command
 * or two. Redis may be away: commands then fail at once (base/redis.h) and work goes on
 * without it.
 */
#ifndef SERVER_REDIS_POOL_H
#define SERVER_REDIS_POOL_H

#include "base/attrs.h"
#include "base/errors.h"

struct redis;
struct redis_pool;

/* EINVAL: no such URL. Nothing is connected yet. */
NODISCARD int redis_pool_new(struct redis_pool **out, const char *url, int size,
                             struct errtext *e);
void redis_pool_free(struct redis_pool *pool);          /* NULL is allowed */
struct redis *redis_pool_take(struct redis_pool *pool); /* waits for one; never NULL */
void redis_pool_give(struct redis_pool *pool, struct redis *r);

#endif
