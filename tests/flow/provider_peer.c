#include "flow/provider_peer.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <jansson.h>
#include <microhttpd.h>

#include "base/clock.h"
#include "base/form.h"
#include "base/str.h"
#include "base/xalloc.h"

enum { CALLS_MAX = 64, LAG_MS = 700 /* its lists know of a call so much later */ };

struct call {
    struct uuid attempt;
    char id[64], to[32], from[32], status[24];
    int digit;
    bool plivo;
    time_t created;
    int64_t listed_at_ms;
};

static struct {
    pthread_mutex_t lock; /* guards what follows */
    struct call calls[CALLS_MAX];
    int count, posts[10];
    char bodies[10][4096];
    struct MHD_Daemon *daemon;
} peer = {.lock = PTHREAD_MUTEX_INITIALIZER};

struct request {
    struct buf body;
};

/* ---- answers ---- */

static enum MHD_Result reply(struct MHD_Connection *c, int status, json_t *json)
{
    char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;
    struct MHD_Response *r = MHD_create_response_from_buffer(text ? strlen(text) : 0,
                                                             text, MHD_RESPMEM_MUST_FREE);

    json_decref(json);
    MHD_add_response_header(r, "Content-Type", "application/json");
    enum MHD_Result ok = MHD_queue_response(c, (unsigned)status, r);
    MHD_destroy_response(r);
    return ok;
}

static json_t *twilio_call(const struct call *c)
{
    char created[64];
    struct tm tm;

    gmtime_r(&c->created, &tm);
    strftime(created, sizeof(created), "%a, %d %b %Y %H:%M:%S +0000", &tm);
    return json_pack("{s:s,s:s,s:s,s:s,s:s,s:n,s:s,s:s}", "sid", c->id, "to", c->to,
                     "from", c->from, "status", c->status, "date_created", created,
                     "answered_by", "duration", "11", "direction", "outbound-api");
}

/* ---- calls ---- */

static bool is_over(const struct call *c)
{
    return strcmp(c->status, "queued") != 0 && strcmp(c->status, "ringing") != 0 &&
           strcmp(c->status, "in-progress") != 0;
}

static struct call *find_id(const char *id, size_t len)
{
    for (int i = 0; i < peer.count; i++)
        if (strlen(peer.calls[i].id) == len && memcmp(peer.calls[i].id, id, len) == 0)
            return &peer.calls[i];
    return NULL;
}

static struct call *add_call(const char *to, const char *from, const char *hook,
                             bool plivo)
{
    struct call *c = &peer.calls[peer.count];
    CLEANUP(free_cleanup) char *path = xstrdup(hook);
    path[strcspn(path, "#")] = '\0'; /* how it is to be told, which is not sent */
    const char *slash = strrchr(path, '/');

    if (peer.count == CALLS_MAX || !slash || uuid_parse(slash + 1, &c->attempt))
        abort();
    peer.count++;
    snprintf(c->id, sizeof(c->id), plivo ? "9834029e-58b6-11e1-b8b7-%012d" : "CA%032d",
             peer.count);
    str_cut(c->to, sizeof(c->to), to);
    str_cut(c->from, sizeof(c->from), from);
    c->digit = to[strlen(to) - 1] - '0';
    c->plivo = plivo;
    c->created = time(NULL);
    c->listed_at_ms = mono_ms() + LAG_MS;
    str_cut(c->status, sizeof(c->status), "queued");
    if (c->digit == PEER_COMPLETES)
        str_cut(c->status, sizeof(c->status), "completed");
    if (c->digit == PEER_ONCE)
        str_cut(c->status, sizeof(c->status), "busy");
    return c;
}

static enum MHD_Result refuse(struct MHD_Connection *c, int status, int code,
                              const char *message)
{
    return reply(c, status,
                 json_pack("{s:i,s:s,s:s,s:i}", "code", code, "message", message, "error",
                           message, "status", status));
}

static enum MHD_Result originate(struct MHD_Connection *c, const char *to,
                                 const char *from, const char *hook, bool plivo)
{
    int digit = to[strlen(to) - 1] - '0';

    peer.posts[digit]++;
    if (digit == PEER_FAILS || (digit == PEER_ONCE && peer.posts[digit] > 1))
        return reply(c, 500, NULL);
    if (digit == PEER_BAD)
        return refuse(c, 400, 21211,
                      "The 'To' number +251911000003 is not a valid phone "
                      "number");
    if (digit == PEER_BUSY)
        return refuse(c, 429, 20429, "Too Many Requests");
    const struct call *made = add_call(to, from, hook, plivo);
    if (digit == PEER_DROPS || digit == PEER_DROPS_2)
        return MHD_NO; /* closes the connection */
    if (plivo)
        return reply(c, 201,
                     json_pack("{s:s,s:s,s:s}", "message", "call fired", "request_uuid",
                               made->id, "api_id", "1"));
    json_t *call = twilio_call(made);
    json_object_set_new(call, "status", json_string("queued"));
    return reply(c, 201, call);
}

/* ---- Twilio ---- */

static const char *form_text(const struct form *f, const char *name)
{
    const struct form_text *t = form_get(f, name);

    return t ? t->data : "";
}

static enum MHD_Result twilio_list(struct MHD_Connection *c)
{
    const char *to = MHD_lookup_connection_value(c, MHD_GET_ARGUMENT_KIND, "To");
    const char *from = MHD_lookup_connection_value(c, MHD_GET_ARGUMENT_KIND, "From");
    json_t *list = json_array();

    for (int i = peer.count - 1; i >= 0; i--)
        if (str_is(peer.calls[i].to, to) && str_is(peer.calls[i].from, from) &&
            mono_ms() >= peer.calls[i].listed_at_ms)
            json_array_append_new(list, twilio_call(&peer.calls[i]));
    return reply(c, 200, json_pack("{s:o}", "calls", list));
}

static enum MHD_Result twilio(struct MHD_Connection *c, const char *rest,
                              const char *method, const char *body)
{
    CLEANUP(form_free) struct form f = {0};

    if (form_parse(&f, body, strlen(body)))
        return reply(c, 400, NULL);
    if (strcmp(rest, ".json") == 0 && strcmp(method, "POST") == 0) {
        const char *to = form_text(&f, "To");
        snprintf(peer.bodies[to[strlen(to) - 1] - '0'], sizeof(peer.bodies[0]), "%s",
                 body);
        return originate(c, to, form_text(&f, "From"), form_text(&f, "StatusCallback"),
                         false);
    }
    if (strcmp(rest, ".json") == 0)
        return twilio_list(c);
    struct call *call = find_id(rest + 1, strcspn(rest + 1, "."));
    if (!call)
        return refuse(c, 404, 20404, "no such call");
    if (strcmp(method, "POST") == 0 && !is_over(call))
        str_cut(call->status, sizeof(call->status), form_text(&f, "Status"));
    return reply(c, 200, twilio_call(call));
}

/* ---- Plivo ---- */

static enum MHD_Result plivo_list(struct MHD_Connection *c, const char *status)
{
    json_t *list = json_array();

    for (int i = 0; i < peer.count; i++) {
        const struct call *call = &peer.calls[i];
        bool queued = strcmp(call->status, "queued") == 0;
        if (call->plivo && !is_over(call) && mono_ms() >= call->listed_at_ms &&
            queued == (strcmp(status, "queued") == 0))
            json_array_append_new(list, json_string(call->id));
    }
    return reply(c, 200, json_pack("{s:o}", "calls", list));
}

static enum MHD_Result plivo_see(struct MHD_Connection *c, const struct call *call,
                                 const char *status)
{
    bool queued = call && strcmp(call->status, "queued") == 0;

    if (!call || (status && (is_over(call) || queued != str_is(status, "queued"))) ||
        (!status && !is_over(call)))
        return refuse(c, 404, 0, "not found");
    if (status)
        return reply(c, 200,
                     json_pack("{s:s,s:s,s:s,s:s}", "call_uuid", call->id, "to", call->to,
                               "from", call->from, "call_status", call->status));
    return reply(c, 200,
                 json_pack("{s:s,s:s,s:s,s:i,s:i,s:s}", "call_uuid", call->id,
                           "to_number", call->to, "from_number", call->from,
                           "call_duration", 0, "hangup_cause_code", 1000,
                           "hangup_cause_name", "Canceled"));
}

static enum MHD_Result plivo(struct MHD_Connection *c, const char *rest,
                             const char *method, const char *body)
{
    const char *status = MHD_lookup_connection_value(c, MHD_GET_ARGUMENT_KIND, "status");
    bool of_request = strncmp(rest, "Request/", 8) == 0;
    const char *id = rest + (of_request ? 8 : 5);

    if (strcmp(method, "POST") == 0) {
        json_auto_t *o = json_loads(body, 0, NULL);
        const char *to = json_string_value(json_object_get(o, "to"));
        const char *from = json_string_value(json_object_get(o, "from"));
        const char *hook = json_string_value(json_object_get(o, "hangup_url"));
        return to && from && hook ? originate(c, to, from, hook, true)
                                  : refuse(c, 400, 0, "missing parameter");
    }
    if (!*id && status)
        return plivo_list(c, status);
    if (!*id)
        return reply(c, 200, json_pack("{s:[]}", "objects"));
    struct call *call = find_id(id, strcspn(id, "/"));
    if (strcmp(method, "DELETE") == 0) {
        if (!call || is_over(call) || of_request != (strcmp(call->status, "queued") == 0))
            return refuse(c, 404, 0, "not found");
        str_cut(call->status, sizeof(call->status), "cancel");
        return reply(c, 204, NULL);
    }
    return plivo_see(c, call, status);
}

/* ---- the listener ---- */

static enum MHD_Result answer(void *arg, struct MHD_Connection *c, const char *path,
                              const char *method, const char *version, const char *data,
                              size_t *size, void **own)
{
    static const char twilio_path[] = "/2010-04-01/Accounts/AC0001/Calls";
    static const char plivo_path[] = "/v1/Account/MA0001/";
    struct request *r = *own;
    enum MHD_Result ok = MHD_NO;

    (void)arg;
    (void)version;
    if (!r) {
        *own = calloc(1, sizeof(*r));
        return MHD_YES;
    }
    if (*size) {
        buf_add(&r->body, data, *size);
        *size = 0;
        return MHD_YES;
    }
    const char *body = r->body.data ? r->body.data : "";
    pthread_mutex_lock(&peer.lock);
    if (strncmp(path, twilio_path, sizeof(twilio_path) - 1) == 0)
        ok = twilio(c, path + sizeof(twilio_path) - 1, method, body);
    else if (strncmp(path, plivo_path, sizeof(plivo_path) - 1) == 0)
        ok = plivo(c, path + sizeof(plivo_path) - 1, method, body);
    pthread_mutex_unlock(&peer.lock);
    return ok;
}

static void on_completed(void *arg, struct MHD_Connection *c, void **own,
                         enum MHD_RequestTerminationCode code)
{
    struct request *r = *own;

    (void)arg;
    (void)c;
    (void)code;
    if (r)
        buf_free(&r->body);
    free(r);
    *own = NULL;
}

int peer_start(void)
{
    peer.daemon =
        MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD, 0, NULL, NULL, answer, NULL,
                         MHD_OPTION_NOTIFY_COMPLETED, on_completed, NULL, MHD_OPTION_END);
    if (!peer.daemon)
        abort();
    return MHD_get_daemon_info(peer.daemon, MHD_DAEMON_INFO_BIND_PORT)->port;
}

void peer_stop(void)
{
    MHD_stop_daemon(peer.daemon);
}

int peer_posts(int digit)
{
    pthread_mutex_lock(&peer.lock);
    int n = peer.posts[digit];
    pthread_mutex_unlock(&peer.lock);
    return n;
}

bool peer_call(int digit, struct uuid *attempt, char id[64], char status[24])
{
    bool found = false;

    pthread_mutex_lock(&peer.lock);
    for (int i = 0; i < peer.count; i++)
        if (peer.calls[i].digit == digit) {
            found = true;
            *attempt = peer.calls[i].attempt;
            memcpy(id, peer.calls[i].id, 64);
            memcpy(status, peer.calls[i].status, 24);
        }
    pthread_mutex_unlock(&peer.lock);
    return found;
}

void peer_set_status(int digit, const char *status)
{
    pthread_mutex_lock(&peer.lock);
    for (int i = 0; i < peer.count; i++)
        if (peer.calls[i].digit == digit)
            str_cut(peer.calls[i].status, sizeof(peer.calls[i].status), status);
    pthread_mutex_unlock(&peer.lock);
}

const char *peer_body(int digit)
{
    static char copy[4096];

    pthread_mutex_lock(&peer.lock);
    memcpy(copy, peer.bodies[digit], sizeof(copy));
    pthread_mutex_unlock(&peer.lock);
    return copy;
}
