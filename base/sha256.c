#include "base/sha256.h"

#include <errno.h>
#include <stdio.h>

#include <sodium.h>

void sha256_of(const void *data, size_t len, uint8_t out[SHA256_BYTES])
{
    crypto_hash_sha256(out, data, len);
}

const char *sha256_text(const uint8_t hash[SHA256_BYTES], char out[SHA256_TEXT_MAX])
{
    return sodium_bin2hex(out, SHA256_TEXT_MAX, hash, SHA256_BYTES);
}

int sha256_file(const char *path, uint8_t out[SHA256_BYTES], int64_t *size)
{
    unsigned char block[16384];
    crypto_hash_sha256_state st;
    int64_t total = 0;
    size_t n;

    FILE *f = fopen(path, "rbe");
    if (!f)
        return errno;
    crypto_hash_sha256_init(&st);
    while ((n = fread(block, 1, sizeof(block), f)) > 0) {
        crypto_hash_sha256_update(&st, block, n);
        total += (int64_t)n;
    }
    int err = ferror(f) ? EIO : 0;
    fclose(f);
    if (err)
        return err;
    crypto_hash_sha256_final(&st, out);
    if (size)
        *size = total;
    return 0;
}
