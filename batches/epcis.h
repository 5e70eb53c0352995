/*
 * epcis - what happened to batches as EPCIS 2.0 events in JSON-LD, with the words of the
 * Core Business Vocabulary 2.0, their canonical form and its hash.
 *
 * The canonical form is the event as JSON with sorted keys and no spaces, in UTF-8; its
 * SHA-256 proves that an event was not altered. Pure; any thread.
 */
#ifndef BATCHES_EPCIS_H
#define BATCHES_EPCIS_H

#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "base/attrs.h"
#include "base/sha256.h"
#include "base/uuid.h"

enum epcis_kind {
    EPCIS_COMMISSION,
    EPCIS_SHIPMENT,
    EPCIS_RECEIPT,
    EPCIS_VERIFICATION,
    EPCIS_PACK,
    EPCIS_UNPACK,
    EPCIS_SPLIT,
    EPCIS_TRANSFORMATION,
};
enum { EPCIS_KINDS = 8 };

struct epcis_item {
    const char *epc;       /* urn:epc:id:sgtin:… */
    const char *epc_class; /* urn:epc:class:lgtin:… */
    double kg;             /* 0 or less: not weighed; then it is in no quantity list */
};

/* Everything is borrowed; NULL for what does not apply. */
struct epcis_event {
    enum epcis_kind kind;
    struct uuid id; /* of the event; names a transformation too */
    int64_t at_ms;  /* when it happened, with three decimals of a second */
    const struct epcis_item *items; /* what it was done to: the input of a change */
    size_t item_count;
    const struct epcis_item *made; /* what came of a split or a transformation */
    size_t made_count;
    const char *parent;               /* urn:epc:id:sscc:… of a container */
    const char *place;                /* urn:epc:id:sgln:…: read point and location */
    const char *source, *destination; /* of a shipment or a receipt: urn:epc:id:sgln:… */
    const json_t *extension; /* object: further fields, written as furrow:<name> */
};

/* type, action, bizStep, disposition as they are written; NULL where there is none. */
const char *epcis_type(enum epcis_kind kind);
const char *epcis_action(enum epcis_kind kind);
const char *epcis_biz_step(enum epcis_kind kind);
const char *epcis_disposition(enum epcis_kind kind);

/* The caller owns the reference. */
json_t *epcis_event_json(const struct epcis_event *e);
/* The caller's to free(). */
char *epcis_canonical(const json_t *event);
const char *epcis_hash(const char *canonical, char out[SHA256_TEXT_MAX]);

#endif
