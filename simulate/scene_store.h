/*
 * scene_store - reads what a simulation begins with, in one transaction that only reads.
 *
 * What the gate knows of numbers is read as the forecast reads it (forecast_marks_sql):
 * by facts_load, for one of each group of numbers that it cannot tell apart. Calls before
 * the simulation are known to the quarter of an hour, consents and checks to the hour.
 */
#ifndef SIMULATE_SCENE_STORE_H
#define SIMULATE_SCENE_STORE_H

#include <stdint.h>

#include <jansson.h>

#include "base/attrs.h"
#include "base/errors.h"
#include "campaigns/campaign_store.h"
#include "simulate/scene.h"

struct pg;

enum { SCENE_DAYS_MAX = 60, SCENE_PEOPLE_MAX = 20000000 };

struct scene_options {
    int64_t from_ms, to_ms; /* to_ms 0: SCENE_DAYS_MAX after from */
    int64_t people;         /* 0: those of the list; else so many, copied from those */
};

struct scene_source {
    struct scene scene; /* what it points to is the source's, and the connection's */
    struct scene_parts *parts;
};

/* *out is the caller's to scene_free(). EINVAL with a text: nothing can be simulated so.
 * Other errors are pg.h's, with its text. */
NODISCARD int scene_load(struct pg *pg, int tenant_id, const struct campaign_row *row,
                         const struct scene_options *options, struct scene_source *out,
                         struct errtext *e);
void scene_free(struct scene_source *s);

struct table_def;
/* A table in place of the store's, or for want of one; takes rows. EINVAL with a text: no
 * flow of the campaign names it. */
NODISCARD int scene_set_table(struct scene_source *source, const char *name,
                              const struct table_def *def, json_t *rows,
                              struct errtext *e);

#endif
