/*
 * Trunks over an account at Twilio or Plivo. A call is one POST, which is never repeated.
 * What becomes of it is told to furrow-server's webhooks, which write it into
 * provider_calls; those rows are read here five times a second while calls are open. What
 * no webhook tells, and what a POST without an answer left open, is asked of the
 * provider's REST API (provider_look.c). The flow of a call runs in furrow-server.
 *
 * A provider queues what comes too fast, and what is queued may be dialled after the
 * calling window has closed: a call that is still queued after queued_max_s, when its
 * window closes or when its campaign stops is taken back.
 */
#include <errno.h>
#include <stdio.h>
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
    ANSWER_MS = 10000, /* a provider answers an origination in a second or so */
    END_AGAIN_MS = 2000,
    REFUSED_MS = 60000, /* it does not know us: no calls for so long */
    SKEW_MS = 15000,    /* between its clock and ours */
    MADE_WITHIN_MS = 120000,
    CAUSE_CONFIG = 50,
};

/* ---- what is known of a call ---- */

struct carried *carrier_find(struct dialer *d, int64_t trunk_id, const struct uuid *id)
{
    struct carrier *k = d->trunks ? (struct carrier *)trunks_find(d, trunk_id) : NULL;

    return k ? id_table_find(&k->calls, id) : NULL;
}

static void forget(struct carried *c)
{
    id_table_remove(&c->carrier->calls, &c->id);
    carrier_look_free(c);
    free(c);
}

static void note_of(const struct provider_call_news *n, char *out, size_t size)
{
    out[0] = '\0';
    if (n->code[0] || n->says[0])
        snprintf(out, size, "the provider says %s%s%s", n->code,
                 n->code[0] && n->says[0] ? ": " : "", n->says);
}

static void tell_end(struct carried *c)
{
    struct dialer *d = c->carrier->base.dialer;
    struct provider_call_news n = c->known;
    struct uuid id = c->id;
    char note[160];
    const struct placed_end end = {.was_up = n.status == PROVIDER_CALL_COMPLETED,
                                   .we_hung_up = c->we_ended,
                                   .cause = n.cause,
                                   .tech_cause = n.tech_cause,
                                   .note = note};

    note_of(&n, note, sizeof(note));
    if (end.was_up)
        note[0] = '\0';
    forget(c);
    placed_flow_said(d, &id, n.opted_out, n.callback_at_ms);
    placed_ended(d, &id, &end);
}

/* To placed, in the order of a call's life. */
static void tell(struct carried *c)
{
    static const enum machine_verdict verdicts[] = {
        [PROVIDER_ANSWERED_UNSURE] = MACHINE_UNSURE,
        [PROVIDER_ANSWERED_HUMAN] = MACHINE_HUMAN,
        [PROVIDER_ANSWERED_MACHINE] = MACHINE_MACHINE};
    struct dialer *d = c->carrier->base.dialer;
    enum provider_call_status status = c->known.status;
    struct uuid id = c->id;

    if (status > PROVIDER_CALL_SILENT && status < PROVIDER_CALL_UP)
        placed_ringing(d, &id);
    if ((status == PROVIDER_CALL_UP || status == PROVIDER_CALL_COMPLETED) &&
        !c->up_told) {
        c->up_told = true;
        placed_answered(d, &id);
    }
    if (c->known.answered_by != PROVIDER_ANSWERED_UNSAID && !c->answer_told) {
        c->answer_told = c->known.answered_by != PROVIDER_ANSWERED_UNSURE;
        placed_answered_by(d, &id, verdicts[c->known.answered_by]);
    }
    if (provider_call_is_over(status))
        tell_end(c);
}

static bool merge(struct carried *c, const struct provider_call_news *news)
{
    struct provider_call call = {.known = c->known};
    bool changed = provider_call_merge(&call, news);

    c->known = call.known;
    return changed;
}

void carrier_heard(struct carried *c, const struct provider_call_news *news)
{
    if (merge(c, news))
        tell(c);
}

void carrier_learnt(struct carried *c, const struct provider_call_news *news)
{
    if (!merge(c, news))
        return;
    carrier_write_down(c, news);
    tell(c);
}

/* ---- ending ---- */

struct call_ref {
    struct dialer *dialer;
    int64_t trunk_id;
    struct uuid id;
};

static struct call_ref *ref_of(const struct carried *c)
{
    struct call_ref *r = xcalloc(1, sizeof(*r));

    *r = (struct call_ref){.dialer = c->carrier->base.dialer,
                           .trunk_id = c->carrier->base.row.id,
                           .id = c->id};
    return r;
}

/* Its own word of the end comes by webhook; should it not, it is looked for. */
static void on_end_sent(const struct web_resp *resp, void *arg)
{
    struct call_ref *r = arg;
    struct carried *c = carrier_find(r->dialer, r->trunk_id, &r->id);
    struct provider_seen seen = {.news = PROVIDER_CALL_NEWS};

    free(r);
    if (!c)
        return;
    if (!resp->err && c->carrier->rest->see(0, resp->status, resp->body, resp->len,
                                            &seen) == PROVIDER_SEEN) {
        carrier_learnt(c, &seen.news);
        return;
    }
    c->look_again_ms = 0;
    placed_doubt(c->carrier->base.dialer, &c->id);
}

/* Asked again until the provider says that it is over. */
static void carrier_end(struct carried *c)
{
    struct provider_request r = {0};
    struct carrier *k = c->carrier;

    if (c->posting || (!c->known.call_id[0] && !c->known.request_id[0]) ||
        mono_ms() < c->end_at_ms || !k->loaded)
        return;
    c->end_at_ms = mono_ms() + END_AGAIN_MS;
    k->rest->end(&k->account, &c->known, c->end_tries % 2 == 1, &r);
    c->end_tries++;
    c->we_ended = true;
    struct call_ref *ref = ref_of(c);
    if (carrier_send(k, &r, false, on_end_sent, ref))
        free(ref);
}

static void hang_up(struct trunk *t, const struct uuid *attempt)
{
    struct carried *c = id_table_find(&((struct carrier *)t)->calls, attempt);

    if (!c || c->unwanted)
        return;
    c->unwanted = true;
    carrier_end(c);
}

void carrier_take_back(struct carried *c)
{
    if (!c->recalled || c->unwanted)
        return;
    c->unwanted = true;
    carrier_end(c);
}

/* Only after the provider has just said that it is still queued: webhooks may be late. */
static void recall(struct trunk *t, const struct uuid *attempt)
{
    struct carried *c = id_table_find(&((struct carrier *)t)->calls, attempt);

    if (!c || c->recalled || c->known.status > PROVIDER_CALL_QUEUED)
        return;
    c->recalled = true;
    c->look_again_ms = 0;
    placed_doubt(t->dialer, attempt);
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

/* ---- the turn ---- */

static bool waits_too_long(const struct carried *c, int64_t now)
{
    return c->taken_at_ms && c->known.status <= PROVIDER_CALL_QUEUED &&
           (now - c->taken_at_ms > (int64_t)c->carrier->settings.queued_max_s * 1000 ||
            (c->open_until_ms && clock_now_ms() >= c->open_until_ms));
}

static void look_after(struct carried *c, int64_t now)
{
    struct trunk *t = &c->carrier->base;

    if (!c->posting && !placed_has(t->dialer, &c->id)) {
        forget(c); /* it ended as unknown */
        return;
    }
    if (waits_too_long(c, now))
        recall(t, &c->id);
    if (c->unwanted) {
        carrier_end(c);
    } else if (c->recalled && c->known.status > PROVIDER_CALL_QUEUED) {
        c->recalled = false; /* it was dialled in time */
    } else if (c->taken_at_ms && now >= c->look_at_ms) {
        c->look_at_ms = now + (int64_t)c->carrier->settings.look_s * 1000;
        placed_doubt(t->dialer, &c->id);
    }
}

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
        look_after(c, now);
}

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
        forget(c);
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
    forget(c);
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
        forget(c);
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

/* ---- begin and end ---- */

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
        forget(c);
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

const struct trunk_ops trunk_twilio = {.kind = "twilio",
                                       .open = open_twilio,
                                       .close = close_carrier,
                                       .is_ready = is_ready,
                                       .has_room = has_room,
                                       .originate = originate,
                                       .query = query,
                                       .hang_up = hang_up,
                                       .adopt = adopt,
                                       .recall = recall};

const struct trunk_ops trunk_plivo = {.kind = "plivo",
                                      .open = open_plivo,
                                      .close = close_carrier,
                                      .is_ready = is_ready,
                                      .has_room = has_room,
                                      .originate = originate,
                                      .query = query,
                                      .hang_up = hang_up,
                                      .adopt = adopt,
                                      .recall = recall};
