/*
 * agent_store_call - what becomes of calls with agents. Rows are locked in the order
 * call, agent, periods.
 */
#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "base/pg.h"
#include "base/str.h"
#include "campaigns/agent_store_book.h"
#include "campaigns/agent_store_inside.h"
#include "campaigns/campaign.h"
#include "campaigns/campaign_store.h"

struct booked { /* a row of agent_calls, locked */
    bool found;
    int64_t campaign_id, agent_id, answered_ms, anchored_ms;
    bool counted; /* its result is known */
    bool machine; /* no person answered it */
};

static int lock_call(struct pg *pg, const struct uuid *call, struct booked *out)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    *out = (struct booked){0};
    pg_arg_uuid(&a, call);
    int err =
        pg_run(pg, &res,
               "SELECT c.campaign_id, c.agent_id, furrow_ms(c.answered_at), c.result "
               "<> '', furrow_ms(k.anchored_at), c.machine FROM agent_calls c JOIN "
               "agent_campaigns k ON k.campaign_id = c.campaign_id WHERE "
               "c.attempt_id = $1 FOR UPDATE OF c",
               &a);
    if (err || PQntuples(res) == 0)
        return err;
    *out = (struct booked){.found = true,
                           .campaign_id = pg_i64(res, 0, 0),
                           .agent_id = pg_i64(res, 0, 1),
                           .answered_ms = pg_i64(res, 0, 2),
                           .counted = pg_bool(res, 0, 3),
                           .anchored_ms = pg_i64(res, 0, 4),
                           .machine = pg_bool(res, 0, 5)};
    return 0;
}

/* ---- counting ---- */

static int count(struct pg *pg, int tenant_id, const struct booked *b,
                 int64_t answered_ms, bool abandoned)
{
    const struct campaign_doc *doc = NULL;
    int64_t periods[MODE_ANCHORS];
    struct pg_args a = {0};

    int err = campaign_doc_get(pg, tenant_id, b->campaign_id, &doc);
    if (!err)
        err = agent_periods_of(&doc->mode, b->anchored_ms, answered_ms, periods);
    if (err)
        return err;
    pg_arg_i64(&a, tenant_id);
    pg_arg_i64(&a, b->campaign_id);
    for (int i = 0; i < MODE_ANCHORS; i++)
        pg_arg_i64(&a, periods[i]);
    pg_arg_i64(&a, abandoned);
    return pg_run(pg, NULL,
                  "INSERT INTO abandon_periods AS p (tenant_id, campaign_id, anchor, "
                  "period, answered, abandoned) VALUES ($1, $2, 'campaign30d', $3, 1, "
                  "$6), ($1, $2, 'calendar_day', $4, 1, $6), ($1, $2, 'calendar_month', "
                  "$5, 1, $6) ON CONFLICT (campaign_id, anchor, period) DO UPDATE SET "
                  "answered = p.answered + 1, abandoned = p.abandoned + "
                  "excluded.abandoned",
                  &a);
}

/* Writes a result that was not known, and counts it if a person answered. */
static int resolve(struct pg *pg, int tenant_id, const struct uuid *call,
                   const struct booked *b, const char *result, int64_t at_ms)
{
    struct pg_args a = {0};
    bool talks = str_is(result, "connected") || str_is(result, "late");
    bool lost = str_is(result, "abandoned") || str_is(result, "late");
    bool counts = !b->machine && (talks || lost);

    if (b->counted)
        return 0;
    pg_arg_uuid(&a, call);
    pg_arg_text(&a, b->machine && (talks || lost) ? "machine" : result);
    pg_arg_ms(&a, at_ms);
    pg_arg_bool(&a, talks);
    int err = pg_run(pg, NULL,
                     "UPDATE agent_calls SET result = $2, answered_at = CASE WHEN $2 IN "
                     "('unanswered', 'withdrawn') THEN answered_at ELSE "
                     "coalesce(answered_at, furrow_ts($3)) END, connected_at = CASE WHEN "
                     "$4::bool THEN furrow_ts($3) END WHERE attempt_id = $1",
                     &a);
    if (err || !counts)
        return err;
    return count(pg, tenant_id, b, b->answered_ms ? b->answered_ms : at_ms, lost);
}

/* ---- agents ---- */

/* How long the call had them, as a mean that forgets what is about 20 calls ago. */
#define HAD_CALL "(state = 'on_call' AND NOT $3::bool)"
#define HAD_MS   "greatest((extract(epoch FROM furrow_ts($2) - since) * 1000)::bigint, 0)"
#define NOTE_TALK                                                                        \
    "talks = talks + " HAD_CALL "::int, talk_ms = talk_ms + " HAD_CALL                   \
    "::int * (" HAD_MS " - talk_ms) / least(talks + 1, 20)"

static int free_agent(struct pg *pg, const struct uuid *call, bool lost, int64_t at_ms)
{
    struct pg_args a = {0};

    pg_arg_uuid(&a, call);
    pg_arg_ms(&a, at_ms);
    pg_arg_bool(&a, lost);
    return pg_run(
        pg, NULL,
        "UPDATE agents SET " NOTE_TALK
        ", state = CASE WHEN after_call <> '' AND after_call <> 'ready' "
        "THEN after_call WHEN $3::bool THEN 'paused' WHEN state = 'on_call' AND "
        "wrap_up_s "
        "> 0 THEN 'wrap_up' ELSE 'ready' END, wrap_until = CASE WHEN state = 'on_call' "
        "THEN furrow_ts($2) + make_interval(secs => wrap_up_s) END, note = CASE WHEN "
        "$3::bool THEN 'did not answer the phone' ELSE '' END, after_call = '', call_id "
        "= "
        "NULL, since = furrow_ts($2) WHERE call_id = $1",
        &a);
}

static int set_agent(struct pg *pg, int64_t agent_id, const struct uuid *call,
                     int64_t at_ms)
{
    struct pg_args a = {0};

    pg_arg_i64(&a, agent_id);
    pg_arg_uuid(&a, call);
    pg_arg_ms(&a, at_ms);
    return pg_run(pg, NULL,
                  "UPDATE agents SET state = 'on_call', call_id = $2, since = "
                  "furrow_ts($3), wrap_until = NULL, note = '' WHERE id = $1",
                  &a);
}

/* ---- moves of the attempt ---- */

static int answered(struct pg *pg, const struct uuid *call, int64_t at_ms)
{
    struct pg_args a = {0};

    pg_arg_uuid(&a, call);
    pg_arg_ms(&a, at_ms);
    return pg_run(pg, NULL,
                  "UPDATE agent_calls SET answered_at = coalesce(answered_at, "
                  "furrow_ts($2)) WHERE attempt_id = $1",
                  &a);
}

/* When the agent's part was over; the call itself may go on for a moment. */
static int note_over(struct pg *pg, const struct uuid *call, int64_t at_ms)
{
    struct pg_args a = {0};

    pg_arg_uuid(&a, call);
    pg_arg_ms(&a, at_ms);
    return pg_run(pg, NULL,
                  "UPDATE agent_calls SET over_at = coalesce(over_at, furrow_ts($2)) "
                  "WHERE attempt_id = $1",
                  &a);
}

static int over(struct pg *pg, int tenant_id, const struct uuid *call,
                enum attempt_state to, int64_t answered_ms, int64_t at_ms)
{
    struct booked b;
    const char *result = "unanswered";

    int err = lock_call(pg, call, &b);
    if (err || !b.found)
        return err;
    if (answered_ms && !b.answered_ms)
        b.answered_ms = answered_ms;
    if (to == ATTEMPT_WITHDRAWN)
        result = "withdrawn";
    else if (to == ATTEMPT_UNKNOWN || b.answered_ms)
        result = "abandoned";
    err = resolve(pg, tenant_id, call, &b, result, at_ms);
    if (!err)
        err = note_over(pg, call, at_ms);
    return err ? err : free_agent(pg, call, false, at_ms);
}

int agent_call_moved(struct pg *pg, int tenant_id, const struct uuid *attempt,
                     enum attempt_state to, int64_t answered_ms, int64_t at_ms)
{
    if (to == ATTEMPT_ANSWERED)
        return answered(pg, attempt, at_ms);
    return attempt_is_open(to) ? 0 : over(pg, tenant_id, attempt, to, answered_ms, at_ms);
}

/* ---- a machine answered ---- */

static int machine(struct pg *pg, int tenant_id, const struct uuid *call, bool hears_flow,
                   int64_t at_ms)
{
    struct pg_args a = {0};
    struct booked b;

    int err = lock_call(pg, call, &b);
    if (err || !b.found || b.counted)
        return err;
    pg_arg_uuid(&a, call);
    err = pg_run(pg, NULL, "UPDATE agent_calls SET machine = true WHERE attempt_id = $1",
                 &a);
    if (err || hears_flow)
        return err;
    b.machine = true;
    err = resolve(pg, tenant_id, call, &b, "abandoned", at_ms);
    return err ? err : free_agent(pg, call, false, at_ms);
}

int agent_call_machine(struct pg *pg, int tenant_id, const struct uuid *call,
                       bool hears_flow, int64_t at_ms)
{
    int err = pg_begin(pg, tenant_id);

    return err ? err : pg_end(pg, machine(pg, tenant_id, call, hears_flow, at_ms));
}

/* ---- taking a call ---- */

/* A free one first; else one whose call still rings and is not theirs for sure. */
static int find_agent(struct pg *pg, const struct booked *b, const char *queue,
                      int64_t now_ms, int64_t *agent_id, struct uuid *from)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    *agent_id = 0;
    pg_arg_text(&a, queue);
    pg_arg_ms(&a, now_ms);
    int err = pg_run(pg, &res,
                     "SELECT id FROM agents WHERE queue = $1 AND (state = 'ready' OR "
                     "(state = 'wrap_up' AND wrap_until <= furrow_ts($2))) ORDER BY "
                     "since, id LIMIT 1 FOR UPDATE SKIP LOCKED",
                     &a);
    if (!err && PQntuples(res) > 0)
        *agent_id = pg_i64(res, 0, 0);
    if (err || *agent_id || !b->found)
        return err;
    pg_result_free(&res);
    pg_arg_i64(&a, b->campaign_id);
    err = pg_run(
        pg, &res,
        "SELECT g.id, c.attempt_id FROM agent_calls c JOIN agents g ON g.id = "
        "c.agent_id AND g.call_id = c.attempt_id WHERE g.queue = $1 AND "
        "g.state = 'reserved' AND c.campaign_id = $3 AND c.result = '' AND "
        "c.answered_at IS NULL AND NOT c.kept AND furrow_ts($2) IS NOT NULL ORDER BY "
        "c.attempt_id DESC LIMIT 1 FOR UPDATE OF c, g SKIP LOCKED",
        &a);
    if (err || PQntuples(res) == 0)
        return err;
    *agent_id = pg_i64(res, 0, 0);
    return pg_uuid(res, 0, 1, from);
}

static int give_call(struct pg *pg, const struct uuid *call, int64_t agent_id)
{
    struct pg_args a = {0};

    pg_arg_uuid(&a, call);
    if (agent_id)
        pg_arg_i64(&a, agent_id);
    else
        pg_arg_null(&a);
    return pg_run(pg, NULL,
                  "UPDATE agent_calls SET agent_id = $2::bigint WHERE attempt_id = $1",
                  &a);
}

static int choose(struct pg *pg, const struct uuid *call, const struct booked *b,
                  const char *queue, int64_t now_ms, int64_t *agent_id)
{
    /* Called with the call's row locked, or in its turn of the queue. */
    struct uuid from = {0};

    int err = find_agent(pg, b, queue, now_ms, agent_id, &from);
    if (err || !*agent_id)
        return err;
    if (!uuid_is_zero(&from))
        err = give_call(pg, &from, 0);
    return err || !b->found ? err : give_call(pg, call, *agent_id);
}

static int read_taken(struct pg *pg, int64_t id, struct agent_taken *out)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    pg_arg_i64(&a, id);
    int err = pg_run(pg, &res,
                     "SELECT id, name, extension, confirm FROM agents WHERE id = $1", &a);
    if (err)
        return err;
    if (PQntuples(res) == 0)
        return EPROTO;
    out->id = id;
    str_cut(out->name, sizeof(out->name), pg_text(res, 0, 1));
    str_cut(out->extension, sizeof(out->extension), pg_text(res, 0, 2));
    out->confirm = pg_bool(res, 0, 3);
    return 0;
}

/* An agent who is the call's already: the answer to an earlier question was lost. */
static int find_own(struct pg *pg, const struct uuid *call, int64_t *agent_id)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    pg_arg_uuid(&a, call);
    int err = pg_run(pg, &res, "SELECT id FROM agents WHERE call_id = $1 FOR UPDATE", &a);
    *agent_id = err || PQntuples(res) == 0 ? 0 : pg_i64(res, 0, 0);
    return err;
}

static int join_line(struct pg *pg, int tenant_id, const struct agent_ask *ask,
                     int64_t now_ms)
{
    struct pg_args a = {0};

    pg_arg_uuid(&a, &ask->call);
    pg_arg_i64(&a, tenant_id);
    pg_arg_text(&a, ask->queue);
    pg_arg_i64(&a, ask->priority);
    /* Whose row was tidied away while the database was not there keeps its place. */
    pg_arg_ms(&a, ask->since_ms ? ask->since_ms : now_ms);
    return pg_run(pg, NULL,
                  "INSERT INTO agent_waiters (call_id, tenant_id, queue, priority, "
                  "since, seen_at) VALUES ($1, $2, $3, $4, furrow_ts($5), "
                  "clock_timestamp()) ON CONFLICT (call_id) DO UPDATE SET seen_at = "
                  "excluded.seen_at",
                  &a);
}

/* Its place among those who wait, and how many agents there are for them. */
static int stand_in_line(struct pg *pg, int tenant_id, const struct agent_ask *ask,
                         int64_t now_ms, struct agent_taken *out, bool *turn)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    pg_arg_uuid(&a, &ask->call);
    pg_arg_ms(&a, now_ms);
    int err = join_line(pg, tenant_id, ask, now_ms);
    if (!err)
        err = pg_run(
            pg, &res,
            "SELECT (SELECT count(*) FROM agent_waiters o WHERE o.queue = w.queue AND "
            "o.seen_at > clock_timestamp() - interval '10 s' AND (o.priority > "
            "w.priority "
            "OR (o.priority = w.priority AND (o.since, o.call_id) < (w.since, "
            "w.call_id)))), (SELECT count(*) FROM agents g WHERE g.queue = w.queue AND "
            "(g.state = 'ready' OR (g.state = 'wrap_up' AND g.wrap_until <= "
            "furrow_ts($2)))), (SELECT count(*) FROM agents g WHERE g.queue = w.queue "
            "AND "
            "g.state NOT IN ('logged_out', 'paused')), coalesce((SELECT "
            "avg(g.talk_ms + 1000 * g.wrap_up_s) FROM agents g WHERE g.queue = w.queue "
            "AND g.talks > 0), 180000)::bigint FROM agent_waiters w "
            "WHERE w.call_id = $1",
            &a);
    if (err)
        return err;
    if (PQntuples(res) == 0)
        return EPROTO;
    out->waits = true;
    out->position = (int)pg_i64(res, 0, 0) + 1;
    out->logged_in = (int)pg_i64(res, 0, 2);
    out->wait_ms =
        pg_i64(res, 0, 3) * out->position / (out->logged_in > 0 ? out->logged_in : 1);
    *turn = pg_i64(res, 0, 1) >= out->position;
    return 0;
}

static int leave_line(struct pg *pg, const struct uuid *call)
{
    struct pg_args a = {0};

    pg_arg_uuid(&a, call);
    return pg_run(pg, NULL, "DELETE FROM agent_waiters WHERE call_id = $1", &a);
}

static int take(struct pg *pg, int tenant_id, const struct agent_ask *ask, int64_t now_ms,
                struct agent_taken *out)
{
    struct booked b;
    int64_t agent_id = 0;
    bool turn = true;

    int err = lock_call(pg, &ask->call, &b);
    if (!err && b.counted) /* it was given up before: no second chance, no second count */
        return ENODATA;
    if (!err)
        err = find_own(pg, &ask->call, &agent_id);
    if (!agent_id)
        b.agent_id = 0; /* they have another call by now, or none */
    if (!err && !agent_id && !b.found)
        err = stand_in_line(pg, tenant_id, ask, now_ms, out, &turn);
    if (!err && !agent_id && turn)
        err = choose(pg, &ask->call, &b, ask->queue, now_ms, &agent_id);
    if (err)
        return err;
    if (agent_id) {
        err = set_agent(pg, agent_id, &ask->call, now_ms);
        if (!err)
            err = leave_line(pg, &ask->call);
        return err ? err : read_taken(pg, agent_id, out);
    }
    out->counted = b.found;
    return b.found ? resolve(pg, tenant_id, &ask->call, &b, "abandoned", now_ms) : 0;
}

int agent_take(struct pg *pg, int tenant_id, const struct agent_ask *ask, int64_t now_ms,
               struct agent_taken *out)
{
    bool own = false;

    *out = (struct agent_taken){0};
    int err = pg_begin_own(pg, tenant_id, &own);
    if (!err)
        err = pg_end_own(pg, own, take(pg, tenant_id, ask, now_ms, out));
    return err ? err : out->id ? 0 : ENODATA;
}

/* ---- talking ---- */

static int connected(struct pg *pg, int tenant_id, const struct uuid *call, bool in_time,
                     int64_t now_ms)
{
    struct booked b;

    int err = lock_call(pg, call, &b);
    if (err || !b.found)
        return err;
    return resolve(pg, tenant_id, call, &b, in_time ? "connected" : "late", now_ms);
}

int agent_connected(struct pg *pg, int tenant_id, const struct uuid *call, bool in_time,
                    int64_t now_ms)
{
    bool own = false;
    int err = pg_begin_own(pg, tenant_id, &own);

    return err ? err
               : pg_end_own(pg, own, connected(pg, tenant_id, call, in_time, now_ms));
}

static int left(struct pg *pg, const struct uuid *call, bool lost, int64_t now_ms)
{
    struct booked b;

    int err = lock_call(pg, call, &b);
    /* Without its agent it is unbacked from now on. */
    if (!err && b.found && lost)
        err = give_call(pg, call, 0);
    else if (!err && b.found)
        err = note_over(pg, call, now_ms);
    if (!err)
        err = leave_line(pg, call);
    return err ? err : free_agent(pg, call, lost, now_ms);
}

int agent_left(struct pg *pg, int tenant_id, const struct uuid *call, bool lost,
               int64_t now_ms)
{
    bool own = false;
    int err = pg_begin_own(pg, tenant_id, &own);

    return err ? err : pg_end_own(pg, own, left(pg, call, lost, now_ms));
}

/* ---- what was left behind ---- */

/* Bookings of calls that were never sent: they would count as in flight for ever. */
static int close_withdrawn(struct pg *pg)
{
    return pg_run(pg, NULL,
                  "UPDATE agent_calls c SET result = 'withdrawn', over_at = "
                  "coalesce(c.over_at, a.ended_at) FROM attempts a WHERE a.id = "
                  "c.attempt_id AND a.state = 'withdrawn' AND c.result = ''",
                  NULL);
}

int agent_tidy(struct pg *pg, int tenant_id, int64_t now_ms, size_t *freed)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    pg_arg_ms(&a, now_ms);
    int err = pg_begin(pg, tenant_id);
    if (!err)
        err = pg_run(pg, NULL,
                     "DELETE FROM agent_waiters WHERE seen_at < clock_timestamp() - "
                     "interval '60 s'",
                     NULL);
    if (!err)
        err = close_withdrawn(pg);
    if (!err)
        err = pg_end(
            pg,
            pg_run(
                pg, &res,
                "UPDATE agents g SET state = CASE WHEN after_call <> '' THEN "
                "after_call ELSE 'ready' END, after_call = '', call_id = NULL, since = "
                "furrow_ts($1) WHERE call_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM "
                "attempts a WHERE a.id = g.call_id AND a.state IN ('intent', "
                "'released', 'ringing', 'answered')) AND NOT EXISTS (SELECT 1 FROM "
                "calls c WHERE c.id = g.call_id AND c.ended_at IS NULL)",
                &a));
    *freed = err ? 0 : (size_t)pg_affected(res);
    if (*freed > 0)
        log_warn("agent", "tenant=%d freed=%zu their calls were over", tenant_id, *freed);
    return err;
}
