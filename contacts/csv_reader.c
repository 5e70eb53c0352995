/*
 * csv_reader - libcsv is fed one physical line at a time, so a call completes at
 * most one record and the line is known whenever something is wrong.
 *
 * libcsv runs strict. A quote inside a bare cell (5" pipe) is then an error, but a
 * harmless one: that byte is fed once more without strictness. Text after a closing
 * quote is not harmless, since libcsv would go on to swallow the lines below: the
 * rest of the line is dropped, the record is faulty, the next line begins afresh.
 */
#include "contacts/csv_reader.h"

#include <csv.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"

enum {
    CHUNK_BYTES = 64 * 1024,
    /* libcsv's states, as its source names them. */
    ROW_NOT_BEGUN = 0,
    FIELD_BEGUN = 2,
    OPTIONS = CSV_STRICT | CSV_STRICT_FINI,
};

struct place {
    size_t at, len;
};

struct csv_reader {
    csv_read_fn *read;
    void *arg;
    struct csv_parser parser;
    bool windows_1252, lines;
    char delimiter;

    char chunk[CHUNK_BYTES];
    size_t at, end; /* what is left of the chunk */
    bool ended, nul_follows;
    int64_t bytes, line;
    int64_t chunk_at;        /* where in the stream the chunk begins */
    size_t hashed;           /* of the chunk */
    uint64_t hash;           /* of the stream up to there */
    bool after_cr;           /* the last byte was a CR: a LF now ends the same line */
    int64_t quote_line;      /* where the open quote was opened; 0 none */
    bool finished, skipping; /* skipping the rest of a faulty line */

    /* The record that is being built. */
    int64_t record_line;
    bool complete, over_long_cell;
    enum record_fault fault;
    size_t fault_cell;
    size_t n, text_len;
    struct place places[RECORD_CELLS_LIMIT];
    struct csv_cell cells[RECORD_CELLS_LIMIT];
    char text[RECORD_ROW_LIMIT * 3 + RECORD_CELLS_LIMIT]; /* 3: Windows-1252 grows */
};

/* ---- Windows-1252 ---- */

static const uint16_t windows_1252_high[32] = {
    0x20AC, 0xFFFD, 0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021,
    0x02C6, 0x2030, 0x0160, 0x2039, 0x0152, 0xFFFD, 0x017D, 0xFFFD,
    0xFFFD, 0x2018, 0x2019, 0x201C, 0x201D, 0x2022, 0x2013, 0x2014,
    0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0xFFFD, 0x017E, 0x0178};

static size_t to_utf8(const unsigned char *in, size_t len, char *out)
{
    char *p = out;

    for (size_t i = 0; i < len; i++) {
        unsigned c = in[i];

        if (c >= 0x80 && c < 0xA0)
            c = windows_1252_high[c - 0x80];
        if (c < 0x80) {
            *p++ = (char)c;
        } else if (c < 0x800) {
            *p++ = (char)(0xC0 | c >> 6);
            *p++ = (char)(0x80 | (c & 0x3F));
        } else {
            *p++ = (char)(0xE0 | c >> 12);
            *p++ = (char)(0x80 | (c >> 6 & 0x3F));
            *p++ = (char)(0x80 | (c & 0x3F));
        }
    }
    return (size_t)(p - out);
}

/* ---- libcsv's callbacks ---- */

static void set_fault(struct csv_reader *r, enum record_fault fault)
{
    if (r->fault == RECORD_SOUND) {
        r->fault = fault;
        r->fault_cell = r->n;
    }
}

static void on_cell(void *data, size_t len, void *arg)
{
    struct csv_reader *r = arg;
    bool long_cell = r->over_long_cell || len > RECORD_CELL_LIMIT;
    bool long_row = r->text_len + len > RECORD_ROW_LIMIT;

    r->over_long_cell = false;
    if (long_cell)
        set_fault(r, RECORD_CELL_TOO_LONG);
    else if (r->n == RECORD_CELLS_LIMIT)
        set_fault(r, RECORD_TOO_MANY_CELLS);
    else if (long_row)
        set_fault(r, RECORD_ROW_TOO_LONG);
    if (long_cell || long_row)
        len = 0; /* a faulty record keeps what fits, for the report */
    if (r->n == RECORD_CELLS_LIMIT)
        return;
    struct place *place = &r->places[r->n++];
    place->at = r->text_len;
    if (r->windows_1252)
        place->len = to_utf8(data, len, r->text + r->text_len);
    else
        place->len = len;
    if (!r->windows_1252 && len > 0)
        memcpy(r->text + r->text_len, data, len);
    r->text_len += place->len;
    r->text[r->text_len++] = '\0';
}

static void on_row(int terminator, void *arg)
{
    struct csv_reader *r = arg;

    (void)terminator;
    r->complete = true;
}

/* ---- the beginning of the stream ---- */

static const struct magic {
    const char *bytes;
    size_t len;
    const char *what;
} magics[] = {
    {"PK\x03\x04", 4,
     "this is an Excel workbook (.xlsx) or a zip archive; save the sheet as CSV UTF-8"},
    {"\xD0\xCF\x11\xE0", 4,
     "this is an old Excel workbook (.xls); save the sheet as CSV UTF-8"},
    {"\xFF\xFE", 2, "this text is UTF-16; save it as CSV UTF-8"},
    {"\xFE\xFF", 2, "this text is UTF-16; save it as CSV UTF-8"},
    {"\x1F\x8B", 2, "this is compressed with gzip; unpack it first"},
    {"%PDF", 4, "this is a PDF; export the table as CSV UTF-8"},
    {"{\\rtf", 5, "this is a rich text document; save the table as CSV UTF-8"},
    {"<", 1, "this is HTML or XML, not CSV; export the table as CSV UTF-8"},
    {"{", 1, "this is JSON, not CSV"},
    {"[", 1, "this is JSON, not CSV"},
    {"\x7F"
     "ELF",
     4, "this is a program, not CSV"},
    {"\x89PNG", 4, "this is a picture, not CSV"},
};

/* More than one control byte in fifty says that this is no text. */
static bool looks_binary(const char *p, size_t len)
{
    size_t control = 0, look = len < 4096 ? len : 4096;

    for (size_t i = 0; i < look; i++)
        control += (unsigned char)p[i] < 0x20 && !strchr("\t\r\n\f", p[i]);
    return control > 2 && control * 50 > look;
}

static char find_delimiter(const char *p, size_t len)
{
    static const char candidates[] = ",;\t|";
    size_t count[4] = {0}, best = 0;
    bool quoted = false;

    for (size_t i = 0; i < len; i++) {
        const char *found = p[i] ? strchr(candidates, p[i]) : NULL;

        if (p[i] == '"')
            quoted = !quoted;
        if (!quoted && (p[i] == '\n' || p[i] == '\r') && i > 0)
            break;
        if (!quoted && found)
            count[found - candidates]++;
    }
    for (size_t i = 1; i < 4; i++)
        if (count[i] > count[best])
            best = i;
    return candidates[best];
}

/* FNV-1a: byte by byte, so that it does not matter where chunks ended. */
static void hash_to(struct csv_reader *r, size_t at)
{
    uint64_t h = r->hash;

    for (size_t i = r->hashed; i < at; i++)
        h = (h ^ (unsigned char)r->chunk[i]) * UINT64_C(0x100000001b3);
    r->hash = h;
    r->hashed = at;
}

static int fill(struct csv_reader *r, struct errtext *e)
{
    if (r->nul_follows)
        return errtext_set(e, EBADMSG, (int)r->line, 0,
                           "line %" PRId64 " has a NUL byte: this is a binary file or "
                           "UTF-16 text; save it as CSV UTF-8",
                           r->line);
    hash_to(r, r->end);
    r->hashed = r->at = r->end = 0;
    r->chunk_at = r->bytes;
    while (r->end < sizeof(r->chunk) && !r->ended) {
        ssize_t n = r->read(r->arg, r->chunk + r->end, sizeof(r->chunk) - r->end);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errtext_set(e, errno, (int)r->line, 0,
                               "reading failed at line %" PRId64 ": %s", r->line,
                               strerror(errno));
        r->ended = n == 0;
        r->end += (size_t)n;
        r->bytes += n;
    }
    char *nul = memchr(r->chunk, 0, r->end);
    r->nul_follows = nul != NULL;
    if (nul)
        r->end = (size_t)(nul - r->chunk);
    return 0;
}

static int look_at_beginning(struct csv_reader *r, struct errtext *e)
{
    static const char mark[] = "\xEF\xBB\xBF";

    for (size_t i = 0; i < ARRAY_LEN(magics); i++)
        if (!(r->lines && magics[i].bytes[0] == '{') && r->end >= magics[i].len &&
            memcmp(r->chunk, magics[i].bytes, magics[i].len) == 0)
            return errtext_set(e, EBADMSG, 1, 0, "%s", magics[i].what);
    if (looks_binary(r->chunk, r->end))
        return errtext_set(e, EBADMSG, 1, 0, "this is a binary file, not CSV text");
    if (r->end >= 3 && memcmp(r->chunk, mark, 3) == 0) {
        r->at = 3;
        r->windows_1252 = false; /* it says itself what it is */
    }
    /* Excel's own first line, sep=; */
    const char *p = r->chunk + r->at;
    if (r->end - r->at >= 6 && memcmp(p, "sep=", 4) == 0 && strchr(",;\t|", p[4]) &&
        strchr("\r\n", p[5])) {
        if (!r->delimiter)
            r->delimiter = p[4];
        r->at += 5;
    }
    if (!r->delimiter)
        r->delimiter = find_delimiter(r->chunk + r->at, r->end - r->at);
    return 0;
}

int csv_reader_new(struct csv_reader **out, csv_read_fn *read, void *arg,
                   const struct csv_options *options, struct errtext *e)
{
    struct csv_reader *r = xcalloc(1, sizeof(*r));

    r->read = read;
    r->arg = arg;
    r->line = 1;
    r->hash = UINT64_C(0xcbf29ce484222325);
    r->windows_1252 = options->windows_1252;
    r->delimiter = options->delimiter;
    r->lines = options->lines;
    int err = csv_init(&r->parser, OPTIONS) ? EINVAL : fill(r, e);
    if (!err && r->end == 0 && !r->nul_follows)
        err = errtext_set(e, ENODATA, 0, 0, "the file is empty");
    if (!err)
        err = look_at_beginning(r, e);
    if (err) {
        csv_reader_free(r);
        return err;
    }
    csv_set_delim(&r->parser, (unsigned char)r->delimiter);
    *out = r;
    return 0;
}

void csv_reader_free(struct csv_reader *r)
{
    if (!r)
        return;
    csv_free(&r->parser);
    free(r);
}

/* ---- records ---- */

static void begin_record(struct csv_reader *r)
{
    r->complete = r->over_long_cell = false;
    r->fault = RECORD_SOUND;
    r->fault_cell = r->n = r->text_len = 0;
}

static bool between_records(const struct csv_reader *r)
{
    return r->parser.pstate == ROW_NOT_BEGUN && r->n == 0 && r->fault == RECORD_SOUND;
}

/* Forget the row that libcsv is in. */
static void abandon_row(struct csv_reader *r)
{
    r->parser.pstate = ROW_NOT_BEGUN;
    r->parser.quoted = 0;
    r->parser.spaces = 0;
    r->parser.entry_pos = 0;
}

static void feed(struct csv_reader *r, const char *p, size_t len)
{
    while (len > 0 && !r->skipping) {
        size_t n = csv_parse(&r->parser, p, len, on_cell, on_row, r);

        p += n;
        len -= n;
        if (len == 0)
            return;
        if (r->parser.quoted) {
            set_fault(r, RECORD_STRAY_QUOTE);
            abandon_row(r);
            r->skipping = true;
            return;
        }
        csv_set_opts(&r->parser, OPTIONS & ~CSV_STRICT);
        n = csv_parse(&r->parser, p, 1, on_cell, on_row, r);
        csv_set_opts(&r->parser, OPTIONS);
        p += n;
        len -= n;
    }
}

/* A cell that will not end is cut down to nothing again and again: memory stays
 * small, and only its end makes a (faulty) cell. */
static int bound_cell(struct csv_reader *r, struct errtext *e)
{
    if (r->parser.entry_pos <= RECORD_CELL_LIMIT)
        return 0;
    if (r->parser.pstate == FIELD_BEGUN) {
        r->parser.entry_pos = 0;
        r->parser.spaces = 0;
        r->over_long_cell = true;
        return 0;
    }
    if (r->parser.entry_pos < (size_t)16 * RECORD_CELL_LIMIT)
        return 0;
    return errtext_set(e, EBADMSG, (int)r->record_line, 0,
                       "the row at line %" PRId64 " has a cell of over a megabyte: this "
                       "is no list of contacts",
                       r->record_line);
}

/* One physical line, or as much of it as the chunk holds. Returns its length;
 * *ends when its terminator is in it. */
static size_t take_line(const struct csv_reader *r, bool *ends)
{
    const char *p = r->chunk + r->at;
    size_t left = r->end - r->at;
    const char *lf = memchr(p, '\n', left);
    size_t len = lf ? (size_t)(lf - p) + 1 : left;
    const char *cr = memchr(p, '\r', len);

    *ends = lf != NULL;
    if (!cr || (lf && cr + 1 == lf))
        return len;
    *ends = true; /* a lone CR, or one whose LF is in the next chunk */
    return (size_t)(cr - p) + 1;
}

static void note_quote(struct csv_reader *r, int64_t line)
{
    bool open = r->parser.quoted && r->parser.pstate == FIELD_BEGUN;

    if (!open)
        r->quote_line = 0;
    else if (!r->quote_line)
        r->quote_line = line;
}

static bool is_blank(const struct csv_reader *r)
{
    return r->fault == RECORD_SOUND && r->text[strspn(r->text, " \t")] == '\0';
}

/* A line as it is, or a piece of it; blank lines are no records. */
static void add_line(struct csv_reader *r, const char *p, size_t len, bool ends)
{
    while (ends && len > 0 && strchr("\r\n", p[len - 1]))
        len--;
    if (r->n == 0)
        r->places[r->n++] = (struct place){0};
    struct place *place = &r->places[0];
    if (place->len + len > RECORD_ROW_LIMIT) {
        set_fault(r, RECORD_ROW_TOO_LONG);
        r->fault_cell = 0;
        len = 0;
    }
    memcpy(r->text + place->len, p, len);
    place->len += len;
    r->text[place->len] = '\0';
    bool blank = is_blank(r);
    r->complete = ends && !blank;
    if (ends && blank)
        r->n = 0;
}

static int feed_line(struct csv_reader *r, struct errtext *e)
{
    bool ends = false;
    size_t len = take_line(r, &ends);
    const char *p = r->chunk + r->at;
    bool second_half = r->after_cr && len == 1 && *p == '\n';

    r->after_cr = ends && p[len - 1] == '\r';
    if (between_records(r))
        r->record_line = r->line;
    size_t cells = r->n;
    if (r->lines)
        add_line(r, p, len, ends);
    else
        feed(r, p, len);
    /* A record that began another quoted cell on this line opened it here. */
    if (r->n != cells)
        r->quote_line = 0;
    note_quote(r, r->line);
    r->at += len;
    if (ends && r->skipping) {
        r->skipping = false;
        r->complete = true;
    }
    if (ends && !second_half)
        r->line++;
    return bound_cell(r, e);
}

static int finish(struct csv_reader *r, struct errtext *e)
{
    if (r->finished)
        return ENODATA;
    r->finished = true;
    if (r->skipping || (r->lines && r->n > 0 && !is_blank(r))) {
        r->complete = true;
        return 0;
    }
    if (r->quote_line)
        return errtext_set(e, EBADMSG, (int)r->quote_line, 0,
                           "the quote opened on line %" PRId64 " is never closed; the "
                           "file ends inside it",
                           r->quote_line);
    if (csv_fini(&r->parser, on_cell, on_row, r))
        return errtext_set(e, EBADMSG, (int)r->record_line, 0,
                           "the row at line %" PRId64 " ends inside a quoted cell",
                           r->record_line);
    return r->complete ? 0 : ENODATA;
}

int csv_reader_next(struct csv_reader *r, struct csv_record *out, struct errtext *e)
{
    begin_record(r);
    while (!r->complete) {
        int err = 0;

        if (r->at < r->end)
            err = feed_line(r, e);
        else if (!r->ended || r->nul_follows)
            err = fill(r, e);
        else
            err = finish(r, e);
        if (err)
            return err;
    }
    for (size_t i = 0; i < r->n; i++)
        r->cells[i] = (struct csv_cell){r->text + r->places[i].at, r->places[i].len};
    *out = (struct csv_record){.line = r->record_line,
                               .n = r->n,
                               .cells = r->cells,
                               .fault = r->fault,
                               .fault_cell = r->fault_cell};
    return 0;
}

struct record_position csv_reader_position(struct csv_reader *r)
{
    /* The LF of a CR LF that was read up to the CR belongs to the record. */
    if (r->after_cr && r->at < r->end && r->chunk[r->at] == '\n') {
        r->at++;
        r->after_cr = false;
    }
    hash_to(r, r->at);
    return (struct record_position){
        .bytes = r->chunk_at + (int64_t)r->at, .line = r->line, .hash = r->hash};
}

int csv_reader_skip_to(struct csv_reader *r, const struct record_position *to,
                       struct errtext *e)
{
    while (!r->nul_follows && !r->ended && r->bytes < to->bytes) {
        int err = fill(r, e);
        if (err)
            return err;
    }
    if (to->bytes < r->chunk_at + (int64_t)r->at ||
        to->bytes > r->chunk_at + (int64_t)r->end)
        return ESTALE;
    r->at = (size_t)(to->bytes - r->chunk_at);
    hash_to(r, r->at);
    r->after_cr = r->at > 0 && r->chunk[r->at - 1] == '\r';
    r->line = to->line;
    return r->hash == to->hash ? 0 : ESTALE;
}

char csv_reader_delimiter(const struct csv_reader *r)
{
    return r->delimiter;
}

int64_t csv_reader_bytes(const struct csv_reader *r)
{
    return r->bytes;
}
