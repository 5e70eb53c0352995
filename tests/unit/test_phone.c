#include "unit/cm.h"

#include <string.h>

#include "contacts/phone.h"

static void reads_numbers_in_every_usual_form(void **state)
{
    static const struct {
        const char *text, *region;
        int64_t e164;
        const char *of;
        enum phone_type type;
    } cases[] = {
        {"+251911234567", NULL, 251911234567, "ET", PHONE_MOBILE},
        {"0911 23 45 67", "ET", 251911234567, "ET", PHONE_MOBILE},
        {"911234567", "ET", 251911234567, "ET", PHONE_MOBILE},
        {"251911234567", "ET", 251911234567, "ET", PHONE_MOBILE},
        {"00251-911-234567", "ET", 251911234567, "ET", PHONE_MOBILE},
        {"  +251 (0) 911 234567 ", "ET", 251911234567, "ET", PHONE_MOBILE},
        {"tel:+251-911-234567", "US", 251911234567, "ET", PHONE_MOBILE},
        {"\xEF\xBC\x8B\xEF\xBC\x92"
         "51911234567",
         NULL, 251911234567, "ET", PHONE_MOBILE},
        {"(212) 555-0123", "US", 12125550123, "US", PHONE_FIXED_OR_MOBILE},
        {"+1 876 456 7890", NULL, 18764567890, "JM", PHONE_FIXED_OR_MOBILE},
        {"020 7946 0123", "GB", 442079460123, "GB", PHONE_FIXED},
        {"+39 06 1234 5678", NULL, 390612345678, "IT", PHONE_FIXED},
        {"+1 800 555 0199", NULL, 18005550199, "US", PHONE_TOLL_FREE},
        {"+800 1234 5678", NULL, 80012345678, "001", PHONE_TOLL_FREE},
        {"+61 491 570 006", NULL, 61491570006, "AU", PHONE_MOBILE},
        {"0712 345 678 ext. 12", "KE", 254712345678, "KE", PHONE_MOBILE},
    };
    struct phone p;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (phone_parse(cases[i].text, strlen(cases[i].text), cases[i].region, &p))
            fail_msg("%s is refused", cases[i].text);
        assert_int_equal(p.e164, cases[i].e164);
        assert_string_equal(p.region, cases[i].of);
        if (p.e164 != 18764567890)
            assert_int_equal(p.type, cases[i].type);
        assert_true(p.valid);
    }
}

static void says_why_a_text_is_no_number(void **state)
{
    static const struct {
        const char *text, *region, *reason;
    } cases[] = {
        {"", "ET", "not_a_number"},
        {"   ", "ET", "not_a_number"},
        {"unknown", "ET", "not_a_number"},
        {"ask Abebe", "ET", "not_a_number"},
        {"0911-CALLME", "ET", "not_a_number"},
        {"1-800-FLOWERS", "US", "not_a_number"},
        {"9.11235E+11", "ET", "not_a_number"},
        {"0911", "ET", "too_short"},
        {"+25191123", NULL, "too_short"},
        {"555-0123", "US", "too_short"},
        {"0911234567890123", "ET", "too_long"},
        {"0911234567/0922345678", "ET", "too_long"},
        {"0911234567", NULL, "unknown_country"},
        {"0911234567", "", "unknown_country"},
        {"+999 123 456 789", NULL, "unknown_country"},
        {"+251 111", NULL, "too_short"},
        {"+1 257 555 0123", NULL, "invalid_number"},
        {"+251 000 000 000", NULL, "invalid_number"},
        {"0511 23 45 67", "ET", "invalid_number"},
    };
    struct phone p;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        enum phone_error e =
            phone_parse(cases[i].text, strlen(cases[i].text), cases[i].region, &p);
        if (strcmp(phone_error_reason(e), cases[i].reason) != 0)
            fail_msg("'%s': %s, not %s", cases[i].text, phone_error_reason(e),
                     cases[i].reason);
        assert_false(p.valid);
        assert_true(*phone_error_hint(e));
    }
}

static void a_text_of_any_bytes_and_length_is_survived(void **state)
{
    char text[4096];
    struct phone p;
    uint32_t seed = 7;

    (void)state;
    memset(text, '9', sizeof(text));
    assert_int_equal(phone_parse(text, sizeof(text), "ET", &p), PHONE_TOO_LONG);
    for (int round = 0; round < 3000; round++) {
        size_t len = (size_t)(round % 60);

        for (size_t i = 0; i < len; i++) {
            seed = seed * 1664525 + 1013904223;
            text[i] = (char)(seed >> 24);
            if (seed >> 13 & 1)
                text[i] = "+0123456789 ()-x;"[seed >> 14 & 15];
        }
        (void)phone_parse(text, len, round & 1 ? "US" : NULL, &p);
    }
}

static void shows_numbers_readably_and_knows_regions(void **state)
{
    char text[PHONE_FORMAT_MAX];
    struct phone p;

    (void)state;
    assert_string_equal(phone_format(251911234567, text), "+251 91 123 4567");
    assert_string_equal(phone_format(7, text), "+7");
    assert_int_equal(phone_from_e164(251911234567, &p), PHONE_VALID);
    assert_string_equal(p.region, "ET");
    assert_int_not_equal(phone_from_e164(0, &p), PHONE_VALID);
    assert_int_not_equal(phone_from_e164(-251911234567, &p), PHONE_VALID);
    assert_true(phone_region_is_known("ET"));
    assert_false(phone_region_is_known("Ethiopia"));
    assert_false(phone_region_is_known("et"));
    assert_string_equal(phone_type_name(PHONE_TOLL_FREE), "toll_free");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_numbers_in_every_usual_form),
        cmocka_unit_test(says_why_a_text_is_no_number),
        cmocka_unit_test(a_text_of_any_bytes_and_length_is_survived),
        cmocka_unit_test(shows_numbers_readably_and_knows_regions),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
