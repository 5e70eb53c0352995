/*
 * check_facts.h - what the tests of compliance/check.h share: instants by their text, a
 * number of which everything is known, and a verdict that was looked at for sense.
 */
#ifndef TESTS_UNIT_CHECK_FACTS_H
#define TESTS_UNIT_CHECK_FACTS_H

#include "unit/cm.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/str.h"
#include "compliance/check.h"

#define SECOND_MS ((int64_t)1000)
#define MINUTE_MS (60 * SECOND_MS)
#define HOUR_MS   (60 * MINUTE_MS)
#define DAY_MS    (24 * HOUR_MS)

static inline int64_t at(const char *text)
{
    int64_t ms = 0;

    if (clock_parse(text, &ms))
        fail_msg("'%s' is no instant", text);
    return ms;
}

static inline struct compliance_facts facts_in(const char *const *zones, size_t n)
{
    return (struct compliance_facts){.phone = 251911234567,
                                     .type = PHONE_MOBILE,
                                     .valid = true,
                                     .region = "ET",
                                     .zones = zones,
                                     .zone_count = n,
                                     .campaign_id = 7,
                                     .history_known = true,
                                     .clock_trusted = true,
                                     .campaign_running = true,
                                     .zones_date_ms = at("2026-11-01T00:00:00Z")};
}

static inline struct verdict verdict_of(const struct policy *p,
                                        const struct compliance_facts *f, int64_t now_ms)
{
    struct verdict v;

    compliance_check(p, f, now_ms, &v);
    assert_int_equal(v.allow, v.n == 0);
    assert_int_equal(v.reason, v.n == 0 ? REASON_ALLOW : v.reasons[0]);
    for (size_t i = 1; i < v.n; i++)
        assert_true(reason_rank(v.reasons[i - 1]) < reason_rank(v.reasons[i]));
    return v;
}

/* The stored inputs, with the policy itself in place of its hash. Their text is held
 * against jansson's canonical form of the same JSON. */
static inline json_t *inputs_json(const struct policy *p,
                                  const struct compliance_facts *f)
{
    struct buf text = {0};

    assert_int_equal(compliance_inputs_write(&text, p, p ? "hash" : NULL, f, "real"), 0);
    json_t *json = json_loads(text.data, 0, NULL);
    char *canonical = json_dumps(json, JSON_COMPACT | JSON_SORT_KEYS);
    assert_string_equal(text.data, canonical);
    free(canonical);
    buf_free(&text);
    if (p)
        json_object_set_new(json, "policy", policy_to_json(p));
    return json;
}

#endif
