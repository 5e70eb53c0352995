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

/* How many were run at once, by the number of their first. */
static int company[100], refuse_company;

static int run_together(struct pg *pg, void *const *args, size_t n, int *errs)
{
    const struct job *first = args[0];

    if (refuse_company)
        return run_sql(pg, &(struct job){.sql = "SELECT 1/0"});
    company[first->number] = (int)n;
    for (size_t i = 0; i < n; i++) {
        struct job *j = args[i];
        j->tries++;
        errs[i] = j->number == 13 ? EEXIST : 0;
    }
    return 0;
}

static void submit_as(struct db *db, struct job *j, uint64_t key, int tenant_id,
                      bool patient)
{
    assert_int_equal(
        db_submit_order(db, &(struct db_order){.mode = DB_KEEP,
                                               .patience_ms = patient ? DB_PATIENT_MS : 0,
                                               .key = key,
                                               .tenant_id = tenant_id,
                                               .work = run_sql,
                                               .together = run_together,
                                               .done = on_done,
                                               .arg = j}),
        0);
}

static void submit_together(struct db *db, struct job *j, uint64_t key, int tenant_id)
{
    submit_as(db, j, key, tenant_id, false);
}

static void neighbours_are_run_at_once_in_their_order(void **state)
{
    enum { N = 20 };
    struct db *db = open_db(1, 1000);
    struct job jobs[N + 1];
    int order[N + 1], done = 0;

    (void)state;
    for (int i = 0; i <= N; i++)
        jobs[i] = (struct job){.number = i,
                               .sql = i == 0 ? "SELECT pg_sleep(0.2)" : "SELECT 1",
                               .order = order,
                               .done_count = &done};
    memset(company, 0, sizeof(company));
    assert_int_equal(db_submit(db, DB_KEEP, 1, run_sql, on_done, &jobs[0]), 0);
    for (int i = 1; i < N;
         i++) /* 1-4, then 5 of the same key as 4, then another tenant */
        submit_together(db, &jobs[i], (uint64_t)(i == 5 ? 4 : i), i < 10 ? 1 : 2);
    assert_int_equal(db_submit(db, DB_KEEP, 1, run_sql, on_done, &jobs[N]), 0);
    run_until(&done, N + 1);
    for (int i = 0; i <= N; i++) {
        assert_int_equal(order[i], i);
        assert_int_equal(jobs[i].tries, 1);
        assert_int_equal(jobs[i].err, i == 13 ? EEXIST : 0);
    }
    assert_int_equal(company[1], 8); /* all but 5, which may not overtake 4 */
    assert_int_equal(company[5], 0);
    assert_int_equal(company[10], 10);
    db_close(db, 0);
    close_loop();
}

static void submit_work(struct db *db, struct job *j, int tenant_id,
                        int (*work)(struct pg *pg, void *arg))
{
    assert_int_equal(db_submit_order(db, &(struct db_order){.mode = DB_KEEP,
                                                            .key = (uint64_t)j->number,
                                                            .tenant_id = tenant_id,
                                                            .work = work,
                                                            .done = on_done,
                                                            .arg = j}),
                     0);
}

static void submit_of_tenant(struct db *db, struct job *j, int tenant_id)
{
    submit_work(db, j, tenant_id, run_sql);
}

static sem_t begun;

static int run_begun(struct pg *pg, void *arg)
{
    sem_post(&begun);
    return run_sql(pg, arg);
}

/* Comes back once it runs: nothing that is submitted afterwards joins it. */
static void begin_of_tenant(struct db *db, struct job *j, int tenant_id)
{
    assert_int_equal(sem_init(&begun, 0, 0), 0);
    submit_work(db, j, tenant_id, run_begun);
    while (sem_wait(&begun)) /* by a signal */
        ;
}

/* Of several threads those of one tenant meet on one, until it has enough. */
static void a_tenant_keeps_to_one_thread_until_it_is_behind(void **state)
{
    enum { FULL = 64, N = FULL + 1 };
    struct db *db = open_db(4, 1000);
    struct job jobs[N];
    int order[N], done = 0;

    (void)state;
    for (int i = 0; i < N; i++)
        jobs[i] = (struct job){.number = i,
                               .sql = i == 0 ? "SELECT pg_sleep(1)" : "SELECT 1",
                               .order = order,
                               .done_count = &done};
    memset(company, 0, sizeof(company));
    begin_of_tenant(db, &jobs[0], 1);
    for (int i = 1; i < N; i++)
        submit_together(db, &jobs[i], (uint64_t)i, 1);
    run_until(&done, N);
    assert_int_equal(order[0], N - 1);
    assert_int_equal(order[1], 0);
    assert_int_equal(company[1], FULL - 1);
    db_close(db, 0);
    close_loop();
}

/* Two works, the second so much later; of many tries the quickest, as others work here
 * too. True: at once they were run. */
static bool run_two(struct db *db, bool second_patient, int later_ms, int64_t *took_ms)
{
    int done = 0;
    struct job jobs[] = {{.number = 0, .done_count = &done},
                         {.number = 1, .done_count = &done}};

    memset(company, 0, sizeof(company));
    int64_t began = mono_ms();
    submit_as(db, &jobs[0], 1, 1, true);
    while (mono_ms() < began + later_ms)
        uv_run(&loop, UV_RUN_NOWAIT);
    submit_as(db, &jobs[1], 2, 1, second_patient);
    run_until(&done, 2);
    *took_ms = mono_ms() - began;
    return company[0] == 2;
}

static void the_patient_wait_for_company_but_let_nobody_wait(void **state)
{
    enum { TRIES = 100, LATER_MS = 5, PATIENCE_MS = 20 };
    struct db *db = open_db(1, 1000);
    int64_t took = 0;
    bool met = false, waited = false, quick = false;

    (void)state;
    for (int i = 0; i < TRIES && !(met && waited); i++) {
        met = run_two(db, true, LATER_MS, &took) || met;
        waited = took >= PATIENCE_MS || waited;
    }
    assert_true(met);
    assert_true(waited);
    for (int i = 0; i < TRIES && !quick; i++)
        quick = run_two(db, false, LATER_MS, &took) && took < PATIENCE_MS;
    assert_true(quick);
    db_close(db, 0);
    close_loop();
}

static void what_fails_together_is_run_alone(void **state)
{
    enum { N = 6 };
    struct db *db = open_db(1, 1000);
    struct job jobs[N];
    int done = 0;

    (void)state;
    for (int i = 0; i < N; i++)
        jobs[i] = (struct job){.number = i,
                               .sql = i == 0   ? "SELECT pg_sleep(0.1)"
                                      : i == 3 ? "SELECT 1/0"
                                               : "SELECT 1",
                               .done_count = &done};
    refuse_company = 1;
    assert_int_equal(db_submit(db, DB_KEEP, 1, run_sql, on_done, &jobs[0]), 0);
    for (int i = 1; i < N; i++)
        submit_together(db, &jobs[i], (uint64_t)i, 1);
    run_until(&done, N);
    refuse_company = 0;
    for (int i = 0; i < N; i++) {
        assert_int_equal(jobs[i].tries, 1);
        assert_int_equal(jobs[i].err, i == 3 ? EPROTO : 0);
    }
    db_close(db, 0);
    close_loop();
}

/* The first one waits for a lock until all the others are in the queue. */
static void run_behind_a_lock(struct job *jobs, int n, int *done)
{
    struct db *db = open_db(1, 1000);
    struct pg *super = pgtest_open_super();

    assert_int_equal(pg_begin(super, 0), 0);
    assert_int_equal(pg_run(super, NULL, "LOCK TABLE lists IN EXCLUSIVE MODE", NULL), 0);
    for (int i = 0; i < n; i++)
        submit_of_tenant(db, &jobs[i], 1);
    assert_int_equal(pg_commit(super), 0);
    run_until(done, n);
    pg_close(super);
    db_close(db, 0);
    close_loop();
}

static void neighbours_of_a_tenant_share_a_transaction(void **state)
{
    enum { N = 12 };
    struct pg *super = pgtest_open_super();
    struct job jobs[N];
    char sql[N][128];
    int done = 0;

    (void)state;
    for (int i = 0; i < N; i++) {
        snprintf(sql[i], sizeof(sql[i]),
                 "INSERT INTO lists (tenant_id, name, created_at) VALUES (1, "
                 "'shared-%d', now())",
                 i);
        jobs[i] = (struct job){.number = i, .sql = sql[i], .done_count = &done};
    }
    run_behind_a_lock(jobs, N, &done);
    for (int i = 0; i < N; i++)
        assert_int_equal(jobs[i].err, 0);
    assert_int_equal(
        pgtest_i64(super, 0, "SELECT count(*) FROM lists WHERE name LIKE 'shared-%'"), N);
    assert_in_range(pgtest_i64(super, 0,
                               "SELECT count(DISTINCT xmin::text) FROM lists "
                               "WHERE name LIKE 'shared-%'"),
                    1, 2);
    pg_close(super);
}

static void one_that_fails_spoils_nothing_for_its_neighbours(void **state)
{
    struct pg *super = pgtest_open_super();
    static const char *const sql[] = {
        "INSERT INTO lists (tenant_id, name, created_at) VALUES (1, 'spoilt-0', now())",
        "INSERT INTO lists (tenant_id, name, created_at) VALUES (1, 'spoilt-1', now())",
        "INSERT INTO lists (tenant_id, name, created_at) VALUES (1, 'spoilt-1', now())",
        "SELECT 1/0",
        "INSERT INTO lists (tenant_id, name, created_at) VALUES (1, 'spoilt-2', now())"};
    static const int errs[] = {0, 0, EEXIST, EPROTO, 0};
    enum { N = ARRAY_LEN(sql) };
    struct job jobs[N];
    int done = 0;

    (void)state;
    for (int i = 0; i < N; i++)
        jobs[i] = (struct job){.number = i, .sql = sql[i], .done_count = &done};
    run_behind_a_lock(jobs, N, &done);
    for (int i = 0; i < N; i++)
        assert_int_equal(jobs[i].err, errs[i]);
    assert_int_equal(
        pgtest_i64(super, 0, "SELECT count(*) FROM lists WHERE name LIKE 'spoilt-%'"), 3);
    pg_close(super);
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
        cmocka_unit_test(neighbours_are_run_at_once_in_their_order),
        cmocka_unit_test(a_tenant_keeps_to_one_thread_until_it_is_behind),
        cmocka_unit_test(the_patient_wait_for_company_but_let_nobody_wait),
        cmocka_unit_test(what_fails_together_is_run_alone),
        cmocka_unit_test(neighbours_of_a_tenant_share_a_transaction),
        cmocka_unit_test(one_that_fails_spoils_nothing_for_its_neighbours),
        cmocka_unit_test(a_full_queue_refuses_try_and_takes_keep),
        cmocka_unit_test(keep_outlives_a_lost_connection_and_try_reports_it),
        cmocka_unit_test(closing_finishes_keep_and_cancels_try),
        cmocka_unit_test(closing_gives_up_after_its_grace),
    };

    pgtest_start(PGTEST_POSTGRES);
    return cmocka_run_group_tests_name("dialer_db", tests, NULL, NULL);
}
