/* Nodes that ask for keys, collect and language: what they ask, and what they make of
 * keys or of words in their place. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ivr/step.h"
#include "ivr/words.h"

enum { INTER_MS = 3000, SILENCE = 0x100, ATTEMPTS = 0xff };

/*
 * Global keys; and cases of its own with a star or hash among the keys of a longer entry,
 * which end it at once as such a global key does.
 */
static const char *const *ending_keys(struct sprint *sp, const struct node *n,
                                      int *longest)
{
    const char *const *globals = global_keys(sp, longest);
    size_t count = 0, own = 0;

    for (size_t i = 0; n->kind == NODE_COLLECT && n->max > 1 && i < n->exit_count; i++)
        own += strpbrk(n->exits[i].name, "*#") != NULL;
    while (globals && globals[count])
        count++;
    if (!globals || own == 0)
        return globals;
    const char **all = arena_alloc(sp->arena, (count + own + 1) * sizeof(*all));
    if (!all) {
        sp->err = ENOMEM;
        return NULL;
    }
    memcpy(all, globals, count * sizeof(*all));
    for (size_t i = 0; i < n->exit_count; i++)
        if (strpbrk(n->exits[i].name, "*#"))
            all[count++] = n->exits[i].name;
    return all;
}

/* Words are read as English. A sensitive entry is not to be said aloud, nor told to
 * whoever recognises speech. */
static const char *hears(struct sprint *sp, const struct node *n)
{
    bool any = n->hearing_count > 0 || n->heard;

    for (int i = 0; i < sp->s.depth; i++)
        any = any || sp->prog->flows[sp->s.stack[i].flow]->global_word_count > 0;
    if (!any || n->sensitive || n->kind != NODE_COLLECT ||
        strncmp(sp->s.lang, "en", 2) != 0 || (sp->s.lang[2] && sp->s.lang[2] != '-'))
        return "";
    if (!sp->s.lang[2])
        return "en-US";
    const char *lang = arena_text(sp->arena, sp->s.lang);
    if (!lang)
        sp->err = ENOMEM;
    return lang ? lang : "";
}

static void ask_keys(struct sprint *sp, const struct node *n)
{
    int longest = 0;
    const char *const *globals = ending_keys(sp, n, &longest);
    struct ivr_effect *fx = globals ? effect(sp, IVR_FX_COLLECT) : NULL;

    if (!fx)
        return;
    fx->collect =
        (struct ivr_collect){.min = (int)n->min,
                             .max = (int)n->max > longest ? (int)n->max : longest,
                             .finish = n->finish,
                             .first_ms = n->first_ms,
                             .inter_ms = n->inter_ms,
                             .sensitive = n->sensitive,
                             .hears = hears(sp, n),
                             .own_max = (int)n->max,
                             .global_keys = globals};
    sprint_wait(sp, IVR_WAIT_KEYS, n->first_ms + fx->collect.max * n->inter_ms);
}

void ask_one_key(struct sprint *sp, int64_t first_ms)
{
    int longest = 0;
    const char *const *globals = global_keys(sp, &longest);
    struct ivr_effect *fx = globals ? effect(sp, IVR_FX_COLLECT) : NULL;

    if (!fx)
        return;
    fx->collect = (struct ivr_collect){.min = 1,
                                       .max = longest > 1 ? longest : 1,
                                       .finish = "",
                                       .first_ms = first_ms,
                                       .inter_ms = INTER_MS,
                                       .hears = "",
                                       .own_max = 1,
                                       .global_keys = globals};
    sprint_wait(sp, IVR_WAIT_KEYS, first_ms + fx->collect.max * INTER_MS);
}

static void choose(struct sprint *sp, const struct node *n, const char *lang,
                   const char *keys)
{
    struct ivr_effect *fx = effect(sp, IVR_FX_LANG);

    snprintf(sp->s.lang, sizeof(sp->s.lang), "%s", lang);
    if (fx)
        fx->lang.tag = lang;
    event(sp, IVR_EV_RESULT, "language", lang, "chosen");
    take_exit(sp, n, "chosen", keys);
}

/* Each language says its own: those that nobody here can speak are left out. */
static bool speak_each(struct sprint *sp, const struct node *n)
{
    size_t before = sp->effect_count;

    for (size_t i = 0; i < n->choice_count; i++) {
        bool again = false;
        for (size_t k = 0; k < i; k++)
            again = again || strcmp(n->choices[k].lang, n->choices[i].lang) == 0;
        if (!again)
            speak_in(sp, &n->prompt, n->barge_in, n->choices[i].lang);
    }
    return n->prompt.n == 0 || sp->effect_count > before;
}

void enter_keys(struct sprint *sp, const struct node *n)
{
    bool retry = sprint_frame(sp)->attempts > 0 && n->retry_prompt.n > 0;
    bool spoken = false;

    if (n->skip_if_known && sp->env->language && *sp->env->language &&
        strcmp(sp->env->language, sp->s.lang) == 0) {
        take_exit(sp, n, "chosen", "known");
        return;
    }
    sp->part = IVR_PART_ASKED;
    if (retry)
        spoken = speak(sp, &n->retry_prompt, n->barge_in);
    else if (n->in_each_language)
        spoken = speak_each(sp, n);
    else
        spoken = speak(sp, &n->prompt, n->barge_in);
    sp->part = IVR_PART_TOLD;
    if (spoken)
        ask_keys(sp, n);
    else
        node_fail(sp, n, "prompt_missing", sp->s.lang);
}

/* Silences in a row have the upper byte where they are counted apart. True: that was the
 * last one. */
static bool count_attempt(struct ivr_frame *f, const struct node *n, bool silence)
{
    unsigned silent = f->attempts / SILENCE, others = f->attempts % SILENCE;

    if (silence && n->silences > 0)
        silent++;
    else if (others < ATTEMPTS)
        others++;
    if (!silence)
        silent = 0;
    f->attempts = (uint16_t)(silent * SILENCE + others);
    return (n->attempts > 0 && others >= n->attempts) ||
           (n->silences > 0 && silent >= n->silences);
}

/* Once more, or the exit when that was the last attempt. */
static void try_again(struct sprint *sp, const struct node *n, const char *exit,
                      const char *operand, const struct prompts *why)
{
    if (count_attempt(sprint_frame(sp), n, strcmp(exit, "no_input") == 0)) {
        event(sp, IVR_EV_RESULT, *n->into ? n->into : n->id, operand, exit);
        take_exit(sp, n, exit, operand);
        return;
    }
    event(sp, IVR_EV_WARNING, exit, operand, "");
    sp->part = IVR_PART_NOT_TAKEN;
    if (!speak(sp, why, n->barge_in))
        node_fail(sp, n, "prompt_missing", sp->s.lang);
    sp->part = IVR_PART_TOLD;
    /* The loop enters the node again: same node, attempts kept. */
}

static bool is_valid(struct sprint *sp, const struct node *n, const char *digits)
{
    if (!n->valid)
        return true;
    sp->expr.digits = digits;
    struct ivr_value v = evaluate(sp, n->valid);
    sp->expr.digits = NULL;
    return value_is_true(&v);
}

static bool is_entry(const char *digits)
{
    size_t len = strlen(digits);

    return len <= IVR_DIGITS_MAX && strspn(digits, "0123456789*#") == len;
}

static void take_exit_by_entry(struct sprint *sp, const struct node *n, const char *exit,
                               const char *entry, const char *shown)
{
    /* A case's name would tell a sensitive entry. */
    event(sp, IVR_EV_RESULT, *n->into ? n->into : n->id, shown,
          n->sensitive ? "entered" : exit);
    /* Only an entry is kept, not the way back or to an agent. */
    bool kept = strcmp(exit, "any") == 0 || !exit[strspn(exit, "0123456789")];
    if (*n->into && kept && n->sensitive) {
        set_sensitive(sp, n->into, entry);
    } else if (*n->into && kept) {
        struct ivr_value v = value_text(entry);
        set_var(sp, n->into, &v, false);
    }
    take_exit(sp, n, exit, shown);
}

static void take_entry(struct sprint *sp, const struct node *n, const char *digits)
{
    int64_t len = (int64_t)strlen(digits);
    const char *shown = n->sensitive ? "" : digits;
    const char *exit = len > 0 && node_has_exit(n, digits) ? digits
                       : node_has_exit(n, "any")           ? "any"
                                                           : NULL;

    if (exit && strpbrk(exit, "*#")) {
        take_exit_by_entry(sp, n, exit, digits, shown);
        return;
    }
    if (!exit || len < n->min || len > n->max || !is_valid(sp, n, digits)) {
        try_again(sp, n, "invalid", shown, &n->invalid_prompt);
        return;
    }
    take_exit_by_entry(sp, n, exit, digits, shown);
}

/* ---- words in place of keys ---- */

static const char *exit_by_words(const struct node *n, const char *said)
{
    for (size_t i = 0; i < n->hearing_count; i++)
        if (words_have(said, n->hearings[i].patterns))
            return n->hearings[i].exit;
    return NULL;
}

/* Words that make an entry go by `any`; how long it is is not counted in keys. */
static bool take_heard(struct sprint *sp, const struct node *n, const char *said)
{
    if (!n->heard)
        return false;
    sp->expr.said = said;
    struct ivr_value v = evaluate(sp, n->heard);
    sp->expr.said = NULL;
    const char *entry = value_to_text(&v, sp->arena);
    if (!entry) {
        sp->err = ENOMEM;
        return true;
    }
    if (!*entry || strlen(entry) > IVR_DIGITS_MAX || sp->err)
        return false;
    if (!is_valid(sp, n, entry))
        try_again(sp, n, "invalid", n->sensitive ? "" : entry, &n->invalid_prompt);
    else
        take_exit_by_entry(sp, n, "any", entry, n->sensitive ? "" : entry);
    return true;
}

static void resume_said(struct sprint *sp, const struct node *n,
                        const struct ivr_input *in)
{
    const char *said = arena_text(sp->arena, given(in->said.text));
    const struct prompts *why =
        n->unheard_prompt.n > 0 ? &n->unheard_prompt : &n->invalid_prompt;

    if (!said) {
        sp->err = ENOMEM;
        return;
    }
    const char *exit = exit_by_words(n, said);
    if (exit && n->kind == NODE_COLLECT)
        take_exit_by_entry(sp, n, exit, exit, exit);
    else if (!take_global_words(sp, said) && !take_heard(sp, n, said) && !sp->err)
        try_again(sp, n, "invalid", "", why);
}

void resume_keys(struct sprint *sp, const struct node *n, const struct ivr_input *in)
{
    const char *digits = NULL;

    if (in->kind == IVR_IN_SAID) {
        resume_said(sp, n, in);
        return;
    }
    if (in->kind != IVR_IN_DIGITS ||
        (!*given(in->keys.digits) && !in->keys.finish && n->min > 0)) {
        try_again(sp, n, "no_input", "", &n->no_input_prompt);
        return;
    }
    digits = arena_text(sp->arena, given(in->keys.digits));
    if (!digits) {
        sp->err = ENOMEM;
        return;
    }
    if (!is_entry(digits)) {
        try_again(sp, n, "invalid", "", &n->invalid_prompt);
        return;
    }
    bool own = n->kind == NODE_COLLECT && node_has_exit(n, digits);
    for (size_t i = 0; n->kind == NODE_LANGUAGE && i < n->choice_count; i++) {
        if (strcmp(n->choices[i].keys, digits) == 0) {
            choose(sp, n, n->choices[i].lang, digits);
            return;
        }
    }
    if (!own && take_global(sp, digits))
        return;
    if (n->kind == NODE_COLLECT)
        take_entry(sp, n, digits);
    else
        try_again(sp, n, "invalid", digits, &n->invalid_prompt);
}
