/* The log of calls over HTTP: entries by hand, the newest, those of a number. */
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/pg.h"
#include "campaigns/call_log_store.h"
#include "server/plivo_ivr.h"
#include "server/server.h"

enum { TEXT_MAX = 128, LIST_TEXT_MAX = 16384, DURATION_MAX_S = 86400 * 365 };

static void unavailable(const struct request *req, struct response *resp)
{
    request_refuse(req, resp, 503, "the database does not answer; send it again");
}

/* ---- an entry by hand ---- */

/* A form as the object that JSON would have been. NULL: the answer is in resp. */
static json_t *fields_of(const struct request *req, struct response *resp)
{
    CLEANUP(form_free) struct form form = {0};

    if (!request_is_fields(req) && req->body_len > 0)
        return request_json(req, NULL, 0, resp);
    if (!request_fields(req, &form, resp))
        return NULL;
    json_t *json = json_object();
    for (size_t i = 0; i < form.n; i++)
        json_object_set_new(json, form.pairs[i].name.data,
                            json_string(form.pairs[i].value.data));
    return json;
}

/* A text member, or a number as text; NULL: neither, or too long. */
static const char *text_of(json_t *fields, const char *key, const char *usual)
{
    json_t *v = json_object_get(fields, key);

    if (!v || json_is_null(v) || (json_is_string(v) && json_string_length(v) == 0))
        return usual;
    if (json_is_integer(v)) {
        json_object_set_new(fields, key,
                            json_sprintf("%lld", (long long)json_integer_value(v)));
        v = json_object_get(fields, key);
    }
    if (!json_is_string(v) || json_string_length(v) >= TEXT_MAX ||
        strlen(json_string_value(v)) != json_string_length(v))
        return NULL;
    return json_string_value(v);
}

/* False: it is no number of seconds. */
static bool duration_of(const json_t *fields, int64_t *out)
{
    const json_t *v = json_object_get(fields, "duration");

    *out = 0;
    if (!v || json_is_null(v) || (json_is_string(v) && json_string_length(v) == 0))
        return true;
    if (json_is_integer(v))
        *out = json_integer_value(v);
    else if (json_is_real(v) && fabs(json_real_value(v)) < DURATION_MAX_S)
        *out = (int64_t)json_real_value(v);
    else if (!json_is_string(v) || !str_to_i64(json_string_value(v), out))
        return false;
    return *out >= 0 && *out <= DURATION_MAX_S;
}

/* A list, as JSON or as its text; of a form also "a,b". NULL: none of these. */
static json_t *list_of(const json_t *fields, const char *key)
{
    const json_t *v = json_object_get(fields, key);
    const char *text = json_string_value(v);

    if (!v || json_is_null(v) || (text && !*text))
        return json_array();
    if (json_is_array(v))
        return json_deep_copy(v);
    if (!text || strlen(text) > LIST_TEXT_MAX)
        return NULL;
    if (*text == '[') {
        json_t *list = json_loads(text, 0, NULL);
        if (json_is_array(list))
            return list;
        json_decref(list);
        return NULL;
    }
    json_t *list = json_array();
    while (*text) {
        size_t n = strcspn(text, ",");
        json_array_append_new(list, json_stringn(text, n));
        text += n + (text[n] == ',');
    }
    return list;
}

/* NULL: the answer is in resp. */
static json_t *entry_of(const struct request *req, json_t *fields, struct response *resp)
{
    const char *uuid = text_of(fields, "call_uuid", "");
    const char *from = text_of(fields, "from_number", "unknown");
    const char *to = text_of(fields, "to_number", "unknown");
    const char *status = text_of(fields, "call_status", "completed");
    const char *cause = text_of(fields, "hangup_cause", "NORMAL_CLEARING");
    int64_t duration;

    if (!uuid || !from || !to || !status || !cause) {
        request_refuse(req, resp, 400,
                       "call_uuid, from_number, to_number, call_status and hangup_cause "
                       "are texts of at most 127 bytes");
        return NULL;
    }
    if (!duration_of(fields, &duration)) {
        request_refuse(req, resp, 400, "duration is a whole number of seconds");
        return NULL;
    }
    json_t *path = list_of(fields, "menu_path"), *inputs = list_of(fields, "user_inputs");
    if (!path || !inputs) {
        json_decref(path);
        json_decref(inputs);
        request_refuse(req, resp, 400, "menu_path and user_inputs are lists");
        return NULL;
    }
    return json_pack("{s:s?, s:s, s:s, s:I, s:s, s:s, s:o, s:o}", "call_uuid",
                     *uuid ? uuid : NULL, "from_number", from, "to_number", to,
                     "duration", (json_int_t)duration, "call_status", status,
                     "hangup_cause", cause, "menu_path", path, "user_inputs", inputs);
}

static int add(const struct request *req, const json_t *entry, json_t **call)
{
    const struct server *s = req->app;
    struct pg *pg = pg_pool_take(s->pool);
    int err = EEXIST;

    /* Without an uuid two at once may choose the same second. */
    const bool chosen = json_is_null(json_object_get(entry, "call_uuid"));
    for (int i = 0; err == EEXIST && i < (chosen ? 5 : 1); i++)
        err = call_log_add(pg, req->tenant_id, entry, clock_now_ms(), call);
    pg_pool_give(s->pool, pg);
    return err;
}

void plivo_ivr_log_call(const struct request *req, struct response *resp)
{
    json_auto_t *fields = fields_of(req, resp);
    json_auto_t *entry = fields ? entry_of(req, fields, resp) : NULL;
    json_t *call = NULL;

    if (!entry)
        return;
    int err = add(req, entry, &call);
    if (err == EEXIST)
        request_refuse(req, resp, 409, "call_uuid is used already");
    else if (err)
        unavailable(req, resp);
    else
        respond_json(resp, 201,
                     json_pack("{s:s, s:o}", "message", "Call logged", "call", call));
}

/* ---- lists ---- */

static int list(const struct request *req, const char *digits, json_t **out)
{
    const struct server *s = req->app;
    struct pg *pg = pg_pool_take(s->pool);

    int err = call_log_list(pg, req->tenant_id, digits, out);
    pg_pool_give(s->pool, pg);
    return err;
}

void plivo_ivr_call_logs(const struct request *req, struct response *resp)
{
    json_t *logs = NULL;

    if (list(req, NULL, &logs))
        unavailable(req, resp);
    else
        respond_json(
            resp, 200,
            json_pack("{s:i, s:o}", "count", (int)json_array_size(logs), "logs", logs));
}

static int history(const struct request *req, const char *digits, json_t **out)
{
    const struct server *s = req->app;
    int64_t phone = 0;

    *out = json_null();
    if (strlen(digits) > 15 || !str_to_i64(digits, &phone) || phone <= 0)
        return 0;
    struct pg *pg = pg_pool_take(s->pool);
    int err = caller_history_find(pg, req->tenant_id, phone, out);
    pg_pool_give(s->pool, pg);
    return err;
}

void plivo_ivr_call_history(const struct request *req, struct response *resp)
{
    char digits[TEXT_MAX];
    size_t n = 0;
    json_t *logs = NULL, *caller = NULL;

    for (const char *p = req->params[0]; *p && n + 1 < sizeof(digits); p++)
        if (isdigit((unsigned char)*p))
            digits[n++] = *p;
    digits[n] = '\0';
    if (n == 0) { /* nobody has that number */
        const char *text = req->params[0];
        respond_json(resp, 200,
                     json_pack("{s:o, s:i, s:[], s:n}", "phone",
                               json_sprintf("%s%s", *text == '+' ? "" : "+", text),
                               "count", 0, "logs", "caller"));
        return;
    }
    int err = list(req, digits, &logs);
    if (!err)
        err = history(req, digits, &caller);
    if (err) {
        json_decref(logs);
        unavailable(req, resp);
        return;
    }
    respond_json(resp, 200,
                 json_pack("{s:o, s:i, s:o, s:o}", "phone", json_sprintf("+%s", digits),
                           "count", (int)json_array_size(logs), "logs", logs, "caller",
                           caller));
}
