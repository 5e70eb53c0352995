#include "compliance/calling_store.h"

#include "base/pg.h"
#include "base/str.h"
#include "compliance/facts_store.h"

static int set(struct pg *pg, int tenant_id, const char *note, int64_t at_ms)
{
    struct pg_args a = {0};
    bool own = false;

    int err = pg_begin_own(pg, tenant_id, &own);
    if (err)
        return err;
    err = facts_lock_switch(pg, tenant_id, true);
    pg_arg_i64(&a, tenant_id);
    pg_arg_ms(&a, at_ms);
    pg_arg_text(&a, note);
    if (!err)
        err = pg_run(
            pg, NULL,
            "INSERT INTO kill_switches (tenant_id, stopped_at, note) VALUES ($1, "
            "furrow_ts($2), $3) ON CONFLICT (tenant_id) DO UPDATE SET stopped_at = "
            "excluded.stopped_at, note = excluded.note",
            &a);
    return pg_end_own(pg, own, err);
}

int calling_stop(struct pg *pg, int tenant_id, const char *note, int64_t now_ms)
{
    return set(pg, tenant_id, note, now_ms);
}

int calling_resume(struct pg *pg, int tenant_id)
{
    return set(pg, tenant_id, "", 0);
}

int calling_state(struct pg *pg, int tenant_id, int64_t *stopped_at_ms, char *note,
                  size_t size)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};
    bool own = false;

    *stopped_at_ms = 0;
    note[0] = '\0';
    pg_arg_i64(&a, tenant_id);
    int err = pg_begin_own(pg, tenant_id, &own);
    if (err)
        return err;
    err = pg_run(
        pg, &res,
        "SELECT furrow_ms(stopped_at), note FROM kill_switches WHERE tenant_id = $1", &a);
    if (!err && PQntuples(res) > 0) {
        *stopped_at_ms = pg_i64(res, 0, 0);
        str_cut(note, size, pg_text(res, 0, 1));
    }
    return pg_end_own(pg, own, err);
}
