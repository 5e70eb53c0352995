#include "contacts/number_filter.h"

#include <stdlib.h>

#include "base/xalloc.h"

/* 2^27 bits and four probes: at a million numbers one in a million is asked for
 * nothing, at ten million one in two hundred. */
enum { BITS_LOG2 = 27, PROBES = 4 };

struct number_filter {
    uint64_t bits[(1U << BITS_LOG2) / 64];
};

struct number_filter *number_filter_new(void)
{
    return xcalloc(1, sizeof(struct number_filter));
}

void number_filter_free(struct number_filter *f)
{
    free(f);
}

/* A full avalanche of 64 bits (the finaliser of MurmurHash3). */
static uint64_t mix(uint64_t x)
{
    x ^= x >> 33;
    x *= UINT64_C(0xff51afd7ed558ccd);
    x ^= x >> 33;
    x *= UINT64_C(0xc4ceb9fe1a85ec53);
    return x ^ x >> 33;
}

bool number_filter_add(struct number_filter *f, int64_t number)
{
    uint64_t h = mix((uint64_t)number), step = mix(h) | 1;
    bool all = true;

    for (int i = 0; i < PROBES; i++, h += step) {
        uint64_t at = h >> (64 - BITS_LOG2), bit = UINT64_C(1) << (at % 64);

        all = all && (f->bits[at / 64] & bit);
        f->bits[at / 64] |= bit;
    }
    return all;
}
