/*
 * Every change of several keys is one script, so that a job is always in exactly one
 * place. Scripts are sent whole (EVAL): they are short, seldom, and a wiped Redis needs
 * no second attempt. The two ways of the many, an XADD without key or delay and the
 * acknowledgement of what is done, do without.
 */
#include "workers/volatile_queue.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "workers/volatile_internal.h"

enum { REDIS_RETRY_MS = 500, KEY_MS = 3600000, DUE_AT_ONCE = 500, RENEW_AT_ONCE = 256 };

extern const char volatile_send_lua[], volatile_due_lua[], volatile_again_lua[],
    volatile_bury_lua[], volatile_take_over_lua[];

const char volatile_group[] = "workers";

/* ---- connection ---- */

static void say_away(struct volatile_queue *q, const char *why)
{
    if (!q->away)
        log_warn("volatile", "redis is away (%s); losable jobs wait", LOG_ESC(why));
    q->away = true;
    str_cut(q->error, sizeof(q->error), why);
}

redisContext *volatile_redis(struct volatile_queue *q)
{
    struct errtext e = {0};

    if (!q->redis) {
        if (mono_ms() < q->redis_retry_ms)
            return NULL;
        q->redis_retry_ms = mono_ms() + REDIS_RETRY_MS;
        if (redis_open(&q->redis, q->options->redis_url, &e)) {
            say_away(q, e.text);
            return NULL;
        }
    }
    redisContext *ctx = redis_context(q->redis);
    if (!ctx) {
        say_away(q, redis_error(q->redis));
        return NULL;
    }
    if (q->away) {
        log_info("volatile", "redis is back");
        q->groups_made = false; /* it may have come back empty */
    }
    q->away = false;
    return ctx;
}

int volatile_reply(struct volatile_queue *q, redisContext *ctx, redisReply **out)
{
    redisReply *reply = NULL;

    if (redisGetReply(ctx, (void **)&reply) != REDIS_OK) {
        say_away(q, ctx->errstr);
        return ECONNRESET;
    }
    if (reply->type != REDIS_REPLY_ERROR) {
        *out = reply;
        return 0;
    }
    str_cut(q->error, sizeof(q->error), reply->str);
    freeReplyObject(reply);
    return strncmp(q->error, "LOADING", 7) == 0 ? ECONNRESET : EPROTO;
}

int volatile_queue_open(struct volatile_queue **out,
                        const struct volatile_options *options, struct errtext *e)
{
    struct redis_address address;
    int err = redis_address_parse(options->redis_url, &address, e);

    if (!err && options->kind_count > VOLATILE_KINDS_MAX)
        err = errtext_set(e, EINVAL, 0, 0, "more than %d losable kinds",
                          VOLATILE_KINDS_MAX);
    for (int k = 0; !err && k < options->kind_count; k++)
        if (options->kinds[k]->storage != JOB_VOLATILE)
            err = errtext_set(e, EINVAL, 0, 0, "kind '%s' is durable",
                              options->kinds[k]->name);
    if (err)
        return err;
    struct volatile_queue *q = xcalloc(1, sizeof(*q));
    q->options = options;
    for (int k = 0; k < options->kind_count; k++) {
        struct volatile_names *n = &q->names[k];
        char base[96];
        snprintf(base, sizeof(base), "furrow:%.16s:volatile:%.60s", options->installation,
                 options->kinds[k]->name);
        str_cut(n->stream, sizeof(n->stream), base);
        snprintf(n->later, sizeof(n->later), "%s:later", base);
        snprintf(n->buried, sizeof(n->buried), "%s:buried", base);
        snprintf(n->paused, sizeof(n->paused), "%s:paused", base);
        snprintf(n->counts, sizeof(n->counts), "%s:counts", base);
    }
    (void)volatile_redis(q); /* it may come later */
    *out = q;
    return 0;
}

void volatile_queue_close(struct volatile_queue *q)
{
    if (!q)
        return;
    redis_close(q->redis);
    free(q);
}

const char *volatile_queue_error(const struct volatile_queue *q)
{
    return q->error;
}

bool volatile_is_away(const struct volatile_queue *q)
{
    return q->away;
}

int volatile_wipes(const struct volatile_queue *q)
{
    return q->wipes;
}

void volatile_key_name(const struct volatile_queue *q, int kind, int tenant_id,
                       const char *key, char out[VOLATILE_KEY_NAME_MAX])
{
    snprintf(out, VOLATILE_KEY_NAME_MAX, "%s:key:%d:%s", q->names[kind].stream, tenant_id,
             key);
}

/* ---- sending ---- */

static int kind_index(const struct volatile_queue *q, const struct job_kind *kind)
{
    for (int k = 0; k < q->options->kind_count; k++)
        if (q->options->kinds[k] == kind)
            return k;
    return -1;
}

static void append_send(struct volatile_queue *q, redisContext *ctx,
                        const struct volatile_job *j)
{
    const struct volatile_envelope v = {.id = uuid_v7(clock_real_ms()),
                                        .tenant_id = j->tenant_id,
                                        .key = j->key,
                                        .payload = j->payload};
    CLEANUP(free_cleanup) char *text = volatile_envelope_text(&v, NULL);
    char key[VOLATILE_KEY_NAME_MAX] = "", id[UUID_TEXT_MAX];
    int kind = kind_index(q, j->kind);
    const struct volatile_names *n = &q->names[kind];
    int64_t hold_ms = j->key ? (j->key_ms > 0 ? j->key_ms : KEY_MS) : 0;

    if (!j->key && j->delay_ms <= 0) {
        redisAppendCommand(ctx, "XADD %s * job %s", n->stream, text);
        return;
    }
    if (j->key)
        volatile_key_name(q, kind, j->tenant_id, j->key, key);
    redisAppendCommand(ctx, "EVAL %s 3 %s %s %s %s %s %lld %lld", volatile_send_lua,
                       n->stream, n->later, key, text, uuid_text(&v.id, id),
                       (long long)j->delay_ms, (long long)hold_ms);
}

int volatile_send(struct volatile_queue *q, const struct volatile_job *jobs, int n,
                  int *sent)
{
    int err = 0;

    *sent = 0;
    for (int i = 0; i < n; i++)
        if (kind_index(q, jobs[i].kind) < 0 || jobs[i].tenant_id < 1 ||
            (jobs[i].key && strlen(jobs[i].key) >= VOLATILE_KEY_MAX))
            return EINVAL;
    redisContext *ctx = volatile_redis(q);
    if (!ctx)
        return ECONNRESET;
    for (int i = 0; i < n; i++)
        append_send(q, ctx, &jobs[i]);
    for (int i = 0; i < n; i++) {
        CLEANUP(redis_reply_free) redisReply *reply = NULL;
        int e = volatile_reply(q, ctx, &reply);
        if (e == ECONNRESET)
            return e;
        err = e ? e : err;
        *sent += !e && (reply->type != REDIS_REPLY_INTEGER || reply->integer == 1);
    }
    return err;
}

/* ---- taking ---- */

/* From "0": what was sent before the group existed counts too. A group that went means
 * that Redis lost what it had. */
static int make_groups(struct volatile_queue *q)
{
    int made = 0;

    for (int k = 0; k < q->options->kind_count; k++) {
        int err = redis_cmd(q->redis, NULL, "XGROUP CREATE %s %s 0 MKSTREAM",
                            q->names[k].stream, volatile_group);
        if (err == EPROTO && strncmp(redis_error(q->redis), "BUSYGROUP", 9) == 0)
            continue;
        if (err)
            return err;
        made++;
    }
    if (made > 0 && q->groups_known) {
        q->wipes++;
        log_warn("volatile", "redis was wiped or came back empty: the losable jobs that "
                             "were in it are gone; new ones go on");
    }
    q->groups_made = q->groups_known = true;
    return 0;
}

static bool is_wiped(const char *error)
{
    return strncmp(error, "NOGROUP", 7) == 0 || strncmp(error, "UNBLOCKED", 9) == 0;
}

static void go_over_wipe(struct volatile_queue *q, const char *error)
{
    if (is_wiped(error))
        q->groups_made = false;
    else
        log_warn("volatile", "redis answered: %s", LOG_ESC(error));
}

/* An entry as XREADGROUP and XCLAIM show it. false: it was deleted meanwhile. */
static bool take(int kind, const redisReply *r, struct volatile_entry *out)
{
    if (r->type != REDIS_REPLY_ARRAY || r->elements < 2 || !r->element[0]->str ||
        r->element[1]->type != REDIS_REPLY_ARRAY)
        return false;
    *out = (struct volatile_entry){.kind = kind};
    if (str_copy(out->entry, sizeof(out->entry), r->element[0]->str))
        return false;
    const redisReply *fields = r->element[1];
    bool has = fields->elements >= 2 && fields->element[1]->str;
    out->text = has ? xstrndup(fields->element[1]->str, (size_t)fields->element[1]->len)
                    : xstrdup("");
    return true;
}

static void take_streams(struct volatile_queue *q, const redisReply *reply,
                         struct volatile_entry *out, int max, int *n)
{
    for (size_t s = 0; reply->type == REDIS_REPLY_ARRAY && s < reply->elements; s++) {
        const redisReply *stream = reply->element[s];
        int kind = 0;
        while (strcmp(q->names[kind].stream, stream->element[0]->str) != 0)
            kind++; /* it is one that we asked for */
        for (size_t i = 0; i < stream->element[1]->elements && *n < max; i++)
            *n += take(kind, stream->element[1]->element[i], &out[*n]);
    }
}

static int with_room(const struct volatile_queue *q, const int *room, int *least)
{
    int streams = 0;

    *least = VOLATILE_BATCH;
    for (int k = 0; k < q->options->kind_count; k++) {
        if (room[k] < 1)
            continue;
        *least = room[k] < *least ? room[k] : *least;
        streams++;
    }
    return streams;
}

/* Of each kind as much as it has room for, without waiting. */
static int read_each(struct volatile_queue *q, const int *room,
                     struct volatile_entry *out, int max, int *n)
{
    redisContext *ctx = volatile_redis(q);
    int least, streams = with_room(q, room, &least), err = ctx ? 0 : ECONNRESET;

    for (int k = 0; ctx && k < q->options->kind_count; k++)
        if (room[k] > 0)
            redisAppendCommand(ctx, "XREADGROUP GROUP %s %s COUNT %d STREAMS %s >",
                               volatile_group, q->options->holder,
                               room[k] < max / streams ? room[k] : max / streams,
                               q->names[k].stream);
    for (int i = 0; err != ECONNRESET && i < streams; i++) {
        CLEANUP(redis_reply_free) redisReply *reply = NULL;
        int e = volatile_reply(q, ctx, &reply);
        if (!e)
            take_streams(q, reply, out, max, n);
        err = e ? e : err;
    }
    return err;
}

/* Waits. COUNT is one for all streams, so the kind with the least room sets it. */
static int read_waiting(struct volatile_queue *q, const int *room, int wait_ms,
                        struct volatile_entry *out, int max, int *n)
{
    CLEANUP(redis_reply_free) redisReply *reply = NULL;
    const char *argv[16 + 2 * VOLATILE_KINDS_MAX];
    char block[16], count[16];
    int argc = 0, least, streams = with_room(q, room, &least);

    if (least * streams > max)
        least = max / streams;
    snprintf(block, sizeof(block), "%d", wait_ms < 1 ? 1 : wait_ms);
    snprintf(count, sizeof(count), "%d", least);
    const char *const head[] = {"XREADGROUP", "GROUP", volatile_group, q->options->holder,
                                "COUNT",      count,   "BLOCK",        block,
                                "STREAMS"};
    for (size_t i = 0; i < ARRAY_LEN(head); i++)
        argv[argc++] = head[i];
    for (int k = 0; k < q->options->kind_count; k++)
        if (room[k] > 0)
            argv[argc++] = q->names[k].stream;
    for (int i = 0; i < streams; i++)
        argv[argc++] = ">";
    int err = redis_cmd_argv(q->redis, &reply, argc, argv, NULL);
    if (!err)
        take_streams(q, reply, out, max, n);
    if (err)
        str_cut(q->error, sizeof(q->error), redis_error(q->redis));
    return err;
}

/* 0 with groups, ECONNRESET, or EPROTO. */
static int ready(struct volatile_queue *q)
{
    if (!volatile_redis(q))
        return ECONNRESET;
    int err = q->groups_made ? 0 : make_groups(q);
    if (err == EPROTO)
        log_warn("volatile", "redis answered: %s", LOG_ESC(redis_error(q->redis)));
    return err;
}

int volatile_fetch(struct volatile_queue *q, const int *room, int wait_ms,
                   struct volatile_entry *out, int max, int *n)
{
    int least, streams = with_room(q, room, &least);

    *n = 0;
    int err = ready(q);
    if (streams == 0)
        return err;
    if (!err && streams > 1 && least < VOLATILE_BATCH)
        err = read_each(q, room, out, max, n);
    if (!err && *n == 0)
        err = read_waiting(q, room, wait_ms, out, max, n);
    if (err == ECONNRESET)
        (void)volatile_redis(q); /* says so */
    if (err != EPROTO || !q->groups_made)
        return err;
    go_over_wipe(q, q->error);
    return is_wiped(q->error) ? 0 : err;
}

static int take_over_kind(struct volatile_queue *q, int kind, int room, bool suspects,
                          struct volatile_entry *out, int *n, int *left)
{
    CLEANUP(redis_reply_free) redisReply *reply = NULL;
    const struct volatile_names *names = &q->names[kind];

    int err = redis_cmd(
        q->redis, &reply, "EVAL %s 2 %s %s %s %s %lld %d %d %d", volatile_take_over_lua,
        names->stream, names->buried, volatile_group, q->options->holder,
        (long long)q->options->lease_ms, room, suspects ? 1 : 0, VOLATILE_BURIED_MAX);
    if (err)
        return err;
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 3)
        return EPROTO;
    for (size_t i = 0; i < reply->element[0]->elements; i++) {
        const redisReply *e = reply->element[0]->element[i];
        if (!take(kind, e, &out[*n]))
            continue;
        out[*n].suspect = e->elements > 2 && e->element[2]->integer >= 2;
        ++*n;
    }
    *left += (int)reply->element[1]->integer;
    if (reply->element[2]->integer > 0)
        log_warn("volatile", "kind=%s jobs=%lld buried: three workers died with them",
                 q->options->kinds[kind]->name, reply->element[2]->integer);
    return 0;
}

int volatile_take_over(struct volatile_queue *q, const int *room, bool suspects,
                       struct volatile_entry *out, int max, int *n, int *left)
{
    int err = ready(q);

    *n = *left = 0;
    for (int k = 0; !err && k < q->options->kind_count; k++) {
        int most = max - *n < room[k] ? max - *n : room[k];
        if (most < 1)
            continue;
        err = take_over_kind(q, k, most, suspects, out, n, left);
        if (err == EPROTO) {
            go_over_wipe(q, redis_error(q->redis));
            err = 0;
        }
    }
    return err;
}

int volatile_renew(struct volatile_queue *q, int kind, const char *const *entries, int n)
{
    const char *argv[8 + RENEW_AT_ONCE];

    if (!volatile_redis(q))
        return ECONNRESET;
    for (int done = 0; done < n;) {
        const char *const head[] = {"XCLAIM", q->names[kind].stream, volatile_group,
                                    q->options->holder, "0"};
        int argc = 0;
        for (size_t i = 0; i < ARRAY_LEN(head); i++)
            argv[argc++] = head[i];
        for (int i = 0; i < RENEW_AT_ONCE && done < n; i++)
            argv[argc++] = entries[done++];
        argv[argc++] = "JUSTID"; /* which counts as no delivery */
        int err = redis_cmd_argv(q->redis, NULL, argc, argv, NULL);
        if (err && !(err == EPROTO && is_wiped(redis_error(q->redis))))
            return err;
    }
    return 0;
}

void volatile_sign(struct volatile_queue *q, int kind)
{
    if (volatile_redis(q) &&
        redis_cmd(q->redis, NULL, "EVAL %s 1 %s:signs %s",
                  "local t = redis.call('TIME') return redis.call('HSET', KEYS[1], "
                  "ARGV[1], t[1] * 1000 + math.floor(t[2] / 1000))",
                  q->names[kind].stream, q->options->holder))
        log_debug("volatile", "no sign: %s", LOG_ESC(redis_error(q->redis)));
}

int volatile_due(struct volatile_queue *q, int *moved, int64_t *next_ms)
{
    CLEANUP(redis_reply_free) redisReply *reply = NULL;
    const char *argv[8 + 2 * VOLATILE_KINDS_MAX];
    char keys[16], most[16];
    int argc = 0;

    *moved = 0;
    *next_ms = -1;
    if (!volatile_redis(q))
        return ECONNRESET;
    snprintf(keys, sizeof(keys), "%d", 2 * q->options->kind_count);
    snprintf(most, sizeof(most), "%d", DUE_AT_ONCE);
    argv[argc++] = "EVAL";
    argv[argc++] = volatile_due_lua;
    argv[argc++] = keys;
    for (int k = 0; k < q->options->kind_count; k++) {
        argv[argc++] = q->names[k].later;
        argv[argc++] = q->names[k].stream;
    }
    argv[argc++] = most;
    int err = redis_cmd_argv(q->redis, &reply, argc, argv, NULL);
    if (err)
        return err;
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2)
        return EPROTO;
    *moved = (int)reply->element[0]->integer;
    *next_ms = reply->element[1]->integer;
    return 0;
}

/* ---- finishing ---- */

/* Acknowledged and deleted as one: else what lies between would stay for ever. */
static int append_done(struct volatile_queue *q, redisContext *ctx,
                       const struct volatile_result *r, int n, int kind)
{
    CLEANUP(free_cleanup)
    const char **argv = xcalloc((size_t)n + 3, sizeof(*argv));
    int count = 0;

    for (int i = 0; i < n; i++)
        if (r[i].kind == kind && r[i].result == JOB_DONE)
            argv[3 + count++] = r[i].entry;
    if (count == 0)
        return 0;
    redisAppendCommand(ctx, "MULTI");
    argv[0] = "XACK";
    argv[1] = q->names[kind].stream;
    argv[2] = volatile_group;
    redisAppendCommandArgv(ctx, 3 + count, argv, NULL);
    argv[1] = "XDEL";
    argv[2] = q->names[kind].stream;
    redisAppendCommandArgv(ctx, 2 + count, argv + 1, NULL);
    redisAppendCommand(ctx, "EXEC");
    return 4;
}

static int append_key_free(struct volatile_queue *q, redisContext *ctx,
                           const struct volatile_result *r)
{
    char key[VOLATILE_KEY_NAME_MAX], id[UUID_TEXT_MAX];

    if (r->result != JOB_DONE || !r->job || !r->job->key)
        return 0;
    volatile_key_name(q, r->kind, r->job->tenant_id, r->job->key, key);
    redisAppendCommand(ctx, "EVAL %s 1 %s %s",
                       "if redis.call('GET', KEYS[1]) == ARGV[1] then "
                       "redis.call('DEL', KEYS[1]) end return 1",
                       key, uuid_text(&r->job->id, id));
    return 1;
}

static int append_other(struct volatile_queue *q, redisContext *ctx,
                        const struct volatile_result *r)
{
    const struct volatile_names *n = &q->names[r->kind];
    char key[VOLATILE_KEY_NAME_MAX] = "", id[UUID_TEXT_MAX] = "";

    if (r->result == JOB_DONE)
        return append_key_free(q, ctx, r);
    if (r->result != JOB_BURY) {
        redisAppendCommand(ctx, "EVAL %s 2 %s %s %s %s %s %lld", volatile_again_lua,
                           n->stream, n->later, volatile_group, r->entry, r->text,
                           (long long)r->delay_ms);
        return 1;
    }
    if (r->job)
        uuid_text(&r->job->id, id);
    if (r->job && r->job->key)
        volatile_key_name(q, r->kind, r->job->tenant_id, r->job->key, key);
    redisAppendCommand(ctx, "EVAL %s 3 %s %s %s %s %s %s %s %d %s", volatile_bury_lua,
                       n->stream, n->buried, key, volatile_group, r->entry, r->text,
                       r->why, VOLATILE_BURIED_MAX, id);
    return 1;
}

int volatile_finish(struct volatile_queue *q, const struct volatile_result *results,
                    int n)
{
    redisContext *ctx = volatile_redis(q);
    int answers = 0, refused = 0;

    if (!ctx)
        return ECONNRESET;
    for (int k = 0; k < q->options->kind_count; k++)
        answers += append_done(q, ctx, results, n, k);
    for (int i = 0; i < n; i++)
        answers += append_other(q, ctx, &results[i]);
    for (int i = 0; i < answers; i++) {
        CLEANUP(redis_reply_free) redisReply *reply = NULL;
        int err = volatile_reply(q, ctx, &reply);
        if (err == ECONNRESET)
            return err;
        /* After a wipe there is no group: what is done needs no acknowledgement. */
        refused += err && !is_wiped(q->error);
    }
    if (refused > 0)
        log_warn("volatile", "redis refused %d answers (%s); those jobs run again",
                 refused, LOG_ESC(q->error));
    return 0;
}

void volatile_leave(struct volatile_queue *q)
{
    if (!volatile_redis(q))
        return;
    for (int k = 0; k < q->options->kind_count; k++)
        if (redis_cmd(q->redis, NULL, "EVAL %s 1 %s %s %s",
                      "if #redis.call('XPENDING', KEYS[1], ARGV[1], '-', '+', 1, "
                      "ARGV[2]) == 0 then redis.call('XGROUP', 'DELCONSUMER', KEYS[1], "
                      "ARGV[1], ARGV[2]) end return 1",
                      q->names[k].stream, volatile_group, q->options->holder))
            return; /* an idle consumer is removed by the others, in time */
}
