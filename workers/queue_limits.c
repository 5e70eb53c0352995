/*
 * Jobs that are taken from their rows though Redis is there: of kinds with limits,
 * which hold for all workers together, before others the high ones, and low ones when
 * nothing else waits. The row of job_queues is the lock under which a limited kind's
 * jobs are counted and taken.
 */
#include <string.h>

#include "base/clock.h"
#include "base/xalloc.h"
#include "workers/queue_internal.h"

enum {
    LIMITS_EVERY_MS = 500, /* and with many tenants: */
    LIMITS_TENANT_MS = 25,
    LIMITS_EVERY_MOST_MS = 5000,
    LOOK_MS = 50, /* after nothing was found, then twice as long and so on */
    LOOK_MOST_MS = 400,
    NO_LIMIT = 1000000,
};

#define ORDER " ORDER BY priority DESC, run_at LIMIT $4 FOR UPDATE SKIP LOCKED"

/* Tokens: a rate lets through what it would in 100 ms at once, at least one. */
#define TOKENS_FROM                                                                      \
    "greatest(next_at, clock_timestamp() - greatest(0.1, 1 / rate_per_s) * interval '1 " \
    "s')"

static bool is_due(const struct queue_look *l)
{
    return mono_ms() >= l->at_ms;
}

static void looked(struct queue_look *l, bool found)
{
    l->every_ms = found || !l->every_ms ? LOOK_MS : 2 * l->every_ms;
    if (l->every_ms > LOOK_MOST_MS)
        l->every_ms = LOOK_MOST_MS;
    l->at_ms = found ? 0 : mono_ms() + l->every_ms;
}

void queue_look_again(struct queue *q)
{
    memset(q->ranked, 0, QUEUE_TENANTS_MAX * sizeof(*q->ranked));
    for (int i = 0; i < q->limited_count; i++)
        q->limited[i].look = (struct queue_look){0};
}

/* What was known of it is kept. */
static struct queue_limited limited(const struct queue *q, int tenant_id, int kind)
{
    for (int i = 0; i < q->limited_count; i++)
        if (q->limited[i].tenant_id == tenant_id && q->limited[i].kind == kind)
            return q->limited[i];
    return (struct queue_limited){.tenant_id = tenant_id, .kind = kind};
}

static int64_t limits_every_ms(const struct queue *q)
{
    int64_t ms = (int64_t)q->tenant_count * LIMITS_TENANT_MS;

    return ms < LIMITS_EVERY_MS        ? LIMITS_EVERY_MS
           : ms > LIMITS_EVERY_MOST_MS ? LIMITS_EVERY_MOST_MS
                                       : ms;
}

static int load_limits(struct queue *q)
{
    struct queue_limited found[QUEUE_LIMITED_MAX];
    CLEANUP(buf_free) struct buf kinds = {0};
    struct pg_args a = {0};
    int n = 0;

    if (q->limits_at_ms > mono_ms())
        return 0;
    int err = queue_tenants(q);
    queue_kinds_array(q, NULL, &kinds);
    pg_arg_text(&a, kinds.data);
    for (size_t t = 0; t < q->tenant_count && !err; t++) {
        CLEANUP(pg_result_free) PGresult *res = NULL;
        err = queue_run_soft(q, q->tenants[t], &res,
                             "SELECT kind FROM job_queues WHERE kind = ANY ($1::text[]) "
                             "AND (rate_per_s IS NOT NULL OR max_running IS NOT NULL)",
                             &a);
        for (int r = 0; !err && r < PQntuples(res) && n < QUEUE_LIMITED_MAX; r++)
            found[n++] =
                limited(q, q->tenants[t], queue_kind_index(q, pg_text(res, r, 0)));
    }
    if (!err) {
        memcpy(q->limited, found, (size_t)n * sizeof(found[0]));
        q->limited_count = n;
        q->limits_at_ms = mono_ms() + limits_every_ms(q);
    }
    return err;
}

/* Inside the transaction: locks the kind and says how many may begin. Locked by another
 * worker: none, this time. */
static int count_free(struct queue *q, const char *kind, int64_t *free, bool *slots)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    CLEANUP(pg_result_free) PGresult *used = NULL;
    struct pg_args a = {0};

    *free = 0;
    pg_arg_text(&a, kind);
    pg_arg_i64(&a, NO_LIMIT);
    int err = pg_run(q->pg, &res,
                     "SELECT CASE WHEN rate_per_s IS NULL THEN $2::bigint ELSE "
                     "floor(extract(epoch FROM clock_timestamp() - " TOKENS_FROM
                     ") * rate_per_s + 1e-6)::bigint END, max_running FROM job_queues "
                     "WHERE kind = $1 FOR UPDATE SKIP LOCKED",
                     &a);
    if (err || PQntuples(res) == 0)
        return err;
    *free = pg_i64(res, 0, 0);
    *slots = !pg_is_null(res, 0, 1);
    if (!*slots || *free < 1)
        return 0;
    a.n = 1;
    err = pg_run(q->pg, NULL,
                 "DELETE FROM job_slots s WHERE kind = $1 AND NOT EXISTS (SELECT FROM "
                 "jobs j WHERE j.id = s.job_id AND j.state IS NOT DISTINCT FROM "
                 "'running')",
                 &a);
    if (!err)
        err = pg_run(q->pg, &used, "SELECT count(*) FROM job_slots WHERE kind = $1", &a);
    if (!err && pg_i64(res, 0, 1) - pg_i64(used, 0, 0) < *free)
        *free = pg_i64(res, 0, 1) - pg_i64(used, 0, 0);
    return err;
}

static int use_up(struct queue *q, const char *kind, PGresult *taken, bool slots)
{
    CLEANUP(buf_free) struct buf array = {0};
    int n = PQntuples(taken);
    CLEANUP(free_cleanup) struct uuid *ids = xcalloc((size_t)n + 1, sizeof(*ids));
    struct pg_args a = {0};
    int err = 0;

    for (int r = 0; r < n && !err; r++)
        err = pg_uuid(taken, r, 0, &ids[r]);
    pg_arg_text(&a, kind);
    pg_arg_i64(&a, n);
    if (!err)
        err = pg_run(q->pg, NULL,
                     "UPDATE job_queues SET next_at = " TOKENS_FROM
                     " + $2::bigint / rate_per_s * interval '1 s' WHERE kind = $1 AND "
                     "rate_per_s IS NOT NULL",
                     &a);
    if (err || !slots)
        return err;
    pg_array_uuid(&array, ids, (size_t)n);
    a = (struct pg_args){0};
    pg_arg_text(&a, kind);
    pg_arg_text(&a, array.data);
    return pg_run(q->pg, NULL,
                  "INSERT INTO job_slots (job_id, tenant_id, kind) SELECT id, "
                  "furrow_tenant(), $1 FROM unnest($2::uuid[]) id ON CONFLICT DO NOTHING",
                  &a);
}

static int take_limited(struct queue *q, struct queue_limited *l, int room,
                        struct queue_item *items, int *n)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    const char *kind = q->options->kinds[l->kind]->name;
    struct pg_args a = {0};
    int64_t free = 0;
    bool slots = false;

    int err = queue_begin_soft(q, l->tenant_id);
    if (err)
        return err;
    err = count_free(q, kind, &free, &slots);
    if (!err && free > 0) {
        pg_arg_text(&a, q->options->holder);
        pg_arg_i64(&a, q->options->lease_ms);
        pg_arg_text(&a, kind);
        pg_arg_i64(&a, free < room ? free : room);
        err = pg_run(
            q->pg, &res,
            QUEUE_TAKE("SELECT id FROM jobs WHERE kind = $3 AND "
                       "finished_at IS NULL AND state = 'queued' AND run_at <= "
                       "clock_timestamp() AND deaths = 0 AND " QUEUE_NOT_HELD ORDER),
            &a);
    }
    if (!err && res && PQntuples(res) > 0)
        err = use_up(q, kind, res, slots);
    err = pg_end(q->pg, err);
    /* While the limit is what holds them they are looked for as before. */
    looked(&l->look, free < 1 || (res && PQntuples(res) > 0));
    for (int r = 0; !err && res && r < PQntuples(res); r++)
        queue_read_item(q, l->tenant_id, res, r, &items[(*n)++]);
    return err;
}

/* Of one tenant, of the kinds with room, at most as many as the smallest room: a few
 * more come with the next look. */
static int take_ranked(struct queue *q, int tenant_id, const struct buf *kinds, int limit,
                       int priority, struct queue_item *items, int *n)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    pg_arg_text(&a, q->options->holder);
    pg_arg_i64(&a, q->options->lease_ms);
    pg_arg_text(&a, kinds->data);
    pg_arg_i64(&a, limit);
    pg_arg_i64(&a, priority);
    int err = queue_run_soft(
        q, tenant_id, &res,
        QUEUE_TAKE("SELECT id FROM jobs WHERE kind = ANY ($3::text[]) AND finished_at IS "
                   "NULL AND priority = $5 AND state = 'queued' AND run_at <= "
                   "clock_timestamp() AND deaths = 0 AND " QUEUE_NOT_RULED
                   " LIMIT $4 FOR UPDATE SKIP LOCKED"),
        &a);
    for (int r = 0; !err && r < PQntuples(res); r++)
        queue_read_item(q, tenant_id, res, r, &items[(*n)++]);
    return err;
}

bool queue_has_limits(const struct queue *q)
{
    return q->limited_count > 0;
}

/* High jobs of all tenants, and low ones when there is nothing else to do. */
static int take_all_ranked(struct queue *q, const struct buf *kinds, int least, bool idle,
                           struct queue_item *items, int max, int *n)
{
    int err = 0;

    for (size_t t = 0; t < q->tenant_count && !err; t++) {
        int before = *n;
        if (least > max - *n)
            least = max - *n;
        if (least < 1)
            break;
        if (!is_due(&q->ranked[t]))
            continue;
        err = take_ranked(q, q->tenants[t], kinds, least, 1, items, n);
        if (!err && idle && least > *n - before)
            err =
                take_ranked(q, q->tenants[t], kinds, least - (*n - before), -1, items, n);
        looked(&q->ranked[t], err || *n > before);
        least -= *n - before;
    }
    return err;
}

int queue_take_rows(struct queue *q, const int *room, bool idle, struct queue_item *items,
                    int max, int *n)
{
    CLEANUP(buf_free) struct buf kinds = {0};
    bool wanted[QUEUE_KINDS_MAX] = {0};
    int left[QUEUE_KINDS_MAX] = {0}, least = max;

    *n = 0;
    int err = load_limits(q);
    memcpy(left, room, (size_t)q->options->kind_count * sizeof(*left));
    for (int i = 0; i < q->limited_count && !err; i++) {
        int before = *n, k = q->limited[i].kind;
        int limit = left[k] < max - *n ? left[k] : max - *n;
        if (limit > 0 && is_due(&q->limited[i].look))
            err = take_limited(q, &q->limited[i], limit, items, n);
        left[k] -= *n - before;
    }
    for (int k = 0; k < q->options->kind_count; k++) {
        wanted[k] = left[k] > 0;
        least = wanted[k] && left[k] < least ? left[k] : least;
    }
    queue_kinds_array(q, wanted, &kinds);
    if (!err)
        err = take_all_ranked(q, &kinds, least, idle, items, max, n);
    return *n > 0 ? 0 : err;
}
