/*
 * hopper - in which order due contacts are picked: one answer for the claim and for the
 * simulator. Pure.
 */
#ifndef CAMPAIGNS_HOPPER_H
#define CAMPAIGNS_HOPPER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Waiting contacts of one priority in one zone group. */
struct hopper_bucket {
    int zone_group, priority;
    int64_t first_due_ms; /* of its earliest contact */
    int64_t until_ms;     /* its window closes (or opens); 0 not within sixty days */
    bool open;
};

/* May be picked from at now_ms? A group that does not open within sixty days may:
 * otherwise nobody would ever learn why its contacts wait. When not, *due_ms is when it
 * is worth asking again. */
bool hopper_is_ready(const struct hopper_bucket *b, int64_t now_ms, int64_t *due_ms);
/* Higher priority first, then the group whose window closes first, then who waits
 * longest. */
void hopper_sort(struct hopper_bucket *list, size_t n);

#endif
