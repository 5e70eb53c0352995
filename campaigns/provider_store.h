/*
 * provider_store - rows of provider_accounts, their tokens sealed (base/secret.h). Every
 * function runs in a transaction of its own, or in the caller's of that tenant. Errors
 * are pg.h's, and as stated.
 */
#ifndef CAMPAIGNS_PROVIDER_STORE_H
#define CAMPAIGNS_PROVIDER_STORE_H

#include "base/secret.h"
#include "campaigns/provider.h"

struct pg;

/* id, tenant_id and hook are filled in. EINVAL, EEXIST with a text. */
NODISCARD int provider_add(struct pg *pg, const struct secret_keys *keys, int tenant_id,
                           struct provider *p, int64_t now_ms, struct errtext *e);
/* Account, settings and tokens of the one of that name become those of *p. */
NODISCARD int provider_set(struct pg *pg, const struct secret_keys *keys, int tenant_id,
                           struct provider *p, int64_t now_ms, struct errtext *e);
/* With tokens when keys is not NULL. ENOENT: no such account; EACCES, EBADMSG: its tokens
 * do not open (secret.h). Each with a text. */
NODISCARD int provider_find(struct pg *pg, const struct secret_keys *keys, int tenant_id,
                            const char *name, struct provider *out, struct errtext *e);
NODISCARD int provider_load(struct pg *pg, const struct secret_keys *keys, int tenant_id,
                            int64_t id, struct provider *out, struct errtext *e);
/* By the name in its webhooks' address, before any tenant is known. ENOENT. */
NODISCARD int provider_of_hook(struct pg *pg, const struct secret_keys *keys,
                               const struct uuid *hook, struct provider *out,
                               struct errtext *e);
/* Without tokens, by name. free(). */
NODISCARD int provider_list(struct pg *pg, int tenant_id, struct provider **out,
                            size_t *n);
/* EBUSY with a text: trunks, settings, calls that are up, or recordings that are still to
 * be fetched or deleted there use it. Its calls that are over stay, as nobody's. */
NODISCARD int provider_remove(struct pg *pg, int tenant_id, const char *name,
                              struct errtext *e);
/* Seals every token of the tenant anew with the first key; *n is how many. */
NODISCARD int provider_reseal(struct pg *pg, const struct secret_keys *keys,
                              int tenant_id, int64_t now_ms, size_t *n,
                              struct errtext *e);

#endif
