#include "dialer/id_table.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"

enum { FIRST_CAP = 64 };

enum entry_state { ENTRY_FREE, ENTRY_USED, ENTRY_REMOVED };

struct id_entry {
    struct uuid id;
    void *value;
    enum entry_state state;
};

void id_table_free(struct id_table *t)
{
    free(t->entries);
    *t = (struct id_table){0};
}

/* Version 7: the last bytes are random. */
static size_t hash(const struct uuid *id)
{
    uint64_t h;

    memcpy(&h, id->bytes + 8, sizeof(h));
    return (size_t)(h * UINT64_C(0x9e3779b97f4a7c15) >> 16);
}

/* The entry of id, or the one where it would be put; NULL in an empty table. */
static struct id_entry *locate(const struct id_table *t, const struct uuid *id)
{
    struct id_entry *room = NULL;

    for (size_t i = 0, at = hash(id); i < t->cap; i++, at++) {
        struct id_entry *e = &t->entries[at & (t->cap - 1)];
        if (e->state == ENTRY_USED && memcmp(&e->id, id, sizeof(*id)) == 0)
            return e;
        if (e->state == ENTRY_FREE)
            return room ? room : e;
        if (e->state == ENTRY_REMOVED && !room)
            room = e;
    }
    return room;
}

static void grow(struct id_table *t)
{
    struct id_table bigger = {.cap = FIRST_CAP};

    while (bigger.cap < t->count * 4)
        bigger.cap *= 2;
    bigger.entries = xcalloc(bigger.cap, sizeof(*bigger.entries));
    for (size_t i = 0; i < t->cap; i++)
        if (t->entries[i].state == ENTRY_USED)
            *locate(&bigger, &t->entries[i].id) = t->entries[i];
    bigger.count = bigger.used = t->count;
    free(t->entries);
    *t = bigger;
}

bool id_table_add(struct id_table *t, const struct uuid *id, void *value)
{
    if (t->used * 4 >= t->cap * 3)
        grow(t);
    struct id_entry *e = locate(t, id);
    if (e->state == ENTRY_USED)
        return false;
    t->used += e->state == ENTRY_FREE;
    t->count++;
    *e = (struct id_entry){.id = *id, .value = value, .state = ENTRY_USED};
    return true;
}

void *id_table_find(const struct id_table *t, const struct uuid *id)
{
    const struct id_entry *e = t->cap ? locate(t, id) : NULL;

    return e && e->state == ENTRY_USED ? e->value : NULL;
}

void id_table_remove(struct id_table *t, const struct uuid *id)
{
    struct id_entry *e = t->cap ? locate(t, id) : NULL;

    if (!e || e->state != ENTRY_USED)
        return;
    e->state = ENTRY_REMOVED;
    e->value = NULL;
    t->count--;
}

void *id_table_next(const struct id_table *t, size_t *at)
{
    while (*at < t->cap) {
        const struct id_entry *e = &t->entries[(*at)++];
        if (e->state == ENTRY_USED)
            return e->value;
    }
    return NULL;
}
