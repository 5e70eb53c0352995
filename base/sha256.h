/* sha256 - content hashes (libsodium), as bytes and as 64 hex digits. */
#ifndef BASE_SHA256_H
#define BASE_SHA256_H

#include <stddef.h>
#include <stdint.h>

#include "base/attrs.h"

enum { SHA256_BYTES = 32, SHA256_TEXT_MAX = 65 };

void sha256_of(const void *data, size_t len, uint8_t out[SHA256_BYTES]);
const char *sha256_text(const uint8_t hash[SHA256_BYTES], char out[SHA256_TEXT_MAX]);
/* Hash of a file's content; errno of the failing call. *size may be NULL. */
NODISCARD int sha256_file(const char *path, uint8_t out[SHA256_BYTES], int64_t *size);

#endif
