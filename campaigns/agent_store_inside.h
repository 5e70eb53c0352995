/* agent_store_inside - what the files of agent_store share. For them alone. */
#ifndef CAMPAIGNS_AGENT_STORE_INSIDE_H
#define CAMPAIGNS_AGENT_STORE_INSIDE_H

#include <stdint.h>

#include "base/attrs.h"
#include "campaigns/mode.h"

struct pg;

NODISCARD int agent_periods_of(const struct mode_rules *rules, int64_t anchored_ms,
                               int64_t at_ms, int64_t out[MODE_ANCHORS]);
/* Everything but ready and period_ends, in one statement and so at one instant. */
NODISCARD int agent_read_now(struct pg *pg, int64_t campaign_id,
                             const struct mode_rules *rules,
                             const int64_t periods[MODE_ANCHORS], struct mode_now *out);

#endif
