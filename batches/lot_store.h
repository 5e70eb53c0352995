/*
 * lot_store - batches as they lie in the ledger: finding the one that was spoken about,
 * adding new ones with their numbers, and using them up.
 *
 * In the transaction in which the ledger was opened. Errors are pg.h's, and as stated.
 */
#ifndef BATCHES_LOT_STORE_H
#define BATCHES_LOT_STORE_H

#include "base/attrs.h"
#include "base/uuid.h"
#include "batches/batch_rules.h"
#include "batches/epcis.h"
#include "batches/ledger_store.h"

struct pg;

enum { LOT_TOKEN_MAX = 24 };

struct lot {
    struct uuid id;
    char batch_id[BATCH_ID_MAX];
    char epc[EPC_URN_MAX], epc_class[EPC_URN_MAX];
    char variety[ENTITY_MAX], grade[16], origin[ENTITY_MAX], farmer[ENTITY_MAX],
        method[ENTITY_MAX];
    double kg; /* as verified, else as said; negative unknown */
    struct place farm;
    int64_t container_id; /* it is packed in; 0 none */
    char container[ENTITY_MAX];
    bool spent; /* split or transformed */
    int64_t phone;
    char token[LOT_TOKEN_MAX]; /* of its verification; of a new one only */
    int64_t token_until_ms;
};

/* As epcis.h wants it; borrowed from the lot. */
struct epcis_item lot_item(const struct lot *l);

/* By its id, GTIN, batch number or number, in any case. ENOENT. */
NODISCARD int lot_find(struct pg *pg, const struct ledger *l, const char *named,
                       struct lot *out);
/* The newest one of a caller in the day before at_ms that is still there. ENOENT. */
NODISCARD int lot_newest(struct pg *pg, const struct ledger *l, int64_t phone,
                         int64_t at_ms, struct lot *out);

struct lot_new {
    struct batch *batch;                       /* what was said; its id is filled in */
    const struct uuid *recording_id, *call_id; /* NULL none */
    const struct place *farm;                  /* NULL unknown */
    const char *method;                        /* "Washed"; NULL unknown */
    int64_t phone, caller_id;                  /* 0 unknown */
    int64_t said_ms;
};
/* ERANGE: the company prefix has no more items. A verification token is made that ends
 * 48 hours after said_ms. */
NODISCARD int lot_add(struct pg *pg, const struct ledger *l, const struct lot_new *n,
                      struct lot *out);
NODISCARD int lot_add_parent(struct pg *pg, const struct ledger *l,
                             const struct lot *child, const struct lot *parent);
NODISCARD int lot_spend(struct pg *pg, const struct lot *l, int64_t at_ms);
/* A token from at_ms on, for 48 hours. */
void lot_token_new(char token[LOT_TOKEN_MAX], int64_t at_ms, int64_t *until_ms);

#endif
