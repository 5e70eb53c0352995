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
    char error[512], sqlstate[6];
    struct statement statements[STATEMENTS_MAX];
    int statement_count, next_number;
    bool in_transaction;
    int64_t retry_at_ms; /* monotonic */
    int backoff_ms;
};

static void remember(struct pg *pg, const char *text, const char *state)
{
    str_cut(pg->error, sizeof(pg->error), text ? text : "unknown error");
    size_t len = strlen(pg->error);
    while (len > 0 && (pg->error[len - 1] == '\n' || pg->error[len - 1] == ' '))
        pg->error[--len] = '\0';
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
    const char *values[] = {pg->url, pg->name ? pg->name : "furrow", "5", "10", "5", "3",
                            NULL};

    disconnect(pg);
    pg->conn = PQconnectdbParams(keys, values, 1);
    if (PQstatus(pg->conn) != CONNECTION_OK) {
        remember(pg, PQerrorMessage(pg->conn), "");
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
    if (pg->in_transaction) { /* it died with the connection */
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
    int err = connect_now(pg);
    if (err) {
        errtext_set(e, err, 0, 0, "PostgreSQL: %s", pg->error);
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

static char *next_arg(struct pg_args *a)
{
    if (a->n >= PG_ARGS_MAX)
        abort(); /* a programming error: the statement is a literal */
    a->values[a->n] = a->text[a->n];
    return a->text[a->n++];
}

void pg_arg_i64(struct pg_args *a, int64_t v)
{
    snprintf(next_arg(a), PG_ARG_TEXT, "%" PRId64, v);
}

void pg_arg_double(struct pg_args *a, double v)
{
    snprintf(next_arg(a), PG_ARG_TEXT, "%.17g", v);
}

void pg_arg_bool(struct pg_args *a, bool v)
{
    snprintf(next_arg(a), PG_ARG_TEXT, "%s", v ? "t" : "f");
}

void pg_arg_text(struct pg_args *a, const char *v)
{
    next_arg(a);
    a->values[a->n - 1] = v;
}

void pg_arg_bytes(struct pg_args *a, const void *v, size_t len)
{
    next_arg(a);
    a->values[a->n - 1] = v;
    a->lengths[a->n - 1] = (int)len;
    a->formats[a->n - 1] = 1;
}

void pg_arg_uuid(struct pg_args *a, const struct uuid *u)
{
    if (!u) {
        pg_arg_null(a);
        return;
    }
    uuid_text(u, next_arg(a));
}

void pg_arg_null(struct pg_args *a)
{
    pg_arg_text(a, NULL);
}

void pg_arg_ms(struct pg_args *a, int64_t at_ms)
{
    if (at_ms == 0)
        pg_arg_null(a);
    else
        pg_arg_i64(a, at_ms);
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

static int prepare(struct pg *pg, const char *sql, const struct statement **out)
{
    char name[24];

    *out = find_statement(pg, sql);
    if (*out)
        return 0;
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

int pg_run(struct pg *pg, PGresult **out, const char *sql, const struct pg_args *args)
{
    const struct statement *st = NULL;
    char name[24];

    int err = ensure_connected(pg);
    if (!err)
        err = prepare(pg, sql, &st);
    if (err || !st)
        return err ? err : EPROTO;
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

int pg_script(struct pg *pg, const char *sql)
{
    int err = ensure_connected(pg);

    return err ? err : plain(pg, sql);
}

int pg_begin(struct pg *pg, int tenant_id)
{
    struct pg_args a = {0};

    int err = pg_run(pg, NULL, "BEGIN", NULL);
    if (err)
        return err;
    pg->in_transaction = true;
    if (tenant_id == 0)
        return 0;
    pg_arg_i64(&a, tenant_id);
    err = pg_run(pg, NULL, "SELECT set_config('furrow.tenant', $1, true)", &a);
    if (err)
        pg_rollback(pg);
    return err;
}

int pg_commit(struct pg *pg)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;

    int err = pg_run(pg, &res, "COMMIT", NULL);
    pg->in_transaction = false;
    if (err) {
        pg_rollback(pg);
        return err;
    }
    /* COMMIT of a failed transaction answers ROLLBACK. */
    return strcmp(PQcmdStatus(res), "COMMIT") == 0 ? 0 : EPROTO;
}

void pg_rollback(struct pg *pg)
{
    pg->in_transaction = false;
    if (!pg_is_connected(pg) || PQtransactionStatus(pg->conn) == PQTRANS_IDLE)
        return;
    CLEANUP(pg_result_free) PGresult *res = PQexec(pg->conn, "ROLLBACK");
    if (PQresultStatus(res) != PGRES_COMMAND_OK)
        disconnect(pg);
}

int pg_end(struct pg *pg, int err)
{
    if (!err)
        return pg_commit(pg);
    pg_rollback(pg);
    return err;
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

void pg_result_free(PGresult **res)
{
    PQclear(*res);
    *res = NULL;
}

int64_t pg_i64(const PGresult *res, int row, int col)
{
    return strtoll(PQgetvalue(res, row, col), NULL, 10);
}

double pg_double(const PGresult *res, int row, int col)
{
    return strtod(PQgetvalue(res, row, col), NULL);
}

bool pg_bool(const PGresult *res, int row, int col)
{
    return PQgetvalue(res, row, col)[0] == 't';
}

const char *pg_text(const PGresult *res, int row, int col)
{
    return PQgetvalue(res, row, col);
}

int pg_uuid(const PGresult *res, int row, int col, struct uuid *out)
{
    return uuid_parse(PQgetvalue(res, row, col), out);
}

int pg_bytes(const PGresult *res, int row, int col, uint8_t *out, size_t n)
{
    size_t len = 0;
    unsigned char *bytes =
        PQunescapeBytea((const unsigned char *)PQgetvalue(res, row, col), &len);
    int err = bytes && len == n ? 0 : EBADMSG;

    if (!err && n > 0)
        memcpy(out, bytes, n);
    PQfreemem(bytes);
    return err;
}

int64_t pg_affected(PGresult *res)
{
    return strtoll(PQcmdTuples(res), NULL, 10);
}

void pg_array_i64(struct buf *b, const int64_t *v, size_t n)
{
    buf_puts(b, "{");
    for (size_t i = 0; i < n; i++) {
        if (i)
            buf_add(b, ",", 1);
        buf_i64(b, v[i]);
    }
    buf_puts(b, "}");
}

void pg_array_text(struct buf *b, const char *const *v, size_t n)
{
    buf_puts(b, "{");
    for (size_t i = 0; i < n; i++) {
        buf_puts(b, i ? ",\"" : "\"");
        for (const char *p = v[i]; *p; p++) {
            if (*p == '"' || *p == '\\')
                buf_puts(b, "\\");
            buf_add(b, p, 1);
        }
        buf_puts(b, "\"");
    }
    buf_puts(b, "}");
}

void pg_array_uuid(struct buf *b, const struct uuid *v, size_t n)
{
    char text[UUID_TEXT_MAX];

    buf_puts(b, "{");
    for (size_t i = 0; i < n; i++) {
        if (i)
            buf_add(b, ",", 1);
        buf_puts(b, uuid_text(&v[i], text));
    }
    buf_puts(b, "}");
}
