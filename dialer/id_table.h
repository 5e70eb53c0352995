/*
 * id_table - finds a struct by its UUID; grows. Owns nothing but its own memory.
 * Thread: the owner's.
 */
#ifndef DIALER_ID_TABLE_H
#define DIALER_ID_TABLE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attrs.h"
#include "base/uuid.h"

struct id_entry;
struct id_table { /* zero-initialise */
    struct id_entry *entries;
    size_t cap, used, count; /* used: also removed ones */
};

void id_table_free(struct id_table *t);
/* False: the id is there already; nothing changed. value is not NULL. */
NODISCARD bool id_table_add(struct id_table *t, const struct uuid *id, void *value);
void *id_table_find(const struct id_table *t, const struct uuid *id); /* NULL: none */
void id_table_remove(struct id_table *t, const struct uuid *id);

/* for (size_t at = 0; (x = id_table_next(t, &at));) — the table may lose entries
 * meanwhile, but must not gain any. */
void *id_table_next(const struct id_table *t, size_t *at);

#endif
