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
#include "base/files.h"
#include "ivr/document.h"

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
static const struct ivr_effect transfer_confirmed[] = {
    {.kind = IVR_FX_DIAL,
     .dial = {.to = "+251911234567",
              .from = "+251112345678",
              .ring_ms = 30000,
              .max_ms = 3600000,
              .record = true,
              .confirm_key = '#'}},
};
static const struct ivr_effect words[] = {
    SAY("Say or key in your number.", "en", true),
    {.kind = IVR_FX_COLLECT,
     .collect = {.min = 6,
                 .max = 12,
                 .own_max = 12,
                 .finish = "#",
                 .first_ms = 20000,
                 .inter_ms = 4000,
                 .hears = "en-US"}},
};
static const struct ivr_effect entry[] = {
    SAY("Goodbye <to> \"all\" & 'more'.", "en", true),
    SAY("Key in your number.", "en", false),
    {.kind = IVR_FX_COLLECT,
     .collect = {.min = 3,
                 .max = 10,
                 .own_max = 10,
                 .finish = "#",
                 .first_ms = 4500,
                 .inter_ms = 6000}},
};
static const struct ivr_effect queue_announced[] = {
    SAY("You are number 3.", "en", false),
    {.kind = IVR_FX_ENQUEUE,
     .enqueue = {.queue = "helpers & co", .max_wait_ms = 300000, .announce_ms = 60000}},
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
/* No provider speaks Afaan Oromo. */
static const struct ivr_effect no_voice[] = {
    SAY("Before.", "en", true),
    SAY("Baga nagaan dhuftan.", "om", true),
    SAY("After.", "en", true),
    {.kind = IVR_FX_COLLECT,
     .collect = {.min = 4,
                 .max = 4,
                 .own_max = 4,
                 .finish = "",
                 .sensitive = true,
                 .first_ms = 1}},
};
static const struct ivr_effect no_voice_ended[] = {
    SAY("Nagaatti.", "om", true),
    SAY("Goodbye.", "en", true),
    HANGUP("normal"),
};
static const struct ivr_effect gone_ended[] = {
    SAY("NO MEDIA", "en", true),
    SAY("After.", "en", true),
    HANGUP("error"),
};

static const char *const document_backends[] = {"twiml", "plivo"};

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
    {"transfer_confirmed", transfer_confirmed, ARRAY_LEN(transfer_confirmed),
     IVR_WAITING},
    {"entry", entry, ARRAY_LEN(entry), IVR_WAITING},
    {"words", words, ARRAY_LEN(words), IVR_WAITING},
    {"queue_announced", queue_announced, ARRAY_LEN(queue_announced), IVR_WAITING},
    {"queue", queue, ARRAY_LEN(queue), IVR_WAITING},
    {"api", api, ARRAY_LEN(api), IVR_WAITING},
    {"media_gone", gone_waiting, ARRAY_LEN(gone_waiting), IVR_WAITING},
    {"media_gone_at_the_end", gone_ended, ARRAY_LEN(gone_ended), IVR_ENDED},
    {"no_voice", no_voice, ARRAY_LEN(no_voice), IVR_WAITING},
    {"no_voice_at_the_end", no_voice_ended, ARRAY_LEN(no_voice_ended), IVR_ENDED},
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

/* A provider fetches recorded prompts and speaks the others itself. */
static int recorded(const struct ivr_prompt *p, char *uri, size_t size, void *arg)
{
    (void)arg;
    if (p->asset[0] == '\0')
        return ENOENT;
    snprintf(uri, size, "https://voice.example/prompts/%s.wav", p->asset);
    return 0;
}

#define PREFIX "https://voice.example/hooks/7/voice/01a2"
static const struct ivr_document_ctx document = {
    .action_prefix = PREFIX,
    .hold_url = "https://voice.example/hold.wav",
    .caller_id = "+251111234567",
    .sip_domain = "pbx.example",
    .now_ms = 1790000000000,
};
static const struct ivr_call_ctx provider = {
    .channel = CHANNEL, .format = "wav", .media = recorded, .document = &document};

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
        "play", "media_gone", "collect",   "record", "dial",   "enqueue",
        "http", "data",       "moh_start", "row",    "hangup",
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

static void held_to(const char *backend, const char *name, const char *text)
{
    char path[512], *golden = NULL;
    size_t len = 0;

    snprintf(path, sizeof(path), SOURCE_DIR "/tests/data/ivr/backends/%s/%s.xml", backend,
             name);
    if (getenv("FURROW_REGOLD"))
        assert_int_equal(files_write_atomic(path, text, strlen(text)), 0);
    if (files_read(path, 1 << 20, &golden, &len) || strcmp(golden, text) != 0) {
        print_error("%s: rendered\n%s\n", path, text);
        fail();
    }
    free(golden);
}

static void compare_document(const struct ivr_backend *b, const struct effects_case *c)
{
    struct ivr_arena *arena;
    struct ivr_rendered out;

    assert_int_equal(ivr_arena_new(&arena, NULL), 0);
    assert_int_equal(render(b, c, &provider, arena, &out), 0);
    assert_int_equal(out.n, 0);
    held_to(b->name, c->name, out.document);
    ivr_arena_free(arena);
}

/* What no effect of a flow leads to. */
static void the_other_documents_are_as_their_golden_files(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(document_backends); i++) {
        const char *name = document_backends[i], *text = NULL;
        const struct ivr_document_ops *ops = ivr_backend_find(name)->document;
        struct ivr_arena *arena;
        assert_int_equal(ivr_arena_new(&arena, NULL), 0);
        assert_int_equal(ops->farewell("https://voice.example/a?b&c", arena, &text), 0);
        held_to(name, "farewell", text);
        held_to(name, "apology", ops->apology("en"));
        held_to(name, "apology_am", ops->apology("am"));
        held_to(name, "apology_fr", ops->apology("fr"));
        held_to(name, "apology_es", ops->apology("es"));
        ivr_arena_free(arena);
    }
}

/* The caller of a queue is put through in the document that would have let them wait. */
static void an_agent_who_takes_the_call_is_rung(void **state)
{
    static const struct ivr_effect wait[] = {
        {.kind = IVR_FX_ENQUEUE,
         .enqueue = {"helpers", 50, 300000, .exit_key = '*', .announce_ms = 60000}}};
    static const struct effects_case c = {"agent", wait, 1, IVR_WAITING};
    static const struct effects_case sure = {"agent_confirms", wait, 1, IVR_WAITING};
    struct ivr_document_ctx with = document;
    struct ivr_call_ctx call = provider;

    (void)state;
    call.document = &with;
    with.agent = "ext:2001";
    for (size_t i = 0; i < ARRAY_LEN(document_backends); i++) {
        const struct ivr_backend *b = ivr_backend_find(document_backends[i]);
        struct ivr_arena *arena;
        struct ivr_rendered out;
        assert_int_equal(ivr_arena_new(&arena, NULL), 0);
        with.agent_key = '\0';
        assert_int_equal(render(b, &c, &call, arena, &out), 0);
        held_to(b->name, c.name, out.document);
        with.agent_key = '1';
        assert_int_equal(render(b, &sure, &call, arena, &out), 0);
        held_to(b->name, sure.name, out.document);
        ivr_arena_free(arena);
    }
}

/* Before it is answered, a call that is only to be hung up is not answered at all. */
static void a_call_that_is_not_taken_is_refused(void **state)
{
    struct ivr_document_ctx waiting = document;
    struct ivr_call_ctx with = provider;

    (void)state;
    waiting.unanswered = true;
    with.document = &waiting;
    for (size_t i = 0; i < ARRAY_LEN(document_backends); i++) {
        const struct ivr_backend *b = ivr_backend_find(document_backends[i]);
        const struct effects_case refused = {"", busy, ARRAY_LEN(busy), IVR_ENDED};
        const struct effects_case heard = {"", rows_and_hangup,
                                           ARRAY_LEN(rows_and_hangup), IVR_ENDED};
        struct ivr_arena *arena;
        struct ivr_rendered out;
        assert_int_equal(ivr_arena_new(&arena, NULL), 0);
        assert_int_equal(render(b, &refused, &with, arena, &out), 0);
        assert_non_null(strstr(out.document, i == 0 ? "<Reject reason=\"busy\"/>"
                                                    : "<Hangup reason=\"busy\"/>"));
        assert_int_equal(render(b, &heard, &with, arena, &out), 0);
        assert_non_null(strstr(out.document, "<Hangup/>"));
        ivr_arena_free(arena);
    }
}

/* A wait in a queue goes on after an announcement, since when it began. */
static void an_announcement_does_not_lose_the_place(void **state)
{
    const struct effects_case c = {"", queue_announced, ARRAY_LEN(queue_announced),
                                   IVR_WAITING};
    struct ivr_document_ctx queued = document;
    struct ivr_call_ctx with = provider;
    struct ivr_arena *arena;
    struct ivr_rendered out;

    (void)state;
    queued.queued_at_ms = document.now_ms - 90000;
    with.document = &queued;
    assert_int_equal(ivr_arena_new(&arena, NULL), 0);
    assert_int_equal(render(ivr_backend_find("twiml"), &c, &with, arena, &out), 0);
    assert_non_null(strstr(out.document, "hold-1789999910-300-60-1790000060-0-n"));
    ivr_arena_free(arena);
}

/* A text of many times what one element holds, in one character of three bytes. */
static void long_texts_are_cut_between_characters(void **state)
{
    static char text[8000 * 3 + 1];
    const struct ivr_effect many[] = {SAY(text, "en", false), HANGUP("normal")};
    const struct effects_case c = {"", many, ARRAY_LEN(many), IVR_ENDED};
    struct ivr_arena *arena;
    struct ivr_rendered out;
    int spoken = 0;

    (void)state;
    for (size_t i = 0; i < sizeof(text) - 1; i += 3)
        memcpy(text + i, "ለ", 3);
    assert_int_equal(ivr_arena_new(&arena, NULL), 0);
    assert_int_equal(render(ivr_backend_find("plivo"), &c, &provider, arena, &out), 0);
    for (const char *p = out.document; (p = strstr(p, "<Speak")); p++)
        spoken++;
    assert_int_equal(spoken, 3); /* 3000 characters each */
    assert_null(strstr(out.document, "\xEF\xBF\xBD"));
    ivr_arena_free(arena);
}

static void more_than_a_provider_takes_is_no_document(void **state)
{
    static char text[70000];
    const struct ivr_effect many[] = {SAY(text, "en", false), HANGUP("normal")};
    const struct effects_case c = {"", many, ARRAY_LEN(many), IVR_ENDED};
    struct ivr_arena *arena;
    struct ivr_rendered out;

    (void)state;
    memset(text, 'a', sizeof(text) - 1);
    assert_int_equal(ivr_arena_new(&arena, NULL), 0);
    assert_int_equal(render(ivr_backend_find("twiml"), &c, &provider, arena, &out),
                     EMSGSIZE);
    assert_int_equal(render(ivr_backend_find("twiml"), &c, &ctx, arena, &out), EINVAL);
    ivr_arena_free(arena);
}

static void each_back_end_renders_the_same_effects_as_its_golden_files(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        compare(ivr_backend_find("ari"), &cases[i]);
        compare(ivr_backend_find("sim"), &cases[i]);
        for (size_t k = 0; k < ARRAY_LEN(document_backends); k++)
            compare_document(ivr_backend_find(document_backends[k]), &cases[i]);
    }
}

static void a_back_end_without_a_name_of_its_own_is_not_found(void **state)
{
    (void)state;
    assert_string_equal(ivr_backend_find("ari")->name, "ari");
    assert_string_equal(ivr_backend_find("sim")->name, "sim");
    assert_string_equal(ivr_backend_find("twiml")->name, "twiml");
    assert_string_equal(ivr_backend_find("plivo")->name, "plivo");
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
    p = parse("sim", "place 3 90", IVR_WAIT_QUEUE, a);
    assert_int_equal(p.input.kind, IVR_IN_QUEUE_NEWS);
    assert_int_equal(p.input.news.position, 3);
    assert_int_equal(p.input.news.wait_ms, 90000);
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
        err = render(b, c, b->document ? &provider : &ctx, arena, &out);
    if (!err)
        err = render(b, &large,
                     &(struct ivr_call_ctx){.channel = text, .document = &document},
                     arena, &out);
    ivr_arena_free(arena);
    assert_int_equal(f.live, 0);
    assert_true(err == 0 || err == ENOMEM);
    return err == 0;
}

static void running_out_of_memory_is_told_and_leaks_nothing(void **state)
{
    static const char *const names[] = {"ari", "sim", "twiml", "plivo"};

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
        cmocka_unit_test(the_other_documents_are_as_their_golden_files),
        cmocka_unit_test(an_agent_who_takes_the_call_is_rung),
        cmocka_unit_test(a_call_that_is_not_taken_is_refused),
        cmocka_unit_test(an_announcement_does_not_lose_the_place),
        cmocka_unit_test(long_texts_are_cut_between_characters),
        cmocka_unit_test(more_than_a_provider_takes_is_no_document),
        cmocka_unit_test(a_back_end_without_a_name_of_its_own_is_not_found),
        cmocka_unit_test(the_simulator_needs_no_media),
        cmocka_unit_test(asterisks_events_become_inputs),
        cmocka_unit_test(typed_lines_become_keys_and_inputs),
        cmocka_unit_test(what_is_no_message_is_refused),
        cmocka_unit_test(running_out_of_memory_is_told_and_leaks_nothing),
    };

    return cmocka_run_group_tests_name("ivr_backends", tests, NULL, NULL);
}
