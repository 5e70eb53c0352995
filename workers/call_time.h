/*
 * call_time - "call me tomorrow at five in the afternoon": a time said in English, first
 * as what was said, then as an instant. Pure; any thread.
 *
 * It says nothing rather than guess. One time of day, or one "in two hours", is read,
 * with at most one day; two of them, a number that belongs to none, a word that turns the
 * sense
 * ("not", "or", "between", "before") or a day without an hour is vague, and a person
 * decides. "At five" without morning or afternoon is the one of the two that lies in the
 * calling hours of that day; when both do, or neither, it is vague too. Hours are those
 * of the international clock.
 */
#ifndef WORKERS_CALL_TIME_H
#define WORKERS_CALL_TIME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ivr/ivr.h"

struct tz_zone;

enum call_time_said {
    CALL_TIME_READ,
    CALL_TIME_NONE,  /* no time was named */
    CALL_TIME_VAGUE, /* something of the kind, but not one instant */
};

struct call_time {
    int64_t in_ms; /* above 0: so long after it was said, and nothing of the rest */
    int days;      /* after the day on which it was said; -1 no such word */
    int weekday;   /* ISO: 1 Monday … 7 Sunday; 0 not named */
    bool next;     /* "next Monday": not today */
    int minute;    /* of the day */
    bool exact;    /* false: perhaps twelve hours later */
};

/* text is UTF-8 of any length; of more than 256 words nothing is read. *out is whole only
 * when CALL_TIME_READ. */
enum call_time_said call_time_read(struct call_time *out, const char *text);

enum call_time_when {
    CALL_TIME_FOUND,
    CALL_TIME_EITHER, /* morning or afternoon is not known */
    CALL_TIME_PAST,   /* it was over when it was said, or long before this was read */
    CALL_TIME_FAR,    /* more than 30 days ahead */
    CALL_TIME_CLOSED, /* no calling hours from then on */
};

struct call_time_place {
    int64_t said_ms, now_ms;
    const struct tz_zone *zone;  /* of whom is called */
    const struct ivr_span *open; /* when calls are allowed, in order, from said_ms on */
    size_t open_count;
    int64_t min_gap_ms; /* between two calls */
};

/* *asked_ms: what was said; *at_ms: the first instant from then on at which a call is
 * allowed. A time that passed less than an hour ago, while the recording was on its way,
 * is now. */
enum call_time_when call_time_find(const struct call_time *t,
                                   const struct call_time_place *place, int64_t *asked_ms,
                                   int64_t *at_ms);

#endif
