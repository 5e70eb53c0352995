/*
 * table_memory - tables in memory, of a telephone in the terminal and of simulations:
 * read from files or rows, changed by flows as table_run() would, gone with the program.
 * One thread.
 */
#ifndef CAMPAIGNS_TABLE_MEMORY_H
#define CAMPAIGNS_TABLE_MEMORY_H

#include "campaigns/table.h"

enum { TABLE_MEMORY_MAX = 16 };

struct table_memory {
    size_t n;
    struct {
        char name[TABLE_NAME_MAX];
        struct table_def def;
        json_t *rows; /* secrets plain */
        json_t *keys; /* {key: its row}; empty without a key */
    } tables[TABLE_MEMORY_MAX];
};

void table_memory_free(struct table_memory *m); /* for CLEANUP too */
/* Takes rows; of two with one key the later is there, in the place of the first, as after
 * an import. A table of that name is replaced. EINVAL: not a table's name; EMSGSIZE: too
 * many tables. */
NODISCARD int table_memory_add(struct table_memory *m, const char *name,
                               const struct table_def *def, json_t *rows,
                               struct errtext *e);
/* Its place in tables; -1: there is none. */
int table_memory_find(const struct table_memory *m, const char *name);
/* Rows of its own. *out is the caller's to table_memory_free(). */
void table_memory_copy(const struct table_memory *m, struct table_memory *out);
/* m may be NULL. Without such a table: the request's mock, or none. e says why FAILED. */
void table_memory_run(struct table_memory *m, const struct ivr_data *d, int64_t now_ms,
                      struct table_result *out, struct errtext *e);

#endif
