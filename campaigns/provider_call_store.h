/*
 * provider_call_store - rows of provider_calls: where furrow-server, which hears a
 * provider's webhooks, and the dialer, which keeps the ledger, meet. Errors are pg.h's,
 * and as stated. Every function runs in a transaction of its own, or in the caller's of
 * that tenant.
 */
#ifndef CAMPAIGNS_PROVIDER_CALL_STORE_H
#define CAMPAIGNS_PROVIDER_CALL_STORE_H

#include <stddef.h>

#include "campaigns/provider_call.h"

struct pg;

/* Something was said of the call of an attempt. The first word makes the row, whoever
 * brings it: a webhook may be quicker than the answer to the dialer's request. Told twice
 * or out of order nothing changes (*changed, may be NULL). The dialer that has the
 * attempt sees the change within a fifth of a second. ENOENT: no attempt of that account.
 */
NODISCARD int provider_call_told(struct pg *pg, int tenant_id, int64_t account_id,
                                 const struct provider_call_news *news, int64_t now_ms,
                                 bool *changed);
/* Of the attempts in ids, those whose row is of a greater version than the one known (0:
 * none). *out: free(). */
NODISCARD int provider_calls_changed(struct pg *pg, int tenant_id, const struct uuid *ids,
                                     const int64_t *versions, size_t n,
                                     struct provider_call **out, size_t *found);
/* What the provider calls the newest fifty other attempts at that number over that
 * account, each name between newlines: a call that is looked for by number and time is
 * none of these. *out: free(). */
NODISCARD int provider_call_others(struct pg *pg, int tenant_id, int64_t account_id,
                                   const struct uuid *attempt, int64_t phone, char **out);
/* ENOENT: nothing was said of it yet. */
NODISCARD int provider_call_load(struct pg *pg, int tenant_id, const struct uuid *attempt,
                                 struct provider_call *out);

#endif
