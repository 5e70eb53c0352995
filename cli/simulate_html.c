/* The page of a simulation. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "cli/page.h"
#include "cli/simulate_report.h"
#include "contacts/tz.h"

#define MINUTE_MS INT64_C(60000)
enum {
    PLOT_W = 960,
    PLOT_H = 200,
    MARGIN_L = 70,
    MARGIN_B = 24,
    BARS_MAX = 400,
    MARKS_MAX = 12,
};

/* What a plot shows: the minutes gathered into so many bars. */
struct bars {
    const struct simulate_report *r;
    int64_t from_ms, width_ms;
    size_t n;
    struct run_minute *at;
};

/* ---- gathering ---- */

static int64_t width_for(int64_t span_ms)
{
    static const int minutes[] = {1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1440};
    size_t i = 0;

    while (i + 1 < ARRAY_LEN(minutes) && span_ms / (minutes[i] * MINUTE_MS) > BARS_MAX)
        i++;
    return minutes[i] * MINUTE_MS;
}

static void add(struct run_minute *to, const struct run_minute *m)
{
    to->calls += m->calls;
    to->answered += m->answered;
    to->machines += m->machines;
    to->refused += m->refused;
    to->open = m->open > to->open ? m->open : to->open;
}

static void gather(const struct simulate_report *r, struct bars *out)
{
    const struct run_counts *c = r->counts;
    int64_t span_ms = (int64_t)c->minute_count * MINUTE_MS;

    *out = (struct bars){.r = r, .width_ms = width_for(span_ms)};
    out->from_ms = c->first_minute_ms - c->first_minute_ms % out->width_ms;
    int64_t end_ms = c->first_minute_ms + span_ms;
    out->n = (size_t)((end_ms - out->from_ms + out->width_ms - 1) / out->width_ms);
    out->at = xcalloc(out->n + 1, sizeof(*out->at));
    for (size_t i = 0; i < c->minute_count; i++)
        add(&out->at[(c->first_minute_ms + (int64_t)i * MINUTE_MS - out->from_ms) /
                     out->width_ms],
            &c->minutes[i]);
}

static const char *width_name(const struct bars *b, char out[32])
{
    int64_t minutes = b->width_ms / MINUTE_MS;

    if (minutes == 1 || minutes == 60)
        snprintf(out, 32, "%s", minutes == 1 ? "minute" : "hour");
    else if (minutes < 60)
        snprintf(out, 32, "%" PRId64 " minutes", minutes);
    else
        snprintf(out, 32, "%" PRId64 " hours", minutes / 60);
    return out;
}

/* ---- plots ---- */

typedef int64_t(value_fn)(const struct run_minute *m);

static int64_t value_calls(const struct run_minute *m)
{
    return m->calls;
}
static int64_t value_answered(const struct run_minute *m)
{
    return m->answered;
}
static int64_t value_people(const struct run_minute *m)
{
    return (int64_t)m->answered - m->machines;
}
static int64_t value_open(const struct run_minute *m)
{
    return m->open;
}
static int64_t value_refused(const struct run_minute *m)
{
    return m->refused;
}

static int64_t highest(const struct bars *b, value_fn *value)
{
    int64_t most = 1;

    for (size_t i = 0; i < b->n; i++)
        most = value(&b->at[i]) > most ? value(&b->at[i]) : most;
    return most;
}

static double x_of(const struct bars *b, size_t bar)
{
    return MARGIN_L + (double)(PLOT_W - MARGIN_L) * (double)bar / (double)b->n;
}

/* Marks at round hours of the wall clock, so many hours apart that they have room. */
static int hours_between_marks(const struct bars *b)
{
    static const int apart[] = {1, 2, 3, 6, 12, 24, 48, 96, 168};
    int64_t hours = (int64_t)b->n * b->width_ms / (60 * MINUTE_MS);
    size_t i = 0;

    while (i + 1 < ARRAY_LEN(apart) && hours / apart[i] > MARKS_MAX)
        i++;
    return apart[i];
}

static void mark(const struct bars *b, size_t bar, const struct tz_local *t, int apart,
                 FILE *to)
{
    double x = x_of(b, bar);

    fprintf(to, "<line class=\"axis\" x1=\"%.1f\" y1=\"0\" x2=\"%.1f\" y2=\"%d\"/>", x, x,
            PLOT_H);
    if (apart >= 24 || t->hour == 0)
        fprintf(to, "<text x=\"%.1f\" y=\"%d\">%d-%02d</text>", x + 3, PLOT_H + 16,
                t->month, t->day);
    else
        fprintf(to, "<text x=\"%.1f\" y=\"%d\">%02d:00</text>", x + 3, PLOT_H + 16,
                t->hour);
}

static void marks(const struct bars *b, FILE *to)
{
    int apart = hours_between_marks(b);
    int64_t last = -1;

    for (size_t i = 0; i < b->n; i++) {
        struct tz_local t =
            tz_local_at(b->r->zone, b->from_ms + (int64_t)i * b->width_ms);
        int64_t hour = tz_day_number(t.year, t.month, t.day) * 24 + t.hour;

        if (hour / apart == last)
            continue;
        bool first = last < 0;
        last = hour / apart;
        if (!first)
            mark(b, i, &t, apart, to);
    }
}

static void steps(const struct bars *b, value_fn *value, int64_t most, const char *paint,
                  FILE *to)
{
    fprintf(to, "<path d=\"M%.1f %d", x_of(b, 0), PLOT_H);
    for (size_t i = 0; i < b->n; i++) {
        double y =
            PLOT_H - (double)(PLOT_H - 10) * (double)value(&b->at[i]) / (double)most;
        fprintf(to, "L%.1f %.1fL%.1f %.1f", x_of(b, i), y, x_of(b, i + 1), y);
    }
    fprintf(to, "L%.1f %d\" style=\"%s\"/>\n", x_of(b, b->n), PLOT_H, paint);
}

static void begin_plot(const struct bars *b, int64_t most, FILE *to)
{
    char n[PAGE_COUNT_MAX];

    fprintf(to, "<div class=\"wide\"><svg viewBox=\"0 0 %d %d\" role=\"img\">", PLOT_W,
            PLOT_H + MARGIN_B);
    marks(b, to);
    fprintf(to,
            "<text x=\"%d\" y=\"14\" text-anchor=\"end\">%s</text><text x=\"%d\" "
            "y=\"%d\" text-anchor=\"end\">0</text><line class=\"axis\" x1=\"%d\" "
            "y1=\"%d\" x2=\"%d\" y2=\"%d\"/>\n",
            MARGIN_L - 6, page_count(most, n), MARGIN_L - 6, PLOT_H, MARGIN_L, PLOT_H,
            PLOT_W, PLOT_H);
}

static void end_plot(FILE *to)
{
    fputs("</svg></div>\n", to);
}

static void plots(const struct bars *b, FILE *to)
{
    int64_t calls = highest(b, value_calls), open = highest(b, value_open),
            refused = highest(b, value_refused);
    char width[32];

    fprintf(to,
            "<h2>Calls, by %s</h2><p class=\"key dim\"><i style=\"background:var(--b)\">"
            "</i>placed<i style=\"background:var(--c)\"></i>answered by a machine<i "
            "style=\"background:var(--a)\"></i>by a person</p>\n",
            width_name(b, width));
    begin_plot(b, calls, to);
    steps(b, value_calls, calls, "fill:var(--b);opacity:.7", to);
    steps(b, value_answered, calls, "fill:var(--c)", to);
    steps(b, value_people, calls, "fill:var(--a)", to);
    end_plot(to);
    fprintf(to,
            "<h2>Calls at once</h2><p class=\"dim\">The most within each %s; %d may "
            "be.</p>\n",
            width_name(b, width), b->r->scene->channels);
    begin_plot(b, open, to);
    steps(b, value_open, open, "fill:var(--a);opacity:.75", to);
    end_plot(to);
    fprintf(to,
            "<h2>Refusals, by %s</h2><p class=\"dim\">Verdicts of the gate that said "
            "no.</p>\n",
            width_name(b, width));
    begin_plot(b, refused, to);
    steps(b, value_refused, refused, "fill:var(--c);opacity:.6", to);
    end_plot(to);
}

/* ---- tables ---- */

static void reasons(const char *title, const struct run_reasons *list, FILE *to)
{
    char n[PAGE_COUNT_MAX];

    if (list->n == 0)
        return;
    fprintf(to,
            "<h2>%s</h2><div class=\"wide\"><table><tr><th class=\"n\">how often</th>"
            "<th>reason</th><th>what it means</th></tr>\n",
            title);
    for (size_t i = 0; i < list->n; i++) {
        fprintf(to, "<tr><td class=\"n\">%s</td><td><code>%s</code></td><td>",
                page_count(list->at[i].n, n), reason_name(list->at[i].reason));
        page_text(to, reason_sentence(list->at[i].reason));
        fputs("</td></tr>\n", to);
    }
    fputs("</table></div>\n", to);
}

static void row(FILE *to, int64_t n, const char *name)
{
    char text[PAGE_COUNT_MAX];

    fprintf(to, "<tr><td class=\"n\">%s</td><td>", page_count(n, text));
    page_text(to, name);
    fputs("</td></tr>\n", to);
}

static void begin_table(FILE *to, const char *title, const char *what)
{
    fprintf(to,
            "<h2>%s</h2><div class=\"wide\"><table><tr><th class=\"n\">how many</th><th>"
            "%s</th></tr>\n",
            title, what);
}

static void tables(const struct simulate_report *r, FILE *to)
{
    const struct run_counts *c = r->counts;

    begin_table(to, "How contacts end", "end");
    for (size_t i = 0; i < r->final_count; i++)
        row(to, r->finals[i].n, r->finals[i].name);
    if (r->waiting)
        row(to, r->waiting, "still wait");
    if (r->blocked)
        row(to, r->blocked, "only data could help");
    fputs("</table></div>\n", to);
    begin_table(to, "How calls end", "end");
    for (int d = 0; d < DISPOSITIONS; d++)
        if (c->ends[d])
            row(to, c->ends[d], disposition_name((enum disposition)d));
    fputs("</table></div>\n", to);
    if (c->outcome_count > 0) {
        begin_table(to, "How the flow ends", "outcome");
        for (size_t i = 0; i < c->outcome_count; i++)
            row(to, c->outcomes[i].n, c->outcomes[i].name);
        fputs("</table></div>\n", to);
    }
    reasons("Verdicts that refused", &c->refusals, to);
    reasons("Contacts that only data could help", &r->blocked_by, to);
}

static void cards(const struct simulate_report *r, FILE *to)
{
    const struct run_counts *c = r->counts;
    char n[PAGE_COUNT_MAX], time[REPORT_TIME_MAX];

    fputs("<div class=\"cards\">\n", to);
    page_card(to, page_count((int64_t)r->scene->people_count, n), "contacts");
    page_card(to, page_count(c->calls, n), "calls");
    page_card(to, page_count(c->ends[DISPOSITION_COMPLETED], n), "answered");
    page_card(to, page_count(c->recordings, n), "recordings");
    page_card(to, page_count(c->opt_outs, n), "opt-outs");
    page_card(to, page_count(c->peak_open, n), "at once, at most");
    page_card(to,
              r->waiting ? "not within the span" : report_time(r, c->last_end_ms, time),
              "finished");
    fputs("</div>\n", to);
}

static void assumed(const struct simulate_report *r, FILE *to)
{
    char *text = NULL;
    json_t *network = network_to_json(r->network);

    text = json_dumps(network, JSON_INDENT(2));
    fputs(
        "<h2>The network</h2><p class=\"dim\">Nobody was called: these are the shares "
        "and times of the telephone network that answered. The same seed gives the same "
        "answers.</p><details><summary>as JSON, for --pstn</summary><pre>",
        to);
    page_text(to, text ? text : "");
    fputs("</pre></details>\n", to);
    free(text);
    json_decref(network);
}

void simulate_report_html(const struct simulate_report *r, FILE *to)
{
    char time[REPORT_TIME_MAX], sentence[REPORT_SENTENCE_MAX];
    struct bars b;

    page_begin(to, "Simulation: ", r->campaign);
    fputs("<p>", to);
    page_text(to, report_sentence(r, sentence));
    fprintf(to,
            "</p><p class=\"dim\">Simulated from %s, times of %s; seed %" PRIu64
            ", %.2f calls a second and %d at once at most%s.</p>\n",
            report_time(r, r->scene->from_ms, time), tz_name(r->zone), r->seed,
            r->scene->cps, r->scene->channels,
            r->scene->invented ? "; contacts are copies of those of the list" : "");
    cards(r, to);
    gather(r, &b);
    if (b.n > 0)
        plots(&b, to);
    free(b.at);
    tables(r, to);
    assumed(r, to);
    page_end(to);
}
