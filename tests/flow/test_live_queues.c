/* Live calls in a queue: agents, music, places. */
#include "unit/cm.h"

#include <stdio.h>
#include <string.h>

#include "flow/live_phone.h"

#define QUEUE                                                                            \
    HEAD                                                                                 \
        "'entry': 'q', 'nodes': {'q': {'kind': 'queue', 'queue': 'help', 'max_wait_s': " \
        "5, 'exit_key': '*', 'exits': {'served': 'yes', 'timeout': 'late', 'full': "     \
        "'nobody', 'left_by_key': 'key', 'failed': 'no'}},"                              \
        "'yes': {'kind': 'hangup', 'outcome': 'talked'},"                                \
        "'late': {'kind': 'hangup', 'outcome': 'late'},"                                 \
        "'nobody': {'kind': 'hangup', 'outcome': 'nobody'},"                             \
        "'key': {'kind': 'hangup', 'outcome': 'key'},"                                   \
        "'no': {'kind': 'hangup', 'outcome': 'refused'}}}"

/* In one statement: at no instant is nobody logged in, on which who waits would leave. */
static void set_agent(const char *state)
{
    char sql[600];

    snprintf(
        sql, sizeof(sql),
        "INSERT INTO agents (tenant_id, name, extension, queue, state, call_id, since, "
        "created_at) VALUES (1, 'abeba', '2007', 'help', '%s', CASE WHEN '%s' = "
        "'on_call' THEN gen_random_uuid() END, now(), now()) ON CONFLICT (tenant_id, "
        "name) DO UPDATE SET state = excluded.state, call_id = excluded.call_id, since = "
        "now(), after_call = '', wrap_until = NULL, note = ''",
        state, state);
    pgtest_run(pg, TENANT, sql);
}

static bool agent_is(const char *state)
{
    char sql[100];

    snprintf(sql, sizeof(sql), "SELECT count(*) FROM agents WHERE state = '%s'", state);
    return pgtest_i64(pg, TENANT, sql) == 1;
}

static bool it_waits(void)
{
    return phone.moh_now && pgtest_i64(pg, TENANT, "SELECT count(*) FROM agent_waiters");
}

static void an_agent_of_the_queue_takes_the_call(void **state)
{
    (void)state;
    set_agent("ready");
    whole_call(QUEUE, NULL);
    expect_outcome("talked");
    assert_string_equal(phone.dialled, "2007");
    assert_int_equal(phone.moh_on, 1);
    assert_int_equal(phone.moh_off, 1);
    assert_true(agent_is("ready"));
    assert_int_equal(
        count("call_events WHERE kind = 'left' AND data->>'value' = 'abeba'"), 1);
}

static void an_agent_who_does_not_answer_is_paused(void **state)
{
    static const struct act busy[] = {
        {.on = OP_DIAL, .deed = DO_DIALLED, .dialled = IVR_DIALLED_NO_ANSWER},
        {0},
    };

    (void)state;
    set_agent("ready");
    whole_call(QUEUE, busy);
    expect_outcome("nobody"); /* is there any more */
    assert_true(agent_is("paused"));
    whole_call(QUEUE, NULL);
    expect_outcome("nobody");
    assert_int_equal(phone.counts[OP_DIAL], 0);
}

static void who_waits_hears_music_and_may_leave_by_a_key(void **state)
{
    const struct live_event other = {.kind = LIVE_KEY, .key = '1'};
    const struct live_event star = {.kind = LIVE_KEY, .key = '*'};

    (void)state;
    set_agent("on_call");
    assert_int_equal(begin(QUEUE, NULL, &sim_ops), 0);
    run_until(it_waits);
    live_event(dialer.lives, &phone.call, &other);
    assert_true(phone.moh_now);
    live_event(dialer.lives, &phone.call, &star);
    run_until(call_is_over);
    expect_outcome("key");
    assert_int_equal(pgtest_i64(pg, TENANT, "SELECT count(*) FROM agent_waiters"), 0);
    assert_true(agent_is("on_call")); /* another's call goes on */
}

static void who_waits_is_taken_when_an_agent_is_free(void **state)
{
    (void)state;
    set_agent("on_call");
    assert_int_equal(begin(QUEUE, NULL, &sim_ops), 0);
    run_until(it_waits);
    set_agent("ready");
    run_until(call_is_over);
    expect_outcome("talked");
}

static bool it_was_told(void)
{
    return phone.counts[OP_PLAY] == 1 && !phone.playing && phone.moh_on == 2 &&
           phone.head == phone.tail;
}

static void who_waits_is_told_place_and_time_and_goes_on_waiting(void **state)
{
    static const char flow[] =
        HEAD "'entry': 'q', 'nodes': {'q': {'kind': 'queue', 'queue': 'help', "
             "'max_wait_s': 60, 'announce_every_s': 5, 'into': 'place', 'wait_into': "
             "'minutes', 'announce': {'en': 'Number {{vars.place}}, {{vars.minutes}} "
             "minutes.', 'am': 'Z'}, 'exits': {'served': 'yes', "
             "'timeout': 'no', 'full': 'no', 'left_by_key': 'no', 'failed': 'no'}},"
             "'yes': {'kind': 'hangup', 'outcome': 'talked'},"
             "'no': {'kind': 'hangup', 'outcome': 'refused'}}}";

    (void)state;
    set_agent("on_call");
    pgtest_run(pg, TENANT, "UPDATE agents SET talks = 3, talk_ms = 61000");
    assert_int_equal(begin(flow, NULL, &sim_ops), 0);
    run_until(it_was_told);
    assert_non_null(strstr(phone.media[0], "Number 1, 2 minutes."));
    set_agent("ready");
    run_until(call_is_over);
    expect_outcome("talked");
}

static void a_hang_up_in_the_queue_frees_its_place_and_the_agent(void **state)
{
    const struct live_event gone = {.kind = LIVE_HUNG_UP, .hung_up = {.cause = 16}};
    static const struct act gone_at_ring[] = {{.on = OP_DIAL, .deed = DO_HANG_UP}, {0}};

    (void)state;
    set_agent("on_call");
    assert_int_equal(begin(QUEUE, NULL, &sim_ops), 0);
    run_until(it_waits);
    live_event(dialer.lives, &phone.call, &gone);
    run_until(call_is_over);
    expect_outcome("hung_up");
    assert_int_equal(pgtest_i64(pg, TENANT, "SELECT count(*) FROM agent_waiters"), 0);
    set_agent("ready");
    whole_call(QUEUE, gone_at_ring);
    expect_outcome("hung_up");
    assert_true(agent_is("ready"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_agent_of_the_queue_takes_the_call),
        cmocka_unit_test(an_agent_who_does_not_answer_is_paused),
        cmocka_unit_test(who_waits_hears_music_and_may_leave_by_a_key),
        cmocka_unit_test(who_waits_is_taken_when_an_agent_is_free),
        cmocka_unit_test(who_waits_is_told_place_and_time_and_goes_on_waiting),
        cmocka_unit_test(a_hang_up_in_the_queue_frees_its_place_and_the_agent),
    };

    pgtest_start(PGTEST_POSTGRES);
    return cmocka_run_group_tests_name("live queues", tests, live_setup, live_teardown);
}
