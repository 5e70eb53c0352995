/*
 * csv_reader - records of a CSV stream, one at a time, in constant memory.
 *
 * libcsv does the quoting; this adds what a file from the field needs: byte order
 * mark, finding the delimiter (, ; tab |), line numbers that count lines inside
 * quoted cells too, limits, and one clear refusal for what is no CSV at all
 * (UTF-16, workbooks, archives, NUL bytes, an unclosed quote). What is wrong with
 * one row only is a fault of that record; reading goes on with the next line.
 * It does not know what the columns mean and does not check UTF-8.
 *
 * Thread: the owner's.
 */
#ifndef CONTACTS_CSV_READER_H
#define CONTACTS_CSV_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/attrs.h"
#include "base/errors.h"

enum {
    RECORD_CELL_LIMIT = 64 * 1024, /* bytes */
    RECORD_ROW_LIMIT = 256 * 1024, /* bytes of all cells */
    RECORD_CELLS_LIMIT = 1000,
};

enum record_fault {
    RECORD_SOUND,
    RECORD_CELL_TOO_LONG,
    RECORD_ROW_TOO_LONG,
    RECORD_TOO_MANY_CELLS,
    RECORD_STRAY_QUOTE, /* text after a closing quote */
};

struct csv_cell {
    const char *text; /* NUL-terminated too */
    size_t len;
};

struct csv_record {
    int64_t line; /* on which it begins, from 1 */
    size_t n;
    const struct csv_cell *cells;
    enum record_fault fault;
    size_t fault_cell; /* index of the cell it is about */
};

/* A place between two records: everything before it has been given out. */
struct record_position {
    int64_t bytes; /* from the beginning of the stream */
    int64_t line;  /* on which the next record begins */
    uint64_t hash; /* of the bytes before it */
};

/* As read(2): bytes, 0 at the end, -1 with errno. */
typedef ssize_t(csv_read_fn)(void *arg, void *buf, size_t size);

struct csv_options {
    bool windows_1252; /* cells are converted to UTF-8; not with a UTF-8 mark */
    char delimiter;    /* 0: find it */
    bool lines;        /* no CSV: each line is a record of one cell (JSON Lines) */
};

struct csv_reader;

/* Reads the beginning of the stream. EBADMSG: this is no CSV, e says what it is and
 * what to do; ENODATA: empty, with a text; else the errno of read. */
NODISCARD int csv_reader_new(struct csv_reader **out, csv_read_fn *read, void *arg,
                             const struct csv_options *options, struct errtext *e);
void csv_reader_free(struct csv_reader *r); /* NULL is allowed */

/* *out is borrowed until the next call. ENODATA at the end (no text). EBADMSG: the
 * file cannot be read on from here, e names the line; else the errno of read. */
NODISCARD int csv_reader_next(struct csv_reader *r, struct csv_record *out,
                              struct errtext *e);

/* Where the reader is, after a record or at the end. */
struct record_position csv_reader_position(struct csv_reader *r);
/* Goes on at a position of an earlier reading of the same stream, at most once and
 * only forward. ESTALE: what lies before it is not what was read then; the reader is
 * of no more use. Else the errno of read. */
NODISCARD int csv_reader_skip_to(struct csv_reader *r, const struct record_position *to,
                                 struct errtext *e);

char csv_reader_delimiter(const struct csv_reader *r);
int64_t csv_reader_bytes(const struct csv_reader *r); /* taken from the stream */

#endif
