/* What furrow why gathered, in words. */
#include "cli/why_tell.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/sha256.h"
#include "base/str.h"
#include "campaigns/attempt_store_person.h"
#include "cli/cli.h"
#include "compliance/reason.h"

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
    printf(" [%s]\n", cli_text(a, "id"));
}

static void tell_recording(const json_t *r)
{
    printf("    recording %s", cli_text(r, "state"));
    if (int_in(r, "duration_ms"))
        printf(", %.1f s", (double)int_in(r, "duration_ms") / 1000);
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
    else if (int_in(c, "next_ms") >= ATTEMPT_HELD_MS)
        printf("set aside, %" PRId64 " calls so far\n", int_in(c, "attempts"));
    else
        printf("%s %s, %" PRId64 " calls so far%s%s\n",
               int_in(c, "next_ms") > clock_now_ms() ? "waits until" : "due since",
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
        printf("    refused %s, %s\n", time_in(d, "at_ms", at),
               int_in(d, "stage") == 1 ? "when it was picked" : "before it was sent");
        tell_reasons(json_object_get(d, "reasons"));
    }
}

void why_tell_brief(const json_t *all)
{
    const json_t *number = json_object_get(all, "number");

    printf("%s (%s, %s)\n", cli_text(number, "phone"), cli_text(number, "region"),
           cli_text(number, "type"));
    tell_each(all, "contacts", tell_contact);
    if (json_array_size(json_object_get(all, "contacts")) == 0)
        puts("  in no campaign; without --brief: what every rule says");
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
    if (*cli_text(v, "waits"))
        printf("    but it waits: %s\n", cli_text(v, "waits"));
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

    printf("    %s%s, %s, since %s",
           int_in(d, "campaign_id") ? "one campaign"
           : *cli_text(d, "topic")  ? "the topic "
                                    : "every one",
           cli_text(d, "topic"), cli_text(d, "source"), time_in(d, "added_ms", at));
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

void why_tell_number(const json_t *all)
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

/* ---- one call ---- */

static void tell_instant(const json_t *o, const char *key, const char *what)
{
    char at[CLOCK_TEXT_MAX];

    if (int_in(o, key))
        printf("  %-9s %s\n", what, time_in(o, key, at));
}

static void tell_out(const json_t *a)
{
    char text[PHONE_TEXT_MAX];

    printf("call %s to %s: %s%s%s\n", cli_text(a, "id"),
           phone_text(int_in(a, "phone"), text), cli_text(a, "state"),
           *cli_text(a, "disposition") ? ", " : "", cli_text(a, "disposition"));
    printf("  campaign %s, attempt %" PRId64 " to contact %" PRId64 ", over %s, as %s\n",
           cli_text(a, "campaign"), int_in(a, "number"), int_in(a, "contact_id"),
           cli_text(a, "trunk"),
           *cli_text(a, "caller_id") ? cli_text(a, "caller_id") : "the trunk's number");
    tell_instant(a, "intent_ms", "picked");
    tell_instant(a, "released_ms", "released");
    tell_instant(a, "ringing_ms", "rang");
    tell_instant(a, "answered_ms", "answered");
    tell_instant(a, "ended_ms", "over");
    if (int_in(a, "cause") || int_in(a, "tech_cause"))
        printf("  cause %" PRId64 ", SIP %" PRId64 "\n", int_in(a, "cause"),
               int_in(a, "tech_cause"));
    if (*cli_text(a, "note"))
        printf("  %s\n", cli_text(a, "note"));
}

static void tell_in(const json_t *c)
{
    char text[PHONE_TEXT_MAX];

    printf("call %s from %s to %s: nothing had to be allowed\n", cli_text(c, "id"),
           int_in(c, "phone") ? phone_text(int_in(c, "phone"), text)
                              : "a withheld number",
           cli_text(c, "extension"));
}

static void tell_packs(const json_t *inputs)
{
    size_t i = 0;
    json_t *pack = NULL;

    json_array_foreach(json_object_get(inputs, "packs"), i, pack)
    {
        const char *hash = json_string_value(json_array_get(pack, 1));
        printf("      pack    %-18s %.16s\n", json_string_value(json_array_get(pack, 0)),
               hash ? hash : "");
    }
}

/* The gate's own: the permit stood for exactly these inputs. */
static void tell_permit(const json_t *inputs)
{
    char *text = json_dumps(inputs, JSON_COMPACT | JSON_SORT_KEYS);
    char hex[SHA256_TEXT_MAX];
    uint8_t hash[SHA256_BYTES];

    if (!text)
        return;
    sha256_of(text, strlen(text), hash);
    printf("      permit  single use, two seconds, bound to inputs %s\n",
           sha256_text(hash, hex));
    free(text);
}

static void tell_whole_decision(const json_t *d)
{
    static const char *const stages[] = {"decided", "when it was picked",
                                         "at its release", "before it was sent"};
    char at[CLOCK_TEXT_MAX];
    int64_t stage = int_in(d, "stage");
    const json_t *inputs = json_object_get(d, "inputs");
    bool allowed = int_in(d, "reason") == REASON_ALLOW;

    printf("  %s %s: %s (decision %s)\n", time_in(d, "at_ms", at),
           stages[stage >= 1 && stage <= 3 ? stage : 0], allowed ? "allowed" : "REFUSED",
           cli_text(d, "id"));
    tell_reasons(json_object_get(d, "reasons"));
    if (int_in(d, "next_ms"))
        printf("      next allowed: %s\n", time_in(d, "next_ms", at));
    tell_each(d, "rules", tell_rule);
    tell_packs(inputs);
    if (*cli_text(inputs, "tzdata"))
        printf("      tzdata  %s\n", cli_text(inputs, "tzdata"));
    if (stage == 2 && allowed)
        tell_permit(inputs);
}

static void tell_sound(const json_t *r)
{
    tell_recording(r);
    if (*cli_text(r, "sha256"))
        printf("      %s, %" PRId64 " bytes, %" PRId64 " Hz\n", cli_text(r, "sha256"),
               int_in(r, "bytes"), int_in(r, "sample_rate"));
}

void why_tell_call(const json_t *all)
{
    if (json_array_size(json_object_get(all, "attempts")) > 0)
        tell_each(all, "attempts", tell_out);
    else
        tell_each(all, "calls", tell_in);
    tell_part(all, "decisions",
              "decisions, as they were made, with the packs of that day",
              tell_whole_decision);
    tell_part(all, "calls", "conversation", tell_call);
    tell_part(all, "recordings", "what was said", tell_sound);
    tell_part(all, "dnc", "do-not-call entries it led to", tell_dnc);
    tell_part(all, "messages", "what was sent", tell_message);
}
