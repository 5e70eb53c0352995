/*
 * phone_digits - the regular expressions of telephone number metadata as automata
 * over the ten digits: an answer in one table step per digit.
 *
 * The dialect is the one such metadata is written in: digits, \d, sets, groups,
 * alternatives, ? {n} {n,m}. Anything else is refused and the caller asks whoever
 * understands it. Private to contacts/phone_fast.c and its tests. Immutable once
 * made; any thread.
 */
#ifndef CONTACTS_PHONE_DIGITS_H
#define CONTACTS_PHONE_DIGITS_H

#include <stddef.h>
#include <stdint.h>

#include "base/attrs.h"

enum { DIGIT_PATTERNS_MAX = 16, DIGITS_STUCK = 0, DIGITS_START = 1 };

struct digits {
    size_t states;
    uint16_t (*next)[10]; /* DIGITS_STUCK: no pattern can match any more */
    uint16_t *labels;     /* bit i: what was read is matched by pattern i */
};

/* One automaton for all patterns at once; a NULL or "" one matches nothing. *out is
 * the caller's to digits_free(). ENOTSUP: something of another dialect; EFBIG: more
 * states than are worth it. */
NODISCARD int digits_new(struct digits **out, const char *const *patterns, size_t n);
void digits_free(struct digits *d); /* NULL is allowed */

/* Bit i: pattern i matches the whole of text, which is digits only. */
static inline unsigned digits_match(const struct digits *d, const char *text, size_t len)
{
    unsigned state = DIGITS_START;

    for (size_t i = 0; i < len && state; i++)
        state = d->next[state][(unsigned)(text[i] - '0')];
    return d->labels[state];
}

#endif
