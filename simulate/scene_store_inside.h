/* scene_store_inside - what the readers of a scene share; for simulate/scene_*.c alone.
 */
#ifndef SIMULATE_SCENE_STORE_INSIDE_H
#define SIMULATE_SCENE_STORE_INSIDE_H

#include "base/attrs.h"
#include "base/str.h"
#include "campaigns/flow_store.h"
#include "campaigns/subflow_store.h"
#include "campaigns/table_memory.h"
#include "simulate/scene_store.h"

struct dnc_list;
struct facts_set;
struct pg;

enum { SCENE_DNC_LISTS_MAX = 32 }; /* two bits of a key each */

/* Of whom it is equal the gate says the same. Compared as bytes. */
struct group_key {
    const char *state; /* zones_state_of(): one text for each */
    int64_t marks;
    uint64_t lists; /* answers of the do-not-call lists, two bits each */
    int32_t zone_group, type;
};

struct group_row {
    struct group_key key;
    int64_t phone; /* of the first of them */
};

/* From 64 bits to an index. */
struct places {
    struct place {
        uint64_t key;
        uint32_t value; /* + 1; 0 free */
    } * at;
    size_t n, size;
};

/* What a scene points to. */
struct scene_parts {
    struct group_row *rows;
    size_t row_count, row_size;
    struct places groups, persons;
    struct dnc_list *lists[SCENE_DNC_LISTS_MAX];
    size_t list_count;
    struct facts_set **sets;
    size_t set_count;
    struct scene_group *scene_groups;
    struct scene_zone *zones;
    struct scene_person *people;
    size_t people_size;
    struct buf texts;
    struct compliance_holiday *holidays;
    struct ivr_arena *arena; /* of the programs */
    struct flow_texts flows;
    json_t *table_names; /* {name: null, of the store; true, else} */
    struct table_memory tables;
    struct scene_caller *callers;
    struct scene_use *uses; /* of all callers, one after the other */
};

/* All run in the transaction of scene_load(); errors are pg.h's, EINVAL has a text. */

/* Who waits or is not enrolled yet; then what the gate knows of them. */
NODISCARD int scene_read_people(struct pg *pg, const struct campaign_row *row,
                                struct scene *s, struct scene_parts *p);
NODISCARD int scene_read_facts(struct pg *pg, struct scene *s, struct scene_parts *p);
/* So many people, copied from those there are, or the first of them. */
void scene_invent_people(struct scene *s, struct scene_parts *p, size_t want);
/* The campaign's flow, those of its variants, and what machines hear. */
NODISCARD int scene_read_flows(struct pg *pg, const struct campaign_row *row,
                               struct scene *s, struct scene_parts *p, struct errtext *e);
/* The tables that these flows name. */
NODISCARD int scene_read_tables(struct pg *pg, struct scene *s, struct scene_parts *p,
                                struct errtext *e);
/* The numbers of the campaign's pool and how they were used. */
NODISCARD int scene_read_callers(struct pg *pg, struct scene *s, struct scene_parts *p);

#endif
