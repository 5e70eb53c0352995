/*
 * A provider's request back to an input. Nothing in it is trusted: not that a field is
 * there, not its length, not that a number is one, not that the request belongs to the
 * wait it names. Whether a token is late is the engine's to judge.
 */
#include <errno.h>
#include <string.h>

#include "ivr/document_parts.h"

enum { SECONDS_MAX = 86400 };

/* ---- wait words ---- */

/* Digits up to `end`; -1: none, or too many. */
static int64_t number(const char *text, const char *end)
{
    int64_t v = 0;

    if (text == end || end - text > 12)
        return -1;
    for (; text < end; text++) {
        if (*text < '0' || *text > '9')
            return -1;
        v = v * 10 + (*text - '0');
    }
    return v;
}

static bool take_key(const char *text, char *key)
{
    if (*text >= '0' && *text <= '9')
        *key = *text;
    else if (*text == 's')
        *key = '*';
    else if (*text == 'h')
        *key = '#';
    else if (*text == 'n')
        *key = '\0';
    else
        return false;
    return text[1] == '\0';
}

/* The last argument may be a key's letter; one digit alone is both. */
int wait_word_parse(const char *text, struct wait_word *out)
{
    size_t len = strnlen(text, IVR_WAIT_WORD_MAX + 1), name = 0, n = 0;

    *out = (struct wait_word){0};
    if (len == 0 || len > IVR_WAIT_WORD_MAX)
        return EBADMSG;
    name = strspn(text, "abcdefghijklmnopqrstuvwxyz_");
    if (name == 0 || name >= sizeof(out->name) || (text[name] && text[name] != '-'))
        return EBADMSG;
    memcpy(out->name, text, name);
    for (const char *at = text + name; *at == '-';) {
        const char *end = at + 1 + strcspn(at + 1, "-");
        at++;
        int64_t v = number(at, end);
        bool key = *end == '\0' && take_key(at, &out->key);
        if (v < 0 && !key)
            return EBADMSG;
        if (v >= 0 && n < ARRAY_LEN(out->n))
            out->n[n++] = v;
        else if (!key)
            return EBADMSG;
        at = end;
    }
    return 0;
}

struct hold hold_of_word(const struct wait_word *w)
{
    return (struct hold){w->n[0], w->n[1], w->n[2], w->n[3], w->n[4], w->key};
}

/* ---- fields ---- */

const char *reading_field(const struct reading *r, const char *name)
{
    for (size_t i = 0; i < r->req->n; i++) {
        const struct ivr_field *f = &r->req->fields[i];
        if (strcmp(f->name, name) == 0)
            return strnlen(f->value, IVR_FIELD_MAX + 1) > IVR_FIELD_MAX ? NULL : f->value;
    }
    return "";
}

int reading_seconds(const struct reading *r, const char *name, int64_t *ms)
{
    const char *text = reading_field(r, name);

    *ms = 0;
    if (!text)
        return EBADMSG;
    if (!*text)
        return 0;
    const char *dot = text + strcspn(text, ".");
    int64_t s = number(text, dot);
    if (s < 0 || s > SECONDS_MAX ||
        (*dot && strspn(dot + 1, "0123456789") != strlen(dot + 1)))
        return EBADMSG;
    *ms = s * 1000;
    for (int64_t i = 1, unit = 100; *dot && dot[i] && unit > 0; i++, unit /= 10)
        *ms += (dot[i] - '0') * unit;
    return 0;
}

struct ivr_input *reading_input(struct reading *r, enum ivr_input_kind kind)
{
    r->out->kind = IVR_PARSED_INPUT;
    r->out->input = (struct ivr_input){.kind = kind, .token = r->token};
    return &r->out->input;
}

int reading_keys_or_words(struct reading *r, const char *digits, const char *words)
{
    if (!words)
        return EBADMSG;
    if (!digits || *digits || !*words)
        return reading_keys(r, digits);
    const char *kept = arena_text(r->arena, words);
    if (!kept)
        return ENOMEM;
    reading_input(r, IVR_IN_SAID)->said.text = kept;
    return 0;
}

int reading_keys(struct reading *r, const char *digits)
{
    if (!digits || strlen(digits) > IVR_DIGITS_MAX ||
        strspn(digits, "0123456789*#") != strlen(digits))
        return EBADMSG;
    if (!*digits) {
        reading_input(r, IVR_IN_NO_INPUT);
        return 0;
    }
    const char *kept = arena_text(r->arena, digits);
    if (!kept)
        return ENOMEM;
    reading_input(r, IVR_IN_DIGITS)->keys.digits = kept;
    return 0;
}

static bool is_queued(const struct reading *r)
{
    return r->state->status == IVR_WAITING && r->state->wait.kind == IVR_WAIT_QUEUE;
}

static int keep(struct reading *r, const char *field, const char **out)
{
    const char *text = reading_field(r, field);

    if (!text)
        return EBADMSG;
    if (!*text)
        return 0;
    *out = arena_text(r->arena, text);
    return *out ? 0 : ENOMEM;
}

int reading_recording(struct reading *r)
{
    int err = keep(r, r->words->recording_url, &r->out->recording_url);

    return err ? err : keep(r, r->words->recording_id, &r->out->recording_id);
}

static const char *why_recorded(const char *digits, int64_t ms, int64_t max_s)
{
    if (strcmp(digits, "hangup") == 0)
        return "hangup";
    if (*digits)
        return "key";
    return max_s > 0 && ms >= max_s * 1000 ? "max" : "silence";
}

/* Of a "recorded-STEP-MAX" word; digits: the key that ended it, or "hangup". */
static int recorded(struct reading *r, const char *digits, int64_t ms)
{
    if (!digits)
        return EBADMSG;
    const char *ref =
        arena_printf(r->arena, "%s-%lld", r->call->channel ? r->call->channel : "",
                     (long long)r->word.n[0]);
    if (!ref)
        return ENOMEM;
    struct ivr_input *in = reading_input(r, IVR_IN_RECORDED);
    in->recorded.result = ms > 0 ? IVR_RECORDED_OK : IVR_RECORDED_EMPTY;
    if (!r->out->recording_url)
        in->recorded.result = IVR_RECORDED_FAILED;
    in->recorded.ref = ref;
    in->recorded.duration_ms = ms;
    in->recorded.reason = why_recorded(digits, ms, r->word.n[1]);
    return 0;
}

int reading_recorded_aside(struct reading *r, int64_t ms)
{
    int err = recorded(r, "", ms);

    r->out->kind = IVR_PARSED_NOTHING;
    return err;
}

int reading_status(struct reading *r, const struct meaning *ends)
{
    const char *status = reading_field(r, "CallStatus");
    const struct meaning *end = status ? meaning_of(ends, status) : NULL;

    if (!status || !*status)
        return EBADMSG;
    if (end)
        reading_input(r, IVR_IN_HANGUP)->hangup.cause = end->cause;
    return 0;
}

const struct meaning *meaning_of(const struct meaning *list, const char *word)
{
    for (; list->word; list++)
        if (strcmp(list->word, word) == 0)
            return list;
    return NULL;
}

/* ---- what every provider's documents lead to ---- */

static int read_no_input(struct reading *r)
{
    reading_input(r, IVR_IN_NO_INPUT);
    return 0;
}

static int read_recorded(struct reading *r)
{
    int64_t ms = 0;

    int err = reading_seconds(r, "RecordingDuration", &ms);
    if (!err)
        err = reading_recording(r);
    return err ? err : recorded(r, reading_field(r, "Digits"), ms);
}

static int read_silent(struct reading *r)
{
    struct ivr_input *in = reading_input(r, IVR_IN_RECORDED);

    in->recorded.result = IVR_RECORDED_EMPTY;
    in->recorded.reason = "silence";
    return 0;
}

static int read_undialled(struct reading *r)
{
    reading_input(r, IVR_IN_DIAL_ENDED)->dialled.result = IVR_DIALLED_FAILED;
    return 0;
}

static int read_media_gone(struct reading *r)
{
    reading_input(r, IVR_IN_MEDIA_FAILED);
    return 0;
}

/* The answer of the flow's own request is not there yet: wait on. Else the state has
 * moved, and the host renders what came of it. */
static int read_http(struct reading *r)
{
    struct doc d;

    if (r->state->status != IVR_WAITING || r->state->wait.kind != IVR_WAIT_HTTP ||
        r->state->seq != r->token)
        return 0;
    int err = doc_begin(&d, r->words, r->call, r->token, r->arena);
    if (err)
        return err;
    doc_music(&d, 2);
    doc_redirect(&d, doc_url(&d, "http-%lld", (long long)r->word.n[0] + 1));
    r->out->kind = IVR_PARSED_DOCUMENT;
    return doc_end(&d, &r->out->document);
}

/* ---- queues ---- */

static int queue_left(struct reading *r, enum ivr_left result, int64_t waited_ms)
{
    struct ivr_input *in = reading_input(r, IVR_IN_QUEUE_LEFT);

    in->left.result = result;
    in->left.waited_ms = waited_ms > 0 ? waited_ms : 0;
    return 0;
}

static int wait_on(struct reading *r, struct hold h)
{
    struct doc d;

    h.count++;
    int err = doc_begin(&d, r->words, r->call, r->state->seq, r->arena);
    if (err)
        return err;
    doc_wait(&d, &h);
    r->out->kind = IVR_PARSED_DOCUMENT;
    return doc_end(&d, &r->out->document);
}

/* Each announcement was a step: it is still the same wait. */
static bool is_this_wait(struct reading *r)
{
    if (!is_queued(r) || r->token > r->state->seq)
        return false;
    r->out->queued_at_ms = r->word.n[0] * 1000;
    return true;
}

static int read_hold(struct reading *r)
{
    struct hold h = hold_of_word(&r->word);
    int64_t now_s = r->call->document->now_ms / 1000, waited_s = now_s - h.since_s;
    const char *digits = reading_field(r, "Digits");
    bool told = r->token != r->state->seq; /* what it would announce has been said */

    if (!digits)
        return EBADMSG;
    if (!is_this_wait(r))
        return 0;
    r->token = r->state->seq;
    if (h.key && digits[0] == h.key && !digits[1])
        return queue_left(r, IVR_LEFT_BY_KEY, waited_s * 1000);
    if (waited_s >= h.max_s)
        return queue_left(r, IVR_LEFT_TIMEOUT, waited_s * 1000);
    if (h.announce_s > 0 && now_s >= h.next_s && !r->call->document->agent) {
        if (!told) {
            reading_input(r, IVR_IN_QUEUE_NEWS);
            return 0;
        }
        h.next_s = now_s + h.announce_s;
    }
    return wait_on(r, h);
}

int reading_rung(struct reading *r, int (*read)(struct reading *r))
{
    struct hold h = hold_of_word(&r->word);

    if (!is_this_wait(r))
        return 0;
    r->token = r->state->seq;
    int err = read(r);
    if (err && err != EBADMSG) /* it says nothing: nobody talked */
        return err;
    int64_t talked_ms = err ? 0 : r->out->input.dialled.talked_ms;
    bool served = !err && r->out->input.dialled.result == IVR_DIALLED_COMPLETED;
    if (served)
        return queue_left(r, IVR_LEFT_SERVED,
                          r->call->document->now_ms - h.since_s * 1000 - talked_ms);
    r->out->agent = IVR_AGENT_NO_ANSWER;
    return wait_on(r, h);
}

int reading_aside(struct reading *r, struct doc *d)
{
    r->out->kind = IVR_PARSED_DOCUMENT;
    r->out->aside = true;
    return doc_begin(d, r->words, r->call, r->token, r->arena);
}

/* Token and word; limits. EBADMSG. */
static int begin(struct reading *r, const struct doc_words *words,
                 const struct ivr_request *req, const struct ivr_call_ctx *call,
                 const struct ivr_state *state, struct ivr_arena *arena,
                 struct ivr_parsed *out)
{
    size_t len = strnlen(req->token, 11);
    int64_t token = len < 11 ? number(req->token, req->token + len) : -1;

    *out = (struct ivr_parsed){.kind = IVR_PARSED_NOTHING};
    if (!call->document || !call->document->action_prefix)
        return EINVAL;
    if (token < 0 || token > UINT32_MAX || req->n > IVR_FIELDS_MAX)
        return EBADMSG;
    *r = (struct reading){.words = words,
                          .req = req,
                          .call = call,
                          .state = state,
                          .arena = arena,
                          .token = (uint32_t)token,
                          .out = out};
    return wait_word_parse(req->wait, &r->word);
}

int reading_run(const struct doc_words *words, const struct reader *list,
                const struct ivr_request *req, const struct ivr_call_ctx *call,
                const struct ivr_state *state, struct ivr_arena *arena,
                struct ivr_parsed *out)
{
    static const struct reader common[] = {
        {"no_input", read_no_input},
        {"silent", read_silent},
        {"undialled", read_undialled},
        {"recorded", read_recorded},
        {"media_gone", read_media_gone},
        {"http", read_http},
        {"hold", read_hold},
    };
    struct reading r;

    int err = begin(&r, words, req, call, state, arena, out);
    if (err)
        return err;
    for (size_t i = 0; i < ARRAY_LEN(common); i++)
        if (strcmp(common[i].word, r.word.name) == 0)
            return common[i].read(&r);
    for (; list->word; list++)
        if (strcmp(list->word, r.word.name) == 0)
            return list->read(&r);
    return EBADMSG;
}
