/*
 * decision_store - every verdict that decided something, as a row. Written inside
 * the transaction that acts on it: when the row cannot be written nothing happens.
 */
#ifndef COMPLIANCE_DECISION_STORE_H
#define COMPLIANCE_DECISION_STORE_H

#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "base/attrs.h"
#include "base/uuid.h"
#include "compliance/check.h"

struct pg;

enum decision_stage { DECISION_CLAIM = 1, DECISION_RELEASE = 2, DECISION_SEND = 3 };

struct decision {
    enum decision_stage stage;
    int64_t campaign_id, contact_id, phone;
    const struct uuid *attempt; /* NULL none */
    int64_t at_ms;
    const struct verdict *verdict;
    const struct policy *policy;          /* for the inputs; NULL for stage 3 */
    const struct compliance_facts *facts; /* likewise */
    /* NULL, or where decision_write puts the sha256 of the inputs as they are stored, 64
     * hex digits: policy, packs, list generations, tzdata and all facts in one. */
    char *inputs_hash;
};

/* All in one statement, in the caller's transaction. */
NODISCARD int decision_write(struct pg *pg, int tenant_id, const struct decision *list,
                             size_t n);

struct decision_row {
    struct uuid id, attempt;
    bool has_attempt;
    int stage;
    int64_t campaign_id, contact_id, phone, at_ms, next_allowed_ms;
    enum reason reason;
    size_t n;
    enum reason reasons[VERDICT_REASONS_MAX];
    json_t *inputs; /* borrowed for the call */
};
typedef int(decision_fn)(const struct decision_row *row, void *arg);

/* Decisions about a number, newest first, at most max; campaign_id 0: all. A non-zero
 * answer of each ends it. In the caller's transaction, or its own outside of one. */
NODISCARD int decision_list(struct pg *pg, int tenant_id, int64_t phone,
                            int64_t campaign_id, size_t max, decision_fn *each,
                            void *arg);

#endif
