/*
 * notify - what a person is told by SMS about their recording: one message a
 * recording and purpose, written in the caller's transaction.
 */
#ifndef WORKERS_NOTIFY_H
#define WORKERS_NOTIFY_H

#include <stdint.h>

#include "base/attrs.h"
#include "workers/recording.h"
#include "workers/worker.h"

struct batch;
struct pg;

NODISCARD int notify_receipt(struct pg *pg, const struct worker_config *c, int tenant_id,
                             const struct recording *r, const struct batch *batch,
                             int64_t now_ms);
/* details: what is wrong, in plain words. */
NODISCARD int notify_error(struct pg *pg, const struct worker_config *c, int tenant_id,
                           const struct recording *r, const char *details,
                           int64_t now_ms);

#endif
