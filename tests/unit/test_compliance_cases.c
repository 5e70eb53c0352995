/*
 * The worked cases of tests/data/compliance-cases.json, all of them, through the gate:
 * every key of what is expected is held against the verdict.
 */
#include "unit/cm.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/errors.h"
#include "compliance/cases.h"
#include "compliance/pack.h"

enum { CASES = 59 };

struct file {
    json_t *json;
    struct packs *packs;
    struct cases_set set;
};

static int open_file(void **state)
{
    struct file *f = calloc(1, sizeof(*f));
    struct errtext e = {0};

    f->json = json_load_file(SOURCE_DIR "/tests/data/compliance-cases.json", 0, NULL);
    assert_non_null(f->json);
    if (packs_read(json_object_get(f->json, "packs"), &f->packs, &e))
        fail_msg("%s", e.text);
    f->set = (struct cases_set){f->packs, json_object_get(f->json, "npa_zone_overrides")};
    *state = f;
    return 0;
}

static int close_file(void **state)
{
    struct file *f = *state;

    packs_free(f->packs);
    json_decref(f->json);
    free(f);
    return 0;
}

static void every_case_has_the_verdict_that_is_written_beside_it(void **state)
{
    const struct file *f = *state;
    const json_t *cases = json_object_get(f->json, "cases");

    assert_int_equal(json_array_size(cases), CASES);
    for (size_t i = 0; i < CASES; i++) {
        const json_t *test = json_array_get(cases, i);
        struct errtext e = {0};
        json_t *verdict = NULL;

        if (case_run(&f->set, test, &verdict, &e))
            fail_msg("%s", e.text);
        json_t *wrong = case_differences(test, verdict);
        if (json_array_size(wrong) > 0)
            fail_msg("%s: %s", json_string_value(json_object_get(test, "id")),
                     json_dumps(verdict, JSON_COMPACT));
        json_decref(wrong);
        json_decref(verdict);
    }
}

static bool names_reason(const json_t *trace, const char *reason)
{
    for (size_t i = 0; i < json_array_size(trace); i++) {
        const char *r =
            json_string_value(json_object_get(json_array_get(trace, i), "reason"));
        if (r && strcmp(r, reason) == 0)
            return true;
    }
    return false;
}

static void every_reason_is_explained_by_a_rule_that_was_asked(void **state)
{
    const struct file *f = *state;
    const json_t *cases = json_object_get(f->json, "cases");
    size_t reasons_seen = 0;

    for (size_t i = 0; i < CASES; i++) {
        const json_t *test = json_array_get(cases, i);
        const json_t *reasons =
            json_object_get(json_object_get(test, "expect"), "all_reasons");
        json_t *trace = NULL;

        assert_int_equal(case_explain(&f->set, test, &trace, NULL), 0);
        for (size_t k = 0; k < json_array_size(reasons); k++, reasons_seen++)
            assert_true(
                names_reason(trace, json_string_value(json_array_get(reasons, k))));
        json_decref(trace);
    }
    assert_true(reasons_seen > 40);
}

static void a_case_that_cannot_be_read_is_named(void **state)
{
    const struct file *f = *state;
    json_t *test = json_pack("{s:s, s:s}", "id", "odd", "number_e164", "+12125550123");
    struct errtext e = {0};
    json_t *verdict = NULL;

    assert_int_equal(case_run(&f->set, test, &verdict, &e), EINVAL);
    assert_non_null(strstr(e.text, "case 'odd'"));
    assert_non_null(strstr(e.text, "instant_utc"));
    json_decref(test);
}

static void a_difference_is_found(void **state)
{
    const struct file *f = *state;
    json_t *test = json_deep_copy(json_array_get(json_object_get(f->json, "cases"), 0));
    json_t *verdict = NULL;

    json_object_set_new(json_object_get(test, "expect"), "reason", json_string("ALLOW"));
    assert_int_equal(case_run(&f->set, test, &verdict, NULL), 0);
    json_t *wrong = case_differences(test, verdict);
    assert_int_equal(json_array_size(wrong), 1);
    assert_string_equal(json_string_value(json_array_get(wrong, 0)), "reason");
    json_decref(wrong);
    json_decref(verdict);
    json_decref(test);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_case_has_the_verdict_that_is_written_beside_it),
        cmocka_unit_test(every_reason_is_explained_by_a_rule_that_was_asked),
        cmocka_unit_test(a_case_that_cannot_be_read_is_named),
        cmocka_unit_test(a_difference_is_found),
    };

    return cmocka_run_group_tests(tests, open_file, close_file);
}
