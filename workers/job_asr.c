/*
 * asr: a stored recording to text, by any service that speaks OpenAI's
 * /v1/audio/transcriptions. What no model can take waits for a person.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include <jansson.h>

#include "base/clock.h"
#include "base/content.h"
#include "base/http.h"
#include "base/pg.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "campaigns/voice_task.h"
#include "workers/job_asr.h"
#include "workers/recording.h"
#include "workers/worker.h"

enum { MAX_BYTES = 25 << 20, TEXT_MAX = 65536 };

bool asr_language(const char *languages, const char *language, char out[8])
{
    const char *p = languages;
    char code[3] = "";

    out[0] = '\0';
    str_cut(code, sizeof(code), language);
    while (*p) {
        size_t n = strcspn(p, ", ");
        size_t name = strcspn(p, "=, ");
        bool star = n == 1 && *p == '*';
        if (star || (name == 2 && strncasecmp(p, code, 2) == 0 && code[0])) {
            const char *value = name < n ? p + name + 1 : code;
            size_t len = name < n ? n - name - 1 : strlen(code);
            if (len < 8 && !(len == 4 && strncmp(value, "omit", 4) == 0)) {
                memcpy(out, value, len);
                out[len] = '\0';
            }
            return true;
        }
        p += n;
        p += strspn(p, ", ");
    }
    return !code[0]; /* not known: the service may find out */
}

static const struct worker_config *config_of(const struct job_ctx *ctx)
{
    return ctx->config;
}

/* error.code and error.message, of any of the shapes servers use. */
static void read_error(const char *body, size_t len, char code[64], char text[200])
{
    json_auto_t *root = body ? json_loadb(body, len, 0, NULL) : NULL;
    const json_t *error = json_object_get(root, "error");
    const char *c = json_string_value(json_object_get(error, "code"));
    const char *m = json_string_value(json_object_get(error, "message"));

    if (!c && str_is(json_string_value(json_object_get(error, "param")), "language"))
        c = "unsupported_language";
    if (!m)
        m = json_string_value(error);
    if (!m)
        m = json_string_value(json_object_get(root, "detail"));
    str_cut(code, 64, c ? c : "");
    str_cut(text, 200, m ? m : "");
}

/* Anything but 200. *person: nothing is wrong but no model takes it. */
static enum job_result judge(struct job_ctx *ctx, const struct http_resp *resp,
                             bool *person)
{
    char code[64], text[200];

    read_error(resp->body, resp->len, code, text);
    *person = resp->status == 400 && (strcmp(code, "unsupported_sample_rate") == 0 ||
                                      strcmp(code, "unsupported_language") == 0);
    if (resp->retry_after_s > 0)
        ctx->retry_after_ms = resp->retry_after_s * 1000;
    bool hopeless = resp->status == 400 || resp->status == 413 || resp->status == 415 ||
                    resp->status == 422;
    return job_say(ctx, hopeless ? JOB_BURY : JOB_RETRY,
                   "the speech service answered %ld%s%s", resp->status,
                   text[0] ? ": " : "", text);
}

/* *fd is the recording's audio. */
static enum job_result open_audio(struct job_ctx *ctx, const struct recording *r, int *fd)
{
    struct content content;
    struct errtext e = {0};
    int64_t bytes = 0;

    int err = content_init(&content, &config_of(ctx)->common, &e);
    if (!err)
        err = content_open(&content, ctx->http, CONTENT_MEDIA, r->sha256, fd, &bytes, &e);
    if (err)
        return job_say(ctx, JOB_RETRY, "media %.16s… cannot be read: %s", r->sha256,
                       e.text);
    if (bytes <= MAX_BYTES)
        return JOB_DONE;
    close(*fd);
    return job_say(ctx, JOB_BURY, "larger than the %d MiB a speech service takes",
                   MAX_BYTES >> 20);
}

static enum job_result ask_with(struct job_ctx *ctx, int fd, const char *language,
                                char **text, bool *person)
{
    const struct worker_config *c = config_of(ctx);
    char path[CONTENT_FD_PATH_MAX], bearer[300];
    CLEANUP(free_cleanup) char *url = xasprintf("%s/v1/audio/transcriptions", c->asr_url);
    CLEANUP(http_resp_free) struct http_resp resp = {0};
    const char *headers[] = {"Accept: application/json", NULL, NULL};

    snprintf(bearer, sizeof(bearer), "Authorization: Bearer %s", c->asr_key);
    if (c->asr_key[0])
        headers[1] = bearer;
    const struct http_part parts[] = {
        {.name = "file",
         .filename = "recording.wav",
         .content_type = "audio/wav",
         .path = content_fd_path(fd, path)},
        {.name = "model", .data = c->asr_model, .len = strlen(c->asr_model)},
        {.name = "response_format", .data = "json", .len = 4},
        {.name = "language", .data = language, .len = strlen(language)}};
    const struct http_req req = {.url = url,
                                 .headers = headers,
                                 .parts = parts,
                                 .part_count = ARRAY_LEN(parts) - (language[0] ? 0 : 1),
                                 .timeout_ms = (int)c->asr_timeout_s * 1000,
                                 .max_bytes = 1 << 20};
    int err = http_do(ctx->http, &req, &resp);
    if (err)
        return job_http_error(ctx, err, "speech service", resp.error);
    if (resp.status != 200)
        return judge(ctx, &resp, person);
    json_auto_t *root = json_loadb(resp.body, resp.len, 0, NULL);
    const char *heard = json_string_value(json_object_get(root, "text"));
    if (!heard || strlen(heard) > TEXT_MAX)
        return job_say(ctx, JOB_RETRY, "the speech service's answer has no text");
    *text = xstrdup(heard);
    return JOB_DONE;
}

static enum job_result ask(struct job_ctx *ctx, const struct recording *r,
                           const char *language, char **text, bool *person)
{
    int fd = -1;

    enum job_result result = open_audio(ctx, r, &fd);
    if (result != JOB_DONE)
        return result;
    result = ask_with(ctx, fd, language, text, person);
    close(fd);
    return result;
}

static enum job_result keep_text(struct job_ctx *ctx, const struct job *job,
                                 const struct recording *r, const char *language,
                                 const char *text)
{
    enum job_result result = JOB_DONE;
    int64_t now = clock_now_ms();
    struct pg *pg = pg_pool_take(ctx->pool);
    int err = pg_begin(pg, job->tenant_id);

    if (!err) {
        err = recording_add_text(pg, job->tenant_id, &r->id, text, language, "asr", now);
        if (!err)
            err = recording_after_text(pg, job->tenant_id, &r->id, r->pipeline, now);
        err = pg_end(pg, err);
    }
    if (err)
        result = job_db_error(ctx, pg, err);
    pg_pool_give(ctx->pool, pg);
    return result;
}

static enum job_result transcribe(struct job_ctx *ctx, const struct job *job,
                                  const struct recording *r)
{
    const struct worker_config *c = config_of(ctx);
    CLEANUP(free_cleanup) char *text = NULL;
    char language[8], why[JOB_WHY_MAX];
    bool person = false;

    if (!c->asr_url[0])
        return recording_finish(ctx, job, r, "needs_person", VOICE_NO_SERVICE);
    if (!asr_language(c->asr_languages, r->language, language)) {
        snprintf(why, sizeof(why), "the speech service takes no '%s' (asr_languages)",
                 r->language);
        return recording_finish(ctx, job, r, "needs_person", why);
    }
    enum job_result result = ask(ctx, r, language, &text, &person);
    if (person) {
        str_cut(why, sizeof(why), ctx->why);
        return recording_finish(ctx, job, r, "needs_person", why);
    }
    if (result != JOB_DONE)
        return result;
    if (!*str_trim(text))
        return recording_finish(ctx, job, r, "empty", "nothing was heard");
    return keep_text(ctx, job, r, r->language[0] ? r->language : language,
                     str_trim(text));
}

static enum job_result run(struct job_ctx *ctx, const struct job *job)
{
    CLEANUP(recording_free) struct recording r = {0};

    enum job_result result = recording_for_job(ctx, job, &r);
    if (result != JOB_DONE || r.has_text)
        return result; /* a person was quicker, or it ran before */
    if (!r.sha256[0])
        return job_say(ctx, JOB_BURY, "the recording has not been fetched");
    return transcribe(ctx, job, &r);
}

const struct job_kind job_kind_asr = {
    .name = "asr", .slow = true, .run = run, .buried = recording_job_buried};
