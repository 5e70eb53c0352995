/*
 * attempt_store - the ledger. An attempt is written down before it is sent;
 * every change of an attempt row goes through here, and here alone.
 *
 * Each function is one transaction of one tenant on the given connection (a
 * database thread's own). Errors are pg.h's; on any error nothing may be dialled, and
 * nothing was changed unless the commit's answer itself was lost (ECONNRESET): an
 * attempt_release that failed so may have left attempts `released` without a permit,
 * which their owner moves to `withdrawn`.
 */
#ifndef CAMPAIGNS_ATTEMPT_STORE_H
#define CAMPAIGNS_ATTEMPT_STORE_H

#include <stddef.h>
#include <stdint.h>

#include "base/attrs.h"
#include "base/uuid.h"
#include "campaigns/attempt.h"
#include "campaigns/disposition.h"
#include "campaigns/permit.h"

struct pg;

struct attempt_row {
    struct uuid id;
    int tenant_id;
    int64_t campaign_id, contact_id, phone, trunk_id;
    int slot, number;
    enum attempt_state state;
    char caller_id[64];
    char variant[32];         /* of the campaign; "" none */
    int64_t flow_revision_id; /* of its variant; 0: the campaign's */
};

/* What one claim did, for counters and logs. */
struct attempt_claim_result {
    size_t intents; /* rows filled in */
    size_t refused; /* verdict 1 said no: decision stored, contact moved on */
    size_t looked_at;
    int64_t next_due_ms; /* when it is worth asking again (business time); 0 unknown */
    bool budget_spent;   /* the campaign's budget has no room for one more call */
};

/*
 * DESIGN step 2 and 3. Picks up to max due contacts of a running campaign whose
 * zone group is open at now_ms (FOR UPDATE SKIP LOCKED), runs verdict 1 on
 * each, stores the decision, and for the allowed ones writes the attempt
 * `intent` and moves the contact to `calling`. Refused ones: attempt_store_refuse.h.
 * Higher priority first, then the zone group whose window closes first. A campaign
 * that does not run, a clock that is not to be trusted and a budget without room give
 * nothing.
 */
NODISCARD int attempt_claim(struct pg *pg, int tenant_id, int64_t campaign_id, int slot,
                            int64_t now_ms, size_t max, struct attempt_row *out,
                            struct attempt_claim_result *result);
/* The same over another one of the campaign's trunks; 0: its first. */
NODISCARD int attempt_claim_over(struct pg *pg, int tenant_id, int64_t campaign_id,
                                 int64_t trunk_id, int slot, int64_t now_ms, size_t max,
                                 struct attempt_row *out,
                                 struct attempt_claim_result *result);

/*
 * DESIGN step 4, the gate. In one transaction takes pg_advisory_xact_lock on
 * (tenant, number) for each in a fixed order, re-reads DNC, consent, history,
 * open attempts and campaign state, runs verdict 2, stores the decisions and
 * commits `released` (synchronously) or `withdrawn`. Then mints permits:
 * permits[i] is the caller's, or NULL when attempt i was withdrawn, or was no intent
 * any more: what was released once never gets a second permit.
 *
 * Of two intents for one number exactly one is released, and neither waits for the
 * other: an intent counts as an open call for those with a greater id only.
 */
NODISCARD int attempt_release(struct pg *pg, int tenant_id,
                              const struct attempt_row *rows, size_t n, int64_t now_ms,
                              struct permit **permits);

/* What moved. `released` is not among the targets: attempt_release alone gets there.
 * Fields that do not apply stay 0/NULL. */
struct attempt_move {
    struct uuid id;
    enum attempt_state to;
    int64_t at_ms;
    int cause, tech_cause;        /* ended, unknown */
    enum disposition disposition; /* ended, unknown */
    const char *note;             /* shown by `why`; may be NULL */
    const char *answered_by;      /* human, machine, unsure; NULL: not asked */
    bool opted_out;               /* the contact is final after this */
    bool only_intent;             /* legal from `intent` alone: by who holds no permit */
    int64_t callback_at_ms;       /* the called party asked to be called then; 0 none */
};

/*
 * Moves attempts, in order, if the move is legal (attempt_may_move); an illegal
 * one is logged, counted and skipped (*illegal, may be NULL). Reaching ended,
 * unknown or withdrawn also settles the contact: the campaign's retry rule for
 * the disposition sets next_attempt_at, or the contact becomes final; a
 * withdrawn one goes back to pending without using up an attempt. A callback asked
 * for, here or in a step (call_store.h), comes before the retry rule; an opt-out
 * before both. `unknown` always has the disposition unknown.
 * Repeating a move that already happened changes nothing.
 */
NODISCARD int attempt_move(struct pg *pg, int tenant_id, const struct attempt_move *moves,
                           size_t n, size_t *illegal);

/* Open attempts (intent … answered) of a slot, or of every slot when slot < 0. */
NODISCARD int attempt_list_open(struct pg *pg, int tenant_id, int slot,
                                struct attempt_row **out, size_t *n); /* *out: free() */

/* Open attempts by trunk and by campaign, to rebuild the concurrency slots. */
struct attempt_open_count {
    int64_t trunk_id, campaign_id;
    int64_t count;
};
NODISCARD int attempt_count_open(struct pg *pg, int tenant_id,
                                 struct attempt_open_count **out, size_t *n);

#endif
