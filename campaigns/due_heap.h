/*
 * due_heap - who becomes due first: heaps of ids, one for each priority of each zone. The
 * earliest comes first, and of those due at one instant the smallest id. What an id
 * stands for is the caller's. Pure; not thread-safe.
 */
#ifndef CAMPAIGNS_DUE_HEAP_H
#define CAMPAIGNS_DUE_HEAP_H

#include <stddef.h>
#include <stdint.h>

struct due_entry {
    int64_t due_ms;
    uint32_t id;
};

struct due_heap {
    uint32_t zone; /* the caller's index */
    int priority;
    size_t n, size;
    struct due_entry *at; /* owned; the first is the earliest */
};

struct due_heaps { /* zeroed: empty */
    struct due_heap *at;
    size_t n;
};

void due_heap_push(struct due_heap *h, struct due_entry e);
struct due_entry due_heap_pop(struct due_heap *h); /* h->n must not be 0 */

/* NULL: there is none yet. */
struct due_heap *due_heaps_find(const struct due_heaps *all, uint32_t zone, int priority);
/* An empty one when there is none yet, which moves the others. */
struct due_heap *due_heaps_get(struct due_heaps *all, uint32_t zone, int priority);
void due_heaps_deinit(struct due_heaps *all);

#endif
