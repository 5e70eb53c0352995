#include "campaigns/provider_call_store.h"

#include <errno.h>

#include "base/pg.h"
#include "base/str.h"
#include "base/xalloc.h"

#define COLUMNS                                                                          \
    "p.attempt_id, p.tenant_id, p.account_id, p.version, p.call_id, p.request_id, "      \
    "p.status, p.sequence, p.answered_by, p.cause, p.tech_cause, p.code, p.says, "       \
    "p.duration_s, p.price_micros, p.currency, p.opted_out, furrow_ms(p.callback_at)"

static int read_row(const PGresult *res, int row, struct provider_call *out)
{
    struct provider_call c = {.known = PROVIDER_CALL_NEWS};
    struct provider_call_news *k = &c.known;

    c.tenant_id = (int)pg_i64(res, row, 1);
    c.account_id = pg_i64(res, row, 2);
    c.version = pg_i64(res, row, 3);
    str_cut(k->call_id, sizeof(k->call_id), pg_text(res, row, 4));
    str_cut(k->request_id, sizeof(k->request_id), pg_text(res, row, 5));
    k->sequence = (int)pg_i64(res, row, 7);
    k->cause = (int)pg_i64(res, row, 9);
    k->tech_cause = (int)pg_i64(res, row, 10);
    str_cut(k->code, sizeof(k->code), pg_text(res, row, 11));
    str_cut(k->says, sizeof(k->says), pg_text(res, row, 12));
    k->duration_s = (int)pg_i64(res, row, 13);
    k->price_micros = pg_i64(res, row, 14);
    str_cut(k->currency, sizeof(k->currency), pg_text(res, row, 15));
    k->opted_out = pg_bool(res, row, 16);
    k->callback_at_ms = pg_i64(res, row, 17);
    if (pg_uuid(res, row, 0, &k->attempt) ||
        !provider_call_status_parse(pg_text(res, row, 6), &k->status) ||
        !provider_answered_by_parse(pg_text(res, row, 8), &k->answered_by))
        return EPROTO;
    *out = c;
    return 0;
}

/* ---- told ---- */

static int ensure(struct pg *pg, int64_t account_id, const struct uuid *attempt,
                  int64_t now_ms)
{
    struct pg_args a = {0};

    pg_arg_uuid(&a, attempt);
    pg_arg_i64(&a, account_id);
    pg_arg_ms(&a, now_ms);
    return pg_run(
        pg, NULL,
        "INSERT INTO provider_calls (attempt_id, tenant_id, account_id, "
        "changed_at) SELECT a.id, a.tenant_id, t.account_id, furrow_ts($3) FROM "
        "attempts a JOIN trunks t ON t.id = a.trunk_id WHERE a.id = $1 AND "
        "t.account_id = $2 ON CONFLICT (attempt_id) DO NOTHING",
        &a);
}

static int hold(struct pg *pg, int64_t account_id, const struct uuid *attempt,
                struct provider_call *out)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    pg_arg_uuid(&a, attempt);
    pg_arg_i64(&a, account_id);
    int err = pg_run(pg, &res,
                     "SELECT " COLUMNS " FROM provider_calls p WHERE p.attempt_id = $1 "
                     "AND p.account_id = $2 FOR UPDATE",
                     &a);
    if (!err && PQntuples(res) == 0)
        err = ENOENT;
    return err ? err : read_row(res, 0, out);
}

static int write_row(struct pg *pg, const struct provider_call *c, int64_t now_ms)
{
    const struct provider_call_news *k = &c->known;
    struct pg_args a = {0};

    pg_arg_uuid(&a, &k->attempt);
    pg_arg_i64(&a, c->version);
    pg_arg_text(&a, k->call_id);
    pg_arg_text(&a, k->request_id);
    pg_arg_text(&a, provider_call_status_name(k->status));
    pg_arg_i64(&a, k->sequence);
    pg_arg_text(&a, provider_answered_by_name(k->answered_by));
    pg_arg_i64(&a, k->cause);
    pg_arg_i64(&a, k->tech_cause);
    pg_arg_text(&a, k->code);
    pg_arg_text(&a, k->says);
    pg_arg_i64(&a, k->duration_s);
    pg_arg_i64(&a, k->price_micros);
    pg_arg_text(&a, k->currency);
    pg_arg_bool(&a, k->opted_out);
    pg_arg_ms(&a, k->callback_at_ms);
    pg_arg_ms(&a, now_ms);
    return pg_run(
        pg, NULL,
        "UPDATE provider_calls SET version = $2, call_id = $3, request_id = $4, "
        "status = $5, sequence = $6, answered_by = $7, cause = $8, tech_cause = "
        "$9, code = $10, says = $11, duration_s = $12, price_micros = $13, "
        "currency = $14, opted_out = $15, callback_at = furrow_ts($16), "
        "changed_at = furrow_ts($17) WHERE attempt_id = $1",
        &a);
}

static int told(struct pg *pg, int64_t account_id, const struct provider_call_news *news,
                int64_t now_ms, bool *changed)
{
    struct provider_call call;

    int err = hold(pg, account_id, &news->attempt, &call);
    if (err == ENOENT) {
        err = ensure(pg, account_id, &news->attempt, now_ms);
        if (!err)
            err = hold(pg, account_id, &news->attempt, &call);
    }
    if (err)
        return err;
    *changed = provider_call_merge(&call, news);
    return *changed ? write_row(pg, &call, now_ms) : 0;
}

int provider_call_told(struct pg *pg, int tenant_id, int64_t account_id,
                       const struct provider_call_news *news, int64_t now_ms,
                       bool *changed)
{
    bool own = false, any = false;
    int err = pg_begin_own(pg, tenant_id, &own);

    if (!err)
        err = pg_end_own(pg, own, told(pg, account_id, news, now_ms, &any));
    if (changed)
        *changed = !err && any;
    return err;
}

/* ---- read ---- */

static int changed_rows(struct pg *pg, const struct uuid *ids, const int64_t *versions,
                        size_t n, PGresult **res)
{
    CLEANUP(buf_free) struct buf id_array = {0}, version_array = {0};
    struct pg_args a = {0};

    pg_array_uuid(&id_array, ids, n);
    pg_array_i64(&version_array, versions, n);
    pg_arg_text(&a, id_array.data);
    pg_arg_text(&a, version_array.data);
    return pg_run(pg, res,
                  "SELECT " COLUMNS " FROM unnest($1::uuid[], $2::bigint[]) k(id, "
                  "version) JOIN provider_calls p ON p.attempt_id = k.id AND p.version > "
                  "k.version",
                  &a);
}

int provider_calls_changed(struct pg *pg, int tenant_id, const struct uuid *ids,
                           const int64_t *versions, size_t n, struct provider_call **out,
                           size_t *found)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    bool own = false;

    *out = NULL;
    *found = 0;
    int err = pg_begin_own(pg, tenant_id, &own);
    if (!err)
        err = pg_end_own(pg, own, changed_rows(pg, ids, versions, n, &res));
    if (err)
        return err;
    int rows = PQntuples(res);
    CLEANUP(free_cleanup)
    struct provider_call *all = xcalloc((size_t)rows + 1, sizeof(*all));
    for (int i = 0; !err && i < rows; i++)
        err = read_row(res, i, &all[i]);
    if (err)
        return err;
    *found = (size_t)rows;
    *out = STEAL(all);
    return 0;
}

int provider_call_others(struct pg *pg, int tenant_id, int64_t account_id,
                         const struct uuid *attempt, int64_t phone, char **out)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    pg_arg_i64(&a, phone);
    pg_arg_uuid(&a, attempt);
    pg_arg_i64(&a, account_id);
    int err = pg_run_alone(
        pg, tenant_id, &res,
        "SELECT E'\\n' || coalesce(string_agg(p.call_id || E'\\n' || p.request_id, "
        "E'\\n'), "
        "'') || E'\\n' FROM (SELECT id FROM attempts WHERE phone = $1 AND id <> $2 ORDER "
        "BY "
        "intent_at DESC LIMIT 50) a JOIN provider_calls p ON p.attempt_id = a.id AND "
        "p.account_id = $3",
        &a);
    if (!err)
        *out = xstrdup(pg_text(res, 0, 0));
    return err;
}

int provider_call_load(struct pg *pg, int tenant_id, const struct uuid *attempt,
                       struct provider_call *out)
{
    CLEANUP(free_cleanup) struct provider_call *all = NULL;
    const int64_t none = -1;
    size_t n = 0;

    int err = provider_calls_changed(pg, tenant_id, attempt, &none, 1, &all, &n);
    if (!err && n == 0)
        err = ENOENT;
    if (!err)
        *out = all[0];
    return err;
}
