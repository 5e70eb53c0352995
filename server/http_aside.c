#include "server/http_aside.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include <microhttpd.h>

#include "base/xalloc.h"

enum { THREADS_MAX = 16 };

struct http_aside {
    pthread_t threads[THREADS_MAX];
    int thread_count;
    pthread_cond_t changed;
    pthread_mutex_t lock; /* of those below */
    struct http_task *first, **end;
    bool stopping;
};

static struct http_task *take(struct http_aside *a)
{
    pthread_mutex_lock(&a->lock);
    while (!a->first && !a->stopping)
        pthread_cond_wait(&a->changed, &a->lock);
    struct http_task *task = a->first;
    if (task)
        a->first = task->next;
    if (!a->first)
        a->end = &a->first;
    pthread_mutex_unlock(&a->lock);
    return task;
}

static void *run(void *arg)
{
    struct http_aside *a = arg;
    struct http_task *task;

    while ((task = take(a)))
        task->run(task->arg); /* it may be gone at once */
    return NULL;
}

int http_aside_new(struct http_aside **out, int threads)
{
    struct http_aside *a = xcalloc(1, sizeof(*a));
    int err = threads > THREADS_MAX ? EINVAL : 0;

    pthread_cond_init(&a->changed, NULL);
    pthread_mutex_init(&a->lock, NULL);
    a->end = &a->first;
    for (int i = 0; !err && i < threads; i++) {
        err = pthread_create(&a->threads[i], NULL, run, a);
        a->thread_count += !err;
    }
    if (err) {
        http_aside_stop(a);
        http_aside_free(a);
        return err;
    }
    *out = a;
    return 0;
}

bool http_aside_add(struct http_aside *a, struct http_task *task,
                    struct MHD_Connection *c)
{
    pthread_mutex_lock(&a->lock);
    bool may = !a->stopping;
    if (may) {
        task->next = NULL;
        *a->end = task;
        a->end = &task->next;
        MHD_suspend_connection(c);
        pthread_cond_signal(&a->changed);
    }
    pthread_mutex_unlock(&a->lock);
    return may;
}

void http_aside_stop(struct http_aside *a)
{
    pthread_mutex_lock(&a->lock);
    a->stopping = true;
    pthread_cond_broadcast(&a->changed);
    pthread_mutex_unlock(&a->lock);
    for (int i = 0; i < a->thread_count; i++)
        pthread_join(a->threads[i], NULL);
}

void http_aside_free(struct http_aside *a)
{
    if (!a)
        return;
    pthread_cond_destroy(&a->changed);
    pthread_mutex_destroy(&a->lock);
    free(a);
}
