/*
 * The gate: every rule is asked, none cuts the others short; the primary reason is the
 * first in the one total order. Its parts: check_lists, check_consent, check_hours,
 * check_history.
 */
#include "compliance/check.h"

#include <stdlib.h>
#include <string.h>

#include "compliance/look.h"

enum { PHONE_DATA_MAX_DAYS = 400, CLOSE_LOOK_DAYS = 8, PPM = 1000000 };

/* ---- answers ---- */

static void add(struct verdict *v, enum reason r)
{
    size_t at = v->n;

    for (size_t i = 0; i < v->n; i++)
        if (v->reasons[i] == r)
            return;
    if (at == VERDICT_REASONS_MAX) {
        if (reason_rank(v->reasons[at - 1]) <= reason_rank(r))
            return; /* the severest are in */
        at--;
        v->n--;
    }
    while (at > 0 && reason_rank(v->reasons[at - 1]) > reason_rank(r)) {
        v->reasons[at] = v->reasons[at - 1];
        at--;
    }
    v->reasons[at] = r;
    v->n++;
}

static json_t *traced(const char *rule, const struct pack *pack,
                      const struct pack_row *row, enum reason reason)
{
    char date[16] = "";

    if (row && row->checked_day)
        rule_date_text(row->checked_day, date);
    json_t *json = json_pack("{s:s, s:s, s:s?, s:s?}", "rule", rule, "answer",
                             reason == REASON_ALLOW ? "pass" : "refuse", "reason",
                             reason == REASON_ALLOW ? NULL : reason_name(reason), "pack",
                             pack ? pack->name : NULL);
    if (row) {
        const char grade[2] = {row->grade, '\0'};
        json_object_set_new(json, "row", json_string(row->id));
        json_object_set_new(json, "cite", json_string(row->cite));
        json_object_set_new(json, "checked_on", json_string(date));
        json_object_set_new(json, "grade", json_string(grade));
    }
    return json;
}

void look_answer(struct look *l, const char *rule, const struct pack *pack,
                 const struct pack_row *row, enum reason reason)
{
    if (reason != REASON_ALLOW)
        add(l->v, reason);
    if (l->trace)
        json_array_append_new(l->trace, traced(rule, pack, row, reason));
}

bool look_row_holds(const struct look *l, const struct pack_row *row)
{
    if (!(row->purposes & (1U << l->p->purpose)) || !(row->voices & (1U << l->p->voice)))
        return false;
    if (row->from_day == INT64_MIN && row->until_day == INT64_MAX)
        return true;
    for (size_t i = 0; i < l->windows.zone_count; i++)
        if (pack_row_in_force(row, windows_zone_day(&l->windows.zones[i], l->now_ms)))
            return true;
    return l->windows.zone_count == 0 && pack_row_in_force(row, l->now_ms / DAY_MS);
}

bool look_is_mobile(const struct look *l)
{
    if (l->f->line != LINE_FACT_NONE)
        return l->f->line == LINE_FACT_MOBILE;
    return l->f->type == PHONE_MOBILE || l->f->type == PHONE_FIXED_OR_MOBILE ||
           l->f->type == PHONE_UNKNOWN;
}

/* ---- which packs ---- */

static bool add_pack(struct look *l, const char *name)
{
    const struct pack *pack = packs_find(l->p->packs, name);

    if (!pack)
        return false;
    for (size_t i = 0; i < l->pack_count; i++)
        if (l->packs[i] == pack)
            return true;
    bool speaks = false; /* of this purpose */
    for (size_t i = 0; i < pack->row_count; i++)
        speaks |= (pack->rows[i].purposes & (1U << l->p->purpose)) != 0;
    if (!speaks || l->pack_count == COMPLIANCE_PACKS_MAX)
        return false;
    l->packs[l->pack_count++] = pack;
    return true;
}

/* region: "US", "US-FL" or "". */
static void add_region(struct look *l, const char *region)
{
    char country[3] = "";

    if (strlen(region) < 2)
        return;
    memcpy(country, region, 2);
    if (!add_pack(l, country))
        l->uncovered = true;
    if (region[2] == '-')
        add_pack(l, region); /* most states have none of their own */
}

static bool is_in(const char *region, const char *country)
{
    return strncmp(region, country, 2) == 0 && region[2] == '-';
}

static void find_packs(struct look *l)
{
    const struct compliance_facts *f = l->f;

    if (l->p->pack_mode == PACKS_LIST)
        for (size_t i = 0; i < l->p->pack_count; i++)
            if (!add_pack(l, l->p->pack_names[i]))
                l->uncovered = true;
    if (l->p->pack_mode != PACKS_AUTO)
        return;
    if (f->valid || f->region[0]) {
        add_region(l, f->region);
        add_region(l, f->state);
        if (!f->region[0] || strcmp(f->region, "001") == 0)
            l->uncovered = true;
    }
    add_region(l, f->address_region);
    /* Somewhere in the United States: what is strictest anywhere there. */
    if (strcmp(f->region, "US") == 0 && !is_in(f->state, "US") &&
        !is_in(f->address_region, "US"))
        add_pack(l, "US-UNKNOWN");
}

static bool add_windows(struct look *l)
{
    for (size_t i = 0; i < l->pack_count; i++)
        for (size_t k = 0; k < l->packs[i]->row_count; k++) {
            const struct pack_row *row = &l->packs[i]->rows[k];
            if (row->kind == PACK_WINDOWS && (row->purposes & (1U << l->p->purpose)) &&
                (row->voices & (1U << l->p->voice)) &&
                !windows_add(&l->windows, l->packs[i], row))
                return false;
        }
    return true;
}

/* ---- the machine and the number ---- */

static void answer_if(struct look *l, const char *rule, bool refuses, enum reason reason)
{
    if (refuses || l->trace)
        look_answer(l, rule, NULL, NULL, refuses ? reason : REASON_ALLOW);
}

static void look_at_machine(struct look *l)
{
    const struct policy *p = l->p;
    const struct compliance_facts *f = l->f;

    answer_if(l, "kill_switch", f->kill_switch, REASON_KILL_SWITCH);
    answer_if(l, "clock", !f->clock_trusted, REASON_CLOCK_UNTRUSTED);
    answer_if(l, "tzdata", p->min_tzdata[0] && strcmp(f->tzdata, p->min_tzdata) < 0,
              REASON_TZDATA_STALE);
    answer_if(l, "permit",
              f->decided_at_ms > 0 && p->decision_ttl_s > 0 &&
                  l->now_ms - f->decided_at_ms > p->decision_ttl_s * SECOND_MS,
              REASON_DECISION_EXPIRED);
    answer_if(l, "phone_data",
              l->now_ms - f->zones_date_ms > PHONE_DATA_MAX_DAYS * DAY_MS,
              REASON_PHONE_DATA_STALE);
    answer_if(l, "history", !f->history_known, REASON_HISTORY_UNAVAILABLE);
    answer_if(l, "campaign",
              !f->campaign_running ||
                  (p->not_after_ms > 0 && l->now_ms >= p->not_after_ms),
              REASON_CAMPAIGN_STOPPED);
    for (size_t i = 0; i < l->pack_count; i++)
        if (windows_last_day(&l->windows, l->now_ms) > l->packs[i]->review_by_day)
            look_answer(l, "review", l->packs[i], NULL, REASON_PACK_EXPIRED);
}

static bool type_is_forbidden(enum phone_type t)
{
    return t == PHONE_PREMIUM || t == PHONE_SHARED_COST || t == PHONE_PERSONAL ||
           t == PHONE_PAGER || t == PHONE_UAN || t == PHONE_VOICEMAIL;
}

static void look_at_number(struct look *l)
{
    const struct compliance_facts *f = l->f;

    answer_if(l, "number", !f->valid, REASON_NUMBER_INVALID);
    answer_if(l, "number.type", type_is_forbidden(f->type), REASON_NUMBER_TYPE_FORBIDDEN);
    answer_if(l, "number.emergency", f->emergency, REASON_NUMBER_EMERGENCY);
    answer_if(l, "number.protected", f->protected_line, REASON_NUMBER_PROTECTED);
    answer_if(l, "regions", !policy_has_region(l->p, f->region),
              REASON_COUNTRY_NOT_ENABLED);
    answer_if(l, "packs", l->uncovered && !l->p->hours_stated, REASON_REGION_UNCOVERED);
    answer_if(l, "contact", f->lead_closed, REASON_LEAD_CLOSED);
}

/* Unbacked calls that could all be answered and abandoned without passing the limit
 * (docs/campaigns.md, "Modes and agents"): k = floor((L*A - a) / (1 - L)). */
static int64_t abandon_credit(const struct compliance_abandon *a)
{
    int64_t over = a->limit_ppm * a->answered - PPM * a->abandoned;

    return over > 0 && a->limit_ppm < PPM ? over / (PPM - a->limit_ppm) : 0;
}

static void look_at_abandonment(struct look *l)
{
    const struct compliance_facts *f = l->f;

    if (l->p->dial != DIAL_PREDICTIVE || f->reserved_agent)
        return;
    bool within = f->abandon_count > 0;
    for (size_t i = 0; i < f->abandon_count; i++)
        within &= abandon_credit(&f->abandon[i]) - f->abandon[i].unbacked >= 1;
    look_answer(l, "abandonment", NULL, NULL,
                within ? REASON_ALLOW : REASON_ABANDON_BUDGET);
}

/* ---- together ---- */

static bool all_are_time(const struct verdict *v)
{
    for (size_t i = 0; i < v->n; i++)
        if (reason_class(v->reasons[i]) != REASON_TIME ||
            v->reasons[i] == REASON_TZ_NO_COMMON_WINDOW)
            return false;
    return true;
}

/* History rules end once and for all, so the windows are asked from their latest end;
 * the hours have looked from now on already. */
static int64_t next_allowed(const struct look *l)
{
    int64_t from_ms = look_history_ends_ms(l);

    if (from_ms == INT64_MAX)
        return 0;
    int64_t next_ms = l->opens_ms;
    if (next_ms == 0 || from_ms > next_ms)
        next_ms =
            windows_next_open(&l->windows, from_ms > l->now_ms ? from_ms : l->now_ms,
                              l->p->close_guard_s * SECOND_MS, WINDOWS_HORIZON_DAYS);
    return l->p->not_after_ms > 0 && next_ms >= l->p->not_after_ms ? 0 : next_ms;
}

static void run(struct look *l)
{
    find_packs(l);
    l->zoned = windows_init(&l->windows, l->p, l->f, l->now_ms);
    if (!add_windows(l)) {
        look_answer(l, "policy", NULL, NULL, REASON_POLICY_INVALID);
        return;
    }
    look_at_machine(l);
    look_at_number(l);
    look_at_suppression(l);
    look_at_consent(l);
    look_at_hours(l);
    look_at_history(l);
    look_at_abandonment(l);
}

static void conclude(struct look *l)
{
    struct verdict *v = l->v;

    v->allow = v->n == 0;
    v->reason = v->allow ? REASON_ALLOW : v->reasons[0];
    if (!v->allow)
        v->open_until_ms = 0;
    else if (l->p->not_after_ms > 0 &&
             (v->open_until_ms == 0 || l->p->not_after_ms < v->open_until_ms))
        v->open_until_ms = l->p->not_after_ms;
    if (!v->allow && l->zoned && all_are_time(v))
        v->next_allowed_ms = next_allowed(l);
}

static void check(const struct policy *policy, const struct compliance_facts *facts,
                  int64_t now_ms, struct verdict *out, json_t *trace)
{
    struct look l;

    *out = (struct verdict){0};
    /* Not all of it is cleared: most are arrays with their own counts. */
    l.p = policy;
    l.f = facts;
    l.now_ms = now_ms;
    l.v = out;
    l.trace = trace;
    l.pack_count = 0;
    l.opens_ms = 0;
    l.uncovered = l.zoned = false;
    if (policy && policy_is_valid(policy)) {
        run(&l);
        conclude(&l);
        return;
    }
    look_answer(&l, "policy", NULL, NULL,
                policy ? REASON_POLICY_INVALID : REASON_POLICY_MISSING);
    out->reason = out->reasons[0];
}

void compliance_check(const struct policy *policy, const struct compliance_facts *facts,
                      int64_t now_ms, struct verdict *out)
{
    check(policy, facts, now_ms, out, NULL);
}

json_t *compliance_explain(const struct policy *policy,
                           const struct compliance_facts *facts, int64_t now_ms)
{
    json_t *trace = json_array();
    struct verdict v;

    check(policy, facts, now_ms, &v, trace);
    return trace;
}

size_t compliance_packs_of(const struct policy *policy,
                           const struct compliance_facts *facts,
                           const struct pack *out[COMPLIANCE_PACKS_MAX])
{
    struct look l = {.p = policy, .f = facts};

    find_packs(&l);
    memcpy(out, l.packs, l.pack_count * sizeof(*out));
    return l.pack_count;
}

bool compliance_is_open(const struct policy *policy, const char *region,
                        const char *const *zones, size_t zone_count,
                        const struct compliance_holiday *holidays, size_t holiday_count,
                        int64_t now_ms, int64_t *until_ms)
{
    struct compliance_facts facts = {.zones = zones,
                                     .zone_count = zone_count,
                                     .holidays = holidays,
                                     .holiday_count = holiday_count,
                                     .valid = true};
    struct look l = {.p = policy, .f = &facts, .now_ms = now_ms};
    const struct windows *w = &l.windows;

    strncpy(facts.region, region, sizeof(facts.region) - 1);
    *until_ms = 0;
    if (!policy || !policy_is_valid(policy))
        return false;
    if (policy->pack_mode == PACKS_AUTO) {
        if (strlen(region) == 2)
            add_pack(&l, region);
    } else {
        find_packs(&l);
    }
    if (!windows_init(&l.windows, policy, &facts, now_ms) || !add_windows(&l))
        return false;
    int64_t guard_ms = policy->close_guard_s * SECOND_MS;
    if (windows_next_open(w, now_ms, guard_ms, 0) == now_ms) {
        int64_t close_ms = windows_next_change(w, now_ms, CLOSE_LOOK_DAYS);
        *until_ms = close_ms > 0 ? close_ms - guard_ms : 0;
        return true;
    }
    *until_ms = windows_next_open(w, now_ms, guard_ms, WINDOWS_HORIZON_DAYS);
    return false;
}
