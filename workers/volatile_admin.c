/* What a person does with losable jobs: see how many there are, bring buried ones back.
 */
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
    enum { STREAM, TAKEN, LATER, BURIED, FIRST, ASKED };
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
    int err = answers(q, ctx, r, ASKED);
    if (!err) {
        int64_t taken =
            r[TAKEN] && r[TAKEN]->elements > 0 ? r[TAKEN]->element[0]->integer : 0;
        *out = (struct volatile_depth){.waiting = r[STREAM]->integer - taken,
                                       .taken = taken,
                                       .later = r[LATER]->integer,
                                       .buried = r[BURIED]->integer};
        if (r[FIRST]->elements > 0)
            out->oldest_s =
                (clock_real_ms() - entry_ms(r[FIRST]->element[0]->element[0]->str)) /
                1000;
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
