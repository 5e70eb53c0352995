/*
 * understanding - what a spoken command means: an intent and the things named.
 *
 * The one form that the built-in grammar and every language model are brought
 * into, and that is stored beside a transcript. Values, no ownership. Any thread.
 */
#ifndef BATCHES_UNDERSTANDING_H
#define BATCHES_UNDERSTANDING_H

#include <stdbool.h>

#include <jansson.h>

#include "base/attrs.h"

enum intent {
    INTENT_NONE,
    INTENT_COMMISSION,
    INTENT_RECEIPT,
    INTENT_SHIPMENT,
    INTENT_TRANSFORMATION,
    INTENT_PACK,
    INTENT_UNPACK,
    INTENT_SPLIT,
};

enum { INTENT_COUNT = 8, ENTITY_MAX = 96, PACKED_MAX = 32, PARTS_MAX = 16 };

/* What a command may lack. */
enum missing {
    MISSING_NOTHING,
    MISSING_QUANTITY,
    MISSING_ORIGIN, /* or a farmer */
    MISSING_BATCH,
    MISSING_OUTPUT,  /* what a transformation left */
    MISSING_BATCHES, /* two at least, to pack */
    MISSING_CONTAINER,
    MISSING_PARTS, /* two at least, of a split */
};
enum { MISSING_COUNT = 8 };

/* One of the lots that a batch is split into. */
struct part {
    double kg;
    char destination[ENTITY_MAX]; /* "" not said */
};

/* Text is "" and numbers are negative when nothing was said. */
struct entities {
    double quantity;
    char unit[16]; /* bags, kg, quintals, tonnes, or "" */
    char product[ENTITY_MAX];
    char grade[16];
    char origin[ENTITY_MAX];
    char farmer[ENTITY_MAX];
    char destination[ENTITY_MAX];
    char condition[ENTITY_MAX];
    char batch_id[ENTITY_MAX];  /* of the batch spoken about */
    char process[ENTITY_MAX];   /* what a transformation did: roasted, milled … */
    double output_kg;           /* what a transformation left */
    char container[ENTITY_MAX]; /* what is packed into, or unpacked */
    char packed[PACKED_MAX][ENTITY_MAX]; /* batches that are packed together */
    size_t packed_count;
    struct part parts[PARTS_MAX];
    size_t part_count;
};

struct understanding {
    enum intent intent;
    double confidence; /* 0 to 1 */
    bool opt_out;      /* wants no more calls, whatever else was said */
    struct entities entities;
};

void understanding_init(struct understanding *u); /* nothing said, nothing understood */

const char *intent_name(enum intent i); /* "record_commission", "none" */
NODISCARD bool intent_parse(const char *name,
                            enum intent *out); /* also "commission", "pack" … */
const char *intent_event(enum intent i); /* "commission", "pack" …, "" for INTENT_NONE */

/* "quantity", "origin", "batch" …; "" for MISSING_NOTHING. */
const char *missing_name(enum missing m);
NODISCARD bool missing_parse(const char *name, enum missing *out);

/* "bag", "Sacks", "kilo" … as one of the unit names; NULL for no unit. */
const char *unit_canonical(const char *word);
/* Kilograms in one of a unit; "" counts as kilograms; negative for no unit. */
double unit_kg(const char *unit);
/* One more, once; false when there is no room or the name does not fit. */
bool entities_add_packed(struct entities *e, const char *batch_id);
bool entities_add_part(struct entities *e, double kg, const char *destination);

/* Absent things are null. The caller owns the reference. */
json_t *entities_to_json(const struct entities *e);
/* Takes entities under any of the names that models give them; unknown names and
 * values of odd types are passed over. */
void entities_from_json(struct entities *e, const json_t *object);
/* One of them; false when the name means nothing here. A list under batch_ids or
 * child_batches, or several of one of these names, are the batches to pack; a single one
 * is the batch spoken about as well. */
bool entities_set(struct entities *e, const char *name, const json_t *value);

#endif
