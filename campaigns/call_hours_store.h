/*
 * call_hours_store - when a party may be called again, for flows that ask: a time said
 * on the telephone is moved to one that will be kept.
 *
 * Windows, holidays and the least gap of the campaign that will call; what the gate finds
 * besides on the day may still move it.
 */
#ifndef CAMPAIGNS_CALL_HOURS_STORE_H
#define CAMPAIGNS_CALL_HOURS_STORE_H

#include <stddef.h>
#include <stdint.h>

#include "base/attrs.h"
#include "contacts/tz.h"
#include "ivr/ivr.h"

struct pg;

enum { CALL_HOURS_DAYS = 31 };

/* When calls are allowed from an instant on, the least gap left out. */
struct call_hours {
    struct ivr_span *open; /* in order; call_hours_free() */
    size_t n;
    int64_t min_gap_ms;     /* between two calls, which the gate asks for besides */
    char zone[TZ_NAME_MAX]; /* whose clock the party reads; "" not known */
};
/* Of CALL_HOURS_DAYS days. contact_id 0: zones from the number alone. One transaction.
 * ENOENT: no such campaign. */
NODISCARD int call_hours_find(struct pg *pg, int tenant_id, int64_t campaign_id,
                              int64_t contact_id, int64_t phone, int64_t from_ms,
                              struct call_hours *out);
void call_hours_free(struct call_hours *h); /* for CLEANUP too */

/* The spans of the next CALL_HOURS_DAYS days, in order. contact_id 0: zones from the
 * number alone. *out: free(); not NULL on success, also when there is no span. One
 * transaction. ENOENT: no such campaign. */
NODISCARD int call_hours_load(struct pg *pg, int tenant_id, int64_t campaign_id,
                              int64_t contact_id, int64_t phone, int64_t now_ms,
                              struct ivr_span **out, size_t *n);

#endif
