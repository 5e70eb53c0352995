#include "workers/opt_outs.h"

#include <errno.h>

#include "base/log.h"
#include "base/pg.h"

/* Until the do-not-call store is there, a spoken opt-out stays a failed job, in
 * sight, rather than be half done without the lock that orders it. */
int opt_out_spoken(struct pg *pg, int tenant_id, int64_t phone,
                   const struct uuid *call_id, int64_t now_ms)
{
    (void)pg, (void)tenant_id, (void)call_id, (void)now_ms;
    if (phone == 0)
        return 0;
    log_error("nlu", "a spoken opt-out cannot be stored by this build");
    return ENOTSUP;
}

int opt_out_by_sms(struct pg *pg, int tenant_id, int64_t phone, bool *out)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    (void)tenant_id; /* row security */
    pg_arg_i64(&a, phone);
    int err = pg_run(pg, &res,
                     "SELECT 1 FROM dnc_entries WHERE phone = $1 AND source = 'sms' AND "
                     "removed_at IS NULL LIMIT 1",
                     &a);
    *out = !err && PQntuples(res) > 0;
    return err;
}
