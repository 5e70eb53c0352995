#include "cli/simulate_report.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "contacts/tz.h"
#include "simulate/desk.h"

#define MINUTE_MS INT64_C(60000)
#define HOUR_MS   (60 * MINUTE_MS)
enum { HOURS_SHOWN = 48, MINUTES = 60 };

/* ---- adding up ---- */

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
        run_name_count(r->finals, &r->final_count, REPORT_FINALS_MAX, k->final);
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

static void add_done(struct simulate_report *r, const struct memory_contact *k)
{
    const struct run_counts *c = r->counts;
    int64_t minute = (k->due_ms - c->first_minute_ms) / MINUTE_MS;

    if (k->state != MEMORY_FINAL || c->minute_count == 0)
        return;
    minute = minute < 0 ? 0 : minute;
    if (minute >= (int64_t)c->minute_count)
        minute = (int64_t)c->minute_count - 1;
    r->done_by_minute[minute]++;
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

static void add_numbers(struct simulate_report *r, const struct pool *pool)
{
    r->number_count = pool ? pool_count(pool) : 0;
    r->numbers = xcalloc(r->number_count + 1, sizeof(*r->numbers));
    for (size_t i = 0; i < r->number_count; i++)
        r->numbers[i] = pool_result(pool, i);
}

void simulate_report_add_up(struct simulate_report *r, const struct memory *m)
{
    CLEANUP(buf_free) struct buf lines = {0};
    uint8_t hash[SHA256_BYTES];

    r->done_by_minute = xcalloc(r->counts->minute_count + 1, sizeof(int64_t));
    for (size_t i = 0; i < r->scene->people_count; i++) {
        const struct memory_contact k = memory_contact(m, i);
        add_contact(r, &lines, &k, r->scene->people[i].attempts);
        add_done(r, &k);
    }
    qsort(r->finals, r->final_count, sizeof(r->finals[0]), most_first);
    sha256_of(lines.data ? lines.data : "", lines.len, hash);
    sha256_text(hash, r->fingerprint);
    add_hours(r);
    add_numbers(r, memory_pool(m));
    r->trial = memory_trial(m);
    r->holds = memory_holds(m);
    r->left_out_count = scene_notes(r->scene, r->left_out);
}

void simulate_report_free(struct simulate_report *r)
{
    free(r->numbers);
    free(r->done_by_minute);
    r->numbers = NULL;
    r->done_by_minute = NULL;
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
    else if (r->trial->verdict == CANARY_BAD)
        snprintf(out, REPORT_SENTENCE_MAX,
                 "Paused at %s after %" PRId64 " calls, for its canary failed: %s.",
                 report_time(r, r->trial->judged_ms, time), c->calls, r->trial->why);
    else if (c->calls == 0 && r->waiting == 0)
        snprintf(out, REPORT_SENTENCE_MAX,
                 "Nobody can be called: the rules refuse every contact.");
    else if (r->waiting == 0)
        snprintf(out, REPORT_SENTENCE_MAX,
                 "Finished by %s, after %" PRId64 " calls, %" PRId64 " of them answered.",
                 report_time(r, c->last_end_ms, time), c->calls, c->answered);
    else if (c->budget_ms)
        snprintf(out, REPORT_SENTENCE_MAX,
                 "The budget is spent by %s: %" PRId64
                 " contacts still wait after %" PRId64 " calls, %" PRId64
                 " of them answered.",
                 report_time(r, c->budget_ms, time), r->waiting, c->calls, c->answered);
    else
        snprintf(out, REPORT_SENTENCE_MAX,
                 "Not finished by %s: %" PRId64 " contacts still wait after %" PRId64
                 " calls, %" PRId64 " of them answered.",
                 report_time(r, r->scene->to_ms, time), r->waiting, c->calls,
                 c->answered);
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
            c->answered - c->machines, c->machines,
            c->answered ? (double)c->talk_ms / 1000 / (double)c->answered : 0,
            c->recordings, c->messages, c->transfers, c->callbacks, c->opt_outs);
}

static void print_speech(const struct simulate_report *r, FILE *to)
{
    const struct run_counts *c = r->counts;

    if (c->recognised > 0)
        fprintf(to,
                "speech: %" PRId64 " recordings are recognised, %" PRId64
                " of them understood\n",
                c->recognised, c->understood);
}

int64_t report_table_requests(const struct run_counts *c)
{
    int64_t n = 0;

    for (size_t i = 0; i < TALK_DATA_RESULTS; i++)
        n += c->data[i];
    return n;
}

static void print_tables(const struct simulate_report *r, FILE *to)
{
    const struct run_counts *c = r->counts;

    if (report_table_requests(c) > 0)
        fprintf(to,
                "tables: asked %" PRId64 " times: %" PRId64 " done, %" PRId64
                " no row, %" PRId64 " locked, %" PRId64 " failed\n",
                report_table_requests(c), c->data[IVR_DATA_DONE], c->data[IVR_DATA_NONE],
                c->data[IVR_DATA_LOCKED], c->data[IVR_DATA_FAILED]);
    if (c->submitted + c->commands > 0)
        fprintf(to,
                "submitted to the jobs: %" PRId64 " recordings, %" PRId64
                " commands that were keyed in\n",
                c->submitted, c->commands);
}

static void print_machines(const struct simulate_report *r, FILE *to)
{
    const struct run_counts *c = r->counts;

    if (r->scene->doc->machine.action == MACHINE_NOT_ASKED)
        return;
    fprintf(to,
            "machines: %" PRId64 " were left a message, %" PRId64 " nothing; %" PRId64
            " people were taken for a machine, %" PRId64 " machines for a person\n",
            c->ends[DISPOSITION_MESSAGE], c->ends[DISPOSITION_MACHINE], c->people_machine,
            c->machine_people);
}

/* Of the minutes in which calls went out or were under way, that agents talked. */
double report_busy_percent(const struct simulate_report *r)
{
    const struct desk_counts d = desk_counts(r->desk);
    int64_t minutes = 0;

    for (size_t i = 0; i < r->counts->minute_count; i++)
        minutes += r->counts->minutes[i].calls > 0 || r->counts->minutes[i].open > 0;
    return minutes > 0
               ? 100 * (double)d.talk_ms / (double)(minutes * MINUTE_MS) / d.agents
               : 0;
}

static void print_agents(const struct simulate_report *r, FILE *to)
{
    if (r->counts->unserved > 0)
        fprintf(to,
                "agents: %" PRId64 " calls asked for one in a queue, and there are none "
                "(--agents N)\n",
                r->counts->unserved);
    if (!r->desk)
        return;
    const struct desk_counts d = desk_counts(r->desk);

    fprintf(to,
            "agents: %d served %" PRId64 " calls, %.1f s each, and talked %.1f %% of the "
            "minutes in which calls went out\n",
            d.agents, d.served,
            d.served ? (double)d.talk_ms / 1000 / (double)d.served : 0,
            report_busy_percent(r));
    if (desk_books(r->desk))
        fprintf(to,
                "abandoned: %" PRId64 " of %" PRId64
                " calls that people answered, %" PRId64
                " of them because the agent came after %d s\n",
                d.abandoned, d.answered, d.late, MODE_CONNECT_MS / 1000);
    else
        fprintf(to,
                "waited: %.1f s each, %.1f s at most; %" PRId64 " hung up, %" PRId64
                " were not served in time\n",
                d.served ? (double)d.waited_ms / 1000 / (double)d.served : 0,
                (double)d.longest_wait_ms / 1000, d.left, d.timed_out);
}

static void print_canary(const struct simulate_report *r, FILE *to)
{
    char time[REPORT_TIME_MAX];

    if (r->trial->judged_ms && r->trial->verdict == CANARY_GOOD)
        fprintf(to, "canary: passed at %s, %s\n",
                report_time(r, r->trial->judged_ms, time), r->trial->why);
}

static void print_quarantine(const struct simulate_report *r, FILE *to)
{
    char time[REPORT_TIME_MAX];

    for (size_t i = 0; i < r->holds->n; i++)
        fprintf(to, "quarantine: %s '%s' at %s: %s\n",
                r->holds->at[i].list ? "list" : "variant",
                holds_name(r->holds, &r->holds->at[i]),
                report_time(r, r->holds->at[i].at_ms, time), r->holds->at[i].why);
}

static void print_trunks(const struct simulate_report *r, FILE *to)
{
    if (r->scene->trunk_count < 2)
        return;
    fprintf(to, "\n%-24s %9s %9s %9s %9s %9s\n", "trunk", "priority", "weight", "calls",
            "at once", "may be");
    for (size_t i = 0; i < r->scene->trunk_count; i++) {
        const struct scene_trunk *t = &r->scene->trunks[i];

        fprintf(to, "%-24s %9d %9d %9" PRId64 " %9" PRId64 " %9d\n", t->name, t->priority,
                t->weight, r->counts->lines[i].calls, r->counts->lines[i].peak,
                t->channels);
    }
}

static void print_variants(const struct simulate_report *r, FILE *to)
{
    const struct variant_rules *rules = &r->scene->doc->variants;

    if (rules->n == 0)
        return;
    fprintf(to, "\n%-24s %9s %9s %9s %9s %9s %9s\n", "variant", "people", "calls",
            "answered", "short", "completed", "opt-outs");
    for (size_t i = 0; i < rules->n; i++) {
        const struct run_variant *v = &r->counts->variants[i];

        fprintf(to,
                "%-24s %9" PRId64 " %9" PRId64 " %9" PRId64 " %9" PRId64 " %9" PRId64
                " %9" PRId64 "\n",
                rules->at[i].name, v->contacts, v->calls, v->answered, v->shorts,
                v->completed, v->opt_outs);
    }
}

static void print_numbers(const struct simulate_report *r, FILE *to)
{
    char number[PHONE_TEXT_MAX];

    if (r->number_count == 0)
        return;
    fprintf(to, "\n%-24s %9s %9s %9s %12s\n", "number shown", "calls", "answered",
            "short", "quarantined");
    for (size_t i = 0; i < r->number_count; i++) {
        const struct pool_result *k = &r->numbers[i];

        fprintf(to, "%-24s %9" PRId64 " %9" PRId64 " %9" PRId64 " %12d\n",
                phone_text(k->phone, number), k->calls, k->answered, k->shorts, k->held);
    }
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
        print_speech(r, to);
        print_tables(r, to);
        print_machines(r, to);
        print_agents(r, to);
        print_canary(r, to);
        print_quarantine(r, to);
        print_names("ends of the flow", r->counts->outcomes, r->counts->outcome_count,
                    to);
        print_trunks(r, to);
        print_variants(r, to);
        print_numbers(r, to);
        print_hours(r, to);
    }
    if (r->left_out_count > 0)
        fputs("\nnot simulated of this campaign\n", to);
    for (size_t i = 0; i < r->left_out_count; i++)
        fprintf(to, "  %s\n", r->left_out[i]);
    if (s->missing_tables[0])
        fprintf(to, "  (the tables %s)\n", s->missing_tables);
    fprintf(to, "\nfingerprint of every contact's end: %.16s\n", r->fingerprint);
}
