/* pack_store - bodies of rule packs by content: what a decision of last year was made
 * with. */
#ifndef COMPLIANCE_PACK_STORE_H
#define COMPLIANCE_PACK_STORE_H

#include <jansson.h>

#include "base/attrs.h"

struct packs;
struct pg;

/* Keeps every pack that is not kept yet. Its own transaction. */
NODISCARD int packs_keep(struct pg *pg, const struct packs *packs);
/* An inputs_blob_fn (compliance/check.h): arg is the struct pg. */
json_t *pack_body(const char *sha256, void *arg);

#endif
