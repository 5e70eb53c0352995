#include "campaigns/text_call_store.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/pg.h"
#include "base/str.h"
#include "base/xalloc.h"

void text_call_row_free(struct text_call_row *r)
{
    json_decref(r->menu_path);
    json_decref(r->inputs);
    json_decref(r->variables);
    json_decref(r->unheard);
    free(r->state);
    *r = (struct text_call_row){0};
}

int text_call_add(struct pg *pg, const struct text_call_row *r, int64_t now_ms)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    pg_arg_uuid(&a, &r->call);
    pg_arg_i64(&a, r->tenant_id);
    pg_arg_text(&a, r->public_id);
    pg_arg_text(&a, r->caller_number);
    pg_arg_i64(&a, r->flow_revision_id);
    pg_arg_text(&a, r->flow_sha256);
    pg_arg_text(&a, r->language);
    pg_arg_ms(&a, now_ms);
    int err = pg_run(pg, &res,
                     "INSERT INTO text_calls (call_id, tenant_id, public_id, "
                     "caller_number, flow_revision_id, flow_sha256, language, begun_at) "
                     "VALUES ($1, $2, $3, $4, $5, $6, $7, furrow_ts($8)) ON CONFLICT "
                     "(tenant_id, public_id) DO NOTHING RETURNING 1",
                     &a);
    return !err && PQntuples(res) == 0 ? EEXIST : err;
}

/* In a statement of its own: who waited for a row gets it as it is then, but a row beside
 * it, which has the call's state, as it was before. */
static int lock(struct pg *pg, int tenant_id, const char *public_id)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    pg_arg_i64(&a, tenant_id);
    pg_arg_text(&a, public_id);
    int err = pg_run(pg, &res,
                     "SELECT 1 FROM text_calls WHERE tenant_id = $1 AND public_id = $2 "
                     "FOR UPDATE",
                     &a);
    return err || PQntuples(res) > 0 ? err : ENOENT;
}

int text_call_find(struct pg *pg, int tenant_id, const char *public_id,
                   struct text_call_row *out)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    int err = lock(pg, tenant_id, public_id);
    if (err)
        return err;
    pg_arg_i64(&a, tenant_id);
    pg_arg_text(&a, public_id);
    err = pg_run(pg, &res,
                 "SELECT t.call_id, t.caller_number, t.flow_revision_id, "
                 "t.flow_sha256, t.language, t.current_menu, t.input_buffer, "
                 "t.menu_path, t.inputs, t.variables, t.unheard, "
                 "furrow_ms(t.due_at), t.ended_at IS NOT NULL, k.state FROM "
                 "text_calls t LEFT JOIN ivr_sessions k ON k.call_id = t.call_id "
                 "WHERE t.tenant_id = $1 AND t.public_id = $2",
                 &a);
    if (err)
        return err;
    if (PQntuples(res) == 0)
        return ENOENT;
    struct text_call_row r = {.tenant_id = tenant_id,
                              .flow_revision_id = pg_i64(res, 0, 2),
                              .due_at_ms = pg_i64(res, 0, 11),
                              .ended = pg_bool(res, 0, 12)};
    if (pg_uuid(res, 0, 0, &r.call) ||
        str_copy(r.public_id, sizeof(r.public_id), public_id) ||
        str_copy(r.caller_number, sizeof(r.caller_number), pg_text(res, 0, 1)) ||
        str_copy(r.flow_sha256, sizeof(r.flow_sha256), pg_text(res, 0, 3)) ||
        str_copy(r.language, sizeof(r.language), pg_text(res, 0, 4)) ||
        str_copy(r.current_menu, sizeof(r.current_menu), pg_text(res, 0, 5)) ||
        str_copy(r.input_buffer, sizeof(r.input_buffer), pg_text(res, 0, 6)))
        return EBADMSG;
    err = pg_bytes_dup(res, 0, 13, &r.state, &r.state_len);
    if (err)
        return err;
    r.menu_path = json_loads(pg_text(res, 0, 7), 0, NULL);
    r.inputs = json_loads(pg_text(res, 0, 8), 0, NULL);
    r.variables = json_loads(pg_text(res, 0, 9), 0, NULL);
    r.unheard = pg_is_null(res, 0, 10) ? NULL : json_loads(pg_text(res, 0, 10), 0, NULL);
    *out = r;
    return 0;
}

int text_call_write(struct pg *pg, const struct text_call_row *r, int64_t now_ms)
{
    CLEANUP(free_cleanup) char *path = json_dumps(r->menu_path, JSON_COMPACT);
    CLEANUP(free_cleanup) char *inputs = json_dumps(r->inputs, JSON_COMPACT);
    CLEANUP(free_cleanup) char *variables = json_dumps(r->variables, JSON_COMPACT);
    CLEANUP(free_cleanup)
    char *unheard = r->unheard ? json_dumps(r->unheard, JSON_COMPACT) : NULL;
    struct pg_args a = {0};

    pg_arg_uuid(&a, &r->call);
    pg_arg_text(&a, r->current_menu);
    pg_arg_text(&a, r->input_buffer);
    pg_arg_text(&a, path ? path : "[]");
    pg_arg_text(&a, inputs ? inputs : "[]");
    pg_arg_text(&a, variables ? variables : "{}");
    pg_arg_text(&a, unheard);
    pg_arg_ms(&a, r->due_at_ms);
    pg_arg_bool(&a, r->ended);
    pg_arg_ms(&a, now_ms);
    pg_arg_text(&a, r->language);
    return pg_run(pg, NULL,
                  "UPDATE text_calls SET current_menu = $2, input_buffer = $3, menu_path "
                  "= $4, inputs = $5, variables = $6, unheard = $7, due_at = "
                  "furrow_ts($8), ended_at = CASE WHEN $9 THEN coalesce(ended_at, "
                  "furrow_ts($10)) END, language = $11 WHERE call_id = $1",
                  &a);
}

int text_call_count_of(struct pg *pg, int tenant_id, const char *caller_number,
                       int64_t since_ms, int64_t *out)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0}, lock = {0};

    pg_arg_i64(&lock, tenant_id);
    pg_arg_text(&lock, caller_number);
    int err = pg_run(pg, NULL,
                     "SELECT pg_advisory_xact_lock(hashtextextended('text_call/' || "
                     "$1::text || '/' || $2::text, 0))",
                     &lock);
    if (err)
        return err;
    pg_arg_i64(&a, tenant_id);
    pg_arg_text(&a, caller_number);
    pg_arg_ms(&a, since_ms);
    err = pg_run(pg, &res,
                 "SELECT count(*) FROM text_calls WHERE tenant_id = $1 AND caller_number "
                 "= $2 AND begun_at > furrow_ts($3)",
                 &a);
    *out = err ? 0 : pg_i64(res, 0, 0);
    return err;
}

int text_calls_due(struct pg *pg, int tenant_id, int64_t now_ms,
                   char (*out)[TEXT_CALL_ID_MAX], size_t max, size_t *n)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    pg_arg_i64(&a, tenant_id);
    pg_arg_ms(&a, now_ms);
    pg_arg_i64(&a, (int64_t)max);
    int err = pg_run(pg, &res,
                     "SELECT public_id FROM text_calls WHERE tenant_id = $1 AND ended_at "
                     "IS NULL AND due_at <= furrow_ts($2) ORDER BY due_at LIMIT $3",
                     &a);
    *n = 0;
    for (int i = 0; !err && i < PQntuples(res); i++)
        str_cut(out[(*n)++], TEXT_CALL_ID_MAX, pg_text(res, i, 0));
    return err;
}

int text_calls_count(struct pg *pg, int tenant_id, int64_t *live, int64_t *ended)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    pg_arg_i64(&a, tenant_id);
    int err = pg_run(pg, &res,
                     "SELECT count(*) FILTER (WHERE ended_at IS NULL), count(ended_at) "
                     "FROM text_calls WHERE tenant_id = $1",
                     &a);
    *live = err ? 0 : pg_i64(res, 0, 0);
    *ended = err ? 0 : pg_i64(res, 0, 1);
    return err;
}
