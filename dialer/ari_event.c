#include "dialer/ari_event.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#include "base/clock.h"

static const struct {
    const char *type;
    enum ari_event_kind kind;
} types[] = {
    {"StasisStart", ARI_STASIS_START},
    {"StasisEnd", ARI_STASIS_END},
    {"Dial", ARI_DIAL},
    {"ChannelDtmfReceived", ARI_KEY},
    {"ChannelTalkingStarted", ARI_TALKS},
    {"ChannelTalkingFinished", ARI_QUIET},
    {"ChannelHangupRequest", ARI_HANGUP_REQUEST},
    {"ChannelDestroyed", ARI_DESTROYED},
    {"PlaybackFinished", ARI_PLAYED},
    {"RecordingStarted", ARI_RECORDING_STARTED},
    {"RecordingFinished", ARI_RECORDING_FINISHED},
    {"RecordingFailed", ARI_RECORDING_FAILED},
    {"ApplicationReplaced", ARI_REPLACED},
    {"RESTResponse", ARI_ANSWER}, /* Asterisk filters these too */
};

static const char *text(const json_t *o, const char *key)
{
    const char *s = json_string_value(json_object_get(o, key));

    return s ? s : "";
}

static int number(const json_t *o, const char *key, int otherwise)
{
    const json_t *v = json_object_get(o, key);
    json_int_t n = json_integer_value(v);

    return json_is_integer(v) && n >= 0 && n <= INT_MAX ? (int)n : otherwise;
}

static enum ari_event_kind kind_of(const char *type)
{
    for (size_t i = 0; i < ARRAY_LEN(types); i++)
        if (strcmp(types[i].type, type) == 0)
            return types[i].kind;
    return ARI_OTHER;
}

json_t *ari_event_filter(void)
{
    json_t *allowed = json_array();

    for (size_t i = 0; i < ARRAY_LEN(types); i++)
        json_array_append_new(allowed, json_pack("{s:s}", "type", types[i].type));
    return json_pack("{s:o}", "allowed", allowed);
}

int64_t ari_event_instant(const char *s)
{
    char whole[48];
    size_t len = strlen(s);
    int64_t at_ms = 0;

    if (len < 5 || len + 2 > sizeof(whole) || (s[len - 5] != '+' && s[len - 5] != '-'))
        return 0;
    memcpy(whole, s, len - 2);
    whole[len - 2] = ':';
    memcpy(whole + len - 1, s + len - 2, 3);
    return clock_parse(whole, &at_ms) ? 0 : at_ms;
}

static void read_channel(const json_t *json, struct ari_event *ev)
{
    const json_t *channel =
        json_object_get(json, ev->kind == ARI_DIAL ? "peer" : "channel");

    ev->channel = text(channel, "id");
    ev->channel_state = text(channel, "state");
    ev->caller = text(json_object_get(channel, "caller"), "number");
}

static void read_recording(const json_t *recording, struct ari_event *ev)
{
    ev->recording = text(recording, "name");
    ev->recording_cause = text(recording, "cause");
    ev->duration_s = number(recording, "duration", -1);
    ev->talking_s = number(recording, "talking_duration", -1);
    ev->silence_s = number(recording, "silence_duration", -1);
}

static bool is_whole(const struct ari_event *ev)
{
    if (ev->kind == ARI_OTHER || ev->kind == ARI_REPLACED || ev->kind == ARI_ANSWER)
        return true;
    if (ev->kind == ARI_PLAYED)
        return ev->playback[0];
    if (ev->kind == ARI_RECORDING_STARTED || ev->kind == ARI_RECORDING_FINISHED ||
        ev->kind == ARI_RECORDING_FAILED)
        return ev->recording[0];
    return ev->channel[0] && (ev->kind != ARI_KEY || ev->key);
}

int ari_event_parse(const char *bytes, size_t len, struct ari_event *out)
{
    json_auto_t *json = json_loadb(bytes, len, 0, NULL);
    const char *type = text(json, "type");

    if (!type[0])
        return EBADMSG;
    struct ari_event ev = {.kind = kind_of(type)};
    ev.application = text(json, "application");
    read_channel(json, &ev);
    ev.arg = json_string_value(json_array_get(json_object_get(json, "args"), 0));
    if (!ev.arg)
        ev.arg = "";
    ev.dial_status = text(json, "dialstatus");
    /* The number of a soft request is a flag of Asterisk's own, not a cause. */
    if (!json_is_true(json_object_get(json, "soft")))
        ev.cause = number(json, "cause", 0);
    ev.tech_cause = number(json, "tech_cause", 0);
    const char *digit = text(json, "digit");
    if (digit[0] && !digit[1] && strchr("0123456789ABCD*#", digit[0]))
        ev.key = digit[0];
    const json_t *playback = json_object_get(json, "playback");
    ev.playback = text(playback, "id");
    ev.playback_state = text(playback, "state");
    read_recording(json_object_get(json, "recording"), &ev);
    if (ev.kind == ARI_OTHER)
        ev.recording = "";
    if (ev.recording[0])
        ev.at_ms = ari_event_instant(text(json, "timestamp"));
    if (!is_whole(&ev))
        return EBADMSG;
    ev.json = json_incref(json);
    *out = ev;
    return 0;
}

void ari_event_free(struct ari_event *ev)
{
    json_decref(ev->json);
    ev->json = NULL;
}
