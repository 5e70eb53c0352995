#include "base/json_position.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"

/* The text is known to be JSON: the scan trusts its shape and guards only
 * against running past the end. */
struct scan {
    const char *p, *end;
};

static void skip_space(struct scan *s)
{
    while (s->p < s->end && strchr(" \t\r\n", *s->p))
        s->p++;
}

static void skip_string(struct scan *s)
{
    for (s->p++; s->p < s->end && *s->p != '"'; s->p++)
        if (*s->p == '\\')
            s->p++;
    if (s->p < s->end)
        s->p++;
    if (s->p > s->end)
        s->p = s->end;
}

static void skip_value(struct scan *s)
{
    int depth = 0;

    do {
        skip_space(s);
        if (s->p >= s->end)
            return;
        if (*s->p == '"') {
            skip_string(s);
        } else if (*s->p == '{' || *s->p == '[') {
            depth++;
            s->p++;
        } else if (*s->p == '}' || *s->p == ']') {
            depth--;
            s->p++;
        } else if (*s->p == ',' || *s->p == ':') {
            s->p++;
        } else {
            while (s->p < s->end && !strchr(",:{}[]\" \t\r\n", *s->p))
                s->p++;
        }
    } while (depth > 0);
}

/* One reference token of the pointer, unescaped, into a string buffer. */
static const char *next_token(const char *pointer, struct buf *token)
{
    token->len = 0;
    buf_puts(token, "");
    for (pointer++; *pointer && *pointer != '/'; pointer++) {
        char c = *pointer;

        if (c == '~' && (pointer[1] == '0' || pointer[1] == '1'))
            c = *++pointer == '0' ? '~' : '/';
        buf_add(token, &c, 1);
    }
    return pointer;
}

/* Whether the JSON string at key (with its quotes) reads as text. Escapes other
 * than \" \\ \/ are not decoded: no key of ours has any. */
static bool key_is(const char *key, const char *key_end, const char *text)
{
    for (key++; key < key_end - 1; key++, text++) {
        if (*key == '\\' && strchr("\"\\/", key[1]))
            key++;
        if (!*text || *key != *text)
            return false;
    }
    return !*text;
}

static bool enter_object(struct scan *s, const char *token, const char **key)
{
    s->p++;
    for (skip_space(s); s->p < s->end && *s->p == '"'; skip_space(s)) {
        const char *begin = s->p;

        skip_string(s);
        const char *end = s->p;
        skip_space(s);
        s->p += s->p < s->end; /* the colon */
        skip_space(s);
        if (key_is(begin, end, token)) {
            *key = begin;
            return true;
        }
        skip_value(s);
        skip_space(s);
        if (s->p < s->end && *s->p == ',')
            s->p++;
    }
    return false;
}

static bool enter_array(struct scan *s, const char *token, const char **key)
{
    int64_t index = 0;

    if (!str_to_i64(token, &index))
        return false;
    s->p++;
    skip_space(s);
    for (; s->p < s->end && *s->p != ']'; index--) {
        if (index == 0) {
            *key = s->p;
            return true;
        }
        skip_value(s);
        skip_space(s);
        if (s->p < s->end && *s->p == ',')
            s->p++;
        skip_space(s);
    }
    return false;
}

static void place_of(const char *text, const char *at, struct json_position *out)
{
    const char *line = text;

    out->line = 1;
    for (const char *p = text; p < at; p++) {
        if (*p == '\n') {
            out->line++;
            line = p + 1;
        }
    }
    out->column = (int)(at - line) + 1;
}

int json_position_find(const char *text, size_t len, const char *pointer,
                       enum json_place place, struct json_position *out)
{
    CLEANUP(buf_free) struct buf token = {0};
    struct scan s = {text, text + len};
    int err = 0;

    skip_space(&s);
    const char *value = s.p, *key = s.p;
    while (*pointer == '/' && !err) {
        pointer = next_token(pointer, &token);
        s.p = value;
        bool found =
            s.p < s.end && ((*s.p == '{' && enter_object(&s, token.data, &key)) ||
                            (*s.p == '[' && enter_array(&s, token.data, &key)));
        if (found)
            value = s.p;
        else
            err = ENOENT;
    }
    place_of(text, !err && place == JSON_PLACE_KEY ? key : value, out);
    return err;
}

void json_pointer_add(char *pointer, size_t size, const char *key)
{
    size_t len = strlen(pointer);

    if (len + 1 < size)
        pointer[len++] = '/';
    for (; *key && len + 2 < size; key++) {
        if (*key == '~' || *key == '/') {
            pointer[len++] = '~';
            pointer[len++] = *key == '~' ? '0' : '1';
        } else {
            pointer[len++] = *key;
        }
    }
    pointer[len] = '\0';
}

void json_pointer_add_index(char *pointer, size_t size, size_t index)
{
    char text[24];

    snprintf(text, sizeof(text), "%zu", index);
    json_pointer_add(pointer, size, text);
}
