/* What Plivo asks and tells about a call in menus. Once a request is believed it is
 * answered with a document, whatever goes wrong: somebody is listening. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/pg.h"
#include "server/hook_time.h"
#include "server/plivo_ivr.h"
#include "server/plivo_ivr_call.h"
#include "server/plivo_ivr_session.h"
#include "server/server.h"
#include "server/signature.h"

enum { NONCE_MAX = 256, DURATION_MAX_S = 86400 * 30, LATE_AT_ONCE = 200 };

static const char unavailable[] = "Sorry, our system is unavailable. Please try later.";
static const char broken[] = "System error. Please try later.";
static const char expired[] = "Your session has expired. Please call back.";

static void turn_free(struct turn *t)
{
    form_free(&t->hook.body);
    form_free(&t->hook.query);
}

/* ---- whether it is them ---- */

static bool is_signed(struct turn *t, const char *token)
{
    static const char *const names[] = {"X-Plivo-Signature-V3",
                                        "X-Plivo-Signature-Ma-V3"};
    const struct request *req = t->req;
    char url[REQUEST_URL_MAX + 512];
    bool right = false;

    if (!contract_asked_url(req, url, sizeof(url)))
        return false;
    t->nonce = request_header(req, "X-Plivo-Signature-V3-Nonce");
    if (!t->nonce || !t->nonce[0] || strlen(t->nonce) >= NONCE_MAX)
        return false;
    struct signed_request r = {.method = req->method,
                               .url = url,
                               .content_type = request_header(req, "Content-Type"),
                               .body = req->body ? req->body : "",
                               .body_len = req->body_len,
                               .nonce = t->nonce};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        r.signature = request_header(req, names[i]);
        right |= r.signature && signature_is_plivo_v3(token, &r);
    }
    return right;
}

/* sorry: what a caller hears of parameters that cannot be read; NULL: nobody listens.
 * False: the answer is in resp. */
static bool open_turn(struct turn *t, const struct request *req, const char *sorry,
                      struct response *resp)
{
    struct server *s = req->app;
    const char *token = s->config.plivo_ivr.auth_token;

    t->req = req;
    t->hook.req = req;
    t->hook.server = s;
    t->hook.now_ms = clock_now_ms();
    t->hook.provider.kind = PROVIDER_PLIVO;
    t->hook.provider.tenant_id = req->tenant_id;
    str_cut(t->hook.provider.name, sizeof(t->hook.provider.name), "plivo-ivr");
    if (token[0] && !is_signed(t, token)) {
        log_warn("plivo_ivr", "path=%s status=403 refused=signature", LOG_ESC(req->path));
        hook_count_one(HOOK_REFUSED);
        request_refuse(req, resp, 403, "the signature is not that of this account");
        return false;
    }
    if (!request_form(req, &t->hook.body, resp) ||
        !request_query(req, &t->hook.query, resp)) {
        log_warn("plivo_ivr", "path=%s refused=parameters are no UTF-8 text, or too many",
                 LOG_ESC(req->path));
        hook_count_one(HOOK_REFUSED);
        if (sorry)
            turn_say(sorry, resp);
        return false;
    }
    t->uuid = hook_param(&t->hook, "CallUUID");
    if (strlen(t->uuid) >= MENU_CALL_UUID_MAX)
        t->uuid = "";
    return true;
}

/* ---- webhooks ---- */

/* A plus that was not encoded arrives as a space. */
static const char *number(const struct turn *t, const char *name)
{
    const struct form_text *v = form_get(&t->hook.body, name);

    if (!v)
        v = form_get(&t->hook.query, name);
    if (v && v->data[0] == ' ')
        v->data[0] = '+';
    return v ? v->data : "";
}

static const char *param(const struct turn *t, const char *name)
{
    return hook_param(&t->hook, name);
}

static int answer_call(struct turn *t, const char **words)
{
    int err = 0;

    if (t->known && !turn_is_over(t))
        return 0; /* asked twice: where the call is */
    if (t->known) {
        err = t->call.ended ? 0 : turn_hung_up(t);
        if (!err)
            err = menu_call_set_aside(t->hook.pg, t->uuid);
        voice_close(&t->voice);
        menu_call_free(&t->call);
    }
    if (!err)
        err = turn_begin(t, number(t, "From"), number(t, "To"));
    if (err == ENOENT || err == EBADMSG) { /* no menu to begin with */
        log_warn("plivo_ivr",
                 "tenant=%d has no main_menu that is active: POST /api/seed-menus writes "
                 "the sample menus",
                 t->req->tenant_id);
        *words = unavailable;
        return 0;
    }
    return err;
}

void plivo_ivr_answer(const struct request *req, struct response *resp)
{
    CLEANUP(turn_free) struct turn t = {0};

    if (!open_turn(&t, req, unavailable, resp))
        return;
    if (!t.uuid[0] || !number(&t, "From")[0] || !number(&t, "To")[0] ||
        strlen(number(&t, "From")) >= MENU_NUMBER_MAX ||
        strlen(number(&t, "To")) >= MENU_NUMBER_MAX)
        turn_say("Invalid call parameters", resp);
    else
        turn_take(&t, answer_call, unavailable, resp);
}

static int handle_input(struct turn *t, const char **words)
{
    if (!turn_is_over(t))
        return turn_keys(t, param(t, "Digits"));
    *words = expired;
    return 0;
}

void plivo_ivr_handle_input(const struct request *req, struct response *resp)
{
    CLEANUP(turn_free) struct turn t = {0};

    if (!open_turn(&t, req, broken, resp))
        return;
    if (!t.uuid[0] || !param(&t, "Digits")[0])
        turn_say("Invalid input parameters", resp);
    else
        turn_take(&t, handle_input, broken, resp);
}

/* The end of a transfer, silence: to addresses of the documents themselves. */
static int act(struct turn *t, const char **words)
{
    struct uuid call;

    if (turn_is_over(t) || uuid_parse(t->req->params[0], &call) ||
        memcmp(&call, &t->call.call, sizeof(call)) != 0) {
        *words = expired;
        return 0;
    }
    return turn_act(t, t->req->params[1], t->req->params[2]);
}

void plivo_ivr_act(const struct request *req, struct response *resp)
{
    CLEANUP(turn_free) struct turn t = {0};

    if (!open_turn(&t, req, broken, resp))
        return;
    if (!t.uuid[0])
        turn_say("Invalid input parameters", resp);
    else
        turn_take(&t, act, broken, resp);
}

/* One for which there is no time. */
void plivo_ivr_shed(const struct request *req, struct response *resp)
{
    CLEANUP(turn_free) struct turn t = {0};

    if (open_turn(&t, req, broken, resp)) {
        hook_count_one(HOOK_SHED);
        turn_say(broken, resp);
    }
}

/* ---- the end ---- */

/* In a transaction. *first: it was not told before. */
static int end_call(struct turn *t, const struct menu_end *told, bool *first)
{
    struct pg *pg = t->hook.pg;
    struct menu_end end = *told;

    int err = menu_call_find(pg, t->uuid, &t->call);
    if (err == ENOENT)
        return 0; /* no call of ours, or written by hand */
    t->known = !err;
    if (!err && turn_is_forged(t))
        return EACCES;
    if (err || t->call.ended)
        return err;
    end.phone = voice_phone(t->call.from);
    err = turn_hung_up(t);
    return err ? err : menu_call_end(pg, t->hook.provider.tenant_id, &end, first);
}

static int write_end(struct turn *t, const struct menu_end *end)
{
    struct server *s = t->hook.server;
    bool first = false;

    t->hook.pg =
        t->req ? hook_take(s->hook_pool, t->req, false) : pg_pool_take(s->hook_pool);
    int err = pg_begin(t->hook.pg, t->hook.provider.tenant_id);
    if (!err && t->req)
        err = hook_limit(t->hook.pg, t->req, false);
    if (!err)
        err = pg_end(t->hook.pg, end_call(t, end, &first));
    pg_pool_give(s->hook_pool, t->hook.pg);
    t->hook.pg = NULL;
    voice_close(&t->voice);
    menu_call_free(&t->call);
    if (!err)
        hot_call_forget(s, t->uuid);
    return err;
}

/* The log waits in Redis until the database is back. */
static int keep_end(struct turn *t, const struct menu_end *end)
{
    json_auto_t *late =
        json_pack("{s:i, s:s, s:s?, s:i, s:I}", "tenant", t->hook.provider.tenant_id,
                  "uuid", t->uuid, "cause", end->cause, "duration", end->duration_s,
                  "at_ms", (json_int_t)end->at_ms);

    return late ? late_hangup_keep(t->hook.server, late) : ENOMEM;
}

/* A duration that is no number counts as 0. */
static int duration_of(const char *text)
{
    int64_t s = 0;

    return str_to_i64(text, &s) && s >= 0 && s <= DURATION_MAX_S ? (int)s : 0;
}

void plivo_ivr_hangup(const struct request *req, struct response *resp)
{
    CLEANUP(turn_free) struct turn t = {0};

    if (!open_turn(&t, req, NULL, resp))
        return;
    if (!t.uuid[0]) {
        request_refuse(req, resp, 400, "CallUUID is required");
        return;
    }
    const char *cause = param(&t, "HangupCause");
    const struct menu_end end = {.uuid = t.uuid,
                                 .cause = cause[0] ? cause : NULL,
                                 .duration_s = duration_of(param(&t, "Duration")),
                                 .at_ms = t.hook.now_ms};
    int err = write_end(&t, &end);
    if (err == EAGAIN || err == EEXIST)
        err = write_end(&t, &end);
    if (err == EACCES) {
        log_warn("plivo_ivr", "refused=the nonce was used for another request");
        hook_count_one(HOOK_REFUSED);
        request_refuse(req, resp, 403, "this nonce was used for another request");
        return;
    }
    if (err) {
        log_error("plivo_ivr", "call=%.40s err=%d its log is not written yet",
                  LOG_ESC(t.uuid), err);
        err = keep_end(&t, &end);
    }
    if (err)
        request_refuse(req, resp, 503, "nothing was recorded; send it again");
    else
        respond_text(resp, 200, "");
}

void plivo_ivr_late_hangups(struct server *s)
{
    for (int i = 0; i < LATE_AT_ONCE; i++) {
        json_auto_t *late = NULL;
        struct turn t = {.hook = {.server = s,
                                  .now_ms = clock_now_ms(),
                                  .provider = {.kind = PROVIDER_PLIVO}}};
        const char *cause = NULL;
        struct menu_end end = {0};
        json_int_t at;
        int err = late_hangup_next(s, &late);

        if (err && err != EBADMSG)
            return;
        if (err || json_unpack(late, "{s:i, s:s, s?s, s:i, s:I}", "tenant",
                               &t.hook.provider.tenant_id, "uuid", &t.uuid, "cause",
                               &cause, "duration", &end.duration_s, "at_ms", &at)) {
            late_hangup_done(s); /* none that we wrote */
            continue;
        }
        end.uuid = t.uuid;
        end.cause = cause;
        end.at_ms = at;
        err = write_end(&t, &end);
        if (err == ECONNRESET || err == EAGAIN)
            return;
        if (err)
            log_error("plivo_ivr", "call=%.40s err=%d its log cannot be written",
                      LOG_ESC(t.uuid), err);
        late_hangup_done(s);
    }
}
