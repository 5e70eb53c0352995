/*
 * Three dialers share one trunk of 200 calls a second: how evenly the calls begin, how
 * many in any second, and how near the rate comes. Times are those of the ledger, which
 * are whole milliseconds. Prints a JSON line for each span and one of their medians.
 */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "base/attrs.h"
#include "base/clock.h"
#include "base/pg.h"
#include "bench/dialing.h"
#include "store/pgtest.h"

enum {
    DIALERS = 3,
    CPS = 200,
    SPANS = 5,
    SPAN_MS = 10000,
    SETTLE_MS = 5000,
    LAG_MS = 1500, /* until a call's row is written */
    CONTACTS = CPS * (SPANS * SPAN_MS + 4 * SETTLE_MS) / 1000,
    START_MS = 60000,
};

struct span {
    double p50_ms, p99_ms, rate;
    int64_t most; /* in any second */
};

/* Of the calls that began in [from, to). */
static struct span measure(struct pg *pg, int64_t from_ms, int64_t to_ms)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};
    struct span s = {0};

    pg_arg_i64(&a, from_ms);
    pg_arg_i64(&a, to_ms);
    pg_arg_i64(&a, CPS);
    if (pg_begin(pg, 1) ||
        pg_run(pg, &res,
               "WITH t AS (SELECT furrow_ms(ringing_at) AS at FROM attempts WHERE "
               "ringing_at >= furrow_ts($1) AND ringing_at < furrow_ts($2)), g AS "
               "(SELECT abs(at - lag(at) OVER (ORDER BY at) - 1000.0 / $3::int) AS off, "
               "count(*) OVER (ORDER BY at RANGE BETWEEN CURRENT ROW AND 999 FOLLOWING) "
               "AS n FROM t) SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY off), "
               "percentile_cont(0.99) WITHIN GROUP (ORDER BY off), max(n), count(*) FROM "
               "g",
               &a) ||
        pg_commit(pg)) {
        fprintf(stderr, "bench_pacing: %s\n", pg_error(pg));
        exit(1);
    }
    s.p50_ms = pg_double(res, 0, 0);
    s.p99_ms = pg_double(res, 0, 1);
    s.most = pg_i64(res, 0, 2);
    s.rate = (double)pg_i64(res, 0, 3) * 1000 / (double)(to_ms - from_ms);
    return s;
}

static int by_p99(const void *a, const void *b)
{
    const struct span *x = a, *y = b;

    return (x->p99_ms > y->p99_ms) - (x->p99_ms < y->p99_ms);
}

static int by_rate(const void *a, const void *b)
{
    const struct span *x = a, *y = b;

    return (x->rate > y->rate) - (x->rate < y->rate);
}

static void print_medians(struct span *all)
{
    int64_t most = 0;

    for (int i = 0; i < SPANS; i++)
        most = all[i].most > most ? all[i].most : most;
    qsort(all, SPANS, sizeof(*all), by_rate);
    double rate = all[SPANS / 2].rate;
    qsort(all, SPANS, sizeof(*all), by_p99);
    printf("{\"bench\":\"pacing\",\"dialers\":%d,\"cps\":%d,\"spans\":%d,"
           "\"spacing_off_p99_ms\":%.2f,\"most_in_one_second\":%lld,\"rate\":%.1f}\n",
           DIALERS, CPS, SPANS, all[SPANS / 2].p99_ms, (long long)most, rate);
}

int main(void)
{
    struct pg *pg = dialing_begin(&(struct dialing){.contacts = CONTACTS, .cps = CPS});
    struct span spans[SPANS];
    pid_t dialers[DIALERS];
    int64_t limit = mono_ms() + START_MS;

    for (int i = 0; i < DIALERS; i++)
        dialers[i] = dialing_start(NULL);
    while (dialing_sent(pg) == 0 && mono_ms() < limit)
        poll(NULL, 0, 50);
    poll(NULL, 0, SETTLE_MS);
    for (int i = 0; i < SPANS; i++) {
        int64_t from_ms = clock_now_ms();

        poll(NULL, 0, SPAN_MS);
        int64_t to_ms = clock_now_ms();
        poll(NULL, 0, LAG_MS);
        spans[i] = measure(pg, from_ms, to_ms);
        printf("{\"bench\":\"pacing\",\"span\":%d,\"spacing_off_p50_ms\":%.2f,"
               "\"spacing_off_p99_ms\":%.2f,\"most_in_one_second\":%lld,"
               "\"rate\":%.1f}\n",
               i + 1, spans[i].p50_ms, spans[i].p99_ms, (long long)spans[i].most,
               spans[i].rate);
        fflush(stdout);
    }
    print_medians(spans);
    for (int i = 0; i < DIALERS; i++)
        kill(dialers[i], SIGTERM);
    for (int i = 0; i < DIALERS; i++)
        waitpid(dialers[i], NULL, 0);
    pg_close(pg);
    return 0;
}
