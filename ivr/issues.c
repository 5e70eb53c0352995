#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ivr/compile.h"

static size_t path_add(struct compiler *c, const char *key)
{
    size_t was = c->pointer_len, len = was;

    if (len + 2 * strlen(key) + 2 > sizeof(c->pointer))
        return was; /* the parent must do */
    c->pointer[len++] = '/';
    for (; *key; key++) {
        if (*key == '~' || *key == '/') {
            c->pointer[len++] = '~';
            c->pointer[len++] = *key == '~' ? '0' : '1';
        } else {
            c->pointer[len++] = *key;
        }
    }
    c->pointer[len] = '\0';
    c->pointer_len = len;
    return was;
}

size_t path_in(struct compiler *c, const char *key)
{
    return path_add(c, key);
}

size_t path_in_index(struct compiler *c, size_t i)
{
    char text[24];

    snprintf(text, sizeof(text), "%zu", i);
    return path_add(c, text);
}

void path_out(struct compiler *c, size_t was)
{
    c->pointer_len = was;
    c->pointer[was] = '\0';
}

static void add(struct compiler *c, const struct ivr_issue *issue)
{
    void *issues = c->issues;

    if (!issue->warning)
        c->errors++;
    if (c->issue_count >= ISSUES_MAX)
        return;
    if (!issue->pointer || !issue->text || !issue->hint ||
        !arena_grow(c->arena, &issues, c->issue_count, &c->issue_cap, sizeof(*issue))) {
        c->err = ENOMEM;
        return;
    }
    c->issues = issues;
    c->issues[c->issue_count++] = *issue;
}

struct where {
    bool warning, key;
    const char *pointer, *hint;
};

static void report(struct compiler *c, struct where w, const char *text)
{
    struct ivr_issue issue = {.warning = w.warning,
                              .flow = c->src->issue_name,
                              .pointer = arena_text(c->arena, w.pointer),
                              .text = text,
                              .hint = arena_text(c->arena, w.hint)};

    position_find(c->src->text, c->src->len, w.pointer, w.key, &issue.line,
                  &issue.column);
    add(c, &issue);
}

static const char *vprint(struct compiler *c, const char *format, va_list args)
{
    char text[400];

    vsnprintf(text, sizeof(text), format, args);
    return arena_text(c->arena, text);
}

void complain(struct compiler *c, const char *hint, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    report(c, (struct where){false, false, c->pointer, hint}, vprint(c, format, args));
    va_end(args);
}

void warn(struct compiler *c, const char *hint, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    report(c, (struct where){true, false, c->pointer, hint}, vprint(c, format, args));
    va_end(args);
}

void complain_key(struct compiler *c, const char *key, const char *hint,
                  const char *format, ...)
{
    va_list args;
    size_t was = path_in(c, key);

    va_start(args, format);
    report(c, (struct where){false, true, c->pointer, hint}, vprint(c, format, args));
    va_end(args);
    path_out(c, was);
}

void warn_at(struct compiler *c, const char *pointer, const char *hint, const char *text)
{
    report(c, (struct where){true, false, pointer, hint}, text);
}

void complain_syntax(struct compiler *c, const json_error_t *e)
{
    struct ivr_issue issue = {.flow = c->src->issue_name,
                              .pointer = "",
                              .line = e->line > 0 ? e->line : 1,
                              .column = e->column > 0 ? e->column : 1,
                              .text = arena_printf(c->arena, "not JSON: %s", e->text),
                              .hint = ""};

    add(c, &issue);
}
