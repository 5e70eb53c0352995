/* The page: plain HTML and SVG, no script, nothing loaded from anywhere. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "base/xalloc.h"
#include "cli/campaign_forecast.h"
#include "cli/page.h"
#include "cli/plot.h"
#include "contacts/tz.h"

#define HOUR_MS INT64_C(3600000)
enum {
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

static int64_t value_dialable(const void *arg, size_t i)
{
    const struct forecast *f = arg;
    return f->hours[i].dialable;
}
static int64_t value_calls(const void *arg, size_t i)
{
    const struct forecast *f = arg;
    return f->hours[i].calls;
}
static int64_t value_answered(const void *arg, size_t i)
{
    const struct forecast *f = arg;
    return f->hours[i].answered;
}
static int64_t value_left(const void *arg, size_t i)
{
    const struct forecast *f = arg;
    return f->hours[i].left;
}

static void plots(const struct forecast_view *v, FILE *to)
{
    const struct forecast *f = v->forecast;
    const struct plot_series dialable[] = {{"may be called", "--a", value_dialable, f}};
    const struct plot_series calls[] = {{"placed", "--b", value_calls, f},
                                        {"answered", "--a", value_answered, f}};
    const struct plot_series left[] = {{"left", "--c", value_left, f}};
    struct plot p = {.title = "Who may be called, by hour",
                     .about = "Contacts that are due in zones whose window is open, "
                              "before that hour is dialled.",
                     .unit = "contacts",
                     .zone = v->zone,
                     .from_ms = f->hours[0].at_ms,
                     .width_ms = HOUR_MS,
                     .n = f->hour_count};

    plot_print(to, &p, dialable, ARRAY_LEN(dialable));
    p.title = "Calls and answers per hour";
    p.about = NULL;
    p.unit = "calls";
    plot_print(to, &p, calls, ARRAY_LEN(calls));
    p.title = "Contacts left";
    p.unit = "contacts";
    plot_print(to, &p, left, ARRAY_LEN(left));
}

/* A strip of hours: the darker, the more. */
static void zone_row(const struct forecast_view *v, size_t zone, size_t hours, FILE *to)
{
    const struct forecast *f = v->forecast;
    const int64_t *dialable = &f->dialable[zone * f->hour_stride];
    char name[FORECAST_ZONE_MAX];
    int64_t most = 1, at_most = 0;

    for (size_t i = 0; i < hours; i++)
        if (dialable[i] > most) {
            most = dialable[i];
            at_most = f->hours[i].at_ms;
        }
    fputs("<tr><th scope=\"row\">", to);
    page_text(to, forecast_zone_name(&v->source->input.zones[zone], name));
    fprintf(to,
            "</th><td><svg viewBox=\"0 0 %zu 1\" preserveAspectRatio=\"none\" "
            "shape-rendering=\"crispEdges\" role=\"img\"><title>",
            hours);
    if (at_most) {
        char time[FORECAST_TIME_MAX];
        fprintf(to, "most at %s: %" PRId64 " contacts", forecast_time(v, at_most, time),
                most);
    } else {
        fputs("nobody", to);
    }
    fputs("</title>", to);
    for (size_t i = 0; i < hours; i++)
        if (dialable[i] > 0)
            fprintf(to,
                    "<rect x=\"%zu\" y=\"0\" width=\"1\" height=\"1\" "
                    "style=\"fill:var(--a);opacity:%.2f\"/>",
                    i, 0.15 + 0.85 * (double)dialable[i] / (double)most);
    fputs("</svg></td></tr>\n", to);
}

static void zones(const struct forecast_view *v, FILE *to)
{
    CLEANUP(free_cleanup) size_t *order = forecast_zone_order(v);
    size_t all = v->source->input.zone_count;
    size_t n = all < ZONES_SHOWN ? all : ZONES_SHOWN;
    size_t hours = v->forecast->hour_count;
    char from[FORECAST_TIME_MAX], until[FORECAST_TIME_MAX];

    hours = hours < HOURS_SHOWN ? hours : HOURS_SHOWN;
    fprintf(to,
            "<h2>By zone</h2><p class=\"dim\">From %s to %s; the darker, the more of the "
            "zone's contacts may be called in that hour.</p><table class=\"strips\">\n",
            forecast_time(v, v->forecast->hours[0].at_ms, from),
            forecast_time(v, v->forecast->hours[hours - 1].at_ms + HOUR_MS, until));
    for (size_t i = 0; i < n; i++)
        zone_row(v, order[i], hours, to);
    fputs("</table>\n", to);
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
    if (forecast_left_out(v, sentence)[0]) {
        fputs("<p class=\"dim\">Not foreseen: ", to);
        page_text(to, sentence);
        fputs("</p>\n", to);
    }
    page_end(to);
}
