/* What happens to jobs besides running: their workers die, people cancel or hold them. */
#include <string.h>

#include "base/clock.h"
#include "base/xalloc.h"
#include "workers/queue_internal.h"

enum { SETTLE_MAX_MS = 5000, REAP_BATCH = 5000 };

/* Whether the connection is old enough: after an outage of Postgres the living connect
 * again and prolong their leases first. */
static bool is_settled(struct queue *q)
{
    int pid = pg_is_connected(q->pg) ? PQbackendPID(pg_conn(q->pg)) : 0;
    int64_t settle_ms = q->options->lease_ms / 2;

    if (pid != q->reap_pid || pid == 0) {
        q->reap_pid = pid;
        q->reap_from_ms =
            mono_ms() + (settle_ms < SETTLE_MAX_MS ? settle_ms : SETTLE_MAX_MS);
    }
    return pid != 0 && mono_ms() >= q->reap_from_ms;
}

static int reap_tenant(struct queue *q, int tenant_id, const struct pg_args *a,
                       struct queue_reaped *out)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    int err = queue_run_soft(
        q, tenant_id, &res,
        "WITH pick (picked, died) AS MATERIALIZED (SELECT id, coalesce(" QUEUE_LIFE_ID(
            "lease_holder") " NOT IN (" QUEUE_LIVING "), true) FROM jobs WHERE "
                            "finished_at IS NULL AND kind = ANY ($1::text[]) AND state = "
                            "'running' AND "
                            "lease_until < clock_timestamp() - CASE WHEN lease_holder = "
                            "$3 THEN $4::bigint "
                            "ELSE 0 END * interval '1 millisecond' LIMIT $2 FOR UPDATE "
                            "SKIP LOCKED) UPDATE "
                            "jobs SET state = 'queued', deaths = deaths + died::int, "
                            "lease_holder = NULL, "
                            "lease_until = NULL, last_error = CASE WHEN died THEN "
                            "last_error ELSE 'its worker "
                            "was too busy and did not prolong its lease in time' END "
                            "FROM pick WHERE id = "
                            "picked RETURNING died",
        a);

    for (int r = 0; !err && r < PQntuples(res); r++)
        ++*(pg_bool(res, r, 0) ? &out->died : &out->late);
    return err;
}

int queue_reap(struct queue *q, struct queue_reaped *out)
{
    CLEANUP(buf_free) struct buf kinds = {0};
    struct pg_args a = {0};

    *out = (struct queue_reaped){0};
    int err = queue_tenants(q);
    if (err || !is_settled(q))
        return err;
    queue_kinds_array(q, NULL, &kinds);
    pg_arg_text(&a, kinds.data);
    pg_arg_i64(&a, REAP_BATCH);
    pg_arg_text(&a, q->options->holder);
    pg_arg_i64(&a, q->options->lease_ms);
    for (size_t t = 0; t < q->tenant_count && !err; t++)
        err = reap_tenant(q, q->tenants[t], &a, out);
    return err;
}

#define IS_SUSPECT(kinds)                                                                \
    "finished_at IS NULL AND deaths > 0 AND kind = ANY ($" kinds "::text[]) AND state "  \
    "= 'queued' AND run_at <= clock_timestamp() AND " QUEUE_NOT_HELD

int queue_suspects(struct queue *q, bool *any)
{
    CLEANUP(buf_free) struct buf kinds = {0};
    struct pg_args a = {0};
    int err = queue_tenants(q);

    *any = false;
    queue_kinds_array(q, NULL, &kinds);
    pg_arg_text(&a, kinds.data);
    for (size_t t = 0; t < q->tenant_count && !err && !*any; t++) {
        CLEANUP(pg_result_free) PGresult *res = NULL;
        err = queue_run_soft(q, q->tenants[t], &res,
                             "SELECT EXISTS (SELECT FROM jobs WHERE " IS_SUSPECT("1") ")",
                             &a);
        *any = !err && pg_bool(res, 0, 0);
    }
    return err;
}

int queue_take_suspect(struct queue *q, struct queue_item *item, int *n)
{
    CLEANUP(buf_free) struct buf kinds = {0};
    struct pg_args a = {0};
    int err = queue_tenants(q);

    *n = 0;
    queue_kinds_array(q, NULL, &kinds);
    pg_arg_text(&a, q->options->holder);
    pg_arg_i64(&a, q->options->lease_ms);
    pg_arg_text(&a, kinds.data);
    for (size_t t = 0; t < q->tenant_count && !err && *n == 0; t++) {
        CLEANUP(pg_result_free) PGresult *res = NULL;
        err = queue_run_soft(q, q->tenants[t], &res,
                             QUEUE_TAKE("SELECT id FROM jobs WHERE " IS_SUSPECT(
                                 "3") " LIMIT 1 FOR UPDATE SKIP LOCKED"),
                             &a);
        if (!err && PQntuples(res) == 1) {
            queue_read_item(q, q->tenants[t], res, 0, item);
            *n = 1;
        }
    }
    return err;
}

static int recall_tenant(struct queue *q, int tenant_id,
                         const struct queue_item *const *items, int n,
                         struct queue_recall *out, int *count)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    CLEANUP(buf_free) struct buf array = {0};
    CLEANUP(free_cleanup) struct uuid *ids = xcalloc((size_t)n + 1, sizeof(*ids));
    struct pg_args a = {0};
    size_t mine = 0;

    for (int i = 0; i < n; i++)
        if (items[i]->job.tenant_id == tenant_id)
            ids[mine++] = items[i]->job.id;
    if (mine == 0)
        return 0;
    pg_array_uuid(&array, ids, mine);
    pg_arg_text(&a, array.data);
    int err =
        queue_run_soft(q, tenant_id, &res,
                       "SELECT id, cancel_asked FROM jobs WHERE id = ANY "
                       "($1::uuid[]) AND (cancel_asked OR NOT (" QUEUE_NOT_HELD "))",
                       &a);
    for (int r = 0; !err && r < PQntuples(res); r++) {
        struct uuid id;
        err = pg_uuid(res, r, 0, &id);
        for (int i = 0; i < n && !err; i++)
            if (memcmp(&items[i]->job.id, &id, sizeof(id)) == 0)
                out[(*count)++] =
                    (struct queue_recall){.item = items[i], .cancel = pg_bool(res, r, 1)};
    }
    return err;
}

int queue_recall(struct queue *q, const struct queue_item *const *items, int n,
                 struct queue_recall *out, int *count)
{
    int err = queue_tenants(q);

    *count = 0;
    for (size_t t = 0; t < q->tenant_count && !err; t++)
        err = recall_tenant(q, q->tenants[t], items, n, out, count);
    return err;
}
