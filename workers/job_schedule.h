/*
 * job_schedule - jobs by cron: rows of job_schedules that say which job is enqueued at
 * which instants of a zone. Any worker fires them; a job's key is the schedule's name
 * with the planned instant, so each instant has one job. Instants that passed while no
 * worker lived are made up for by one job, the latest one's.
 *
 * Times are business time. Errors are pg.h's; with a text where errtext is.
 */
#ifndef WORKERS_JOB_SCHEDULE_H
#define WORKERS_JOB_SCHEDULE_H

#include <stdint.h>

#include <jansson.h>

#include "base/attrs.h"
#include "base/errors.h"

struct pg;

struct job_schedule {
    const char *name, *kind, *cron, *timezone; /* borrowed */
    json_t *payload;                           /* borrowed; NULL: {} */
};

/* New, or in the place of the one of that name. EINVAL with a text. */
NODISCARD int job_schedule_set(struct pg *pg, int tenant_id, const struct job_schedule *s,
                               int64_t now_ms, int64_t *next_ms, struct errtext *e);
/* ENOENT: there is none of that name. */
NODISCARD int job_schedule_remove(struct pg *pg, int tenant_id, const char *name);
NODISCARD int job_schedule_list(struct pg *pg, int tenant_id, json_t **out);

/* Enqueues what is due, of all tenants. */
NODISCARD int job_schedules_fire(struct pg *pg, int64_t now_ms, int *fired);

#endif
