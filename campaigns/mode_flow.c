/*
 * Flows are walked as they are written. What happens behind a node before a prompt is
 * said is one of the two bits of enum unheard; it is kept for each node asked for, so
 * that a sub-flow which is called from many places is walked once.
 */
#include "campaigns/mode_flow.h"

#include <string.h>

#include <jansson.h>

#include "base/json_text.h"
#include "base/str.h"
#include "base/xalloc.h"

/* What can come before anything was heard. */
enum unheard { CALL_ENDS = 1, FLOW_ENDS = 2 };

struct walk {
    const struct mode_flow *asked;
    json_t *flows; /* name and pin: what is written, null when it cannot be had */
    json_t *known; /* name, pin and node: enum unheard */
};

/* Where a queue's call goes on in the one who called the sub-flow. */
struct leak {
    bool found;
    struct mode_silence from;
};

static bool is_subflow(const json_t *node)
{
    return str_is(json_text(node, "kind"), "subflow");
}

static bool is_queue(const struct walk *w, const json_t *node)
{
    return str_is(json_text(node, "kind"), "queue") &&
           str_is(json_text(node, "queue"), w->asked->queue);
}

/* ---- flows ---- */

static void walk_init(struct walk *w, const struct mode_flow *f)
{
    *w = (struct walk){.asked = f, .flows = json_object(), .known = json_object()};
    json_object_set_new(w->flows, "", json_loads(f->source, 0, NULL));
}

static void walk_deinit(struct walk *w)
{
    json_decref(w->flows);
    json_decref(w->known);
}

static char *key_of(const json_t *node)
{
    return xasprintf("%s\n%s", json_text(node, "flow"), json_text(node, "sha256"));
}

/* Borrowed; NULL: it cannot be had. */
static json_t *called(struct walk *w, const json_t *node)
{
    CLEANUP(free_cleanup) char *key = key_of(node);
    json_t *flow = json_object_get(w->flows, key);
    const char *text = NULL;
    size_t len = 0;

    if (!flow) {
        if (w->asked->resolve &&
            w->asked->resolve(json_text(node, "flow"), json_text(node, "sha256"), &text,
                              &len, w->asked->arg) == 0)
            flow = json_loadb(text, len, 0, NULL);
        if (!flow)
            flow = json_null();
        json_object_set_new(w->flows, key, flow);
    }
    return json_is_object(flow) ? flow : NULL;
}

/* ---- ways without a word ---- */

static unsigned unheard_from(struct walk *w, const char *key, json_t *flow,
                             const char *first, int depth);

/* *ends: the sub-flow may end unheard; its caller goes on. */
static unsigned unheard_in_call(struct walk *w, const json_t *node, int depth, bool *ends)
{
    CLEANUP(free_cleanup) char *key = key_of(node);
    json_t *flow = depth < IVR_MAX_DEPTH ? called(w, node) : NULL;
    unsigned how = flow ? unheard_from(w, key, flow, json_text(flow, "entry"), depth + 1)
                        : CALL_ENDS;

    *ends = how & FLOW_ENDS;
    return how & CALL_ENDS;
}

static unsigned walk_from(struct walk *w, json_t *nodes, const char *first, int depth)
{
    json_auto_t *seen = json_object(), *todo = json_pack("[s]", first);
    unsigned found = 0;

    while (json_array_size(todo) > 0) {
        size_t last = json_array_size(todo) - 1;
        CLEANUP(free_cleanup)
        char *id = xstrdup(json_string_value(json_array_get(todo, last)));
        json_t *node = json_object_get(nodes, id);
        json_t *exits = json_object_get(node, "exits"), *to = NULL;
        const char *name = NULL;
        bool goes_on = true;

        json_array_remove(todo, last);
        if (json_object_get(seen, id) || json_object_get(node, "prompt"))
            continue;
        json_object_set_new(seen, id, json_true());
        if (!node && str_is(id, "end"))
            found |= FLOW_ENDS;
        else if (!node || json_object_size(exits) == 0 || is_queue(w, node))
            found |= CALL_ENDS;
        else if (is_subflow(node))
            found |= unheard_in_call(w, node, depth, &goes_on);
        if (!node || is_queue(w, node) || !goes_on)
            continue;
        json_object_foreach(exits, name, to) if (json_is_string(to))
            json_array_append(todo, to);
    }
    return found;
}

static unsigned unheard_from(struct walk *w, const char *key, json_t *flow,
                             const char *first, int depth)
{
    CLEANUP(free_cleanup) char *at = xasprintf("%s\n%s", key, first);
    const json_t *known = json_object_get(w->known, at);

    if (known)
        return (unsigned)json_integer_value(known);
    unsigned found = walk_from(w, json_object_get(flow, "nodes"), first, depth);
    json_object_set_new(w->known, at, json_integer(found));
    return found;
}

/* ---- the queue's nodes ---- */

static bool queues_in(struct walk *w, const char *key, json_t *flow, int depth,
                      struct mode_silence *out, struct leak *leak);

/* From an exit of a queue's node, or of the sub-flow that leaked. */
static bool look(struct walk *w, const char *key, json_t *flow, const char *to, int depth,
                 const struct mode_silence *from, struct mode_silence *out,
                 struct leak *leak)
{
    unsigned how = unheard_from(w, key, flow, to, depth);

    if ((how & FLOW_ENDS) && depth > 1 && !leak->found)
        *leak = (struct leak){.found = true, .from = *from};
    if (!(how & CALL_ENDS) && !((how & FLOW_ENDS) && depth == 1))
        return false;
    *out = *from;
    return true;
}

static bool queue_is_silent(struct walk *w, const char *key, json_t *flow, const char *id,
                            int depth, struct mode_silence *out, struct leak *leak)
{
    static const char *const exits[] = {"full", "failed"};
    const json_t *ways =
        json_object_get(json_object_get(json_object_get(flow, "nodes"), id), "exits");

    for (size_t i = 0; i < ARRAY_LEN(exits); i++) {
        struct mode_silence from = {.exit = exits[i]};

        str_cut(from.node, sizeof(from.node), id);
        if (depth > 1)
            str_cut(from.flow, sizeof(from.flow), json_text(flow, "name"));
        if (look(w, key, flow, json_text(ways, exits[i]), depth, &from, out, leak))
            return true;
    }
    return false;
}

static bool call_is_silent(struct walk *w, const char *key, json_t *flow,
                           const json_t *node, int depth, struct mode_silence *out,
                           struct leak *leak)
{
    CLEANUP(free_cleanup) char *inner = key_of(node);
    json_t *sub = depth < IVR_MAX_DEPTH ? called(w, node) : NULL;
    struct leak from = {0};

    if (!sub)
        return false; /* no queue in it is reached */
    if (queues_in(w, inner, sub, depth + 1, out, &from))
        return true;
    return from.found &&
           look(w, key, flow, json_text(json_object_get(node, "exits"), "done"), depth,
                &from.from, out, leak);
}

static bool queues_in(struct walk *w, const char *key, json_t *flow, int depth,
                      struct mode_silence *out, struct leak *leak)
{
    json_t *node = NULL;
    const char *id = NULL;

    json_object_foreach(json_object_get(flow, "nodes"), id, node)
    {
        if (is_queue(w, node) && queue_is_silent(w, key, flow, id, depth, out, leak))
            return true;
        if (is_subflow(node) && call_is_silent(w, key, flow, node, depth, out, leak))
            return true;
    }
    return false;
}

bool mode_flow_is_silent(const struct mode_flow *f, struct mode_silence *out)
{
    struct leak none = {0};
    struct walk w;

    walk_init(&w, f);
    bool silent = queues_in(&w, "", json_object_get(w.flows, ""), 1, out, &none);
    walk_deinit(&w);
    return silent;
}

/* ---- the way there ---- */

static bool leads(struct walk *w, json_t *flow, int depth)
{
    json_t *node = NULL;
    const char *id = NULL;

    json_object_foreach(json_object_get(flow, "nodes"), id, node)
    {
        if (is_queue(w, node))
            return true;
        if (is_subflow(node) && depth < IVR_MAX_DEPTH &&
            leads(w, called(w, node), depth + 1))
            return true;
    }
    return false;
}

bool mode_flow_leads_to(const struct mode_flow *f)
{
    struct walk w;

    walk_init(&w, f);
    bool found = leads(&w, json_object_get(w.flows, ""), 1);
    walk_deinit(&w);
    return found;
}
