/* The invented network, and calls into it that run a flow. */
#include "unit/cm.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/sha256.h"
#include "simulate/answer.h"
#include "simulate/desk.h"
#include "simulate/lines.h"
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
        {"{\"outages\":[[\"main\",4,2]]}", "'outages'"},
        {"{\"outages\":[[\"main\",4]]}", "'outages'"},
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

static void a_field_that_cannot_be_is_found_in_the_file(void **state)
{
    static const char text[] = "{\n  \"busy\": 0.1,\n  \"answer\": 1.5\n}";
    static const char unknown[] = "{\n  \"answers\": 0.1}";
    struct errtext e = {0};
    struct network n;

    (void)state;
    network_default(&n);
    assert_int_equal(network_parse(&n, text, sizeof(text) - 1, &e), EINVAL);
    assert_int_equal(e.line, 3);
    assert_int_equal(e.column, 13);
    e = (struct errtext){0};
    assert_int_equal(network_parse(&n, unknown, sizeof(unknown) - 1, &e), EINVAL);
    assert_int_equal(e.line, 2);
    assert_int_equal(e.column, 3);
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
                                     .begins_ms = AT,
                                     .tenant = 1,
                                     .phone = PHONE(1),
                                     .seed = seed,
                                     .language = ""};
    struct network_party party = network_party(n, seed, PHONE(1), 1, machine);
    struct talk t;

    assert_int_equal(talk_run(&start, &party, &t, NULL), 0);
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

static void a_queue_without_agents_is_full_and_counted(void **state)
{
    static const char text[] =
        "{\"furrow\":1,\"name\":\"q\",\"language\":\"en\",\"entry\":\"q\",\"nodes\":{"
        "\"q\":{"
        "\"kind\":\"queue\",\"queue\":\"sales\",\"exits\":{\"served\":\"bye\",\"full\":"
        "\"sorry\",\"timeout\":\"bye\",\"left_by_key\":\"bye\",\"failed\":\"bye\"}},"
        "\"sorry\":{\"kind\":\"hangup\",\"outcome\":\"nobody\"},\"bye\":{\"kind\":"
        "\"hangup\"}}}";
    const struct ivr_compile_options options = {.sha256 = sha256_of};
    struct network n = presses('1');
    struct ivr_arena *own = NULL;
    struct ivr_prog *kept = prog;
    struct ivr_issues issues;

    (void)state;
    assert_int_equal(ivr_arena_new(&own, NULL), 0);
    if (ivr_compile(&prog, text, strlen(text), &options, own, &issues))
        fail_msg("%s", issues.list[0].text);
    struct talk t = talk_with(&n, false, 3);
    assert_string_equal(t.outcome, "nobody");
    assert_int_equal(t.unserved, 1);
    prog = kept;
    ivr_arena_free(own);
}

static struct talk talk_through(const char *text, const struct network *n,
                                const struct talk_tables *tables)
{
    const struct ivr_compile_options options = {.sha256 = sha256_of};
    struct ivr_arena *own = NULL;
    struct ivr_issues issues;
    struct talk t;
    struct talk_start start = {.answered_ms = AT,
                               .begins_ms = AT,
                               .tenant = 1,
                               .phone = PHONE(1),
                               .seed = 3,
                               .language = "",
                               .tables = tables};
    struct network_party party = network_party(n, 3, PHONE(1), 1, false);

    assert_int_equal(ivr_arena_new(&own, NULL), 0);
    struct ivr_prog *own_prog = NULL;
    if (ivr_compile(&own_prog, text, strlen(text), &options, own, &issues))
        fail_msg("%s", issues.list[0].text);
    start.prog = own_prog;
    assert_int_equal(talk_run(&start, &party, &t, NULL), 0);
    ivr_arena_free(own);
    return t;
}

/* Once, however often; and only a recording of this call. */
static void what_is_submitted_is_counted_and_understood(void **state)
{
    static const char text[] =
        "{\"furrow\":1,\"name\":\"s\",\"language\":\"en\",\"entry\":\"r\",\"nodes\":{"
        "\"r\":{\"kind\":\"record\",\"max_s\":10,\"into\":\"said\",\"exits\":{"
        "\"recorded\":\"a\",\"empty\":\"e\",\"failed\":\"e\"}},"
        "\"a\":{\"kind\":\"submit\",\"recording\":\"{{vars.said}}\",\"pipeline\":"
        "\"callback\",\"exits\":{\"done\":\"b\",\"failed\":\"e\"}},"
        "\"b\":{\"kind\":\"submit\",\"recording\":\"{{vars.said}}\",\"pipeline\":"
        "\"callback\",\"exits\":{\"done\":\"c\",\"failed\":\"e\"}},"
        "\"c\":{\"kind\":\"submit\",\"recording\":\"another-0\",\"exits\":{\"done\":"
        "\"d\",\"failed\":\"e\"}},"
        "\"d\":{\"kind\":\"submit\",\"intent\":\"record_receipt\",\"exits\":{\"done\":"
        "\"e\",\"failed\":\"e\"}},\"e\":{\"kind\":\"hangup\"}}}";
    struct network n = presses('1');

    (void)state;
    n.understood = 1;
    struct talk t = talk_through(text, &n, NULL);
    assert_int_equal(t.recordings, 1);
    assert_int_equal(t.submitted, 1);
    assert_int_equal(t.commands, 1);
    assert_int_equal(t.recognised, 1);
    assert_int_equal(t.understood, 1);
    assert_true(t.callback_ms > AT);
}

static int sell(void *arg, const struct ivr_data *d, int64_t now_ms,
                struct table_result *out)
{
    int *sold = arg;

    assert_string_equal(d->table, "places");
    assert_true(now_ms >= AT);
    ++*sold;
    *out = (struct table_result){.result = IVR_DATA_NONE};
    return 0;
}

/* It is part of the step's commit, which does not wait until the prompt is heard. */
static void a_table_is_asked_also_when_the_party_hangs_up_in_the_prompt(void **state)
{
    static const char text[] =
        "{\"furrow\":1,\"name\":\"d\",\"language\":\"en\",\"entry\":\"say\",\"nodes\":{"
        "\"say\":{\"kind\":\"say\",\"prompt\":{\"en\":\"One moment, please.\"},"
        "\"exits\":{\"done\":\"d\",\"failed\":\"e\"}},"
        "\"d\":{\"kind\":\"data\",\"table\":\"places\",\"exits\":{\"done\":\"e\","
        "\"none\":"
        "\"c\",\"failed\":\"e\"}},\"c\":{\"kind\":\"collect\",\"prompt\":{\"en\":"
        "\"Which?\"},\"exits\":{\"1\":\"e\",\"invalid\":\"e\",\"no_input\":\"e\"}},"
        "\"e\":{\"kind\":\"hangup\"}}}";
    struct network n = presses('1');
    int sold = 0;
    const struct talk_tables tables = {sell, &sold};

    (void)state;
    n.hang_up = 1;
    struct talk t = talk_through(text, &n, &tables);
    assert_int_equal(sold, 1);
    assert_int_equal(t.data[IVR_DATA_NONE], 1);
    assert_string_equal(t.outcome, "hung_up");
}

/* The same flow, but what is said is a time to call. */
static void a_time_that_is_said_is_a_callback_when_it_is_understood(void **state)
{
    static const char plain[] = "\"prompt\":\"speak\",";
    static const char said[] = "\"prompt\":\"speak\",\"pipeline\":\"callback\",";
    const struct ivr_compile_options options = {.sha256 = sha256_of};
    struct network n = presses('1');
    struct ivr_arena *own = NULL;
    struct ivr_prog *kept = prog;
    struct ivr_issues issues;
    char text[sizeof(flow) + sizeof(said)];
    const char *at = strstr(flow, plain);

    (void)state;
    snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - flow), flow, said,
             at + strlen(plain));
    assert_int_equal(ivr_arena_new(&own, NULL), 0);
    if (ivr_compile(&prog, text, strlen(text), &options, own, &issues))
        fail_msg("%s", issues.list[0].text);
    n.understood = 1;
    n.call_in = (struct network_span){3600, 3600};
    struct talk t = talk_with(&n, false, 3);
    assert_int_equal(t.recognised, 1);
    assert_int_equal(t.understood, 1);
    assert_in_range(t.callback_ms, AT + 3600000, AT + 3630000);
    n.understood = 0;
    t = talk_with(&n, false, 3);
    assert_true(t.recognised == 1 && t.understood == 0 && t.callback_ms == 0);
    prog = kept;
    t = talk_with(&n, false, 3);
    assert_true(t.recordings == 1 && t.recognised == 0);
    ivr_arena_free(own);
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

/* ---- who answered ---- */

static struct answer listen(const struct machine_rule *rule, int64_t speaks_ms,
                            int64_t silent_ms, int64_t beeps_ms, int64_t leaves_ms)
{
    const struct network_voice v = {speaks_ms, silent_ms, beeps_ms};
    struct answer a;

    answer_listen(rule, &v, AT, leaves_ms, &a);
    return a;
}

static void machines_are_told_from_people_by_how_they_speak(void **state)
{
    struct machine_rule rule;

    (void)state;
    machine_rule_default(&rule);
    rule.action = MACHINE_MESSAGE;
    /* "Hello?", and a pause. */
    struct answer a = listen(&rule, AT + 500, AT + 1200, INT64_MAX, INT64_MAX);
    assert_true(a.verdict == MACHINE_HUMAN && a.flow && !a.message);
    assert_int_equal(a.at_ms, AT + 1200 + rule.pause_ms);
    /* Speaks on: the message begins after its beep. */
    a = listen(&rule, AT + 500, AT + 6000, AT + 6500, AT + 30000);
    assert_true(a.verdict == MACHINE_MACHINE && a.flow && a.message);
    assert_int_equal(a.at_ms, AT + 6700);
    /* No beep: after a pause. It leaves first: nothing is left on it. */
    a = listen(&rule, AT + 500, AT + 6000, INT64_MAX, AT + 30000);
    assert_int_equal(a.at_ms, AT + 7500);
    a = listen(&rule, AT + 500, AT + 6000, INT64_MAX, AT + 7000);
    assert_true(a.verdict == MACHINE_MACHINE && !a.flow);
    assert_int_equal(a.at_ms, AT + 7000);
    /* Says nothing: taken for a person. */
    a = listen(&rule, INT64_MAX, INT64_MAX, INT64_MAX, INT64_MAX);
    assert_true(a.verdict == MACHINE_UNSURE && a.flow && !a.message);
    assert_int_equal(a.at_ms, AT + rule.total_ms);
    rule.action = MACHINE_HANG_UP;
    a = listen(&rule, AT + 500, AT + 6000, AT + 6500, AT + 30000);
    assert_true(!a.flow && a.at_ms == AT + 500 + rule.greeting_ms);
}

/* ---- trunks ---- */

enum { MAIN, SECOND, SPARE, TRUNKS };

/* Three to one for a second, then a spare of a lower priority. */
static struct scene three_trunks(void)
{
    return (struct scene){
        .cps = 100,
        .channels = 1000,
        .from_ms = AT,
        .trunk_count = TRUNKS,
        .trunks = {
            {.name = "main", .cps = 30, .channels = 400, .weight = 3},
            {.name = "second", .cps = 30, .channels = 400, .weight = 1},
            {.name = "spare", .cps = 5, .channels = 400, .weight = 1, .priority = 1}}};
}

/* What they carry between two instants when everybody is due; calls never end. */
static void carry(struct lines *l, int64_t from_ms, int64_t to_ms, int64_t out[TRUNKS])
{
    size_t wanted = 0;

    memset(out, 0, TRUNKS * sizeof(*out));
    for (int64_t at = lines_ready_ms(l, from_ms); at < to_ms;
         at = lines_ready_ms(l, at)) {
        int which = lines_next(l, at, &wanted);
        assert_true(which >= 0 && wanted > 0);
        lines_claimed(l, which, wanted);
        for (size_t i = 0; i < wanted; i++)
            out[which] += lines_send(l, which, at) < to_ms;
    }
}

static void calls_are_shared_among_trunks_by_weight_and_priority(void **state)
{
    struct scene s = three_trunks();
    struct network n;
    struct lines l;
    int64_t calls[TRUNKS];

    (void)state;
    network_default(&n);
    s.cps = 20; /* what all of them may: below what two can */
    lines_init(&l, &s, &n);
    carry(&l, AT, AT + 10000, calls);
    assert_in_range(calls[MAIN] + calls[SECOND], 195, 205);
    assert_in_range(calls[MAIN], 140, 160); /* three quarters */
    assert_int_equal(calls[SPARE], 0);
}

static void
a_trunk_that_is_down_is_passed_over_and_one_that_is_full_holds_nobody(void **state)
{
    struct scene s = three_trunks();
    struct network n;
    struct errtext e = {0};
    struct lines l;
    int64_t calls[TRUNKS];
    static const char down[] = "{\"outages\":[[\"main\",0,1],[\"second\",0.5,1]]}";

    (void)state;
    network_default(&n);
    assert_int_equal(network_parse(&n, down, sizeof(down) - 1, &e), 0);
    lines_init(&l, &s, &n);
    carry(&l, AT, AT + 10000, calls);
    assert_int_equal(calls[MAIN], 0);
    assert_in_range(calls[SECOND], 290, 310);
    assert_int_equal(calls[SPARE], 0);
    /* Both are down: the spare one carries, at its own pace. */
    carry(&l, AT + 1800000, AT + 1810000, calls);
    assert_int_equal(calls[MAIN] + calls[SECOND], 0);
    assert_in_range(calls[SPARE], 49, 51);
    /* All channels of the second are in use, and the main one is back. */
    carry(&l, AT + 3600000, AT + 3604000, calls);
    assert_in_range(calls[MAIN], 110, 130);
    assert_int_equal(l.at[SECOND].open, 400);
    assert_int_equal(calls[SPARE], 0);
}

/* ---- agents ---- */

static struct desk_served ask(struct desk *d, int64_t at_ms)
{
    const struct desk_ask a = {.now_ms = at_ms,
                               .max_wait_ms = 60000,
                               .patience_ms = 40000,
                               .connect_ms = 1000,
                               .talk_ms = 30000,
                               .wrap_up_ms = 9000};
    struct desk_served served;

    desk_ask(d, &a, &served);
    return served;
}

static void
who_asks_first_is_served_first_and_waits_no_longer_than_they_will(void **state)
{
    struct campaign_doc doc = {.mode = {.kind = MODE_FIXED}};
    const struct scene s = {.doc = &doc, .from_ms = AT};
    struct desk *d = desk_new(&s, 2);

    (void)state;
    for (int i = 0; i < 2; i++) {
        struct desk_served at_once = ask(d, AT + i);
        assert_true(at_once.result == IVR_LEFT_SERVED && !at_once.hung_up);
        assert_int_equal(at_once.at_ms, AT + i + 31000);
    }
    /* Free again at 40 s: the third waits 35 s, the fourth as well, the fifth too long.
     */
    struct desk_served third = ask(d, AT + 5000);
    assert_true(third.result == IVR_LEFT_SERVED && third.at_ms == AT + 40000 + 31000);
    struct desk_served fourth = ask(d, AT + 5001);
    assert_true(fourth.result == IVR_LEFT_SERVED && fourth.at_ms == AT + 40001 + 31000);
    struct desk_served fifth = ask(d, AT + 6000);
    assert_true(fifth.hung_up && fifth.at_ms == AT + 46000);
    struct desk_counts c = desk_counts(d);
    assert_int_equal(c.served, 4);
    assert_int_equal(c.left, 1);
    assert_int_equal(c.longest_wait_ms, 35000);
    desk_free(d);
}

/* True: with an agent, who was there in time and is free again after 35 s. */
static bool talk(struct desk *d, uint32_t booking, int64_t now_ms)
{
    bool taken = false;

    assert_int_equal(desk_take(d, booking, now_ms, &taken), 0);
    if (!taken)
        return false;
    assert_int_equal(desk_connected(d, booking, true, now_ms + 1000), 0);
    desk_left(d, booking, 5000, now_ms + 30000);
    return true;
}

/* Everybody answers, and whoever has no agent is abandoned: the limit holds after every
 * single call once the credit lets unbacked ones out. */
static void no_answer_of_unbacked_calls_breaks_the_abandonment_limit(void **state)
{
    enum { CALLS = 3000, AGENTS = 4, LIMIT_PPM = 30000 };
    struct campaign_doc doc = {.ring_timeout_s = 30};
    const struct scene s = {.doc = &doc, .from_ms = AT};
    int64_t answered = 0, abandoned = 0, unbacked = 0, now_ms = AT;

    (void)state;
    mode_rules_default(&doc.mode);
    doc.mode.kind = MODE_RATIO;
    doc.mode.ratio = 5;
    doc.mode.limit_ppm = LIMIT_PPM;
    struct desk *d = desk_new(&s, AGENTS);
    while (answered < CALLS) {
        uint32_t bookings[64];
        struct desk_book book;
        size_t n = 0;

        now_ms += 60000;
        assert_int_equal(desk_look(d, now_ms, 64, &book), 0);
        for (int i = 0; i < book.room.backed + book.room.unbacked; i++)
            bookings[n++] = desk_book(d, now_ms, i < book.room.backed, false);
        unbacked += book.room.unbacked;
        for (size_t i = 0; i < n; i++)
            desk_answered(d, bookings[i], now_ms + 5000);
        for (size_t i = 0; i < n; i++) { /* the unbacked ones first */
            uint32_t booking = bookings[n - 1 - i];
            int64_t gone_ms = 0;
            bool taken = talk(d, booking, now_ms + 5000);
            assert_int_equal(desk_over(d, booking, now_ms + 40000, &gone_ms), 0);
            answered++;
            abandoned += gone_ms > 0;
            assert_int_equal(gone_ms, taken ? 0 : now_ms);
            assert_true(abandoned * 1000000 <= LIMIT_PPM * answered);
        }
    }
    struct desk_counts c = desk_counts(d);
    assert_true(unbacked > CALLS / 100 && c.abandoned == abandoned && abandoned > 20);
    assert_true(c.worst_ppm <= LIMIT_PPM);
    desk_free(d);
}

/* Nor as answered: the limit is of people. */
static void a_machine_is_not_abandoned_and_its_agent_is_free(void **state)
{
    struct campaign_doc doc = {.ring_timeout_s = 30};
    const struct scene s = {.doc = &doc, .from_ms = AT};
    struct desk_book book;
    int64_t gone_ms = 0;
    bool taken = false;

    (void)state;
    mode_rules_default(&doc.mode);
    doc.mode.kind = MODE_PROGRESSIVE;
    struct desk *d = desk_new(&s, 1);
    for (int i = 0; i < 2; i++) {
        bool hears_flow = i > 0;
        int64_t now_ms = AT + i * 100000;
        assert_int_equal(desk_look(d, now_ms, 9, &book), 0);
        assert_int_equal(book.room.backed, 1);
        uint32_t booking = desk_book(d, now_ms, true, false);
        desk_answered(d, booking, now_ms + 5000);
        desk_machine(d, booking, hears_flow, now_ms + 8000);
        assert_int_equal(desk_look(d, now_ms + 8000, 9, &book), 0);
        assert_int_equal(book.room.backed, hears_flow ? 0 : 1);
        /* The message for machines has no agent; taken for a person it may have. */
        assert_int_equal(desk_take(d, booking, now_ms + 9000, &taken), 0);
        assert_int_equal(taken, hears_flow);
        assert_int_equal(desk_over(d, booking, now_ms + 12000, &gone_ms), 0);
        assert_int_equal(gone_ms, 0);
    }
    struct desk_counts c = desk_counts(d);
    assert_int_equal(c.answered, 0);
    assert_int_equal(c.abandoned, 0);
    desk_free(d);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_machine_is_not_abandoned_and_its_agent_is_free),
        cmocka_unit_test(
            who_asks_first_is_served_first_and_waits_no_longer_than_they_will),
        cmocka_unit_test(no_answer_of_unbacked_calls_breaks_the_abandonment_limit),
        cmocka_unit_test(machines_are_told_from_people_by_how_they_speak),
        cmocka_unit_test(calls_are_shared_among_trunks_by_weight_and_priority),
        cmocka_unit_test(
            a_trunk_that_is_down_is_passed_over_and_one_that_is_full_holds_nobody),
        cmocka_unit_test(what_it_writes_it_reads_again),
        cmocka_unit_test(a_field_that_cannot_be_is_named),
        cmocka_unit_test(a_field_that_cannot_be_is_found_in_the_file),
        cmocka_unit_test(a_call_hangs_on_seed_number_and_attempt_alone),
        cmocka_unit_test(shares_come_out_as_they_are_stated),
        cmocka_unit_test(who_speaks_is_recorded_and_the_time_it_takes_passes),
        cmocka_unit_test(a_queue_without_agents_is_full_and_counted),
        cmocka_unit_test(what_is_submitted_is_counted_and_understood),
        cmocka_unit_test(a_table_is_asked_also_when_the_party_hangs_up_in_the_prompt),
        cmocka_unit_test(a_time_that_is_said_is_a_callback_when_it_is_understood),
        cmocka_unit_test(who_asks_to_be_called_later_is_noted_and_who_opts_out_too),
        cmocka_unit_test(who_hangs_up_is_gone_in_the_middle_of_a_prompt),
        cmocka_unit_test(a_machine_presses_nothing_and_leaves_when_its_time_is_up),
    };

    return cmocka_run_group_tests(tests, compile, drop);
}
