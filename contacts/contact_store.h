/*
 * contact_store - lists and their people in Postgres; the sink of an import.
 *
 * An import is one transaction: either every row that was reported imported is in
 * the list, or none is (a bad line late in the file, a full disk, a lost connection,
 * kill -9). Rows go in by COPY over a connection of the role furrow_import, which
 * only this writer opens; lists, import rows and zone groups are written over a
 * second one, as furrow_app. Exact dedupe in constant memory: a fixed-size filter of
 * the numbers seen so far says "surely new" or "perhaps not", and only the latter are
 * asked of the database.
 *
 * Thread: the owner's.
 */
#ifndef CONTACTS_CONTACT_STORE_H
#define CONTACTS_CONTACT_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attrs.h"
#include "base/errors.h"
#include "contacts/import.h"

struct pg;

struct contact_import_options {
    const char *database_url;
    int tenant_id;
    const char *list;      /* made when there is none of this name */
    const char *file_name; /* for the import's row */
    int64_t now_ms;        /* business time */
    bool dry_run;          /* everything is tried, nothing is kept */
};

struct contact_import;

/* EAGAIN: another import into this list is running. */
NODISCARD int contact_import_begin(struct contact_import **out,
                                   const struct contact_import_options *options,
                                   const struct columns *columns, struct errtext *e);
/* The sink's functions; arg is the struct contact_import. */
NODISCARD int contact_import_rows(struct contact_import *ci, struct import_row *rows,
                                  size_t n, struct errtext *e);
NODISCARD int contact_import_rejects(struct contact_import *ci,
                                     const struct import_reject *rejects, size_t n,
                                     struct errtext *e);
/* Commits (or, in a dry run, rolls back). When it fails nothing was kept. */
NODISCARD int contact_import_commit(struct contact_import *ci,
                                    const struct import_counts *counts, int64_t now_ms,
                                    struct errtext *e);
/* Rolls back and notes in the import's row why. */
void contact_import_fail(struct contact_import *ci, const char *why, int64_t now_ms);
void contact_import_free(struct contact_import *ci); /* NULL; rolls back what is open */
int64_t contact_import_id(const struct contact_import *ci); /* 0 in a dry run */

struct contact_list {
    char name[128];
    int64_t contacts, imports;
    int64_t created_at_ms, last_import_ms; /* 0: never */
};
typedef int(contact_list_fn)(const struct contact_list *list, void *arg);

/* All of the tenant's lists by name. A non-zero answer of each ends it. */
NODISCARD int contact_lists(struct pg *pg, int tenant_id, contact_list_fn *each,
                            void *arg);

struct contact_entry {
    int64_t id, phone;
    const char *list, *region, *attrs; /* attrs as JSON */
    const char *zones; /* "Africa/Addis_Ababa", comma-separated; "" unknown */
    enum phone_type type;
    int64_t import_id;
};
typedef int(contact_entry_fn)(const struct contact_entry *entry, void *arg);

/* The contact in every list that has the number. */
NODISCARD int contact_find(struct pg *pg, int tenant_id, int64_t phone,
                           contact_entry_fn *each, void *arg);

/* Stored rejects of an import, 0 for the latest one; ENOENT: there is none. */
struct contact_reject {
    int64_t import_id, line;
    const char *column, *value, *reason;
};
typedef int(contact_reject_fn)(const struct contact_reject *reject, void *arg);
NODISCARD int contact_rejects(struct pg *pg, int tenant_id, int64_t import_id,
                              contact_reject_fn *each, void *arg);

#endif
