#include "workers/job.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/pg.h"
#include "base/str.h"

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

int job_payload_id(struct job_ctx *ctx, const struct job *job, const char *key,
                   struct uuid *out)
{
    const char *text = json_string_value(json_object_get(job->payload, key));

    if (text && !uuid_parse(text, out))
        return 0;
    (void)job_say(ctx, JOB_BURY, "the payload has no %s", key);
    return EINVAL;
}
