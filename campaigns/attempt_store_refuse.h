/*
 * attempt_store_refuse - what verdicts 1 and 2 have in common: whether the clock may
 * be believed, and what a refusal does to the contact. Parts of attempt_store.h; in
 * the caller's transaction.
 */
#ifndef CAMPAIGNS_ATTEMPT_STORE_REFUSE_H
#define CAMPAIGNS_ATTEMPT_STORE_REFUSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attrs.h"
#include "compliance/check.h"

struct pg;

enum { ATTEMPT_CLOCK_SKEW_MS = 1000 };

/* A virtual clock is declared and trusted; the machine's must agree with Postgres'
 * own within a second. An offset that a test declared is taken off first. */
NODISCARD int attempt_clock_is_trusted(struct pg *pg, int64_t now_ms, bool *trusted);

struct attempt_refusal {
    int64_t campaign_id, contact_id;
    const struct verdict *verdict;
};

/* PERM: the contact is final. TIME: it waits until the verdict's instant. DATA: some
 * hours; CAP: a minute. A reason that is not about the contact (the campaign was
 * paused, the clock is wrong) leaves it due and is not counted as its refusal. */
NODISCARD int attempt_refuse(struct pg *pg, const struct attempt_refusal *list, size_t n,
                             int64_t now_ms);

/* When a refused contact is looked at again; 0: never. */
int64_t attempt_refusal_next_ms(const struct verdict *v, int64_t now_ms);

#endif
