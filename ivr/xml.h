/*
 * xml - writes one XML 1.0 document in UTF-8 that is always well formed.
 *
 * Whatever text comes in: markup is escaped, bytes that are no UTF-8 and characters
 * that XML has none of become U+FFFD or are left out. Elements and attributes are named
 * by the code, never by data; a name that cannot be one, an attribute twice, one after
 * the element's content, or more than one root is EINVAL and yields no document at all.
 * Inside ivr/ only.
 */
#ifndef IVR_XML_H
#define IVR_XML_H

#include "ivr/arena.h"

enum { XML_DEPTH_MAX = 8, XML_ATTRS_MAX = 32 };

struct xml {
    struct growing g;
    size_t limit; /* bytes */
    const char *open[XML_DEPTH_MAX];
    const char *attrs[XML_ATTRS_MAX]; /* of the element whose start tag is not ended */
    int depth, attr_count;
    bool in_tag, has_root;
};

void xml_begin(struct xml *x, struct ivr_arena *arena, size_t limit);
/* Names are kept: literals. */
void xml_open(struct xml *x, const char *name);
void xml_attr(struct xml *x, const char *name, const char *value);
void xml_attr_number(struct xml *x, const char *name, long value);
void xml_text(struct xml *x, const char *text);
void xml_text_part(struct xml *x, const char *text, size_t len);
void xml_close(struct xml *x);
/* Closes what is open. NULL: x->g.err says why, ENOMEM, EINVAL or EMSGSIZE. */
const char *xml_end(struct xml *x);

/* The bytes of the character at text, 1 to 4, and the character; 0xFFFD and 1 for a byte
 * that begins none. len is at least 1. */
size_t xml_character(const char *text, size_t len, uint32_t *c);

#endif
