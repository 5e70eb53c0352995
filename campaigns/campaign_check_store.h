/*
 * campaign_check_store - a running campaign looked at every half minute: are the numbers
 * it shows still good ones? One dialer of several does it.
 */
#ifndef CAMPAIGNS_CAMPAIGN_CHECK_STORE_H
#define CAMPAIGNS_CAMPAIGN_CHECK_STORE_H

#include <stdint.h>

#include "base/attrs.h"

struct pg;

enum { CAMPAIGN_CHECK_S = 30 };

/* One transaction; nothing when it was done less than CAMPAIGN_CHECK_S ago, or when the
 * campaign asks for no checks. Errors are pg.h's. */
NODISCARD int campaign_check(struct pg *pg, int tenant_id, int64_t campaign_id,
                             int64_t now_ms);

#endif
