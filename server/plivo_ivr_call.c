#include "server/plivo_ivr_call.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/pg.h"
#include "base/xalloc.h"
#include "campaigns/call_store.h"
#include "campaigns/menu_store.h"
#include "server/hook_time.h"
#include "server/plivo_ivr.h"
#include "server/plivo_ivr_session.h"
#include "server/server.h"

enum { TRIES = 4, DIGIT_KEPT_MAX = 32, HUNG_UP = 16 };

/* ---- documents ---- */

void turn_say(const char *text, struct response *resp)
{
    /* Words of ours: nothing in them needs escaping. */
    buf_printf(respond_xml(resp),
               "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Response><Speak "
               "language=\"en-US\" voice=\"WOMAN\" loop=\"1\">%s</Speak>"
               "<Hangup/></Response>\n",
               text);
}

bool turn_is_over(const struct turn *t)
{
    const int64_t ttl_ms = t->hook.server->config.plivo_ivr.session_ttl_s * 1000;

    return !t->known || t->call.ended || t->hook.now_ms - t->call.changed_ms > ttl_ms;
}

/* ---- the engine ---- */

/* Recorded audio of a menu is where the operator says. */
static int audio(const struct ivr_prompt *p, char *uri, size_t size, void *arg)
{
    (void)arg;
    if (!p->asset || !p->asset[0])
        return ENOENT;
    return str_copy(uri, size, p->asset) ? EMSGSIZE : 0;
}

/* The session as the engine's host wants it; takes the call's state. */
static int open_voice(struct turn *t)
{
    struct voice_call *v = &t->voice;
    struct voice_session *s = &v->session;
    struct menu_call *c = &t->call;
    char place[64];

    s->call = c->call;
    s->tenant_id = t->hook.provider.tenant_id;
    s->inbound = true;
    s->phone = voice_phone(c->from);
    s->flow_revision_id = c->flow_revision_id;
    s->contact = json_object();
    str_cut(s->flow_sha256, sizeof(s->flow_sha256), c->flow_sha256);
    str_cut(s->dialled, sizeof(s->dialled), c->to);
    s->state = STEAL(c->state);
    s->state_len = c->state_len;
    int err = voice_open(v, &t->hook);
    if (err)
        return err;
    snprintf(place, sizeof(place), "/api/call/%s", v->id);
    v->document.unanswered = false;
    v->ctx.media = audio;
    v->dials_numbers = true;
    if (!t->req) /* nobody waits for a document */
        return 0;
    if (!contract_url(t->req, "/api/handle-input", t->hook.base, sizeof(t->hook.base)) ||
        !contract_url(t->req, place, v->prefix, sizeof(v->prefix)))
        return EINVAL;
    v->document.keys_url = t->hook.base;
    return 0;
}

/* Menus that the step has entered become the call's path. */
static void follow(struct turn *t)
{
    const struct ivr_out *out = &t->voice.out;

    for (size_t i = 0; i < out->event_count; i++) {
        const struct ivr_event *ev = &out->events[i];
        const char *menu = ev->kind == IVR_EV_ENTERED ? menu_of_node(ev->node) : NULL;
        if (!menu || strcmp(menu, t->call.current) == 0)
            continue;
        str_cut(t->call.current, sizeof(t->call.current), menu);
        json_array_append_new(t->new_path, json_string(menu));
    }
}

/* The new state goes into the session for Redis; the row has it already. */
static int keep_state(struct turn *t)
{
    struct voice_call *v = &t->voice;
    const uint8_t *bytes;
    size_t len;

    if (!v->stepped) {
        t->call.state = STEAL(v->session.state);
        return 0;
    }
    int err = ivr_state_write(v->state, v->arena, &bytes, &len);
    if (err)
        return err;
    t->call.state = xmalloc(len + 1);
    memcpy(t->call.state, bytes, len);
    t->call.state_len = len;
    return 0;
}

/* ENODATA: no answer to what the call waits for; it stays where it is. */
static int feed(struct turn *t, const struct ivr_input *in)
{
    struct ivr_rendered rendered = {0};
    struct voice_call *v = &t->voice;

    int err = voice_feed(v, in);
    if (err)
        return err == ENODATA ? 0 : err;
    follow(t);
    err = v->backend->render(&v->out, &v->ctx, v->arena, &rendered);
    if (err)
        return err;
    free(t->call.document);
    t->call.document = xstrdup(rendered.document);
    return 0;
}

/* ---- writing ---- */

static json_t *seen_now(const struct turn *t)
{
    return t->nonce ? json_pack("[[s, s, s]]", t->nonce, t->request_sha256,
                                t->call.document ? t->call.document : "")
                    : json_array();
}

static int write_call(struct turn *t)
{
    json_auto_t *seen = seen_now(t);
    const struct menu_news news = {.path = t->new_path,
                                   .inputs = t->new_inputs,
                                   .seen = seen,
                                   .moved = t->voice.stepped};

    int err = keep_state(t);
    if (!err)
        err = menu_call_write(t->hook.pg, &t->call, &news, t->hook.now_ms);
    t->changed = !err;
    return err;
}

int turn_begin(struct turn *t, const char *from, const char *to)
{
    const struct menu_settings settings = plivo_ivr_settings(t->hook.server);
    const struct ivr_input in = {.kind = IVR_IN_START};
    const int tenant = t->hook.provider.tenant_id;
    struct menu_call *c = &t->call;
    struct call_context context = {0};
    struct flow_row flow;

    int err = menu_publish(t->hook.pg, tenant, &settings, t->hook.now_ms, &flow);
    if (err)
        return err;
    c->call = uuid_v7(t->hook.now_ms);
    c->flow_revision_id = flow.revision_id;
    c->begun_ms = c->changed_ms = t->hook.now_ms;
    str_cut(c->flow_sha256, sizeof(c->flow_sha256), flow.sha256);
    str_cut(c->uuid, sizeof(c->uuid), t->uuid);
    str_cut(c->from, sizeof(c->from), from);
    str_cut(c->to, sizeof(c->to), to);
    const struct call_start start = {.id = c->call,
                                     .tenant_id = tenant,
                                     .inbound = true,
                                     .phone = voice_phone(from),
                                     .extension = to,
                                     .flow_revision_id = flow.revision_id,
                                     .slot = -1,
                                     .at_ms = t->hook.now_ms};
    err = call_begin(t->hook.pg, &start, &context);
    call_context_free(&context);
    if (!err)
        err = menu_call_add(t->hook.pg, tenant, c, t->hook.now_ms);
    if (!err)
        err = open_voice(t);
    if (!err)
        err = feed(t, &in);
    return err ? err : write_call(t);
}

int turn_keys(struct turn *t, const char *digits)
{
    struct ivr_input in = {.kind = IVR_IN_DIGITS};
    char at[CLOCK_TEXT_MAX], kept[DIGIT_KEPT_MAX];

    str_cut(kept, sizeof(kept), digits);
    json_array_append_new(
        t->new_inputs, json_pack("{s:s, s:s, s:s}", "menu_id", t->call.current, "digit",
                                 kept, "timestamp", clock_text(t->hook.now_ms, at)));
    int err = open_voice(t);
    if (err)
        return err;
    if (t->voice.state && t->voice.state->status == IVR_WAITING) {
        in.token = t->voice.state->seq;
        in.keys.digits = kept;
        err = feed(t, &in);
    }
    return err ? err : write_call(t);
}

int turn_act(struct turn *t, const char *token, const char *wait)
{
    struct ivr_parsed parsed;

    int err = open_voice(t);
    if (!err)
        err = voice_request(&t->voice, token, wait, &parsed);
    if (err == EBADMSG) /* no address of ours: where it was */
        return 0;
    if (!err && parsed.kind == IVR_PARSED_DOCUMENT) {
        free(t->call.document);
        t->call.document = xstrdup(parsed.document);
        return 0;
    }
    if (!err && parsed.kind == IVR_PARSED_INPUT)
        err = feed(t, &parsed.input);
    return err ? err : write_call(t);
}

int turn_hung_up(struct turn *t)
{
    int err = open_voice(t);

    return err ? err : voice_hung_up(&t->voice, HUNG_UP);
}

/* ---- a turn ---- */

static void forget(struct turn *t)
{
    voice_close(&t->voice);
    menu_call_free(&t->call);
    json_decref(t->new_path);
    json_decref(t->new_inputs);
    t->new_path = t->new_inputs = NULL;
    t->told_before = NULL;
    t->known = t->changed = false;
}

static void hash_request(struct turn *t)
{
    CLEANUP(buf_free) struct buf all = {0};
    uint8_t hash[SHA256_BYTES];

    buf_printf(&all, "%s\n%s\n", t->req->method, t->req->url);
    buf_add(&all, t->req->body ? t->req->body : "", t->req->body_len);
    sha256_of(all.data, all.len, hash);
    sha256_text(hash, t->request_sha256);
}

/* Was that nonce used in this call? *same: for this very request. */
static bool is_seen(struct turn *t, bool *same)
{
    size_t i;
    json_t *one;

    if (!t->nonce || !t->known)
        return false;
    json_array_foreach(t->call.seen, i, one)
    {
        if (!str_is(json_string_value(json_array_get(one, 0)), t->nonce))
            continue;
        *same = str_is(json_string_value(json_array_get(one, 1)), t->request_sha256);
        t->told_before = json_string_value(json_array_get(one, 2));
        return true;
    }
    return false;
}

bool turn_is_forged(struct turn *t)
{
    bool same = false;

    if (!t->nonce)
        return false;
    hash_request(t);
    return is_seen(t, &same) && !same;
}

/* EACCES: the nonce was used for another request. */
static int run(struct turn *t, turn_fn *fn, bool hot, const char **words)
{
    struct pg *pg = t->hook.pg;
    bool same = false;

    int err = pg_begin(pg, t->hook.provider.tenant_id);
    if (!err)
        err = hook_limit(pg, t->req, true);
    if (err)
        return err;
    if (!hot) {
        err = menu_call_find(pg, t->uuid, &t->call);
        t->known = !err;
        err = err == ENOENT ? 0 : err;
    }
    t->new_path = json_array();
    t->new_inputs = json_array();
    if (!err && is_seen(t, &same))
        err = same ? 0 : EACCES; /* told twice: the same answer */
    else if (!err)
        err = fn(t, words);
    return pg_end(pg, err);
}

static void answer(struct turn *t, const char *words, struct response *resp)
{
    if (words) {
        turn_say(words, resp);
        return;
    }
    buf_puts(respond_xml(resp), t->told_before     ? t->told_before
                                : t->call.document ? t->call.document
                                                   : "<Response/>");
}

void turn_take(struct turn *t, turn_fn *fn, const char *sorry, struct response *resp)
{
    struct server *s = t->hook.server;
    const int tenant = t->hook.provider.tenant_id;
    const char *words = NULL;
    int err = EAGAIN;

    hash_request(t);
    /* First as Redis has it; moved on meanwhile (EEXIST) or ended (ENOENT): as the row.
     */
    bool hot = !hot_call_find(s, tenant, t->uuid, &t->call);
    for (int i = 0; i < TRIES && err; i++) {
        if (i > 0) {
            forget(t);
            hot = false;
            words = NULL;
        }
        t->known = hot;
        t->hook.pg = hook_take(s->hook_pool, t->req, true);
        err = run(t, fn, hot, &words);
        pg_pool_give(s->hook_pool, t->hook.pg);
        t->hook.pg = NULL;
        if (err && err != EEXIST && err != EAGAIN && !(err == ENOENT && hot))
            break;
    }
    if (!err && t->changed)
        hot_call_write(s, tenant, &t->call);
    if (!err) {
        answer(t, words, resp);
    } else if (err == EACCES) {
        log_warn("plivo_ivr", "refused=the nonce was used for another request");
        request_refuse(t->req, resp, 403, "this nonce was used for another request");
    } else {
        log_error("plivo_ivr", "call=%.40s err=%d the caller hears an apology",
                  LOG_ESC(t->uuid), err);
        turn_say(sorry, resp);
    }
    forget(t);
}
