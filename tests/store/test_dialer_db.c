/* dialer/db: order by key, refusal of a full queue, lost connections, closing. */
#include "unit/cm.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/xalloc.h"
#include "dialer/db.h"
#include "store/pgtest.h"

struct job {
    int number, err, tries;
    const char *sql;
    int *order; /* where done writes itself, in turn */
    int *done_count;
};

static uv_loop_t loop;

static struct db *open_db(int threads, int queue_max)
{
    struct errtext e = {0};
    struct db *db = NULL;
    const struct pg_options options = {
        .url = pgtest_url(), .role = "furrow_app", .name = "dbtest"};

    uv_loop_init(&loop);
    if (db_new(&db, &loop, &options, threads, queue_max, &e))
        fail_msg("db_new: %s", e.text);
    return db;
}

static void close_loop(void)
{
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
}

static int run_sql(struct pg *pg, void *arg)
{
    struct job *j = arg;

    j->tries++;
    int err = pg_begin(pg, 1);
    if (!err)
        err = pg_run(pg, NULL, j->sql, NULL);
    return pg_end(pg, err);
}

static void on_done(int err, void *arg)
{
    struct job *j = arg;

    j->err = err;
    if (j->order)
        j->order[*j->done_count] = j->number;
    (*j->done_count)++;
}

static void run_until(const int *count, int wanted)
{
    int64_t end = mono_ms() + 30000;

    while (*count < wanted && mono_ms() < end)
        uv_run(&loop, UV_RUN_ONCE);
    assert_int_equal(*count, wanted);
}

static void work_of_one_key_runs_in_the_order_it_came(void **state)
{
    enum { N = 200 };
    struct db *db = open_db(4, 1000);
    struct job jobs[N];
    int order[N], done = 0;

    (void)state;
    for (int i = 0; i < N; i++) {
        /* Even ones take longer than odd ones: only the key keeps them in line. */
        jobs[i] = (struct job){
            .number = i,
            .sql = i % 2 ? "SELECT 1" : "SELECT count(*) FROM generate_series(1, 2000)",
            .order = order,
            .done_count = &done};
        assert_int_equal(db_submit(db, DB_TRY, 77, run_sql, on_done, &jobs[i]), 0);
    }
    assert_int_equal(db_waiting(db), N);
    run_until(&done, N);
    for (int i = 0; i < N; i++) {
        assert_int_equal(order[i], i);
        assert_int_equal(jobs[i].err, 0);
    }
    assert_int_equal(db_waiting(db), 0);
    db_close(db, 0);
    close_loop();
}

static void a_full_queue_refuses_try_and_takes_keep(void **state)
{
    struct db *db = open_db(1, 2);
    struct job jobs[4];
    int done = 0;

    (void)state;
    for (int i = 0; i < 4; i++)
        jobs[i] = (struct job){.sql = "SELECT 1", .done_count = &done};
    assert_int_equal(db_submit(db, DB_TRY, 1, run_sql, on_done, &jobs[0]), 0);
    assert_int_equal(db_submit(db, DB_TRY, 2, run_sql, on_done, &jobs[1]), 0);
    assert_int_equal(db_submit(db, DB_TRY, 3, run_sql, on_done, &jobs[2]), EAGAIN);
    assert_int_equal(db_submit(db, DB_KEEP, 3, run_sql, on_done, &jobs[3]), 0);
    run_until(&done, 3);
    assert_int_equal(jobs[2].tries, 0);
    assert_int_equal(jobs[3].err, 0);
    db_close(db, 0);
    close_loop();
}

static void keep_outlives_a_lost_connection_and_try_reports_it(void **state)
{
    struct db *db = open_db(1, 10);
    struct pg *super = pgtest_open_super();
    int done = 0;
    struct job cut = {.sql = "SELECT 1", .done_count = &done},
               kept = {.sql = "INSERT INTO lists (tenant_id, name, created_at) VALUES "
                              "(1, 'kept', now())",
                       .done_count = &done};

    (void)state;
    pgtest_run(super, 0,
               "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity "
               "WHERE application_name = 'dbtest'");
    assert_int_equal(db_submit(db, DB_TRY, 1, run_sql, on_done, &cut), 0);
    assert_int_equal(db_submit(db, DB_KEEP, 1, run_sql, on_done, &kept), 0);
    run_until(&done, 1);
    assert_int_equal(cut.err, ECONNRESET);
    run_until(&done, 2);
    assert_int_equal(kept.err, 0);
    assert_true(db_is_up(db));
    assert_int_equal(
        pgtest_i64(super, 0, "SELECT count(*) FROM lists WHERE name = 'kept'"), 1);
    /* A refusal for good is not tried again. */
    kept.tries = 0;
    assert_int_equal(db_submit(db, DB_KEEP, 1, run_sql, on_done, &kept), 0);
    run_until(&done, 3);
    assert_int_equal(kept.err, EEXIST);
    assert_int_equal(kept.tries, 1);
    pg_close(super);
    db_close(db, 0);
    close_loop();
}

static void closing_finishes_keep_and_cancels_try(void **state)
{
    struct db *db = open_db(1, 10);
    struct pg *super = pgtest_open_super();
    int done = 0;
    struct job slow = {.sql = "SELECT count(*) FROM generate_series(1, 300000)",
                       .done_count = &done},
               tried = {.sql = "SELECT 1", .done_count = &done},
               kept = {.sql = "INSERT INTO lists (tenant_id, name, created_at) VALUES "
                              "(1, 'at the end', now())",
                       .done_count = &done};

    (void)state;
    assert_int_equal(db_submit(db, DB_KEEP, 1, run_sql, on_done, &slow), 0);
    assert_int_equal(db_submit(db, DB_TRY, 1, run_sql, on_done, &tried), 0);
    assert_int_equal(db_submit(db, DB_KEEP, 1, run_sql, on_done, &kept), 0);
    db_close(db, 20000);
    assert_int_equal(done, 3);
    assert_int_equal(slow.err, 0);
    assert_int_equal(tried.err, ECANCELED);
    assert_int_equal(kept.err, 0);
    assert_int_equal(
        pgtest_i64(super, 0, "SELECT count(*) FROM lists WHERE name = 'at the end'"), 1);
    pg_close(super);
    close_loop();
}

static int always_again(struct pg *pg, void *arg)
{
    struct job *j = arg;

    (void)pg;
    j->tries++;
    return EAGAIN;
}

static void closing_gives_up_after_its_grace(void **state)
{
    struct db *db = open_db(1, 10);
    int done = 0;
    struct job stuck = {.done_count = &done};
    int64_t began = mono_ms();

    (void)state;
    assert_int_equal(db_submit(db, DB_KEEP, 1, always_again, on_done, &stuck), 0);
    db_close(db, 300);
    assert_int_equal(done, 1);
    assert_int_equal(stuck.err, ECANCELED);
    assert_true(stuck.tries > 1);
    assert_in_range(mono_ms() - began, 290, 10000);
    close_loop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(work_of_one_key_runs_in_the_order_it_came),
        cmocka_unit_test(a_full_queue_refuses_try_and_takes_keep),
        cmocka_unit_test(keep_outlives_a_lost_connection_and_try_reports_it),
        cmocka_unit_test(closing_finishes_keep_and_cancels_try),
        cmocka_unit_test(closing_gives_up_after_its_grace),
    };

    pgtest_start(PGTEST_POSTGRES);
    return cmocka_run_group_tests_name("dialer_db", tests, NULL, NULL);
}
