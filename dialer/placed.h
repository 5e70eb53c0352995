/*
 * placed - the attempts of this dialer from release to end: what the trunk says of
 * them becomes moves in the ledger (attempt_move) and live calls (live_start).
 * After a start, a reconnect or a lost reply the truth is asked from the switch.
 *
 * Thread: the loop's.
 */
#ifndef DIALER_PLACED_H
#define DIALER_PLACED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attrs.h"
#include "base/uuid.h"

struct dialer;

/* What the switch says; unknown ids are ignored (logged at debug). */
void placed_ringing(struct dialer *d, const struct uuid *attempt);
void placed_answered(struct dialer *d, const struct uuid *attempt);

struct placed_end {
    bool was_up, we_hung_up, ring_timeout;
    int cause, tech_cause;   /* Q.850, SIP; 0 unknown */
    const char *dial_status; /* ARI's last Dial event; NULL none */
};
void placed_ended(struct dialer *d, const struct uuid *attempt,
                  const struct placed_end *end);

/* The trunk lost its events (socket down, Asterisk restarted) and has them again: every
 * open attempt of that trunk kind is asked of the switch. */
void placed_resync(struct dialer *d, const char *trunk_kind);
bool placed_has(const struct dialer *d, const struct uuid *attempt);
size_t placed_count(const struct dialer *d);

#endif
