/*
 * bench_audit [ROWS] - the decision log: decisions appended in batches of 500 as a claim
 * writes them (200000 by one connection, as many again by two at once, as a dialer's
 * database threads do), sealed, and verified: the chain, and every decision again from
 * its inputs.
 */
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/attrs.h"
#include "base/clock.h"
#include "base/xalloc.h"
#include "compliance/audit_store.h"
#include "compliance/decision_store.h"
#include "compliance/facts_store.h"
#include "compliance/pack.h"
#include "compliance/pack_store.h"
#include "store/pgtest.h"

enum { TENANT = 1, BATCH = 500, CAMPAIGN = 7 };
#define NOON_MS INT64_C(1795165200000) /* 2026-11-20T09:00:00Z, noon in Addis Ababa */
#define FIRST   INT64_C(251911000000)

static void must(struct pg *pg, int err)
{
    if (!err)
        return;
    fprintf(stderr, "bench_audit: %d %s\n", err, pg_error(pg));
    exit(1);
}

static void report(const char *what, int64_t n, int64_t us)
{
    printf("{\"bench\":\"audit\",\"what\":\"%s\",\"rows\":%" PRId64
           ",\"seconds\":%.2f,\"per_second\":%.0f}\n",
           what, n, (double)us / 1e6, (double)n * 1e6 / (double)us);
    fflush(stdout);
}

static void finding(void *arg, const char *kind, const char *what, const char *detail)
{
    (void)arg;
    fprintf(stderr, "bench_audit: %s %s %s\n", kind, what, detail);
    exit(1);
}

struct appender {
    pthread_t thread;
    struct pg *pg;
    int64_t rows, first, us; /* us: in decision_write and its commit alone */
};

static void *append(void *arg)
{
    struct appender *me = arg;
    struct pg *pg = me->pg;
    int64_t rows = me->rows;
    struct decision *list = xcalloc(BATCH, sizeof(*list));
    struct verdict *verdicts = xcalloc(BATCH, sizeof(*verdicts));
    struct compliance_facts *facts = xcalloc(BATCH, sizeof(*facts));
    struct facts_key *keys = xcalloc(BATCH, sizeof(*keys));
    struct facts_set *set = NULL;
    struct policy p;

    policy_default(&p);
    p.pack_mode = PACKS_AUTO;
    p.packs = packs_of_process();
    for (int i = 0; i < BATCH; i++)
        keys[i] = (struct facts_key){.phone = FIRST + me->first + i,
                                     .campaign_id = CAMPAIGN,
                                     .type = PHONE_MOBILE};
    must(pg, pg_begin(pg, TENANT));
    must(pg, facts_load(pg, TENANT, keys, BATCH, NOON_MS, &set));
    must(pg, pg_commit(pg));
    static const char *const zones[] = {"Africa/Addis_Ababa"};
    for (int64_t at = 0; at < rows; at += BATCH) {
        for (int i = 0; i < BATCH; i++) {
            facts[i] = facts_get(set, (size_t)i);
            facts[i].zones = zones;
            facts[i].zone_count = 1;
            facts[i].region[0] = 'E', facts[i].region[1] = 'T', facts[i].region[2] = '\0';
            compliance_check(&p, &facts[i], NOON_MS + at, &verdicts[i]);
            list[i] = (struct decision){.stage = DECISION_CLAIM,
                                        .campaign_id = CAMPAIGN,
                                        .contact_id = me->first + at + i,
                                        .phone = FIRST + me->first + i,
                                        .at_ms = NOON_MS + at,
                                        .verdict = &verdicts[i],
                                        .policy = &p,
                                        .facts = &facts[i]};
        }
        int64_t from = mono_us();
        must(pg, pg_begin(pg, TENANT));
        must(pg, decision_write(pg, TENANT, list, BATCH));
        must(pg, pg_commit(pg));
        me->us += mono_us() - from;
    }
    facts_free(set);
    free(list);
    free(verdicts);
    free(facts);
    free(keys);
    return NULL;
}

/* By two at once: the time is that from start to end, with the verdicts. */
static int64_t append_by_two(int64_t rows)
{
    struct appender two[2] = {{.rows = rows / 2, .first = BATCH},
                              {.rows = rows / 2, .first = 2 * BATCH}};
    int64_t from = mono_us();

    for (size_t i = 0; i < ARRAY_LEN(two); i++) {
        two[i].pg = pgtest_open();
        pthread_create(&two[i].thread, NULL, append, &two[i]);
    }
    for (size_t i = 0; i < ARRAY_LEN(two); i++)
        pthread_join(two[i].thread, NULL);
    int64_t us = mono_us() - from;
    for (size_t i = 0; i < ARRAY_LEN(two); i++)
        pg_close(two[i].pg);
    return us;
}

int main(int argc, char **argv)
{
    int64_t rows = argc > 1 ? atoll(argv[1]) : 200000, sealed = 0;
    struct audit_counts n;

    pgtest_start(PGTEST_POSTGRES);
    struct pg *pg = pgtest_open();
    must(pg, packs_keep(pg, packs_of_process()));
    struct appender one = {.pg = pg, .rows = rows};
    append(&one);
    report("append", rows, one.us);
    report("append_by_two", rows, append_by_two(rows));
    int64_t from = mono_us();
    must(pg, audit_seal(pg, TENANT, NOON_MS, &sealed));
    report("seal", sealed, mono_us() - from);
    from = mono_us();
    must(pg, audit_verify(pg, TENANT, NULL, false, finding, NULL, NULL, &n));
    report("verify_chain", n.rows, mono_us() - from);
    from = mono_us();
    must(pg, audit_verify(pg, TENANT, NULL, true, finding, NULL, NULL, &n));
    report("verify_all", n.again, mono_us() - from);
    pg_close(pg);
    return n.rows == 2 * rows && sealed == 2 * rows ? 0 : 1;
}
