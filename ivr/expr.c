/*
 * The grammar, loosest first: or, and, not, comparison, + -, * / %, unary -,
 * and the filters `x | f(a)`, which are f(x, a) and bind tightest.
 */
#include "ivr/expr.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

struct parser {
    const char *p, *end;
    const struct expr_scope *scope;
    struct ivr_arena *arena;
    struct expr_error *e;
    int depth;
};

static int parse_or(struct parser *s, const struct expr **out);

static int complain(struct parser *s, const char *text, const char *hint)
{
    if (!text || !hint)
        return ENOMEM;
    *s->e = (struct expr_error){text, hint};
    return EBADMSG;
}

static void skip_space(struct parser *s)
{
    while (s->p < s->end && strchr(" \t\r\n", *s->p) && *s->p)
        s->p++;
}

static bool take(struct parser *s, const char *token)
{
    size_t len = strlen(token);

    skip_space(s);
    if ((size_t)(s->end - s->p) < len || memcmp(s->p, token, len) != 0)
        return false;
    s->p += len;
    return true;
}

static bool is_word_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           c == '_';
}

static bool take_word(struct parser *s, const char *word)
{
    const char *before = s->p;

    if (take(s, word) && (s->p == s->end || !is_word_char(*s->p)))
        return true;
    s->p = before;
    return false;
}

/* *len is 0 when no word stands here. */
static const char *take_any_word(struct parser *s, size_t *len)
{
    skip_space(s);
    const char *begin = s->p;
    while (s->p < s->end && is_word_char(*s->p))
        s->p++;
    *len = (size_t)(s->p - begin);
    return begin;
}

static int make(struct parser *s, enum expr_kind kind, int n, struct expr **out)
{
    *out = arena_alloc(s->arena, sizeof(**out) + (size_t)n * sizeof(void *));
    if (!*out)
        return ENOMEM;
    (*out)->kind = kind;
    (*out)->n = n;
    return 0;
}

static int make_value(struct parser *s, struct ivr_value v, const struct expr **out)
{
    struct expr *x = NULL;
    int err = make(s, EXPR_VALUE, 0, &x);

    if (err)
        return err;
    x->value = v;
    *out = x;
    return 0;
}

static int make_call(struct parser *s, const char *name, const struct expr *a,
                     const struct expr *b, const struct expr **out)
{
    struct expr *x = NULL;
    int err = make(s, EXPR_CALL, b ? 2 : 1, &x);

    if (err)
        return err;
    x->function = expr_function_find(name, strlen(name));
    x->args[0] = a;
    if (b)
        x->args[1] = b;
    *out = x;
    return 0;
}

static int parse_text(struct parser *s, const struct expr **out)
{
    char quote = *s->p++;
    struct growing g = {.arena = s->arena};

    while (s->p < s->end && *s->p != quote) {
        if (*s->p == '\\' && s->p + 1 < s->end)
            s->p++;
        growing_putc(&g, *s->p++);
    }
    if (s->p == s->end)
        return complain(s, "a text in the expression has no closing quote", "");
    s->p++;
    const char *text = growing_text(&g);
    return text ? make_value(s, value_text(text), out) : ENOMEM;
}

static int parse_number(struct parser *s, const struct expr **out)
{
    const char *begin = s->p;
    struct ivr_value v;

    while (s->p < s->end && (isdigit((unsigned char)*s->p) || *s->p == '.'))
        s->p++;
    const char *text = arena_copy(s->arena, begin, (size_t)(s->p - begin));
    if (!text)
        return ENOMEM;
    if (!value_parse_number(text, &v))
        return complain(s, arena_printf(s->arena, "'%s' is not a number", text),
                        "numbers have at most 18 digits, texts stand in quotes");
    return make_value(s, v, out);
}

static int parse_args(struct parser *s, const struct expr_function *f,
                      const struct expr *first, const struct expr **out)
{
    const struct expr *args[EXPR_ARGS_MAX];
    struct expr *x = NULL;
    int n = 0, err = 0;

    if (first)
        args[n++] = first;
    if (take(s, "(") && !take(s, ")")) {
        do {
            if (n == EXPR_ARGS_MAX)
                return complain(
                    s, arena_printf(s->arena, "%s() has too many arguments", f->name),
                    "");
            err = parse_or(s, &args[n++]);
            if (err)
                return err;
        } while (take(s, ","));
        if (!take(s, ")"))
            return complain(
                s, arena_printf(s->arena, "a ) is missing after %s(", f->name), "");
    }
    if (n < f->min || n > f->max)
        return complain(s,
                        arena_printf(s->arena, "%s() takes %d%s arguments, not %d",
                                     f->name, f->min, f->max > f->min ? " or more" : "",
                                     n),
                        "in x | f(a), x is the first argument");
    err = make(s, EXPR_CALL, n, &x);
    if (err)
        return err;
    x->function = f;
    memcpy(x->args, args, (size_t)n * sizeof(void *));
    *out = x;
    return 0;
}

static int parse_function(struct parser *s, const char *name, size_t len,
                          const struct expr *first, const struct expr **out)
{
    const struct expr_function *f =
        isalpha((unsigned char)*name) ? expr_function_find(name, len) : NULL;

    if (!f)
        return complain(
            s, arena_printf(s->arena, "there is no function '%.*s'", (int)len, name),
            "docs/flows.md lists the functions");
    return parse_args(s, f, first, out);
}

static int parse_contact(struct parser *s, const struct expr **out)
{
    const char *path[EXPR_ARGS_MAX + 1] = {NULL};
    struct expr *x = NULL;
    size_t n = 0;

    do {
        size_t len = 0;
        const char *word = take_any_word(s, &len);
        if (len == 0 || n == EXPR_ARGS_MAX)
            return complain(s, "a name is missing after 'contact.'",
                            "e.g. contact.first_name; get(contact.x, \"any key\") for "
                            "other keys");
        path[n] = arena_copy(s->arena, word, len);
        if (!path[n++])
            return ENOMEM;
    } while (take(s, "."));
    int err = make(s, EXPR_CONTACT, 0, &x);
    if (err)
        return err;
    const char **kept = arena_alloc(s->arena, (n + 1) * sizeof(*kept));
    if (!kept)
        return ENOMEM;
    memcpy(kept, path, n * sizeof(*kept));
    x->path = kept;
    *out = x;
    return 0;
}

static int parse_var(struct parser *s, const char *name, const struct expr **out)
{
    struct expr *x = NULL;

    if (!expr_is_name(name))
        return complain(s,
                        arena_printf(s->arena, "'%s' cannot be a variable's name", name),
                        "up to 31 letters a-z, digits and _, a letter first");
    int err = make(s, EXPR_VAR, 0, &x);
    const char **kept = err ? NULL : arena_alloc(s->arena, 2 * sizeof(*kept));
    if (!kept)
        return ENOMEM;
    kept[0] = name;
    x->path = kept;
    *out = x;
    return 0;
}

static int parse_path(struct parser *s, const char *root, size_t root_len,
                      const struct expr **out)
{
    struct expr *x = NULL;
    size_t len = 0;

    if (root_len == 7 && memcmp(root, "contact", 7) == 0)
        return parse_contact(s, out);
    const char *word = take_any_word(s, &len);
    const char *name = arena_copy(s->arena, word, len);
    if (!name)
        return ENOMEM;
    if (root_len == 4 && memcmp(root, "vars", 4) == 0)
        return parse_var(s, name, out);
    if (root_len != 4 || memcmp(root, "call", 4) != 0)
        return complain(
            s, arena_printf(s->arena, "nothing is called '%.*s'", (int)root_len, root),
            "values begin with contact., vars. or call.");
    int fact = expr_fact_find(name);
    if (fact < 0)
        return complain(s, arena_printf(s->arena, "there is no call.%s", name),
                        "docs/flows.md lists what is known of a call");
    int err = make(s, EXPR_CALL_FACT, 0, &x);
    if (err)
        return err;
    x->fact = fact;
    *out = x;
    return 0;
}

static int parse_name(struct parser *s, const struct expr **out)
{
    size_t len = 0;
    const char *word = take_any_word(s, &len);

    if (len == 4 && memcmp(word, "true", 4) == 0)
        return make_value(s, value_bool(true), out);
    if (len == 5 && memcmp(word, "false", 5) == 0)
        return make_value(s, value_bool(false), out);
    if (len == 4 && memcmp(word, "null", 4) == 0)
        return make_value(s, value_null(), out);
    skip_space(s);
    bool called = s->p < s->end && *s->p == '(';
    if (len == 6 && memcmp(word, "digits", 6) == 0 && s->scope->digits && !called) {
        struct expr *x = NULL;
        int err = make(s, EXPR_DIGITS, 0, &x);
        *out = x;
        return err;
    }
    if (len == 4 && memcmp(word, "said", 4) == 0 && s->scope->digits && !called) {
        struct expr *x = NULL;
        int err = make(s, EXPR_SAID, 0, &x);
        *out = x;
        return err;
    }
    if (take(s, "."))
        return parse_path(s, word, len, out);
    if (called)
        return parse_function(s, word, len, NULL, out);
    return complain(s, arena_printf(s->arena, "nothing is called '%.*s'", (int)len, word),
                    "values begin with contact., vars. or call.; texts stand in quotes");
}

static int parse_primary(struct parser *s, const struct expr **out)
{
    skip_space(s);
    if (s->p == s->end)
        return complain(s, "the expression ends too early", "");
    if (*s->p == '"' || *s->p == '\'')
        return parse_text(s, out);
    if (isdigit((unsigned char)*s->p))
        return parse_number(s, out);
    if (is_word_char(*s->p))
        return parse_name(s, out);
    if (!take(s, "("))
        return complain(s,
                        arena_printf(s->arena, "'%.*s' is not expected here",
                                     (unsigned char)*s->p < 0x80 ? 1 : 0, s->p),
                        "");
    int err = parse_or(s, out);
    if (err)
        return err;
    return take(s, ")") ? 0 : complain(s, "a ) is missing in the expression", "");
}

static int parse_filters(struct parser *s, const struct expr **out)
{
    int err = parse_primary(s, out);

    for (int n = 0; !err && take(s, "|"); n++) {
        size_t len = 0;
        const char *word = take_any_word(s, &len);
        /* Evaluating is as deep as the chain is long. */
        if (n == EXPR_DEPTH_MAX)
            return complain(s, "too many filters in a row", "");
        err = parse_function(s, word, len, *out, out);
    }
    return err;
}

static int parse_unary(struct parser *s, const struct expr **out)
{
    bool minus = take(s, "-");
    int err = parse_filters(s, out);

    return !err && minus ? make_call(s, "negate", *out, NULL, out) : err;
}

struct operator_ {
    const char *token, *function;
};

/* Left to right; one level of operators. */
static int parse_level(struct parser *s, const struct operator_ *ops, size_t n,
                       int (*next)(struct parser *, const struct expr **),
                       const struct expr **out)
{
    int err = next(s, out);

    for (int count = 0; !err; count++) {
        size_t i = 0;
        while (i < n && !(is_word_char(*ops[i].token) ? take_word(s, ops[i].token)
                                                      : take(s, ops[i].token)))
            i++;
        if (i == n)
            return 0;
        if (count == EXPR_DEPTH_MAX)
            return complain(s, "too many operators in a row", "set a variable between");
        const struct expr *right = NULL;
        err = next(s, &right);
        if (!err)
            err = make_call(s, ops[i].function, *out, right, out);
    }
    return err;
}

static int parse_product(struct parser *s, const struct expr **out)
{
    static const struct operator_ ops[] = {
        {"*", "multiply"}, {"/", "divide"}, {"%", "modulo"}};
    return parse_level(s, ops, ARRAY_LEN(ops), parse_unary, out);
}

static int parse_sum(struct parser *s, const struct expr **out)
{
    static const struct operator_ ops[] = {{"+", "add"}, {"-", "subtract"}};
    return parse_level(s, ops, ARRAY_LEN(ops), parse_product, out);
}

static int parse_comparison(struct parser *s, const struct expr **out)
{
    static const struct operator_ ops[] = {{"==", "equal"},    {"!=", "not_equal"},
                                           {"<=", "at_most"},  {">=", "at_least"},
                                           {"<", "less_than"}, {">", "more_than"}};
    return parse_level(s, ops, ARRAY_LEN(ops), parse_sum, out);
}

static int parse_not(struct parser *s, const struct expr **out)
{
    bool invert = take_word(s, "not");
    int err = parse_comparison(s, out);

    return !err && invert ? make_call(s, "invert", *out, NULL, out) : err;
}

static int parse_and(struct parser *s, const struct expr **out)
{
    static const struct operator_ ops[] = {{"and", "both"}};
    return parse_level(s, ops, ARRAY_LEN(ops), parse_not, out);
}

static int parse_or(struct parser *s, const struct expr **out)
{
    static const struct operator_ ops[] = {{"or", "either"}};

    if (++s->depth > EXPR_DEPTH_MAX)
        return complain(s, "the expression is nested too deeply", "");
    int err = parse_level(s, ops, ARRAY_LEN(ops), parse_and, out);
    s->depth--;
    return err;
}

static bool provides(const struct expr *x)
{
    return x->kind == EXPR_CALL && (x->function == expr_function_find("default", 7) ||
                                    x->function == expr_function_find("is_empty", 8));
}

/* As deep as it is evaluated, which the parser bounds. */
static int tell_uses(const struct expr_scope *scope, const struct expr *x, bool provided)
{
    if (x->kind == EXPR_VAR && scope->uses &&
        !scope->uses(scope->arg, x->path[0], provided))
        return ENOMEM;
    for (int i = 0; x->kind == EXPR_CALL && i < x->n; i++)
        if (tell_uses(scope, x->args[i], provided || (i == 0 && provides(x))))
            return ENOMEM;
    return 0;
}

int expr_parse(const struct expr **out, const char *text, size_t len,
               const struct expr_scope *scope, struct ivr_arena *arena,
               struct expr_error *e)
{
    struct parser s = {text, text + len, scope, arena, e, 0};
    int err = parse_or(&s, out);

    if (err)
        return err;
    skip_space(&s);
    if (s.p == s.end)
        return tell_uses(scope, *out, false);
    size_t rest = (size_t)(s.end - s.p);
    return complain(&s,
                    arena_printf(arena, "'%.*s' is not expected here",
                                 (int)(rest < 20 ? rest : 20), s.p),
                    *s.p == '=' ? "two values are compared with ==" : "");
}

bool expr_is_name(const char *text)
{
    size_t len = strlen(text);

    if (len == 0 || len > EXPR_NAME_MAX || *text < 'a' || *text > 'z')
        return false;
    return strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_") == len;
}
