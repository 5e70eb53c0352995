/*
 * The Redis side of the queue. Stream furrow:<installation>:jobs:<kind>, group
 * `workers`, one consumer per worker; an entry is {v 1, id, tenant}. Entries are
 * deleted when acknowledged, so a stream's length is what is under way.
 */
#include "workers/queue.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/xalloc.h"
#include "workers/queue_internal.h"

enum { CLAIM_EVERY_MS = 5000, REDIS_RETRY_MS = 1000 };

static const char group_name[] = "workers";

static void say_away(struct queue *q, const char *why)
{
    if (!q->degraded)
        log_warn("queue", "redis is away (%s); jobs come straight from Postgres", why);
    q->degraded = true;
}

/* Another Redis process may hold yesterday's data, its groups too: what was sent to the
 * one before counts as lost. Entries that a worker took yesterday are old enough to be
 * claimed at once. */
static int know_server(struct queue *q)
{
    char run_id[REDIS_RUN_ID_MAX] = "";

    if (redis_connects(q->redis) == q->connects)
        return 0;
    unsigned connects = redis_connects(q->redis);
    int err = redis_run_id(q->redis, run_id);
    if (err == ECONNRESET)
        return err;
    if (q->run_id[0] && strcmp(q->run_id, run_id) != 0) {
        log_warn("queue", "redis was started again; all that is due is sent again");
        q->wiped = true;
        q->claim_at_ms = 0;
    }
    memcpy(q->run_id, run_id, sizeof(run_id));
    q->connects = connects;
    return 0;
}

int queue_redis(struct queue *q)
{
    struct errtext e = {0};
    bool lost = q->degraded;

    if (!q->redis) {
        if (mono_ms() < q->redis_retry_ms)
            return ECONNRESET;
        q->redis_retry_ms = mono_ms() + REDIS_RETRY_MS;
        if (redis_open(&q->redis, q->options->redis_url, &e)) {
            say_away(q, e.text);
            return ECONNRESET;
        }
    }
    if (!redis_context(q->redis) || know_server(q)) {
        say_away(q, redis_error(q->redis));
        return ECONNRESET;
    }
    q->degraded = false;
    if (lost) {
        q->groups_made = false;
        log_info("queue", "redis is back");
    }
    return 0;
}

int queue_open(struct queue **out, const struct queue_options *options, struct errtext *e)
{
    struct queue *q = xcalloc(1, sizeof(*q));
    char installation[INSTALLATION_ID_MAX];
    const struct pg_options pg = {.url = options->database_url,
                                  .role = "furrow_app",
                                  .name = "furrow-worker queue"};

    q->options = options;
    q->tenants = xcalloc(QUEUE_TENANTS_MAX, sizeof(*q->tenants));
    q->ranked = xcalloc(QUEUE_TENANTS_MAX, sizeof(*q->ranked));
    q->held_cap = QUEUE_BATCH;
    q->held = xcalloc((size_t)q->held_cap, sizeof(*q->held));
    int err = pg_open(&q->pg, &pg, e);
    if (!err && (err = pg_installation(q->pg, installation)))
        errtext_set(e, err, 0, 0, "installation id: %s", pg_error(q->pg));
    if (err) {
        queue_close(q);
        return err;
    }
    for (int k = 0; k < options->kind_count; k++)
        snprintf(q->keys[k], sizeof(q->keys[k]), "furrow:%s:jobs:%.60s", installation,
                 options->kinds[k]->name);
    queue_redis(q); /* it may come later */
    *out = q;
    return 0;
}

void queue_close(struct queue *q)
{
    if (!q)
        return;
    redis_close(q->redis);
    pg_close(q->pg);
    free(q->held);
    free(q->tenants);
    free(q->ranked);
    free(q);
}

void queue_item_clear(struct queue_item *item)
{
    json_decref(item->job.payload);
    item->job.payload = NULL;
}

bool queue_is_degraded(const struct queue *q)
{
    return q->degraded;
}

bool queue_take_wiped(struct queue *q)
{
    bool wiped = q->wiped;

    q->wiped = false;
    return wiped;
}

int queue_kind_index(const struct queue *q, const char *name)
{
    for (int k = 0; k < q->options->kind_count; k++)
        if (strcmp(q->options->kinds[k]->name, name) == 0)
            return k;
    return -1;
}

/* From "0": entries that were added before the group existed count too. A group
 * that was not there any more means that somebody wiped Redis. */
static int make_groups(struct queue *q)
{
    for (int k = 0; k < q->options->kind_count; k++) {
        int err = redis_cmd(q->redis, NULL, "XGROUP CREATE %s %s 0 MKSTREAM", q->keys[k],
                            group_name);
        if (err == ECONNRESET)
            return err;
        if (err && strncmp(redis_error(q->redis), "BUSYGROUP", 9) != 0)
            return err;
        q->wiped |= !err;
    }
    q->groups_made = true;
    return 0;
}

/* The stream or its group is not there, or went while we waited for it. */
static bool is_wiped(const char *error)
{
    return strncmp(error, "NOGROUP", 7) == 0 || strncmp(error, "UNBLOCKED", 9) == 0;
}

static const char *field(const redisReply *fields, const char *name)
{
    for (size_t i = 0; i + 1 < fields->elements; i += 2)
        if (fields->element[i]->str && strcmp(fields->element[i]->str, name) == 0)
            return fields->element[i + 1]->str ? fields->element[i + 1]->str : "";
    return "";
}

/* Junk is held as an id that no row has: it is acknowledged like any other. */
static void hold(struct queue *q, int kind, const redisReply *entry)
{
    struct queue_id id = {.kind = kind};
    int64_t tenant = 0;

    if (entry->type != REDIS_REPLY_ARRAY || entry->elements < 2 ||
        !entry->element[0]->str ||
        str_copy(id.entry, sizeof(id.entry), entry->element[0]->str))
        return;
    const redisReply *fields = entry->element[1];
    if (fields->type != REDIS_REPLY_ARRAY || uuid_parse(field(fields, "id"), &id.id) ||
        !str_to_i64(field(fields, "tenant"), &tenant) || tenant < 1 ||
        tenant > INT32_MAX) {
        log_warn("queue", "stream=%s entry=%s is no job", q->keys[kind], id.entry);
        tenant = 0;
    }
    id.tenant_id = (int)tenant;
    if (q->held_count == q->held_cap) {
        q->held_cap *= 2;
        q->held = xrealloc(q->held, (size_t)q->held_cap * sizeof(*q->held));
    }
    q->held[q->held_count++] = id;
}

static void hold_streams(struct queue *q, const redisReply *reply)
{
    for (size_t s = 0; reply->type == REDIS_REPLY_ARRAY && s < reply->elements; s++) {
        const redisReply *stream = reply->element[s];
        int kind = -1;
        for (int k = 0; k < q->options->kind_count; k++)
            if (strcmp(q->keys[k], stream->element[0]->str) == 0)
                kind = k;
        for (size_t i = 0; kind >= 0 && i < stream->element[1]->elements; i++)
            hold(q, kind, stream->element[1]->element[i]);
    }
}

/* What is there now, each kind as much as it has room for: XREADGROUP's COUNT is
 * one for all of its streams, so it is one command a kind. */
static int read_now(struct queue *q, const int *room)
{
    redisContext *ctx = redis_context(q->redis);
    int sent = 0, err = 0;

    if (!ctx)
        return ECONNRESET;
    for (int k = 0; k < q->options->kind_count; k++) {
        if (room[k] < 1)
            continue;
        redisAppendCommand(ctx, "XREADGROUP GROUP %s %s COUNT %d STREAMS %s >",
                           group_name, q->options->holder, room[k], q->keys[k]);
        sent++;
    }
    for (int i = 0; i < sent; i++) {
        CLEANUP(redis_reply_free) redisReply *reply = NULL;
        if (redisGetReply(ctx, (void **)&reply) != REDIS_OK)
            return ECONNRESET;
        if (reply->type == REDIS_REPLY_ERROR)
            err = is_wiped(reply->str) ? ENOENT : EPROTO;
        else
            hold_streams(q, reply);
    }
    return err;
}

/* Waits for the first one of each kind that has room. */
static int read_waiting(struct queue *q, const int *room, int wait_ms)
{
    CLEANUP(redis_reply_free) redisReply *reply = NULL;
    const char *argv[16 + 2 * QUEUE_KINDS_MAX];
    char block[16];
    int argc = 0, streams = 0;

    snprintf(block, sizeof(block), "%d", wait_ms < 1 ? 1 : wait_ms);
    const char *const head[] = {"XREADGROUP", "GROUP", group_name, q->options->holder,
                                "COUNT",      "1",     "BLOCK",    block,
                                "STREAMS"};
    for (size_t i = 0; i < ARRAY_LEN(head); i++)
        argv[argc++] = head[i];
    for (int k = 0; k < q->options->kind_count; k++)
        if (room[k] > 0) {
            argv[argc++] = q->keys[k];
            streams++;
        }
    for (int i = 0; i < streams; i++)
        argv[argc++] = ">";
    int err = redis_cmd_argv(q->redis, &reply, argc, argv, NULL);
    if (!err)
        hold_streams(q, reply);
    return err == EPROTO && is_wiped(redis_error(q->redis)) ? ENOENT : err;
}

/* Entries that a worker took off its stream and never acknowledged. */
static int claim_lost(struct queue *q, const int *room)
{
    for (int k = 0; k < q->options->kind_count; k++) {
        CLEANUP(redis_reply_free) redisReply *reply = NULL;

        if (room[k] < 1)
            continue;
        int err = redis_cmd(q->redis, &reply, "XAUTOCLAIM %s %s %s %lld 0 COUNT %d",
                            q->keys[k], group_name, q->options->holder,
                            (long long)(2 * q->options->lease_ms), room[k]);
        if (err)
            return err == EPROTO && is_wiped(redis_error(q->redis)) ? ENOENT : err;
        if (reply->type != REDIS_REPLY_ARRAY || reply->elements < 2)
            return EPROTO;
        for (size_t i = 0; i < reply->element[1]->elements; i++)
            hold(q, k, reply->element[1]->element[i]);
    }
    return 0;
}

static int fill_held(struct queue *q, const int *room, int wait_ms)
{
    int err = q->groups_made ? 0 : make_groups(q);

    if (!err && mono_ms() >= q->claim_at_ms) {
        q->claim_at_ms = mono_ms() + CLAIM_EVERY_MS;
        err = claim_lost(q, room);
    }
    if (!err && q->held_count == 0)
        err = read_now(q, room);
    if (!err && q->held_count == 0)
        err = read_waiting(q, room, wait_ms);
    if (err == ENOENT) {
        log_warn("queue", "redis was wiped; its groups are made again");
        q->groups_made = false;
        return make_groups(q);
    }
    if (err == EPROTO)
        log_warn("queue", "redis answered: %s", redis_error(q->redis));
    return err;
}

/* One command for all ids of a kind; how many were sent. */
static int append_ids(struct queue *q, redisContext *ctx, const char *command, bool group,
                      int kind, const struct queue_id *ids, int n)
{
    CLEANUP(free_cleanup) const char **argv = xcalloc((size_t)n + 3, sizeof(*argv));
    int argc = 0, head = group ? 3 : 2;

    argv[argc++] = command;
    argv[argc++] = q->keys[kind];
    if (group)
        argv[argc++] = group_name;
    for (int i = 0; i < n; i++)
        if (ids[i].kind == kind && ids[i].entry[0])
            argv[argc++] = ids[i].entry;
    if (argc == head)
        return 0;
    redisAppendCommandArgv(ctx, argc, argv, NULL);
    return 1;
}

static void let_go(struct queue *q, const struct queue_id *ids, int n)
{
    redisContext *ctx = queue_redis(q) ? NULL : redis_context(q->redis);
    int sent = 0;

    for (int k = 0; ctx && k < q->options->kind_count; k++) {
        sent += append_ids(q, ctx, "XACK", true, k, ids, n);
        sent += append_ids(q, ctx, "XDEL", false, k, ids, n);
    }
    for (int i = 0; i < sent; i++) {
        redisReply *reply = NULL;
        /* What is not let go is claimed later and found done. */
        if (redisGetReply(ctx, (void **)&reply) != REDIS_OK)
            return;
        freeReplyObject(reply);
    }
}

int queue_fetch(struct queue *q, const int *room, int wait_ms, struct queue_item *items,
                int max, int *n)
{
    *n = 0;
    if (q->held_count == 0) {
        if (queue_redis(q) || fill_held(q, room, wait_ms) == ECONNRESET) {
            queue_redis(q);
            return queue_take_due(q, room, items, max, n);
        }
        if (q->held_count == 0)
            return 0;
    }
    CLEANUP(free_cleanup)
    struct queue_id *dead = xcalloc((size_t)q->held_count, sizeof(*dead));
    int dead_count = 0;
    int err = queue_take_held(q, items, max, n, dead, &dead_count);
    if (dead_count > 0)
        let_go(q, dead, dead_count);
    return err;
}

int queue_send(struct queue *q, int tenant_id, const struct uuid *ids, const int *kinds,
               int n)
{
    char id[UUID_TEXT_MAX];
    redisContext *ctx = queue_redis(q) ? NULL : redis_context(q->redis);

    if (!ctx)
        return ECONNRESET;
    for (int i = 0; i < n; i++)
        redisAppendCommand(ctx, "XADD %s * v 1 id %s tenant %d", q->keys[kinds[i]],
                           uuid_text(&ids[i], id), tenant_id);
    for (int i = 0; i < n; i++) {
        redisReply *reply = NULL;
        if (redisGetReply(ctx, (void **)&reply) != REDIS_OK)
            return ECONNRESET;
        if (reply->type == REDIS_REPLY_ERROR)
            log_warn("queue", "redis answered: %s", reply->str);
        freeReplyObject(reply);
    }
    return 0;
}

/* Called by queue_finish once the rows are written. */

void queue_let_go(struct queue *q, const struct queue_result *results, int n)
{
    CLEANUP(free_cleanup) struct queue_id *ids = xcalloc((size_t)n + 1, sizeof(*ids));

    for (int i = 0; i < n; i++) {
        ids[i].kind = results[i].item->kind;
        memcpy(ids[i].entry, results[i].item->entry, sizeof(ids[i].entry));
    }
    let_go(q, ids, n);
}

/* How many entries of each kind are under way. */
static int lengths(struct queue *q, int64_t *out)
{
    for (int k = 0; k < q->options->kind_count; k++) {
        CLEANUP(redis_reply_free) redisReply *reply = NULL;
        int err = redis_cmd(q->redis, &reply, "XLEN %s", q->keys[k]);
        if (err)
            return err;
        out[k] = reply->integer;
    }
    return 0;
}

int queue_under_way(struct queue *q, int64_t *out)
{
    return queue_redis(q) || lengths(q, out) ? EAGAIN : 0;
}
