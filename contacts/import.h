/*
 * import - from a CSV stream to rows and rejects: reader thread → parser threads →
 * the caller's thread, which hands both on in the order of the file.
 *
 * Pure but for its threads: where rows go is a struct import_sink. Memory is
 * bounded by a ring of blocks, whatever the size of the file. Every record of the
 * file is given out exactly once, as a row or as a reject, or the import fails as a
 * whole: the sink then keeps nothing.
 */
#ifndef CONTACTS_IMPORT_H
#define CONTACTS_IMPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attrs.h"
#include "base/errors.h"
#include "contacts/columns.h"
#include "contacts/csv_reader.h"
#include "contacts/phone.h"
#include "contacts/zones.h"

/* Why a record was not taken. The names (import_reason_name) are stable. */
enum import_reason {
    IMPORT_MISSING_PHONE,
    IMPORT_NOT_A_NUMBER,
    IMPORT_TOO_SHORT,
    IMPORT_TOO_LONG,
    IMPORT_UNKNOWN_COUNTRY,
    IMPORT_INVALID_NUMBER,
    IMPORT_DUPLICATE,
    IMPORT_TOO_MANY_COLUMNS,
    IMPORT_BAD_ENCODING,
    IMPORT_BAD_QUOTES,
    IMPORT_CELL_TOO_LONG,
    IMPORT_ROW_TOO_LONG,
    IMPORT_REASONS,
};

struct import_row {
    int64_t line;
    struct phone phone;
    const struct zone_set *zones;
    const char *attrs; /* JSON object, not NUL-terminated */
    size_t attrs_len;
    const char *written; /* the number as it stands in the file */
    bool duplicate;      /* set by the sink: this number is in the list already */
};

struct import_reject {
    int64_t line;
    const char *column, *value; /* value is what stands there, possibly long */
    enum import_reason reason;
    const char *hint; /* one sentence for a person */
};

struct import_counts {
    int64_t rows_read, imported, rejected; /* rows_read is the sum of the others */
    int64_t by_reason[IMPORT_REASONS];
    int64_t bytes;
};

/* Called in the thread of import_run, in the order of the file. An error ends the
 * import. What they are given is borrowed for the call. */
struct import_sink {
    int (*rows)(void *arg, struct import_row *rows, size_t n, struct errtext *e);
    int (*rejects)(void *arg, const struct import_reject *rejects, size_t n,
                   struct errtext *e);
    void (*progress)(void *arg, const struct import_counts *so_far); /* may be NULL */
};

struct import_options {
    const char *region; /* of numbers without +; NULL for none */
    const struct column_map *maps;
    size_t map_count;
    struct csv_options csv;
    int threads; /* parsers; 0: one per processor */
};

struct import;

/* Reads the header only, so that a file that is no list of contacts is refused
 * before anything else happens. Errors as csv_reader_new and columns_new. options
 * and what they point to must outlive the import. */
NODISCARD int import_open(struct import **out, csv_read_fn *read, void *arg,
                          const struct import_options *options, struct errtext *e);
void import_free(struct import *im); /* NULL is allowed */
const struct columns *import_columns(const struct import *im);

/* Once. The sink's error, or the file's (EBADMSG with its line). ECANCELED: *stop
 * (which may be NULL) was raised. */
NODISCARD int import_run(struct import *im, const struct import_sink *sink, void *arg,
                         const _Atomic(bool) *stop, struct import_counts *counts,
                         struct errtext *e);

const char *import_reason_name(enum import_reason reason);

#endif
