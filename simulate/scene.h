/*
 * scene - all that a simulation begins with: the campaign's rules, its trunk, its
 * compiled flow and its people, with what the gate knows of them. Read once, by
 * scene_store.h; nothing changes it afterwards.
 */
#ifndef SIMULATE_SCENE_H
#define SIMULATE_SCENE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "campaigns/campaign.h"
#include "compliance/check.h"
#include "ivr/ivr.h"

struct tz_zone;

struct scene_zone {
    int id; /* zone group */
    char region[PHONE_REGION_MAX];
    const char *const *names; /* borrowed; none: unknown */
    size_t name_count;
    const struct tz_zone *clock; /* of the first; NULL none */
};

/* Of whom the gate cannot tell one from another. */
struct scene_group {
    struct compliance_facts facts; /* of one of them; arrays borrowed */
    uint32_t zone;                 /* index */
};

struct scene_person { /* a contact of the campaign */
    int64_t id, phone;
    int64_t due_ms;
    uint32_t group;       /* index */
    uint32_t next_number; /* another number of the person, in a ring; itself: the only */
    uint32_t attrs;       /* offset into texts; 0: "{}" */
    int priority, base_priority, attempts;
    int rank;         /* among the numbers of the person; 0 the preferred one */
    uint8_t language; /* index */
};

enum { SCENE_LANGUAGES_MAX = 64, SCENE_LANGUAGE_MAX = 16 };

struct scene {
    int tenant_id;
    int64_t campaign_id;
    const struct campaign_doc *doc; /* borrowed of the connection */
    double cps;                     /* calls a second that trunk and campaign allow */
    int channels;                   /* calls at once, likewise */
    int64_t from_ms, to_ms;
    const struct ivr_prog *prog;
    bool flow_asks_contact; /* {{contact.*}} stands in it somewhere */
    const struct compliance_holiday *holidays;
    size_t holiday_count;
    const struct scene_zone *zones;
    size_t zone_count;
    const struct scene_group *groups;
    size_t group_count;
    const struct scene_person *people; /* by id, ascending */
    size_t people_count;
    const char *texts;
    char languages[SCENE_LANGUAGES_MAX][SCENE_LANGUAGE_MAX]; /* the first is "" */
    size_t language_count;
    struct budget_spent spent;                /* of the campaign's budget, before */
    int64_t final_contacts, calling_contacts; /* already final, being called: left out */
    bool invented; /* there are more people than in the list: copies of those */
};

/* The place of this language, a new one when it is unknown; 0, none, when there are too
 * many. */
uint8_t scene_language(char languages[SCENE_LANGUAGES_MAX][SCENE_LANGUAGE_MAX], size_t *n,
                       const char *tag);

#endif
