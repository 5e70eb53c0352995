/*
 * furrow-test-carrier - the other end of every call: a process of its own that speaks as
 * much ARI as the dialer asks for, and the called parties behind it.
 *
 *   furrow-test-carrier DIR SEED PORT
 *
 * DIR/log is the witness: a line for each origination that was received, on the disk
 * before anything else is done about it, over any number of kill -9 of this process; what
 * it says is judged afterwards and by others, nothing here looks for repetitions.
 *   boot US | post US ATTEMPT PHONE APP FATE | up US ATTEMPT | end US ATTEMPT CAUSE
 *   stored US RECORDING MS
 * DIR/port is the port (PORT 0: any). DIR/recordings holds what was recorded.
 *
 * What the parties do is chance from SEED: they are busy, do not answer, listen, press
 * keys, speak, hang up, stay on the line. An answer to an origination may get lost after
 * the call was accepted. Events come late, twice, long after, or, without a socket,
 * never.
 */
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <jansson.h>
#include <uv.h>

#include "base/files.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "flow/ari_peer.h"

enum {
    NAME_MAX_LEN = 200,
    TICK_MS = 5,
    SAMPLE_RATE = 16000,
    LATE_PERCENT = 8,
    AGAIN_PERCENT = 8,
    OLD_PERCENT = 3,
    LOST_ANSWER_PERCENT = 4,
    SILENT_PERCENT = 1,
    REFUSED_PERCENT = 3,
};

enum habit {
    LISTENS,
    PRESSES_1,
    PRESSES_9,
    HANGS_UP,
    BUSY,
    NO_ANSWER,
    CONGESTED,
    NO_SUCH
};
static const int habit_percent[] = {
    [LISTENS] = 44, [PRESSES_1] = 14, [PRESSES_9] = 4, [HANGS_UP] = 16,
    [BUSY] = 9,     [NO_ANSWER] = 7,  [CONGESTED] = 4, [NO_SUCH] = 2};

struct channel {
    struct channel *next;
    char name[NAME_MAX_LEN], app[96], attempt[40], phone[24];
    enum habit habit;
    int64_t ring_ms;
    bool ringing, up;
    int plays;
    char playback[NAME_MAX_LEN], recording[NAME_MAX_LEN]; /* under way, or "" */
    int64_t recording_us;                                 /* its start */
};

struct due { /* something that happens later, to a channel that is looked up then */
    struct due *next;
    int64_t at_ms;
    void (*fn)(const struct due *d);
    char channel[NAME_MAX_LEN], name[NAME_MAX_LEN];
    char *event; /* owned */
};

struct party {
    struct party *next;
    char phone[24];
    int calls;
};

static struct {
    uv_loop_t loop;
    uv_timer_t tick;
    struct ari_peer *peer;
    const char *dir;
    int log;
    uint64_t seed, chance;
    struct party *parties;
    struct channel *channels;
    struct due *due;
    struct buf body;
    char boot[40];
} carrier;

/* ---- time, chance, the log ---- */

static int64_t now_us(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_REALTIME, &ts);
    return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static int chance(int below)
{
    uint64_t x = carrier.chance;

    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    carrier.chance = x;
    return (int)((x >> 11) % (uint64_t)below);
}

static void note(const char *fmt, ...)
{
    char line[600];
    va_list args;

    va_start(args, fmt);
    int n = vsnprintf(line, sizeof(line), fmt, args);
    va_end(args);
    if (n < 0 || (size_t)n >= sizeof(line) || write(carrier.log, line, (size_t)n) != n ||
        fdatasync(carrier.log)) {
        perror("carrier log");
        abort();
    }
}

static void later(int64_t ms, void (*fn)(const struct due *), const char *channel,
                  const char *name, char *event)
{
    struct due *d = xcalloc(1, sizeof(*d));
    struct due **at = &carrier.due;

    d->at_ms = (int64_t)uv_now(&carrier.loop) + ms;
    d->fn = fn;
    str_cut(d->channel, sizeof(d->channel), channel);
    str_cut(d->name, sizeof(d->name), name);
    d->event = event;
    while (*at && (*at)->at_ms <= d->at_ms)
        at = &(*at)->next;
    d->next = *at;
    *at = d;
}

static void on_tick(uv_timer_t *timer)
{
    (void)timer;
    while (carrier.due && carrier.due->at_ms <= (int64_t)uv_now(&carrier.loop)) {
        struct due *d = carrier.due;
        carrier.due = d->next;
        d->fn(d);
        free(d->event);
        free(d);
    }
}

/* ---- events ---- */

/* name is the application here. */
static void send_event(const struct due *d)
{
    ari_peer_event_to(carrier.peer, d->name, d->event);
}

static const char *timestamp(char out[48])
{
    int64_t us = now_us();
    time_t s = (time_t)(us / 1000000);
    struct tm tm;
    char day[32];

    gmtime_r(&s, &tm);
    strftime(day, sizeof(day), "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(out, 48, "%s.%03d+0000", day, (int)(us / 1000 % 1000));
    return out;
}

/* Takes json over. */
static void emit(const struct channel *c, json_t *json)
{
    char at[48];

    json_object_set_new(json, "timestamp", json_string(timestamp(at)));
    char *text = json_dumps(json, JSON_COMPACT);
    int late = chance(100) < LATE_PERCENT ? chance(300) : 0;

    json_decref(json);
    if (chance(100) < AGAIN_PERCENT)
        later(late + chance(400), send_event, "", c->app, xstrdup(text));
    if (chance(100) < OLD_PERCENT)
        later(1000 + chance(3000), send_event, "", c->app, xstrdup(text));
    if (late > 0) {
        later(late, send_event, "", c->app, text);
        return;
    }
    ari_peer_event_to(carrier.peer, c->app, text);
    free(text);
}

static json_t *channel_json(const struct channel *c)
{
    return json_pack("{s:s,s:s}", "id", c->name, "state",
                     c->up        ? "Up"
                     : c->ringing ? "Ringing"
                                  : "Down");
}

static json_t *event_of(const struct channel *c, const char *type)
{
    return json_pack("{s:s,s:s,s:s,s:o}", "type", type, "application", c->app,
                     "asterisk_id", carrier.boot, "channel", channel_json(c));
}

static void emit_plain(const struct channel *c, const char *type)
{
    emit(c, event_of(c, type));
}

static void emit_cause(const struct channel *c, const char *type, int cause, bool soft)
{
    json_t *json = event_of(c, type);

    json_object_set_new(json, "cause", json_integer(cause));
    if (soft)
        json_object_set_new(json, "soft", json_true());
    emit(c, json);
}

static void emit_dial(const struct channel *c, const char *status)
{
    emit(c, json_pack("{s:s,s:s,s:s,s:o}", "type", "Dial", "application", c->app,
                      "dialstatus", status, "peer", channel_json(c)));
}

static void emit_playback(const struct channel *c, const char *type, const char *state)
{
    emit(c, json_pack("{s:s,s:s,s:{s:s,s:s}}", "type", type, "application", c->app,
                      "playback", "id", c->playback, "state", state));
}

static void emit_recording(const struct channel *c, const char *type)
{
    emit(c, json_pack("{s:s,s:s,s:{s:s,s:s,s:i,s:i,s:i}}", "type", type, "application",
                      c->app, "recording", "name", c->recording, "state", "done",
                      "duration", 1, "talking_duration", 1, "silence_duration", 0));
}

/* ---- channels ---- */

static struct channel *find(const char *name)
{
    struct channel *c = carrier.channels;

    while (c && strcmp(c->name, name) != 0)
        c = c->next;
    return c;
}

static void stored_path(const char *name, char *out, size_t size)
{
    snprintf(out, size, "%s/recordings/%s.wav", carrier.dir, name);
}

static void put_le(struct buf *b, uint32_t v, int bytes)
{
    for (int i = 0; i < bytes; i++) {
        char byte = (char)(v >> (8 * i));
        buf_add(b, &byte, 1);
    }
}

/* 0.7 s of a tone, wideband. */
static void write_wav(const char *path)
{
    enum { SAMPLES = SAMPLE_RATE * 7 / 10 };
    CLEANUP(buf_free) struct buf b = {0};

    buf_puts(&b, "RIFF");
    put_le(&b, 36 + SAMPLES * 2, 4);
    buf_puts(&b, "WAVEfmt ");
    put_le(&b, 16, 4);
    put_le(&b, 1 | 1U << 16, 4);
    put_le(&b, SAMPLE_RATE, 4);
    put_le(&b, SAMPLE_RATE * 2, 4);
    put_le(&b, 2 | 16U << 16, 4);
    buf_puts(&b, "data");
    put_le(&b, SAMPLES * 2, 4);
    for (int i = 0; i < SAMPLES; i++)
        put_le(&b, (uint32_t)(i % 40 < 20 ? 4000 : -4000), 2);
    if (files_write_atomic(path, b.data, b.len))
        abort();
}

static void finish_playback(struct channel *c, bool failed)
{
    if (!c->playback[0])
        return;
    emit_playback(c, "PlaybackFinished", failed ? "failed" : "done");
    c->playback[0] = '\0';
}

static void finish_recording(struct channel *c)
{
    char path[900];

    if (!c->recording[0])
        return;
    stored_path(c->recording, path, sizeof(path));
    write_wav(path);
    note("stored %lld %s %lld\n", (long long)now_us(), c->recording,
         (long long)(now_us() - c->recording_us) / 1000);
    emit_recording(c, "RecordingFinished");
    c->recording[0] = '\0';
}

static void end_channel(struct channel *c, int cause, bool by_us)
{
    struct channel **at = &carrier.channels;

    finish_playback(c, true);
    finish_recording(c);
    note("end %lld %s %d\n", (long long)now_us(), c->attempt, cause);
    if (c->up || by_us)
        emit_cause(c, "ChannelHangupRequest", by_us ? 32 : cause, by_us);
    if (c->up)
        emit_plain(c, "StasisEnd");
    emit_cause(c, "ChannelDestroyed", cause, false);
    while (*at != c)
        at = &(*at)->next;
    *at = c->next;
    free(c);
}

static void hangs_up(const struct due *d)
{
    struct channel *c = find(d->channel);

    if (c)
        end_channel(c, 16, false);
}

static void does_not_answer(const struct due *d)
{
    struct channel *c = find(d->channel);

    if (c && !c->up)
        end_channel(c, 19, false);
}

static void answers(const struct due *d)
{
    struct channel *c = find(d->channel);

    if (!c)
        return;
    c->up = true;
    note("up %lld %s\n", (long long)now_us(), c->attempt);
    emit_plain(c, "ChannelStateChange");
    emit_plain(c, "StasisStart");
    if (c->habit == HANGS_UP)
        later(20 + chance(1500), hangs_up, c->name, "", NULL);
}

static void rings(const struct due *d)
{
    struct channel *c = find(d->channel);

    if (!c)
        return;
    if (c->habit == BUSY || c->habit == CONGESTED || c->habit == NO_SUCH) {
        emit_dial(c, c->habit == BUSY ? "BUSY" : "CONGESTION");
        end_channel(c, c->habit == BUSY ? 17 : c->habit == CONGESTED ? 34 : 1, false);
        return;
    }
    c->ringing = true;
    emit_dial(c, "RINGING");
    emit_plain(c, "ChannelStateChange");
    if (c->habit == NO_ANSWER)
        later(c->ring_ms, does_not_answer, c->name, "", NULL);
    else
        later(20 + chance(300), answers, c->name, "", NULL);
}

static void playback_over(const struct due *d)
{
    struct channel *c = find(d->channel);

    if (c && str_is(c->playback, d->name))
        finish_playback(c, false);
}

static void recording_over(const struct due *d)
{
    struct channel *c = find(d->channel);

    if (c && str_is(c->recording, d->name))
        finish_recording(c);
}

static void presses(const struct due *d)
{
    struct channel *c = find(d->channel);

    if (!c)
        return;
    json_t *json = event_of(c, "ChannelDtmfReceived");
    json_object_set_new(json, "digit", json_string(d->name));
    json_object_set_new(json, "duration_ms", json_integer(90));
    emit(c, json);
}

/* ---- requests ---- */

static struct ari_peer_reply status(int code)
{
    return (struct ari_peer_reply){.status = code, .body = "{}"};
}

static struct ari_peer_reply with_json(int code, json_t *json)
{
    char *text = json_dumps(json, JSON_COMPACT);

    json_decref(json);
    buf_free(&carrier.body);
    buf_puts(&carrier.body, text);
    free(text);
    return (struct ari_peer_reply){.status = code, .body = carrier.body.data};
}

/* "a/b/c?x" → the part after prefix up to '/' or '?'; NULL: another path. */
static const char *part(const char *path, const char *prefix, char out[NAME_MAX_LEN],
                        const char **rest)
{
    size_t n = strlen(prefix);

    if (strncmp(path, prefix, n) != 0)
        return NULL;
    size_t len = strcspn(path + n, "/?");
    snprintf(out, NAME_MAX_LEN, "%.*s", (int)len, path + n);
    *rest = path + n + len;
    return out;
}

/* From the seed, the number and how often it was called, so that a seed means the same
 * people again, in whatever order they are called. */
static enum habit pick_habit(const char *phone)
{
    struct party *p = carrier.parties;
    uint64_t x = carrier.seed;
    int habit = 0;

    while (p && !str_is(p->phone, phone))
        p = p->next;
    if (!p) {
        p = xcalloc(1, sizeof(*p));
        str_cut(p->phone, sizeof(p->phone), phone);
        p->next = carrier.parties;
        carrier.parties = p;
    }
    p->calls++;
    for (const char *at = phone; *at; at++)
        x = (x ^ (uint64_t)*at) * 0x100000001b3ULL;
    x = (x ^ (uint64_t)p->calls) * 0x9e3779b97f4a7c15ULL;
    int n = (int)((x >> 33) % 100);
    while (n >= habit_percent[habit])
        n -= habit_percent[habit++];
    return (enum habit)habit;
}

static struct ari_peer_reply originate(const char *name, const char *text)
{
    json_auto_t *json = json_loads(text, 0, NULL);
    const char *endpoint = json_string_value(json_object_get(json, "endpoint"));
    const char *app = json_string_value(json_object_get(json, "app"));
    const char *attempt = json_string_value(json_object_get(
        json_object_get(json, "variables"), "PJSIP_HEADER(add,X-Furrow-Attempt)"));
    int fate = chance(100);
    char phone[24];

    if (!endpoint || !app || !attempt || strncmp(endpoint, "PJSIP/", 6) != 0)
        return status(400);
    snprintf(phone, sizeof(phone), "%.*s", (int)strcspn(endpoint + 6, "@"), endpoint + 6);
    bool refused = fate < REFUSED_PERCENT, living = find(name) != NULL;
    note("post %lld %s %s %s %s\n", (long long)now_us(), attempt, phone, app,
         refused  ? "refused"
         : living ? "duplicate"
                  : "dialled");
    if (refused)
        return status(fate == 0 ? 500 : 503);
    if (living)
        return status(409);
    struct channel *c = xcalloc(1, sizeof(*c));
    str_cut(c->name, sizeof(c->name), name);
    str_cut(c->app, sizeof(c->app), app);
    str_cut(c->attempt, sizeof(c->attempt), attempt);
    str_cut(c->phone, sizeof(c->phone), phone);
    c->habit = pick_habit(phone);
    c->ring_ms = 200 * json_integer_value(json_object_get(json, "timeout"));
    c->next = carrier.channels;
    carrier.channels = c;
    later(chance(120), rings, name, "", NULL);
    fate -= REFUSED_PERCENT;
    if (fate < LOST_ANSWER_PERCENT)
        return (struct ari_peer_reply){.how = PEER_CUTS};
    if (fate < LOST_ANSWER_PERCENT + SILENT_PERCENT)
        return (struct ari_peer_reply){.how = PEER_IS_SILENT};
    return with_json(200, channel_json(c));
}

static struct ari_peer_reply play(struct channel *c, const char *id)
{
    if (!c->up)
        return status(409);
    snprintf(c->playback, sizeof(c->playback), "%.*s", (int)strcspn(id, "?"), id);
    emit_playback(c, "PlaybackStarted", "playing");
    later(30 + chance(120), playback_over, c->name, c->playback, NULL);
    if (c->habit == PRESSES_1 || (c->habit == PRESSES_9 && c->plays == 0))
        later(40 + chance(300), presses, c->name, c->habit == PRESSES_1 ? "1" : "9",
              NULL);
    c->plays++;
    return status(201);
}

static struct ari_peer_reply record(struct channel *c, const char *query)
{
    const char *name = strstr(query, "name=");
    char path[900];

    if (!name || c->recording[0])
        return status(409);
    snprintf(c->recording, sizeof(c->recording), "%.*s", (int)strcspn(name + 5, "&"),
             name + 5);
    stored_path(c->recording, path, sizeof(path));
    if (access(path, F_OK) == 0) {
        c->recording[0] = '\0';
        return status(409);
    }
    c->recording_us = now_us();
    emit_recording(c, "RecordingStarted");
    later(600 + chance(500), recording_over, c->name, c->recording, NULL);
    return status(201);
}

static struct ari_peer_reply of_channel(const char *method, const char *name,
                                        const char *rest, const char *body)
{
    struct channel *c = find(name);

    if (str_is(method, "POST") && !*rest)
        return originate(name, body);
    if (!c)
        return status(404);
    if (str_is(method, "GET") && !*rest)
        return with_json(200, channel_json(c));
    if (str_is(method, "DELETE")) {
        end_channel(c, 16, true);
        return status(204);
    }
    if (strncmp(rest, "/play/", 6) == 0)
        return play(c, rest + 6);
    if (strncmp(rest, "/record?", 8) == 0)
        return record(c, rest + 8);
    if (strncmp(rest, "/variable", 9) == 0)
        return with_json(200, json_pack("{s:s}", "value", "(opus)"));
    return status(404);
}

static struct ari_peer_reply of_playback(const char *method, const char *id)
{
    struct channel *c = carrier.channels;

    while (c && !str_is(c->playback, id))
        c = c->next;
    if (!c)
        return status(404);
    if (str_is(method, "DELETE"))
        finish_playback(c, false);
    return status(str_is(method, "DELETE") ? 204 : 200);
}

static struct ari_peer_reply of_live(const char *method, const char *name)
{
    struct channel *c = carrier.channels;

    while (c && !str_is(c->recording, name))
        c = c->next;
    if (!c)
        return status(404);
    if (str_is(method, "POST"))
        finish_recording(c);
    return status(str_is(method, "POST") ? 204 : 200);
}

static struct ari_peer_reply of_stored(const char *method, const char *name,
                                       const char *rest)
{
    char path[900];

    stored_path(name, path, sizeof(path));
    if (access(path, F_OK) != 0)
        return status(404);
    if (str_is(method, "DELETE")) {
        unlink(path);
        return status(204);
    }
    if (strncmp(rest, "/file", 5) != 0)
        return with_json(200, json_pack("{s:s,s:s}", "name", name, "format", "wav16"));
    size_t len = 0;
    free(buf_take(&carrier.body));
    if (files_read(path, 1 << 20, &carrier.body.data, &len))
        return status(404);
    carrier.body.len = carrier.body.cap = len;
    return (struct ari_peer_reply){
        .status = 200, .body = carrier.body.data, .body_len = len};
}

static struct ari_peer_reply of_application(const char *app)
{
    json_t *channels = json_array();

    for (const struct channel *c = carrier.channels; c; c = c->next)
        if (str_is(c->app, app))
            json_array_append_new(channels, json_string(c->name));
    return with_json(200, json_pack("{s:s,s:o,s:[]}", "name", app, "channel_ids",
                                    channels, "bridge_ids"));
}

static struct ari_peer_reply answer(struct ari_peer *p, const char *method,
                                    const char *path, const char *body)
{
    char name[NAME_MAX_LEN];
    const char *rest = "";

    (void)p;
    uv_update_time(&carrier.loop);
    if (part(path, "/ari/channels/", name, &rest))
        return of_channel(method, name, rest[0] == '?' ? "" : rest, body);
    if (part(path, "/ari/playbacks/", name, &rest))
        return of_playback(method, name);
    if (part(path, "/ari/recordings/live/", name, &rest))
        return of_live(method, name);
    if (part(path, "/ari/recordings/stored/", name, &rest))
        return of_stored(method, name, rest);
    if (part(path, "/ari/applications/", name, &rest))
        return of_application(name);
    if (part(path, "/ari/asterisk/info", name, &rest))
        return with_json(200,
                         json_pack("{s:{s:s}}", "status", "startup_time", carrier.boot));
    return status(404);
}

int main(int argc, char **argv)
{
    CLEANUP(buf_free) struct buf path = {0};
    int64_t seed = 0, port = 0;
    char text[32];

    if (argc != 4 || !str_to_i64(argv[2], &seed) || !str_to_i64(argv[3], &port)) {
        fprintf(stderr, "usage: furrow-test-carrier DIR SEED PORT\n");
        return 2;
    }
    carrier.dir = argv[1];
    carrier.seed = (uint64_t)seed;
    carrier.chance = (uint64_t)seed * 0x9e3779b97f4a7c15ULL + 1;
    for (int i = 0; i < 8; i++)
        chance(2);
    buf_printf(&path, "%s/recordings", carrier.dir);
    if (files_mkdirs(path.data))
        return 1;
    buf_free(&path);
    buf_printf(&path, "%s/log", carrier.dir);
    carrier.log = open(path.data, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    snprintf(carrier.boot, sizeof(carrier.boot), "%lld", (long long)now_us());
    note("boot %s\n", carrier.boot);
    uv_loop_init(&carrier.loop);
    carrier.peer = ari_peer_new_at(&carrier.loop, answer, (int)port);
    ari_peer_speaks(carrier.peer, seed % 2 == 0); /* of either kind of Asterisk */
    uv_timer_init(&carrier.loop, &carrier.tick);
    uv_timer_start(&carrier.tick, on_tick, TICK_MS, TICK_MS);
    buf_free(&path);
    buf_printf(&path, "%s/port", carrier.dir);
    int n = snprintf(text, sizeof(text), "%d\n", ari_peer_port(carrier.peer));
    if (files_write_atomic(path.data, text, (size_t)n))
        return 1;
    uv_run(&carrier.loop, UV_RUN_DEFAULT);
    return 0;
}
