#include "campaigns/attempt_store_person.h"

#include "base/pg.h"
#include "base/str.h"

int attempt_settle_persons(struct pg *pg, int tenant_id, const int64_t *campaigns,
                           const int64_t *contacts, size_t n, int64_t at_ms)
{
    CLEANUP(buf_free) struct buf campaign = {0};
    CLEANUP(buf_free) struct buf contact = {0};
    struct pg_args a = {0};

    if (n == 0)
        return 0;
    pg_array_i64(&campaign, campaigns, n);
    pg_array_i64(&contact, contacts, n);
    pg_arg_i64(&a, tenant_id);
    pg_arg_text(&a, campaign.data);
    pg_arg_text(&a, contact.data);
    pg_arg_ms(&a, at_ms);
    /* OFFSET 0: one look into the indexes for each, whatever the planner believes. */
    return pg_run(
        pg, NULL,
        "WITH others AS MATERIALIZED (SELECT v.campaign_id, o.id FROM "
        "unnest($2::bigint[], "
        "$3::bigint[]) v(campaign_id, contact_id) CROSS JOIN LATERAL (SELECT person FROM "
        "contacts c WHERE c.id = v.contact_id AND c.person IS NOT NULL OFFSET 0) m CROSS "
        "JOIN LATERAL (SELECT id FROM contacts c WHERE c.tenant_id = $1 AND c.person = "
        "m.person AND c.id <> v.contact_id LIMIT 1000) o) UPDATE campaign_contacts c SET "
        "state = 'final', final = '" ATTEMPT_FINAL_OTHER_NUMBER "', final_at = "
        "furrow_ts($4) FROM others WHERE c.campaign_id = others.campaign_id AND "
        "c.contact_id = others.id AND c.state = 'pending'",
        &a);
}
