/*
 * batch_rules - from what was understood to what may be recorded, or to the reason why
 * not: what a command needs, what a batch weighs, and that no coffee comes out of
 * nothing.
 *
 * Pure: the time, the sequence and what is known of earlier batches are
 * arguments. Writes nothing. Any thread.
 */
#ifndef BATCHES_BATCH_RULES_H
#define BATCHES_BATCH_RULES_H

#include <stdint.h>

#include "base/attrs.h"

#include "batches/gs1.h"
#include "batches/refusal.h"
#include "batches/understanding.h"

enum { BATCH_ID_MAX = 160, BATCH_LOSS_MAX_PERCENT = 40 };

/* Of the weight of a batch that its parts may differ by: scales do. */
#define BATCH_BALANCE_TOLERANCE 0.001

enum batch_verdict {
    BATCH_OK,
    BATCH_NOT_UNDERSTOOD, /* no intent */
    BATCH_INCOMPLETE,     /* something needed was not said */
    BATCH_REFUSED,        /* what was said cannot be */
};

struct batch_context {
    int64_t at_ms;    /* when it was said */
    int64_t sequence; /* > 0 is appended to the id: two in one second both live */
    /* The batch spoken about, when the caller of this knows it. */
    const char *source_batch_id; /* stands in when no batch was named; NULL none */
    double source_kg;            /* its weight; negative when not known */
};

struct batch_lot { /* one of several */
    char batch_id[BATCH_ID_MAX];
    double kg; /* negative unknown */
};

struct batch {
    char batch_id[BATCH_ID_MAX];
    enum intent event;
    double quantity;    /* as said; negative when a batch was named instead */
    char unit[16];      /* bags, kg, quintals, tonnes */
    double quantity_kg; /* for a transformation: what is left; negative unknown */
    char variety[ENTITY_MAX];
    char grade[16];
    char origin[ENTITY_MAX];
    char farmer[ENTITY_MAX];
    /* The rest is for the details column; "" or negative when it does not apply. */
    char destination[ENTITY_MAX];
    char condition[ENTITY_MAX];
    char process[ENTITY_MAX];
    char source_batch_id[BATCH_ID_MAX];
    double loss_percent;
    /* Of packing and splitting, for who is told of it. */
    char container[ENTITY_MAX], sscc[SSCC_MAX];
    struct batch_lot lots[PACKED_MAX];
    size_t lot_count;
};

/* Fills *out on BATCH_OK and why on anything else. Of packing, unpacking and splitting it
 * judges only whether enough was said. */
NODISCARD enum batch_verdict batch_make(struct batch *out, const struct understanding *u,
                                        const struct batch_context *ctx,
                                        struct refusal *why);
/* ORIGIN_PRODUCT_YYYYMMDD_HHMMSS[_sequence] */
void batch_make_id(struct batch *b, const struct batch_context *ctx);
/* Whether the parts are what the batch weighs (REFUSED_PARTS, REFUSED_QUANTITY). */
NODISCARD bool batch_parts_balance(const struct entities *e, double batch_kg,
                                   struct refusal *why);
const char *batch_verdict_name(enum batch_verdict v);
/* destination, condition, transformation_type, source_batch_id, loss_percent: only
 * those that apply. The caller owns the reference. */
json_t *batch_details_json(const struct batch *b);

#endif
