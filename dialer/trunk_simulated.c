/*
 * A carrier and its people, in memory. What they do is scripted (simulated_script.h),
 * when they do it runs on business time. A call has one timer and one thing that will
 * happen next; a new order (play, record, hang up) replaces it.
 *
 * Somebody who answers hears prompts (PROMPT_MS each), thinks, presses 1 when nothing
 * follows a prompt, and then acts by manner: speaks a voice file when recorded, presses 9
 * (and 1 in turn) to be left alone, hangs up in the middle of the second prompt, or says
 * nothing.
 */
#include <errno.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sndfile.h>

#include "base/clock.h"
#include "base/files.h"
#include "base/log.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "dialer/dialer.h"
#include "dialer/id_table.h"
#include "dialer/placed.h"
#include "dialer/simulated_script.h"
#include "dialer/trunk_kinds.h"

enum {
    PROMPT_MS = 1500,  /* business; of one medium */
    SILENCE_MS = 2000, /* after which a recording ends when the node states none */
    DIAL_RING_MS = 300,
    DIAL_TALK_MS = 10000,
    AGAIN_MS = 10000, /* to the next key when nothing follows one */
    /* Real: on a fast clock AGAIN_MS is gone before a busy machine has stored the step
     * that the first key began, and what people do would hang on the machine's load. */
    AGAIN_MIN_REAL_MS = 2 * LIVE_COMMIT_WAIT_MS,
    HELLO_AFTER_MS = 300, /* somebody picks up */
    HELLO_MS = 600,
    BEEP_AFTER_MS = 500, /* a machine's greeting */
    TAPE_MS = 60000,     /* what it records at most */
    MANIFEST_MAX = 16 << 20,
    PATH_BYTES = 1024,
};

enum next {
    NEXT_NOTHING,
    NEXT_OUTCOME,
    NEXT_PLAYED,
    NEXT_KEY,
    NEXT_RECORDED,
    NEXT_BRIDGED,
    NEXT_DIALLED,
    NEXT_TALKS,
    NEXT_QUIET,
    NEXT_BEEP,
    NEXT_BORED, /* hears nothing: gone, unless something is played meanwhile */
    NEXT_GONE
};

struct sim {
    struct trunk base;
    struct simulated_settings settings;
    struct id_table calls;
    char **voices;
    size_t voice_count;
};

struct sim_call {
    struct uuid id;
    struct sim *sim;
    uv_timer_t timer;
    struct simulated_script script;
    int ring_timeout_s;
    enum next next;
    int64_t due_us; /* when it does, mono_us(): a busy loop is late */
    bool up, we_hung_up, ring_timeout;
    int cause;
    int prompts, keys; /* heard, pressed */
    uint32_t play_id;  /* 0: nothing plays */
    char recording[160];
    int64_t record_began_ms, record_ms; /* business */
    enum ivr_recorded record_result;
    const char *record_reason;
    int64_t voice_ms; /* business; when the next of talk, pause and beep is due */
};

static void schedule(struct sim_call *c, enum next next, int64_t business_ms);
static void schedule_patiently(struct sim_call *c, enum next next, int64_t business_ms);

/* ---- the end ---- */

static void free_call(uv_handle_t *h)
{
    free(h->data);
}

static void tell_recorded(struct sim_call *c)
{
    char name[sizeof(c->recording)];
    const struct live_event ev = {.kind = LIVE_RECORDED,
                                  .recorded = {.name = name,
                                               .result = c->record_result,
                                               .duration_ms = c->record_ms,
                                               .reason = c->record_reason}};

    memcpy(name, c->recording, sizeof(name));
    c->recording[0] = '\0';
    live_event(c->sim->base.dialer->lives, &c->id, &ev);
}

/* A recording cut short: what was said until now, if anything was. */
static void cut_recording(struct sim_call *c, const char *reason)
{
    int64_t spoken = clock_now_ms() - c->record_began_ms;

    if (spoken < c->record_ms)
        c->record_ms = spoken > 0 ? spoken : 0;
    if (c->script.manner != SIMULATED_SPEAKS || c->record_ms == 0)
        c->record_result = IVR_RECORDED_EMPTY;
    c->record_reason = reason;
}

static void end_call(struct sim_call *c)
{
    struct dialer *d = c->sim->base.dialer;
    const struct placed_end end = {.was_up = c->up,
                                   .we_hung_up = c->we_hung_up,
                                   .ring_timeout = c->ring_timeout,
                                   .cause = c->cause};
    struct uuid id = c->id;

    if (c->recording[0]) {
        cut_recording(c, "hangup");
        tell_recorded(c);
    }
    id_table_remove(&c->sim->calls, &c->id);
    uv_close((uv_handle_t *)&c->timer, free_call);
    placed_ended(d, &id, &end);
}

/* ---- what people do ---- */

static void after_prompt(struct sim_call *c)
{
    struct lives *lives = c->sim->base.dialer->lives;
    const struct live_event ev = {
        .kind = LIVE_PLAYED, .at_us = c->due_us, .played = {.play_id = c->play_id}};

    c->prompts++;
    c->play_id = 0;
    schedule(c, NEXT_KEY,
             c->script.think_ms); /* unless what is told now brings something else */
    live_event(lives, &c->id, &ev);
}

static void press_key(struct sim_call *c)
{
    struct live_event ev = {.kind = LIVE_KEY, .key = '1', .at_us = c->due_us};

    if (c->keys == c->sim->settings.keys) {
        c->cause = 16;
        schedule(c, NEXT_GONE, 0);
        return;
    }
    if (c->script.manner == SIMULATED_OPTS_OUT && c->keys % 2 == 0)
        ev.key = '9';
    c->keys++;
    /* A menu that does not know the key may say nothing: press another one later. */
    schedule_patiently(c, NEXT_KEY, AGAIN_MS);
    live_event(c->sim->base.dialer->lives, &c->id, &ev);
}

static void meet_outcome(struct sim_call *c)
{
    static const int causes[] = {[SIMULATED_ANSWER] = 16,     [SIMULATED_BUSY] = 17,
                                 [SIMULATED_NO_ANSWER] = 19,  [SIMULATED_REJECTED] = 21,
                                 [SIMULATED_CONGESTION] = 34, [SIMULATED_BAD_NUMBER] = 1};

    c->cause = causes[c->script.outcome];
    if (c->ring_timeout || c->script.outcome != SIMULATED_ANSWER) {
        end_call(c);
        return;
    }
    c->up = true;
    placed_answered(c->sim->base.dialer, &c->id);
}

static void dial_answered(struct sim_call *c)
{
    schedule(c, NEXT_DIALLED, DIAL_TALK_MS);
    live_event(c->sim->base.dialer->lives, &c->id,
               &(struct live_event){.kind = LIVE_BRIDGED});
}

/* Told with the time it was due: on a fast clock a busy loop is seconds late. */
static void speak_first(struct sim_call *c, enum next what)
{
    struct dialer *d = c->sim->base.dialer;
    int64_t at_ms = c->voice_ms, next_ms = 0;
    enum next next = NEXT_BORED;
    struct uuid id = c->id;

    if (what == NEXT_TALKS) {
        next = NEXT_QUIET;
        next_ms = c->script.greeting_ms ? c->script.greeting_ms : HELLO_MS;
    } else if (what == NEXT_QUIET && c->script.greeting_ms) {
        next = NEXT_BEEP;
        next_ms = BEEP_AFTER_MS;
    } else {
        next_ms = TAPE_MS;
    }
    c->voice_ms += next_ms;
    if (next == NEXT_BORED)
        schedule_patiently(c, next, next_ms);
    else
        schedule(c, next, next_ms);
    if (what == NEXT_BEEP)
        placed_beep(d, &id, at_ms);
    else
        placed_talk(d, &id, what == NEXT_TALKS, at_ms);
}

static void dial_ended(struct sim_call *c)
{
    const struct live_event ev = {.kind = LIVE_DIALLED,
                                  .dialled = {.result = IVR_DIALLED_COMPLETED,
                                              .talked_ms = DIAL_TALK_MS,
                                              .cause = 16}};

    live_event(c->sim->base.dialer->lives, &c->id, &ev);
}

static void on_timer(uv_timer_t *timer)
{
    struct sim_call *c = timer->data;
    enum next next = c->next;

    c->next = NEXT_NOTHING;
    switch (next) {
    case NEXT_NOTHING:
        break;
    case NEXT_OUTCOME:
        meet_outcome(c);
        break;
    case NEXT_PLAYED:
        after_prompt(c);
        break;
    case NEXT_KEY:
        press_key(c);
        break;
    case NEXT_RECORDED:
        tell_recorded(c);
        break;
    case NEXT_BRIDGED:
        dial_answered(c);
        break;
    case NEXT_DIALLED:
        dial_ended(c);
        break;
    case NEXT_TALKS:
    case NEXT_QUIET:
    case NEXT_BEEP:
        speak_first(c, next);
        break;
    case NEXT_BORED:
        c->cause = 16;
        end_call(c);
        break;
    case NEXT_GONE:
        end_call(c);
        break;
    }
}

static void wind(struct sim_call *c, enum next next, int64_t real_ms)
{
    c->next = next;
    c->due_us = ((int64_t)uv_now(c->timer.loop) + real_ms) * 1000;
    uv_timer_start(&c->timer, on_timer, (uint64_t)real_ms, 0);
}

static void schedule(struct sim_call *c, enum next next, int64_t business_ms)
{
    wind(c, next, clock_real_delay_ms(business_ms));
}

/* What people wait for is ours to bring, and a busy machine needs its real time for it.
 */
static void schedule_patiently(struct sim_call *c, enum next next, int64_t business_ms)
{
    int64_t real_ms = clock_real_delay_ms(business_ms);

    if (clock_is_virtual() && real_ms < AGAIN_MIN_REAL_MS)
        real_ms = AGAIN_MIN_REAL_MS;
    wind(c, next, real_ms);
}

/* ---- the phone ---- */

static struct sim_call *find(void *phone, const struct uuid *call)
{
    return id_table_find(&((struct sim *)phone)->calls, call);
}

static void phone_channel(void *phone, const struct uuid *call, char *out, size_t size)
{
    char id[UUID_TEXT_MAX];

    (void)phone;
    snprintf(out, size, "sim-%s", uuid_text(call, id));
}

static void phone_play(void *phone, const struct uuid *call, uint32_t play_id,
                       const char *const *media, size_t n)
{
    struct sim_call *c = find(phone, call);
    int64_t ms = PROMPT_MS * (int64_t)n;

    (void)media;
    if (!c || c->next == NEXT_GONE)
        return;
    c->play_id = play_id;
    if (c->script.manner == SIMULATED_HANGS_UP && c->prompts == 1) {
        c->cause = 16;
        schedule(c, NEXT_GONE, ms / 2);
    } else {
        schedule(c, NEXT_PLAYED, ms);
    }
}

static void phone_play_stop(void *phone, const struct uuid *call, uint32_t play_id)
{
    struct sim_call *c = find(phone, call);

    if (c && c->next == NEXT_PLAYED && c->play_id == play_id)
        schedule(c, NEXT_PLAYED, 0);
}

static const char *voice_of(const struct sim_call *c)
{
    const struct sim *s = c->sim;

    if (c->script.manner != SIMULATED_SPEAKS || s->voice_count == 0)
        return NULL;
    return s->voices[c->script.voice % s->voice_count];
}

static void phone_recording_location(void *phone, const struct uuid *call,
                                     const char *name, char *out, size_t size)
{
    const struct sim_call *c = find(phone, call);
    const char *voice = c ? voice_of(c) : NULL;

    (void)name;
    str_cut(out, size, voice ? voice : "");
}

static int64_t duration_of(const char *file)
{
    SF_INFO info = {0};
    SNDFILE *f = sf_open(file, SFM_READ, &info);

    if (!f)
        return 0;
    sf_close(f);
    return info.samplerate > 0 ? (int64_t)info.frames * 1000 / info.samplerate : 0;
}

static void phone_record(void *phone, const struct uuid *call, const char *name,
                         const struct ivr_record *record)
{
    struct sim_call *c = find(phone, call);

    if (!c || c->next == NEXT_GONE)
        return;
    const char *voice = voice_of(c);
    int64_t silence = record->silence_ms > 0 ? record->silence_ms : SILENCE_MS;
    int64_t spoken = voice ? duration_of(voice) : 0;
    str_cut(c->recording, sizeof(c->recording), name);
    c->record_began_ms = clock_now_ms();
    c->record_result = spoken > 0 ? IVR_RECORDED_OK : IVR_RECORDED_EMPTY;
    c->record_reason = "silence";
    if (record->max_ms > 0 && spoken + silence > record->max_ms) {
        c->record_reason = "max";
        silence = spoken < record->max_ms ? record->max_ms - spoken : 0;
        spoken = spoken < record->max_ms ? spoken : record->max_ms;
    }
    c->record_ms = spoken;
    schedule(c, NEXT_RECORDED, spoken + silence);
}

static void phone_record_stop(void *phone, const struct uuid *call, const char *name)
{
    struct sim_call *c = find(phone, call);

    if (!c || c->next != NEXT_RECORDED || strcmp(c->recording, name) != 0)
        return;
    cut_recording(c, "stopped");
    schedule(c, NEXT_RECORDED, 0);
}

static void phone_moh(void *phone, const struct uuid *call, bool on)
{
    (void)phone;
    (void)call;
    (void)on;
}

static void phone_dial(void *phone, const struct uuid *call, const struct live_dial *dial)
{
    struct sim_call *c = find(phone, call);

    (void)dial;
    if (c && c->next != NEXT_GONE)
        schedule(c, NEXT_BRIDGED, DIAL_RING_MS);
}

static void hang_up(struct sim_call *c)
{
    if (!c || c->next == NEXT_GONE)
        return;
    c->we_hung_up = true;
    c->cause = 16;
    schedule(c, NEXT_GONE, 0);
}

static void phone_hang_up(void *phone, const struct uuid *call, const char *reason)
{
    (void)reason;
    hang_up(find(phone, call));
}

static const struct live_phone_ops phone_ops = {
    .backend = "sim",
    .source = "simulated",
    .format = "wav16",
    .channel = phone_channel,
    .play = phone_play,
    .play_stop = phone_play_stop,
    .recording_location = phone_recording_location,
    .record = phone_record,
    .record_stop = phone_record_stop,
    .moh = phone_moh,
    .dial = phone_dial,
    .hang_up = phone_hang_up,
};

/* ---- the trunk ---- */

static void sim_close(struct trunk *t)
{
    struct sim *s = (struct sim *)t;
    struct sim_call *c = NULL;

    for (size_t at = 0; (c = id_table_next(&s->calls, &at));)
        uv_close((uv_handle_t *)&c->timer, free_call);
    id_table_free(&s->calls);
    for (size_t i = 0; i < s->voice_count; i++)
        free(s->voices[i]);
    free(s->voices);
    free(s);
}

static int read_voices(struct sim *s, struct errtext *e)
{
    CLEANUP(free_cleanup) char *text = NULL, *copy = xstrdup(s->settings.voices);
    const char *folder = dirname(copy);
    size_t len = 0;
    json_error_t at;

    if (!s->settings.voices[0])
        return 0;
    int err = files_read(s->settings.voices, MANIFEST_MAX, &text, &len);
    if (err)
        return errtext_set(e, EINVAL, 0, 0, "voices: %s: %s", s->settings.voices,
                           strerror(err));
    json_auto_t *list = json_loadb(text, len, 0, &at);
    size_t n = json_array_size(list);
    if (n == 0)
        return errtext_set(e, EINVAL, 0, 0,
                           "voices: %s: want an array of {\"file\",\"text\"}",
                           s->settings.voices);
    s->voices = xcalloc(n, sizeof(*s->voices));
    for (; s->voice_count < n; s->voice_count++) {
        const char *file = json_string_value(
            json_object_get(json_array_get(list, s->voice_count), "file"));
        if (!file)
            return errtext_set(e, EINVAL, 0, 0, "voices: entry %zu has no file",
                               s->voice_count);
        s->voices[s->voice_count] =
            file[0] == '/' ? xstrdup(file) : xasprintf("%s/%s", folder, file);
    }
    return 0;
}

static int sim_open(struct trunk **out, struct dialer *d, const struct trunk_row *row,
                    struct errtext *e)
{
    struct sim *s = xcalloc(1, sizeof(*s));

    s->base = (struct trunk){.ops = &trunk_simulated, .dialer = d, .row = *row};
    int err = simulated_settings_parse(&s->settings, row->settings, e);
    if (!err)
        err = read_voices(s, e);
    if (err) {
        sim_close(&s->base);
        return err;
    }
    *out = &s->base;
    return 0;
}

static bool sim_always(const struct trunk *t)
{
    (void)t;
    return true;
}

static void sim_originate(struct trunk *t, struct permit *permit,
                          const struct trunk_origination *o, trunk_originated_fn *done)
{
    struct sim *s = (struct sim *)t;
    bool may = permit_use(permit, mono_ms(), clock_now_ms());

    permit_free(permit);
    if (!may) {
        done(t->dialer, &o->attempt, TRUNK_NOT_SENT, 0);
        return;
    }
    struct sim_call *c = xcalloc(1, sizeof(*c));
    c->id = o->attempt;
    c->sim = s;
    c->ring_timeout_s = o->ring_timeout_s;
    simulated_script(&s->settings, o->phone, o->number, &c->script);
    if (!id_table_add(&s->calls, &c->id, c)) {
        free(c);
        done(t->dialer, &o->attempt, TRUNK_UNKNOWN, 0);
        return;
    }
    uv_timer_init(t->dialer->loop, &c->timer);
    c->timer.data = c;
    int64_t patience_ms = (int64_t)o->ring_timeout_s * 1000;
    c->ring_timeout = c->script.outcome == SIMULATED_NO_ANSWER ||
                      (patience_ms > 0 && c->script.ring_ms > patience_ms);
    if (c->ring_timeout)
        c->script.outcome = SIMULATED_NO_ANSWER;
    schedule(c, NEXT_OUTCOME,
             c->ring_timeout && patience_ms > 0 ? patience_ms : c->script.ring_ms);
    done(t->dialer, &o->attempt, TRUNK_ACCEPTED, 0);
}

static void sim_query(struct trunk *t, const struct uuid *attempt, trunk_query_fn *done)
{
    const struct sim_call *c = find(t, attempt);

    done(t->dialer, attempt,
         !c      ? TRUNK_ABSENT
         : c->up ? TRUNK_PRESENT_UP
                 : TRUNK_PRESENT_RINGING);
}

static void sim_hang_up(struct trunk *t, const struct uuid *attempt)
{
    hang_up(find(t, attempt));
}

static void sim_listen(struct trunk *t, const struct uuid *attempt)
{
    struct sim_call *c = find(t, attempt);

    if (!c || c->next == NEXT_GONE)
        return;
    c->voice_ms = clock_now_ms() + HELLO_AFTER_MS;
    schedule(c, NEXT_TALKS, HELLO_AFTER_MS);
}

const struct trunk_ops trunk_simulated = {
    .kind = "simulated",
    .open = sim_open,
    .close = sim_close,
    .is_ready = sim_always,
    .has_room = sim_always,
    .originate = sim_originate,
    .query = sim_query,
    .hang_up = sim_hang_up,
    .listen = sim_listen,
    .phone = &phone_ops,
};
