/* What workers did, kept for /metrics and `furrow jobs watch`; rows that expire; what a
 * job tells about itself. */
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/xalloc.h"
#include "workers/queue_internal.h"

static const int64_t bucket_ms[QUEUE_BUCKETS - 1] = {5,    25,    100,   500,
                                                     2500, 10000, 60000, 600000};

static void add_to(int64_t le[QUEUE_BUCKETS], int64_t ms)
{
    int b = 0;

    while (b < QUEUE_BUCKETS - 1 && ms > bucket_ms[b])
        b++;
    le[b]++;
}

void queue_tally_add(struct queue_tally *t, const struct queue_item *item,
                     enum job_result result, int64_t wait_ms, int64_t run_ms)
{
    int i = 0;

    while (i < t->count &&
           (t->rows[i].tenant_id != item->job.tenant_id || t->rows[i].kind != item->kind))
        i++;
    if (i == QUEUE_TALLY_MAX)
        return; /* so many tenants in five seconds: a gap in a graph */
    if (i == t->count)
        t->rows[t->count++] = (struct queue_tally_row){.tenant_id = item->job.tenant_id,
                                                       .kind = item->kind};
    struct queue_tally_row *row = &t->rows[i];
    int64_t *const counts[] = {[JOB_DONE] = &row->done,
                               [JOB_RETRY] = &row->retried,
                               [JOB_BURY] = &row->buried,
                               [JOB_CANCELLED] = &row->cancelled};
    if (result == JOB_HANDED_BACK)
        return;
    ++*counts[result];
    row->wait_ms += wait_ms;
    row->run_ms += run_ms;
    add_to(row->wait_le, wait_ms);
    add_to(row->run_le, run_ms);
}

static int write_row(struct queue *q, const struct queue_tally_row *r)
{
    CLEANUP(buf_free) struct buf wait = {0};
    CLEANUP(buf_free) struct buf run = {0};
    struct pg_args a = {0};

    pg_array_i64(&wait, r->wait_le, QUEUE_BUCKETS);
    pg_array_i64(&run, r->run_le, QUEUE_BUCKETS);
    pg_arg_i64(&a, r->tenant_id);
    pg_arg_text(&a, q->options->kinds[r->kind]->name);
    pg_arg_i64(&a, r->done);
    pg_arg_i64(&a, r->retried);
    pg_arg_i64(&a, r->buried);
    pg_arg_i64(&a, r->cancelled);
    pg_arg_i64(&a, r->wait_ms);
    pg_arg_i64(&a, r->run_ms);
    pg_arg_text(&a, wait.data);
    pg_arg_text(&a, run.data);
    return queue_run_soft(
        q, r->tenant_id, NULL,
        "INSERT INTO job_counts AS c (tenant_id, kind, done, retried, buried, cancelled, "
        "wait_ms, run_ms, wait_le, run_le) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, "
        "$10) ON CONFLICT (tenant_id, kind) DO UPDATE SET done = c.done + excluded.done, "
        "retried = c.retried + excluded.retried, buried = c.buried + excluded.buried, "
        "cancelled = c.cancelled + excluded.cancelled, wait_ms = c.wait_ms + "
        "excluded.wait_ms, run_ms = c.run_ms + excluded.run_ms, wait_le = ARRAY(SELECT x "
        "+ y FROM unnest(c.wait_le, excluded.wait_le) WITH ORDINALITY u (x, y, i) ORDER "
        "BY i), run_le = ARRAY(SELECT x + y FROM unnest(c.run_le, excluded.run_le) WITH "
        "ORDINALITY u (x, y, i) ORDER BY i)",
        &a);
}

int queue_tally_write(struct queue *q, struct queue_tally *t)
{
    int err = 0;

    while (t->count > 0 && !(err = write_row(q, &t->rows[t->count - 1])))
        t->count--;
    return err;
}

/* Ids are ordered by time, so old rows are at the front of the key. An id's time is
 * business time; finished_at decides. */
int queue_expire(struct queue *q, int64_t keep_ms, int *n)
{
    struct pg_args a = {0};
    int err = queue_tenants(q);

    *n = 0;
    pg_arg_i64(&a, keep_ms);
    pg_arg_i64(&a, QUEUE_EXPIRE_BATCH);
    for (size_t t = 0; t < q->tenant_count && !err; t++) {
        CLEANUP(pg_result_free) PGresult *res = NULL;
        err = queue_run_soft(
            q, q->tenants[t], &res,
            "WITH past AS MATERIALIZED (SELECT clock_timestamp() - $1::bigint * interval "
            "'1 millisecond' AS at), pick (picked) AS MATERIALIZED (SELECT id FROM jobs "
            "WHERE id < (SELECT furrow_uuid_floor(at) FROM past) AND finished_at < "
            "(SELECT at FROM past) AND state IN ('done', 'cancelled') AND (parent_id "
            "IS NULL OR NOT EXISTS (SELECT FROM jobs p WHERE p.id = jobs.parent_id AND "
            "p.state NOT IN ('done', 'cancelled'))) ORDER BY id LIMIT $2 FOR UPDATE SKIP "
            "LOCKED) DELETE FROM jobs USING pick WHERE id = picked",
            &a);
        if (!err)
            *n += (int)pg_affected(res);
    }
    return err;
}

int queue_next_due(struct queue *q, int64_t within_ms, int64_t *due_ms)
{
    CLEANUP(buf_free) struct buf kinds = {0};
    struct pg_args a = {0};
    int err = queue_tenants(q);

    *due_ms = within_ms;
    queue_kinds_array(q, NULL, &kinds);
    pg_arg_text(&a, kinds.data);
    pg_arg_i64(&a, within_ms);
    for (size_t t = 0; t < q->tenant_count && !err; t++) {
        CLEANUP(pg_result_free) PGresult *res = NULL;
        err = queue_run_soft(
            q, q->tenants[t], &res,
            "SELECT ceil(extract(epoch FROM min(run_at) - clock_timestamp()) * 1000) "
            "FROM jobs WHERE kind = ANY ($1::text[]) AND finished_at IS NULL AND run_at "
            "> "
            "clock_timestamp() AND run_at < clock_timestamp() + $2::bigint * interval '1 "
            "millisecond'",
            &a);
        if (!err && !pg_is_null(res, 0, 0) && pg_i64(res, 0, 0) < *due_ms)
            *due_ms = pg_i64(res, 0, 0) > 0 ? pg_i64(res, 0, 0) : 1;
    }
    return err;
}
