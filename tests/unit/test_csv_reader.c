#include "unit/cm.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "contacts/csv_reader.h"

struct source {
    const char *data;
    size_t len, at;
    int fail_after; /* -1 never */
};

static ssize_t take(void *arg, void *buf, size_t size)
{
    struct source *s = arg;
    size_t n = s->len - s->at < size ? s->len - s->at : size;

    if (s->fail_after == 0) {
        errno = EIO;
        return -1;
    }
    memcpy(buf, s->data + s->at, n);
    s->at += n;
    s->fail_after -= s->fail_after > 0;
    return (ssize_t)n;
}

/* All records as "line:a|b;fault cell…\n", then the error when there is one. */
static char *read_all(const char *data, size_t len, const struct csv_options *o)
{
    struct source s = {.data = data, .len = len, .fail_after = -1};
    struct csv_reader *r = NULL;
    struct csv_record rec;
    struct errtext e = {0};
    struct buf b = {0};

    int err = csv_reader_new(&r, take, &s, o, &e);
    while (!err && (err = csv_reader_next(r, &rec, &e)) == 0) {
        buf_printf(&b, "%d:", (int)rec.line);
        for (size_t i = 0; i < rec.n; i++) {
            assert_int_equal(strlen(rec.cells[i].text), rec.cells[i].len);
            buf_printf(&b, "%s%s", i ? "|" : "",
                       rec.cells[i].len < 100 ? rec.cells[i].text : "…");
        }
        if (rec.fault)
            buf_printf(&b, " fault %d cell %d", (int)rec.fault, (int)rec.fault_cell);
        buf_puts(&b, "\n");
    }
    if (*e.text)
        buf_printf(&b, "error %d: %s\n", e.line, e.text);
    csv_reader_free(r);
    return buf_take(&b);
}

static void expect(const char *data, const char *records)
{
    char *found = read_all(data, strlen(data), &(struct csv_options){0});

    assert_string_equal(found, records);
    free(found);
}

static void reads_plain_quoted_and_messy_records(void **state)
{
    (void)state;
    expect("a,b\n1,2\n", "1:a|b\n2:1|2\n");
    expect("a,b\r\n1,2\r\n\r\n3,4", "1:a|b\n2:1|2\n4:3|4\n");
    expect("a,b\r1,2\r3,4\r", "1:a|b\n2:1|2\n3:3|4\n");
    expect("\xEF\xBB\xBF"
           "a,b\n1,2\n",
           "1:a|b\n2:1|2\n");
    expect("a,b\n\"x, y\",\"say \"\"hi\"\"\"\n", "1:a|b\n2:x, y|say \"hi\"\n");
    expect("a,b\n  1 ,\t2  \n", "1:a|b\n2:1|2\n");
    expect("a,b\n,\n", "1:a|b\n2:|\n");
    expect("a,b\n1\n1,2,3\n", "1:a|b\n2:1\n3:1|2|3\n");
    expect("a,b\n5\" pipe,2\n", "1:a|b\n2:5\" pipe|2\n");
    expect("a;b\n1,5;2\n", "1:a|b\n2:1,5|2\n");
    expect("a\tb\n1\t2\n", "1:a|b\n2:1|2\n");
    expect("a|b\n1|2\n", "1:a|b\n2:1|2\n");
    expect("sep=;\r\na;b\r\n1;2\r\n", "2:a|b\n3:1|2\n");
    expect("phone\n1\n\n\n2\n", "1:phone\n2:1\n5:2\n");
    expect("\"a\nb\",c\n1,2\n", "1:a\nb|c\n3:1|2\n");
}

static void names_the_line_a_record_begins_on(void **state)
{
    (void)state;
    expect("a,b\n1,\"x\ny\r\nz\"\n2,w\n\n\"p\nq\",\"r\ns\"\n3,t\n",
           "1:a|b\n2:1|x\ny\r\nz\n5:2|w\n7:p\nq|r\ns\n10:3|t\n");
}

static void an_unclosed_quote_is_named_by_the_line_that_opened_it(void **state)
{
    static const char text[] =
        "error 3: the quote opened on line 3 is never closed; the file ends inside it\n";
    char expected[300];

    (void)state;
    snprintf(expected, sizeof(expected), "1:a,b\n2:1,2\n%s", text);
    for (char *p = expected; p < expected + 12; p++)
        *p = *p == ',' ? '|' : *p;
    expect("a,b\n1,2\n3,\"x\n4,5\n6,7\n", expected);
    /* One that closes and opens again on the same line counts from there. */
    expect("a,b\n1,2\n\"x\",\"y\n4,5\n", expected);
    expect("a,b\n\"p\nq\",\"r\n4,5\n",
           "1:a|b\nerror 3: the quote opened on line 3 is never closed; the file ends "
           "inside it\n");
}

static void text_after_a_closing_quote_costs_its_line_only(void **state)
{
    (void)state;
    expect("a,b\n1,\"x\" y,z\n2,w\n", "1:a|b\n2:1 fault 4 cell 1\n3:2|w\n");
    expect("a,b\n1,\"x\"y", "1:a|b\n2:1 fault 4 cell 1\n");
}

static char *repeat(const char *head, char c, size_t n, const char *tail, size_t *len)
{
    struct buf b = {0};
    char *fill = malloc(n);

    memset(fill, c, n);
    buf_puts(&b, head);
    buf_add(&b, fill, n);
    buf_puts(&b, tail);
    free(fill);
    *len = b.len;
    return buf_take(&b);
}

static void expect_long(const char *head, char c, size_t n, const char *tail,
                        const char *records)
{
    size_t len = 0;
    char *data = repeat(head, c, n, tail, &len);
    char *found = read_all(data, len, &(struct csv_options){0});

    assert_string_equal(found, records);
    free(found);
    free(data);
}

static void cells_and_rows_over_the_limits_are_faults_of_their_row(void **state)
{
    struct buf wide = {0};
    char *found = NULL;

    (void)state;
    expect_long("a,b\n1,", 'x', 1 << 20, "\n2,3\n",
                "1:a|b\n2:1| fault 1 cell 1\n3:2|3\n");
    expect_long("a,b\n1,\"", 'x', 1 << 20, "\"\n2,3\n",
                "1:a|b\n2:1| fault 1 cell 1\n3:2|3\n");
    expect_long("a,b\n1,\"", '\n', 1 << 20, "\"\n2,3\n",
                "1:a|b\n2:1| fault 1 cell 1\n1048579:2|3\n");
    expect_long(
        "a,b\n1,\"x\"", ' ', 3 << 20, "\n2,3\n",
        "1:a|b\nerror 2: the row at line 2 has a cell of over a megabyte: this is "
        "no list of contacts\n");
    buf_puts(&wide, "a,b\n");
    for (int i = 0; i < 3000; i++)
        buf_puts(&wide, "1,");
    buf_puts(&wide, "\n2,3\n");
    found = read_all(wide.data, wide.len, &(struct csv_options){0});
    assert_non_null(strstr(found, "fault 3 cell 1000\n3:2|3\n"));
    free(found);
    wide.len = 0;
    buf_puts(&wide, "a,b\n");
    for (int i = 0; i < 30; i++)
        buf_printf(&wide, "%020000d,", i);
    buf_puts(&wide, "\n2,3\n");
    found = read_all(wide.data, wide.len, &(struct csv_options){0});
    assert_non_null(strstr(found, "fault 2 cell 13\n3:2|3\n"));
    free(found);
    buf_free(&wide);
}

static void what_is_no_csv_is_refused_with_advice(void **state)
{
    static const struct {
        const char *data;
        size_t len;
        const char *says;
    } cases[] = {
        {"", 0, "the file is empty"},
        {"PK\x03\x04xxxx", 8, "Excel workbook"},
        {"\xD0\xCF\x11\xE0xxxx", 8, "old Excel workbook"},
        {"\xFF\xFE"
         "a\0,\0",
         6, "UTF-16"},
        {"\xFE\xFF\0a\0,", 6, "UTF-16"},
        {"a\0,\0b\0\n\0", 8, "line 1 has a NUL byte"},
        {"a,b\n1,2\n3,\0\n", 12, "line 3 has a NUL byte"},
        {"\x1F\x8B\x08", 3, "gzip"},
        {"%PDF-1.7", 8, "PDF"},
        {"<html>", 6, "HTML"},
        {"{\"a\":1}", 7, "JSON"},
        {"\x01\x02\x03\x04\x05\x06", 6, "binary"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char *found = read_all(cases[i].data, cases[i].len, &(struct csv_options){0});

        if (!strstr(found, cases[i].says))
            fail_msg("case %zu: %s", i, found);
        free(found);
    }
}

static void windows_1252_becomes_utf8_only_when_asked(void **state)
{
    static const char data[] = "name,x\nJos\xE9,\x80 5\n";
    char *found =
        read_all(data, sizeof(data) - 1, &(struct csv_options){.windows_1252 = true});

    (void)state;
    assert_string_equal(found, "1:name|x\n2:Jos\xC3\xA9|\xE2\x82\xAC 5\n");
    free(found);
    expect(data, "1:name|x\n2:Jos\xE9|\x80 5\n");
}

static void a_failing_disk_is_reported_with_the_line(void **state)
{
    struct source s = {.data = "a,b\n", .len = 4, .fail_after = 0};
    struct csv_reader *r = NULL;
    struct errtext e = {0};

    (void)state;
    assert_int_equal(csv_reader_new(&r, take, &s, &(struct csv_options){0}, &e), EIO);
    assert_non_null(strstr(e.text, "reading failed at line 1"));
    assert_null(r);
}

static void a_chunk_may_end_anywhere(void **state)
{
    /* Records of every length around the chunk size, CRLF split over two chunks. */
    (void)state;
    for (size_t pad = 65500; pad < 65545; pad++) {
        struct buf b = {0};
        char *found = NULL, tail[40];

        buf_puts(&b, "a,b\r\n");
        while (b.len < pad - 20)
            buf_puts(&b, "1,2\r\n");
        int lines = (int)((b.len - 5) / 5) + 1;
        buf_printf(&b, "%0*d,\"x\r\ny\"\r\n7,8\r\n", (int)(pad - b.len), 0);
        found = read_all(b.data, b.len, &(struct csv_options){0});
        snprintf(tail, sizeof(tail), "|x\r\ny\n%d:7|8\n", lines + 3);
        if (!strstr(found, tail))
            fail_msg("pad %zu: …%s instead of %s", pad, found + strlen(found) - 40, tail);
        free(found);
        buf_free(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_plain_quoted_and_messy_records),
        cmocka_unit_test(names_the_line_a_record_begins_on),
        cmocka_unit_test(an_unclosed_quote_is_named_by_the_line_that_opened_it),
        cmocka_unit_test(text_after_a_closing_quote_costs_its_line_only),
        cmocka_unit_test(cells_and_rows_over_the_limits_are_faults_of_their_row),
        cmocka_unit_test(what_is_no_csv_is_refused_with_advice),
        cmocka_unit_test(windows_1252_becomes_utf8_only_when_asked),
        cmocka_unit_test(a_failing_disk_is_reported_with_the_line),
        cmocka_unit_test(a_chunk_may_end_anywhere),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
