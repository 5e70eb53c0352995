/* Limits of all workers together, priorities, families, results, delays, schedules and
 * counts: on a real Postgres and Redis, with two pools where it matters. */
#include "unit/cm.h"

#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/redis.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "campaigns/job_store.h"
#include "store/pgtest.h"
#include "workers/job_admin.h"
#include "workers/job_schedule.h"
#include "workers/pool.h"

enum { BOUND_MS = 60000, STARTS_MAX = 2000 };

static struct pg *pg;
static atomic_int starts, at_once, most_at_once;
static atomic_llong start_ms[STARTS_MAX];
static char started_key[STARTS_MAX][8];

/* {"n": "…"} is remembered in the order of starts; {"ms": N} takes that long. */
static enum job_result run_noted(struct job_ctx *ctx, const struct job *job)
{
    int now = atomic_fetch_add(&at_once, 1) + 1, most = atomic_load(&most_at_once);
    int i = atomic_fetch_add(&starts, 1);
    const char *name = json_string_value(json_object_get(job->payload, "n"));

    (void)ctx;
    while (now > most && !atomic_compare_exchange_weak(&most_at_once, &most, now))
        ;
    if (i < STARTS_MAX) {
        atomic_store(&start_ms[i], mono_ms());
        str_cut(started_key[i], sizeof(started_key[i]), name ? name : "");
    }
    poll(NULL, 0, (int)json_integer_value(json_object_get(job->payload, "ms")));
    atomic_fetch_sub(&at_once, 1);
    return json_is_true(json_object_get(job->payload, "bury"))
               ? job_say(ctx, JOB_BURY, "as it was told")
               : JOB_DONE;
}

/* A child says its number; the parent adds them up. */
static enum job_result run_part(struct job_ctx *ctx, const struct job *job)
{
    atomic_fetch_add(&starts, 1);
    if (json_is_true(json_object_get(job->payload, "bury")) && job->attempts < 2 &&
        !json_is_true(json_object_get(job->payload, "well")))
        return job_say(ctx, JOB_BURY, "as it was told");
    job_progress(ctx, job, json_object_get(job->payload, "value"));
    ctx->output = json_incref(json_object_get(job->payload, "value"));
    return JOB_DONE;
}

static enum job_result run_whole(struct job_ctx *ctx, const struct job *job)
{
    json_auto_t *children = NULL;
    json_t *child;
    json_int_t sum = 0;
    size_t i;

    if (job_children(ctx, job, &children))
        return job_say(ctx, JOB_RETRY, "no children");
    json_array_foreach(children, i, child) sum +=
        json_integer_value(json_object_get(child, "result"));
    ctx->output = json_pack("{s:I, s:I}", "sum", sum, "parts",
                            (json_int_t)json_array_size(children));
    return JOB_DONE;
}

static const struct job_kind noted = {.name = "noted", .run = run_noted};
static const struct job_kind part = {.name = "part", .run = run_part};
static const struct job_kind whole = {.name = "whole", .run = run_whole};
static const struct job_kind *const kinds[] = {&noted, &part, &whole};

static struct pool *start_with(const char *holder, int threads, int64_t sweep_ms,
                               int64_t keep_ms)
{
    struct errtext e = {0};
    struct pool *p = NULL;
    const struct pool_options options = {.queue = {.database_url = pgtest_url(),
                                                   .redis_url = pgtest_redis_url(),
                                                   .holder = holder,
                                                   .kinds = kinds,
                                                   .kind_count = ARRAY_LEN(kinds),
                                                   .lease_ms = 30000,
                                                   .republish_ms = 500},
                                         .threads = threads,
                                         .retry_base_ms = 20,
                                         .retry_max_ms = 100,
                                         .sweep_ms = sweep_ms,
                                         .keep_ms = keep_ms};

    if (pool_start(&p, &options, &e))
        fail_msg("%s", e.text);
    return p;
}

static struct pool *start_pool(const char *holder, int threads)
{
    return start_with(holder, threads, 50, 0);
}

static void add(const char *name, int from, int to, enum job_priority priority,
                const char *payload)
{
    json_auto_t *json = json_loads(payload, 0, NULL);

    assert_int_equal(pg_begin(pg, 1), 0);
    for (int i = from; i < to; i++) {
        CLEANUP(free_cleanup) char *key = xasprintf("%s-%d", name, i);
        const struct job_new job = {
            .kind = "noted", .key = key, .payload = json, .priority = priority};
        int64_t added = 0;
        assert_int_equal(job_enqueue_many(pg, 1, &job, 1, clock_now_ms(), &added), 0);
        assert_int_equal(added, 1);
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

static void flush_redis(void)
{
    struct errtext e = {0};
    struct redis *r = NULL;

    assert_int_equal(redis_open(&r, pgtest_redis_url(), &e), 0);
    assert_int_equal(redis_cmd(r, NULL, "FLUSHALL"), 0);
    redis_close(r);
}

static int clean(void **state)
{
    (void)state;
    flush_redis();
    pgtest_run(pg, 1, "DELETE FROM outbox");
    pgtest_run(pg, 1, "DELETE FROM jobs");
    pgtest_run(pg, 1, "DELETE FROM job_queues");
    pgtest_run(pg, 1, "DELETE FROM job_slots");
    pgtest_run(pg, 1, "DELETE FROM job_counts");
    pgtest_run(pg, 1, "DELETE FROM job_schedules");
    atomic_store(&starts, 0);
    atomic_store(&at_once, 0);
    atomic_store(&most_at_once, 0);
    return 0;
}

/* ---- limits ---- */

static void no_more_than_the_limit_run_at_once_in_all_workers(void **state)
{
    (void)state;
    assert_int_equal(job_admin_limit(pg, 1, "noted", 0, 3), 0);
    add("a", 0, 24, JOB_NORMAL, "{\"ms\": 20}");
    struct pool *p1 = start_pool("w1", 4), *p2 = start_pool("w2", 4);
    wait_count("state = 'done'", 24);
    assert_int_equal(atomic_load(&starts), 24);
    assert_in_range(atomic_load(&most_at_once), 2, 3);
    /* Lifted, the rest goes as fast as it can. */
    add("b", 0, 40, JOB_NORMAL, "{\"ms\": 60}");
    assert_int_equal(job_admin_limit(pg, 1, "noted", 0, 0), 0);
    wait_count("state = 'done'", 64);
    assert_true(atomic_load(&most_at_once) > 3);
    pool_stop(p1, 1000);
    pool_stop(p2, 1000);
}

static void no_more_than_the_rate_begin_in_any_second(void **state)
{
    enum { RATE = 20, JOBS = 36, BURST = 3 };

    (void)state;
    assert_int_equal(job_admin_limit(pg, 1, "noted", RATE, 0), 0);
    add("a", 0, JOBS, JOB_NORMAL, "{}");
    struct pool *p1 = start_pool("w1", 2), *p2 = start_pool("w2", 2);
    wait_count("state = 'done'", JOBS);
    /* The last starts no earlier than its token came. */
    int64_t first = atomic_load(&start_ms[0]), last = first;
    for (int i = 0; i < JOBS; i++) {
        int64_t at = atomic_load(&start_ms[i]);
        first = at < first ? at : first;
        last = at > last ? at : last;
    }
    assert_true(last - first >= (JOBS - BURST - 1) * 1000 / RATE - 100);
    pool_stop(p1, 1000);
    pool_stop(p2, 1000);
}

/* ---- order ---- */

static void high_ones_go_first_and_low_ones_last(void **state)
{
    (void)state;
    add("l", 0, 3, JOB_LOW, "{\"n\": \"low\"}");
    add("n", 0, 3, JOB_NORMAL, "{\"n\": \"normal\"}");
    add("h", 0, 3, JOB_HIGH, "{\"n\": \"high\"}");
    struct pool *p = start_pool("w", 1);
    wait_count("state = 'done'", 9);
    pool_stop(p, 1000);
    for (int i = 0; i < 9; i++)
        assert_string_equal(started_key[i], i < 3 ? "high" : i < 6 ? "normal" : "low");
}

static void a_delayed_job_does_not_wait_for_the_sweep(void **state)
{
    const struct job_new job = {.kind = "noted", .key = "later", .run_after_ms = 300};
    struct pool *p = start_with("w", 2, 30000, 0);

    (void)state;
    add("a", 0, 1, JOB_NORMAL, "{}");
    wait_count("state = 'done'", 1); /* the pool is up and has swept */
    int64_t from_ms = mono_ms();
    assert_int_equal(pg_begin(pg, 1), 0);
    assert_int_equal(job_enqueue_many(pg, 1, &job, 1, clock_now_ms(), NULL), 0);
    assert_int_equal(pg_commit(pg), 0);
    wait_count("state = 'done'", 2);
    assert_in_range(mono_ms() - from_ms, 300, 15000);
    pool_stop(p, 1000);
}

static void wiping_redis_loses_no_job_of_any_rank_and_runs_none_twice(void **state)
{
    struct pool *p1 = start_pool("w1", 3), *p2 = start_pool("w2", 3);

    (void)state;
    for (int i = 0; i < 5; i++) {
        add("h", i * 20, i * 20 + 20, JOB_HIGH, "{}");
        add("n", i * 80, i * 80 + 80, JOB_NORMAL, "{}");
        add("l", i * 20, i * 20 + 20, JOB_LOW, "{}");
        flush_redis();
    }
    wait_count("state = 'done'", 600);
    pool_stop(p1, 1000);
    pool_stop(p2, 1000);
    assert_int_equal(atomic_load(&starts), 600);
    assert_int_equal(count("attempts <> 1"), 0);
}

static void many_are_enqueued_in_one_statement_and_known_keys_are_not_new(void **state)
{
    struct job_new jobs[] = {{.kind = "noted", .key = "a"},
                             {.kind = "noted", .key = "it's \"b\", {c}"},
                             {.kind = "part", .key = "a"}};
    int64_t added = 0;

    (void)state;
    add("a", 0, 1, JOB_NORMAL, "{}");
    jobs[0].key = "a-0";
    assert_int_equal(pg_begin(pg, 1), 0);
    assert_int_equal(job_enqueue_many(pg, 1, jobs, 3, clock_now_ms(), &added), 0);
    assert_int_equal(pg_commit(pg), 0);
    assert_int_equal(added, 2);
    assert_int_equal(count("unique_key = 'it''s \"b\", {c}'"), 1);
    assert_int_equal(pgtest_i64(pg, 1, "SELECT count(*) FROM outbox"), 3);
}

/* ---- families and what they say ---- */

static void a_parent_begins_when_its_last_child_has_ended(void **state)
{
    json_auto_t *one = json_pack("{s:i}", "value", 1);
    json_auto_t *two = json_pack("{s:i}", "value", 20);
    json_auto_t *bad = json_pack("{s:i, s:b}", "value", 300, "bury", 1);
    const struct job_new parent = {.kind = "whole", .key = "p"};
    const struct job_new children[] = {{.kind = "part", .key = "1", .payload = one},
                                       {.kind = "part", .key = "2", .payload = two},
                                       {.kind = "part", .key = "3", .payload = bad},
                                       {.kind = "part", .key = "4", .payload = bad}};
    struct pool *p = start_pool("w", 3);
    int64_t added = 0, n = 0;

    (void)state;
    assert_int_equal(pg_begin(pg, 1), 0);
    assert_int_equal(
        job_enqueue_family(pg, 1, &parent, children, 4, clock_now_ms(), &added), 0);
    assert_int_equal(pg_commit(pg), 0);
    assert_int_equal(added, 5);
    wait_count("kind = 'part' AND state = 'done'", 2);
    wait_count("kind = 'part' AND state = 'buried'", 2);
    /* Two are buried: it waits for a person. */
    assert_int_equal(count("kind = 'whole' AND state = 'queued' AND children_left = 2"),
                     1);
    assert_int_equal(count("unique_key = '2' AND progress = '20' AND result = '20'"), 1);
    /* Nor does a retry of the parent begin it, waiting or cancelled as it is. */
    struct uuid id;
    CLEANUP(pg_result_free) PGresult *res = NULL;
    assert_int_equal(pg_begin(pg, 1), 0);
    assert_int_equal(pg_run(pg, &res, "SELECT id FROM jobs WHERE unique_key = 'p'", NULL),
                     0);
    assert_int_equal(pg_commit(pg), 0);
    assert_int_equal(pg_uuid(res, 0, 0, &id), 0);
    const struct job_filter by_id = {.id = &id};
    for (int i = 0; i < 2; i++) {
        if (i == 1)
            pgtest_run(pg, 1,
                       "UPDATE jobs SET state = 'cancelled', children_left = 4, "
                       "finished_at = now() WHERE unique_key = 'p'");
        assert_int_equal(job_admin_retry(pg, 1, &by_id, &n), 0);
        assert_int_equal(
            count("kind = 'whole' AND state = 'queued' AND children_left = 2 AND run_at "
                  "= 'infinity' AND id NOT IN (SELECT job_id FROM outbox)"),
            1);
    }
    pgtest_run(
        pg, 1,
        "UPDATE jobs SET state = 'cancelled' WHERE kind = 'part' AND unique_key = '4'");
    pgtest_run(
        pg, 1,
        "UPDATE jobs SET payload = payload || '{\"well\": true}' WHERE unique_key = "
        "'3'");
    assert_int_equal(count("kind = 'whole' AND children_left = 1"), 1);
    const struct job_filter buried = {.state = "buried"};
    assert_int_equal(job_admin_retry(pg, 1, &buried, &n), 0);
    assert_int_equal(n, 1);
    wait_count("kind = 'whole' AND state = 'done'", 1);
    assert_int_equal(count("kind = 'whole' AND attempts = 1 AND result = '{\"sum\": 321, "
                           "\"parts\": 4}'"),
                     1);
    /* A second family of that name is nothing new, one without children begins. */
    assert_int_equal(pg_begin(pg, 1), 0);
    assert_int_equal(
        job_enqueue_family(pg, 1, &parent, children, 4, clock_now_ms(), &added), 0);
    assert_int_equal(added, 0);
    const struct job_new lonely = {.kind = "whole", .key = "lonely"};
    assert_int_equal(job_enqueue_family(pg, 1, &lonely, NULL, 0, clock_now_ms(), &added),
                     0);
    assert_int_equal(pg_commit(pg), 0);
    wait_count("unique_key = 'lonely' AND state = 'done'", 1);
    pool_stop(p, 1000);
}

static void what_is_done_expires_and_what_is_buried_stays(void **state)
{
    struct pool *p = start_pool("w", 2);

    (void)state;
    add("a", 0, 5, JOB_NORMAL, "{}");
    add("b", 0, 2, JOB_NORMAL, "{\"bury\": true}");
    wait_count("state = 'done'", 5);
    wait_count("state = 'buried'", 2);
    pool_stop(p, 1000);
    p = start_with("w", 2, 50, 3600000);
    add("c", 0, 1, JOB_NORMAL, "{}"); /* young */
    wait_count("state = 'done'", 6);
    /* A parent that waits for a buried child will read what the other one left. */
    json_auto_t *one = json_pack("{s:i}", "value", 1);
    json_auto_t *bad = json_pack("{s:i, s:b}", "value", 300, "bury", 1);
    const struct job_new parent = {.kind = "whole", .key = "late"};
    const struct job_new children[] = {{.kind = "part", .key = "1", .payload = one},
                                       {.kind = "part", .key = "2", .payload = bad}};
    int64_t added = 0;
    assert_int_equal(pg_begin(pg, 1), 0);
    assert_int_equal(
        job_enqueue_family(pg, 1, &parent, children, 2, clock_now_ms(), &added), 0);
    assert_int_equal(pg_commit(pg), 0);
    wait_count("kind = 'part' AND state = 'done'", 1);
    wait_count("state = 'buried'", 3);
    pool_stop(p, 1000);
    p = start_with("w", 2, 50, 1);
    wait_count("state = 'done' AND parent_id IS NULL", 0);
    assert_int_equal(count("state = 'done' AND kind = 'part'"), 1);
    assert_int_equal(count("state = 'buried'"), 3);
    pool_stop(p, 1000);
}

static void workers_count_what_they_did(void **state)
{
    json_auto_t *kinds_json = NULL;
    struct pool *p = start_pool("w", 2);

    (void)state;
    add("a", 0, 12, JOB_NORMAL, "{\"ms\": 30}");
    add("b", 0, 3, JOB_NORMAL, "{\"bury\": true}");
    wait_count("finished_at IS NULL", 0);
    pool_stop(p, 1000);
    assert_int_equal(job_admin_watch(pg, 1, &kinds_json), 0);
    const json_t *row = json_object_get(kinds_json, "noted");
    assert_int_equal(json_integer_value(json_object_get(row, "done")), 12);
    assert_int_equal(json_integer_value(json_object_get(row, "failed")), 3);
    assert_int_equal(json_integer_value(json_object_get(row, "buried")), 3);
    assert_int_equal(json_integer_value(json_object_get(row, "ended")), 15);
    assert_int_equal(json_integer_value(json_object_get(row, "due")), 0);
    assert_true(json_integer_value(json_object_get(row, "run_ms")) >= 12 * 29);
    assert_int_equal(
        pgtest_i64(pg, 1, "SELECT (SELECT sum(x) FROM unnest(run_le) x) FROM job_counts"),
        15);
    assert_true(pgtest_i64(pg, 1, "SELECT run_le[1] FROM job_counts") <= 3);
}

/* ---- schedules ---- */

static int64_t at(const char *text)
{
    int64_t ms = 0;

    assert_int_equal(clock_parse(text, &ms), 0);
    return ms;
}

static void a_schedule_fires_once_for_each_instant_and_makes_up_for_the_last(void **state)
{
    const struct job_schedule s = {
        .name = "tidy", .kind = "noted", .cron = "*/10 * * * *", .timezone = "UTC"};
    struct pg *other = pgtest_open();
    struct errtext e = {0};
    int64_t next_ms = 0;
    int fired = 0;

    (void)state;
    assert_int_equal(
        job_schedule_set(pg, 1, &s, at("2026-11-25T08:03:00Z"), &next_ms, &e), 0);
    assert_int_equal(next_ms, at("2026-11-25T08:10:00Z"));
    assert_int_equal(job_schedules_fire(pg, at("2026-11-25T08:09:59Z"), &fired), 0);
    assert_int_equal(fired, 0);
    assert_int_equal(job_schedules_fire(pg, at("2026-11-25T08:10:00Z"), &fired), 0);
    assert_int_equal(fired, 1);
    assert_int_equal(job_schedules_fire(other, at("2026-11-25T08:10:00Z"), &fired), 0);
    assert_int_equal(fired, 0);
    assert_int_equal(count("unique_key = 'tidy@2026-11-25T08:10:00Z'"), 1);
    /* No worker lived for an hour. */
    assert_int_equal(job_schedules_fire(other, at("2026-11-25T09:15:00Z"), &fired), 0);
    assert_int_equal(fired, 1);
    assert_int_equal(count("unique_key = 'tidy@2026-11-25T09:10:00Z'"), 1);
    assert_int_equal(count("true"), 2);
    /* A second worker whose clock is behind plans an instant again: the key holds. */
    pgtest_run(
        pg, 1,
        "UPDATE job_schedules SET next_at = furrow_ts(furrow_ms(next_at) - 600000)");
    assert_int_equal(job_schedules_fire(pg, at("2026-11-25T09:16:00Z"), &fired), 0);
    assert_int_equal(count("true"), 2);
    /* The rules of its zone were others when it was planned: that instant is none any
     * more, and the one that takes its place is not missed. */
    pgtest_run(pg, 1,
               "UPDATE job_schedules SET next_at = furrow_ts(furrow_ms(last_at) + "
               "420000)");
    assert_int_equal(job_schedules_fire(pg, at("2026-11-25T09:17:00Z"), &fired), 0);
    assert_int_equal(count("true"), 2);
    assert_int_equal(pgtest_i64(pg, 1, "SELECT furrow_ms(next_at) FROM job_schedules"),
                     at("2026-11-25T09:20:00Z"));
    assert_int_equal(job_schedules_fire(pg, at("2026-11-25T09:20:00Z"), &fired), 0);
    assert_int_equal(count("unique_key = 'tidy@2026-11-25T09:20:00Z'"), 1);
    /* A zone that is gone for a while: what came meanwhile is made up for. */
    pgtest_run(pg, 1, "UPDATE job_schedules SET timezone = 'Nowhere/Land'");
    assert_int_equal(job_schedules_fire(pg, at("2026-11-25T09:30:00Z"), &fired), 0);
    pgtest_run(pg, 1, "UPDATE job_schedules SET timezone = 'UTC'");
    assert_int_equal(job_schedules_fire(pg, at("2026-11-25T10:33:00Z"), &fired), 0);
    assert_int_equal(count("unique_key = 'tidy@2026-11-25T10:30:00Z'"), 1);
    assert_int_equal(count("true"), 4);
    const struct job_schedule never = {
        .name = "never", .kind = "noted", .cron = "0 0 30 2 *", .timezone = "UTC"};
    assert_int_equal(job_schedule_set(pg, 1, &never, 0, &next_ms, &e), EINVAL);
    assert_int_equal(job_schedule_remove(pg, 1, "tidy"), 0);
    assert_int_equal(job_schedule_remove(pg, 1, "tidy"), ENOENT);
    pg_close(other);
}

/* ---- many tenants ---- */

static atomic_int begins;
int __real_pg_begin(struct pg *conn, int tenant_id);
int __wrap_pg_begin(struct pg *conn, int tenant_id);

int __wrap_pg_begin(struct pg *conn, int tenant_id)
{
    atomic_fetch_add(&begins, 1);
    return __real_pg_begin(conn, tenant_id);
}

/* Asks as often as it can for that long; how many transactions it took. */
static int ask_for(struct queue *q, int64_t ms, int *taken)
{
    struct queue_item items[8];
    const int room[QUEUE_KINDS_MAX] = {8, 8, 8};
    int64_t end_ms = mono_ms() + ms;
    int from = begins;

    for (*taken = 0; mono_ms() < end_ms;) {
        int n = 0;
        assert_int_equal(queue_take_rows(q, room, true, items, 8, &n), 0);
        for (int i = 0; i < n; i++)
            queue_item_clear(&items[i]);
        *taken += n;
    }
    return begins - from;
}

static void tenants_with_nothing_to_do_cost_little(void **state)
{
    enum { TENANTS = 30, MS = 700, LOOKS = 6, RULES = 3 };
    const struct queue_options options = {.database_url = pgtest_url(),
                                          .redis_url = pgtest_redis_url(),
                                          .holder = "w1",
                                          .kinds = kinds,
                                          .kind_count = ARRAY_LEN(kinds),
                                          .lease_ms = 30000,
                                          .republish_ms = 500};
    struct errtext e = {0};
    struct queue *q = NULL;
    int taken = 0;
    size_t n = 0;

    (void)state;
    for (int i = 0; i < TENANTS; i++) {
        char name[32];
        snprintf(name, sizeof(name), "tenant-%d", i);
        assert_int_equal(pg_tenant_add(pg, name), 0);
    }
    assert_int_equal(pg_tenants(pg, (int[64]){0}, 64, &n), 0);
    assert_int_equal(job_admin_limit(pg, 1, "noted", 1000, 0), 0);
    assert_int_equal(queue_open(&q, &options, &e), 0);
    /* High and low ones, at 0, 50, 150, 350, 750 ms, and the rules now and then. */
    int cost = ask_for(q, MS, &taken);
    assert_int_equal(taken, 0);
    assert_true(cost <= (int)n * (2 * LOOKS + RULES));
    add("a", 0, 1, JOB_NORMAL, "{}");
    add("b", 0, 1, JOB_HIGH, "{}");
    queue_look_again(q);
    ask_for(q, 1, &taken);
    assert_int_equal(taken, 2);
    queue_close(q);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(no_more_than_the_limit_run_at_once_in_all_workers, clean),
        cmocka_unit_test_setup(no_more_than_the_rate_begin_in_any_second, clean),
        cmocka_unit_test_setup(high_ones_go_first_and_low_ones_last, clean),
        cmocka_unit_test_setup(a_delayed_job_does_not_wait_for_the_sweep, clean),
        cmocka_unit_test_setup(wiping_redis_loses_no_job_of_any_rank_and_runs_none_twice,
                               clean),
        cmocka_unit_test_setup(
            many_are_enqueued_in_one_statement_and_known_keys_are_not_new, clean),
        cmocka_unit_test_setup(a_parent_begins_when_its_last_child_has_ended, clean),
        cmocka_unit_test_setup(what_is_done_expires_and_what_is_buried_stays, clean),
        cmocka_unit_test_setup(workers_count_what_they_did, clean),
        cmocka_unit_test_setup(tenants_with_nothing_to_do_cost_little, clean),
        cmocka_unit_test_setup(
            a_schedule_fires_once_for_each_instant_and_makes_up_for_the_last, clean),
    };

    pgtest_start(PGTEST_POSTGRES_AND_REDIS);
    pg = pgtest_open();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    pg_close(pg);
    return failed;
}
