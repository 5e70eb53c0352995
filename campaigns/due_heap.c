#include "campaigns/due_heap.h"

#include <stdbool.h>
#include <stdlib.h>

#include "base/xalloc.h"

enum { SIZE_FIRST = 16 };

static bool is_before(const struct due_entry *a, const struct due_entry *b)
{
    return a->due_ms != b->due_ms ? a->due_ms < b->due_ms : a->id < b->id;
}

void due_heap_push(struct due_heap *h, struct due_entry e)
{
    if (h->n == h->size) {
        h->size = h->size ? 2 * h->size : SIZE_FIRST;
        h->at = xrealloc(h->at, h->size * sizeof(*h->at));
    }
    size_t i = h->n++;
    for (; i > 0 && is_before(&e, &h->at[(i - 1) / 2]); i = (i - 1) / 2)
        h->at[i] = h->at[(i - 1) / 2];
    h->at[i] = e;
}

struct due_entry due_heap_pop(struct due_heap *h)
{
    struct due_entry top = h->at[0], last = h->at[--h->n];
    size_t i = 0;

    for (size_t child = 1; child < h->n; i = child, child = 2 * i + 1) {
        if (child + 1 < h->n && is_before(&h->at[child + 1], &h->at[child]))
            child++;
        if (!is_before(&h->at[child], &last))
            break;
        h->at[i] = h->at[child];
    }
    if (h->n > 0)
        h->at[i] = last;
    return top;
}

struct due_heap *due_heaps_find(const struct due_heaps *all, uint32_t zone, int priority)
{
    for (size_t i = 0; i < all->n; i++)
        if (all->at[i].zone == zone && all->at[i].priority == priority)
            return &all->at[i];
    return NULL;
}

struct due_heap *due_heaps_get(struct due_heaps *all, uint32_t zone, int priority)
{
    struct due_heap *h = due_heaps_find(all, zone, priority);

    if (h)
        return h;
    all->at = xrealloc(all->at, (all->n + 1) * sizeof(*all->at));
    all->at[all->n] = (struct due_heap){.zone = zone, .priority = priority};
    return &all->at[all->n++];
}

void due_heaps_deinit(struct due_heaps *all)
{
    for (size_t i = 0; i < all->n; i++)
        free(all->at[i].at);
    free(all->at);
    *all = (struct due_heaps){0};
}
