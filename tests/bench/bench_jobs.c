/*
 * Jobs: how many a second a pool drains when they do nothing, and how long one
 * takes from the commit that enqueues it to its start. JSON lines.
 */
#include <poll.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/pg.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "campaigns/job_store.h"
#include "store/pgtest.h"
#include "workers/pool.h"

enum { JOBS = 50000, BATCH = 1000, PROBES = 1000, THREADS = 16, BOUND_MS = 120000 };

static atomic_int done;
static atomic_llong started_us;
static sem_t started; /* the waiter must not spin: it would measure itself */

static enum job_result run(struct job_ctx *ctx, const struct job *job)
{
    (void)ctx, (void)job;
    atomic_store(&started_us, mono_us());
    atomic_fetch_add(&done, 1);
    sem_post(&started);
    return JOB_DONE;
}

static const struct job_kind nothing = {.name = "nothing", .run = run};
static const struct job_kind *const kinds[] = {&nothing};

static void must(int err, const char *what)
{
    if (!err)
        return;
    fprintf(stderr, "bench_jobs: %s: %d\n", what, err);
    exit(1);
}

static void enqueue(struct pg *pg, int from, int to)
{
    char key[32];

    must(pg_begin(pg, 1), "begin");
    for (int i = from; i < to; i++) {
        snprintf(key, sizeof(key), "%d", i);
        must(job_enqueue(pg, 1, "nothing", key, NULL, clock_real_ms(), 0), "enqueue");
    }
    must(pg_commit(pg), "commit");
}

static struct pool *start(void)
{
    struct errtext e = {0};
    struct pool *pool = NULL;
    const struct pool_options options = {.queue = {.database_url = pgtest_url(),
                                                   .redis_url = pgtest_redis_url(),
                                                   .holder = "bench",
                                                   .kinds = kinds,
                                                   .kind_count = 1,
                                                   .lease_ms = 60000,
                                                   .republish_ms = 60000},
                                         .threads = THREADS,
                                         .retry_base_ms = 100,
                                         .retry_max_ms = 1000,
                                         .sweep_ms = 500};

    must(pool_start(&pool, &options, &e), e.text);
    return pool;
}

static void wait_done(struct pg *pg, int64_t n)
{
    int64_t end_ms = mono_ms() + BOUND_MS;

    /* Counting rows costs as much as doing jobs: only near the end. */
    while (atomic_load(&done) < n ||
           pgtest_i64(pg, 1, "SELECT count(*) FROM jobs WHERE state = 'done'") < n) {
        must(mono_ms() > end_ms, "not drained in time");
        poll(NULL, 0, 20);
    }
}

static int by_value(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

static void wait_started(void)
{
    struct timespec end;

    clock_gettime(CLOCK_REALTIME, &end);
    end.tv_sec += BOUND_MS / 1000;
    must(sem_timedwait(&started, &end), "no start");
}

static void latency(struct pg *pg, struct pool *pool)
{
    static int64_t us[PROBES];

    (void)pool;
    for (int i = 0; i < JOBS; i++)
        wait_started(); /* those of the drain */
    for (int i = 0; i < PROBES; i++) {
        enqueue(pg, JOBS + i, JOBS + i + 1);
        int64_t from_us = mono_us();
        wait_started();
        int64_t took = atomic_load(&started_us) - from_us;
        us[i] = took > 0 ? took : 0;
        if (i % 10 == 0)
            poll(NULL, 0, 60); /* some find the relay asleep */
    }
    qsort(us, PROBES, sizeof(*us), by_value);
    printf("{\"bench\":\"jobs\",\"what\":\"enqueue_to_start\",\"n\":%d,\"p50_ms\":%.2f,"
           "\"p99_ms\":%.2f,\"max_ms\":%.2f}\n",
           PROBES, (double)us[PROBES / 2] / 1000, (double)us[PROBES * 99 / 100] / 1000,
           (double)us[PROBES - 1] / 1000);
}

int main(void)
{
    sem_init(&started, 0, 0);
    pgtest_start(PGTEST_POSTGRES_AND_REDIS);
    struct pg *pg = pgtest_open();
    int64_t from_ms = mono_ms();

    for (int i = 0; i < JOBS; i += BATCH)
        enqueue(pg, i, i + BATCH);
    double enqueue_s = (double)(mono_ms() - from_ms) / 1000;
    printf("{\"bench\":\"jobs\",\"what\":\"enqueue\",\"n\":%d,\"per_s\":%.0f}\n", JOBS,
           JOBS / enqueue_s);
    fflush(stdout);
    from_ms = mono_ms();
    struct pool *pool = start();
    wait_done(pg, JOBS);
    double drain_s = (double)(mono_ms() - from_ms) / 1000;
    printf(
        "{\"bench\":\"jobs\",\"what\":\"drain\",\"n\":%d,\"threads\":%d,\"per_s\":%.0f,"
        "\"ran\":%d}\n",
        JOBS, THREADS, JOBS / drain_s, atomic_load(&done));
    fflush(stdout);
    latency(pg, pool);
    pool_stop(pool, 1000);
    pg_close(pg);
    return 0;
}
