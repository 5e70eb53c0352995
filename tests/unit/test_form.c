/* base/form: pairs of a query or a form body. */
#include "unit/cm.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/attrs.h"
#include "base/form.h"

static void check_pair(const struct form *f, size_t i, const char *name,
                       const char *value)
{
    assert_true(i < f->n);
    assert_int_equal(f->pairs[i].name.len, strlen(name));
    assert_string_equal(f->pairs[i].name.data, name);
    assert_int_equal(f->pairs[i].value.len, strlen(value));
    assert_string_equal(f->pairs[i].value.data, value);
}

static void pairs_are_decoded_in_their_order(void **state)
{
    static const char text[] = "To=%2B1+2&&empty=&bare&=v&a%20b=%e1%8A%a0&x=1=2&%zz=%4&%";
    struct form f;

    (void)state;
    assert_int_equal(form_parse(&f, text, strlen(text)), 0);
    assert_int_equal(f.n, 8);
    check_pair(&f, 0, "To", "+1 2");
    check_pair(&f, 1, "empty", "");
    check_pair(&f, 2, "bare", "");
    check_pair(&f, 3, "", "v");
    check_pair(&f, 4, "a b", "\xe1\x8a\xa0");
    check_pair(&f, 5, "x", "1=2");
    check_pair(&f, 6, "%zz", "%4");
    check_pair(&f, 7, "%", "");
    assert_string_equal(form_get(&f, "To")->data, "+1 2");
    assert_null(form_get(&f, "to"));
    form_free(&f);
}

static void they_sort_by_name_and_then_value(void **state)
{
    static const char text[] = "b=1&Sid=2&a=2&a=1&SidAccount=1&a=1&_=0";
    struct form f;

    (void)state;
    assert_int_equal(form_parse(&f, text, strlen(text)), 0);
    form_sort(&f);
    check_pair(&f, 0, "Sid", "2");
    check_pair(&f, 1, "SidAccount", "1");
    check_pair(&f, 2, "_", "0");
    check_pair(&f, 3, "a", "1");
    check_pair(&f, 4, "a", "1");
    check_pair(&f, 5, "a", "2");
    check_pair(&f, 6, "b", "1");
    form_free(&f);
}

static void any_bytes_are_read_within_bounds(void **state)
{
    static const char letters[] = "%&=+a1\0\xff";
    uint32_t seed = 1;

    (void)state;
    for (int round = 0; round < 5000; round++) {
        size_t len = (seed >> 8) % 40;
        char *text = malloc(len ? len : 1); /* its own, so that a byte too far is seen */
        struct form f;

        for (size_t i = 0; i < len; i++) {
            seed = seed * 1664525 + 1013904223;
            text[i] = letters[seed >> 29];
        }
        seed = seed * 1664525 + 1013904223;
        assert_int_equal(form_parse(&f, text, len), 0);
        for (size_t i = 0; i < f.n; i++)
            assert_true(f.pairs[i].name.len + f.pairs[i].value.len <= len);
        form_sort(&f);
        form_free(&f);
        free(text);
    }
}

static void too_many_pairs_are_refused(void **state)
{
    static char text[FORM_PAIRS_MAX + 8];
    struct form f;

    (void)state;
    memset(text, '&', sizeof(text));
    assert_int_equal(form_parse(&f, text, FORM_PAIRS_MAX - 1), 0);
    assert_int_equal(f.n, 0);
    form_free(&f);
    assert_int_equal(form_parse(&f, text, FORM_PAIRS_MAX), E2BIG);
    form_free(&f);
    assert_int_equal(form_parse(&f, "", 0), 0);
    assert_int_equal(f.n, 0);
    form_free(&f);
}

static void a_forms_type_is_known(void **state)
{
    (void)state;
    assert_true(form_is_type("application/x-www-form-urlencoded"));
    assert_true(form_is_type("Application/X-WWW-Form-Urlencoded;charset=utf-8"));
    assert_true(form_is_type("application/x-www-form-urlencoded ; x=y"));
    assert_false(form_is_type("application/x-www-form-urlencodedx"));
    assert_false(form_is_type("application/json"));
    assert_false(form_is_type(""));
    assert_false(form_is_type(NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_forms_type_is_known),
        cmocka_unit_test(pairs_are_decoded_in_their_order),
        cmocka_unit_test(they_sort_by_name_and_then_value),
        cmocka_unit_test(any_bytes_are_read_within_bounds),
        cmocka_unit_test(too_many_pairs_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
