#include "batches/token.h"

#include <stdio.h>
#include <string.h>

#include "base/attrs.h"

/* 32 letters: each is five bits, without a remainder that would favour some. */
static const char letters[] = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789";

enum { HALF = 8, LETTER_BITS = 5, LETTER_BYTES = 5 };
_Static_assert(sizeof(letters) - 1 == 1 << LETTER_BITS, "a letter is five bits");

void token_make(const uint8_t random[TOKEN_RANDOM_BYTES], char out[TOKEN_MAX])
{
    char head[HALF + 1] = "";
    uint64_t bits = 0;

    for (int i = 0; i < LETTER_BYTES; i++)
        bits = bits << 8 | random[i];
    for (int i = 0; i < HALF; i++, bits >>= LETTER_BITS)
        head[i] = letters[bits % (sizeof(letters) - 1)];
    const uint8_t *r = random + LETTER_BYTES;
    snprintf(out, TOKEN_MAX, "VRF-%s-%02X%02X%02X%02X", head, r[0], r[1], r[2], r[3]);
}

bool token_is_sound(const char *text)
{
    return strlen(text) == TOKEN_MAX - 1 && strncmp(text, "VRF-", 4) == 0 &&
           strspn(text + 4, letters) == HALF && text[4 + HALF] == '-' &&
           strspn(text + 5 + HALF, "0123456789ABCDEFabcdef") == HALF;
}

void verification_url(const char *public_url, const char *own, const char *token,
                      char *out, size_t size)
{
    const char *base = *own ? own : public_url;
    size_t len = strcspn(base, " ");

    while (len > 0 && base[len - 1] == '/')
        len--;
    snprintf(out, size, "%.*s%s/verify/%s", (int)len, base, *own ? "" : "/voice-ledger",
             token);
}

void token_mask(char *text)
{
    for (char *at = text; (at = strstr(at, "VRF-")) != NULL;)
        for (int i = 0; i < TOKEN_MAX - 1 && *at > ' '; i++)
            *at++ = '.';
}
