/* gs1: check digits, identifiers and URNs, on the examples everybody quotes and on those
 * of the GS1 General Specifications. */
#include "unit/cm.h"

#include <errno.h>
#include <string.h>

#include "base/str.h"
#include "batches/gs1.h"
#include "batches/token.h"

static void check_digits_complete_a_code(void **state)
{
    static const struct {
        const char *digits;
        char check;
    } cases[] = {
        {"0061414164732", '3'}, {"061414100010", '4'}, {"30614141123456789", '1'},
        {"629104150021", '3'}, /* GTIN-13 of the GS1 check digit page */
        {"03600029145", '2'},  /* UPC-A of a well known pack of tissues */
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        assert_int_equal(gs1_check_digit(cases[i].digits), cases[i].check);
    assert_true(gs1_is_valid("00614141647323"));
    assert_true(gs1_is_valid("0614141000104"));
    assert_true(gs1_is_valid("306141411234567891"));
    assert_true(gs1_is_valid("6291041500213"));
}

static void a_wrong_digit_or_length_is_no_code(void **state)
{
    static const char good[] = "00614141647323";

    (void)state;
    for (size_t i = 0; i < strlen(good); i++)
        for (char c = '0'; c <= '9'; c++) {
            char altered[sizeof(good)];
            memcpy(altered, good, sizeof(good));
            altered[i] = c;
            assert_int_equal(gs1_is_valid(altered), c == good[i]);
        }
    assert_false(gs1_is_valid(""));
    assert_false(gs1_is_valid("0614141"));
    assert_false(gs1_is_valid("0061414164732X"));
    assert_false(gs1_is_valid("006141416473230"));
}

static void numbers_become_codes(void **state)
{
    char gtin[GTIN_MAX], gln[GLN_MAX], sscc[SSCC_MAX];

    (void)state;
    assert_int_equal(gs1_gtin("0614141", 64732, gtin), 0);
    assert_string_equal(gtin, "00614141647323");
    assert_int_equal(gs1_gtin("0614141", 164732, gtin), 0); /* the next indicator */
    assert_int_equal(gtin[0], '1');
    assert_true(gs1_is_valid(gtin));
    assert_int_equal(gs1_gln("0614141", 10, gln), 0);
    assert_string_equal(gln, "0614141000104");
    assert_int_equal(gs1_sscc("0614141", SSCC_PALLET, 123456789, sscc), 0);
    assert_string_equal(sscc, "306141411234567891");
    assert_int_equal(gs1_sscc("0614141", SSCC_OTHER, 1, sscc), 0);
    assert_int_equal(sscc[0], '9');
    assert_true(gs1_is_valid(sscc));
    assert_int_equal(gs1_gtin("614141999999", 3, gtin), 0);
    assert_int_equal(gtin[0], '3');
    assert_true(gs1_is_valid(gtin));
}

static void what_does_not_fit_is_refused(void **state)
{
    char gtin[GTIN_MAX] = "kept", gln[GLN_MAX], sscc[SSCC_MAX];

    (void)state;
    assert_int_equal(gs1_gtin("0614141", 900000, gtin), ERANGE);
    assert_int_equal(gs1_gtin("0614141", -1, gtin), ERANGE);
    assert_string_equal(gtin, "kept");
    assert_int_equal(gs1_gln("0614141", 100000, gln), ERANGE);
    assert_int_equal(gs1_sscc("0614141", SSCC_OTHER, 1000000000, sscc), ERANGE);
    assert_int_equal(gs1_gtin("06141", 1, gtin), EINVAL);
    assert_int_equal(gs1_gtin("0614141000000", 1, gtin), EINVAL);
    assert_int_equal(gs1_gln("061414x", 1, gln), EINVAL);
}

static void urns_drop_the_check_digit_and_keep_the_extension(void **state)
{
    char urn[EPC_URN_MAX];

    (void)state;
    assert_int_equal(gs1_sgtin_urn("0614141", "00614141647323", "17", urn), 0);
    assert_string_equal(urn, "urn:epc:id:sgtin:0614141.064732.17");
    assert_int_equal(gs1_lgtin_urn("0614141", "00614141647323", "20261120-181500", urn),
                     0);
    assert_string_equal(urn, "urn:epc:class:lgtin:0614141.064732.20261120-181500");
    assert_int_equal(gs1_sgln_urn("0614141", "0614141000104", "0", urn), 0);
    assert_string_equal(urn, "urn:epc:id:sgln:0614141.00010.0");
    assert_int_equal(gs1_sscc_urn("0614141", "306141411234567891", urn), 0);
    assert_string_equal(urn, "urn:epc:id:sscc:0614141.3123456789");
    assert_int_equal(gs1_sgtin_urn("0614141", "00614141647323", "a/b %", urn), 0);
    assert_string_equal(urn, "urn:epc:id:sgtin:0614141.064732.a%2Fb%20%25");
}

static void a_foreign_or_wrong_code_has_no_urn(void **state)
{
    char urn[EPC_URN_MAX] = "kept";

    (void)state;
    assert_int_equal(gs1_sgtin_urn("0614142", "00614141647323", "1", urn), EINVAL);
    assert_int_equal(gs1_sgtin_urn("0614141", "00614141647324", "1", urn), EINVAL);
    assert_int_equal(gs1_sgtin_urn("0614141", "00614141647323", "", urn), EINVAL);
    assert_int_equal(
        gs1_lgtin_urn("0614141", "00614141647323", "123456789012345678901", urn), EINVAL);
    assert_int_equal(gs1_sscc_urn("0614141", "0614141000104", urn), EINVAL);
    assert_string_equal(urn, "kept");
}

static void tokens_have_their_form(void **state)
{
    static const uint8_t random[TOKEN_RANDOM_BYTES] = {0,    0x44, 0x32, 0x14, 0xC7,
                                                       0x1A, 0x2B, 0x3C, 0x4D};
    static const char *const bad[] = {"",
                                      "VRF-",
                                      "VRF-7KQ2MZ8P-1A2B3C4",
                                      "VRF-7KQ2MZ8P-1A2B3C4DD",
                                      "VRF-7KQ2MZ8P-1A2B3C4G",
                                      "VRF-7KQ2MZ8I-1A2B3C4D",
                                      "VRF-7KQ2MZ80-1A2B3C4D",
                                      "VRF_7KQ2MZ8P-1A2B3C4D",
                                      "vrf-7KQ2MZ8P-1A2B3C4D",
                                      "VRF-7KQ2MZ8P-1A2B3C4'"};
    char token[TOKEN_MAX];

    (void)state;
    token_make(random, token);
    assert_string_equal(token + 12, "-1A2B3C4D");
    assert_true(token_is_sound(token));
    assert_true(token_is_sound("VRF-7KQ2MZ8P-1A2B3C4D"));
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_false(token_is_sound(bad[i]));
}

static void a_token_is_told_to_people_and_to_no_log(void **state)
{
    char url[100], log[] = "open https://v/verify/VRF-7KQ2MZ8P-1A2B3C4D now, VRF-7KQ";

    (void)state;
    verification_url("https://a.example http://b", "", "VRF-7KQ2MZ8P-1A2B3C4D", url,
                     sizeof(url));
    assert_string_equal(url,
                        "https://a.example/voice-ledger/verify/VRF-7KQ2MZ8P-1A2B3C4D");
    verification_url("https://a.example", "https://l.example/v/ http://b",
                     "VRF-7KQ2MZ8P-1A2B3C4D", url, sizeof(url));
    assert_string_equal(url, "https://l.example/v/verify/VRF-7KQ2MZ8P-1A2B3C4D");
    token_mask(log);
    assert_string_equal(log, "open https://v/verify/..................... now, .......");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(check_digits_complete_a_code),
        cmocka_unit_test(a_wrong_digit_or_length_is_no_code),
        cmocka_unit_test(numbers_become_codes),
        cmocka_unit_test(what_does_not_fit_is_refused),
        cmocka_unit_test(urns_drop_the_check_digit_and_keep_the_extension),
        cmocka_unit_test(a_foreign_or_wrong_code_has_no_urn),
        cmocka_unit_test(tokens_have_their_form),
        cmocka_unit_test(a_token_is_told_to_people_and_to_no_log),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
