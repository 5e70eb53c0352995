/*
 * States: AWAY (no connection; tried again with back-off), SETUP (connected; run_id and
 * scripts), REBUILD (the boot key is missing: the owner was asked for the open
 * attempts), READY. Only READY takes tokens.
 *
 * Every command is an op in one FIFO with its own deadline, since hiredis has none;
 * an op past it means that Redis is away: the connection is dropped and everything in
 * flight answers so. A take that was lost may have taken: its slots are given back.
 * A give is kept until Redis has confirmed it, over reconnects too.
 */
#include "dialer/pacing.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <hiredis/adapters/libuv.h>
#include <hiredis/async.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/redis.h"
#include "base/str.h"
#include "base/xalloc.h"

extern const char pacing_take_lua[], pacing_give_lua[], pacing_rebuild_lua[];

enum {
    COMMAND_MS = 1000, /* Redis answers within this or is away */
    TICK_MS = 50,
    BACKOFF_MIN_MS = 100,
    BACKOFF_MAX_MS = 2000,
    REBUILD_AGAIN_MS = 2000, /* the owner is asked again when it has not answered */
    AWAY_RETRY_MS = 250,
    TOLERANCE_MS = 20, /* real: how late a token may be taken without losing it */
    KEY_MAX = 96,
    SHA_MAX = 41,
};

enum state { AWAY, SETUP, REBUILD, READY };

enum script { TAKE, GIVE, SLOTS, SCRIPTS };

struct give {
    struct give *next;
    struct pacing_ask ask;
    bool sent, done;
};

enum op_kind { OP_SETUP, OP_TAKE, OP_GIVE, OP_REBUILD };

struct op {
    struct op *next;
    struct pacing *pacing;
    enum op_kind kind;
    int64_t deadline_ms;                                                /* monotonic */
    void (*answer)(struct pacing *p, struct op *op, redisReply *reply); /* NULL: lost */
    /* OP_TAKE: */
    struct pacing_ask ask;
    pacing_done_fn *done;
    void *arg;
    enum pacing_result result;
    int64_t retry_ms;
    /* OP_GIVE: */
    struct give *give;
    int script; /* OP_SETUP: which one was loaded */
};

struct op_list {
    struct op *head, **tail;
};

struct pacing {
    uv_loop_t *loop;
    struct redis_address address;
    char prefix[48];
    pacing_rebuild_fn *rebuild;
    void *arg;
    redisAsyncContext *ac; /* NULL: no connection */
    enum state state;
    bool closing, ready_logged, away_logged;
    char run_id[64];
    char sha[SCRIPTS][SHA_MAX];
    struct op_list flight, later; /* later: answered when the loop turns */
    struct give *gives;
    uv_timer_t tick, soon;
    int open_handles;
    int64_t connect_at_ms, rebuild_at_ms; /* monotonic */
    int backoff_ms;
    double business_per_real;
};

static void list_add(struct op_list *l, struct op *op)
{
    op->next = NULL;
    *l->tail = op;
    l->tail = &op->next;
}

static struct op *list_take(struct op_list *l)
{
    struct op *op = l->head;

    if (op && !(l->head = op->next))
        l->tail = &l->head;
    return op;
}

/* ---- answers that come later ---- */

static void on_soon(uv_timer_t *timer)
{
    struct pacing *p = timer->data;
    struct op_list due = p->later;

    if (!due.head)
        return;
    *due.tail = NULL;
    p->later.head = NULL;
    p->later.tail = &p->later.head;
    for (struct op *op = due.head, *next; op; op = next) {
        next = op->next;
        op->done(op->result, op->retry_ms, op->arg);
        free(op);
    }
}

static void answer_later(struct pacing *p, struct op *op, enum pacing_result result,
                         int64_t retry_ms)
{
    op->result = result;
    op->retry_ms = retry_ms;
    list_add(&p->later, op);
    if (!p->closing)
        uv_timer_start(&p->soon, on_soon, 0, 0);
}

/* ---- connection ---- */

static void schedule_connect(struct pacing *p)
{
    p->backoff_ms = p->backoff_ms ? p->backoff_ms * 2 : BACKOFF_MIN_MS;
    if (p->backoff_ms > BACKOFF_MAX_MS)
        p->backoff_ms = BACKOFF_MAX_MS;
    p->connect_at_ms = mono_ms() + p->backoff_ms;
}

/* The connection is gone or of no use. */
static void set_away(struct pacing *p, const char *why)
{
    if (!p->away_logged && !p->closing) {
        log_warn("pacing", "state=away why=%s no calls go out", LOG_ESC(why));
        p->away_logged = true;
        p->ready_logged = false;
    }
    p->state = AWAY;
    for (struct give *g = p->gives; g; g = g->next)
        g->sent = false;
    schedule_connect(p);
}

static void drop(struct pacing *p, const char *why)
{
    redisAsyncContext *ac = p->ac;

    p->ac = NULL;
    set_away(p, why);
    if (ac)
        redisAsyncFree(ac); /* answers every op in flight with NULL */
}

static void on_reply(redisAsyncContext *ac, void *reply, void *arg)
{
    struct op *op = arg;
    struct pacing *p = op->pacing;

    (void)ac;
    /* Answers come in the order of the commands, also when all are lost. */
    list_take(&p->flight);
    op->answer(p, op, reply);
}

static bool send_argv(struct pacing *p, struct op *op, int argc, const char **argv)
{
    op->pacing = p;
    op->deadline_ms = mono_ms() + COMMAND_MS;
    if (!p->ac ||
        redisAsyncCommandArgv(p->ac, on_reply, op, argc, argv, NULL) != REDIS_OK)
        return false;
    list_add(&p->flight, op);
    return true;
}

/* True when the reply is of use; else the connection has been given up. */
static bool is_good(struct pacing *p, const redisReply *reply)
{
    if (reply && reply->type != REDIS_REPLY_ERROR)
        return true;
    if (reply && p->ac)
        drop(p, reply->str);
    return false;
}

static void send_gives(struct pacing *p);

static void set_ready(struct pacing *p)
{
    p->state = READY;
    p->backoff_ms = 0;
    if (!p->ready_logged)
        log_info("pacing", "state=ready run_id=%.8s", p->run_id);
    p->ready_logged = true;
    p->away_logged = false;
    send_gives(p);
}

static void ask_rebuild(struct pacing *p)
{
    if (p->state != REBUILD)
        log_info("pacing", "state=rebuilding the slots from the open attempts");
    p->state = REBUILD;
    p->ready_logged = false;
    p->rebuild_at_ms = mono_ms(); /* the next tick asks */
}

static void on_boot(struct pacing *p, struct op *op, redisReply *reply)
{
    bool good = is_good(p, reply);

    free(op);
    if (!good)
        return;
    size_t len = strlen(p->run_id);
    if (reply->type == REDIS_REPLY_STRING && strncmp(reply->str, p->run_id, len) == 0 &&
        reply->str[len] == ' ')
        set_ready(p);
    else
        ask_rebuild(p);
}

static void on_script(struct pacing *p, struct op *op, redisReply *reply)
{
    if (is_good(p, reply) && reply->type == REDIS_REPLY_STRING)
        str_cut(p->sha[op->script], SHA_MAX, reply->str);
    free(op);
}

static void on_info(struct pacing *p, struct op *op, redisReply *reply)
{
    free(op);
    if (!is_good(p, reply) || reply->type != REDIS_REPLY_STRING)
        return;
    const char *at = strstr(reply->str, "run_id:");
    if (!at || sscanf(at, "run_id:%63s", p->run_id) != 1)
        drop(p, "INFO has no run_id");
}

static void on_plain(struct pacing *p, struct op *op, redisReply *reply)
{
    bool good = is_good(p, reply);

    (void)good;
    free(op);
}

static void set_up_send(struct pacing *p, int argc, const char **argv,
                        void (*answer)(struct pacing *, struct op *, redisReply *),
                        int script)
{
    struct op *op = xcalloc(1, sizeof(*op));

    op->kind = OP_SETUP;
    op->answer = answer;
    op->script = script;
    if (!send_argv(p, op, argc, argv))
        free(op);
}

static void set_up(struct pacing *p)
{
    const char *scripts[SCRIPTS] = {pacing_take_lua, pacing_give_lua, pacing_rebuild_lua};
    char db[16], boot[KEY_MAX];

    p->state = SETUP;
    if (p->address.password[0])
        set_up_send(p, 2, (const char *[]){"AUTH", p->address.password}, on_plain, 0);
    snprintf(db, sizeof(db), "%d", p->address.db);
    set_up_send(p, 2, (const char *[]){"SELECT", db}, on_plain, 0);
    set_up_send(p, 2, (const char *[]){"INFO", "server"}, on_info, 0);
    for (int i = 0; i < SCRIPTS; i++)
        set_up_send(p, 3, (const char *[]){"SCRIPT", "LOAD", scripts[i]}, on_script, i);
    snprintf(boot, sizeof(boot), "%sboot", p->prefix);
    set_up_send(p, 2, (const char *[]){"GET", boot}, on_boot, 0);
}

/* hiredis frees the context itself after either of these two. */
static void on_connect(const redisAsyncContext *ac, int status)
{
    struct pacing *p = ac->data;

    if (p->ac == ac && status != REDIS_OK) {
        p->ac = NULL;
        set_away(p, ac->errstr);
    }
}

static void on_disconnect(const redisAsyncContext *ac, int status)
{
    struct pacing *p = ac->data;

    (void)status;
    if (p->ac == ac) {
        p->ac = NULL;
        set_away(p, ac->errstr && *ac->errstr ? ac->errstr : "connection closed");
    }
}

static void connect_now(struct pacing *p)
{
    const struct redis_address *a = &p->address;
    redisAsyncContext *ac =
        a->path[0] ? redisAsyncConnectUnix(a->path) : redisAsyncConnect(a->host, a->port);

    if (!ac || ac->err || redisLibuvAttach(ac, p->loop) != REDIS_OK) {
        set_away(p, ac && ac->errstr ? ac->errstr : "cannot connect");
        if (ac)
            redisAsyncFree(ac);
        return;
    }
    ac->data = p;
    p->ac = ac;
    redisAsyncSetConnectCallback(ac, on_connect);
    redisAsyncSetDisconnectCallback(ac, on_disconnect);
    set_up(p);
}

static void on_tick(uv_timer_t *timer)
{
    struct pacing *p = timer->data;
    int64_t now = mono_ms();

    if (p->flight.head && now >= p->flight.head->deadline_ms)
        drop(p, "no answer in time");
    if (!p->ac && now >= p->connect_at_ms)
        connect_now(p);
    if (p->state == REBUILD && now >= p->rebuild_at_ms) {
        p->rebuild_at_ms = now + REBUILD_AGAIN_MS;
        p->rebuild(p->arg);
    }
    if (p->state == READY)
        send_gives(p);
}

/* ---- give ---- */

static void key_of(const struct pacing *p, char kind, int64_t id, const char *what,
                   char out[KEY_MAX])
{
    snprintf(out, KEY_MAX, "%s%c:%" PRId64 ":%s", p->prefix, kind, id, what);
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
    if (!is_good(p, reply) || reply->type != REDIS_REPLY_INTEGER)
        return;
    if (reply->integer == 0) {
        g->done = true;
        forget_done_gives(p);
    } else if (p->state == READY) {
        ask_rebuild(p);
    }
}

static void send_give(struct pacing *p, struct give *g)
{
    char boot[KEY_MAX], trunk[KEY_MAX], campaign[KEY_MAX], id[UUID_TEXT_MAX];
    struct op *op = xcalloc(1, sizeof(*op));

    op->kind = OP_GIVE;
    op->answer = on_given;
    op->give = g;
    snprintf(boot, sizeof(boot), "%sboot", p->prefix);
    key_of(p, 't', g->ask.trunk.id, "slots", trunk);
    key_of(p, 'c', g->ask.campaign.id, "slots", campaign);
    const char *argv[] = {
        "EVALSHA", p->sha[GIVE], "3",       boot,
        trunk,     campaign,     p->run_id, uuid_text(&g->ask.attempt, id)};
    g->sent = send_argv(p, op, (int)ARRAY_LEN(argv), argv);
    if (!g->sent)
        free(op);
}

static void send_gives(struct pacing *p)
{
    for (struct give *g = p->gives; g && p->state == READY && p->ac; g = g->next)
        if (!g->sent && !g->done)
            send_give(p, g);
}

void pacing_give(struct pacing *p, const struct pacing_ask *ask)
{
    struct give *g = xcalloc(1, sizeof(*g));

    g->ask = *ask;
    g->next = p->gives;
    p->gives = g;
    if (p->state == READY)
        send_give(p, g);
}

/* ---- take ---- */

static void on_taken(struct pacing *p, struct op *op, redisReply *reply)
{
    bool good = is_good(p, reply) && reply->type == REDIS_REPLY_ARRAY &&
                reply->elements == 2 && reply->element[0]->type == REDIS_REPLY_INTEGER &&
                reply->element[1]->type == REDIS_REPLY_INTEGER;
    long long code = good ? reply->element[0]->integer : 3;
    long long wait = good ? reply->element[1]->integer : 0;
    enum pacing_result result = PACING_AWAY;
    int64_t retry_ms = AWAY_RETRY_MS;

    if (!good) {
        pacing_give(p, &op->ask); /* it may have been taken */
    } else if (code == 3) {
        if (p->state == READY)
            ask_rebuild(p);
    } else {
        result = code == 0 ? PACING_GO : code == 1 ? PACING_WAIT : PACING_FULL;
        /* Below zero: real ms until the first token after a rebuild. */
        retry_ms = wait < 0 ? -wait : clock_real_delay_ms(wait);
    }
    answer_later(p, op, result, retry_ms);
}

static const char *interval_text(double cps, char out[32])
{
    snprintf(out, 32, "%.6f", cps > 0 ? 1000.0 / cps : 0.0);
    return out;
}

void pacing_take(struct pacing *p, const struct pacing_ask *ask, pacing_done_fn *done,
                 void *arg)
{
    char keys[6][KEY_MAX], id[UUID_TEXT_MAX], now[24] = "", tolerance[32];
    char trunk_ms[32], campaign_ms[32], trunk_max[16], campaign_max[16];
    struct op *op = xcalloc(1, sizeof(*op));

    op->kind = OP_TAKE;
    op->answer = on_taken;
    op->ask = *ask;
    op->done = done;
    op->arg = arg;
    if (p->state != READY || !p->ac) {
        answer_later(p, op, PACING_AWAY, AWAY_RETRY_MS);
        return;
    }
    snprintf(keys[0], KEY_MAX, "%sboot", p->prefix);
    snprintf(keys[1], KEY_MAX, "%sindex", p->prefix);
    key_of(p, 't', ask->trunk.id, "tat", keys[2]);
    key_of(p, 't', ask->trunk.id, "slots", keys[3]);
    key_of(p, 'c', ask->campaign.id, "tat", keys[4]);
    key_of(p, 'c', ask->campaign.id, "slots", keys[5]);
    if (clock_is_virtual())
        snprintf(now, sizeof(now), "%" PRId64, clock_now_ms());
    snprintf(tolerance, sizeof(tolerance), "%.3f", TOLERANCE_MS * p->business_per_real);
    snprintf(trunk_max, sizeof(trunk_max), "%d", ask->trunk.max_concurrent);
    snprintf(campaign_max, sizeof(campaign_max), "%d", ask->campaign.max_concurrent);
    const char *argv[] = {"EVALSHA",
                          p->sha[TAKE],
                          "6",
                          keys[0],
                          keys[1],
                          keys[2],
                          keys[3],
                          keys[4],
                          keys[5],
                          p->run_id,
                          uuid_text(&ask->attempt, id),
                          now,
                          tolerance,
                          interval_text(ask->trunk.cps, trunk_ms),
                          trunk_max,
                          interval_text(ask->campaign.cps, campaign_ms),
                          campaign_max};
    if (!send_argv(p, op, (int)ARRAY_LEN(argv), argv))
        answer_later(p, op, PACING_AWAY, AWAY_RETRY_MS);
}

/* ---- rebuild ---- */

static void on_rebuilt(struct pacing *p, struct op *op, redisReply *reply)
{
    bool good = is_good(p, reply);

    free(op);
    if (good && p->state == REBUILD)
        set_ready(p);
}

void pacing_rebuilt(struct pacing *p, const struct pacing_ask *open, size_t n)
{
    enum { FIXED = 7, TEXT = 24 };

    if (p->state != REBUILD || !p->ac)
        return;
    char boot[KEY_MAX], index[KEY_MAX];
    size_t argc = FIXED + 3 * n;
    const char **argv = xcalloc(argc, sizeof(*argv));
    char(*ids)[UUID_TEXT_MAX] = xcalloc(n + 1, sizeof(*ids));
    char(*texts)[TEXT] = xcalloc(2 * n + 1, sizeof(*texts));
    struct op *op = xcalloc(1, sizeof(*op));

    snprintf(boot, sizeof(boot), "%sboot", p->prefix);
    snprintf(index, sizeof(index), "%sindex", p->prefix);
    const char *fixed[FIXED] = {"EVALSHA", p->sha[SLOTS], "2",      boot,
                                index,     p->run_id,     p->prefix};
    memcpy(argv, fixed, sizeof(fixed));
    for (size_t i = 0; i < n; i++) {
        snprintf(texts[2 * i], TEXT, "%" PRId64, open[i].trunk.id);
        snprintf(texts[2 * i + 1], TEXT, "%" PRId64, open[i].campaign.id);
        argv[FIXED + 3 * i] = texts[2 * i];
        argv[FIXED + 3 * i + 1] = texts[2 * i + 1];
        argv[FIXED + 3 * i + 2] = uuid_text(&open[i].attempt, ids[i]);
    }
    op->kind = OP_REBUILD;
    op->answer = on_rebuilt;
    if (!send_argv(p, op, (int)argc, argv))
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
    uv_timer_start(&p->tick, on_tick, 0, TICK_MS);
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
        drop(p, "closing");
    on_soon(&p->soon);
    for (struct give *g = p->gives, *next; g; g = next) {
        next = g->next;
        free(g);
    }
    p->gives = NULL;
    uv_close((uv_handle_t *)&p->tick, on_handle_closed);
    uv_close((uv_handle_t *)&p->soon, on_handle_closed);
}
