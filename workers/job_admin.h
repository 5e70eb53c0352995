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
struct pg_pool;

/* Which jobs; zeroed members take all. Texts are borrowed. */
struct job_filter {
    const struct uuid *id;
    const char *kind;
    const char *state;
    const char *error;        /* its last error contains this */
    int64_t older_s, newer_s; /* made longer ago, less long ago than that */
};

/* Rows as objects, newest first; *out is the caller's. */
NODISCARD int job_admin_list(struct pg *pg, int tenant_id, const struct job_filter *f,
                             int64_t limit, json_t **out);
NODISCARD int job_admin_count(struct pg *pg, int tenant_id, const struct job_filter *f,
                              int64_t *n);
/* One with everything; ENOENT. */
NODISCARD int job_admin_show(struct pg *pg, int tenant_id, const struct uuid *id,
                             json_t **out);
/* {kind: {queued, running, done, buried, cancelled, oldest_s, held}}. */
NODISCARD int job_admin_stats(struct pg *pg, int tenant_id, json_t **out);

/* Many at once: at most JOB_ADMIN_BATCH of those the filter takes; *n is how many. Call
 * again until *n is less. */
enum { JOB_ADMIN_BATCH = 1000 };
/* They start over at once, with all their tries: of the buried and the cancelled ones;
 * with an id also a waiting one. */
NODISCARD int job_admin_retry(struct pg *pg, int tenant_id, const struct job_filter *f,
                              int64_t *n);
/* Waiting (and cancelled) ones are put aside. What they were about is marked as failed,
 * by the kinds' own buried(), through connections of pool. */
NODISCARD int job_admin_bury(struct pg *pg, struct pg_pool *pool, int tenant_id,
                             const struct job_filter *f, int64_t *n);
/* Waiting ones are cancelled, like bury; running ones are told to stop (*asked): a
 * worker learns it within half a second. */
NODISCARD int job_admin_cancel(struct pg *pg, struct pg_pool *pool, int tenant_id,
                               const struct job_filter *f, int64_t *n, int64_t *asked);

enum job_hold { JOB_HOLD_ALL, JOB_HOLD_NEW, JOB_HOLD_NONE };
/* Paused: no job of the kind begins. Draining: none made from now on begins, those
 * before go on. None: as usual, and what waits is sent again. kind is any text: a kind
 * may be held before its first job comes. */
NODISCARD int job_admin_hold(struct pg *pg, int tenant_id, const char *kind,
                             enum job_hold hold);
/* At most rate_per_s begin in a second, at most max_running run, in all workers together;
 * 0: no such limit. A rate lets through at once what it would in 100 ms. */
NODISCARD int job_admin_limit(struct pg *pg, int tenant_id, const char *kind,
                              double rate_per_s, int64_t max_running);
/* How many that may still begin or run there are: 0 when drained. */
NODISCARD int job_admin_unheld(struct pg *pg, int tenant_id, const char *kind,
                               int64_t *n);
/* [{kind, hold, hold_from, rate_per_s, max_running, queued, running}] of every kind that
 * has jobs or a rule. */
NODISCARD int job_admin_queues(struct pg *pg, int tenant_id, json_t **out);

/* {kind: {due, later, running, buried, oldest_s, hold; and counted since ever by workers:
 * done, failed, ended, wait_ms, run_ms}}. */
NODISCARD int job_admin_watch(struct pg *pg, int tenant_id, json_t **out);

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
