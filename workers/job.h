/*
 * job - what one kind of job is: its name and the function that does it.
 *
 * A job's function is straight-line code on a pool thread. It may be run again
 * after any failure or crash, at any point: its results are rows with keys of
 * their own, the next job is enqueued in the transaction of the result, and
 * running it a second time finds them and does nothing.
 *
 * A connection is taken from ctx->pool for one transaction at a time and never
 * held while HTTP is awaited. ctx belongs to the thread.
 */
#ifndef WORKERS_JOB_H
#define WORKERS_JOB_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "base/attrs.h"
#include "base/uuid.h"

struct http;
struct pg;
struct pg_pool;

enum job_result {
    JOB_DONE,
    JOB_RETRY,       /* it may go better later; buried once max_attempts are used up */
    JOB_BURY,        /* trying again cannot help: a person must look */
    JOB_HANDED_BACK, /* not tried (shutdown, no database): does not count */
    JOB_CANCELLED,   /* a person asked for it; the pool says so, never a kind */
};

struct job {
    struct uuid id;
    int tenant_id;
    json_t *payload; /* an object; borrowed */
    int attempts;    /* this one included */
    int max_attempts;
};

enum { JOB_WHY_MAX = 320 };

struct job_ctx {
    struct http *http;
    struct pg_pool *pool;    /* NULL for JOB_VOLATILE */
    const void *config;      /* the program's; tests have their own */
    json_t *output;          /* what a done job says; owned until run returns */
    char why[JOB_WHY_MAX];   /* reason of any result but JOB_DONE */
    int64_t retry_after_ms;  /* a peer's wish; 0 leaves it to the back-off */
    const atomic_bool *stop; /* raised by a cancel or a stop; long work looks at it */
    int nlu_mode;            /* how much of a schema the language model's server takes */
};

typedef enum job_result(job_fn)(struct job_ctx *ctx, const struct job *job);
/* Called when the job is about to be buried or cancelled, inside no transaction: mark
 * what it was about as failed, where a person looks for it. Errors are errnos; the job
 * is then tried again later. It may use ctx->pool and nothing else of ctx. */
typedef int(job_buried_fn)(struct job_ctx *ctx, const struct job *job, const char *why);

/* Where a kind's jobs live; README.md says which to choose. */
enum job_storage {
    JOB_DURABLE,  /* a row in Postgres, by the outbox: nothing is lost */
    JOB_VOLATILE, /* Redis only: lost with it */
};

struct job_kind {
    const char *name; /* as in jobs.kind */
    enum job_storage storage;
    int tries; /* until a job is buried; 0: 8, of a durable one what its row says */
    bool slow; /* waits on other services: at most half of the threads */
    job_fn *run;
    job_buried_fn *buried; /* may be NULL */
};

/* Sets ctx->why and yields result, so that `return job_say(ctx, JOB_RETRY, "…")`. */
enum job_result job_say(struct job_ctx *ctx, enum job_result result, const char *fmt, ...)
    PRINTF_LIKE(3, 4);
/* The result of a failed transaction: handed back when the database is away or
 * asks for another try, else retried. */
enum job_result job_db_error(struct job_ctx *ctx, const struct pg *pg, int err);
/* The result of a call that got no answer: http.h's errors. */
enum job_result job_http_error(struct job_ctx *ctx, int err, const char *what,
                               const char *error);
/* How far it is, for `furrow jobs show`: any JSON, such as {"done": 3, "of": 10}.
 * A short transaction of its own; what fails is not worth a word. */
void job_progress(struct job_ctx *ctx, const struct job *job, const json_t *progress);
/* A parent's children as [{id, kind, key, state, result}], by key; *out is the
 * caller's. Errors are pg.h's. */
NODISCARD int job_children(struct job_ctx *ctx, const struct job *job, json_t **out);
/* 0, or EINVAL with ctx->why: the payload names no such id. */
NODISCARD int job_payload_id(struct job_ctx *ctx, const struct job *job, const char *key,
                             struct uuid *out);

#endif
