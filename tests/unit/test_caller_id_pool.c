#include "unit/cm.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "campaigns/caller_id_pool.h"
#include "campaigns/campaign.h"

#define NOW INT64_C(1795507200000)
/* New York, Albany (also New York State), Miami, Toronto, London, Manchester */
#define NYC        INT64_C(12125550100)
#define ALBANY     INT64_C(15185550100)
#define MIAMI      INT64_C(13055550100)
#define TORONTO    INT64_C(14165550100)
#define LONDON     INT64_C(442079460100)
#define MANCHESTER INT64_C(441614960100)

static struct caller_id_rule rule(void)
{
    struct caller_id_rule r;

    caller_id_rule_default(&r);
    str_cut(r.pool, sizeof(r.pool), "us");
    return r;
}

static int64_t chosen(struct caller_id *pool, size_t n, const struct caller_id_rule *r,
                      int64_t callee)
{
    const struct caller_id *c = caller_id_choose(pool, n, r, callee, NOW);

    return c ? c->phone : 0;
}

static void
the_nearest_number_is_the_one_of_the_area_then_state_then_country(void **state)
{
    (void)state;
    assert_int_equal(caller_id_nearness(NYC, INT64_C(12125559999)), 3);
    assert_int_equal(caller_id_nearness(ALBANY, INT64_C(12125559999)), 2);
    assert_int_equal(caller_id_nearness(MIAMI, INT64_C(12125559999)), 1);
    assert_int_equal(caller_id_nearness(TORONTO, INT64_C(12125559999)), 0);
    assert_int_equal(caller_id_nearness(LONDON, INT64_C(442071234567)), 3);
    assert_int_equal(caller_id_nearness(MANCHESTER, INT64_C(442071234567)), 1);
    assert_int_equal(caller_id_nearness(NYC, INT64_C(442071234567)), 0);
    /* A toll-free number is of no state. */
    assert_int_equal(caller_id_nearness(INT64_C(18005550100), INT64_C(12125559999)), 1);
}

static void
a_call_shows_the_nearest_number_then_the_healthiest_then_the_least_used(void **state)
{
    struct caller_id_rule r = rule();
    struct caller_id pool[] = {
        {.phone = MIAMI, .calls = 100, .answered = 90},
        {.phone = NYC, .calls = 100, .answered = 10},
        {.phone = INT64_C(12125550101), .calls = 100, .answered = 45},
        {.phone = INT64_C(12125550102), .calls = 100, .answered = 41, .used = 1},
    };

    (void)state;
    /* 45 and 41 are one step of health: the less used of them. */
    assert_int_equal(chosen(pool, 4, &r, INT64_C(12125559999)), INT64_C(12125550101));
    assert_int_equal(pool[2].used, 1);
    assert_int_equal(chosen(pool, 4, &r, INT64_C(12125559999)), INT64_C(12125550101));
    assert_int_equal(chosen(pool, 4, &r, INT64_C(12125559999)), INT64_C(12125550102));
    r.local_presence = false;
    assert_int_equal(chosen(pool, 4, &r, INT64_C(12125559999)), MIAMI);
}

static void a_new_number_is_taken_for_as_good_as_the_rest(void **state)
{
    struct caller_id_rule r = rule();
    struct caller_id pool[] = {{.phone = NYC, .calls = 100, .answered = 60, .used = 5},
                               {.phone = ALBANY, .calls = 3}};

    (void)state;
    r.local_presence = false;
    assert_int_equal(caller_id_score(&pool[1], &r), -1);
    assert_int_equal(chosen(pool, 2, &r, MIAMI), ALBANY);
    pool[1].calls = 100;
    assert_int_equal(chosen(pool, 2, &r, MIAMI), NYC);
}

static void a_number_over_its_cap_or_in_quarantine_never_shows(void **state)
{
    struct caller_id_rule r = rule();
    struct caller_id pool[] = {{.phone = NYC, .daily_cap = 3, .used = 1},
                               {.phone = ALBANY, .held_until_ms = NOW + 1},
                               {.phone = MIAMI, .daily_cap = 1, .held_until_ms = NOW}};

    (void)state;
    assert_int_equal(caller_id_room(pool, 3, NOW, 100), 3);
    assert_int_equal(caller_id_room(pool, 3, NOW, 2), 2);
    assert_int_equal(chosen(pool, 3, &r, INT64_C(15185559999)), NYC);
    assert_int_equal(chosen(pool, 3, &r, INT64_C(15185559999)), NYC);
    assert_int_equal(chosen(pool, 3, &r, INT64_C(15185559999)), MIAMI);
    assert_int_equal(chosen(pool, 3, &r, INT64_C(15185559999)), 0);
    assert_int_equal(caller_id_room(pool, 3, NOW, 100), 0);
    pool[1].held_until_ms = 0; /* no cap */
    assert_int_equal(caller_id_room(pool, 3, NOW, 100), 100);
}

static void a_spent_pool_says_why_and_until_when(void **state)
{
    struct caller_id_rule r = rule();
    char why[CALLER_ID_WHY_MAX];
    struct caller_id pool[] = {
        {.phone = NYC, .daily_cap = 1, .used = 1, .free_at_ms = NOW + 7000},
        {.phone = ALBANY, .held_until_ms = NOW + 5000}};

    (void)state;
    assert_int_equal(caller_id_explain(pool, 2, &r, NOW, why), NOW + 5000);
    assert_string_equal(why, "no number of the caller-id pool 'us' is left: 1 over the "
                             "daily cap, 1 in quarantine; the next at "
                             "2026-11-24T08:00:05Z");
    pool[0].used = 0;
    assert_int_equal(caller_id_explain(pool, 2, &r, NOW, why), 0);
    assert_string_equal(why, "");
    assert_int_equal(caller_id_explain(pool, 0, &r, NOW, why), 0);
    assert_string_equal(why,
                        "the caller-id pool 'us' has no numbers: 'furrow caller-id add'");
}

static void
bad_health_is_few_answers_or_many_short_calls_once_there_are_enough(void **state)
{
    struct caller_id_rule r = rule();
    char why[CALLER_ID_WHY_MAX];

    (void)state;
    assert_false(caller_id_is_bad(&(struct caller_id){.calls = 49}, &r, why));
    assert_true(
        caller_id_is_bad(&(struct caller_id){.calls = 100, .answered = 4}, &r, why));
    assert_string_equal(why, "4 of 100 calls were answered in 7 days, less than 5 %");
    assert_false(
        caller_id_is_bad(&(struct caller_id){.calls = 100, .answered = 5}, &r, why));
    assert_false(caller_id_is_bad(
        &(struct caller_id){.calls = 100, .answered = 40, .shorts = 20}, &r, why));
    assert_true(caller_id_is_bad(
        &(struct caller_id){.calls = 100, .answered = 40, .shorts = 21}, &r, why));
    assert_string_equal(why, "21 of 40 answered calls were over within 6 s in 7 days, "
                             "more than 50 %");
}

#define HEAD "{\"name\": \"n\", \"list\": \"l\", \"flow\": \"f\", \"trunk\": \"t\", "

static void expect_issue(const char *text, const char *pointer, const char *says)
{
    struct campaign_issues issues;
    struct campaign_doc *doc = NULL;

    assert_int_equal(campaign_doc_parse(&doc, text, strlen(text), &issues), EINVAL);
    assert_string_equal(issues.at[0].pointer, pointer);
    if (!strstr(issues.at[0].text, says))
        fail_msg("'%s' does not say '%s'", issues.at[0].text, says);
}

static void the_document_names_a_pool_and_its_thresholds(void **state)
{
    static const char text[] =
        HEAD "\"caller_ids\": {\"pool\": \"us\", \"local_presence\": false, \"health\": "
             "{\"days\": 3, \"min_calls\": 20, \"min_answer_rate\": 0.1, "
             "\"max_short_rate\": 0.3, \"quarantine_h\": 72}}}";
    struct campaign_issues issues;
    struct campaign_doc *doc = NULL;

    (void)state;
    assert_int_equal(campaign_doc_parse(&doc, text, strlen(text), &issues), 0);
    assert_string_equal(doc->caller_ids.pool, "us");
    assert_false(doc->caller_ids.local_presence);
    assert_int_equal(doc->caller_ids.days, 3);
    assert_int_equal(doc->caller_ids.min_calls, 20);
    assert_true(doc->caller_ids.max_short_rate == 0.3);
    assert_int_equal(doc->caller_ids.quarantine_h, 72);
    campaign_doc_free(doc);
    expect_issue(HEAD "\"caller_ids\": {}}", "/caller_ids", "pool");
    expect_issue(HEAD "\"caller_ids\": {\"pool\": \"a b\"}}", "/caller_ids/pool",
                 "no name of a pool");
    expect_issue(HEAD "\"caller_ids\": {\"pool\": \"a\", \"health\": "
                      "{\"min_answer_rate\": 7}}}",
                 "/caller_ids/health/min_answer_rate", "1");
    expect_issue(HEAD "\"caller_id\": \"+12125550100\", \"caller_ids\": {\"pool\": "
                      "\"a\"}}",
                 "/caller_id", "not both");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            the_nearest_number_is_the_one_of_the_area_then_state_then_country),
        cmocka_unit_test(
            a_call_shows_the_nearest_number_then_the_healthiest_then_the_least_used),
        cmocka_unit_test(a_new_number_is_taken_for_as_good_as_the_rest),
        cmocka_unit_test(a_number_over_its_cap_or_in_quarantine_never_shows),
        cmocka_unit_test(a_spent_pool_says_why_and_until_when),
        cmocka_unit_test(
            bad_health_is_few_answers_or_many_short_calls_once_there_are_enough),
        cmocka_unit_test(the_document_names_a_pool_and_its_thresholds),
    };

    return cmocka_run_group_tests_name("caller_id_pool", tests, NULL, NULL);
}
