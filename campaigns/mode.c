#include "campaigns/mode.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "base/str.h"
#include "contacts/tz.h"

enum {
    PPM = 1000000,
    CALLS_AN_AGENT_MAX = 10,
    TRIED_MIN = 20, /* calls before an answer rate is believed */
};
static const int64_t thirty_days_ms = INT64_C(30) * 86400 * 1000;

static const char *const kind_names[] = {"fixed", "progressive", "ratio", "predictive"};
static const char *const anchor_names[] = {"campaign30d", "calendar_day",
                                           "calendar_month"};
static const char *const state_names[] = {"logged_out", "ready",   "reserved",
                                          "on_call",    "wrap_up", "paused"};
static const char *const order_names[] = {"login", "logout", "pause", "resume"};
_Static_assert(ARRAY_LEN(kind_names) == MODE_KINDS, "a name a kind");
_Static_assert(ARRAY_LEN(anchor_names) == MODE_ANCHORS, "a name an anchor");
_Static_assert(ARRAY_LEN(state_names) == AGENT_STATES, "a name a state");
_Static_assert(ARRAY_LEN(order_names) == AGENT_ORDERS, "a name an order");

const char *mode_kind_name(enum mode_kind k)
{
    return kind_names[k];
}

const char *mode_anchor_name(enum mode_anchor a)
{
    return anchor_names[a];
}

void mode_rules_default(struct mode_rules *out)
{
    *out = (struct mode_rules){
        .ratio = 1, .limit_ppm = 20000, .margin = 1, .timezone = "UTC"};
}

/* ---- the limit ---- */

int64_t mode_credit(int limit_ppm, int margin, const struct mode_period *p)
{
    int64_t over = limit_ppm * p->answered - PPM * (p->abandoned + margin);

    return over > 0 && limit_ppm < PPM ? over / (PPM - limit_ppm) : 0;
}

int mode_period_of(enum mode_anchor a, const char *timezone, int64_t anchored_ms,
                   int64_t at_ms, int64_t *period)
{
    const struct tz_zone *zone = NULL;

    if (a == MODE_CAMPAIGN_30D) {
        int64_t since = at_ms - anchored_ms;

        *period = since >= 0 ? since / thirty_days_ms : 0;
        return 0;
    }
    if (tz_find(timezone, &zone))
        return EINVAL;
    struct tz_local local = tz_local_at(zone, at_ms);
    *period = a == MODE_CALENDAR_DAY ? tz_day_number(local.year, local.month, local.day)
                                     : INT64_C(12) * local.year + local.month - 1;
    return 0;
}

static int64_t credit_left(const struct mode_rules *rules, const struct mode_now *now)
{
    int64_t least = INT64_MAX;

    /* An answer would count in another period than the credit it was given for. */
    if (now->period_ends)
        return 0;
    for (int i = 0; i < MODE_ANCHORS; i++) {
        int64_t k = mode_credit(rules->limit_ppm, rules->margin, &now->periods[i]);

        least = k < least ? k : least;
    }
    return least > now->unbacked ? least - now->unbacked : 0;
}

/* ---- the pace ---- */

/* Agents who will be free by the time a call that begins now is answered. */
static double free_soon(const struct mode_now *now)
{
    const struct mode_stats *s = &now->stats;

    if (s->talk_ms <= 0 || s->ring_ms <= 0)
        return 0;
    double part = (double)s->ring_ms / (double)s->talk_ms;
    return now->busy * (part < 1 ? part : 1);
}

/* Calls in flight that are wanted. */
static double target(const struct mode_rules *rules, const struct mode_now *now)
{
    double agents = now->ready + now->reserved;

    if (rules->kind == MODE_RATIO)
        return floor(rules->ratio * agents);
    if (rules->kind != MODE_PREDICTIVE || now->stats.ended < TRIED_MIN)
        return agents;
    /* As if one more had answered: no rate is 0. */
    double rate = ((double)now->stats.answered + 1) / ((double)now->stats.ended + 1);
    double most = CALLS_AN_AGENT_MAX * (agents + now->busy);
    double calls = floor((agents + free_soon(now)) / rate);
    return calls < most ? calls : most;
}

void mode_room(const struct mode_rules *rules, const struct mode_now *now,
               struct mode_room *out)
{
    *out = (struct mode_room){.backed = now->ready};
    if (rules->kind == MODE_FIXED || rules->kind == MODE_PROGRESSIVE)
        return;
    /* Whoever is free has a call of their own first: that needs no credit. */
    double more = target(rules, now) - now->ready - now->reserved - (double)now->unbacked;
    int64_t credit = credit_left(rules, now);
    if (more >= 1 && credit > 0)
        out->unbacked = (int)(more < (double)credit ? more : (double)credit);
}

bool mode_gives_agent(const struct mode_room *room, size_t given, int64_t *unbacked)
{
    size_t agents = room->backed > 0 ? (size_t)room->backed : 0;

    *unbacked = given > agents ? (int64_t)(given - agents) : 0;
    return given < agents;
}

/* ---- agents ---- */

const char *agent_state_name(enum agent_state s)
{
    return state_names[s];
}

bool agent_state_parse(const char *name, enum agent_state *out)
{
    for (int i = 0; i < AGENT_STATES; i++)
        if (str_is(state_names[i], name)) {
            *out = (enum agent_state)i;
            return true;
        }
    return false;
}

const char *agent_order_name(enum agent_order o)
{
    return order_names[o];
}

enum agent_state agent_after(enum agent_state now, enum agent_order order,
                             bool *after_call)
{
    *after_call = now == AGENT_RESERVED || now == AGENT_ON_CALL;
    switch (order) {
    case AGENT_LOGIN:
        return now == AGENT_LOGGED_OUT ? AGENT_READY : AGENT_STATES;
    case AGENT_LOGOUT:
        return now == AGENT_LOGGED_OUT ? AGENT_STATES : AGENT_LOGGED_OUT;
    case AGENT_PAUSE:
        return now == AGENT_LOGGED_OUT || now == AGENT_PAUSED ? AGENT_STATES
                                                              : AGENT_PAUSED;
    case AGENT_RESUME:
        /* Also takes back a pause that waits for the end of a call. */
        return now == AGENT_LOGGED_OUT || now == AGENT_READY ? AGENT_STATES : AGENT_READY;
    case AGENT_ORDERS:
        break;
    }
    return AGENT_STATES;
}
