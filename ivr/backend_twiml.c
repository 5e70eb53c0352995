/*
 * The twiml back end: documents for Twilio. Every attribute is written, because Twilio's
 * own values differ from ours and from other providers'. What a document leads to is read
 * in backend_twiml_read.c.
 */
#include "ivr/backend_twiml.h"

#include <errno.h>
#include <string.h>

enum {
    DOCUMENT_MAX = 64 * 1024,
    SPEECH_MAX = 4000, /* Twilio takes 4096 characters in one Say */
    GATHER_S_MAX = 600,
    SPEECH_END_S = 2, /* of silence, after words */
    RECORD_S_MAX = 14400,
    RING_S_MAX = 600,
    TALK_S_MAX = 14400,
    CONFIRM_S = 15,
    HOLD_S = 5,
};

/* The first of a language is its usual voice. Of Afaan Oromo and Swahili Twilio has none.
 */
static const struct voice voices[] = {
    {"en", "en-US", "Polly.Joanna"},
    {"en-US", "en-US", "Polly.Joanna"},
    {"en-GB", "en-GB", "Polly.Amy"},
    {"en-AU", "en-AU", "Polly.Nicole"},
    {"en-IN", "en-IN", "Polly.Raveena"},
    {"am", "am-ET", "Google.am-ET-Standard-A"},
    {"am-ET", "am-ET", "Google.am-ET-Standard-A"},
    {"ar", "arb", "Polly.Zeina"},
    {"de", "de-DE", "Polly.Marlene"},
    {"es", "es-ES", "Polly.Lucia"},
    {"es-ES", "es-ES", "Polly.Lucia"},
    {"es-MX", "es-MX", "Polly.Mia"},
    {"fr", "fr-FR", "Polly.Lea"},
    {"fr-FR", "fr-FR", "Polly.Lea"},
    {"fr-CA", "fr-CA", "Polly.Chantal"},
    {"hi", "hi-IN", "Polly.Aditi"},
    {"it", "it-IT", "Polly.Bianca"},
    {"nl", "nl-NL", "Polly.Lotte"},
    {"pl", "pl-PL", "Polly.Ewa"},
    {"pt", "pt-PT", "Polly.Ines"},
    {"pt-BR", "pt-BR", "Polly.Camila"},
    {"ru", "ru-RU", "Polly.Tatyana"},
    {"sv", "sv-SE", "Polly.Astrid"},
    {"tr", "tr-TR", "Polly.Filiz"},
    {"zh", "cmn-CN", "Polly.Zhiyu"},
    {NULL, NULL, NULL},
};
static const char *const languages[] = {
    "en", "en-US", "en-GB", "en-AU", "en-IN", "am",    "am-ET", "ar", "de",
    "es", "es-ES", "es-MX", "fr",    "fr-FR", "fr-CA", "hi",    "it", "nl",
    "pl", "pt",    "pt-BR", "ru",    "sv",    "tr",    "zh",    NULL,
};

static bool is_voice(const char *voice)
{
    return strncmp(voice, "Polly.", 6) == 0 || strncmp(voice, "Google.", 7) == 0;
}

static void silence(struct doc *d, long seconds)
{
    xml_open(&d->x, "Pause");
    xml_attr_number(&d->x, "length", seconds);
    xml_close(&d->x);
}

struct gather {
    const char *action;
    long keys, timeout_s;
    char finish; /* 0 none */
    bool if_empty;
    const char *hears; /* language of words; NULL, "": keys only */
};

static void open_gather(struct doc *d, const struct gather *g)
{
    xml_open(&d->x, "Gather");
    bool words = g->hears && *g->hears;
    xml_attr(&d->x, "input", words ? "dtmf speech" : "dtmf");
    doc_callback(d, "action", "method", g->action);
    xml_attr_number(&d->x, "numDigits", g->keys);
    xml_attr(&d->x, "finishOnKey", (const char[]){g->finish, '\0'});
    xml_attr_number(&d->x, "timeout", g->timeout_s);
    xml_attr(&d->x, "actionOnEmptyResult", g->if_empty ? "true" : "false");
    xml_attr(&d->x, "bargeIn", "true");
    if (!words)
        return;
    xml_attr(&d->x, "language", g->hears);
    xml_attr_number(&d->x, "speechTimeout", SPEECH_END_S);
    xml_attr(&d->x, "profanityFilter", "false");
}

/* One timeout for the first key and between two: the longer of ours, where there can be
 * a second key at all, so that nobody is cut off. */
static void collect(struct doc *d, const struct ivr_collect *c, const struct heard *list,
                    size_t n)
{
    int64_t wait_ms = c->max > 1 && c->inter_ms > c->first_ms ? c->inter_ms : c->first_ms;
    const struct gather g = {.action = doc_keys_url(d),
                             .keys = c->max > 0 ? c->max : 1,
                             .timeout_s = doc_seconds(wait_ms, 1, GATHER_S_MAX),
                             .finish = doc_finish(c),
                             .if_empty = true,
                             .hears = c->hears};

    open_gather(d, &g);
    for (size_t i = 0; i < n; i++)
        doc_hear(d, &list[i]);
    xml_close(&d->x);
}

static void record(struct doc *d, const struct ivr_record *r)
{
    long max_s = doc_seconds(r->max_ms, 1, RECORD_S_MAX);

    xml_open(&d->x, "Record");
    doc_callback(d, "action", "method",
                 d->ctx->record_url
                     ? d->ctx->record_url
                     : doc_url(d, "recorded-%lu-%ld", (unsigned long)r->step, max_s));
    doc_record_bounds(d, r, max_s, "");
    xml_attr(&d->x, "trim", "do-not-trim");
    xml_attr(&d->x, "transcribe", "false");
    doc_callback(d, "recordingStatusCallback", "recordingStatusCallbackMethod",
                 d->ctx->record_status_url
                     ? d->ctx->record_status_url
                     : doc_url(d, "recording-%lu", (unsigned long)r->step));
    xml_attr(&d->x, "recordingStatusCallbackEvent", "completed absent");
    xml_close(&d->x);
}

static void open_dial(struct doc *d, const char *from, long ring_s, long talk_s,
                      bool recorded)
{
    xml_attr_number(&d->x, "timeout", ring_s);
    xml_attr_number(&d->x, "timeLimit", talk_s);
    if (*from)
        xml_attr(&d->x, "callerId", from);
    xml_attr(&d->x, "hangupOnStar", "false");
    xml_attr(&d->x, "answerOnBridge", "true");
    xml_attr(&d->x, "record", recorded ? "record-from-answer" : "do-not-record");
    xml_attr(&d->x, "trim", "do-not-trim");
    xml_attr(&d->x, "sequential", "false");
}

static void dial(struct doc *d, const struct ivr_effect *fx)
{
    const char *to = doc_address(d, fx->dial.to);
    const char *from = doc_from(d, fx);

    xml_open(&d->x, "Dial");
    doc_callback(d, "action", "method", doc_url(d, "dialled"));
    open_dial(d, from, doc_seconds(fx->dial.ring_ms, 5, RING_S_MAX),
              doc_seconds(fx->dial.max_ms, 1, TALK_S_MAX), fx->dial.record);
    if (fx->dial.record) {
        doc_callback(d, "recordingStatusCallback", "recordingStatusCallbackMethod",
                     doc_url(d, "talk_recording"));
        xml_attr(&d->x, "recordingStatusCallbackEvent", "completed absent");
    }
    xml_open(&d->x, strncmp(to, "sip:", 4) == 0 ? "Sip" : "Number");
    if (fx->dial.confirm_key)
        doc_callback(d, "url", "method",
                     doc_url(d, "confirm-%c", wait_key(fx->dial.confirm_key)));
    xml_text(&d->x, to);
    xml_close(&d->x);
    xml_close(&d->x);
}

static void hold(struct doc *d, const struct hold *h)
{
    const struct gather g = {.action = hold_url(d, h), .keys = 1, .timeout_s = 1};

    if (h->key)
        open_gather(d, &g);
    doc_music(d, HOLD_S);
    if (h->key)
        xml_close(&d->x);
}

/* What is asked for when the agent's phone is taken tells that they talk. */
static void ring(struct doc *d, const char *to, const char *url)
{
    xml_open(&d->x, "Dial");
    doc_callback(d, "action", "method", url);
    open_dial(d, d->ctx->caller_id ? d->ctx->caller_id : "", AGENT_RING_S, AGENT_TALK_S,
              false);
    xml_open(&d->x, strncmp(to, "sip:", 4) == 0 ? "Sip" : "Number");
    doc_callback(d, "url", "method", doc_url(d, "agent-%c", wait_key(d->ctx->agent_key)));
    xml_text(&d->x, to);
    xml_close(&d->x);
    xml_close(&d->x);
}

static void hangup(struct doc *d, const char *reason, bool refuse)
{
    xml_open(&d->x, refuse ? "Reject" : "Hangup");
    if (refuse)
        doc_refusal(d, reason);
    xml_close(&d->x);
}

const struct doc_words twiml_words = {
    .document_max = DOCUMENT_MAX,
    .speech_max = SPEECH_MAX,
    .limits = {.one_timeout = true},
    .voices = voices,
    .is_voice = is_voice,
    .speech = "Say",
    .pause = silence,
    .collect = collect,
    .record = record,
    .dial = dial,
    .hold = hold,
    .ring = ring,
    .hangup = hangup,
    .recording_url = "RecordingUrl",
    .recording_id = "RecordingSid",
};

static int render(const struct ivr_out *step, const struct ivr_call_ctx *ctx,
                  struct ivr_arena *arena, struct ivr_rendered *out)
{
    return doc_render(&twiml_words, step, ctx, arena, out);
}

/* ---- documents of their own ---- */

void twiml_confirm(struct doc *d, const char *then, char key)
{
    const struct gather g = {.action = doc_url(d, "%s-%c", then, wait_key(key)),
                             .keys = 1,
                             .timeout_s = CONFIRM_S,
                             .if_empty = true};

    open_gather(d, &g);
    doc_press(d, &voices[0], key);
    xml_close(&d->x);
    hangup(d, "normal", false);
}

#define APOLOGY(language, voice, words)                                                  \
    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Response><Say language=\"" language    \
    "\" voice=\"" voice "\" loop=\"1\">" words "</Say>\n<Hangup/>\n</Response>\n"

static const char *apology(const char *lang)
{
    static const char *const list[][2] = {
        {"en", APOLOGY("en-US", "Polly.Joanna",
                       "We are sorry, something went wrong. Please call again later. "
                       "Goodbye.")},
        {"am", APOLOGY("am-ET", "Google.am-ET-Standard-A",
                       "ይቅርታ፣ ችግር አጋጥሟል። እባክዎ ቆይተው እንደገና ይደውሉ። ደህና ይሁኑ።")},
        {"fr", APOLOGY("fr-FR", "Polly.Lea",
                       "Nous sommes désolés, une erreur est survenue. Veuillez rappeler "
                       "plus tard. Au revoir.")},
        {"es", APOLOGY("es-ES", "Polly.Lucia",
                       "Lo sentimos, algo ha fallado. Vuelva a llamar más tarde, por "
                       "favor. Adiós.")},
    };

    return doc_apology(list, ARRAY_LEN(list), lang);
}

static int farewell(const char *url, struct ivr_arena *arena, const char **document)
{
    return doc_farewell(&twiml_words, url, arena, document);
}

static const struct ivr_document_ops ops = {
    .provider = "Twilio",
    .voices = languages,
    .request = twiml_request,
    .apology = apology,
    .farewell = farewell,
    .words = &twiml_words,
};

const struct ivr_backend backend_twiml = {
    .name = "twiml", .caps = IVR_CAP_ALL, .render = render, .document = &ops};
