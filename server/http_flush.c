#include "server/http_flush.h"

#include <pthread.h>
#include <stdlib.h>

#include <microhttpd.h>

#include "base/xalloc.h"

struct http_flush {
    http_flush_fn *fn; /* const, as is app */
    void *app;
    pthread_t thread;
    pthread_cond_t changed;
    pthread_mutex_t lock; /* of those below */
    struct http_flushed *first;
    bool stopping;
};

static struct http_flushed *take_all(struct http_flush *f)
{
    pthread_mutex_lock(&f->lock);
    while (!f->first && !f->stopping)
        pthread_cond_wait(&f->changed, &f->lock);
    struct http_flushed *all = f->first;
    f->first = NULL;
    pthread_mutex_unlock(&f->lock);
    return all;
}

static void *run(void *arg)
{
    struct http_flush *f = arg;
    struct http_flushed *item;

    while ((item = take_all(f))) {
        int err = f->fn(f->app);
        while (item) { /* it may be gone at once when it is woken */
            struct http_flushed *next = item->next;
            item->err = err;
            MHD_resume_connection(item->connection);
            item = next;
        }
    }
    return NULL;
}

int http_flush_new(struct http_flush **out, http_flush_fn *fn, void *app)
{
    struct http_flush *f = xcalloc(1, sizeof(*f));

    f->fn = fn;
    f->app = app;
    pthread_cond_init(&f->changed, NULL);
    pthread_mutex_init(&f->lock, NULL);
    int err = pthread_create(&f->thread, NULL, run, f);
    if (err)
        http_flush_free(f);
    else
        *out = f;
    return err;
}

bool http_flush_add(struct http_flush *f, struct http_flushed *item,
                    struct MHD_Connection *c)
{
    pthread_mutex_lock(&f->lock);
    bool may = !f->stopping;
    if (may) {
        *item = (struct http_flushed){.next = f->first, .connection = c};
        f->first = item;
        MHD_suspend_connection(c);
        pthread_cond_signal(&f->changed);
    }
    pthread_mutex_unlock(&f->lock);
    return may;
}

void http_flush_stop(struct http_flush *f)
{
    pthread_mutex_lock(&f->lock);
    f->stopping = true;
    pthread_cond_signal(&f->changed);
    pthread_mutex_unlock(&f->lock);
    pthread_join(f->thread, NULL);
}

void http_flush_free(struct http_flush *f)
{
    if (!f)
        return;
    pthread_cond_destroy(&f->changed);
    pthread_mutex_destroy(&f->lock);
    free(f);
}
