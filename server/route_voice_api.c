/*
 * The voice API: audio in, what was said and what came of it out. Everything is a job of
 * the workers, as a phone's recording is. Requests that want the answer at once wait for
 * it without a thread, and are told where to ask when it takes too long.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/pg.h"
#include "base/proc.h"
#include "batches/batch_view_store.h"
#include "campaigns/voice_upload_store.h"
#include "server/http_spool.h"
#include "server/load.h"
#include "server/voice_api.h"
#include "server/voice_upload.h"

enum { ASK_MS = 50, ASK_MAX_MS = 250 };

static const char service[] = "Voice Ledger Voice Interface API";

/* --- open to anybody -------------------------------------------------------------------
 */

void route_voice_root(const struct request *req, struct response *resp)
{
    (void)req;
    respond_json(resp, 200,
                 json_pack("{s:s, s:s, s:s, s:[s, s, s, s, s, s]}", "service", service,
                           "status", "operational", "version", FURROW_VERSION,
                           "endpoints", "POST /voice/transcribe",
                           "POST /voice/process-command", "POST /voice/upload-async",
                           "GET /voice/status/{task_id}", "POST /asr-nlu",
                           "GET /voice/health"));
}

void route_voice_health(const struct request *req, struct response *resp)
{
    struct server *s = req->app;
    struct pg *pg = pg_pool_take(s->pool);
    bool database = pg_run(pg, NULL, "SELECT 1", NULL) == 0;
    char why[LOAD_TROUBLE_MAX];

    pg_pool_give(s->pool, pg);
    respond_json(resp, 200,
                 json_pack("{s:s, s:s, s:s, s:b, s:b, s:b}", "service", service, "status",
                           database && !spool_is_short() && !load_trouble(req, why)
                               ? "operational"
                               : "degraded",
                           "version", FURROW_VERSION, "openai_api_configured",
                           s->config.asr_url[0] != '\0', "database_available", database,
                           "ffmpeg_available", proc_exists("ffmpeg")));
}

/* --- how far it is
 * ----------------------------------------------------------------------- */

static int load(const struct request *req, const struct uuid *id, struct voice_task *out)
{
    struct server *s = req->app;
    struct pg *pg = pg_pool_take(s->pool);
    int err = voice_task_load(pg, req->tenant_id, id, out);

    if (!err && out->understood && voice_task_status(out) == VOICE_SUCCESS) {
        err = command_answer(pg, req->tenant_id, id, &out->result);
        err = err == ENOENT ? 0 : err; /* it was not to be done */
    }
    pg_pool_give(s->pool, pg);
    return err;
}

void route_voice_status(const struct request *req, struct response *resp)
{
    CLEANUP(voice_task_free) struct voice_task t = {0};
    struct uuid id;

    int err = uuid_parse(req->params[0], &id) ? ENOENT : load(req, &id, &t);
    if (err == ENOENT) {
        request_refuse(
            req, resp, 404,
            "Task not found: use the task_id that /voice/upload-async gave you");
    } else if (err) {
        respond_header(resp, "Retry-After", "5");
        request_refuse(req, resp, 503, "The database does not answer: ask again");
    } else {
        respond_json(resp, 200, voice_task_json(&t));
    }
}

void route_voice_async(const struct request *req, struct response *resp)
{
    char id[UUID_TEXT_MAX], url[64];
    struct uuid task;

    if (!voice_upload_take(req, VOICE_ASYNC, &task, resp))
        return;
    snprintf(url, sizeof(url), "/voice/status/%s", uuid_text(&task, id));
    respond_json(resp, 200,
                 json_pack("{s:s, s:s, s:s, s:s}", "status", "processing", "task_id", id,
                           "message",
                           "Audio file uploaded successfully. Processing in "
                           "background.",
                           "status_url", url));
}

/* --- the answer at once
 * ------------------------------------------------------------------- */

/* What a waiting request knows of itself. */
struct waiting {
    struct uuid id;
    int64_t until_ms; /* monotonic; 0: it has not begun */
    int asked;
};
static_assert(sizeof(struct waiting) <= REQUEST_MEMO_MAX, "it is kept in the memo");

static json_t *answer_of(const struct voice_task *t, enum voice_endpoint endpoint)
{
    const char *text = t->text ? t->text : "";
    char error[500];

    voice_task_error(t, error);
    switch (endpoint) {
    case VOICE_TRANSCRIBE:
        return json_pack("{s:s, s:s, s:o}", "transcript", text, "language", t->language,
                         "audio_metadata", voice_task_audio(t));
    case VOICE_ASR_NLU:
        return json_pack("{s:s, s:o, s:o, s:n}", "transcript", text, "intent",
                         voice_task_intent(t), "entities", voice_task_entities(t),
                         "audio_metadata");
    case VOICE_COMMAND:
    case VOICE_ASYNC:
        break;
    }
    return json_pack("{s:s, s:o, s:o, s:o, s:s?, s:o}", "transcript", text, "intent",
                     voice_task_intent(t), "entities", voice_task_entities(t), "result",
                     t->result ? json_incref(t->result) : json_null(), "error",
                     error[0] ? error : NULL, "audio_metadata", voice_task_audio(t));
}

/* An answer that is none yet, with where to ask for it. */
static void refuse_task(const struct uuid *task, struct response *resp, int status,
                        const char *text)
{
    char id[UUID_TEXT_MAX], url[64];

    snprintf(url, sizeof(url), "/voice/status/%s", uuid_text(task, id));
    respond_json(
        resp, status,
        json_pack("{s:s, s:s, s:s}", "detail", text, "task_id", id, "status_url", url));
}

static void answer(const struct request *req, const struct voice_task *t,
                   enum voice_endpoint endpoint, struct response *resp)
{
    char error[500];

    voice_task_error(t, error);
    switch (voice_task_failure(t)) {
    case VOICE_FAILED_NOT:
    case VOICE_FAILED_EMPTY:
    case VOICE_FAILED_COMMAND:
        respond_json(resp, 200, answer_of(t, endpoint));
        break;
    case VOICE_FAILED_AUDIO:
        request_refuse(req, resp, 400, error);
        break;
    case VOICE_FAILED_PERSON:
        refuse_task(&t->id, resp, 422, error);
        break;
    case VOICE_FAILED_SERVICE:
        respond_header(resp, "Retry-After", "60");
        refuse_task(&t->id, resp, 503, error);
        break;
    }
}

/* Time is up, or too many wait. Its jobs go on. */
static void answer_late(const struct voice_task *t, const struct uuid *id,
                        struct response *resp)
{
    char text[500];

    respond_header(resp, "Retry-After", "10");
    if (!t->job.last_error[0]) {
        refuse_task(
            id, resp, 504,
            "It takes longer than a request may wait and goes on: ask status_url, "
            "or send it to /voice/upload-async next time");
        return;
    }
    snprintf(
        text, sizeof(text),
        "It does not work at the moment and is tried again by itself; ask status_url. "
        "The last word: %.300s",
        t->job.last_error);
    refuse_task(id, resp, 503, text);
}

static void serve(const struct request *req, enum voice_endpoint endpoint,
                  struct response *resp)
{
    const struct server *s = req->app;
    CLEANUP(voice_task_free) struct voice_task t = {0};
    struct waiting w;

    memcpy(&w, req->memo, sizeof(w));
    if (w.until_ms == 0) {
        if (!voice_upload_take(req, endpoint, &w.id, resp))
            return;
        w.until_ms = mono_ms() + s->config.voice_wait_s * 1000;
    }
    int err = load(req, &w.id, &t);
    if (!err && voice_task_is_over(&t)) {
        answer(req, &t, endpoint, resp);
        return;
    }
    answer_late(&t, &w.id, resp);
    if (mono_ms() >= w.until_ms)
        return;
    w.asked++;
    resp->again_ms = w.asked * ASK_MS < ASK_MAX_MS ? w.asked * ASK_MS : ASK_MAX_MS;
    memcpy(req->memo, &w, sizeof(w));
}

void route_voice_transcribe(const struct request *req, struct response *resp)
{
    serve(req, VOICE_TRANSCRIBE, resp);
}

void route_voice_command(const struct request *req, struct response *resp)
{
    serve(req, VOICE_COMMAND, resp);
}

void route_voice_asr_nlu(const struct request *req, struct response *resp)
{
    serve(req, VOICE_ASR_NLU, resp);
}
