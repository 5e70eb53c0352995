/* A table by the hook's own bits, which are random; the older of two that meet goes. */
#include "server/hook_accounts.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/pg.h"
#include "base/xalloc.h"
#include "campaigns/provider_store.h"

enum {
    PLACES = 256,
    FRESH_MS = 2000,
    ASK_MS = 300, /* whether one that is known has changed: a caller waits meanwhile */
};

struct hook_accounts {
    struct pg_pool *pool;
    const struct secret_keys *keys;
    pthread_mutex_t lock;
    struct {
        struct provider provider;
        int64_t at_ms;     /* monotonic; 0: empty */
        int64_t failed_ms; /* when it was asked for in vain; 0: never since */
    } * places;            /* guarded by lock */
};

struct hook_accounts *hook_accounts_new(struct pg_pool *pool,
                                        const struct secret_keys *keys)
{
    struct hook_accounts *a = xcalloc(1, sizeof(*a));

    a->pool = pool;
    a->keys = keys;
    a->places = xcalloc(PLACES, sizeof(*a->places));
    pthread_mutex_init(&a->lock, NULL);
    return a;
}

void hook_accounts_free(struct hook_accounts *a)
{
    if (!a)
        return;
    for (size_t i = 0; i < PLACES; i++)
        provider_wipe(&a->places[i].provider);
    pthread_mutex_destroy(&a->lock);
    free(a->places);
    free(a);
}

static size_t place_of(const struct uuid *hook)
{
    return hook->bytes[0];
}

/* How old it is, ms; -1: it is not here. Who was just asked for in vain is as new: not
 * each of many waits for a database that says nothing. */
static int64_t look(struct hook_accounts *a, const struct uuid *hook,
                    struct provider *out)
{
    const int64_t now = mono_ms();
    size_t i = place_of(hook);
    int64_t age = -1;

    pthread_mutex_lock(&a->lock);
    if (a->places[i].at_ms &&
        memcmp(&a->places[i].provider.hook, hook, sizeof(*hook)) == 0) {
        *out = a->places[i].provider;
        age = now - a->places[i].at_ms;
        if (a->places[i].failed_ms && now - a->places[i].failed_ms < FRESH_MS)
            age = 0;
    }
    pthread_mutex_unlock(&a->lock);
    return age;
}

/* NULL: it is there no more. */
static void keep(struct hook_accounts *a, const struct uuid *hook,
                 const struct provider *p)
{
    size_t i = place_of(hook);

    pthread_mutex_lock(&a->lock);
    if (p) {
        a->places[i].provider = *p;
        a->places[i].at_ms = mono_ms();
        a->places[i].failed_ms = 0;
    } else if (memcmp(&a->places[i].provider.hook, hook, sizeof(*hook)) == 0) {
        provider_wipe(&a->places[i].provider);
        a->places[i].at_ms = 0;
    }
    pthread_mutex_unlock(&a->lock);
}

static void keep_failure(struct hook_accounts *a, const struct uuid *hook)
{
    size_t i = place_of(hook);

    pthread_mutex_lock(&a->lock);
    if (memcmp(&a->places[i].provider.hook, hook, sizeof(*hook)) == 0)
        a->places[i].failed_ms = mono_ms();
    pthread_mutex_unlock(&a->lock);
}

bool hook_accounts_recall(struct hook_accounts *a, const struct uuid *hook,
                          struct provider *out)
{
    return look(a, hook, out) >= 0;
}

int hook_accounts_find(struct hook_accounts *a, const struct uuid *hook, int find_ms,
                       struct provider *out, struct errtext *e)
{
    int64_t age = look(a, hook, out);

    if (age >= 0 && (age < FRESH_MS || find_ms < 0))
        return 0;
    if (find_ms < 0)
        return errtext_set(e, ECONNRESET, 0, 0,
                           "whose webhook it is is not known, and there is no time to "
                           "ask the database");
    struct provider found = {0};
    if (age >= 0 && (find_ms == 0 || find_ms > ASK_MS))
        find_ms = ASK_MS;
    struct pg *pg =
        find_ms > 0 ? pg_pool_take_for(a->pool, find_ms) : pg_pool_take(a->pool);
    int err = provider_of_hook(pg, a->keys, hook, &found, e);
    pg_pool_give(a->pool, pg);
    if (!err || err == ENOENT)
        keep(a, hook, err ? NULL : &found);
    if (!err)
        *out = found;
    provider_wipe(&found);
    if (err != ECONNRESET || age < 0)
        return err;
    keep_failure(a, hook);
    return 0;
}
