/* A call that goes on where an earlier one of the party dropped: the question, and what
 * comes of its answer. Until it is answered the state has the earlier call's frames,
 * variables and language, and waits at no node of its own. */
#include <errno.h>
#include <string.h>

#include "ivr/step.h"

enum { OFFER_FIRST_MS = 7000 };

static bool adopt_vars(struct sprint *sp, const struct ivr_state *kept)
{
    size_t cap = kept->var_count + 8;
    struct ivr_var *vars = arena_alloc(sp->arena, cap * sizeof(*vars));

    if (!vars) {
        sp->err = ENOMEM;
        return false;
    }
    if (kept->var_count > 0)
        memcpy(vars, kept->vars, kept->var_count * sizeof(*vars));
    sp->vars = vars;
    sp->var_cap = cap;
    sp->s.var_count = kept->var_count;
    return true;
}

/* Its frames, variables and language, and the question; false: it begins as ever. */
bool go_on_offer(struct sprint *sp)
{
    const struct ivr_state *kept = sp->env->kept;
    const struct flow *root = sp->prog->flows[0];
    struct ivr_state own = sp->s;

    if (!kept || !ivr_state_may_go_on(sp->prog, kept) || kept->tenant != sp->env->tenant)
        return false;
    sp->s.depth = kept->depth;
    memcpy(sp->s.stack, kept->stack, sizeof(sp->s.stack));
    memcpy(sp->s.lang, kept->lang, sizeof(sp->s.lang));
    sp->s.callback_asked = kept->callback_asked;
    size_t before = sp->effect_count;
    if (!adopt_vars(sp, kept) || !speak(sp, &root->go_on_prompt, true)) {
        sp->effect_count = before;
        sp->prompts = 0;
        sp->s = own;
        return false;
    }
    for (size_t i = before; i < sp->effect_count; i++)
        if (sp->effects[i].kind == IVR_FX_PROMPT)
            sp->effects[i].prompt.part = IVR_PART_ASKED;
    sp->s.offered = true;
    ask_one_key(sp, OFFER_FIRST_MS);
    return true;
}

/* Whatever is not the key means: from the beginning. */
void go_on_answer(struct sprint *sp, const struct ivr_input *in)
{
    const char *key = sp->prog->flows[0]->go_on_key;
    bool yes =
        in->kind == IVR_IN_DIGITS && in->keys.digits && strcmp(in->keys.digits, key) == 0;

    sp->s.offered = false;
    sp->s.wait.media_node = IVR_NO_NODE;
    if (in->kind == IVR_IN_DIGITS && in->keys.digits && !yes &&
        take_global(sp, in->keys.digits))
        return;
    event(sp, IVR_EV_RESULT, "go_on", yes ? key : "", yes ? "yes" : "no");
    if (yes) {
        sprint_frame(sp)->attempts = 0;
        return;
    }
    sp->s.var_count = 0;
    sp->s.depth = 1;
    sp->s.stack[0] = (struct ivr_frame){0, sp->prog->flows[0]->entry, 0};
    sp->s.callback_asked = false;
    begin_language(sp);
}
