/*
 * notice: an HTTP request to a service of yours that wants to be told, best effort. The
 * only volatile kind: it lives in Redis alone and is lost with it, so it is for what
 * somebody would like to know soon (a light on a wall, a cache to warm), never for what
 * must arrive. Sent by `furrow jobs send notice`.
 *
 * Payload: {"url": "http…", "body": any JSON (POST), "method": "PUT"}; body and method
 * may be missing. The job's id goes along as X-Furrow-Job, the same at every try.
 */
#include <stdio.h>
#include <string.h>

#include "base/http.h"
#include "base/xalloc.h"
#include "workers/worker.h"

enum { TIMEOUT_MS = 10000, MAX_BYTES = 64 << 10, TOO_MANY = 429, TIMED_OUT = 408 };

static enum job_result judge(struct job_ctx *ctx, const struct http_resp *resp)
{
    if (resp->status / 100 == 2)
        return JOB_DONE;
    if (resp->retry_after_s > 0)
        ctx->retry_after_ms = resp->retry_after_s * 1000;
    bool later =
        resp->status >= 500 || resp->status == TOO_MANY || resp->status == TIMED_OUT;
    return job_say(ctx, later ? JOB_RETRY : JOB_BURY, "the service answered %ld",
                   resp->status);
}

static enum job_result run(struct job_ctx *ctx, const struct job *job)
{
    const char *url = json_string_value(json_object_get(job->payload, "url"));
    const json_t *body = json_object_get(job->payload, "body");
    CLEANUP(free_cleanup)
    char *text = body ? json_dumps(body, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
    CLEANUP(http_resp_free) struct http_resp resp = {0};
    char id[UUID_TEXT_MAX], header[64];

    if (!url || (strncmp(url, "http://", 7) != 0 && strncmp(url, "https://", 8) != 0))
        return job_say(ctx, JOB_BURY, "the payload has no \"url\" with http or https");
    snprintf(header, sizeof(header), "X-Furrow-Job: %s", uuid_text(&job->id, id));
    const char *const headers[] = {header, text ? "Content-Type: application/json" : NULL,
                                   NULL};
    const struct http_req req = {
        .method = json_string_value(json_object_get(job->payload, "method")),
        .url = url,
        .headers = headers,
        .body = text,
        .body_len = text ? strlen(text) : 0,
        .timeout_ms = TIMEOUT_MS,
        .max_bytes = MAX_BYTES};
    int err = http_do(ctx->http, &req, &resp);
    return err ? job_http_error(ctx, err, "the service", resp.error) : judge(ctx, &resp);
}

const struct job_kind job_kind_notice = {
    .name = "notice", .storage = JOB_VOLATILE, .tries = 6, .slow = true, .run = run};
