/* Which language a call is in, kept in memory: bounded, of one account, the newest stay.
 */
#include "unit/cm.h"

#include <stdio.h>

#include "server/call_languages.h"

static struct call_languages *all;

static int setup(void **state)
{
    (void)state;
    all = call_languages_new();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    call_languages_free(all);
    return 0;
}

static void a_call_has_the_language_that_was_told_last(void **state)
{
    char lang[CALL_LANGUAGE_MAX];

    (void)state;
    call_languages_tell(all, 7, "CA1", "en");
    call_languages_tell(all, 7, "CA2", "om");
    call_languages_tell(all, 7, "CA1", "am");
    assert_true(call_languages_find(all, 7, "CA1", lang));
    assert_string_equal(lang, "am");
    assert_true(call_languages_find(all, 7, "CA2", lang));
    assert_string_equal(lang, "om");
}

static void another_accounts_call_of_that_id_is_another_call(void **state)
{
    char lang[CALL_LANGUAGE_MAX] = "x";

    (void)state;
    call_languages_tell(all, 7, "CA1", "am");
    assert_false(call_languages_find(all, 8, "CA1", lang));
    assert_string_equal(lang, "");
    assert_false(call_languages_find(all, 7, "CA", lang));
}

static void what_says_nothing_is_not_kept(void **state)
{
    char lang[CALL_LANGUAGE_MAX];

    (void)state;
    call_languages_tell(all, 7, "", "am");
    call_languages_tell(all, 7, "CA1", "");
    call_languages_tell(all, 7, "CA2", "a-language-of-no-end");
    assert_false(call_languages_find(all, 7, "", lang));
    assert_false(call_languages_find(all, 7, "CA1", lang));
    assert_false(call_languages_find(all, 7, "CA2", lang));
}

static void the_newest_stay_when_there_are_too_many(void **state)
{
    enum { MANY = 10 * CALL_LANGUAGES_MAX };
    char call[24], lang[CALL_LANGUAGE_MAX];
    int found = 0;

    (void)state;
    for (int i = 0; i < MANY; i++) {
        snprintf(call, sizeof(call), "CA%d", i);
        call_languages_tell(all, 7, call, "am");
    }
    for (int i = 0; i < MANY; i++) {
        snprintf(call, sizeof(call), "CA%d", i);
        bool here = call_languages_find(all, 7, call, lang);
        found += here;
        /* Sets fill unevenly, so "newest" is of a set: a fifth of all is safe. */
        if (i >= MANY - CALL_LANGUAGES_MAX / 5)
            assert_true(here);
    }
    assert_true(found <= CALL_LANGUAGES_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_call_has_the_language_that_was_told_last, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(another_accounts_call_of_that_id_is_another_call,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(what_says_nothing_is_not_kept, setup, teardown),
        cmocka_unit_test_setup_teardown(the_newest_stay_when_there_are_too_many, setup,
                                        teardown),
    };

    return cmocka_run_group_tests_name("call_languages", tests, NULL, NULL);
}
