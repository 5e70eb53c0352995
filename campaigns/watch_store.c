#include "campaigns/watch_store.h"

#include "base/pg.h"

static const int64_t minute_ms = 60000;

static int load_calls(struct pg *pg, int64_t campaign_id, int64_t now_ms,
                      struct watch_recent *out)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    pg_arg_i64(&a, campaign_id);
    pg_arg_ms(&a, now_ms - minute_ms);
    pg_arg_ms(&a, now_ms - WATCH_MINUTES * minute_ms);
    pg_arg_ms(&a, now_ms - WATCH_FINAL_MINUTES * minute_ms);
    int err = pg_run(
        pg, &res,
        "SELECT count(*) FILTER (WHERE released_at > furrow_ts($2)), count(*) FILTER "
        "(WHERE ended_at > furrow_ts($3)), count(*) FILTER (WHERE ended_at > "
        "furrow_ts($3) AND disposition = 'completed'), (SELECT count(*) FROM "
        "campaign_contacts WHERE campaign_id = $1 AND final_at > furrow_ts($4)), "
        "furrow_ms(min(intent_at)) FROM attempts WHERE campaign_id = $1 AND state <> "
        "'withdrawn'",
        &a);
    if (err)
        return err;
    out->begun_1m = pg_i64(res, 0, 0);
    out->ended = pg_i64(res, 0, 1);
    out->answered = pg_i64(res, 0, 2);
    out->finals = pg_i64(res, 0, 3);
    int64_t first_ms = pg_i64(res, 0, 4), span_ms = WATCH_FINAL_MINUTES * minute_ms;
    out->final_span_ms =
        first_ms && now_ms - first_ms < span_ms ? now_ms - first_ms : span_ms;
    return 0;
}

/* Ids of decisions hold their time: the log of before is not read. */
static int load_refusals(struct pg *pg, int64_t campaign_id, int64_t now_ms,
                         struct watch_recent *out)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    pg_arg_i64(&a, campaign_id);
    pg_arg_ms(&a, now_ms - WATCH_MINUTES * minute_ms);
    int err = pg_run(pg, &res,
                     "SELECT reason, count(*) FROM decisions WHERE campaign_id = $1 AND "
                     "id >= furrow_uuid_floor(furrow_ts($2)) AND reason <> 0 GROUP BY 1 "
                     "ORDER BY 2 DESC, 1",
                     &a);
    if (err)
        return err;
    for (int i = 0; i < PQntuples(res); i++) {
        out->refused += pg_i64(res, i, 1);
        if (out->n < WATCH_REASONS_MAX)
            out->reasons[out->n++] =
                (struct watch_reason){(enum reason)pg_i64(res, i, 0), pg_i64(res, i, 1)};
    }
    return 0;
}

int watch_load(struct pg *pg, int tenant_id, int64_t campaign_id, int64_t now_ms,
               struct watch_recent *out)
{
    bool own = false;

    *out = (struct watch_recent){0};
    int err = pg_begin_own(pg, tenant_id, &own);
    if (!err)
        err = load_calls(pg, campaign_id, now_ms, out);
    if (!err)
        err = load_refusals(pg, campaign_id, now_ms, out);
    return pg_end_own(pg, own, err);
}
