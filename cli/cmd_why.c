/*
 * furrow why - why a number was called, why it was not, and what would be decided now.
 * Everything is gathered into one JSON object first; --json prints it, else it is told.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/pg.h"
#include "base/str.h"
#include "campaigns/caller_id_store.h"
#include "campaigns/campaign_store.h"
#include "campaigns/why_store.h"
#include "cli/campaign_trial.h"
#include "cli/groups.h"
#include "cli/why_tell.h"
#include "compliance/check.h"
#include "compliance/facts_store.h"
#include "compliance/pack.h"
#include "compliance/pack_store.h"
#include "contacts/phone.h"
#include "contacts/tz.h"

struct why {
    struct cli *cli;
    const char *campaign, *region;
    bool brief, json, is_call;
    int64_t phone, at_ms;
    struct uuid call;
    struct campaign_row row; /* of --campaign; id 0 none */
};

/* ---- gathering ---- */

static json_t *time_json(int64_t at_ms)
{
    char text[CLOCK_TEXT_MAX];

    return at_ms ? json_string(clock_text(at_ms, text)) : json_null();
}

static json_t *reason_json(enum reason r)
{
    return json_pack("{s:i, s:s, s:s, s:s}", "code", (int)r, "name", reason_name(r),
                     "class", reason_class_name(reason_class(r)), "means",
                     reason_sentence(r));
}

static json_t *verdict_json(const struct verdict *v)
{
    json_t *reasons = json_array();

    for (size_t i = 0; i < v->n; i++)
        json_array_append_new(reasons, reason_json(v->reasons[i]));
    return json_pack("{s:b, s:o, s:o, s:o}", "allow", v->allow, "reasons", reasons,
                     "next_allowed", time_json(v->next_allowed_ms), "open_until",
                     time_json(v->open_until_ms));
}

static json_t *zones_json(const struct compliance_facts *f, int64_t at_ms)
{
    json_t *list = json_array();

    for (size_t i = 0; i < f->zone_count; i++) {
        const struct tz_zone *zone = NULL;
        char local[32] = "unknown to tzdata";
        if (!tz_find(f->zones[i], &zone)) {
            struct tz_local t = tz_local_at(zone, at_ms);
            snprintf(local, sizeof(local), "%04d-%02d-%02d %02d:%02d", t.year, t.month,
                     t.day, t.hour, t.minute);
        }
        json_array_append_new(
            list, json_pack("{s:s, s:s}", "zone", f->zones[i], "local_time", local));
    }
    return list;
}

/* What beside the rules keeps the number from being picked; "" nothing. */
static int why_it_waits(struct why *w, int64_t campaign_id,
                        const struct campaign_doc *doc, char out[QUARANTINE_TEXT_MAX])
{
    struct canary_row canary = {0};

    int err = quarantine_why(w->cli->pg, w->cli->tenant_id, campaign_id, w->phone, out);
    if (!err && !out[0] && doc->canary.calls > 0)
        err = canary_load(w->cli->pg, w->cli->tenant_id, campaign_id, &canary);
    if (!err && canary_is_waited_for(&doc->canary, &canary))
        snprintf(out, QUARANTINE_TEXT_MAX,
                 "the canary's %d calls are placed, and it is judged when the last are "
                 "over",
                 doc->canary.calls);
    if (err || out[0])
        return err;
    return caller_id_dry(w->cli->pg, w->cli->tenant_id, &doc->caller_ids, w->at_ms, out);
}

/* What the rules of a campaign (0: the usual ones) say of the number at at_ms. */
static int decide(struct why *w, int64_t campaign_id, const char *name, bool running,
                  json_t *verdicts, json_t *number)
{
    const struct campaign_doc *doc = NULL;
    struct facts_set *set = NULL;
    char waits[QUARANTINE_TEXT_MAX] = "";
    struct policy usual;
    struct verdict v;

    int err = facts_load_number(w->cli->pg, w->cli->tenant_id, w->phone, campaign_id,
                                w->at_ms, &set);
    if (!err && campaign_id)
        err = campaign_doc_get(w->cli->pg, w->cli->tenant_id, campaign_id, &doc);
    if (!err && doc)
        err = why_it_waits(w, campaign_id, doc, waits);
    if (err) {
        facts_free(set);
        return err;
    }
    policy_default(&usual);
    usual.pack_mode = PACKS_AUTO;
    usual.packs = packs_of_process();
    struct compliance_facts facts = facts_get(set, 0);
    facts.campaign_running = running;
    /* Whether an agent is free is asked of the moment, not of the number. */
    facts.reserved_agent = doc && doc->mode.kind != MODE_FIXED;
    compliance_check(doc ? doc->policy : &usual, &facts, w->at_ms, &v);
    json_t *verdict = verdict_json(&v);
    json_object_set_new(verdict, "campaign", name ? json_string(name) : json_null());
    json_object_set_new(verdict, "rules",
                        compliance_explain(doc ? doc->policy : &usual, &facts, w->at_ms));
    if (waits[0])
        json_object_set_new(verdict, "waits", json_string(waits));
    json_array_append_new(verdicts, verdict);
    if (!json_object_get(number, "zones"))
        json_object_set_new(number, "zones", zones_json(&facts, w->at_ms));
    facts_free(set);
    return 0;
}

static bool is_running(const json_t *contact)
{
    const char *state = json_string_value(json_object_get(contact, "campaign_state"));

    return state && strcmp(state, campaign_state_name(CAMPAIGN_RUNNING)) == 0;
}

static int decide_each(struct why *w, json_t *all, json_t *number)
{
    json_t *verdicts = json_array(), *contact = NULL;
    size_t i = 0;
    int err = 0;

    json_object_set_new(all, "verdicts", verdicts);
    if (w->row.id)
        return decide(w, w->row.id, w->row.name, w->row.state == CAMPAIGN_RUNNING,
                      verdicts, number);
    json_array_foreach(json_object_get(all, "contacts"), i, contact)
    {
        if (!err)
            err = decide(w, json_integer_value(json_object_get(contact, "campaign_id")),
                         json_string_value(json_object_get(contact, "campaign")),
                         is_running(contact), verdicts, number);
    }
    return err || i > 0 ? err : decide(w, 0, NULL, true, verdicts, number);
}

/* What was asked then, from the stored inputs and with the packs of that day. */
static void explain_decisions(struct why *w, json_t *all)
{
    struct inputs_bodies bodies = {.pg = w->cli->pg, .tenant_id = w->cli->tenant_id};
    size_t i = 0;
    json_t *d = NULL;

    json_array_foreach(json_object_get(all, "decisions"), i, d)
    {
        json_t *rules = NULL;
        const json_t *inputs = json_object_get(d, "inputs");
        if (inputs && !compliance_explain_again(
                          inputs, json_integer_value(json_object_get(d, "at_ms")),
                          inputs_body, &bodies, &rules))
            json_object_set_new(d, "rules", rules);
    }
    inputs_bodies_free(&bodies);
}

static int gather(struct why *w, json_t **out)
{
    struct phone phone = {0};
    char text[PHONE_TEXT_MAX];
    json_t *all = NULL;

    enum phone_error error = phone_from_e164(w->phone, &phone);
    int err = why_load(w->cli->pg, w->cli->tenant_id, w->phone, w->row.id, &all);
    if (err)
        return err;
    json_t *number =
        json_pack("{s:s, s:b, s:s, s:s}", "phone", phone_text(w->phone, text), "valid",
                  error == PHONE_VALID, "region", phone.region, "type",
                  phone_type_name(phone.type));
    json_object_set_new(all, "number", number);
    json_object_set_new(all, "at", time_json(w->at_ms));
    explain_decisions(w, all);
    err = decide_each(w, all, number);
    if (err)
        json_decref(all);
    else
        *out = all;
    return err;
}

static int gather_call(struct why *w, json_t **out)
{
    int err = why_load_call(w->cli->pg, w->cli->tenant_id, &w->call, out);

    if (!err)
        explain_decisions(w, *out);
    return err;
}

/* ---- the command ---- */

/* A call's id, or its channel's: fw<installation>-<id>. */
static bool parse_call(struct why *w, const char *text)
{
    if (strncmp(text, "fw", 2) == 0 && strchr(text, '-'))
        text = strchr(text, '-') + 1;
    w->is_call = uuid_parse(text, &w->call) == 0;
    return w->is_call;
}

static int parse(struct why *w, int argc, char **argv)
{
    static const struct option options[] = {
        {"campaign", required_argument, NULL, 'c'}, {"at", required_argument, NULL, 'a'},
        {"region", required_argument, NULL, 'r'},   {"brief", no_argument, NULL, 'b'},
        {"json", no_argument, NULL, 'j'},           {0}};
    struct phone phone = {0};

    for (int o; (o = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (o == 'c')
            w->campaign = optarg;
        if (o == 'r')
            w->region = optarg;
        w->brief |= o == 'b';
        w->json |= o == 'j';
        if (o == 'a' && clock_parse(optarg, &w->at_ms))
            return cli_usage("--at wants an instant like 2026-11-24T08:00:00Z, got '%s'",
                             optarg);
        if (o == '?')
            return CLI_USAGE;
    }
    if (optind + 1 != argc)
        return cli_usage(optind == argc ? "which number or call?"
                                        : "one number or call at a "
                                          "time");
    if (parse_call(w, argv[optind]))
        return CLI_OK;
    enum phone_error error =
        phone_parse(argv[optind], strlen(argv[optind]), w->region, &phone);
    if (error != PHONE_VALID && error != PHONE_INVALID)
        return cli_usage("'%s' is no number: %s", argv[optind], phone_error_hint(error));
    w->phone = phone.e164;
    return CLI_OK;
}

static int run(struct cli *cli, int argc, char **argv)
{
    struct why w = {.cli = cli};
    struct errtext e = {0};
    json_t *all = NULL;
    int err = 0;

    int code = parse(&w, argc, argv);
    if (!code)
        code = cli_open_pg(cli);
    if (code)
        return code;
    if (!w.at_ms)
        w.at_ms = clock_now_ms();
    if (w.campaign && campaign_find(cli->pg, cli->tenant_id, w.campaign, &w.row, &e))
        return cli_fail("%s", e.text[0] ? e.text : pg_error(cli->pg));
    err = w.is_call ? gather_call(&w, &all) : gather(&w, &all);
    if (err == ENOENT && w.is_call)
        return cli_fail("there is no such call; 'furrow why NUMBER' has the calls of a "
                        "number, with their ids");
    if (err)
        return cli_fail("%s", pg_error(cli->pg));
    if (w.json)
        return cli_print_json(all);
    if (w.is_call)
        why_tell_call(all);
    else if (w.brief)
        why_tell_brief(all);
    else
        why_tell_number(all);
    json_decref(all);
    return CLI_OK;
}

static const struct cli_verb verbs[] = {
    {.name = "",
     .arguments =
         "NUMBER|CALL [--campaign NAME] [--at TIME] [--region ET] [--brief] [--json]",
     .about =
         "Why a number was called, why it was not, and what would be decided at TIME "
         "(now):\n"
         "every reason with what to do about it, the zones the number may lie in, the "
         "next allowed\n"
         "instant; its contacts, calls, stored decisions, recordings, batches and "
         "SMS.\n"
         "--brief tells only how it ended and why. Of a CALL, by its id: who decided "
         "what, from its\n"
         "stored decisions and with the packs of that day, and what the call left "
         "behind.",
     .example = "furrow why +251911223344 --campaign coffee-harvest",
     .run = run},
};

const struct cli_group cmd_why = {
    .name = "why",
    .about = "explain any number or call: called or not, and why",
    .verbs = verbs,
    .verb_count = ARRAY_LEN(verbs)};
