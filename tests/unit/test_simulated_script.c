/* dialer/simulated_script: same seed, same people; shares as stated; bad settings. */
#include "unit/cm.h"

#include <errno.h>
#include <string.h>

#include "dialer/simulated_script.h"

#define SETTINGS                                                                         \
    "{\"seed\": 7, \"answer\": 0.5, \"busy\": 0.2, \"no_answer\": 0.1, "                 \
    "\"rejected\": 0.1, \"bad_number\": 0.1, \"ring_s\": [4, 18], \"speak\": 0.25, "     \
    "\"opt_out\": 0.05, \"hang_up\": 0.2}"

enum { N = 20000 };
static const int64_t FIRST_PHONE = 251911000000;

static void parse(struct simulated_settings *s, const char *json)
{
    struct errtext e = {0};

    if (simulated_settings_parse(s, json, &e))
        fail_msg("%s", e.text);
}

static void outcomes_come_in_the_stated_shares(void **state)
{
    struct simulated_settings s;
    int outcomes[6] = {0}, manners[4] = {0};

    (void)state;
    parse(&s, SETTINGS);
    for (int i = 0; i < N; i++) {
        struct simulated_script script;
        simulated_script(&s, FIRST_PHONE + i, 1, &script);
        outcomes[script.outcome]++;
        manners[script.manner]++;
        if (script.outcome == SIMULATED_ANSWER || script.outcome == SIMULATED_NO_ANSWER)
            assert_in_range(script.ring_ms, 4000, 18000);
    }
    assert_in_range(outcomes[SIMULATED_ANSWER], N * 48 / 100, N * 52 / 100);
    assert_in_range(outcomes[SIMULATED_BUSY], N * 18 / 100, N * 22 / 100);
    assert_in_range(outcomes[SIMULATED_BAD_NUMBER], N * 9 / 100, N * 11 / 100);
    assert_int_equal(outcomes[SIMULATED_CONGESTION], 0);
    assert_in_range(manners[SIMULATED_SPEAKS], N * 23 / 100, N * 27 / 100);
    assert_in_range(manners[SIMULATED_OPTS_OUT], N * 4 / 100, N * 6 / 100);
}

static void the_same_seed_number_and_attempt_give_the_same(void **state)
{
    struct simulated_settings s, same, other;
    int differ_by_seed = 0, differ_by_attempt = 0;

    (void)state;
    parse(&s, SETTINGS);
    parse(&same, SETTINGS);
    parse(&other, "{\"seed\": \"8\", \"answer\": 0.5, \"busy\": 0.5}");
    other.answer = s.answer;
    for (int i = N; i-- > 0;) { /* in another order */
        struct simulated_script a, b, c, d;
        simulated_script(&s, FIRST_PHONE + i, 1, &a);
        simulated_script(&same, FIRST_PHONE + i, 1, &b);
        simulated_script(&s, FIRST_PHONE + i, 2, &c);
        simulated_script(&other, FIRST_PHONE + i, 1, &d);
        assert_int_equal(a.outcome, b.outcome);
        assert_int_equal(a.manner, b.manner);
        assert_int_equal(a.ring_ms, b.ring_ms);
        assert_true(a.voice == b.voice);
        differ_by_attempt += a.outcome != c.outcome;
        differ_by_seed +=
            (a.outcome == SIMULATED_ANSWER) != (d.outcome == SIMULATED_ANSWER);
    }
    assert_in_range(differ_by_attempt, N / 2, N); /* 1 - sum of squares: 0.68 */
    assert_in_range(differ_by_seed, N * 45 / 100, N * 55 / 100);
}

static void people_think_and_tire_as_they_are_told_to(void **state)
{
    struct simulated_settings usual, slow;
    struct simulated_script script;

    (void)state;
    parse(&usual, SETTINGS);
    assert_int_equal(usual.keys, 6);
    simulated_script(&usual, FIRST_PHONE, 1, &script);
    assert_int_equal(script.think_ms, 1000);
    parse(&slow, "{\"answer\": 1, \"think_s\": [3, 5], \"keys\": 40}");
    assert_int_equal(slow.keys, 40);
    for (int i = 0; i < 100; i++) {
        simulated_script(&slow, FIRST_PHONE + i, 1, &script);
        assert_in_range(script.think_ms, 3000, 5000);
    }
}

static void settings_that_cannot_work_are_refused_by_name(void **state)
{
    static const struct {
        const char *json, *word;
    } bad[] = {
        {"[]", "object"},
        {"{", "object"},
        {"{\"answer\": 2}", "answer"},
        {"{\"busy\": \"often\"}", "busy"},
        {"{\"answer\": 0.7, \"busy\": 0.7}", "more than 1"},
        {"{\"speak\": 0.7, \"hang_up\": 0.7}", "speak"},
        {"{\"ring_s\": [9, 4]}", "ring_s"},
        {"{\"ring_s\": 9}", "ring_s"},
        {"{\"seed\": 1.5}", "seed"},
        {"{\"think_s\": [2, 1]}", "think_s"},
        {"{\"keys\": 0}", "keys"},
        {"{\"keys\": \"many\"}", "keys"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct simulated_settings s;
        struct errtext e = {0};
        assert_int_equal(simulated_settings_parse(&s, bad[i].json, &e), EINVAL);
        assert_non_null(strstr(e.text, bad[i].word));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(outcomes_come_in_the_stated_shares),
        cmocka_unit_test(the_same_seed_number_and_attempt_give_the_same),
        cmocka_unit_test(people_think_and_tire_as_they_are_told_to),
        cmocka_unit_test(settings_that_cannot_work_are_refused_by_name),
    };

    return cmocka_run_group_tests_name("simulated_script", tests, NULL, NULL);
}
