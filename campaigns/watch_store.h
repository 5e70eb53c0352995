/*
 * watch_store - what a running campaign did in its last minutes: how fast it calls, who
 * answers, whom the rules refuse. Counted from the rows, for `campaign watch`.
 */
#ifndef CAMPAIGNS_WATCH_STORE_H
#define CAMPAIGNS_WATCH_STORE_H

#include <stddef.h>
#include <stdint.h>

#include "base/attrs.h"
#include "compliance/reason.h"

struct pg;

enum { WATCH_REASONS_MAX = 8, WATCH_MINUTES = 5, WATCH_FINAL_MINUTES = 15 };

struct watch_reason {
    enum reason reason;
    int64_t count;
};

struct watch_recent {
    int64_t begun_1m;        /* calls that went out in the last minute */
    int64_t ended, answered; /* calls that ended in the last WATCH_MINUTES; by people */
    int64_t finals;          /* contacts that became final in WATCH_FINAL_MINUTES */
    int64_t final_span_ms;   /* of business time in which they did */
    int64_t refused;         /* verdicts that refused in the last WATCH_MINUTES, */
    size_t n;                /* most frequent first: */
    struct watch_reason reasons[WATCH_REASONS_MAX];
};

/* Errors are pg.h's. */
NODISCARD int watch_load(struct pg *pg, int tenant_id, int64_t campaign_id,
                         int64_t now_ms, struct watch_recent *out);

#endif
