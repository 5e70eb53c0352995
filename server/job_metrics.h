/* job_metrics - what workers counted, as counters and histograms for /metrics. */
#ifndef SERVER_JOB_METRICS_H
#define SERVER_JOB_METRICS_H

#include <libpq-fe.h>

#include "base/attrs.h"
#include "server/metrics_out.h"

struct pg;

/* tenants: rows of id, name. Errors are pg.h's. */
NODISCARD int job_metrics_add(struct pg *pg, struct metrics_out *m,
                              const PGresult *tenants);

#endif
