/*
 * mode_flow - do the flows of a campaign with agents lead people to them, and does
 * whoever gets no agent hear why? Pure: sub-flows come from who asks.
 */
#ifndef CAMPAIGNS_MODE_FLOW_H
#define CAMPAIGNS_MODE_FLOW_H

#include <stdbool.h>

#include "ivr/ivr.h"

struct mode_flow {
    const char *source; /* of a published flow */
    const char *queue;
    ivr_resolve_fn *resolve; /* its sub-flows, as a call takes them */
    void *arg;
};

/* Does it, or a sub-flow of it, lead people to the agents of this queue? */
bool mode_flow_leads_to(const struct mode_flow *f);

/* Of the queue's nodes, one and the exit (full, failed) from which a call may end before
 * its party has heard a prompt, here or in the sub-flows on the way. The law wants
 * whoever answers a call that no agent takes to be told at once who called and how to be
 * left alone. A sub-flow that cannot be had ends the call. False: they hear something on
 * every way. */
struct mode_silence {
    char flow[128]; /* sub-flow that the node is in; "": the flow itself */
    char node[48];
    const char *exit; /* static */
};
bool mode_flow_is_silent(const struct mode_flow *f, struct mode_silence *out);

#endif
