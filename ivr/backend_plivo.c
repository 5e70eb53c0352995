/*
 * The plivo back end: documents for Plivo. Every attribute is written. Attempts and what
 * is a valid entry stay in the engine: one attempt of Plivo's, any key.
 * What a document leads to is read in backend_plivo_read.c.
 */
#include "ivr/backend_plivo.h"

#include <errno.h>
#include <string.h>

enum {
    DOCUMENT_MAX = 100 * 1000,
    SPEECH_MAX = 3000, /* characters in one Speak */
    INPUT_S_MIN = 5,
    INPUT_S_MAX = 60,
    KEY_S_MIN = 2,
    KEY_S_MAX = 10,
    SPEECH_END_S = 2, /* of silence, after words */
    KEYS_MAX = 32,
    RECORD_S_MAX = 86400,
    RING_S_MAX = 600,
    TALK_S_MAX = 14400,
    CONFIRM_S = 15,
    HOLD_S = 5,
};

/* Plivo's own voices; there are none of African languages. */
static const struct voice voices[] = {
    {"en", "en-US", "WOMAN"},    {"en-US", "en-US", "WOMAN"}, {"en-GB", "en-GB", "WOMAN"},
    {"en-AU", "en-AU", "WOMAN"}, {"da", "da-DK", "WOMAN"},    {"de", "de-DE", "WOMAN"},
    {"es", "es-ES", "WOMAN"},    {"es-ES", "es-ES", "WOMAN"}, {"es-US", "es-US", "WOMAN"},
    {"fr", "fr-FR", "WOMAN"},    {"fr-FR", "fr-FR", "WOMAN"}, {"fr-CA", "fr-CA", "WOMAN"},
    {"it", "it-IT", "WOMAN"},    {"nl", "nl-NL", "WOMAN"},    {"pl", "pl-PL", "WOMAN"},
    {"pt", "pt-PT", "WOMAN"},    {"pt-BR", "pt-BR", "WOMAN"}, {"ru", "ru-RU", "WOMAN"},
    {"sv", "sv-SE", "WOMAN"},    {NULL, NULL, NULL},
};
static const char *const languages[] = {
    "en",    "en-US", "en-GB", "en-AU", "da", "de", "es",    "es-ES", "es-US", "fr",
    "fr-FR", "fr-CA", "it",    "nl",    "pl", "pt", "pt-BR", "ru",    "sv",    NULL,
};

static bool is_voice(const char *voice)
{
    return strcmp(voice, "WOMAN") == 0 || strcmp(voice, "MAN") == 0 ||
           strncmp(voice, "Polly.", 6) == 0;
}

static void silence(struct doc *d, long seconds)
{
    xml_open(&d->x, "Wait");
    xml_attr_number(&d->x, "length", seconds);
    xml_attr(&d->x, "silence", "false");
    xml_attr(&d->x, "beep", "false");
    xml_close(&d->x);
}

static void action(struct doc *d, const char *url)
{
    doc_callback(d, "action", "method", url);
    xml_attr(&d->x, "redirect", "true");
}

struct get_input {
    const char *action;
    long keys, whole_s, key_s;
    char finish; /* 0 none */
    bool secret;
    const char *hears; /* language of words; NULL, "": keys only */
};

static void open_input(struct doc *d, const struct get_input *g)
{
    xml_open(&d->x, "GetInput");
    action(d, g->action);
    bool words = g->hears && *g->hears;
    xml_attr(&d->x, "inputType", words ? "dtmf speech" : "dtmf");
    xml_attr_number(&d->x, "executionTimeout", g->whole_s);
    xml_attr_number(&d->x, "digitEndTimeout", g->key_s);
    xml_attr(&d->x, "retries", "1");
    xml_attr_number(&d->x, "numDigits", g->keys);
    xml_attr(&d->x, "finishOnKey", g->finish ? (const char[]){g->finish, '\0'} : "none");
    xml_attr(&d->x, "log", g->secret ? "false" : "true");
    if (!words)
        return;
    xml_attr(&d->x, "language", g->hears);
    xml_attr(&d->x, "speechModel", "default");
    xml_attr_number(&d->x, "speechEndTimeout", SPEECH_END_S);
    xml_attr(&d->x, "profanityFilter", "false");
}

/* executionTimeout bounds the whole entry, not the first key alone. */
static void collect(struct doc *d, const struct ivr_collect *c, const struct heard *list,
                    size_t n)
{
    long keys = c->max < KEYS_MAX ? c->max : KEYS_MAX;
    int64_t more_ms = keys > 1 ? (keys - 1) * c->inter_ms : 0;
    const struct get_input g = {
        .action = doc_keys_url(d),
        .keys = keys > 0 ? keys : 1,
        .whole_s = doc_seconds(c->first_ms + more_ms, INPUT_S_MIN, INPUT_S_MAX),
        .key_s = doc_seconds(c->inter_ms, KEY_S_MIN, KEY_S_MAX),
        .finish = doc_finish(c),
        .secret = c->sensitive,
        .hears = c->hears};

    open_input(d, &g);
    for (size_t i = 0; i < n; i++)
        doc_hear(d, &list[i]);
    xml_close(&d->x);
}

static const char *file_format(const struct doc *d)
{
    const char *format = d->call->format;

    return format && strcmp(format, "mp3") == 0 ? "mp3" : "wav";
}

static void record(struct doc *d, const struct ivr_record *r)
{
    long max_s = doc_seconds(r->max_ms, 1, RECORD_S_MAX);

    xml_open(&d->x, "Record");
    action(d, doc_url(d, "recorded-%lu-%ld", (unsigned long)r->step, max_s));
    doc_record_bounds(d, r, max_s, "none");
    xml_attr(&d->x, "fileFormat", file_format(d));
    xml_attr(&d->x, "recordSession", "false");
    xml_attr(&d->x, "startOnDialAnswer", "false");
    xml_attr(&d->x, "recordChannelType", "mono");
    doc_callback(d, "callbackUrl", "callbackMethod",
                 doc_url(d, "recording-%lu", (unsigned long)r->step));
    xml_close(&d->x);
}

/* The talk of the transfer that follows. */
static void record_talk(struct doc *d, long max_s)
{
    const char *url = doc_url(d, "talk_recording");

    xml_open(&d->x, "Record");
    doc_callback(d, "action", "method", url);
    xml_attr(&d->x, "redirect", "false");
    xml_attr_number(&d->x, "maxLength", max_s);
    xml_attr_number(&d->x, "timeout", max_s);
    xml_attr(&d->x, "finishOnKey", "none");
    xml_attr(&d->x, "playBeep", "false");
    xml_attr(&d->x, "fileFormat", file_format(d));
    xml_attr(&d->x, "recordSession", "false");
    xml_attr(&d->x, "startOnDialAnswer", "true");
    xml_attr(&d->x, "recordChannelType", "stereo");
    doc_callback(d, "callbackUrl", "callbackMethod", url);
    xml_close(&d->x);
}

static void ask_for_key(struct doc *d, char key)
{
    xml_attr(&d->x, "confirmSound", doc_url(d, "confirm-%c", wait_key(key)));
    xml_attr(&d->x, "confirmKey", (const char[]){key, '\0'});
    xml_attr_number(&d->x, "confirmTimeout", CONFIRM_S);
}

static void dial(struct doc *d, const struct ivr_effect *fx)
{
    const char *to = doc_address(d, fx->dial.to);
    const char *from = doc_from(d, fx);
    long talk_s = doc_seconds(fx->dial.max_ms, 1, TALK_S_MAX);

    if (fx->dial.record)
        record_talk(d, talk_s);
    xml_open(&d->x, "Dial");
    action(d, doc_url(d, "dialled"));
    xml_attr_number(&d->x, "timeout", doc_seconds(fx->dial.ring_ms, 5, RING_S_MAX));
    xml_attr_number(&d->x, "timeLimit", talk_s);
    if (*from)
        xml_attr(&d->x, "callerId", from);
    xml_attr(&d->x, "hangupOnStar", "false");
    xml_attr(&d->x, "dialMusic", "real");
    if (fx->dial.confirm_key)
        ask_for_key(d, fx->dial.confirm_key);
    doc_leaf(d, strncmp(to, "sip:", 4) == 0 ? "User" : "Number", to);
    xml_close(&d->x);
}

/* Silence cannot be nested: the wait for a key is that, too. */
static void hold(struct doc *d, const struct hold *h)
{
    const struct get_input g = {
        .action = hold_url(d, h), .keys = 1, .whole_s = INPUT_S_MIN, .key_s = KEY_S_MIN};

    if (!h->key) {
        doc_music(d, HOLD_S);
        return;
    }
    open_input(d, &g);
    if (d->ctx->hold_url && *d->ctx->hold_url)
        doc_play(d, d->ctx->hold_url);
    xml_close(&d->x);
}

static void ring(struct doc *d, const char *to, const char *url)
{
    xml_open(&d->x, "Dial");
    action(d, url);
    xml_attr_number(&d->x, "timeout", AGENT_RING_S);
    xml_attr_number(&d->x, "timeLimit", AGENT_TALK_S);
    if (d->ctx->caller_id && *d->ctx->caller_id)
        xml_attr(&d->x, "callerId", d->ctx->caller_id);
    xml_attr(&d->x, "hangupOnStar", "false");
    xml_attr(&d->x, "dialMusic", "real");
    if (d->ctx->agent_key)
        ask_for_key(d, d->ctx->agent_key);
    doc_callback(d, "callbackUrl", "callbackMethod",
                 doc_url(d, "agent-%c", wait_key(d->ctx->agent_key)));
    doc_leaf(d, strncmp(to, "sip:", 4) == 0 ? "User" : "Number", to);
    xml_close(&d->x);
}

static void hangup(struct doc *d, const char *reason, bool refuse)
{
    xml_open(&d->x, "Hangup");
    if (refuse)
        doc_refusal(d, reason);
    xml_close(&d->x);
}

const struct doc_words plivo_words = {
    .document_max = DOCUMENT_MAX,
    .speech_max = SPEECH_MAX,
    .limits = {.keys_max = KEYS_MAX,
               .entry_min_s = INPUT_S_MIN,
               .entry_max_s = INPUT_S_MAX,
               .key_min_s = KEY_S_MIN,
               .key_max_s = KEY_S_MAX},
    .voices = voices,
    .is_voice = is_voice,
    .speech = "Speak",
    .pause = silence,
    .collect = collect,
    .record = record,
    .dial = dial,
    .hold = hold,
    .ring = ring,
    .hangup = hangup,
    .recording_url = "RecordUrl",
    .recording_id = "RecordingID",
};

static int render(const struct ivr_out *step, const struct ivr_call_ctx *ctx,
                  struct ivr_arena *arena, struct ivr_rendered *out)
{
    return doc_render(&plivo_words, step, ctx, arena, out);
}

/* ---- documents of their own ---- */

void plivo_confirm(struct doc *d, char key)
{
    doc_press(d, &voices[0], key);
}

#define APOLOGY(language, words)                                                         \
    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Response><Speak language=\"" language  \
    "\" voice=\"WOMAN\" loop=\"1\">" words "</Speak>\n<Hangup/>\n</Response>\n"

static const char *apology(const char *lang)
{
    static const char *const list[][2] = {
        {"en",
         APOLOGY("en-US", "We are sorry, something went wrong. Please call again later. "
                          "Goodbye.")},
        {"fr", APOLOGY("fr-FR",
                       "Nous sommes désolés, une erreur est survenue. Veuillez rappeler "
                       "plus tard. Au revoir.")},
        {"es",
         APOLOGY("es-ES", "Lo sentimos, algo ha fallado. Vuelva a llamar más tarde, por "
                          "favor. Adiós.")},
    };

    return doc_apology(list, ARRAY_LEN(list), lang);
}

static int farewell(const char *url, struct ivr_arena *arena, const char **document)
{
    return doc_farewell(&plivo_words, url, arena, document);
}

static const struct ivr_document_ops ops = {
    .provider = "Plivo",
    .voices = languages,
    .request = plivo_request,
    .apology = apology,
    .farewell = farewell,
    .words = &plivo_words,
};

const struct ivr_backend backend_plivo = {
    .name = "plivo", .caps = IVR_CAP_ALL, .render = render, .document = &ops};
