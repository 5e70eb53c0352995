#include "base/latency.h"

#include <stddef.h>

enum { PART_BITS = 4, PARTS = 1 << PART_BITS, PARTS_TWICE = 2 * PARTS };

/* Below PARTS each microsecond has a step of its own. */
static size_t step_of(int64_t us)
{
    int power = 0;

    if (us < PARTS)
        return us > 0 ? (size_t)us : 0;
    while (us >> power >= PARTS_TWICE)
        power++;
    size_t step = (size_t)power * PARTS + (size_t)(us >> power);
    return step < LATENCY_STEPS ? step : LATENCY_STEPS - 1;
}

/* The longest that belongs to the step. */
static int64_t end_of(size_t step)
{
    if (step < PARTS_TWICE)
        return (int64_t)step;
    size_t power = step / PARTS - 1;
    return ((int64_t)(PARTS + step % PARTS + 1) << power) - 1;
}

void latency_add(struct latency *l, int64_t us)
{
    l->n++;
    l->counts[step_of(us)]++;
    if (us > l->most_us)
        l->most_us = us;
}

int64_t latency_at(const struct latency *l, double share)
{
    uint64_t wanted = (uint64_t)((double)l->n * share), seen = 0;

    if (l->n == 0)
        return 0;
    if (wanted < 1)
        wanted = 1;
    for (size_t i = 0; i < LATENCY_STEPS; i++) {
        seen += l->counts[i];
        if (seen >= wanted && i < LATENCY_STEPS - 1)
            return end_of(i) < l->most_us ? end_of(i) : l->most_us;
    }
    return l->most_us;
}
