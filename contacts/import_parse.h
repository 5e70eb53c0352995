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
    bool bad_json;
    size_t extra, extra_len; /* further members, in the block's extras */
};

enum { BLOCK_RECORDS = 2000, BLOCK_BYTES = 256 * 1024 };

struct import_block {
    struct buf text, attrs, extras;
    struct block_cell *cells;
    size_t cell_count, cell_cap;
    size_t n; /* records */
    struct block_record records[BLOCK_RECORDS];
    size_t row_count, row_cap, reject_count, reject_cap;
    struct import_row *rows;
    struct import_reject *rejects;
    int64_t bytes; /* that were read when this block was full */
    struct record_position end;
};

void block_clear(struct import_block *b);
void block_free(struct import_block *b);
bool block_is_full(const struct import_block *b);
void block_add(struct import_block *b, const struct csv_record *record);
size_t block_put_cell(struct import_block *b, const char *text, size_t len);
void block_put_json_text(struct buf *out, const char *s, size_t len);
/* Records of one cell, a JSON object, become records of the columns' cells. */
void block_read_json(struct import_block *b, const struct columns *columns);
/* As columns_new, from the members of the first object. */
NODISCARD int json_columns_new(struct columns **out, const struct csv_record *first,
                               const char *region, const struct column_map *maps,
                               size_t map_count, struct errtext *e);
void block_parse(struct import_block *b, const struct columns *columns,
                 const char *region);

#endif
