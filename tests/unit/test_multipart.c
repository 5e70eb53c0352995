/* base/multipart: the parts of an upload. */
#include "unit/cm.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/attrs.h"
#include "base/multipart.h"

static void boundaries_are_read_as_clients_write_them(void **state)
{
    static const struct {
        const char *type, *boundary;
        int err;
    } cases[] = {
        {"multipart/form-data; boundary=abc", "abc", 0},
        {"Multipart/Form-Data;charset=utf-8; Boundary=\"a:b\"", "a:b", 0},
        {"multipart/form-data; boundary=----WebKitFormBoundary7MA4YWxkTrZu0gW;",
         "----WebKitFormBoundary7MA4YWxkTrZu0gW", 0},
        {"multipart/form-data", NULL, EBADMSG},
        {"multipart/form-data; boundary=", NULL, EBADMSG},
        {"multipart/form-data; boundary=\"a b\"", NULL, EBADMSG},
        {"multipart/form-data; boundary=\"a", NULL, EBADMSG},
        {"multipart/form-data; boundary="
         "12345678901234567890123456789012345678901234567890123456789012345678901",
         NULL, EBADMSG},
        {"multipart/mixed; boundary=abc", NULL, EINVAL},
        {"multipart/form-databoundary=abc", NULL, EINVAL},
        {"application/json", NULL, EINVAL},
        {"", NULL, EINVAL},
    };
    char boundary[MULTIPART_BOUNDARY_MAX];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        assert_int_equal(multipart_boundary(cases[i].type, boundary), cases[i].err);
        if (cases[i].boundary)
            assert_string_equal(boundary, cases[i].boundary);
    }
}

static struct multipart m;

static int read_it(const char *body, size_t len)
{
    struct errtext e = {0};
    char *own = malloc(len ? len : 1); /* its own, so that a byte too far is seen */

    memcpy(own, body, len);
    int err = multipart_read(&m, "b1", own, len, &e);
    assert_int_equal(err != 0, e.text[0] != '\0');
    for (size_t i = 0; !err && i < m.n; i++) /* into the text that stays */
        m.parts[i].data = body + (m.parts[i].data - own);
    free(own);
    return err;
}

#define FILE_PART                                                                        \
    "--b1\r\nContent-Disposition: form-data; name=\"file\"; filename=\"C:\\farm\\a "     \
    "\\\"1\\\".wav\"\r\nContent-Type: audio/wav\r\n\r\n\0\r\n--b\r\n--b2\xff\r\n"

static void a_file_keeps_every_byte(void **state)
{
    static const char body[] =
        "preamble\r\n" FILE_PART
        "--b1 \t\r\ncontent-disposition:form-data;name=language\r\n\r\nam\r\n"
        "--b1\r\nContent-Disposition: form-data; name=\"none\"\r\n\r\n\r\n"
        "--b1--\r\nepilogue";

    (void)state;
    assert_int_equal(read_it(body, sizeof(body) - 1), 0);
    assert_int_equal(m.n, 3);
    const struct multipart_part *file = multipart_find(&m, "file");
    assert_true(file->is_file);
    assert_string_equal(file->filename, "C:\\farm\\a \"1\".wav");
    assert_int_equal(file->len, 13);
    assert_memory_equal(file->data, "\0\r\n--b\r\n--b2\xff", 13);
    const struct multipart_part *language = multipart_find(&m, "language");
    assert_false(language->is_file);
    assert_int_equal(language->len, 2);
    assert_memory_equal(language->data, "am", 2);
    assert_int_equal(multipart_find(&m, "none")->len, 0);
    assert_null(multipart_find(&m, "File"));
}

static void every_cut_is_refused(void **state)
{
    static const char body[] = FILE_PART "--b1--";

    (void)state;
    assert_int_equal(read_it(body, sizeof(body) - 1), 0);
    for (size_t len = 0; len + 1 < sizeof(body); len++)
        assert_int_equal(read_it(body, len), EBADMSG);
}

static void what_is_no_form_is_refused(void **state)
{
    static const char *const bodies[] = {
        "--b1\r\n\r\nno name\r\n--b1--",
        "--b1\r\nContent-Type: a/b\r\n\r\nx\r\n--b1--",
        "--b1\r\nContent-Disposition: attachment; name=\"a\"\r\n\r\nx\r\n--b1--",
        "--b1\r\nContent-Disposition: form-data; filename=\"a\"\r\n\r\nx\r\n--b1--",
        "--b1\r\nContent-Disposition: form-data; name=\"a\r\n\r\nx\r\n--b1--",
        "--b1\r\nContent-Disposition: form-data; name=\"a\"\r\nContent-Disposition: "
        "form-data; name=\"b\"\r\n\r\nx\r\n--b1--",
        "--b1\r\nno header\r\nContent-Disposition: form-data; name=a\r\n\r\nx\r\n--b1--",
        "--b1x\r\nContent-Disposition: form-data; name=a\r\n\r\nx\r\n--b1--",
        "{\"file\": \"x\"}",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bodies); i++)
        assert_int_equal(read_it(bodies[i], strlen(bodies[i])), EBADMSG);
}

static void parts_are_counted(void **state)
{
    static const char part[] =
        "--b1\r\nContent-Disposition: form-data; name=a\r\n\r\nx\r\n";
    char body[64 * (MULTIPART_PARTS_MAX + 2)] = "";

    (void)state;
    for (int i = 0; i < MULTIPART_PARTS_MAX + 1; i++)
        memcpy(body + strlen(body), part, sizeof(part));
    memcpy(body + strlen(body), "--b1--", sizeof("--b1--"));
    assert_int_equal(read_it(body, strlen(body)), E2BIG);
    assert_int_equal(read_it(body + strlen(part), strlen(body + strlen(part))), 0);
    assert_int_equal(m.n, MULTIPART_PARTS_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(boundaries_are_read_as_clients_write_them),
        cmocka_unit_test(a_file_keeps_every_byte),
        cmocka_unit_test(every_cut_is_refused),
        cmocka_unit_test(what_is_no_form_is_refused),
        cmocka_unit_test(parts_are_counted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
