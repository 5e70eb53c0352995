/*
 * reason - why a call may not be placed: stable codes, their classes and the one
 * total order that picks the primary one. Pure.
 *
 * Numbers are stored in rows and shown to people: never renumber. Rules: 47 CFR
 * 64.1200 and the like; each code's sentence says what to do about it.
 */
#ifndef COMPLIANCE_REASON_H
#define COMPLIANCE_REASON_H

#include <stdbool.h>

#include "base/attrs.h"

enum reason {
    REASON_ALLOW = 0,
    REASON_NUMBER_INVALID = 101,
    REASON_NUMBER_TYPE_FORBIDDEN = 102,
    REASON_NUMBER_EMERGENCY = 103,
    REASON_NUMBER_PROTECTED = 104,
    REASON_COUNTRY_NOT_ENABLED = 105,
    REASON_REGION_UNCOVERED = 106,
    REASON_REGISTRATION_MISSING = 107,
    REASON_PHONE_DATA_STALE = 108,
    REASON_DNC_INTERNAL = 201,
    REASON_DNC_NATIONAL = 202,
    REASON_DNC_STATE = 203,
    REASON_DNC_SELLER = 204,
    REASON_LITIGATOR = 205,
    REASON_DNC_LIST_MISSING = 206,
    REASON_DNC_LIST_STALE = 207,
    REASON_DNC_LIST_CORRUPT = 208,
    REASON_WASH_EXPIRED = 209,
    REASON_DNC_CAMPAIGN = 211,
    REASON_CONSENT_REVOKED = 301,
    REASON_CONSENT_MISSING = 302,
    REASON_CONSENT_LEVEL = 303, /* reserved; a level too low is CONSENT_MISSING */
    REASON_CONSENT_SCOPE = 304,
    REASON_CONSENT_EXPIRED = 305,
    REASON_CONSENT_EVIDENCE = 306,
    REASON_MOBILE_FORBIDDEN = 307,
    REASON_REASSIGNED = 308,
    REASON_RND_STALE = 309,
    REASON_LINE_TYPE_STALE = 310,
    REASON_VOICE_MODE_FORBIDDEN = 311,
    REASON_SCRIPT_INCOMPLETE = 312,
    REASON_TZ_UNKNOWN = 401,
    REASON_TZ_NO_COMMON_WINDOW = 402,
    REASON_OUTSIDE_WINDOW = 403,
    REASON_DAY_FORBIDDEN = 404,
    REASON_HOLIDAY = 405,
    REASON_WINDOW_CLOSING = 406,
    REASON_EMERGENCY_BLOCK = 407,
    REASON_NOT_BEFORE = 408,
    REASON_TENANT_BLACKOUT = 409,
    REASON_HOLIDAY_CALENDAR_MISSING = 410,
    REASON_FREQ_DAY = 501,
    REASON_FREQ_24H = 502,
    REASON_FREQ_7D = 503,
    REASON_FREQ_30D = 504,
    REASON_FREQ_LIFETIME = 505,
    REASON_COOLDOWN_CONVERSATION = 506,
    REASON_COOLDOWN_ABANDONED = 507,
    REASON_COOLDOWN_REFUSAL = 508,
    REASON_COOLDOWN_RETRY = 509,
    REASON_IN_FLIGHT = 510,
    REASON_PARTY_IN_FLIGHT = 511,
    REASON_ABANDON_BUDGET = 601,
    REASON_NO_AGENT_RESERVED = 602,
    REASON_RING_TIMEOUT_TOO_SHORT = 603,
    REASON_ABANDON_MESSAGE_MISSING = 604,
    REASON_CALLER_ID_INVALID = 605,
    REASON_CARRIER_LIMIT = 606,
    REASON_KILL_SWITCH = 701,
    REASON_POLICY_MISSING = 702,
    REASON_POLICY_INVALID = 703,
    REASON_PACK_EXPIRED = 704,
    REASON_CLOCK_UNTRUSTED = 705,
    REASON_TZDATA_STALE = 706,
    REASON_HISTORY_UNAVAILABLE = 707,
    REASON_DECISION_EXPIRED = 708,
    REASON_LOG_UNAVAILABLE = 709,
    REASON_CAMPAIGN_STOPPED = 710,
    REASON_LEAD_CLOSED = 711,
    REASON_INTERNAL_ERROR = 799,
};

enum reason_class {
    REASON_CLASS_NONE, /* ALLOW */
    REASON_PERM,       /* never by waiting: the contact is final */
    REASON_DATA,       /* curable by fresh data; asked again later */
    REASON_TIME,       /* until next_allowed */
    REASON_CAP,        /* soon again */
};

bool reason_is_known(int code);
const char *
reason_name(enum reason r); /* "DNC_INTERNAL"; "UNKNOWN" for no code of ours */
NODISCARD bool reason_parse(const char *name, enum reason *out);
enum reason_class reason_class(enum reason r);
const char *reason_class_name(enum reason_class c); /* "PERM", … */
/* Place in the total order; smaller is more severe. ALLOW is last. */
int reason_rank(enum reason r);
/* One sentence for a person: what it means and what can be done. */
const char *reason_sentence(enum reason r);

#endif
