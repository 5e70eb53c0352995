/*
 * forecast, held against the gate itself: contact by contact, and against finishes that
 * can be reckoned by hand.
 */
#include "unit/cm.h"

#include <errno.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "campaigns/forecast_store.h"
#include "compliance/facts_store.h"
#include "contacts/tz.h"
#include "store/ledger_fixture.h"
#include "store/pgtest.h"

enum { PEOPLE = 400 };
#define PHONE(n)  (INT64_C(251911000000) + (n))
#define MINUTE_MS INT64_C(60000)
#define HOUR_MS   (60 * MINUTE_MS)
#define DAY_MS    (24 * HOUR_MS)

static struct pg *pg;

static struct campaign_row campaign(const char *name, const char *rules)
{
    struct campaign_row row = {0};
    struct errtext e = {0};

    ledger_campaign(pg, name, rules);
    assert_int_equal(campaign_find(pg, TENANT, name, &row, &e), 0);
    return row;
}

/* The list has nobody more for it. */
static void enrolled(int64_t campaign_id)
{
    ledger_run(pg,
               "UPDATE campaigns SET last_contact_id = (SELECT max(id) FROM contacts) "
               "WHERE id = %" PRId64,
               campaign_id);
}

static void forecast(const struct campaign_row *row, const struct forecast_options *o,
                     struct forecast_source *source, struct forecast *f)
{
    struct errtext e = {0};

    if (forecast_load(pg, TENANT, row, o, source, &e))
        fail_msg("%s", e.text);
    forecast_run(&source->input, f);
}

static void drop(struct forecast_source *source, struct forecast *f)
{
    forecast_free(f);
    forecast_source_free(source);
}

static int64_t of_reason(const struct forecast_reasons *list, enum reason reason)
{
    for (size_t i = 0; i < list->n; i++)
        if (list->at[i].reason == reason)
            return list->at[i].contacts;
    return 0;
}

static int64_t sum_of(const struct forecast_reasons *list)
{
    int64_t n = 0;

    for (size_t i = 0; i < list->n; i++)
        n += list->at[i].contacts;
    return n;
}

/* Everybody is somewhere. */
static void assert_adds_up(const struct forecast *f)
{
    int64_t finals = 0, ends = 0;

    for (int d = 0; d < DISPOSITIONS; d++) {
        finals += f->finals[d];
        ends += f->ends[d];
    }
    assert_int_equal(f->contacts,
                     finals + sum_of(&f->never) + sum_of(&f->blocked) + f->left);
    assert_int_equal(f->contacts, f->allowed_now + sum_of(&f->now));
    assert_int_equal(ends, f->calls);
}

/* ---- against the gate, one by one ---- */

/* People with everything that can be known of a number, in all mixtures. */
static void fill_marks(int64_t campaign_id, int64_t group)
{
    for (int i = 0; i < PEOPLE; i++)
        ledger_contact(pg, campaign_id, group, PHONE(i), i % 3 == 0);
    enrolled(campaign_id);
    ledger_run(pg,
               "INSERT INTO dnc_entries (tenant_id, phone, campaign_id, source, "
               "added_at) SELECT 1, phone, CASE phone %% 2 WHEN 0 THEN 0 ELSE %" PRId64
               " END, 'cli', now() FROM contacts WHERE phone %% 13 = 0",
               campaign_id);
    ledger_run(pg, "INSERT INTO consents (tenant_id, phone, level, evidence, given_at, "
                   "revoked_at) SELECT 1, phone, 'express_written', CASE phone %% 3 WHEN "
                   "0 THEN '' ELSE 'form' END, timestamptz '2026-01-01' + phone %% 50 * "
                   "interval '1 day', CASE phone %% 11 WHEN 0 THEN timestamptz "
                   "'2026-11-01' END FROM contacts WHERE phone %% 4 <> 0");
    ledger_run(pg, "INSERT INTO line_types (tenant_id, phone, line, checked_at) SELECT "
                   "1, phone, 1 + phone %% 3, '2026-11-01' FROM contacts WHERE phone %% "
                   "5 = 0");
    ledger_run(pg, "INSERT INTO number_places (tenant_id, phone, region, zones, "
                   "confirmed) SELECT 1, phone, 'ET', CASE phone %% 2 WHEN 0 THEN "
                   "'{Africa/Addis_Ababa}'::text[] ELSE '{Pacific/Honolulu}' END, phone "
                   "%% 3 = 0 FROM contacts WHERE phone %% 17 = 0");
    ledger_run(pg,
               "INSERT INTO attempts (id, tenant_id, campaign_id, contact_id, phone, "
               "trunk_id, slot, number, state, intent_at, released_at, ended_at, "
               "disposition) SELECT gen_random_uuid(), 1, %" PRId64
               ", id, phone, 1, 0, 1, 'ended', t, t, t, CASE phone %% 2 WHEN 0 THEN "
               "'completed' ELSE 'no_answer' END FROM contacts CROSS JOIN LATERAL "
               "(SELECT furrow_ts(%" PRId64 " - phone %% 400 * 1800000 - h * 3600000) t "
               "FROM generate_series(1, 1 + phone %% 4) h) s WHERE phone %% 3 = 1",
               campaign_id, T0);
}

static void count_one_by_one(const struct campaign_row *row, int64_t at_ms,
                             int64_t *allowed, struct forecast_reasons *out)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    const struct campaign_doc *doc = NULL;
    struct facts_set *set = NULL;
    struct facts_key keys[PEOPLE] = {{0}};

    assert_int_equal(campaign_doc_get(pg, TENANT, row->id, &doc), 0);
    assert_int_equal(pg_begin(pg, TENANT), 0);
    assert_int_equal(pg_run(pg, &res,
                            "SELECT phone, zone_group, number_type FROM contacts WHERE "
                            "phone BETWEEN 251911000000 AND 251911000399",
                            NULL),
                     0);
    size_t n = (size_t)PQntuples(res);
    assert_int_equal(n, PEOPLE);
    for (size_t i = 0; i < n; i++)
        keys[i] = (struct facts_key){.phone = pg_i64(res, (int)i, 0),
                                     .campaign_id = row->id,
                                     .zone_group = (int)pg_i64(res, (int)i, 1),
                                     .type = (enum phone_type)pg_i64(res, (int)i, 2)};
    assert_int_equal(facts_load(pg, TENANT, keys, n, at_ms, &set), 0);
    for (size_t i = 0; i < n; i++) {
        struct compliance_facts facts = facts_get(set, i);
        struct verdict v;
        compliance_check(doc->policy, &facts, at_ms, &v);
        *allowed += v.allow;
        size_t k = 0;
        while (!v.allow && k < out->n && out->at[k].reason != v.reason)
            k++;
        if (v.allow)
            continue;
        if (k == out->n)
            out->at[out->n++] = (struct forecast_reason){v.reason, 0};
        out->at[k].contacts++;
    }
    facts_free(set);
    assert_int_equal(pg_commit(pg), 0);
}

static void contacts_by_reason_are_what_the_gate_says_of_each(void **state)
{
    static const struct {
        const char *name, *rules;
    } cases[] = {
        {"marks-a", ""},
        {"marks-b", ",\"consent\":\"express_written\""},
        {"marks-c", ",\"limits\":{\"per_24h\":1,\"per_7d\":2,\"total\":3}"},
    };

    (void)state;
    int64_t group = ledger_zone(pg, "ET", "Africa/Addis_Ababa");
    for (size_t i = 0; i < 3; i++) {
        struct campaign_row row = campaign(cases[i].name, cases[i].rules);
        struct forecast_options o = {
            .from_ms = T0, .to_ms = T0 + 3 * DAY_MS, .answer_rate = 0.3, .talk_s = 30};
        struct forecast_source source;
        struct forecast f;
        struct forecast_reasons wanted = {0};
        int64_t allowed = 0;

        pgtest_run(pg, TENANT, "DELETE FROM attempts; ");
        pgtest_run(pg, TENANT, "DELETE FROM consents");
        pgtest_run(pg, TENANT, "DELETE FROM dnc_entries");
        pgtest_run(pg, TENANT, "DELETE FROM line_types");
        pgtest_run(pg, TENANT, "DELETE FROM number_places");
        fill_marks(row.id, group);
        count_one_by_one(&row, T0, &allowed, &wanted);
        forecast(&row, &o, &source, &f);
        assert_int_equal(f.contacts, PEOPLE);
        assert_int_equal(f.allowed_now, allowed);
        assert_int_equal(f.now.n, wanted.n);
        for (size_t k = 0; k < wanted.n; k++)
            assert_int_equal(of_reason(&f.now, wanted.at[k].reason),
                             wanted.at[k].contacts);
        assert_true(wanted.n >= 3 && allowed > 0);
        assert_adds_up(&f);
        drop(&source, &f);
    }
}

/* A table that says something of a number must part people, or two of whom the gate says
 * different things would be one group. */
static void every_table_with_a_number_is_known(void **state)
{
    static const char *const harmless[] = {
        "contacts", "campaign_contacts", "calls",      "decisions",  "messages",
        "batches",  "caller_history",    "recordings", "caller_ids", "voice_sessions",
        "callers",  "commands",          "text_calls", "kept_calls"};
    CLEANUP(pg_result_free) PGresult *res = NULL;

    (void)state;
    assert_int_equal(pg_run(pg, &res,
                            "SELECT DISTINCT c.relname FROM pg_attribute a JOIN pg_class "
                            "c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = "
                            "c.relnamespace WHERE a.attname = 'phone' AND c.relkind IN "
                            "('r', 'p') AND NOT c.relispartition AND n.nspname NOT LIKE "
                            "'pg%'",
                            NULL),
                     0);
    assert_true(PQntuples(res) >= 8);
    for (int i = 0; i < PQntuples(res); i++) {
        const char *table = pg_text(res, i, 0);
        bool known = forecast_knows_table(table);
        for (size_t k = 0; k < sizeof(harmless) / sizeof(*harmless); k++)
            known = known || strcmp(table, harmless[k]) == 0;
        if (!known)
            fail_msg("'%s' has numbers: does the gate read it? then add it to "
                     "forecast_store.c, else to this test",
                     table);
    }
}

/* ---- against reckoning by hand ---- */

static int64_t first_phone = INT64_C(251922000000);

static void add_people(const struct campaign_row *row, int64_t group, int n)
{
    for (int i = 0; i < n; i++)
        ledger_contact(pg, row->id, group, first_phone++, 0);
    enrolled(row->id);
}

static void a_rate_of_one_a_second_takes_as_many_seconds_as_contacts(void **state)
{
    struct campaign_row row = campaign("plain", ",\"pacing\":{\"cps\":1}");
    struct forecast_options o = {.from_ms = T0, .answer_rate = 1, .talk_s = 10};
    struct forecast_source source;
    struct forecast f;

    (void)state;
    add_people(&row, ledger_zone(pg, "ET", "Africa/Addis_Ababa"), 150);
    forecast(&row, &o, &source, &f);
    assert_int_equal(f.calls, 150);
    assert_int_equal(f.finals[DISPOSITION_COMPLETED], 150);
    assert_int_equal(f.first_ms, T0);
    assert_int_equal(f.last_ms, T0 + 149 * 1000);
    assert_int_equal(f.done_ms, f.last_ms);
    assert_false(f.paced_by_channels);
    assert_adds_up(&f);
    drop(&source, &f);
}

/* 5 channels, 12 s of ringing and 48 of talk: one call in twelve seconds. */
static void few_channels_set_the_pace(void **state)
{
    struct campaign_row row =
        campaign("narrow", ",\"pacing\":{\"cps\":50,\"max_concurrent\":5}");
    struct forecast_options o = {.from_ms = T0, .answer_rate = 1, .talk_s = 48};
    struct forecast_source source;
    struct forecast f;

    (void)state;
    add_people(&row, ledger_zone(pg, "ET", "Africa/Addis_Ababa"), 60);
    forecast(&row, &o, &source, &f);
    assert_true(f.paced_by_channels);
    assert_int_equal(f.calls, 60);
    assert_int_equal(f.last_ms, T0 + 59 * 12000);
    drop(&source, &f);
}

/* 09:00-20:00 in Addis Ababa is 06:00-17:00 UTC; one call in ten seconds. From 19:50 60
 * calls fit before the window's guard of 30 s, less 3; the others wait for the morning.
 */
static void a_closing_window_stops_and_the_morning_goes_on(void **state)
{
    struct campaign_row row =
        campaign("evening", ",\"pacing\":{\"cps\":0.1},\"windows\":{\"mon-sun\":"
                            "[\"09:00-20:00\"]},\"ring_timeout_s\":25");
    int64_t evening_ms = T0 + 8 * HOUR_MS + 50 * MINUTE_MS; /* 16:50 UTC */
    int64_t morning_ms = T0 + 22 * HOUR_MS;                 /* 06:00 UTC */
    struct forecast_options o = {.from_ms = evening_ms, .answer_rate = 1, .talk_s = 10};
    struct forecast_source source;
    struct forecast f;

    (void)state;
    add_people(&row, ledger_zone(pg, "ET", "Africa/Addis_Ababa"), 100);
    forecast(&row, &o, &source, &f);
    assert_int_equal(f.calls, 100);
    int64_t evening = f.hours[0].calls;
    assert_true(evening >= 56 && evening <= 58);
    for (size_t i = 1; f.hours[i].at_ms < morning_ms; i++) {
        assert_int_equal(f.hours[i].calls, 0);
        assert_int_equal(f.hours[i].dialable,
                         f.hours[i].at_ms < evening_ms ? 100 - evening : 0);
    }
    assert_int_equal(f.hours[14].at_ms, morning_ms);
    assert_int_equal(f.hours[14].dialable, 100 - evening);
    assert_int_equal(f.hours[14].calls, 100 - evening);
    assert_int_equal(f.last_ms, morning_ms + (100 - evening - 1) * 10000);
    assert_adds_up(&f);
    drop(&source, &f);
}

static void nobody_answers_and_everybody_is_tried_as_often_as_the_rules_say(void **state)
{
    struct campaign_row row =
        campaign("patient", ",\"pacing\":{\"cps\":10},\"retry\":{\"max_attempts\":3,"
                            "\"no_answer\":{\"max_attempts\":3,\"delay_s\":21600,"
                            "\"backoff\":1,\"max_delay_s\":21600}}");
    struct forecast_options o = {.from_ms = T0, .answer_rate = 0, .talk_s = 10};
    struct forecast_source source;
    struct forecast f;

    (void)state;
    add_people(&row, ledger_zone(pg, "ET", "Africa/Addis_Ababa"), 200);
    forecast(&row, &o, &source, &f);
    int64_t shares = 0;
    for (int d = 0; d < DISPOSITIONS; d++)
        shares += f.ends[d] > 0;
    assert_int_equal(shares, 4); /* nobody answers, busy, declines, no number */
    assert_int_equal(f.ends[DISPOSITION_COMPLETED], 0);
    assert_int_equal(f.finals[DISPOSITION_REJECTED], f.ends[DISPOSITION_REJECTED]);
    assert_true(f.calls > 400 && f.calls <= 600);
    assert_int_equal(f.left, 0);
    assert_int_equal(f.reached, 200);
    assert_true(f.done_ms > T0 + 12 * HOUR_MS);
    assert_adds_up(&f);
    drop(&source, &f);
}

/* Clocks go back in New York on 1 November 2026: the window opens at 13:00 UTC on
 * Saturday and at 14:00 UTC on Sunday. */
static void a_window_opens_by_the_wall_clock_of_its_day(void **state)
{
    struct campaign_row row = campaign(
        "fall", ",\"pacing\":{\"cps\":1},\"windows\":{\"sat\":[\"09:00-09:02\"],\"sun\":"
                "[\"09:00-12:00\"]},\"ring_timeout_s\":25");
    int64_t saturday_ms = INT64_C(1793404800000); /* 2026-10-31 00:00 UTC */
    struct forecast_options o = {.from_ms = saturday_ms, .answer_rate = 1, .talk_s = 10};
    struct forecast_source source;
    struct forecast f;

    (void)state;
    add_people(&row, ledger_zone(pg, "ET", "America/New_York"), 120);
    ledger_run(pg,
               "UPDATE campaign_contacts SET next_attempt_at = furrow_ts(%" PRId64
               ") WHERE campaign_id = %" PRId64,
               saturday_ms, row.id);
    forecast(&row, &o, &source, &f);
    assert_int_equal(f.first_ms, saturday_ms + 13 * HOUR_MS);
    assert_int_equal(f.hours[13].calls, 90); /* until the guard of 30 s */
    assert_int_equal(f.hours[24 + 13].calls, 0);
    assert_int_equal(f.hours[24 + 14].calls, 30);
    assert_int_equal(f.last_ms, saturday_ms + 38 * HOUR_MS + 29 * 1000);
    drop(&source, &f);
}

/* What is on the list and not enrolled is forecast like who waits already. */
/* Calls of another campaign, which are up when it begins, are over before the next ones.
 */
static void calls_under_way_hold_nobody_for_ever(void **state)
{
    struct campaign_row other = campaign("calling", "");
    struct campaign_row row = campaign("waiting", ",\"limits\":{\"min_gap_s\":600}");
    struct forecast_options o = {.from_ms = T0, .answer_rate = 1, .talk_s = 10};
    struct forecast_source source;
    struct forecast f;

    (void)state;
    add_people(&row, ledger_zone(pg, "ET", "Africa/Addis_Ababa"), 20);
    ledger_run(pg,
               "INSERT INTO attempts (id, tenant_id, campaign_id, contact_id, phone, "
               "trunk_id, slot, number, state, intent_at, released_at) SELECT "
               "gen_random_uuid(), 1, %" PRId64 ", contact_id, phone, 1, 0, 1, "
               "'released', furrow_ts(%" PRId64 "), furrow_ts(%" PRId64 ") FROM "
               "campaign_contacts WHERE campaign_id = %" PRId64
               " ORDER BY contact_id LIMIT 5",
               other.id, T0 - MINUTE_MS, T0 - MINUTE_MS, row.id);
    forecast(&row, &o, &source, &f);
    assert_int_equal(of_reason(&f.now, REASON_COOLDOWN_RETRY), 5);
    assert_int_equal(sum_of(&f.blocked), 0);
    assert_int_equal(f.finals[DISPOSITION_COMPLETED], 20);
    assert_true(f.last_ms >= T0 - MINUTE_MS + 10 * MINUTE_MS);
    assert_adds_up(&f);
    drop(&source, &f);
}

static void a_draft_is_forecast_from_its_list(void **state)
{
    struct campaign_row row = campaign("draft", ",\"pacing\":{\"cps\":5}");
    struct forecast_options o = {
        .from_ms = T0, .to_ms = T0 + HOUR_MS, .answer_rate = 1, .talk_s = 10};
    struct forecast_source source;
    struct forecast f;

    (void)state;
    int64_t on_list = pgtest_i64(pg, TENANT, "SELECT count(*) FROM contacts");
    forecast(&row, &o, &source, &f);
    assert_int_equal(f.contacts, on_list);
    assert_true(f.calls > 0);
    assert_adds_up(&f);
    drop(&source, &f);
}

static void options_that_make_no_forecast_are_refused(void **state)
{
    struct campaign_row row = campaign("ended", ",\"end\":\"2026-11-25T00:00:00Z\"");
    struct forecast_options late = {.from_ms = T0 + 5 * DAY_MS};
    struct forecast_options wide = {.from_ms = T0 - 100 * DAY_MS, .to_ms = T0};
    struct forecast_source source;
    struct errtext e = {0}, other = {0};

    (void)state;
    assert_int_equal(forecast_load(pg, TENANT, &row, &late, &source, &e), EINVAL);
    assert_non_null(strstr(e.text, "ends before it begins"));
    assert_int_equal(forecast_load(pg, TENANT, &row, &wide, &source, &other), EINVAL);
    assert_non_null(strstr(other.text, "at most 60 days"));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(contacts_by_reason_are_what_the_gate_says_of_each),
        cmocka_unit_test(every_table_with_a_number_is_known),
        cmocka_unit_test(a_rate_of_one_a_second_takes_as_many_seconds_as_contacts),
        cmocka_unit_test(few_channels_set_the_pace),
        cmocka_unit_test(a_closing_window_stops_and_the_morning_goes_on),
        cmocka_unit_test(nobody_answers_and_everybody_is_tried_as_often_as_the_rules_say),
        cmocka_unit_test(a_window_opens_by_the_wall_clock_of_its_day),
        cmocka_unit_test(calls_under_way_hold_nobody_for_ever),
        cmocka_unit_test(a_draft_is_forecast_from_its_list),
        cmocka_unit_test(options_that_make_no_forecast_are_refused),
    };

    pgtest_start(PGTEST_POSTGRES);
    pg = pgtest_open();
    ledger_fixture_start(pg);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    pg_close(pg);
    return failed;
}
