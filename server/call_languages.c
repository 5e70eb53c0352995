/* A table of sets: a call has one set by its hash, and eight places in it; the one that
 * was told longest ago gives way. */
#include "server/call_languages.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/sha256.h"
#include "base/str.h"
#include "base/xalloc.h"

enum { WAYS = 8, SETS = CALL_LANGUAGES_MAX / WAYS, KEY_BYTES = 16 };

struct place {
    uint8_t key[KEY_BYTES]; /* of a hash, so that nobody aims at another's place */
    char language[CALL_LANGUAGE_MAX];
    uint64_t told; /* 0: empty */
};

struct call_languages {
    pthread_mutex_t lock;
    struct place sets[SETS][WAYS]; /* guarded by lock, as is: */
    uint64_t clock;
};

struct call_languages *call_languages_new(void)
{
    struct call_languages *all = xcalloc(1, sizeof(*all));

    pthread_mutex_init(&all->lock, NULL);
    return all;
}

void call_languages_free(struct call_languages *all)
{
    if (!all)
        return;
    pthread_mutex_destroy(&all->lock);
    free(all);
}

static void hash_of(int64_t account_id, const char *call, uint8_t hash[SHA256_BYTES])
{
    CLEANUP(buf_free) struct buf b = {0};

    buf_printf(&b, "%lld\n%s", (long long)account_id, call);
    sha256_of(b.data, b.len, hash);
}

static struct place *set_of(struct call_languages *all, const uint8_t *hash)
{
    size_t bits = (size_t)hash[SHA256_BYTES - 1] << 8 | hash[SHA256_BYTES - 2];

    return all->sets[bits % SETS];
}

void call_languages_tell(struct call_languages *all, int64_t account_id, const char *call,
                         const char *language)
{
    uint8_t hash[SHA256_BYTES];

    if (!call[0] || !language[0] || strlen(language) >= CALL_LANGUAGE_MAX)
        return;
    hash_of(account_id, call, hash);
    struct place *set = set_of(all, hash);
    pthread_mutex_lock(&all->lock);
    struct place *p = &set[0];
    for (int i = 0; i < WAYS; i++) {
        if (set[i].told && memcmp(set[i].key, hash, KEY_BYTES) == 0) {
            p = &set[i];
            break;
        }
        if (set[i].told < p->told)
            p = &set[i];
    }
    memcpy(p->key, hash, KEY_BYTES);
    str_cut(p->language, sizeof(p->language), language);
    p->told = ++all->clock;
    pthread_mutex_unlock(&all->lock);
}

bool call_languages_find(struct call_languages *all, int64_t account_id, const char *call,
                         char out[CALL_LANGUAGE_MAX])
{
    uint8_t hash[SHA256_BYTES];
    bool found = false;

    out[0] = '\0';
    hash_of(account_id, call, hash);
    const struct place *set = set_of(all, hash);
    pthread_mutex_lock(&all->lock);
    for (int i = 0; i < WAYS && !found; i++) {
        found = set[i].told && memcmp(set[i].key, hash, KEY_BYTES) == 0;
        if (found)
            memcpy(out, set[i].language, CALL_LANGUAGE_MAX);
    }
    pthread_mutex_unlock(&all->lock);
    return found;
}
