#include "compliance/windows.h"

#include <string.h>

#include "contacts/zones.h"

enum { MINUTE_S = 60, DAY_S = 86400 };
#define DAY_MS ((int64_t)86400 * 1000)

_Static_assert(ARRAY_LEN(((struct windows *)0)->zones) >= ZONES_MAX, "a set must fit");

bool windows_init(struct windows *w, const struct policy *policy,
                  const struct compliance_facts *facts, int64_t at_ms)
{
    w->policy = policy;
    w->region = facts->region;
    w->holidays = facts->holidays;
    w->holiday_count = facts->holiday_count;
    w->zone_count = 0;
    if (facts->zone_count > ARRAY_LEN(w->zones) ||
        zones_are_unknown(facts->zones, facts->zone_count, at_ms))
        return false;
    for (size_t i = 0; i < facts->zone_count; i++)
        if (tz_find(facts->zones[i], &w->zones[w->zone_count++]))
            return false;
    return true;
}

static bool is_holiday(const struct windows *w, const struct tz_local *local)
{
    if (!w->policy->observe_holidays)
        return false;
    int64_t day = tz_day_number(local->year, local->month, local->day);
    for (size_t i = 0; i < w->holiday_count; i++) {
        const struct compliance_holiday *h = &w->holidays[i];
        if (h->day == day &&
            (strcmp(h->region, "*") == 0 || strcmp(h->region, w->region) == 0))
            return true;
    }
    return false;
}

static int second_of_day(const struct tz_local *local)
{
    return (local->hour * MINUTE_S + local->minute) * MINUTE_S + local->second;
}

enum windows_state windows_zone_state(const struct windows *w, const struct tz_zone *zone,
                                      int64_t at_ms)
{
    const struct tz_local local = tz_local_at(zone, at_ms);
    const struct policy_day *day = &w->policy->week[local.weekday - 1];
    int now_s = second_of_day(&local);

    if (is_holiday(w, &local))
        return WINDOWS_HOLIDAY;
    if (day->n == 0)
        return WINDOWS_DAY;
    for (size_t i = 0; i < day->n; i++)
        if (now_s >= day->at[i].from_min * MINUTE_S &&
            now_s < day->at[i].until_min * MINUTE_S)
            return WINDOWS_OPEN;
    return WINDOWS_HOUR;
}

bool windows_are_open(const struct windows *w, int64_t at_ms)
{
    for (size_t i = 0; i < w->zone_count; i++)
        if (windows_zone_state(w, w->zones[i], at_ms) != WINDOWS_OPEN)
            return false;
    return w->zone_count > 0;
}

/* The next instant at which the state of a zone may change: an edge of a window, local
 * midnight, or a change of the offset. */
static int64_t next_edge(const struct windows *w, const struct tz_zone *zone,
                         int64_t at_ms)
{
    const struct tz_local local = tz_local_at(zone, at_ms);
    const struct policy_day *day = &w->policy->week[local.weekday - 1];
    int now_s = second_of_day(&local), edge_s = DAY_S;
    int64_t change_ms = 0;

    for (size_t i = 0; i < day->n; i++) {
        int from_s = day->at[i].from_min * MINUTE_S;
        int until_s = day->at[i].until_min * MINUTE_S;
        if (from_s > now_s && from_s < edge_s)
            edge_s = from_s;
        if (until_s > now_s && until_s < edge_s)
            edge_s = until_s;
    }
    /* Offsets are whole seconds, so the part of a second is UTC's own. */
    int64_t second_ms = at_ms - (at_ms % 1000 + 1000) % 1000;
    int64_t edge_ms = second_ms + (int64_t)(edge_s - now_s) * 1000;
    if (!tz_next_change(zone, at_ms, &change_ms) && change_ms < edge_ms)
        return change_ms;
    return edge_ms;
}

static int64_t next_edge_of_all(const struct windows *w, int64_t at_ms)
{
    int64_t first_ms = INT64_MAX;

    for (size_t i = 0; i < w->zone_count; i++) {
        int64_t edge_ms = next_edge(w, w->zones[i], at_ms);
        if (edge_ms < first_ms)
            first_ms = edge_ms;
    }
    return first_ms;
}

int64_t windows_next_change(const struct windows *w, int64_t at_ms, int days)
{
    bool open = windows_are_open(w, at_ms);
    int64_t end_ms = at_ms + days * DAY_MS;

    if (w->zone_count == 0)
        return 0;
    for (int64_t t = next_edge_of_all(w, at_ms); t <= end_ms; t = next_edge_of_all(w, t))
        if (windows_are_open(w, t) != open)
            return t;
    return 0;
}

int64_t windows_next_open(const struct windows *w, int64_t at_ms, int64_t guard_ms,
                          int days)
{
    int64_t end_ms = at_ms + days * DAY_MS;

    for (int64_t t = at_ms; t <= end_ms;) {
        if (!windows_are_open(w, t)) {
            t = windows_next_change(w, t, days);
            if (t == 0)
                return 0;
            continue;
        }
        int64_t close_ms = windows_next_change(w, t, 2);
        if (close_ms == 0 || close_ms - t > guard_ms)
            return t;
        t = close_ms;
    }
    return 0;
}
