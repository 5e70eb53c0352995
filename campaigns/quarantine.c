#include "campaigns/quarantine.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>

#include "campaigns/doc_reader.h"

enum { COUNT_MAX = 100000, RATIO_MAX = 100 };
/* In standard errors: of two shares, and of one beside a rate. */
static const double far_apart = 4, surely = 3;

/* ---- the rule ---- */

void quarantine_rules_default(struct quarantine_rules *out)
{
    *out = (struct quarantine_rules){.min_calls = 50,
                                     .ratio = 2,
                                     .max_fault_rate = 0.2,
                                     .min_numbers = 50,
                                     .max_bad_rate = 0.5};
}

#define IN(member) .offset = offsetof(struct quarantine_rules, member)

static void read_variants(struct doc_reader *r, json_t *value, const char *pointer,
                          void *owner)
{
    static const struct doc_field fields[] = {
        {.key = "min_calls",
         .kind = DOC_INT,
         IN(min_calls),
         .min = 10,
         .max = COUNT_MAX,
         .hint = "before so many answered calls nothing is concluded"},
        {.key = "ratio",
         .kind = DOC_NUMBER,
         IN(ratio),
         .min = 1,
         .max = RATIO_MAX,
         .hint = "2: twice as many short calls, or faults, as the other variants have"},
        {.key = "max_fault_rate",
         .kind = DOC_NUMBER,
         IN(max_fault_rate),
         .max = 1,
         .hint = "0.2: in a fifth of the answered calls the flow may fail; 1 never "
                 "quarantines"},
    };
    struct quarantine_rules *rules = owner;

    rules->variants = true;
    doc_read_object(r, value, pointer, fields, ARRAY_LEN(fields), owner);
}

static void read_lists(struct doc_reader *r, json_t *value, const char *pointer,
                       void *owner)
{
    static const struct doc_field fields[] = {
        {.key = "min_numbers",
         .kind = DOC_INT,
         IN(min_numbers),
         .min = 10,
         .max = COUNT_MAX,
         .hint = "before so many numbers were called nothing is concluded"},
        {.key = "max_bad_rate",
         .kind = DOC_NUMBER,
         IN(max_bad_rate),
         .max = 1,
         .hint = "0.5: half of the numbers may be none, or unreachable"},
    };
    struct quarantine_rules *rules = owner;

    rules->lists = true;
    doc_read_object(r, value, pointer, fields, ARRAY_LEN(fields), owner);
}
#undef IN

void quarantine_rules_read(struct doc_reader *r, json_t *value, const char *pointer,
                           struct quarantine_rules *out)
{
    static const struct doc_field fields[] = {
        {.key = "variants", .kind = DOC_PART, .read = read_variants},
        {.key = "lists", .kind = DOC_PART, .read = read_lists},
    };
    size_t before = r->issues->found;

    doc_read_object(r, value, pointer, fields, ARRAY_LEN(fields), out);
    if (r->issues->found == before && !out->variants && !out->lists)
        doc_issue(r, pointer, JSON_PLACE_VALUE,
                  "e.g. {\"variants\": {}, \"lists\": {\"max_bad_rate\": 0.4}}",
                  "'quarantine' names neither 'variants' nor 'lists'");
}

/* ---- the judgement ---- */

static double share(int64_t part, int64_t whole)
{
    return whole > 0 ? (double)part / (double)whole : 0;
}

/* The lower end of Wilson's interval of a share. */
static double at_least(int64_t part, int64_t whole)
{
    double n = (double)whole, p = share(part, whole), z2 = surely * surely;

    if (whole <= 0)
        return 0;
    return (p + z2 / (2 * n) - surely * sqrt(p * (1 - p) / n + z2 / (4 * n * n))) /
           (1 + z2 / n);
}

/* In standard errors of the difference of two shares. */
static double apart(int64_t part, int64_t whole, int64_t other, int64_t other_whole)
{
    double p = share(part + other, whole + other_whole);
    double se = sqrt(p * (1 - p) * (1 / (double)whole + 1 / (double)other_whole));

    return se > 0 ? (share(part, whole) - share(other, other_whole)) / se : 0;
}

static bool is_worse(const struct quarantine_rules *rules, int64_t part, int64_t whole,
                     int64_t other, int64_t other_whole)
{
    return share(part, whole) >= rules->ratio * share(other, other_whole) &&
           apart(part, whole, other, other_whole) >= far_apart;
}

static bool say(char why[QUARANTINE_WHY_MAX], const char *what, int64_t part,
                int64_t whole, int64_t other, int64_t other_whole)
{
    snprintf(why, QUARANTINE_WHY_MAX,
             "%lld of %lld answered calls %s, against %lld of %lld of the other variants",
             (long long)part, (long long)whole, what, (long long)other,
             (long long)other_whole);
    return true;
}

struct variant_count quarantine_others(const struct variant_count *all, size_t n,
                                       size_t i, unsigned held, bool *any)
{
    struct variant_count sum = {0};

    *any = false;
    for (size_t k = 0; k < n; k++) {
        if (k == i || (held & 1u << k))
            continue;
        *any = true;
        sum.answered += all[k].answered;
        sum.shorts += all[k].shorts;
        sum.faults += all[k].faults;
    }
    return sum;
}

bool quarantine_variant_is_bad(const struct quarantine_rules *rules,
                               const struct variant_count *own,
                               const struct variant_count *others,
                               char why[QUARANTINE_WHY_MAX])
{
    int64_t n = own->answered, m = others->answered;

    if (n < rules->min_calls)
        return false;
    if (at_least(own->faults, n) > rules->max_fault_rate) {
        snprintf(why, QUARANTINE_WHY_MAX,
                 "%lld of %lld answered calls ended by a fault of the flow, more than "
                 "%g %%",
                 (long long)own->faults, (long long)n, rules->max_fault_rate * 100);
        return true;
    }
    if (m < rules->min_calls)
        return false;
    if (is_worse(rules, own->shorts, n, others->shorts, m))
        return say(why, "were over within 6 s", own->shorts, n, others->shorts, m);
    if (is_worse(rules, own->faults, n, others->faults, m))
        return say(why, "ended by a fault of the flow", own->faults, n, others->faults,
                   m);
    return false;
}
_Static_assert(QUARANTINE_SHORT_S == 6, "stands in the sentence above");

bool quarantine_list_is_bad(const struct quarantine_rules *rules,
                            const struct list_count *list, char why[QUARANTINE_WHY_MAX])
{
    if (list->numbers < rules->min_numbers ||
        at_least(list->bad, list->numbers) <= rules->max_bad_rate)
        return false;
    snprintf(why, QUARANTINE_WHY_MAX,
             "%lld of %lld numbers that were called do not exist or cannot be reached, "
             "surely more than %g %%",
             (long long)list->bad, (long long)list->numbers, rules->max_bad_rate * 100);
    return true;
}
