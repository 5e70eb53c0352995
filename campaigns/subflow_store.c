#include "campaigns/subflow_store.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/pg.h"
#include "base/sha256.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "campaigns/flow_store.h"
#include "ivr/ivr.h"

void flow_texts_add(struct flow_texts *t, char *text)
{
    t->at = xrealloc(t->at, (t->n + 1) * sizeof(*t->at));
    t->at[t->n++] = text;
}

void flow_texts_free(struct flow_texts *t)
{
    for (size_t i = 0; i < t->n; i++)
        free(t->at[i]);
    free(t->at);
    json_decref(t->held);
    json_decref(t->taken);
    *t = (struct flow_texts){.pg = t->pg, .tenant_id = t->tenant_id};
}

int flow_texts_hold(struct flow_texts *t, int64_t revision_id)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};
    bool own = false;

    json_decref(t->held);
    t->held = NULL;
    pg_arg_i64(&a, revision_id);
    int err = pg_begin_own(t->pg, t->tenant_id, &own);
    if (!err)
        err = pg_end_own(
            t->pg, own,
            pg_run(t->pg, &res, "SELECT subflows FROM flow_revisions WHERE id = $1", &a));
    if (!err && PQntuples(res) > 0 && !pg_is_null(res, 0, 0))
        t->held = json_loads(pg_text(res, 0, 0), 0, NULL);
    return err;
}

static int load(struct flow_texts *t, const char *name, const char *sha256,
                struct flow_row *row, char **source)
{
    const json_t *held = json_object_get(t->held, name);

    if (sha256[0])
        return flow_load_by_hash(t->pg, t->tenant_id, name, sha256, row, source);
    if (json_is_integer(held))
        return flow_load(t->pg, t->tenant_id, json_integer_value(held), row, source);
    t->newest = true;
    return flow_load_by_name(t->pg, t->tenant_id, name, row, source);
}

int flow_resolve(const char *name, const char *sha256, const char **text, size_t *len,
                 void *arg)
{
    struct flow_texts *t = arg;
    struct flow_row row;
    char *source = NULL;

    int err = load(t, name, sha256, &row, &source);
    if (err && err != ENOENT)
        t->err = err;
    if (err)
        return ENOENT;
    flow_texts_add(t, source);
    if (!sha256[0]) {
        t->taken = t->taken ? t->taken : json_object();
        json_object_set_new(t->taken, name, json_integer((json_int_t)row.revision_id));
    }
    *text = source;
    *len = strlen(source);
    return 0;
}

/* What does not compile holds what could be had. */
int subflows_now(struct pg *pg, int tenant_id, const char *source, json_t **out)
{
    CLEANUP(flow_texts_free)
    struct flow_texts texts = {.pg = pg, .tenant_id = tenant_id};
    const struct ivr_compile_options options = {
        .sha256 = sha256_of, .resolve = flow_resolve, .arg = &texts};
    struct ivr_issues issues = {0};
    struct ivr_arena *arena = NULL;
    struct ivr_prog *prog = NULL;

    int err = ivr_arena_new(&arena, NULL);
    if (!err)
        err = ivr_compile(&prog, source, strlen(source), &options, arena, &issues);
    ivr_arena_free(arena);
    if (texts.err || (err && err != EBADMSG))
        return texts.err ? texts.err : err;
    *out = texts.taken ? json_incref(texts.taken) : json_object();
    return 0;
}

int subflow_held_older(struct pg *pg, int tenant_id, const char *name,
                       int64_t revision_id, struct buf *out)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};
    bool own = false;

    pg_arg_text(&a, name);
    pg_arg_i64(&a, revision_id);
    int err = pg_begin_own(pg, tenant_id, &own);
    if (err)
        return err;
    err = pg_run(
        pg, &res,
        "SELECT f.name FROM flows f JOIN LATERAL (SELECT subflows FROM flow_revisions "
        "WHERE flow_id = f.id ORDER BY revision DESC LIMIT 1) r ON true WHERE "
        "(r.subflows ->> $1)::bigint <> $2 ORDER BY f.name",
        &a);
    for (int i = 0; !err && i < PQntuples(res); i++)
        buf_printf(out, "%s'%s'", i ? ", " : "", pg_text(res, i, 0));
    return pg_end_own(pg, own, err);
}
