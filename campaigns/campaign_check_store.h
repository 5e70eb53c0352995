/*
 * campaign_check_store - a running campaign looked at: how did its canary go, and does
 * everybody who gets no agent hear why? And every half minute: are the numbers it shows,
 * its variants and its lists still good ones? One dialer of several does it.
 */
#ifndef CAMPAIGNS_CAMPAIGN_CHECK_STORE_H
#define CAMPAIGNS_CAMPAIGN_CHECK_STORE_H

#include <stdint.h>

#include "base/attrs.h"

struct pg;

enum { CAMPAIGN_CHECK_S = 30 };

/* One transaction. A canary is judged by every call, and so are newly published flows
 * (mode_flow_store.h); the rest is done when it was not
 * done in the last CAMPAIGN_CHECK_S, and only as the campaign asks. Errors are pg.h's. */
NODISCARD int campaign_check(struct pg *pg, int tenant_id, int64_t campaign_id,
                             int64_t now_ms);

#endif
