/* The threads that do jobs. */
#include <stdlib.h>

#include <sodium.h>

#include "base/clock.h"
#include "base/http.h"
#include "base/log.h"
#include "base/str.h"
#include "workers/backoff.h"
#include "workers/pool_internal.h"

enum {
    DB_BACK_MS = 1000,
    DEATHS_MAX = 2, /* after so many deaths of its workers a job is put aside */
};

/* The oldest ready job whose kind is below its quota; NULL when the pool stops. */
static struct work *next_work(struct pool *p, struct pool_thread *me)
{
    pthread_mutex_lock(&p->lock);
    while (!atomic_load(&p->stopping)) {
        struct work *prev = NULL, *w = p->ready.first;
        while (w && (w->lone != p->alone ||
                     p->running[w->item.kind] >= p->quota[w->item.kind])) {
            prev = w;
            w = w->next;
        }
        if (w) {
            work_list_remove(&p->ready, prev, w);
            p->running[w->item.kind]++;
            p->running_total++;
            w->begun = true;
            w->stop = &me->stop;
            atomic_store(&me->stop, atomic_load(&p->cancelled));
            pthread_mutex_unlock(&p->lock);
            return w;
        }
        pthread_cond_wait(&p->ready_changed, &p->lock);
    }
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

void pool_put_finished(struct pool *p, struct work *w)
{
    int64_t *const count[] = {[JOB_DONE] = &p->counts.done,
                              [JOB_RETRY] = &p->counts.retried,
                              [JOB_BURY] = &p->counts.buried,
                              [JOB_HANDED_BACK] = &p->counts.handed_back,
                              [JOB_CANCELLED] = &p->counts.cancelled};

    ++*count[w->result];
    queue_tally_add(&p->tally, &w->item, w->result, w->wait_ms, w->run_ms);
    w->stop = NULL;
    w->over = true;
    work_list_add(&p->finished, w);
    pthread_cond_signal(&p->finished_changed);
}

static int64_t delay_for(const struct pool *p, const struct work *w, int64_t wish_ms)
{
    if (w->result == JOB_HANDED_BACK)
        return atomic_load(&p->stopping) ? 0 : DB_BACK_MS;
    int64_t ms = backoff_ms(w->item.job.attempts, p->options.retry_base_ms,
                            p->options.retry_max_ms, randombytes_random());
    return wish_ms > ms ? wish_ms : ms;
}

/* Runs it, unless it must not run. */
static enum job_result try(struct job_ctx *ctx, const struct job_kind *kind,
                           const struct work *w)
{
    const struct job *job = &w->item.job;
    int tries = kind->tries > 0 ? kind->tries : job->max_attempts;
    const char *last = w->item.last_error[0] ? w->item.last_error : "its worker died";

    if (atomic_load(&w->cancel) || w->item.cancel_asked)
        return job_say(ctx, JOB_CANCELLED, "cancelled by a person before it began");
    if (w->item.deaths >= DEATHS_MAX)
        return job_say(ctx, JOB_BURY,
                       "%d workers died at it, the last while nothing else ran there",
                       w->item.deaths);
    if (job->attempts > tries)
        return job_say(ctx, JOB_BURY, "gave up after %d tries; the last: %.200s", tries,
                       last);
    enum job_result result = kind->run(ctx, job);
    if (result == JOB_DONE)
        return result;
    if (atomic_load(&w->cancel))
        return job_say(ctx, JOB_CANCELLED, "cancelled by a person while it ran");
    return result == JOB_RETRY && job->attempts >= tries ? JOB_BURY : result;
}

static void do_work(struct pool *p, struct job_ctx *ctx, struct work *w)
{
    const struct job_kind *kind = p->options.queue.kinds[w->item.kind];
    const struct job *job = &w->item.job;
    char id[UUID_TEXT_MAX];

    ctx->why[0] = '\0';
    int64_t from_ms = mono_ms();
    w->wait_ms = w->item.waited_ms + from_ms - w->item.taken_ms;
    ctx->retry_after_ms = 0;
    w->result = try(ctx, kind, w);
    w->run_ms = mono_ms() - from_ms;
    w->output = w->result == JOB_DONE ? STEAL(ctx->output) : NULL;
    json_decref(ctx->output);
    ctx->output = NULL;
    str_cut(w->why, sizeof(w->why), w->result == JOB_DONE ? "" : ctx->why);
    if ((w->result == JOB_BURY || w->result == JOB_CANCELLED) && kind->buried) {
        int err = kind->buried(ctx, job, w->why);
        if (err) /* the failure is not yet visible: not buried */
            w->result = JOB_HANDED_BACK;
    }
    w->delay_ms = delay_for(p, w, ctx->retry_after_ms);
    if (w->result == JOB_BURY)
        log_warn("job", "id=%s kind=%s attempts=%d buried: %s", uuid_text(&job->id, id),
                 kind->name, job->attempts, LOG_ESC(w->why));
    else if (w->result != JOB_DONE)
        log_info("job", "id=%s kind=%s attempts=%d %s again_in_ms=%lld why=%s",
                 uuid_text(&job->id, id), kind->name, job->attempts,
                 w->result == JOB_CANCELLED ? "cancelled" : "again",
                 w->result == JOB_CANCELLED ? -1LL : (long long)w->delay_ms,
                 LOG_ESC(w->why));
}

void *pool_thread(void *pool_thread)
{
    struct pool_thread *me = pool_thread;
    struct pool *p = me->pool;
    struct job_ctx ctx = {.pool = p->pg, .config = p->options.config, .stop = &me->stop};

    if (http_new(&ctx.http, &me->stop))
        abort(); /* out of memory */
    for (struct work *w; (w = next_work(p, me));) {
        do_work(p, &ctx, w);
        pthread_mutex_lock(&p->lock);
        p->running[w->item.kind]--;
        p->running_total--;
        pool_put_finished(p, w);
        /* Another thread may wait for this kind's quota. */
        pthread_cond_signal(&p->ready_changed);
        pthread_cond_signal(&p->room_changed);
        pthread_mutex_unlock(&p->lock);
    }
    http_free(ctx.http);
    return NULL;
}
