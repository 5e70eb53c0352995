#include "unit/cm.h"

#include "campaigns/lifecycle.h"

/* The whole table, written a second time as a person reads it: '-' is illegal. */
static const char *const want[CAMPAIGN_STATES][CAMPAIGN_COMMANDS] = {
    /* start, pause, resume, stop, complete, fault, archive, restore */
    [CAMPAIGN_DRAFT] = {"running", "-", "-", "stopped", "-", "-", "archived", "-"},
    [CAMPAIGN_RUNNING] = {"-", "paused", "-", "stopped", "done", "faulted", "-", "-"},
    [CAMPAIGN_PAUSED] = {"-", "-", "running", "stopped", "done", "-", "-", "-"},
    [CAMPAIGN_STOPPED] = {"running", "-", "-", "-", "-", "-", "archived", "-"},
    [CAMPAIGN_DONE] = {"running", "-", "-", "-", "-", "-", "archived", "-"},
    [CAMPAIGN_FAULTED] = {"-", "-", "running", "stopped", "-", "-", "-", "-"},
    [CAMPAIGN_ARCHIVED] = {"-", "-", "-", "-", "-", "-", "-", "stopped"},
};

static void makes_every_legal_move_and_no_other(void **state)
{
    (void)state;
    for (int s = 0; s < CAMPAIGN_STATES; s++) {
        for (int c = 0; c < CAMPAIGN_COMMANDS; c++) {
            enum campaign_state to = CAMPAIGN_STATES;
            bool legal =
                lifecycle_move((enum campaign_state)s, (enum campaign_command)c, &to);

            assert_string_equal(legal ? campaign_state_name(to) : "-", want[s][c]);
            if (!legal)
                assert_int_equal(to, CAMPAIGN_STATES); /* untouched */
        }
    }
}

static void says_what_is_possible_instead(void **state)
{
    char text[LIFECYCLE_TEXT_MAX];

    (void)state;
    assert_string_equal(
        lifecycle_explain(CAMPAIGN_DRAFT, CAMPAIGN_PAUSE, text),
        "a draft campaign can be started or stopped or archived, not paused");
    assert_string_equal(lifecycle_explain(CAMPAIGN_DONE, CAMPAIGN_RESUME, text),
                        "a done campaign can be started or archived, not resumed");
    assert_string_equal(lifecycle_explain(CAMPAIGN_RUNNING, CAMPAIGN_START, text),
                        "a running campaign can be paused or stopped, not started");
    assert_string_equal(lifecycle_explain(CAMPAIGN_ARCHIVED, CAMPAIGN_START, text),
                        "an archived campaign can be restored, not started");
}

static void reads_back_every_state_name(void **state)
{
    enum campaign_state s = CAMPAIGN_STATES;

    (void)state;
    for (int i = 0; i < CAMPAIGN_STATES; i++) {
        assert_true(
            campaign_state_parse(campaign_state_name((enum campaign_state)i), &s));
        assert_int_equal(s, i);
    }
    assert_false(campaign_state_parse("Running", &s));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(makes_every_legal_move_and_no_other),
        cmocka_unit_test(says_what_is_possible_instead),
        cmocka_unit_test(reads_back_every_state_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
