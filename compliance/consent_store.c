#include "compliance/consent_store.h"

#include <errno.h>

#include "base/pg.h"
#include "base/str.h"
#include "compliance/facts_store.h"

int consent_add(struct pg *pg, int tenant_id, const struct consent *c)
{
    struct pg_args a = {0};
    bool own = false;

    pg_arg_i64(&a, tenant_id);
    pg_arg_i64(&a, c->phone);
    pg_arg_text(&a, consent_level_name(c->level));
    pg_arg_text(&a, c->evidence ? c->evidence : "");
    pg_arg_ms(&a, c->given_at_ms);
    pg_arg_text(&a, c->seller ? c->seller : "");
    pg_arg_text(&a, c->purpose ? c->purpose : "");
    int err = pg_begin_own(pg, tenant_id, &own);
    if (err)
        return err;
    err = pg_run(
        pg, NULL,
        "INSERT INTO consents (tenant_id, phone, level, evidence, given_at, seller, "
        "purpose) VALUES ($1, $2, $3, $4, furrow_ts($5), $6, $7)",
        &a);
    return pg_end_own(pg, own, err);
}

int consent_revoke(struct pg *pg, int tenant_id, int64_t phone, const char *note,
                   int64_t now_ms, int64_t *n)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};
    bool own = false;

    *n = 0;
    pg_arg_i64(&a, tenant_id);
    pg_arg_i64(&a, phone);
    pg_arg_text(&a, note ? note : "");
    pg_arg_ms(&a, now_ms);
    int err = pg_begin_own(pg, tenant_id, &own);
    if (err)
        return err;
    err = facts_lock_numbers(pg, tenant_id, &phone, 1);
    if (!err)
        err = pg_run(
            pg, &res,
            "UPDATE consents SET revoked_at = furrow_ts($4), revoked_note = $3 WHERE "
            "tenant_id = $1 AND phone = $2 AND revoked_at IS NULL",
            &a);
    if (!err)
        *n = pg_affected(res);
    return pg_end_own(pg, own, err);
}

int consent_list(struct pg *pg, int tenant_id, int64_t phone, int max, consent_fn *each,
                 void *arg)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};
    bool own = false;

    pg_arg_i64(&a, tenant_id);
    pg_arg_i64(&a, phone);
    pg_arg_i64(&a, max);
    int err = pg_begin_own(pg, tenant_id, &own);
    if (err)
        return err;
    err = pg_run(
        pg, &res,
        "SELECT phone, level, evidence, furrow_ms(given_at), furrow_ms(revoked_at), "
        "seller, revoked_note, purpose FROM consents WHERE tenant_id = $1 AND ($2 = 0 OR "
        "phone = "
        "$2) ORDER BY id DESC LIMIT $3",
        &a);
    for (int i = 0; !err && i < PQntuples(res); i++) {
        struct consent c = {.phone = pg_i64(res, i, 0),
                            .evidence = pg_text(res, i, 2),
                            .given_at_ms = pg_i64(res, i, 3),
                            .revoked_at_ms = pg_i64(res, i, 4),
                            .seller = pg_text(res, i, 5),
                            .revoked_note = pg_text(res, i, 6),
                            .purpose = pg_text(res, i, 7)};
        if (!consent_level_parse(pg_text(res, i, 1), &c.level))
            err = EPROTO;
        if (!err)
            err = each(&c, arg);
    }
    return pg_end_own(pg, own, err);
}
