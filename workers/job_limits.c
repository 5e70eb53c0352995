/* What is said of a kind of jobs: limits, holds, and how it goes. */
#include "base/str.h"
#include "workers/job_admin_internal.h"

/* Inside a transaction: what waits of the kind is sent, as nobody sent it while it was
 * held or limited. An id sent twice does no harm. */
static int send_waiting(struct pg *pg, const char *kind)
{
    struct pg_args a = {0};

    pg_arg_text(&a, kind);
    return pg_run(pg, NULL,
                  "WITH sent AS (INSERT INTO outbox (job_id, tenant_id, kind) SELECT id, "
                  "tenant_id, kind FROM jobs WHERE kind = $1 AND finished_at IS NULL AND "
                  "state = 'queued' AND run_at <= clock_timestamp() AND deaths = 0 AND "
                  "priority >= 0 RETURNING id) SELECT max(pg_notify('furrow_jobs', "
                  "'')::text) FROM sent",
                  &a);
}

static int was_so(struct pg *pg, const char *kind, const char *column, bool *was)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    CLEANUP(buf_free) struct buf sql = {0};
    struct pg_args a = {0};

    pg_arg_text(&a, kind);
    buf_printf(&sql, "SELECT %s FROM job_queues WHERE kind = $1 FOR UPDATE", column);
    int err = pg_run(pg, &res, sql.data, &a);
    *was = !err && PQntuples(res) == 1 && pg_bool(res, 0, 0);
    return err;
}

int job_admin_hold(struct pg *pg, int tenant_id, const char *kind, enum job_hold hold)
{
    struct pg_args a = {0};
    bool was = false;
    int err = pg_begin(pg, tenant_id);

    if (err)
        return err;
    err = was_so(pg, kind, "hold_from IS NOT NULL", &was);
    pg_arg_i64(&a, tenant_id);
    pg_arg_text(&a, kind);
    pg_arg_text(&a, hold == JOB_HOLD_ALL ? "all" : hold == JOB_HOLD_NEW ? "new" : "none");
    if (!err)
        err =
            pg_run(pg, NULL,
                   "INSERT INTO job_queues (tenant_id, kind, hold_from) VALUES ($1, $2, "
                   "CASE $3 WHEN 'all' THEN '-infinity'::timestamptz WHEN 'new' THEN "
                   "clock_timestamp() END) ON CONFLICT (tenant_id, kind) DO UPDATE SET "
                   "hold_from = excluded.hold_from",
                   &a);
    if (!err && hold == JOB_HOLD_NONE && was)
        err = send_waiting(pg, kind);
    return pg_end(pg, err);
}

int job_admin_limit(struct pg *pg, int tenant_id, const char *kind, double rate_per_s,
                    int64_t max_running)
{
    struct pg_args a = {0};
    bool was = false;
    int err = pg_begin(pg, tenant_id);

    if (err)
        return err;
    err = was_so(pg, kind, "rate_per_s IS NOT NULL OR max_running IS NOT NULL", &was);
    pg_arg_i64(&a, tenant_id);
    pg_arg_text(&a, kind);
    if (rate_per_s > 0)
        pg_arg_double(&a, rate_per_s);
    else
        pg_arg_null(&a);
    if (max_running > 0)
        pg_arg_i64(&a, max_running);
    else
        pg_arg_null(&a);
    if (!err)
        err =
            pg_run(pg, NULL,
                   "INSERT INTO job_queues (tenant_id, kind, rate_per_s, max_running) "
                   "VALUES ($1, $2, $3, $4) ON CONFLICT (tenant_id, kind) DO UPDATE SET "
                   "rate_per_s = excluded.rate_per_s, max_running = "
                   "excluded.max_running, next_at = NULL",
                   &a);
    a.n = 2;
    if (!err && max_running > 0) /* those at work count */
        err =
            pg_run(pg, NULL,
                   "INSERT INTO job_slots (tenant_id, job_id, kind) SELECT $1, id, kind "
                   "FROM jobs WHERE kind = $2 AND finished_at IS NULL AND state = "
                   "'running' ON CONFLICT DO NOTHING",
                   &a);
    if (!err && was && rate_per_s <= 0 && max_running < 1)
        err = send_waiting(pg, kind);
    return pg_end(pg, err);
}

int job_admin_unheld(struct pg *pg, int tenant_id, const char *kind, int64_t *n)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};
    int err = pg_begin(pg, tenant_id);

    pg_arg_text(&a, kind);
    if (!err)
        err =
            pg_end(pg, pg_run(pg, &res,
                              "SELECT count(*) FROM jobs j WHERE kind = $1 AND "
                              "finished_at IS NULL AND (state = 'running' OR NOT EXISTS "
                              "(SELECT FROM job_queues q WHERE q.kind = j.kind AND "
                              "q.hold_from <= j.created_at))",
                              &a));
    *n = err ? 0 : pg_i64(res, 0, 0);
    return err;
}

int job_admin_queues(struct pg *pg, int tenant_id, json_t **out)
{
    return job_admin_json(
        pg, tenant_id,
        "SELECT coalesce(jsonb_agg(jsonb_build_object('kind', kind, 'hold', "
        "coalesce(" JOB_ADMIN_HOLD
        ", ''), 'hold_from', CASE WHEN hold_from > '-infinity' "
        "THEN to_jsonb(hold_from) END, 'rate_per_s', rate_per_s, 'max_running', "
        "max_running, 'queued', coalesce(queued, 0), 'running', coalesce(running, 0)) "
        "ORDER BY kind), '[]') FROM (SELECT kind, count(*) FILTER (WHERE state = "
        "'queued') AS queued, count(*) FILTER (WHERE state = 'running') AS running FROM "
        "jobs WHERE finished_at IS NULL GROUP BY kind) o FULL JOIN job_queues q USING "
        "(kind)",
        NULL, out);
}

int job_admin_watch(struct pg *pg, int tenant_id, json_t **out)
{
    return job_admin_json(
        pg, tenant_id,
        "SELECT coalesce(jsonb_object_agg(kind, jsonb_build_object('due', coalesce(due, "
        "0), 'later', coalesce(later, 0), 'running', coalesce(running, 0), 'oldest_s', "
        "coalesce(oldest_s, 0), 'buried', coalesce(b.buried, 0), 'done', "
        "coalesce(c.done, "
        "0), 'failed', coalesce(c.retried + c.buried, 0), 'ended', coalesce(c.done + "
        "c.retried + c.buried + c.cancelled, 0), 'wait_ms', coalesce(c.wait_ms, 0), "
        "'run_ms', coalesce(c.run_ms, 0), 'hold', coalesce(" JOB_ADMIN_HOLD ", ''))), "
        "'{}') FROM (SELECT kind, count(*) FILTER (WHERE state = 'queued' AND run_at <= "
        "clock_timestamp()) AS due, count(*) FILTER (WHERE state = 'queued' AND run_at > "
        "clock_timestamp()) AS later, count(*) FILTER (WHERE state = 'running') AS "
        "running, round(extract(epoch FROM clock_timestamp() - min(run_at) FILTER (WHERE "
        "state = 'queued' AND run_at <= clock_timestamp()))) AS oldest_s FROM jobs WHERE "
        "finished_at IS NULL GROUP BY kind) o FULL JOIN (SELECT kind, count(*) AS buried "
        "FROM jobs WHERE finished_at IS NOT NULL AND last_error <> '' AND state = "
        "'buried' GROUP BY kind) b USING (kind) FULL JOIN job_counts c USING (kind) FULL "
        "JOIN job_queues q USING (kind)",
        NULL, out);
}
