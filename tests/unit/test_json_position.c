#include "unit/cm.h"

#include <errno.h>
#include <string.h>

#include "base/json_position.h"

static const char text[] = "{\n"
                           "  \"a\": 1,\n"
                           "  \"b/c\": {\"d~\": [10, {\"x\": \"]}\\\"\"},\n"
                           "      true]},\n"
                           "\t\"e\" : \"\\u00e9\", \"f\":null\n"
                           "}\n";

static void expect(const char *pointer, enum json_place place, int err, int line,
                   int column)
{
    struct json_position at = {0};

    assert_int_equal(json_position_find(text, strlen(text), pointer, place, &at), err);
    assert_int_equal(at.line, line);
    assert_int_equal(at.column, column);
}

static void finds_values_and_keys_by_pointer(void **state)
{
    (void)state;
    expect("", JSON_PLACE_VALUE, 0, 1, 1);
    expect("/a", JSON_PLACE_VALUE, 0, 2, 8);
    expect("/a", JSON_PLACE_KEY, 0, 2, 3);
    expect("/e", JSON_PLACE_VALUE, 0, 5, 8);
    expect("/f", JSON_PLACE_VALUE, 0, 5, 22);
}

static void understands_escapes_in_pointers_and_brackets_in_strings(void **state)
{
    (void)state;
    expect("/b~1c/d~0", JSON_PLACE_VALUE, 0, 3, 17);
    expect("/b~1c/d~0/0", JSON_PLACE_VALUE, 0, 3, 18);
    expect("/b~1c/d~0/1/x", JSON_PLACE_VALUE, 0, 3, 28);
    expect("/b~1c/d~0/2", JSON_PLACE_VALUE, 0, 4, 7);
}

static void falls_back_to_the_nearest_parent(void **state)
{
    (void)state;
    expect("/b~1c/nothing", JSON_PLACE_KEY, ENOENT, 3, 10);
    expect("/b~1c/d~0/9", JSON_PLACE_VALUE, ENOENT, 3, 17);
    expect("/a/deeper", JSON_PLACE_VALUE, ENOENT, 2, 8);
}

static void never_runs_past_a_cut_text(void **state)
{
    struct json_position at = {0};

    (void)state;
    for (size_t len = 0; len < strlen(text); len++) {
        char *copy = test_malloc(len + 1);

        memcpy(copy, text, len);
        (void)!json_position_find(copy, len, "/b~1c/d~0/2", JSON_PLACE_KEY, &at);
        test_free(copy);
    }
}

static void builds_escaped_pointers_that_fit(void **state)
{
    char pointer[12] = "";

    (void)state;
    json_pointer_add(pointer, sizeof(pointer), "a/b~");
    assert_string_equal(pointer, "/a~1b~0");
    json_pointer_add_index(pointer, sizeof(pointer), 3);
    assert_string_equal(pointer, "/a~1b~0/3");
    json_pointer_add(pointer, sizeof(pointer), "much too long");
    assert_true(strlen(pointer) < sizeof(pointer));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_values_and_keys_by_pointer),
        cmocka_unit_test(understands_escapes_in_pointers_and_brackets_in_strings),
        cmocka_unit_test(falls_back_to_the_nearest_parent),
        cmocka_unit_test(never_runs_past_a_cut_text),
        cmocka_unit_test(builds_escaped_pointers_that_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
