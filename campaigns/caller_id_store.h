/*
 * caller_id_store - numbers that calls may show, in pools of a tenant. A number is of one
 * pool. What it was used for, and how its calls ended, is counted from the attempts.
 *
 * Unless it says otherwise a function is one transaction of one tenant. Errors are
 * pg.h's.
 */
#ifndef CAMPAIGNS_CALLER_ID_STORE_H
#define CAMPAIGNS_CALLER_ID_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attrs.h"
#include "base/errors.h"
#include "campaigns/caller_id_pool.h"

struct pg;

/* Added again it changes pool and cap. daily_cap 0: none. EPROTO: no name of a pool. */
NODISCARD int caller_id_add(struct pg *pg, int tenant_id, const char *pool, int64_t phone,
                            int daily_cap, int64_t now_ms);
/* ENOENT: it is in no pool. */
NODISCARD int caller_id_remove(struct pg *pg, int tenant_id, int64_t phone);
/* Into quarantine by hand; ENOENT. */
NODISCARD int caller_id_hold(struct pg *pg, int tenant_id, int64_t phone,
                             int64_t until_ms, const char *why);
/* Out of it: its health is counted from now on. ENOENT: it is not in quarantine. */
NODISCARD int caller_id_release(struct pg *pg, int tenant_id, int64_t phone,
                                int64_t now_ms);

struct caller_id_row {
    struct caller_id id; /* used and health as of now */
    char pool[CALLER_ID_POOL_MAX];
    char held_why[CALLER_ID_WHY_MAX];
};
/* pool NULL: all. health is counted over days. *out: free(). By pool, then number. */
NODISCARD int caller_id_list(struct pg *pg, int tenant_id, const char *pool, int days,
                             int64_t now_ms, struct caller_id_row **out, size_t *n);

/* In the caller's transaction. ENOENT with the pools there are. */
NODISCARD int caller_id_pool_find(struct pg *pg, const char *pool, struct errtext *e);
/* For a claim, in its transaction: the pool's numbers, locked, so that two claims never
 * spend the same cap. *out: free(); not NULL, also when there are none. */
NODISCARD int caller_id_pool_lock(struct pg *pg, const char *pool, int64_t now_ms,
                                  struct caller_id **out, size_t *n);
/* Why no call can show a number of it, "" when one can. */
NODISCARD int caller_id_dry(struct pg *pg, int tenant_id,
                            const struct caller_id_rule *rule, int64_t now_ms,
                            char why[CALLER_ID_WHY_MAX]);

/* Counts the health of the pool's numbers anew and quarantines the bad ones, as a
 * campaign's rule asks; the campaign's history has it. *held counts. In the caller's
 * transaction. */
NODISCARD int caller_id_check(struct pg *pg, const struct caller_id_rule *rule,
                              int64_t campaign_id, int64_t now_ms, size_t *held);

#endif
