/*
 * 1,000 jobs that each wait a second on an HTTP service, in one worker process: wall time
 * from when they are there (the commit; for volatile ones the begin of sending) until all
 * are written down as done, the process's peak
 * memory, and how many Postgres connections it had. Once with a durable kind, once with a
 * volatile one. JSON lines, then the medians.
 *
 *   bench_waits [--rounds N]
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/http.h"
#include "base/pg.h"
#include "base/redis.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "campaigns/job_store.h"
#include "store/pgtest.h"
#include "workers/pool.h"
#include "workers/volatile_pool.h"

enum {
    JOBS = 1000,
    WAIT_MS = 1000,
    CONNECTIONS = 4,
    ROUNDS = 5,
    ROUNDS_MAX = 50,
    BOUND_MS = 60000,
    AIM_MS = 1500,
    AIM_MIB = 150,
    AIM_CONNECTIONS = 20,
    FD_MAX = 8192,
};

static char url[64];
static struct seen { /* by the worker, for the parent */
    atomic_llong first_us, last_us, answered_us;
} * seen;

static void must(int err, const char *what)
{
    if (!err)
        return;
    fprintf(stderr, "bench_waits: %s: %d\n", what, err);
    exit(1);
}

/* ---- the service: answers each request a second after it came ---- */

struct answer {
    int fd;
    int64_t at_ms;
};

static int listen_here(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(a);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    must(fd < 0 || bind(fd, (struct sockaddr *)&a, len) || listen(fd, 4096) ||
             getsockname(fd, (struct sockaddr *)&a, &len),
         "listen");
    snprintf(url, sizeof(url), "http://127.0.0.1:%d/", ntohs(a.sin_port));
    return fd;
}

static void serve(int listener)
{
    static const char said[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";
    static struct answer queue[FD_MAX]; /* all wait as long: first come, first served */
    int first = 0, count = 0, ep = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event events[256], e = {.events = EPOLLIN, .data.fd = listener};
    char buf[4096];

    must(ep < 0 || epoll_ctl(ep, EPOLL_CTL_ADD, listener, &e), "epoll");
    for (;;) {
        int64_t wait_ms = count > 0 ? queue[first].at_ms - mono_ms() : BOUND_MS;
        int n = epoll_wait(ep, events, ARRAY_LEN(events), wait_ms > 0 ? (int)wait_ms : 0);
        for (int i = 0; i < n; i++) {
            int fd = events[i].data.fd;
            if (fd == listener) {
                while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
                    e.data.fd = fd;
                    must(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e), "epoll");
                }
            } else if (recv(fd, buf, sizeof(buf), 0) <= 0) {
                close(fd);
            } else if (count < FD_MAX) { /* these requests fit in one read */
                queue[(first + count++) % FD_MAX] =
                    (struct answer){fd, mono_ms() + WAIT_MS};
            }
        }
        while (count > 0 && queue[first].at_ms <= mono_ms()) {
            (void)!send(queue[first].fd, said, sizeof(said) - 1, MSG_NOSIGNAL);
            first = (first + 1) % FD_MAX;
            count--;
        }
    }
}

/* ---- the worker ---- */

static enum job_result run(struct job_ctx *ctx, const struct job *job)
{
    CLEANUP(http_resp_free) struct http_resp resp = {0};

    (void)job;
    long long none = 0, now = mono_us();
    atomic_compare_exchange_strong(&seen->first_us, &none, now);
    atomic_store(&seen->last_us, now);
    int err =
        http_do(ctx->http, &(struct http_req){.url = url, .timeout_ms = BOUND_MS}, &resp);
    atomic_store(&seen->answered_us, mono_us());
    if (err)
        return job_http_error(ctx, err, "service", resp.error);
    return resp.status == 200 ? JOB_DONE : JOB_RETRY;
}

static const struct job_kind wait_durable = {.name = "wait", .slow = true, .run = run};
static const struct job_kind wait_volatile = {
    .name = "wait", .storage = JOB_VOLATILE, .slow = true, .run = run};
static const struct job_kind *const durable_kinds[] = {&wait_durable};
static const struct job_kind *const volatile_kinds[] = {&wait_volatile};

static struct volatile_options volatile_queue_options(void)
{
    return (struct volatile_options){.redis_url = pgtest_redis_url(),
                                     .installation = "bench",
                                     .holder = "bench",
                                     .kinds = volatile_kinds,
                                     .kind_count = 1,
                                     .lease_ms = 60000};
}

static void work_durable(void)
{
    struct errtext e = {0};
    struct pool *p = NULL;
    const struct pool_options options = {.queue = {.database_url = pgtest_url(),
                                                   .redis_url = pgtest_redis_url(),
                                                   .holder = "bench",
                                                   .kinds = durable_kinds,
                                                   .kind_count = 1,
                                                   .lease_ms = 60000,
                                                   .republish_ms = 60000},
                                         .threads = JOBS,
                                         .quota = {JOBS},
                                         .connections = CONNECTIONS,
                                         .retry_base_ms = 100,
                                         .retry_max_ms = 1000,
                                         .sweep_ms = 500};

    must(pool_start(&p, &options, &e), e.text);
}

static void work_volatile(void)
{
    struct errtext e = {0};
    struct volatile_pool *p = NULL;
    const struct volatile_pool_options options = {.queue = volatile_queue_options(),
                                                  .threads = JOBS,
                                                  .retry_base_ms = 100,
                                                  .retry_max_ms = 1000};

    must(volatile_pool_start(&p, &options, &e), e.text);
}

static pid_t start_worker(bool durable)
{
    int ends[2];
    char ready;

    must(pipe2(ends, O_CLOEXEC), "pipe");
    pid_t pid = fork();
    must(pid < 0, "fork");
    if (pid == 0) {
        if (durable)
            work_durable();
        else
            work_volatile();
        (void)!write(ends[1], "r", 1);
        pause();
        _exit(0);
    }
    must(read(ends[0], &ready, 1) != 1, "the worker did not start");
    close(ends[0]);
    close(ends[1]);
    return pid;
}

/* ---- measuring ---- */

struct measured {
    double sent_ms, first_ms, last_ms, answered_ms, wall_ms, peak_mib;
    int64_t connections;
};

static double peak_mib(pid_t pid)
{
    char path[64], line[256];
    long kib = 0;

    snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
    FILE *f = fopen(path, "re");
    must(!f, path);
    while (fgets(line, sizeof(line), f))
        if (strncmp(line, "VmHWM:", 6) == 0)
            kib = strtol(line + 6, NULL, 10);
    fclose(f);
    return (double)kib / 1024;
}

static void send_durable(struct pg *pg, int round)
{
    char key[32];

    must(pg_begin(pg, 1), "begin");
    for (int i = 0; i < JOBS; i++) {
        snprintf(key, sizeof(key), "%d-%d", round, i);
        must(job_enqueue(pg, 1, "wait", key, NULL, clock_real_ms(), 0), "enqueue");
    }
    must(pg_commit(pg), "commit");
}

static void send_volatile(struct volatile_queue *q)
{
    static struct volatile_job jobs[JOBS];
    int sent = 0;

    for (int i = 0; i < JOBS; i++)
        jobs[i] = (struct volatile_job){.kind = &wait_volatile, .tenant_id = 1};
    must(volatile_send(q, jobs, JOBS, &sent), "send");
}

static bool is_over(struct pg *pg, struct volatile_queue *q, bool durable)
{
    struct volatile_depth d = {0};

    if (durable)
        return pgtest_i64(pg, 1, "SELECT count(*) FROM jobs WHERE state = 'done'") ==
               JOBS;
    must(volatile_depth(q, 0, &d), "depth");
    return d.waiting + d.taken + d.later == 0;
}

static struct measured measure(struct pg *super, struct pg *pg, bool durable, int round)
{
    const struct volatile_options o = volatile_queue_options();
    struct volatile_queue *q = NULL;
    struct errtext e = {0};
    struct measured m = {0};

    must(volatile_queue_open(&q, &o, &e), e.text);
    pgtest_run(pg, 1, "DELETE FROM outbox");
    pgtest_run(pg, 1, "DELETE FROM jobs");
    pid_t worker = start_worker(durable);
    atomic_store(&seen->first_us, 0);
    int64_t from_us = mono_us();
    if (durable)
        send_durable(pg, round);
    else
        send_volatile(q);
    m.sent_ms = (double)(mono_us() - from_us) / 1000;
    if (durable) /* they are there with the commit, which was the last of it */
        from_us = mono_us();
    while (!is_over(pg, q, durable)) {
        must(mono_us() - from_us > (int64_t)BOUND_MS * 1000, "not over in time");
        poll(NULL, 0, 10);
    }
    m.wall_ms = (double)(mono_us() - from_us) / 1000;
    m.first_ms = (double)(atomic_load(&seen->first_us) - from_us) / 1000;
    m.last_ms = (double)(atomic_load(&seen->last_us) - from_us) / 1000;
    m.answered_ms = (double)(atomic_load(&seen->answered_us) - from_us) / 1000;
    m.peak_mib = peak_mib(worker);
    m.connections = pgtest_i64(super, 0,
                               "SELECT count(*) FROM pg_stat_activity WHERE "
                               "application_name LIKE 'furrow-worker%'");
    kill(worker, SIGKILL);
    waitpid(worker, NULL, 0);
    volatile_queue_close(q);
    return m;
}

static int by_double(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static void measure_all(struct pg *super, struct pg *pg, bool durable, int rounds)
{
    const char *name = durable ? "durable" : "volatile";
    double walls[ROUNDS_MAX], most_mib = 0;
    int64_t most_connections = 0;

    for (int i = 0; i < rounds; i++) {
        struct measured m = measure(super, pg, durable, i);
        walls[i] = m.wall_ms;
        most_mib = m.peak_mib > most_mib ? m.peak_mib : most_mib;
        most_connections =
            m.connections > most_connections ? m.connections : most_connections;
        printf("{\"bench\":\"waits\",\"kind\":\"%s\",\"round\":%d,\"sent_ms\":%.0f,"
               "\"first_start_ms\":%.0f,\"last_start_ms\":%.0f,\"last_answer_ms\":%.0f,"
               "\"wall_ms\":%.0f,\"peak_mib\":%.0f,\"pg_connections\":%lld}\n",
               name, i + 1, m.sent_ms, m.first_ms, m.last_ms, m.answered_ms, m.wall_ms,
               m.peak_mib, (long long)m.connections);
        fflush(stdout);
    }
    qsort(walls, (size_t)rounds, sizeof(*walls), by_double);
    bool met = walls[rounds / 2] <= AIM_MS && most_mib <= AIM_MIB &&
               most_connections <= AIM_CONNECTIONS;
    printf("{\"bench\":\"waits\",\"kind\":\"%s\",\"jobs\":%d,\"each_ms\":%d,"
           "\"median_wall_ms\":%.0f,\"most_mib\":%.0f,\"most_pg_connections\":%lld,"
           "\"met\":%s}\n",
           name, JOBS, WAIT_MS, walls[rounds / 2], most_mib, (long long)most_connections,
           met ? "true" : "false");
}

int main(int argc, char **argv)
{
    int64_t rounds = ROUNDS;

    if (argc == 3 && str_is(argv[1], "--rounds"))
        must(!str_to_i64(argv[2], &rounds) || rounds < 1 || rounds > ROUNDS_MAX,
             "--rounds");
    seen = mmap(NULL, sizeof(*seen), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
                -1, 0);
    must(seen == MAP_FAILED, "mmap");
    pgtest_start(PGTEST_POSTGRES_AND_REDIS);
    int listener = listen_here();
    pid_t service = fork();
    if (service == 0)
        serve(listener);
    close(listener);
    struct pg *pg = pgtest_open(), *super = pgtest_open_super();
    measure_all(super, pg, true, (int)rounds);
    measure_all(super, pg, false, (int)rounds);
    pg_close(pg);
    pg_close(super);
    kill(service, SIGKILL);
    waitpid(service, NULL, 0);
    return 0;
}
