/*
 * refusal - why a command was not done, and the question after what it lacked, in the
 * language of who gave it. Sends nothing. Pure; any thread.
 */
#ifndef BATCHES_REFUSAL_H
#define BATCHES_REFUSAL_H

#include "batches/understanding.h"

enum refusal_reason {
    REFUSED_NOT,
    REFUSED_NOT_UNDERSTOOD,
    REFUSED_INCOMPLETE,     /* lacks */
    REFUSED_QUANTITY,       /* a, what: its unit */
    REFUSED_OUTPUT,         /* a kg cannot be */
    REFUSED_GAIN,           /* a kg out of b kg */
    REFUSED_LOSS,           /* b kg to a kg */
    REFUSED_NO_BATCH,       /* what */
    REFUSED_SPENT,          /* what: split or transformed already */
    REFUSED_PACKED,         /* what, other: its container */
    REFUSED_NO_CONTAINER,   /* what: nothing is packed in it */
    REFUSED_CONTAINER,      /* what: no SSCC of ours */
    REFUSED_PARTS,          /* a kg of parts, b kg of the batch */
    REFUSED_WEIGHT_UNKNOWN, /* what */
    REFUSED_LOCATION,       /* what: the farm */
    REFUSED_NOT_REGISTERED,
    REFUSED_NOT_APPROVED,
    REFUSED_FORM,            /* what: how it is typed */
    REFUSED_NUMBERS_USED_UP, /* of the company prefix */
    REFUSED_FULL,            /* what: a container; a: how many batches it holds */
};
enum { REFUSAL_COUNT = 20, REFUSAL_TEXT_MAX = 320, LACKS_MAX = 4 };

struct refusal {
    enum refusal_reason reason;
    enum missing
        lacks[LACKS_MAX]; /* the first one is asked after; rest MISSING_NOTHING */
    char what[160], other[ENTITY_MAX];
    double a, b;
};

/* language: en, am, om; another one gets English. */
const char *refusal_text(const struct refusal *r, const char *language,
                         char out[REFUSAL_TEXT_MAX]);
/* "How much is it, for example 5 bags?"; "" for MISSING_NOTHING. A literal. */
const char *refusal_question(enum missing lack, const char *language);

#endif
