/*
 * latency - how long things took: a count of durations by size, in steps of a sixteenth,
 * from which percentiles are read. Fixed memory, no allocation.
 *
 * Thread: the owner's.
 */
#ifndef BASE_LATENCY_H
#define BASE_LATENCY_H

#include <stdint.h>

/* 16 steps to each power of two, the last one for all above: over an hour. */
enum { LATENCY_STEPS = 16 * 29 };

struct latency { /* zero is empty */
    uint64_t n;
    int64_t most_us;
    uint32_t counts[LATENCY_STEPS];
};

void latency_add(struct latency *l, int64_t us); /* below 0 counts as 0 */
/* The duration that share (0 to 1) of them did not exceed, at most a sixteenth too
 * long; 0 when there is none. */
int64_t latency_at(const struct latency *l, double share);

#endif
