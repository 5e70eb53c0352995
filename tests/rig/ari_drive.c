/*
 * ari_drive PROMPT NUMBER…: the dialer's ARI client and trunk without the rest of the
 * dialer: rings the numbers, serves who answers and who calls in, and prints what it is
 * told, one line each. With no NUMBER it serves calls in until SIGTERM.
 *
 * Who answers hears PROMPT. Then numbers whose third digit from the end is 0, and
 * callers, are recorded, then connected with EXTENSION when that is set, then hung up;
 * others are hung up at their first key.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "campaigns/call_store.h"
#include "campaigns/permit.h"
#include "dialer/ari_inside.h"
#include "dialer/db.h"
#include "dialer/dialer.h"
#include "dialer/live.h"
#include "dialer/placed.h"
#include "dialer/trunk_kinds.h"
#include "dialer/web.h"

enum { CALLS = 32, LIMIT_MS = 60000, SPEAK_MS = 3000 };

static struct {
    struct dialer dialer;
    struct trunk *trunk;
    const char *prompt, *extension;
    struct call {
        struct uuid id;
        int64_t phone;
        bool inbound, speaks, over;
        const struct live_phone_ops *ops;
        void *phone_arg;
        char recording[200];
    } calls[CALLS];
    size_t n, placed;
    bool sent;
    uv_timer_t tick;
    uv_signal_t term;
    int64_t until_ms, ready_ms;
} drive;

static struct call *find(const struct uuid *id)
{
    for (size_t i = 0; i < drive.n; i++)
        if (memcmp(&drive.calls[i].id, id, sizeof(*id)) == 0)
            return &drive.calls[i];
    return NULL;
}

static void say(const struct uuid *id, const char *text)
{
    const struct call *c = find(id);

    printf("%lld|%s\n", c ? (long long)c->phone : 0, text);
    (void)fflush(stdout);
}

/* ---- what the ledger would be told ---- */

void placed_ringing(struct dialer *d, const struct uuid *attempt)
{
    (void)d;
    say(attempt, "ringing");
}

static void begin(struct call *c)
{
    const char *const media[] = {drive.prompt};

    c->ops->play(c->phone_arg, &c->id, 1, media, 1);
}

void placed_talk(struct dialer *d, const struct uuid *attempt, bool talking,
                 int64_t at_ms)
{
    (void)d;
    (void)at_ms;
    say(attempt, talking ? "talks" : "quiet");
}

void placed_answered(struct dialer *d, const struct uuid *attempt)
{
    struct call *c = find(attempt);

    (void)d;
    say(attempt, "answered");
    if (c)
        begin(c);
}

void placed_ended(struct dialer *d, const struct uuid *attempt,
                  const struct placed_end *end)
{
    char text[160];
    struct call *c = find(attempt);

    (void)d;
    snprintf(text, sizeof(text), "ended up=%d us=%d timeout=%d cause=%d sip=%d dial=%s",
             end->was_up, end->we_hung_up, end->ring_timeout, end->cause, end->tech_cause,
             end->dial_status ? end->dial_status : "-");
    say(attempt, text);
    if (c)
        c->over = true;
}

void placed_resync(struct dialer *d, const char *kind)
{
    (void)d;
    printf("0|resync %s\n", kind);
    (void)fflush(stdout);
}

void placed_switch_restarted(struct dialer *d, const char *kind)
{
    (void)d;
    printf("0|restarted %s\n", kind);
    (void)fflush(stdout);
}

void placed_switch_lost(struct dialer *d, const char *kind)
{
    (void)d;
    printf("0|lost %s\n", kind);
    (void)fflush(stdout);
}

bool placed_has(const struct dialer *d, const struct uuid *attempt)
{
    (void)d;
    return find(attempt) != NULL;
}

/* ---- what the flow engine would be told ---- */

int live_start(struct lives *l, const struct live_start *start)
{
    (void)l;
    if (drive.n == CALLS)
        return ENOSPC;
    struct call *c = &drive.calls[drive.n++];
    *c = (struct call){.id = start->id,
                       .phone = start->phone,
                       .inbound = true,
                       .speaks = true,
                       .ops = start->ops,
                       .phone_arg = start->phone_arg};
    char text[64];
    snprintf(text, sizeof(text), "in %s tenant=%d", start->extension, start->tenant_id);
    say(&c->id, text);
    begin(c);
    return 0;
}

bool live_is_running(const struct lives *l, const struct uuid *call)
{
    (void)l;
    return find(call) != NULL;
}

static void after_prompt(struct call *c)
{
    const struct ivr_record record = {.max_ms = 4000, .silence_ms = 2000, .step = 3};
    char channel[160] = "";

    if (!c->speaks)
        return;
    c->ops->channel(c->phone_arg, &c->id, channel, sizeof(channel));
    snprintf(c->recording, sizeof(c->recording), "%s-3", channel);
    c->ops->record(c->phone_arg, &c->id, c->recording, &record);
}

static void after_recording(struct call *c)
{
    if (drive.extension && !c->inbound) {
        c->ops->moh(c->phone_arg, &c->id, true);
        c->ops->dial(c->phone_arg, &c->id,
                     &(struct live_dial){
                         .extension = drive.extension, .ring_ms = 5000, .max_ms = 3000});
    } else {
        c->ops->hang_up(c->phone_arg, &c->id, "normal");
    }
}

static void on_recording(struct dialer *d, const char *name, enum trunk_recording answer,
                         void *arg)
{
    (void)d;
    (void)arg;
    printf("0|stored %s %d\n", name, answer == TRUNK_RECORDING_STORED);
    (void)fflush(stdout);
}

int lives_beep(const struct lives *l, char *uri, size_t size)
{
    (void)l;
    (void)uri;
    (void)size;
    return ENOENT;
}

void live_event(struct lives *l, const struct uuid *id, const struct live_event *ev)
{
    struct call *c = find(id);
    char text[320];

    (void)l;
    if (!c)
        return;
    switch (ev->kind) {
    case LIVE_KEY:
        snprintf(text, sizeof(text), "key %c", ev->key);
        say(id, text);
        if (!c->speaks)
            c->ops->hang_up(c->phone_arg, id, "normal");
        break;
    case LIVE_PLAYED:
        say(id, ev->played.failed ? "play failed" : "played");
        after_prompt(c);
        break;
    case LIVE_RECORDED:
        snprintf(text, sizeof(text), "recorded %d ms=%lld %s", ev->recorded.result,
                 (long long)ev->recorded.duration_ms, ev->recorded.reason);
        say(id, text);
        drive.trunk->ops->recording_exists(drive.trunk, ev->recorded.name, on_recording,
                                           NULL);
        after_recording(c);
        break;
    case LIVE_BRIDGED:
        break;
    case LIVE_DIALLED:
        snprintf(text, sizeof(text), "dialled %d talked=%d cause=%d", ev->dialled.result,
                 ev->dialled.talked_ms > 0, ev->dialled.cause);
        say(id, text);
        c->ops->hang_up(c->phone_arg, id, "normal");
        break;
    case LIVE_HUNG_UP:
        say(id, "hung up");
        c->over = c->over || c->inbound;
        break;
    }
}

/* ---- numbers that may be called in ---- */

int call_find_extension(struct pg *pg, const char *dialled, struct call_extension *out)
{
    (void)pg;
    *out = (struct call_extension){
        .tenant_id = 1, .flow_revision_id = 1, .callback_campaign_id = 7};
    out->missed_call = str_is(dialled, "2002");
    return str_is(dialled, "2001") || out->missed_call ? 0 : ENOENT;
}

int call_request_callback(struct pg *pg, int tenant_id, int64_t campaign_id,
                          int64_t phone, int64_t at_ms, int64_t now_ms, bool *duplicate)
{
    (void)pg;
    (void)at_ms;
    (void)now_ms;
    *duplicate = false;
    printf("%lld|callback tenant=%d campaign=%lld\n", (long long)phone, tenant_id,
           (long long)campaign_id);
    (void)fflush(stdout);
    return 0;
}

/* ---- driving ---- */

static void on_queried(struct dialer *d, const struct uuid *attempt,
                       enum trunk_presence presence)
{
    static const char *const names[] = {"ringing", "up", "absent", "unasked"};
    char text[64];

    (void)d;
    snprintf(text, sizeof(text), "query %s", names[presence]);
    say(attempt, text);
}

static void on_originated(struct dialer *d, const struct uuid *attempt,
                          enum trunk_result result, int cause)
{
    static const char *const names[] = {"accepted", "rejected", "not sent", "unknown"};
    struct call *c = find(attempt);
    char text[64];

    (void)d;
    snprintf(text, sizeof(text), "%s %d", names[result], cause);
    say(attempt, text);
    if (result != TRUNK_ACCEPTED && c)
        c->over = true;
    else
        drive.trunk->ops->query(drive.trunk, attempt, on_queried);
}

static void originate_all(void)
{
    for (size_t i = 0; i < drive.placed; i++) {
        struct call *c = &drive.calls[i];
        const struct permit_facts facts = {
            .decision = "of a test", .attempt = c->id, .phone = c->phone};
        const struct trunk_origination o = {.attempt = c->id,
                                            .phone = c->phone,
                                            .caller_id = "\"Furrow\" <2001>",
                                            .ring_timeout_s = 4};

        drive.trunk->ops->originate(drive.trunk, permit_mint(&facts, mono_ms()), &o,
                                    on_originated);
    }
}

static void stop(void)
{
    struct dialer *d = &drive.dialer;

    ari_close(d->ari);
    drive.trunk->ops->close(drive.trunk);
    db_close(d->db, 1000);
    web_close(d->web);
    uv_close((uv_handle_t *)&drive.tick, NULL);
    uv_close((uv_handle_t *)&drive.term, NULL);
}

static void on_term(uv_signal_t *signal, int number)
{
    (void)signal;
    (void)number;
    stop();
}

/* An Asterisk that takes requests over the WebSocket says so at once. */
static bool is_settled(void)
{
    if (!drive.ready_ms)
        drive.ready_ms = mono_ms();
    if (!drive.dialer.ari->wire.speaks)
        return mono_ms() - drive.ready_ms >= SPEAK_MS;
    say(&(struct uuid){0}, "over the WebSocket");
    return true;
}

static void on_tick(uv_timer_t *timer)
{
    bool over = drive.placed > 0 && drive.sent;

    (void)timer;
    if (!drive.sent && drive.trunk->ops->is_ready(drive.trunk) && is_settled()) {
        drive.sent = true;
        originate_all();
    }
    for (size_t i = 0; i < drive.placed; i++)
        over = over && drive.calls[i].over;
    if (over || mono_ms() >= drive.until_ms)
        stop();
}

static int set_up(char **argv)
{
    struct dialer *d = &drive.dialer;
    struct errtext e = {0};
    struct trunk_row row = {.name = "rig", .kind = "ari"};

    str_cut(row.endpoint, sizeof(row.endpoint), "PJSIP/{number}@trunk");
    str_cut(d->config.ari_url, sizeof(d->config.ari_url), getenv("RIG_ARI_URL"));
    str_cut(d->config.ari_user, sizeof(d->config.ari_user), getenv("RIG_ARI_USER"));
    str_cut(d->config.ari_secret, sizeof(d->config.ari_secret), getenv("RIG_ARI_SECRET"));
    str_cut(d->config.ari_extension_endpoint, sizeof(d->config.ari_extension_endpoint),
            "PJSIP/{number}@trunk");
    str_cut(d->installation, sizeof(d->installation), "0a1b2c3d");
    d->loop = uv_default_loop();
    d->holder = uuid_v7(clock_now_ms());
    d->slot_held = true;
    drive.prompt = argv[1];
    drive.extension = getenv("EXTENSION");
    const char *url = getenv("DATABASE_URL");
    int err = web_new(&d->web, d->loop, 64);
    if (!err && url)
        err = db_new(&d->db, d->loop,
                     &(struct pg_options){.url = url, .role = "furrow_app"}, 1, 64, &e);
    if (!err)
        err = ari_new(&d->ari, d, &e);
    if (!err)
        err = trunk_ari.open(&drive.trunk, d, &row, &e);
    if (err)
        (void)fprintf(stderr, "ari_drive: %s\n", e.text);
    return err;
}

int main(int argc, char **argv)
{
    if (argc < 2 || argc > CALLS || !getenv("RIG_ARI_URL"))
        return 2;
    log_set_level(LOG_DEBUG);
    if (set_up(argv))
        return 1;
    for (int i = 2; i < argc; i++) {
        struct call *c = &drive.calls[drive.n++];
        c->id = uuid_v7(clock_now_ms());
        c->speaks = argv[i][strlen(argv[i]) - 3] == '0';
        if (!str_to_i64(argv[i], &c->phone))
            return 2;
        c->ops = trunk_ari.phone;
        c->phone_arg = drive.trunk;
    }
    drive.placed = drive.n;
    drive.until_ms = mono_ms() + LIMIT_MS;
    uv_timer_init(drive.dialer.loop, &drive.tick);
    uv_timer_start(&drive.tick, on_tick, 50, 50);
    uv_signal_init(drive.dialer.loop, &drive.term);
    uv_signal_start(&drive.term, on_term, SIGTERM);
    uv_run(drive.dialer.loop, UV_RUN_DEFAULT);
    uv_loop_close(drive.dialer.loop);
    return 0;
}
