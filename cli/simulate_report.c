#include "cli/simulate_report.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "contacts/tz.h"

#define MINUTE_MS INT64_C(60000)
#define HOUR_MS   (60 * MINUTE_MS)
enum { HOURS_SHOWN = 48, MINUTES = 60 };

/* ---- adding up ---- */

static void count_final(struct simulate_report *r, const char *name)
{
    size_t i = 0;

    while (i < r->final_count && strcmp(r->finals[i].name, name) != 0)
        i++;
    if (i == REPORT_FINALS_MAX)
        return;
    if (i == r->final_count) {
        str_cut(r->finals[i].name, sizeof(r->finals[i].name), name);
        r->final_count++;
    }
    r->finals[i].n++;
}

static void count_blocked(struct run_reasons *list, enum reason reason)
{
    size_t i = 0;

    while (i < list->n && list->at[i].reason != reason)
        i++;
    if (i == RUN_REASONS_MAX)
        return;
    if (i == list->n)
        list->at[list->n++] = (struct run_reason){reason, 0};
    list->at[i].n++;
}

static int most_first(const void *pa, const void *pb)
{
    const struct run_name *a = pa, *b = pb;

    return a->n != b->n ? (a->n < b->n ? 1 : -1) : strcmp(a->name, b->name);
}

static void add_contact(struct simulate_report *r, struct buf *lines,
                        const struct memory_contact *k, int attempts_before)
{
    r->called += k->attempts > attempts_before;
    r->final += k->state == MEMORY_FINAL;
    r->blocked += k->state == MEMORY_BLOCKED;
    r->waiting += k->state == MEMORY_PENDING;
    if (k->state == MEMORY_FINAL)
        count_final(r, k->final);
    if (k->state == MEMORY_BLOCKED)
        count_blocked(&r->blocked_by, k->blocked);
    buf_i64(lines, (int64_t)k->state);
    buf_puts(lines, k->final);
    buf_puts(lines, " ");
    buf_i64(lines, k->attempts);
    buf_puts(lines, k->last_disposition);
    buf_puts(lines, " ");
    buf_i64(lines, k->due_ms);
    buf_puts(lines, "\n");
}

static void add_hours(struct simulate_report *r)
{
    const struct run_counts *c = r->counts;
    int64_t first_ms = c->first_minute_ms - c->first_minute_ms % HOUR_MS;

    for (size_t i = 0; i < c->minute_count; i++) {
        const struct run_minute *m = &c->minutes[i];
        size_t h =
            (size_t)((c->first_minute_ms + (int64_t)i * MINUTE_MS - first_ms) / HOUR_MS);
        if (h >= REPORT_HOURS_MAX)
            return;
        for (; r->hour_count <= h; r->hour_count++)
            r->hours[r->hour_count].at_ms = first_ms + (int64_t)r->hour_count * HOUR_MS;
        struct report_hour *hour = &r->hours[h];
        hour->calls += m->calls;
        hour->answered += m->answered;
        hour->machines += m->machines;
        hour->refused += m->refused;
        hour->open = m->open > hour->open ? m->open : hour->open;
    }
}

void simulate_report_add_up(struct simulate_report *r, const struct memory *m)
{
    CLEANUP(buf_free) struct buf lines = {0};
    uint8_t hash[SHA256_BYTES];

    for (size_t i = 0; i < r->scene->people_count; i++) {
        const struct memory_contact k = memory_contact(m, i);
        add_contact(r, &lines, &k, r->scene->people[i].attempts);
    }
    qsort(r->finals, r->final_count, sizeof(r->finals[0]), most_first);
    sha256_of(lines.data ? lines.data : "", lines.len, hash);
    sha256_text(hash, r->fingerprint);
    add_hours(r);
}

/* ---- words ---- */

const char *report_time(const struct simulate_report *r, int64_t at_ms,
                        char out[REPORT_TIME_MAX])
{
    const struct tz_local t = tz_local_at(r->zone, at_ms);

    if (at_ms == 0)
        return "-";
    snprintf(out, REPORT_TIME_MAX, "%04d-%02d-%02d %02d:%02d", t.year % 10000,
             t.month % 100, t.day % 100, t.hour % 100, t.minute % 100);
    return out;
}

const char *report_sentence(const struct simulate_report *r,
                            char out[REPORT_SENTENCE_MAX])
{
    const struct run_counts *c = r->counts;
    char time[REPORT_TIME_MAX];

    if (r->scene->people_count == 0)
        snprintf(out, REPORT_SENTENCE_MAX, "Nobody waits for a call.");
    else if (c->calls == 0 && r->waiting == 0)
        snprintf(out, REPORT_SENTENCE_MAX,
                 "Nobody can be called: the rules refuse every contact.");
    else if (r->waiting == 0)
        snprintf(out, REPORT_SENTENCE_MAX,
                 "Finished by %s, after %" PRId64 " calls, %" PRId64 " of them answered.",
                 report_time(r, c->last_end_ms, time), c->calls,
                 c->ends[DISPOSITION_COMPLETED]);
    else
        snprintf(out, REPORT_SENTENCE_MAX,
                 "Not finished by %s: %" PRId64 " contacts still wait after %" PRId64
                 " calls, %" PRId64 " of them answered.",
                 report_time(r, r->scene->to_ms, time), r->waiting, c->calls,
                 c->ends[DISPOSITION_COMPLETED]);
    return out;
}

/* ---- text ---- */

static void print_names(const char *title, const struct run_name *list, size_t n,
                        FILE *to)
{
    if (n == 0)
        return;
    fprintf(to, "\n%s\n", title);
    for (size_t i = 0; i < n; i++)
        fprintf(to, "%10" PRId64 "  %s\n", list[i].n, list[i].name);
}

static void print_reasons(const char *title, const struct run_reasons *list, FILE *to)
{
    if (list->n == 0)
        return;
    fprintf(to, "\n%s\n", title);
    for (size_t i = 0; i < list->n; i++)
        fprintf(to, "%10" PRId64 "  %-24s %s\n", list->at[i].n,
                reason_name(list->at[i].reason), reason_sentence(list->at[i].reason));
}

static void print_calls(const struct simulate_report *r, FILE *to)
{
    const struct run_counts *c = r->counts;
    char time[2][REPORT_TIME_MAX];

    fprintf(to, "\ncalls: %" PRId64, c->calls);
    for (int d = 0; d < DISPOSITIONS; d++)
        if (c->ends[d])
            fprintf(to, ", %s %" PRId64, disposition_name((enum disposition)d),
                    c->ends[d]);
    fprintf(to, "\nfirst at %s, last at %s; at most %" PRId64 " at once (%d may be)\n",
            report_time(r, c->first_call_ms, time[0]),
            report_time(r, c->last_call_ms, time[1]), c->peak_open, r->scene->channels);
    fprintf(to,
            "answered: %" PRId64 " by people, %" PRId64 " by machines, %.1f s each; "
            "%" PRId64 " recordings, %" PRId64 " messages, %" PRId64
            " transfers, %" PRId64 " callbacks, %" PRId64 " opt-outs\n",
            c->ends[DISPOSITION_COMPLETED] - c->machines, c->machines,
            c->ends[DISPOSITION_COMPLETED]
                ? (double)c->talk_ms / 1000 / (double)c->ends[DISPOSITION_COMPLETED]
                : 0,
            c->recordings, c->messages, c->transfers, c->callbacks, c->opt_outs);
}

static void print_hours(const struct simulate_report *r, FILE *to)
{
    char time[REPORT_TIME_MAX];
    size_t shown = 0;

    fprintf(to, "\n%-17s %9s %9s %9s %9s %9s\n", "hour", "calls", "answered", "machines",
            "refused", "at once");
    for (size_t i = 0; i < r->hour_count && shown < HOURS_SHOWN; i++) {
        const struct report_hour *h = &r->hours[i];

        if (h->calls == 0 && h->answered == 0 && h->refused == 0)
            continue;
        fprintf(to,
                "%-17s %9" PRId64 " %9" PRId64 " %9" PRId64 " %9" PRId64 " %9" PRId64
                "\n",
                report_time(r, h->at_ms, time), h->calls, h->answered, h->machines,
                h->refused, h->open);
        shown++;
    }
    if (shown == HOURS_SHOWN)
        fputs("… (--json and --html have every hour)\n", to);
}

void simulate_report_print(const struct simulate_report *r, FILE *to)
{
    const struct scene *s = r->scene;
    char time[REPORT_TIME_MAX], sentence[REPORT_SENTENCE_MAX];

    fprintf(to, "simulation of '%s' from %s (%s), seed %" PRIu64 ": %s\n", r->campaign,
            report_time(r, s->from_ms, time), tz_name(r->zone), r->seed,
            report_sentence(r, sentence));
    fprintf(to, "%10zu  contacts%s", s->people_count,
            s->invented ? ", copied from those of the list" : " wait");
    if (s->final_contacts || s->calling_contacts)
        fprintf(to, "; %" PRId64 " are final, %" PRId64 " are being called",
                s->final_contacts, s->calling_contacts);
    fprintf(to, "\n%10" PRId64 "  were called at least once\n", r->called);
    print_names("contacts by how they end", r->finals, r->final_count, to);
    print_reasons("contacts that only data could help", &r->blocked_by, to);
    print_reasons("verdicts that refused, by reason", &r->counts->refusals, to);
    if (r->counts->calls > 0) {
        print_calls(r, to);
        print_names("ends of the flow", r->counts->outcomes, r->counts->outcome_count,
                    to);
        print_hours(r, to);
    }
    fprintf(to, "\nfingerprint of every contact's end: %.16s\n", r->fingerprint);
}

/* ---- JSON ---- */

static json_t *instant(int64_t at_ms)
{
    char text[CLOCK_TEXT_MAX];

    return at_ms ? json_string(clock_text(at_ms, text)) : json_null();
}

static json_t *names_json(const struct run_name *list, size_t n)
{
    json_t *out = json_object();

    for (size_t i = 0; i < n; i++)
        json_object_set_new(out, list[i].name, json_integer(list[i].n));
    return out;
}

static json_t *reasons_json(const struct run_reasons *list)
{
    json_t *out = json_array();

    for (size_t i = 0; i < list->n; i++) {
        enum reason reason = list->at[i].reason;
        json_array_append_new(
            out, json_pack("{s:s, s:s, s:I, s:s}", "reason", reason_name(reason), "class",
                           reason_class_name(reason_class(reason)), "n",
                           (json_int_t)list->at[i].n, "means", reason_sentence(reason)));
    }
    return out;
}

static json_t *hours_json(const struct simulate_report *r)
{
    json_t *out = json_array();

    for (size_t i = 0; i < r->hour_count; i++) {
        const struct report_hour *h = &r->hours[i];
        json_array_append_new(
            out,
            json_pack("{s:o, s:I, s:I, s:I, s:I, s:I}", "at", instant(h->at_ms), "calls",
                      (json_int_t)h->calls, "answered", (json_int_t)h->answered,
                      "machines", (json_int_t)h->machines, "refused",
                      (json_int_t)h->refused, "at_once", (json_int_t)h->open));
    }
    return out;
}

static json_t *calls_json(const struct run_counts *c)
{
    json_t *ends = json_object();

    for (int d = 0; d < DISPOSITIONS; d++)
        if (c->ends[d])
            json_object_set_new(ends, disposition_name((enum disposition)d),
                                json_integer(c->ends[d]));
    return json_pack(
        "{s:I, s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:o, s:o, s:I, s:o, s:o}",
        "calls", (json_int_t)c->calls, "ends", ends, "machines", (json_int_t)c->machines,
        "talk_ms", (json_int_t)c->talk_ms, "recordings", (json_int_t)c->recordings,
        "messages", (json_int_t)c->messages, "transfers", (json_int_t)c->transfers,
        "callbacks", (json_int_t)c->callbacks, "opt_outs", (json_int_t)c->opt_outs,
        "first_call", instant(c->first_call_ms), "last_call", instant(c->last_call_ms),
        "last_end", instant(c->last_end_ms), "most_at_once", (json_int_t)c->peak_open,
        "most_at", instant(c->peak_ms), "flow_ends",
        names_json(c->outcomes, c->outcome_count));
}

json_t *simulate_report_json(const struct simulate_report *r)
{
    const struct scene *s = r->scene;
    json_t *out = json_pack(
        "{s:s, s:I, s:o, s:o, s:o, s:I, s:b, s:I, s:I, s:I, s:f, s:i, s:I, s:I, s:I, "
        "s:I}",
        "campaign", r->campaign, "seed", (json_int_t)r->seed, "from", instant(s->from_ms),
        "to", instant(s->to_ms), "finished",
        r->waiting == 0 ? instant(r->counts->last_end_ms) : json_null(), "contacts",
        (json_int_t)s->people_count, "copied", s->invented, "already_final",
        (json_int_t)s->final_contacts, "being_called", (json_int_t)s->calling_contacts,
        "called", (json_int_t)r->called, "cps", s->cps, "max_concurrent", s->channels,
        "final", (json_int_t)r->final, "waiting", (json_int_t)r->waiting, "blocked",
        (json_int_t)r->blocked, "minutes", (json_int_t)r->counts->minute_count);
    json_t *calls = calls_json(r->counts);

    json_object_update(out, calls);
    json_decref(calls);
    json_object_set_new(out, "finals", names_json(r->finals, r->final_count));
    json_object_set_new(out, "blocked_by", reasons_json(&r->blocked_by));
    json_object_set_new(out, "refusals", reasons_json(&r->counts->refusals));
    json_object_set_new(out, "hours", hours_json(r));
    json_object_set_new(out, "network", network_to_json(r->network));
    json_object_set_new(out, "fingerprint", json_string(r->fingerprint));
    return out;
}
