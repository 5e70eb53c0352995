/*
 * cases - worked cases of the gate as data: number, instant, policy, facts, history, and
 * what the verdict should be. The form is the one of tests/data/compliance-cases.json; it
 * says its own semantics. Any file of it can be run (`furrow compliance cases FILE`).
 */
#ifndef COMPLIANCE_CASES_H
#define COMPLIANCE_CASES_H

#include <jansson.h>

#include "base/attrs.h"

struct errtext;
struct packs;

struct cases_set { /* what holds for every case of a file; all borrowed */
    const struct packs *packs;
    const json_t *npa_overrides; /* {"overlay_of": {"448": "850"}}; NULL: our own table */
};

/* The gate's verdict on a case: {"id", "allow", "reason", "all_reasons",
 * "next_allowed_utc", "zones", "packs"}; the caller owns *out. EINVAL: the case cannot be
 * read, e says where. */
NODISCARD int case_run(const struct cases_set *set, const json_t *test, json_t **out,
                       struct errtext *e);
/* Why: compliance_explain() of the case. */
NODISCARD int case_explain(const struct cases_set *set, const json_t *test, json_t **out,
                           struct errtext *e);
/* The keys of the case's "expect" in which the verdict differs: an array, empty when it
 * is as expected. The caller owns it. */
json_t *case_differences(const json_t *test, const json_t *verdict);

#endif
