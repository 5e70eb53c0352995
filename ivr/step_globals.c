/* Global keys and words, which are taken wherever a call is; opting out. */
#include <errno.h>
#include <string.h>

#include "ivr/step.h"
#include "ivr/words.h"

void opt_out(struct sprint *sp, int64_t scope)
{
    struct ivr_effect *fx = effect(sp, IVR_FX_OPT_OUT);
    const char *word = words_scope[scope == SCOPE_ALL ? SCOPE_TENANT : scope];

    sp->s.opted_out = true;
    if (fx)
        fx->opt_out.scope = word;
    event(sp, IVR_EV_RESULT, "opt_out", word, "opted_out");
}

const char *const *global_keys(struct sprint *sp, int *longest)
{
    size_t n = 0;

    for (int depth = sp->s.depth; depth > 0; depth--)
        n += sprint_flow_at(sp, depth)->global_count;
    const char **list = arena_alloc(sp->arena, (n + 1) * sizeof(*list));
    if (!list) {
        sp->err = ENOMEM;
        return NULL;
    }
    n = 0;
    *longest = 0;
    for (int depth = sp->s.depth; depth > 0; depth--) {
        const struct flow *f = sprint_flow_at(sp, depth);
        for (size_t i = 0; i < f->global_count; i++) {
            list[n++] = f->globals[i].keys;
            int len = (int)strlen(f->globals[i].keys);
            *longest = len > *longest ? len : *longest;
        }
    }
    return list;
}

static const struct global_key *find_global(const struct flow *f, const char *digits)
{
    for (size_t i = 0; i < f->global_count; i++)
        if (strcmp(f->globals[i].keys, digits) == 0)
            return &f->globals[i];
    return NULL;
}

static void run_global(struct sprint *sp, const struct global_key *g, int depth)
{
    event(sp, IVR_EV_LEFT, "global_key", g->keys, "");
    if (g->target == TARGET_REPEAT)
        return; /* the node is entered again, its attempts as they are */
    bool was = sp->s.depth == depth;
    sp->s.depth = (uint8_t)depth;
    if (!was)
        sp->s.wait.media_node = IVR_NO_NODE;
    if (g->target == TARGET_OPT_OUT) {
        uint16_t after = sprint_flow(sp)->after_opt_out;
        opt_out(sp, g->scope);
        if (after == IVR_NO_NODE)
            sprint_end(sp, "normal", "opted_out");
        else
            sprint_go(sp, after);
    } else if (g->target == TARGET_END) {
        sprint_end(sp, "normal", "completed");
    } else {
        sprint_go(sp, g->target);
    }
}

bool take_global(struct sprint *sp, const char *digits)
{
    for (int depth = sp->s.depth; depth > 0; depth--) {
        const struct global_key *g = find_global(sprint_flow_at(sp, depth), digits);
        if (!g)
            continue;
        run_global(sp, g, depth);
        return true;
    }
    return false;
}

bool take_global_words(struct sprint *sp, const char *said)
{
    for (int depth = sp->s.depth; depth > 0; depth--) {
        const struct flow *f = sprint_flow_at(sp, depth);
        for (size_t i = 0; i < f->global_word_count; i++) {
            if (!words_have(said, f->global_words[i].keys))
                continue;
            run_global(sp, &f->global_words[i], depth);
            return true;
        }
    }
    return false;
}
