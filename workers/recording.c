#include "workers/recording.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/pg.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "campaigns/job_store.h"
#include "workers/notify.h"

static int read_row(PGresult *res, struct recording *out)
{
    struct recording r = {0};

    if (pg_uuid(res, 0, 0, &r.id) || pg_uuid(res, 0, 1, &r.call_id))
        return EPROTO;
    if (str_copy(r.name, sizeof(r.name), pg_text(res, 0, 2)) ||
        str_copy(r.source, sizeof(r.source), pg_text(res, 0, 3)) ||
        str_copy(r.location, sizeof(r.location), pg_text(res, 0, 4)))
        return EMSGSIZE;
    str_cut(r.node, sizeof(r.node), pg_text(res, 0, 5));
    r.phone = pg_i64(res, 0, 6);
    str_cut(r.language, sizeof(r.language), pg_text(res, 0, 7));
    str_cut(r.pipeline, sizeof(r.pipeline), pg_text(res, 0, 8));
    str_cut(r.on_done_sms, sizeof(r.on_done_sms), pg_text(res, 0, 9));
    str_cut(r.state, sizeof(r.state), pg_text(res, 0, 10));
    str_cut(r.sha256, sizeof(r.sha256), pg_text(res, 0, 11));
    r.sample_rate = (int)pg_i64(res, 0, 12);
    r.duration_ms = (int)pg_i64(res, 0, 13);
    r.created_at_ms = pg_i64(res, 0, 14);
    r.has_text = !pg_is_null(res, 0, 15);
    r.text = r.has_text ? xstrdup(pg_text(res, 0, 15)) : NULL;
    str_cut(r.text_language, sizeof(r.text_language), pg_text(res, 0, 16));
    r.understood = !pg_is_null(res, 0, 17);
    str_cut(r.intent, sizeof(r.intent), pg_text(res, 0, 17));
    if (!pg_is_null(res, 0, 18))
        r.entities = json_loads(pg_text(res, 0, 18), 0, NULL);
    *out = r;
    return 0;
}

int recording_load(struct pg *pg, int tenant_id, const struct uuid *id,
                   struct recording *out)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};
    bool own = false;

    pg_arg_uuid(&a, id);
    int err = pg_begin_own(pg, tenant_id, &own);
    if (err)
        return err;
    err = pg_run(pg, &res,
                 "SELECT r.id, r.call_id, r.name, r.source, r.location, r.node, r.phone, "
                 "r.language, r.pipeline, r.on_done_sms, r.state, r.sha256, "
                 "r.sample_rate, r.duration_ms, furrow_ms(r.created_at), t.text, "
                 "t.language, t.intent, t.entities FROM recordings r LEFT JOIN "
                 "transcripts t ON t.recording_id = r.id WHERE r.id = $1",
                 &a);
    err = pg_end_own(pg, own, err);
    if (err)
        return err;
    return PQntuples(res) == 1 ? read_row(res, out) : ENOENT;
}

void recording_free(struct recording *r)
{
    free(r->text);
    json_decref(r->entities);
    r->text = NULL;
    r->entities = NULL;
}

int recording_set_state(struct pg *pg, const struct uuid *id, const char *state,
                        const char *error, int64_t now_ms)
{
    struct pg_args a = {0};

    pg_arg_uuid(&a, id);
    pg_arg_text(&a, state);
    pg_arg_text(&a, error);
    pg_arg_ms(&a, now_ms);
    return pg_run(pg, NULL,
                  "UPDATE recordings SET state = $2, error = $3, "
                  "updated_at = furrow_ts($4) WHERE id = $1",
                  &a);
}

int recording_add_text(struct pg *pg, int tenant_id, const struct uuid *id,
                       const char *text, const char *language, const char *source,
                       int64_t now_ms)
{
    struct uuid row = uuid_v7(now_ms);
    struct pg_args a = {0};

    pg_arg_uuid(&a, &row);
    pg_arg_i64(&a, tenant_id);
    pg_arg_uuid(&a, id);
    pg_arg_text(&a, text);
    pg_arg_text(&a, language);
    pg_arg_text(&a, source);
    pg_arg_ms(&a, now_ms);
    return pg_run(pg, NULL,
                  "INSERT INTO transcripts AS t (id, tenant_id, recording_id, text, "
                  "language, source, created_at) VALUES ($1, $2, $3, $4, $5, $6, "
                  "furrow_ts($7)) ON CONFLICT (recording_id) DO UPDATE SET text = $4, "
                  "language = $5, source = $6, created_at = furrow_ts($7), intent = "
                  "NULL, confidence = NULL, entities = NULL, understood_by = NULL, "
                  "understood_at = NULL WHERE $6 = 'person'",
                  &a);
}

int recording_enqueue(struct pg *pg, int tenant_id, const char *kind,
                      const struct uuid *id, int64_t now_ms)
{
    char key[UUID_TEXT_MAX];
    json_t *payload = json_pack("{s:i, s:s}", "v", 1, "recording_id", uuid_text(id, key));
    int err = job_enqueue(pg, tenant_id, kind, key, payload, now_ms, 0);

    json_decref(payload);
    return err;
}

bool recording_is_understood(const char *pipeline)
{
    return str_is(pipeline, "command") || str_is(pipeline, RECORDING_CALLBACK) ||
           str_is(pipeline, RECORDING_UNDERSTAND);
}

int recording_after_text(struct pg *pg, int tenant_id, const struct uuid *id,
                         const char *pipeline, int64_t now_ms)
{
    bool more = recording_is_understood(pipeline);
    int err = recording_set_state(pg, id, more ? "transcribed" : "done", "", now_ms);

    return err || !more ? err : recording_enqueue(pg, tenant_id, "nlu", id, now_ms);
}

enum job_result recording_for_job(struct job_ctx *ctx, const struct job *job,
                                  struct recording *r)
{
    struct uuid id;

    if (job_payload_id(ctx, job, "recording_id", &id))
        return JOB_BURY;
    struct pg *pg = pg_pool_take(ctx->pool);
    int err = recording_load(pg, job->tenant_id, &id, r);
    enum job_result result = JOB_DONE;
    if (err == ENOENT)
        result = job_say(ctx, JOB_BURY, "there is no such recording");
    else if (err)
        result = job_db_error(ctx, pg, err);
    pg_pool_give(ctx->pool, pg);
    return result;
}

int recording_end(struct pg *pg, const struct worker_config *c, int tenant_id,
                  const struct recording *r, const char *state, const char *error)
{
    int64_t now = clock_now_ms();
    bool waits = str_is(state, "needs_person");
    bool failed =
        str_is(state, "failed") || str_is(state, "empty") || str_is(state, "lost_media");
    int err = recording_set_state(pg, &r->id, state, error, now);

    if (err || !str_is(r->pipeline, "command") || (!waits && !failed))
        return err;
    return notify_ended(pg, c, tenant_id, r, waits ? SMS_WAITS : SMS_FAILED, now);
}

enum job_result recording_finish(struct job_ctx *ctx, const struct job *job,
                                 const struct recording *r, const char *state,
                                 const char *error)
{
    enum job_result result = JOB_DONE;
    struct pg *pg = pg_pool_take(ctx->pool);
    int err = pg_begin(pg, job->tenant_id);

    if (!err)
        err = pg_end(pg, recording_end(pg, ctx->config, job->tenant_id, r, state, error));
    if (err)
        result = job_db_error(ctx, pg, err);
    pg_pool_give(ctx->pool, pg);
    return result;
}

int recording_job_buried(struct job_ctx *ctx, const struct job *job, const char *why)
{
    struct recording r = {0};
    char reason[JOB_WHY_MAX];

    str_cut(reason, sizeof(reason), why); /* it may be ctx->why */
    enum job_result result = recording_for_job(ctx, job, &r);
    if (result == JOB_BURY)
        return 0; /* nothing to mark */
    if (result == JOB_DONE)
        result = recording_finish(ctx, job, &r, "failed", reason);
    recording_free(&r);
    return result == JOB_DONE ? 0 : ECONNRESET;
}
