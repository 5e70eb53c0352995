#include "contacts/import_parse.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"

static const struct {
    const char *name, *hint;
} reasons[] = {
    [IMPORT_MISSING_PHONE] = {"missing_phone", "the row has no number"},
    [IMPORT_NOT_A_NUMBER] = {"not_a_number", NULL},
    [IMPORT_TOO_SHORT] = {"too_short", NULL},
    [IMPORT_TOO_LONG] = {"too_long", NULL},
    [IMPORT_UNKNOWN_COUNTRY] = {"unknown_country", NULL},
    [IMPORT_INVALID_NUMBER] = {"invalid_number", NULL},
    [IMPORT_DUPLICATE] = {"duplicate", "the list has this number already; the first "
                                       "row of it counts"},
    [IMPORT_TOO_MANY_COLUMNS] = {"too_many_columns",
                                 "the row has more cells than the header; quote cells "
                                 "that hold the delimiter"},
    [IMPORT_BAD_ENCODING] = {"bad_encoding", "save the file as CSV UTF-8, or say "
                                             "--encoding windows-1252"},
    [IMPORT_BAD_QUOTES] = {"bad_quotes", "text follows a closing quote; write a quote "
                                         "inside a quoted cell twice"},
    [IMPORT_CELL_TOO_LONG] = {"cell_too_long", "a cell may have 64 KiB"},
    [IMPORT_ROW_TOO_LONG] = {"row_too_long", "a row may have 256 KiB"},
};

_Static_assert(ARRAY_LEN(reasons) == IMPORT_REASONS, "every reason has a name");

static const enum import_reason of_phone[] = {
    [PHONE_VALID] = IMPORT_INVALID_NUMBER, /* never used */
    [PHONE_NOT_A_NUMBER] = IMPORT_NOT_A_NUMBER,
    [PHONE_TOO_SHORT] = IMPORT_TOO_SHORT,
    [PHONE_TOO_LONG] = IMPORT_TOO_LONG,
    [PHONE_UNKNOWN_COUNTRY] = IMPORT_UNKNOWN_COUNTRY,
    [PHONE_INVALID] = IMPORT_INVALID_NUMBER,
};

static const enum import_reason of_fault[] = {
    [RECORD_SOUND] = IMPORT_BAD_QUOTES, /* never used */
    [RECORD_CELL_TOO_LONG] = IMPORT_CELL_TOO_LONG,
    [RECORD_ROW_TOO_LONG] = IMPORT_ROW_TOO_LONG,
    [RECORD_TOO_MANY_CELLS] = IMPORT_TOO_MANY_COLUMNS,
    [RECORD_STRAY_QUOTE] = IMPORT_BAD_QUOTES,
};

const char *import_reason_name(enum import_reason reason)
{
    return reasons[reason].name;
}

void block_clear(struct import_block *b)
{
    b->text.len = b->attrs.len = 0;
    b->cell_count = b->n = b->row_count = b->reject_count = 0;
}

void block_free(struct import_block *b)
{
    if (!b)
        return;
    buf_free(&b->text);
    buf_free(&b->attrs);
    free(b->cells);
    free(b);
}

bool block_is_full(const struct import_block *b)
{
    return b->n == BLOCK_RECORDS || b->text.len >= BLOCK_BYTES;
}

void block_add(struct import_block *b, const struct csv_record *record)
{
    if (b->cell_count + record->n > b->cell_cap) {
        b->cell_cap = (b->cell_count + record->n) * 2;
        b->cells = xrealloc(b->cells, b->cell_cap * sizeof(*b->cells));
    }
    b->records[b->n++] = (struct block_record){.line = record->line,
                                               .first_cell = b->cell_count,
                                               .n = record->n,
                                               .fault = record->fault,
                                               .fault_cell = record->fault_cell};
    for (size_t i = 0; i < record->n; i++) {
        b->cells[b->cell_count++] =
            (struct block_cell){.at = b->text.len, .len = record->cells[i].len};
        buf_add(&b->text, record->cells[i].text, record->cells[i].len + 1);
    }
}

/* ---- one record ---- */

static void add_reject(struct import_block *b, int64_t line, const char *column,
                       const char *value, enum import_reason reason)
{
    b->rejects[b->reject_count++] = (struct import_reject){
        .line = line,
        .column = column,
        .value = value,
        .reason = reason,
        .hint = reasons[reason].hint ? reasons[reason].hint : "",
    };
}

/* 9.11235E+11: a spreadsheet rounded the number away. */
static bool is_scientific(const char *s)
{
    bool exponent = false;

    for (; *s; s++) {
        if (*s == 'e' || *s == 'E')
            exponent = true;
        else if (!isdigit((unsigned char)*s) && !strchr(".,+ ", *s))
            return false;
    }
    return exponent;
}

static void reject_phone(struct import_block *b, int64_t line, const char *column,
                         const char *value, enum phone_error error)
{
    add_reject(b, line, column, value, of_phone[error]);
    b->rejects[b->reject_count - 1].hint =
        error == PHONE_NOT_A_NUMBER && is_scientific(value)
            ? "a spreadsheet has rounded the number; format the column as text there"
            : phone_error_hint(error);
}

/* Bytes of the blank that s begins with, 0 when none: white space, a no-break
 * space, and the invisible marks that are copied along with numbers (zero width
 * space to right-to-left mark, and the directional ones). */
static size_t blank_at(const char *s, size_t len)
{
    const unsigned char *p = (const unsigned char *)s;

    if (len >= 1 && strchr(" \t\r\n", s[0]) && s[0])
        return 1;
    if (len >= 2 && p[0] == 0xC2 && p[1] == 0xA0)
        return 2;
    if (len >= 3 && p[0] == 0xE2 && p[1] == 0x80 &&
        ((p[2] >= 0x8B && p[2] <= 0x8F) || (p[2] >= 0xAA && p[2] <= 0xAE)))
        return 3;
    return 0;
}

/* *len may shrink. */
static const char *trim_cell(const char *s, size_t *len)
{
    for (size_t n; (n = blank_at(s, *len)) > 0; s += n)
        *len -= n;
    for (size_t n = 1; n <= 3 && n <= *len; n++) {
        if (blank_at(s + *len - n, n) == n) {
            *len -= n;
            n = 0; /* look again */
        }
    }
    return s;
}

static void add_json_text(struct buf *out, const char *s, size_t len)
{
    size_t from = 0;

    buf_add(out, "\"", 1);
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)s[i];

        if (c >= 0x20 && c != '"' && c != '\\')
            continue;
        buf_add(out, s + from, i - from);
        if (c < 0x20)
            buf_printf(out, "\\u%04x", c);
        else
            buf_add(out, c == '"' ? "\\\"" : "\\\\", 2);
        from = i + 1;
    }
    buf_add(out, s + from, len - from);
    buf_add(out, "\"", 1);
}

static void add_attrs(struct import_block *b, const struct columns *columns,
                      const struct block_record *r)
{
    bool first = true;

    buf_add(&b->attrs, "{", 1);
    for (size_t i = 0; i < columns->n; i++) {
        static const struct block_cell none = {0};
        const struct block_cell *cell = i < r->n ? &b->cells[r->first_cell + i] : &none;

        if (i == columns->phone)
            continue;
        if (!first)
            buf_add(&b->attrs, ",", 1);
        first = false;
        buf_add(&b->attrs, columns->at[i].json, strlen(columns->at[i].json));
        add_json_text(&b->attrs, b->text.data + cell->at, cell->len);
    }
    buf_add(&b->attrs, "}", 1);
}

/* Cells beyond the header are harmless while they are empty. */
static size_t first_extra(const struct import_block *b, const struct columns *columns,
                          const struct block_record *r)
{
    for (size_t i = columns->n; i < r->n; i++)
        if (b->cells[r->first_cell + i].len > 0)
            return i;
    return 0;
}

static size_t first_not_utf8(const struct import_block *b, const struct block_record *r)
{
    size_t i = 0;

    for (; i < r->n; i++) {
        const struct block_cell *cell = &b->cells[r->first_cell + i];

        if (!str_is_utf8(b->text.data + cell->at, cell->len))
            break;
    }
    return i;
}

static const char *column_name(const struct columns *columns, size_t i)
{
    return i < columns->n ? columns->at[i].name : "beyond the header";
}

static const char *cell_text(const struct import_block *b, const struct block_record *r,
                             size_t i)
{
    return i < r->n ? b->text.data + b->cells[r->first_cell + i].at : "";
}

/* False when the record was rejected for its form. */
static bool check_form(struct import_block *b, const struct columns *columns,
                       const struct block_record *r)
{
    size_t i = r->fault_cell;
    enum import_reason reason = of_fault[r->fault];

    if (r->fault == RECORD_SOUND) {
        i = first_not_utf8(b, r);
        reason = IMPORT_BAD_ENCODING;
        if (i == r->n) {
            i = first_extra(b, columns, r);
            reason = IMPORT_TOO_MANY_COLUMNS;
            if (i == 0)
                return true;
        }
    }
    add_reject(b, r->line, column_name(columns, i), cell_text(b, r, i), reason);
    return false;
}

static void parse_record(struct import_block *b, const struct columns *columns,
                         const char *region, const struct block_record *r)
{
    const char *phone_column = columns->at[columns->phone].name;
    struct import_row row = {.line = r->line, .written = cell_text(b, r, columns->phone)};

    if (!check_form(b, columns, r))
        return;
    size_t len = strlen(row.written);
    const char *text = trim_cell(row.written, &len);
    if (len == 0) {
        add_reject(b, r->line, phone_column, "", IMPORT_MISSING_PHONE);
        return;
    }
    enum phone_error error = phone_parse(text, len, region, &row.phone);
    if (error != PHONE_VALID) {
        reject_phone(b, r->line, phone_column, row.written, error);
        return;
    }
    row.zones = zones_of(row.phone.e164, row.phone.type);
    size_t from = b->attrs.len;
    add_attrs(b, columns, r);
    row.attrs_len = b->attrs.len - from;
    b->rows[b->row_count++] = row;
}

void block_parse(struct import_block *b, const struct columns *columns,
                 const char *region)
{
    size_t at = 0;

    for (size_t i = 0; i < b->n; i++)
        parse_record(b, columns, region, &b->records[i]);
    /* The buffer has stopped moving. */
    for (size_t i = 0; i < b->row_count; i++) {
        b->rows[i].attrs = b->attrs.data + at;
        at += b->rows[i].attrs_len;
    }
}

static int by_line(const void *a, const void *b)
{
    const struct import_reject *x = a, *y = b;

    return (x->line > y->line) - (x->line < y->line);
}

void block_settle(struct import_block *b, const struct columns *columns)
{
    size_t parsed = b->reject_count;

    for (size_t i = 0; i < b->row_count; i++)
        if (b->rows[i].duplicate)
            add_reject(b, b->rows[i].line, columns->at[columns->phone].name,
                       b->rows[i].written, IMPORT_DUPLICATE);
    if (b->reject_count > parsed && parsed > 0)
        qsort(b->rejects, b->reject_count, sizeof(b->rejects[0]), by_line);
}
