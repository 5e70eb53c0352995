/*
 * understanding - what a spoken command means: an intent and the things named.
 *
 * The one form that the built-in grammar and every language model are brought
 * into, and that is stored beside a transcript. Values, no ownership. Any thread.
 */
#ifndef WORKERS_UNDERSTANDING_H
#define WORKERS_UNDERSTANDING_H

#include <stdbool.h>

#include <jansson.h>

#include "base/attrs.h"

enum intent {
    INTENT_NONE,
    INTENT_COMMISSION,
    INTENT_RECEIPT,
    INTENT_SHIPMENT,
    INTENT_TRANSFORMATION,
};

enum { INTENT_COUNT = 5, ENTITY_MAX = 96 };

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
    char batch_id[ENTITY_MAX]; /* of the batch spoken about */
    char process[ENTITY_MAX];  /* what a transformation did: roasted, milled … */
    double output_kg;          /* what a transformation left */
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
                            enum intent *out); /* also without record_ */
const char *intent_event(enum intent i);       /* "commission" …, "" for INTENT_NONE */

/* "bag", "Sacks", "kilo" … as one of the unit names; NULL for no unit. */
const char *unit_canonical(const char *word);
/* Kilograms in one of a unit; "" counts as kilograms; negative for no unit. */
double unit_kg(const char *unit);

/* Absent things are null. The caller owns the reference. */
json_t *entities_to_json(const struct entities *e);
/* Takes entities under any of the names that models give them; unknown names and
 * values of odd types are passed over. */
void entities_from_json(struct entities *e, const json_t *object);
/* One of them; false when the name means nothing here. */
bool entities_set(struct entities *e, const char *name, const json_t *value);

#endif
