#include "campaigns/campaign_mode.h"

#include <math.h>
#include <stddef.h>

#include "base/str.h"
#include "base/xalloc.h"
#include "contacts/tz.h"

struct written {
    struct mode_rules rules;
    int kind;
    double percent;
};

static const char *const kinds[] = {"fixed", "progressive", "ratio", "predictive", NULL};
_Static_assert(MODE_PREDICTIVE == 3, "words stand in the order of the enum");

static const struct doc_field fields[] = {
    {.key = "kind",
     .kind = DOC_CHOICE,
     .required = true,
     .offset = offsetof(struct written, kind),
     .words = kinds,
     .hint = "fixed: no agents; the others need a queue"},
    {.key = "queue",
     .kind = DOC_TEXT,
     .offset = offsetof(struct written, rules.queue),
     .size = MODE_QUEUE_MAX,
     .hint = "whose agents talk; 'furrow agent list' shows the queues"},
    {.key = "ratio",
     .kind = DOC_NUMBER,
     .offset = offsetof(struct written, rules.ratio),
     .min = 1,
     .max = 10,
     .hint = "calls an agent, with kind ratio"},
    {.key = "abandon_limit",
     .kind = DOC_NUMBER,
     .offset = offsetof(struct written, percent),
     .min = 0,
     .max = 3,
     .hint = "percent of the answered calls; the law allows 3"},
    {.key = "margin",
     .kind = DOC_INT,
     .offset = offsetof(struct written, rules.margin),
     .max = 1000,
     .hint = "abandoned calls kept in reserve for agents who are lost in mid-ring"},
    {.key = "timezone",
     .kind = DOC_TEXT,
     .offset = offsetof(struct written, rules.timezone),
     .size = sizeof(((struct mode_rules *)0)->timezone),
     .hint = "whose calendar the abandonment is counted by, e.g. \"America/Toronto\""},
};

static void check(struct doc_reader *r, const struct written *w, const json_t *value,
                  const char *pointer)
{
    const struct tz_zone *zone = NULL;
    const struct {
        const char *key;
        bool wrong;
        const char *text, *hint;
    } checks[] = {
        {"queue", w->kind != MODE_FIXED && !w->rules.queue[0],
         "this mode needs the queue of its agents", "e.g. \"queue\": \"sales\""},
        {"queue", w->kind == MODE_FIXED && w->rules.queue[0],
         "mode fixed has no agents, and so no queue",
         "say progressive, ratio or predictive"},
        {"ratio", w->kind != MODE_RATIO && json_object_get(value, "ratio"),
         "'ratio' is for kind ratio alone", "leave it out"},
        {"timezone", tz_find(w->rules.timezone, &zone) != 0, "there is no such time zone",
         "e.g. \"America/Toronto\""},
    };

    for (size_t i = 0; i < ARRAY_LEN(checks); i++) {
        char at[DOC_POINTER_MAX];

        if (!checks[i].wrong)
            continue;
        str_cut(at, sizeof(at), pointer);
        if (json_object_get(value, checks[i].key))
            json_pointer_add(at, sizeof(at), checks[i].key);
        doc_issue(r, at, JSON_PLACE_VALUE, checks[i].hint, "%s", checks[i].text);
    }
}

void campaign_read_mode(struct doc_reader *r, json_t *value, const char *pointer,
                        struct mode_rules *out)
{
    struct written w = {.rules = *out, .percent = out->limit_ppm / 10000.0};
    size_t before = r->issues->found;

    doc_read_object(r, value, pointer, fields, ARRAY_LEN(fields), &w);
    if (r->issues->found != before)
        return;
    check(r, &w, value, pointer);
    w.rules.kind = (enum mode_kind)w.kind;
    w.rules.limit_ppm = (int)lround(w.percent * 10000);
    *out = w.rules;
}
