/*
 * db - the dialer's one door to Postgres: a few database threads, each with its own
 * connection and queue. Work runs on a thread, its result comes back to the loop.
 *
 * Work with the same key runs in the order it was submitted, one at a time (key =
 * db_key() of the call's id, or the campaign's id). What crosses the door is ids
 * and copies, never pointers into the loop's state: done looks its object up again.
 *
 * Thread: db_* is called on the loop only; work runs on a database thread and sees
 * nothing but arg and its struct pg; done runs on the loop.
 */
#ifndef DIALER_DB_H
#define DIALER_DB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <uv.h>

#include "base/attrs.h"
#include "base/errors.h"
#include "base/pg.h"
#include "base/uuid.h"

struct db;

/* The key of all that belongs to one call: attempt and call have the same id. */
static inline uint64_t db_key(const struct uuid *id)
{
    uint64_t key;

    memcpy(&key, id->bytes + sizeof(id->bytes) - sizeof(key), sizeof(key));
    return key;
}

typedef int(db_work_fn)(struct pg *pg, void *arg); /* 0 or pg.h's errors */
typedef void(db_done_fn)(int err, void *arg);      /* owns and frees arg */
/* n works of one tenant at once, in their order and in one transaction: 0 and the outcome
 * of each in errs[]. Anything else means that nothing was done. */
typedef int(db_together_fn)(struct pg *pg, void *const *args, size_t n, int *errs);

enum db_mode {
    DB_TRY,  /* one try; a full queue refuses (EAGAIN): pacing slows */
    DB_KEEP, /* must not be lost: tried again until it is committed or refused for good
                (anything but ECONNRESET and EAGAIN), never refused by a full queue */
};

NODISCARD int db_new(struct db **out, uv_loop_t *loop, const struct pg_options *options,
                     int threads, int queue_max, struct errtext *e);
/* EAGAIN: the queue is full, ECANCELED: closing; then arg is still the caller's.
 * Otherwise done is called exactly once. */
NODISCARD int db_submit(struct db *db, enum db_mode mode, uint64_t key, db_work_fn *work,
                        db_done_fn *done, void *arg);
/* How long a work may stay in the queue for company. */
enum {
    DB_PATIENT_MS = 20, /* nobody waits for it */
    DB_BRIEF_MS = 15,   /* somebody who does not notice */
};
/* The same for work of which many wait at busy times. Neighbours in a thread's queue that
 * are DB_KEEP and of the same tenant share one transaction: each is a transaction of a
 * few statements, may be run again, and takes no lock that others hold in another order.
 * Those among them with the same `together` are run by it, if none of them overtakes
 * another of its key. When one fails, each is run on its own. */
struct db_order {
    enum db_mode mode;
    int patience_ms; /* 0: it leaves at once, and all before it */
    uint64_t key;
    int tenant_id; /* 0: shares with nobody */
    db_work_fn *work;
    db_together_fn *together; /* NULL: only one by one */
    db_done_fn *done;
    void *arg;
};
NODISCARD int db_submit_order(struct db *db, const struct db_order *order);
/* Is the database answering, as far as the last work could tell? */
bool db_is_up(const struct db *db);
size_t db_waiting(const struct db *db); /* submitted, not done */
/* Finishes KEEP work for at most grace_ms (real), gives up on the rest (ECANCELED). */
void db_close(struct db *db, int grace_ms);

#endif
