/*
 * waiting - the hopper in memory: who waits for a call, and who is next. The order is
 * hopper.h's, open hours are zone_open.h's. Pure; not thread-safe.
 */
#ifndef SIMULATE_WAITING_H
#define SIMULATE_WAITING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "simulate/scene.h"

struct waiting;

/* Does this one still wait to be called at that instant? Who left by the way (another
 * number of its person was talked to) is dropped when it comes to the top. */
typedef bool(waiting_still_fn)(const void *arg, uint32_t person, int64_t due_ms);
/* Is this one, whose turn it is, set aside instead? It waits no more. */
typedef bool(waiting_aside_fn)(void *arg, uint32_t person);

/* scene must outlive it. */
struct waiting *waiting_new(const struct scene *scene, waiting_still_fn *still,
                            waiting_aside_fn *aside, void *arg);
void waiting_free(struct waiting *w); /* NULL is allowed */

void waiting_add(struct waiting *w, uint32_t person, int priority, int64_t due_ms);
/* Up to max of those who are due in open zones, best first; they wait no more.
 * *next_due_ms becomes no later than when somebody else will be. */
size_t waiting_take(struct waiting *w, int64_t now_ms, size_t max, uint32_t *out,
                    int64_t *next_due_ms);

#endif
