/*
 * recovery - what main asks of it, and hands to pacing: the open attempts in Postgres,
 * to rebuild the slots in Redis from. The rest of it is the sweep's
 * (dialer/sweep_parts.h).
 */
#ifndef DIALER_RECOVERY_H
#define DIALER_RECOVERY_H

struct dialer;

/* Before the end: what was taken over from dead dialers is left to others. */
void recovery_leave(struct dialer *d);
/* Slots in Redis that no open attempt holds are freed. */
void recovery_reclaim_slots(struct dialer *d);
/* A pacing_rebuild_fn; arg is the struct dialer. */
void recovery_rebuild_pacing(void *arg);

#endif
