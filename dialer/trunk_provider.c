/*
 * Trunks over an account at Twilio or Plivo. A call is one POST, which is never repeated.
 * What becomes of it is told to furrow-server's webhooks, which write it into
 * provider_calls; those rows are read here five times a second while calls are open
 * (provider_rows.c). What no webhook tells, and what a POST without an answer left open,
 * is asked of the provider's REST API (provider_look.c). The flow of a call runs in
 * furrow-server.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "campaigns/attempt_store.h"
#include "dialer/dialer.h"
#include "dialer/placed.h"
#include "dialer/provider_inside.h"
#include "dialer/trunk_kinds.h"

enum {
    TICK_MS = 200,
    ANSWER_MS = 10000,  /* a provider answers an origination in a second or so */
    REFUSED_MS = 60000, /* it does not know us: no calls for so long */
    SKEW_MS = 15000,    /* between its clock and ours */
    MADE_WITHIN_MS = 120000,
    CAUSE_CONFIG = 50,
};

/* ---- sending ---- */

int carrier_send(struct carrier *k, struct provider_request *r, bool once,
                 web_done_fn *done, void *arg)
{
    static const char *const json[] = {"Content-Type: application/json", NULL};
    static const char *const form[] = {"Content-Type: application/x-www-form-urlencoded",
                                       NULL};
    const char *user =
        k->account.settings.user[0] ? k->account.settings.user : k->account.account;
    const char *const *type = r->json ? json : form;

    int err = web_send(k->base.dialer->web,
                       &(struct web_req){.method = r->method,
                                         .url = r->url,
                                         .headers = r->body ? type : NULL,
                                         .body = r->body,
                                         .body_len = r->body ? strlen(r->body) : 0,
                                         .user = user,
                                         .password = k->account.token,
                                         .timeout_ms = ANSWER_MS,
                                         .once = once},
                       done, arg);
    provider_request_free(r);
    return err;
}

static void refused(struct carried *c, const struct provider_call_news *news, long status,
                    trunk_originated_fn *done)
{
    struct carrier *k = c->carrier;
    struct dialer *d = k->base.dialer;
    struct uuid id = c->id;
    int cause = news->cause;

    if (status == 401 || status == 403) {
        k->held_until_ms = mono_ms() + REFUSED_MS;
        k->load_at_ms = 0;
        log_error("provider",
                  "trunk=%s state=held the provider refuses the account (%ld %s %s); see "
                  "'furrow provider set --help'",
                  LOG_ESC(k->base.row.name), status, news->code, LOG_ESC(news->says));
    }
    carrier_learnt(c, news); /* the end, with the code */
    done(d, &id, TRUNK_REJECTED, cause);
}

struct posted {
    struct call_ref ref;
    trunk_originated_fn *done;
};

static void on_posted(const struct web_resp *resp, void *arg)
{
    struct posted *p = arg;
    struct dialer *d = p->ref.dialer;
    trunk_originated_fn *done = p->done;
    struct uuid id = p->ref.id;
    struct carried *c = carrier_find(d, p->ref.trunk_id, &id);
    struct carrier *k =
        d->trunks ? (struct carrier *)trunks_find(d, p->ref.trunk_id) : NULL;
    struct provider_call_news news = PROVIDER_CALL_NEWS;
    char text[UUID_TEXT_MAX];

    free(p);
    if (k)
        k->in_flight--;
    if (!c) { /* webhooks have told its end already */
        done(d, &id, TRUNK_UNKNOWN, 0);
        return;
    }
    c->posting = false;
    fault_point("provider_sent");
    enum provider_judgement judgement =
        resp->err ? PROVIDER_MAYBE
                  : c->carrier->rest->judge(resp->status, resp->body, resp->len, &news);
    if (judgement != PROVIDER_TOOK)
        log_warn("provider", "attempt=%s origination: status=%ld err=%d code=%s %s",
                 uuid_text(&id, text), resp->status, resp->err, news.code,
                 LOG_ESC(news.says));
    if (resp->err == ECONNREFUSED) {
        carrier_forget(c);
        done(d, &id, TRUNK_NOT_SENT, 0);
    } else if (judgement == PROVIDER_REFUSED) {
        refused(c, &news, resp->status, done);
    } else if (judgement == PROVIDER_MAYBE) {
        done(d, &id, TRUNK_UNKNOWN, 0);
    } else {
        c->taken_at_ms = mono_ms();
        c->look_at_ms = c->taken_at_ms + (int64_t)c->carrier->settings.look_s * 1000;
        if (c->unwanted)
            c->end_at_ms = 0;
        done(d, &id, TRUNK_ACCEPTED, 0);
        carrier_learnt(c, &news);
    }
}

static struct carried *carried_new(struct carrier *k, const struct uuid *id)
{
    struct carried *c = xcalloc(1, sizeof(*c));

    c->id = *id;
    c->carrier = k;
    c->known = PROVIDER_CALL_NEWS;
    c->order.attempt = *id;
    c->order.hook = k->hook;
    c->order.time_limit_s = k->settings.time_limit_s;
    if (id_table_add(&k->calls, id, c))
        return c;
    free(c);
    return NULL;
}

static void show_from(struct carried *c, const char *caller_id)
{
    str_cut(c->order.from, sizeof(c->order.from),
            caller_id && *caller_id ? caller_id : c->carrier->settings.from);
}

static bool post(struct carried *c, trunk_originated_fn *done)
{
    struct carrier *k = c->carrier;
    struct provider_request r = {0};
    struct posted *p = xcalloc(1, sizeof(*p));

    p->ref = (struct call_ref){
        .dialer = k->base.dialer, .trunk_id = k->base.row.id, .id = c->id};
    p->done = done;
    k->rest->originate(&k->account, &c->order, &r);
    if (carrier_send(k, &r, true, on_posted, p)) {
        free(p);
        return false;
    }
    c->posting = true;
    k->in_flight++;
    return true;
}

static bool is_ready(const struct trunk *t)
{
    const struct carrier *k = (const struct carrier *)t;

    return k->loaded && mono_ms() >= k->held_until_ms;
}

static bool has_room(const struct trunk *t)
{
    return ((const struct carrier *)t)->in_flight < web_max_host(t->dialer->web) / 2;
}

/* Nobody may be called without a number that is shown. */
static bool refuse_nameless(struct carried *c, trunk_originated_fn *done)
{
    struct dialer *d = c->carrier->base.dialer;
    struct uuid id = c->id;

    if (c->order.from[0])
        return false;
    carrier_forget(c);
    placed_ended(d, &id,
                 &(struct placed_end){
                     .cause = CAUSE_CONFIG,
                     .note = "no number to show: give the campaign a caller_id, or the "
                             "trunk one with --settings '{\"from\": \"+…\"}'"});
    done(d, &id, TRUNK_REJECTED, CAUSE_CONFIG);
    return true;
}

static void originate(struct trunk *t, struct permit *permit,
                      const struct trunk_origination *o, trunk_originated_fn *done)
{
    struct carrier *k = (struct carrier *)t;
    struct carried *c = is_ready(t) ? carried_new(k, &o->attempt) : NULL;
    struct dialer *d = t->dialer;

    if (!c) {
        permit_free(permit);
        done(d, &o->attempt, TRUNK_NOT_SENT, 0);
        return;
    }
    c->read = true;
    c->open_until_ms = permit_facts(permit)->open_until_ms;
    c->order.phone = o->phone;
    c->order.ring_timeout_s = o->ring_timeout_s;
    if (o->machine)
        c->order.machine = *o->machine;
    show_from(c, o->caller_id);
    c->made_from_ms = clock_real_ms() - SKEW_MS;
    c->made_to_ms = clock_real_ms() + MADE_WITHIN_MS;
    fault_point("provider_send");
    bool may = !c->order.from[0] || permit_use(permit, mono_ms(), clock_now_ms());
    if (may && refuse_nameless(c, done)) {
        permit_free(permit);
        return;
    }
    bool sent = may && post(c, done);
    permit_free(permit);
    if (!sent) {
        carrier_forget(c);
        done(d, &o->attempt, TRUNK_NOT_SENT, 0);
    }
}

/* ---- after a crash ---- */

static void adopt(struct trunk *t, const struct attempt_row *row)
{
    struct carried *c = carried_new((struct carrier *)t, &row->id);

    if (!c)
        return;
    c->order.phone = row->phone;
    show_from(c, row->caller_id);
    if (!clock_is_virtual()) {
        c->made_from_ms = uuid_ms(&row->id) - SKEW_MS;
        c->made_to_ms = uuid_ms(&row->id) + MADE_WITHIN_MS;
    }
}

/* ---- asking ---- */

static void query(struct trunk *t, const struct uuid *attempt, trunk_query_fn *done)
{
    struct carried *c = id_table_find(&((struct carrier *)t)->calls, attempt);

    if (c)
        carrier_look(c, done);
    else
        done(t->dialer, attempt, TRUNK_UNASKED);
}

/* ---- begin and end ---- */

static void on_tick(uv_timer_t *timer)
{
    struct carrier *k = timer->data;
    struct carried *c = NULL;
    int64_t now = mono_ms();

    if (!k->loading && now >= k->load_at_ms)
        carrier_load_account(k);
    if (!k->polling && k->calls.count > 0)
        carrier_poll_rows(k);
    for (size_t at = 0; (c = id_table_next(&k->calls, &at));)
        carrier_look_after(c, now);
}

static int open_over(const struct trunk_ops *ops, const struct provider_rest_ops *rest,
                     struct trunk **out, struct dialer *d, const struct trunk_row *row,
                     struct errtext *e)
{
    struct provider_trunk_settings settings;

    int err = provider_trunk_settings_read(&settings, row->settings, e);
    if (err)
        return err;
    struct carrier *k = xcalloc(1, sizeof(*k));
    k->base = (struct trunk){.ops = ops, .dialer = d, .row = *row};
    k->rest = rest;
    k->settings = settings;
    uv_timer_init(d->loop, &k->timer);
    k->timer.data = k;
    uv_timer_start(&k->timer, on_tick, 0, TICK_MS);
    *out = &k->base;
    return 0;
}

static void on_closed(uv_handle_t *h)
{
    free(h->data);
}

static void close_carrier(struct trunk *t)
{
    struct carrier *k = (struct carrier *)t;
    struct carried *c = NULL;

    for (size_t at = 0; (c = id_table_next(&k->calls, &at));)
        carrier_forget(c);
    id_table_free(&k->calls);
    provider_wipe(&k->account);
    uv_close((uv_handle_t *)&k->timer, on_closed);
}

static int open_twilio(struct trunk **out, struct dialer *d, const struct trunk_row *row,
                       struct errtext *e)
{
    return open_over(&trunk_twilio, &provider_rest_twilio, out, d, row, e);
}

static int open_plivo(struct trunk **out, struct dialer *d, const struct trunk_row *row,
                      struct errtext *e)
{
    return open_over(&trunk_plivo, &provider_rest_plivo, out, d, row, e);
}

#define OPS(name, opens)                                                                 \
    {                                                                                    \
        .kind = (name), .open = (opens), .close = close_carrier, .is_ready = is_ready,   \
        .has_room = has_room, .originate = originate, .query = query,                    \
        .hang_up = carrier_hang_up, .adopt = adopt, .recall = carrier_recall,            \
    }
const struct trunk_ops trunk_twilio = OPS("twilio", open_twilio);
const struct trunk_ops trunk_plivo = OPS("plivo", open_plivo);
