/* furrow doctor: calls that come in, and whether providers reach us. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/http.h"
#include "base/pg.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "campaigns/provider_store.h"
#include "cli/doctor.h"

int doctor_open_account(struct doctor *d, const char *name, struct provider *out,
                        struct errtext *e)
{
    CLEANUP(secret_keys_wipe) struct secret_keys keys = {0};
    const struct config_common *c = &d->cli->config.common;

    int err = secret_keys_read(&keys, c->secret_key, c->secret_key_old, e);
    return err ? err : provider_find(d->cli->pg, &keys, d->cli->tenant_id, name, out, e);
}

static void look_at_one(struct doctor *d, const char *name, int64_t extensions)
{
    CLEANUP(provider_wipe) struct provider p = {0};
    struct errtext e = {0};
    char hook[2 * PROVIDER_URL_MAX];

    if (doctor_open_account(d, name, &p, &e))
        doctor_found(d, "provider", WARN, "%s: %s", name, e.text);
    else if (!provider_hook_url(&p, d->cli->config.common.public_url, hook, sizeof(hook)))
        doctor_found(d, "provider", WARN,
                     "%s: no public URL is known here: set FURROW_PUBLIC_URL, or "
                     "public_url with 'furrow provider set %s --settings'",
                     name, name);
    else if (provider_carries_calls(p.kind) && extensions == 0)
        doctor_found(d, "provider", OK,
                     "%s: its token opens; no number may be called in: 'furrow extension "
                     "add NUMBER --flow NAME' lets one",
                     name);
    else
        doctor_found(d, "provider", OK, "%s: its token opens", name);
}

/* As the provider would come, if not from where it does. */
static void look_at_public_url(struct doctor *d)
{
    CLEANUP(http_resp_free) struct http_resp resp = {0};
    char url[PROVIDER_URL_MAX + 64];
    const struct http_req req = {.url = url, .connect_ms = 2000, .timeout_ms = 4000};
    struct http *http = NULL;
    const char *base = d->cli->config.common.public_url;
    size_t len = strlen(base);

    if (len == 0)
        return;
    while (len > 0 && base[len - 1] == '/')
        len--;
    snprintf(url, sizeof(url), "%.*s/healthz", (int)len, base);
    if (http_new(&http, NULL))
        return;
    int err = http_do(http, &req, &resp);
    http_free(http);
    if (err)
        doctor_found(d, "public URL", WARN,
                     "%s is not reached from here (%s): is the proxy running, does it "
                     "pass requests on to furrow-server?",
                     url, resp.error[0] ? resp.error : "no connection");
    else if (resp.status != 200 || !resp.body || strncmp(resp.body, "ok", 2) != 0)
        doctor_found(
            d, "public URL", WARN,
            "%s answers %ld, but not as furrow-server does: where does the proxy "
            "pass requests on to?",
            url, resp.status);
    else
        doctor_found(d, "public URL", OK, "%s leads to furrow-server", base);
}

static int count_extensions(struct doctor *d, int64_t *n)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;

    int err = pg_run_alone(d->cli->pg, d->cli->tenant_id, &res,
                           "SELECT count(*) FROM extensions", NULL);
    if (!err)
        *n = pg_i64(res, 0, 0);
    return err;
}

void doctor_look_at_providers(struct doctor *d)
{
    CLEANUP(free_cleanup) struct provider *all = NULL;
    int64_t extensions = 0;
    size_t n = 0;

    if (provider_list(d->cli->pg, d->cli->tenant_id, &all, &n) ||
        count_extensions(d, &extensions)) {
        doctor_found(d, "provider", FAIL, "%s", pg_error(d->cli->pg));
        return;
    }
    for (size_t i = 0; i < n; i++)
        look_at_one(d, all[i].name, extensions);
    if (n > 0)
        look_at_public_url(d);
}
