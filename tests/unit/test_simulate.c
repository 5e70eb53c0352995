/* The invented network, and calls into it that run a flow. */
#include "unit/cm.h"

#include <errno.h>
#include <string.h>

#include "base/sha256.h"
#include "simulate/network.h"
#include "simulate/talk.h"

enum { NUMBERS = 20000, NOON = 12 };
#define PHONE(n) (INT64_C(251911000000) + (n))
#define AT       INT64_C(1795507200000)

/* ---- the network ---- */

static void what_it_writes_it_reads_again(void **state)
{
    struct network a, b = {0};
    struct errtext e = {0};

    (void)state;
    network_default(&a);
    json_auto_t *json = network_to_json(&a);
    char *text = json_dumps(json, 0);
    if (network_parse(&b, text, strlen(text), &e))
        fail_msg("%s", e.text);
    assert_memory_equal(&a, &b, sizeof(a));
    free(text);
}

static void a_field_that_cannot_be_is_named(void **state)
{
    static const struct {
        const char *text, *said;
    } wrong[] = {
        {"[]", "JSON object"},
        {"{\"answer\":0.5", "JSON object"},
        {"{\"answers\":0.5}", "no field 'answers'"},
        {"{\"answer\":1.5}", "'answer'"},
        {"{\"answer\":[0.1,0.2]}", "24 of them"},
        {"{\"busy\":\"often\"}", "'busy'"},
        {"{\"ring_s\":[9,4]}", "'ring_s'"},
        {"{\"ring_s\":[1]}", "'ring_s'"},
        {"{\"keys\":{\"12\":0.5}}", "'keys'"},
        {"{\"keys\":{\"1\":0.7,\"2\":0.7}}", "'keys'"},
        {"{\"busy\":0.6,\"rejected\":0.6}", "more than 1"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct network n;
        struct errtext e = {0};
        network_default(&n);
        struct network before = n;
        assert_int_equal(network_parse(&n, wrong[i].text, strlen(wrong[i].text), &e),
                         EINVAL);
        if (!strstr(e.text, wrong[i].said))
            fail_msg("%s: %s", wrong[i].text, e.text);
        assert_memory_equal(&n, &before, sizeof(n));
    }
}

static struct network_call dial(const struct network *n, uint64_t seed, int64_t phone,
                                int attempt, int hour)
{
    struct network_call call;

    network_dial(n, seed, phone, attempt, hour, 25, &call);
    return call;
}

static void a_call_hangs_on_seed_number_and_attempt_alone(void **state)
{
    struct network n;
    int other_seed = 0, other_attempt = 0;

    (void)state;
    network_default(&n);
    for (int i = 0; i < 500; i++) {
        struct network_call a = dial(&n, 1, PHONE(i), 1, NOON);
        struct network_call again = dial(&n, 1, PHONE(i), 1, NOON);
        assert_memory_equal(&a, &again, sizeof(a));
        struct network_call b = dial(&n, 2, PHONE(i), 1, NOON);
        struct network_call c = dial(&n, 1, PHONE(i), 2, NOON);
        other_seed += a.ring_ms != b.ring_ms;
        other_attempt += a.ring_ms != c.ring_ms;
    }
    assert_true(other_seed > 100 && other_attempt > 100);
}

static void shares_come_out_as_they_are_stated(void **state)
{
    struct network n;
    int ends[DISPOSITIONS] = {0}, machines = 0, night = 0;

    (void)state;
    network_default(&n);
    n.never = 0;
    n.answer[NOON] = 0.5;
    n.answer[3] = 0;
    n.machine = 0.2;
    for (int i = 0; i < NUMBERS; i++) {
        struct network_call call = dial(&n, 5, PHONE(i), 1, NOON);
        ends[call.disposition]++;
        machines += call.machine;
        struct network_call late = dial(&n, 5, PHONE(i), 1, 3);
        night += late.disposition == DISPOSITION_COMPLETED && !late.machine;
        /* A number that is none stays none. */
        if (call.disposition == DISPOSITION_BAD_NUMBER)
            assert_int_equal(dial(&n, 5, PHONE(i), 3, 20).disposition,
                             DISPOSITION_BAD_NUMBER);
    }
    assert_in_range(ends[DISPOSITION_BAD_NUMBER], 700, 900); /* 4 % */
    assert_in_range(ends[DISPOSITION_BUSY], 1050, 1250);     /* 6 % of the others */
    double ringing = NUMBERS * 0.96 * 0.85;
    assert_in_range(ends[DISPOSITION_COMPLETED] - machines, (int)(ringing * 0.48),
                    (int)(ringing * 0.52));
    assert_in_range(machines, (int)(ringing * 0.09), (int)(ringing * 0.11));
    assert_int_equal(night, 0);
}

/* ---- calls ---- */

static const char flow[] =
    "{\"furrow\":1,\"name\":\"t\",\"language\":\"en\",\"entry\":\"menu\",\"prompts\":{"
    "\"menu\":{\"en\":\"Press one to speak, two to be called later, nine to stop.\"},"
    "\"speak\":{\"en\":\"Speak now.\"}},\"nodes\":{\"menu\":{\"kind\":\"collect\","
    "\"prompt\":\"menu\",\"timeout_s\":5,\"attempts\":2,\"exits\":{\"1\":\"record\","
    "\"2\":\"later\",\"9\":\"stop\",\"no_input\":\"bye\",\"invalid\":\"bye\"}},"
    "\"record\":{"
    "\"kind\":\"record\",\"prompt\":\"speak\",\"max_s\":10,\"exits\":{\"recorded\":"
    "\"bye\","
    "\"empty\":\"bye\",\"failed\":\"bye\"}},\"later\":{\"kind\":\"callback\",\"in_s\":"
    "600,"
    "\"exits\":{\"scheduled\":\"bye\",\"duplicate\":\"bye\",\"refused\":\"bye\"}},"
    "\"stop\":{\"kind\":\"hangup\",\"opt_out\":\"tenant\",\"outcome\":\"stopped\"},"
    "\"bye\":{\"kind\":\"hangup\",\"outcome\":\"done\"}}}";

static struct ivr_arena *arena;
static struct ivr_prog *prog;

static int compile(void **state)
{
    const struct ivr_compile_options options = {.sha256 = sha256_of};
    struct ivr_issues issues;

    (void)state;
    if (ivr_arena_new(&arena, NULL))
        return -1;
    return ivr_compile(&prog, flow, strlen(flow), &options, arena, &issues);
}

static int drop(void **state)
{
    (void)state;
    ivr_arena_free(arena);
    return 0;
}

/* Somebody who presses this key and never hangs up. */
static struct network presses(char key)
{
    struct network n;

    network_default(&n);
    memset(n.keys, 0, sizeof(n.keys));
    for (size_t i = 0; i < NETWORK_KEYS; i++)
        n.keys[i] = network_key(i) == key ? 1 : 0;
    n.hang_up = 0;
    n.speak = 1;
    return n;
}

static struct talk talk_with(const struct network *n, bool machine, uint64_t seed)
{
    const struct talk_start start = {.prog = prog,
                                     .answered_ms = AT,
                                     .tenant = 1,
                                     .phone = PHONE(1),
                                     .seed = seed,
                                     .language = ""};
    struct network_party party = network_party(n, seed, PHONE(1), 1, machine);
    struct talk t;

    assert_int_equal(talk_run(&start, &party, &t), 0);
    return t;
}

static void who_speaks_is_recorded_and_the_time_it_takes_passes(void **state)
{
    struct network n = presses('1');

    (void)state;
    for (uint64_t seed = 0; seed < 50; seed++) {
        struct talk t = talk_with(&n, false, seed);
        assert_string_equal(t.outcome, "done");
        assert_int_equal(t.recordings, 1);
        assert_in_range(t.end_ms - AT, 7000, 25000);
    }
}

static void who_asks_to_be_called_later_is_noted_and_who_opts_out_too(void **state)
{
    struct network later = presses('2'), stops = presses('9');

    (void)state;
    struct talk t = talk_with(&later, false, 3);
    assert_in_range(t.callback_ms, AT + 600000, AT + 612000);
    assert_false(t.opted_out);
    t = talk_with(&stops, false, 3);
    assert_true(t.opted_out && t.opted_out_of_all);
    assert_in_range(t.opt_out_ms, AT + 1, t.end_ms);
    assert_string_equal(t.outcome, "stopped"); /* the node's own word */
}

static void who_hangs_up_is_gone_in_the_middle_of_a_prompt(void **state)
{
    struct network n = presses('1');

    (void)state;
    n.hang_up = 1;
    struct talk t = talk_with(&n, false, 3);
    assert_string_equal(t.outcome, "hung_up");
    assert_true(t.end_ms - AT < 2500 && t.recordings == 0);
}

static void a_machine_presses_nothing_and_leaves_when_its_time_is_up(void **state)
{
    struct network n = presses('1');

    (void)state;
    n.machine_listens = (struct network_span){6, 6};
    struct talk t = talk_with(&n, true, 3);
    assert_string_equal(t.outcome, "hung_up");
    assert_int_equal(t.end_ms - AT, 6000);
    n.machine_listens = (struct network_span){60, 60};
    t = talk_with(&n, true, 3); /* the flow ends first: twice nothing is pressed */
    assert_string_equal(t.outcome, "done");
    assert_int_equal(t.recordings, 0);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_it_writes_it_reads_again),
        cmocka_unit_test(a_field_that_cannot_be_is_named),
        cmocka_unit_test(a_call_hangs_on_seed_number_and_attempt_alone),
        cmocka_unit_test(shares_come_out_as_they_are_stated),
        cmocka_unit_test(who_speaks_is_recorded_and_the_time_it_takes_passes),
        cmocka_unit_test(who_asks_to_be_called_later_is_noted_and_who_opts_out_too),
        cmocka_unit_test(who_hangs_up_is_gone_in_the_middle_of_a_prompt),
        cmocka_unit_test(a_machine_presses_nothing_and_leaves_when_its_time_is_up),
    };

    return cmocka_run_group_tests(tests, compile, drop);
}
