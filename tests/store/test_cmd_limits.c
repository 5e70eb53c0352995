/* `furrow limit` and `furrow trunk set` as an operator runs them, and what a dialer
 * then reads. */
#include "unit/cm.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/pg.h"
#include "campaigns/limit_store.h"
#include "campaigns/trunk_store.h"
#include "store/pgtest.h"

enum { TENANT = 1, OUTPUT_MAX = 4000, ARGS_MAX = 16 };

static struct pg *db;

/* Both outputs in one text. */
static const char *run(int code, const char *const *args)
{
    static char text[OUTPUT_MAX];
    const char *argv[ARGS_MAX] = {BUILD_DIR "/bin/furrow"};
    char path[300];
    int status = 0;

    for (size_t n = 1; *args && n < ARGS_MAX - 1; n++)
        argv[n] = *args++;
    snprintf(path, sizeof(path), "%s/output", pgtest_dir());
    pid_t pid = fork();
    if (pid == 0) {
        int out = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
        dup2(open("/dev/null", O_RDONLY), 0);
        dup2(out, 1);
        dup2(out, 2);
        execv(argv[0], (char *const *)(uintptr_t)argv);
        _exit(127);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    text[fread(text, 1, sizeof(text) - 1, f)] = '\0';
    fclose(f);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != code)
        fail_msg("wanted exit %d, status %#x: %s", code, (unsigned)status, text);
    return text;
}

#define RUN(code, ...) run(code, (const char *const[]){__VA_ARGS__, NULL})

static void has(const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("'%s' is not in: %s", part, text);
}

static void a_limit_holds_until_it_is_taken_away(void **state)
{
    struct limit_row row = {0};

    (void)state;
    has(RUN(0, "limit", "list"), "no limits but those of trunks and campaigns");
    RUN(0, "limit", "set", "+251115550100", "--cps", "0.5", "--max-calls", "10");
    RUN(0, "limit", "set", "tenant", "--max-calls", "40");
    RUN(0, "limit", "set", "tenant", "--max-calls", "30");
    assert_int_equal(limit_load(db, TENANT, "+251115550100", &row), 0);
    assert_true(row.cps == 0.5 && row.max_concurrent == 10 && row.id > 0);
    assert_int_equal(limit_load(db, TENANT, "", &row), 0);
    assert_true(row.cps == 0 && row.max_concurrent == 30);
    has(RUN(0, "limit", "list"), "at once: 30");
    has(RUN(0, "limit", "list", "--json"), "\"of\": \"+251115550100\"");
    RUN(0, "limit", "remove", "tenant");
    assert_int_equal(limit_load(db, TENANT, "", &row), 0);
    assert_int_equal(row.id, 0);
    has(RUN(1, "limit", "remove", "tenant"), "no such limit is set");
}

static void a_limit_that_says_nothing_is_refused(void **state)
{
    (void)state;
    has(RUN(2, "limit", "set", "tenant"), "say how much");
    has(RUN(2, "limit", "set", "tenant", "--cps", "-1"), "calls per second");
    has(RUN(2, "limit", "set", "tenant", "--cps", "nan"), "calls per second");
    has(RUN(2, "limit", "set", "tenant", "--max-calls", "0"), "calls at once");
    has(RUN(2, "limit", "set", "--cps", "1"), "say what is limited");
}

static void a_trunk_is_changed_and_the_rest_of_it_stays(void **state)
{
    struct trunk_row t = {0};
    struct errtext e = {0};

    (void)state;
    RUN(0, "trunk", "add", "main", "--kind", "simulated", "--cps", "5", "--max-channels",
        "60", "--settings", "{\"seed\": 7}");
    has(RUN(0, "trunk", "set", "main", "--cps", "2"), "2 calls a second, 60 at once");
    assert_int_equal(trunk_find(db, TENANT, "main", &t, &e), 0);
    assert_true(t.cps == 2 && t.max_channels == 60);
    has(t.settings, "7");
    has(RUN(1, "trunk", "set", "main", "--cps", "0"), "above 0");
    has(RUN(1, "trunk", "set", "main", "--settings", "{\"answer\": 2}"), "settings");
    has(RUN(2, "trunk", "set", "main"), "say what is to change");
    has(RUN(2, "trunk", "set", "main", "--kind", "ari"), "stays of its kind");
    has(RUN(1, "trunk", "set", "maim", "--cps", "1"), "main");
    assert_int_equal(trunk_find(db, TENANT, "main", &t, &e), 0);
    assert_true(t.cps == 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_limit_holds_until_it_is_taken_away),
        cmocka_unit_test(a_limit_that_says_nothing_is_refused),
        cmocka_unit_test(a_trunk_is_changed_and_the_rest_of_it_stays),
    };

    pgtest_start(PGTEST_POSTGRES);
    db = pgtest_open();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    pg_close(db);
    return failed;
}
