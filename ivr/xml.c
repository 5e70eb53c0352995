#include "ivr/xml.h"

#include <errno.h>
#include <string.h>

enum { REPLACEMENT = 0xFFFD };

static const char replacement[] = "\xEF\xBF\xBD";

void xml_begin(struct xml *x, struct ivr_arena *arena, size_t limit)
{
    *x = (struct xml){.g = {.arena = arena}, .limit = limit};
    growing_puts(&x->g, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
}

static void fail(struct xml *x, int err)
{
    if (!x->g.err)
        x->g.err = err;
}

static void add(struct xml *x, const char *text, size_t len)
{
    if (x->g.len + len > x->limit)
        fail(x, EMSGSIZE);
    growing_add(&x->g, text, len);
}

static void add_text(struct xml *x, const char *text)
{
    add(x, text, strlen(text));
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_name(const char *name)
{
    if (!is_letter(*name))
        return false;
    for (; *name; name++)
        if (!is_letter(*name) && !(*name >= '0' && *name <= '9'))
            return false;
    return true;
}

static void end_tag(struct xml *x)
{
    if (x->in_tag)
        add_text(x, ">");
    x->in_tag = false;
}

void xml_open(struct xml *x, const char *name)
{
    if (!is_name(name) || x->depth == XML_DEPTH_MAX || (x->depth == 0 && x->has_root)) {
        fail(x, EINVAL);
        return;
    }
    end_tag(x);
    add_text(x, "<");
    add_text(x, name);
    x->open[x->depth++] = name;
    x->attr_count = 0;
    x->in_tag = x->has_root = true;
}

/* The length of a sequence that begins with this byte; 0: none does. */
static size_t sequence(unsigned char lead)
{
    if (lead < 0x80)
        return 1;
    if (lead >= 0xC2 && lead <= 0xDF)
        return 2;
    if (lead >= 0xE0 && lead <= 0xEF)
        return 3;
    return lead >= 0xF0 && lead <= 0xF4 ? 4 : 0;
}

size_t xml_character(const char *text, size_t len, uint32_t *c)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    static const unsigned char mask[] = {0, 0x7F, 0x1F, 0x0F, 0x07};
    unsigned char lead = (unsigned char)text[0];
    size_t n = sequence(lead);
    uint32_t v = lead & mask[n];

    *c = REPLACEMENT;
    if (n == 0 || n > len)
        return 1;
    for (size_t i = 1; i < n; i++) {
        unsigned char b = (unsigned char)text[i];
        if ((b & 0xC0) != 0x80)
            return 1;
        v = v << 6 | (b & 0x3F);
    }
    if (v < least[n] || v > 0x10FFFF || (v >= 0xD800 && v <= 0xDFFF))
        return 1;
    *c = v;
    return n;
}

/* White space in an attribute would be made spaces by the reader. */
static const char *escape(uint32_t c, bool attribute)
{
    switch (c) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return attribute ? "&quot;" : NULL;
    case '\r':
        return "&#13;";
    case '\n':
        return attribute ? "&#10;" : NULL;
    case '\t':
        return attribute ? "&#9;" : NULL;
    case 0xFFFE:
    case 0xFFFF:
    case REPLACEMENT:
        return replacement;
    default:
        return c < 0x20 ? "" : NULL;
    }
}

static void escaped(struct xml *x, const char *text, size_t len, bool attribute)
{
    size_t from = 0, at = 0;

    while (at < len && !x->g.err) {
        uint32_t c;
        size_t n = xml_character(text + at, len - at, &c);
        const char *instead = escape(c, attribute);

        if (instead) {
            add(x, text + from, at - from);
            add_text(x, instead);
            from = at + n;
        }
        at += n;
    }
    add(x, text + from, at - from);
}

void xml_attr(struct xml *x, const char *name, const char *value)
{
    bool twice = false;

    for (int i = 0; i < x->attr_count; i++)
        twice = twice || strcmp(x->attrs[i], name) == 0;
    if (!x->in_tag || twice || !is_name(name) || x->attr_count == XML_ATTRS_MAX) {
        fail(x, EINVAL);
        return;
    }
    x->attrs[x->attr_count++] = name;
    add_text(x, " ");
    add_text(x, name);
    add_text(x, "=\"");
    escaped(x, value, strlen(value), true);
    add_text(x, "\"");
}

void xml_attr_number(struct xml *x, const char *name, long value)
{
    const char *text = arena_printf(x->g.arena, "%ld", value);

    if (text)
        xml_attr(x, name, text);
    else
        fail(x, ENOMEM);
}

void xml_text_part(struct xml *x, const char *text, size_t len)
{
    if (x->depth == 0) {
        fail(x, EINVAL);
        return;
    }
    end_tag(x);
    escaped(x, text, len, false);
}

void xml_text(struct xml *x, const char *text)
{
    xml_text_part(x, text, strlen(text));
}

/* Elements below the root stand in lines of their own, for who reads a log. */
void xml_close(struct xml *x)
{
    if (x->depth == 0) {
        fail(x, EINVAL);
        return;
    }
    const char *name = x->open[--x->depth];
    if (x->in_tag) {
        add_text(x, "/>");
    } else {
        add_text(x, "</");
        add_text(x, name);
        add_text(x, ">");
    }
    x->in_tag = false;
    if (x->depth <= 1)
        add_text(x, "\n");
}

const char *xml_end(struct xml *x)
{
    while (x->depth > 0 && !x->g.err)
        xml_close(x);
    if (!x->has_root)
        fail(x, EINVAL);
    return growing_text(&x->g);
}
