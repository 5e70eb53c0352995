#include "simulate/waiting.h"

#include <stdlib.h>

#include "base/xalloc.h"
#include "campaigns/campaign.h"
#include "campaigns/due_heap.h"
#include "campaigns/hopper.h"
#include "campaigns/zone_open.h"

#define HOUR_MS (INT64_C(3600) * 1000)

struct zone_state {
    bool open;
    int64_t until_ms, look_ms; /* look again then */
};

struct waiting {
    const struct scene *scene;
    waiting_still_fn *still;
    waiting_aside_fn *aside;
    void *arg;
    struct due_heaps heaps;
    struct zone_state *zones;
    struct hopper_bucket *ready; /* room for every heap */
    size_t ready_size;
};

struct waiting *waiting_new(const struct scene *scene, waiting_still_fn *still,
                            waiting_aside_fn *aside, void *arg)
{
    struct waiting *w = xcalloc(1, sizeof(*w));

    *w = (struct waiting){.scene = scene,
                          .still = still,
                          .aside = aside,
                          .arg = arg,
                          .zones = xcalloc(scene->zone_count + 1, sizeof(*w->zones))};
    return w;
}

void waiting_free(struct waiting *w)
{
    if (!w)
        return;
    due_heaps_deinit(&w->heaps);
    free(w->zones);
    free(w->ready);
    free(w);
}

void waiting_add(struct waiting *w, uint32_t person, int priority, int64_t due_ms)
{
    uint32_t zone = w->scene->groups[w->scene->people[person].group].zone;

    due_heap_push(due_heaps_get(&w->heaps, zone, priority),
                  (struct due_entry){due_ms, person});
}

/* The earliest one that still waits here; NULL: nobody does. */
static const struct due_entry *first_of(const struct waiting *w, struct due_heap *h)
{
    while (h->n > 0) {
        if (w->still(w->arg, h->at[0].id, h->at[0].due_ms))
            return &h->at[0];
        (void)due_heap_pop(h);
    }
    return NULL;
}

static void due_at(int64_t *next_due_ms, int64_t at_ms)
{
    if (at_ms > 0 && (*next_due_ms == 0 || at_ms < *next_due_ms))
        *next_due_ms = at_ms;
}

static const struct zone_state *zone_at(struct waiting *w, uint32_t zone, int64_t now_ms)
{
    const struct scene *s = w->scene;
    const struct scene_zone *z = &s->zones[zone];
    struct zone_state *state = &w->zones[zone];

    if (now_ms < state->look_ms)
        return state;
    state->open = zone_is_open(s->doc->policy, z->region, z->names, z->name_count,
                               s->holidays, s->holiday_count, now_ms, &state->until_ms);
    /* What does not change for days is looked at again within the hour. */
    state->look_ms = state->until_ms > now_ms ? state->until_ms : now_ms + HOUR_MS;
    return state;
}

static size_t find_ready(struct waiting *w, int64_t now_ms, int64_t *next_due_ms)
{
    size_t n = 0;

    if (w->ready_size < w->heaps.n) {
        w->ready_size = 2 * w->heaps.n;
        w->ready = xrealloc(w->ready, w->ready_size * sizeof(*w->ready));
    }
    for (size_t i = 0; i < w->heaps.n; i++) {
        struct due_heap *h = &w->heaps.at[i];
        const struct due_entry *top = first_of(w, h);
        int64_t due_ms = 0;

        if (!top)
            continue;
        const struct zone_state *zone = zone_at(w, h->zone, now_ms);
        w->ready[n] = (struct hopper_bucket){.zone_group = w->scene->zones[h->zone].id,
                                             .priority = h->priority,
                                             .first_due_ms = top->due_ms,
                                             .until_ms = zone->until_ms,
                                             .open = zone->open};
        if (hopper_is_ready(&w->ready[n], now_ms, &due_ms))
            n++;
        else
            due_at(next_due_ms, due_ms);
    }
    hopper_sort(w->ready, n);
    return n;
}

static struct due_heap *heap_of(struct waiting *w, const struct hopper_bucket *ready)
{
    for (size_t i = 0; i < w->heaps.n; i++)
        if (w->scene->zones[w->heaps.at[i].zone].id == ready->zone_group &&
            w->heaps.at[i].priority == ready->priority)
            return &w->heaps.at[i];
    return NULL;
}

size_t waiting_take(struct waiting *w, int64_t now_ms, size_t max, uint32_t *out,
                    int64_t *next_due_ms)
{
    size_t ready = find_ready(w, now_ms, next_due_ms), n = 0;

    for (size_t i = 0; i < ready && n < max; i++) {
        struct due_heap *h = heap_of(w, &w->ready[i]);
        const struct due_entry *top = NULL;

        for (size_t room = max - n;
             h && room > 0 && (top = first_of(w, h)) && top->due_ms <= now_ms; room--) {
            out[n] = due_heap_pop(h).id;
            n += !w->aside(w->arg, out[n]);
        }
    }
    return n;
}
