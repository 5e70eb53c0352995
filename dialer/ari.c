#include "dialer/ari_inside.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <curl/curl.h>

#include "base/clock.h"
#include "base/http.h"
#include "base/log.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "dialer/placed.h"

enum {
    STRANGERS_AFTER_MS = 10000, /* by then the ledger's open attempts are known here */
    STRANGERS_EVERY_MS = 60000,
    STRANGER_SOON_MS = 2000, /* one that nobody knows has answered */
    BRIDGE_IDLE_MS = 600000, /* an empty bridge this old has lost its dialer */
    BLIND_EVERY_MS = 5000,   /* replaced: what becomes of our calls is asked for */
    GONE_AFTER_MS = 2000,    /* without ChannelDestroyed */
    HANG_UP_AGAIN_MS = 5000,
};

/* ---- events ---- */

static void on_leg(struct ari *a, const struct uuid *id, int leg,
                   const struct ari_event *ev)
{
    struct ari_call *c = ari_call_find(a, id);

    if (c && c->leg != LEG_NONE && c->leg_number == leg)
        ari_leg_event(a, c, ev);
    else if (ev->kind == ARI_STASIS_START) /* answered too late */
        ari_sendf(a->dialer, "DELETE", NULL, NULL, "/channels/%s", ev->channel);
}

/* NULL: of nobody here. An event may come again long after its call; it makes none. */
static struct ari_call *known_call(struct ari *a, const struct uuid *id)
{
    return placed_has(a->dialer, id) ? ari_call_get(a, id, NULL) : ari_call_find(a, id);
}

static void on_dial(struct ari *a, const struct uuid *id, const char *status)
{
    static const char *const final[] = {"BUSY", "CONGESTION", "NOANSWER", "CHANUNAVAIL",
                                        "CANCEL"};
    struct ari_call *c = known_call(a, id);

    if (!c)
        return;
    if (str_is(status, "RINGING") || str_is(status, "PROGRESS"))
        placed_ringing(a->dialer, id);
    for (size_t i = 0; i < ARRAY_LEN(final); i++)
        if (str_is(status, final[i]))
            str_cut(c->dial_status, sizeof(c->dial_status), status);
}

static void on_answer(struct ari *a, const struct uuid *id)
{
    struct ari_call *c = known_call(a, id);
    int64_t soon_ms = mono_ms() + STRANGER_SOON_MS;

    if (c) {
        c->was_up = true;
        placed_answered(a->dialer, id);
    } else if (a->strangers_at_ms > soon_ms) {
        /* Its request came late, after its attempt was given up: somebody listens to
         * nothing. Or it is long over, or recovery is just reading it. */
        a->strangers_at_ms = soon_ms;
    }
}

/* What is told of a call out and of no other. */
static void on_outbound(struct ari *a, const struct uuid *id, const struct ari_event *ev)
{
    if (ev->kind == ARI_STASIS_START) {
        on_answer(a, id);
    } else if (ev->kind == ARI_DIAL) {
        on_dial(a, id, ev->dial_status);
    } else if (ev->kind == ARI_DESTROYED) {
        ari_call_get(a, id, NULL); /* when nobody here knows it the ledger may */
    }
}

static void on_channel(struct ari *a, const struct ari_event *ev)
{
    struct ari_call *c = NULL;
    struct uuid id;
    int leg = 0;

    if (ari_channel_parse(a, ev->channel, &id, &leg)) {
        if (leg > 0) {
            if (!ari_line_event(a, &id, ev))
                on_leg(a, &id, leg, ev);
            return;
        }
        on_outbound(a, &id, ev);
    }
    c = ari_call_find_channel(a, ev->channel);
    if (!c)
        return;
    if (str_is(ev->channel_state, "Up")) /* one that goes at once has no StasisStart */
        c->was_up = true;
    if (ev->kind == ARI_HANGUP_REQUEST || ev->kind == ARI_STASIS_END)
        c->leaving = true;
    if (ev->kind == ARI_KEY)
        live_event(a->dialer->lives, &c->id,
                   &(struct live_event){.kind = LIVE_KEY, .key = ev->key});
    else if (ev->kind == ARI_TALKS)
        placed_talk(a->dialer, &c->id, true, clock_now_ms());
    else if (ev->kind == ARI_QUIET)
        placed_talk(a->dialer, &c->id, false, clock_now_ms() - ARI_QUIET_MS);
    else if (ev->kind == ARI_HANGUP_REQUEST && ev->cause)
        c->hangup_cause = ev->cause;
    else if (ev->kind == ARI_STASIS_END && !c->left_ms)
        c->left_ms = mono_ms();
    else if (ev->kind == ARI_DESTROYED)
        ari_call_end(a, c, ev->cause, ev->tech_cause);
}

static void on_replaced(struct ari *a, bool in)
{
    if (in) {
        a->in_leased = false; /* the tick closes the socket */
        log_warn("ari", "app=%s another process answers calls in", a->in_app);
    } else if (!a->replaced) {
        a->replaced = true;
        ari_wire_lost(a, ECONNRESET); /* that connection is told nothing any more */
        log_error("ari",
                  "app=%s state=replaced another process has connected as this dialer; "
                  "no more calls go out from here. Stop one of the two and restart",
                  a->own_app);
    }
}

void ari_handle(struct ari *a, bool in, const char *text, size_t len)
{
    CLEANUP(ari_event_free) struct ari_event ev = {0};

    if (ari_event_parse(text, len, &ev)) {
        log_warn("ari", "an event is not understood: %s", LOG_ESC(text));
        return;
    }
    if (ev.kind == ARI_REPLACED)
        on_replaced(a, in);
    else if (ev.kind == ARI_ANSWER)
        ari_wire_answered(a, ev.json);
    else if (ev.kind == ARI_PLAYED)
        ari_phone_played(a, &ev);
    else if (ev.recording[0])
        ari_phone_recorded(a, &ev);
    else if (ev.kind == ARI_STASIS_START && in)
        ari_inbound_start(a, &ev);
    else if (ev.kind != ARI_OTHER)
        on_channel(a, &ev);
}

/* ---- strangers ---- */

static void on_strangers(struct dialer *d, const struct web_resp *resp,
                         const struct ari_ask *ask)
{
    struct ari *a = d->ari;
    size_t i = 0;
    json_t *item = NULL;

    if (!a || !ari_is_ok(resp))
        return;
    json_auto_t *json = json_loadb(resp->body, resp->len, 0, NULL);
    json_array_foreach(json_object_get(json, "channel_ids"), i, item)
    {
        const char *channel = json_string_value(item);
        struct uuid id;
        int leg = 0;

        if (!channel || ari_call_find_channel(a, channel))
            continue;
        bool ours = ari_channel_parse(a, channel, &id, &leg);
        if (str_is(ask->name, a->own_app) && !ours)
            continue;
        if (ours && (placed_has(d, &id) || live_is_running(d->lives, &id) ||
                     ari_call_find(a, &id) || ari_line_is_known(a, &id)))
            continue;
        log_warn("ari", "channel=%s state=stranger nobody knows it; hung up",
                 LOG_ESC(channel));
        ari_sendf(d, "DELETE", NULL, NULL, "/channels/%s", channel);
    }
}

/* "<our channel>-br<n>", without anybody in it for long: a transfer of a dialer that
 * died. Younger ones may be of a living one, about to be filled. */
static bool is_left_bridge(const struct ari *a, const json_t *bridge)
{
    const char *id = json_string_value(json_object_get(bridge, "id"));
    const char *made = json_string_value(json_object_get(bridge, "creationtime"));
    const char *end = id ? strstr(id, "-br") : NULL;
    char channel[ARI_CHANNEL_MAX];
    struct uuid call;
    int64_t made_ms = made ? ari_event_instant(made) : 0;
    int leg = 0;

    if (!end || (size_t)(end - id) >= sizeof(channel) || made_ms == 0)
        return false;
    snprintf(channel, sizeof(channel), "%.*s", (int)(end - id), id);
    return ari_channel_parse(a, channel, &call, &leg) && !ari_call_find(a, &call) &&
           json_array_size(json_object_get(bridge, "channels")) == 0 &&
           clock_real_ms() - made_ms > BRIDGE_IDLE_MS;
}

static void on_bridges(struct dialer *d, const struct web_resp *resp,
                       const struct ari_ask *ask)
{
    struct ari *a = d->ari;
    size_t i = 0;
    json_t *bridge = NULL;

    (void)ask;
    if (!a || !ari_is_ok(resp))
        return;
    json_auto_t *json = json_loadb(resp->body, resp->len, 0, NULL);
    json_array_foreach(json, i, bridge)
    {
        const char *id = json_string_value(json_object_get(bridge, "id"));
        if (!is_left_bridge(a, bridge))
            continue;
        log_warn("ari", "bridge=%s state=left-over it is empty; taken down", LOG_ESC(id));
        ari_sendf(d, "DELETE", NULL, NULL, "/bridges/%s", id);
    }
}

void ari_hang_up_strangers(struct ari *a, const char *app)
{
    struct ari_ask ask = {0};

    str_cut(ask.name, sizeof(ask.name), app);
    ari_sendf(a->dialer, "GET", on_strangers, &ask, "/applications/%s", app);
    ari_sendf(a->dialer, "GET", on_bridges, NULL, "/bridges");
}

void ari_filter_events(struct ari *a, const char *app, ari_reply_fn *fn)
{
    json_auto_t *filter = ari_event_filter();
    CLEANUP(free_cleanup) char *path = xasprintf("/applications/%s/eventFilter", app);
    CLEANUP(free_cleanup) char *body = json_dumps(filter, JSON_COMPACT);

    ari_send(a->dialer,
             &(struct ari_request){.method = "PUT", .path = path, .body = body}, fn,
             NULL);
}

/* ---- our own application's socket ---- */

static void resync_outbound(struct ari *a, struct ari_call *c)
{
    ari_leg_resync(a, c);
    if (!c->inbound)
        ari_phone_resync(a, c);
}

static void resync(struct ari *a)
{
    ari_each_call(a, resync_outbound);
    ari_lines_resync(a);
    placed_resync(a->dialer, "ari");
}

/* The id of an Asterisk outlives it; since when it is up does not. */
static void on_info(struct dialer *d, const struct web_resp *resp,
                    const struct ari_ask *ask)
{
    struct ari *a = d->ari;

    (void)ask;
    if (!a || !ari_is_ok(resp))
        return;
    json_auto_t *json = json_loadb(resp->body, resp->len, 0, NULL);
    const char *since = json_string_value(
        json_object_get(json_object_get(json, "status"), "startup_time"));
    if (!since)
        return;
    if (a->up_since[0] && !str_is(a->up_since, since)) {
        log_warn("ari",
                 "app=%s Asterisk has restarted, up since %s: the calls of before "
                 "are over",
                 a->own_app, LOG_ESC(since));
        placed_switch_restarted(d, "ari");
    }
    str_cut(a->up_since, sizeof(a->up_since), since);
}

static void on_filtered(struct dialer *d, const struct web_resp *resp,
                        const struct ari_ask *ask)
{
    (void)resp; /* without a filter everything passes */
    (void)ask;
    if (d->ari)
        ari_wire_ask(d->ari);
}

static void on_up(void *arg)
{
    struct ari *a = arg;

    a->down_since_ms = 0;
    a->strangers_at_ms = mono_ms() + STRANGERS_AFTER_MS;
    ari_filter_events(a, a->own_app, on_filtered);
    resync(a);
    ari_sendf(a->dialer, "GET", on_info, NULL, "/asterisk/info");
}

static void on_down(void *arg)
{
    struct ari *a = arg;

    a->down_since_ms = mono_ms();
    ari_wire_lost(a, ECONNRESET);
    log_warn("ari", "app=%s no calls go out until Asterisk is back", a->own_app);
}

static void on_text(void *arg, const char *text, size_t len)
{
    ari_handle(arg, false, text, len);
}

static const struct ari_socket_ops own_ops = {
    .up = on_up, .down = on_down, .text = on_text, .next = ari_wire_next};

void ari_open_socket(struct ari *a, struct ari_socket **out, const char *app,
                     const struct ari_socket_ops *ops)
{
    const struct dialer_config *config = &a->dialer->config;
    char path[512];

    snprintf(path, sizeof(path), "%s/events?app=%s&subscribeAll=false", a->prefix, app);
    ari_socket_open(out, a->library, a->dialer->loop,
                    &(struct ari_socket_options){
                        .host = a->host,
                        .port = a->port,
                        .tls = a->tls,
                        .path = path,
                        .name = app,
                        .user = config->ari_user,
                        .secret = config->ari_secret,
                        .ops = ops,
                        .arg = a,
                    });
}

/* ---- once a second ---- */

static void tick_call(struct ari *a, struct ari_call *c)
{
    int64_t now = mono_ms();

    if (c->left_ms && now - c->left_ms >= GONE_AFTER_MS && !c->ended) {
        ari_call_end(a, c, c->we_hung_up ? 16 : 0, 0);
        return;
    }
    if (c->hang_up_reason && !c->ended && now - c->asked_hang_up_ms >= HANG_UP_AGAIN_MS) {
        struct uuid id = c->id;
        ari_call_hang_up(a, &id, c->hang_up_reason);
    }
    ari_leg_tick(a, c, now);
}

/* The other one has our events now. Our connection must not be made again, or the two
 * would take the application from each other for ever; our calls are followed by asking.
 */
static void tick_replaced(struct ari *a, int64_t now)
{
    ari_socket_close(a->own);
    a->own = NULL;
    if (now < a->blind_at_ms)
        return;
    a->blind_at_ms = now + BLIND_EVERY_MS;
    resync(a);
}

/* Its calls may go on unseen; when it is back they are strangers, and are hung up. */
static void look_whether_lost(struct ari *a)
{
    int64_t lost_ms = a->dialer->config.ari_lost_s * 1000;

    if (a->down_since_ms && lost_ms > 0 && mono_ms() - a->down_since_ms >= lost_ms)
        placed_switch_lost(a->dialer, "ari");
}

static void on_tick(uv_timer_t *timer)
{
    struct ari *a = timer->data;

    ari_each_call(a, tick_call);
    ari_inbound_tick(a, mono_ms());
    ari_wire_tick(a, mono_ms());
    look_whether_lost(a);
    if (a->replaced)
        tick_replaced(a, mono_ms());
    if (a->strangers_at_ms && mono_ms() >= a->strangers_at_ms &&
        ari_socket_is_up(a->own) && !a->replaced) {
        a->strangers_at_ms = mono_ms() + STRANGERS_EVERY_MS;
        ari_hang_up_strangers(a, a->own_app);
    }
}

/* ---- life ---- */

bool ari_is_ready(const struct ari *a)
{
    return a && ari_socket_is_up(a->own) && !a->replaced && a->dialer->slot_held &&
           !a->dialer->stopping;
}

static bool url_part(CURLU *url, CURLUPart part, char *out, size_t size)
{
    char *text = NULL;

    if (curl_url_get(url, part, &text, part == CURLUPART_PORT ? CURLU_DEFAULT_PORT : 0))
        return false;
    int err = str_copy(out, size, text);
    curl_free(text);
    return err == 0;
}

static int parse_url(struct ari *a, const char *text, struct errtext *e)
{
    CURLU *url = curl_url();
    char scheme[16] = "";
    char port[16] = "";
    int64_t n = 0;

    bool good = curl_url_set(url, CURLUPART_URL, text, 0) == CURLUE_OK &&
                url_part(url, CURLUPART_SCHEME, scheme, sizeof(scheme)) &&
                url_part(url, CURLUPART_HOST, a->host, sizeof(a->host)) &&
                url_part(url, CURLUPART_PORT, port, sizeof(port)) &&
                url_part(url, CURLUPART_PATH, a->prefix, sizeof(a->prefix)) &&
                str_to_i64(port, &n);
    curl_url_cleanup(url);
    a->tls = str_is(scheme, "https");
    if (!good || (!a->tls && !str_is(scheme, "http")))
        return errtext_set(e, EINVAL, 0, 0,
                           "ari_url is '%s', which is no address of Asterisk's REST "
                           "interface; it looks like http://127.0.0.1:8088/ari",
                           text);
    a->port = (int)n;
    size_t len = strlen(a->prefix);
    while (len > 0 && a->prefix[len - 1] == '/')
        a->prefix[--len] = '\0';
    return 0;
}

static void on_closed(uv_handle_t *h)
{
    free(h->data);
}

void ari_close(struct ari *a)
{
    if (!a)
        return;
    ari_inbound_close(a);
    ari_socket_close(a->own);
    ari_socket_close(a->in);
    a->own = a->in = NULL;
    a->dialer->ari = NULL; /* answers still to come find nobody */
    ari_wire_lost(a, ECANCELED);
    ari_each_call(a, ari_call_forget);
    ari_lines_free(a);
    uv_timer_stop(&a->tick);
    ari_library_free(a->library, a->dialer->loop);
    uv_close((uv_handle_t *)&a->tick, on_closed);
}

int ari_new(struct ari **out, struct dialer *d, struct errtext *e)
{
    struct ari *a = xcalloc(1, sizeof(*a));

    int err = parse_url(a, d->config.ari_url, e);
    if (!err)
        err = ari_library_new(&a->library, d->loop, a->tls, e);
    if (err) {
        free(a);
        return err;
    }
    a->dialer = d;
    a->down_since_ms = mono_ms();
    a->line.dialer = d;
    snprintf(a->own_app, sizeof(a->own_app), "furrow-%s-%d", d->installation, d->slot);
    snprintf(a->in_app, sizeof(a->in_app), "furrow-%s-in", d->installation);
    uv_timer_init(d->loop, &a->tick);
    a->tick.data = a;
    uv_timer_start(&a->tick, on_tick, ARI_TICK_MS, ARI_TICK_MS);
    ari_open_socket(a, &a->own, a->own_app, &own_ops);
    d->ari = a;
    *out = a;
    return 0;
}
