#include <errno.h>
#include <string.h>

#include "base/str.h"
#include "workers/job_admin_internal.h"
#include "workers/recording.h"

#define RECORDING_COLUMNS                                                                \
    "r.id, r.state, r.error, r.language, r.phone, r.pipeline, r.duration_ms, "           \
    "r.sample_rate, r.sha256, r.call_id, r.name, r.created_at, t.text, t.source AS "     \
    "text_source, t.intent"

int recording_admin_list(struct pg *pg, int tenant_id, const char *state, int64_t limit,
                         json_t **out)
{
    struct pg_args a = {0};

    pg_arg_text(&a, state);
    pg_arg_i64(&a, limit);
    return job_admin_json(
        pg, tenant_id,
        "SELECT coalesce(jsonb_agg(to_jsonb(x) ORDER BY x.created_at DESC, x.id DESC), "
        "'[]') FROM (SELECT " RECORDING_COLUMNS " FROM recordings r LEFT JOIN "
        "transcripts t ON t.recording_id = r.id WHERE $1::text IS NULL OR r.state = $1 "
        "ORDER BY r.created_at DESC, r.id DESC LIMIT $2) x",
        &a, out);
}

int recording_admin_show(struct pg *pg, int tenant_id, const struct uuid *id,
                         json_t **out)
{
    struct pg_args a = {0};

    pg_arg_uuid(&a, id);
    return job_admin_json(
        pg, tenant_id,
        "SELECT to_jsonb(r) || jsonb_build_object('transcript', (SELECT to_jsonb(t) FROM "
        "transcripts t WHERE t.recording_id = r.id), 'batch', (SELECT to_jsonb(b) - "
        "'verification_token' FROM batches b JOIN commands m ON m.batch = b.id WHERE "
        "m.recording_id = r.id), 'messages', (SELECT "
        "coalesce(jsonb_agg(to_jsonb(m) ORDER BY m.created_at), '[]') FROM messages m "
        "WHERE m.recording_id = r.id), 'jobs', (SELECT coalesce(jsonb_agg("
        "jsonb_build_object('id', j.id, 'kind', j.kind, 'state', j.state, 'attempts', "
        "j.attempts, 'last_error', j.last_error) ORDER BY j.created_at), '[]') FROM jobs "
        "j WHERE j.unique_key = r.id::text)) FROM recordings r WHERE r.id = $1",
        &a, out);
}

/* Inside a transaction: the job of that kind runs (again). */
static int run_again(struct pg *pg, int tenant_id, const char *kind,
                     const struct uuid *id, int64_t now_ms)
{
    struct pg_args a = {0};
    char key[UUID_TEXT_MAX];
    int64_t n = 0;
    int err = recording_enqueue(pg, tenant_id, kind, id, now_ms);

    if (err)
        return err;
    pg_arg_text(&a, kind);
    pg_arg_text(&a, uuid_text(id, key));
    /* A fresh one is queued already, and one at work will see what is new. */
    return job_admin_start_over(
        pg,
        "kind = $1 AND unique_key = $2 AND state IN ('done', 'buried', "
        "'cancelled')",
        &a, &n);
}

static int transcribe_in(struct pg *pg, int tenant_id, const struct recording *r,
                         const char *text, const char *language, int64_t now_ms)
{
    bool more = recording_is_understood(r->pipeline);
    int err = recording_add_text(pg, tenant_id, &r->id, text, language, "person", now_ms);

    if (!err)
        err = recording_set_state(pg, &r->id, more ? "transcribed" : "done", "", now_ms);
    return err || !more ? err : run_again(pg, tenant_id, "nlu", &r->id, now_ms);
}

int recording_admin_transcribe(struct pg *pg, int tenant_id, const struct uuid *id,
                               const char *text, const char *language, int64_t now_ms,
                               struct errtext *e)
{
    static const char *const waiting[] = {"needs_person", "failed", "empty", "stored"};
    CLEANUP(recording_free) struct recording r = {0};
    bool may = false;

    int err = pg_begin(pg, tenant_id);
    if (err)
        return err;
    err = recording_load(pg, tenant_id, id, &r);
    for (size_t i = 0; !err && i < ARRAY_LEN(waiting); i++)
        may |= strcmp(r.state, waiting[i]) == 0;
    if (!err && !may)
        err = errtext_set(e, EINVAL, 0, 0,
                          "the recording is '%s'; only needs_person, failed, empty and "
                          "stored ones can be transcribed",
                          r.state);
    if (!err)
        err = transcribe_in(pg, tenant_id, &r, text, language, now_ms);
    return pg_end(pg, err);
}

int recording_admin_retry(struct pg *pg, int tenant_id, const struct uuid *id,
                          int64_t now_ms, const char **kind, struct errtext *e)
{
    CLEANUP(recording_free) struct recording r = {0};

    int err = pg_begin(pg, tenant_id);
    if (err)
        return err;
    err = recording_load(pg, tenant_id, id, &r);
    if (!err && strcmp(r.state, "failed") != 0 && strcmp(r.state, "needs_person") != 0 &&
        strcmp(r.state, "lost_media") != 0)
        err = errtext_set(e, EINVAL, 0, 0,
                          "the recording is '%s'; only failed, needs_person and "
                          "lost_media ones are tried again",
                          r.state);
    *kind = !r.sha256[0]    ? "recording.fetch"
            : !r.has_text   ? "asr"
            : !r.understood ? "nlu"
                            : "batch";
    const char *state = !r.sha256[0] ? "finished" : r.has_text ? "transcribed" : "stored";
    if (!err)
        err = recording_set_state(pg, id, state, "", now_ms);
    if (!err)
        err = run_again(pg, tenant_id, *kind, id, now_ms);
    return pg_end(pg, err);
}
