#include "unit/cm.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "campaigns/schedule.h"

static struct schedule plan(const char *cron, const char *zone)
{
    struct schedule s = {0};
    struct errtext e = {0};

    if (schedule_parse(&s, cron, zone, &e))
        fail_msg("%s: %s", cron, e.text);
    return s;
}

static int64_t at(const char *text)
{
    int64_t ms = 0;

    assert_int_equal(clock_parse(text, &ms), 0);
    return ms;
}

/* The instants that follow `after`, one after the other. */
static void assert_next(const char *cron, const char *zone, const char *after,
                        const char *const *want)
{
    struct schedule s = plan(cron, zone);
    int64_t now = at(after), next = 0;
    char text[CLOCK_TEXT_MAX];

    for (; *want; want++) {
        assert_int_equal(schedule_next(&s, now, &next), 0);
        if (strcmp(clock_text(next, text), *want) != 0)
            fail_msg("%s in %s: %s, wanted %s", cron, zone, text, *want);
        now = next;
    }
}
#define NEXT(cron, zone, after, ...)                                                     \
    assert_next(cron, zone, after, (const char *const[]){__VA_ARGS__, NULL})

static void plans_in_the_zones_own_time(void **state)
{
    (void)state;
    NEXT("0 9 * * *", "Africa/Addis_Ababa", "2026-11-24T05:59:59Z",
         "2026-11-24T06:00:00Z", "2026-11-25T06:00:00Z");
    NEXT("30 8,17 * * mon-fri", "UTC", "2026-11-27T09:00:00Z", "2026-11-27T17:30:00Z",
         "2026-11-30T08:30:00Z");
    NEXT("0 0 1 jan *", "Pacific/Auckland", "2026-06-01T00:00:00Z",
         "2026-12-31T11:00:00Z", "2027-12-31T11:00:00Z");
    NEXT("*/20 9-10 * * *", "UTC", "2026-01-01T09:10:00Z", "2026-01-01T09:20:00Z",
         "2026-01-01T09:40:00Z", "2026-01-01T10:00:00Z");
    NEXT("10/25 0 * * *", "UTC", "2026-01-01T00:00:00Z", "2026-01-01T00:10:00Z",
         "2026-01-01T00:35:00Z", "2026-01-02T00:10:00Z");
}

static void an_instant_is_not_its_own_next(void **state)
{
    (void)state;
    NEXT("0 9 * * *", "UTC", "2026-11-24T09:00:00Z", "2026-11-25T09:00:00Z");
    NEXT("0 9 * * *", "UTC", "2026-11-24T08:59:59.999Z", "2026-11-24T09:00:00Z");
}

static void both_days_stated_mean_either_one(void **state)
{
    (void)state;
    NEXT("0 0 13 * fri", "UTC", "2026-11-08T00:00:00Z", "2026-11-13T00:00:00Z",
         "2026-11-20T00:00:00Z", "2026-11-27T00:00:00Z", "2026-12-04T00:00:00Z",
         "2026-12-11T00:00:00Z", "2026-12-13T00:00:00Z");
    /* A star with a step still counts as "every day": then both must hold. */
    NEXT("0 0 */2 * mon", "UTC", "2026-11-01T00:00:00Z", "2026-11-09T00:00:00Z",
         "2026-11-23T00:00:00Z");
}

static void sunday_is_nought_and_seven(void **state)
{
    struct schedule a = plan("0 0 * * 0", "UTC"), b = plan("0 0 * * 7", "UTC"),
                    c = plan("0 0 * * Sun", "UTC"), d = plan("0 0 * * fri-sun", "UTC"),
                    e = plan("0 0 * * 5-7", "UTC"), f = plan("0 0 * * sun-tue", "UTC");

    (void)state;
    assert_int_equal(a.weekdays, 1);
    assert_int_equal(b.weekdays, 1);
    assert_int_equal(c.weekdays, 1);
    assert_int_equal(d.weekdays, 1 | 1 << 5 | 1 << 6);
    assert_int_equal(e.weekdays, d.weekdays);
    assert_int_equal(f.weekdays, 1 | 1 << 1 | 1 << 2);
}

static void a_time_that_is_skipped_fires_at_the_jump(void **state)
{
    (void)state;
    /* Berlin, 28 March 2027: 02:00 becomes 03:00 at 01:00 UTC. */
    NEXT("30 2 * * *", "Europe/Berlin", "2027-03-27T12:00:00Z", "2027-03-28T01:00:00Z",
         "2027-03-29T00:30:00Z");
    /* Several swallowed ones are one instant. */
    NEXT("0,15,30 2 * * *", "Europe/Berlin", "2027-03-27T12:00:00Z",
         "2027-03-28T01:00:00Z", "2027-03-29T00:00:00Z");
    NEXT("0 3 * * *", "Europe/Berlin", "2027-03-27T12:00:00Z", "2027-03-28T01:00:00Z");
    /* Cairo jumps at midnight: 24 April 2026 has no 00:30. */
    NEXT("30 0 * * *", "Africa/Cairo", "2026-04-23T12:00:00Z", "2026-04-23T22:00:00Z",
         "2026-04-24T21:30:00Z");
    /* Samoa had no 30 December 2011 at all. */
    NEXT("0 9 30 12 *", "Pacific/Apia", "2011-12-01T00:00:00Z", "2011-12-30T10:00:00Z");
}

static void a_stated_hour_that_comes_twice_fires_once_at_its_first_pass(void **state)
{
    (void)state;
    /* Berlin, 31 October 2027: 02:00-03:00 twice, from 00:00 and from 01:00 UTC. */
    NEXT("30 2 * * *", "Europe/Berlin", "2027-10-30T12:00:00Z", "2027-10-31T00:30:00Z",
         "2027-11-01T01:30:00Z");
    NEXT("15,45 2 * * *", "Europe/Berlin", "2027-10-30T12:00:00Z", "2027-10-31T00:15:00Z",
         "2027-10-31T00:45:00Z", "2027-11-01T01:15:00Z");
}

static void every_hour_fires_in_both_passes(void **state)
{
    (void)state;
    NEXT("30 * * * *", "Europe/Berlin", "2027-10-30T23:00:00Z", "2027-10-30T23:30:00Z",
         "2027-10-31T00:30:00Z", "2027-10-31T01:30:00Z", "2027-10-31T02:30:00Z");
}

static void a_clock_set_back_over_midnight_keeps_its_order(void **state)
{
    (void)state;
    /* Goose Bay fell back at 00:01: 23:01-00:00 came twice (1 November 2009, 02:01
     * UTC is 00:01 daylight time and becomes 23:01). */
    NEXT("*/30 * * * *", "America/Goose_Bay", "2009-11-01T02:15:00Z",
         "2009-11-01T02:30:00Z", "2009-11-01T03:00:00Z", "2009-11-01T03:30:00Z");
    NEXT("30 * * * *", "America/Goose_Bay", "2009-11-01T03:10:00Z",
         "2009-11-01T03:30:00Z", "2009-11-01T04:30:00Z");
}

static void thirtieth_of_february_never_comes_and_the_29th_does(void **state)
{
    struct schedule s = plan("0 0 30 feb *", "UTC");
    int64_t next = 7;

    (void)state;
    assert_int_equal(schedule_next(&s, at("2026-01-01T00:00:00Z"), &next), ENODATA);
    assert_int_equal(schedule_latest(&s, 0, at("2026-01-01T00:00:00Z"), &next), ENODATA);
    assert_int_equal(next, 7);
    NEXT("0 0 29 2 *", "UTC", "2026-01-01T00:00:00Z", "2028-02-29T00:00:00Z",
         "2032-02-29T00:00:00Z");
}

static void the_latest_of_several_missed_ones_is_found(void **state)
{
    struct schedule s = plan("0 9 * * *", "Africa/Addis_Ababa");
    int64_t got = 0;

    (void)state;
    assert_int_equal(
        schedule_latest(&s, at("2026-11-01T00:00:00Z"), at("2026-11-24T07:00:00Z"), &got),
        0);
    assert_int_equal(got, at("2026-11-24T06:00:00Z"));
    /* until is included, after is not. */
    assert_int_equal(
        schedule_latest(&s, at("2026-11-23T06:00:00Z"), at("2026-11-24T06:00:00Z"), &got),
        0);
    assert_int_equal(got, at("2026-11-24T06:00:00Z"));
    assert_int_equal(
        schedule_latest(&s, at("2026-11-24T06:00:00Z"), at("2026-11-25T05:59:59Z"), &got),
        ENODATA);
    assert_int_equal(schedule_latest(&s, got, got, &got), ENODATA);
}

static void next_and_latest_agree_over_a_year_of_hours(void **state)
{
    struct schedule s = plan("*/45 1-3 * * *", "America/New_York");
    int64_t from = at("2026-01-01T00:00:00Z"), step = 3600 * 1000, n = 0;

    (void)state;
    for (int64_t now = from; now < from + 365 * 24 * step; now += 7 * step, n++) {
        int64_t next = 0, latest = 0;

        assert_int_equal(schedule_next(&s, now, &next), 0);
        assert_true(next > now);
        /* Nothing is planned between. */
        assert_int_equal(schedule_latest(&s, now, next - 1, &latest), ENODATA);
        assert_int_equal(schedule_latest(&s, now, next, &latest), 0);
        assert_int_equal(latest, next);
    }
    assert_true(n > 1000);
}

static void a_wrong_text_names_the_field_and_what_it_may_hold(void **state)
{
    static const struct {
        const char *cron, *says;
    } cases[] = {
        {"60 * * * *", "minute '60' is out of range or no number; it may hold 0 to 59"},
        {"* 24 * * *", "hour '24'"},
        {"* * 0 * *", "day of the month '0'"},
        {"* * 32 * *", "day of the month '32'"},
        {"* * * 13 *", "month '13'"},
        {"* * * janu *", "month 'janu' is out of range or no number; it may hold 1 to 12 "
                         "or jan to dec"},
        {"* * * * 8", "day of the week '8'"},
        {"* * * * mon-", "day of the week 'mon-'"},
        {"5-1 * * * *", "minute '5-1' runs backwards"},
        {"*/0 * * * *", "minute '*/0' has no usable step"},
        {"*/x * * * *", "minute '*/x' has no usable step"},
        {"1,,2 * * * *", "minute '' is empty"},
        {"+1 * * * *", "minute '+1'"},
        {"-1 * * * *", "minute '-1'"},
        {"** * * * *", "minute '**'"},
        {"0 9 * *", "five fields (minute hour day-of-month month day-of-week), this one "
                    "has 4"},
        {"0 9 * * * *", "this one has 6"},
        {"", "this one has 0"},
        {"@daily", "minute '@daily'"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct schedule s = {.minutes = 77};
        struct errtext e = {0};

        assert_int_equal(schedule_parse(&s, cases[i].cron, "UTC", &e), EINVAL);
        if (!strstr(e.text, cases[i].says))
            fail_msg("'%s': %s", cases[i].cron, e.text);
        assert_int_equal(s.minutes, 77);
    }
}

static void a_wrong_zone_is_said(void **state)
{
    static const char *const zones[] = {"Africa/Adis", "", "../../etc/passwd", "EAT+3"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(zones); i++) {
        struct schedule s;
        struct errtext e = {0};

        assert_int_equal(schedule_parse(&s, "0 9 * * *", zones[i], &e), EINVAL);
        assert_non_null(strstr(e.text, "no time zone '"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plans_in_the_zones_own_time),
        cmocka_unit_test(an_instant_is_not_its_own_next),
        cmocka_unit_test(both_days_stated_mean_either_one),
        cmocka_unit_test(sunday_is_nought_and_seven),
        cmocka_unit_test(a_time_that_is_skipped_fires_at_the_jump),
        cmocka_unit_test(a_stated_hour_that_comes_twice_fires_once_at_its_first_pass),
        cmocka_unit_test(every_hour_fires_in_both_passes),
        cmocka_unit_test(a_clock_set_back_over_midnight_keeps_its_order),
        cmocka_unit_test(thirtieth_of_february_never_comes_and_the_29th_does),
        cmocka_unit_test(the_latest_of_several_missed_ones_is_found),
        cmocka_unit_test(next_and_latest_agree_over_a_year_of_hours),
        cmocka_unit_test(a_wrong_text_names_the_field_and_what_it_may_hold),
        cmocka_unit_test(a_wrong_zone_is_said),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
