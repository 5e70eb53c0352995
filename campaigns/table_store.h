/*
 * table_store - the tables that flows read and change (rows of data_tables and
 * data_rows): what a person does with them; table_run() of table.h is what flows do.
 *
 * Each function is a transaction of its own or part of the caller's. Errors are pg.h's,
 * and as stated, with a text in e.
 */
#ifndef CAMPAIGNS_TABLE_STORE_H
#define CAMPAIGNS_TABLE_STORE_H

#include "campaigns/table.h"

struct table_counts {
    int64_t added, changed, removed;
};

/* Makes the table when there is none. Rows with a key that is there are changed, others
 * are added; replace: all rows that were there before are removed. Hashes the secrets.
 * EEXIST: the table has other columns and is not replaced. */
NODISCARD int table_import(struct pg *pg, int tenant_id, const char *name,
                           const struct table_def *def, json_t *rows, bool replace,
                           int64_t now_ms, struct table_counts *counts,
                           struct errtext *e);

/* [{"name", "columns", "rows": count}]. */
NODISCARD int table_list(struct pg *pg, int tenant_id, json_t **out);
/* {"columns", "rows": [...]}, secrets as null. ENOENT. */
NODISCARD int table_show(struct pg *pg, int tenant_id, const char *name, json_t **out,
                         struct errtext *e);
/* With all its rows. ENOENT. */
NODISCARD int table_remove(struct pg *pg, int tenant_id, const char *name,
                           struct errtext *e);
NODISCARD int table_is_there(struct pg *pg, int tenant_id, const char *name, bool *out);
/* 0 when there is no such table. */
NODISCARD int table_count(struct pg *pg, int tenant_id, const char *name, int64_t *out);

#endif
