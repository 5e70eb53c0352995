#include "server/http_wait.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include <microhttpd.h>

#include "base/clock.h"
#include "base/xalloc.h"

struct http_wait {
    pthread_t thread;
    pthread_cond_t changed;
    pthread_mutex_t lock;      /* of those below */
    struct http_waiter *first; /* soonest first */
    int waiting, max;
    bool stopping;
};

/* Takes those whose time has come out of the list, which is locked. */
static struct http_waiter *take_due(struct http_wait *w)
{
    struct http_waiter *due = w->first, **end = &due;
    long long now = mono_ms();

    while (*end && (w->stopping || (*end)->due_ms <= now))
        end = &(*end)->next;
    w->first = *end;
    *end = NULL;
    return due;
}

/* Until the first is due, or something changed. */
static void sleep_locked(struct http_wait *w)
{
    struct timespec until;

    if (!w->first) {
        pthread_cond_wait(&w->changed, &w->lock);
        return;
    }
    until.tv_sec = (time_t)(w->first->due_ms / 1000);
    until.tv_nsec = (long)(w->first->due_ms % 1000) * 1000000;
    pthread_cond_timedwait(&w->changed, &w->lock, &until);
}

static void *run(void *arg)
{
    struct http_wait *w = arg;

    pthread_mutex_lock(&w->lock);
    for (;;) {
        struct http_waiter *due = take_due(w);
        if (!due && w->stopping)
            break;
        if (!due) {
            sleep_locked(w);
            continue;
        }
        pthread_mutex_unlock(&w->lock);
        while (due) { /* a woken one may be gone at once */
            struct MHD_Connection *c = due->connection;
            due = due->next;
            MHD_resume_connection(c);
        }
        pthread_mutex_lock(&w->lock);
    }
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

int http_wait_new(struct http_wait **out, int max)
{
    struct http_wait *w = xcalloc(1, sizeof(*w));

    w->max = max;
    mono_cond_init(&w->changed);
    pthread_mutex_init(&w->lock, NULL);
    int err = pthread_create(&w->thread, NULL, run, w);
    if (err) {
        free(w);
        return err;
    }
    *out = w;
    return 0;
}

bool http_wait_add(struct http_wait *w, struct http_waiter *waiter,
                   struct MHD_Connection *c, int ms)
{
    pthread_mutex_lock(&w->lock);
    bool may = !w->stopping && (waiter->counted || w->waiting < w->max);
    if (may) {
        struct http_waiter **at = &w->first;
        w->waiting += !waiter->counted;
        *waiter = (struct http_waiter){
            .connection = c, .due_ms = mono_ms() + ms, .counted = true};
        while (*at && (*at)->due_ms <= waiter->due_ms)
            at = &(*at)->next;
        waiter->next = *at;
        *at = waiter;
        MHD_suspend_connection(c);
        pthread_cond_signal(&w->changed);
    }
    pthread_mutex_unlock(&w->lock);
    return may;
}

void http_wait_end(struct http_wait *w, struct http_waiter *waiter)
{
    if (!waiter->counted)
        return;
    pthread_mutex_lock(&w->lock);
    w->waiting--;
    pthread_mutex_unlock(&w->lock);
}

void http_wait_stop(struct http_wait *w)
{
    pthread_mutex_lock(&w->lock);
    w->stopping = true;
    pthread_cond_signal(&w->changed);
    pthread_mutex_unlock(&w->lock);
    pthread_join(w->thread, NULL);
}

void http_wait_free(struct http_wait *w)
{
    if (!w)
        return;
    pthread_cond_destroy(&w->changed);
    pthread_mutex_destroy(&w->lock);
    free(w);
}
