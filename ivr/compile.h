/*
 * compile - what the files of the compiler share. Inside ivr/ only.
 *
 * Errors in the document become issues and compiling goes on, so that an author sees
 * all of them; only ENOMEM stops it, and stays in c->err.
 */
#ifndef IVR_COMPILE_H
#define IVR_COMPILE_H

#include "ivr/prog.h"

enum {
    POINTER_MAX = 1024,
    ISSUES_MAX = 100,
    VARS_MAX = 192, /* names in one program */
    VAR_WORDS = VARS_MAX / 64,
};

struct var_set {
    uint64_t bits[VAR_WORDS];
};

/* A variable read by a node, where its author wrote it. */
struct var_use {
    uint16_t node; /* IVR_NO_NODE: by the prompt */
    const struct prompt *prompt;
    uint16_t var;
    bool provided; /* it may be missing there */
    const char *pointer;
};

/* One document while it is compiled. */
struct source {
    const char *text;
    size_t len;
    struct flow *flow;
    const char *issue_name; /* "" for the root */
    const json_t *nodes;
    struct node *list;    /* flow->nodes while they are filled */
    struct var_set *sets; /* by node, on its good exits */
    struct prompt *prompts;
    size_t prompt_count;
    struct var_use *uses;
    size_t use_count, use_cap;
};

struct compiler {
    struct ivr_arena *arena;
    const struct ivr_compile_options *options;
    struct ivr_prog *prog;
    int err; /* ENOMEM */
    struct ivr_issue *issues;
    size_t issue_count, issue_cap, errors, portable_errors; /* the last among errors */
    char pointer[POINTER_MAX];                              /* of the value in hand */
    size_t pointer_len;
    struct source *src;
    const char *var_names[VARS_MAX];
    size_t var_count;
    uint16_t node; /* in hand, or IVR_NO_NODE */
    const struct prompt *prompt;
    int depth;                              /* of sub-flows */
    const char *open[IVR_MAX_DEPTH + 1];    /* names of the sub-flows around this one */
    uint16_t open_flows[IVR_MAX_DEPTH + 1]; /* the same, and the root, by number */
    struct ivr_prompt *still;               /* prompts that need nothing of a call */
    size_t still_count, still_cap;
};

/* ---- issues.c ---- */

/* Step into a member and back out: size_t was = path_in(c, "x"); …; path_out(c, was); */
size_t path_in(struct compiler *c, const char *key);
size_t path_in_index(struct compiler *c, size_t i);
void path_out(struct compiler *c, size_t was);

/* hint may be "". */
PRINTF_LIKE(3, 4)
void complain(struct compiler *c, const char *hint, const char *format, ...);
PRINTF_LIKE(3, 4)
void warn(struct compiler *c, const char *hint, const char *format, ...);
/* Of a member of the value in hand, at its key. */
PRINTF_LIKE(4, 5)
void complain_key(struct compiler *c, const char *key, const char *hint,
                  const char *format, ...);
void complain_syntax(struct compiler *c, const json_error_t *e);
void warn_at(struct compiler *c, const char *pointer, const char *hint, const char *text);

/* ---- position.c ---- */

/* Line and column of a JSON Pointer's value, or of its key; of the nearest parent when
 * there is no such value. */
void position_find(const char *text, size_t len, const char *pointer, bool key, int *line,
                   int *column);

/* ---- compile_parts.c ---- */

void *keep(struct compiler *c, size_t size); /* NULL: c->err is set */
const char *keep_text(struct compiler *c, const char *text);
/* The kinds of JSON value; each complains and returns false when it is not one. */
bool want_object(struct compiler *c, const json_t *j);
const char *want_text(struct compiler *c, const json_t *j); /* NULL: complained */
/* An object's members as a list, n of them; each is read with its pointer in hand, and
 * counts when `read` says so. NULL: complained, or ENOMEM. */
typedef bool(member_fn)(struct compiler *c, const char *name, const json_t *value,
                        void *place);
void *want_members(struct compiler *c, const json_t *j, size_t size, member_fn *read,
                   size_t *n);
bool want_number(struct compiler *c, const json_t *j, double low, double high, double *v);
bool want_bool(struct compiler *c, const json_t *j, bool *out);
bool want_template(struct compiler *c, const json_t *j, struct template_ *out);
/* "{{…}}" and nothing around it. */
const struct expr *want_expr(struct compiler *c, const json_t *j, bool digits);
bool want_value(struct compiler *c, const json_t *j, struct assignment *out);
bool want_json_template(struct compiler *c, const json_t *j, struct template_ *out);
bool is_keys(const char *text); /* of a telephone */
bool is_lang(const char *text);

/* The variable's number; -1: too many. */
int var_number(struct compiler *c, const char *name);
/* The node in hand sets it. */
void var_is_set(struct compiler *c, const char *name);
/* A text, or a list of them, as one with commas between; NULL: complained. */
const char *want_patterns(struct compiler *c, const json_t *j);

bool compile_prompt(struct compiler *c, const json_t *j, struct prompt *out);
/* An id, a prompt, or a list of these. */
void compile_prompts(struct compiler *c, const json_t *j, struct prompts *out);
/* A node's name or "end"; IVR_NO_NODE: complained. */
uint16_t compile_target(struct compiler *c, const json_t *j);
uint16_t node_number(const struct compiler *c, const char *id);

/* ---- compile_nodes.c ---- */

void compile_node(struct compiler *c, const json_t *j, struct node *n);
bool node_exit_is_good(const char *name);

/* ---- compile_own.c, compile_data.c: for the table of kinds ---- */

void own_set(struct compiler *c, const json_t *j, struct node *n);
void own_headers(struct compiler *c, const json_t *j, struct node *n);
void own_extracts(struct compiler *c, const json_t *j, struct node *n);
void own_body(struct compiler *c, const json_t *j, struct node *n);
void own_words(struct compiler *c, const json_t *j, struct node *n);
void own_where(struct compiler *c, const json_t *j, struct node *n);
void own_change(struct compiler *c, const json_t *j, struct node *n);
void own_columns(struct compiler *c, const json_t *j, struct node *n);
void own_mock_row(struct compiler *c, const json_t *j, struct node *n);
void own_entities(struct compiler *c, const json_t *j, struct node *n);
void check_submit(struct compiler *c, const json_t *j, struct node *n);
void own_details(struct compiler *c, const json_t *j, struct node *n);
void own_mock(struct compiler *c, const json_t *j, struct node *n);
void own_choices(struct compiler *c, const json_t *j, struct node *n);
void own_finish(struct compiler *c, const json_t *j, struct node *n);
void own_subflow(struct compiler *c, const json_t *j, struct node *n);
void own_cases(struct compiler *c, const json_t *j, struct node *n);
void need_prompt(struct compiler *c, const json_t *j, struct node *n);
void check_collect(struct compiler *c, const json_t *j, struct node *n);
void check_branch(struct compiler *c, const json_t *j, struct node *n);
void check_callback(struct compiler *c, const json_t *j, struct node *n);
void check_api(struct compiler *c, const json_t *j, struct node *n);
void check_data(struct compiler *c, const json_t *j, struct node *n);
void check_subflow(struct compiler *c, const json_t *j, struct node *n);

/* ---- compile_graph.c ---- */

void check_graph(struct compiler *c);

/* ---- portable.c ---- */

/* What the back ends of the options cannot do, or do otherwise. */
void check_portable(struct compiler *c);

/* ---- compile.c ---- */

/* IVR_NO_NODE: complained. */
uint16_t compile_subflow(struct compiler *c, const char *name, const char *sha256);

#endif
