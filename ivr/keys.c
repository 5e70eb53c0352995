#include "ivr/backend.h"

#include <string.h>

#include "ivr/arena.h"

static bool is_key(char c)
{
    return c != '\0' && strchr("0123456789*#", c) != NULL;
}

static bool is_finish(const struct ivr_collect *c, char key)
{
    return c->finish && key != '\0' && strchr(c->finish, key) != NULL;
}

/* Do these keys begin a global key, or are they one? */
static bool begins_global(const struct ivr_collect *c, const char *keys, size_t n)
{
    for (size_t i = 0; c->global_keys && c->global_keys[i]; i++)
        if (strncmp(c->global_keys[i], keys, n) == 0)
            return true;
    return false;
}

EXPORT bool ivr_collect_is_complete(const struct ivr_collect *c, const char *digits)
{
    size_t n = strlen(digits);
    bool is_one = false;

    if (n == 0)
        return false;
    for (size_t i = 0; c->global_keys && c->global_keys[i]; i++) {
        const char *global = c->global_keys[i];
        if (strncmp(global, digits, n) == 0 && global[n] != '\0')
            return false; /* a longer one may follow */
        is_one = is_one || strcmp(global, digits) == 0;
    }
    /* A global key of digits alone may also begin a longer entry of its own. */
    if (is_one && strpbrk(digits, "*#"))
        return true;
    return c->own_max > 0 && n >= (size_t)c->own_max;
}

EXPORT void ivr_keys_press(struct ivr_keys *k, char key, int64_t now_ms)
{
    if (!is_key(key) || k->n >= IVR_DIGITS_MAX)
        return;
    k->digits[k->n++] = key;
    k->digits[k->n] = '\0';
    if (k->armed)
        k->due_at_ms = now_ms + k->collect->inter_ms;
}

EXPORT void ivr_keys_arm(struct ivr_keys *k, const struct ivr_collect *collect,
                         bool barged, int64_t now_ms)
{
    k->armed = true;
    k->barged = barged;
    k->collect = collect;
    k->due_at_ms = now_ms + (k->n > 0 ? collect->inter_ms : collect->first_ms);
}

/* Moves the first n keys to `entry` without the finishing one; the rest stays as
 * type-ahead for the next entry. */
static void give(struct ivr_keys *k, size_t n, char finish, uint32_t token,
                 struct ivr_input *out)
{
    size_t len = finish ? n - 1 : n;

    memset(k->entry, 0, sizeof(k->entry));
    memcpy(k->entry, k->digits, len);
    memmove(k->digits, k->digits + n, k->n - n);
    k->n -= n;
    memset(k->digits + k->n, 0, sizeof(k->digits) - k->n);
    *out = (struct ivr_input){.kind = IVR_IN_DIGITS, .token = token};
    out->keys.digits = k->entry;
    out->keys.finish = finish;
    out->keys.barged = k->barged;
}

/* How many keys from the start are one entry that needs no more waiting; 0: none. */
static size_t complete_entry(const struct ivr_keys *k, char *finish)
{
    const struct ivr_collect *c = k->collect;
    char part[IVR_DIGITS_MAX + 1] = "";

    *finish = '\0';
    for (size_t n = 1; n <= k->n; n++) {
        part[n - 1] = k->digits[n - 1];
        bool global = begins_global(c, part, n);
        if (!global && is_finish(c, part[n - 1])) {
            *finish = part[n - 1];
            return n;
        }
        if (ivr_collect_is_complete(c, part) || (c->max > 0 && n >= (size_t)c->max))
            return n;
    }
    return k->n == IVR_DIGITS_MAX ? k->n : 0;
}

static bool is_global(const struct ivr_collect *c, const char *keys)
{
    for (size_t i = 0; c->global_keys && c->global_keys[i]; i++)
        if (strcmp(c->global_keys[i], keys) == 0)
            return true;
    return false;
}

EXPORT bool ivr_keys_take(struct ivr_keys *k, int64_t now_ms, uint32_t token,
                          struct ivr_input *out)
{
    char finish;

    if (!k->armed)
        return false;
    size_t n = complete_entry(k, &finish);
    if (n == 0 && now_ms < k->due_at_ms)
        return false;
    if (n > 0) {
        give(k, n, finish, token, out);
    } else if (k->n == 0) {
        *out = (struct ivr_input){.kind = IVR_IN_NO_INPUT, .token = token};
    } else {
        /* A finishing key that might have begun a global one was just that. */
        char last = k->digits[k->n - 1];
        bool finishes = is_finish(k->collect, last) && !is_global(k->collect, k->digits);
        give(k, k->n, (char)(finishes ? last : '\0'), token, out);
    }
    k->armed = false;
    k->collect = NULL;
    return true;
}

EXPORT void ivr_keys_clear(struct ivr_keys *k)
{
    memset(k, 0, sizeof(*k));
}
