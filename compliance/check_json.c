/* Stored inputs (check_json_write.c) read again: a decision can be run once more. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "compliance/check.h"
#include "compliance/check_json.h"
#include "compliance/pack.h"

enum { ZONES_LIMIT = 64, LIST_LIMIT = 100000 };

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
                                     .open = flags & INPUTS_CALL_OPEN,
                                     .outcome = outcome_parse(outcome),
                                     .other_number = flags & INPUTS_CALL_OTHER_NUMBER,
                                     .other_debt = flags & INPUTS_CALL_OTHER_DEBT,
                                     .other_subject = flags & INPUTS_CALL_OTHER_SUBJECT,
                                     .said_no = flags & INPUTS_CALL_SAID_NO};
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

static int read_consent(struct compliance_facts *f, const json_t *json)
{
    const char *consent = json_string_value(json_object_get(json, "consent"));

    return consent && consent_level_parse(consent, &f->consent) ? 0 : EBADMSG;
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
    json_int_t version = json_integer_value(json_object_get(json, "v"));
    int err = version == INPUTS_VERSION && policy ? 0 : EBADMSG;

    if (!err)
        err = read_consent(&in->facts, json);
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
