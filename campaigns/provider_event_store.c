#include "campaigns/provider_event_store.h"

#include <errno.h>
#include <string.h>

#include "base/pg.h"

int provider_event_find(struct pg *pg, const struct provider_event *ev, bool *known,
                        struct provider_answer *out)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};
    uint8_t request[SHA256_BYTES];

    *known = false;
    pg_arg_i64(&a, ev->account_id);
    pg_arg_bytes(&a, ev->key, sizeof(ev->key));
    int err = pg_run(pg, &res,
                     "SELECT request, status, content_type, answer FROM provider_events "
                     "WHERE account_id = $1 AND key = $2",
                     &a);
    if (err || PQntuples(res) == 0)
        return err;
    err = pg_bytes(res, 0, 0, request, sizeof(request));
    if (err)
        return err;
    if (memcmp(request, ev->request, sizeof(request)) != 0)
        return EACCES;
    *known = true;
    out->status = (int)pg_i64(res, 0, 1);
    str_cut(out->content_type, sizeof(out->content_type), pg_text(res, 0, 2));
    buf_puts(&out->body, pg_text(res, 0, 3));
    return 0;
}

int provider_event_keep(struct pg *pg, int tenant_id, const struct provider_event *ev,
                        const struct provider_answer *answer, int64_t now_ms)
{
    struct pg_args a = {0};

    pg_arg_i64(&a, ev->account_id);
    pg_arg_i64(&a, tenant_id);
    pg_arg_bytes(&a, ev->key, sizeof(ev->key));
    pg_arg_bytes(&a, ev->request, sizeof(ev->request));
    pg_arg_i64(&a, answer->status);
    pg_arg_text(&a, answer->content_type);
    pg_arg_text(&a, answer->body.data ? answer->body.data : "");
    pg_arg_ms(&a, now_ms);
    return pg_run_later(
        pg,
        "INSERT INTO provider_events (account_id, tenant_id, key, request, "
        "status, content_type, answer, at) VALUES ($1, $2, $3, $4, $5, $6, $7, "
        "furrow_ts($8))",
        &a);
}

int provider_event_forget(struct pg *pg, int64_t before_ms, int max, int *n)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    pg_arg_ms(&a, before_ms);
    pg_arg_i64(&a, max);
    int err =
        pg_run(pg, &res, "SELECT furrow_forget_provider_events(furrow_ts($1), $2)", &a);
    *n = err ? 0 : (int)pg_i64(res, 0, 0);
    return err;
}
