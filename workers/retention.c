#include "workers/retention.h"

#include <errno.h>
#include <string.h>

#include "base/pg.h"
#include "base/str.h"
#include "base/uuid.h"
#include "workers/job_schedule.h"

enum { BATCH = 200 };
#define DAY_MS   ((int64_t)86400 * 1000)
#define SCHEDULE "recordings.expire"

int retention_load(struct pg *pg, int tenant_id, int *days)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;

    int err = pg_run_alone(
        pg, tenant_id, &res,
        "SELECT coalesce(keep_recordings_days, 0) FROM tenant_settings", NULL);
    *days = !err && PQntuples(res) == 1 ? (int)pg_i64(res, 0, 0) : 0;
    return err;
}

int retention_set(struct pg *pg, int tenant_id, int days, int64_t now_ms,
                  struct errtext *e)
{
    const struct job_schedule hourly = {.name = SCHEDULE,
                                        .kind = "recordings.expire",
                                        .cron = "23 * * * *",
                                        .timezone = "Etc/UTC"};
    struct pg_args a = {0};
    int64_t next_ms = 0;

    pg_arg_i64(&a, tenant_id);
    pg_arg_i64(&a, days);
    pg_arg_ms(&a, now_ms);
    int err = pg_run_alone(pg, tenant_id, NULL,
                           "INSERT INTO tenant_settings AS s (tenant_id, "
                           "keep_recordings_days, changed_at) VALUES ($1, nullif($2, 0), "
                           "furrow_ts($3)) ON CONFLICT (tenant_id) DO UPDATE SET "
                           "keep_recordings_days = nullif($2, 0), changed_at = "
                           "furrow_ts($3)",
                           &a);
    if (err)
        return errtext_set(e, err, 0, 0, "%s", pg_error(pg));
    if (days > 0)
        return job_schedule_set(pg, tenant_id, &hourly, now_ms, &next_ms, e);
    err = job_schedule_remove(pg, tenant_id, SCHEDULE);
    return err && err != ENOENT ? errtext_set(e, err, 0, 0, "%s", pg_error(pg)) : 0;
}

/* Old enough ($1), and processed to the end. */
#define OLD                                                                              \
    "r.sha256 IS NOT NULL AND r.media_deleted_at IS NULL AND r.created_at < "            \
    "furrow_ts($1)"
#define PROCESSED                                                                        \
    "r.state IN ('done', 'empty') AND NOT EXISTS (SELECT FROM jobs j WHERE "             \
    "j.unique_key = r.id::text AND j.finished_at IS NULL)"

static int count(struct pg *pg, int tenant_id, int64_t before_ms,
                 struct retention_counts *counts)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    pg_arg_ms(&a, before_ms);
    int err = pg_run_alone(
        pg, tenant_id, &res,
        "SELECT count(*) FILTER (WHERE due), count(*) FILTER (WHERE NOT due), "
        "count(DISTINCT sha256) FILTER (WHERE due AND (furrow_media_rows(sha256)).kept "
        "<= same), coalesce(sum(bytes / same) FILTER (WHERE due AND "
        "(furrow_media_rows(sha256)).kept <= same), 0)::bigint FROM (SELECT r.sha256, "
        "r.bytes, " PROCESSED " AS due, count(*) FILTER (WHERE " PROCESSED ") OVER "
        "(PARTITION BY r.sha256) AS same FROM recordings r WHERE " OLD ") x",
        &a);
    if (err)
        return err;
    counts->expired = pg_i64(res, 0, 0);
    counts->waiting = pg_i64(res, 0, 1);
    counts->deleted = pg_i64(res, 0, 2);
    counts->bytes = pg_i64(res, 0, 3);
    return 0;
}

int retention_hold(struct pg *pg, const char *sha256, bool *doubt)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    pg_arg_text(&a, sha256);
    int err =
        pg_run(pg, NULL,
               "SELECT pg_advisory_xact_lock(hashtextextended('media ' || $1, 0))", &a);
    if (!err)
        err = pg_run(pg, &res, "SELECT gone > 0 FROM furrow_media_rows($1)", &a);
    if (!err)
        *doubt = pg_bool(res, 0, 0);
    return err;
}

/* In the transaction of the row: 1 as *last when nobody else has the audio. */
static int let_go(struct pg *pg, const struct uuid *id, const char *sha256,
                  int64_t now_ms, bool *ours, bool *last)
{
    CLEANUP(pg_result_free) PGresult *done = NULL;
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0}, row = {0};

    pg_arg_uuid(&row, id);
    pg_arg_ms(&row, now_ms);
    int err = pg_run(pg, &done,
                     "UPDATE recordings r SET media_deleted_at = furrow_ts($2) WHERE "
                     "r.id = $1 AND r.media_deleted_at IS NULL AND " PROCESSED,
                     &row);
    *ours = !err && pg_affected(done) == 1;
    *last = false;
    if (err || !*ours)
        return err;
    pg_arg_text(&a, sha256);
    err = pg_run(pg, &res, "SELECT kept = 0 FROM furrow_media_rows($1)", &a);
    if (!err)
        *last = pg_bool(res, 0, 0);
    return err;
}

/* The store is asked inside the transaction: killed before it commits, the row says that
 * the audio is there, and the next run deletes what is deleted already. */
static int expire_one(struct pg *pg, int tenant_id, const struct retention_run *run,
                      const PGresult *rows, int i, int64_t now_ms,
                      struct retention_counts *counts, struct errtext *e)
{
    const char *sha256 = pg_text(rows, i, 1);
    bool ours = false, last = false, doubt = false;
    struct uuid id;

    int err = pg_uuid(rows, i, 0, &id);
    if (!err)
        err = pg_begin(pg, tenant_id);
    if (err)
        return err;
    err = retention_hold(pg, sha256, &doubt);
    if (!err)
        err = let_go(pg, &id, sha256, now_ms, &ours, &last);
    if (!err && last)
        err = content_delete(run->content, run->http, CONTENT_MEDIA, sha256, e);
    err = pg_end(pg, err);
    if (err || !ours)
        return err;
    counts->expired++;
    counts->deleted += last;
    counts->bytes += last ? pg_i64(rows, i, 2) : 0;
    return 0;
}

static int expire_batch(struct pg *pg, int tenant_id, const struct retention_run *run,
                        int64_t before_ms, int64_t now_ms,
                        struct retention_counts *counts, bool *more, struct errtext *e)
{
    CLEANUP(pg_result_free) PGresult *rows = NULL;
    int64_t had = counts->expired;
    struct pg_args a = {0};

    pg_arg_ms(&a, before_ms);
    pg_arg_i64(&a, BATCH);
    int err = pg_run_alone(pg, tenant_id, &rows,
                           "SELECT r.id, r.sha256, coalesce(r.bytes, 0) FROM recordings "
                           "r WHERE " OLD " AND " PROCESSED " ORDER BY r.created_at "
                           "LIMIT $2",
                           &a);
    for (int i = 0; !err && i < PQntuples(rows); i++)
        err = run->stop && atomic_load(run->stop)
                  ? EINTR
                  : expire_one(pg, tenant_id, run, rows, i, now_ms, counts, e);
    *more = !err && PQntuples(rows) == BATCH && counts->expired > had;
    return err;
}

int retention_expire(struct pg *pg, int tenant_id, const struct retention_run *run,
                     int64_t now_ms, struct retention_counts *counts, struct errtext *e)
{
    struct retention_counts due = {0};
    int days = 0;
    bool more = true;

    *counts = (struct retention_counts){0};
    int err = retention_load(pg, tenant_id, &days);
    if (err || days == 0)
        return err;
    int64_t before_ms = now_ms - days * DAY_MS;
    err = count(pg, tenant_id, before_ms, &due);
    if (!err && run->dry)
        *counts = due;
    counts->waiting = due.waiting;
    while (!err && !run->dry && more)
        err = expire_batch(pg, tenant_id, run, before_ms, now_ms, counts, &more, e);
    return err;
}
