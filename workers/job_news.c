/*
 * news: what others did or decided is told to whom it concerns: a message each, in their
 * language. Once each, however often the job runs.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/pg.h"
#include "base/xalloc.h"
#include "batches/news_store.h"
#include "workers/notify.h"
#include "workers/worker.h"

static int tell(struct job_ctx *ctx, struct pg *pg, const struct job *job,
                enum news_kind kind, const char *id)
{
    CLEANUP(free_cleanup) struct news *news = xcalloc(1, sizeof(*news));
    char text[UUID_TEXT_MAX], key[80];
    int64_t now = clock_now_ms();

    int err = news_load(pg, kind, id, news);
    for (size_t i = 0; !err && i < news->n; i++) {
        const struct news_to *n = &news->to[i];
        const struct notify_to to = {
            .phone = n->phone, .language = n->language, .key = key};
        snprintf(key, sizeof(key), "%s-%" PRId64, uuid_text(&job->id, text),
                 n->caller_id);
        err = notify_news(pg, ctx->config, job->tenant_id, &to, kind, news, now);
    }
    return err;
}

static enum job_result run(struct job_ctx *ctx, const struct job *job)
{
    const char *what = json_string_value(json_object_get(job->payload, "what"));
    const char *id = json_string_value(json_object_get(job->payload, "id"));
    enum job_result result = JOB_DONE;
    enum news_kind kind;

    if (!what || !id || !news_kind_parse(what, &kind))
        return job_say(ctx, JOB_BURY, "the payload names no news of ours");
    struct pg *pg = pg_pool_take(ctx->pool);
    int err = pg_begin(pg, job->tenant_id);
    if (!err)
        err = pg_end(pg, tell(ctx, pg, job, kind, id));
    if (err)
        result = job_db_error(ctx, pg, err);
    pg_pool_give(ctx->pool, pg);
    return result;
}

const struct job_kind job_kind_news = {.name = "news", .slow = false, .run = run};
