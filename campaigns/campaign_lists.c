#include "campaigns/campaign_lists.h"

#include <string.h>

#include "base/str.h"
#include "campaigns/doc_reader.h"

#define IN(member) .offset = offsetof(struct campaign_list, member)

static const struct doc_field fields[] = {
    {.key = "name",
     .kind = DOC_TEXT,
     .required = true,
     IN(name),
     .size = sizeof(((struct campaign_list *)0)->name),
     .hint = "'furrow contacts list' shows the lists"},
    {.key = "share",
     .kind = DOC_INT,
     IN(share),
     .min = 1,
     .max = 1000,
     .hint = "3 beside 1: three calls to this list for each to the other"},
    {.key = "priority",
     .kind = DOC_INT,
     IN(priority),
     .min = -CAMPAIGN_LIST_PRIORITY_MAX,
     .max = CAMPAIGN_LIST_PRIORITY_MAX,
     .hint =
         "a list of higher priority is called first, as long as somebody of it is due"},
};

static void check_twice(struct doc_reader *r, const struct campaign_lists *lists,
                        const char *pointer)
{
    const struct campaign_list *last = &lists->at[lists->n - 1];

    for (size_t i = 0; i + 1 < lists->n; i++)
        if (str_is(lists->at[i].name, last->name))
            doc_issue(r, pointer, JSON_PLACE_VALUE, "name each list once",
                      "the list '%s' is named twice", last->name);
}

void campaign_read_lists(struct doc_reader *r, json_t *value, const char *pointer,
                         void *owner)
{
    struct campaign_lists *lists = owner;
    char at[DOC_POINTER_MAX];
    size_t i = 0;
    json_t *item = NULL;

    if (!json_is_array(value) || json_array_size(value) == 0 ||
        json_array_size(value) > CAMPAIGN_LISTS_MAX) {
        doc_issue(r, pointer, JSON_PLACE_VALUE,
                  "e.g. [{\"name\": \"farmers\", \"share\": 3}, {\"name\": \"coops\"}]",
                  "'lists' must be a list of 1 to %d lists", CAMPAIGN_LISTS_MAX);
        return;
    }
    json_array_foreach(value, i, item)
    {
        str_cut(at, sizeof(at), pointer);
        json_pointer_add_index(at, sizeof(at), i);
        lists->at[lists->n] = (struct campaign_list){.share = 1};
        doc_read_object(r, item, at, fields, ARRAY_LEN(fields), &lists->at[lists->n++]);
        check_twice(r, lists, at);
    }
}

bool campaign_lists_are_equal(const struct campaign_lists *a,
                              const struct campaign_lists *b)
{
    if (a->n != b->n)
        return false;
    for (size_t i = 0; i < a->n; i++)
        if (!str_is(a->at[i].name, b->at[i].name) || a->at[i].share != b->at[i].share ||
            a->at[i].priority != b->at[i].priority)
            return false;
    return true;
}
