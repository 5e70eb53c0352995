#include "server/queue_watch.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/http.h"
#include "base/log.h"
#include "base/pg.h"
#include "base/xalloc.h"
#include "campaigns/provider_store.h"
#include "campaigns/voice_session_store.h"
#include "server/provider_control.h"
#include "server/server.h"

enum {
    LOOK_MS = 500,
    TENANTS_MAX = 64, /* more wait until they ask by themselves */
    TENANT_MS = 15000,
    FETCH_MAX = 16,
    FETCHED_MAX = 256,
    AGAIN_MS = 5000, /* before the same call is fetched again */
};

struct queue_watch {
    struct server *server;
    struct http *http;
    atomic_bool stop;
    pthread_t thread;
    bool runs;
    struct {
        struct uuid call;
        int64_t at_ms;
    } fetched[FETCHED_MAX]; /* the thread's own */
    size_t fetched_n;
    pthread_mutex_t lock;
    pthread_cond_t stopped;
    struct {
        int id;
        int64_t until_ms;   /* monotonic */
    } tenants[TENANTS_MAX]; /* guarded by lock */
};

void queue_watch_tell(struct queue_watch *w, int tenant_id)
{
    int64_t now_ms = mono_ms();
    size_t at = TENANTS_MAX;

    if (!w)
        return;
    pthread_mutex_lock(&w->lock);
    for (size_t i = 0; i < TENANTS_MAX; i++) {
        if (w->tenants[i].id == tenant_id) {
            at = i;
            break;
        }
        if (at == TENANTS_MAX && w->tenants[i].until_ms < now_ms)
            at = i;
    }
    if (at < TENANTS_MAX) {
        w->tenants[at].id = tenant_id;
        w->tenants[at].until_ms = now_ms + TENANT_MS;
    }
    pthread_mutex_unlock(&w->lock);
}

static size_t tenants_of(struct queue_watch *w, int ids[TENANTS_MAX])
{
    int64_t now_ms = mono_ms();
    size_t n = 0;

    pthread_mutex_lock(&w->lock);
    for (size_t i = 0; i < TENANTS_MAX; i++)
        if (w->tenants[i].id && w->tenants[i].until_ms >= now_ms)
            ids[n++] = w->tenants[i].id;
    pthread_mutex_unlock(&w->lock);
    return n;
}

static bool is_new(struct queue_watch *w, const struct uuid *call)
{
    int64_t now_ms = mono_ms();

    for (size_t i = 0; i < FETCHED_MAX; i++)
        if (w->fetched[i].at_ms && now_ms - w->fetched[i].at_ms < AGAIN_MS &&
            memcmp(&w->fetched[i].call, call, sizeof(*call)) == 0)
            return false;
    w->fetched[w->fetched_n].call = *call;
    w->fetched[w->fetched_n].at_ms = now_ms;
    w->fetched_n = (w->fetched_n + 1) % FETCHED_MAX;
    return true;
}

static void fetch(struct queue_watch *w, int tenant_id, const struct voice_waiting *c)
{
    struct provider p = {0};
    struct provider_call_news known = PROVIDER_CALL_NEWS, why;
    enum provider_control result = PROVIDER_CONTROL_MAYBE;
    struct errtext e = {0};
    char id[UUID_TEXT_MAX];

    struct pg *pg = pg_pool_take(w->server->pool);
    int err = provider_load(pg, &w->server->keys, tenant_id, c->account_id, &p, &e);
    pg_pool_give(w->server->pool, pg);
    known.status = PROVIDER_CALL_UP;
    str_cut(known.call_id, sizeof(known.call_id), c->provider_call_id);
    if (!err)
        err = provider_control(w->http, &p, &known, c->next_url, &result, &why);
    if (err || result != PROVIDER_CONTROL_DONE)
        log_warn("queue",
                 "call=%s err=%d result=%d code=%s an agent is free; it asks by itself",
                 uuid_text(&c->call, id), err, (int)result, why.code);
    else
        log_info("queue", "call=%s state=fetched", uuid_text(&c->call, id));
    provider_wipe(&p);
}

static void look(struct queue_watch *w, int tenant_id)
{
    struct voice_waiting calls[FETCH_MAX];
    size_t n = 0;

    struct pg *pg = pg_pool_take(w->server->pool);
    int err = voice_calls_due(pg, tenant_id, clock_now_ms(), calls, FETCH_MAX, &n);
    pg_pool_give(w->server->pool, pg);
    for (size_t i = 0; !err && i < n && !atomic_load(&w->stop); i++)
        if (is_new(w, &calls[i].call))
            fetch(w, tenant_id, &calls[i]);
}

static void *work(void *arg)
{
    struct queue_watch *w = arg;
    int ids[TENANTS_MAX];

    while (!atomic_load(&w->stop)) {
        size_t n = tenants_of(w, ids);
        for (size_t i = 0; i < n && !atomic_load(&w->stop); i++)
            look(w, ids[i]);
        struct timespec until;
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += LOOK_MS * 1000000L;
        until.tv_sec += until.tv_nsec / 1000000000L;
        until.tv_nsec %= 1000000000L;
        pthread_mutex_lock(&w->lock);
        if (!atomic_load(&w->stop))
            pthread_cond_timedwait(&w->stopped, &w->lock, &until);
        pthread_mutex_unlock(&w->lock);
    }
    return NULL;
}

struct queue_watch *queue_watch_new(struct server *s)
{
    struct queue_watch *w = xcalloc(1, sizeof(*w));

    w->server = s;
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->stopped, NULL);
    w->runs = http_new(&w->http, &w->stop) == 0 &&
              pthread_create(&w->thread, NULL, work, w) == 0;
    return w;
}

void queue_watch_free(struct queue_watch *w)
{
    if (!w)
        return;
    pthread_mutex_lock(&w->lock);
    atomic_store(&w->stop, true);
    pthread_cond_signal(&w->stopped);
    pthread_mutex_unlock(&w->lock);
    if (w->runs)
        pthread_join(w->thread, NULL);
    http_free(w->http);
    pthread_cond_destroy(&w->stopped);
    pthread_mutex_destroy(&w->lock);
    free(w);
}
