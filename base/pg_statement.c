/* Statements: prepared once a connection, run at once or with the next one. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/pg_inside.h"
#include "base/xalloc.h"

void pg_forget_statements(struct pg *pg)
{
    for (int i = 0; i < pg->statement_count; i++)
        free(pg->statements[i].sql);
    pg->statement_count = 0;
}

static const struct pg_statement *find_statement(const struct pg *pg, const char *sql)
{
    for (int i = 0; i < pg->statement_count; i++)
        if (pg->statements[i].key == sql && strcmp(pg->statements[i].sql, sql) == 0)
            return &pg->statements[i];
    for (int i = 0; i < pg->statement_count; i++)
        if (strcmp(pg->statements[i].sql, sql) == 0)
            return &pg->statements[i];
    return NULL;
}

/* Of the pending one at that place; NULL: nobody asks for it. */
static PGresult **place_for(struct pg *pg, int place, PGresult **last)
{
    for (int i = 0; i < pg->asked.n; i++)
        if (pg->asked.places[i] == place)
            return &pg->asked.results[i];
    return place == pg->pending - 1 ? last : NULL;
}

/* Results of what was sent; the first error of all. *last: of the last one, if it is
 * asked for and there was no error. */
static int read_results(struct pg *pg, PGresult **last)
{
    int err = PQpipelineSync(pg->conn) ? 0 : pg_fail(pg, NULL);

    for (int at = 0; at < pg->pending; at++) {
        PGresult *res = NULL, **to = place_for(pg, at, last);
        while ((res = PQgetResult(pg->conn))) {
            ExecStatusType status = PQresultStatus(res);
            if (!err && status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
                err = pg_fail(pg, res);
            if (!err && to && !*to)
                *to = STEAL(res);
            PQclear(res);
        }
        if (PQstatus(pg->conn) != CONNECTION_OK)
            return err ? err : pg_fail(pg, NULL);
    }
    pg->pending = 0;
    for (int i = 0; i < pg->asked.n; i++)
        pg->asked.places[i] = -1;
    PQclear(PQgetResult(pg->conn)); /* the synchronisation point */
    if (PQexitPipelineMode(pg->conn) == 0 && !err)
        err = pg_fail(pg, NULL);
    if (err && PQpipelineStatus(pg->conn) != PQ_PIPELINE_OFF)
        pg_disconnect(pg); /* who knows what is under way */
    return err;
}

static int read_pending(struct pg *pg, PGresult **last)
{
    int err = read_results(pg, last);

    if (err)
        pg->asked.err = err;
    return err;
}

int pg_settle(struct pg *pg)
{
    return pg->pending > 0 ? read_pending(pg, NULL) : 0;
}

void pg_drop_answers(struct pg *pg)
{
    for (int i = 0; i < pg->asked.n; i++)
        PQclear(pg->asked.results[i]);
    memset(&pg->asked, 0, sizeof(pg->asked));
}

int pg_prepare(struct pg *pg, const char *sql, const struct pg_statement **out)
{
    char name[24];

    *out = find_statement(pg, sql);
    if (*out)
        return 0;
    int err = pg_settle(pg);
    if (err)
        return err;
    if (pg->statement_count == PG_STATEMENTS_MAX)
        pg_forget_statements(pg);
    struct pg_statement *st = &pg->statements[pg->statement_count];
    *st = (struct pg_statement){.key = sql, .number = pg->next_number++};
    snprintf(name, sizeof(name), "s%d", st->number);
    CLEANUP(pg_result_free) PGresult *res = PQprepare(pg->conn, name, sql, 0, NULL);
    if (PQresultStatus(res) != PGRES_COMMAND_OK)
        return pg_fail(pg, res);
    st->sql = xstrdup(sql);
    pg->statement_count++;
    *out = st;
    return 0;
}

int pg_send(struct pg *pg, const struct pg_statement *st, const struct pg_args *args)
{
    const struct pg_args none = {0}, *a = args ? args : &none;
    char name[24];

    snprintf(name, sizeof(name), "s%d", st->number);
    return PQsendQueryPrepared(pg->conn, name, a->n, a->values, a->lengths, a->formats, 0)
               ? 0
               : pg_fail(pg, NULL);
}

static int send_pending(struct pg *pg, const struct pg_statement *st,
                        const struct pg_args *args)
{
    int err = pg_send(pg, st, args);

    if (!err)
        pg->pending++;
    return err;
}

int pg_run_later(struct pg *pg, const char *sql, const struct pg_args *args)
{
    const struct pg_statement *st = NULL;

    int err = pg->in_transaction ? pg_ensure_connected(pg) : EINVAL;
    if (!err)
        err = pg_prepare(pg, sql, &st);
    if (err || !st)
        return err ? err : EPROTO;
    if (pg->pending == 0 && PQenterPipelineMode(pg->conn) == 0)
        return pg_fail(pg, NULL);
    return send_pending(pg, st, args);
}

int pg_ask(struct pg *pg, const char *sql, const struct pg_args *args)
{
    if (pg->asked.n == PG_ASKS_MAX)
        return EINVAL;
    int err = pg_run_later(pg, sql, args);
    if (!err)
        pg->asked.places[pg->asked.n++] = pg->pending - 1;
    return err;
}

int pg_answer(struct pg *pg, PGresult **out)
{
    int err = pg->asked.err ? pg->asked.err : pg_settle(pg);

    if (!err && (pg->asked.taken == pg->asked.n || !pg->asked.results[pg->asked.taken]))
        err = EPROTO;
    if (err)
        return err;
    *out = STEAL(pg->asked.results[pg->asked.taken]);
    if (++pg->asked.taken == pg->asked.n)
        pg_drop_answers(pg);
    return 0;
}

/* With those that were sent before it. */
static int run_with_pending(struct pg *pg, PGresult **out, const struct pg_statement *st,
                            const struct pg_args *args)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;

    int err = send_pending(pg, st, args);
    if (!err)
        err = read_pending(pg, &res);
    if (!err && out)
        *out = STEAL(res);
    return err;
}

int pg_run(struct pg *pg, PGresult **out, const char *sql, const struct pg_args *args)
{
    const struct pg_statement *st = NULL;
    char name[24];

    int err = pg_ensure_connected(pg);
    if (!err)
        err = pg_prepare(pg, sql, &st);
    if (err || !st)
        return err ? err : EPROTO;
    if (pg->pending > 0)
        return run_with_pending(pg, out, st, args);
    snprintf(name, sizeof(name), "s%d", st->number);
    CLEANUP(pg_result_free)
    PGresult *res =
        PQexecPrepared(pg->conn, name, args ? args->n : 0, args ? args->values : NULL,
                       args ? args->lengths : NULL, args ? args->formats : NULL, 0);
    ExecStatusType status = PQresultStatus(res);
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK &&
        status != PGRES_COPY_IN && status != PGRES_COPY_OUT)
        return pg_fail(pg, res);
    if (out)
        *out = STEAL(res);
    return 0;
}

int pg_script(struct pg *pg, const char *sql)
{
    int err = pg_ensure_connected(pg);

    if (!err)
        err = pg_settle(pg);

    return err ? err : pg_plain(pg, sql);
}
