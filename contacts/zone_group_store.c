#include "contacts/zone_group_store.h"

#include "base/pg.h"
#include "base/str.h"

static bool says_nothing(const struct zone_set *zones, int64_t now_ms)
{
    const int64_t half_year_ms = INT64_C(182) * 86400000;

    return zones_are_unknown(zones->names, zones->n, now_ms) ||
           zones_are_unknown(zones->names, zones->n, now_ms + half_year_ms);
}

static int find_or_insert(struct pg *pg, const struct pg_args *a, int64_t *id)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    int err = pg_run(pg, NULL,
                     "INSERT INTO zone_groups (tenant_id, region, zones) VALUES ($1, $2, "
                     "$3::text[]) ON CONFLICT DO NOTHING",
                     a);
    if (!err)
        err = pg_run(pg, &res,
                     "SELECT id FROM zone_groups WHERE tenant_id = $1 AND region = $2 "
                     "AND zones = $3::text[]",
                     a);
    if (!err)
        *id = pg_i64(res, 0, 0);
    return err;
}

int zone_group_id(struct pg *pg, int tenant_id, const char *region,
                  const struct zone_set *zones, int64_t now_ms, int64_t *id)
{
    CLEANUP(buf_free) struct buf names = {0};
    struct pg_args a = {0};
    bool own = false;

    pg_array_text(&names, zones->names, says_nothing(zones, now_ms) ? 0 : zones->n);
    pg_arg_i64(&a, tenant_id);
    pg_arg_text(&a, region);
    pg_arg_text(&a, names.data);
    int err = pg_begin_own(pg, tenant_id, &own);
    if (!err)
        err = find_or_insert(pg, &a, id);
    return pg_end_own(pg, own, err);
}
