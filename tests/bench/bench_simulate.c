/*
 * bench_simulate [CONTACTS [COMPARED]] - `furrow simulate` in memory with so many
 * contacts (1,000,000 unless stated), copied from a list of 1,000; and so many (10,000)
 * simulated in memory and over the ledger in Postgres, every contact compared.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "base/str.h"
#include "simulate/run.h"
#include "simulate/scene_store.h"
#include "store/ledger_fixture.h"
#include "store/pgtest.h"
#include "store/sim_ledger.h"
#include "store/sim_people.h"

enum { PATTERN = 1000, SEED = 7, LOOK_MS = 600000 }; /* each costs Postgres some ms */
enum { TOLD_MS = 5000 };
#define DAY_MS (INT64_C(86400) * 1000)

static struct pg *pg;

static void die(const char *what)
{
    fprintf(stderr, "bench_simulate: %s\n", what);
    exit(1);
}

static double cpu_s(void)
{
    struct rusage u;

    if (getrusage(RUSAGE_SELF, &u))
        return 0;
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static int64_t peak_mb(void)
{
    struct rusage usage;

    return getrusage(RUSAGE_SELF, &usage) ? 0 : usage.ru_maxrss / 1024;
}

static void load(const struct campaign_row *row, int64_t people, int64_t days,
                 struct scene_source *out)
{
    const struct scene_options o = {
        .from_ms = T0, .to_ms = T0 + days * DAY_MS, .people = people};
    struct errtext e = {0};

    if (scene_load(pg, TENANT, row, &o, out, &e))
        die(e.text);
}

/* How far it is, every few seconds; rows take their time. */
static void tell(void *arg, int64_t next_ms, const struct run_counts *counts, size_t open)
{
    int64_t *told_ms = arg;
    char at[CLOCK_TEXT_MAX];

    if (mono_ms() - *told_ms < TOLD_MS)
        return;
    *told_ms = mono_ms();
    fprintf(stderr, "bench_simulate: at %s, %" PRId64 " calls, %zu at once\n",
            clock_text(next_ms, at), counts->calls, open);
}

static void simulate(const struct scene *scene, const struct sim_store_ops *store,
                     void *arg, int64_t look_ms, struct run_counts *counts)
{
    int64_t told_ms = mono_ms();
    struct network network;

    network_default(&network);
    const struct run_options o = {.seed = SEED,
                                  .network = &network,
                                  .store = store,
                                  .store_arg = arg,
                                  .look_ms = look_ms,
                                  .progress = tell,
                                  .progress_arg = &told_ms};
    if (run_simulation(scene, &o, counts))
        die(pg_error(pg));
}

static void in_memory(int64_t contacts)
{
    struct campaign_row row = sim_people(pg, "large", PATTERN, 200, 4000, "");
    struct scene_source source;
    struct run_counts counts;
    int64_t began_us = mono_us();
    double began_s = cpu_s();

    load(&row, contacts, SCENE_DAYS_MAX, &source);
    int64_t loaded_us = mono_us();
    run_counts_init(&counts, &source.scene);
    struct memory *m = memory_new(&source.scene, NULL, true, run_count_refusal, &counts);
    simulate(&source.scene, &memory_ops, m, 0, &counts);
    int64_t done_us = mono_us();
    int64_t refusals = 0;
    for (size_t i = 0; i < counts.refusals.n; i++)
        refusals += counts.refusals.at[i].n;
    printf("{\"bench\":\"simulate\",\"contacts\":%" PRId64 ",\"calls\":%" PRId64
           ",\"answered\":%" PRId64 ",\"refusals\":%" PRId64
           ",\"simulated_hours\":%" PRId64 ",\"seconds\":%.2f,\"cpu_seconds\":%.2f,\"of_"
           "which_reading\":%.2f,\"peak_mb\":%" PRId64 "}\n",
           contacts, counts.calls, counts.ends[DISPOSITION_COMPLETED], refusals,
           (counts.last_end_ms - T0) / 3600000, (double)(done_us - began_us) / 1e6,
           cpu_s() - began_s, (double)(loaded_us - began_us) / 1e6, peak_mb());
    fflush(stdout);
    memory_free(m);
    run_counts_free(&counts);
    scene_free(&source);
}

static int64_t compared(struct pg *super, int64_t contacts)
{
    struct campaign_row row =
        sim_people(pg, "compared", contacts, 100, 4000, ",\"numbers\":\"one_by_one\"");
    struct scene_source source;
    struct run_counts counts[2];

    sim_ledger_order_ties(pg, super);
    load(&row, 0, 4, &source);
    const struct scene *s = &source.scene;
    int64_t began_us = mono_us();
    run_counts_init(&counts[0], s);
    struct memory *m = memory_new(s, NULL, false, run_count_refusal, &counts[0]);
    simulate(s, &memory_ops, m, LOOK_MS, &counts[0]);
    int64_t memory_us = mono_us();
    run_counts_init(&counts[1], s);
    struct sim_ledger *l = sim_ledger_new(pg, s);
    simulate(s, &sim_ledger_ops, l, LOOK_MS, &counts[1]);
    if (sim_ledger_flush(l))
        die(pg_error(pg));
    int64_t postgres_us = mono_us();
    int64_t differences = sim_ledger_differences(pg, s, m);
    printf("{\"bench\":\"simulate\",\"compared\":%" PRId64 ",\"calls\":%" PRId64
           ",\"differences\":%" PRId64 ",\"in_memory_s\":%.2f,\"in_postgres_s\":%.2f}\n",
           contacts, counts[0].calls, differences, (double)(memory_us - began_us) / 1e6,
           (double)(postgres_us - memory_us) / 1e6);
    sim_ledger_free(l);
    memory_free(m);
    run_counts_free(&counts[0]);
    run_counts_free(&counts[1]);
    scene_free(&source);
    return differences;
}

int main(int argc, char **argv)
{
    int64_t contacts = 1000000, compare = 10000;

    if ((argc > 1 && (!str_to_i64(argv[1], &contacts) || contacts < 1)) ||
        (argc > 2 && (!str_to_i64(argv[2], &compare) || compare < 0))) {
        fprintf(stderr, "usage: bench_simulate [CONTACTS [COMPARED]]\n");
        return 2;
    }
    setenv("FURROW_PACKS_DIR", SOURCE_DIR "/tests/data/packs", 0);
    pgtest_start(PGTEST_POSTGRES);
    pg = pgtest_open();
    struct pg *super = pgtest_open_super();
    ledger_fixture_start(pg);
    in_memory(contacts);
    ledger_run(pg, "DELETE FROM campaign_contacts");
    ledger_run(pg, "DELETE FROM contacts");
    ledger_run(pg, "DELETE FROM consents");
    ledger_run(pg, "DELETE FROM dnc_entries");
    ledger_run(pg, "DELETE FROM attempts");
    int64_t differences = compare > 0 ? compared(super, compare) : 0;
    pg_close(super);
    pg_close(pg);
    return differences > 0;
}
