/*
 * sweep - what the dialer does by itself, on timers: keeps its node slot, looks after
 * campaigns (planned starts, filling, completion, partitions), keeps for each running
 * campaign a small stock of released permits, and sends them as pacing lets it.
 *
 * No calls go out (and none are claimed) while anything it depends on is missing:
 * database, Redis, node slot, trunk, room for live calls, the fetching of recordings.
 * Each such reason is logged when it comes and when it goes.
 *
 * Thread: the loop's.
 */
#ifndef DIALER_SWEEP_H
#define DIALER_SWEEP_H

#include <stdbool.h>

struct dialer;
struct sweep;

struct sweep *sweep_new(struct dialer *d);
/* What is in stock is withdrawn, nothing is claimed any more. */
void sweep_stop(struct dialer *d);
/* Nothing is claimed, released or asked for any more; for the shutdown. */
bool sweep_is_idle(const struct dialer *d);
void sweep_free(struct sweep *s); /* its timers close with the loop's next turn */
/* A call has ended: there may be room. */
void sweep_kick(struct dialer *d);

#endif
