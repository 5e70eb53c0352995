#include "cli/plot.h"

#include <inttypes.h>

#include "base/str.h"
#include "cli/page.h"
#include "contacts/tz.h"

#define MINUTE_MS INT64_C(60000)
#define HOUR_MS   (60 * MINUTE_MS)
enum {
    WIDTH = 1000, /* of the drawing; the window stretches it */
    HEIGHT = 100,
    TICKS_MAX = 4,
    MARKS_MAX = 9,
    ROWS_MAX = 400,
    EDGE = 4, /* percent: a label so near to the edge would stick out */
};

const char *plot_width_name(int64_t width_ms, char out[PLOT_WIDTH_MAX])
{
    int64_t minutes = width_ms / MINUTE_MS, hours = width_ms / HOUR_MS;

    if (minutes == 1 || hours == 1 || hours == 24)
        snprintf(out, PLOT_WIDTH_MAX, "%s",
                 minutes == 1 ? "minute"
                 : hours == 1 ? "hour"
                              : "day");
    else if (minutes < 60)
        snprintf(out, PLOT_WIDTH_MAX, "%" PRId64 " minutes", minutes);
    else
        snprintf(out, PLOT_WIDTH_MAX, "%" PRId64 " hours", hours);
    return out;
}

/* ---- the scale ---- */

static int64_t highest(const struct plot *p, const struct plot_series *series, size_t n)
{
    int64_t most = p->limit > 1 ? p->limit : 1;

    for (size_t s = 0; s < n; s++)
        for (size_t i = 0; i < p->n; i++) {
            int64_t v = series[s].value(series[s].arg, i);
            most = v > most ? v : most;
        }
    return most;
}

/* 1, 2 or 5 with zeros, so that a few of them reach over the highest. */
static int64_t tick_of(int64_t most)
{
    int64_t tick = 1;

    for (int i = 0; tick * TICKS_MAX < most; i++)
        tick = i % 3 == 1 ? tick / 2 * 5 : tick * 2;
    return tick;
}

static double x_of(const struct plot *p, size_t bar)
{
    return WIDTH * (double)bar / (double)p->n;
}

static double y_of(int64_t value, int64_t top)
{
    return HEIGHT - HEIGHT * (double)value / (double)top;
}

/* ---- marks of time ---- */

/* So many hours apart that their labels have room. */
static int hours_apart(const struct plot *p)
{
    static const int apart[] = {1, 2, 3, 6, 12, 24, 48, 96, 168, 336};
    int64_t hours = (int64_t)p->n * p->width_ms / HOUR_MS;
    size_t i = 0;

    while (i + 1 < ARRAY_LEN(apart) && hours / apart[i] > MARKS_MAX)
        i++;
    return apart[i];
}

/* A date where the day changes, and where only days are marked. */
static void label(const struct plot *p, size_t bar, int apart, bool second, FILE *to)
{
    static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    struct tz_local t = tz_local_at(p->zone, p->from_ms + (int64_t)bar * p->width_ms);
    double percent = 100 * (double)bar / (double)p->n;

    if (percent < EDGE || percent > 100 - EDGE)
        return;
    fprintf(to, "<span class=\"x%s\" style=\"left:%.2f%%\">", second ? " few" : "",
            percent);
    if (apart >= 24 || (t.hour * 60 + t.minute) * MINUTE_MS < p->width_ms)
        fprintf(to, "%d %s</span>", t.day, months[(t.month + 11) % 12]);
    else
        fprintf(to, "%02d:%02d</span>", t.hour, t.minute);
}

/* Lines into the drawing, or the labels below it. */
static void marks(const struct plot *p, bool labels, FILE *to)
{
    int apart = hours_apart(p);
    int64_t last = -1;
    size_t shown = 0;

    for (size_t i = 0; i < p->n; i++) {
        struct tz_local t = tz_local_at(p->zone, p->from_ms + (int64_t)i * p->width_ms);
        int64_t hour = tz_day_number(t.year, t.month, t.day) * 24 + t.hour;
        bool first = last < 0;

        if (hour / apart == last)
            continue;
        last = hour / apart;
        if (first)
            continue;
        if (labels)
            label(p, i, apart, shown++ % 2 == 1, to);
        else
            fprintf(to, "M%.1f 0V%d", x_of(p, i), HEIGHT);
    }
}

/* ---- the drawing ---- */

static void steps(const struct plot *p, const struct plot_series *s, int64_t top,
                  FILE *to)
{
    int64_t at = 0;

    fprintf(to, "<path style=\"fill:var(%s)\" d=\"M0 %d", s->colour, HEIGHT);
    for (size_t i = 0; i < p->n; i++) {
        int64_t v = s->value(s->arg, i);
        if (v == at)
            continue;
        fprintf(to, "H%.1fV%.1f", x_of(p, i), y_of(v, top));
        at = v;
    }
    fprintf(to, "H%dV%dZ\"/>\n", WIDTH, HEIGHT);
}

static void draw(const struct plot *p, const struct plot_series *series, size_t n,
                 FILE *to)
{
    int64_t most = highest(p, series, n), tick = tick_of(most);
    int64_t top = (most + tick - 1) / tick * tick;
    char text[PAGE_COUNT_MAX];

    fprintf(
        to,
        "<div class=\"frame\"><svg viewBox=\"0 0 %d %d\" preserveAspectRatio=\"none\" "
        "role=\"img\"><title>",
        WIDTH, HEIGHT);
    page_text(to, p->title);
    fputs("; the table below has the numbers</title><path class=\"grid\" d=\"", to);
    for (int64_t v = tick; v <= top; v += tick)
        fprintf(to, "M0 %.1fH%d", y_of(v, top), WIDTH);
    marks(p, false, to);
    fputs("\"/>\n", to);
    for (size_t s = 0; s < n; s++)
        steps(p, &series[s], top, to);
    if (p->limit > 0)
        fprintf(to, "<path class=\"limit\" d=\"M0 %.1fH%d\"/>\n", y_of(p->limit, top),
                WIDTH);
    fputs("</svg>", to);
    for (int64_t v = 0; v <= top; v += tick)
        fprintf(to, "<span class=\"y\" style=\"bottom:%.2f%%\">%s</span>",
                100 * (double)v / (double)top, page_count(v, text));
    marks(p, true, to);
    fputs("</div>\n", to);
}

/* ---- the numbers ---- */

static bool is_empty(const struct plot_series *series, size_t n, size_t bar)
{
    for (size_t s = 0; s < n; s++)
        if (series[s].value(series[s].arg, bar) != 0)
            return false;
    return true;
}

static void table(const struct plot *p, const struct plot_series *series, size_t n,
                  FILE *to)
{
    char text[PAGE_COUNT_MAX];
    size_t rows = 0;

    fputs("<details><summary>the numbers</summary><div class=\"wide\"><table><tr><th "
          "scope=\"col\">from</th>",
          to);
    for (size_t s = 0; s < n; s++) {
        fputs("<th scope=\"col\" class=\"n\">", to);
        page_text(to, series[s].name);
        fputs("</th>", to);
    }
    fputs("</tr>\n", to);
    for (size_t i = 0; i < p->n && rows < ROWS_MAX; i++) {
        struct tz_local t = tz_local_at(p->zone, p->from_ms + (int64_t)i * p->width_ms);

        if (is_empty(series, n, i))
            continue;
        rows++;
        fprintf(to, "<tr><td>%04d-%02d-%02d %02d:%02d</td>", t.year, t.month, t.day,
                t.hour, t.minute);
        for (size_t s = 0; s < n; s++)
            fprintf(to, "<td class=\"n\">%s</td>",
                    page_count(series[s].value(series[s].arg, i), text));
        fputs("</tr>\n", to);
    }
    fputs("</table></div></details>\n", to);
}

void plot_print(FILE *to, const struct plot *p, const struct plot_series *series,
                size_t n)
{
    fputs("<h2>", to);
    page_text(to, p->title);
    fputs("</h2>", to);
    if (p->about) {
        fputs("<p class=\"dim\">", to);
        page_text(to, p->about);
        fputs("</p>", to);
    }
    fputs("<p class=\"key dim\"><span>", to);
    page_text(to, p->unit);
    fputs("</span>", to);
    for (size_t s = 0; n > 1 && s < n; s++) {
        fprintf(to, "<span><i style=\"background:var(%s)\"></i>", series[s].colour);
        page_text(to, series[s].name);
        fputs("</span>", to);
    }
    if (p->limit > 0) {
        fputs("<span><i class=\"limit\"></i>", to);
        page_text(to, p->limit_name);
        fputs("</span>", to);
    }
    fputs("</p>\n", to);
    draw(p, series, n, to);
    table(p, series, n, to);
}
