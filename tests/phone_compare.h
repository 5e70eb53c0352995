/*
 * phone_compare - telephone numbers of every region, as people, machines and
 * accidents write them, to hold the fast way (contacts/phone_fast.h) against
 * libphonenumber. Deterministic: number i of a seed is always the same text.
 */
#ifndef TESTS_PHONE_COMPARE_H
#define TESTS_PHONE_COMPARE_H

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "contacts/phone_fast.h"

struct phone_sample {
    char text[64];
    const char *region; /* default region it is read with; NULL none */
};

struct phone_comparison {
    int64_t compared, valid, fast, different;
    char first_difference[200];
};

/* splitmix64 */
static uint64_t sample_random(uint64_t *state)
{
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static size_t sample_below(uint64_t *state, size_t n)
{
    return (size_t)(sample_random(state) % n);
}

/* Country code and national digits of some number of the region: an example of a
 * random kind with none to all of its digits replaced, lengthened or shortened. */
static void sample_digits(uint64_t *rng, const struct phone_region *r, char *out,
                          size_t size)
{
    int64_t e164 = 0;
    char text[32] = "";

    for (int tries = 0; tries < 8 && !e164; tries++)
        phone_example(r->id, (enum phone_type)sample_below(rng, PHONE_UNKNOWN), &e164);
    if (e164) {
        char all[32];
        char code[8];

        snprintf(all, sizeof(all), "%" PRId64, e164);
        snprintf(code, sizeof(code), "%d", r->country_code);
        snprintf(text, sizeof(text), "%s", all + strlen(code));
    } else {
        snprintf(text, sizeof(text), "%09zu", sample_below(rng, 1000000000));
    }
    size_t len = strlen(text);
    /* From some digit on everything is another number. */
    size_t keep = sample_below(rng, len + 1);
    for (size_t i = keep; i < len; i++)
        text[i] = (char)('0' + sample_below(rng, 10));
    if (sample_below(rng, 4) == 0 && len > 1)
        text[sample_below(rng, len)] = (char)('0' + sample_below(rng, 10));
    switch (sample_below(rng, 10)) {
    case 0:
        text[len - 1] = '\0';
        break;
    case 1:
        text[len] = (char)('0' + sample_below(rng, 10));
        text[len + 1] = '\0';
        break;
    case 2:
        text[sample_below(rng, len)] = '\0';
        break;
    default:
        break;
    }
    snprintf(out, size, "%s", text);
}

/* Blanks and the like between the digits. */
static void sample_dress(uint64_t *rng, const char *plain, char *out, size_t size)
{
    static const char *const between[] = {" ", "-",  ".",        ") ", " (",
                                          "/", "  ", "\xC2\xA0", "x",  " ext ",
                                          ",", "#",  "~",        "a",  "+"};
    size_t used = 0, common = sample_below(rng, 8) ? 7 : 15;
    int every = (int)sample_below(rng, 6) + 2;

    for (size_t i = 0; plain[i] && used + 8 < size; i++) {
        out[used++] = plain[i];
        if (plain[i + 1] && sample_below(rng, (size_t)every) == 0)
            used += (size_t)snprintf(out + used, size - used, "%s",
                                     between[sample_below(rng, common)]);
    }
    out[used] = '\0';
}

static void sample_number(uint64_t seed, int64_t i, struct phone_sample *out)
{
    const struct phone_region *regions = NULL;
    size_t n = phone_regions(&regions);
    uint64_t rng = seed * UINT64_C(1000000007) + (uint64_t)i;
    const struct phone_region *r = &regions[(size_t)i % n];
    const struct phone_region *other = &regions[sample_below(&rng, n)];
    size_t literal = strspn(r->prefix, "0123456789");
    size_t idd = strspn(r->international_prefix, "0123456789");
    char digits[40], plain[80];
    /* In the eyes of its own country, of another one, or of none. */
    size_t eyes = sample_below(&rng, 8);

    out->region = eyes < 6 ? r->id : eyes == 6 ? other->id : NULL;
    if (out->region && out->region[0] < 'A')
        out->region = NULL;
    sample_digits(&rng, r, digits, sizeof(digits));
    switch (sample_below(&rng, 9)) {
    case 0:
    case 1:
        snprintf(plain, sizeof(plain), "+%d%s", r->country_code, digits);
        break;
    case 2:
        snprintf(plain, sizeof(plain), "+%d%.*s%s", r->country_code, (int)literal,
                 r->prefix, digits);
        break;
    case 3:
        snprintf(plain, sizeof(plain), "%.*s%s", (int)literal, r->prefix, digits);
        break;
    case 4:
        snprintf(plain, sizeof(plain), "%d%s", r->country_code, digits);
        break;
    case 5:
        snprintf(plain, sizeof(plain), "%.*s%d%s", (int)idd, r->international_prefix,
                 r->country_code, digits);
        break;
    case 6:
        snprintf(plain, sizeof(plain), "%d%.*s%s", r->country_code, (int)literal,
                 r->prefix, digits);
        break;
    default:
        snprintf(plain, sizeof(plain), "%s", digits);
        break;
    }
    if (sample_below(&rng, 3))
        snprintf(out->text, sizeof(out->text), "%.60s", plain);
    else
        sample_dress(&rng, plain, out->text, sizeof(out->text));
}

static void compare_one(const struct phone_sample *s, struct phone_comparison *c)
{
    struct phone fast = {0}, slow = {0};
    bool sure = phone_fast_parse(s->text, strlen(s->text), s->region, &fast);
    enum phone_error error =
        phone_parse_by_library(s->text, strlen(s->text), s->region, &slow);

    c->compared++;
    c->valid += error == PHONE_VALID;
    c->fast += sure;
    if (!sure ||
        (error == PHONE_VALID && fast.e164 == slow.e164 && fast.type == slow.type &&
         fast.valid == slow.valid && strcmp(fast.region, slow.region) == 0))
        return;
    if (c->different++ == 0)
        snprintf(c->first_difference, sizeof(c->first_difference),
                 "'%s' read in %s: fast %" PRId64 " %s %s, library %" PRId64
                 " %s %s (%s)",
                 s->text, s->region ? s->region : "-", fast.e164, fast.region,
                 phone_type_name(fast.type), slow.e164, slow.region,
                 phone_type_name(slow.type), phone_error_reason(error));
}

#endif
