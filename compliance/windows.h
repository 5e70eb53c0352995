/*
 * windows - calling hours: is the wall clock inside them in every zone, and when does
 * that change. Part of check. Pure; any thread.
 *
 * Only UTC to local time is used, which is always defined: both passes through an
 * overlap are inside, a gap is stepped over.
 */
#ifndef COMPLIANCE_WINDOWS_H
#define COMPLIANCE_WINDOWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "compliance/check.h"
#include "contacts/tz.h"

enum { WINDOWS_HORIZON_DAYS = 60 };

struct windows {
    const struct policy *policy;
    const char *region;
    const struct compliance_holiday *holidays;
    size_t holiday_count;
    const struct tz_zone *zones[64]; /* ZONES_MAX */
    size_t zone_count;
};

/* False: no zones, one that tzdata does not know, or they are too far apart. */
bool windows_init(struct windows *w, const struct policy *policy,
                  const struct compliance_facts *facts, int64_t at_ms);

enum windows_state { WINDOWS_OPEN, WINDOWS_HOLIDAY, WINDOWS_DAY, WINDOWS_HOUR };
/* Of one zone. */
enum windows_state windows_zone_state(const struct windows *w, const struct tz_zone *zone,
                                      int64_t at_ms);
bool windows_are_open(const struct windows *w, int64_t at_ms); /* in every zone */

/* The first instant after at_ms at which windows_are_open changes; 0: not within days. */
int64_t windows_next_change(const struct windows *w, int64_t at_ms, int days);
/* The first instant from at_ms on at which they are open and stay so for longer than
 * guard_ms; 0: not within days. */
int64_t windows_next_open(const struct windows *w, int64_t at_ms, int64_t guard_ms,
                          int days);

#endif
