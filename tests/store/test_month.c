/* A month of calls, and its log judged by the oracle: month.h, tests/oracle/month.py. */
#include "unit/cm.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "store/ledger_fixture.h"
#include "store/month.h"
#include "store/pgtest.h"

/* So few at a time that there is something to do until the last week. */
enum { CONTACTS = 2000, PER_CLAIM = 2 };

static struct pg *pg;

static int judge(const char *dir)
{
    int status = 0;
    pid_t pid = fork();

    if (pid == 0) {
        execl("/usr/bin/python3", "python3", SOURCE_DIR "/tests/oracle/month.py", dir,
              (char *)NULL);
        _exit(127);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void a_month_of_calls_breaks_no_rule_and_the_oracle_agrees(void **state)
{
    char dir[300];
    struct month m;

    (void)state;
    snprintf(dir, sizeof(dir), "%s/month", pgtest_dir());
    assert_int_equal(mkdir(dir, 0700), 0);
    month_run(pg, dir, CONTACTS, PER_CLAIM, 1, &m);
    printf("%" PRId64 " contacts looked at, %" PRId64 " refused, %" PRId64
           " permits, %" PRId64 " withdrawn at release, %" PRId64 " opt-outs, %" PRId64
           " consents taken back\n",
           m.claims, m.refused, m.permits, m.withdrawn, m.opt_outs, m.revocations);
    assert_int_equal(m.broken, 0);
    assert_true(m.permits > CONTACTS / 2 && m.withdrawn > 20 && m.opt_outs > 100);
    assert_int_equal(ledger_i64(pg, "SELECT count(*) FROM attempts WHERE state NOT IN "
                                    "('ended', 'withdrawn')"),
                     0);
    assert_int_equal(judge(dir), 0);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_month_of_calls_breaks_no_rule_and_the_oracle_agrees),
    };

    setenv("FURROW_PACKS_DIR", SOURCE_DIR "/compliance/packs", 1); /* the real ones */
    pgtest_start(PGTEST_POSTGRES);
    pg = pgtest_open();
    ledger_fixture_start(pg);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    pg_close(pg);
    return failed;
}
