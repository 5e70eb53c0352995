/*
 * A policy as JSON and back, as it stands in decisions. What has its default is left out.
 */
#include "compliance/policy.h"

#include <errno.h>
#include <string.h>

#include "base/str.h"
#include "compliance/pack.h"

static json_t *week_to_json(const struct policy *p)
{
    json_t *week = json_array();

    for (size_t day = 0; day < ARRAY_LEN(p->week); day++) {
        json_t *list = json_array();
        for (size_t i = 0; i < p->week[day].n; i++) {
            const struct policy_interval *w = &p->week[day].at[i];
            json_array_append_new(list, json_pack("[ii]", w->from_min, w->until_min));
        }
        json_array_append_new(week, list);
    }
    return week;
}

/* ---- fields of one kind ---- */

static const struct field {
    const char *key;
    enum { FIELD_INT, FIELD_BOOL, FIELD_TEXT } kind;
    size_t offset, size;
} fields[] = {
#define FIELD(kind, member)                                                              \
    {                                                                                    \
#member, kind, offsetof(struct policy, member),                                  \
            sizeof(((struct policy *)0)->member)                                         \
    }
    FIELD(FIELD_BOOL, hours_stated),
    FIELD(FIELD_INT, list_max_age_days),
    FIELD(FIELD_INT, internal_years),
    FIELD(FIELD_INT, consent_max_age_days),
    FIELD(FIELD_BOOL, consent_evidence),
    FIELD(FIELD_TEXT, seller),
    FIELD(FIELD_BOOL, rnd_required),
    FIELD(FIELD_INT, rnd_max_age_days),
    FIELD(FIELD_INT, line_type_max_age_days),
    FIELD(FIELD_INT, ring_min_s),
    FIELD(FIELD_TEXT, min_tzdata),
    FIELD(FIELD_INT, decision_ttl_s),
    FIELD(FIELD_INT, max_spread_s),
    FIELD(FIELD_BOOL, script_incomplete),
    FIELD(FIELD_BOOL, abandon_message_missing),
    FIELD(FIELD_BOOL, caller_id_invalid),
#undef FIELD
};

static void fields_to_json(const struct policy *p, json_t *json)
{
    for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
        const struct field *f = &fields[i];
        const void *at = (const char *)p + f->offset;
        if (f->kind == FIELD_INT && *(const int *)at)
            json_object_set_new(json, f->key, json_integer(*(const int *)at));
        else if (f->kind == FIELD_BOOL && *(const bool *)at)
            json_object_set_new(json, f->key, json_true());
        else if (f->kind == FIELD_TEXT && *(const char *)at)
            json_object_set_new(json, f->key, json_string(at));
    }
}

static int fields_from_json(struct policy *p, const json_t *json)
{
    for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
        const struct field *f = &fields[i];
        const json_t *value = json_object_get(json, f->key);
        void *at = (char *)p + f->offset;
        if (!value)
            continue;
        if (f->kind == FIELD_INT && json_is_integer(value))
            *(int *)at = (int)json_integer_value(value);
        else if (f->kind == FIELD_BOOL && json_is_boolean(value))
            *(bool *)at = json_is_true(value);
        else if (f->kind == FIELD_TEXT && json_string_length(value) < f->size &&
                 json_is_string(value))
            str_cut(at, f->size, json_string_value(value));
        else
            return EBADMSG;
    }
    return 0;
}

/* ---- lists ---- */

static void names_to_json(json_t *json, const char *key, const char *names, size_t size,
                          size_t n)
{
    json_t *list = json_array();

    for (size_t i = 0; i < n; i++)
        json_array_append_new(list, json_string(names + i * size));
    if (n > 0)
        json_object_set(json, key, list);
    json_decref(list);
}

static int names_from_json(const json_t *json, const char *key, char *names, size_t size,
                           size_t max, size_t *n)
{
    const json_t *list = json_object_get(json, key);

    if (json_array_size(list) > max)
        return EBADMSG;
    for (*n = 0; *n < json_array_size(list); ++*n) {
        const char *name = json_string_value(json_array_get(list, *n));
        if (!name || strlen(name) >= size)
            return EBADMSG;
        str_cut(names + *n * size, size, name);
    }
    return 0;
}

static void rules_to_json(const struct policy *p, json_t *json)
{
    json_t *frequency = json_array(), *cooldowns = json_array(), *blackout = json_array();

    for (size_t i = 0; i < p->frequency_count; i++)
        json_array_append_new(frequency, frequency_to_json(&p->frequency[i]));
    for (size_t i = 0; i < p->cooldown_count; i++)
        json_array_append_new(cooldowns, cooldown_to_json(&p->cooldowns[i]));
    for (size_t i = 0; i < p->blackout_count; i++)
        json_array_append_new(blackout, json_integer(p->blackout[i]));
    if (p->frequency_count)
        json_object_set(json, "frequency", frequency);
    if (p->cooldown_count)
        json_object_set(json, "cooldowns", cooldowns);
    if (p->blackout_count)
        json_object_set(json, "blackout", blackout);
    json_decref(frequency);
    json_decref(cooldowns);
    json_decref(blackout);
}

static int rules_from_json(struct policy *p, const json_t *json)
{
    const json_t *frequency = json_object_get(json, "frequency");
    const json_t *cooldowns = json_object_get(json, "cooldowns");
    const json_t *blackout = json_object_get(json, "blackout");

    if (json_array_size(frequency) > POLICY_RULES_MAX ||
        json_array_size(cooldowns) > POLICY_RULES_MAX ||
        json_array_size(blackout) > POLICY_DATES_MAX)
        return EBADMSG;
    for (; p->frequency_count < json_array_size(frequency); p->frequency_count++)
        if (frequency_from_json(&p->frequency[p->frequency_count],
                                json_array_get(frequency, p->frequency_count)))
            return EBADMSG;
    for (; p->cooldown_count < json_array_size(cooldowns); p->cooldown_count++)
        if (cooldown_from_json(&p->cooldowns[p->cooldown_count],
                               json_array_get(cooldowns, p->cooldown_count)))
            return EBADMSG;
    for (; p->blackout_count < json_array_size(blackout); p->blackout_count++)
        p->blackout[p->blackout_count] =
            json_integer_value(json_array_get(blackout, p->blackout_count));
    return 0;
}

static const char *const pack_modes[] = {
    [PACKS_NONE] = "none", [PACKS_AUTO] = "auto", [PACKS_LIST] = "list"};

static void more_to_json(const struct policy *p, json_t *json)
{
    json_object_set_new(json, "purpose", json_string(purpose_name(p->purpose)));
    json_object_set_new(json, "voice", json_string(voice_name(p->voice)));
    json_object_set_new(json, "dial", json_string(dial_mode_name(p->dial)));
    json_object_set_new(json, "packs", json_string(pack_modes[p->pack_mode]));
    names_to_json(json, "pack_names", p->pack_names[0], sizeof(p->pack_names[0]),
                  p->pack_count);
    names_to_json(json, "lists", p->lists[0], sizeof(p->lists[0]), p->list_count);
    names_to_json(json, "washes", p->washes[0], sizeof(p->washes[0]), p->wash_count);
    fields_to_json(p, json);
    rules_to_json(p, json);
}

static int more_from_json(struct policy *p, const json_t *json)
{
    const char *packs = json_string_value(json_object_get(json, "packs"));

    if (!purpose_parse(json_string_value(json_object_get(json, "purpose")),
                       &p->purpose) ||
        !voice_parse(json_string_value(json_object_get(json, "voice")), &p->voice) ||
        !dial_mode_parse(json_string_value(json_object_get(json, "dial")), &p->dial))
        return EBADMSG;
    for (size_t i = 0; i < ARRAY_LEN(pack_modes); i++)
        if (packs && strcmp(packs, pack_modes[i]) == 0)
            p->pack_mode = (enum policy_packs)i;
    int err = names_from_json(json, "pack_names", p->pack_names[0],
                              sizeof(p->pack_names[0]), POLICY_RULES_MAX, &p->pack_count);
    if (!err)
        err = names_from_json(json, "lists", p->lists[0], sizeof(p->lists[0]),
                              POLICY_LISTS_MAX, &p->list_count);
    if (!err)
        err = names_from_json(json, "washes", p->washes[0], sizeof(p->washes[0]),
                              POLICY_LISTS_MAX, &p->wash_count);
    if (!err)
        err = fields_from_json(p, json);
    return err ? err : rules_from_json(p, json);
}

/* ---- together ---- */

json_t *policy_to_json(const struct policy *p)
{
    json_t *json, *regions = json_array();

    for (size_t i = 0; i < p->region_count; i++)
        json_array_append_new(regions, json_string(p->regions[i]));
    json = json_pack("{s:o, s:b, s:i, s:i, s:i, s:I, s:s, s:o, s:i, s:i, s:I, s:I}",
                     "week", week_to_json(p), "holidays", p->observe_holidays, "max_24h",
                     p->max_24h, "max_7d", p->max_7d, "max_total", p->max_total,
                     "min_gap_s", (json_int_t)p->min_gap_s, "consent",
                     consent_level_name(p->consent_required), "regions", regions,
                     "ring_timeout_s", p->ring_timeout_s, "close_guard_s",
                     p->close_guard_s, "not_before_ms", (json_int_t)p->not_before_ms,
                     "not_after_ms", (json_int_t)p->not_after_ms);
    more_to_json(p, json);
    return json;
}

static int week_from_json(struct policy *p, const json_t *week)
{
    if (json_array_size(week) != ARRAY_LEN(p->week))
        return EBADMSG;
    for (size_t day = 0; day < ARRAY_LEN(p->week); day++) {
        const json_t *list = json_array_get(week, day);
        struct policy_day *d = &p->week[day];
        if (!json_is_array(list) || json_array_size(list) > POLICY_INTERVALS_MAX)
            return EBADMSG;
        for (d->n = 0; d->n < json_array_size(list); d->n++) {
            struct policy_interval *w = &d->at[d->n];
            if (json_unpack(json_array_get(list, d->n), "[ii!]", &w->from_min,
                            &w->until_min))
                return EBADMSG;
        }
    }
    return 0;
}

static int regions_from_json(struct policy *p, const json_t *regions)
{
    if (!json_is_array(regions) || json_array_size(regions) > POLICY_REGIONS_MAX)
        return EBADMSG;
    for (size_t i = 0; i < json_array_size(regions); i++) {
        const char *text = json_string_value(json_array_get(regions, i));
        if (!text || strlen(text) != 2)
            return EBADMSG;
        memcpy(p->regions[p->region_count++], text, 3);
    }
    return 0;
}

int policy_from_json(struct policy *out, const json_t *json)
{
    struct policy p = {0};
    json_t *week = NULL, *regions = NULL;
    const char *consent = NULL;
    int holidays = 0;
    json_int_t gap = 0, before = 0, after = 0;

    if (json_unpack((json_t *)(uintptr_t)json,
                    "{s:o, s:b, s:i, s:i, s:i, s:I, s:s, s:o, s:i, s:i, s:I, s:I}",
                    "week", &week, "holidays", &holidays, "max_24h", &p.max_24h, "max_7d",
                    &p.max_7d, "max_total", &p.max_total, "min_gap_s", &gap, "consent",
                    &consent, "regions", &regions, "ring_timeout_s", &p.ring_timeout_s,
                    "close_guard_s", &p.close_guard_s, "not_before_ms", &before,
                    "not_after_ms", &after) ||
        !consent_level_parse(consent, &p.consent_required))
        return EBADMSG;
    p.observe_holidays = holidays;
    p.min_gap_s = gap;
    p.not_before_ms = before;
    p.not_after_ms = after;
    int err = week_from_json(&p, week);
    if (!err)
        err = regions_from_json(&p, regions);
    if (!err)
        err = more_from_json(&p, json);
    if (!err)
        *out = p;
    return err;
}
