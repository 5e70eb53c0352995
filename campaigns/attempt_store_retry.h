/*
 * attempt_store_retry - what the database knows of a contact that a retry rule asks for.
 * Part of attempt_store.h; in the caller's transaction.
 */
#ifndef CAMPAIGNS_ATTEMPT_STORE_RETRY_H
#define CAMPAIGNS_ATTEMPT_STORE_RETRY_H

#include <stdint.h>

#include "base/attrs.h"
#include "campaigns/settle.h"

struct pg;

/* Sets seed, answers and zone of facts; answers_ms is the room they need, and must live
 * as long as facts. */
NODISCARD int attempt_retry_facts(struct pg *pg, const struct retry_rules *rules,
                                  int64_t campaign_id, int64_t contact_id,
                                  struct settle_facts *facts,
                                  int64_t answers_ms[RETRY_ANSWERS_MAX]);

#endif
