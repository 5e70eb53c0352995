#include "server/api_calls.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/http.h"
#include "base/log.h"
#include "base/pg.h"
#include "base/xalloc.h"
#include "campaigns/flow_api.h"
#include "server/hook_accounts.h"
#include "server/voice.h"

enum { WAITING_MAX = 1000, CONNECT_MS = 3000, TRIES = 3 };

struct api_call {
    struct api_call *next;
    struct api_calls *all;
    struct flow_request request;
    struct uuid hook, call;
    int tenant_id;
    int64_t account_id;
    uint32_t seq;
    char base[2 * PROVIDER_URL_MAX];
};

struct api_calls {
    struct server *server;
    atomic_bool stop;
    pthread_t *threads;
    int thread_count;
    pthread_mutex_t lock;
    pthread_cond_t more;
    /* Guarded by lock: */
    struct api_call *first, **last;
    int waiting; /* and those that are prepared */
};

static void free_call(struct api_call *c)
{
    flow_request_free(&c->request);
    free(c);
}

/* ---- the answer is a step ---- */

static int feed(struct voice_call *v, const struct api_call *c, int failed,
                const struct http_resp *answer)
{
    struct ivr_input in = {.kind = IVR_IN_HTTP_DONE, .token = c->seq};

    if (!v->state || v->state->status != IVR_WAITING ||
        v->state->wait.kind != IVR_WAIT_HTTP || v->state->seq != c->seq)
        return ENODATA; /* the call has gone on without it */
    in.http.result = flow_http_result(failed);
    if (!failed) {
        in.http.status = (int)answer->status;
        in.http.body = answer->body ? answer->body : "";
        in.http.body_len = answer->len;
    }
    return voice_feed(v, &in);
}

static int step_once(const struct api_call *c, struct hook *h, int failed,
                     const struct http_resp *answer)
{
    CLEANUP(voice_close) struct voice_call v = {0};
    struct response resp = {0};

    int err = pg_begin(h->pg, c->tenant_id);
    if (err)
        return err;
    err = voice_session_find(h->pg, c->account_id, &c->call, &v.session);
    if (!err)
        err = voice_open(&v, h);
    if (!err)
        err = feed(&v, c, failed, answer);
    if (!err)
        err = voice_answer(&v, &resp); /* kept for when the provider asks */
    buf_free(&resp.body);
    return pg_end(h->pg, err);
}

static void tell_flow(struct api_call *c, int failed, const struct http_resp *answer)
{
    struct server *s = c->all->server;
    struct hook h = {.server = s, .now_ms = clock_now_ms(), .can_wait = true};
    struct errtext e = {0};
    char id[UUID_TEXT_MAX];

    int err = hook_accounts_find(s->accounts, &c->hook, 0, &h.provider, &e);
    str_cut(h.base, sizeof(h.base), c->base);
    if (!err)
        err = EAGAIN;
    for (int i = 0; i < TRIES && (err == EAGAIN || err == ECONNRESET); i++) {
        h.pg = pg_pool_take(s->pool);
        err = step_once(c, &h, failed, answer);
        pg_pool_give(s->pool, h.pg);
        hook_after(&h, err == 0);
    }
    if (err && err != ENODATA)
        log_error("api", "call=%s seq=%u err=%d its answer is lost; the wait times out",
                  uuid_text(&c->call, id), c->seq, err);
    provider_wipe(&h.provider);
}

/* ---- threads ---- */

static void carry_out(struct http *http, struct api_call *c)
{
    const struct flow_request *r = &c->request;
    const int connect_ms = r->timeout_ms < CONNECT_MS ? r->timeout_ms : CONNECT_MS;
    struct http_resp answer;
    char id[UUID_TEXT_MAX];

    int err = http_do(http,
                      &(struct http_req){.method = r->method,
                                         .url = r->url,
                                         .headers = (const char *const *)r->headers,
                                         .body = r->body,
                                         .body_len = r->body_len,
                                         .connect_ms = connect_ms,
                                         .timeout_ms = r->timeout_ms,
                                         .max_bytes = FLOW_ANSWER_MAX,
                                         .once = true,
                                         .public_only = r->public_only},
                      &answer);
    if (err)
        log_warn("api", "call=%s seq=%u http_err=%d", uuid_text(&c->call, id), c->seq,
                 err);
    if (err != ECANCELED)
        tell_flow(c, err, &answer);
    http_resp_free(&answer);
}

/* NULL: it is over. */
static struct api_call *take(struct api_calls *all)
{
    struct api_call *c = NULL;

    pthread_mutex_lock(&all->lock);
    while (!all->first && !atomic_load(&all->stop))
        pthread_cond_wait(&all->more, &all->lock);
    if (all->first && !atomic_load(&all->stop)) {
        c = all->first;
        all->first = c->next;
        if (!all->first)
            all->last = &all->first;
        all->waiting--;
    }
    pthread_mutex_unlock(&all->lock);
    return c;
}

static void *work(void *arg)
{
    struct api_calls *all = arg;
    struct api_call *c;
    struct http *http;

    if (http_new(&http, &all->stop))
        return NULL;
    while ((c = take(all))) {
        carry_out(http, c);
        free_call(c);
    }
    http_free(http);
    return NULL;
}

struct api_calls *api_calls_new(struct server *s, int threads)
{
    struct api_calls *all = xcalloc(1, sizeof(*all));

    all->server = s;
    all->last = &all->first;
    pthread_mutex_init(&all->lock, NULL);
    pthread_cond_init(&all->more, NULL);
    all->threads = xcalloc((size_t)threads, sizeof(*all->threads));
    for (int i = 0; i < threads; i++)
        if (pthread_create(&all->threads[all->thread_count], NULL, work, all) == 0)
            all->thread_count++;
    return all;
}

void api_calls_free(struct api_calls *all)
{
    if (!all)
        return;
    pthread_mutex_lock(&all->lock);
    atomic_store(&all->stop, true);
    pthread_cond_broadcast(&all->more);
    pthread_mutex_unlock(&all->lock);
    for (int i = 0; i < all->thread_count; i++)
        pthread_join(all->threads[i], NULL);
    while (all->first) {
        struct api_call *c = all->first;
        all->first = c->next;
        free_call(c);
    }
    pthread_cond_destroy(&all->more);
    pthread_mutex_destroy(&all->lock);
    free(all->threads);
    free(all);
}

/* ---- preparing ---- */

static bool reserve(struct api_calls *all)
{
    pthread_mutex_lock(&all->lock);
    bool room = all->waiting < WAITING_MAX && all->thread_count > 0;
    all->waiting += room;
    pthread_mutex_unlock(&all->lock);
    return room;
}

static void committed(struct server *s, void *arg, bool done)
{
    struct api_calls *all = s->api_calls;
    struct api_call *c = arg;

    pthread_mutex_lock(&all->lock);
    if (done) {
        *all->last = c;
        all->last = &c->next;
        pthread_cond_signal(&all->more);
    } else {
        all->waiting--;
    }
    pthread_mutex_unlock(&all->lock);
    if (!done)
        free_call(c);
}

bool api_call_prepare(struct voice_call *v, const struct ivr_http *http)
{
    struct server *s = v->hook->server;
    const struct flow_api api = {s->secrets, s->config.api_hosts};
    struct flow_request request;
    char why[FLOW_SECRET_NAME_MAX];

    int err = flow_request_make(&api, http, &request, why);
    if (!err && !reserve(s->api_calls)) {
        flow_request_free(&request);
        str_cut(why, sizeof(why), "too many are out");
        err = EAGAIN;
    }
    if (err) {
        voice_note(v, flow_request_warning(err), why);
        return false;
    }
    struct api_call *c = xcalloc(1, sizeof(*c));
    *c = (struct api_call){.all = s->api_calls,
                           .request = request,
                           .hook = v->hook->provider.hook,
                           .call = v->session.call,
                           .tenant_id = v->session.tenant_id,
                           .account_id = v->session.account_id,
                           .seq = v->state->seq};
    str_cut(c->base, sizeof(c->base), v->hook->base);
    v->hook->after = committed;
    v->hook->after_arg = c;
    return true;
}
