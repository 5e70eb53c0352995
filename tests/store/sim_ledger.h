/*
 * sim_ledger - the simulator's store over the ledger in Postgres: attempt_claim,
 * attempt_release, attempt_move, dnc_add, as the dialer calls them. For tests and
 * benchmarks that hold the store in memory against it. Single-threaded.
 */
#ifndef TESTS_STORE_SIM_LEDGER_H
#define TESTS_STORE_SIM_LEDGER_H

#include "base/pg.h"
#include "simulate/memory.h"

struct sim_ledger;

struct sim_ledger *sim_ledger_new(struct pg *pg, const struct scene *scene);
/* What the store holds back is written. */
NODISCARD int sim_ledger_flush(struct sim_ledger *l);
void sim_ledger_free(struct sim_ledger *l);

extern const struct sim_store_ops sim_ledger_ops; /* store: the struct sim_ledger */

/* The schema leaves the order of contacts that are due at one instant to the index; here
 * they go by id, as in memory. super: a superuser's connection. */
void sim_ledger_order_ties(struct pg *pg, struct pg *super);

/* How many contacts are not the same in memory and in the rows: state, final, attempts,
 * last disposition, priority and, while they wait, when. The first few are told. */
int64_t sim_ledger_differences(struct pg *pg, const struct scene *scene,
                               const struct memory *m);

#endif
