/*
 * policy - what a campaign's rules allow: calling windows, limits, consent. A
 * value; the campaign document (campaigns/campaign.c) fills it, compliance_check
 * reads it. Pure.
 */
#ifndef COMPLIANCE_POLICY_H
#define COMPLIANCE_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "base/attrs.h"

enum {
    POLICY_INTERVALS_MAX = 6, /* windows of one day */
    POLICY_REGIONS_MAX = 64,
    POLICY_MINUTES = 24 * 60,
};

/* [from_min, until_min) of the called party's wall clock; until_min at most 1440. */
struct policy_interval {
    int from_min, until_min;
};

struct policy_day {
    size_t n; /* 0: no calls on this weekday */
    struct policy_interval at[POLICY_INTERVALS_MAX];
};

enum consent_level { CONSENT_NONE, CONSENT_EXPRESS, CONSENT_EXPRESS_WRITTEN };

struct policy {
    struct policy_day week[7]; /* [0] Monday … [6] Sunday */
    bool observe_holidays;     /* rows of table holidays forbid the day */
    /* Attempts that count as calls, this one included. 0: no limit. */
    int max_24h, max_7d; /* of the number, over all campaigns of the tenant, rolling */
    int max_total;       /* of the number in this campaign */
    int64_t min_gap_s;   /* between two attempts to the number, any campaign */
    enum consent_level consent_required;
    size_t region_count; /* 0: every region; else only these */
    char regions[POLICY_REGIONS_MAX][3];
    int ring_timeout_s;
    int close_guard_s; /* a call must not begin so near a window's end */
    int64_t not_before_ms, not_after_ms; /* the campaign's own span; 0 none */
};

/* The conservative defaults: Monday to Saturday 09:00-20:00, holidays observed, one
 * attempt in 4 h, 3 in 24 h, 7 in 7 days, ring 25 s, guard ring + 5 s. */
void policy_default(struct policy *out);
/* False: it cannot be obeyed (an interval upside down or overlapping, a negative
 * limit, a ring timeout of 0): compliance_check then says POLICY_INVALID. */
bool policy_is_valid(const struct policy *p);
/* Does the campaign call this region at all? */
bool policy_has_region(const struct policy *p, const char *region);

/* As it stands in decisions: from one installation to the next the same text. The
 * caller owns the reference. */
json_t *policy_to_json(const struct policy *p);
/* EBADMSG: not a policy of policy_to_json. */
NODISCARD int policy_from_json(struct policy *out, const json_t *json);

const char *consent_level_name(enum consent_level c); /* "none", "express", … */
NODISCARD bool consent_level_parse(const char *name, enum consent_level *out);

#endif
