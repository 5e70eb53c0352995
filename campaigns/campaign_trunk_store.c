#include "campaigns/campaign_trunk_store.h"

#include <errno.h>

#include "base/pg.h"

int campaign_trunks_write(struct pg *pg, int tenant_id, int64_t campaign_id,
                          const struct campaign_doc *doc, const int64_t *trunk_ids)
{
    int err = 0;

    for (size_t i = 0; !err && doc->trunk_count > 1 && i < doc->trunk_count; i++) {
        struct pg_args a = {0};

        pg_arg_i64(&a, tenant_id);
        pg_arg_i64(&a, campaign_id);
        pg_arg_i64(&a, trunk_ids[i]);
        pg_arg_i64(&a, doc->trunks[i].weight);
        pg_arg_i64(&a, doc->trunks[i].priority);
        err = pg_run(pg, NULL,
                     "INSERT INTO campaign_trunks (tenant_id, campaign_id, trunk_id, "
                     "weight, priority) VALUES ($1, $2, $3, $4, $5)",
                     &a);
    }
    return err;
}

static int load(struct pg *pg, int tenant_id, int64_t campaign_id,
                struct campaign_trunk_row *out, size_t *n)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    pg_arg_i64(&a, campaign_id);
    int err = pg_run(pg, &res,
                     "SELECT trunk_id, weight, priority FROM campaign_trunks WHERE "
                     "campaign_id = $1 UNION ALL SELECT trunk_id, 1, 0 FROM campaigns "
                     "WHERE id = $1 AND NOT EXISTS (SELECT 1 FROM campaign_trunks WHERE "
                     "campaign_id = $1) ORDER BY 3, 1 LIMIT 8",
                     &a);
    if (err)
        return err;
    *n = (size_t)PQntuples(res);
    for (size_t i = 0; !err && i < *n; i++) {
        out[i].weight = (int)pg_i64(res, (int)i, 1);
        out[i].priority = (int)pg_i64(res, (int)i, 2);
        err = trunk_load(pg, tenant_id, pg_i64(res, (int)i, 0), &out[i].trunk);
    }
    return err ? err : *n == 0 ? ENOENT : 0;
}
_Static_assert(CAMPAIGN_TRUNKS_MAX == 8, "LIMIT 8");

int campaign_trunks_load(struct pg *pg, int tenant_id, int64_t campaign_id,
                         struct campaign_trunk_row out[CAMPAIGN_TRUNKS_MAX], size_t *n)
{
    bool own = false;
    int err = pg_begin_own(pg, tenant_id, &own);

    *n = 0;
    return err ? err : pg_end_own(pg, own, load(pg, tenant_id, campaign_id, out, n));
}
