#include "store/campaign_fixture.h"

#include "unit/cm.h"

#include <stdlib.h>
#include <string.h>

#include "campaigns/campaign_change.h"
#include "store/ledger_fixture.h"

struct campaign_row campaign_of(struct pg *pg, int64_t campaign)
{
    struct campaign_row *all = NULL, row = {0};
    size_t n = 0;

    assert_int_equal(campaign_list(pg, TENANT, CAMPAIGN_STATES, &all, &n), 0);
    for (size_t i = 0; i < n; i++)
        if (all[i].id == campaign)
            row = all[i];
    free(all);
    assert_int_equal(row.id, campaign);
    return row;
}

void campaign_set(struct pg *pg, int64_t campaign, const char *setting)
{
    struct campaign_row row = campaign_of(pg, campaign);
    struct campaign_issues issues = {0};
    char *before = NULL, *text = NULL;
    struct errtext e = {0};

    assert_int_equal(campaign_text(pg, TENANT, campaign, &before), 0);
    assert_int_equal(campaign_text_with(before, &setting, 1, &text, &e), 0);
    if (campaign_change(pg, &row, text, strlen(text), T0, &issues))
        fail_msg("%s", issues.at[0].text);
    free(before);
    free(text);
}
