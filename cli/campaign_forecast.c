#include "cli/campaign_forecast.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/pg.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "cli/cli.h"
#include "contacts/tz.h"

enum { HOURS_SHOWN = 48, ZONES_SHOWN = 12 };

const char forecast_about[] =
    "What the campaign will come to, by the gate, the retry rules and the pacing that a "
    "real run\nuses, on a clock that runs ahead; nobody is called. Contacts by reason of "
    "refusal, who may\nbe called in which hour and zone, and when it will be finished. "
    "TIME is an instant like\n2026-11-24T08:00:00Z; without --from it begins now, or "
    "when the campaign does, and ends when\nall is done, or after 60 days. "
    "--answer-rate is a share in percent (35 unless stated, or\nwhat the campaign's own "
    "calls came to once there are 200); --talk the seconds of an answered\ncall (60). "
    "--html prints a page with plots that needs nothing else.";

/* ---- shared by text and page ---- */

const char *forecast_time(const struct forecast_view *v, int64_t at_ms,
                          char out[FORECAST_TIME_MAX])
{
    const struct tz_local t = tz_local_at(v->zone, at_ms);

    if (at_ms == 0)
        return "-";
    snprintf(out, FORECAST_TIME_MAX, "%04d-%02d-%02d %02d:%02d", t.year % 10000,
             t.month % 100, t.day % 100, t.hour % 100, t.minute % 100);
    return out;
}

const char *forecast_zone_name(const struct forecast_zone *z, char out[FORECAST_ZONE_MAX])
{
    if (z->name_count == 0)
        snprintf(out, FORECAST_ZONE_MAX, "%s zone unknown", z->region);
    else if (z->name_count == 1)
        snprintf(out, FORECAST_ZONE_MAX, "%s %s", z->region, z->names[0]);
    else
        snprintf(out, FORECAST_ZONE_MAX, "%s %s +%zu", z->region, z->names[0],
                 z->name_count - 1);
    return out;
}

const char *forecast_sentence(const struct forecast_view *v,
                              char out[FORECAST_SENTENCE_MAX])
{
    const struct forecast *f = v->forecast;
    char time[FORECAST_TIME_MAX];

    if (f->contacts == 0)
        snprintf(out, FORECAST_SENTENCE_MAX, "Nobody waits for a call.");
    else if (f->calls == 0 && f->left == 0)
        snprintf(out, FORECAST_SENTENCE_MAX,
                 "Nobody can be called: the rules refuse every contact.");
    else if (f->budget_ms && f->left > 0)
        snprintf(out, FORECAST_SENTENCE_MAX,
                 "The budget is spent by %s, after %" PRId64 " calls: %" PRId64
                 " contacts are left.",
                 forecast_time(v, f->budget_ms, time), f->calls, f->left);
    else if (f->done_ms)
        snprintf(out, FORECAST_SENTENCE_MAX, "Finished by %s, after %" PRId64 " calls.",
                 forecast_time(v, f->done_ms, time), f->calls);
    else
        snprintf(out, FORECAST_SENTENCE_MAX,
                 "Not finished by %s: %" PRId64 " contacts are left after %" PRId64
                 " calls.",
                 forecast_time(v, v->source->input.to_ms, time), f->left, f->calls);
    return out;
}

const char *forecast_left_out(const struct forecast_view *v,
                              char out[FORECAST_SENTENCE_MAX])
{
    const struct campaign_doc *doc = v->source->doc;
    const struct {
        bool stated;
        const char *what;
    } parts[] = {
        {doc->variants.n > 0, "differences between variants"},
        {doc->mode.kind != MODE_FIXED, "how many agents there are: each call finds one"},
        {doc->canary.calls > 0, "the canary, taken as passed at once"},
        {doc->caller_ids.pool[0] || doc->quarantine.variants || doc->quarantine.lists,
         "what may go into quarantine"},
    };
    size_t len = 0;

    out[0] = '\0';
    for (size_t i = 0; i < ARRAY_LEN(parts) && len < FORECAST_SENTENCE_MAX; i++)
        if (parts[i].stated)
            len += (size_t)snprintf(out + len, FORECAST_SENTENCE_MAX - len, "%s%s",
                                    len ? "; " : "", parts[i].what);
    return out;
}

static const struct forecast *sorted; /* of forecast_zone_order; the CLI has one thread */

static int most_contacts(const void *a, const void *b)
{
    int64_t x = sorted->zone_contacts[*(const size_t *)a];
    int64_t y = sorted->zone_contacts[*(const size_t *)b];

    return (x < y) - (x > y);
}

size_t *forecast_zone_order(const struct forecast_view *v)
{
    size_t n = v->source->input.zone_count;
    size_t *order = xcalloc(n + 1, sizeof(*order));

    for (size_t i = 0; i < n; i++)
        order[i] = i;
    sorted = v->forecast;
    qsort(order, n, sizeof(*order), most_contacts);
    return order;
}

/* ---- text ---- */

static void print_reasons(const char *title, const struct forecast_reasons *list,
                          FILE *to)
{
    if (list->n == 0)
        return;
    fprintf(to, "\n%s\n", title);
    for (size_t i = 0; i < list->n; i++)
        fprintf(to, "%10" PRId64 "  %-24s %s\n", list->at[i].contacts,
                reason_name(list->at[i].reason), reason_sentence(list->at[i].reason));
}

static void print_pace(const struct forecast_view *v, FILE *to)
{
    const struct forecast_input *in = &v->source->input;
    const struct forecast *f = v->forecast;
    char time[3][FORECAST_TIME_MAX];

    fprintf(to, "\npace: %.2f calls/s, set by the %s", f->per_second,
            f->paced_by_channels ? "channels" : "rate");
    if (in->channels > 0)
        fprintf(to, " (%d at once)", in->channels);
    if (in->rates.measured_calls)
        fprintf(to, "; outcomes as in the campaign's %" PRId64 " calls",
                in->rates.measured_calls);
    else
        fputs("; outcomes are assumed", to);
    fprintf(to, ": %.0f %% answer, %.0f s of talk\n",
            in->rates.share[DISPOSITION_COMPLETED] * 100, in->rates.talk_s);
    fprintf(to, "calls: %" PRId64, f->calls);
    for (int d = 0; d < DISPOSITIONS; d++)
        if (f->ends[d])
            fprintf(to, ", %s %" PRId64, disposition_name((enum disposition)d),
                    f->ends[d]);
    fprintf(to,
            "\ncontacts called: %" PRId64 ", half of them by %s, 90 %% by %s, last call "
            "%s\n",
            f->reached, forecast_time(v, f->half_ms, time[0]),
            forecast_time(v, f->most_ms, time[1]), forecast_time(v, f->last_ms, time[2]));
}

static void print_hours(const struct forecast_view *v, FILE *to)
{
    const struct forecast *f = v->forecast;
    char time[FORECAST_TIME_MAX];
    size_t shown = 0;

    fprintf(to, "\n%-17s %10s %10s %9s %9s %10s\n", "hour", "open", "dialable", "calls",
            "answered", "left");
    for (size_t i = 0; i < f->hour_count && shown < HOURS_SHOWN; i++) {
        const struct forecast_hour *h = &f->hours[i];

        if (h->open == 0 && h->calls == 0)
            continue;
        fprintf(to,
                "%-17s %10" PRId64 " %10" PRId64 " %9" PRId64 " %9" PRId64 " %10" PRId64
                "\n",
                forecast_time(v, h->at_ms, time), h->open, h->dialable, h->calls,
                h->answered, h->left);
        shown++;
    }
    if (shown == HOURS_SHOWN)
        fputs("… (--json and --html have every hour)\n", to);
}

/* One column an hour of the first day, by the zone's own busiest hour. */
static void print_zone(const struct forecast_view *v, size_t zone, FILE *to)
{
    static const char *const bars[] = {"·", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
    const struct forecast *f = v->forecast;
    const int64_t *row = &f->dialable[zone * f->hour_stride];
    char name[FORECAST_ZONE_MAX];
    int64_t most = 1;

    for (size_t i = 0; i < f->hour_count; i++)
        most = row[i] > most ? row[i] : most;
    fprintf(to, "%10" PRId64 "  %-32s ", f->zone_contacts[zone],
            forecast_zone_name(&v->source->input.zones[zone], name));
    for (size_t i = 0; i < f->hour_count && i < HOURS_SHOWN; i++)
        fputs(bars[row[i] == 0 ? 0 : 1 + (row[i] * 7) / most], to);
    fputc('\n', to);
}

static void print_zones(const struct forecast_view *v, FILE *to)
{
    CLEANUP(free_cleanup) size_t *order = forecast_zone_order(v);
    size_t n = v->source->input.zone_count;
    char time[FORECAST_TIME_MAX];

    if (n == 0)
        return;
    fprintf(to, "\ndialable by zone, a column an hour from %s\n",
            forecast_time(v, v->forecast->hours[0].at_ms, time));
    for (size_t i = 0; i < n && i < ZONES_SHOWN; i++)
        print_zone(v, order[i], to);
    if (n > ZONES_SHOWN)
        fprintf(to, "… and %zu more zones (--json and --html have them)\n",
                n - ZONES_SHOWN);
}

void forecast_print(const struct forecast_view *v, FILE *to)
{
    const struct forecast *f = v->forecast;
    char time[FORECAST_TIME_MAX], sentence[FORECAST_SENTENCE_MAX];

    fprintf(to, "forecast of '%s' from %s (%s): %s\n", v->campaign,
            forecast_time(v, v->source->input.from_ms, time), tz_name(v->zone),
            forecast_sentence(v, sentence));
    fprintf(to, "%10" PRId64 "  contacts wait", f->contacts);
    if (v->source->final_contacts || v->source->calling_contacts)
        fprintf(to, "; %" PRId64 " are final, %" PRId64 " are being called",
                v->source->final_contacts, v->source->calling_contacts);
    fprintf(to, "\n%10" PRId64 "  may be called at once\n", f->allowed_now);
    print_reasons("refused at that instant, by reason", &f->now, to);
    print_reasons("never called, by reason", &f->never, to);
    print_reasons("cannot be called until the data is there, by reason", &f->blocked, to);
    if (f->calls == 0)
        return;
    print_pace(v, to);
    if (f->pool_ms)
        fprintf(to, "caller-ids: the daily caps of pool '%s' are first reached at %s\n",
                v->source->doc->caller_ids.pool, forecast_time(v, f->pool_ms, time));
    if (forecast_left_out(v, sentence)[0])
        fprintf(to, "not foreseen: %s\n", sentence);
    print_hours(v, to);
    print_zones(v, to);
}

/* ---- JSON ---- */

static json_t *instant(int64_t at_ms)
{
    char text[CLOCK_TEXT_MAX];

    return at_ms ? json_string(clock_text(at_ms, text)) : json_null();
}

static json_t *reasons_json(const struct forecast_reasons *list)
{
    json_t *out = json_array();

    for (size_t i = 0; i < list->n; i++) {
        enum reason r = list->at[i].reason;
        json_array_append_new(out,
                              json_pack("{s:s, s:s, s:I, s:s}", "reason", reason_name(r),
                                        "class", reason_class_name(reason_class(r)),
                                        "contacts", (json_int_t)list->at[i].contacts,
                                        "means", reason_sentence(r)));
    }
    return out;
}

static json_t *dispositions_json(const int64_t n[DISPOSITIONS])
{
    json_t *out = json_object();

    for (int d = 0; d < DISPOSITIONS; d++)
        if (n[d])
            json_object_set_new(out, disposition_name((enum disposition)d),
                                json_integer(n[d]));
    return out;
}

static json_t *hours_json(const struct forecast *f)
{
    json_t *out = json_array();

    for (size_t i = 0; i < f->hour_count; i++) {
        const struct forecast_hour *h = &f->hours[i];
        json_array_append_new(
            out,
            json_pack("{s:o, s:I, s:I, s:I, s:I, s:I}", "at", instant(h->at_ms), "open",
                      (json_int_t)h->open, "dialable", (json_int_t)h->dialable, "calls",
                      (json_int_t)h->calls, "answered", (json_int_t)h->answered, "left",
                      (json_int_t)h->left));
    }
    return out;
}

static json_t *zones_json(const struct forecast_view *v)
{
    const struct forecast_input *in = &v->source->input;
    const struct forecast *f = v->forecast;
    json_t *out = json_array();

    for (size_t i = 0; i < in->zone_count; i++) {
        json_t *names = json_array(), *dialable = json_array();
        for (size_t k = 0; k < in->zones[i].name_count; k++)
            json_array_append_new(names, json_string(in->zones[i].names[k]));
        for (size_t h = 0; h < f->hour_count; h++)
            json_array_append_new(dialable,
                                  json_integer(f->dialable[i * f->hour_stride + h]));
        json_array_append_new(out, json_pack("{s:s, s:o, s:I, s:o}", "region",
                                             in->zones[i].region, "zones", names,
                                             "contacts", (json_int_t)f->zone_contacts[i],
                                             "dialable", dialable));
    }
    return out;
}

static json_t *assumptions_json(const struct forecast_view *v)
{
    const struct forecast_input *in = &v->source->input;

    return json_pack("{s:f, s:f, s:f, s:I, s:f, s:i, s:f, s:s}", "answer_rate",
                     in->rates.share[DISPOSITION_COMPLETED], "talk_s", in->rates.talk_s,
                     "ring_s", in->rates.ring_s, "measured_calls",
                     (json_int_t)in->rates.measured_calls, "cps", in->cps,
                     "max_concurrent", in->channels, "calls_per_second",
                     v->forecast->per_second, "paced_by",
                     v->forecast->paced_by_channels ? "channels" : "rate");
}

json_t *forecast_to_json(const struct forecast_view *v)
{
    const struct forecast *f = v->forecast;
    char left_out[FORECAST_SENTENCE_MAX];
    json_t *out =
        json_pack("{s:s, s:o, s:o, s:I, s:I, s:I, s:I, s:o, s:o, s:o, s:o}", "campaign",
                  v->campaign, "from", instant(v->source->input.from_ms), "to",
                  instant(v->source->input.to_ms), "contacts", (json_int_t)f->contacts,
                  "already_final", (json_int_t)v->source->final_contacts, "being_called",
                  (json_int_t)v->source->calling_contacts, "allowed_now",
                  (json_int_t)f->allowed_now, "refused_now", reasons_json(&f->now),
                  "never", reasons_json(&f->never), "blocked", reasons_json(&f->blocked),
                  "assumptions", assumptions_json(v));

    json_t *rest = json_pack(
        "{s:I, s:o, s:o, s:I, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "calls",
        (json_int_t)f->calls, "outcomes", dispositions_json(f->ends), "finals",
        dispositions_json(f->finals), "reached", (json_int_t)f->reached, "left",
        (json_int_t)f->left, "first_call", instant(f->first_ms), "last_call",
        instant(f->last_ms), "half_called", instant(f->half_ms), "most_called",
        instant(f->most_ms), "finished", instant(f->done_ms), "hours", hours_json(f),
        "zones", zones_json(v), "budget_spent", instant(f->budget_ms));
    json_object_update(out, rest);
    json_decref(rest);
    json_object_set_new(out, "caller_ids_spent", instant(f->pool_ms));
    json_object_set_new(out, "not_foreseen", json_string(forecast_left_out(v, left_out)));
    return out;
}

/* ---- the command ---- */

struct arguments {
    const char *name;
    bool json, html;
    struct forecast_options options;
};

static bool read_number(const char *text, double max, double *out)
{
    char *end = NULL;

    *out = strtod(text, &end);
    return end != text && *end == '\0' && *out >= 0 && *out <= max;
}

static int parse(struct arguments *a, int argc, char **argv)
{
    static const struct option options[] = {{"from", required_argument, NULL, 'f'},
                                            {"to", required_argument, NULL, 't'},
                                            {"answer-rate", required_argument, NULL, 'a'},
                                            {"talk", required_argument, NULL, 's'},
                                            {"json", no_argument, NULL, 'j'},
                                            {"html", no_argument, NULL, 'h'},
                                            {0}};
    enum { TALK_MAX_S = 7200, PERCENT = 100 };
    double v = 0;

    for (int o; (o = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (o == '?')
            return CLI_USAGE;
        a->json |= o == 'j';
        a->html |= o == 'h';
        if ((o == 'f' && clock_parse(optarg, &a->options.from_ms)) ||
            (o == 't' && clock_parse(optarg, &a->options.to_ms)))
            return cli_usage("--%s wants an instant like 2026-11-24T08:00:00Z, got '%s'",
                             o == 'f' ? "from" : "to", optarg);
        if (o == 'a' && !read_number(optarg, PERCENT, &v))
            return cli_usage("--answer-rate wants a share in percent, 0 to 100, got '%s'",
                             optarg);
        if (o == 's' && !read_number(optarg, TALK_MAX_S, &a->options.talk_s))
            return cli_usage("--talk wants seconds, 0 to %d, got '%s'", TALK_MAX_S,
                             optarg);
        if (o == 'a')
            a->options.answer_rate = v / PERCENT;
    }
    if (argc - optind != 1)
        return cli_usage(argc == optind ? "which campaign?" : "one at a time");
    if (a->json && a->html)
        return cli_usage("--json or --html, not both");
    a->name = argv[optind];
    return CLI_OK;
}

/* The schedule's zone, else the one that most contacts live in. */
static const struct tz_zone *wall_clock(struct forecast_view *v, const char *scheduled)
{
    const struct forecast_input *in = &v->source->input;
    const struct tz_zone *zone = NULL;
    CLEANUP(free_cleanup) size_t *order = forecast_zone_order(v);

    if (scheduled[0] && tz_find(scheduled, &zone) == 0)
        return zone;
    for (size_t i = 0; i < in->zone_count; i++)
        if (in->zones[order[i]].name_count > 0 &&
            tz_find(in->zones[order[i]].names[0], &zone) == 0)
            return zone;
    return tz_find("Etc/UTC", &zone) ? NULL : zone;
}

static int show(struct cli *cli, const struct arguments *a,
                const struct campaign_row *row, const struct forecast_source *source,
                const struct forecast *f)
{
    struct forecast_view v = {row->name, source, f, NULL};
    const struct campaign_doc *doc = NULL;

    if (campaign_doc_get(cli->pg, cli->tenant_id, row->id, &doc))
        return cli_fail("%s", pg_error(cli->pg));
    v.zone = wall_clock(&v, doc->has_schedule ? doc->schedule.timezone : "");
    if (!v.zone)
        return cli_fail("there is no time zone data: install the package tzdata");
    if (a->json)
        return cli_print_json(forecast_to_json(&v));
    if (a->html)
        forecast_print_html(&v, stdout);
    else
        forecast_print(&v, stdout);
    return CLI_OK;
}

int cmd_campaign_forecast(struct cli *cli, int argc, char **argv)
{
    struct arguments a = {.options = {.answer_rate = -1, .talk_s = -1}};
    struct forecast_source source = {0};
    struct campaign_row row = {0};
    struct forecast f = {0};
    struct errtext e = {0};

    int code = parse(&a, argc, argv);
    if (!code)
        code = cli_open_pg(cli);
    if (code)
        return code;
    if (campaign_find(cli->pg, cli->tenant_id, a.name, &row, &e))
        return cli_fail("%s", e.text);
    if (!a.options.from_ms)
        a.options.from_ms = clock_now_ms();
    if (isatty(STDERR_FILENO))
        fprintf(stderr, "reading the contacts of '%s'…\r", row.name);
    if (forecast_load(cli->pg, cli->tenant_id, &row, &a.options, &source, &e))
        return cli_fail("%s", e.text);
    if (isatty(STDERR_FILENO))
        fprintf(stderr, "\033[Kdialling %zu groups of contacts, in thought…\r",
                source.input.group_count);
    forecast_run(&source.input, &f);
    if (isatty(STDERR_FILENO))
        fputs("\033[K", stderr);
    code = show(cli, &a, &row, &source, &f);
    forecast_free(&f);
    forecast_source_free(&source);
    return code;
}
