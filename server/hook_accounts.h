/*
 * hook_accounts - whose webhook it is, remembered for two seconds, so that a busy call
 * does not ask for it at each request; and for as long as the database is away, so that
 * even then a request is told from a forged one and answered in its provider's words.
 * Thread-safe.
 */
#ifndef SERVER_HOOK_ACCOUNTS_H
#define SERVER_HOOK_ACCOUNTS_H

#include "base/secret.h"
#include "campaigns/provider.h"

struct hook_accounts;
struct pg_pool;

/* keys and pool are borrowed. */
struct hook_accounts *hook_accounts_new(struct pg_pool *pool,
                                        const struct secret_keys *keys);
void hook_accounts_free(struct hook_accounts *a); /* NULL is allowed */
/* As provider_of_hook(); *out is the caller's to provider_wipe(). The database may take
 * find_ms for it; 0: as long as is usual; < 0: it is not asked. */
NODISCARD int hook_accounts_find(struct hook_accounts *a, const struct uuid *hook,
                                 int find_ms, struct provider *out, struct errtext *e);
/* As it was when it was last found, however long ago that is; asks nothing. *out as
 * above. */
bool hook_accounts_recall(struct hook_accounts *a, const struct uuid *hook,
                          struct provider *out);

#endif
