#include "server/hook_time.h"

#include "base/clock.h"

enum {
    LEFT_MIN_MS = 100, /* less is no time to ask anything */
    ABOUT_MS = 50,
    /* For a database that does not end a statement itself: then the connection is cut. */
    HOLD_HEARD_MS = 50,
    HOLD_MS = 1000,
};

static int64_t usual_ms(const struct server_config *c)
{
    const int64_t answer = c->hook_answer_ms, statement = c->hook_statement_ms;

    return answer && (!statement || answer < statement) ? answer : statement;
}

void hook_time_usual(const struct server_config *c, struct pg_options *out)
{
    out->statement_ms = (int)usual_ms(c);
    out->hold_ms = out->statement_ms ? out->statement_ms + HOLD_HEARD_MS : 0;
}

static int64_t waited_ms(const struct request *req)
{
    return req->since_ms ? mono_ms() - req->since_ms : 0;
}

bool hook_is_late(const struct request *req)
{
    const struct server *s = req->app;
    const int64_t answer = s->config.hook_answer_ms;

    return answer && waited_ms(req) + LEFT_MIN_MS > answer;
}

/* 0: no limit. */
static int64_t left_ms(const struct request *req, bool heard)
{
    const struct server *s = req->app;
    const struct server_config *c = &s->config;

    if (!heard || !c->hook_answer_ms)
        return c->hook_statement_ms;
    const int64_t left = c->hook_answer_ms - waited_ms(req);
    return left > LEFT_MIN_MS ? left : LEFT_MIN_MS;
}

int hook_find_ms(const struct request *req, bool heard)
{
    const struct server *s = req->app;

    if (!heard || !s->config.hook_answer_ms)
        return 0;
    return hook_is_late(req) ? -1 : (int)left_ms(req, true) / 2;
}

struct pg *hook_take(struct pg_pool *pool, const struct request *req, bool heard)
{
    const int64_t left = left_ms(req, heard);

    return pg_pool_take_for(pool,
                            left ? (int)left + (heard ? HOLD_HEARD_MS : HOLD_MS) : 0);
}

int hook_limit(struct pg *pg, const struct request *req, bool heard)
{
    const struct server *s = req->app;
    const int64_t usual = usual_ms(&s->config), left = left_ms(req, heard);
    struct pg_args a = {0};

    if (left <= usual && left + ABOUT_MS >= usual)
        return 0;
    pg_arg_i64(&a, left);
    return pg_run_later(pg, "SELECT set_config('statement_timeout', $1, true)", &a);
}
