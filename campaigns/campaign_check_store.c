#include "campaigns/campaign_check_store.h"

#include "base/pg.h"
#include "campaigns/caller_id_store.h"
#include "campaigns/campaign_store.h"
#include "campaigns/canary_store.h"
#include "campaigns/mode_flow_store.h"
#include "campaigns/quarantine_store.h"

/* *ours: it is time, and nobody else looks. */
static int begin_check(struct pg *pg, int tenant_id, int64_t campaign_id, int64_t now_ms,
                       bool *ours)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    pg_arg_i64(&a, tenant_id);
    pg_arg_i64(&a, campaign_id);
    pg_arg_ms(&a, now_ms);
    pg_arg_i64(&a, CAMPAIGN_CHECK_S);
    int err = pg_run(pg, &res,
                     "INSERT INTO campaign_checks AS c (tenant_id, campaign_id, "
                     "checked_at) VALUES ($1, $2, furrow_ts($3)) ON CONFLICT "
                     "(campaign_id) DO UPDATE SET checked_at = excluded.checked_at WHERE "
                     "c.checked_at <= furrow_ts($3) - make_interval(secs => $4::int)",
                     &a);
    if (!err)
        *ours = pg_affected(res) > 0;
    return err;
}

static int check(struct pg *pg, int tenant_id, int64_t campaign_id, int64_t now_ms)
{
    const struct campaign_doc *doc = NULL;
    bool ours = false;
    size_t held = 0;

    int err = campaign_doc_get(pg, tenant_id, campaign_id, &doc);
    if (!err)
        err = mode_flow_watch(pg, tenant_id, campaign_id, doc, now_ms);
    if (!err)
        err = canary_check(pg, tenant_id, campaign_id, &doc->canary, now_ms);
    if (err ||
        (!doc->caller_ids.pool[0] && !doc->quarantine.variants && !doc->quarantine.lists))
        return err;
    err = begin_check(pg, tenant_id, campaign_id, now_ms, &ours);
    if (err || !ours)
        return err;
    if (doc->caller_ids.pool[0])
        err = caller_id_check(pg, &doc->caller_ids, campaign_id, now_ms, &held);
    return err ? err : quarantine_check(pg, campaign_id, doc, now_ms, &held);
}

int campaign_check(struct pg *pg, int tenant_id, int64_t campaign_id, int64_t now_ms)
{
    bool own = false;
    int err = pg_begin_own(pg, tenant_id, &own);

    return err ? err : pg_end_own(pg, own, check(pg, tenant_id, campaign_id, now_ms));
}
