/* The page: plain HTML and SVG, no script, nothing loaded from anywhere. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "base/xalloc.h"
#include "cli/campaign_forecast.h"
#include "cli/page.h"
#include "contacts/tz.h"

enum {
    PLOT_W = 960,
    PLOT_H = 220,
    MARGIN_L = 70,
    MARGIN_B = 24,
    ROW_H = 18,
    NAME_W = 210,
    ZONES_SHOWN = 40,
    HOURS_SHOWN = 24 * 14, /* of the zones' map */
};

static void cards(const struct forecast_view *v, FILE *to)
{
    const struct forecast *f = v->forecast;
    char n[PAGE_COUNT_MAX], time[FORECAST_TIME_MAX];

    fputs("<div class=\"cards\">\n", to);
    page_card(to, page_count(f->contacts, n), "contacts wait");
    page_card(to, page_count(f->allowed_now, n), "may be called at once");
    page_card(to, page_count(f->calls, n), "calls");
    page_card(to, page_count(f->ends[DISPOSITION_COMPLETED], n), "answered");
    page_card(to, forecast_time(v, f->half_ms, time), "half of them called");
    page_card(to, forecast_time(v, f->done_ms, time), "finished");
    fputs("</div>\n", to);
}

static void reasons(const char *title, const struct forecast_reasons *list, FILE *to)
{
    char n[PAGE_COUNT_MAX];

    if (list->n == 0)
        return;
    fprintf(to,
            "<h2>%s</h2><div class=\"wide\"><table><tr><th class=\"n\">contacts</th>"
            "<th>reason</th><th>what it means</th></tr>\n",
            title);
    for (size_t i = 0; i < list->n; i++) {
        fprintf(to, "<tr><td class=\"n\">%s</td><td><code>%s</code></td><td>",
                page_count(list->at[i].contacts, n), reason_name(list->at[i].reason));
        page_text(to, reason_sentence(list->at[i].reason));
        fputs("</td></tr>\n", to);
    }
    fputs("</table></div>\n", to);
}

/* ---- plots ---- */

typedef int64_t(value_fn)(const struct forecast_hour *h);

static int64_t value_dialable(const struct forecast_hour *h)
{
    return h->dialable;
}
static int64_t value_calls(const struct forecast_hour *h)
{
    return h->calls;
}
static int64_t value_answered(const struct forecast_hour *h)
{
    return h->answered;
}
static int64_t value_left(const struct forecast_hour *h)
{
    return h->left;
}

static int64_t highest(const struct forecast *f, value_fn *value)
{
    int64_t most = 1;

    for (size_t i = 0; i < f->hour_count; i++)
        most = value(&f->hours[i]) > most ? value(&f->hours[i]) : most;
    return most;
}

static double x_of(const struct forecast *f, size_t hour)
{
    return MARGIN_L + (double)(PLOT_W - MARGIN_L) * (double)hour / (double)f->hour_count;
}

/* A vertical line at each midnight of the wall clock, with its date when there is room.
 */
static void days(const struct forecast_view *v, double left, double width, double height,
                 size_t hours, FILE *to)
{
    size_t day = 0, every = 1 + hours / 24 / 14;

    for (size_t i = 0; i < hours; i++) {
        int64_t at_ms = v->forecast->hours[i].at_ms;
        struct tz_local t = tz_local_at(v->zone, at_ms);
        double x = left + width * (double)i / (double)hours;

        if (i > 0 && t.hour != 0)
            continue;
        fprintf(to, "<line class=\"axis\" x1=\"%.1f\" y1=\"0\" x2=\"%.1f\" y2=\"%.0f\"/>",
                x, x, height);
        if (day++ % every == 0)
            fprintf(to, "<text x=\"%.1f\" y=\"%.0f\">%d-%02d</text>", x + 3, height + 16,
                    t.month, t.day);
    }
}

static void steps(const struct forecast *f, value_fn *value, int64_t most,
                  const char *paint, FILE *to)
{
    fprintf(to, "<path d=\"M%.1f %d", x_of(f, 0), PLOT_H);
    for (size_t i = 0; i < f->hour_count; i++) {
        double y =
            PLOT_H - (double)(PLOT_H - 10) * (double)value(&f->hours[i]) / (double)most;
        fprintf(to, "L%.1f %.1fL%.1f %.1f", x_of(f, i), y, x_of(f, i + 1), y);
    }
    fprintf(to, "L%.1f %d\" style=\"%s\"/>\n", x_of(f, f->hour_count), PLOT_H, paint);
}

static void begin_plot(const struct forecast_view *v, int64_t most, FILE *to)
{
    char n[PAGE_COUNT_MAX];

    fprintf(to, "<div class=\"wide\"><svg viewBox=\"0 0 %d %d\" role=\"img\">", PLOT_W,
            PLOT_H + MARGIN_B);
    days(v, MARGIN_L, PLOT_W - MARGIN_L, PLOT_H, v->forecast->hour_count, to);
    fprintf(to,
            "<text x=\"%d\" y=\"14\" text-anchor=\"end\">%s</text><text x=\"%d\" "
            "y=\"%d\" text-anchor=\"end\">0</text><line class=\"axis\" x1=\"%d\" "
            "y1=\"%d\" x2=\"%d\" y2=\"%d\"/>\n",
            MARGIN_L - 6, page_count(most, n), MARGIN_L - 6, PLOT_H, MARGIN_L, PLOT_H,
            PLOT_W, PLOT_H);
}

static void plots(const struct forecast_view *v, FILE *to)
{
    const struct forecast *f = v->forecast;
    int64_t dialable = highest(f, value_dialable), calls = highest(f, value_calls);

    fputs("<h2>Who may be called, by hour</h2><p class=\"dim\">Contacts that are due in "
          "zones whose window is open, before that hour is dialled.</p>\n",
          to);
    begin_plot(v, dialable, to);
    steps(f, value_dialable, dialable, "fill:var(--a);opacity:.75", to);
    fputs("</svg></div>\n<h2>Calls by hour</h2><p class=\"key dim\"><i "
          "style=\"background:var(--b)\"></i>placed<i style=\"background:var(--a)\"></i>"
          "answered</p>\n",
          to);
    begin_plot(v, calls, to);
    steps(f, value_calls, calls, "fill:var(--b);opacity:.7", to);
    steps(f, value_answered, calls, "fill:var(--a)", to);
    fputs("</svg></div>\n<h2>Contacts left</h2>\n", to);
    int64_t left = highest(f, value_left);
    begin_plot(v, left, to);
    steps(f, value_left, left, "fill:var(--c);opacity:.5", to);
    fputs("</svg></div>\n", to);
}

static void zone_row(const struct forecast_view *v, size_t zone, size_t row, size_t hours,
                     FILE *to)
{
    const struct forecast *f = v->forecast;
    const int64_t *dialable = &f->dialable[zone * f->hour_stride];
    double width = (double)(PLOT_W - NAME_W) / (double)hours;
    char name[FORECAST_ZONE_MAX];
    int64_t most = 1;

    for (size_t i = 0; i < hours; i++)
        most = dialable[i] > most ? dialable[i] : most;
    fprintf(to, "<text x=\"0\" y=\"%zu\">", row * ROW_H + 13);
    page_text(to, forecast_zone_name(&v->source->input.zones[zone], name));
    fputs("</text>", to);
    for (size_t i = 0; i < hours; i++)
        if (dialable[i] > 0)
            fprintf(to,
                    "<rect x=\"%.1f\" y=\"%zu\" width=\"%.1f\" height=\"%d\" "
                    "style=\"fill:var(--a);opacity:%.2f\"/>",
                    NAME_W + width * (double)i, row * ROW_H + 1, width + 0.1, ROW_H - 3,
                    0.15 + 0.85 * (double)dialable[i] / (double)most);
    fputc('\n', to);
}

static void zones(const struct forecast_view *v, FILE *to)
{
    CLEANUP(free_cleanup) size_t *order = forecast_zone_order(v);
    size_t all = v->source->input.zone_count;
    size_t n = all < ZONES_SHOWN ? all : ZONES_SHOWN;
    size_t hours = v->forecast->hour_count;

    hours = hours < HOURS_SHOWN ? hours : HOURS_SHOWN;
    fprintf(
        to,
        "<h2>By zone</h2><p class=\"dim\">The darker, the more of the zone's contacts "
        "may be called in that hour.</p><div class=\"wide\"><svg viewBox=\"0 0 %d "
        "%zu\" role=\"img\">",
        PLOT_W, n * ROW_H + MARGIN_B);
    days(v, NAME_W, PLOT_W - NAME_W, (double)(n * ROW_H), hours, to);
    for (size_t i = 0; i < n; i++)
        zone_row(v, order[i], i, hours, to);
    fputs("</svg></div>\n", to);
    if (all > n)
        fprintf(to, "<p class=\"dim\">and %zu more zones</p>\n", all - n);
}

static void assumptions(const struct forecast_view *v, FILE *to)
{
    const struct forecast_input *in = &v->source->input;
    const struct forecast *f = v->forecast;

    fprintf(to,
            "<h2>Assumed</h2><p>%.2f calls a second, set by the %s. %.0f %% answer and "
            "talk for %.0f s after %.0f s of ringing; ",
            f->per_second, f->paced_by_channels ? "channels" : "rate",
            in->rates.share[DISPOSITION_COMPLETED] * 100, in->rates.talk_s,
            in->rates.ring_s);
    if (in->rates.measured_calls)
        fprintf(to, "measured in the campaign's own %" PRId64 " calls.",
                in->rates.measured_calls);
    else
        fputs("nothing is measured yet.", to);
    fputs(" Rules, retries and limits are the campaign's own. Opt-outs, callbacks and "
          "other campaigns on the same trunk are left out.</p>\n",
          to);
}

void forecast_print_html(const struct forecast_view *v, FILE *to)
{
    const struct forecast *f = v->forecast;
    char time[FORECAST_TIME_MAX], sentence[FORECAST_SENTENCE_MAX];

    page_begin(to, "Forecast: ", v->campaign);
    fputs("<p>", to);
    page_text(to, forecast_sentence(v, sentence));
    fprintf(to, "</p><p class=\"dim\">Forecast from %s, times of %s.</p>\n",
            forecast_time(v, v->source->input.from_ms, time), tz_name(v->zone));
    cards(v, to);
    reasons("Refused at that instant", &f->now, to);
    reasons("Never called", &f->never, to);
    reasons("Cannot be called until the data is there", &f->blocked, to);
    if (f->hour_count > 0 && f->contacts > 0) {
        plots(v, to);
        zones(v, to);
    }
    assumptions(v, to);
    page_end(to);
}
