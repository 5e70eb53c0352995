#include "contacts/contact_store.h"

#include <errno.h>

#include "base/pg.h"
#include "base/str.h"

int contact_lists(struct pg *pg, int tenant_id, contact_list_fn *each, void *arg)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    bool own = false;
    int err = pg_begin_own(pg, tenant_id, &own);

    if (!err)
        err = pg_run(pg, &res,
                     "SELECT l.name, coalesce(c.n, 0), i.n, furrow_ms(l.created_at), "
                     "coalesce(furrow_ms(i.last), 0) FROM lists l LEFT JOIN (SELECT "
                     "list_id, count(*) AS n FROM contacts GROUP BY 1) c ON c.list_id = "
                     "l.id CROSS JOIN LATERAL (SELECT count(*) AS n, "
                     "max(finished_at) AS last FROM imports i WHERE i.list_id = l.id AND "
                     "i.state = 'done') i ORDER BY l.name",
                     NULL);
    err = pg_end_own(pg, own, err);
    for (int row = 0; !err && row < PQntuples(res); row++) {
        struct contact_list list = {.contacts = pg_i64(res, row, 1),
                                    .imports = pg_i64(res, row, 2),
                                    .created_at_ms = pg_i64(res, row, 3),
                                    .last_import_ms = pg_i64(res, row, 4)};

        str_cut(list.name, sizeof(list.name), pg_text(res, row, 0));
        err = each(&list, arg);
    }
    return err;
}

int contact_find(struct pg *pg, int tenant_id, int64_t phone, contact_entry_fn *each,
                 void *arg)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};
    bool own = false;

    pg_arg_i64(&a, phone);
    int err = pg_begin_own(pg, tenant_id, &own);
    if (!err)
        err = pg_run(pg, &res,
                     "SELECT c.id, l.name, c.region, c.attrs, array_to_string(z.zones, "
                     "', '), c.number_type, coalesce(c.import_id, 0) FROM contacts c "
                     "JOIN lists l ON l.id = c.list_id JOIN zone_groups z ON z.id = "
                     "c.zone_group WHERE c.tenant_id = furrow_tenant() AND c.phone = $1 "
                     "ORDER BY l.name",
                     &a);
    err = pg_end_own(pg, own, err);
    for (int row = 0; !err && row < PQntuples(res); row++)
        err = each(&(struct contact_entry){.id = pg_i64(res, row, 0),
                                           .phone = phone,
                                           .list = pg_text(res, row, 1),
                                           .region = pg_text(res, row, 2),
                                           .attrs = pg_text(res, row, 3),
                                           .zones = pg_text(res, row, 4),
                                           .type = (enum phone_type)pg_i64(res, row, 5),
                                           .import_id = pg_i64(res, row, 6)},
                   arg);
    return err;
}

int contact_rejects(struct pg *pg, int tenant_id, int64_t import_id,
                    contact_reject_fn *each, void *arg)
{
    CLEANUP(pg_result_free) PGresult *which = NULL, *res = NULL;
    struct pg_args a = {0}, b = {0};
    bool own = false;

    pg_arg_i64(&a, import_id);
    int err = pg_begin_own(pg, tenant_id, &own);
    if (!err)
        err = pg_run(pg, &which,
                     "SELECT id FROM imports WHERE id = $1 OR $1 = 0 ORDER BY id DESC "
                     "LIMIT 1",
                     &a);
    if (!err && PQntuples(which) == 0)
        err = ENOENT;
    if (!err) {
        import_id = pg_i64(which, 0, 0);
        pg_arg_i64(&b, import_id);
        err = pg_run(pg, &res,
                     "SELECT line, column_name, value, reason FROM import_rejects WHERE "
                     "import_id = $1 ORDER BY line",
                     &b);
    }
    err = pg_end_own(pg, own, err);
    for (int row = 0; !err && row < PQntuples(res); row++)
        err = each(&(struct contact_reject){.import_id = import_id,
                                            .line = pg_i64(res, row, 0),
                                            .column = pg_text(res, row, 1),
                                            .value = pg_text(res, row, 2),
                                            .reason = pg_text(res, row, 3)},
                   arg);
    return err;
}
