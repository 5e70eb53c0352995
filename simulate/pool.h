/*
 * pool - the numbers that the calls of a simulation show, where the campaign has a pool:
 * caps over any 24 hours, local presence, health and quarantine by the campaign's rule
 * (caller_id_pool.h), counted from the simulation's calls and those before it. Pure; not
 * thread-safe.
 */
#ifndef SIMULATE_POOL_H
#define SIMULATE_POOL_H

#include <stddef.h>
#include <stdint.h>

#include "campaigns/disposition.h"
#include "simulate/scene.h"

struct pool;

struct pool_result { /* of one number */
    int64_t phone, calls, answered, shorts;
    int64_t held_until_ms; /* 0 never was */
    int held;              /* how often it was quarantined */
};

/* scene must outlive it. */
struct pool *pool_new(const struct scene *scene);
void pool_free(struct pool *p); /* NULL is allowed */

/* For how many calls there are numbers; at 0, *again_ms is when to ask again, 0 unknown.
 * Health is looked at first, when its time has come. */
size_t pool_room(struct pool *p, int64_t now_ms, size_t most, int64_t *again_ms);
/* A number for a call; pool_room() has said that there is one. Answers what the others
 * take for the use. */
uint32_t pool_take(struct pool *p, int64_t callee, int64_t now_ms);
void pool_give_back(struct pool *p, uint32_t use); /* the call was never placed */
/* talk_ms: from the answer to the end; 0 when nobody answered. */
void pool_ended(struct pool *p, uint32_t use, enum disposition how, int64_t talk_ms);

size_t pool_count(const struct pool *p);
struct pool_result pool_result(const struct pool *p, size_t i);

#endif
