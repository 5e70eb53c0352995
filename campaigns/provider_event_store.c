#include "campaigns/provider_event_store.h"

#include <errno.h>
#include <string.h>

#include "base/pg.h"

/* Of a row (…, request, status, content_type, answer), from that column on. */
static int read_answer(const PGresult *res, int row, int col,
                       const struct provider_event *ev, bool *known,
                       struct provider_answer *out)
{
    uint8_t request[SHA256_BYTES];

    int err = pg_bytes(res, row, col, request, sizeof(request));
    if (err)
        return err;
    if (memcmp(request, ev->request, sizeof(request)) != 0)
        return EACCES;
    *known = true;
    out->status = (int)pg_i64(res, row, col + 1);
    str_cut(out->content_type, sizeof(out->content_type), pg_text(res, row, col + 2));
    buf_puts(&out->body, pg_text(res, row, col + 3));
    return 0;
}

int provider_event_find(struct pg *pg, const struct provider_event *ev, bool *known,
                        struct provider_answer *out)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    *known = false;
    pg_arg_i64(&a, ev->account_id);
    pg_arg_bytes(&a, ev->key, sizeof(ev->key));
    int err = pg_run(pg, &res,
                     "SELECT request, status, content_type, answer FROM provider_events "
                     "WHERE account_id = $1 AND key = $2",
                     &a);
    return err || PQntuples(res) == 0 ? err : read_answer(res, 0, 0, ev, known, out);
}

int provider_events_ask(struct pg *pg, const struct provider_event *const *evs, size_t n)
{
    enum { ACCOUNT, KEY, COLUMNS };
    struct pg_column c[COLUMNS] = {0};
    struct pg_args a = {0};

    for (size_t i = 0; i < n; i++) {
        pg_column_i64(&c[ACCOUNT], evs[i]->account_id);
        pg_column_bytes(&c[KEY], evs[i]->key, sizeof(evs[i]->key));
    }
    for (size_t i = 0; i < COLUMNS; i++)
        pg_arg_column(&a, &c[i]);
    int err = pg_ask(pg,
                     "SELECT q.n, e.request, e.status, e.content_type, e.answer FROM "
                     "unnest($1::bigint[], $2::bytea[]) WITH ORDINALITY q(account_id, "
                     "key, n), LATERAL (SELECT e.request, e.status, e.content_type, "
                     "e.answer FROM provider_events e WHERE e.account_id = q.account_id "
                     "AND e.key = q.key LIMIT 1) e",
                     &a);
    pg_columns_free(c, COLUMNS);
    return err;
}

int provider_events_answer(struct pg *pg, const struct provider_event *const *evs,
                           size_t n, bool *known, struct provider_answer *out, int *errs)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;

    int err = pg_answer(pg, &res);
    for (size_t i = 0; i < n; i++) {
        known[i] = false;
        errs[i] = 0;
    }
    for (int row = 0; !err && row < PQntuples(res); row++) {
        int64_t i = pg_i64(res, row, 0) - 1;
        if (i >= 0 && i < (int64_t)n)
            errs[i] = read_answer(res, row, 1, evs[i], &known[i], &out[i]);
    }
    return err;
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

int provider_events_keep(struct pg *pg, int tenant_id,
                         const struct provider_event *const *evs,
                         const struct provider_answer *answers, size_t n, int64_t now_ms)
{
    enum { ACCOUNT, KEY, REQUEST, STATUS, TYPE, ANSWER, COLUMNS };
    struct pg_column c[COLUMNS] = {0};
    struct pg_args a = {0};

    for (size_t i = 0; i < n; i++) {
        const struct provider_answer *said = &answers[i];
        pg_column_i64(&c[ACCOUNT], evs[i]->account_id);
        pg_column_bytes(&c[KEY], evs[i]->key, sizeof(evs[i]->key));
        pg_column_bytes(&c[REQUEST], evs[i]->request, sizeof(evs[i]->request));
        pg_column_i64(&c[STATUS], said->status);
        pg_column_text(&c[TYPE], said->content_type);
        pg_column_text(&c[ANSWER], said->body.data ? said->body.data : "");
    }
    pg_arg_i64(&a, tenant_id);
    pg_arg_ms(&a, now_ms);
    for (size_t i = 0; i < COLUMNS; i++)
        pg_arg_column(&a, &c[i]);
    int err = pg_run_later(
        pg,
        "INSERT INTO provider_events (account_id, tenant_id, key, request, status, "
        "content_type, answer, at) SELECT account_id, $1::int, key, request, status, "
        "content_type, answer, furrow_ts($2) FROM unnest($3::bigint[], $4::bytea[], "
        "$5::bytea[], $6::bigint[], $7::text[], $8::text[]) v(account_id, key, request, "
        "status, content_type, answer)",
        &a);
    pg_columns_free(c, COLUMNS);
    return err;
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
