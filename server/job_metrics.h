/* job_metrics - what workers counted, as counters and histograms for /metrics. */
#ifndef SERVER_JOB_METRICS_H
#define SERVER_JOB_METRICS_H

#include <libpq-fe.h>

#include "base/attrs.h"
#include "base/str.h"

struct pg;

/* A label value: backslash, quote and newline escaped. route_metrics.c. */
void metrics_add_label_value(struct buf *b, const char *text);

/* tenants: rows of id, name. Errors are pg.h's. */
NODISCARD int job_metrics_add(struct pg *pg, struct buf *b, const PGresult *tenants);

#endif
