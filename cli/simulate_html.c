/* The page of a simulation. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "base/xalloc.h"
#include "cli/page.h"
#include "cli/plot.h"
#include "cli/simulate_report.h"
#include "contacts/tz.h"
#include "simulate/desk.h"

#define MINUTE_MS INT64_C(60000)
enum { BARS_MAX = 400 };

/* What a plot shows: the minutes gathered into so many bars. */
struct bars {
    const struct simulate_report *r;
    int64_t from_ms, width_ms;
    size_t n;
    struct run_minute *at;
    int64_t *done; /* contacts that are final by the bar's end */
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
    out->done = xcalloc(out->n + 1, sizeof(*out->done));
    for (size_t i = 0; i < c->minute_count; i++)
        out->done[(c->first_minute_ms + (int64_t)i * MINUTE_MS - out->from_ms) /
                  out->width_ms] += r->done_by_minute[i];
    for (size_t i = 1; i < out->n; i++)
        out->done[i] += out->done[i - 1];
}

/* ---- plots ---- */

static int64_t value_calls(const void *arg, size_t i)
{
    const struct bars *b = arg;
    return b->at[i].calls;
}
static int64_t value_answered(const void *arg, size_t i)
{
    const struct bars *b = arg;
    return b->at[i].answered;
}
static int64_t value_people(const void *arg, size_t i)
{
    const struct bars *b = arg;
    return (int64_t)b->at[i].answered - b->at[i].machines;
}
static int64_t value_open(const void *arg, size_t i)
{
    const struct bars *b = arg;
    return b->at[i].open;
}
static int64_t value_refused(const void *arg, size_t i)
{
    const struct bars *b = arg;
    return b->at[i].refused;
}
static int64_t value_done(const void *arg, size_t i)
{
    const struct bars *b = arg;
    return b->done[i];
}

static struct plot plot_of(const struct bars *b, const char *title, const char *about,
                           const char *unit)
{
    return (struct plot){.title = title,
                         .about = about,
                         .unit = unit,
                         .zone = b->r->zone,
                         .from_ms = b->from_ms,
                         .width_ms = b->width_ms,
                         .n = b->n};
}

/* When so many hundredths of the contacts are done; 0: not within the span. */
static int64_t done_by(const struct bars *b, int percent)
{
    int64_t want = ((int64_t)b->r->scene->people_count * percent + 99) / 100;

    for (size_t i = 0; i < b->n; i++)
        if (b->done[i] >= want)
            return b->from_ms + (int64_t)(i + 1) * b->width_ms;
    return 0;
}

static void plot_done(const struct bars *b, FILE *to)
{
    static const int percent[] = {50, 90, 99};
    const struct plot_series done[] = {{"contacts done", "--a", value_done, b}};
    char about[REPORT_SENTENCE_MAX] = "";
    size_t len = 0;

    for (size_t i = 0; i < ARRAY_LEN(percent); i++) {
        char time[REPORT_TIME_MAX];
        int64_t at_ms = done_by(b, percent[i]);
        len += (size_t)snprintf(
            about + len, sizeof(about) - len, "%s%d %% by %s", i ? ", " : "", percent[i],
            at_ms ? report_time(b->r, at_ms, time) : "a time after the span");
    }
    struct plot p = plot_of(b, "Contacts done", about, "contacts");
    p.limit = (int64_t)b->r->scene->people_count;
    p.limit_name = "all of them";
    plot_print(to, &p, done, ARRAY_LEN(done));
}

static void plots(const struct bars *b, FILE *to)
{
    const struct plot_series calls[] = {
        {"placed", "--b", value_calls, b},
        {"answered by a machine or a person", "--c", value_answered, b},
        {"by a person", "--a", value_people, b}};
    const struct plot_series open[] = {{"at once", "--a", value_open, b}};
    const struct plot_series refused[] = {{"refusals", "--c", value_refused, b}};
    char width[PLOT_WIDTH_MAX], title[REPORT_SENTENCE_MAX];

    plot_width_name(b->width_ms, width);
    snprintf(title, sizeof(title), "Calls and answers per %s", width);
    struct plot p = plot_of(b, title, NULL, "calls");
    plot_print(to, &p, calls, ARRAY_LEN(calls));
    snprintf(title, sizeof(title), "The most within each %s.", width);
    p = plot_of(b, "Calls at once", title, "calls");
    p.limit = b->r->scene->channels;
    p.limit_name = "the most that may be";
    plot_print(to, &p, open, ARRAY_LEN(open));
    snprintf(title, sizeof(title), "Refusals per %s", width);
    p = plot_of(b, title, "Verdicts of the gate that said no.", "verdicts");
    plot_print(to, &p, refused, ARRAY_LEN(refused));
    plot_done(b, to);
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

static void cell(FILE *to, int64_t n)
{
    char text[PAGE_COUNT_MAX];

    fprintf(to, "<td class=\"n\">%s</td>", page_count(n, text));
}

/* A table of names with numbers after them. */
static void begin_named(FILE *to, const char *title, const char *name,
                        const char *const *columns)
{
    fprintf(to, "<h2>%s</h2><div class=\"wide\"><table><tr><th>%s</th>", title, name);
    for (; *columns; columns++)
        fprintf(to, "<th class=\"n\">%s</th>", *columns);
    fputs("</tr>\n", to);
}

static void name_cell(FILE *to, const char *name)
{
    fputs("<tr><td>", to);
    page_text(to, name);
    fputs("</td>", to);
}

static void trunks(const struct simulate_report *r, FILE *to)
{
    static const char *const columns[] = {"priority",         "weight", "calls",
                                          "at once, at most", "may be", NULL};

    if (r->scene->trunk_count < 2)
        return;
    begin_named(to, "Trunks", "trunk", columns);
    for (size_t i = 0; i < r->scene->trunk_count; i++) {
        const struct scene_trunk *t = &r->scene->trunks[i];

        name_cell(to, t->name);
        cell(to, t->priority);
        cell(to, t->weight);
        cell(to, r->counts->lines[i].calls);
        cell(to, r->counts->lines[i].peak);
        cell(to, t->channels);
        fputs("</tr>\n", to);
    }
    fputs("</table></div>\n", to);
}

static void variants(const struct simulate_report *r, FILE *to)
{
    static const char *const columns[] = {"people",    "calls",    "answered", "short",
                                          "completed", "opt-outs", NULL};
    const struct variant_rules *rules = &r->scene->doc->variants;

    if (rules->n == 0)
        return;
    begin_named(to, "Variants", "variant", columns);
    for (size_t i = 0; i < rules->n; i++) {
        const struct run_variant *v = &r->counts->variants[i];

        name_cell(to, rules->at[i].name);
        cell(to, v->contacts);
        cell(to, v->calls);
        cell(to, v->answered);
        cell(to, v->shorts);
        cell(to, v->completed);
        cell(to, v->opt_outs);
        fputs("</tr>\n", to);
    }
    fputs("</table></div>\n", to);
}

static void quarantine(const struct simulate_report *r, FILE *to)
{
    static const char *const none[] = {NULL};
    char time[REPORT_TIME_MAX];

    if (r->holds->n == 0)
        return;
    begin_named(to, "Quarantine", "of", none);
    for (size_t i = 0; i < r->holds->n; i++) {
        const struct hold *h = &r->holds->at[i];

        name_cell(to, holds_name(r->holds, h));
        fprintf(to, "<td>%s, %s: ", h->list ? "list" : "variant",
                report_time(r, h->at_ms, time));
        page_text(to, h->why);
        fputs("</td></tr>\n", to);
    }
    fputs("</table></div>\n", to);
}

static void numbers(const struct simulate_report *r, FILE *to)
{
    static const char *const columns[] = {"calls", "answered", "short", "quarantined",
                                          NULL};
    char number[PHONE_TEXT_MAX];

    if (r->number_count == 0)
        return;
    begin_named(to, "Numbers that were shown", "number", columns);
    for (size_t i = 0; i < r->number_count; i++) {
        const struct pool_result *k = &r->numbers[i];

        name_cell(to, phone_text(k->phone, number));
        cell(to, k->calls);
        cell(to, k->answered);
        cell(to, k->shorts);
        cell(to, k->held);
        fputs("</tr>\n", to);
    }
    fputs("</table></div>\n", to);
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
    if (report_table_requests(c) > 0) {
        begin_table(to, "What tables answered", "answer");
        row(to, c->data[IVR_DATA_DONE], "done");
        row(to, c->data[IVR_DATA_NONE], "no row");
        row(to, c->data[IVR_DATA_LOCKED], "locked");
        row(to, c->data[IVR_DATA_FAILED], "failed");
        fputs("</table></div>\n", to);
    }
    trunks(r, to);
    variants(r, to);
    quarantine(r, to);
    numbers(r, to);
    reasons("Verdicts that refused", &c->refusals, to);
    reasons("Contacts that only data could help", &r->blocked_by, to);
}

static void left_out(const struct simulate_report *r, FILE *to)
{
    if (r->left_out_count == 0)
        return;
    fputs("<div class=\"left\"><p>Not simulated of this campaign:</p><ul>", to);
    for (size_t i = 0; i < r->left_out_count; i++) {
        fputs("<li>", to);
        page_text(to, r->left_out[i]);
        fputs("</li>", to);
    }
    if (r->scene->missing_tables[0]) {
        fputs("<li>the tables ", to);
        page_text(to, r->scene->missing_tables);
        fputs("</li>", to);
    }
    fputs("</ul></div>\n", to);
}

static void cards(const struct simulate_report *r, FILE *to)
{
    const struct run_counts *c = r->counts;
    char n[PAGE_COUNT_MAX], time[REPORT_TIME_MAX];

    fputs("<div class=\"cards\">\n", to);
    page_card(to, page_count((int64_t)r->scene->people_count, n), "contacts");
    page_card(to, page_count(c->calls, n), "calls");
    page_card(to, page_count(c->answered, n), "answered");
    page_card(to, page_count(c->answered - c->machines, n), "by people");
    page_card(to, page_count(c->recordings, n), "recordings");
    page_card(to, page_count(c->opt_outs, n), "opt-outs");
    if (c->submitted + c->commands > 0)
        page_card(to, page_count(c->submitted + c->commands, n), "submitted to the jobs");
    page_card(to, page_count(c->peak_open, n), "at once, at most");
    if (r->desk) {
        const struct desk_counts d = desk_counts(r->desk);
        char busy[32];
        snprintf(busy, sizeof(busy), "%d, %.0f %%", d.agents, report_busy_percent(r));
        page_card(to, busy, "agents, talking");
        page_card(to, page_count(d.served, n), "served by them");
        if (desk_books(r->desk))
            page_card(to, page_count(d.abandoned, n), "abandoned");
        else
            page_card(to, page_count(d.left + d.timed_out, n), "not served");
    }
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
    left_out(r, to);
    if (r->counts->unserved > 0) {
        char n[PAGE_COUNT_MAX];
        fprintf(to,
                "<p class=\"left\">%s calls asked for an agent in a queue, and there are "
                "none (--agents N).</p>\n",
                page_count(r->counts->unserved, n));
    }
    cards(r, to);
    gather(r, &b);
    if (b.n > 0)
        plots(&b, to);
    free(b.at);
    free(b.done);
    tables(r, to);
    assumed(r, to);
    page_end(to);
}
