#include "campaigns/kept_call_store.h"

#include <string.h>

#include "base/pg.h"

int kept_call_write(struct pg *pg, const struct kept_call *k, int64_t now_ms)
{
    struct pg_args a = {0};
    bool own = false;

    if (k->phone <= 0)
        return 0;
    pg_arg_i64(&a, k->tenant_id);
    pg_arg_i64(&a, k->phone);
    pg_arg_i64(&a, k->flow_revision_id);
    pg_arg_uuid(&a, &k->call);
    pg_arg_bytes(&a, k->state, k->state_len);
    pg_arg_ms(&a, now_ms);
    int err = pg_begin_own(pg, k->tenant_id, &own);
    if (err)
        return err;
    return pg_end_own(
        pg, own,
        pg_run(pg, NULL,
               "INSERT INTO kept_calls (tenant_id, phone, flow_revision_id, call_id, "
               "state, at) VALUES ($1, $2, $3, $4, $5, furrow_ts($6)) ON CONFLICT "
               "(tenant_id, phone, flow_revision_id) DO UPDATE SET call_id = $4, state = "
               "$5, at = furrow_ts($6)",
               &a));
}

int kept_call_forget(struct pg *pg, int tenant_id, int64_t now_ms)
{
    struct pg_args a = {0};
    bool own = false;

    pg_arg_ms(&a, now_ms - KEPT_CALL_MS);
    int err = pg_begin_own(pg, tenant_id, &own);
    return err ? err
               : pg_end_own(pg, own,
                            pg_run(pg, NULL,
                                   "DELETE FROM kept_calls WHERE at <= furrow_ts($1)",
                                   &a));
}
