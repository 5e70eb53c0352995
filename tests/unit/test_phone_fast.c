#include "unit/cm.h"

#include <stdlib.h>
#include <string.h>

#include "contacts/phone_digits.h"
#include "phone_compare.h"

/* A constant, so that a failure can be looked at again; FURROW_TEST_COUNT for more. */
enum { SEED = 20260901, COUNT = 100000 };

static void says_what_libphonenumber_says_of_numbers_of_every_region(void **state)
{
    struct phone_comparison c = {0};
    const char *more = getenv("FURROW_TEST_COUNT");
    int64_t count = more ? strtoll(more, NULL, 10) : COUNT;

    (void)state;
    assert_true(phone_fast_is_on());
    for (int64_t i = 0; i < count; i++) {
        struct phone_sample s;

        sample_number(SEED, i, &s);
        compare_one(&s, &c);
    }
    if (c.different)
        fail_msg("%lld of %lld differ, first: %s", (long long)c.different,
                 (long long)c.compared, c.first_difference);
    /* The comparison is worth something: many are valid, most of those are fast. */
    assert_true(c.valid > count / 4);
    assert_true(c.fast > c.valid * 8 / 10);
    assert_true(c.valid < count * 9 / 10);
}

static void every_example_of_every_region_and_kind(void **state)
{
    const struct phone_region *regions = NULL;
    size_t n = phone_regions(&regions);
    struct phone_comparison c = {0};

    (void)state;
    assert_true(n > 240);
    for (size_t i = 0; i < n; i++) {
        for (int type = 0; type < PHONE_UNKNOWN; type++) {
            struct phone_sample s = {.region = regions[i].id};
            int64_t e164 = 0;

            if (!phone_example(regions[i].id, (enum phone_type)type, &e164))
                continue;
            snprintf(s.text, sizeof(s.text), "+%lld", (long long)e164);
            compare_one(&s, &c);
        }
    }
    assert_int_equal(c.different, 0);
    assert_true(c.compared > 700);
    assert_true(c.fast > c.compared * 9 / 10);
}

static void leaves_what_is_not_plain_to_the_library(void **state)
{
    static const char *const texts[] = {
        "",         "+",           "0911234567x12",  "0911-CALLME", "tel:+251911234567",
        "+251+911", "٠٩١١٢٣٤٥٦٧",  "0911234567#",    "9.11235E+11", "+999 123 456 789",
        "12",       "0911/234567", "+251 000000000",
    };
    struct phone p;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        if (phone_fast_parse(texts[i], strlen(texts[i]), "ET", &p))
            fail_msg("'%s' is not for the fast way", texts[i]);
    assert_false(phone_fast_parse("0911234567", 10, NULL, &p));
    assert_false(phone_fast_parse("0911234567", 10, "XX", &p));
    assert_true(phone_fast_parse("(0911) 23-45.67", 15, "ET", &p));
    assert_int_equal(p.e164, 251911234567);
}

static void automata_match_as_the_expressions_say(void **state)
{
    static const char *const patterns[] = {"1(?:2|3[4-6])?\\d{2,3}", "9[0-24]", "", NULL,
                                           "12345"};
    static const struct {
        const char *text;
        unsigned matched;
    } cases[] = {
        {"", 0},      {"1", 0},      {"12", 0},          {"123", 1},    {"1234", 1},
        {"92", 2},    {"93", 0},     {"94", 2},          {"941", 0},    {"135", 1},
        {"13512", 1}, {"135123", 1}, {"1351234", 0},     {"12345", 17}, {"12344", 1},
        {"1299", 1},  {"137123", 0}, {"99999999999", 0},
    };
    struct digits *d = NULL;

    (void)state;
    assert_int_equal(digits_new(&d, patterns, ARRAY_LEN(patterns)), 0);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        if (digits_match(d, cases[i].text, strlen(cases[i].text)) != cases[i].matched)
            fail_msg("%s", cases[i].text);
    digits_free(d);
}

static void refuses_expressions_of_another_dialect(void **state)
{
    static const char *const bad[] = {"1*",   "1+",    "(?=1)2", "[1",   "(1", "1{2,1}",
                                      "1{x}", "[^1]2", "1{99}",  "\\w1", "1)", "^1"};
    struct digits *d = NULL;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        if (!digits_new(&d, &bad[i], 1))
            fail_msg("%s was taken", bad[i]);
    assert_null(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(says_what_libphonenumber_says_of_numbers_of_every_region),
        cmocka_unit_test(every_example_of_every_region_and_kind),
        cmocka_unit_test(leaves_what_is_not_plain_to_the_library),
        cmocka_unit_test(automata_match_as_the_expressions_say),
        cmocka_unit_test(refuses_expressions_of_another_dialect),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
