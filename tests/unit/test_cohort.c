#include "unit/cm.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "campaigns/campaign.h"
#include "campaigns/cohort.h"

enum { PEOPLE = 20000 };

static const struct variant_rules three = {.n = 3,
                                           .at = {{.name = "a", .weight = 50},
                                                  {.name = "b", .weight = 30},
                                                  {.name = "c", .weight = 20}}};

static size_t of(int64_t campaign, int person, unsigned held)
{
    char text[32];

    snprintf(text, sizeof(text), "+2519110%05d", person);
    return cohort_of(&three, campaign, text, held);
}

static void shares_are_as_the_weights_and_the_same_every_time(void **state)
{
    int counts[3] = {0}, moved = 0;

    (void)state;
    for (int i = 0; i < PEOPLE; i++) {
        size_t at = of(7, i, 0);
        assert_int_equal(of(7, i, 0), at);
        counts[at]++;
        moved += of(8, i, 0) != at;
    }
    assert_in_range(counts[0], PEOPLE * 48 / 100, PEOPLE * 52 / 100);
    assert_in_range(counts[1], PEOPLE * 28 / 100, PEOPLE * 32 / 100);
    assert_in_range(counts[2], PEOPLE * 18 / 100, PEOPLE * 22 / 100);
    /* Another campaign deals anew: 1 - (0.25 + 0.09 + 0.04) of the people move. */
    assert_in_range(moved, PEOPLE * 58 / 100, PEOPLE * 66 / 100);
}

/* Fixed for ever: who was called yesterday with one flow is not called with another. */
static void a_person_keeps_the_variant_across_versions(void **state)
{
    static const size_t want[] = {1, 2, 1, 2, 1, 2, 0, 2, 1, 1, 0, 0};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(want); i++)
        assert_int_equal(of(1, (int)i, 0), want[i]);
}

static void a_held_variants_people_are_shared_out_and_the_others_keep_theirs(void **state)
{
    int got[3] = {0};

    (void)state;
    for (int i = 0; i < PEOPLE; i++) {
        size_t own = of(7, i, 0), now = of(7, i, 1u << 0);

        if (own != 0)
            assert_int_equal(now, own);
        else
            got[now]++;
    }
    assert_int_equal(got[0], 0);
    int all = got[1] + got[2];
    assert_in_range(got[1], all * 57 / 100, all * 63 / 100);
    assert_int_equal(of(7, 3, 7), of(7, 3, 0));
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

static void the_document_names_variants_flows_and_weights(void **state)
{
    static const char text[] =
        HEAD "\"variants\": [{\"name\": \"short\", \"flow\": \"f@3\", \"weight\": 9}, "
             "{\"name\": \"long\", \"weight\": 1}]}";
    struct campaign_issues issues;
    struct campaign_doc *doc = NULL;

    (void)state;
    assert_int_equal(campaign_doc_parse(&doc, text, strlen(text), &issues), 0);
    assert_int_equal(doc->variants.n, 2);
    assert_string_equal(doc->variants.at[0].name, "short");
    assert_string_equal(doc->variants.at[0].flow, "f@3");
    assert_string_equal(doc->variants.at[1].flow, "");
    assert_int_equal(doc->variants.at[0].weight, 9);
    campaign_doc_free(doc);
    expect_issue(HEAD "\"variants\": [{\"name\": \"a\", \"weight\": 1}]}", "/variants",
                 "a list of 2 to 8");
    expect_issue(HEAD "\"variants\": [{\"name\": \"a\", \"weight\": 1}, {\"name\": "
                      "\"a\", \"weight\": 1}]}",
                 "/variants/1/name", "two variants 'a'");
    expect_issue(HEAD "\"variants\": [{\"name\": \"a\", \"weight\": 1}, {\"name\": "
                      "\"b\", \"weight\": 0}]}",
                 "/variants/1/weight", "");
    expect_issue(HEAD "\"variants\": [{\"name\": \"a b\", \"weight\": 1}, {\"name\": "
                      "\"b\", \"weight\": 1}]}",
                 "/variants/0/name", "no name for a variant");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shares_are_as_the_weights_and_the_same_every_time),
        cmocka_unit_test(a_person_keeps_the_variant_across_versions),
        cmocka_unit_test(
            a_held_variants_people_are_shared_out_and_the_others_keep_theirs),
        cmocka_unit_test(the_document_names_variants_flows_and_weights),
    };

    return cmocka_run_group_tests_name("cohort", tests, NULL, NULL);
}
