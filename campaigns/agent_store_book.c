/*
 * agent_store_book - reservations. Claims of one campaign hold its row of agent_campaigns
 * one after the other, and read calls in flight and periods in one statement: a call that
 * ends meanwhile moves from the one to the other in one commit, so it is seen once.
 */
#include "campaigns/agent_store_book.h"

#include <errno.h>
#include <string.h>

#include "base/pg.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "campaigns/agent_store_inside.h"
#include "campaigns/campaign.h"
#include "campaigns/campaign_store.h"

enum {
    RESOLVED_S = 30, /* from an answer until it is counted, at the most */
    LATEST = 200,    /* calls that the answer rate is taken from */
    ABANDONED_DAYS = 30,
};

/* ---- the campaign's periods ---- */

static int lock_anchor(struct pg *pg, int tenant_id, int64_t campaign_id, int64_t now_ms,
                       int64_t *anchored_ms)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    pg_arg_i64(&a, campaign_id);
    pg_arg_i64(&a, tenant_id);
    pg_arg_ms(&a, now_ms);
    int err = pg_run(pg, NULL,
                     "INSERT INTO agent_campaigns (campaign_id, tenant_id, anchored_at) "
                     "VALUES ($1, $2, furrow_ts($3)) ON CONFLICT DO NOTHING",
                     &a);
    a.n = 1;
    if (!err)
        err = pg_run(pg, &res,
                     "SELECT furrow_ms(anchored_at) FROM agent_campaigns WHERE "
                     "campaign_id = $1 FOR UPDATE",
                     &a);
    if (err)
        return err;
    if (PQntuples(res) == 0)
        return EPROTO;
    *anchored_ms = pg_i64(res, 0, 0);
    return 0;
}

int agent_periods_of(const struct mode_rules *rules, int64_t anchored_ms, int64_t at_ms,
                     int64_t out[MODE_ANCHORS])
{
    int err = 0;

    for (int i = 0; !err && i < MODE_ANCHORS; i++)
        err = mode_period_of((enum mode_anchor)i, rules->timezone, anchored_ms, at_ms,
                             &out[i]);
    return err;
}

#define PERIOD(anchor, n)                                                                \
    "coalesce((SELECT answered FROM abandon_periods WHERE campaign_id = $1 AND anchor "  \
    "= '" anchor "' AND period = " n "), 0), coalesce((SELECT abandoned FROM "           \
    "abandon_periods WHERE campaign_id = $1 AND anchor = '" anchor "' AND period = " n   \
    "), 0)"

int agent_read_now(struct pg *pg, int64_t campaign_id, const struct mode_rules *rules,
                   const int64_t periods[MODE_ANCHORS], struct mode_now *out)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    pg_arg_i64(&a, campaign_id);
    for (int i = 0; i < MODE_ANCHORS; i++)
        pg_arg_i64(&a, periods[i]);
    pg_arg_text(&a, rules->queue);
    pg_arg_i64(&a, LATEST);
    /* A machine takes no agent's time, unless it was put through. */
    int err = pg_run(
        pg, &res,
        "SELECT " PERIOD("campaign30d", "$2") ", " PERIOD(
            "calendar_day",
            "$3") ", " PERIOD("calendar_month",
                              "$4") ", (SELECT count(*) FROM agent_calls WHERE "
                                    "campaign_id = $1 AND result = "
                                    "'' AND agent_id IS NULL), (SELECT count(*) "
                                    "FROM agents WHERE queue = "
                                    "$5 AND state = 'reserved'), (SELECT count(*) "
                                    "FROM agents WHERE queue = "
                                    "$5 AND state = 'on_call'), s.ended, "
                                    "s.answered, s.ring_ms, s.talk_ms, s.over_ms "
                                    "FROM (SELECT count(*) AS ended, "
                                    "count(answered_at) AS answered, "
                                    "coalesce(avg(extract(epoch FROM answered_at "
                                    "- reserved_at)) * 1000, "
                                    "0)::bigint AS ring_ms, "
                                    "coalesce(avg(extract(epoch FROM over_at - "
                                    "connected_at)) * 1000, 0)::bigint AS talk_ms, "
                                    "furrow_ms(max(over_at)) AS over_ms "
                                    "FROM (SELECT reserved_at, connected_at, "
                                    "over_at, CASE WHEN NOT machine OR "
                                    "connected_at IS NOT NULL THEN answered_at "
                                    "END AS answered_at FROM "
                                    "agent_calls WHERE campaign_id = $1 AND "
                                    "over_at IS NOT NULL AND result "
                                    "<> 'withdrawn' ORDER BY attempt_id DESC "
                                    "LIMIT $6) latest) s",
        &a);
    if (err)
        return err;
    for (int i = 0; i < MODE_ANCHORS; i++)
        out->periods[i] =
            (struct mode_period){pg_i64(res, 0, 2 * i), pg_i64(res, 0, 2 * i + 1)};
    out->unbacked = pg_i64(res, 0, 6);
    out->reserved = (int)pg_i64(res, 0, 7);
    out->busy = (int)pg_i64(res, 0, 8);
    out->stats = (struct mode_stats){.ended = pg_i64(res, 0, 9),
                                     .answered = pg_i64(res, 0, 10),
                                     .ring_ms = pg_i64(res, 0, 11),
                                     .talk_ms = pg_i64(res, 0, 12),
                                     .over_ms = pg_i64(res, 0, 13)};
    return 0;
}

static void fill_abandon(struct compliance_abandon out[MODE_ANCHORS],
                         const struct mode_rules *rules, const struct mode_now *now,
                         int64_t unbacked)
{
    for (int i = 0; i < MODE_ANCHORS; i++)
        out[i] = (struct compliance_abandon){.limit_ppm = rules->limit_ppm,
                                             .answered = now->periods[i].answered,
                                             .abandoned = now->periods[i].abandoned,
                                             .unbacked = unbacked};
}

/* ---- booking ---- */

static int lock_agents(struct pg *pg, const char *queue, size_t max, int64_t now_ms,
                       struct agent_booking *out, int *ready)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    pg_arg_text(&a, queue);
    pg_arg_ms(&a, now_ms);
    pg_arg_i64(&a, (int64_t)(max < AGENT_BOOK_MAX ? max : AGENT_BOOK_MAX));
    /* Who has been free for the longest comes first; those who wait in the queue before
     * any new call. */
    int err = pg_run(pg, &res,
                     "SELECT id FROM agents WHERE queue = $1 AND (state = 'ready' OR "
                     "(state = 'wrap_up' AND wrap_until <= furrow_ts($2))) ORDER BY "
                     "since, id OFFSET (SELECT count(*) FROM agent_waiters w WHERE "
                     "w.queue = $1 AND w.seen_at > clock_timestamp() - interval '10 s') "
                     "LIMIT $3 FOR UPDATE SKIP LOCKED",
                     &a);
    if (err)
        return err;
    *ready = PQntuples(res);
    for (int i = 0; i < *ready; i++)
        out->agents[i] = pg_i64(res, i, 0);
    return 0;
}

int agent_book(struct pg *pg, int tenant_id, int64_t campaign_id,
               const struct campaign_doc *doc, size_t max, int64_t now_ms,
               struct agent_booking *out)
{
    const struct mode_rules *rules = &doc->mode;
    const int64_t over_ms = now_ms + (int64_t)(doc->ring_timeout_s + RESOLVED_S) * 1000;
    int64_t anchored_ms = 0, here[MODE_ANCHORS], then[MODE_ANCHORS];
    struct mode_now now = {0};

    out->used = rules->kind != MODE_FIXED;
    if (!out->used)
        return 0;
    int err = lock_anchor(pg, tenant_id, campaign_id, now_ms, &anchored_ms);
    if (!err)
        err = agent_periods_of(rules, anchored_ms, now_ms, here);
    if (!err)
        err = agent_periods_of(rules, anchored_ms, over_ms, then);
    if (!err)
        err = lock_agents(pg, rules->queue, max, now_ms, out, &now.ready);
    if (!err)
        err = agent_read_now(pg, campaign_id, rules, here, &now);
    if (err)
        return err;
    now.period_ends = memcmp(here, then, sizeof(here)) != 0;
    mode_room(rules, &now, &out->room);
    fill_abandon(out->abandon, rules, &now, now.unbacked);
    /* now_ms is from before the locks: what ended meanwhile was over first. */
    out->at_ms = now.stats.over_ms > now_ms ? now.stats.over_ms : now_ms;
    return 0;
}

int agent_book_write(struct pg *pg, int tenant_id, int64_t campaign_id,
                     const struct agent_booking *booking, const struct uuid *attempts,
                     const bool *backed, size_t n)
{
    CLEANUP(free_cleanup) int64_t *agents = xcalloc(n + 1, sizeof(*agents));
    CLEANUP(buf_free) struct buf ids = {0};
    CLEANUP(buf_free) struct buf theirs = {0};
    struct pg_args a = {0};
    int next = 0;

    for (size_t i = 0; i < n; i++)
        if (backed[i] && next < booking->room.backed)
            agents[i] = booking->agents[next++];
        else if (backed[i])
            return EINVAL;
    pg_array_uuid(&ids, attempts, n);
    pg_array_i64(&theirs, agents, n);
    pg_arg_text(&a, ids.data);
    pg_arg_text(&a, theirs.data);
    pg_arg_i64(&a, tenant_id);
    pg_arg_i64(&a, campaign_id);
    pg_arg_ms(&a, booking->at_ms);
    pg_arg_i64(&a, ABANDONED_DAYS);
    /* Somebody who was left without an agent lately keeps theirs this time. */
    return pg_run(
        pg, NULL,
        "WITH v AS (SELECT * FROM unnest($1::uuid[], $2::bigint[]) v(id, agent)), taken "
        "AS (UPDATE agents g SET state = 'reserved', call_id = v.id, since = "
        "furrow_ts($5), wrap_until = NULL, note = '' FROM v WHERE g.id = v.agent) INSERT "
        "INTO agent_calls (attempt_id, tenant_id, campaign_id, agent_id, kept, "
        "reserved_at) SELECT v.id, $3, $4, nullif(v.agent, 0), EXISTS (SELECT 1 FROM "
        "attempts me JOIN attempts past ON past.tenant_id = me.tenant_id AND past.phone "
        "= "
        "me.phone JOIN agent_calls c ON c.attempt_id = past.id WHERE me.id = v.id AND "
        "c.result = 'abandoned' AND past.intent_at > furrow_ts($5) - make_interval(days "
        "=> $6::int)), furrow_ts($5) FROM v",
        &a);
}

/* ---- the gate ---- */

int agent_gate_load(struct pg *pg, int tenant_id, int64_t campaign_id,
                    const struct campaign_doc *doc, const struct uuid *attempt,
                    int64_t now_ms, struct agent_gate *out)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    int64_t periods[MODE_ANCHORS];
    struct mode_now now = {0};
    struct pg_args a = {0};

    (void)tenant_id;
    *out = (struct agent_gate){0};
    pg_arg_uuid(&a, attempt);
    int err =
        pg_run(pg, &res,
               "SELECT g.call_id IS NOT NULL, c.agent_id IS NULL, "
               "furrow_ms(k.anchored_at) FROM agent_calls c JOIN agent_campaigns k "
               "ON k.campaign_id = c.campaign_id LEFT JOIN agents g ON g.id = "
               "c.agent_id AND g.call_id = c.attempt_id WHERE c.attempt_id = $1 AND "
               "c.result = ''",
               &a);
    if (err)
        return err;
    if (PQntuples(res) == 0) /* nothing was booked for it: no agent, no credit */
        return 0;
    out->backed = pg_bool(res, 0, 0);
    err = agent_periods_of(&doc->mode, pg_i64(res, 0, 2), now_ms, periods);
    if (!err)
        err = agent_read_now(pg, campaign_id, &doc->mode, periods, &now);
    if (!err)
        fill_abandon(out->abandon, &doc->mode, &now, now.unbacked - pg_bool(res, 0, 1));
    return err;
}

/* ---- for people ---- */

static int limits_load(struct pg *pg, int tenant_id, int64_t campaign_id, int64_t now_ms,
                       struct agent_limits *out)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    const struct campaign_doc *doc = NULL;
    int64_t periods[MODE_ANCHORS], anchored_ms = now_ms;
    struct mode_now now = {0};
    struct pg_args a = {0};

    pg_arg_i64(&a, campaign_id);
    int err = campaign_doc_get(pg, tenant_id, campaign_id, &doc);
    if (!err)
        err = pg_run(pg, &res,
                     "SELECT furrow_ms(anchored_at) FROM agent_campaigns WHERE "
                     "campaign_id = $1",
                     &a);
    if (!err && PQntuples(res) > 0)
        anchored_ms = pg_i64(res, 0, 0);
    if (!err)
        err = agent_periods_of(&doc->mode, anchored_ms, now_ms, periods);
    if (!err)
        err = agent_read_now(pg, campaign_id, &doc->mode, periods, &now);
    if (err)
        return err;
    *out = (struct agent_limits){.rules = doc->mode, .unbacked = now.unbacked};
    memcpy(out->periods, now.periods, sizeof(out->periods));
    for (int i = 0; i < MODE_ANCHORS; i++)
        out->credit[i] =
            mode_credit(doc->mode.limit_ppm, doc->mode.margin, &now.periods[i]);
    return 0;
}

int agent_limits_load(struct pg *pg, int tenant_id, int64_t campaign_id, int64_t now_ms,
                      struct agent_limits *out)
{
    bool own = false;
    int err = pg_begin_own(pg, tenant_id, &own);

    return err ? err
               : pg_end_own(pg, own,
                            limits_load(pg, tenant_id, campaign_id, now_ms, out));
}
