/* backoff: doubling, bounded, spread out. */
#include "unit/cm.h"

#include "workers/backoff.h"
#include "workers/job_asr.h"

static void doubles_up_to_the_longest_wait(void **state)
{
    (void)state;
    assert_int_equal(backoff_ms(1, 1000, 60000, UINT32_MAX), 1000);
    assert_int_equal(backoff_ms(2, 1000, 60000, UINT32_MAX), 2000);
    assert_int_equal(backoff_ms(6, 1000, 60000, UINT32_MAX), 32000);
    assert_int_equal(backoff_ms(7, 1000, 60000, UINT32_MAX), 60000);
    assert_int_equal(backoff_ms(1000000, 1000, 60000, UINT32_MAX), 60000);
}

static void waits_at_least_half_a_step(void **state)
{
    (void)state;
    assert_int_equal(backoff_ms(3, 1000, 60000, 0), 2000);
    for (uint32_t r = 0; r < UINT32_MAX - 100000000; r += 99999999) {
        int64_t ms = backoff_ms(3, 1000, 60000, r);
        assert_in_range(ms, 2000, 4000);
    }
}

static void never_waits_less_than_a_millisecond(void **state)
{
    (void)state;
    assert_int_equal(backoff_ms(0, 0, 0, 0), 1);
    assert_int_equal(backoff_ms(1, -5, 10, 0), 1);
}

static void languages_are_sent_left_out_or_kept_for_a_person(void **state)
{
    static const struct {
        const char *languages, *language;
        int may;
        const char *sent;
    } cases[] = {
        {"en", "en", 1, "en"},
        {"en", "en-US", 1, "en"},
        {"en", "", 1, ""},
        {"en", "om", 0, ""},
        {"en,am", "am-ET", 1, "am"},
        {"en, am", "am", 1, "am"},
        {"en,om=omit", "om", 1, ""},
        {"en,om=orm", "om", 1, "orm"},
        {"*", "om", 1, "om"},
        {"om=omit,*", "om", 1, ""},
        {"", "en", 0, ""},
        {"eng", "en", 0, ""},
        {"en,om=farfartoolong", "om", 1, ""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        char sent[8] = "?";
        bool may = asr_language(cases[i].languages, cases[i].language, sent);
        assert_int_equal(may, cases[i].may);
        assert_string_equal(sent, cases[i].sent);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(doubles_up_to_the_longest_wait),
        cmocka_unit_test(waits_at_least_half_a_step),
        cmocka_unit_test(never_waits_less_than_a_millisecond),
        cmocka_unit_test(languages_are_sent_left_out_or_kept_for_a_person),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
