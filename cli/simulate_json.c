/* A simulation's report as JSON. */
#include "base/clock.h"
#include "base/str.h"
#include "cli/simulate_report.h"
#include "simulate/desk.h"

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
        "{s:I, s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:o, s:o, "
        "s:I, "
        "s:o, s:o}",
        "calls", (json_int_t)c->calls, "ends", ends, "answered", (json_int_t)c->answered,
        "machines", (json_int_t)c->machines, "people_taken_for_machines",
        (json_int_t)c->people_machine, "machines_taken_for_people",
        (json_int_t)c->machine_people, "talk_ms", (json_int_t)c->talk_ms, "recordings",
        (json_int_t)c->recordings, "messages", (json_int_t)c->messages, "transfers",
        (json_int_t)c->transfers, "callbacks", (json_int_t)c->callbacks, "opt_outs",
        (json_int_t)c->opt_outs, "first_call", instant(c->first_call_ms), "last_call",
        instant(c->last_call_ms), "last_end", instant(c->last_end_ms), "most_at_once",
        (json_int_t)c->peak_open, "most_at", instant(c->peak_ms), "flow_ends",
        names_json(c->outcomes, c->outcome_count));
}

static json_t *tables_json(const struct simulate_report *r)
{
    const int64_t *data = r->counts->data;

    return json_pack(
        "{s:I, s:I, s:I, s:I, s:I, s:s}", "requests",
        (json_int_t)report_table_requests(r->counts), "done",
        (json_int_t)data[IVR_DATA_DONE], "none", (json_int_t)data[IVR_DATA_NONE],
        "locked", (json_int_t)data[IVR_DATA_LOCKED], "failed",
        (json_int_t)data[IVR_DATA_FAILED], "missing", r->scene->missing_tables);
}

static json_t *agents_json(const struct simulate_report *r)
{
    if (!r->desk)
        return json_null();
    const struct desk_counts d = desk_counts(r->desk);

    return json_pack(
        "{s:i, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:f}", "agents",
        d.agents, "served", (json_int_t)d.served, "answered", (json_int_t)d.answered,
        "abandoned", (json_int_t)d.abandoned, "late", (json_int_t)d.late, "timed_out",
        (json_int_t)d.timed_out, "hung_up_waiting", (json_int_t)d.left, "waited_ms",
        (json_int_t)d.waited_ms, "longest_wait_ms", (json_int_t)d.longest_wait_ms,
        "talk_ms", (json_int_t)d.talk_ms, "wrap_up_ms", (json_int_t)d.wrap_up_ms,
        "busy_percent", report_busy_percent(r));
}

static json_t *trunks_json(const struct simulate_report *r)
{
    json_t *out = json_array();

    for (size_t i = 0; i < r->scene->trunk_count; i++) {
        const struct scene_trunk *t = &r->scene->trunks[i];
        const struct run_line *l = &r->counts->lines[i];

        json_array_append_new(
            out, json_pack("{s:s, s:i, s:i, s:f, s:i, s:I, s:I}", "trunk", t->name,
                           "priority", t->priority, "weight", t->weight, "cps", t->cps,
                           "max_channels", t->channels, "calls", (json_int_t)l->calls,
                           "most_at_once", (json_int_t)l->peak));
    }
    return out;
}

static json_t *variants_json(const struct simulate_report *r)
{
    json_t *out = json_array();

    for (size_t i = 0; i < r->scene->doc->variants.n; i++) {
        const struct run_variant *v = &r->counts->variants[i];

        json_array_append_new(
            out, json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:I}", "variant",
                           r->scene->doc->variants.at[i].name, "contacts",
                           (json_int_t)v->contacts, "calls", (json_int_t)v->calls,
                           "answered", (json_int_t)v->answered, "shorts",
                           (json_int_t)v->shorts, "completed", (json_int_t)v->completed,
                           "opt_outs", (json_int_t)v->opt_outs));
    }
    return out;
}

static json_t *numbers_json(const struct simulate_report *r)
{
    json_t *out = json_array();
    char number[PHONE_TEXT_MAX];

    for (size_t i = 0; i < r->number_count; i++) {
        const struct pool_result *k = &r->numbers[i];

        json_array_append_new(
            out,
            json_pack("{s:s, s:I, s:I, s:I, s:i}", "number", phone_text(k->phone, number),
                      "calls", (json_int_t)k->calls, "answered", (json_int_t)k->answered,
                      "shorts", (json_int_t)k->shorts, "quarantined", k->held));
    }
    return out;
}

static json_t *left_out_json(const struct simulate_report *r)
{
    json_t *out = json_array();

    for (size_t i = 0; i < r->left_out_count; i++)
        json_array_append_new(out, json_string(r->left_out[i]));
    return out;
}

/* Null where it was not judged. */
static json_t *canary_json(const struct simulate_report *r)
{
    if (!r->trial->judged_ms)
        return json_null();
    return json_pack("{s:s, s:o, s:s, s:I}", "verdict",
                     r->trial->verdict == CANARY_GOOD ? "passed" : "failed", "at",
                     instant(r->trial->judged_ms), "why", r->trial->why, "calls",
                     (json_int_t)r->trial->count.placed);
}

static json_t *quarantine_json(const struct simulate_report *r)
{
    json_t *out = json_array();

    for (size_t i = 0; i < r->holds->n; i++) {
        const struct hold *h = &r->holds->at[i];
        json_array_append_new(out, json_pack("{s:s, s:s, s:o, s:s}", "kind",
                                             h->list ? "list" : "variant", "name",
                                             holds_name(r->holds, h), "at",
                                             instant(h->at_ms), "why", h->why));
    }
    return out;
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
    json_object_set_new(out, "budget_spent",
                        r->counts->budget_ms ? instant(r->counts->budget_ms)
                                             : json_null());
    json_object_set_new(out, "agents", agents_json(r));
    json_object_set_new(out, "asked_for_an_agent_in_vain",
                        json_integer(r->counts->unserved));
    json_object_set_new(out, "recognised", json_integer(r->counts->recognised));
    json_object_set_new(out, "understood", json_integer(r->counts->understood));
    json_object_set_new(out, "submitted",
                        json_pack("{s:I, s:I}", "recordings",
                                  (json_int_t)r->counts->submitted, "commands",
                                  (json_int_t)r->counts->commands));
    json_object_set_new(out, "tables", tables_json(r));
    json_object_set_new(out, "canary", canary_json(r));
    json_object_set_new(out, "quarantine", quarantine_json(r));
    json_object_set_new(out, "trunks", trunks_json(r));
    json_object_set_new(out, "variants", variants_json(r));
    json_object_set_new(out, "numbers", numbers_json(r));
    json_object_set_new(out, "hours", hours_json(r));
    json_object_set_new(out, "left_out", left_out_json(r));
    json_object_set_new(out, "network", network_to_json(r->network));
    json_object_set_new(out, "fingerprint", json_string(r->fingerprint));
    return out;
}
