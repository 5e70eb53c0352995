/* placed_inside - what placed.c and placed_lists.c share. For these two alone. */
#ifndef DIALER_PLACED_INSIDE_H
#define DIALER_PLACED_INSIDE_H

#include "dialer/id_table.h"
#include "dialer/listening.h"
#include "dialer/placed.h"

struct call {
    struct attempt_row row;
    struct trunk *trunk;
    int64_t flow_revision_id;
    enum attempt_state state; /* as the moves in the queue will leave it */
    bool adopted;             /* of a dead process: to be hung up and ended */
    bool was_up, hung_up;     /* adopted: seen up; told to hang up */
    bool unconfirmed;         /* its request was not answered */
    bool told;                /* its request is over, answered or not */
    bool resynced;            /* events of it were missed */
    bool asking, settling;
    bool live;  /* its flow runs, or has not told its result */
    bool ended; /* the channel is gone: */
    struct placed_end end;
    char dial_status[24], note[160];
    int absences;
    int64_t ask_at_ms, ended_at_ms; /* monotonic; 0 none */
    bool opted_out;
    int64_t callback_at_ms;
    struct machine_rule machine;
    int64_t machine_flow_revision_id;
    struct listening *ear; /* while it is not known who answered */
    enum machine_verdict answered_by;
    bool has_agents, leaves_message;
};

struct placed {
    struct id_table calls;
};

#endif
