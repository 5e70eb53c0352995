#include "campaigns/campaign_law.h"

#include <string.h>

#include "base/str.h"
#include "campaigns/doc_reader.h"
#include "compliance/policy.h"

enum { AGE_LIMIT_DAYS = 3660, YEARS_LIMIT = 50 };

/* False, and said: no list, or too long a one. */
static bool is_list(struct doc_reader *r, const json_t *value, const char *pointer,
                    size_t max, const char *hint)
{
    if (json_is_array(value) && json_array_size(value) <= max)
        return true;
    doc_issue(r, pointer, JSON_PLACE_VALUE, hint,
              "it must be a list of at most %zu, not %s", max, doc_type_name(value));
    return false;
}

static void at_index(char out[DOC_POINTER_MAX], const char *pointer, size_t i)
{
    str_cut(out, DOC_POINTER_MAX, pointer);
    json_pointer_add_index(out, DOC_POINTER_MAX, i);
}

void campaign_read_frequency(struct doc_reader *r, json_t *value, const char *pointer,
                             void *policy)
{
    static const char hint[] =
        "e.g. {\"code\": \"FREQ_24H\", \"kind\": \"rolling\", \"seconds\": "
        "86400, \"max\": 3, \"scope\": \"number\"}";
    struct policy *p = policy;
    char at[DOC_POINTER_MAX];

    if (!is_list(r, value, pointer, POLICY_RULES_MAX, hint))
        return;
    for (p->frequency_count = 0; p->frequency_count < json_array_size(value);
         p->frequency_count++) {
        const char *wrong = frequency_from_json(
            &p->frequency[p->frequency_count], json_array_get(value, p->frequency_count));
        at_index(at, pointer, p->frequency_count);
        if (wrong)
            doc_issue(r, at, JSON_PLACE_VALUE, hint, "%s", wrong);
    }
}

void campaign_read_cooldowns(struct doc_reader *r, json_t *value, const char *pointer,
                             void *policy)
{
    static const char hint[] =
        "e.g. {\"code\": \"COOLDOWN_REFUSAL\", \"after\": \"refused\", "
        "\"calendar_days\": 60}";
    struct policy *p = policy;
    char at[DOC_POINTER_MAX];

    if (!is_list(r, value, pointer, POLICY_RULES_MAX, hint))
        return;
    for (p->cooldown_count = 0; p->cooldown_count < json_array_size(value);
         p->cooldown_count++) {
        const char *wrong = cooldown_from_json(&p->cooldowns[p->cooldown_count],
                                               json_array_get(value, p->cooldown_count));
        at_index(at, pointer, p->cooldown_count);
        if (wrong)
            doc_issue(r, at, JSON_PLACE_VALUE, hint, "%s", wrong);
    }
}

void campaign_read_blackout(struct doc_reader *r, json_t *value, const char *pointer,
                            void *policy)
{
    static const char hint[] = "days on which nobody is called, e.g. [\"2027-01-07\"]";
    struct policy *p = policy;
    char at[DOC_POINTER_MAX];

    if (!is_list(r, value, pointer, POLICY_DATES_MAX, hint))
        return;
    for (p->blackout_count = 0; p->blackout_count < json_array_size(value);
         p->blackout_count++) {
        const char *text = json_string_value(json_array_get(value, p->blackout_count));
        at_index(at, pointer, p->blackout_count);
        if (!rule_date_parse(text, &p->blackout[p->blackout_count]))
            doc_issue(r, at, JSON_PLACE_VALUE, hint, "'%.20s' is no date",
                      text ? text : "?");
    }
}

/* ---- lists ---- */

static void read_names(struct doc_reader *r, json_t *value, const char *pointer,
                       char *names, size_t size, size_t *n)
{
    static const char hint[] = "names of do-not-call lists, e.g. [\"us.ftc\"]";
    char at[DOC_POINTER_MAX];

    if (!is_list(r, value, pointer, POLICY_LISTS_MAX, hint))
        return;
    for (*n = 0; *n < json_array_size(value); ++*n) {
        const char *name = json_string_value(json_array_get(value, *n));
        at_index(at, pointer, *n);
        if (!name || !*name || strlen(name) >= size)
            doc_issue(r, at, JSON_PLACE_VALUE, hint, "this is no name of a list");
        else
            str_cut(names + *n * size, size, name);
    }
}

static void read_lists(struct doc_reader *r, json_t *value, const char *pointer,
                       void *policy)
{
    struct policy *p = policy;

    read_names(r, value, pointer, p->lists[0], sizeof(p->lists[0]), &p->list_count);
}

static void read_washes(struct doc_reader *r, json_t *value, const char *pointer,
                        void *policy)
{
    struct policy *p = policy;

    read_names(r, value, pointer, p->washes[0], sizeof(p->washes[0]), &p->wash_count);
}

void campaign_read_dnc(struct doc_reader *r, json_t *value, const char *pointer,
                       void *policy)
{
    static const struct doc_field fields[] = {
        {.key = "lists", .kind = DOC_PART, .read = read_lists},
        {.key = "wash", .kind = DOC_PART, .read = read_washes},
        {.key = "max_age_days",
         .kind = DOC_INT,
         .offset = offsetof(struct policy, list_max_age_days),
         .max = AGE_LIMIT_DAYS,
         .hint = "days after which a list is too old; 0: what the packs say"},
        {.key = "internal_years",
         .kind = DOC_INT,
         .offset = offsetof(struct policy, internal_years),
         .max = YEARS_LIMIT,
         .hint = "years after which an own entry ends; 0: never"},
    };

    doc_read_object(r, value, pointer, fields, ARRAY_LEN(fields), policy);
}
