/*
 * batch: an understood command becomes a batch record and a receipt, or a
 * message that says what was missing. One batch a recording.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/pg.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "workers/batch_rules.h"
#include "workers/notify.h"
#include "workers/recording.h"
#include "workers/worker.h"

enum { NEWEST_WITHIN_H = 24 };

struct source { /* the batch that is spoken about */
    char batch_id[BATCH_ID_MAX];
    double kg; /* negative: not known */
};

/* The batch that was named, else the caller's newest of the last day. */
static int find_source(struct pg *pg, const struct recording *r,
                       const struct understanding *u, struct source *out)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};
    const char *named = u->entities.batch_id;

    *out = (struct source){.kg = -1};
    pg_arg_text(&a, named);
    pg_arg_i64(&a, r->phone);
    pg_arg_ms(&a, r->created_at_ms);
    pg_arg_i64(&a, NEWEST_WITHIN_H);
    pg_arg_uuid(&a, &r->id);
    int err = pg_run(pg, &res,
                     "SELECT batch_id, quantity_kg FROM batches WHERE recording_id <> $5 "
                     "AND CASE WHEN $1 <> '' THEN lower(batch_id) = lower($1) "
                     "ELSE phone = $2 AND created_at <= furrow_ts($3) AND created_at > "
                     "furrow_ts($3) - $4::int * interval '1 hour' END "
                     "ORDER BY created_at DESC, id DESC LIMIT 1",
                     &a);
    if (err || PQntuples(res) == 0)
        return err;
    str_cut(out->batch_id, sizeof(out->batch_id), pg_text(res, 0, 0));
    if (!pg_is_null(res, 0, 1))
        out->kg = pg_double(res, 0, 1);
    return 0;
}

static int next_number(struct pg *pg, int64_t *out)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;

    int err = pg_run(pg, &res, "SELECT nextval('batch_numbers')", NULL);
    if (!err)
        *out = pg_i64(res, 0, 0);
    return err;
}

static void arg_text_or_null(struct pg_args *a, const char *text)
{
    pg_arg_text(a, text[0] ? text : NULL);
}

static void arg_double_or_null(struct pg_args *a, double v)
{
    if (v < 0)
        pg_arg_null(a);
    else
        pg_arg_double(a, v);
}

/* *fresh: it was not there before. */
static int insert(struct pg *pg, int tenant_id, const struct recording *r,
                  const struct batch *b, bool *fresh)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct uuid id = uuid_v7(clock_now_ms());
    struct pg_args a = {0};
    json_t *json = batch_details_json(b);
    CLEANUP(free_cleanup) char *details = json_dumps(json, JSON_COMPACT);

    json_decref(json);
    pg_arg_uuid(&a, &id);
    pg_arg_i64(&a, tenant_id);
    pg_arg_uuid(&a, &r->id);
    pg_arg_uuid(&a, &r->call_id);
    pg_arg_text(&a, b->batch_id);
    pg_arg_text(&a, intent_event(b->event));
    arg_double_or_null(&a, b->quantity);
    arg_text_or_null(&a, b->unit);
    arg_double_or_null(&a, b->quantity_kg);
    arg_text_or_null(&a, b->variety);
    arg_text_or_null(&a, b->grade);
    arg_text_or_null(&a, b->origin);
    arg_text_or_null(&a, b->farmer);
    if (r->phone)
        pg_arg_i64(&a, r->phone);
    else
        pg_arg_null(&a);
    pg_arg_text(&a, details);
    pg_arg_ms(&a, r->created_at_ms); /* when it was said */
    int err = pg_run(pg, &res,
                     "INSERT INTO batches (id, tenant_id, recording_id, call_id, "
                     "batch_id, event, quantity, unit, quantity_kg, variety, grade, "
                     "origin, farmer, phone, details, created_at) VALUES ($1, $2, $3, "
                     "$4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, "
                     "furrow_ts($16)) ON CONFLICT (recording_id) DO NOTHING RETURNING id",
                     &a);
    *fresh = !err && PQntuples(res) == 1;
    return err;
}

static int make(struct pg *pg, const struct worker_config *c, int tenant_id,
                const struct recording *r, const struct understanding *u)
{
    struct batch_context ctx = {.at_ms = r->created_at_ms, .source_kg = -1};
    char why[BATCH_WHY_MAX] = "";
    int64_t now = clock_now_ms();
    struct source source = {0};
    struct batch batch;
    bool fresh = false;

    int err = find_source(pg, r, u, &source);
    if (!err)
        err = next_number(pg, &ctx.sequence);
    if (err)
        return err;
    ctx.source_batch_id = source.batch_id[0] ? source.batch_id : NULL;
    ctx.source_kg = source.kg;
    if (batch_make(&batch, u, &ctx, why) != BATCH_OK) {
        err = recording_set_state(pg, &r->id, "done", why, now);
        return err ? err : notify_error(pg, c, tenant_id, r, why, now);
    }
    err = insert(pg, tenant_id, r, &batch, &fresh);
    if (!err)
        err = recording_set_state(pg, &r->id, "done", "", now);
    return err || !fresh ? err : notify_receipt(pg, c, tenant_id, r, &batch, now);
}

static enum job_result run(struct job_ctx *ctx, const struct job *job)
{
    CLEANUP(recording_free) struct recording r = {0};
    struct understanding u;

    enum job_result result = recording_for_job(ctx, job, &r);
    if (result != JOB_DONE)
        return result;
    understanding_init(&u);
    if (!r.understood || !r.entities || !intent_parse(r.intent, &u.intent))
        return job_say(ctx, JOB_BURY, "the recording has not been understood");
    entities_from_json(&u.entities, r.entities);
    struct pg *pg = pg_pool_take(ctx->pool);
    int err = pg_begin(pg, job->tenant_id);
    if (!err)
        err = pg_end(pg, make(pg, ctx->config, job->tenant_id, &r, &u));
    if (err)
        result = job_db_error(ctx, pg, err);
    pg_pool_give(ctx->pool, pg);
    return result;
}

const struct job_kind job_kind_batch = {
    .name = "batch", .slow = false, .run = run, .buried = recording_job_buried};
