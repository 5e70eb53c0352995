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
#include "compliance/rule.h"

enum {
    POLICY_INTERVALS_MAX = 6, /* windows of one day */
    POLICY_REGIONS_MAX = 64,
    POLICY_RULES_MAX = 16, /* of each kind */
    POLICY_LISTS_MAX = 16,
    POLICY_DATES_MAX = 64,
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

/* Which rule packs hold: none at all (rules of the tenant alone), those of the number's
 * and the address' country and state, or the named ones. */
enum policy_packs { PACKS_NONE, PACKS_AUTO, PACKS_LIST };

struct packs;

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

    enum purpose purpose;
    enum voice voice;
    enum dial_mode dial;
    enum policy_packs pack_mode;
    char pack_names[POLICY_RULES_MAX][16]; /* PACKS_LIST */
    size_t pack_count;
    bool hours_stated; /* the tenant states hours for regions that no pack covers */
    const struct packs
        *packs; /* borrowed: where they are found; NULL: REGION_UNCOVERED */
    struct frequency_rule frequency[POLICY_RULES_MAX];
    size_t frequency_count;
    struct cooldown_rule cooldowns[POLICY_RULES_MAX];
    size_t cooldown_count;
    int64_t blackout[POLICY_DATES_MAX]; /* tz_day_number of the called party's date */
    size_t blackout_count;
    char lists[POLICY_LISTS_MAX][48]; /* do-not-call lists that must be asked */
    size_t list_count;
    char washes[POLICY_LISTS_MAX][48];
    size_t wash_count;
    int list_max_age_days;    /* 0: no limit */
    int internal_years;       /* the tenant's own entries end then; 0 never */
    int consent_max_age_days; /* 0: no limit */
    bool consent_evidence;    /* it must have evidence */
    char seller[32];          /* a consent given to another one does not count; "" any */
    bool rnd_required;        /* a reassigned-number answer */
    int rnd_max_age_days;
    int line_type_max_age_days; /* 0: no limit */
    int ring_min_s;             /* 0: what packs say */
    char min_tzdata[16];        /* "2026f"; "" any */
    int decision_ttl_s;         /* 0: not asked */
    int max_spread_s;           /* of zones; 0: six hours */
    bool script_incomplete, abandon_message_missing,
        caller_id_invalid; /* found at publish */
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
