/*
 * forecast_store - reads what a forecast starts from: the campaign's contacts, in groups
 * of whom the gate cannot tell one from another.
 *
 * What the gate knows of a number is read for one of each group, by facts_load, as a
 * claim reads it. The grouping itself goes by every row that mentions a number: numbers
 * with the same rows (calls of the same quarter of an hour, checks of the same hour) and
 * the same answers of the do-not-call lists are one group.
 */
#ifndef CAMPAIGNS_FORECAST_STORE_H
#define CAMPAIGNS_FORECAST_STORE_H

#include <stdint.h>

#include "base/attrs.h"
#include "base/errors.h"
#include "campaigns/campaign_store.h"
#include "campaigns/forecast.h"

struct buf;
struct pg;

struct forecast_options {
    int64_t from_ms, to_ms; /* to_ms 0: FORECAST_DAYS_MAX after from */
    double answer_rate;     /* 0 to 1; below 0: measured, else the default */
    double talk_s;          /* below 0: likewise */
};

struct forecast_source {
    struct forecast_input input;    /* what it points to is the source's */
    int64_t final_contacts;         /* already final: not forecast */
    int64_t calling_contacts;       /* being called at this moment: neither */
    const struct campaign_doc *doc; /* borrowed from the connection */
    struct forecast_parts *parts;
};

/* One transaction that reads. *out is the caller's to forecast_source_free(). EINVAL with
 * a text: options that make no forecast. Other errors are pg.h's, with its text. */
NODISCARD int forecast_load(struct pg *pg, int tenant_id, const struct campaign_row *row,
                            const struct forecast_options *options,
                            struct forecast_source *out, struct errtext *e);
void forecast_source_free(struct forecast_source *s);

/* "marks AS MATERIALIZED (...)": a row for each number that rows of the tenant mention,
 * with columns phone and marks; numbers with the same marks are alike to the gate. $1 is
 * the campaign's id. */
void forecast_marks_sql(struct buf *b);
/* Do rows of this table part a number from others? For the test that holds the schema
 * against them. */
bool forecast_knows_table(const char *table);

#endif
