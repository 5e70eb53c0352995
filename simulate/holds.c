/* Counts are kept as calls come and go, not counted anew: a simulation asks a hundred
 * thousand times. */
#include "simulate/holds.h"

#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "campaigns/campaign_check_store.h"

#define DAY_MS (INT64_C(86400) * 1000)
enum { SHORT_MS = QUARANTINE_SHORT_S * 1000 };

struct holds_call {
    int64_t began_ms, ended_ms;
    uint32_t person, number; /* number: among all calls, from 1 */
    uint8_t variant;
    bool answered, is_short, faulted; /* by a person */
    bool tells, bad;                  /* of the telephone number */
};

static bool is_asked(const struct scene *s)
{
    return s->doc->quarantine.lists ||
           (s->doc->quarantine.variants && s->doc->variants.n > 0);
}

void holds_init(struct holds *h, const struct scene *scene)
{
    *h = (struct holds){
        .scene = scene, .variants = scene->held_variants, .lists = scene->held_lists};
    if (!is_asked(scene))
        return;
    h->calls = xcalloc(QUARANTINE_CALLS, sizeof(*h->calls));
    h->latest = xcalloc(scene->people_count + 1, sizeof(*h->latest));
}

void holds_deinit(struct holds *h)
{
    free(h->calls);
    free(h->latest);
}

/* ---- counting ---- */

static void count_variant(struct holds *h, const struct holds_call *c, int64_t by)
{
    struct variant_count *v = &h->of_variant[c->variant];

    if (!c->answered || c->ended_ms <= h->from_ms[c->variant])
        return;
    v->answered += by;
    v->shorts += c->is_short ? by : 0;
    v->faults += c->faulted ? by : 0;
}

static void count_number(struct holds *h, const struct holds_call *c, int64_t by)
{
    struct list_count *l = &h->of_list[h->scene->people[c->person].list];

    l->numbers += by;
    l->bad += c->bad ? by : 0;
}

static void drop_oldest(struct holds *h)
{
    const struct holds_call *c = &h->calls[h->first];

    count_variant(h, c, -1);
    if (h->latest[c->person] == c->number) {
        count_number(h, c, -1);
        h->latest[c->person] = 0;
    }
    h->first = (h->first + 1) % QUARANTINE_CALLS;
    h->count--;
}

/* The call of that number; it is in the ring. */
static const struct holds_call *call_of(const struct holds *h, uint32_t number)
{
    size_t back = h->ended - number; /* 0: the newest */

    return &h->calls[(h->first + h->count - 1 - back) % QUARANTINE_CALLS];
}

static bool tells_of_number(enum disposition how)
{
    return how != DISPOSITION_CONFIG && how != DISPOSITION_CONGESTION &&
           how != DISPOSITION_CANCELED && how != DISPOSITION_FAILED;
}

void holds_ended(struct holds *h, const struct sim_attempt *a, const struct sim_ending *e)
{
    bool answered = e->disposition == DISPOSITION_COMPLETED;

    if (!h->calls)
        return;
    if (h->count == QUARANTINE_CALLS)
        drop_oldest(h);
    struct holds_call *c = &h->calls[(h->first + h->count++) % QUARANTINE_CALLS];
    *c = (struct holds_call){.began_ms = e->ringing_ms,
                             .ended_ms = e->ended_ms,
                             .person = a->person,
                             .number = ++h->ended,
                             .variant = a->variant,
                             .answered = answered && h->scene->doc->variants.n > 0,
                             .is_short =
                                 answered && e->ended_ms < e->answered_ms + SHORT_MS,
                             .faulted = answered && e->faulted,
                             .tells = tells_of_number(e->disposition),
                             .bad = e->disposition == DISPOSITION_BAD_NUMBER ||
                                    e->disposition == DISPOSITION_UNREACHABLE};
    count_variant(h, c, 1);
    if (!c->tells)
        return;
    if (h->latest[c->person]) /* of each number its latest call */
        count_number(h, call_of(h, h->latest[c->person]), -1);
    h->latest[c->person] = c->number;
    count_number(h, c, 1);
}

/* ---- judging ---- */

static struct hold *put_in(struct holds *h, bool list, size_t which, int64_t now_ms)
{
    struct hold *hold = &h->at[h->n++];

    *hold = (struct hold){.list = list, .which = which, .at_ms = now_ms};
    return hold;
}

static void check_variants(struct holds *h, int64_t now_ms)
{
    const struct campaign_doc *doc = h->scene->doc;
    char why[QUARANTINE_WHY_MAX];

    for (size_t i = 0; i < doc->variants.n; i++) {
        bool any = false;
        struct variant_count others =
            quarantine_others(h->of_variant, doc->variants.n, i, h->variants, &any);

        if ((h->variants & 1u << i) || !any ||
            !quarantine_variant_is_bad(&doc->quarantine, &h->of_variant[i], &others, why))
            continue;
        memcpy(put_in(h, false, i, now_ms)->why, why, sizeof(why));
        h->variants |= 1u << i;
        h->of_variant[i] = (struct variant_count){0};
        h->from_ms[i] = now_ms;
    }
}

static bool check_lists(struct holds *h, int64_t now_ms)
{
    char why[QUARANTINE_WHY_MAX];
    bool any = false;

    for (size_t i = 0; i < h->scene->list_count; i++) {
        if ((h->lists & 1u << i) ||
            !quarantine_list_is_bad(&h->scene->doc->quarantine, &h->of_list[i], why))
            continue;
        memcpy(put_in(h, true, i, now_ms)->why, why, sizeof(why));
        h->lists |= 1u << i;
        any = true;
    }
    return any;
}

bool holds_check(struct holds *h, int64_t now_ms)
{
    const struct quarantine_rules *rules = &h->scene->doc->quarantine;

    if (!h->calls || now_ms < h->check_ms)
        return false;
    h->check_ms = now_ms + CAMPAIGN_CHECK_S * INT64_C(1000);
    while (h->count > 0 &&
           h->calls[h->first].began_ms < now_ms - QUARANTINE_DAYS * DAY_MS)
        drop_oldest(h);
    if (rules->variants)
        check_variants(h, now_ms);
    return rules->lists && check_lists(h, now_ms);
}

/* ---- asking ---- */

bool holds_person(const struct holds *h, uint32_t person)
{
    return h->lists & 1u << h->scene->people[person].list;
}

uint8_t holds_variant(const struct holds *h, uint32_t person)
{
    const struct scene_person *p = &h->scene->people[person];

    if (!h->variants || h->scene->doc->variants.n == 0)
        return p->variant;
    return (uint8_t)cohort_among(&h->scene->doc->variants, p->variant, p->spare,
                                 h->variants);
}

const char *holds_name(const struct holds *h, const struct hold *hold)
{
    return hold->list ? h->scene->lists[hold->which].name
                      : h->scene->doc->variants.at[hold->which].name;
}
