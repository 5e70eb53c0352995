#include "contacts/tz_file.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "base/xalloc.h"
#include "contacts/tz.h"

enum {
    HEADER_BYTES = 44,
    TRANSITIONS_MAX = 20000, /* far above any real zone */
    TYPES_MAX = 256,
    TYPE_BYTES = 6,
    FOOTER_MAX = 128,
    HOUR_S = 3600,
    DAY_S = 86400,
};

/* ---- the footer: std offset [dst [offset] , change , change] ---- */

static bool read_int(const char **p, int max, int *out)
{
    int v = 0, digits = 0;

    for (; isdigit((unsigned char)**p) && digits < 4; digits++)
        v = v * 10 + (*(*p)++ - '0');
    *out = v;
    return digits > 0 && v <= max;
}

static bool skip_name(const char **p)
{
    const char *start = *p;

    if (**p == '<') {
        *p += strcspn(*p, ">");
        if (**p != '>')
            return false;
        (*p)++;
        return *p - start > 2;
    }
    while (isalpha((unsigned char)**p))
        (*p)++;
    return *p - start >= 3;
}

/* [+-]h[hh][:mm[:ss]], hours up to max_h. */
static bool read_time(const char **p, int max_h, int32_t *out)
{
    int sign = **p == '-' ? -1 : 1, h = 0, m = 0, s = 0;

    if (**p == '-' || **p == '+')
        (*p)++;
    if (!read_int(p, max_h, &h))
        return false;
    if (**p == ':') {
        (*p)++;
        if (!read_int(p, 59, &m))
            return false;
        if (**p == ':') {
            (*p)++;
            if (!read_int(p, 59, &s))
                return false;
        }
    }
    *out = sign * (h * HOUR_S + m * 60 + s);
    return true;
}

static bool read_day(const char **p, struct tz_change *c)
{
    if (**p == 'M') {
        (*p)++;
        c->kind = TZ_DAY_MONTH_WEEK;
        if (!read_int(p, 12, &c->month) || *(*p)++ != '.' || !read_int(p, 5, &c->week) ||
            *(*p)++ != '.')
            return false;
        return read_int(p, 6, &c->weekday) && c->month >= 1 && c->week >= 1;
    }
    c->kind = **p == 'J' ? TZ_DAY_JULIAN : TZ_DAY_ZERO_BASED;
    if (**p == 'J')
        (*p)++;
    return read_int(p, 365, &c->day) && (c->kind == TZ_DAY_ZERO_BASED || c->day >= 1);
}

static bool read_change(const char **p, struct tz_change *c)
{
    if (*(*p)++ != ',' || !read_day(p, c))
        return false;
    c->time_s = 2 * HOUR_S;
    if (**p != '/')
        return true;
    (*p)++;
    return read_time(p, 167, &c->time_s);
}

int tz_footer_parse(struct tz_footer *out, const char *text)
{
    struct tz_footer f = {.present = true};
    const char *p = text;
    int32_t west_s = 0;

    if (!skip_name(&p) || !read_time(&p, 24, &west_s))
        return EBADMSG;
    f.std_s = f.dst_s = -west_s;
    if (*p) {
        f.has_dst = true;
        f.dst_s = f.std_s + HOUR_S;
        if (!skip_name(&p))
            return EBADMSG;
        if (*p && *p != ',') {
            if (!read_time(&p, 24, &west_s))
                return EBADMSG;
            f.dst_s = -west_s;
        }
        if (!read_change(&p, &f.to_dst) || !read_change(&p, &f.to_std) || *p)
            return EBADMSG;
    }
    *out = f;
    return 0;
}

static bool is_leap(int year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static int64_t change_day(const struct tz_change *c, int year)
{
    if (c->kind == TZ_DAY_ZERO_BASED)
        return tz_day_number(year, 1, 1) + c->day;
    if (c->kind == TZ_DAY_JULIAN)
        return tz_day_number(year, 1, 1) + c->day - 1 + (is_leap(year) && c->day >= 60);
    int64_t first = tz_day_number(year, c->month, 1);
    int64_t end = c->month == 12 ? tz_day_number(year + 1, 1, 1)
                                 : tz_day_number(year, c->month + 1, 1);
    int64_t day = first + (c->weekday - tz_day_weekday(first) % 7 + 7) % 7;

    for (int week = 1; week < c->week && day + 7 < end; week++)
        day += 7;
    return day;
}

/* The two instants of a year: [0] summer time begins, [1] it ends. */
static void footer_changes(const struct tz_footer *f, int year, int64_t at_s[2])
{
    at_s[0] = change_day(&f->to_dst, year) * DAY_S + f->to_dst.time_s - f->std_s;
    at_s[1] = change_day(&f->to_std, year) * DAY_S + f->to_std.time_s - f->dst_s;
}

static int year_of(int64_t at_s)
{
    int year = 0, month = 0, day = 0;

    tz_day_date(at_s / DAY_S - (at_s % DAY_S < 0), &year, &month, &day);
    return year;
}

/* The latest change at or before at_s decides. It lies in this year or the one
 * before, or, since a change may be stated up to a week outside its year, the
 * next. Of two changes at one instant (summer time all year) the start wins. */
static int32_t footer_offset_s(const struct tz_footer *f, int64_t at_s)
{
    int64_t best_s = INT64_MIN;
    int32_t offset_s = f->std_s;

    if (!f->has_dst)
        return f->std_s;
    int year = year_of(at_s);
    for (int y = year - 1; y <= year + 1; y++) {
        int64_t c[2];

        footer_changes(f, y, c);
        if (c[1] <= at_s && c[1] > best_s) {
            best_s = c[1];
            offset_s = f->std_s;
        }
        if (c[0] <= at_s && c[0] >= best_s) {
            best_s = c[0];
            offset_s = f->dst_s;
        }
    }
    return offset_s;
}

static int footer_next(const struct tz_footer *f, int64_t at_s, int64_t *out_s)
{
    int64_t best_s = INT64_MAX;

    if (!f->present || !f->has_dst)
        return ENODATA;
    int year = year_of(at_s);
    for (int y = year - 1; y <= year + 1; y++) {
        int64_t c[2];

        footer_changes(f, y, c);
        for (int i = 0; i < 2; i++)
            if (c[i] > at_s && c[i] < best_s)
                best_s = c[i];
    }
    *out_s = best_s;
    return best_s == INT64_MAX ? ENODATA : 0;
}

/* ---- the file ---- */

struct header {
    uint32_t isut, isstd, leap, times, types, chars;
    size_t data_bytes;
};

static uint32_t be32(const unsigned char *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static int64_t be64(const unsigned char *p)
{
    return (int64_t)((uint64_t)be32(p) << 32 | be32(p + 4));
}

static bool read_header(const unsigned char *p, size_t len, size_t time_bytes,
                        struct header *h)
{
    if (len < HEADER_BYTES || memcmp(p, "TZif", 4) != 0 || p[4] < '2')
        return false;
    *h = (struct header){.isut = be32(p + 20),
                         .isstd = be32(p + 24),
                         .leap = be32(p + 28),
                         .times = be32(p + 32),
                         .types = be32(p + 36),
                         .chars = be32(p + 40)};
    if (h->times > TRANSITIONS_MAX || h->types > TYPES_MAX || h->chars > 4096 ||
        h->leap > 4096 || h->isut > TYPES_MAX || h->isstd > TYPES_MAX)
        return false;
    h->data_bytes = h->times * (time_bytes + 1) + (size_t)h->types * TYPE_BYTES +
                    h->chars + h->leap * (time_bytes + 4) + h->isstd + h->isut;
    return len - HEADER_BYTES >= h->data_bytes;
}

static int read_footer(struct tz_footer *out, const unsigned char *p, size_t len)
{
    char text[FOOTER_MAX];
    const unsigned char *end = len > 1 ? memchr(p + 1, '\n', len - 1) : NULL;

    if (!end || p[0] != '\n' || end - p - 1 >= FOOTER_MAX)
        return EBADMSG;
    if (end == p + 1)
        return 0; /* empty: the last transition holds for ever */
    memcpy(text, p + 1, (size_t)(end - p - 1));
    text[end - p - 1] = '\0';
    return tz_footer_parse(out, text);
}

static int read_transitions(const struct header *h, const unsigned char *p, int64_t *at_s,
                            int32_t *offset_s, int32_t *first_s)
{
    const unsigned char *indexes = p + (size_t)h->times * 8;
    const unsigned char *types = indexes + h->times;

    *first_s = (int32_t)be32(types);
    for (uint32_t i = 0; i < h->times; i++) {
        at_s[i] = be64(p + (size_t)i * 8);
        if (indexes[i] >= h->types || (i > 0 && at_s[i] <= at_s[i - 1]))
            return EBADMSG;
        offset_s[i] = (int32_t)be32(types + (size_t)indexes[i] * TYPE_BYTES);
        if (offset_s[i] < -2 * DAY_S || offset_s[i] > 2 * DAY_S)
            return EBADMSG;
    }
    return *first_s < -2 * DAY_S || *first_s > 2 * DAY_S ? EBADMSG : 0;
}

int tz_rules_parse(struct tz_rules **out, const unsigned char *data, size_t len)
{
    struct header h;

    if (!read_header(data, len, 4, &h))
        return EBADMSG;
    const unsigned char *p = data + HEADER_BYTES + h.data_bytes;
    size_t left = len - (size_t)(p - data);
    if (!read_header(p, left, 8, &h) || h.types == 0)
        return EBADMSG;
    p += HEADER_BYTES;
    left -= HEADER_BYTES;

    char *block = xcalloc(1, sizeof(struct tz_rules) +
                                 h.times * (sizeof(int64_t) + sizeof(int32_t)));
    CLEANUP(free_cleanup) struct tz_rules *r = (struct tz_rules *)(void *)block;
    int64_t *at_s = (int64_t *)(void *)(block + sizeof(*r));
    int32_t *offset_s = (int32_t *)(void *)(at_s + h.times);
    int err = read_transitions(&h, p, at_s, offset_s, &r->first_s);
    if (!err)
        err = read_footer(&r->footer, p + h.data_bytes, left - h.data_bytes);
    if (err)
        return err;
    r->count = h.times;
    r->at_s = at_s;
    r->offset_s = offset_s;
    *out = STEAL(r);
    return 0;
}

int32_t tz_rules_offset_s(const struct tz_rules *r, int64_t at_s)
{
    size_t low = 0, high = r->count; /* transitions at or before at_s end at low */

    if (r->count == 0)
        return r->footer.present ? footer_offset_s(&r->footer, at_s) : r->first_s;
    if (at_s >= r->at_s[r->count - 1])
        return r->footer.present ? footer_offset_s(&r->footer, at_s)
                                 : r->offset_s[r->count - 1];
    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (r->at_s[middle] <= at_s)
            low = middle + 1;
        else
            high = middle;
    }
    return low == 0 ? r->first_s : r->offset_s[low - 1];
}

int tz_rules_next(const struct tz_rules *r, int64_t at_s, int64_t *out_s)
{
    size_t low = 0, high = r->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (r->at_s[middle] <= at_s)
            low = middle + 1;
        else
            high = middle;
    }
    if (low < r->count) {
        *out_s = r->at_s[low];
        return 0;
    }
    return footer_next(&r->footer, at_s, out_s);
}
