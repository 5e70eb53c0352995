/*
 * mode - how many calls of a campaign with agents may begin now, and whether one more
 * without a reserved agent could ever break the abandonment limit.
 *
 * A call is backed when an agent is reserved for it; any other is unbacked: nobody may be
 * there when it is answered. With A calls answered and a of them abandoned in a period,
 * up to k = floor((L*A - a - m) / (1 - L)) unbacked calls may be in flight: if every one
 * of them is answered and abandoned, (a + k) / (A + k) is still at most L. m is a margin
 * for backed calls whose agent was lost. Periods are anchored, never rolling: 30 days
 * from the campaign's first call on, the calendar day, the calendar month; all of them
 * hold.
 *
 * Pure: no clock, no rows, no randomness.
 */
#ifndef CAMPAIGNS_MODE_H
#define CAMPAIGNS_MODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attrs.h"

enum mode_kind {
    MODE_FIXED,       /* no agents: pacing alone */
    MODE_PROGRESSIVE, /* every call has its agent */
    MODE_RATIO,       /* so many calls an agent */
    MODE_PREDICTIVE,  /* as many as will bring each agent one answer */
    MODE_KINDS
};

enum mode_anchor {
    MODE_CAMPAIGN_30D,
    MODE_CALENDAR_DAY,
    MODE_CALENDAR_MONTH,
    MODE_ANCHORS
};

enum {
    MODE_QUEUE_MAX = 64,
    MODE_LIMIT_PPM_MAX = 30000, /* 3 %: the law's */
    MODE_CONNECT_MS = 2000,     /* from the answer until an agent is there */
};

struct mode_rules {
    enum mode_kind kind;
    char queue[MODE_QUEUE_MAX]; /* whose agents */
    double ratio;
    int limit_ppm, margin;
    char timezone[64]; /* of calendar periods */
};

/* Also what the document says when it does not. */
void mode_rules_default(struct mode_rules *out);
const char *mode_kind_name(enum mode_kind k);
const char *mode_anchor_name(enum mode_anchor a);

/* Calls of a period that were answered by a person and whose end is known. */
struct mode_period {
    int64_t answered, abandoned;
};

/* k of the head comment; 0 when there is none. */
int64_t mode_credit(int limit_ppm, int margin, const struct mode_period *p);

/* Which period of this anchor an instant is in; numbers ascend. anchored_ms: the
 * campaign's first call. EINVAL: no such time zone. */
NODISCARD int mode_period_of(enum mode_anchor a, const char *timezone,
                             int64_t anchored_ms, int64_t at_ms, int64_t *period);

/* What the campaign's latest calls came to. */
struct mode_stats {
    int64_t ended, answered; /* of calls that were sent */
    int64_t ring_ms;         /* mean, of answered ones */
    int64_t talk_ms;         /* mean, with what the agent does afterwards */
    int64_t over_ms;         /* when the last of them was over; 0 none */
};

struct mode_now {
    int ready, reserved, busy; /* agents: free, waiting for their call, talking */
    int64_t unbacked;          /* calls in flight without an agent, all that are not over
                                  or counted in a period */
    struct mode_period periods[MODE_ANCHORS];
    bool period_ends; /* one ends before a call that begins now must be over */
    struct mode_stats stats;
};

struct mode_room {
    int backed, unbacked; /* calls that may begin now */
};

void mode_room(const struct mode_rules *rules, const struct mode_now *now,
               struct mode_room *out);

/* Of calls that are picked together, agents go to those who may be called, in order; then
 * the credit does. given: how many before this one may be called. *unbacked: how many of
 * those have no agent. */
bool mode_gives_agent(const struct mode_room *room, size_t given, int64_t *unbacked);

/* ---- agents ---- */

enum agent_state {
    AGENT_LOGGED_OUT,
    AGENT_READY,
    AGENT_RESERVED, /* a call in flight is theirs */
    AGENT_ON_CALL,
    AGENT_WRAP_UP, /* writing down what was said; ready again by itself */
    AGENT_PAUSED,
    AGENT_STATES
};
const char *agent_state_name(enum agent_state s);
NODISCARD bool agent_state_parse(const char *name, enum agent_state *out);

/* What a person may order. */
enum agent_order { AGENT_LOGIN, AGENT_LOGOUT, AGENT_PAUSE, AGENT_RESUME, AGENT_ORDERS };
const char *agent_order_name(enum agent_order o);
/* The state after an order; AGENT_STATES: not from this state. While a call is an
 * agent's, *after_call is set: the order acts when it is over, for a reservation that is
 * taken back would leave somebody without an agent. */
enum agent_state agent_after(enum agent_state now, enum agent_order order,
                             bool *after_call);

#endif
