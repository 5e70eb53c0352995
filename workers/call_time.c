/*
 * One walk over the words. At each, the first pattern that fits takes what belongs to it;
 * a word of none is passed over, unless it is a number or turns the sense: then the whole
 * is vague. Clock, day and part of the day are put together at the end.
 */
#include "workers/call_time.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/attrs.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "batches/spoken.h"
#include "contacts/tz.h"

enum {
    HOUR_MIN = 60,
    HALF_DAY_MIN = 12 * HOUR_MIN,
    DAY_MIN = 24 * HOUR_MIN,
    FURTHEST_DAYS = 30,
};
static const int64_t minute_ms = 60000, day_ms = 86400000, late_ms = 3600000;

enum part {
    PART_NONE,
    PART_AM,
    PART_PM,
    PART_MORNING,
    PART_AFTERNOON,
    PART_EVENING,
    PART_NIGHT
};

struct reader {
    const struct spoken *s;
    bool vague;
    bool has_clock, exact; /* exact: of 24 hours */
    int hour, minute;
    enum part part;
    bool has_day, next;
    int days, weekday;          /* as in struct call_time */
    double minutes, whole_days; /* of "in …"; below 0 not said */
};

static const char *word_at(const struct reader *r, size_t i)
{
    return i < r->s->count ? r->s->words[i].lower : "";
}

static bool is_one_of(const char *w, const char *const *list)
{
    for (; *w && *list; list++)
        if (str_is(w, *list))
            return true;
    return false;
}

/* ---- days, parts of the day ---- */

static void set_day(struct reader *r, int days, int weekday, bool next)
{
    r->vague |= r->has_day;
    r->has_day = true;
    r->days = days;
    r->weekday = weekday;
    r->next = next;
}

static void set_part(struct reader *r, enum part part)
{
    r->vague |= r->part != PART_NONE && r->part != part;
    r->part = part;
}

static size_t read_weekday(struct reader *r, size_t i)
{
    static const char *const names[] = {"monday", "tuesday",  "wednesday", "thursday",
                                        "friday", "saturday", "sunday"};
    bool next = spoken_is(r->s, i, "next");
    size_t skip = next || spoken_is(r->s, i, "this") || spoken_is(r->s, i, "coming");

    for (int k = 0; k < (int)ARRAY_LEN(names); k++) {
        if (!spoken_is(r->s, i + skip, names[k]))
            continue;
        set_day(r, -1, k + 1, next);
        return skip + 1;
    }
    return 0;
}

static size_t read_day(struct reader *r, size_t i)
{
    static const struct {
        const char *words;
        int days;
        enum part part;
    } days[] = {
        {"the day after tomorrow", 2, PART_NONE},
        {"day after tomorrow", 2, PART_NONE},
        {"tomorrow", 1, PART_NONE},
        {"today", 0, PART_NONE},
        {"tonight", 0, PART_EVENING},
        {"this morning", 0, PART_MORNING},
        {"this afternoon", 0, PART_AFTERNOON},
        {"this evening", 0, PART_EVENING},
    };

    for (size_t k = 0; k < ARRAY_LEN(days); k++) {
        size_t n = spoken_phrase(r->s, i, days[k].words);
        if (!n)
            continue;
        set_day(r, days[k].days, 0, false);
        if (days[k].part != PART_NONE)
            set_part(r, days[k].part);
        return n;
    }
    return read_weekday(r, i);
}

/* How many words; *part is what they say. */
static size_t part_at(const struct reader *r, size_t i, enum part *part)
{
    static const struct {
        const char *words;
        enum part part;
    } parts[] = {
        {"in the morning", PART_MORNING},
        {"in the afternoon", PART_AFTERNOON},
        {"in the evening", PART_EVENING},
        {"at night", PART_NIGHT},
        {"in the night", PART_NIGHT},
        {"morning", PART_MORNING},
        {"afternoon", PART_AFTERNOON},
        {"evening", PART_EVENING},
        {"night", PART_NIGHT},
        {"am", PART_AM},
        {"pm", PART_PM},
        {"a m", PART_AM},
        {"p m", PART_PM},
    };

    for (size_t k = 0; k < ARRAY_LEN(parts); k++) {
        size_t n = spoken_phrase(r->s, i, parts[k].words);
        if (!n)
            continue;
        *part = parts[k].part;
        return n;
    }
    return 0;
}

static size_t read_part(struct reader *r, size_t i)
{
    enum part part = PART_NONE;
    size_t n = part_at(r, i, &part);

    /* "I am here": only behind an hour it is one. */
    if (!n || part == PART_AM || part == PART_PM)
        return 0;
    set_part(r, part);
    return n;
}

/* ---- "in two hours" ---- */

/* In minutes, 0 no unit of time. */
static double unit_minutes(const char *w)
{
    static const struct {
        const char *name;
        double minutes;
    } units[] = {{"minute", 1},         {"minutes", 1},     {"min", 1},
                 {"mins", 1},           {"hour", HOUR_MIN}, {"hours", HOUR_MIN},
                 {"day", DAY_MIN},      {"days", DAY_MIN},  {"week", 7 * DAY_MIN},
                 {"weeks", 7 * DAY_MIN}};

    for (size_t k = 0; k < ARRAY_LEN(units); k++)
        if (str_is(w, units[k].name))
            return units[k].minutes;
    return 0;
}

/* "two hours", "an hour and a half", "half an hour"; *whole: of days or weeks. */
static size_t one_span(const struct reader *r, size_t i, double *minutes, bool *whole)
{
    static const struct {
        const char *words;
        double minutes;
    } fixed[] = {{"half an hour", 30},       {"a half hour", 30},
                 {"half hour", 30},          {"a quarter of an hour", 15},
                 {"quarter of an hour", 15}, {"an hour and a half", 90},
                 {"one hour and a half", 90}};
    double number = 1;

    for (size_t k = 0; k < ARRAY_LEN(fixed); k++) {
        size_t n = spoken_phrase(r->s, i, fixed[k].words);
        *minutes = fixed[k].minutes;
        *whole = false;
        if (n)
            return n;
    }
    bool single = spoken_is(r->s, i, "a") || spoken_is(r->s, i, "an");
    size_t n = single ? 1 : spoken_number(r->s, i, &number);
    double unit = n ? unit_minutes(word_at(r, i + n)) : 0;
    if (unit <= 0)
        return 0;
    *minutes = number * unit;
    *whole = unit >= DAY_MIN;
    return n + 1;
}

/* Also "two hours and ten minutes". */
static size_t span_at(const struct reader *r, size_t i, double *minutes, bool *whole)
{
    double more = 0;
    bool more_whole = false;
    size_t n = one_span(r, i, minutes, whole);

    if (!n || *whole)
        return n;
    size_t skip = spoken_is(r->s, i + n, "and") ? 1 : 0;
    size_t rest = one_span(r, i + n + skip, &more, &more_whole);
    if (!rest || more_whole || more >= *minutes)
        return n;
    *minutes += more;
    return n + skip + rest;
}

static size_t read_span(struct reader *r, size_t i)
{
    bool before = spoken_is(r->s, i, "in") || spoken_is(r->s, i, "after"), whole = false;
    double minutes = 0;
    size_t n = span_at(r, i + before, &minutes, &whole);

    if (!n)
        return 0;
    n += before;
    size_t after = spoken_phrase(r->s, i + n, "from now");
    if (!after)
        after = spoken_phrase(r->s, i + n, "later");
    if (!before && !after)
        return 0; /* "give me two hours" says not when */
    r->vague |= r->minutes >= 0 || r->whole_days >= 0;
    if (whole)
        r->whole_days = minutes / DAY_MIN;
    else
        r->minutes = minutes;
    return n + after;
}

/* ---- the clock ---- */

struct clock {
    int hour, minute;
    bool exact; /* written with a zero before it, or above twelve */
    bool sure;  /* nothing else but a time of day looks like this */
};

static bool is_digits(const char *w, size_t n)
{
    return strlen(w) == n && strspn(w, "0123456789") == n;
}

static size_t whole_number(const struct reader *r, size_t i, int *out)
{
    double number = 0;
    size_t n = spoken_number(r->s, i, &number);

    if (!n || number < 0 || number > 2400 || number != floor(number))
        return 0;
    *out = (int)number;
    return n;
}

/* "thirty", "05", "oh five": not "two". */
static size_t minutes_at(const struct reader *r, size_t i, int *out)
{
    static const char *const zeros[] = {"oh", "o", "zero", NULL};

    if (is_one_of(word_at(r, i), zeros)) {
        size_t n = whole_number(r, i + 1, out);
        return n && *out >= 1 && *out <= 9 ? n + 1 : 0;
    }
    size_t n = whole_number(r, i, out);
    return n && *out < 60 && (*out >= 10 || is_digits(word_at(r, i), 2)) ? n : 0;
}

/* "5.30", of one word. */
static size_t dotted_at(const struct reader *r, size_t i, struct clock *out)
{
    const char *w = word_at(r, i), *dot = strchr(w, '.');
    char hour[3] = "";

    if (!dot || dot == w || dot - w > 2 || !is_digits(dot + 1, 2))
        return 0;
    memcpy(hour, w, (size_t)(dot - w));
    *out = (struct clock){.hour = (int)strtol(hour, NULL, 10),
                          .minute = (int)strtol(dot + 1, NULL, 10),
                          .exact = w[0] == '0',
                          .sure = true};
    return out->hour < 24 && out->minute < 60 && isdigit((unsigned char)w[0]) ? 1 : 0;
}

/* "half past five", "ten past five", "a quarter to six", "ten minutes to six"; but "five
 * to six" may be from five to six. */
static size_t past_at(const struct reader *r, size_t i, struct clock *out)
{
    size_t skip = spoken_is(r->s, i, "a") ? 1 : 0, n = 1;
    int minutes = 0, hour = 0;

    bool quarter = spoken_is(r->s, i + skip, "quarter");
    if (quarter)
        minutes = 15;
    else if (spoken_is(r->s, i, "half"))
        minutes = 30;
    else
        n = whole_number(r, i, &minutes);
    n += quarter ? skip : 0;
    if (!n || minutes < 1 || minutes > 59)
        return 0;
    bool named = unit_minutes(word_at(r, i + n)) == 1;
    n += named;
    bool to = (named || quarter) && spoken_is(r->s, i + n, "to");
    if (!to && !spoken_is(r->s, i + n, "past"))
        return 0;
    size_t took = whole_number(r, i + n + 1, &hour);
    if (!took || hour < 1 || hour > 23)
        return 0;
    *out = (struct clock){.hour = to ? hour - 1 : hour,
                          .minute = to ? 60 - minutes : minutes,
                          .sure = true};
    if (out->hour == 0) /* "a quarter to one" */
        out->hour = 12;
    return n + 1 + took;
}

/* "five", "five thirty", "17:30", "1730", "seventeen hundred hours" */
static size_t numbers_at(const struct reader *r, size_t i, struct clock *out)
{
    int first = 0, minutes = 0;
    size_t n = whole_number(r, i, &first);

    if (!n || first == 0)
        return 0;
    *out = (struct clock){.hour = first, .exact = word_at(r, i)[0] == '0'};
    if (first >= 100) {
        out->hour = first / 100;
        out->minute = first % 100;
        out->sure = spoken_is(r->s, i + n, "hours");
        n += out->sure;
        return out->hour < 24 && out->minute < 60 ? n : 0;
    }
    size_t took = minutes_at(r, i + n, &minutes);
    if (took) {
        out->minute = minutes;
        out->sure = true;
    }
    /* "at five hours" is no time of day. */
    return first > 23 || unit_minutes(word_at(r, i + n + took)) > 0 ? 0 : n + took;
}

static size_t clock_at(const struct reader *r, size_t i, struct clock *out)
{
    static const char *const noons[] = {"noon", "midday", NULL};
    static const char *const oclocks[] = {"o'clock", "oclock", "o\u2019clock", NULL};

    if (is_one_of(word_at(r, i), noons)) {
        *out = (struct clock){.hour = 12, .exact = true, .sure = true};
        return 1;
    }
    size_t n = past_at(r, i, out);
    n = n ? n : dotted_at(r, i, out);
    n = n ? n : numbers_at(r, i, out);
    if (!n)
        return 0;
    size_t tail = is_one_of(word_at(r, i + n), oclocks) ? 1 : 0;
    tail = tail ? tail : spoken_phrase(r->s, i + n, "o clock");
    out->sure |= tail > 0;
    out->exact |= out->hour > 12;
    return n + tail;
}

/* "at ten to" is no ten o'clock: what was to follow was not heard, or not as a number. */
static bool counts_from_another(const struct reader *r, size_t i)
{
    static const char *const words[] = {"to",   "too", "past", "after", "of",
                                        "till", "til", "'til", NULL};

    return is_one_of(word_at(r, i), words);
}

static size_t read_clock(struct reader *r, size_t i)
{
    static const char *const leads[] = {"at", "by", "around", "about", "after", NULL};
    struct clock c = {0};
    enum part part = PART_NONE;
    size_t lead = 0;

    while (lead < 2 && is_one_of(word_at(r, i + lead), leads))
        lead++;
    size_t n = clock_at(r, i + lead, &c);
    if (!n)
        return 0;
    size_t tail = part_at(r, i + lead + n, &part);
    if (!lead && !c.sure && !tail)
        return 0;
    if (tail)
        set_part(r, part);
    r->vague |= !c.sure && !tail && counts_from_another(r, i + lead + n);
    r->vague |= r->has_clock;
    r->has_clock = true;
    r->hour = c.hour;
    r->minute = c.minute;
    r->exact = c.exact;
    return lead + n + tail;
}

/* ---- words that leave no single instant ---- */

static const char *const negations[] = {
    "not",   "don't",      "dont",       "don\u2019t", "never",      "can't",
    "cant",  "cannot",     "can\u2019t", "won't",      "won\u2019t", "couldn't",
    "isn't", "isn\u2019t", "stop",       "except",     "unless",     NULL};

/* An Amharic word, whatever the recogniser calls the language of the whole: its hours are
 * counted from six. */
static bool is_ethiopic(const char *w)
{
    for (const unsigned char *at = (const unsigned char *)w; at[0] && at[1]; at++)
        if (at[0] == 0xe1 && at[1] >= 0x88 && at[1] <= 0x8e)
            return true;
    return false;
}

static bool turns_the_sense(const char *w)
{
    static const char *const words[] = {
        "or",       "either",    "before",  "between",  "until",         "till",
        "from",     "within",    "every",   "each",     "daily",         "always",
        "midnight", "weekend",   "once",    "twice",    "few",           "couple",
        "some",     "month",     "months",  "year",     "years",         "week",
        "weeks",    "hour",      "hours",   "minute",   "minutes",       "half",
        "quarter",  "yesterday", "last",    "ago",      "gmt",           "utc",
        "local",    "ethiopian", "habesha", "sa'aatii", "sa\u2019aatii", "saatii",
        "saati",    "sa'atii",   "saat",    "se'at",    "seat",          NULL};
    static const char *const months[] = {"january", "february", "march",    "april",
                                         "june",    "july",     "august",   "september",
                                         "october", "november", "december", NULL};
    static const char *const ordinals[] = {
        "first",        "second",      "third",        "fourth",     "fifth",
        "sixth",        "seventh",     "eighth",       "ninth",      "tenth",
        "eleventh",     "twelfth",     "thirteenth",   "fourteenth", "fifteenth",
        "sixteenth",    "seventeenth", "eighteenth",   "nineteenth", "twentieth",
        "twenty-first", "thirtieth",   "thirty-first", NULL};

    return is_ethiopic(w) || is_one_of(w, negations) || is_one_of(w, words) ||
           is_one_of(w, months) || is_one_of(w, ordinals);
}

/* "busy at five", "after friday": a time that is named and not meant. */
static bool names_another(const struct reader *r, size_t i)
{
    static const char *const phrases[] = {"in may",       "on may",       "your time",
                                          "eastern time", "central time", "mountain time",
                                          "pacific time"};
    struct reader ahead = *r;

    for (size_t k = 0; k < ARRAY_LEN(phrases); k++)
        if (spoken_phrase(r->s, i, phrases[k]))
            return true;
    if (spoken_is(r->s, i, "after"))
        return read_day(&ahead, i + 1) > 0;
    return spoken_is(r->s, i, "busy") &&
           (read_day(&ahead, i + 1) > 0 || read_clock(&ahead, i + 1) > 0);
}

/* "not now", "I can't talk right now" say nothing of later. */
static size_t skip_not_now(const struct reader *r, size_t i)
{
    enum { WORDS = 4 };
    double number = 0;

    if (!is_one_of(word_at(r, i), negations))
        return 0;
    for (size_t n = 1; n <= WORDS && spoken_number(r->s, i + n, &number) == 0; n++)
        if (spoken_is(r->s, i + n, "now"))
            return n + 1;
    return 0;
}

/* "good morning" says nothing of when; nor does "this number". */
static size_t skip_courtesy(const struct reader *r, size_t i)
{
    static const char *const courtesies[] = {
        "good morning", "good afternoon", "good evening", "good night",
        "good day",     "one moment",     "one second",   "no one"};

    for (size_t k = 0; k < ARRAY_LEN(courtesies); k++) {
        size_t n = spoken_phrase(r->s, i, courtesies[k]);
        if (n)
            return n;
    }
    return skip_not_now(r, i);
}

static void read_words(struct reader *r)
{
    double number = 0;

    for (size_t i = 0, n = 0; i < r->s->count; i += n) {
        n = skip_courtesy(r, i);
        n = n ? n : read_span(r, i);
        n = n ? n : read_day(r, i);
        n = n ? n : read_clock(r, i);
        n = n ? n : read_part(r, i);
        if (n)
            continue;
        const char *w = word_at(r, i);
        r->vague |= turns_the_sense(w) || names_another(r, i) ||
                    isdigit((unsigned char)w[0]) || spoken_number(r->s, i, &number) > 0;
        n = 1;
    }
}

/* ---- together ---- */

/* The hour by the part of the day it was said with; false: they do not go together. */
static bool place_hour(const struct reader *r, struct call_time *out)
{
    static const struct {
        int least, most; /* on a clock of twelve hours */
        bool later;      /* of them all but twelve are after noon */
        bool noon;       /* twelve belongs to it */
    } parts[] = {
        [PART_AM] = {1, 11, false, false},      [PART_PM] = {1, 11, true, true},
        [PART_MORNING] = {1, 11, false, false}, [PART_AFTERNOON] = {1, 6, true, true},
        [PART_EVENING] = {4, 11, true, false},  [PART_NIGHT] = {7, 11, true, false},
    };
    int hour = r->hour;

    out->exact = true;
    out->minute = hour * HOUR_MIN + r->minute;
    if (r->part == PART_NONE) {
        out->exact = r->exact;
        if (!out->exact)
            out->minute = hour % 12 * HOUR_MIN + r->minute;
        return true;
    }
    if (hour == 12)
        return parts[r->part].noon;
    bool later = parts[r->part].later;
    if (hour > 12 && !later)
        return false;
    if (hour > 12)
        hour -= 12;
    if (hour < parts[r->part].least || hour > parts[r->part].most)
        return false;
    out->minute = (hour + (later ? 12 : 0)) * HOUR_MIN + r->minute;
    return true;
}

static enum call_time_said conclude(const struct reader *r, struct call_time *out)
{
    bool span = r->minutes >= 0 || r->whole_days >= 0;

    *out = (struct call_time){.days = -1};
    if (r->vague)
        return CALL_TIME_VAGUE;
    if (!span && !r->has_clock)
        return r->has_day || r->part != PART_NONE ? CALL_TIME_VAGUE : CALL_TIME_NONE;
    if (span && !r->has_clock) {
        double minutes = r->minutes >= 0 ? r->minutes : r->whole_days * DAY_MIN;

        if (r->has_day || r->part != PART_NONE || minutes < 1 ||
            minutes > FURTHEST_DAYS * (double)DAY_MIN)
            return CALL_TIME_VAGUE;
        out->in_ms = llround(minutes) * minute_ms;
        return CALL_TIME_READ;
    }
    /* "in two days at five"; "in two hours at five" are two times. */
    if (r->minutes >= 0 || (span && r->has_day))
        return CALL_TIME_VAGUE;
    if (span && (r->whole_days != floor(r->whole_days) || r->whole_days > FURTHEST_DAYS))
        return CALL_TIME_VAGUE;
    out->days = span ? (int)r->whole_days : r->has_day ? r->days : -1;
    out->weekday = r->weekday;
    out->next = r->next;
    return place_hour(r, out) ? CALL_TIME_READ : CALL_TIME_VAGUE;
}

enum call_time_said call_time_read(struct call_time *out, const char *text)
{
    CLEANUP(free_cleanup) struct spoken *s = xcalloc(1, sizeof(*s));
    struct reader r = {.s = s, .days = -1, .minutes = -1, .whole_days = -1};

    spoken_split(s, text);
    /* What comes behind the last word that is kept could turn all of it. */
    r.vague = s->count == SPOKEN_WORDS_MAX;
    read_words(&r);
    return conclude(&r, out);
}

/* ---- the instant ---- */

/* 0: there is no such time on that day. */
static int64_t instant_of(const struct tz_zone *zone, int64_t day, int minute)
{
    struct tz_local local = {.hour = minute / HOUR_MIN, .minute = minute % HOUR_MIN};
    int64_t all[TZ_INSTANTS_MAX];

    tz_day_date(day, &local.year, &local.month, &local.day);
    return tz_instants(zone, &local, all) > 0 ? all[0] : 0;
}

/* The first of the days that were meant at which it comes after it was said; 0: none. */
static int64_t ahead(const struct call_time *t, const struct call_time_place *p,
                     int minute)
{
    const struct tz_local said = tz_local_at(p->zone, p->said_ms);
    int64_t day = tz_day_number(said.year, said.month, said.day), every = 0;

    if (t->days >= 0) {
        day += t->days;
    } else if (t->weekday > 0) {
        int wait = (t->weekday - said.weekday + 7) % 7;
        day += wait == 0 && t->next ? 7 : wait;
        every = 7;
    } else {
        every = 1;
    }
    int64_t at_ms = instant_of(p->zone, day, minute);
    if (at_ms > p->said_ms || every == 0)
        return at_ms > p->said_ms ? at_ms : 0;
    return instant_of(p->zone, day + every, minute);
}

static bool is_open(const struct call_time_place *p, int64_t at_ms)
{
    for (size_t i = 0; i < p->open_count; i++)
        if (at_ms >= p->open[i].from_ms && at_ms < p->open[i].until_ms)
            return true;
    return false;
}

static enum call_time_when choose(const struct call_time *t,
                                  const struct call_time_place *p, int64_t *at_ms)
{
    if (t->in_ms > 0) {
        *at_ms = p->said_ms + t->in_ms;
        return CALL_TIME_FOUND;
    }
    *at_ms = ahead(t, p, t->minute);
    if (t->exact)
        return *at_ms ? CALL_TIME_FOUND : CALL_TIME_PAST;
    int64_t later_ms = ahead(t, p, t->minute + HALF_DAY_MIN);
    bool first = *at_ms && is_open(p, *at_ms), second = later_ms && is_open(p, later_ms);
    if (!*at_ms && !later_ms)
        return CALL_TIME_PAST;
    if (first == second)
        return CALL_TIME_EITHER;
    *at_ms = first ? *at_ms : later_ms;
    return CALL_TIME_FOUND;
}

enum call_time_when call_time_find(const struct call_time *t,
                                   const struct call_time_place *p, int64_t *asked_ms,
                                   int64_t *at_ms)
{
    enum call_time_when when = choose(t, p, asked_ms);

    if (when != CALL_TIME_FOUND)
        return when;
    if (*asked_ms - p->said_ms > FURTHEST_DAYS * day_ms)
        return CALL_TIME_FAR;
    if (p->now_ms - *asked_ms > late_ms)
        return CALL_TIME_PAST;
    int64_t least_ms = p->said_ms + p->min_gap_ms;
    least_ms = least_ms < p->now_ms ? p->now_ms : least_ms;
    *at_ms = *asked_ms < least_ms ? least_ms : *asked_ms;
    for (size_t i = 0; i < p->open_count; i++) {
        if (*at_ms >= p->open[i].until_ms)
            continue;
        if (*at_ms < p->open[i].from_ms)
            *at_ms = p->open[i].from_ms;
        return CALL_TIME_FOUND;
    }
    return CALL_TIME_CLOSED;
}
