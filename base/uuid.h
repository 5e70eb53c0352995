/*
 * uuid - UUID version 7 (RFC 9562): 48 bits of epoch ms, then randomness; ids
 * made later sort later. Thread-safe.
 */
#ifndef BASE_UUID_H
#define BASE_UUID_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attrs.h"

enum { UUID_TEXT_MAX = 37 };

struct uuid {
    uint8_t bytes[16];
};

struct uuid uuid_v7(int64_t now_ms);
const char *uuid_text(const struct uuid *u, char out[UUID_TEXT_MAX]);
NODISCARD int uuid_parse(const char *text, struct uuid *out); /* EBADMSG */
bool uuid_is_zero(const struct uuid *u);                      /* none */
int64_t uuid_ms(const struct uuid *u);

#endif
