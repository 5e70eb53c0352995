/*
 * disposition - how an attempt ended, from what the switch says. Pure.
 * Source of the table: ITU-T Q.850, and which SIP status Asterisk's PJSIP makes which
 * cause of; rule:
 * first "was the channel ever up?", then "did we hang up?", then the cause.
 */
#ifndef CAMPAIGNS_DISPOSITION_H
#define CAMPAIGNS_DISPOSITION_H

#include <stdbool.h>

#include "base/attrs.h"

enum disposition {
    DISPOSITION_COMPLETED,   /* answered */
    DISPOSITION_BUSY,        /* 17 */
    DISPOSITION_NO_ANSWER,   /* 18, 19, our ring time-out */
    DISPOSITION_REJECTED,    /* 21, declined by the person */
    DISPOSITION_UNREACHABLE, /* 20, 27 */
    DISPOSITION_BAD_NUMBER,  /* 1, 22, 28 */
    DISPOSITION_CONGESTION,  /* 34, 38, 41, 42, 43, 44, 102: the network, back off */
    DISPOSITION_CONFIG,      /* 2, 3, 50…: the trunk is wrong; also 401/403/407 */
    DISPOSITION_CANCELED,    /* we or another device ended it before answer */
    DISPOSITION_FAILED,      /* anything else */
    DISPOSITION_UNKNOWN,     /* lost in a crash */
    DISPOSITION_MACHINE,     /* an answering machine, and nothing was left on it */
    DISPOSITION_MESSAGE,     /* an answering machine that was left a message */
    DISPOSITIONS,
};

struct disposition_facts {
    bool was_up;
    bool we_hung_up;
    bool ring_timeout;       /* we gave up ringing */
    int cause;               /* Q.850, 0 unknown */
    int tech_cause;          /* SIP status, 0 unknown */
    const char *dial_status; /* ARI Dial event, only used when cause is 0; may be NULL */
};

enum disposition disposition_from(const struct disposition_facts *f);
const char *disposition_name(enum disposition d); /* "completed", "no_answer", … */
NODISCARD bool disposition_parse(const char *name, enum disposition *out);

#endif
