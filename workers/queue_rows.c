/*
 * The Postgres side of the queue: rows of jobs and outbox. Leases run on
 * Postgres' own real clock. On a queued row lease_until says until when its id
 * is believed to be under way in Redis (or, for a retry, when it is due).
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/xalloc.h"
#include "workers/queue_internal.h"

enum {
    TENANTS_EVERY_MS = 1000,
    RELAY_BATCH = 1000,
    SWEEP_BATCH = 1000,
    FRESH_MS = 5000, /* an id this young is still on its way from the outbox */
};

int queue_tenants(struct queue *q)
{
    if (q->tenant_count > 0 && mono_ms() < q->tenants_at_ms)
        return 0;
    int err = pg_tenants(q->pg, q->tenants, QUEUE_TENANTS_MAX, &q->tenant_count);
    if (!err)
        q->tenants_at_ms = mono_ms() + TENANTS_EVERY_MS;
    return err;
}

void queue_kinds_array(const struct queue *q, const bool *wanted, struct buf *out)
{
    const char *names[QUEUE_KINDS_MAX];
    size_t n = 0;

    for (int k = 0; k < q->options->kind_count; k++)
        if (!wanted || wanted[k])
            names[n++] = q->options->kinds[k]->name;
    pg_array_text(out, names, n);
}

/* ---- taking ---- */

/* Queries for known ids say IS NOT DISTINCT FROM, which no index of states can
 * serve: the planner may take such an index for almost empty (no statistics yet,
 * or those of a quiet hour) and then reads every waiting job instead of the few. */
#define IS_FREE_BY_ID                                                                    \
    "state IS NOT DISTINCT FROM 'queued' AND run_at <= clock_timestamp() AND deaths = 0" \
    " AND " QUEUE_NOT_RULED
#define IS_HELD_BY_ID(n) "state IS NOT DISTINCT FROM 'running' AND lease_holder = $" n
#define IS_FREE                                                                          \
    "finished_at IS NULL AND state = 'queued' AND run_at <= clock_timestamp() AND "      \
    "deaths = 0 AND " QUEUE_NOT_RULED

void queue_read_item(const struct queue *q, int tenant_id, PGresult *res, int row,
                     struct queue_item *item)
{
    *item = (struct queue_item){0};
    if (pg_uuid(res, row, 0, &item->job.id))
        abort(); /* a uuid column */
    item->job.tenant_id = tenant_id;
    item->kind = queue_kind_index(q, pg_text(res, row, 1));
    item->job.payload = json_loads(pg_text(res, row, 2), 0, NULL);
    item->job.attempts = (int)pg_i64(res, row, 3);
    item->job.max_attempts = (int)pg_i64(res, row, 4);
    str_cut(item->last_error, sizeof(item->last_error), pg_text(res, row, 5));
    item->deaths = (int)pg_i64(res, row, 6);
    item->cancel_asked = pg_bool(res, row, 7);
    item->priority = (int)pg_i64(res, row, 8);
    item->waited_ms = pg_i64(res, row, 9);
    item->taken_ms = mono_ms();
}

/*
 * Settings of the connection, made again when it is a new one. Plans are made for
 * each execution, and by index and nested loop only: a table of jobs grows by thousands
 * before statistics follow, however few rows are believed to be there.
 *
 * soft: a commit that a crash of Postgres may undo, for what is done again without
 * harm: marks of running jobs (the job is queued again) and ids sent (they are
 * sent twice). Never for results.
 */
static int begin(struct queue *q, int tenant_id, bool soft)
{
    int pid = pg_is_connected(q->pg) ? PQbackendPID(pg_conn(q->pg)) : 0;

    if (pid == 0 || pid != q->settled_pid || soft != q->settled_soft) {
        struct pg_args a = {0};
        bool is_new = pid == 0 || pid != q->living_pid;
        q->settled_pid = 0;
        pg_arg_text(&a, soft ? "off" : "on");
        pg_arg_bool(&a, is_new);
        pg_arg_text(&a, q->options->holder);
        int err = pg_run(q->pg, NULL,
                         "SELECT CASE WHEN $2::bool THEN "
                         "pg_advisory_lock_shared(" QUEUE_LIFE_LOCK ", hashtext($3)) "
                         "END, set_config('synchronous_commit', $1, false), "
                         /* of a machine that is gone: long before its leases lapse */
                         "set_config('tcp_keepalives_idle', '10', false), "
                         "set_config('tcp_keepalives_interval', '5', false), "
                         "set_config('tcp_keepalives_count', '3', false), "
                         "set_config('plan_cache_mode', 'force_custom_plan', false), "
                         "set_config('enable_sort', 'off', false), "
                         "set_config('enable_seqscan', 'off', false), "
                         "set_config('enable_hashjoin', 'off', false), "
                         "set_config('enable_mergejoin', 'off', false)",
                         &a);
        if (err)
            return err;
        q->settled_pid = q->living_pid = PQbackendPID(pg_conn(q->pg));
        q->settled_soft = soft;
    }
    return pg_begin(q->pg, tenant_id);
}

int queue_begin_soft(struct queue *q, int tenant_id)
{
    return begin(q, tenant_id, true);
}

int queue_run_soft(struct queue *q, int tenant_id, PGresult **res, const char *sql,
                   const struct pg_args *a)
{
    int err = begin(q, tenant_id, true);

    return err ? err : pg_end(q->pg, pg_run(q->pg, res, sql, a));
}

/* The held ids [0, n) are all of one tenant. */
static int take_some(struct queue *q, int n, struct queue_item *items, int *taken,
                     struct queue_id *dead, int *dead_count)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    CLEANUP(buf_free) struct buf array = {0};
    CLEANUP(free_cleanup) struct uuid *ids = xcalloc((size_t)n, sizeof(*ids));
    struct pg_args a = {0};
    int tenant_id = q->held[0].tenant_id, rows = 0;

    for (int i = 0; i < n; i++)
        ids[i] = q->held[i].id;
    pg_array_uuid(&array, ids, (size_t)n);
    pg_arg_text(&a, q->options->holder);
    pg_arg_i64(&a, q->options->lease_ms);
    pg_arg_text(&a, array.data);
    if (tenant_id > 0) {
        /* Rows another worker is just taking are passed over, not waited for. */
        int err = queue_run_soft(q, tenant_id, &res,
                                 QUEUE_TAKE("SELECT id FROM jobs WHERE id = ANY "
                                            "($3::uuid[]) AND " IS_FREE_BY_ID
                                            " FOR UPDATE SKIP LOCKED"),
                                 &a);
        if (err)
            return err;
        rows = PQntuples(res);
    }
    bool *used = xcalloc((size_t)n, sizeof(*used));
    for (int r = 0; r < rows; r++) {
        struct queue_item *item = &items[(*taken)++];
        queue_read_item(q, tenant_id, res, r, item);
        for (int i = 0; i < n; i++) {
            if (used[i] ||
                memcmp(&q->held[i].id, &item->job.id, sizeof(struct uuid)) != 0)
                continue;
            memcpy(item->entry, q->held[i].entry, sizeof(item->entry));
            item->kind = q->held[i].kind;
            used[i] = true;
            break;
        }
    }
    for (int i = 0; i < n; i++)
        if (!used[i])
            dead[(*dead_count)++] = q->held[i];
    free(used);
    return 0;
}

/* Brings the ids of one tenant to the front, at most max; returns how many. */
static int gather_tenant(struct queue *q, int max)
{
    int n = 0;

    for (int i = 0; i < q->held_count && n < max; i++) {
        if (q->held[i].tenant_id != q->held[0].tenant_id)
            continue;
        struct queue_id id = q->held[n];
        q->held[n++] = q->held[i];
        q->held[i] = id;
    }
    return n;
}

int queue_take_held(struct queue *q, struct queue_item *items, int max, int *n,
                    struct queue_id *dead, int *dead_count)
{
    while (q->held_count > 0 && *n < max) {
        int some = gather_tenant(q, max - *n);
        int err = take_some(q, some, items, n, dead, dead_count);
        if (err)
            return *n > 0 ? 0 : err; /* the rest stays held */
        q->held_count -= some;
        memmove(q->held, q->held + some, (size_t)q->held_count * sizeof(*q->held));
    }
    return 0;
}

static int take_due_kind(struct queue *q, int tenant_id, int kind, int limit,
                         struct queue_item *items, int *n)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    pg_arg_text(&a, q->options->holder);
    pg_arg_i64(&a, q->options->lease_ms);
    pg_arg_text(&a, q->options->kinds[kind]->name);
    pg_arg_i64(&a, limit);
    int err = queue_run_soft(
        q, tenant_id, &res,
        QUEUE_TAKE("SELECT id FROM jobs WHERE kind = $3 AND " IS_FREE
                   " ORDER BY priority DESC, run_at LIMIT $4 FOR UPDATE SKIP "
                   "LOCKED"),
        &a);
    for (int r = 0; !err && r < PQntuples(res); r++)
        queue_read_item(q, tenant_id, res, r, &items[(*n)++]);
    return err;
}

int queue_take_due(struct queue *q, const int *room, struct queue_item *items, int max,
                   int *n)
{
    int left[QUEUE_KINDS_MAX] = {0};
    int err = queue_tenants(q);

    memcpy(left, room, (size_t)q->options->kind_count * sizeof(*left));
    for (size_t t = 0; t < q->tenant_count && !err; t++) {
        for (int k = 0; k < q->options->kind_count && !err; k++) {
            int before = *n, limit = left[k] < max - *n ? left[k] : max - *n;
            if (limit < 1)
                continue;
            err = take_due_kind(q, q->tenants[t], k, limit, items, n);
            left[k] -= *n - before;
        }
    }
    return *n > 0 ? 0 : err;
}

/* ---- results ---- */

static int finish_done(struct queue *q, int tenant_id, const struct queue_result *results,
                       int n)
{
    CLEANUP(buf_free) struct buf array = {0};
    CLEANUP(free_cleanup) struct uuid *ids = xcalloc((size_t)n, sizeof(*ids));
    struct pg_args a = {0};
    size_t count = 0;

    for (int i = 0; i < n; i++)
        if (results[i].result == JOB_DONE && results[i].item->job.tenant_id == tenant_id)
            ids[count++] = results[i].item->job.id;
    if (count == 0)
        return 0;
    pg_array_uuid(&array, ids, count);
    pg_arg_text(&a, array.data);
    pg_arg_text(&a, q->options->holder);
    return pg_run(q->pg, NULL,
                  "UPDATE jobs SET state = 'done', finished_at = clock_timestamp(), "
                  "lease_until = NULL, lease_holder = NULL, last_error = '' "
                  "WHERE id = ANY ($1::uuid[]) AND " IS_HELD_BY_ID("2"),
                  &a);
}

static int finish_other(struct queue *q, const struct queue_result *r)
{
    struct pg_args a = {0};
    bool back = r->result == JOB_HANDED_BACK;
    const char *state = r->result == JOB_BURY        ? "buried"
                        : r->result == JOB_CANCELLED ? "cancelled"
                                                     : "queued";

    pg_arg_uuid(&a, &r->item->job.id);
    pg_arg_text(&a, q->options->holder);
    pg_arg_text(&a, state);
    pg_arg_i64(&a, back ? 1 : 0);
    pg_arg_i64(&a, r->delay_ms);
    pg_arg_text(&a, r->why);
    return pg_run(q->pg, NULL,
                  "UPDATE jobs SET state = $3, attempts = attempts - $4::int, "
                  "run_at = d.at, lease_holder = NULL, last_error = CASE WHEN $3 = "
                  "'buried' AND $6 = '' "
                  "THEN 'no reason was given' ELSE $6 END, "
                  "lease_until = CASE WHEN $3 = 'queued' THEN d.at END, "
                  "finished_at = CASE WHEN $3 <> 'queued' THEN d.at END, "
                  /* a try that ended was survived */
                  "deaths = CASE WHEN $3 = 'queued' AND $4::int = 0 THEN 0 ELSE deaths "
                  "END FROM (SELECT clock_timestamp() + $5::bigint * interval '1 "
                  "millisecond' AS at) d "
                  "WHERE id = $1 AND " IS_HELD_BY_ID("2"),
                  &a);
}

static int finish_output(struct queue *q, const struct queue_result *r)
{
    CLEANUP(free_cleanup)
    char *text = json_dumps(r->output, JSON_COMPACT | JSON_ENCODE_ANY);
    struct pg_args a = {0};

    pg_arg_uuid(&a, &r->item->job.id);
    pg_arg_text(&a, q->options->holder);
    pg_arg_text(&a, text ? text : "null");
    return pg_run(q->pg, NULL,
                  "UPDATE jobs SET result = $3 WHERE id = $1 AND " IS_HELD_BY_ID("2"),
                  &a);
}

static int finish_tenant(struct queue *q, int tenant_id,
                         const struct queue_result *results, int n)
{
    int err = begin(q, tenant_id, false);

    if (err)
        return err;
    for (int i = 0; i < n && !err; i++)
        if (results[i].output && results[i].item->job.tenant_id == tenant_id)
            err = finish_output(q, &results[i]);
    if (!err)
        err = finish_done(q, tenant_id, results, n);
    for (int i = 0; i < n && !err; i++)
        if (results[i].result != JOB_DONE && results[i].item->job.tenant_id == tenant_id)
            err = finish_other(q, &results[i]);
    return pg_end(q->pg, err);
}

int queue_finish(struct queue *q, const struct queue_result *results, int n)
{
    for (int i = 0; i < n; i++) {
        bool seen = false;
        for (int j = 0; j < i && !seen; j++)
            seen = results[j].item->job.tenant_id == results[i].item->job.tenant_id;
        if (seen)
            continue;
        int err = finish_tenant(q, results[i].item->job.tenant_id, results, n);
        if (err) {
            log_info("queue", "results=%d not yet written: %s", n,
                     LOG_ESC(pg_error(q->pg)));
            return err;
        } /* repeated as a whole: what is written is not held any more */
    }
    queue_let_go(q, results, n);
    return 0;
}

int queue_renew(struct queue *q, const struct queue_item *const *items, int n)
{
    int err = queue_tenants(q);

    for (size_t t = 0; t < q->tenant_count && !err; t++) {
        CLEANUP(buf_free) struct buf array = {0};
        CLEANUP(free_cleanup) struct uuid *ids = xcalloc((size_t)n + 1, sizeof(*ids));
        struct pg_args a = {0};
        size_t count = 0;

        for (int i = 0; i < n; i++)
            if (items[i]->job.tenant_id == q->tenants[t])
                ids[count++] = items[i]->job.id;
        if (count == 0)
            continue;
        pg_array_uuid(&array, ids, count);
        pg_arg_text(&a, array.data);
        pg_arg_text(&a, q->options->holder);
        pg_arg_i64(&a, q->options->lease_ms);
        err = queue_run_soft(q, q->tenants[t], NULL,
                             "UPDATE jobs SET lease_until = clock_timestamp() + "
                             "$3::bigint * interval '1 millisecond' WHERE id = ANY "
                             "($1::uuid[]) AND " IS_HELD_BY_ID("2"),
                             &a);
    }
    return err;
}

/* ---- relay and sweep ---- */

/* An id sent twice does no harm. */
static int send_rows(struct queue *q, int tenant_id, PGresult *res)
{
    size_t n = (size_t)PQntuples(res);
    CLEANUP(free_cleanup) struct uuid *ids = xcalloc(n + 1, sizeof(*ids));
    CLEANUP(free_cleanup) int *kinds = xcalloc(n + 1, sizeof(*kinds));

    for (size_t i = 0; i < n; i++) {
        if (pg_uuid(res, (int)i, 0, &ids[i]))
            return EPROTO;
        kinds[i] = queue_kind_index(q, pg_text(res, (int)i, 1));
    }
    return n > 0 && queue_send(q, tenant_id, ids, kinds, (int)n) ? EAGAIN : 0;
}

/* Sends inside the transaction: when Redis fails the outbox stays as it was. */
static int relay_tenant(struct queue *q, int tenant_id, const struct pg_args *a,
                        int *moved)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    int err = begin(q, tenant_id, true);

    if (err)
        return err;
    err = pg_run(q->pg, &res,
                 "WITH pick (picked) AS MATERIALIZED (SELECT id FROM outbox WHERE kind = "
                 "ANY ($1::text[]) ORDER BY id LIMIT $2 FOR UPDATE SKIP LOCKED) DELETE "
                 "FROM outbox USING pick WHERE id = picked RETURNING job_id, kind",
                 a);
    if (!err)
        err = send_rows(q, tenant_id, res);
    err = pg_end(q->pg, err);
    if (!err)
        *moved += PQntuples(res);
    return err;
}

/* Sends after the commit: while the rows are locked nobody could take them. When
 * Redis fails they are sent again once they are believed lost. */
static int sweep_tenant(struct queue *q, int tenant_id, const struct pg_args *a,
                        int *moved)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    int err = queue_run_soft(
        q, tenant_id, &res,
        "WITH pick (picked) AS MATERIALIZED (SELECT id FROM jobs WHERE kind = ANY "
        "($1::text[]) AND "
        "run_at <= clock_timestamp() AND finished_at IS NULL AND state = 'queued' AND "
        "deaths = 0 AND priority >= 0 AND ($2::boolean OR coalesce(lease_until, run_at + "
        "$3::bigint * "
        "interval '1 millisecond') <= clock_timestamp()) AND " QUEUE_NOT_RULED
        " LIMIT $5 FOR UPDATE SKIP LOCKED) UPDATE jobs SET lease_until = "
        "clock_timestamp() + $4::bigint * interval '1 millisecond' FROM pick WHERE id = "
        "picked RETURNING id, kind",
        a);

    if (!err)
        err = send_rows(q, tenant_id, res);
    if (!err)
        *moved += PQntuples(res);
    return err;
}

int queue_relay(struct queue *q, int *moved)
{
    CLEANUP(buf_free) struct buf kinds = {0};
    struct pg_args a = {0};

    *moved = 0;
    if (queue_redis(q))
        return EAGAIN;
    int err = queue_tenants(q);
    queue_kinds_array(q, NULL, &kinds);
    pg_arg_text(&a, kinds.data);
    pg_arg_i64(&a, RELAY_BATCH);
    for (size_t t = 0; t < q->tenant_count && !err; t++)
        err = relay_tenant(q, q->tenants[t], &a, moved);
    return err;
}

/* A kind with much under way is left alone: its stream is its list of work. */
int queue_sweep(struct queue *q, bool all, int *moved)
{
    CLEANUP(buf_free) struct buf kinds = {0};
    int64_t under_way[QUEUE_KINDS_MAX] = {0};
    bool wanted[QUEUE_KINDS_MAX] = {0}, any = false;
    struct pg_args a = {0};

    *moved = 0;
    if (queue_under_way(q, under_way))
        return EAGAIN;
    for (int k = 0; k < q->options->kind_count; k++)
        any |= wanted[k] = under_way[k] < SWEEP_BATCH;
    if (!any)
        return 0;
    int err = queue_tenants(q);
    queue_kinds_array(q, wanted, &kinds);
    pg_arg_text(&a, kinds.data);
    pg_arg_bool(&a, all);
    pg_arg_i64(&a, FRESH_MS);
    pg_arg_i64(&a, q->options->republish_ms);
    pg_arg_i64(&a, SWEEP_BATCH);
    for (size_t t = 0; t < q->tenant_count && !err; t++)
        err = sweep_tenant(q, q->tenants[t], &a, moved);
    return err;
}

/* Reads the notices; whether one says that a job is due soon. */
static bool read_notices(struct queue *q, bool *any)
{
    bool soon = false;

    for (PGnotify *n; (n = PQnotifies(pg_conn(q->pg))); PQfreemem(n)) {
        soon |= strcmp(n->extra, "soon") == 0;
        *any = true;
    }
    return soon;
}

bool queue_wait_notice(struct queue *q, int stop_fd, int wait_ms)
{
    struct pollfd fds[2] = {{.fd = stop_fd, .events = POLLIN}, {.fd = -1}};
    bool any = false, soon = false;

    if (pg_is_connected(q->pg) && PQbackendPID(pg_conn(q->pg)) != q->listening_pid) {
        q->listening_pid = pg_run(q->pg, NULL, "LISTEN furrow_jobs", NULL)
                               ? 0
                               : PQbackendPID(pg_conn(q->pg));
        if (q->listening_pid)
            return true; /* what was said before it was listened for is looked for */
    }
    if (pg_is_connected(q->pg)) {
        fds[1] = (struct pollfd){.fd = PQsocket(pg_conn(q->pg)), .events = POLLIN};
        soon = read_notices(q, &any); /* those that were read with an answer */
        wait_ms = any ? 0 : wait_ms;
    }
    if (poll(fds, 2, wait_ms) < 1 || !fds[1].revents)
        return soon;
    /* A lost connection shows here too: the next statement connects again. */
    return PQconsumeInput(pg_conn(q->pg)) ? read_notices(q, &any) || soon : soon;
}
