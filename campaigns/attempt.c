#include "campaigns/attempt.h"

#include <string.h>

static const char *const names[] = {"intent", "released",  "ringing", "answered",
                                    "ended",  "withdrawn", "unknown"};
_Static_assert(ARRAY_LEN(names) == ATTEMPT_STATES, "a name for every state");

/* moves[from][to]; what is not here is illegal. */
static const bool moves[ATTEMPT_STATES][ATTEMPT_STATES] = {
    [ATTEMPT_INTENT] = {[ATTEMPT_RELEASED] = true, [ATTEMPT_WITHDRAWN] = true},
    /* An answer or an end may be seen before the ringing was. */
    [ATTEMPT_RELEASED] = {[ATTEMPT_RINGING] = true,
                          [ATTEMPT_ANSWERED] = true,
                          [ATTEMPT_ENDED] = true,
                          [ATTEMPT_WITHDRAWN] = true,
                          [ATTEMPT_UNKNOWN] = true},
    [ATTEMPT_RINGING] =
        {[ATTEMPT_ANSWERED] = true, [ATTEMPT_ENDED] = true, [ATTEMPT_UNKNOWN] = true},
    [ATTEMPT_ANSWERED] = {[ATTEMPT_ENDED] = true},
};

const char *attempt_state_name(enum attempt_state s)
{
    return names[s];
}

bool attempt_state_parse(const char *name, enum attempt_state *out)
{
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (strcmp(name, names[i]) == 0) {
            *out = (enum attempt_state)i;
            return true;
        }
    }
    return false;
}

bool attempt_may_move(enum attempt_state from, enum attempt_state to)
{
    return moves[from][to];
}

bool attempt_is_open(enum attempt_state s)
{
    return s == ATTEMPT_INTENT || s == ATTEMPT_RELEASED || s == ATTEMPT_RINGING ||
           s == ATTEMPT_ANSWERED;
}

bool attempt_is_called(enum attempt_state s)
{
    return s != ATTEMPT_INTENT && s != ATTEMPT_WITHDRAWN;
}
