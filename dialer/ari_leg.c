/*
 * A transfer to an extension: a bridge <channel>-br<n>, a second channel <channel>-b<n>
 * from an ordinary originate, both in the bridge once it answers. The caller stays in
 * Stasis all the time and the flow goes on when the second leg is over. An agent with an
 * open line (ari_line.c) is in the bridge at once, and the line goes on afterwards. Who
 * must confirm hears a tone every other second until the key comes.
 */
#include "dialer/ari_inside.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"

enum {
    RING_GRACE_MS = 10000,
    TONE_EVERY_MS = 2000,
    CAUSE_NORMAL = 16,
    LINE_END_KEY = '*', /* an agent on an open line ends the talk, not the line */
};

static void tell(struct dialer *d, const struct uuid *id, enum ivr_dialled result,
                 int64_t talked_ms, int cause)
{
    live_event(
        d->lives, id,
        &(struct live_event){
            .kind = LIVE_DIALLED,
            .dialled = {.result = result, .talked_ms = talked_ms, .cause = cause}});
}

static void end_bridge(struct ari *a, const struct ari_call *c)
{
    char channel[ARI_CHANNEL_MAX];

    ari_channel_name(a, &c->id, channel);
    ari_sendf(a->dialer, "DELETE", NULL, NULL, "/bridges/%s-br%d", channel,
              c->leg_number);
}

static bool on_line(const struct ari_call *c)
{
    return !uuid_is_zero(&c->leg_line);
}

/* The channel of the second leg. */
static void leg_name(const struct ari *a, const struct ari_call *c,
                     char out[ARI_CHANNEL_MAX])
{
    char channel[ARI_CHANNEL_MAX];

    if (on_line(c)) {
        ari_line_channel(a, &c->leg_line, out);
        return;
    }
    ari_channel_name(a, &c->id, channel);
    snprintf(out, ARI_CHANNEL_MAX, "%.130s-b%d", channel, c->leg_number);
}

/* A line goes on without the call. */
static void hang_up_leg(struct ari *a, struct ari_call *c)
{
    char channel[ARI_CHANNEL_MAX];

    if (on_line(c)) {
        ari_line_give_back(a, &c->leg_line);
        c->leg_line = (struct uuid){0};
        return;
    }
    leg_name(a, c, channel);
    ari_sendf(a->dialer, "DELETE", NULL, NULL, "/channels/%s?reason=normal", channel);
}

static void finish(struct ari *a, struct ari_call *c, int cause)
{
    bool talked = c->leg == LEG_TALKING;
    enum ivr_dialled result = IVR_DIALLED_FAILED;

    if (talked)
        result = IVR_DIALLED_COMPLETED;
    else if (cause == 17)
        result = IVR_DIALLED_BUSY;
    else if (cause == 18 || cause == 19 || cause == 21 || c->leg == LEG_CONFIRMING)
        result = IVR_DIALLED_NO_ANSWER;
    int64_t talked_ms = talked ? mono_ms() - c->leg_since_ms : 0;
    c->leg = LEG_NONE;
    end_bridge(a, c);
    struct uuid id = c->id;
    tell(a->dialer, &id, result, talked_ms, cause);
}

static struct ari_call *waiting(const struct dialer *d, const struct ari_ask *ask)
{
    struct ari_call *c = d->ari ? ari_call_find(d->ari, &ask->call) : NULL;

    return c && c->leg != LEG_NONE && c->leg_number == (int)ask->n ? c : NULL;
}

static void on_leg_asked(struct dialer *d, const struct web_resp *resp,
                         const struct ari_ask *ask)
{
    struct ari_call *c = waiting(d, ask);

    if (c && ari_is_absent(resp))
        finish(d->ari, c, 0);
}

static void ask_leg(struct ari *a, const struct ari_call *c)
{
    char channel[ARI_CHANNEL_MAX];

    leg_name(a, c, channel);
    ari_sendf(a->dialer, "GET", on_leg_asked,
              &(struct ari_ask){.call = c->id, .n = (uint32_t)c->leg_number},
              "/channels/%s", channel);
}

static void on_originated(struct dialer *d, const struct web_resp *resp,
                          const struct ari_ask *ask)
{
    struct ari_call *c = waiting(d, ask);

    if (!c || ari_is_ok(resp))
        return;
    if (resp->err && resp->err != ECONNREFUSED) {
        ask_leg(d->ari, c);
        return;
    }
    log_warn("ari", "channel=%s the extension could not be rung: status=%ld err=%d %s",
             c->channel, resp->status, resp->err, LOG_ESC(resp->body));
    finish(d->ari, c, 0);
}

bool ari_extension_endpoint(const struct dialer *d, const char *number, char *out,
                            size_t size)
{
    const char *form = d->config.ari_extension_endpoint;
    const char *gap = strstr(form, "{number}");

    if (!form[0] || !number[0] || strspn(number, "0123456789*#") != strlen(number))
        return false;
    int n = gap ? snprintf(out, size, "%.*s%s%s", (int)(gap - form), form, number,
                           gap + strlen("{number}"))
                : snprintf(out, size, "%s", form);
    return n > 0 && (size_t)n < size;
}

static void on_impossible(struct dialer *d, const struct web_resp *resp,
                          const struct ari_ask *ask)
{
    (void)resp;
    if (d->ari)
        tell(d, &ask->call, IVR_DIALLED_FAILED, 0, 0);
}

static void originate(struct ari *a, const struct ari_call *c, const char *endpoint,
                      int64_t ring_ms)
{
    const struct ari_ask ask = {.call = c->id, .n = (uint32_t)c->leg_number};
    char channel[ARI_CHANNEL_MAX];
    char path[2 * ARI_CHANNEL_MAX];

    ari_channel_name(a, &c->id, channel);
    snprintf(path, sizeof(path), "/channels/%s-b%d", channel, c->leg_number);
    json_auto_t *json =
        json_pack("{s:s,s:s,s:I}", "endpoint", endpoint, "app", a->own_app, "timeout",
                  (json_int_t)((ring_ms + 999) / 1000));
    char *body = json_dumps(json, JSON_COMPACT);
    ari_send(
        a->dialer,
        &(struct ari_request){.method = "POST", .path = path, .body = body, .once = true},
        on_originated, &ask);
    free(body);
}

static void on_bridged(struct dialer *d, const struct web_resp *resp,
                       const struct ari_ask *ask)
{
    struct ari_call *c = waiting(d, ask);

    if (!c)
        return;
    if (ari_is_ok(resp)) {
        live_event(d->lives, &ask->call, &(struct live_event){.kind = LIVE_BRIDGED});
        return;
    }
    log_warn("ari", "channel=%s no bridge: status=%ld err=%d", c->channel, resp->status,
             resp->err);
    hang_up_leg(d->ari, c);
    c->leg = LEG_RINGING; /* nobody has talked */
    finish(d->ari, c, 0);
}

static void answered(struct ari *a, struct ari_call *c)
{
    char channel[ARI_CHANNEL_MAX], leg[ARI_CHANNEL_MAX];

    c->leg = LEG_TALKING;
    c->leg_since_ms = mono_ms();
    ari_channel_name(a, &c->id, channel);
    leg_name(a, c, leg);
    ari_sendf(a->dialer, "DELETE", NULL, NULL, "/channels/%s/moh", c->channel);
    ari_sendf(a->dialer, "POST", on_bridged,
              &(struct ari_ask){.call = c->id, .n = (uint32_t)c->leg_number},
              "/bridges/%s-br%d/addChannel?channel=%s,%s", channel, c->leg_number,
              c->channel, leg);
}

static void play_tone(struct ari *a, struct ari_call *c, int64_t now_ms)
{
    char channel[ARI_CHANNEL_MAX], uri[600];

    c->leg_since_ms = now_ms;
    if (lives_beep(a->dialer->lives, uri, sizeof(uri)))
        return;
    leg_name(a, c, channel);
    ari_sendf(a->dialer, "POST", NULL, NULL, "/channels/%s/play?media=%s", channel, uri);
}

static void picked_up(struct ari *a, struct ari_call *c)
{
    if (c->leg_confirm_key) {
        c->leg = LEG_CONFIRMING;
        play_tone(a, c, mono_ms());
    } else {
        answered(a, c);
    }
}

/* Who is on a line is there already, once there is a bridge. */
static void on_bridge_made(struct dialer *d, const struct web_resp *resp,
                           const struct ari_ask *ask)
{
    struct ari_call *c = waiting(d, ask);

    if (!c || !on_line(c) || c->leg != LEG_RINGING)
        return;
    if (ari_is_ok(resp)) {
        picked_up(d->ari, c);
        return;
    }
    hang_up_leg(d->ari, c);
    finish(d->ari, c, 0);
}

static void make_bridge(struct ari *a, const struct ari_call *c, bool line)
{
    char channel[ARI_CHANNEL_MAX];

    ari_channel_name(a, &c->id, channel);
    ari_sendf(a->dialer, "POST", line ? on_bridge_made : NULL,
              &(struct ari_ask){.call = c->id, .n = (uint32_t)c->leg_number},
              "/bridges/%s-br%d?type=mixing", channel, c->leg_number);
}

void ari_leg_dial(void *phone, const struct uuid *id, const struct live_dial *dial)
{
    const char *extension = dial->extension;
    struct dialer *d = ((const struct trunk *)phone)->dialer;
    struct ari *a = d->ari;
    struct ari_call *c = a ? ari_call_find(a, id) : NULL;
    char endpoint[256];

    if (!a)
        return;
    if (strncmp(extension, "ext:", 4) == 0)
        extension += 4;
    if (!c || c->leg != LEG_NONE || !ari_is_ready(a) ||
        !ari_extension_endpoint(d, extension, endpoint, sizeof(endpoint))) {
        log_warn("ari", "extension=%s cannot be rung: %s", LOG_ESC(extension),
                 d->config.ari_extension_endpoint[0] ? "not now, or no extension"
                                                     : "set ari_extension_endpoint");
        ari_sendf(d, "GET", on_impossible, &(struct ari_ask){.call = *id},
                  "/asterisk/ping");
        return;
    }
    c->leg = LEG_RINGING;
    c->leg_number++;
    c->leg_max_ms = dial->max_ms;
    c->leg_confirm_key = dial->confirm_key;
    c->leg_ring_until_ms = mono_ms() + dial->ring_ms + RING_GRACE_MS;
    c->leg_line = (struct uuid){0};
    make_bridge(a, c, dial->line && ari_line_take(a, extension, id, &c->leg_line));
    if (!on_line(c))
        originate(a, c, endpoint, dial->ring_ms);
}

void ari_leg_line_gone(struct ari *a, struct ari_call *call, int cause)
{
    call->leg_line = (struct uuid){0};
    if (call->leg != LEG_NONE)
        finish(a, call, cause);
}

void ari_leg_line_key(struct ari *a, struct ari_call *call, char key)
{
    if (call->leg == LEG_CONFIRMING && key == call->leg_confirm_key) {
        answered(a, call);
    } else if (call->leg == LEG_TALKING && key == LINE_END_KEY) {
        hang_up_leg(a, call);
        finish(a, call, CAUSE_NORMAL);
    }
}

void ari_leg_event(struct ari *a, struct ari_call *call, const struct ari_event *ev)
{
    if (call->leg == LEG_NONE)
        return;
    if (ev->kind == ARI_STASIS_START && call->leg == LEG_RINGING)
        picked_up(a, call);
    else if (ev->kind == ARI_KEY && call->leg == LEG_CONFIRMING &&
             ev->key == call->leg_confirm_key)
        answered(a, call);
    else if (ev->kind == ARI_DESTROYED)
        finish(a, call, ev->cause);
}

void ari_leg_drop(struct ari *a, struct ari_call *call)
{
    if (call->leg == LEG_NONE)
        return;
    hang_up_leg(a, call);
    end_bridge(a, call);
    call->leg = LEG_NONE;
}

void ari_leg_tick(struct ari *a, struct ari_call *call, int64_t mono_now_ms)
{
    if (call->leg == LEG_TALKING && call->leg_max_ms > 0 &&
        mono_now_ms - call->leg_since_ms >= call->leg_max_ms) {
        bool line = on_line(call);
        hang_up_leg(a, call);
        call->leg_max_ms += RING_GRACE_MS; /* its end is told by ChannelDestroyed */
        if (line)
            finish(a, call, CAUSE_NORMAL);
    } else if ((call->leg == LEG_RINGING || call->leg == LEG_CONFIRMING) &&
               mono_now_ms >= call->leg_ring_until_ms) {
        hang_up_leg(a, call);
        finish(a, call, 19);
    } else if (call->leg == LEG_CONFIRMING &&
               mono_now_ms - call->leg_since_ms >= TONE_EVERY_MS) {
        play_tone(a, call, mono_now_ms);
    }
}

void ari_leg_resync(struct ari *a, struct ari_call *call)
{
    if (call->leg != LEG_NONE)
        ask_leg(a, call);
}
