/* Transactions: of a tenant, of one statement, and several as one. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/pg_inside.h"

static const char set_tenant_sql[] = "SELECT set_config('furrow.tenant', $1, true)";

static int begin(struct pg *pg, int tenant_id)
{
    char sql[96];

    int err = pg_ensure_connected(pg);
    if (err)
        return err;
    /* One message: the tenant is a number of ours, no text of anybody's. */
    snprintf(sql, sizeof(sql), "BEGIN; SELECT set_config('furrow.tenant', '%d', true)",
             tenant_id);
    CLEANUP(pg_result_free)
    PGresult *res = PQexec(pg->conn, tenant_id == 0 ? "BEGIN" : sql);
    ExecStatusType status = PQresultStatus(res);
    return status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK ? 0 : pg_fail(pg, res);
}

static int commit(struct pg *pg)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;

    int err = pg_run(pg, &res, "COMMIT", NULL);
    pg_drop_answers(pg);
    /* COMMIT of a failed transaction answers ROLLBACK. */
    return err || strcmp(PQcmdStatus(res), "COMMIT") == 0 ? err : EPROTO;
}

static void rollback(struct pg *pg)
{
    pg_drop_answers(pg);
    if (pg_is_connected(pg) && pg->pending > 0 && pg_settle(pg))
        log_debug("pg", "rolled back after: %s", pg->error);
    if (!pg_is_connected(pg) || PQtransactionStatus(pg->conn) == PQTRANS_IDLE)
        return;
    CLEANUP(pg_result_free) PGresult *res = PQexec(pg->conn, "ROLLBACK");
    if (PQresultStatus(res) != PGRES_COMMAND_OK)
        pg_disconnect(pg);
}

int pg_begin(struct pg *pg, int tenant_id)
{
    int err = 0;

    if (!pg->group)
        err = begin(pg, tenant_id);
    else if (pg->group_spoilt || pg->group != tenant_id)
        err = EXDEV;
    if (!err)
        pg->in_transaction = true;
    else
        pg_rollback(pg);
    return err;
}

int pg_begin_later(struct pg *pg, int tenant_id)
{
    struct pg_args tenant = {0};

    if (pg->group || tenant_id == 0)
        return pg_begin(pg, tenant_id);
    pg_arg_i64(&tenant, tenant_id);
    int err = pg_ensure_connected(pg);
    if (err)
        return err;
    pg->in_transaction = true;
    err = pg_run_later(pg, "BEGIN", NULL);
    if (!err)
        err = pg_run_later(pg, set_tenant_sql, &tenant);
    if (err)
        pg_rollback(pg);
    return err;
}

int pg_commit(struct pg *pg)
{
    int err = pg->group ? 0 : commit(pg);

    pg->in_transaction = false;
    if (err)
        pg_rollback(pg);
    return err;
}

void pg_rollback(struct pg *pg)
{
    pg->in_transaction = false;
    if (pg->group)
        pg->group_spoilt = true;
    else
        rollback(pg);
}

int pg_group_begin(struct pg *pg, int tenant_id)
{
    int err = tenant_id > 0 ? pg_begin_later(pg, tenant_id) : EINVAL;

    if (err) {
        rollback(pg);
        return err;
    }
    pg->in_transaction = false;
    pg->group = tenant_id;
    pg->group_spoilt = false;
    return 0;
}

int pg_group_end(struct pg *pg)
{
    int err = pg->group_spoilt ? EAGAIN : commit(pg);

    pg->group = 0;
    pg->in_transaction = false;
    if (err)
        rollback(pg);
    return err && err != ECONNRESET ? EAGAIN : err;
}

int pg_end(struct pg *pg, int err)
{
    if (!err)
        return pg_commit(pg);
    pg_rollback(pg);
    return err;
}

bool pg_in_transaction(const struct pg *pg)
{
    return pg->in_transaction;
}

int pg_begin_own(struct pg *pg, int tenant_id, bool *own)
{
    *own = !pg->in_transaction;
    return *own ? pg_begin(pg, tenant_id) : 0;
}

int pg_end_own(struct pg *pg, bool own, int err)
{
    return own ? pg_end(pg, err) : err;
}

/* ---- of one statement ---- */

/* The statements of a transaction of one. */
enum { ALONE_BEGIN, ALONE_TENANT, ALONE_OWN, ALONE_COMMIT, ALONE_ALL };

static int send_all(struct pg *pg, const char *const sql[ALONE_ALL],
                    const struct pg_args *const args[ALONE_ALL])
{
    const struct pg_statement *st[ALONE_ALL] = {NULL};
    int err = 0;

    if (pg->statement_count + ALONE_ALL > PG_STATEMENTS_MAX)
        pg_forget_statements(pg); /* now, not between two of them */
    for (int i = 0; !err && i < ALONE_ALL; i++)
        err = pg_prepare(pg, sql[i], &st[i]);
    if (err)
        return err;
    if (PQenterPipelineMode(pg->conn) == 0)
        return pg_fail(pg, NULL);
    for (int i = 0; !err && i < ALONE_ALL; i++)
        err = pg_send(pg, st[i], args[i]);
    if (err)
        return err;
    return PQpipelineSync(pg->conn) ? 0 : pg_fail(pg, NULL);
}

/* The first error of all; *out is the own statement's result. */
static int read_all(struct pg *pg, PGresult **out)
{
    int err = 0;

    for (int i = 0; i < ALONE_ALL; i++) {
        PGresult *res = NULL;
        while ((res = PQgetResult(pg->conn))) {
            ExecStatusType status = PQresultStatus(res);
            if (!err && status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
                err = pg_fail(pg, res);
            if (!err && i == ALONE_COMMIT && strcmp(PQcmdStatus(res), "COMMIT") != 0)
                err = EPROTO;
            if (i == ALONE_OWN && out && !*out)
                *out = STEAL(res);
            PQclear(res);
        }
        if (PQstatus(pg->conn) != CONNECTION_OK)
            return err ? err : pg_fail(pg, NULL);
    }
    PQclear(PQgetResult(pg->conn)); /* the synchronisation point */
    if (PQexitPipelineMode(pg->conn) == 0 && !err)
        err = pg_fail(pg, NULL);
    return err;
}

static int run_in_group(struct pg *pg, int tenant_id, PGresult **out, const char *sql,
                        const struct pg_args *args)
{
    int err = pg_begin(pg, tenant_id);

    return err ? err : pg_end(pg, pg_run(pg, out, sql, args));
}

int pg_run_alone(struct pg *pg, int tenant_id, PGresult **out, const char *sql,
                 const struct pg_args *args)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args tenant = {0};

    if (pg->in_transaction)
        return EINVAL;
    if (pg->group)
        return run_in_group(pg, tenant_id, out, sql, args);
    pg_arg_i64(&tenant, tenant_id);
    const char *const all[ALONE_ALL] = {"BEGIN", set_tenant_sql, sql, "COMMIT"};
    const struct pg_args *const with[ALONE_ALL] = {NULL, &tenant, args, NULL};
    int err = pg_ensure_connected(pg);
    if (!err)
        err = send_all(pg, all, with);
    if (!err)
        err = read_all(pg, &res);
    if (err && pg_is_connected(pg) && PQpipelineStatus(pg->conn) != PQ_PIPELINE_OFF)
        pg_disconnect(pg); /* who knows what is under way */
    if (err)
        pg_rollback(pg);
    else if (out)
        *out = STEAL(res);
    return err;
}

int pg_run_own(struct pg *pg, int tenant_id, PGresult **out, const char *sql,
               const struct pg_args *args)
{
    return pg->in_transaction ? pg_run(pg, out, sql, args)
                              : pg_run_alone(pg, tenant_id, out, sql, args);
}
