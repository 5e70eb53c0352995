/*
 * people - a database as benchmarks want one: contacts in 3 campaigns and 40 zone groups,
 * as they are in the field: 5 % asked not to be called, 20 % were called before, three of
 * ten wait for a later hour, a third of the zones is closed. Single-threaded.
 */
#ifndef TESTS_BENCH_PEOPLE_H
#define TESTS_BENCH_PEOPLE_H

#include <stdint.h>

#include "base/pg.h"

enum { PEOPLE_CAMPAIGNS = 3, PEOPLE_ZONES = 40 };

/* The first campaign's id; the others follow it. Ends the program when it cannot. */
int64_t people_fill(struct pg *pg, struct pg *super, int64_t contacts);
/* Runs SQL as the superuser; likewise. */
void people_must(struct pg *super, const char *sql);

#endif
