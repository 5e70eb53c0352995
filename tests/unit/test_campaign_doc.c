#include "unit/cm.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "campaigns/campaign.h"
#include "compliance/policy.h"

#define HEAD                                                                             \
    "{\"name\": \"harvest\", \"list\": \"farmers\", \"flow\": \"coffee\", \"trunk\": "   \
    "\"main\""

static struct campaign_issues issues;

static struct campaign_doc *parse(const char *text)
{
    struct campaign_doc *doc = NULL;

    if (campaign_doc_parse(&doc, text, strlen(text), &issues))
        fail_msg("%d:%d %s", issues.at[0].line, issues.at[0].column, issues.at[0].text);
    return doc;
}

static int64_t at(const char *text)
{
    int64_t ms = 0;

    assert_int_equal(clock_parse(text, &ms), 0);
    return ms;
}

static void the_least_document_gets_the_conservative_rules(void **state)
{
    struct campaign_doc *doc = parse(HEAD "}");
    struct policy want;
    struct retry_rules retry;

    (void)state;
    policy_default(&want);
    retry_rules_default(&retry);
    assert_string_equal(doc->name, "harvest");
    assert_string_equal(doc->list, "farmers");
    assert_string_equal(doc->flow, "coffee");
    assert_string_equal(doc->trunk, "main");
    assert_string_equal(doc->caller_id, "");
    assert_int_equal(doc->policy->week[0].at[0].from_min, want.week[0].at[0].from_min);
    assert_int_equal(doc->policy->max_24h, want.max_24h);
    assert_int_equal(doc->policy->min_gap_s, want.min_gap_s);
    assert_int_equal(doc->policy->close_guard_s, want.ring_timeout_s + 5);
    assert_int_equal(doc->ring_timeout_s, want.ring_timeout_s);
    assert_int_equal(doc->retry.by[DISPOSITION_BUSY].delay_s,
                     retry.by[DISPOSITION_BUSY].delay_s);
    assert_false(doc->has_schedule);
    assert_false(doc->keep_open);
    assert_true(doc->pacing.cps == 0);
    campaign_doc_free(doc);
}

static void a_full_document_is_read_wholly(void **state)
{
    static const char text[] = HEAD
        ",\n"
        "\"caller_id\": \"+251115550100\",\n"
        "\"windows\": {\"mon-wed\": [\"14:00-20:00\", \"09:00-12:30\"], \"sat-sun\": "
        "[\"10:00-24:00\"], \"fri\": []},\n"
        "\"holidays\": false,\n"
        "\"limits\": {\"per_24h\": 2, \"per_7d\": 0, \"total\": 9, \"min_gap_s\": "
        "7200},\n"
        "\"consent\": \"express_written\", \"regions\": [\"ET\", \"KE\"],\n"
        "\"pacing\": {\"cps\": 0.5, \"max_concurrent\": 20},\n"
        "\"ring_timeout_s\": 40,\n"
        "\"retry\": {\"max_attempts\": 6, \"busy\": {\"max_attempts\": 3, \"delay_s\": "
        "120, \"backoff\": 2, \"max_delay_s\": 600, \"jitter\": 0.25, \"order\": "
        "\"back\"}, \"no_answer\": {\"delay_s\": 200000, \"at\": \"best_hour\"}},\n"
        "\"start\": \"2026-11-24T09:00:00+03:00\", \"end\": \"2026-12-24T00:00:00Z\",\n"
        "\"schedule\": {\"cron\": \"0 9 * * mon-fri\", \"timezone\": "
        "\"Africa/Addis_Ababa\"},\n"
        "\"budget\": {\"calls\": 7, \"minutes\": 90.5, \"money\": 12.5, "
        "\"minute_price\": 0.035, \"increment_s\": 6, \"currency\": \"ETB\"},\n"
        "\"each_run\": \"everyone\", \"keep_open\": true, \"priority\": -3}";
    struct campaign_doc *doc = parse(text);
    const struct policy *p = doc->policy;

    (void)state;
    assert_string_equal(doc->caller_id, "+251115550100");
    for (int day = 0; day < 3; day++) {
        assert_int_equal(p->week[day].n, 2);
        assert_int_equal(p->week[day].at[0].from_min, 9 * 60);
        assert_int_equal(p->week[day].at[0].until_min, 12 * 60 + 30);
        assert_int_equal(p->week[day].at[1].from_min, 14 * 60);
    }
    assert_int_equal(p->week[3].n, 0); /* not named: closed */
    assert_int_equal(p->week[4].n, 0);
    assert_int_equal(p->week[5].at[0].until_min, 24 * 60);
    assert_int_equal(p->week[6].n, 1);
    assert_false(p->observe_holidays);
    assert_int_equal(p->max_24h, 2);
    assert_int_equal(p->max_7d, 0);
    assert_int_equal(p->max_total, 9);
    assert_int_equal(p->min_gap_s, 7200);
    assert_int_equal(p->consent_required, CONSENT_EXPRESS_WRITTEN);
    assert_int_equal(p->region_count, 2);
    assert_string_equal(p->regions[1], "KE");
    assert_true(doc->pacing.cps == 0.5);
    assert_int_equal(doc->pacing.max_concurrent, 20);
    assert_int_equal(p->ring_timeout_s, 40);
    assert_int_equal(p->close_guard_s, 45);
    assert_int_equal(doc->retry.max_attempts, 6);
    assert_int_equal(doc->retry.by[DISPOSITION_BUSY].max_attempts, 3);
    assert_int_equal(doc->retry.by[DISPOSITION_BUSY].max_delay_s, 600);
    assert_true(doc->retry.by[DISPOSITION_BUSY].jitter == 0.25);
    assert_int_equal(doc->retry.by[DISPOSITION_BUSY].order, RETRY_BACK);
    assert_int_equal(doc->retry.by[DISPOSITION_NO_ANSWER].hour, RETRY_BEST_HOUR);
    assert_int_equal(doc->retry.by[DISPOSITION_NO_ANSWER].order, RETRY_WHEN_DUE);
    /* A longer first delay lifts the longest one, when that was not stated. */
    assert_int_equal(doc->retry.by[DISPOSITION_NO_ANSWER].max_delay_s, 200000);
    assert_int_equal(p->not_before_ms, at("2026-11-24T06:00:00Z"));
    assert_int_equal(p->not_after_ms, at("2026-12-24T00:00:00Z"));
    assert_int_equal(doc->budget.calls, 7);
    assert_int_equal(doc->budget.seconds, 5430);
    assert_int_equal(doc->budget.micros, 12500000);
    assert_int_equal(doc->budget.minute_micros, 35000);
    assert_int_equal(doc->budget.increment_s, 6);
    assert_string_equal(doc->budget.currency, "ETB");
    assert_true(doc->has_schedule);
    assert_int_equal(doc->each_run, CAMPAIGN_RUN_EVERYONE);
    assert_true(doc->keep_open);
    assert_int_equal(doc->priority, -3);
    campaign_doc_free(doc);
}

/* Each wrong thing alone, on line 2, with the place where a person must look. */
static void every_error_is_placed_and_says_what_to_write(void **state)
{
    static const struct {
        const char *line, *pointer;
        int column;
        const char *text, *hint;
    } cases[] = {
        {"\"window\": {}", "/window", 1, "unknown key 'window'",
         "did you mean 'windows'?"},
        {"\"zzzzz\": 1", "/zzzzz", 1, "unknown key 'zzzzz'", "known here: name, list"},
        {"\"caller_id\": 7", "/caller_id", 14, "'caller_id' must be text, not a number",
         "+251115550100"},
        {"\"caller_id\": \"a\\nb\"", "/caller_id", 14, "is no number: 3 to 15 digits",
         "country code"},
        {"\"caller_id\": \"+1155501x\"", "/caller_id", 14, "'+1155501x' is no number",
         ""},
        {"\"caller_id\": \"+2511155501001234\"", "/caller_id", 14, "is no number", ""},
        {"\"windows\": []", "/windows", 12, "must be an object, not a list", "mon-fri"},
        {"\"windows\": {}", "/windows", 12, "nobody could ever be called", "name a day"},
        {"\"windows\": {\"monday\": []}", "/windows/monday", 13, "'monday' is no day",
         "mon-fri"},
        {"\"windows\": {\"mon-fri\": [], \"sun\": []}", "/windows", 12,
         "nobody could ever be called", "mon-fri"},
        {"\"windows\": {\"mon\": [\"09:00-10:00\"], \"mon-tue\": []}", "/windows/mon-tue",
         37, "'mon' is stated twice", "in one list"},
        {"\"windows\": {\"mon\": \"09:00-10:00\"}", "/windows/mon", 20,
         "must be a list, not text", "09:00-12:30"},
        {"\"windows\": {\"mon\": [9]}", "/windows/mon/0", 21,
         "a window must be text, not a number", "09:00-12:30"},
        {"\"windows\": {\"mon\": [\"9-12\"]}", "/windows/mon/0", 21,
         "'9-12' is no window", "09:00-12:30"},
        {"\"windows\": {\"mon\": [\"09:00-24:01\"]}", "/windows/mon/0", 21,
         "'09:00-24:01' is no window", "to 24:00"},
        {"\"windows\": {\"mon\": [\"09:60-10:00\"]}", "/windows/mon/0", 21,
         "'09:60-10:00' is no window", ""},
        {"\"windows\": {\"mon\": [\"20:00-02:00\"]}", "/windows/mon/0", 21,
         "ends before it begins", "over midnight is two"},
        {"\"windows\": {\"mon\": [\"09:00-12:00\", \"11:59-14:00\"]}", "/windows/mon", 20,
         "overlap", "join them"},
        {"\"windows\": {\"mon\": [\"01:00-02:00\",\"02:00-03:00\",\"03:00-04:00\","
         "\"04:00-05:00\",\"05:00-06:00\",\"06:00-07:00\",\"07:00-08:00\"]}",
         "/windows/mon", 20, "at most 6 windows", ""},
        {"\"holidays\": 1", "/holidays", 13, "must be true or false, not a number",
         "holidays"},
        {"\"limits\": {\"per_24h\": -1}", "/limits/per_24h", 23,
         "'per_24h' is -1, allowed is 0 to 1000", "no limit"},
        {"\"limits\": {\"per_24h\": 1.5}", "/limits/per_24h", 23,
         "must be a whole number, not a number", ""},
        {"\"limits\": {\"min_gap\": \"4h\"}", "/limits/min_gap", 12,
         "unknown key 'min_gap'", "did you mean 'min_gap_s'?"},
        {"\"limits\": 3", "/limits", 11, "must be an object, not a number", ""},
        {"\"consent\": \"expres\"", "/consent", 12,
         "'consent' must be one of none, express, express_written",
         "did you mean 'express'?"},
        {"\"regions\": []", "/regions", 12, "list of 1 to 64 regions", "leave it out"},
        {"\"regions\": [\"ET\", \"Kenya\"]", "/regions/1", 19, "'Kenya' is no region",
         "two capital letters"},
        {"\"regions\": [\"ET\", \"ET\"]", "/regions/1", 19, "stated twice", ""},
        {"\"pacing\": {\"cps\": 0}", "/pacing/cps", 19, "'cps' is 0, allowed is 0.01",
         "leave it out"},
        {"\"pacing\": {\"max_concurrent\": 0}", "/pacing/max_concurrent", 30,
         "allowed is 1 to 100000", ""},
        {"\"ring_timeout_s\": 4", "/ring_timeout_s", 19, "allowed is 5 to 120", "ring"},
        {"\"ring_timeout_s\": 121", "/ring_timeout_s", 19, "allowed is 5 to 120", "ring"},
        {"\"close_guard_s\": -1", "/close_guard_s", 18, "allowed is 0 to 3600", ""},
        {"\"retry\": {\"bussy\": {}}", "/retry/bussy", 11, "unknown key 'bussy'",
         "did you mean 'busy'?"},
        {"\"retry\": {\"busy\": 3}", "/retry/busy", 19, "must be an object", ""},
        {"\"retry\": {\"busy\": {\"backoff\": 0.5}}", "/retry/busy/backoff", 31,
         "allowed is 1 to 100", "times longer"},
        {"\"retry\": {\"busy\": {\"max_attempts\": 0}}", "/retry/busy/max_attempts", 36,
         "allowed is 1 to 1000", "no retry"},
        {"\"retry\": {\"busy\": {\"delay_s\": 90, \"max_delay_s\": 60}}", "/retry/busy",
         19, "shorter than the first delay of 90 s", ""},
        {"\"retry\": {\"busy\": {\"jitter\": 1}}", "/retry/busy/jitter", 30,
         "'jitter' is 1, allowed is 0 to 0.9", "a fifth longer or shorter"},
        {"\"retry\": {\"busy\": {\"order\": \"frnt\"}}", "/retry/busy/order", 29,
         "'order' must be one of due, front, back", "did you mean 'front'?"},
        {"\"retry\": {\"busy\": {\"at\": \"noon\"}}", "/retry/busy/at", 26,
         "'at' must be one of delay, best_hour", "answered most often"},
        {"\"budget\": {}", "/budget", 11, "this budget limits nothing", "state 'calls'"},
        {"\"budget\": {\"calls\": 0}", "/budget/calls", 21, "allowed is 1 to",
         "calls in all"},
        {"\"budget\": {\"money\": 5}", "/budget", 11, "'money' needs a price",
         "minute_price"},
        {"\"budget\": {\"minutes\": 1}", "/budget", 11, "not one call of 120 s fits",
         "lower 'call_s'"},
        {"\"budget\": {\"mony\": 5}", "/budget/mony", 12, "unknown key 'mony'",
         "did you mean 'money'?"},
        {"\"numbers\": \"all\"", "/numbers", 12,
         "'numbers' must be one of in_turn, one_by_one", "once it is final"},
        {"\"lists\": [{\"name\": \"a\"}]", "/lists", 1,
         "'list' and 'lists' are both stated", "leave out one"},
        {"\"start\": \"2026-11-24 09:00\"", "/start", 10,
         "'start' must be an instant with its offset", "2026-11-24T09:00:00+03:00"},
        {"\"start\": \"2026-11-24T09:00:00Z\", \"end\": \"2026-11-24T08:00:00Z\"", "/end",
         41, "'end' is not after 'start'", ""},
        {"\"schedule\": {\"cron\": \"0 9 * * *\"}", "/schedule", 13,
         "'timezone' is missing", "Africa/Addis_Ababa"},
        {"\"schedule\": {\"cron\": \"0 25 * * *\", \"timezone\": \"UTC\"}",
         "/schedule/cron", 22, "hour '25' is out of range", "mon-fri"},
        {"\"schedule\": {\"cron\": \"0 9 30 2 *\", \"timezone\": \"UTC\"}",
         "/schedule/cron", 22, "'0 9 30 2 *' never comes", "mon-fri"},
        {"\"canary\": {\"calls\": 100}, \"budget\": {\"calls\": 50}", "/canary/calls", 21,
         "the budget is spent before the canary is over", "a greater budget"},
        {"\"schedule\": {\"cron\": \"0 9 * * *\", \"timezone\": \"Adis\"}",
         "/schedule/timezone", 47, "no time zone 'Adis'", "Africa/Addis_Ababa"},
        {"\"each_run\": \"all\"", "/each_run", 13, "must be one of new, everyone", ""},
        {"\"each_run\": \"everyone\"", "/each_run", 1, "there is none",
         "add a 'schedule'"},
        {"\"keep_open\": \"yes\"", "/keep_open", 14, "must be true or false, not text",
         ""},
        {"\"priority\": 5000", "/priority", 13, "allowed is -1000 to 1000", ""},
    };
    char text[1000];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct campaign_doc *doc = NULL;
        const struct campaign_issue *is = &issues.at[0];

        snprintf(text, sizeof(text), HEAD ",\n%s\n}", cases[i].line);
        assert_int_equal(campaign_doc_parse(&doc, text, strlen(text), &issues), EINVAL);
        if (issues.found != 1 || strcmp(is->pointer, cases[i].pointer) != 0 ||
            is->line != 2 || is->column != cases[i].column ||
            !strstr(is->text, cases[i].text) || !strstr(is->hint, cases[i].hint))
            fail_msg("%s: %zu issues, %s %d:%d '%s' hint '%s'", cases[i].line,
                     issues.found, is->pointer, is->line, is->column, is->text, is->hint);
        assert_null(doc);
    }
}

static void all_issues_come_in_the_order_of_the_text(void **state)
{
    static const char text[] = "{\n"
                               "\"name\": \"two words\",\n"
                               "\"list\": \"\",\n"
                               "\"retry\": {\"busy\": {\"backoff\": 0}},\n"
                               "\"priority\": \"high\"\n"
                               "}";
    struct campaign_doc *doc = NULL;
    static const struct {
        int line;
        const char *text;
    } want[] = {{1, "'flow' is missing"}, {1, "'trunk' is missing"},
                {2, "is no name for a"},  {3, "'list' is empty"},
                {4, "'backoff' is 0"},    {5, "'priority' must be a whole number"}};

    (void)state;
    assert_int_equal(campaign_doc_parse(&doc, text, strlen(text), &issues), EINVAL);
    assert_int_equal(issues.found, ARRAY_LEN(want));
    for (size_t i = 0; i < ARRAY_LEN(want); i++)
        if (issues.at[i].line != want[i].line || !strstr(issues.at[i].text, want[i].text))
            fail_msg("%zu: line %d %s", i, issues.at[i].line, issues.at[i].text);
}

static void what_is_no_json_object_is_said_with_its_place(void **state)
{
    static const struct {
        const char *text;
        int line;
        const char *says;
    } cases[] = {
        {"", 1, "the file is empty"},
        {"{\n\"name\": \"a\",\n}", 3, "not JSON"},
        {"{\"name\": \"a\",\n\"name\": \"b\"}", 2, "duplicate object key"},
        {"[]", 1, "must be an object, not a list"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct campaign_doc *doc = NULL;

        assert_int_equal(
            campaign_doc_parse(&doc, cases[i].text, strlen(cases[i].text), &issues),
            EINVAL);
        if (issues.found != 1 || issues.at[0].line != cases[i].line ||
            !strstr(issues.at[0].text, cases[i].says))
            fail_msg("'%s': %zu %d %s", cases[i].text, issues.found, issues.at[0].line,
                     issues.at[0].text);
    }
}

static void more_issues_than_are_kept_are_still_counted(void **state)
{
    CLEANUP(buf_free) struct buf b = {0};
    struct campaign_doc *doc = NULL;

    (void)state;
    buf_puts(&b, HEAD);
    for (int i = 0; i < 50; i++)
        buf_printf(&b, ",\n\"x%d\": 1", i);
    buf_puts(&b, "}");
    assert_int_equal(campaign_doc_parse(&doc, b.data, b.len, &issues), EINVAL);
    assert_int_equal(issues.n, CAMPAIGN_ISSUES_MAX);
    assert_int_equal(issues.found, 50);
}

static void a_text_over_the_limit_is_refused(void **state)
{
    size_t len = CAMPAIGN_TEXT_LIMIT + 1;
    char *text = malloc(len);
    struct campaign_doc *doc = NULL;

    (void)state;
    memset(text, ' ', len);
    assert_int_equal(campaign_doc_parse(&doc, text, len, &issues), EMSGSIZE);
    assert_int_equal(issues.found, 1);
    free(text);
}

static void a_single_start_is_due_once_it_has_come(void **state)
{
    struct campaign_doc *doc =
        parse(HEAD ", \"start\": \"2026-11-24T06:00:00Z\", \"end\": "
                   "\"2026-11-25T00:00:00Z\"}");
    int64_t t = at("2026-11-24T06:00:00Z"), got = 0;

    (void)state;
    assert_int_equal(campaign_doc_due(doc, 0, t - 1, &got), ENODATA);
    assert_int_equal(campaign_doc_next_start(doc, t - 1, &got), 0);
    assert_int_equal(got, t);
    got = 0;
    assert_int_equal(campaign_doc_due(doc, 0, t, &got), 0);
    assert_int_equal(got, t);
    assert_int_equal(campaign_doc_due(doc, t, t + 5, &got), ENODATA);
    assert_int_equal(campaign_doc_next_start(doc, t, &got), ENODATA);
    assert_int_equal(campaign_doc_due(doc, 0, at("2026-11-25T00:00:00Z"), &got), ENODATA);
    campaign_doc_free(doc);
}

static void a_schedule_is_due_between_start_and_end_only(void **state)
{
    struct campaign_doc *doc =
        parse(HEAD ", \"start\": \"2026-11-24T06:00:00Z\", \"end\": "
                   "\"2026-11-27T06:00:00Z\", \"schedule\": {\"cron\": \"0 9 * * *\", "
                   "\"timezone\": \"Africa/Addis_Ababa\"}}");
    int64_t got = 0;

    (void)state;
    assert_int_equal(campaign_doc_due(doc, 0, at("2026-11-24T05:59:59Z"), &got), ENODATA);
    assert_int_equal(campaign_doc_due(doc, 0, at("2026-11-24T06:00:00Z"), &got), 0);
    assert_int_equal(got, at("2026-11-24T06:00:00Z"));
    /* Of several missed ones the latest; the one at the end is not planned. */
    assert_int_equal(campaign_doc_due(doc, got, at("2026-12-24T06:00:00Z"), &got), 0);
    assert_int_equal(got, at("2026-11-26T06:00:00Z"));
    assert_int_equal(campaign_doc_next_start(doc, at("2026-01-01T00:00:00Z"), &got), 0);
    assert_int_equal(got, at("2026-11-24T06:00:00Z"));
    assert_int_equal(campaign_doc_next_start(doc, at("2026-11-25T06:00:00Z"), &got), 0);
    assert_int_equal(got, at("2026-11-26T06:00:00Z"));
    assert_int_equal(campaign_doc_next_start(doc, got, &got), ENODATA);
    campaign_doc_free(doc);
}

static void without_a_plan_nothing_is_ever_due(void **state)
{
    struct campaign_doc *doc = parse(HEAD "}");
    int64_t got = 5;

    (void)state;
    assert_int_equal(campaign_doc_due(doc, 0, INT64_MAX, &got), ENODATA);
    assert_int_equal(campaign_doc_next_start(doc, 0, &got), ENODATA);
    assert_int_equal(got, 5);
    campaign_doc_free(doc);
}

#define WITHOUT_LIST "{\"name\": \"h\", \"flow\": \"f\", \"trunk\": \"t\""

static void several_lists_are_read_with_share_and_priority(void **state)
{
    struct campaign_doc *doc =
        parse(WITHOUT_LIST ", \"lists\": [{\"name\": \"a\", \"share\": 3}, {\"name\": "
                           "\"b\", \"priority\": -5}]}");

    (void)state;
    assert_int_equal(doc->lists.n, 2);
    assert_string_equal(doc->list, "a");
    assert_int_equal(doc->lists.at[0].share, 3);
    assert_int_equal(doc->lists.at[1].share, 1);
    assert_int_equal(doc->lists.at[1].priority, -5);
    campaign_doc_free(doc);
}

static void what_is_wrong_with_lists_is_placed(void **state)
{
    static const struct {
        const char *line, *pointer, *text, *hint;
    } cases[] = {
        {"\"priority\": 1", "", "'list' is missing", "contacts list"},
        {"\"list\": \"\"", "/list", "'list' is empty", "contacts list"},
        {"\"lists\": []", "/lists", "a list of 1 to 16 lists", "share"},
        {"\"lists\": [{\"name\": \"a\"}, {\"name\": \"b\", \"share\": 0}]",
         "/lists/1/share", "allowed is 1 to 1000", "three calls"},
        {"\"lists\": [{\"name\": \"a\"}, {\"name\": \"a\"}]", "/lists/1",
         "the list 'a' is named twice", "name each list once"},
        {"\"lists\": [{\"share\": 2}]", "/lists/0", "'name' is missing", "contacts list"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct campaign_doc *doc = NULL;
        char text[400];
        snprintf(text, sizeof(text), WITHOUT_LIST ",\n%s}", cases[i].line);
        assert_int_equal(campaign_doc_parse(&doc, text, strlen(text), &issues), EINVAL);
        assert_int_equal(issues.n, 1);
        assert_string_equal(issues.at[0].pointer, cases[i].pointer);
        assert_non_null(strstr(issues.at[0].text, cases[i].text));
        assert_non_null(strstr(issues.at[0].hint, cases[i].hint));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_least_document_gets_the_conservative_rules),
        cmocka_unit_test(a_full_document_is_read_wholly),
        cmocka_unit_test(every_error_is_placed_and_says_what_to_write),
        cmocka_unit_test(several_lists_are_read_with_share_and_priority),
        cmocka_unit_test(what_is_wrong_with_lists_is_placed),
        cmocka_unit_test(all_issues_come_in_the_order_of_the_text),
        cmocka_unit_test(what_is_no_json_object_is_said_with_its_place),
        cmocka_unit_test(more_issues_than_are_kept_are_still_counted),
        cmocka_unit_test(a_text_over_the_limit_is_refused),
        cmocka_unit_test(a_single_start_is_due_once_it_has_come),
        cmocka_unit_test(a_schedule_is_due_between_start_and_end_only),
        cmocka_unit_test(without_a_plan_nothing_is_ever_due),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
