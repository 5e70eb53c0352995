#include "server/plivo_ivr_session.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/redis.h"
#include "base/xalloc.h"
#include "server/redis_pool.h"
#include "server/server.h"

#define LATE_KEY "ivr:hangups"

enum { VARIANT = sodium_base64_VARIANT_ORIGINAL };

/* ---- values ---- */

static char *call_key(const char *uuid)
{
    struct buf b = {0};

    buf_printf(&b, "ivr:session:%s", uuid);
    return buf_take(&b);
}

/* Callers of two tenants may have one number. */
static char *caller_key(int tenant_id, const char *caller_id)
{
    struct buf b = {0};

    buf_printf(&b, "ivr:caller:%d:%s", tenant_id, caller_id);
    return buf_take(&b);
}

static int get(struct server *s, const char *key, json_t **out)
{
    CLEANUP(redis_reply_free) redisReply *reply = NULL;
    struct redis *r = redis_pool_take(s->redis);

    int err = redis_cmd(r, &reply, "GET %s", key);
    redis_pool_give(s->redis, r);
    if (err)
        return err;
    if (reply->type != REDIS_REPLY_STRING)
        return ENOENT;
    *out = json_loadb(reply->str, reply->len, 0, NULL);
    return *out ? 0 : ENOENT;
}

static void set(struct server *s, const char *key, const json_t *value)
{
    CLEANUP(free_cleanup) char *text = json_dumps(value, JSON_COMPACT);
    struct redis *r = redis_pool_take(s->redis);

    int err = redis_cmd(r, NULL, "SET %s %s EX %d", key, text,
                        (int)s->config.plivo_ivr.session_ttl_s);
    if (err)
        log_warn("plivo_ivr", "err=%d a session is not in Redis: %s", err,
                 redis_error(r));
    redis_pool_give(s->redis, r);
}

static void del(struct server *s, const char *key)
{
    struct redis *r = redis_pool_take(s->redis);

    if (redis_cmd(r, NULL, "DEL %s", key))
        log_warn("plivo_ivr", "a session stays in Redis until it lapses: %s",
                 redis_error(r));
    redis_pool_give(s->redis, r);
}

/* ---- calls ---- */

static json_t *encode(int tenant_id, const struct menu_call *c)
{
    const size_t size = sodium_base64_ENCODED_LEN(c->state_len, VARIANT);
    CLEANUP(free_cleanup) char *state = xmalloc(size);
    char call[UUID_TEXT_MAX], begun[CLOCK_TEXT_MAX], changed[CLOCK_TEXT_MAX];

    sodium_bin2base64(state, size, c->state, c->state_len, VARIANT);
    return json_pack(
        "{s:s, s:s, s:s, s:s, s:O, s:O, s:s, s:s, s:s, s:{s:i, s:s, s:I, s:s, s:s, s:s, "
        "s:O, s:I, s:I}}",
        "call_uuid", c->uuid, "from_number", c->from, "to_number", c->to,
        "current_menu_id", c->current, "menu_history", c->path, "user_inputs", c->inputs,
        "start_time", clock_text(c->begun_ms, begun), "last_activity",
        clock_text(c->changed_ms, changed), "state", "active", "engine", "tenant",
        tenant_id, "call", uuid_text(&c->call, call), "revision",
        (json_int_t)c->flow_revision_id, "flow", c->flow_sha256, "state", state,
        "document", c->document ? c->document : "", "seen", c->seen, "begun_ms",
        (json_int_t)c->begun_ms, "changed_ms", (json_int_t)c->changed_ms);
}

static int decode_state(const char *text, struct menu_call *c)
{
    const size_t len = strlen(text);

    c->state = xmalloc(len + 1);
    return sodium_base642bin(c->state, len + 1, text, len, NULL, &c->state_len, NULL,
                             VARIANT)
               ? EBADMSG
               : 0;
}

static int decode(const json_t *v, int tenant_id, struct menu_call *out)
{
    const char *uuid, *from, *to, *current, *call, *flow, *state, *document;
    json_int_t revision, begun, changed;
    json_t *path, *inputs, *seen;
    struct menu_call c = {0};
    int tenant;

    if (json_unpack((json_t *)(uintptr_t)v,
                    "{s:s, s:s, s:s, s:s, s:o, s:o, s:{s:i, s:s, s:I, s:s, s:s, s:s, "
                    "s:o, s:I, s:I}}",
                    "call_uuid", &uuid, "from_number", &from, "to_number", &to,
                    "current_menu_id", &current, "menu_history", &path, "user_inputs",
                    &inputs, "engine", "tenant", &tenant, "call", &call, "revision",
                    &revision, "flow", &flow, "state", &state, "document", &document,
                    "seen", &seen, "begun_ms", &begun, "changed_ms", &changed) ||
        tenant != tenant_id || uuid_parse(call, &c.call) || decode_state(state, &c)) {
        free(c.state);
        return ENOENT;
    }
    str_cut(c.uuid, sizeof(c.uuid), uuid);
    str_cut(c.from, sizeof(c.from), from);
    str_cut(c.to, sizeof(c.to), to);
    str_cut(c.current, sizeof(c.current), current);
    str_cut(c.flow_sha256, sizeof(c.flow_sha256), flow);
    c.flow_revision_id = revision;
    c.begun_ms = begun;
    c.changed_ms = changed;
    c.path = json_incref(path);
    c.inputs = json_incref(inputs);
    c.seen = json_incref(seen);
    c.document = xstrdup(document);
    *out = c;
    return 0;
}

int hot_call_find(struct server *s, int tenant_id, const char *uuid,
                  struct menu_call *out)
{
    CLEANUP(free_cleanup) char *key = call_key(uuid);
    json_auto_t *value = NULL;

    int err = get(s, key, &value);
    return err ? err : decode(value, tenant_id, out);
}

void hot_call_write(struct server *s, int tenant_id, const struct menu_call *c)
{
    CLEANUP(free_cleanup) char *key = call_key(c->uuid);
    json_auto_t *value = encode(tenant_id, c);

    if (value)
        set(s, key, value);
}

void hot_call_forget(struct server *s, const char *uuid)
{
    CLEANUP(free_cleanup) char *key = call_key(uuid);

    del(s, key);
}

/* ---- callers ---- */

int hot_caller_find(struct server *s, int tenant_id, const char *caller_id, json_t **out)
{
    CLEANUP(free_cleanup) char *key = caller_key(tenant_id, caller_id);

    return get(s, key, out);
}

void hot_caller_write(struct server *s, int tenant_id, const char *caller_id,
                      const json_t *session)
{
    CLEANUP(free_cleanup) char *key = caller_key(tenant_id, caller_id);

    set(s, key, session);
}

/* ---- hang-ups that could not be written ---- */

/* The session says that the call is over, and waits for its log as long as that does. */
static void complete(struct server *s, const char *uuid)
{
    CLEANUP(free_cleanup) char *key = call_key(uuid);
    json_auto_t *value = NULL;
    struct redis *r;

    if (get(s, key, &value))
        return;
    json_object_set_new(value, "state", json_string("completed"));
    CLEANUP(free_cleanup) char *text = json_dumps(value, JSON_COMPACT);
    r = redis_pool_take(s->redis);
    if (redis_cmd(r, NULL, "SET %s %s", key, text))
        log_warn("plivo_ivr", "a session may lapse before its log is written: %s",
                 redis_error(r));
    redis_pool_give(s->redis, r);
}

int late_hangup_keep(struct server *s, const json_t *end)
{
    CLEANUP(free_cleanup) char *text = json_dumps(end, JSON_COMPACT);
    struct redis *r = redis_pool_take(s->redis);

    int err = redis_cmd(r, NULL, "RPUSH " LATE_KEY " %s", text);
    redis_pool_give(s->redis, r);
    if (!err)
        complete(s, json_string_value(json_object_get(end, "uuid")));
    return err;
}

int late_hangup_next(struct server *s, json_t **out)
{
    CLEANUP(redis_reply_free) redisReply *reply = NULL;
    struct redis *r = redis_pool_take(s->redis);

    int err = redis_cmd(r, &reply, "LINDEX " LATE_KEY " 0");
    redis_pool_give(s->redis, r);
    if (err)
        return err;
    if (reply->type != REDIS_REPLY_STRING)
        return ENOENT;
    *out = json_loadb(reply->str, reply->len, 0, NULL);
    return *out ? 0 : EBADMSG;
}

void late_hangup_done(struct server *s)
{
    struct redis *r = redis_pool_take(s->redis);

    if (redis_cmd(r, NULL, "LPOP " LATE_KEY))
        log_warn("plivo_ivr", "a hang-up is told again: %s", redis_error(r));
    redis_pool_give(s->redis, r);
}
