#include "campaigns/call_store_submit.h"

#include <errno.h>
#include <stdio.h>

#include "base/log.h"
#include "base/pg.h"
#include "campaigns/job_store.h"

enum { NAME_MAX_BYTES = UUID_TEXT_MAX + 32 };

static int enqueue(struct pg *pg, const struct call_step *s, const char *kind,
                   const char *recording)
{
    json_auto_t *payload = json_pack("{s:i, s:s}", "v", 1, "recording_id", recording);

    return job_enqueue(pg, s->tenant_id, kind, recording, payload, s->at_ms, 0);
}

/* Of this call, or of the one that it goes on with: the same number's. What is fetched
 * already goes on from there; what is not is fetched with its new
 * pipeline (workers/job_fetch.c reads it again under its lock). */
static int submit_recording(struct pg *pg, const struct call_step *s,
                            const struct call_submit *c)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    pg_arg_text(&a, c->recording);
    pg_arg_id(&a, s->phone);
    pg_arg_text(&a, c->pipeline);
    pg_arg_ms(&a, s->at_ms);
    int err = pg_run(
        pg, &res,
        "UPDATE recordings SET pipeline = $3, state = CASE WHEN state = 'done' THEN "
        "'stored' ELSE state END, updated_at = furrow_ts($4) WHERE name = $1 AND phone "
        "IS NOT DISTINCT FROM $2::bigint AND pipeline = 'none' RETURNING id, state = "
        "'stored'",
        &a);
    if (err || PQntuples(res) == 0 || !pg_bool(res, 0, 1))
        return err;
    return enqueue(pg, s, "asr", pg_text(res, 0, 0));
}

static int insert_recording(struct pg *pg, const struct call_step *s, size_t i,
                            const struct uuid *id, bool *fresh)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    const struct call_submit *c = &s->submits[i];
    char name[NAME_MAX_BYTES], call[UUID_TEXT_MAX];
    struct pg_args a = {0};

    snprintf(name, sizeof(name), "%s-keys-%d-%zu", uuid_text(&s->call_id, call), s->seq,
             i + 1);
    pg_arg_uuid(&a, id);
    pg_arg_i64(&a, s->tenant_id);
    pg_arg_uuid(&a, &s->call_id);
    pg_arg_text(&a, name);
    pg_arg_text(&a, c->node);
    pg_arg_id(&a, s->phone);
    pg_arg_text(&a, c->language ? c->language : "");
    pg_arg_ms(&a, s->at_ms);
    int err = pg_run(
        pg, &res,
        "INSERT INTO recordings (id, tenant_id, call_id, name, source, location, node, "
        "phone, language, pipeline, state, created_at, finished_at, updated_at) VALUES "
        "($1, $2, $3, $4, 'keys', '', $5, $6, $7, 'command', 'transcribed', "
        "furrow_ts($8), furrow_ts($8), furrow_ts($8)) ON CONFLICT (name) DO NOTHING "
        "RETURNING id",
        &a);
    *fresh = !err && PQntuples(res) == 1;
    return err;
}

/* "record_commission quantity 5, unit bags": for people, and for who understands anew. */
static int insert_text(struct pg *pg, const struct call_step *s,
                       const struct call_submit *c, const struct uuid *recording)
{
    struct uuid id = uuid_v7(s->at_ms);
    struct pg_args a = {0};

    pg_arg_uuid(&a, &id);
    pg_arg_i64(&a, s->tenant_id);
    pg_arg_uuid(&a, recording);
    pg_arg_text(&a, c->intent);
    pg_arg_text(&a, c->entities);
    pg_arg_text(&a, c->language ? c->language : "");
    pg_arg_ms(&a, s->at_ms);
    return pg_run(
        pg, NULL,
        "INSERT INTO transcripts (id, tenant_id, recording_id, text, language, source, "
        "intent, confidence, entities, understood_by, understood_at, created_at) SELECT "
        "$1, $2, $3, $4 || coalesce((SELECT ' ' || string_agg(key || ' ' || value, ', ' "
        "ORDER BY key) FROM jsonb_each_text($5::jsonb)), ''), $6, 'keys', $4, 1, "
        "$5::jsonb, 'keys', furrow_ts($7), furrow_ts($7)",
        &a);
}

int call_submit_write(struct pg *pg, const struct call_step *s, size_t i)
{
    const struct call_submit *c = &s->submits[i];
    struct uuid id = uuid_v7(s->at_ms);
    char text[UUID_TEXT_MAX];
    bool fresh = false;

    if (c->recording && c->recording[0])
        return submit_recording(pg, s, c);
    int err = insert_recording(pg, s, i, &id, &fresh);
    if (err || !fresh)
        return err;
    err = insert_text(pg, s, c, &id);
    return err ? err : enqueue(pg, s, "batch", uuid_text(&id, text));
}
