#include "campaigns/budget_store.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/pg.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "campaigns/campaign_store.h"

static int lock_account(struct pg *pg, int64_t campaign_id, struct budget_spent *out)
{
    struct pg_args a = {0};

    pg_arg_i64(&a, campaign_id);
    for (int i = 0; i < 2; i++) {
        CLEANUP(pg_result_free) PGresult *res = NULL;
        int err = pg_run(pg, &res,
                         "SELECT calls, seconds, micros FROM campaign_spend WHERE "
                         "campaign_id = $1 FOR UPDATE",
                         &a);
        if (err)
            return err;
        if (PQntuples(res) == 1) {
            *out = (struct budget_spent){pg_i64(res, 0, 0), pg_i64(res, 0, 1),
                                         pg_i64(res, 0, 2)};
            return 0;
        }
        err = pg_run(pg, NULL,
                     "INSERT INTO campaign_spend (tenant_id, campaign_id, calls, "
                     "seconds, micros) VALUES (furrow_tenant(), $1, 0, 0, 0) ON CONFLICT "
                     "DO NOTHING",
                     &a);
        if (err)
            return err;
    }
    return EPROTO; /* another tenant's campaign */
}

int budget_hold_rules(struct pg *pg, int64_t campaign_id, bool alone)
{
    struct pg_args a = {0};

    pg_arg_i64(&a, campaign_id);
    return pg_run_later(
        pg,
        alone ? "SELECT pg_advisory_xact_lock(hashtextextended('furrow "
                "rules', $1))"
              : "SELECT pg_advisory_xact_lock_shared(hashtextextended('furrow "
                "rules', $1))",
        &a);
}

struct account {
    struct budget_spent spent; /* without what lives */
    int64_t open, room;
};

/* How long each call that lives has talked. */
static int read_open(struct pg *pg, int64_t campaign_id, int64_t now_ms, PGresult **res)
{
    struct pg_args a = {0};

    pg_arg_i64(&a, campaign_id);
    pg_arg_ms(&a, now_ms);
    return pg_run(pg, res,
                  "SELECT coalesce(furrow_ms(furrow_ts($2)) - furrow_ms(answered_at), 0) "
                  "FROM attempts WHERE campaign_id = $1 AND tenant_id = furrow_tenant() "
                  "AND ended_at IS NULL AND state IN ('intent', 'released', 'ringing', "
                  "'answered')",
                  &a);
}

/* The account is locked first: an attempt that moved from open to over is in one of
 * both, or in both for a moment, and never in none. */
static int look(struct pg *pg, int64_t campaign_id, const struct budget *b,
                int64_t now_ms, struct account *out)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;

    int err = lock_account(pg, campaign_id, &out->spent);
    if (!err)
        err = read_open(pg, campaign_id, now_ms, &res);
    if (err)
        return err;
    struct budget_spent all = out->spent;
    for (int i = 0; i < PQntuples(res); i++)
        budget_set_aside(b, &all, pg_i64(res, i, 0));
    out->open = PQntuples(res);
    out->room = budget_room(b, &all);
    return 0;
}

int budget_take(struct pg *pg, int64_t campaign_id, const struct budget *b,
                int64_t now_ms, int64_t *room)
{
    struct account account = {0};

    int err = look(pg, campaign_id, b, now_ms, &account);
    *room = err ? 0 : account.room;
    return err;
}

int budget_book(struct pg *pg, int64_t campaign_id, const struct budget_spent *more)
{
    struct pg_args a = {0};

    pg_arg_i64(&a, campaign_id);
    pg_arg_i64(&a, more->calls);
    pg_arg_i64(&a, more->seconds);
    pg_arg_i64(&a, more->micros);
    return pg_run(pg, NULL,
                  "INSERT INTO campaign_spend AS s (tenant_id, campaign_id, calls, "
                  "seconds, micros) VALUES (furrow_tenant(), $1, $2, $3, $4) ON CONFLICT "
                  "(campaign_id) DO UPDATE SET calls = s.calls + excluded.calls, seconds "
                  "= s.seconds + excluded.seconds, micros = s.micros + excluded.micros",
                  &a);
}

static int load(struct pg *pg, int64_t campaign_id, struct budget_spent *out,
                int64_t *open)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    pg_arg_i64(&a, campaign_id);
    int err = pg_run(pg, &res,
                     "SELECT (SELECT count(*) FROM attempts WHERE campaign_id = $1 AND "
                     "ended_at IS NULL AND state IN ('intent', 'released', 'ringing', "
                     "'answered')), calls, "
                     "seconds, micros FROM (SELECT 1) q LEFT JOIN campaign_spend ON "
                     "campaign_id = $1",
                     &a);
    if (err)
        return err;
    *open = pg_i64(res, 0, 0);
    *out = (struct budget_spent){pg_i64(res, 0, 1), pg_i64(res, 0, 2), pg_i64(res, 0, 3)};
    return 0;
}

int budget_load(struct pg *pg, int tenant_id, int64_t campaign_id, const struct budget *b,
                struct budget_spent *out, int64_t *open)
{
    bool own = false;

    *out = (struct budget_spent){0};
    *open = 0;
    if (!b->stated)
        return 0;
    int err = pg_begin_own(pg, tenant_id, &own);
    return err ? err : pg_end_own(pg, own, load(pg, campaign_id, out, open));
}

int budget_recount(struct pg *pg, int64_t campaign_id, const struct budget *b)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct budget_spent spent = {0};
    struct pg_args a = {0};

    int err = lock_account(pg, campaign_id, &spent);
    pg_arg_i64(&a, campaign_id);
    if (!err)
        err = pg_run(pg, &res,
                     "SELECT CASE WHEN answered_at IS NOT NULL THEN furrow_ms(ended_at) "
                     "- furrow_ms(answered_at) ELSE 0 END, state = 'unknown', count(*) "
                     "FROM attempts WHERE campaign_id = $1 AND tenant_id = "
                     "furrow_tenant() AND state IN ('ended', 'unknown') GROUP BY 1, 2",
                     &a);
    if (err)
        return err;
    spent = (struct budget_spent){0};
    for (int i = 0; i < PQntuples(res); i++)
        for (int64_t n = pg_i64(res, i, 2); n > 0; n--) {
            if (pg_bool(res, i, 1))
                budget_set_aside(b, &spent, pg_i64(res, i, 0));
            else
                budget_add(b, &spent, pg_i64(res, i, 0));
        }
    pg_arg_i64(&a, spent.calls);
    pg_arg_i64(&a, spent.seconds);
    pg_arg_i64(&a, spent.micros);
    return pg_run(pg, NULL,
                  "UPDATE campaign_spend SET calls = $2, seconds = $3, micros = $4 WHERE "
                  "campaign_id = $1",
                  &a);
}

/* ---- when it is spent ---- */

/* The campaign before its account, as who changes a campaign takes them. */
static int pause_one(struct pg *pg, const struct campaign_row *row, int64_t now_ms,
                     bool *paused)
{
    const struct campaign_doc *doc = NULL;
    struct account account = {0};
    char text[BUDGET_TEXT_MAX], why[sizeof(row->stop_reason)];

    *paused = false;
    int err = campaign_doc_get(pg, row->tenant_id, row->id, &doc);
    bool running = false;
    if (err || !doc->budget.stated)
        return err;
    err = campaign_lock_running(pg, row->id, &running);
    if (err || !running)
        return err;
    err = look(pg, row->id, &doc->budget, now_ms, &account);
    if (err || account.open > 0 || account.room > 0)
        return err;
    snprintf(why, sizeof(why),
             "the budget is spent: %s; raise it (furrow campaign change --set "
             "budget.…), then resume",
             budget_text(&doc->budget, &account.spent, text));
    err = campaign_command(pg, row->tenant_id, row->id, CAMPAIGN_PAUSE, why, now_ms, NULL,
                           NULL);
    *paused = !err;
    if (!err)
        log_warn("campaign", "id=%lld paused: the budget is spent: %s",
                 (long long)row->id, text);
    return err;
}

int budget_pause_spent(struct pg *pg, int tenant_id, int64_t now_ms, size_t *paused)
{
    CLEANUP(free_cleanup) struct campaign_row *all = NULL;
    size_t n = 0;

    *paused = 0;
    int err = campaign_list(pg, tenant_id, CAMPAIGN_RUNNING, &all, &n);
    for (size_t i = 0; !err && i < n; i++) {
        bool own = false, one = false;

        err = pg_begin_own(pg, tenant_id, &own);
        if (!err)
            err = pg_end_own(pg, own, pause_one(pg, &all[i], now_ms, &one));
        *paused += !err && one;
        if (err == EINVAL)
            err = 0; /* a document nobody can read, logged: it calls nobody either */
    }
    return err;
}
