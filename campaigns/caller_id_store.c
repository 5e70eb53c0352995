#include "campaigns/caller_id_store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/pg.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "campaigns/campaign_event_store.h"

/* More of an uncapped number's calls are not counted: it is enough to share them out. */
#define USES_COUNTED "1000"

/* Of $now: calls of the last 24 hours, newest first; the last of them that count against
 * the cap is the one that makes room. */
#define USES(now)                                                                        \
    "LEFT JOIN LATERAL (SELECT count(*) AS used, min(intent_at) AS oldest FROM (SELECT " \
    "a.intent_at FROM attempts a WHERE a.pooled AND a.caller_id = '+' || c.phone AND "   \
    "a.intent_at > furrow_ts(" now ") - interval '24 hours' AND a.state <> 'withdrawn' " \
    "ORDER BY a.intent_at DESC LIMIT CASE WHEN c.daily_cap > 0 THEN c.daily_cap "        \
    "ELSE " USES_COUNTED " END) newest) u ON true "

/* How calls ended; those that never reached a person's phone say nothing. */
#define HEALTH(now, days)                                                                \
    "LEFT JOIN LATERAL (SELECT count(*) AS calls, count(*) FILTER (WHERE a.disposition " \
    "= 'completed') AS answered, count(*) FILTER (WHERE a.disposition = 'completed' "    \
    "AND "                                                                               \
    "a.ended_at < a.answered_at + interval '6 seconds') AS shorts FROM attempts a "      \
    "WHERE "                                                                             \
    "a.pooled AND a.caller_id = '+' || c.phone AND a.intent_at > "                       \
    "greatest(furrow_ts(" now ") - make_interval(days => " days "), c.counts_from) AND " \
    "a.state = 'ended' AND a.disposition NOT IN ('config', 'congestion', 'canceled', "   \
    "'bad_number')) h ON true "

_Static_assert(CALLER_ID_SHORT_S == 6, "stands in the statement above");

/* ---- keeping ---- */

static int run(struct pg *pg, int tenant_id, const char *sql, const struct pg_args *a,
               int64_t *changed)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;

    int err = pg_begin(pg, tenant_id);
    if (!err)
        err = pg_end(pg, pg_run(pg, &res, sql, a));
    if (!err)
        *changed = pg_affected(res);
    return err;
}

int caller_id_add(struct pg *pg, int tenant_id, const char *pool, int64_t phone,
                  int daily_cap, int64_t now_ms)
{
    struct pg_args a = {0};
    int64_t changed = 0;

    pg_arg_i64(&a, tenant_id);
    pg_arg_i64(&a, phone);
    pg_arg_text(&a, pool);
    pg_arg_i64(&a, daily_cap);
    pg_arg_ms(&a, now_ms);
    return run(pg, tenant_id,
               "INSERT INTO caller_ids (tenant_id, phone, pool, daily_cap, added_at, "
               "counts_from) VALUES ($1, $2, $3, $4, furrow_ts($5), furrow_ts($5)) ON "
               "CONFLICT (tenant_id, phone) DO UPDATE SET pool = excluded.pool, "
               "daily_cap = excluded.daily_cap",
               &a, &changed);
}

int caller_id_remove(struct pg *pg, int tenant_id, int64_t phone)
{
    struct pg_args a = {0};
    int64_t changed = 0;

    pg_arg_i64(&a, phone);
    int err = run(pg, tenant_id, "DELETE FROM caller_ids WHERE phone = $1", &a, &changed);
    return !err && changed == 0 ? ENOENT : err;
}

int caller_id_hold(struct pg *pg, int tenant_id, int64_t phone, int64_t until_ms,
                   const char *why)
{
    struct pg_args a = {0};
    int64_t changed = 0;

    pg_arg_i64(&a, phone);
    pg_arg_ms(&a, until_ms);
    pg_arg_text(&a, why);
    int err = run(pg, tenant_id,
                  "UPDATE caller_ids SET held_until = furrow_ts($2), held_why = $3, "
                  "counts_from = furrow_ts($2) WHERE phone = $1",
                  &a, &changed);
    return !err && changed == 0 ? ENOENT : err;
}

int caller_id_release(struct pg *pg, int tenant_id, int64_t phone, int64_t now_ms)
{
    struct pg_args a = {0};
    int64_t changed = 0;

    pg_arg_i64(&a, phone);
    pg_arg_ms(&a, now_ms);
    int err = run(pg, tenant_id,
                  "UPDATE caller_ids SET held_until = NULL, held_why = '', counts_from = "
                  "furrow_ts($2), calls = 0, answered = 0, shorts = 0 WHERE phone = $1 "
                  "AND held_until > furrow_ts($2)",
                  &a, &changed);
    return !err && changed == 0 ? ENOENT : err;
}

/* ---- listing ---- */

int caller_id_list(struct pg *pg, int tenant_id, const char *pool, int days,
                   int64_t now_ms, struct caller_id_row **out, size_t *n)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    pg_arg_text(&a, pool);
    pg_arg_ms(&a, now_ms);
    pg_arg_i64(&a, days);
    int err = pg_begin(pg, tenant_id);
    if (!err)
        err = pg_end(
            pg, pg_run(pg, &res,
                       "SELECT c.phone, c.pool, c.daily_cap, u.used, h.calls, "
                       "h.answered, h.shorts, furrow_ms(c.held_until), c.held_why, "
                       "furrow_ms(u.oldest + interval '24 hours') FROM caller_ids "
                       "c " USES("$2") HEALTH(
                           "$2", "$3::int") "WHERE $1::text IS NULL "
                                            "OR c.pool = $1 ORDER BY c.pool, c.phone",
                       &a));
    if (err)
        return err;
    int rows = PQntuples(res);
    struct caller_id_row *all = xcalloc((size_t)rows + 1, sizeof(*all));
    for (int i = 0; i < rows; i++) {
        struct caller_id_row *row = &all[i];

        row->id = (struct caller_id){.phone = pg_i64(res, i, 0),
                                     .daily_cap = (int)pg_i64(res, i, 2),
                                     .used = (int)pg_i64(res, i, 3),
                                     .calls = pg_i64(res, i, 4),
                                     .answered = pg_i64(res, i, 5),
                                     .shorts = pg_i64(res, i, 6),
                                     .held_until_ms = pg_i64(res, i, 7),
                                     .free_at_ms = pg_i64(res, i, 9)};
        str_cut(row->pool, sizeof(row->pool), pg_text(res, i, 1));
        str_cut(row->held_why, sizeof(row->held_why), pg_text(res, i, 8));
    }
    *out = all;
    *n = (size_t)rows;
    return 0;
}

/* ---- pools ---- */

int caller_id_pool_find(struct pg *pg, const char *pool, struct errtext *e)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    pg_arg_text(&a, pool);
    int err = pg_run(pg, &res,
                     "SELECT bool_or(pool = $1), string_agg(DISTINCT pool, ', ') FROM "
                     "caller_ids",
                     &a);
    if (err)
        return errtext_set(e, err, 0, 0, "%s", pg_error(pg));
    if (pg_bool(res, 0, 0))
        return 0;
    const char *others = pg_text(res, 0, 1);
    return errtext_set(e, ENOENT, 0, 0, "no caller-id pool '%s'; there %s%s", pool,
                       others[0] ? "is " : "are none", others);
}

/* lock: rows stay as they are until the transaction ends. Counting comes after the lock
 * is held, by a statement of its own, so that it sees what was committed before. */
static int load_pool(struct pg *pg, const char *pool, bool lock, int64_t now_ms,
                     struct caller_id **out, size_t *n)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0}, b = {0};
    int err = 0;

    pg_arg_text(&a, pool);
    if (lock)
        err = pg_run(pg, NULL,
                     "SELECT FROM caller_ids WHERE pool = $1 ORDER BY phone FOR NO KEY "
                     "UPDATE",
                     &a);
    pg_arg_text(&b, pool);
    pg_arg_ms(&b, now_ms);
    if (!err)
        err = pg_run(pg, &res,
                     "SELECT c.phone, c.daily_cap, u.used, c.calls, c.answered, "
                     "c.shorts, furrow_ms(c.held_until), furrow_ms(u.oldest + interval "
                     "'24 hours') FROM caller_ids c " USES("$2") "WHERE c.pool = $1 "
                                                                 "ORDER BY c.phone",
                     &b);
    if (err)
        return err;
    int rows = PQntuples(res);
    struct caller_id *all = xcalloc((size_t)rows + 1, sizeof(*all));
    for (int i = 0; i < rows; i++)
        all[i] = (struct caller_id){.phone = pg_i64(res, i, 0),
                                    .daily_cap = (int)pg_i64(res, i, 1),
                                    .used = (int)pg_i64(res, i, 2),
                                    .calls = pg_i64(res, i, 3),
                                    .answered = pg_i64(res, i, 4),
                                    .shorts = pg_i64(res, i, 5),
                                    .held_until_ms = pg_i64(res, i, 6),
                                    .free_at_ms = pg_i64(res, i, 7)};
    *out = all;
    *n = (size_t)rows;
    return 0;
}

int caller_id_pool_lock(struct pg *pg, const char *pool, int64_t now_ms,
                        struct caller_id **out, size_t *n)
{
    return load_pool(pg, pool, true, now_ms, out, n);
}

int caller_id_dry(struct pg *pg, int tenant_id, const struct caller_id_rule *rule,
                  int64_t now_ms, char why[CALLER_ID_WHY_MAX])
{
    CLEANUP(free_cleanup) struct caller_id *pool = NULL;
    size_t n = 0;
    bool own = false;

    why[0] = '\0';
    if (!rule->pool[0])
        return 0;
    int err = pg_begin_own(pg, tenant_id, &own);
    if (!err)
        err = pg_end_own(pg, own, load_pool(pg, rule->pool, false, now_ms, &pool, &n));
    if (!err)
        (void)caller_id_explain(pool, n, rule, now_ms, why);
    return err;
}

/* ---- health ---- */

static int write_health(struct pg *pg, const struct caller_id_rule *rule, int64_t now_ms,
                        PGresult **res)
{
    struct pg_args a = {0};

    pg_arg_text(&a, rule->pool);
    pg_arg_ms(&a, now_ms);
    pg_arg_i64(&a, rule->days);
    return pg_run(
        pg, res,
        "UPDATE caller_ids k SET calls = h.calls, answered = h.answered, "
        "shorts = h.shorts FROM caller_ids c " HEALTH(
            "$2",
            "$3::int") "WHERE "
                       "c.pool = $1 AND k.phone = c.phone AND k.tenant_id = c.tenant_id "
                       "RETURNING k.phone, k.calls, k.answered, k.shorts, "
                       "coalesce(k.held_until > furrow_ts($2), false)",
        &a);
}

static int hold(struct pg *pg, int64_t phone, int64_t until_ms, const char *why)
{
    struct pg_args a = {0};

    pg_arg_i64(&a, phone);
    pg_arg_ms(&a, until_ms);
    pg_arg_text(&a, why);
    /* What led to it is not counted a second time. */
    return pg_run(pg, NULL,
                  "UPDATE caller_ids SET held_until = furrow_ts($2), held_why = $3, "
                  "counts_from = furrow_ts($2) WHERE phone = $1",
                  &a);
}

/* The tenant's own number: history has it in full, the log as all numbers. */
static int say_held(struct pg *pg, const struct caller_id_rule *rule, int64_t campaign_id,
                    int64_t phone, const char *why, int64_t now_ms)
{
    char event[CAMPAIGN_EVENT_TEXT_MAX], text[PHONE_TEXT_MAX];

    log_warn("caller_id", "number=%s pool=%s campaign=%lld quarantine_h=%d %s",
             phone_mask(phone, text), LOG_ESC(rule->pool), (long long)campaign_id,
             rule->quarantine_h, why);
    snprintf(event, sizeof(event),
             "caller-id %s of pool '%s' went into quarantine for %d h: %s",
             phone_text(phone, text), rule->pool, rule->quarantine_h, why);
    return campaign_event_add(pg, campaign_id, now_ms, event);
}

int caller_id_check(struct pg *pg, const struct caller_id_rule *rule, int64_t campaign_id,
                    int64_t now_ms, size_t *held)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    CLEANUP(free_cleanup) struct caller_id *pool = NULL;
    size_t n = 0;

    *held = 0;
    /* The lock in the order of claims. */
    int err = load_pool(pg, rule->pool, true, now_ms, &pool, &n);
    if (!err)
        err = write_health(pg, rule, now_ms, &res);
    for (int i = 0; !err && i < PQntuples(res); i++) {
        const struct caller_id c = {.phone = pg_i64(res, i, 0),
                                    .calls = pg_i64(res, i, 1),
                                    .answered = pg_i64(res, i, 2),
                                    .shorts = pg_i64(res, i, 3)};
        char why[CALLER_ID_WHY_MAX];

        if (pg_bool(res, i, 4) || !caller_id_is_bad(&c, rule, why))
            continue;
        err = hold(pg, c.phone, now_ms + rule->quarantine_h * INT64_C(3600000), why);
        ++*held;
        if (!err)
            err = say_held(pg, rule, campaign_id, c.phone, why, now_ms);
    }
    return err;
}
