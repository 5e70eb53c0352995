#include "base/uuid.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>

#include <sodium.h>

/* 12 bits after the time count ids of one process within a millisecond, so that
 * they keep their order (RFC 9562 section 6.2, method 1). */
static atomic_uint sequence;

struct uuid uuid_v7(int64_t now_ms)
{
    struct uuid u;
    uint64_t ms = (uint64_t)now_ms;
    unsigned seq = atomic_fetch_add_explicit(&sequence, 1, memory_order_relaxed) & 0xfff;

    randombytes_buf(u.bytes, sizeof(u.bytes));
    for (int i = 5; i >= 0; i--, ms >>= 8)
        u.bytes[i] = (uint8_t)ms;
    u.bytes[6] = (uint8_t)(0x70 | (seq >> 8));
    u.bytes[7] = (uint8_t)seq;
    u.bytes[8] = (uint8_t)(0x80 | (u.bytes[8] & 0x3f));
    return u;
}

const char *uuid_text(const struct uuid *u, char out[UUID_TEXT_MAX])
{
    static const char digits[] = "0123456789abcdef";
    char *p = out;

    for (int i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *p++ = '-';
        *p++ = digits[u->bytes[i] >> 4];
        *p++ = digits[u->bytes[i] & 15];
    }
    *p = '\0';
    return out;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

int uuid_parse(const char *text, struct uuid *out)
{
    struct uuid u;
    size_t i = 0;

    if (strlen(text) != UUID_TEXT_MAX - 1)
        return EBADMSG;
    for (size_t n = 0; n < 16; n++) {
        if (n == 4 || n == 6 || n == 8 || n == 10)
            if (text[i++] != '-')
                return EBADMSG;
        int hi = hex_digit(text[i]), lo = hex_digit(text[i + 1]);
        if (hi < 0 || lo < 0)
            return EBADMSG;
        u.bytes[n] = (uint8_t)(hi << 4 | lo);
        i += 2;
    }
    *out = u;
    return 0;
}

bool uuid_is_zero(const struct uuid *u)
{
    static const struct uuid zero;

    return memcmp(u, &zero, sizeof(zero)) == 0;
}

int64_t uuid_ms(const struct uuid *u)
{
    int64_t ms = 0;

    for (int i = 0; i < 6; i++)
        ms = ms << 8 | u->bytes[i];
    return ms;
}
