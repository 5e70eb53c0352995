/*
 * What a trunk over a provider reads and writes in Postgres: its account, and what was
 * said of its calls. The work runs on database threads on copies; what comes back finds
 * trunk and call by id, or nothing.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/secret.h"
#include "base/xalloc.h"
#include "campaigns/provider_call_store.h"
#include "campaigns/provider_store.h"
#include "dialer/db.h"
#include "dialer/dialer.h"
#include "dialer/provider_inside.h"

enum {
    LOAD_MS = 30000,      /* the account may be changed */
    LOAD_AGAIN_MS = 2000, /* it could not be read */
};

/* ---- the account ---- */

struct account_work {
    struct dialer *dialer;
    int64_t trunk_id, account_id;
    int tenant_id;
    const char *key, *old_key; /* of the configuration: it lives on */
    struct provider account;
    struct errtext e;
};

static int run_load(struct pg *pg, void *arg)
{
    struct account_work *w = arg;
    struct secret_keys keys = {0};

    int err = secret_keys_read(&keys, w->key, w->old_key, &w->e);
    if (!err)
        err = provider_load(pg, &keys, w->tenant_id, w->account_id, &w->account, &w->e);
    secret_keys_wipe(&keys);
    return err;
}

static void use_account(struct carrier *k, struct account_work *w)
{
    const char *public_url = k->base.dialer->config.common.public_url;
    char hook[sizeof(k->hook)];

    bool same = k->loaded && strcmp(k->account.token, w->account.token) == 0;
    bool reachable = provider_hook_url(&w->account, public_url, hook, sizeof(hook));
    if (!reachable && !k->complained)
        log_error("provider",
                  "trunk=%s no calls: the provider must reach furrow-server: set "
                  "FURROW_PUBLIC_URL, or public_url in the account's settings",
                  LOG_ESC(k->base.row.name));
    k->complained = !reachable;
    if (reachable) {
        k->account = w->account;
        memcpy(k->hook, hook, sizeof(hook));
        if (!same)
            k->held_until_ms = 0;
    }
    k->loaded = reachable;
}

static void on_loaded(int err, void *arg)
{
    struct account_work *w = arg;
    struct trunk *t = w->dialer->trunks ? trunks_find(w->dialer, w->trunk_id) : NULL;
    struct carrier *k = (struct carrier *)t;

    if (k) {
        k->loading = false;
        k->load_at_ms = mono_ms() + (err ? LOAD_AGAIN_MS : LOAD_MS);
        if (!err)
            use_account(k, w);
        else if (err != ECANCELED && err != ECONNRESET && !k->complained)
            log_error("provider", "trunk=%s no calls: %s", LOG_ESC(k->base.row.name),
                      w->e.text[0] ? w->e.text : strerror(err));
        if (err && err != ECANCELED && err != ECONNRESET) {
            k->complained = true;
            k->loaded = false;
        }
    }
    provider_wipe(&w->account);
    free(w);
}

void carrier_load_account(struct carrier *k)
{
    const struct config_common *c = &k->base.dialer->config.common;
    struct account_work *w = xcalloc(1, sizeof(*w));

    *w = (struct account_work){.dialer = k->base.dialer,
                               .trunk_id = k->base.row.id,
                               .account_id = k->base.row.account_id,
                               .tenant_id = k->base.row.tenant_id,
                               .key = c->secret_key,
                               .old_key = c->secret_key_old};
    k->loading = db_submit(k->base.dialer->db, DB_TRY, (uint64_t)k->base.row.id, run_load,
                           on_loaded, w) == 0;
    if (!k->loading)
        free(w);
}

/* ---- written ---- */

struct told_work {
    int tenant_id;
    int64_t account_id;
    struct provider_call_news news;
};

static int run_told(struct pg *pg, void *arg)
{
    const struct told_work *w = arg;

    return provider_call_told(pg, w->tenant_id, w->account_id, &w->news, clock_now_ms(),
                              NULL);
}

static void on_written(int err, void *arg)
{
    struct told_work *w = arg;
    char id[UUID_TEXT_MAX];

    if (err && err != ECANCELED)
        log_error("provider", "attempt=%s err=%d what the provider said is not written",
                  uuid_text(&w->news.attempt, id), err);
    free(w);
}

void carrier_write_down(const struct carried *c, const struct provider_call_news *news)
{
    const struct carrier *k = c->carrier;
    struct told_work *w = xcalloc(1, sizeof(*w));

    w->tenant_id = k->base.row.tenant_id;
    w->account_id = k->base.row.account_id;
    w->news = *news;
    w->news.attempt = c->id;
    if (db_submit(k->base.dialer->db, DB_KEEP, db_key(&c->id), run_told, on_written, w))
        free(w);
}

/* ---- reading the rows ---- */

struct poll {
    struct dialer *dialer;
    int64_t trunk_id;
    int tenant_id;
    struct uuid *ids;
    int64_t *versions;
    size_t n, found;
    struct provider_call *rows;
};

static int run_poll(struct pg *pg, void *arg)
{
    struct poll *p = arg;

    return provider_calls_changed(pg, p->tenant_id, p->ids, p->versions, p->n, &p->rows,
                                  &p->found);
}

static void on_polled(int err, void *arg)
{
    struct poll *p = arg;
    struct dialer *d = p->dialer;
    struct carrier *k = d->trunks ? (struct carrier *)trunks_find(d, p->trunk_id) : NULL;

    if (k)
        k->polling = false;
    for (size_t i = 0; k && !err && i < p->n; i++) {
        struct carried *c = id_table_find(&k->calls, &p->ids[i]);
        if (c)
            c->read = true;
    }
    for (size_t i = 0; k && !err && i < p->found; i++) {
        struct carried *c = id_table_find(&k->calls, &p->rows[i].known.attempt);
        if (!c)
            continue;
        c->heard = p->rows[i].version;
        carrier_heard(c, &p->rows[i].known);
    }
    free(p->ids);
    free(p->versions);
    free(p->rows);
    free(p);
}

void carrier_poll_rows(struct carrier *k)
{
    const struct carried *c = NULL;
    struct poll *p = xcalloc(1, sizeof(*p));

    p->dialer = k->base.dialer;
    p->trunk_id = k->base.row.id;
    p->tenant_id = k->base.row.tenant_id;
    p->ids = xcalloc(k->calls.count, sizeof(*p->ids));
    p->versions = xcalloc(k->calls.count, sizeof(*p->versions));
    for (size_t at = 0; (c = id_table_next(&k->calls, &at));) {
        p->ids[p->n] = c->id;
        p->versions[p->n++] = c->heard;
    }
    k->polling = db_submit(k->base.dialer->db, DB_TRY, (uint64_t)k->base.row.id, run_poll,
                           on_polled, p) == 0;
    if (k->polling)
        return;
    free(p->ids);
    free(p->versions);
    free(p);
}
