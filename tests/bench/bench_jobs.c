/*
 * Durable jobs that do nothing. JSON lines:
 *   enqueue          how many a second a program enqueues, alone, a statement each
 *   enqueue_to_done  how many a second one program enqueues by the thousand while a pool
 *                    does them, until the last is done, and how long they waited
 *   drain            how many a second a pool does of what waits already
 *   enqueue_to_start how long one waits when there is nothing else
 *   paced            the same at 500 jobs a second
 */
#include <dirent.h>
#include <poll.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/pg.h"
#include "base/redis.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "campaigns/job_store.h"
#include "store/pgtest.h"
#include "workers/pool.h"

enum {
    JOBS = 50000,
    BATCH = 1000,
    SINGLES = 5000,
    PROBES = 1000,
    PACED = 2500,
    PACE_US = 2000,
    THREADS = 16,
    BOUND_MS = 240000,
};

static atomic_int done;
static atomic_int next_key;
static int64_t *waited_us; /* by key, of those that carry their time */
static sem_t started;      /* the waiter must not spin: it would measure itself */

/* {"at": µs}: how long it waited. */
static enum job_result run(struct job_ctx *ctx, const struct job *job)
{
    const json_t *at = json_object_get(job->payload, "at");

    (void)ctx;
    if (at) {
        int64_t us = mono_us() - json_integer_value(at);
        waited_us[json_integer_value(json_object_get(job->payload, "i"))] =
            us > 0 ? us : 0;
    }
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

static double redis_s(void)
{
    CLEANUP(redis_reply_free) redisReply *reply = NULL;
    struct errtext e = {0};
    struct redis *r = NULL;
    double sum = 0;

    must(redis_open(&r, pgtest_redis_url(), &e), e.text);
    must(redis_cmd(r, &reply, "INFO cpu"), "INFO");
    for (const char *p = reply->str; p && (p = strstr(p, "used_cpu_"));) {
        if (strncmp(p, "used_cpu_sys:", 13) == 0 || strncmp(p, "used_cpu_user:", 14) == 0)
            sum += strtod(strchr(p, ':') + 1, NULL);
        p += 9;
    }
    redis_close(r);
    return sum;
}

/* Seconds of processor time of a process and of its children that have ended. */
static double process_s(const char *pid, long *parent)
{
    CLEANUP(free_cleanup) char *path = xasprintf("/proc/%s/stat", pid);
    char line[1024] = "", *end;
    long long t[4] = {0};
    FILE *f = fopen(path, "r");

    *parent = 0;
    if (!f)
        return 0;
    bool read = fgets(line, sizeof(line), f) != NULL;
    fclose(f);
    if (!read || !(end = strrchr(line, ')')) ||
        sscanf(end + 2, "%*c %ld %*d %*d %*d %*d %*u %*u %*u %*u %*u %lld %lld %lld %lld",
               parent, &t[0], &t[1], &t[2], &t[3]) != 5)
        return 0;
    return (double)(t[0] + t[1] + t[2] + t[3]) / (double)sysconf(_SC_CLK_TCK);
}

/* Of this process, of this bench's Postgres and of its Redis: on a machine that does
 * other work too, this says more than the clock. */
static double cpu_s(void)
{
    CLEANUP(free_cleanup)
    char *path = xasprintf("%s/postgres/postmaster.pid", pgtest_dir());
    char postmaster[32] = "";
    double sum = (double)clock() / CLOCKS_PER_SEC;
    FILE *f = fopen(path, "r");
    DIR *dir = opendir("/proc");

    must(!f || !dir || !fgets(postmaster, sizeof(postmaster), f), "postmaster.pid");
    postmaster[strcspn(postmaster, "\n")] = '\0';
    fclose(f);
    long master = strtol(postmaster, NULL, 10);
    for (struct dirent *d; (d = readdir(dir));) {
        long parent = 0;
        if (d->d_name[0] < '1' || d->d_name[0] > '9')
            continue;
        double s = process_s(d->d_name, &parent);
        if (parent == master || strcmp(d->d_name, postmaster) == 0)
            sum += s;
    }
    closedir(dir);
    return sum + redis_s();
}

static int by_value(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

static double percentile_ms(int n, int percent)
{
    qsort(waited_us, (size_t)n, sizeof(*waited_us), by_value);
    return (double)waited_us[(int64_t)(n - 1) * percent / 100] / 1000;
}

/* n jobs in one statement; index of the first for its waiting time, or -1. */
static void enqueue_many(struct pg *pg, int n, int index)
{
    CLEANUP(free_cleanup) struct job_new *jobs = xcalloc((size_t)n, sizeof(*jobs));
    char(*keys)[16] = xcalloc((size_t)n, sizeof(*keys));

    for (int i = 0; i < n; i++) {
        snprintf(keys[i], sizeof(keys[i]), "%d", atomic_fetch_add(&next_key, 1));
        jobs[i] = (struct job_new){.kind = "nothing", .key = keys[i]};
        if (index >= 0)
            jobs[i].payload =
                json_pack("{s:I, s:i}", "at", (json_int_t)mono_us(), "i", index + i);
    }
    must(pg_begin(pg, 1), "begin");
    must(job_enqueue_many(pg, 1, jobs, (size_t)n, clock_real_ms(), NULL), "enqueue");
    must(pg_commit(pg), "commit");
    for (int i = 0; i < n; i++)
        json_decref(jobs[i].payload);
    free(keys);
}

static void enqueue_singly(struct pg *pg)
{
    int64_t from_ms = mono_ms();
    char key[32];

    must(pg_begin(pg, 1), "begin");
    for (int i = 0; i < SINGLES; i++) {
        snprintf(key, sizeof(key), "single-%d", i);
        must(job_enqueue(pg, 1, "nothing", key, NULL, clock_real_ms(), 0), "enqueue");
    }
    must(pg_commit(pg), "commit");
    printf("{\"bench\":\"jobs\",\"what\":\"enqueue\",\"n\":%d,\"per_s\":%.0f}\n", SINGLES,
           SINGLES * 1000.0 / (double)(mono_ms() - from_ms));
    fflush(stdout);
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
           pgtest_i64(pg, 1, "SELECT count(*) FROM jobs WHERE finished_at IS NULL") > 0) {
        must(mono_ms() > end_ms, "not drained in time");
        poll(NULL, 0, 5);
    }
    while (sem_trywait(&started) == 0)
        ;
}

static void enqueue_to_done(struct pg *pg, int64_t done_before)
{
    double from_cpu_s = cpu_s();
    int64_t from_ms = mono_ms();

    for (int i = 0; i < JOBS; i += BATCH)
        enqueue_many(pg, BATCH, i);
    double enqueue_s = (double)(mono_ms() - from_ms) / 1000;
    wait_done(pg, done_before + JOBS);
    double all_s = (double)(mono_ms() - from_ms) / 1000;
    printf("{\"bench\":\"jobs\",\"what\":\"enqueue_to_done\",\"n\":%d,\"batch\":%d,"
           "\"threads\":%d,\"per_s\":%.0f,\"enqueue_s\":%.2f,\"ran\":%d,",
           JOBS, BATCH, THREADS, JOBS / all_s, enqueue_s, atomic_load(&done));
    printf("\"cpu_us_per_job\":%.0f,\"wait_p50_ms\":%.1f,\"wait_p99_ms\":%.1f}\n",
           (cpu_s() - from_cpu_s) * 1e6 / JOBS, percentile_ms(JOBS, 50),
           percentile_ms(JOBS, 99));
    fflush(stdout);
}

static void drain(struct pg *pg)
{
    int64_t from_ms = mono_ms(), before = atomic_load(&done);

    for (int i = 0; i < JOBS; i += BATCH)
        enqueue_many(pg, BATCH, -1);
    double enqueue_s = (double)(mono_ms() - from_ms) / 1000;
    from_ms = mono_ms();
    struct pool *pool = start();
    wait_done(pg, before + JOBS);
    double s = (double)(mono_ms() - from_ms) / 1000;
    printf(
        "{\"bench\":\"jobs\",\"what\":\"drain\",\"n\":%d,\"threads\":%d,\"per_s\":%.0f,"
        "\"enqueue_many_per_s\":%.0f}\n",
        JOBS, THREADS, JOBS / s, JOBS / enqueue_s);
    fflush(stdout);
    pool_stop(pool, 1000);
}

static void wait_started(void)
{
    struct timespec end;

    clock_gettime(CLOCK_REALTIME, &end);
    end.tv_sec += BOUND_MS / 1000;
    must(sem_timedwait(&started, &end), "no start");
}

static void probe(struct pg *pg)
{
    for (int i = 0; i < PROBES; i++) {
        enqueue_many(pg, 1, i);
        wait_started();
        if (i % 10 == 0)
            poll(NULL, 0, 60); /* some find the relay asleep */
    }
    printf("{\"bench\":\"jobs\",\"what\":\"enqueue_to_start\",\"n\":%d,\"p50_ms\":%.2f,"
           "\"p99_ms\":%.2f}\n",
           PROBES, percentile_ms(PROBES, 50), percentile_ms(PROBES, 99));
    fflush(stdout);
}

static void paced(struct pg *pg)
{
    int64_t from_us = mono_us(), before = atomic_load(&done);

    for (int i = 0; i < PACED; i++) {
        int64_t wait = from_us + (int64_t)i * PACE_US - mono_us();
        if (wait > 0)
            nanosleep(&(struct timespec){.tv_nsec = (long)wait * 1000}, NULL);
        enqueue_many(pg, 1, i);
    }
    wait_done(pg, before + PACED);
    printf("{\"bench\":\"jobs\",\"what\":\"paced\",\"per_s\":%d,\"n\":%d,\"p50_ms\":%.2f,"
           "\"p99_ms\":%.2f}\n",
           1000000 / PACE_US, PACED, percentile_ms(PACED, 50), percentile_ms(PACED, 99));
}

int main(void)
{
    sem_init(&started, 0, 0);
    waited_us = xcalloc(JOBS, sizeof(*waited_us));
    pgtest_start(PGTEST_POSTGRES_AND_REDIS);
    struct pg *pg = pgtest_open();

    enqueue_singly(pg);
    struct pool *pool = start();
    wait_done(pg, SINGLES);
    enqueue_to_done(pg, SINGLES);
    probe(pg);
    paced(pg);
    pool_stop(pool, 1000);
    drain(pg);
    pg_close(pg);
    free(waited_us);
    return 0;
}
