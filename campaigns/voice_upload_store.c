#include "campaigns/voice_upload_store.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/pg.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "campaigns/job_store.h"

const char *voice_upload_location(int tenant_id, const struct uuid *id,
                                  char out[VOICE_LOCATION_MAX])
{
    char text[UUID_TEXT_MAX];

    snprintf(out, VOICE_LOCATION_MAX, "uploads/%d-%s", tenant_id, uuid_text(id, text));
    return out;
}

static int add_recording(struct pg *pg, int tenant_id, const struct voice_upload *u,
                         int64_t now_ms)
{
    char id[UUID_TEXT_MAX], name[64], location[VOICE_LOCATION_MAX];
    struct pg_args a = {0};

    snprintf(name, sizeof(name), "upload-%s", uuid_text(&u->id, id));
    pg_arg_uuid(&a, &u->id);
    pg_arg_i64(&a, tenant_id);
    pg_arg_text(&a, name);
    pg_arg_text(&a, voice_upload_location(tenant_id, &u->id, location));
    pg_arg_text(&a, u->endpoint);
    pg_arg_text(&a, u->language);
    pg_arg_text(&a, u->pipeline);
    pg_arg_ms(&a, now_ms);
    if (u->phone)
        pg_arg_i64(&a, u->phone);
    else
        pg_arg_null(&a);
    /* No call brought it: it is its own. */
    return pg_run(
        pg, NULL,
        "INSERT INTO recordings (id, tenant_id, call_id, name, source, location, "
        "node, language, pipeline, state, created_at, finished_at, updated_at, phone) "
        "VALUES ($1, $2, $1, $3, 'upload', $4, $5, $6, $7, 'finished', "
        "furrow_ts($8), furrow_ts($8), furrow_ts($8), $9)",
        &a);
}

static int add_upload(struct pg *pg, int tenant_id, const struct voice_upload *u,
                      int64_t now_ms)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    pg_arg_uuid(&a, &u->id);
    pg_arg_i64(&a, tenant_id);
    pg_arg_text(&a, u->endpoint);
    pg_arg_text(&a, u->key_name);
    pg_arg_text(&a, u->idempotency_key);
    pg_arg_text(&a, u->file_sha256);
    pg_arg_text(&a, u->file_name);
    pg_arg_i64(&a, u->bytes);
    pg_arg_text(&a, u->format);
    pg_arg_ms(&a, now_ms);
    int err = pg_run(pg, &res,
                     "INSERT INTO voice_uploads (recording_id, tenant_id, endpoint, "
                     "key_name, idempotency_key, file_sha256, file_name, bytes, format, "
                     "created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, "
                     "furrow_ts($10)) ON CONFLICT (tenant_id, key_name, "
                     "idempotency_key) DO NOTHING",
                     &a);
    return err || pg_affected(res) > 0 ? err : EEXIST;
}

static int enqueue(struct pg *pg, int tenant_id, const struct uuid *id, int64_t now_ms)
{
    char key[UUID_TEXT_MAX];
    json_t *payload = json_pack("{s:i, s:s}", "v", 1, "recording_id", uuid_text(id, key));
    int err = job_enqueue(pg, tenant_id, "recording.fetch", key, payload, now_ms, 0);

    json_decref(payload);
    return err;
}

int voice_upload_add(struct pg *pg, int tenant_id, const struct voice_upload *u,
                     int64_t now_ms)
{
    int err = pg_begin(pg, tenant_id);

    if (err)
        return err;
    err = add_recording(pg, tenant_id, u, now_ms);
    if (!err)
        err = add_upload(pg, tenant_id, u, now_ms);
    if (!err)
        err = enqueue(pg, tenant_id, &u->id, now_ms);
    return pg_end(pg, err);
}

int voice_upload_find(struct pg *pg, int tenant_id, const struct voice_upload *like,
                      struct uuid *id)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    pg_arg_text(&a, like->key_name);
    pg_arg_text(&a, like->idempotency_key);
    pg_arg_text(&a, like->file_sha256);
    pg_arg_text(&a, like->endpoint);
    pg_arg_text(&a, like->language);
    pg_arg_i64(&a, like->phone);
    int err = pg_run_alone(pg, tenant_id, &res,
                           "SELECT r.id, u.file_sha256 = $3 AND u.endpoint = $4 AND "
                           "r.language = $5 AND coalesce(r.phone, 0) = $6 FROM "
                           "voice_uploads u JOIN recordings r ON r.id "
                           "= u.recording_id WHERE u.key_name = $1 AND "
                           "u.idempotency_key = $2",
                           &a);
    if (err)
        return err;
    if (PQntuples(res) == 0)
        return ENOENT;
    if (pg_uuid(res, 0, 0, id))
        return EPROTO;
    return pg_bool(res, 0, 1) ? 0 : EXDEV;
}

int voice_upload_is_wanted(struct pg *pg, int tenant_id, const struct uuid *id, bool *out)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    pg_arg_uuid(&a, id);
    int err =
        pg_run_alone(pg, tenant_id, &res,
                     "SELECT EXISTS (SELECT FROM recordings WHERE id = $1 AND state "
                     "= 'finished')",
                     &a);
    if (!err)
        *out = pg_bool(res, 0, 0);
    return err;
}

int voice_upload_measured(struct pg *pg, int tenant_id, const struct uuid *id,
                          int sample_rate, int channels)
{
    struct pg_args a = {0};

    pg_arg_uuid(&a, id);
    pg_arg_i64(&a, sample_rate);
    pg_arg_i64(&a, channels);
    return pg_run_alone(pg, tenant_id, NULL,
                        "UPDATE voice_uploads SET sample_rate = $2, channels = $3 "
                        "WHERE recording_id = $1",
                        &a);
}

/* --- reading --------------------------------------------------------------------------
 */

static const char task_sql[] =
    "SELECT r.state, r.pipeline, r.error, r.sha256 IS NOT NULL, t.text, "
    "coalesce(nullif(t.language, ''), r.language), t.intent, t.entities, "
    "coalesce(u.endpoint, ''), coalesce(u.format, 'wav'), coalesce(u.bytes, r.bytes, 0), "
    "coalesce(u.sample_rate, r.sample_rate, 0), coalesce(u.channels, 1), "
    "coalesce(r.duration_ms, 0), j.state, j.last_error, j.attempts, j.max_attempts "
    "FROM recordings r LEFT JOIN transcripts t ON t.recording_id = r.id "
    "LEFT JOIN voice_uploads u ON u.recording_id = r.id "
    "LEFT JOIN LATERAL (SELECT k.state, k.last_error, k.attempts, k.max_attempts FROM "
    "jobs "
    "k WHERE k.tenant_id = r.tenant_id AND k.kind IN ('recording.fetch', 'asr', 'nlu', "
    "'batch') AND k.unique_key = r.id::text AND k.state <> 'done' ORDER BY k.created_at "
    "DESC LIMIT 1) j ON true WHERE r.id = $1";

static void read_task(PGresult *res, struct voice_task *t)
{
    str_cut(t->state, sizeof(t->state), pg_text(res, 0, 0));
    str_cut(t->pipeline, sizeof(t->pipeline), pg_text(res, 0, 1));
    str_cut(t->error, sizeof(t->error), pg_text(res, 0, 2));
    t->stored = pg_bool(res, 0, 3);
    t->has_text = !pg_is_null(res, 0, 4);
    t->text = t->has_text ? xstrdup(pg_text(res, 0, 4)) : NULL;
    str_cut(t->language, sizeof(t->language), pg_text(res, 0, 5));
    t->understood = !pg_is_null(res, 0, 6);
    str_cut(t->intent, sizeof(t->intent), pg_text(res, 0, 6));
    if (!pg_is_null(res, 0, 7))
        t->entities = json_loads(pg_text(res, 0, 7), 0, NULL);
    str_cut(t->endpoint, sizeof(t->endpoint), pg_text(res, 0, 8));
    str_cut(t->format, sizeof(t->format), pg_text(res, 0, 9));
    t->bytes = pg_i64(res, 0, 10);
    t->sample_rate = (int)pg_i64(res, 0, 11);
    t->channels = (int)pg_i64(res, 0, 12);
    t->duration_ms = (int)pg_i64(res, 0, 13);
    str_cut(t->job.state, sizeof(t->job.state), pg_text(res, 0, 14));
    str_cut(t->job.last_error, sizeof(t->job.last_error), pg_text(res, 0, 15));
    t->job.attempts = (int)pg_i64(res, 0, 16);
    t->job.max_attempts = (int)pg_i64(res, 0, 17);
}

int voice_task_load(struct pg *pg, int tenant_id, const struct uuid *id,
                    struct voice_task *out)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    *out = (struct voice_task){.id = *id};
    pg_arg_uuid(&a, id);
    int err = pg_run_alone(pg, tenant_id, &res, task_sql, &a);
    if (err)
        return err;
    if (PQntuples(res) != 1)
        return ENOENT;
    read_task(res, out);
    return 0;
}
