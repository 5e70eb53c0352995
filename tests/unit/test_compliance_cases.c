/*
 * The worked cases of tests/data/compliance-cases.json, as far as a campaign's own rules
 * can state them: the week tables of a case's packs, intersected, become the policy's
 * windows, its fixed clocks become zones, its holidays rows. What cannot be stated is
 * skipped by what it needs, and how many ran is asserted.
 */
#include "unit/cm.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/clock.h"
#include "base/str.h"
#include "compliance/check.h"
#include "contacts/phone.h"
#include "contacts/tz.h"
#include "contacts/zones.h"

enum { CALLS_MAX = 16, HOLIDAYS_MAX = 64, CASES = 59, CASES_RUN = 43 };

struct fixture {
    const json_t *packs;
    struct policy policy;
    struct compliance_facts facts;
    const char *zones[ZONES_MAX];
    struct compliance_call calls[CALLS_MAX];
    struct compliance_holiday holidays[HOLIDAYS_MAX];
    bool abandoned_gap; /* a cooldown that this policy states as a gap */
    int64_t now_ms;
};

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text ? text : "";
}

static int64_t instant(const char *text)
{
    int64_t ms = 0;

    if (clock_parse(text, &ms))
        fail_msg("'%s' is no instant", text);
    return ms;
}

static int minutes(const json_t *list, size_t i)
{
    const char *text = json_string_value(json_array_get(list, i));

    assert_int_equal(strlen(text), 5);
    return ((text[0] - '0') * 10 + text[1] - '0') * 60 + (text[3] - '0') * 10 + text[4] -
           '0';
}

/* ---- a week ---- */

static void intersect_day(struct policy_day *day, const json_t *list)
{
    struct policy_day both = {0};

    for (size_t i = 0; i < day->n; i++) {
        for (size_t k = 0; k < json_array_size(list); k++) {
            const json_t *w = json_array_get(list, k);
            int from = minutes(w, 0), until = minutes(w, 1);
            struct policy_interval in = day->at[i];

            in.from_min = from > in.from_min ? from : in.from_min;
            in.until_min = until < in.until_min ? until : in.until_min;
            if (in.from_min < in.until_min)
                both.at[both.n++] = in;
        }
    }
    *day = both;
}

static void intersect_week(struct policy *p, const json_t *week)
{
    static const char *const keys[] = {"1", "2", "3", "4", "5", "6", "7"};

    for (size_t d = 0; d < ARRAY_LEN(keys); d++)
        intersect_day(&p->week[d], json_object_get(week, keys[d]));
}

/* The week in force on the called party's date. */
static const json_t *pack_week(const struct fixture *f, const json_t *pack)
{
    const json_t *versions = json_object_get(pack, "versions");
    const struct tz_zone *zone = NULL;
    char date[32];

    if (!versions)
        return json_object_get(pack, "week");
    assert_int_equal(tz_find(f->zones[0], &zone), 0);
    struct tz_local local = tz_local_at(zone, f->now_ms);
    snprintf(date, sizeof(date), "%04d-%02d-%02d", local.year, local.month, local.day);
    for (size_t i = 0; i < json_array_size(versions); i++) {
        const json_t *v = json_array_get(versions, i);
        const char *from = text_of(v, "from"), *until = text_of(v, "until");
        if (strcmp(from, date) <= 0 && (!*until || strcmp(date, until) < 0))
            return json_object_get(v, "week");
    }
    fail_msg("no version of the pack is in force");
    return NULL;
}

/* ---- what packs and policy state ---- */

static void read_holidays(struct fixture *f, const json_t *list)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        int y = 0, m = 0, d = 0;

        assert_int_equal(
            sscanf(json_string_value(json_array_get(list, i)), "%d-%d-%d", &y, &m, &d),
            3);
        assert_true(f->facts.holiday_count < HOLIDAYS_MAX);
        f->holidays[f->facts.holiday_count++] =
            (struct compliance_holiday){.region = "*", .day = tz_day_number(y, m, d)};
    }
    f->facts.holidays = f->holidays;
}

/* False: a rule that this policy has no words for. */
static bool read_frequency(struct fixture *f, const json_t *list)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *rule = json_array_get(list, i);
        int max = (int)json_integer_value(json_object_get(rule, "max"));

        if (strcmp(text_of(rule, "kind"), "rolling") != 0)
            return false;
        if (strcmp(text_of(rule, "code"), "FREQ_24H") == 0)
            f->policy.max_24h = max;
        else if (strcmp(text_of(rule, "code"), "FREQ_7D") == 0)
            f->policy.max_7d = max;
        else if (f->facts.call_count > 0)
            return false;
    }
    return true;
}

static bool read_cooldowns(struct fixture *f, const json_t *list)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *rule = json_array_get(list, i);

        if (f->facts.call_count == 0)
            continue;
        if (strcmp(text_of(rule, "code"), "COOLDOWN_ABANDONED") != 0)
            return false;
        f->policy.min_gap_s = json_integer_value(json_object_get(rule, "seconds"));
        f->abandoned_gap = true;
    }
    return true;
}

static bool read_pack(struct fixture *f, const char *name)
{
    const json_t *pack = json_object_get(f->packs, name);

    if (!pack)
        fail_msg("no pack %s", name);
    if (json_object_get(pack, "eve_week"))
        return false;
    if (json_object_get(pack, "mobile") && f->facts.type != PHONE_FIXED &&
        f->facts.consent == CONSENT_NONE)
        return false;
    if (json_object_get(pack, "consent_from"))
        f->policy.consent_required = CONSENT_EXPRESS;
    const json_t *clocks = json_object_get(pack, "extra_clocks");
    for (size_t i = 0; i < json_array_size(clocks); i++) {
        assert_string_equal(json_string_value(json_array_get(clocks, i)), "-06:00");
        f->zones[f->facts.zone_count++] = "Etc/GMT+6";
    }
    intersect_week(&f->policy, pack_week(f, pack));
    read_holidays(f, json_object_get(pack, "holidays"));
    return read_frequency(f, json_object_get(pack, "freq")) &&
           read_cooldowns(f, json_object_get(pack, "cooldowns"));
}

static bool read_policy(struct fixture *f, const json_t *policy, const json_t *packs)
{
    f->policy = (struct policy){.observe_holidays = true};
    for (int d = 0; d < 7; d++)
        f->policy.week[d] = (struct policy_day){.n = 1, .at = {{0, POLICY_MINUTES}}};
    f->policy.close_guard_s =
        (int)json_integer_value(json_object_get(policy, "close_guard_s"));
    f->policy.ring_timeout_s =
        (int)json_integer_value(json_object_get(policy, "ring_timeout_s"));
    if (!consent_level_parse(text_of(policy, "consent"), &f->policy.consent_required) ||
        json_object_get(policy, "min_tzdata") ||
        json_object_get(policy, "decision_ttl_s") ||
        strcmp(text_of(policy, "dial_mode"), "predictive") == 0)
        return false;
    for (size_t i = 0; i < json_array_size(packs); i++)
        if (!read_pack(f, json_string_value(json_array_get(packs, i))))
            return false;
    if (json_object_get(policy, "windows"))
        intersect_week(&f->policy, json_object_get(policy, "windows"));
    return read_frequency(f, json_object_get(policy, "frequency")) &&
           read_cooldowns(f, json_object_get(policy, "cooldowns"));
}

/* ---- what is known of the number ---- */

static void read_history(struct fixture *f, const json_t *history)
{
    for (size_t i = 0; i < json_array_size(history); i++) {
        assert_true(i < CALLS_MAX);
        f->calls[i].at_ms = instant(text_of(json_array_get(history, i), "t"));
    }
    f->facts.calls = f->calls;
    f->facts.call_count = json_array_size(history);
}

static bool read_lists(struct fixture *f, const json_t *lists)
{
    const char *name = NULL;
    json_t *list = NULL;

    json_object_foreach((json_t *)(uintptr_t)lists, name, list)
    {
        bool hit = json_is_true(json_object_get(list, "hit"));
        if (strcmp(name, "tenant.internal") == 0)
            f->facts.dnc_tenant = hit;
        else if (hit || strcmp(text_of(list, "obtained"), "2026-10-31") < 0)
            return false; /* a bought list: another rule */
    }
    return true;
}

static void read_zones(struct fixture *f, const json_t *zones)
{
    const char *first = json_string_value(json_array_get(zones, 0));

    f->facts.zones = f->zones;
    if (first && first[0] == '<') { /* "<42 zones>": those of the table */
        const struct zone_set *set = zones_of(f->facts.phone, f->facts.type);
        for (size_t i = 0; i < set->n; i++)
            f->zones[i] = set->names[i];
        f->facts.zone_count = set->n;
        return;
    }
    for (size_t i = 0; i < json_array_size(zones); i++)
        f->zones[i] = json_string_value(json_array_get(zones, i));
    f->facts.zone_count = json_array_size(zones);
}

static bool read_facts(struct fixture *f, const json_t *c)
{
    const json_t *facts = json_object_get(c, "facts");
    const json_t *consent = json_object_get(facts, "consent");
    const char *number = text_of(c, "number_e164");
    struct phone phone;

    f->facts = (struct compliance_facts){.history_known = true,
                                         .clock_trusted = true,
                                         .campaign_running = true,
                                         .zones_date_ms = f->now_ms};
    f->facts.valid = phone_parse(number, strlen(number), NULL, &phone) == PHONE_VALID;
    f->facts.phone = phone.e164;
    f->facts.type = phone.type;
    str_cut(f->facts.region, sizeof(f->facts.region), phone.region);
    if (strcmp(text_of(facts, "line_type"), "FIXED_LINE") == 0)
        f->facts.type = PHONE_FIXED;
    if (json_is_false(json_object_get(facts, "clock_trusted")))
        f->facts.clock_trusted = false;
    if (consent && json_object_get(consent, "revoked"))
        f->facts.consent_revoked = true;
    else if (consent)
        assert_true(consent_level_parse(text_of(consent, "level"), &f->facts.consent));
    read_zones(f, json_object_get(json_object_get(c, "expect"), "zones"));
    read_history(f, json_object_get(c, "history"));
    return read_lists(f, json_object_get(facts, "lists"));
}

/* ---- one case ---- */

static enum reason expected_reason(const struct fixture *f, const json_t *name)
{
    enum reason r = REASON_ALLOW;

    if (!reason_parse(json_string_value(name), &r))
        fail_msg("%s is no reason", json_string_value(name));
    return r == REASON_COOLDOWN_ABANDONED && f->abandoned_gap ? REASON_COOLDOWN_RETRY : r;
}

static void compare(const struct fixture *f, const json_t *c, const struct verdict *v)
{
    const json_t *expect = json_object_get(c, "expect");
    const json_t *reasons = json_object_get(expect, "all_reasons");
    const char *id = text_of(c, "id"), *next = text_of(expect, "next_allowed_utc");
    char ours[CLOCK_TEXT_MAX];

    if (v->reason != expected_reason(f, json_object_get(expect, "reason")))
        fail_msg("%s: %s, not %s", id, reason_name(v->reason), text_of(expect, "reason"));
    if (v->n != json_array_size(reasons))
        fail_msg("%s: %zu reasons, not %zu", id, v->n, json_array_size(reasons));
    for (size_t i = 0; i < v->n; i++)
        if (v->reasons[i] != expected_reason(f, json_array_get(reasons, i)))
            fail_msg("%s: reason %zu is %s", id, i, reason_name(v->reasons[i]));
    if (v->allow != json_is_true(json_object_get(expect, "allow")))
        fail_msg("%s: allow is %d", id, v->allow);
    if (v->next_allowed_ms != (*next ? instant(next) : 0))
        fail_msg("%s: next %s, not '%s'", id, clock_text(v->next_allowed_ms, ours), next);
}

/* False: it needs a rule that this policy cannot state. */
static bool run_case(const json_t *packs, const json_t *c)
{
    static struct fixture f;
    struct verdict v, again;

    f = (struct fixture){.packs = packs, .now_ms = instant(text_of(c, "instant_utc"))};
    if (!read_facts(&f, c) ||
        !read_policy(&f, json_object_get(c, "policy"),
                     json_object_get(json_object_get(c, "expect"), "packs")))
        return false;
    compliance_check(&f.policy, &f.facts, f.now_ms, &v);
    compare(&f, c, &v);

    json_t *inputs = compliance_inputs_to_json(&f.policy, &f.facts);
    assert_int_equal(compliance_check_again(inputs, f.now_ms, &again), 0);
    compare(&f, c, &again);
    json_decref(inputs);
    return true;
}

static void the_worked_cases_come_out_as_written(void **state)
{
    json_error_t e;
    json_t *all = json_load_file(SOURCE_DIR "/tests/data/compliance-cases.json", 0, &e);
    const json_t *cases = json_object_get(all, "cases");
    int ran = 0;

    (void)state;
    assert_int_equal(json_array_size(cases), CASES);
    for (size_t i = 0; i < CASES; i++) {
        const json_t *c = json_array_get(cases, i);
        if (run_case(json_object_get(all, "packs"), c))
            ran++;
        else
            print_message("not stated by a campaign: %s\n", text_of(c, "id"));
    }
    assert_int_equal(ran, CASES_RUN);
    json_decref(all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_worked_cases_come_out_as_written),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
