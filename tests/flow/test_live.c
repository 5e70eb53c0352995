/* Live calls from their first prompt to their end: keys, silence, recordings, drops. */
#include "unit/cm.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/files.h"
#include "base/xalloc.h"
#include "dialer/prompts.h"
#include "flow/live_phone.h"

static void a_whole_call_leaves_its_rows(void **state)
{
    (void)state;
    whole_call(MENU, one_at_the_menu);
    expect_outcome("completed");
    assert_int_equal(phone.result.cause, 16);
    assert_false(phone.result.opted_out);
    assert_string_equal(phone.reason, "normal");
    assert_int_equal(phone.counts[OP_PLAY], 4);
    assert_int_equal(phone.counts[OP_RECORD], 1);
    assert_int_equal(phone.counts[OP_HANG_UP], 1);
    expect_recording("finished");
    assert_int_equal(count("recordings WHERE duration_ms > 0 AND node = 'speak' AND "
                           "pipeline = 'command' AND location LIKE 'http%'"),
                     1);
    assert_int_equal(count("call_events WHERE kind = 'started'"), 1);
    assert_int_equal(count("call_events WHERE kind = 'ended'"), 1);
    assert_int_equal(count("call_events WHERE kind = 'left' AND node = 'speak' AND "
                           "data->>'name' = 'recorded'"),
                     1);
    assert_int_equal(count("ivr_sessions WHERE status = 'ended' AND seq = 3"), 1);
    char sql[256], id[UUID_TEXT_MAX];
    snprintf(sql, sizeof(sql),
             "SELECT count(*) FROM calls WHERE id = '%s' AND "
             "results->'choice'->>'value' = '1'",
             uuid_text(&phone.call, id));
    assert_int_equal(pgtest_i64(pg, TENANT, sql), 1);
}

static void a_hang_up_in_mid_prompt_ends_the_call(void **state)
{
    static const struct act acts[] = {{.on = OP_PLAY, .nth = 2, .deed = DO_HANG_UP}, {0}};

    (void)state;
    whole_call(MENU, acts);
    expect_outcome("hung_up");
    assert_int_equal(phone.counts[OP_PLAY], 2);
    assert_int_equal(phone.counts[OP_HANG_UP], 0);
    assert_int_equal(count("call_events WHERE kind = 'ended'"), 1);
}

static void a_prompt_that_is_never_answered_fails_after_a_while(void **state)
{
    static const struct act acts[] = {
        {.on = OP_PLAY, .nth = 1, .deed = DO_NOTHING},
        {.on = OP_PLAY_STOP, .deed = DO_NOTHING},
        {0},
    };

    (void)state;
    int64_t began = mono_ms();
    whole_call(MENU, acts);
    expect_outcome("lost");
    assert_true(mono_ms() - began >= 3000);
    assert_int_equal(phone.counts[OP_PLAY_STOP], 1);
}

static void a_prompt_that_fails_takes_its_exit(void **state)
{
    static const struct act acts[] = {{.on = OP_PLAY, .nth = 1, .deed = DO_FAIL}, {0}};

    (void)state;
    whole_call(MENU, acts);
    expect_outcome("lost");
    assert_int_equal(phone.counts[OP_PLAY], 1);
}

static void early_keys_stop_what_may_be_stopped_and_nothing_else(void **state)
{
    /* The first prompt must be heard: the key waits for the menu, whose prompt it skips.
     */
    static const struct act early[] = {
        {.on = OP_PLAY, .nth = 1, .deed = DO_KEYS, .keys = "2"},
        {.on = OP_PLAY, .nth = 1, .deed = DO_PLAYED},
        {0},
    };
    static const struct act in_the_menu[] = {
        {.on = OP_PLAY, .nth = 2, .deed = DO_KEYS, .keys = "2"},
        {0},
    };

    (void)state;
    whole_call(MENU, early);
    expect_outcome("completed");
    assert_int_equal(phone.counts[OP_PLAY_STOP], 0);
    assert_int_equal(phone.counts[OP_PLAY], 2); /* hear, bye */

    whole_call(MENU, in_the_menu);
    expect_outcome("completed");
    assert_int_equal(phone.counts[OP_PLAY_STOP], 1);
    assert_int_equal(phone.counts[OP_PLAY], 3); /* hear, menu, bye */
}

static void silence_takes_the_way_of_no_input(void **state)
{
    (void)state;
    int64_t began = mono_ms();
    whole_call(MENU, NULL);
    expect_outcome("completed");
    assert_true(mono_ms() - began >= 1000);
    assert_int_equal(count("call_events WHERE kind = 'left' AND data->>'name' = "
                           "'no_input'"),
                     1);
}

static void step_clock(int64_t ms)
{
    char text[33] = "";

    snprintf(text, sizeof(text), "%-32lld", (long long)ms);
    FILE *f = fopen(getenv("FURROW_CLOCK_OFFSET_FILE"), "r+");
    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, 32, f), 32);
    assert_int_equal(fclose(f), 0);
}

static bool asks(void)
{
    const struct live_call *c = live_find(dialer.lives, &phone.call);

    return c && c->keys.armed;
}

/* Set right by an hour while somebody is asked: nobody waits for an hour. */
static void a_stepped_clock_holds_no_caller(void **state)
{
    static const int64_t steps_ms[] = {-3600000, 3600000};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        step_clock(0);
        assert_int_equal(begin(MENU, NULL, &sim_ops), 0);
        run_until(asks);
        int64_t began = mono_ms();
        step_clock(steps_ms[i]);
        run_until(call_is_over);
        assert_true(mono_ms() - began >= 900);
        expect_outcome("completed");
        assert_int_equal(count("call_events WHERE kind = 'left' AND data->>'name' = "
                               "'no_input'"),
                         1);
    }
    step_clock(0);
}

static void an_opt_out_is_a_row_before_the_call_has_ended(void **state)
{
    static const struct act acts[] = {
        {.on = OP_PLAY, .nth = 2, .deed = DO_KEYS, .keys = "9"},
        {0},
    };

    (void)state;
    whole_call(MENU, acts);
    expect_outcome("opted_out");
    assert_true(phone.result.opted_out);
    assert_true(pgtest_i64(pg, TENANT,
                           "SELECT count(*) FROM dnc_entries WHERE phone = "
                           "251911234567") > 0);
}

/* ---- recordings ---- */

static void a_hang_up_in_mid_record_keeps_what_was_said(void **state)
{
    static const struct act acts[] = {
        {.on = OP_PLAY, .nth = 2, .deed = DO_KEYS, .keys = "1"},
        {.on = OP_RECORD, .nth = 1, .deed = DO_HANG_UP, .recorded = IVR_RECORDED_OK},
        {0},
    };

    (void)state;
    whole_call(MENU, acts);
    expect_outcome("completed"); /* `recorded` leads to the goodbye */
    expect_recording("finished");
    assert_int_equal(count("call_events WHERE kind = 'left' AND node = 'speak' AND "
                           "data->>'name' = 'recorded'"),
                     1);
    assert_int_equal(phone.counts[OP_HANG_UP], 0);
}

/* ---- a call that drops ---- */

#define CUT                                                                              \
    HEAD "'go_on': {'prompt': {'en': 'Go on?', 'am': 'G'}, 'key': '5'}, "                \
         "'entry': 'hear', 'nodes': {"                                                   \
         "'hear': {'kind': 'collect', 'prompt': {'en': 'How many?', 'am': 'Y'}, "        \
         "'into': 'bags', 'exits': {'any': 'speak', 'invalid': 'bye', 'no_input': "      \
         "'bye'}, 'max': 1},"                                                            \
         "'speak': {'kind': 'record', 'prompt': {'en': 'Speak.', 'am': 'Z'}, 'into': "   \
         "'said', 'exits': {'recorded': 'send', 'empty': 'bye', 'failed': 'bye'}},"      \
         "'send': {'kind': 'submit', 'recording': '{{vars.said}}', 'exits': {'done': "   \
         "'keyed', 'failed': 'bye'}},"                                                   \
         "'keyed': {'kind': 'submit', 'intent': 'record_commission', 'entities': "       \
         "{'quantity': '{{number(vars.bags)}}', 'unit': 'bags'}, 'exits': {'done': "     \
         "'bye', 'failed': 'bye'}},"                                                     \
         "'bye': {'kind': 'hangup', 'prompt': {'en': 'Bye.', 'am': 'B'}}}}"

static void calls_again(int64_t revision, const struct act *acts)
{
    assert_int_equal(begin_of(revision, acts, &sim_ops), 0);
    run_until(call_is_over);
    assert_int_equal(phone.ended, 1);
}

static int64_t kept(void)
{
    return pgtest_i64(pg, TENANT, "SELECT count(*) FROM kept_calls");
}

#define GO_ON "call_events WHERE kind = 'result' AND data->>'name' = 'go_on'"

static void a_call_that_drops_is_gone_on_with_once(void **state)
{
    static const struct act drops[] = {
        {.on = OP_PLAY, .nth = 1, .deed = DO_KEYS, .keys = "7"},
        {.on = OP_PLAY, .nth = 2, .deed = DO_HANG_UP, .recorded = IVR_RECORDED_FAILED},
        {0}};
    static const struct act goes_on[] = {
        {.on = OP_PLAY, .nth = 1, .deed = DO_KEYS, .keys = "5"}, {0}};
    static const struct act again[] = {
        {.on = OP_PLAY, .nth = 1, .deed = DO_KEYS, .keys = "3"}, {0}};
    const int64_t revision = publish(CUT);

    (void)state;
    calls_again(revision, drops);
    assert_int_equal(kept(), 1);
    calls_again(revision, goes_on);
    assert_int_equal(kept(), 0);
    assert_int_equal(count(GO_ON " AND data->>'category' = 'yes'"), 1);
    assert_int_equal(count("call_events WHERE kind = 'entered' AND node = 'hear'"), 0);
    expect_outcome("completed");
    /* What was keyed in before the line dropped is known still. */
    assert_int_equal(count("recordings WHERE source = 'keys' AND state = 'transcribed'"),
                     1);
    assert_int_equal(
        pgtest_i64(pg, TENANT,
                   "SELECT count(*) FROM transcripts t JOIN jobs j ON "
                   "j.unique_key = t.recording_id::text AND j.kind = 'batch' "
                   "WHERE t.source = 'keys' AND t.intent = "
                   "'record_commission' AND t.entities = '{\"quantity\": 7, "
                   "\"unit\": \"bags\"}' AND t.text = 'record_commission "
                   "quantity 7, unit bags'"),
        1);
    assert_int_equal(count("recordings WHERE pipeline = 'command' AND state = "
                           "'finished'"),
                     1);
    calls_again(revision, again);
    assert_int_equal(count(GO_ON), 0);
    assert_int_equal(count("call_events WHERE kind = 'entered' AND node = 'hear'"), 1);
}

static void what_is_kept_of_a_call_is_for_nobody_else_and_for_an_hour(void **state)
{
    static const struct act drops[] = {
        {.on = OP_PLAY, .nth = 1, .deed = DO_KEYS, .keys = "7"},
        {.on = OP_PLAY, .nth = 2, .deed = DO_HANG_UP, .recorded = IVR_RECORDED_FAILED},
        {0}};
    const int64_t revision = publish(CUT);

    (void)state;
    calls_again(revision, drops);
    pgtest_run(pg, TENANT, "UPDATE kept_calls SET phone = phone + 1");
    calls_again(revision, drops);
    assert_int_equal(count(GO_ON), 0);
    assert_int_equal(kept(), 2);
    pgtest_run(pg, TENANT, "UPDATE kept_calls SET at = at - interval '61 minutes'");
    calls_again(revision, (const struct act[]){{0}});
    assert_int_equal(count(GO_ON), 0);
    pgtest_run(pg, TENANT, "DELETE FROM kept_calls");
}

static void a_cut_recording_that_is_never_told_stays_live_for_recovery(void **state)
{
    static const struct act acts[] = {
        {.on = OP_PLAY, .nth = 2, .deed = DO_KEYS, .keys = "1"},
        {.on = OP_RECORD, .nth = 1, .deed = DO_HANG_UP, .recorded = IVR_RECORDED_FAILED},
        {0},
    };

    (void)state;
    int64_t began = mono_ms();
    whole_call(MENU, acts);
    assert_true(mono_ms() - began >= 5000);
    expect_recording("live");
    expect_outcome("lost");
}

static void empty_and_failed_recordings_say_so(void **state)
{
    static const struct act empty[] = {
        {.on = OP_PLAY, .nth = 2, .deed = DO_KEYS, .keys = "1"},
        {.on = OP_RECORD, .deed = DO_RECORDED, .recorded = IVR_RECORDED_EMPTY},
        {0},
    };
    static const struct act failed[] = {
        {.on = OP_PLAY, .nth = 2, .deed = DO_KEYS, .keys = "1"},
        {.on = OP_RECORD, .deed = DO_RECORDED, .recorded = IVR_RECORDED_FAILED},
        {0},
    };

    (void)state;
    whole_call(MENU, empty);
    expect_outcome("nothing");
    expect_recording("empty");
    whole_call(MENU, failed);
    expect_outcome("lost");
    expect_recording("failed");
    assert_int_equal(count("recordings WHERE error = 'disk full'"), 1);
}

static void the_key_that_ends_a_recording_is_no_answer_to_what_follows(void **state)
{
    static const char flow[] =
        HEAD "'entry': 'speak', 'nodes': {"
             "'speak': {'kind': 'record', 'finish': 'any', 'exits': {'recorded': 'menu', "
             "'empty': 'menu', 'failed': 'menu'}},"
             "'menu': {'kind': 'collect', 'prompt': {'en': 'One?', 'am': 'Y'}, "
             "'timeout_s': 1, 'attempts': 1, 'exits': {'1': 'one', 'invalid': 'end', "
             "'no_input': 'end'}},"
             "'one': {'kind': 'hangup', 'outcome': 'took_the_key'}}}";
    static const struct act acts[] = {
        {.on = OP_RECORD, .deed = DO_RECORDED, .recorded = IVR_RECORDED_OK},
        {.on = OP_RECORD, .deed = DO_KEYS, .keys = "1"},
        {0},
    };

    (void)state;
    whole_call(flow, acts);
    expect_outcome("completed");
}

/* ---- trouble ---- */

static void a_hang_up_before_the_flow_is_there_ends_the_call(void **state)
{
    const struct live_event gone = {.kind = LIVE_HUNG_UP, .hung_up = {.cause = 18}};

    (void)state;
    assert_int_equal(begin(MENU, NULL, &sim_ops), 0);
    live_event(dialer.lives, &phone.call, &gone);
    assert_int_equal(phone.ended, 1);
    run_until(call_is_over);
    expect_outcome("hung_up");
    assert_int_equal(phone.ended, 1);
    assert_int_equal(phone.result.cause, 18);
    assert_int_equal(phone.counts[OP_PLAY], 0);
    assert_int_equal(lives_count(dialer.lives), 0);
}

static void a_flow_that_does_not_compile_is_hung_up_as_failed(void **state)
{
    (void)state;
    whole_call("{'furrow': 1, 'name': 'x'}", NULL);
    expect_outcome("failed");
    assert_string_equal(phone.reason, "error");
}

static void a_channel_that_never_goes_away_does_not_hold_the_call(void **state)
{
    static const struct act acts[] = {{.on = OP_HANG_UP, .deed = DO_NOTHING}, {0}};

    (void)state;
    whole_call(HEAD "'entry': 'h', 'nodes': {'h': {'kind': 'hangup'}}}", acts);
    expect_outcome("completed");
    assert_int_equal(phone.result.cause, 0);
}

static void a_call_runs_once_and_late_events_find_nothing(void **state)
{
    const struct live_event key = {.kind = LIVE_KEY, .key = '1'};
    const struct live_event gone = {.kind = LIVE_HUNG_UP};

    (void)state;
    assert_int_equal(begin(MENU, one_at_the_menu, &sim_ops), 0);
    assert_true(live_is_running(dialer.lives, &phone.call));
    assert_int_equal(live_start(dialer.lives, &(struct live_start){.id = phone.call,
                                                                   .tenant_id = TENANT,
                                                                   .ops = &sim_ops}),
                     EEXIST);
    run_until(call_is_over);
    live_event(dialer.lives, &phone.call, &key);
    live_event(dialer.lives, &phone.call, &gone);
    assert_int_equal(phone.ended, 1);
}

/* ---- Asterisk's prompts, the demo's flow, the end ---- */

static void prompts_of_an_asterisk_are_files_that_exist(void **state)
{
    char path[600];

    (void)state;
    assert_int_equal(begin(MENU, one_at_the_menu, &ari_ops), 0);
    run_until(call_is_over);
    if (!prompts_voices(dialer.prompts)[0]) {
        fprintf(stderr, "skipped: espeak-ng is missing (./run deps)\n");
        skip();
    }
    expect_outcome("completed");
    assert_int_equal(phone.counts[OP_PLAY], 4);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(strncmp(phone.media[i], "sound:/", 7), 0);
        snprintf(path, sizeof(path), "%s.wav", phone.media[i] + strlen("sound:"));
        assert_int_equal(access(path, R_OK), 0);
    }
}

static void the_demos_flow_speaks_three_languages_and_records(void **state)
{
    static const struct act amharic[] = {
        {.on = OP_PLAY, .nth = 2, .deed = DO_KEYS, .keys = "2"},
        {0},
    };
    static const struct act never_again[] = {
        {.on = OP_PLAY, .nth = 2, .deed = DO_KEYS, .keys = "9"},
        {0},
    };
    CLEANUP(free_cleanup) char *flow = NULL;
    size_t len;

    (void)state;
    assert_int_equal(
        files_read(SOURCE_DIR "/deploy/demo/coffee.json", 1 << 20, &flow, &len), 0);
    whole_call(flow, amharic);
    expect_outcome("completed");
    expect_recording("finished");
    assert_int_equal(count("recordings WHERE language = 'am' AND pipeline = 'command'"),
                     1);
    whole_call(flow, never_again);
    expect_outcome("opted_out");
}

static void stopping_ends_every_call_and_takes_no_new_ones(void **state)
{
    static const struct act acts[] = {{.on = OP_PLAY, .nth = 2, .deed = DO_NOTHING}, {0}};

    (void)state;
    assert_int_equal(begin(MENU, acts, &sim_ops), 0);
    while (phone.counts[OP_PLAY] < 2)
        uv_run(&loop, UV_RUN_ONCE);
    lives_stop(dialer.lives);
    run_until(call_is_over);
    expect_outcome("interrupted");
    assert_int_equal(begin(MENU, NULL, &sim_ops), ECANCELED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_whole_call_leaves_its_rows),
        cmocka_unit_test(a_hang_up_in_mid_prompt_ends_the_call),
        cmocka_unit_test(a_prompt_that_is_never_answered_fails_after_a_while),
        cmocka_unit_test(a_prompt_that_fails_takes_its_exit),
        cmocka_unit_test(early_keys_stop_what_may_be_stopped_and_nothing_else),
        cmocka_unit_test(silence_takes_the_way_of_no_input),
        cmocka_unit_test(a_stepped_clock_holds_no_caller),
        cmocka_unit_test(an_opt_out_is_a_row_before_the_call_has_ended),
        cmocka_unit_test(a_hang_up_in_mid_record_keeps_what_was_said),
        cmocka_unit_test(a_call_that_drops_is_gone_on_with_once),
        cmocka_unit_test(what_is_kept_of_a_call_is_for_nobody_else_and_for_an_hour),
        cmocka_unit_test(a_cut_recording_that_is_never_told_stays_live_for_recovery),
        cmocka_unit_test(empty_and_failed_recordings_say_so),
        cmocka_unit_test(the_key_that_ends_a_recording_is_no_answer_to_what_follows),
        cmocka_unit_test(a_hang_up_before_the_flow_is_there_ends_the_call),
        cmocka_unit_test(a_flow_that_does_not_compile_is_hung_up_as_failed),
        cmocka_unit_test(a_channel_that_never_goes_away_does_not_hold_the_call),
        cmocka_unit_test(a_call_runs_once_and_late_events_find_nothing),
        cmocka_unit_test(prompts_of_an_asterisk_are_files_that_exist),
        cmocka_unit_test(the_demos_flow_speaks_three_languages_and_records),
        cmocka_unit_test(stopping_ends_every_call_and_takes_no_new_ones),
    };

    pgtest_start(PGTEST_POSTGRES);
    return cmocka_run_group_tests_name("live", tests, live_setup, live_teardown);
}
