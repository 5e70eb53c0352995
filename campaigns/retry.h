/*
 * retry - when a contact is called again after an attempt ended so or so. Pure.
 *
 * One rule a disposition; what a campaign does not state is in
 * retry_rules_default(). The compliance rules hold besides: they may move the
 * next attempt further out, never nearer.
 */
#ifndef CAMPAIGNS_RETRY_H
#define CAMPAIGNS_RETRY_H

#include <stdint.h>

#include "base/attrs.h"
#include "campaigns/disposition.h"

struct retry_rule {
    int max_attempts;    /* the contact is final once it had so many attempts and the
                            latest ended so; 1 means no retry */
    int64_t delay_s;     /* after its first attempt */
    double backoff;      /* each further delay is so many times longer; 1 or more */
    int64_t max_delay_s; /* and never longer than this */
};

struct retry_rules {
    int max_attempts; /* for every disposition together */
    struct retry_rule by[DISPOSITIONS];
};

void retry_rules_default(struct retry_rules *out);

enum retry_outcome {
    RETRY_AGAIN, /* *delay_s is set */
    RETRY_FINAL,
};

/* attempt_number: 1 for the contact's first attempt in the campaign, the one
 * that has just ended. */
enum retry_outcome retry_next(const struct retry_rules *rules, enum disposition d,
                              int attempt_number, int64_t *delay_s);

#endif
