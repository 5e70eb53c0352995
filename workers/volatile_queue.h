/*
 * volatile_queue - losable jobs: Redis carries all of them and nothing else knows them.
 *
 * What is promised while Redis keeps its data: a job that volatile_send() accepted is
 * run at least once, also when workers are killed, or lies among the buried ones. What
 * is not: when Redis is wiped, restarts without persistence or fails over to a replica
 * that lags, the jobs in it are gone, and nobody is told but the log. So this is for
 * what may be lost: notices, warming of caches, refreshes that come again anyway.
 *
 * A kind has a stream (waiting and taken jobs, one consumer group), a sorted set (those
 * for later), a capped stream (buried ones) and keys that hold off a second job of the
 * same key. docs/protocol.md has the names and the text of a job.
 *
 * A struct volatile_queue is one connection and belongs to one thread.
 * Errors: ECONNRESET Redis is away; the next call connects again.
 */
#ifndef WORKERS_VOLATILE_QUEUE_H
#define WORKERS_VOLATILE_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "base/attrs.h"
#include "base/errors.h"
#include "workers/job.h"
#include "workers/volatile_envelope.h"

enum {
    VOLATILE_KINDS_MAX = 16,
    VOLATILE_BATCH = 512, /* of one kind, at once */
    VOLATILE_ENTRY_MAX = 48,
    VOLATILE_BURIED_MAX = 10000, /* of a kind are kept, about */
};

struct volatile_options {
    const char *redis_url, *installation;
    const char *holder; /* this worker's id; "" for who only sends */
    const struct job_kind *const *kinds;
    int kind_count;
    int64_t
        lease_ms; /* without a sign of life for so long a worker's jobs are taken over */
};

struct volatile_queue;

/* options and what it points to are borrowed until volatile_queue_close. Redis need not
 * answer. EINVAL: a kind is durable, the URL is none. */
NODISCARD int volatile_queue_open(struct volatile_queue **out,
                                  const struct volatile_options *options,
                                  struct errtext *e);
void volatile_queue_close(struct volatile_queue *q); /* NULL is allowed */
const char *volatile_queue_error(const struct volatile_queue *q);

/* ---- sending ---- */

struct volatile_job {
    const struct job_kind *kind; /* one of the options' */
    int tenant_id;
    json_t *payload;  /* an object, NULL for {}; borrowed */
    int64_t delay_ms; /* 0: now */
    const char *key;  /* NULL, or: not while another one of this key waits or runs … */
    int64_t key_ms;   /* … for at most so long; 0: an hour */
};

/* In one go; *sent is how many were new, those of a taken key left out. ECONNRESET: any
 * part of them may be there; who sends again may send some twice. EPROTO: Redis refused
 * some (out of memory, say). EINVAL: no such kind, or a key that is too long. */
NODISCARD int volatile_send(struct volatile_queue *q, const struct volatile_job *jobs,
                            int n, int *sent);

/* ---- taking (the pool's) ---- */

struct volatile_entry {
    int kind; /* index into options->kinds */
    char entry[VOLATILE_ENTRY_MAX];
    char *text;   /* the taker's to free() */
    bool suspect; /* two workers died with it */
};

/* Waits at most wait_ms for jobs of the kinds that have room; fills at most max. A wipe
 * of Redis is said in the log, counted, and gone over. */
NODISCARD int volatile_fetch(struct volatile_queue *q, const int *room, int wait_ms,
                             struct volatile_entry *out, int max, int *n);
/* Jobs of workers that gave no sign for a lease. suspects: whether one that two workers
 * died with may be among them; *left is how many of those wait for it. */
NODISCARD int volatile_take_over(struct volatile_queue *q, const int *room, bool suspects,
                                 struct volatile_entry *out, int max, int *n, int *left);
/* A sign of life for taken jobs of one kind. */
NODISCARD int volatile_renew(struct volatile_queue *q, int kind,
                             const char *const *entries, int n);
/* One of the worker itself, which holds jobs of that kind or not, several times in a
 * lease: what it let lapse is not taken for its death then. Nobody looks for it while
 * Redis is away. */
void volatile_sign(struct volatile_queue *q, int kind);
/* Those for later whose time has come; *next_ms until the next one, -1 for none. */
NODISCARD int volatile_due(struct volatile_queue *q, int *moved, int64_t *next_ms);

struct volatile_result {
    int kind;
    const char *entry;
    enum job_result result; /* JOB_HANDED_BACK and JOB_RETRY: text again after delay_ms */
    const char *text;       /* the new one; unused for JOB_DONE */
    const char *why;
    int64_t delay_ms;
    const struct volatile_envelope *job; /* for its key; NULL: none */
};
/* What Redis refuses is said in the log and stays taken until its lease lapses. */
NODISCARD int volatile_finish(struct volatile_queue *q,
                              const struct volatile_result *results, int n);
/* The consumer of a worker that ends and holds nothing any more. */
void volatile_leave(struct volatile_queue *q);

bool volatile_is_away(const struct volatile_queue *q);
int volatile_wipes(const struct volatile_queue *q); /* how many were seen */

/* ---- pauses and counts: volatile_admin.c ---- */

/* Of a paused kind no further job begins, in any worker, within a second; what was sent
 * waits. A wipe of Redis ends the pause with the jobs. */
NODISCARD int volatile_pause(struct volatile_queue *q, int kind, bool on);
NODISCARD int volatile_paused(struct volatile_queue *q, bool paused[VOLATILE_KINDS_MAX]);

struct volatile_tally { /* tries, and their sums of waiting and running */
    int64_t done, retried, buried, wait_ms, run_ms;
};
void volatile_tally_add(struct volatile_tally *to, const struct volatile_tally *more);
NODISCARD int volatile_count(struct volatile_queue *q, int kind,
                             const struct volatile_tally *more);
/* How long ago it was sent, or came due. */
int64_t volatile_age_ms(const char *entry);

/* ---- looking (a person's) ---- */

struct volatile_depth {
    int64_t waiting, taken, later, buried;
    int64_t oldest_s; /* how long the oldest in the stream is there */
    bool paused;
    struct volatile_tally tally; /* since Redis was wiped last */
};
NODISCARD int volatile_depth(struct volatile_queue *q, int kind,
                             struct volatile_depth *out);
/* The newest buried ones: [{at, why, job}]; *out is the caller's. */
NODISCARD int volatile_buried(struct volatile_queue *q, int kind, int limit,
                              json_t **out);
/* Buried ones start over with all their tries, or (forget) go. *n is how many. */
NODISCARD int volatile_unbury(struct volatile_queue *q, int kind, bool forget,
                              int64_t *n);

#endif
