/*
 * opt_outs - what jobs ask of and write to the do-not-call list.
 * In the caller's transaction; errors are pg.h's.
 */
#ifndef WORKERS_OPT_OUTS_H
#define WORKERS_OPT_OUTS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attrs.h"
#include "base/uuid.h"

struct pg;

/* The person said so in this call: acts with the commit, for the whole tenant.
 * phone 0 (withheld): nothing to add. */
NODISCARD int opt_out_spoken(struct pg *pg, int tenant_id, int64_t phone,
                             const struct uuid *call_id, int64_t now_ms);

#endif
