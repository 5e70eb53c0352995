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

/* ---- one by one ---- */

/* k is a row of campaign_contacts, its contact me: another number of theirs is before it
 * and not final. */
#define ANOTHER_BEFORE                                                                   \
    "EXISTS (SELECT FROM contacts o JOIN campaign_contacts b ON b.campaign_id = "        \
    "k.campaign_id AND b.contact_id = o.id WHERE o.person = me.person AND o.tenant_id "  \
    "= me.tenant_id AND o.person_rank < me.person_rank AND b.state <> 'final')"

int attempt_next_numbers(struct pg *pg, const int64_t *campaigns, const int64_t *contacts,
                         size_t n, int64_t at_ms)
{
    CLEANUP(buf_free) struct buf campaign = {0};
    CLEANUP(buf_free) struct buf contact = {0};
    struct pg_args a = {0};

    if (n == 0)
        return 0;
    pg_array_i64(&campaign, campaigns, n);
    pg_array_i64(&contact, contacts, n);
    pg_arg_text(&a, campaign.data);
    pg_arg_text(&a, contact.data);
    pg_arg_ms(&a, at_ms);
    pg_arg_ms(&a, ATTEMPT_HELD_MS);
    return pg_run(
        pg, NULL,
        "WITH others AS MATERIALIZED (SELECT v.campaign_id, o.id, o.person, "
        "o.person_rank, "
        "o.tenant_id FROM unnest($1::bigint[], $2::bigint[]) v(campaign_id, contact_id) "
        "CROSS JOIN LATERAL (SELECT person, tenant_id FROM contacts c WHERE c.id = "
        "v.contact_id AND c.person IS NOT NULL OFFSET 0) m CROSS JOIN LATERAL (SELECT "
        "id, "
        "person, person_rank, tenant_id FROM contacts c WHERE c.tenant_id = m.tenant_id "
        "AND c.person = m.person AND c.id <> v.contact_id LIMIT 1000) o) UPDATE "
        "campaign_contacts k SET next_attempt_at = furrow_ts($3) FROM others me WHERE "
        "k.campaign_id = me.campaign_id AND k.contact_id = me.id AND k.state = 'pending' "
        "AND k.next_attempt_at >= furrow_ts($4) AND NOT " ANOTHER_BEFORE,
        &a);
}

int attempt_hold_numbers(struct pg *pg, int64_t campaign_id)
{
    struct pg_args a = {0};

    pg_arg_i64(&a, campaign_id);
    pg_arg_ms(&a, ATTEMPT_HELD_MS);
    return pg_run(
        pg, NULL,
        "UPDATE campaign_contacts k SET next_attempt_at = furrow_ts($2) FROM "
        "contacts me WHERE k.campaign_id = $1 AND k.state = 'pending' AND me.id "
        "= k.contact_id AND me.person IS NOT NULL AND me.person_rank > 0 "
        "AND " ANOTHER_BEFORE,
        &a);
}

int attempt_let_numbers(struct pg *pg, int64_t campaign_id, int64_t at_ms)
{
    struct pg_args a = {0};

    pg_arg_i64(&a, campaign_id);
    pg_arg_ms(&a, at_ms);
    pg_arg_ms(&a, ATTEMPT_HELD_MS);
    return pg_run(pg, NULL,
                  "UPDATE campaign_contacts SET next_attempt_at = furrow_ts($2) WHERE "
                  "campaign_id = $1 AND state = 'pending' AND next_attempt_at >= "
                  "furrow_ts($3)",
                  &a);
}

int attempt_mend_numbers(struct pg *pg, int64_t campaign_id, int64_t at_ms)
{
    struct pg_args a = {0};

    pg_arg_i64(&a, campaign_id);
    pg_arg_ms(&a, at_ms);
    pg_arg_ms(&a, ATTEMPT_HELD_MS);
    return pg_run(
        pg, NULL,
        "UPDATE campaign_contacts k SET next_attempt_at = furrow_ts($2) FROM contacts me "
        "WHERE k.campaign_id = $1 AND k.state = 'pending' AND k.next_attempt_at >= "
        "furrow_ts($3) AND me.id = k.contact_id AND NOT EXISTS (SELECT FROM "
        "campaign_contacts w WHERE w.campaign_id = $1 AND w.state = 'pending' AND "
        "w.next_attempt_at < furrow_ts($3)) AND NOT " ANOTHER_BEFORE,
        &a);
}
