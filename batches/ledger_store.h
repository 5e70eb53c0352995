/*
 * ledger_store - a tenant's book of batches while one command is written into it: the
 * settings, and the numbers that are given out. Whoever opens it has the tenant's book
 * alone until the end of the transaction, so what was checked is still so when it is
 * written.
 *
 * In the caller's transaction of that tenant. Errors are pg.h's, and as stated.
 */
#ifndef BATCHES_LEDGER_STORE_H
#define BATCHES_LEDGER_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attrs.h"
#include "batches/gs1.h"

struct pg;

struct ledger {
    int tenant_id;
    char prefix[GS1_PREFIX_MAX]; /* of the company, at GS1 */
    bool registered_only;        /* speech of unknown numbers is refused too */
    bool location_needed;        /* no new batch without coordinates of its farm */
    bool tell_cooperative;       /* managers are told of their members' new batches */
};

NODISCARD int ledger_open(struct pg *pg, int tenant_id, struct ledger *out);
/* Numbers given out so far stay as they are. EINVAL: that is no company prefix. */
NODISCARD int ledger_change(struct pg *pg, int tenant_id, const struct ledger *to);

enum ledger_number { LEDGER_BATCH, LEDGER_ITEM, LEDGER_PLACE, LEDGER_CONTAINER };
/* The next one, from 1. */
NODISCARD int ledger_next(struct pg *pg, enum ledger_number kind, int64_t *out);

struct place {
    int64_t id; /* 0 none */
    char gln[GLN_MAX], urn[EPC_URN_MAX];
    bool located; /* its coordinates are known */
};

/* A farm or another place by its name, in any case. ENOENT. */
NODISCARD int place_find(struct pg *pg, bool farm, const char *name, struct place *out);
/* The same, made with a new GLN when there is none. ERANGE: the prefix has no more
 * places. */
NODISCARD int place_take(struct pg *pg, const struct ledger *l, bool farm,
                         const char *name, int64_t now_ms, struct place *out);
/* Where it lies. */
NODISCARD int place_locate(struct pg *pg, const struct place *p, double latitude,
                           double longitude);

#endif
