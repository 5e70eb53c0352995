#include "compliance/check.h"

#include <string.h>

#include "compliance/windows.h"

enum { PHONE_DATA_MAX_DAYS = 400, COMMON_WINDOW_DAYS = 7, CLOSE_LOOK_DAYS = 8 };
#define SECOND_MS ((int64_t)1000)
#define DAY_MS    (86400 * SECOND_MS)
#define WEEK_MS   (7 * DAY_MS)

/* ---- the list of reasons ---- */

static void add(struct verdict *v, enum reason r)
{
    size_t at = v->n;

    if (v->n == VERDICT_REASONS_MAX)
        return; /* the severest are in: rows are tried in order of severity */
    for (size_t i = 0; i < v->n; i++)
        if (v->reasons[i] == r)
            return;
    while (at > 0 && reason_rank(v->reasons[at - 1]) > reason_rank(r)) {
        v->reasons[at] = v->reasons[at - 1];
        at--;
    }
    v->reasons[at] = r;
    v->n++;
}

/* ---- what is no matter of time ---- */

static void check_machine(const struct policy *p, const struct compliance_facts *f,
                          int64_t now_ms, struct verdict *v)
{
    if (!f->clock_trusted)
        add(v, REASON_CLOCK_UNTRUSTED);
    if (now_ms - f->zones_date_ms > PHONE_DATA_MAX_DAYS * DAY_MS)
        add(v, REASON_PHONE_DATA_STALE);
    if (!f->history_known)
        add(v, REASON_HISTORY_UNAVAILABLE);
    if (!f->campaign_running || (p->not_after_ms > 0 && now_ms >= p->not_after_ms))
        add(v, REASON_CAMPAIGN_STOPPED);
}

static bool type_is_forbidden(enum phone_type t)
{
    return t == PHONE_PREMIUM || t == PHONE_SHARED_COST || t == PHONE_PERSONAL ||
           t == PHONE_PAGER || t == PHONE_UAN || t == PHONE_VOICEMAIL;
}

static void check_number(const struct policy *p, const struct compliance_facts *f,
                         struct verdict *v)
{
    if (!f->valid)
        add(v, REASON_NUMBER_INVALID);
    if (type_is_forbidden(f->type))
        add(v, REASON_NUMBER_TYPE_FORBIDDEN);
    if (!policy_has_region(p, f->region))
        add(v, REASON_COUNTRY_NOT_ENABLED);
    if (f->dnc_tenant)
        add(v, REASON_DNC_INTERNAL);
    if (f->dnc_campaign)
        add(v, REASON_DNC_CAMPAIGN);
    if (f->consent_revoked)
        add(v, REASON_CONSENT_REVOKED);
    else if (f->consent < p->consent_required)
        add(v, REASON_CONSENT_MISSING);
}

/* ---- hours ---- */

static void check_windows(const struct windows *w, int64_t now_ms, struct verdict *v)
{
    static const enum reason reasons[] = {[WINDOWS_HOLIDAY] = REASON_HOLIDAY,
                                          [WINDOWS_DAY] = REASON_DAY_FORBIDDEN,
                                          [WINDOWS_HOUR] = REASON_OUTSIDE_WINDOW};
    int64_t guard_ms = w->policy->close_guard_s * SECOND_MS;
    bool open = true;

    for (size_t i = 0; i < w->zone_count; i++) {
        enum windows_state s = windows_zone_state(w, w->zones[i], now_ms);
        if (s != WINDOWS_OPEN) {
            add(v, reasons[s]);
            open = false;
        }
    }
    if (!open) {
        if (w->zone_count > 1 &&
            windows_next_open(w, now_ms, guard_ms, COMMON_WINDOW_DAYS) == 0)
            add(v, REASON_TZ_NO_COMMON_WINDOW);
        return;
    }
    int64_t close_ms = windows_next_change(w, now_ms, CLOSE_LOOK_DAYS);
    if (close_ms > 0 && close_ms - now_ms <= guard_ms)
        add(v, REASON_WINDOW_CLOSING);
    v->open_until_ms = close_ms > 0 ? close_ms - guard_ms : 0;
}

/* ---- history ---- */

static int64_t last_call_ms(const struct compliance_facts *f)
{
    return f->call_count > 0 ? f->calls[f->call_count - 1].at_ms : INT64_MIN;
}

/* The instant from which fewer than max calls lie within span; a call in the future (a
 * clock was set back) counts like one of now. */
static int64_t frequency_ends_ms(const struct compliance_facts *f, int max,
                                 int64_t span_ms)
{
    if (max <= 0 || f->call_count < (size_t)max)
        return INT64_MIN;
    return f->calls[f->call_count - (size_t)max].at_ms + span_ms;
}

static int64_t gap_ends_ms(const struct policy *p, const struct compliance_facts *f)
{
    return f->call_count > 0 && p->min_gap_s > 0
               ? last_call_ms(f) + p->min_gap_s * SECOND_MS
               : INT64_MIN;
}

static void check_history(const struct policy *p, const struct compliance_facts *f,
                          int64_t now_ms, struct verdict *v)
{
    size_t in_campaign = 0;

    for (size_t i = 0; i < f->call_count; i++) {
        in_campaign += f->calls[i].campaign_id == f->campaign_id;
        if (f->calls[i].open)
            add(v, REASON_IN_FLIGHT);
    }
    if (now_ms < p->not_before_ms)
        add(v, REASON_NOT_BEFORE);
    if (now_ms < gap_ends_ms(p, f))
        add(v, REASON_COOLDOWN_RETRY);
    if (now_ms < frequency_ends_ms(f, p->max_24h, DAY_MS))
        add(v, REASON_FREQ_24H);
    if (now_ms < frequency_ends_ms(f, p->max_7d, WEEK_MS))
        add(v, REASON_FREQ_7D);
    if (p->max_total > 0 && in_campaign >= (size_t)p->max_total)
        add(v, REASON_FREQ_LIFETIME);
}

/* ---- together ---- */

static int64_t later(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* History rules end once and for all, so the windows are asked from their latest end. */
static int64_t next_allowed(const struct policy *p, const struct compliance_facts *f,
                            const struct windows *w, int64_t now_ms)
{
    int64_t from_ms = later(now_ms, p->not_before_ms);

    from_ms = later(from_ms, gap_ends_ms(p, f));
    from_ms = later(from_ms, frequency_ends_ms(f, p->max_24h, DAY_MS));
    from_ms = later(from_ms, frequency_ends_ms(f, p->max_7d, WEEK_MS));
    int64_t next_ms =
        windows_next_open(w, from_ms, p->close_guard_s * SECOND_MS, WINDOWS_HORIZON_DAYS);
    return p->not_after_ms > 0 && next_ms >= p->not_after_ms ? 0 : next_ms;
}

static bool all_are_time(const struct verdict *v)
{
    for (size_t i = 0; i < v->n; i++)
        if (reason_class(v->reasons[i]) != REASON_TIME)
            return false;
    return true;
}

void compliance_check(const struct policy *policy, const struct compliance_facts *facts,
                      int64_t now_ms, struct verdict *out)
{
    struct windows w = {0};
    bool zoned = false;

    *out = (struct verdict){0};
    if (!policy) {
        add(out, REASON_POLICY_MISSING);
    } else if (!policy_is_valid(policy)) {
        add(out, REASON_POLICY_INVALID);
    } else {
        check_machine(policy, facts, now_ms, out);
        check_number(policy, facts, out);
        zoned = windows_init(&w, policy, facts, now_ms);
        if (zoned)
            check_windows(&w, now_ms, out);
        else if (facts->valid || facts->zone_count > 0)
            add(out, REASON_TZ_UNKNOWN); /* what is no number lies nowhere anyway */
        check_history(policy, facts, now_ms, out);
    }
    out->allow = out->n == 0;
    out->reason = out->allow ? REASON_ALLOW : out->reasons[0];
    if (out->allow && policy && policy->not_after_ms > 0 &&
        (out->open_until_ms == 0 || policy->not_after_ms < out->open_until_ms))
        out->open_until_ms = policy->not_after_ms;
    if (!out->allow)
        out->open_until_ms = 0;
    if (!out->allow && zoned && all_are_time(out))
        out->next_allowed_ms = next_allowed(policy, facts, &w, now_ms);
}

bool compliance_is_open(const struct policy *policy, const char *region,
                        const char *const *zones, size_t zone_count,
                        const struct compliance_holiday *holidays, size_t holiday_count,
                        int64_t now_ms, int64_t *until_ms)
{
    struct compliance_facts facts = {.zones = zones,
                                     .zone_count = zone_count,
                                     .holidays = holidays,
                                     .holiday_count = holiday_count};
    struct windows w = {0};

    strncpy(facts.region, region, sizeof(facts.region) - 1);
    *until_ms = 0;
    if (!policy || !policy_is_valid(policy) || !windows_init(&w, policy, &facts, now_ms))
        return false;
    int64_t guard_ms = policy->close_guard_s * SECOND_MS;
    if (windows_next_open(&w, now_ms, guard_ms, 0) == now_ms) {
        int64_t close_ms = windows_next_change(&w, now_ms, CLOSE_LOOK_DAYS);
        *until_ms = close_ms > 0 ? close_ms - guard_ms : 0;
        return true;
    }
    *until_ms = windows_next_open(&w, now_ms, guard_ms, WINDOWS_HORIZON_DAYS);
    return false;
}
