/* pacing_inside - what pacing.c and pacing_link.c share. For these two alone. */
#ifndef DIALER_PACING_INSIDE_H
#define DIALER_PACING_INSIDE_H

#include <stdbool.h>
#include <stdint.h>

#include <hiredis/async.h>

#include "base/redis.h"
#include "dialer/pacing.h"

enum {
    COMMAND_MS = 1000, /* Redis answers within this or is away */
    TICK_MS = 50,
    BACKOFF_MIN_MS = 100,
    BACKOFF_MAX_MS = 2000,
    REBUILD_AGAIN_MS = 2000, /* the owner is asked again when it has not answered */
    AWAY_RETRY_MS = 250,
    NEARLY_US = 500,
    LATE_MAX = 3,      /* turns that may pass, before it is asked anew from the start */
    TOLERANCE_MS = 20, /* real: how late a token may be taken without losing it */
    KEY_MAX = 96,
    TURN_MAX = 32 * 2 * PACING_KINDS,
    SHA_MAX = 41,
};

enum state { AWAY, SETUP, REBUILD, READY };

enum script { TAKE, GIVE, SLOTS, TOLD, RECLAIM, SCRIPTS };

struct give {
    struct give *next;
    struct uuid attempt;
    bool sent, done;
};

struct op {
    struct op *next;
    struct pacing *pacing;
    int64_t deadline_ms;                                                /* monotonic */
    void (*answer)(struct pacing *p, struct op *op, redisReply *reply); /* NULL: lost */
    /* a take: */
    struct uuid attempt;
    struct pacing_ask ask;
    int late;            /* turns that passed before they could be used */
    char turn[TURN_MAX]; /* the last of them, as pacing_take.lua wrote it */
    int64_t trunk_id;    /* also of what a trunk's answer told */
    pacing_done_fn *done;
    void *arg;
    enum pacing_result result;
    int64_t retry_ms;
    int64_t due_us; /* monotonic: the turn it has been given; 0: no wait */
    /* a give: */
    struct give *give;
    int script; /* a set-up: which one was loaded */
};

struct op_list {
    struct op *head, **tail;
};

/* A trunk that is slowed or held, as last heard of. */
struct sick {
    struct sick *next;
    int64_t trunk_id;
    int percent;
    bool held;             /* its breaker was open */
    int64_t held_until_ms; /* monotonic */
};

struct pacing {
    uv_loop_t *loop;
    struct redis_address address;
    char prefix[48];
    pacing_rebuild_fn *rebuild;
    void *arg;
    redisAsyncContext *ac; /* NULL: no connection */
    enum state state;
    bool closing, ready_logged, away_logged;
    bool doubted; /* it was a replica meanwhile: its boot key says nothing */
    char run_id[64];
    char sha[SCRIPTS][SHA_MAX];
    struct op_list flight, later; /* later: answered when the loop turns, or it is due */
    struct give *gives;
    struct sick *sick;
    uv_timer_t tick, soon;
    int open_handles;
    int64_t connect_at_ms, rebuild_at_ms; /* monotonic */
    int backoff_ms;
    double business_per_real;
};

/* ---- pacing_link.c: the connection and its states ---- */

void pacing_list_add(struct op_list *l, struct op *op);
struct op *pacing_list_take(struct op_list *l);
bool pacing_send(struct pacing *p, struct op *op, int argc, const char **argv);
/* True when the reply is of use; else the connection has been given up. */
bool pacing_is_good(struct pacing *p, const redisReply *reply);
void pacing_drop(struct pacing *p, const char *why);
void pacing_set_ready(struct pacing *p);
void pacing_ask_rebuild(struct pacing *p);
void pacing_on_tick(uv_timer_t *timer);

/* ---- pacing.c ---- */

void pacing_send_gives(struct pacing *p);

#endif
