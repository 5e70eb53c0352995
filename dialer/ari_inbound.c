/*
 * Calls in. One dialer of the installation holds the application furrow-<inst>-in: the
 * one that has the lease, a row of node_slots (a lock of a database session would need
 * a connection of its own and be lost with every reconnect). Asterisk itself lets only
 * the newest connection have an application, so two holders for an instant do no harm.
 *
 * A call in has an id of our own from its StasisStart on. While its number is looked up
 * it rings; what the caller does meanwhile is found when the answer is there.
 */
#include "dialer/ari_inside.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "campaigns/slot_store.h"
#include "contacts/phone.h"
#include "dialer/db.h"

enum { RENEW_MS = 5000, LEASE_KEY = 0x696e };
#define LEASE_KIND "dialer-in"

/* ---- the lease ---- */

struct lease { /* one word with the database; freed by its done */
    struct dialer *dialer;
    struct uuid holder;
    bool renew, has;
};

static int take_lease(struct pg *pg, struct lease *l)
{
    char host[256] = "";
    int slot = -1;

    if (gethostname(host, sizeof(host) - 1))
        str_cut(host, sizeof(host), "unknown");
    int err = slot_take(pg, LEASE_KIND, 0, &l->holder, host, (int)getpid(), &slot);
    l->has = !err && slot == 0;
    /* Another place than the first means that somebody has the first. */
    if (!err && slot != 0)
        err = slot_give(pg, LEASE_KIND, slot, &l->holder);
    return err;
}

static int lease_work(struct pg *pg, void *arg)
{
    struct lease *l = arg;

    if (!l->renew)
        return take_lease(pg, l);
    int err = slot_renew(pg, LEASE_KIND, 0, &l->holder);
    l->has = err != EACCES;
    return err == EACCES ? 0 : err;
}

static void lease_done(int err, void *arg)
{
    struct lease *l = arg;
    struct ari *a = l->dialer->ari;

    if (a) {
        a->in_asking = false;
        /* With Postgres away nobody else can take it either: keep what there is. */
        if (!err && l->has != a->in_leased) {
            a->in_leased = l->has;
            log_info("ari", "app=%s state=%s", a->in_app,
                     l->has ? "leased calls in are answered here" : "lost");
        }
    }
    free(l);
}

static void ask_lease(struct ari *a)
{
    struct dialer *d = a->dialer;
    struct lease *l = xcalloc(1, sizeof(*l));

    l->dialer = d;
    l->holder = d->holder;
    l->renew = a->in_leased;
    if (db_submit(d->db, DB_TRY, LEASE_KEY, lease_work, lease_done, l))
        free(l);
    else
        a->in_asking = true;
}

static int give_work(struct pg *pg, void *arg)
{
    const struct lease *l = arg;

    return slot_give(pg, LEASE_KIND, -1, &l->holder); /* asked for, and heard of or not */
}

static void give_done(int err, void *arg)
{
    (void)err;
    free(arg);
}

void ari_inbound_close(struct ari *a)
{
    struct dialer *d = a->dialer;

    if (!d->db)
        return;
    a->in_leased = false;
    struct lease *l = xcalloc(1, sizeof(*l));
    l->holder = d->holder;
    if (db_submit(d->db, DB_KEEP, LEASE_KEY, give_work, give_done, l))
        free(l);
}

/* ---- the socket ---- */

static void ask_call(struct ari *a, struct ari_call *c);

static void resync_call(struct ari *a, struct ari_call *c)
{
    if (!c->inbound)
        return;
    ari_phone_resync(a, c);
    ask_call(a, c);
}

void ari_inbound_resync(struct ari *a)
{
    ari_each_call(a, resync_call);
    ari_hang_up_strangers(a, a->in_app);
}

static void on_up(void *arg)
{
    struct ari *a = arg;

    ari_filter_events(a, a->in_app, NULL);
    ari_inbound_resync(a);
}

static void on_down(void *arg)
{
    const struct ari *a = arg;

    log_warn("ari", "app=%s callers hear congestion until Asterisk is back", a->in_app);
}

static void on_text(void *arg, const char *text, size_t len)
{
    ari_handle(arg, true, text, len);
}

static const struct ari_socket_ops in_ops = {
    .up = on_up, .down = on_down, .text = on_text};

void ari_inbound_tick(struct ari *a, int64_t mono_now_ms)
{
    if (!a->dialer->db)
        return;
    if (!a->in_asking && mono_now_ms >= a->in_renew_ms && !a->dialer->stopping) {
        a->in_renew_ms = mono_now_ms + RENEW_MS;
        ask_lease(a);
        if (!a->in_leased) /* calls of ours that another dialer now has events of */
            ari_each_call(a, resync_call);
    }
    if (a->in_leased && !a->in) {
        ari_open_socket(a, &a->in, a->in_app, &in_ops);
    } else if (!a->in_leased && a->in) {
        ari_socket_close(a->in);
        a->in = NULL;
    }
}

/* ---- a call in ---- */

static void on_call_asked(struct dialer *d, const struct web_resp *resp,
                          const struct ari_ask *ask)
{
    struct ari_call *c = d->ari ? ari_call_find(d->ari, &ask->call) : NULL;

    if (c && ari_is_absent(resp))
        ari_call_end(d->ari, c, 0, 0);
}

static void ask_call(struct ari *a, struct ari_call *c)
{
    ari_sendf(a->dialer, "GET", on_call_asked, &(struct ari_ask){.call = c->id},
              "/channels/%s", c->channel);
}

struct lookup { /* crosses the database's door; freed by its last done */
    struct dialer *dialer;
    struct uuid call;
    char dialled[32];
    int64_t phone, now_ms;
    struct call_extension extension;
    bool duplicate;
};

static void callback_done(int err, void *arg)
{
    struct lookup *l = arg;
    char phone[PHONE_TEXT_MAX];

    if (err)
        log_error("ari", "phone=%s a missed call cannot be called back: err=%d",
                  phone_mask(l->phone, phone), err);
    else
        log_info("ari", "phone=%s state=%s missed call to %s",
                 phone_mask(l->phone, phone),
                 l->duplicate ? "already_waiting" : "callback", l->dialled);
    free(l);
}

static int callback_work(struct pg *pg, void *arg)
{
    struct lookup *l = arg;

    return call_request_callback(pg, l->extension.tenant_id,
                                 l->extension.callback_campaign_id, l->phone, l->now_ms,
                                 l->now_ms, &l->duplicate);
}

/* Takes l over. */
static void call_back(struct lookup *l)
{
    if (l->phone == 0 || l->extension.callback_campaign_id == 0) {
        log_info("ari", "a missed call to %s has no number to call back", l->dialled);
        free(l);
        return;
    }
    l->now_ms = clock_now_ms();
    if (db_submit(l->dialer->db, DB_KEEP, db_key(&l->call), callback_work, callback_done,
                  l)) {
        log_error("ari", "a missed call to %s is lost: shutting down", l->dialled);
        free(l);
    }
}

static void on_answered(struct dialer *d, const struct web_resp *resp,
                        const struct ari_ask *ask)
{
    struct ari *a = d->ari;
    struct ari_call *c = a ? ari_call_find(a, &ask->call) : NULL;

    if (!c || c->ended)
        return;
    if (!ari_is_ok(resp)) {
        ari_call_hang_up(a, &ask->call, "failure");
        return;
    }
    c->was_up = true;
    int err = live_start(d->lives,
                         &(struct live_start){
                             .id = c->id,
                             .tenant_id = c->extension.tenant_id,
                             .inbound = true,
                             .phone = c->phone,
                             .extension = c->dialled,
                             .flow_revision_id = c->extension.flow_revision_id,
                             .callback_campaign_id = c->extension.callback_campaign_id,
                             .ops = &ari_phone_ops,
                             .phone_arg = &a->line,
                         });
    if (err) {
        log_error("ari", "channel=%s a call in cannot be served: err=%d", c->channel,
                  err);
        ari_call_hang_up(a, &ask->call, "failure");
    }
}

static void refuse(struct ari *a, const struct ari_call *c, const char *reason,
                   const char *why)
{
    struct uuid id = c->id;

    log_info("ari", "channel=%s dialled=%s refused: %s", c->channel, LOG_ESC(c->dialled),
             why);
    ari_call_hang_up(a, &id, reason);
}

static void serve(struct ari *a, struct ari_call *c, const struct lookup *l)
{
    c->decided = true;
    c->extension = l->extension;
    ari_sendf(a->dialer, "POST", on_answered, &(struct ari_ask){.call = c->id},
              "/channels/%s/answer", c->channel);
}

static void lookup_done(int err, void *arg)
{
    struct lookup *l = arg;
    struct ari *a = l->dialer->ari;
    struct ari_call *c = a ? ari_call_find(a, &l->call) : NULL;

    if (c && c->ended)
        c = NULL;
    if (!err && l->extension.missed_call) {
        if (c)
            refuse(a, c, "busy", "a missed call, to be called back");
        call_back(l); /* also when the caller has gone already */
        return;
    }
    if (c && err == ENOENT)
        refuse(a, c, "unallocated", "no flow is published for this number");
    else if (c && err)
        refuse(a, c, "congestion", "the database does not answer");
    else if (c && a->dialer->stopping)
        refuse(a, c, "congestion", "shutting down");
    else if (c)
        serve(a, c, l);
    free(l);
}

static int lookup_work(struct pg *pg, void *arg)
{
    struct lookup *l = arg;

    return call_find_extension(pg, l->dialled, &l->extension);
}

/* "251911234567", "+251…", "00251…": E.164; anonymous, inside numbers: 0. */
static int64_t caller_number(const char *text)
{
    char plain[PHONE_TEXT_LIMIT];
    struct phone phone = {0};

    if (text[0] == '+')
        text++;
    else if (strncmp(text, "00", 2) == 0)
        text += 2;
    size_t len = strlen(text);
    if (len < 7 || len > 15 || strspn(text, "0123456789") != len || text[0] == '0')
        return 0;
    int n = snprintf(plain, sizeof(plain), "+%s", text);
    enum phone_error err = phone_parse(plain, (size_t)n, NULL, &phone);
    return err == PHONE_VALID || err == PHONE_INVALID ? phone.e164 : 0;
}

void ari_inbound_start(struct ari *a, const struct ari_event *ev)
{
    struct dialer *d = a->dialer;
    struct uuid id;
    int leg = 0;

    if (ari_channel_parse(a, ev->channel, &id, &leg) ||
        ari_call_find_channel(a, ev->channel))
        return;
    id = uuid_v7(clock_now_ms());
    struct ari_call *c = ari_call_get(a, &id, ev->channel);
    char phone[PHONE_TEXT_MAX];
    c->inbound = true;
    c->phone = caller_number(ev->caller);
    str_cut(c->dialled, sizeof(c->dialled), ev->arg[0] == '+' ? ev->arg + 1 : ev->arg);
    log_info("ari", "channel=%s state=in dialled=%s phone=%s", c->channel,
             LOG_ESC(c->dialled), phone_mask(c->phone, phone));
    /* Without this a call in ends unseen: leaving Stasis ends the subscription. */
    ari_sendf(d, "POST", NULL, NULL,
              "/applications/%s/subscription?eventSource=channel:%s", a->in_app,
              c->channel);
    struct lookup *l = xcalloc(1, sizeof(*l));
    l->dialer = d;
    l->call = id;
    l->phone = c->phone;
    str_cut(l->dialled, sizeof(l->dialled), c->dialled);
    int err = db_submit(d->db, DB_TRY, db_key(&id), lookup_work, lookup_done, l);
    if (err)
        lookup_done(err, l);
}
