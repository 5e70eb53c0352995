/* What must hold of any verdict, of worlds made at random from fixed seeds. */
#include "unit/check_facts.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "contacts/tz.h"

static uint64_t seed;

/* xorshift64*: the same run every time. */
static int pick(int n)
{
    seed ^= seed >> 12;
    seed ^= seed << 25;
    seed ^= seed >> 27;
    return (int)((seed * UINT64_C(2685821657736338717)) >> 33) % n;
}

static const char *const zone_pool[] = {
    "America/New_York",  "America/Chicago",     "America/Denver",     "America/Phoenix",
    "America/St_Johns",  "America/Los_Angeles", "America/Sao_Paulo",  "Africa/Cairo",
    "Africa/Casablanca", "Africa/Addis_Ababa",  "Asia/Kathmandu",     "Europe/London",
    "Europe/Madrid",     "Australia/Lord_Howe", "Australia/Adelaide", "Pacific/Chatham",
};

enum { RANDOM_CALLS = 6, RANDOM_HOLIDAYS = 4, STEP_MIN = 5 };

struct world {
    struct policy policy;
    struct compliance_facts facts;
    const char *zones[8];
    struct compliance_call calls[RANDOM_CALLS + 1];
    struct compliance_holiday holidays[RANDOM_HOLIDAYS + 1];
    int64_t now_ms;
};

static void make_week(struct policy *p)
{
    for (int d = 0; d < 7; d++) {
        struct policy_day *day = &p->week[d];
        int from = 0;

        day->n = (size_t)pick(3);
        for (size_t i = 0; i < day->n; i++) {
            day->at[i].from_min = from + STEP_MIN * pick(100);
            day->at[i].until_min = day->at[i].from_min + STEP_MIN * (1 + pick(140));
            if (day->at[i].until_min > POLICY_MINUTES)
                day->at[i].until_min = POLICY_MINUTES;
            from = day->at[i].until_min;
            if (from > POLICY_MINUTES - 20) {
                day->n = i + 1;
                break;
            }
        }
    }
}

static void add_call(struct world *w, int64_t at_ms)
{
    size_t k = w->facts.call_count++;

    while (k > 0 && w->calls[k - 1].at_ms > at_ms) {
        w->calls[k] = w->calls[k - 1];
        k--;
    }
    w->calls[k] =
        (struct compliance_call){.at_ms = at_ms, .campaign_id = pick(2) ? 7 : 8};
}

static void add_holiday(struct world *w)
{
    w->holidays[w->facts.holiday_count++] = (struct compliance_holiday){
        .region = "*", .day = w->now_ms / DAY_MS + pick(5) - 1};
}

/* Instants lie about the days on which clocks change, too. */
static void make_world(struct world *w)
{
    static const char *const days[] = {"2026-11-20T00:00:00Z", "2026-10-31T12:00:00Z",
                                       "2027-03-13T12:00:00Z", "2027-03-27T12:00:00Z",
                                       "2027-04-03T00:00:00Z", "2026-07-01T00:00:00Z"};

    *w = (struct world){.facts = facts_in(NULL, 0)};
    w->now_ms = at(days[pick(ARRAY_LEN(days))]) + (int64_t)pick(48 * 3600) * SECOND_MS;
    w->facts.zones_date_ms = w->now_ms;
    w->facts.zones = w->zones;
    w->facts.calls = w->calls;
    w->facts.holidays = w->holidays;
    make_week(&w->policy);
    w->policy.ring_timeout_s = 25;
    w->policy.observe_holidays = pick(4) > 0;
    w->policy.close_guard_s = pick(3) * 30;
    w->policy.max_24h = pick(4);
    w->policy.max_7d = pick(6);
    w->policy.min_gap_s = (int64_t)pick(3) * 7000;
    if (pick(4) == 0)
        w->policy.not_before_ms = w->now_ms + (int64_t)(pick(100) - 50) * HOUR_MS;
    int first = pick(ARRAY_LEN(zone_pool));
    for (int i = 0, n = 1 + pick(2); i < n; i++)
        w->zones[w->facts.zone_count++] = zone_pool[(first + i) % ARRAY_LEN(zone_pool)];
    for (int i = 0, n = pick(RANDOM_CALLS); i < n; i++)
        add_call(w, w->now_ms - (int64_t)pick(9 * 24 * 3600) * SECOND_MS);
    for (int i = 0, n = pick(RANDOM_HOLIDAYS); i < n; i++)
        add_holiday(w);
}

static void narrow_a_window(struct policy *p)
{
    struct policy_day *day = &p->week[pick(7)];

    if (day->n > 0 && day->at[0].until_min - day->at[0].from_min > STEP_MIN)
        day->at[0].from_min += STEP_MIN;
    else
        day->n = 0;
}

static int lower(int max)
{
    return max == 0 ? 1 + pick(5) : max == 1 ? 1 : max - 1;
}

enum { CHANGES = 16 };

/* One more rule, zone, holiday, call or doubt. */
static void restrict_world(struct world *w, int change)
{
    switch (change) {
    case 0:
        w->zones[w->facts.zone_count++] = zone_pool[pick(ARRAY_LEN(zone_pool))];
        return;
    case 1:
        add_holiday(w);
        return;
    case 2:
        add_call(w, w->now_ms - (int64_t)pick(9 * 24 * 3600) * SECOND_MS);
        return;
    case 3:
        narrow_a_window(&w->policy);
        return;
    case 4:
        w->policy.max_24h = lower(w->policy.max_24h);
        return;
    case 5:
        w->policy.max_7d = lower(w->policy.max_7d);
        return;
    case 6:
        w->policy.max_total = 1 + pick(3);
        return;
    case 7:
        w->policy.min_gap_s += pick(20000);
        return;
    case 8:
        w->policy.close_guard_s += pick(1000);
        return;
    case 9:
        w->policy.region_count = 1;
        str_cut(w->policy.regions[0], 3, pick(2) ? "ET" : "KE");
        return;
    case 10:
        w->policy.not_before_ms += (int64_t)pick(50) * HOUR_MS;
        return;
    case 11:
        w->policy.not_after_ms = w->now_ms + (int64_t)(pick(40) + 1) * HOUR_MS;
        if (w->policy.not_before_ms >= w->policy.not_after_ms)
            w->policy.not_after_ms = 0;
        return;
    case 12:
        w->policy.consent_required = CONSENT_EXPRESS;
        return;
    case 13:
        w->facts.dnc_campaign = true;
        return;
    case 14:
        w->policy.observe_holidays = true;
        return;
    default:
        w->facts.consent_revoked = true;
    }
}

static void one_more_rule_never_lets_a_refused_call_through(void **state)
{
    int allowed = 0, refused = 0, turned = 0;

    (void)state;
    seed = 20261125;
    for (int i = 0; i < 10000; i++) {
        struct world w, more;

        make_world(&w);
        struct verdict before = verdict_of(&w.policy, &w.facts, w.now_ms);
        more = w;
        more.facts.zones = more.zones;
        more.facts.calls = more.calls;
        more.facts.holidays = more.holidays;
        int change = pick(CHANGES);
        restrict_world(&more, change);
        struct verdict after = verdict_of(&more.policy, &more.facts, more.now_ms);
        if (!before.allow && after.allow)
            fail_msg("run %d: change %d lets a call through that %s refused", i, change,
                     reason_name(before.reason));
        allowed += before.allow;
        refused += !before.allow;
        turned += before.allow && !after.allow;
    }
    /* The property would hold of a program that always refuses. */
    assert_true(allowed > 500);
    assert_true(refused > 500);
    assert_true(turned > 100);
}

static void the_next_instant_is_the_first_that_is_allowed(void **state)
{
    int checked = 0;

    (void)state;
    seed = 47;
    for (int i = 0; i < 600; i++) {
        struct world w;

        make_world(&w);
        struct verdict v = verdict_of(&w.policy, &w.facts, w.now_ms);
        if (v.next_allowed_ms == 0)
            continue;
        checked++;
        assert_true(v.next_allowed_ms > w.now_ms);
        struct verdict then = verdict_of(&w.policy, &w.facts, v.next_allowed_ms);
        struct verdict just_before =
            verdict_of(&w.policy, &w.facts, v.next_allowed_ms - 1);
        if (!then.allow || just_before.allow)
            fail_msg("run %d: then %s, a ms before %s", i, reason_name(then.reason),
                     reason_name(just_before.reason));
        for (int64_t t = w.now_ms; t < v.next_allowed_ms; t += STEP_MIN * MINUTE_MS)
            if (verdict_of(&w.policy, &w.facts, t).allow)
                fail_msg("run %d: allowed %" PRId64 " s earlier", i,
                         (v.next_allowed_ms - t) / SECOND_MS);
    }
    assert_true(checked > 100);
}

static void an_allowed_call_stays_allowed_until_the_window_ends(void **state)
{
    int checked = 0;

    (void)state;
    seed = 815;
    for (int i = 0; i < 5000; i++) {
        struct world w;
        int64_t until_ms = 0;

        make_world(&w);
        struct verdict v = verdict_of(&w.policy, &w.facts, w.now_ms);
        bool open =
            compliance_is_open(&w.policy, w.facts.region, w.zones, w.facts.zone_count,
                               w.holidays, w.facts.holiday_count, w.now_ms, &until_ms);
        assert_true(open || !v.allow);
        if (!v.allow || v.open_until_ms == 0)
            continue;
        checked++;
        assert_int_equal(v.open_until_ms, until_ms);
        assert_true(verdict_of(&w.policy, &w.facts, v.open_until_ms - 1).allow);
        assert_false(verdict_of(&w.policy, &w.facts, v.open_until_ms).allow);
    }
    assert_true(checked > 250);
}

static void a_stored_decision_runs_again_to_the_same_end(void **state)
{
    (void)state;
    seed = 99;
    for (int i = 0; i < 500; i++) {
        struct world w;
        struct verdict again;

        make_world(&w);
        struct verdict v = verdict_of(&w.policy, &w.facts, w.now_ms);
        json_t *inputs = inputs_json(&w.policy, &w.facts);
        assert_int_equal(compliance_check_again(inputs, w.now_ms, NULL, NULL, &again), 0);
        assert_int_equal(again.n, v.n);
        for (size_t k = 0; k < v.n; k++)
            assert_int_equal(again.reasons[k], v.reasons[k]);
        assert_int_equal(again.next_allowed_ms, v.next_allowed_ms);
        assert_int_equal(again.open_until_ms, v.open_until_ms);
        json_decref(inputs);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_more_rule_never_lets_a_refused_call_through),
        cmocka_unit_test(the_next_instant_is_the_first_that_is_allowed),
        cmocka_unit_test(an_allowed_call_stays_allowed_until_the_window_ends),
        cmocka_unit_test(a_stored_decision_runs_again_to_the_same_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
