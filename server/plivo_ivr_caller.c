/* Sessions by caller id over HTTP: begun, read, moved on; in Redis for their time, with a
 * durable copy that is read when Redis has lost them. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/pg.h"
#include "server/plivo_ivr.h"
#include "server/plivo_ivr_session.h"
#include "server/server.h"

enum { CALLER_ID_MAX = 128, STEP_MAX = 200 };

/* A plus that was not encoded arrives as a space. */
static const char *caller_of(struct form *query)
{
    const struct form_text *v = form_get(query, "caller_id");

    if (!v || v->len == 0 || v->len >= CALLER_ID_MAX)
        return NULL;
    if (v->data[0] == ' ')
        v->data[0] = '+';
    return v->data;
}

/* NULL: the answer is in resp. */
static const char *want_caller(const struct request *req, struct form *query,
                               struct response *resp)
{
    const char *caller = NULL;

    if (!request_query(req, query, resp))
        return NULL;
    caller = caller_of(query);
    if (!caller)
        request_refuse(req, resp, 400, "caller_id query parameter required");
    return caller;
}

static void unavailable(const struct request *req, struct response *resp)
{
    request_refuse(req, resp, 503, "nothing was recorded; send it again");
}

/* The durable copy first: what is told as done is done. */
static int write(const struct request *req, const char *caller, const json_t *session)
{
    struct server *s = req->app;
    const int64_t now_ms = clock_now_ms();
    struct pg *pg = pg_pool_take(s->pool);

    int err = caller_session_write(pg, req->tenant_id, caller, session, now_ms,
                                   now_ms + s->config.plivo_ivr.session_ttl_s * 1000);
    pg_pool_give(s->pool, pg);
    if (!err)
        hot_caller_write(s, req->tenant_id, caller, session);
    return err;
}

static int find(const struct request *req, const char *caller, json_t **out)
{
    struct server *s = req->app;

    if (hot_caller_find(s, req->tenant_id, caller, out) == 0)
        return 0;
    struct pg *pg = pg_pool_take(s->pool);
    int err = caller_session_find(pg, req->tenant_id, caller, clock_now_ms(), out);
    pg_pool_give(s->pool, pg);
    return err;
}

void plivo_ivr_start_session(const struct request *req, struct response *resp)
{
    CLEANUP(form_free) struct form query = {0};
    const char *caller = want_caller(req, &query, resp);
    const struct server *s = req->app;
    char at[CLOCK_TEXT_MAX];

    if (!caller)
        return;
    json_t *session = json_pack("{s:s, s:s, s:s}", "step", "greeting", "started_at",
                                clock_text(clock_now_ms(), at), "caller_id", caller);
    if (write(req, caller, session)) {
        json_decref(session);
        unavailable(req, resp);
        return;
    }
    respond_json(resp, 200,
                 json_pack("{s:s, s:o, s:I}", "message", "Session created", "session",
                           session, "ttl_seconds",
                           (json_int_t)s->config.plivo_ivr.session_ttl_s));
}

/* False: the answer is in resp. */
static bool want_session(const struct request *req, const char *caller, json_t **out,
                         struct response *resp)
{
    int err = find(req, caller, out);

    if (err == ENOENT)
        request_refuse(req, resp, 404, "Session not found or expired");
    else if (err)
        unavailable(req, resp);
    return !err;
}

void plivo_ivr_get_session(const struct request *req, struct response *resp)
{
    CLEANUP(form_free) struct form query = {0};
    const char *caller = want_caller(req, &query, resp);
    json_t *session = NULL;

    if (caller && want_session(req, caller, &session, resp))
        respond_json(resp, 200, json_pack("{s:o}", "session", session));
}

void plivo_ivr_update_session(const struct request *req, struct response *resp)
{
    CLEANUP(form_free) struct form query = {0};
    json_t *session = NULL;
    char at[CLOCK_TEXT_MAX];

    if (!request_query(req, &query, resp))
        return;
    const char *caller = caller_of(&query), *step = form_value(&query, "step");
    if (!caller || !step[0] || strlen(step) > STEP_MAX) {
        request_refuse(req, resp, 400, "caller_id and step query parameters required");
        return;
    }
    if (!want_session(req, caller, &session, resp))
        return;
    json_object_set_new(session, "step", json_string(step));
    json_object_set_new(session, "updated_at",
                        json_string(clock_text(clock_now_ms(), at)));
    if (write(req, caller, session)) {
        json_decref(session);
        unavailable(req, resp);
        return;
    }
    respond_json(
        resp, 200,
        json_pack("{s:s, s:o}", "message", "Session updated", "session", session));
}
