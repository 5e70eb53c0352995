/*
 * kept_call_store - calls whose line dropped: the flow's state at the wait where it did,
 * so that the same number may go on from there (ivr.h: env.kept). One for a number and a
 * revision of a flow, for KEPT_CALL_MS, taken once.
 *
 * In the caller's transaction of that tenant when one is open, else in one of their own.
 * Errors are pg.h's.
 */
#ifndef CAMPAIGNS_KEPT_CALL_STORE_H
#define CAMPAIGNS_KEPT_CALL_STORE_H

#include <stddef.h>
#include <stdint.h>

#include "base/attrs.h"
#include "base/uuid.h"

struct pg;

#define KEPT_CALL_MS ((int64_t)3600 * 1000)

struct kept_call {
    struct uuid call;
    int tenant_id;
    int64_t phone; /* 0: withheld, and nothing is kept */
    int64_t flow_revision_id;
    const void *state;
    size_t state_len;
};

/* It is taken with the beginning of a call (call_begin), in its one statement. */
NODISCARD int kept_call_write(struct pg *pg, const struct kept_call *k, int64_t now_ms);
/* Those whose hour is over. */
NODISCARD int kept_call_forget(struct pg *pg, int tenant_id, int64_t now_ms);

#endif
