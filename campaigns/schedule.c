#include "campaigns/schedule.h"

#include <ctype.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/str.h"
#include "contacts/tz.h"

enum {
    MINUTE_MS = 60 * 1000,
    HORIZON_DAYS = 3660, /* ten years and their leap days */
    DAY_MINUTES = 24 * 60,
};
#define DAY_MS ((int64_t)86400 * 1000)

/* ---- reading ---- */

struct field {
    const char *name;
    int min, max;
    const char *const *names; /* names[0] is the value min */
    const char *holds;        /* for error messages */
};

static const char *const month_names[] = {"jan", "feb", "mar", "apr", "may", "jun", "jul",
                                          "aug", "sep", "oct", "nov", "dec", NULL};
static const char *const weekday_names[] = {"sun", "mon", "tue", "wed",
                                            "thu", "fri", "sat", NULL};

enum { MINUTE, HOUR, DAY, MONTH, WEEKDAY, FIELDS };
static const struct field fields[FIELDS] = {
    [MINUTE] = {"minute", 0, 59, NULL, "0 to 59"},
    [HOUR] = {"hour", 0, 23, NULL, "0 to 23"},
    [DAY] = {"day of the month", 1, 31, NULL, "1 to 31"},
    [MONTH] = {"month", 1, 12, month_names, "1 to 12 or jan to dec"},
    [WEEKDAY] = {"day of the week", 0, 7, weekday_names, "0 to 7 or sun to sat"},
};

static bool read_value(const struct field *f, const char *text, int *out)
{
    int64_t v = 0;

    for (int i = 0; f->names && f->names[i]; i++) {
        if (strcasecmp(text, f->names[i]) == 0) {
            *out = f->min + i;
            return true;
        }
    }
    /* Digits alone: no sign, no blank. */
    if (!isdigit((unsigned char)text[0]) || !str_to_i64(text, &v) || v < f->min ||
        v > f->max)
        return false;
    *out = (int)v;
    return true;
}

static int wrong(const struct field *f, const char *part, const char *what,
                 struct errtext *e)
{
    return errtext_set(e, EINVAL, 0, 0, "%s '%.40s' %s; it may hold %s, *, a-b, */n, a,b",
                       f->name, part, what, f->holds);
}

/* "*", "5", "1-5", each with "/n"; text is cut up. */
static int read_part(const struct field *f, char *text, uint64_t *bits, struct errtext *e)
{
    char whole[48];
    int from = f->min, until = f->max, step = 1;
    char *slash = strchr(text, '/'), *dash = NULL;

    str_cut(whole, sizeof(whole), text);
    if (slash) {
        int64_t n = 0;

        *slash = '\0';
        if (!isdigit((unsigned char)slash[1]) || !str_to_i64(slash + 1, &n) || n < 1 ||
            n > f->max)
            return wrong(f, whole, "has no usable step", e);
        step = (int)n;
    }
    if (strcmp(text, "*") != 0) {
        dash = strchr(text, '-');
        if (dash)
            *dash = '\0';
        if (!read_value(f, text, &from))
            return wrong(f, whole, "is out of range or no number", e);
        if (!slash)
            until = from;
        if (dash && !read_value(f, dash + 1, &until))
            return wrong(f, whole, "is out of range or no number", e);
        /* fri-sun: Sunday is the end of that week. */
        if (dash && f == &fields[WEEKDAY] && until == 0)
            until = 7;
        if (until < from)
            return wrong(f, whole, "runs backwards", e);
    } else if (f == &fields[WEEKDAY]) {
        until = 6;
    }
    for (int v = from; v <= until; v += step)
        *bits |= (uint64_t)1 << (f == &fields[WEEKDAY] && v == 7 ? 0 : v);
    return 0;
}

static int read_field(const struct field *f, char *text, uint64_t *bits, bool *every,
                      struct errtext *e)
{
    *every = text[0] == '*';
    for (char *part = text; part;) {
        char *comma = strchr(part, ',');

        if (comma)
            *comma = '\0';
        if (!*part)
            return wrong(f, "", "is empty", e);
        int err = read_part(f, part, bits, e);
        if (err)
            return err;
        part = comma ? comma + 1 : NULL;
    }
    return 0;
}

int schedule_parse(struct schedule *out, const char *cron, const char *timezone,
                   struct errtext *e)
{
    struct schedule s = {0};
    const struct tz_zone *zone = NULL;
    uint64_t bits[FIELDS] = {0};
    bool every[FIELDS] = {false};
    char text[sizeof(s.cron)];
    char *rest = NULL;
    int n = 0;

    if (str_copy(text, sizeof(text), cron) || str_copy(s.cron, sizeof(s.cron), cron))
        return errtext_set(e, EINVAL, 0, 0, "a cron text has at most %zu characters",
                           sizeof(text) - 1);
    if (str_copy(s.timezone, sizeof(s.timezone), timezone) || tz_find(timezone, &zone))
        return errtext_set(e, EINVAL, 0, 0,
                           "no time zone '%.60s'; write one like Africa/Addis_Ababa",
                           timezone);
    for (char *word = strtok_r(text, " \t", &rest); word;
         word = strtok_r(NULL, " \t", &rest), n++) {
        int err = n < FIELDS ? read_field(&fields[n], word, &bits[n], &every[n], e) : 0;
        if (err)
            return err;
    }
    if (n != FIELDS)
        return errtext_set(e, EINVAL, 0, 0,
                           "a cron text has five fields (minute hour day-of-month month "
                           "day-of-week), this one has %d",
                           n);
    s.minutes = bits[MINUTE];
    s.hours = (uint32_t)bits[HOUR];
    s.days = (uint32_t)bits[DAY];
    s.months = (uint32_t)bits[MONTH];
    s.weekdays = (uint32_t)bits[WEEKDAY];
    s.every_hour = every[HOUR];
    s.every_day = every[DAY];
    s.every_weekday = every[WEEKDAY];
    *out = s;
    return 0;
}

/* ---- planning ---- */

static bool has_day(const struct schedule *s, int64_t day)
{
    int year = 0, month = 0, of_month = 0;

    tz_day_date(day, &year, &month, &of_month);
    if (!(s->months >> month & 1))
        return false;
    bool by_month = s->days >> of_month & 1;
    bool by_week = s->weekdays >> (tz_day_weekday(day) % 7) & 1;
    if (s->every_day || s->every_weekday)
        return by_month && by_week;
    return by_month || by_week;
}

/* The instant of the jump that swallowed this time of day; false when none did. */
static bool find_jump(const struct tz_zone *zone, int64_t wall_ms, int64_t *out_ms)
{
    int64_t at_ms = wall_ms - 2 * DAY_MS;

    for (int i = 0; i < 8; i++) {
        int64_t change_ms = 0;

        if (tz_next_change(zone, at_ms, &change_ms) || change_ms > wall_ms + 2 * DAY_MS)
            return false;
        int64_t before_ms = (int64_t)tz_offset_s(zone, change_ms - 1) * 1000;
        int64_t after_ms = (int64_t)tz_offset_s(zone, change_ms) * 1000;
        if (wall_ms >= change_ms + before_ms && wall_ms < change_ms + after_ms) {
            *out_ms = change_ms;
            return true;
        }
        at_ms = change_ms;
    }
    return false;
}

/* The best planned instant in (after_ms, until_ms]: the earliest or the latest. */
struct search {
    const struct schedule *s;
    const struct tz_zone *zone;
    int64_t after_ms, until_ms;
    bool latest, found;
    int64_t best_ms;
};

static void offer(struct search *q, int64_t at_ms)
{
    if (at_ms <= q->after_ms || at_ms > q->until_ms)
        return;
    if (!q->found || (q->latest ? at_ms > q->best_ms : at_ms < q->best_ms))
        q->best_ms = at_ms;
    q->found = true;
}

static void offer_time(struct search *q, int64_t day, int minute_of_day)
{
    struct tz_local local = {.hour = minute_of_day / 60, .minute = minute_of_day % 60};
    int64_t at[TZ_INSTANTS_MAX], jump_ms = 0;

    tz_day_date(day, &local.year, &local.month, &local.day);
    size_t n = tz_instants(q->zone, &local, at);
    if (n == 0 &&
        find_jump(q->zone, day * DAY_MS + (int64_t)minute_of_day * MINUTE_MS, &jump_ms))
        offer(q, jump_ms);
    for (size_t i = 0; i < n && (i == 0 || q->s->every_hour); i++)
        offer(q, at[i]);
}

static void search_day(struct search *q, int64_t day)
{
    if (!has_day(q->s, day))
        return;
    for (int m = 0; m < DAY_MINUTES; m++)
        if ((q->s->hours >> (m / 60) & 1) && (q->s->minutes >> (m % 60) & 1))
            offer_time(q, day, m);
}

static int64_t day_of(const struct tz_zone *zone, int64_t at_ms)
{
    struct tz_local l = tz_local_at(zone, at_ms);

    return tz_day_number(l.year, l.month, l.day);
}

/* Days in the search's direction. A clock set back over midnight mixes two days'
 * instants, so one more day is looked at after the first hit. */
static int search_days(struct search *q, int64_t from, int64_t until, int64_t *out_ms)
{
    int step = q->latest ? -1 : 1;

    for (int64_t day = from, beyond = 0; day != until + step && beyond < 2; day += step) {
        search_day(q, day);
        beyond += q->found;
    }
    if (!q->found)
        return ENODATA;
    *out_ms = q->best_ms;
    return 0;
}

int schedule_next(const struct schedule *s, int64_t after_ms, int64_t *out_ms)
{
    struct search q = {.s = s, .after_ms = after_ms, .until_ms = INT64_MAX};

    int err = tz_find(s->timezone, &q.zone);
    if (err)
        return err;
    int64_t from = day_of(q.zone, after_ms) - 1;
    return search_days(&q, from, from + HORIZON_DAYS, out_ms);
}

int schedule_latest(const struct schedule *s, int64_t after_ms, int64_t until_ms,
                    int64_t *out_ms)
{
    struct search q = {
        .s = s, .after_ms = after_ms, .until_ms = until_ms, .latest = true};

    int err = tz_find(s->timezone, &q.zone);
    if (err)
        return err;
    if (until_ms <= after_ms)
        return ENODATA;
    int64_t from = day_of(q.zone, until_ms) + 1, until = day_of(q.zone, after_ms) - 1;
    if (until < from - HORIZON_DAYS)
        until = from - HORIZON_DAYS;
    return search_days(&q, from, until, out_ms);
}
