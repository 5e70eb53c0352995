#include "campaigns/limit_store.h"

#include <errno.h>
#include <string.h>

#include "base/pg.h"
#include "base/str.h"
#include "base/xalloc.h"

static void read_row(const PGresult *res, int i, struct limit_row *out)
{
    out->id = pg_i64(res, i, 0);
    str_cut(out->caller_id, sizeof(out->caller_id), pg_text(res, i, 1));
    out->cps = pg_double(res, i, 2);
    out->max_concurrent = (int)pg_i64(res, i, 3);
}

static int set(struct pg *pg, int tenant_id, const struct limit_row *row, int64_t now_ms)
{
    struct pg_args a = {0};

    pg_arg_i64(&a, tenant_id);
    pg_arg_text(&a, row->caller_id);
    pg_arg_double(&a, row->cps);
    pg_arg_i64(&a, row->max_concurrent);
    pg_arg_ms(&a, now_ms);
    return pg_run(pg, NULL,
                  "INSERT INTO call_limits (tenant_id, caller_id, cps, max_concurrent, "
                  "changed_at) VALUES ($1, $2, $3, $4, furrow_ts($5)) ON CONFLICT "
                  "(tenant_id, caller_id) DO UPDATE SET cps = excluded.cps, "
                  "max_concurrent = excluded.max_concurrent, changed_at = "
                  "excluded.changed_at",
                  &a);
}

int limit_set(struct pg *pg, int tenant_id, const struct limit_row *row, int64_t now_ms,
              struct errtext *e)
{
    if (row->cps <= 0 && row->max_concurrent <= 0)
        return errtext_set(e, EINVAL, 0, 0,
                           "a limit is a rate, a number of calls at once, or both");
    int err = pg_begin(pg, tenant_id);
    if (!err)
        err = set(pg, tenant_id, row, now_ms);
    err = pg_end(pg, err);
    return err ? errtext_set(e, err, 0, 0, "%s", pg_error(pg)) : 0;
}

int limit_remove(struct pg *pg, int tenant_id, const char *caller_id, struct errtext *e)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    pg_arg_text(&a, caller_id);
    int err = pg_begin(pg, tenant_id);
    if (!err)
        err = pg_run(pg, &res, "DELETE FROM call_limits WHERE caller_id = $1 RETURNING 1",
                     &a);
    bool gone = !err && PQntuples(res) == 0;
    err = pg_end(pg, err);
    if (err)
        return errtext_set(e, err, 0, 0, "%s", pg_error(pg));
    return gone ? errtext_set(e, ENOENT, 0, 0,
                              "no such limit is set; 'furrow limit list' shows them")
                : 0;
}

#define COLUMNS "SELECT id, caller_id, cps::float8, max_concurrent FROM call_limits "

int limit_list(struct pg *pg, int tenant_id, struct limit_row **out, size_t *n)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;

    *out = NULL;
    *n = 0;
    int err = pg_begin(pg, tenant_id);
    if (!err)
        err = pg_run(pg, &res, COLUMNS "ORDER BY caller_id", NULL);
    if (!err) {
        *n = (size_t)PQntuples(res);
        *out = xcalloc(*n + 1, sizeof(**out));
        for (size_t i = 0; i < *n; i++)
            read_row(res, (int)i, &(*out)[i]);
    }
    return pg_end(pg, err);
}

int limit_load(struct pg *pg, int tenant_id, const char *caller_id, struct limit_row *out)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    *out = (struct limit_row){0};
    pg_arg_text(&a, caller_id);
    int err = pg_begin(pg, tenant_id);
    if (!err)
        err = pg_run(pg, &res, COLUMNS "WHERE caller_id = $1", &a);
    if (!err && PQntuples(res) == 1)
        read_row(res, 0, out);
    return pg_end(pg, err);
}

int limit_number_is_shown(struct pg *pg, int tenant_id, const char *caller_id, bool *out)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    pg_arg_text(&a, caller_id);
    int err = pg_begin(pg, tenant_id);
    if (!err)
        err = pg_run(pg, &res,
                     "SELECT EXISTS (SELECT FROM campaigns WHERE document->>'caller_id' "
                     "= $1)",
                     &a);
    if (!err)
        *out = pg_bool(res, 0, 0);
    return pg_end(pg, err);
}
