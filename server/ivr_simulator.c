/*
 * The contract's words: what the flow "airline" tells, asks and ends with, as the JSON
 * that its pages know. Nothing here knows an airline: menus are nodes that wait, texts
 * the flow's, and what else belongs into an answer stands in `details` of a hangup node.
 */
#include "server/ivr_simulator.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/json_text.h"
#include "base/log.h"
#include "base/pg.h"
#include "campaigns/sample_store.h"
#include "campaigns/table_store.h"
#include "server/text_call.h"

static const char flow_name[] = "airline";

enum { MINUTE_MS = 60000, WORDS_BYTES_MAX = 2000, TRIES = 3 };

/* ---- transactions ---- */

/* Fills resp. An error: undone, and told as one. */
typedef int(work_fn)(struct text_call *c, const struct request *req, const json_t *body,
                     struct response *resp);

static void tell_error(const struct request *req, struct response *resp, int err)
{
    if (err == ENOENT)
        request_refuse(req, resp, 404, "Call not found in database");
    else if (err == ECANCELED)
        request_refuse(req, resp, 400, "Call has already ended");
    else
        request_refuse(req, resp, 503, "The service cannot answer now; try again");
}

static void serve(const struct request *req, const json_t *body, work_fn *work,
                  struct response *resp)
{
    struct server *s = req->app;
    struct pg *pg = pg_pool_take(s->pool);
    int err = EAGAIN;

    for (int i = 0; i < TRIES && (err == EAGAIN || err == EEXIST); i++) {
        struct text_call c = {.server = s, .pg = pg, .now_ms = clock_now_ms()};
        err = pg_begin(pg, req->tenant_id);
        if (!err)
            err = pg_end(pg, work(&c, req, body, resp));
        text_call_close(&c);
    }
    pg_pool_give(s->pool, pg);
    if (!err)
        return;
    if (err != ENOENT && err != ECANCELED)
        log_error("ivr_simulator", "path=%s err=%d", req->path, err);
    tell_error(req, resp, err);
}

/* The call that is asked for, alive. */
static int open_call(struct text_call *c, const struct request *req, const json_t *body)
{
    int err = text_call_open(c, req->tenant_id, json_text(body, "call_id"));

    return err ? err : c->row.ended ? ECANCELED : 0;
}

/* ---- answers ---- */

static void put_text(json_t *answer, const char *name, const struct buf *text)
{
    if (text->len > 0)
        json_object_set_new(answer, name, json_string(text->data));
}

/* Its own members go before ours: "status" among them. */
static void add_details(json_t *answer, const struct ivr_effect *end)
{
    json_t *details =
        end && *end->hangup.details ? json_loads(end->hangup.details, 0, NULL) : NULL;

    if (json_is_object(details))
        json_object_update(answer, details);
    json_decref(details);
}

static json_t *ended(const struct text_call *c)
{
    CLEANUP(buf_free) struct buf message = {0};
    json_t *answer =
        json_pack("{s:s, s:s}", "status", c->transferred ? "transferring" : "call_ended",
                  "call_action", "hangup");

    text_call_heard(c, IVR_PART_NOT_TAKEN, &message);
    text_call_heard(c, IVR_PART_TOLD, &message);
    put_text(answer, "message", &message);
    add_details(answer, text_call_end(c));
    return answer;
}

static json_t *options_of(const struct text_call *c)
{
    json_t *list = json_array();
    const char *key = NULL;

    for (size_t i = 0; (key = ivr_state_key(program_of(c->program), c->state, i)); i++)
        json_array_append_new(list, json_string(key));
    return list;
}

static json_t *not_taken(const struct text_call *c, const struct buf *why,
                         const struct buf *question, bool spoken)
{
    struct ivr_collect k = {0};
    json_t *answer =
        json_pack("{s:s, s:s}", "status", "invalid", "current_menu", c->row.current_menu);

    if (spoken) {
        put_text(answer, "prompt", why);
        put_text(answer, "prompt_original", question);
    } else if (text_call_entry(c, &k) && k.own_max > 1) {
        json_object_set_new(answer, "status", json_string("processed"));
        put_text(answer, "message", why);
        put_text(answer, "prompt", question);
    } else {
        put_text(answer, "prompt", why);
        json_object_set_new(answer, "valid_options", options_of(c));
    }
    return answer;
}

static json_t *answer_of(const struct text_call *c, bool spoken)
{
    CLEANUP(buf_free) struct buf message = {0}, question = {0}, why = {0};

    if (c->row.ended)
        return ended(c);
    text_call_heard(c, IVR_PART_TOLD, &message);
    text_call_heard(c, IVR_PART_ASKED, &question);
    text_call_heard(c, IVR_PART_NOT_TAKEN, &why);
    if (c->not_taken)
        return not_taken(c, &why, &question, spoken);
    json_t *answer = json_object();
    json_object_set_new(answer, "status", json_string("processed"));
    put_text(answer, "message", &message);
    json_object_set_new(answer, "current_menu", json_string(c->row.current_menu));
    put_text(answer, "prompt", &question);
    return answer;
}

static json_t *collecting(const struct text_call *c, char key)
{
    struct ivr_collect k = {0};
    char prompt[64];
    bool whole = text_call_entry(c, &k) && (int)strlen(c->row.input_buffer) >= k.min;

    snprintf(prompt, sizeof(prompt), "You entered %c. %s", key,
             whole ? "Press hash to submit." : "Continue entering.");
    return json_pack("{s:s, s:s, s:s, s:s}", "status", "collecting", "prompt", prompt,
                     "collected", c->row.input_buffer, "current_menu",
                     c->row.current_menu);
}

/* ---- GET / ---- */

/* The sample is what the contract's pages are about: a tenant that has neither gets it.
 */
static int seed(struct text_call *c, int tenant_id)
{
    struct sample_loaded done;
    struct errtext e = {0};

    int err = sample_load(c->pg, tenant_id, sample_find(flow_name), false, c->now_ms,
                          &done, &e);
    if (err)
        log_error("ivr_simulator", "tenant=%d %s", tenant_id, e.text);
    return err;
}

static json_t *status_of(const char *database, int64_t live, int64_t over,
                         int64_t bookings, int64_t accounts)
{
    return json_pack("{s:s, s:s, s:I, s:I, s:I, s:I}", "status", "IVR Simulator Running",
                     "database_status", database, "live_active_calls_in_db",
                     (json_int_t)live, "total_completed_calls_in_db", (json_int_t)over,
                     "total_bookings_in_db", (json_int_t)bookings,
                     "total_ff_accounts_in_db", (json_int_t)accounts);
}

static int count(struct text_call *c, const struct request *req, const json_t *body,
                 struct response *resp)
{
    int64_t live = 0, over = 0, bookings = 0, accounts = 0;

    (void)body;
    int err = seed(c, req->tenant_id);
    if (!err)
        err = text_calls_count(c->pg, req->tenant_id, &live, &over);
    if (!err)
        err = table_count(c->pg, req->tenant_id, "bookings", &bookings);
    if (!err)
        err = table_count(c->pg, req->tenant_id, "frequent_flyers", &accounts);
    if (!err)
        respond_json(resp, 200, status_of("Connected", live, over, bookings, accounts));
    return err;
}

void ivr_simulator_status(const struct request *req, struct response *resp)
{
    serve(req, NULL, count, resp);
    if (resp->status != 200)
        respond_json(resp, 200, status_of("Error - Not Connected", 0, 0, 0, 0));
}

/* ---- POST /ivr/start ---- */

static bool is_too_often(struct text_call *c, const struct request *req,
                         const char *caller, int *err)
{
    const struct server *s = req->app;
    int64_t begun = 0;

    if (s->config.ivr_simulator_caller_limit <= 0)
        return false;
    *err =
        text_call_count_of(c->pg, req->tenant_id, caller, c->now_ms - MINUTE_MS, &begun);
    return !*err && begun >= s->config.ivr_simulator_caller_limit;
}

static int start(struct text_call *c, const struct request *req, const json_t *body,
                 struct response *resp)
{
    const char *caller = json_text(body, "caller_number");
    CLEANUP(buf_free) struct buf prompt = {0};
    int err = 0;

    if (is_too_often(c, req, caller, &err)) {
        request_refuse(req, resp, 429,
                       "This number has begun too many calls in the last minute; wait a "
                       "minute and try again");
        return 0;
    }
    if (err)
        return err;
    err =
        text_call_begin(c, req->tenant_id, flow_name, caller, json_text(body, "call_id"));
    if (err == ENOENT) {
        err = seed(c, req->tenant_id);
        if (!err)
            err = text_call_begin(c, req->tenant_id, flow_name, caller,
                                  json_text(body, "call_id"));
    }
    if (!err)
        err = text_call_keep(c);
    if (err)
        return err == ENOENT ? EPROTO : err;
    text_call_heard(c, IVR_PART_TOLD, &prompt);
    text_call_heard(c, IVR_PART_ASKED, &prompt);
    respond_json(resp, 200,
                 json_pack("{s:s, s:s, s:s}", "call_id", c->row.public_id, "status",
                           "connected", "prompt", prompt.data ? prompt.data : ""));
    return 0;
}

void ivr_simulator_start(const struct request *req, struct response *resp)
{
    static const struct body_rule rules[] = {
        {"caller_number", BODY_TEXT, true, TEXT_CALL_NUMBER_MAX - 1},
        {"call_id", BODY_TEXT, false, TEXT_CALL_ID_MAX - 1},
    };
    json_t *body = request_json(req, rules, ARRAY_LEN(rules), resp);

    if (body)
        serve(req, body, start, resp);
    json_decref(body);
}

/* ---- keys and words ---- */

static int take_key(struct text_call *c, const struct request *req, const json_t *body,
                    struct response *resp)
{
    const char key = json_text(body, "digit")[0];
    bool collected = false;

    int err = open_call(c, req, body);
    if (!err)
        err = text_call_key(c, key, &collected);
    if (!err)
        err = text_call_keep(c);
    if (!err)
        respond_json(resp, 200, collected ? collecting(c, key) : answer_of(c, false));
    return err;
}

void ivr_simulator_dtmf(const struct request *req, struct response *resp)
{
    static const struct body_rule rules[] = {
        {"call_id", BODY_TEXT, true, 0},
        {"digit", BODY_TEXT, true, 0},
        {"current_menu", BODY_TEXT, true, 0},
    };
    static const struct fault no_key = {.field = "digit",
                                        .text = "Input should be one of 0-9, * and #",
                                        .type = "value_error"};
    json_t *body = request_json(req, rules, ARRAY_LEN(rules), resp);

    if (!body)
        return;
    const char *digit = json_text(body, "digit");
    if (strlen(digit) != 1 || !strchr("0123456789*#", digit[0]) ||
        json_string_length(json_object_get(body, "digit")) != 1)
        request_refuse_fields(req, resp, &no_key, 1);
    else
        serve(req, body, take_key, resp);
    json_decref(body);
}

static int take_words(struct text_call *c, const struct request *req, const json_t *body,
                      struct response *resp)
{
    int err = open_call(c, req, body);

    if (!err)
        err = text_call_say(c, json_text(body, "text"));
    if (!err)
        err = text_call_keep(c);
    if (!err)
        respond_json(resp, 200, answer_of(c, true));
    return err;
}

void ivr_simulator_voice(const struct request *req, struct response *resp)
{
    static const struct body_rule rules[] = {
        {"call_id", BODY_TEXT, true, 0},
        {"text", BODY_TEXT, true, WORDS_BYTES_MAX},
        {"current_menu", BODY_TEXT, true, 0},
    };
    json_t *body = request_json(req, rules, ARRAY_LEN(rules), resp);

    if (body)
        serve(req, body, take_words, resp);
    json_decref(body);
}

/* ---- POST /ivr/end, /ivr/poll ---- */

static int hang_up(struct text_call *c, const struct request *req, const json_t *body,
                   struct response *resp)
{
    int err = text_call_open(c, req->tenant_id, json_text(body, "call_id"));

    if (!err)
        err = text_call_hang_up(c);
    if (!err)
        err = text_call_keep(c);
    if (!err)
        respond_json(
            resp, 200,
            json_pack("{s:s, s:s}", "status", "call_ended", "call_id", c->row.public_id));
    return err;
}

static json_t *read_call_id(const struct request *req, struct response *resp)
{
    static const struct body_rule rules[] = {{"call_id", BODY_TEXT, true, 0}};

    return request_json(req, rules, ARRAY_LEN(rules), resp);
}

void ivr_simulator_end(const struct request *req, struct response *resp)
{
    json_t *body = read_call_id(req, resp);

    if (body && !*json_text(body, "call_id"))
        respond_json(
            resp, 200,
            json_pack("{s:s, s:s}", "status", "error", "message", "Call not found"));
    else if (body)
        serve(req, body, hang_up, resp);
    json_decref(body);
}

/* What was said while the page was silent: asked by it, as nothing is sent to it. */
static int look(struct text_call *c, const struct request *req, const json_t *body,
                struct response *resp)
{
    int err = text_call_open(c, req->tenant_id, json_text(body, "call_id"));

    if (err)
        return err;
    json_t *answer = c->row.unheard ? json_incref(c->row.unheard) : json_object();
    json_object_set_new(answer, "status",
                        json_string(c->row.ended     ? "call_ended"
                                    : c->row.unheard ? "processed"
                                                     : "waiting"));
    if (c->row.ended)
        json_object_set_new(answer, "call_action", json_string("hangup"));
    else
        json_object_set_new(answer, "current_menu", json_string(c->row.current_menu));
    json_decref(c->row.unheard);
    c->row.unheard = NULL;
    err = text_call_keep(c);
    if (err)
        json_decref(answer);
    else
        respond_json(resp, 200, answer);
    return err;
}

void ivr_simulator_poll(const struct request *req, struct response *resp)
{
    json_t *body = read_call_id(req, resp);

    if (body)
        serve(req, body, look, resp);
    json_decref(body);
}
