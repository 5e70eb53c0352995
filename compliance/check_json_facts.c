/* The facts of stored inputs, read: the plain members by one table, then the rarer lists.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "base/xalloc.h"
#include "compliance/check_json.h"

enum { ITEMS_MAX = 4096 };

#define KEY(kind, max, rare, name, member)                                               \
    {                                                                                    \
        name, kind, offsetof(struct compliance_facts, member),                           \
            sizeof(((struct compliance_facts *)0)->member), max, rare                    \
    }
#define I64(member)       KEY(INPUTS_I64, 0, true, #member, member)
#define INT(max, member)  KEY(INPUTS_INT, max, true, #member, member)
#define FLAG(member)      KEY(INPUTS_BOOL, 0, true, #member, member)
#define TEXT(member)      KEY(INPUTS_TEXT, 0, true, #member, member)
#define ALWAYS(kind, ...) KEY(INPUTS_##kind, __VA_ARGS__)

static const struct inputs_key keys[] = {
    TEXT(address_region),
    ALWAYS(I64, 0, false, "campaign", campaign_id),
    ALWAYS(BOOL, 0, false, "clock_trusted", clock_trusted),
    FLAG(consent_evidence),
    I64(consent_given_ms),
    TEXT(consent_seller),
    I64(decided_at_ms),
    I64(dnc_added_day),
    ALWAYS(BOOL, 0, false, "dnc_campaign", dnc_campaign),
    ALWAYS(BOOL, 0, false, "dnc_tenant", dnc_tenant),
    FLAG(emergency),
    ALWAYS(BOOL, 0, false, "history", history_known),
    FLAG(kill_switch),
    FLAG(lead_closed),
    INT(LINE_FACT_VOIP, line),
    I64(line_checked_ms),
    ALWAYS(I64, 0, false, "phone", phone),
    FLAG(protected_line),
    ALWAYS(TEXT, 0, false, "region", region),
    FLAG(reserved_agent),
    ALWAYS(BOOL, 0, false, "revoked", consent_revoked),
    INT(RND_NO_DATA, rnd),
    I64(rnd_checked_ms),
    ALWAYS(BOOL, 0, false, "running", campaign_running),
    TEXT(state),
    ALWAYS(INT, PHONE_UNKNOWN, false, "type", type),
    FLAG(tz_confirmed),
    TEXT(tzdata),
    ALWAYS(BOOL, 0, false, "valid", valid),
    ALWAYS(I64, 0, false, "zones_date_ms", zones_date_ms),
};

_Static_assert(sizeof(enum rnd_answer) == sizeof(int), "read as an int");
_Static_assert(sizeof(enum phone_type) == sizeof(int), "read as an int");

const struct inputs_key *inputs_keys(size_t *n)
{
    *n = ARRAY_LEN(keys);
    return keys;
}

static int read_member(struct compliance_facts *f, const struct inputs_key *k,
                       const json_t *value)
{
    void *at = (char *)f + k->offset;

    if (!value)
        return k->rare ? 0 : EBADMSG;
    if (k->kind == INPUTS_I64 && json_is_integer(value))
        *(int64_t *)at = json_integer_value(value);
    else if (k->kind == INPUTS_INT && json_is_integer(value) &&
             json_integer_value(value) >= 0 && json_integer_value(value) <= k->max)
        *(int *)at = (int)json_integer_value(value);
    else if (k->kind == INPUTS_BOOL && json_is_boolean(value))
        *(bool *)at = json_is_true(value);
    else if (k->kind == INPUTS_TEXT && json_is_string(value) &&
             json_string_length(value) < k->size)
        str_cut(at, k->size, json_string_value(value));
    else
        return EBADMSG;
    return 0;
}

static int read_members(struct compliance_facts *f, const json_t *json)
{
    int err = 0;

    for (size_t i = 0; !err && i < ARRAY_LEN(keys); i++)
        err = read_member(f, &keys[i], json_object_get(json, keys[i].name));
    return err;
}

/* ---- lists ---- */

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
    int err = read_members(f, json);

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
