/*
 * backoff - how long a failed job waits: doubling, capped, half of it random so
 * that jobs which failed together do not come back together.
 * Pure: the randomness is an argument. Any thread.
 */
#ifndef WORKERS_BACKOFF_H
#define WORKERS_BACKOFF_H

#include <stdint.h>

/* attempt counts from 1; random is any 32-bit number. The answer lies in
 * [step/2, step], step = min(max_ms, base_ms × 2^(attempt-1)); at least 1. */
int64_t backoff_ms(int attempt, int64_t base_ms, int64_t max_ms, uint32_t random);

#endif
