#include "campaigns/campaign_event_store.h"

#include "base/pg.h"
#include "base/str.h"
#include "base/xalloc.h"

int campaign_event_add(struct pg *pg, int64_t campaign_id, int64_t at_ms,
                       const char *text)
{
    struct pg_args a = {0};

    pg_arg_i64(&a, campaign_id);
    pg_arg_ms(&a, at_ms);
    pg_arg_text(&a, text);
    return pg_run(pg, NULL,
                  "INSERT INTO campaign_events (tenant_id, campaign_id, at, text) VALUES "
                  "(furrow_tenant(), $1, furrow_ts($2), $3)",
                  &a);
}

int campaign_event_list(struct pg *pg, int tenant_id, int64_t campaign_id,
                        struct campaign_event **out, size_t *n)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    pg_arg_i64(&a, campaign_id);
    pg_arg_i64(&a, CAMPAIGN_EVENTS_SHOWN);
    int err = pg_begin(pg, tenant_id);
    if (!err)
        err = pg_end(pg, pg_run(pg, &res,
                                "SELECT furrow_ms(at), text FROM (SELECT id, at, text "
                                "FROM campaign_events WHERE campaign_id = $1 ORDER BY id "
                                "DESC LIMIT $2) q ORDER BY id",
                                &a));
    if (err)
        return err;
    *n = (size_t)PQntuples(res);
    *out = xcalloc(*n + 1, sizeof(**out));
    for (size_t i = 0; i < *n; i++) {
        (*out)[i].at_ms = pg_i64(res, (int)i, 0);
        str_cut((*out)[i].text, sizeof((*out)[i].text), pg_text(res, (int)i, 1));
    }
    return 0;
}
