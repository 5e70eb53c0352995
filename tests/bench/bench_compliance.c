/*
 * bench_compliance [NUMBERS] - verdicts a second: the pure function on open, closed and
 * never-open numbers, and the whole of a claim's batch on a real Postgres (lock, facts,
 * verdict, decision rows; and each of these by itself) beside a do-not-call list and a
 * history of NUMBERS each.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "compliance/check.h"
#include "compliance/decision_store.h"
#include "compliance/facts_store.h"
#include "store/pgtest.h"

enum { TENANT = 1, BATCH = 500, BATCHES = 40, CAMPAIGN = 7 };
#define NOON_MS  INT64_C(1795165200000) /* 2026-11-20T09:00:00Z, noon in Addis Ababa */
#define NIGHT_MS (NOON_MS + INT64_C(12) * 3600 * 1000)
#define FIRST    INT64_C(251911000000)

static void fail(const char *what, const char *why)
{
    fprintf(stderr, "bench_compliance: %s: %s\n", what, why);
    exit(1);
}

static void report(const char *what, int64_t n, int64_t us)
{
    double seconds = (double)us / 1e6;

    printf("{\"bench\":\"verdicts\",\"what\":\"%s\",\"n\":%" PRId64
           ",\"seconds\":%.3f,\"per_second\":%.0f}\n",
           what, n, seconds, (double)n / seconds);
    fflush(stdout);
}

/* ---- the pure function ---- */

static void pure(const char *what, const struct policy *policy, const char *const *zones,
                 size_t zone_count, int64_t now_ms, int n, enum reason expected)
{
    struct compliance_call calls[6];
    struct compliance_facts f = {.phone = FIRST,
                                 .type = PHONE_MOBILE,
                                 .valid = true,
                                 .region = "ET",
                                 .zones = zones,
                                 .zone_count = zone_count,
                                 .campaign_id = CAMPAIGN,
                                 .calls = calls,
                                 .call_count = 6,
                                 .history_known = true,
                                 .clock_trusted = true,
                                 .campaign_running = true,
                                 .zones_date_ms = now_ms};
    struct verdict v;

    for (int i = 0; i < 6; i++)
        calls[i] = (struct compliance_call){.at_ms = now_ms -
                                                     (int64_t)(6 - i) * 26 * 3600 * 1000,
                                            .campaign_id = CAMPAIGN};
    int64_t from_us = mono_us();
    for (int i = 0; i < n; i++) {
        compliance_check(policy, &f, now_ms + i, &v);
        if (v.reason != expected)
            fail(what, reason_name(v.reason));
    }
    report(what, n, mono_us() - from_us);
}

static void pure_all(void)
{
    static const char *const addis[] = {"Africa/Addis_Ababa"};
    static const char *const wide[] = {"America/Los_Angeles", "America/Denver",
                                       "America/Chicago", "America/New_York"};
    struct policy p, narrow;

    policy_default(&p);
    narrow = p;
    for (int d = 0; d < 7; d++)
        narrow.week[d] = (struct policy_day){.n = 1, .at = {{9 * 60, 11 * 60}}};
    pure("check_open_one_zone", &p, addis, 1, NOON_MS, 500000, REASON_ALLOW);
    pure("check_closed_one_zone", &p, addis, 1, NIGHT_MS, 200000, REASON_OUTSIDE_WINDOW);
    pure("check_closed_four_zones", &p, wide, 4, NOON_MS, 50000, REASON_OUTSIDE_WINDOW);
    pure("check_never_open", &narrow, wide, 4, NOON_MS, 200, REASON_TZ_NO_COMMON_WINDOW);
}

/* ---- a claim's batch ---- */

static void fill(struct pg *pg, int64_t n)
{
    char sql[600];

    snprintf(sql, sizeof(sql),
             "INSERT INTO dnc_entries (tenant_id, phone, source, added_at) SELECT 1, "
             "%" PRId64 " + i * 20, 'import', furrow_ts(%" PRId64
             ") FROM generate_series(1, %" PRId64 ") i",
             FIRST, NOON_MS, n);
    pgtest_run(pg, TENANT, sql);
    snprintf(sql, sizeof(sql),
             "INSERT INTO attempts (id, tenant_id, campaign_id, contact_id, phone, "
             "trunk_id, slot, number, state, intent_at, released_at) SELECT "
             "gen_random_uuid(), 1, 7, i, %" PRId64
             " + i %% %d, 1, 0, 1, 'ended', t, t FROM (SELECT i, furrow_ts(%" PRId64
             " - i::bigint * 60000) t FROM generate_series(1, %" PRId64 ") i) q",
             FIRST, BATCH * BATCHES, NOON_MS, n);
    pgtest_run(pg, TENANT, sql);
    pgtest_run(pg, TENANT,
               "INSERT INTO holidays (tenant_id, region, day, name) SELECT 1, 'ET', "
               "date '2026-11-20' + i * 12, 'day' FROM generate_series(1, 30) i");
}

/* Where a batch's time goes. */
static struct {
    const char *what;
    int64_t us;
} phases[] = {{"lock", 0}, {"facts", 0}, {"check", 0}, {"decisions", 0}, {"commit", 0}};

static int64_t phase(size_t i, int64_t from_us)
{
    int64_t now_us = mono_us();

    phases[i].us += now_us - from_us;
    return now_us;
}

static int one_batch(struct pg *pg, int group, int64_t first, size_t *refused)
{
    static struct facts_key keys[BATCH];
    static struct compliance_facts facts[BATCH];
    static struct verdict verdicts[BATCH];
    static struct decision decisions[BATCH];
    int64_t phones[BATCH];
    struct facts_set *set = NULL;
    struct policy p;

    policy_default(&p);
    for (int i = 0; i < BATCH; i++) {
        phones[i] = first + i;
        keys[i] = (struct facts_key){.phone = phones[i],
                                     .campaign_id = CAMPAIGN,
                                     .zone_group = group,
                                     .type = PHONE_MOBILE};
    }
    int64_t at_us = mono_us();
    int err = pg_begin(pg, TENANT);
    if (!err)
        err = facts_lock_numbers(pg, TENANT, phones, BATCH);
    at_us = phase(0, at_us);
    if (!err)
        err = facts_load(pg, TENANT, keys, BATCH, NOON_MS, &set);
    at_us = phase(1, at_us);
    for (size_t i = 0; !err && i < BATCH; i++) {
        facts[i] = facts_get(set, i);
        compliance_check(&p, &facts[i], NOON_MS, &verdicts[i]);
        *refused += !verdicts[i].allow;
        decisions[i] = (struct decision){.stage = DECISION_RELEASE,
                                         .campaign_id = CAMPAIGN,
                                         .contact_id = (int64_t)i,
                                         .phone = phones[i],
                                         .at_ms = NOON_MS,
                                         .verdict = &verdicts[i],
                                         .policy = &p,
                                         .facts = &facts[i]};
    }
    at_us = phase(2, at_us);
    if (!err)
        err = decision_write(pg, TENANT, decisions, BATCH);
    at_us = phase(3, at_us);
    err = pg_end(pg, err);
    phase(4, at_us);
    facts_free(set);
    return err;
}

static void store(int64_t n)
{
    struct pg *pg = pgtest_open();
    size_t refused = 0;

    fill(pg, n);
    int group = (int)pgtest_i64(pg, TENANT,
                                "INSERT INTO zone_groups (tenant_id, region, zones) "
                                "VALUES (1, 'ET', '{Africa/Addis_Ababa}') RETURNING id");
    int64_t from_us = mono_us();
    for (int64_t i = 0; i < BATCHES; i++)
        if (one_batch(pg, group, FIRST + i * BATCH, &refused))
            fail("batch", pg_error(pg));
    report("lock_facts_verdict_decision", (int64_t)BATCH * BATCHES, mono_us() - from_us);
    for (size_t i = 0; i < ARRAY_LEN(phases); i++)
        report(phases[i].what, (int64_t)BATCH * BATCHES, phases[i].us);
    if (refused == 0 || refused == (size_t)BATCH * BATCHES)
        fail("batch", "all verdicts are alike: nothing was measured");
    if (pgtest_i64(pg, TENANT, "SELECT count(*) FROM decisions") != BATCH * BATCHES)
        fail("batch", "decisions are missing");
    pg_close(pg);
}

int main(int argc, char **argv)
{
    int64_t n = 200000;

    if (argc > 1 && (!str_to_i64(argv[1], &n) || n < 1000 || n > 10000000))
        fail("NUMBERS", "1000 to 10000000");
    pure_all();
    pgtest_start(PGTEST_POSTGRES);
    store(n);
    return 0;
}
