/*
 * attempt_store_cost - books what ended calls came to on their campaigns' accounts
 * (budget_store.h). Part of attempt_store.h; in the caller's transaction.
 */
#ifndef CAMPAIGNS_ATTEMPT_STORE_COST_H
#define CAMPAIGNS_ATTEMPT_STORE_COST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attrs.h"
#include "campaigns/budget.h"

struct pg;

struct attempt_cost {
    int64_t campaign_id;
    const struct budget *budget;
    int64_t talk_ms; /* 0: not answered */
    bool unseen;     /* nobody saw its end: it costs what a call may come to */
};

/* Sorts list. The last thing of a transaction: accounts are locked in the order of their
 * campaigns, so that two batches never wait for each other. */
NODISCARD int attempt_book_costs(struct pg *pg, struct attempt_cost *list, size_t n);

#endif
