#include "unit/cm.h"

#include <errno.h>

#include "base/migrate.h"
#include "store/pgtest.h"

static void a_second_run_applies_nothing(void **state)
{
    struct pg *pg = pgtest_open_super();
    struct errtext e = {0};
    int applied = -1;

    (void)state;
    assert_int_equal(migrate_run(pg, &applied, &e), 0);
    assert_int_equal(applied, 0);
    assert_int_equal(migrate_check(pg, &e), 0);
    pg_close(pg);
}

static void every_table_with_a_tenant_forces_row_security(void **state)
{
    struct pg *pg = pgtest_open_super();

    (void)state;
    assert_int_equal(
        pgtest_i64(pg, 0,
                   "SELECT count(*) FROM pg_class c JOIN pg_attribute a ON "
                   "a.attrelid = c.oid AND a.attname = 'tenant_id' "
                   "WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', "
                   "'p') AND NOT c.relispartition AND c.relname NOT IN "
                   "('extension_tenants', 'api_key_tenants', 'provider_hooks') "
                   "AND NOT (c.relrowsecurity AND c.relforcerowsecurity)"),
        0);
    pg_close(pg);
}

static void one_tenant_never_sees_anothers_rows(void **state)
{
    struct pg *super = pgtest_open_super(), *pg = pgtest_open();

    (void)state;
    pgtest_run(super, 0, "INSERT INTO tenants (name) VALUES ('other')");
    pgtest_run(pg, 1,
               "INSERT INTO lists (tenant_id, name, created_at) VALUES (1, 'mine', "
               "timestamptz 'epoch')");
    assert_int_equal(pgtest_i64(pg, 1, "SELECT count(*) FROM lists"), 1);
    assert_int_equal(pgtest_i64(pg, 2, "SELECT count(*) FROM lists"), 0);
    assert_int_equal(pgtest_i64(pg, 0, "SELECT count(*) FROM lists"), 0);
    /* Nor may it write one. */
    assert_int_equal(pg_begin(pg, 2), 0);
    assert_int_not_equal(pg_run(pg, NULL,
                                "INSERT INTO lists (tenant_id, name, created_at) VALUES "
                                "(1, 'theirs', timestamptz 'epoch')",
                                NULL),
                         0);
    pg_rollback(pg);
    pg_close(pg);
    pg_close(super);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_second_run_applies_nothing),
        cmocka_unit_test(every_table_with_a_tenant_forces_row_security),
        cmocka_unit_test(one_tenant_never_sees_anothers_rows),
    };

    pgtest_start(PGTEST_POSTGRES);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
