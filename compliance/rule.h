/*
 * rule - the shapes of rules that packs and policies share: how often, how long not
 * again, and the words for purposes, voices, dial modes, outcomes. Values; pure.
 */
#ifndef COMPLIANCE_RULE_H
#define COMPLIANCE_RULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "base/attrs.h"
#include "compliance/reason.h"

/* Stored in decisions by name; masks of them (1 << x) inside rules. */
enum purpose {
    PURPOSE_TELEMARKETING,
    PURPOSE_INFORMATIONAL,
    PURPOSE_DEBT_COLLECTION,
    PURPOSE_HEALTHCARE,
    PURPOSE_SURVEY,
    PURPOSE_CHARITY,
    PURPOSE_POLITICAL,
    PURPOSE_EMERGENCY,
    PURPOSES,
};
enum voice { VOICE_LIVE, VOICE_PRERECORDED, VOICE_AI, VOICES };
enum dial_mode {
    DIAL_MANUAL,
    DIAL_PREVIEW,
    DIAL_PROGRESSIVE,
    DIAL_PREDICTIVE,
    DIAL_MODES
};

/* What an earlier call came to, as the rules see it. */
enum outcome {
    OUTCOME_OTHER, /* any that rules have no word for; it counts */
    OUTCOME_NO_ANSWER,
    OUTCOME_BUSY,
    OUTCOME_NOT_CONNECTED, /* special information tone, no such number, congestion */
    OUTCOME_VOICEMAIL,
    OUTCOME_MACHINE,
    OUTCOME_CONVERSATION,
    OUTCOME_ABANDONED, /* answered, and nobody there in time */
    OUTCOME_REFUSED,   /* the person declined */
    OUTCOMES,
};

enum rule_scope {
    SCOPE_NUMBER,      /* calls to the number, by any campaign */
    SCOPE_PERSON,      /* to any number of the person */
    SCOPE_PERSON_DEBT, /* about one debt (12 CFR 1006.14(b)) */
    SCOPE_SUBJECT,     /* about one subject, to any number of the person */
    SCOPE_CAMPAIGN,    /* to the number, by this campaign */
    SCOPES,
};

/* Refuses when the calls counted and this one are more than max. */
struct frequency_rule {
    enum reason code;
    bool calendar; /* span: local dates, today being one; else seconds that roll */
    int64_t span;  /* seconds or days; 0 for ever */
    int max;
    enum rule_scope scope;
    uint32_t exclude; /* outcomes that do not count, 1 << enum outcome */
};

/* Refuses until span after the latest call that came to one of the outcomes. */
struct cooldown_rule {
    enum reason code;
    uint32_t after; /* 1 << enum outcome; 0 any */
    bool calendar;  /* span: local dates; else seconds */
    int64_t span;
    bool first_day_counts; /* the day of the call is day 1 */
    enum rule_scope scope;
    bool unless_agent; /* not when an agent is reserved for the call */
};

const char *purpose_name(enum purpose p);
NODISCARD bool purpose_parse(const char *name, enum purpose *out);
const char *voice_name(enum voice v);
NODISCARD bool voice_parse(const char *name, enum voice *out);
const char *dial_mode_name(enum dial_mode m);
NODISCARD bool dial_mode_parse(const char *name, enum dial_mode *out);
const char *outcome_name(enum outcome o);
enum outcome outcome_parse(const char *name); /* what is not known is OUTCOME_OTHER */
const char *rule_scope_name(enum rule_scope s);
NODISCARD bool rule_scope_parse(const char *name, enum rule_scope *out);

/* {"code","kind":"rolling|calendar_days","seconds|days","max","scope","exclude_outcomes"}
 * and
 * {"code","after","seconds|calendar_days","first_day_counts","scope","unless"}. */
json_t *frequency_to_json(const struct frequency_rule *r);
json_t *cooldown_to_json(const struct cooldown_rule *r);
/* NULL, or what is wrong with it; static. */
const char *frequency_from_json(struct frequency_rule *out, const json_t *json);
const char *cooldown_from_json(struct cooldown_rule *out, const json_t *json);

/* "2026-11-20" as tz_day_number. False: no date. */
NODISCARD bool rule_date_parse(const char *text, int64_t *day);
void rule_date_text(int64_t day, char out[16]);
/* "HH:MM" to minutes, up to 24:00. */
NODISCARD bool rule_time_parse(const char *text, int *minutes);

#endif
