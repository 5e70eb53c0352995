/*
 * contact_store - lists and their people in Postgres; the sink of an import.
 *
 * An import is a chain of transactions, 100,000 rows each; every one leaves contacts,
 * rejects and the place in the file together, so that after a crash at any moment the
 * same command goes on where it was, and so that dialing may begin while the import
 * runs. A file that fits into one transaction is taken as a whole or not at all. Rows
 * go in by COPY straight into contacts, over a connection of the role furrow_import
 * that only this writer opens, by a thread of its own; lists, import rows and zone
 * groups are written over a second one, as furrow_app.
 *
 * Exact dedupe in constant memory: each transaction's rows are sorted by number; a
 * fixed-size filter of the numbers seen so far says "surely new" or "perhaps not", and
 * only the latter are asked of the database. Should somebody else put a number in at
 * that moment, the rows take the way through a staging table.
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

typedef int(contact_reject_sink_fn)(void *arg, const struct import_reject *rejects,
                                    size_t n, bool last, struct errtext *e);

struct contact_import_options {
    const char *database_url;
    int tenant_id;
    const char *list;      /* made when there is none of this name */
    const char *file_name; /* for the import's row */
    const char *settings;  /* JSON: an import goes on only under the same ones */
    int64_t now_ms;        /* business time */
    bool dry_run;          /* everything is tried, nothing is kept */
    bool update;           /* existing contacts take the file's columns; else skipped */
    size_t batch_rows;     /* of a transaction; 0: as many as are good */
    bool restart;          /* do not go on with an import that was cut off */
    /* Given the rejects before they are committed, in the order of the file within a
     * transaction, by the writer's thread; last: for the last time. May be NULL. */
    contact_reject_sink_fn *rejects;
    void *rejects_arg;
};

struct contact_import;

/* EAGAIN: another import into this list is running. columns must outlive the import;
 * options are copied but for what they point to. */
NODISCARD int contact_import_begin(struct contact_import **out,
                                   const struct contact_import_options *options,
                                   const struct columns *columns, struct errtext *e);

/* True: an earlier run of this file was cut off at *at; give that to import_skip_to
 * and go on, or, when the file is another by now, call contact_import_afresh. */
bool contact_import_resumes(const struct contact_import *ci, struct record_position *at);
NODISCARD int contact_import_afresh(struct contact_import *ci,
                                    const struct columns *columns, struct errtext *e);
/* Rejects of the part that was read by the earlier run, to the options' rejects. */
NODISCARD int contact_import_earlier_rejects(struct contact_import *ci,
                                             struct errtext *e);

/* The sink's functions; arg is the struct contact_import. */
NODISCARD int contact_import_rows(struct contact_import *ci, struct import_row *rows,
                                  size_t n, struct errtext *e);
NODISCARD int contact_import_rejects(struct contact_import *ci,
                                     const struct import_reject *rejects, size_t n,
                                     struct errtext *e);
NODISCARD int contact_import_reached(struct contact_import *ci,
                                     const struct record_position *at, int64_t records,
                                     struct errtext *e);
/* Writes what is left; counts becomes that of the whole file, earlier runs included.
 * When it fails, what earlier transactions committed stays. */
NODISCARD int contact_import_commit(struct contact_import *ci,
                                    struct import_counts *counts, int64_t now_ms,
                                    struct errtext *e);
/* Drops what is not committed and notes in the import's row why. Returns how many
 * contacts of the file are in the list; the same command goes on from there. */
int64_t contact_import_fail(struct contact_import *ci, const char *why, int64_t now_ms);
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
