#include "unit/cm.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/str.h"
#include "base/xalloc.h"
#include "campaigns/budget.h"
#include "campaigns/campaign_change.h"

static struct budget of_calls(int64_t calls)
{
    return (struct budget){
        .stated = true, .calls = calls, .increment_s = 60, .call_s = 120};
}

static void without_a_budget_any_number_of_calls_may_begin(void **state)
{
    struct budget b = {0};
    struct budget_spent s = {.calls = 1000000};

    (void)state;
    assert_int_equal(budget_room(&b, &s), INT64_MAX);
}

static void calls_count_whether_answered_or_not(void **state)
{
    struct budget b = of_calls(3);
    struct budget_spent s = {0};

    (void)state;
    assert_int_equal(budget_room(&b, &s), 3);
    budget_add(&b, &s, 0);
    budget_set_aside(&b, &s, 0);
    assert_int_equal(budget_room(&b, &s), 1);
    budget_add(&b, &s, 5000);
    assert_int_equal(budget_room(&b, &s), 0);
    budget_add(&b, &s, 5000); /* an inbound one, say: over is over */
    assert_int_equal(budget_room(&b, &s), 0);
}

static void talk_is_billed_in_whole_parts(void **state)
{
    struct budget b = {.stated = true, .seconds = 600, .increment_s = 6, .call_s = 60};
    struct budget_spent s = {0};

    (void)state;
    budget_add(&b, &s, 0);
    assert_int_equal(s.seconds, 0);
    budget_add(&b, &s, 1);
    assert_int_equal(s.seconds, 6);
    budget_add(&b, &s, 6000);
    assert_int_equal(s.seconds, 12);
    budget_add(&b, &s, 6001);
    assert_int_equal(s.seconds, 24);
}

/* 0.01 a call and 0.05 a minute, in whole minutes. */
static void money_is_the_price_of_the_call_and_of_its_minutes(void **state)
{
    struct budget b = {.stated = true,
                       .micros = 1000000,
                       .call_micros = 10000,
                       .minute_micros = 50000,
                       .increment_s = 60,
                       .call_s = 120};
    struct budget_spent s = {0};

    (void)state;
    budget_add(&b, &s, 0);
    assert_int_equal(s.micros, 10000);
    budget_add(&b, &s, 61000);
    assert_int_equal(s.micros, 10000 + 110000);
    /* A call may come to 0.11: 8 of them fit into 0.88. */
    assert_int_equal(budget_room(&b, &s), 8);
    s.micros = 890000;
    assert_int_equal(budget_room(&b, &s), 1);
    s.micros = 890001;
    assert_int_equal(budget_room(&b, &s), 0);
}

static void a_live_call_is_reckoned_with_what_it_may_come_to_or_has(void **state)
{
    struct budget b = {.stated = true, .seconds = 600, .increment_s = 60, .call_s = 120};
    struct budget_spent s = {0};

    (void)state;
    budget_set_aside(&b, &s, 10000);
    assert_int_equal(s.seconds, 120);
    budget_set_aside(&b, &s, 290000);
    assert_int_equal(s.seconds, 120 + 300);
    assert_int_equal(budget_room(&b, &s), 1);
}

static void a_budget_is_told_in_what_it_limits(void **state)
{
    struct budget b = {.stated = true,
                       .calls = 10,
                       .micros = 50000000,
                       .call_micros = 1,
                       .increment_s = 1,
                       .call_s = 1,
                       .currency = "ETB"};
    struct budget_spent s = {4, 90, 3200000};
    char text[BUDGET_TEXT_MAX];

    (void)state;
    assert_string_equal(budget_text(&b, &s, text), "4 of 10 calls, ETB 3.20 of 50.00");
    b = (struct budget){.stated = true, .seconds = 3600};
    assert_string_equal(budget_text(&b, &s, text), "1.5 of 60.0 minutes");
}

/* ---- documents with values set anew ---- */

#define DOCUMENT                                                                         \
    "{\"name\": \"a\", \"list\": \"l\", \"flow\": \"f\", \"trunk\": \"t\", \"pacing\": " \
    "{\"cps\": 1}, \"budget\": {\"calls\": 9}}"

static void settings_change_add_and_take_out_values(void **state)
{
    static const char *const settings[] = {"pacing.cps=2.5", "limits.per_24h=1",
                                           "budget=", "name=harvest-2",
                                           "windows={\"mon\": [\"09:00-12:00\"]}"};
    CLEANUP(free_cleanup) char *text = NULL;
    CLEANUP(buf_free) struct buf keys = {0};
    struct errtext e = {0};
    json_error_t where;

    (void)state;
    assert_int_equal(campaign_text_with(DOCUMENT, settings, 5, &text, &e), 0);
    json_t *got = json_loads(text, 0, &where);
    json_t *want = json_loads(
        "{\"name\": \"harvest-2\", \"list\": \"l\", \"flow\": \"f\", \"trunk\": \"t\", "
        "\"pacing\": {\"cps\": 2.5}, \"limits\": {\"per_24h\": 1}, \"windows\": "
        "{\"mon\": "
        "[\"09:00-12:00\"]}}",
        0, &where);
    assert_true(json_equal(got, want));
    json_decref(got);
    json_decref(want);
    campaign_changed_keys(DOCUMENT, text, &keys);
    assert_string_equal(keys.data, "name, pacing, limits, windows, budget");
}

static void a_setting_that_cannot_be_read_is_refused_in_words(void **state)
{
    static const struct {
        const char *setting, *text;
    } cases[] = {{"pacing.cps", "write KEY=VALUE"},
                 {"=2", "write KEY=VALUE"},
                 {"name.first=x", "'name' is text in the document"},
                 {"priority=", "no such key"},
                 {"pacing.=2", "a part of the key is empty"}};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        char *text = NULL;
        struct errtext e = {0};
        assert_int_equal(campaign_text_with(DOCUMENT, &cases[i].setting, 1, &text, &e),
                         EINVAL);
        if (!strstr(e.text, cases[i].text))
            fail_msg("'%s': %s", cases[i].setting, e.text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_budget_any_number_of_calls_may_begin),
        cmocka_unit_test(calls_count_whether_answered_or_not),
        cmocka_unit_test(talk_is_billed_in_whole_parts),
        cmocka_unit_test(money_is_the_price_of_the_call_and_of_its_minutes),
        cmocka_unit_test(a_live_call_is_reckoned_with_what_it_may_come_to_or_has),
        cmocka_unit_test(a_budget_is_told_in_what_it_limits),
        cmocka_unit_test(settings_change_add_and_take_out_values),
        cmocka_unit_test(a_setting_that_cannot_be_read_is_refused_in_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
