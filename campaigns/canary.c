#include "campaigns/canary.h"

#include <stddef.h>
#include <stdio.h>

#include "campaigns/doc_reader.h"

void canary_rule_default(struct canary_rule *out)
{
    *out = (struct canary_rule){.min_answer_rate = 0.05,
                                .max_failed_rate = 0.5,
                                .max_short_rate = 0.5,
                                .max_fault_rate = 0.2};
}

void canary_rule_read(struct doc_reader *r, json_t *value, const char *pointer,
                      struct canary_rule *out)
{
#define IN(member) .offset = offsetof(struct canary_rule, member)
    static const struct doc_field fields[] = {
        {.key = "calls",
         .kind = DOC_INT,
         .required = true,
         IN(calls),
         .min = 1,
         .max = CANARY_CALLS_MAX,
         .hint = "so many calls first, e.g. 50; the rest only when they went well"},
        {.key = "min_answer_rate",
         .kind = DOC_NUMBER,
         IN(min_answer_rate),
         .max = 1,
         .hint = "0.2: of a hundred calls twenty must be answered"},
        {.key = "max_failed_rate",
         .kind = DOC_NUMBER,
         IN(max_failed_rate),
         .max = 1,
         .hint = "0.5: half of the calls may fail to reach a telephone"},
        {.key = "max_short_rate",
         .kind = DOC_NUMBER,
         IN(max_short_rate),
         .max = 1,
         .hint = "0.5: half of the answered calls may be over within six seconds"},
        {.key = "max_fault_rate",
         .kind = DOC_NUMBER,
         IN(max_fault_rate),
         .max = 1,
         .hint = "0.2: in a fifth of the answered calls the flow may fail"},
    };
#undef IN

    doc_read_object(r, value, pointer, fields, ARRAY_LEN(fields), out);
}

/* As they were written: no figure was reckoned. */
bool canary_rule_is_equal(const struct canary_rule *a, const struct canary_rule *b)
{
    return a->calls == b->calls && a->min_answer_rate == b->min_answer_rate &&
           a->max_failed_rate == b->max_failed_rate &&
           a->max_short_rate == b->max_short_rate &&
           a->max_fault_rate == b->max_fault_rate;
}

int64_t canary_room(const struct canary_rule *rule, const struct canary_count *n)
{
    return n->placed < rule->calls ? rule->calls - n->placed : 0;
}

/* Of all its calls, those that are not over counted as good as they can be. */
static bool is_hopeless(const struct canary_rule *rule, const struct canary_count *n,
                        char why[CANARY_WHY_MAX])
{
    int64_t over = n->placed - n->open, to_come = rule->calls - over;
    double calls = rule->calls;

    if ((double)n->failed > rule->max_failed_rate * calls) {
        snprintf(why, CANARY_WHY_MAX, "%lld of %lld calls failed, more than %g %% of %d",
                 (long long)n->failed, (long long)over, rule->max_failed_rate * 100,
                 rule->calls);
        return true;
    }
    if ((double)(n->answered + to_come) < rule->min_answer_rate * calls) {
        snprintf(why, CANARY_WHY_MAX,
                 "%lld of %lld calls were answered, less than %g %% of %d",
                 (long long)n->answered, (long long)over, rule->min_answer_rate * 100,
                 rule->calls);
        return true;
    }
    return false;
}

static bool is_above(int64_t part, int64_t whole, double most, const char *what,
                     char why[CANARY_WHY_MAX])
{
    if ((double)part <= most * (double)whole)
        return false;
    snprintf(why, CANARY_WHY_MAX, "%lld of %lld answered calls %s, more than %g %%",
             (long long)part, (long long)whole, what, most * 100);
    return true;
}

enum canary_verdict canary_judge(const struct canary_rule *rule,
                                 const struct canary_count *n, char why[CANARY_WHY_MAX])
{
    why[0] = '\0';
    if (is_hopeless(rule, n, why))
        return CANARY_BAD;
    if (n->placed < rule->calls || n->open > 0)
        return CANARY_WAIT;
    if (is_above(n->shorts, n->answered, rule->max_short_rate, "were over within 6 s",
                 why) ||
        is_above(n->faults, n->answered, rule->max_fault_rate,
                 "ended by a fault of the flow", why))
        return CANARY_BAD;
    snprintf(why, CANARY_WHY_MAX,
             "%lld calls: %lld answered, %lld failed, %lld over within 6 s, %lld faults "
             "of the flow",
             (long long)n->placed, (long long)n->answered, (long long)n->failed,
             (long long)n->shorts, (long long)n->faults);
    return CANARY_GOOD;
}
_Static_assert(CANARY_SHORT_S == 6, "stands in the sentences above");
