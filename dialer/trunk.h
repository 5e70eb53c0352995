/*
 * trunk - what carries calls, behind one ops struct: ari (trunk_ari.c), simulated
 * (trunk_simulated.c), twilio and plivo (trunk_provider.c). A new kind is a file, a line
 * in trunk.c and one in the check of table trunks.
 *
 * originate takes a struct permit *; only the gate makes one. What becomes of a call
 * is told through dialer/placed.h (ringing, answered, ended) and, once it is answered,
 * dialer/live.h (keys, playbacks, recordings).
 *
 * Thread: the loop's.
 */
#ifndef DIALER_TRUNK_H
#define DIALER_TRUNK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attrs.h"
#include "base/errors.h"
#include "base/uuid.h"
#include "campaigns/permit.h"
#include "campaigns/trunk_store.h"
#include "dialer/live.h"

struct attempt_row;
struct dialer;
struct machine_rule;
struct trunk;

enum trunk_result {
    TRUNK_ACCEPTED, /* the switch has it; its end will be told */
    TRUNK_REJECTED, /* the switch refused: no call; cause is set */
    TRUNK_NOT_SENT, /* provably nothing was sent: permit too old, switch away */
    TRUNK_UNKNOWN,  /* it may have been sent: ask query, never send again */
};

struct trunk_origination {
    struct uuid attempt;
    int64_t phone;
    const char *caller_id; /* "" as the trunk has it */
    int ring_timeout_s;
    int number; /* 1: the contact's first attempt; for the simulated carrier's script */
    const struct machine_rule *machine; /* for a switch that tells machines by itself */
};

/* result's callback; cause is Q.850 when REJECTED, or when NOT_SENT is the switch's word:
 * the trunk slows down by it as by a refusal. */
typedef void(trunk_originated_fn)(struct dialer *d, const struct uuid *attempt,
                                  enum trunk_result result, int cause);

enum trunk_presence {
    TRUNK_PRESENT_RINGING,
    TRUNK_PRESENT_UP,
    TRUNK_ABSENT,  /* never created, or already over */
    TRUNK_UNASKED, /* the switch does not answer: ask again later */
};
typedef void(trunk_query_fn)(struct dialer *d, const struct uuid *attempt,
                             enum trunk_presence presence);

/* UNASKED: the switch does not answer, ask again later. */
enum trunk_recording {
    TRUNK_RECORDING_STORED,
    TRUNK_RECORDING_GONE,
    TRUNK_RECORDING_UNASKED
};
typedef void(trunk_recording_fn)(struct dialer *d, const char *name,
                                 enum trunk_recording answer, void *arg);

struct trunk_ops {
    const char *kind;
    /* row is copied. EINVAL with a text: settings that cannot work. */
    int (*open)(struct trunk **out, struct dialer *d, const struct trunk_row *row,
                struct errtext *e);
    void (*close)(struct trunk *t);
    /* May calls go out now (connected, events flow)? */
    bool (*is_ready)(const struct trunk *t);
    /* Would a request leave at once? Else it waits here, where its permit is watched. */
    bool (*has_room)(const struct trunk *t);
    /* Takes the permit over. permit_use() is the last thing before the request leaves.
     * done is called once, perhaps from inside. */
    void (*originate)(struct trunk *t, struct permit *permit,
                      const struct trunk_origination *o, trunk_originated_fn *done);
    void (*query)(struct trunk *t, const struct uuid *attempt, trunk_query_fn *done);
    /* An open attempt of a process that is gone is to be followed from now on; query
     * comes after it. NULL: query needs nothing of it. */
    void (*adopt)(struct trunk *t, const struct attempt_row *row);
    /* Its campaign does not call any more: a call that waits at the switch and was not
     * dialled yet is taken back. NULL: none waits there. */
    void (*recall)(struct trunk *t, const struct uuid *attempt);
    /* Ends a call that rings or is up, whoever answers for it. Idempotent. */
    void (*hang_up)(struct trunk *t, const struct uuid *attempt);
    /* Of a call that is up: tells placed_talk and placed_beep from now on, until its flow
     * begins. NULL: it cannot. */
    void (*listen)(struct trunk *t, const struct uuid *attempt);
    /* For live_start, with the trunk as phone. NULL: the flows of its calls run in
     * furrow-server, and live on when this dialer dies. */
    const struct live_phone_ops *phone;
    /* After a crash: does the switch still hold this recording of a call that is over?
     * done is called once, perhaps from inside, with arg. NULL: it keeps none. */
    void (*recording_exists)(struct trunk *t, const char *name, trunk_recording_fn *done,
                             void *arg);
};

struct trunk { /* first member of each kind's own struct */
    const struct trunk_ops *ops;
    struct dialer *dialer;
    struct trunk_row row;
};

const struct trunk_ops *trunk_ops_find(const char *kind); /* NULL: no such kind */

/* The trunks in use by this process, opened on first use, closed at the end. */
struct trunks;
struct trunks *trunks_new(void);
void trunks_free(struct trunks *t); /* NULL is allowed */
/* *out is borrowed. Rate and channels follow the row. ENOENT: no such kind. */
NODISCARD int trunks_get(struct dialer *d, const struct trunk_row *row,
                         struct trunk **out, struct errtext *e);
struct trunk *trunks_find(const struct dialer *d, int64_t id); /* NULL: not open */
struct trunk *trunks_find_kind(const struct dialer *d, const char *kind); /* any such */

#endif
