/*
 * sample_store - flows that come with the program, with the tables they begin with, to be
 * published for a tenant, tried and changed. Their files lie in deploy/samples/ and are
 * part of the program.
 */
#ifndef CAMPAIGNS_SAMPLE_STORE_H
#define CAMPAIGNS_SAMPLE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attrs.h"
#include "base/errors.h"

struct pg;

enum { SAMPLE_TABLES_MAX = 8 };

struct sample {
    const char *name, *about;
    const char *flow; /* its name */
    const char *flow_text;
    size_t table_count;
    struct {
        const char *name, *text; /* CSV */
    } tables[SAMPLE_TABLES_MAX];
};

/* NULL: there is no such one, or no i-th. */
const struct sample *sample_find(const char *name);
const struct sample *sample_at(size_t i);

struct sample_loaded {
    bool published;    /* its flow was not there as it is */
    size_t tables_new; /* tables that were made or replaced */
};
/* Publishes the flow and makes the tables that are not there; replace: all anew, else a
 * flow of that name that is there stays. One transaction. Errors are pg.h's, with a
 * text. */
NODISCARD int sample_load(struct pg *pg, int tenant_id, const struct sample *s,
                          bool replace, int64_t now_ms, struct sample_loaded *out,
                          struct errtext *e);

#endif
