/* `furrow contacts` as a user runs it, with every bad input the field has shown. */
#include "unit/cm.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/files.h"
#include "base/str.h"
#include "store/pgtest.h"

enum { OUTPUT_MAX = 16000, ARGS_MAX = 20 };

struct outcome {
    int code; /* exit code; -1 when a signal ended it */
    char out[OUTPUT_MAX], err[OUTPUT_MAX];
};

static const char *path(const char *name)
{
    static char text[512][300];
    static int next;
    char *p = text[next++ % 512];

    snprintf(p, sizeof(text[0]), "%s/%s", pgtest_dir(), name);
    return p;
}

static const char *write_file(const char *name, const char *data, size_t len)
{
    const char *p = path(name);

    assert_int_equal(files_write_atomic(p, data, len ? len : strlen(data)), 0);
    return p;
}

static void read_file(const char *name, char out[OUTPUT_MAX])
{
    FILE *f = fopen(path(name), "r");

    assert_non_null(f);
    out[fread(out, 1, OUTPUT_MAX - 1, f)] = '\0';
    fclose(f);
}

/* argv without "furrow contacts"; stdin_fd -1 for none. */
static pid_t spawn(const char *const *args, int stdin_fd)
{
    const char *argv[ARGS_MAX] = {BUILD_DIR "/bin/furrow", "contacts"};
    size_t n = 2;

    while (*args && n < ARGS_MAX - 1)
        argv[n++] = *args++;
    pid_t pid = fork();
    if (pid == 0) {
        int out = open(path("stdout"), O_WRONLY | O_CREAT | O_TRUNC, 0600);
        int err = open(path("stderr"), O_WRONLY | O_CREAT | O_TRUNC, 0600);
        int in = stdin_fd >= 0 ? stdin_fd : open("/dev/null", O_RDONLY);

        dup2(in, 0);
        dup2(out, 1);
        dup2(err, 2);
        execv(argv[0], (char *const *)(uintptr_t)argv);
        _exit(127);
    }
    assert_true(pid > 0);
    return pid;
}

static struct outcome *run(const char *const *args)
{
    static struct outcome o;
    int status = 0;
    pid_t pid = spawn(args, -1);

    assert_int_equal(waitpid(pid, &status, 0), pid);
    o.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    read_file("stdout", o.out);
    read_file("stderr", o.err);
    return &o;
}

#define RUN(...) run((const char *const[]){__VA_ARGS__, NULL})

static int64_t count(const char *sql)
{
    struct pg *pg = pgtest_open();
    int64_t n = pgtest_i64(pg, 1, sql);

    pg_close(pg);
    return n;
}

static void the_demos_people_go_in_and_add_up(void **state)
{
    struct outcome *o =
        RUN("import", SOURCE_DIR "/deploy/demo/sample-contacts.csv", "--list", "people",
            "--region", "ET", "--rejects", path("rejects.csv"));
    char rejects[OUTPUT_MAX];

    (void)state;
    assert_int_equal(o->code, 0);
    assert_non_null(strstr(o->out, "2000 rows read, 1735 imported into 'people', 265 "
                                   "rejected"));
    assert_non_null(strstr(o->out, "phone: column 'Mobile'; contact.*: first_name "
                                   "village crop language notes"));
    assert_string_equal(o->err, "");
    assert_int_equal(count("SELECT count(*) FROM contacts"), 1735);
    assert_int_equal(count("SELECT count(*) FROM import_rejects"), 265);
    assert_int_equal(count("SELECT count(*) FROM contacts WHERE attrs->>'first_name' ~ "
                           "'[ሀ-ፚ]'") > 100,
                     1);
    read_file("rejects.csv", rejects);
    assert_int_equal(strncmp(rejects, "line,column,value,reason,hint\n", 30), 0);
    o = RUN("import", SOURCE_DIR "/deploy/demo/sample-contacts.csv", "--list", "people",
            "--region", "ET", "--json");
    assert_non_null(strstr(o->out, "\"imported\": 0"));
}

static void a_bad_file_gets_one_line_and_changes_nothing(void **state)
{
    static const struct {
        const char *name, *data;
        size_t len;
        const char *says;
    } cases[] = {
        {"empty.csv", "", 0, "the file is empty"},
        {"header.csv", "name,town\nA,B\n", 0, "line 1 has no phone column (it has: name"},
        {"book.xlsx", "PK\x03\x04\x14\0", 6, "Excel workbook"},
        {"old.xls", "\xD0\xCF\x11\xE0\xA1\xB1", 6, "old Excel workbook"},
        {"lines.jsonl", "phone\n0911234567\n", 0, "line 1 is no JSON object"},
        {"nul.csv", "phone\n0911234567\n0911\0\n", 22, "line 3 has a NUL byte"},
        {"quote.csv", "phone,n\n0911234567,x\n0911234568,\"y\n", 0,
         "the quote opened on line 3 is never closed"},
        {"latin.csv", "phone,t\xE9l\x8D\n1,2\n", 0, "column 2 of line 1 is not UTF-8"},
        {"page.csv", "<!doctype html>", 0, "this is HTML"},
    };
    int64_t lists = count("SELECT count(*) FROM lists");

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *file = cases[i].len || *cases[i].data
                               ? write_file(cases[i].name, cases[i].data, cases[i].len)
                               : "/dev/null";
        struct outcome *o = RUN("import", file, "--list", "people", "--region", "ET",
                                "--rejects", path("never.csv"));

        if (o->code != 1 || !strstr(o->err, cases[i].says))
            fail_msg("%s: %d %s", cases[i].name, o->code, o->err);
        assert_non_null(strstr(o->err, "nothing was imported\n"));
        assert_ptr_equal(strchr(o->err, '\n'), o->err + strlen(o->err) - 1);
        assert_int_equal(access(path("never.csv"), F_OK), -1);
        assert_int_equal(access(path("never.csv.part"), F_OK), -1);
    }
    assert_int_equal(count("SELECT count(*) FROM contacts"), 1735);
    assert_int_equal(count("SELECT count(*) FROM lists"), lists);
}

static void a_wrong_command_line_says_what_is_wrong(void **state)
{
    const char *file = write_file("ok.csv", "phone\n+251911234567\n", 0);
    const struct {
        const char *args[6];
        int code;
        const char *says;
    } cases[] = {
        {{"import", file}, 2, "--list NAME"},
        {{"import", "--list", "x"}, 2, "which file?"},
        {{"import", file, "--list", "x", "--region", "Ethiopia"}, 2, "no region"},
        {{"import", file, "--list", "x", "--map", "phone"}, 2, "--map wants NAME=COLUMN"},
        {{"import", file, "--list", "x", "--map", "phone=Mob"}, 1, "no column 'Mob'"},
        {{"import", file, "--list", "x", "--encoding", "ebcdic"}, 2, "windows-1252"},
        {{"import", file, "--list", "x", "--threads", "0"}, 2, "--threads is 1 to 32"},
        {{"import", "/nonexistent.csv", "--list", "x"}, 1, "No such file"},
        {{"import", "/tmp", "--list", "x"}, 1, "is a directory"},
        {{"import", file, "--list", "x", "--rejects", "/nonexistent/r.csv"},
         1,
         "the reject file /nonexistent/r.csv cannot be written"},
        {{"show", "12"}, 2, "is no number"},
        {{"show", "+251911000000"}, 1, "is in no list"},
        {{"rejects", "99"}, 1, "no import 99"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *args[7] = {0};

        memcpy(args, cases[i].args, sizeof(cases[i].args));
        struct outcome *o = run(args);
        if (o->code != cases[i].code || !strstr(o->err, cases[i].says))
            fail_msg("case %zu: %d %s", i, o->code, o->err);
    }
    assert_int_equal(count("SELECT count(*) FROM lists WHERE name = 'x'"), 0);
}

static void a_full_disk_for_the_rejects_keeps_nothing(void **state)
{
    const char *file = write_file("full.csv", "phone\n0911234567\n0911\n", 0);
    struct outcome *o =
        RUN("import", file, "--list", "full", "--region", "ET", "--rejects", "/dev/full");

    (void)state;
    assert_int_equal(o->code, 1);
    assert_non_null(strstr(o->err, "No space left on device; nothing was imported"));
    assert_int_equal(count("SELECT count(*) FROM contacts c JOIN lists l ON l.id = "
                           "c.list_id WHERE l.name = 'full'"),
                     0);
}

static void what_was_assumed_of_a_file_is_said(void **state)
{
    const char *file = write_file("w.csv", "phone;nom\n+251911234567;Jos\xE9\n", 0);
    struct outcome *o = RUN("import", file, "--list", "latin", "--encoding", "utf-8");

    (void)state;
    assert_non_null(strstr(o->out, "bad_encoding       1"));
    o = RUN("import", file, "--list", "latin", "--dry-run");
    assert_non_null(strstr(o->out, "read as CSV with ';' between cells, Windows-1252 "
                                   "(assumed; --encoding says otherwise)"));
    assert_non_null(strstr(o->out, "nom                      → contact.nom"));
    o = RUN("import", file, "--list", "latin", "--json");
    assert_non_null(strstr(o->out, "\"encoding\": \"Windows-1252\""));
    assert_non_null(strstr(o->out, "\"imported\": 1"));
    o = RUN("show", "+251911234567");
    assert_non_null(strstr(o->out, "José"));
}

static void json_lines_come_from_a_pipe(void **state)
{
    const char *file = write_file("rows", "{\"tel\": \"0911234567\", \"n\": 1}\n", 0);
    int status = 0, in = open(file, O_RDONLY | O_CLOEXEC);
    pid_t pid = spawn((const char *const[]){"import", "-", "--format", "jsonl", "--list",
                                            "lines", "--region", "ET", NULL},
                      in);
    char out[OUTPUT_MAX];

    (void)state;
    close(in);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    read_file("stdout", out);
    assert_int_equal(status, 0);
    assert_non_null(strstr(out, "1 rows read, 1 imported into 'lines'"));
    assert_non_null(strstr(out, "read as JSON Lines, UTF-8"));
}

static void an_import_can_be_undone(void **state)
{
    const char *file = write_file("undo.csv", "phone\n0911234567\n0911234568\n", 0);
    struct outcome *o =
        RUN("import", file, "--list", "undone", "--region", "ET", "--json");
    char id[24] = "";

    (void)state;
    const char *at = strstr(o->out, "\"import_id\": ");
    assert_non_null(at);
    snprintf(id, sizeof(id), "%ld", strtol(at + strlen("\"import_id\": "), NULL, 10));
    o = RUN("undo", id);
    assert_int_equal(o->code, 0);
    assert_non_null(strstr(o->out, "is undone: 2 contacts removed"));
    o = RUN("undo", id);
    assert_int_equal(o->code, 1);
    assert_non_null(strstr(o->err, "is undone already"));
    o = RUN("undo", "first");
    assert_int_equal(o->code, 2);
}

/* True once the query answers n, asked at most 500 times. */
static bool becomes(const char *sql, int64_t n)
{
    struct pg *super = pgtest_open_super();
    bool held = false;

    for (int i = 0; i < 500 && !held; i++) {
        held = pgtest_i64(super, 0, sql) == n;
        if (!held)
            pgtest_run(super, 0, "SELECT pg_sleep(0.02)");
    }
    pg_close(super);
    return held;
}

#define IN_KILLED                                                                        \
    "FROM contacts c JOIN lists l ON l.id = c.list_id WHERE l.name = 'killed'"

static void killed_in_the_middle_it_goes_on_with_nothing_twice(void **state)
{
    static const char *const args[] = {
        "import", "-", "--list", "killed", "--region", "ET", "--batch", "5000", NULL};
    int fds[2], status = 0;
    struct buf rows = {0};
    char out[OUTPUT_MAX];

    (void)state;
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    pid_t pid = spawn(args, fds[0]);
    close(fds[0]);
    buf_puts(&rows, "phone\n");
    for (int i = 0; i < 30000; i++)
        buf_printf(&rows, "09%08d\n", 11000000 + i);
    for (size_t at = 0; at < rows.len;) {
        ssize_t n = write(fds[1], rows.data + at, rows.len - at);
        assert_true(n > 0);
        at += (size_t)n;
    }
    /* The stream has not ended, and there are contacts to be called. */
    assert_true(becomes("SELECT (count(*) >= 10000)::int " IN_KILLED, 1));
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    close(fds[1]);
    int64_t before = count("SELECT count(*) " IN_KILLED);
    assert_true(before >= 10000 && before < 30000);
    int in = open(write_file("again.csv", rows.data, rows.len), O_RDONLY | O_CLOEXEC);
    pid = spawn(args, in);
    close(in);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    read_file("stderr", out);
    assert_non_null(strstr(out, "of - was cut off; going on at line "));
    read_file("stdout", out);
    assert_non_null(strstr(out, "30000 rows read, 30000 imported into 'killed', 0 "));
    assert_int_equal(count("SELECT count(*) " IN_KILLED), 30000);
    assert_int_equal(count("SELECT count(*) FROM imports i JOIN lists l ON l.id = "
                           "i.list_id WHERE l.name = 'killed'"),
                     1);
    buf_free(&rows);
}

static void contacts_go_out_as_they_came_in(void **state)
{
    char out[OUTPUT_MAX];

    (void)state;
    RUN("import",
        write_file("out.csv",
                   "phone,Name,town\n+251911880001,=HYPERLINK(1),Dilla\n"
                   "+251911880002,\"Abebe, \"\"B\"\"\",\n",
                   0),
        "--list", "out");
    struct outcome *o = RUN("export", "out");
    assert_int_equal(o->code, 0);
    assert_string_equal(o->out, "phone,region,type,person,name,town\n"
                                "+251911880001,ET,mobile,,\"'=HYPERLINK(1)\",Dilla\n"
                                "+251911880002,ET,mobile,,\"Abebe, \"\"B\"\"\",\n");
    o = RUN("export", "out", "--format", "jsonl", "--out", path("out.jsonl"));
    assert_int_equal(o->code, 0);
    assert_non_null(strstr(o->out, "2 contacts are in "));
    read_file("out.jsonl", out);
    assert_int_equal(strncmp(out,
                             "{\"phone\":\"+251911880001\",\"region\":\"ET\",\"type\":"
                             "\"mobile\",\"person\":\"\",\"name\":\"=HYPERLINK(1)\"",
                             80),
                     0);
    /* and in again */
    o = RUN("import", path("out.jsonl"), "--list", "again");
    assert_non_null(strstr(o->out, "2 rows read, 2 imported into 'again'"));
    o = RUN("export", "nobody");
    assert_int_equal(o->code, 1);
    assert_non_null(strstr(o->err, "there is no list 'nobody'; there are: "));
    assert_int_equal(RUN("export")->code, 2);
}

static void lists_and_help_are_shown(void **state)
{
    struct outcome *o = RUN("list");

    (void)state;
    assert_non_null(strstr(o->out, "people                         1735 contacts"));
    o = RUN("list", "--json");
    assert_non_null(strstr(o->out, "\"contacts\": 1735"));
    o = RUN("import", "--help");
    assert_int_equal(o->code, 0);
    assert_non_null(strstr(o->out, "example: furrow contacts import"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_demos_people_go_in_and_add_up),
        cmocka_unit_test(a_bad_file_gets_one_line_and_changes_nothing),
        cmocka_unit_test(a_wrong_command_line_says_what_is_wrong),
        cmocka_unit_test(a_full_disk_for_the_rejects_keeps_nothing),
        cmocka_unit_test(what_was_assumed_of_a_file_is_said),
        cmocka_unit_test(json_lines_come_from_a_pipe),
        cmocka_unit_test(an_import_can_be_undone),
        cmocka_unit_test(killed_in_the_middle_it_goes_on_with_nothing_twice),
        cmocka_unit_test(contacts_go_out_as_they_came_in),
        cmocka_unit_test(lists_and_help_are_shown),
    };

    signal(SIGPIPE, SIG_IGN);
    pgtest_start(PGTEST_POSTGRES);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
