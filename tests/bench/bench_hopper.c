/*
 * bench_hopper [CONTACTS] - what the hopper claims and the gate releases in a second,
 * out of one campaign in 40 zone groups, 500 at a time; and what an idle look costs.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "campaigns/attempt_store.h"
#include "store/ledger_fixture.h"
#include "store/pgtest.h"

enum { BATCH = 500, GROUPS = 40, LOOKS = 20 };

static int64_t fill(struct pg *pg, int64_t contacts)
{
    int64_t campaign = ledger_campaign(pg, "hopper", "");

    for (int i = 0; i < GROUPS; i++) {
        char region[8];
        snprintf(region, sizeof(region), "%c%c", 'A' + i / 26, 'A' + i % 26);
        int64_t group = ledger_zone(pg, region, "Africa/Addis_Ababa");
        ledger_run(
            pg,
            "WITH c AS (INSERT INTO contacts (tenant_id, list_id, phone, "
            "number_type, zone_group, region) SELECT 1, l.id, 251900000000 + g, 1, "
            "%" PRId64 ", 'ET' FROM lists l, generate_series(%" PRId64 ", %" PRId64
            ") g RETURNING id, phone) INSERT INTO campaign_contacts (tenant_id, "
            "campaign_id, contact_id, phone, zone_group, next_attempt_at) SELECT 1, "
            "%" PRId64 ", id, phone, %" PRId64 ", furrow_ts(%" PRId64 ") FROM c",
            group, i * contacts / GROUPS, (i + 1) * contacts / GROUPS - 1, campaign,
            group, T0 - 1000);
    }
    return campaign;
}

static void report(const char *what, size_t n, int64_t took_us)
{
    printf(
        "{\"bench\":\"hopper\",\"what\":\"%s\",\"n\":%zu,\"ms\":%.1f,\"per_s\":%.0f}\n",
        what, n, (double)took_us / 1000, (double)n * 1e6 / (double)(took_us + 1));
    fflush(stdout);
}

static int run(struct pg *pg, int64_t campaign, int64_t idle_ms)
{
    static struct attempt_row rows[BATCH];
    static struct permit *permits[BATCH];
    struct attempt_claim_result r;
    int64_t claim_us = 0, release_us = 0;
    size_t claimed = 0, released = 0;
    int err = 0;

    for (int i = 0; !err && i < LOOKS; i++) {
        int64_t begin = mono_us();
        err = attempt_claim(pg, TENANT, campaign, 0, T0, BATCH, rows, &r);
        int64_t middle = mono_us();
        if (!err)
            err = attempt_release(pg, TENANT, rows, r.intents, T0 + 1, permits);
        release_us += mono_us() - middle;
        claim_us += middle - begin;
        claimed += r.intents;
        for (size_t k = 0; k < r.intents; k++) {
            released += permits[k] != NULL;
            permit_free(permits[k]);
        }
    }
    if (err)
        return err;
    report("claim", claimed, claim_us);
    report("release", released, release_us);
    int64_t begin = mono_us();
    for (int i = 0; !err && i < LOOKS; i++)
        err = attempt_claim(pg, TENANT, campaign, 0, idle_ms, BATCH, rows, &r);
    if (!err)
        report("look, every zone closed", LOOKS, mono_us() - begin);
    return err;
}

int main(int argc, char **argv)
{
    int64_t contacts = 100000;

    if (argc > 1 && !str_to_i64(argv[1], &contacts))
        return 2;
    pgtest_start(PGTEST_POSTGRES);
    struct pg *pg = pgtest_open(), *super = pgtest_open_super();
    ledger_fixture_start(pg);
    int64_t campaign = fill(pg, contacts);
    PQclear(PQexec(pg_conn(super), "VACUUM ANALYZE"));
    int err = run(pg, campaign, T0 + INT64_C(10) * 3600 * 1000);
    if (err)
        fprintf(stderr, "bench_hopper: %s\n", pg_error(pg));
    pg_close(super);
    pg_close(pg);
    return err ? 1 : 0;
}
