/*
 * import_parse - one block of CSV records made rows and rejects. Private to
 * contacts/import.c and its tests.
 *
 * A block is worked on by one thread at a time: filled by the reader, parsed by a
 * parser, emptied by the writer.
 */
#ifndef CONTACTS_IMPORT_PARSE_H
#define CONTACTS_IMPORT_PARSE_H

#include "base/str.h"
#include "contacts/import.h"

struct block_cell {
    size_t at, len; /* in text, NUL-terminated */
};

struct block_record {
    int64_t line;
    size_t first_cell, n;
    enum record_fault fault;
    size_t fault_cell;
};

enum { BLOCK_RECORDS = 2000, BLOCK_BYTES = 256 * 1024 };

struct import_block {
    struct buf text, attrs;
    struct block_cell *cells;
    size_t cell_count, cell_cap;
    size_t n; /* records */
    struct block_record records[BLOCK_RECORDS];
    size_t row_count, reject_count;
    struct import_row rows[BLOCK_RECORDS];
    struct import_reject rejects[BLOCK_RECORDS];
    int64_t bytes; /* of the stream up to the end of this block */
};

void block_clear(struct import_block *b);
void block_free(struct import_block *b);
bool block_is_full(const struct import_block *b);
void block_add(struct import_block *b, const struct csv_record *record);
void block_parse(struct import_block *b, const struct columns *columns,
                 const char *region);
/* Rows that the sink called duplicates become rejects, in order of the lines. */
void block_settle(struct import_block *b, const struct columns *columns);

#endif
