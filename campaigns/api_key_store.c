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
    static const char *const known[] = {"opt_outs", "sms"};

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

int api_key_create(struct pg *pg, int tenant_id, const char *name,
                   const char *const *scopes, size_t scope_count, const char *by_user,
                   int64_t now_ms, char secret[API_KEY_MAX])
{
    CLEANUP(buf_free) struct buf list = {0};
    CLEANUP(pg_result_free) PGresult *res = NULL;
    uint8_t random[SECRET_BYTES], digest[SHA256_BYTES];
    struct pg_args a = {0};

    randombytes_buf(random, sizeof(random));
    memcpy(secret, prefix, sizeof(prefix));
    sodium_bin2base64(secret + strlen(prefix), API_KEY_MAX - strlen(prefix), random,
                      sizeof(random), sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    sodium_memzero(random, sizeof(random));
    digest_of(secret, digest);
    pg_array_text(&list, scopes, scope_count);
    pg_arg_i64(&a, tenant_id);
    pg_arg_text(&a, name);
    pg_arg_bytes(&a, digest, sizeof(digest));
    pg_arg_text(&a, list.data);
    pg_arg_text(&a, by_user);
    pg_arg_ms(&a, now_ms);
    int err = pg_begin(pg, tenant_id);
    if (err)
        return err;
    err = pg_end(pg, pg_run(pg, &res,
                            "INSERT INTO api_keys (tenant_id, name, secret_sha256, "
                            "scopes, by_user, created_at) VALUES ($1, $2, $3, "
                            "$4::text[], $5, furrow_ts($6)) ON CONFLICT DO NOTHING",
                            &a));
    return err || pg_affected(res) > 0 ? err : EEXIST;
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
                            "'scopes', scopes, 'by', by_user, 'created_ms', "
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

int api_key_find(struct pg *pg, const char *secret, const char *scope, int *tenant_id,
                 char name[API_KEY_NAME_MAX])
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
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
    err = pg_end(pg, pg_run(pg, &res,
                            "SELECT name, $2 = ANY(scopes) FROM api_keys WHERE "
                            "secret_sha256 = $1 AND revoked_at IS NULL",
                            &a));
    if (err)
        return err;
    if (PQntuples(res) != 1)
        return ENOENT;
    str_cut(name, API_KEY_NAME_MAX, pg_text(res, 0, 0));
    return pg_bool(res, 0, 1) ? 0 : EACCES;
}
