/*
 * recording.fetch: brings a finished recording into the content store, commits,
 * then deletes it at the switch. Bytes go to a file of their own first and get
 * their final name only when they are complete, so a reader never sees half.
 *
 * Again after a crash: bytes already stored have the same name; a recording
 * already `stored` only wants the deletion. A job that is buried by then leaves the
 * deletion to one of its own (payload "copy").
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sndfile.h>

#include "base/clock.h"
#include "base/content.h"
#include "base/fault.h"
#include "base/files.h"
#include "base/http.h"
#include "base/pg.h"
#include "base/xalloc.h"
#include "campaigns/job_store.h"
#include "workers/fetch_provider.h"
#include "workers/fetch_upload.h"
#include "workers/flow_waits.h"
#include "workers/recording.h"
#include "workers/retention.h"
#include "workers/worker.h"

enum { MAX_BYTES = 256 << 20, TIMEOUT_MS = 120000, PATH_SIZE = 700, COPY_SIZE = 65536 };

struct fetched {
    char path[PATH_SIZE]; /* of the part file */
    char sha256[SHA256_TEXT_MAX];
    int64_t bytes;
    int sample_rate, duration_ms;
};

static const struct worker_config *config_of(const struct job_ctx *ctx)
{
    return ctx->config;
}

static char *stored_url(const struct recording *r, const char *tail)
{
    CLEANUP(free_cleanup) char *name = http_escape(r->name);

    return xasprintf("%s/recordings/stored/%s%s", r->location, name, tail);
}

static enum job_result from_ari(struct job_ctx *ctx, const struct recording *r, FILE *to,
                                bool *absent)
{
    CLEANUP(free_cleanup) char *url = stored_url(r, "/file");
    CLEANUP(http_resp_free) struct http_resp resp = {0};
    const struct http_req req = {.url = url,
                                 .user = config_of(ctx)->ari_user,
                                 .password = config_of(ctx)->ari_secret,
                                 .timeout_ms = TIMEOUT_MS,
                                 .max_bytes = MAX_BYTES,
                                 .sink = to};

    int err = http_do(ctx->http, &req, &resp);
    if (err == EMSGSIZE)
        return job_say(ctx, JOB_BURY, "the recording is larger than %d MiB",
                       MAX_BYTES >> 20);
    if (err)
        return job_http_error(ctx, err, "asterisk", resp.error);
    *absent = resp.status == 404;
    if (resp.status == 200 || resp.status == 404)
        return JOB_DONE;
    if (resp.status == 401 || resp.status == 403)
        return job_say(ctx, JOB_RETRY,
                       "asterisk answered %ld: check ari_user and ari_secret",
                       resp.status);
    return job_say(ctx, JOB_RETRY, "asterisk answered %ld", resp.status);
}

static enum job_result from_file(struct job_ctx *ctx, const struct recording *r, FILE *to,
                                 bool *absent)
{
    char buf[COPY_SIZE];
    FILE *from = fopen(r->location, "rbe");

    if (!from) {
        *absent = errno == ENOENT;
        return *absent
                   ? JOB_DONE
                   : job_say(ctx, JOB_RETRY, "%.200s: %s", r->location, strerror(errno));
    }
    for (size_t n; (n = fread(buf, 1, sizeof(buf), from)) > 0;)
        if (fwrite(buf, 1, n, to) != n)
            break;
    bool bad = ferror(from) || ferror(to);
    fclose(from);
    return bad ? job_say(ctx, JOB_RETRY, "%.200s: cannot be copied", r->location)
               : JOB_DONE;
}

/* false: no sound file. */
static bool measure(struct fetched *f)
{
    SF_INFO info = {0};
    SNDFILE *file = sf_open(f->path, SFM_READ, &info);

    if (!file)
        return false;
    sf_close(file);
    f->sample_rate = info.samplerate;
    f->duration_ms =
        info.samplerate > 0 ? (int)(info.frames * 1000 / info.samplerate) : 0;
    return true;
}

/* The part file becomes content, on the disk or in the bucket. */
static enum job_result keep(struct job_ctx *ctx, struct fetched *f)
{
    struct content content;
    struct errtext e = {0};

    int err = content_init(&content, &config_of(ctx)->common, &e);
    if (!err)
        err = content_put(&content, ctx->http, CONTENT_MEDIA, f->path, f->sha256,
                          &f->bytes, &e);
    if (err == EMSGSIZE)
        return job_say(ctx, JOB_BURY, "the recording: %s", e.text);
    return err ? job_say(ctx, JOB_RETRY, "content store: %s", e.text) : JOB_DONE;
}

static void part_path(const struct worker_config *c, const struct job *job, int attempt,
                      char out[PATH_SIZE])
{
    char id[UUID_TEXT_MAX];

    snprintf(out, PATH_SIZE, "%s/media/part-%s-%d", c->common.data_dir,
             uuid_text(&job->id, id), attempt);
}

static enum job_result download(struct job_ctx *ctx, const struct job *job,
                                const struct recording *r, struct fetched *f,
                                bool *absent)
{
    const struct worker_config *c = config_of(ctx);

    /* What earlier tries left behind when their worker died. */
    for (int i = 1; i < job->attempts; i++) {
        part_path(c, job, i, f->path);
        unlink(f->path);
    }
    part_path(c, job, job->attempts, f->path);
    FILE *to = files_mkdirs_for(f->path) ? NULL : fopen(f->path, "wbe");
    if (!to)
        return job_say(ctx, JOB_RETRY, "%.200s: %s", f->path, strerror(errno));
    enum job_result result = strcmp(r->source, "ari") == 0 ? from_ari(ctx, r, to, absent)
                             : fetch_is_of_provider(r)
                                 ? fetch_from_provider(ctx, job, r, to)
                             : fetch_is_upload(r) ? fetch_from_upload(ctx, job, r, to)
                                                  : from_file(ctx, r, to, absent);
    bool written = fflush(to) == 0 && fsync(fileno(to)) == 0;
    written &= fclose(to) == 0;
    if (result == JOB_DONE && !*absent && !written)
        result = job_say(ctx, JOB_RETRY, "%.200s: %s", f->path, strerror(errno));
    if (result == JOB_DONE && !*absent && !measure(f))
        result = job_say(ctx, JOB_BURY, "what the switch sent is no sound file");
    if (result == JOB_DONE && !*absent)
        result = keep(ctx, f);
    if (result != JOB_DONE || *absent)
        unlink(f->path);
    return result;
}

/* A flow may have submitted it while it was fetched. */
static int lock_pipeline(struct pg *pg, const struct recording *r, bool *none)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    pg_arg_uuid(&a, &r->id);
    int err =
        pg_run(pg, &res,
               "SELECT pipeline = 'none' FROM recordings WHERE id = $1 FOR UPDATE", &a);
    if (!err)
        *none = PQntuples(res) == 1 && pg_bool(res, 0, 0);
    return err;
}

static int write_rows(struct pg *pg, const struct worker_config *c, int tenant_id,
                      const struct recording *r, const struct fetched *f, int64_t now_ms)
{
    struct pg_args content = {0}, rec = {0};
    bool none = false;
    /* The dialer knows silence from speech; a file without a sample is neither: the
     * switch died in the middle of it, or no audio ever reached it. */
    bool lost = f->duration_ms == 0;

    int err = lock_pipeline(pg, r, &none);
    if (err)
        return err;
    pg_arg_i64(&content, tenant_id);
    pg_arg_text(&content, f->sha256);
    pg_arg_i64(&content, f->bytes);
    pg_arg_ms(&content, now_ms);
    err = pg_run(pg, NULL,
                 "INSERT INTO content (tenant_id, sha256, media_type, bytes, "
                 "created_at) VALUES ($1, $2, 'audio/wav', $3, furrow_ts($4)) "
                 "ON CONFLICT DO NOTHING",
                 &content);
    if (err)
        return err;
    pg_arg_uuid(&rec, &r->id);
    pg_arg_text(&rec, none ? "done" : "stored");
    pg_arg_text(&rec, f->sha256);
    pg_arg_i64(&rec, f->bytes);
    pg_arg_i64(&rec, f->sample_rate);
    pg_arg_i64(&rec, f->duration_ms);
    pg_arg_ms(&rec, now_ms);
    err = pg_run(pg, NULL,
                 "UPDATE recordings SET state = $2, error = '', sha256 = $3, bytes = $4, "
                 "sample_rate = $5, duration_ms = $6, updated_at = furrow_ts($7) "
                 "WHERE id = $1",
                 &rec);
    if (!err && lost)
        return recording_end(pg, c, tenant_id, r, "lost_media",
                             "the file at the switch holds no audio");
    return err || none ? err : recording_enqueue(pg, tenant_id, "asr", &r->id, now_ms);
}

/* The same bytes may have run out of their time between our storing them and this
 * transaction; afterwards the lock keeps them. ESTALE: store them again. */
static int still_there(struct job_ctx *ctx, struct pg *pg, const struct fetched *f)
{
    struct content content;
    bool doubt = false;

    int err = retention_hold(pg, f->sha256, &doubt);
    if (err || !doubt)
        return err;
    err = content_init(&content, &config_of(ctx)->common, NULL);
    if (!err)
        err = content_has(&content, ctx->http, CONTENT_MEDIA, f->sha256, NULL);
    return err ? ESTALE : 0;
}

static enum job_result commit(struct job_ctx *ctx, const struct job *job,
                              const struct recording *r, const struct fetched *f)
{
    enum job_result result = JOB_DONE;
    struct pg *pg = pg_pool_take(ctx->pool);
    int err = pg_begin(pg, job->tenant_id);

    if (!err) {
        err = still_there(ctx, pg, f);
        if (!err)
            err = write_rows(pg, config_of(ctx), job->tenant_id, r, f, clock_now_ms());
        err = pg_end(pg, err);
    }
    if (err == ESTALE)
        result = job_say(ctx, JOB_RETRY, "the same audio was deleted just now");
    else if (err)
        result = job_db_error(ctx, pg, err);
    pg_pool_give(ctx->pool, pg);
    return result;
}

static bool is_empty(const struct recording *r)
{
    return strcmp(r->state, "empty") == 0;
}

static enum job_result delete_at_switch(struct job_ctx *ctx, const struct job *job,
                                        const struct recording *r)
{
    CLEANUP(free_cleanup) char *url = stored_url(r, "");
    CLEANUP(http_resp_free) struct http_resp resp = {0};
    const struct http_req req = {.method = "DELETE",
                                 .url = url,
                                 .user = config_of(ctx)->ari_user,
                                 .password = config_of(ctx)->ari_secret};

    if (fetch_is_of_provider(r))
        return is_empty(r) ? JOB_DONE : fetch_delete_at_provider(ctx, job, r);
    if (fetch_is_upload(r))
        fetch_drop_upload(ctx, r);
    if (strcmp(r->source, "ari") != 0)
        return JOB_DONE;
    int err = http_do(ctx->http, &req, &resp);
    if (err)
        return job_http_error(ctx, err, "asterisk, deleting", resp.error);
    if (resp.status / 100 == 2 || resp.status == 404)
        return JOB_DONE;
    return job_say(ctx, JOB_RETRY, "asterisk answered %ld to the deletion", resp.status);
}

/* The switch has no such recording: lost, unless the call's flow still waits for
 * it and tries are left. */
static enum job_result judge_absent(struct job_ctx *ctx, const struct job *job,
                                    const struct recording *r)
{
    enum job_result result = JOB_DONE;
    bool waits = false;
    struct pg *pg = pg_pool_take(ctx->pool);
    int err = pg_begin(pg, job->tenant_id);

    if (!err)
        err = pg_end(pg, flow_waits_for(pg, job->tenant_id, r, &waits));
    if (err)
        result = job_db_error(ctx, pg, err);
    pg_pool_give(ctx->pool, pg);
    if (result != JOB_DONE)
        return result;
    if (waits && job->attempts < job->max_attempts)
        return job_say(ctx, JOB_RETRY, "the call's flow still waits for it");
    return recording_finish(ctx, job, r, "lost_media",
                            "the switch has no such recording");
}

static enum job_result run(struct job_ctx *ctx, const struct job *job)
{
    CLEANUP(recording_free) struct recording r = {0};
    struct fetched f = {0};
    bool absent = false;

    enum job_result result = recording_for_job(ctx, job, &r);
    if (result != JOB_DONE)
        return result;
    /* Nobody spoke: then there is nothing to fetch, but a copy to delete. */
    if (!r.sha256[0] && !is_empty(&r)) {
        result = download(ctx, job, &r, &f, &absent);
        if (result != JOB_DONE)
            return result;
        if (absent)
            return judge_absent(ctx, job, &r);
        fault_point("fetch_stored");
        result = commit(ctx, job, &r, &f);
        if (result != JOB_DONE)
            return result;
        fault_point("fetch_committed");
    }
    return delete_at_switch(ctx, job, &r);
}

/* What is stored is not failed: the copy at the switch is left over, which a job of its
 * own deletes, with tries and deaths of its own. */
static int enqueue_deletion(struct job_ctx *ctx, const struct job *job,
                            const struct recording *r)
{
    char id[UUID_TEXT_MAX], key[UUID_TEXT_MAX + 8];

    if (json_is_true(json_object_get(job->payload, "copy")))
        return 0; /* it is that job */
    snprintf(key, sizeof(key), "%s-copy", uuid_text(&r->id, id));
    json_t *payload = json_pack("{s:i, s:s, s:b}", "v", 1, "recording_id", id, "copy", 1);
    struct pg *pg = pg_pool_take(ctx->pool);
    int err = pg_begin(pg, job->tenant_id);
    if (!err)
        err = pg_end(pg, job_enqueue(pg, job->tenant_id, job_kind_fetch.name, key,
                                     payload, clock_now_ms(), 0));
    pg_pool_give(ctx->pool, pg);
    json_decref(payload);
    return err;
}

static int buried(struct job_ctx *ctx, const struct job *job, const char *why)
{
    struct recording r = {0};
    char reason[JOB_WHY_MAX];

    snprintf(reason, sizeof(reason), "%s", why);
    bool stored =
        recording_for_job(ctx, job, &r) == JOB_DONE && (r.sha256[0] || is_empty(&r));
    if (fetch_is_upload(&r))
        fetch_drop_upload(ctx, &r);
    int err =
        stored ? enqueue_deletion(ctx, job, &r) : recording_job_buried(ctx, job, reason);
    recording_free(&r);
    return err;
}

const struct job_kind job_kind_fetch = {
    .name = "recording.fetch", .slow = true, .run = run, .buried = buried};
