/* What a person does with losable jobs: hold a kind, see how many there are and how they
 * go, bring buried ones back. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "workers/volatile_internal.h"

enum { AT_ONCE = 500 };

extern const char volatile_unbury_lua[];

/* "1700000000000-3" */
static int64_t entry_ms(const char *entry)
{
    char ms[32];
    int64_t v = 0;

    str_cut(ms, sizeof(ms), entry ? entry : "");
    ms[strcspn(ms, "-")] = '\0';
    return str_to_i64(ms, &v) ? v : 0;
}

int64_t volatile_age_ms(const char *entry)
{
    int64_t ms = clock_real_ms() - entry_ms(entry);

    return ms > 0 ? ms : 0;
}

/* ---- pauses and counts ---- */

static int simple(struct volatile_queue *q, int err)
{
    if (err)
        str_cut(q->error, sizeof(q->error), redis_error(q->redis));
    return err;
}

int volatile_pause(struct volatile_queue *q, int kind, bool on)
{
    if (!volatile_redis(q))
        return ECONNRESET;
    return simple(q, on ? redis_cmd(q->redis, NULL, "SET %s 1", q->names[kind].paused)
                        : redis_cmd(q->redis, NULL, "DEL %s", q->names[kind].paused));
}

int volatile_paused(struct volatile_queue *q, bool paused[VOLATILE_KINDS_MAX])
{
    redisContext *ctx = volatile_redis(q);
    int err = ctx ? 0 : ECONNRESET;

    memset(paused, 0, VOLATILE_KINDS_MAX * sizeof(paused[0]));
    for (int k = 0; ctx && k < q->options->kind_count; k++)
        redisAppendCommand(ctx, "EXISTS %s", q->names[k].paused);
    for (int k = 0; err != ECONNRESET && k < q->options->kind_count; k++) {
        CLEANUP(redis_reply_free) redisReply *reply = NULL;
        int e = volatile_reply(q, ctx, &reply);
        paused[k] = !e && reply->integer == 1;
        err = e ? e : err;
    }
    return err;
}

void volatile_tally_add(struct volatile_tally *to, const struct volatile_tally *more)
{
    to->done += more->done;
    to->retried += more->retried;
    to->buried += more->buried;
    to->wait_ms += more->wait_ms;
    to->run_ms += more->run_ms;
}

int volatile_count(struct volatile_queue *q, int kind, const struct volatile_tally *more)
{
    const struct {
        const char *name;
        int64_t n;
    } fields[] = {{"done", more->done},
                  {"retried", more->retried},
                  {"buried", more->buried},
                  {"wait_ms", more->wait_ms},
                  {"run_ms", more->run_ms}};
    redisContext *ctx = volatile_redis(q);
    int err = ctx ? 0 : ECONNRESET;

    for (size_t i = 0; ctx && i < ARRAY_LEN(fields); i++)
        redisAppendCommand(ctx, "HINCRBY %s %s %lld", q->names[kind].counts,
                           fields[i].name, (long long)fields[i].n);
    for (size_t i = 0; err != ECONNRESET && i < ARRAY_LEN(fields); i++) {
        CLEANUP(redis_reply_free) redisReply *reply = NULL;
        int e = volatile_reply(q, ctx, &reply);
        err = e ? e : err;
    }
    return err;
}

static struct volatile_tally tally_of(const redisReply *r)
{
    int64_t v[5] = {0};

    for (size_t i = 0; i < ARRAY_LEN(v) && i < r->elements; i++)
        if (r->element[i]->str && !str_to_i64(r->element[i]->str, &v[i]))
            v[i] = 0;
    return (struct volatile_tally){
        .done = v[0], .retried = v[1], .buried = v[2], .wait_ms = v[3], .run_ms = v[4]};
}

/* ---- looking ---- */

static int answers(struct volatile_queue *q, redisContext *ctx, redisReply **r, int n)
{
    int err = 0;

    for (int i = 0; i < n; i++) {
        int e = volatile_reply(q, ctx, &r[i]);
        if (e == ECONNRESET)
            return e;
        /* No group: no worker has looked for the kind yet. */
        if (e && strncmp(q->error, "NOGROUP", 7) != 0)
            err = e;
    }
    return err;
}

int volatile_depth(struct volatile_queue *q, int kind, struct volatile_depth *out)
{
    enum { STREAM, TAKEN, LATER, BURIED, FIRST, PAUSED, COUNTS, ASKED };
    redisReply *r[ASKED] = {NULL};
    const struct volatile_names *n = &q->names[kind];
    redisContext *ctx = volatile_redis(q);

    if (!ctx)
        return ECONNRESET;
    redisAppendCommand(ctx, "XLEN %s", n->stream);
    redisAppendCommand(ctx, "XPENDING %s %s", n->stream, volatile_group);
    redisAppendCommand(ctx, "ZCARD %s", n->later);
    redisAppendCommand(ctx, "XLEN %s", n->buried);
    redisAppendCommand(ctx, "XRANGE %s - + COUNT 1", n->stream);
    redisAppendCommand(ctx, "EXISTS %s", n->paused);
    redisAppendCommand(ctx, "HMGET %s done retried buried wait_ms run_ms", n->counts);
    int err = answers(q, ctx, r, ASKED);
    if (!err) {
        int64_t taken =
            r[TAKEN] && r[TAKEN]->elements > 0 ? r[TAKEN]->element[0]->integer : 0;
        *out = (struct volatile_depth){.waiting = r[STREAM]->integer - taken,
                                       .taken = taken,
                                       .later = r[LATER]->integer,
                                       .buried = r[BURIED]->integer,
                                       .paused = r[PAUSED]->integer == 1,
                                       .tally = tally_of(r[COUNTS])};
        if (r[FIRST]->elements > 0)
            out->oldest_s = volatile_age_ms(r[FIRST]->element[0]->element[0]->str) / 1000;
    }
    for (int i = 0; i < ASKED; i++)
        redis_reply_free(&r[i]);
    return err;
}

static json_t *buried_row(const redisReply *entry)
{
    const redisReply *f = entry->element[1];
    char at[CLOCK_TEXT_MAX];

    if (f->elements < 4)
        return NULL;
    return json_pack("{s:s, s:s, s:o}", "at",
                     clock_text(entry_ms(entry->element[0]->str), at), "why",
                     f->element[3]->str, "job", json_loads(f->element[1]->str, 0, NULL));
}

int volatile_buried(struct volatile_queue *q, int kind, int limit, json_t **out)
{
    CLEANUP(redis_reply_free) redisReply *reply = NULL;

    if (!volatile_redis(q))
        return ECONNRESET;
    int err = redis_cmd(q->redis, &reply, "XREVRANGE %s + - COUNT %d",
                        q->names[kind].buried, limit);
    if (err) {
        str_cut(q->error, sizeof(q->error), redis_error(q->redis));
        return err;
    }
    json_t *rows = json_array();
    for (size_t i = 0; i < reply->elements; i++) {
        json_t *row = buried_row(reply->element[i]);
        if (row)
            json_array_append_new(rows, row);
    }
    *out = rows;
    return 0;
}

int volatile_unbury(struct volatile_queue *q, int kind, bool forget, int64_t *n)
{
    const struct volatile_names *names = &q->names[kind];

    *n = 0;
    for (int64_t moved = AT_ONCE; moved == AT_ONCE;) {
        CLEANUP(redis_reply_free) redisReply *reply = NULL;
        if (!volatile_redis(q))
            return ECONNRESET;
        int err =
            redis_cmd(q->redis, &reply, "EVAL %s 2 %s %s %d %d", volatile_unbury_lua,
                      names->buried, names->stream, AT_ONCE, forget ? 1 : 0);
        if (err) {
            str_cut(q->error, sizeof(q->error), redis_error(q->redis));
            return err;
        }
        moved = reply->integer;
        *n += moved;
    }
    return 0;
}
