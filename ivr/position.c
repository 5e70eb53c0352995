/*
 * Where in a JSON text the value of a JSON Pointer stands. jansson keeps no positions;
 * the text is read again for each issue. It has parsed before, so its shape is
 * trusted, but never the end.
 */
#include <string.h>

#include "ivr/compile.h"

struct scan {
    const char *p, *end;
};

static void skip_space(struct scan *s)
{
    while (s->p < s->end && *s->p && strchr(" \t\r\n", *s->p))
        s->p++;
}

static void skip_string(struct scan *s)
{
    for (s->p++; s->p < s->end && *s->p != '"'; s->p++)
        if (*s->p == '\\' && s->end - s->p > 1)
            s->p++;
    if (s->p < s->end)
        s->p++;
}

static void skip_value(struct scan *s)
{
    int depth = 0;

    do {
        skip_space(s);
        if (s->p >= s->end)
            return;
        char c = *s->p;
        if (c == '"') {
            skip_string(s);
            continue;
        }
        depth += (c == '{' || c == '[') - (c == '}' || c == ']');
        s->p++;
        if (strchr("{}[],:", c))
            continue;
        while (s->p < s->end && !strchr(",:{}[]\" \t\r\n", *s->p))
            s->p++;
    } while (depth > 0);
}

static void skip_comma(struct scan *s)
{
    skip_space(s);
    if (s->p < s->end && (*s->p == ',' || *s->p == ':'))
        s->p++;
    skip_space(s);
}

/* Does the quoted key read as the token of a pointer, both still escaped? */
static bool is_key(const char *key, const char *key_end, const char *token, size_t len)
{
    const char *token_end = token + len;

    for (key++; key < key_end - 1; key++) {
        char c = *key, t = 0;

        if (c == '\\' && strchr("\"\\/", key[1]))
            c = *++key;
        if (token == token_end)
            return false;
        t = *token++;
        if (t == '~' && token < token_end)
            t = *token++ == '0' ? '~' : '/';
        if (c != t)
            return false;
    }
    return token == token_end;
}

/* Moves to the member or item; *key is where its key begins. */
static bool enter(struct scan *s, const char *token, size_t len, const char **key)
{
    bool is_object = *s->p == '{';
    size_t index = 0, wanted = 0;

    for (size_t i = 0; i < len && !is_object; i++)
        wanted = wanted * 10 + (size_t)(token[i] - '0');
    s->p++;
    skip_space(s);
    for (; s->p < s->end && *s->p != '}' && *s->p != ']'; index++) {
        const char *begin = s->p;
        bool found = !is_object && index == wanted;

        if (is_object) {
            skip_string(s);
            found = is_key(begin, s->p, token, len);
            skip_comma(s);
        }
        if (found) {
            *key = begin;
            return true;
        }
        skip_value(s);
        skip_comma(s);
    }
    return false;
}

void position_find(const char *text, size_t len, const char *pointer, bool key, int *line,
                   int *column)
{
    struct scan s = {text, text + len};

    skip_space(&s);
    const char *value = s.p, *name = s.p;
    bool found = true;
    while (found && *pointer == '/') {
        size_t n = strcspn(++pointer, "/");
        s.p = value;
        found =
            s.p < s.end && (*s.p == '{' || *s.p == '[') && enter(&s, pointer, n, &name);
        if (found)
            value = s.p;
        pointer += n;
    }
    const char *at = found && key ? name : value, *begin = text;
    *line = 1;
    for (const char *p = text; p < at; p++) {
        if (*p == '\n') {
            ++*line;
            begin = p + 1;
        }
    }
    *column = (int)(at - begin) + 1;
}
