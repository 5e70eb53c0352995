#include "campaigns/doc_reader.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"

void doc_issue(struct doc_reader *r, const char *pointer, enum json_place place,
               const char *hint, const char *fmt, ...)
{
    struct campaign_issues *all = r->issues;
    struct json_position at = {0};
    va_list ap;

    all->found++;
    if (all->n == CAMPAIGN_ISSUES_MAX)
        return;
    struct campaign_issue *issue = &all->at[all->n++];
    *issue = (struct campaign_issue){0};
    str_cut(issue->pointer, sizeof(issue->pointer), pointer);
    /* A missing key has no place: its object's is the nearest. */
    if (json_position_find(r->text, r->len, pointer, place, &at) == 0 || at.line > 0) {
        issue->line = at.line;
        issue->column = at.column;
    }
    str_cut(issue->hint, sizeof(issue->hint), hint ? hint : "");
    va_start(ap, fmt);
    vsnprintf(issue->text, sizeof(issue->text), fmt, ap);
    va_end(ap);
}

const char *doc_type_name(const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return "an object";
    case JSON_ARRAY:
        return "a list";
    case JSON_STRING:
        return "text";
    case JSON_INTEGER:
    case JSON_REAL:
        return "a number";
    case JSON_TRUE:
    case JSON_FALSE:
        return "true or false";
    case JSON_NULL:
        return "null";
    }
    return "nothing";
}

/* ---- did you mean ---- */

enum { WORD_MAX = 32 };

static size_t smallest(size_t a, size_t b, size_t c)
{
    size_t m = a < b ? a : b;

    return m < c ? m : c;
}

/* Edits between two words (insert, delete, replace), case apart. */
static size_t distance(const char *a, const char *b)
{
    size_t row[WORD_MAX + 1], la = strnlen(a, WORD_MAX), lb = strnlen(b, WORD_MAX);

    for (size_t j = 0; j <= lb; j++)
        row[j] = j;
    for (size_t i = 1; i <= la; i++) {
        size_t diagonal = row[0];

        row[0] = i;
        for (size_t j = 1; j <= lb; j++) {
            bool same =
                tolower((unsigned char)a[i - 1]) == tolower((unsigned char)b[j - 1]);
            size_t up = row[j];

            row[j] = smallest(up + 1, row[j - 1] + 1, diagonal + (same ? 0 : 1));
            diagonal = up;
        }
    }
    return row[lb];
}

const char *doc_nearest(const char *written, const char *const *words, size_t n)
{
    const char *best = NULL;
    size_t best_distance = strnlen(written, WORD_MAX) / 3 + 1;

    for (size_t i = 0; i < n; i++) {
        size_t d = distance(written, words[i]);

        if (d < best_distance || (d == best_distance && !best && d > 0 && d <= 2)) {
            best = words[i];
            best_distance = d;
        }
    }
    /* "ring_timeout" for "ring_timeout_s": a word begun is a word meant. */
    for (size_t i = 0; i < n && !best; i++)
        if (strlen(written) >= 3 && strncasecmp(written, words[i], strlen(written)) == 0)
            best = words[i];
    return best;
}

/* ---- values ---- */

static void wrong_type(struct doc_reader *r, const struct doc_field *f, json_t *value,
                       const char *pointer, const char *wanted)
{
    doc_issue(r, pointer, JSON_PLACE_VALUE, f->hint, "'%s' must be %s, not %s", f->key,
              wanted, doc_type_name(value));
}

static void read_text(struct doc_reader *r, const struct doc_field *f, json_t *value,
                      const char *pointer, char *out)
{
    if (!json_is_string(value)) {
        wrong_type(r, f, value, pointer, "text");
        return;
    }
    const char *text = json_string_value(value);
    size_t len = json_string_length(value);
    if (f->required && len == 0)
        doc_issue(r, pointer, JSON_PLACE_VALUE, f->hint, "'%s' is empty", f->key);
    else if (len >= f->size)
        doc_issue(r, pointer, JSON_PLACE_VALUE, f->hint,
                  "'%s' is longer than %zu characters", f->key, f->size - 1);
    else if (strlen(text) != len)
        doc_issue(r, pointer, JSON_PLACE_VALUE, f->hint, "'%s' holds a NUL character",
                  f->key);
    else
        memcpy(out, text, len + 1);
}

static void read_number(struct doc_reader *r, const struct doc_field *f, json_t *value,
                        const char *pointer, void *out)
{
    bool whole = f->kind != DOC_NUMBER;

    if (!json_is_number(value) || (whole && !json_is_integer(value))) {
        wrong_type(r, f, value, pointer, whole ? "a whole number" : "a number");
        return;
    }
    double v = json_number_value(value);
    if (v < f->min || v > f->max) {
        doc_issue(r, pointer, JSON_PLACE_VALUE, f->hint,
                  "'%s' is %.10g, allowed is %.10g to %.10g", f->key, v, f->min, f->max);
        return;
    }
    if (f->kind == DOC_NUMBER)
        memcpy(out, &v, sizeof(v));
    else if (f->kind == DOC_INT)
        *(int *)out = (int)json_integer_value(value);
    else
        *(int64_t *)out = (int64_t)json_integer_value(value);
}

static void read_instant(struct doc_reader *r, const struct doc_field *f, json_t *value,
                         const char *pointer, int64_t *out)
{
    if (!json_is_string(value) || clock_parse(json_string_value(value), out))
        doc_issue(r, pointer, JSON_PLACE_VALUE, f->hint,
                  "'%s' must be an instant with its offset", f->key);
}

static void read_choice(struct doc_reader *r, const struct doc_field *f, json_t *value,
                        const char *pointer, int *out)
{
    char words[120] = "", hint[160];
    size_t len = 0, n = 0;
    const char *text = json_string_value(value);

    for (; f->words[n]; n++) {
        if (str_is(text, f->words[n])) {
            *out = (int)n;
            return;
        }
        if (len < sizeof(words))
            len += (size_t)snprintf(words + len, sizeof(words) - len, "%s%s",
                                    n ? ", " : "", f->words[n]);
    }
    const char *near = text ? doc_nearest(text, f->words, n) : NULL;
    snprintf(hint, sizeof(hint), near ? "did you mean '%s'?" : "%s",
             near ? near : (f->hint ? f->hint : ""));
    doc_issue(r, pointer, JSON_PLACE_VALUE, hint, "'%s' must be one of %s", f->key,
              words);
}

static void read_value(struct doc_reader *r, const struct doc_field *f, json_t *value,
                       const char *pointer, void *owner)
{
    void *out = (char *)owner + f->offset;

    switch (f->kind) {
    case DOC_TEXT:
        read_text(r, f, value, pointer, out);
        break;
    case DOC_INT:
    case DOC_INT64:
    case DOC_NUMBER:
        read_number(r, f, value, pointer, out);
        break;
    case DOC_BOOL:
        if (json_is_boolean(value))
            *(bool *)out = json_is_true(value);
        else
            wrong_type(r, f, value, pointer, "true or false");
        break;
    case DOC_INSTANT:
        read_instant(r, f, value, pointer, out);
        break;
    case DOC_CHOICE:
        read_choice(r, f, value, pointer, out);
        break;
    case DOC_PART:
        f->read(r, value, pointer, owner);
        break;
    }
}

static const struct doc_field *find_field(const struct doc_field *fields, size_t n,
                                          const char *key)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(fields[i].key, key) == 0)
            return &fields[i];
    return NULL;
}

static void unknown_key(struct doc_reader *r, const struct doc_field *fields, size_t n,
                        const char *key, const char *pointer)
{
    const char *keys[40];
    char hint[160] = "";
    size_t len = 0, count = n < ARRAY_LEN(keys) ? n : ARRAY_LEN(keys);

    for (size_t i = 0; i < count; i++)
        keys[i] = fields[i].key;
    const char *near = doc_nearest(key, keys, count);
    if (near)
        snprintf(hint, sizeof(hint), "did you mean '%s'?", near);
    for (size_t i = 0; i < count && !near && len < sizeof(hint); i++)
        len += (size_t)snprintf(hint + len, sizeof(hint) - len, "%s%s",
                                i ? ", " : "known here: ", keys[i]);
    doc_issue(r, pointer, JSON_PLACE_KEY, hint, "unknown key '%.60s'", key);
}

void doc_read_object(struct doc_reader *r, json_t *value, const char *pointer,
                     const struct doc_field *fields, size_t n, void *out)
{
    const char *key = NULL;
    json_t *item = NULL;
    char at[DOC_POINTER_MAX];

    if (!json_is_object(value)) {
        doc_issue(r, pointer, JSON_PLACE_VALUE, NULL, "must be an object, not %s",
                  doc_type_name(value));
        return;
    }
    json_object_foreach(value, key, item)
    {
        const struct doc_field *f = find_field(fields, n, key);

        str_cut(at, sizeof(at), pointer);
        json_pointer_add(at, sizeof(at), key);
        if (f)
            read_value(r, f, item, at, out);
        else
            unknown_key(r, fields, n, key, at);
    }
    for (size_t i = 0; i < n; i++)
        if (fields[i].required && !json_object_get(value, fields[i].key))
            doc_issue(r, pointer, JSON_PLACE_VALUE, fields[i].hint, "'%s' is missing",
                      fields[i].key);
}
