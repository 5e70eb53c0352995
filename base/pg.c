#include "base/pg.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "base/xalloc.h"

/* Statements are found by the address of their text first (they are literals),
 * then by content. 256 distinct statements per process are plenty; when the
 * table is full the connection starts it anew. */
enum { STATEMENTS_MAX = 256, RECONNECT_MIN_MS = 200, RECONNECT_MAX_MS = 5000 };

struct statement {
    const char *key; /* address given by the caller */
    char *sql;
    int number;
};

struct kept {
    const char *key;
    void *data;
    pg_keep_free_fn *free_fn;
};

struct pg {
    PGconn *conn;
    struct kept kept[PG_KEEP_MAX];
    char *url, *role, *name;
    bool by_key; /* pg.h, as is: */
    int statement_ms, idle_ms, hold_ms, lock_ms;
    char error[512], sqlstate[6];
    struct statement statements[STATEMENTS_MAX];
    int statement_count, next_number;
    bool in_transaction;
    int pending; /* statements that were sent and not asked for, in pipeline mode */
    int group;   /* tenant of the transactions that run as one, 0 none */
    bool group_spoilt;
    int64_t retry_at_ms; /* monotonic */
    int backoff_ms;
};

static void remember(struct pg *pg, const char *text, const char *state)
{
    str_cut(pg->error, sizeof(pg->error), text ? text : "unknown error");
    size_t len = strlen(pg->error);
    while (len > 0 && (pg->error[len - 1] == '\n' || pg->error[len - 1] == ' '))
        pg->error[--len] = '\0';
    char *to = pg->error; /* one line: of a log, or of a command's answer */
    for (const char *p = pg->error; *p;) {
        size_t gap = strspn(p, "\n\t");
        *to++ = gap ? ' ' : *p;
        p += gap ? gap : 1;
    }
    *to = '\0';
    str_cut(pg->sqlstate, sizeof(pg->sqlstate), state ? state : "");
}

static void forget_statements(struct pg *pg)
{
    for (int i = 0; i < pg->statement_count; i++)
        free(pg->statements[i].sql);
    pg->statement_count = 0;
}

static void disconnect(struct pg *pg)
{
    if (pg->conn)
        PQfinish(pg->conn);
    pg->conn = NULL;
    pg->in_transaction = false;
    pg->pending = 0;
    forget_statements(pg);
}

static void quiet_notices(void *arg, const char *message)
{
    (void)arg;
    (void)message;
}

static int plain(struct pg *pg, const char *sql)
{
    CLEANUP(pg_result_free) PGresult *res = PQexec(pg->conn, sql);
    ExecStatusType st = PQresultStatus(res);

    if (st == PGRES_COMMAND_OK || st == PGRES_TUPLES_OK)
        return 0;
    remember(pg, PQerrorMessage(pg->conn), PQresultErrorField(res, PG_DIAG_SQLSTATE));
    return PQstatus(pg->conn) == CONNECTION_OK ? EPROTO : ECONNRESET;
}

/* Row security must act on the role we run as; else one forgotten WHERE would
 * show another tenant's people. */
static int check_row_security(struct pg *pg)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;

    if (!pg->role || strcmp(pg->role, "furrow_app") != 0)
        return 0;
    res = PQexec(pg->conn, "SELECT to_regclass('contacts') IS NULL OR "
                           "row_security_active('contacts')");
    if (PQresultStatus(res) != PGRES_TUPLES_OK) {
        remember(pg, PQerrorMessage(pg->conn), "");
        return EPROTO;
    }
    if (pg_bool(res, 0, 0))
        return 0;
    remember(pg,
             "row level security does not act on role furrow_app: refusing to run; "
             "run 'furrow migrate' and do not grant BYPASSRLS or superuser to it",
             "");
    return EACCES;
}

static int set_up_session(struct pg *pg)
{
    char sql[128];
    int err = 0;

    if (pg->role) {
        snprintf(sql, sizeof(sql), "SET ROLE %s", pg->role);
        err = plain(pg, sql);
    }
    if (!err)
        /* Compiling a statement takes longer than any of ours runs. */
        err = plain(pg, "SET client_min_messages = warning; SET timezone = 'UTC'; SET "
                        "jit = off");
    if (!err && pg->by_key)
        err = plain(pg, "SET plan_cache_mode = force_generic_plan; SET enable_seqscan = "
                        "off; SET random_page_cost = 1.1");
    if (!err && pg->statement_ms > 0) {
        snprintf(sql, sizeof(sql), "SET statement_timeout = %d", pg->statement_ms);
        err = plain(pg, sql);
    }
    if (!err && pg->lock_ms > 0) {
        snprintf(sql, sizeof(sql), "SET lock_timeout = %d", pg->lock_ms);
        err = plain(pg, sql);
    }
    if (!err && pg->idle_ms > 0) {
        snprintf(sql, sizeof(sql), "SET idle_in_transaction_session_timeout = %d",
                 pg->idle_ms);
        err = plain(pg, sql);
    }
    return err ? err : check_row_security(pg);
}

static int connect_now(struct pg *pg)
{
    const char *keys[] = {"dbname",
                          "application_name",
                          "connect_timeout",
                          "keepalives_idle",
                          "keepalives_interval",
                          "keepalives_count",
                          NULL};
    const char *wait_s = pg->hold_ms > 0 ? "2" : "5"; /* libpq knows no less */
    const char *values[] = {
        pg->url, pg->name ? pg->name : "furrow", wait_s, "10", "5", "3", NULL};

    disconnect(pg);
    pg->conn = PQconnectdbParams(keys, values, 1);
    if (PQstatus(pg->conn) != CONNECTION_OK) {
        remember(pg, PQerrorMessage(pg->conn), "");
        char *question =
            strstr(pg->error, " Is the server running"); /* libpq's second line */
        if (question)
            *question = '\0';
        disconnect(pg);
        return ECONNRESET;
    }
    PQsetNoticeProcessor(pg->conn, quiet_notices, NULL);
    int err = set_up_session(pg);
    if (err)
        disconnect(pg);
    return err;
}

static int ensure_connected(struct pg *pg)
{
    if (pg->conn && PQstatus(pg->conn) == CONNECTION_OK)
        return 0;
    if (pg->in_transaction || pg->group) { /* it died with the connection */
        disconnect(pg);
        return ECONNRESET;
    }
    int64_t now = mono_ms();
    if (now < pg->retry_at_ms)
        return ECONNRESET;
    int err = connect_now(pg);
    if (err) {
        pg->backoff_ms = pg->backoff_ms ? pg->backoff_ms * 2 : RECONNECT_MIN_MS;
        if (pg->backoff_ms > RECONNECT_MAX_MS)
            pg->backoff_ms = RECONNECT_MAX_MS;
        pg->retry_at_ms = now + pg->backoff_ms;
        return err;
    }
    pg->backoff_ms = 0;
    return 0;
}

int pg_open(struct pg **out, const struct pg_options *options, struct errtext *e)
{
    struct pg *pg = xcalloc(1, sizeof(*pg));

    pg->url = xstrdup(options->url);
    pg->role = options->role ? xstrdup(options->role) : NULL;
    pg->name = options->name ? xstrdup(options->name) : NULL;
    pg->by_key = options->by_key;
    pg->statement_ms = options->statement_ms;
    pg->idle_ms = options->idle_ms;
    pg->hold_ms = options->hold_ms;
    pg->lock_ms = options->lock_ms;
    int err = connect_now(pg);
    if (err) {
        errtext_set(e, err, 0, 0, "PostgreSQL: %s%s", pg->error,
                    err == ECONNRESET ? " (DATABASE_URL says where it is)" : "");
        pg_close(pg);
        return err;
    }
    *out = pg;
    return 0;
}

void pg_close(struct pg *pg)
{
    if (!pg)
        return;
    disconnect(pg);
    for (int i = 0; i < PG_KEEP_MAX; i++)
        if (pg->kept[i].data)
            pg->kept[i].free_fn(pg->kept[i].data);
    free(pg->url);
    free(pg->role);
    free(pg->name);
    free(pg);
}

bool pg_is_connected(const struct pg *pg)
{
    return pg->conn && PQstatus(pg->conn) == CONNECTION_OK;
}

const char *pg_error(const struct pg *pg)
{
    return pg->error;
}

const char *pg_sqlstate(const struct pg *pg)
{
    return pg->sqlstate;
}

PGconn *pg_conn(struct pg *pg)
{
    return pg->conn;
}

static const struct statement *find_statement(const struct pg *pg, const char *sql)
{
    for (int i = 0; i < pg->statement_count; i++)
        if (pg->statements[i].key == sql && strcmp(pg->statements[i].sql, sql) == 0)
            return &pg->statements[i];
    for (int i = 0; i < pg->statement_count; i++)
        if (strcmp(pg->statements[i].sql, sql) == 0)
            return &pg->statements[i];
    return NULL;
}

/* What the server said → our errno. Classes as in PostgreSQL appendix A. */
static int fail_with(struct pg *pg, const PGresult *res)
{
    const char *state = res ? PQresultErrorField(res, PG_DIAG_SQLSTATE) : NULL;
    static const struct {
        const char *prefix;
        int err;
    } map[] = {{"23505", EEXIST},    {"23503", ENOENT},   {"40", EAGAIN},
               {"53100", ENOSPC},    {"57P", ECONNRESET}, {"08", ECONNRESET},
               {"53300", ECONNRESET}};

    remember(pg, res ? PQresultErrorMessage(res) : PQerrorMessage(pg->conn), state);
    if (!res || PQstatus(pg->conn) != CONNECTION_OK)
        return ECONNRESET;
    for (size_t i = 0; state && i < ARRAY_LEN(map); i++)
        if (strncmp(state, map[i].prefix, strlen(map[i].prefix)) == 0)
            return map[i].err;
    return EPROTO;
}

/* Results of what was sent; the first error of all. *last: of the last one, if it is
 * asked for and there was no error. */
static int read_pending(struct pg *pg, PGresult **last)
{
    int err = PQpipelineSync(pg->conn) ? 0 : fail_with(pg, NULL);

    for (int left = pg->pending; left > 0; left--) {
        PGresult *res = NULL;
        while ((res = PQgetResult(pg->conn))) {
            ExecStatusType status = PQresultStatus(res);
            if (!err && status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
                err = fail_with(pg, res);
            if (!err && left == 1 && last && !*last)
                *last = STEAL(res);
            PQclear(res);
        }
        if (PQstatus(pg->conn) != CONNECTION_OK)
            return err ? err : fail_with(pg, NULL);
    }
    pg->pending = 0;
    PQclear(PQgetResult(pg->conn)); /* the synchronisation point */
    if (PQexitPipelineMode(pg->conn) == 0 && !err)
        err = fail_with(pg, NULL);
    if (err && PQpipelineStatus(pg->conn) != PQ_PIPELINE_OFF)
        disconnect(pg); /* who knows what is under way */
    return err;
}

static int settle(struct pg *pg)
{
    return pg->pending > 0 ? read_pending(pg, NULL) : 0;
}

static int prepare(struct pg *pg, const char *sql, const struct statement **out)
{
    char name[24];

    *out = find_statement(pg, sql);
    if (*out)
        return 0;
    int err = settle(pg);
    if (err)
        return err;
    if (pg->statement_count == STATEMENTS_MAX)
        forget_statements(pg);
    struct statement *st = &pg->statements[pg->statement_count];
    *st = (struct statement){.key = sql, .number = pg->next_number++};
    snprintf(name, sizeof(name), "s%d", st->number);
    CLEANUP(pg_result_free) PGresult *res = PQprepare(pg->conn, name, sql, 0, NULL);
    if (PQresultStatus(res) != PGRES_COMMAND_OK)
        return fail_with(pg, res);
    st->sql = xstrdup(sql);
    pg->statement_count++;
    *out = st;
    return 0;
}

static int send_one(struct pg *pg, const struct statement *st, const struct pg_args *args)
{
    const struct pg_args none = {0}, *a = args ? args : &none;
    char name[24];

    snprintf(name, sizeof(name), "s%d", st->number);
    if (PQsendQueryPrepared(pg->conn, name, a->n, a->values, a->lengths, a->formats, 0) ==
        0)
        return fail_with(pg, NULL);
    pg->pending++;
    return 0;
}

int pg_run_later(struct pg *pg, const char *sql, const struct pg_args *args)
{
    const struct statement *st = NULL;

    int err = pg->in_transaction ? ensure_connected(pg) : EINVAL;
    if (!err)
        err = prepare(pg, sql, &st);
    if (err || !st)
        return err ? err : EPROTO;
    if (pg->pending == 0 && PQenterPipelineMode(pg->conn) == 0)
        return fail_with(pg, NULL);
    return send_one(pg, st, args);
}

/* With those that were sent before it. */
static int run_with_pending(struct pg *pg, PGresult **out, const struct statement *st,
                            const struct pg_args *args)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;

    int err = send_one(pg, st, args);
    if (!err)
        err = read_pending(pg, &res);
    if (!err && out)
        *out = STEAL(res);
    return err;
}

int pg_run(struct pg *pg, PGresult **out, const char *sql, const struct pg_args *args)
{
    const struct statement *st = NULL;
    char name[24];

    int err = ensure_connected(pg);
    if (!err)
        err = prepare(pg, sql, &st);
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
        return fail_with(pg, res);
    if (out)
        *out = STEAL(res);
    return 0;
}

static const char set_tenant_sql[] = "SELECT set_config('furrow.tenant', $1, true)";

/* The statements of a transaction of one. */
enum { ALONE_BEGIN, ALONE_TENANT, ALONE_OWN, ALONE_COMMIT, ALONE_ALL };

static int send_all(struct pg *pg, const char *const sql[ALONE_ALL],
                    const struct pg_args *const args[ALONE_ALL])
{
    const struct statement *st[ALONE_ALL] = {NULL};
    int err = 0;

    if (pg->statement_count + ALONE_ALL > STATEMENTS_MAX)
        forget_statements(pg); /* now, not between two of them */
    for (int i = 0; !err && i < ALONE_ALL; i++)
        err = prepare(pg, sql[i], &st[i]);
    if (err)
        return err;
    if (PQenterPipelineMode(pg->conn) == 0)
        return fail_with(pg, NULL);
    for (int i = 0; i < ALONE_ALL; i++) {
        const struct pg_args none = {0}, *a = args[i] ? args[i] : &none;
        char name[24];
        snprintf(name, sizeof(name), "s%d", st[i]->number);
        if (PQsendQueryPrepared(pg->conn, name, a->n, a->values, a->lengths, a->formats,
                                0) == 0)
            return fail_with(pg, NULL);
    }
    return PQpipelineSync(pg->conn) ? 0 : fail_with(pg, NULL);
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
                err = fail_with(pg, res);
            if (!err && i == ALONE_COMMIT && strcmp(PQcmdStatus(res), "COMMIT") != 0)
                err = EPROTO;
            if (i == ALONE_OWN && out && !*out)
                *out = STEAL(res);
            PQclear(res);
        }
        if (PQstatus(pg->conn) != CONNECTION_OK)
            return err ? err : fail_with(pg, NULL);
    }
    PQclear(PQgetResult(pg->conn)); /* the synchronisation point */
    if (PQexitPipelineMode(pg->conn) == 0 && !err)
        err = fail_with(pg, NULL);
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
    int err = ensure_connected(pg);
    if (!err)
        err = send_all(pg, all, with);
    if (!err)
        err = read_all(pg, &res);
    if (err && pg_is_connected(pg) && PQpipelineStatus(pg->conn) != PQ_PIPELINE_OFF)
        disconnect(pg); /* who knows what is under way */
    if (err)
        pg_rollback(pg);
    else if (out)
        *out = STEAL(res);
    return err;
}

int pg_script(struct pg *pg, const char *sql)
{
    int err = ensure_connected(pg);

    if (!err)
        err = settle(pg);

    return err ? err : plain(pg, sql);
}

/* ---- transactions ---- */

static int begin(struct pg *pg, int tenant_id)
{
    char sql[96];

    int err = ensure_connected(pg);
    if (err)
        return err;
    /* One message: the tenant is a number of ours, no text of anybody's. */
    snprintf(sql, sizeof(sql), "BEGIN; SELECT set_config('furrow.tenant', '%d', true)",
             tenant_id);
    CLEANUP(pg_result_free)
    PGresult *res = PQexec(pg->conn, tenant_id == 0 ? "BEGIN" : sql);
    ExecStatusType status = PQresultStatus(res);
    return status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK ? 0
                                                                   : fail_with(pg, res);
}

static int commit(struct pg *pg)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;

    int err = pg_run(pg, &res, "COMMIT", NULL);
    /* COMMIT of a failed transaction answers ROLLBACK. */
    return err || strcmp(PQcmdStatus(res), "COMMIT") == 0 ? err : EPROTO;
}

static void rollback(struct pg *pg)
{
    if (pg_is_connected(pg) && pg->pending > 0 && settle(pg))
        log_debug("pg", "rolled back after: %s", pg->error);
    if (!pg_is_connected(pg) || PQtransactionStatus(pg->conn) == PQTRANS_IDLE)
        return;
    CLEANUP(pg_result_free) PGresult *res = PQexec(pg->conn, "ROLLBACK");
    if (PQresultStatus(res) != PGRES_COMMAND_OK)
        disconnect(pg);
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
    int err = ensure_connected(pg);
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

void pg_keep(struct pg *pg, const char *key, void *data, pg_keep_free_fn *free_fn)
{
    for (int i = 0; i < PG_KEEP_MAX; i++) {
        struct kept *k = &pg->kept[i];

        if (k->key && strcmp(k->key, key) != 0)
            continue;
        if (k->data && k->data != data)
            k->free_fn(k->data);
        *k = (struct kept){.key = key, .data = data, .free_fn = free_fn};
        return;
    }
    abort(); /* a programming error: keys are literals */
}

void *pg_kept(const struct pg *pg, const char *key)
{
    for (int i = 0; i < PG_KEEP_MAX; i++)
        if (pg->kept[i].key && strcmp(pg->kept[i].key, key) == 0)
            return pg->kept[i].data;
    return NULL;
}
