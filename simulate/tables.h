/*
 * tables - what the flows of a simulation do to tables: the scene's, in memory, each
 * simulation with rows of its own. A table that is not there answers with the node's
 * mock, or is at fault as in a call. Pure; not thread-safe.
 */
#ifndef SIMULATE_TABLES_H
#define SIMULATE_TABLES_H

#include "simulate/scene.h"
#include "simulate/talk.h"

struct tables;

struct tables *tables_new(const struct scene *scene);
void tables_free(struct tables *t); /* NULL is allowed */
/* For talk_start and run_options; lives as long as t. */
const struct talk_tables *tables_ops(const struct tables *t);
/* As they are now. */
const struct table_memory *tables_rows(const struct tables *t);

#endif
