#include "compliance/cases.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/errors.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "compliance/check.h"
#include "compliance/pack.h"
#include "contacts/phone.h"
#include "contacts/tz.h"
#include "contacts/zones.h"

enum {
    CALLS_MAX = 1024,
    LISTS_MAX = 128,
    CASE_ZONES_MAX = 2 * ZONES_MAX,
    MANY_ZONES = 30,
    DAY_MINUTES = 24 * 60,
    PPM = 1000000,
};
#define DAY_MS ((int64_t)86400 * 1000)

struct reader {
    const struct cases_set *set;
    const json_t *test;
    struct errtext *e;
    int64_t now_ms;
    struct phone phone;
    struct policy policy;
    struct compliance_facts facts;
    const char *zones[CASE_ZONES_MAX], *address_zones[CASE_ZONES_MAX];
    struct compliance_call calls[CALLS_MAX];
    struct compliance_list lists[LISTS_MAX];
    struct compliance_wash washes[LISTS_MAX];
    struct compliance_abandon abandon[LISTS_MAX];
    struct compliance_registration registrations[LISTS_MAX];
    struct compliance_block blocks[LISTS_MAX];
};

static const char *text_of(const json_t *json, const char *key)
{
    return json_string_value(json_object_get(json, key));
}

static int bad(struct reader *r, const char *what)
{
    const char *id = text_of(r->test, "id");

    return errtext_set(r->e, EINVAL, 0, 0, "case '%s': %s", id ? id : "?", what);
}

/* An instant, or a date: its midnight in UTC. False: neither; absent is 0. */
static bool instant_of(const json_t *json, const char *key, int64_t *out)
{
    const char *text = text_of(json, key);
    int64_t day = 0;

    *out = 0;
    if (!text)
        return true;
    if (rule_date_parse(text, &day)) {
        *out = day * DAY_MS;
        return true;
    }
    return clock_parse(text, out) == 0;
}

static int int_of(const json_t *json, const char *key)
{
    return (int)json_integer_value(json_object_get(json, key));
}

/* ---- the policy ---- */

static int read_windows(struct reader *r, const json_t *windows)
{
    static const char *const days[] = {"1", "2", "3", "4", "5", "6", "7"};

    for (size_t d = 0; d < ARRAY_LEN(days); d++) {
        const json_t *list = json_object_get(windows, days[d]);
        struct policy_day *day = &r->policy.week[d];
        if (json_array_size(list) > POLICY_INTERVALS_MAX)
            return bad(r, "too many windows a day");
        for (day->n = 0; day->n < json_array_size(list); day->n++) {
            const json_t *w = json_array_get(list, day->n);
            if (!rule_time_parse(json_string_value(json_array_get(w, 0)),
                                 &day->at[day->n].from_min) ||
                !rule_time_parse(json_string_value(json_array_get(w, 1)),
                                 &day->at[day->n].until_min))
                return bad(r, "a window is [\"HH:MM\", \"HH:MM\"]");
        }
    }
    return 0;
}

static int read_packs(struct reader *r, const json_t *packs)
{
    struct policy *p = &r->policy;

    p->packs = r->set->packs;
    if (!packs ||
        (json_is_string(packs) && strcmp(json_string_value(packs), "auto") == 0)) {
        p->pack_mode = PACKS_AUTO;
        return 0;
    }
    if (!json_is_array(packs) || json_array_size(packs) > POLICY_RULES_MAX)
        return bad(r, "'packs' is \"auto\" or a list of names");
    p->pack_mode = json_array_size(packs) > 0 ? PACKS_LIST : PACKS_NONE;
    for (; p->pack_count < json_array_size(packs); p->pack_count++)
        str_cut(p->pack_names[p->pack_count], sizeof(p->pack_names[0]),
                json_string_value(json_array_get(packs, p->pack_count)));
    return 0;
}

static int read_rules(struct reader *r, const json_t *policy)
{
    const json_t *frequency = json_object_get(policy, "frequency");
    const json_t *cooldowns = json_object_get(policy, "cooldowns");
    const json_t *blackout = json_object_get(policy, "blackout_dates");
    struct policy *p = &r->policy;
    const char *wrong = NULL;

    if (json_array_size(frequency) > POLICY_RULES_MAX ||
        json_array_size(cooldowns) > POLICY_RULES_MAX ||
        json_array_size(blackout) > POLICY_DATES_MAX)
        return bad(r, "too many rules");
    for (; !wrong && p->frequency_count < json_array_size(frequency);
         p->frequency_count++)
        wrong = frequency_from_json(&p->frequency[p->frequency_count],
                                    json_array_get(frequency, p->frequency_count));
    for (; !wrong && p->cooldown_count < json_array_size(cooldowns); p->cooldown_count++)
        wrong = cooldown_from_json(&p->cooldowns[p->cooldown_count],
                                   json_array_get(cooldowns, p->cooldown_count));
    for (; !wrong && p->blackout_count < json_array_size(blackout); p->blackout_count++)
        if (!rule_date_parse(
                json_string_value(json_array_get(blackout, p->blackout_count)),
                &p->blackout[p->blackout_count]))
            wrong = "'blackout_dates' are dates \"YYYY-MM-DD\"";
    return wrong ? bad(r, wrong) : 0;
}

static int read_lists_of_policy(struct reader *r, const json_t *dnc)
{
    const json_t *lists = json_object_get(dnc, "lists"),
                 *washes = json_object_get(dnc, "wash");
    struct policy *p = &r->policy;

    if (json_array_size(lists) > POLICY_LISTS_MAX ||
        json_array_size(washes) > POLICY_LISTS_MAX)
        return bad(r, "too many lists");
    for (; p->list_count < json_array_size(lists); p->list_count++)
        str_cut(p->lists[p->list_count], sizeof(p->lists[0]),
                json_string_value(json_array_get(lists, p->list_count)));
    for (; p->wash_count < json_array_size(washes); p->wash_count++)
        str_cut(p->washes[p->wash_count], sizeof(p->washes[0]),
                json_string_value(json_array_get(washes, p->wash_count)));
    p->list_max_age_days = int_of(dnc, "max_age_days");
    p->internal_years = int_of(dnc, "internal_years");
    return 0;
}

static int read_countries(struct reader *r, const json_t *countries)
{
    struct policy *p = &r->policy;

    if (json_array_size(countries) > POLICY_REGIONS_MAX)
        return bad(r, "too many countries");
    for (; p->region_count < json_array_size(countries); p->region_count++)
        str_cut(p->regions[p->region_count], sizeof(p->regions[0]),
                json_string_value(json_array_get(countries, p->region_count)));
    return 0;
}

static int read_names(struct reader *r, const json_t *policy)
{
    const char *consent = text_of(policy, "consent"),
               *purpose = text_of(policy, "purpose");
    const char *dial = text_of(policy, "dial_mode"),
               *voice = text_of(policy, "voice_mode");
    struct policy *p = &r->policy;

    if (purpose && !purpose_parse(purpose, &p->purpose))
        return bad(r, "'purpose' is not known");
    if (dial && !dial_mode_parse(dial, &p->dial))
        return bad(r, "'dial_mode' is not known");
    if (voice && !voice_parse(voice, &p->voice))
        return bad(r, "'voice_mode' is not known");
    if (consent && !consent_level_parse(consent, &p->consent_required))
        return bad(r, "'consent' is none, express or express_written");
    str_cut(p->min_tzdata, sizeof(p->min_tzdata),
            text_of(policy, "min_tzdata") ? text_of(policy, "min_tzdata") : "");
    str_cut(p->seller, sizeof(p->seller),
            text_of(policy, "seller") ? text_of(policy, "seller") : "");
    return 0;
}

static int read_policy(struct reader *r)
{
    const json_t *policy = json_object_get(r->test, "policy");
    const json_t *rnd = json_object_get(policy, "rnd");
    struct policy *p = &r->policy;
    int err = 0;

    *p = (struct policy){.ring_timeout_s = 25};
    for (int day = 0; day < 7; day++) /* no hours of the tenant's own */
        p->week[day] = (struct policy_day){.n = 1, .at = {{0, DAY_MINUTES}}};
    if (json_object_get(policy, "ring_timeout_s"))
        p->ring_timeout_s = int_of(policy, "ring_timeout_s");
    p->ring_min_s = int_of(policy, "ring_min_s");
    p->close_guard_s = int_of(policy, "close_guard_s");
    p->decision_ttl_s = int_of(policy, "decision_ttl_s");
    p->min_gap_s = int_of(policy, "min_retry_s");
    p->max_total = int_of(policy, "lifetime_max");
    p->max_spread_s =
        (int)(json_number_value(json_object_get(policy, "tz_max_spread_h")) * 3600);
    p->consent_max_age_days = int_of(policy, "consent_max_age_days");
    p->consent_evidence = json_is_true(json_object_get(policy, "consent_evidence"));
    p->line_type_max_age_days = int_of(policy, "line_type_max_age_days");
    p->rnd_required = json_is_true(json_object_get(rnd, "required"));
    p->rnd_max_age_days = int_of(rnd, "max_age_days");
    if (!instant_of(policy, "not_before", &p->not_before_ms) ||
        !instant_of(policy, "not_after", &p->not_after_ms))
        return bad(r, "'not_before' and 'not_after' are instants");
    err = read_names(r, policy);
    p->hours_stated = json_is_object(json_object_get(policy, "windows"));
    if (!err && p->hours_stated)
        err = read_windows(r, json_object_get(policy, "windows"));
    if (!err)
        err = read_packs(r, json_object_get(policy, "packs"));
    if (!err)
        err = read_rules(r, policy);
    if (!err)
        err = read_lists_of_policy(r, json_object_get(policy, "dnc"));
    return err ? err : read_countries(r, json_object_get(policy, "countries"));
}

/* ---- zones ---- */

static void add_zones(struct reader *r, const struct zone_set *set)
{
    for (size_t i = 0; i < set->n; i++) {
        bool known = false;
        for (size_t k = 0; !known && k < r->facts.zone_count; k++)
            known = strcmp(r->zones[k], set->names[i]) == 0;
        if (!known && r->facts.zone_count < CASE_ZONES_MAX)
            r->zones[r->facts.zone_count++] = set->names[i];
    }
}

/* A file that states its own corrections means the numbering data without ours. */
static void find_zones(struct reader *r)
{
    const char *number = text_of(r->test, "number_e164");
    const json_t *overlays = json_object_get(r->set->npa_overrides, "overlay_of");
    const struct zone_set *ours = zones_of(r->phone.e164, r->phone.type);
    char npa[4] = "";

    r->facts.zones = r->zones;
    if (!r->phone.valid)
        return;
    if (!overlays || strncmp(number, "+1", 2) != 0 || strlen(number) != 12 ||
        ours->n > MANY_ZONES) {
        add_zones(r, ours);
        return;
    }
    memcpy(npa, number + 2, 3);
    add_zones(r, zones_of_npa_raw(npa));
    if (text_of(overlays, npa))
        add_zones(r, zones_of_npa_raw(text_of(overlays, npa)));
}

static int read_address(struct reader *r, const json_t *facts)
{
    const json_t *zones = json_object_get(facts, "address_zones");
    struct compliance_facts *f = &r->facts;

    if (json_array_size(zones) > CASE_ZONES_MAX)
        return bad(r, "too many zones");
    f->address_zones = r->address_zones;
    for (; f->address_zone_count < json_array_size(zones); f->address_zone_count++) {
        const char *name =
            json_string_value(json_array_get(zones, f->address_zone_count));
        if (!name)
            return bad(r, "'address_zones' are names");
        r->address_zones[f->address_zone_count] = name;
    }
    f->tz_confirmed = json_is_true(json_object_get(facts, "tz_confirmed"));
    str_cut(f->address_region, sizeof(f->address_region),
            text_of(facts, "address_region") ? text_of(facts, "address_region") : "");
    return 0;
}

/* ---- lists ---- */

static int read_list(struct reader *r, const char *name, const json_t *value)
{
    struct compliance_facts *f = &r->facts;
    struct compliance_list *list = &r->lists[f->list_count];
    const char *state = text_of(value, "state");
    bool hit = json_is_true(json_object_get(value, "hit"));
    int64_t added = 0;

    if (strcmp(name, "tenant.internal") == 0) {
        f->dnc_tenant = hit;
        if (!instant_of(value, "added", &added))
            return bad(r, "'added' is a date");
        f->dnc_added_day = added / DAY_MS;
        return 0;
    }
    if (f->list_count == LISTS_MAX)
        return bad(r, "too many lists");
    *list = (struct compliance_list){.name = name, .state = hit ? LIST_HIT : LIST_CLEAR};
    if (state && strcmp(state, "missing") == 0)
        list->state = LIST_MISSING;
    else if (state && strcmp(state, "corrupt") == 0)
        list->state = LIST_CORRUPT;
    if (!instant_of(value, "obtained", &list->obtained_at_ms))
        return bad(r, "'obtained' is a date");
    f->list_count++;
    return 0;
}

static int read_lists(struct reader *r, const json_t *facts)
{
    struct compliance_facts *f = &r->facts;
    const char *name = NULL;
    json_t *value = NULL;
    int err = 0;

    f->lists = r->lists;
    f->washes = r->washes;
    json_object_foreach(json_object_get(facts, "lists"), name, value)
    {
        if (!err)
            err = read_list(r, name, value);
    }
    json_object_foreach(json_object_get(facts, "wash"), name, value)
    {
        struct compliance_wash *w = &r->washes[f->wash_count];
        if (err || f->wash_count == LISTS_MAX)
            break;
        *w = (struct compliance_wash){.name = name,
                                      .hit = json_is_true(json_object_get(value, "hit"))};
        if (!instant_of(value, "checked", &w->checked_at_ms) ||
            !instant_of(value, "expires", &w->expires_at_ms))
            err = bad(r, "a wash has instants 'checked' and 'expires'");
        f->wash_count++;
    }
    return err;
}

/* ---- the other facts ---- */

static int read_consent(struct reader *r, const json_t *consent)
{
    struct compliance_facts *f = &r->facts;
    const char *level = text_of(consent, "level");
    int64_t revoked = 0;

    if (level && !consent_level_parse(level, &f->consent))
        return bad(r, "the consent's 'level' is not known");
    if (!instant_of(consent, "revoked", &revoked) ||
        !instant_of(consent, "at", &f->consent_given_ms))
        return bad(r, "a consent has instants 'at' and 'revoked'");
    f->consent_revoked = revoked != 0 && revoked <= r->now_ms;
    f->consent_evidence = json_object_get(consent, "evidence") != NULL;
    str_cut(f->consent_seller, sizeof(f->consent_seller),
            text_of(consent, "seller") ? text_of(consent, "seller") : "");
    return 0;
}

static int read_counters(struct reader *r, const json_t *facts)
{
    const json_t *list = json_object_get(facts, "abandon");
    struct compliance_facts *f = &r->facts;

    f->abandon = r->abandon;
    for (; f->abandon_count < json_array_size(list); f->abandon_count++) {
        const json_t *a = json_array_get(list, f->abandon_count);
        if (f->abandon_count == LISTS_MAX)
            return bad(r, "too many counters");
        r->abandon[f->abandon_count] = (struct compliance_abandon){
            .limit_ppm =
                (int)(json_number_value(json_object_get(a, "limit")) * PPM + 0.5),
            .answered = json_integer_value(json_object_get(a, "answered")),
            .abandoned = json_integer_value(json_object_get(a, "abandoned")),
            .unbacked = json_integer_value(json_object_get(a, "unbacked_in_flight"))};
    }
    return 0;
}

static int read_regions(struct reader *r, const json_t *facts)
{
    const json_t *registrations = json_object_get(facts, "registrations");
    const json_t *blocks = json_object_get(facts, "emergency_blocks");
    struct compliance_facts *f = &r->facts;

    if (json_array_size(registrations) > LISTS_MAX || json_array_size(blocks) > LISTS_MAX)
        return bad(r, "too many registrations or blocks");
    f->registrations = r->registrations;
    f->blocks = r->blocks;
    for (; f->registration_count < json_array_size(registrations);
         f->registration_count++) {
        const json_t *item = json_array_get(registrations, f->registration_count);
        struct compliance_registration *to = &r->registrations[f->registration_count];
        if (!text_of(item, "region") || !instant_of(item, "until", &to->until_ms))
            return bad(r, "a registration has 'region' and 'until'");
        str_cut(to->region, sizeof(to->region), text_of(item, "region"));
    }
    for (; f->block_count < json_array_size(blocks); f->block_count++) {
        const json_t *item = json_array_get(blocks, f->block_count);
        struct compliance_block *to = &r->blocks[f->block_count];
        if (!text_of(item, "region") || !instant_of(item, "from", &to->from_ms) ||
            !instant_of(item, "until", &to->until_ms))
            return bad(r, "an emergency block has 'region', 'from' and 'until'");
        str_cut(to->region, sizeof(to->region), text_of(item, "region"));
    }
    return 0;
}

static int read_rnd(struct reader *r, const json_t *rnd)
{
    static const char *const answers[] = {"none", "no", "yes", "no_data"};
    const char *answer = text_of(rnd, "answer");

    for (size_t i = 0; answer && i < ARRAY_LEN(answers); i++)
        if (strcmp(answer, answers[i]) == 0)
            r->facts.rnd = (enum rnd_answer)i;
    return instant_of(rnd, "checked", &r->facts.rnd_checked_ms)
               ? 0
               : bad(r, "a reassigned-number answer has an instant 'checked'");
}

static int read_line(struct reader *r, const json_t *facts)
{
    const char *line = text_of(facts, "line_type");
    struct compliance_facts *f = &r->facts;

    if (line && strcmp(line, "FIXED_LINE") == 0)
        f->line = LINE_FACT_FIXED;
    else if (line && strcmp(line, "MOBILE") == 0)
        f->line = LINE_FACT_MOBILE;
    else if (line && strcmp(line, "VOIP") == 0)
        f->line = LINE_FACT_VOIP;
    else if (line)
        return bad(r, "'line_type' is FIXED_LINE, MOBILE or VOIP");
    return instant_of(facts, "line_checked", &f->line_checked_ms)
               ? 0
               : bad(r, "'line_checked' is an instant");
}

static void read_flags(struct reader *r, const json_t *facts)
{
    const json_t *trusted = json_object_get(facts, "clock_trusted");
    const char *tzdata = text_of(facts, "tzdata_version");
    struct compliance_facts *f = &r->facts;

    f->clock_trusted = !json_is_false(trusted);
    f->history_known = !json_is_false(json_object_get(facts, "history_known"));
    f->campaign_running = !json_is_false(json_object_get(facts, "campaign_running"));
    f->kill_switch = json_is_true(json_object_get(facts, "kill_switch"));
    f->emergency = json_is_true(json_object_get(facts, "emergency"));
    f->protected_line = json_is_true(json_object_get(facts, "protected"));
    f->lead_closed = json_is_true(json_object_get(facts, "lead_closed"));
    f->reserved_agent = json_is_true(json_object_get(facts, "reserved_agent"));
    f->zones_date_ms = r->now_ms; /* a case is of its own day */
    if (tzdata)
        str_cut(f->tzdata, sizeof(f->tzdata), tzdata);
    else if (tz_version(f->tzdata))
        f->tzdata[0] = '\0';
}

static int read_facts(struct reader *r)
{
    const json_t *facts = json_object_get(r->test, "facts");
    struct compliance_facts *f = &r->facts;

    *f = (struct compliance_facts){.phone = r->phone.e164,
                                   .type = r->phone.type,
                                   .valid = r->phone.valid,
                                   .campaign_id = 1};
    if (r->phone.valid) {
        str_cut(f->region, sizeof(f->region), r->phone.region);
        str_cut(f->state, sizeof(f->state), zones_state_of(r->phone.e164));
    }
    read_flags(r, facts);
    find_zones(r);
    if (!instant_of(facts, "decided_at", &f->decided_at_ms))
        return bad(r, "'decided_at' is an instant");
    int err = read_address(r, facts);
    if (!err)
        err = read_lists(r, facts);
    if (!err)
        err = read_consent(r, json_object_get(facts, "consent"));
    if (!err)
        err = read_counters(r, facts);
    if (!err)
        err = read_regions(r, facts);
    if (!err)
        err = read_rnd(r, json_object_get(facts, "rnd"));
    return err ? err : read_line(r, facts);
}

/* ---- history ---- */

/* Both state it, and not the same: what is not known counts. */
static bool differs(const json_t *a, const json_t *b, const char *key)
{
    return text_of(a, key) && text_of(b, key) &&
           strcmp(text_of(a, key), text_of(b, key)) != 0;
}

/* Both state it, and the same. */
static bool same(const json_t *a, const json_t *b, const char *key)
{
    return text_of(a, key) && text_of(b, key) &&
           strcmp(text_of(a, key), text_of(b, key)) == 0;
}

static int by_time(const void *a, const void *b)
{
    const struct compliance_call *x = a, *y = b;

    return (x->at_ms > y->at_ms) - (x->at_ms < y->at_ms);
}

static int read_history(struct reader *r)
{
    const json_t *history = json_object_get(r->test, "history");
    const json_t *facts = json_object_get(r->test, "facts");
    const char *number = text_of(r->test, "number_e164");
    struct compliance_facts *f = &r->facts;

    if (json_array_size(history) > CALLS_MAX)
        return bad(r, "too many calls");
    for (size_t i = 0; i < json_array_size(history); i++) {
        const json_t *item = json_array_get(history, i);
        const char *other = text_of(item, "number");
        bool person = same(item, facts, "person");
        struct compliance_call c = {.campaign_id = 1,
                                    .outcome = outcome_parse(text_of(item, "outcome")),
                                    .open = json_is_true(json_object_get(item, "open")),
                                    .other_number = other && strcmp(other, number) != 0,
                                    .other_debt = differs(item, facts, "person") ||
                                                  differs(item, facts, "debt"),
                                    .other_subject = differs(item, facts, "person") ||
                                                     differs(item, facts, "subject")};
        if (!instant_of(item, "t", &c.at_ms) || c.at_ms == 0)
            return bad(r, "every call of 'history' has an instant 't'");
        if (!c.other_number || person)
            r->calls[f->call_count++] = c;
    }
    qsort(r->calls, f->call_count, sizeof(r->calls[0]), by_time);
    f->calls = r->calls;
    return 0;
}

/* ---- the verdict ---- */

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static json_t *zones_of_case(const struct reader *r)
{
    const struct compliance_facts *f = &r->facts;
    const char *all[2 * CASE_ZONES_MAX];
    json_t *list = json_array();
    size_t n = 0;

    for (size_t i = 0; i < f->address_zone_count; i++)
        all[n++] = f->address_zones[i];
    if (!(f->tz_confirmed && f->address_zone_count > 0))
        for (size_t i = 0; i < f->zone_count; i++)
            all[n++] = f->zones[i];
    if (n > MANY_ZONES) {
        char text[32];
        snprintf(text, sizeof(text), "<%zu zones>", n);
        json_array_append_new(list, json_string(text));
        return list;
    }
    if (n > 0)
        qsort(all, n, sizeof(all[0]), by_text);
    for (size_t i = 0; i < n; i++)
        if (i == 0 || strcmp(all[i], all[i - 1]) != 0)
            json_array_append_new(list, json_string(all[i]));
    return list;
}

static json_t *packs_of_case(const struct reader *r)
{
    const struct pack *packs[COMPLIANCE_PACKS_MAX];
    json_t *names = json_array();

    size_t n = compliance_packs_of(&r->policy, &r->facts, packs);
    for (size_t i = 0; i < n; i++)
        json_array_append_new(names, json_string(packs[i]->name));
    return names;
}

static json_t *verdict_of_case(const struct reader *r, const struct verdict *v)
{
    char next[CLOCK_TEXT_MAX];
    json_t *reasons = json_array();
    const char *id = text_of(r->test, "id");

    for (size_t i = 0; i < v->n; i++)
        json_array_append_new(reasons, json_string(reason_name(v->reasons[i])));
    clock_text(v->next_allowed_ms, next);
    return json_pack("{s:s, s:b, s:s, s:o, s:s?, s:o, s:o}", "id", id ? id : "", "allow",
                     v->allow, "reason", reason_name(v->reason), "all_reasons", reasons,
                     "next_allowed_utc", v->next_allowed_ms ? next : NULL, "zones",
                     zones_of_case(r), "packs", packs_of_case(r));
}

static int read_case(struct reader *r)
{
    const char *number = text_of(r->test, "number_e164");

    if (!number || *number != '+')
        return bad(r, "'number_e164' is a number with its +");
    if (!instant_of(r->test, "instant_utc", &r->now_ms) || r->now_ms == 0)
        return bad(r, "'instant_utc' is an instant, e.g. 2026-11-20T12:59:59Z");
    r->phone.valid = phone_parse(number, strlen(number), NULL, &r->phone) == PHONE_VALID;
    int err = read_policy(r);
    if (!err)
        err = read_facts(r);
    return err ? err : read_history(r);
}

static int run(const struct cases_set *set, const json_t *test, bool explain,
               json_t **out, struct errtext *e)
{
    struct reader *r = xcalloc(1, sizeof(*r));
    struct verdict v;

    r->set = set;
    r->test = test;
    r->e = e;
    int err = read_case(r);
    if (!err && explain) {
        *out = compliance_explain(&r->policy, &r->facts, r->now_ms);
    } else if (!err) {
        compliance_check(&r->policy, &r->facts, r->now_ms, &v);
        *out = verdict_of_case(r, &v);
    }
    free(r);
    return err;
}

int case_run(const struct cases_set *set, const json_t *test, json_t **out,
             struct errtext *e)
{
    return run(set, test, false, out, e);
}

int case_explain(const struct cases_set *set, const json_t *test, json_t **out,
                 struct errtext *e)
{
    return run(set, test, true, out, e);
}

json_t *case_differences(const json_t *test, const json_t *verdict)
{
    json_t *differences = json_array();
    const char *key = NULL;
    json_t *value = NULL;

    json_object_foreach(json_object_get(test, "expect"), key, value)
    {
        if (!json_equal(value, json_object_get(verdict, key)))
            json_array_append_new(differences, json_string(key));
    }
    return differences;
}
