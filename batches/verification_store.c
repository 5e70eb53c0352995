#include "batches/verification_store.h"

#include <errno.h>

#include <jansson.h>

#include "base/pg.h"
#include "base/str.h"
#include "batches/caller_store.h"
#include "batches/event_store.h"
#include "batches/ledger_store.h"
#include "batches/lot_store.h"
#include "batches/news_store.h"

static int find(struct pg *pg, const char *token, struct verification *out)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    pg_arg_text(&a, token);
    int err = pg_run(pg, &res,
                     "SELECT batch_id, variety, origin, farmer, quantity_kg, "
                     "furrow_ms(verification_expires_at), verified_at IS NOT NULL, "
                     "verified_quantity, furrow_ms(verified_at), id FROM batches WHERE "
                     "verification_token = $1",
                     &a);
    if (err || PQntuples(res) == 0)
        return err ? err : ENOENT;
    *out = (struct verification){.kg = pg_is_null(res, 0, 4) ? -1 : pg_double(res, 0, 4),
                                 .expires_ms = pg_i64(res, 0, 5),
                                 .used = pg_bool(res, 0, 6),
                                 .verified_kg = pg_double(res, 0, 7),
                                 .verified_ms = pg_i64(res, 0, 8)};
    str_cut(out->batch_id, sizeof(out->batch_id), pg_text(res, 0, 0));
    str_cut(out->variety, sizeof(out->variety), pg_text(res, 0, 1));
    str_cut(out->origin, sizeof(out->origin), pg_text(res, 0, 2));
    str_cut(out->farmer, sizeof(out->farmer), pg_text(res, 0, 3));
    return pg_uuid(res, 0, 9, &out->id);
}

int verification_find(struct pg *pg, int tenant_id, const char *token,
                      struct verification *out)
{
    bool own = false;
    int err = pg_begin_own(pg, tenant_id, &own);

    return err ? err : pg_end_own(pg, own, find(pg, token, out));
}

static int mark(struct pg *pg, const char *token, const struct verification_said *said)
{
    const char *organization = said->by->organization;
    struct pg_args a = {0};

    pg_arg_text(&a, token);
    pg_arg_double(&a, said->kg);
    pg_arg_i64(&a, said->by->id);
    pg_arg_text(&a, *said->notes ? said->notes : NULL);
    pg_arg_text(&a, *organization ? organization : NULL);
    pg_arg_ms(&a, said->at_ms);
    return pg_run(pg, NULL,
                  "UPDATE batches SET status = 'VERIFIED', verified_quantity = $2, "
                  "verified_by = $3, verification_notes = $4, verifying_organization = "
                  "$5, verified_at = furrow_ts($6) WHERE verification_token = $1",
                  &a);
}

static int tell(struct pg *pg, const struct ledger *l, const struct verification *v,
                const struct verification_said *said)
{
    const char *organization = said->by->organization;
    struct lot lot;
    struct uuid id;

    int err = lot_find(pg, l, v->batch_id, &lot);
    if (err)
        return err;
    json_auto_t *more =
        json_pack("{s:s, s:s, s:s?, s:f, s:s?}", "batchId", v->batch_id, "verifier",
                  said->by->name, "organization", *organization ? organization : NULL,
                  "claimedQuantityKg", v->kg, "notes", *said->notes ? said->notes : NULL);
    const struct event_new e = {.kind = EPCIS_VERIFICATION,
                                .at_ms = said->at_ms,
                                .caller_id = said->by->id,
                                .lots = (const struct lot *const[]){&lot},
                                .lot_count = 1,
                                .place = lot.farm.urn,
                                .extension = more};
    return event_add(pg, l, &e, &id);
}

static int add(struct pg *pg, int tenant_id, const char *token,
               const struct verification_said *said)
{
    struct ledger ledger;
    struct verification v;
    char text[UUID_TEXT_MAX];

    int err = ledger_open(pg, tenant_id, &ledger);
    if (!err)
        err = find(pg, token, &v);
    if (err)
        return err;
    if (v.expires_ms <= said->at_ms)
        return ETIMEDOUT;
    if (v.used)
        return EEXIST;
    err = mark(pg, token, said);
    if (!err)
        err = tell(pg, &ledger, &v, said);
    return err ? err
               : news_enqueue(pg, tenant_id, NEWS_VERIFIED, uuid_text(&v.id, text),
                              said->at_ms);
}

int verification_add(struct pg *pg, int tenant_id, const char *token,
                     const struct verification_said *said)
{
    bool own = false;
    int err = pg_begin_own(pg, tenant_id, &own);

    return err ? err : pg_end_own(pg, own, add(pg, tenant_id, token, said));
}

/* --- tokens ------------------------------------------------------------------------ */

static int read_link(struct pg *pg, const struct lot *lot, struct verification_link *out,
                     bool *used)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    pg_arg_uuid(&a, &lot->id);
    int err = pg_run(pg, &res,
                     "SELECT verification_token, furrow_ms(verification_expires_at), "
                     "verified_at IS NOT NULL FROM batches WHERE id = $1",
                     &a);
    if (err || PQntuples(res) != 1)
        return err ? err : ENOENT;
    str_cut(out->token, sizeof(out->token), pg_text(res, 0, 0));
    out->expires_ms = pg_i64(res, 0, 1);
    *used = pg_bool(res, 0, 2);
    return 0;
}

static int write_link(struct pg *pg, const struct lot *lot, int64_t now_ms,
                      struct verification_link *out)
{
    struct pg_args a = {0};

    lot_token_new(out->token, now_ms, &out->expires_ms);
    pg_arg_uuid(&a, &lot->id);
    pg_arg_text(&a, out->token);
    pg_arg_ms(&a, out->expires_ms);
    return pg_run(pg, NULL,
                  "UPDATE batches SET verification_token = $2, verification_expires_at = "
                  "furrow_ts($3) WHERE id = $1",
                  &a);
}

static int link_of(struct pg *pg, int tenant_id, const char *named, bool renew,
                   int64_t now_ms, struct verification_link *out)
{
    struct ledger ledger;
    struct lot lot;
    bool used = false;

    int err = ledger_open(pg, tenant_id, &ledger);
    if (!err)
        err = lot_find(pg, &ledger, named, &lot);
    if (!err)
        err = read_link(pg, &lot, out, &used);
    if (err)
        return err;
    if (used)
        return EEXIST;
    if (renew)
        return write_link(pg, &lot, now_ms, out);
    return *out->token ? 0 : ENODATA;
}

int verification_link(struct pg *pg, int tenant_id, const char *named, bool renew,
                      int64_t now_ms, struct verification_link *out)
{
    bool own = false;
    int err = pg_begin_own(pg, tenant_id, &own);

    return err ? err
               : pg_end_own(pg, own, link_of(pg, tenant_id, named, renew, now_ms, out));
}
