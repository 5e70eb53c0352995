#include "campaigns/trunk_store.h"

#include <errno.h>
#include <string.h>

#include <jansson.h>

#include "base/pg.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "campaigns/names_store.h"
#include "campaigns/provider_store.h"

#define SELECT                                                                           \
    "SELECT t.id, t.tenant_id, t.name, t.kind, t.endpoint, t.cps, t.max_channels, "      \
    "t.settings::text, p.name, t.account_id, (p.settings->>'cps')::float8 FROM trunks "  \
    "t LEFT JOIN provider_accounts p ON p.id = t.account_id"

static int read_row(const PGresult *res, int row, struct trunk_row *out)
{
    struct trunk_row t = {0};

    t.id = pg_i64(res, row, 0);
    t.tenant_id = (int)pg_i64(res, row, 1);
    int err = str_copy(t.name, sizeof(t.name), pg_text(res, row, 2));
    if (!err)
        err = str_copy(t.kind, sizeof(t.kind), pg_text(res, row, 3));
    if (!err)
        err = str_copy(t.endpoint, sizeof(t.endpoint), pg_text(res, row, 4));
    t.cps = pg_double(res, row, 5);
    t.max_channels = (int)pg_i64(res, row, 6);
    if (!err)
        err = str_copy(t.settings, sizeof(t.settings), pg_text(res, row, 7));
    if (!err)
        err = str_copy(t.account, sizeof(t.account), pg_text(res, row, 8));
    t.account_id = pg_i64(res, row, 9);
    t.account_cps = pg_double(res, row, 10);
    if (t.account_id && t.account_cps <= 0)
        t.account_cps = provider_usual_cps(t.kind);
    if (!err)
        *out = t;
    return err;
}

/* Its calls go through an account of that kind. */
static bool is_over_provider(const struct trunk_row *t)
{
    enum provider_kind kind;

    return provider_kind_find(t->kind, &kind) && provider_carries_calls(kind);
}

static int check(const struct trunk_row *t, struct errtext *e)
{
    json_error_t where = {0};
    json_auto_t *settings = json_loads(t->settings, JSON_REJECT_DUPLICATES, &where);

    if (!t->name[0])
        return errtext_set(e, EINVAL, 0, 0, "a trunk needs a name");
    if (!str_is(t->kind, "ari") && !str_is(t->kind, "simulated") && !is_over_provider(t))
        return errtext_set(e, EINVAL, 0, 0,
                           "kind '%s' is none of ari, twilio, plivo, simulated", t->kind);
    if (is_over_provider(t) && !t->account[0])
        return errtext_set(e, EINVAL, 0, 0,
                           "a %s trunk goes through an account: name it with --account; "
                           "'furrow provider list' shows them",
                           t->kind);
    if (!is_over_provider(t) && t->account[0])
        return errtext_set(e, EINVAL, 0, 0, "a trunk of kind %s has no account", t->kind);
    if (is_over_provider(t) && t->endpoint[0])
        return errtext_set(e, EINVAL, 0, 0,
                           "a %s trunk has no endpoint: its account says where it goes",
                           t->kind);
    if (str_is(t->kind, "ari") && !strstr(t->endpoint, "{number}"))
        return errtext_set(e, EINVAL, 0, 0,
                           "an ari trunk needs an endpoint with {number} in it, e.g. "
                           "PJSIP/{number}@provider");
    if (!(t->cps > 0 && t->cps <= 10000))
        return errtext_set(e, EINVAL, 0, 0,
                           "calls per second must be above 0 and at most 10000");
    if (t->max_channels < 1 || t->max_channels > 100000)
        return errtext_set(e, EINVAL, 0, 0, "channels must be from 1 to 100000");
    if (!json_is_object(settings))
        return errtext_set(e, EINVAL, where.line, where.column,
                           "settings must be a JSON object%s%s",
                           where.text[0] ? ": " : "", where.text);
    return 0;
}

static int find_account(struct pg *pg, struct trunk_row *t, struct errtext *e)
{
    struct provider p = {0};

    if (!t->account[0])
        return 0;
    int err = provider_find(pg, NULL, t->tenant_id, t->account, &p, e);
    if (err)
        return err;
    if (!str_is(provider_kind_name(p.kind), t->kind))
        return errtext_set(e, EINVAL, 0, 0, "provider '%s' is %s, the trunk %s", p.name,
                           provider_kind_name(p.kind), t->kind);
    t->account_id = p.id;
    t->account_cps = p.settings.cps;
    if (t->cps > p.settings.cps)
        return errtext_set(e, EINVAL, 0, 0,
                           "%g calls a second are more than account '%s' takes (%g): "
                           "lower --cps, or raise the account's with 'furrow provider "
                           "set %s --settings', when the provider has",
                           t->cps, p.name, p.settings.cps, p.name);
    return 0;
}

static int insert(struct pg *pg, struct trunk_row *t, int64_t now_ms, struct errtext *e)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    pg_arg_i64(&a, t->tenant_id);
    pg_arg_text(&a, t->name);
    pg_arg_text(&a, t->kind);
    pg_arg_text(&a, t->endpoint);
    pg_arg_double(&a, t->cps);
    pg_arg_i64(&a, t->max_channels);
    pg_arg_text(&a, t->settings);
    pg_arg_ms(&a, now_ms);
    pg_arg_i64(&a, t->account_id);
    int err =
        pg_run(pg, &res,
               "INSERT INTO trunks (tenant_id, name, kind, endpoint, cps, "
               "max_channels, settings, created_at, account_id) VALUES ($1, $2, $3, $4, "
               "$5, $6, $7, furrow_ts($8), nullif($9::bigint, 0)) RETURNING id",
               &a);
    if (err == EEXIST)
        return errtext_set(e, err, 0, 0, "there is a trunk '%s' already", t->name);
    if (err)
        return errtext_set(e, err, 0, 0, "%s", pg_error(pg));
    t->id = pg_i64(res, 0, 0);
    return 0;
}

int trunk_add(struct pg *pg, int tenant_id, struct trunk_row *row, int64_t now_ms,
              struct errtext *e)
{
    int err = check(row, e);
    if (err)
        return err;
    row->tenant_id = tenant_id;
    err = pg_begin(pg, tenant_id);
    if (err)
        return errtext_set(e, err, 0, 0, "%s", pg_error(pg));
    err = find_account(pg, row, e);
    return pg_end(pg, err ? err : insert(pg, row, now_ms, e));
}

static int find(struct pg *pg, const char *name, struct trunk_row *out, struct errtext *e)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    pg_arg_text(&a, name);
    int err = pg_run(pg, &res, SELECT " WHERE t.name = $1", &a);
    if (err)
        return errtext_set(e, err, 0, 0, "%s", pg_error(pg));
    if (PQntuples(res) == 0)
        return names_missing(pg, "trunk", "trunks", name, e);
    return read_row(res, 0, out);
}

int trunk_find(struct pg *pg, int tenant_id, const char *name, struct trunk_row *out,
               struct errtext *e)
{
    bool own = false;
    int err = pg_begin_own(pg, tenant_id, &own);

    if (err)
        return errtext_set(e, err, 0, 0, "%s", pg_error(pg));
    return pg_end_own(pg, own, find(pg, name, out, e));
}

static int load(struct pg *pg, int64_t id, struct trunk_row *out)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    pg_arg_i64(&a, id);
    int err = pg_run(pg, &res, SELECT " WHERE t.id = $1", &a);
    if (!err && PQntuples(res) == 0)
        err = ENOENT;
    return err ? err : read_row(res, 0, out);
}

int trunk_load(struct pg *pg, int tenant_id, int64_t id, struct trunk_row *out)
{
    bool own = false;
    int err = pg_begin_own(pg, tenant_id, &own);

    return err ? err : pg_end_own(pg, own, load(pg, id, out));
}

static int list(struct pg *pg, struct trunk_row **out, size_t *n)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;

    int err = pg_run(pg, &res, SELECT " ORDER BY t.name", NULL);
    if (err)
        return err;
    int rows = PQntuples(res);
    CLEANUP(free_cleanup)
    struct trunk_row *all = xcalloc((size_t)rows + 1, sizeof(*all));
    for (int i = 0; i < rows && !err; i++)
        err = read_row(res, i, &all[i]);
    if (err)
        return err;
    *n = (size_t)rows;
    *out = STEAL(all);
    return 0;
}

int trunk_list(struct pg *pg, int tenant_id, struct trunk_row **out, size_t *n)
{
    bool own = false;
    int err = pg_begin_own(pg, tenant_id, &own);

    return err ? err : pg_end_own(pg, own, list(pg, out, n));
}

static int update(struct pg *pg, const struct trunk_row *t)
{
    struct pg_args a = {0};

    pg_arg_text(&a, t->name);
    pg_arg_text(&a, t->endpoint);
    pg_arg_double(&a, t->cps);
    pg_arg_i64(&a, t->max_channels);
    pg_arg_text(&a, t->settings);
    return pg_run(pg, NULL,
                  "UPDATE trunks SET endpoint = $2, cps = $3, max_channels = $4, "
                  "settings = $5 WHERE name = $1",
                  &a);
}

int trunk_set(struct pg *pg, int tenant_id, const struct trunk_row *row,
              struct errtext *e)
{
    struct trunk_row before = {0}, after = *row;

    int err = check(row, e);
    if (err)
        return err;
    err = pg_begin(pg, tenant_id);
    if (err)
        return errtext_set(e, err, 0, 0, "%s", pg_error(pg));
    after.tenant_id = tenant_id;
    err = find(pg, row->name, &before, e);
    if (!err)
        err = find_account(pg, &after, e);
    if (!err && (err = update(pg, row)))
        errtext_set(e, err, 0, 0, "%s", pg_error(pg));
    return pg_end(pg, err);
}

/* A trunk that a campaign names stays: its attempts point at it. */
static int remove_unused(struct pg *pg, const char *name, struct errtext *e)
{
    struct trunk_row t = {0};
    struct pg_args a = {0};

    int err = find(pg, name, &t, e);
    if (err)
        return err;
    pg_arg_i64(&a, t.id);
    err = pg_run(pg, NULL, "DELETE FROM trunks WHERE id = $1", &a);
    if (err == ENOENT)
        return errtext_set(e, EBUSY, 0, 0,
                           "campaigns use trunk '%s'; its history keeps it", name);
    return err ? errtext_set(e, err, 0, 0, "%s", pg_error(pg)) : 0;
}

int trunk_remove(struct pg *pg, int tenant_id, const char *name, struct errtext *e)
{
    int err = pg_begin(pg, tenant_id);

    if (err)
        return errtext_set(e, err, 0, 0, "%s", pg_error(pg));
    return pg_end(pg, remove_unused(pg, name, e));
}
