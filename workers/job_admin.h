/*
 * job_admin - what a person does with jobs and recordings: look, try again,
 * put aside, write down what was said. For the command line and, later, the API.
 * Each function is a transaction of its own. Errors are pg.h's.
 */
#ifndef WORKERS_JOB_ADMIN_H
#define WORKERS_JOB_ADMIN_H

#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "base/attrs.h"
#include "base/errors.h"
#include "base/uuid.h"

struct pg;

/* Rows as objects, newest first; *out is the caller's. NULL filters take all. */
NODISCARD int job_admin_list(struct pg *pg, int tenant_id, const char *state,
                             const char *kind, int64_t limit, json_t **out);
/* One with everything; ENOENT. */
NODISCARD int job_admin_show(struct pg *pg, int tenant_id, const struct uuid *id,
                             json_t **out);
/* {kind: {queued, running, done, buried, cancelled, oldest_s}}. */
NODISCARD int job_admin_stats(struct pg *pg, int tenant_id, json_t **out);
/* Buried and waiting jobs start over at once. id NULL: all buried ones of the kind
 * (NULL: of every kind). *n is how many. */
NODISCARD int job_admin_retry(struct pg *pg, int tenant_id, const struct uuid *id,
                              const char *kind, int64_t *n);
/* A job that is not running is put aside. ENOENT: none such. */
NODISCARD int job_admin_bury(struct pg *pg, int tenant_id, const struct uuid *id);

NODISCARD int recording_admin_list(struct pg *pg, int tenant_id, const char *state,
                                   int64_t limit, json_t **out);
NODISCARD int recording_admin_show(struct pg *pg, int tenant_id, const struct uuid *id,
                                   json_t **out);
/* A person's words for it; goes on with understanding. EINVAL with a text when the
 * recording is in no state for it; ENOENT. */
NODISCARD int recording_admin_transcribe(struct pg *pg, int tenant_id,
                                         const struct uuid *id, const char *text,
                                         const char *language, int64_t now_ms,
                                         struct errtext *e);
/* Starts over at the first step that has no result. EINVAL with a text; ENOENT. */
NODISCARD int recording_admin_retry(struct pg *pg, int tenant_id, const struct uuid *id,
                                    int64_t now_ms, const char **kind, struct errtext *e);

#endif
