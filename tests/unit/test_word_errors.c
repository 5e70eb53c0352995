/* word_errors: the distance between what was said and what was heard. */
#include "unit/cm.h"

#include "base/attrs.h"
#include "workers/word_errors.h"

static void counts_replaced_added_and_dropped_words(void **state)
{
    static const struct {
        const char *truth, *heard;
        int words, errors;
    } cases[] = {
        {"five bags of guji", "five bags of guji", 4, 0},
        {"five bags of guji", "nine bags of guji", 4, 1},
        {"five bags of guji", "five bags guji", 4, 1},
        {"five bags of guji", "we five bags of the guji", 4, 2},
        {"five bags of guji", "", 4, 4},
        {"", "five bags", 0, 2},
        {"", "", 0, 0},
        {"Grade A, from John.", "grade a from john", 4, 0},
        {"a b c d", "b c d a", 4, 2},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct word_errors e = word_errors_count(cases[i].truth, cases[i].heard);
        assert_int_equal(e.words, cases[i].words);
        assert_int_equal(e.errors, cases[i].errors);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_replaced_added_and_dropped_words),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
