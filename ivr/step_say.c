#include <errno.h>
#include <string.h>

#include "ivr/step.h"

const char *render(struct sprint *sp, const struct template_ *t, enum template_kind kind,
                   bool *faulty)
{
    const char *fault = NULL;

    sp->expr.lang = sp->s.lang;
    sp->expr.vars = sp->vars;
    sp->expr.var_count = sp->s.var_count;
    const char *text = template_eval(&sp->expr, t, kind, &fault);
    if (!text)
        sp->err = ENOMEM;
    if (text && fault)
        event(sp, IVR_EV_WARNING, "expression", fault, "");
    if (faulty)
        *faulty = fault != NULL;
    return text;
}

struct ivr_value evaluate(struct sprint *sp, const struct expr *x)
{
    sp->expr.lang = sp->s.lang;
    sp->expr.vars = sp->vars;
    sp->expr.var_count = sp->s.var_count;
    struct ivr_value v = expr_eval(&sp->expr, x);
    if (sp->expr.no_memory)
        sp->err = ENOMEM;
    if (v.type == IVR_FAULT)
        event(sp, IVR_EV_WARNING, "expression", v.text, "");
    return v;
}

static bool has_voice(const struct ivr_env *env, const char *lang)
{
    if (!env->voices)
        return true;
    for (size_t i = 0; env->voices[i]; i++)
        if (strcmp(env->voices[i], lang) == 0)
            return true;
    return false;
}

static const struct variant *find_variant(const struct prompt *p, const char *lang)
{
    for (size_t i = 0; i < p->n; i++)
        if (strcmp(p->variants[i].lang, lang) == 0)
            return &p->variants[i];
    return NULL;
}

const struct variant *pick_variant(struct sprint *sp, const struct prompt *p,
                                   const char *lang, bool spoken)
{
    const struct variant *v = find_variant(p, lang);

    for (size_t i = 0; v && i <= p->n; i++) {
        if ((spoken && *v->asset) ||
            (v->has_text && (!spoken || has_voice(sp->env, v->lang))))
            return v;
        if (!*v->fallback)
            break;
        event(sp, IVR_EV_WARNING, "language_fallback",
              arena_printf(sp->arena, "%s%s%s to %s", p->id, *p->id ? ": " : "", v->lang,
                           v->fallback),
              "");
        v = find_variant(p, v->fallback);
    }
    event(sp, IVR_EV_WARNING, "prompt_missing",
          arena_printf(sp->arena, "%s%s%s", p->id, *p->id ? ": " : "", lang), "");
    return NULL;
}

/*
 * A host does not say which of a sprint's prompts failed: the latest node that has a
 * way out of it answers, else the latest.
 */
static void blame(struct sprint *sp)
{
    uint16_t now = sprint_frame(sp)->node, was = sp->s.wait.media_node;
    const struct node *nodes = sprint_flow(sp)->nodes;

    if (was == IVR_NO_NODE || node_has_exit(&nodes[now], "failed") ||
        !node_has_exit(&nodes[was], "failed"))
        sp->s.wait.media_node = now;
}

bool speak_in(struct sprint *sp, const struct prompts *list, bool bargeable,
              const char *lang)
{
    const struct variant *picked[PROMPTS_OF_NODE_MAX];

    for (size_t i = 0; i < list->n; i++) {
        picked[i] = pick_variant(sp, list->list[i], lang, true);
        if (!picked[i])
            return false;
    }
    for (size_t i = 0; i < list->n && !sp->err; i++) {
        const struct variant *v = picked[i];
        const char *text = *v->asset ? "" : render(sp, &v->text, TEMPLATE_TEXT, NULL);
        /* What came out empty is nothing to hear. */
        if (!text || (!*v->asset && !*text))
            continue;
        struct ivr_effect *fx = effect(sp, IVR_FX_PROMPT);
        if (!fx)
            return true;
        fx->prompt = (struct ivr_prompt){.asset = v->asset,
                                         .text = text,
                                         .lang = v->lang,
                                         .voice = v->voice,
                                         .bargeable = bargeable,
                                         .part = sp->part};
        sp->prompts++;
        blame(sp);
    }
    return true;
}

bool speak(struct sprint *sp, const struct prompts *list, bool bargeable)
{
    /* The state's language may change while effects are kept: a copy. */
    const char *lang = arena_text(sp->arena, sp->s.lang);

    if (!lang) {
        sp->err = ENOMEM;
        return true;
    }
    return speak_in(sp, list, bargeable, lang);
}
