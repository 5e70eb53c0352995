/*
 * sms: hands a message to the provider. A message is sent at least once: when
 * the provider's answer is lost (a timeout after sending) it may be sent a
 * second time, because a receipt that never comes is worse. A message whose row
 * says `sent` is never sent again.
 *
 * Who may get one: these messages answer a call that the person took part in,
 * so an opt-out from calls does not stop them. An opt-out by SMS (a STOP, kept
 * in the do-not-call list with source "sms") does.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/clock.h"
#include "base/http.h"
#include "base/log.h"
#include "base/pg.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "workers/opt_outs.h"
#include "workers/recording.h"
#include "workers/sms_text.h"
#include "workers/worker.h"

enum { TIMEOUT_MS = 20000, TWILIO_OPTED_OUT = 21610 };

struct outgoing {
    struct uuid id;
    int64_t phone;
    char *body;
    char state[16];
    bool stopped; /* by a STOP */
};

struct outcome {
    const char *state; /* sent, failed, refused */
    char provider_id[128], error[JOB_WHY_MAX];
};

static const struct worker_config *config_of(const struct job_ctx *ctx)
{
    return ctx->config;
}

static void outgoing_free(struct outgoing *m)
{
    free(m->body);
}

static int load_in(struct pg *pg, int tenant_id, struct outgoing *m)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    pg_arg_uuid(&a, &m->id);
    int err =
        pg_run(pg, &res, "SELECT phone, body, state FROM messages WHERE id = $1", &a);
    if (err)
        return err;
    if (PQntuples(res) == 0)
        return ENOENT;
    m->phone = pg_i64(res, 0, 0);
    m->body = xstrdup(pg_text(res, 0, 1));
    str_cut(m->state, sizeof(m->state), pg_text(res, 0, 2));
    return opt_out_by_sms(pg, tenant_id, m->phone, &m->stopped);
}

static enum job_result load(struct job_ctx *ctx, const struct job *job,
                            struct outgoing *m)
{
    enum job_result result = JOB_DONE;
    struct pg *pg = pg_pool_take(ctx->pool);
    int err = pg_begin(pg, job->tenant_id);

    if (!err)
        err = pg_end(pg, load_in(pg, job->tenant_id, m));
    if (err == ENOENT)
        result = job_say(ctx, JOB_BURY, "there is no such message");
    else if (err)
        result = job_db_error(ctx, pg, err);
    pg_pool_give(ctx->pool, pg);
    return result;
}

static int write_outcome(struct pg *pg, const struct worker_config *c,
                         const struct outgoing *m, const struct outcome *o)
{
    struct sms_size size = sms_measure(m->body ? m->body : "");
    bool sent = strcmp(o->state, "sent") == 0;
    struct pg_args a = {0};

    pg_arg_uuid(&a, &m->id);
    pg_arg_text(&a, o->state);
    pg_arg_text(&a, o->error);
    pg_arg_text(&a, sms_encoding_name(size.encoding));
    pg_arg_i64(&a, size.segments);
    pg_arg_text(&a, c->sms_provider);
    pg_arg_text(&a, o->provider_id);
    pg_arg_ms(&a, sent ? clock_now_ms() : 0);
    return pg_run(pg, NULL,
                  "UPDATE messages SET state = $2, error = $3, encoding = $4, "
                  "segments = $5, provider = $6, provider_id = $7, "
                  "sent_at = furrow_ts($8) WHERE id = $1 AND state <> 'sent'",
                  &a);
}

static enum job_result finish(struct job_ctx *ctx, const struct job *job,
                              const struct outgoing *m, const struct outcome *o)
{
    enum job_result result = JOB_DONE;
    struct pg *pg = pg_pool_take(ctx->pool);
    int err = pg_begin(pg, job->tenant_id);

    if (!err)
        err = pg_end(pg, write_outcome(pg, config_of(ctx), m, o));
    if (err)
        result = job_db_error(ctx, pg, err);
    pg_pool_give(ctx->pool, pg);
    return result;
}

static void log_message(const struct outgoing *m)
{
    char id[UUID_TEXT_MAX], phone[PHONE_TEXT_MAX];

    log_info("sms", "id=%s to=%s text=%s", uuid_text(&m->id, id),
             phone_mask(m->phone, phone), LOG_ESC(m->body));
}

static void add_field(struct buf *form, const char *name, const char *value)
{
    CLEANUP(free_cleanup) char *escaped = http_escape(value);

    buf_printf(form, "%s%s=%s", form->len ? "&" : "", name, escaped);
}

/* What the provider's answer means. */
static enum job_result judge(struct job_ctx *ctx, const struct http_resp *resp,
                             struct outcome *o)
{
    json_auto_t *root = resp->body ? json_loadb(resp->body, resp->len, 0, NULL) : NULL;
    const char *sid = json_string_value(json_object_get(root, "sid"));
    const char *status = json_string_value(json_object_get(root, "status"));
    const char *message = json_string_value(json_object_get(root, "message"));
    json_int_t code = json_integer_value(json_object_get(root, "code"));

    if (resp->retry_after_s > 0)
        ctx->retry_after_ms = resp->retry_after_s * 1000;
    str_cut(o->provider_id, sizeof(o->provider_id), sid ? sid : "");
    if (resp->status / 100 == 2 && !str_is(status, "failed") &&
        !str_is(status, "undelivered")) {
        o->state = "sent";
        return JOB_DONE;
    }
    snprintf(o->error, sizeof(o->error), "the provider answered %ld%s%.200s",
             resp->status, message ? ": " : "", message ? message : "");
    str_end_whole(o->error);
    if (code == TWILIO_OPTED_OUT) {
        o->state = "refused";
        return JOB_DONE;
    }
    /* A wrong token is put right by a person; the others not by waiting. */
    bool later = resp->status == 401 || resp->status == 403 || resp->status == 404 ||
                 resp->status == 408 || resp->status == 429 || resp->status >= 500;
    return job_say(ctx, later ? JOB_RETRY : JOB_BURY, "%s", o->error);
}

static enum job_result post(struct job_ctx *ctx, const struct outgoing *m,
                            struct outcome *o)
{
    const struct worker_config *c = config_of(ctx);
    CLEANUP(free_cleanup) char *account = http_escape(c->sms_account);
    CLEANUP(free_cleanup)
    char *url = xasprintf("%s/2010-04-01/Accounts/%s/Messages.json", c->sms_url, account);
    CLEANUP(buf_free) struct buf form = {0};
    CLEANUP(http_resp_free) struct http_resp resp = {0};
    char to[PHONE_TEXT_MAX];
    static const char *const headers[] = {
        "Content-Type: application/x-www-form-urlencoded", "Accept: application/json",
        NULL};

    add_field(&form, "To", phone_text(m->phone, to));
    add_field(&form, "From", c->sms_from);
    add_field(&form, "Body", m->body);
    const struct http_req req = {.url = url,
                                 .headers = headers,
                                 .body = form.data,
                                 .body_len = form.len,
                                 .user = c->sms_account,
                                 .password = c->sms_token,
                                 .timeout_ms = TIMEOUT_MS,
                                 .max_bytes = 1 << 20};
    int err = http_do(ctx->http, &req, &resp);
    if (err)
        return job_http_error(ctx, err, "SMS provider", resp.error);
    return judge(ctx, &resp, o);
}

static enum job_result run(struct job_ctx *ctx, const struct job *job)
{
    CLEANUP(outgoing_free) struct outgoing m = {0};
    struct outcome o = {.state = "sent"};

    if (job_payload_id(ctx, job, "message_id", &m.id))
        return JOB_BURY;
    enum job_result result = load(ctx, job, &m);
    if (result != JOB_DONE || strcmp(m.state, "sent") == 0 ||
        strcmp(m.state, "refused") == 0)
        return result;
    if (m.stopped) {
        o.state = "refused";
        str_cut(o.error, sizeof(o.error), "the number opted out by SMS");
    } else if (strcmp(config_of(ctx)->sms_provider, "log") == 0) {
        log_message(&m);
    } else {
        result = post(ctx, &m, &o);
    }
    return result == JOB_DONE ? finish(ctx, job, &m, &o) : result;
}

static int buried(struct job_ctx *ctx, const struct job *job, const char *why)
{
    CLEANUP(outgoing_free) struct outgoing m = {0};
    struct outcome o = {.state = "failed"};

    str_cut(o.error, sizeof(o.error), why);
    if (job_payload_id(ctx, job, "message_id", &m.id))
        return 0;
    enum job_result result = load(ctx, job, &m);
    if (result == JOB_BURY)
        return 0; /* nothing to mark */
    if (result == JOB_DONE)
        result = finish(ctx, job, &m, &o);
    return result == JOB_DONE ? 0 : ECONNRESET;
}

const struct job_kind job_kind_sms = {
    .name = "sms", .slow = true, .run = run, .buried = buried};
