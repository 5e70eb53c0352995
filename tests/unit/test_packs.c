/* Rule packs: the shipped ones are sound, wrong ones are refused with the place, each can
 * only refuse more. */
#include "unit/cm.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/clock.h"
#include "base/errors.h"
#include "base/str.h"
#include "compliance/check.h"
#include "compliance/pack.h"
#include "contacts/zones.h"

static struct packs *shipped(void)
{
    struct packs *packs = NULL;
    struct errtext e = {0};

    if (packs_load(SOURCE_DIR "/compliance/packs", &packs, &e))
        fail_msg("%s", e.text);
    return packs;
}

static void every_shipped_row_names_its_source_and_when_it_was_checked(void **state)
{
    struct packs *packs = shipped();

    (void)state;
    assert_true(packs->n > 40);
    for (size_t i = 0; i < packs->n; i++) {
        assert_true(packs->at[i].row_count > 0);
        assert_int_not_equal(packs->at[i].review_by_day, INT64_MAX);
        assert_int_equal(strlen(packs->at[i].hash), 64);
        for (size_t k = 0; k < packs->at[i].row_count; k++) {
            const struct pack_row *row = &packs->at[i].rows[k];
            if (!*row->cite || row->checked_day == 0 || row->grade == '?')
                fail_msg("%s %s", packs->at[i].name, row->id);
        }
    }
    packs_free(packs);
}

static void
every_state_of_the_table_of_numbers_has_a_pack_or_is_federal_alone(void **state)
{
    struct packs *packs = shipped();

    (void)state;
    assert_string_equal(zones_state_of(13055550123), "US-FL");
    assert_string_equal(zones_state_of(14375550123), "CA-ON");
    assert_string_equal(zones_state_of(18005550123), "");
    assert_string_equal(zones_state_of(18765550123), ""); /* Jamaica */
    assert_string_equal(zones_state_of(251911000000), "");
    assert_non_null(packs_find(packs, "US-FL"));
    assert_non_null(packs_find(packs, "US-UNKNOWN"));
    assert_null(packs_find(packs, "US-ZZ"));
    packs_free(packs);
}

static void expect_refused(const char *text, const char *what)
{
    struct errtext e = {0};
    struct pack pack;
    json_t *json = json_loads(text, 0, NULL);

    assert_non_null(json);
    assert_int_equal(pack_read(&pack, "XX", json, &e), EINVAL);
    if (!strstr(e.text, what))
        fail_msg("'%s' does not say '%s'", e.text, what);
    json_decref(json);
}

static void a_wrong_pack_is_refused_with_the_place(void **state)
{
    (void)state;
    expect_refused("{\"rows\": [{\"kind\": \"ring\", \"min_s\": 15}]}", "/rows/0");
    expect_refused("{\"rows\": [{\"id\": \"r\", \"kind\": \"rung\"}]}",
                   "'kind' is windows");
    expect_refused("{\"rows\": [{\"id\": \"r\", \"kind\": \"ring\"}]}", "'min_s'");
    expect_refused("{\"rows\": [{\"id\": \"h\", \"kind\": \"windows\", \"week\": {}}]}",
                   "'week'");
    expect_refused("{\"holidays\": [\"2026-02-30\"]}", "YYYY-MM-DD");
    expect_refused("{\"extra_clocks\": [\"6\"]}", "offsets from UTC");
    expect_refused("{\"eve_week\": [[\"20:00\", \"10:00\"]]}", "HH:MM");
    expect_refused(
        "{\"rows\": [{\"id\": \"f\", \"kind\": \"frequency\", \"code\": \"FREQ_24H\", "
        "\"seconds\": 0, \"max\": 3}]}",
        "above 0");
    expect_refused("{\"rows\": [{\"id\": \"c\", \"kind\": \"cooldown\", \"code\": "
                   "\"COOLDOWN_REFUSAL\", \"seconds\": 60, \"after\": \"refusal\"}]}",
                   "'after' must be an outcome");
    expect_refused(
        "{\"rows\": [{\"id\": \"f\", \"kind\": \"frequency\", \"code\": \"FREQ_24H\", "
        "\"seconds\": 60, \"max\": 3, \"exclude_outcomes\": [\"busy\", \"full\"]}]}",
        "'exclude_outcomes'");
    expect_refused(
        "{\"rows\": [{\"id\": \"f\", \"kind\": \"ring\", \"min_s\": 15, \"purposes\": "
        "[\"fun\"]}]}",
        "'purposes'");
    expect_refused("[]", "a pack is an object");
}

static struct compliance_facts floridian(const struct zone_set *zones)
{
    return (struct compliance_facts){.phone = 13055550123,
                                     .type = PHONE_FIXED_OR_MOBILE,
                                     .valid = true,
                                     .region = "US",
                                     .state = "US-FL",
                                     .zones = zones->names,
                                     .zone_count = zones->n,
                                     .history_known = true,
                                     .clock_trusted = true,
                                     .campaign_running = true};
}

static bool has(const struct verdict *v, enum reason r)
{
    for (size_t i = 0; i < v->n; i++)
        if (v->reasons[i] == r)
            return true;
    return false;
}

static void packs_refuse_what_the_tenant_would_allow_and_never_the_other_way(void **state)
{
    const struct zone_set *zones = zones_of(13055550123, PHONE_FIXED_OR_MOBILE);
    struct compliance_facts f = floridian(zones);
    struct packs *packs = shipped();
    struct policy p;
    struct verdict v;
    int64_t now_ms = 0;

    (void)state;
    assert_int_equal(clock_parse("2026-11-20T18:00:00Z", &now_ms), 0);
    f.zones_date_ms = now_ms;
    policy_default(&p);
    compliance_check(&p, &f, now_ms, &v);
    assert_true(v.allow);
    p.pack_mode = PACKS_AUTO;
    p.packs = packs;
    compliance_check(&p, &f, now_ms, &v);
    assert_true(has(&v, REASON_DNC_LIST_MISSING));     /* us.ftc */
    assert_true(has(&v, REASON_REGISTRATION_MISSING)); /* Florida */
    p.purpose = PURPOSE_EMERGENCY;                     /* no pack speaks of it */
    compliance_check(&p, &f, now_ms, &v);
    assert_true(has(&v, REASON_REGION_UNCOVERED));
    p.packs = NULL;
    compliance_check(&p, &f, now_ms, &v);
    assert_true(has(&v, REASON_REGION_UNCOVERED));
    packs_free(packs);
}

static void a_pack_past_its_review_refuses(void **state)
{
    const struct zone_set *zones = zones_of(251911000000, PHONE_MOBILE);
    struct compliance_facts f = floridian(zones);
    struct packs *packs = shipped();
    struct policy p;
    struct verdict v;
    int64_t now_ms = 0;

    (void)state;
    str_cut(f.region, sizeof(f.region), "ET");
    f.state[0] = '\0';
    policy_default(&p);
    p.pack_mode = PACKS_AUTO;
    p.packs = packs;
    assert_int_equal(clock_parse("2026-11-20T09:00:00Z", &now_ms), 0);
    f.zones_date_ms = now_ms;
    compliance_check(&p, &f, now_ms, &v);
    assert_true(v.allow);
    assert_int_equal(clock_parse("2027-11-22T09:00:00Z", &now_ms), 0);
    f.zones_date_ms = now_ms;
    compliance_check(&p, &f, now_ms, &v);
    assert_int_equal(v.reason, REASON_PACK_EXPIRED);
    packs_free(packs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_shipped_row_names_its_source_and_when_it_was_checked),
        cmocka_unit_test(
            every_state_of_the_table_of_numbers_has_a_pack_or_is_federal_alone),
        cmocka_unit_test(a_wrong_pack_is_refused_with_the_place),
        cmocka_unit_test(
            packs_refuse_what_the_tenant_would_allow_and_never_the_other_way),
        cmocka_unit_test(a_pack_past_its_review_refuses),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
