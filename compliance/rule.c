#include "compliance/rule.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "contacts/tz.h"

enum { MAX_LIMIT = 100000, DAYS_LIMIT = 3660 };

static const char *const purposes[PURPOSES] = {
    "telemarketing", "informational", "debt_collection", "healthcare",
    "survey",        "charity",       "political",       "emergency"};
static const char *const voices[VOICES] = {"live", "prerecorded", "ai"};
static const char *const dial_modes[DIAL_MODES] = {"manual", "preview", "progressive",
                                                   "predictive"};
static const char *const outcomes[OUTCOMES] = {
    "other",        "no_answer", "busy",   "sit_not_connected", "voicemail", "machine",
    "conversation", "abandoned", "refused"};
static const char *const scopes[SCOPES] = {"number", "person", "person_debt", "subject",
                                           "campaign"};

static int find(const char *const *names, int n, const char *name)
{
    for (int i = 0; name && i < n; i++)
        if (strcmp(names[i], name) == 0)
            return i;
    return -1;
}

const char *purpose_name(enum purpose p)
{
    return purposes[p];
}

bool purpose_parse(const char *name, enum purpose *out)
{
    int i = find(purposes, PURPOSES,
                 name && strcmp(name, "debt") == 0 ? "debt_collection" : name);

    if (i >= 0)
        *out = (enum purpose)i;
    return i >= 0;
}

const char *voice_name(enum voice v)
{
    return voices[v];
}

bool voice_parse(const char *name, enum voice *out)
{
    int i = find(voices, VOICES, name);

    if (i >= 0)
        *out = (enum voice)i;
    return i >= 0;
}

const char *dial_mode_name(enum dial_mode m)
{
    return dial_modes[m];
}

bool dial_mode_parse(const char *name, enum dial_mode *out)
{
    int i = find(dial_modes, DIAL_MODES, name);

    if (i >= 0)
        *out = (enum dial_mode)i;
    return i >= 0;
}

const char *outcome_name(enum outcome o)
{
    return outcomes[o];
}

enum outcome outcome_parse(const char *name)
{
    int i = find(outcomes, OUTCOMES, name);

    return i < 0 ? OUTCOME_OTHER : (enum outcome)i;
}

const char *rule_scope_name(enum rule_scope s)
{
    return scopes[s];
}

bool rule_scope_parse(const char *name, enum rule_scope *out)
{
    int i = find(scopes, SCOPES, name);

    if (i >= 0)
        *out = (enum rule_scope)i;
    return i >= 0;
}

/* ---- JSON ---- */

json_t *frequency_to_json(const struct frequency_rule *r)
{
    json_t *json = json_pack("{s:s, s:s, s:I, s:i, s:s}", "code", reason_name(r->code),
                             "kind", r->calendar ? "calendar_days" : "rolling",
                             r->calendar ? "days" : "seconds", (json_int_t)r->span, "max",
                             r->max, "scope", rule_scope_name(r->scope));

    if (r->exclude) {
        json_t *list = json_array();
        for (int i = 0; i < OUTCOMES; i++)
            if (r->exclude & (1U << i))
                json_array_append_new(list, json_string(outcomes[i]));
        json_object_set_new(json, "exclude_outcomes", list);
    }
    return json;
}

json_t *cooldown_to_json(const struct cooldown_rule *r)
{
    json_t *json = json_pack("{s:s, s:I, s:s}", "code", reason_name(r->code),
                             r->calendar ? "calendar_days" : "seconds",
                             (json_int_t)r->span, "scope", rule_scope_name(r->scope));
    json_t *list = json_array();

    for (int i = 0; i < OUTCOMES; i++)
        if (r->after & (1U << i))
            json_array_append_new(list, json_string(outcomes[i]));
    if (r->after)
        json_object_set(json, "after", list);
    json_decref(list);
    if (r->first_day_counts)
        json_object_set_new(json, "first_day_counts", json_true());
    if (r->unless_agent)
        json_object_set_new(json, "unless", json_string("guaranteed_agent"));
    return json;
}

static const char *text_of(const json_t *json, const char *key)
{
    return json_string_value(json_object_get(json, key));
}

/* A name or a list of names; false when one of them is none. NULL names nothing. */
static bool outcomes_of(const json_t *json, uint32_t *mask)
{
    bool one = json_is_string(json);

    *mask = 0;
    if (json && !one && !json_is_array(json))
        return false;
    for (size_t i = 0; i < (one ? 1 : json_array_size(json)); i++) {
        const char *name = json_string_value(one ? json : json_array_get(json, i));
        int which = name ? find(outcomes, OUTCOMES, name) : -1;
        if (which < 0)
            return false;
        *mask |= 1U << which;
    }
    return true;
}

static bool code_of(const json_t *json, enum reason *out)
{
    const char *name = text_of(json, "code");

    return name && reason_parse(name, out) && *out >= REASON_FREQ_DAY &&
           *out < REASON_IN_FLIGHT;
}

static bool scope_of(const json_t *json, enum rule_scope *out)
{
    const char *name = text_of(json, "scope");

    *out = SCOPE_NUMBER;
    return !name || rule_scope_parse(name, out);
}

const char *frequency_from_json(struct frequency_rule *out, const json_t *json)
{
    struct frequency_rule r = {0};
    const char *kind = text_of(json, "kind");
    json_t *max = json_object_get(json, "max");

    if (!code_of(json, &r.code))
        return "'code' must be FREQ_DAY, FREQ_24H, FREQ_7D, FREQ_30D or FREQ_LIFETIME";
    if (!scope_of(json, &r.scope))
        return "'scope' must be number, person, person_debt, subject or campaign";
    /* A pack's row has its own 'kind': days or seconds tell it then. */
    r.calendar = json_object_get(json, "days") != NULL;
    if (kind && ((strcmp(kind, "rolling") == 0 && r.calendar) ||
                 (strcmp(kind, "calendar_days") == 0 && !r.calendar)))
        return "'kind' rolling goes with 'seconds', calendar_days with 'days'";
    r.span = json_integer_value(json_object_get(json, r.calendar ? "days" : "seconds"));
    if (r.span < 0 || r.span > (r.calendar ? DAYS_LIMIT : (int64_t)DAYS_LIMIT * 86400) ||
        (r.span == 0 && r.code != REASON_FREQ_LIFETIME))
        return "'seconds' (rolling) or 'days' (calendar_days) must be above 0";
    if (!json_is_integer(max) || json_integer_value(max) < 0 ||
        json_integer_value(max) > MAX_LIMIT)
        return "'max' must be a whole number of calls";
    r.max = (int)json_integer_value(max);
    if (!outcomes_of(json_object_get(json, "exclude_outcomes"), &r.exclude))
        return "'exclude_outcomes' must be a list of outcomes";
    *out = r;
    return NULL;
}

const char *cooldown_from_json(struct cooldown_rule *out, const json_t *json)
{
    struct cooldown_rule r = {0};
    const char *unless = text_of(json, "unless");
    json_t *days = json_object_get(json, "calendar_days");

    if (!code_of(json, &r.code))
        return "'code' must be one of the COOLDOWN_ codes";
    if (!scope_of(json, &r.scope))
        return "'scope' must be number, person, person_debt, subject or campaign";
    r.calendar = days != NULL;
    r.span = json_integer_value(days ? days : json_object_get(json, "seconds"));
    if (r.span <= 0 || r.span > (r.calendar ? DAYS_LIMIT : (int64_t)DAYS_LIMIT * 86400))
        return "'seconds' or 'calendar_days' must be above 0";
    if (!outcomes_of(json_object_get(json, "after"), &r.after) ||
        (json_object_get(json, "after") && r.after == 0))
        return "'after' must be an outcome, or a list of them: busy, no_answer, "
               "sit_not_connected, refused, machine, voicemail, conversation, abandoned";
    r.first_day_counts = json_is_true(json_object_get(json, "first_day_counts"));
    if (unless && strcmp(unless, "guaranteed_agent") != 0)
        return "'unless' can only be guaranteed_agent";
    r.unless_agent = unless != NULL;
    *out = r;
    return NULL;
}

/* ---- dates ---- */

bool rule_date_parse(const char *text, int64_t *day)
{
    int y, m, d, back_y, back_m, back_d, n = 0;

    if (!text || sscanf(text, "%4d-%2d-%2d%n", &y, &m, &d, &n) != 3 || n != 10 ||
        text[n] || y < 1900 || m < 1 || m > 12 || d < 1 || d > 31)
        return false;
    *day = tz_day_number(y, m, d);
    tz_day_date(*day, &back_y, &back_m, &back_d);
    return back_m == m && back_d == d;
}

void rule_date_text(int64_t day, char out[16])
{
    int y, m, d;

    tz_day_date(day, &y, &m, &d);
    snprintf(out, 16, "%04d-%02d-%02d", y % 10000, m % 100, d % 100);
}

bool rule_time_parse(const char *text, int *minutes)
{
    if (!text || strlen(text) != 5 || text[2] != ':')
        return false;
    for (int i = 0; i < 5; i++)
        if (i != 2 && !isdigit((unsigned char)text[i]))
            return false;
    int hour = (text[0] - '0') * 10 + text[1] - '0',
        minute = (text[3] - '0') * 10 + text[4] - '0';
    *minutes = hour * 60 + minute;
    return minute < 60 && *minutes <= 24 * 60;
}
