/*
 * Any bytes: the reader and the parser end without a crash, every record is a row
 * or a reject, lines never go back, and what is read can be written and read again.
 */
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "base/xalloc.h"
#include "contacts/import_parse.h"
#include "fuzz/fuzz.h"

struct source {
    const uint8_t *data;
    size_t len, at, step;
};

static ssize_t take(void *arg, void *buf, size_t size)
{
    struct source *s = arg;
    size_t n = s->len - s->at < size ? s->len - s->at : size;

    if (n > s->step)
        n = s->step;
    memcpy(buf, s->data + s->at, n);
    s->at += n;
    return (ssize_t)n;
}

static void check(int held)
{
    if (!held)
        abort();
}

static void write_record(struct buf *out, const struct csv_record *r)
{
    for (size_t i = 0; i < r->n; i++) {
        buf_puts(out, i ? ",\"" : "\"");
        for (const char *p = r->cells[i].text; *p; p++)
            buf_add(out, *p == '"' ? "\"\"" : p, *p == '"' ? 2 : 1);
        buf_puts(out, "\"");
    }
    buf_puts(out, "\n");
}

/* Reads what was written; it must be the same records. */
static void read_back(const struct buf *written, const struct buf *expected)
{
    struct source s = {(const uint8_t *)written->data, written->len, 0, SIZE_MAX};
    struct buf again = {0};
    struct csv_reader *r = NULL;
    struct csv_record record;

    if (written->len == 0)
        return;
    if (csv_reader_new(&r, take, &s, &(struct csv_options){.delimiter = ','}, NULL))
        return; /* its first cell looks like another format */
    while (csv_reader_next(r, &record, NULL) == 0)
        write_record(&again, &record);
    check(again.len == expected->len &&
          memcmp(again.data, expected->data, again.len) == 0);
    csv_reader_free(r);
    buf_free(&again);
}

static void parse(struct import_block *b, const struct csv_record *first)
{
    struct columns *columns = NULL;

    if (columns_new(&columns, first, "ET", NULL, 0, NULL) == 0) {
        block_parse(b, columns, "ET");
        check(b->row_count + b->reject_count == b->n);
        for (size_t i = 0; i < b->row_count; i++)
            check(str_is_utf8(b->rows[i].attrs, b->rows[i].attrs_len));
    }
    columns_free(columns);
}

/* ---- the whole import: encodings, JSON Lines, going on in the middle ---- */

struct seen {
    int64_t records, rows, rejects, bytes;
    struct record_position first; /* after the first block */
};

static int take_rows(void *arg, struct import_row *rows, size_t n, struct errtext *e)
{
    struct seen *s = arg;

    (void)e;
    for (size_t i = 0; i < n; i++)
        check(str_is_utf8(rows[i].attrs, rows[i].attrs_len));
    s->rows += (int64_t)n;
    return 0;
}

static int take_rejects(void *arg, const struct import_reject *rejects, size_t n,
                        struct errtext *e)
{
    struct seen *s = arg;

    (void)e;
    for (size_t i = 0; i < n; i++)
        check(*import_reason_name(rejects[i].reason) && rejects[i].hint);
    s->rejects += (int64_t)n;
    return 0;
}

static int take_position(void *arg, const struct record_position *at, int64_t records,
                         struct errtext *e)
{
    struct seen *s = arg;

    (void)e;
    check(at->bytes >= s->bytes);
    s->bytes = at->bytes;
    s->records += records;
    if (!s->first.bytes)
        s->first = *at;
    return 0;
}

static struct seen whole_import(const uint8_t *data, size_t size, bool json,
                                const struct record_position *from)
{
    static const struct import_sink sink = {
        .rows = take_rows, .rejects = take_rejects, .reached = take_position};
    const struct import_options o = {.region = "ET", .json_lines = json, .threads = 1};
    struct source s = {data, size, 0, size % 5 ? SIZE_MAX : 7};
    struct seen seen = {0};
    struct import_counts n;
    struct import *im = NULL;

    if (import_open(&im, take, &s, &o, NULL))
        return seen;
    int err = from ? import_skip_to(im, from, NULL) : 0;
    check(!err);
    err = import_run(im, &sink, &seen, NULL, &n, NULL);
    check(err || seen.records == seen.rows + seen.rejects);
    import_free(im);
    return seen;
}

static void import_both_ways(const uint8_t *data, size_t size)
{
    for (int json = 0; json < 2; json++) {
        struct seen all = whole_import(data, size, json, NULL);

        if (all.first.bytes > 0)
            check(whole_import(data, size, json, &all.first).records <= all.records);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct source s = {data, size, 0, size % 5 ? SIZE_MAX : 7};
    struct csv_reader *r = NULL;
    struct csv_record record;
    struct buf written = {0};
    int64_t line = 0;
    const struct csv_options options = {.windows_1252 = size % 3 == 0};

    import_both_ways(data, size);
    if (csv_reader_new(&r, take, &s, &options, NULL))
        return 0;
    struct import_block *b = xcalloc(1, sizeof(*b));
    while (!block_is_full(b) && csv_reader_next(r, &record, NULL) == 0) {
        check(record.line > line || (record.line == line && b->n == 0));
        line = record.line;
        if (record.fault == RECORD_SOUND)
            write_record(&written, &record);
        block_add(b, &record);
    }
    if (b->n > 0) {
        struct csv_cell cells[RECORD_CELLS_LIMIT];
        struct csv_record first = {.line = 1, .n = b->records[0].n, .cells = cells};

        for (size_t i = 0; i < first.n; i++)
            cells[i] = (struct csv_cell){b->text.data + b->cells[i].at, b->cells[i].len};
        parse(b, &first);
    }
    read_back(&written, &written);
    buf_free(&written);
    block_free(b);
    csv_reader_free(r);
    return 0;
}
