/*
 * http_loop - stands in for the loops that hold connections: it counts who is put to
 * sleep and woken. A connection is any address of a test's. Once in a test program.
 */
#ifndef TESTS_UNIT_HTTP_LOOP_H
#define TESTS_UNIT_HTTP_LOOP_H

#include <semaphore.h>
#include <stdatomic.h>
#include <time.h>

#include <microhttpd.h>

static atomic_int asleep, woken;

void MHD_suspend_connection(struct MHD_Connection *c)
{
    (void)c;
    asleep++;
}

void MHD_resume_connection(struct MHD_Connection *c)
{
    (void)c;
    asleep--;
    woken++;
}

/* False: not within ten seconds. */
static bool comes(sem_t *sem)
{
    struct timespec until;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 10;
    return sem_timedwait(sem, &until) == 0;
}

#endif
