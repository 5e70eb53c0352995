/*
 * The ARI client and trunk on a real loop against a peer that misbehaves. What would be
 * told to the ledger and to live calls is noted in `told`.
 */
#include "unit/cm.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "campaigns/agent_store_line.h"
#include "campaigns/permit.h"
#include "dialer/ari_inside.h"
#include "dialer/placed.h"
#include "dialer/trunk_kinds.h"
#include "flow/ari_peer.h"

enum { BOUND_MS = 8000 };

static struct {
    struct dialer dialer;
    uv_loop_t loop;
    uv_timer_t beat;
    struct ari_peer *peer;
    struct trunk *trunk;
    struct buf told, asked;
    struct uuid attempt;
    bool known; /* placed_has */
    enum ari_peer_how how;
    int status;          /* of an origination */
    int found;           /* status of GET /channels/{id} */
    const char *early;   /* an event before the answer */
    const char *strange; /* body of GET /applications/{app} */
    const char *bridges; /* of GET /bridges */
    const char *held;    /* of GET of the holding bridge */
    int refusals;        /* of addChannel to it, before it is taken */
    const char *since;   /* when Asterisk says it was started */
} t;

static void note(const char *text)
{
    buf_printf(&t.told, "%s;", text);
}

static bool was_told(const char *text)
{
    return t.told.data && strstr(t.told.data, text);
}

static bool was_asked(const char *text)
{
    return t.asked.data && strstr(t.asked.data, text);
}

void placed_ringing(struct dialer *d, const struct uuid *attempt)
{
    (void)d;
    (void)attempt;
    note("ringing");
}

void placed_answered(struct dialer *d, const struct uuid *attempt)
{
    (void)d;
    (void)attempt;
    note("answered");
}

void placed_talk(struct dialer *d, const struct uuid *attempt, bool talking,
                 int64_t at_ms)
{
    (void)d;
    (void)attempt;
    (void)at_ms;
    note(talking ? "talks" : "quiet");
}

void placed_ended(struct dialer *d, const struct uuid *attempt,
                  const struct placed_end *end)
{
    char text[64];

    (void)d;
    (void)attempt;
    snprintf(text, sizeof(text), "ended %d%s", end->cause, end->was_up ? " up" : "");
    note(text);
}

void placed_resync(struct dialer *d, const char *kind)
{
    (void)d;
    note(kind);
}

void placed_switch_restarted(struct dialer *d, const char *kind)
{
    (void)d;
    (void)kind;
    note("restarted");
}

void placed_switch_lost(struct dialer *d, const char *kind)
{
    (void)d;
    (void)kind;
    note("lost");
}

bool placed_has(const struct dialer *d, const struct uuid *attempt)
{
    (void)d;
    return t.known && memcmp(attempt, &t.attempt, sizeof(*attempt)) == 0;
}

int live_start(struct lives *l, const struct live_start *start)
{
    (void)l;
    (void)start;
    note("live_start");
    return 0;
}

bool live_is_running(const struct lives *l, const struct uuid *call)
{
    (void)l;
    (void)call;
    return false;
}

int lives_beep(const struct lives *l, char *uri, size_t size)
{
    (void)l;
    (void)uri;
    (void)size;
    return ENOENT;
}

void live_event(struct lives *l, const struct uuid *call, const struct live_event *ev)
{
    char text[128];

    (void)l;
    (void)call;
    switch (ev->kind) {
    case LIVE_KEY:
        snprintf(text, sizeof(text), "key %c", ev->key);
        break;
    case LIVE_PLAYED:
        snprintf(text, sizeof(text), "played %u %d", ev->played.play_id,
                 ev->played.failed);
        break;
    case LIVE_RECORDED:
        snprintf(text, sizeof(text), "recorded %d %s", ev->recorded.result,
                 ev->recorded.reason);
        break;
    case LIVE_BRIDGED:
        return;
    case LIVE_DIALLED:
        snprintf(text, sizeof(text), "dialled %d", ev->dialled.result);
        break;
    case LIVE_HUNG_UP:
        snprintf(text, sizeof(text), "hung up %d", ev->hung_up.cause);
        break;
    }
    note(text);
}

/* No call comes in here: there is no database, so no lease. */
int call_find_extension(struct pg *pg, const char *dialled, struct call_extension *out)
{
    (void)pg;
    (void)dialled;
    *out = (struct call_extension){0};
    return ENOENT;
}

int call_request_callback(struct pg *pg, int tenant_id, int64_t campaign_id,
                          int64_t phone, int64_t at_ms, int64_t now_ms, bool *duplicate)
{
    (void)pg;
    (void)tenant_id;
    (void)campaign_id;
    (void)phone;
    (void)at_ms;
    (void)now_ms;
    *duplicate = false;
    return EPROTO;
}

static void on_originated(struct dialer *d, const struct uuid *attempt,
                          enum trunk_result result, int cause)
{
    static const char *const names[] = {"accepted", "rejected", "not_sent", "unknown"};
    char text[64];

    (void)d;
    (void)attempt;
    snprintf(text, sizeof(text), "%s %d", names[result], cause);
    note(text);
}

static void on_queried(struct dialer *d, const struct uuid *attempt,
                       enum trunk_presence presence)
{
    static const char *const names[] = {"q_ringing", "q_up", "q_absent", "q_unasked"};

    (void)d;
    (void)attempt;
    note(names[presence]);
}

static struct ari_peer_reply answer(struct ari_peer *p, const char *method,
                                    const char *path, const char *body)
{
    buf_printf(&t.asked, "%s %s %s;", method, path, body);
    if (strcmp(method, "POST") == 0 && strstr(path, "/play/"))
        return (struct ari_peer_reply){.status = 201, .body = "{}"};
    if (strcmp(method, "POST") == 0 && strstr(path, "/ari/channels/")) {
        if (t.early)
            ari_peer_event(p, t.early);
        return (struct ari_peer_reply){.how = t.how, .status = t.status, .body = "{}"};
    }
    if (strstr(path, "-held-3/addChannel") && t.refusals > 0) {
        t.refusals--;
        return (struct ari_peer_reply){.status = 409, .body = "{}"};
    }
    if (strstr(path, "-held-3") && strcmp(method, "GET") == 0 && t.held)
        return (struct ari_peer_reply){.status = 200, .body = t.held};
    if (strstr(path, "/ari/bridges/") && strcmp(method, "POST") == 0)
        return (struct ari_peer_reply){.status = 204};
    if (strstr(path, "/ari/bridges") && strcmp(method, "GET") == 0 && t.bridges)
        return (struct ari_peer_reply){.status = 200, .body = t.bridges};
    if (strstr(path, "/asterisk/info") && t.since)
        return (struct ari_peer_reply){.status = 200, .body = t.since};
    if (strstr(path, "/applications/") && t.strange)
        return (struct ari_peer_reply){.status = 200, .body = t.strange};
    if (strcmp(method, "GET") == 0 && strstr(path, "/ari/channels/"))
        return (struct ari_peer_reply){.status = t.found, .body = "{\"state\":\"Up\"}"};
    return (struct ari_peer_reply){.status = 404, .body = "{}"};
}

static void on_beat(uv_timer_t *timer)
{
    (void)timer;
}

/* Runs the loop until the text has been told (or asked), for at most BOUND_MS. */
static bool until(bool (*holds)(const char *), const char *text)
{
    int64_t end = mono_ms() + BOUND_MS;

    while (!holds(text) && mono_ms() < end)
        uv_run(&t.loop, UV_RUN_ONCE);
    return holds(text);
}

static bool is_ready(const char *text)
{
    (void)text;
    return ari_is_ready(t.dialer.ari);
}

static bool is_away(const char *text)
{
    return !is_ready(text);
}

static bool speaks(const char *text)
{
    (void)text;
    return t.dialer.ari->wire.speaks;
}

static void set_up_with(bool speaking)
{
    struct dialer *d = &t.dialer;
    const struct trunk_row row = {
        .name = "t", .kind = "ari", .endpoint = "PJSIP/{number}@trunk"};

    memset(&t, 0, sizeof(t));
    t.status = 200;
    t.found = 404;
    assert_int_equal(uv_loop_init(&t.loop), 0);
    uv_timer_init(&t.loop, &t.beat);
    uv_timer_start(&t.beat, on_beat, 10, 10);
    t.peer = ari_peer_new(&t.loop, answer);
    ari_peer_speaks(t.peer, speaking);
    d->loop = &t.loop;
    d->slot = 3;
    d->slot_held = true;
    str_cut(d->installation, sizeof(d->installation), "0a1b2c3d");
    snprintf(d->config.ari_url, sizeof(d->config.ari_url), "http://127.0.0.1:%d/ari/",
             ari_peer_port(t.peer));
    str_cut(d->config.ari_user, sizeof(d->config.ari_user), "furrow");
    str_cut(d->config.ari_secret, sizeof(d->config.ari_secret), "secret");
    assert_int_equal(uuid_parse("0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b", &t.attempt), 0);
    assert_int_equal(web_new(&d->web, &t.loop, 16), 0);
    assert_int_equal(ari_new(&d->ari, d, NULL), 0);
    assert_int_equal(trunk_ari.open(&t.trunk, d, &row, NULL), 0);
    assert_true(until(is_ready, NULL));
}

static int set_up(void **state)
{
    (void)state;
    set_up_with(false);
    return 0;
}

/* With an Asterisk that takes requests over the WebSocket. */
static int set_up_spoken(void **state)
{
    (void)state;
    set_up_with(true);
    assert_true(until(speaks, NULL));
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    trunk_ari.close(t.trunk);
    ari_close(t.dialer.ari);
    web_close(t.dialer.web);
    ari_peer_close(t.peer);
    uv_close((uv_handle_t *)&t.beat, NULL);
    uv_run(&t.loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&t.loop), 0);
    buf_free(&t.told);
    buf_free(&t.asked);
    return 0;
}

static void originate(int64_t minted_before_ms)
{
    const struct permit_facts facts = {
        .decision = "of a test", .attempt = t.attempt, .phone = 251911234567};
    const struct trunk_origination o = {.attempt = t.attempt,
                                        .phone = 251911234567,
                                        .caller_id = "2001",
                                        .ring_timeout_s = 25};

    trunk_ari.originate(t.trunk, permit_mint(&facts, mono_ms() - minted_before_ms), &o,
                        on_originated);
}

#define CHANNEL     "fw0a1b2c3d-0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b"
#define EVENT(type) "{\"type\":\"" type "\",\"channel\":{\"id\":\"" CHANNEL "\"}}"

static void an_origination_says_what_it_must(void **state)
{
    (void)state;
    originate(0);
    assert_true(until(was_told, "accepted 0"));
    assert_true(was_asked("POST /ari/channels/" CHANNEL " {"));
    assert_true(was_asked("\"endpoint\":\"PJSIP/251911234567@trunk\""));
    assert_true(was_asked("\"app\":\"furrow-0a1b2c3d-3\""));
    assert_true(was_asked("\"timeout\":25"));
    assert_true(was_asked("\"callerId\":\"2001\""));
    assert_true(was_asked("{\"PJSIP_HEADER(add,X-Furrow-Attempt)\":"
                          "\"0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b\"}"));
}

static void a_permit_that_is_too_old_sends_nothing(void **state)
{
    (void)state;
    originate(PERMIT_TTL_MS + 1);
    assert_true(was_told("not_sent 0"));
    trunk_ari.query(t.trunk, &t.attempt, on_queried);
    assert_true(until(was_told, "q_absent"));
    assert_false(was_asked("POST"));
}

static void an_answer_that_is_lost_is_unknown_and_never_sent_again(void **state)
{
    (void)state;
    t.known = true;
    t.how = PEER_CUTS;
    originate(0);
    assert_true(until(was_told, "unknown 0"));
    trunk_ari.query(t.trunk, &t.attempt, on_queried);
    assert_true(until(was_told, "q_absent"));
    assert_false(was_told("ended")); /* absent is not an end: it may yet come */
    const char *first = strstr(t.asked.data, "POST");
    assert_non_null(first);
    assert_null(strstr(first + 1, "POST"));
}

static void requests_of_a_call_go_over_the_socket_where_asterisk_takes_them(void **state)
{
    const char *const media[] = {"sound:a"};
    int connections = ari_peer_connections(t.peer), spoken = ari_peer_spoken(t.peer);

    (void)state;
    t.known = true;
    originate(0);
    assert_true(until(was_told, "accepted 0"));
    ari_peer_event(t.peer, EVENT("StasisStart"));
    assert_true(until(was_told, "answered"));
    trunk_ari.phone->play(t.trunk, &t.attempt, 7, media, 1);
    assert_true(until(was_asked, "/play/" CHANNEL "-p7 {\"media\":[\"sound:a\"]}"));
    trunk_ari.hang_up(t.trunk, &t.attempt);
    assert_true(until(was_asked, "DELETE /ari/channels/" CHANNEL "?reason=normal"));
    assert_int_equal(ari_peer_spoken(t.peer) - spoken, 3);
    assert_int_equal(ari_peer_connections(t.peer), connections);
}

static void an_asterisk_that_takes_none_is_asked_by_http(void **state)
{
    (void)state;
    assert_false(t.dialer.ari->wire.speaks);
    originate(0);
    assert_true(until(was_told, "accepted 0"));
    assert_int_equal(ari_peer_spoken(t.peer), 0);
}

static void what_had_not_left_when_the_socket_was_lost_was_not_sent(void **state)
{
    (void)state;
    originate(0);
    ari_wire_lost(t.dialer.ari, ECONNRESET);
    assert_true(was_told("not_sent 0"));
    trunk_ari.query(t.trunk, &t.attempt, on_queried);
    assert_true(until(was_told, "q_absent"));
    assert_false(was_asked("POST"));
}

static void an_origination_that_could_not_leave_in_time_never_does(void **state)
{
    (void)state;
    originate(0);
    ari_wire_tick(t.dialer.ari, mono_ms() + 1600);
    assert_true(was_told("not_sent 0"));
    assert_true(speaks(NULL));
    trunk_ari.query(t.trunk, &t.attempt, on_queried);
    assert_true(until(was_told, "q_absent"));
    assert_false(was_asked("POST"));
}

static void a_request_over_the_socket_that_is_not_answered_is_the_last(void **state)
{
    int spoken = 0;

    (void)state;
    t.how = PEER_IS_SILENT;
    originate(0);
    assert_true(until(was_asked, "POST /ari/channels/" CHANNEL));
    ari_wire_tick(t.dialer.ari, mono_ms() + 8500);
    assert_true(was_told("unknown 0"));
    assert_false(speaks(NULL));
    spoken = ari_peer_spoken(t.peer);
    t.how = PEER_ANSWERS;
    originate(0);
    assert_true(until(was_told, "accepted 0"));
    assert_int_equal(ari_peer_spoken(t.peer), spoken);
}

static bool has_eleven(const char *text)
{
    int n = 0;

    for (const char *p = t.asked.data; p && (p = strstr(p, text)); p++)
        n++;
    return n >= 11;
}

static void what_the_socket_is_behind_with_goes_by_http(void **state)
{
    int spoken = ari_peer_spoken(t.peer);

    (void)state;
    t.how = PEER_IS_SILENT;
    for (int i = 0; i < 11; i++)
        originate(0);
    assert_true(until(has_eleven, "POST /ari/channels/" CHANNEL));
    assert_int_equal(ari_peer_spoken(t.peer), spoken + 4);
}

/* Asterisk would say it again of every origination that fails on that connection. */
static void after_a_duplicate_originations_leave_the_socket(void **state)
{
    int spoken = 0;

    (void)state;
    t.status = 409;
    t.found = 200;
    originate(0);
    assert_true(until(was_told, "accepted 0"));
    spoken = ari_peer_spoken(t.peer);
    t.status = 500;
    originate(0);
    assert_true(until(was_told, "rejected 34"));
    assert_int_equal(ari_peer_spoken(t.peer), spoken);
    trunk_ari.hang_up(t.trunk, &t.attempt);
    assert_true(until(was_asked, "DELETE"));
    assert_int_equal(ari_peer_spoken(t.peer), spoken + 1);
}

static void a_duplicate_that_lives_is_ours_and_one_that_does_not_is_unknown(void **state)
{
    (void)state;
    t.status = 409;
    t.found = 200;
    originate(0);
    assert_true(until(was_told, "accepted 0"));
    t.found = 404;
    originate(0);
    assert_true(until(was_told, "unknown 0"));
}

static void refusals_are_told_apart(void **state)
{
    static const struct {
        int status;
        const char *told;
    } cases[] = {{500, "rejected 34"}, {400, "rejected 50"}, {401, "not_sent 50"},
                 {429, "not_sent 34"}, {503, "not_sent 34"}, {502, "unknown 0"}};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        buf_free(&t.told);
        t.status = cases[i].status;
        originate(0);
        assert_true(until(was_told, cases[i].told));
    }
}

static void events_before_the_answer_are_told(void **state)
{
    (void)state;
    t.known = true;
    t.early = EVENT("ChannelDestroyed");
    originate(0);
    assert_true(until(was_told, "accepted 0"));
    assert_true(until(was_told, "ended 0"));
}

/* It answered and hung up before it could enter the application. */
static void who_goes_at_once_was_up_all_the_same(void **state)
{
    (void)state;
    t.known = true;
    t.early = "{\"type\":\"ChannelDestroyed\",\"cause\":16,\"channel\":{\"id\":\"" CHANNEL
              "\",\"state\":\"Up\"}}";
    originate(0);
    assert_true(until(was_told, "ended 16 up"));
}

static void a_cut_socket_stops_originations_and_is_made_again_with_a_resync(void **state)
{
    (void)state;
    assert_true(until(was_told, "ari;"));
    buf_free(&t.told);
    ari_peer_cut(t.peer);
    assert_true(until(is_away, NULL));
    originate(0);
    assert_true(was_told("not_sent 0"));
    assert_true(until(was_told, "ari;"));
    assert_int_equal(ari_peer_handshakes(t.peer), 2);
    assert_true(ari_is_ready(t.dialer.ari));
}

static int knocks;

static bool has_knocked(const char *text)
{
    (void)text;
    return ari_peer_connections(t.peer) >= knocks;
}

/* Whatever way a connection fails, it is tried again. */
static void shut_and_open(enum ari_peer_door door)
{
    ari_peer_door(t.peer, door);
    ari_peer_cut(t.peer);
    assert_true(until(is_away, NULL));
    knocks = ari_peer_connections(t.peer) + 2;
    assert_true(until(has_knocked, NULL));
    ari_peer_door(t.peer, PEER_TAKES);
    assert_true(until(is_ready, NULL));
}

static void a_switch_that_does_not_come_back_is_lost(void **state)
{
    (void)state;
    assert_true(until(is_ready, NULL));
    t.dialer.config.ari_lost_s = 30;
    ari_peer_cut(t.peer);
    assert_true(until(is_away, NULL));
    assert_true(until(is_ready, NULL));
    assert_false(was_told("lost")); /* that was only a cut */
    t.dialer.config.ari_lost_s = 1;
    ari_peer_door(t.peer, PEER_SHUTS);
    ari_peer_cut(t.peer);
    assert_true(until(was_told, "lost"));
    ari_peer_door(t.peer, PEER_TAKES);
    t.dialer.config.ari_lost_s = 0;
    assert_true(until(is_ready, NULL));
}

static void a_door_that_is_shut_at_once_is_knocked_at_again(void **state)
{
    (void)state;
    shut_and_open(PEER_SHUTS);
}

static void a_door_that_is_shut_in_the_handshake_is_knocked_at_again(void **state)
{
    (void)state;
    shut_and_open(PEER_SHUTS_LATE);
}

/* ---- open lines ---- */

#define LINE      "fw0a1b2c3d-0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5c-b1"
#define LINE_HELD "POST /ari/bridges/fw0a1b2c3d-held-3/addChannel?channel=" LINE
#define LINE_EVENT(type, more)                                                           \
    "{\"type\":\"" type "\"" more ",\"channel\":{\"id\":\"" LINE "\"}}"

static void want_line(bool wanted)
{
    struct agent_line line = {.name = "abeba", .extension = "2001"};

    str_cut(t.dialer.config.ari_extension_endpoint,
            sizeof(t.dialer.config.ari_extension_endpoint), "PJSIP/{number}");
    assert_int_equal(uuid_parse("0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5c", &line.line), 0);
    ari_lines_want(t.dialer.ari, &line, wanted ? 1 : 0);
}

static void an_open_line_takes_one_call_after_the_other(void **state)
{
    const struct live_dial dial = {
        .extension = "2001", .ring_ms = 20000, .max_ms = 60000, .line = true};

    (void)state;
    want_line(true);
    want_line(true);
    assert_true(until(was_asked, "POST /ari/channels/" LINE " {"));
    assert_true(was_asked("\"endpoint\":\"PJSIP/2001\""));
    ari_peer_event(t.peer, LINE_EVENT("StasisStart", ""));
    assert_true(until(was_asked, LINE_HELD));
    t.known = true;
    ari_peer_event(t.peer, EVENT("StasisStart"));
    assert_true(until(was_told, "answered"));
    for (int i = 0; i < 2; i++) {
        buf_free(&t.asked);
        buf_free(&t.told);
        trunk_ari.phone->dial(t.trunk, &t.attempt, &dial);
        assert_true(until(was_asked, "addChannel?channel=" CHANNEL "," LINE));
        assert_false(was_asked("POST /ari/channels/")); /* nobody's phone rings */
        ari_peer_event(t.peer, LINE_EVENT("ChannelDtmfReceived", ",\"digit\":\"1\""));
        ari_peer_event(t.peer, LINE_EVENT("ChannelDtmfReceived", ",\"digit\":\"*\""));
        assert_true(until(was_told, "dialled 0"));
        assert_true(until(was_asked, LINE_HELD));
        assert_false(was_asked("DELETE /ari/channels/" LINE));
    }
    want_line(false);
    assert_true(until(was_asked, "DELETE /ari/channels/" LINE));
}

#define LINE_LOOK "GET /ari/bridges/fw0a1b2c3d-held-3"

/* A tick of the sweep, and what it asks for. Whether it looks where the line is. */
static bool looks(void)
{
    buf_free(&t.asked);
    buf_free(&t.told);
    want_line(true);
    trunk_ari.query(t.trunk, &t.attempt, on_queried);
    assert_true(until(was_told, "q_"));
    return was_asked(LINE_LOOK);
}

static bool looks_at_last(void)
{
    int64_t end = mono_ms() + BOUND_MS;

    while (!looks())
        if (mono_ms() > end)
            return false;
    return true;
}

/* Its way back and the end of the transfer's bridge are two requests on two connections:
 * it may be refused, or be taken and come to nothing. */
static void an_open_line_that_did_not_come_back_is_put_there_again(void **state)
{
    (void)state;
    t.refusals = 1;
    t.held = "{\"channels\":[\"another\"]}";
    want_line(true);
    assert_true(until(was_asked, "POST /ari/channels/" LINE " {"));
    ari_peer_event(t.peer, LINE_EVENT("StasisStart", ""));
    assert_true(until(was_asked, LINE_HELD));
    for (int i = 0; i < 2; i++) { /* it was refused; it was taken, and is not there */
        assert_true(looks_at_last());
        assert_true(until(was_asked, LINE_HELD));
    }
    t.held = "{\"channels\":[\"" LINE "\"]}";
    assert_true(looks_at_last());
    for (int i = 0; i < 5; i++) { /* it is there */
        assert_false(looks());
        assert_false(was_asked(LINE_HELD));
    }
}

/* Who hangs up in mid-call ends both; a dialer that starts again finds a line. */
static void an_open_line_is_found_again_and_ends_with_its_phone(void **state)
{
    const struct live_dial dial = {
        .extension = "2001", .ring_ms = 20000, .max_ms = 60000, .line = true};

    (void)state;
    t.status = 409;
    t.found = 200;
    want_line(true);
    assert_true(until(was_asked, LINE_HELD));
    t.status = 200;
    t.known = true;
    ari_peer_event(t.peer, EVENT("StasisStart"));
    assert_true(until(was_told, "answered"));
    trunk_ari.phone->dial(t.trunk, &t.attempt, &dial);
    assert_true(until(was_asked, "addChannel?channel=" CHANNEL "," LINE));
    ari_peer_event(t.peer, LINE_EVENT("ChannelDestroyed", ",\"cause\":16"));
    assert_true(until(was_told, "dialled 0"));
    buf_free(&t.asked);
    /* Without a line the phone rings. */
    trunk_ari.phone->dial(t.trunk, &t.attempt, &dial);
    assert_true(until(was_asked, "POST /ari/channels/" CHANNEL "-b2 {"));
}

static void a_playback_whose_end_was_missed_is_found_after_a_cut(void **state)
{
    const char *const media[] = {"sound:a,b", "sound:c"};

    (void)state;
    t.known = true;
    ari_peer_event(t.peer, EVENT("StasisStart"));
    assert_true(until(was_told, "answered"));
    trunk_ari.phone->play(t.trunk, &t.attempt, 7, media, 2);
    assert_true(until(was_asked, "/play/" CHANNEL "-p7 {\"media\":[\"sound:a,b\","
                                 "\"sound:c\"]}"));
    ari_peer_cut(t.peer);
    assert_true(until(was_told, "played 7 0"));
}

#define RECORDING CHANNEL "-4"
#define RECORDED(type, at)                                                               \
    "{\"type\":\"" type "\",\"timestamp\":\"2026-03-03T09:10:" at "+0300\","             \
    "\"recording\":{\"name\":\"" RECORDING "\",\"duration\":0,\"talking_duration\":1,"   \
    "\"silence_duration\":0}}"

static void record(void)
{
    const struct ivr_record form = {.max_ms = 5000, .silence_ms = 2000};

    t.known = true;
    ari_peer_event(t.peer, EVENT("StasisStart"));
    assert_true(until(was_told, "answered"));
    trunk_ari.phone->record(t.trunk, &t.attempt, RECORDING, &form);
    assert_true(until(was_asked, "/record?name=" RECORDING));
}

static void
a_recording_is_as_long_as_the_switch_says_however_late_its_events(void **state)
{
    char told[32];

    (void)state;
    record();
    ari_peer_event(t.peer, RECORDED("RecordingStarted", "11.000"));
    ari_peer_event(t.peer, RECORDED("RecordingFinished", "11.700"));
    snprintf(told, sizeof(told), "recorded %d", IVR_RECORDED_OK);
    assert_true(until(was_told, told));
    buf_free(&t.told);
    buf_free(&t.asked);
    record();
    ari_peer_event(t.peer, RECORDED("RecordingStarted", "11.000"));
    ari_peer_event(t.peer, RECORDED("RecordingFinished", "11.300"));
    snprintf(told, sizeof(told), "recorded %d", IVR_RECORDED_EMPTY);
    assert_true(until(was_told, told));
}

static void a_recording_whose_start_was_missed_is_kept(void **state)
{
    char told[32];

    (void)state;
    record();
    ari_peer_event(t.peer, RECORDED("RecordingFinished", "11.000"));
    snprintf(told, sizeof(told), "recorded %d", IVR_RECORDED_OK);
    assert_true(until(was_told, told));
}

static void who_takes_our_place_stops_us(void **state)
{
    (void)state;
    ari_peer_event(t.peer, "{\"type\":\"ApplicationReplaced\",\"application\":"
                           "\"furrow-0a1b2c3d-3\"}");
    assert_true(until(is_away, NULL));
    originate(0);
    assert_true(was_told("not_sent 0"));
    assert_int_equal(ari_peer_handshakes(t.peer), 1);
}

static bool has_left(const char *text)
{
    (void)text;
    return ari_peer_sockets(t.peer) == 0;
}

static void
once_replaced_it_does_not_come_back_and_follows_its_calls_by_asking(void **state)
{
    (void)state;
    assert_true(until(was_told, "ari;"));
    buf_free(&t.told);
    ari_peer_event(t.peer, "{\"type\":\"ApplicationReplaced\",\"application\":"
                           "\"furrow-0a1b2c3d-3\"}");
    assert_true(until(has_left, NULL));
    assert_true(until(was_told, "ari;"));
    buf_free(&t.told);
    assert_true(until(was_told, "ari;")); /* and again, without any socket */
    assert_int_equal(ari_peer_handshakes(t.peer), 1);
}

#define SINCE(second)                                                                    \
    "{\"status\":{\"startup_time\":\"2026-03-03T09:10:" second ".000+0300\"}}"

static void a_restart_of_the_switch_is_told_from_a_lost_connection(void **state)
{
    (void)state;
    ari_peer_cut(t.peer); /* what it said first may have been asked for already */
    t.since = SINCE("11");
    assert_true(until(is_away, NULL));
    assert_true(until(is_ready, NULL));
    assert_true(until(was_asked, "/asterisk/info"));
    buf_free(&t.asked);
    buf_free(&t.told);
    ari_peer_cut(t.peer);
    assert_true(until(was_asked, "/asterisk/info"));
    assert_true(until(was_told, "ari;"));
    trunk_ari.query(t.trunk, &t.attempt, on_queried); /* by then the answer is there */
    assert_true(until(was_told, "q_absent"));
    assert_false(was_told("restarted"));
    t.since = SINCE("59");
    ari_peer_cut(t.peer);
    assert_true(until(was_told, "restarted"));
}

static void events_of_calls_that_are_over_make_none(void **state)
{
    (void)state;
    ari_peer_event(t.peer, EVENT("StasisStart"));
    ari_peer_event(t.peer, "{\"type\":\"Dial\",\"dialstatus\":\"RINGING\",\"peer\":"
                           "{\"id\":\"" CHANNEL "\"}}");
    ari_peer_event(t.peer, "{\"type\":\"ChannelStateChange\",\"channel\":{\"id\":"
                           "\"" CHANNEL "\",\"state\":\"Up\"}}");
    /* Somebody who answers and is of nobody is hung up before long. */
    t.strange = "{\"channel_ids\":[\"" CHANNEL "\"]}";
    assert_true(until(was_asked, "DELETE /ari/channels/" CHANNEL));
    assert_int_equal(t.dialer.ari->call_count, 0);
    assert_false(was_told("answered"));
}

static void bridges_left_by_a_dead_dialer_are_taken_down_and_no_others(void **state)
{
#define BRIDGE(id, made, channels)                                                       \
    "{\"id\":\"" id "\",\"creationtime\":\"" made                                        \
    "T09:10:11.000+0300\",\"channels\":[" channels "]}"
    (void)state;
    t.bridges = "[" BRIDGE(CHANNEL "-br1", "2026-03-03", "") "," BRIDGE(
        CHANNEL "-br2", "2026-03-03",
        "\"17.4\"") "," BRIDGE("conference", "2026-03-03",
                               "") "," BRIDGE(CHANNEL "-br3", "2096-03-03", "") "]";
    ari_hang_up_strangers(t.dialer.ari, "furrow-0a1b2c3d-3");
    assert_true(until(was_asked, "DELETE /ari/bridges/" CHANNEL "-br1"));
    trunk_ari.query(t.trunk, &t.attempt, on_queried);
    assert_true(until(was_told, "q_absent"));
    const char *first = strstr(t.asked.data, "DELETE");
    assert_null(strstr(first + 1, "DELETE"));
}

static void channels_of_ours_that_nobody_knows_are_hung_up_and_no_others(void **state)
{
    (void)state;
    t.known = true;
    t.strange = "{\"channel_ids\":[\"" CHANNEL "\",\"17.4\","
                "\"fw0a1b2c3d-0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5c\","
                "\"fwffffffff-0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5c\"]}";
    ari_hang_up_strangers(t.dialer.ari, "furrow-0a1b2c3d-3");
    assert_true(until(was_asked, "DELETE /ari/channels/fw0a1b2c3d-0190a1b2-c3d4-7e5f-"
                                 "8a9b-0c1d2e3f4a5c"));
    trunk_ari.query(t.trunk, &t.attempt, on_queried);
    assert_true(until(was_told, "q_absent"));
    const char *first = strstr(t.asked.data, "DELETE");
    assert_null(strstr(first + 1, "DELETE"));
}

static void up(void *arg)
{
    (void)arg;
    note("up");
}

static void down(void *arg)
{
    (void)arg;
    note("down");
}

static void text(void *arg, const char *bytes, size_t len)
{
    (void)arg;
    (void)bytes;
    (void)len;
}

static void a_silent_socket_is_dead(void **state)
{
    static const struct ari_socket_ops ops = {up, down, text, NULL};
    const struct ari *a = t.dialer.ari;
    struct ari_socket *s = NULL;

    (void)state;
    ari_peer_deaf(t.peer);
    ari_socket_open(&s, a->library, &t.loop,
                    &(struct ari_socket_options){.host = "127.0.0.1",
                                                 .port = ari_peer_port(t.peer),
                                                 .path = "/ari/events?app=x",
                                                 .name = "x",
                                                 .user = "",
                                                 .secret = "",
                                                 .ping_s = 1,
                                                 .dead_s = 2,
                                                 .ops = &ops});
    assert_true(until(was_told, "up"));
    assert_true(until(was_told, "down"));
    assert_true(ari_peer_pings(t.peer) > 0);
    ari_socket_close(s);
}

#define ari_test(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
#define spoken_test(f)                                                                   \
    {                                                                                    \
#f "_(spoken)", f, set_up_spoken, tear_down, NULL                                \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        ari_test(an_origination_says_what_it_must),
        ari_test(a_permit_that_is_too_old_sends_nothing),
        ari_test(an_answer_that_is_lost_is_unknown_and_never_sent_again),
        ari_test(a_duplicate_that_lives_is_ours_and_one_that_does_not_is_unknown),
        ari_test(refusals_are_told_apart),
        ari_test(events_before_the_answer_are_told),
        ari_test(who_goes_at_once_was_up_all_the_same),
        ari_test(a_cut_socket_stops_originations_and_is_made_again_with_a_resync),
        ari_test(a_switch_that_does_not_come_back_is_lost),
        ari_test(a_door_that_is_shut_at_once_is_knocked_at_again),
        ari_test(a_door_that_is_shut_in_the_handshake_is_knocked_at_again),
        ari_test(an_open_line_takes_one_call_after_the_other),
        ari_test(an_open_line_that_did_not_come_back_is_put_there_again),
        ari_test(an_open_line_is_found_again_and_ends_with_its_phone),
        ari_test(a_playback_whose_end_was_missed_is_found_after_a_cut),
        ari_test(a_recording_is_as_long_as_the_switch_says_however_late_its_events),
        ari_test(a_recording_whose_start_was_missed_is_kept),
        ari_test(who_takes_our_place_stops_us),
        ari_test(once_replaced_it_does_not_come_back_and_follows_its_calls_by_asking),
        ari_test(a_restart_of_the_switch_is_told_from_a_lost_connection),
        ari_test(events_of_calls_that_are_over_make_none),
        ari_test(bridges_left_by_a_dead_dialer_are_taken_down_and_no_others),
        ari_test(channels_of_ours_that_nobody_knows_are_hung_up_and_no_others),
        ari_test(a_silent_socket_is_dead),
        ari_test(an_asterisk_that_takes_none_is_asked_by_http),
        spoken_test(requests_of_a_call_go_over_the_socket_where_asterisk_takes_them),
        spoken_test(what_had_not_left_when_the_socket_was_lost_was_not_sent),
        spoken_test(an_origination_that_could_not_leave_in_time_never_does),
        spoken_test(a_request_over_the_socket_that_is_not_answered_is_the_last),
        spoken_test(what_the_socket_is_behind_with_goes_by_http),
        spoken_test(after_a_duplicate_originations_leave_the_socket),
        spoken_test(an_origination_says_what_it_must),
        spoken_test(a_permit_that_is_too_old_sends_nothing),
        spoken_test(an_answer_that_is_lost_is_unknown_and_never_sent_again),
        spoken_test(a_duplicate_that_lives_is_ours_and_one_that_does_not_is_unknown),
        spoken_test(refusals_are_told_apart),
        spoken_test(events_before_the_answer_are_told),
        spoken_test(a_cut_socket_stops_originations_and_is_made_again_with_a_resync),
        spoken_test(a_playback_whose_end_was_missed_is_found_after_a_cut),
        spoken_test(a_recording_is_as_long_as_the_switch_says_however_late_its_events),
        spoken_test(who_takes_our_place_stops_us),
        spoken_test(once_replaced_it_does_not_come_back_and_follows_its_calls_by_asking),
    };

    log_set_level(LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
