#include "simulate/desk.h"

#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"

enum {
    RESOLVED_S = 30, /* from an answer until it is counted, at the most */
    LATEST = 200,    /* calls that the answer rate is taken from */
    NOBODY = -1,
};

enum place { FREE, RESERVED, ON_CALL };

struct agent {
    enum place place;
    int64_t since_ms;
    int64_t free_at_ms; /* while FREE: with what is written down afterwards */
    int64_t call;       /* a booking + 1; 0 none */
};

enum result {
    RESULT_OPEN,
    RESULT_UNANSWERED,
    RESULT_CONNECTED,
    RESULT_LATE,
    RESULT_ABANDONED,
    RESULT_MACHINE, /* put through, or not: it counts as neither */
};

struct booking {
    int64_t reserved_ms, answered_ms, connected_ms, over_ms;
    int agent; /* NOBODY: unbacked */
    enum result result;
    bool kept, machine;
};

struct period {
    enum mode_anchor anchor;
    int64_t number;
    struct mode_period counts;
};

struct desk {
    const struct scene *scene;
    const struct mode_rules *rules;
    struct agent *agents;
    int n;
    struct booking *bookings;
    size_t booking_count, booking_size;
    int64_t anchored_ms; /* 0: nothing was booked yet */
    struct period *periods;
    size_t period_count;
    int64_t unbacked;
    uint32_t latest[LATEST]; /* bookings that are over, ascending */
    size_t latest_count;
    struct desk_counts counts;
};

struct desk *desk_new(const struct scene *scene, int agents)
{
    struct desk *d = xcalloc(1, sizeof(*d));

    d->scene = scene;
    d->rules = &scene->doc->mode;
    d->n = agents;
    d->agents = xcalloc((size_t)agents, sizeof(*d->agents));
    d->counts.agents = agents;
    return d;
}

void desk_free(struct desk *d)
{
    if (!d)
        return;
    free(d->agents);
    free(d->bookings);
    free(d->periods);
    free(d);
}

struct desk_counts desk_counts(const struct desk *d)
{
    return d->counts;
}

bool desk_books(const struct desk *d)
{
    return d->rules->kind != MODE_FIXED;
}

/* ---- periods ---- */

static struct mode_period *period_of(struct desk *d, enum mode_anchor anchor,
                                     int64_t number)
{
    for (size_t i = d->period_count; i > 0; i--)
        if (d->periods[i - 1].anchor == anchor && d->periods[i - 1].number == number)
            return &d->periods[i - 1].counts;
    d->periods = xrealloc(d->periods, (d->period_count + 1) * sizeof(*d->periods));
    d->periods[d->period_count] = (struct period){.anchor = anchor, .number = number};
    return &d->periods[d->period_count++].counts;
}

static int numbers_at(const struct desk *d, int64_t at_ms, int64_t out[MODE_ANCHORS])
{
    int err = 0;

    for (int i = 0; !err && i < MODE_ANCHORS; i++)
        err = mode_period_of((enum mode_anchor)i, d->rules->timezone, d->anchored_ms,
                             at_ms, &out[i]);
    return err;
}

static int count(struct desk *d, int64_t answered_ms, bool abandoned)
{
    int64_t numbers[MODE_ANCHORS];

    int err = numbers_at(d, answered_ms, numbers);
    for (int i = 0; !err && i < MODE_ANCHORS; i++) {
        struct mode_period *p = period_of(d, (enum mode_anchor)i, numbers[i]);

        p->answered++;
        p->abandoned += abandoned;
        double ppm = (double)p->abandoned * 1e6 / (double)p->answered;
        if (ppm > d->counts.worst_ppm)
            d->counts.worst_ppm = ppm;
    }
    return err;
}

/* ---- agents ---- */

static bool is_ready(const struct agent *a, int64_t now_ms)
{
    return a->place == FREE && a->free_at_ms <= now_ms;
}

/* Who has been free for the longest. */
static int longest_free(const struct desk *d, int64_t now_ms)
{
    int best = NOBODY;

    for (int i = 0; i < d->n; i++)
        if (is_ready(&d->agents[i], now_ms) &&
            (best == NOBODY || d->agents[i].since_ms < d->agents[best].since_ms))
            best = i;
    return best;
}

static void put(struct desk *d, int agent, enum place place, uint32_t booking,
                int64_t now_ms)
{
    d->agents[agent] =
        (struct agent){.place = place, .since_ms = now_ms, .call = (int64_t)booking + 1};
}

/* The agent of the call, if one is its own. */
static void free_agent(struct desk *d, uint32_t booking, int64_t wrap_up_ms,
                       int64_t now_ms)
{
    int agent = d->bookings[booking].agent;

    if (agent == NOBODY || d->agents[agent].call != (int64_t)booking + 1)
        return;
    wrap_up_ms = d->agents[agent].place == ON_CALL ? wrap_up_ms : 0;
    d->agents[agent] =
        (struct agent){.since_ms = now_ms, .free_at_ms = now_ms + wrap_up_ms};
}

/* ---- booking ---- */

/* Rounded as the ledger's. */
static int64_t mean(int64_t sum, int64_t n)
{
    return n > 0 ? (2 * sum + n) / (2 * n) : 0;
}

static void read_stats(const struct desk *d, struct mode_stats *out)
{
    int64_t ring_ms = 0, talk_ms = 0, connected = 0;

    *out = (struct mode_stats){.ended = (int64_t)d->latest_count};
    for (size_t i = 0; i < d->latest_count; i++) {
        const struct booking *b = &d->bookings[d->latest[i]];

        /* A machine takes no agent's time, unless it was put through. */
        if (b->answered_ms && (!b->machine || b->connected_ms)) {
            out->answered++;
            ring_ms += b->answered_ms - b->reserved_ms;
        }
        if (b->connected_ms) {
            connected++;
            talk_ms += b->over_ms - b->connected_ms;
        }
    }
    out->ring_ms = mean(ring_ms, out->answered);
    out->talk_ms = mean(talk_ms, connected);
}

static int read_now(struct desk *d, int64_t now_ms, struct mode_now *out)
{
    const int64_t over_ms =
        now_ms + (int64_t)(d->scene->doc->ring_timeout_s + RESOLVED_S) * 1000;
    int64_t here[MODE_ANCHORS], then[MODE_ANCHORS];

    *out = (struct mode_now){.unbacked = d->unbacked};
    int err = numbers_at(d, now_ms, here);
    if (!err)
        err = numbers_at(d, over_ms, then);
    if (err)
        return err;
    for (int i = 0; i < d->n; i++) {
        out->ready += is_ready(&d->agents[i], now_ms);
        out->reserved += d->agents[i].place == RESERVED;
        out->busy += d->agents[i].place == ON_CALL;
    }
    for (int i = 0; i < MODE_ANCHORS; i++)
        out->periods[i] = *period_of(d, (enum mode_anchor)i, here[i]);
    out->period_ends = memcmp(here, then, sizeof(here)) != 0;
    read_stats(d, &out->stats);
    return 0;
}

static void fill_abandon(const struct desk *d, const struct mode_now *now,
                         int64_t unbacked, struct compliance_abandon out[MODE_ANCHORS])
{
    for (int i = 0; i < MODE_ANCHORS; i++)
        out[i] = (struct compliance_abandon){.limit_ppm = d->rules->limit_ppm,
                                             .answered = now->periods[i].answered,
                                             .abandoned = now->periods[i].abandoned,
                                             .unbacked = unbacked};
}

int desk_look(struct desk *d, int64_t now_ms, size_t max, struct desk_book *out)
{
    struct mode_now now;

    if (!d->anchored_ms)
        d->anchored_ms = now_ms;
    int err = read_now(d, now_ms, &now);
    if (err)
        return err;
    if ((size_t)now.ready > max)
        now.ready = (int)max;
    mode_room(d->rules, &now, &out->room);
    fill_abandon(d, &now, now.unbacked, out->abandon);
    return 0;
}

uint32_t desk_book(struct desk *d, int64_t now_ms, bool backed, bool kept)
{
    int agent = backed ? longest_free(d, now_ms) : NOBODY;

    if (d->booking_count == d->booking_size) {
        d->booking_size = d->booking_size ? 2 * d->booking_size : 1024;
        d->bookings = xrealloc(d->bookings, d->booking_size * sizeof(*d->bookings));
    }
    d->bookings[d->booking_count++] =
        (struct booking){.reserved_ms = now_ms, .agent = agent, .kept = kept};
    if (agent == NOBODY)
        d->unbacked++;
    else
        put(d, agent, RESERVED, (uint32_t)(d->booking_count - 1), now_ms);
    return (uint32_t)(d->booking_count - 1);
}

int desk_gate(struct desk *d, uint32_t booking, int64_t now_ms, bool *backed,
              struct compliance_abandon abandon[MODE_ANCHORS])
{
    struct mode_now now;

    int err = read_now(d, now_ms, &now);
    *backed = d->bookings[booking].agent != NOBODY;
    if (!err)
        fill_abandon(d, &now, now.unbacked - !*backed, abandon);
    return err;
}

/* ---- what becomes of a call ---- */

/* A result that was not known, counted if a person answered; then it is not unbacked any
 * more. */
static int resolve(struct desk *d, struct booking *b, enum result result)
{
    bool lost = result == RESULT_ABANDONED || result == RESULT_LATE;

    if (b->result != RESULT_OPEN)
        return 0;
    d->unbacked -= b->agent == NOBODY;
    if (b->machine && result != RESULT_UNANSWERED)
        result = RESULT_MACHINE;
    b->result = result;
    if (result == RESULT_MACHINE || result == RESULT_UNANSWERED)
        return 0;
    d->counts.answered++;
    d->counts.abandoned += lost;
    d->counts.late += result == RESULT_LATE;
    return count(d, b->answered_ms, lost);
}

/* When the agent's part was over; the call itself may go on for a moment. */
static void note_over(struct desk *d, uint32_t booking, int64_t now_ms)
{
    size_t i = d->latest_count;

    if (d->bookings[booking].over_ms)
        return;
    d->bookings[booking].over_ms = now_ms;
    if (i == LATEST && d->latest[0] > booking)
        return;
    if (i == LATEST)
        memmove(&d->latest[0], &d->latest[1], --i * sizeof(d->latest[0]));
    for (; i > 0 && d->latest[i - 1] > booking; i--)
        d->latest[i] = d->latest[i - 1];
    d->latest[i] = booking;
    d->latest_count += d->latest_count < LATEST;
}

void desk_withdraw(struct desk *d, uint32_t booking, int64_t now_ms)
{
    (void)resolve(d, &d->bookings[booking], RESULT_UNANSWERED); /* counts nothing */
    free_agent(d, booking, 0, now_ms);
}

void desk_answered(struct desk *d, uint32_t booking, int64_t now_ms)
{
    d->bookings[booking].answered_ms = now_ms;
}

void desk_machine(struct desk *d, uint32_t booking, bool hears_flow, int64_t now_ms)
{
    struct booking *b = &d->bookings[booking];

    if (b->result != RESULT_OPEN)
        return;
    b->machine = true;
    if (hears_flow)
        return;
    (void)resolve(d, b, RESULT_MACHINE); /* counts nothing */
    free_agent(d, booking, 0, now_ms);
}

/* Of the calls that still ring and are not an agent's for sure, the newest gives its. */
static int from_another(struct desk *d)
{
    int64_t newest = 0;

    for (int i = 0; i < d->n; i++) {
        int64_t of = d->agents[i].place == RESERVED ? d->agents[i].call : 0;
        const struct booking *b = of ? &d->bookings[of - 1] : NULL;

        if (b && b->result == RESULT_OPEN && !b->kept && !b->answered_ms && of > newest)
            newest = of;
    }
    if (newest == 0)
        return NOBODY;
    int agent = d->bookings[newest - 1].agent;
    d->bookings[newest - 1].agent = NOBODY;
    d->unbacked++;
    return agent;
}

int desk_take(struct desk *d, uint32_t booking, int64_t now_ms, bool *taken)
{
    struct booking *b = &d->bookings[booking];
    int agent = b->agent;

    *taken = false;
    if (b->result != RESULT_OPEN) /* it was given up before, or was served */
        return 0;
    if (agent == NOBODY)
        agent = longest_free(d, now_ms);
    if (agent == NOBODY)
        agent = from_another(d);
    if (agent == NOBODY)
        return resolve(d, b, RESULT_ABANDONED);
    d->unbacked -= b->agent == NOBODY;
    b->agent = agent;
    put(d, agent, ON_CALL, booking, now_ms);
    *taken = true;
    return 0;
}

int desk_connected(struct desk *d, uint32_t booking, bool in_time, int64_t now_ms)
{
    struct booking *b = &d->bookings[booking];

    if (b->result != RESULT_OPEN)
        return 0;
    b->connected_ms = now_ms;
    d->counts.served++;
    return resolve(d, b, in_time ? RESULT_CONNECTED : RESULT_LATE);
}

void desk_left(struct desk *d, uint32_t booking, int64_t wrap_up_ms, int64_t now_ms)
{
    const struct booking *b = &d->bookings[booking];

    if (b->connected_ms && !b->over_ms) {
        d->counts.talk_ms += now_ms - b->connected_ms;
        d->counts.wrap_up_ms += wrap_up_ms;
    }
    note_over(d, booking, now_ms);
    free_agent(d, booking, wrap_up_ms, now_ms);
}

int desk_over(struct desk *d, uint32_t booking, int64_t ended_ms, int64_t *abandoned_ms)
{
    struct booking *b = &d->bookings[booking];

    int err = resolve(d, b, b->answered_ms ? RESULT_ABANDONED : RESULT_UNANSWERED);
    *abandoned_ms = b->result == RESULT_ABANDONED ? b->reserved_ms : 0;
    note_over(d, booking, ended_ms);
    free_agent(d, booking, 0, ended_ms);
    return err;
}

/* ---- who waits ---- */

static void serve(struct desk *d, struct agent *a, int64_t from_ms,
                  const struct desk_ask *ask)
{
    a->since_ms = from_ms + ask->connect_ms + ask->talk_ms;
    a->free_at_ms = a->since_ms + ask->wrap_up_ms;
    d->counts.served++;
    d->counts.talk_ms += ask->talk_ms;
    d->counts.wrap_up_ms += ask->wrap_up_ms;
}

/* Whoever asks first is served first: the agent is known at once. */
void desk_ask(struct desk *d, const struct desk_ask *ask, struct desk_served *out)
{
    int next = 0;

    for (int i = 1; i < d->n; i++)
        if (d->agents[i].free_at_ms < d->agents[next].free_at_ms)
            next = i;
    int64_t from_ms = d->agents[next].free_at_ms;
    from_ms = from_ms > ask->now_ms ? from_ms : ask->now_ms;
    int64_t wait_ms = from_ms - ask->now_ms;
    int64_t most_ms =
        ask->patience_ms < ask->max_wait_ms ? ask->patience_ms : ask->max_wait_ms;
    if (wait_ms > most_ms) {
        bool hung_up = ask->patience_ms < ask->max_wait_ms;
        d->counts.left += hung_up;
        d->counts.timed_out += !hung_up;
        *out = (struct desk_served){.at_ms = ask->now_ms + most_ms,
                                    .hung_up = hung_up,
                                    .result = IVR_LEFT_TIMEOUT};
        return;
    }
    serve(d, &d->agents[next], from_ms, ask);
    d->counts.waited_ms += wait_ms;
    if (wait_ms > d->counts.longest_wait_ms)
        d->counts.longest_wait_ms = wait_ms;
    *out = (struct desk_served){.at_ms = d->agents[next].since_ms,
                                .result = IVR_LEFT_SERVED};
}
