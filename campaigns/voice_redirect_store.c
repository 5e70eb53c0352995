#include "campaigns/voice_redirect_store.h"

#include <errno.h>

#include <jansson.h>

#include "base/pg.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "campaigns/voice_session_store.h"

/* $1 call, $2 tenant, $3 when, $4 kind, $5 id of the event, $6 data. */
#define TELL                                                                             \
    "INSERT INTO call_steps (id, tenant_id, call_id, seq, at, events) SELECT $5::uuid, " \
    "$2::int, $1::uuid, coalesce((SELECT seq FROM ivr_sessions WHERE call_id = $1), "    \
    "0), "                                                                               \
    "furrow_ts($3::bigint), json_build_array(json_build_object('kind', $4::text, "       \
    "'data', $6::json))"

/* data is given up. */
static int tell(struct pg *pg, int tenant_id, const struct uuid *call, const char *kind,
                json_t *data, int64_t now_ms)
{
    CLEANUP(free_cleanup) char *text = json_dumps(data, JSON_COMPACT);
    const struct uuid id = uuid_v7(now_ms);
    struct pg_args a = {0};

    json_decref(data);
    pg_arg_uuid(&a, call);
    pg_arg_i64(&a, tenant_id);
    pg_arg_ms(&a, now_ms);
    pg_arg_text(&a, kind);
    pg_arg_uuid(&a, &id);
    pg_arg_text(&a, text ? text : "{}");
    return pg_run(pg, NULL, TELL, &a);
}

/* Locks it. */
static int find(struct pg *pg, const struct uuid *call, int64_t *in, int64_t *to)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    pg_arg_uuid(&a, call);
    int err = pg_run(pg, &res,
                     "SELECT flow_revision_id, redirect_revision_id FROM voice_sessions "
                     "WHERE call_id = $1 AND ended_at IS NULL FOR UPDATE",
                     &a);
    if (err)
        return err;
    if (PQntuples(res) == 0)
        return ENOENT;
    *in = pg_i64(res, 0, 0);
    *to = pg_i64(res, 0, 1);
    return 0;
}

/* 0: nowhere. */
static int set(struct pg *pg, const struct uuid *call, int64_t flow_revision_id)
{
    struct pg_args a = {0};

    pg_arg_uuid(&a, call);
    pg_arg_id(&a, flow_revision_id);
    return pg_run(
        pg, NULL,
        "UPDATE voice_sessions SET redirect_revision_id = $2 WHERE call_id = $1", &a);
}

static int ask(struct pg *pg, int tenant_id, const struct uuid *call,
               int64_t flow_revision_id, const char *by, int64_t now_ms,
               enum voice_redirect *out)
{
    int64_t in = 0, to = 0;

    int err = find(pg, call, &in, &to);
    if (err)
        return err;
    *out = to == flow_revision_id          ? VOICE_REDIRECT_WAITS
           : !to && in == flow_revision_id ? VOICE_REDIRECT_THERE
                                           : VOICE_REDIRECT_ASKED;
    if (*out != VOICE_REDIRECT_ASKED)
        return 0;
    err = set(pg, call, flow_revision_id == in ? 0 : flow_revision_id);
    return err ? err
               : tell(pg, tenant_id, call, "redirect_asked",
                      json_pack("{s:I, s:s}", "flow_revision",
                                (json_int_t)flow_revision_id, "by", by),
                      now_ms);
}

int voice_redirect_ask(struct pg *pg, int tenant_id, const struct uuid *call,
                       int64_t flow_revision_id, const char *by, int64_t now_ms,
                       enum voice_redirect *out)
{
    int err = pg_begin(pg, tenant_id);

    return err ? err
               : pg_end(pg, ask(pg, tenant_id, call, flow_revision_id, by, now_ms, out));
}

static int drop(struct pg *pg, int tenant_id, const struct uuid *call, const char *why,
                int64_t now_ms)
{
    int64_t in = 0, to = 0;

    int err = find(pg, call, &in, &to);
    if (!err && !to)
        err = ENOENT;
    if (!err)
        err = set(pg, call, 0);
    return err ? err
               : tell(pg, tenant_id, call, "redirect_refused",
                      json_pack("{s:s}", "why", why), now_ms);
}

int voice_redirect_drop(struct pg *pg, int tenant_id, const struct uuid *call,
                        const char *why, int64_t now_ms)
{
    int err = pg_begin(pg, tenant_id);

    return err ? err : pg_end(pg, drop(pg, tenant_id, call, why, now_ms));
}

static int move(struct pg *pg, struct voice_session *s)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    pg_arg_uuid(&a, &s->call);
    pg_arg_i64(&a, s->redirect_revision_id);
    pg_arg_text(&a, s->language);
    int err = pg_run(
        pg, &res,
        "WITH r AS (SELECT id, sha256 FROM flow_revisions WHERE id = $2), c AS (UPDATE "
        "calls SET flow_revision_id = r.id FROM r WHERE calls.id = $1) UPDATE "
        "voice_sessions s SET flow_revision_id = r.id, flow_sha256 = r.sha256, language "
        "= $3, redirect_revision_id = NULL FROM r WHERE s.call_id = $1 RETURNING "
        "s.flow_sha256",
        &a);
    if (!err && PQntuples(res) == 0)
        err = ENOENT;
    if (!err)
        err = str_copy(s->flow_sha256, sizeof(s->flow_sha256), pg_text(res, 0, 0));
    return err;
}

int voice_redirect_take(struct pg *pg, struct voice_session *s, int64_t now_ms)
{
    const int64_t from = s->flow_revision_id, to = s->redirect_revision_id;

    int err = move(pg, s);
    if (err)
        return err;
    s->flow_revision_id = to;
    s->redirect_revision_id = 0;
    return tell(pg, s->tenant_id, &s->call, "redirected",
                json_pack("{s:I, s:I}", "flow_revision", (json_int_t)to, "from",
                          (json_int_t)from),
                now_ms);
}
