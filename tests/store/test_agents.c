/*
 * Agents and the calls placed for them, on a real Postgres: reservations live and die
 * with attempts, and what is abandoned is counted by anchored periods and never above the
 * limit.
 */
#include "unit/cm.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "base/proc.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "campaigns/agent_store.h"
#include "campaigns/agent_store_book.h"
#include "campaigns/agent_store_line.h"
#include "campaigns/attempt_store.h"
#include "campaigns/campaign_store.h"
#include "store/ledger_fixture.h"
#include "store/pgtest.h"

#define FURROW BUILD_DIR "/bin/furrow"

enum { SLOT = 3, MANY = 200 };

static struct pg *pg, *other;
static int64_t addis, next_phone = 251911000000;
static int made, extensions = 2000;

static int64_t campaign(const char *mode, int contacts)
{
    char name[32], rules[300];

    snprintf(name, sizeof(name), "agents%d", ++made);
    snprintf(rules, sizeof(rules), ",\"retry\":{\"max_attempts\":1},\"mode\":%s", mode);
    int64_t id = ledger_campaign(pg, name, rules);
    for (int i = 0; i < contacts; i++)
        ledger_contact(pg, id, addis, next_phone++, 0);
    return id;
}

/* A queue of its own for each test, with so many agents who are there. */
static const char *queue_of(int agents)
{
    static char queue[32];
    struct errtext e = {0};

    snprintf(queue, sizeof(queue), "queue%d", ++made);
    for (int i = 0; i < agents; i++) {
        struct agent_row row = {0};

        snprintf(row.name, sizeof(row.name), "%s-%d", queue, i);
        snprintf(row.extension, sizeof(row.extension), "%d", ++extensions);
        snprintf(row.queue, sizeof(row.queue), "%s", queue);
        assert_int_equal(agent_add(pg, TENANT, &row, T0, &e), 0);
        assert_int_equal(agent_command(pg, TENANT, row.name, AGENT_LOGIN, T0, &row, &e),
                         0);
    }
    return queue;
}

static int64_t with_mode(const char *kind, const char *more, const char *queue, int n)
{
    char mode[200];

    snprintf(mode, sizeof(mode), "{\"kind\":\"%s\",\"queue\":\"%s\"%s}", kind, queue,
             more);
    return campaign(mode, n);
}

static size_t claim(int64_t campaign_id, int64_t at_ms, size_t max,
                    struct attempt_row *rows)
{
    struct attempt_claim_result r = {0};

    assert_int_equal(attempt_claim(pg, TENANT, campaign_id, SLOT, at_ms, max, rows, &r),
                     0);
    return r.intents;
}

static size_t release(const struct attempt_row *rows, size_t n, int64_t at_ms)
{
    struct permit *permits[MANY] = {0};
    size_t released = 0;

    assert_in_range(n, 0, MANY);
    assert_int_equal(attempt_release(pg, TENANT, rows, n, at_ms, permits), 0);
    for (size_t i = 0; i < n; i++) {
        released += permits[i] != NULL;
        permit_free(permits[i]);
    }
    return released;
}

static void move(const struct attempt_row *row, enum attempt_state to, int64_t at_ms)
{
    const struct attempt_move m = {
        .id = row->id, .to = to, .at_ms = at_ms, .disposition = DISPOSITION_NO_ANSWER};
    size_t illegal = 9;

    assert_int_equal(attempt_move(pg, TENANT, &m, 1, &illegal), 0);
    assert_int_equal(illegal, 0);
}

/* 0 or ENODATA. */
static int take(const struct uuid *call, const char *queue, int64_t now_ms,
                struct agent_taken *taken, bool *counted)
{
    const struct agent_ask ask = {.call = *call, .queue = queue, .priority = 50};

    int err = agent_take(pg, TENANT, &ask, now_ms, taken);
    *counted = taken->counted;
    return err;
}

static int count_agents(const char *queue, const char *state)
{
    return (int)ledger_i64(
        pg, "SELECT count(*) FROM agents WHERE queue = '%s' AND state = '%s'", queue,
        state);
}

static struct mode_period period(int64_t campaign_id, enum mode_anchor a, int64_t at_ms)
{
    struct agent_limits l;

    assert_int_equal(agent_limits_load(pg, TENANT, campaign_id, at_ms, &l), 0);
    return l.periods[a];
}

/* ---- agents ---- */

static void orders_change_the_state_or_say_why_not(void **state)
{
    const char *queue = queue_of(1);
    struct agent_row *all = NULL, row;
    struct errtext e = {0}, twice = {0};
    size_t n = 0;
    char name[80];

    (void)state;
    snprintf(name, sizeof(name), "%s-0", queue);
    assert_int_equal(agent_command(pg, TENANT, name, AGENT_LOGIN, T0, &row, &e), EPERM);
    assert_non_null(strstr(e.text, "is ready: login is not possible"));
    assert_int_equal(agent_command(pg, TENANT, name, AGENT_LOGOUT, T0, &row, &e), 0);
    assert_int_equal(agent_command(pg, TENANT, name, AGENT_LOGOUT, T0, &row, &twice),
                     EPERM);
    assert_non_null(strstr(twice.text,
                           "is logged_out: logout is not possible, for they are "
                           "logged out already"));
    assert_int_equal(agent_command(pg, TENANT, name, AGENT_LOGIN, T0, &row, &e), 0);
    assert_int_equal(agent_command(pg, TENANT, name, AGENT_PAUSE, T0 + 5, &row, &e), 0);
    assert_int_equal(row.state, AGENT_PAUSED);
    assert_int_equal(agent_list(pg, TENANT, queue, T0 + 9, &all, &n), 0);
    assert_int_equal(n, 1);
    assert_int_equal(all[0].state, AGENT_PAUSED);
    assert_int_equal(all[0].since_ms, T0 + 5);
    free(all);
    e = (struct errtext){0};
    assert_int_equal(agent_command(pg, TENANT, "nobody", AGENT_LOGIN, T0, &row, &e),
                     ENOENT);
    snprintf(row.name, sizeof(row.name), "another");
    e = (struct errtext){0};
    assert_int_equal(agent_add(pg, TENANT, &row, T0, &e), EEXIST);
    assert_non_null(strstr(e.text, "already"));
    e = (struct errtext){0};
    snprintf(row.extension, sizeof(row.extension), "sip:x");
    assert_int_equal(agent_add(pg, TENANT, &row, T0, &e), EINVAL);
}

static void the_command_line_moves_an_agent(void **state)
{
    (void)state;
    const char *const calls[][13] = {
        {FURROW, "agent", "add", "abeba", "--extension", "9001", "--queue", "line",
         "--wrap-up", "5"},
        {FURROW, "agent", "login", "abeba"},
        {FURROW, "agent", "pause", "abeba"},
        {FURROW, "agent", "resume", "abeba"},
        {FURROW, "agent", "list", "--queue", "line", "--json"},
    };
    for (size_t i = 0; i < ARRAY_LEN(calls); i++) {
        const struct proc p = {.argv = calls[i]};
        int status = 0;

        assert_int_equal(proc_run(&p, &status), 0);
    }
    const char *const again[] = {FURROW, "agent", "login", "abeba", NULL};
    int status = 0;
    assert_int_equal(proc_run(&(struct proc){.argv = again}, &status), ECHILD);
    assert_int_equal(WEXITSTATUS(status), 1);
    assert_true(ledger_is(pg, "ready", "SELECT state FROM agents WHERE name = 'abeba'"));
}

/* ---- progressive ---- */

static void progressive_claims_as_many_as_there_are_agents(void **state)
{
    const char *queue = queue_of(2);
    int64_t c = with_mode("progressive", "", queue, 5);
    struct attempt_row rows[5];

    (void)state;
    assert_int_equal(claim(c, T0, 5, rows), 2);
    assert_int_equal(count_agents(queue, "reserved"), 2);
    assert_int_equal(claim(c, T0, 5, rows + 2), 0);
    assert_int_equal(release(rows, 2, T0), 2);
    /* Each has an agent of its own, and the gate was told. */
    assert_int_equal(ledger_i64(pg,
                                "SELECT count(DISTINCT agent_id) FROM agent_calls WHERE "
                                "campaign_id = %" PRId64,
                                c),
                     2);
    assert_int_equal(
        ledger_i64(
            pg,
            "SELECT count(*) FROM decisions WHERE campaign_id = %" PRId64
            " AND stage = 2 AND reason = 0 AND inputs::text LIKE '%%reserved_agent%%'",
            c),
        2);
}

static void without_an_agent_nobody_is_called(void **state)
{
    const char *queue = queue_of(0);
    int64_t c = with_mode("progressive", "", queue, 3);
    struct attempt_claim_result r = {0};
    struct attempt_row rows[3];

    (void)state;
    assert_int_equal(attempt_claim(pg, TENANT, c, SLOT, T0, 3, rows, &r), 0);
    assert_int_equal(r.intents, 0);
    assert_int_equal(r.refused, 0); /* nobody is to blame, nobody is moved */
    assert_true(r.next_due_ms > T0 && r.next_due_ms <= T0 + 1000);
    assert_int_equal(ledger_i64(pg,
                                "SELECT count(*) FROM campaign_contacts WHERE "
                                "campaign_id = %" PRId64 " AND state = 'pending'",
                                c),
                     3);
}

/* An agent who was taken away behind the ledger's back: the gate says no. */
static void the_gate_refuses_a_call_whose_agent_is_gone(void **state)
{
    const char *queue = queue_of(1);
    int64_t c = with_mode("progressive", "", queue, 1);
    struct attempt_row row;

    (void)state;
    assert_int_equal(claim(c, T0, 1, &row), 1);
    ledger_run(
        pg, "UPDATE agents SET state = 'logged_out', call_id = NULL WHERE queue = '%s'",
        queue);
    assert_int_equal(release(&row, 1, T0), 0);
    assert_true(ledger_is(
        pg, "601",
        "SELECT reason FROM decisions WHERE campaign_id = %" PRId64 " AND stage = 2", c));
    assert_true(ledger_is(pg, "withdrawn",
                          "SELECT state FROM attempts WHERE campaign_id = %" PRId64, c));
}

/* As if so many had been answered before. */
static void history(int64_t c, int64_t answered, int64_t abandoned, int64_t at_ms)
{
    int64_t day = 0, month = 0;

    assert_int_equal(mode_period_of(MODE_CALENDAR_DAY, "UTC", T0, at_ms, &day), 0);
    assert_int_equal(mode_period_of(MODE_CALENDAR_MONTH, "UTC", T0, at_ms, &month), 0);
    ledger_run(pg,
               "INSERT INTO abandon_periods (tenant_id, campaign_id, anchor, period, "
               "answered, abandoned) VALUES (1, %" PRId64 ", 'campaign30d', 0, %" PRId64
               ", %" PRId64 "), (1, %" PRId64 ", 'calendar_day', %" PRId64 ", %" PRId64
               ", %" PRId64 "), (1, %" PRId64 ", 'calendar_month', %" PRId64 ", %" PRId64
               ", %" PRId64 ") ON CONFLICT (campaign_id, anchor, period) DO UPDATE SET "
               "answered = excluded.answered, abandoned = excluded.abandoned",
               c, answered, abandoned, c, day, answered, abandoned, c, month, answered,
               abandoned);
}

/* A call that the gate withdraws was never in flight: its agent is free with the same
 * commit, and the credit that one without an agent had is there again. */
static void what_the_gate_withdraws_is_booked_no_longer(void **state)
{
    const char *queue = queue_of(1);
    int64_t c =
        with_mode("ratio", ",\"ratio\":2,\"abandon_limit\":3,\"margin\":0", queue, 3);
    struct agent_limits limits;
    struct attempt_row rows[3];

    (void)state;
    history(c, 1000, 0, T0);
    assert_int_equal(claim(c, T0, 3, rows), 2);
    ledger_run(pg, "UPDATE campaigns SET state = 'paused' WHERE id = %" PRId64, c);
    assert_int_equal(release(rows, 2, T0 + 20), 0);
    assert_int_equal(count_agents(queue, "ready"), 1);
    assert_int_equal(agent_limits_load(pg, TENANT, c, T0 + 20, &limits), 0);
    assert_int_equal(limits.unbacked, 0);
    assert_int_equal(ledger_i64(pg,
                                "SELECT count(*) FROM agent_calls WHERE campaign_id = "
                                "%" PRId64 " AND result = 'withdrawn' AND over_at = "
                                "furrow_ts(%" PRId64 ")",
                                c, T0 + 20),
                     2);
    ledger_run(pg, "UPDATE campaigns SET state = 'running' WHERE id = %" PRId64, c);
    assert_int_equal(claim(c, T0 + 120000, 3, rows), 2);
}

/* Rows of a gate that left them open. */
static void what_was_withdrawn_long_ago_is_tidied_away(void **state)
{
    const char *queue = queue_of(1);
    int64_t c =
        with_mode("ratio", ",\"ratio\":3,\"abandon_limit\":3,\"margin\":0", queue, 4);
    struct agent_limits limits;
    struct attempt_row rows[3];
    size_t freed = 9;

    (void)state;
    history(c, 1000, 0, T0);
    assert_int_equal(claim(c, T0, 3, rows), 3);
    assert_int_equal(release(rows + 2, 1, T0), 1);
    for (int i = 0; i < 2; i++) {
        char id[UUID_TEXT_MAX];

        ledger_run(
            pg,
            "UPDATE attempts SET state = 'withdrawn', ended_at = furrow_ts(%" PRId64
            ") WHERE id = '%s'",
            T0 + 20, uuid_text(&rows[i].id, id));
    }
    assert_int_equal(agent_tidy(pg, TENANT, T0 + 5000, &freed), 0);
    assert_int_equal(agent_limits_load(pg, TENANT, c, T0 + 5000, &limits), 0);
    assert_int_equal(limits.unbacked, 1); /* the one that is in flight */
    assert_int_equal(ledger_i64(pg,
                                "SELECT count(*) FROM agent_calls WHERE campaign_id = "
                                "%" PRId64 " AND result = 'withdrawn' AND over_at = "
                                "furrow_ts(%" PRId64 ")",
                                c, T0 + 20),
                     2);
    assert_int_equal(count_agents(queue, "ready"), 1);
}

/* A claim's instant is taken before its locks: what ended meanwhile was over before. */
static void an_agent_is_reserved_no_sooner_than_they_were_free(void **state)
{
    const char *queue = queue_of(1);
    int64_t c = with_mode("progressive", "", queue, 2);
    struct attempt_row rows[2];

    (void)state;
    assert_int_equal(claim(c, T0, 1, rows), 1);
    assert_int_equal(release(rows, 1, T0), 1);
    move(rows, ATTEMPT_RINGING, T0 + 10);
    move(rows, ATTEMPT_ENDED, T0 + 50);
    assert_int_equal(claim(c, T0 + 40, 1, rows + 1), 1);
    assert_int_equal(ledger_i64(pg,
                                "SELECT count(*) FROM agent_calls a JOIN agent_calls b "
                                "ON b.agent_id = a.agent_id AND b.attempt_id > "
                                "a.attempt_id AND b.reserved_at < a.over_at WHERE "
                                "a.campaign_id = %" PRId64,
                                c),
                     0);
    assert_int_equal(
        ledger_i64(pg, "SELECT furrow_ms(since) FROM agents WHERE queue = '%s'", queue),
        T0 + 50);
}

static void an_agent_is_free_again_when_the_attempt_ends_however_it_ends(void **state)
{
    static const enum attempt_state ends[] = {ATTEMPT_WITHDRAWN, ATTEMPT_ENDED,
                                              ATTEMPT_UNKNOWN};
    const char *queue = queue_of(1);
    int64_t c = with_mode("progressive", "", queue, 3);

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
        struct attempt_row row;

        assert_int_equal(claim(c, T0 + (int64_t)i, 1, &row), 1);
        assert_int_equal(release(&row, 1, T0 + (int64_t)i), 1);
        if (ends[i] != ATTEMPT_WITHDRAWN)
            move(&row, ATTEMPT_RINGING, T0 + 10);
        move(&row, ends[i], T0 + 20);
        assert_int_equal(count_agents(queue, "ready"), 1);
    }
    /* What may have been answered by nobody's agent counts as abandoned. */
    struct mode_period p = period(c, MODE_CALENDAR_DAY, T0);
    assert_int_equal(p.answered, 1);
    assert_int_equal(p.abandoned, 1);
}

static void a_pause_waits_for_the_call_that_is_theirs(void **state)
{
    const char *queue = queue_of(1);
    int64_t c = with_mode("progressive", "", queue, 1);
    struct agent_row agent;
    struct errtext e = {0};
    struct attempt_row row;
    char name[80];

    (void)state;
    snprintf(name, sizeof(name), "%s-0", queue);
    assert_int_equal(claim(c, T0, 1, &row), 1);
    assert_int_equal(agent_command(pg, TENANT, name, AGENT_PAUSE, T0, &agent, &e), 0);
    assert_string_equal(agent.after_call, "paused");
    assert_int_equal(count_agents(queue, "reserved"), 1);
    assert_int_equal(agent_remove(pg, TENANT, name, &e), EBUSY);
    assert_int_equal(release(&row, 1, T0), 1);
    move(&row, ATTEMPT_RINGING, T0 + 10);
    move(&row, ATTEMPT_ENDED, T0 + 20);
    assert_int_equal(count_agents(queue, "paused"), 1);
}

static void an_answered_call_is_taken_talked_and_wrapped_up(void **state)
{
    const char *queue = queue_of(1);
    int64_t c = with_mode("progressive", "", queue, 1);
    struct agent_taken taken;
    struct attempt_row row;
    bool counted = true;

    (void)state;
    ledger_run(pg, "UPDATE agents SET wrap_up_s = 15 WHERE queue = '%s'", queue);
    assert_int_equal(claim(c, T0, 1, &row), 1);
    assert_int_equal(release(&row, 1, T0), 1);
    move(&row, ATTEMPT_RINGING, T0 + 100);
    move(&row, ATTEMPT_ANSWERED, T0 + 9000);
    assert_int_equal(take(&row.id, queue, T0 + 9100, &taken, &counted), 0);
    assert_false(counted);
    assert_int_equal(count_agents(queue, "on_call"), 1);
    assert_int_equal(period(c, MODE_CALENDAR_DAY, T0).answered, 0);
    assert_int_equal(agent_connected(pg, TENANT, &row.id, true, T0 + 9500), 0);
    assert_int_equal(agent_connected(pg, TENANT, &row.id, true, T0 + 9600),
                     0); /* again */
    for (int a = 0; a < MODE_ANCHORS; a++) {
        struct mode_period p = period(c, (enum mode_anchor)a, T0 + 9500);
        assert_int_equal(p.answered, 1);
        assert_int_equal(p.abandoned, 0);
    }
    assert_int_equal(agent_left(pg, TENANT, &row.id, false, T0 + 60000), 0);
    assert_int_equal(count_agents(queue, "wrap_up"), 1);
    move(&row, ATTEMPT_ENDED, T0 + 60100);
    struct agent_row *all = NULL;
    size_t n = 0;
    assert_int_equal(agent_list(pg, TENANT, queue, T0 + 74999, &all, &n), 0);
    assert_int_equal(all[0].state, AGENT_WRAP_UP);
    free(all);
    assert_int_equal(agent_list(pg, TENANT, queue, T0 + 75000, &all, &n), 0);
    assert_int_equal(all[0].state, AGENT_READY);
    free(all);
}

/* However it came about: what is said to be theirs is theirs only if they say so too. */
static void an_agent_with_another_call_is_not_taken_from_it(void **state)
{
    const char *queue = queue_of(2);
    int64_t c = with_mode("progressive", "", queue, 2);
    struct agent_taken taken;
    struct attempt_row rows[2];
    bool counted = false;

    (void)state;
    assert_int_equal(claim(c, T0, 2, rows), 2);
    assert_int_equal(release(rows, 2, T0), 2);
    for (int i = 0; i < 2; i++) {
        move(&rows[i], ATTEMPT_RINGING, T0 + 100);
        move(&rows[i], ATTEMPT_ANSWERED, T0 + 9000);
    }
    ledger_run(pg,
               "UPDATE agents SET state = 'on_call', call_id = gen_random_uuid() WHERE "
               "name = '%s-0'",
               queue);
    ledger_run(pg,
               "UPDATE agents SET state = 'ready', call_id = NULL WHERE name = '%s-1'",
               queue);
    /* One of the two finds the free agent, the other nobody. */
    assert_int_equal(take(&rows[0].id, queue, T0 + 9100, &taken, &counted), 0);
    assert_true(
        ledger_is(pg, taken.name, "SELECT name FROM agents WHERE name = '%s-1'", queue));
    assert_int_equal(take(&rows[1].id, queue, T0 + 9200, &taken, &counted), ENODATA);
    assert_true(counted);
    assert_int_equal(ledger_i64(pg,
                                "SELECT count(*) FROM agents g JOIN agent_calls c ON "
                                "c.attempt_id = g.call_id AND c.agent_id = g.id WHERE "
                                "g.queue = '%s'",
                                queue),
                     1);
    assert_int_equal(count_agents(queue, "on_call"), 2);
    ledger_run(pg, "UPDATE agents SET state = 'ready', call_id = NULL WHERE queue = '%s'",
               queue);
}

static void too_late_counts_as_abandoned(void **state)
{
    const char *queue = queue_of(1);
    int64_t c = with_mode("progressive", "", queue, 1);
    struct agent_taken taken;
    struct attempt_row row;
    bool counted;

    (void)state;
    assert_int_equal(claim(c, T0, 1, &row), 1);
    assert_int_equal(release(&row, 1, T0), 1);
    move(&row, ATTEMPT_RINGING, T0 + 100);
    move(&row, ATTEMPT_ANSWERED, T0 + 9000);
    assert_int_equal(take(&row.id, queue, T0 + 9100, &taken, &counted), 0);
    assert_int_equal(agent_connected(pg, TENANT, &row.id, false, T0 + 12000), 0);
    struct mode_period p = period(c, MODE_CAMPAIGN_30D, T0);
    assert_int_equal(p.answered, 1);
    assert_int_equal(p.abandoned, 1);
}

static void an_agent_who_does_not_answer_is_paused_and_the_call_is_lost(void **state)
{
    const char *queue = queue_of(1);
    int64_t c = with_mode("progressive", "", queue, 1);
    struct agent_taken taken;
    struct attempt_row row;
    bool counted = false;

    (void)state;
    assert_int_equal(claim(c, T0, 1, &row), 1);
    assert_int_equal(release(&row, 1, T0), 1);
    move(&row, ATTEMPT_RINGING, T0 + 100);
    move(&row, ATTEMPT_ANSWERED, T0 + 9000);
    assert_int_equal(take(&row.id, queue, T0 + 9100, &taken, &counted), 0);
    assert_int_equal(agent_left(pg, TENANT, &row.id, true, T0 + 15000), 0);
    assert_true(ledger_is(
        pg, "did not answer the phone",
        "SELECT note FROM agents WHERE queue = '%s' AND state = 'paused'", queue));
    assert_int_equal(take(&row.id, queue, T0 + 15100, &taken, &counted), ENODATA);
    assert_true(counted);
    assert_int_equal(take(&row.id, queue, T0 + 15200, &taken, &counted), ENODATA);
    assert_false(counted); /* once */
    move(&row, ATTEMPT_ENDED, T0 + 16000);
    assert_int_equal(period(c, MODE_CALENDAR_DAY, T0).abandoned, 1);
}

/* The law's abandoned call is one that a person answered. */
static void a_machine_counts_neither_as_answered_nor_as_abandoned(void **state)
{
    const char *queue = queue_of(3);
    int64_t c = with_mode("progressive", "", queue, 3);
    struct agent_taken taken;
    struct attempt_row rows[3];
    bool counted;

    (void)state;
    assert_int_equal(claim(c, T0, 3, rows), 3);
    assert_int_equal(release(rows, 3, T0), 3);
    for (int i = 0; i < 3; i++) {
        move(&rows[i], ATTEMPT_RINGING, T0 + 100);
        move(&rows[i], ATTEMPT_ANSWERED, T0 + 9000);
    }
    /* Hung up on, or left a message: its agent is free before the call is over. */
    assert_int_equal(agent_call_machine(pg, TENANT, &rows[0].id, false, T0 + 9500), 0);
    assert_int_equal(count_agents(queue, "ready"), 1);
    move(&rows[0], ATTEMPT_ENDED, T0 + 12000);
    /* Treated as a person, and put through. */
    assert_int_equal(agent_call_machine(pg, TENANT, &rows[1].id, true, T0 + 9500), 0);
    assert_int_equal(take(&rows[1].id, queue, T0 + 9600, &taken, &counted), 0);
    assert_int_equal(agent_connected(pg, TENANT, &rows[1].id, true, T0 + 9700), 0);
    move(&rows[1], ATTEMPT_ENDED, T0 + 12000);
    for (int a = 0; a < MODE_ANCHORS; a++) {
        struct mode_period p = period(c, (enum mode_anchor)a, T0 + 12000);
        assert_int_equal(p.answered, 0);
        assert_int_equal(p.abandoned, 0);
    }
    assert_int_equal(ledger_i64(pg,
                                "SELECT count(*) FROM agent_calls WHERE campaign_id = "
                                "%" PRId64 " AND result = 'machine'",
                                c),
                     2);
    /* Of whom it was not heard is a person. */
    move(&rows[2], ATTEMPT_ENDED, T0 + 12000);
    assert_int_equal(period(c, MODE_CALENDAR_DAY, T0).abandoned, 1);
    assert_int_equal(agent_call_machine(pg, TENANT, &rows[2].id, false, T0 + 12500), 0);
    assert_int_equal(period(c, MODE_CALENDAR_DAY, T0).abandoned, 1); /* too late */
    assert_int_equal(count_agents(queue, "ready"), 3);
}

static void a_call_in_finds_an_agent_and_a_dead_dialer_frees_them(void **state)
{
    const char *queue = queue_of(1);
    struct uuid call = uuid_v7(T0), second = uuid_v7(T0 + 1);
    struct agent_taken taken;
    size_t freed = 9;
    bool counted;

    (void)state;
    assert_int_equal(take(&second, "empty", T0, &taken, &counted), ENODATA);
    assert_true(taken.waits);
    assert_int_equal(taken.logged_in, 0);
    assert_int_equal(take(&call, queue, T0, &taken, &counted), 0);
    int64_t whose = taken.id;
    assert_int_equal(take(&call, queue, T0 + 1, &taken, &counted), 0);
    assert_int_equal(taken.id, whose); /* the answer was lost, the agent is not */
    assert_false(counted);
    assert_int_equal(count_agents(queue, "on_call"), 1);
    /* No such call is open: its dialer died. */
    assert_int_equal(agent_tidy(pg, TENANT, T0 + 5000, &freed), 0);
    assert_int_equal(freed, 1);
    assert_int_equal(count_agents(queue, "ready"), 1);
}

/* Who waits comes before who came later, and before any new call of a campaign. */
static void a_queue_has_an_order(void **state)
{
    const char *queue = queue_of(0);
    int64_t c = with_mode("progressive", "", queue, 2);
    struct uuid calls[3];
    struct agent_taken taken;
    struct attempt_row row;
    bool counted;

    (void)state;
    ledger_run(pg,
               "INSERT INTO agents (tenant_id, name, extension, queue, state, since, "
               "created_at) VALUES (1, '%s', '77%d', '%s', 'paused', now(), now())",
               queue, made, queue);
    for (int i = 0; i < 3; i++) {
        const struct agent_ask ask = {.call = calls[i] = uuid_v7(T0 + i),
                                      .queue = queue,
                                      .priority = i == 2 ? 90 : 50};
        assert_int_equal(agent_take(pg, TENANT, &ask, T0 + i, &taken), ENODATA);
        assert_int_equal(taken.position, i == 2 ? 1 : i + 1);
        assert_int_equal(taken.wait_ms, 180000 * taken.position); /* a guess */
    }
    /* The database was away for so long that their rows were tidied away: the first who
     * asks again is not the first. */
    ledger_run(pg, "DELETE FROM agent_waiters WHERE queue = '%s'", queue);
    for (int i = 2; i >= 0; i--) {
        const struct agent_ask ask = {.call = calls[i],
                                      .queue = queue,
                                      .priority = i == 2 ? 90 : 50,
                                      .since_ms = T0 + i};
        assert_int_equal(agent_take(pg, TENANT, &ask, T0 + 90000 - i, &taken), ENODATA);
    }
    assert_int_equal(taken.position, 2);
    ledger_run(pg, "UPDATE agents SET state = 'ready' WHERE queue = '%s'", queue);
    assert_int_equal(claim(c, T0 + 10, 2, &row), 0);
    assert_int_equal(take(&calls[1], queue, T0 + 10, &taken, &counted), ENODATA);
    assert_int_equal(taken.position, 3);
    assert_int_equal(take(&calls[2], queue, T0 + 10, &taken, &counted), 0);
    assert_int_equal(agent_left(pg, TENANT, &calls[2], false, T0 + 60010), 0);
    assert_int_equal(agent_left(pg, TENANT, &calls[0], false, T0 + 60020),
                     0); /* hung up */
    assert_int_equal(take(&calls[1], queue, T0 + 60030, &taken, &counted), 0);
    /* Who comes now waits as long as the first one had the agent, and a wrap-up. */
    ledger_run(pg, "UPDATE agents SET wrap_up_s = 30 WHERE queue = '%s'", queue);
    calls[0] = uuid_v7(T0 + 60040);
    assert_int_equal(take(&calls[0], queue, T0 + 60040, &taken, &counted), ENODATA);
    assert_int_equal(taken.wait_ms, 90000);
    assert_int_equal(agent_left(pg, TENANT, &calls[0], false, T0 + 60050), 0);
    /* The second one had it two minutes: the mean of both. */
    assert_int_equal(agent_left(pg, TENANT, &calls[1], false, T0 + 180030), 0);
    assert_int_equal(
        ledger_i64(pg, "SELECT talk_ms FROM agents WHERE queue = '%s'", queue), 90000);
    ledger_run(pg,
               "UPDATE agents SET wrap_up_s = 0, state = 'ready', wrap_until = NULL "
               "WHERE queue = '%s'",
               queue);
    assert_int_equal(claim(c, T0 + 180050, 2, &row), 1);
}

/* A line is one dialer's at a time; nobody is called for an agent whose line is down. */
static void an_open_line_has_one_dialer_and_is_a_login(void **state)
{
    static const char held[] =
        "INSERT INTO node_slots (kind, slot, holder, host, pid, lease_until) VALUES "
        "('dialer', %d, gen_random_uuid(), 'x', 1, clock_timestamp() + interval '%d s')";
    const char *queue = queue_of(1);
    CLEANUP(free_cleanup) struct agent_line *lines = NULL;
    struct agent_row row;
    struct errtext e = {0};
    char name[AGENT_NAME_MAX];
    size_t n = 0;

    (void)state;
    snprintf(name, sizeof(name), "%s-0", queue);
    assert_int_equal(agent_command(pg, TENANT, name, AGENT_LOGOUT, T0, &row, &e), 0);
    assert_int_equal(agent_login_line(pg, TENANT, name, T0, &row, &e), 0);
    assert_int_equal(count_agents(queue, "paused"), 1);
    ledger_run(pg, held, 7, 60);
    ledger_run(pg, held, 8, 60);
    assert_int_equal(agent_lines(pg, TENANT, 7, &lines, &n), 0); /* claims it */
    assert_int_equal(n, 0);
    assert_int_equal(agent_lines(pg, TENANT, 8, &lines, &n), 0);
    assert_int_equal(agent_lines(pg, TENANT, 8, &lines, &n), 0);
    assert_int_equal(n, 0);
    assert_int_equal(agent_lines(pg, TENANT, 7, &lines, &n), 0);
    assert_int_equal(n, 1);
    assert_string_equal(lines[0].name, name);
    assert_int_equal(agent_line_up(pg, TENANT, &lines[0].line, T0 + 1), 0);
    assert_int_equal(count_agents(queue, "ready"), 1);
    /* Its dialer dies: the other one takes it over and rings it anew. */
    ledger_run(pg, "DELETE FROM node_slots WHERE slot = 7");
    assert_int_equal(agent_lines(pg, TENANT, 8, &lines, &n), 0);
    assert_int_equal(agent_lines(pg, TENANT, 8, &lines, &n), 0);
    assert_int_equal(n, 2);
    assert_int_equal(agent_line_rings(pg, TENANT, &lines[1].line, T0 + 2), 0);
    assert_int_equal(count_agents(queue, "paused"), 1);
    assert_int_equal(agent_line_up(pg, TENANT, &lines[1].line, T0 + 3), 0);
    /* A pause of their own is not ended by a line, and hanging up is a logout. */
    assert_int_equal(agent_command(pg, TENANT, name, AGENT_PAUSE, T0, &row, &e), 0);
    assert_int_equal(agent_line_up(pg, TENANT, &lines[1].line, T0 + 4), 0);
    assert_int_equal(count_agents(queue, "paused"), 1);
    assert_int_equal(
        agent_line_lost(pg, TENANT, &lines[1].line, AGENT_LINE_HUNG_UP, T0 + 5), 0);
    assert_int_equal(count_agents(queue, "logged_out"), 1);
    ledger_run(pg, "DELETE FROM node_slots WHERE slot = 8");
}

/* ---- credit ---- */

static void calls_without_an_agent_stay_within_the_credit(void **state)
{
    const char *queue = queue_of(2);
    int64_t c =
        with_mode("ratio", ",\"ratio\":8,\"abandon_limit\":3,\"margin\":0", queue, 20);
    struct attempt_row rows[20];

    (void)state;
    assert_int_equal(claim(c, T0, 20, rows), 2); /* at the start one to one */
    for (int i = 0; i < 2; i++)
        move(&rows[i], ATTEMPT_WITHDRAWN, T0);
    history(c, 166, 0, T0); /* k = 498 / 97 = 5 */
    assert_int_equal(claim(c, T0, 20, rows), 2 + 5);
    assert_int_equal(release(rows, 7, T0), 7);
    assert_int_equal(claim(c, T0, 20, rows + 7), 0);
    /* All seven answer at once: the two agents go to whoever comes first. */
    for (int i = 0; i < 7; i++) {
        struct agent_taken taken;
        bool counted = false;
        struct mode_period p;

        move(&rows[6 - i], ATTEMPT_RINGING, T0 + 100);
        move(&rows[6 - i], ATTEMPT_ANSWERED, T0 + 5000);
        int err = take(&rows[6 - i].id, queue, T0 + 5100, &taken, &counted);
        assert_int_equal(err, i < 2 ? 0 : ENODATA);
        assert_int_equal(counted, i >= 2);
        if (i < 2)
            assert_int_equal(
                agent_connected(pg, TENANT, &rows[6 - i].id, true, T0 + 5200), 0);
        p = period(c, MODE_CALENDAR_DAY, T0);
        assert_true(p.abandoned * 100 <= 3 * p.answered);
    }
    assert_int_equal(period(c, MODE_CALENDAR_DAY, T0).abandoned, 5);
    assert_int_equal(claim(c, T0 + 6000, 20, rows), 0);
}

static void no_credit_is_used_where_a_period_ends(void **state)
{
    /* 2026-11-24 23:59:30 UTC is 02:59 in Addis Ababa: asked of the booking alone. */
    const int64_t late = T0 + 16 * INT64_C(3600) * 1000 - 30000;
    const char *queue = queue_of(1);
    int64_t c = with_mode("ratio", ",\"ratio\":9", queue, 0);
    const struct campaign_doc *doc = NULL;
    struct agent_booking b = {0};

    (void)state;
    history(c, 5000, 0, T0);
    for (int i = 0; i < 2; i++) {
        memset(&b, 0, sizeof(b));
        assert_int_equal(pg_begin(pg, TENANT), 0);
        assert_int_equal(campaign_doc_get(pg, TENANT, c, &doc), 0);
        assert_int_equal(agent_book(pg, TENANT, c, doc, 50, i ? late : T0, &b), 0);
        pg_rollback(pg);
        assert_int_equal(b.room.backed, 1);
        assert_int_equal(b.room.unbacked, i ? 0 : 8);
    }
}

/* Somebody who was abandoned once keeps the agent who is reserved for them. */
static void who_was_abandoned_keeps_the_agent_next_time(void **state)
{
    const char *queue = queue_of(1);
    int64_t c =
        with_mode("ratio", ",\"ratio\":2,\"abandon_limit\":3,\"margin\":0", queue, 2);
    struct attempt_row rows[2];
    struct agent_taken taken;
    bool counted;

    (void)state;
    history(c, 1000, 0, T0);
    assert_int_equal(claim(c, T0, 2, rows), 2);
    ledger_run(pg,
               "UPDATE agent_calls SET kept = agent_id IS NOT NULL WHERE campaign_id = "
               "%" PRId64,
               c);
    assert_int_equal(release(rows, 2, T0), 2);
    int unbacked = ledger_i64(pg,
                              "SELECT count(*) FROM agent_calls WHERE campaign_id = "
                              "%" PRId64 " AND agent_id IS NULL AND attempt_id = (SELECT "
                              "max(attempt_id::text)::uuid FROM agent_calls WHERE "
                              "campaign_id = %" PRId64 ")",
                              c, c) == 1;
    move(&rows[unbacked], ATTEMPT_RINGING, T0 + 100);
    move(&rows[unbacked], ATTEMPT_ANSWERED, T0 + 5000);
    assert_int_equal(take(&rows[unbacked].id, queue, T0 + 5100, &taken, &counted),
                     ENODATA);
    assert_int_equal(count_agents(queue, "reserved"), 1);
}

static void assert_lawful(int64_t c, int64_t now)
{
    for (int a = 0; a < MODE_ANCHORS; a++) {
        struct mode_period p = period(c, (enum mode_anchor)a, now);

        assert_true(p.abandoned * 100 <= 3 * p.answered);
    }
}

/* As if of the last 60 calls 6 had been answered. */
static void few_answer(int64_t c)
{
    ledger_run(pg,
               "INSERT INTO agent_campaigns (campaign_id, tenant_id, anchored_at) VALUES "
               "(%" PRId64 ", 1, furrow_ts(%" PRId64 "))",
               c, T0);
    ledger_run(
        pg,
        "INSERT INTO agent_calls (attempt_id, tenant_id, campaign_id, reserved_at, "
        "answered_at, over_at, result) SELECT ('00000000-0000-7000-8000-' || "
        "lpad((%" PRId64 " * 1000 + i)::text, 12, '0'))::uuid, 1, %" PRId64
        ", furrow_ts(%" PRId64 "), CASE WHEN i <= 6 THEN furrow_ts(%" PRId64
        ") END, furrow_ts(%" PRId64 "), CASE WHEN i <= 6 THEN 'connected' ELSE "
        "'unanswered' END FROM generate_series(1, 60) i",
        c, c, T0 - 60000, T0 - 50000, T0 - 40000);
}

/* Two dialers at once, an adversary who answers everything: looked at after each move. */
static void two_dialers_and_an_adversary_stay_within_the_limit(void **state)
{
    const char *queue = queue_of(3);
    int64_t c = with_mode("predictive", ",\"abandon_limit\":3,\"margin\":0", queue, 40);
    struct attempt_row rows[MANY];
    size_t in_flight = 0, unbacked_seen = 0;
    uint64_t seed = 42;

    (void)state;
    history(c, 200, 0, T0);
    few_answer(c);
    for (int turn = 0; turn < 4; turn++) {
        struct attempt_claim_result r[2] = {0};
        struct pg *dialers[] = {pg, other};
        const int64_t now = T0 + (int64_t)turn * 60000;

        for (int d = 0; d < 2; d++) {
            struct permit *permits[8] = {0};

            assert_int_equal(attempt_claim(dialers[d], TENANT, c, SLOT + d, now, 8,
                                           rows + in_flight, &r[d]),
                             0);
            assert_int_equal(attempt_release(dialers[d], TENANT, rows + in_flight,
                                             r[d].intents, now, permits),
                             0);
            for (size_t i = 0; i < r[d].intents; i++) {
                assert_non_null(permits[i]);
                permit_free(permits[i]);
                move(&rows[in_flight], ATTEMPT_RINGING, now);
                in_flight++;
            }
        }
        /* All of them answer, in any order, before anybody has done with talking. */
        for (size_t n = in_flight; n > 0; n--) {
            struct agent_taken taken;
            bool counted = false;

            seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407U;
            size_t i = (size_t)(seed >> 33) % n;
            struct attempt_row row = rows[i];
            rows[i] = rows[n - 1];
            rows[n - 1] = row;
            move(&row, ATTEMPT_ANSWERED, now + 4000);
            int err = take(&row.id, queue, now + 4100, &taken, &counted);
            unbacked_seen += counted;
            assert_int_equal(err == ENODATA, counted);
            if (!err)
                assert_int_equal(agent_connected(pg, TENANT, &row.id, true, now + 4200),
                                 0);
            assert_lawful(c, now);
        }
        while (in_flight > 0)
            move(&rows[--in_flight], ATTEMPT_ENDED, now + 9000);
    }
    assert_int_equal(count_agents(queue, "ready"), 3);
    /* Credit was used, and what it was used for was abandoned. */
    assert_true(unbacked_seen > 0);
    assert_int_equal(period(c, MODE_CAMPAIGN_30D, T0).abandoned, unbacked_seen);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(orders_change_the_state_or_say_why_not),
        cmocka_unit_test(the_command_line_moves_an_agent),
        cmocka_unit_test(progressive_claims_as_many_as_there_are_agents),
        cmocka_unit_test(without_an_agent_nobody_is_called),
        cmocka_unit_test(the_gate_refuses_a_call_whose_agent_is_gone),
        cmocka_unit_test(what_the_gate_withdraws_is_booked_no_longer),
        cmocka_unit_test(what_was_withdrawn_long_ago_is_tidied_away),
        cmocka_unit_test(an_agent_is_reserved_no_sooner_than_they_were_free),
        cmocka_unit_test(an_agent_is_free_again_when_the_attempt_ends_however_it_ends),
        cmocka_unit_test(a_pause_waits_for_the_call_that_is_theirs),
        cmocka_unit_test(an_answered_call_is_taken_talked_and_wrapped_up),
        cmocka_unit_test(an_agent_with_another_call_is_not_taken_from_it),
        cmocka_unit_test(too_late_counts_as_abandoned),
        cmocka_unit_test(an_agent_who_does_not_answer_is_paused_and_the_call_is_lost),
        cmocka_unit_test(a_machine_counts_neither_as_answered_nor_as_abandoned),
        cmocka_unit_test(a_call_in_finds_an_agent_and_a_dead_dialer_frees_them),
        cmocka_unit_test(a_queue_has_an_order),
        cmocka_unit_test(an_open_line_has_one_dialer_and_is_a_login),
        cmocka_unit_test(calls_without_an_agent_stay_within_the_credit),
        cmocka_unit_test(no_credit_is_used_where_a_period_ends),
        cmocka_unit_test(who_was_abandoned_keeps_the_agent_next_time),
        cmocka_unit_test(two_dialers_and_an_adversary_stay_within_the_limit),
    };

    pgtest_start(PGTEST_POSTGRES);
    pg = pgtest_open();
    other = pgtest_open();
    ledger_fixture_start(pg);
    addis = ledger_zone(pg, "ET", "Africa/Addis_Ababa");
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    pg_close(pg);
    pg_close(other);
    return failed;
}
