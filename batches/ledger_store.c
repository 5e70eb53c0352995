#include "batches/ledger_store.h"

#include <errno.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/pg.h"
#include "base/str.h"

int ledger_open(struct pg *pg, int tenant_id, struct ledger *out)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    pg_arg_i64(&a, tenant_id);
    int err = pg_run(pg, NULL,
                     "INSERT INTO ledger_settings (tenant_id) VALUES ($1) ON CONFLICT DO "
                     "NOTHING",
                     &a);
    if (!err)
        err = pg_run(
            pg, &res,
            "SELECT gs1_prefix, registered_only, location_needed, "
            "tell_cooperative FROM ledger_settings WHERE tenant_id = $1 FOR UPDATE",
            &a);
    if (err)
        return err;
    if (PQntuples(res) != 1)
        return ENOENT;
    *out = (struct ledger){.tenant_id = tenant_id,
                           .registered_only = pg_bool(res, 0, 1),
                           .location_needed = pg_bool(res, 0, 2),
                           .tell_cooperative = pg_bool(res, 0, 3)};
    str_cut(out->prefix, sizeof(out->prefix), pg_text(res, 0, 0));
    return 0;
}

int ledger_change(struct pg *pg, int tenant_id, const struct ledger *to)
{
    struct pg_args a = {0};

    if (!gs1_prefix_is_sound(to->prefix))
        return EINVAL;
    pg_arg_i64(&a, tenant_id);
    pg_arg_text(&a, to->prefix);
    pg_arg_bool(&a, to->registered_only);
    pg_arg_bool(&a, to->location_needed);
    pg_arg_bool(&a, to->tell_cooperative);
    return pg_run(pg, NULL,
                  "UPDATE ledger_settings SET gs1_prefix = $2, registered_only = $3, "
                  "location_needed = $4, tell_cooperative = $5 WHERE tenant_id = $1",
                  &a);
}

int ledger_next(struct pg *pg, enum ledger_number kind, int64_t *out)
{
    static const char *const takes[] = {
        [LEDGER_BATCH] = "UPDATE ledger_settings SET next_batch = next_batch + 1 "
                         "RETURNING next_batch - 1",
        [LEDGER_ITEM] = "UPDATE ledger_settings SET next_item = next_item + 1 "
                        "RETURNING next_item - 1",
        [LEDGER_PLACE] = "UPDATE ledger_settings SET next_place = next_place + 1 "
                         "RETURNING next_place - 1",
        [LEDGER_CONTAINER] = "UPDATE ledger_settings SET next_container = "
                             "next_container + 1 RETURNING next_container - 1",
    };
    CLEANUP(pg_result_free) PGresult *res = NULL;

    int err = pg_run(pg, &res, takes[kind], NULL);
    if (!err && PQntuples(res) != 1)
        return EPROTO; /* the ledger was not opened */
    if (!err)
        *out = pg_i64(res, 0, 0);
    return err;
}

/* --- places ------------------------------------------------------------------------ */

static const char *kind_of(bool farm)
{
    return farm ? "farm" : "place";
}

int place_find(struct pg *pg, bool farm, const char *name, struct place *out)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    pg_arg_text(&a, kind_of(farm));
    pg_arg_text(&a, name);
    int err = pg_run(pg, &res,
                     "SELECT id, gln, urn, latitude IS NOT NULL FROM places WHERE kind = "
                     "$1 AND name_key = lower($2)",
                     &a);
    if (err || PQntuples(res) == 0)
        return err ? err : ENOENT;
    *out = (struct place){.id = pg_i64(res, 0, 0), .located = pg_bool(res, 0, 3)};
    str_cut(out->gln, sizeof(out->gln), pg_text(res, 0, 1));
    str_cut(out->urn, sizeof(out->urn), pg_text(res, 0, 2));
    return 0;
}

static int add_place(struct pg *pg, const struct ledger *l, const char *kind,
                     const char *name, int64_t now_ms, struct place *out)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};
    struct place p = {0};
    int64_t number = 0;

    int err = ledger_next(pg, LEDGER_PLACE, &number);
    if (!err)
        err = gs1_gln(l->prefix, number, p.gln);
    if (!err)
        err = gs1_sgln_urn(l->prefix, p.gln, "0", p.urn);
    if (err)
        return err;
    pg_arg_i64(&a, l->tenant_id);
    pg_arg_text(&a, kind);
    pg_arg_text(&a, name);
    pg_arg_text(&a, p.gln);
    pg_arg_text(&a, p.urn);
    pg_arg_ms(&a, now_ms);
    err =
        pg_run(pg, &res,
               "INSERT INTO places (tenant_id, kind, name, gln, urn, created_at) VALUES "
               "($1, $2, $3, $4, $5, furrow_ts($6)) RETURNING id",
               &a);
    if (err)
        return err;
    p.id = pg_i64(res, 0, 0);
    *out = p;
    return 0;
}

int place_take(struct pg *pg, const struct ledger *l, bool farm, const char *name,
               int64_t now_ms, struct place *out)
{
    int err = place_find(pg, farm, name, out);

    return err == ENOENT ? add_place(pg, l, kind_of(farm), name, now_ms, out) : err;
}

int place_locate(struct pg *pg, const struct place *p, double latitude, double longitude)
{
    struct pg_args a = {0};

    pg_arg_i64(&a, p->id);
    pg_arg_double(&a, latitude);
    pg_arg_double(&a, longitude);
    return pg_run(pg, NULL,
                  "UPDATE places SET latitude = $2, longitude = $3 WHERE id = $1", &a);
}
