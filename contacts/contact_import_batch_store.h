/*
 * contact_import_batch_store - up to BATCH_ROWS parsed contacts on their way into the
 * database, and how they get there. Private to contacts/contact_import_store*.c.
 *
 * A batch is filled by the thread that parses hand their blocks to, then belongs to
 * the writer's thread until it is written. It is one transaction: contacts, rejects
 * and how far the file was read are there together or not at all.
 */
#ifndef CONTACTS_CONTACT_IMPORT_BATCH_STORE_H
#define CONTACTS_CONTACT_IMPORT_BATCH_STORE_H

#include "base/pg.h"
#include "base/str.h"
#include "contacts/contact_store.h"
#include "contacts/number_filter.h"

enum { BATCH_ROWS = 100000, BATCH_BYTES = 24 * 1024 * 1024 };

enum row_fate {
    ROW_NEW,       /* surely not in the list yet */
    ROW_SUSPECT,   /* the database must be asked */
    ROW_DUPLICATE, /* of an earlier row of this file */
    ROW_EXISTING,  /* in the list from before this import */
};

struct batch_row {
    int64_t phone, line;
    const char *column;
    uint32_t attrs, attrs_len, written, person, person_len; /* in text */
    int32_t group;
    uint8_t type, rank, fate;
    char region[PHONE_REGION_MAX];
};

struct batch_reject {
    int64_t line;
    const char *column, *hint;
    uint32_t value; /* in text */
    enum import_reason reason;
};

struct batch_key {
    int64_t phone;
    uint32_t row;
};

struct import_batch {
    size_t n, cap;
    struct batch_row *rows;
    struct batch_key *keys; /* of all rows, by number */
    size_t reject_count, reject_cap;
    struct batch_reject *rejects;
    struct buf text;
    struct record_position end; /* of the file, once this is written */
    int64_t records;
    bool last; /* the import is done with it */
    int64_t finished_at_ms;

    /* What became of it. */
    int64_t imported, updated, first_id, last_id;
    int64_t by_reason[IMPORT_REASONS];
};

/* Where and as what a batch is written. */
struct batch_target {
    struct pg *pg; /* as furrow_import */
    int tenant_id;
    int64_t list_id, import_id, now_ms;
    bool ask_all; /* the list had contacts before */
    bool update;  /* existing contacts take what the file says */
    bool dry_run;
    contact_reject_sink_fn *rejects; /* may be NULL */
    void *rejects_arg;
    struct buf wire; /* scratch */
};

void batch_clear(struct import_batch *b);
void batch_free(struct import_batch *b);
uint32_t batch_text(struct import_batch *b, const char *s, size_t len); /* NUL-ended */
struct batch_row *batch_add_row(struct import_batch *b);
void batch_add_reject(struct import_batch *b, const struct batch_reject *reject);
/* Sorts by number; of one number within the batch the first row counts. Numbers that
 * the filter may have seen become suspects. */
void batch_mark(struct import_batch *b, struct number_filter *filter);

/* Writes the batch; in a transaction of its own that is committed, or, in a dry run,
 * in the one that is open. On an error the transaction is rolled back. */
NODISCARD int batch_write(const struct batch_target *t, struct import_batch *b,
                          struct errtext *e);

int batch_database_error(struct pg *pg, int err, struct errtext *e);
/* The rest of a COPY that was begun with sql: data and end. */
NODISCARD int batch_copy(struct pg *pg, const char *sql, const struct buf *data,
                         struct errtext *e);

#endif
