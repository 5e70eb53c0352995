#include "workers/job_admin.h"

#include <errno.h>
#include <string.h>

#include "base/str.h"
#include "workers/job_admin_internal.h"
#include "workers/worker.h"

int job_admin_json(struct pg *pg, int tenant_id, const char *sql, const struct pg_args *a,
                   json_t **out)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    int err = pg_begin(pg, tenant_id);

    if (!err)
        err = pg_end(pg, pg_run(pg, &res, sql, a));
    if (err)
        return err;
    if (PQntuples(res) == 0 || pg_is_null(res, 0, 0))
        return ENOENT;
    *out = json_loads(pg_text(res, 0, 0), 0, NULL);
    return *out ? 0 : EPROTO;
}

/* The condition, and its arguments behind those that are there. */
static void add_filter(struct buf *sql, struct pg_args *a, const struct job_filter *f)
{
    buf_puts(sql, "true");
    if (f->id) {
        pg_arg_uuid(a, f->id);
        buf_printf(sql, " AND id = $%d", a->n);
    }
    if (f->kind) {
        pg_arg_text(a, f->kind);
        buf_printf(sql, " AND kind = $%d", a->n);
    }
    if (f->state) {
        pg_arg_text(a, f->state);
        buf_printf(sql, " AND state = $%d", a->n);
        if (str_is(f->state, "buried")) /* has an index */
            buf_puts(sql, " AND finished_at IS NOT NULL AND last_error <> ''");
        if (str_is(f->state, "queued") || str_is(f->state, "running"))
            buf_puts(sql, " AND finished_at IS NULL");
    }
    if (f->error) {
        pg_arg_text(a, f->error);
        buf_printf(sql, " AND strpos(last_error, $%d) > 0", a->n);
    }
    if (f->older_s > 0) {
        pg_arg_i64(a, f->older_s);
        buf_printf(sql,
                   " AND created_at < clock_timestamp() - $%d::bigint * interval '1 s'",
                   a->n);
    }
    if (f->newer_s > 0) {
        pg_arg_i64(a, f->newer_s);
        buf_printf(sql,
                   " AND created_at >= clock_timestamp() - $%d::bigint * interval '1 s'",
                   a->n);
    }
}

int job_admin_list(struct pg *pg, int tenant_id, const struct job_filter *f,
                   int64_t limit, json_t **out)
{
    CLEANUP(buf_free) struct buf sql = {0};
    struct pg_args a = {0};

    pg_arg_i64(&a, limit);
    buf_puts(&sql,
             "SELECT coalesce(jsonb_agg(to_jsonb(j) ORDER BY j.created_at DESC, j.id "
             "DESC), '[]') FROM (SELECT id, kind, state, priority, attempts, "
             "max_attempts, unique_key AS \"key\", run_at, last_error, deaths, "
             "cancel_asked, created_at, finished_at FROM jobs WHERE ");
    add_filter(&sql, &a, f);
    buf_puts(&sql, " ORDER BY created_at DESC, id DESC LIMIT $1) j");
    return job_admin_json(pg, tenant_id, sql.data, &a, out);
}

int job_admin_count(struct pg *pg, int tenant_id, const struct job_filter *f, int64_t *n)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    CLEANUP(buf_free) struct buf sql = {0};
    struct pg_args a = {0};

    buf_puts(&sql, "SELECT count(*) FROM jobs WHERE ");
    add_filter(&sql, &a, f);
    int err = pg_begin(pg, tenant_id);
    if (!err)
        err = pg_end(pg, pg_run(pg, &res, sql.data, &a));
    *n = err ? 0 : pg_i64(res, 0, 0);
    return err;
}

int job_admin_show(struct pg *pg, int tenant_id, const struct uuid *id, json_t **out)
{
    struct pg_args a = {0};

    pg_arg_uuid(&a, id);
    return job_admin_json(pg, tenant_id, "SELECT to_jsonb(j) FROM jobs j WHERE id = $1",
                          &a, out);
}

int job_admin_stats(struct pg *pg, int tenant_id, json_t **out)
{
    return job_admin_json(
        pg, tenant_id,
        "SELECT coalesce(jsonb_object_agg(kind, s), '{}') FROM (SELECT kind, "
        "jsonb_build_object('queued', count(*) FILTER (WHERE state = 'queued'), "
        "'running', count(*) FILTER (WHERE state = 'running'), "
        "'done', count(*) FILTER (WHERE state = 'done'), "
        "'buried', count(*) FILTER (WHERE state = 'buried'), "
        "'cancelled', count(*) FILTER (WHERE state = 'cancelled'), "
        "'oldest_s', coalesce(round(extract(epoch FROM clock_timestamp() - min(run_at) "
        "FILTER (WHERE state = 'queued' AND run_at <= clock_timestamp()))), 0), "
        "'hold', coalesce((SELECT " JOB_ADMIN_HOLD
        " FROM job_queues q WHERE q.kind = jobs.kind), "
        "'')) AS s FROM jobs GROUP BY kind) x",
        NULL, out);
}

/* ---- retry ---- */

/*
 * A parent waits again for those of its children that are not over; they are locked, so
 * that one that ends meanwhile is seen here or finds the parent waiting. A cancelled
 * child that starts over in the same statement counts itself (furrow_job_child).
 */
int job_admin_start_over(struct pg *pg, const char *where, const struct pg_args *a,
                         int64_t *n)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    CLEANUP(buf_free) struct buf sql = {0};

    buf_printf(
        &sql,
        "WITH pick (picked) AS MATERIALIZED (SELECT id FROM jobs WHERE %s LIMIT "
        "%d FOR UPDATE), kids AS MATERIALIZED (SELECT c.parent_id, c.state FROM jobs c "
        "JOIN pick ON c.parent_id = picked WHERE c.state NOT IN ('done', 'cancelled') OR "
        "c.id IN (SELECT picked FROM pick) FOR SHARE OF c), waits AS (SELECT picked, "
        "count(k.parent_id) AS any, count(*) FILTER (WHERE k.state NOT IN ('done', "
        "'cancelled')) AS n FROM pick LEFT JOIN kids k ON k.parent_id = picked GROUP BY "
        "picked), again AS (UPDATE jobs SET state = 'queued', attempts = 0, "
        "deaths = 0, cancel_asked = false, children_left = waits.n, run_at = CASE WHEN "
        "waits.any > 0 THEN 'infinity' ELSE clock_timestamp() END, lease_until "
        "= NULL, lease_holder = NULL, finished_at = NULL FROM waits WHERE id = "
        "picked RETURNING id, tenant_id, kind, priority, run_at), sent AS (INSERT INTO "
        "outbox (job_id, tenant_id, kind) SELECT id, tenant_id, kind FROM again WHERE "
        "priority >= 0 AND run_at <> 'infinity' RETURNING id) SELECT (SELECT count(*) "
        "FROM again), max(pg_notify('furrow_jobs', "
        "'')::text) FROM sent",
        where, JOB_ADMIN_BATCH);
    int err = pg_run(pg, &res, sql.data, a);
    if (!err)
        *n = pg_i64(res, 0, 0);
    return err;
}

int job_admin_retry(struct pg *pg, int tenant_id, const struct job_filter *f, int64_t *n)
{
    CLEANUP(buf_free) struct buf where = {0};
    struct pg_args a = {0};
    int err = pg_begin(pg, tenant_id);

    *n = 0;
    if (err)
        return err;
    add_filter(&where, &a, f);
    buf_printf(&where, " AND state IN (%s)",
               f->id ? "'buried', 'cancelled', 'queued'" : "'buried', 'cancelled'");
    return pg_end(pg, job_admin_start_over(pg, where.data, &a, n));
}

/* ---- bury, cancel ---- */

/* What the rows' jobs were about is marked as failed. */
static int tell_kinds(struct pg_pool *pool, int tenant_id, PGresult *res, const char *why)
{
    struct job_ctx ctx = {.pool = pool};
    int err = 0;

    for (int r = 0; r < PQntuples(res) && !err; r++) {
        json_auto_t *payload = json_loads(pg_text(res, r, 2), 0, NULL);
        struct job job = {.tenant_id = tenant_id, .payload = payload};
        const struct job_kind *kind = NULL;
        for (size_t k = 0; k < WORKER_KINDS; k++)
            if (str_is(worker_kinds[k]->name, pg_text(res, r, 1)))
                kind = worker_kinds[k];
        err = pg_uuid(res, r, 0, &job.id);
        if (!err && kind && kind->buried)
            err = kind->buried(&ctx, &job, why);
    }
    return err;
}

static int put_aside(struct pg *pg, struct pg_pool *pool, int tenant_id,
                     const struct job_filter *f, const char *state, const char *from,
                     int64_t *n)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    CLEANUP(buf_free) struct buf sql = {0};
    struct pg_args a = {0};
    const char *why = str_is(state, "buried") ? "put aside by a person"
                                              : "cancelled by a person before it began";

    *n = 0;
    int err = pg_begin(pg, tenant_id);
    if (err)
        return err;
    pg_arg_text(&a, state);
    pg_arg_text(&a, why);
    buf_puts(&sql, "WITH pick (picked) AS MATERIALIZED (SELECT id FROM jobs WHERE ");
    add_filter(&sql, &a, f);
    buf_printf(
        &sql,
        " AND state IN (%s) LIMIT %d FOR UPDATE) UPDATE jobs SET state = $1, "
        "lease_until = NULL, lease_holder = NULL, finished_at = clock_timestamp(), "
        "last_error = CASE WHEN last_error = '' THEN $2 ELSE last_error END FROM "
        "pick WHERE id = picked RETURNING id, kind, payload",
        from, JOB_ADMIN_BATCH);
    /* Before the commit: what a job was about never looks as if it were at work when
     * nothing works at it. When that fails the jobs stay as they were. */
    err = pg_run(pg, &res, sql.data, &a);
    if (!err)
        err = tell_kinds(pool, tenant_id, res, why);
    err = pg_end(pg, err);
    *n = err ? 0 : PQntuples(res);
    return err;
}

int job_admin_bury(struct pg *pg, struct pg_pool *pool, int tenant_id,
                   const struct job_filter *f, int64_t *n)
{
    return put_aside(pg, pool, tenant_id, f, "buried", "'queued', 'cancelled'", n);
}

static int ask_running(struct pg *pg, int tenant_id, const struct job_filter *f,
                       int64_t *asked)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    CLEANUP(buf_free) struct buf sql = {0};
    struct pg_args a = {0};
    int err = pg_begin(pg, tenant_id);

    if (err)
        return err;
    buf_puts(&sql, "UPDATE jobs SET cancel_asked = true WHERE ");
    add_filter(&sql, &a, f);
    buf_puts(&sql, " AND finished_at IS NULL AND state = 'running' AND NOT cancel_asked");
    err = pg_end(pg, pg_run(pg, &res, sql.data, &a));
    *asked = err ? 0 : pg_affected(res);
    return err;
}

int job_admin_cancel(struct pg *pg, struct pg_pool *pool, int tenant_id,
                     const struct job_filter *f, int64_t *n, int64_t *asked)
{
    *asked = 0;
    int err = put_aside(pg, pool, tenant_id, f, "cancelled", "'queued'", n);
    if (!err && *n < JOB_ADMIN_BATCH)
        err = ask_running(pg, tenant_id, f, asked);
    /* It may have ended a try between the two. */
    if (!err && f->id && *n + *asked == 0)
        err = put_aside(pg, pool, tenant_id, f, "cancelled", "'queued'", n);
    return err;
}
