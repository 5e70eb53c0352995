#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/pg.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "campaigns/attempt_store_person.h"
#include "campaigns/campaign.h"
#include "campaigns/forecast_store.h"
#include "compliance/dnc_list.h"
#include "compliance/facts_store.h"
#include "contacts/tz.h"
#include "contacts/zones.h"
#include "simulate/scene_store_inside.h"

enum {
    FACTS = 500,   /* numbers whose facts are read at once */
    PLACES = 4096, /* of a hash table that begins */
};
/* Numbers that nobody has: longer than E.164. */
#define INVENTED_PHONE INT64_C(9000000000000000)

/* ---- a hash table ---- */

static uint64_t mix(uint64_t x)
{
    x = (x ^ (x >> 31)) * UINT64_C(0x7fb5d329728ea185);
    x = (x ^ (x >> 27)) * UINT64_C(0x81dadef4bc2dd44d);
    return x ^ (x >> 33);
}

static uint64_t hash_bytes(const void *data, size_t len)
{
    const unsigned char *at = data;
    uint64_t h = UINT64_C(0x9e3779b97f4a7c15) ^ len;

    for (size_t i = 0; i < len; i++)
        h = (h ^ at[i]) * UINT64_C(0x100000001b3);
    return mix(h);
}

static struct place *place_of(const struct places *p, uint64_t key)
{
    size_t i = mix(key) & (p->size - 1);

    while (p->at[i].value && p->at[i].key != key)
        i = (i + 1) & (p->size - 1);
    return &p->at[i];
}

/* The place of the key, a free one when it is new. */
static struct place *places_get(struct places *p, uint64_t key)
{
    if (2 * (p->n + 1) > p->size) {
        struct places old = *p;
        p->size = old.size ? 2 * old.size : PLACES;
        p->at = xcalloc(p->size, sizeof(*p->at));
        for (size_t i = 0; i < old.size; i++)
            if (old.at[i].value)
                *place_of(p, old.at[i].key) = old.at[i];
        free(old.at);
    }
    struct place *place = place_of(p, key);
    if (!place->value) {
        place->key = key;
        p->n++; /* it is about to be filled */
    }
    return place;
}

/* ---- people ---- */

/* Equal 64 bits of two keys are taken for equal keys: of a million groups the chance of
 * a mistake is one in thirty million. */
static uint32_t group_of(struct scene_parts *p, const struct group_key *key,
                         int64_t phone)
{
    struct place *place = places_get(&p->groups, hash_bytes(key, sizeof(*key)));

    if (place->value)
        return place->value - 1;
    if (p->row_count == p->row_size) {
        p->row_size = p->row_size ? 2 * p->row_size : 1024;
        p->rows = xrealloc(p->rows, p->row_size * sizeof(*p->rows));
    }
    p->rows[p->row_count++] = (struct group_row){.key = *key, .phone = phone};
    place->value = (uint32_t)p->row_count;
    return place->value - 1;
}

/* Into the ring of the person's other numbers. */
static void join_person(struct scene_parts *p, const char *person, uint32_t index)
{
    if (person[0] == '\0')
        return;
    struct place *place = places_get(&p->persons, hash_bytes(person, strlen(person)));
    if (place->value) {
        struct scene_person *last = &p->people[place->value - 1];
        p->people[index].next_number = last->next_number;
        last->next_number = index;
    }
    place->value = index + 1;
}

static uint32_t keep_text(struct scene_parts *p, const char *text)
{
    if (text[0] == '\0')
        return 0;
    if (p->texts.len == 0)
        buf_add(&p->texts, "", 1);
    size_t at = p->texts.len;
    buf_add(&p->texts, text, strlen(text) + 1);
    return p->texts.len <= UINT32_MAX ? (uint32_t)at : 0;
}

/* Whether a number has to wait for the person's others, as when it is enrolled. */
#define IS_HELD                                                                          \
    "$5::bool AND person_rank > 0 AND EXISTS (SELECT FROM contacts o WHERE o.person = "  \
    "c.person AND o.tenant_id = c.tenant_id AND o.list_id = c.list_id AND "              \
    "o.person_rank < c.person_rank AND NOT EXISTS (SELECT FROM campaign_contacts k "     \
    "WHERE k.campaign_id = $1 AND k.contact_id = o.id AND k.state = 'final'))"

/* Who is not enrolled yet, as campaign_populate() would. Of several lists each has its
 * band of priorities, and their shares are in when each is due; a number that an earlier
 * one brings is left out. */
static const char fresh_sql[] =
    "SELECT id, phone, zone_group, number_type, -person_rank AS priority, CASE "
    "WHEN " IS_HELD
    " THEN furrow_ts($6) ELSE furrow_ts($2) END AS due FROM contacts c WHERE list_id = "
    "$3 AND id > $4 AND NOT EXISTS (SELECT FROM campaign_contacts k WHERE k.campaign_id "
    "= $1 AND k.contact_id = c.id)";
static const char fresh_of_several_sql[] =
    "SELECT id, phone, zone_group, number_type, band - least(person_rank, 9) AS "
    "priority, CASE WHEN " IS_HELD
    " THEN furrow_ts($6) ELSE least(furrow_ts($2), (SELECT created_at FROM campaigns "
    "WHERE id = $1) - interval '1 hour' + (enrolled + row_number() OVER (PARTITION BY "
    "place ORDER BY id)) * 1000 / share * interval '1 us') END AS due FROM (SELECT "
    "DISTINCT ON (c.phone) c.*, l.place, l.enrolled, d.band, d.share FROM "
    "campaign_lists l JOIN unnest($7::bigint[], $8::bigint[]) WITH ORDINALITY d(band, "
    "share, n) ON d.n = l.place + 1 JOIN contacts c ON c.list_id = l.list_id AND c.id > "
    "CASE WHEN l.place = 0 THEN $4 ELSE l.last_contact_id END WHERE l.campaign_id = $1 "
    "AND $3::bigint > 0 AND NOT EXISTS (SELECT FROM campaign_contacts k WHERE k.phone = "
    "c.phone AND k.campaign_id = $1) ORDER BY c.phone, l.place) c";

/* Everybody who waits or is not enrolled yet, by id. */
static void people_sql(struct buf *b, bool several)
{
    buf_puts(b, "DECLARE people NO SCROLL CURSOR FOR WITH ");
    forecast_marks_sql(b);
    buf_printf(
        b,
        ", people AS (SELECT contact_id AS id, phone, zone_group, number_type, priority, "
        "attempts, next_attempt_at, base_priority FROM campaign_contacts WHERE "
        "campaign_id = $1 AND state = 'pending' UNION ALL SELECT id, phone, zone_group, "
        "number_type, priority, 0, due, priority FROM (%s) fresh) SELECT p.id, p.phone, "
        "p.zone_group, p.number_type, p.priority, p.attempts, "
        "furrow_ms(p.next_attempt_at), m.marks, c.person, nullif(c.attrs::text, '{}'), "
        "h.language, p.base_priority, c.person_rank, c.list_id FROM people p LEFT JOIN "
        "contacts c "
        "ON c.id = p.id LEFT JOIN marks m ON m.phone = p.phone LEFT JOIN caller_history "
        "h ON h.phone = p.phone ORDER BY p.id",
        several ? fresh_of_several_sql : fresh_sql);
}

/* The answers of the national lists, two bits each. */
static uint64_t *ask_lists(const struct scene_parts *p, const PGresult *res)
{
    size_t n = (size_t)PQntuples(res);
    CLEANUP(free_cleanup) int64_t *phones = xcalloc(n + 1, sizeof(*phones));
    CLEANUP(free_cleanup) enum list_state *states = xcalloc(n + 1, sizeof(*states));
    uint64_t *answers = xcalloc(n + 1, sizeof(*answers));

    for (size_t i = 0; i < n; i++)
        phones[i] = pg_i64(res, (int)i, 1);
    for (size_t l = 0; l < p->list_count; l++) {
        dnc_list_look_many(p->lists[l], phones, n, states);
        for (size_t i = 0; i < n; i++)
            answers[i] = answers[i] << 2 | (states[i] == LIST_CLEAR ? 0
                                            : states[i] == LIST_HIT ? 1
                                                                    : 2);
    }
    return answers;
}

/* As the ledger names people for their variant: who has no name, by the number. */
static uint8_t variant_of(const struct scene *s, const char *person, int64_t phone)
{
    char number[PHONE_TEXT_MAX];

    if (s->doc->variants.n == 0)
        return 0;
    return (uint8_t)cohort_of(&s->doc->variants, s->campaign_id,
                              person[0] ? person : phone_text(phone, number), 0);
}

/* Its place among the lists of the people; those beyond the last share one. */
static uint8_t list_of(struct scene *s, int64_t id)
{
    for (size_t i = 0; i < s->list_count; i++)
        if (s->lists[i].id == id)
            return (uint8_t)i;
    if (s->list_count == CAMPAIGN_LISTS_MAX)
        return CAMPAIGN_LISTS_MAX - 1;
    s->lists[s->list_count].id = id;
    return (uint8_t)s->list_count++;
}

static uint64_t spare_of(const struct scene *s, const char *person, int64_t phone)
{
    char number[PHONE_TEXT_MAX];

    return s->doc->quarantine.variants
               ? cohort_spare(s->campaign_id,
                              person[0] ? person : phone_text(phone, number))
               : 0;
}

static void take_person(struct scene *s, struct scene_parts *p, const PGresult *res,
                        int i, uint64_t lists)
{
    struct group_key key;

    if (s->people_count == p->people_size) {
        p->people_size = p->people_size ? 2 * p->people_size : 4096;
        p->people = xrealloc(p->people, p->people_size * sizeof(*p->people));
    }
    uint32_t index = (uint32_t)s->people_count++;
    int64_t phone = pg_i64(res, i, 1);
    memset(&key, 0, sizeof(key)); /* hashed as bytes */
    key.state = zones_state_of(phone);
    key.marks = pg_i64(res, i, 7);
    key.lists = lists;
    key.zone_group = (int32_t)pg_i64(res, i, 2);
    key.type = (int32_t)pg_i64(res, i, 3);
    p->people[index] = (struct scene_person){
        .id = pg_i64(res, i, 0),
        .phone = phone,
        .due_ms = pg_i64(res, i, 6),
        .group = group_of(p, &key, phone),
        .next_number = index,
        .variant = variant_of(s, pg_text(res, i, 8), phone),
        .spare = spare_of(s, pg_text(res, i, 8), phone),
        .list = list_of(s, pg_i64(res, i, 13)),
        .attrs = s->asks_contact ? keep_text(p, pg_text(res, i, 9)) : 0,
        .priority = (int)pg_i64(res, i, 4),
        .attempts = (int)pg_i64(res, i, 5),
        .base_priority = (int)pg_i64(res, i, 11),
        .rank = (int)pg_i64(res, i, 12),
        .language =
            scene_language(s->languages, &s->language_count, pg_text(res, i, 10))};
    join_person(p, pg_text(res, i, 8), index);
}

/* Their bands of priorities, and their shares. */
static void add_lists(struct pg_args *a, const struct campaign_lists *lists,
                      struct buf arrays[2])
{
    int64_t priorities[CAMPAIGN_LISTS_MAX], shares[CAMPAIGN_LISTS_MAX];

    for (size_t i = 0; i < lists->n; i++) {
        priorities[i] = lists->at[i].priority * CAMPAIGN_LIST_BAND;
        shares[i] = lists->at[i].share;
    }
    pg_array_i64(&arrays[0], priorities, lists->n);
    pg_array_i64(&arrays[1], shares, lists->n);
    pg_arg_text(a, arrays[0].data);
    pg_arg_text(a, arrays[1].data);
}

int scene_read_people(struct pg *pg, const struct campaign_row *row, struct scene *s,
                      struct scene_parts *p)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    CLEANUP(buf_free) struct buf sql = {0};
    struct buf arrays[2] = {0};
    struct pg_args a = {0};

    people_sql(&sql, s->doc->lists.n > 0);
    pg_arg_i64(&a, row->id);
    int err = pg_run(pg, &res, "SELECT last_contact_id FROM campaigns WHERE id = $1", &a);
    if (err || PQntuples(res) == 0)
        return err ? err : ENOENT;
    pg_arg_ms(&a, s->from_ms);
    pg_arg_i64(&a, row->list_id);
    pg_arg_i64(&a, pg_i64(res, 0, 0));
    pg_arg_bool(&a, s->doc->numbers == CAMPAIGN_NUMBERS_ONE_BY_ONE);
    pg_arg_ms(&a, ATTEMPT_HELD_MS);
    if (s->doc->lists.n > 0)
        add_lists(&a, &s->doc->lists, arrays);
    err = pg_run(pg, NULL, sql.data, &a);
    buf_free(&arrays[0]);
    buf_free(&arrays[1]);
    for (int n = 1; !err && n > 0;) {
        CLEANUP(pg_result_free) PGresult *some = NULL;
        err = pg_run(pg, &some, "FETCH 20000 FROM people", NULL);
        n = err ? 0 : PQntuples(some);
        CLEANUP(free_cleanup) uint64_t *lists = n > 0 ? ask_lists(p, some) : NULL;
        for (int i = 0; i < n; i++)
            take_person(s, p, some, i, lists[i]);
    }
    s->people = p->people;
    s->texts = p->texts.data;
    return err ? err : pg_run(pg, NULL, "CLOSE people", NULL);
}

/* Copies of those there are, one list after the other, until there are so many. */
static void copy_people(struct scene *s, struct scene_parts *p, size_t want)
{
    size_t n = s->people_count;

    if (want <= n) {
        s->people_count = want;
        for (size_t i = 0; i < want; i++)
            if (p->people[i].next_number >= want)
                p->people[i].next_number = (uint32_t)i;
        return;
    }
    p->people = xrealloc(p->people, want * sizeof(*p->people));
    for (size_t i = n; i < want; i++) {
        struct scene_person *person = &p->people[i];
        size_t round = i - i % n;

        *person = p->people[i % n];
        person->id = p->people[n - 1].id + (int64_t)(i - n) + 1;
        person->phone = INVENTED_PHONE + (int64_t)i;
        /* Of several numbers: as the first of them. */
        if (person->next_number == i % n) {
            person->variant = variant_of(s, "", person->phone);
            person->spare = spare_of(s, "", person->phone);
        }
        size_t next = round + person->next_number;
        person->next_number = (uint32_t)(next < want ? next : i);
    }
    s->people = p->people;
    s->people_count = want;
    s->invented = true;
}

/* Where the end cut a ring, the member before the gap points to itself: the chain that
 * is left becomes a ring again, of a person with fewer numbers. */
static void close_rings(struct scene *s, struct scene_parts *p)
{
    CLEANUP(free_cleanup) bool *pointed = xcalloc(s->people_count + 1, sizeof(*pointed));

    for (size_t i = 0; i < s->people_count; i++)
        pointed[p->people[i].next_number] = true;
    for (size_t i = 0; i < s->people_count; i++) {
        uint32_t at = (uint32_t)i, next = p->people[at].next_number;
        if (pointed[i])
            continue;
        while (next != at) {
            at = next;
            next = p->people[at].next_number;
        }
        p->people[at].next_number = (uint32_t)i;
    }
}

void scene_invent_people(struct scene *s, struct scene_parts *p, size_t want)
{
    copy_people(s, p, want);
    close_rings(s, p);
}

/* ---- facts ---- */

static uint32_t zone_index(struct scene *s, struct scene_parts *p, int id,
                           const struct compliance_facts *facts)
{
    size_t n = s->zone_count;

    for (size_t i = n; i > 0; i--) /* the groups of a zone often lie together */
        if (p->zones[i - 1].id == id)
            return (uint32_t)(i - 1);
    p->zones = xrealloc(p->zones, (n + 1) * sizeof(*p->zones));
    p->zones[n] = (struct scene_zone){
        .id = id, .names = facts->zones, .name_count = facts->zone_count};
    str_cut(p->zones[n].region, sizeof(p->zones[n].region), facts->region);
    if (facts->zone_count > 0 && tz_find(facts->zones[0], &p->zones[n].clock))
        p->zones[n].clock = NULL;
    return (uint32_t)s->zone_count++;
}

int scene_read_facts(struct pg *pg, struct scene *s, struct scene_parts *p)
{
    struct facts_key keys[FACTS];

    p->scene_groups = xcalloc(p->row_count + 1, sizeof(*p->scene_groups));
    p->sets = xcalloc(p->row_count / FACTS + 1, sizeof(struct facts_set *));
    for (size_t from = 0; from < p->row_count; from += FACTS) {
        size_t n = p->row_count - from < FACTS ? p->row_count - from : FACTS;
        struct facts_set *set = NULL;

        for (size_t i = 0; i < n; i++) {
            const struct group_row *row = &p->rows[from + i];
            keys[i] = (struct facts_key){.phone = row->phone,
                                         .campaign_id = s->campaign_id,
                                         .zone_group = row->key.zone_group,
                                         .type = (enum phone_type)row->key.type};
        }
        int err = facts_load(pg, s->tenant_id, keys, n, s->from_ms, &set);
        if (err)
            return err;
        p->sets[p->set_count++] = set;
        facts_end_calls(set);
        for (size_t i = 0; i < n; i++) {
            struct compliance_facts facts = facts_get(set, i);
            p->scene_groups[from + i] = (struct scene_group){
                .facts = facts, .zone = zone_index(s, p, keys[i].zone_group, &facts)};
        }
    }
    s->groups = p->scene_groups;
    s->group_count = p->row_count;
    s->zones = p->zones;
    return 0;
}
