#include "campaigns/extension_store.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "base/pg.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "campaigns/flow_store.h"
#include "campaigns/names_store.h"

static int check(const struct extension_row *row, struct errtext *e)
{
    size_t len = strlen(row->number);

    for (size_t i = 0; i < len; i++)
        if (!isdigit((unsigned char)row->number[i]))
            return errtext_set(
                e, EINVAL, 0, 0,
                "'%s' is no number to dial in: digits only, as the switch "
                "passes them, e.g. 2001 or 251115550100, or all of +251115550100",
                row->number);
    if (len == 0)
        return errtext_set(e, EINVAL, 0, 0, "an extension needs a number");
    if (row->missed_call && !row->callback_campaign[0])
        return errtext_set(e, EINVAL, 0, 0,
                           "a missed-call number needs the campaign whose rules the "
                           "callback obeys");
    return 0;
}

static int find_campaign(struct pg *pg, const char *name, int64_t *id, struct errtext *e)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    *id = 0;
    if (!name[0])
        return 0;
    pg_arg_text(&a, name);
    int err = pg_run(pg, &res, "SELECT id FROM campaigns WHERE name = $1", &a);
    if (err)
        return errtext_set(e, err, 0, 0, "%s", pg_error(pg));
    if (PQntuples(res) == 0)
        return names_missing(pg, "campaign", "campaigns", name, e);
    *id = pg_i64(res, 0, 0);
    return 0;
}

static int add(struct pg *pg, int tenant_id, const struct extension_row *row,
               int64_t now_ms, struct errtext *e)
{
    struct flow_row flow = {0};
    struct pg_args a = {0};
    int64_t campaign_id = 0;

    int err = flow_find(pg, tenant_id, row->flow, &flow, e);
    if (!err)
        err = find_campaign(pg, row->callback_campaign, &campaign_id, e);
    if (err)
        return err;
    pg_arg_i64(&a, tenant_id);
    pg_arg_text(&a, row->number);
    pg_arg_i64(&a, flow.flow_id);
    pg_arg_bool(&a, row->missed_call);
    if (campaign_id)
        pg_arg_i64(&a, campaign_id);
    else
        pg_arg_null(&a);
    pg_arg_ms(&a, now_ms);
    err = pg_run(pg, NULL,
                 "INSERT INTO extensions (tenant_id, number, flow_id, missed_call, "
                 "callback_campaign_id, created_at) VALUES ($1, $2, $3, $4, $5, "
                 "furrow_ts($6))",
                 &a);
    if (err == EEXIST)
        return errtext_set(
            e, err, 0, 0,
            "number %s is taken; if 'furrow extension list' shows it, it is "
            "yours: remove it first",
            row->number);
    return err ? errtext_set(e, err, 0, 0, "%s", pg_error(pg)) : 0;
}

int extension_add(struct pg *pg, int tenant_id, const struct extension_row *row,
                  int64_t now_ms, struct errtext *e)
{
    int err = check(row, e);
    if (err)
        return err;
    err = pg_begin(pg, tenant_id);
    if (err)
        return errtext_set(e, err, 0, 0, "%s", pg_error(pg));
    return pg_end(pg, add(pg, tenant_id, row, now_ms, e));
}

static int list(struct pg *pg, struct extension_row **out, size_t *n)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;

    int err = pg_run(pg, &res,
                     "SELECT x.number, f.name, x.missed_call, c.name FROM extensions x "
                     "JOIN flows f ON f.id = x.flow_id LEFT JOIN campaigns c ON "
                     "c.id = x.callback_campaign_id ORDER BY x.number",
                     NULL);
    if (err)
        return err;
    int rows = PQntuples(res);
    struct extension_row *all = xcalloc((size_t)rows + 1, sizeof(*all));
    for (int i = 0; i < rows; i++) {
        str_cut(all[i].number, sizeof(all[i].number), pg_text(res, i, 0));
        str_cut(all[i].flow, sizeof(all[i].flow), pg_text(res, i, 1));
        all[i].missed_call = pg_bool(res, i, 2);
        str_cut(all[i].callback_campaign, sizeof(all[i].callback_campaign),
                pg_text(res, i, 3));
    }
    *n = (size_t)rows;
    *out = all;
    return 0;
}

int extension_list(struct pg *pg, int tenant_id, struct extension_row **out, size_t *n)
{
    bool own = false;
    int err = pg_begin_own(pg, tenant_id, &own);

    return err ? err : pg_end_own(pg, own, list(pg, out, n));
}

static int remove_one(struct pg *pg, const char *number, struct errtext *e)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    pg_arg_text(&a, number);
    int err = pg_run(pg, &res, "DELETE FROM extensions WHERE number = $1", &a);
    if (err)
        return errtext_set(e, err, 0, 0, "%s", pg_error(pg));
    if (pg_affected(res) == 0)
        return errtext_set(e, ENOENT, 0, 0,
                           "no extension %s; 'furrow extension list' shows what there is",
                           number);
    return 0;
}

int extension_remove(struct pg *pg, int tenant_id, const char *number, struct errtext *e)
{
    int err = pg_begin(pg, tenant_id);

    if (err)
        return errtext_set(e, err, 0, 0, "%s", pg_error(pg));
    return pg_end(pg, remove_one(pg, number, e));
}
