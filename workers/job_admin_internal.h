/* job_admin_internal - shared by job_admin.c and recording_admin.c. */
#ifndef WORKERS_JOB_ADMIN_INTERNAL_H
#define WORKERS_JOB_ADMIN_INTERNAL_H

#include "base/pg.h"
#include "workers/job_admin.h"

/* The rows come as one JSON text, made by the server. ENOENT: none. */
NODISCARD int job_admin_json(struct pg *pg, int tenant_id, const char *sql,
                             const struct pg_args *a, json_t **out);
/* Of a row of job_queues. */
#define JOB_ADMIN_HOLD                                                                   \
    "CASE WHEN hold_from = '-infinity' THEN 'paused' WHEN hold_from IS NOT NULL THEN "   \
    "'draining' ELSE '' END"
/* Inside a transaction: the jobs that this condition takes, at most JOB_ADMIN_BATCH,
 * are as new and sent again. */
NODISCARD int job_admin_start_over(struct pg *pg, const char *where,
                                   const struct pg_args *a, int64_t *n);

#endif
