/*
 * A call in a queue node: it asks the database for an agent, again and again while it
 * waits, hears music and now and then how long it still takes, rings the agent who was
 * found, and leaves when they have talked, when its time or its patience is over, or when
 * the call is one of a campaign whose agents are all taken: then the law wants the flow's
 * message at once and no waiting.
 *
 * Works for Postgres have the call's own key, so an agent who was found is left before
 * the call's end is written.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/xalloc.h"
#include "campaigns/agent_store_book.h"
#include "dialer/db.h"
#include "dialer/live_call.h"

enum {
    LOOK_MS = 500, /* of the first ones */
    LOOK_LATER_MS = 2000,
    NEAR = 3,
    AGENT_RING_MS = 20000,
    TALK_MAX_MS = 4 * 3600 * 1000,
    CONFIRM_KEY = '1',
};

struct work {
    struct lives *lives;
    struct uuid call;
    int tenant_id;
    char queue[64];
    int priority;
    unsigned serial;
    int64_t now_ms, since_ms;
    bool flag; /* in time; lost */
    struct agent_taken taken;
};

static int submit(struct live_call *c, enum db_mode mode, db_work_fn *run,
                  db_done_fn *done, bool flag)
{
    struct work *w = xcalloc(1, sizeof(*w));

    *w = (struct work){.lives = c->lives,
                       .call = c->start.id,
                       .tenant_id = c->start.tenant_id,
                       .priority = c->queue.priority,
                       .serial = c->queue.serial,
                       .now_ms = clock_now_ms(),
                       .since_ms = c->queue.since_at_ms,
                       .flag = flag};
    str_cut(w->queue, sizeof(w->queue), c->queue.name);
    live_hold(c->lives);
    int err = db_submit(c->lives->d->db, mode, db_key(&c->start.id), run, done, w);
    if (err) {
        live_let_go(c->lives);
        free(w);
    }
    return err;
}

static void told(int err, void *arg)
{
    struct work *w = arg;
    struct lives *l = w->lives;
    char id[UUID_TEXT_MAX];

    if (err)
        log_error("live", "call=%s err=%d its agent's part is not recorded",
                  uuid_text(&w->call, id), err);
    free(w);
    live_let_go(l);
}

static int run_left(struct pg *pg, void *arg)
{
    const struct work *w = arg;

    return agent_left(pg, w->tenant_id, &w->call, w->flag, w->now_ms);
}

static int run_connected(struct pg *pg, void *arg)
{
    const struct work *w = arg;

    return agent_connected(pg, w->tenant_id, &w->call, w->flag, w->now_ms);
}

static void tell_left(struct live_call *c, bool lost)
{
    int err = submit(c, DB_KEEP, run_left, told, lost);

    if (err)
        log_error("live", "call=%s err=%d its agent is not told", c->id, err);
}

/* ---- leaving ---- */

static void leave(struct live_call *c, enum ivr_left result)
{
    struct ivr_input in = {.kind = IVR_IN_QUEUE_LEFT, .token = c->state->seq};

    in.left.result = result;
    in.left.waited_ms = mono_ms() - c->queue.since_ms;
    in.left.agent = result == IVR_LEFT_SERVED ? c->agent : "";
    live_queue_drop(c);
    live_feed(c, &in);
}

void live_queue_drop(struct live_call *c)
{
    if (c->queue.at == QUEUE_OUT)
        return;
    live_disarm(c, LIVE_TIMER_QUEUE);
    tell_left(c, false);
    c->queue = (struct live_queue){.asking = c->queue.asking, .serial = c->queue.serial};
}

/* ---- asking ---- */

static int run_take(struct pg *pg, void *arg)
{
    struct work *w = arg;
    const struct agent_ask ask = {.call = w->call,
                                  .queue = w->queue,
                                  .priority = w->priority,
                                  .since_ms = w->since_ms};

    return agent_take(pg, w->tenant_id, &ask, w->now_ms, &w->taken);
}

static void ring_agent(struct live_call *c, const struct agent_taken *taken)
{
    const struct live_dial dial = {.extension = taken->extension,
                                   .ring_ms = AGENT_RING_MS,
                                   .max_ms = TALK_MAX_MS,
                                   .confirm_key = taken->confirm ? CONFIRM_KEY : '\0',
                                   .line = true};

    c->queue.at = QUEUE_RINGING;
    str_cut(c->agent, sizeof(c->agent), taken->name);
    live_disarm(c, LIVE_TIMER_QUEUE);
    log_info("live", "call=%s queue=%s agent=%s state=ringing", c->id,
             LOG_ESC(c->queue.name), LOG_ESC(taken->name));
    c->start.ops->dial(c->start.phone_arg, &c->start.id, &dial);
}

static void nobody(struct live_call *c, int err, const struct agent_taken *taken)
{
    int64_t now = mono_ms();

    if (err != ENODATA) {
        log_warn("live", "call=%s queue=%s err=%d no answer from the database", c->id,
                 LOG_ESC(c->queue.name), err);
        if (c->start.campaign_id && now - c->answered_ms > MODE_CONNECT_MS) {
            leave(c, IVR_LEFT_FAILED);
            return;
        }
    }
    /* Abandoned, by what the law calls it: its message is due now. */
    if (err == ENODATA && !taken->waits) {
        leave(c, IVR_LEFT_FULL);
        return;
    }
    if (now >= c->queue.until_ms) {
        leave(c, IVR_LEFT_TIMEOUT);
        return;
    }
    if (err == ENODATA && taken->logged_in == 0) {
        leave(c, IVR_LEFT_FULL);
        return;
    }
    if (taken->position > 0) {
        c->queue.position = taken->position;
        c->queue.wait_ms = taken->wait_ms;
    }
    live_arm(c, LIVE_TIMER_QUEUE, c->queue.position <= NEAR ? LOOK_MS : LOOK_LATER_MS);
}

static void ask(struct live_call *c);

static void taken_or_not(int err, void *arg)
{
    struct work *w = arg;
    struct lives *l = w->lives;
    struct live_call *c = live_find(l, &w->call);

    /* Of one that has left the agent is free again: that was written after this. */
    if (c)
        c->queue.asking = false;
    if (c && c->queue.at == QUEUE_WAITING && c->phase == LIVE_RUNNING) {
        if (w->serial != c->queue.serial)
            ask(c);
        else if (err)
            nobody(c, err, &w->taken);
        else
            ring_agent(c, &w->taken);
    }
    live_let_go(l);
    free(w);
}

static void ask(struct live_call *c)
{
    if (c->queue.asking)
        return;
    c->queue.asking = submit(c, DB_TRY, run_take, taken_or_not, false) == 0;
    if (!c->queue.asking)
        live_arm(c, LIVE_TIMER_QUEUE, LOOK_MS);
}

/* ---- what the flow and the phone say ---- */

void live_queue_enter(struct live_call *c, const struct ivr_effect *fx)
{
    struct live_queue *q = &c->queue;
    int64_t now = mono_ms();

    if (q->at == QUEUE_OUT) {
        *q = (struct live_queue){.at = QUEUE_WAITING,
                                 .asking = q->asking,
                                 .serial = q->serial + 1,
                                 .priority = fx->enqueue.priority,
                                 .exit_key = fx->enqueue.exit_key,
                                 .since_ms = now,
                                 .since_at_ms = clock_now_ms(),
                                 .until_ms = now + fx->enqueue.max_wait_ms,
                                 .announce_ms = fx->enqueue.announce_ms};
        str_cut(q->name, sizeof(q->name), fx->enqueue.queue);
    }
    if (q->announce_ms > 0)
        q->news_at_ms = now + q->announce_ms;
    ask(c);
}

void live_queue_look(struct live_call *c)
{
    struct live_queue *q = &c->queue;

    if (q->at != QUEUE_WAITING || c->phase != LIVE_RUNNING || q->asking)
        return;
    if (q->news_at_ms && mono_ms() >= q->news_at_ms && q->position > 0) {
        struct ivr_input in = {.kind = IVR_IN_QUEUE_NEWS, .token = c->state->seq};
        in.news.position = q->position;
        in.news.wait_ms = q->wait_ms;
        q->news_at_ms = 0;
        if (live_feed(c, &in))
            return;
    }
    ask(c);
}

void live_queue_key(struct live_call *c, char key)
{
    if (c->queue.at == QUEUE_WAITING && c->queue.exit_key && key == c->queue.exit_key &&
        c->phase == LIVE_RUNNING)
        leave(c, IVR_LEFT_BY_KEY);
}

void live_queue_bridged(struct live_call *c)
{
    bool in_time = mono_ms() - c->answered_ms <= MODE_CONNECT_MS;

    if (c->moh) {
        c->moh = false;
        c->start.ops->moh(c->start.phone_arg, &c->start.id, false);
    }
    if (c->queue.at != QUEUE_RINGING)
        return;
    c->queue.at = QUEUE_TALKING;
    log_info("live", "call=%s queue=%s agent=%s state=talking answer_to_agent_ms=%lld",
             c->id, LOG_ESC(c->queue.name), LOG_ESC(c->agent),
             (long long)(mono_ms() - c->answered_ms));
    int err = submit(c, DB_KEEP, run_connected, told, in_time);
    if (err)
        log_error("live", "call=%s err=%d its connection is not recorded", c->id, err);
}

void live_queue_dialled(struct live_call *c, const struct live_event *ev)
{
    if (c->queue.at == QUEUE_TALKING) {
        leave(c, ev->dialled.result == IVR_DIALLED_COMPLETED ? IVR_LEFT_SERVED
                                                             : IVR_LEFT_FAILED);
    } else if (c->queue.at == QUEUE_RINGING) {
        /* Somebody else, if there is one. */
        log_warn("live", "call=%s queue=%s agent=%s state=no-answer cause=%d", c->id,
                 LOG_ESC(c->queue.name), LOG_ESC(c->agent), ev->dialled.cause);
        tell_left(c, true);
        c->queue.at = QUEUE_WAITING;
        ask(c);
    }
}
