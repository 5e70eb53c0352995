#include "server/job_metrics.h"

#include <stdlib.h>

#include "base/pg.h"
#include "base/xalloc.h"

enum { RESULTS = 4, BUCKETS = 9 };

static const char *const results[RESULTS] = {"done", "retried", "buried", "cancelled"};
static const char *const ends[BUCKETS] = {"0.005", "0.025", "0.1", "0.5", "2.5",
                                          "10",    "60",    "600", "+Inf"};

/* Columns: kind, the four results, sum, then the buckets. */
#define COLUMNS(name)                                                                    \
    "SELECT kind, done, retried, buried, cancelled, " name "_ms, " name "_le[1], " name  \
    "_le[2], " name "_le[3], " name "_le[4], " name "_le[5], " name "_le[6], " name      \
    "_le[7], " name "_le[8], " name "_le[9] FROM job_counts ORDER BY kind"

static void add_labels(struct buf *b, const char *name, const char *tenant,
                       const char *kind)
{
    buf_printf(b, "%s{tenant=\"", name);
    metrics_add_label_value(b, tenant);
    buf_puts(b, "\",kind=\"");
    metrics_add_label_value(b, kind);
    buf_puts(b, "\"");
}

static void add_results(struct buf *b, const char *tenant, const PGresult *res)
{
    for (int r = 0; r < PQntuples(res); r++)
        for (int i = 0; i < RESULTS; i++) {
            add_labels(b, "furrow_job_results_total", tenant, pg_text(res, r, 0));
            buf_printf(b, ",result=\"%s\"} %s\n", results[i], pg_text(res, r, 1 + i));
        }
}

static void add_histogram(struct buf *b, const char *name, const char *tenant,
                          const PGresult *res)
{
    CLEANUP(free_cleanup) char *bucket = xasprintf("%s_bucket", name);
    CLEANUP(free_cleanup) char *sum = xasprintf("%s_sum", name);
    CLEANUP(free_cleanup) char *count = xasprintf("%s_count", name);

    for (int r = 0; r < PQntuples(res); r++) {
        const char *kind = pg_text(res, r, 0);
        int64_t n = 0;
        for (int i = 0; i < BUCKETS; i++) {
            n += pg_i64(res, r, 2 + RESULTS + i);
            add_labels(b, bucket, tenant, kind);
            buf_printf(b, ",le=\"%s\"} %lld\n", ends[i], (long long)n);
        }
        add_labels(b, sum, tenant, kind);
        buf_printf(b, "} %.3f\n", (double)pg_i64(res, r, 1 + RESULTS) / 1000);
        add_labels(b, count, tenant, kind);
        buf_printf(b, "} %lld\n", (long long)n);
    }
}

static int add_family(struct pg *pg, struct buf *b, const PGresult *tenants,
                      const char *name, const char *sql)
{
    for (int i = 0; i < PQntuples(tenants); i++) {
        CLEANUP(pg_result_free) PGresult *res = NULL;
        int err = pg_begin(pg, (int)pg_i64(tenants, i, 0));
        if (!err)
            err = pg_end(pg, pg_run(pg, &res, sql, NULL));
        if (err)
            return err;
        if (name)
            add_histogram(b, name, pg_text(tenants, i, 1), res);
        else
            add_results(b, pg_text(tenants, i, 1), res);
    }
    return 0;
}

int job_metrics_add(struct pg *pg, struct buf *b, const PGresult *tenants)
{
    buf_puts(b, "# HELP furrow_job_results_total Tries of jobs, by how they ended.\n"
                "# TYPE furrow_job_results_total counter\n");
    int err = add_family(pg, b, tenants, NULL, COLUMNS("wait"));
    buf_puts(b, "# HELP furrow_job_wait_seconds From when a job was due to its start.\n"
                "# TYPE furrow_job_wait_seconds histogram\n");
    if (!err)
        err = add_family(pg, b, tenants, "furrow_job_wait_seconds", COLUMNS("wait"));
    buf_puts(b, "# HELP furrow_job_run_seconds How long a try of a job took.\n"
                "# TYPE furrow_job_run_seconds histogram\n");
    if (!err)
        err = add_family(pg, b, tenants, "furrow_job_run_seconds", COLUMNS("run"));
    return err;
}
