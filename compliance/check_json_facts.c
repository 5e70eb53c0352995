/* The rarer facts as JSON: lists, washes, address, consent's circumstances, counters. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "base/xalloc.h"
#include "compliance/check_json.h"

enum { ITEMS_MAX = 4096 };

static const struct field {
    const char *key;
    enum { FIELD_I64, FIELD_INT, FIELD_BOOL, FIELD_TEXT } kind;
    size_t offset, size;
} fields[] = {
#define FIELD(kind, member)                                                              \
    {                                                                                    \
#member, kind, offsetof(struct compliance_facts, member),                        \
            sizeof(((struct compliance_facts *)0)->member)                               \
    }
    FIELD(FIELD_BOOL, kill_switch),     FIELD(FIELD_BOOL, emergency),
    FIELD(FIELD_BOOL, protected_line),  FIELD(FIELD_BOOL, lead_closed),
    FIELD(FIELD_TEXT, state),           FIELD(FIELD_TEXT, address_region),
    FIELD(FIELD_BOOL, tz_confirmed),    FIELD(FIELD_INT, line),
    FIELD(FIELD_I64, line_checked_ms),  FIELD(FIELD_I64, dnc_added_day),
    FIELD(FIELD_I64, consent_given_ms), FIELD(FIELD_BOOL, consent_evidence),
    FIELD(FIELD_TEXT, consent_seller),  FIELD(FIELD_INT, rnd),
    FIELD(FIELD_I64, rnd_checked_ms),   FIELD(FIELD_BOOL, reserved_agent),
    FIELD(FIELD_TEXT, tzdata),          FIELD(FIELD_I64, decided_at_ms),
#undef FIELD
};

_Static_assert(sizeof(enum rnd_answer) == sizeof(int), "read as an int");

static void fields_to_json(const struct compliance_facts *f, json_t *json)
{
    for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
        const struct field *d = &fields[i];
        const void *at = (const char *)f + d->offset;
        if (d->kind == FIELD_I64 && *(const int64_t *)at)
            json_object_set_new(json, d->key, json_integer(*(const int64_t *)at));
        else if (d->kind == FIELD_INT && *(const int *)at)
            json_object_set_new(json, d->key, json_integer(*(const int *)at));
        else if (d->kind == FIELD_BOOL && *(const bool *)at)
            json_object_set_new(json, d->key, json_true());
        else if (d->kind == FIELD_TEXT && *(const char *)at)
            json_object_set_new(json, d->key, json_string(at));
    }
}

static int fields_from_json(struct compliance_facts *f, const json_t *json)
{
    for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
        const struct field *d = &fields[i];
        const json_t *value = json_object_get(json, d->key);
        void *at = (char *)f + d->offset;
        if (!value)
            continue;
        if (d->kind == FIELD_I64 && json_is_integer(value))
            *(int64_t *)at = json_integer_value(value);
        else if (d->kind == FIELD_INT && json_is_integer(value) &&
                 json_integer_value(value) >= 0 && json_integer_value(value) <= 3)
            *(int *)at = (int)json_integer_value(value);
        else if (d->kind == FIELD_BOOL && json_is_boolean(value))
            *(bool *)at = json_is_true(value);
        else if (d->kind == FIELD_TEXT && json_is_string(value) &&
                 json_string_length(value) < d->size)
            str_cut(at, d->size, json_string_value(value));
        else
            return EBADMSG;
    }
    return 0;
}

/* ---- lists ---- */

/* Takes list over; an empty one is left out. */
static void put(json_t *json, const char *key, json_t *list)
{
    if (json_array_size(list) > 0)
        json_object_set(json, key, list);
    json_decref(list);
}

void facts_more_to_json(const struct compliance_facts *f, json_t *json)
{
    json_t *zones = json_array(), *lists = json_array(), *washes = json_array();
    json_t *abandon = json_array(), *registrations = json_array(), *blocks = json_array();

    for (size_t i = 0; i < f->address_zone_count; i++)
        json_array_append_new(zones, json_string(f->address_zones[i]));
    for (size_t i = 0; i < f->list_count; i++)
        json_array_append_new(lists, json_pack("[siII]", f->lists[i].name,
                                               (int)f->lists[i].state,
                                               (json_int_t)f->lists[i].obtained_at_ms,
                                               (json_int_t)f->lists[i].generation));
    for (size_t i = 0; i < f->wash_count; i++)
        json_array_append_new(washes,
                              json_pack("[sbII]", f->washes[i].name, f->washes[i].hit,
                                        (json_int_t)f->washes[i].checked_at_ms,
                                        (json_int_t)f->washes[i].expires_at_ms));
    for (size_t i = 0; i < f->abandon_count; i++)
        json_array_append_new(abandon, json_pack("[iIII]", f->abandon[i].limit_ppm,
                                                 (json_int_t)f->abandon[i].answered,
                                                 (json_int_t)f->abandon[i].abandoned,
                                                 (json_int_t)f->abandon[i].unbacked));
    for (size_t i = 0; i < f->registration_count; i++)
        json_array_append_new(registrations,
                              json_pack("[sI]", f->registrations[i].region,
                                        (json_int_t)f->registrations[i].until_ms));
    for (size_t i = 0; i < f->block_count; i++)
        json_array_append_new(blocks, json_pack("[sII]", f->blocks[i].region,
                                                (json_int_t)f->blocks[i].from_ms,
                                                (json_int_t)f->blocks[i].until_ms));
    put(json, "address_zones", zones);
    put(json, "lists", lists);
    put(json, "washes", washes);
    put(json, "abandon", abandon);
    put(json, "registrations", registrations);
    put(json, "blocks", blocks);
    fields_to_json(f, json);
}

/* Its items, at most ITEMS_MAX; false: it is no list. */
static bool items(const json_t *json, const char *key, const json_t **list, size_t *n)
{
    *list = json_object_get(json, key);
    *n = json_array_size(*list);
    return !*list || (json_is_array(*list) && *n <= ITEMS_MAX);
}

static int read_lists(struct compliance_facts *f, struct facts_more *more,
                      const json_t *json)
{
    const json_t *list = NULL;
    size_t n = 0;

    if (!items(json, "lists", &list, &n))
        return EBADMSG;
    f->lists = more->lists = xcalloc(n + 1, sizeof(*more->lists));
    for (; f->list_count < n; f->list_count++) {
        struct compliance_list *l = &more->lists[f->list_count];
        json_int_t obtained = 0, generation = 0;
        int state = 0;
        if (json_unpack(json_array_get(list, f->list_count), "[siII!]", &l->name, &state,
                        &obtained, &generation) ||
            state < LIST_CLEAR || state > LIST_CORRUPT)
            return EBADMSG;
        l->state = (enum list_state)state;
        l->obtained_at_ms = obtained;
        l->generation = (uint64_t)generation;
    }
    return 0;
}

static int read_washes(struct compliance_facts *f, struct facts_more *more,
                       const json_t *json)
{
    const json_t *list = NULL;
    size_t n = 0;

    if (!items(json, "washes", &list, &n))
        return EBADMSG;
    f->washes = more->washes = xcalloc(n + 1, sizeof(*more->washes));
    for (; f->wash_count < n; f->wash_count++) {
        struct compliance_wash *w = &more->washes[f->wash_count];
        json_int_t checked = 0, expires = 0;
        int hit = 0;
        if (json_unpack(json_array_get(list, f->wash_count), "[sbII!]", &w->name, &hit,
                        &checked, &expires))
            return EBADMSG;
        w->hit = hit;
        w->checked_at_ms = checked;
        w->expires_at_ms = expires;
    }
    return 0;
}

static int read_abandon(struct compliance_facts *f, struct facts_more *more,
                        const json_t *json)
{
    const json_t *list = NULL;
    size_t n = 0;

    if (!items(json, "abandon", &list, &n))
        return EBADMSG;
    f->abandon = more->abandon = xcalloc(n + 1, sizeof(*more->abandon));
    for (; f->abandon_count < n; f->abandon_count++) {
        json_int_t answered = 0, abandoned = 0, unbacked = 0;
        int limit = 0;
        if (json_unpack(json_array_get(list, f->abandon_count), "[iIII!]", &limit,
                        &answered, &abandoned, &unbacked))
            return EBADMSG;
        more->abandon[f->abandon_count] =
            (struct compliance_abandon){limit, answered, abandoned, unbacked};
    }
    return 0;
}

static int read_regions(struct compliance_facts *f, struct facts_more *more,
                        const json_t *json)
{
    const json_t *registrations = NULL, *blocks = NULL;
    size_t n = 0, m = 0;
    const char *region = NULL;
    json_int_t from = 0, until = 0;

    if (!items(json, "registrations", &registrations, &n) ||
        !items(json, "blocks", &blocks, &m))
        return EBADMSG;
    f->registrations = more->registrations = xcalloc(n + 1, sizeof(*more->registrations));
    f->blocks = more->blocks = xcalloc(m + 1, sizeof(*more->blocks));
    for (; f->registration_count < n; f->registration_count++) {
        struct compliance_registration *r = &more->registrations[f->registration_count];
        if (json_unpack(json_array_get(registrations, f->registration_count), "[sI!]",
                        &region, &until) ||
            strlen(region) >= sizeof(r->region))
            return EBADMSG;
        str_cut(r->region, sizeof(r->region), region);
        r->until_ms = until;
    }
    for (; f->block_count < m; f->block_count++) {
        struct compliance_block *b = &more->blocks[f->block_count];
        if (json_unpack(json_array_get(blocks, f->block_count), "[sII!]", &region, &from,
                        &until) ||
            strlen(region) >= sizeof(b->region))
            return EBADMSG;
        str_cut(b->region, sizeof(b->region), region);
        b->from_ms = from;
        b->until_ms = until;
    }
    return 0;
}

int facts_more_from_json(struct compliance_facts *f, struct facts_more *more,
                         const json_t *json)
{
    int err = fields_from_json(f, json);

    if (!err)
        err = read_lists(f, more, json);
    if (!err)
        err = read_washes(f, more, json);
    if (!err)
        err = read_abandon(f, more, json);
    return err ? err : read_regions(f, more, json);
}

void facts_more_free(struct facts_more *more)
{
    free(more->lists);
    free(more->washes);
    free(more->abandon);
    free(more->registrations);
    free(more->blocks);
}
