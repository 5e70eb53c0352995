/*
 * expr - expressions and templates of flows: "{{vars.crop | upper | default("maize")}}".
 *
 * Parsed once when a flow is compiled, evaluated within a bound of work afterwards.
 * Faults (a wrong type, a division by zero) are values: they travel to the top, where
 * default() or the node decides. Inside ivr/ only; pure.
 */
#ifndef IVR_EXPR_H
#define IVR_EXPR_H

#include "ivr/arena.h"
#include "ivr/ivr.h"

enum {
    EXPR_NAME_MAX = 31,   /* bytes of a variable's name */
    EXPR_ARGS_MAX = 8,    /* of one function */
    EXPR_DEPTH_MAX = 24,  /* of nested parentheses and calls */
    EXPR_FUEL = 2000,     /* evaluated parts of one sprint's every expression */
    EXPR_TEXT_MAX = 8192, /* bytes of a text that an expression makes */
};

struct expr;

enum template_kind {
    TEMPLATE_TEXT, /* as it is */
    TEMPLATE_URL,  /* values are percent encoded */
    TEMPLATE_JSON, /* literal parts are JSON, values become JSON values */
};

enum part_kind {
    PART_LITERAL,
    PART_VALUE,     /* in the template's own way */
    PART_JSON_TEXT, /* within a JSON string */
};

struct template_part {
    enum part_kind kind;
    const char *literal;
    const struct expr *expr;
};

struct template_ {
    size_t n;
    const struct template_part *parts;
};

/* A template that is one expression and nothing else keeps its type. */
bool template_is_expr(const struct template_ *t);
bool template_is_literal(const struct template_ *t);

/* ---- parsing ---- */

struct expr_error {
    const char *text, *hint;
};

/* Roots and names the parser lets pass; each use of vars.X is told. */
struct expr_scope {
    bool digits; /* `digits` is the entry of a collect, `said` what was said */
    /* provided: the expression says what holds without it, by default() or is_empty().
     * false: ENOMEM */
    bool (*uses)(void *arg, const char *var, bool provided);
    void *arg;
};

/* EBADMSG with *e filled, ENOMEM. */
NODISCARD int expr_parse(const struct expr **out, const char *text, size_t len,
                         const struct expr_scope *scope, struct ivr_arena *arena,
                         struct expr_error *e);
NODISCARD int template_parse(struct template_ *out, const char *text,
                             const struct expr_scope *scope, struct ivr_arena *arena,
                             struct expr_error *e);
/* A JSON value whose texts may be templates. */
NODISCARD int template_parse_json(struct template_ *out, const json_t *value,
                                  const struct expr_scope *scope, struct ivr_arena *arena,
                                  struct expr_error *e);

bool expr_is_name(const char *text); /* a variable's: a-z, 0-9, _ */

/* ---- values ---- */

struct ivr_value value_null(void);
struct ivr_value value_bool(bool b);
struct ivr_value value_int(int64_t i);
struct ivr_value value_text(const char *text);
struct ivr_value value_fault(const char *text);
/* Of a JSON value; lists and maps stay JSON. */
struct ivr_value value_of_json(const json_t *j, struct ivr_arena *arena);
/* Parsed text; EBADMSG with *e filled, ENOMEM. */
NODISCARD int value_load_json(json_t **out, const char *text, size_t len, size_t flags,
                              json_error_t *e);
/* NULL on ENOMEM; faults and null are "". */
const char *value_to_text(const struct ivr_value *v, struct ivr_arena *arena);
bool value_is_true(const struct ivr_value *v);
/* -1, 0, 1; 2 when the two cannot be compared. */
int value_compare(const struct ivr_value *a, const struct ivr_value *b);
const char *value_type_name(enum ivr_type type);
/* The name of a value in a text such as "12.50"; false: not a number. */
bool value_parse_number(const char *text, struct ivr_value *out);

/* ---- evaluating ---- */

struct expr_env {
    const struct ivr_env *env;
    const struct ivr_var *vars; /* sorted by name */
    size_t var_count;
    const char *lang;
    const char *digits, *said;
    int64_t started_at_ms;
    uint64_t random; /* advances with every random() */
    int fuel;
    bool no_memory; /* set once an allocation failed */
    struct ivr_arena *arena;
};

struct ivr_value expr_eval(struct expr_env *e, const struct expr *x);
/* The text, with "" for null. *fault is NULL or the first fault met, which stands as
 * "" in the text. NULL: ENOMEM. */
const char *template_eval(struct expr_env *e, const struct template_ *t,
                          enum template_kind kind, const char **fault);

/* ---- inside the expr files ---- */

enum expr_kind {
    EXPR_VALUE,
    EXPR_CALL,
    EXPR_VAR,
    EXPR_CONTACT,
    EXPR_CALL_FACT,
    EXPR_DIGITS,
    EXPR_SAID
};

struct expr_function {
    const char *name;
    int min, max; /* arguments */
    bool takes_faults;
    struct ivr_value (*run)(struct expr_env *e, const struct ivr_value *args, int n);
};

struct expr {
    enum expr_kind kind;
    struct ivr_value value;
    const char *const *path; /* CONTACT: NULL-terminated; VAR: its name */
    const struct expr_function *function;
    int n, fact;
    const struct expr *args[];
};

const struct expr_function *expr_function_find(const char *name, size_t len);
const struct expr_function *expr_said_function_find(const char *name, size_t len);
const struct expr_function *expr_time_function_find(const char *name, size_t len);
/* The fault "<what> is needed, not <what it is>". */
struct ivr_value expr_wants(struct expr_env *e, const char *what,
                            const struct ivr_value *got);
/* Is it a whole number from low to high? */
bool expr_whole(const struct ivr_value *v, int64_t low, int64_t high, int64_t *out);
int expr_fact_find(const char *name); /* of call.NAME; -1 */
struct ivr_value expr_fact(struct expr_env *e, int fact);
struct ivr_value expr_text(struct expr_env *e, const char *text); /* NULL: ENOMEM */

#endif
