/*
 * pg - one PostgreSQL connection: prepared statements, tenant transactions,
 * reconnect; and a small pool for threads.
 *
 * A struct pg belongs to one thread at a time. Statements are prepared on first
 * use and kept by their text; after a lost connection the next pg_begin or
 * pg_run outside a transaction connects again (with a back-off of its own, so a
 * caller may retry in a loop that waits). Nothing is retried silently inside a
 * transaction: the caller gets ECONNRESET and decides.
 *
 * Errors: ECONNRESET connection lost or refused, EEXIST unique violation,
 * ENOENT foreign key violation, EAGAIN deadlock or serialization failure
 * (retry the transaction), ENOSPC disk full, EPROTO any other refusal by the
 * server. pg_error() has the text.
 */
#ifndef BASE_PG_H
#define BASE_PG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <libpq-fe.h>

#include "base/attrs.h"
#include "base/errors.h"
#include "base/str.h"
#include "base/uuid.h"

struct pg;

struct pg_options {
    const char *url;  /* libpq URL or keyword string; copied */
    const char *role; /* SET ROLE after connecting, NULL for none; copied */
    const char *name; /* application_name; copied */
    /* Its statements find their rows by key: each is planned once, for any parameters
     * (the plan would cost more than the run, and partitions are many), and over
     * indexes, whatever the statistics of a table say that was empty when counted. */
    bool by_key;
    int statement_ms; /* a statement that takes longer is given up (EPROTO); 0: none is */
    /* A transaction that asks nothing for longer is ended by the server (ECONNRESET): a
     * process that stands still keeps no lock from the others; 0: none is. */
    int idle_ms;
    int lock_ms; /* the same for one that waits for a lock */
    /* Of a pool: a connection that is held for longer is cut, so that its holder gets
     * ECONNRESET from a database that neither answers nor is gone; 0: none is. */
    int hold_ms;
};

/* Connects at once; ECONNRESET with a text when that fails. With the role
 * furrow_app it also refuses (EACCES) a database where row security would not
 * act on that role. */
NODISCARD int pg_open(struct pg **out, const struct pg_options *options,
                      struct errtext *e);
void pg_close(struct pg *pg); /* NULL is allowed */
bool pg_is_connected(const struct pg *pg);
const char *
pg_error(const struct pg *pg); /* last error text, borrowed until the next call */
const char *pg_sqlstate(const struct pg *pg); /* of the last error, "" when none */
PGconn *pg_conn(struct pg *pg);               /* for COPY and LISTEN; borrowed */

/* Parameters in text form, at most PG_ARGS_MAX. Zero-initialise; a struct
 * pg_args owns nothing: text, bytes and arrays are borrowed until pg_run. */
enum { PG_ARGS_MAX = 40, PG_ARG_TEXT = 40 };
struct pg_args {
    int n;
    const char *values[PG_ARGS_MAX];
    int lengths[PG_ARGS_MAX];
    int formats[PG_ARGS_MAX];
    char text[PG_ARGS_MAX][PG_ARG_TEXT];
};
void pg_arg_i64(struct pg_args *a, int64_t v);
void pg_arg_double(struct pg_args *a, double v);
void pg_arg_bool(struct pg_args *a, bool v);
void pg_arg_text(struct pg_args *a, const char *v);              /* NULL gives SQL null */
void pg_arg_bytes(struct pg_args *a, const void *v, size_t len); /* bytea */
void pg_arg_uuid(struct pg_args *a, const struct uuid *u);       /* NULL gives SQL null */
void pg_arg_null(struct pg_args *a);
void pg_arg_id(struct pg_args *a, int64_t id); /* of 1 on; anything else gives SQL null */
/* Epoch ms; write furrow_ts($n) in the SQL. 0 gives SQL null. */
void pg_arg_ms(struct pg_args *a, int64_t at_ms);

/* Run one statement. *out is the caller's to PQclear (pg_result_free); out and
 * args may be NULL. */
NODISCARD int pg_run(struct pg *pg, PGresult **out, const char *sql,
                     const struct pg_args *args);
/* The same within a transaction, for a statement whose result nobody asks for: it leaves
 * with the next one, or with the commit, in one round trip. That one returns its error.
 */
NODISCARD int pg_run_later(struct pg *pg, const char *sql, const struct pg_args *args);
/* The same for statements whose results are asked for: at most PG_ASKS_MAX leave in one
 * round trip, and pg_answer() has their results in the order they were asked, each as by
 * pg_run. The first error of all is what every pg_answer() from then on returns. One
 * whose result nobody takes is dropped at the transaction's end. */
enum { PG_ASKS_MAX = 8 };
NODISCARD int pg_ask(struct pg *pg, const char *sql, const struct pg_args *args);
NODISCARD int pg_answer(struct pg *pg, PGresult **out);
/* A script of several statements without parameters (migrations). */
NODISCARD int pg_script(struct pg *pg, const char *sql);

/* A transaction of one tenant: BEGIN + set_config('furrow.tenant', …, true).
 * tenant_id 0: none set, so row security shows no tenant's rows. */
NODISCARD int pg_begin(struct pg *pg, int tenant_id);
/* The same, sent with the transaction's first statement, which returns its error. */
NODISCARD int pg_begin_later(struct pg *pg, int tenant_id);
NODISCARD int pg_commit(struct pg *pg);
void pg_rollback(struct pg *pg); /* harmless outside a transaction */
/* Commits when err is 0, else rolls back and returns err. */
NODISCARD int pg_end(struct pg *pg, int err);
/* A transaction of that one statement, sent with its BEGIN, tenant and COMMIT in a single
 * round trip. EINVAL: a transaction is open. */
NODISCARD int pg_run_alone(struct pg *pg, int tenant_id, PGresult **out, const char *sql,
                           const struct pg_args *args);
/* For functions that may run inside the caller's transaction: begin and end one
 * only when none is open. */
bool pg_in_transaction(const struct pg *pg);
NODISCARD int pg_begin_own(struct pg *pg, int tenant_id, bool *own);
NODISCARD int pg_end_own(struct pg *pg, bool own, int err);
/* Of one statement: pg_run inside a transaction, pg_run_alone outside of one. */
NODISCARD int pg_run_own(struct pg *pg, int tenant_id, PGresult **out, const char *sql,
                         const struct pg_args *args);

/* Several transactions of one tenant as one, which costs one commit: between the two
 * calls pg_begin and pg_commit of that tenant open and end nothing. One that rolls back,
 * or is of another tenant (EXDEV), spoils the group: then, and when the commit itself
 * fails, pg_group_end undoes all of it (EAGAIN, ECONNRESET): run each on its own. */
NODISCARD int pg_group_begin(struct pg *pg, int tenant_id);
NODISCARD int pg_group_end(struct pg *pg);

/* Something a store wants to keep with the connection (parsed rows that never
 * change): at most PG_KEEP_MAX keys, literals. Freed by pg_close. */
enum { PG_KEEP_MAX = 4 };
typedef void(pg_keep_free_fn)(void *data);
void pg_keep(struct pg *pg, const char *key, void *data, pg_keep_free_fn *free_fn);
void *pg_kept(const struct pg *pg, const char *key); /* NULL: nothing */

void pg_result_free(PGresult **res); /* for CLEANUP */
static inline bool pg_is_null(const PGresult *res, int row, int col)
{
    return PQgetisnull(res, row, col) != 0;
}
int64_t pg_i64(const PGresult *res, int row, int col);   /* 0 for null */
double pg_double(const PGresult *res, int row, int col); /* 0 for null */
bool pg_bool(const PGresult *res, int row, int col);
const char *pg_text(const PGresult *res, int row, int col); /* "" for null; borrowed */
NODISCARD int pg_uuid(const PGresult *res, int row, int col, struct uuid *out);
/* A bytea of exactly n bytes; EBADMSG. */
NODISCARD int pg_bytes(const PGresult *res, int row, int col, uint8_t *out, size_t n);
/* A bytea of any length, the caller's to free(); NULL and 0 for null. ENOMEM. */
NODISCARD int pg_bytes_dup(const PGresult *res, int row, int col, uint8_t **out,
                           size_t *len);
int64_t pg_affected(PGresult *res);

/* Arrays as text parameters: "{1,2,3}". buf_free() after use. */
void pg_array_i64(struct buf *b, const int64_t *v, size_t n);
void pg_array_text(struct buf *b, const char *const *v, size_t n);
void pg_array_uuid(struct buf *b, const struct uuid *v, size_t n);

/* A column of many rows for unnest(), in binary form: for what is asked or written for
 * many at once. Zero-initialise; filled row by row, all of one kind; in the SQL it is
 * $n::bigint[], text[], uuid[], bytea[] or boolean[]. */
struct pg_column {
    struct buf data;
    uint32_t type; /* of its items, once there is one */
    int n;
};
void pg_column_i64(struct pg_column *c, int64_t v);
void pg_column_id(struct pg_column *c, int64_t id);      /* of 1 on; else SQL null */
void pg_column_text(struct pg_column *c, const char *v); /* NULL gives SQL null */
void pg_column_uuid(struct pg_column *c, const struct uuid *v);
void pg_column_bytes(struct pg_column *c, const void *v, size_t len);
void pg_column_bool(struct pg_column *c, bool v);
/* Borrows c until pg_run; nothing is added to it after. */
void pg_arg_column(struct pg_args *a, struct pg_column *c);
void pg_columns_free(struct pg_column *c, size_t n); /* an array of them */

/* A pool of equal connections for threads that hold one only while a
 * transaction runs. take blocks until one is free; never NULL. */
struct pg_pool;
NODISCARD int pg_pool_new(struct pg_pool **out, const struct pg_options *options,
                          int size, struct errtext *e);
void pg_pool_free(struct pg_pool *pool);
struct pg *pg_pool_take(struct pg_pool *pool);
/* Of a pool with hold_ms: this once it may be held for so long, instead; 0:
 * for as long as it takes. */
struct pg *pg_pool_take_for(struct pg_pool *pool, int hold_ms);
void pg_pool_give(struct pg_pool *pool, struct pg *pg);

/* Tenants. ENOENT names the tenants there are. */
NODISCARD int pg_tenant_find(struct pg *pg, const char *name, int *out,
                             struct errtext *e);
/* EEXIST: there is one of that name. */
NODISCARD int pg_tenant_add(struct pg *pg, const char *name);
/* Ids of all tenants, at most max; *n is how many. */
NODISCARD int pg_tenants(struct pg *pg, int *ids, size_t max, size_t *n);
/* The installation id, 8 hex digits. */
enum { INSTALLATION_ID_MAX = 9 };
NODISCARD int pg_installation(struct pg *pg, char out[INSTALLATION_ID_MAX]);

#endif
