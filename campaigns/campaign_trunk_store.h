/* campaign_trunk_store - the trunks of a campaign, in the order of its document. Runs in
 * the caller's transaction; campaign_trunks_load makes its own where there is none. */
#ifndef CAMPAIGNS_CAMPAIGN_TRUNK_STORE_H
#define CAMPAIGNS_CAMPAIGN_TRUNK_STORE_H

#include <stddef.h>
#include <stdint.h>

#include "base/attrs.h"
#include "campaigns/campaign.h"
#include "campaigns/trunk_store.h"

struct pg;

struct campaign_trunk_row {
    struct trunk_row trunk;
    int weight, priority;
};

NODISCARD int campaign_trunks_write(struct pg *pg, int tenant_id, int64_t campaign_id,
                                    const struct campaign_doc *doc,
                                    const int64_t *trunk_ids);
/* At least one, at most CAMPAIGN_TRUNKS_MAX. ENOENT: no such campaign. */
NODISCARD int campaign_trunks_load(struct pg *pg, int tenant_id, int64_t campaign_id,
                                   struct campaign_trunk_row out[CAMPAIGN_TRUNKS_MAX],
                                   size_t *n);

/* Why no call goes out although people are due: the campaign's own calls at once, or all
 * of its trunks: not connected, full or refusing. "" when one of them has room. */
enum { CAMPAIGN_TRUNKS_WHY_MAX = 200 };
NODISCARD int campaign_trunks_why_dry(struct pg *pg, int tenant_id, int64_t campaign_id,
                                      int max_concurrent, int64_t now_ms,
                                      char why[CAMPAIGN_TRUNKS_WHY_MAX]);

#endif
