/*
 * talk - an answered call: the campaign's flow, and at the other end somebody of the
 * network. All of it happens at once, on a clock of its own from the answer to the end.
 * Pure.
 */
#ifndef SIMULATE_TALK_H
#define SIMULATE_TALK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "base/attrs.h"
#include "ivr/ivr.h"
#include "simulate/network.h"

struct talk_start {
    const struct ivr_prog *prog;
    int64_t answered_ms, tenant;
    int64_t phone;
    uint64_t seed;         /* of the flow's random() */
    const char *language;  /* remembered; "" none */
    const json_t *contact; /* {{contact.*}} */
};

enum { TALK_LANGUAGE_MAX = 16, TALK_OUTCOME_MAX = 32 };

struct talk {
    int64_t end_ms;
    bool opted_out, opted_out_of_all; /* of the campaign, of the tenant's calls */
    int64_t opt_out_ms, callback_ms;  /* 0 none */
    int recordings, messages, transfers;
    char language[TALK_LANGUAGE_MAX]; /* to be remembered; "" as before */
    char outcome[TALK_OUTCOME_MAX];   /* the flow's */
};

/* ENOMEM; EPROTO: the engine refused its own state. */
NODISCARD int talk_run(const struct talk_start *start, struct network_party *party,
                       struct talk *out);

#endif
