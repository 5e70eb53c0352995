/* What a verdict is made from and what is kept of it, on a real Postgres. */
#include "unit/cm.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "compliance/decision_store.h"
#include "compliance/dnc_store.h"
#include "compliance/facts_store.h"
#include "compliance/pack_store.h"
#include "contacts/tz.h"
#include "store/pgtest.h"

#define DAY_MS ((int64_t)86400 * 1000)
#define NOW_MS INT64_C(1795161600000) /* 2026-11-20T08:00:00Z */

enum { TENANT = 1 };

static struct pg *db;
static int other_tenant;

static int64_t scalar(const char *sql)
{
    return pgtest_i64(db, TENANT, sql);
}

static int empty_tables(void **state)
{
    static const char *const deletes[] = {
        "DELETE FROM dnc_entries", "DELETE FROM consents",    "DELETE FROM holidays",
        "DELETE FROM attempts",    "DELETE FROM zone_groups", "DELETE FROM contacts"};
    struct pg *super = pgtest_open_super(); /* nobody else may take decisions away */

    (void)state;
    pgtest_run(super, 0, "TRUNCATE decisions");
    pg_close(super);
    for (size_t i = 0; i < ARRAY_LEN(deletes); i++)
        pgtest_run(db, TENANT, deletes[i]);
    return 0;
}

/* ---- makers ---- */

static struct uuid id_of(int n)
{
    char text[UUID_TEXT_MAX];
    struct uuid u;

    snprintf(text, sizeof(text), "00000000-0000-7000-8000-%012d", n);
    assert_int_equal(uuid_parse(text, &u), 0);
    return u;
}

static void attempt(int n, int64_t phone, int campaign, const char *state,
                    int64_t intent_ms, int64_t released_ms)
{
    char sql[600];

    snprintf(sql, sizeof(sql),
             "INSERT INTO attempts (id, tenant_id, campaign_id, contact_id, phone, "
             "trunk_id, slot, number, state, intent_at, released_at) VALUES "
             "('00000000-0000-7000-8000-%012d', 1, %d, 1, %" PRId64
             ", 1, 0, 1, '%s', furrow_ts(%" PRId64 "), furrow_ts(nullif(%" PRId64
             ", 0)))",
             n, campaign, phone, state, intent_ms, released_ms);
    pgtest_run(db, TENANT, sql);
}

static void consent(int64_t phone, const char *level, int64_t given_ms,
                    int64_t revoked_ms)
{
    char sql[400];

    snprintf(sql, sizeof(sql),
             "INSERT INTO consents (tenant_id, phone, level, evidence, given_at, "
             "revoked_at) VALUES (1, %" PRId64 ", '%s', 'form 7', furrow_ts(%" PRId64
             "), furrow_ts(nullif(%" PRId64 ", 0)))",
             phone, level, given_ms, revoked_ms);
    pgtest_run(db, TENANT, sql);
}

static int zone_group(const char *region, const char *zones)
{
    char sql[300];

    snprintf(sql, sizeof(sql),
             "INSERT INTO zone_groups (tenant_id, region, zones) VALUES (1, '%s', '%s') "
             "RETURNING id",
             region, zones);
    return (int)scalar(sql);
}

static void add_dnc(int64_t phone, int64_t campaign)
{
    const struct dnc_entry entry = {
        .phone = phone, .campaign_id = campaign, .source = "cli"};
    bool added = false;

    assert_int_equal(dnc_add(db, TENANT, &entry, NOW_MS, &added), 0);
    assert_true(added);
}

static struct facts_set *load_many(const struct facts_key *keys, size_t n)
{
    struct facts_set *set = NULL;

    assert_int_equal(pg_begin(db, TENANT), 0);
    if (facts_load(db, TENANT, keys, n, NOW_MS, &set))
        fail_msg("%s", pg_error(db));
    assert_int_equal(pg_commit(db), 0);
    return set;
}

/* The set is kept until the test after the next. */
static struct compliance_facts load(int64_t phone, int64_t campaign,
                                    const struct uuid *own)
{
    static struct facts_set *kept[2];
    static int at;
    const struct facts_key key = {
        .phone = phone, .campaign_id = campaign, .type = PHONE_MOBILE, .own = own};

    at = !at;
    facts_free(kept[at]);
    kept[at] = NULL;
    if (phone)
        kept[at] = load_many(&key, 1);
    return phone ? facts_get(kept[at], 0) : (struct compliance_facts){0};
}

static int free_kept(void **state)
{
    (void)state;
    load(0, 0, NULL);
    load(0, 0, NULL);
    pg_close(db);
    return 0;
}

/* ---- consent, zones, holidays ---- */

static void the_best_consent_given_and_the_newest_word_count(void **state)
{
    (void)state;
    assert_int_equal(load(251911000020, 1, NULL).consent, CONSENT_NONE);
    consent(251911000020, "express_written", NOW_MS - 9 * DAY_MS, 0);
    consent(251911000020, "express", NOW_MS - 5 * DAY_MS, 0);
    struct compliance_facts f = load(251911000020, 1, NULL);
    assert_int_equal(f.consent, CONSENT_EXPRESS_WRITTEN);
    assert_false(f.consent_revoked);
    /* Given first, taken back last. */
    consent(251911000021, "express", NOW_MS - 9 * DAY_MS, NOW_MS - DAY_MS);
    f = load(251911000021, 1, NULL);
    assert_int_equal(f.consent, CONSENT_NONE);
    assert_true(f.consent_revoked);
    /* And given once more after that. */
    consent(251911000021, "express", NOW_MS - 1000, 0);
    f = load(251911000021, 1, NULL);
    assert_int_equal(f.consent, CONSENT_EXPRESS);
    assert_false(f.consent_revoked);
}

static void each_key_has_its_own_zones_in_the_order_asked(void **state)
{
    int east = zone_group("US", "{America/Chicago,America/New_York}");
    int addis = zone_group("ET", "{Africa/Addis_Ababa}");
    int none = zone_group("001", "{}");
    const struct uuid own = id_of(1);
    const struct facts_key keys[] = {
        {.phone = 18505550123, .zone_group = east, .type = PHONE_FIXED_OR_MOBILE},
        {.phone = 251911000030, .zone_group = addis, .type = PHONE_MOBILE, .own = &own},
        {.phone = 80012345678, .zone_group = none, .type = PHONE_TOLL_FREE},
        {.phone = 251911000030, .zone_group = 999999, .type = PHONE_MOBILE},
    };
    struct facts_set *set = load_many(keys, 4);
    struct compliance_facts f = facts_get(set, 0);

    (void)state;
    assert_string_equal(f.region, "US");
    assert_int_equal(f.zone_count, 2);
    assert_string_equal(f.zones[0], "America/Chicago");
    assert_string_equal(f.zones[1], "America/New_York");
    assert_int_equal(f.type, PHONE_FIXED_OR_MOBILE);
    assert_true(f.valid && f.history_known && f.clock_trusted && f.campaign_running);
    f = facts_get(set, 1);
    assert_string_equal(f.region, "ET");
    assert_string_equal(f.zones[0], "Africa/Addis_Ababa");
    f = facts_get(set, 2);
    assert_string_equal(f.region, "001");
    assert_int_equal(f.zone_count, 0);
    f = facts_get(set, 3); /* a group that is not there: unknown, so refused */
    assert_int_equal(f.zone_count, 0);
    facts_free(set);
}

static void holidays_are_read_from_yesterday_to_as_far_as_a_verdict_looks(void **state)
{
    struct compliance_holiday *list = NULL;
    size_t n = 0;

    (void)state;
    pgtest_run(db, TENANT,
               "INSERT INTO holidays (tenant_id, region, day, name) VALUES "
               "(1, 'ET', '2026-11-18', 'over'), (1, 'ET', '2026-11-19', 'yesterday'), "
               "(1, '*', '2026-12-25', 'Christmas'), (1, 'ET', '2027-12-25', 'far')");
    assert_int_equal(pg_begin(db, TENANT), 0);
    assert_int_equal(facts_holidays(db, TENANT, NOW_MS, &list, &n), 0);
    assert_int_equal(pg_commit(db), 0);
    assert_int_equal(n, 2);
    assert_string_equal(list[0].region, "ET");
    assert_int_equal(list[0].day, tz_day_number(2026, 11, 19));
    assert_string_equal(list[1].region, "*");
    free(list);
    assert_int_equal(load(251911000031, 1, NULL).holiday_count, 2);
}

/* ---- history ---- */

static void calls_that_left_count_and_withdrawn_ones_do_not(void **state)
{
    static const struct {
        const char *state;
        bool counts, open;
    } states[] = {
        {"intent", true, true},      {"released", true, true}, {"ringing", true, true},
        {"answered", true, true},    {"ended", true, false},   {"unknown", true, false},
        {"withdrawn", false, false},
    };

    (void)state;
    for (int i = 0; i < (int)ARRAY_LEN(states); i++) {
        int64_t phone = 251911000040 + i;
        attempt(100 + i, phone, 3, states[i].state, NOW_MS - 5000,
                i == 0 ? 0 : NOW_MS - 4000);
        struct compliance_facts f = load(phone, 4, NULL);
        assert_int_equal(f.call_count, states[i].counts);
        if (!f.call_count)
            continue;
        assert_int_equal(f.calls[0].open, states[i].open);
        assert_int_equal(f.calls[0].campaign_id, 3);
        assert_int_equal(f.calls[0].at_ms, i == 0 ? NOW_MS - 5000 : NOW_MS - 4000);
    }
}

static void the_attempt_at_hand_is_not_its_own_history(void **state)
{
    const struct uuid own = id_of(7);

    (void)state;
    attempt(7, 251911000050, 3, "intent", NOW_MS, 0);
    assert_int_equal(load(251911000050, 3, NULL).call_count, 1);
    assert_int_equal(load(251911000050, 3, &own).call_count, 0);
}

static void of_two_intents_for_one_number_exactly_one_goes_out(void **state)
{
    const struct uuid first = id_of(8), second = id_of(9);

    (void)state;
    attempt(8, 251911000051, 3, "intent", NOW_MS, 0);
    attempt(9, 251911000051, 4, "intent", NOW_MS, 0);
    assert_int_equal(load(251911000051, 3, &first).call_count, 0);
    assert_int_equal(load(251911000051, 4, &second).call_count, 1);
    assert_true(load(251911000051, 4, &second).calls[0].open);
}

static void history_reaches_as_far_as_some_rule_does(void **state)
{
    (void)state;
    /* A rule may look back ten years at calls of any campaign, and the total of a
     * campaign for ever. */
    attempt(20, 251911000052, 3, "ended", NOW_MS - 90 * DAY_MS, NOW_MS - 90 * DAY_MS);
    attempt(21, 251911000052, 3, "ended", NOW_MS - 3600 * DAY_MS, NOW_MS - 3600 * DAY_MS);
    attempt(22, 251911000052, 3, "ended", NOW_MS - 3700 * DAY_MS, NOW_MS - 3700 * DAY_MS);
    attempt(25, 251911000052, 4, "ended", NOW_MS - 3700 * DAY_MS, NOW_MS - 3700 * DAY_MS);
    struct compliance_facts f = load(251911000052, 4, NULL);
    assert_int_equal(f.call_count, 3);
    assert_int_equal(f.calls[0].campaign_id, 4);
    assert_int_equal(f.calls[1].at_ms, NOW_MS - 3600 * DAY_MS);
    assert_int_equal(f.calls[2].at_ms, NOW_MS - 90 * DAY_MS);
    /* An intent of long ago that was released within the week. */
    attempt(23, 251911000053, 3, "ended", NOW_MS - 9 * DAY_MS, NOW_MS - 6 * DAY_MS);
    attempt(24, 251911000053, 3, "ended", NOW_MS - 2 * DAY_MS, NOW_MS - 2 * DAY_MS);
    f = load(251911000053, 4, NULL);
    assert_int_equal(f.call_count, 2);
    assert_int_equal(f.calls[0].at_ms, NOW_MS - 6 * DAY_MS);
}

static void person(int64_t phone, int list, const char *key)
{
    char sql[300];

    snprintf(sql, sizeof(sql),
             "INSERT INTO contacts (tenant_id, list_id, phone, number_type, zone_group, "
             "region, person) VALUES (1, %d, %" PRId64 ", 1, 1, 'ET', %s)",
             list, phone, key);
    pgtest_run(db, TENANT, sql);
}

static void calls_to_other_numbers_of_the_person_count_for_all_of_them(void **state)
{
    struct facts_key keys[2] = {{.phone = 251911000070, .campaign_id = 3},
                                {.phone = 251911000072, .campaign_id = 3}};

    (void)state;
    person(251911000070, 1, "'abebe'");
    person(251911000071, 2, "'abebe'"); /* in another list */
    person(251911000071, 3, "'abebe'");
    person(251911000072, 1, "NULL");
    person(251911000073, 1, "'tirunesh'");
    attempt(40, 251911000071, 9, "ended", NOW_MS - 2 * DAY_MS, NOW_MS - 2 * DAY_MS);
    attempt(41, 251911000070, 3, "ended", NOW_MS - DAY_MS, NOW_MS - DAY_MS);
    attempt(42, 251911000073, 3, "ended", NOW_MS - DAY_MS, NOW_MS - DAY_MS);
    attempt(43, 251911000072, 3, "ended", NOW_MS - DAY_MS, NOW_MS - DAY_MS);
    struct facts_set *set = load_many(keys, 2);
    struct compliance_facts f = facts_get(set, 0);
    assert_int_equal(f.call_count, 2); /* each call once, whatever lists say so */
    assert_true(f.calls[0].other_number);
    assert_int_equal(f.calls[0].at_ms, NOW_MS - 2 * DAY_MS);
    assert_int_equal(f.calls[0].campaign_id, 9);
    assert_false(f.calls[1].other_number);
    f = facts_get(set, 1);
    assert_int_equal(f.call_count, 1);
    assert_false(f.calls[0].other_number);
    facts_free(set);
}

static void of_two_intents_for_one_person_exactly_one_goes_out(void **state)
{
    const struct uuid first = id_of(50), second = id_of(51);

    (void)state;
    person(251911000074, 1, "'almaz'");
    person(251911000075, 1, "'almaz'");
    attempt(50, 251911000074, 3, "intent", NOW_MS, 0);
    attempt(51, 251911000075, 3, "intent", NOW_MS, 0);
    assert_int_equal(load(251911000074, 3, &first).call_count, 0);
    struct compliance_facts f = load(251911000075, 3, &second);
    assert_int_equal(f.call_count, 1);
    assert_true(f.calls[0].open && f.calls[0].other_number);
}

static void a_key_that_half_the_country_shares_is_no_person(void **state)
{
    (void)state;
    pgtest_run(db, TENANT,
               "INSERT INTO contacts (tenant_id, list_id, phone, number_type, "
               "zone_group, region, person) SELECT 1, 1, 251911100000 + g, 1, 1, 'ET', "
               "CASE WHEN g < 1000 THEN 'Mr' ELSE 'Mrs' END FROM generate_series(0, "
               "1998) g");
    assert_false(load(251911100000, 3, NULL).history_known);
    assert_true(load(251911101000, 3, NULL).history_known); /* 999 rows */
}

static void five_hundred_numbers_come_back_each_with_its_own(void **state)
{
    enum { KEYS = 500 };
    struct facts_key keys[KEYS];
    int64_t first = 251912000000;

    (void)state;
    for (int i = 0; i < KEYS; i++) {
        keys[i] = (struct facts_key){.phone = first + (i * 7) % KEYS, .campaign_id = 2};
        if (i % 5 == 0)
            attempt(1000 + i, first + i, 2, "ended", NOW_MS - i, NOW_MS - i);
        if (i % 50 == 0)
            add_dnc(first + i, 0);
    }
    struct facts_set *set = load_many(keys, KEYS);
    for (size_t i = 0; i < KEYS; i++) {
        struct compliance_facts f = facts_get(set, i);
        int64_t n = keys[i].phone - first;
        assert_int_equal(f.phone, keys[i].phone);
        assert_int_equal(f.call_count, n % 5 == 0);
        assert_int_equal(f.dnc_tenant, n % 50 == 0);
        if (f.call_count)
            assert_int_equal(f.calls[0].at_ms, NOW_MS - n);
    }
    facts_free(set);
}

static void a_number_of_no_list_is_looked_up(void **state)
{
    struct facts_set *set = NULL;
    struct compliance_facts f;

    (void)state;
    add_dnc(251911234567, 0);
    assert_int_equal(facts_load_number(db, TENANT, 251911234567, 0, NOW_MS, &set), 0);
    f = facts_get(set, 0);
    assert_true(f.valid);
    assert_true(f.dnc_tenant);
    assert_string_equal(f.region, "ET");
    assert_int_equal(f.type, PHONE_MOBILE);
    assert_string_equal(f.zones[0], "Africa/Addis_Ababa");
    facts_free(set);
    set = NULL;
    assert_int_equal(facts_load_number(db, TENANT, 2519, 0, NOW_MS, &set), 0);
    assert_false(facts_get(set, 0).valid);
    facts_free(set);
}

static void one_tenant_sees_nothing_of_another(void **state)
{
    const struct facts_key key = {.phone = 251911000060, .campaign_id = 1};
    struct facts_set *set = NULL;

    (void)state;
    add_dnc(251911000060, 0);
    attempt(30, 251911000060, 1, "answered", NOW_MS, NOW_MS);
    consent(251911000060, "express", NOW_MS, 0);
    assert_int_equal(pg_begin(db, other_tenant), 0);
    assert_int_equal(facts_load(db, other_tenant, &key, 1, NOW_MS, &set), 0);
    assert_int_equal(pg_commit(db), 0);
    struct compliance_facts f = facts_get(set, 0);
    assert_false(f.dnc_tenant);
    assert_int_equal(f.consent, CONSENT_NONE);
    assert_int_equal(f.call_count, 0);
    facts_free(set);
}

/* ---- decisions ---- */

static struct verdict decide(const struct policy *p, const struct compliance_facts *f,
                             int64_t now_ms)
{
    struct verdict v;

    compliance_check(p, f, now_ms, &v);
    return v;
}

struct rows {
    size_t n;
    struct decision_row row[8];
    struct verdict again[8];
};

static int keep(const struct decision_row *row, void *arg)
{
    struct inputs_bodies bodies = {.pg = db, .tenant_id = TENANT};
    struct rows *r = arg;

    assert_true(r->n < 8);
    if (row->stage != DECISION_SEND)
        assert_int_equal(compliance_check_again(row->inputs, row->at_ms, inputs_body,
                                                &bodies, &r->again[r->n]),
                         0);
    inputs_bodies_free(&bodies);
    r->row[r->n++] = *row;
    return 0;
}

static void a_decision_is_kept_with_all_it_was_made_from(void **state)
{
    int group = zone_group("ET", "{Africa/Addis_Ababa}");
    const struct facts_key key = {.phone = 251911000080,
                                  .campaign_id = 5,
                                  .zone_group = group,
                                  .type = PHONE_MOBILE};
    const struct uuid attempt_id = id_of(50);
    struct policy p;
    struct rows r = {0};

    (void)state;
    policy_default(&p);
    add_dnc(251911000080, 5);
    struct facts_set *set = load_many(&key, 1);
    struct compliance_facts f = facts_get(set, 0);
    struct verdict no = decide(&p, &f, NOW_MS + 12 * 3600 * 1000);
    f.dnc_campaign = false;
    struct verdict late = decide(&p, &f, NOW_MS + 12 * 3600 * 1000);
    struct verdict yes = decide(&p, &f, NOW_MS);
    struct verdict sent = {.n = 1, .reason = REASON_OUTSIDE_WINDOW};
    sent.reasons[0] = REASON_OUTSIDE_WINDOW;
    assert_true(yes.allow);
    struct compliance_facts listed = facts_get(set, 0);
    const struct decision list[] = {
        {DECISION_CLAIM, 5, 9, key.phone, NULL, NOW_MS, &yes, &p, &f, NULL},
        {DECISION_RELEASE, 5, 9, key.phone, &attempt_id, NOW_MS + 12 * 3600 * 1000, &no,
         &p, &listed, NULL},
        {DECISION_CLAIM, 6, 9, key.phone, NULL, NOW_MS + 12 * 3600 * 1000, &late, &p, &f,
         NULL},
        {DECISION_SEND, 5, 9, key.phone, &attempt_id, NOW_MS + 13 * 3600 * 1000, &sent,
         NULL, NULL, NULL},
    };
    assert_int_equal(pg_begin(db, TENANT), 0);
    assert_int_equal(decision_write(db, TENANT, list, 4), 0);
    assert_int_equal(pg_commit(db), 0);
    assert_int_equal(decision_list(db, TENANT, key.phone, 5, 8, keep, &r), 0);
    assert_int_equal(r.n, 3);
    assert_int_equal(r.row[0].stage, DECISION_SEND);
    assert_int_equal(r.row[0].reason, REASON_OUTSIDE_WINDOW);
    assert_int_equal(r.row[1].stage, DECISION_RELEASE);
    assert_true(r.row[1].has_attempt);
    assert_memory_equal(&r.row[1].attempt, &attempt_id, sizeof(attempt_id));
    assert_int_equal(r.row[1].reason, REASON_DNC_CAMPAIGN);
    assert_int_equal(r.row[1].n, 2);
    assert_int_equal(r.row[1].reasons[1], REASON_OUTSIDE_WINDOW);
    assert_int_equal(r.again[1].n, 2);
    assert_int_equal(r.again[1].reason, REASON_DNC_CAMPAIGN);
    assert_int_equal(r.row[2].reason, REASON_ALLOW);
    assert_int_equal(r.row[2].n, 0);
    assert_false(r.row[2].has_attempt);
    assert_int_equal(r.row[2].at_ms, NOW_MS);
    assert_int_equal(r.row[2].contact_id, 9);
    assert_true(r.again[2].allow);

    r.n = 0;
    assert_int_equal(decision_list(db, TENANT, key.phone, 6, 8, keep, &r), 0);
    assert_int_equal(r.n, 1);
    assert_int_equal(r.row[0].next_allowed_ms, late.next_allowed_ms);
    assert_int_equal(r.again[0].next_allowed_ms, late.next_allowed_ms);
    assert_true(late.next_allowed_ms > 0);
    r.n = 0;
    assert_int_equal(decision_list(db, TENANT, key.phone, 0, 2, keep, &r), 0);
    assert_int_equal(r.n, 2);
    r.n = 0;
    assert_int_equal(decision_list(db, other_tenant, key.phone, 0, 8, keep, &r), 0);
    assert_int_equal(r.n, 0);
    facts_free(set);
}

static int stop_at_once(const struct decision_row *row, void *arg)
{
    (void)row;
    ++*(int *)arg;
    return ECANCELED;
}

static void what_is_rolled_back_was_never_decided(void **state)
{
    struct compliance_facts f = load(251911000081, 1, NULL);
    struct policy p;
    int seen = 0;

    (void)state;
    policy_default(&p);
    struct verdict v = decide(&p, &f, NOW_MS);
    const struct decision d[] = {
        {DECISION_CLAIM, 1, 1, f.phone, NULL, NOW_MS, &v, &p, &f, NULL},
        {DECISION_CLAIM, 1, 1, f.phone, NULL, NOW_MS + 1, &v, &p, &f, NULL}};
    assert_int_equal(pg_begin(db, TENANT), 0);
    assert_int_equal(decision_write(db, TENANT, d, 2), 0);
    pg_rollback(db);
    assert_int_equal(scalar("SELECT count(*) FROM decisions"), 0);
    assert_int_equal(pg_begin(db, TENANT), 0);
    assert_int_equal(decision_write(db, TENANT, d, 2), 0);
    assert_int_equal(pg_commit(db), 0);
    assert_int_equal(decision_list(db, TENANT, f.phone, 0, 8, stop_at_once, &seen),
                     ECANCELED);
    assert_int_equal(seen, 1);
}

static void a_decision_for_another_tenant_cannot_be_written(void **state)
{
    struct compliance_facts f = load(251911000082, 1, NULL);
    struct policy p;

    (void)state;
    policy_default(&p);
    struct verdict v = decide(&p, &f, NOW_MS);
    const struct decision d = {DECISION_CLAIM, 1,  1,  f.phone, NULL,
                               NOW_MS,         &v, &p, &f,      NULL};
    assert_int_equal(pg_begin(db, TENANT), 0);
    assert_int_not_equal(decision_write(db, other_tenant, &d, 1), 0);
    pg_rollback(db);
}

#define CASE(f) cmocka_unit_test_setup(f, empty_tables)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(the_best_consent_given_and_the_newest_word_count),
        CASE(each_key_has_its_own_zones_in_the_order_asked),
        CASE(holidays_are_read_from_yesterday_to_as_far_as_a_verdict_looks),
        CASE(calls_that_left_count_and_withdrawn_ones_do_not),
        CASE(the_attempt_at_hand_is_not_its_own_history),
        CASE(of_two_intents_for_one_number_exactly_one_goes_out),
        CASE(history_reaches_as_far_as_some_rule_does),
        CASE(calls_to_other_numbers_of_the_person_count_for_all_of_them),
        CASE(of_two_intents_for_one_person_exactly_one_goes_out),
        CASE(a_key_that_half_the_country_shares_is_no_person),
        CASE(five_hundred_numbers_come_back_each_with_its_own),
        CASE(a_number_of_no_list_is_looked_up),
        CASE(one_tenant_sees_nothing_of_another),
        CASE(a_decision_is_kept_with_all_it_was_made_from),
        CASE(what_is_rolled_back_was_never_decided),
        CASE(a_decision_for_another_tenant_cannot_be_written),
    };

    pgtest_start(PGTEST_POSTGRES);
    db = pgtest_open();
    struct pg *super = pgtest_open_super();
    other_tenant = (int)pgtest_i64(
        super, 0, "INSERT INTO tenants (name) VALUES ('other') RETURNING id");
    pg_close(super);
    return cmocka_run_group_tests(tests, NULL, free_kept);
}
