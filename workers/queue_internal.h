/* queue_internal - shared by queue.c (streams), queue_rows.c (rows) and queue_watch.c. */
#ifndef WORKERS_QUEUE_INTERNAL_H
#define WORKERS_QUEUE_INTERNAL_H

#include "base/pg.h"
#include "base/redis.h"
#include "base/str.h"
#include "workers/queue.h"

enum { QUEUE_TENANTS_MAX = 4096, QUEUE_LIMITED_MAX = 256 };

struct queue_look { /* monotonic: not before at_ms, and then so much later */
    int64_t at_ms, every_ms;
};

struct queue_limited {
    int tenant_id, kind;
    struct queue_look look;
};

struct queue_id { /* an id that arrived and is not yet taken */
    struct uuid id;
    int tenant_id, kind;
    char entry[QUEUE_ENTRY_MAX];
};

struct queue {
    const struct queue_options *options;
    struct redis *redis; /* NULL until it answered once */
    struct pg *pg;
    char keys[QUEUE_KINDS_MAX][96];
    struct queue_id *held;
    int held_count, held_cap;
    bool degraded, wiped, groups_made;
    char run_id[REDIS_RUN_ID_MAX]; /* of the Redis that was sent to; "": of none yet */
    unsigned connects;             /* when it was asked for */
    int64_t claim_at_ms, redis_retry_ms; /* monotonic */
    /* The backend that has this setting; 0: none. */
    int listening_pid, settled_pid, living_pid;
    bool settled_soft;
    int *tenants;
    struct queue_look *ranked; /* of each tenant */
    size_t tenant_count;
    int64_t tenants_at_ms;
    struct queue_limited limited[QUEUE_LIMITED_MAX];
    int limited_count;
    int64_t limits_at_ms; /* monotonic: when they are read again */
    int reap_pid;         /* the backend whose connection was seen first at … */
    int64_t reap_from_ms;
};

/*
 * SQL of taking jobs: queue_rows.c, queue_watch.c. QUEUE_TAKE(what is picked): a SELECT
 * of ids with FOR UPDATE SKIP LOCKED. It is a materialised part of its own, because as a
 * sub-select the planner may run it more than once, and its LIMIT would hold for each
 * run. $1 is the holder, $2 the length of the lease.
 */
#define QUEUE_TAKE(picked)                                                               \
    "WITH pick (picked) AS MATERIALIZED (" picked                                        \
    ") UPDATE jobs SET state = 'running', "                                              \
    "attempts = attempts + 1, lease_holder = $1, lease_until = clock_timestamp() + "     \
    "$2::bigint * interval '1 millisecond', started_at = clock_timestamp() FROM pick "   \
    "WHERE id = picked RETURNING id, kind, payload, attempts, max_attempts, "            \
    "last_error, deaths, cancel_asked, priority, greatest(0, extract(epoch FROM "        \
    "clock_timestamp() - run_at) * 1000)::bigint"
/* Mostly no kind has a rule: this is asked once, not for every row. */
#define QUEUE_NO_RULES "(SELECT count(*) = 0 FROM job_queues) OR "
#define QUEUE_NOT_HELD                                                                   \
    "(" QUEUE_NO_RULES "NOT EXISTS (SELECT FROM job_queues r WHERE r.kind = jobs.kind "  \
    "AND r.hold_from <= jobs.created_at))"
/* Neither held nor limited: by limits only queue_limits.c takes jobs. */
#define QUEUE_NOT_RULED                                                                  \
    "(" QUEUE_NO_RULES "NOT EXISTS (SELECT FROM job_queues r WHERE r.kind = jobs.kind "  \
    "AND (r.hold_from <= jobs.created_at OR r.rate_per_s IS NOT NULL OR r.max_running "  \
    "IS NOT NULL)))"
/*
 * Whether a worker lives. Each of its connections holds a lock of its session in its
 * name, which Postgres lets go when the socket closes, however the process ends. A lease
 * alone does not tell: a machine may be too busy to prolong it. The ids of the locks, and
 * that of a holder: two equal ones keep a dead worker among the living, which harms no
 * job.
 */
#define QUEUE_LIFE_LOCK "1182233191" /* the first key: 'Fwrg' */
#define QUEUE_LIVING                                                                     \
    "SELECT objid::bigint FROM pg_locks WHERE locktype = 'advisory' AND classid "        \
    "= " QUEUE_LIFE_LOCK                                                                 \
    " AND objsubid = 2 AND granted AND database = (SELECT oid FROM "                     \
    "pg_database WHERE datname = current_database())"
#define QUEUE_LIFE_ID(holder) "(hashtext(" holder ")::bigint & 4294967295)"
void queue_read_item(const struct queue *q, int tenant_id, PGresult *res, int row,
                     struct queue_item *item);
/* A transaction whose commit a crash of Postgres may undo. */
NODISCARD int queue_begin_soft(struct queue *q, int tenant_id);
NODISCARD int queue_run_soft(struct queue *q, int tenant_id, PGresult **res,
                             const char *sql, const struct pg_args *a);

/* Rows: queue_rows.c. */
NODISCARD int queue_tenants(struct queue *q);
void queue_kinds_array(const struct queue *q, const bool *wanted, struct buf *out);
/* Takes held ids; those that cannot be taken any more go to *dead (at most
 * held_count). */
NODISCARD int queue_take_held(struct queue *q, struct queue_item *items, int max, int *n,
                              struct queue_id *dead, int *dead_count);
NODISCARD int queue_take_due(struct queue *q, const int *room, struct queue_item *items,
                             int max, int *n);

/* Streams: queue.c. */
int queue_redis(struct queue *q); /* 0, or ECONNRESET */
NODISCARD int queue_send(struct queue *q, int tenant_id, const struct uuid *ids,
                         const int *kinds, int n);
/* Lets go of the entries whose rows are written. */
void queue_let_go(struct queue *q, const struct queue_result *results, int n);
/* How many entries of each kind are under way; EAGAIN: Redis is away. */
NODISCARD int queue_under_way(struct queue *q, int64_t *out);
int queue_kind_index(const struct queue *q, const char *name); /* -1 */

#endif
