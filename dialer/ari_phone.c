/*
 * An ARI channel as the phone of a live call. What Asterisk must say once it says in an
 * event; an answer to a request only matters when it is a refusal.
 *
 * The playback's id is <channel>-p<n> of our own making, so an event leads to its call.
 */
#include "dialer/ari_inside.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"

enum { SAID_NOTHING_MS = 500 };

/* NULL: closed; then nothing is sent and nothing more is told. */
static struct ari *ari_of(void *phone)
{
    const struct trunk *t = phone;

    return t->dialer->ari;
}

static void channel_of(const struct ari *a, const struct uuid *id,
                       char out[ARI_CHANNEL_MAX])
{
    const struct ari_call *c = ari_call_find(a, id);

    if (c)
        str_cut(out, ARI_CHANNEL_MAX, c->channel);
    else
        ari_channel_name(a, id, out);
}

static void phone_channel(void *phone, const struct uuid *id, char *out, size_t size)
{
    char channel[ARI_CHANNEL_MAX];

    const struct ari *a = ari_of(phone);

    if (a)
        channel_of(a, id, channel);
    str_cut(out, size, a ? channel : "");
}

/* ---- playing ---- */

static void tell_played(struct dialer *d, const struct uuid *id, uint32_t n, bool failed)
{
    struct ari_call *c = d->ari ? ari_call_find(d->ari, id) : NULL;

    if (c && c->play_id == n)
        c->play_id = 0;
    live_event(d->lives, id,
               &(struct live_event){.kind = LIVE_PLAYED,
                                    .played = {.play_id = n, .failed = failed}});
}

/* After a lost answer or lost events. */
static void on_playback_asked(struct dialer *d, const struct web_resp *resp,
                              const struct ari_ask *ask)
{
    const struct ari_call *c = d->ari ? ari_call_find(d->ari, &ask->call) : NULL;

    if (c && c->play_id == ask->n && ari_is_absent(resp))
        tell_played(d, &ask->call, ask->n, false);
}

static void ask_playback(struct ari *a, const struct uuid *id, uint32_t n)
{
    char channel[ARI_CHANNEL_MAX];

    ari_channel_name(a, id, channel);
    ari_sendf(a->dialer, "GET", on_playback_asked, &(struct ari_ask){.call = *id, .n = n},
              "/playbacks/%s-p%d", channel, (int)n);
}

static void on_play_answer(struct dialer *d, const struct web_resp *resp,
                           const struct ari_ask *ask)
{
    /* Absent: the channel has gone meanwhile, and its end is what will be told. */
    if (ari_is_ok(resp) || ari_is_absent(resp) || !d->ari)
        return;
    if (resp->err && resp->err != ECONNREFUSED) {
        ask_playback(d->ari, &ask->call, ask->n);
        return;
    }
    log_warn("ari", "channel=%s play=%u refused status=%ld err=%d", ask->name, ask->n,
             resp->status, resp->err);
    tell_played(d, &ask->call, ask->n, true);
}

static void phone_play(void *phone, const struct uuid *id, uint32_t play_id,
                       const char *const *media, size_t n)
{
    struct ari *a = ari_of(phone);
    struct ari_ask ask = {.call = *id, .n = play_id};
    struct ari_call *c = a ? ari_call_find(a, id) : NULL;
    char name[ARI_CHANNEL_MAX];
    char path[3 * ARI_CHANNEL_MAX];

    if (!a)
        return;
    json_auto_t *list = json_array();
    for (size_t i = 0; i < n; i++)
        json_array_append_new(list, json_string(media[i]));
    json_auto_t *json = json_pack("{s:O}", "media", list);
    char *body = json_dumps(json, JSON_COMPACT);
    channel_of(a, id, ask.name);
    ari_channel_name(a, id, name);
    if (c)
        c->play_id = play_id;
    /* Channel ids of Asterisk and ours need no escape. */
    snprintf(path, sizeof(path), "/channels/%s/play/%s-p%u", ask.name, name, play_id);
    ari_send(a->dialer,
             &(struct ari_request){
                 .method = "POST", .path = path, .body = body, .brief = true},
             on_play_answer, &ask);
    free(body);
}

static void on_play_stopped(struct dialer *d, const struct web_resp *resp,
                            const struct ari_ask *ask)
{
    if (ari_is_absent(resp))
        on_playback_asked(d, resp, ask);
}

static void phone_play_stop(void *phone, const struct uuid *id, uint32_t play_id)
{
    struct ari *a = ari_of(phone);
    char channel[ARI_CHANNEL_MAX];

    if (!a)
        return;
    ari_channel_name(a, id, channel);
    ari_sendf_brief(a->dialer, "DELETE", on_play_stopped,
                    &(struct ari_ask){.call = *id, .n = play_id}, "/playbacks/%s-p%d",
                    channel, (int)play_id);
}

/* ---- recording ---- */

static void tell_recorded(struct dialer *d, const struct uuid *id, const char *name,
                          enum ivr_recorded result, int64_t duration_ms,
                          const char *reason)
{
    struct ari_call *c = d->ari ? ari_call_find(d->ari, id) : NULL;
    const struct live_event ev = {.kind = LIVE_RECORDED,
                                  .recorded = {.name = name,
                                               .result = result,
                                               .duration_ms = duration_ms,
                                               .reason = reason}};

    if (c && str_is(c->recording, name))
        c->recording[0] = '\0';
    live_event(d->lives, id, &ev);
    c = d->ari ? ari_call_find(d->ari, id) : NULL;
    if (c && c->ended && !c->recording[0])
        ari_call_end(d->ari, c, 0, 0);
}

static void on_stored_asked(struct dialer *d, const struct web_resp *resp,
                            const struct ari_ask *ask)
{
    struct ari_call *c = d->ari ? ari_call_find(d->ari, &ask->call) : NULL;

    if (!c || !str_is(c->recording, ask->name))
        return;
    if (ari_is_ok(resp)) {
        tell_recorded(d, &ask->call, ask->name, IVR_RECORDED_OK, 0, "unknown");
    } else if (ari_is_absent(resp)) {
        tell_recorded(d, &ask->call, ask->name, IVR_RECORDED_FAILED, 0, "lost");
    } else if (c->ended) {
        /* Not known: its row stays live and is asked for again by the sweep. */
        c->recording[0] = '\0';
        ari_call_end(d->ari, c, 0, 0);
    }
}

static void on_live_asked(struct dialer *d, const struct web_resp *resp,
                          const struct ari_ask *ask)
{
    const struct ari_call *c = d->ari ? ari_call_find(d->ari, &ask->call) : NULL;

    if (!c || !str_is(c->recording, ask->name))
        return;
    if (ari_is_absent(resp) || c->ended)
        ari_sendf(d, "GET", on_stored_asked, ask, "/recordings/stored/%s", ask->name);
}

void ari_phone_ask_recording(struct ari *a, struct ari_call *call)
{
    struct ari_ask ask = {.call = call->id};

    str_cut(ask.name, sizeof(ask.name), call->recording);
    ari_sendf(a->dialer, "GET", on_live_asked, &ask, "/recordings/live/%s", ask.name);
}

static void on_record_answer(struct dialer *d, const struct web_resp *resp,
                             const struct ari_ask *ask)
{
    struct ari_call *c = d->ari ? ari_call_find(d->ari, &ask->call) : NULL;

    if (ari_is_ok(resp) || !d->ari)
        return;
    if (c && resp->err && resp->err != ECONNREFUSED) {
        ari_phone_ask_recording(d->ari, c);
        return;
    }
    log_warn("ari", "recording=%s refused status=%ld err=%d answer=%s", ask->name,
             resp->status, resp->err, LOG_ESC(resp->body));
    tell_recorded(d, &ask->call, ask->name, IVR_RECORDED_FAILED, 0, "refused");
}

static const char *terminate_on(enum ivr_finish finish)
{
    switch (finish) {
    case IVR_FINISH_ANY:
        return "any";
    case IVR_FINISH_STAR:
        return "*";
    case IVR_FINISH_HASH:
        return "#";
    case IVR_FINISH_NONE:
        break;
    }
    return "none";
}

static int seconds(int64_t ms)
{
    return (int)((ms + 999) / 1000);
}

/* Does the phone send more than telephone quality? Audio of 8 kHz in a file of 16 would
 * be taken by a speech model and understood as something that nobody said. */
static bool is_wideband(const char *formats)
{
    static const char *const wide[] = {"g722",    "opus",    "slin1", "slin2",
                                       "slin3",   "slin4",   "slin9", "silk",
                                       "speex16", "speex32", "siren"};

    for (size_t i = 0; i < ARRAY_LEN(wide); i++)
        if (strstr(formats, wide[i]))
            return true;
    return false;
}

static void start_recording(struct dialer *d, const struct ari_call *c,
                            const struct ari_ask *ask)
{
    ari_sendf_brief(d, "POST", on_record_answer, ask,
                    "/channels/%s/record?name=%s&format=%s&maxDurationSeconds=%d"
                    "&maxSilenceSeconds=%d&ifExists=fail&beep=false&terminateOn=%s",
                    c->channel, c->recording, c->record_format, seconds(c->record_max_ms),
                    seconds(c->record_silence_ms), c->record_terminate);
}

static void on_beep_answer(struct dialer *d, const struct web_resp *resp,
                           const struct ari_ask *ask)
{
    struct ari_call *c = d->ari ? ari_call_find(d->ari, &ask->call) : NULL;

    if (!ari_is_ok(resp) && c && c->beeping) { /* a recording without a tone, then */
        c->beeping = false;
        start_recording(d, c, ask);
    }
}

/* The tone is ours: Asterisk's own is a sound file that need not be installed, and a
 * record without it ends at once. */
static void beep(struct dialer *d, struct ari_call *c, const struct ari_ask *ask)
{
    char uri[600];

    if (!c->record_beep || lives_beep(d->lives, uri, sizeof(uri))) {
        start_recording(d, c, ask);
        return;
    }
    c->beeping = true;
    ari_sendf_brief(d, "POST", on_beep_answer, ask, "/channels/%s/play/%s-beep?media=%s",
                    c->channel, ask->name, uri);
}

static void on_format(struct dialer *d, const struct web_resp *resp,
                      const struct ari_ask *ask)
{
    struct ari_call *c = d->ari ? ari_call_find(d->ari, &ask->call) : NULL;

    if (!c || !str_is(c->recording, ask->name))
        return;
    json_auto_t *json =
        ari_is_ok(resp) ? json_loadb(resp->body, resp->len, 0, NULL) : NULL;
    const char *codecs = json_string_value(json_object_get(json, "value"));
    c->record_format = codecs && !is_wideband(codecs) ? "wav" : ari_phone_ops.format;
    beep(d, c, ask);
}

static void phone_record(void *phone, const struct uuid *id, const char *name,
                         const struct ivr_record *record)
{
    struct ari *a = ari_of(phone);
    struct ari_call *c = a ? ari_call_find(a, id) : NULL;
    struct ari_ask ask = {.call = *id};

    if (!c) /* gone meanwhile, and live has been told */
        return;
    str_cut(ask.name, sizeof(ask.name), name);
    str_cut(c->recording, sizeof(c->recording), name);
    c->record_from_ms = c->record_from_at_ms = 0;
    c->record_max_ms = record->max_ms;
    c->record_silence_ms = record->silence_ms;
    c->record_beep = record->beep;
    c->record_terminate = terminate_on(record->finish);
    ari_sendf(a->dialer, "GET", on_format, &ask, "/channels/%s/variable?variable=%s",
              c->channel, "CHANNEL(audionativeformat)");
}

static void phone_record_stop(void *phone, const struct uuid *id, const char *name)
{
    struct ari *a = ari_of(phone);

    if (a)
        ari_sendf(a->dialer, "POST", NULL, &(struct ari_ask){.call = *id},
                  "/recordings/live/%s/stop", name);
}

static void phone_recording_location(void *phone, const struct uuid *id, const char *name,
                                     char *out, size_t size)
{
    const struct trunk *t = phone;

    (void)id;
    (void)name;
    str_cut(out, size, t->dialer->config.ari_url);
}

static struct ari_call *recording_owner(const struct ari *a, const char *name)
{
    for (size_t i = 0; i < ARI_BUCKETS; i++)
        for (struct ari_call *c = a->calls[i]; c; c = c->next)
            if (strcmp(c->recording, name) == 0)
                return c;
    return NULL;
}

/* "<recording>-beep": what the recording has waited for. */
static bool beep_is_over(struct ari *a, const char *playback)
{
    struct ari_ask ask = {0};
    size_t len = strlen(playback);

    if (len < 6 || !str_is(playback + len - 5, "-beep") || len - 5 >= sizeof(ask.name))
        return false;
    memcpy(ask.name, playback, len - 5);
    struct ari_call *c = recording_owner(a, ask.name);
    if (c && c->beeping) {
        c->beeping = false;
        ask.call = c->id;
        start_recording(a->dialer, c, &ask);
    }
    return true;
}

void ari_phone_played(struct ari *a, const struct ari_event *ev)
{
    const char *dash = strrchr(ev->playback, '-');
    char channel[ARI_CHANNEL_MAX];
    struct uuid id;
    int64_t n = 0;
    int leg = 0;

    if (beep_is_over(a, ev->playback))
        return;
    if (!dash || dash[1] != 'p' || !str_to_i64(dash + 2, &n) || n < 0 || n > UINT32_MAX ||
        (size_t)(dash - ev->playback) >= sizeof(channel))
        return;
    memcpy(channel, ev->playback, (size_t)(dash - ev->playback));
    channel[dash - ev->playback] = '\0';
    if (!ari_channel_parse(a, channel, &id, &leg))
        return;
    bool failed = str_is(ev->playback_state, "failed");
    const struct ari_call *c = ari_call_find(a, &id);
    /* A party that hangs up in mid-prompt fails the prompt first: not the flow's fault.
     */
    if (!failed || !c || !c->leaving)
        tell_played(a->dialer, &id, (uint32_t)n, failed);
}

/* How long it ran, by the switch's own clock: events may come late, and then together.
 * Its figure is whole seconds, and twice too much for wav16 of a narrowband call; the
 * worker measures the file. -1: its start was missed, so nobody can say. */
static int64_t recorded_ms(const struct ari_call *c, const struct ari_event *ev)
{
    if (c->record_from_at_ms > 0 && ev->at_ms >= c->record_from_at_ms)
        return ev->at_ms - c->record_from_at_ms;
    return c->record_from_ms ? mono_ms() - c->record_from_ms : -1;
}

/* Asterisk counts whole seconds, so half a second of speech reads as none: only a
 * recording that also ended when silence from its start would have ended it is empty. */
static bool is_empty(const struct ari_call *c, const struct ari_event *ev,
                     int64_t elapsed_ms)
{
    int64_t silence_ms = INT64_C(1000) * seconds(c->record_silence_ms);

    if (elapsed_ms < 0) /* then it is listened to rather than thrown away */
        return false;
    if (elapsed_ms < SAID_NOTHING_MS)
        return true;
    return silence_ms > 0 && ev->talking_s == 0 &&
           elapsed_ms < silence_ms + SAID_NOTHING_MS;
}

static const char *end_reason(const struct ari_call *c, const struct ari_event *ev,
                              int64_t elapsed_ms)
{
    if (c->ended || c->left_ms || c->hangup_cause)
        return "hangup";
    if (elapsed_ms >= INT64_C(1000) * seconds(c->record_max_ms))
        return "max";
    if (c->record_silence_ms > 0 && ev->silence_s >= seconds(c->record_silence_ms))
        return "silence";
    return "key";
}

void ari_phone_recorded(struct ari *a, const struct ari_event *ev)
{
    struct ari_call *c = recording_owner(a, ev->recording);
    char name[ARI_NAME_MAX];

    if (!c)
        return;
    if (ev->kind == ARI_RECORDING_STARTED) {
        c->record_from_ms = mono_ms();
        c->record_from_at_ms = ev->at_ms;
        return;
    }
    str_cut(name, sizeof(name), ev->recording);
    if (ev->kind == ARI_RECORDING_FAILED) {
        tell_recorded(a->dialer, &c->id, name, IVR_RECORDED_FAILED, 0,
                      ev->recording_cause[0] ? ev->recording_cause : "failed");
        return;
    }
    int64_t elapsed = recorded_ms(c, ev);
    bool empty = is_empty(c, ev, elapsed);
    if (elapsed < 0)
        elapsed = ev->duration_s > 0 ? INT64_C(1000) * ev->duration_s : 0;
    tell_recorded(a->dialer, &c->id, name, empty ? IVR_RECORDED_EMPTY : IVR_RECORDED_OK,
                  elapsed, end_reason(c, ev, elapsed));
}

void ari_phone_resync(struct ari *a, struct ari_call *call)
{
    if (call->play_id)
        ask_playback(a, &call->id, call->play_id);
    if (call->recording[0])
        ari_phone_ask_recording(a, call);
}

/* ---- the rest ---- */

static void phone_moh(void *phone, const struct uuid *id, bool on)
{
    struct ari *a = ari_of(phone);
    char channel[ARI_CHANNEL_MAX];

    if (!a)
        return;
    channel_of(a, id, channel);
    ari_sendf(a->dialer, on ? "POST" : "DELETE", NULL, NULL, "/channels/%s/moh", channel);
}

static void phone_hang_up(void *phone, const struct uuid *id, const char *reason)
{
    static const char *const words[][2] = {
        {"busy", "busy"}, {"error", "failure"}, {"congestion", "congestion"}};
    const char *word = "normal";

    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (str_is(words[i][0], reason))
            word = words[i][1];
    struct ari *a = ari_of(phone);
    if (a)
        ari_call_hang_up(a, id, word);
}

const struct live_phone_ops ari_phone_ops = {
    .backend = "ari",
    .source = "ari",
    .format = "wav16",
    .channel = phone_channel,
    .play = phone_play,
    .play_stop = phone_play_stop,
    .recording_location = phone_recording_location,
    .record = phone_record,
    .record_stop = phone_record_stop,
    .moh = phone_moh,
    .dial = ari_leg_dial,
    .hang_up = phone_hang_up,
};
