/*
 * json_position - where in a JSON text the value of a JSON Pointer stands.
 *
 * jansson keeps no positions once it has parsed; this reads the text again, for
 * the one pointer an error message is about. The text must already have parsed
 * without duplicate keys. Pure; any thread.
 */
#ifndef BASE_JSON_POSITION_H
#define BASE_JSON_POSITION_H

#include <stddef.h>

#include "base/attrs.h"

enum json_place {
    JSON_PLACE_VALUE, /* where the value begins */
    JSON_PLACE_KEY,   /* where its key begins; the value for array items */
};

struct json_position {
    int line, column; /* 1-based; columns count bytes */
};

/* pointer as RFC 6901, "" is the whole document. When it does not exist, *out
 * is the place of its nearest existing parent and ENOENT is returned. */
NODISCARD int json_position_find(const char *text, size_t len, const char *pointer,
                                 enum json_place place, struct json_position *out);

/* Appends "/key" to pointer, escaped; cut when it does not fit. */
void json_pointer_add(char *pointer, size_t size, const char *key);
void json_pointer_add_index(char *pointer, size_t size, size_t index);

#endif
