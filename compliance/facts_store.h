/*
 * facts_store - reads what compliance_check needs to know of numbers: do-not-call
 * entries, consent, history, holidays. And the one lock that orders opt-outs
 * against releases.
 *
 * Everything runs inside the caller's transaction (pg_begin … pg_commit).
 */
#ifndef COMPLIANCE_FACTS_STORE_H
#define COMPLIANCE_FACTS_STORE_H

#include <stddef.h>
#include <stdint.h>

#include "base/attrs.h"
#include "base/uuid.h"
#include "compliance/check.h"

struct pg;

/* pg_advisory_xact_lock on (tenant, number) for each, in ascending order so that two
 * holders never wait for each other. Key: tenant << 50 | number. */
NODISCARD int facts_lock_numbers(struct pg *pg, int tenant_id, const int64_t *phones,
                                 size_t n);
/* The same and, in the one order of all keys, the persons whose numbers they are: what
 * releases take, for a call to one number of a person counts for all of them. */
NODISCARD int facts_lock_parties(struct pg *pg, int tenant_id, const int64_t *phones,
                                 size_t n);

/* The same for the tenant's kill switch: releases hold it shared, whoever switches all
 * calling off holds it alone, so that no permit is minted after that commit. */
NODISCARD int facts_lock_switch(struct pg *pg, int tenant_id, bool exclusive);

struct facts_key {
    int64_t phone, campaign_id;
    int zone_group;
    enum phone_type type;
    const struct uuid *own; /* the attempt at hand, not to be counted; NULL none */
};

struct facts_set;

/* A few queries for all of them together. clock_trusted and campaign_running are what
 * the caller says later, through facts_get()'s copy; both start true. */
NODISCARD int facts_load(struct pg *pg, int tenant_id, const struct facts_key *keys,
                         size_t n, int64_t now_ms, struct facts_set **out);
void facts_free(struct facts_set *set); /* NULL is allowed */
/* The i-th key's facts; the arrays inside are borrowed from set. */
struct compliance_facts facts_get(const struct facts_set *set, size_t i);
/* Calls that are under way count as over from here on: for who asks of what comes. */
void facts_end_calls(struct facts_set *set);

/* A number that is in no list (`why`, `dnc check`): type, region and zones are found
 * by contacts/; zone_group of the key is not used then. */
NODISCARD int facts_load_number(struct pg *pg, int tenant_id, int64_t phone,
                                int64_t campaign_id, int64_t now_ms,
                                struct facts_set **out);

/* A disposition as rules count it. What was answered counts as a conversation: the person
 * was spoken to, by a voice or by somebody. */
enum outcome facts_outcome(const char *disposition);

/* Holidays of the tenant from yesterday on, as far ahead as a verdict looks; kept by the
 * caller for compliance_is_open, and read again every day. */
NODISCARD int facts_holidays(struct pg *pg, int tenant_id, int64_t now_ms,
                             struct compliance_holiday **out, size_t *n); /* free() */

#endif
