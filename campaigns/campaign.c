/*
 * The document is one table per object; what needs more than a table (windows,
 * regions, schedule, retry rules) is a DOC_PART. Rules between two fields are
 * checked at the end, and issues are put in the order of the text.
 */
#include "campaigns/campaign.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/str.h"
#include "base/xalloc.h"
#include "campaigns/campaign_budget.h"
#include "campaigns/campaign_law.h"
#include "campaigns/campaign_mode.h"
#include "campaigns/campaign_rules.h"
#include "campaigns/campaign_trunks.h"
#include "campaigns/doc_reader.h"
#include "compliance/pack.h"
#include "compliance/policy.h"
#include "contacts/tz.h"

enum {
    GUARD_AFTER_RING_S = 5,
    ATTEMPTS_LIMIT = 1000,
    DELAY_LIMIT_S = 366 * 86400,
    DECISION_TTL_S = 2, /* of a permit */
    UNSET = -1,
};
/* Older time zone data is wrong about this year: British Columbia, Alberta,
 * Manitoba and Morocco changed. */
static const char min_tzdata[] = "2026f";

struct draft {
    struct campaign_doc doc;
    struct policy policy;
    int consent, each_run, close_guard_s, purpose, voice;
};

#define IN(type, member) .offset = offsetof(type, member)
#define TEXT(type, member)                                                               \
    .kind = DOC_TEXT, IN(type, member), .size = sizeof(((type *)0)->member)

/* ---- the policy's parts ---- */

static void read_windows(struct doc_reader *r, json_t *value, const char *pointer,
                         void *owner)
{
    campaign_read_windows(r, value, pointer, &((struct draft *)owner)->policy);
}

static void read_limits(struct doc_reader *r, json_t *value, const char *pointer,
                        void *owner)
{
    campaign_read_limits(r, value, pointer, &((struct draft *)owner)->policy);
}

static void read_regions(struct doc_reader *r, json_t *value, const char *pointer,
                         void *owner)
{
    campaign_read_regions(r, value, pointer, &((struct draft *)owner)->policy);
}

static void read_frequency(struct doc_reader *r, json_t *value, const char *pointer,
                           void *owner)
{
    campaign_read_frequency(r, value, pointer, &((struct draft *)owner)->policy);
}

static void read_cooldowns(struct doc_reader *r, json_t *value, const char *pointer,
                           void *owner)
{
    campaign_read_cooldowns(r, value, pointer, &((struct draft *)owner)->policy);
}

static void read_blackout(struct doc_reader *r, json_t *value, const char *pointer,
                          void *owner)
{
    campaign_read_blackout(r, value, pointer, &((struct draft *)owner)->policy);
}

static void read_dnc(struct doc_reader *r, json_t *value, const char *pointer,
                     void *owner)
{
    campaign_read_dnc(r, value, pointer, &((struct draft *)owner)->policy);
}

static void read_trunks(struct doc_reader *r, json_t *value, const char *pointer,
                        void *owner)
{
    campaign_read_trunks(r, value, pointer, &((struct draft *)owner)->doc);
}

static void read_caller_ids(struct doc_reader *r, json_t *value, const char *pointer,
                            void *owner)
{
    caller_id_rule_read(r, value, pointer, &((struct draft *)owner)->doc.caller_ids);
}

static void read_variants(struct doc_reader *r, json_t *value, const char *pointer,
                          void *owner)
{
    variant_rules_read(r, value, pointer, &((struct draft *)owner)->doc.variants);
}

static void read_machine(struct doc_reader *r, json_t *value, const char *pointer,
                         void *owner)
{
    machine_rule_read(r, value, pointer, &((struct draft *)owner)->doc.machine);
}

/* ---- pacing, schedule ---- */

static void read_pacing(struct doc_reader *r, json_t *value, const char *pointer,
                        void *owner)
{
    static const struct doc_field fields[] = {
        {.key = "cps",
         .kind = DOC_NUMBER,
         IN(struct campaign_pacing, cps),
         .min = 0.01,
         .max = 10000,
         .hint = "calls per second; leave it out for as many as the trunk allows"},
        {.key = "max_concurrent",
         .kind = DOC_INT,
         IN(struct campaign_pacing, max_concurrent),
         .min = 1,
         .max = 100000,
         .hint = "calls at once; leave it out for as many as the trunk allows"},
    };
    struct draft *d = owner;

    doc_read_object(r, value, pointer, fields, ARRAY_LEN(fields), &d->doc.pacing);
}

static void read_mode(struct doc_reader *r, json_t *value, const char *pointer,
                      void *owner)
{
    campaign_read_mode(r, value, pointer, &((struct draft *)owner)->doc.mode);
}

static void read_budget(struct doc_reader *r, json_t *value, const char *pointer,
                        void *owner)
{
    campaign_read_budget(r, value, pointer, &((struct draft *)owner)->doc.budget);
}

static void read_canary(struct doc_reader *r, json_t *value, const char *pointer,
                        void *owner)
{
    canary_rule_read(r, value, pointer, &((struct draft *)owner)->doc.canary);
}

static void read_quarantine(struct doc_reader *r, json_t *value, const char *pointer,
                            void *owner)
{
    quarantine_rules_read(r, value, pointer, &((struct draft *)owner)->doc.quarantine);
}

static void read_schedule(struct doc_reader *r, json_t *value, const char *pointer,
                          void *owner)
{
    static const struct doc_field fields[] = {
        {.key = "cron",
         .required = true,
         TEXT(struct schedule, cron),
         .hint = "minute hour day-of-month month day-of-week, e.g. \"0 9 * * mon-fri\""},
        {.key = "timezone",
         .required = true,
         TEXT(struct schedule, timezone),
         .hint = "e.g. \"Africa/Addis_Ababa\""},
    };
    struct draft *d = owner;
    struct schedule written = {0};
    const struct tz_zone *zone = NULL;
    struct errtext e = {0};
    char at[DOC_POINTER_MAX];
    size_t before = r->issues->found;

    doc_read_object(r, value, pointer, fields, ARRAY_LEN(fields), &written);
    if (r->issues->found != before)
        return;
    if (schedule_parse(&d->doc.schedule, written.cron, written.timezone, &e) == 0) {
        int64_t first_ms = 0;
        d->doc.has_schedule = true;
        if (schedule_next(&d->doc.schedule, 0, &first_ms) == ENODATA) {
            str_cut(at, sizeof(at), pointer);
            json_pointer_add(at, sizeof(at), "cron");
            doc_issue(r, at, JSON_PLACE_VALUE, fields[0].hint, "'%s' never comes",
                      written.cron);
        }
        return;
    }
    bool bad_zone = tz_find(written.timezone, &zone) != 0;
    str_cut(at, sizeof(at), pointer);
    json_pointer_add(at, sizeof(at), bad_zone ? "timezone" : "cron");
    doc_issue(r, at, JSON_PLACE_VALUE, fields[bad_zone ? 1 : 0].hint, "%s", e.text);
}

/* ---- retry ---- */

static const char *const retry_order_words[] = {"due", "front", "back", NULL};
static const char *const retry_hour_words[] = {"delay", "best_hour", NULL};
_Static_assert(RETRY_BACK == 2 && RETRY_BEST_HOUR == 1 &&
                   sizeof(enum retry_order) == sizeof(int) &&
                   sizeof(enum retry_hour) == sizeof(int),
               "words stand in the order of the enums, and are read as int");

static void read_retry_rule(struct doc_reader *r, json_t *value, const char *pointer,
                            void *owner)
{
    static const struct doc_field fields[] = {
        {.key = "max_attempts",
         .kind = DOC_INT,
         IN(struct retry_rule, max_attempts),
         .min = 1,
         .max = ATTEMPTS_LIMIT,
         .hint = "1 means no retry"},
        {.key = "delay_s",
         .kind = DOC_INT64,
         IN(struct retry_rule, delay_s),
         .min = 1,
         .max = DELAY_LIMIT_S,
         .hint = "seconds until the first retry"},
        {.key = "backoff",
         .kind = DOC_NUMBER,
         IN(struct retry_rule, backoff),
         .min = 1,
         .max = 100,
         .hint = "each further delay is so many times longer"},
        {.key = "max_delay_s",
         .kind = DOC_INT64,
         IN(struct retry_rule, max_delay_s),
         .min = 1,
         .max = DELAY_LIMIT_S,
         .hint = "no delay is longer than this"},
        {.key = "jitter",
         .kind = DOC_NUMBER,
         IN(struct retry_rule, jitter),
         .max = 0.9,
         .hint = "0.2 makes each delay up to a fifth longer or shorter"},
        {.key = "order",
         .kind = DOC_CHOICE,
         IN(struct retry_rule, order),
         .words = retry_order_words,
         .hint = "who goes first among those who are due"},
        {.key = "at",
         .kind = DOC_CHOICE,
         IN(struct retry_rule, hour),
         .words = retry_hour_words,
         .hint = "best_hour waits for the hour in which the contact answered most often"},
    };
    struct retry_rules *rules = owner;
    enum disposition which = DISPOSITION_FAILED;

    /* The pointer's last part is the key, and the table has dispositions only. */
    if (!disposition_parse(strrchr(pointer, '/') + 1, &which))
        return;
    struct retry_rule *rule = &rules->by[which];
    doc_read_object(r, value, pointer, fields, ARRAY_LEN(fields), rule);
    if (rule->delay_s <= rule->max_delay_s)
        return;
    if (!json_object_get(value, "max_delay_s"))
        rule->max_delay_s = rule->delay_s;
    else
        doc_issue(r, pointer, JSON_PLACE_VALUE, NULL,
                  "'max_delay_s' is shorter than the first delay of %lld s",
                  (long long)rule->delay_s);
}

static void read_retry(struct doc_reader *r, json_t *value, const char *pointer,
                       void *owner)
{
    struct draft *d = owner;
    struct doc_field fields[DISPOSITIONS + 1] = {
        {.key = "max_attempts",
         .kind = DOC_INT,
         IN(struct retry_rules, max_attempts),
         .min = 1,
         .max = ATTEMPTS_LIMIT,
         .hint = "attempts to a contact in all"}};

    for (int i = 0; i < DISPOSITIONS; i++)
        fields[i + 1] = (struct doc_field){.key = disposition_name((enum disposition)i),
                                           .kind = DOC_PART,
                                           .read = read_retry_rule};
    doc_read_object(r, value, pointer, fields, ARRAY_LEN(fields), &d->doc.retry);
}

/* ---- the document ---- */

static const char *const consent_words[] = {"none", "express", "express_written", NULL};
static const char *const purpose_words[] = {
    "telemarketing", "informational", "debt_collection", "healthcare", "survey",
    "charity",       "political",     "emergency",       NULL};
static const char *const voice_words[] = {"live", "prerecorded", "ai", NULL};
static const char *const numbers_words[] = {"in_turn", "one_by_one", NULL};
_Static_assert(CAMPAIGN_NUMBERS_ONE_BY_ONE == 1 &&
                   sizeof(enum campaign_numbers) == sizeof(int),
               "words stand in the order of the enum, and are read as int");
static const char *const each_run_words[] = {"new", "everyone", NULL};
_Static_assert(CONSENT_EXPRESS_WRITTEN == 2 && CAMPAIGN_RUN_EVERYONE == 1,
               "words stand in the order of the enums");

static const char list_hint[] = "'furrow contacts list' shows the lists";

static void read_lists(struct doc_reader *r, json_t *value, const char *pointer,
                       void *owner)
{
    campaign_read_lists(r, value, pointer, &((struct draft *)owner)->doc.lists);
}

static const struct doc_field document_fields[] = {
    {.key = "name",
     .required = true,
     TEXT(struct draft, doc.name),
     .hint = "what commands call the campaign, e.g. \"coffee-harvest\""},
    {.key = "list", TEXT(struct draft, doc.list), .hint = list_hint},
    {.key = "lists", .kind = DOC_PART, .read = read_lists},
    {.key = "flow",
     .required = true,
     TEXT(struct draft, doc.flow),
     .hint = "'furrow flow list' shows the published flows"},
    {.key = "trunk",
     TEXT(struct draft, doc.trunk),
     .hint = "'furrow trunk list' shows the trunks"},
    {.key = "trunks", .kind = DOC_PART, .read = read_trunks},
    {.key = "caller_id",
     TEXT(struct draft, doc.caller_id),
     .hint = "the number the called party sees, e.g. \"+251115550100\""},
    {.key = "caller_ids", .kind = DOC_PART, .read = read_caller_ids},
    {.key = "variants", .kind = DOC_PART, .read = read_variants},
    {.key = "machine", .kind = DOC_PART, .read = read_machine},
    {.key = "topic",
     TEXT(struct draft, doc.topic),
     .hint = "what the calls are about, e.g. \"harvest\": people may leave a topic"},
    {.key = "windows", .kind = DOC_PART, .read = read_windows},
    {.key = "holidays",
     .kind = DOC_BOOL,
     IN(struct draft, policy.observe_holidays),
     .hint = "true: no calls on the holidays that are on file"},
    {.key = "limits", .kind = DOC_PART, .read = read_limits},
    {.key = "consent",
     .kind = DOC_CHOICE,
     IN(struct draft, consent),
     .words = consent_words,
     .hint = "what a contact must have agreed to before it may be called"},
    {.key = "regions", .kind = DOC_PART, .read = read_regions},
    {.key = "purpose",
     .kind = DOC_CHOICE,
     IN(struct draft, purpose),
     .words = purpose_words,
     .hint = "what the calls are for: the law asks; telemarketing is the strictest and "
             "usual"},
    {.key = "voice_mode",
     .kind = DOC_CHOICE,
     IN(struct draft, voice),
     .words = voice_words,
     .hint = "who speaks: a person, a recording or a made voice"},
    {.key = "frequency", .kind = DOC_PART, .read = read_frequency},
    {.key = "cooldowns", .kind = DOC_PART, .read = read_cooldowns},
    {.key = "blackout_dates", .kind = DOC_PART, .read = read_blackout},
    {.key = "dnc", .kind = DOC_PART, .read = read_dnc},
    {.key = "seller",
     TEXT(struct draft, policy.seller),
     .hint = "on whose behalf: a consent given to another seller does not count"},
    {.key = "pacing", .kind = DOC_PART, .read = read_pacing},
    {.key = "mode", .kind = DOC_PART, .read = read_mode},
    {.key = "ring_timeout_s",
     .kind = DOC_INT,
     IN(struct draft, doc.ring_timeout_s),
     .min = 5,
     .max = 120,
     .hint = "how long it may ring"},
    {.key = "close_guard_s",
     .kind = DOC_INT,
     IN(struct draft, close_guard_s),
     .max = 3600,
     .hint = "no call begins so near a window's end; usual is ring_timeout_s + 5"},
    {.key = "retry", .kind = DOC_PART, .read = read_retry},
    {.key = "budget", .kind = DOC_PART, .read = read_budget},
    {.key = "canary", .kind = DOC_PART, .read = read_canary},
    {.key = "quarantine", .kind = DOC_PART, .read = read_quarantine},
    {.key = "start",
     .kind = DOC_INSTANT,
     IN(struct draft, doc.start_at_ms),
     .hint = "e.g. \"2026-11-24T09:00:00+03:00\""},
    {.key = "end",
     .kind = DOC_INSTANT,
     IN(struct draft, doc.end_at_ms),
     .hint = "e.g. \"2026-12-24T18:00:00+03:00\""},
    {.key = "schedule", .kind = DOC_PART, .read = read_schedule},
    {.key = "each_run",
     .kind = DOC_CHOICE,
     IN(struct draft, each_run),
     .words = each_run_words,
     .hint = "whom a planned start calls"},
    {.key = "numbers",
     .kind = DOC_CHOICE,
     IN(struct draft, doc.numbers),
     .words = numbers_words,
     .hint = "when a person's next number is called: while the one before waits, or once "
             "it is final"},
    {.key = "keep_open",
     .kind = DOC_BOOL,
     IN(struct draft, doc.keep_open),
     .hint = "true: the campaign waits for callbacks and is not done when it is empty"},
    {.key = "priority",
     .kind = DOC_INT,
     IN(struct draft, doc.priority),
     .min = -1000,
     .max = 1000,
     .hint = "higher goes first when campaigns share a trunk"},
};

/* One way or the other. */
static void check_lists(struct doc_reader *r, struct campaign_doc *doc,
                        const json_t *root)
{
    bool one = json_object_get(root, "list"), several = json_object_get(root, "lists");

    if (!one && !several)
        doc_issue(r, "", JSON_PLACE_VALUE, list_hint, "'list' is missing");
    if (one && several)
        doc_issue(r, "/lists", JSON_PLACE_KEY, "leave out one of the two",
                  "'list' and 'lists' are both stated");
    if (one && json_is_string(json_object_get(root, "list")) && !doc->list[0])
        doc_issue(r, "/list", JSON_PLACE_VALUE, list_hint, "'list' is empty");
    if (several && doc->lists.n > 0)
        str_cut(doc->list, sizeof(doc->list), doc->lists.at[0].name);
}

static void check_words(struct doc_reader *r, const struct draft *d)
{
    for (const char *p = d->doc.name; *p; p++) {
        if (!isalnum((unsigned char)*p) && !strchr("-_.", *p)) {
            doc_issue(r, "/name", JSON_PLACE_VALUE,
                      "letters, digits, '-', '_' and '.', as it is typed in commands",
                      "'%s' is no name for a campaign", d->doc.name);
            break;
        }
    }
    for (const char *p = d->doc.topic; *p; p++) {
        if (!isalnum((unsigned char)*p) && !strchr("-_.", *p)) {
            doc_issue(r, "/topic", JSON_PLACE_VALUE, "letters, digits, '-', '_' and '.'",
                      "'%s' is no name of a topic", d->doc.topic);
            break;
        }
    }
    const char *number = d->doc.caller_id;
    size_t digits = strspn(number + (*number == '+'), "0123456789");
    if (*number && (digits < 3 || digits > 15 || number[digits + (*number == '+')]))
        doc_issue(r, "/caller_id", JSON_PLACE_VALUE,
                  "with its country code, e.g. \"+251115550100\", unless your carrier "
                  "wants it otherwise",
                  "'%s' is no number: 3 to 15 digits", number);
}

/* One is said by name, several as a list. */
static void check_trunks(struct doc_reader *r, struct campaign_doc *doc,
                         const json_t *root)
{
    bool one = json_object_get(root, "trunk"), several = json_object_get(root, "trunks");

    if (!one && !several)
        doc_issue(r, "", JSON_PLACE_VALUE, "'furrow trunk list' shows the trunks",
                  "'trunk' is missing");
    if (one && several)
        doc_issue(r, "/trunks", JSON_PLACE_KEY, "put it into the list",
                  "'trunk' and 'trunks' cannot both be stated");
    if (one && json_is_string(json_object_get(root, "trunk")) && !doc->trunk[0])
        doc_issue(r, "/trunk", JSON_PLACE_VALUE, "'furrow trunk list' shows the trunks",
                  "'trunk' is empty");
    if (several) {
        str_cut(doc->trunk, sizeof(doc->trunk), doc->trunks[0].name);
    } else {
        doc->trunk_count = 1;
        doc->trunks[0].weight = 1;
        str_cut(doc->trunks[0].name, sizeof(doc->trunks[0].name), doc->trunk);
    }
}

/* What no single field can say. */
static void check_together(struct doc_reader *r, struct draft *d, const json_t *root)
{
    const struct campaign_doc *doc = &d->doc;

    check_words(r, d);
    check_trunks(r, &d->doc, root);
    check_lists(r, &d->doc, root);
    if (doc->caller_id[0] && doc->caller_ids.pool[0])
        doc_issue(r, "/caller_id", JSON_PLACE_KEY, "leave one of them out",
                  "'caller_id' is one number, 'caller_ids' a pool of them: not both");
    if (doc->quarantine.variants && doc->variants.n == 0)
        doc_issue(r, "/quarantine/variants", JSON_PLACE_KEY,
                  "add 'variants', or leave it out",
                  "there are no 'variants' that could go into quarantine");
    if (doc->budget.stated && doc->budget.calls > 0 &&
        doc->canary.calls > doc->budget.calls)
        doc_issue(r, "/canary/calls", JSON_PLACE_VALUE,
                  "fewer calls first, or a greater budget",
                  "the budget is spent before the canary is over");
    if (doc->start_at_ms && doc->end_at_ms && doc->end_at_ms <= doc->start_at_ms)
        doc_issue(r, "/end", JSON_PLACE_VALUE, NULL, "'end' is not after 'start'");
    if (json_object_get(root, "each_run") && !json_object_get(root, "schedule") &&
        d->each_run == CAMPAIGN_RUN_EVERYONE)
        doc_issue(r, "/each_run", JSON_PLACE_KEY, "add a 'schedule', or leave it out",
                  "'each_run' says what a schedule's starts do, and there is none");
    if ((doc->mode.kind == MODE_RATIO || doc->mode.kind == MODE_PREDICTIVE) &&
        !doc->caller_id[0])
        doc_issue(r, "/mode", JSON_PLACE_VALUE, "add \"caller_id\": \"+…\"",
                  "who is called and finds nobody must be able to call back: this mode "
                  "needs 'caller_id'");
}

/* What the gate goes by. */
static void fill_policy(const struct draft *d, const json_t *root, struct policy *p)
{
    const struct campaign_doc *doc = &d->doc;

    p->consent_required = (enum consent_level)d->consent;
    p->purpose = (enum purpose)d->purpose;
    p->voice = (enum voice)d->voice;
    /* The gate asks for a reserved agent, or for credit, whatever the mode. */
    if (doc->mode.kind != MODE_FIXED)
        p->dial = DIAL_PREDICTIVE;
    p->pack_mode = PACKS_AUTO;
    p->packs = packs_of_process();
    p->decision_ttl_s = DECISION_TTL_S;
    str_cut(p->min_tzdata, sizeof(p->min_tzdata), min_tzdata);
    /* Regions and hours named by hand stand in where no pack does. */
    p->hours_stated =
        json_object_get(root, "windows") && json_object_get(root, "regions");
    p->ring_timeout_s = doc->ring_timeout_s;
    p->close_guard_s = d->close_guard_s != UNSET
                           ? d->close_guard_s
                           : doc->ring_timeout_s + GUARD_AFTER_RING_S;
    p->not_before_ms = doc->start_at_ms;
    p->not_after_ms = doc->end_at_ms;
}

static void finish(struct doc_reader *r, struct draft *d, const json_t *root)
{
    check_together(r, d, root);
    d->doc.each_run = (enum campaign_each_run)d->each_run;
    fill_policy(d, root, &d->policy);
    /* Whatever slipped through the tables must not become a campaign that can
     * never call. */
    if (r->issues->found == 0 && !policy_is_valid(&d->policy))
        doc_issue(r, "", JSON_PLACE_VALUE, "look at windows, limits and ring_timeout_s",
                  "these rules cannot be obeyed together");
}

static int by_place(const void *a, const void *b)
{
    const struct campaign_issue *x = a, *y = b;

    return x->line != y->line ? x->line - y->line : x->column - y->column;
}

static int read_document(const char *text, size_t len, struct draft *d,
                         struct campaign_issues *issues)
{
    struct doc_reader r = {.text = text, .len = len, .issues = issues};
    json_error_t where = {0};
    json_auto_t *root = json_loadb(text, len, JSON_REJECT_DUPLICATES, &where);

    if (!root) {
        struct campaign_issue *issue = &issues->at[0];

        issues->n = issues->found = 1;
        issue->line = where.line > 0 ? where.line : 1;
        issue->column = where.column > 0 ? where.column : 1;
        snprintf(issue->text, sizeof(issue->text), "%s%s",
                 len ? "not JSON: " : "the file is empty", len ? where.text : "");
        return EINVAL;
    }
    policy_default(&d->policy);
    retry_rules_default(&d->doc.retry);
    mode_rules_default(&d->doc.mode);
    caller_id_rule_default(&d->doc.caller_ids);
    machine_rule_default(&d->doc.machine);
    canary_rule_default(&d->doc.canary);
    quarantine_rules_default(&d->doc.quarantine);
    d->doc.ring_timeout_s = d->policy.ring_timeout_s;
    d->consent = (int)d->policy.consent_required;
    d->purpose = PURPOSE_TELEMARKETING;
    d->voice = VOICE_PRERECORDED; /* a flow speaks */
    d->close_guard_s = UNSET;
    doc_read_object(&r, root, "", document_fields, ARRAY_LEN(document_fields), d);
    if (json_is_object(root))
        finish(&r, d, root);
    qsort(issues->at, issues->n, sizeof(issues->at[0]), by_place);
    return issues->found ? EINVAL : 0;
}

int campaign_doc_parse(struct campaign_doc **out, const char *text, size_t len,
                       struct campaign_issues *issues)
{
    struct draft d = {0};

    *issues = (struct campaign_issues){0};
    if (len > CAMPAIGN_TEXT_LIMIT) {
        issues->n = issues->found = 1;
        snprintf(issues->at[0].text, sizeof(issues->at[0].text),
                 "a campaign's document has at most %d bytes, this one %zu",
                 CAMPAIGN_TEXT_LIMIT, len);
        return EMSGSIZE;
    }
    int err = read_document(text, len, &d, issues);
    if (err)
        return err;
    struct campaign_doc *doc = xmalloc(sizeof(*doc));
    *doc = d.doc;
    doc->policy = xmalloc(sizeof(*doc->policy));
    *doc->policy = d.policy;
    *out = doc;
    return 0;
}

void campaign_doc_free(struct campaign_doc *doc)
{
    if (!doc)
        return;
    free(doc->policy);
    free(doc);
}

/* ---- planned starts ---- */

int campaign_doc_due(const struct campaign_doc *doc, int64_t after_ms, int64_t now_ms,
                     int64_t *planned_ms)
{
    if (!doc->has_schedule) {
        if (!doc->start_at_ms || doc->start_at_ms <= after_ms ||
            doc->start_at_ms > now_ms || (doc->end_at_ms && doc->end_at_ms <= now_ms))
            return ENODATA;
        *planned_ms = doc->start_at_ms;
        return 0;
    }
    /* From start, included, to end, excluded. */
    if (doc->start_at_ms && after_ms < doc->start_at_ms - 1)
        after_ms = doc->start_at_ms - 1;
    if (doc->end_at_ms && now_ms >= doc->end_at_ms)
        now_ms = doc->end_at_ms - 1;
    return schedule_latest(&doc->schedule, after_ms, now_ms, planned_ms);
}

int campaign_doc_next_start(const struct campaign_doc *doc, int64_t now_ms,
                            int64_t *planned_ms)
{
    int64_t at_ms = doc->start_at_ms;

    if (doc->has_schedule) {
        int err = schedule_next(&doc->schedule,
                                now_ms < at_ms - 1 && at_ms ? at_ms - 1 : now_ms, &at_ms);
        if (err)
            return err;
    }
    if (at_ms <= now_ms || (doc->end_at_ms && at_ms >= doc->end_at_ms))
        return ENODATA;
    *planned_ms = at_ms;
    return 0;
}
