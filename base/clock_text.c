/* Instants as text. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"

const char *clock_text(int64_t at_ms, char out[CLOCK_TEXT_MAX])
{
    time_t t = (time_t)(at_ms >= 0 ? at_ms / 1000 : (at_ms - 999) / 1000);
    struct tm tm;

    gmtime_r(&t, &tm);
    strftime(out, CLOCK_TEXT_MAX, "%Y-%m-%dT%H:%M:%SZ", &tm);
    return out;
}

/* "Z", "+hh:mm", "-hh:mm" → seconds east; false when it is neither. */
static bool parse_offset(const char *s, int *east_s)
{
    int h = 0, m = 0, used = 0;

    if (strcmp(s, "Z") == 0 || strcmp(s, "z") == 0) {
        *east_s = 0;
        return true;
    }
    if ((*s != '+' && *s != '-') || sscanf(s + 1, "%2d:%2d%n", &h, &m, &used) != 2 ||
        used != 5 || s[1 + used] || h > 23 || m > 59)
        return false;
    *east_s = (h * 60 + m) * 60 * (*s == '-' ? -1 : 1);
    return true;
}

int clock_parse(const char *text, int64_t *out_ms)
{
    struct tm tm = {0};
    int used = 0, east_s = 0;
    int64_t ms = 0;

    if (sscanf(text, "%4d-%2d-%2d%*1[Tt ]%2d:%2d%n", &tm.tm_year, &tm.tm_mon, &tm.tm_mday,
               &tm.tm_hour, &tm.tm_min, &used) != 5 ||
        used != 16)
        return EBADMSG;
    const char *p = text + used;
    if (*p == ':') {
        if (sscanf(p + 1, "%2d%n", &tm.tm_sec, &used) != 1 || used != 2)
            return EBADMSG;
        p += 3;
    }
    if (*p == '.') {
        int64_t unit = 100;
        for (p++; *p >= '0' && *p <= '9'; p++, unit /= 10)
            ms += (*p - '0') * unit;
    }
    if (!parse_offset(p, &east_s) || tm.tm_mon < 1 || tm.tm_mon > 12 || tm.tm_mday < 1 ||
        tm.tm_mday > 31 || tm.tm_hour > 23 || tm.tm_min > 59 || tm.tm_sec > 60 ||
        tm.tm_year < 1900)
        return EBADMSG;
    int day = tm.tm_mday;
    tm.tm_year -= 1900;
    tm.tm_mon -= 1;
    time_t t = timegm(&tm);
    if (tm.tm_mday != day)
        return EBADMSG; /* 30 February */
    *out_ms = ((int64_t)t - east_s) * 1000 + ms;
    return 0;
}
