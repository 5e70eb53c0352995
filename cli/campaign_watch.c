#include "cli/campaign_watch.h"

#include <inttypes.h>

#include "base/clock.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "campaigns/slot_store.h"
#include "cli/campaign_trial.h"
#include "cli/cli.h"
#include "compliance/calling_store.h"

static int look_at_dialers(struct cli *cli, struct campaign_watch *out)
{
    CLEANUP(free_cleanup) struct slot_row *rows = NULL;
    size_t n = 0, len = 0;

    int err = slot_list(cli->pg, &rows, &n);
    for (size_t i = 0; !err && i < n; i++) {
        if (!str_is(rows[i].kind, "dialer") || !rows[i].alive)
            continue;
        out->dialers++;
        if (rows[i].held[0] && len < sizeof(out->held))
            len += (size_t)snprintf(out->held + len, sizeof(out->held) - len,
                                    "; dialer %d places no calls: %s", rows[i].slot,
                                    rows[i].held);
    }
    return err;
}

int campaign_watch_load(struct cli *cli, int64_t campaign_id, int64_t now_ms,
                        struct campaign_watch *out)
{
    *out = (struct campaign_watch){0};
    int err = snapshot_load(cli, campaign_id, now_ms, &out->at);
    if (!err)
        err = watch_load(cli->pg, cli->tenant_id, campaign_id, now_ms, &out->recent);
    if (!err)
        err = look_at_dialers(cli, out);
    if (!err)
        err = calling_state(cli->pg, cli->tenant_id, &out->calling_off_ms,
                            out->calling_note, sizeof(out->calling_note));
    return err;
}

void campaign_watch_free(struct campaign_watch *w)
{
    snapshot_free(&w->at);
}

static int64_t at_pace(int64_t left, int64_t finals, int64_t span_ms)
{
    return finals > 0 && span_ms > 0
               ? (int64_t)((double)left * (double)span_ms / (double)finals / 1000.0)
               : 0;
}

int64_t campaign_watch_seconds_left(const struct campaign_watch *w)
{
    const struct report *r = &w->at.report;
    int64_t left = r->pending + r->calling;

    char why[SNAPSHOT_WHY_MAX];

    if (w->at.row.state != CAMPAIGN_RUNNING || left == 0)
        return 0;
    /* Nobody is called and nobody can be: the pace of before tells nothing. Where only
     * retries wait it does. */
    bool retries = w->at.due_open == 0 && w->at.budget_room > 0 && w->at.next_due_ms != 0;
    if (r->calling == 0 && !retries && snapshot_why_dry(&w->at, why)[0])
        return 0;
    int64_t s = at_pace(left, w->recent.finals, w->recent.final_span_ms);
    if (s == 0 && r->first_attempt_ms)
        s = at_pace(left, r->final, w->at.now_ms - r->first_attempt_ms);
    return s;
}

/* In percent; of nothing it is 0. */
static double share(int64_t part, int64_t whole)
{
    return whole > 0 ? 100.0 * (double)part / (double)whole : 0;
}

static int64_t ended_calls(const struct report *r)
{
    return r->attempted - r->open;
}

/* ---- lines ---- */

static void print_left(const struct campaign_watch *w, FILE *to)
{
    int64_t left_s = campaign_watch_seconds_left(w);

    if (left_s == 0)
        return;
    if (left_s >= INT64_C(7200))
        fprintf(to, ", about %" PRId64 " h left", left_s / 3600);
    else
        fprintf(to, ", about %" PRId64 " min left", left_s / 60 + 1);
}

static void print_pace(const struct campaign_watch *w, FILE *to)
{
    const struct campaign_pacing *set = &w->at.doc->pacing;

    fprintf(to, "pace     %.2f calls/s in the last minute (set: ",
            (double)w->recent.begun_1m / 60);
    if (set->cps > 0)
        fprintf(to, "%g/s", set->cps);
    else
        fputs("as the trunk allows", to);
    if (set->max_concurrent > 0)
        fprintf(to, ", %d at once", set->max_concurrent);
    fprintf(to, "), %" PRId64 " live call%s\n", w->at.report.live_calls,
            w->at.report.live_calls == 1 ? "" : "s");
}

static void print_calls(const struct campaign_watch *w, FILE *to)
{
    const struct report *r = &w->at.report;

    fprintf(to, "calls    %" PRId64 " in all: %" PRId64 " answered, ", r->attempted,
            r->answered);
    if (r->machine + r->message > 0)
        fprintf(to, "%" PRId64 " machines, %" PRId64 " messages left, ", r->machine,
                r->message);
    fprintf(to, "%" PRId64 " busy, %" PRId64 " no answer, %" PRId64 " failed\n", r->busy,
            r->no_answer, r->failed);
    fprintf(to, "answers  %.1f %% of all", share(r->answered, ended_calls(r)));
    if (w->recent.ended > 0)
        fprintf(to, ", %.1f %% of the %" PRId64 " that ended in the last %d minutes",
                share(w->recent.answered, w->recent.ended), w->recent.ended,
                WATCH_MINUTES);
    fputc('\n', to);
}

static void print_counts(const struct report_group *g, FILE *to)
{
    for (size_t i = 0; i < g->n; i++)
        fprintf(to, "%s%s %" PRId64, i ? ", " : "", g->rows[i].name, g->rows[i].count);
}

static void print_refusals(const struct campaign_watch *w, FILE *to)
{
    fprintf(to, "refused  %" PRId64 " contact%s%s", w->at.report.refused,
            w->at.report.refused == 1 ? "" : "s", w->at.report.refusals.n ? "   " : "");
    print_counts(&w->at.report.refusals, to);
    fputc('\n', to);
    if (w->recent.refused == 0)
        return;
    fprintf(to, "         %" PRId64 " time%s in the last %d minutes", w->recent.refused,
            w->recent.refused == 1 ? "" : "s", WATCH_MINUTES);
    for (size_t i = 0; i < w->recent.n; i++)
        fprintf(to, "%s%s %" PRId64, i ? ", " : ":   ",
                reason_name(w->recent.reasons[i].reason), w->recent.reasons[i].count);
    fputc('\n', to);
}

static void print_hopper(const struct campaign_watch *w, FILE *to)
{
    const struct campaign_snapshot *s = &w->at;
    char why[SNAPSHOT_WHY_MAX];

    snapshot_why_dry(s, why);
    fprintf(to,
            "hopper   %" PRId64 " may be called now, %" PRId64
            " wait for their window, %" PRId64 " for their time%s%s\n",
            s->due_open, s->due_closed, s->waiting, why[0] ? "; " : "", why);
}

static void print_budget(const struct campaign_snapshot *s, FILE *to)
{
    char text[BUDGET_TEXT_MAX];

    if (!s->doc->budget.stated)
        return;
    fprintf(to, "budget   %s; room for %" PRId64 " more calls\n",
            budget_text(&s->doc->budget, &s->spent, text), s->budget_room);
}

static void print_canary(const struct campaign_snapshot *s, FILE *to)
{
    char text[CANARY_TEXT_MAX];

    if (canary_text(&s->doc->canary, &s->canary, text)[0])
        fprintf(to, "canary   %s\n", text);
}

static void print_agents(const struct campaign_snapshot *s, FILE *to)
{
    const struct mode_period *day = &s->limits.periods[MODE_CALENDAR_DAY];
    const char *between = "";

    if (s->doc->mode.kind == MODE_FIXED)
        return;
    fprintf(to, "agents   ");
    for (int i = 0; i < AGENT_STATES; i++) {
        if (s->agents[i] == 0)
            continue;
        fprintf(to, "%s%d %s", between, s->agents[i],
                agent_state_name((enum agent_state)i));
        between = ", ";
    }
    fprintf(to, "%s; abandoned today %" PRId64 " of %" PRId64 " answered\n",
            *between ? "" : "none", day->abandoned, day->answered);
}

static json_t *agents_to_json(const struct campaign_snapshot *s)
{
    if (s->doc->mode.kind == MODE_FIXED)
        return json_null();
    json_t *out = json_object();
    for (int i = 0; i < AGENT_STATES; i++)
        json_object_set_new(out, agent_state_name((enum agent_state)i),
                            json_integer(s->agents[i]));
    return out;
}

void campaign_watch_print(const struct campaign_watch *w, FILE *to)
{
    const struct campaign_snapshot *s = &w->at;
    const struct report *r = &s->report;
    char now[CLOCK_TEXT_MAX];

    fprintf(to, "%s  %s  %s%s%s\n", clock_text(s->now_ms, now), s->row.name,
            campaign_state_name(s->row.state), s->row.stop_reason[0] ? ": " : "",
            s->row.stop_reason);
    fprintf(to,
            "contacts %" PRId64 "/%" PRId64 " final (%d %%), %" PRId64 " wait, %" PRId64
            " being called",
            r->final, r->contacts,
            r->contacts ? (int)(r->final * 100 / r->contacts) : 100, r->pending,
            r->calling);
    print_left(w, to);
    fputc('\n', to);
    if (w->calling_off_ms)
        fprintf(to,
                "stopped  all calling is off since %s%s%s; 'furrow calling resume' "
                "switches it on\n",
                clock_text(w->calling_off_ms, now), w->calling_note[0] ? ": " : "",
                w->calling_note);
    print_pace(w, to);
    print_calls(w, to);
    fputs(r->finals.n ? "finals   " : "finals   none", to);
    print_counts(&r->finals, to);
    fputc('\n', to);
    print_refusals(w, to);
    fprintf(to,
            "spoken   %" PRId64 " recordings, %" PRId64 " transcribed, %" PRId64
            " understood, %" PRId64 " batches, %" PRId64 " SMS, %" PRId64 " opt-outs\n",
            r->recordings, r->transcribed, r->understood, r->batches, r->sms,
            r->opt_outs);
    print_agents(s, to);
    print_budget(s, to);
    print_canary(s, to);
    holds_print(s->holds, s->hold_count, "held     ", to);
    print_hopper(w, to);
    fprintf(to, "dialers  %d%s%s\n", w->dialers,
            w->dialers ? ""
                       : ": nothing is dialled until one runs ('furrow run', 'furrow "
                         "up')",
            w->held);
}

/* ---- JSON ---- */

static json_t *counts_to_json(const struct report_group *g)
{
    json_t *out = json_object();

    for (size_t i = 0; i < g->n; i++)
        json_object_set_new(out, g->rows[i].name, json_integer(g->rows[i].count));
    return out;
}

static json_t *recent_refusals_to_json(const struct watch_recent *recent)
{
    json_t *out = json_object();

    for (size_t i = 0; i < recent->n; i++)
        json_object_set_new(out, reason_name(recent->reasons[i].reason),
                            json_integer(recent->reasons[i].count));
    return out;
}

static json_t *budget_to_json(const struct campaign_snapshot *s)
{
    if (!s->doc->budget.stated)
        return json_null();
    return json_pack("{s:I, s:f, s:f, s:I}", "calls", (json_int_t)s->spent.calls,
                     "minutes", (double)s->spent.seconds / 60, "money",
                     (double)s->spent.micros / 1e6, "room", (json_int_t)s->budget_room);
}

json_t *campaign_watch_to_json(const struct campaign_watch *w)
{
    const struct campaign_snapshot *s = &w->at;
    const struct report *r = &s->report;
    char now[CLOCK_TEXT_MAX], why[SNAPSHOT_WHY_MAX];
    json_t *out =
        json_pack("{s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I}", "campaign",
                  s->row.name, "at", clock_text(s->now_ms, now), "state",
                  campaign_state_name(s->row.state), "reason", s->row.stop_reason,
                  "contacts", (json_int_t)r->contacts, "final", (json_int_t)r->final,
                  "pending", (json_int_t)r->pending, "calling", (json_int_t)r->calling,
                  "machine", (json_int_t)r->machine, "message", (json_int_t)r->message);
    json_t *more = json_pack(
        "{s:f, s:I, s:I, s:I, s:f, s:f, s:o, s:o, s:I, s:I, s:I, s:s, s:o, s:I, s:i, "
        "s:s}",
        "calls_per_second", (double)w->recent.begun_1m / 60, "live_calls",
        (json_int_t)r->live_calls, "calls", (json_int_t)r->attempted, "answered",
        (json_int_t)r->answered, "answer_rate", share(r->answered, ended_calls(r)) / 100,
        "answer_rate_recent", share(w->recent.answered, w->recent.ended) / 100,
        "refusals", counts_to_json(&r->refusals), "refusals_recent",
        recent_refusals_to_json(&w->recent), "due", (json_int_t)s->due_open,
        "waiting_for_window", (json_int_t)s->due_closed, "waiting_for_time",
        (json_int_t)s->waiting, "why_dry", snapshot_why_dry(s, why), "budget",
        budget_to_json(s), "seconds_left", (json_int_t)campaign_watch_seconds_left(w),
        "dialers", w->dialers, "dialers_held", w->held);

    json_object_set_new(out, "calling_off", json_boolean(w->calling_off_ms != 0));
    json_object_set_new(out, "agents", agents_to_json(s));
    json_object_set_new(out, "quarantine", holds_to_json(s->holds, s->hold_count));
    json_object_set_new(out, "canary", canary_to_json(&s->doc->canary, &s->canary));
    json_object_update(out, more);
    json_decref(more);
    return out;
}
