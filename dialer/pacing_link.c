/*
 * The connection to Redis. States: AWAY (none; tried again with back-off), SETUP
 * (connected; run_id and scripts), REBUILD (the boot key is missing: the owner was asked
 * for the open attempts), READY. Only READY takes tokens.
 *
 * Every command is an op in one FIFO with its own deadline, since hiredis has none; an op
 * past it means that Redis is away: the connection is dropped and everything in flight
 * answers so.
 */
#include "dialer/pacing_inside.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <hiredis/adapters/libuv.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "base/xalloc.h"

extern const char pacing_take_lua[], pacing_give_lua[], pacing_rebuild_lua[],
    pacing_told_lua[], pacing_reclaim_lua[];

void pacing_list_add(struct op_list *l, struct op *op)
{
    op->next = NULL;
    *l->tail = op;
    l->tail = &op->next;
}

struct op *pacing_list_take(struct op_list *l)
{
    struct op *op = l->head;

    if (op && !(l->head = op->next))
        l->tail = &l->head;
    return op;
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

void pacing_drop(struct pacing *p, const char *why)
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
    pacing_list_take(&p->flight);
    op->answer(p, op, reply);
}

bool pacing_send(struct pacing *p, struct op *op, int argc, const char **argv)
{
    op->pacing = p;
    op->deadline_ms = mono_ms() + COMMAND_MS;
    if (!p->ac ||
        redisAsyncCommandArgv(p->ac, on_reply, op, argc, argv, NULL) != REDIS_OK)
        return false;
    pacing_list_add(&p->flight, op);
    return true;
}

/* True when the reply is of use; else the connection has been given up. */
bool pacing_is_good(struct pacing *p, const redisReply *reply)
{
    if (reply && reply->type != REDIS_REPLY_ERROR)
        return true;
    /* A replica's data are another's, and so is what its boot key says. */
    if (reply && strstr(reply->str, "READONLY"))
        p->doubted = true;
    if (reply && p->ac)
        pacing_drop(p, reply->str);
    return false;
}

void pacing_set_ready(struct pacing *p)
{
    p->state = READY;
    p->backoff_ms = 0;
    if (!p->ready_logged)
        log_info("pacing", "state=ready run_id=%.8s", p->run_id);
    p->ready_logged = true;
    p->away_logged = false;
    pacing_send_gives(p);
}

void pacing_ask_rebuild(struct pacing *p)
{
    if (p->state != REBUILD)
        log_info("pacing", "state=rebuilding the slots from the open attempts");
    p->state = REBUILD;
    p->ready_logged = false;
    p->rebuild_at_ms = mono_ms(); /* the next tick asks */
}

static void on_forgotten(struct pacing *p, struct op *op, redisReply *reply)
{
    bool good = pacing_is_good(p, reply);

    free(op);
    if (!good)
        return;
    p->doubted = false;
    pacing_ask_rebuild(p);
}

/* Then nobody takes a token until the slots are rebuilt. */
static void forget_boot(struct pacing *p)
{
    char boot[KEY_MAX];
    struct op *op = xcalloc(1, sizeof(*op));

    op->answer = on_forgotten;
    snprintf(boot, sizeof(boot), "%sboot", p->prefix);
    if (!pacing_send(p, op, 2, (const char *[]){"DEL", boot}))
        free(op);
}

static void on_boot(struct pacing *p, struct op *op, redisReply *reply)
{
    bool good = pacing_is_good(p, reply);

    free(op);
    if (!good)
        return;
    size_t len = strlen(p->run_id);
    if (p->doubted)
        forget_boot(p);
    else if (reply->type == REDIS_REPLY_STRING &&
             strncmp(reply->str, p->run_id, len) == 0 && reply->str[len] == ' ')
        pacing_set_ready(p);
    else
        pacing_ask_rebuild(p);
}

static void on_script(struct pacing *p, struct op *op, redisReply *reply)
{
    if (pacing_is_good(p, reply) && reply->type == REDIS_REPLY_STRING)
        str_cut(p->sha[op->script], SHA_MAX, reply->str);
    free(op);
}

static void on_info(struct pacing *p, struct op *op, redisReply *reply)
{
    free(op);
    if (!pacing_is_good(p, reply) || reply->type != REDIS_REPLY_STRING)
        return;
    const char *at = strstr(reply->str, "run_id:");
    if (!at || sscanf(at, "run_id:%63s", p->run_id) != 1)
        pacing_drop(p, "INFO has no run_id");
}

static void on_plain(struct pacing *p, struct op *op, redisReply *reply)
{
    bool good = pacing_is_good(p, reply);

    (void)good;
    free(op);
}

static void set_up_send(struct pacing *p, int argc, const char **argv,
                        void (*answer)(struct pacing *, struct op *, redisReply *),
                        int script)
{
    struct op *op = xcalloc(1, sizeof(*op));

    op->answer = answer;
    op->script = script;
    if (!pacing_send(p, op, argc, argv))
        free(op);
}

static void set_up(struct pacing *p)
{
    const char *scripts[SCRIPTS] = {pacing_take_lua, pacing_give_lua, pacing_rebuild_lua,
                                    pacing_told_lua, pacing_reclaim_lua};
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

void pacing_on_tick(uv_timer_t *timer)
{
    struct pacing *p = timer->data;
    int64_t now = mono_ms();

    if (p->flight.head && now >= p->flight.head->deadline_ms)
        pacing_drop(p, "no answer in time");
    if (!p->ac && now >= p->connect_at_ms)
        connect_now(p);
    if (p->state == REBUILD && now >= p->rebuild_at_ms) {
        p->rebuild_at_ms = now + REBUILD_AGAIN_MS;
        p->rebuild(p->arg);
    }
    if (p->state == READY)
        pacing_send_gives(p);
}
