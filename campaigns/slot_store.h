/*
 * slot_store - node slots: stable numbered places leased in Postgres (its own
 * real clock), so that a restarted dialer finds its old Stasis application and
 * `furrow run` can see whether anybody is alive.
 */
#ifndef CAMPAIGNS_SLOT_STORE_H
#define CAMPAIGNS_SLOT_STORE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attrs.h"
#include "base/uuid.h"

struct pg;

enum { SLOT_LEASE_S = 15 };

/* kind: dialer, worker, server. Takes `preferred` when it is free or lapsed or
 * already holder's (preferred >= 0), else the lowest free or lapsed one. With
 * preferred < 0 one that is already holder's is taken again: the answer to an earlier
 * taking may have been lost. */
NODISCARD int slot_take(struct pg *pg, const char *kind, int preferred,
                        const struct uuid *holder, const char *host, int pid, int *slot);
/* EACCES: the lease lapsed and somebody else has it: stop originating. */
NODISCARD int slot_renew(struct pg *pg, const char *kind, int slot,
                         const struct uuid *holder);
/* slot < 0: all that holder has, also without knowing it. */
NODISCARD int slot_give(struct pg *pg, const char *kind, int slot,
                        const struct uuid *holder);
/* All that holder has lapse now, so that others adopt what is left in them. */
NODISCARD int slot_lapse(struct pg *pg, const char *kind, const struct uuid *holder);
/* Slots whose lease lapsed (their calls want adopting), at most max, and those that
 * holder has: it may have taken one and not have heard of it. */
NODISCARD int slot_list_lapsed(struct pg *pg, const char *kind, const struct uuid *holder,
                               int *slots, size_t max, size_t *n);
struct slot_row {
    char kind[16], host[64];
    int slot, pid;
    int weight, priority;
    bool alive;      /* its lease has not lapsed */
    bool drained;    /* by hand */
    bool ready;      /* its Asterisk is there, if it has one */
    bool has_switch; /* it has one, and it is there */
    char held[120];  /* why a dialer places no calls, as it last said; "" it does */
};

/* What a node says of itself, once a second. */
struct slot_words {
    const char *held; /* why it places no calls; "" it does */
    bool ready, has_switch;
    int weight, priority;
};
/* What it hears. A node is at work while its lease holds and it is ready, not held and
 * not drained. The one that asks counts as at work. */
struct slot_news {
    bool drained; /* by hand */
    bool spare;   /* one of a lower priority number is at work: place no calls */
    /* Of the calls that those of its priority place, by their weights. 1: all of them
     * have the same weight, and whoever is quicker takes the next. */
    double share;
};
/* EACCES: somebody else has the slot. */
NODISCARD int slot_say(struct pg *pg, const char *kind, int slot,
                       const struct uuid *holder, const struct slot_words *words,
                       struct slot_news *out);
/* ENOENT: nobody has that slot. It outlives a crash of who has it, not
 * slot_give. */
NODISCARD int slot_drain(struct pg *pg, const char *kind, int slot, bool drained);
/* All, by kind and slot; *out: free(). */
NODISCARD int slot_list(struct pg *pg, struct slot_row **out, size_t *n);
NODISCARD int slot_count_live(struct pg *pg, const char *kind, int *count);

#endif
