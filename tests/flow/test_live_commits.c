/* What a live call does before its steps are kept, with a disk that does not answer. */
#include "unit/cm.h"

#include "base/clock.h"
#include "flow/live_phone.h"

static struct pg *blocker;

/* Locks what a step writes: to the call it looks like a Postgres that is away. */
static void block(void)
{
    blocker = pgtest_open_super();
    assert_int_equal(
        pg_script(blocker, "BEGIN; LOCK TABLE ivr_sessions IN ACCESS EXCLUSIVE MODE"), 0);
}

static void unblock(void)
{
    assert_int_equal(pg_script(blocker, "COMMIT"), 0);
    pg_close(blocker);
}

static uint32_t steps(void)
{
    const struct live_call *c = live_find(dialer.lives, &phone.call);

    return c && c->state ? c->state->seq : 0;
}

static enum { NOT_YET, WAITS, HAS_WAITED } to_record;

static void has_waited(uv_timer_t *timer)
{
    (void)timer;
    to_record = HAS_WAITED;
}

/* So long that a step of any other kind would have gone on. */
static bool has_waited_to_record(void)
{
    if (to_record == NOT_YET && steps() == 2) {
        to_record = WAITS;
        uv_timer_start(&phone.timer, has_waited, LIVE_COMMIT_WAIT_MS + 300, 0);
    }
    return to_record == HAS_WAITED;
}

static void a_call_goes_on_without_its_commit_but_not_to_record(void **state)
{
    (void)state;
    to_record = NOT_YET;
    block();
    int64_t began = mono_ms();
    assert_int_equal(begin(MENU, one_at_the_menu, &sim_ops), 0);
    run_until(has_waited_to_record);
    assert_true(mono_ms() - began >= 2 * LIVE_COMMIT_WAIT_MS);
    assert_int_equal(phone.counts[OP_PLAY], 2); /* nobody is asked to speak yet */
    assert_int_equal(phone.counts[OP_RECORD], 0);
    unblock();
    run_until(call_is_over);
    expect_outcome("completed");
    expect_recording("finished");
    assert_int_equal(count("ivr_sessions WHERE status = 'ended' AND seq = 3"), 1);
    assert_int_equal(count("call_events WHERE kind = 'entered'"), 4);
}

static bool has_given_up(void)
{
    return steps() == 2;
}

static void a_recording_whose_row_does_not_come_fails_without_having_begun(void **state)
{
    static const char flow[] =
        HEAD "'entry': 'speak', 'nodes': {'speak': {'kind': 'record', 'prompt': {'en': "
             "'Speak.', 'am': 'Z'}, 'exits': {'recorded': 'end', 'empty': 'end', "
             "'failed': 'sorry'}}, 'sorry': {'kind': 'hangup', 'outcome': 'sorry'}}}";

    (void)state;
    dialer.config.record_wait_ms = 200;
    block();
    assert_int_equal(begin(flow, NULL, &sim_ops), 0);
    run_until(has_given_up);
    unblock();
    run_until(call_is_over);
    dialer.config.record_wait_ms = RECORD_WAIT_MS;
    expect_outcome("sorry");
    assert_int_equal(phone.counts[OP_PLAY], 0);
    assert_int_equal(phone.counts[OP_RECORD], 0);
    expect_recording("failed");
    assert_int_equal(count("recordings WHERE error = 'the database did not answer'"), 1);
    assert_int_equal(count("ivr_sessions WHERE status = 'ended' AND seq = 2"), 1);
}

#define QUIZ                                                                             \
    HEAD "'entry': 'a', 'nodes': {"                                                      \
         "'a': {'kind': 'collect', 'prompt': {'en': 'One?', 'am': 'X'}, 'into': 'a', "   \
         "'max': 1, "                                                                    \
         "'exits': {'any': 'b', 'invalid': 'end', 'no_input': 'end'}},"                  \
         "'b': {'kind': 'collect', 'prompt': {'en': 'Two?', 'am': 'Y'}, 'into': 'b', "   \
         "'max': 1, "                                                                    \
         "'exits': {'1': 'c', '2': 'thanks', '3': 'sms', '4': 'speak', 'invalid': "      \
         "'end', 'no_input': 'end'}},"                                                   \
         "'c': {'kind': 'collect', 'prompt': {'en': 'Three?', 'am': 'Z'}, 'into': 'c', " \
         "'max': 1, "                                                                    \
         "'exits': {'any': 'bye', 'invalid': 'end', 'no_input': 'end'}},"                \
         "'thanks': {'kind': 'say', 'prompt': {'en': 'Noted.', 'am': 'N'}, 'exits': "    \
         "{'done': 'c', 'failed': 'end'}},"                                              \
         "'sms': {'kind': 'sms', 'text': {'en': 'Noted.', 'am': 'N'}, 'exits': "         \
         "{'queued': 'c', 'refused': 'end'}},"                                           \
         "'speak': {'kind': 'record', 'prompt': {'en': 'Speak.', 'am': 'S'}, 'exits': "  \
         "{'recorded': 'c', 'empty': 'c', 'failed': 'end'}},"                            \
         "'bye': {'kind': 'hangup', 'prompt': {'en': 'Noted. Bye.', 'am': 'B'}}}}"

static bool has_asked_one(void)
{
    return phone.counts[OP_PLAY] == 1 && !phone.playing && phone.head == phone.tail &&
           db_waiting(dialer.db) == 0;
}

static bool has_asked_two(void)
{
    return phone.counts[OP_PLAY] == 2 && !phone.playing && phone.head == phone.tail;
}

static void press(char key)
{
    const struct live_event ev = {.kind = LIVE_KEY, .key = key};

    live_event(dialer.lives, &phone.call, &ev);
}

/* With the first question's answer on its way to a disk that does not answer. */
static void ask_two_uncommitted(void)
{
    assert_int_equal(begin(QUIZ, NULL, &sim_ops), 0);
    run_until(has_asked_one);
    block();
    press('5');
    assert_int_equal(phone.counts[OP_PLAY], 2); /* at once */
    run_until(has_asked_two);
    assert_int_equal(db_waiting(dialer.db), 1);
}

static void a_question_does_not_wait_for_the_answer_before_it_to_be_kept(void **state)
{
    (void)state;
    ask_two_uncommitted();
    press('1');
    /* One ahead, not two: what a crash can lose is the last answer. */
    assert_int_equal(phone.counts[OP_PLAY], 2);
    assert_int_equal(db_waiting(dialer.db), 2);
    unblock();
    press('7'); /* early: the third question is answered before it is asked */
    run_until(call_is_over);
    expect_outcome("completed");
    assert_int_equal(phone.counts[OP_PLAY], 3); /* one, two, bye */
    assert_int_equal(count("ivr_sessions WHERE status = 'ended' AND seq = 4"), 1);
    assert_int_equal(count("call_events WHERE kind = 'result' AND data->>'value' IN "
                           "('5', '1', '7')"),
                     3);
}

static void what_says_that_an_answer_is_taken_waits_for_it_to_be_kept(void **state)
{
    static const char *const keys = "234";

    (void)state;
    for (int i = 0; keys[i]; i++) {
        ask_two_uncommitted();
        press(keys[i]); /* a statement, a text message, a recording */
        int64_t until = mono_ms() + 100;
        while (mono_ms() < until)
            uv_run(&loop, UV_RUN_NOWAIT);
        assert_int_equal(phone.counts[OP_PLAY], 2);
        assert_int_equal(phone.counts[OP_RECORD], 0);
        unblock();
        press('7');
        run_until(call_is_over);
        expect_outcome("completed");
        assert_int_equal(phone.counts[OP_RECORD], keys[i] == '4');
        assert_int_equal(count("ivr_sessions WHERE status = 'ended'"), 1);
    }
    /* The first question's answer kept, a statement is the first thing to wait. */
    assert_int_equal(begin(QUIZ, NULL, &sim_ops), 0);
    run_until(has_asked_one);
    press('5');
    run_until(has_asked_two);
    while (db_waiting(dialer.db) > 0)
        uv_run(&loop, UV_RUN_ONCE);
    block();
    press('2');
    assert_int_equal(phone.counts[OP_PLAY], 2);
    unblock();
    press('7');
    run_until(call_is_over);
    assert_true(phone.counts[OP_PLAY] > 2);
    expect_outcome("completed");
}

static void a_hang_up_before_the_answer_is_kept_keeps_both(void **state)
{
    const struct live_event gone = {.kind = LIVE_HUNG_UP, .hung_up = {.cause = 16}};

    (void)state;
    ask_two_uncommitted();
    live_event(dialer.lives, &phone.call, &gone);
    assert_int_equal(phone.ended, 1);
    unblock();
    run_until(call_is_over);
    expect_outcome("hung_up");
    assert_int_equal(count("call_events WHERE kind = 'result' AND data->>'value' = '5'"),
                     1);
    assert_int_equal(count("ivr_sessions WHERE status = 'ended' AND seq = 3"), 1);
}

/* The question after it was asked already. */
static void an_answer_that_is_refused_ends_the_call(void **state)
{
    (void)state;
    ask_two_uncommitted();
    assert_int_equal(pg_script(blocker, "ALTER TABLE ivr_sessions ADD CONSTRAINT once "
                                        "CHECK (seq < 2) NOT VALID"),
                     0);
    unblock();
    run_until(call_is_over);
    expect_outcome("failed");
    assert_string_equal(phone.reason, "error");
    assert_int_equal(count("ivr_sessions WHERE seq = 1"), 1);
    blocker = pgtest_open_super();
    assert_int_equal(pg_script(blocker, "ALTER TABLE ivr_sessions DROP CONSTRAINT once"),
                     0);
    pg_close(blocker);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_call_goes_on_without_its_commit_but_not_to_record),
        cmocka_unit_test(a_recording_whose_row_does_not_come_fails_without_having_begun),
        cmocka_unit_test(a_question_does_not_wait_for_the_answer_before_it_to_be_kept),
        cmocka_unit_test(what_says_that_an_answer_is_taken_waits_for_it_to_be_kept),
        cmocka_unit_test(a_hang_up_before_the_answer_is_kept_keeps_both),
        cmocka_unit_test(an_answer_that_is_refused_ends_the_call),
    };

    pgtest_start(PGTEST_POSTGRES);
    return cmocka_run_group_tests_name("live commits", tests, live_setup, live_teardown);
}
