/* Does a stored state fit its program, and an input the wait; what hosts may ask of a
 * wait. */
#include <string.h>

#include "ivr/step.h"

#define LATEST_MS INT64_C(253402300799999) /* the year 9999 */

bool fits_wait(const struct ivr_state *s, enum ivr_input_kind kind)
{
    switch (kind) {
    case IVR_IN_DIGITS:
    case IVR_IN_SAID:
    case IVR_IN_NO_INPUT:
        return s->wait.kind == IVR_WAIT_KEYS;
    case IVR_IN_RECORDED:
        return s->wait.kind == IVR_WAIT_RECORDING;
    case IVR_IN_DIAL_ENDED:
        return s->wait.kind == IVR_WAIT_DIAL;
    case IVR_IN_QUEUE_LEFT:
    case IVR_IN_QUEUE_NEWS:
        return s->wait.kind == IVR_WAIT_QUEUE;
    case IVR_IN_HTTP_DONE:
        return s->wait.kind == IVR_WAIT_HTTP;
    case IVR_IN_DATA_DONE:
        return s->wait.kind == IVR_WAIT_DATA;
    case IVR_IN_MEDIA_FAILED:
        return s->wait.media_node != IVR_NO_NODE;
    case IVR_IN_DEADLINE:
    case IVR_IN_HANGUP:
    case IVR_IN_STOP:
        return true;
    case IVR_IN_START:
        break;
    }
    return false;
}

static enum ivr_wait_kind wait_of(const struct node *n)
{
    switch (n->kind) {
    case NODE_COLLECT:
    case NODE_LANGUAGE:
        return IVR_WAIT_KEYS;
    case NODE_RECORD:
    case NODE_VOICEMAIL:
        return IVR_WAIT_RECORDING;
    case NODE_TRANSFER:
        return IVR_WAIT_DIAL;
    case NODE_QUEUE:
        return IVR_WAIT_QUEUE;
    case NODE_API:
        return IVR_WAIT_HTTP;
    case NODE_DATA:
        return IVR_WAIT_DATA;
    case NODE_PLAY:
    case NODE_SAY:
    case NODE_BRANCH:
    case NODE_SET:
    case NODE_CALLBACK:
    case NODE_SMS:
    case NODE_SUBMIT:
    case NODE_SUBFLOW:
    case NODE_HANGUP:
    case NODE_KINDS:
        break;
    }
    return IVR_WAIT_NONE;
}

static bool is_offered(const struct ivr_prog *prog, const char *lang)
{
    for (size_t i = 0; i < prog->flow_count; i++)
        if (flow_has_language(prog->flows[i], lang))
            return true;
    return false;
}

/* Do the places and times that the state names exist, and do they wait like that? */
bool fits_program(const struct ivr_prog *prog, const struct ivr_state *s)
{
    const struct flow *f = NULL;
    const struct node *n = NULL;

    if (s->depth == 0 || s->depth > IVR_MAX_DEPTH || s->stack[0].flow != 0 ||
        !is_offered(prog, s->lang))
        return false;
    if (s->started_at_ms < 0 || s->started_at_ms > LATEST_MS ||
        s->hard_stop_at_ms < s->started_at_ms ||
        s->hard_stop_at_ms - s->started_at_ms > prog->flows[0]->max_ms)
        return false;
    for (int i = 0; i < s->depth; i++) {
        if (s->stack[i].flow >= prog->flow_count)
            return false;
        f = prog->flows[s->stack[i].flow];
        if (s->stack[i].node >= f->node_count)
            return false;
        n = &f->nodes[s->stack[i].node];
        if (i + 1 < s->depth &&
            (n->kind != NODE_SUBFLOW || n->flow != s->stack[i + 1].flow))
            return false;
    }
    if (s->status == IVR_ENDED)
        return true;
    return (s->offered ? IVR_WAIT_KEYS : wait_of(n)) == s->wait.kind &&
           (s->wait.media_node == IVR_NO_NODE || s->wait.media_node < f->node_count);
}

EXPORT bool ivr_state_may_go_on(const struct ivr_prog *prog,
                                const struct ivr_state *state)
{
    if (prog->flows[0]->go_on_prompt.n == 0 || state->status != IVR_WAITING ||
        state->seq < 2 || state->offered || state->opted_out || state->on_error_used ||
        memcmp(state->prog_hash, prog->hash, sizeof(prog->hash)) != 0 ||
        !fits_program(prog, state))
        return false;
    return state->wait.kind == IVR_WAIT_KEYS || state->wait.kind == IVR_WAIT_RECORDING ||
           state->wait.kind == IVR_WAIT_QUEUE;
}

static const struct node *waiting_node(const struct ivr_prog *prog,
                                       const struct ivr_state *s)
{
    if (memcmp(s->prog_hash, prog->hash, sizeof(prog->hash)) != 0 ||
        !fits_program(prog, s) || s->status != IVR_WAITING || s->offered)
        return NULL;
    const struct ivr_frame *f = &s->stack[s->depth - 1];
    return &prog->flows[f->flow]->nodes[f->node];
}

EXPORT const char *ivr_state_node(const struct ivr_prog *prog,
                                  const struct ivr_state *state)
{
    const struct node *n = waiting_node(prog, state);

    return n ? n->id : "";
}

EXPORT bool ivr_state_entry(const struct ivr_prog *prog, const struct ivr_state *state,
                            struct ivr_collect *out)
{
    static const char *const none[] = {NULL};
    const struct node *n = waiting_node(prog, state);

    if (!n || state->wait.kind != IVR_WAIT_KEYS)
        return false;
    *out = (struct ivr_collect){.min = (int)n->min,
                                .max = (int)n->max,
                                .own_max = (int)n->max,
                                .finish = n->finish,
                                .first_ms = n->first_ms,
                                .inter_ms = n->inter_ms,
                                .sensitive = n->sensitive,
                                .global_keys = none};
    return true;
}

EXPORT const char *ivr_state_key(const struct ivr_prog *prog,
                                 const struct ivr_state *state, size_t i)
{
    const struct node *n = waiting_node(prog, state);

    for (size_t k = 0; n && k < n->exit_count; k++)
        if (n->kind == NODE_COLLECT && *n->exits[k].name &&
            strspn(n->exits[k].name, "0123456789*#") == strlen(n->exits[k].name) &&
            i-- == 0)
            return n->exits[k].name;
    return NULL;
}

EXPORT bool ivr_state_expects(const struct ivr_prog *prog, const struct ivr_state *state,
                              enum ivr_wait_kind kind, const char *node)
{
    const struct node *n = waiting_node(prog, state);

    return n && state->wait.kind == kind && strcmp(n->id, node) == 0;
}
