/*
 * windows - calling hours: is the wall clock inside them in every zone, and when does
 * that change. Part of check. Pure; any thread.
 *
 * The policy's own week, its blackout dates and the tenant's holidays hold together with
 * the hours of every pack; each of them is asked in every zone. Only UTC to local time is
 * used, which is always defined: both passes through an overlap are inside, a gap is
 * stepped over.
 */
#ifndef COMPLIANCE_WINDOWS_H
#define COMPLIANCE_WINDOWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "compliance/check.h"
#include "compliance/pack.h"
#include "contacts/tz.h"

enum { WINDOWS_HORIZON_DAYS = 60, WINDOWS_PACKS_MAX = 48, WINDOWS_ZONES_MAX = 128 };

/* A zone, and what its offset is from the verdict's instant until it changes. */
struct windows_zone {
    const struct tz_zone *zone;
    int32_t offset_s;
    int64_t from_ms, until_ms;
};

struct windows {
    const struct policy *policy;
    const char *region;
    const struct compliance_holiday *holidays;
    size_t holiday_count;
    struct windows_zone zones[WINDOWS_ZONES_MAX];
    size_t zone_count;
    struct {
        const struct pack *pack;
        const struct pack_row *row; /* PACK_WINDOWS */
    } packs[WINDOWS_PACKS_MAX];
    size_t pack_count;
};

/* Zones: the confirmed ones of the address, else those of number and address together.
 * False: none, one that tzdata does not know, or they are too far apart. */
bool windows_init(struct windows *w, const struct policy *policy,
                  const struct compliance_facts *facts, int64_t at_ms);
/* False: there are too many. */
bool windows_add(struct windows *w, const struct pack *pack, const struct pack_row *row);

/* Why it is closed; together: WINDOWS_OPEN is none of them. */
enum {
    WINDOWS_OPEN = 0,
    WINDOWS_HOLIDAY = 1,
    WINDOWS_DAY = 2,
    WINDOWS_HOUR = 4,
    WINDOWS_BLACKOUT = 8,
};
/* By the policy itself, and by one of the packs' rows, in every zone (and fixed clock).
 */
unsigned windows_own_state(const struct windows *w, int64_t at_ms);
unsigned windows_row_state(const struct windows *w, size_t which, int64_t at_ms);
bool windows_are_open(const struct windows *w, int64_t at_ms);

/* The first instant after at_ms at which windows_are_open changes; 0: not within days. */
int64_t windows_next_change(const struct windows *w, int64_t at_ms, int days);
/* The first instant from at_ms on at which they are open and stay so for longer than
 * guard_ms; 0: not within days. */
int64_t windows_next_open(const struct windows *w, int64_t at_ms, int64_t guard_ms,
                          int days);

/* The called party's dates: the earliest and latest of all zones, that of one zone, and
 * the first instant at which it is that day or later there. */
int64_t windows_first_day(const struct windows *w, int64_t at_ms);
int64_t windows_last_day(const struct windows *w, int64_t at_ms);
int64_t windows_zone_day(const struct windows_zone *zone, int64_t at_ms);
int64_t windows_zone_day_begins(const struct windows_zone *zone, int64_t day);

#endif
