/*
 * permit - the only key to an origination. The gate (attempt_release in
 * attempt_store.h) mints it after its transaction committed; a trunk's
 * originate takes a struct permit * and nothing else can make one: the struct
 * is opaque and permit_mint is called in one place (tests/lint.sh checks).
 * Single use, two seconds of monotonic time, never stored.
 *
 * Thread: minted on a database thread, handed to the loop, used there.
 */
#ifndef CAMPAIGNS_PERMIT_H
#define CAMPAIGNS_PERMIT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attrs.h"
#include "base/uuid.h"

enum { PERMIT_TTL_MS = 2000 };

struct permit;

struct permit_facts { /* what it is bound to */
    struct uuid attempt;
    int tenant_id;
    int64_t campaign_id, contact_id, phone, trunk_id;
    int64_t open_until_ms; /* business time at which the calling window closes; 0 none */
    char caller_id[64];
    /* sha256 of the inputs of the decision that allowed it, as stored: policy, packs,
     * list generations, tzdata version and every fact. A permit without one is not live.
     */
    char decision[65];
};

struct permit *permit_mint(const struct permit_facts *facts, int64_t mono_now_ms);
void permit_free(struct permit *p); /* NULL is allowed */
const struct permit_facts *permit_facts(const struct permit *p);
bool permit_is_live(const struct permit *p, int64_t mono_now_ms, int64_t now_ms);
/* Consumes it. False when it is spent, too old, or the window has closed: then
 * nothing may be sent and the attempt is withdrawn. */
NODISCARD bool permit_use(struct permit *p, int64_t mono_now_ms, int64_t now_ms);

#endif
