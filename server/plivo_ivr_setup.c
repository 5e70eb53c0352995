/* What an operator sets the service up by: which endpoints there are, whether the stores
 * answer, and an echo of what a webhook sends. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/pg.h"
#include "base/redis.h"
#include "server/contract.h"
#include "server/plivo_ivr.h"
#include "server/redis_pool.h"
#include "server/server.h"

static const struct {
    const char *name, *place;
} endpoints[] = {
    {"health", "GET /api/health"},
    {"webhook_test", "POST /api/webhook-test"},
    {"start_session", "POST /api/start-session?caller_id=…"},
    {"get_session", "GET /api/get-session?caller_id=…"},
    {"update_session", "POST /api/update-session?caller_id=…&step=…"},
    {"setup_db", "GET /api/setup-db"},
    {"seed_menus", "POST /api/seed-menus"},
    {"menus", "GET /api/menus"},
    {"change_menu", "PUT /api/menus/<menu_id>"},
    {"log_call", "POST /api/log-call"},
    {"call_logs", "GET /api/call-logs"},
    {"call_history", "GET /api/call-history/<phone>"},
    {"answer", "POST /api/answer"},
    {"handle_input", "POST /api/handle-input"},
    {"hangup", "POST /api/hangup"},
};

void plivo_ivr_index(const struct request *req, struct response *resp)
{
    json_t *list = json_object();

    (void)req;
    for (size_t i = 0; i < ARRAY_LEN(endpoints); i++)
        json_object_set_new(list, endpoints[i].name, json_string(endpoints[i].place));
    respond_json(resp, 200,
                 json_pack("{s:s, s:s, s:o}", "app", "Plivo IVR", "status", "running",
                           "endpoints", list));
}

static bool is_json(const struct request *req)
{
    static const char type[] = "application/json";
    const char *given = request_header(req, "Content-Type");

    return given && strncasecmp(given, type, strlen(type)) == 0;
}

static json_t *pairs_of(const struct form *f)
{
    json_t *json = json_object();

    for (size_t i = 0; i < f->n; i++)
        json_object_set_new(json, f->pairs[i].name.data,
                            json_string(f->pairs[i].value.data));
    return json;
}

/* What is no text is told byte by byte, as Latin-1. */
static json_t *raw_of(const struct request *req)
{
    CLEANUP(buf_free) struct buf text = {0};
    const char *body = req->body ? req->body : "";

    if (str_is_utf8(body, req->body_len) && !memchr(body, '\0', req->body_len))
        return json_pack("{s:s#}", "raw_body", body, req->body_len);
    for (size_t i = 0; i < req->body_len; i++) {
        unsigned char c = (unsigned char)body[i];
        if (c == 0)
            buf_puts(&text, "\\0");
        else if (c < 0x80)
            buf_add(&text, &c, 1);
        else
            buf_printf(&text, "%c%c", 0xc0 | (c >> 6), 0x80 | (c & 0x3f));
    }
    return json_pack("{s:s}", "raw_body", text.data ? text.data : "");
}

void plivo_ivr_echo(const struct request *req, struct response *resp)
{
    CLEANUP(form_free) struct form form = {0};
    const char *type = request_header(req, "Content-Type");
    char at[CLOCK_TEXT_MAX];
    json_t *data = NULL;

    if (is_json(req))
        data =
            json_loadb(req->body ? req->body : "", req->body_len, JSON_DECODE_ANY, NULL);
    else if (request_is_fields(req) && request_fields(req, &form, resp))
        data = pairs_of(&form);
    buf_free(&resp->body); /* what is no form after all is told as it came */
    respond_json(resp, 200,
                 json_pack("{s:b, s:s, s:s, s:o, s:s}", "received", 1, "method",
                           req->method, "content_type", type ? type : "", "data",
                           data ? data : raw_of(req), "timestamp",
                           clock_text(clock_now_ms(), at)));
}

static bool redis_answers(const struct server *s)
{
    struct redis *r = redis_pool_take(s->redis);

    int err = redis_cmd(r, NULL, "PING");
    redis_pool_give(s->redis, r);
    return err == 0;
}

/* Is the table there, of which everything else is in need? */
static bool has_tables(const struct server *s)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg *pg = pg_pool_take(s->pool);

    int err = pg_run(pg, &res,
                     "SELECT to_regclass('call_logs') IS NOT NULL AND "
                     "to_regclass('menu_configurations') IS NOT NULL",
                     NULL);
    pg_pool_give(s->pool, pg);
    return !err && pg_bool(res, 0, 0);
}

void plivo_ivr_health(const struct request *req, struct response *resp)
{
    const struct server *s = req->app;
    const bool redis = redis_answers(s), postgres = has_tables(s);
    char at[CLOCK_TEXT_MAX];

    respond_json(
        resp, redis && postgres ? 200 : 503,
        json_pack("{s:s, s:s, s:s, s:s}", "status",
                  redis && postgres ? "healthy" : "unhealthy", "redis",
                  redis ? "ok" : "error: does not answer", "postgres",
                  postgres ? "ok" : "error: does not answer, or has no tables yet",
                  "timestamp", clock_text(clock_now_ms(), at)));
}

/* The tables come with the installation's migrations; this says that they are there. */
void plivo_ivr_setup_db(const struct request *req, struct response *resp)
{
    const struct server *s = req->app;

    if (has_tables(s))
        respond_json(resp, 200,
                     json_pack("{s:s}", "message", "Table created successfully"));
    else
        request_refuse(req, resp, 503,
                       "PostgreSQL does not answer, or 'furrow migrate' has not run");
}
