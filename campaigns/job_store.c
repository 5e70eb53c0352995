#include "campaigns/job_store.h"

#include <errno.h>
#include <stdlib.h>

#include "base/pg.h"
#include "base/xalloc.h"

/*
 * Inserting the job and its outbox row is one statement: a job that is there
 * already gets no second outbox row. A delayed job gets none either: lease_until
 * tells the sweep when it is due.
 *
 * The notice wakes a relay that sleeps. It is not sent while rows wait in the
 * outbox, because then the relay is awake, and a notice makes commits queue up.
 */
int job_enqueue(struct pg *pg, int tenant_id, const char *kind, const char *key,
                json_t *payload, int64_t now_ms, int64_t run_after_ms)
{
    struct uuid id = uuid_v7(now_ms);
    struct pg_args a = {0};
    CLEANUP(free_cleanup)
    char *text =
        payload ? json_dumps(payload, JSON_COMPACT | JSON_SORT_KEYS) : xstrdup("{}");

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
        "outbox)",
        &a);
}
