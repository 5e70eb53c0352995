#include "workers/threads.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/log.h"

void threads_init(pthread_mutex_t *lock, pthread_cond_t *const *conds, size_t n)
{
    pthread_condattr_t attr;

    pthread_mutex_init(lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    for (size_t i = 0; i < n; i++)
        pthread_cond_init(conds[i], &attr);
    pthread_condattr_destroy(&attr);
}

void threads_deinit(pthread_mutex_t *lock, pthread_cond_t *const *conds, size_t n)
{
    for (size_t i = 0; i < n; i++)
        pthread_cond_destroy(conds[i]);
    pthread_mutex_destroy(lock);
}

void threads_wait(pthread_cond_t *cond, pthread_mutex_t *lock, int64_t ms)
{
    struct timespec at;

    clock_gettime(CLOCK_MONOTONIC, &at);
    at.tv_sec += ms / 1000;
    at.tv_nsec += ms % 1000 * 1000000;
    if (at.tv_nsec >= 1000000000) {
        at.tv_sec++;
        at.tv_nsec -= 1000000000;
    }
    pthread_cond_timedwait(cond, lock, &at);
}

void threads_spawn(pthread_t *thread, size_t stack_bytes, void *(*run)(void *), void *arg)
{
    pthread_attr_t attr;
    int err = 0;

    pthread_attr_init(&attr);
    if (stack_bytes > 0)
        err = pthread_attr_setstacksize(&attr, stack_bytes);
    if (!err)
        err = pthread_create(thread, &attr, run, arg);
    pthread_attr_destroy(&attr);
    if (!err)
        return;
    log_error("pool", "no thread: %s", strerror(err));
    abort();
}
