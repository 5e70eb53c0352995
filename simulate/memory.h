/*
 * memory - the ledger's contacts and attempts in memory: the same hopper order, the same
 * gate, the same settling, without a row in any table. Not thread-safe.
 */
#ifndef SIMULATE_MEMORY_H
#define SIMULATE_MEMORY_H

#include "compliance/reason.h"
#include "simulate/scene.h"
#include "simulate/store.h"

enum memory_state {
    MEMORY_PENDING,
    MEMORY_CALLING,
    MEMORY_FINAL,
    MEMORY_BLOCKED, /* waits for data that nothing in a simulation brings */
};

struct memory_contact {
    enum memory_state state;
    const char *final;            /* "completed", "DNC_INTERNAL"; "" not */
    const char *last_disposition; /* "" none */
    enum reason blocked;          /* of MEMORY_BLOCKED */
    int attempts, priority;
    int64_t due_ms; /* when it is final: since when */
};

/* A verdict that refused. */
typedef void(memory_refused_fn)(void *arg, int64_t at_ms, enum reason reason);

struct memory;
struct desk;
struct holds;
struct pool;
struct trial;

/* A call under way is reckoned in the campaign's budget with what it may come to. desk
 * NULL: of a campaign with agents one is always free.
 * block: contacts that only new data could help are set aside at their first refusal,
 * instead of asking every few hours. refused may be NULL. scene must outlive it. */
struct memory *memory_new(const struct scene *scene, struct desk *desk, bool block,
                          memory_refused_fn *refused, void *arg);
void memory_free(struct memory *m); /* NULL is allowed */
struct memory_contact memory_contact(const struct memory *m, size_t person);
const struct trial *memory_trial(const struct memory *m); /* its canary */
const struct holds *memory_holds(const struct memory *m); /* its quarantine */
/* NULL: the campaign has none. */
const struct pool *memory_pool(const struct memory *m);

extern const struct sim_store_ops memory_ops; /* store: the struct memory */

#endif
