/*
 * queue - carries jobs from their rows to the pool and their results back.
 *
 * The row in Postgres is the truth; Redis Streams (one per kind, one consumer
 * group) carry ids to the workers quickly. Taking a job is a compare-and-set on
 * its row, so an id that arrives twice does its work once, and an id that never
 * arrives is found by the sweep. Redis may be wiped at any moment. While it is
 * away jobs are taken straight from Postgres.
 *
 * docs/protocol.md has the keys and the fields.
 *
 * A struct queue is one connection to Redis and one to Postgres and belongs to
 * one thread; the pool has three: fetching, acknowledging, relaying.
 * Errors: ECONNRESET Postgres is away (nothing is lost; call again).
 */
#ifndef WORKERS_QUEUE_H
#define WORKERS_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attrs.h"
#include "base/errors.h"
#include "workers/job.h"

enum { QUEUE_KINDS_MAX = 16, QUEUE_BATCH = 512, QUEUE_ENTRY_MAX = 48 };

struct queue_options {
    const char *database_url, *redis_url;
    const char *holder; /* this worker's id, the consumer and lease holder */
    const struct job_kind *const *kinds;
    int kind_count;
    int64_t lease_ms;
    int64_t republish_ms; /* how long an id may be under way before it is sent again */
};

struct queue;

/* options and what it points to are borrowed until queue_close. Postgres must
 * answer; Redis need not. */
NODISCARD int queue_open(struct queue **out, const struct queue_options *options,
                         struct errtext *e);
void queue_close(struct queue *q); /* NULL is allowed */

struct queue_item {
    struct job job;              /* payload owned by the item */
    int kind;                    /* index into options->kinds */
    char entry[QUEUE_ENTRY_MAX]; /* of the stream; "" when it did not come from one */
    int deaths;                  /* workers that died at it */
    bool cancel_asked;
    int priority;
    int64_t waited_ms; /* from when it was due until it was taken … */
    int64_t taken_ms;  /* … at this monotonic time */
    char last_error[JOB_WHY_MAX];
};
void queue_item_clear(struct queue_item *item);

/* Waits at most wait_ms for jobs of the kinds that have room and takes their
 * leases. Fills at most max items, at least of size sum of room; *n may be 0. */
NODISCARD int queue_fetch(struct queue *q, const int *room, int wait_ms,
                          struct queue_item *items, int max, int *n);
bool queue_is_degraded(const struct queue *q); /* Redis is away */
/* Whether a wipe of Redis was seen since the last question. */
bool queue_take_wiped(struct queue *q);

struct queue_result {
    const struct queue_item *item;
    enum job_result result;
    const char *why;      /* "" for done */
    const json_t *output; /* of a job that is done; may be NULL */
    int64_t delay_ms;     /* until the next try */
};
/* Writes the results into the rows this worker still holds, then lets go of the
 * stream entries. Results of lapsed leases are dropped: somebody else has them. */
NODISCARD int queue_finish(struct queue *q, const struct queue_result *results, int n);
/* Prolongs the leases. */
NODISCARD int queue_renew(struct queue *q, const struct queue_item *const *items, int n);

/* Jobs whose leases lapsed are queued again. Those of a worker that is gone have one more
 * death; they are not sent to anybody but wait for queue_take_suspect. Those of one that
 * lives and was late are usual ones, its own a lease later than others'. Just after
 * connecting nothing is reaped: after an outage the living prolong their leases first. */
struct queue_reaped {
    int died, late; /* jobs */
};
NODISCARD int queue_reap(struct queue *q, struct queue_reaped *out);
/* Whether a job that a worker died at is due. */
NODISCARD int queue_suspects(struct queue *q, bool *any);
NODISCARD int queue_take_suspect(struct queue *q, struct queue_item *item, int *n);

struct queue_recall {
    const struct queue_item *item;
    bool cancel; /* else its kind is held */
};
/* Which of the items a person wants cancelled, or not to begin; out has room for n. */
NODISCARD int queue_recall(struct queue *q, const struct queue_item *const *items, int n,
                           struct queue_recall *out, int *count);

/* Jobs that do not come by Redis: of limited kinds as many as all limits allow, high
 * ones of any kind, and low ones when idle. Like queue_fetch. */
NODISCARD int queue_take_rows(struct queue *q, const int *room, bool idle,
                              struct queue_item *items, int max, int *n);
bool queue_has_limits(const struct queue *q);
/* Where nothing was found is looked at less and less often, down to about twice a second;
 * this makes the next queue_take_rows look everywhere: there is something new. */
void queue_look_again(struct queue *q);

/* What was done since it was last written. */
enum { QUEUE_BUCKETS = 9, QUEUE_TALLY_MAX = 256, QUEUE_EXPIRE_BATCH = 2000 };
struct queue_tally_row {
    int tenant_id, kind;
    int64_t done, retried, buried, cancelled, wait_ms, run_ms;
    int64_t wait_le[QUEUE_BUCKETS], run_le[QUEUE_BUCKETS];
};
struct queue_tally {
    struct queue_tally_row rows[QUEUE_TALLY_MAX];
    int count;
};
void queue_tally_add(struct queue_tally *t, const struct queue_item *item,
                     enum job_result result, int64_t wait_ms, int64_t run_ms);
/* Rows that are written leave the tally. */
NODISCARD int queue_tally_write(struct queue *q, struct queue_tally *t);

/* Deletes done and cancelled jobs that ended longer than keep_ms ago, of each tenant at
 * most QUEUE_EXPIRE_BATCH. */
NODISCARD int queue_expire(struct queue *q, int64_t keep_ms, int *n);
/* In how many ms the next delayed job is due; within_ms when none is before. */
NODISCARD int queue_next_due(struct queue *q, int64_t within_ms, int64_t *due_ms);

/* Moves due jobs' ids from the outbox to the streams. EAGAIN: Redis is away. */
NODISCARD int queue_relay(struct queue *q, int *moved);
/* Sends again what got lost: ids long under way, retries that are due. all: whatever is
 * due, however fresh (after a wipe). EAGAIN: Redis is away. */
NODISCARD int queue_sweep(struct queue *q, bool all, int *moved);
/* Waits for a notice of new jobs, stop_fd or the time. true: a job is due within a
 * second that the sweep does not know. */
bool queue_wait_notice(struct queue *q, int stop_fd, int wait_ms);

#endif
