#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "ivr/expr.h"
#include "ivr/number.h"

struct ivr_value value_null(void)
{
    return (struct ivr_value){.type = IVR_NULL, .text = ""};
}

struct ivr_value value_bool(bool b)
{
    return (struct ivr_value){.type = IVR_BOOL, .i = b, .text = ""};
}

struct ivr_value value_int(int64_t i)
{
    return (struct ivr_value){.type = IVR_INT, .i = i, .text = ""};
}

struct ivr_value value_text(const char *text)
{
    return (struct ivr_value){.type = IVR_TEXT, .text = text};
}

struct ivr_value value_fault(const char *text)
{
    return (struct ivr_value){.type = IVR_FAULT, .text = text};
}

struct ivr_value value_of_json(const json_t *j, struct ivr_arena *arena)
{
    switch (json_typeof(j)) {
    case JSON_OBJECT:
    case JSON_ARRAY:
        return (struct ivr_value){.type = IVR_JSON, .text = "", .json = j};
    case JSON_STRING: {
        const char *copy = arena_copy(arena, json_string_value(j), json_string_length(j));
        return copy ? value_text(copy) : value_fault("out of memory");
    }
    case JSON_INTEGER:
        return value_int(json_integer_value(j));
    case JSON_REAL:
        return number_of_real(json_real_value(j));
    case JSON_TRUE:
    case JSON_FALSE:
        return value_bool(json_is_true(j));
    case JSON_NULL:
        break;
    }
    return value_null();
}

/*
 * jansson calls some failed allocations a syntax error. So a failure counts only when
 * there is memory for a probe and the text is refused a second time.
 */
int value_load_json(json_t **out, const char *text, size_t len, size_t flags,
                    json_error_t *e)
{
    *out = json_loadb(text, len, flags, e);
    if (*out)
        return 0;
    json_t *probe = json_object();
    if (!probe)
        return ENOMEM;
    json_decref(probe);
    *out = json_loadb(text, len, flags, e);
    if (*out)
        return 0;
    return json_error_code(e) == json_error_out_of_memory ? ENOMEM : EBADMSG;
}

static const char *json_text(const json_t *j, struct ivr_arena *arena)
{
    enum { FLAGS = JSON_COMPACT | JSON_ENCODE_ANY };
    size_t n = json_dumpb(j, NULL, 0, FLAGS);
    char *text = n > 0 ? arena_alloc(arena, n + 1) : NULL;

    if (!text || json_dumpb(j, text, n, FLAGS) != n)
        return NULL;
    return text;
}

const char *value_to_text(const struct ivr_value *v, struct ivr_arena *arena)
{
    switch (v->type) {
    case IVR_NULL:
    case IVR_FAULT:
        return "";
    case IVR_BOOL:
        return v->i ? "true" : "false";
    case IVR_INT:
        return arena_printf(arena, "%" PRId64, v->i);
    case IVR_DECIMAL:
        return number_to_text(v, arena);
    case IVR_TEXT:
        return v->text;
    case IVR_JSON:
        return json_text(v->json, arena);
    }
    return "";
}

bool value_is_true(const struct ivr_value *v)
{
    switch (v->type) {
    case IVR_BOOL:
    case IVR_INT:
    case IVR_DECIMAL:
        return v->i != 0;
    case IVR_TEXT:
        return *v->text != '\0';
    case IVR_JSON:
        return json_array_size(v->json) + json_object_size(v->json) > 0;
    case IVR_NULL:
    case IVR_FAULT:
        break;
    }
    return false;
}

int value_compare(const struct ivr_value *a, const struct ivr_value *b)
{
    int order = 2;

    if (a->type == IVR_NULL || b->type == IVR_NULL)
        return a->type == b->type ? 0 : a->type == IVR_NULL ? -1 : 1;
    if (value_is_number(a) && value_is_number(b)) {
        order = number_compare(a, b);
    } else if (a->type == IVR_TEXT && b->type == IVR_TEXT) {
        int c = strcmp(a->text, b->text);
        order = (c > 0) - (c < 0);
    } else if (a->type == IVR_BOOL && b->type == IVR_BOOL) {
        order = (a->i > b->i) - (a->i < b->i);
    }
    return order;
}

const char *value_type_name(enum ivr_type type)
{
    static const char *const names[] = {
        "nothing", "true or false", "a whole number", "a decimal number",
        "a text",  "a list or map", "a fault"};
    return names[type];
}

/* ---- evaluating ---- */

static struct ivr_value eval_var(const struct expr_env *e, const char *name)
{
    size_t low = 0, high = e->var_count;

    while (low < high) {
        size_t mid = (low + high) / 2;
        int order = strcmp(e->vars[mid].name, name);
        if (order == 0)
            return e->vars[mid].value;
        if (order < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return value_null();
}

static struct ivr_value eval_contact(const struct expr_env *e, const char *const *path)
{
    const json_t *j = e->env->contact;

    for (; j && *path; path++)
        j = json_object_get(j, *path);
    return j ? value_of_json(j, e->arena) : value_null();
}

static struct ivr_value eval_call(struct expr_env *e, const struct expr *x)
{
    struct ivr_value args[EXPR_ARGS_MAX];

    for (int i = 0; i < x->n; i++) {
        args[i] = expr_eval(e, x->args[i]);
        if (args[i].type == IVR_FAULT && !x->function->takes_faults)
            return args[i];
    }
    return x->function->run(e, args, x->n);
}

struct ivr_value expr_eval(struct expr_env *e, const struct expr *x)
{
    struct ivr_value v = value_null();

    if (e->fuel <= 0) {
        e->fuel = -1;
        return value_fault("the expressions take too much work");
    }
    e->fuel--;
    switch (x->kind) {
    case EXPR_VALUE:
        return x->value;
    case EXPR_CALL:
        v = eval_call(e, x);
        break;
    case EXPR_VAR:
        return eval_var(e, x->path[0]);
    case EXPR_CONTACT:
        v = eval_contact(e, x->path);
        break;
    case EXPR_CALL_FACT:
        return expr_fact(e, x->fact);
    case EXPR_DIGITS:
        return value_text(e->digits ? e->digits : "");
    case EXPR_SAID:
        return value_text(e->said ? e->said : "");
    }
    if (v.type == IVR_TEXT && strlen(v.text) > EXPR_TEXT_MAX)
        return value_fault("a text is too long");
    return v;
}

struct ivr_value expr_text(struct expr_env *e, const char *text)
{
    if (text)
        return value_text(text);
    e->no_memory = true;
    return value_fault("out of memory");
}
