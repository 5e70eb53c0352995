#include "simulate/lines.h"

#include <math.h>
#include <string.h>

#include "campaigns/campaign_trunks.h"

#define HOUR_MS 3600000.0
static const double stock_s = 0.8;

/* ---- one of them ---- */

/* Down now? *until_ms: when that changes; LINES_NEVER it does not. */
static bool is_down(const struct lines *l, const struct line *line, int64_t now_ms,
                    int64_t *until_ms)
{
    double hour = (double)(now_ms - l->scene->from_ms) / HOUR_MS;
    bool down = false;

    *until_ms = LINES_NEVER;
    for (size_t i = 0; i < l->network->outage_count; i++) {
        const struct network_outage *o = &l->network->outages[i];
        bool within = hour >= o->from_h && hour < o->to_h;
        double change_h = within ? o->to_h : o->from_h;
        int64_t at_ms = l->scene->from_ms + (int64_t)ceil(change_h * HOUR_MS);

        if (strcmp(o->trunk, line->trunk->name) != 0)
            continue;
        down |= within;
        if (at_ms > now_ms && at_ms < *until_ms)
            *until_ms = at_ms;
    }
    return down;
}

static int64_t paced_ms(const struct lines *l, const struct line *line)
{
    return (int64_t)ceil(line->tat_ms > l->tat_ms ? line->tat_ms : l->tat_ms);
}

/* Of several one call at a time, so that what all of them may do is shared out in the
 * order of time; else as much as a dialer keeps in stock. */
static size_t wanted_of(const struct lines *l, const struct line *line)
{
    double cps = line->trunk->cps < l->scene->cps ? line->trunk->cps : l->scene->cps;
    double n = l->n > 1 ? 1 : floor(stock_s * cps);
    int64_t room = line->trunk->channels - line->open;
    int64_t others = l->scene->channels - l->open;

    room = others < room ? others : room;
    n = n < 1 ? 1 : n > LINES_BATCH_MAX ? LINES_BATCH_MAX : n;
    return room <= 0 ? 0 : (double)room < n ? (size_t)room : (size_t)n;
}

/* ---- which of them ---- */

static int choose(const struct lines *l, int64_t now_ms)
{
    struct trunk_standing all[CAMPAIGN_TRUNKS_MAX];
    int64_t until_ms = 0;

    for (size_t i = 0; i < l->n; i++) {
        const struct line *line = &l->at[i];
        all[i] = (struct trunk_standing){.weight = line->trunk->weight,
                                         .priority = line->trunk->priority,
                                         .usable = !is_down(l, line, now_ms, &until_ms),
                                         .sent = line->sent};
        all[i].wants =
            all[i].usable && paced_ms(l, line) <= now_ms && wanted_of(l, line) > 0;
    }
    for (size_t i = 0; i < l->n; i++)
        if (all[i].wants && campaign_trunk_may(all, (int)l->n, (int)i))
            return (int)i;
    return -1;
}

/* When something changes for the choice without a call's end: a pace, an outage. */
static int64_t next_change_ms(const struct lines *l, int64_t now_ms)
{
    int64_t first_ms = LINES_NEVER, until_ms = 0;

    for (size_t i = 0; i < l->n; i++) {
        int64_t at_ms = paced_ms(l, &l->at[i]);

        if (at_ms > now_ms && at_ms < first_ms && wanted_of(l, &l->at[i]) > 0)
            first_ms = at_ms;
        (void)is_down(l, &l->at[i], now_ms, &until_ms);
        first_ms = until_ms < first_ms ? until_ms : first_ms;
    }
    return first_ms;
}

int64_t lines_ready_ms(const struct lines *l, int64_t now_ms)
{
    if (l->n == 1 && l->network->outage_count == 0) {
        int64_t at_ms = paced_ms(l, &l->at[0]);
        return wanted_of(l, &l->at[0]) == 0 ? LINES_NEVER
               : at_ms > now_ms             ? at_ms
                                            : now_ms;
    }
    while (now_ms != LINES_NEVER && choose(l, now_ms) < 0)
        now_ms = next_change_ms(l, now_ms);
    return now_ms;
}

/* As the dialer: one that comes back does not have to catch up. */
static void look_at_use(struct lines *l, int64_t now_ms)
{
    int64_t until_ms = 0;
    bool back = false;

    for (size_t i = 0; i < l->n; i++) {
        bool usable = !is_down(l, &l->at[i], now_ms, &until_ms);
        back |= usable && !l->at[i].usable;
        l->at[i].usable = usable;
    }
    for (size_t i = 0; back && i < l->n; i++)
        l->at[i].sent = 0;
}

int lines_next(struct lines *l, int64_t now_ms, size_t *wanted)
{
    look_at_use(l, now_ms);
    int which = choose(l, now_ms);
    *wanted = which < 0 ? 0 : wanted_of(l, &l->at[which]);
    return which;
}

/* ---- what becomes of it ---- */

void lines_init(struct lines *l, const struct scene *scene, const struct network *network)
{
    *l = (struct lines){.scene = scene, .network = network, .n = scene->trunk_count};
    for (size_t i = 0; i < l->n; i++)
        l->at[i] = (struct line){.trunk = &scene->trunks[i], .usable = true};
}

void lines_claimed(struct lines *l, int which, size_t picked)
{
    l->at[which].sent += (double)picked;
}

int64_t lines_send(struct lines *l, int which, int64_t now_ms)
{
    struct line *line = &l->at[which];
    double at_ms = (double)now_ms;

    at_ms = line->tat_ms > at_ms ? line->tat_ms : at_ms;
    at_ms = l->tat_ms > at_ms ? l->tat_ms : at_ms;
    line->tat_ms = at_ms + 1000 / line->trunk->cps;
    l->tat_ms = at_ms + 1000 / l->scene->cps;
    line->calls++;
    line->open++;
    l->open++;
    if (line->open > line->peak)
        line->peak = line->open;
    return (int64_t)ceil(at_ms);
}

void lines_end(struct lines *l, int which)
{
    l->at[which].open--;
    l->open--;
}
