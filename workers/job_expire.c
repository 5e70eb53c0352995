/*
 * recordings.expire: deletes the audio that a tenant keeps no longer. A schedule of the
 * tenant's brings it every hour; a bucket that is away makes it try again.
 */
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/pg.h"
#include "workers/retention.h"
#include "workers/worker.h"

static enum job_result run(struct job_ctx *ctx, const struct job *job)
{
    const struct worker_config *c = ctx->config;
    struct retention_counts n = {0};
    struct content content;
    struct errtext e = {0};

    if (content_init(&content, &c->common, &e))
        return job_say(ctx, JOB_RETRY, "%s", e.text);
    const struct retention_run r = {
        .content = &content, .http = ctx->http, .stop = ctx->stop};
    enum job_result result = JOB_DONE;
    struct pg *pg = pg_pool_take(ctx->pool);
    int err = retention_expire(pg, job->tenant_id, &r, clock_now_ms(), &n, &e);
    if (err == EINTR)
        result = job_say(ctx, JOB_HANDED_BACK, "stopped between two recordings");
    else if (err && e.text[0])
        result = job_say(ctx, JOB_RETRY, "content store: %s", e.text);
    else if (err)
        result = job_db_error(ctx, pg, err);
    pg_pool_give(ctx->pool, pg);
    if (n.expired > 0 || n.waiting > 0)
        log_info("retention",
                 "tenant=%d expired=%lld deleted=%lld bytes=%lld waiting=%lld",
                 job->tenant_id, (long long)n.expired, (long long)n.deleted,
                 (long long)n.bytes, (long long)n.waiting);
    if (result == JOB_DONE)
        ctx->output = json_pack("{s:I, s:I, s:I, s:I}", "expired", (json_int_t)n.expired,
                                "deleted", (json_int_t)n.deleted, "bytes",
                                (json_int_t)n.bytes, "waiting", (json_int_t)n.waiting);
    return result;
}

const struct job_kind job_kind_expire = {
    .name = "recordings.expire", .slow = true, .run = run};
