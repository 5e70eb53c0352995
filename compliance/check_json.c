/* What a verdict was made from, to JSON and back: a stored decision can be run again. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "compliance/check.h"

enum { ZONES_LIMIT = 64, LIST_LIMIT = 100000 };

static json_t *calls_to_json(const struct compliance_facts *f)
{
    json_t *list = json_array();

    for (size_t i = 0; i < f->call_count; i++)
        json_array_append_new(list, json_pack("[IIb]", (json_int_t)f->calls[i].at_ms,
                                              (json_int_t)f->calls[i].campaign_id,
                                              f->calls[i].open));
    return list;
}

/* Only those that could matter: a row must not grow with the calendars of the world. */
static json_t *holidays_to_json(const struct compliance_facts *f)
{
    json_t *list = json_array();

    for (size_t i = 0; i < f->holiday_count; i++) {
        const struct compliance_holiday *h = &f->holidays[i];
        if (strcmp(h->region, "*") == 0 || strcmp(h->region, f->region) == 0)
            json_array_append_new(list, json_pack("[sI]", h->region, (json_int_t)h->day));
    }
    return list;
}

static json_t *zones_to_json(const struct compliance_facts *f)
{
    json_t *list = json_array();

    for (size_t i = 0; i < f->zone_count; i++)
        json_array_append_new(list, json_string(f->zones[i]));
    return list;
}

json_t *compliance_inputs_to_json(const struct policy *policy,
                                  const struct compliance_facts *f)
{
    return json_pack(
        "{s:i, s:o, s:I, s:i, s:b, s:s, s:o, s:I, s:b, s:b, s:s, s:b, s:o, "
        "s:o, s:b, s:b, "
        "s:b, s:I}",
        "v", 1, "policy", policy ? policy_to_json(policy) : json_null(), "phone",
        (json_int_t)f->phone, "type", (int)f->type, "valid", f->valid, "region",
        f->region, "zones", zones_to_json(f), "campaign", (json_int_t)f->campaign_id,
        "dnc_tenant", f->dnc_tenant, "dnc_campaign", f->dnc_campaign, "consent",
        consent_level_name(f->consent), "revoked", f->consent_revoked, "calls",
        calls_to_json(f), "holidays", holidays_to_json(f), "history", f->history_known,
        "clock_trusted", f->clock_trusted, "running", f->campaign_running,
        "zones_date_ms", (json_int_t)f->zones_date_ms);
}

/* Everything that reading allocates. */
struct inputs {
    struct policy policy;
    struct compliance_facts facts;
    const char *zones[ZONES_LIMIT];
    struct compliance_call *calls;
    struct compliance_holiday *holidays;
};

static int read_zones(struct inputs *in, const json_t *list)
{
    size_t n = json_array_size(list);

    if (!json_is_array(list) || n > ZONES_LIMIT)
        return EBADMSG;
    for (size_t i = 0; i < n; i++) {
        in->zones[i] = json_string_value(json_array_get(list, i));
        if (!in->zones[i])
            return EBADMSG;
    }
    in->facts.zones = in->zones;
    in->facts.zone_count = n;
    return 0;
}

static int read_calls(struct inputs *in, const json_t *list)
{
    size_t n = json_array_size(list);

    if (!json_is_array(list) || n > LIST_LIMIT)
        return EBADMSG;
    in->calls = xcalloc(n + 1, sizeof(*in->calls));
    for (size_t i = 0; i < n; i++) {
        json_int_t at = 0, campaign = 0;
        int open = 0;
        if (json_unpack(json_array_get(list, i), "[IIb!]", &at, &campaign, &open))
            return EBADMSG;
        in->calls[i] = (struct compliance_call){at, campaign, open};
    }
    in->facts.calls = in->calls;
    in->facts.call_count = n;
    return 0;
}

static int read_holidays(struct inputs *in, const json_t *list)
{
    size_t n = json_array_size(list);

    if (!json_is_array(list) || n > LIST_LIMIT)
        return EBADMSG;
    in->holidays = xcalloc(n + 1, sizeof(*in->holidays));
    for (size_t i = 0; i < n; i++) {
        const char *region = NULL;
        json_int_t day = 0;
        if (json_unpack(json_array_get(list, i), "[sI!]", &region, &day) ||
            strlen(region) >= sizeof(in->holidays[i].region))
            return EBADMSG;
        memcpy(in->holidays[i].region, region, strlen(region) + 1);
        in->holidays[i].day = day;
    }
    in->facts.holidays = in->holidays;
    in->facts.holiday_count = n;
    return 0;
}

static int read_flags(struct compliance_facts *f, const json_t *json)
{
    int type = 0, valid = 0, tenant = 0, campaign = 0, revoked = 0, history = 0,
        clock = 0, running = 0;
    json_int_t phone = 0, campaign_id = 0, zones_date = 0;
    const char *region = NULL, *consent = NULL;

    if (json_unpack((json_t *)(uintptr_t)json,
                    "{s:I, s:i, s:b, s:s, s:I, s:b, s:b, s:s, s:b, s:b, s:b, s:b, s:I}",
                    "phone", &phone, "type", &type, "valid", &valid, "region", &region,
                    "campaign", &campaign_id, "dnc_tenant", &tenant, "dnc_campaign",
                    &campaign, "consent", &consent, "revoked", &revoked, "history",
                    &history, "clock_trusted", &clock, "running", &running,
                    "zones_date_ms", &zones_date) ||
        strlen(region) >= sizeof(f->region) || type < 0 || type > PHONE_UNKNOWN ||
        !consent_level_parse(consent, &f->consent))
        return EBADMSG;
    memcpy(f->region, region, strlen(region) + 1);
    f->phone = phone;
    f->type = (enum phone_type)type;
    f->valid = valid;
    f->campaign_id = campaign_id;
    f->dnc_tenant = tenant;
    f->dnc_campaign = campaign;
    f->consent_revoked = revoked;
    f->history_known = history;
    f->clock_trusted = clock;
    f->campaign_running = running;
    f->zones_date_ms = zones_date;
    return 0;
}

int compliance_check_again(const json_t *json, int64_t now_ms, struct verdict *out)
{
    struct inputs in = {0};
    const json_t *policy = json_object_get(json, "policy");

    int err = json_integer_value(json_object_get(json, "v")) == 1 && policy ? 0 : EBADMSG;
    if (!err)
        err = read_flags(&in.facts, json);
    if (!err)
        err = read_zones(&in, json_object_get(json, "zones"));
    if (!err)
        err = read_calls(&in, json_object_get(json, "calls"));
    if (!err)
        err = read_holidays(&in, json_object_get(json, "holidays"));
    if (!err && !json_is_null(policy))
        err = policy_from_json(&in.policy, policy);
    if (!err)
        compliance_check(json_is_null(policy) ? NULL : &in.policy, &in.facts, now_ms,
                         out);
    free(in.calls);
    free(in.holidays);
    return err;
}
