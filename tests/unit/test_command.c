/* command: typed commands, and the answers to what they lacked. */
#include "unit/cm.h"

#include <string.h>

#include "base/str.h"
#include "batches/command.h"
#include "batches/nlu_grammar.h"

static struct understanding u;

static const struct entities *read(const char *text, enum intent intent)
{
    assert_int_equal(command_read(&u, text, NULL), COMMAND_READ);
    assert_int_equal(u.intent, intent);
    return &u.entities;
}

static void a_commission_has_quantity_variety_and_origin(void **state)
{
    const struct entities *e = read("/commission 5 Yirgacheffe Abebe", INTENT_COMMISSION);

    (void)state;
    assert_true(e->quantity == 5);
    assert_string_equal(e->unit, "kg");
    assert_string_equal(e->product, "Yirgacheffe");
    assert_string_equal(e->origin, "Abebe");
    e = read(" /Commission 5 bags Sidamo Addis Ababa ", INTENT_COMMISSION);
    assert_true(e->quantity == 5);
    assert_string_equal(e->unit, "bags");
    assert_string_equal(e->origin, "Addis Ababa");
    e = read("/commission 1,800.5kg Guji Dire_Dawa", INTENT_COMMISSION);
    assert_true(e->quantity == 1800.5);
    assert_string_equal(e->origin, "Dire Dawa");
    e = read("/commission", INTENT_COMMISSION);
    assert_true(e->quantity < 0);
    assert_string_equal(e->origin, "");
}

static void the_other_commands_name_their_batches(void **state)
{
    const struct entities *e = read("/ship B_1 to Addis Ababa", INTENT_SHIPMENT);

    (void)state;
    assert_string_equal(e->batch_id, "B_1");
    assert_string_equal(e->destination, "Addis Ababa");
    e = read("/receive 00614141647323 good condition", INTENT_RECEIPT);
    assert_string_equal(e->batch_id, "00614141647323");
    assert_string_equal(e->condition, "good condition");
    e = read("/transform B_1 roasting 850", INTENT_TRANSFORMATION);
    assert_string_equal(e->process, "roasting");
    assert_true(e->output_kg == 850);
    e = read("/transform B_1 roasting 2 bags", INTENT_TRANSFORMATION);
    assert_true(e->output_kg == 120);
    e = read("/pack B_1 B_2 B_3 PALLET-001", INTENT_PACK);
    assert_int_equal(e->packed_count, 3);
    assert_string_equal(e->packed[2], "B_3");
    assert_string_equal(e->container, "PALLET-001");
    e = read("/pack B_1 B_2", INTENT_PACK);
    assert_int_equal(e->packed_count, 2);
    assert_string_equal(e->container, "");
    e = read("/unpack PALLET-001", INTENT_UNPACK);
    assert_string_equal(e->container, "PALLET-001");
    e = read("/split B_1 600 400 Hamburg Addis_Ababa", INTENT_SPLIT);
    assert_int_equal(e->part_count, 2);
    assert_true(e->parts[1].kg == 400);
    assert_string_equal(e->parts[0].destination, "Hamburg");
    assert_string_equal(e->parts[1].destination, "Addis Ababa");
}

static void what_cannot_be_read_says_how_it_is_typed(void **state)
{
    static const struct {
        const char *text;
        enum command_verdict verdict;
        const char *usage;
    } cases[] = {
        {"record commission for five bags", COMMAND_OTHER, NULL},
        {"", COMMAND_OTHER, NULL},
        {"/", COMMAND_UNKNOWN, "/commission /ship"},
        {"/dance", COMMAND_UNKNOWN, "/commission /ship"},
        {"/commission many Guji Abebe", COMMAND_INVALID, "/commission <quantity>"},
        {"/commission 5.5.5 Guji Abebe", COMMAND_INVALID, "/commission <quantity>"},
        {"/transform B roasting lots", COMMAND_INVALID, "/transform <batch>"},
        {"/split B 600 400 a b c", COMMAND_INVALID, "/split <batch>"},
        {"/unpack A B", COMMAND_INVALID, "/unpack <container>"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const char *usage = NULL;
        assert_int_equal(command_read(&u, cases[i].text, &usage), cases[i].verdict);
        if (cases[i].usage)
            assert_memory_equal(usage, cases[i].usage, strlen(cases[i].usage));
    }
    char text[COMMAND_TEXT_MAX + 20];
    memset(text, 'a', sizeof(text));
    memcpy(text, "/ship ", 6);
    text[sizeof(text) - 1] = 0;
    assert_int_equal(command_read(&u, text, NULL), COMMAND_INVALID);
}

static void packing_and_splitting_are_understood_when_spoken(void **state)
{
    (void)state;
    nlu_grammar_understand(&u, "pack batches 4, 7 and ABC123 into pallet seven");
    assert_int_equal(u.intent, INTENT_PACK);
    assert_int_equal(u.entities.packed_count, 3);
    assert_string_equal(u.entities.packed[0], "4");
    assert_string_equal(u.entities.packed[2], "ABC123");
    assert_string_equal(u.entities.container, "PALLET-7");
    nlu_grammar_understand(&u, "load batch number one and batch number two in a truck");
    assert_int_equal(u.intent, INTENT_PACK);
    assert_int_equal(u.entities.packed_count, 2);
    assert_string_equal(u.entities.container, "TRUCK");
    nlu_grammar_understand(&u, "unpack container C-12");
    assert_int_equal(u.intent, INTENT_UNPACK);
    assert_string_equal(u.entities.container, "C-12");
    nlu_grammar_understand(&u, "split batch 17 into 600 kilos for hamburg and 400kg to "
                               "bremen");
    assert_int_equal(u.intent, INTENT_SPLIT);
    assert_string_equal(u.entities.batch_id, "17");
    assert_int_equal(u.entities.part_count, 2);
    assert_true(u.entities.parts[0].kg == 600);
    assert_string_equal(u.entities.parts[0].destination, "Hamburg");
    assert_string_equal(u.entities.parts[1].destination, "Bremen");
    nlu_grammar_understand(&u, "Ship batch ABC123 to Addis");
    assert_int_equal(u.intent, INTENT_SHIPMENT);
    assert_string_equal(u.entities.batch_id, "ABC123");
    nlu_grammar_understand(&u, "Roast batch 00614141647323 output 850kg");
    assert_int_equal(u.intent, INTENT_TRANSFORMATION);
    assert_string_equal(u.entities.batch_id, "00614141647323");
    assert_true(u.entities.output_kg == 850);
}

static void answers_fill_what_was_asked_for(void **state)
{
    struct entities *e = &u.entities;

    (void)state;
    understanding_init(&u);
    assert_true(nlu_grammar_answer(e, MISSING_QUANTITY, "five bags"));
    assert_true(e->quantity == 5);
    assert_string_equal(e->unit, "bags");
    assert_true(nlu_grammar_answer(e, MISSING_QUANTITY, "300"));
    assert_true(e->quantity == 300);
    assert_false(nlu_grammar_answer(e, MISSING_QUANTITY, "I do not know"));
    assert_true(nlu_grammar_answer(e, MISSING_ORIGIN, "from dilla"));
    assert_string_equal(e->origin, "Dilla");
    assert_true(nlu_grammar_answer(e, MISSING_ORIGIN, "farmer Abebe Kebede"));
    assert_string_equal(e->farmer, "Abebe Kebede");
    assert_true(nlu_grammar_answer(e, MISSING_BATCH, "ABEBE_GUJI_20261120_181500"));
    assert_string_equal(e->batch_id, "ABEBE_GUJI_20261120_181500");
    assert_true(nlu_grammar_answer(e, MISSING_BATCH, "batch number 17"));
    assert_string_equal(e->batch_id, "17");
    assert_true(nlu_grammar_answer(e, MISSING_OUTPUT, "850 kg"));
    assert_true(e->output_kg == 850);
    assert_true(nlu_grammar_answer(e, MISSING_BATCHES, "17 and 18"));
    assert_int_equal(e->packed_count, 2);
    assert_true(nlu_grammar_answer(e, MISSING_CONTAINER, "PALLET-7"));
    assert_string_equal(e->container, "PALLET-7");
    assert_true(nlu_grammar_answer(e, MISSING_PARTS, "600 kg and 400 kg"));
    assert_int_equal(e->part_count, 2);
    assert_false(nlu_grammar_answer(e, MISSING_NOTHING, "five"));
}

static void loosely_named_entities_are_taken(void **state)
{
    json_auto_t *loose = json_loads(
        "{\"batch_id\": [\"A\", \"B\"], \"container\": \"P-1\", \"splits\": "
        "[{\"quantity_kg\": 600, \"destination\": \"EUR\"}, {\"quantity\": \"400 kg\"}], "
        "\"output_quantity\": 850, \"location\": \"Dilla\"}",
        0, NULL);

    (void)state;
    understanding_init(&u);
    entities_from_json(&u.entities, loose);
    assert_int_equal(u.entities.packed_count, 2);
    assert_string_equal(u.entities.batch_id, "A");
    assert_int_equal(u.entities.part_count, 2);
    assert_true(u.entities.parts[1].kg == 400);
    assert_true(u.entities.output_kg == 850);
    assert_string_equal(u.entities.origin, "Dilla");
    /* What is written is read back the same. */
    json_auto_t *written = entities_to_json(&u.entities);
    struct understanding again;
    understanding_init(&again);
    entities_from_json(&again.entities, written);
    json_auto_t *twice = entities_to_json(&again.entities);
    assert_true(json_equal(written, twice));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_commission_has_quantity_variety_and_origin),
        cmocka_unit_test(the_other_commands_name_their_batches),
        cmocka_unit_test(what_cannot_be_read_says_how_it_is_typed),
        cmocka_unit_test(packing_and_splitting_are_understood_when_spoken),
        cmocka_unit_test(answers_fill_what_was_asked_for),
        cmocka_unit_test(loosely_named_entities_are_taken),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
