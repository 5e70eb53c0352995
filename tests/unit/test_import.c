#include "unit/cm.h"

#include <errno.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/str.h"
#include "contacts/import.h"
#include "contacts/reject_file.h"

/* A stream in memory and a sink that writes down what it is given. */
struct bench {
    const char *data;
    size_t len, at;
    struct buf seen;
    int64_t last_row, last_reject, rows, rejects;
    int fail_at_row; /* 0 never */
    int64_t records; /* by what was reached */
    struct record_position at_position;
};

static ssize_t take(void *arg, void *buf, size_t size)
{
    struct bench *b = arg;
    size_t n = b->len - b->at < size ? b->len - b->at : size;

    memcpy(buf, b->data + b->at, n);
    b->at += n;
    return (ssize_t)n;
}

static int rows(void *arg, struct import_row *r, size_t n, struct errtext *e)
{
    struct bench *b = arg;

    for (size_t i = 0; i < n; i++) {
        assert_true(r[i].line > b->last_row ||
                    (r[i].line == b->last_row && r[i].rank > 0));
        b->last_row = r[i].line;
        b->rows++;
        if (b->seen.len < 4000)
            buf_printf(&b->seen, "%" PRId64 " %" PRId64 " %s %.*s\n", r[i].line,
                       r[i].phone.e164, r[i].zones->n ? r[i].zones->names[0] : "-",
                       (int)r[i].attrs_len, r[i].attrs);
        if (b->fail_at_row && b->rows >= b->fail_at_row)
            return errtext_set(e, ENOSPC, 0, 0, "the disk is full");
    }
    return 0;
}

static int rejects(void *arg, const struct import_reject *r, size_t n, struct errtext *e)
{
    struct bench *b = arg;

    (void)e;
    for (size_t i = 0; i < n; i++) {
        assert_true(r[i].line > b->last_reject);
        assert_true(*r[i].hint);
        b->last_reject = r[i].line;
        b->rejects++;
        if (b->seen.len < 4000)
            buf_printf(&b->seen, "%" PRId64 " %s [%s] %s\n", r[i].line, r[i].column,
                       strlen(r[i].value) < 60 ? r[i].value : "…",
                       import_reason_name(r[i].reason));
    }
    return 0;
}

static int reached(void *arg, const struct record_position *at, int64_t records,
                   struct errtext *e)
{
    struct bench *b = arg;

    (void)e;
    assert_true(at->bytes > b->at_position.bytes);
    b->at_position = *at;
    b->records += records;
    return 0;
}

static const struct import_sink sink = {
    .rows = rows, .rejects = rejects, .reached = reached};
static const struct import_options ethiopia = {.region = "ET", .threads = 3};

static int run_with(struct bench *b, const struct import_options *o,
                    struct import_counts *counts, struct errtext *e)
{
    struct import *im = NULL;
    int err = import_open(&im, take, b, o, e);

    if (!err)
        err = import_run(im, &sink, b, NULL, counts, e);
    import_free(im);
    return err;
}

static void gives_every_record_once_as_row_or_reject(void **state)
{
    static const char data[] = "Name,Mobile,Village\n"
                               "Abebe,0911234567,Yirga\n"
                               "\"Say \"\"hi\"\"\",+251 922 334455,\"two\nlines\\\"\n"
                               "X,,Y\n"
                               "Y, ,Y\n"
                               "Z,\xC2\xA0"
                               "0911 23 45 68\xC2\xA0\n"
                               "short,0911,\n"
                               "long,09112345678901,\n"
                               "word,unknown,\n"
                               "sheet,9.11E+08,\n"
                               "none,0511223344,\n"
                               "land,+999123456789,\n"
                               "more,0911234569,a,b\n"
                               "fine,0911234560,a,,\n"
                               "bad\xFF,0911234561,a\n"
                               "\"q\"q,0911234562,a\n"
                               "again,+251911234567,a\n";
    struct bench b = {.data = data, .len = sizeof(data) - 1};
    struct import_counts n;
    struct errtext e = {0};

    (void)state;
    assert_int_equal(run_with(&b, &ethiopia, &n, &e), 0);
    assert_string_equal(
        b.seen.data,
        "2 251911234567 Africa/Addis_Ababa {\"name\":\"Abebe\",\"village\":\"Yirga\"}\n"
        "3 251922334455 Africa/Addis_Ababa {\"name\":\"Say \\\"hi\\\"\",\"village\":"
        "\"two\\u000alines\\\\\"}\n"
        "7 251911234568 Africa/Addis_Ababa {\"name\":\"Z\",\"village\":\"\"}\n"
        "15 251911234560 Africa/Addis_Ababa {\"name\":\"fine\",\"village\":\"a\"}\n"
        "18 251911234567 Africa/Addis_Ababa {\"name\":\"again\",\"village\":\"a\"}\n"
        "5 Mobile [] missing_phone\n"
        "6 Mobile [] missing_phone\n"
        "8 Mobile [0911] too_short\n"
        "9 Mobile [09112345678901] too_long\n"
        "10 Mobile [unknown] not_a_number\n"
        "11 Mobile [9.11E+08] not_a_number\n"
        "12 Mobile [0511223344] invalid_number\n"
        "13 Mobile [+999123456789] unknown_country\n"
        "14 beyond the header [b] too_many_columns\n"
        "16 Name [bad\xFF] bad_encoding\n"
        "17 Name [] bad_quotes\n");
    assert_int_equal(n.rows_read, 16);
    assert_int_equal(n.imported, 5);
    assert_int_equal(n.rejected, 11);
    assert_int_equal(n.by_reason[IMPORT_MISSING_PHONE], 2);
    buf_free(&b.seen);
}

static char *many(int count, size_t *len)
{
    struct buf b = {0};

    buf_puts(&b, "phone,name\n");
    for (int i = 0; i < count; i++)
        buf_printf(&b, i % 7 == 3 ? "%d,bad\n" : "09%08d,\"good, %d\"\n", i, i);
    *len = b.len;
    return buf_take(&b);
}

static void many_blocks_stay_in_order_with_several_threads(void **state)
{
    struct bench b = {0};
    struct import_counts n;
    struct errtext e = {0};
    char *data = many(20000, &b.len);

    (void)state;
    b.data = data;
    assert_int_equal(run_with(&b, &ethiopia, &n, &e), 0);
    assert_int_equal(n.rows_read, 20000);
    assert_int_equal(n.imported + n.rejected, 20000);
    assert_int_equal(b.rows, n.imported);
    assert_int_equal(b.rejects, n.rejected);
    assert_int_equal(n.bytes, b.len);
    buf_free(&b.seen);
    free(data);
}

static void a_failing_sink_ends_the_import(void **state)
{
    struct bench b = {.fail_at_row = 5000};
    struct import_counts n;
    struct errtext e = {0};
    char *data = many(60000, &b.len);

    (void)state;
    b.data = data;
    assert_int_equal(run_with(&b, &ethiopia, &n, &e), ENOSPC);
    assert_string_equal(e.text, "the disk is full");
    assert_true(n.rows_read < 60000);
    buf_free(&b.seen);
    free(data);
}

static void the_stop_flag_ends_the_import(void **state)
{
    struct bench b = {0};
    struct import_counts n;
    struct errtext e = {0};
    struct import *im = NULL;
    atomic_bool stop = true;
    char *data = many(60000, &b.len);

    (void)state;
    b.data = data;
    assert_int_equal(import_open(&im, take, &b, &ethiopia, &e), 0);
    assert_int_equal(import_run(im, &sink, &b, &stop, &n, &e), ECANCELED);
    assert_int_equal(n.rows_read, 0);
    import_free(im);
    buf_free(&b.seen);
    free(data);
}

/* Every file that cannot be taken: one message, and the line where there is one. */
static void a_bad_file_gets_one_clear_message(void **state)
{
    static const struct {
        const char *data;
        size_t len; /* 0: strlen */
        int err;
        const char *says;
    } cases[] = {
        {"", 0, ENODATA, "the file is empty"},
        {"\n\n \n", 0, ENODATA, "the file has no rows"},
        {"\xEF\xBB\xBF", 0, ENODATA, "the file has no rows"},
        {"name,town\nA,B\n", 0, EINVAL,
         "line 1 has no phone column (it has: name, town); name it with --map"},
        {"PK\x03\x04\x14\0\x06", 7, EBADMSG, "Excel workbook"},
        {"\xD0\xCF\x11\xE0\xA1", 0, EBADMSG, "old Excel workbook"},
        {"\xFF\xFEn\0a\0", 6, EINVAL, "line 1 has no phone column (it has: na)"},
        {"p\0hone", 6, EBADMSG, "line 1 has a NUL byte"},
        {"phone\n0911234567\n09\0", 20, EBADMSG, "line 3 has a NUL byte"},
        {"phone\n0911234567\n\"0911\n0911234568\n", 0, EBADMSG,
         "the quote opened on line 3 is never closed"},
        {"\"phone\n0911234567\n", 0, EBADMSG,
         "the quote opened on line 1 is never closed"},
        {"t\xE9l,x\n1,2\n", 0, EINVAL, "line 1 has no phone column (it has: tél, x)"},
        {"t\xE9l\x81,x\n1,2\n", 0, EBADMSG, "column 1 of line 1 is not UTF-8"},
        {"{\"phone\": 1}", 0, EBADMSG, "this is JSON"},
        {"<html><body>", 0, EBADMSG, "this is HTML"},
        {"Dear Sir,\nplease call my farmers.\n", 0, EINVAL, "line 1 has no phone column"},
        {"\x01\x02\x03\x04\x05\x06\x07", 0, EBADMSG, "binary"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct bench b = {.data = cases[i].data,
                          .len = cases[i].len ? cases[i].len : strlen(cases[i].data)};
        struct import_counts n;
        struct errtext e = {0};

        assert_int_equal(run_with(&b, &ethiopia, &n, &e), cases[i].err);
        if (!strstr(e.text, cases[i].says))
            fail_msg("case %zu: %s", i, e.text);
        buf_free(&b.seen);
    }
}

static void a_row_with_a_megabyte_cell_is_rejected_and_the_rest_goes_on(void **state)
{
    struct buf data = {0};
    struct bench b = {0};
    struct import_counts n;
    struct errtext e = {0};
    char *cell = malloc(1 << 20);

    (void)state;
    memset(cell, 'x', 1 << 20);
    buf_puts(&data, "phone,name\n0911234567,\"");
    buf_add(&data, cell, 1 << 20);
    buf_puts(&data, "\"\n0911234568,ok\n");
    b.data = data.data;
    b.len = data.len;
    assert_int_equal(run_with(&b, &ethiopia, &n, &e), 0);
    assert_non_null(strstr(b.seen.data, "3 251911234568"));
    assert_non_null(strstr(b.seen.data, "2 name [] cell_too_long\n"));
    assert_int_equal(n.imported, 1);
    free(cell);
    buf_free(&data);
    buf_free(&b.seen);
}

static void a_file_without_header_keeps_its_first_row(void **state)
{
    static const char data[] = "0911234567;Abebe\n0911234568;Chala\n";
    struct bench b = {.data = data, .len = sizeof(data) - 1};
    struct import_counts n;
    struct errtext e = {0};

    (void)state;
    assert_int_equal(run_with(&b, &ethiopia, &n, &e), 0);
    assert_int_equal(n.imported, 2);
    assert_non_null(strstr(b.seen.data, "1 251911234567 Africa/Addis_Ababa "
                                        "{\"column_2\":\"Abebe\"}"));
    buf_free(&b.seen);
}

/* What an import sees of a text, rows before rejects. */
static char *seen_of(const char *data, size_t len, const struct import_options *o,
                     struct import_counts *n)
{
    struct bench b = {.data = data, .len = len};
    struct errtext e = {0};

    if (run_with(&b, o, n, &e))
        fail_msg("%s", e.text);
    return buf_take(&b.seen);
}

/* UTF-16 of a text, with or without its mark; *len in bytes. */
static char *utf16(const uint16_t *units, bool little, bool mark, size_t *len)
{
    struct buf b = {0};

    if (mark)
        buf_add(&b, little ? "\xFF\xFE" : "\xFE\xFF", 2);
    for (; *units; units++) {
        const char pair[2] = {(char)(little ? *units & 0xFF : *units >> 8),
                              (char)(little ? *units >> 8 : *units & 0xFF)};
        buf_add(&b, pair, 2);
    }
    *len = b.len;
    return buf_take(&b);
}

static void expect_jose(const char *data, size_t len, const char *encoding, bool guess)
{
    struct bench b = {.data = data, .len = len};
    struct import *im = NULL;
    struct import_counts n;
    struct errtext e = {0};

    if (import_open(&im, take, &b, &ethiopia, &e))
        fail_msg("%s: %s", encoding, e.text);
    assert_string_equal(text_encoding_name(import_form(im).encoding), encoding);
    assert_int_equal(import_form(im).encoding_is_guess, guess);
    assert_int_equal(import_run(im, &sink, &b, NULL, &n, &e), 0);
    assert_string_equal(b.seen.data, "2 251911234567 Africa/Addis_Ababa "
                                     "{\"nom\":\"José 😀\"}\n");
    import_free(im);
    buf_free(&b.seen);
}

static void reads_utf_16_without_being_told(void **state)
{
    static const uint16_t text[] = u"phone,nom\n0911234567,José 😀\n";

    (void)state;
    for (int i = 0; i < 4; i++) {
        bool little = i % 2, mark = i / 2;
        size_t len = 0;
        char *data = utf16(text, little, mark, &len);

        expect_jose(data, len, little ? "UTF-16 LE" : "UTF-16 BE", !mark);
        free(data);
    }
}

static void finds_windows_1252_by_its_bytes(void **state)
{
    static const char utf8[] = "phone,nom\n0911234567,José 😀\n";
    static const char marked[] = "\xEF\xBB\xBFphone,nom\n0911234567,José 😀\n";
    static const char old[] = "phone,nom\n0911234567,Jos\xE9\n";
    static const struct import_options said = {
        .region = "ET", .encoding = TEXT_UTF8, .threads = 1};
    struct import_counts n;

    (void)state;
    expect_jose(utf8, sizeof(utf8) - 1, "UTF-8", true);
    expect_jose(marked, sizeof(marked) - 1, "UTF-8", false);
    char *seen = seen_of(old, sizeof(old) - 1, &ethiopia, &n);
    assert_string_equal(seen, "2 251911234567 Africa/Addis_Ababa {\"nom\":\"José\"}\n");
    free(seen);
    seen = seen_of(old, sizeof(old) - 1, &said, &n);
    assert_string_equal(seen, "2 nom [Jos\xE9] bad_encoding\n");
    free(seen);
}

static void several_numbers_of_a_row_are_one_person(void **state)
{
    static const char data[] = "id,mobile,home,name\n"
                               "7,0911234567,0111234567,Abebe\n"
                               "8,bad,0911234568,Chala\n"
                               "9,,,Nobody\n"
                               "10,0911234569,0911 23 45 69,Same\n";
    static const struct column_map maps[] = {
        {"phone", "mobile"}, {"phone2", "home"}, {COLUMN_PERSON, "id"}};
    const struct import_options o = {
        .region = "ET", .maps = maps, .map_count = 3, .threads = 1};
    struct import_counts n;
    char *seen = seen_of(data, sizeof(data) - 1, &o, &n);

    (void)state;
    assert_string_equal(
        seen, "2 251911234567 Africa/Addis_Ababa {\"id\":\"7\",\"name\":\"Abebe\"}\n"
              "2 251111234567 Africa/Addis_Ababa {\"id\":\"7\",\"name\":\"Abebe\"}\n"
              "3 251911234568 Africa/Addis_Ababa {\"id\":\"8\",\"name\":\"Chala\"}\n"
              "5 251911234569 Africa/Addis_Ababa {\"id\":\"10\",\"name\":\"Same\"}\n"
              "3 mobile [bad] not_a_number\n"
              "4 mobile [] missing_phone\n");
    assert_int_equal(n.rows_read, 4);
    assert_int_equal(n.imported, 4);
    assert_int_equal(n.rejected, 2);
    free(seen);
}

static void json_lines_are_rows_too(void **state)
{
    static const char data[] =
        "{\"Phone\": \"0911234567\", \"Name\": \"Abebe \\\"A\\\"\", \"age\": 41}\n"
        "\n"
        "{\"Phone\": 251911234568, \"Name\": null, \"Crop \": [1, true], \"ok\": true}\n"
        "{\"Phone\": \"0911\"}\n"
        "[1]\n"
        "{\"Phone\": \"0911234569\", \"Phone\": \"1\"}\n"
        "{\"Name\": \"none\"}\n"
        "{\"Phone\":\"0911234560\"}";
    const struct import_options o = {.region = "ET", .json_lines = true, .threads = 2};
    struct import_counts n;
    char *seen = seen_of(data, sizeof(data) - 1, &o, &n);

    (void)state;
    assert_string_equal(
        seen, "1 251911234567 Africa/Addis_Ababa "
              "{\"age\":\"41\",\"name\":\"Abebe \\\"A\\\"\"}\n"
              "3 251911234568 Africa/Addis_Ababa "
              "{\"age\":\"\",\"name\":\"\",\"crop\":\"[1,true]\",\"ok\":\"true\"}\n"
              "8 251911234560 Africa/Addis_Ababa {\"age\":\"\",\"name\":\"\"}\n"
              "4 Phone [0911] too_short\n"
              "5 Phone [[1]] bad_json\n"
              "6 Phone [{\"Phone\": \"0911234569\", \"Phone\": \"1\"}] bad_json\n"
              "7 Phone [] missing_phone\n");
    assert_int_equal(n.rows_read, 7);
    free(seen);
}

/* Cut off after any block it goes on as if nothing had been. */
static void goes_on_where_it_was(void **state)
{
    struct bench whole = {0}, rest = {0}, changed = {0};
    struct import_counts n, m;
    struct errtext e = {0};
    struct import *im = NULL;
    char *data = many(9000, &whole.len);

    (void)state;
    whole.data = rest.data = data;
    rest.len = changed.len = whole.len;
    assert_int_equal(run_with(&whole, &ethiopia, &n, &e), 0);
    assert_int_equal(whole.records, 9000);
    assert_int_equal(whole.at_position.bytes, whole.len);
    /* A position in the middle, found by reading as far as one block goes. */
    struct csv_reader *r = NULL;
    struct csv_record record;
    assert_int_equal(csv_reader_new(&r, take, &rest, &(struct csv_options){0}, &e), 0);
    for (int i = 0; i < 5001; i++)
        assert_int_equal(csv_reader_next(r, &record, &e), 0);
    struct record_position at = csv_reader_position(r);
    csv_reader_free(r);
    assert_int_equal(at.line, 5002);
    rest.at = 0;
    assert_int_equal(import_open(&im, take, &rest, &ethiopia, &e), 0);
    assert_int_equal(import_skip_to(im, &at, &e), 0);
    rest.last_row = rest.last_reject = at.line - 1;
    assert_int_equal(import_run(im, &sink, &rest, NULL, &m, &e), 0);
    assert_int_equal(m.rows_read, 4000);
    assert_int_equal(rest.at_position.hash, whole.at_position.hash);
    import_free(im);
    /* One byte before the place is another: it is not the same file. */
    data[at.bytes / 2] ^= 1;
    changed.data = data;
    assert_int_equal(import_open(&im, take, &changed, &ethiopia, &e), 0);
    assert_int_equal(import_skip_to(im, &at, &e), ESTALE);
    import_free(im);
    buf_free(&whole.seen);
    buf_free(&rest.seen);
    free(data);
}

static char *slurp(const char *path)
{
    static char text[2000];
    FILE *f = fopen(path, "r");

    assert_non_null(f);
    text[fread(text, 1, sizeof(text) - 1, f)] = '\0';
    fclose(f);
    return text;
}

static void the_reject_file_is_sound_csv_without_formulas(void **state)
{
    static const struct import_reject r[] = {
        {2, "Mobile", "0911", IMPORT_TOO_SHORT, "digits, missing"},
        {3, "Mobile", "=cmd|' /C calc'!A0", IMPORT_NOT_A_NUMBER, "x"},
        {4, "Mobile", "+251 91", IMPORT_TOO_SHORT, "x"},
        {5, "a\"b", "bad\xFF", IMPORT_BAD_ENCODING, "x"},
        {6, "Mobile", "--", IMPORT_NOT_A_NUMBER, "x"},
    };
    char path[] = "/tmp/test-rejects-XXXXXX";
    struct reject_file *f = NULL;
    struct errtext e = {0};

    (void)state;
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(reject_file_open(&f, path, &e), 0);
    assert_int_equal(reject_file_add(f, r, 5, &e), 0);
    /* Until it is finished the path has what it had. */
    assert_string_equal(slurp(path), "");
    assert_int_equal(reject_file_sync(f, &e), 0);
    assert_int_equal(reject_file_finish(f, &e), 0);
    assert_string_equal(slurp(path), "line,column,value,reason,hint\n"
                                     "2,Mobile,0911,too_short,\"digits, missing\"\n"
                                     "3,Mobile,\"'=cmd|' /C calc'!A0\",not_a_number,x\n"
                                     "4,Mobile,+251 91,too_short,x\n"
                                     "5,\"a\"\"b\",bad?,bad_encoding,x\n"
                                     "6,Mobile,\"'--\",not_a_number,x\n");
    remove(path);
    close(fd);
    assert_int_equal(reject_file_open(&f, "/nonexistent/r.csv", &e), ENOENT);
    assert_int_equal(reject_file_open(&f, "/dev/full", &e), 0);
    assert_int_equal(reject_file_add(f, r, 5, &e), 0);
    assert_int_equal(reject_file_sync(f, &e), ENOSPC);
    reject_file_abandon(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_every_record_once_as_row_or_reject),
        cmocka_unit_test(many_blocks_stay_in_order_with_several_threads),
        cmocka_unit_test(a_failing_sink_ends_the_import),
        cmocka_unit_test(the_stop_flag_ends_the_import),
        cmocka_unit_test(a_bad_file_gets_one_clear_message),
        cmocka_unit_test(a_row_with_a_megabyte_cell_is_rejected_and_the_rest_goes_on),
        cmocka_unit_test(a_file_without_header_keeps_its_first_row),
        cmocka_unit_test(reads_utf_16_without_being_told),
        cmocka_unit_test(finds_windows_1252_by_its_bytes),
        cmocka_unit_test(several_numbers_of_a_row_are_one_person),
        cmocka_unit_test(json_lines_are_rows_too),
        cmocka_unit_test(goes_on_where_it_was),
        cmocka_unit_test(the_reject_file_is_sound_csv_without_formulas),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
