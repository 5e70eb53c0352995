/* What the gate knows beside lists and history, on a real Postgres: the kill switch and
 * its order against releases, consent, places, line types, washes, registrations, blocks,
 * packs by content. */
#include "unit/cm.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "compliance/calling_store.h"
#include "compliance/consent_store.h"
#include "compliance/decision_store.h"
#include "compliance/facts_store.h"
#include "compliance/pack.h"
#include "compliance/pack_store.h"
#include "store/pgtest.h"

#define NOW_MS INT64_C(1795165200000) /* 2026-11-20T09:00:00Z, noon in Addis Ababa */

enum { TENANT = 1, FLORIDIAN = 5 };

static struct pg *db;

static const int64_t phone = INT64_C(13055550123);

static struct facts_set *load(void)
{
    struct facts_set *set = NULL;

    assert_int_equal(facts_load_number(db, TENANT, phone, FLORIDIAN, NOW_MS, &set), 0);
    return set;
}

static void switched_off_means_every_number_and_on_again_means_none(void **state)
{
    int64_t stopped_ms = 0;
    char note[256];

    (void)state;
    assert_int_equal(calling_state(db, TENANT, &stopped_ms, note, sizeof(note)), 0);
    assert_int_equal(stopped_ms, 0);
    assert_int_equal(calling_stop(db, TENANT, "wrong list", NOW_MS), 0);
    struct facts_set *set = load();
    assert_true(facts_get(set, 0).kill_switch);
    facts_free(set);
    assert_int_equal(calling_state(db, TENANT, &stopped_ms, note, sizeof(note)), 0);
    assert_int_equal(stopped_ms, NOW_MS);
    assert_string_equal(note, "wrong list");
    assert_int_equal(calling_resume(db, TENANT), 0);
    set = load();
    assert_false(facts_get(set, 0).kill_switch);
    facts_free(set);
}

/* A release holds the lock until its commit: whoever switches off waits for it, and
 * whoever releases afterwards sees the switch. */
static void the_switch_waits_for_releases_that_have_begun(void **state)
{
    struct pg *other = pgtest_open();

    (void)state;
    pgtest_run(other, 0, "SET lock_timeout = '200ms'");
    assert_int_equal(pg_begin(db, TENANT), 0);
    assert_int_equal(facts_lock_switch(db, TENANT, false), 0);
    assert_int_not_equal(calling_stop(other, TENANT, "", NOW_MS), 0);
    assert_string_equal(pg_sqlstate(other), "55P03"); /* lock_not_available */
    assert_int_equal(pg_commit(db), 0);
    assert_int_equal(calling_stop(other, TENANT, "", NOW_MS), 0);
    assert_int_equal(calling_resume(other, TENANT), 0);
    pg_close(other);
}

static void everything_on_file_of_a_number_is_read(void **state)
{
    (void)state;
    pgtest_run(
        db, TENANT,
        "INSERT INTO line_types VALUES (1, 13055550123, 2, furrow_ts(1795000000000))");
    pgtest_run(db, TENANT,
               "INSERT INTO reassigned_numbers VALUES (1, 13055550123, 1, "
               "furrow_ts(1795000000000))");
    pgtest_run(db, TENANT,
               "INSERT INTO number_places VALUES (1, 13055550123, 'US-CA', "
               "'{America/Los_Angeles}', true)");
    pgtest_run(db, TENANT,
               "INSERT INTO washes VALUES (1, 13055550123, 'us.wash', true, "
               "furrow_ts(1795000000000), furrow_ts(1796000000000))");
    pgtest_run(db, TENANT,
               "INSERT INTO registrations (tenant_id, region) VALUES (1, 'US-FL')");
    pgtest_run(
        db, TENANT,
        "INSERT INTO emergency_blocks (tenant_id, region, from_at) VALUES (1, 'US-LA', "
        "furrow_ts(1795000000000))");
    struct facts_set *set = load();
    struct compliance_facts f = facts_get(set, 0);
    assert_int_equal(f.line, LINE_FACT_FIXED);
    assert_int_equal(f.line_checked_ms, 1795000000000);
    assert_int_equal(f.rnd, RND_NO);
    assert_string_equal(f.state, "US-FL");
    assert_string_equal(f.address_region, "US-CA");
    assert_int_equal(f.address_zone_count, 1);
    assert_string_equal(f.address_zones[0], "America/Los_Angeles");
    assert_true(f.tz_confirmed);
    assert_int_equal(f.wash_count, 1);
    assert_string_equal(f.washes[0].name, "us.wash");
    assert_true(f.washes[0].hit);
    assert_int_equal(f.registration_count, 1);
    assert_int_equal(f.block_count, 1);
    assert_true(strcmp(f.tzdata, "2025") > 0);
    facts_free(set);
}

static void the_best_consent_counts_until_it_is_taken_back(void **state)
{
    struct consent c = {.phone = phone,
                        .level = CONSENT_EXPRESS,
                        .evidence = "a form",
                        .seller = "coop",
                        .given_at_ms = NOW_MS - 1000};
    int64_t n = 0;

    (void)state;
    assert_int_equal(consent_add(db, TENANT, &c), 0);
    c.level = CONSENT_EXPRESS_WRITTEN;
    c.given_at_ms = NOW_MS - 2000;
    assert_int_equal(consent_add(db, TENANT, &c), 0);
    struct facts_set *set = load();
    struct compliance_facts f = facts_get(set, 0);
    assert_int_equal(f.consent, CONSENT_EXPRESS_WRITTEN);
    assert_int_equal(f.consent_given_ms, NOW_MS - 2000);
    assert_true(f.consent_evidence);
    assert_string_equal(f.consent_seller, "coop");
    facts_free(set);
    assert_int_equal(consent_revoke(db, TENANT, phone, "said so", NOW_MS, &n), 0);
    assert_int_equal(n, 2);
    set = load();
    assert_true(facts_get(set, 0).consent_revoked);
    assert_int_equal(facts_get(set, 0).consent, CONSENT_NONE);
    facts_free(set);
}

static int keep_rules(const struct decision_row *row, void *arg)
{
    struct inputs_bodies bodies = {.pg = db, .tenant_id = TENANT};
    json_t **rules = arg;
    struct verdict v;

    assert_int_equal(
        compliance_check_again(row->inputs, row->at_ms, inputs_body, &bodies, &v), 0);
    assert_int_equal(v.reason, row->reason);
    assert_int_equal(
        compliance_explain_again(row->inputs, row->at_ms, inputs_body, &bodies, rules),
        0);
    inputs_bodies_free(&bodies);
    return ECANCELED;
}

/* The packs that held are not this installation's any more: their bodies are found by
 * content. */
static void a_decision_is_run_again_with_the_packs_of_its_day(void **state)
{
    static const char text[] =
        "{\"US\": {\"rows\": [{\"id\": \"hours\", \"kind\": \"windows\", \"cite\": \"of "
        "old\", "
        "\"grade\": \"A\", \"checked_on\": \"2020-01-01\", \"week\": {\"1\": [], \"2\": "
        "[], "
        "\"3\": [], \"4\": [], \"5\": [], \"6\": [], \"7\": []}}]}}";
    json_t *json = json_loads(text, 0, NULL), *rules = NULL;
    struct packs *old = NULL;
    struct policy p;
    struct verdict v;

    (void)state;
    assert_int_equal(packs_read(json, &old, NULL), 0);
    assert_int_equal(packs_keep(db, old), 0);
    assert_int_equal(packs_keep(db, old), 0); /* kept once */
    policy_default(&p);
    p.pack_mode = PACKS_AUTO;
    p.packs = old;
    struct facts_set *set = load();
    struct compliance_facts f = facts_get(set, 0);
    f.zones_date_ms = NOW_MS;
    char hash[65] = "";
    compliance_check(&p, &f, NOW_MS, &v);
    assert_false(v.allow);
    const struct decision d = {.stage = DECISION_CLAIM,
                               .campaign_id = FLORIDIAN,
                               .contact_id = 1,
                               .phone = phone,
                               .at_ms = NOW_MS,
                               .verdict = &v,
                               .policy = &p,
                               .facts = &f,
                               .inputs_hash = hash};
    assert_int_equal(pg_begin(db, TENANT), 0);
    assert_int_equal(decision_write(db, TENANT, &d, 1), 0);
    assert_int_equal(pg_commit(db), 0);
    assert_int_equal(strlen(hash), 64);
    packs_free(old);
    json_decref(json);
    assert_int_equal(decision_list(db, TENANT, phone, FLORIDIAN, 1, keep_rules, &rules),
                     ECANCELED);
    bool found = false;
    for (size_t i = 0; i < json_array_size(rules); i++) {
        const char *cite =
            json_string_value(json_object_get(json_array_get(rules, i), "cite"));
        found |= cite && strcmp(cite, "of old") == 0;
    }
    assert_true(found);
    json_decref(rules);
    facts_free(set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(switched_off_means_every_number_and_on_again_means_none),
        cmocka_unit_test(the_switch_waits_for_releases_that_have_begun),
        cmocka_unit_test(everything_on_file_of_a_number_is_read),
        cmocka_unit_test(the_best_consent_counts_until_it_is_taken_back),
        cmocka_unit_test(a_decision_is_run_again_with_the_packs_of_its_day),
    };

    pgtest_start(PGTEST_POSTGRES);
    db = pgtest_open();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    pg_close(db);
    return failed;
}
