#include <errno.h>
#include <string.h>

#include "ivr/expr.h"

struct maker {
    const struct expr_scope *scope;
    struct ivr_arena *arena;
    struct expr_error *e;
    struct template_part *parts;
    size_t n, cap;
    struct growing literal; /* not yet a part */
};

static int add_part(struct maker *m, struct template_part part)
{
    void *parts = m->parts;

    if (!arena_grow(m->arena, &parts, m->n, &m->cap, sizeof(part)))
        return ENOMEM;
    m->parts = parts;
    m->parts[m->n++] = part;
    return 0;
}

static int flush(struct maker *m)
{
    if (m->literal.err)
        return m->literal.err;
    if (m->literal.len == 0)
        return 0;
    int err = add_part(m, (struct template_part){PART_LITERAL, m->literal.data, NULL});
    m->literal = (struct growing){.arena = m->arena};
    return err;
}

static int add_expr(struct maker *m, enum part_kind kind, const char *text, size_t len)
{
    struct template_part part = {.kind = kind};
    int err = flush(m);

    if (!err)
        err = expr_parse(&part.expr, text, len, m->scope, m->arena, m->e);
    return err ? err : add_part(m, part);
}

/* JSON's escapes; all else may stand as it is. */
static void put_json_escaped(struct growing *g, const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];

        if (c == '"' || c == '\\')
            growing_printf(g, "\\%c", c);
        else if (c < 0x20)
            growing_printf(g, "\\u%04x", c);
        else
            growing_putc(g, (char)c);
    }
}

/* The end of the expression that begins at text, past strings that hold braces. */
static const char *find_end(const char *text)
{
    char quote = 0;

    for (const char *p = text; *p; p++) {
        if (quote) {
            if (*p == '\\' && p[1])
                p++;
            else if (*p == quote)
                quote = 0;
        } else if (*p == '"' || *p == '\'') {
            quote = *p;
        } else if (*p == '}' && p[1] == '}') {
            return p;
        }
    }
    return NULL;
}

static int add_text(struct maker *m, const char *text, bool json)
{
    enum part_kind kind = json ? PART_JSON_TEXT : PART_VALUE;

    for (;;) {
        const char *open = strstr(text, "{{");
        size_t len = open ? (size_t)(open - text) : strlen(text);

        if (json)
            put_json_escaped(&m->literal, text, len);
        else
            growing_add(&m->literal, text, len);
        if (!open)
            return m->literal.err;
        const char *end = find_end(open + 2);
        if (!end) {
            *m->e = (struct expr_error){"'{{' has no closing '}}'", ""};
            return EBADMSG;
        }
        int err = add_expr(m, kind, open + 2, (size_t)(end - open) - 2);
        if (err)
            return err;
        text = end + 2;
    }
}

static int finish(struct maker *m, int err, struct template_ *out)
{
    if (!err)
        err = flush(m);
    if (!err)
        *out = (struct template_){m->n, m->parts};
    return err;
}

int template_parse(struct template_ *out, const char *text,
                   const struct expr_scope *scope, struct ivr_arena *arena,
                   struct expr_error *e)
{
    struct maker m = {scope, arena, e, NULL, 0, 0, {.arena = arena}};

    return finish(&m, add_text(&m, text, false), out);
}

static int add_json_text(struct maker *m, const char *text)
{
    /* "{{x}}" alone keeps the type of x. */
    if (strncmp(text, "{{", 2) == 0) {
        const char *end = find_end(text + 2);
        if (end && !end[2])
            return add_expr(m, PART_VALUE, text + 2, (size_t)(end - text) - 2);
    }
    growing_putc(&m->literal, '"');
    int err = add_text(m, text, true);
    growing_putc(&m->literal, '"');
    return err;
}

static int add_json(struct maker *m, const json_t *value, int depth);

static int add_json_members(struct maker *m, const json_t *value, int depth)
{
    bool is_list = json_is_array(value), first = true;
    const char *key = NULL;
    json_t *item = NULL;
    size_t i = 0;
    int err = 0;

    growing_putc(&m->literal, is_list ? '[' : '{');
    if (is_list) {
        json_array_foreach(value, i, item)
        {
            if (i > 0)
                growing_putc(&m->literal, ',');
            err = err ? err : add_json(m, item, depth + 1);
        }
    } else {
        json_object_foreach(loose(value), key, item)
        {
            growing_puts(&m->literal, first ? "\"" : ",\"");
            put_json_escaped(&m->literal, key, strlen(key));
            growing_puts(&m->literal, "\":");
            err = err ? err : add_json(m, item, depth + 1);
            first = false;
        }
    }
    growing_putc(&m->literal, is_list ? ']' : '}');
    return err;
}

static int add_json(struct maker *m, const json_t *value, int depth)
{
    if (depth > EXPR_DEPTH_MAX) {
        *m->e = (struct expr_error){"the value is nested too deeply", ""};
        return EBADMSG;
    }
    if (json_is_string(value))
        return add_json_text(m, json_string_value(value));
    if (json_is_array(value) || json_is_object(value))
        return add_json_members(m, value, depth);
    struct ivr_value v = value_of_json(value, m->arena);
    const char *text =
        v.type == IVR_NULL ? "null" : value_to_text(&v, m->arena); /* true, 1.5, … */
    if (!text)
        return ENOMEM;
    growing_puts(&m->literal, text);
    return m->literal.err;
}

int template_parse_json(struct template_ *out, const json_t *value,
                        const struct expr_scope *scope, struct ivr_arena *arena,
                        struct expr_error *e)
{
    struct maker m = {scope, arena, e, NULL, 0, 0, {.arena = arena}};

    return finish(&m, add_json(&m, value, 0), out);
}

bool template_is_expr(const struct template_ *t)
{
    return t->n == 1 && t->parts[0].kind == PART_VALUE;
}

bool template_is_literal(const struct template_ *t)
{
    return t->n == 0 || (t->n == 1 && t->parts[0].kind == PART_LITERAL);
}

/* ---- evaluating ---- */

static void put_url(struct growing *g, const char *text)
{
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;

        if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
            strchr("-._~", c))
            growing_putc(g, (char)c);
        else
            growing_printf(g, "%%%02X", c);
    }
}

static void put_json_value(struct growing *g, const struct ivr_value *v, const char *text)
{
    switch (v->type) {
    case IVR_NULL:
    case IVR_FAULT:
        growing_puts(g, "null");
        return;
    case IVR_BOOL:
    case IVR_INT:
    case IVR_DECIMAL:
    case IVR_JSON:
        growing_puts(g, text);
        return;
    case IVR_TEXT:
        growing_putc(g, '"');
        put_json_escaped(g, text, strlen(text));
        growing_putc(g, '"');
        return;
    }
}

const char *template_eval(struct expr_env *e, const struct template_ *t,
                          enum template_kind kind, const char **fault)
{
    struct growing g = {.arena = e->arena};

    *fault = NULL;
    for (size_t i = 0; i < t->n; i++) {
        const struct template_part *part = &t->parts[i];

        if (part->kind == PART_LITERAL) {
            growing_puts(&g, part->literal);
            continue;
        }
        struct ivr_value v = expr_eval(e, part->expr);
        const char *text = value_to_text(&v, e->arena);
        if (!text || e->no_memory)
            return NULL;
        if (v.type == IVR_FAULT && !*fault)
            *fault = v.text;
        if (part->kind == PART_JSON_TEXT)
            put_json_escaped(&g, text, strlen(text));
        else if (kind == TEMPLATE_JSON)
            put_json_value(&g, &v, text);
        else if (kind == TEMPLATE_URL)
            put_url(&g, text);
        else
            growing_puts(&g, text);
    }
    return growing_text(&g);
}
