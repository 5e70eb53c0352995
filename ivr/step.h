/*
 * step - one sprint: from an input to the next wait or the end. Inside ivr/ only.
 */
#ifndef IVR_STEP_H
#define IVR_STEP_H

#include "ivr/prog.h"

enum sprint_mode { SPRINT_RUNNING, SPRINT_WAITING, SPRINT_ENDED };

struct visit {
    uint16_t flow, node, count;
};

struct sprint {
    const struct ivr_prog *prog;
    const struct ivr_env *env;
    struct ivr_arena *arena;
    enum sprint_mode mode;
    int err;         /* ENOMEM */
    bool party_gone; /* no prompts, no HANGUP effect */
    struct ivr_state s;
    struct ivr_var *vars;
    size_t var_cap;
    struct ivr_effect *effects;
    size_t effect_count, effect_cap;
    struct ivr_event *events;
    size_t event_count, event_cap;
    struct visit visits[2 * SPRINT_STEPS_MAX];
    size_t visit_count;
    int64_t steps;
    int prompts;              /* heard in this sprint */
    enum ivr_part part;       /* of what is spoken now */
    const char *sensitive[8]; /* variables that no state keeps */
    size_t sensitive_count;
    struct expr_env expr;
};

/* Texts of inputs may be NULL. */
static inline const char *given(const char *text)
{
    return text ? text : "";
}

/* ---- step.c ---- */

struct ivr_frame *sprint_frame(struct sprint *sp);
const struct flow *sprint_flow(struct sprint *sp);
/* Of the flows that are entered: 1 the root. */
const struct flow *sprint_flow_at(const struct sprint *sp, int depth);
void sprint_go(struct sprint *sp, uint16_t node); /* in its own flow */

void event(struct sprint *sp, enum ivr_event_kind kind, const char *name,
           const char *value, const char *category);
struct ivr_effect *effect(struct sprint *sp, enum ivr_effect_kind kind); /* or NULL */

void take_exit(struct sprint *sp, const struct node *n, const char *name,
               const char *operand);
bool node_has_exit(const struct node *n, const char *name);
/* The flow cannot go on: on_error once, then the end. */
void sprint_fail(struct sprint *sp, const char *code, const char *detail);
/* The exit `failed` where there is one, else sprint_fail(). */
void node_fail(struct sprint *sp, const struct node *n, const char *code,
               const char *detail);
void sprint_end(struct sprint *sp, const char *reason, const char *outcome);
void sprint_wait(struct sprint *sp, enum ivr_wait_kind kind, int64_t within_ms);

/* ---- step_vars.c ---- */

void set_var(struct sprint *sp, const char *name, const struct ivr_value *value,
             bool quiet);
/* Until the sprint ends; in no event. */
void set_sensitive(struct sprint *sp, const char *name, const char *entry);
void forget_sensitive(struct sprint *sp); /* it ends */

/* ---- step_globals.c ---- */

void opt_out(struct sprint *sp, int64_t scope);
/* A global key's work; false: it is none. */
bool take_global(struct sprint *sp, const char *digits);
/* The same for what was said. */
bool take_global_words(struct sprint *sp, const char *said);
/* NULL-terminated; longest in *longest. NULL: ENOMEM. */
const char *const *global_keys(struct sprint *sp, int *longest);

/* ---- step_fit.c ---- */

bool fits_wait(const struct ivr_state *s, enum ivr_input_kind kind);
/* Do the places and times that the state names exist, and do they wait like that? */
bool fits_program(const struct ivr_prog *prog, const struct ivr_state *s);

/* The party's language, where the flow has it. */
void begin_language(struct sprint *sp);

/* ---- step_go_on.c ---- */

/* At the start; false: it begins as ever. */
bool go_on_offer(struct sprint *sp);
void go_on_answer(struct sprint *sp, const struct ivr_input *in);

/* ---- step_say.c ---- */

/* NULL on ENOMEM; a fault stands as "" and is warned of. */
const char *render(struct sprint *sp, const struct template_ *t, enum template_kind kind,
                   bool *faulty);
struct ivr_value evaluate(struct sprint *sp, const struct expr *x);
/* All prompts, or none and false: one has no usable language. */
bool speak(struct sprint *sp, const struct prompts *list, bool bargeable);
bool speak_in(struct sprint *sp, const struct prompts *list, bool bargeable,
              const char *lang);
/* The variant for the state's language, by the prompt's own fallbacks. NULL: none. */
const struct variant *pick_variant(struct sprint *sp, const struct prompt *p,
                                   const char *lang, bool spoken);

/* ---- step_nodes.c, step_wait.c; and of single kinds step_keys.c, step_api.c,
 * step_data.c ---- */

/* Waits for one key, which is nobody's node's. */
void ask_one_key(struct sprint *sp, int64_t first_ms);
void node_enter(struct sprint *sp, const struct node *n);
void node_resume(struct sprint *sp, const struct node *n, const struct ivr_input *in);

void enter_keys(struct sprint *sp, const struct node *n);
void resume_keys(struct sprint *sp, const struct node *n, const struct ivr_input *in);
void enter_data(struct sprint *sp, const struct node *n);
void resume_data(struct sprint *sp, const struct node *n, const struct ivr_input *in);
void enter_api(struct sprint *sp, const struct node *n);
void resume_api(struct sprint *sp, const struct node *n, const struct ivr_input *in);
void enter_record(struct sprint *sp, const struct node *n);
void enter_transfer(struct sprint *sp, const struct node *n);
void enter_queue(struct sprint *sp, const struct node *n);

#endif
