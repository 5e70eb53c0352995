/*
 * bench_month [CONTACTS] - a month of two campaigns on a virtual clock (1,000,000
 * contacts unless stated; tests/store/month.h), and its whole log judged by the oracle.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/str.h"
#include "store/ledger_fixture.h"
#include "store/month.h"
#include "store/pgtest.h"

enum { CONTACTS_MIN = 2000, CONTACTS_MAX = 1000000 };

static bool judge(const char *dir)
{
    int status = 0;

    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        dup2(STDERR_FILENO, STDOUT_FILENO);
        execl("/usr/bin/python3", "python3", SOURCE_DIR "/tests/oracle/month.py", dir,
              (char *)NULL);
        _exit(127);
    }
    return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

int main(int argc, char **argv)
{
    int64_t contacts = CONTACTS_MAX;
    char dir[300];
    struct month m;

    if (argc > 1 && (!str_to_i64(argv[1], &contacts) || contacts < CONTACTS_MIN ||
                     contacts > CONTACTS_MAX)) {
        fprintf(stderr, "usage: bench_month [CONTACTS], %d to %d\n", CONTACTS_MIN,
                CONTACTS_MAX);
        return 2;
    }
    setenv("FURROW_PACKS_DIR", SOURCE_DIR "/compliance/packs", 1);
    pgtest_start(PGTEST_POSTGRES);
    struct pg *pg = pgtest_open();
    ledger_fixture_start(pg);
    snprintf(dir, sizeof(dir), "%s/month", pgtest_dir());
    if (mkdir(dir, 0700))
        return 1;
    int64_t begin = mono_ms();
    int per_claim = (int)(contacts / 1000);
    month_run(pg, dir, contacts, per_claim, 1, &m);
    int64_t middle = mono_ms();
    bool agreed = judge(dir);
    printf("{\"bench\":\"month\",\"contacts\":%" PRId64 ",\"decided\":%" PRId64
           ",\"permits\":%" PRId64 ",\"opt_outs\":%" PRId64
           ",\"permits_after_opt_out\":%" PRId64
           ",\"oracle_agrees\":%s,\"seconds\":%" PRId64 ",\"oracle_seconds\":%" PRId64
           "}\n",
           contacts, m.claims, m.permits, m.opt_outs, m.broken, agreed ? "true" : "false",
           (middle - begin) / 1000, (mono_ms() - middle) / 1000);
    pg_close(pg);
    return agreed && m.broken == 0 ? 0 : 1;
}
