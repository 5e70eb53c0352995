#include "ivr/document_parts.h"

#include <errno.h>
#include <string.h>

enum { URI_MAX = 4096, SILENCE_S = 2 };

static void fail(struct doc *d, int err)
{
    if (!d->x.g.err)
        d->x.g.err = err;
}

int doc_begin(struct doc *d, const struct doc_words *words,
              const struct ivr_call_ctx *call, uint32_t token, struct ivr_arena *arena)
{
    if (!call->document || !call->document->action_prefix)
        return EINVAL;
    *d = (struct doc){.words = words,
                      .call = call,
                      .ctx = call->document,
                      .arena = arena,
                      .token = token};
    xml_begin(&d->x, arena, words->document_max);
    xml_open(&d->x, "Response");
    return 0;
}

int doc_end(struct doc *d, const char **document)
{
    *document = xml_end(&d->x);
    return *document ? 0 : d->x.g.err;
}

const char *doc_url(struct doc *d, const char *format, ...)
{
    char word[IVR_WAIT_WORD_MAX + 1];
    va_list args;

    va_start(args, format);
    int n = vsnprintf(word, sizeof(word), format, args);
    va_end(args);
    if (n < 0 || (size_t)n >= sizeof(word)) {
        fail(d, EMSGSIZE);
        return "";
    }
    const char *url = arena_printf(d->arena, "%s/%lu/%s", d->ctx->action_prefix,
                                   (unsigned long)d->token, word);
    if (!url)
        fail(d, ENOMEM);
    return url ? url : "";
}

const char *doc_keys_url(struct doc *d)
{
    return d->ctx->keys_url ? d->ctx->keys_url : doc_url(d, "keys");
}

const char *doc_from(const struct doc *d, const struct ivr_effect *fx)
{
    if (fx->dial.from && *fx->dial.from)
        return fx->dial.from;
    return d->ctx->caller_id ? d->ctx->caller_id : "";
}

void doc_music(struct doc *d, long seconds)
{
    if (d->ctx->hold_url && *d->ctx->hold_url)
        doc_play(d, d->ctx->hold_url);
    else
        d->words->pause(d, seconds);
}

void doc_press(struct doc *d, const struct voice *v, char key)
{
    const char digit[] = {key, '\0'};
    const char *name = key == '*' ? "star" : key == '#' ? "hash" : digit;

    if (d->ctx->tone_url && *d->ctx->tone_url) {
        doc_play(d, d->ctx->tone_url);
        return;
    }
    const char *text = arena_printf(d->arena, "Press %s to take this call.", name);
    if (text)
        doc_hear(d, &(struct heard){.text = text, .tag = v->tag, .voice = v->voice});
    else
        fail(d, ENOMEM);
}

long doc_seconds(int64_t ms, long low, long high)
{
    int64_t s = ms > 0 ? (ms - 1) / 1000 + 1 : 0;

    if (s < low)
        return low;
    return s > high ? high : (long)s;
}

const char *doc_address(struct doc *d, const char *to)
{
    const char *sip = to;

    if (strncmp(to, "ext:", 4) == 0) {
        if (!d->ctx->sip_domain || !*d->ctx->sip_domain)
            return NULL;
        sip = arena_printf(d->arena, "sip:%s@%s", to + 4, d->ctx->sip_domain);
        if (!sip)
            fail(d, ENOMEM);
    }
    return sip ? sip : "";
}

const struct voice *doc_voice(const struct doc_words *words, const char *lang)
{
    for (const struct voice *v = words->voices; v->lang; v++)
        if (strcmp(v->lang, lang) == 0)
            return v;
    return NULL;
}

char doc_finish(const struct ivr_collect *c)
{
    return c->finish ? c->finish[0] : '\0';
}

/* ---- what is heard ---- */

/* Where a text of more characters than one element takes is best cut: after the last
 * space among them, or else between two characters. */
static size_t part(const char *text, size_t len, size_t characters)
{
    size_t at = 0, space = 0;

    for (size_t n = 0; at < len && n < characters; n++) {
        uint32_t c;
        at += xml_character(text + at, len - at, &c);
        if (c == ' ' || c == '\n')
            space = at;
    }
    return at < len && space > 0 ? space : at;
}

void doc_hear(struct doc *d, const struct heard *h)
{
    if (h->url) {
        doc_play(d, h->url);
        return;
    }
    size_t len = strlen(h->text);
    for (size_t at = 0, n; at < len && !d->x.g.err; at += n) {
        n = part(h->text + at, len - at, d->words->speech_max);
        doc_speak(d, h, h->text + at, n);
    }
}

/* ENOENT: it cannot be heard there. */
static int resolve(const struct doc *d, const struct ivr_prompt *p, struct heard *out)
{
    char url[URI_MAX] = "";
    bool recorded = p->asset && *p->asset;

    *out = (struct heard){.bargeable = p->bargeable};
    int err = d->call->media ? d->call->media(p, url, sizeof(url), d->call->arg) : ENOENT;
    if (!err) {
        out->url = arena_text(d->arena, url);
        return out->url ? 0 : ENOMEM;
    }
    const struct voice *v = recorded ? NULL : doc_voice(d->words, p->lang);
    if (err != ENOENT || !v)
        return err;
    out->text = p->text;
    out->tag = v->tag;
    out->voice =
        p->voice && *p->voice && d->words->is_voice(p->voice) ? p->voice : v->voice;
    return 0;
}

/* ---- the walk ---- */

static void end_with_redirect(struct doc *d, const char *url)
{
    doc_redirect(d, url);
    d->ended = true;
}

/* The prompts from *i on; then *i is the last of them, or the COLLECT they lead to. */
static int prompts(struct doc *d, const struct ivr_out *step, size_t *i)
{
    const struct ivr_effect *fx = step->effects;
    size_t from = *i, end = from, n = 0;
    bool waits = step->state->status != IVR_ENDED, gone = false;

    while (end < step->effect_count && fx[end].kind == IVR_FX_PROMPT)
        end++;
    struct heard *list = arena_alloc(d->arena, (end - from + 1) * sizeof(*list));
    if (!list)
        return ENOMEM;
    for (size_t k = from; k < end && !gone; k++) {
        int err = resolve(d, &fx[k].prompt, &list[n]);
        if (err && err != ENOENT)
            return err;
        n += !err;
        /* Nobody can take MEDIA_FAILED once the flow has ended: the rest still holds. */
        gone = err && waits;
    }
    bool asks = !gone && end < step->effect_count && fx[end].kind == IVR_FX_COLLECT;
    size_t nested = n;
    while (asks && nested > 0 && list[nested - 1].bargeable)
        nested--;
    for (size_t k = 0; k < nested; k++)
        doc_hear(d, &list[k]);
    if (gone)
        end_with_redirect(d, doc_url(d, "media_gone"));
    if (asks) {
        d->words->collect(d, &fx[end].collect, list + nested, n - nested);
        end_with_redirect(d, doc_url(d, "no_input"));
    }
    *i = asks ? end : end - 1;
    return 0;
}

static void hold_for_http(struct doc *d)
{
    doc_music(d, SILENCE_S);
    end_with_redirect(d, doc_url(d, "http-1"));
}

void doc_wait(struct doc *d, const struct hold *h)
{
    const char *agent = d->ctx->agent;
    const char *to = agent && *agent ? doc_address(d, agent) : NULL;

    if (!to) {
        d->words->hold(d, h);
        end_with_redirect(d, hold_url(d, h));
        return;
    }
    const char *rung =
        doc_url(d, "rung-%lld-%lld-%lld-%lld-%lld-%c", (long long)h->since_s,
                (long long)h->max_s, (long long)h->announce_s, (long long)h->next_s,
                (long long)h->count, wait_key(h->key));
    d->words->ring(d, to, rung);
    end_with_redirect(d, rung);
}

static void enqueue(struct doc *d, const struct ivr_effect *fx)
{
    struct hold h = hold_of_effect(d, fx);

    doc_wait(d, &h);
}

static void carry_out(struct doc *d, const struct ivr_effect *fx, bool heard)
{
    struct heard words;

    switch (fx->kind) {
    case IVR_FX_COLLECT:
        d->words->collect(d, &fx->collect, NULL, 0);
        end_with_redirect(d, doc_url(d, "no_input"));
        return;
    case IVR_FX_RECORD:
        if (d->ctx->record_pause_s > 0)
            d->words->pause(d, d->ctx->record_pause_s);
        d->words->record(d, &fx->record);
        if (d->ctx->unrecorded && resolve(d, d->ctx->unrecorded, &words) == 0)
            doc_hear(d, &words);
        end_with_redirect(d, doc_url(d, "silent-%lu", (unsigned long)fx->record.step));
        return;
    case IVR_FX_DIAL:
        if (doc_address(d, fx->dial.to))
            d->words->dial(d, fx);
        end_with_redirect(d, doc_url(d, "undialled"));
        return;
    case IVR_FX_ENQUEUE:
        enqueue(d, fx);
        return;
    case IVR_FX_HTTP:
        hold_for_http(d);
        return;
    case IVR_FX_HANGUP:
        d->words->hangup(d, fx->hangup.reason, d->ctx->unanswered && !heard);
        d->ended = true;
        return;
    case IVR_FX_DATA: /* answered before there is anything to render */
    case IVR_FX_PROMPT:
    case IVR_FX_SMS:
    case IVR_FX_SUBMIT:
    case IVR_FX_CALLBACK:
    case IVR_FX_OPT_OUT:
    case IVR_FX_LANG:
        return;
    }
}

int doc_render(const struct doc_words *words, const struct ivr_out *step,
               const struct ivr_call_ctx *call, struct ivr_arena *arena,
               struct ivr_rendered *out)
{
    const char *document = NULL;
    bool heard = false;
    struct doc d;

    int err = doc_begin(&d, words, call, step->state->seq, arena);
    for (size_t i = 0; i < step->effect_count && !err && !d.ended; i++) {
        if (step->effects[i].kind == IVR_FX_PROMPT) {
            err = prompts(&d, step, &i);
            heard = true;
        } else {
            carry_out(&d, &step->effects[i], heard);
        }
    }
    if (err)
        return err;
    if (!d.ended)
        words->hangup(&d, "normal", false);
    err = doc_end(&d, &document);
    if (!err)
        *out = (struct ivr_rendered){.document = document};
    return err;
}

/* ---- queues ---- */

struct hold hold_of_effect(const struct doc *d, const struct ivr_effect *fx)
{
    int64_t now_s = d->ctx->now_ms / 1000, every_s = fx->enqueue.announce_ms / 1000;
    int64_t since_s = d->ctx->queued_at_ms > 0 ? d->ctx->queued_at_ms / 1000 : now_s;

    return (struct hold){.since_s = since_s,
                         .max_s = doc_seconds(fx->enqueue.max_wait_ms, 1, 86400),
                         .announce_s = every_s,
                         .next_s = every_s > 0 ? now_s + every_s : 0,
                         .key = fx->enqueue.exit_key};
}

char wait_key(char key)
{
    if (key == '*')
        return 's';
    if (key == '#')
        return 'h';
    return (char)(key >= '0' && key <= '9' ? key : 'n');
}

const char *hold_url(struct doc *d, const struct hold *h)
{
    return doc_url(d, "hold-%lld-%lld-%lld-%lld-%lld-%c", (long long)h->since_s,
                   (long long)h->max_s, (long long)h->announce_s, (long long)h->next_s,
                   (long long)h->count, wait_key(h->key));
}

/* ---- apologies ---- */

int doc_farewell(const struct doc_words *words, const char *url, struct ivr_arena *arena,
                 const char **document)
{
    static const struct ivr_call_ctx nowhere = {0};
    struct doc d = {.words = words, .call = &nowhere, .arena = arena};

    xml_begin(&d.x, arena, words->document_max);
    xml_open(&d.x, "Response");
    doc_play(&d, url);
    words->hangup(&d, "error", false);
    return doc_end(&d, document);
}

const char *doc_apology(const char *const (*list)[2], size_t n, const char *lang)
{
    size_t plain = lang ? strcspn(lang, "-_") : 0;

    for (size_t i = 0; i < n; i++)
        if (strlen(list[i][0]) == plain && memcmp(list[i][0], lang, plain) == 0)
            return list[i][1];
    return list[0][1];
}
