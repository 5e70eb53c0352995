#include "server/job_metrics.h"

#include <stdlib.h>
#include <string.h>

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

static void add_row(struct metrics_out *m, const char *series, const char *tenant,
                    const char *kind, const char *label, const char *value,
                    const struct metrics_value *v)
{
    CLEANUP(buf_free) struct buf labels = {0};

    metrics_label(&labels, "kind", 4, kind);
    if (label)
        metrics_label(&labels, label, strlen(label), value);
    metrics_row(m, series, tenant, labels.data, v);
}

static void add_results(struct metrics_out *m, const char *tenant, const PGresult *res)
{
    for (int r = 0; r < PQntuples(res); r++)
        for (int i = 0; i < RESULTS; i++)
            add_row(m, "furrow_job_results_total", tenant, pg_text(res, r, 0), "result",
                    results[i],
                    &(struct metrics_value){.value = (double)pg_i64(res, r, 1 + i)});
}

static void add_histogram(struct metrics_out *m, const char *name, const char *tenant,
                          const PGresult *res)
{
    CLEANUP(free_cleanup) char *bucket = xasprintf("%s_bucket", name);
    CLEANUP(free_cleanup) char *sum = xasprintf("%s_sum", name);
    CLEANUP(free_cleanup) char *count = xasprintf("%s_count", name);

    for (int r = 0; r < PQntuples(res); r++) {
        const char *kind = pg_text(res, r, 0);
        const double ms = (double)pg_i64(res, r, 1 + RESULTS);
        struct metrics_value n = {0};
        for (int i = 0; i < BUCKETS; i++) {
            n.value += (double)pg_i64(res, r, 2 + RESULTS + i);
            add_row(m, bucket, tenant, kind, "le", ends[i], &n);
        }
        add_row(m, sum, tenant, kind, NULL, NULL,
                &(struct metrics_value){.value = ms / 1000, .decimals = 3});
        add_row(m, count, tenant, kind, NULL, NULL, &n);
    }
}

static int add_family(struct pg *pg, struct metrics_out *m, const PGresult *tenants,
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
            add_histogram(m, name, pg_text(tenants, i, 1), res);
        else
            add_results(m, pg_text(tenants, i, 1), res);
    }
    return 0;
}

int job_metrics_add(struct pg *pg, struct metrics_out *m, const PGresult *tenants)
{
    metrics_family(m, "furrow_job_results_total", "Tries of jobs, by how they ended",
                   "counter");
    int err = add_family(pg, m, tenants, NULL, COLUMNS("wait"));
    metrics_family(m, "furrow_job_wait_seconds", "From when a job was due to its start",
                   "histogram");
    if (!err)
        err = add_family(pg, m, tenants, "furrow_job_wait_seconds", COLUMNS("wait"));
    metrics_family(m, "furrow_job_run_seconds", "How long a try of a job took",
                   "histogram");
    if (!err)
        err = add_family(pg, m, tenants, "furrow_job_run_seconds", COLUMNS("run"));
    return err;
}
