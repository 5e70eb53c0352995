/*
 * nlu: what a transcript means. A language model when one is configured, tried
 * with as much of a schema as its server takes; else the built-in grammar, which
 * knows English. The transcript is data to both: only known intents come out.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/http.h"
#include "base/pg.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "batches/command_store.h"
#include "batches/nlu_grammar.h"
#include "workers/nlu_schema.h"
#include "workers/notify.h"
#include "workers/opt_outs.h"
#include "workers/recording.h"
#include "workers/spoken_callback.h"
#include "workers/worker.h"

static const struct worker_config *config_of(const struct job_ctx *ctx)
{
    return ctx->config;
}

static int post(struct job_ctx *ctx, const struct recording *r, enum nlu_mode mode,
                struct http_resp *resp)
{
    const struct worker_config *c = config_of(ctx);
    CLEANUP(free_cleanup) char *url = xasprintf("%s/v1/chat/completions", c->nlu_url);
    CLEANUP(free_cleanup)
    char *body = nlu_request(c->nlu_model, r->text, r->text_language, mode);
    char bearer[300];
    const char *headers[] = {"Content-Type: application/json", NULL, NULL};

    snprintf(bearer, sizeof(bearer), "Authorization: Bearer %s", c->nlu_key);
    if (c->nlu_key[0])
        headers[1] = bearer;
    const struct http_req req = {.url = url,
                                 .headers = headers,
                                 .body = body,
                                 .body_len = strlen(body),
                                 .timeout_ms = (int)c->nlu_timeout_s * 1000,
                                 .max_bytes = 1 << 20};
    return http_do(ctx->http, &req, resp);
}

/* One question. *next: this server wants less of a schema. */
static enum job_result ask_once(struct job_ctx *ctx, const struct recording *r,
                                enum nlu_mode mode, struct understanding *u, bool *next)
{
    CLEANUP(http_resp_free) struct http_resp resp = {0};
    struct errtext e = {0};

    int err = post(ctx, r, mode, &resp);
    if (err)
        return job_http_error(ctx, err, "language model", resp.error);
    if (resp.retry_after_s > 0)
        ctx->retry_after_ms = resp.retry_after_s * 1000;
    if (resp.status != 200) {
        *next = resp.status == 400 || resp.status == 422;
        return job_say(ctx, *next ? JOB_BURY : JOB_RETRY,
                       "the language model's server answered %ld", resp.status);
    }
    enum nlu_verdict v = nlu_read_reply(u, resp.body, resp.len, &e);
    if (v == NLU_OK)
        return JOB_DONE;
    *next = v == NLU_INVALID;
    return job_say(ctx, JOB_RETRY, "the language model's reply: %s", e.text);
}

/* The first mode that works is kept for the thread's next jobs. */
static enum job_result ask_model(struct job_ctx *ctx, const struct recording *r,
                                 struct understanding *u)
{
    enum job_result result = JOB_RETRY;

    for (int mode = ctx->nlu_mode; mode <= (int)NLU_PLAIN; mode++) {
        bool next = false;
        result = ask_once(ctx, r, (enum nlu_mode)mode, u, &next);
        if (result == JOB_DONE)
            ctx->nlu_mode = mode;
        if (!next)
            return result;
    }
    ctx->nlu_mode = NLU_JSON_SCHEMA;
    return result;
}

static int store_understanding(struct pg *pg, const struct recording *r,
                               const struct understanding *u, const char *by,
                               int64_t now_ms)
{
    struct pg_args a = {0};
    json_t *json = entities_to_json(&u->entities);
    CLEANUP(free_cleanup) char *text = json_dumps(json, JSON_COMPACT);

    json_decref(json);
    pg_arg_uuid(&a, &r->id);
    pg_arg_text(&a, intent_name(u->intent));
    pg_arg_double(&a, u->confidence);
    pg_arg_text(&a, text);
    pg_arg_text(&a, by);
    pg_arg_ms(&a, now_ms);
    return pg_run(pg, NULL,
                  "UPDATE transcripts SET intent = $2, confidence = $3, entities = $4, "
                  "understood_by = $5, understood_at = furrow_ts($6) "
                  "WHERE recording_id = $1",
                  &a);
}

/* A wish for no more calls acts with this commit, whatever else was said. */
static int commit_in(struct pg *pg, const struct worker_config *c, int tenant_id,
                     const struct recording *r, const struct understanding *u,
                     const char *by)
{
    int64_t now = clock_now_ms();
    int err = store_understanding(pg, r, u, by, now);

    if (!err && u->opt_out)
        err = opt_out_spoken(pg, tenant_id, r->phone, &r->call_id, now);
    if (err)
        return err;
    if (str_is(r->pipeline, RECORDING_UNDERSTAND))
        return recording_set_state(pg, &r->id, "done", "", now);
    bool answers = false;
    if (u->intent == INTENT_NONE && !u->opt_out)
        err = command_is_asked(pg, tenant_id, r->phone, r->created_at_ms, &answers);
    if (err)
        return err;
    if (u->intent != INTENT_NONE || answers)
        return recording_enqueue(pg, tenant_id, "batch", &r->id, now);
    err = recording_set_state(pg, &r->id, "done",
                              u->opt_out ? "" : "no command was understood", now);
    if (err || u->opt_out)
        return err;
    return notify_misunderstood(pg, c, tenant_id, r, now);
}

static enum job_result commit(struct job_ctx *ctx, const struct job *job,
                              const struct recording *r, const struct understanding *u,
                              const char *by)
{
    enum job_result result = JOB_DONE;
    struct pg *pg = pg_pool_take(ctx->pool);
    int err = pg_begin(pg, job->tenant_id);

    if (!err)
        err = pg_end(pg, commit_in(pg, config_of(ctx), job->tenant_id, r, u, by));
    if (err)
        result = job_db_error(ctx, pg, err);
    pg_pool_give(ctx->pool, pg);
    return result;
}

static enum job_result run(struct job_ctx *ctx, const struct job *job)
{
    CLEANUP(recording_free) struct recording r = {0};
    const struct worker_config *c = config_of(ctx);
    struct understanding u;
    bool english;

    enum job_result result = recording_for_job(ctx, job, &r);
    if (result != JOB_DONE || r.understood)
        return result;
    if (!r.has_text)
        return job_say(ctx, JOB_BURY, "the recording has no transcript");
    if (str_is(r.pipeline, RECORDING_CALLBACK))
        return spoken_callback(ctx, job, &r);
    english = !r.text_language[0] || strncmp(r.text_language, "en", 2) == 0;
    if (!c->nlu_url[0] && !english)
        return recording_finish(ctx, job, &r, "needs_person",
                                "without a language model (nlu_url) only English is "
                                "understood; transcribe it in English");
    understanding_init(&u);
    if (c->nlu_url[0])
        result = ask_model(ctx, &r, &u);
    else
        nlu_grammar_understand(&u, r.text);
    if (result != JOB_DONE)
        return result;
    return commit(ctx, job, &r, &u, c->nlu_url[0] ? c->nlu_model : "grammar");
}

const struct job_kind job_kind_nlu = {
    .name = "nlu", .slow = true, .run = run, .buried = recording_job_buried};
