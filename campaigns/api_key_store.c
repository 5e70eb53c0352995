#include "campaigns/api_key_store.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <sodium.h>

#include "base/pg.h"
#include "base/sha256.h"
#include "base/str.h"

enum { SECRET_BYTES = 32 };
static const char prefix[] = "fk_";

bool api_key_scope_is_known(const char *scope)
{
    static const char *const known[] = {"opt_outs", "sms", "voice", "admin"};

    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (strcmp(scope, known[i]) == 0)
            return true;
    return false;
}

bool api_key_name_is_sound(const char *name)
{
    size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789._-");

    return n > 0 && n < API_KEY_NAME_MAX && !name[n] && !strchr("._-", name[0]);
}

static void digest_of(const char *secret, uint8_t out[SHA256_BYTES])
{
    sha256_of(secret, strlen(secret), out);
}

static void make_secret(char secret[API_KEY_MAX])
{
    uint8_t random[SECRET_BYTES];

    randombytes_buf(random, sizeof(random));
    memcpy(secret, prefix, sizeof(prefix));
    sodium_bin2base64(secret + strlen(prefix), API_KEY_MAX - strlen(prefix), random,
                      sizeof(random), sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    sodium_memzero(random, sizeof(random));
}

static void arg_limit(struct pg_args *a, int per_minute)
{
    if (per_minute > 0)
        pg_arg_i64(a, per_minute);
    else
        pg_arg_null(a);
}

int api_key_create(struct pg *pg, int tenant_id, const struct api_key_new *k,
                   int64_t now_ms, char secret[API_KEY_MAX])
{
    CLEANUP(buf_free) struct buf list = {0};
    CLEANUP(pg_result_free) PGresult *res = NULL;
    uint8_t digest[SHA256_BYTES];
    struct pg_args a = {0};

    if (!k->given)
        make_secret(secret);
    else if (str_copy(secret, API_KEY_MAX, k->given))
        return EMSGSIZE;
    digest_of(secret, digest);
    pg_array_text(&list, k->scopes, k->scope_count);
    pg_arg_i64(&a, tenant_id);
    pg_arg_text(&a, k->name);
    pg_arg_bytes(&a, digest, sizeof(digest));
    pg_arg_text(&a, list.data);
    pg_arg_text(&a, k->by_user);
    pg_arg_ms(&a, now_ms);
    arg_limit(&a, k->per_minute);
    int err = pg_begin(pg, tenant_id);
    if (err)
        return err;
    err =
        pg_end(pg, pg_run(pg, &res,
                          "INSERT INTO api_keys (tenant_id, name, secret_sha256, "
                          "scopes, by_user, created_at, per_minute) VALUES ($1, $2, $3, "
                          "$4::text[], $5, furrow_ts($6), $7) ON CONFLICT DO NOTHING",
                          &a));
    return err || pg_affected(res) > 0 ? err : EEXIST;
}

int api_key_limit(struct pg *pg, int tenant_id, const char *name, int per_minute)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    pg_arg_text(&a, name);
    arg_limit(&a, per_minute);
    int err = pg_run_alone(pg, tenant_id, &res,
                           "UPDATE api_keys SET per_minute = $2, tokens_at = NULL WHERE "
                           "name = $1 AND revoked_at IS NULL",
                           &a);
    return err || pg_affected(res) > 0 ? err : ENOENT;
}

int api_key_revoke(struct pg *pg, int tenant_id, const char *name, int64_t now_ms)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    pg_arg_i64(&a, tenant_id);
    pg_arg_text(&a, name);
    pg_arg_ms(&a, now_ms);
    int err = pg_begin(pg, tenant_id);
    if (err)
        return err;
    err = pg_end(pg, pg_run(pg, &res,
                            "UPDATE api_keys SET revoked_at = furrow_ts($3) WHERE "
                            "tenant_id = $1 AND name = $2 AND revoked_at IS NULL",
                            &a));
    return err || pg_affected(res) > 0 ? err : ENOENT;
}

int api_key_list(struct pg *pg, int tenant_id, json_t **out)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;

    int err = pg_begin(pg, tenant_id);
    if (err)
        return err;
    err = pg_end(pg, pg_run(pg, &res,
                            "SELECT coalesce(json_agg(json_build_object('name', name, "
                            "'scopes', scopes, 'per_minute', per_minute, 'by', by_user, "
                            "'created_ms', "
                            "furrow_ms(created_at), 'revoked_ms', furrow_ms(revoked_at)) "
                            "ORDER BY id DESC), '[]') FROM api_keys",
                            NULL));
    if (err)
        return err;
    *out = json_loads(pg_text(res, 0, 0), 0, NULL);
    return *out ? 0 : EPROTO;
}

static int find_tenant(struct pg *pg, const struct pg_args *digest, int *tenant_id)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    int err = pg_begin(pg, 0);

    if (err)
        return err;
    err = pg_end(pg, pg_run(pg, &res, "SELECT furrow_api_key_tenant($1)", digest));
    if (err)
        return err;
    *tenant_id = pg_is_null(res, 0, 0) ? 0 : (int)pg_i64(res, 0, 0);
    return *tenant_id ? 0 : ENOENT;
}

#define FILLED                                                                           \
    "CASE WHEN tokens_at IS NULL THEN per_minute ELSE least(per_minute, tokens + "       \
    "extract(epoch FROM clock_timestamp() - tokens_at) * per_minute / 60) END"

/* One token out of the bucket. EBUSY: there is none. */
static int take_token(struct pg *pg, int64_t id, int *wait_s)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    CLEANUP(pg_result_free) PGresult *left = NULL;
    struct pg_args a = {0};

    pg_arg_i64(&a, id);
    int err = pg_run(pg, &res,
                     "UPDATE api_keys SET tokens = " FILLED " - 1, tokens_at = "
                     "clock_timestamp() WHERE id = $1 AND " FILLED " >= 1",
                     &a);
    if (err || pg_affected(res) > 0)
        return err;
    err = pg_run(pg, &left,
                 "SELECT ceil((1 - " FILLED ") * 60 / per_minute)::int FROM api_keys "
                 "WHERE id = $1",
                 &a);
    if (err)
        return err;
    *wait_s = (int)pg_i64(left, 0, 0) > 1 ? (int)pg_i64(left, 0, 0) : 1;
    return EBUSY;
}

static int find_in(struct pg *pg, const struct pg_args *a, char name[API_KEY_NAME_MAX],
                   int *wait_s)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;

    int err = pg_run(pg, &res,
                     "SELECT name, $2 = ANY(scopes), id, per_minute IS NOT NULL FROM "
                     "api_keys WHERE secret_sha256 = $1 AND revoked_at IS NULL",
                     a);
    if (err)
        return err;
    if (PQntuples(res) != 1)
        return ENOENT;
    str_cut(name, API_KEY_NAME_MAX, pg_text(res, 0, 0));
    if (!pg_bool(res, 0, 1))
        return EACCES;
    return pg_bool(res, 0, 3) ? take_token(pg, pg_i64(res, 0, 2), wait_s) : 0;
}

int api_key_find(struct pg *pg, const char *secret, const char *scope, int *tenant_id,
                 char name[API_KEY_NAME_MAX], int *wait_s)
{
    uint8_t digest[SHA256_BYTES];
    struct pg_args a = {0};

    digest_of(secret, digest);
    pg_arg_bytes(&a, digest, sizeof(digest));
    int err = find_tenant(pg, &a, tenant_id);
    if (!err)
        err = pg_begin(pg, *tenant_id);
    if (err)
        return err;
    pg_arg_text(&a, scope);
    return pg_end(pg, find_in(pg, &a, name, wait_s));
}

int api_key_exists(struct pg *pg, bool *out)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;

    int err = pg_run_alone(pg, 0, &res, "SELECT furrow_api_key_exists()", NULL);
    if (!err)
        *out = pg_bool(res, 0, 0);
    return err;
}
