/*
 * sim_agents - a campaign with agents, and whether they fared alike in memory and in the
 * rows. On ledger_fixture.h's rows;
 * ends the program when it cannot.
 */
#ifndef TESTS_STORE_SIM_AGENTS_H
#define TESTS_STORE_SIM_AGENTS_H

#include "base/pg.h"
#include "simulate/desk.h"

/* The flow "desk", which is one queue, "sales". Answers its revision. */
int64_t sim_agents_flow(struct pg *pg);

struct sim_agents_told {
    int64_t differences;
    struct desk_counts counts; /* in memory */
};

/* Makes a running campaign of this name and mode over people of a list of its own, with a
 * queue of its own and so many agents, and runs it for a day in memory and over the rows:
 * how many contacts, and counts of agents' calls, are not the same. Each is told. mode
 * and more: members of the mode and of the document beside their own, "" none. */
struct sim_agents_told sim_agents_compare(struct pg *pg, const char *name,
                                          const char *kind, const char *mode,
                                          const char *more, int people, int agents);

#endif
