#include <stdlib.h>

#include "base/pg.h"
#include "base/xalloc.h"
#include "simulate/scene_store_inside.h"

static int read_numbers(struct pg *pg, const struct scene *s, PGresult **res)
{
    struct pg_args a = {0};

    pg_arg_text(&a, s->doc->caller_ids.pool);
    return pg_run(pg, res,
                  "SELECT phone, daily_cap, calls, answered, shorts, "
                  "furrow_ms(held_until), furrow_ms(counts_from) FROM caller_ids WHERE "
                  "pool = $1 ORDER BY phone",
                  &a);
}

/* By the quarter of an hour, of as many days as health or cap look back; by number, then
 * time. What counts is what caller_id_store.c counts. */
static int read_uses(struct pg *pg, const struct scene *s, PGresult **res)
{
    int days = s->doc->caller_ids.days > 1 ? s->doc->caller_ids.days : 1;
    struct pg_args a = {0};

    pg_arg_text(&a, s->doc->caller_ids.pool);
    pg_arg_ms(&a, s->from_ms);
    pg_arg_i64(&a, days);
    return pg_run(
        pg, res,
        "SELECT c.phone, furrow_ms(a.intent_at) / 900000 AS quarter, count(*), count(*) "
        "FILTER (WHERE a.health), count(*) FILTER (WHERE a.health AND a.disposition = "
        "'completed'), count(*) FILTER (WHERE a.health AND a.disposition = 'completed' "
        "AND a.ended_at < a.answered_at + interval '6 seconds') FROM caller_ids c CROSS "
        "JOIN LATERAL (SELECT t.*, t.state = 'ended' AND t.disposition NOT IN "
        "('config', 'congestion', 'canceled', 'bad_number') AS health FROM attempts t "
        "WHERE t.pooled AND t.caller_id = '+' || c.phone AND t.state <> 'withdrawn' AND "
        "t.intent_at > furrow_ts($2) - make_interval(days => $3::int)) a WHERE c.pool = "
        "$1 GROUP BY 1, 2 ORDER BY 1, 2",
        &a);
}

int scene_read_callers(struct pg *pg, struct scene *s, struct scene_parts *p)
{
    CLEANUP(pg_result_free) PGresult *numbers = NULL;
    CLEANUP(pg_result_free) PGresult *uses = NULL;

    int err = read_numbers(pg, s, &numbers);
    if (!err)
        err = read_uses(pg, s, &uses);
    if (err)
        return err;
    size_t n = (size_t)PQntuples(numbers);
    int next = 0;
    p->callers = xcalloc(n + 1, sizeof(*p->callers));
    p->uses = xcalloc((size_t)PQntuples(uses) + 1, sizeof(*p->uses));
    for (int i = 0; i < PQntuples(numbers); i++) {
        struct scene_caller *c = &p->callers[i];

        c->id = (struct caller_id){.phone = pg_i64(numbers, i, 0),
                                   .daily_cap = (int)pg_i64(numbers, i, 1),
                                   .calls = pg_i64(numbers, i, 2),
                                   .answered = pg_i64(numbers, i, 3),
                                   .shorts = pg_i64(numbers, i, 4),
                                   .held_until_ms = pg_i64(numbers, i, 5)};
        c->counts_from_ms = pg_i64(numbers, i, 6);
        c->uses = &p->uses[next];
        for (; next < PQntuples(uses) && pg_i64(uses, next, 0) == c->id.phone; next++)
            p->uses[next] =
                (struct scene_use){.at_ms = pg_i64(uses, next, 1) * 900000,
                                   .used = (uint32_t)pg_i64(uses, next, 2),
                                   .calls = (uint32_t)pg_i64(uses, next, 3),
                                   .answered = (uint32_t)pg_i64(uses, next, 4),
                                   .shorts = (uint32_t)pg_i64(uses, next, 5)};
        c->use_count = (size_t)(&p->uses[next] - c->uses);
    }
    s->callers = p->callers;
    s->caller_count = n;
    return 0;
}
