/* queue and pool on a real Postgres and Redis: jobs are done once, whatever
 * happens to their ids. */
#include "unit/cm.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/http.h"
#include "base/redis.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "campaigns/job_store.h"
#include "store/pgtest.h"
#include "workers/pool.h"
#include "workers/queue.h"

enum { BOUND_MS = 20000, SHORT_LEASE_MS = 300 };

static struct pg *pg;
static atomic_int runs, at_once, most_at_once;
static atomic_bool gate; /* closed: jobs wait */

/* ---- kinds that can misbehave ---- */

/* {"fail": N} fails that many times; {"bury": true}; {"back": N}. */
static enum job_result run_plain(struct job_ctx *ctx, const struct job *job)
{
    json_int_t fail = json_integer_value(json_object_get(job->payload, "fail"));

    atomic_fetch_add(&runs, 1);
    if (json_is_true(json_object_get(job->payload, "bury")))
        return job_say(ctx, JOB_BURY, "cannot ever work");
    if (job->attempts <= fail)
        return job_say(ctx, JOB_RETRY, "try %d failed", job->attempts);
    return JOB_DONE;
}

static enum job_result run_slow(struct job_ctx *ctx, const struct job *job)
{
    int now = atomic_fetch_add(&at_once, 1) + 1, most = atomic_load(&most_at_once);

    (void)job;
    while (now > most && !atomic_compare_exchange_weak(&most_at_once, &most, now))
        ;
    int64_t end_ms = mono_ms() + BOUND_MS;
    while (atomic_load(&gate) && mono_ms() < end_ms)
        poll(NULL, 0, 5);
    atomic_fetch_sub(&at_once, 1);
    atomic_fetch_add(&runs, 1);
    return atomic_load(&gate) ? job_say(ctx, JOB_BURY, "the gate stayed shut") : JOB_DONE;
}

/* Waits on a peer that never answers, as a handler would; broken off by a stop. */
static enum job_result run_stuck(struct job_ctx *ctx, const struct job *job)
{
    CLEANUP(http_resp_free) struct http_resp resp = {0};
    const char *url = json_string_value(json_object_get(job->payload, "url"));

    atomic_fetch_add(&runs, 1);
    int err =
        http_do(ctx->http, &(struct http_req){.url = url, .timeout_ms = BOUND_MS}, &resp);
    return err ? job_http_error(ctx, err, "peer", resp.error) : JOB_DONE;
}

/* Its effect is a row, in a table without a key: a second run shows as a second row. */
static enum job_result run_effect(struct job_ctx *ctx, const struct job *job)
{
    char id[UUID_TEXT_MAX];
    struct pg_args a = {0};

    enum job_result result = run_slow(ctx, job);
    if (result != JOB_DONE)
        return result;
    struct pg *mine = pg_pool_take(ctx->pool);
    pg_arg_text(&a, uuid_text(&job->id, id));
    int err = pg_begin(mine, job->tenant_id);
    if (!err)
        err = pg_end(
            mine, pg_run(mine, NULL, "INSERT INTO effects (job) VALUES ($1::uuid)", &a));
    pg_pool_give(ctx->pool, mine);
    return err ? job_say(ctx, JOB_BURY, "no effect") : JOB_DONE;
}

static const struct job_kind plain = {.name = "plain", .run = run_plain};
static const struct job_kind slow = {.name = "slow", .slow = true, .run = run_slow};
static const struct job_kind stuck = {.name = "stuck", .slow = true, .run = run_stuck};
static const struct job_kind effect = {.name = "effect", .slow = true, .run = run_effect};
static const struct job_kind *const kinds[] = {&plain, &slow, &stuck, &effect};

/* A listening socket that nobody accepts from: connected, never answered. */
static int silent_peer(int *port)
{
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(a);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&a, len), 0);
    assert_int_equal(listen(fd, 8), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
    *port = ntohs(a.sin_port);
    return fd;
}

static struct queue_options queue_options_of(const char *holder, int64_t lease_ms)
{
    return (struct queue_options){.database_url = pgtest_url(),
                                  .redis_url = pgtest_redis_url(),
                                  .holder = holder,
                                  .kinds = kinds,
                                  .kind_count = ARRAY_LEN(kinds),
                                  .lease_ms = lease_ms,
                                  .republish_ms = 500};
}

static struct pool *start_pool_of(const struct queue_options *queue, int threads)
{
    struct errtext e = {0};
    struct pool *p = NULL;
    const struct pool_options options = {.queue = *queue,
                                         .threads = threads,
                                         .retry_base_ms = 20,
                                         .retry_max_ms = 100,
                                         .sweep_ms = 50};

    if (pool_start(&p, &options, &e))
        fail_msg("%s", e.text);
    return p;
}

static struct pool *start_pool(const char *holder, int threads)
{
    const struct queue_options queue = queue_options_of(holder, 2000);

    return start_pool_of(&queue, threads);
}

/* ---- helpers ---- */

static void enqueue(const char *kind, int from, int to, const char *payload)
{
    assert_int_equal(pg_begin(pg, 1), 0);
    for (int i = from; i < to; i++) {
        CLEANUP(free_cleanup) char *key = xasprintf("%s-%d", kind, i);
        json_t *json = json_loads(payload, 0, NULL);
        assert_non_null(json);
        assert_int_equal(job_enqueue(pg, 1, kind, key, json, clock_now_ms(), 0), 0);
        json_decref(json);
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

static void wait_atomic(atomic_int *what, int at_least)
{
    int64_t end_ms = mono_ms() + BOUND_MS;

    while (atomic_load(what) < at_least && mono_ms() < end_ms)
        poll(NULL, 0, 2);
    assert_true(atomic_load(what) >= at_least);
}

static void redis_do(const char *command)
{
    struct errtext e = {0};
    struct redis *r = NULL;

    assert_int_equal(redis_open(&r, pgtest_redis_url(), &e), 0);
    assert_int_equal(redis_cmd(r, NULL, command), 0);
    redis_close(r);
}

static int clean(void **state)
{
    (void)state;
    redis_do("FLUSHALL");
    pgtest_run(pg, 1, "DELETE FROM outbox");
    pgtest_run(pg, 1, "DELETE FROM jobs");
    atomic_store(&runs, 0);
    atomic_store(&at_once, 0);
    atomic_store(&most_at_once, 0);
    atomic_store(&gate, false);
    return 0;
}

static struct queue *open_queue(const struct queue_options *o)
{
    struct errtext e = {0};
    struct queue *q = NULL;

    if (queue_open(&q, o, &e))
        fail_msg("%s", e.text);
    return q;
}

static int fetch(struct queue *q, struct queue_item *items, int max, int wait_ms)
{
    const int room[] = {8, 8, 8, 8};
    int n = 0;

    assert_int_equal(queue_fetch(q, room, wait_ms, items, max, &n), 0);
    return n;
}

/* ---- the queue, one thread ---- */

static void an_id_that_arrives_twice_is_taken_once(void **state)
{
    struct queue_options o = queue_options_of("one", 60000);
    struct queue *q = open_queue(&o);
    struct queue_item items[16];
    int moved = 0;

    (void)state;
    enqueue("plain", 0, 1, "{}");
    /* The relay died after sending and before its commit: it sends again. */
    assert_int_equal(queue_relay(q, &moved), 0);
    assert_int_equal(moved, 1);
    pgtest_run(
        pg, 1,
        "INSERT INTO outbox (tenant_id, job_id, kind) SELECT 1, id, kind FROM jobs");
    assert_int_equal(queue_relay(q, &moved), 0);
    assert_int_equal(moved, 1);
    assert_int_equal(fetch(q, items, 16, 500), 1);
    assert_int_equal(items[0].job.attempts, 1);
    queue_item_clear(&items[0]);
    assert_int_equal(fetch(q, items, 16, 50), 0);
    assert_int_equal(count("state = 'running' AND attempts = 1"), 1);
    queue_close(q);
}

/* Reaps until something was found: leases lapse by Postgres' clock. */
static void reap_one(struct queue *q, bool died)
{
    struct queue_reaped r = {0};
    int64_t end_ms = mono_ms() + BOUND_MS;

    while (r.died + r.late == 0 && mono_ms() < end_ms) {
        poll(NULL, 0, 20);
        assert_int_equal(queue_reap(q, &r), 0);
    }
    assert_int_equal(r.died, died);
    assert_int_equal(r.late, !died);
}

/* Its worker lives and is only slow: another one goes on, and nobody died. */
static void
a_lapsed_lease_is_taken_over_and_the_old_holder_says_nothing_more(void **state)
{
    struct queue_options o1 = queue_options_of("first", SHORT_LEASE_MS);
    struct queue_options o2 = queue_options_of("second", 1000);
    struct queue *q1 = open_queue(&o1), *q2 = open_queue(&o2);
    struct queue_item mine[4], theirs[4];
    struct queue_reaped reaped;
    int moved = 0;

    (void)state;
    enqueue("plain", 0, 1, "{}");
    assert_int_equal(queue_relay(q1, &moved), 0);
    assert_int_equal(fetch(q1, mine, 4, 500), 1);
    /* In time, the lease holds. */
    const struct queue_item *held[] = {&mine[0]};
    assert_int_equal(queue_renew(q1, held, 1), 0);
    assert_int_equal(queue_reap(q2, &reaped), 0);
    assert_int_equal(reaped.died + reaped.late, 0);
    reap_one(q2, false);
    assert_int_equal(count("last_error LIKE '%did not prolong its lease%'"), 1);
    assert_int_equal(queue_sweep(q2, true, &moved), 0);
    assert_int_equal(moved, 1);
    assert_int_equal(fetch(q2, theirs, 4, 500), 1);
    assert_int_equal(theirs[0].deaths, 0);
    assert_int_equal(theirs[0].job.attempts, 2);
    /* The first one comes with its result all the same. */
    const struct queue_result late = {
        .item = &mine[0], .result = JOB_BURY, .why = "too late"};
    assert_int_equal(queue_finish(q1, &late, 1), 0);
    assert_int_equal(count("state = 'running' AND lease_holder = 'second'"), 1);
    const struct queue_result done = {.item = &theirs[0], .result = JOB_DONE, .why = ""};
    assert_int_equal(queue_finish(q2, &done, 1), 0);
    assert_int_equal(count("state = 'done' AND attempts = 2 AND last_error = ''"), 1);
    queue_item_clear(&mine[0]);
    queue_item_clear(&theirs[0]);
    queue_close(q1);
    queue_close(q2);
}

static void wait_for_end_of(const char *holder)
{
    CLEANUP(free_cleanup)
    char *sql = xasprintf("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND "
                          "objid = (hashtext('%s')::bigint & 4294967295)::oid",
                          holder);
    int64_t end_ms = mono_ms() + BOUND_MS;

    while (pgtest_i64(pg, 1, sql) > 0 && mono_ms() < end_ms)
        poll(NULL, 0, 5);
    assert_int_equal(pgtest_i64(pg, 1, sql), 0);
}

/* Its job goes to nobody along with others. */
static void a_lease_of_a_worker_that_is_gone_makes_a_suspect(void **state)
{
    struct queue_options o1 = queue_options_of("gone", SHORT_LEASE_MS);
    struct queue_options o2 = queue_options_of("second", 1000);
    struct queue *q1 = open_queue(&o1), *q2 = open_queue(&o2);
    struct queue_item mine[4], theirs[4];
    int moved = 0, n = 0;

    (void)state;
    enqueue("plain", 0, 1, "{}");
    assert_int_equal(queue_relay(q1, &moved), 0);
    assert_int_equal(fetch(q1, mine, 4, 500), 1);
    queue_item_clear(&mine[0]);
    queue_close(q1);
    wait_for_end_of("gone");
    reap_one(q2, true);
    assert_int_equal(queue_sweep(q2, true, &moved), 0);
    assert_int_equal(moved, 0);
    assert_int_equal(queue_take_suspect(q2, &theirs[0], &n), 0);
    assert_int_equal(n, 1);
    assert_int_equal(theirs[0].deaths, 1);
    assert_int_equal(theirs[0].job.attempts, 2);
    const struct queue_result done = {.item = &theirs[0], .result = JOB_DONE, .why = ""};
    assert_int_equal(queue_finish(q2, &done, 1), 0);
    assert_int_equal(count("state = 'done' AND attempts = 2"), 1);
    queue_item_clear(&theirs[0]);
    queue_close(q2);
}

static void a_job_handed_back_has_not_been_tried(void **state)
{
    struct queue_options o = queue_options_of("one", 60000);
    struct queue *q = open_queue(&o);
    struct queue_item items[4];
    int moved = 0;

    (void)state;
    enqueue("plain", 0, 1, "{}");
    assert_int_equal(queue_relay(q, &moved), 0);
    assert_int_equal(fetch(q, items, 4, 500), 1);
    const struct queue_result back = {
        .item = &items[0], .result = JOB_HANDED_BACK, .why = "stopping"};
    assert_int_equal(queue_finish(q, &back, 1), 0);
    assert_int_equal(count("state = 'queued' AND attempts = 0"), 1);
    queue_item_clear(&items[0]);
    queue_close(q);
}

static void junk_in_a_stream_is_thrown_away(void **state)
{
    struct queue_options o = queue_options_of("one", 60000);
    struct queue *q = open_queue(&o);
    struct queue_item items[4];
    char installation[INSTALLATION_ID_MAX], command[200];
    int moved = 0;

    (void)state;
    assert_int_equal(fetch(q, items, 4, 10), 0); /* makes the groups */
    assert_int_equal(pg_installation(pg, installation), 0);
    snprintf(command, sizeof(command), "XADD furrow:%s:jobs:plain * hello world",
             installation);
    redis_do(command);
    snprintf(command, sizeof(command),
             "XADD furrow:%s:jobs:plain * id x tenant 99999999999", installation);
    redis_do(command);
    enqueue("plain", 0, 1, "{}");
    assert_int_equal(queue_relay(q, &moved), 0);
    int n = fetch(q, items, 4, 200);
    if (n == 0)
        n = fetch(q, items, 4, 200);
    assert_int_equal(n, 1);
    queue_item_clear(&items[0]);
    queue_close(q);
}

static void a_job_is_enqueued_once_for_its_key(void **state)
{
    (void)state;
    enqueue("plain", 0, 1, "{}");
    enqueue("plain", 0, 1, "{\"other\": 1}");
    assert_int_equal(count("true"), 1);
    assert_int_equal(pgtest_i64(pg, 1, "SELECT count(*) FROM outbox"), 1);
}

/* ---- the pool ---- */

static void every_job_is_done_once(void **state)
{
    struct pool *p = start_pool("w1", 4), *p2 = start_pool("w2", 4);

    (void)state;
    enqueue("plain", 0, 1000, "{}");
    wait_count("state = 'done'", 1000);
    assert_int_equal(atomic_load(&runs), 1000);
    assert_int_equal(count("attempts <> 1"), 0);
    assert_int_equal(pgtest_i64(pg, 1, "SELECT count(*) FROM outbox"), 0);
    pool_stop(p, 1000);
    pool_stop(p2, 1000);
}

static void a_failed_job_is_tried_again_and_buried_in_the_end(void **state)
{
    struct pool *p = start_pool("w1", 4);

    (void)state;
    enqueue("plain", 0, 1, "{\"fail\": 3}");
    wait_count("state = 'done'", 1);
    assert_int_equal(count("attempts = 4"), 1);
    enqueue("plain", 1, 2, "{\"fail\": 100}");
    wait_count("state = 'buried'", 1);
    assert_int_equal(count("state = 'buried' AND attempts = max_attempts AND last_error "
                           "= 'try 8 failed'"),
                     1);
    enqueue("plain", 2, 3, "{\"bury\": true}");
    wait_count("state = 'buried'", 2);
    assert_int_equal(count("attempts = 1 AND last_error = 'cannot ever work'"), 1);
    pool_stop(p, 1000);
}

static void a_job_that_kills_its_workers_is_buried(void **state)
{
    (void)state;
    enqueue("plain", 0, 1, "{}");
    pgtest_run(pg, 1,
               "UPDATE jobs SET state = 'running', attempts = max_attempts, lease_holder "
               "= 'dead', lease_until = clock_timestamp() - interval '1 s'");
    struct pool *p = start_pool("w1", 2);
    wait_count("state = 'buried'", 1);
    assert_int_equal(atomic_load(&runs), 0);
    pool_stop(p, 1000);
}

static void a_delayed_job_waits_for_its_time(void **state)
{
    struct pool *p = start_pool("w1", 2);
    int64_t from_ms = mono_ms();

    (void)state;
    assert_int_equal(pg_begin(pg, 1), 0);
    assert_int_equal(job_enqueue(pg, 1, "plain", "later", NULL, clock_now_ms(), 400), 0);
    assert_int_equal(pg_commit(pg), 0);
    wait_count("state = 'done'", 1);
    assert_true(mono_ms() - from_ms >= 400);
    pool_stop(p, 1000);
}

static void redis_wiped_in_the_middle_loses_nothing(void **state)
{
    struct pool *p = start_pool("w1", 4);

    (void)state;
    for (int i = 0; i < 10; i++) {
        enqueue("plain", i * 100, i * 100 + 100, "{}");
        wait_atomic(&runs, i * 20);
        redis_do("FLUSHALL");
    }
    wait_count("state = 'done'", 1000);
    pool_stop(p, 1000);
    assert_int_equal(atomic_load(&runs), 1000);
}

static int64_t entries_left(void)
{
    CLEANUP(redis_reply_free) redisReply *reply = NULL;
    char installation[INSTALLATION_ID_MAX];
    struct errtext e = {0};
    struct redis *r = NULL;

    assert_int_equal(pg_installation(pg, installation), 0);
    assert_int_equal(redis_open(&r, pgtest_redis_url(), &e), 0);
    assert_int_equal(redis_cmd(r, &reply, "XLEN furrow:%s:jobs:effect", installation), 0);
    int64_t n = reply->integer;
    redis_close(r);
    return n;
}

/* Yesterday's ids belong to jobs that are done, and today's are not there. */
static void redis_restored_from_yesterday_loses_nothing_and_repeats_nothing(void **state)
{
    struct queue_options o = queue_options_of("w1", 2000);
    struct queue_item items[4];

    (void)state;
    pgtest_run(pg, 1,
               "INSERT INTO job_queues (tenant_id, kind, rate_per_s, max_running) VALUES "
               "(1, 'plain', 200, 2)");
    struct pool *p = start_pool_of(&o, 4);
    atomic_store(&gate, true);
    enqueue("effect", 0, 20, "{}");
    enqueue("plain", 0, 20, "{}");
    wait_atomic(&at_once, 2);
    wait_count("id IN (SELECT job_id FROM outbox)", 0);
    pgtest_redis_save(); /* some taken, the others in the stream */
    atomic_store(&gate, false);
    wait_count("state = 'done'", 40);
    atomic_store(&gate, true);
    enqueue("effect", 20, 40, "{}");
    wait_atomic(&at_once, 2);
    wait_count("id IN (SELECT job_id FROM outbox)", 0);
    /* Believed under way for long, as what was sent a second time is. */
    pgtest_run(pg, 1,
               "UPDATE jobs SET lease_until = clock_timestamp() + interval '1 h' WHERE "
               "state = 'queued' AND kind = 'effect'");
    pgtest_redis_restore();
    enqueue("effect", 40, 50, "{}");
    enqueue("plain", 20, 40, "{}");
    atomic_store(&gate, false);
    wait_count("state = 'done'", 90);
    assert_int_equal(count("attempts <> 1"), 0);
    assert_int_equal(pgtest_i64(pg, 1, "SELECT count(*) FROM effects"), 50);
    assert_int_equal(pgtest_i64(pg, 1, "SELECT count(DISTINCT job) FROM effects"), 50);
    pool_stop(p, 1000);
    /* Nor do the old entries stay in the way. */
    o.lease_ms = 1;
    o.holder = "w2";
    struct queue *q = open_queue(&o);
    for (int64_t end_ms = mono_ms() + BOUND_MS; entries_left() && mono_ms() < end_ms;)
        assert_int_equal(fetch(q, items, 4, 1), 0);
    assert_int_equal(entries_left(), 0);
    queue_close(q);
    pgtest_run(pg, 1, "DELETE FROM job_queues");
}

static void without_redis_jobs_come_from_postgres(void **state)
{
    struct errtext e = {0};
    struct pool *p = NULL;
    struct pool_options options = {.queue = queue_options_of("w1", 2000),
                                   .threads = 4,
                                   .retry_base_ms = 20,
                                   .retry_max_ms = 100};

    (void)state;
    options.queue.redis_url = "unix:///nowhere/redis.sock";
    assert_int_equal(pool_start(&p, &options, &e), 0);
    enqueue("plain", 0, 200, "{\"fail\": 1}");
    wait_count("state = 'done'", 200);
    assert_int_equal(atomic_load(&runs), 400);
    pool_stop(p, 1000);
}

static void a_lost_database_connection_costs_time_only(void **state)
{
    struct pg *super = pgtest_open_super();
    struct pool *p = start_pool("w1", 4);

    (void)state;
    for (int i = 0; i < 5; i++) {
        enqueue("plain", i * 100, i * 100 + 100, "{}");
        wait_atomic(&runs, i * 50);
        pgtest_run(super, 0,
                   "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE "
                   "application_name LIKE 'furrow-worker%'");
    }
    wait_count("state = 'done'", 500);
    pool_stop(p, 1000);
    pg_close(super);
}

static void a_slow_kind_leaves_threads_for_the_others(void **state)
{
    struct pool *p = start_pool("w1", 4);

    (void)state;
    atomic_store(&gate, true);
    enqueue("slow", 0, 20, "{}");
    wait_atomic(&at_once, 2);
    enqueue("plain", 0, 50, "{}");
    wait_count("kind = 'plain' AND state = 'done'", 50);
    assert_int_equal(atomic_load(&most_at_once), 2); /* half of four */
    atomic_store(&gate, false);
    wait_count("state = 'done'", 70);
    pool_stop(p, 1000);
}

static void a_stop_hands_back_what_was_not_begun(void **state)
{
    struct pool *p = start_pool("w1", 2);

    (void)state;
    atomic_store(&gate, true);
    enqueue("slow", 0, 10, "{}");
    wait_atomic(&at_once, 1);
    wait_count("state = 'running'", 2); /* one at work, one taken ahead */
    atomic_store(&gate, false);
    pool_stop(p, 5000);
    assert_int_equal(count("state = 'running'"), 0);
    assert_int_equal(count("state = 'queued' AND attempts > 0"), 0);
    assert_int_equal(count("state = 'done'"), atomic_load(&runs));
}

static void a_job_that_waits_on_a_peer_is_broken_off_after_the_grace_time(void **state)
{
    struct pool *p = start_pool("w1", 2);
    char payload[128];
    int port = 0, fd = -1;

    (void)state;
    fd = silent_peer(&port);
    snprintf(payload, sizeof(payload), "{\"url\": \"http://127.0.0.1:%d/\"}", port);
    enqueue("stuck", 0, 1, payload);
    wait_atomic(&runs, 1);
    int64_t from_ms = mono_ms();
    pool_stop(p, 100);
    assert_true(mono_ms() - from_ms < 10000);
    assert_int_equal(count("state = 'queued' AND attempts = 0"), 1);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(an_id_that_arrives_twice_is_taken_once, clean),
        cmocka_unit_test_setup(
            a_lapsed_lease_is_taken_over_and_the_old_holder_says_nothing_more, clean),
        cmocka_unit_test_setup(a_lease_of_a_worker_that_is_gone_makes_a_suspect, clean),
        cmocka_unit_test_setup(a_job_handed_back_has_not_been_tried, clean),
        cmocka_unit_test_setup(junk_in_a_stream_is_thrown_away, clean),
        cmocka_unit_test_setup(a_job_is_enqueued_once_for_its_key, clean),
        cmocka_unit_test_setup(every_job_is_done_once, clean),
        cmocka_unit_test_setup(a_failed_job_is_tried_again_and_buried_in_the_end, clean),
        cmocka_unit_test_setup(a_job_that_kills_its_workers_is_buried, clean),
        cmocka_unit_test_setup(a_delayed_job_waits_for_its_time, clean),
        cmocka_unit_test_setup(redis_wiped_in_the_middle_loses_nothing, clean),
        cmocka_unit_test_setup(
            redis_restored_from_yesterday_loses_nothing_and_repeats_nothing, clean),
        cmocka_unit_test_setup(without_redis_jobs_come_from_postgres, clean),
        cmocka_unit_test_setup(a_lost_database_connection_costs_time_only, clean),
        cmocka_unit_test_setup(a_slow_kind_leaves_threads_for_the_others, clean),
        cmocka_unit_test_setup(a_stop_hands_back_what_was_not_begun, clean),
        cmocka_unit_test_setup(
            a_job_that_waits_on_a_peer_is_broken_off_after_the_grace_time, clean),
    };

    pgtest_start(PGTEST_POSTGRES_AND_REDIS);
    pg = pgtest_open();
    struct pg *super = pgtest_open_super();
    pgtest_run(super, 0, "CREATE TABLE effects (job uuid)");
    pgtest_run(super, 0, "GRANT ALL ON effects TO furrow_app");
    pg_close(super);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    pg_close(pg);
    return failed;
}
