/*
 * What caller_id_store.c counts in SQL is counted here by two windows that move over each
 * number's uses, in the order in which they began: 24 hours for the cap, the rule's days
 * for health.
 */
#include "simulate/pool.h"

#include <assert.h>
#include <stdlib.h>

#include "base/xalloc.h"
#include "campaigns/campaign.h"
#include "campaigns/campaign_check_store.h"

#define HOUR_MS INT64_C(3600000)
#define DAY_MS  (24 * HOUR_MS)
enum { USES_COUNTED = 1000 }; /* of a number without a cap, as the store does */

struct number {
    struct scene_use *uses; /* owned */
    size_t n, size;
    size_t day, health;              /* the first within the window */
    int64_t used;                    /* in the one of 24 hours */
    int64_t calls, answered, shorts; /* in the one of health */
    int64_t counts_from_ms;
    int held;
};

struct taken {
    uint32_t number, use;
};

struct pool {
    const struct scene *scene;
    const struct caller_id_rule *rule;
    struct caller_id *ids; /* what the rule chooses from */
    struct number *numbers;
    size_t n;
    struct taken *taken;
    size_t taken_count, taken_size;
    int64_t checked_ms;
};

/* ---- windows ---- */

static void add_health(struct number *k, const struct scene_use *u, int sign)
{
    k->calls += sign * (int64_t)u->calls;
    k->answered += sign * (int64_t)u->answered;
    k->shorts += sign * (int64_t)u->shorts;
}

static void move_day(struct number *k, int64_t now_ms)
{
    for (; k->day < k->n && k->uses[k->day].at_ms <= now_ms - DAY_MS; k->day++)
        k->used -= k->uses[k->day].used;
}

static void move_health(struct number *k, int64_t now_ms, int days)
{
    int64_t from_ms = now_ms - days * DAY_MS;

    from_ms = k->counts_from_ms > from_ms ? k->counts_from_ms : from_ms;
    for (; k->health < k->n && k->uses[k->health].at_ms <= from_ms; k->health++)
        add_health(k, &k->uses[k->health], -1);
}

static void add_use(struct number *k, struct scene_use u)
{
    if (k->n == k->size) {
        k->size = k->size ? 2 * k->size : 64;
        k->uses = xrealloc(k->uses, k->size * sizeof(*k->uses));
    }
    k->uses[k->n++] = u;
    k->used += u.used;
    add_health(k, &u, 1);
}

/* When the use that filled the cap is a day old. */
static int64_t free_at(const struct number *k, int64_t cap)
{
    int64_t n = 0;
    size_t i = k->n;

    while (i > k->day && n < cap)
        n += k->uses[--i].used;
    return i < k->n ? k->uses[i].at_ms + DAY_MS : 0;
}

static void refresh(struct pool *p, int64_t now_ms)
{
    for (size_t i = 0; i < p->n; i++) {
        struct number *k = &p->numbers[i];
        struct caller_id *c = &p->ids[i];
        int64_t most = c->daily_cap > 0 ? c->daily_cap : USES_COUNTED;

        move_day(k, now_ms);
        c->used = (int)(k->used < most ? k->used : most);
        c->free_at_ms =
            c->daily_cap > 0 && k->used >= most ? free_at(k, c->daily_cap) : 0;
    }
}

/* ---- health ---- */

static void check(struct pool *p, int64_t now_ms)
{
    char why[CALLER_ID_WHY_MAX];

    if (p->checked_ms && now_ms < p->checked_ms + CAMPAIGN_CHECK_S * 1000)
        return;
    p->checked_ms = now_ms;
    for (size_t i = 0; i < p->n; i++) {
        struct number *k = &p->numbers[i];
        struct caller_id *c = &p->ids[i];

        move_health(k, now_ms, p->rule->days);
        c->calls = k->calls;
        c->answered = k->answered;
        c->shorts = k->shorts;
        if (c->held_until_ms > now_ms || !caller_id_is_bad(c, p->rule, why))
            continue;
        c->held_until_ms = now_ms + p->rule->quarantine_h * HOUR_MS;
        k->counts_from_ms = now_ms; /* what led to it is not counted again */
        k->held++;
    }
}

/* Calls that never reached a person's phone say nothing of the number. */
static bool tells_of_health(enum disposition how)
{
    return how != DISPOSITION_CONFIG && how != DISPOSITION_CONGESTION &&
           how != DISPOSITION_CANCELED && how != DISPOSITION_BAD_NUMBER &&
           how != DISPOSITION_UNKNOWN;
}

/* ---- calls ---- */

size_t pool_room(struct pool *p, int64_t now_ms, size_t most, int64_t *again_ms)
{
    char why[CALLER_ID_WHY_MAX];

    check(p, now_ms);
    refresh(p, now_ms);
    size_t room = caller_id_room(p->ids, p->n, now_ms, most);
    *again_ms = room > 0 ? 0 : caller_id_explain(p->ids, p->n, p->rule, now_ms, why);
    return room;
}

uint32_t pool_take(struct pool *p, int64_t callee, int64_t now_ms)
{
    const struct caller_id *c = caller_id_choose(p->ids, p->n, p->rule, callee, now_ms);

    assert(c);
    uint32_t number = (uint32_t)(c - p->ids);
    struct number *k = &p->numbers[number];
    add_use(k, (struct scene_use){.at_ms = now_ms, .used = 1});
    if (p->taken_count == p->taken_size) {
        p->taken_size = p->taken_size ? 2 * p->taken_size : 1024;
        p->taken = xrealloc(p->taken, p->taken_size * sizeof(*p->taken));
    }
    p->taken[p->taken_count] = (struct taken){number, (uint32_t)(k->n - 1)};
    return (uint32_t)p->taken_count++;
}

void pool_give_back(struct pool *p, uint32_t use)
{
    struct number *k = &p->numbers[p->taken[use].number];
    struct scene_use *u = &k->uses[p->taken[use].use];

    if (p->taken[use].use >= k->day)
        k->used -= u->used;
    u->used = 0;
}

void pool_ended(struct pool *p, uint32_t use, enum disposition how, int64_t talk_ms)
{
    struct number *k = &p->numbers[p->taken[use].number];
    struct scene_use *u = &k->uses[p->taken[use].use];

    if (!tells_of_health(how))
        return;
    u->calls = 1;
    u->answered = how == DISPOSITION_COMPLETED;
    u->shorts = u->answered && talk_ms < CALLER_ID_SHORT_S * INT64_C(1000);
    if (p->taken[use].use >= k->health)
        add_health(k, u, 1);
}

/* ---- the whole ---- */

struct pool *pool_new(const struct scene *scene)
{
    struct pool *p = xcalloc(1, sizeof(*p));

    *p = (struct pool){.scene = scene,
                       .rule = &scene->doc->caller_ids,
                       .ids = xcalloc(scene->caller_count + 1, sizeof(*p->ids)),
                       .numbers = xcalloc(scene->caller_count + 1, sizeof(*p->numbers)),
                       .n = scene->caller_count};
    for (size_t i = 0; i < p->n; i++) {
        const struct scene_caller *c = &scene->callers[i];

        p->ids[i] = c->id;
        p->numbers[i].counts_from_ms = c->counts_from_ms;
        for (size_t u = 0; u < c->use_count; u++)
            add_use(&p->numbers[i], c->uses[u]);
    }
    return p;
}

void pool_free(struct pool *p)
{
    if (!p)
        return;
    for (size_t i = 0; i < p->n; i++)
        free(p->numbers[i].uses);
    free(p->numbers);
    free(p->ids);
    free(p->taken);
    free(p);
}

size_t pool_count(const struct pool *p)
{
    return p->n;
}

struct pool_result pool_result(const struct pool *p, size_t i)
{
    const struct number *k = &p->numbers[i];
    struct pool_result r = {.phone = p->ids[i].phone,
                            .held_until_ms = p->ids[i].held_until_ms,
                            .held = k->held};

    for (size_t u = p->scene->callers[i].use_count; u < k->n; u++) {
        r.calls += k->uses[u].used;
        r.answered += k->uses[u].answered;
        r.shorts += k->uses[u].shorts;
    }
    return r;
}
