/*
 * sms: hands a message to the provider. A message is sent at least once: when
 * the provider's answer is lost (a timeout after sending) it may be sent a
 * second time, because a receipt that never comes is worse. Where delivery
 * reports come, one is waited for first. A message of which anybody knows that
 * it left is never sent again.
 *
 * Who may get one: an opt-out stops messages as it stops calls, by whatever door
 * it came and as widely (compliance/dnc_store.h), all but the answer to what the
 * person wrote, which is how a STOP is confirmed. That is asked in the last
 * transaction before the request, under the lock that opt-outs take, and again
 * when the answer is older than FRESH_MS: after a STOP's commit the request that
 * is on the wire may still arrive, and no other one leaves.
 *
 * Through which account: the tenant's (message_settings), else the worker's own.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/http.h"
#include "base/log.h"
#include "base/pg.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "batches/token.h"
#include "campaigns/message_send_store.h"
#include "campaigns/message_settings_store.h"
#include "campaigns/message_store.h"
#include "campaigns/provider_store.h"
#include "workers/sms_sender.h"
#include "workers/sms_text.h"
#include "workers/sms_translit.h"
#include "workers/worker.h"

enum {
    TIMEOUT_MS = 20000,
    ANSWER_MAX = 1 << 20,
    SET_RIGHT_MS = 60000,
    WISH_MAX_S = 3600,
    FRESH_MS = 2000, /* as a call's permit */
    LOOKS_MAX = 3
};

struct outgoing {
    struct message_due m;
    struct message_settings settings;
    bool own; /* the worker's account, not the tenant's */
    struct provider account;
    struct sms_size size;
    bool over; /* the day's cap */
    int64_t until_ms;
    int64_t looked_ms; /* monotonic: when it was asked who may get one, or before */
};

static const struct worker_config *config_of(const struct job_ctx *ctx)
{
    return ctx->config;
}

static void outgoing_free(struct outgoing *o)
{
    message_due_free(&o->m);
    provider_wipe(&o->account);
}

/* ---- before ---- */

/* sms_provider = http: an account of Twilio's, or of who speaks as it does. */
static int worker_account(const struct worker_config *c, struct outgoing *o)
{
    struct provider *p = &o->account;

    o->own = true;
    p->kind = PROVIDER_TWILIO;
    if (str_copy(p->account, sizeof(p->account), c->sms_account) ||
        str_copy(p->token, sizeof(p->token), c->sms_token) ||
        str_copy(p->settings.api_url, sizeof(p->settings.api_url), c->sms_url) ||
        str_copy(o->settings.sender, sizeof(o->settings.sender), c->sms_from))
        return EMSGSIZE;
    return 0;
}

static int tenant_account(struct pg *pg, const struct worker_config *c, int tenant_id,
                          struct outgoing *o, struct errtext *e)
{
    CLEANUP(secret_keys_wipe) struct secret_keys keys = {0};

    int err = secret_keys_read(&keys, c->common.secret_key, c->common.secret_key_old, e);
    return err ? err
               : provider_load(pg, &keys, tenant_id, o->settings.account_id, &o->account,
                               e);
}

static void take_look_alikes(struct message_due *m)
{
    char *plain = sms_transliterate(m->body);

    if (!plain)
        return;
    free(m->body);
    m->body = plain;
}

static int begin(struct pg *pg, const struct worker_config *c, int tenant_id,
                 struct outgoing *o)
{
    if (!o->own && o->settings.transliterate)
        take_look_alikes(&o->m);
    o->size = sms_measure(o->m.body);
    const struct message_begun b = {
        .settings = o->own ? NULL : &o->settings,
        .provider = o->own ? c->sms_provider : provider_kind_name(o->account.kind),
        .encoding = sms_encoding_name(o->size.encoding),
        .segments = o->size.segments,
        .price_micros = o->settings.price_micros * o->size.segments};
    int64_t now_ms = clock_now_ms();
    int err = message_begin(pg, tenant_id, &o->m, &b, now_ms, &o->over, &o->until_ms);
    if (!err && o->over)
        err = message_wait(pg, tenant_id, &o->m, o->until_ms, now_ms);
    return err;
}

static int load_in(struct pg *pg, const struct worker_config *c, int tenant_id,
                   const struct uuid *id, struct outgoing *o, struct errtext *e)
{
    int err = message_load(pg, tenant_id, id, &o->m);

    if (err == ENOENT)
        return errtext_set(e, err, 0, 0, "there is no such message");
    if (err || !o->m.due || o->m.stopped)
        return err;
    err = message_settings_load(pg, tenant_id, &o->settings);
    if (err == ENOENT)
        err = worker_account(c, o);
    else if (!err)
        err = tenant_account(pg, c, tenant_id, o, e);
    return err ? err : begin(pg, c, tenant_id, o);
}

static enum job_result load(struct job_ctx *ctx, const struct job *job,
                            const struct uuid *id, struct outgoing *o)
{
    enum job_result result = JOB_DONE;
    struct errtext e = {0};
    struct pg *pg = pg_pool_take(ctx->pool);
    int err = pg_begin(pg, job->tenant_id);

    if (!err)
        err = pg_end(pg, load_in(pg, config_of(ctx), job->tenant_id, id, o, &e));
    if (err && e.text[0] && err != ECONNRESET && err != EAGAIN) {
        /* A missing key or a token that does not open is put right by a person. */
        bool none = err == ENOENT && !o->m.body;
        result = job_say(ctx, none ? JOB_BURY : JOB_RETRY, "%s", e.text);
        ctx->retry_after_ms = SET_RIGHT_MS;
    } else if (err) {
        result = job_db_error(ctx, pg, err);
    }
    pg_pool_give(ctx->pool, pg);
    return result;
}

/* ---- after ---- */

static int write_outcome(struct pg *pg, int tenant_id, const struct outgoing *o,
                         const struct message_outcome *outcome, bool opted_out)
{
    int64_t now_ms = clock_now_ms();
    int err = message_finish(pg, &o->m.id, outcome, now_ms);

    if (!err && opted_out)
        err =
            message_stop(pg, tenant_id, o->m.phone, "opted out at the provider", now_ms);
    return err;
}

static enum job_result finish(struct job_ctx *ctx, const struct job *job,
                              const struct outgoing *o,
                              const struct message_outcome *outcome, bool opted_out)
{
    enum job_result result = JOB_DONE;
    struct pg *pg = pg_pool_take(ctx->pool);
    int err = pg_begin(pg, job->tenant_id);

    if (!err)
        err = pg_end(pg, write_outcome(pg, job->tenant_id, o, outcome, opted_out));
    if (err)
        result = job_db_error(ctx, pg, err);
    pg_pool_give(ctx->pool, pg);
    return result;
}

static void log_message(const struct message_due *m)
{
    char id[UUID_TEXT_MAX], phone[PHONE_TEXT_MAX];

    CLEANUP(free_cleanup) char *text = xstrdup(m->body);

    token_mask(text);
    log_info("sms", "id=%s to=%s text=%s", uuid_text(&m->id, id),
             phone_mask(m->phone, phone), LOG_ESC(text));
}

/* ---- the provider ---- */

/* "" when the provider cannot reach us. */
static void report_url(const struct worker_config *c, const struct outgoing *o, char *out,
                       size_t size)
{
    char base[2 * PROVIDER_URL_MAX], id[UUID_TEXT_MAX];

    out[0] = '\0';
    if (o->own ||
        !provider_hook_url(&o->account, c->common.public_url, base, sizeof(base)))
        return;
    int n = snprintf(out, size, "%s/message/%s", base, uuid_text(&o->m.id, id));
    if (n < 0 || (size_t)n >= size)
        out[0] = '\0';
}

static enum job_result judged(struct job_ctx *ctx, const struct job *job,
                              const struct outgoing *o, const struct sms_answer *a)
{
    struct message_outcome outcome = {.state = "sent",
                                      .provider_id = a->provider_id,
                                      .error = a->why,
                                      .price_micros = a->price_micros,
                                      .currency = a->currency};

    switch (a->verdict) {
    case SMS_TAKEN:
        outcome.error = "";
        return finish(ctx, job, o, &outcome, false);
    case SMS_REFUSED:
        outcome.state = "failed";
        outcome.certain = true;
        if (finish(ctx, job, o, &outcome, false) != JOB_DONE)
            return JOB_HANDED_BACK;
        return job_say(ctx, JOB_BURY, "%s", a->why);
    case SMS_STOPPED:
        outcome.state = "refused";
        outcome.certain = true;
        return finish(ctx, job, o, &outcome, true);
    case SMS_SET_RIGHT:
        if (ctx->retry_after_ms < SET_RIGHT_MS && !o->own)
            ctx->retry_after_ms = SET_RIGHT_MS;
        break;
    case SMS_AGAIN:
        break;
    }
    return job_say(ctx, JOB_RETRY, "%s", a->why);
}

/* The answer is lost: the message may have left, and a report may say so. */
static enum job_result unknown(struct job_ctx *ctx, int err, const struct sms_out *out,
                               const struct http_resp *resp)
{
    bool asked = err != ECONNREFUSED && err != ECANCELED;

    if (asked && *out->report_url)
        ctx->retry_after_ms = config_of(ctx)->sms_report_wait_s * 1000;
    return job_http_error(ctx, err, "SMS provider", resp->error);
}

static enum job_result post(struct job_ctx *ctx, const struct job *job,
                            const struct outgoing *o)
{
    const struct sms_sender *sender = sms_sender_of(o->account.kind);
    CLEANUP(sms_request_free) struct sms_request r = {0};
    CLEANUP(http_resp_free) struct http_resp resp = {0};
    struct sms_answer answer = {0};
    struct errtext e = {0};
    char url[3 * PROVIDER_URL_MAX];
    const struct sms_out out = {.account = &o->account,
                                .sender = o->settings.sender,
                                .id = o->m.id,
                                .phone = o->m.phone,
                                .body = o->m.body,
                                .report_url = url};

    report_url(config_of(ctx), o, url, sizeof(url));
    if (sender->build(&out, &r, &e)) {
        ctx->retry_after_ms = SET_RIGHT_MS;
        return job_say(ctx, JOB_RETRY, "%s", e.text);
    }
    bool get = strcmp(r.method, "GET") == 0; /* others say how long their body is */
    const struct http_req req = {.method = r.method,
                                 .url = r.url,
                                 .headers = (const char *const *)r.headers,
                                 .body = r.body.data || get ? r.body.data : "",
                                 .body_len = r.body.len,
                                 .user = r.user[0] ? r.user : NULL,
                                 .password = r.user[0] ? o->account.token : NULL,
                                 .timeout_ms = TIMEOUT_MS,
                                 .max_bytes = ANSWER_MAX};
    int err = http_do(ctx->http, &req, &resp);
    if (err)
        return unknown(ctx, err, &out, &resp);
    if (resp.retry_after_s > 0)
        ctx->retry_after_ms =
            (resp.retry_after_s < WISH_MAX_S ? resp.retry_after_s : WISH_MAX_S) * 1000;
    sender->judge(&out, &resp, &answer);
    return judged(ctx, job, o, &answer);
}

static bool is_to_leave(const struct outgoing *o)
{
    return o->m.due && !o->over && !o->m.stopped;
}

/* JOB_DONE: o is as it stands now. */
static enum job_result load_fresh(struct job_ctx *ctx, const struct job *job,
                                  const struct uuid *id, struct outgoing *o)
{
    for (int i = 0; i < LOOKS_MAX; i++) {
        outgoing_free(o);
        *o = (struct outgoing){.looked_ms = mono_ms()};
        enum job_result result = load(ctx, job, id, o);
        if (result != JOB_DONE || !is_to_leave(o) || o->m.reply ||
            mono_ms() - o->looked_ms <= FRESH_MS)
            return result;
    }
    return job_say(ctx, JOB_RETRY, "the database took longer than %d ms", FRESH_MS);
}

static enum job_result run(struct job_ctx *ctx, const struct job *job)
{
    CLEANUP(outgoing_free) struct outgoing o = {0};
    struct uuid id;

    if (job_payload_id(ctx, job, "message_id", &id))
        return JOB_BURY;
    enum job_result result = load_fresh(ctx, job, &id, &o);
    if (result != JOB_DONE || !o.m.due || o.over)
        return result;
    if (o.m.stopped) {
        const struct message_outcome refused = {
            .state = "refused", .error = "the number opted out", .certain = true};
        return finish(ctx, job, &o, &refused, false);
    }
    if (o.own && strcmp(config_of(ctx)->sms_provider, "log") == 0) {
        const struct message_outcome sent = {.state = "sent"};
        log_message(&o.m);
        return finish(ctx, job, &o, &sent, false);
    }
    return post(ctx, job, &o);
}

static int buried(struct job_ctx *ctx, const struct job *job, const char *why)
{
    struct outgoing o = {0};
    char error[JOB_WHY_MAX];
    const struct message_outcome failed = {.state = "failed", .error = error};

    str_cut(error, sizeof(error), why); /* it may be ctx->why */
    if (job_payload_id(ctx, job, "message_id", &o.m.id))
        return 0;
    return finish(ctx, job, &o, &failed, false) == JOB_DONE ? 0 : ECONNRESET;
}

const struct job_kind job_kind_sms = {
    .name = "sms", .slow = true, .run = run, .buried = buried};
