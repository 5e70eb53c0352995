#include "compliance/policy.h"

#include <errno.h>
#include <string.h>

enum {
    HOUR_S = 3600,
    SUNDAY = 6,
    USUAL_RING_S = 25,
    GUARD_AFTER_RING_S = 5,
};

void policy_default(struct policy *out)
{
    *out = (struct policy){.observe_holidays = true,
                           .dial = DIAL_PROGRESSIVE,
                           .max_24h = 3,
                           .max_7d = 7,
                           .min_gap_s = (int64_t)4 * HOUR_S,
                           .ring_timeout_s = USUAL_RING_S,
                           .close_guard_s = USUAL_RING_S + GUARD_AFTER_RING_S};
    for (int day = 0; day < SUNDAY; day++)
        out->week[day] = (struct policy_day){.n = 1, .at = {{9 * 60, 20 * 60}}};
}

static bool day_is_valid(const struct policy_day *d)
{
    if (d->n > POLICY_INTERVALS_MAX)
        return false;
    for (size_t i = 0; i < d->n; i++) {
        const struct policy_interval *w = &d->at[i];
        if (w->from_min < 0 || w->from_min >= w->until_min ||
            w->until_min > POLICY_MINUTES)
            return false;
        if (i > 0 && w->from_min < d->at[i - 1].until_min)
            return false;
    }
    return true;
}

bool policy_is_valid(const struct policy *p)
{
    for (size_t day = 0; day < ARRAY_LEN(p->week); day++)
        if (!day_is_valid(&p->week[day]))
            return false;
    if ((unsigned)p->purpose >= PURPOSES || (unsigned)p->voice >= VOICES ||
        (unsigned)p->dial >= DIAL_MODES || p->pack_count > POLICY_RULES_MAX ||
        p->frequency_count > POLICY_RULES_MAX || p->cooldown_count > POLICY_RULES_MAX ||
        p->blackout_count > POLICY_DATES_MAX || p->list_count > POLICY_LISTS_MAX ||
        p->wash_count > POLICY_LISTS_MAX)
        return false;
    return p->max_24h >= 0 && p->max_7d >= 0 && p->max_total >= 0 && p->min_gap_s >= 0 &&
           p->close_guard_s >= 0 && p->ring_timeout_s > 0 &&
           p->region_count <= POLICY_REGIONS_MAX &&
           (p->not_after_ms == 0 || p->not_before_ms < p->not_after_ms);
}

bool policy_has_region(const struct policy *p, const char *region)
{
    for (size_t i = 0; i < p->region_count; i++)
        if (strcmp(p->regions[i], region) == 0)
            return true;
    return p->region_count == 0;
}

static const char *const level_names[] = {[CONSENT_NONE] = "none",
                                          [CONSENT_EXPRESS] = "express",
                                          [CONSENT_EXPRESS_WRITTEN] = "express_written"};

const char *consent_level_name(enum consent_level c)
{
    return level_names[c];
}

bool consent_level_parse(const char *name, enum consent_level *out)
{
    for (size_t i = 0; i < ARRAY_LEN(level_names); i++) {
        if (strcmp(level_names[i], name) == 0) {
            *out = (enum consent_level)i;
            return true;
        }
    }
    return false;
}
