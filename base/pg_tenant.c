/* The few lookups every program makes of an installation. */
#include "base/pg.h"

#include <errno.h>

/* Says which there are, some of them. */
static int no_such_tenant(struct pg *pg, const char *name, struct errtext *e)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    CLEANUP(buf_free) struct buf names = {0};

    int err = pg_run(pg, &res, "SELECT name FROM tenants ORDER BY name LIMIT 20", NULL);
    for (int i = 0; !err && i < PQntuples(res); i++)
        buf_printf(&names, "%s%s", i ? ", " : "", pg_text(res, i, 0));
    return errtext_set(e, ENOENT, 0, 0, "no tenant '%s'; there are: %s", name,
                       names.data ? names.data : "none");
}

int pg_tenant_find(struct pg *pg, const char *name, int *out, struct errtext *e)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    pg_arg_text(&a, name);
    int err = pg_run(pg, &res, "SELECT id FROM tenants WHERE name = $1", &a);
    if (err)
        return errtext_set(e, err, 0, 0, "tenants: %s", pg_error(pg));
    if (PQntuples(res) == 0)
        return no_such_tenant(pg, name, e);
    *out = (int)pg_i64(res, 0, 0);
    return 0;
}

int pg_tenant_add(struct pg *pg, const char *name)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    pg_arg_text(&a, name);
    int err = pg_run(pg, &res,
                     "INSERT INTO tenants (name) VALUES ($1) ON CONFLICT DO NOTHING", &a);
    return err || pg_affected(res) > 0 ? err : EEXIST;
}

int pg_tenants(struct pg *pg, int *ids, size_t max, size_t *n)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;

    int err = pg_run(pg, &res, "SELECT id FROM tenants ORDER BY id", NULL);
    if (err)
        return err;
    *n = 0;
    for (int i = 0; i < PQntuples(res) && *n < max; i++)
        ids[(*n)++] = (int)pg_i64(res, i, 0);
    return 0;
}

int pg_installation(struct pg *pg, char out[INSTALLATION_ID_MAX])
{
    CLEANUP(pg_result_free) PGresult *res = NULL;

    int err = pg_run(pg, &res, "SELECT id FROM installation", NULL);
    if (err)
        return err;
    return PQntuples(res) == 1 ? str_copy(out, INSTALLATION_ID_MAX, pg_text(res, 0, 0))
                               : ENOENT;
}
