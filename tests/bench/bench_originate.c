/* Originations a second of one furrow-dialer over the simulated carrier: the whole way.
 * Prints one JSON line. */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/pg.h"
#include "bench/dialing.h"
#include "store/pgtest.h"

enum { CONTACTS = 20000, MEASURE_MS = 8000, START_MS = 60000 };

int main(void)
{
    struct pg *pg = dialing_begin(&(struct dialing){.contacts = CONTACTS, .cps = 5000});
    pid_t dialer = dialing_start(NULL);
    int64_t limit = mono_ms() + START_MS;

    while (dialing_sent(pg) == 0 && mono_ms() < limit)
        poll(NULL, 0, 50);
    int64_t began = mono_ms(), before = dialing_sent(pg);
    poll(NULL, 0, MEASURE_MS);
    int64_t n = dialing_sent(pg) - before, ms = mono_ms() - began;
    int64_t withdrawn =
        pgtest_i64(pg, 1, "SELECT count(*) FROM attempts WHERE state = 'withdrawn'");
    printf("{\"bench\":\"originate\",\"originations\":%lld,\"ms\":%lld,"
           "\"per_second\":%.0f,\"withdrawn\":%lld}\n",
           (long long)n, (long long)ms, (double)n * 1000.0 / (double)ms,
           (long long)withdrawn);
    kill(dialer, SIGTERM);
    waitpid(dialer, NULL, 0);
    pg_close(pg);
    return n > 0 ? 0 : 1;
}
