/* base/pg and base/redis against real servers: tenants, errors, lost connections. */
#include "unit/cm.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/redis.h"
#include "base/str.h"
#include "store/pgtest.h"

static int other_tenant;

static void rows_of_another_tenant_are_invisible_and_unwritable(void **state)
{
    struct pg *pg = pgtest_open();

    (void)state;
    pgtest_run(
        pg, 1,
        "INSERT INTO lists (tenant_id, name, created_at) VALUES (1, 'ours', now())");
    assert_int_equal(pgtest_i64(pg, 1, "SELECT count(*) FROM lists WHERE name = 'ours'"),
                     1);
    assert_int_equal(pgtest_i64(pg, other_tenant, "SELECT count(*) FROM lists"), 0);
    /* No tenant set: nothing shows, rather than everything. */
    assert_int_equal(pg_begin(pg, 0), 0);
    CLEANUP(pg_result_free) PGresult *res = NULL;
    assert_int_equal(pg_run(pg, &res, "SELECT count(*) FROM lists", NULL), 0);
    assert_int_equal(pg_i64(res, 0, 0), 0);
    pg_rollback(pg);
    /* Writing under another tenant's name is refused by the policy. */
    assert_int_equal(pg_begin(pg, other_tenant), 0);
    assert_int_equal(pg_run(pg, NULL,
                            "INSERT INTO lists (tenant_id, name, created_at) "
                            "VALUES (1, 'smuggled', now())",
                            NULL),
                     EPROTO);
    assert_non_null(strstr(pg_error(pg), "row-level security"));
    pg_rollback(pg);
    pg_close(pg);
}

static void every_table_but_the_installations_own_is_isolated(void **state)
{
    struct pg *pg = pgtest_open_super();

    (void)state;
    assert_int_equal(
        pgtest_i64(
            pg, 0,
            "SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace "
            "WHERE nspname = 'public' AND relkind IN ('r', 'p') AND NOT relispartition "
            "AND NOT (relrowsecurity AND relforcerowsecurity) AND relname NOT IN "
            "('installation', 'clock_epoch', 'node_slots', 'schema_migrations', "
            "'tenants', 'extension_tenants', 'api_key_tenants', 'provider_hooks', "
            "'pack_bodies')"),
        0);
    /* Three have no grant at all: their functions answer one question each. */
    assert_int_equal(
        pgtest_i64(pg, 0,
                   "SELECT count(*) FROM unnest(ARRAY['extension_tenants', "
                   "'api_key_tenants', 'provider_hooks']) t WHERE "
                   "has_table_privilege('furrow_app', t, "
                   "'SELECT') OR has_table_privilege('furrow_app', t, 'INSERT')"),
        0);
    pg_close(pg);
}

static void refusals_have_their_errno(void **state)
{
    struct pg *pg = pgtest_open();

    (void)state;
    pgtest_run(
        pg, 1,
        "INSERT INTO lists (tenant_id, name, created_at) VALUES (1, 'once', now())");
    assert_int_equal(pg_begin(pg, 1), 0);
    assert_int_equal(pg_run(pg, NULL,
                            "INSERT INTO lists (tenant_id, name, created_at) "
                            "VALUES (1, 'once', now())",
                            NULL),
                     EEXIST);
    assert_string_equal(pg_sqlstate(pg), "23505");
    assert_int_equal(pg_commit(pg), EPROTO); /* a failed transaction does not commit */
    assert_int_equal(pg_run(pg, NULL, "SELECT 1 / 0", NULL), EPROTO);
    assert_int_equal(pgtest_i64(pg, 1, "SELECT 5"), 5); /* and the connection is well */
    pg_close(pg);
}

static void cut(const struct pg *victim, struct pg *super)
{
    char sql[128];

    snprintf(sql, sizeof(sql), "SELECT pg_terminate_backend(%d)",
             PQbackendPID(pg_conn((struct pg *)(uintptr_t)victim)));
    assert_int_equal(pg_script(super, sql), 0);
}

static void a_lost_connection_is_told_once_and_comes_back(void **state)
{
    struct pg *super = pgtest_open_super(), *pg = pgtest_open();

    (void)state;
    assert_int_equal(pgtest_i64(pg, 1, "SELECT 7"), 7);
    assert_int_equal(pg_begin(pg, 1), 0);
    cut(pg, super);
    assert_int_equal(pg_run(pg, NULL, "SELECT 8", NULL), ECONNRESET);
    pg_rollback(pg);
    /* Statements prepared before the loss are prepared anew. */
    assert_int_equal(pgtest_i64(pg, 1, "SELECT 7"), 7);
    pg_close(pg);
    pg_close(super);
}

/* A database that was started anew has closed the lines of those who waited. */
static void a_line_closed_in_a_pool_loses_no_statement(void **state)
{
    const struct pg_options options = {
        .url = pgtest_url(), .role = "furrow_app", .name = "pooled"};
    struct pg *super = pgtest_open_super();
    struct pg_pool *pool = NULL;

    (void)state;
    assert_int_equal(pg_pool_new(&pool, &options, 1, NULL), 0);
    for (int i = 0; i < 3; i++) {
        struct pg *pg = pg_pool_take(pool);
        assert_int_equal(pgtest_i64(pg, 1, "SELECT 7"), 7);
        pg_pool_give(pool, pg);
        pgtest_run(super, 0,
                   "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE "
                   "application_name = 'pooled'");
    }
    pg_pool_free(pool);
    pg_close(super);
}

/* One that stands still in a transaction (stopped, swapped out) keeps its locks for as
 * long as its session lives. */
static void who_stands_still_in_a_transaction_lets_go(void **state)
{
    const struct pg_options options = {
        .url = pgtest_url(), .role = "furrow_app", .name = "still", .idle_ms = 200};
    struct pg *pg = pgtest_open(), *still = NULL;
    struct errtext e = {0};

    (void)state;
    assert_int_equal(pg_open(&still, &options, &e), 0);
    assert_int_equal(pg_begin(still, 1), 0);
    assert_int_equal(pg_run(still, NULL, "SELECT pg_advisory_xact_lock(77)", NULL), 0);
    assert_int_equal(pg_run(pg, NULL, "SET statement_timeout = '30s'", NULL), 0);
    assert_int_equal(pg_run(pg, NULL, "SELECT pg_advisory_lock(77)", NULL), 0);
    assert_int_equal(pg_run(still, NULL, "SELECT 1", NULL), ECONNRESET);
    pg_rollback(still);
    assert_int_equal(pgtest_i64(still, 1, "SELECT 7"), 7);
    pg_close(still);
    pg_close(pg);
}

static void a_statement_alone_is_a_whole_transaction(void **state)
{
    static const char insert[] = "INSERT INTO lists (tenant_id, name, created_at) VALUES "
                                 "($1, $2, now()) RETURNING name";
    struct pg *super = pgtest_open_super(), *pg = pgtest_open();
    struct pg_args ours = {0}, theirs = {0};
    CLEANUP(pg_result_free) PGresult *res = NULL;

    (void)state;
    pg_arg_i64(&ours, 1);
    pg_arg_text(&ours, "alone");
    pg_arg_i64(&theirs, other_tenant);
    pg_arg_text(&theirs, "alone");
    assert_int_equal(pg_run_alone(pg, 1, &res, insert, &ours), 0);
    assert_string_equal(pg_text(res, 0, 0), "alone");
    assert_int_equal(
        pgtest_i64(super, 0, "SELECT count(*) FROM lists WHERE name = 'alone'"), 1);
    /* Its tenant holds for it, and for nothing after it. */
    assert_int_equal(pg_run_alone(pg, 1, NULL, insert, &theirs), EPROTO);
    assert_non_null(strstr(pg_error(pg), "row-level security"));
    assert_int_equal(pgtest_i64(pg, 0, "SELECT count(*) FROM lists"), 0);
    /* A refusal leaves no transaction behind. */
    assert_int_equal(pg_run_alone(pg, 1, NULL, insert, &ours), EEXIST);
    assert_int_equal(pg_run_alone(pg, 1, NULL, "SELECT no such thing", NULL), EPROTO);
    assert_int_equal(PQtransactionStatus(pg_conn(pg)), PQTRANS_IDLE);
    assert_int_equal(pg_begin(pg, 1), 0);
    assert_int_equal(pg_run_alone(pg, 1, NULL, insert, &ours), EINVAL);
    pg_rollback(pg);
    cut(pg, super);
    assert_int_equal(pg_run_alone(pg, 1, NULL, "SELECT 1", NULL), ECONNRESET);
    assert_int_equal(pgtest_i64(pg, 1, "SELECT count(*) FROM lists WHERE name = 'alone'"),
                     1);
    pg_close(pg);
    pg_close(super);
}

static void asked(struct pg *pg, const char *sql)
{
    assert_int_equal(pg_ask(pg, sql, NULL), 0);
}

static void answered(struct pg *pg, const char *wanted)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;

    assert_int_equal(pg_answer(pg, &res), 0);
    assert_string_equal(pg_text(res, 0, 0), wanted);
}

static void answers_come_in_the_order_they_were_asked(void **state)
{
    struct pg *pg = pgtest_open();
    PGresult *res = NULL;

    (void)state;
    for (int i = 0; i < 2; i++) { /* prepared by the way, and as they were */
        assert_int_equal(pg_begin_later(pg, 1), 0);
        asked(pg, "SELECT 'first'");
        assert_int_equal(pg_run_later(pg, "SELECT 'for nobody'", NULL), 0);
        asked(pg, "SELECT current_setting('furrow.tenant')");
        answered(pg, "first");
        answered(pg, "1");
        assert_int_equal(pg_answer(pg, &res), EPROTO); /* there is no more */
        asked(pg, "SELECT 'third'");
        assert_int_equal(pg_run(pg, NULL, "SELECT 'in between'", NULL), 0);
        answered(pg, "third");
        asked(pg, "SELECT 'left behind'");
        assert_int_equal(pg_commit(pg), 0);
    }
    /* One that is refused spoils all that were asked. */
    assert_int_equal(pg_begin_later(pg, 1), 0);
    asked(pg, "SELECT 'first'");
    asked(pg, "SELECT 1 / 0");
    asked(pg, "SELECT 'third'");
    for (int i = 0; i < 3; i++)
        assert_int_equal(pg_answer(pg, &res), EPROTO);
    assert_non_null(strstr(pg_error(pg), "division"));
    pg_rollback(pg);
    assert_int_equal(pg_begin_later(pg, 1), 0);
    for (int i = 0; i < PG_ASKS_MAX; i++)
        asked(pg, "SELECT 'again'");
    assert_int_equal(pg_ask(pg, "SELECT 'again'", NULL), EINVAL);
    answered(pg, "again");
    pg_rollback(pg);
    assert_null(res);
    pg_close(pg);
}

static void parameters_of_every_type_arrive(void **state)
{
    struct pg *pg = pgtest_open();
    struct pg_args a = {0};
    struct uuid u = uuid_v7(1795496400000), back;
    CLEANUP(buf_free) struct buf numbers = {0}, texts = {0};
    CLEANUP(pg_result_free) PGresult *res = NULL;

    (void)state;
    pg_array_i64(&numbers, (const int64_t[]){5, -6}, 2);
    pg_array_text(&texts, (const char *const[]){"a\"b\\", ""}, 2);
    pg_arg_i64(&a, INT64_MIN);
    pg_arg_double(&a, 0.1);
    pg_arg_bool(&a, true);
    pg_arg_text(&a, "ሰላም");
    pg_arg_bytes(&a, "\0\xff", 2);
    pg_arg_uuid(&a, &u);
    pg_arg_ms(&a, 1795496400123);
    pg_arg_ms(&a, 0);
    pg_arg_text(&a, numbers.data);
    pg_arg_text(&a, texts.data);
    assert_int_equal(pg_run(pg, &res,
                            "SELECT $1::bigint, $2::float8, $3::bool, $4::text, "
                            "length($5::bytea), $6::uuid, furrow_ms(furrow_ts($7)), "
                            "furrow_ts($8) IS NULL, ($9::bigint[])[2], ($10::text[])[1]",
                            &a),
                     0);
    assert_true(pg_i64(res, 0, 0) == INT64_MIN);
    assert_true(pg_double(res, 0, 1) == 0.1);
    assert_true(pg_bool(res, 0, 2));
    assert_string_equal(pg_text(res, 0, 3), "ሰላም");
    assert_int_equal(pg_i64(res, 0, 4), 2);
    assert_int_equal(pg_uuid(res, 0, 5, &back), 0);
    assert_memory_equal(&back, &u, sizeof(u));
    assert_true(pg_i64(res, 0, 6) == 1795496400123);
    assert_true(pg_bool(res, 0, 7));
    assert_int_equal(pg_i64(res, 0, 8), -6);
    assert_string_equal(pg_text(res, 0, 9), "a\"b\\");
    pg_close(pg);
}

static void the_last_of_many_tenants_is_found(void **state)
{
    struct pg *pg = pgtest_open();
    struct errtext e = {0};
    int id = 0;

    (void)state;
    for (int i = 0; i < 60; i++) {
        char name[16];
        snprintf(name, sizeof(name), "many-%02d", i);
        assert_int_equal(pg_tenant_add(pg, name), 0);
        assert_int_equal(pg_tenant_add(pg, name), EEXIST);
    }
    assert_int_equal(pg_tenant_find(pg, "many-59", &id, &e), 0);
    assert_true(id > 0);
    pg_close(pg);
}

static void an_unknown_tenant_is_told_which_there_are(void **state)
{
    struct pg *pg = pgtest_open();
    struct errtext e = {0};
    int id = 0;

    (void)state;
    assert_int_equal(pg_tenant_find(pg, "default", &id, &e), 0);
    assert_int_equal(id, 1);
    assert_int_equal(pg_tenant_find(pg, "nobody", &id, &e), ENOENT);
    assert_string_equal(e.text, "no tenant 'nobody'; there are: default, other");
    pg_close(pg);
}

static void the_clock_of_an_installation_is_one(void **state)
{
    struct pg *pg = pgtest_open();
    struct errtext e = {0};
    int64_t start = 0;

    (void)state;
    assert_int_equal(clock_init("2026-11-24T06:00:00Z@60", &e), 0);
    assert_int_equal(clock_share(pg, &e), 0);
    assert_int_equal(clock_parse("2027-01-01T00:00:00Z", &start), 0);
    /* A second process with another start takes over the first one's epoch. */
    assert_int_equal(clock_init("2027-01-01T00:00:00Z@1", &e), 0);
    assert_int_equal(clock_share(pg, &e), 0);
    assert_true(clock_now_ms() < start);
    assert_int_equal(clock_init("real", &e), 0);
    assert_int_equal(clock_share(pg, &e), EINVAL);
    assert_non_null(strstr(e.text, "virtual clock"));
    pg_close(pg);
}

static void *borrow(void *arg)
{
    struct pg_pool *pool = arg;

    for (int i = 0; i < 50; i++) {
        struct pg *pg = pg_pool_take(pool);
        int64_t one = pgtest_i64(pg, 1, "SELECT 1");
        pg_pool_give(pool, pg);
        if (one != 1)
            return pool;
    }
    return NULL;
}

static void a_pool_serves_more_threads_than_it_has_connections(void **state)
{
    const struct pg_options options = {.url = pgtest_url(), .role = "furrow_app"};
    struct pg_pool *pool = NULL;
    pthread_t threads[6];
    void *bad = NULL;

    (void)state;
    assert_int_equal(pg_pool_new(&pool, &options, 2, NULL), 0);
    for (size_t i = 0; i < ARRAY_LEN(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, borrow, pool), 0);
    for (size_t i = 0; i < ARRAY_LEN(threads); i++) {
        pthread_join(threads[i], &bad);
        assert_null(bad);
    }
    pg_pool_free(pool);
}

static void redis_answers_errors_and_comes_back(void **state)
{
    struct redis *r = NULL, *killer = NULL;
    CLEANUP(redis_reply_free) redisReply *reply = NULL;

    (void)state;
    assert_int_equal(redis_open(&r, pgtest_redis_url(), NULL), 0);
    assert_int_equal(redis_open(&killer, pgtest_redis_url(), NULL), 0);
    assert_int_equal(redis_cmd(r, NULL, "SET k %b", "a\0b", (size_t)3), 0);
    assert_int_equal(redis_cmd(r, &reply, "GET k"), 0);
    assert_int_equal(reply->len, 3);
    assert_int_equal(redis_cmd(r, NULL, "INCR k"), EPROTO);
    assert_non_null(strstr(redis_error(r), "not an integer"));
    assert_int_equal(redis_cmd(killer, NULL, "CLIENT KILL TYPE normal SKIPME yes"), 0);
    assert_int_equal(redis_cmd(r, NULL, "PING"), ECONNRESET);
    assert_int_equal(redis_cmd(r, NULL, "PING"), 0);
    redis_close(r);
    redis_close(killer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_of_another_tenant_are_invisible_and_unwritable),
        cmocka_unit_test(every_table_but_the_installations_own_is_isolated),
        cmocka_unit_test(refusals_have_their_errno),
        cmocka_unit_test(a_lost_connection_is_told_once_and_comes_back),
        cmocka_unit_test(a_line_closed_in_a_pool_loses_no_statement),
        cmocka_unit_test(who_stands_still_in_a_transaction_lets_go),
        cmocka_unit_test(a_statement_alone_is_a_whole_transaction),
        cmocka_unit_test(answers_come_in_the_order_they_were_asked),
        cmocka_unit_test(parameters_of_every_type_arrive),
        cmocka_unit_test(an_unknown_tenant_is_told_which_there_are),
        cmocka_unit_test(the_last_of_many_tenants_is_found),
        cmocka_unit_test(the_clock_of_an_installation_is_one),
        cmocka_unit_test(a_pool_serves_more_threads_than_it_has_connections),
        cmocka_unit_test(redis_answers_errors_and_comes_back),
    };

    pgtest_start(PGTEST_POSTGRES_AND_REDIS);
    struct pg *super = pgtest_open_super();
    other_tenant = (int)pgtest_i64(
        super, 0, "INSERT INTO tenants (name) VALUES ('other') RETURNING id");
    pg_close(super);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
