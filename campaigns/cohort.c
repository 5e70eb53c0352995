#include "campaigns/cohort.h"

#include <ctype.h>
#include <string.h>

#include "base/str.h"
#include "campaigns/doc_reader.h"

/* ---- the document ---- */

#define VARIANTS_HINT                                                                    \
    "e.g. [{\"name\": \"a\", \"flow\": \"survey@3\", \"weight\": 50}, {\"name\": "       \
    "\"b\", "                                                                            \
    "\"flow\": \"survey@4\", \"weight\": 50}]"

static bool is_name(const char *name)
{
    for (const char *p = name; *p; p++)
        if (!isalnum((unsigned char)*p) && !strchr("-_", *p))
            return false;
    return name[0] != '\0';
}

static void check_name(struct doc_reader *r, const char *pointer,
                       const struct variant_rules *all)
{
    const struct variant_rule *last = &all->at[all->n - 1];
    char at[DOC_POINTER_MAX];

    str_cut(at, sizeof(at), pointer);
    json_pointer_add(at, sizeof(at), "name");
    if (!is_name(last->name))
        doc_issue(r, at, JSON_PLACE_VALUE, "letters, digits, '-' and '_'",
                  "'%s' is no name for a variant", last->name);
    for (size_t i = 0; i + 1 < all->n; i++)
        if (strcmp(all->at[i].name, last->name) == 0)
            doc_issue(r, at, JSON_PLACE_VALUE, "reports tell variants by their names",
                      "there are two variants '%s'", last->name);
}

void variant_rules_read(struct doc_reader *r, json_t *value, const char *pointer,
                        struct variant_rules *out)
{
#define IN(member) .offset = offsetof(struct variant_rule, member)
#define TEXT(member)                                                                     \
    .kind = DOC_TEXT, IN(member), .size = sizeof(((struct variant_rule *)0)->member)
    static const struct doc_field fields[] = {
        {.key = "name",
         .required = true,
         TEXT(name),
         .hint = "what reports and {{contact.variant}} call it"},
        {.key = "flow",
         TEXT(flow),
         .hint = "a published flow, \"survey\" or a revision of it, \"survey@3\"; left "
                 "out: the campaign's"},
        {.key = "weight",
         .kind = DOC_INT,
         IN(weight),
         .required = true,
         .min = 1,
         .max = VARIANT_WEIGHT_MAX,
         .hint = "its share of the people, against the other weights"},
    };
#undef TEXT
#undef IN
    char at[DOC_POINTER_MAX];
    json_t *item = NULL;
    size_t i = 0;

    if (!json_is_array(value) || json_array_size(value) < 2 ||
        json_array_size(value) > VARIANTS_MAX) {
        doc_issue(r, pointer, JSON_PLACE_VALUE, VARIANTS_HINT,
                  "'variants' must be a list of 2 to %d", VARIANTS_MAX);
        return;
    }
    json_array_foreach(value, i, item)
    {
        size_t before = r->issues->found;

        out->at[out->n] = (struct variant_rule){0};
        str_cut(at, sizeof(at), pointer);
        json_pointer_add_index(at, sizeof(at), i);
        doc_read_object(r, item, at, fields, ARRAY_LEN(fields), &out->at[out->n]);
        if (r->issues->found != before)
            continue;
        out->n++;
        check_name(r, at, out);
    }
}

/* ---- the choice ---- */

/* FNV-1a, then mixed: its low bits alone are poor. */
static uint64_t hash_of(int64_t campaign_id, const char *person, uint64_t salt)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325) ^ salt;

    for (int i = 0; i < 8; i++)
        h = (h ^ (((uint64_t)campaign_id >> (8 * i)) & 0xff)) * UINT64_C(0x100000001b3);
    for (const char *p = person; *p; p++)
        h = (h ^ (unsigned char)*p) * UINT64_C(0x100000001b3);
    h = (h ^ (h >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    h = (h ^ (h >> 27)) * UINT64_C(0x94d049bb133111eb);
    return h ^ (h >> 31);
}

static size_t pick(const struct variant_rules *rules, uint64_t hash, unsigned held)
{
    uint64_t total = 0;
    size_t last = 0;

    for (size_t i = 0; i < rules->n; i++)
        total += held & 1u << i ? 0 : (uint64_t)rules->at[i].weight;
    uint64_t at = hash % total;
    for (size_t i = 0; i < rules->n; i++) {
        if (held & 1u << i)
            continue;
        last = i;
        if (at < (uint64_t)rules->at[i].weight)
            break;
        at -= (uint64_t)rules->at[i].weight;
    }
    return last;
}

uint64_t cohort_spare(int64_t campaign_id, const char *person)
{
    return hash_of(campaign_id, person, 1);
}

size_t cohort_among(const struct variant_rules *rules, size_t own, uint64_t spare,
                    unsigned held)
{
    unsigned all = (1u << rules->n) - 1;

    /* Who is not in a held share keeps theirs. */
    if (!(held & 1u << own) || (held & all) == all)
        return own;
    return pick(rules, spare, held);
}

size_t cohort_of(const struct variant_rules *rules, int64_t campaign_id,
                 const char *person, unsigned held)
{
    return cohort_among(rules, pick(rules, hash_of(campaign_id, person, 0), 0),
                        cohort_spare(campaign_id, person), held);
}
