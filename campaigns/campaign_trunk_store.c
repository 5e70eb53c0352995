#include "campaigns/campaign_trunk_store.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/pg.h"
#include "base/str.h"

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

/* ---- why nothing goes out ---- */

enum { REFUSED_IN_A_ROW = 10, REFUSED_MS = 15 * 60 * 1000 };

#define OPEN "ended_at IS NULL AND a.state IN ('released', 'ringing', 'answered')"
/* As the breaker sees it (dialer/pacing_told.lua): the trunk's latest calls that are
 * over, none of them of before the longest time that it leaves a trunk alone. The last:
 * dialers are there, none with an Asterisk; that there is no dialer is said elsewhere. */
static const char busy_sql[] =
    "SELECT t.name, t.max_channels, (SELECT count(*) FROM attempts a WHERE a.trunk_id = "
    "t.id AND a." OPEN "), (SELECT count(*) FILTER (WHERE l.disposition IN "
    "('congestion', 'config', 'failed')) FROM (SELECT a.disposition FROM attempts a "
    "WHERE a.trunk_id = t.id AND a.state = 'ended' AND a.disposition <> 'canceled' AND "
    "a.id >= furrow_uuid_floor(furrow_ts($2)) ORDER BY a.id DESC LIMIT $3) l), (SELECT "
    "count(*) FROM attempts a WHERE a.campaign_id = $1 AND a." OPEN "), t.kind = 'ari' "
    "AND NOT n.one AND n.alive > 0 FROM (SELECT count(*) alive, coalesce(bool_or("
    "has_switch), false) one FROM node_slots WHERE kind = 'dialer' AND "
    "lease_until >= clock_timestamp()) n CROSS JOIN trunks t "
    "LEFT JOIN campaign_trunks c ON c.trunk_id = t.id AND c.campaign_id = $1 WHERE "
    "c.trunk_id IS NOT NULL OR t.id = (SELECT trunk_id FROM campaigns WHERE id = $1) "
    "ORDER BY coalesce(c.priority, 0), t.id";

static bool is_dry(const PGresult *res, int row, char *out, size_t size)
{
    const char *name = pg_text(res, row, 0);
    int64_t channels = pg_i64(res, row, 1), open = pg_i64(res, row, 2);

    if (pg_bool(res, row, 5))
        snprintf(out, size,
                 "trunk '%.60s' is not connected: none of the dialers that run has an "
                 "Asterisk ('furrow doctor' tries it)",
                 name);
    else if (open >= channels)
        snprintf(out, size, "trunk '%.60s' carries %" PRId64 " calls, as many as it may",
                 name, open);
    else if (pg_i64(res, row, 3) >= REFUSED_IN_A_ROW)
        snprintf(out, size,
                 "trunk '%.60s' refused its last %d calls: it is left alone for up to "
                 "ten minutes, then one call tries it",
                 name, REFUSED_IN_A_ROW);
    else
        return false;
    return true;
}

static int why_dry(struct pg *pg, int64_t campaign_id, int max_concurrent, int64_t now_ms,
                   char why[CAMPAIGN_TRUNKS_WHY_MAX])
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    char text[CAMPAIGN_TRUNKS_WHY_MAX] = "";
    struct pg_args a = {0};
    bool dry = true;

    pg_arg_i64(&a, campaign_id);
    pg_arg_ms(&a, now_ms - REFUSED_MS);
    pg_arg_i64(&a, REFUSED_IN_A_ROW);
    int err = pg_run(pg, &res, busy_sql, &a);
    if (err || PQntuples(res) == 0)
        return err;
    if (max_concurrent > 0 && pg_i64(res, 0, 4) >= max_concurrent) {
        snprintf(why, CAMPAIGN_TRUNKS_WHY_MAX,
                 "%" PRId64 " calls are up, as many as 'pacing' allows at once",
                 pg_i64(res, 0, 4));
        return 0;
    }
    /* The first of them is told; the others are no better. */
    for (int i = PQntuples(res) - 1; dry && i >= 0; i--)
        dry = is_dry(res, i, text, sizeof(text));
    if (dry)
        str_cut(why, CAMPAIGN_TRUNKS_WHY_MAX, text);
    return 0;
}

int campaign_trunks_why_dry(struct pg *pg, int tenant_id, int64_t campaign_id,
                            int max_concurrent, int64_t now_ms,
                            char why[CAMPAIGN_TRUNKS_WHY_MAX])
{
    bool own = false;

    why[0] = '\0';
    int err = pg_begin_own(pg, tenant_id, &own);
    return err ? err
               : pg_end_own(pg, own,
                            why_dry(pg, campaign_id, max_concurrent, now_ms, why));
}
