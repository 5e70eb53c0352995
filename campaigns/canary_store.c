#include "campaigns/canary_store.h"

#include <errno.h>
#include <stdio.h>

#include "base/log.h"
#include "base/pg.h"
#include "base/str.h"
#include "campaigns/campaign_event_store.h"
#include "campaigns/campaign_store.h"

static const char *const state_names[CANARY_STATES] = {"", "trial", "passed", "failed",
                                                       "overruled"};

const char *canary_state_name(enum canary_state s)
{
    return state_names[s];
}

static enum canary_state state_of(const char *name)
{
    for (int i = 1; i < CANARY_STATES; i++)
        if (str_is(name, state_names[i]))
            return (enum canary_state)i;
    return CANARY_FAILED; /* of another build: nothing goes out */
}

#define READ_ROW                                                                         \
    "SELECT state, furrow_ms(judged_at), verdict, furrow_ms(from_at) FROM "              \
    "campaign_canaries WHERE campaign_id = $1"

static int read_row(struct pg *pg, int64_t campaign_id, bool lock, struct canary_row *out,
                    int64_t *from_ms)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    *out = (struct canary_row){0};
    pg_arg_i64(&a, campaign_id);
    int err = pg_run(pg, &res, lock ? READ_ROW " FOR UPDATE" : READ_ROW, &a);
    if (err || PQntuples(res) == 0)
        return err;
    out->state = state_of(pg_text(res, 0, 0));
    out->judged_at_ms = pg_i64(res, 0, 1);
    str_cut(out->verdict, sizeof(out->verdict), pg_text(res, 0, 2));
    *from_ms = pg_i64(res, 0, 3);
    return 0;
}

static int begin_trial(struct pg *pg, int64_t campaign_id, int64_t now_ms)
{
    struct pg_args a = {0};

    pg_arg_i64(&a, campaign_id);
    pg_arg_ms(&a, now_ms);
    return pg_run(
        pg, NULL,
        "INSERT INTO campaign_canaries (tenant_id, campaign_id, from_at) VALUES "
        "(furrow_tenant(), $1, furrow_ts($2)) ON CONFLICT DO NOTHING",
        &a);
}

/* What was withdrawn never went out. Ids of attempts hold their time: those of before are
 * not read. */
static int count_calls(struct pg *pg, int64_t campaign_id, int64_t from_ms,
                       struct canary_count *out)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    pg_arg_i64(&a, campaign_id);
    pg_arg_ms(&a, from_ms);
    int err = pg_run(
        pg, &res,
        "SELECT count(*), count(*) FILTER (WHERE a.state NOT IN ('ended', 'unknown') OR "
        "(c.id IS NOT NULL AND c.ended_at IS NULL)), count(*) FILTER (WHERE "
        "a.disposition = 'completed'), count(*) FILTER (WHERE "
        "a.state = 'unknown' OR a.disposition IN ('bad_number', 'unreachable', "
        "'congestion', 'config', 'failed')), count(*) FILTER (WHERE a.disposition = "
        "'completed' AND a.ended_at < a.answered_at + interval '6 seconds'), count(*) "
        "FILTER (WHERE a.disposition = 'completed' AND c.outcome = 'failed') FROM "
        "attempts a LEFT JOIN calls c ON c.id = a.id WHERE a.campaign_id = $1 AND a.id "
        ">= furrow_uuid_floor(furrow_ts($2)) AND a.state <> 'withdrawn'",
        &a);
    if (!err)
        *out = (struct canary_count){.placed = pg_i64(res, 0, 0),
                                     .open = pg_i64(res, 0, 1),
                                     .answered = pg_i64(res, 0, 2),
                                     .failed = pg_i64(res, 0, 3),
                                     .shorts = pg_i64(res, 0, 4),
                                     .faults = pg_i64(res, 0, 5)};
    return err;
}
_Static_assert(CANARY_SHORT_S == 6, "stands in the statement above");

/* The row is locked before the calls are counted, by a statement that sees what was
 * committed before. */
static int lock_trial(struct pg *pg, int64_t campaign_id, struct canary_row *row)
{
    int64_t from_ms = 0;

    int err = read_row(pg, campaign_id, true, row, &from_ms);
    if (!err && row->state == CANARY_TRIAL)
        err = count_calls(pg, campaign_id, from_ms, &row->count);
    return err;
}

int canary_take(struct pg *pg, int64_t campaign_id, const struct canary_rule *rule,
                int64_t now_ms, int64_t *room)
{
    struct canary_row row;
    int64_t from_ms = 0;

    *room = INT64_MAX;
    if (rule->calls == 0)
        return 0;
    int err = read_row(pg, campaign_id, false, &row, &from_ms);
    if (err || row.state == CANARY_PASSED || row.state == CANARY_OVERRULED)
        return err;
    if (row.state == CANARY_NOT_BEGUN)
        err = begin_trial(pg, campaign_id, now_ms);
    if (!err)
        err = lock_trial(pg, campaign_id, &row);
    if (err)
        return err;
    if (row.state == CANARY_PASSED || row.state == CANARY_OVERRULED)
        return 0;
    *room = row.state == CANARY_TRIAL ? canary_room(rule, &row.count) : 0;
    return 0;
}

/* ---- the judgement ---- */

static int write_verdict(struct pg *pg, int64_t campaign_id, enum canary_state state,
                         const char *verdict, int64_t now_ms)
{
    struct pg_args a = {0};

    pg_arg_i64(&a, campaign_id);
    pg_arg_text(&a, state_names[state]);
    pg_arg_text(&a, verdict);
    pg_arg_ms(&a, now_ms);
    return pg_run(pg, NULL,
                  "UPDATE campaign_canaries SET state = $2, verdict = $3, judged_at = "
                  "furrow_ts($4) WHERE campaign_id = $1",
                  &a);
}

static int pass(struct pg *pg, int64_t campaign_id, const char *why, int64_t now_ms)
{
    char text[CAMPAIGN_EVENT_TEXT_MAX];

    int err = write_verdict(pg, campaign_id, CANARY_PASSED, why, now_ms);
    snprintf(text, sizeof(text), "the canary passed: %s", why);
    if (!err)
        err = campaign_event_add(pg, campaign_id, now_ms, text);
    if (!err)
        log_info("campaign", "id=%lld canary=passed %s", (long long)campaign_id, why);
    return err;
}

static int fail(struct pg *pg, int tenant_id, int64_t campaign_id, const char *why,
                int64_t now_ms)
{
    char text[CAMPAIGN_EVENT_TEXT_MAX];

    int err = write_verdict(pg, campaign_id, CANARY_FAILED, why, now_ms);
    snprintf(text, sizeof(text), "the canary failed: %s; 'resume' goes on all the same",
             why);
    if (!err)
        err = campaign_command(pg, tenant_id, campaign_id, CAMPAIGN_PAUSE, text, now_ms,
                               NULL, NULL);
    snprintf(text, sizeof(text), "the canary failed, the campaign was paused: %s", why);
    if (!err)
        err = campaign_event_add(pg, campaign_id, now_ms, text);
    if (!err)
        log_warn("campaign", "id=%lld canary=failed paused: %s", (long long)campaign_id,
                 why);
    return err;
}

/* The campaign before its canary, as who changes a campaign takes them. */
static int judge(struct pg *pg, int tenant_id, int64_t campaign_id,
                 const struct canary_rule *rule, int64_t now_ms)
{
    struct canary_row row;
    char why[CANARY_WHY_MAX];
    int64_t from_ms = 0;
    bool running = false;

    int err = read_row(pg, campaign_id, false, &row, &from_ms);
    if (err || row.state != CANARY_TRIAL)
        return err;
    err = campaign_lock_running(pg, campaign_id, &running);
    if (err || !running)
        return err;
    err = lock_trial(pg, campaign_id, &row);
    if (err || row.state != CANARY_TRIAL)
        return err;
    switch (canary_judge(rule, &row.count, why)) {
    case CANARY_WAIT:
        return 0;
    case CANARY_GOOD:
        return pass(pg, campaign_id, why, now_ms);
    case CANARY_BAD:
        return fail(pg, tenant_id, campaign_id, why, now_ms);
    }
    return 0;
}

int canary_check(struct pg *pg, int tenant_id, int64_t campaign_id,
                 const struct canary_rule *rule, int64_t now_ms)
{
    bool own = false;

    if (rule->calls == 0)
        return 0;
    int err = pg_begin_own(pg, tenant_id, &own);
    return err ? err
               : pg_end_own(pg, own, judge(pg, tenant_id, campaign_id, rule, now_ms));
}

/* ---- people's word ---- */

int canary_forget(struct pg *pg, int64_t campaign_id)
{
    struct pg_args a = {0};

    pg_arg_i64(&a, campaign_id);
    return pg_run(pg, NULL, "DELETE FROM campaign_canaries WHERE campaign_id = $1", &a);
}

int canary_overrule(struct pg *pg, int64_t campaign_id, int64_t now_ms)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    pg_arg_i64(&a, campaign_id);
    int err = pg_run(pg, &res,
                     "UPDATE campaign_canaries SET state = 'overruled' WHERE campaign_id "
                     "= $1 AND state = 'failed'",
                     &a);
    if (err || pg_affected(res) == 0)
        return err;
    return campaign_event_add(pg, campaign_id, now_ms,
                              "resumed although the canary had failed");
}

int canary_again(struct pg *pg, int64_t campaign_id)
{
    struct pg_args a = {0};

    pg_arg_i64(&a, campaign_id);
    return pg_run(pg, NULL,
                  "DELETE FROM campaign_canaries WHERE campaign_id = $1 AND state = "
                  "'failed'",
                  &a);
}

static int load(struct pg *pg, int64_t campaign_id, struct canary_row *out)
{
    int64_t from_ms = 0;

    int err = read_row(pg, campaign_id, false, out, &from_ms);
    if (!err && out->state == CANARY_TRIAL)
        err = count_calls(pg, campaign_id, from_ms, &out->count);
    return err;
}

int canary_load(struct pg *pg, int tenant_id, int64_t campaign_id, struct canary_row *out)
{
    bool own = false;

    *out = (struct canary_row){0};
    int err = pg_begin_own(pg, tenant_id, &own);
    return err ? err : pg_end_own(pg, own, load(pg, campaign_id, out));
}
