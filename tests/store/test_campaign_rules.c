/* What a campaign's rules do to which call is made when: on a real Postgres, and against
 * the forecast of the same campaign. */
#include "unit/cm.h"

#include <inttypes.h>
#include <stdlib.h>

#include "campaigns/attempt_store.h"
#include "campaigns/campaign_store.h"
#include "campaigns/forecast_store.h"
#include "store/ledger_fixture.h"
#include "store/pgtest.h"

#define MINUTE_MS INT64_C(60000)
#define HOUR_MS   (60 * MINUTE_MS)

static struct pg *pg;
static int64_t addis, next_phone = 251911000000;
static int campaigns;

static int64_t new_campaign(const char *rules)
{
    char name[32];

    snprintf(name, sizeof(name), "r%d", ++campaigns);
    return ledger_campaign(pg, name, rules);
}

static int64_t new_contact(int64_t campaign)
{
    return ledger_contact(pg, campaign, addis, next_phone++, 0);
}

/* Who is called next; 0 nobody. */
static int64_t call_next(int64_t campaign, int64_t at_ms, enum disposition how)
{
    struct attempt_claim_result r = {0};
    struct attempt_row row = {0};
    struct permit *p = NULL;
    size_t illegal = 9;

    assert_int_equal(attempt_claim(pg, TENANT, campaign, 3, at_ms, 1, &row, &r), 0);
    if (r.intents == 0)
        return 0;
    assert_int_equal(attempt_release(pg, TENANT, &row, 1, at_ms, &p), 0);
    assert_non_null(p);
    permit_free(p);
    const struct attempt_move m = {
        .id = row.id, .to = ATTEMPT_ENDED, .at_ms = at_ms, .disposition = how};
    assert_int_equal(attempt_move(pg, TENANT, &m, 1, &illegal), 0);
    assert_int_equal(illegal, 0);
    return row.contact_id;
}

static int64_t due_of(int64_t campaign, int64_t contact)
{
    return ledger_i64(pg,
                      "SELECT furrow_ms(next_attempt_at) FROM campaign_contacts WHERE "
                      "campaign_id = %" PRId64 " AND contact_id = %" PRId64,
                      campaign, contact);
}

#define NO_LIMITS                                                                        \
    ",\"limits\":{\"per_24h\":0,\"per_7d\":0,\"min_gap_s\":0},\"windows\":{\"mon-sun\":" \
    "[\"00:00-24:00\"]},\"holidays\":false"

/* ---- to the front, to the back ---- */

static void a_retry_to_the_front_is_called_before_who_was_never_called(void **state)
{
    int64_t c = new_campaign(NO_LIMITS ",\"retry\":{\"busy\":{\"delay_s\":60,\"order\":"
                                       "\"front\"}}");
    int64_t first = new_contact(c), second = new_contact(c), third = new_contact(c);

    (void)state;
    ledger_run(pg,
               "UPDATE campaign_contacts SET next_attempt_at = next_attempt_at + "
               "(contact_id - %" PRId64 ") * interval '1 ms' WHERE campaign_id = "
               "%" PRId64,
               first, c);
    assert_int_equal(call_next(c, T0, DISPOSITION_BUSY), first);
    assert_int_equal(call_next(c, T0 + 1000, DISPOSITION_COMPLETED), second);
    assert_int_equal(call_next(c, T0 + MINUTE_MS, DISPOSITION_BUSY), first);
    assert_int_equal(call_next(c, T0 + MINUTE_MS, DISPOSITION_COMPLETED), third);
}

static void a_retry_to_the_back_waits_until_nobody_else_is_due(void **state)
{
    int64_t c =
        new_campaign(NO_LIMITS ",\"retry\":{\"max_attempts\":9,\"busy\":{\"delay_s\":60,"
                               "\"backoff\":1,\"order\":\"back\"},\"no_answer\":{"
                               "\"delay_s\":60,\"backoff\":1}}");
    int64_t first = new_contact(c);

    (void)state;
    assert_int_equal(call_next(c, T0, DISPOSITION_BUSY), first);
    /* Due after it, and yet before it. */
    int64_t later = new_contact(c);
    ledger_run(pg,
               "UPDATE campaign_contacts SET next_attempt_at = furrow_ts(%" PRId64
               ") WHERE contact_id = %" PRId64,
               T0 + 2 * MINUTE_MS, later);
    assert_int_equal(call_next(c, T0 + 2 * MINUTE_MS, DISPOSITION_COMPLETED), later);
    /* Another rule, another place: it stands where it stood at first. */
    assert_int_equal(call_next(c, T0 + 2 * MINUTE_MS, DISPOSITION_NO_ANSWER), first);
    assert_int_equal(ledger_i64(pg,
                                "SELECT priority FROM campaign_contacts WHERE contact_id "
                                "= %" PRId64,
                                first),
                     0);
}

static void a_promised_call_keeps_its_place_whatever_the_rule_says(void **state)
{
    int64_t c = new_campaign(NO_LIMITS
                             ",\"retry\":{\"busy\":{\"delay_s\":60,\"order\":\"back\"}}");
    int64_t promised = new_contact(c);

    (void)state;
    ledger_run(pg,
               "UPDATE campaign_contacts SET priority = 10000 WHERE contact_id = "
               "%" PRId64,
               promised);
    assert_int_equal(call_next(c, T0, DISPOSITION_BUSY), promised);
    new_contact(c);
    assert_int_equal(call_next(c, T0 + MINUTE_MS, DISPOSITION_COMPLETED), promised);
}

/* ---- jitter ---- */

static void jitter_parts_contacts_that_ended_at_one_instant(void **state)
{
    enum { N = 40 };
    int64_t c = new_campaign(NO_LIMITS ",\"retry\":{\"busy\":{\"delay_s\":3600,"
                                       "\"jitter\":0.5}}");

    (void)state;
    for (int i = 0; i < N; i++)
        new_contact(c);
    for (int i = 0; i < N; i++) {
        int64_t who = call_next(c, T0, DISPOSITION_BUSY);
        assert_int_not_equal(who, 0);
        int64_t delay_ms = due_of(c, who) - T0;
        assert_in_range(delay_ms, HOUR_MS / 2, HOUR_MS * 3 / 2);
        /* What it waits is what the pure rule says, so that a replay gives the same. */
        struct retry_rules rules;
        struct retry_plan plan;
        retry_rules_default(&rules);
        rules.by[DISPOSITION_BUSY].delay_s = 3600;
        rules.by[DISPOSITION_BUSY].jitter = 0.5;
        retry_plan(&rules,
                   &(struct retry_ended){.how = DISPOSITION_BUSY,
                                         .attempt_number = 1,
                                         .at_ms = T0,
                                         .seed = retry_seed(c, who, 1)},
                   &plan);
        assert_int_equal(plan.at_ms - T0, delay_ms);
    }
    assert_true(ledger_i64(pg,
                           "SELECT count(DISTINCT next_attempt_at) FROM "
                           "campaign_contacts WHERE campaign_id = %" PRId64,
                           c) > N * 9 / 10);
}

/* ---- the best hour ---- */

/* Answered calls of another campaign, days ago, at these hours of Addis Ababa. */
static void answered_before(int64_t contact, const char *hours)
{
    ledger_run(pg,
               "INSERT INTO attempts (id, tenant_id, campaign_id, contact_id, phone, "
               "trunk_id, slot, number, state, intent_at, released_at, answered_at, "
               "ended_at, disposition) SELECT gen_random_uuid(), 1, 999, id, phone, 1, "
               "0, 1, 'ended', t, t, t, t, 'completed' FROM contacts CROSS JOIN LATERAL "
               "(SELECT timestamptz '2026-10-20 00:10:00+03' + n * interval '1 day' + "
               "h::int * interval '1 hour' AS t FROM "
               "regexp_split_to_table('%s', ',') WITH ORDINALITY s(h, n)) q WHERE id = "
               "%" PRId64,
               hours, contact);
}

static void a_contact_is_called_again_in_the_hour_in_which_it_answers(void **state)
{
    static const char rules[] = NO_LIMITS ",\"retry\":{\"no_answer\":{\"delay_s\":3600,"
                                          "\"at\":\"best_hour\"}}";
    int64_t c = new_campaign(rules);
    int64_t evening = new_contact(c), stranger;

    (void)state;
    answered_before(evening, "18,9,18");
    /* T0 is 11:00 in Addis Ababa. */
    assert_int_equal(call_next(c, T0, DISPOSITION_NO_ANSWER), evening);
    assert_int_equal(due_of(c, evening), T0 + 7 * HOUR_MS);
    assert_int_equal(call_next(c, T0 + 6 * HOUR_MS, DISPOSITION_NO_ANSWER), 0);
    stranger = new_contact(c);
    assert_int_equal(call_next(c, T0, DISPOSITION_NO_ANSWER), stranger);
    assert_int_equal(due_of(c, stranger), T0 + HOUR_MS);
    assert_int_equal(call_next(c, T0 + 7 * HOUR_MS, DISPOSITION_COMPLETED), stranger);
    assert_int_equal(call_next(c, T0 + 7 * HOUR_MS, DISPOSITION_COMPLETED), evening);
}

/* ---- the forecast obeys the same rules ---- */

static void the_forecast_calls_in_the_hours_in_which_the_store_does(void **state)
{
    enum { N = 12, HOURS = 30 };
    int64_t c =
        new_campaign(NO_LIMITS ",\"pacing\":{\"cps\":1},\"retry\":{\"max_attempts\":3,"
                               "\"no_answer\":{\"max_attempts\":3,\"delay_s\":5400,"
                               "\"order\":\"front\",\"at\":\"best_hour\"}}");
    struct forecast_options o = {.from_ms = T0, .answer_rate = 0, .talk_s = 10};
    int64_t calls[HOURS] = {0};
    struct forecast_source source;
    struct campaign_row row = {0};
    struct forecast f;
    struct errtext e = {0};
    char name[32];

    (void)state;
    for (int i = 0; i < N; i++)
        answered_before(new_contact(c), i % 3 == 0   ? "15"
                                        : i % 3 == 1 ? "9"
                                                     : "11,22,22");
    ledger_run(pg,
               "UPDATE campaigns SET last_contact_id = (SELECT max(id) FROM contacts) "
               "WHERE id = %" PRId64,
               c);
    snprintf(name, sizeof(name), "r%d", campaigns);
    assert_int_equal(campaign_find(pg, TENANT, name, &row, &e), 0);
    assert_int_equal(forecast_load(pg, TENANT, &row, &o, &source, &e), 0);
    /* Nobody answers, and nothing else happens to them. */
    for (int d = 0; d < DISPOSITIONS; d++)
        source.input.rates.share[d] = d == DISPOSITION_NO_ANSWER;
    forecast_run(&source.input, &f);
    assert_int_equal(f.calls, 3 * N);
    for (int minute = 0; minute < HOURS * 60; minute += 10)
        while (call_next(c, T0 + minute * MINUTE_MS, DISPOSITION_NO_ANSWER))
            calls[minute / 60]++;
    int hours_with_calls = 0;
    for (int h = 0; h < HOURS; h++) {
        int64_t foreseen = (size_t)h < f.hour_count ? f.hours[h].calls : 0;
        assert_int_equal(calls[h], foreseen);
        hours_with_calls += foreseen > 0;
    }
    assert_true(hours_with_calls >= 4);
    forecast_free(&f);
    forecast_source_free(&source);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_retry_to_the_front_is_called_before_who_was_never_called),
        cmocka_unit_test(a_retry_to_the_back_waits_until_nobody_else_is_due),
        cmocka_unit_test(a_promised_call_keeps_its_place_whatever_the_rule_says),
        cmocka_unit_test(jitter_parts_contacts_that_ended_at_one_instant),
        cmocka_unit_test(a_contact_is_called_again_in_the_hour_in_which_it_answers),
        cmocka_unit_test(the_forecast_calls_in_the_hours_in_which_the_store_does),
    };

    pgtest_start(PGTEST_POSTGRES);
    pg = pgtest_open();
    ledger_fixture_start(pg);
    addis = ledger_zone(pg, "ET", "Africa/Addis_Ababa");
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    pg_close(pg);
    return failed;
}
