#include "deploy/asr-local/service.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <jansson.h>
#include <microhttpd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "base/uuid.h"
#include "base/xalloc.h"

#include "deploy/asr-local/audio.h"

enum { CONNECTIONS_MAX = 64, IDLE_S = 60, FIELD_MAX = 128, POST_BUFFER = 64 * 1024 };

struct service {
    struct service_options o;
    struct MHD_Daemon *daemon;
};

/* One transcription request; made at its header, freed when the reply is out. */
struct transcription {
    struct MHD_PostProcessor *form;
    struct buf file;
    bool has_file, too_large, form_broken;
    size_t bytes;
    char id[UUID_TEXT_MAX];
    char model[FIELD_MAX], language[FIELD_MAX], format[FIELD_MAX];
};

struct hearing {
    struct recognized heard;
    double duration_s, offset_s; /* of the file; from the decoder's time to the file's */
};

struct failure {
    int status;
    const char *code, *param, *message;
};

enum refusal {
    REFUSE_TOO_LARGE,
    REFUSE_FORM,
    REFUSE_NO_FILE,
    REFUSE_LANGUAGE,
    REFUSE_FORMAT,
    REFUSE_UNREADABLE,
    REFUSE_RATE,
    REFUSE_TOO_LONG,
    REFUSE_DECODER,
};

/* The codes are the contract: a caller decides by them, never by the message. */
static const struct failure failures[] = {
    [REFUSE_TOO_LARGE] = {413, "file_too_large", "file",
                          "The request is larger than this service takes."},
    [REFUSE_FORM] = {400, "invalid_form", NULL,
                     "The body must be multipart/form-data with a part 'file'."},
    [REFUSE_NO_FILE] = {400, "missing_file", "file", "The part 'file' is missing."},
    [REFUSE_LANGUAGE] = {400, "unsupported_language", "language",
                         "This service understands English only."},
    [REFUSE_FORMAT] = {400, "unsupported_response_format", "response_format",
                       "response_format must be json, verbose_json or text."},
    [REFUSE_UNREADABLE] = {415, "unsupported_audio", "file",
                           "The file is no sound file this service can read."},
    [REFUSE_RATE] = {400, "unsupported_sample_rate", "file",
                     "The model needs audio of at least 16 kHz."},
    [REFUSE_TOO_LONG] = {413, "audio_too_long", "file",
                         "The recording is longer than this service takes."},
    [REFUSE_DECODER] = {500, "decoder_failed", NULL, "The recogniser failed; try again."},
};

/* --- replies ----------------------------------------------------------------------- */

static enum MHD_Result send_text(struct MHD_Connection *c, int status, const char *type,
                                 const char *id, const char *text)
{
    /* libmicrohttpd copies and does not write to the text it is given. */
    union {
        const char *read;
        void *any;
    } body = {.read = text};
    struct MHD_Response *r =
        MHD_create_response_from_buffer(strlen(text), body.any, MHD_RESPMEM_MUST_COPY);
    MHD_add_response_header(r, "Content-Type", type);
    if (id)
        MHD_add_response_header(r, "X-Request-Id", id);
    enum MHD_Result queued = MHD_queue_response(c, (unsigned)status, r);
    MHD_destroy_response(r);
    return queued;
}

static enum MHD_Result send_json(struct MHD_Connection *c, int status, const char *id,
                                 const json_t *o)
{
    CLEANUP(free_cleanup)
    char *text = json_dumps(o, JSON_COMPACT | JSON_REAL_PRECISION(6));

    return send_text(c, status, "application/json", id, text ? text : "{}");
}

static enum MHD_Result send_error(struct MHD_Connection *c, const char *id,
                                  const struct failure *f)
{
    json_auto_t *o =
        json_pack("{s:{s:s, s:s, s:s?, s:s?}}", "error", "message", f->message, "type",
                  f->status < 500 ? "invalid_request_error" : "server_error", "param",
                  f->param, "code", f->code);

    return send_json(c, f->status, id, o);
}

static json_t *words_json(const struct hearing *h)
{
    json_t *words = json_array();

    for (size_t i = 0; i < h->heard.word_count; i++) {
        const struct recognized_word *w = &h->heard.words[i];
        json_array_append_new(words, json_pack("{s:s, s:f, s:f}", "word", w->text,
                                               "start", w->start_s + h->offset_s, "end",
                                               w->end_s + h->offset_s));
    }
    return words;
}

static enum MHD_Result send_heard(struct MHD_Connection *c, const struct transcription *t,
                                  const struct hearing *h)
{
    if (str_is(t->format, "text"))
        return send_text(c, 200, "text/plain; charset=utf-8", t->id, h->heard.text);
    if (str_is(t->format, "json")) {
        json_auto_t *o = json_pack("{s:s}", "text", h->heard.text);
        return send_json(c, 200, t->id, o);
    }
    json_auto_t *o =
        json_pack("{s:s, s:s, s:f, s:s, s:[{s:i, s:f, s:f, s:s}], s:o}", "task",
                  "transcribe", "language", "english", "duration", h->duration_s, "text",
                  h->heard.text, "segments", "id", 0, "start", 0.0, "end", h->duration_s,
                  "text", h->heard.text, "words", words_json(h));
    return send_json(c, 200, t->id, o);
}

/* --- the form ------------------------------------------------------------------------
 */

static void keep_field(char field[FIELD_MAX], const char *data, uint64_t off, size_t size)
{
    if (off < FIELD_MAX - 1) {
        size_t room = FIELD_MAX - 1 - (size_t)off, n = size < room ? size : room;
        memcpy(field + off, data, n);
        field[off + n] = 0;
    }
}

static enum MHD_Result on_part(void *arg, enum MHD_ValueKind kind, const char *key,
                               const char *filename, const char *type,
                               const char *encoding, const char *data, uint64_t off,
                               size_t size)
{
    struct transcription *t = arg;

    (void)kind;
    (void)filename;
    (void)type;
    (void)encoding;
    if (str_is(key, "file")) {
        t->has_file = true;
        buf_add(&t->file, data, size);
    } else if (str_is(key, "model")) {
        keep_field(t->model, data, off, size);
    } else if (str_is(key, "language")) {
        keep_field(t->language, data, off, size);
    } else if (str_is(key, "response_format")) {
        keep_field(t->format, data, off, size);
    }
    return MHD_YES;
}

static struct transcription *transcription_new(struct MHD_Connection *c)
{
    struct transcription *t = xcalloc(1, sizeof(*t));

    struct uuid id = uuid_v7(clock_real_ms());
    uuid_text(&id, t->id);
    t->form = MHD_create_post_processor(c, POST_BUFFER, on_part, t);
    t->form_broken = !t->form;
    return t;
}

static void transcription_free(struct transcription *t)
{
    if (t->form)
        MHD_destroy_post_processor(t->form);
    buf_free(&t->file);
    free(t);
}

static void take_body(const struct service *s, struct transcription *t, const char *data,
                      size_t size)
{
    t->bytes += size;
    if (t->bytes > s->o.max_bytes)
        t->too_large = true;
    /* What is refused anyway is read to its end, or the client would never hear why. */
    if (t->too_large || t->form_broken)
        return;
    if (MHD_post_process(t->form, data, size) != MHD_YES)
        t->form_broken = true;
}

/* --- transcribing ----------------------------------------------------------------------
 */

static bool is_english(const char *language)
{
    return !*language || !strcasecmp(language, "en") ||
           !strcasecmp(language, "english") || !strncasecmp(language, "en-", 3);
}

static bool check_form(struct transcription *t, enum refusal *why)
{
    /* The last part is delivered only when the form is closed. */
    if (t->form && MHD_destroy_post_processor(t->form) != MHD_YES)
        t->form_broken = true;
    t->form = NULL;
    if (!*t->format)
        str_cut(t->format, sizeof(t->format), "json");

    const struct {
        bool refused;
        enum refusal why;
    } checks[] = {
        {t->too_large, REFUSE_TOO_LARGE},
        {t->form_broken, REFUSE_FORM},
        {!t->has_file, REFUSE_NO_FILE},
        {!is_english(t->language), REFUSE_LANGUAGE},
        {!str_is(t->format, "json") && !str_is(t->format, "verbose_json") &&
             !str_is(t->format, "text"),
         REFUSE_FORMAT},
    };
    for (size_t i = 0; i < ARRAY_LEN(checks); i++) {
        if (checks[i].refused) {
            *why = checks[i].why;
            return false;
        }
    }
    return true;
}

static bool listen_to(const struct service *s, const struct transcription *t,
                      struct hearing *h, enum refusal *why)
{
    static const enum refusal by_verdict[] = {
        [AUDIO_UNREADABLE] = REFUSE_UNREADABLE,
        [AUDIO_LOW_RATE] = REFUSE_RATE,
        [AUDIO_TOO_LONG] = REFUSE_TOO_LONG,
    };
    CLEANUP(audio_deinit) struct audio a = {0};
    enum audio_verdict verdict = audio_read(&a, t->file.data, t->file.len, s->o.max_s);

    h->duration_s = a.duration_s;
    h->offset_s = a.offset_s;
    if (verdict != AUDIO_OK) {
        *why = by_verdict[verdict];
        return false;
    }
    if (!a.samples) {
        h->heard.text = xstrdup("");
        return true;
    }
    *why = REFUSE_DECODER;
    return recognizer_listen(s->o.recognizer, a.samples, a.count, &h->heard) == 0;
}

static void hearing_cleanup(struct hearing *h)
{
    recognized_deinit(&h->heard);
}

static enum MHD_Result transcribe(const struct service *s, struct MHD_Connection *c,
                                  struct transcription *t)
{
    CLEANUP(hearing_cleanup) struct hearing h = {0};
    int64_t started_ms = mono_ms();
    enum refusal why = REFUSE_FORM;
    bool ok = check_form(t, &why) && listen_to(s, t, &h, &why);
    const struct failure *f = ok ? NULL : &failures[why];
    struct request_line line = {
        .id = t->id,
        .status = f ? f->status : 200,
        .ms = mono_ms() - started_ms,
        .bytes = t->bytes,
        .text = ok ? h.heard.text : NULL,
        .code = f ? f->code : NULL,
    };

    /* Logged before the reply: whoever has a reply finds its line. */
    request_log_write(s->o.log, &line);
    log_info("asr", "request id=%s status=%d ms=%" PRId64 " bytes=%zu code=%s", line.id,
             line.status, line.ms, line.bytes, f ? f->code : "-");
    return f ? send_error(c, t->id, f) : send_heard(c, t, &h);
}

/* --- routes ---------------------------------------------------------------------------
 */

static enum MHD_Result other_route(struct MHD_Connection *c, const char *url,
                                   const char *method)
{
    static const struct failure no_route = {404, "not_found", NULL, "No such path."};
    static const struct failure no_method = {405, "method_not_allowed", NULL,
                                             "This path takes another method."};

    if (str_is(url, "/healthz") && str_is(method, "GET"))
        return send_text(c, 200, "application/json", NULL, "{\"status\":\"ok\"}");
    if (str_is(url, "/healthz") || str_is(url, "/v1/audio/transcriptions"))
        return send_error(c, NULL, &no_method);
    return send_error(c, NULL, &no_route);
}

static enum MHD_Result on_request(void *arg, struct MHD_Connection *c, const char *url,
                                  const char *method, const char *version,
                                  const char *data, size_t *data_size, void **state)
{
    const struct service *s = arg;

    (void)version;
    if (!str_is(url, "/v1/audio/transcriptions") || !str_is(method, "POST")) {
        *data_size = 0;
        return other_route(c, url, method);
    }
    if (!*state) {
        *state = transcription_new(c);
        return MHD_YES;
    }
    if (*data_size > 0) {
        take_body(s, *state, data, *data_size);
        *data_size = 0;
        return MHD_YES;
    }
    return transcribe(s, c, *state);
}

static void on_completed(void *arg, struct MHD_Connection *c, void **state,
                         enum MHD_RequestTerminationCode why)
{
    (void)arg;
    (void)c;
    (void)why;
    if (*state)
        transcription_free(*state);
    *state = NULL;
}

int service_start(struct service **out, const struct service_options *o,
                  struct errtext *e)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)o->port)};

    if (inet_pton(AF_INET, o->address, &at.sin_addr) != 1)
        return errtext_set(e, EINVAL, 0, 0, "'%s' is no IPv4 address", o->address);
    struct service *s = xcalloc(1, sizeof(*s));
    s->o = *o;
    s->daemon = MHD_start_daemon(
        MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_THREAD_PER_CONNECTION | MHD_USE_POLL, 0,
        NULL, NULL, on_request, s, MHD_OPTION_SOCK_ADDR, (struct sockaddr *)&at,
        MHD_OPTION_NOTIFY_COMPLETED, on_completed, s, MHD_OPTION_CONNECTION_LIMIT,
        (unsigned)CONNECTIONS_MAX, MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_S,
        MHD_OPTION_END);
    if (!s->daemon) {
        int err = errno ? errno : EADDRINUSE;
        free(s);
        return errtext_set(e, err, 0, 0, "cannot listen on %s:%d: %s", o->address,
                           o->port, strerror(err));
    }
    *out = s;
    return 0;
}

int service_port(const struct service *s)
{
    const union MHD_DaemonInfo *info =
        MHD_get_daemon_info(s->daemon, MHD_DAEMON_INFO_BIND_PORT);

    return info ? info->port : 0;
}

void service_stop(struct service *s)
{
    if (!s)
        return;
    MHD_stop_daemon(s->daemon);
    free(s);
}
