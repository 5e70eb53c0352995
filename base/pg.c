#include "base/pg.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/pg_inside.h"
#include "base/str.h"
#include "base/xalloc.h"

enum {
    RECONNECT_MIN_MS = 200,
    RECONNECT_MAX_MS = 5000,
    CONNECT_HELD_MS = 2000, /* of a pool that watches its holders, at most */
    FAREWELLS = 3,
};

void pg_remember(struct pg *pg, const char *text, const char *state)
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

/* What the server said → our errno. Classes as in PostgreSQL appendix A. */
int pg_fail(struct pg *pg, const PGresult *res)
{
    const char *state = res ? PQresultErrorField(res, PG_DIAG_SQLSTATE) : NULL;
    static const struct {
        const char *prefix;
        int err;
    } map[] = {{"23505", EEXIST},    {"23503", ENOENT},   {"40", EAGAIN},
               {"53100", ENOSPC},    {"57P", ECONNRESET}, {"08", ECONNRESET},
               {"53300", ECONNRESET}};

    pg_remember(pg, res ? PQresultErrorMessage(res) : PQerrorMessage(pg->conn), state);
    if (!res || PQstatus(pg->conn) != CONNECTION_OK)
        return ECONNRESET;
    for (size_t i = 0; state && i < ARRAY_LEN(map); i++)
        if (strncmp(state, map[i].prefix, strlen(map[i].prefix)) == 0)
            return map[i].err;
    return EPROTO;
}

void pg_disconnect(struct pg *pg)
{
    if (pg->conn)
        PQfinish(pg->conn);
    pg->conn = NULL;
    pg->in_transaction = false;
    pg->pending = 0;
    pg_drop_answers(pg);
    pg_forget_statements(pg);
}

static void quiet_notices(void *arg, const char *message)
{
    (void)arg;
    (void)message;
}

int pg_plain(struct pg *pg, const char *sql)
{
    CLEANUP(pg_result_free) PGresult *res = PQexec(pg->conn, sql);
    ExecStatusType st = PQresultStatus(res);

    if (st == PGRES_COMMAND_OK || st == PGRES_TUPLES_OK)
        return 0;
    pg_remember(pg, PQerrorMessage(pg->conn), PQresultErrorField(res, PG_DIAG_SQLSTATE));
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
        pg_remember(pg, PQerrorMessage(pg->conn), "");
        return EPROTO;
    }
    if (pg_bool(res, 0, 0))
        return 0;
    pg_remember(pg,
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
        err = pg_plain(pg, sql);
    }
    if (!err)
        /* Compiling a statement takes longer than any of ours runs. */
        err = pg_plain(pg, "SET client_min_messages = warning; SET timezone = 'UTC'; SET "
                           "jit = off");
    if (!err && pg->by_key)
        err =
            pg_plain(pg, "SET plan_cache_mode = force_generic_plan; SET enable_seqscan = "
                         "off; SET random_page_cost = 1.1");
    if (!err && pg->statement_ms > 0) {
        snprintf(sql, sizeof(sql), "SET statement_timeout = %d", pg->statement_ms);
        err = pg_plain(pg, sql);
    }
    if (!err && pg->lock_ms > 0) {
        snprintf(sql, sizeof(sql), "SET lock_timeout = %d", pg->lock_ms);
        err = pg_plain(pg, sql);
    }
    if (!err && pg->idle_ms > 0) {
        snprintf(sql, sizeof(sql), "SET idle_in_transaction_session_timeout = %d",
                 pg->idle_ms);
        err = pg_plain(pg, sql);
    }
    return err ? err : check_row_security(pg);
}

/* As PQconnectdbParams, which knows no less than two seconds. */
static void connect_by(struct pg *pg, const char *const *keys, const char *const *values,
                       int64_t by_ms)
{
    PostgresPollingStatusType want = PGRES_POLLING_WRITING;
    int64_t left = by_ms - mono_ms();

    pg->conn = PQconnectStartParams(keys, values, 1);
    while (PQstatus(pg->conn) != CONNECTION_BAD && want != PGRES_POLLING_OK &&
           want != PGRES_POLLING_FAILED && left > 0) {
        struct pollfd line = {.fd = PQsocket(pg->conn),
                              .events = want == PGRES_POLLING_READING ? POLLIN : POLLOUT};
        if (poll(&line, 1, (int)left) > 0)
            want = PQconnectPoll(pg->conn);
        left = by_ms - mono_ms();
    }
}

static int64_t connect_limit(const struct pg *pg)
{
    const int64_t by_ms = mono_ms() + CONNECT_HELD_MS;

    return pg->connect_by_ms && pg->connect_by_ms < by_ms ? pg->connect_by_ms : by_ms;
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

    pg_disconnect(pg);
    if (pg->hold_ms > 0)
        connect_by(pg, keys, values, connect_limit(pg));
    else
        pg->conn = PQconnectdbParams(keys, values, 1);
    if (PQstatus(pg->conn) != CONNECTION_OK) {
        const char *why = PQerrorMessage(pg->conn);
        pg_remember(pg, why && *why ? why : "it does not answer in time", "");
        char *question =
            strstr(pg->error, " Is the server running"); /* libpq's second line */
        if (question)
            *question = '\0';
        pg_disconnect(pg);
        return ECONNRESET;
    }
    PQsetNoticeProcessor(pg->conn, quiet_notices, NULL);
    if (pg->pool)
        pg_pool_note_line(pg->pool, pg);
    int err = set_up_session(pg);
    if (err)
        pg_disconnect(pg);
    return err;
}

int pg_ensure_connected(struct pg *pg)
{
    if (pg->conn && PQstatus(pg->conn) == CONNECTION_OK)
        return 0;
    if (pg->in_transaction || pg->group) { /* it died with the connection */
        pg_disconnect(pg);
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

void pg_notice_closed(struct pg *pg)
{
    struct pollfd line = {.fd = PQsocket(pg->conn), .events = POLLIN};

    if (!pg_is_connected(pg) || PQtransactionStatus(pg->conn) != PQTRANS_IDLE)
        return;
    /* A farewell may come first; a notice or a setting is no loss. */
    for (int i = 0; i < FAREWELLS && poll(&line, 1, 0) > 0; i++)
        if (!PQconsumeInput(pg->conn) || !pg_is_connected(pg)) {
            pg_disconnect(pg);
            return;
        }
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
    pg_disconnect(pg);
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

void pg_keep(struct pg *pg, const char *key, void *data, pg_keep_free_fn *free_fn)
{
    for (int i = 0; i < PG_KEEP_MAX; i++) {
        struct pg_kept_data *k = &pg->kept[i];

        if (k->key && strcmp(k->key, key) != 0)
            continue;
        if (k->data && k->data != data)
            k->free_fn(k->data);
        *k = (struct pg_kept_data){.key = key, .data = data, .free_fn = free_fn};
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
