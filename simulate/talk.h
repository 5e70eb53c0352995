/*
 * talk - an answered call: the campaign's flow, and at the other end somebody of the
 * network. All of it happens at once, on a clock of its own from the flow's beginning to
 * the end. Pure.
 */
#ifndef SIMULATE_TALK_H
#define SIMULATE_TALK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "base/attrs.h"
#include "campaigns/table.h"
#include "ivr/ivr.h"
#include "simulate/network.h"

/* What flows do to tables; as table_run(). */
struct talk_tables {
    int (*run)(void *arg, const struct ivr_data *d, int64_t now_ms,
               struct table_result *out);
    void *arg;
};

enum { TALK_DATA_RESULTS = IVR_DATA_FAILED + 1 };

struct talk_start {
    const struct ivr_prog *prog;
    int64_t answered_ms,
        begins_ms; /* the flow begins later where it was listened first */
    int64_t tenant;
    int64_t phone;
    uint64_t seed;                    /* of the flow's random() */
    const char *language;             /* remembered; "" none */
    const json_t *contact;            /* {{contact.*}} */
    const struct talk_tables *tables; /* NULL: data nodes answer with their mocks */
};

enum { TALK_LANGUAGE_MAX = 16, TALK_OUTCOME_MAX = 32 };

struct talk {
    int64_t end_ms;
    bool opted_out, opted_out_of_all; /* of the campaign, of the tenant's calls */
    int64_t opt_out_ms, callback_ms;  /* 0 none */
    int recordings, messages, transfers;
    int recognised, understood; /* recordings that speech recognition gets; understands */
    int unserved;               /* asked for an agent where there are none */
    int submitted, commands;    /* to the jobs: recordings; what was keyed in */
    int data[TALK_DATA_RESULTS];      /* requests to tables, by their result */
    char language[TALK_LANGUAGE_MAX]; /* to be remembered; "" as before */
    char outcome[TALK_OUTCOME_MAX];   /* the flow's */
};

/* A call that waits for an agent. */
struct talk_wait;

struct talk_asked {
    int64_t since_ms, max_ms;
    int64_t leaves_ms; /* a machine hangs up then; INT64_MAX not */
};
struct talk_asked talk_asked(const struct talk_wait *w);

/* ENOMEM; EPROTO: the engine refused its own state; errors of the tables. waiting NULL:
 * there are no agents, and a queue is full. *waiting: NULL when the call is over; else it
 * asks for an agent, *out holds what was noted so far, and it is the caller's to
 * talk_resume(). What start points to must then live until that. */
NODISCARD int talk_run(const struct talk_start *start, const struct network_party *party,
                       struct talk *out, struct talk_wait **waiting);

/* It has left the queue at at_ms: served, or not, or because the party hung up. Gives w
 * in. *out goes on where it was; *waiting as talk_run(). */
struct talk_left {
    int64_t at_ms;
    bool hung_up;
    enum ivr_left result;
};
NODISCARD int talk_resume(struct talk_wait *w, const struct talk_left *left,
                          struct talk *out, struct talk_wait **waiting);
void talk_drop(struct talk_wait *w); /* NULL is allowed */

/* What a party would do at a desk. */
struct network_party talk_party(const struct talk_wait *w);

#endif
