#include "workers/job.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/pg.h"
#include "base/str.h"
#include "base/xalloc.h"

enum job_result job_say(struct job_ctx *ctx, enum job_result result, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    if (vsnprintf(ctx->why, sizeof(ctx->why), fmt, ap) >= (int)sizeof(ctx->why))
        str_end_whole(ctx->why);
    va_end(ap);
    return result;
}

enum job_result job_db_error(struct job_ctx *ctx, const struct pg *pg, int err)
{
    enum job_result result =
        err == ECONNRESET || err == EAGAIN ? JOB_HANDED_BACK : JOB_RETRY;

    return job_say(ctx, result, "database: %s", pg_error(pg));
}

enum job_result job_http_error(struct job_ctx *ctx, int err, const char *what,
                               const char *error)
{
    return job_say(ctx, err == ECANCELED ? JOB_HANDED_BACK : JOB_RETRY, "%s: %s", what,
                   error[0] ? error : strerror(err));
}

void job_progress(struct job_ctx *ctx, const struct job *job, const json_t *progress)
{
    CLEANUP(free_cleanup)
    char *text = json_dumps(progress, JSON_COMPACT | JSON_ENCODE_ANY);
    struct pg_args a = {0};

    if (!text)
        return;
    struct pg *pg = pg_pool_take(ctx->pool);
    pg_arg_uuid(&a, &job->id);
    pg_arg_text(&a, text);
    int err = pg_begin(pg, job->tenant_id);
    if (!err)
        err = pg_end(pg,
                     pg_run(pg, NULL, "UPDATE jobs SET progress = $2 WHERE id = $1", &a));
    if (err)
        log_debug("job", "progress is not written: %s", LOG_ESC(pg_error(pg)));
    pg_pool_give(ctx->pool, pg);
}

int job_children(struct job_ctx *ctx, const struct job *job, json_t **out)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};
    struct pg *pg = pg_pool_take(ctx->pool);

    pg_arg_uuid(&a, &job->id);
    int err = pg_begin(pg, job->tenant_id);
    if (!err)
        err = pg_end(pg, pg_run(pg, &res,
                                "SELECT coalesce(jsonb_agg(jsonb_build_object('id', id, "
                                "'kind', kind, 'key', unique_key, 'state', state, "
                                "'result', result) ORDER BY unique_key), '[]') FROM jobs "
                                "WHERE parent_id = $1",
                                &a));
    pg_pool_give(ctx->pool, pg);
    if (err)
        return err;
    *out = json_loads(pg_text(res, 0, 0), 0, NULL);
    return *out ? 0 : EPROTO;
}

int job_payload_id(struct job_ctx *ctx, const struct job *job, const char *key,
                   struct uuid *out)
{
    const char *text = json_string_value(json_object_get(job->payload, key));

    if (text && !uuid_parse(text, out))
        return 0;
    (void)job_say(ctx, JOB_BURY, "the payload has no %s", key);
    return EINVAL;
}
