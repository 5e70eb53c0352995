/*
 * why_store - everything that is on file about one number, for `furrow why`: its
 * contacts, attempts, decisions, calls and what came of them.
 */
#ifndef CAMPAIGNS_WHY_STORE_H
#define CAMPAIGNS_WHY_STORE_H

#include <stdint.h>

#include <jansson.h>

#include "base/attrs.h"

struct pg;

/* campaign_id 0: all. *out is the caller's: an object of the arrays contacts, attempts,
 * decisions, dnc, calls, recordings and messages; each newest last, at most 200 rows;
 * times are epoch milliseconds. One read-only transaction. */
NODISCARD int why_load(struct pg *pg, int tenant_id, int64_t phone, int64_t campaign_id,
                       json_t **out);

#endif
