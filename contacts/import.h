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
#include "contacts/text_source.h"
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
    IMPORT_BAD_JSON,
    IMPORT_REASONS,
};

struct import_row {
    int64_t line;
    struct phone phone;
    const struct zone_set *zones;
    const char *attrs; /* JSON object, not NUL-terminated */
    size_t attrs_at, attrs_len;
    const char *column, *written; /* where the number stands in the file, and how */
    const char *person;           /* key of the person; "" none is known */
    int rank;                     /* 0: the person's preferred number */
    bool one_of_several;          /* of the same record */
};

struct import_reject {
    int64_t line;
    const char *column, *value; /* value is what stands there, possibly long */
    enum import_reason reason;
    const char *hint; /* one sentence for a person */
};

/* A record with several number columns counts once in rows_read and once a number in
 * the others; else rows_read is their sum. */
struct import_counts {
    int64_t rows_read, imported, updated, rejected;
    int64_t by_reason[IMPORT_REASONS];
    int64_t bytes;
};

/* Called in the thread of import_run, in the order of the file. An error ends the
 * import. What they are given is borrowed for the call. What the sink itself makes a
 * reject (a duplicate) it counts itself. */
struct import_sink {
    int (*rows)(void *arg, struct import_row *rows, size_t n, struct errtext *e);
    int (*rejects)(void *arg, const struct import_reject *rejects, size_t n,
                   struct errtext *e);
    /* Everything before the position has been given; records more than last time. */
    int (*reached)(void *arg, const struct record_position *at, int64_t records,
                   struct errtext *e);                               /* may be NULL */
    void (*progress)(void *arg, const struct import_counts *so_far); /* may be NULL */
};

struct import_options {
    const char *region; /* of numbers without +; NULL for none */
    const struct column_map *maps;
    size_t map_count;
    char delimiter; /* 0: find it */
    enum text_encoding encoding;
    bool json_lines; /* an object a line instead of CSV */
    int threads;     /* parsers; 0: one per processor */
};

struct import;

/* Reads the header only, so that a file that is no list of contacts is refused
 * before anything else happens. Errors as csv_reader_new and columns_new. options
 * and what they point to must outlive the import. */
NODISCARD int import_open(struct import **out, csv_read_fn *read, void *arg,
                          const struct import_options *options, struct errtext *e);
void import_free(struct import *im); /* NULL is allowed */
/* How the stream is read: what was said, or what was found out. */
struct import_form {
    enum text_encoding encoding;
    bool encoding_is_guess;
    char delimiter; /* 0 for JSON Lines */
};
struct import_form import_form(const struct import *im);
const struct columns *import_columns(const struct import *im);

/* Before import_run: leaves out what an earlier import of the same stream has given.
 * Errors as csv_reader_skip_to. */
NODISCARD int import_skip_to(struct import *im, const struct record_position *to,
                             struct errtext *e);

/* Once. The sink's error, or the file's (EBADMSG with its line). ECANCELED: *stop
 * (which may be NULL) was raised. */
NODISCARD int import_run(struct import *im, const struct import_sink *sink, void *arg,
                         const _Atomic(bool) *stop, struct import_counts *counts,
                         struct errtext *e);

const char *import_reason_name(enum import_reason reason);
/* One sentence for a person about a value that was refused for a reason. */
const char *import_reason_hint(enum import_reason reason, const char *value);
/* ENOENT: there is no such name. */
NODISCARD int import_reason_find(const char *name, enum import_reason *out);

#endif
