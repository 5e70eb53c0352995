/*
 * agent_store_book - agents and calls: reserving before a call is placed, what the gate
 * must know, who takes an answered call, what it came to.
 *
 * A reservation is written in the transaction of the claim and ends in that of the
 * attempt's end (attempt_move), so no crash can leave one behind: a dead dialer's
 * attempts are ended by another, and their agents are free with them. Those that take
 * part in a larger transaction say so; the others are one of their own.
 */
#ifndef CAMPAIGNS_AGENT_STORE_BOOK_H
#define CAMPAIGNS_AGENT_STORE_BOOK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attrs.h"
#include "base/uuid.h"
#include "campaigns/agent_store.h"
#include "campaigns/attempt.h"
#include "compliance/check.h"

struct campaign_doc;
struct pg;

enum { AGENT_BOOK_MAX = 256 };

/* What a claim may place. */
struct agent_booking {
    bool used;     /* the campaign has agents */
    int64_t at_ms; /* of what is booked: not before the end of any call counted as over */
    struct mode_room room;
    int64_t agents[AGENT_BOOK_MAX]; /* locked, room.backed of them */
    struct compliance_abandon abandon[MODE_ANCHORS];
};

/* In the claim's transaction: locks the campaign's periods and free agents. */
NODISCARD int agent_book(struct pg *pg, int tenant_id, int64_t campaign_id,
                         const struct campaign_doc *doc, size_t max, int64_t now_ms,
                         struct agent_booking *out);
/* In the claim's transaction, once the attempts are written: attempts[i] gets the next
 * agent when backed[i]. */
NODISCARD int agent_book_write(struct pg *pg, int tenant_id, int64_t campaign_id,
                               const struct agent_booking *booking,
                               const struct uuid *attempts, const bool *backed, size_t n);

/* In the gate's transaction: what it asks of one attempt of a campaign with agents. */
struct agent_gate {
    bool backed;
    struct compliance_abandon abandon[MODE_ANCHORS];
};
NODISCARD int agent_gate_load(struct pg *pg, int tenant_id, int64_t campaign_id,
                              const struct campaign_doc *doc, const struct uuid *attempt,
                              int64_t now_ms, struct agent_gate *out);

/* In the transaction of an attempt's move: notes its answer; at its end counts it and
 * frees its agent. An attempt that may have been called (unknown) counts as abandoned. */
NODISCARD int agent_call_moved(struct pg *pg, int tenant_id, const struct uuid *attempt,
                               enum attempt_state to, int64_t answered_ms, int64_t at_ms);

/* Who answered was heard to be a machine: the call counts neither as answered nor as
 * abandoned, whatever becomes of it. hears_flow: it is treated as a person; if not, its
 * agent is free from now on. Of a call without agents nothing changes. */
NODISCARD int agent_call_machine(struct pg *pg, int tenant_id, const struct uuid *call,
                                 bool hears_flow, int64_t at_ms);

struct agent_ask {
    struct uuid call;
    const char *queue;
    int priority;     /* of who waits: higher first, then who came first */
    int64_t since_ms; /* when it came to the queue; 0: now */
};
/* Somebody who takes a call, or what is known when there is nobody. */
struct agent_taken {
    int64_t id;
    char name[AGENT_NAME_MAX], extension[AGENT_EXTENSION_MAX];
    bool confirm; /* they press a key before they are put through */
    bool counted; /* nobody: the call is abandoned, and was counted just now */
    bool waits;   /* nobody: it stands in the queue; ask again at least every 10 s */
    int position, logged_in;
    /* Guessed: each of those before it, and it, takes as long as calls have held the
     * queue's agents lately, with their wrap-up (3 minutes when there was none), shared
     * by the agents who are there. */
    int64_t wait_ms;
};
/* These three are a part of the caller's transaction where one is open.
 *
 * An answered call wants an agent of the queue: its own, a free one, or one reserved for
 * a call that still rings, which is unbacked from then on. ENODATA: nobody; a call of a
 * campaign with agents is abandoned by that and counted, any other one waits. Asked again
 * for a call that has its agent it says so again. */
NODISCARD int agent_take(struct pg *pg, int tenant_id, const struct agent_ask *ask,
                         int64_t now_ms, struct agent_taken *out);
/* They talk. in_time: within MODE_CONNECT_MS of the answer. */
NODISCARD int agent_connected(struct pg *pg, int tenant_id, const struct uuid *call,
                              bool in_time, int64_t now_ms);
/* The agent's part is over, or the call waits no more. lost: they did not answer their
 * phone, and are paused with a note, so that no further call is lost to it. */
NODISCARD int agent_left(struct pg *pg, int tenant_id, const struct uuid *call, bool lost,
                         int64_t now_ms);
/* Agents whose call is over, whatever became of it, and calls that wait no more: those of
 * dialers that died. Bookings of calls that were withdrawn. *freed: agents. */
NODISCARD int agent_tidy(struct pg *pg, int tenant_id, int64_t now_ms, size_t *freed);

#endif
