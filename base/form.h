/*
 * form - name=value pairs of a query or of an application/x-www-form-urlencoded body
 * (WHATWG URL standard, section 5): "+" is a space, %XX a byte; a pair without "=" has an
 * empty value, an empty piece is no pair. What follows a % that is no two hex digits
 * stays as it stands. Values are bytes: they may hold NUL. Pure.
 */
#ifndef BASE_FORM_H
#define BASE_FORM_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attrs.h"

struct form_text {
    char *data; /* NUL-terminated behind its len bytes */
    size_t len;
};

struct form_pair {
    struct form_text name, value;
};

struct form {
    struct form_pair *pairs; /* in the order of the text */
    size_t n;
    char *bytes; /* all texts */
};

enum { FORM_PAIRS_MAX = 1000 };

/* Of a Content-Type header, NULL for none; parameters may follow. */
bool form_is_type(const char *content_type);
/* E2BIG: more pairs than FORM_PAIRS_MAX. form_free() in any case. */
NODISCARD int form_parse(struct form *f, const char *text, size_t len);
void form_free(struct form *f);
/* The value of the first pair of that name; NULL: none. */
const struct form_text *form_get(const struct form *f, const char *name);
/* By name, then by value, byte by byte; a prefix comes first. */
void form_sort(struct form *f);

/* RFC 3986: everything but unreserved characters is percent encoded. The caller's to
 * free(). */
char *form_escape(const char *text);

#endif
