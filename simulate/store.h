/*
 * store - the ledger as a simulation needs it: claim, release, end. One implementation is
 * in memory (memory.h); the tests have one over the ledger in Postgres, so that a run
 * over either can be compared.
 */
#ifndef SIMULATE_STORE_H
#define SIMULATE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attrs.h"
#include "campaigns/disposition.h"

struct sim_attempt {
    uint32_t person; /* index into the scene's people */
    int number;      /* 1 for the contact's first */
    uint32_t handle; /* the store's own */
    uint8_t variant; /* index into the document's; 0 where there are none */
};

struct sim_claimed {
    size_t intents;      /* filled in */
    size_t looked_at;    /* the others were refused */
    int64_t next_due_ms; /* when it is worth asking again; 0: never, as it stands */
    bool budget_spent;   /* nobody was looked at: ask again when a call has ended */
};

struct sim_ending {
    int64_t ringing_ms, answered_ms, ended_ms; /* answered 0: never */
    enum disposition disposition;
    bool faulted;                     /* the flow could not go on */
    bool opted_out, opted_out_of_all; /* of this campaign; of the tenant's calls */
    int64_t opt_out_ms, callback_ms;  /* 0 none */
};

/* Of a campaign with a mode: what a call comes to for agents, each told at its instant,
 * in the order of time. The other end is told by end(), and withdrawals by release(). */
struct sim_agent_ops {
    int (*answered)(void *store, const struct sim_attempt *attempt,
                    const struct sim_ending *ending); /* at its answered_ms */
    /* As agent_call_machine(). */
    int (*machine)(void *store, const struct sim_attempt *attempt, bool hears_flow,
                   int64_t now_ms);
    /* As agent_take(); *taken: there is one. */
    int (*take)(void *store, const struct sim_attempt *attempt, int64_t now_ms,
                bool *taken);
    /* As agent_connected(). */
    int (*connected)(void *store, const struct sim_attempt *attempt, bool in_time,
                     int64_t now_ms);
    /* As agent_left(); wrap_up_ms: what the agent writes down afterwards takes so long.
     */
    int (*left)(void *store, const struct sim_attempt *attempt, int64_t wrap_up_ms,
                int64_t now_ms);
};

struct sim_store_ops {
    /* As attempt_claim(): due contacts, the first verdict, intents. */
    int (*claim)(void *store, int64_t now_ms, size_t max, struct sim_attempt *out,
                 struct sim_claimed *result);
    /* As attempt_release(): the second verdict of each; go[i]: it was released. */
    int (*release)(void *store, int64_t now_ms, const struct sim_attempt *attempts,
                   size_t n, bool *go);
    /* As attempt_move(), to the end; with what the called party asked for. */
    int (*end)(void *store, const struct sim_attempt *attempt,
               const struct sim_ending *ending);
    const struct sim_agent_ops *agents;
};

#endif
