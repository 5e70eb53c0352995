/*
 * The back ends: the same effect lists rendered by each, compared with
 * tests/data/ivr/backends/<back end>/<case>.json; messages parsed; every allocation
 * failed in turn. FURROW_REGOLD=1 writes the files anew (read the difference then).
 */
#include "unit/cm.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/attrs.h"
#include "ivr/backend.h"

#define CHANNEL "fw0a1b2c3d-0190b3f2-7c1e-7d4a-8000-000000000001"

#define SAY(words, language, barge)                                                      \
    {                                                                                    \
        .kind = IVR_FX_PROMPT, .prompt = {                                               \
            .asset = "",                                                                 \
            .text = (words),                                                             \
            .lang = (language),                                                          \
            .voice = "",                                                                 \
            .bargeable = (barge)                                                         \
        }                                                                                \
    }
#define HANGUP(why)                                                                      \
    {                                                                                    \
        .kind = IVR_FX_HANGUP, .hangup = {.reason = (why), .outcome = "completed" }      \
    }

static const struct ivr_effect menu[] = {
    SAY("This call is recorded.", "en", false),
    SAY("For English press 1.", "en", true),
    SAY("ለአማርኛ 2 ይጫኑ።", "am", true),
    {.kind = IVR_FX_COLLECT,
     .collect = {.min = 1,
                 .max = 1,
                 .own_max = 1,
                 .finish = "#",
                 .first_ms = 5000,
                 .inter_ms = 2000}},
};
static const struct ivr_effect record[] = {
    {.kind = IVR_FX_LANG, .lang = {.tag = "om"}},
    {.kind = IVR_FX_PROMPT,
     .prompt =
         {.asset = "ab12", .text = "", .lang = "om", .voice = "", .bargeable = true}},
    {.kind = IVR_FX_RECORD,
     .record = {.max_ms = 119500,
                .silence_ms = 5000,
                .finish = IVR_FINISH_ANY,
                .beep = true,
                .purpose = "record",
                .pipeline = "command",
                .on_done_sms = "",
                .node = "speak",
                .step = 4}},
};
static const struct ivr_effect voicemail[] = {
    {.kind = IVR_FX_RECORD,
     .record = {.max_ms = 30000,
                .finish = IVR_FINISH_HASH,
                .purpose = "voicemail",
                .pipeline = "none",
                .on_done_sms = "",
                .node = "vm",
                .step = 2}},
};
static const struct ivr_effect rows_and_hangup[] = {
    {.kind = IVR_FX_OPT_OUT, .opt_out = {.scope = "campaign"}},
    {.kind = IVR_FX_SMS,
     .sms = {.to = "+251911234567", .lang = "en", .text = "You will not be called."}},
    {.kind = IVR_FX_CALLBACK,
     .callback = {.at_ms = 1790000000000, .to = "+251911234567", .flow = ""}},
    SAY("Goodbye & thank you.", "en", true),
    HANGUP("normal"),
};
static const struct ivr_effect busy[] = {HANGUP("busy")};
static const struct ivr_effect transfer[] = {
    SAY("One moment.", "en", false),
    {.kind = IVR_FX_DIAL,
     .dial = {.to = "ext:2001", .from = "", .ring_ms = 20000, .max_ms = 600000}},
};
static const struct ivr_effect queue[] = {
    {.kind = IVR_FX_ENQUEUE,
     .enqueue = {.queue = "helpers", .max_wait_ms = 60000, .exit_key = '*'}},
};
static const struct ivr_header headers[] = {{"Authorization", "Bearer {secret:PRICES}"}};
static const struct ivr_effect api[] = {
    {.kind = IVR_FX_HTTP,
     .http = {.method = "GET",
              .url = "https://prices.example/coffee?grade=A",
              .headers = headers,
              .header_count = 1,
              .timeout_ms = 5000}},
};
static const struct ivr_effect gone_waiting[] = {
    SAY("Before.", "en", true),
    SAY("NO MEDIA", "en", true),
    SAY("After.", "en", true),
    {.kind = IVR_FX_COLLECT, .collect = {.min = 1, .max = 1, .own_max = 1, .finish = ""}},
};
static const struct ivr_effect gone_ended[] = {
    SAY("NO MEDIA", "en", true),
    SAY("After.", "en", true),
    HANGUP("error"),
};

static const struct effects_case {
    const char *name;
    const struct ivr_effect *effects;
    size_t n;
    enum ivr_status status;
} cases[] = {
    {"menu", menu, ARRAY_LEN(menu), IVR_WAITING},
    {"record", record, ARRAY_LEN(record), IVR_WAITING},
    {"voicemail", voicemail, ARRAY_LEN(voicemail), IVR_WAITING},
    {"rows_and_hangup", rows_and_hangup, ARRAY_LEN(rows_and_hangup), IVR_ENDED},
    {"busy", busy, ARRAY_LEN(busy), IVR_ENDED},
    {"transfer", transfer, ARRAY_LEN(transfer), IVR_WAITING},
    {"queue", queue, ARRAY_LEN(queue), IVR_WAITING},
    {"api", api, ARRAY_LEN(api), IVR_WAITING},
    {"media_gone", gone_waiting, ARRAY_LEN(gone_waiting), IVR_WAITING},
    {"media_gone_at_the_end", gone_ended, ARRAY_LEN(gone_ended), IVR_ENDED},
    {"nothing", NULL, 0, IVR_ENDED},
};

static int media(const struct ivr_prompt *p, char *uri, size_t size, void *arg)
{
    (void)arg;
    if (strcmp(p->text, "NO MEDIA") == 0)
        return ENOENT;
    if (p->asset[0] != '\0')
        snprintf(uri, size, "sound:prompts/%s", p->asset);
    else
        snprintf(uri, size, "sound:prompts/%s %zu", p->lang, strlen(p->text));
    return 0;
}

static const struct ivr_call_ctx ctx = {
    .channel = CHANNEL, .format = "wav16", .media = media};

static int render(const struct ivr_backend *b, const struct effects_case *c,
                  const struct ivr_call_ctx *with, struct ivr_arena *arena,
                  struct ivr_rendered *out)
{
    const struct ivr_state state = {.seq = 4, .status = c->status};
    const struct ivr_out step = {
        .verdict = IVR_OK, .state = &state, .effects = c->effects, .effect_count = c->n};

    return b->render(&step, with, arena, out);
}

static const char *kind_name(enum ivr_command_kind kind)
{
    static const char *const names[] = {
        "play",    "media_gone", "collect",   "record", "dial",
        "enqueue", "http",       "moh_start", "row",    "hangup",
    };

    return names[kind];
}

static json_t *command_json(const struct effects_case *c, const struct ivr_command *cmd)
{
    json_t *o = json_pack("{s:s}", "command", kind_name(cmd->kind));

    if (cmd->effect)
        json_object_set_new(o, "effect", json_integer(cmd->effect - c->effects));
    if (cmd->kind == IVR_CMD_PLAY) {
        json_t *list = json_array();
        for (size_t i = 0; i < cmd->media_count; i++)
            json_array_append_new(list, json_string(cmd->media[i]));
        json_object_set_new(o, "media", list);
        json_object_set_new(o, "bargeable", json_boolean(cmd->bargeable));
    }
    if (cmd->method[0] != '\0')
        json_object_set_new(o, "method", json_string(cmd->method));
    if (cmd->request[0] != '\0')
        json_object_set_new(o, "request", json_string(cmd->request));
    if (cmd->line[0] != '\0')
        json_object_set_new(o, "line", json_string(cmd->line));
    return o;
}

static void compare(const struct ivr_backend *b, const struct effects_case *c)
{
    struct ivr_arena *arena;
    struct ivr_rendered out;
    json_t *commands = json_array();
    char path[512];

    assert_int_equal(ivr_arena_new(&arena, NULL), 0);
    assert_int_equal(render(b, c, &ctx, arena, &out), 0);
    assert_null(out.document);
    for (size_t i = 0; i < out.n; i++)
        json_array_append_new(commands, command_json(c, &out.commands[i]));
    snprintf(path, sizeof(path), SOURCE_DIR "/tests/data/ivr/backends/%s/%s.json",
             b->name, c->name);
    if (getenv("FURROW_REGOLD"))
        assert_int_equal(json_dump_file(commands, path, JSON_INDENT(2)), 0);
    json_t *golden = json_load_file(path, 0, NULL);
    if (!json_equal(commands, golden)) {
        char *text = json_dumps(commands, JSON_INDENT(2));
        print_error("%s: rendered\n%s\n", path, text);
        free(text);
        fail();
    }
    json_decref(golden);
    json_decref(commands);
    ivr_arena_free(arena);
}

static void each_back_end_renders_the_same_effects_as_its_golden_files(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        compare(ivr_backend_find("ari"), &cases[i]);
        compare(ivr_backend_find("sim"), &cases[i]);
    }
}

static void a_back_end_without_a_name_of_its_own_is_not_found(void **state)
{
    (void)state;
    assert_string_equal(ivr_backend_find("ari")->name, "ari");
    assert_string_equal(ivr_backend_find("sim")->name, "sim");
    assert_null(ivr_backend_find("twiml"));
    assert_null(ivr_backend_find(NULL));
}

static void the_simulator_needs_no_media(void **state)
{
    struct ivr_arena *arena;
    struct ivr_rendered out;

    (void)state;
    assert_int_equal(ivr_arena_new(&arena, NULL), 0);
    assert_int_equal(render(ivr_backend_find("sim"), &cases[0],
                            &(struct ivr_call_ctx){.channel = "c"}, arena, &out),
                     0);
    assert_string_equal(out.commands[0].media[0], "say:en:This call is recorded.");
    assert_int_equal(out.commands[1].media_count, 2);
    ivr_arena_free(arena);
}

/* ---- parsing ---- */

static struct ivr_parsed parse(const char *backend, const char *text,
                               enum ivr_wait_kind wait, struct ivr_arena *arena)
{
    const struct ivr_state waiting = {.seq = 9, .wait = {.kind = wait}};
    struct ivr_parsed p;

    assert_int_equal(
        ivr_backend_find(backend)->parse(text, strlen(text), &waiting, arena, &p), 0);
    return p;
}

static void asterisks_events_become_inputs(void **state)
{
    struct ivr_arena *a;
    struct ivr_parsed p;

    (void)state;
    assert_int_equal(ivr_arena_new(&a, NULL), 0);
    p = parse("ari", "{\"type\":\"ChannelDtmfReceived\",\"digit\":\"#\"}", IVR_WAIT_KEYS,
              a);
    assert_int_equal(p.kind, IVR_PARSED_KEY);
    assert_int_equal(p.key, '#');
    p = parse("ari", "{\"type\":\"PlaybackFinished\",\"playback\":{\"state\":\"done\"}}",
              IVR_WAIT_KEYS, a);
    assert_int_equal(p.kind, IVR_PARSED_NOTHING);
    p = parse("ari",
              "{\"type\":\"PlaybackFinished\",\"playback\":{\"state\":\"failed\"}}",
              IVR_WAIT_KEYS, a);
    assert_int_equal(p.input.kind, IVR_IN_MEDIA_FAILED);
    assert_int_equal(p.input.token, 9);
    p = parse("ari",
              "{\"type\":\"RecordingFinished\",\"recording\":{\"name\":\"c-4\","
              "\"duration\":7,\"talking_duration\":3}}",
              IVR_WAIT_RECORDING, a);
    assert_int_equal(p.input.kind, IVR_IN_RECORDED);
    assert_int_equal(p.input.recorded.result, IVR_RECORDED_OK);
    assert_int_equal(p.input.recorded.duration_ms, 7000);
    assert_string_equal(p.input.recorded.ref, "c-4");
    p = parse("ari",
              "{\"type\":\"RecordingFinished\",\"recording\":{\"name\":\"c-4\","
              "\"duration\":5,\"talking_duration\":0}}",
              IVR_WAIT_RECORDING, a);
    assert_int_equal(p.input.recorded.result, IVR_RECORDED_EMPTY);
    p = parse("ari",
              "{\"type\":\"RecordingFailed\",\"recording\":{\"name\":\"c-4\","
              "\"cause\":\"disk\"}}",
              IVR_WAIT_RECORDING, a);
    assert_int_equal(p.input.recorded.result, IVR_RECORDED_FAILED);
    assert_string_equal(p.input.recorded.reason, "disk");
    p = parse("ari", "{\"type\":\"Dial\",\"dialstatus\":\"BUSY\"}", IVR_WAIT_DIAL, a);
    assert_int_equal(p.input.kind, IVR_IN_DIAL_ENDED);
    assert_int_equal(p.input.dialled.result, IVR_DIALLED_BUSY);
    p = parse("ari", "{\"type\":\"Dial\",\"dialstatus\":\"BUSY\"}", IVR_WAIT_KEYS, a);
    assert_int_equal(p.kind, IVR_PARSED_NOTHING);
    p = parse("ari", "{\"type\":\"ChannelDestroyed\",\"cause\":17}", IVR_WAIT_KEYS, a);
    assert_int_equal(p.input.kind, IVR_IN_HANGUP);
    assert_int_equal(p.input.hangup.cause, 17);
    p = parse("ari", "{\"type\":\"NewInTheNextVersion\"}", IVR_WAIT_KEYS, a);
    assert_int_equal(p.kind, IVR_PARSED_NOTHING);
    ivr_arena_free(a);
}

static void typed_lines_become_keys_and_inputs(void **state)
{
    struct ivr_arena *a;
    struct ivr_parsed p;

    (void)state;
    assert_int_equal(ivr_arena_new(&a, NULL), 0);
    p = parse("sim", "5\n", IVR_WAIT_KEYS, a);
    assert_int_equal(p.kind, IVR_PARSED_KEY);
    assert_int_equal(p.key, '5');
    p = parse("sim", "0042#\n", IVR_WAIT_KEYS, a);
    assert_int_equal(p.input.kind, IVR_IN_DIGITS);
    assert_string_equal(p.input.keys.digits, "0042");
    assert_int_equal(p.input.keys.finish, '#');
    p = parse("sim", "\n", IVR_WAIT_KEYS, a);
    assert_int_equal(p.input.kind, IVR_IN_NO_INPUT);
    p = parse("sim", "spoke 12", IVR_WAIT_RECORDING, a);
    assert_int_equal(p.input.recorded.result, IVR_RECORDED_OK);
    assert_int_equal(p.input.recorded.duration_ms, 12000);
    p = parse("sim", "silent", IVR_WAIT_RECORDING, a);
    assert_int_equal(p.input.recorded.result, IVR_RECORDED_EMPTY);
    p = parse("sim", "busy", IVR_WAIT_DIAL, a);
    assert_int_equal(p.input.dialled.result, IVR_DIALLED_BUSY);
    p = parse("sim", "full", IVR_WAIT_QUEUE, a);
    assert_int_equal(p.input.left.result, IVR_LEFT_FULL);
    p = parse("sim", "http 200 {\"price\": 7}", IVR_WAIT_HTTP, a);
    assert_int_equal(p.input.http.status, 200);
    assert_string_equal(p.input.http.body, "{\"price\": 7}");
    p = parse("sim", "http timeout", IVR_WAIT_HTTP, a);
    assert_int_equal(p.input.http.result, IVR_HTTP_TIMEOUT);
    p = parse("sim", "hangup", IVR_WAIT_KEYS, a);
    assert_int_equal(p.input.kind, IVR_IN_HANGUP);
    assert_int_equal(p.input.token, 9);
    ivr_arena_free(a);
}

static void what_is_no_message_is_refused(void **state)
{
    static const char *const bad[][2] = {
        {"ari", ""},
        {"ari", "{\"type\":"},
        {"ari", "[1]"},
        {"ari", "{\"typ\":\"StasisEnd\"}"},
        {"ari", "{\"type\":\"ChannelDtmfReceived\",\"digit\":\"12\"}"},
        {"ari", "{\"type\":\"ChannelDestroyed\",\"cause\":-4}"},
        {"ari", "{\"type\":\"RecordingFinished\"}"},
        {"sim", "dance"},
        {"sim", "spoke twelve"},
        {"sim", "spoke -1"},
        {"sim", "hangup now"},
        {"sim", "http ok"},
        {"sim", "12345678901234567890123456789012345678901234567890123456789012345"},
    };
    struct ivr_arena *a;
    struct ivr_parsed p;

    (void)state;
    assert_int_equal(ivr_arena_new(&a, NULL), 0);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        if (ivr_backend_find(bad[i][0])->parse(bad[i][1], strlen(bad[i][1]), NULL, a,
                                               &p) != EBADMSG)
            fail_msg("%s takes '%s'", bad[i][0], bad[i][1]);
    ivr_arena_free(a);
}

/* ---- memory ---- */

struct failing {
    int left, live;
};

static void *failing_alloc(void *arg, size_t size)
{
    struct failing *f = arg;

    if (f->left-- <= 0)
        return NULL;
    f->live++;
    return malloc(size);
}

static void failing_free(void *arg, void *p)
{
    ((struct failing *)arg)->live--;
    free(p);
}

/* The first n allocations succeed; true when that was enough. */
static bool render_with(const struct ivr_backend *b, const struct effects_case *c, int n)
{
    struct failing f = {.left = n};
    struct ivr_arena *arena = NULL;
    struct ivr_rendered out;
    int err =
        ivr_arena_new(&arena, &(struct ivr_allocator){failing_alloc, failing_free, &f});

    /* Blocks are large: much text makes the arena ask again and again. */
    static char text[8000];
    memset(text, ' ', sizeof(text) - 1);
    struct ivr_effect many[] = {SAY(text, "en", true), SAY(text, "en", false),
                                HANGUP("normal")};
    const struct effects_case large = {"large", many, ARRAY_LEN(many), IVR_ENDED};
    if (!err)
        err = render(b, c, &ctx, arena, &out);
    if (!err)
        err = render(b, &large, &(struct ivr_call_ctx){.channel = text}, arena, &out);
    ivr_arena_free(arena);
    assert_int_equal(f.live, 0);
    assert_true(err == 0 || err == ENOMEM);
    return err == 0;
}

static void running_out_of_memory_is_told_and_leaks_nothing(void **state)
{
    static const char *const names[] = {"ari", "sim"};

    (void)state;
    for (size_t b = 0; b < ARRAY_LEN(names); b++)
        for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
            int n = 0;
            while (!render_with(ivr_backend_find(names[b]), &cases[i], n))
                assert_true(++n < 1000);
            assert_true(n > 2);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_back_end_renders_the_same_effects_as_its_golden_files),
        cmocka_unit_test(a_back_end_without_a_name_of_its_own_is_not_found),
        cmocka_unit_test(the_simulator_needs_no_media),
        cmocka_unit_test(asterisks_events_become_inputs),
        cmocka_unit_test(typed_lines_become_keys_and_inputs),
        cmocka_unit_test(what_is_no_message_is_refused),
        cmocka_unit_test(running_out_of_memory_is_told_and_leaks_nothing),
    };

    return cmocka_run_group_tests_name("ivr_backends", tests, NULL, NULL);
}
