/*
 * forecast_pool - the daily caps of a caller-id pool on the forecast's clock. Pure.
 *
 * A number shows at most its cap in any 24 hours, and a call takes any number that has
 * room: so the pool has room as long as fewer calls showed it in the last 24 hours than
 * the caps of its numbers come to. Counted by the minute; calls of other campaigns that
 * showed it before are counted, those to come are not foreseen. A number in quarantine
 * comes back when that ends; which ones go into it is not foreseen.
 */
#ifndef CAMPAIGNS_FORECAST_POOL_H
#define CAMPAIGNS_FORECAST_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { FORECAST_POOL_MINUTES = 24 * 60 + 1 };

struct forecast_number {
    int64_t daily_cap;     /* 0 none */
    int64_t held_until_ms; /* 0 not in quarantine */
};

struct forecast_pool {
    bool stated;
    const struct forecast_number *numbers; /* borrowed */
    size_t n;
    int64_t used[FORECAST_POOL_MINUTES]; /* before the forecast, [0] its last minute */
};

/* The pool while the forecast runs. */
struct forecast_pool_run {
    const struct forecast_pool *pool;
    int64_t from_ms, minute; /* minute: of from_ms, 0 the first */
    int64_t ring[FORECAST_POOL_MINUTES], sum;
    int64_t capacity,
        changes_ms; /* INT64_MAX no cap; when a number comes back, 0 never */
};

void forecast_pool_begin(struct forecast_pool_run *run, const struct forecast_pool *pool,
                         int64_t from_ms);
/* Calls that may begin at now_ms, which never goes back; INT64_MAX any number. */
int64_t forecast_pool_room(struct forecast_pool_run *run, int64_t now_ms);
void forecast_pool_take(struct forecast_pool_run *run, int64_t calls);
/* Without room: when there may be some again; 0 never. */
int64_t forecast_pool_wake(const struct forecast_pool_run *run);

#endif
