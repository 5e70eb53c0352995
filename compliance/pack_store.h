/* pack_store - bodies of rule packs and of policies by content: what a decision of last
 * year was made with. */
#ifndef COMPLIANCE_PACK_STORE_H
#define COMPLIANCE_PACK_STORE_H

#include <jansson.h>

#include "base/attrs.h"
#include "base/sha256.h"

struct packs;
struct policy;
struct pg;

/* Keeps every pack that is not kept yet. Its own transaction. */
NODISCARD int packs_keep(struct pg *pg, const struct packs *packs);

/* A tenant's policy; in the caller's transaction. hash is filled in. */
NODISCARD int policy_keep(struct pg *pg, int tenant_id, const struct policy *policy,
                          char hash[SHA256_TEXT_MAX]);

/* Where inputs_body() finds bodies, and what it has found. One thread. */
struct inputs_bodies {
    struct pg *pg;
    int tenant_id;
    json_t *found; /* by hash */
};
/* An inputs_blob_fn (compliance/check.h), arg a struct inputs_bodies: a pack or a policy
 * of the tenant, NULL when it is not on file or is not what its hash says. */
json_t *inputs_body(const char *sha256, void *arg);
void inputs_bodies_free(struct inputs_bodies *b);

#endif
