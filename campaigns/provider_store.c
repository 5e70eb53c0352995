#include "campaigns/provider_store.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <sodium.h>

#include "base/pg.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "campaigns/names_store.h"

#define COLUMNS "id, tenant_id, name, kind, account, hook, settings::text, sealed"

enum { CONTEXT_MAX = 160 };

/* ---- sealing ---- */

static void context_of(const struct provider *p, char out[CONTEXT_MAX])
{
    snprintf(out, CONTEXT_MAX, "provider_accounts/%d/%s", p->tenant_id, p->name);
}

static void buf_wipe(struct buf *b)
{
    if (b->data)
        sodium_memzero(b->data, b->cap);
    buf_free(b);
}

/* Two lines: the token, the signing token. Neither holds a line break (provider_check).
 */
static void seal(const struct secret_keys *keys, const struct provider *p,
                 struct buf *out)
{
    CLEANUP(buf_wipe) struct buf plain = {0};
    char context[CONTEXT_MAX];

    context_of(p, context);
    buf_printf(&plain, "%s\n%s", p->token, p->signing_token);
    secret_seal(keys, context, plain.data, plain.len, out);
}

static int open_tokens(const struct secret_keys *keys, struct provider *p,
                       const uint8_t *sealed, size_t len)
{
    CLEANUP(buf_wipe) struct buf plain = {0};
    char context[CONTEXT_MAX];

    context_of(p, context);
    int err = secret_open(keys, context, sealed, len, &plain);
    if (err)
        return err;
    char *second = strchr(plain.data, '\n');
    if (!second)
        return EBADMSG;
    *second++ = '\0';
    if (str_copy(p->token, sizeof(p->token), plain.data) ||
        str_copy(p->signing_token, sizeof(p->signing_token), second))
        return EBADMSG;
    return 0;
}

static int unsealed(const struct secret_keys *keys, struct provider *p,
                    const PGresult *res, int row, struct errtext *e)
{
    size_t len = 0;
    unsigned char *sealed =
        PQunescapeBytea((const unsigned char *)pg_text(res, row, 7), &len);
    int err = sealed ? open_tokens(keys, p, sealed, len) : ENOMEM;

    PQfreemem(sealed);
    if (err == EACCES && keys->n == 0)
        errtext_set(e, err, 0, 0,
                    "FURROW_SECRET_KEY is not set here, and the token of provider '%s' "
                    "opens with nothing else",
                    p->name);
    else if (err == EACCES)
        errtext_set(e, err, 0, 0,
                    "the token of provider '%s' is sealed by another key than "
                    "FURROW_SECRET_KEY; give that one as FURROW_SECRET_KEY_OLD and run "
                    "'furrow provider reseal'",
                    p->name);
    else if (err)
        errtext_set(e, err, 0, 0,
                    "the token of provider '%s' does not open: state it anew with "
                    "'furrow provider set %s --token-file FILE'",
                    p->name, p->name);
    return err;
}

/* ---- reading ---- */

static int read_row(const struct secret_keys *keys, const PGresult *res, int row,
                    struct provider *out, struct errtext *e)
{
    struct provider p = {0};

    p.id = pg_i64(res, row, 0);
    p.tenant_id = (int)pg_i64(res, row, 1);
    if (!provider_kind_find(pg_text(res, row, 3), &p.kind) ||
        str_copy(p.name, sizeof(p.name), pg_text(res, row, 2)) ||
        str_copy(p.account, sizeof(p.account), pg_text(res, row, 4)) ||
        pg_uuid(res, row, 5, &p.hook) ||
        str_copy(p.settings_json, sizeof(p.settings_json), pg_text(res, row, 6)))
        return errtext_set(e, EBADMSG, 0, 0, "a row of provider_accounts is broken");
    int err = provider_read_settings(&p, e);
    if (!err && keys)
        err = unsealed(keys, &p, res, row, e);
    if (!err)
        *out = p;
    provider_wipe(&p);
    return err;
}

static int find(struct pg *pg, const struct secret_keys *keys, const char *name,
                struct provider *out, struct errtext *e)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    pg_arg_text(&a, name);
    int err =
        pg_run(pg, &res, "SELECT " COLUMNS " FROM provider_accounts WHERE name = $1", &a);
    if (err)
        return errtext_set(e, err, 0, 0, "%s", pg_error(pg));
    if (PQntuples(res) == 0)
        return names_missing(pg, "provider", "provider_accounts", name, e);
    return read_row(keys, res, 0, out, e);
}

int provider_find(struct pg *pg, const struct secret_keys *keys, int tenant_id,
                  const char *name, struct provider *out, struct errtext *e)
{
    bool own = false;
    int err = pg_begin_own(pg, tenant_id, &own);

    if (err)
        return errtext_set(e, err, 0, 0, "%s", pg_error(pg));
    return pg_end_own(pg, own, find(pg, keys, name, out, e));
}

static int by(struct pg *pg, const struct secret_keys *keys, int tenant_id,
              const char *sql, const struct pg_args *a, struct provider *out,
              struct errtext *e)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    bool own = false;

    int err = pg_begin_own(pg, tenant_id, &own);
    if (!err)
        err = pg_end_own(pg, own, pg_run(pg, &res, sql, a));
    if (err)
        return errtext_set(e, err, 0, 0, "%s", pg_error(pg));
    if (PQntuples(res) == 0)
        return errtext_set(e, ENOENT, 0, 0, "there is no such provider");
    return read_row(keys, res, 0, out, e);
}

int provider_load(struct pg *pg, const struct secret_keys *keys, int tenant_id,
                  int64_t id, struct provider *out, struct errtext *e)
{
    struct pg_args a = {0};

    pg_arg_i64(&a, id);
    return by(pg, keys, tenant_id,
              "SELECT " COLUMNS " FROM provider_accounts WHERE id = $1", &a, out, e);
}

int provider_of_hook(struct pg *pg, const struct secret_keys *keys,
                     const struct uuid *hook, struct provider *out, struct errtext *e)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    pg_arg_uuid(&a, hook);
    int err = pg_run(pg, &res, "SELECT furrow_provider_hook_tenant($1)", &a);
    if (err)
        return errtext_set(e, err, 0, 0, "%s", pg_error(pg));
    if (pg_is_null(res, 0, 0))
        return errtext_set(e, ENOENT, 0, 0, "there is no such provider");
    return by(pg, keys, (int)pg_i64(res, 0, 0),
              "SELECT " COLUMNS " FROM provider_accounts WHERE hook = $1", &a, out, e);
}

static int list(struct pg *pg, const struct secret_keys *keys, struct provider **out,
                size_t *n, struct errtext *e)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;

    int err =
        pg_run(pg, &res, "SELECT " COLUMNS " FROM provider_accounts ORDER BY name", NULL);
    if (err)
        return errtext_set(e, err, 0, 0, "%s", pg_error(pg));
    int rows = PQntuples(res);
    CLEANUP(free_cleanup)
    struct provider *all = xcalloc((size_t)rows + 1, sizeof(*all));
    for (int i = 0; i < rows && !err; i++)
        err = read_row(keys, res, i, &all[i], e);
    if (err)
        return err;
    *n = (size_t)rows;
    *out = STEAL(all);
    return 0;
}

int provider_list(struct pg *pg, int tenant_id, struct provider **out, size_t *n)
{
    bool own = false;
    int err = pg_begin_own(pg, tenant_id, &own);

    return err ? err : pg_end_own(pg, own, list(pg, NULL, out, n, NULL));
}

/* ---- writing ---- */

static int insert(struct pg *pg, const struct secret_keys *keys, struct provider *p,
                  int64_t now_ms, struct errtext *e)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    CLEANUP(buf_free) struct buf sealed = {0};
    struct pg_args a = {0};

    seal(keys, p, &sealed);
    pg_arg_i64(&a, p->tenant_id);
    pg_arg_text(&a, p->name);
    pg_arg_text(&a, provider_kind_name(p->kind));
    pg_arg_text(&a, p->account);
    pg_arg_uuid(&a, &p->hook);
    pg_arg_text(&a, p->settings_json);
    pg_arg_bytes(&a, sealed.data, sealed.len);
    pg_arg_ms(&a, now_ms);
    int err = pg_run(pg, &res,
                     "INSERT INTO provider_accounts (tenant_id, name, kind, account, "
                     "hook, settings, sealed, created_at, changed_at) VALUES ($1, $2, "
                     "$3, $4, $5, $6, $7, furrow_ts($8), furrow_ts($8)) RETURNING id",
                     &a);
    if (err == EEXIST)
        return errtext_set(e, err, 0, 0, "there is a provider '%s' already", p->name);
    if (err)
        return errtext_set(e, err, 0, 0, "%s", pg_error(pg));
    p->id = pg_i64(res, 0, 0);
    return 0;
}

/* Nobody guesses it: 122 random bits, unlike a version 7 UUID's. */
static struct uuid random_hook(void)
{
    struct uuid u;

    randombytes_buf(u.bytes, sizeof(u.bytes));
    u.bytes[6] = (uint8_t)((u.bytes[6] & 0x0f) | 0x40);
    u.bytes[8] = (uint8_t)((u.bytes[8] & 0x3f) | 0x80);
    return u;
}

int provider_add(struct pg *pg, const struct secret_keys *keys, int tenant_id,
                 struct provider *p, int64_t now_ms, struct errtext *e)
{
    bool own = false;

    p->tenant_id = tenant_id;
    int err = provider_check(p, e);
    if (err)
        return err;
    p->hook = random_hook();
    err = pg_begin_own(pg, tenant_id, &own);
    if (err)
        return errtext_set(e, err, 0, 0, "%s", pg_error(pg));
    return pg_end_own(pg, own, insert(pg, keys, p, now_ms, e));
}

static int update(struct pg *pg, const struct secret_keys *keys, const struct provider *p,
                  int64_t now_ms, struct errtext *e)
{
    CLEANUP(buf_free) struct buf sealed = {0};
    struct pg_args a = {0};

    seal(keys, p, &sealed);
    pg_arg_text(&a, p->name);
    pg_arg_text(&a, p->account);
    pg_arg_text(&a, p->settings_json);
    pg_arg_bytes(&a, sealed.data, sealed.len);
    pg_arg_ms(&a, now_ms);
    int err = pg_run(pg, NULL,
                     "UPDATE provider_accounts SET account = $2, settings = $3, sealed "
                     "= $4, changed_at = furrow_ts($5) WHERE name = $1",
                     &a);
    return err ? errtext_set(e, err, 0, 0, "%s", pg_error(pg)) : 0;
}

int provider_set(struct pg *pg, const struct secret_keys *keys, int tenant_id,
                 struct provider *p, int64_t now_ms, struct errtext *e)
{
    struct provider before;
    bool own = false;

    p->tenant_id = tenant_id;
    int err = provider_check(p, e);
    if (err)
        return err;
    err = pg_begin_own(pg, tenant_id, &own);
    if (err)
        return errtext_set(e, err, 0, 0, "%s", pg_error(pg));
    err = find(pg, NULL, p->name, &before, e);
    if (!err)
        err = update(pg, keys, p, now_ms, e);
    return pg_end_own(pg, own, err);
}

/* Of the account's calls: which are up, and which recordings of theirs are still to be
 * fetched or, once stored, deleted at the provider: with its token. id: its $1. */
static int count_in_use(struct pg *pg, const struct pg_args *id, int64_t *calls,
                        int64_t *recordings)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;

    int err = pg_run(
        pg, &res,
        "SELECT (SELECT count(*) FROM voice_sessions WHERE account_id = $1 AND ended_at "
        "IS NULL), (SELECT count(*) FROM voice_sessions s JOIN recordings r ON r.call_id "
        "= s.call_id WHERE s.account_id = $1 AND r.source IN ('twilio', 'plivo') AND "
        "(r.state = 'live' OR EXISTS (SELECT FROM jobs j WHERE j.kind = "
        "'recording.fetch' AND j.unique_key IN (r.id::text, r.id || '-copy') AND "
        "j.finished_at IS NULL)))",
        id);
    if (err)
        return err;
    *calls = pg_i64(res, 0, 0);
    *recordings = pg_i64(res, 0, 1);
    return 0;
}

/* Calls that are over are nobody's then, and not by that name: by it are those that a
 * contract answers without an account. */
static int leave_calls(struct pg *pg, const char *name, const struct pg_args *id,
                       struct errtext *e)
{
    int64_t calls = 0, recordings = 0;

    int err = count_in_use(pg, id, &calls, &recordings);
    if (!err && calls > 0)
        return errtext_set(e, EBUSY, 0, 0,
                           "calls are up through provider '%s' (%lld): 'furrow call "
                           "list' shows them, 'furrow call hangup' ends them",
                           name, (long long)calls);
    if (!err && recordings > 0)
        return errtext_set(e, EBUSY, 0, 0,
                           "recordings are still to be fetched or deleted at provider "
                           "'%s' (%lld): 'furrow jobs list' shows what is left to do",
                           name, (long long)recordings);
    if (!err)
        err = pg_run(pg, NULL,
                     "UPDATE voice_sessions SET account_id = NULL, provider_call_id = "
                     "left(provider_call_id, 80) || '#' || call_id WHERE account_id = $1",
                     id);
    return err ? errtext_set(e, err, 0, 0, "%s", pg_error(pg)) : 0;
}

static int remove_unused(struct pg *pg, const char *name, struct errtext *e)
{
    struct provider p;
    struct pg_args a = {0};

    int err = find(pg, NULL, name, &p, e);
    if (err)
        return err;
    pg_arg_i64(&a, p.id);
    err = leave_calls(pg, name, &a, e);
    if (err)
        return err;
    err = pg_run(pg, NULL, "DELETE FROM provider_accounts WHERE id = $1", &a);
    if (err == ENOENT)
        return errtext_set(e, EBUSY, 0, 0,
                           "trunks or messages go through provider '%s': let them go "
                           "through another one first",
                           name);
    return err ? errtext_set(e, err, 0, 0, "%s", pg_error(pg)) : 0;
}

int provider_remove(struct pg *pg, int tenant_id, const char *name, struct errtext *e)
{
    bool own = false;
    int err = pg_begin_own(pg, tenant_id, &own);

    if (err)
        return errtext_set(e, err, 0, 0, "%s", pg_error(pg));
    return pg_end_own(pg, own, remove_unused(pg, name, e));
}

static int reseal(struct pg *pg, const struct secret_keys *keys, int64_t now_ms,
                  size_t *n, struct errtext *e)
{
    CLEANUP(free_cleanup) struct provider *all = NULL;

    int err = list(pg, keys, &all, n, e);
    for (size_t i = 0; i < *n; i++) {
        if (!err)
            err = update(pg, keys, &all[i], now_ms, e);
        provider_wipe(&all[i]);
    }
    return err;
}

int provider_reseal(struct pg *pg, const struct secret_keys *keys, int tenant_id,
                    int64_t now_ms, size_t *n, struct errtext *e)
{
    bool own = false;

    *n = 0;
    int err = pg_begin_own(pg, tenant_id, &own);
    if (err)
        return errtext_set(e, err, 0, 0, "%s", pg_error(pg));
    return pg_end_own(pg, own, reseal(pg, keys, now_ms, n, e));
}
