#include "unit/cm.h"

#include <errno.h>
#include <string.h>

#include "campaigns/campaign.h"
#include "campaigns/machine.h"

enum { T = 1000000 };

static struct machine_rule rule;
static struct machine_ear ear;
static int64_t again_ms;

static int set_up(void **state)
{
    (void)state;
    machine_rule_default(&rule);
    machine_answered(&ear, T);
    again_ms = 0;
    return 0;
}

static enum machine_verdict at(int ms)
{
    return machine_judge(&ear, &rule, T + ms, &again_ms);
}

static void who_says_hello_and_waits_is_a_person(void **state)
{
    (void)state;
    assert_int_equal(at(0), MACHINE_OPEN);
    machine_talk(&ear, true, T + 300);
    assert_int_equal(at(300), MACHINE_OPEN);
    assert_int_equal(again_ms, T + 300 + rule.greeting_ms);
    machine_talk(&ear, false, T + 900);
    assert_int_equal(at(900), MACHINE_OPEN);
    assert_int_equal(again_ms, T + 900 + rule.pause_ms);
    assert_int_equal(at(900 + rule.pause_ms - 1), MACHINE_OPEN);
    assert_int_equal(at(900 + rule.pause_ms), MACHINE_HUMAN);
}

static void who_speaks_on_is_a_machine_even_with_short_pauses(void **state)
{
    (void)state;
    machine_talk(&ear, true, T + 200);
    assert_int_equal(at(200 + rule.greeting_ms - 1), MACHINE_OPEN);
    assert_int_equal(at(200 + rule.greeting_ms), MACHINE_MACHINE);
    machine_answered(&ear, T);
    machine_talk(&ear, true, T + 200);
    machine_talk(&ear, false, T + 900);
    machine_talk(&ear, true, T + 1200); /* a pause shorter than a person's */
    assert_int_equal(at(900 + rule.pause_ms), MACHINE_OPEN);
    assert_int_equal(at(1200 + rule.greeting_ms), MACHINE_MACHINE);
}

static void who_says_nothing_is_left_open_and_a_tone_is_a_machines(void **state)
{
    (void)state;
    assert_int_equal(at(rule.total_ms - 1), MACHINE_OPEN);
    assert_int_equal(again_ms, T + rule.total_ms);
    assert_int_equal(at(rule.total_ms), MACHINE_UNSURE);
    machine_beep(&ear, T + 100);
    assert_int_equal(at(100), MACHINE_MACHINE);
}

static void
a_message_waits_for_the_beep_or_for_a_long_pause_or_for_its_limit(void **state)
{
    (void)state;
    machine_talk(&ear, true, T + 200);
    assert_false(machine_records(&ear, &rule, T + 5000, &again_ms));
    assert_int_equal(again_ms, T + rule.beep_wait_s * 1000);
    machine_talk(&ear, false, T + 6000);
    assert_false(machine_records(&ear, &rule, T + 7499, &again_ms));
    assert_int_equal(again_ms, T + 7500);
    assert_true(machine_records(&ear, &rule, T + 7500, &again_ms));
    machine_beep(&ear, T + 6400);
    assert_false(machine_records(&ear, &rule, T + 6500, &again_ms));
    assert_true(machine_records(&ear, &rule, T + 6600, &again_ms));
    machine_answered(&ear, T);
    machine_talk(&ear, true, T + 200);
    assert_true(machine_records(&ear, &rule, T + rule.beep_wait_s * 1000, &again_ms));
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

static void the_document_says_what_to_do_with_machines(void **state)
{
    static const char text[] = HEAD "\"machine\": {\"action\": \"message\", \"flow\": "
                                    "\"tape@2\", \"greeting_ms\": 1500}}";
    struct campaign_issues issues;
    struct campaign_doc *doc = NULL;

    (void)state;
    assert_int_equal(campaign_doc_parse(&doc, text, strlen(text), &issues), 0);
    assert_int_equal(doc->machine.action, MACHINE_MESSAGE);
    assert_string_equal(doc->machine.flow, "tape@2");
    assert_int_equal(doc->machine.greeting_ms, 1500);
    assert_int_equal(doc->machine.pause_ms, 700);
    campaign_doc_free(doc);
    expect_issue(HEAD "\"machine\": {\"action\": \"shout\"}}", "/machine/action",
                 "must be one of");
    expect_issue(HEAD "\"machine\": {\"action\": \"message\"}}", "/machine",
                 "needs the 'flow'");
    expect_issue(HEAD "\"machine\": {\"action\": \"hang_up\", \"flow\": \"x\"}}",
                 "/machine/flow", "only a message has a 'flow'");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(who_says_hello_and_waits_is_a_person, set_up),
        cmocka_unit_test_setup(who_speaks_on_is_a_machine_even_with_short_pauses, set_up),
        cmocka_unit_test_setup(who_says_nothing_is_left_open_and_a_tone_is_a_machines,
                               set_up),
        cmocka_unit_test_setup(
            a_message_waits_for_the_beep_or_for_a_long_pause_or_for_its_limit, set_up),
        cmocka_unit_test(the_document_says_what_to_do_with_machines),
    };

    return cmocka_run_group_tests_name("machine", tests, NULL, NULL);
}
