#include "workers/fetch_provider.h"

#include <errno.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/http.h"
#include "base/pg.h"
#include "base/str.h"
#include "campaigns/provider_media.h"
#include "campaigns/provider_store.h"
#include "campaigns/voice_session_store.h"

enum {
    MAX_BYTES = 256 << 20,
    TIMEOUT_MS = 120000,
    REDIRECTS = 3,
    NOT_READY_MS = 3000, /* the file lags behind the word that it is there */
    URL_MAX = 1024,
};

bool fetch_is_of_provider(const struct recording *r)
{
    return str_is(r->source, "twilio") || str_is(r->source, "plivo");
}

/* ENODATA: the call was of no account. */
static int load_account(struct pg *pg, const struct worker_config *c, int tenant_id,
                        const struct recording *r, struct provider *out,
                        struct errtext *e)
{
    CLEANUP(secret_keys_wipe) struct secret_keys keys = {0};
    int64_t account = 0;

    int err = secret_keys_read(&keys, c->common.secret_key, c->common.secret_key_old, e);
    if (!err)
        err = pg_begin(pg, tenant_id);
    if (err)
        return err;
    err = voice_account_of_call(pg, &r->call_id, &account);
    if (!err && account)
        err = provider_load(pg, &keys, tenant_id, account, out, e);
    else if (!err && !provider_kind_find(r->source, &out->kind))
        err = ENODATA;
    return pg_end(pg, err);
}

static enum job_result open_account(struct job_ctx *ctx, const struct job *job,
                                    const struct recording *r, struct provider *out)
{
    enum job_result result = JOB_DONE;
    struct errtext e = {0};
    struct pg *pg = pg_pool_take(ctx->pool);
    int err = load_account(pg, ctx->config, job->tenant_id, r, out, &e);

    if (err == ECONNRESET || err == EAGAIN)
        result = job_db_error(ctx, pg, err);
    else if (err) /* a key or an account that a person puts right */
        result = job_say(ctx, JOB_RETRY, "%s",
                         e.text[0] ? e.text : "the call's account is not there");
    pg_pool_give(ctx->pool, pg);
    return result;
}

static const char *user_of(const struct provider *p)
{
    return p->settings.user[0] ? p->settings.user : p->account;
}

/* One request; a redirect's address comes back in url. */
static enum job_result get(struct job_ctx *ctx, const struct provider *p, char *url,
                           FILE *to, bool *again)
{
    CLEANUP(http_resp_free) struct http_resp resp = {0};
    enum provider_media may = provider_media_may(p, url);

    *again = false;
    if (may == PROVIDER_MEDIA_REFUSED)
        return job_say(ctx, JOB_BURY,
                       "its recording is said to lie at %.120s, which is no place of the "
                       "provider's; 'media_hosts' of the account may allow it",
                       url);
    /* Without an account there is no token: what is public is fetched. */
    const bool knows = may >= PROVIDER_MEDIA_TOKEN && p->token[0];
    const struct http_req req = {.url = url,
                                 .user = knows ? user_of(p) : NULL,
                                 .password = knows ? p->token : NULL,
                                 .timeout_ms = TIMEOUT_MS,
                                 .max_bytes = MAX_BYTES,
                                 .public_only = may != PROVIDER_MEDIA_API,
                                 .sink = to};
    int err = http_do(ctx->http, &req, &resp);
    if (err == EMSGSIZE)
        return job_say(ctx, JOB_BURY, "the recording is larger than %d MiB",
                       MAX_BYTES >> 20);
    if (err)
        return job_http_error(ctx, err, "the provider", resp.error);
    if (resp.status / 100 == 2)
        return JOB_DONE;
    rewind(to);
    if (ftruncate(fileno(to), 0))
        return job_say(ctx, JOB_RETRY, "%s", strerror(errno));
    if (resp.status / 100 == 3 && resp.location[0]) {
        *again = str_copy(url, URL_MAX, resp.location) == 0;
        return *again ? JOB_DONE : job_say(ctx, JOB_BURY, "a redirect is too long");
    }
    if (resp.status == 404)
        ctx->retry_after_ms = NOT_READY_MS;
    /* What is not ready yet comes; a wrong token is put right by a person. */
    bool later = resp.status == 401 || resp.status == 403 || resp.status == 404 ||
                 resp.status == 408 || resp.status == 429 || resp.status >= 500;
    return job_say(ctx, later ? JOB_RETRY : JOB_BURY, "the provider answered %ld",
                   resp.status);
}

enum job_result fetch_from_provider(struct job_ctx *ctx, const struct job *job,
                                    const struct recording *r, FILE *to)
{
    CLEANUP(provider_wipe) struct provider p = {0};
    char url[URL_MAX];
    bool again = true;

    enum job_result result = open_account(ctx, job, r, &p);
    if (result != JOB_DONE)
        return result;
    if (!provider_media_file(&p, r->location, url, sizeof(url)))
        return job_say(ctx, JOB_BURY, "the address of its recording is too long");
    for (int i = 0; again && result == JOB_DONE && i <= REDIRECTS; i++)
        result = get(ctx, &p, url, to, &again);
    return again && result == JOB_DONE
               ? job_say(ctx, JOB_BURY, "more than %d redirects", REDIRECTS)
               : result;
}

enum job_result fetch_delete_at_provider(struct job_ctx *ctx, const struct job *job,
                                         const struct recording *r)
{
    CLEANUP(provider_wipe) struct provider p = {0};
    CLEANUP(http_resp_free) struct http_resp resp = {0};
    char url[URL_MAX];

    enum job_result result = open_account(ctx, job, r, &p);
    if (result != JOB_DONE || !p.settings.delete_recordings ||
        !provider_media_delete(&p, r->location, url, sizeof(url)))
        return result;
    const struct http_req req = {
        .method = "DELETE", .url = url, .user = user_of(&p), .password = p.token};
    int err = http_do(ctx->http, &req, &resp);
    if (err)
        return job_http_error(ctx, err, "the provider, deleting", resp.error);
    if (resp.status / 100 == 2 || resp.status == 404)
        return JOB_DONE;
    return job_say(ctx, JOB_RETRY, "the provider answered %ld to the deletion",
                   resp.status);
}
