/*
 * batch: a command, spoken in a recording or written in a message, is done: a batch and
 * its event, or a question, or why not. Once each, however often the job runs.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/pg.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "batches/command_store.h"
#include "workers/notify.h"
#include "workers/recording.h"
#include "workers/worker.h"

/* The command and the message about it, in one transaction. */
static int do_and_tell(struct pg *pg, const struct worker_config *c, int tenant_id,
                       const struct command_in *in, struct notify_to *to,
                       struct command_result *r)
{
    int64_t now = clock_now_ms();
    int err = command_run(pg, tenant_id, in, now, r);

    if (err || !r->fresh || r->quiet)
        return err;
    to->language = r->language;
    return notify_command(pg, c, tenant_id, to, r, now);
}

/* --- spoken ------------------------------------------------------------------------ */

static int do_recording(struct pg *pg, const struct worker_config *c, int tenant_id,
                        const struct recording *r, const struct understanding *u)
{
    CLEANUP(free_cleanup) struct command_result *result = xcalloc(1, sizeof(*result));
    char key[UUID_TEXT_MAX], why[REFUSAL_TEXT_MAX] = "";
    const struct command_in in = {.source = "voice",
                                  .key = uuid_text(&r->id, key),
                                  .phone = r->phone,
                                  .language = r->language,
                                  .text = r->text ? r->text : "",
                                  .u = u,
                                  .recording_id = &r->id,
                                  .call_id = &r->call_id,
                                  .said_ms = r->created_at_ms};
    struct notify_to to = {
        .phone = r->phone, .key = key, .call_id = &r->call_id, .recording_id = &r->id};

    int err = do_and_tell(pg, c, tenant_id, &in, &to, result);
    if (err || !result->fresh)
        return err;
    if (result->state != COMMAND_DONE)
        refusal_text(&result->why, "en", why);
    else if (c->sms_complete)
        err = notify_ended(pg, c, tenant_id, r, SMS_COMPLETE, clock_now_ms());
    if (err)
        return err;
    return recording_set_state(pg, &r->id, "done", why, clock_now_ms());
}

static enum job_result run_recording(struct job_ctx *ctx, const struct job *job)
{
    CLEANUP(recording_free) struct recording r = {0};
    CLEANUP(free_cleanup) struct understanding *u = xcalloc(1, sizeof(*u));

    enum job_result result = recording_for_job(ctx, job, &r);
    if (result != JOB_DONE)
        return result;
    understanding_init(u);
    if (!r.understood || !r.entities || !intent_parse(r.intent, &u->intent))
        return job_say(ctx, JOB_BURY, "the recording has not been understood");
    entities_from_json(&u->entities, r.entities);
    struct pg *pg = pg_pool_take(ctx->pool);
    int err = pg_begin(pg, job->tenant_id);
    if (!err)
        err = pg_end(pg, do_recording(pg, ctx->config, job->tenant_id, &r, u));
    if (err)
        result = job_db_error(ctx, pg, err);
    pg_pool_give(ctx->pool, pg);
    return result;
}

/* --- written ----------------------------------------------------------------------- */

static int do_message(struct pg *pg, const struct worker_config *c, int tenant_id,
                      const struct uuid *id)
{
    CLEANUP(free_cleanup) struct command_result *result = xcalloc(1, sizeof(*result));
    CLEANUP(free_cleanup) struct command_row *row = xcalloc(1, sizeof(*row));
    CLEANUP(free_cleanup) struct understanding *u = xcalloc(1, sizeof(*u));
    char key[UUID_TEXT_MAX];

    int err = command_load(pg, tenant_id, id, row);
    if (err)
        return err;
    understanding_init(u); /* what begins with a slash is read by command_run */
    const struct command_in in = {.source = row->source,
                                  .key = row->key,
                                  .phone = row->phone,
                                  .language = row->language,
                                  .text = row->text,
                                  .u = u,
                                  .said_ms = row->said_ms};
    struct notify_to to = {.phone = row->phone, .key = uuid_text(id, key)};
    return do_and_tell(pg, c, tenant_id, &in, &to, result);
}

static enum job_result run_message(struct job_ctx *ctx, const struct job *job)
{
    enum job_result result = JOB_DONE;
    struct uuid id;

    if (job_payload_id(ctx, job, "command_id", &id))
        return JOB_BURY;
    struct pg *pg = pg_pool_take(ctx->pool);
    int err = pg_begin(pg, job->tenant_id);
    if (!err)
        err = pg_end(pg, do_message(pg, ctx->config, job->tenant_id, &id));
    if (err == ENOENT)
        result = job_say(ctx, JOB_BURY, "there is no such command");
    else if (err)
        result = job_db_error(ctx, pg, err);
    pg_pool_give(ctx->pool, pg);
    return result;
}

static enum job_result run(struct job_ctx *ctx, const struct job *job)
{
    return json_object_get(job->payload, "command_id") ? run_message(ctx, job)
                                                       : run_recording(ctx, job);
}

/* A message that cannot be done any more has no recording to mark. */
static int buried(struct job_ctx *ctx, const struct job *job, const char *why)
{
    return json_object_get(job->payload, "command_id")
               ? 0
               : recording_job_buried(ctx, job, why);
}

const struct job_kind job_kind_batch = {
    .name = "batch", .slow = false, .run = run, .buried = buried};
