/*
 * What can be known of a flow without calling anybody: nodes that are never reached,
 * prompts after a hang-up, variables read before they are set.
 */
#include <errno.h>
#include <string.h>

#include "ivr/compile.h"

struct graph {
    struct compiler *c;
    const struct flow *flow;
    struct var_set *in; /* surely set when a node begins; all ones: never reached */
    bool *reached, *after_hangup;
    bool changed;
};

static bool waits_for_keys(const struct node *n)
{
    return n->kind == NODE_COLLECT || n->kind == NODE_LANGUAGE;
}

static void meet(struct graph *g, uint16_t target, const struct var_set *set)
{
    if (target >= g->flow->node_count)
        return;
    if (!g->reached[target]) {
        g->reached[target] = true;
        g->in[target] = *set;
        g->changed = true;
        return;
    }
    for (size_t i = 0; i < VAR_WORDS; i++) {
        uint64_t both = g->in[target].bits[i] & set->bits[i];
        g->changed = g->changed || both != g->in[target].bits[i];
        g->in[target].bits[i] = both;
    }
}

static void flow_out(struct graph *g, uint16_t number)
{
    const struct node *n = &g->flow->nodes[number];
    struct var_set good = g->in[number];

    for (size_t i = 0; i < VAR_WORDS; i++)
        good.bits[i] |=
            n->kind == NODE_SUBFLOW ? UINT64_MAX : g->c->src->sets[number].bits[i];
    for (size_t i = 0; i < n->exit_count; i++)
        meet(g, n->exits[i].target,
             node_exit_is_good(n->exits[i].name) ? &good : &g->in[number]);
    if (!waits_for_keys(n))
        return;
    for (size_t i = 0; i < g->flow->global_count; i++) {
        uint16_t target = g->flow->globals[i].target;
        meet(g, target == TARGET_OPT_OUT ? g->flow->after_opt_out : target,
             &g->in[number]);
    }
    for (size_t i = 0; n->kind == NODE_COLLECT && i < g->flow->global_word_count; i++) {
        uint16_t target = g->flow->global_words[i].target;
        meet(g, target == TARGET_OPT_OUT ? g->flow->after_opt_out : target,
             &g->in[number]);
    }
}

static void spread(struct graph *g)
{
    do {
        g->changed = false;
        for (uint16_t i = 0; i < g->flow->node_count; i++)
            if (g->reached[i])
                flow_out(g, i);
    } while (g->changed);
}

/* Which flow a call runs is the campaign's to say. */
static void warn_callback_flows(struct graph *g)
{
    struct compiler *c = g->c;

    for (uint16_t i = 0; i < g->flow->node_count; i++) {
        const struct node *n = &g->flow->nodes[i];
        if (n->kind != NODE_CALLBACK || !*n->flow_name)
            continue;
        size_t was = path_in(c, n->id), at = path_in(c, "flow");
        warn(c, "remove it, or branch in the campaign's flow",
             "a callback runs the flow of the campaign that calls back, not '%s'",
             n->flow_name);
        path_out(c, at);
        path_out(c, was);
    }
}

static void warn_unreached(struct graph *g)
{
    struct compiler *c = g->c;

    for (uint16_t i = 0; i < g->flow->node_count; i++) {
        if (g->reached[i])
            continue;
        size_t was = path_in(c, g->flow->nodes[i].id);
        warn(c, "wire an exit to it, or remove it", "no exit leads to the node '%s'",
             g->flow->nodes[i].id);
        path_out(c, was);
    }
}

static bool is_set_anywhere(const struct graph *g, uint16_t var)
{
    for (size_t i = 0; i < g->flow->node_count; i++)
        if (g->c->src->sets[i].bits[var / 64] >> (var % 64) & 1)
            return true;
    return false;
}

static bool has_subflow(const struct graph *g)
{
    for (size_t i = 0; i < g->flow->node_count; i++)
        if (g->flow->nodes[i].kind == NODE_SUBFLOW)
            return true;
    return false;
}

static bool seen_before(const struct source *src, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (src->uses[i].node != IVR_NO_NODE && src->uses[i].var == src->uses[n].var &&
            (!src->uses[i].provided || src->uses[n].provided) &&
            strcmp(src->uses[i].pointer, src->uses[n].pointer) == 0)
            return true;
    return false;
}

static void warn_uses(struct graph *g)
{
    struct compiler *c = g->c;

    for (size_t i = 0; i < c->src->use_count && !c->err; i++) {
        const struct var_use *use = &c->src->uses[i];
        if (use->node >= g->flow->node_count || !g->reached[use->node] ||
            (g->in[use->node].bits[use->var / 64] >> (use->var % 64) & 1) ||
            seen_before(c->src, i))
            continue;
        bool ever = is_set_anywhere(g, use->var) || has_subflow(g);
        if (ever && use->provided)
            continue;
        const char *text = arena_printf(
            c->arena, ever ? "vars.%s may not be set yet here" : "vars.%s is never set",
            c->var_names[use->var]);
        if (!text) {
            c->err = ENOMEM;
            return;
        }
        warn_at(c, use->pointer, "give it a default(), or set it on every way here",
                text);
    }
}

/* Nobody hears a prompt and nothing can be waited for once the party is gone. */
static void follow_hangup(struct graph *g, uint16_t first)
{
    bool more = true;

    if (first >= g->flow->node_count)
        return;
    g->after_hangup[first] = true;
    while (more) {
        more = false;
        for (size_t i = 0; i < g->flow->node_count; i++) {
            const struct node *n = &g->flow->nodes[i];
            for (size_t e = 0; g->after_hangup[i] && e < n->exit_count; e++) {
                uint16_t target = n->exits[e].target;
                if (target < g->flow->node_count && !g->after_hangup[target])
                    more = g->after_hangup[target] = true;
            }
        }
    }
}

static void check_after_hangup(struct graph *g)
{
    struct compiler *c = g->c;

    for (size_t i = 0; i < g->flow->node_count; i++) {
        const struct node *n = &g->flow->nodes[i];
        bool silent = n->kind == NODE_SET || n->kind == NODE_BRANCH ||
                      n->kind == NODE_SMS || n->kind == NODE_CALLBACK ||
                      n->kind == NODE_SUBMIT ||
                      (n->kind == NODE_HANGUP && n->prompt.n == 0);
        if (!g->after_hangup[i] || silent)
            continue;
        size_t was = path_in(c, n->id);
        complain(c, "only set, branch, sms, callback, submit and a silent hangup",
                 "on_hangup leads to a %s: nobody is there any more",
                 node_kind_name(n->kind));
        path_out(c, was);
    }
}

static bool is_sensitive(const struct graph *g, uint16_t var)
{
    for (size_t i = 0; i < g->flow->node_count; i++) {
        const struct node *n = &g->flow->nodes[i];
        if (n->kind == NODE_COLLECT && n->sensitive &&
            strcmp(n->into, g->c->var_names[var]) == 0)
            return true;
    }
    return false;
}

/* It is there until the next wait, for a table to compare it. */
static void check_sensitive(struct graph *g)
{
    struct compiler *c = g->c;

    for (size_t i = 0; i < c->src->use_count && !c->err; i++) {
        const struct var_use *use = &c->src->uses[i];
        bool by_data = use->node < g->flow->node_count &&
                       g->flow->nodes[use->node].kind == NODE_DATA;
        if (by_data || !is_sensitive(g, use->var) || seen_before(c->src, i))
            continue;
        size_t was = path_in(c, g->flow->nodes[use->node].id);
        complain(c, "compare it in the \"where\" of a data node",
                 "vars.%s is a sensitive entry: only a data node may read it",
                 c->var_names[use->var]);
        path_out(c, was);
    }
}

void check_graph(struct compiler *c)
{
    const struct flow *f = c->src->flow;
    const struct var_set none = {{0}};
    size_t n = f->node_count + 1;
    struct graph g = {.c = c,
                      .flow = f,
                      .in = keep(c, n * sizeof(*g.in)),
                      .reached = keep(c, n),
                      .after_hangup = keep(c, n)};

    if (c->err)
        return;
    meet(&g, f->entry, &none);
    meet(&g, f->on_error, &none);
    meet(&g, f->on_hangup, &none);
    spread(&g);
    size_t was = path_in(c, "nodes");
    warn_unreached(&g);
    warn_callback_flows(&g);
    follow_hangup(&g, f->on_hangup);
    check_after_hangup(&g);
    check_sensitive(&g);
    path_out(c, was);
    if (c->depth == 1)
        warn_uses(&g); /* a sub-flow may be given its variables */
}
