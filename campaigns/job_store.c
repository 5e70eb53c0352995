#include "campaigns/job_store.h"

#include <errno.h>
#include <stdlib.h>

#include "base/pg.h"
#include "base/str.h"
#include "base/xalloc.h"

static char *payload_text(const json_t *payload)
{
    return payload ? json_dumps(payload, JSON_COMPACT | JSON_SORT_KEYS) : xstrdup("{}");
}

/*
 * Inserting the job and its outbox row is one statement: a job that is there
 * already gets no second outbox row. A delayed job gets none either: lease_until
 * tells the sweep when it is due.
 *
 * The notice wakes a relay that sleeps. It is not sent while rows wait in the
 * outbox, because then the relay is awake, and a notice makes commits queue up.
 * That of a job which is due within a second says so: the sweep is to look.
 */
int job_enqueue(struct pg *pg, int tenant_id, const char *kind, const char *key,
                json_t *payload, int64_t now_ms, int64_t run_after_ms)
{
    struct uuid id = uuid_v7(now_ms);
    struct pg_args a = {0};
    CLEANUP(free_cleanup) char *text = payload_text(payload);

    if (!text)
        return EINVAL;
    pg_arg_uuid(&a, &id);
    pg_arg_i64(&a, tenant_id);
    pg_arg_text(&a, kind);
    pg_arg_text(&a, key);
    pg_arg_text(&a, text);
    pg_arg_i64(&a, run_after_ms);
    return pg_run(
        pg, NULL,
        "WITH job AS (INSERT INTO jobs (id, tenant_id, kind, unique_key, payload, "
        "run_at, lease_until) SELECT $1, $2, $3, $4, $5, d.at, "
        "CASE WHEN $6::bigint > 0 THEN d.at END "
        "FROM (SELECT clock_timestamp() + $6::bigint * interval '1 millisecond' AS at) "
        "d ON CONFLICT (tenant_id, kind, unique_key) DO NOTHING "
        "RETURNING id, tenant_id, kind), "
        "row AS (INSERT INTO outbox (job_id, tenant_id, kind) SELECT * FROM job WHERE "
        "$6::bigint <= 0 RETURNING id) "
        "SELECT pg_notify('furrow_jobs', '') FROM row WHERE NOT EXISTS (SELECT FROM "
        "outbox) UNION ALL SELECT pg_notify('furrow_jobs', 'soon') FROM job WHERE "
        "$6::bigint BETWEEN 1 AND 1000",
        &a);
}

/* The columns of many jobs, as array parameters. */
struct columns {
    struct buf ids, kinds, keys, payloads, priorities, delays;
};

static void columns_free(struct columns *c)
{
    buf_free(&c->ids);
    buf_free(&c->kinds);
    buf_free(&c->keys);
    buf_free(&c->payloads);
    buf_free(&c->priorities);
    buf_free(&c->delays);
}

static int columns_fill(struct columns *c, const struct job_new *jobs, size_t n,
                        int64_t now_ms)
{
    CLEANUP(free_cleanup) struct uuid *ids = xcalloc(n + 1, sizeof(*ids));
    CLEANUP(free_cleanup) const char **kinds = xcalloc(n + 1, sizeof(*kinds));
    CLEANUP(free_cleanup) const char **keys = xcalloc(n + 1, sizeof(*keys));
    CLEANUP(free_cleanup) char **payloads = xcalloc(n + 1, sizeof(*payloads));
    CLEANUP(free_cleanup) int64_t *numbers = xcalloc(n + 1, sizeof(*numbers));
    int err = 0;

    for (size_t i = 0; i < n; i++) {
        ids[i] = uuid_v7(now_ms);
        kinds[i] = jobs[i].kind;
        keys[i] = jobs[i].key;
        payloads[i] = payload_text(jobs[i].payload);
        if (!payloads[i])
            err = EINVAL;
    }
    if (!err) {
        pg_array_uuid(&c->ids, ids, n);
        pg_array_text(&c->kinds, kinds, n);
        pg_array_text(&c->keys, keys, n);
        pg_array_text(&c->payloads, (const char *const *)payloads, n);
        for (size_t i = 0; i < n; i++)
            numbers[i] = jobs[i].priority;
        pg_array_i64(&c->priorities, numbers, n);
        for (size_t i = 0; i < n; i++)
            numbers[i] = jobs[i].run_after_ms;
        pg_array_i64(&c->delays, numbers, n);
    }
    for (size_t i = 0; i < n; i++)
        free(payloads[i]);
    return err;
}

/* parent NULL: none. Low ones get no outbox row: idle workers look for them. */
static int enqueue_columns(struct pg *pg, int tenant_id, const struct columns *c,
                           const struct uuid *parent, int64_t *added)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    pg_arg_i64(&a, tenant_id);
    pg_arg_text(&a, c->ids.data);
    pg_arg_text(&a, c->kinds.data);
    pg_arg_text(&a, c->keys.data);
    pg_arg_text(&a, c->payloads.data);
    pg_arg_text(&a, c->priorities.data);
    pg_arg_text(&a, c->delays.data);
    pg_arg_uuid(&a, parent);
    int err = pg_run(
        pg, &res,
        "WITH job AS (INSERT INTO jobs (id, tenant_id, kind, unique_key, payload, "
        "priority, run_at, lease_until, parent_id) SELECT u.id, $1, u.kind, u.key, "
        "u.payload::jsonb, u.priority, d.at + greatest(u.delay, 0) * interval '1 "
        "millisecond', CASE WHEN u.delay > 0 THEN d.at + u.delay * interval '1 "
        "millisecond' END, $8 FROM (SELECT clock_timestamp() AS at) d, "
        "unnest($2::uuid[], $3::text[], $4::text[], $5::text[], $6::int[], $7::bigint[]) "
        "u (id, kind, key, payload, priority, delay) "
        "ON CONFLICT (tenant_id, kind, unique_key) DO NOTHING "
        "RETURNING id, tenant_id, kind, priority, lease_until), "
        "row AS (INSERT INTO outbox (job_id, tenant_id, kind) SELECT id, tenant_id, kind "
        "FROM job WHERE lease_until IS NULL AND priority >= 0 RETURNING id) "
        "SELECT (SELECT count(*) FROM job), CASE WHEN EXISTS (SELECT FROM row) AND NOT "
        "EXISTS (SELECT FROM outbox) THEN pg_notify('furrow_jobs', '')::text END, CASE "
        "WHEN EXISTS (SELECT FROM job WHERE lease_until < clock_timestamp() + interval "
        "'1 s') THEN pg_notify('furrow_jobs', 'soon')::text END",
        &a);
    if (!err && added)
        *added = pg_i64(res, 0, 0);
    return err;
}

int job_enqueue_many(struct pg *pg, int tenant_id, const struct job_new *jobs, size_t n,
                     int64_t now_ms, int64_t *added)
{
    CLEANUP(columns_free) struct columns c = {0};
    int err = columns_fill(&c, jobs, n, now_ms);

    return err ? err : enqueue_columns(pg, tenant_id, &c, NULL, added);
}

/* It waits at infinity. Not found again: it was there before. */
static int enqueue_parent(struct pg *pg, int tenant_id, const struct job_new *parent,
                          int64_t now_ms, struct uuid *id, bool *is_new)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    CLEANUP(free_cleanup) char *text = payload_text(parent->payload);
    struct pg_args a = {0};

    if (!text)
        return EINVAL;
    *id = uuid_v7(now_ms);
    pg_arg_uuid(&a, id);
    pg_arg_i64(&a, tenant_id);
    pg_arg_text(&a, parent->kind);
    pg_arg_text(&a, parent->key);
    pg_arg_text(&a, text);
    pg_arg_i64(&a, parent->priority);
    int err = pg_run(pg, &res,
                     "INSERT INTO jobs (id, tenant_id, kind, unique_key, payload, "
                     "priority, run_at) VALUES ($1, $2, $3, $4, $5, $6, 'infinity') ON "
                     "CONFLICT (tenant_id, kind, unique_key) DO NOTHING RETURNING id",
                     &a);
    *is_new = !err && PQntuples(res) == 1;
    return err;
}

/* Its children are counted, or it begins. */
static int release_parent(struct pg *pg, const struct uuid *id, int64_t children)
{
    struct pg_args a = {0};

    pg_arg_uuid(&a, id);
    pg_arg_i64(&a, children);
    return pg_run(
        pg, NULL,
        "WITH p AS (UPDATE jobs SET children_left = $2::bigint, run_at = CASE WHEN "
        "$2::bigint > 0 THEN run_at ELSE clock_timestamp() END WHERE id = $1 "
        "RETURNING id, tenant_id, kind), row AS (INSERT INTO outbox (job_id, "
        "tenant_id, kind) SELECT id, tenant_id, kind FROM p WHERE $2::bigint = 0 "
        "RETURNING id) SELECT pg_notify('furrow_jobs', '') FROM row",
        &a);
}

int job_enqueue_family(struct pg *pg, int tenant_id, const struct job_new *parent,
                       const struct job_new *children, size_t n, int64_t now_ms,
                       int64_t *added)
{
    CLEANUP(columns_free) struct columns c = {0};
    struct uuid id;
    int64_t count = 0;
    bool is_new = false;

    *added = 0;
    int err = columns_fill(&c, children, n, now_ms);
    if (!err)
        err = enqueue_parent(pg, tenant_id, parent, now_ms, &id, &is_new);
    if (err || !is_new)
        return err;
    if (n > 0)
        err = enqueue_columns(pg, tenant_id, &c, &id, &count);
    if (!err)
        err = release_parent(pg, &id, count);
    if (!err)
        *added = count + 1;
    return err;
}
