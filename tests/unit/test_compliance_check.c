/* Every rule by itself, and the clock's odd days. */
#include "unit/check_facts.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "compliance/check_json.h"
#include "contacts/tz.h"
#include "contacts/zones.h"

/* A policy of one window on all days, nothing else limited. */
static struct policy daily(int from_min, int until_min)
{
    struct policy p = {.ring_timeout_s = 25};

    for (int d = 0; d < 7; d++)
        p.week[d] = (struct policy_day){.n = 1, .at = {{from_min, until_min}}};
    return p;
}

static const char *const addis[] = {"Africa/Addis_Ababa"};
static const char *const new_york[] = {"America/New_York"};
static const char *const florida[] = {"America/Chicago", "America/New_York"};

static void expect_only(const struct verdict *v, enum reason r)
{
    if (v->n != 1 || v->reasons[0] != r)
        fail_msg("%zu reasons, first %s; not %s alone", v->n, reason_name(v->reason),
                 reason_name(r));
    if (reason_class(r) != REASON_TIME)
        assert_int_equal(v->next_allowed_ms, 0);
}

static void expect_next(const struct verdict *v, const char *text)
{
    char ours[CLOCK_TEXT_MAX];

    if (v->next_allowed_ms != at(text))
        fail_msg("next is %s, not %s", clock_text(v->next_allowed_ms, ours), text);
}

/* Friday, 12:00 in Addis Ababa. */
#define NOON "2026-11-20T09:00:00Z"

/* ---- each rule ---- */

static void a_sound_number_in_open_hours_is_allowed(void **state)
{
    struct policy p = daily(9 * 60, 20 * 60);
    struct compliance_facts f = facts_in(addis, 1);
    struct verdict v = verdict_of(&p, &f, at(NOON));

    (void)state;
    assert_true(v.allow);
    assert_int_equal(v.next_allowed_ms, 0);
    assert_int_equal(v.open_until_ms, at("2026-11-20T17:00:00Z"));
}

static void without_obeyable_rules_nobody_is_called(void **state)
{
    struct policy good = daily(9 * 60, 20 * 60), p;
    struct compliance_facts f = facts_in(addis, 1);
    struct verdict v = verdict_of(NULL, &f, at(NOON));

    (void)state;
    expect_only(&v, REASON_POLICY_MISSING);
    for (int i = 0; i < 9; i++) {
        p = good;
        if (i == 0)
            p.week[4].at[0].until_min = p.week[4].at[0].from_min; /* empty */
        if (i == 1)
            p.week[6].at[0].until_min = 1441;
        if (i == 2)
            p.week[0] = (struct policy_day){.n = 2, .at = {{60, 120}, {119, 180}}};
        if (i == 3)
            p.week[1].n = POLICY_INTERVALS_MAX + 1;
        if (i == 4)
            p.max_24h = -1;
        if (i == 5)
            p.min_gap_s = -1;
        if (i == 6)
            p.ring_timeout_s = 0;
        if (i == 7)
            p.close_guard_s = -1;
        if (i == 8)
            p.not_before_ms = p.not_after_ms = at(NOON);
        v = verdict_of(&p, &f, at(NOON));
        expect_only(&v, REASON_POLICY_INVALID);
    }
}

static void the_machines_doubts_refuse(void **state)
{
    struct policy p = daily(9 * 60, 20 * 60);
    struct compliance_facts f = facts_in(addis, 1);
    struct verdict v;

    (void)state;
    f.clock_trusted = false;
    v = verdict_of(&p, &f, at(NOON));
    expect_only(&v, REASON_CLOCK_UNTRUSTED);
    f = facts_in(addis, 1);
    f.history_known = false;
    v = verdict_of(&p, &f, at(NOON));
    expect_only(&v, REASON_HISTORY_UNAVAILABLE);
    f = facts_in(addis, 1);
    f.campaign_running = false;
    v = verdict_of(&p, &f, at(NOON));
    expect_only(&v, REASON_CAMPAIGN_STOPPED);
    f = facts_in(addis, 1);
    f.zones_date_ms = at(NOON) - 400 * DAY_MS;
    assert_true(verdict_of(&p, &f, at(NOON)).allow);
    f.zones_date_ms -= 1;
    v = verdict_of(&p, &f, at(NOON));
    expect_only(&v, REASON_PHONE_DATA_STALE);
}

static void the_campaigns_own_span_is_kept(void **state)
{
    struct policy p = daily(9 * 60, 20 * 60);
    struct compliance_facts f = facts_in(addis, 1);
    struct verdict v;

    (void)state;
    p.not_before_ms = at("2026-11-20T18:00:00Z"); /* after today's hours */
    v = verdict_of(&p, &f, at(NOON));
    expect_only(&v, REASON_NOT_BEFORE);
    expect_next(&v, "2026-11-21T06:00:00Z");
    p.not_after_ms = at("2026-11-21T06:00:00Z"); /* and over before tomorrow's */
    v = verdict_of(&p, &f, at(NOON));
    assert_int_equal(v.next_allowed_ms, 0);

    p = daily(9 * 60, 20 * 60);
    p.not_after_ms = at("2026-11-20T10:00:00Z");
    v = verdict_of(&p, &f, at(NOON));
    assert_true(v.allow);
    assert_int_equal(v.open_until_ms, p.not_after_ms);
    v = verdict_of(&p, &f, p.not_after_ms);
    expect_only(&v, REASON_CAMPAIGN_STOPPED);
}

static void numbers_that_are_none_or_of_a_forbidden_kind_are_refused(void **state)
{
    static const enum phone_type forbidden[] = {PHONE_PREMIUM,  PHONE_SHARED_COST,
                                                PHONE_PERSONAL, PHONE_PAGER,
                                                PHONE_UAN,      PHONE_VOICEMAIL};
    static const enum phone_type fine[] = {PHONE_FIXED, PHONE_MOBILE,
                                           PHONE_FIXED_OR_MOBILE, PHONE_VOIP};
    struct policy p = daily(9 * 60, 20 * 60);
    struct compliance_facts f = facts_in(addis, 1);
    struct verdict v;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(forbidden); i++) {
        f.type = forbidden[i];
        v = verdict_of(&p, &f, at(NOON));
        expect_only(&v, REASON_NUMBER_TYPE_FORBIDDEN);
    }
    for (size_t i = 0; i < ARRAY_LEN(fine); i++) {
        f.type = fine[i];
        assert_true(verdict_of(&p, &f, at(NOON)).allow);
    }
    f.valid = false;
    v = verdict_of(&p, &f, at(NOON));
    expect_only(&v, REASON_NUMBER_INVALID);
    f.zone_count = 0;
    v = verdict_of(&p, &f, at(NOON));
    expect_only(&v, REASON_NUMBER_INVALID);
}

static void only_the_campaigns_countries_are_called(void **state)
{
    struct policy p = daily(9 * 60, 20 * 60);
    struct compliance_facts f = facts_in(addis, 1);
    struct verdict v;

    (void)state;
    p.region_count = 2;
    str_cut(p.regions[0], 3, "KE");
    str_cut(p.regions[1], 3, "ET");
    assert_true(verdict_of(&p, &f, at(NOON)).allow);
    p.region_count = 1;
    v = verdict_of(&p, &f, at(NOON));
    expect_only(&v, REASON_COUNTRY_NOT_ENABLED);
}

static void do_not_call_means_never_at_any_hour(void **state)
{
    struct policy p = daily(9 * 60, 20 * 60);
    struct compliance_facts f = facts_in(addis, 1);
    struct verdict v;

    (void)state;
    f.dnc_tenant = true;
    v = verdict_of(&p, &f, at(NOON));
    expect_only(&v, REASON_DNC_INTERNAL);
    f.dnc_tenant = false;
    f.dnc_campaign = true;
    v = verdict_of(&p, &f, at(NOON));
    expect_only(&v, REASON_DNC_CAMPAIGN);
    v = verdict_of(&p, &f, at("2026-11-20T23:00:00Z"));
    assert_int_equal(v.n, 2);
    assert_int_equal(v.reason, REASON_DNC_CAMPAIGN);
    assert_int_equal(v.reasons[1], REASON_OUTSIDE_WINDOW);
    assert_int_equal(v.next_allowed_ms, 0);
}

static void consent_must_reach_the_level_and_not_be_taken_back(void **state)
{
    struct policy p = daily(9 * 60, 20 * 60);
    struct compliance_facts f = facts_in(addis, 1);
    struct verdict v;

    (void)state;
    for (int need = CONSENT_NONE; need <= CONSENT_EXPRESS_WRITTEN; need++) {
        for (int have = CONSENT_NONE; have <= CONSENT_EXPRESS_WRITTEN; have++) {
            p.consent_required = (enum consent_level)need;
            f.consent = (enum consent_level)have;
            v = verdict_of(&p, &f, at(NOON));
            if (have >= need)
                assert_true(v.allow);
            else
                expect_only(&v, REASON_CONSENT_MISSING);
        }
    }
    /* Whether it was asked for or not: a no is a no. */
    p.consent_required = CONSENT_NONE;
    f.consent_revoked = true;
    v = verdict_of(&p, &f, at(NOON));
    expect_only(&v, REASON_CONSENT_REVOKED);
}

static void a_number_that_is_being_called_is_left_alone(void **state)
{
    struct policy p = daily(9 * 60, 20 * 60);
    struct compliance_facts f = facts_in(addis, 1);
    const struct compliance_call call = {
        .at_ms = at(NOON) - 90 * DAY_MS, .campaign_id = 8, .open = true};
    struct verdict v;

    (void)state;
    f.calls = &call;
    f.call_count = 1;
    v = verdict_of(&p, &f, at(NOON));
    expect_only(&v, REASON_IN_FLIGHT);
}

static void the_gap_between_two_calls_is_kept_to_the_millisecond(void **state)
{
    struct policy p = daily(9 * 60, 20 * 60);
    struct compliance_facts f = facts_in(addis, 1);
    const struct compliance_call call = {.at_ms = at(NOON), .campaign_id = 8};
    struct verdict v;

    (void)state;
    p.min_gap_s = 3600;
    f.calls = &call;
    f.call_count = 1;
    v = verdict_of(&p, &f, at(NOON) + HOUR_MS - 1);
    expect_only(&v, REASON_COOLDOWN_RETRY);
    assert_int_equal(v.next_allowed_ms, at(NOON) + HOUR_MS);
    assert_true(verdict_of(&p, &f, at(NOON) + HOUR_MS).allow);
    /* A call of the future (the clock was set back) holds too. */
    v = verdict_of(&p, &f, at(NOON) - HOUR_MS);
    expect_only(&v, REASON_COOLDOWN_RETRY);
}

static void rolling_limits_count_elapsed_time_over_all_campaigns(void **state)
{
    struct policy p = daily(9 * 60, 20 * 60);
    struct compliance_facts f = facts_in(addis, 1);
    const struct compliance_call calls[] = {
        {.at_ms = at("2026-11-14T09:00:00Z"), .campaign_id = 7},
        {.at_ms = at("2026-11-19T10:00:00Z"), .campaign_id = 8},
        {.at_ms = at("2026-11-20T07:00:00Z"), .campaign_id = 9},
    };
    struct verdict v;

    (void)state;
    f.calls = calls;
    f.call_count = 3;
    p.max_24h = 2;
    v = verdict_of(&p, &f, at(NOON));
    expect_only(&v, REASON_FREQ_24H);
    expect_next(&v, "2026-11-20T10:00:00Z"); /* a day after the second */
    assert_true(verdict_of(&p, &f, v.next_allowed_ms).allow);
    p.max_24h = 3;
    assert_true(verdict_of(&p, &f, at(NOON)).allow);

    p.max_7d = 3;
    v = verdict_of(&p, &f, at(NOON));
    expect_only(&v, REASON_FREQ_7D);
    expect_next(&v, "2026-11-21T09:00:00Z");
    p.max_7d = 4;
    assert_true(verdict_of(&p, &f, at(NOON)).allow);
}

static void the_total_counts_this_campaign_alone_and_is_for_ever(void **state)
{
    struct policy p = daily(9 * 60, 20 * 60);
    struct compliance_facts f = facts_in(addis, 1);
    const struct compliance_call calls[] = {
        {.at_ms = at("2025-11-14T09:00:00Z"), .campaign_id = 7},
        {.at_ms = at("2026-10-19T10:00:00Z"), .campaign_id = 8},
        {.at_ms = at("2026-10-20T07:00:00Z"), .campaign_id = 7},
    };
    struct verdict v;

    (void)state;
    f.calls = calls;
    f.call_count = 3;
    p.max_total = 3;
    assert_true(verdict_of(&p, &f, at(NOON)).allow);
    p.max_total = 2;
    v = verdict_of(&p, &f, at(NOON));
    expect_only(&v, REASON_FREQ_LIFETIME);
}

/* ---- hours ---- */

static void windows_are_half_open(void **state)
{
    struct policy p = daily(9 * 60, 20 * 60);
    struct compliance_facts f = facts_in(addis, 1);
    struct verdict v = verdict_of(&p, &f, at("2026-11-20T06:00:00Z") - 1);

    (void)state;
    expect_only(&v, REASON_OUTSIDE_WINDOW);
    expect_next(&v, "2026-11-20T06:00:00Z");
    assert_true(verdict_of(&p, &f, at("2026-11-20T06:00:00Z")).allow);
    assert_true(verdict_of(&p, &f, at("2026-11-20T17:00:00Z") - 1).allow);
    v = verdict_of(&p, &f, at("2026-11-20T17:00:00Z"));
    expect_only(&v, REASON_OUTSIDE_WINDOW);
    expect_next(&v, "2026-11-21T06:00:00Z");
}

static void a_call_does_not_begin_just_before_the_end(void **state)
{
    struct policy p = daily(9 * 60, 20 * 60);
    struct compliance_facts f = facts_in(addis, 1);
    int64_t close_ms = at("2026-11-20T17:00:00Z");
    struct verdict v;

    (void)state;
    p.close_guard_s = 30;
    v = verdict_of(&p, &f, close_ms - 30 * SECOND_MS - 1);
    assert_true(v.allow);
    assert_int_equal(v.open_until_ms, close_ms - 30 * SECOND_MS);
    v = verdict_of(&p, &f, close_ms - 30 * SECOND_MS);
    expect_only(&v, REASON_WINDOW_CLOSING);
    expect_next(&v, "2026-11-21T06:00:00Z");
    /* A window shorter than its guard is no window. */
    p.week[5] = (struct policy_day){.n = 2, .at = {{540, 541}, {600, 1200}}};
    p.close_guard_s = 60;
    v = verdict_of(&p, &f, close_ms);
    expect_next(&v, "2026-11-21T07:00:00Z");
}

static void
a_call_before_the_clocks_went_back_has_the_date_of_its_own_offset(void **state)
{
    struct policy p = daily(9 * 60, 20 * 60);
    struct compliance_facts f = facts_in(new_york, 1);
    /* 00:30 on the 31st in summer time; in winter time it were the 30th */
    const struct compliance_call call = {.at_ms = at("2026-10-31T04:30:00Z")};

    (void)state;
    p.frequency[p.frequency_count++] = (struct frequency_rule){
        .code = REASON_FREQ_DAY, .calendar = true, .span = 3, .max = 1};
    f.calls = &call;
    f.call_count = 1;
    struct verdict v = verdict_of(&p, &f, at("2026-11-02T17:00:00Z"));
    expect_only(&v, REASON_FREQ_DAY);
    expect_next(&v, "2026-11-03T14:00:00Z");
}

static void windows_that_touch_are_one(void **state)
{
    struct policy p = daily(0, POLICY_MINUTES);
    struct compliance_facts f = facts_in(addis, 1);
    struct verdict v;

    (void)state;
    p.close_guard_s = 30;
    p.week[4] = (struct policy_day){.n = 2, .at = {{0, 720}, {720, POLICY_MINUTES}}};
    v = verdict_of(&p, &f, at(NOON) - 1); /* at the seam */
    assert_true(v.allow);
    assert_int_equal(v.open_until_ms, 0); /* round the clock: it never closes */
    assert_true(verdict_of(&p, &f, at("2026-11-20T20:59:59Z")).allow); /* midnight */
}

static void closed_days_and_holidays_are_stepped_over(void **state)
{
    struct policy p;
    struct compliance_facts f = facts_in(addis, 1);
    struct compliance_holiday holidays[] = {
        {.region = "ET", .day = tz_day_number(2026, 11, 20)},
        {.region = "KE", .day = tz_day_number(2026, 11, 21)},
        {.region = "*", .day = tz_day_number(2026, 11, 23)},
    };
    struct verdict v;

    (void)state;
    policy_default(&p);
    f.holidays = holidays;
    f.holiday_count = 3;
    v = verdict_of(&p, &f, at(NOON));
    expect_only(&v, REASON_HOLIDAY);
    expect_next(&v, "2026-11-21T06:00:00Z"); /* Kenya's holiday is not Ethiopia's */
    v = verdict_of(&p, &f, at("2026-11-22T09:00:00Z"));
    expect_only(&v, REASON_DAY_FORBIDDEN);
    expect_next(&v, "2026-11-24T06:00:00Z"); /* Sunday, then a holiday for all */
    p.observe_holidays = false;
    assert_true(verdict_of(&p, &f, at(NOON)).allow);
}

static void a_holiday_is_a_local_date(void **state)
{
    struct policy p = daily(0, POLICY_MINUTES);
    struct compliance_facts f = facts_in(addis, 1);
    struct compliance_holiday day = {.region = "ET", .day = tz_day_number(2026, 11, 21)};
    struct verdict v;

    (void)state;
    p.observe_holidays = true;
    f.holidays = &day;
    f.holiday_count = 1;
    assert_true(verdict_of(&p, &f, at("2026-11-20T21:00:00Z") - 1).allow);
    v = verdict_of(&p, &f, at("2026-11-20T21:00:00Z"));
    expect_only(&v, REASON_HOLIDAY);
    expect_next(&v, "2026-11-21T21:00:00Z");
}

static void every_zone_must_be_open(void **state)
{
    struct policy p = daily(8 * 60, 20 * 60);
    struct compliance_facts f = facts_in(florida, 2);
    struct verdict v;

    (void)state;
    v = verdict_of(&p, &f, at("2026-11-20T13:30:00Z")); /* 08:30 and 07:30 */
    expect_only(&v, REASON_OUTSIDE_WINDOW);
    expect_next(&v, "2026-11-20T14:00:00Z");
    v = verdict_of(&p, &f, at("2026-11-20T14:00:00Z"));
    assert_true(v.allow);
    assert_int_equal(v.open_until_ms, at("2026-11-21T01:00:00Z")); /* the eastern end */
}

static void zones_without_a_common_hour_are_named(void **state)
{
    static const char *const coasts[] = {"America/Los_Angeles", "America/New_York"};
    struct policy p = daily(9 * 60, 11 * 60);
    struct compliance_facts f = facts_in(coasts, 2);
    struct verdict v = verdict_of(&p, &f, at("2026-11-20T14:30:00Z"));

    (void)state;
    assert_int_equal(v.reason, REASON_TZ_NO_COMMON_WINDOW);
    assert_int_equal(v.n, 2);
    assert_int_equal(v.reasons[1], REASON_OUTSIDE_WINDOW);
    assert_int_equal(v.next_allowed_ms, 0);
}

static void where_it_rings_must_be_known(void **state)
{
    static const char *const odd[] = {"Africa/Addis_Ababa", "Africa/Atlantis"};
    static const char *const wide[] = {"America/New_York", "Asia/Tokyo"};
    struct policy p = daily(0, POLICY_MINUTES);
    struct compliance_facts f = facts_in(NULL, 0);
    struct verdict v = verdict_of(&p, &f, at(NOON));

    (void)state;
    expect_only(&v, REASON_TZ_UNKNOWN);
    f = facts_in(odd, 2);
    v = verdict_of(&p, &f, at(NOON));
    expect_only(&v, REASON_TZ_UNKNOWN);
    f = facts_in(wide, 2);
    v = verdict_of(&p, &f, at(NOON));
    expect_only(&v, REASON_TZ_UNKNOWN);
}

static void both_passes_through_a_repeated_hour_are_inside(void **state)
{
    struct policy p = daily(60, 90); /* 01:00-01:30 */
    struct compliance_facts f = facts_in(new_york, 1);
    struct verdict v;

    (void)state;
    v = verdict_of(&p, &f, at("2026-11-01T05:10:00Z")); /* EDT */
    assert_true(v.allow);
    assert_int_equal(v.open_until_ms, at("2026-11-01T05:30:00Z"));
    v = verdict_of(&p, &f, at("2026-11-01T05:30:00Z")); /* between */
    expect_only(&v, REASON_OUTSIDE_WINDOW);
    expect_next(&v, "2026-11-01T06:00:00Z");
    assert_true(verdict_of(&p, &f, at("2026-11-01T06:00:00Z")).allow); /* EST */
    v = verdict_of(&p, &f, at("2026-11-01T06:30:00Z"));
    expect_next(&v, "2026-11-02T06:00:00Z");
    /* Across the whole overlap: one window, an hour longer. */
    p = daily(30, 150);
    v = verdict_of(&p, &f, at("2026-11-01T04:30:00Z"));
    assert_true(v.allow);
    assert_int_equal(v.open_until_ms, at("2026-11-01T07:30:00Z"));
}

static void an_hour_that_does_not_exist_never_opens(void **state)
{
    struct policy p = daily(135, 165); /* 02:15-02:45 */
    struct compliance_facts f = facts_in(new_york, 1);
    struct verdict v = verdict_of(&p, &f, at("2027-03-14T06:59:59Z"));

    (void)state;
    expect_only(&v, REASON_OUTSIDE_WINDOW);
    expect_next(&v, "2027-03-15T06:15:00Z");
    /* A window that begins in the gap opens when the gap is over. */
    p = daily(150, 240);
    v = verdict_of(&p, &f, at("2027-03-14T06:00:00Z"));
    expect_next(&v, "2027-03-14T07:00:00Z");
    assert_int_equal(verdict_of(&p, &f, v.next_allowed_ms).open_until_ms,
                     at("2027-03-14T08:00:00Z"));
    /* One that ends in it closes with it. */
    p = daily(60, 150);
    v = verdict_of(&p, &f, at("2027-03-14T06:30:00Z"));
    assert_true(v.allow);
    assert_int_equal(v.open_until_ms, at("2027-03-14T07:00:00Z"));
}

static void a_day_that_was_left_out_is_no_trouble(void **state)
{
    static const char *const apia[] = {"Pacific/Apia"}; /* had no 2011-12-30, a Friday */
    struct policy p;
    struct compliance_facts f = facts_in(apia, 1);
    struct verdict v;

    (void)state;
    policy_default(&p);
    f.zones_date_ms = at("2011-12-01T00:00:00Z");
    v = verdict_of(&p, &f, at("2011-12-30T07:00:00Z")); /* Thursday 21:00 */
    expect_only(&v, REASON_OUTSIDE_WINDOW);
    expect_next(&v, "2011-12-30T19:00:00Z"); /* Saturday 09:00 */
}

static void all_time_rules_hold_together_at_the_next_instant(void **state)
{
    struct policy p;
    struct compliance_facts f = facts_in(addis, 1);
    /* The gap ends on Saturday evening, Sunday is closed, Monday a holiday. */
    const struct compliance_call call = {.at_ms = at("2026-11-21T16:00:00Z")};
    const struct compliance_holiday monday = {.region = "*",
                                              .day = tz_day_number(2026, 11, 23)};
    struct verdict v;

    (void)state;
    policy_default(&p);
    f.calls = &call;
    f.call_count = 1;
    f.holidays = &monday;
    f.holiday_count = 1;
    v = verdict_of(&p, &f, at("2026-11-21T16:30:00Z"));
    expect_only(&v, REASON_COOLDOWN_RETRY);
    expect_next(&v, "2026-11-24T06:00:00Z");
    assert_true(verdict_of(&p, &f, v.next_allowed_ms).allow);
}

static void a_year_without_open_hours_has_no_next_instant(void **state)
{
    struct policy p = {.ring_timeout_s = 25};
    struct compliance_facts f = facts_in(addis, 1);
    struct verdict v = verdict_of(&p, &f, at(NOON));

    (void)state;
    /* No common hour within seven days is a reason of its own, however many the zones. */
    assert_int_equal(v.n, 2);
    assert_int_equal(v.reasons[0], REASON_TZ_NO_COMMON_WINDOW);
    assert_int_equal(v.reasons[1], REASON_DAY_FORBIDDEN);
    assert_int_equal(v.next_allowed_ms, 0);
}

static void the_window_part_alone_agrees(void **state)
{
    struct policy p = daily(9 * 60, 20 * 60);
    int64_t until_ms = 0;

    (void)state;
    p.close_guard_s = 30;
    assert_true(compliance_is_open(&p, "ET", addis, 1, NULL, 0, at(NOON), &until_ms));
    assert_int_equal(until_ms, at("2026-11-20T16:59:30Z"));
    assert_false(compliance_is_open(&p, "ET", addis, 1, NULL, 0, until_ms, &until_ms));
    assert_int_equal(until_ms, at("2026-11-21T06:00:00Z"));
    assert_false(compliance_is_open(&p, "ET", NULL, 0, NULL, 0, at(NOON), &until_ms));
    assert_int_equal(until_ms, 0);
    p.ring_timeout_s = 0; /* cannot be obeyed */
    assert_false(compliance_is_open(&p, "ET", addis, 1, NULL, 0, at(NOON), &until_ms));
}

/* ---- stored decisions ---- */

static void inputs_of_another_form_are_refused_not_guessed(void **state)
{
    static const char *const keys[] = {
        "policy",  "phone",         "type",    "valid", "region", "zones",   "consent",
        "history", "clock_trusted", "running", "calls", "v",      "holidays"};
    struct policy p = daily(9 * 60, 20 * 60);
    struct compliance_facts f = facts_in(addis, 1);
    struct verdict v;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        json_t *inputs = inputs_json(&p, &f);
        assert_int_equal(json_object_del(inputs, keys[i]), 0);
        assert_int_equal(compliance_check_again(inputs, at(NOON), NULL, NULL, &v),
                         EBADMSG);
        json_object_set_new(inputs, keys[i], json_pack("{s:[i]}", "x", 1));
        assert_int_equal(compliance_check_again(inputs, at(NOON), NULL, NULL, &v),
                         EBADMSG);
        json_decref(inputs);
    }
    json_t *missing = inputs_json(NULL, &f);
    assert_int_equal(compliance_check_again(missing, at(NOON), NULL, NULL, &v), 0);
    expect_only(&v, REASON_POLICY_MISSING);
    json_decref(missing);
}

/* inputs_json() holds each text against jansson's own canonical form. */
static void every_fact_is_written_and_read_and_no_text_breaks_out(void **state)
{
    const char strange[] = "a\"b\\c/\b\f\n\r\t\x01\x1f\x7f<\xc3\xa9\xe2\x82\xac>";
    const char *const places[] = {"Africa/Addis_Ababa", strange};
    const struct compliance_call calls[] = {
        {.at_ms = -1, .campaign_id = INT64_MIN, .outcome = OUTCOME_REFUSED, .open = true},
        {.at_ms = INT64_MAX,
         .other_number = true,
         .other_debt = true,
         .other_subject = true}};
    const struct compliance_holiday holidays[] = {{"*", 7}, {"ET", -8}, {"KE", 9}};
    const struct compliance_list lists[] = {{.name = strange,
                                             .state = LIST_CORRUPT,
                                             .obtained_at_ms = 1,
                                             .generation = INT64_MAX}};
    const struct compliance_wash washes[] = {
        {.name = strange, .hit = true, .checked_at_ms = 2, .expires_at_ms = 3},
        {.name = "x"}};
    const struct compliance_abandon abandon[] = {{30000, 4, 5, 6}};
    const struct compliance_registration registrations[] = {{"US-FL", 0}};
    const struct compliance_block blocks[] = {{"\"\\\n", 7, 8}};
    struct compliance_facts f = {.phone = 251911234567,
                                 .type = PHONE_UNKNOWN,
                                 .valid = true,
                                 .region = "ET",
                                 .zones = places,
                                 .zone_count = 2,
                                 .campaign_id = INT64_MIN,
                                 .dnc_tenant = true,
                                 .dnc_campaign = true,
                                 .consent = CONSENT_EXPRESS_WRITTEN,
                                 .consent_revoked = true,
                                 .calls = calls,
                                 .call_count = 2,
                                 .holidays = holidays,
                                 .holiday_count = 3,
                                 .history_known = true,
                                 .clock_trusted = true,
                                 .campaign_running = true,
                                 .zones_date_ms = 1,
                                 .kill_switch = true,
                                 .emergency = true,
                                 .protected_line = true,
                                 .lead_closed = true,
                                 .state = "ET-AA",
                                 .address_region = "FR",
                                 .address_zones = places,
                                 .address_zone_count = 1,
                                 .tz_confirmed = true,
                                 .line = LINE_FACT_VOIP,
                                 .line_checked_ms = 10,
                                 .lists = lists,
                                 .list_count = 1,
                                 .washes = washes,
                                 .wash_count = 2,
                                 .dnc_added_day = -11,
                                 .consent_given_ms = 12,
                                 .consent_evidence = true,
                                 .rnd = RND_NO_DATA,
                                 .rnd_checked_ms = 13,
                                 .reserved_agent = true,
                                 .abandon = abandon,
                                 .abandon_count = 1,
                                 .registrations = registrations,
                                 .registration_count = 1,
                                 .blocks = blocks,
                                 .block_count = 1,
                                 .tzdata = "2026b",
                                 .decided_at_ms = 14};
    struct verdict v;
    size_t n = 0;

    (void)state;
    memcpy(f.consent_seller, strange, sizeof(strange));
    json_t *inputs = inputs_json(NULL, &f);
    const struct inputs_key *keys = inputs_keys(&n);
    for (size_t i = 0; i < n; i++)
        assert_non_null(json_object_get(inputs, keys[i].name));
    assert_string_equal(json_string_value(json_object_get(inputs, "consent_seller")),
                        strange);
    assert_int_equal(json_array_size(json_object_get(inputs, "holidays")), 2);
    assert_int_equal(compliance_check_again(inputs, at(NOON), NULL, NULL, &v), 0);
    json_decref(inputs);
    memcpy(f.consent_seller, "\xff", 2);
    struct buf text = {0};
    assert_int_equal(compliance_inputs_write(&text, NULL, NULL, &f, "real"), EBADMSG);
    buf_free(&text);
}

static void the_defaults_are_the_cautious_ones(void **state)
{
    struct policy p, back;

    (void)state;
    policy_default(&p);
    assert_true(policy_is_valid(&p));
    assert_int_equal(p.week[6].n, 0);
    assert_int_equal(p.week[0].at[0].from_min, 540);
    assert_int_equal(p.min_gap_s, 4 * 3600);
    assert_int_equal(p.max_24h, 3);
    assert_int_equal(p.max_7d, 7);
    assert_int_equal(p.close_guard_s, p.ring_timeout_s + 5);
    json_t *json = policy_to_json(&p);
    assert_int_equal(policy_from_json(&back, json), 0);
    json_t *twice = policy_to_json(&back);
    assert_true(json_equal(json, twice));
    json_decref(json);
    json_decref(twice);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sound_number_in_open_hours_is_allowed),
        cmocka_unit_test(without_obeyable_rules_nobody_is_called),
        cmocka_unit_test(the_machines_doubts_refuse),
        cmocka_unit_test(the_campaigns_own_span_is_kept),
        cmocka_unit_test(numbers_that_are_none_or_of_a_forbidden_kind_are_refused),
        cmocka_unit_test(only_the_campaigns_countries_are_called),
        cmocka_unit_test(do_not_call_means_never_at_any_hour),
        cmocka_unit_test(consent_must_reach_the_level_and_not_be_taken_back),
        cmocka_unit_test(a_number_that_is_being_called_is_left_alone),
        cmocka_unit_test(the_gap_between_two_calls_is_kept_to_the_millisecond),
        cmocka_unit_test(rolling_limits_count_elapsed_time_over_all_campaigns),
        cmocka_unit_test(the_total_counts_this_campaign_alone_and_is_for_ever),
        cmocka_unit_test(windows_are_half_open),
        cmocka_unit_test(a_call_does_not_begin_just_before_the_end),
        cmocka_unit_test(windows_that_touch_are_one),
        cmocka_unit_test(
            a_call_before_the_clocks_went_back_has_the_date_of_its_own_offset),
        cmocka_unit_test(closed_days_and_holidays_are_stepped_over),
        cmocka_unit_test(a_holiday_is_a_local_date),
        cmocka_unit_test(every_zone_must_be_open),
        cmocka_unit_test(zones_without_a_common_hour_are_named),
        cmocka_unit_test(where_it_rings_must_be_known),
        cmocka_unit_test(both_passes_through_a_repeated_hour_are_inside),
        cmocka_unit_test(an_hour_that_does_not_exist_never_opens),
        cmocka_unit_test(a_day_that_was_left_out_is_no_trouble),
        cmocka_unit_test(all_time_rules_hold_together_at_the_next_instant),
        cmocka_unit_test(a_year_without_open_hours_has_no_next_instant),
        cmocka_unit_test(the_window_part_alone_agrees),
        cmocka_unit_test(inputs_of_another_form_are_refused_not_guessed),
        cmocka_unit_test(every_fact_is_written_and_read_and_no_text_breaks_out),
        cmocka_unit_test(the_defaults_are_the_cautious_ones),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
