/* National do-not-call lists: what is read, published, found; what is damaged. */
#include "unit/cm.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/errors.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "compliance/dnc_build.h"

static char dir[64];

static int make_dir(void **state)
{
    (void)state;
    snprintf(dir, sizeof(dir), "/tmp/furrow-dnc-XXXXXX");
    return mkdtemp(dir) ? 0 : -1;
}

static int drop_dir(void **state)
{
    char path[128];

    (void)state;
    snprintf(path, sizeof(path), "%s/us.ftc.dnc", dir);
    unlink(path);
    snprintf(path, sizeof(path), "%s/gb.tps.dnc", dir);
    unlink(path);
    return rmdir(dir); /* fails when a temporary file was left */
}

/* Bytes are fed in pieces of step. */
static int build(const char *name, const char *text, size_t step, bool changes,
                 bool force, struct dnc_build_report *r, struct errtext *e)
{
    const struct dnc_build_options o = {.dir = dir,
                                        .name = name,
                                        .source = "test",
                                        .obtained_at_ms = 1000,
                                        .changes = changes,
                                        .force = force};
    struct dnc_build *b = NULL;
    size_t len = strlen(text);

    *r = (struct dnc_build_report){0};
    *e = (struct errtext){0};
    int err = dnc_build_new(&b, &o, e);
    for (size_t at = 0; !err && at < len; at += step)
        err = dnc_build_feed(b, text + at, len - at < step ? len - at : step, e);
    if (!err)
        err = dnc_build_end_file(b, e);
    if (!err)
        err = dnc_build_publish(b, r, e);
    dnc_build_free(b);
    return err;
}

static enum list_state look(struct dnc_lists *lists, const char *name, int64_t number)
{
    static int64_t now_ms;
    struct dnc_list *l = dnc_lists_pin(lists, name, now_ms += 2000);
    enum list_state state = l ? dnc_list_look(l, number) : LIST_MISSING;

    dnc_lists_unpin(lists, l);
    return state;
}

static void every_form_of_a_number_is_read_in_any_cut(void **state)
{
    static const char text[] =
        "\xef\xbb\xbf"
        "Phone,Date\r\n2125550100\r\n12125550101\n+1 (212) 555-0102\n"
        "\"2125550103\",\"2020-01-01\"\n201,5550104\n+442079460105\n\n"
        "2125550106,x,y\n2125550107";
    struct dnc_build_report r;
    struct errtext e;

    (void)state;
    for (size_t step = 1; step < sizeof(text); step += 7) {
        assert_int_equal(build("us.ftc", text, step, false, true, &r, &e), 0);
        assert_int_equal(r.count, 8);
        assert_int_equal(r.rejected, 0);
    }
    struct dnc_lists *lists = dnc_lists_new(dir);
    static const int64_t in[] = {12125550100, 12125550101,  12125550102, 12125550103,
                                 12015550104, 442079460105, 12125550106, 12125550107};
    for (size_t i = 0; i < ARRAY_LEN(in); i++)
        assert_int_equal(look(lists, "us.ftc", in[i]), LIST_HIT);
    assert_int_equal(look(lists, "us.ftc", 12125550108), LIST_CLEAR);
    assert_int_equal(look(lists, "us.ftc", 13055550100), LIST_CLEAR); /* no such slot */
    assert_int_equal(look(lists, "us.ftc", 442079460106), LIST_CLEAR);
    assert_int_equal(look(lists, "us.other", 12125550100), LIST_MISSING);
    dnc_lists_free(lists);
}

static void national_numbers_are_read_by_the_lists_country(void **state)
{
    struct dnc_build_report r;
    struct errtext e;

    (void)state;
    assert_int_equal(
        build("gb.tps", "02079460105\n+442079460106\n", 9, false, false, &r, &e), 0);
    struct dnc_lists *lists = dnc_lists_new(dir);
    assert_int_equal(look(lists, "gb.tps", 442079460105), LIST_HIT);
    assert_int_equal(look(lists, "gb.tps", 442079460106), LIST_HIT);
    dnc_lists_free(lists);
}

static void changes_add_and_delete_on_top_of_what_is_there(void **state)
{
    struct dnc_build_report r;
    struct errtext e;

    (void)state;
    assert_int_equal(build("us.ftc", "2125550100,1,A\n", 64, true, false, &r, &e),
                     ENOENT);
    assert_int_equal(build("us.ftc", "2125550100\n2125550101\n+442079460105\n", 64, false,
                           false, &r, &e),
                     0);
    struct dnc_lists *lists = dnc_lists_new(dir);
    struct dnc_list *old = dnc_lists_pin(lists, "us.ftc", 1);
    assert_int_equal(
        build("us.ftc",
              "2125550101,2026-11-20,D\n2125550102,2026-11-20,A\n"
              "+442079460105,2026-11-20,delete\n+442079460107,2026-11-20,add\n",
              5, true, false, &r, &e),
        0);
    assert_int_equal(r.generation, 2);
    assert_int_equal(r.count, 3);
    /* Who holds the old one still sees the old one. */
    assert_int_equal(dnc_list_look(old, 12125550101), LIST_HIT);
    assert_int_equal(dnc_list_head(old)->generation, 1);
    assert_int_equal(look(lists, "us.ftc", 12125550101), LIST_CLEAR);
    assert_int_equal(look(lists, "us.ftc", 12125550102), LIST_HIT);
    assert_int_equal(look(lists, "us.ftc", 442079460105), LIST_CLEAR);
    assert_int_equal(look(lists, "us.ftc", 442079460107), LIST_HIT);
    dnc_lists_unpin(lists, old);
    dnc_lists_free(lists);
    assert_int_equal(
        build("us.ftc", "2125550101,2026-11-20,Z\n", 64, true, false, &r, &e), EPERM);
}

static void what_looks_wrong_is_not_published(void **state)
{
    struct buf many = {0};
    struct dnc_build_report r;
    struct errtext e;

    (void)state;
    for (int i = 0; i < 100; i++) {
        char line[24];
        snprintf(line, sizeof(line), "212555%04d\n", i);
        buf_puts(&many, line);
    }
    assert_int_equal(build("us.ftc", many.data, 100, false, false, &r, &e), 0);
    many.data[97 * 11] = '\0';
    assert_int_equal(build("us.ftc", many.data, 100, false, false, &r, &e), EPERM);
    assert_non_null(strstr(e.text, "shrank from 100 to 97"));
    assert_int_equal(r.before, 100);
    assert_int_equal(build("us.ftc", many.data, 100, false, true, &r, &e), 0);
    assert_int_equal(build("us.ftc", "", 1, false, false, &r, &e), EPERM);
    assert_int_equal(build("us.ftc", "<?xml version='1.0'?>\n", 3, false, true, &r, &e),
                     EINVAL);
    assert_int_equal(build("us.ftc", "PK\x03\x04\n", 3, false, true, &r, &e), EINVAL);
    assert_int_equal(build("us.ftc", "2125550100\nnonsense\n", 3, false, false, &r, &e),
                     EPERM);
    assert_int_equal(r.rejects[0].line, 2);
    assert_string_equal(r.rejects[0].text, "nonsense");
    assert_int_equal(build("../us", "2125550100\n", 3, false, false, &r, &e), EINVAL);
    buf_free(&many);
}

/* Flips a byte; the answer must never be a wrong CLEAR. */
static void a_damaged_file_calls_nobody(void **state)
{
    struct dnc_build_report r;
    struct errtext e;
    char path[128];
    struct stat st;

    (void)state;
    assert_int_equal(
        build("us.ftc", "2125550100\n+442079460105\n", 64, false, false, &r, &e), 0);
    snprintf(path, sizeof(path), "%s/us.ftc.dnc", dir);
    assert_int_equal(stat(path, &st), 0);
    for (off_t at = 0; at < st.st_size; at += at < 24000 ? 97 : 61001) {
        int fd = open(path, O_RDWR | O_CLOEXEC);
        unsigned char byte = 0;
        assert_int_equal(pread(fd, &byte, 1, at), 1);
        byte ^= 0x10;
        assert_int_equal(pwrite(fd, &byte, 1, at), 1);
        struct dnc_lists *lists = dnc_lists_new(dir);
        struct dnc_list *l = dnc_lists_pin(lists, "us.ftc", 1);
        enum list_state one = dnc_list_look(l, 12125550100);
        enum list_state other = dnc_list_look(l, 442079460105);
        assert_true(one == LIST_HIT || one == LIST_CORRUPT);
        assert_true(other == LIST_HIT || other == LIST_CORRUPT);
        assert_false(dnc_list_verify(l));
        dnc_lists_unpin(lists, l);
        dnc_lists_free(lists);
        byte ^= 0x10;
        assert_int_equal(pwrite(fd, &byte, 1, at), 1);
        close(fd);
    }
    assert_int_equal(truncate(path, st.st_size - 1), 0);
    struct dnc_lists *lists = dnc_lists_new(dir);
    assert_int_equal(look(lists, "us.ftc", 12125550100), LIST_CORRUPT);
    dnc_lists_free(lists);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, make_dir, drop_dir)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(every_form_of_a_number_is_read_in_any_cut),
        CASE(national_numbers_are_read_by_the_lists_country),
        CASE(changes_add_and_delete_on_top_of_what_is_there),
        CASE(what_looks_wrong_is_not_published),
        CASE(a_damaged_file_calls_nobody),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
