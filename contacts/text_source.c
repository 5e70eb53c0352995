#include "contacts/text_source.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/xalloc.h"

enum { RAW_BYTES = 64 * 1024 };

struct text_source {
    csv_read_fn *read;
    void *arg;
    enum text_encoding encoding;
    bool guess, ended;
    size_t at, end; /* what is left in raw */
    unsigned char raw[RAW_BYTES];
    uint32_t high; /* a first surrogate that waits for its second, 0: none */
    size_t out_at, out_len;
    char out[4]; /* of a character that did not fit */
};

static const struct {
    const char *option, *name;
    enum text_encoding encoding;
} encodings[] = {
    {"utf-8", "UTF-8", TEXT_UTF8},
    {"utf-16le", "UTF-16 LE", TEXT_UTF16LE},
    {"utf-16be", "UTF-16 BE", TEXT_UTF16BE},
    {"windows-1252", "Windows-1252", TEXT_WINDOWS_1252},
    {"utf-16", "UTF-16 LE", TEXT_UTF16LE},
    {"latin1", "Windows-1252", TEXT_WINDOWS_1252},
};

const char *text_encoding_name(enum text_encoding encoding)
{
    for (size_t i = 0; i < ARRAY_LEN(encodings); i++)
        if (encodings[i].encoding == encoding)
            return encodings[i].name;
    return "unknown";
}

int text_encoding_find(const char *name, enum text_encoding *out)
{
    for (size_t i = 0; i < ARRAY_LEN(encodings); i++) {
        if (strcasecmp(encodings[i].option, name) == 0) {
            *out = encodings[i].encoding;
            return 0;
        }
    }
    return ENOENT;
}

/* ---- what it is ---- */

static int refill(struct text_source *t, struct errtext *e)
{
    memmove(t->raw, t->raw + t->at, t->end - t->at);
    t->end -= t->at;
    t->at = 0;
    while (t->end < sizeof(t->raw) && !t->ended) {
        ssize_t n = t->read(t->arg, t->raw + t->end, sizeof(t->raw) - t->end);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errtext_set(e, errno, 0, 0, "reading failed: %s", strerror(errno));
        t->ended = n == 0;
        t->end += (size_t)n;
        if (n > 0 && t->at + 2 <= t->end)
            break;
    }
    return 0;
}

/* Bytes of the UTF-8 character that begins at p; 0: none does; -1: it is cut off. */
static int utf8_length(const unsigned char *p, size_t left)
{
    size_t n = *p >= 0xF0 ? 4 : *p >= 0xE0 ? 3 : 2;

    if (*p < 0xC2 || *p > 0xF4)
        return 0;
    for (size_t i = 1; i < n; i++) {
        if (i >= left)
            return -1;
        if ((p[i] & 0xC0) != 0x80)
            return 0;
    }
    return (int)n;
}

static bool is_windows_1252(const unsigned char *p, size_t len)
{
    size_t proper = 0, strange = 0;

    for (size_t i = 0; i < len;) {
        int n = p[i] < 0x80 ? 1 : utf8_length(p + i, len - i);

        if (n < 0)
            break;
        if (p[i] >= 0x80) {
            proper += n > 0;
            strange += n == 0;
            /* Five bytes mean nothing there. */
            if (n == 0 && memchr("\x81\x8D\x8F\x90\x9D", p[i], 5))
                return false;
        }
        i += n > 0 ? (size_t)n : 1;
    }
    return strange > proper;
}

/* ASCII in two bytes each, for the most part, as far as it can be seen. */
static enum text_encoding utf16_without_mark(const unsigned char *p, size_t len)
{
    size_t even = 0, odd = 0, pairs = (len < 400 ? len : 400) / 2;

    for (size_t i = 0; i < pairs; i++) {
        even += p[2 * i] == 0;
        odd += p[2 * i + 1] == 0;
    }
    if (pairs < 4)
        return TEXT_FIND_OUT;
    if (odd * 2 > pairs && even * 8 < odd)
        return TEXT_UTF16LE;
    return even * 2 > pairs && odd * 8 < even ? TEXT_UTF16BE : TEXT_FIND_OUT;
}

static void find_out(struct text_source *t, enum text_encoding wanted)
{
    const unsigned char *p = t->raw;

    t->encoding = wanted;
    if (t->end >= 2 && p[0] == 0xFF && p[1] == 0xFE) {
        t->encoding = TEXT_UTF16LE;
        t->at = 2;
    } else if (t->end >= 2 && p[0] == 0xFE && p[1] == 0xFF) {
        t->encoding = TEXT_UTF16BE;
        t->at = 2;
    } else if (t->end >= 3 && memcmp(p, "\xEF\xBB\xBF", 3) == 0) {
        t->encoding = TEXT_UTF8;
    } else if (wanted == TEXT_FIND_OUT) {
        t->guess = true;
        t->encoding = utf16_without_mark(p, t->end);
        if (t->encoding == TEXT_FIND_OUT)
            t->encoding = is_windows_1252(p, t->end) ? TEXT_WINDOWS_1252 : TEXT_UTF8;
    }
}

static int fill_beginning(struct text_source *t, struct errtext *e)
{
    int err = 0;

    while (!err && !t->ended && t->end < sizeof(t->raw))
        err = refill(t, e);
    return err;
}

int text_source_new(struct text_source **out, csv_read_fn *read, void *arg,
                    enum text_encoding wanted, struct errtext *e)
{
    struct text_source *t = xcalloc(1, sizeof(*t));

    t->read = read;
    t->arg = arg;
    int err = fill_beginning(t, e);
    if (err) {
        text_source_free(t);
        return err;
    }
    find_out(t, wanted);
    *out = t;
    return 0;
}

void text_source_free(struct text_source *t)
{
    free(t);
}

enum text_encoding text_source_encoding(const struct text_source *t)
{
    return t->encoding;
}

bool text_source_is_guess(const struct text_source *t)
{
    return t->guess;
}

/* ---- reading ---- */

static size_t put_utf8(char out[4], uint32_t c)
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (char)(0xC0 | c >> 6);
        out[1] = (char)(0x80 | (c & 0x3F));
        return 2;
    }
    if (c < 0x10000) {
        out[0] = (char)(0xE0 | c >> 12);
        out[1] = (char)(0x80 | (c >> 6 & 0x3F));
        out[2] = (char)(0x80 | (c & 0x3F));
        return 3;
    }
    out[0] = (char)(0xF0 | c >> 18);
    out[1] = (char)(0x80 | (c >> 12 & 0x3F));
    out[2] = (char)(0x80 | (c >> 6 & 0x3F));
    out[3] = (char)(0x80 | (c & 0x3F));
    return 4;
}

/* The character the next unit makes; false: none yet. A half of a pair without the
 * other becomes U+FFFD. */
static bool take_unit(struct text_source *t, uint32_t *c)
{
    const unsigned char *p = t->raw + t->at;
    uint32_t unit = t->encoding == TEXT_UTF16LE ? (uint32_t)(p[0] | p[1] << 8)
                                                : (uint32_t)(p[0] << 8 | p[1]);
    bool is_low = unit >= 0xDC00 && unit < 0xE000;

    if (t->high && !is_low) {
        t->high = 0; /* this unit is looked at again */
        *c = 0xFFFD;
        return true;
    }
    t->at += 2;
    if (t->high) {
        *c = 0x10000 + ((t->high - 0xD800) << 10) + (unit - 0xDC00);
        t->high = 0;
        return true;
    }
    if (unit >= 0xD800 && unit < 0xDC00) {
        t->high = unit;
        return false;
    }
    *c = is_low ? 0xFFFD : unit;
    return true;
}

static ssize_t read_utf16(struct text_source *t, char *buf, size_t size)
{
    size_t done = 0;

    while (done < size) {
        uint32_t c = 0;

        if (t->out_at < t->out_len) {
            buf[done++] = t->out[t->out_at++];
            continue;
        }
        if (t->end - t->at < 2) {
            if (done > 0)
                break;
            if (!t->ended) {
                int err = refill(t, NULL);
                if (err) {
                    errno = err;
                    return -1;
                }
                continue;
            }
            if (t->end == t->at && !t->high)
                break;
            t->at = t->end; /* half a character is left over */
            t->high = 0;
            c = 0xFFFD;
        } else if (!take_unit(t, &c)) {
            continue;
        }
        t->out_len = put_utf8(t->out, c);
        t->out_at = 0;
    }
    return (ssize_t)done;
}

ssize_t text_source_read(void *source, void *buf, size_t size)
{
    struct text_source *t = source;
    size_t left = t->end - t->at, n = left < size ? left : size;

    if (t->encoding == TEXT_UTF16LE || t->encoding == TEXT_UTF16BE)
        return read_utf16(t, buf, size);
    if (n == 0)
        return t->read(t->arg, buf, size);
    memcpy(buf, t->raw + t->at, n);
    t->at += n;
    return (ssize_t)n;
}
