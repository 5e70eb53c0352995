/*
 * tz - what the clock on the wall shows in a zone, by the system's own tzdata.
 *
 * Reads the compiled files of /usr/share/zoneinfo (or $TZDIR): the 64-bit data
 * and the footer that holds after their last entry, so that years after 2037 are
 * right too. Never ICU, never the process' TZ. Rules about hours go from UTC to
 * local time only, which is always defined; tz_instants() is for planning.
 *
 * A struct tz_zone is a handle that stays valid until the process ends: look it
 * up once, keep the pointer. tz_refresh() swaps the rules behind the handles whose
 * files were replaced (a tzdata upgrade without a restart). The one table of handles
 * belongs to the process, like the C library's own; every function may be called by
 * any thread at any time. Lookups on a handle take no lock and cost some tens of ns.
 */
#ifndef CONTACTS_TZ_H
#define CONTACTS_TZ_H

#include <stddef.h>
#include <stdint.h>

#include "base/attrs.h"

struct tz_zone;

enum {
    TZ_NAME_MAX = 64,    /* bytes of a zone name with its NUL */
    TZ_VERSION_MAX = 16, /* "2026f" */
    TZ_INSTANTS_MAX = 4,
};

struct tz_local {
    int year, month, day;     /* month and day from 1 */
    int hour, minute, second; /* of the wall clock */
    int weekday;              /* ISO: 1 Monday … 7 Sunday */
    int32_t offset_s;         /* wall clock minus UTC */
};

/* ENOENT: no such zone (or no name of a zone at all), or its file is gone since;
 * EBADMSG: its file is damaged. The zone is borrowed for ever. */
NODISCARD int tz_find(const char *name, const struct tz_zone **out);
const char *tz_name(const struct tz_zone *zone);

int32_t tz_offset_s(const struct tz_zone *zone, int64_t at_ms);
struct tz_local tz_local_at(const struct tz_zone *zone, int64_t at_ms);

/* The first instant after at_ms at which the offset changes. ENODATA: never. */
NODISCARD int tz_next_change(const struct tz_zone *zone, int64_t at_ms, int64_t *out_ms);

/* Every instant at which the wall clock shows this time: none in a gap, two in an
 * overlap, ascending. Only the date and the time of day of local are read. */
size_t tz_instants(const struct tz_zone *zone, const struct tz_local *local,
                   int64_t out_ms[TZ_INSTANTS_MAX]);

/* Days since 1970-01-01 of a date, and back; the calendar without any zone. */
int64_t tz_day_number(int year, int month, int day);
void tz_day_date(int64_t day, int *year, int *month, int *out_day);
int tz_day_weekday(int64_t day); /* ISO: 1 Monday … 7 Sunday */

/* By name, for callers that ask seldom. Errors as tz_find. */
NODISCARD int zone_offset_ms(const char *name, int64_t at_ms, int64_t *offset_ms);

/* Before anything is decided by the rules: looks at the files of the zones in use
 * (a stat each) and reads those again that were replaced. A zone whose file is gone or
 * damaged is not found any more until it is whole again; what holds its handle keeps
 * the old rules. version: of the tzdata whose rules are in use now; ENOENT when it does
 * not say. */
NODISCARD int tz_refresh(char version[TZ_VERSION_MAX]);

/* Version of the tzdata on this machine now, e.g. "2026f"; ENOENT when it does
 * not say. */
NODISCARD int tz_version(char out[TZ_VERSION_MAX]);

#endif
