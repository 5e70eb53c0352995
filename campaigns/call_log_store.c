#include "campaigns/call_log_store.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/pg.h"
#include "base/str.h"
#include "base/xalloc.h"

/* An instant as clients read it: 2026-11-26T14:00:00.000Z. */
#define ISO(column)                                                                      \
    "to_char(" column " AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"')"

/* ---- calls ---- */

void menu_call_free(struct menu_call *c)
{
    json_decref(c->path);
    json_decref(c->inputs);
    json_decref(c->seen);
    free(c->document);
    free(c->state);
    *c = (struct menu_call){0};
}

int menu_call_add(struct pg *pg, int tenant_id, const struct menu_call *c, int64_t now_ms)
{
    struct pg_args a = {0};

    pg_arg_i64(&a, tenant_id);
    pg_arg_text(&a, c->uuid);
    pg_arg_text(&a, c->from);
    pg_arg_text(&a, c->to);
    pg_arg_uuid(&a, &c->call);
    pg_arg_i64(&a, c->flow_revision_id);
    pg_arg_text(&a, c->flow_sha256);
    pg_arg_ms(&a, now_ms);
    return pg_run(pg, NULL,
                  "INSERT INTO call_logs (tenant_id, call_uuid, from_number, to_number, "
                  "call_id, flow_revision_id, flow_sha256, start_time, answer_time, "
                  "call_status, created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6, "
                  "$7, furrow_ts($8), furrow_ts($8), 'active', furrow_ts($8), "
                  "furrow_ts($8))",
                  &a);
}

/* Both rows: who waited for one gets it as it is then, but a row beside it that is not
 * locked as it was before. In the order in which a step writes them. */
int menu_call_find(struct pg *pg, const char *uuid, struct menu_call *out)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct menu_call c = {0};
    struct pg_args a = {0};

    pg_arg_text(&a, uuid);
    int err = pg_run(
        pg, &res,
        "SELECT l.from_number, l.to_number, l.call_id, l.flow_revision_id, "
        "l.flow_sha256, l.current_menu_id, l.menu_path, l.user_inputs, l.seen, "
        "l.document, furrow_ms(l.start_time), furrow_ms(l.updated_at), l.end_time IS NOT "
        "NULL, k.state FROM call_logs l JOIN ivr_sessions k ON k.call_id = l.call_id "
        "WHERE l.call_uuid = $1 FOR UPDATE OF k, l",
        &a);
    if (!err && PQntuples(res) == 0)
        err = ENOENT;
    if (err)
        return err;
    c.flow_revision_id = pg_i64(res, 0, 3);
    c.begun_ms = pg_i64(res, 0, 10);
    c.changed_ms = pg_i64(res, 0, 11);
    c.ended = pg_bool(res, 0, 12);
    str_cut(c.uuid, sizeof(c.uuid), uuid);
    str_cut(c.from, sizeof(c.from), pg_text(res, 0, 0));
    str_cut(c.to, sizeof(c.to), pg_text(res, 0, 1));
    str_cut(c.flow_sha256, sizeof(c.flow_sha256), pg_text(res, 0, 4));
    str_cut(c.current, sizeof(c.current), pg_text(res, 0, 5));
    if (pg_uuid(res, 0, 2, &c.call))
        return EPROTO;
    err = pg_bytes_dup(res, 0, 13, &c.state, &c.state_len);
    if (err)
        return err;
    c.path = json_loads(pg_text(res, 0, 6), 0, NULL);
    c.inputs = json_loads(pg_text(res, 0, 7), 0, NULL);
    c.seen = json_loads(pg_text(res, 0, 8), 0, NULL);
    c.document = xstrdup(pg_text(res, 0, 9));
    *out = c;
    return 0;
}

static void renew(json_t **list, const char *text)
{
    json_decref(*list);
    *list = json_loads(text, 0, NULL);
}

int menu_call_write(struct pg *pg, struct menu_call *c, const struct menu_news *news,
                    int64_t now_ms)
{
    CLEANUP(free_cleanup) char *path = news->path ? json_dumps(news->path, 0) : NULL;
    CLEANUP(free_cleanup)
    char *inputs = news->inputs ? json_dumps(news->inputs, 0) : NULL;
    CLEANUP(free_cleanup) char *seen = news->seen ? json_dumps(news->seen, 0) : NULL;
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    pg_arg_text(&a, c->uuid);
    pg_arg_text(&a, path ? path : "[]");
    pg_arg_text(&a, inputs ? inputs : "[]");
    pg_arg_text(&a, seen ? seen : "[]");
    pg_arg_text(&a, news->moved ? c->current : NULL);
    pg_arg_text(&a, news->moved ? c->document : NULL);
    pg_arg_ms(&a, now_ms);
    int err =
        pg_run(pg, &res,
               "UPDATE call_logs SET menu_path = menu_path || $2::jsonb, user_inputs = "
               "user_inputs || $3::jsonb, seen = seen || $4::jsonb, current_menu_id = "
               "coalesce($5, current_menu_id), document = coalesce($6, document), "
               "updated_at = furrow_ts($7) WHERE call_uuid = $1 AND end_time IS "
               "NULL AND NOT EXISTS (SELECT FROM jsonb_array_elements(seen) s, "
               "jsonb_array_elements($4::jsonb) n WHERE s->0 = n->0) RETURNING "
               "menu_path, user_inputs, seen",
               &a);
    if (!err && PQntuples(res) == 0)
        err = ENOENT;
    if (err)
        return err;
    renew(&c->path, pg_text(res, 0, 0));
    renew(&c->inputs, pg_text(res, 0, 1));
    renew(&c->seen, pg_text(res, 0, 2));
    c->changed_ms = now_ms;
    return 0;
}

int menu_call_set_aside(struct pg *pg, const char *uuid)
{
    struct pg_args a = {0};

    pg_arg_text(&a, uuid);
    return pg_run(pg, NULL,
                  "UPDATE call_logs SET call_uuid = call_uuid || '#' || id, end_time = "
                  "coalesce(end_time, updated_at), call_status = 'completed' WHERE "
                  "call_uuid = $1",
                  &a);
}

/* ---- the end ---- */

static int end_log(struct pg *pg, const struct menu_end *end, int *duration_s,
                   char last_menu[32], bool *first)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    pg_arg_text(&a, end->uuid);
    pg_arg_text(&a, end->cause);
    pg_arg_i64(&a, end->duration_s);
    pg_arg_ms(&a, end->at_ms);
    int err = pg_run(pg, &res,
                     "UPDATE call_logs SET end_time = furrow_ts($4), duration = "
                     "greatest($3::int, 0), hangup_cause = $2, call_status = "
                     "'completed', updated_at = furrow_ts($4) WHERE call_uuid = $1 AND "
                     "end_time IS NULL AND call_id IS NOT NULL RETURNING duration, "
                     "menu_path->>-1",
                     &a);
    if (err)
        return err;
    *first = PQntuples(res) > 0;
    if (*first) {
        *duration_s = (int)pg_i64(res, 0, 0);
        str_cut(last_menu, 32, pg_text(res, 0, 1));
    }
    return 0;
}

int menu_call_end(struct pg *pg, int tenant_id, const struct menu_end *end, bool *first)
{
    struct pg_args a = {0};
    char last_menu[32] = "";
    int duration_s = 0;

    int err = end_log(pg, end, &duration_s, last_menu, first);
    if (err || !*first || end->phone <= 0)
        return err;
    pg_arg_i64(&a, tenant_id);
    pg_arg_i64(&a, end->phone);
    pg_arg_i64(&a, duration_s);
    pg_arg_text(&a, last_menu);
    pg_arg_ms(&a, end->at_ms);
    return pg_run(
        pg, NULL,
        "INSERT INTO caller_history AS h (tenant_id, phone, first_call_at, last_call_at, "
        "total_calls, total_duration, last_menu_completed) VALUES ($1, $2, "
        "furrow_ts($5), furrow_ts($5), 1, $3, $4) ON CONFLICT (tenant_id, phone) DO "
        "UPDATE SET first_call_at = coalesce(h.first_call_at, excluded.first_call_at), "
        "last_call_at = greatest(h.last_call_at, excluded.last_call_at), total_calls = "
        "h.total_calls + 1, total_duration = h.total_duration + excluded.total_duration, "
        "last_menu_completed = excluded.last_menu_completed",
        &a);
}

/* ---- over HTTP ---- */

#define LOG_COLUMNS                                                                      \
    "id, call_uuid, from_number, to_number, " ISO("start_time") " AS start_time, " ISO(  \
        "answer_time") " AS answer_time, " ISO("end_time") " AS end_time, duration, "    \
                                                           "call_status, hangup_cause, " \
                                                           "menu_path, "                 \
                                                           "user_inputs, " ISO(          \
                                                               "created_at") " AS "      \
                                                                             "created_"  \
                                                                             "at, " ISO( \
                                                                                 "updat" \
                                                                                 "ed_"   \
                                                                                 "at") " AS updated_at"

/* The one value of a result, as JSON. */
static int take_json(const PGresult *res, json_t **out)
{
    *out = json_loads(PQntuples(res) > 0 ? pg_text(res, 0, 0) : "null", JSON_DECODE_ANY,
                      NULL);
    return *out ? 0 : EPROTO;
}

int call_log_add(struct pg *pg, int tenant_id, const json_t *row, int64_t now_ms,
                 json_t **out)
{
    CLEANUP(free_cleanup) char *text = json_dumps(row, JSON_COMPACT);
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    pg_arg_text(&a, text);
    pg_arg_i64(&a, tenant_id);
    pg_arg_ms(&a, now_ms);
    /* Without a uuid, that of the first free second: "manual-1764165000". */
    int err = pg_run_alone(
        pg, tenant_id, &res,
        "WITH r AS (SELECT *, extract(epoch FROM furrow_ts($3))::bigint AS second FROM "
        "jsonb_to_record($1::jsonb) AS r(call_uuid text, from_number text, to_number "
        "text, duration int, call_status text, hangup_cause text, menu_path jsonb, "
        "user_inputs jsonb)), e AS (INSERT INTO call_logs (tenant_id, call_uuid, "
        "from_number, to_number, start_time, duration, call_status, hangup_cause, "
        "menu_path, user_inputs, created_at, updated_at) SELECT $2, coalesce(call_uuid, "
        "'manual-' || (SELECT min(n) FROM generate_series(second, second + 10000) n "
        "WHERE NOT EXISTS (SELECT FROM call_logs l WHERE l.call_uuid = 'manual-' || "
        "n))), from_number, to_number, furrow_ts($3), duration, call_status, "
        "hangup_cause, menu_path, user_inputs, furrow_ts($3), furrow_ts($3) FROM r "
        "RETURNING *) SELECT to_jsonb(x) FROM (SELECT " LOG_COLUMNS " FROM e) x",
        &a);
    return err ? err : take_json(res, out);
}

int call_log_list(struct pg *pg, int tenant_id, const char *digits, json_t **out)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    pg_arg_i64(&a, CALL_LOGS_MAX);
    if (digits)
        pg_arg_text(&a, digits);
    int err = pg_run_alone(
        pg, tenant_id, &res,
        digits ? "SELECT coalesce(jsonb_agg(to_jsonb(x)), '[]') FROM (SELECT " LOG_COLUMNS
                 " FROM call_logs l WHERE l.from_digits = $2 ORDER BY l.start_time DESC, "
                 "l.id DESC LIMIT $1) x"
               : "SELECT coalesce(jsonb_agg(to_jsonb(x)), '[]') FROM (SELECT " LOG_COLUMNS
                 " FROM call_logs l ORDER BY l.start_time DESC, l.id DESC LIMIT $1) x",
        &a);
    return err ? err : take_json(res, out);
}

int caller_history_find(struct pg *pg, int tenant_id, int64_t phone, json_t **out)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    pg_arg_i64(&a, phone);
    int err = pg_run_alone(
        pg, tenant_id, &res,
        "SELECT to_jsonb(x) FROM (SELECT " ISO("first_call_at") " AS first_call_at, " ISO(
            "last_call_at") " AS last_call_at, total_calls, total_duration, CASE WHEN "
                            "total_calls > 0 THEN round(total_duration::numeric / "
                            "total_calls, 1) ELSE 0 END "
                            "AS average_duration, total_calls > 1 AS "
                            "is_returning_caller, "
                            "coalesce(nullif(language, ''), 'en') AS preferred_language, "
                            "last_menu_completed, extra_data FROM caller_history WHERE "
                            "phone = $1) x",
        &a);
    return err ? err : take_json(res, out);
}

int caller_session_write(struct pg *pg, int tenant_id, const char *caller_id,
                         const json_t *session, int64_t now_ms, int64_t expires_ms)
{
    CLEANUP(free_cleanup) char *text = json_dumps(session, JSON_COMPACT);
    struct pg_args a = {0};

    pg_arg_i64(&a, tenant_id);
    pg_arg_text(&a, caller_id);
    pg_arg_text(&a, text);
    pg_arg_ms(&a, expires_ms);
    pg_arg_ms(&a, now_ms);
    return pg_run_alone(
        pg, tenant_id, NULL,
        "WITH old AS (DELETE FROM caller_sessions WHERE expires_at < furrow_ts($5) AND "
        "caller_id <> $2) INSERT INTO caller_sessions (tenant_id, caller_id, session, "
        "expires_at) VALUES ($1, $2, $3, furrow_ts($4)) ON CONFLICT (tenant_id, "
        "caller_id) DO UPDATE SET session = excluded.session, expires_at = "
        "excluded.expires_at",
        &a);
}

int caller_session_find(struct pg *pg, int tenant_id, const char *caller_id,
                        int64_t now_ms, json_t **out)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    pg_arg_text(&a, caller_id);
    pg_arg_ms(&a, now_ms);
    int err = pg_run_alone(pg, tenant_id, &res,
                           "SELECT session FROM caller_sessions WHERE caller_id = $1 AND "
                           "expires_at > furrow_ts($2)",
                           &a);
    if (!err && PQntuples(res) == 0)
        err = ENOENT;
    return err ? err : take_json(res, out);
}
