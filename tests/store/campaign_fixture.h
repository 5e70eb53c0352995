/*
 * campaign_fixture - a campaign of tenant 1 as it stands, and its change by one setting.
 */
#ifndef TESTS_STORE_CAMPAIGN_FIXTURE_H
#define TESTS_STORE_CAMPAIGN_FIXTURE_H

#include <stdint.h>

#include "campaigns/campaign_store.h"

/* As the list of campaigns has it. */
struct campaign_row campaign_of(struct pg *pg, int64_t campaign);
/* "budget.calls=5", as 'furrow campaign change --set' does at T0. */
void campaign_set(struct pg *pg, int64_t campaign, const char *setting);

#endif
