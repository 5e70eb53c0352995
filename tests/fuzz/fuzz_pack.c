/*
 * Any bytes as a rule pack, as a policy and as stored inputs: no crash, every refusal
 * says why; a pack that is read answers for a number, and can only refuse more than
 * without it.
 */
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/errors.h"
#include "compliance/check.h"
#include "compliance/pack.h"
#include "fuzz/fuzz.h"

#define NOW_MS INT64_C(1795165200000) /* 2026-11-20T09:00:00Z */

static void check(bool held)
{
    if (!held)
        abort();
}

static void ask(struct packs *packs, struct policy *p)
{
    static const char *const zones[] = {"Africa/Addis_Ababa"};
    const struct compliance_call calls[] = {
        {.at_ms = NOW_MS - 86400000, .campaign_id = 1}};
    const struct compliance_facts f = {.phone = 251911000000,
                                       .type = PHONE_MOBILE,
                                       .valid = true,
                                       .region = "ET",
                                       .zones = zones,
                                       .zone_count = 1,
                                       .calls = calls,
                                       .call_count = 1,
                                       .history_known = true,
                                       .clock_trusted = true,
                                       .campaign_running = true,
                                       .zones_date_ms = NOW_MS};
    struct verdict without, with;

    compliance_check(p, &f, NOW_MS, &without);
    p->pack_mode = PACKS_AUTO;
    p->packs = packs;
    compliance_check(p, &f, NOW_MS, &with);
    check(without.allow || !with.allow);
    check(with.allow == (with.n == 0));
    check(with.next_allowed_ms == 0 || with.next_allowed_ms >= NOW_MS);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    json_t *json = json_loadb((const char *)data, size, 0, NULL);
    struct packs *packs = NULL;
    struct errtext e = {0};
    struct policy p;
    struct verdict v;

    if (!json)
        return 0;
    json_t *named = json_pack("{s:O}", "ET", json);
    if (packs_read(named, &packs, &e)) {
        check(e.text[0] != '\0');
    } else {
        policy_default(&p);
        ask(packs, &p);
    }
    if (!policy_from_json(&p, json)) {
        p.packs = NULL;
        p.pack_mode = PACKS_NONE;
        ask(packs, &p);
    }
    (void)!compliance_check_again(json, NOW_MS, NULL, NULL, &v);
    packs_free(packs);
    json_decref(named);
    json_decref(json);
    return 0;
}
