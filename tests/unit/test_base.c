/* base: strings, clock, uuid, config, errors - what needs nothing but a compiler. */
#include "unit/cm.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/config.h"
#include "base/files.h"
#include "base/latency.h"
#include "base/log.h"
#include "base/proc.h"
#include "base/redis.h"
#include "base/sha256.h"
#include "base/str.h"
#include "base/uuid.h"

static void copies_only_what_fits(void **state)
{
    char small[4];

    (void)state;
    assert_int_equal(str_copy(small, sizeof(small), "abc"), 0);
    assert_string_equal(small, "abc");
    assert_int_equal(str_copy(small, sizeof(small), "abcd"), EMSGSIZE);
    assert_string_equal(small, "");
}

static void reads_whole_numbers_only(void **state)
{
    static const char *const bad[] = {"", " 1", "1 ", "1x", "0x1", "99999999999999999999",
                                      "-"};
    int64_t v = 7;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_false(str_to_i64(bad[i], &v));
    assert_int_equal(v, 7);
    assert_true(str_to_i64("-42", &v));
    assert_int_equal(v, -42);
}

static void hides_all_but_three_digits(void **state)
{
    char text[PHONE_TEXT_MAX];

    (void)state;
    assert_string_equal(phone_mask(251911234567, text), "+*********567");
    assert_string_equal(phone_text(251911234567, text), "+251911234567");
}

static void knows_utf8(void **state)
{
    (void)state;
    assert_true(str_is_utf8("ሰላም é 😀", strlen("ሰላም é 😀")));
    assert_false(str_is_utf8("\xe9t\xe9", 3));        /* Windows-1252 */
    assert_false(str_is_utf8("\xc0\x80", 2));         /* overlong */
    assert_false(str_is_utf8("\xed\xa0\x80", 3));     /* surrogate */
    assert_false(str_is_utf8("\xf4\x90\x80\x80", 4)); /* above U+10FFFF */
    assert_false(str_is_utf8("\xe1\x88", 2));         /* cut off */
}

static void escapes_what_came_from_outside(void **state)
{
    char out[64];

    (void)state;
    assert_string_equal(log_esc("a\nb\"c", out, sizeof(out)), "\"a\\x0ab\\\"c\"");
}

static void parses_instants_with_offsets(void **state)
{
    static const struct {
        const char *text;
        int64_t ms;
    } good[] = {
        {"1970-01-01T00:00:00Z", 0},
        {"2026-11-24T08:00:00+03:00", 1795496400000},
        {"2026-11-24T05:00:00.250Z", 1795496400250},
        {"2026-11-24 05:00Z", 1795496400000},
    };
    static const char *const bad[] = {"",
                                      "2026-11-24",
                                      "2026-11-24T08:00:00",
                                      "2026-13-01T00:00Z",
                                      "2026-02-30T00:00:00Z",
                                      "2026-11-24T08:00:00+3:00",
                                      "2026-11-24T08:00:00Zx"};
    int64_t ms = 0;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        assert_int_equal(clock_parse(good[i].text, &ms), 0);
        assert_int_equal(ms, good[i].ms);
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_int_equal(clock_parse(bad[i], &ms), EBADMSG);
}

static void a_virtual_clock_starts_where_told_and_runs_faster(void **state)
{
    struct errtext e = {0};
    int64_t start = 0;

    (void)state;
    assert_int_equal(clock_init("2026-11-24T06:00:00Z@1000", &e), 0);
    assert_int_equal(clock_parse("2026-11-24T06:00:00Z", &start), 0);
    assert_true(clock_is_virtual());
    int64_t t = clock_now_ms();
    assert_in_range(t - start, 0, 60000);
    assert_int_equal(clock_real_delay_ms(5000), 5);
    assert_int_equal(clock_real_delay_ms(1), 1);
    assert_int_equal(clock_init("tomorrow@1", &e), EINVAL);
    assert_non_null(strstr(e.text, "RFC 3339"));
    assert_int_equal(clock_init("real", NULL), 0);
    assert_false(clock_is_virtual());
}

static void uuids_carry_their_time_and_sort_by_it(void **state)
{
    char a[UUID_TEXT_MAX], b[UUID_TEXT_MAX];
    struct uuid back;

    (void)state;
    struct uuid first = uuid_v7(1795496400000), later = uuid_v7(1795496400001);
    assert_int_equal(uuid_ms(&first), 1795496400000);
    assert_true(strcmp(uuid_text(&first, a), uuid_text(&later, b)) < 0);
    assert_int_equal(a[14], '7');
    assert_non_null(strchr("89ab", a[19]));
    assert_int_equal(uuid_parse(a, &back), 0);
    assert_memory_equal(&back, &first, sizeof(back));
    assert_int_equal(uuid_parse("nonsense", &back), EBADMSG);
}

struct sample {
    char name[8];
    int64_t count;
    bool fast;
    char mode[8];
    char key[16];
};

static const struct config_option sample_options[] = {
    {.name = "name",
     .type = CONFIG_TEXT,
     CONFIG_FIELD_AT(struct sample, name),
     .initial = "x",
     .help = "A name."},
    {.name = "count",
     .type = CONFIG_INT,
     CONFIG_FIELD_AT(struct sample, count),
     .min = 1,
     .max = 9,
     .initial = "3",
     .help = "A count."},
    {.name = "fast",
     .type = CONFIG_BOOL,
     CONFIG_FIELD_AT(struct sample, fast),
     .initial = "false",
     .help = "A flag."},
    {.name = "mode",
     .type = CONFIG_CHOICE,
     CONFIG_FIELD_AT(struct sample, mode),
     .choices = "a|bc",
     .initial = "a",
     .help = "A choice."},
    {.name = "key",
     .type = CONFIG_TEXT,
     CONFIG_FIELD_AT(struct sample, key),
     .initial = "",
     .secret = true,
     .env = "SAMPLE_KEY",
     .help = "A secret."},
};

static const struct config_table sample_table = {.program = "sample",
                                                 .options = sample_options,
                                                 .count = ARRAY_LEN(sample_options),
                                                 .struct_size = sizeof(struct sample)};

static int load_text(const char *text, struct sample *out, struct errtext *e)
{
    char path[] = "/tmp/furrow-config-XXXXXX";
    int fd = mkstemp(path);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
    int err = config_load(&sample_table, path, out, e);
    unlink(path);
    return err;
}

static void configuration_comes_from_defaults_file_and_environment(void **state)
{
    struct sample s = {0};
    struct errtext e = {0};

    (void)state;
    setenv("SAMPLE_KEY", "hush", 1);
    setenv("FURROW_FAST", "yes", 1);
    assert_int_equal(load_text("# hello\n count = 5 \n\nmode=bc\n", &s, &e), 0);
    unsetenv("SAMPLE_KEY");
    unsetenv("FURROW_FAST");
    assert_string_equal(s.name, "x");
    assert_int_equal(s.count, 5);
    assert_true(s.fast);
    assert_string_equal(s.mode, "bc");
    assert_string_equal(s.key, "hush");

    char shown[512] = "";
    FILE *f = fmemopen(shown, sizeof(shown), "w");
    config_show(&sample_table, &s, f);
    fclose(f);
    assert_non_null(strstr(shown, "key = (set)"));
    assert_null(strstr(shown, "hush"));
}

static void passwords_inside_addresses_are_not_shown(void **state)
{
    static const struct config_option options[] = {
        {.name = "url", .type = CONFIG_TEXT, .size = 64}};
    static const struct config_table table = {
        .program = "sample", .options = options, .count = 1, .struct_size = 64};
    static const char *const cases[][2] = {
        {"http://me:hu@sh@host:80/x", "url = http://me:(set)@host:80/x\n"},
        {"http://:hush@host", "url = http://:(set)@host\n"},
        {"http://host:80/a:b@c", "url = http://host:80/a:b@c\n"},
        {"http://me@host", "url = http://me@host\n"},
        {"plain", "url = plain\n"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char shown[128] = "", value[64];
        snprintf(value, sizeof(value), "%s", cases[i][0]);
        FILE *f = fmemopen(shown, sizeof(shown), "w");
        config_show(&table, value, f);
        fclose(f);
        assert_string_equal(shown, cases[i][1]);
    }
}

static void cut_text_ends_with_a_whole_character(void **state)
{
    static const struct {
        size_t size;
        const char *src, *want;
    } cases[] = {
        {4, "abc", "abc"},
        {3, "abc", "ab"},
        {4, "ሰላም", "ሰ"},
        {6, "ሰላም", "ሰ"},
        {7, "ሰላም", "ሰላ"},
        {10, "ሰላም", "ሰላም"},
        {4, "é\xF0\x9F\x98\x80", "é"},
        {7, "é\xF0\x9F\x98\x80", "é\xF0\x9F\x98\x80"},
        {3, "\xF0\x9F\x98\x80", ""},
        {1, "ሰ", ""},
    };
    struct errtext e = {0};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char dst[16];
        str_cut(dst, cases[i].size, cases[i].src);
        assert_string_equal(dst, cases[i].want);
    }
    for (int pad = 0; pad < 3; pad++) { /* an error longer than its room */
        char amharic[2 * sizeof(e.text)] = "";
        for (size_t i = 0; i + 4 < sizeof(amharic); i += 3)
            memcpy(amharic + i, "ላ", 4);
        e.text[0] = '\0';
        (void)errtext_set(&e, EINVAL, 0, 0, "%.*s%s", pad, "ab", amharic);
        assert_int_equal((strlen(e.text) - (size_t)pad) % 3, 0);
    }
}

static void a_wrong_line_is_named_and_changes_nothing(void **state)
{
    static const struct {
        const char *text, *says;
        int line;
    } bad[] = {
        {"count = 3\ncolour = red\n", "unknown key 'colour'", 2},
        {"count = ten\n", "whole number from 1 to 9", 1},
        {"count = 10\n", "whole number from 1 to 9", 1},
        {"mode = b\n", "one of a|bc", 1},
        {"fast = maybe\n", "true or false", 1},
        {"name = much_too_long\n", "longer than 7", 1},
        {"just words\n", "key = value", 1},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct sample s = {.count = 77};
        struct errtext e = {0};
        assert_int_equal(load_text(bad[i].text, &s, &e), EINVAL);
        assert_int_equal(e.line, bad[i].line);
        assert_non_null(strstr(e.text, bad[i].says));
        assert_int_equal(s.count, 77);
    }
}

static void redis_addresses_are_read_or_refused(void **state)
{
    static const char *const bad[] = {"http://x",        "redis://",    "redis://h:0",
                                      "redis://h:99999", "redis://h/x", "unix://",
                                      "unix:///s?db=x"};
    struct redis_address a;

    (void)state;
    assert_int_equal(redis_address_parse("redis://:pw@host:6380/2", &a, NULL), 0);
    assert_string_equal(a.host, "host");
    assert_string_equal(a.password, "pw");
    assert_int_equal(a.port, 6380);
    assert_int_equal(a.db, 2);
    assert_int_equal(redis_address_parse("unix:///run/r.sock?db=3", &a, NULL), 0);
    assert_string_equal(a.path, "/run/r.sock");
    assert_int_equal(a.db, 3);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_int_equal(redis_address_parse(bad[i], &a, NULL), EINVAL);
}

static void files_are_replaced_whole_and_hashed(void **state)
{
    char dir[] = "/tmp/furrow-files-XXXXXX", path[64], text[SHA256_TEXT_MAX];
    uint8_t hash[SHA256_BYTES];
    char *back = NULL;
    size_t len = 0;

    (void)state;
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/a/b/c.txt", dir);
    assert_int_equal(files_mkdirs_for(path), 0);
    assert_int_equal(files_write_atomic(path, "abc", 3), 0);
    assert_int_equal(files_read(path, 10, &back, &len), 0);
    assert_string_equal(back, "abc");
    free(back);
    assert_int_equal(files_read(path, 2, &back, &len), EMSGSIZE);
    assert_int_equal(sha256_file(path, hash, NULL), 0);
    assert_string_equal(
        sha256_text(hash, text),
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_int_equal(unlink(path), 0);
    for (const char *below[] = {"/a/b", "/a", ""}, **p = below; p < below + 3; p++) {
        snprintf(path, sizeof(path), "%s%s", dir, *p);
        assert_int_equal(rmdir(path), 0);
    }
}

static void children_are_bounded(void **state)
{
    static const char *const cat[] = {"cat", NULL}, *const nothing[] = {
                                                        "/no/such/program", NULL};
    static const char *const fail[] = {"false", NULL}, *const hang[] = {"tail", "-f",
                                                                        "/dev/null",
                                                                        NULL};
    char path[] = "/tmp/furrow-proc-XXXXXX";
    char *text = NULL;

    (void)state;
    close(mkstemp(path));
    assert_int_equal(proc_run(&(struct proc){.argv = cat,
                                             .input = "hello",
                                             .input_len = 5,
                                             .output_path = path},
                              NULL),
                     0);
    assert_int_equal(files_read(path, 100, &text, NULL), 0);
    assert_string_equal(text, "hello");
    free(text);
    unlink(path);
    assert_int_equal(proc_run(&(struct proc){.argv = nothing}, NULL), ENOENT);
    assert_int_equal(proc_run(&(struct proc){.argv = fail}, NULL), ECHILD);
    assert_int_equal(proc_run(&(struct proc){.argv = hang, .timeout_ms = 100}, NULL),
                     ETIMEDOUT);
}

static void waits_are_read_back_to_a_sixteenth(void **state)
{
    struct latency l = {0};

    (void)state;
    assert_int_equal(latency_at(&l, 0.5), 0);
    for (int us = 1; us <= 10000; us++)
        latency_add(&l, us);
    assert_in_range(latency_at(&l, 0.5), 5000, 5000 * 17 / 16);
    assert_in_range(latency_at(&l, 0.99), 9900, 10000);
    assert_int_equal(latency_at(&l, 1), 10000);
    assert_int_equal(latency_at(&l, 0.0005), 5); /* short ones to the microsecond */
    latency_add(&l, -3);
    latency_add(&l, INT64_C(1) << 60);
    assert_true(latency_at(&l, 1) == INT64_C(1) << 60);
    assert_int_equal(l.n, 10002);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(copies_only_what_fits),
        cmocka_unit_test(reads_whole_numbers_only),
        cmocka_unit_test(hides_all_but_three_digits),
        cmocka_unit_test(knows_utf8),
        cmocka_unit_test(escapes_what_came_from_outside),
        cmocka_unit_test(parses_instants_with_offsets),
        cmocka_unit_test(a_virtual_clock_starts_where_told_and_runs_faster),
        cmocka_unit_test(uuids_carry_their_time_and_sort_by_it),
        cmocka_unit_test(configuration_comes_from_defaults_file_and_environment),
        cmocka_unit_test(passwords_inside_addresses_are_not_shown),
        cmocka_unit_test(cut_text_ends_with_a_whole_character),
        cmocka_unit_test(a_wrong_line_is_named_and_changes_nothing),
        cmocka_unit_test(redis_addresses_are_read_or_refused),
        cmocka_unit_test(files_are_replaced_whole_and_hashed),
        cmocka_unit_test(children_are_bounded),
        cmocka_unit_test(waits_are_read_back_to_a_sixteenth),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
