/*
 * why_store - everything that is on file about one number or one call, for `furrow why`:
 * contacts, attempts, decisions, calls and what came of them.
 */
#ifndef CAMPAIGNS_WHY_STORE_H
#define CAMPAIGNS_WHY_STORE_H

#include <stdint.h>

#include <jansson.h>

#include "base/attrs.h"
#include "base/uuid.h"

struct pg;

/* campaign_id 0: all. *out is the caller's: an object of the arrays contacts, attempts,
 * decisions, dnc, calls, recordings and messages; each newest last, at most 200 rows;
 * times are epoch milliseconds. One read-only transaction. */
NODISCARD int why_load(struct pg *pg, int tenant_id, int64_t phone, int64_t campaign_id,
                       json_t **out);

/* Of one call, in or out: attempts (one, none of a call in), decisions in the order of
 * their stages, calls (one, none when nobody answered), dnc, recordings, messages.
 * ENOENT: there is no such call. */
NODISCARD int why_load_call(struct pg *pg, int tenant_id, const struct uuid *call,
                            json_t **out);

#endif
