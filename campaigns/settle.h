/*
 * settle - what becomes of a contact when its attempt has ended: one answer for the
 * ledger and for the simulator. Pure.
 */
#ifndef CAMPAIGNS_SETTLE_H
#define CAMPAIGNS_SETTLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "campaigns/attempt.h"
#include "campaigns/retry.h"

struct settle_facts {
    enum attempt_state state; /* ended, unknown or withdrawn */
    enum disposition disposition;
    int attempt_number; /* this one counted */
    int64_t ended_ms;
    int64_t due_ms; /* it was called for: withdrawn, it is due no earlier; 0 at once */
    bool opted_out;
    int64_t callback_ms; /* asked for; 0 none */
    /* As in struct retry_ended, and only when the rules are needed. */
    uint64_t seed;
    const int64_t *answers_ms;
    size_t answer_count;
    const struct tz_zone *zone;
};

struct settlement {
    int64_t next_ms;                 /* 0: final */
    int counted;                     /* 1: it was a call */
    const char *final, *disposition; /* "": not final; none to remember */
    bool callback;
    int shift; /* of a retry, in the hopper */
};

/* An opt-out comes before a callback, and both before the campaign's retry rules. */
bool settle_needs_rules(const struct settle_facts *f);
/* rules is read only when settle_needs_rules(). */
void settle_contact(const struct settle_facts *f, const struct retry_rules *rules,
                    struct settlement *out);

#endif
