#include "unit/cm.h"

#include <stdio.h>
#include <string.h>

#include "campaigns/campaign.h"
#include "campaigns/quarantine.h"

static struct quarantine_rules rules(void)
{
    struct quarantine_rules r;

    quarantine_rules_default(&r);
    return r;
}

static bool is_bad(int64_t shorts, int64_t answered, int64_t other_shorts,
                   int64_t other_answered)
{
    const struct variant_count own = {.answered = answered, .shorts = shorts};
    const struct variant_count others = {.answered = other_answered,
                                         .shorts = other_shorts};
    struct quarantine_rules r = rules();
    char why[QUARANTINE_WHY_MAX];

    return quarantine_variant_is_bad(&r, &own, &others, why);
}

static void a_variant_must_be_far_worse_and_surely_so(void **state)
{
    (void)state;
    assert_true(is_bad(60, 100, 10, 100));
    assert_true(is_bad(30, 60, 0, 300));
    assert_false(is_bad(10, 100, 60, 100));     /* the better one */
    assert_false(is_bad(15, 100, 10, 100));     /* chance */
    assert_false(is_bad(24, 100, 10, 100));     /* twice as bad, and yet chance */
    assert_false(is_bad(600, 1000, 400, 1000)); /* sure, but not twice as bad */
    assert_false(is_bad(49, 49, 0, 1000));      /* too few calls of its own */
    assert_false(is_bad(100, 100, 0, 49));      /* too few of the others */
    assert_false(is_bad(0, 100, 0, 100));
    assert_false(is_bad(100, 100, 100, 100));
}

static void a_flow_that_fails_is_held_whatever_the_others_do(void **state)
{
    struct quarantine_rules r = rules();
    struct variant_count own = {.answered = 60, .faults = 30}, others = {0};
    char why[QUARANTINE_WHY_MAX];

    (void)state;
    assert_true(quarantine_variant_is_bad(&r, &own, &others, why));
    assert_string_equal(why, "30 of 60 answered calls ended by a fault of the flow, more "
                             "than 20 %");
    own.faults = 15; /* a quarter, of sixty: not surely above a fifth */
    assert_false(quarantine_variant_is_bad(&r, &own, &others, why));
    others.answered = 300;
    assert_true(quarantine_variant_is_bad(&r, &own, &others, why));
    assert_non_null(strstr(why, "against 0 of 300 of the other variants"));
    r.max_fault_rate = 1;
    others.answered = 0;
    own.faults = 60;
    assert_false(quarantine_variant_is_bad(&r, &own, &others, why));
}

static void a_list_must_surely_be_mostly_bad(void **state)
{
    struct quarantine_rules r = rules();
    struct list_count list = {.numbers = 50, .bad = 45};
    char why[QUARANTINE_WHY_MAX];

    (void)state;
    assert_true(quarantine_list_is_bad(&r, &list, why));
    assert_string_equal(why, "45 of 50 numbers that were called do not exist or cannot "
                             "be reached, surely more than 50 %");
    list.bad = 28;
    assert_false(quarantine_list_is_bad(&r, &list, why));
    list = (struct list_count){.numbers = 49, .bad = 49};
    assert_false(quarantine_list_is_bad(&r, &list, why));
    list = (struct list_count){.numbers = 5000, .bad = 2900};
    assert_true(quarantine_list_is_bad(&r, &list, why));
}

static size_t issues_of(const char *part, struct campaign_issues *issues)
{
    struct campaign_doc *doc = NULL;
    char text[600];

    snprintf(text, sizeof(text),
             "{\"name\":\"a\",\"list\":\"l\",\"flow\":\"f\",\"trunk\":\"t\",%s}", part);
    if (campaign_doc_parse(&doc, text, strlen(text), issues) == 0)
        campaign_doc_free(doc);
    return issues->found;
}

static void it_is_off_unless_asked_for_and_says_what_is_wrong(void **state)
{
    struct campaign_issues issues;

    (void)state;
    assert_int_equal(issues_of("\"quarantine\":{\"lists\":{}}", &issues), 0);
    assert_int_equal(issues_of("\"quarantine\":{}", &issues), 1);
    assert_non_null(strstr(issues.at[0].text, "neither 'variants' nor 'lists'"));
    assert_int_equal(issues_of("\"quarantine\":{\"variants\":{}}", &issues), 1);
    assert_string_equal(issues.at[0].pointer, "/quarantine/variants");
    assert_int_equal(
        issues_of("\"quarantine\":{\"lists\":{\"max_bad_rate\":50}}", &issues), 1);
    assert_string_equal(issues.at[0].pointer, "/quarantine/lists/max_bad_rate");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_variant_must_be_far_worse_and_surely_so),
        cmocka_unit_test(a_flow_that_fails_is_held_whatever_the_others_do),
        cmocka_unit_test(a_list_must_surely_be_mostly_bad),
        cmocka_unit_test(it_is_off_unless_asked_for_and_says_what_is_wrong),
    };

    return cmocka_run_group_tests_name("quarantine", tests, NULL, NULL);
}
