#include "base/form.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/str.h"
#include "base/xalloc.h"

bool form_is_type(const char *content_type)
{
    static const char form[] = "application/x-www-form-urlencoded";
    const size_t len = sizeof(form) - 1;

    return content_type && strncasecmp(content_type, form, len) == 0 &&
           (!content_type[len] || strchr("; \t", content_type[len]));
}

static int hex_digit(char c)
{
    return isdigit((unsigned char)c) ? c - '0' : tolower((unsigned char)c) - 'a' + 10;
}

/* Writes the decoded text and a NUL to out; returns where the next one begins. */
static char *decode(const char *s, size_t len, char *out, struct form_text *text)
{
    char *p = out;

    for (size_t i = 0; i < len; i++) {
        if (s[i] == '%' && len - i > 2 && isxdigit((unsigned char)s[i + 1]) &&
            isxdigit((unsigned char)s[i + 2])) {
            *p++ = (char)(hex_digit(s[i + 1]) << 4 | hex_digit(s[i + 2]));
            i += 2;
        } else {
            *p++ = s[i] == '+' ? ' ' : s[i];
        }
    }
    *p = '\0';
    *text = (struct form_text){out, (size_t)(p - out)};
    return p + 1;
}

static size_t count_pieces(const char *text, size_t len)
{
    size_t n = 1;

    for (size_t i = 0; i < len; i++)
        n += text[i] == '&';
    return n;
}

int form_parse(struct form *f, const char *text, size_t len)
{
    size_t max = count_pieces(text, len);

    *f = (struct form){0};
    if (max > FORM_PAIRS_MAX)
        return E2BIG;
    f->pairs = xcalloc(max, sizeof(*f->pairs));
    char *out = f->bytes = xcalloc(1, len + 2 * max + 1);
    for (size_t at = 0; at < len;) {
        const char *piece = text + at;
        const char *amp = memchr(piece, '&', len - at);
        size_t n = amp ? (size_t)(amp - piece) : len - at;
        const char *eq = memchr(piece, '=', n);
        size_t name = eq ? (size_t)(eq - piece) : n;

        at += n + 1;
        if (n == 0)
            continue;
        struct form_pair *p = &f->pairs[f->n++];
        out = decode(piece, name, out, &p->name);
        out = decode(eq ? eq + 1 : piece + n, eq ? n - name - 1 : 0, out, &p->value);
    }
    return 0;
}

void form_free(struct form *f)
{
    free(f->pairs);
    free(f->bytes);
    *f = (struct form){0};
}

const struct form_text *form_get(const struct form *f, const char *name)
{
    for (size_t i = 0; i < f->n; i++)
        if (f->pairs[i].name.len == strlen(name) &&
            memcmp(f->pairs[i].name.data, name, strlen(name)) == 0)
            return &f->pairs[i].value;
    return NULL;
}

static int compare_texts(const struct form_text *a, const struct form_text *b)
{
    int order = memcmp(a->data, b->data, a->len < b->len ? a->len : b->len);

    return order ? order : (a->len > b->len) - (a->len < b->len);
}

static int compare_pairs(const void *a, const void *b)
{
    const struct form_pair *x = a, *y = b;
    int order = compare_texts(&x->name, &y->name);

    return order ? order : compare_texts(&x->value, &y->value);
}

void form_sort(struct form *f)
{
    if (f->n > 1)
        qsort(f->pairs, f->n, sizeof(*f->pairs), compare_pairs);
}

char *form_escape(const char *text)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                "0123456789-._~";
    struct buf b = {0};

    for (; *text; text++) {
        if (strchr(plain, *text))
            buf_add(&b, text, 1);
        else
            buf_printf(&b, "%%%02X", (unsigned char)*text);
    }
    return b.data ? buf_take(&b) : xstrdup("");
}
