#include "unit/cm.h"

#include <string.h>

#include "campaigns/campaign.h"
#include "campaigns/canary.h"

static struct canary_rule rule(int calls)
{
    struct canary_rule r;

    canary_rule_default(&r);
    r.calls = calls;
    r.min_answer_rate = 0.2;
    return r;
}

static void it_is_judged_when_the_last_of_its_calls_is_over(void **state)
{
    struct canary_rule r = rule(50);
    struct canary_count n = {.placed = 49, .answered = 30};
    char why[CANARY_WHY_MAX];

    (void)state;
    assert_int_equal(canary_room(&r, &n), 1);
    assert_int_equal(canary_judge(&r, &n, why), CANARY_WAIT);
    n.placed = 50;
    n.open = 1;
    assert_int_equal(canary_room(&r, &n), 0);
    assert_int_equal(canary_judge(&r, &n, why), CANARY_WAIT);
    n.open = 0;
    assert_int_equal(canary_judge(&r, &n, why), CANARY_GOOD);
    assert_string_equal(why, "50 calls: 30 answered, 0 failed, 0 over within 6 s, 0 "
                             "faults of the flow");
    n.placed = 51; /* the rule was lowered meanwhile */
    assert_int_equal(canary_room(&r, &n), 0);
}

static void each_figure_beyond_its_rate_fails_it_and_is_named(void **state)
{
    static const struct {
        struct canary_count n;
        const char *why;
    } bad[] = {
        {{.placed = 50, .answered = 9}, "9 of 50 calls were answered, less than 20 %"},
        {{.placed = 50, .answered = 20, .failed = 26},
         "26 of 50 calls failed, more than 50 %"},
        {{.placed = 50, .answered = 20, .shorts = 11},
         "11 of 20 answered calls were over within 6 s, more than 50 %"},
        {{.placed = 50, .answered = 20, .faults = 5},
         "5 of 20 answered calls ended by a fault of the flow, more than 20 %"},
    };
    struct canary_count just = {
        .placed = 50, .answered = 10, .failed = 25, .shorts = 5, .faults = 2};
    struct canary_rule r = rule(50);
    char why[CANARY_WHY_MAX];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        assert_int_equal(canary_judge(&r, &bad[i].n, why), CANARY_BAD);
        assert_non_null(strstr(why, bad[i].why));
    }
    assert_int_equal(canary_judge(&r, &just, why), CANARY_GOOD);
}

/* People who could not be reached well are not called any longer for it. */
static void what_cannot_turn_good_any_more_is_not_waited_for(void **state)
{
    struct canary_rule r = rule(50);
    struct canary_count n = {.placed = 45, .open = 5, .answered = 0, .failed = 10};
    char why[CANARY_WHY_MAX];

    (void)state;
    /* Ten are to come: ten of fifty would be enough. */
    assert_int_equal(canary_judge(&r, &n, why), CANARY_WAIT);
    n.open = 4;
    assert_int_equal(canary_judge(&r, &n, why), CANARY_BAD);
    assert_string_equal(why, "0 of 41 calls were answered, less than 20 % of 50");
    n = (struct canary_count){.placed = 30, .answered = 4, .failed = 26};
    assert_int_equal(canary_judge(&r, &n, why), CANARY_BAD);
}

static void a_document_states_it_and_is_told_what_is_wrong(void **state)
{
    static const char good[] =
        "{\"name\":\"a\",\"list\":\"l\",\"flow\":\"f\",\"trunk\":\"t\",\"canary\":{"
        "\"calls\":50,\"min_answer_rate\":0.2}}";
    static const char bad[] =
        "{\"name\":\"a\",\"list\":\"l\",\"flow\":\"f\",\"trunk\":\"t\",\n\"canary\":{"
        "\"min_answer_rate\":20}}";
    struct campaign_issues issues;
    struct campaign_doc *doc = NULL;

    (void)state;
    assert_int_equal(campaign_doc_parse(&doc, good, strlen(good), &issues), 0);
    assert_int_equal(doc->canary.calls, 50);
    assert_true(doc->canary.min_answer_rate > 0.19 && doc->canary.max_failed_rate > 0.49);
    campaign_doc_free(doc);
    assert_int_not_equal(campaign_doc_parse(&doc, bad, strlen(bad), &issues), 0);
    assert_int_equal(issues.found, 2);
    assert_string_equal(issues.at[0].pointer, "/canary");
    assert_int_equal(issues.at[0].line, 2);
    assert_string_equal(issues.at[1].pointer, "/canary/min_answer_rate");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_judged_when_the_last_of_its_calls_is_over),
        cmocka_unit_test(each_figure_beyond_its_rate_fails_it_and_is_named),
        cmocka_unit_test(what_cannot_turn_good_any_more_is_not_waited_for),
        cmocka_unit_test(a_document_states_it_and_is_told_what_is_wrong),
    };

    return cmocka_run_group_tests_name("canary", tests, NULL, NULL);
}
