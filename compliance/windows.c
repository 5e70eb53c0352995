#include "compliance/windows.h"

#include <string.h>

#include "contacts/zones.h"

enum { MINUTE_S = 60, DAY_S = 86400, FRIDAY = 5 };
#define DAY_MS ((int64_t)86400 * 1000)

_Static_assert(WINDOWS_ZONES_MAX >= 2 * ZONES_MAX, "number and address must fit");

/* ---- zones ---- */

static int64_t next_change(const struct tz_zone *zone, int64_t at_ms)
{
    int64_t change_ms = 0;

    return tz_next_change(zone, at_ms, &change_ms) ? INT64_MAX : change_ms;
}

static struct windows_zone zone_from(const struct tz_zone *zone, int64_t at_ms)
{
    return (struct windows_zone){.zone = zone,
                                 .offset_s = tz_offset_s(zone, at_ms),
                                 .from_ms = at_ms,
                                 .until_ms = next_change(zone, at_ms)};
}

static bool is_known(const struct windows_zone *z, int64_t at_ms)
{
    return at_ms >= z->from_ms && at_ms < z->until_ms;
}

static int32_t offset_at(const struct windows_zone *z, int64_t at_ms)
{
    return is_known(z, at_ms) ? z->offset_s : tz_offset_s(z->zone, at_ms);
}

static int64_t offset_ends_ms(const struct windows_zone *z, int64_t at_ms)
{
    return is_known(z, at_ms) ? z->until_ms : next_change(z->zone, at_ms);
}

static bool add_zones(struct windows *w, const char *const *names, size_t n,
                      int64_t at_ms)
{
    for (size_t i = 0; i < n; i++) {
        const struct tz_zone *zone = NULL;
        bool known = false;
        if (w->zone_count == WINDOWS_ZONES_MAX || tz_find(names[i], &zone))
            return false;
        for (size_t k = 0; !known && k < w->zone_count; k++)
            known = w->zones[k].zone == zone;
        if (!known)
            w->zones[w->zone_count++] = zone_from(zone, at_ms);
    }
    return true;
}

static bool are_near(const struct windows *w)
{
    int limit_s =
        w->policy->max_spread_s > 0 ? w->policy->max_spread_s : ZONES_SPREAD_LIMIT_S;
    int32_t least_s = INT32_MAX, most_s = INT32_MIN;

    for (size_t i = 0; i < w->zone_count; i++) {
        int32_t offset_s = w->zones[i].offset_s;
        least_s = offset_s < least_s ? offset_s : least_s;
        most_s = offset_s > most_s ? offset_s : most_s;
    }
    return w->zone_count > 0 && most_s - least_s <= limit_s;
}

bool windows_init(struct windows *w, const struct policy *policy,
                  const struct compliance_facts *facts, int64_t at_ms)
{
    w->policy = policy;
    w->region = facts->region;
    w->holidays = facts->holidays;
    w->holiday_count = facts->holiday_count;
    w->zone_count = w->pack_count = 0;
    bool known = add_zones(w, facts->address_zones, facts->address_zone_count, at_ms);
    if (known && !(facts->tz_confirmed && facts->address_zone_count > 0))
        known =
            facts->zone_count > 0 && add_zones(w, facts->zones, facts->zone_count, at_ms);
    return known && are_near(w);
}

bool windows_add(struct windows *w, const struct pack *pack, const struct pack_row *row)
{
    if (w->pack_count == WINDOWS_PACKS_MAX)
        return false;
    w->packs[w->pack_count].pack = pack;
    w->packs[w->pack_count++].row = row;
    return true;
}

/* ---- one wall clock ---- */

struct wall {
    int64_t day; /* tz_day_number */
    int weekday; /* 1 Monday */
    int now_s;   /* of the day */
};

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

static struct wall wall_of_clock(int offset_s, int64_t at_ms)
{
    int64_t local_s = floor_div(at_ms, 1000) + offset_s;
    int64_t day = floor_div(local_s, DAY_S);

    return (struct wall){day, tz_day_weekday(day), (int)(local_s - day * DAY_S)};
}

static struct wall wall_of(const struct windows_zone *zone, int64_t at_ms)
{
    return wall_of_clock(offset_at(zone, at_ms), at_ms);
}

static unsigned day_state(const struct policy_day *day, int now_s)
{
    if (day->n == 0)
        return WINDOWS_DAY;
    for (size_t i = 0; i < day->n; i++)
        if (now_s >= day->at[i].from_min * MINUTE_S &&
            now_s < day->at[i].until_min * MINUTE_S)
            return WINDOWS_OPEN;
    return WINDOWS_HOUR;
}

/* ---- the policy's own ---- */

static bool is_own_holiday(const struct windows *w, int64_t day)
{
    if (!w->policy->observe_holidays)
        return false;
    for (size_t i = 0; i < w->holiday_count; i++) {
        const struct compliance_holiday *h = &w->holidays[i];
        if (h->day == day &&
            (strcmp(h->region, "*") == 0 || strcmp(h->region, w->region) == 0))
            return true;
    }
    return false;
}

static unsigned own_at(const struct windows *w, const struct wall *at)
{
    for (size_t i = 0; i < w->policy->blackout_count; i++)
        if (w->policy->blackout[i] == at->day)
            return WINDOWS_BLACKOUT;
    if (is_own_holiday(w, at->day))
        return WINDOWS_HOLIDAY;
    return day_state(&w->policy->week[at->weekday - 1], at->now_s);
}

/* ---- a pack's ---- */

static const struct policy_day *day_of(const struct pack *pack,
                                       const struct pack_row *row, const struct wall *at)
{
    if (pack->has_eve && at->weekday <= FRIDAY && pack_is_holiday(pack, at->day + 1))
        return &pack->eve;
    return &row->week[at->weekday - 1];
}

static unsigned row_at(const struct pack *pack, const struct pack_row *row,
                       const struct wall *at)
{
    if (!pack_row_in_force(row, at->day))
        return WINDOWS_OPEN;
    if (pack_is_holiday(pack, at->day))
        return WINDOWS_HOLIDAY;
    return day_state(day_of(pack, row, at), at->now_s);
}

static unsigned clock_at(const struct pack_row *row, int offset_s, int64_t at_ms)
{
    struct wall at = wall_of_clock(offset_s, at_ms);

    if (!pack_row_in_force(row, at.day))
        return WINDOWS_OPEN;
    return day_state(&row->week[at.weekday - 1], at.now_s);
}

unsigned windows_own_state(const struct windows *w, int64_t at_ms)
{
    unsigned state = WINDOWS_OPEN;

    for (size_t i = 0; i < w->zone_count; i++) {
        struct wall at = wall_of(&w->zones[i], at_ms);
        state |= own_at(w, &at);
    }
    return state;
}

unsigned windows_row_state(const struct windows *w, size_t which, int64_t at_ms)
{
    const struct pack *pack = w->packs[which].pack;
    const struct pack_row *row = w->packs[which].row;
    unsigned state = WINDOWS_OPEN;

    for (size_t i = 0; i < w->zone_count; i++) {
        struct wall at = wall_of(&w->zones[i], at_ms);
        state |= row_at(pack, row, &at);
    }
    for (size_t i = 0; i < pack->clock_count; i++)
        state |= clock_at(row, pack->clocks_s[i], at_ms);
    return state;
}

bool windows_are_open(const struct windows *w, int64_t at_ms)
{
    for (size_t i = 0; i < w->zone_count; i++) {
        struct wall at = wall_of(&w->zones[i], at_ms);
        if (own_at(w, &at) != WINDOWS_OPEN)
            return false;
        for (size_t k = 0; k < w->pack_count; k++)
            if (row_at(w->packs[k].pack, w->packs[k].row, &at) != WINDOWS_OPEN)
                return false;
    }
    for (size_t k = 0; k < w->pack_count; k++)
        for (size_t i = 0; i < w->packs[k].pack->clock_count; i++)
            if (clock_at(w->packs[k].row, w->packs[k].pack->clocks_s[i], at_ms) !=
                WINDOWS_OPEN)
                return false;
    return w->zone_count > 0;
}

/* ---- edges ---- */

static int day_edge(const struct policy_day *day, int now_s, int edge_s)
{
    for (size_t i = 0; i < day->n; i++) {
        int from_s = day->at[i].from_min * MINUTE_S;
        int until_s = day->at[i].until_min * MINUTE_S;
        if (from_s > now_s && from_s < edge_s)
            edge_s = from_s;
        if (until_s > now_s && until_s < edge_s)
            edge_s = until_s;
    }
    return edge_s;
}

/* The next instant at which the state of a zone may change: an edge of a window, local
 * midnight, or a change of the offset. */
static int64_t zone_edge(const struct windows *w, const struct windows_zone *zone,
                         int64_t at_ms)
{
    struct wall at = wall_of(zone, at_ms);
    int edge_s = day_edge(&w->policy->week[at.weekday - 1], at.now_s, DAY_S);

    for (size_t k = 0; k < w->pack_count; k++)
        edge_s =
            day_edge(day_of(w->packs[k].pack, w->packs[k].row, &at), at.now_s, edge_s);
    /* Offsets are whole seconds, so the part of a second is UTC's own. */
    int64_t second_ms = floor_div(at_ms, 1000) * 1000;
    int64_t edge_ms = second_ms + (int64_t)(edge_s - at.now_s) * 1000;
    int64_t change_ms = offset_ends_ms(zone, at_ms);
    return change_ms < edge_ms ? change_ms : edge_ms;
}

static int64_t next_edge(const struct windows *w, int64_t at_ms)
{
    int64_t first_ms = INT64_MAX, second_ms = floor_div(at_ms, 1000) * 1000;

    for (size_t i = 0; i < w->zone_count; i++) {
        int64_t edge_ms = zone_edge(w, &w->zones[i], at_ms);
        first_ms = edge_ms < first_ms ? edge_ms : first_ms;
    }
    for (size_t k = 0; k < w->pack_count; k++) {
        for (size_t i = 0; i < w->packs[k].pack->clock_count; i++) {
            struct wall at = wall_of_clock(w->packs[k].pack->clocks_s[i], at_ms);
            int edge_s =
                day_edge(&w->packs[k].row->week[at.weekday - 1], at.now_s, DAY_S);
            int64_t edge_ms = second_ms + (int64_t)(edge_s - at.now_s) * 1000;
            first_ms = edge_ms < first_ms ? edge_ms : first_ms;
        }
    }
    return first_ms;
}

int64_t windows_next_change(const struct windows *w, int64_t at_ms, int days)
{
    bool open = windows_are_open(w, at_ms);
    int64_t end_ms = at_ms + days * DAY_MS;

    if (w->zone_count == 0)
        return 0;
    for (int64_t t = next_edge(w, at_ms); t <= end_ms; t = next_edge(w, t))
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

/* ---- dates ---- */

int64_t windows_zone_day(const struct windows_zone *zone, int64_t at_ms)
{
    return wall_of(zone, at_ms).day;
}

int64_t windows_first_day(const struct windows *w, int64_t at_ms)
{
    int64_t first = INT64_MAX;

    for (size_t i = 0; i < w->zone_count; i++) {
        int64_t day = windows_zone_day(&w->zones[i], at_ms);
        first = day < first ? day : first;
    }
    return w->zone_count > 0 ? first : floor_div(at_ms, DAY_MS);
}

int64_t windows_last_day(const struct windows *w, int64_t at_ms)
{
    int64_t last = INT64_MIN;

    for (size_t i = 0; i < w->zone_count; i++) {
        int64_t day = windows_zone_day(&w->zones[i], at_ms);
        last = day > last ? day : last;
    }
    return w->zone_count > 0 ? last : floor_div(at_ms, DAY_MS);
}

int64_t windows_zone_day_begins(const struct windows_zone *zone, int64_t day)
{
    int64_t t = (day - 2) * DAY_MS; /* earlier than it can begin anywhere */

    for (;;) {
        struct wall at = wall_of(zone, t);
        if (at.day >= day)
            return t;
        int64_t midnight_ms = t + (int64_t)(DAY_S - at.now_s) * 1000;
        int64_t change_ms = offset_ends_ms(zone, t);
        t = change_ms < midnight_ms ? change_ms : midnight_ms;
    }
}
