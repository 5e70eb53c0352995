#include "workers/job_admin.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/pg.h"
#include "base/str.h"
#include "workers/recording.h"

/* The rows come as one JSON text, made by the server. */
static int query_json(struct pg *pg, int tenant_id, const char *sql,
                      const struct pg_args *a, json_t **out)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    int err = pg_begin(pg, tenant_id);

    if (!err)
        err = pg_end(pg, pg_run(pg, &res, sql, a));
    if (err)
        return err;
    if (PQntuples(res) == 0 || pg_is_null(res, 0, 0))
        return ENOENT;
    *out = json_loads(pg_text(res, 0, 0), 0, NULL);
    return *out ? 0 : EPROTO;
}

int job_admin_list(struct pg *pg, int tenant_id, const char *state, const char *kind,
                   int64_t limit, json_t **out)
{
    struct pg_args a = {0};

    pg_arg_text(&a, state);
    pg_arg_text(&a, kind);
    pg_arg_i64(&a, limit);
    return query_json(
        pg, tenant_id,
        "SELECT coalesce(jsonb_agg(to_jsonb(j) ORDER BY j.created_at DESC, j.id DESC), "
        "'[]') FROM (SELECT id, kind, state, attempts, max_attempts, unique_key AS "
        "\"key\", run_at, last_error, created_at, finished_at FROM jobs WHERE ($1::text "
        "IS NULL OR state = $1) AND ($2::text IS NULL OR kind = $2) ORDER BY created_at "
        "DESC, id DESC LIMIT $3) j",
        &a, out);
}

int job_admin_show(struct pg *pg, int tenant_id, const struct uuid *id, json_t **out)
{
    struct pg_args a = {0};

    pg_arg_uuid(&a, id);
    return query_json(pg, tenant_id, "SELECT to_jsonb(j) FROM jobs j WHERE id = $1", &a,
                      out);
}

int job_admin_stats(struct pg *pg, int tenant_id, json_t **out)
{
    return query_json(
        pg, tenant_id,
        "SELECT coalesce(jsonb_object_agg(kind, s), '{}') FROM (SELECT kind, "
        "jsonb_build_object('queued', count(*) FILTER (WHERE state = 'queued'), "
        "'running', count(*) FILTER (WHERE state = 'running'), "
        "'done', count(*) FILTER (WHERE state = 'done'), "
        "'buried', count(*) FILTER (WHERE state = 'buried'), "
        "'cancelled', count(*) FILTER (WHERE state = 'cancelled'), "
        "'oldest_s', coalesce(round(extract(epoch FROM clock_timestamp() - min(run_at) "
        "FILTER (WHERE state = 'queued' AND run_at <= clock_timestamp()))), 0)) AS s "
        "FROM jobs GROUP BY kind) x",
        NULL, out);
}

/* Inside a transaction: what $1, $2 select is as new and sent again. */
static int start_over(struct pg *pg, const char *where, const struct pg_args *a,
                      int64_t *n)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    char sql[900];

    snprintf(sql, sizeof(sql),
             "WITH again AS (UPDATE jobs SET state = 'queued', attempts = 0, run_at = "
             "clock_timestamp(), lease_until = NULL, lease_holder = NULL, finished_at = "
             "NULL WHERE %s RETURNING id, tenant_id, kind), sent AS (INSERT INTO outbox "
             "(job_id, tenant_id, kind) SELECT id, tenant_id, kind FROM again RETURNING "
             "id) SELECT count(*), max(pg_notify('furrow_jobs', '')::text) FROM sent",
             where);
    int err = pg_run(pg, &res, sql, a);
    if (!err)
        *n = pg_i64(res, 0, 0);
    return err;
}

int job_admin_retry(struct pg *pg, int tenant_id, const struct uuid *id, const char *kind,
                    int64_t *n)
{
    struct pg_args a = {0};
    int err = pg_begin(pg, tenant_id);

    if (err)
        return err;
    pg_arg_uuid(&a, id);
    pg_arg_text(&a, kind);
    return pg_end(pg, start_over(pg,
                                 "(id = $1 AND state IN ('buried', 'queued', "
                                 "'cancelled')) OR ($1::uuid IS NULL AND state = "
                                 "'buried' AND ($2::text IS NULL OR kind = $2))",
                                 &a, n));
}

int job_admin_bury(struct pg *pg, int tenant_id, const struct uuid *id)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};
    int err = pg_begin(pg, tenant_id);

    pg_arg_uuid(&a, id);
    if (!err)
        err = pg_end(pg, pg_run(pg, &res,
                                "UPDATE jobs SET state = 'buried', lease_until = NULL, "
                                "finished_at = clock_timestamp(), last_error = CASE WHEN "
                                "last_error = '' THEN 'put aside by a person' ELSE "
                                "last_error END WHERE id = $1 AND state IN ('queued', "
                                "'cancelled', 'buried')",
                                &a));
    return err ? err : pg_affected(res) == 1 ? 0 : ENOENT;
}

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
    return query_json(
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
    return query_json(
        pg, tenant_id,
        "SELECT to_jsonb(r) || jsonb_build_object('transcript', (SELECT to_jsonb(t) FROM "
        "transcripts t WHERE t.recording_id = r.id), 'batch', (SELECT to_jsonb(b) FROM "
        "batches b WHERE b.recording_id = r.id), 'messages', (SELECT "
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
    return start_over(pg,
                      "kind = $1 AND unique_key = $2 AND state IN ('done', 'buried', "
                      "'cancelled')",
                      &a, &n);
}

static int transcribe_in(struct pg *pg, int tenant_id, const struct recording *r,
                         const char *text, const char *language, int64_t now_ms)
{
    bool command = strcmp(r->pipeline, "command") == 0;
    int err = recording_add_text(pg, tenant_id, &r->id, text, language, "person", now_ms);

    if (!err)
        err =
            recording_set_state(pg, &r->id, command ? "transcribed" : "done", "", now_ms);
    return err || !command ? err : run_again(pg, tenant_id, "nlu", &r->id, now_ms);
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
