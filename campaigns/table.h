/*
 * table - small tables of a tenant that flows read and change: what a row and a request
 * may be, which rows a request means and what it makes of them. Pure: rows are JSON
 * objects; table_store keeps them, and a telephone in the terminal holds its own.
 *
 * A column of secrets (PINs) holds hashes; it is compared, never shown. Errors: an errno
 * with a text for who wrote the file or the flow. Any thread.
 */
#ifndef CAMPAIGNS_TABLE_H
#define CAMPAIGNS_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "base/attrs.h"
#include "base/errors.h"
#include "contacts/csv_reader.h"
#include "ivr/ivr.h"

enum {
    TABLE_NAME_MAX = 32,
    TABLE_COLUMNS_MAX = 40,
    TABLE_CELL_MAX = 2000,            /* bytes */
    TABLE_ROWS_MAX = 200000,          /* of one file */
    TABLE_TOUCHED_MAX = 5000,         /* rows of one request */
    TABLE_TRIES = 5,                  /* wrong guesses in a row of a row's secret … */
    TABLE_LOCKED_MS = 15 * 60 * 1000, /* … lock it so long from the last one */
};

enum table_type { TABLE_TEXT, TABLE_INT, TABLE_NUMBER, TABLE_BOOL, TABLE_SECRET };
const char *table_type_name(enum table_type type); /* "text", "int", … */

struct table_column {
    char name[TABLE_NAME_MAX];
    enum table_type type;
};

struct table_def {
    size_t n;
    struct table_column columns[TABLE_COLUMNS_MAX];
    int key; /* the column by which rows are told apart; -1 none */
};

bool table_name_is_good(const char *name); /* a-z, digits, _, a letter first */
/* One heading of a file: "points:int", "pnr:key", "flight". EINVAL. */
NODISCARD int table_def_add(struct table_def *def, const char *heading,
                            struct errtext *e);
const struct table_column *table_find(const struct table_def *def, const char *name);
/* As it is stored: [{"name", "type", "key"?}, …]. */
json_t *table_def_json(const struct table_def *def);
NODISCARD int table_def_read(struct table_def *out, const json_t *columns);

/* Definition and rows of a CSV file whose first line are headings; secrets are still
 * plain. *rows is the caller's. EBADMSG with the line; EMSGSIZE: too many rows. */
NODISCARD int table_file_read(csv_read_fn *read, void *arg, struct table_def *def,
                              json_t **rows, struct errtext *e);

/* ---- requests of flows ---- */

struct table_request {
    enum ivr_data_op op;
    json_t *equal;  /* columns that must hold a value; without secrets */
    json_t *tests;  /* {"column": {test: value}} */
    json_t *change; /* {"column": value or {"add": n}} */
    const struct table_column *secret; /* NULL: none is guessed */
    char guess[TABLE_CELL_MAX + 1];
};
/* EINVAL with a text: unknown column, value of another type. */
NODISCARD int table_request_read(struct table_request *out, const struct table_def *def,
                                 const struct ivr_data *d, struct errtext *e);
void table_request_free(struct table_request *r); /* wipes the guess; for CLEANUP too */

/* All of equal and tests holds. */
bool table_row_fits(const struct table_request *r, const json_t *row);
/* Makes the change in the row; a secret is hashed. ERANGE: a number grows too large. */
NODISCARD int table_row_change(const struct table_request *r, const struct table_def *def,
                               json_t *row);
/* A new row, with null where nothing is set. */
json_t *table_row_new(const struct table_request *r, const struct table_def *def);
/* The key as it is looked up; NULL: the table or the row has none. The caller's. */
char *table_row_key(const struct table_def *def, const json_t *row);
/* As a flow sees it, without secrets; the caller's to free(). */
char *table_row_shown(const struct table_def *def, const json_t *row);

/* A secret as it is kept (argon2id), and whether a guess is it. About 50 ms each. */
enum { TABLE_HASH_MAX = 128 };
void table_secret_hash(const char *plain, char out[TABLE_HASH_MAX]);
bool table_secret_is(const char *hash, const char *guess);

struct table_result {
    enum ivr_data_result result;
    char *row; /* DONE; else NULL */
};
void table_result_free(struct table_result *r); /* for CLEANUP too */
/* The input that answers the wait with that token; borrows from r. */
struct ivr_input table_result_input(const struct table_result *r, uint32_t token);

struct pg;

/* ---- table_store.c: errors are pg.h's ---- */

/* In the caller's transaction of that tenant. What cannot be done (no such table, column,
 * type) is logged and a result of its own, not an error. */
NODISCARD int table_run(struct pg *pg, int tenant_id, const struct ivr_data *d,
                        int64_t now_ms, struct table_result *out);

#endif
