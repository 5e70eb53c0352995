/*
 * month - a campaign of a whole month on a virtual clock: two campaigns, contacts in five
 * countries, retries, opt-outs between claim and release, consents taken back, a day on
 * which calling was switched off, a do-not-call list and the time zone data that
 * are replaced, clocks that change. The ledger is the real one; only what the called
 * parties do is drawn from the seed.
 */
#ifndef TESTS_STORE_MONTH_H
#define TESTS_STORE_MONTH_H

#include <stdint.h>

#include "base/pg.h"

struct month {
    int64_t claims, permits, refused, withdrawn; /* of contacts */
    int64_t opt_outs, revocations;
    int64_t broken; /* permits for somebody who had asked not to be called */
};

/* 2026-10-15 06:00 UTC to 2026-11-15 06:00 UTC, a step each half hour. dir: an empty
 * folder; the log and what the oracle needs to judge it are written there. per_claim: at
 * most so many of a campaign in a step. Ends the program when something fails. */
void month_run(struct pg *pg, const char *dir, int64_t contacts, int per_claim,
               uint64_t seed, struct month *out);

#endif
