/*
 * pack - the rules of one jurisdiction as data: compliance/packs/<name>.json. A pack is a
 * list of rows, each with its citation, the day it was checked, its effective dates and a
 * grade. Loaded once and never changed; any thread.
 *
 * Rows hold for certain purposes and voices and between two dates of the called party's
 * own calendar. Several packs hold together; each can only refuse more.
 */
#ifndef COMPLIANCE_PACK_H
#define COMPLIANCE_PACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "base/attrs.h"
#include "compliance/policy.h"
#include "compliance/rule.h"

struct errtext;

enum { PACK_NAME_MAX = 16, PACK_HASH_MAX = 65 };

enum pack_kind {
    PACK_WINDOWS,      /* week: hours in which a call may ring */
    PACK_FREQUENCY,    /* frequency */
    PACK_COOLDOWN,     /* cooldown */
    PACK_CONSENT,      /* level, lines */
    PACK_MOBILE,       /* mobiles need a consent, or may not be called at all */
    PACK_DNC,          /* list, max_age_days */
    PACK_WASH,         /* list */
    PACK_REGISTRATION, /* the caller must be registered there */
    PACK_RING,         /* min_s */
    PACK_ABANDON,      /* limit_ppm, anchor: for pacing and reports */
    PACK_VOICE,        /* voices that may not be used */
    PACK_KINDS,
};

enum line_class { LINE_ANY, LINE_MOBILE, LINE_FIXED };

struct pack_row {
    enum pack_kind kind;
    char id[32];
    char *cite, *note;   /* owned by the pack; note may be NULL */
    char grade;          /* A B C M, '?' not stated */
    int64_t checked_day; /* tz_day_number; 0 not stated */
    int64_t from_day,
        until_day;             /* [from, until) of the local date; INT64_MIN, INT64_MAX */
    uint32_t purposes, voices; /* masks */
    struct policy_day week[7]; /* PACK_WINDOWS */
    struct frequency_rule frequency;
    struct cooldown_rule cooldown;
    enum consent_level level; /* PACK_CONSENT, PACK_MOBILE (CONSENT_NONE: never) */
    enum line_class lines;    /* PACK_CONSENT */
    char list[48];            /* PACK_DNC, PACK_WASH */
    int max_age_days;         /* PACK_DNC; 0: the policy's */
    int min_s;                /* PACK_RING */
    int limit_ppm;            /* PACK_ABANDON */
    char anchor[20];          /* campaign30d, calendar_day, calendar_month */
};

struct pack {
    char name[PACK_NAME_MAX]; /* "US", "US-FL" */
    char *title;
    char hash[PACK_HASH_MAX]; /* sha256 of its canonical JSON, hex */
    bool courtesy;            /* no law states these hours */
    int64_t review_by_day;    /* after this local date: PACK_EXPIRED; INT64_MAX never */
    int64_t *holidays;        /* sorted day numbers on which nobody is called */
    size_t holiday_count;
    int64_t
        holidays_until_day; /* the calendar ends there; INT64_MAX: no calendar needed */
    bool has_eve;
    struct policy_day
        eve;         /* instead of Monday-Friday hours on the day before a holiday */
    int clocks_s[4]; /* fixed offsets from UTC that must be inside the week too */
    size_t clock_count;
    struct pack_row *rows;
    size_t row_count;
    json_t *json; /* as read */
};

struct packs {
    struct pack *at; /* sorted by name */
    size_t n;
};

/* Reads one pack. EINVAL with the pointer of what is wrong and what to write there. */
NODISCARD int pack_read(struct pack *out, const char *name, json_t *json,
                        struct errtext *e);
void pack_free(struct pack *p);

/* Every *.json of a directory. */
NODISCARD int packs_load(const char *dir, struct packs **out, struct errtext *e);
/* An object name → pack, as the file of rule cases has it. */
NODISCARD int packs_read(json_t *object, struct packs **out, struct errtext *e);
void packs_free(struct packs *p); /* NULL is allowed */
const struct pack *packs_find(const struct packs *p, const char *name);
/* Where an installation's packs are: $FURROW_PACKS_DIR, else beside the source. */
const char *packs_dir(void);
/* packs_load(packs_dir()) once for the process; NULL when that failed (logged). */
const struct packs *packs_of_process(void);

const char *pack_kind_name(enum pack_kind k);
/* Is the row in force on that local date? */
bool pack_row_in_force(const struct pack_row *r, int64_t day);
bool pack_is_holiday(const struct pack *p, int64_t day);

#endif
