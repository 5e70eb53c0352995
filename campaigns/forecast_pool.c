#include "campaigns/forecast_pool.h"

#include <string.h>

static const int64_t minute_ms = 60000;

static size_t slot_of(int64_t minute)
{
    int64_t slot = minute % FORECAST_POOL_MINUTES;

    return (size_t)(slot < 0 ? slot + FORECAST_POOL_MINUTES : slot);
}

static void look_at_numbers(struct forecast_pool_run *run, int64_t now_ms)
{
    const struct forecast_pool *pool = run->pool;

    run->capacity = run->changes_ms = 0;
    for (size_t i = 0; i < pool->n; i++) {
        const struct forecast_number *k = &pool->numbers[i];

        if (k->held_until_ms > now_ms) {
            if (run->changes_ms == 0 || k->held_until_ms < run->changes_ms)
                run->changes_ms = k->held_until_ms;
        } else if (k->daily_cap == 0) {
            run->capacity = INT64_MAX;
        } else if (run->capacity < INT64_MAX) {
            run->capacity += k->daily_cap;
        }
    }
}

void forecast_pool_begin(struct forecast_pool_run *run, const struct forecast_pool *pool,
                         int64_t from_ms)
{
    *run = (struct forecast_pool_run){.pool = pool, .from_ms = from_ms};
    if (!pool->stated)
        return;
    for (int i = 0; i < FORECAST_POOL_MINUTES; i++) {
        run->ring[slot_of(-1 - i)] = pool->used[i];
        run->sum += pool->used[i];
    }
    look_at_numbers(run, from_ms);
}

/* What was called longer ago than 24 hours counts no more. */
static void advance(struct forecast_pool_run *run, int64_t now_ms)
{
    int64_t to = (now_ms - run->from_ms) / minute_ms;

    if (to - run->minute >= FORECAST_POOL_MINUTES) {
        memset(run->ring, 0, sizeof(run->ring));
        run->sum = 0;
        run->minute = to;
    }
    for (; run->minute < to; run->minute++) {
        int64_t *slot = &run->ring[slot_of(run->minute + 1)];

        run->sum -= *slot;
        *slot = 0;
    }
}

int64_t forecast_pool_room(struct forecast_pool_run *run, int64_t now_ms)
{
    if (!run->pool->stated)
        return INT64_MAX;
    if (run->changes_ms > 0 && now_ms >= run->changes_ms)
        look_at_numbers(run, now_ms);
    advance(run, now_ms);
    if (run->capacity == INT64_MAX)
        return INT64_MAX;
    return run->sum < run->capacity ? run->capacity - run->sum : 0;
}

void forecast_pool_take(struct forecast_pool_run *run, int64_t calls)
{
    if (!run->pool->stated)
        return;
    run->ring[slot_of(run->minute)] += calls;
    run->sum += calls;
}

int64_t forecast_pool_wake(const struct forecast_pool_run *run)
{
    int64_t at_ms = run->changes_ms;

    /* The slot of the minute after next holds the oldest but one, and so on. */
    for (int64_t m = run->minute + 1; run->sum > 0; m++) {
        if (run->ring[slot_of(m)] == 0)
            continue;
        int64_t free_ms = run->from_ms + m * minute_ms;
        return at_ms > 0 && at_ms < free_ms ? at_ms : free_ms;
    }
    return at_ms;
}
