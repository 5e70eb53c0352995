/* The choice among a campaign's trunks, and how the document names them. */
#include "unit/cm.h"

#include <string.h>

#include "base/attrs.h"
#include "campaigns/campaign.h"
#include "campaigns/campaign_trunks.h"

enum { TRUNKS = 3 };

/* Gives n calls, one at a time, to the first trunk that may take it. */
static void give(struct trunk_standing all[TRUNKS], int n)
{
    for (int i = 0; i < n; i++)
        for (int t = 0; t < TRUNKS; t++)
            if (all[t].wants && campaign_trunk_may(all, TRUNKS, t)) {
                all[t].sent++;
                break;
            }
}

static void equals_share_by_weight_and_a_spare_gets_nothing(void **state)
{
    struct trunk_standing all[TRUNKS] = {
        {.weight = 3, .usable = true, .wants = true},
        {.weight = 1, .usable = true, .wants = true},
        {.weight = 9, .priority = 1, .usable = true, .wants = true}};

    (void)state;
    give(all, 400);
    assert_in_range((int)all[0].sent, 299, 301);
    assert_in_range((int)all[1].sent, 99, 101);
    assert_int_equal((int)all[2].sent, 0);
}

static void a_spare_is_used_when_no_better_one_can_be(void **state)
{
    struct trunk_standing all[TRUNKS] = {
        {.weight = 3, .wants = true},
        {.weight = 1, .wants = true},
        {.weight = 1, .priority = 1, .usable = true, .wants = true}};

    (void)state;
    give(all, 10);
    assert_int_equal((int)all[2].sent, 10);
    all[1].usable = true;
    give(all, 10);
    assert_int_equal((int)all[2].sent, 10);
    assert_int_equal((int)all[1].sent, 10);
}

static void one_at_its_own_limit_does_not_hold_the_others(void **state)
{
    struct trunk_standing all[TRUNKS] = {
        {.weight = 3, .usable = true, .wants = false},
        {.weight = 1, .usable = true, .wants = true},
        {.weight = 1, .priority = 1, .usable = true, .wants = true}};

    (void)state;
    give(all, 50);
    assert_int_equal((int)all[1].sent, 50);
    /* The spare is for when no better one can be used, not for when they are full. */
    assert_int_equal((int)all[2].sent, 0);
}

static const struct campaign_issue *refused(const char *trunks)
{
    static struct campaign_issues issues;
    struct campaign_doc *doc = NULL;
    char text[1000];

    snprintf(text, sizeof(text),
             "{\"name\": \"a\", \"list\": \"l\", \"flow\": \"f\", %s}", trunks);
    assert_int_not_equal(campaign_doc_parse(&doc, text, strlen(text), &issues), 0);
    return &issues.at[0];
}

static void a_document_names_one_trunk_or_a_list_of_them(void **state)
{
    static const char text[] =
        "{\"name\": \"a\", \"list\": \"l\", \"flow\": \"f\", \"trunks\": [{\"trunk\": "
        "\"main\", \"weight\": 3}, {\"trunk\": \"spare\", \"priority\": 2}]}";
    struct campaign_issues issues;
    struct campaign_doc *doc = NULL;

    (void)state;
    assert_int_equal(campaign_doc_parse(&doc, text, strlen(text), &issues), 0);
    assert_int_equal(doc->trunk_count, 2);
    assert_string_equal(doc->trunk, "main");
    assert_true(doc->trunks[0].weight == 3 && doc->trunks[0].priority == 0);
    assert_true(doc->trunks[1].weight == 1 && doc->trunks[1].priority == 2);
    campaign_doc_free(doc);
    assert_non_null(strstr(refused("\"keep_open\": true")->text, "'trunk' is missing"));
    assert_non_null(
        strstr(refused("\"trunk\": \"a\", \"trunks\": [{\"trunk\": \"b\"}]")->text,
               "cannot both"));
    assert_non_null(
        strstr(refused("\"trunks\": [{\"trunk\": \"b\"}, {\"trunk\": \"b\"}]")->text,
               "in the list already"));
    assert_string_equal(refused("\"trunks\": [{\"weight\": 2}]")->pointer, "/trunks/0");
    assert_string_equal(refused("\"trunks\": []")->pointer, "/trunks");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equals_share_by_weight_and_a_spare_gets_nothing),
        cmocka_unit_test(a_spare_is_used_when_no_better_one_can_be),
        cmocka_unit_test(one_at_its_own_limit_does_not_hold_the_others),
        cmocka_unit_test(a_document_names_one_trunk_or_a_list_of_them),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
