#include <errno.h>
#include <string.h>

#include <jansson.h>

#include "campaigns/doc_reader.h"
#include "campaigns/provider_rest.h"

#define IN(member) .offset = offsetof(struct provider_trunk_settings, member)

static const struct doc_field fields[] = {
    {.key = "from",
     .kind = DOC_TEXT,
     IN(from),
     .size = sizeof(((struct provider_trunk_settings *)0)->from),
     .hint = "the number that is shown where a campaign names none, e.g. +12025550100"},
    {.key = "time_limit_s",
     .kind = DOC_INT,
     IN(time_limit_s),
     .min = 30,
     .max = 14400,
     .hint = "seconds after which a call ends, from its answer"},
    {.key = "queued_max_s",
     .kind = DOC_INT,
     IN(queued_max_s),
     .min = 1,
     .max = 600,
     .hint = "seconds a call may wait at the provider before it is taken back"},
    {.key = "look_s",
     .kind = DOC_INT,
     IN(look_s),
     .min = 1,
     .max = 600,
     .hint = "seconds between two looks at a call, should no webhook tell of it"},
    {.key = "search_s",
     .kind = DOC_INT,
     IN(search_s),
     .min = 1,
     .max = 3600,
     .hint = "seconds for which a call that was not confirmed is looked for"},
};

int provider_trunk_settings_read(struct provider_trunk_settings *out, const char *json,
                                 struct errtext *e)
{
    struct provider_trunk_settings s = {
        .time_limit_s = 3600, .queued_max_s = 5, .look_s = 30, .search_s = 60};
    struct campaign_issues issues = {0};
    struct doc_reader r = {.text = json, .len = strlen(json), .issues = &issues};
    json_error_t at;
    json_auto_t *object = json_loads(json, JSON_REJECT_DUPLICATES, &at);

    if (!json_is_object(object))
        return errtext_set(e, EINVAL, object ? 0 : at.line, object ? 0 : at.column,
                           "settings of a trunk over a provider: want a JSON object");
    doc_read_object(&r, object, "", fields, ARRAY_LEN(fields), &s);
    if (issues.found) {
        const struct campaign_issue *i = &issues.at[0];
        return errtext_set(e, EINVAL, i->line, i->column, "settings%s: %s%s%s%s",
                           i->pointer, i->text, i->hint[0] ? " (" : "", i->hint,
                           i->hint[0] ? ")" : "");
    }
    if (s.from[0] && (s.from[0] != '+' || strlen(s.from) < 8 ||
                      s.from[1 + strspn(s.from + 1, "0123456789")]))
        return errtext_set(e, EINVAL, 0, 0,
                           "settings/from: '%s' is no number, e.g. +12025550100", s.from);
    *out = s;
    return 0;
}
