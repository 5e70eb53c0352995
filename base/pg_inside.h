/*
 * The inside of a connection, for the files of pg: pg.c opens it and says what went
 * wrong, pg_statement.c runs statements, pg_transaction.c makes transactions of them.
 */
#ifndef BASE_PG_INSIDE_H
#define BASE_PG_INSIDE_H

#include "base/pg.h"

/* Statements are found by the address of their text first (they are literals),
 * then by content. 256 distinct statements per process are plenty; when the
 * table is full the connection starts it anew. */
enum { PG_STATEMENTS_MAX = 256 };

struct pg_statement {
    const char *key; /* address given by the caller */
    char *sql;
    int number;
};

struct pg_kept_data {
    const char *key;
    void *data;
    pg_keep_free_fn *free_fn;
};

struct pg {
    PGconn *conn;
    struct pg_kept_data kept[PG_KEEP_MAX];
    char *url, *role, *name;
    bool by_key; /* pg.h, as is: */
    int statement_ms, idle_ms, hold_ms, lock_ms;
    char error[512], sqlstate[6];
    struct pg_statement statements[PG_STATEMENTS_MAX];
    int statement_count, next_number;
    bool in_transaction;
    int pending; /* statements that were sent and not asked for, in pipeline mode */
    struct {
        int places[PG_ASKS_MAX];        /* of those among the pending ones that were */
        PGresult *results[PG_ASKS_MAX]; /* NULL: not read yet, or taken */
        int n, taken, err;
    } asked;   /* by pg_ask, of this transaction */
    int group; /* tenant of the transactions that run as one, 0 none */
    bool group_spoilt;
    int64_t retry_at_ms; /* monotonic */
    int backoff_ms;
    struct pg_pool *pool;  /* that watches who holds it; NULL: none */
    int64_t connect_by_ms; /* monotonic, while it is held for so long; 0: any time */
};

/* ---- pg.c ---- */

/* Connects again when the connection is lost, unless something is open in it
 * (ECONNRESET), and not before its back-off has passed (the same). */
NODISCARD int pg_ensure_connected(struct pg *pg);
void pg_disconnect(struct pg *pg);
/* Drops the connection of which the server has closed its end while nobody asked
 * anything: the next statement connects again, instead of being lost. */
void pg_notice_closed(struct pg *pg);
/* For pg_error() and pg_sqlstate(): one line. */
void pg_remember(struct pg *pg, const char *text, const char *state);
/* Remembers what the server said and gives its errno; res NULL: the connection's error.
 */
NODISCARD int pg_fail(struct pg *pg, const PGresult *res);
/* Text without parameters, not prepared. */
NODISCARD int pg_plain(struct pg *pg, const char *sql);

/* ---- pg_pool.c ---- */

/* A connection that is held has a new line: that is what is cut. */
void pg_pool_note_line(struct pg_pool *pool, struct pg *pg);

/* ---- pg_statement.c ---- */

void pg_forget_statements(struct pg *pg);
/* *out is borrowed until the table is forgotten. */
NODISCARD int pg_prepare(struct pg *pg, const char *sql, const struct pg_statement **out);
/* Sends it, in pipeline mode; args may be NULL. */
NODISCARD int pg_send(struct pg *pg, const struct pg_statement *st,
                      const struct pg_args *args);
/* Reads the results of what was sent with pg_run_later; the first error of all. */
NODISCARD int pg_settle(struct pg *pg);
void pg_drop_answers(struct pg *pg);

#endif
