/* The key buffer of command hosts: entries, finishing keys, type-ahead, timers. */
#include "unit/cm.h"

#include <string.h>

#include "base/attrs.h"
#include "ivr/backend.h"

enum { FIRST_MS = 5000, INTER_MS = 2000, TOKEN = 7, T0 = 1000000 };

static const struct ivr_collect menu = {.min = 1,
                                        .max = 1,
                                        .finish = "",
                                        .own_max = 1,
                                        .first_ms = FIRST_MS,
                                        .inter_ms = INTER_MS};
static const struct ivr_collect amount = {.min = 1,
                                          .max = 6,
                                          .finish = "#",
                                          .own_max = 6,
                                          .first_ms = FIRST_MS,
                                          .inter_ms = INTER_MS};

static const char *const globals[] = {"*", "99", NULL};
static const struct ivr_collect with_globals = {.min = 1,
                                                .max = 2,
                                                .finish = "#",
                                                .own_max = 1,
                                                .first_ms = FIRST_MS,
                                                .inter_ms = INTER_MS,
                                                .global_keys = globals};

static void press(struct ivr_keys *k, const char *keys, int64_t at_ms)
{
    for (; *keys; keys++)
        ivr_keys_press(k, *keys, at_ms);
}

static void expect_entry(struct ivr_keys *k, int64_t at_ms, const char *digits,
                         char finish)
{
    struct ivr_input in;

    assert_true(ivr_keys_take(k, at_ms, TOKEN, &in));
    assert_int_equal(in.kind, IVR_IN_DIGITS);
    assert_int_equal(in.token, TOKEN);
    assert_string_equal(in.keys.digits, digits);
    assert_int_equal(in.keys.finish, finish);
}

static void expect_nothing(struct ivr_keys *k, int64_t at_ms)
{
    struct ivr_input in;

    assert_false(ivr_keys_take(k, at_ms, TOKEN, &in));
}

static void a_menu_needs_one_key_and_no_waiting(void **state)
{
    struct ivr_keys k = {0};

    (void)state;
    ivr_keys_arm(&k, &menu, false, T0);
    expect_nothing(&k, T0 + FIRST_MS - 1);
    press(&k, "2", T0 + 100);
    expect_entry(&k, T0 + 100, "2", '\0');
    assert_false(k.armed);
    expect_nothing(&k, T0 + 60000);
}

static void silence_is_no_input_after_first_ms_and_not_before(void **state)
{
    struct ivr_keys k = {0};
    struct ivr_input in;

    (void)state;
    ivr_keys_arm(&k, &amount, false, T0);
    assert_int_equal(k.due_at_ms, T0 + FIRST_MS);
    expect_nothing(&k, T0 + FIRST_MS - 1);
    assert_true(ivr_keys_take(&k, T0 + FIRST_MS, TOKEN, &in));
    assert_int_equal(in.kind, IVR_IN_NO_INPUT);
    assert_int_equal(in.token, TOKEN);
}

static void a_finishing_key_ends_an_entry_and_is_not_part_of_it(void **state)
{
    struct ivr_keys k = {0};

    (void)state;
    ivr_keys_arm(&k, &amount, false, T0);
    press(&k, "0042#", T0);
    expect_entry(&k, T0, "0042", '#');
}

static void a_finishing_key_alone_is_an_empty_entry(void **state)
{
    struct ivr_keys k = {0};

    (void)state;
    ivr_keys_arm(&k, &amount, false, T0);
    press(&k, "#", T0);
    expect_entry(&k, T0, "", '#');
}

static void the_part_there_was_is_given_when_the_time_between_keys_is_over(void **state)
{
    struct ivr_keys k = {0};

    (void)state;
    ivr_keys_arm(&k, &amount, false, T0);
    press(&k, "1", T0 + 4000);
    press(&k, "2", T0 + 5500);
    assert_int_equal(k.due_at_ms, T0 + 5500 + INTER_MS);
    expect_nothing(&k, T0 + 5500 + INTER_MS - 1);
    expect_entry(&k, T0 + 5500 + INTER_MS, "12", '\0');
}

static void keys_pressed_before_the_question_answer_it_and_the_next_one(void **state)
{
    struct ivr_keys k = {0};

    (void)state;
    press(&k, "13", T0);
    ivr_keys_arm(&k, &menu, true, T0 + 10);
    expect_entry(&k, T0 + 10, "1", '\0');
    ivr_keys_arm(&k, &menu, false, T0 + 20);
    expect_entry(&k, T0 + 20, "3", '\0');
    ivr_keys_arm(&k, &menu, false, T0 + 30);
    expect_nothing(&k, T0 + 30);
}

static void a_barge_in_is_told_with_the_entry(void **state)
{
    struct ivr_keys k = {0};
    struct ivr_input in;

    (void)state;
    press(&k, "1", T0);
    ivr_keys_arm(&k, &menu, true, T0);
    assert_true(ivr_keys_take(&k, T0, TOKEN, &in));
    assert_true(in.keys.barged);
}

static void a_key_that_begins_a_longer_global_key_waits_for_it(void **state)
{
    struct ivr_keys k = {0};

    (void)state;
    ivr_keys_arm(&k, &with_globals, false, T0);
    press(&k, "9", T0);
    expect_nothing(&k, T0 + INTER_MS - 1);
    press(&k, "9", T0 + 500);
    expect_entry(&k, T0 + 500, "99", '\0');

    ivr_keys_arm(&k, &with_globals, false, T0);
    press(&k, "9", T0);
    expect_entry(&k, T0 + INTER_MS, "9", '\0');

    ivr_keys_arm(&k, &with_globals, false, T0);
    press(&k, "*", T0);
    expect_entry(&k, T0, "*", '\0');
}

static void completeness_minds_global_keys_that_begin_alike(void **state)
{
    static const char *const stars[] = {"*", "**", "0", NULL};
    const struct ivr_collect c = {.max = 10, .own_max = 10, .global_keys = stars};

    (void)state;
    assert_false(ivr_collect_is_complete(&c, ""));
    assert_false(ivr_collect_is_complete(&c, "*"));
    assert_true(ivr_collect_is_complete(&c, "**"));
    /* "0" is a global key, and ten digits may begin with it. */
    assert_false(ivr_collect_is_complete(&c, "0"));
    assert_false(ivr_collect_is_complete(&c, "012345678"));
    assert_true(ivr_collect_is_complete(&c, "0123456789"));
}

static void a_buffer_full_of_keys_takes_no_more_and_nothing_else_is_a_key(void **state)
{
    struct ivr_keys k = {0};
    const struct ivr_collect wide = {.min = 1,
                                     .max = IVR_DIGITS_MAX,
                                     .own_max = IVR_DIGITS_MAX,
                                     .first_ms = FIRST_MS,
                                     .inter_ms = INTER_MS};

    (void)state;
    press(&k, "A- \x01", T0);
    ivr_keys_press(&k, '\0', T0);
    assert_int_equal(k.n, 0);
    for (int i = 0; i < IVR_DIGITS_MAX + 10; i++)
        ivr_keys_press(&k, '7', T0);
    assert_int_equal(k.n, IVR_DIGITS_MAX);
    ivr_keys_arm(&k, &wide, false, T0);
    struct ivr_input in;
    assert_true(ivr_keys_take(&k, T0, TOKEN, &in));
    assert_int_equal(strlen(in.keys.digits), IVR_DIGITS_MAX);
}

static void clearing_leaves_no_digit_behind(void **state)
{
    struct ivr_keys k = {0};
    const struct ivr_keys zero = {0};

    (void)state;
    ivr_keys_arm(&k, &amount, true, T0);
    press(&k, "4711#8", T0);
    expect_entry(&k, T0, "4711", '#');
    ivr_keys_clear(&k);
    assert_memory_equal(&k, &zero, sizeof(k));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_menu_needs_one_key_and_no_waiting),
        cmocka_unit_test(silence_is_no_input_after_first_ms_and_not_before),
        cmocka_unit_test(a_finishing_key_ends_an_entry_and_is_not_part_of_it),
        cmocka_unit_test(a_finishing_key_alone_is_an_empty_entry),
        cmocka_unit_test(the_part_there_was_is_given_when_the_time_between_keys_is_over),
        cmocka_unit_test(keys_pressed_before_the_question_answer_it_and_the_next_one),
        cmocka_unit_test(a_barge_in_is_told_with_the_entry),
        cmocka_unit_test(a_key_that_begins_a_longer_global_key_waits_for_it),
        cmocka_unit_test(completeness_minds_global_keys_that_begin_alike),
        cmocka_unit_test(a_buffer_full_of_keys_takes_no_more_and_nothing_else_is_a_key),
        cmocka_unit_test(clearing_leaves_no_digit_behind),
    };

    return cmocka_run_group_tests_name("ivr_keys", tests, NULL, NULL);
}
