/*
 * sim_tables - a campaign whose flow reads and changes tables and submits to the jobs,
 * run over the simulator's tables in memory and over the rows in Postgres, with the
 * ledger.
 */
#ifndef TESTS_STORE_SIM_TABLES_H
#define TESTS_STORE_SIM_TABLES_H

#include "base/pg.h"
#include "simulate/counts.h"

/* Makes the campaign 'stocked', its list, flow and tables: places (its key 'tour', seats
 * for fewer than want one), visits (its key 'phone'), none of 'missing'. */
void sim_tables_start(struct pg *pg, int people, int seats);

struct sim_tables_told {
    int64_t differences;      /* contacts, rows of the tables, ends of the flow */
    int64_t booked, full;     /* ends of the flow */
    int64_t commands, failed; /* submitted; requests at fault */
};
/* Runs both; the rows are changed by it. */
struct sim_tables_told sim_tables_compare(struct pg *pg);

#endif
