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
#include "campaigns/campaign_store.h"
#include "campaigns/why_store.h"
#include "cli/groups.h"
#include "compliance/check.h"
#include "compliance/facts_store.h"
#include "compliance/pack.h"
#include "compliance/pack_store.h"
#include "contacts/phone.h"
#include "contacts/tz.h"

struct why {
    struct cli *cli;
    const char *campaign, *region;
    bool brief, json;
    int64_t phone, at_ms;
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

/* What the rules of a campaign (0: the usual ones) say of the number at at_ms. */
static int decide(struct why *w, int64_t campaign_id, const char *name, bool running,
                  json_t *verdicts, json_t *number)
{
    const struct campaign_doc *doc = NULL;
    struct facts_set *set = NULL;
    struct policy usual;
    struct verdict v;

    int err = facts_load_number(w->cli->pg, w->cli->tenant_id, w->phone, campaign_id,
                                w->at_ms, &set);
    if (!err && campaign_id)
        err = campaign_doc_get(w->cli->pg, w->cli->tenant_id, campaign_id, &doc);
    if (err) {
        facts_free(set);
        return err;
    }
    policy_default(&usual);
    usual.pack_mode = PACKS_AUTO;
    usual.packs = packs_of_process();
    struct compliance_facts facts = facts_get(set, 0);
    facts.campaign_running = running;
    compliance_check(doc ? doc->policy : &usual, &facts, w->at_ms, &v);
    json_t *verdict = verdict_json(&v);
    json_object_set_new(verdict, "campaign", name ? json_string(name) : json_null());
    json_object_set_new(verdict, "rules",
                        compliance_explain(doc ? doc->policy : &usual, &facts, w->at_ms));
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
    size_t i = 0;
    json_t *d = NULL;

    json_array_foreach(json_object_get(all, "decisions"), i, d)
    {
        json_t *rules = NULL;
        const json_t *inputs = json_object_get(d, "inputs");
        if (inputs && !compliance_explain_again(
                          inputs, json_integer_value(json_object_get(d, "at_ms")),
                          pack_body, w->cli->pg, &rules))
            json_object_set_new(d, "rules", rules);
    }
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

/* ---- telling ---- */

static int64_t int_in(const json_t *o, const char *key)
{
    return json_integer_value(json_object_get(o, key));
}

static const char *time_in(const json_t *o, const char *key, char out[CLOCK_TEXT_MAX])
{
    int64_t at_ms = int_in(o, key);

    return at_ms ? clock_text(at_ms, out) : "";
}

static void tell_reasons(const json_t *codes)
{
    size_t i = 0;
    json_t *code = NULL;

    json_array_foreach(codes, i, code)
    {
        enum reason r = (enum reason)json_integer_value(code);
        printf("      %s: %s\n", reason_name(r), reason_sentence(r));
    }
}

static void tell_attempt(const json_t *a)
{
    char at[CLOCK_TEXT_MAX];
    const char *disposition = cli_text(a, "disposition");

    printf("    %" PRId64 ". %s %s", int_in(a, "number"),
           time_in(a, int_in(a, "released_ms") ? "released_ms" : "intent_ms", at),
           *disposition ? disposition : cli_text(a, "state"));
    if (int_in(a, "cause"))
        printf(" (cause %" PRId64 ")", int_in(a, "cause"));
    if (*cli_text(a, "note"))
        printf(": %s", cli_text(a, "note"));
    if (strcmp(cli_text(a, "state"), "withdrawn") == 0)
        printf(", never sent");
    putchar('\n');
}

static void tell_recording(const json_t *r)
{
    printf("    recording %s", cli_text(r, "state"));
    if (*cli_text(r, "text"))
        printf(": \"%s\"", cli_text(r, "text"));
    if (*cli_text(r, "batch_id"))
        printf(" -> %s, batch %s", cli_text(r, "event"), cli_text(r, "batch_id"));
    if (*cli_text(r, "error"))
        printf(" (%s)", cli_text(r, "error"));
    putchar('\n');
}

static void tell_each(const json_t *all, const char *key, void (*tell)(const json_t *))
{
    size_t i = 0;
    json_t *row = NULL;

    json_array_foreach(json_object_get(all, key), i, row)
    {
        tell(row);
    }
}

static void tell_contact(const json_t *c)
{
    char at[CLOCK_TEXT_MAX];
    const char *final = cli_text(c, "final");
    enum reason r = REASON_ALLOW;

    printf("  in %s: ", cli_text(c, "campaign"));
    if (*final && reason_parse(final, &r))
        printf("refused for good, %s: %s\n", final, reason_sentence(r));
    else if (*final)
        printf("ended as %s after %" PRId64 " calls, %s\n", final, int_in(c, "attempts"),
               time_in(c, "final_ms", at));
    else if (strcmp(cli_text(c, "state"), "calling") == 0)
        printf("being called now\n");
    else
        printf("waits until %s, %" PRId64 " calls so far%s%s\n",
               time_in(c, "next_ms", at), int_in(c, "attempts"),
               int_in(c, "last_refusal") ? ", last refused by " : "",
               int_in(c, "last_refusal")
                   ? reason_name((enum reason)int_in(c, "last_refusal"))
                   : "");
}

/* The first refusal of a contact as it was decided then. */
static void tell_refusals(const json_t *all)
{
    size_t i = 0, shown = 0;
    json_t *d = NULL;
    char at[CLOCK_TEXT_MAX];

    json_array_foreach(json_object_get(all, "decisions"), i, d)
    {
        if (int_in(d, "reason") == REASON_ALLOW || shown++ >= 3)
            continue;
        printf("    refused %s at %s\n", time_in(d, "at_ms", at),
               int_in(d, "stage") == 1 ? "when it was picked" : "before it was sent");
        tell_reasons(json_object_get(d, "reasons"));
    }
}

static void tell_brief(const json_t *all)
{
    const json_t *number = json_object_get(all, "number");

    printf("%s (%s, %s)\n", cli_text(number, "phone"), cli_text(number, "region"),
           cli_text(number, "type"));
    tell_each(all, "contacts", tell_contact);
    tell_refusals(all);
    tell_each(all, "attempts", tell_attempt);
    tell_each(all, "recordings", tell_recording);
}

static void tell_rule(const json_t *rule)
{
    bool refuses = strcmp(cli_text(rule, "answer"), "refuse") == 0;

    printf("      %-7s %-18s", refuses ? "REFUSES" : "passes", cli_text(rule, "rule"));
    if (*cli_text(rule, "pack"))
        printf(" %s/%s", cli_text(rule, "pack"), cli_text(rule, "row"));
    if (refuses)
        printf(" %s", cli_text(rule, "reason"));
    if (*cli_text(rule, "cite"))
        printf(" (%s; grade %s, checked %s)", cli_text(rule, "cite"),
               cli_text(rule, "grade"), cli_text(rule, "checked_on"));
    putchar('\n');
}

static void tell_verdict(const json_t *v)
{
    size_t i = 0;
    json_t *r = NULL;
    const char *name = cli_text(v, "campaign");

    printf("  by the rules of %s: %s\n", *name ? name : "no campaign (the usual ones)",
           json_is_true(json_object_get(v, "allow")) ? "may be called" : "no call");
    json_array_foreach(json_object_get(v, "reasons"), i, r)
    {
        printf("    %s (%s): %s\n", cli_text(r, "name"), cli_text(r, "class"),
               cli_text(r, "means"));
    }
    if (*cli_text(v, "next_allowed"))
        printf("    next allowed: %s\n", cli_text(v, "next_allowed"));
    if (*cli_text(v, "open_until"))
        printf("    until %s\n", cli_text(v, "open_until"));
    printf("    every rule that was asked\n");
    tell_each(v, "rules", tell_rule);
}

static void tell_zone(const json_t *z)
{
    printf("  %s: %s there\n", cli_text(z, "zone"), cli_text(z, "local_time"));
}

static void tell_decision(const json_t *d)
{
    static const char *const stages[] = {"", "picked", "released", "sent"};
    char at[CLOCK_TEXT_MAX];
    int64_t stage = int_in(d, "stage"), reason = int_in(d, "reason");
    size_t i = 0;
    json_t *rule = NULL;

    printf("    %s %s: %s\n", time_in(d, "at_ms", at),
           stage >= 1 && stage <= 3 ? stages[stage] : "", reason ? "refused" : "allowed");
    tell_reasons(json_object_get(d, "reasons"));
    json_array_foreach(json_object_get(d, "rules"), i, rule)
    {
        if (strcmp(cli_text(rule, "answer"), "refuse") == 0)
            tell_rule(rule);
    }
}

static void tell_call(const json_t *c)
{
    char *results = json_dumps(json_object_get(c, "results"), JSON_COMPACT);
    char at[CLOCK_TEXT_MAX];

    printf("    %s %s, %s%s%s\n", time_in(c, "started_ms", at),
           strcmp(cli_text(c, "direction"), "in") == 0 ? "called in" : "answered",
           *cli_text(c, "outcome") ? cli_text(c, "outcome") : "not over",
           results && strcmp(results, "{}") != 0 ? " " : "",
           results && strcmp(results, "{}") != 0 ? results : "");
    free(results);
}

static void tell_dnc(const json_t *d)
{
    char at[CLOCK_TEXT_MAX];

    printf("    %s, %s, since %s",
           int_in(d, "campaign_id") ? "one campaign" : "every one", cli_text(d, "source"),
           time_in(d, "added_ms", at));
    if (int_in(d, "removed_ms"))
        printf(" until %s", time_in(d, "removed_ms", at));
    printf("%s%s\n", *cli_text(d, "note") ? ": " : "", cli_text(d, "note"));
}

static void tell_message(const json_t *m)
{
    printf("    SMS %s, %s: %.60s\n", cli_text(m, "kind"), cli_text(m, "state"),
           cli_text(m, "body"));
}

static void tell_part(const json_t *all, const char *key, const char *title,
                      void (*tell)(const json_t *))
{
    if (json_array_size(json_object_get(all, key)) == 0)
        return;
    printf("%s\n", title);
    tell_each(all, key, tell);
}

static void tell(const json_t *all)
{
    const json_t *number = json_object_get(all, "number");

    printf("%s: %s, %s%s\n", cli_text(number, "phone"), cli_text(number, "region"),
           cli_text(number, "type"),
           json_is_true(json_object_get(number, "valid")) ? "" : ", not given out");
    tell_part(number, "zones", "zones it may lie in", tell_zone);
    printf("at %s\n", cli_text(all, "at"));
    tell_each(all, "verdicts", tell_verdict);
    tell_part(all, "dnc", "do-not-call entries", tell_dnc);
    tell_part(all, "contacts", "contacts", tell_contact);
    tell_part(all, "attempts", "calls placed", tell_attempt);
    tell_part(all, "decisions", "decisions, as they were made", tell_decision);
    tell_part(all, "calls", "conversations", tell_call);
    tell_part(all, "recordings", "what was said", tell_recording);
    tell_part(all, "messages", "what was sent", tell_message);
}

/* ---- the command ---- */

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
        return cli_usage(optind == argc ? "which number?" : "one number at a time");
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

    int code = parse(&w, argc, argv);
    if (!code)
        code = cli_open_pg(cli);
    if (code)
        return code;
    if (!w.at_ms)
        w.at_ms = clock_now_ms();
    if (w.campaign && campaign_find(cli->pg, cli->tenant_id, w.campaign, &w.row, &e))
        return cli_fail("%s", e.text[0] ? e.text : pg_error(cli->pg));
    if (gather(&w, &all))
        return cli_fail("%s", pg_error(cli->pg));
    if (w.json)
        return cli_print_json(all);
    if (w.brief)
        tell_brief(all);
    else
        tell(all);
    json_decref(all);
    return CLI_OK;
}

static const struct cli_verb verbs[] = {
    {.name = "",
     .arguments = "NUMBER [--campaign NAME] [--at TIME] [--region ET] [--brief] [--json]",
     .about =
         "Why a number was called, why it was not, and what would be decided at TIME "
         "(now):\n"
         "every reason with what to do about it, the zones the number may lie in, the "
         "next allowed\n"
         "instant; its contacts, calls, stored decisions, recordings, batches and "
         "SMS.\n"
         "--brief tells only how it ended and why.",
     .example = "furrow why +251911223344 --campaign coffee-harvest",
     .run = run},
};

const struct cli_group cmd_why = {.name = "why",
                                  .about = "explain any number: called or not, and why",
                                  .verbs = verbs,
                                  .verb_count = ARRAY_LEN(verbs)};
