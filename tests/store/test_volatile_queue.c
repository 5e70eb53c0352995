/* Losable jobs on a real Redis: run at least once while it keeps its data, and no more
 * than lost when it does not. */
#include "unit/cm.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/redis.h"
#include "base/xalloc.h"
#include "store/pgtest.h"
#include "workers/pool.h"
#include "workers/volatile_pool.h"

enum { BOUND_MS = 20000, LEASE_MS = 400, SEEN_MAX = 2000, ROOM = 500 };

#define PREFIX "furrow:test:volatile:"

static atomic_int runs, begun, seen[SEEN_MAX];
static atomic_bool gate;         /* shut: jobs wait */
static atomic_llong began_ms[8]; /* of each try */
static int begun_fd = -1;        /* a child tells its parent */
static struct redis *redis;
static struct volatile_queue *sender;
static struct volatile_options sender_options;

/* ---- kinds that can misbehave ---- */

/* {"n": N} is marked as seen; {"fail": N} fails that many times; {"bury": true}. */
static enum job_result run_plain(struct job_ctx *ctx, const struct job *job)
{
    json_int_t n = json_integer_value(json_object_get(job->payload, "n"));
    int64_t end_ms = mono_ms() + BOUND_MS;

    if (ctx->pool)
        abort();
    if (job->attempts <= 8)
        atomic_store(&began_ms[job->attempts - 1], mono_ms());
    atomic_fetch_add(&begun, 1);
    if (begun_fd >= 0 && write(begun_fd, "b", 1) != 1)
        abort();
    while (atomic_load(&gate) && mono_ms() < end_ms)
        poll(NULL, 0, 2);
    atomic_fetch_add(&runs, 1);
    if (json_is_true(json_object_get(job->payload, "bury")))
        return job_say(ctx, JOB_BURY, "cannot ever work");
    if (job->attempts <= json_integer_value(json_object_get(job->payload, "fail")))
        return job_say(ctx, JOB_RETRY, "try %d of %d \"failed\"", job->attempts,
                       job->max_attempts);
    atomic_fetch_add(&seen[n], 1);
    return JOB_DONE;
}

static enum job_result run_durable(struct job_ctx *ctx, const struct job *job)
{
    (void)ctx, (void)job;
    return JOB_DONE;
}

static const struct job_kind plain = {
    .name = "plain", .storage = JOB_VOLATILE, .tries = 4, .run = run_plain};
static const struct job_kind slow = {
    .name = "slow", .storage = JOB_VOLATILE, .slow = true, .run = run_plain};
static const struct job_kind durable = {.name = "durable", .run = run_durable};
static const struct job_kind *const kinds[] = {&plain, &slow};
static const struct job_kind *const durable_kinds[] = {&durable};

static struct volatile_options queue_options(const char *holder)
{
    return (struct volatile_options){.redis_url = pgtest_redis_url(),
                                     .installation = "test",
                                     .holder = holder,
                                     .kinds = kinds,
                                     .kind_count = ARRAY_LEN(kinds),
                                     .lease_ms = LEASE_MS};
}

static struct volatile_pool *start_leased(const char *holder, int threads,
                                          int64_t lease_ms)
{
    struct errtext e = {0};
    struct volatile_pool *p = NULL;
    struct volatile_pool_options options = {.queue = queue_options(holder),
                                            .threads = threads,
                                            .retry_base_ms = 80,
                                            .retry_max_ms = 1000};

    options.queue.lease_ms = lease_ms;
    if (volatile_pool_start(&p, &options, &e))
        fail_msg("%s", e.text);
    return p;
}

/* Leases that no busy machine lets lapse. */
static struct volatile_pool *start_pool(const char *holder, int threads)
{
    return start_leased(holder, threads, BOUND_MS);
}

static struct volatile_queue *open_queue(const struct volatile_options *o)
{
    struct errtext e = {0};
    struct volatile_queue *q = NULL;

    if (volatile_queue_open(&q, o, &e))
        fail_msg("%s", e.text);
    return q;
}

/* ---- helpers ---- */

static int64_t ask(const char *command)
{
    CLEANUP(redis_reply_free) redisReply *reply = NULL;

    int err = redis_cmd(redis, &reply, command);
    if (err == EPROTO && strncmp(redis_error(redis), "NOGROUP", 7) == 0)
        return -1; /* the pool has not yet made it */
    assert_int_equal(err, 0);
    return reply->type == REDIS_REPLY_ARRAY ? reply->element[0]->integer : reply->integer;
}

static int send_one(const struct job_kind *kind, int tenant_id, const char *payload,
                    int64_t delay_ms, const char *key, int64_t key_ms)
{
    json_auto_t *json = json_loads(payload, 0, NULL);
    const struct volatile_job job = {.kind = kind,
                                     .tenant_id = tenant_id,
                                     .payload = json,
                                     .delay_ms = delay_ms,
                                     .key = key,
                                     .key_ms = key_ms};
    int sent = -1;

    assert_non_null(json);
    assert_int_equal(volatile_send(sender, &job, 1, &sent), 0);
    return sent;
}

static void send_numbers(const struct job_kind *kind, int from, int to)
{
    struct volatile_job *jobs = xcalloc((size_t)(to - from), sizeof(*jobs));
    int sent = 0;

    for (int i = from; i < to; i++)
        jobs[i - from] = (struct volatile_job){
            .kind = kind, .tenant_id = 1, .payload = json_pack("{s:i}", "n", i)};
    assert_int_equal(volatile_send(sender, jobs, to - from, &sent), 0);
    assert_int_equal(sent, to - from);
    for (int i = from; i < to; i++)
        json_decref(jobs[i - from].payload);
    free(jobs);
}

static void wait_atomic(atomic_int *what, int at_least)
{
    int64_t end_ms = mono_ms() + BOUND_MS;

    while (atomic_load(what) < at_least && mono_ms() < end_ms)
        poll(NULL, 0, 2);
    assert_true(atomic_load(what) >= at_least);
}

static void wait_answer(const char *command, int64_t expected)
{
    int64_t end_ms = mono_ms() + BOUND_MS;

    while (ask(command) != expected && mono_ms() < end_ms)
        poll(NULL, 0, 5);
    assert_int_equal(ask(command), expected);
}

static int seen_from(int from, int to)
{
    int n = 0;

    for (int i = from; i < to; i++)
        n += atomic_load(&seen[i]) > 0;
    return n;
}

static int clean(void **state)
{
    (void)state;
    assert_int_equal(redis_cmd(redis, NULL, "FLUSHALL"), 0);
    atomic_store(&runs, 0);
    atomic_store(&begun, 0);
    atomic_store(&gate, false);
    for (int i = 0; i < SEEN_MAX; i++)
        atomic_store(&seen[i], 0);
    return 0;
}

/* ---- the everyday ---- */

static void every_job_is_run_and_nothing_of_it_is_left(void **state)
{
    struct volatile_pool *a = start_pool("a", 4), *b = start_pool("b", 4);

    (void)state;
    send_numbers(&plain, 0, 1000);
    send_numbers(&slow, 1000, 1100);
    wait_atomic(&runs, 1100);
    assert_int_equal(seen_from(0, 1100), 1100);
    wait_answer("XLEN " PREFIX "plain", 0);
    wait_answer("XLEN " PREFIX "slow", 0);
    assert_int_equal(ask("XPENDING " PREFIX "plain workers"), 0);
    volatile_pool_stop(a, 1000);
    volatile_pool_stop(b, 1000);
    assert_int_equal(atomic_load(&runs), 1100);
}

static void a_failed_job_comes_again_each_time_later(void **state)
{
    struct volatile_pool *p = start_pool("a", 2);

    (void)state;
    send_one(&plain, 1, "{\"n\": 7, \"fail\": 3}", 0, NULL, 0);
    wait_atomic(&seen[7], 1);
    assert_int_equal(atomic_load(&runs), 4);
    /* Half of 80, 160, 320 at least, and not much more than the whole. */
    for (int i = 0, least = 40; i < 3; i++, least *= 2)
        assert_in_range(atomic_load(&began_ms[i + 1]) - atomic_load(&began_ms[i]),
                        least - 2, 2 * least + 2000);
    wait_answer("XLEN " PREFIX "plain", 0);
    assert_int_equal(ask("ZCARD " PREFIX "plain:later"), 0);
    assert_int_equal(ask("XLEN " PREFIX "plain:buried"), 0);
    volatile_pool_stop(p, 1000);
}

static void a_job_is_buried_after_its_kinds_tries_and_can_be_brought_back(void **state)
{
    struct volatile_pool *p = start_pool("a", 2);
    json_t *rows = NULL;
    int64_t n = 0;

    (void)state;
    send_one(&plain, 1, "{\"fail\": 4}", 0, NULL, 0);
    send_one(&plain, 1, "{\"bury\": true}", 0, NULL, 0);
    wait_answer("XLEN " PREFIX "plain:buried", 2);
    assert_int_equal(atomic_load(&runs), 5);
    assert_int_equal(ask("XLEN " PREFIX "plain"), 0);
    assert_int_equal(volatile_buried(sender, 0, 10, &rows), 0);
    assert_int_equal(json_array_size(rows), 2);
    assert_string_equal(
        json_string_value(json_object_get(json_array_get(rows, 0), "why")),
        "try 4 of 4 \"failed\"");
    assert_string_equal(
        json_string_value(json_object_get(json_array_get(rows, 1), "why")),
        "cannot ever work");
    json_decref(rows);
    assert_int_equal(volatile_unbury(sender, 0, false, &n), 0);
    assert_int_equal(n, 2);
    wait_answer("XLEN " PREFIX "plain:buried", 2); /* all four tries again */
    assert_int_equal(atomic_load(&runs), 10);
    assert_int_equal(volatile_unbury(sender, 0, true, &n), 0);
    assert_int_equal(n, 2);
    assert_int_equal(ask("XLEN " PREFIX "plain:buried"), 0);
    assert_int_equal(ask("XLEN " PREFIX "plain"), 0);
    volatile_pool_stop(p, 1000);
}

static void a_job_for_later_waits_for_its_time(void **state)
{
    struct volatile_pool *p = start_pool("a", 2);
    int64_t from_ms = mono_ms();

    (void)state;
    send_one(&plain, 1, "{\"n\": 1}", 300, NULL, 0);
    assert_int_equal(ask("ZCARD " PREFIX "plain:later"), 1);
    wait_atomic(&seen[1], 1);
    assert_in_range(atomic_load(&began_ms[0]) - from_ms, 299, 2000);
    volatile_pool_stop(p, 1000);
}

static void a_job_of_a_taken_key_is_not_sent_until_the_first_is_over(void **state)
{
    (void)state;
    assert_int_equal(send_one(&plain, 1, "{\"n\": 1}", 0, "k", 0), 1);
    assert_int_equal(send_one(&plain, 1, "{\"n\": 2}", 0, "k", 0), 0);
    assert_int_equal(send_one(&plain, 2, "{\"n\": 3}", 0, "k", 0),
                     1);                                              /* another tenant */
    assert_int_equal(send_one(&slow, 1, "{\"n\": 4}", 0, "k", 0), 1); /* another kind */
    struct volatile_pool *p = start_pool("a", 2);
    wait_atomic(&runs, 3);
    wait_answer("EXISTS " PREFIX "plain:key:1:k", 0);
    assert_int_equal(atomic_load(&seen[2]), 0);
    assert_int_equal(send_one(&plain, 1, "{\"n\": 5}", 0, "k", 0), 1);
    wait_atomic(&seen[5], 1);
    /* One that is buried frees its key too. */
    assert_int_equal(send_one(&plain, 1, "{\"bury\": true}", 0, "b", 0), 1);
    wait_answer("XLEN " PREFIX "plain:buried", 1);
    assert_int_equal(ask("EXISTS " PREFIX "plain:key:1:b"), 0);
    volatile_pool_stop(p, 1000);
}

static void a_key_lapses_though_its_job_is_not_over(void **state)
{
    (void)state;
    assert_int_equal(send_one(&plain, 1, "{}", 0, "k", 60), 1);
    assert_int_equal(send_one(&plain, 1, "{}", 0, "k", 60), 0);
    wait_answer("EXISTS " PREFIX "plain:key:1:k", 0);
    assert_int_equal(send_one(&plain, 1, "{}", 0, "k", 60), 1);
    assert_int_equal(ask("XLEN " PREFIX "plain"), 2);
}

static void what_is_no_job_is_buried(void **state)
{
    struct volatile_pool *p = start_pool("a", 2);

    (void)state;
    ask("XLEN " PREFIX "plain");
    assert_int_equal(redis_cmd(redis, NULL, "XADD " PREFIX "plain * hello world"), 0);
    assert_int_equal(redis_cmd(redis, NULL, "XADD " PREFIX "plain * job {}"), 0);
    send_numbers(&plain, 3, 4);
    wait_atomic(&seen[3], 1);
    wait_answer("XLEN " PREFIX "plain:buried", 2);
    wait_answer("XLEN " PREFIX "plain", 0);
    volatile_pool_stop(p, 1000);
}

static void the_depth_says_what_waits_runs_comes_later_and_is_buried(void **state)
{
    struct volatile_depth d = {0};

    (void)state;
    assert_int_equal(volatile_depth(sender, 0, &d), 0); /* no worker ever looked */
    assert_int_equal(d.waiting + d.taken + d.later + d.buried, 0);
    send_one(&plain, 1, "{\"bury\": true}", 0, NULL, 0);
    struct volatile_pool *p = start_pool("a", 1);
    wait_answer("XLEN " PREFIX "plain:buried", 1);
    volatile_pool_stop(p, 1000);
    send_numbers(&plain, 0, 5);
    send_one(&plain, 1, "{}", 60000, NULL, 0);
    struct volatile_options o = queue_options("q");
    struct volatile_queue *q = open_queue(&o);
    struct volatile_entry entries[2];
    const int room[] = {2, 0};
    int n = 0;
    assert_int_equal(volatile_fetch(q, room, 500, entries, 2, &n), 0);
    assert_int_equal(n, 2);
    assert_int_equal(volatile_depth(sender, 0, &d), 0);
    assert_int_equal(d.waiting, 3);
    assert_int_equal(d.taken, 2);
    assert_int_equal(d.later, 1);
    assert_int_equal(d.buried, 1);
    free(entries[0].text);
    free(entries[1].text);
    volatile_queue_close(q);
}

static void a_paused_kind_waits_and_the_others_go_on(void **state)
{
    struct volatile_depth d = {0};

    (void)state;
    assert_int_equal(volatile_pause(sender, 0, true), 0);
    send_numbers(&plain, 0, 5);
    send_numbers(&slow, 10, 13);
    struct volatile_pool *p = start_pool("a", 2);
    wait_atomic(&runs, 3);
    send_numbers(&slow, 13, 16); /* it has looked more than once by then */
    wait_atomic(&runs, 6);
    assert_int_equal(seen_from(0, 5), 0);
    assert_int_equal(volatile_depth(sender, 0, &d), 0);
    assert_int_equal(d.waiting, 5);
    assert_true(d.paused);
    assert_int_equal(volatile_pause(sender, 0, false), 0);
    wait_atomic(&runs, 11);
    assert_int_equal(seen_from(0, 5), 5);
    volatile_pool_stop(p, 1000);
    assert_int_equal(volatile_depth(sender, 0, &d), 0);
    assert_false(d.paused);
}

static void workers_count_tries_and_how_long_they_waited_and_took(void **state)
{
    struct volatile_depth d = {0};
    struct volatile_tally more = {.done = 1, .wait_ms = 5};

    (void)state;
    send_numbers(&plain, 0, 4);
    send_one(&plain, 1, "{\"n\": 4, \"fail\": 1}", 0, NULL, 0);
    send_one(&plain, 1, "{\"bury\": true}", 0, NULL, 0);
    poll(NULL, 0, 20); /* so long they have waited, at least */
    struct volatile_pool *p = start_pool("a", 2);
    wait_atomic(&runs, 7);
    volatile_pool_stop(p, 1000); /* which writes the counts */
    assert_int_equal(volatile_depth(sender, 0, &d), 0);
    assert_int_equal(d.tally.done, 5);
    assert_int_equal(d.tally.retried, 1);
    assert_int_equal(d.tally.buried, 1);
    assert_true(d.tally.wait_ms >= 6 * 20 && d.tally.wait_ms < 7 * BOUND_MS);
    assert_true(d.tally.run_ms >= 0);
    assert_int_equal(volatile_count(sender, 0, &more), 0);
    assert_int_equal(volatile_depth(sender, 0, &d), 0);
    assert_int_equal(d.tally.done, 6);
}

/* ---- workers that die, stall and stop ---- */

static void wait_child_begins(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    char c;

    assert_int_equal(poll(&p, 1, BOUND_MS), 1);
    assert_int_equal(read(fd, &c, 1), 1);
}

static void jobs_of_a_killed_worker_are_run_by_another(void **state)
{
    int ends[2], status = 0;

    (void)state;
    send_numbers(&plain, 0, 200);
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        begun_fd = ends[1];
        atomic_store(&gate, true);
        if (start_pool("child", 2))
            pause();
        _exit(1);
    }
    wait_child_begins(ends[0]);
    wait_answer("XPENDING " PREFIX "plain workers", 200);
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    struct volatile_pool *p = start_leased("heir", 2, LEASE_MS);
    wait_atomic(&runs, 200);
    assert_int_equal(seen_from(0, 200), 200);
    wait_answer("XLEN " PREFIX "plain", 0);
    assert_int_equal(volatile_pool_count(p).taken_over, 200);
    volatile_pool_stop(p, 1000);
    close(ends[0]);
    close(ends[1]);
}

static void a_long_job_keeps_its_lease(void **state)
{
    struct volatile_pool *a = start_leased("a", 1, LEASE_MS);
    struct volatile_pool *b = start_leased("b", 1, LEASE_MS);

    (void)state;
    atomic_store(&gate, true);
    send_numbers(&plain, 0, 1);
    wait_atomic(&begun, 1);
    int64_t end_ms = mono_ms() + (int64_t)3 * LEASE_MS;
    while (mono_ms() < end_ms) {
        assert_int_equal(atomic_load(&begun), 1);
        poll(NULL, 0, 10);
    }
    atomic_store(&gate, false);
    wait_answer("XLEN " PREFIX "plain", 0);
    assert_int_equal(atomic_load(&runs), 1);
    assert_int_equal(volatile_pool_count(a).taken_over, 0);
    assert_int_equal(volatile_pool_count(b).taken_over, 0);
    volatile_pool_stop(a, 1000);
    volatile_pool_stop(b, 1000);
}

static int take_over(struct volatile_queue *q, bool suspects, int expected, int *left)
{
    const int room[] = {ROOM, ROOM};
    static struct volatile_entry entries[VOLATILE_BATCH];
    int64_t end_ms = mono_ms() + BOUND_MS;
    int n = 0;

    do {
        assert_int_equal(
            volatile_take_over(q, room, suspects, entries, VOLATILE_BATCH, &n, left), 0);
        for (int i = 0; i < n; i++)
            free(entries[i].text);
    } while (n + *left < expected && ask("XLEN " PREFIX "plain") > 0 &&
             mono_ms() < end_ms && poll(NULL, 0, 10) == 0);
    return n;
}

static void a_job_that_three_workers_died_with_is_buried(void **state)
{
    struct volatile_options o[4] = {queue_options("w0"), queue_options("w1"),
                                    queue_options("w2"), queue_options("w3")};
    struct volatile_queue *q[4];
    struct volatile_entry entries[2];
    const int room[] = {2, 0};
    int n = 0, left = 0;

    (void)state;
    for (int i = 0; i < 4; i++) {
        o[i].lease_ms = 40;
        q[i] = open_queue(&o[i]);
    }
    send_numbers(&plain, 0, 2);
    assert_int_equal(volatile_fetch(q[0], room, 500, entries, 2, &n), 0);
    assert_int_equal(n, 2);
    free(entries[0].text);
    free(entries[1].text);
    assert_int_equal(take_over(q[1], false, 2, &left), 2);
    /* Two died: suspects, and those one at a time. */
    assert_int_equal(take_over(q[2], false, 2, &left), 0);
    assert_int_equal(left, 2);
    assert_int_equal(take_over(q[2], true, 1, &left), 1);
    assert_int_equal(left, 1);
    assert_int_equal(ask("XLEN " PREFIX "plain:buried"), 0);
    /* The third died too. */
    int64_t end_ms = mono_ms() + BOUND_MS;
    while (ask("XLEN " PREFIX "plain:buried") < 1 && mono_ms() < end_ms)
        take_over(q[3], false, 1, &left);
    assert_int_equal(ask("XLEN " PREFIX "plain:buried"), 1);
    assert_int_equal(ask("XLEN " PREFIX "plain"), 1);
    for (int i = 0; i < 4; i++)
        volatile_queue_close(q[i]);
}

/* Each gives a sign of life once another has its job: busy, stopped for a while, cut off.
 */
static void a_worker_that_is_late_and_lives_is_no_death(void **state)
{
    struct volatile_options o[4] = {queue_options("w0"), queue_options("w1"),
                                    queue_options("w2"), queue_options("w3")};
    struct volatile_queue *q[4];
    struct volatile_entry entry;
    const int room[] = {1, 0};
    int n = 0, left = 0;

    (void)state;
    for (int i = 0; i < 4; i++) {
        o[i].lease_ms = 40;
        q[i] = open_queue(&o[i]);
    }
    send_numbers(&plain, 0, 1);
    assert_int_equal(volatile_fetch(q[0], room, 500, &entry, 1, &n), 0);
    assert_int_equal(n, 1);
    free(entry.text);
    for (int i = 1; i < 8; i++) {
        assert_int_equal(take_over(q[i % 4], false, 1, &left), 1);
        assert_int_equal(left, 0);
        volatile_sign(q[(i - 1) % 4], 0);
    }
    assert_int_equal(ask("XLEN " PREFIX "plain:buried"), 0);
    /* Now it does kill: w3 had it last. */
    for (int i = 0; i < 2; i++)
        assert_int_equal(take_over(q[i], true, 1, &left), 1);
    int64_t end_ms = mono_ms() + BOUND_MS;
    while (ask("XLEN " PREFIX "plain:buried") < 1 && mono_ms() < end_ms)
        assert_int_equal(take_over(q[2], true, 0, &left), 0);
    assert_int_equal(ask("XLEN " PREFIX "plain:buried"), 1);
    for (int i = 0; i < 4; i++)
        volatile_queue_close(q[i]);
}

static void what_a_stalled_worker_let_lapse_is_its_own_again_and_no_death(void **state)
{
    struct volatile_options o = queue_options("stalled");
    struct volatile_queue *q;
    struct volatile_entry entry;
    const int room[] = {1, 0};
    int n = 0, left = 0;

    (void)state;
    o.lease_ms = 20;
    q = open_queue(&o);
    send_numbers(&plain, 0, 1);
    assert_int_equal(volatile_fetch(q, room, 500, &entry, 1, &n), 0);
    free(entry.text);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(take_over(q, false, 1, &left), 1);
        assert_int_equal(left, 0);
    }
    assert_int_equal(ask("XLEN " PREFIX "plain:buried"), 0);
    volatile_queue_close(q);
}

static void who_lost_its_job_cannot_send_it_again(void **state)
{
    struct volatile_options o1 = queue_options("slow one"), o2 = queue_options("heir");
    struct volatile_queue *q1, *q2;
    struct volatile_entry mine;
    const int room[] = {1, 0};
    int n = 0, left = 0;

    (void)state;
    o1.lease_ms = o2.lease_ms = 40;
    q1 = open_queue(&o1);
    q2 = open_queue(&o2);
    send_numbers(&plain, 0, 1);
    assert_int_equal(volatile_fetch(q1, room, 500, &mine, 1, &n), 0);
    assert_int_equal(take_over(q2, false, 1, &left), 1);
    const struct volatile_result done = {
        .entry = mine.entry, .result = JOB_DONE, .why = ""};
    assert_int_equal(volatile_finish(q2, &done, 1), 0);
    const struct volatile_result late[] = {
        {.entry = mine.entry, .result = JOB_RETRY, .text = mine.text, .why = "late"},
        {.entry = mine.entry, .result = JOB_BURY, .text = mine.text, .why = "late"}};
    assert_int_equal(volatile_finish(q1, late, 2), 0);
    assert_int_equal(ask("XLEN " PREFIX "plain"), 0);
    assert_int_equal(ask("ZCARD " PREFIX "plain:later"), 0);
    assert_int_equal(ask("XLEN " PREFIX "plain:buried"), 0);
    free(mine.text);
    volatile_queue_close(q1);
    volatile_queue_close(q2);
}

static void a_stop_gives_back_what_is_not_begun(void **state)
{
    struct volatile_pool *p = start_pool("a", 2);

    (void)state;
    atomic_store(&gate, true);
    send_numbers(&plain, 0, 50);
    wait_answer("XPENDING " PREFIX "plain workers", 50);
    wait_atomic(&begun, 2);
    atomic_store(&gate, false);
    volatile_pool_stop(p, 5000);
    assert_int_equal(ask("XLEN " PREFIX "plain"), 50 - atomic_load(&runs));
    assert_int_equal(ask("XPENDING " PREFIX "plain workers"), 0);
    assert_int_equal(redis_cmd(redis, NULL, "PING"), 0);
    /* Given back is not tried: the whole rest runs with its first try. */
    atomic_store(&began_ms[1], 0);
    p = start_pool("b", 2);
    wait_atomic(&runs, 50);
    assert_int_equal(seen_from(0, 50), 50);
    assert_int_equal(atomic_load(&began_ms[1]), 0);
    volatile_pool_stop(p, 1000);
}

/* ---- Redis ---- */

/* stderr goes to a file while what runs is listened to. */
static int listen_to_log(char path[64])
{
    snprintf(path, 64, "/tmp/furrow-log-XXXXXX");
    int fd = mkstemp(path), old = dup(STDERR_FILENO);

    assert_true(fd >= 0 && old >= 0);
    dup2(fd, STDERR_FILENO);
    close(fd);
    return old;
}

static char *end_listening(int old, const char *path)
{
    char *text = xcalloc(1, 65536);

    dup2(old, STDERR_FILENO);
    close(old);
    FILE *f = fopen(path, "re");
    assert_non_null(f);
    assert_true(fread(text, 1, 65535, f) > 0);
    fclose(f);
    unlink(path);
    return text;
}

static void
a_flushed_redis_loses_what_was_in_it_and_the_worker_says_so_and_goes_on(void **state)
{
    struct volatile_pool *p = start_pool("a", 1);
    char path[64];

    (void)state;
    send_numbers(&plain, 0, 1);
    wait_atomic(&runs, 1);
    wait_answer("XLEN " PREFIX "plain", 0);
    send_one(&plain, 1, "{\"n\": 1}", 60000, NULL, 0);
    int old = listen_to_log(path);
    assert_int_equal(redis_cmd(redis, NULL, "FLUSHALL"), 0);
    send_numbers(&plain, 2, 102);
    wait_atomic(&runs, 101);
    CLEANUP(free_cleanup) char *log = end_listening(old, path);
    assert_non_null(strstr(log, "losable jobs that were in it are gone"));
    int64_t end_ms = mono_ms() + BOUND_MS;
    while (volatile_pool_count(p).wipes < 1 && mono_ms() < end_ms)
        poll(NULL, 0, 2);
    assert_int_equal(volatile_pool_count(p).wipes, 1);
    assert_int_equal(seen_from(2, 102), 100);
    assert_int_equal(ask("ZCARD " PREFIX "plain:later"), 0); /* lost, as documented */
    volatile_pool_stop(p, 1000);
    assert_int_equal(atomic_load(&seen[1]), 0);
}

/* As documented: what that copy held is run again. Its keys hold off nobody for ever. */
static void jobs_of_a_restored_redis_run_again_and_their_keys_are_let_go(void **state)
{
    (void)state;
    assert_int_equal(send_one(&plain, 1, "{\"n\": 1}", 0, "wall", 0), 1);
    pgtest_redis_save();
    struct volatile_pool *p = start_pool("a", 1);
    wait_atomic(&runs, 1);
    wait_answer("XLEN " PREFIX "plain", 0);
    pgtest_redis_restore();
    wait_atomic(&runs, 2);
    volatile_queue_close(sender); /* they were cut off */
    redis_close(redis);
    sender = open_queue(&sender_options);
    assert_int_equal(redis_open(&redis, pgtest_redis_url(), &(struct errtext){0}), 0);
    wait_answer("XLEN " PREFIX "plain", 0);
    wait_answer("EXISTS " PREFIX "plain:key:1:wall", 0);
    assert_int_equal(send_one(&plain, 1, "{\"n\": 1}", 0, "wall", 0), 1);
    wait_atomic(&runs, 3);
    volatile_pool_stop(p, 1000);
}

static void a_cut_connection_costs_time_only(void **state)
{
    struct volatile_pool *p = start_leased("a", 2, LEASE_MS);

    (void)state;
    for (int i = 0; i < 5; i++) {
        send_numbers(&plain, i * 100, i * 100 + 100);
        assert_int_equal(redis_cmd(redis, NULL, "CLIENT KILL TYPE normal SKIPME yes"), 0);
        volatile_queue_close(sender); /* it was cut off too */
        sender = open_queue(&sender_options);
    }
    wait_atomic(&runs, 500);
    assert_int_equal(seen_from(0, 500), 500);
    wait_answer("XLEN " PREFIX "plain", 0);
    volatile_pool_stop(p, 1000);
}

static void without_redis_a_pool_starts_waits_and_stops(void **state)
{
    struct errtext e = {0};
    struct volatile_pool *p = NULL;
    struct volatile_pool_options options = {.queue = queue_options("a"),
                                            .threads = 1,
                                            .retry_base_ms = 10,
                                            .retry_max_ms = 10};
    const struct volatile_job job = {.kind = &plain, .tenant_id = 1};
    int sent = 0;

    (void)state;
    options.queue.redis_url = "unix:///nowhere/redis.sock";
    assert_int_equal(volatile_pool_start(&p, &options, &e), 0);
    struct volatile_queue *q = open_queue(&options.queue);
    assert_int_equal(volatile_send(q, &job, 1, &sent), ECONNRESET);
    assert_true(volatile_is_away(q));
    volatile_queue_close(q);
    int64_t from_ms = mono_ms();
    volatile_pool_stop(p, 1000);
    assert_true(mono_ms() - from_ms < 5000);
}

static void a_kind_belongs_to_one_of_the_two_pools(void **state)
{
    struct errtext e = {0};
    struct volatile_pool *v = NULL;
    struct pool *d = NULL;
    struct volatile_pool_options vo = {.queue = queue_options("a"), .threads = 1};
    const struct pool_options po = {.queue = {.database_url = pgtest_url(),
                                              .redis_url = pgtest_redis_url(),
                                              .holder = "a",
                                              .kinds = kinds,
                                              .kind_count = 1},
                                    .threads = 1};

    (void)state;
    vo.queue.kinds = durable_kinds;
    vo.queue.kind_count = 1;
    assert_int_equal(volatile_pool_start(&v, &vo, &e), EINVAL);
    assert_string_equal(e.text, "kind 'durable' is durable");
    e = (struct errtext){0};
    assert_int_equal(pool_start(&d, &po, &e), EINVAL);
    assert_non_null(strstr(e.text, "kind 'plain' is volatile"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        /* First: it forks, which wants a process that has no thread yet. */
        cmocka_unit_test_setup(jobs_of_a_killed_worker_are_run_by_another, clean),
        cmocka_unit_test_setup(every_job_is_run_and_nothing_of_it_is_left, clean),
        cmocka_unit_test_setup(a_failed_job_comes_again_each_time_later, clean),
        cmocka_unit_test_setup(
            a_job_is_buried_after_its_kinds_tries_and_can_be_brought_back, clean),
        cmocka_unit_test_setup(a_job_for_later_waits_for_its_time, clean),
        cmocka_unit_test_setup(a_job_of_a_taken_key_is_not_sent_until_the_first_is_over,
                               clean),
        cmocka_unit_test_setup(a_key_lapses_though_its_job_is_not_over, clean),
        cmocka_unit_test_setup(what_is_no_job_is_buried, clean),
        cmocka_unit_test_setup(the_depth_says_what_waits_runs_comes_later_and_is_buried,
                               clean),
        cmocka_unit_test_setup(a_paused_kind_waits_and_the_others_go_on, clean),
        cmocka_unit_test_setup(workers_count_tries_and_how_long_they_waited_and_took,
                               clean),
        cmocka_unit_test_setup(a_long_job_keeps_its_lease, clean),
        cmocka_unit_test_setup(a_worker_that_is_late_and_lives_is_no_death, clean),
        cmocka_unit_test_setup(a_job_that_three_workers_died_with_is_buried, clean),
        cmocka_unit_test_setup(
            what_a_stalled_worker_let_lapse_is_its_own_again_and_no_death, clean),
        cmocka_unit_test_setup(who_lost_its_job_cannot_send_it_again, clean),
        cmocka_unit_test_setup(a_stop_gives_back_what_is_not_begun, clean),
        cmocka_unit_test_setup(
            a_flushed_redis_loses_what_was_in_it_and_the_worker_says_so_and_goes_on,
            clean),
        cmocka_unit_test_setup(
            jobs_of_a_restored_redis_run_again_and_their_keys_are_let_go, clean),
        cmocka_unit_test_setup(a_cut_connection_costs_time_only, clean),
        cmocka_unit_test_setup(without_redis_a_pool_starts_waits_and_stops, clean),
        cmocka_unit_test_setup(a_kind_belongs_to_one_of_the_two_pools, clean),
    };
    struct errtext e = {0};

    pgtest_start(PGTEST_REDIS);
    if (redis_open(&redis, pgtest_redis_url(), &e)) {
        fprintf(stderr, "%s\n", e.text);
        return 1;
    }
    sender_options = queue_options("");
    sender = open_queue(&sender_options);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    volatile_queue_close(sender);
    redis_close(redis);
    return failed;
}
