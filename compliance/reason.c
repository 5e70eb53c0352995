/*
 * The table stands in the order of severity; a reason's rank is its row. The order is the
 * one of the rule cases (tests/data/compliance-cases.json, severity_order); a code that
 * is not named there follows the last named one of its group.
 */
#include "compliance/reason.h"

#include <stddef.h>
#include <string.h>

struct row {
    enum reason code;
    enum reason_class class;
    const char *name, *sentence;
};

#define ROW(code, class, text)                                                           \
    {                                                                                    \
        REASON_##code, REASON_##class, #code, text                                       \
    }

static const struct row rows[] = {
    /* 1: the machine */
    ROW(KILL_SWITCH, CAP,
        "all calling is switched off; somebody must switch it on again"),
    ROW(POLICY_INVALID, DATA,
        "the campaign's rules cannot be obeyed; correct its document"),
    ROW(CLOCK_UNTRUSTED, DATA,
        "this machine's clock differs from the database's; set it right"),
    ROW(TZDATA_STALE, DATA, "the time zone data is too old; upgrade the package tzdata"),
    ROW(DECISION_EXPIRED, CAP, "the decision was too old when the call was to leave"),
    ROW(PHONE_DATA_STALE, DATA,
        "the table of numbers and time zones is over 400 days old; update Furrow"),
    ROW(POLICY_MISSING, DATA, "no rules are known for this campaign"),
    ROW(PACK_EXPIRED, DATA, "a rule pack is no longer in force; update it"),
    ROW(HISTORY_UNAVAILABLE, DATA, "earlier calls to the number could not be read"),
    ROW(CAMPAIGN_STOPPED, CAP, "the campaign is not running, or its end has come"),
    ROW(INTERNAL_ERROR, CAP, "the decision failed inside; the log says how"),
    /* 2: the number */
    ROW(NUMBER_EMERGENCY, PERM, "an emergency number is never called"),
    ROW(NUMBER_INVALID, PERM, "no such number is given out"),
    ROW(NUMBER_TYPE_FORBIDDEN, PERM,
        "premium, shared-cost, personal, pager and voicemail numbers are not called"),
    ROW(COUNTRY_NOT_ENABLED, PERM,
        "the campaign does not call this country; add it to 'regions' if it should"),
    ROW(NUMBER_PROTECTED, PERM, "a protected line is never called"),
    ROW(REGION_UNCOVERED, DATA, "no rule pack covers the number's region"),
    ROW(REGISTRATION_MISSING, DATA,
        "calling there needs a registration that is not on file"),
    ROW(LEAD_CLOSED, PERM, "the contact is closed in this campaign"),
    /* 3: suppression */
    ROW(DNC_INTERNAL, PERM, "the number is on the do-not-call list"),
    ROW(DNC_NATIONAL, PERM, "the number is on a national do-not-call list"),
    ROW(DNC_STATE, PERM, "the number is on a state do-not-call list"),
    ROW(DNC_LIST_MISSING, DATA, "a do-not-call list that must be asked is missing"),
    ROW(DNC_LIST_STALE, DATA, "a do-not-call list is too old; import a fresh one"),
    ROW(DNC_SELLER, PERM, "the number is on the seller's do-not-call list"),
    ROW(LITIGATOR, PERM, "the number is on the litigator list"),
    ROW(DNC_LIST_CORRUPT, DATA, "a do-not-call list is damaged; import it again"),
    ROW(WASH_EXPIRED, DATA, "the number must be washed again"),
    ROW(DNC_CAMPAIGN, PERM, "the number is on this campaign's do-not-call list"),
    /* 4: consent and content */
    ROW(CONSENT_REVOKED, PERM, "the person has taken back consent"),
    ROW(MOBILE_FORBIDDEN, PERM, "mobile numbers may not be called there"),
    ROW(CONSENT_MISSING, PERM, "the campaign needs a consent that is not on file"),
    ROW(REASSIGNED, PERM, "the number has been given to somebody else"),
    ROW(RING_TIMEOUT_TOO_SHORT, DATA, "it must be let ring longer"),
    ROW(CONSENT_LEVEL, PERM, "the consent on file is not enough"),
    ROW(CONSENT_SCOPE, PERM, "the consent on file is for something else"),
    ROW(CONSENT_EXPIRED, DATA, "the consent on file is too old"),
    ROW(CONSENT_EVIDENCE, DATA, "the consent on file has no evidence"),
    ROW(RND_STALE, DATA, "the reassigned-number answer is too old"),
    ROW(LINE_TYPE_STALE, DATA, "the line type is not known well enough"),
    ROW(VOICE_MODE_FORBIDDEN, PERM, "this kind of voice may not be used there"),
    ROW(SCRIPT_INCOMPLETE, DATA, "the flow lacks something that the law wants said"),
    ROW(ABANDON_MESSAGE_MISSING, DATA, "there is no message for abandoned calls"),
    ROW(CALLER_ID_INVALID, DATA, "the caller id cannot be called back"),
    /* 5: the zone */
    ROW(TZ_UNKNOWN, DATA, "it cannot be told what time it is where the phone rings"),
    ROW(TZ_NO_COMMON_WINDOW, TIME,
        "the zones the number may lie in have no common calling hours"),
    /* 6: the hour */
    ROW(EMERGENCY_BLOCK, DATA, "calling there is blocked by an emergency order"),
    ROW(HOLIDAY, TIME, "it is a holiday there"),
    ROW(DAY_FORBIDDEN, TIME, "there are no calls on this weekday"),
    ROW(OUTSIDE_WINDOW, TIME, "it is outside the calling hours where the phone rings"),
    ROW(WINDOW_CLOSING, TIME,
        "the calling hours end before the call could be over ringing"),
    ROW(NOT_BEFORE, TIME, "the campaign has not begun"),
    ROW(TENANT_BLACKOUT, TIME, "calling is suspended on this day"),
    ROW(HOLIDAY_CALENDAR_MISSING, DATA, "no holiday calendar is on file for the region"),
    /* 7: cooldowns */
    ROW(COOLDOWN_CONVERSATION, TIME, "the person was talked to recently"),
    ROW(COOLDOWN_ABANDONED, TIME, "a call to the person was abandoned recently"),
    ROW(COOLDOWN_REFUSAL, TIME, "the person declined recently"),
    ROW(COOLDOWN_RETRY, TIME, "the last call to the number was too short a time ago"),
    /* 8: frequency */
    ROW(FREQ_DAY, TIME, "the number had its calls of this day"),
    ROW(FREQ_24H, TIME, "the number had its calls of 24 hours"),
    ROW(FREQ_7D, TIME, "the number had its calls of 7 days"),
    ROW(FREQ_30D, TIME, "the number had its calls of 30 days"),
    ROW(FREQ_LIFETIME, PERM, "the number had all its calls of this campaign"),
    /* 9: in flight */
    ROW(IN_FLIGHT, CAP, "a call to the number is under way"),
    ROW(PARTY_IN_FLIGHT, CAP, "a call to the person is under way"),
    /* 10: capacity */
    ROW(ABANDON_BUDGET, CAP, "another call could break the abandonment limit"),
    ROW(NO_AGENT_RESERVED, CAP, "no agent is free for it"),
    ROW(CARRIER_LIMIT, CAP, "the carrier takes no more calls now"),
    /* 11: the log */
    ROW(LOG_UNAVAILABLE, CAP, "the decision could not be written down"),
    {REASON_ALLOW, REASON_CLASS_NONE, "ALLOW", "the call may be placed"},
};

static const struct row *row_of(int code)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if ((int)rows[i].code == code)
            return &rows[i];
    return NULL;
}

bool reason_is_known(int code)
{
    return row_of(code) != NULL;
}

const char *reason_name(enum reason r)
{
    const struct row *row = row_of((int)r);

    return row ? row->name : "UNKNOWN";
}

bool reason_parse(const char *name, enum reason *out)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (strcmp(rows[i].name, name) == 0) {
            *out = rows[i].code;
            return true;
        }
    }
    return false;
}

enum reason_class reason_class(enum reason r)
{
    const struct row *row = row_of((int)r);

    return row ? row->class : REASON_CAP;
}

const char *reason_class_name(enum reason_class c)
{
    static const char *const names[] = {[REASON_CLASS_NONE] = "",
                                        [REASON_PERM] = "PERM",
                                        [REASON_DATA] = "DATA",
                                        [REASON_TIME] = "TIME",
                                        [REASON_CAP] = "CAP"};

    return names[c];
}

int reason_rank(enum reason r)
{
    const struct row *row = row_of((int)r);

    return row ? (int)(row - rows) : 0;
}

const char *reason_sentence(enum reason r)
{
    const struct row *row = row_of((int)r);

    return row ? row->sentence : "a reason that this program does not know";
}
