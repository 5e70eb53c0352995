/*
 * job_store - puts durable jobs into the transaction at hand: the jobs row and
 * its outbox row are written together with whatever made the job necessary.
 * Called inside pg_begin … pg_commit. A second call with the same kind and key
 * is nothing new (0).
 *
 * Kinds and payloads (JSON, "v":1): docs/protocol.md.
 *   recording.fetch {recording_id}   key = recording id
 *   asr             {recording_id}   key = recording id
 *   nlu             {recording_id}   key = recording id
 *   batch           {recording_id}   key = recording id
 *   sms             {message_id}     key = message id
 */
#ifndef CAMPAIGNS_JOB_STORE_H
#define CAMPAIGNS_JOB_STORE_H

#include <stdint.h>

#include <jansson.h>

#include "base/attrs.h"

struct pg;

/* now_ms makes the id only; run_after_ms is real time from now (0: at once).
 * payload is borrowed. */
NODISCARD int job_enqueue(struct pg *pg, int tenant_id, const char *kind, const char *key,
                          json_t *payload, int64_t now_ms, int64_t run_after_ms);

#endif
