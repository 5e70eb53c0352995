/* The codes are stored in rows and their order decides what a person is told first. */
#include "unit/cm.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "compliance/reason.h"

enum { CODES_END = 800, CODES = 69 };

/* Severity group of a code, written out once more from the rule text. */
static int group_of(int code)
{
    if (code == 108 || (code >= 701 && code <= 708) || code == 710 || code == 799)
        return 1;
    if ((code >= 101 && code <= 107) || code == 711)
        return 2;
    if (code >= 201 && code <= 211)
        return 3;
    if ((code >= 301 && code <= 312) || (code >= 603 && code <= 605))
        return 4;
    if (code == 401 || code == 402)
        return 5;
    if (code >= 403 && code <= 410)
        return 6;
    if (code >= 506 && code <= 509)
        return 7;
    if (code >= 501 && code <= 505)
        return 8;
    if (code == 510 || code == 511)
        return 9;
    if (code == 601 || code == 602 || code == 606)
        return 10;
    return code == 709 ? 11 : 0;
}

static json_t *severity_order(void)
{
    json_error_t e;
    json_t *cases = json_load_file(SOURCE_DIR "/tests/data/compliance-cases.json", 0, &e);
    json_t *list = json_incref(json_object_get(cases, "severity_order"));

    if (!list)
        fail_msg("no severity_order: %s", e.text);
    json_decref(cases);
    return list;
}

static enum reason parsed(const char *name)
{
    enum reason r = REASON_ALLOW;

    if (!reason_parse(name, &r))
        fail_msg("%s is no reason", name);
    return r;
}

static bool is_listed(const json_t *order, int code)
{
    for (size_t i = 0; i < json_array_size(order); i++)
        if ((int)parsed(json_string_value(json_array_get(order, i))) == code)
            return true;
    return false;
}

static void every_code_of_the_table_is_there(void **state)
{
    int known = 0;

    (void)state;
    for (int code = 1; code < CODES_END; code++) {
        assert_int_equal(reason_is_known(code), group_of(code) != 0 && code != 210);
        known += reason_is_known(code);
    }
    assert_int_equal(known, CODES);
    assert_true(reason_is_known(0));
    assert_false(reason_is_known(-1));
}

static void listed_codes_keep_their_order(void **state)
{
    json_t *order = severity_order();

    (void)state;
    assert_int_equal(json_array_size(order), 33);
    for (size_t i = 1; i < json_array_size(order); i++) {
        const char *first = json_string_value(json_array_get(order, i - 1));
        const char *then = json_string_value(json_array_get(order, i));
        if (reason_rank(parsed(first)) >= reason_rank(parsed(then)))
            fail_msg("%s must come before %s", first, then);
    }
    json_decref(order);
}

static void other_codes_follow_the_last_listed_one_of_their_group(void **state)
{
    json_t *order = severity_order();

    (void)state;
    for (int a = 1; a < CODES_END; a++) {
        for (int b = 1; b < CODES_END; b++) {
            if (!reason_is_known(a) || !reason_is_known(b) || a == b)
                continue;
            int ga = group_of(a), gb = group_of(b);
            bool la = is_listed(order, a), lb = is_listed(order, b), before = false;

            if (la && lb)
                continue;
            if (ga != gb)
                before = ga < gb;
            else if (la != lb)
                before = la;
            else
                before = a < b;
            if ((reason_rank((enum reason)a) < reason_rank((enum reason)b)) != before)
                fail_msg("%s and %s are the wrong way round", reason_name((enum reason)a),
                         reason_name((enum reason)b));
        }
    }
    json_decref(order);
}

static void no_two_codes_share_a_place(void **state)
{
    bool taken[CODES_END] = {false};

    (void)state;
    for (int code = 0; code < CODES_END; code++) {
        if (!reason_is_known(code))
            continue;
        int rank = reason_rank((enum reason)code);
        assert_in_range(rank, 0, CODES);
        assert_false(taken[rank]);
        taken[rank] = true;
    }
    assert_int_equal(reason_rank(REASON_ALLOW), CODES);
}

static void classes_are_those_of_the_table(void **state)
{
    static const int perm[] = {101, 102, 103, 104, 105, 201, 202, 203, 204, 205,
                               211, 301, 302, 303, 304, 307, 308, 311, 505, 711};
    static const int time[] = {402, 403, 404, 405, 406, 408, 409, 501,
                               502, 503, 504, 506, 507, 508, 509};
    static const int cap[] = {510, 511, 601, 602, 606, 701, 708, 709, 710, 799};
    enum reason_class expected[CODES_END] = {REASON_CLASS_NONE};

    (void)state;
    for (int code = 1; code < CODES_END; code++)
        expected[code] = REASON_DATA;
    for (size_t i = 0; i < ARRAY_LEN(perm); i++)
        expected[perm[i]] = REASON_PERM;
    for (size_t i = 0; i < ARRAY_LEN(time); i++)
        expected[time[i]] = REASON_TIME;
    for (size_t i = 0; i < ARRAY_LEN(cap); i++)
        expected[cap[i]] = REASON_CAP;
    for (int code = 0; code < CODES_END; code++)
        if (reason_is_known(code) && reason_class((enum reason)code) != expected[code])
            fail_msg("%s is %s", reason_name((enum reason)code),
                     reason_class_name(reason_class((enum reason)code)));
    assert_string_equal(reason_class_name(REASON_PERM), "PERM");
    assert_string_equal(reason_class_name(REASON_DATA), "DATA");
    assert_string_equal(reason_class_name(REASON_TIME), "TIME");
    assert_string_equal(reason_class_name(REASON_CAP), "CAP");
}

static void names_read_back_and_sentences_say_something(void **state)
{
    enum reason r = REASON_ALLOW;

    (void)state;
    for (int code = 0; code < CODES_END; code++) {
        if (!reason_is_known(code))
            continue;
        const char *name = reason_name((enum reason)code);
        assert_int_equal(parsed(name), code);
        for (const char *p = name; *p; p++)
            assert_true(isupper((unsigned char)*p) || isdigit((unsigned char)*p) ||
                        *p == '_');
        assert_true(strlen(reason_sentence((enum reason)code)) > 15);
    }
    assert_false(reason_parse("NO_SUCH_REASON", &r));
    assert_false(reason_parse("", &r));
    assert_false(reason_parse("dnc_internal", &r));
    assert_string_equal(reason_name((enum reason)999), "UNKNOWN");
}

static void a_code_of_the_future_is_severe_and_never_lets_a_call_through(void **state)
{
    (void)state;
    assert_int_equal(reason_rank((enum reason)999), 0);
    assert_int_not_equal(reason_class((enum reason)999), REASON_CLASS_NONE);
    assert_int_not_equal(reason_class((enum reason)999), REASON_TIME);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_code_of_the_table_is_there),
        cmocka_unit_test(listed_codes_keep_their_order),
        cmocka_unit_test(other_codes_follow_the_last_listed_one_of_their_group),
        cmocka_unit_test(no_two_codes_share_a_place),
        cmocka_unit_test(classes_are_those_of_the_table),
        cmocka_unit_test(names_read_back_and_sentences_say_something),
        cmocka_unit_test(a_code_of_the_future_is_severe_and_never_lets_a_call_through),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
