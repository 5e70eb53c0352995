/*
 * scene - all that a simulation begins with: the campaign's rules, its trunks, its
 * compiled flows, the numbers that it shows and its people, with what the gate knows of
 * them. Read once, by scene_store.h; nothing changes it afterwards.
 */
#ifndef SIMULATE_SCENE_H
#define SIMULATE_SCENE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "campaigns/campaign.h"
#include "compliance/check.h"
#include "ivr/ivr.h"

struct table_memory;
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
    uint8_t variant;  /* its own; index into the document's; 0 where there are none */
    uint8_t list;     /* index into the scene's */
    uint64_t spare;   /* which one it gets where its own is held: cohort_among() */
};

struct scene_trunk {
    char name[128];
    double cps;   /* calls a second */
    int channels; /* calls at once */
    int weight, priority;
};

/* What the calls run. */
struct scene_flow {
    const struct ivr_prog *prog; /* NULL none */
    bool asks_contact;           /* {{contact.*}} stands in it somewhere */
};

/* Calls that showed one number, before the simulation or in it, by when they began. */
struct scene_use {
    int64_t at_ms;
    uint32_t used;                    /* against its cap */
    uint32_t calls, answered, shorts; /* of its health */
};

struct scene_caller { /* a number of the campaign's pool */
    struct caller_id id;
    int64_t counts_from_ms;       /* of its health */
    const struct scene_use *uses; /* ascending */
    size_t use_count;
};

enum { SCENE_LANGUAGES_MAX = 64, SCENE_LANGUAGE_MAX = 16 };

struct scene_list {
    int64_t id;
    char name[128];
};

struct scene {
    int tenant_id;
    int64_t campaign_id;
    const struct campaign_doc *doc; /* borrowed of the connection */
    double cps;   /* calls a second that trunks, campaign, tenant and caller ID allow */
    int channels; /* calls at once, likewise */
    struct scene_trunk trunks[CAMPAIGN_TRUNKS_MAX]; /* by priority; at least one */
    size_t trunk_count;
    bool canary_over;                            /* it passed before, or was overruled */
    struct scene_list lists[CAMPAIGN_LISTS_MAX]; /* of which there are people */
    size_t list_count;
    unsigned held_variants, held_lists; /* in quarantine at the beginning; bits */
    int agents; /* of the queue of the campaign's mode; 0 without one */
    int64_t from_ms, to_ms;
    struct scene_flow flow, message;          /* the campaign's; for machines */
    struct scene_flow variants[VARIANTS_MAX]; /* without a prog: the campaign's */
    const struct table_memory *tables;        /* that flows name; secrets are not known */
    char missing_tables[200];           /* "'a', 'b'": named, and not there; "" none */
    bool hidden_secrets;                /* a table has secrets that are not known */
    const struct scene_caller *callers; /* of the pool, by number */
    size_t caller_count;
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
    bool invented;     /* there are more people than in the list: copies of those */
    bool asks_contact; /* one of the flows does: attrs are kept */
};

/* The flow of a call of this variant. */
const struct scene_flow *scene_flow_of(const struct scene *s, uint8_t variant);

/* What the campaign has and a simulation of it does not know, in sentences; how many. */
enum { SCENE_NOTES_MAX = 8 };
size_t scene_notes(const struct scene *s, const char *out[SCENE_NOTES_MAX]);

/* The place of this language, a new one when it is unknown; 0, none, when there are too
 * many. */
uint8_t scene_language(char languages[SCENE_LANGUAGES_MAX][SCENE_LANGUAGE_MAX], size_t *n,
                       const char *tag);

#endif
