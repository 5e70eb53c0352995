/*
 * threads - what every pool of threads begins and waits with: a lock, conditions on the
 * monotonic clock, threads that must be had.
 */
#ifndef WORKERS_THREADS_H
#define WORKERS_THREADS_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

void threads_init(pthread_mutex_t *lock, pthread_cond_t *const *conds, size_t n);
void threads_deinit(pthread_mutex_t *lock, pthread_cond_t *const *conds, size_t n);
/* At most ms; the lock is held. The condition may hold or not. */
void threads_wait(pthread_cond_t *cond, pthread_mutex_t *lock, int64_t ms);
/* stack_bytes 0: the usual. No thread to be had ends the program, as no memory does: a
 * limit of the machine, found at the start. */
void threads_spawn(pthread_t *thread, size_t stack_bytes, void *(*run)(void *),
                   void *arg);

#endif
