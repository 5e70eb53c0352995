#include "campaigns/caller_id_pool.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "campaigns/doc_reader.h"
#include "contacts/zones.h"

enum {
    DAYS_MAX = 90,
    CALLS_MAX = 100000,
    QUARANTINE_MAX_H = 24 * 90,
    NATIONAL_DIGITS = 2, /* of an area outside North America */
    SCORE_STEP = 10,
    SCORE_UNKNOWN = 50, /* when the whole pool is too new to tell */
};

/* ---- the rule ---- */

void caller_id_rule_default(struct caller_id_rule *out)
{
    *out = (struct caller_id_rule){.local_presence = true,
                                   .days = 7,
                                   .min_calls = 50,
                                   .min_answer_rate = 0.05,
                                   .max_short_rate = 0.5,
                                   .quarantine_h = 24};
}

static void read_health(struct doc_reader *r, json_t *value, const char *pointer,
                        void *owner)
{
#define IN(member) .offset = offsetof(struct caller_id_rule, member)
    static const struct doc_field fields[] = {
        {.key = "days",
         .kind = DOC_INT,
         IN(days),
         .min = 1,
         .max = DAYS_MAX,
         .hint = "over how many days a number's calls are counted"},
        {.key = "min_calls",
         .kind = DOC_INT,
         IN(min_calls),
         .min = 1,
         .max = CALLS_MAX,
         .hint = "before so many calls nothing is concluded"},
        {.key = "min_answer_rate",
         .kind = DOC_NUMBER,
         IN(min_answer_rate),
         .max = 1,
         .hint = "0.05: of a hundred calls five must be answered; 0 never quarantines"},
        {.key = "max_short_rate",
         .kind = DOC_NUMBER,
         IN(max_short_rate),
         .max = 1,
         .hint = "0.5: half of the answered calls may be over within six seconds; 1 "
                 "never quarantines"},
        {.key = "quarantine_h",
         .kind = DOC_INT,
         IN(quarantine_h),
         .min = 1,
         .max = QUARANTINE_MAX_H,
         .hint = "for how many hours a bad number rests"},
    };

    doc_read_object(r, value, pointer, fields, ARRAY_LEN(fields), owner);
}

static bool is_pool_name(const char *name)
{
    if (!isalnum((unsigned char)name[0]))
        return false;
    for (const char *p = name; *p; p++)
        if (!isalnum((unsigned char)*p) && !strchr("-_.", *p))
            return false;
    return true;
}

void caller_id_rule_read(struct doc_reader *r, json_t *value, const char *pointer,
                         struct caller_id_rule *out)
{
    static const struct doc_field fields[] = {
        {.key = "pool",
         .kind = DOC_TEXT,
         .required = true,
         IN(pool),
         .size = sizeof(out->pool),
         .hint = "'furrow caller-id list' shows the pools"},
        {.key = "local_presence",
         .kind = DOC_BOOL,
         IN(local_presence),
         .hint = "true: a number of the callee's own area first"},
        {.key = "health", .kind = DOC_PART, .read = read_health},
    };
    char at[DOC_POINTER_MAX];
#undef IN

    doc_read_object(r, value, pointer, fields, ARRAY_LEN(fields), out);
    if (!out->pool[0] || is_pool_name(out->pool))
        return;
    str_cut(at, sizeof(at), pointer);
    json_pointer_add(at, sizeof(at), "pool");
    doc_issue(r, at, JSON_PLACE_VALUE, "letters, digits, '-', '_' and '.'",
              "'%.40s' is no name of a pool", out->pool);
}

/* ---- near ---- */

static int64_t first_digits(int64_t e164, int keep)
{
    int digits = 0;

    for (int64_t v = e164; v > 0; v /= 10)
        digits++;
    for (; digits > keep; digits--)
        e164 /= 10;
    return e164;
}

int caller_id_nearness(int64_t caller, int64_t callee)
{
    int code = zones_country_digits(callee);
    bool america = code == 1 && first_digits(callee, 1) == 1;
    int area = code + (america ? 3 : NATIONAL_DIGITS);

    if (first_digits(caller, code) != first_digits(callee, code))
        return 0;
    if (first_digits(caller, area) == first_digits(callee, area))
        return 3;
    if (!america)
        return 1;
    const char *a = zones_state_of(caller), *b = zones_state_of(callee);
    if (!a[0] || !b[0])
        return 1; /* toll-free, or an area code of several states */
    if (strcmp(a, b) == 0)
        return 2;
    return strncmp(a, b, 2) == 0; /* "US-FL", "CA-ON" */
}

/* ---- health ---- */

int caller_id_score(const struct caller_id *c, const struct caller_id_rule *rule)
{
    if (c->calls < rule->min_calls)
        return -1;
    return (int)((c->answered - c->shorts) * 100 / c->calls);
}

bool caller_id_is_bad(const struct caller_id *c, const struct caller_id_rule *rule,
                      char why[CALLER_ID_WHY_MAX])
{
    if (c->calls < rule->min_calls)
        return false;
    if ((double)c->answered < rule->min_answer_rate * (double)c->calls) {
        snprintf(why, CALLER_ID_WHY_MAX,
                 "%lld of %lld calls were answered in %d days, less than %g %%",
                 (long long)c->answered, (long long)c->calls, rule->days,
                 rule->min_answer_rate * 100);
        return true;
    }
    if ((double)c->shorts > rule->max_short_rate * (double)c->answered) {
        snprintf(why, CALLER_ID_WHY_MAX,
                 "%lld of %lld answered calls were over within %d s in %d days, more "
                 "than %g %%",
                 (long long)c->shorts, (long long)c->answered, CALLER_ID_SHORT_S,
                 rule->days, rule->max_short_rate * 100);
        return true;
    }
    return false;
}

/* ---- the choice ---- */

static bool is_held(const struct caller_id *c, int64_t now_ms)
{
    return c->held_until_ms > now_ms;
}

static bool is_spent(const struct caller_id *c)
{
    return c->daily_cap > 0 && c->used >= c->daily_cap;
}

size_t caller_id_room(const struct caller_id *pool, size_t n, int64_t now_ms, size_t most)
{
    size_t room = 0;

    for (size_t i = 0; i < n && room < most; i++) {
        if (is_held(&pool[i], now_ms) || is_spent(&pool[i]))
            continue;
        if (pool[i].daily_cap == 0)
            return most;
        room += (size_t)(pool[i].daily_cap - pool[i].used);
    }
    return room < most ? room : most;
}

/* What a number too new to tell is taken for. */
static int usual_score(const struct caller_id *pool, size_t n,
                       const struct caller_id_rule *rule)
{
    int64_t sum = 0, known = 0;

    for (size_t i = 0; i < n; i++) {
        int score = caller_id_score(&pool[i], rule);
        sum += score >= 0 ? score : 0;
        known += score >= 0;
    }
    return known > 0 ? (int)(sum / known) : SCORE_UNKNOWN;
}

/* > 0: a before b. */
static int compare(const struct caller_id *a, const struct caller_id *b,
                   const struct caller_id_rule *rule, int usual, int64_t callee)
{
    if (rule->local_presence) {
        int nearer =
            caller_id_nearness(a->phone, callee) - caller_id_nearness(b->phone, callee);
        if (nearer)
            return nearer;
    }
    int score_a = caller_id_score(a, rule), score_b = caller_id_score(b, rule);
    int step_a = (score_a < 0 ? usual : score_a) / SCORE_STEP;
    int step_b = (score_b < 0 ? usual : score_b) / SCORE_STEP;
    if (step_a != step_b)
        return step_a - step_b;
    if (a->used != b->used)
        return b->used - a->used;
    return a->phone < b->phone ? 1 : -1;
}

const struct caller_id *caller_id_choose(struct caller_id *pool, size_t n,
                                         const struct caller_id_rule *rule,
                                         int64_t callee, int64_t now_ms)
{
    int usual = usual_score(pool, n, rule);
    struct caller_id *best = NULL;

    for (size_t i = 0; i < n; i++) {
        struct caller_id *c = &pool[i];

        if (is_held(c, now_ms) || is_spent(c))
            continue;
        if (!best || compare(c, best, rule, usual, callee) > 0)
            best = c;
    }
    if (best)
        best->used++;
    return best;
}

int64_t caller_id_explain(const struct caller_id *pool, size_t n,
                          const struct caller_id_rule *rule, int64_t now_ms,
                          char why[CALLER_ID_WHY_MAX])
{
    size_t held = 0, spent = 0;
    int64_t first_ms = 0;
    char text[CLOCK_TEXT_MAX];

    for (size_t i = 0; i < n; i++) {
        bool rests = is_held(&pool[i], now_ms);
        int64_t at_ms = rests ? pool[i].held_until_ms : pool[i].free_at_ms;

        held += rests;
        spent += !rests && is_spent(&pool[i]);
        if (at_ms > now_ms && (first_ms == 0 || at_ms < first_ms))
            first_ms = at_ms;
    }
    why[0] = '\0';
    if (n == 0)
        snprintf(why, CALLER_ID_WHY_MAX,
                 "the caller-id pool '%s' has no numbers: 'furrow caller-id add'",
                 rule->pool);
    else if (held + spent == n)
        snprintf(why, CALLER_ID_WHY_MAX,
                 "no number of the caller-id pool '%s' is left: %zu over the daily cap, "
                 "%zu in quarantine%s%s",
                 rule->pool, spent, held, first_ms ? "; the next at " : "",
                 first_ms ? clock_text(first_ms, text) : "");
    return held + spent == n ? first_ms : 0;
}
