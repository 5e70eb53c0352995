/*
 * bench_hopper [CONTACTS…] - what a claim of 500 due contacts costs with so many
 * contacts (1,000,000 and 10,000,000 unless stated) in 3 campaigns and 40 zone groups,
 * p50 and p99 in ms: the claim itself (which groups are due, and locking their first
 * contacts), the whole of attempt_claim with its verdicts, decisions and intents, what
 * the gate takes to release them, and what an idle look costs.
 * The people are those of people.h.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "bench/people.h"
#include "campaigns/attempt_store.h"
#include "store/ledger_fixture.h"
#include "store/pgtest.h"

enum {
    BATCH = 500,

    WARM_UP = 5,
    CLAIMS = 60,
    LOOKS = 20,
    SIZES_MAX = 8
};
/* ---- measuring ---- */

/* The linker leads every pg_run of the store here: the statements of the claim itself
 * are told from those of the verdicts by how they begin. */
int __real_pg_run(struct pg *pg, PGresult **out, const char *sql,
                  const struct pg_args *args);
int __wrap_pg_run(struct pg *pg, PGresult **out, const char *sql,
                  const struct pg_args *args);

static int64_t pick_us;

int __wrap_pg_run(struct pg *pg, PGresult **out, const char *sql,
                  const struct pg_args *args)
{
    static const char *const picks[] = {
        "WITH RECURSIVE b AS ((SELECT zone_group",
        "SELECT contact_id, phone, attempts, number_type"};
    int64_t begin = mono_us();
    int err = __real_pg_run(pg, out, sql, args);

    for (size_t i = 0; i < ARRAY_LEN(picks); i++)
        if (strncmp(sql, picks[i], strlen(picks[i])) == 0)
            pick_us += mono_us() - begin;
    return err;
}

static int by_value(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

/* Sorts took_us; returns the p99. */
static double report(int64_t contacts, const char *what, int64_t *took_us, size_t n,
                     size_t rows)
{
    qsort(took_us, n, sizeof(*took_us), by_value);
    double p50 = (double)took_us[n / 2] / 1000;
    double p99 = (double)took_us[(n * 99 + 99) / 100 - 1] / 1000;

    printf("{\"bench\":\"hopper\",\"contacts\":%" PRId64
           ",\"campaigns\":%d,\"zones\":%d,\"what\":\"%s\",\"times\":%zu,\"rows\":%zu,"
           "\"p50_ms\":%.1f,\"p99_ms\":%.1f}\n",
           contacts, PEOPLE_CAMPAIGNS, PEOPLE_ZONES, what, n, rows, p50, p99);
    fflush(stdout);
    return p99;
}

struct times {
    int64_t pick_us[CLAIMS * PEOPLE_CAMPAIGNS], claim_us[CLAIMS * PEOPLE_CAMPAIGNS];
    int64_t release_us[CLAIMS * PEOPLE_CAMPAIGNS];
    int64_t look_us[LOOKS];
    size_t n, looked_at, released;
};

static int claim_one(struct pg *pg, int64_t campaign, int64_t at_ms, struct times *t)
{
    static struct attempt_row rows[BATCH];
    static struct permit *permits[BATCH];
    struct attempt_claim_result r;

    pick_us = 0;
    int64_t begin = mono_us();
    int err = attempt_claim(pg, TENANT, campaign, 0, at_ms, BATCH, rows, &r);
    int64_t middle = mono_us();
    if (!err)
        err = attempt_release(pg, TENANT, rows, r.intents, at_ms + 1, permits);
    t->pick_us[t->n] = pick_us;
    t->claim_us[t->n] = middle - begin;
    t->release_us[t->n++] = mono_us() - middle;
    t->looked_at += r.looked_at;
    for (size_t k = 0; !err && k < r.intents; k++) {
        t->released += permits[k] != NULL;
        permit_free(permits[k]);
    }
    return err;
}

static int measure(struct pg *pg, int64_t contacts, int64_t campaign, double *p99)
{
    static struct times t;
    struct attempt_row row;
    struct attempt_claim_result r;
    int err = 0;

    t = (struct times){0};
    /* Some rounds before it counts: statements are prepared, documents parsed, and the
     * upper pages of the indexes in memory. */
    for (int i = 0; !err && i < WARM_UP * PEOPLE_CAMPAIGNS; i++)
        err = claim_one(pg, campaign + i % PEOPLE_CAMPAIGNS, T0, &t);
    t = (struct times){0};
    for (int i = 0; !err && i < CLAIMS * PEOPLE_CAMPAIGNS; i++)
        err = claim_one(pg, campaign + i % PEOPLE_CAMPAIGNS, T0 + i, &t);
    /* 23:00 on Saturday in Addis Ababa: Sunday has no window. */
    for (int i = 0; !err && i < LOOKS; i++) {
        int64_t begin = mono_us();
        err =
            attempt_claim(pg, TENANT, campaign, 0,
                          T0 + INT64_C(5) * 86400000 + INT64_C(6) * 3600000, 1, &row, &r);
        t.look_us[i] = mono_us() - begin;
        if (!err && r.looked_at > 0)
            fprintf(stderr, "bench_hopper: the idle look found somebody\n");
    }
    if (err)
        return err;
    *p99 = report(contacts, "claim of 500 due", t.pick_us, t.n, t.looked_at);
    report(contacts, "claim with verdicts, decisions, intents", t.claim_us, t.n,
           t.looked_at);
    report(contacts, "release of these", t.release_us, t.n, t.released);
    report(contacts, "look, every zone closed", t.look_us, LOOKS, 0);
    return 0;
}

/* One private server for each size, one after the other: child processes, because a
 * server lives as long as the program. */
static int run(int64_t contacts, double *p99)
{
    pgtest_start(PGTEST_POSTGRES);
    struct pg *pg = pgtest_open(), *super = pgtest_open_super();
    ledger_fixture_start(pg);
    people_must(super, "ALTER SYSTEM SET max_wal_size = '8GB'");
    people_must(super, "SELECT pg_reload_conf()");
    int64_t begin = mono_ms();
    int64_t campaign = people_fill(pg, super, contacts);
    fprintf(stderr, "bench_hopper: %" PRId64 " contacts made in %" PRId64 " s\n",
            contacts, (mono_ms() - begin) / 1000);
    int err = measure(pg, contacts, campaign, p99);
    if (err)
        fprintf(stderr, "bench_hopper: %s\n", pg_error(pg));
    pg_close(super);
    pg_close(pg);
    return err ? 1 : 0;
}

static int run_apart(int64_t contacts, double *p99)
{
    int ends[2], status = 0;

    if (pipe(ends))
        return 1;
    pid_t pid = fork();
    if (pid == 0) {
        int code = run(contacts, p99);
        if (write(ends[1], p99, sizeof(*p99)) != sizeof(*p99))
            code = 1;
        exit(code); /* the server is stopped by exit's handlers */
    }
    close(ends[1]);
    bool told = pid > 0 && read(ends[0], p99, sizeof(*p99)) == sizeof(*p99);
    close(ends[0]);
    if (pid > 0)
        waitpid(pid, &status, 0);
    return told && status == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
    setenv("FURROW_PACKS_DIR", SOURCE_DIR "/tests/data/packs", 0);
    int64_t sizes[SIZES_MAX] = {1000000, 10000000};
    double p99[SIZES_MAX] = {0};
    int n = 2, code = 0;

    for (int i = 1; i < argc && i <= SIZES_MAX; i++, n = i - 1)
        if (!str_to_i64(argv[i], &sizes[i - 1]) ||
            sizes[i - 1] < PEOPLE_ZONES * PEOPLE_CAMPAIGNS) {
            fprintf(stderr, "usage: bench_hopper [CONTACTS…]\n");
            return 2;
        }
    for (int i = 0; i < n; i++)
        code |= run_apart(sizes[i], &p99[i]);
    if (!code && n > 1)
        printf("{\"bench\":\"hopper\",\"what\":\"claim p99, last size to first\","
               "\"ratio\":%.2f}\n",
               p99[n - 1] / p99[0]);
    return code;
}
