/* Pools of caller-ids on a real Postgres: caps, locks, health, quarantine. */
#include "unit/cm.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "base/xalloc.h"
#include "campaigns/attempt_store.h"
#include "campaigns/caller_id_store.h"
#include "campaigns/campaign_check_store.h"
#include "campaigns/campaign_store.h"
#include "campaigns/forecast_store.h"
#include "store/ledger_fixture.h"
#include "store/pgtest.h"

#define HOUR INT64_C(3600000)
#define FAR  INT64_C(254205550100) /* Nairobi */

static struct pg *pg, *other;
static int64_t addis, next_phone = 251911000000;
static int campaigns;
/* The latest campaign's numbers, in Addis Ababa: no other test's calls showed them. */
static int64_t A, B;

/* A campaign with a pool of its own. */
static int64_t new_campaign(char pool[32], const char *more)
{
    char rules[400];

    snprintf(pool, 32, "p%d", ++campaigns);
    A = INT64_C(251115560000) + 10 * campaigns;
    B = A + 1;
    snprintf(rules, sizeof(rules),
             ",\"limits\":{\"min_gap_s\":0,\"per_24h\":0,"
             "\"per_7d\":0},\"caller_ids\":{\"pool\":\"%s\"%s}",
             pool, more);
    int64_t c = ledger_campaign(pg, pool, rules);
    ledger_run(pg,
               "UPDATE campaigns SET document_text = replace(document_text, "
               "'\"caller_id\":\"+251115550100\",', '') WHERE id = %" PRId64,
               c);
    return c;
}

static void add(const char *pool, int64_t phone, int cap)
{
    assert_int_equal(caller_id_add(pg, TENANT, pool, phone, cap, T0 - 30 * 24 * HOUR), 0);
}

static void contacts(int64_t campaign, int n)
{
    for (int i = 0; i < n; i++)
        ledger_contact(pg, campaign, addis, next_phone++, 0);
}

static size_t claim(int64_t campaign, int64_t at_ms, size_t max, struct attempt_row *out,
                    int64_t *next_ms)
{
    struct attempt_claim_result r = {0};

    assert_int_equal(attempt_claim(pg, TENANT, campaign, 3, at_ms, max, out, &r), 0);
    if (next_ms)
        *next_ms = r.next_due_ms;
    return r.intents;
}

static void the_nearest_number_is_bound_into_the_attempt_and_the_permit(void **state)
{
    struct attempt_row row = {0};
    struct permit *p = NULL;
    char pool[32], id[UUID_TEXT_MAX], text[PHONE_TEXT_MAX];
    int64_t c = new_campaign(pool, "");

    (void)state;
    add(pool, FAR, 0);
    add(pool, A, 0);
    contacts(c, 1);
    assert_int_equal(claim(c, T0, 1, &row, NULL), 1);
    assert_string_equal(row.caller_id, phone_text(A, text));
    assert_true(ledger_is(pg, text,
                          "SELECT caller_id FROM attempts WHERE id "
                          "= '%s' AND pooled",
                          uuid_text(&row.id, id)));
    assert_int_equal(attempt_release(pg, TENANT, &row, 1, T0, &p), 0);
    assert_non_null(p);
    assert_string_equal(permit_facts(p)->caller_id, text);
    permit_free(p);
}

static void a_spent_cap_leaves_contacts_waiting_until_the_day_is_over(void **state)
{
    struct attempt_row rows[10] = {0};
    char pool[32], why[CALLER_ID_WHY_MAX], text[PHONE_TEXT_MAX];
    int64_t c = new_campaign(pool, ""), next_ms = 0;
    const struct campaign_doc *doc = NULL;
    size_t on_a = 0;

    (void)state;
    add(pool, A, 2);
    add(pool, B, 1);
    contacts(c, 9);
    assert_int_equal(claim(c, T0, 9, rows, NULL), 3);
    for (int i = 0; i < 3; i++)
        on_a += str_is(rows[i].caller_id, phone_text(A, text));
    assert_int_equal(on_a, 2);
    assert_int_equal(claim(c, T0 + HOUR, 9, rows + 3, &next_ms), 0);
    assert_int_equal(next_ms, T0 + 24 * HOUR);
    assert_true(ledger_is(pg, "6",
                          "SELECT count(*) FROM campaign_contacts WHERE "
                          "campaign_id = %" PRId64 " AND state = 'pending' AND "
                          "last_refusal IS NULL",
                          c));
    assert_int_equal(campaign_doc_get(pg, TENANT, c, &doc), 0);
    assert_int_equal(caller_id_dry(pg, TENANT, &doc->caller_ids, T0 + HOUR, why), 0);
    assert_non_null(strstr(why, "2 over the daily cap, 0 in quarantine"));
    /* What was withdrawn unsent was no call. */
    const struct attempt_move back = {
        .id = rows[0].id, .to = ATTEMPT_WITHDRAWN, .at_ms = T0 + HOUR};
    assert_int_equal(attempt_move(pg, TENANT, &back, 1, NULL), 0);
    assert_int_equal(claim(c, T0 + HOUR, 9, rows + 3, NULL), 1);
    assert_string_equal(rows[3].caller_id, rows[0].caller_id);
    assert_int_equal(claim(c, T0 + HOUR, 9, rows + 4, NULL), 0);
    /* A day later the first three have room again, the fourth not yet. */
    assert_int_equal(claim(c, T0 + 24 * HOUR + 1, 9, rows + 4, NULL), 2);
}

enum { EACH = 40, CAP = 7 };

struct claimer {
    struct pg *pg;
    int64_t campaign;
    struct attempt_row rows[EACH];
    size_t n;
    int err;
};

static void *claim_all(void *arg)
{
    struct claimer *c = arg;
    struct attempt_claim_result r = {0};

    for (int i = 0; i < EACH && !c->err; i++) {
        c->err = attempt_claim(c->pg, TENANT, c->campaign, 1, T0, 1, c->rows + c->n, &r);
        c->n += r.intents;
    }
    return NULL;
}

static void two_claimers_at_once_never_spend_more_than_the_caps(void **state)
{
    static struct claimer a, b;
    char pool[32];
    int64_t c = new_campaign(pool, "");
    pthread_t ta, tb;

    (void)state;
    add(pool, A, CAP);
    add(pool, B, CAP);
    contacts(c, EACH);
    a = (struct claimer){.pg = pg, .campaign = c};
    b = (struct claimer){.pg = other, .campaign = c};
    assert_int_equal(pthread_create(&ta, NULL, claim_all, &a), 0);
    assert_int_equal(pthread_create(&tb, NULL, claim_all, &b), 0);
    pthread_join(ta, NULL);
    pthread_join(tb, NULL);
    assert_int_equal(a.err | b.err, 0);
    assert_int_equal(a.n + b.n, 2 * CAP);
    assert_int_equal(
        ledger_i64(pg,
                   "SELECT max(n) FROM (SELECT count(*) AS n FROM attempts WHERE "
                   "campaign_id = %" PRId64 " GROUP BY caller_id) q",
                   c),
        CAP);
}

/* n calls of a number that ended so, talk_s after the answer. */
static void history(int64_t campaign, int64_t caller, int n, const char *disposition,
                    int talk_s, int64_t at_ms)
{
    ledger_run(pg,
               "INSERT INTO attempts (id, tenant_id, campaign_id, contact_id, phone, "
               "trunk_id, slot, number, state, caller_id, pooled, intent_at, "
               "answered_at, ended_at, disposition) SELECT gen_random_uuid(), 1, %" PRId64
               ", 0, 1, 1, 0, 1, 'ended', '+%" PRId64 "', true, furrow_ts(%" PRId64
               "), CASE WHEN '%s' = 'completed' THEN furrow_ts(%" PRId64
               ") END, furrow_ts(%" PRId64 "), '%s' FROM generate_series(1, %d)",
               campaign, caller, at_ms, disposition, at_ms, at_ms + talk_s * 1000,
               disposition, n);
}

static struct caller_id_row row_of(const char *pool, int64_t phone, int64_t now_ms)
{
    struct caller_id_row *rows = NULL, found = {0};
    size_t n = 0;

    assert_int_equal(caller_id_list(pg, TENANT, pool, 7, now_ms, &rows, &n), 0);
    for (size_t i = 0; i < n; i++)
        if (rows[i].id.phone == phone)
            found = rows[i];
    free(rows);
    assert_int_equal(found.id.phone, phone);
    return found;
}

static void a_number_that_nobody_answers_is_quarantined_and_released(void **state)
{
    struct attempt_row row = {0};
    char pool[32], why[CALLER_ID_WHY_MAX];
    int64_t c = new_campaign(pool, ",\"health\":{\"min_calls\":20,\"quarantine_h\":48}");
    const struct campaign_doc *doc = NULL;

    (void)state;
    add(pool, A, 0);
    contacts(c, 3);
    history(c, A, 30, "no_answer", 0, T0 - HOUR);
    history(c, A, 200, "congestion", 0, T0 - HOUR);          /* the network's fault */
    history(c, A, 100, "completed", 60, T0 - 8 * 24 * HOUR); /* too long ago */
    assert_int_equal(row_of(pool, A, T0).id.calls, 30);
    assert_int_equal(campaign_check(pg, TENANT, c, T0), 0);
    struct caller_id_row held = row_of(pool, A, T0);
    assert_int_equal(held.id.held_until_ms, T0 + 48 * HOUR);
    assert_non_null(strstr(held.held_why, "0 of 30 calls were answered"));
    assert_int_equal(
        ledger_i64(pg,
                   "SELECT count(*) FROM campaign_events WHERE campaign_id = %" PRId64
                   " AND text LIKE 'caller-id +%" PRId64 " of pool %%'",
                   c, A),
        1);
    assert_int_equal(claim(c, T0, 1, &row, NULL), 0);
    assert_int_equal(campaign_doc_get(pg, TENANT, c, &doc), 0);
    assert_int_equal(caller_id_dry(pg, TENANT, &doc->caller_ids, T0, why), 0);
    assert_non_null(strstr(why, "1 in quarantine; the next at 2026-11-26T08:00:00Z"));
    /* By hand: what led to it counts no more, so it stays released. */
    assert_int_equal(caller_id_release(pg, TENANT, A, T0 + HOUR), 0);
    assert_int_equal(caller_id_release(pg, TENANT, A, T0 + HOUR), ENOENT);
    assert_int_equal(campaign_check(pg, TENANT, c, T0 + HOUR), 0);
    assert_int_equal(claim(c, T0 + HOUR, 1, &row, NULL), 1);
    /* And by time. */
    history(c, A, 20, "completed", 2, T0 + 2 * HOUR);
    assert_int_equal(campaign_check(pg, TENANT, c, T0 + 3 * HOUR), 0);
    assert_non_null(strstr(row_of(pool, A, T0 + 3 * HOUR).held_why,
                           "20 of 20 answered calls were over within 6 s"));
    assert_int_equal(claim(c, T0 + 5 * HOUR, 1, &row, NULL), 0);
    assert_int_equal(claim(c, T0 + 51 * HOUR, 1, &row, NULL), 1);
    assert_int_equal(campaign_check(pg, TENANT, c, T0 + 51 * HOUR), 0);
    assert_int_equal(row_of(pool, A, T0 + 51 * HOUR).id.held_until_ms, T0 + 51 * HOUR);
}

static void a_check_is_made_once_in_half_a_minute(void **state)
{
    char pool[32];
    int64_t c = new_campaign(pool, ",\"health\":{\"min_calls\":5}");

    (void)state;
    add(pool, A, 0);
    assert_int_equal(campaign_check(pg, TENANT, c, T0), 0);
    history(c, A, 9, "no_answer", 0, T0);
    assert_int_equal(campaign_check(pg, TENANT, c, T0 + 29999), 0);
    assert_int_equal(row_of(pool, A, T0 + 29999).id.held_until_ms, 0);
    assert_int_equal(campaign_check(pg, TENANT, c, T0 + 30000), 0);
    assert_true(row_of(pool, A, T0 + 30000).id.held_until_ms > T0);
}

static void a_campaign_names_a_pool_that_exists(void **state)
{
    static const char text[] =
        "{\"name\": \"nopool\", \"list\": \"farmers\", \"flow\": \"greet\", \"trunk\": "
        "\"sim\", \"caller_ids\": {\"pool\": \"nowhere\"}}";
    struct campaign_issues issues = {0};
    struct campaign_row row;

    (void)state;
    add("somewhere", A, 0);
    assert_int_equal(campaign_create(pg, TENANT, text, strlen(text), T0, &row, &issues),
                     EINVAL);
    assert_string_equal(issues.at[0].pointer, "/caller_ids/pool");
    assert_non_null(strstr(issues.at[0].text, "no caller-id pool 'nowhere'; there is "));
    assert_non_null(strstr(issues.at[0].text, "somewhere"));
    assert_int_equal(caller_id_remove(pg, TENANT, A), 0);
    assert_int_equal(caller_id_remove(pg, TENANT, A), ENOENT);
}

/* The ledger and the forecast, with the same people and the same caps. */
static void the_forecast_waits_for_the_daily_caps_as_the_ledger_does(void **state)
{
    enum { N = 20, MINUTES = 5 * 24 * 60 };
    struct forecast_options o = {.from_ms = T0, .answer_rate = 1, .talk_s = 5};
    struct attempt_row rows[8] = {0};
    struct forecast_source source;
    struct campaign_row row = {0};
    struct forecast f;
    struct errtext e = {0};
    int64_t days[6] = {0}, foreseen[6] = {0};
    char pool[32];
    int64_t c = new_campaign(pool, ""), free_ms = T0 + 6 * HOUR;

    (void)state;
    ledger_run(pg,
               "UPDATE campaigns SET document_text = replace(document_text, "
               "'\"limits\"', '\"holidays\":false,\"windows\":{\"mon-sun\":"
               "[\"00:00-24:00\"]},\"limits\"') WHERE id = %" PRId64,
               c);
    add(pool, A, 3);
    add(pool, B, 2);
    /* One call of before, and a number that rests at first. */
    history(c, A, 1, "completed", 60, T0 - HOUR);
    assert_int_equal(caller_id_hold(pg, TENANT, B, free_ms, "marked as spam"), 0);
    contacts(c, N);
    ledger_run(pg,
               "UPDATE campaigns SET last_contact_id = (SELECT max(id) FROM contacts) "
               "WHERE id = %" PRId64,
               c);
    assert_int_equal(campaign_find(pg, TENANT, pool, &row, &e), 0);
    assert_int_equal(forecast_load(pg, TENANT, &row, &o, &source, &e), 0);
    forecast_run(&source.input, &f);
    assert_int_equal(f.calls, N);
    assert_int_equal(f.pool_ms, T0); /* two at once, then it waits */
    for (int minute = 0; minute < MINUTES; minute++) {
        int64_t at_ms = T0 + minute * INT64_C(60000);
        size_t n = 0;

        /* Only when the pool may have room: a claim for each minute takes long. */
        if (minute % 60 > 1)
            continue;
        while ((n = claim(c, at_ms, 8, rows, NULL)) > 0)
            days[minute / 1440] += (int64_t)n;
    }
    for (size_t h = 0; h < f.hour_count; h++)
        foreseen[h / 24] += f.hours[h].calls;
    for (int d = 0; d < 5; d++)
        assert_int_equal(days[d], foreseen[d]);
    assert_int_equal(days[0], 2 + 2 + 1); /* A, B after its rest, A after 23 hours */
    forecast_free(&f);
    forecast_source_free(&source);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_nearest_number_is_bound_into_the_attempt_and_the_permit),
        cmocka_unit_test(a_spent_cap_leaves_contacts_waiting_until_the_day_is_over),
        cmocka_unit_test(two_claimers_at_once_never_spend_more_than_the_caps),
        cmocka_unit_test(a_number_that_nobody_answers_is_quarantined_and_released),
        cmocka_unit_test(a_check_is_made_once_in_half_a_minute),
        cmocka_unit_test(a_campaign_names_a_pool_that_exists),
        cmocka_unit_test(the_forecast_waits_for_the_daily_caps_as_the_ledger_does),
    };

    pgtest_start(PGTEST_POSTGRES);
    pg = pgtest_open();
    other = pgtest_open();
    ledger_fixture_start(pg);
    addis = ledger_zone(pg, "ET", "Africa/Addis_Ababa");
    int failed = cmocka_run_group_tests_name("caller_id", tests, NULL, NULL);
    pg_close(other);
    pg_close(pg);
    return failed;
}
