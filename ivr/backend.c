#include "ivr/backend_kinds.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "ivr/arena.h"

enum { URI_MAX = 1024 };

EXPORT const struct ivr_backend *ivr_backend_find(const char *name)
{
    static const struct ivr_backend *const all[] = {&backend_ari, &backend_sim,
                                                    &backend_twiml, &backend_plivo};

    for (size_t i = 0; name && i < ARRAY_LEN(all); i++)
        if (strcmp(all[i]->name, name) == 0)
            return all[i];
    return NULL;
}

const char *backend_percent(struct ivr_arena *arena, const char *text)
{
    static const char hex[] = "0123456789ABCDEF";
    struct growing g = {.arena = arena};

    for (const char *c = text; *c; c++) {
        unsigned char u = (unsigned char)*c;
        if (u < 0x80 && (isalnum(u) || strchr("-._~", u)))
            growing_putc(&g, *c);
        else
            growing_add(&g, (const char[]){'%', hex[u >> 4], hex[u & 15]}, 3);
    }
    return growing_text(&g);
}

struct walk {
    const struct ivr_out *step;
    const struct ivr_call_ctx *ctx;
    backend_words_fn *words;
    struct ivr_arena *arena;
    struct ivr_command *commands;
    size_t n;
};

static int add(struct walk *w, const struct ivr_command *made)
{
    struct ivr_command *cmd = &w->commands[w->n++];

    *cmd = *made;
    cmd->method = cmd->request = cmd->line = "";
    return w->words(w->ctx, w->arena, cmd);
}

/* ENOENT: it cannot be played. Without a media function (sim) a prompt is its own
 * media: "say:LANG:TEXT" or "asset:ID". */
static int media_of(struct walk *w, const struct ivr_prompt *p, const char **uri)
{
    char text[URI_MAX] = "";
    int err = 0;

    if (w->ctx->media) {
        err = w->ctx->media(p, text, sizeof(text), w->ctx->arg);
        *uri = err ? NULL : arena_text(w->arena, text);
    } else if (p->asset && p->asset[0] != '\0') {
        *uri = arena_printf(w->arena, "asset:%s", p->asset);
    } else {
        *uri = arena_printf(w->arena, "say:%s:%s", p->lang, p->text);
    }
    if (err)
        return err;
    return *uri ? 0 : ENOMEM;
}

/* Prompts that follow each other and may be stopped alike are one queue. *i moves to
 * the last of them; *gone: one had no media, the queue ends before it. */
static int play(struct walk *w, size_t *i, bool *gone)
{
    const struct ivr_effect *fx = w->step->effects;
    size_t from = *i, end = from, count = 0;
    int err = 0;

    while (end < w->step->effect_count && fx[end].kind == IVR_FX_PROMPT &&
           fx[end].prompt.bargeable == fx[from].prompt.bargeable)
        end++;
    const char **media = arena_alloc(w->arena, (end - from) * sizeof(*media));
    if (!media)
        return ENOMEM;
    *gone = false;
    for (size_t k = from; k < end && !*gone; k++) {
        *i = k;
        err = media_of(w, &fx[k].prompt, &media[count]);
        *gone = err == ENOENT;
        if (err && !*gone)
            return err;
        count += !*gone;
    }
    if (count > 0)
        err = add(w, &(struct ivr_command){.kind = IVR_CMD_PLAY,
                                           .effect = &fx[from],
                                           .media = media,
                                           .media_count = count,
                                           .bargeable = fx[from].prompt.bargeable});
    else
        err = 0;
    if (!err && *gone)
        err =
            add(w, &(struct ivr_command){.kind = IVR_CMD_MEDIA_GONE, .effect = &fx[*i]});
    return err;
}

static enum ivr_command_kind kind_of(enum ivr_effect_kind kind)
{
    switch (kind) {
    case IVR_FX_PROMPT:
        return IVR_CMD_PLAY;
    case IVR_FX_COLLECT:
        return IVR_CMD_COLLECT;
    case IVR_FX_RECORD:
        return IVR_CMD_RECORD;
    case IVR_FX_DIAL:
        return IVR_CMD_DIAL;
    case IVR_FX_ENQUEUE:
        return IVR_CMD_ENQUEUE;
    case IVR_FX_HTTP:
        return IVR_CMD_HTTP;
    case IVR_FX_DATA:
        return IVR_CMD_DATA;
    case IVR_FX_SMS:
    case IVR_FX_SUBMIT:
    case IVR_FX_CALLBACK:
    case IVR_FX_OPT_OUT:
    case IVR_FX_LANG:
        return IVR_CMD_ROW;
    case IVR_FX_HANGUP:
        break;
    }
    return IVR_CMD_HANGUP;
}

static bool needs_hold_music(enum ivr_command_kind kind)
{
    return kind == IVR_CMD_HTTP || kind == IVR_CMD_DIAL || kind == IVR_CMD_ENQUEUE;
}

int backend_render(const struct ivr_out *step, const struct ivr_call_ctx *ctx,
                   backend_words_fn *words, struct ivr_arena *arena,
                   struct ivr_rendered *out)
{
    struct walk w = {step, ctx, words, arena, NULL, 0};
    int err = 0;

    /* An effect is at most two commands. */
    w.commands = arena_alloc(arena, (2 * step->effect_count + 1) * sizeof(*w.commands));
    if (!w.commands)
        return ENOMEM;
    for (size_t i = 0; i < step->effect_count && !err; i++) {
        const struct ivr_effect *fx = &step->effects[i];
        enum ivr_command_kind kind = kind_of(fx->kind);
        bool gone = false;

        if (kind == IVR_CMD_PLAY)
            err = play(&w, &i, &gone);
        else
            err = add(&w, &(struct ivr_command){.kind = kind, .effect = fx});
        if (!err && needs_hold_music(kind))
            err = add(&w, &(struct ivr_command){.kind = IVR_CMD_MOH_START});
        /* Nobody can take MEDIA_FAILED once the flow has ended: then the rest, which
         * ends with the hang-up, still holds. */
        if (gone && step->state->status != IVR_ENDED)
            break;
    }
    if (err)
        return err;
    *out = (struct ivr_rendered){.commands = w.commands, .n = w.n};
    return 0;
}
