#include "campaigns/attempt_store_person.h"

#include "base/pg.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "campaigns/quarantine_store.h"

/* Of the contacts named: the other contacts of their persons, with the campaign. Most
 * people have one number, so this is asked first and mostly the end of it. */
#define OTHERS                                                                           \
    "SELECT v.campaign_id, o.id FROM unnest($1::bigint[], $2::bigint[]) v(campaign_id, " \
    "contact_id) CROSS JOIN LATERAL (SELECT person, tenant_id FROM contacts c WHERE "    \
    "c.id = v.contact_id AND c.person IS NOT NULL OFFSET 0) m CROSS JOIN LATERAL "       \
    "(SELECT id FROM contacts c WHERE c.tenant_id = m.tenant_id AND c.person = "         \
    "m.person "                                                                          \
    "AND c.id <> v.contact_id LIMIT 1000) o"

static int find_others(struct pg *pg, const int64_t *campaigns, const int64_t *contacts,
                       size_t n, struct buf *campaign, struct buf *other, size_t *found)
{
    CLEANUP(buf_free) struct buf from = {0};
    CLEANUP(buf_free) struct buf contact = {0};
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    pg_array_i64(&from, campaigns, n);
    pg_array_i64(&contact, contacts, n);
    pg_arg_text(&a, from.data);
    pg_arg_text(&a, contact.data);
    int err = pg_run(pg, &res, OTHERS, &a);
    if (err)
        return err;
    *found = (size_t)PQntuples(res);
    CLEANUP(free_cleanup) int64_t *pairs = xcalloc(2 * *found + 1, sizeof(*pairs));
    for (size_t i = 0; i < *found; i++) {
        pairs[i] = pg_i64(res, (int)i, 0);
        pairs[*found + i] = pg_i64(res, (int)i, 1);
    }
    pg_array_i64(campaign, pairs, *found);
    pg_array_i64(other, pairs + *found, *found);
    return 0;
}

int attempt_settle_persons(struct pg *pg, const int64_t *campaigns,
                           const int64_t *contacts, size_t n, int64_t at_ms)
{
    CLEANUP(buf_free) struct buf campaign = {0};
    CLEANUP(buf_free) struct buf other = {0};
    struct pg_args a = {0};
    size_t found = 0;

    if (n == 0)
        return 0;
    int err = find_others(pg, campaigns, contacts, n, &campaign, &other, &found);
    if (err || found == 0)
        return err;
    pg_arg_text(&a, campaign.data);
    pg_arg_text(&a, other.data);
    pg_arg_ms(&a, at_ms);
    return pg_run(pg, NULL,
                  "UPDATE campaign_contacts c SET state = 'final', final = "
                  "'" ATTEMPT_FINAL_OTHER_NUMBER "', final_at = furrow_ts($3) FROM "
                  "unnest($1::bigint[], $2::bigint[]) v(campaign_id, contact_id) WHERE "
                  "c.campaign_id = v.campaign_id AND c.contact_id = v.contact_id AND "
                  "c.contact_id = ANY ($2::bigint[]) AND c.state = 'pending'",
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
    CLEANUP(buf_free) struct buf other = {0};
    struct pg_args a = {0};
    size_t found = 0;

    if (n == 0)
        return 0;
    int err = find_others(pg, campaigns, contacts, n, &campaign, &other, &found);
    if (err || found == 0)
        return err;
    pg_arg_text(&a, campaign.data);
    pg_arg_text(&a, other.data);
    pg_arg_ms(&a, at_ms);
    pg_arg_ms(&a, ATTEMPT_HELD_MS);
    pg_arg_ms(&a, QUARANTINE_HELD_MS);
    return pg_run(pg, NULL,
                  "UPDATE campaign_contacts k SET next_attempt_at = furrow_ts($3) FROM "
                  "unnest($1::bigint[], $2::bigint[]) v(campaign_id, contact_id) JOIN "
                  "contacts me ON me.id = v.contact_id WHERE k.campaign_id = "
                  "v.campaign_id AND k.contact_id = v.contact_id AND k.contact_id = ANY "
                  "($2::bigint[]) AND k.state = 'pending' AND k.next_attempt_at >= "
                  "furrow_ts($4) AND k.next_attempt_at < furrow_ts($5) AND "
                  "NOT " ANOTHER_BEFORE,
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
    pg_arg_ms(&a, QUARANTINE_HELD_MS);
    return pg_run(pg, NULL,
                  "UPDATE campaign_contacts SET next_attempt_at = furrow_ts($2) WHERE "
                  "campaign_id = $1 AND state = 'pending' AND next_attempt_at >= "
                  "furrow_ts($3) AND next_attempt_at < furrow_ts($4)",
                  &a);
}

int attempt_mend_numbers(struct pg *pg, int64_t campaign_id, int64_t at_ms)
{
    struct pg_args a = {0};

    pg_arg_i64(&a, campaign_id);
    pg_arg_ms(&a, at_ms);
    pg_arg_ms(&a, ATTEMPT_HELD_MS);
    pg_arg_ms(&a, QUARANTINE_HELD_MS);
    return pg_run(
        pg, NULL,
        "UPDATE campaign_contacts k SET next_attempt_at = furrow_ts($2) FROM contacts me "
        "WHERE k.campaign_id = $1 AND k.state = 'pending' AND k.next_attempt_at >= "
        "furrow_ts($3) AND k.next_attempt_at < furrow_ts($4) AND me.id = k.contact_id "
        "AND NOT EXISTS (SELECT FROM "
        "campaign_contacts w WHERE w.campaign_id = $1 AND w.state = 'pending' AND "
        "w.next_attempt_at < furrow_ts($3)) AND NOT " ANOTHER_BEFORE,
        &a);
}
