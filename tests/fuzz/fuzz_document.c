/*
 * Documents for providers: whatever texts and addresses come in, what is written is XML
 * that a parser which is not ours takes, with the same text in it; and whatever a
 * provider's request says, it is read or refused, and its answer is XML too.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <expat.h>

#include "base/attrs.h"
#include "fuzz/fuzz.h"
#include "ivr/arena.h"
#include "ivr/document.h"
#include "ivr/xml.h"

enum { TEXT_MAX = 4096, FIELDS = 8, EFFECTS = 6 };

/* Bytes in the order in which they are asked for. */
struct input {
    const uint8_t *at;
    size_t left;
};

static unsigned byte(struct input *in)
{
    if (in->left == 0)
        return 0;
    in->left--;
    return *in->at++;
}

/* A text up to the next zero byte; never NULL. Lives in the arena. */
static const char *text(struct input *in, struct ivr_arena *arena)
{
    size_t n = 0;

    while (n < in->left && n < TEXT_MAX && in->at[n])
        n++;
    char *out = arena_alloc(arena, n + 1);
    if (!out)
        abort();
    memcpy(out, in->at, n);
    out[n] = '\0';
    in->at += n;
    in->left -= n;
    if (in->left) /* the zero */
        (void)byte(in);
    return out;
}

static void must_be_xml(const char *document)
{
    XML_Parser p = XML_ParserCreate("UTF-8");

    if (!p)
        abort();
    if (XML_Parse(p, document, (int)strlen(document), 1) != XML_STATUS_OK)
        abort();
    XML_ParserFree(p);
}

/* ---- the writer ---- */

static void write_xml(struct input *in, struct ivr_arena *arena)
{
    static const char *const names[] = {"A", "Response", "Say", "x", "1bad", ""};
    struct xml x;

    xml_begin(&x, arena, 200 + byte(in) * 40);
    for (int i = 0; i < 64 && in->left; i++) {
        unsigned op = byte(in);
        const char *name = names[byte(in) % ARRAY_LEN(names)];
        switch (op % 5) {
        case 0:
            xml_open(&x, name);
            break;
        case 1:
            xml_attr(&x, name, text(in, arena));
            break;
        case 2:
            xml_text(&x, text(in, arena));
            break;
        case 3:
            xml_close(&x);
            break;
        default:
            xml_attr_number(&x, name, (long)op * -3);
            break;
        }
    }
    const char *document = xml_end(&x);
    if (document)
        must_be_xml(document);
    else if (!x.g.err)
        abort();
}

/* ---- a step's effects ---- */

static int media(const struct ivr_prompt *p, char *uri, size_t size, void *arg)
{
    (void)arg;
    if (!p->asset[0] || strlen(p->asset) >= size)
        return ENOENT;
    memcpy(uri, p->asset, strlen(p->asset) + 1);
    return 0;
}

static struct ivr_effect effect(struct input *in, struct ivr_arena *arena)
{
    static const char *const langs[] = {"en", "am", "om", "fr-CA"};
    static const char *const finish[] = {"", "#", "*#"};
    unsigned kind = byte(in) % 7, more = byte(in);
    const char keys[] = {'\0', '1', '*', '#'};

    switch (kind) {
    case 0:
    case 1:
        return (struct ivr_effect){.kind = IVR_FX_PROMPT,
                                   .prompt = {.asset = more & 1 ? text(in, arena) : "",
                                              .text = text(in, arena),
                                              .lang = langs[more / 2 % ARRAY_LEN(langs)],
                                              .voice = more & 64 ? text(in, arena) : "",
                                              .bargeable = (more & 128) != 0}};
    case 2:
        return (struct ivr_effect){.kind = IVR_FX_COLLECT,
                                   .collect = {.min = 1,
                                               .max = (int)(more % 70),
                                               .finish = finish[more % 3],
                                               .first_ms = (int64_t)more * 400,
                                               .inter_ms = (int64_t)more * 100,
                                               .sensitive = (more & 1) != 0}};
    case 3:
        return (struct ivr_effect){.kind = IVR_FX_RECORD,
                                   .record = {.max_ms = (int64_t)more * 900,
                                              .silence_ms = (int64_t)more * 10,
                                              .finish = (enum ivr_finish)(more % 4),
                                              .beep = (more & 8) != 0,
                                              .step = more}};
    case 4:
        return (struct ivr_effect){.kind = IVR_FX_DIAL,
                                   .dial = {.to = text(in, arena),
                                            .from = text(in, arena),
                                            .ring_ms = (int64_t)more * 1000,
                                            .max_ms = (int64_t)more * 100000,
                                            .record = (more & 1) != 0,
                                            .confirm_key = keys[more / 2 % 4]}};
    case 5:
        return (struct ivr_effect){.kind = IVR_FX_ENQUEUE,
                                   .enqueue = {.queue = text(in, arena),
                                               .priority = (int)more,
                                               .max_wait_ms = (int64_t)more * 10000,
                                               .exit_key = keys[more % 4],
                                               .announce_ms = (int64_t)more * 500}};
    default:
        return (struct ivr_effect){.kind = more & 1 ? IVR_FX_HANGUP : IVR_FX_HTTP,
                                   .hangup = {.reason = "busy", .outcome = "completed"}};
    }
}

static struct ivr_document_ctx context(struct input *in, struct ivr_arena *arena)
{
    unsigned which = byte(in);

    return (struct ivr_document_ctx){.action_prefix = text(in, arena),
                                     .hold_url = which & 1 ? text(in, arena) : NULL,
                                     .tone_url = which & 2 ? text(in, arena) : NULL,
                                     .caller_id = which & 4 ? text(in, arena) : NULL,
                                     .sip_domain = which & 8 ? text(in, arena) : NULL,
                                     .agent = which & 16 ? "ext:2001" : NULL,
                                     .agent_key = which & 32 ? '1' : '\0',
                                     .now_ms = 1790000100000,
                                     .queued_at_ms = which & 64 ? 1790000000000 : 0,
                                     .unanswered = (which & 128) != 0};
}

static void render(struct input *in, const struct ivr_backend *b, struct ivr_arena *arena)
{
    struct ivr_effect effects[EFFECTS];
    struct ivr_document_ctx document = context(in, arena);
    const struct ivr_call_ctx ctx = {.channel = text(in, arena),
                                     .format = "wav",
                                     .media = media,
                                     .document = &document};
    const struct ivr_state state = {.seq = 7,
                                    .status = byte(in) & 1 ? IVR_ENDED : IVR_WAITING};
    struct ivr_out out = {.verdict = IVR_OK, .state = &state, .effects = effects};
    struct ivr_rendered rendered = {0};
    const char *farewell = NULL;

    while (out.effect_count < EFFECTS && in->left)
        effects[out.effect_count++] = effect(in, arena);
    int err = b->render(&out, &ctx, arena, &rendered);
    if (!err)
        must_be_xml(rendered.document);
    else if (err != EMSGSIZE)
        abort();
    if (b->document->farewell(ctx.channel, arena, &farewell) == 0)
        must_be_xml(farewell);
}

/* ---- a request ---- */

static void check_input(const struct ivr_input *in)
{
    if (in->kind == IVR_IN_DIGITS &&
        (strspn(in->keys.digits, "0123456789*#") != strlen(in->keys.digits) ||
         strlen(in->keys.digits) > IVR_DIGITS_MAX))
        abort();
    if (in->kind == IVR_IN_RECORDED && in->recorded.duration_ms < 0)
        abort();
    if (in->kind == IVR_IN_DIAL_ENDED && in->dialled.talked_ms < 0)
        abort();
    if (in->kind == IVR_IN_QUEUE_LEFT && in->left.waited_ms < 0)
        abort();
}

static void request(struct input *in, const struct ivr_backend *b,
                    struct ivr_arena *arena)
{
    struct ivr_field fields[FIELDS];
    struct ivr_document_ctx document = context(in, arena);
    const struct ivr_call_ctx ctx = {.channel = "CA1", .document = &document};
    const struct ivr_state state = {
        .seq = 7,
        .status = IVR_WAITING,
        .wait = {.kind = (enum ivr_wait_kind)(byte(in) % (IVR_WAIT_HTTP + 1))}};
    struct ivr_request req = {.token = byte(in) & 1 ? "7" : text(in, arena),
                              .fields = fields};
    struct ivr_parsed out;

    req.wait = text(in, arena);
    for (; req.n < FIELDS && in->left; req.n++) {
        fields[req.n].name = text(in, arena);
        fields[req.n].value = text(in, arena);
    }
    int err = b->document->request(&req, &ctx, &state, arena, &out);
    if (err && err != EBADMSG && err != EMSGSIZE)
        abort();
    if (!err && out.kind == IVR_PARSED_DOCUMENT)
        must_be_xml(out.document);
    if (!err && out.kind == IVR_PARSED_INPUT)
        check_input(&out.input);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = {"twiml", "plivo"};
    struct input in = {data, size};
    struct ivr_arena *arena;

    if (ivr_arena_new(&arena, NULL))
        abort();
    unsigned what = byte(&in);
    const struct ivr_backend *b = ivr_backend_find(names[what / 3 % ARRAY_LEN(names)]);
    if (what % 3 == 0)
        write_xml(&in, arena);
    else if (what % 3 == 1)
        render(&in, b, arena);
    else
        request(&in, b, arena);
    ivr_arena_free(arena);
    return 0;
}
