/* nlu_grammar: what people say on the phone, and what is understood of it. */
#include "unit/cm.h"

#include <string.h>

#include "base/str.h"
#include "batches/nlu_grammar.h"
#include "batches/spoken.h"

static struct understanding understood(const char *text)
{
    struct understanding u;

    nlu_grammar_understand(&u, text);
    return u;
}

static void understands_the_commission_everybody_quotes(void **state)
{
    struct understanding u = understood(
        "record commission for five bags of yirgacheffe grade A from farmer john");

    (void)state;
    assert_int_equal(u.intent, INTENT_COMMISSION);
    assert_true(u.confidence > 0.9);
    assert_false(u.opt_out);
    assert_true(u.entities.quantity == 5);
    assert_string_equal(u.entities.unit, "bags");
    assert_string_equal(u.entities.product, "Yirgacheffe");
    assert_string_equal(u.entities.grade, "A");
    assert_string_equal(u.entities.farmer, "John");
    assert_string_equal(u.entities.origin, "");
}

struct sentence {
    const char *text;
    enum intent intent;
    double quantity;
    const char *unit, *product, *grade, *origin, *farmer;
};

static void understands_many_ways_to_say_it(void **state)
{
    static const struct sentence sentences[] = {
        {"New batch of 5 bags of Yirgacheffe from Abebe farm", INTENT_COMMISSION, 5,
         "bags", "Yirgacheffe", "", "Abebe", ""},
        {"I harvested 300kg of Sidamo, from my farm.", INTENT_COMMISSION, 300, "kg",
         "Sidamo", "", "", ""},
        {"commission twenty one bags of guji grade two from farmer Tadesse Bekele today",
         INTENT_COMMISSION, 21, "bags", "Guji", "2", "", "Tadesse Bekele"},
        {"I have 1,800 kilograms of yirga chefe grade b from dilla", INTENT_COMMISSION,
         1800, "kg", "Yirgacheffe", "B", "Dilla", ""},
        {"record commission for two and a half quintals of limu from bonga",
         INTENT_COMMISSION, 2.5, "quintals", "Limu", "", "Bonga", ""},
        {"picked a hundred and five sacks of forest coffee", INTENT_COMMISSION, 105,
         "bags", "Forest", "", "", ""},
        {"received twenty bags of harar grade one from addis ababa in good condition",
         INTENT_RECEIPT, 20, "bags", "Harar", "1", "Addis Ababa", ""},
        {"we received washed coffee", INTENT_RECEIPT, -1, "", "", "", "", ""},
        {"what is the weather in harar", INTENT_NONE, -1, "", "", "", "", ""},
        {"", INTENT_NONE, -1, "", "", "", "", ""},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(sentences); i++) {
        const struct sentence *s = &sentences[i];
        struct understanding u = understood(s->text);
        if (u.intent != s->intent || u.entities.quantity != s->quantity)
            print_error("in: %s\n", s->text);
        assert_int_equal(u.intent, s->intent);
        assert_true(u.entities.quantity == s->quantity);
        assert_string_equal(u.entities.unit, s->unit);
        assert_string_equal(u.entities.product, s->product);
        assert_string_equal(u.entities.grade, s->grade);
        assert_string_equal(u.entities.origin, s->origin);
        assert_string_equal(u.entities.farmer, s->farmer);
    }
}

static void understands_where_a_shipment_goes(void **state)
{
    struct understanding u = understood("shipped batch number forty one to addis ababa");

    (void)state;
    assert_int_equal(u.intent, INTENT_SHIPMENT);
    assert_string_equal(u.entities.batch_id, "41");
    assert_string_equal(u.entities.destination, "Addis Ababa");
    u = understood("sent ABEBE_GUJI_20261120_181500 to the warehouse");
    assert_string_equal(u.entities.batch_id, "ABEBE_GUJI_20261120_181500");
    assert_string_equal(u.entities.destination, "Warehouse");
}

static void understands_what_a_transformation_left(void **state)
{
    struct understanding u =
        understood("record transformation of batch number eighty eight roasted three "
                   "hundred kilograms");

    (void)state;
    assert_int_equal(u.intent, INTENT_TRANSFORMATION);
    assert_string_equal(u.entities.batch_id, "88");
    assert_string_equal(u.entities.process, "roasted");
    assert_true(u.entities.output_kg == 300);
    assert_true(u.entities.quantity < 0);
    u = understood("milled two bags of guji into ninety kilograms");
    assert_true(u.entities.quantity == 2);
    assert_true(u.entities.output_kg == 90);
}

static void understands_the_condition_of_what_arrived(void **state)
{
    struct understanding u =
        understood("received batch four one two from farmer Hirut in poor condition");

    (void)state;
    assert_int_equal(u.intent, INTENT_RECEIPT);
    assert_string_equal(u.entities.batch_id, "412");
    assert_string_equal(u.entities.condition, "poor");
    assert_string_equal(u.entities.farmer, "Hirut");
}

static void hears_every_wish_not_to_be_called(void **state)
{
    static const char *const wishes[] = {"please stop calling me",
                                         "Do not call me again!",
                                         "don't call",
                                         "remove my number",
                                         "STOP",
                                         "take me off the list",
                                         "እባክዎ አትደውሉ",
                                         "I have five bags of guji, and stop calling me"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(wishes); i++)
        assert_true(understood(wishes[i]).opt_out);
    assert_false(understood("please call me again").opt_out);
    assert_false(understood("I did not stop at the mill").opt_out);
}

static void reads_spoken_and_written_numbers(void **state)
{
    static const struct {
        const char *text;
        double value;
        size_t words;
    } numbers[] = {
        {"seven", 7, 1},
        {"ninety nine bags", 99, 2},
        {"twenty-one", 21, 1},
        {"nine hundred", 900, 2},
        {"a hundred and five", 105, 4},
        {"two thousand five hundred", 2500, 4},
        {"three thousand forty", 3040, 3},
        {"1,800", 1800, 1},
        {"2.5", 2.5, 1},
        {"twenty bags", 20, 1},
        {"a bag", 0, 0},
        {"bags", 0, 0},
    };
    struct spoken s;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
        double v = 0;
        spoken_split(&s, numbers[i].text);
        size_t n = spoken_number(&s, 0, &v);
        if (n != numbers[i].words || v != numbers[i].value)
            print_error("in: %s gives %g of %zu words\n", numbers[i].text, v, n);
        assert_int_equal(n, numbers[i].words);
        assert_true(v == numbers[i].value);
    }
}

static void survives_text_of_any_kind(void **state)
{
    char longest[20000];

    (void)state;
    memset(longest, 'a', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = 0;
    assert_int_equal(understood(longest).intent, INTENT_NONE);
    for (size_t i = 0; i + 1 < sizeof(longest); i += 2)
        longest[i] = ' ';
    assert_int_equal(understood(longest).intent, INTENT_NONE);
    assert_int_equal(understood("commission grade").intent, INTENT_COMMISSION);
    assert_int_equal(understood("commission from farmer").intent, INTENT_COMMISSION);
    assert_int_equal(understood("received batch number").intent, INTENT_RECEIPT);
    assert_int_equal(understood("\xff\xfe commission \xf0 to \xe1").intent,
                     INTENT_COMMISSION);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(understands_the_commission_everybody_quotes),
        cmocka_unit_test(understands_many_ways_to_say_it),
        cmocka_unit_test(understands_where_a_shipment_goes),
        cmocka_unit_test(understands_what_a_transformation_left),
        cmocka_unit_test(understands_the_condition_of_what_arrived),
        cmocka_unit_test(hears_every_wish_not_to_be_called),
        cmocka_unit_test(reads_spoken_and_written_numbers),
        cmocka_unit_test(survives_text_of_any_kind),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
