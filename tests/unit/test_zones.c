#include "unit/cm.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "contacts/tz.h"
#include "contacts/zones.h"
#include "contacts/zones_table.h"

static const char *joined(const struct zone_set *set)
{
    static char text[4096];
    size_t len = 0;

    text[0] = '\0';
    for (size_t i = 0; i < set->n; i++)
        len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s", i ? "," : "",
                                set->names[i]);
    return text;
}

static const struct zone_set *npa(int code)
{
    return zones_of(10000000000 + (int64_t)code * 10000000 + 2345678,
                    PHONE_FIXED_OR_MOBILE);
}

static void answers_as_the_python_library_outside_plus_one(void **state)
{
    const char *path = getenv("ZONES_VECTORS");
    FILE *f = fopen(path ? path : SOURCE_DIR "/tests/data/zones-vectors.txt", "r");
    char zones[2048];
    int64_t e164 = 0;
    int type = 0, n = 0;

    (void)state;
    assert_non_null(f);
    for (; fscanf(f, "%" SCNd64 " %d %2047s", &e164, &type, zones) == 3; n++) {
        /* The library's enum ends with 99 for unknown; none is in the file. */
        const char *ours = joined(zones_of(e164, (enum phone_type)type));

        if (strcmp(zones, "Etc/Unknown") == 0)
            zones[0] = '\0';
        if (strcmp(ours, zones) != 0)
            fail_msg("%" PRId64 " type %d: %s, not %s", e164, type, ours, zones);
    }
    fclose(f);
    assert_true(n >= 3000);
}

static void area_codes_have_every_zone_of_their_ground(void **state)
{
    static const struct {
        int npa;
        const char *zones;
    } cases[] = {
        {212, "America/New_York"},
        {808, "Pacific/Honolulu"},
        {850, "America/Chicago,America/New_York"},
        {448, "America/Chicago,America/New_York"},
        {423, "America/Chicago,America/New_York"},
        {219, "America/Chicago,America/New_York"},
        {930, "America/Chicago,America/New_York"},
        {364, "America/Chicago,America/New_York"},
        {602, "America/Denver,America/Phoenix"},
        {208, "America/Boise,America/Denver,America/Los_Angeles"},
        {986, "America/Boise,America/Denver,America/Los_Angeles"},
        {458, "America/Denver,America/Los_Angeles"},
        {437, "America/Toronto"},
        {474, "America/Edmonton,America/Regina"},
        {306, "America/Edmonton,America/Regina"},
        {709, "America/Goose_Bay,America/St_Johns"},
        {879, "America/Goose_Bay,America/St_Johns"},
        {257, "America/Edmonton,America/Vancouver"},
        {778, "America/Edmonton,America/Vancouver"},
        {581, "America/Halifax,America/Toronto"},
        {867, "America/Edmonton,America/Fort_Nelson,America/Iqaluit,"
              "America/Rankin_Inlet,America/Toronto,America/Vancouver,America/Winnipeg"},
        {876, "America/Jamaica"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_string_equal(joined(npa(cases[i].npa)), cases[i].zones);
}

static void the_type_is_asked_first(void **state)
{
    (void)state;
    /* An Australian mobile may be anywhere there; a Sydney line is in Sydney. */
    assert_true(zones_of(61491570006, PHONE_MOBILE)->n > 5);
    assert_string_equal(joined(zones_of(61291570006, PHONE_FIXED)), "Australia/Sydney");
    assert_string_equal(joined(zones_of(34612345678, PHONE_MOBILE)),
                        "Atlantic/Canary,Europe/Madrid");
    assert_string_equal(joined(zones_of(251911234567, PHONE_MOBILE)),
                        "Africa/Addis_Ababa");
    assert_string_equal(joined(zones_of(254712345678, PHONE_MOBILE)), "Africa/Nairobi");
    assert_string_equal(joined(zones_of(212612345678, PHONE_MOBILE)),
                        "Africa/Casablanca");
    assert_int_equal(zones_of(251911234567, PHONE_UNKNOWN)->n, 0);
    assert_int_equal(zones_of(0, PHONE_FIXED)->n, 0);
    assert_int_equal(zones_of(-5, PHONE_FIXED)->n, 0);
    assert_int_equal(zones_of(INT64_MAX, PHONE_FIXED)->n + 1 > 0, 1);
}

static bool unknown_at(const struct zone_set *set, int64_t at_ms)
{
    return zones_are_unknown(set->names, set->n, at_ms);
}

static void zones_too_far_apart_are_unknown(void **state)
{
    const int64_t november = INT64_C(1795500000000);

    (void)state;
    assert_int_equal(zones_of(18005550199, PHONE_TOLL_FREE)->n, 42);
    assert_true(unknown_at(zones_of(18005550199, PHONE_TOLL_FREE), november));
    assert_true(unknown_at(zones_of(79121234567, PHONE_MOBILE), november));
    assert_true(unknown_at(zones_of(251911234567, PHONE_UNKNOWN), november));
    assert_true(unknown_at(npa(999), november));
    assert_false(unknown_at(npa(208), november));
    assert_false(unknown_at(zones_of(61491570006, PHONE_MOBILE), november));
    assert_false(unknown_at(zones_of(251911234567, PHONE_MOBILE), november));
    assert_true(zones_are_unknown((const char *const[]){"Africa/Nowhere"}, 1, november));
}

static void every_zone_of_the_table_is_in_tzdata(void **state)
{
    const struct tz_zone *zone = NULL;

    (void)state;
    for (int i = 0; i < zones_table_starts[ZONES_PREFIX_DIGITS]; i++) {
        const struct zone_set *set = &zones_table_sets[zones_table_prefixes[i].set];

        assert_in_range(set->n, 1, ZONES_MAX);
        for (size_t k = 0; k < set->n; k++)
            assert_int_equal(tz_find(set->names[k], &zone), 0);
    }
    for (int i = 0; i < zones_table_npa_count; i++) {
        const struct zone_set *set = &zones_table_sets[zones_table_npas[i].set];

        for (size_t k = 0; k < set->n; k++)
            assert_int_equal(tz_find(set->names[k], &zone), 0);
        if (i > 0)
            assert_true(zones_table_npas[i - 1].prefix < zones_table_npas[i].prefix);
    }
}

static void one_overlay_family_has_one_set_of_zones(void **state)
{
    int families = 0;

    (void)state;
    for (const char *const *f = zones_table_families; *f; f++, families++) {
        const struct zone_set *first = NULL;

        for (const char *p = *f; *p; p += strcspn(p, " "), p += strspn(p, " ")) {
            const struct zone_set *set = npa((int)strtol(p, NULL, 10));

            if (!set->n)
                continue;
            if (first)
                assert_ptr_equal(set, first);
            first = set;
        }
    }
    assert_true(families > 100);
    assert_ptr_equal(npa(416), npa(437));
    assert_ptr_equal(npa(306), npa(474));
    assert_ptr_equal(npa(709), npa(879));
}

static void the_table_says_its_date(void **state)
{
    (void)state;
    assert_true(zones_date_ms() >= INT64_C(1795478400000));
    assert_true(zones_date_ms() % 86400000 == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_as_the_python_library_outside_plus_one),
        cmocka_unit_test(area_codes_have_every_zone_of_their_ground),
        cmocka_unit_test(the_type_is_asked_first),
        cmocka_unit_test(zones_too_far_apart_are_unknown),
        cmocka_unit_test(every_zone_of_the_table_is_in_tzdata),
        cmocka_unit_test(one_overlay_family_has_one_set_of_zones),
        cmocka_unit_test(the_table_says_its_date),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
