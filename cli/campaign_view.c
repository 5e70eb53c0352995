#include "cli/campaign_view.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/pg.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "campaigns/budget_store.h"
#include "campaigns/caller_id_store.h"
#include "campaigns/zone_open.h"
#include "cli/campaign_trial.h"
#include "cli/cli.h"
#include "compliance/check.h"
#include "compliance/facts_store.h"
#include "contacts/csv_writer.h"

/* ---- the report: one table for text, JSON and CSV ---- */

struct report_field {
    const char *key, *label; /* label NULL: not in the text */
    size_t offset;
    bool group;
    size_t detail; /* text: offset of the group shown beside the figure; 0 none */
};

#define FIGURE(member)  #member, .offset = offsetof(struct report, member)
#define GROUPED(member) FIGURE(member), .group = true
#define WITH(member)    .detail = offsetof(struct report, member)

static const struct report_field fields[] = {
    {FIGURE(contacts), .label = "contacts"},
    {FIGURE(pending), .label = "  wait for a call", WITH(waiting)},
    {FIGURE(calling), .label = "  are being called"},
    {FIGURE(final), .label = "  are final", WITH(finals)},
    {FIGURE(refused), .label = "refused by a rule", WITH(refusals)},
    {FIGURE(attempted), .label = "calls attempted", WITH(dispositions)},
    {FIGURE(attempted_contacts), .label = "  contacts called"},
    {FIGURE(answered), .label = "  answered", WITH(outcomes)},
    {FIGURE(machine), .label = "  by machines"},
    {FIGURE(message), .label = "  message left"},
    {FIGURE(busy), .label = "  busy"},
    {FIGURE(no_answer), .label = "  no answer"},
    {FIGURE(failed), .label = "  failed"},
    {FIGURE(open), .label = "  still open"},
    {FIGURE(retried), .label = "  of them retries"},
    {FIGURE(withdrawn), .label = "withdrawn unsent"},
    {FIGURE(opt_outs), .label = "opt-outs"},
    {FIGURE(recordings), .label = "recordings", WITH(recording_states)},
    {FIGURE(transcribed), .label = "  transcribed"},
    {FIGURE(understood), .label = "  understood", WITH(intents)},
    {FIGURE(batches), .label = "batches"},
    {FIGURE(sms), .label = "SMS"},
    {FIGURE(sms_sent), .label = "  sent"},
    {FIGURE(sms_failed), .label = "  failed or refused"},
    {FIGURE(live_calls)},
    {FIGURE(started_last_min)},
    {GROUPED(finals)},
    {GROUPED(refusals)},
    {GROUPED(waiting)},
    {GROUPED(dispositions)},
    {GROUPED(outcomes)},
    {GROUPED(recording_states)},
    {GROUPED(intents)},
    {GROUPED(jobs)},
};

static int64_t figure(const struct report *r, size_t offset)
{
    int64_t v = 0;

    memcpy(&v, (const char *)r + offset, sizeof(v));
    return v;
}

static const struct report_group *group(const struct report *r, size_t offset)
{
    return (const struct report_group *)(const void *)((const char *)r + offset);
}

static void print_group(const struct report_group *g, FILE *to)
{
    for (size_t i = 0; i < g->n; i++)
        fprintf(to, "%s%s %" PRId64, i ? ", " : "   ", g->rows[i].name, g->rows[i].count);
}

void report_print(const struct campaign_row *row, const struct report *r, FILE *to)
{
    char text[CLOCK_TEXT_MAX];

    fprintf(to, "campaign '%s' is %s%s%s\n", row->name, campaign_state_name(row->state),
            row->stop_reason[0] ? ": " : "", row->stop_reason);
    for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
        if (!fields[i].label)
            continue;
        fprintf(to, "%-18s %9" PRId64, fields[i].label, figure(r, fields[i].offset));
        if (fields[i].detail)
            print_group(group(r, fields[i].detail), to);
        fputc('\n', to);
    }
    for (size_t i = 0; i < r->jobs.n; i++)
        fprintf(to, "jobs: %-24s %" PRId64 "\n", r->jobs.rows[i].name,
                r->jobs.rows[i].count);
    if (r->first_attempt_ms)
        fprintf(to, "first call %s", clock_text(r->first_attempt_ms, text));
    if (r->last_attempt_ms)
        fprintf(to, ", last call %s\n", clock_text(r->last_attempt_ms, text));
}

void report_print_csv(const struct report *r, FILE *to)
{
    fputs("group,name,count\n", to);
    for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
        const struct report_group *g = group(r, fields[i].offset);

        if (!fields[i].group)
            fprintf(to, "total,%s,%" PRId64 "\n", fields[i].key,
                    figure(r, fields[i].offset));
        for (size_t k = 0; fields[i].group && k < g->n; k++) {
            fprintf(to, "%s,", fields[i].key);
            csv_put_cell(to, g->rows[k].name);
            fprintf(to, ",%" PRId64 "\n", g->rows[k].count);
        }
    }
}

static json_t *group_to_json(const struct report_group *g)
{
    json_t *list = json_array();

    for (size_t i = 0; i < g->n; i++)
        json_array_append_new(list, json_pack("{s:s, s:I}", "name", g->rows[i].name,
                                              "count", (json_int_t)g->rows[i].count));
    return list;
}

static json_t *instant(int64_t at_ms)
{
    char text[CLOCK_TEXT_MAX];

    return at_ms ? json_string(clock_text(at_ms, text)) : json_null();
}

json_t *report_to_json(const struct campaign_row *row, const struct report *r)
{
    json_t *out = json_pack("{s:s, s:s, s:s}", "campaign", row->name, "state",
                            campaign_state_name(row->state), "reason", row->stop_reason);

    for (size_t i = 0; i < ARRAY_LEN(fields); i++)
        json_object_set_new(out, fields[i].key,
                            fields[i].group ? group_to_json(group(r, fields[i].offset))
                                            : json_integer(figure(r, fields[i].offset)));
    json_object_set_new(out, "first_attempt", instant(r->first_attempt_ms));
    json_object_set_new(out, "last_attempt", instant(r->last_attempt_ms));
    return out;
}

/* ---- at work ---- */

static void earlier(int64_t *at_ms, int64_t other_ms)
{
    if (other_ms && (!*at_ms || other_ms < *at_ms))
        *at_ms = other_ms;
}

static void look_at_zone(struct campaign_snapshot *s, const struct campaign_zone *z,
                         const struct compliance_holiday *holidays, size_t holiday_count)
{
    int64_t until_ms = 0;

    bool open = zone_list_is_open(s->doc->policy, z->region, z->zones, holidays,
                                  holiday_count, s->now_ms, &until_ms);
    s->waiting += z->waiting;
    if (open) {
        s->due_open += z->due;
        if (z->next_attempt_ms && (!until_ms || z->next_attempt_ms < until_ms))
            earlier(&s->next_due_ms, z->next_attempt_ms);
        return;
    }
    s->due_closed += z->due;
    earlier(&s->next_open_ms, until_ms);
}

static int find_row(struct cli *cli, int64_t campaign_id, struct campaign_row *out)
{
    CLEANUP(free_cleanup) struct campaign_row *all = NULL;
    size_t n = 0;

    int err = campaign_list(cli->pg, cli->tenant_id, CAMPAIGN_STATES, &all, &n);
    for (size_t i = 0; i < n; i++)
        if (all[i].id == campaign_id) {
            *out = all[i];
            return 0;
        }
    return err ? err : ENOENT;
}

static int load_budget(struct cli *cli, struct campaign_snapshot *out)
{
    int64_t open = 0;

    int err = budget_load(cli->pg, cli->tenant_id, out->row.id, &out->doc->budget,
                          &out->spent, &open);
    struct budget_spent all = out->spent;
    for (int64_t i = 0; i < open; i++)
        budget_set_aside(&out->doc->budget, &all, 0);
    out->budget_room = budget_room(&out->doc->budget, &all);
    return err;
}

static int load_agents(struct cli *cli, struct campaign_snapshot *out)
{
    CLEANUP(free_cleanup) struct agent_row *all = NULL;
    size_t n = 0;

    if (out->doc->mode.kind == MODE_FIXED)
        return 0;
    int err = agent_limits_load(cli->pg, cli->tenant_id, out->row.id, out->now_ms,
                                &out->limits);
    if (!err)
        err = agent_list(cli->pg, cli->tenant_id, out->doc->mode.queue, out->now_ms, &all,
                         &n);
    for (size_t i = 0; i < n; i++)
        out->agents[all[i].state]++;
    return err;
}

int snapshot_load(struct cli *cli, int64_t campaign_id, int64_t now_ms,
                  struct campaign_snapshot *out)
{
    CLEANUP(free_cleanup) struct compliance_holiday *holidays = NULL;
    size_t holiday_count = 0;

    *out = (struct campaign_snapshot){.now_ms = now_ms};
    int err = find_row(cli, campaign_id, &out->row);
    if (!err)
        err = campaign_doc_get(cli->pg, cli->tenant_id, campaign_id, &out->doc);
    if (!err)
        err = report_load(cli->pg, cli->tenant_id, campaign_id, now_ms, &out->report);
    if (!err)
        err = campaign_zones(cli->pg, cli->tenant_id, campaign_id, now_ms, &out->zones,
                             &out->zone_count);
    if (!err)
        err = pg_begin(cli->pg, cli->tenant_id);
    if (!err)
        err = pg_end(cli->pg, facts_holidays(cli->pg, cli->tenant_id, now_ms, &holidays,
                                             &holiday_count));
    if (!err)
        err = load_budget(cli, out);
    if (!err && out->doc->canary.calls > 0)
        err = canary_load(cli->pg, cli->tenant_id, campaign_id, &out->canary);
    if (!err)
        err = quarantine_list(cli->pg, cli->tenant_id, campaign_id, &out->holds,
                              &out->hold_count);
    if (!err)
        err = load_agents(cli, out);
    if (!err)
        err = caller_id_dry(cli->pg, cli->tenant_id, &out->doc->caller_ids, now_ms,
                            out->no_caller_id);
    for (size_t i = 0; !err && i < out->zone_count; i++)
        look_at_zone(out, &out->zones[i], holidays, holiday_count);
    if (!err && out->due_open > 0 && out->row.state == CAMPAIGN_RUNNING)
        err = campaign_trunks_why_dry(cli->pg, cli->tenant_id, campaign_id,
                                      out->doc->pacing.max_concurrent, now_ms,
                                      out->no_line);
    return err;
}

void snapshot_free(struct campaign_snapshot *s)
{
    free(s->zones);
    free(s->holds);
    s->zones = NULL;
    s->holds = NULL;
}

/* Report and zones are read one after the other: contacts that became final in between
 * stand in neither, so somebody must be seen waiting at a closed window. */
bool snapshot_is_windows_closed(const struct campaign_snapshot *s)
{
    return s->due_closed + s->waiting > 0 && s->report.calling == 0 &&
           s->report.open == 0 && s->report.pending > 0 && s->due_open == 0 &&
           s->next_due_ms == 0;
}

static const struct quarantine_hold *held_list(const struct campaign_snapshot *s)
{
    for (size_t i = 0; i < s->hold_count; i++)
        if (s->holds[i].kind == QUARANTINE_LIST)
            return &s->holds[i];
    return NULL;
}

const char *snapshot_why_dry(const struct campaign_snapshot *s,
                             char out[SNAPSHOT_WHY_MAX])
{
    char text[CLOCK_TEXT_MAX], spent[BUDGET_TEXT_MAX];

    out[0] = '\0';
    if (s->row.state != CAMPAIGN_RUNNING)
        snprintf(out, SNAPSHOT_WHY_MAX, "the campaign is %s",
                 campaign_state_name(s->row.state));
    else if (s->budget_room == 0 && s->report.pending > 0)
        snprintf(out, SNAPSHOT_WHY_MAX, "the budget has no room for a call: %s",
                 budget_text(&s->doc->budget, &s->spent, spent));
    else if (canary_is_waited_for(&s->doc->canary, &s->canary) && s->report.pending > 0)
        snprintf(out, SNAPSHOT_WHY_MAX,
                 "the %d calls of the canary are placed; it is judged when the last %lld "
                 "are over",
                 s->doc->canary.calls, (long long)s->canary.count.open);
    else if (s->due_open > 0 && s->doc->mode.kind != MODE_FIXED &&
             s->agents[AGENT_READY] == 0)
        snprintf(out, SNAPSHOT_WHY_MAX,
                 s->agents[AGENT_RESERVED] + s->agents[AGENT_ON_CALL] +
                             s->agents[AGENT_WRAP_UP] >
                         0
                     ? "every agent of queue '%s' has a call"
                     : "no agent of queue '%s' is there: 'furrow agent login NAME'",
                 s->doc->mode.queue);
    else if (s->due_open > 0 && s->no_caller_id[0])
        str_cut(out, SNAPSHOT_WHY_MAX, s->no_caller_id);
    else if (s->due_open > 0)
        str_cut(out, SNAPSHOT_WHY_MAX, s->no_line);
    else if (s->report.pending == 0)
        snprintf(out, SNAPSHOT_WHY_MAX,
                 s->report.calling ? "the last contacts are being called"
                                   : "no contact waits");
    else if (held_list(s) && !s->next_due_ms && s->due_closed == 0)
        snprintf(
            out, SNAPSHOT_WHY_MAX,
            "who is left is on list '%.60s', in quarantine: 'furrow campaign release "
            "%.60s --list …'",
            held_list(s)->name, s->row.name);
    else if (s->next_due_ms)
        snprintf(out, SNAPSHOT_WHY_MAX, "retries wait, the next until %s",
                 clock_text(s->next_due_ms, text));
    else if (s->next_open_ms)
        snprintf(out, SNAPSHOT_WHY_MAX,
                 "the calling windows are closed, the next opens %s",
                 clock_text(s->next_open_ms, text));
    else
        snprintf(out, SNAPSHOT_WHY_MAX, "what is left comes due after the windows close");
    return out;
}
