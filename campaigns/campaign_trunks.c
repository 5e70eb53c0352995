#include "campaigns/campaign_trunks.h"

#include <stdio.h>
#include <string.h>

#include "base/attrs.h"
#include "base/str.h"
#include "campaigns/campaign.h"
#include "campaigns/doc_reader.h"

static void read_one(struct doc_reader *r, json_t *value, const char *pointer,
                     struct campaign_trunk *out)
{
    static const struct doc_field fields[] = {
        {.key = "trunk",
         .required = true,
         .kind = DOC_TEXT,
         .offset = offsetof(struct campaign_trunk, name),
         .size = sizeof(out->name),
         .hint = "'furrow trunk list' shows the trunks"},
        {.key = "weight",
         .kind = DOC_INT,
         .offset = offsetof(struct campaign_trunk, weight),
         .min = 1,
         .max = 1000,
         .hint = "its share among trunks of the same priority"},
        {.key = "priority",
         .kind = DOC_INT,
         .offset = offsetof(struct campaign_trunk, priority),
         .min = 0,
         .max = 100,
         .hint = "0 goes first; a higher one is used while no lower one can be"},
    };

    *out = (struct campaign_trunk){.weight = 1};
    doc_read_object(r, value, pointer, fields, ARRAY_LEN(fields), out);
}

static bool is_named_twice(const struct campaign_doc *doc, size_t i)
{
    for (size_t j = 0; j < i; j++)
        if (strcmp(doc->trunks[j].name, doc->trunks[i].name) == 0)
            return true;
    return false;
}

void campaign_read_trunks(struct doc_reader *r, json_t *value, const char *pointer,
                          void *owner)
{
    static const char hint[] = "e.g. [{\"trunk\": \"main\", \"weight\": 3}, {\"trunk\": "
                               "\"second\"}, {\"trunk\": \"spare\", \"priority\": 1}]";
    struct campaign_doc *doc = owner;
    char at[DOC_POINTER_MAX];

    if (!json_is_array(value) || json_array_size(value) == 0 ||
        json_array_size(value) > CAMPAIGN_TRUNKS_MAX) {
        doc_issue(r, pointer, JSON_PLACE_VALUE, hint,
                  "want a list of one to %d trunks, not %s", CAMPAIGN_TRUNKS_MAX,
                  json_is_array(value) ? "so many" : doc_type_name(value));
        return;
    }
    for (size_t i = 0; i < json_array_size(value); i++) {
        snprintf(at, sizeof(at), "%.130s/%zu", pointer, i);
        read_one(r, json_array_get(value, i), at, &doc->trunks[i]);
        if (doc->trunks[i].name[0] && is_named_twice(doc, i))
            doc_issue(r, at, JSON_PLACE_VALUE, "name each trunk once",
                      "trunk '%s' is in the list already", doc->trunks[i].name);
    }
    doc->trunk_count = json_array_size(value);
}

bool campaign_trunk_may(const struct trunk_standing *all, int n, int which)
{
    const struct trunk_standing *own = &all[which];

    if (!own->usable)
        return false;
    for (int i = 0; i < n; i++) {
        const struct trunk_standing *o = &all[i];

        if (i == which || !o->usable)
            continue;
        if (o->priority < own->priority)
            return false;
        if (o->priority == own->priority && o->wants &&
            o->sent * own->weight < own->sent * o->weight)
            return false;
    }
    return true;
}
