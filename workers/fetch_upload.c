#include "workers/fetch_upload.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/pg.h"
#include "base/str.h"
#include "campaigns/voice_upload_store.h"
#include "workers/audio_convert.h"
#include "workers/worker.h"

enum { PATH_SIZE = 700 };

bool fetch_is_upload(const struct recording *r)
{
    return str_is(r->source, RECORDING_UPLOAD);
}

static void upload_path(const struct job_ctx *ctx, const struct recording *r,
                        char out[PATH_SIZE])
{
    const struct worker_config *c = ctx->config;

    snprintf(out, PATH_SIZE, "%s/%.100s", c->common.data_dir, r->location);
}

static enum job_result keep_facts(struct job_ctx *ctx, const struct job *job,
                                  const struct recording *r,
                                  const struct audio_facts *facts)
{
    enum job_result result = JOB_DONE;
    struct pg *pg = pg_pool_take(ctx->pool);

    int err = voice_upload_measured(pg, job->tenant_id, &r->id, facts->sample_rate,
                                    facts->channels);
    if (err)
        result = job_db_error(ctx, pg, err);
    pg_pool_give(ctx->pool, pg);
    return result;
}

enum job_result fetch_from_upload(struct job_ctx *ctx, const struct job *job,
                                  const struct recording *r, FILE *to)
{
    const struct worker_config *c = ctx->config;
    char path[PATH_SIZE], scratch[PATH_SIZE], id[UUID_TEXT_MAX];
    struct audio_facts facts;
    struct errtext e = {0};

    upload_path(ctx, r, path);
    snprintf(scratch, sizeof(scratch), "%s/media/part-%s-%d-read", c->common.data_dir,
             uuid_text(&job->id, id), job->attempts);
    if (access(path, R_OK))
        return job_say(ctx, JOB_RETRY, "the upload is not on this machine: %s",
                       strerror(errno));
    int err = audio_convert(path, to, scratch, &facts, &e);
    if (err == EBADMSG || err == EMSGSIZE || err == ENOENT || err == ETIMEDOUT)
        return job_say(ctx, JOB_BURY, "%s", e.text);
    if (err)
        return job_say(ctx, JOB_RETRY, "the upload: %s",
                       e.text[0] ? e.text : strerror(err));
    return keep_facts(ctx, job, r, &facts);
}

void fetch_drop_upload(struct job_ctx *ctx, const struct recording *r)
{
    char path[PATH_SIZE];

    upload_path(ctx, r, path);
    if (unlink(path) && errno != ENOENT)
        log_warn("fetch", "%s: %s", path, strerror(errno));
}
