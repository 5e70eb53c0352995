/*
 * Losable jobs beside BullMQ on the same Redis, in turns: how many no-op jobs one worker
 * process drains, and how long one takes from being sent to its start at 500 a second.
 * Each measurement is processes of its own (a worker; a sender). JSON lines: every run,
 * then the medians and the ratio. Without the peer (tests/bench/bullmq/install.sh) it
 * says so and ends with 1.
 *
 *   bench_volatile [--rounds N] [--ours]
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <jansson.h>

#include "base/clock.h"
#include "base/redis.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "store/pgtest.h"
#include "workers/volatile_pool.h"

enum {
    DRAIN = 50000,
    PEER_DRAIN = 20000,
    LATE = 5000,
    PER_S = 500,
    THREADS = 8,
    CONCURRENCY = 100, /* the peer's */
    ROUNDS = 5,
    ROUNDS_MAX = 50,
    SEND = 1000,
    BOUND_MS = 120000,
};

static atomic_int done;
static int64_t late_us[LATE];
static atomic_bool timed;

static enum job_result run(struct job_ctx *ctx, const struct job *job)
{
    (void)ctx;
    int i = atomic_fetch_add(&done, 1);
    if (atomic_load(&timed))
        late_us[i] = mono_us() - json_integer_value(json_object_get(job->payload, "at"));
    return JOB_DONE;
}

static const struct job_kind nothing = {
    .name = "nothing", .storage = JOB_VOLATILE, .run = run};
static const struct job_kind *const kinds[] = {&nothing};

static void must(int err, const char *what)
{
    if (!err)
        return;
    fprintf(stderr, "bench_volatile: %s: %d\n", what, err);
    exit(1);
}

static const struct volatile_options *queue_options(void)
{
    static struct volatile_options o;

    o = (struct volatile_options){.redis_url = pgtest_redis_url(),
                                  .installation = "bench",
                                  .holder = "bench",
                                  .kinds = kinds,
                                  .kind_count = 1,
                                  .lease_ms = 60000};
    return &o;
}

static struct volatile_queue *open_queue(void)
{
    struct errtext e = {0};
    struct volatile_queue *q = NULL;

    must(volatile_queue_open(&q, queue_options(), &e), e.text);
    return q;
}

static struct volatile_pool *start_pool(void)
{
    struct errtext e = {0};
    struct volatile_pool *p = NULL;
    const struct volatile_pool_options o = {.queue = *queue_options(),
                                            .threads = THREADS,
                                            .retry_base_ms = 100,
                                            .retry_max_ms = 1000};

    must(volatile_pool_start(&p, &o, &e), e.text);
    return p;
}

static void wait_done(struct volatile_queue *q, int n)
{
    int64_t end_ms = mono_ms() + BOUND_MS;
    struct volatile_depth d = {0};

    while (atomic_load(&done) < n) {
        must(mono_ms() > end_ms, "not drained in time");
        poll(NULL, 0, 1);
    }
    do /* and acknowledged */
        must(volatile_depth(q, 0, &d), "depth");
    while (d.waiting + d.taken > 0 && poll(NULL, 0, 1) == 0);
}

/* ---- ours, each in a process of its own ---- */

static void drain_ours(int out)
{
    struct volatile_queue *q = open_queue();
    struct volatile_job *jobs = xcalloc(SEND, sizeof(*jobs));
    int sent = 0;

    for (int i = 0; i < DRAIN; i += SEND) {
        for (int k = 0; k < SEND; k++)
            jobs[k] = (struct volatile_job){.kind = &nothing,
                                            .tenant_id = 1,
                                            .payload = json_pack("{s:i}", "n", i + k)};
        must(volatile_send(q, jobs, SEND, &sent), "send");
        for (int k = 0; k < SEND; k++)
            json_decref(jobs[k].payload);
    }
    int64_t from_us = mono_us();
    struct volatile_pool *p = start_pool();
    wait_done(q, DRAIN);
    double s = (double)(mono_us() - from_us) / 1e6;
    dprintf(out, "{\"per_s\":%.0f}\n", DRAIN / s);
    volatile_pool_stop(p, 1000);
    volatile_queue_close(q);
    free(jobs);
}

static int by_value(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

static void work_ours(int out)
{
    struct volatile_queue *q = open_queue();

    atomic_store(&timed, true);
    struct volatile_pool *p = start_pool();
    dprintf(out, "{\"ready\":true}\n");
    wait_done(q, LATE);
    enum { WARM = LATE / 10, N = LATE - WARM };
    qsort(late_us + WARM, N, sizeof(*late_us), by_value);
    dprintf(out, "{\"p50_ms\":%.3f,\"p99_ms\":%.3f,\"max_ms\":%.3f}\n",
            (double)late_us[WARM + N / 2] / 1000,
            (double)late_us[WARM + N * 99 / 100] / 1000,
            (double)late_us[LATE - 1] / 1000);
    volatile_pool_stop(p, 1000);
    volatile_queue_close(q);
}

static void send_ours(int out)
{
    struct volatile_queue *q = open_queue();
    int64_t from_us = mono_us();
    int sent = 0;

    for (int i = 0; i < LATE; i++) {
        int64_t wait_us = from_us + (int64_t)i * 1000000 / PER_S - mono_us();
        const struct timespec t = {.tv_sec = wait_us / 1000000,
                                   .tv_nsec = wait_us % 1000000 * 1000};
        if (wait_us > 0)
            nanosleep(&t, NULL);
        json_t *payload = json_pack("{s:I}", "at", (json_int_t)mono_us());
        const struct volatile_job job = {
            .kind = &nothing, .tenant_id = 1, .payload = payload};
        must(volatile_send(q, &job, 1, &sent), "send");
        json_decref(payload);
    }
    dprintf(out, "{\"sent\":%d}\n", LATE);
    volatile_queue_close(q);
}

/* ---- processes ---- */

struct child {
    pid_t pid;
    FILE *from;
};

/* ours: a role in a fork of this process; else peer.js with those arguments. */
static struct child spawn(void (*ours)(int), const char *const *peer)
{
    struct child c = {0};
    int ends[2];

    must(pipe2(ends, O_CLOEXEC), "pipe");
    c.pid = fork();
    must(c.pid < 0, "fork");
    if (c.pid == 0 && ours) {
        ours(ends[1]);
        _exit(0);
    }
    if (c.pid == 0) {
        const char *argv[12] = {"node", "build/bullmq/peer.js"};
        for (int i = 0; peer[i] && i < 8; i++)
            argv[i + 2] = peer[i];
        dup2(ends[1], STDOUT_FILENO);
        must(chdir(SOURCE_DIR), "chdir");
        execvp(argv[0], (char *const *)(uintptr_t)argv);
        _exit(127);
    }
    close(ends[1]);
    c.from = fdopen(ends[0], "r");
    return c;
}

/* The next line of JSON; NULL when it ended without one. */
static json_t *hear(struct child *c)
{
    char line[512];

    return fgets(line, sizeof(line), c->from) ? json_loads(line, 0, NULL) : NULL;
}

static void end(struct child *c)
{
    int status = 0;

    fclose(c->from);
    waitpid(c->pid, &status, 0);
    must(status, "a measuring process failed");
}

static void flush(void)
{
    struct errtext e = {0};
    struct redis *r = NULL;

    must(redis_open(&r, pgtest_redis_url(), &e), e.text);
    must(redis_cmd(r, NULL, "FLUSHALL"), "flush");
    redis_close(r);
}

static const char *socket_path(void)
{
    return pgtest_redis_url() + strlen("unix://");
}

static const char *text(int n)
{
    static char ring[8][16];
    static int next;
    char *t = ring[next++ % 8];

    snprintf(t, sizeof(ring[0]), "%d", n);
    return t;
}

static double drain(bool peer)
{
    const char *const args[] = {"drain", socket_path(), text(PEER_DRAIN),
                                text(CONCURRENCY), NULL};

    flush();
    struct child c = spawn(peer ? NULL : drain_ours, args);
    json_auto_t *r = hear(&c);
    must(!r, "drain");
    end(&c);
    return json_number_value(json_object_get(r, "per_s"));
}

static void latency(bool peer, double *p50, double *p99)
{
    const char *const work[] = {"work", socket_path(), text(LATE), text(CONCURRENCY),
                                NULL};
    const char *const send[] = {"send", socket_path(), text(LATE), text(PER_S), NULL};

    flush();
    struct child worker = spawn(peer ? NULL : work_ours, work);
    json_auto_t *ready = hear(&worker);
    must(!ready, "worker");
    struct child sender = spawn(peer ? NULL : send_ours, send);
    json_auto_t *sent = hear(&sender);
    json_auto_t *r = hear(&worker);
    must(!sent || !r, "latency");
    end(&sender);
    end(&worker);
    *p50 = json_number_value(json_object_get(r, "p50_ms"));
    *p99 = json_number_value(json_object_get(r, "p99_ms"));
}

/* ---- the table ---- */

enum { OURS, PEER, SIDES };
struct figures {
    double per_s[ROUNDS_MAX], p50[ROUNDS_MAX], p99[ROUNDS_MAX];
};

static int by_double(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double median(const double *v, int n)
{
    double sorted[ROUNDS_MAX];

    memcpy(sorted, v, (size_t)n * sizeof(*v));
    qsort(sorted, (size_t)n, sizeof(*v), by_double);
    return n % 2 ? sorted[n / 2] : (sorted[n / 2 - 1] + sorted[n / 2]) / 2;
}

static void print_row(const char *what, double ours, double peer, bool more_is_better,
                      double aim)
{
    double ratio = more_is_better ? ours / peer : peer / ours;

    printf("{\"bench\":\"volatile\",\"what\":\"%s\",\"ours\":%.3f,\"bullmq\":%.3f,"
           "\"times_better\":%.2f,\"aim\":%.0f,\"met\":%s}\n",
           what, ours, peer, ratio, aim, ratio >= aim ? "true" : "false");
}

static void one_round(struct figures *f, int i, bool with_peer)
{
    static const char *const names[] = {"furrow", "bullmq"};

    for (int k = 0; k < SIDES - !with_peer; k++) {
        int side = (i + k) % (SIDES - !with_peer); /* neither is always the first */
        f[side].per_s[i] = drain(side == PEER);
        latency(side == PEER, &f[side].p50[i], &f[side].p99[i]);
        printf("{\"bench\":\"volatile\",\"round\":%d,\"who\":\"%s\",\"drain_per_s\":%.0f,"
               "\"start_p50_ms\":%.3f,\"start_p99_ms\":%.3f}\n",
               i + 1, names[side], f[side].per_s[i], f[side].p50[i], f[side].p99[i]);
        fflush(stdout);
    }
}

static bool peer_is_there(void)
{
    const char *const args[] = {"version", NULL};
    struct child c = spawn(NULL, args);
    json_auto_t *r = hear(&c);
    int status = 0;

    fclose(c.from);
    waitpid(c.pid, &status, 0);
    if (!r)
        return false;
    char *line = json_dumps(r, JSON_COMPACT);
    printf("{\"bench\":\"volatile\",\"peer\":%s,\"threads\":%d,\"concurrency\":%d}\n",
           line, THREADS, CONCURRENCY);
    free(line);
    return true;
}

int main(int argc, char **argv)
{
    static struct figures f[SIDES];
    int64_t rounds = ROUNDS;
    bool with_peer = true;

    for (int i = 1; i < argc; i++) {
        with_peer &= !str_is(argv[i], "--ours");
        if (str_is(argv[i], "--rounds") && (!argv[++i] || !str_to_i64(argv[i], &rounds) ||
                                            rounds < 1 || rounds > ROUNDS_MAX))
            must(EINVAL, "--rounds");
    }
    pgtest_start(PGTEST_REDIS);
    bool peer = with_peer && peer_is_there();
    for (int i = 0; i < rounds; i++)
        one_round(f, i, peer);
    int n = (int)rounds;
    if (peer) {
        print_row("drain, jobs a second", median(f[OURS].per_s, n),
                  median(f[PEER].per_s, n), true, 5);
        print_row("send to start, p50 ms", median(f[OURS].p50, n), median(f[PEER].p50, n),
                  false, 2);
        print_row("send to start, p99 ms", median(f[OURS].p99, n), median(f[PEER].p99, n),
                  false, 2);
    } else if (with_peer) {
        fprintf(stderr, "bench_volatile: the peer is not there: "
                        "tests/bench/bullmq/install.sh\n");
    }
    return with_peer && !peer;
}
