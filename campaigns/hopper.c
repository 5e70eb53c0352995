#include "campaigns/hopper.h"

#include <stdlib.h>

bool hopper_is_ready(const struct hopper_bucket *b, int64_t now_ms, int64_t *due_ms)
{
    bool closed = !b->open && b->until_ms > 0;

    *due_ms = closed && b->until_ms > b->first_due_ms ? b->until_ms : b->first_due_ms;
    return b->first_due_ms <= now_ms && !closed;
}

static int order(const void *pa, const void *pb)
{
    const struct hopper_bucket *a = pa, *b = pb;

    if (a->priority != b->priority)
        return a->priority < b->priority ? 1 : -1;
    if (a->until_ms != b->until_ms) /* 0 never closes: last */
        return (uint64_t)(a->until_ms - 1) < (uint64_t)(b->until_ms - 1) ? -1 : 1;
    if (a->first_due_ms != b->first_due_ms)
        return a->first_due_ms < b->first_due_ms ? -1 : 1;
    return (a->zone_group > b->zone_group) - (a->zone_group < b->zone_group);
}

void hopper_sort(struct hopper_bucket *list, size_t n)
{
    qsort(list, n, sizeof(*list), order);
}
