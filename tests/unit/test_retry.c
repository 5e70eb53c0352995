#include "unit/cm.h"

#include "base/clock.h"
#include "campaigns/retry.h"
#include "contacts/tz.h"

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

/* ---- the whole rule ---- */

static int64_t at(const char *text)
{
    int64_t ms = 0;

    assert_int_equal(clock_parse(text, &ms), 0);
    return ms;
}

static struct retry_plan plan(const struct retry_rules *r, struct retry_ended ended)
{
    struct retry_plan out;

    ended.how = DISPOSITION_BUSY;
    if (!ended.attempt_number)
        ended.attempt_number = 1;
    retry_plan(r, &ended, &out);
    return out;
}

static void without_jitter_a_plan_is_the_delay_to_the_millisecond(void **state)
{
    struct retry_rules r = rules();
    struct retry_plan p =
        plan(&r, (struct retry_ended){.at_ms = 1000, .seed = retry_seed(1, 2, 1)});

    (void)state;
    assert_int_equal(p.outcome, RETRY_AGAIN);
    assert_int_equal(p.at_ms, 1000 + 300 * 1000);
    assert_int_equal(p.shift, 0);
    p = plan(&r, (struct retry_ended){.at_ms = 1000, .attempt_number = 4});
    assert_int_equal(p.outcome, RETRY_FINAL);
}

/* Evenly over the whole span: no tenth of it is empty or holds a fifth of them. */
static void jitter_spreads_evenly_and_is_the_same_for_the_same_contact(void **state)
{
    struct retry_rules r = rules();
    int tenths[10] = {0};

    (void)state;
    r.by[DISPOSITION_BUSY].jitter = 0.2;
    for (int64_t contact = 1; contact <= 1000; contact++) {
        struct retry_ended e = {.seed = retry_seed(7, contact, 1)};
        int64_t ms = plan(&r, e).at_ms;
        assert_in_range(ms, 240000, 360000);
        assert_int_equal(plan(&r, e).at_ms, ms);
        tenths[(ms - 240000) / 12001]++;
    }
    for (int i = 0; i < 10; i++)
        assert_in_range(tenths[i], 60, 140);
    assert_int_equal(plan(&r, (struct retry_ended){0}).at_ms, 300000); /* the middle */
    assert_true(retry_seed(7, 1, 1) != retry_seed(7, 1, 2));
    assert_true(retry_seed(7, 1, 1) != retry_seed(1, 7, 1));
}

static void the_order_moves_a_retry_before_or_behind_its_own_place(void **state)
{
    struct retry_rules r = rules();

    (void)state;
    r.by[DISPOSITION_BUSY].order = RETRY_FRONT;
    assert_int_equal(plan(&r, (struct retry_ended){0}).shift, RETRY_SHIFT);
    r.by[DISPOSITION_BUSY].order = RETRY_BACK;
    assert_int_equal(plan(&r, (struct retry_ended){0}).shift, -RETRY_SHIFT);
}

static void the_best_hour_is_the_one_with_most_answers_and_of_two_the_newest(void **state)
{
    const struct tz_zone *addis = NULL;
    int64_t answers[] = {at("2026-11-23T18:10:00+03:00"), at("2026-11-22T09:59:00+03:00"),
                         at("2026-11-21T09:00:00+03:00"), at("2026-11-20T18:00:00+03:00"),
                         at("2026-11-19T12:00:00+03:00")};

    (void)state;
    assert_int_equal(tz_find("Africa/Addis_Ababa", &addis), 0);
    assert_int_equal(retry_best_hour(addis, answers, 0), -1);
    assert_int_equal(retry_best_hour(addis, answers, 1), 18);
    assert_int_equal(retry_best_hour(addis, answers, 3), 9);
    assert_int_equal(retry_best_hour(addis, answers, 4), 18); /* two each */
}

static void a_retry_waits_for_the_best_hour_but_never_shorter_than_the_delay(void **state)
{
    static const struct {
        const char *ended, *due;
    } cases[] = {
        {"2026-11-24T11:00:00+03:00", "2026-11-24T18:00:00+03:00"},
        {"2026-11-24T17:57:00+03:00", "2026-11-24T18:02:00+03:00"}, /* in it already */
        {"2026-11-24T18:54:59+03:00", "2026-11-24T18:59:59+03:00"},
        {"2026-11-24T18:55:00+03:00", "2026-11-25T18:00:00+03:00"}, /* past: tomorrow */
        {"2026-11-24T23:58:00+03:00", "2026-11-25T18:00:00+03:00"},
    };
    struct retry_rules r = rules();
    int64_t answer = at("2026-11-20T18:30:00+03:00");
    struct retry_ended e = {.answers_ms = &answer, .answer_count = 1};

    (void)state;
    r.by[DISPOSITION_BUSY].hour = RETRY_BEST_HOUR;
    assert_true(retry_wants_answers(&r, DISPOSITION_BUSY));
    assert_false(retry_wants_answers(&r, DISPOSITION_FAILED));
    assert_int_equal(tz_find("Africa/Addis_Ababa", &e.zone), 0);
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        e.at_ms = at(cases[i].ended);
        assert_int_equal(plan(&r, e).at_ms, at(cases[i].due));
    }
    e.zone = NULL; /* nothing is known: the delay alone */
    e.at_ms = at(cases[0].ended);
    assert_int_equal(plan(&r, e).at_ms, e.at_ms + 300000);
}

/* New York, 2026-03-08: there is no 02:xx. */
static void an_hour_that_the_clock_jumps_over_is_awaited_a_day_longer(void **state)
{
    struct retry_rules r = rules();
    int64_t answer = at("2026-03-01T02:30:00-05:00");
    struct retry_ended e = {.answers_ms = &answer,
                            .answer_count = 1,
                            .at_ms = at("2026-03-08T00:30:00-05:00")};

    (void)state;
    r.by[DISPOSITION_BUSY].hour = RETRY_BEST_HOUR;
    assert_int_equal(tz_find("America/New_York", &e.zone), 0);
    assert_int_equal(plan(&r, e).at_ms, at("2026-03-09T02:00:00-04:00"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(waits_longer_after_each_attempt_up_to_the_longest_delay),
        cmocka_unit_test(is_final_at_the_rules_own_limit_and_at_the_campaigns),
        cmocka_unit_test(by_default_never_repeats_an_answered_a_declined_or_a_bad_one),
        cmocka_unit_test(every_default_rule_ends_and_never_waits_less_than_a_minute),
        cmocka_unit_test(a_huge_backoff_stays_within_the_longest_delay),
        cmocka_unit_test(without_jitter_a_plan_is_the_delay_to_the_millisecond),
        cmocka_unit_test(jitter_spreads_evenly_and_is_the_same_for_the_same_contact),
        cmocka_unit_test(the_order_moves_a_retry_before_or_behind_its_own_place),
        cmocka_unit_test(
            the_best_hour_is_the_one_with_most_answers_and_of_two_the_newest),
        cmocka_unit_test(
            a_retry_waits_for_the_best_hour_but_never_shorter_than_the_delay),
        cmocka_unit_test(an_hour_that_the_clock_jumps_over_is_awaited_a_day_longer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
