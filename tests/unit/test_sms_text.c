/* sms_text: the texts, and what they cost. */
#include "unit/cm.h"

#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/str.h"
#include "base/xalloc.h"
#include "batches/batch_rules.h"
#include "workers/sms_text.h"

static const struct batch abebe = {
    .batch_id = "ABEBE_YIRGACHEFFE_20261120_181500",
    .event = INTENT_COMMISSION,
    .quantity = 5,
    .unit = "bags",
    .quantity_kg = 300,
    .variety = "Yirgacheffe",
    .grade = "A",
};

static void counts_segments_as_the_vectors_do(void **state)
{
    json_auto_t *root =
        json_load_file(SOURCE_DIR "/tests/data/sms-segments.json", 0, NULL);
    const json_t *cases = json_object_get(root, "cases"), *c = NULL;
    size_t i = 0;

    (void)state;
    assert_true(json_array_size(cases) > 20);
    json_array_foreach(cases, i, c)
    {
        struct sms_size size = sms_measure(json_string_value(json_object_get(c, "text")));
        if (size.segments != json_integer_value(json_object_get(c, "segments")))
            print_error("case %s\n", json_string_value(json_object_get(c, "id")));
        assert_string_equal(sms_encoding_name(size.encoding),
                            json_string_value(json_object_get(c, "encoding")));
        assert_int_equal(size.units, json_integer_value(json_object_get(c, "units")));
        assert_int_equal(size.segments,
                         json_integer_value(json_object_get(c, "segments")));
    }
}

static void writes_the_receipt(void **state)
{
    struct sms_style style = {.service = "Voice Ledger", .language = "en", .sign = true};
    CLEANUP(free_cleanup) char *text = sms_receipt(&style, &abebe);
    struct sms_size size = sms_measure(text);

    (void)state;
    assert_string_equal(text, "✅ Voice Ledger: Batch recorded successfully!\n\n"
                              "Type: Yirgacheffe\nQty: 5 bags (300 kg)\nGrade: A\n"
                              "ID: ABEBE_YIRGACHEFFE_20261120_181500");
    assert_int_equal(size.encoding, SMS_UCS2);
    assert_int_equal(size.units, 131);
    assert_int_equal(size.segments, 2);
    style.sign = false;
    CLEANUP(free_cleanup) char *plain = sms_receipt(&style, &abebe);
    size = sms_measure(plain);
    assert_int_equal(size.encoding, SMS_GSM7);
    assert_int_equal(size.units, 129);
    assert_int_equal(size.segments, 1);
}

static void leaves_out_of_a_receipt_what_is_not_known(void **state)
{
    struct sms_style style = {.service = "S", .language = "xx"};
    struct batch b = {.event = INTENT_SHIPMENT, .quantity = -1, .quantity_kg = -1};

    (void)state;
    str_cut(b.batch_id, sizeof(b.batch_id), "X_1");
    str_cut(b.destination, sizeof(b.destination), "Hamburg");
    CLEANUP(free_cleanup) char *text = sms_receipt(&style, &b);
    assert_string_equal(text,
                        "S: Shipment recorded successfully!\n\nTo: Hamburg\nID: X_1");
}

static void speaks_every_language(void **state)
{
    static const struct {
        const char *language;
        enum sms_encoding encoding;
    } languages[] = {{"en", SMS_GSM7}, {"am", SMS_UCS2}, {"om", SMS_GSM7}};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(languages); i++) {
        struct sms_style style = {.service = "Furrow", .language = languages[i].language};
        for (int n = SMS_PROCESSING; n <= SMS_FAILED; n++) {
            CLEANUP(free_cleanup) char *text = sms_notice(&style, n);
            assert_int_equal(sms_measure(text).encoding, languages[i].encoding);
            assert_int_equal(sms_measure(text).segments, 1);
        }
        CLEANUP(free_cleanup) char *receipt = sms_receipt(&style, &abebe);
        assert_int_equal(sms_measure(receipt).encoding, languages[i].encoding);
        assert_non_null(strstr(receipt, abebe.batch_id));
    }
}

static void a_cooperative_gets_a_record_with_its_link(void **state)
{
    struct sms_style style = {.service = "Voice Ledger", .language = "en", .sign = true};
    const char *link = "https://v.example/voice-ledger/verify/VRF-ABCDEFGH-0A1B2C3D";
    CLEANUP(free_cleanup) char *record = sms_record(&style, &abebe, "Abebe Kebede", link);
    CLEANUP(free_cleanup) char *alone = sms_record(&style, &abebe, "Abebe Kebede", "");
    char text[600];

    (void)state;
    snprintf(
        text, sizeof(text),
        "✅ Voice Ledger: New batch\n\nFarmer: Abebe Kebede\nType: Yirgacheffe\nQty: 5 "
        "bags (300 kg)\nGrade: A\nID: %s",
        abebe.batch_id);
    assert_string_equal(alone, text);
    assert_int_equal(strncmp(record, text, strlen(text)), 0);
    assert_string_equal(record + strlen(text) + strlen("\nVerify: "), link);
}

static void who_is_verified_is_told_what_counts(void **state)
{
    struct sms_style style = {.service = "S", .language = "en"};
    struct batch b = {.quantity_kg = 118.5, .batch_id = "X_1"};
    CLEANUP(free_cleanup) char *text = sms_verified(&style, &b);

    (void)state;
    assert_string_equal(text, "S: Batch verified!\n\nID: X_1\nQty: 118.5 kg");
}

static void says_what_went_wrong(void **state)
{
    struct sms_style style = {.service = "Voice Ledger", .language = "en", .sign = true};
    CLEANUP(free_cleanup) char *failed = sms_notice(&style, SMS_FAILED);
    CLEANUP(free_cleanup) char *progress = sms_notice(&style, SMS_PROCESSING);
    CLEANUP(free_cleanup) char *error = sms_error(&style, "No quantity was heard.");

    (void)state;
    assert_string_equal(failed, "❌ Voice Ledger: Processing failed. Please try again.");
    assert_string_equal(progress, "🔄 Voice Ledger: Processing your recording...");
    assert_string_equal(error, "❌ Voice Ledger Error\n\nNo quantity was heard.\n\n"
                               "Please try again or contact support.");
}

static void counts_broken_utf8_without_reading_past_its_end(void **state)
{
    (void)state;
    assert_int_equal(sms_measure("a\xe1").units, 2);
    assert_int_equal(sms_measure("\xf0\x9f\x98").encoding, SMS_UCS2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_segments_as_the_vectors_do),
        cmocka_unit_test(writes_the_receipt),
        cmocka_unit_test(leaves_out_of_a_receipt_what_is_not_known),
        cmocka_unit_test(speaks_every_language),
        cmocka_unit_test(a_cooperative_gets_a_record_with_its_link),
        cmocka_unit_test(who_is_verified_is_told_what_counts),
        cmocka_unit_test(says_what_went_wrong),
        cmocka_unit_test(counts_broken_utf8_without_reading_past_its_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
