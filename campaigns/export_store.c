#include "campaigns/export_store.h"

#include <errno.h>

#include "base/pg.h"
#include "base/str.h"

enum { NAMES_SHOWN = 20 };

int export_find_list(struct pg *pg, int tenant_id, const char *name, int64_t *list_id,
                     struct errtext *e)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    CLEANUP(buf_free) struct buf names = {0};
    struct pg_args a = {0};
    bool own = false;

    pg_arg_text(&a, name);
    pg_arg_i64(&a, NAMES_SHOWN);
    int err = pg_begin_own(pg, tenant_id, &own);
    if (!err)
        err = pg_end_own(pg, own,
                         pg_run(pg, &res,
                                "SELECT id, name FROM lists ORDER BY name <> $1, name "
                                "LIMIT $2",
                                &a));
    if (err)
        return errtext_set(e, err, 0, 0, "%s", pg_error(pg));
    if (PQntuples(res) > 0 && str_is(pg_text(res, 0, 1), name)) {
        *list_id = pg_i64(res, 0, 0);
        return 0;
    }
    for (int i = 0; i < PQntuples(res); i++)
        buf_printf(&names, "%s%s", i ? ", " : "", pg_text(res, i, 1));
    return errtext_set(e, ENOENT, 0, 0, "there is no list '%s'; there are: %s", name,
                       names.len ? names.data : "none");
}

/* $1 the list or the campaign. */
#define OF_LIST "FROM contacts c WHERE c.list_id = $1 "
#define OF_CAMPAIGN                                                                      \
    "FROM campaign_contacts k JOIN contacts c ON c.id = k.contact_id WHERE "             \
    "k.campaign_id = $1 "

int export_keys(struct pg *pg, int tenant_id, const struct export_source *from,
                json_t **out)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};
    bool own = false;

    pg_arg_i64(&a, from->campaign_id ? from->campaign_id : from->list_id);
    int err = pg_begin_own(pg, tenant_id, &own);
    if (!err)
        err = pg_end_own(
            pg, own,
            pg_run(pg, &res,
                   from->campaign_id
                       ? "SELECT DISTINCT jsonb_object_keys(c.attrs) " OF_CAMPAIGN
                         "ORDER BY 1"
                       : "SELECT DISTINCT jsonb_object_keys(c.attrs) " OF_LIST
                         "ORDER BY 1",
                   &a));
    if (err)
        return err;
    *out = json_array();
    for (int i = 0; i < PQntuples(res); i++)
        json_array_append_new(*out, json_string(pg_text(res, i, 0)));
    return 0;
}

#define COLUMNS                                                                          \
    "c.id, c.phone, c.region, c.number_type AS type, c.person, c.person_rank, c.attrs"

int export_page(struct pg *pg, int tenant_id, const struct export_source *from,
                size_t max, int64_t *after_id, size_t *n, export_fn *each, void *arg)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};
    bool own = false;

    *n = 0;
    pg_arg_i64(&a, from->campaign_id ? from->campaign_id : from->list_id);
    pg_arg_i64(&a, *after_id);
    pg_arg_i64(&a, (int64_t)max);
    int err = pg_begin_own(pg, tenant_id, &own);
    if (!err)
        err = pg_end_own(
            pg, own,
            pg_run(pg, &res,
                   from->campaign_id
                       ? "SELECT id, row_to_json(q) FROM (SELECT " COLUMNS
                         ", k.state, k.attempts, k.last_disposition, k.final, CASE WHEN "
                         "k.state = 'pending' THEN furrow_ms(k.next_attempt_at) END AS "
                         "next_attempt_at " OF_CAMPAIGN
                         "AND k.contact_id > $2 ORDER BY k.contact_id LIMIT $3) q"
                       : "SELECT id, row_to_json(q) FROM (SELECT " COLUMNS " " OF_LIST
                         "AND c.id > $2 ORDER BY c.id LIMIT $3) q",
                   &a));
    for (int i = 0; !err && i < PQntuples(res); i++) {
        json_auto_t *contact = json_loads(pg_text(res, i, 1), 0, NULL);
        *after_id = pg_i64(res, i, 0);
        err = contact ? each(contact, arg) : EPROTO;
        (*n)++;
    }
    return err;
}
