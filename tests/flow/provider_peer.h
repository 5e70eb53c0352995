/*
 * provider_peer - a provider of calls in the test's own process: Twilio's and Plivo's
 * REST APIs as far as calls go, on port 0 of loopback. What it does with a call is chosen
 * by the last digit of the number; what it was asked is counted.
 *
 * Thread: its own; the functions below may be called from any.
 */
#ifndef TESTS_FLOW_PROVIDER_PEER_H
#define TESTS_FLOW_PROVIDER_PEER_H

#include <stdbool.h>

#include "base/uuid.h"

enum peer_manner {
    PEER_RINGS,     /* 0: 201, then rings until it is told otherwise */
    PEER_DROPS,     /* 1: takes the call, and the connection breaks before the answer */
    PEER_FAILS,     /* 2: 500, and there is no call */
    PEER_BAD,       /* 3: 400, 21211 */
    PEER_BUSY,      /* 4: 429 */
    PEER_QUEUES,    /* 5: 201, and it stays queued */
    PEER_DROPS_2,   /* 6: as 1 */
    PEER_COMPLETES, /* 7: 201, and it has completed when it is looked at */
    PEER_ONCE       /* 8: the first is busy; after it 500, and there is no call */
};

int peer_start(void); /* the port */
void peer_stop(void);
/* POSTs that made, or tried to make, a call to numbers that end so. */
int peer_posts(int digit);
/* Its newest call to such a number; false: none. */
bool peer_call(int digit, struct uuid *attempt, char id[64], char status[24]);
void peer_set_status(int digit, const char *status);
/* The form body of the last POST that made a call to such a number; static. */
const char *peer_body(int digit);

#endif
