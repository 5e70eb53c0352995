/*
 * answer - what a call hears before its flow begins, where the campaign asks whether a
 * machine has answered: the same ear as the dialer's (campaigns/machine.h) on the voices
 * of the network. Pure.
 */
#ifndef SIMULATE_ANSWER_H
#define SIMULATE_ANSWER_H

#include <stdbool.h>
#include <stdint.h>

#include "campaigns/machine.h"
#include "simulate/network.h"

struct answer {
    enum machine_verdict verdict;
    bool flow;        /* one begins at at_ms; else the call ends then */
    bool message;     /* it is the one for machines */
    int64_t heard_ms; /* when the verdict fell; OPEN: it did not */
    int64_t at_ms;
};

/* rule->action must not be MACHINE_NOT_ASKED. leaves_ms: the other side hangs up then, by
 * itself; INT64_MAX not. */
void answer_listen(const struct machine_rule *rule, const struct network_voice *voice,
                   int64_t answered_ms, int64_t leaves_ms, struct answer *out);

#endif
