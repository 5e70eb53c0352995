/*
 * tz_file - one compiled time zone file (RFC 8536, version 2 and later) in
 * memory, and the POSIX TZ string of its footer.
 *
 * Pure functions over bytes: hostile input gives EBADMSG, never a read outside
 * it. A struct tz_rules is immutable once parsed; any thread.
 */
#ifndef CONTACTS_TZ_FILE_H
#define CONTACTS_TZ_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attrs.h"

enum tz_day_kind { TZ_DAY_MONTH_WEEK, TZ_DAY_JULIAN, TZ_DAY_ZERO_BASED };

/* When in a year the footer's clock changes. */
struct tz_change {
    enum tz_day_kind kind;
    int month, week, weekday; /* Mm.w.d; weekday 0 is Sunday */
    int day;                  /* Jn (1–365, no leap day) and n (0–365) */
    int32_t time_s;           /* after local midnight; may be negative or over a day */
};

struct tz_footer {
    bool present, has_dst;
    int32_t std_s, dst_s; /* offsets from UTC, east positive */
    struct tz_change to_dst, to_std;
};

struct tz_rules {
    size_t count;        /* transitions */
    const int64_t *at_s; /* ascending */
    const int32_t *offset_s;
    int32_t first_s; /* offset before the first transition */
    struct tz_footer footer;
};

/* *out is the caller's to free(); one allocation. EBADMSG; version 1 files have
 * no 64-bit data and are refused too. */
NODISCARD int tz_rules_parse(struct tz_rules **out, const unsigned char *data,
                             size_t len);
NODISCARD int tz_footer_parse(struct tz_footer *out, const char *text);

int32_t tz_rules_offset_s(const struct tz_rules *r, int64_t at_s);
/* The first transition after at_s, whether or not it changes the offset.
 * ENODATA: none. */
NODISCARD int tz_rules_next(const struct tz_rules *r, int64_t at_s, int64_t *out_s);

#endif
