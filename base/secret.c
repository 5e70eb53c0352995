#include "base/secret.h"

#include <errno.h>
#include <string.h>

#include <sodium.h>

#include "base/str.h"

/* version, the key's mark, nonce, then the text with its tag. */
enum {
    VERSION = 1,
    MARK_BYTES = 4,
    NONCE_BYTES = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES,
    TAG_BYTES = crypto_aead_xchacha20poly1305_ietf_ABYTES,
    HEAD_BYTES = 1 + MARK_BYTES + NONCE_BYTES,
    BASE64 = sodium_base64_VARIANT_ORIGINAL,
};

void secret_key_new(char out[SECRET_KEY_TEXT_MAX])
{
    uint8_t key[SECRET_KEY_BYTES];

    randombytes_buf(key, sizeof(key));
    sodium_bin2base64(out, SECRET_KEY_TEXT_MAX, key, sizeof(key), BASE64);
    sodium_memzero(key, sizeof(key));
}

static int read_key(struct secret_keys *out, const char *name, const char *text,
                    struct errtext *e)
{
    uint8_t *key = out->keys[out->n];
    size_t len = 0;

    if (sodium_base642bin(key, SECRET_KEY_BYTES, text, strlen(text), " \n", &len, NULL,
                          BASE64) ||
        len != SECRET_KEY_BYTES)
        return errtext_set(e, EINVAL, 0, 0,
                           "%s is no key: it is 32 bytes in base64, as 'furrow provider "
                           "key' prints them",
                           name);
    out->n++;
    return 0;
}

int secret_keys_read(struct secret_keys *out, const char *key, const char *old,
                     struct errtext *e)
{
    *out = (struct secret_keys){0};
    if (!*key)
        return errtext_set(e, ENOENT, 0, 0,
                           "FURROW_SECRET_KEY is not set; 'furrow provider key' makes "
                           "one, which every program here needs");
    int err = read_key(out, "FURROW_SECRET_KEY", key, e);
    if (!err && *old)
        err = read_key(out, "FURROW_SECRET_KEY_OLD", old, e);
    if (err)
        secret_keys_wipe(out);
    return err;
}

void secret_keys_wipe(struct secret_keys *keys)
{
    sodium_memzero(keys, sizeof(*keys));
}

/* Tells keys apart without telling anything of them. */
static void mark_of(const uint8_t *key, uint8_t out[MARK_BYTES])
{
    static const char label[] = "furrow key mark";
    uint8_t hash[crypto_generichash_BYTES];

    crypto_generichash(hash, sizeof(hash), (const uint8_t *)label, sizeof(label), key,
                       SECRET_KEY_BYTES);
    memcpy(out, hash, MARK_BYTES);
}

void secret_seal(const struct secret_keys *keys, const char *context, const char *plain,
                 size_t len, struct buf *out)
{
    uint8_t head[HEAD_BYTES] = {VERSION};
    size_t at = out->len;

    mark_of(keys->keys[0], head + 1);
    randombytes_buf(head + 1 + MARK_BYTES, NONCE_BYTES);
    buf_add(out, head, sizeof(head));
    buf_add(out, plain, len);
    buf_add(out, (const uint8_t[TAG_BYTES]){0}, TAG_BYTES);
    uint8_t *text = (uint8_t *)out->data + at + HEAD_BYTES;
    crypto_aead_xchacha20poly1305_ietf_encrypt(
        text, NULL, text, len, (const uint8_t *)context, strlen(context), NULL,
        head + 1 + MARK_BYTES, keys->keys[0]);
}

static const uint8_t *key_of(const struct secret_keys *keys, const uint8_t *mark)
{
    uint8_t own[MARK_BYTES];

    for (size_t i = 0; i < keys->n; i++) {
        mark_of(keys->keys[i], own);
        if (memcmp(own, mark, MARK_BYTES) == 0)
            return keys->keys[i];
    }
    return NULL;
}

int secret_open(const struct secret_keys *keys, const char *context,
                const uint8_t *sealed, size_t len, struct buf *out)
{
    size_t at = out->len;

    if (len < HEAD_BYTES + TAG_BYTES || sealed[0] != VERSION)
        return EBADMSG;
    const uint8_t *key = key_of(keys, sealed + 1);
    if (!key)
        return EACCES;
    buf_add(out, sealed + HEAD_BYTES, len - HEAD_BYTES);
    uint8_t *text = (uint8_t *)out->data + at;
    int bad = crypto_aead_xchacha20poly1305_ietf_decrypt(
        text, NULL, NULL, text, len - HEAD_BYTES, (const uint8_t *)context,
        strlen(context), sealed + 1 + MARK_BYTES, key);
    out->len = bad ? at : at + len - HEAD_BYTES - TAG_BYTES;
    out->data[out->len] = '\0';
    return bad ? EBADMSG : 0;
}
