/*
 * budget_store - what campaigns have spent of their budgets. Only those that have one are
 * counted. Each function runs in the caller's transaction of the tenant, or makes its
 * own. Errors are pg.h's; on any of them nothing may be called.
 */
#ifndef CAMPAIGNS_BUDGET_STORE_H
#define CAMPAIGNS_BUDGET_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attrs.h"
#include "campaigns/budget.h"

struct pg;

/* Until the transaction ends the campaign's rules stay as they are for who picks its
 * contacts or ends its calls (not alone), or change (alone: waits for all of those).
 * Before the document is read: what is booked by the old one is then counted by who
 * states a new budget, or the new one is read. */
NODISCARD int budget_hold_rules(struct pg *pg, int64_t campaign_id, bool alone);

/* How many calls may begin; those that live are set aside. Locks the campaign's account
 * until the transaction ends, so that of two who ask the second sees what the first
 * took. */
NODISCARD int budget_take(struct pg *pg, int64_t campaign_id, const struct budget *b,
                          int64_t now_ms, int64_t *room);

/* Adds what ended calls came to. */
NODISCARD int budget_book(struct pg *pg, int64_t campaign_id,
                          const struct budget_spent *more);

/* Spent, without what lives; *open: how many calls do. For showing. */
NODISCARD int budget_load(struct pg *pg, int tenant_id, int64_t campaign_id,
                          const struct budget *b, struct budget_spent *out,
                          int64_t *open);

/* Reckons the account anew from the ledger, after the budget was changed. */
NODISCARD int budget_recount(struct pg *pg, int64_t campaign_id, const struct budget *b);

/* Pauses running campaigns whose budget is spent, with a reason that says so and what to
 * do. *paused counts. For the sweep. */
NODISCARD int budget_pause_spent(struct pg *pg, int tenant_id, int64_t now_ms,
                                 size_t *paused);

#endif
