/*
 * event_store - what happened to batches, as events that nobody changes any more.
 *
 * In the transaction in which the ledger was opened. Errors are pg.h's, and as stated.
 */
#ifndef BATCHES_EVENT_STORE_H
#define BATCHES_EVENT_STORE_H

#include <stdint.h>

#include "base/attrs.h"
#include "base/uuid.h"
#include "batches/epcis.h"
#include "batches/lot_store.h"

struct pg;

struct event_new {
    enum epcis_kind kind;
    int64_t at_ms;
    const struct uuid *command_id; /* NULL: of none */
    int64_t caller_id;             /* 0 unknown */
    /* What it was done to and what came of it, PACKED_MAX of each at most. */
    const struct lot *const *lots;
    size_t lot_count;
    const struct lot *made;
    size_t made_count;
    const char *parent, *place, *source, *destination; /* URNs; NULL or "" none */
    const json_t *extension;                           /* NULL none */
};
/* *id is the event's. */
NODISCARD int event_add(struct pg *pg, const struct ledger *l, const struct event_new *e,
                        struct uuid *id);

struct container {
    int64_t id;
    char label[ENTITY_MAX], sscc[SSCC_MAX], urn[EPC_URN_MAX];
};
/* By what people call it or by its SSCC. ENOENT. */
NODISCARD int container_find(struct pg *pg, const char *label, struct container *out);
/* The same, made when there is none: an SSCC is taken as it is, any other label gets a
 * new one. "" or a word without digits ("PALLET") is a container without a name of its
 * own. EINVAL: an SSCC that is wrong or of another company; ERANGE: no numbers are left.
 */
NODISCARD int container_take(struct pg *pg, const struct ledger *l, const char *label,
                             int64_t now_ms, struct container *out);
NODISCARD int container_pack(struct pg *pg, const struct ledger *l,
                             const struct container *c, const struct lot *lot,
                             const struct uuid *event_id);
/* The batches in it, at most PACKED_MAX. EMSGSIZE: more. */
NODISCARD int container_lots(struct pg *pg, const struct ledger *l,
                             const struct container *c, struct lot *lots, size_t *n);
NODISCARD int container_empty(struct pg *pg, const struct container *c,
                              const struct uuid *event_id);

#endif
