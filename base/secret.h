/*
 * secret - texts that lie in the database so that only who has the key can read them:
 * XChaCha20-Poly1305 by libsodium, with a fresh nonce each. What is sealed for one place
 * (its context, e.g. a table, tenant and row) opens in no other. Any thread.
 *
 * A key is 32 random bytes in base64, given to programs as FURROW_SECRET_KEY; while it is
 * changed, FURROW_SECRET_KEY_OLD still opens what the old one sealed.
 */
#ifndef BASE_SECRET_H
#define BASE_SECRET_H

#include <stddef.h>
#include <stdint.h>

#include "base/attrs.h"
#include "base/errors.h"

struct buf;

enum { SECRET_KEY_BYTES = 32, SECRET_KEY_TEXT_MAX = 45, SECRET_KEYS_MAX = 2 };

struct secret_keys {
    uint8_t keys[SECRET_KEYS_MAX][SECRET_KEY_BYTES]; /* the first seals, all open */
    size_t n;
};

void secret_key_new(char out[SECRET_KEY_TEXT_MAX]);
/* old may be "". ENOENT with a text: there is no key; EINVAL: one is no key. */
NODISCARD int secret_keys_read(struct secret_keys *out, const char *key, const char *old,
                               struct errtext *e);
void secret_keys_wipe(struct secret_keys *keys); /* for CLEANUP */

/* Appends to out. keys->n > 0. */
void secret_seal(const struct secret_keys *keys, const char *context, const char *plain,
                 size_t len, struct buf *out);
/* Appends to out, which the caller wipes. EACCES: sealed by a key that is not here;
 * EBADMSG: altered, or sealed for another place. */
NODISCARD int secret_open(const struct secret_keys *keys, const char *context,
                          const uint8_t *sealed, size_t len, struct buf *out);

#endif
