/*
 * desk - the agents of a simulation. Of a campaign with a mode, calls are booked: the
 * agents who are reserved, the abandonment credit and its periods are kept as
 * agent_store_book.c and agent_store_call.c keep them, and how many calls may begin is
 * mode_room()'s to say. In any other campaign who enters a queue waits for the first
 * agent who is free. Every agent serves every queue. Not thread-safe; errors are those of
 * an unknown time zone.
 */
#ifndef SIMULATE_DESK_H
#define SIMULATE_DESK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attrs.h"
#include "ivr/ivr.h"
#include "simulate/scene.h"

struct desk;

enum { DESK_AGENTS_MAX = 5000 };

/* scene must outlive it. agents is from 1 to DESK_AGENTS_MAX. */
struct desk *desk_new(const struct scene *scene, int agents);
void desk_free(struct desk *d); /* NULL is allowed */

struct desk_counts {
    int agents;
    int64_t served, timed_out, left; /* calls; left: hung up while waiting */
    /* Of a campaign with a mode: calls that people answered and whose result is known,
     * and those of them that no agent took within the two seconds. Not machines that were
     * heard to be one. */
    int64_t answered, abandoned;
    int64_t late;                       /* of the abandoned: an agent came, too late */
    int64_t waited_ms, longest_wait_ms; /* of those who were served */
    int64_t talk_ms, wrap_up_ms;        /* of all agents together */
    double worst_ppm; /* the highest share of abandoned calls in a period, at any end */
};
struct desk_counts desk_counts(const struct desk *d);

/* ---- bookings ---- */

bool desk_books(const struct desk *d); /* the campaign has a mode */

struct desk_book {
    struct mode_room room;
    struct compliance_abandon abandon[MODE_ANCHORS];
};
/* How many of at most max calls may begin now, as agent_book(). */
NODISCARD int desk_look(struct desk *d, int64_t now_ms, size_t max,
                        struct desk_book *out);
/* Answers what the others take for the booking. kept: its agent is not given away. */
uint32_t desk_book(struct desk *d, int64_t now_ms, bool backed, bool kept);
/* For the second verdict, as agent_gate_load(). */
NODISCARD int desk_gate(struct desk *d, uint32_t booking, int64_t now_ms, bool *backed,
                        struct compliance_abandon abandon[MODE_ANCHORS]);
void desk_withdraw(struct desk *d, uint32_t booking, int64_t now_ms);

/* What follows is told at its instant, in the order of time, as to agent_call_moved(),
 * agent_call_machine(), agent_take(), agent_connected() and agent_left(). */
void desk_answered(struct desk *d, uint32_t booking, int64_t now_ms);
void desk_machine(struct desk *d, uint32_t booking, bool hears_flow, int64_t now_ms);
/* False: there is nobody, and the call is abandoned, or was over for agents before. */
NODISCARD int desk_take(struct desk *d, uint32_t booking, int64_t now_ms, bool *taken);
NODISCARD int desk_connected(struct desk *d, uint32_t booking, bool in_time,
                             int64_t now_ms);
void desk_left(struct desk *d, uint32_t booking, int64_t wrap_up_ms, int64_t now_ms);
/* *abandoned_ms: when it was booked, if people who are left so are owed an agent the next
 * time; else 0. */
NODISCARD int desk_over(struct desk *d, uint32_t booking, int64_t ended_ms,
                        int64_t *abandoned_ms);

/* ---- who waits for an agent, in any other campaign ---- */

struct desk_ask {
    int64_t now_ms, max_wait_ms;
    int64_t patience_ms, connect_ms, talk_ms, wrap_up_ms;
};
struct desk_served {
    int64_t at_ms; /* when the call goes on */
    bool hung_up;
    enum ivr_left result;
};
/* Calls must ask in the order of time. */
void desk_ask(struct desk *d, const struct desk_ask *ask, struct desk_served *out);

#endif
