/* Menus as rows become flows that compile, whatever the rows say: a call that comes in
 * must not find that they do not. */
#include "campaigns/menu_flow.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/sha256.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "ivr/ivr.h"
#include "tests/unit/cm.h"

enum { ROUNDS = 300 };

static const struct menu_settings settings = {.flow_name = "menus",
                                              .max_retries = 3,
                                              .timeout_s = 5,
                                              .sales_number = "",
                                              .support_number = "15550001111"};

static void must_compile(const char *source)
{
    const struct ivr_compile_options options = {.sha256 = sha256_of};
    struct ivr_issues issues = {0};
    struct ivr_arena *arena = NULL;
    struct ivr_prog *prog = NULL;

    assert_int_equal(ivr_arena_new(&arena, NULL), 0);
    int err = ivr_compile(&prog, source, strlen(source), &options, arena, &issues);
    for (size_t i = 0; err && i < issues.n; i++)
        if (!issues.list[i].warning)
            print_message("%s: %s\n", issues.list[i].pointer, issues.list[i].text);
    if (err)
        print_message("%s\n", source);
    assert_int_equal(err, 0);
    ivr_arena_free(arena);
}

static int pick(int n)
{
    return rand() % n; /* seeded: the same each time */
}

static const char *const ids[] = {
    "main_menu", "a", "b-2", "C_3", "sales_transfer", "support_transfer", "gone"};

static void maybe(json_t *row, const char *key, json_t *value)
{
    if (pick(2))
        json_object_set_new(row, key, value);
    else
        json_decref(value);
}

static json_t *any_choices(void)
{
    static const char *const digits[] = {"1", "2", "0", "*", "#", "12", "4#", "99999"};
    json_t *choices = json_object();

    for (int i = pick(5); i > 0; i--)
        json_object_set_new(choices, digits[pick(ARRAY_LEN(digits))],
                            json_string(ids[pick(ARRAY_LEN(ids))]));
    return choices;
}

static json_t *any_row(const char *id)
{
    static const char *const words[] = {
        "",        "Press 1.", "{{vars.x}} {{", "}} \"<&'\\ {", "ሰላም {phone_number}",
        "{phone}{"};
    static const char *const types[] = {"menu", "menu", "transfer", "hangup",
                                        "phone_readback"};
    static const char *const languages[] = {"en-US", "es-ES", "am", "xx"};
    json_t *row = json_pack("{s:s}", "menu_id", id);

    maybe(row, "message", json_string(words[pick(ARRAY_LEN(words))]));
    maybe(row, "action_type", json_string(types[pick(ARRAY_LEN(types))]));
    maybe(row, "language", json_string(languages[pick(ARRAY_LEN(languages))]));
    maybe(row, "parent_menu_id", json_string(ids[pick(ARRAY_LEN(ids))]));
    maybe(row, "invalid_input_menu_id", json_string(ids[pick(ARRAY_LEN(ids))]));
    maybe(row, "timeout_menu_id", json_string(ids[pick(ARRAY_LEN(ids))]));
    maybe(row, "digit_actions", any_choices());
    maybe(row, "max_digits", json_integer(1 + pick(32)));
    maybe(row, "timeout", json_integer(1 + pick(60)));
    maybe(row, "is_active", json_boolean(pick(4) > 0));
    maybe(row, "audio_url", json_string("https://media.example.org/a.mp3?x=1&y={{2}}"));
    maybe(row, "action_config",
          json_pack("{s:s, s:i}", "transfer_number", pick(2) ? "+15550002222" : "",
                    "timeout", 5 + pick(116)));
    return row;
}

static void test_whatever_rows_say_makes_a_flow(void **state)
{
    int flows = 0;

    (void)state;
    srand(7);
    for (int round = 0; round < ROUNDS; round++) {
        json_auto_t *rows = json_array();
        char *source = NULL;
        struct errtext e = {0};
        for (size_t i = 0; i + 1 < ARRAY_LEN(ids); i++) {
            json_t *row = any_row(ids[i]);
            if (menu_check(row, &settings, &e))
                print_message("%s\n", e.text);
            assert_int_equal(menu_check(row, &settings, &e), 0);
            json_array_append_new(rows, row);
        }
        int err = menu_flow(rows, &settings, &source);
        if (err == ENOENT)
            continue;
        assert_int_equal(err, 0);
        must_compile(source);
        free(source);
        flows++;
    }
    assert_true(flows > ROUNDS / 4);
}

static void test_as_many_menus_as_may_be(void **state)
{
    json_auto_t *rows = json_array();
    char id[MENU_ID_MAX], *source = NULL;
    struct errtext e = {0};

    (void)state;
    for (int i = 0; i < MENUS_MAX; i++) {
        snprintf(id, sizeof(id), i ? "menu_%d" : "main_menu", i);
        json_t *row =
            json_pack("{s:s, s:s, s:{s:s}, s:s, s:s}", "menu_id", id, "message",
                      "Press 1.", "digit_actions", "1", "main_menu",
                      "invalid_input_menu_id", "none", "timeout_menu_id", "words");
        assert_int_equal(menu_check(row, &settings, &e), 0);
        json_array_append_new(rows, row);
    }
    assert_int_equal(menu_flow(rows, &settings, &source), 0);
    must_compile(source);
    free(source);
}

static void test_what_cannot_be_is_named(void **state)
{
    static const struct {
        const char *row, *named;
    } wrong[] = {
        {"{}", "menu_id"},
        {"{\"menu_id\": \"a b\"}", "menu_id"},
        {"{\"menu_id\": \"a\", \"timeout\": 0}", "timeout"},
        {"{\"menu_id\": \"a\", \"timeout\": \"5\"}", "timeout"},
        {"{\"menu_id\": \"a\", \"max_digits\": 99}", "max_digits"},
        {"{\"menu_id\": \"a\", \"digit_actions\": {\"x\": \"a\"}}", "digit_actions"},
        {"{\"menu_id\": \"a\", \"digit_actions\": {\"1\": 1}}", "digit_actions"},
        {"{\"menu_id\": \"a\", \"action_type\": \"dance\"}", "action_type"},
        {"{\"menu_id\": \"a\", \"audio_url\": \"file:///etc/passwd\"}", "audio_url"},
        {"{\"menu_id\": \"a\", \"language\": \"e n\"}", "language"},
        {"{\"menu_id\": \"a\", \"action_config\": {\"transfer_number\": \"sip:x\"}}",
         "action_config"},
        {"{\"menu_id\": \"a\", \"is_active\": \"yes\"}", "is_active"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        struct errtext e = {0};
        json_auto_t *row = json_loads(wrong[i].row, 0, NULL);
        assert_int_equal(menu_check(row, &settings, &e), EINVAL);
        assert_non_null(strstr(e.text, wrong[i].named));
    }
}

static void test_there_is_a_menu_to_begin_with(void **state)
{
    json_auto_t *rows = menu_samples(&settings);
    char *source = NULL;

    (void)state;
    assert_int_equal(json_array_size(rows), 5);
    assert_int_equal(menu_flow(rows, &settings, &source), 0);
    assert_non_null(strstr(source, "\"entry\": \"m-main_menu\""));
    must_compile(source);
    free(source);
    json_object_set_new(json_array_get(rows, 0), "is_active", json_false());
    assert_int_equal(menu_flow(rows, &settings, &source), ENOENT);
    assert_string_equal(menu_of_node("m-a"), "a");
    assert_null(menu_of_node("w-a"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whatever_rows_say_makes_a_flow),
        cmocka_unit_test(test_as_many_menus_as_may_be),
        cmocka_unit_test(test_what_cannot_be_is_named),
        cmocka_unit_test(test_there_is_a_menu_to_begin_with),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
