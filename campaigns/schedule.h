/*
 * schedule - five-field cron with a time zone: which instants are planned. Pure
 * but for the zone rules, which contacts/tz.h reads from the system.
 *
 *   minute hour day-of-month month day-of-week
 *
 * with *, lists, ranges, steps, and names (jan, mon); 0 and 7 are Sunday. When
 * both days are restricted either one is enough, as in cron. Where clocks
 * jump forward, a time of day that does not exist fires at the jump; where they
 * fall back, a stated hour fires once, at its first pass; with '*' as the hour
 * both passes fire.
 */
#ifndef CAMPAIGNS_SCHEDULE_H
#define CAMPAIGNS_SCHEDULE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attrs.h"
#include "base/errors.h"

struct schedule {
    uint64_t minutes;                          /* bit n: minute n */
    uint32_t hours, days, months, weekdays;    /* bit n; weekdays 0 is Sunday */
    bool every_hour, every_day, every_weekday; /* the field began with '*' */
    char cron[96], timezone[64];
};

/* EINVAL with a text that names the field and what it may hold. */
NODISCARD int schedule_parse(struct schedule *out, const char *cron, const char *timezone,
                             struct errtext *e);

/* The first planned instant after after_ms. ENODATA: none within ten years
 * (30 February); else what contacts/tz.h says about the zone. */
NODISCARD int schedule_next(const struct schedule *s, int64_t after_ms, int64_t *out_ms);

/* The latest planned instant in (after_ms, until_ms]; ENODATA when there is none. */
NODISCARD int schedule_latest(const struct schedule *s, int64_t after_ms,
                              int64_t until_ms, int64_t *out_ms);

#endif
