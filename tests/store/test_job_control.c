/* What people and failures do to jobs: workers die at them, kinds are held, jobs are
 * cancelled, many are retried at once. Real Postgres, Redis and processes. */
#include "unit/cm.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/redis.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "campaigns/job_store.h"
#include "store/pgtest.h"
#include "workers/job_admin.h"
#include "workers/pool.h"

enum { BOUND_MS = 20000, LEASE_MS = 500, MATES = 30 };

static struct pg *pg;
static struct pg_pool *connections;
static atomic_int runs, at_once, told;
static atomic_bool gate; /* closed: jobs wait */

/* {"kill": true} takes the whole process with it; the others take a moment, so that
 * some are at work and some taken ahead when it goes. */
static enum job_result run_deadly(struct job_ctx *ctx, const struct job *job)
{
    (void)ctx;
    if (json_is_true(json_object_get(job->payload, "kill")))
        raise(SIGKILL);
    poll(NULL, 0, 10);
    return JOB_DONE;
}

/* Waits for the gate, or to be told to stop. */
static enum job_result run_gated(struct job_ctx *ctx, const struct job *job)
{
    int64_t end_ms = mono_ms() + BOUND_MS;

    (void)job;
    atomic_fetch_add(&at_once, 1);
    while (atomic_load(&gate) && !atomic_load(ctx->stop) && mono_ms() < end_ms)
        poll(NULL, 0, 5);
    atomic_fetch_sub(&at_once, 1);
    atomic_fetch_add(&runs, 1);
    return atomic_load(&gate) ? job_say(ctx, JOB_RETRY, "broken off") : JOB_DONE;
}

static enum job_result run_plain(struct job_ctx *ctx, const struct job *job)
{
    (void)ctx, (void)job;
    return JOB_DONE;
}

static int tell(struct job_ctx *ctx, const struct job *job, const char *why)
{
    (void)ctx, (void)job;
    assert_true(*why);
    atomic_fetch_add(&told, 1);
    return 0;
}

static const struct job_kind deadly = {.name = "deadly", .run = run_deadly};
static const struct job_kind gated = {
    .name = "gated", .slow = true, .run = run_gated, .buried = tell};
static const struct job_kind plain = {.name = "plain", .run = run_plain};
static const struct job_kind *const kinds[] = {&deadly, &gated, &plain};

static struct pool *start_pool(const char *holder, int threads)
{
    struct errtext e = {0};
    struct pool *p = NULL;
    const struct pool_options options = {.queue = {.database_url = pgtest_url(),
                                                   .redis_url = pgtest_redis_url(),
                                                   .holder = holder,
                                                   .kinds = kinds,
                                                   .kind_count = ARRAY_LEN(kinds),
                                                   .lease_ms = LEASE_MS,
                                                   .republish_ms = 500},
                                         .threads = threads,
                                         .retry_base_ms = 20,
                                         .retry_max_ms = 100,
                                         .sweep_ms = 50};

    if (pool_start(&p, &options, &e))
        fail_msg("%s", e.text);
    return p;
}

static void enqueue(const char *kind, const char *name, int n, const char *payload)
{
    assert_int_equal(pg_begin(pg, 1), 0);
    for (int i = 0; i < n; i++) {
        CLEANUP(free_cleanup) char *key = xasprintf("%s-%d", name, i);
        json_auto_t *json = json_loads(payload, 0, NULL);
        assert_int_equal(job_enqueue(pg, 1, kind, key, json, clock_now_ms(), 0), 0);
    }
    assert_int_equal(pg_commit(pg), 0);
}

static int64_t count(const char *where)
{
    CLEANUP(free_cleanup)
    char *sql = xasprintf("SELECT count(*) FROM jobs WHERE %s", where);

    return pgtest_i64(pg, 1, sql);
}

static void wait_count(const char *where, int64_t expected)
{
    int64_t end_ms = mono_ms() + BOUND_MS;

    while (count(where) != expected && mono_ms() < end_ms)
        poll(NULL, 0, 10);
    assert_int_equal(count(where), expected);
}

static void wait_at_once(int n)
{
    int64_t end_ms = mono_ms() + BOUND_MS;

    while (atomic_load(&at_once) < n && mono_ms() < end_ms)
        poll(NULL, 0, 2);
    assert_int_equal(atomic_load(&at_once), n);
}

static int clean(void **state)
{
    struct errtext e = {0};
    struct redis *r = NULL;

    (void)state;
    assert_int_equal(redis_open(&r, pgtest_redis_url(), &e), 0);
    assert_int_equal(redis_cmd(r, NULL, "FLUSHALL"), 0);
    redis_close(r);
    pgtest_run(pg, 1, "DELETE FROM outbox");
    pgtest_run(pg, 1, "DELETE FROM jobs");
    pgtest_run(pg, 1, "DELETE FROM job_queues");
    atomic_store(&runs, 0);
    atomic_store(&at_once, 0);
    atomic_store(&told, 0);
    atomic_store(&gate, false);
    return 0;
}

/* ---- deaths ---- */

/* A worker in a process of its own; how it ended. */
static int live_and_die(const char *holder)
{
    int status = 0;
    pid_t pid = fork();

    if (pid == 0) {
        start_pool(holder, 4);
        poll(NULL, 0, BOUND_MS);
        _exit(1); /* it lived */
    }
    assert_true(pid > 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void
a_job_that_kills_its_worker_twice_is_buried_and_its_mates_are_done(void **state)
{
    (void)state;
    enqueue("deadly", "mate", MATES / 2, "{}");
    enqueue("deadly", "killer", 1, "{\"kill\": true}");
    enqueue("deadly", "later mate", MATES / 2, "{}");
    assert_int_equal(live_and_die("first"), SIGKILL);
    assert_int_equal(live_and_die("second"), SIGKILL);
    /* The third one would die as well. */
    struct pool *p = start_pool("third", 4);
    wait_count("state = 'done'", MATES);
    wait_count("state = 'buried'", 1);
    assert_int_equal(count("unique_key = 'killer-0' AND state = 'buried' AND deaths = 2 "
                           "AND last_error LIKE '2 workers died at it%'"),
                     1);
    assert_int_equal(count("state = 'done' AND deaths > 1"), 0);
    pool_stop(p, 1000);
}

/* The machine is so busy that leases lapse, twice as often as deaths would bury: its
 * worker lives, so nobody died, and its own job comes back to it while it is at it. */
static void a_worker_too_slow_for_its_lease_is_not_dead(void **state)
{
    struct pool *p = start_pool("slow", 4);

    (void)state;
    atomic_store(&gate, true);
    enqueue("gated", "long", 1, "{}");
    wait_at_once(1);
    for (int times = 1; times <= 4; times++) {
        CLEANUP(free_cleanup)
        char *again = xasprintf("attempts = %d AND state = 'running'", times + 1);
        CLEANUP(free_cleanup)
        char *lapse =
            xasprintf("UPDATE jobs SET lease_until = clock_timestamp() - "
                      "interval '1 h' WHERE attempts = %d AND state = 'running'",
                      times);
        int64_t end_ms = mono_ms() + BOUND_MS;

        while (count(again) == 0 && mono_ms() < end_ms) {
            pgtest_run(pg, 1, lapse); /* the acknowledger may have prolonged it */
            poll(NULL, 0, 5);
        }
        assert_int_equal(count(again), 1);
        assert_int_equal(count("deaths > 0"), 0);
        assert_int_equal(atomic_load(&at_once), 1);
    }
    atomic_store(&gate, false);
    wait_count("state = 'done'", 1);
    assert_int_equal(atomic_load(&runs), 1);
    pool_stop(p, 1000);
}

static void a_job_that_survives_its_second_run_is_no_suspect_any_more(void **state)
{
    (void)state;
    enqueue("gated", "innocent", 1, "{}");
    pgtest_run(pg, 1,
               "UPDATE jobs SET state = 'running', attempts = 1, lease_holder = 'dead', "
               "lease_until = clock_timestamp() - interval '1 s'");
    atomic_store(&gate, true);
    struct pool *p = start_pool("w", 4);
    wait_at_once(1);
    assert_int_equal(count("deaths = 1 AND state = 'running' AND attempts = 2"), 1);
    /* Meanwhile nothing else begins here. */
    enqueue("plain", "other", 5, "{}");
    wait_count("kind = 'plain' AND lease_until IS NOT NULL", 0);
    assert_int_equal(count("kind = 'plain' AND state = 'done'"), 0);
    atomic_store(&gate, false);
    wait_count("state = 'done'", 6);
    assert_int_equal(atomic_load(&runs), 1);
    pool_stop(p, 1000);
}

/* ---- holding a kind ---- */

static void a_paused_kind_begins_nothing_until_it_is_resumed(void **state)
{
    struct pool *p = start_pool("w", 4); /* two of them for a slow kind, one ahead */

    (void)state;
    atomic_store(&gate, true);
    enqueue("gated", "a", 6, "{}");
    wait_at_once(2);
    assert_int_equal(job_admin_hold(pg, 1, "gated", JOB_HOLD_ALL), 0);
    wait_count("state = 'running'", 2); /* the one taken ahead has gone back */
    atomic_store(&gate, false);
    wait_count("state = 'done'", 2);
    enqueue("gated", "b", 2, "{}");
    enqueue("plain", "c", 20, "{}"); /* these go their way all the while */
    wait_count("kind = 'plain' AND state = 'done'", 20);
    assert_int_equal(count("kind = 'gated' AND state = 'queued' AND attempts = 0"), 6);
    assert_int_equal(atomic_load(&runs), 2);
    assert_int_equal(job_admin_hold(pg, 1, "gated", JOB_HOLD_NONE), 0);
    wait_count("state = 'done'", 28);
    assert_int_equal(atomic_load(&runs), 8);
    pool_stop(p, 1000);
}

static void a_draining_kind_ends_what_was_there_and_keeps_what_comes(void **state)
{
    struct pool *p = start_pool("w", 4);
    int64_t left = 0, end_ms = mono_ms() + BOUND_MS;

    (void)state;
    atomic_store(&gate, true);
    enqueue("gated", "old", 5, "{}");
    wait_at_once(2);
    assert_int_equal(job_admin_hold(pg, 1, "gated", JOB_HOLD_NEW), 0);
    enqueue("gated", "new", 3, "{}");
    assert_int_equal(job_admin_unheld(pg, 1, "gated", &left), 0);
    assert_int_equal(left, 5);
    atomic_store(&gate, false);
    while (left > 0 && mono_ms() < end_ms) {
        assert_int_equal(job_admin_unheld(pg, 1, "gated", &left), 0);
        poll(NULL, 0, 10);
    }
    assert_int_equal(count("state = 'done' AND unique_key LIKE 'old-%'"), 5);
    assert_int_equal(count("state = 'queued' AND unique_key LIKE 'new-%'"), 3);
    assert_int_equal(job_admin_hold(pg, 1, "gated", JOB_HOLD_NONE), 0);
    wait_count("state = 'done'", 8);
    pool_stop(p, 1000);
}

static void a_kind_held_while_redis_is_away_waits_as_well(void **state)
{
    struct errtext e = {0};
    struct pool *p = NULL;
    const struct pool_options options = {.queue = {.database_url = pgtest_url(),
                                                   .redis_url = "unix:///nowhere/r.sock",
                                                   .holder = "w",
                                                   .kinds = kinds,
                                                   .kind_count = ARRAY_LEN(kinds),
                                                   .lease_ms = LEASE_MS,
                                                   .republish_ms = 500},
                                         .threads = 2,
                                         .retry_base_ms = 20,
                                         .retry_max_ms = 100,
                                         .sweep_ms = 50};

    (void)state;
    assert_int_equal(job_admin_hold(pg, 1, "gated", JOB_HOLD_ALL), 0);
    assert_int_equal(pool_start(&p, &options, &e), 0);
    enqueue("gated", "a", 3, "{}");
    enqueue("plain", "b", 3, "{}");
    wait_count("kind = 'plain' AND state = 'done'", 3);
    assert_int_equal(count("kind = 'gated' AND state = 'queued'"), 3);
    assert_int_equal(job_admin_hold(pg, 1, "gated", JOB_HOLD_NONE), 0);
    wait_count("state = 'done'", 6);
    pool_stop(p, 1000);
}

/* ---- cancelling ---- */

static void a_running_job_is_told_to_stop_and_ends_as_cancelled(void **state)
{
    const struct job_filter all = {.kind = "gated"};
    struct pool *p = start_pool("w", 4);
    int64_t n = 0, asked = 0;

    (void)state;
    atomic_store(&gate, true);
    enqueue("gated", "a", 5, "{}");
    wait_at_once(2);
    wait_count("state = 'running'", 3); /* one is taken ahead */
    assert_int_equal(job_admin_cancel(pg, connections, 1, &all, &n, &asked), 0);
    assert_int_equal(n, 2);
    assert_int_equal(asked, 3);
    wait_count("state = 'cancelled'", 5);
    assert_int_equal(atomic_load(&runs), 2);
    assert_int_equal(atomic_load(&told), 3); /* those that a worker held */
    assert_int_equal(count("last_error = 'cancelled by a person while it ran'"), 2);
    assert_int_equal(count("last_error = 'cancelled by a person before it began'"), 3);
    /* The threads are as good as new. */
    atomic_store(&gate, false);
    enqueue("gated", "b", 4, "{}");
    wait_count("state = 'done'", 4);
    /* A second time it starts over like any other. */
    const struct job_filter cancelled = {.state = "cancelled"};
    assert_int_equal(job_admin_retry(pg, 1, &cancelled, &n), 0);
    assert_int_equal(n, 5);
    wait_count("state = 'done'", 9);
    pool_stop(p, 1000);
}

static void a_cancelled_job_whose_worker_died_is_not_run_again(void **state)
{
    (void)state;
    enqueue("gated", "a", 1, "{}");
    pgtest_run(pg, 1,
               "UPDATE jobs SET state = 'running', attempts = 1, lease_holder = 'dead', "
               "cancel_asked = true, lease_until = clock_timestamp() - interval '1 s'");
    struct pool *p = start_pool("w", 2);
    wait_count("state = 'cancelled'", 1);
    assert_int_equal(atomic_load(&runs), 0);
    assert_int_equal(atomic_load(&told), 1);
    pool_stop(p, 1000);
}

/* ---- many at once ---- */

static int64_t in_rounds(const struct job_filter *f, bool bury)
{
    int64_t total = 0;

    for (int64_t n = JOB_ADMIN_BATCH; n == JOB_ADMIN_BATCH; total += n)
        assert_int_equal(bury ? job_admin_bury(pg, connections, 1, f, &n)
                              : job_admin_retry(pg, 1, f, &n),
                         0);
    return total;
}

static void many_are_retried_and_buried_by_what_they_have_in_common(void **state)
{
    const struct job_filter overload = {.state = "buried", .error = "HTTP 503"};
    const struct job_filter old = {.kind = "plain", .state = "queued", .older_s = 3600};
    const struct job_filter young = {.kind = "gated", .state = "queued", .newer_s = 3600};

    (void)state;
    pgtest_run(
        pg, 1,
        "INSERT INTO jobs (id, tenant_id, kind, unique_key, state, last_error, "
        "created_at, finished_at) SELECT gen_random_uuid(), 1, CASE WHEN i % 2 = 0 "
        "THEN 'plain' ELSE 'gated' END, i::text, 'buried', CASE WHEN i % 5 = 0 "
        "THEN 'no such file' ELSE 'service: HTTP 503' END, clock_timestamp() - "
        "CASE WHEN i <= 1000 THEN interval '2 h' ELSE interval '1 s' END, "
        "clock_timestamp() FROM generate_series(1, 3000) i");
    assert_int_equal(in_rounds(&overload, false), 2400);
    assert_int_equal(count("state = 'queued' AND attempts = 0"), 2400);
    assert_int_equal(count("state = 'buried'"), 600);
    assert_int_equal(pgtest_i64(pg, 1, "SELECT count(DISTINCT job_id) FROM outbox"),
                     2400);
    assert_int_equal(in_rounds(&old, true), 400);
    assert_int_equal(in_rounds(&young, true), 800);
    assert_int_equal(count("state = 'queued'"), 1200);
    assert_int_equal(count("state = 'buried' AND last_error = 'service: HTTP 503'"),
                     1200);
}

/* Put aside is both: the job, and what it was about. */
static void what_cannot_be_marked_as_failed_is_not_buried(void **state)
{
    const struct job_filter asr = {.kind = "asr"};
    struct pg *super = pgtest_open_super();
    int64_t n = 0;

    (void)state;
    enqueue("asr", "a", 1,
            "{\"v\": 1, \"recording_id\": \"01a21794-818f-78f5-abe8-4547fee6299c\"}");
    pgtest_run(super, 0, "REVOKE SELECT ON recordings FROM furrow_app");
    assert_int_not_equal(job_admin_bury(pg, connections, 1, &asr, &n), 0);
    assert_int_equal(count("state = 'queued'"), 1);
    pgtest_run(super, 0, "GRANT SELECT ON recordings TO furrow_app");
    pg_close(super);
    assert_int_equal(job_admin_bury(pg, connections, 1, &asr, &n), 0);
    assert_int_equal(n, 1);
    assert_int_equal(count("state = 'buried'"), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(
            a_job_that_kills_its_worker_twice_is_buried_and_its_mates_are_done, clean),
        cmocka_unit_test_setup(a_worker_too_slow_for_its_lease_is_not_dead, clean),
        cmocka_unit_test_setup(a_job_that_survives_its_second_run_is_no_suspect_any_more,
                               clean),
        cmocka_unit_test_setup(a_paused_kind_begins_nothing_until_it_is_resumed, clean),
        cmocka_unit_test_setup(a_draining_kind_ends_what_was_there_and_keeps_what_comes,
                               clean),
        cmocka_unit_test_setup(a_kind_held_while_redis_is_away_waits_as_well, clean),
        cmocka_unit_test_setup(a_running_job_is_told_to_stop_and_ends_as_cancelled,
                               clean),
        cmocka_unit_test_setup(a_cancelled_job_whose_worker_died_is_not_run_again, clean),
        cmocka_unit_test_setup(many_are_retried_and_buried_by_what_they_have_in_common,
                               clean),
        cmocka_unit_test_setup(what_cannot_be_marked_as_failed_is_not_buried, clean),
    };
    struct errtext e = {0};

    pgtest_start(PGTEST_POSTGRES_AND_REDIS);
    pg = pgtest_open();
    const struct pg_options options = {
        .url = pgtest_url(), .role = "furrow_app", .name = "test"};
    assert_int_equal(pg_pool_new(&connections, &options, 1, &e), 0);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    pg_pool_free(connections);
    pg_close(pg);
    return failed;
}
