#include "simulate/scene_store.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/pg.h"
#include "base/sha256.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "campaigns/attempt_store_person.h"
#include "campaigns/budget_store.h"
#include "campaigns/flow_store.h"
#include "campaigns/forecast_store.h"
#include "campaigns/limit_store.h"
#include "campaigns/trunk_store.h"
#include "compliance/dnc_list.h"
#include "compliance/facts_store.h"
#include "contacts/tz.h"
#include "contacts/zones.h"

enum {
    FACTS = 500,    /* numbers whose facts are read at once */
    LISTS_MAX = 32, /* two bits of a key each */
    PLACES = 4096,  /* of a hash table that begins */
};
#define DAY_MS (INT64_C(86400) * 1000)
/* Numbers that nobody has: longer than E.164. */
#define INVENTED_PHONE INT64_C(9000000000000000)

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

struct scene_parts {
    struct group_row *rows;
    size_t row_count, row_size;
    struct places groups, persons;
    struct dnc_list *lists[LISTS_MAX];
    size_t list_count;
    struct facts_set **sets;
    size_t set_count;
    struct scene_group *scene_groups;
    struct scene_zone *zones;
    struct scene_person *people;
    size_t people_size;
    struct buf texts;
    struct compliance_holiday *holidays;
    struct ivr_arena *arena; /* of the program */
    char **flows;            /* texts of sub-flows */
    size_t flow_count;
};

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

/* Everybody who waits or is not enrolled yet, by id. A number that has to wait for the
 * person's others is held, as it will be when it is enrolled. */
static void people_sql(struct buf *b)
{
    buf_puts(b, "DECLARE people NO SCROLL CURSOR FOR WITH ");
    forecast_marks_sql(b);
    buf_puts(
        b,
        ", people AS (SELECT contact_id AS id, phone, zone_group, number_type, priority, "
        "attempts, next_attempt_at, base_priority FROM campaign_contacts WHERE "
        "campaign_id "
        "= $1 AND state = 'pending' UNION ALL SELECT id, phone, zone_group, number_type, "
        "-person_rank, 0, CASE WHEN $5::bool AND person_rank > 0 AND EXISTS (SELECT FROM "
        "contacts o WHERE o.person = c.person AND o.tenant_id = c.tenant_id AND "
        "o.list_id "
        "= $3 AND o.person_rank < c.person_rank AND NOT EXISTS (SELECT FROM "
        "campaign_contacts k WHERE k.campaign_id = $1 AND k.contact_id = o.id AND "
        "k.state "
        "= 'final')) THEN furrow_ts($6) ELSE furrow_ts($2) END, -person_rank FROM "
        "contacts "
        "c WHERE list_id = $3 AND id > $4 AND NOT EXISTS (SELECT FROM campaign_contacts "
        "k "
        "WHERE k.campaign_id = $1 AND k.contact_id = c.id)) SELECT p.id, p.phone, "
        "p.zone_group, p.number_type, p.priority, p.attempts, "
        "furrow_ms(p.next_attempt_at), m.marks, c.person, nullif(c.attrs::text, '{}'), "
        "h.language, p.base_priority, c.person_rank FROM people p LEFT JOIN contacts c "
        "ON "
        "c.id = p.id LEFT JOIN marks m ON m.phone = p.phone LEFT JOIN caller_history h "
        "ON "
        "h.phone = p.phone ORDER BY p.id");
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
        .attrs = s->flow_asks_contact ? keep_text(p, pg_text(res, i, 9)) : 0,
        .priority = (int)pg_i64(res, i, 4),
        .attempts = (int)pg_i64(res, i, 5),
        .base_priority = (int)pg_i64(res, i, 11),
        .rank = (int)pg_i64(res, i, 12),
        .language =
            scene_language(s->languages, &s->language_count, pg_text(res, i, 10))};
    join_person(p, pg_text(res, i, 8), index);
}

static int read_people(struct pg *pg, const struct campaign_row *row, struct scene *s,
                       struct scene_parts *p)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    CLEANUP(buf_free) struct buf sql = {0};
    struct pg_args a = {0};

    people_sql(&sql);
    pg_arg_i64(&a, row->id);
    int err = pg_run(pg, &res, "SELECT last_contact_id FROM campaigns WHERE id = $1", &a);
    if (err || PQntuples(res) == 0)
        return err ? err : ENOENT;
    pg_arg_ms(&a, s->from_ms);
    pg_arg_i64(&a, row->list_id);
    pg_arg_i64(&a, pg_i64(res, 0, 0));
    pg_arg_bool(&a, s->doc->numbers == CAMPAIGN_NUMBERS_ONE_BY_ONE);
    pg_arg_ms(&a, ATTEMPT_HELD_MS);
    err = pg_run(pg, NULL, sql.data, &a);
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
static void invent_people(struct scene *s, struct scene_parts *p, size_t want)
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

static int read_facts(struct pg *pg, struct scene *s, struct scene_parts *p)
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

/* ---- the flow ---- */

struct resolver {
    struct pg *pg;
    int tenant_id;
    struct scene_parts *parts;
};

static const char *keep_flow(struct scene_parts *p, char *text)
{
    p->flows = xrealloc(p->flows, (p->flow_count + 1) * sizeof(*p->flows));
    p->flows[p->flow_count++] = text;
    return text;
}

static int resolve(const char *name, const char *sha256, const char **text, size_t *len,
                   void *arg)
{
    struct resolver *r = arg;
    struct flow_row row;
    char *source = NULL;

    int err = flow_load_by_name(r->pg, r->tenant_id, name, &row, &source);
    if (err)
        return err;
    *text = keep_flow(r->parts, source);
    *len = strlen(source);
    /* Only the newest can be had by name. */
    return sha256[0] && !str_is(sha256, row.sha256) ? ENOENT : 0;
}

static int read_flow(struct pg *pg, const struct campaign_row *row, struct scene *s,
                     struct scene_parts *p, struct errtext *e)
{
    struct resolver r = {pg, s->tenant_id, p};
    const struct ivr_compile_options options = {
        .sha256 = sha256_of, .resolve = resolve, .arg = &r};
    struct ivr_issues issues = {0};
    struct ivr_prog *prog = NULL;
    struct flow_row flow;
    char *source = NULL;

    int err = flow_load(pg, s->tenant_id, row->flow_revision_id, &flow, &source);
    if (err)
        return err;
    keep_flow(p, source);
    err = ivr_arena_new(&p->arena, NULL);
    if (!err)
        err = ivr_compile(&prog, source, strlen(source), &options, p->arena, &issues);
    if (err == EBADMSG)
        return errtext_set(e, EINVAL, 0, 0,
                           "the flow '%s' does not compile: %.120s (furrow flow check)",
                           flow.name, issues.n > 0 ? issues.list[0].text : "");
    for (size_t i = 0; i < p->flow_count; i++)
        s->flow_asks_contact |= strstr(p->flows[i], "contact") != NULL;
    s->prog = prog;
    return err;
}

/* ---- the rest ---- */

static int read_counts(struct pg *pg, struct scene *s)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    pg_arg_i64(&a, s->campaign_id);
    int err = pg_run(pg, &res,
                     "SELECT count(*) FILTER (WHERE state = 'final'), count(*) FILTER "
                     "(WHERE state = 'calling') FROM campaign_contacts WHERE campaign_id "
                     "= $1 AND state <> 'pending'",
                     &a);
    if (err)
        return err;
    s->final_contacts = pg_i64(res, 0, 0);
    s->calling_contacts = pg_i64(res, 0, 1);
    return 0;
}

static int set_span(const struct scene_options *o, struct scene *s, struct errtext *e)
{
    int64_t longest_ms = SCENE_DAYS_MAX * DAY_MS;

    s->from_ms = o->from_ms < s->doc->start_at_ms ? s->doc->start_at_ms : o->from_ms;
    s->to_ms = o->to_ms ? o->to_ms : s->from_ms + longest_ms;
    if (s->doc->end_at_ms && s->doc->end_at_ms < s->to_ms)
        s->to_ms = s->doc->end_at_ms;
    if (s->to_ms <= s->from_ms)
        return errtext_set(e, EINVAL, 0, 0,
                           "there is nothing to simulate: it ends before it begins (the "
                           "campaign's own start and end count as well)");
    if (s->to_ms - s->from_ms > longest_ms)
        return errtext_set(e, EINVAL, 0, 0, "a simulation spans at most %d days",
                           SCENE_DAYS_MAX);
    return 0;
}

/* The smaller of two limits of which 0 is none. */
static double smaller(double a, double b)
{
    if (a <= 0 || b <= 0)
        return a > b ? a : b;
    return a < b ? a : b;
}

/* Of the tenant, and of the caller ID; in transactions of their own. */
static int read_limits(struct pg *pg, struct scene *s)
{
    const char *const owners[] = {"", s->doc->caller_id};

    for (size_t i = 0; i < ARRAY_LEN(owners); i++) {
        struct limit_row limit = {0};
        if (i > 0 && owners[i][0] == '\0')
            continue;
        int err = limit_load(pg, s->tenant_id, owners[i], &limit);
        if (err)
            return err;
        s->cps = smaller(s->cps, limit.cps);
        s->channels = (int)smaller(s->channels, limit.max_concurrent);
    }
    return 0;
}

static int read_pace(struct pg *pg, const struct campaign_row *row, struct scene *s)
{
    struct trunk_row trunk = {0};

    int err = trunk_load(pg, s->tenant_id, row->trunk_id, &trunk);
    if (err)
        return err;
    s->cps = smaller(s->cps, smaller(s->doc->pacing.cps, trunk.cps));
    s->channels = (int)smaller(
        s->channels, smaller(s->doc->pacing.max_concurrent, trunk.max_channels));
    return s->cps > 0 && s->channels > 0 ? 0 : EPROTO; /* the schema sees to it */
}

static int load(struct pg *pg, const struct campaign_row *row,
                const struct scene_options *o, struct scene_source *out,
                struct errtext *e)
{
    struct scene *s = &out->scene;
    struct scene_parts *p = out->parts;

    int err = set_span(o, s, e);
    if (!err)
        err = read_pace(pg, row, s);
    if (!err)
        err =
            facts_holidays(pg, s->tenant_id, s->from_ms, &p->holidays, &s->holiday_count);
    s->holidays = p->holidays;
    if (!err)
        err = read_flow(pg, row, s, p, e);
    if (!err)
        err = read_counts(pg, s);
    int64_t open = 0;
    if (!err)
        err = budget_load(pg, s->tenant_id, row->id, &s->doc->budget, &s->spent, &open);
    if (!err)
        err = read_people(pg, row, s, p);
    if (!err)
        err = read_facts(pg, s, p);
    if (err || o->people == 0)
        return err;
    if (s->people_count == 0)
        return errtext_set(e, EINVAL, 0, 0,
                           "nobody of the list waits who could be copied: import some "
                           "contacts first (furrow contacts import)");
    invent_people(s, p, (size_t)o->people);
    close_rings(s, p);
    return 0;
}

int scene_load(struct pg *pg, int tenant_id, const struct campaign_row *row,
               const struct scene_options *options, struct scene_source *out,
               struct errtext *e)
{
    struct dnc_lists *lists = dnc_lists_of_process();

    *out = (struct scene_source){
        .scene = {.tenant_id = tenant_id, .campaign_id = row->id, .language_count = 1},
        .parts = xcalloc(1, sizeof(*out->parts))};
    if (lists)
        dnc_lists_pin_all(lists, mono_ms(), out->parts->lists, LISTS_MAX,
                          &out->parts->list_count);
    int err = campaign_doc_get(pg, tenant_id, row->id, &out->scene.doc);
    if (!err)
        err = read_limits(pg, &out->scene);
    if (!err)
        err = pg_begin(pg, tenant_id);
    if (!err)
        err = pg_end(pg, load(pg, row, options, out, e));
    if (err)
        errtext_set(e, err, 0, 0, "%s", pg_error(pg)); /* the first text stays */
    if (err)
        scene_free(out);
    return err;
}

void scene_free(struct scene_source *s)
{
    struct scene_parts *p = s->parts;

    if (!p)
        return;
    for (size_t i = 0; i < p->list_count; i++)
        dnc_lists_unpin(dnc_lists_of_process(), p->lists[i]);
    for (size_t i = 0; i < p->set_count; i++)
        facts_free(p->sets[i]);
    for (size_t i = 0; i < p->flow_count; i++)
        free(p->flows[i]);
    ivr_arena_free(p->arena);
    buf_free(&p->texts);
    free(p->flows);
    free(p->sets);
    free(p->rows);
    free(p->groups.at);
    free(p->persons.at);
    free(p->scene_groups);
    free(p->zones);
    free(p->people);
    free(p->holidays);
    free(p);
    *s = (struct scene_source){0};
}
