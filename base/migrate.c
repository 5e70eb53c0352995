#include "base/migrate.h"

#include <errno.h>
#include <string.h>

#include "base/pg.h"
#include "base/sha256.h"

/* Any number no other program uses in the same database. */
#define MIGRATE_LOCK "7246501123"

static void checksum(const struct migration *m, char out[SHA256_TEXT_MAX])
{
    uint8_t hash[SHA256_BYTES];

    sha256_of(m->sql, strlen(m->sql), hash);
    sha256_text(hash, out);
}

static int apply(struct pg *pg, const struct migration *m, struct errtext *e)
{
    char sum[SHA256_TEXT_MAX];
    struct pg_args a = {0};

    checksum(m, sum);
    int err = pg_begin(pg, 0);
    if (!err)
        err = pg_script(pg, m->sql);
    /* A script may SET ROLE; the bookkeeping is the connection's own. */
    if (!err)
        err = pg_script(pg, "RESET ROLE");
    pg_arg_i64(&a, m->number);
    pg_arg_text(&a, m->name);
    pg_arg_text(&a, sum);
    if (!err)
        err = pg_run(
            pg, NULL,
            "INSERT INTO schema_migrations (number, name, sha256) VALUES ($1, $2, $3)",
            &a);
    if (!err)
        err = pg_commit(pg);
    if (err) {
        errtext_set(e, err, 0, 0, "migration %s: %s", m->name, pg_error(pg));
        pg_rollback(pg);
    }
    return err;
}

/* 0: applied with the same text. ENOENT: not applied. EPROTO: changed. */
static int look_up(struct pg *pg, const struct migration *m, struct errtext *e)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    char sum[SHA256_TEXT_MAX];
    struct pg_args a = {0};

    pg_arg_i64(&a, m->number);
    int err =
        pg_run(pg, &res, "SELECT sha256 FROM schema_migrations WHERE number = $1", &a);
    if (err)
        return errtext_set(e, err, 0, 0, "schema_migrations: %s", pg_error(pg));
    if (PQntuples(res) == 0)
        return ENOENT;
    checksum(m, sum);
    if (strcmp(pg_text(res, 0, 0), sum) == 0)
        return 0;
    return errtext_set(
        e, EPROTO, 0, 0,
        "migration %s was applied with another text; this program and this "
        "database do not belong together",
        m->name);
}

static int check_not_newer(struct pg *pg, struct errtext *e)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;

    int err =
        pg_run(pg, &res, "SELECT coalesce(max(number), 0) FROM schema_migrations", NULL);
    if (err)
        return errtext_set(e, err, 0, 0, "schema_migrations: %s", pg_error(pg));
    if (pg_i64(res, 0, 0) <= migrations[migration_count - 1].number)
        return 0;
    return errtext_set(
        e, EPROTO, 0, 0,
        "the database has migration %s, newer than this program: update Furrow",
        pg_text(res, 0, 0));
}

static int run_locked(struct pg *pg, int *applied, struct errtext *e)
{
    int err =
        pg_run(pg, NULL,
               "CREATE TABLE IF NOT EXISTS schema_migrations (number int PRIMARY KEY, "
               "name text NOT NULL, sha256 text NOT NULL, "
               "applied_at timestamptz NOT NULL DEFAULT clock_timestamp())",
               NULL);
    if (err)
        return errtext_set(e, err, 0, 0, "schema_migrations: %s", pg_error(pg));
    err = check_not_newer(pg, e);
    for (int i = 0; i < migration_count && !err; i++) {
        err = look_up(pg, &migrations[i], e);
        if (err != ENOENT)
            continue;
        err = apply(pg, &migrations[i], e);
        *applied += !err;
    }
    return err;
}

int migrate_run(struct pg *pg, int *applied, struct errtext *e)
{
    *applied = 0;
    int err = pg_run(pg, NULL, "SELECT pg_advisory_lock(" MIGRATE_LOCK ")", NULL);
    if (err)
        return errtext_set(e, err, 0, 0, "migration lock: %s", pg_error(pg));
    err = run_locked(pg, applied, e);
    int unlock = pg_run(pg, NULL, "SELECT pg_advisory_unlock(" MIGRATE_LOCK ")", NULL);
    return err ? err : unlock;
}

int migrate_check(struct pg *pg, struct errtext *e)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;

    int err =
        pg_run(pg, &res, "SELECT to_regclass('schema_migrations') IS NOT NULL", NULL);
    if (err)
        return errtext_set(e, err, 0, 0, "schema_migrations: %s", pg_error(pg));
    if (!pg_bool(res, 0, 0))
        return errtext_set(e, EINVAL, 0, 0,
                           "the database is empty: run 'furrow migrate'");
    err = check_not_newer(pg, e);
    for (int i = 0; i < migration_count && !err; i++) {
        err = look_up(pg, &migrations[i], e);
        if (err == ENOENT)
            err = errtext_set(e, EINVAL, 0, 0,
                              "migration %s is missing: run 'furrow migrate'",
                              migrations[i].name);
    }
    return err;
}
