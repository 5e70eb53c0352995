#include "ivr/step.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { PROMPT_ALLOWANCE_MS = 120000, SLACK_MS = 15000 };

struct ivr_frame *sprint_frame(struct sprint *sp)
{
    return &sp->s.stack[sp->s.depth - 1];
}

const struct flow *sprint_flow_at(const struct sprint *sp, int depth)
{
    return sp->prog->flows[sp->s.stack[depth - 1].flow];
}

const struct flow *sprint_flow(struct sprint *sp)
{
    return sprint_flow_at(sp, sp->s.depth);
}

static const struct node *node_at(const struct sprint *sp)
{
    return &sprint_flow_at(sp, sp->s.depth)->nodes[sp->s.stack[sp->s.depth - 1].node];
}

/* ---- what a sprint gives out ---- */

static void event_at(struct sprint *sp, const char *node, struct ivr_event ev)
{
    void *events = sp->events;

    if (!ev.value || !arena_grow(sp->arena, &events, sp->event_count, &sp->event_cap,
                                 sizeof(*sp->events))) {
        sp->err = ENOMEM;
        return;
    }
    ev.flow = sprint_flow(sp)->name;
    ev.node = node;
    sp->events = events;
    sp->events[sp->event_count++] = ev;
}

/* value NULL: an allocation failed. */
void event(struct sprint *sp, enum ivr_event_kind kind, const char *name,
           const char *value, const char *category)
{
    event_at(sp, node_at(sp)->id,
             (struct ivr_event){
                 .kind = kind, .name = name, .value = value, .category = category});
}

struct ivr_effect *effect(struct sprint *sp, enum ivr_effect_kind kind)
{
    void *effects = sp->effects;

    if (!arena_grow(sp->arena, &effects, sp->effect_count, &sp->effect_cap,
                    sizeof(*sp->effects))) {
        sp->err = ENOMEM;
        return NULL;
    }
    sp->effects = effects;
    struct ivr_effect *fx = &sp->effects[sp->effect_count++];
    memset(fx, 0, sizeof(*fx));
    fx->kind = kind;
    return fx;
}

/* ---- moving ---- */

bool node_has_exit(const struct node *n, const char *name)
{
    for (size_t i = 0; i < n->exit_count; i++)
        if (strcmp(n->exits[i].name, name) == 0)
            return true;
    return false;
}

static uint16_t exit_target(const struct node *n, const char *name)
{
    for (size_t i = 0; i < n->exit_count; i++)
        if (strcmp(n->exits[i].name, name) == 0)
            return n->exits[i].target;
    return TARGET_END; /* the compiler wires all of them */
}

void sprint_go(struct sprint *sp, uint16_t node)
{
    sprint_frame(sp)->node = node;
    sprint_frame(sp)->attempts = 0;
}

void take_exit(struct sprint *sp, const struct node *n, const char *name,
               const char *operand)
{
    if (sp->expr.fuel < 0) {
        sprint_fail(sp, "limit", "work");
        return;
    }
    for (;;) {
        event_at(
            sp, n->id,
            (struct ivr_event){
                .kind = IVR_EV_LEFT, .name = name, .value = operand, .category = ""});
        uint16_t target = exit_target(n, name);
        if (target != TARGET_END) {
            sprint_go(sp, target);
            return;
        }
        /* Once the party is gone there is no caller to go back to. */
        if (sp->s.depth == 1 || sp->party_gone) {
            sprint_end(sp, "normal",
                       sp->party_gone        ? "hung_up"
                       : sp->s.on_error_used ? "failed"
                                             : "completed");
            return;
        }
        /* A sub-flow's end is its caller's exit `done`. */
        sp->s.depth--;
        sp->s.wait.media_node = IVR_NO_NODE;
        n = node_at(sp);
        name = "done";
        operand = "";
    }
}

void sprint_end(struct sprint *sp, const char *reason, const char *outcome)
{
    if (sp->s.opted_out &&
        (strcmp(outcome, "completed") == 0 || strcmp(outcome, "hung_up") == 0))
        outcome = "opted_out";
    sp->mode = SPRINT_ENDED;
    sp->s.status = IVR_ENDED;
    sp->s.wait = (struct ivr_wait){IVR_WAIT_NONE, IVR_NO_NODE, 0};
    snprintf(sp->s.outcome, sizeof(sp->s.outcome), "%s", outcome);
    const char *kept = arena_text(sp->arena, sp->s.outcome);
    if (!kept) {
        sp->err = ENOMEM;
        return;
    }
    event_at(sp, "",
             (struct ivr_event){
                 .kind = IVR_EV_ENDED, .name = kept, .value = reason, .category = ""});
    struct ivr_effect *fx = sp->party_gone ? NULL : effect(sp, IVR_FX_HANGUP);
    if (fx) {
        fx->hangup.reason = reason;
        fx->hangup.outcome = kept;
        fx->hangup.details = "";
    }
}

void sprint_wait(struct sprint *sp, enum ivr_wait_kind kind, int64_t within_ms)
{
    int64_t deadline_at_ms = sp->env->now_ms + within_ms + SLACK_MS +
                             (int64_t)sp->prompts * PROMPT_ALLOWANCE_MS;

    if (deadline_at_ms > sp->s.hard_stop_at_ms)
        deadline_at_ms = sp->s.hard_stop_at_ms;
    sp->mode = SPRINT_WAITING;
    sp->s.status = IVR_WAITING;
    sp->s.wait.kind = kind;
    /* Heard in a flow that is left by now: the node that waits answers for it. */
    if (sp->prompts > 0 && sp->s.wait.media_node == IVR_NO_NODE)
        sp->s.wait.media_node = sprint_frame(sp)->node;
    sp->s.wait.deadline_at_ms = deadline_at_ms;
}

/* To the nearest flow around that has on_error; false: there is none, or it was used. */
static bool go_on_error(struct sprint *sp)
{
    if (sp->s.on_error_used || sp->party_gone)
        return false;
    for (int depth = sp->s.depth; depth > 0; depth--) {
        uint16_t target = sprint_flow_at(sp, depth)->on_error;
        if (target == IVR_NO_NODE)
            continue;
        sp->s.on_error_used = true;
        sp->s.depth = (uint8_t)depth;
        sp->s.wait.media_node = IVR_NO_NODE;
        sprint_go(sp, target);
        /* It must be able to say so: a small allowance of its own. */
        sp->steps = 0;
        sp->visit_count = 0;
        sp->expr.fuel = EXPR_FUEL;
        return true;
    }
    return false;
}

void sprint_fail(struct sprint *sp, const char *code, const char *detail)
{
    event(sp, IVR_EV_ERROR, code, detail, "");
    sp->s.wait.media_node = IVR_NO_NODE;
    if (!go_on_error(sp))
        sprint_end(sp, "error", "failed");
}

void node_fail(struct sprint *sp, const struct node *n, const char *code,
               const char *detail)
{
    if (node_has_exit(n, "failed")) {
        event(sp, IVR_EV_WARNING, code, detail, "");
        take_exit(sp, n, "failed", code);
        return;
    }
    /* A sub-flow without on_error fails as a whole: its caller says what then. */
    if (sp->s.depth > 1 && sprint_flow(sp)->on_error == IVR_NO_NODE) {
        event(sp, IVR_EV_ERROR, code, detail, "");
        sp->s.depth--;
        sp->s.wait.media_node = IVR_NO_NODE;
        take_exit(sp, node_at(sp), "failed", code);
        return;
    }
    sprint_fail(sp, code, detail);
}

/* ---- the sprint ---- */

/* False when this node was entered too often without anybody doing anything. */
static bool count_visit(struct sprint *sp)
{
    const struct ivr_frame *f = sprint_frame(sp);

    for (size_t i = 0; i < sp->visit_count; i++)
        if (sp->visits[i].flow == f->flow && sp->visits[i].node == f->node)
            return ++sp->visits[i].count <= sp->prog->flows[0]->visits;
    if (sp->visit_count < ARRAY_LEN(sp->visits))
        sp->visits[sp->visit_count++] = (struct visit){f->flow, f->node, 1};
    return true;
}

static const char *broken_bound(struct sprint *sp)
{
    const struct flow *root = sp->prog->flows[0];
    bool allowance = sp->s.on_error_used || sp->party_gone;
    int64_t more = allowance ? ERROR_STEPS : 0;

    if (sp->steps >= (allowance ? ERROR_STEPS : root->sprint_steps))
        return "sprint_steps";
    if (sp->s.total_steps >= root->session_steps + more)
        return "session_steps";
    if (sp->expr.fuel < 0)
        return "work";
    return count_visit(sp) ? NULL : "visits";
}

static void run(struct sprint *sp)
{
    while (sp->mode == SPRINT_RUNNING && !sp->err) {
        if (sp->env->now_ms >= sp->s.hard_stop_at_ms && !sp->party_gone) {
            sprint_end(sp, "time_limit", "interrupted");
            break;
        }
        const char *bound = broken_bound(sp);
        if (bound) {
            sp->s.wait.media_node = IVR_NO_NODE;
            sprint_fail(sp, "limit", bound);
            continue;
        }
        sp->steps++;
        sp->s.total_steps++;
        const struct node *n = node_at(sp);
        event(sp, IVR_EV_ENTERED, node_kind_name(n->kind), "", "");
        node_enter(sp, n);
    }
}

void begin_language(struct sprint *sp)
{
    const struct flow *root = sp->prog->flows[0];
    const struct ivr_env *env = sp->env;
    const char *lang = root->language;
    bool known = env->language && *env->language;

    if (known && flow_has_language(root, env->language))
        lang = env->language;
    else if (known)
        event_at(sp, "",
                 (struct ivr_event){.kind = IVR_EV_WARNING,
                                    .name = "language_not_offered",
                                    .value = env->language,
                                    .category = ""});
    snprintf(sp->s.lang, sizeof(sp->s.lang), "%s", lang);
}

static void start(struct sprint *sp)
{
    const struct flow *root = sp->prog->flows[0];
    const struct ivr_env *env = sp->env;

    memcpy(sp->s.prog_hash, sp->prog->hash, sizeof(sp->s.prog_hash));
    snprintf(sp->s.session, sizeof(sp->s.session), "%s",
             env->session ? env->session : "");
    sp->s.tenant = env->tenant;
    sp->s.depth = 1;
    sp->s.started_at_ms = env->now_ms;
    sp->s.hard_stop_at_ms = env->now_ms + root->max_ms;
    sprint_go(sp, root->entry);
    event_at(sp, "",
             (struct ivr_event){.kind = IVR_EV_STARTED,
                                .name = env->inbound ? "inbound" : "outbound",
                                .value = "",
                                .category = ""});
    begin_language(sp);
}

/* The party is gone: what the nearest on_hangup says, silently. */
static void hang_up(struct sprint *sp)
{
    sp->party_gone = true;
    for (int depth = sp->s.depth; depth > 0; depth--) {
        uint16_t target = sprint_flow_at(sp, depth)->on_hangup;
        if (target == IVR_NO_NODE)
            continue;
        sp->s.depth = (uint8_t)depth;
        sprint_go(sp, target);
        run(sp);
        break;
    }
    if (sp->mode == SPRINT_RUNNING)
        sprint_end(sp, "normal", "hung_up");
}

static void media_failed(struct sprint *sp)
{
    const struct node *n = &sprint_flow(sp)->nodes[sp->s.wait.media_node];

    sprint_frame(sp)->node = sp->s.wait.media_node;
    node_fail(sp, n, "media", "a prompt could not be played");
}

static void resume(struct sprint *sp, const struct ivr_input *in)
{
    if (in->kind == IVR_IN_HANGUP && sp->s.offered) { /* nothing has happened yet */
        sp->party_gone = true;
        sprint_end(sp, "normal", "hung_up");
        return;
    }
    if (in->kind == IVR_IN_HANGUP) {
        hang_up(sp);
        return;
    }
    if (in->kind == IVR_IN_STOP) {
        sprint_end(sp, "stopped", "interrupted");
        return;
    }
    if (sp->s.offered) {
        go_on_answer(sp, in);
        run(sp);
        return;
    }
    if (in->kind == IVR_IN_MEDIA_FAILED) {
        media_failed(sp);
        sp->s.wait.media_node = IVR_NO_NODE;
    } else {
        sp->s.wait.media_node = IVR_NO_NODE;
        node_resume(sp, node_at(sp), in);
    }
    run(sp);
}

static enum ivr_verdict judge(const struct ivr_prog *prog, const struct ivr_env *env,
                              const struct ivr_state *s, const struct ivr_input *in)
{
    bool any_token = in->kind == IVR_IN_HANGUP || in->kind == IVR_IN_STOP;

    if (memcmp(s->prog_hash, prog->hash, sizeof(prog->hash)) != 0 ||
        s->tenant != env->tenant)
        return IVR_PIN_MISMATCH;
    if (!fits_program(prog, s))
        return IVR_CORRUPT;
    if (s->status == IVR_ENDED)
        return IVR_OVER;
    if (in->token != s->seq && !any_token)
        return IVR_STALE;
    return fits_wait(s, in->kind) ? IVR_OK : IVR_WRONG_WAIT;
}

static int copy_state(struct sprint *sp, const struct ivr_state *s)
{
    sp->s = *s;
    sp->var_cap = s->var_count + 8;
    sp->vars = arena_alloc(sp->arena, sp->var_cap * sizeof(*sp->vars));
    if (!sp->vars)
        return ENOMEM;
    if (s->var_count > 0)
        memcpy(sp->vars, s->vars, s->var_count * sizeof(*sp->vars));
    return 0;
}

static int give(struct sprint *sp, struct ivr_out *out)
{
    struct ivr_state *s = arena_alloc(sp->arena, sizeof(*s));

    if (sp->err || !s)
        return ENOMEM;
    if (sp->sensitive_count > 0)
        forget_sensitive(sp);
    sp->s.seq++;
    *s = sp->s;
    s->vars = sp->vars;
    *out = (struct ivr_out){IVR_OK,           s,          sp->effects,
                            sp->effect_count, sp->events, sp->event_count};
    return 0;
}

EXPORT int ivr_step(const struct ivr_prog *prog, const struct ivr_env *env,
                    const struct ivr_state *state, const struct ivr_input *input,
                    struct ivr_arena *arena, struct ivr_out *out)
{
    *out = (struct ivr_out){0};
    if ((state == NULL) != (input->kind == IVR_IN_START))
        return EINVAL;
    out->verdict = state ? judge(prog, env, state, input) : IVR_OK;
    if (out->verdict != IVR_OK)
        return 0;
    struct sprint *sp = arena_alloc(arena, sizeof(*sp));
    if (!sp)
        return ENOMEM;
    sp->prog = prog;
    sp->env = env;
    sp->arena = arena;
    sp->s.wait.media_node = IVR_NO_NODE;
    int err = state ? copy_state(sp, state) : 0;
    if (err)
        return err;
    if (!state) {
        sp->s.seq = env->seq;
        start(sp);
    }
    sp->expr = (struct expr_env){.env = env,
                                 .lang = sp->s.lang,
                                 .started_at_ms = sp->s.started_at_ms,
                                 .random = env->seed + (uint64_t)sp->s.seq *
                                                           UINT64_C(0xd1342543de82ef95),
                                 .fuel = EXPR_FUEL,
                                 .arena = arena};
    if (state)
        resume(sp, input);
    else if (!go_on_offer(sp))
        run(sp);
    return give(sp, out);
}

EXPORT const char *ivr_event_name(enum ivr_event_kind kind)
{
    static const char *const names[] = {
        [IVR_EV_STARTED] = "started", [IVR_EV_ENTERED] = "entered",
        [IVR_EV_LEFT] = "left",       [IVR_EV_RESULT] = "result",
        [IVR_EV_VAR_SET] = "var_set", [IVR_EV_WARNING] = "warning",
        [IVR_EV_ERROR] = "error",     [IVR_EV_ENDED] = "ended"};

    return names[kind];
}
