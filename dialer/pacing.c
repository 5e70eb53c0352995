/*
 * Tokens and slots: taken, given back, rebuilt. A take whose answer was lost may have
 * taken: its slots are given back. A give is kept until Redis has confirmed it, over
 * reconnects too. The connection is pacing_link.c's.
 */
#include "dialer/pacing.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/redis.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "dialer/pacing_inside.h"

/* ---- answers that come later ---- */

static void wake(struct pacing *p);
static bool ask_again(struct pacing *p, struct op *op);

/* Of the fastest bucket, real time: so far apart calls are. */
static int64_t interval_us(const struct pacing *p, const struct pacing_ask *ask)
{
    double cps = 0;

    for (int k = 0; k < PACING_KINDS; k++)
        if (ask->at[k].id && ask->at[k].cps > cps)
            cps = ask->at[k].cps;
    return cps > 0 ? (int64_t)(1e6 / cps / p->business_per_real) : INT64_MAX;
}

/* Its turn passed while this process had no time: calls that leave late leave together.
 */
static bool is_late(const struct pacing *p, const struct op *op)
{
    int64_t may_us = interval_us(p, &op->ask) / 10 * 3;

    return op->due_us && op->result == PACING_GO &&
           mono_us() - op->due_us > (may_us > 2 * NEARLY_US ? may_us : 2 * NEARLY_US);
}

/* A turn that has not come when we close is lost; its slot is reclaimed by age. */
static void on_soon(uv_timer_t *timer)
{
    struct pacing *p = timer->data;
    struct op_list all = p->later;

    if (!all.head)
        return;
    *all.tail = NULL;
    p->later.head = NULL;
    p->later.tail = &p->later.head;
    for (struct op *op = all.head, *next; op; op = next) {
        bool due = op->due_us - mono_us() < NEARLY_US;
        next = op->next;
        if (!due && !p->closing) {
            pacing_list_add(&p->later, op);
            continue;
        }
        if (due && !p->closing && is_late(p, op) && ask_again(p, op))
            continue;
        op->done(due ? op->result : PACING_AWAY, op->retry_ms, op->arg);
        free(op);
    }
    wake(p);
}

/* For the first that is due. The timer counts whole ms: half of one is near enough. */
static void wake(struct pacing *p)
{
    int64_t first_us = INT64_MAX, left_us;

    for (const struct op *op = p->later.head; op; op = op->next)
        first_us = op->due_us < first_us ? op->due_us : first_us;
    if (p->closing || first_us == INT64_MAX)
        return;
    left_us = first_us - mono_us();
    uv_update_time(p->loop);
    uv_timer_start(&p->soon, on_soon,
                   left_us < NEARLY_US ? 0 : (uint64_t)(left_us + 999) / 1000, 0);
}

static void answer_at(struct pacing *p, struct op *op, enum pacing_result result,
                      int64_t retry_ms, int64_t due_us)
{
    op->result = result;
    op->retry_ms = retry_ms;
    op->due_us = due_us;
    pacing_list_add(&p->later, op);
    wake(p);
}

static void answer_later(struct pacing *p, struct op *op, enum pacing_result result,
                         int64_t retry_ms)
{
    answer_at(p, op, result, retry_ms, 0);
}

/* ---- give ---- */

static const char *key(const struct pacing *p, const char *what, char out[KEY_MAX])
{
    snprintf(out, KEY_MAX, "%s%s", p->prefix, what);
    return out;
}

static const char kind_letters[PACING_KINDS] = {
    [PACING_TRUNK] = 't',  [PACING_CAMPAIGN] = 'c', [PACING_CALLER_ID] = 'i',
    [PACING_TENANT] = 'n', [PACING_ACCOUNT] = 'p',  [PACING_ALL] = 'a'};

static const char *bucket_key(const struct pacing *p, enum pacing_kind kind, int64_t id,
                              const char *what, char out[KEY_MAX])
{
    snprintf(out, KEY_MAX, "%s%c:%" PRId64 ":%s", p->prefix, kind_letters[kind], id,
             what);
    return out;
}

static void forget_done_gives(struct pacing *p)
{
    for (struct give **at = &p->gives; *at;) {
        struct give *g = *at;
        if (g->done) {
            *at = g->next;
            free(g);
        } else {
            at = &g->next;
        }
    }
}

static void on_given(struct pacing *p, struct op *op, redisReply *reply)
{
    struct give *g = op->give;

    free(op);
    g->sent = false;
    if (!pacing_is_good(p, reply) || reply->type != REDIS_REPLY_INTEGER)
        return;
    if (reply->integer == 0) {
        g->done = true;
        forget_done_gives(p);
    } else if (p->state == READY) {
        pacing_ask_rebuild(p);
    }
}

static void send_give(struct pacing *p, struct give *g)
{
    char boot[KEY_MAX], held[KEY_MAX], id[UUID_TEXT_MAX];
    struct op *op = xcalloc(1, sizeof(*op));

    op->answer = on_given;
    op->give = g;
    const char *argv[] = {"EVALSHA",
                          p->sha[GIVE],
                          "2",
                          key(p, "boot", boot),
                          key(p, "held", held),
                          p->run_id,
                          uuid_text(&g->attempt, id)};
    g->sent = pacing_send(p, op, (int)ARRAY_LEN(argv), argv);
    if (!g->sent)
        free(op);
}

void pacing_send_gives(struct pacing *p)
{
    for (struct give *g = p->gives; g && p->state == READY && p->ac; g = g->next)
        if (!g->sent && !g->done)
            send_give(p, g);
}

void pacing_give(struct pacing *p, const struct uuid *attempt)
{
    struct give *g = xcalloc(1, sizeof(*g));

    g->attempt = *attempt;
    g->next = p->gives;
    p->gives = g;
    if (p->state == READY)
        send_give(p, g);
}

/* ---- the health of trunks ---- */

static struct sick *find_sick(const struct pacing *p, int64_t trunk_id)
{
    for (struct sick *k = p->sick; k; k = k->next)
        if (k->trunk_id == trunk_id)
            return k;
    return NULL;
}

int pacing_percent(const struct pacing *p, int64_t trunk_id)
{
    const struct sick *k = find_sick(p, trunk_id);

    return k ? k->percent : 100;
}

bool pacing_holds(const struct pacing *p, int64_t trunk_id)
{
    const struct sick *k = find_sick(p, trunk_id);

    return k && k->held && mono_ms() < k->held_until_ms;
}

static void say_health(const struct sick *k, int percent, bool held)
{
    if (held && !k->held)
        log_warn("pacing", "trunk=%" PRId64 " state=held it refuses every call",
                 k->trunk_id);
    else if (!held && percent < k->percent)
        log_warn("pacing", "trunk=%" PRId64 " state=slowed percent=%d", k->trunk_id,
                 percent);
    else if (!held && percent == 100 && (k->percent < 100 || k->held))
        log_info("pacing", "trunk=%" PRId64 " state=full-speed", k->trunk_id);
}

/* hold_ms: until its breaker lets one try; 0: one may. sure: it was not heard that it
 * took a call, so it is not forgotten at full speed and its breaker not called closed. */
static void heard_health(struct pacing *p, int64_t trunk_id, int percent, int64_t hold_ms,
                         bool sure)
{
    struct sick *k = find_sick(p, trunk_id);
    bool held = hold_ms > 0 || (sure && k && k->held);

    if (!k && percent == 100 && !held && !sure)
        return;
    if (!k) {
        k = xcalloc(1, sizeof(*k));
        k->trunk_id = trunk_id;
        k->percent = 100;
        k->next = p->sick;
        p->sick = k;
    }
    say_health(k, percent, held);
    k->percent = percent < 1 ? 1 : percent;
    k->held = held;
    k->held_until_ms = mono_ms() + hold_ms;
    if (sure || percent < 100 || held)
        return;
    for (struct sick **at = &p->sick; *at; at = &(*at)->next)
        if (*at == k) {
            *at = k->next;
            free(k);
            return;
        }
}

static bool begins_with_numbers(const redisReply *reply, size_t n)
{
    bool all = reply && reply->type == REDIS_REPLY_ARRAY && reply->elements >= n;

    for (size_t i = 0; all && i < n; i++)
        all = reply->element[i]->type == REDIS_REPLY_INTEGER;
    return all;
}

static void on_told(struct pacing *p, struct op *op, redisReply *reply)
{
    if (pacing_is_good(p, reply) && begins_with_numbers(reply, 3) && reply->elements == 3)
        heard_health(p, op->trunk_id, (int)reply->element[0]->integer,
                     reply->element[1]->integer, reply->element[2]->integer > 0);
    free(op);
}

/* What is told while Redis is away is lost: no calls go out then either. */
void pacing_told(struct pacing *p, int64_t trunk_id, enum pacing_word word)
{
    static const char *const words[] = {[PACING_TOOK_CALL] = "ok",
                                        [PACING_CONGESTED] = "congested",
                                        [PACING_REFUSED] = "failed"};
    char health[KEY_MAX];

    if (p->state != READY || !p->ac ||
        (word == PACING_TOOK_CALL && !find_sick(p, trunk_id)))
        return;
    struct op *op = xcalloc(1, sizeof(*op));
    op->answer = on_told;
    op->trunk_id = trunk_id;
    const char *argv[] = {"EVALSHA", p->sha[TOLD], "1",
                          bucket_key(p, PACING_TRUNK, trunk_id, "health", health),
                          words[word]};
    if (!pacing_send(p, op, (int)ARRAY_LEN(argv), argv))
        free(op);
}

/* ---- take ---- */

enum answer { GO, WAIT, FULL, REBUILD_FIRST, BREAKER };

/* Three numbers and the turn. */
static bool is_take(const redisReply *reply)
{
    return begins_with_numbers(reply, 3) && reply->elements == 4 &&
           reply->element[0]->integer >= GO && reply->element[0]->integer <= BREAKER &&
           reply->element[3]->type == REDIS_REPLY_STRING &&
           reply->element[3]->len < TURN_MAX;
}

static void on_taken(struct pacing *p, struct op *op, redisReply *reply)
{
    static const enum pacing_result results[] = {[GO] = PACING_GO,
                                                 [WAIT] = PACING_WAIT,
                                                 [FULL] = PACING_FULL,
                                                 [REBUILD_FIRST] = PACING_AWAY,
                                                 [BREAKER] = PACING_HELD};
    bool good = pacing_is_good(p, reply) && is_take(reply);
    enum answer code = good ? (enum answer)reply->element[0]->integer : REBUILD_FIRST;
    long long wait = good ? reply->element[1]->integer : 0;
    int64_t retry_ms = AWAY_RETRY_MS, due_us = 0;

    if (!good) {
        pacing_give(p, &op->attempt); /* it may have been taken */
    } else if (code == REBUILD_FIRST) {
        if (p->state == READY)
            pacing_ask_rebuild(p);
    } else {
        /* Below zero: real ms, after a rebuild or while the breaker is open. */
        str_cut(op->turn, sizeof(op->turn), reply->element[3]->str);
        if (code == GO)
            due_us = mono_us() + (int64_t)((double)wait / p->business_per_real);
        else
            retry_ms = wait < 0 ? -wait : clock_real_delay_ms(wait);
        if (code != FULL)
            heard_health(p, op->trunk_id, (int)reply->element[2]->integer,
                         code == BREAKER ? retry_ms : 0,
                         find_sick(p, op->trunk_id) != NULL);
    }
    answer_at(p, op, results[code], retry_ms, due_us);
}

enum {
    TAKE_FIXED_KEYS = 4,
    TAKE_ARGS = 3 + TAKE_FIXED_KEYS + 2 * PACING_KINDS + 5 + 2 * PACING_KINDS,
    NUMBER_TEXT = 32,
};

struct take_words {
    char fixed[TAKE_FIXED_KEYS][KEY_MAX], keys[2 * PACING_KINDS][KEY_MAX];
    char numbers[2 * PACING_KINDS][NUMBER_TEXT];
    char count[16], id[UUID_TEXT_MAX], now[24], tolerance[NUMBER_TEXT];
    const char *argv[TAKE_ARGS];
};

static int write_take(const struct pacing *p, const struct op *op, struct take_words *w)
{
    const struct pacing_ask *ask = &op->ask;
    int n = 0, buckets = 0;

    w->argv[n++] = "EVALSHA";
    w->argv[n++] = p->sha[TAKE];
    w->argv[n++] = w->count;
    w->argv[n++] = key(p, "boot", w->fixed[0]);
    w->argv[n++] = key(p, "index", w->fixed[1]);
    w->argv[n++] = key(p, "held", w->fixed[2]);
    w->argv[n++] =
        bucket_key(p, PACING_TRUNK, ask->at[PACING_TRUNK].id, "health", w->fixed[3]);
    for (int k = 0; k < PACING_KINDS; k++) {
        const struct pacing_bucket *b = &ask->at[k];
        if (!b->id)
            continue;
        char(*keys)[KEY_MAX] = &w->keys[2 * buckets];
        char(*numbers)[NUMBER_TEXT] = &w->numbers[2 * buckets];
        w->argv[n++] = bucket_key(p, (enum pacing_kind)k, b->id, "tat", keys[0]);
        w->argv[n++] = bucket_key(p, (enum pacing_kind)k, b->id, "slots", keys[1]);
        snprintf(numbers[0], NUMBER_TEXT, "%.6f", b->cps > 0 ? 1000.0 / b->cps : 0.0);
        snprintf(numbers[1], NUMBER_TEXT, "%d", b->max_concurrent);
        buckets++;
    }
    snprintf(w->count, sizeof(w->count), "%d", TAKE_FIXED_KEYS + 2 * buckets);
    if (clock_is_virtual())
        snprintf(w->now, sizeof(w->now), "%" PRId64, clock_now_ms());
    snprintf(w->tolerance, sizeof(w->tolerance), "%.3f",
             TOLERANCE_MS * p->business_per_real);
    w->argv[n++] = p->run_id;
    w->argv[n++] = uuid_text(&ask->attempt, w->id);
    w->argv[n++] = w->now;
    w->argv[n++] = w->tolerance;
    w->argv[n++] = !op->late ? "" : op->turn[0] ? op->turn : "late";
    for (int i = 0; i < 2 * buckets; i++)
        w->argv[n++] = w->numbers[i];
    return n;
}

static void take(struct pacing *p, struct op *op)
{
    struct take_words w = {0};

    if (p->state != READY || !p->ac || !pacing_send(p, op, write_take(p, op, &w), w.argv))
        answer_later(p, op, PACING_AWAY, AWAY_RETRY_MS);
}

/* False: it has been late often enough, and begins anew; op is answered. */
static bool ask_again(struct pacing *p, struct op *op)
{
    op->due_us = 0;
    if (++op->late < LATE_MAX && p->state == READY && p->ac) {
        take(p, op);
        return true;
    }
    pacing_give(p, &op->attempt);
    op->result = PACING_WAIT;
    op->retry_ms = 1;
    return false;
}

void pacing_take(struct pacing *p, const struct pacing_ask *ask, pacing_done_fn *done,
                 void *arg)
{
    struct op *op = xcalloc(1, sizeof(*op));

    op->answer = on_taken;
    op->attempt = ask->attempt;
    op->ask = *ask;
    op->trunk_id = ask->at[PACING_TRUNK].id;
    op->done = done;
    op->arg = arg;
    take(p, op);
}

/* ---- rebuild ---- */

static void on_rebuilt(struct pacing *p, struct op *op, redisReply *reply)
{
    bool good = pacing_is_good(p, reply);

    free(op);
    if (good && p->state == REBUILD)
        pacing_set_ready(p);
}

static void buckets_text(const struct pacing_ask *ask, char *out, size_t size)
{
    size_t len = 0;

    out[0] = '\0';
    for (int k = 0; k < PACING_KINDS; k++)
        if (ask->at[k].id)
            len += (size_t)snprintf(out + len, size - len, "%s%c:%" PRId64,
                                    len > 0 ? " " : "", kind_letters[k], ask->at[k].id);
}

void pacing_rebuilt(struct pacing *p, const struct pacing_ask *open, size_t n)
{
    enum { FIXED = 8, TEXT = PACING_KINDS * 24 };

    if (p->state != REBUILD || !p->ac)
        return;
    char boot[KEY_MAX], index[KEY_MAX], held[KEY_MAX];
    size_t argc = FIXED + 2 * n;
    const char **argv = xcalloc(argc, sizeof(*argv));
    char(*ids)[UUID_TEXT_MAX] = xcalloc(n + 1, sizeof(*ids));
    char(*texts)[TEXT] = xcalloc(n + 1, sizeof(*texts));
    struct op *op = xcalloc(1, sizeof(*op));

    const char *fixed[FIXED] = {"EVALSHA",
                                p->sha[SLOTS],
                                "3",
                                key(p, "boot", boot),
                                key(p, "index", index),
                                key(p, "held", held),
                                p->run_id,
                                p->prefix};
    memcpy(argv, fixed, sizeof(fixed));
    for (size_t i = 0; i < n; i++) {
        buckets_text(&open[i], texts[i], TEXT);
        argv[FIXED + 2 * i] = uuid_text(&open[i].attempt, ids[i]);
        argv[FIXED + 2 * i + 1] = texts[i];
    }
    op->answer = on_rebuilt;
    if (!pacing_send(p, op, (int)argc, argv))
        free(op);
    free(texts);
    free(ids);
    free(argv);
}

/* ---- begin and end ---- */

bool pacing_is_ready(const struct pacing *p)
{
    return p->state == READY;
}

int pacing_new(struct pacing **out, uv_loop_t *loop, const char *redis_url,
               const char *installation, pacing_rebuild_fn *rebuild, void *arg,
               struct errtext *e)
{
    const int64_t long_ms = INT64_C(1000000000);
    struct redis_address address = {0};

    int err = redis_address_parse(redis_url, &address, e);
    if (err)
        return err;
    struct pacing *p = xcalloc(1, sizeof(*p));
    p->loop = loop;
    p->address = address;
    snprintf(p->prefix, sizeof(p->prefix), "furrow:%s:pace:", installation);
    p->rebuild = rebuild;
    p->arg = arg;
    p->flight.tail = &p->flight.head;
    p->later.tail = &p->later.head;
    p->business_per_real = (double)long_ms / (double)clock_real_delay_ms(long_ms);
    p->open_handles = 2;
    uv_timer_init(loop, &p->tick);
    uv_timer_init(loop, &p->soon);
    p->tick.data = p->soon.data = p;
    uv_timer_start(&p->tick, pacing_on_tick, 0, TICK_MS);
    *out = p;
    return 0;
}

static void on_handle_closed(uv_handle_t *h)
{
    struct pacing *p = h->data;

    if (--p->open_handles == 0)
        free(p);
}

/* Gives that were not confirmed are lost with us: the slots are then rebuilt or age. */
void pacing_close(struct pacing *p)
{
    if (!p)
        return;
    p->closing = true;
    if (p->ac)
        pacing_drop(p, "closing");
    on_soon(&p->soon);
    for (struct give *g = p->gives, *next; g; g = next) {
        next = g->next;
        free(g);
    }
    p->gives = NULL;
    for (struct sick *k = p->sick, *next; k; k = next) {
        next = k->next;
        free(k);
    }
    p->sick = NULL;
    uv_close((uv_handle_t *)&p->tick, on_handle_closed);
    uv_close((uv_handle_t *)&p->soon, on_handle_closed);
}
