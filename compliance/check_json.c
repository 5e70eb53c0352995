/* What a verdict was made from, to JSON and back: a stored decision can be run again. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "compliance/check.h"
#include "compliance/check_json.h"
#include "compliance/pack.h"

enum { ZONES_LIMIT = 64, LIST_LIMIT = 100000 };

enum {
    CALL_OPEN = 1,
    CALL_OTHER_NUMBER = 2,
    CALL_OTHER_DEBT = 4,
    CALL_OTHER_SUBJECT = 8
};

static json_t *call_to_json(const struct compliance_call *c)
{
    int flags = (c->open ? CALL_OPEN : 0) | (c->other_number ? CALL_OTHER_NUMBER : 0) |
                (c->other_debt ? CALL_OTHER_DEBT : 0) |
                (c->other_subject ? CALL_OTHER_SUBJECT : 0);

    return json_pack("[IIsi]", (json_int_t)c->at_ms, (json_int_t)c->campaign_id,
                     outcome_name(c->outcome), flags);
}

static json_t *calls_to_json(const struct compliance_facts *f)
{
    json_t *list = json_array();

    for (size_t i = 0; i < f->call_count; i++)
        json_array_append_new(list, call_to_json(&f->calls[i]));
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

static json_t *zones_to_json(const char *const *zones, size_t n)
{
    json_t *list = json_array();

    for (size_t i = 0; i < n; i++)
        json_array_append_new(list, json_string(zones[i]));
    return list;
}

/* By name and content: they are found again by their hashes. */
json_t *compliance_pack_hashes(const struct policy *policy,
                               const struct compliance_facts *f)
{
    if (!policy || policy->pack_mode == PACKS_NONE)
        return NULL;
    json_t *names = compliance_packs_of(policy, f), *packs = json_array();
    for (size_t i = 0; i < json_array_size(names); i++) {
        const char *name = json_string_value(json_array_get(names, i));
        const struct pack *pack = packs_find(policy->packs, name);
        if (pack)
            json_array_append_new(packs, json_pack("[ss]", name, pack->hash));
    }
    json_decref(names);
    return packs;
}

json_t *compliance_inputs_to_json(const struct policy *policy,
                                  const struct compliance_facts *f)
{
    json_t *json = json_pack(
        "{s:i, s:o, s:I, s:i, s:b, s:s, s:o, s:I, s:b, s:b, s:s, s:b, s:o, "
        "s:o, s:b, s:b, "
        "s:b, s:I}",
        "v", 2, "policy", policy ? policy_to_json(policy) : json_null(), "phone",
        (json_int_t)f->phone, "type", (int)f->type, "valid", f->valid, "region",
        f->region, "zones", zones_to_json(f->zones, f->zone_count), "campaign",
        (json_int_t)f->campaign_id, "dnc_tenant", f->dnc_tenant, "dnc_campaign",
        f->dnc_campaign, "consent", consent_level_name(f->consent), "revoked",
        f->consent_revoked, "calls", calls_to_json(f), "holidays", holidays_to_json(f),
        "history", f->history_known, "clock_trusted", f->clock_trusted, "running",
        f->campaign_running, "zones_date_ms", (json_int_t)f->zones_date_ms);
    facts_more_to_json(f, json);
    json_t *packs = compliance_pack_hashes(policy, f);
    if (packs)
        json_object_set_new(json, "packs", packs);
    return json;
}

/* Everything that reading allocates. */
struct inputs {
    struct policy policy;
    struct compliance_facts facts;
    const char *zones[ZONES_LIMIT], *address_zones[ZONES_LIMIT];
    struct facts_more more;
    struct packs *packs;
    struct compliance_call *calls;
    struct compliance_holiday *holidays;
};

static int read_zones(const char **zones, const json_t *list, size_t *count)
{
    size_t n = json_array_size(list);

    if (!json_is_array(list) || n > ZONES_LIMIT)
        return EBADMSG;
    for (size_t i = 0; i < n; i++) {
        zones[i] = json_string_value(json_array_get(list, i));
        if (!zones[i])
            return EBADMSG;
    }
    *count = n;
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
        const char *outcome = NULL;
        int flags = 0;
        if (json_unpack(json_array_get(list, i), "[IIsi!]", &at, &campaign, &outcome,
                        &flags))
            return EBADMSG;
        in->calls[i] =
            (struct compliance_call){.at_ms = at,
                                     .campaign_id = campaign,
                                     .open = flags & CALL_OPEN,
                                     .outcome = outcome_parse(outcome),
                                     .other_number = flags & CALL_OTHER_NUMBER,
                                     .other_debt = flags & CALL_OTHER_DEBT,
                                     .other_subject = flags & CALL_OTHER_SUBJECT};
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

/* The packs of that day, by their hashes: from the caller's store, else from this
 * installation's when they are still the same. */
static int resolve_packs(struct inputs *in, const json_t *json, inputs_blob_fn *blob,
                         void *arg)
{
    const json_t *list = json_object_get(json, "packs");
    json_t *found = json_object();
    int err = 0;

    for (size_t i = 0; !err && i < json_array_size(list); i++) {
        const char *name = NULL, *hash = NULL;
        if (json_unpack(json_array_get(list, i), "[ss!]", &name, &hash)) {
            err = EBADMSG;
            break;
        }
        const struct pack *now = packs_find(packs_of_process(), name);
        json_t *body = blob ? blob(hash, arg) : NULL;
        if (!body && now && strcmp(now->hash, hash) == 0)
            body = json_incref(now->json);
        if (body)
            json_object_set_new(found, name, body);
        else
            err = ENOENT;
    }
    if (!err && list)
        err = packs_read(found, &in->packs, NULL);
    json_decref(found);
    return err;
}

static int read_inputs(struct inputs *in, const json_t *json, inputs_blob_fn *blob,
                       void *arg, const json_t *policy)
{
    int err = json_integer_value(json_object_get(json, "v")) == 2 && policy ? 0 : EBADMSG;

    if (!err)
        err = read_flags(&in->facts, json);
    if (!err)
        err =
            read_zones(in->zones, json_object_get(json, "zones"), &in->facts.zone_count);
    in->facts.zones = in->zones;
    in->facts.address_zones = in->address_zones;
    if (!err && json_object_get(json, "address_zones"))
        err = read_zones(in->address_zones, json_object_get(json, "address_zones"),
                         &in->facts.address_zone_count);
    if (!err)
        err = facts_more_from_json(&in->facts, &in->more, json);
    if (!err)
        err = read_calls(in, json_object_get(json, "calls"));
    if (!err)
        err = read_holidays(in, json_object_get(json, "holidays"));
    if (!err && !json_is_null(policy))
        err = policy_from_json(&in->policy, policy);
    if (!err)
        err = resolve_packs(in, json, blob, arg);
    in->policy.packs = in->packs;
    return err;
}

/* Either out or trace. */
static int again(const json_t *json, int64_t now_ms, inputs_blob_fn *blob, void *arg,
                 struct verdict *out, json_t **trace)
{
    struct inputs in = {0};
    const json_t *policy = json_object_get(json, "policy");
    json_auto_t *body = NULL;

    if (json_is_string(policy)) { /* its hash */
        policy = body = blob ? blob(json_string_value(policy), arg) : NULL;
        if (!body)
            return ENOENT;
    }
    const struct policy *rules = json_is_null(policy) ? NULL : &in.policy;
    int err = read_inputs(&in, json, blob, arg, policy);
    if (!err && out)
        compliance_check(rules, &in.facts, now_ms, out);
    else if (!err)
        *trace = compliance_explain(rules, &in.facts, now_ms);
    facts_more_free(&in.more);
    packs_free(in.packs);
    free(in.calls);
    free(in.holidays);
    return err;
}

int compliance_check_again(const json_t *inputs, int64_t now_ms, inputs_blob_fn *blob,
                           void *arg, struct verdict *out)
{
    return again(inputs, now_ms, blob, arg, out, NULL);
}

int compliance_explain_again(const json_t *inputs, int64_t now_ms, inputs_blob_fn *blob,
                             void *arg, json_t **out)
{
    return again(inputs, now_ms, blob, arg, NULL, out);
}
