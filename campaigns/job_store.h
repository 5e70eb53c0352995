/*
 * job_store - puts durable jobs into the transaction at hand: the jobs row and
 * its outbox row are written together with whatever made the job necessary.
 * Called inside pg_begin … pg_commit; a job that nothing else belongs to has a
 * transaction of its own. A second call with the same kind and key is nothing new (0).
 *
 * Kinds and payloads (JSON, "v":1): docs/protocol.md.
 *   recording.fetch {recording_id}   key = recording id
 *   asr             {recording_id}   key = recording id
 *   nlu             {recording_id}   key = recording id
 *   batch           {recording_id}   key = recording id; or {command_id}, key = command
 * id sms             {message_id}     key = message id
 */
#ifndef CAMPAIGNS_JOB_STORE_H
#define CAMPAIGNS_JOB_STORE_H

#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "base/attrs.h"

struct pg;

/* now_ms makes the id only; run_after_ms is real time from now (0: at once).
 * payload is borrowed. */
NODISCARD int job_enqueue(struct pg *pg, int tenant_id, const char *kind, const char *key,
                          json_t *payload, int64_t now_ms, int64_t run_after_ms);

enum job_priority {
    JOB_LOW = -1, /* when no other job of its kind waits for this worker */
    JOB_NORMAL = 0,
    JOB_HIGH = 1, /* before all others of its kind */
};

struct job_new {
    const char *kind, *key;
    json_t *payload; /* NULL: {} */
    int64_t run_after_ms;
    enum job_priority priority;
};

/* Many in one statement, a tenth of the cost each. *added, which may be NULL, is how
 * many were new. */
NODISCARD int job_enqueue_many(struct pg *pg, int tenant_id, const struct job_new *jobs,
                               size_t n, int64_t now_ms, int64_t *added);

/* A parent that begins once each of its children is done or cancelled; children that
 * are not new do not count, and without new ones it begins at once. A parent that is
 * there already leaves all as it is (*added 0). */
NODISCARD int job_enqueue_family(struct pg *pg, int tenant_id,
                                 const struct job_new *parent,
                                 const struct job_new *children, size_t n, int64_t now_ms,
                                 int64_t *added);

#endif
