/*
 * pgtest - a private, migrated Postgres (and Redis when asked) for one store test
 * program: in a temp directory, on unix sockets, stopped and removed at exit.
 *
 *   int main(void)
 *   {
 *       pgtest_start(PGTEST_POSTGRES);
 *       … cmocka_run_group_tests(…)
 *   }
 *
 * When the servers are not installed the program ends with 77 (skipped), or
 * with 1 when CI=true. Single-threaded.
 */
#ifndef TESTS_STORE_PGTEST_H
#define TESTS_STORE_PGTEST_H

#include "base/pg.h"

enum pgtest_parts { PGTEST_POSTGRES, PGTEST_POSTGRES_AND_REDIS, PGTEST_REDIS };

/* Also sets DATABASE_URL, REDIS_URL and FURROW_DATA_DIR for child processes. */
void pgtest_start(enum pgtest_parts parts);

const char *pgtest_url(void);
const char *pgtest_redis_url(void);
const char *pgtest_dir(void);

/* Redis as it was: keeps an RDB of what is in it now; later stops it at once, puts
 * that RDB back in place of everything, and starts it. */
void pgtest_redis_save(void);
void pgtest_redis_restore(void);

/* A connection as furrow_app; the test's to pg_close(). */
struct pg *pgtest_open(void);
/* One as the superuser, for looking behind the scenes. */
struct pg *pgtest_open_super(void);

/* Runs SQL as tenant tenant_id and answers the first column of its first row, 0
 * when there is none. Fails the program with the server's words on an error. */
int64_t pgtest_i64(struct pg *pg, int tenant_id, const char *sql);
void pgtest_run(struct pg *pg, int tenant_id, const char *sql);

#endif
