#include "unit/cm.h"

#include "campaigns/retry.h"

static struct retry_rules rules(void)
{
    struct retry_rules r = {0};

    retry_rules_default(&r);
    r.by[DISPOSITION_BUSY] = (struct retry_rule){
        .max_attempts = 4, .delay_s = 300, .backoff = 2, .max_delay_s = 900};
    return r;
}

static void waits_longer_after_each_attempt_up_to_the_longest_delay(void **state)
{
    struct retry_rules r = rules();
    static const int64_t want[] = {300, 600, 900};
    int64_t delay_s = 0;

    (void)state;
    for (int attempt = 1; attempt <= 3; attempt++) {
        assert_int_equal(retry_next(&r, DISPOSITION_BUSY, attempt, &delay_s),
                         RETRY_AGAIN);
        assert_int_equal(delay_s, want[attempt - 1]);
    }
}

static void is_final_at_the_rules_own_limit_and_at_the_campaigns(void **state)
{
    struct retry_rules r = rules();
    int64_t delay_s = 77;

    (void)state;
    assert_int_equal(retry_next(&r, DISPOSITION_BUSY, 4, &delay_s), RETRY_FINAL);
    r.max_attempts = 2;
    assert_int_equal(retry_next(&r, DISPOSITION_BUSY, 2, &delay_s), RETRY_FINAL);
    assert_int_equal(delay_s, 77); /* untouched */
    assert_int_equal(retry_next(&r, DISPOSITION_BUSY, 1, &delay_s), RETRY_AGAIN);
}

static void by_default_never_repeats_an_answered_a_declined_or_a_bad_one(void **state)
{
    struct retry_rules r = {0};
    int64_t delay_s = 0;

    (void)state;
    retry_rules_default(&r);
    assert_int_equal(retry_next(&r, DISPOSITION_COMPLETED, 1, &delay_s), RETRY_FINAL);
    assert_int_equal(retry_next(&r, DISPOSITION_REJECTED, 1, &delay_s), RETRY_FINAL);
    assert_int_equal(retry_next(&r, DISPOSITION_BAD_NUMBER, 1, &delay_s), RETRY_FINAL);
}

static void every_default_rule_ends_and_never_waits_less_than_a_minute(void **state)
{
    struct retry_rules r = {0};
    int64_t delay_s = 0;

    (void)state;
    retry_rules_default(&r);
    for (int d = 0; d < DISPOSITIONS; d++) {
        int attempt = 1;

        for (; retry_next(&r, (enum disposition)d, attempt, &delay_s) == RETRY_AGAIN;
             attempt++)
            assert_in_range(delay_s, 60, 86400);
        assert_in_range(attempt, 1, 5);
    }
}

static void a_huge_backoff_stays_within_the_longest_delay(void **state)
{
    struct retry_rules r = rules();
    int64_t delay_s = 0;

    (void)state;
    r.max_attempts = 1000000;
    r.by[DISPOSITION_BUSY] = (struct retry_rule){
        .max_attempts = 1000000, .delay_s = 1, .backoff = 100, .max_delay_s = 86400};
    assert_int_equal(retry_next(&r, DISPOSITION_BUSY, 999999, &delay_s), RETRY_AGAIN);
    assert_int_equal(delay_s, 86400);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(waits_longer_after_each_attempt_up_to_the_longest_delay),
        cmocka_unit_test(is_final_at_the_rules_own_limit_and_at_the_campaigns),
        cmocka_unit_test(by_default_never_repeats_an_answered_a_declined_or_a_bad_one),
        cmocka_unit_test(every_default_rule_ends_and_never_waits_less_than_a_minute),
        cmocka_unit_test(a_huge_backoff_stays_within_the_longest_delay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
