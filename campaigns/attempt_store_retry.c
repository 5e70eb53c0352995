#include "campaigns/attempt_store_retry.h"

#include "base/pg.h"
#include "contacts/tz.h"

/* The number's calls that were answered, and its zone: the first of several that it may
 * lie in. */
static int read_answers(struct pg *pg, int64_t campaign_id, int64_t contact_id,
                        PGresult **res)
{
    struct pg_args a = {0};

    pg_arg_i64(&a, campaign_id);
    pg_arg_i64(&a, contact_id);
    pg_arg_i64(&a, RETRY_ANSWERS_MAX);
    return pg_run(
        pg, res,
        "SELECT z.zones[1], furrow_ms(coalesce(a.released_at, a.intent_at)) FROM "
        "campaign_contacts c JOIN zone_groups z ON z.id = c.zone_group CROSS JOIN "
        "LATERAL (SELECT released_at, intent_at FROM attempts a WHERE a.tenant_id = "
        "c.tenant_id AND a.phone = c.phone AND a.disposition = 'completed' AND a.state "
        "<> 'withdrawn' ORDER BY a.intent_at DESC LIMIT $3) a WHERE c.campaign_id = $1 "
        "AND c.contact_id = $2",
        &a);
}

int attempt_retry_facts(struct pg *pg, const struct retry_rules *rules,
                        int64_t campaign_id, int64_t contact_id,
                        struct settle_facts *facts, int64_t answers_ms[RETRY_ANSWERS_MAX])
{
    CLEANUP(pg_result_free) PGresult *res = NULL;

    facts->seed = retry_seed(campaign_id, contact_id, facts->attempt_number);
    facts->answers_ms = answers_ms;
    if (!retry_wants_answers(rules, facts->disposition))
        return 0;
    int err = read_answers(pg, campaign_id, contact_id, &res);
    if (err)
        return err;
    for (int i = 0; i < PQntuples(res) && i < RETRY_ANSWERS_MAX; i++)
        answers_ms[facts->answer_count++] = pg_i64(res, i, 1);
    /* A zone that this machine does not know says nothing. */
    if (facts->answer_count > 0 && tz_find(pg_text(res, 0, 0), &facts->zone))
        facts->zone = NULL;
    return 0;
}
