/* batch_rules: what may be recorded, under which name, and why not. */
#include "unit/cm.h"

#include <string.h>

#include "base/str.h"
#include "batches/batch_rules.h"
#include "batches/nlu_grammar.h"

/* 2026-11-20T18:15:00Z */
static const struct batch_context context = {.at_ms = 1795198500000, .source_kg = -1};

static char why[REFUSAL_TEXT_MAX];
static struct refusal refused;

static enum batch_verdict make(struct batch *b, const char *text,
                               const struct batch_context *ctx)
{
    struct understanding u;

    nlu_grammar_understand(&u, text);
    enum batch_verdict v = batch_make(b, &u, ctx, &refused);
    refusal_text(&refused, "en", why);
    return v;
}

static void makes_the_batch_everybody_quotes(void **state)
{
    struct batch b;

    (void)state;
    assert_int_equal(
        make(&b,
             "record commission for five bags of yirgacheffe grade A from farmer john",
             &context),
        BATCH_OK);
    assert_true(b.quantity == 5);
    assert_string_equal(b.unit, "bags");
    assert_true(b.quantity_kg == 300);
    assert_string_equal(b.variety, "Yirgacheffe");
    assert_string_equal(b.grade, "A");
    assert_string_equal(b.farmer, "John");
    assert_string_equal(b.origin, "John");
    assert_string_equal(b.batch_id, "JOHN_YIRGACHEFFE_20261120_181500");
}

static void weighs_every_unit_and_fills_in_what_is_usual(void **state)
{
    struct batch b;

    (void)state;
    assert_int_equal(make(&b, "new batch of 2.5 quintals from addis ababa", &context),
                     BATCH_OK);
    assert_true(b.quantity_kg == 250);
    assert_string_equal(b.variety, "Arabica Coffee");
    assert_string_equal(b.grade, "A");
    assert_string_equal(b.batch_id, "ADDISABABA_ARABICACOFFEE_20261120_181500");
    assert_int_equal(make(&b, "harvested 80 kilos of guji from dilla", &context),
                     BATCH_OK);
    assert_true(b.quantity_kg == 80);
}

static void tells_two_batches_of_one_second_apart(void **state)
{
    struct batch_context second = context;
    struct batch b;

    (void)state;
    second.sequence = 17;
    assert_int_equal(make(&b, "new batch of five bags of guji from abebe farm", &second),
                     BATCH_OK);
    assert_string_equal(b.batch_id, "ABEBE_GUJI_20261120_181500_17");
}

static void says_what_is_missing(void **state)
{
    static const struct {
        const char *text;
        enum batch_verdict verdict;
        const char *why;
    } cases[] = {
        {"record commission for guji", BATCH_INCOMPLETE,
         "Missing required information: quantity, origin"},
        {"record commission for five bags of guji", BATCH_INCOMPLETE,
         "Missing required information: origin"},
        {"received coffee in good condition", BATCH_INCOMPLETE,
         "Missing required information: batch"},
        {"roasted batch number five", BATCH_INCOMPLETE,
         "Missing required information: output quantity"},
        {"roasted it", BATCH_INCOMPLETE,
         "Missing required information: batch, output quantity"},
        {"split batch number five", BATCH_INCOMPLETE,
         "Missing required information: parts"},
        {"pack batch number five", BATCH_INCOMPLETE,
         "Missing required information: batches"},
        {"unpack it", BATCH_INCOMPLETE, "Missing required information: container"},
        {"good morning", BATCH_NOT_UNDERSTOOD, "Could not understand your command."},
        {"commission zero bags of guji from dilla", BATCH_REFUSED, "The quantity 0"},
        {"commission 99999999 bags of guji from dilla", BATCH_REFUSED,
         "The quantity 1e+08"},
    };
    struct batch b;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        assert_int_equal(make(&b, cases[i].text, &context), cases[i].verdict);
        assert_memory_equal(why, cases[i].why, strlen(cases[i].why));
    }
}

static void ships_the_callers_newest_batch_when_none_is_named(void **state)
{
    struct batch_context newest = context;
    struct batch b;

    (void)state;
    assert_int_equal(make(&b, "shipped to hamburg", &context), BATCH_INCOMPLETE);
    newest.source_batch_id = "ABEBE_GUJI_20261120_101500";
    assert_int_equal(make(&b, "shipped to hamburg", &newest), BATCH_OK);
    assert_string_equal(b.source_batch_id, "ABEBE_GUJI_20261120_101500");
    assert_string_equal(b.destination, "Hamburg");
    assert_string_equal(b.grade, "");
    assert_true(b.quantity_kg < 0);
    json_auto_t *details = batch_details_json(&b);
    assert_string_equal(json_string_value(json_object_get(details, "destination")),
                        "Hamburg");
    assert_null(json_object_get(details, "loss_percent"));
}

static void lets_coffee_lose_weight_but_not_gain_any(void **state)
{
    static const struct {
        double source_kg;
        enum batch_verdict verdict;
    } cases[] = {
        {-1, BATCH_OK},      {60, BATCH_OK},       {100, BATCH_OK},
        {59, BATCH_REFUSED}, {101, BATCH_REFUSED},
    };
    struct batch b;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct batch_context ctx = context;
        ctx.source_kg = cases[i].source_kg;
        assert_int_equal(make(&b, "milled batch number six into sixty kilograms", &ctx),
                         cases[i].verdict);
    }
    assert_int_equal(make(&b, "roasted two bags of guji into 90 kilograms", &context),
                     BATCH_OK);
    assert_true(b.quantity_kg == 90);
    assert_true(b.loss_percent == 25);
    assert_string_equal(b.process, "roasted");
}

static void parts_weigh_what_the_batch_weighed(void **state)
{
    static const struct {
        double first, second;
        bool balanced;
    } cases[] = {{600, 400, true},    {600, 401, true},    {600, 399, true},
                 {600, 401.1, false}, {600, 398.9, false}, {600, -400, false},
                 {0, 1000, false}};
    struct understanding u;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        understanding_init(&u);
        assert_true(entities_add_part(&u.entities, cases[i].first, ""));
        assert_true(entities_add_part(&u.entities, cases[i].second, "Hamburg"));
        assert_int_equal(batch_parts_balance(&u.entities, 1000, &refused),
                         cases[i].balanced);
        if (!cases[i].balanced)
            assert_int_not_equal(refused.reason, REFUSED_NOT);
    }
}

static void every_refusal_has_its_words_in_every_language(void **state)
{
    static const char *const languages[] = {"en", "am", "om"};
    char text[REFUSAL_TEXT_MAX], english[REFUSAL_TEXT_MAX];

    (void)state;
    for (int reason = REFUSED_NOT + 1; reason < REFUSAL_COUNT; reason++) {
        struct refusal r = {.reason = (enum refusal_reason)reason,
                            .lacks = {MISSING_QUANTITY, MISSING_ORIGIN},
                            .what = "B_1",
                            .other = "P-1",
                            .a = 1.5,
                            .b = 2};
        refusal_text(&r, "en", english);
        for (size_t i = 0; i < ARRAY_LEN(languages); i++) {
            refusal_text(&r, languages[i], text);
            assert_true(strlen(text) > 8);
            assert_null(strchr(text, '{'));
            assert_int_equal(strstr(text, "B_1") != NULL, strstr(english, "B_1") != NULL);
            assert_int_equal(strcmp(text, english) == 0, i == 0);
        }
    }
    for (int lack = MISSING_QUANTITY; lack < MISSING_COUNT; lack++)
        for (size_t i = 0; i < ARRAY_LEN(languages); i++)
            assert_true(strlen(refusal_question(lack, languages[i])) > 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(makes_the_batch_everybody_quotes),
        cmocka_unit_test(weighs_every_unit_and_fills_in_what_is_usual),
        cmocka_unit_test(tells_two_batches_of_one_second_apart),
        cmocka_unit_test(says_what_is_missing),
        cmocka_unit_test(ships_the_callers_newest_batch_when_none_is_named),
        cmocka_unit_test(lets_coffee_lose_weight_but_not_gain_any),
        cmocka_unit_test(parts_weigh_what_the_batch_weighed),
        cmocka_unit_test(every_refusal_has_its_words_in_every_language),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
