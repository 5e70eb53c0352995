/*
 * batch_rules - from what was understood to a batch that may be recorded, or to
 * the reason why not, in words for the person who spoke.
 *
 * Pure: the time, the sequence and what is known of earlier batches are
 * arguments. Writes nothing. Any thread.
 */
#ifndef WORKERS_BATCH_RULES_H
#define WORKERS_BATCH_RULES_H

#include <stdint.h>

#include "base/attrs.h"

#include "workers/understanding.h"

enum { BATCH_ID_MAX = 160, BATCH_WHY_MAX = 240, BATCH_LOSS_MAX_PERCENT = 40 };

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
    char source_batch_id[ENTITY_MAX];
    double loss_percent;
};

/* Fills *out on BATCH_OK and why on anything else. */
NODISCARD enum batch_verdict batch_make(struct batch *out, const struct understanding *u,
                                        const struct batch_context *ctx,
                                        char why[BATCH_WHY_MAX]);
const char *batch_verdict_name(enum batch_verdict v);
/* destination, condition, transformation_type, source_batch_id, loss_percent: only
 * those that apply. The caller owns the reference. */
json_t *batch_details_json(const struct batch *b);

#endif
