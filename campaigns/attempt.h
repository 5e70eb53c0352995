/*
 * attempt - the states of one origination attempt and every legal move between
 * them. Pure. The store (attempt_store.h) is the only writer of the rows.
 *
 *   intent ──▶ released ──▶ ringing ──▶ answered ──▶ ended
 *     │            │  │  ╲       │            │
 *     ▼            ▼  │   ╲──────┴──▶ ended   └─ (crash, gone) ▶ ended
 *  withdrawn   withdrawn ╲
 *                         ▶ unknown ◀─ released, ringing (crash and absent at the switch)
 *
 * intent: written, provably not sent. released: the permit was minted; it may
 * have been sent. withdrawn: provably never sent. unknown: the truth cannot be
 * had any more; counts as a call, is never sent again.
 */
#ifndef CAMPAIGNS_ATTEMPT_H
#define CAMPAIGNS_ATTEMPT_H

#include <stdbool.h>

#include "base/attrs.h"

enum attempt_state {
    ATTEMPT_INTENT,
    ATTEMPT_RELEASED,
    ATTEMPT_RINGING,
    ATTEMPT_ANSWERED,
    ATTEMPT_ENDED,
    ATTEMPT_WITHDRAWN,
    ATTEMPT_UNKNOWN,
    ATTEMPT_STATES,
};

const char *attempt_state_name(enum attempt_state s);
NODISCARD bool attempt_state_parse(const char *name, enum attempt_state *out);
bool attempt_may_move(enum attempt_state from, enum attempt_state to);
bool attempt_is_open(enum attempt_state s);   /* not over: a slot is held */
bool attempt_is_called(enum attempt_state s); /* counts against frequency limits */

#endif
