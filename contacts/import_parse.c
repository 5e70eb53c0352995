#include "contacts/import_parse.h"

#include <ctype.h>
#include <errno.h>
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
    [IMPORT_BAD_JSON] = {"bad_json", "each line is one JSON object, e.g. {\"phone\": "
                                     "\"+251911234567\"}"},
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

static enum phone_error phone_error_of(enum import_reason reason)
{
    enum phone_error e = PHONE_NOT_A_NUMBER;

    while (e < PHONE_INVALID && of_phone[e] != reason)
        e++;
    return e;
}

const char *import_reason_hint(enum import_reason reason, const char *value)
{
    if (reasons[reason].hint)
        return reasons[reason].hint;
    if (reason == IMPORT_NOT_A_NUMBER && is_scientific(value))
        return "a spreadsheet has rounded the number; format the column as text there";
    return phone_error_hint(phone_error_of(reason));
}

int import_reason_find(const char *name, enum import_reason *out)
{
    int i = 0;

    while (i < IMPORT_REASONS && strcmp(reasons[i].name, name) != 0)
        i++;
    if (i == IMPORT_REASONS)
        return ENOENT;
    *out = (enum import_reason)i;
    return 0;
}

void block_clear(struct import_block *b)
{
    b->text.len = b->attrs.len = b->extras.len = 0;
    b->cell_count = b->n = b->row_count = b->reject_count = 0;
}

void block_free(struct import_block *b)
{
    if (!b)
        return;
    buf_free(&b->text);
    buf_free(&b->attrs);
    buf_free(&b->extras);
    free(b->cells);
    free(b->rows);
    free(b->rejects);
    free(b);
}

bool block_is_full(const struct import_block *b)
{
    return b->n == BLOCK_RECORDS || b->text.len >= BLOCK_BYTES;
}

size_t block_put_cell(struct import_block *b, const char *text, size_t len)
{
    if (b->cell_count == b->cell_cap) {
        b->cell_cap = b->cell_cap ? b->cell_cap * 2 : 1024;
        b->cells = xrealloc(b->cells, b->cell_cap * sizeof(*b->cells));
    }
    b->cells[b->cell_count] = (struct block_cell){.at = b->text.len, .len = len};
    buf_add(&b->text, text, len);
    buf_add(&b->text, "", 1);
    return b->cell_count++;
}

void block_add(struct import_block *b, const struct csv_record *record)
{
    b->records[b->n++] = (struct block_record){.line = record->line,
                                               .first_cell = b->cell_count,
                                               .n = record->n,
                                               .fault = record->fault,
                                               .fault_cell = record->fault_cell};
    for (size_t i = 0; i < record->n; i++)
        block_put_cell(b, record->cells[i].text, record->cells[i].len);
}

/* ---- one record ---- */

static void add_reject(struct import_block *b, int64_t line, const char *column,
                       const char *value, enum import_reason reason)
{
    if (b->reject_count == b->reject_cap) {
        b->reject_cap = b->reject_cap ? b->reject_cap * 2 : 64;
        b->rejects = xrealloc(b->rejects, b->reject_cap * sizeof(*b->rejects));
    }
    b->rejects[b->reject_count++] =
        (struct import_reject){.line = line,
                               .column = column,
                               .value = value,
                               .reason = reason,
                               .hint = import_reason_hint(reason, value)};
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

void block_put_json_text(struct buf *out, const char *s, size_t len)
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
    buf_add(&b->attrs, "{", 1);
    for (size_t k = 0; k < columns->order_count; k++) {
        static const struct block_cell none = {0};
        size_t i = columns->order[k];
        const struct block_cell *cell = i < r->n ? &b->cells[r->first_cell + i] : &none;

        if (k > 0)
            buf_add(&b->attrs, ",", 1);
        buf_add(&b->attrs, columns->at[i].json, columns->at[i].json_len);
        block_put_json_text(&b->attrs, b->text.data + cell->at, cell->len);
    }
    if (r->extra_len && columns->order_count)
        buf_add(&b->attrs, ",", 1);
    if (r->extra_len)
        buf_add(&b->attrs, b->extras.data + r->extra, r->extra_len);
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

    if (r->bad_json) {
        i = 0;
        reason = IMPORT_BAD_JSON;
    } else if (r->fault == RECORD_SOUND) {
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

static void add_row(struct import_block *b, const struct import_row *row)
{
    if (b->row_count == b->row_cap) {
        b->row_cap = b->row_cap ? b->row_cap * 2 : BLOCK_RECORDS;
        b->rows = xrealloc(b->rows, b->row_cap * sizeof(*b->rows));
    }
    b->rows[b->row_count++] = *row;
}

/* One number of the record; false when there is none in the column. */
static bool parse_number(struct import_block *b, const struct columns *columns,
                         const char *region, const struct block_record *r, size_t column,
                         size_t first_row)
{
    struct import_row row = {.line = r->line,
                             .rank = (int)(b->row_count - first_row),
                             .column = columns->at[column].name,
                             .written = cell_text(b, r, column),
                             .person = ""};
    size_t len = strlen(row.written);
    const char *text = trim_cell(row.written, &len);

    if (len == 0)
        return false;
    enum phone_error error = phone_parse(text, len, region, &row.phone);
    if (error != PHONE_VALID) {
        add_reject(b, r->line, row.column, row.written, of_phone[error]);
        return true;
    }
    for (size_t i = first_row; i < b->row_count; i++)
        if (b->rows[i].phone.e164 == row.phone.e164)
            return true; /* the same number in two columns */
    row.zones = zones_of(row.phone.e164, row.phone.type);
    add_row(b, &row);
    return true;
}

static void parse_record(struct import_block *b, const struct columns *columns,
                         const char *region, const struct block_record *r)
{
    size_t first_row = b->row_count, numbers = 0, from = b->attrs.len;

    if (!check_form(b, columns, r))
        return;
    for (size_t k = 0; k < columns->phone_count; k++)
        numbers += parse_number(b, columns, region, r, columns->phones[k], first_row);
    if (numbers == 0)
        add_reject(b, r->line, columns->at[columns->phone].name, "",
                   IMPORT_MISSING_PHONE);
    if (b->row_count == first_row)
        return;
    add_attrs(b, columns, r);
    for (size_t i = first_row; i < b->row_count; i++) {
        b->rows[i].attrs_at = from;
        b->rows[i].attrs_len = b->attrs.len - from;
        b->rows[i].one_of_several = b->row_count - first_row > 1;
        if (columns->person != COLUMN_NONE)
            b->rows[i].person = cell_text(b, r, columns->person);
    }
}

void block_parse(struct import_block *b, const struct columns *columns,
                 const char *region)
{
    for (size_t i = 0; i < b->n; i++)
        parse_record(b, columns, region, &b->records[i]);
    /* The buffer has stopped moving. */
    for (size_t i = 0; i < b->row_count; i++)
        b->rows[i].attrs = b->attrs.data + b->rows[i].attrs_at;
}
