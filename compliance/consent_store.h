/* consent_store - what people agreed to, with its evidence, and when they took it back. A
 * revocation takes the number's lock like an opt-out: no permit is minted after its
 * commit. */
#ifndef COMPLIANCE_CONSENT_STORE_H
#define COMPLIANCE_CONSENT_STORE_H

#include <stdint.h>

#include "base/attrs.h"
#include "compliance/policy.h"

struct pg;

struct consent {
    int64_t phone, given_at_ms, revoked_at_ms; /* revoked 0: in force */
    enum consent_level level;
    const char *seller, *evidence, *revoked_note;
    const char *purpose; /* NULL or "": any */
};

NODISCARD int consent_add(struct pg *pg, int tenant_id, const struct consent *c);
/* Every consent of the number. *n: how many were in force. */
NODISCARD int consent_revoke(struct pg *pg, int tenant_id, int64_t phone,
                             const char *note, int64_t now_ms, int64_t *n);
typedef int(consent_fn)(const struct consent *c, void *arg);
/* Newest first; phone 0: of all numbers, at most max. */
NODISCARD int consent_list(struct pg *pg, int tenant_id, int64_t phone, int max,
                           consent_fn *each, void *arg);

#endif
