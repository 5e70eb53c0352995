/*
 * verification_store - what a batch really weighs, said once by somebody who may, under
 * the token that was made with the batch.
 *
 * In the caller's transaction of that tenant, or in one of their own. Errors are pg.h's,
 * and as stated.
 */
#ifndef BATCHES_VERIFICATION_STORE_H
#define BATCHES_VERIFICATION_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attrs.h"
#include "batches/batch_rules.h"
#include "batches/lot_store.h"

struct pg;
struct caller;

enum { VERIFICATION_NOTES_MAX = 2000 };

struct verification {
    struct uuid id; /* of the batch */
    char batch_id[BATCH_ID_MAX];
    char variety[ENTITY_MAX], origin[ENTITY_MAX], farmer[ENTITY_MAX];
    double kg; /* as said; negative unknown */
    int64_t expires_ms;
    bool used;
    double verified_kg; /* of these only when used */
    int64_t verified_ms;
};

/* ENOENT: no batch has that token. */
NODISCARD int verification_find(struct pg *pg, int tenant_id, const char *token,
                                struct verification *out);
struct verification_said {
    const struct caller *by; /* who may, see caller_role_verifies */
    double kg;
    const char *notes; /* "" none */
    int64_t at_ms;
};
/* Verifies it: the weight that counts from now on, and an event. ENOENT; ETIMEDOUT: the
 * token is over; EEXIST: it was used. */
NODISCARD int verification_add(struct pg *pg, int tenant_id, const char *token,
                               const struct verification_said *said);

struct verification_link {
    char token[LOT_TOKEN_MAX];
    int64_t expires_ms;
};
/* Of a batch, named as lot_find names it. renew: a new one for 48 hours in place of the
 * old. ENOENT: no such batch; EEXIST: it is verified; ENODATA: it has no token (it is
 * older than the ledger), which renewing gives it. */
NODISCARD int verification_link(struct pg *pg, int tenant_id, const char *named,
                                bool renew, int64_t now_ms,
                                struct verification_link *out);

#endif
