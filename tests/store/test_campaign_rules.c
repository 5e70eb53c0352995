/* What a campaign's rules do to which call is made when: on a real Postgres, and against
 * the forecast of the same campaign. */
#include "unit/cm.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "campaigns/attempt_store.h"
#include "campaigns/budget_store.h"
#include "campaigns/campaign_change.h"
#include "campaigns/campaign_store.h"
#include "campaigns/forecast_store.h"
#include "store/campaign_fixture.h"
#include "store/ledger_fixture.h"
#include "store/pgtest.h"

#define MINUTE_MS INT64_C(60000)
#define HOUR_MS   (60 * MINUTE_MS)

static struct pg *pg, *other;
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

/* One heap of new calls becomes three: retries to the front, to the back, and new ones.
 */
static void retries_in_front_and_behind_have_room_in_the_forecast(void **state)
{
    enum { N = 200 };
    int64_t c =
        new_campaign(NO_LIMITS ",\"pacing\":{\"cps\":1},\"retry\":{\"max_attempts\":3,"
                               "\"no_answer\":{\"max_attempts\":3,\"delay_s\":60,"
                               "\"order\":\"back\"},\"busy\":{\"max_attempts\":3,"
                               "\"delay_s\":60,\"order\":\"front\"}}");
    struct forecast_options o = {.from_ms = T0, .answer_rate = 0, .talk_s = 10};
    struct forecast_source source;
    struct campaign_row row = {0};
    struct forecast f;
    struct errtext e = {0};
    char name[32];

    (void)state;
    for (int i = 0; i < N; i++)
        new_contact(c);
    ledger_run(pg,
               "UPDATE campaigns SET last_contact_id = (SELECT max(id) FROM contacts) "
               "WHERE id = %" PRId64,
               c);
    snprintf(name, sizeof(name), "r%d", campaigns);
    assert_int_equal(campaign_find(pg, TENANT, name, &row, &e), 0);
    assert_int_equal(forecast_load(pg, TENANT, &row, &o, &source, &e), 0);
    for (int d = 0; d < DISPOSITIONS; d++)
        source.input.rates.share[d] =
            d == DISPOSITION_NO_ANSWER || d == DISPOSITION_BUSY ? 0.5 : 0;
    forecast_run(&source.input, &f);
    assert_int_equal(f.calls, 3 * N);
    forecast_free(&f);
    forecast_source_free(&source);
}

/* ---- budgets ---- */

static size_t claim(struct pg *db, int64_t campaign, int64_t at_ms, size_t max,
                    struct attempt_row *rows, bool *spent)
{
    struct attempt_claim_result r = {0};

    assert_int_equal(attempt_claim(db, TENANT, campaign, 3, at_ms, max, rows, &r), 0);
    if (spent)
        *spent = r.budget_spent;
    return r.intents;
}

static void end_call(const struct attempt_row *row, int64_t at_ms, int64_t talk_ms)
{
    struct permit *p = NULL;
    size_t illegal = 9;
    const struct attempt_move moves[] = {
        {.id = row->id, .to = ATTEMPT_ANSWERED, .at_ms = at_ms},
        {.id = row->id,
         .to = ATTEMPT_ENDED,
         .at_ms = at_ms + talk_ms,
         .disposition = talk_ms ? DISPOSITION_COMPLETED : DISPOSITION_BUSY},
    };

    assert_int_equal(attempt_release(pg, TENANT, row, 1, at_ms, &p), 0);
    assert_non_null(p);
    permit_free(p);
    assert_int_equal(
        attempt_move(pg, TENANT, talk_ms ? moves : moves + 1, talk_ms ? 2 : 1, &illegal),
        0);
    assert_int_equal(illegal, 0);
}

static void withdraw(const struct attempt_row *row)
{
    const struct attempt_move m = {.id = row->id, .to = ATTEMPT_WITHDRAWN, .at_ms = T0};

    assert_int_equal(attempt_move(pg, TENANT, &m, 1, NULL), 0);
}

static void a_spent_budget_of_calls_stops_the_campaign_and_says_so(void **state)
{
    int64_t c = new_campaign(NO_LIMITS ",\"budget\":{\"calls\":3}");
    struct attempt_row rows[8];
    size_t paused = 9;
    bool spent = true;

    (void)state;
    for (int i = 0; i < 6; i++)
        new_contact(c);
    assert_int_equal(claim(pg, c, T0, 8, rows, &spent), 3);
    assert_false(spent);
    assert_int_equal(claim(pg, c, T0, 8, rows + 3, &spent), 0);
    assert_true(spent);
    /* What was never sent costs nothing. */
    withdraw(&rows[2]);
    assert_int_equal(claim(pg, c, T0 + 1000, 8, rows + 2, &spent), 1);
    assert_int_equal(budget_pause_spent(pg, TENANT, T0, &paused), 0);
    assert_int_equal(paused, 0); /* three calls live */
    for (int i = 0; i < 3; i++)
        end_call(&rows[i], T0 + 2000, i == 0 ? 5000 : 0);
    assert_int_equal(claim(pg, c, T0 + 3000, 8, rows + 3, &spent), 0);
    assert_int_equal(budget_pause_spent(pg, TENANT, T0 + 3000, &paused), 0);
    assert_int_equal(paused, 1);
    struct campaign_row row = campaign_of(pg, c);
    assert_int_equal(row.state, CAMPAIGN_PAUSED);
    assert_non_null(strstr(row.stop_reason, "the budget is spent: 3 of 3 calls"));
    /* Resumed as it is, it stops again; raised, it goes on with what was added. */
    assert_int_equal(
        campaign_command(pg, TENANT, c, CAMPAIGN_RESUME, NULL, T0, &row, NULL), 0);
    assert_int_equal(claim(pg, c, T0 + 4000, 8, rows, &spent), 0);
    campaign_set(pg, c, "budget.calls=5");
    assert_int_equal(claim(pg, c, T0 + 4000, 8, rows, &spent), 2);
    withdraw(&rows[0]);
    withdraw(&rows[1]);
}

struct taker {
    struct pg *pg;
    int64_t campaign;
    pthread_barrier_t *go;
    size_t taken;
};

static void *take_all(void *arg)
{
    struct taker *t = arg;
    struct attempt_row rows[16];

    pthread_barrier_wait(t->go);
    for (int i = 0; i < 4; i++)
        t->taken += claim(t->pg, t->campaign, T0, 4, rows, NULL);
    return NULL;
}

static void two_dialers_never_take_more_than_the_budget_together(void **state)
{
    int64_t c = new_campaign(NO_LIMITS ",\"budget\":{\"calls\":9}");
    pthread_barrier_t go;
    struct taker t[2] = {{pg, c, &go, 0}, {other, c, &go, 0}};
    pthread_t threads[2];

    (void)state;
    for (int i = 0; i < 30; i++)
        new_contact(c);
    pthread_barrier_init(&go, NULL, 2);
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, take_all, &t[i]), 0);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    pthread_barrier_destroy(&go);
    assert_int_equal(t[0].taken + t[1].taken, 9);
}

/* 5 minutes; 2 are set aside for each live call. */
static void minutes_are_set_aside_for_live_calls_and_billed_when_they_end(void **state)
{
    int64_t c = new_campaign(NO_LIMITS ",\"budget\":{\"minutes\":5,\"call_s\":120}");
    struct attempt_row rows[4];
    struct budget_spent spent;
    struct budget b = {.stated = true};
    bool full = false;
    int64_t open = 0;

    (void)state;
    for (int i = 0; i < 4; i++)
        new_contact(c);
    assert_int_equal(claim(pg, c, T0, 4, rows, NULL), 2);
    end_call(&rows[0], T0, 61000); /* two minutes as billed */
    assert_int_equal(claim(pg, c, T0 + 70000, 4, rows + 2, &full), 0);
    assert_true(full);
    end_call(&rows[1], T0, 0);
    assert_int_equal(budget_load(pg, TENANT, c, &b, &spent, &open), 0);
    assert_int_equal(spent.calls, 2);
    assert_int_equal(spent.seconds, 120);
    assert_int_equal(open, 0);
    assert_int_equal(claim(pg, c, T0 + 70000, 4, rows + 2, NULL), 1);
    /* It talks longer than was set aside: what it has talked counts. */
    const struct attempt_move up = {
        .id = rows[2].id, .to = ATTEMPT_ANSWERED, .at_ms = T0 + 71000};
    struct permit *p = NULL;
    assert_int_equal(attempt_release(pg, TENANT, &rows[2], 1, T0 + 70000, &p), 0);
    permit_free(p);
    assert_int_equal(attempt_move(pg, TENANT, &up, 1, NULL), 0);
    campaign_set(pg, c, "budget.minutes=7");
    assert_int_equal(claim(pg, c, T0 + 72000, 4, rows + 3, NULL), 1);
    withdraw(&rows[3]);
    assert_int_equal(claim(pg, c, T0 + 71000 + 181000, 4, rows + 3, NULL), 0);
}

/* A budget that comes later knows what was called before it. */
static void a_budget_stated_later_counts_what_was_called_before(void **state)
{
    int64_t c = new_campaign(NO_LIMITS);
    struct attempt_row rows[3];
    struct budget b = {.stated = true};
    struct budget_spent spent;
    int64_t open = 0;

    (void)state;
    for (int i = 0; i < 3; i++)
        new_contact(c);
    assert_int_equal(claim(pg, c, T0, 3, rows, NULL), 3);
    end_call(&rows[0], T0, 30000);
    end_call(&rows[1], T0, 0);
    campaign_set(pg, c, "budget={\"money\":1,\"call_price\":0.01,\"minute_price\":0.2}");
    end_call(&rows[2], T0, 90000);
    assert_int_equal(budget_load(pg, TENANT, c, &b, &spent, &open), 0);
    assert_int_equal(spent.calls, 3);
    assert_int_equal(spent.seconds, 60 + 120);
    assert_int_equal(spent.micros, 3 * 10000 + 3 * 200000);
}

struct background {
    pthread_t thread;
    struct attempt_row row;
    int64_t campaign;
    _Atomic bool done;
};

static void *end_in_background(void *arg)
{
    struct background *b = arg;
    const struct attempt_move m = {.id = b->row.id,
                                   .to = ATTEMPT_ENDED,
                                   .at_ms = T0 + 1000,
                                   .disposition = DISPOSITION_BUSY};

    if (attempt_move(other, TENANT, &m, 1, NULL))
        fail_msg("the end: %s", pg_error(other));
    b->done = true;
    return NULL;
}

static void *change_in_background(void *arg)
{
    struct background *b = arg;

    campaign_set(pg, b->campaign, "budget.calls=5");
    b->done = true;
    return NULL;
}

/* So many wait for a lock, or it is over. */
static void wait_for_waiting(struct pg *db, int n, const struct background *b)
{
    while (!b->done &&
           pgtest_i64(db, 0, "SELECT count(*) FROM pg_locks WHERE NOT granted") < n)
        sched_yield();
}

/* The end of a call and the first budget of its campaign meet: it was counted by none. */
static void a_call_that_ends_while_a_budget_is_stated_is_counted(void **state)
{
    int64_t c = new_campaign(NO_LIMITS);
    struct background ends = {0}, changes = {.campaign = c};
    struct pg *holder = pgtest_open(), *watcher = pgtest_open();
    const struct budget b = {.stated = true, .calls = 5};
    struct budget_spent spent;
    struct permit *p = NULL;
    int64_t open = 0;
    char sql[200];

    (void)state;
    new_contact(c);
    assert_int_equal(claim(pg, c, T0, 1, &ends.row, NULL), 1);
    assert_int_equal(attempt_release(pg, TENANT, &ends.row, 1, T0, &p), 0);
    permit_free(p);
    assert_int_equal(pg_begin(holder, TENANT), 0);
    snprintf(sql, sizeof(sql),
             "SELECT 1 FROM campaign_contacts WHERE campaign_id = %" PRId64 " FOR UPDATE",
             c);
    assert_int_equal(pg_run(holder, NULL, sql, NULL), 0);
    assert_int_equal(pthread_create(&ends.thread, NULL, end_in_background, &ends), 0);
    wait_for_waiting(watcher, 1, &ends);
    assert_int_equal(
        pthread_create(&changes.thread, NULL, change_in_background, &changes), 0);
    wait_for_waiting(watcher, 2, &changes);
    pg_rollback(holder);
    pthread_join(ends.thread, NULL);
    pthread_join(changes.thread, NULL);
    assert_int_equal(budget_load(pg, TENANT, c, &b, &spent, &open), 0);
    assert_int_equal(open, 0);
    assert_int_equal(spent.calls, 1);
    pg_close(holder);
    pg_close(watcher);
}

static void the_forecast_ends_where_the_budget_does(void **state)
{
    int64_t c =
        new_campaign(NO_LIMITS ",\"pacing\":{\"cps\":1},\"budget\":{\"calls\":7}");
    struct forecast_options o = {.from_ms = T0, .answer_rate = 1, .talk_s = 10};
    struct campaign_row row = campaign_of(pg, c);
    struct attempt_row rows[16];
    struct forecast_source source;
    struct forecast f;
    struct errtext e = {0};

    (void)state;
    for (int i = 0; i < 12; i++)
        new_contact(c);
    assert_int_equal(claim(pg, c, T0, 2, rows, NULL), 2);
    end_call(&rows[0], T0, 1000);
    end_call(&rows[1], T0, 1000);
    ledger_run(pg,
               "UPDATE campaigns SET last_contact_id = (SELECT max(id) FROM contacts) "
               "WHERE id = %" PRId64,
               c);
    assert_int_equal(forecast_load(pg, TENANT, &row, &o, &source, &e), 0);
    forecast_run(&source.input, &f);
    assert_int_equal(f.calls, 5);
    assert_int_equal(f.spent.calls, 7);
    assert_true(f.budget_ms >= T0 && f.left == 5);
    size_t called = 0;
    for (size_t n; (n = claim(pg, c, T0 + 1000, 16, rows, NULL)) > 0; called += n)
        for (size_t i = 0; i < n; i++)
            end_call(&rows[i], T0 + 1000, 1000);
    assert_int_equal((int64_t)called, f.calls);
    forecast_free(&f);
    forecast_source_free(&source);
}

/* ---- rules that change while the campaign runs ---- */

#define CLOSED "windows={\"mon\":[\"01:00-02:00\"]}"

static void a_changed_window_holds_for_what_was_picked_and_not_released(void **state)
{
    int64_t c = new_campaign(NO_LIMITS);
    struct attempt_row rows[2];
    struct permit *p = NULL;

    (void)state;
    new_contact(c);
    new_contact(c);
    assert_int_equal(claim(other, c, T0, 1, rows, NULL), 1);
    campaign_set(pg, c, CLOSED);
    /* The other connection has parsed the old one, and sees the new. */
    assert_int_equal(attempt_release(other, TENANT, rows, 1, T0, &p), 0);
    assert_null(p);
    assert_int_equal(claim(other, c, T0, 1, rows, NULL), 0);
    campaign_set(pg, c, "windows={\"mon-sun\":[\"00:00-24:00\"]}");
    assert_int_equal(claim(other, c, T0 + 1, 2, rows, NULL), 2);
    assert_int_equal(ledger_i64(pg,
                                "SELECT count(*) FROM campaign_revisions WHERE "
                                "campaign_id = %" PRId64
                                " AND revision IN (1, 2) AND document_text <> ''",
                                c),
                     2);
    withdraw(&rows[0]);
    withdraw(&rows[1]);
}

static void a_raised_limit_lets_those_be_called_whom_it_held(void **state)
{
    int64_t c = new_campaign(",\"limits\":{\"per_24h\":1,\"min_gap_s\":0},\"retry\":{"
                             "\"busy\":{\"delay_s\":60}}");
    int64_t who = new_contact(c);

    (void)state;
    assert_int_equal(call_next(c, T0, DISPOSITION_BUSY), who);
    assert_int_equal(call_next(c, T0 + MINUTE_MS, DISPOSITION_BUSY), 0);
    assert_true(due_of(c, who) >= T0 + 23 * HOUR_MS);
    /* A promise is kept to the minute, whatever the rules are. */
    int64_t promised = new_contact(c);
    ledger_run(pg,
               "UPDATE campaign_contacts SET priority = 10000, last_refusal = 502, "
               "next_attempt_at = furrow_ts(%" PRId64 ") WHERE contact_id = %" PRId64,
               T0 + HOUR_MS, promised);
    campaign_set(pg, c, "limits.per_24h=2");
    assert_int_equal(call_next(c, T0 + 2 * MINUTE_MS, DISPOSITION_BUSY), who);
    assert_int_equal(due_of(c, promised), T0 + HOUR_MS);
}

static void what_a_campaign_is_may_not_be_changed_and_the_place_is_said(void **state)
{
    int64_t c = new_campaign(NO_LIMITS);
    struct campaign_row row = campaign_of(pg, c);
    struct campaign_issues issues = {0};
    char text[400];

    (void)state;
    snprintf(text, sizeof(text),
             "{\"name\":\"%s\",\"list\":\"others\",\n\"flow\":\"greet\",\n\"trunk\":"
             "\"sim2\"}",
             row.name);
    assert_int_equal(campaign_change(pg, &row, text, strlen(text), T0, &issues), EINVAL);
    assert_int_equal(issues.n, 2);
    assert_string_equal(issues.at[0].pointer, "/list");
    assert_non_null(
        strstr(issues.at[0].text, "the list of a campaign stays what it was"));
    assert_int_equal(issues.at[1].line, 3);
    assert_non_null(strstr(issues.at[1].hint, "campaign clone"));
    assert_int_equal(
        ledger_i64(pg, "SELECT revision FROM campaigns WHERE id = %" PRId64, c), 1);
}

/* ---- several lists ---- */

static int64_t new_list(const char *name, int people, int64_t first_phone)
{
    int64_t list =
        ledger_i64(pg,
                   "INSERT INTO lists (tenant_id, name, created_at) VALUES (1, "
                   "'%s', now()) RETURNING id",
                   name);

    ledger_run(
        pg,
        "INSERT INTO contacts (tenant_id, list_id, phone, number_type, zone_group, "
        "region) SELECT 1, %" PRId64 ", %" PRId64 " + n, 1, %" PRId64
        ", 'ET' FROM generate_series(0, %d - 1) n",
        list, first_phone, addis, people);
    return list;
}

static int64_t create_mixed(const char *name, const char *lists)
{
    struct campaign_issues issues = {0};
    struct campaign_row row = {0};
    char text[900];

    snprintf(
        text, sizeof(text),
        "{\"name\":\"%s\",\"lists\":%s,\"flow\":\"greet\",\"trunk\":\"sim\"" NO_LIMITS
        "}",
        name, lists);
    if (campaign_create(pg, TENANT, text, strlen(text), T0, &row, &issues))
        fail_msg("%s: %s", issues.at[0].pointer, issues.at[0].text);
    assert_int_equal(
        campaign_command(pg, TENANT, row.id, CAMPAIGN_START, NULL, T0, &row, NULL), 0);
    return row.id;
}

static size_t enrol(int64_t campaign, size_t max)
{
    size_t all = 0, added = max;
    bool loading = false;

    for (; added == max; all += added)
        assert_int_equal(
            campaign_populate(pg, TENANT, campaign, max, T0, &added, &loading), 0);
    return all;
}

/* The lists of the contacts that are picked, one letter each, in order. */
static void picks(int64_t campaign, size_t n, char *out)
{
    CLEANUP(free_cleanup) struct attempt_row *rows = xcalloc(n, sizeof(*rows));

    for (size_t i = 0; i < n; i++) {
        out[i] = '\0';
        if (claim(pg, campaign, T0, 1, rows + i, NULL) == 0)
            return;
        out[i] = (char)ledger_i64(pg,
                                  "SELECT ascii(l.name) FROM contacts c JOIN lists l ON "
                                  "l.id = c.list_id WHERE c.id = %" PRId64,
                                  rows[i].contact_id);
    }
    out[n] = '\0';
}

static void lists_are_called_in_their_mix_and_the_higher_priority_first(void **state)
{
    char order[32];

    (void)state;
    new_list("Xfirst", 2, 251921000000);
    new_list("Farmers", 12, 251922000000);
    new_list("Coops", 4, 251923000000);
    new_list("Late", 3, 251924000000);
    int64_t c = create_mixed("mixed", "[{\"name\":\"Farmers\",\"share\":3},{\"name\":"
                                      "\"Coops\"},{\"name\":\"Late\",\"priority\":-1},{"
                                      "\"name\":\"Xfirst\",\"priority\":5}]");
    /* In small batches, as a large list is. */
    assert_int_equal(enrol(c, 5), 21);
    picks(c, 22, order);
    assert_int_equal(strlen(order), 21);
    assert_memory_equal(order, "XX", 2);
    /* Of each four, three farmers and a coop. */
    for (int i = 0; i < 4; i++) {
        int coops = 0;
        for (int k = 0; k < 4; k++)
            coops += order[2 + 4 * i + k] == 'C';
        assert_int_equal(coops, 1);
    }
    assert_string_equal(order + 18, "LLL");
}

/* A schedule that calls everyone again, every day at nine. */
static void the_mix_holds_for_everyone_again(void **state)
{
    struct attempt_row rows[8];
    char order[16];
    size_t fired = 0;

    (void)state;
    new_list("Goats", 6, 251951000000);
    new_list("Hens", 2, 251952000000);
    int64_t c =
        create_mixed("again", "[{\"name\":\"Goats\",\"share\":3},{\"name\":"
                              "\"Hens\"}],\"each_run\":\"everyone\",\"schedule\":{"
                              "\"cron\":\"0 9 * * *\",\"timezone\":"
                              "\"Africa/Addis_Ababa\"}");
    assert_int_equal(enrol(c, 100), 8);
    assert_int_equal(claim(pg, c, T0, 8, rows, NULL), 8);
    for (int i = 7; i >= 0; i--)
        end_call(&rows[i], T0, 1000);
    ledger_run(pg,
               "UPDATE campaigns SET state = 'done', created_at = furrow_ts(%" PRId64
               ") WHERE id = %" PRId64,
               T0 - 24 * HOUR_MS, c);
    assert_int_equal(campaign_fire_due(pg, TENANT, T0, &fired), 0);
    assert_int_equal(fired, 1);
    picks(c, 8, order);
    assert_int_equal(strlen(order), 8);
    for (int i = 0; i < 2; i++) {
        int hens = 0;
        for (int k = 0; k < 4; k++)
            hens += order[4 * i + k] == 'H';
        assert_int_equal(hens, 1);
    }
}

static void a_number_of_two_lists_is_called_once_and_the_campaign_ends(void **state)
{
    size_t completed = 0;
    struct attempt_row rows[8];

    (void)state;
    new_list("Apples", 3, 251931000000);
    new_list("Bananas", 4, 251931000001); /* two numbers are in both */
    int64_t c = create_mixed("both", "[{\"name\":\"Apples\"},{\"name\":\"Bananas\"}]");
    assert_int_equal(enrol(c, 100), 5);
    size_t n = claim(pg, c, T0, 8, rows, NULL);
    assert_int_equal(n, 5);
    assert_int_equal(campaign_complete_due(pg, TENANT, T0, &completed), 0);
    assert_int_equal(campaign_of(pg, c).state, CAMPAIGN_RUNNING);
    for (size_t i = 0; i < n; i++)
        end_call(&rows[i], T0, 1000);
    /* Somebody joins the second list meanwhile. */
    ledger_run(pg, "INSERT INTO contacts (tenant_id, list_id, phone, number_type, "
                   "zone_group, region) SELECT 1, list_id, 251931000077, 1, zone_group, "
                   "'ET' FROM contacts WHERE phone = 251931000004");
    assert_int_equal(campaign_complete_due(pg, TENANT, T0, &completed), 0);
    assert_int_equal(campaign_of(pg, c).state, CAMPAIGN_RUNNING);
    assert_int_equal(enrol(c, 100), 1);
    assert_int_equal(claim(pg, c, T0, 8, rows, NULL), 1);
    end_call(&rows[0], T0, 1000);
    assert_int_equal(campaign_complete_due(pg, TENANT, T0, &completed), 0);
    assert_int_equal(campaign_of(pg, c).state, CAMPAIGN_DONE);
}

static void the_forecast_counts_everybody_of_several_lists_once(void **state)
{
    struct forecast_options o = {.from_ms = T0, .answer_rate = 1, .talk_s = 10};
    struct forecast_source source;
    struct forecast f;
    struct errtext e = {0};

    (void)state;
    new_list("One", 6, 251941000000);
    new_list("Two", 5, 251942000000);
    int64_t c = create_mixed("many", "[{\"name\":\"One\"},{\"name\":\"Two\"}]");
    for (int i = 0; i < 2; i++) {
        struct campaign_row row = campaign_of(pg, c);
        assert_int_equal(forecast_load(pg, TENANT, &row, &o, &source, &e), 0);
        forecast_run(&source.input, &f);
        assert_int_equal(f.contacts, 11);
        assert_int_equal(f.calls, 11);
        forecast_free(&f);
        forecast_source_free(&source);
        enrol(c, 4);
    }
}

static void a_list_that_is_not_there_is_named_at_its_place(void **state)
{
    struct campaign_issues issues = {0};
    struct campaign_row row = {0};
    const char *text = "{\"name\":\"no\",\"lists\":[{\"name\":\"farmers\"},\n{\"name\":"
                       "\"nobody\"}],\"flow\":\"greet\",\"trunk\":\"sim\"}";

    (void)state;
    assert_int_equal(campaign_create(pg, TENANT, text, strlen(text), T0, &row, &issues),
                     EINVAL);
    assert_int_equal(issues.n, 1);
    assert_string_equal(issues.at[0].pointer, "/lists/1/name");
    assert_int_equal(issues.at[0].line, 2);
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
        cmocka_unit_test(retries_in_front_and_behind_have_room_in_the_forecast),
        cmocka_unit_test(a_spent_budget_of_calls_stops_the_campaign_and_says_so),
        cmocka_unit_test(two_dialers_never_take_more_than_the_budget_together),
        cmocka_unit_test(minutes_are_set_aside_for_live_calls_and_billed_when_they_end),
        cmocka_unit_test(a_budget_stated_later_counts_what_was_called_before),
        cmocka_unit_test(a_call_that_ends_while_a_budget_is_stated_is_counted),
        cmocka_unit_test(the_forecast_ends_where_the_budget_does),
        cmocka_unit_test(a_changed_window_holds_for_what_was_picked_and_not_released),
        cmocka_unit_test(a_raised_limit_lets_those_be_called_whom_it_held),
        cmocka_unit_test(what_a_campaign_is_may_not_be_changed_and_the_place_is_said),
        cmocka_unit_test(lists_are_called_in_their_mix_and_the_higher_priority_first),
        cmocka_unit_test(the_mix_holds_for_everyone_again),
        cmocka_unit_test(a_number_of_two_lists_is_called_once_and_the_campaign_ends),
        cmocka_unit_test(the_forecast_counts_everybody_of_several_lists_once),
        cmocka_unit_test(a_list_that_is_not_there_is_named_at_its_place),
    };

    pgtest_start(PGTEST_POSTGRES);
    pg = pgtest_open();
    other = pgtest_open();
    ledger_fixture_start(pg);
    addis = ledger_zone(pg, "ET", "Africa/Addis_Ababa");
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    pg_close(other);
    pg_close(pg);
    return failed;
}
