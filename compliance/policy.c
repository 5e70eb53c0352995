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

/* ---- as JSON ---- */

static json_t *week_to_json(const struct policy *p)
{
    json_t *week = json_array();

    for (size_t day = 0; day < ARRAY_LEN(p->week); day++) {
        json_t *list = json_array();
        for (size_t i = 0; i < p->week[day].n; i++) {
            const struct policy_interval *w = &p->week[day].at[i];
            json_array_append_new(list, json_pack("[ii]", w->from_min, w->until_min));
        }
        json_array_append_new(week, list);
    }
    return week;
}

json_t *policy_to_json(const struct policy *p)
{
    json_t *regions = json_array();

    for (size_t i = 0; i < p->region_count; i++)
        json_array_append_new(regions, json_string(p->regions[i]));
    return json_pack("{s:o, s:b, s:i, s:i, s:i, s:I, s:s, s:o, s:i, s:i, s:I, s:I}",
                     "week", week_to_json(p), "holidays", p->observe_holidays, "max_24h",
                     p->max_24h, "max_7d", p->max_7d, "max_total", p->max_total,
                     "min_gap_s", (json_int_t)p->min_gap_s, "consent",
                     consent_level_name(p->consent_required), "regions", regions,
                     "ring_timeout_s", p->ring_timeout_s, "close_guard_s",
                     p->close_guard_s, "not_before_ms", (json_int_t)p->not_before_ms,
                     "not_after_ms", (json_int_t)p->not_after_ms);
}

static int week_from_json(struct policy *p, const json_t *week)
{
    if (json_array_size(week) != ARRAY_LEN(p->week))
        return EBADMSG;
    for (size_t day = 0; day < ARRAY_LEN(p->week); day++) {
        const json_t *list = json_array_get(week, day);
        struct policy_day *d = &p->week[day];
        if (!json_is_array(list) || json_array_size(list) > POLICY_INTERVALS_MAX)
            return EBADMSG;
        for (d->n = 0; d->n < json_array_size(list); d->n++) {
            struct policy_interval *w = &d->at[d->n];
            if (json_unpack(json_array_get(list, d->n), "[ii!]", &w->from_min,
                            &w->until_min))
                return EBADMSG;
        }
    }
    return 0;
}

static int regions_from_json(struct policy *p, const json_t *regions)
{
    if (!json_is_array(regions) || json_array_size(regions) > POLICY_REGIONS_MAX)
        return EBADMSG;
    for (size_t i = 0; i < json_array_size(regions); i++) {
        const char *text = json_string_value(json_array_get(regions, i));
        if (!text || strlen(text) != 2)
            return EBADMSG;
        memcpy(p->regions[p->region_count++], text, 3);
    }
    return 0;
}

int policy_from_json(struct policy *out, const json_t *json)
{
    struct policy p = {0};
    json_t *week = NULL, *regions = NULL;
    const char *consent = NULL;
    int holidays = 0;
    json_int_t gap = 0, before = 0, after = 0;

    if (json_unpack((json_t *)(uintptr_t)json,
                    "{s:o, s:b, s:i, s:i, s:i, s:I, s:s, s:o, s:i, s:i, s:I, s:I}",
                    "week", &week, "holidays", &holidays, "max_24h", &p.max_24h, "max_7d",
                    &p.max_7d, "max_total", &p.max_total, "min_gap_s", &gap, "consent",
                    &consent, "regions", &regions, "ring_timeout_s", &p.ring_timeout_s,
                    "close_guard_s", &p.close_guard_s, "not_before_ms", &before,
                    "not_after_ms", &after) ||
        !consent_level_parse(consent, &p.consent_required))
        return EBADMSG;
    p.observe_holidays = holidays;
    p.min_gap_s = gap;
    p.not_before_ms = before;
    p.not_after_ms = after;
    int err = week_from_json(&p, week);
    if (!err)
        err = regions_from_json(&p, regions);
    if (!err)
        *out = p;
    return err;
}
