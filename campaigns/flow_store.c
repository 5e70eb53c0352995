#include "campaigns/flow_store.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/pg.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "campaigns/names_store.h"
#include "campaigns/subflow_store.h"

#define COLUMNS "f.id, r.id, f.name, r.revision, r.sha256, furrow_ms(r.published_at)"
#define NEWEST                                                                           \
    " FROM flows f JOIN LATERAL (SELECT * FROM flow_revisions WHERE flow_id = f.id "     \
    "ORDER BY revision DESC LIMIT 1) r ON true"

static int read_row(const PGresult *res, int row, struct flow_row *out)
{
    struct flow_row f = {.flow_id = pg_i64(res, row, 0),
                         .revision_id = pg_i64(res, row, 1),
                         .revision = (int)pg_i64(res, row, 3),
                         .published_at_ms = pg_i64(res, row, 5)};

    int err = str_copy(f.name, sizeof(f.name), pg_text(res, row, 2));
    if (!err)
        err = str_copy(f.sha256, sizeof(f.sha256), pg_text(res, row, 4));
    if (!err)
        *out = f;
    return err;
}

/* The flow's row, locked, so that two publishers number their revisions in turn. */
static int lock_flow(struct pg *pg, int tenant_id, const char *name, int64_t now_ms,
                     int64_t *id)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    pg_arg_i64(&a, tenant_id);
    pg_arg_text(&a, name);
    pg_arg_ms(&a, now_ms);
    int err = pg_run(pg, &res,
                     "INSERT INTO flows (tenant_id, name, created_at) VALUES ($1, $2, "
                     "furrow_ts($3)) ON CONFLICT (tenant_id, name) DO UPDATE SET "
                     "name = excluded.name RETURNING id",
                     &a);
    if (!err)
        *id = pg_i64(res, 0, 0);
    return err;
}

static int newest(struct pg *pg, int64_t flow_id, struct flow_row *out)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    pg_arg_i64(&a, flow_id);
    int err = pg_run(pg, &res, "SELECT " COLUMNS NEWEST " WHERE f.id = $1", &a);
    if (!err && PQntuples(res) == 0)
        err = ENOENT;
    return err ? err : read_row(res, 0, out);
}

/* What is stored; it owns nothing. */
struct revision {
    const char *source, *sha256, *subflows;
};

/* *same: the flow's newest revision is this. */
static int is_newest(struct pg *pg, const struct revision *r, const struct flow_row *row,
                     bool *same)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    *same = false;
    if (!str_is(row->sha256, r->sha256))
        return 0;
    pg_arg_i64(&a, row->revision_id);
    pg_arg_text(&a, r->subflows);
    int err = pg_run(pg, &res,
                     "SELECT coalesce(subflows, '{}') = $2::jsonb FROM flow_revisions "
                     "WHERE id = $1",
                     &a);
    if (!err)
        *same = PQntuples(res) > 0 && pg_bool(res, 0, 0);
    return err;
}

static int insert_revision(struct pg *pg, int tenant_id, int64_t flow_id,
                           const struct revision *r, int64_t now_ms)
{
    struct pg_args a = {0};

    pg_arg_i64(&a, tenant_id);
    pg_arg_i64(&a, flow_id);
    pg_arg_text(&a, r->sha256);
    pg_arg_text(&a, r->source);
    pg_arg_ms(&a, now_ms);
    pg_arg_text(&a, r->subflows);
    return pg_run(
        pg, NULL,
        "INSERT INTO flow_revisions (tenant_id, flow_id, revision, sha256, "
        "source, published_at, subflows) SELECT $1, $2, coalesce(max(revision), "
        "0) + 1, $3, $4, furrow_ts($5), $6 FROM flow_revisions WHERE flow_id = "
        "$2",
        &a);
}

static int publish_revision(struct pg *pg, int tenant_id, const char *name,
                            const struct revision *r, int64_t now_ms,
                            struct flow_row *out, bool *fresh)
{
    int64_t flow_id = 0;
    bool same = false;

    int err = lock_flow(pg, tenant_id, name, now_ms, &flow_id);
    if (err)
        return err;
    err = newest(pg, flow_id, out);
    if (!err)
        err = is_newest(pg, r, out, &same);
    *fresh = err == ENOENT || (!err && !same);
    if ((err && err != ENOENT) || !*fresh)
        return err;
    err = insert_revision(pg, tenant_id, flow_id, r, now_ms);
    return err ? err : newest(pg, flow_id, out);
}

static int publish(struct pg *pg, int tenant_id, const char *name, const char *source,
                   int64_t now_ms, struct flow_row *out, bool *fresh)
{
    uint8_t hash[SHA256_BYTES];
    char sha256[SHA256_TEXT_MAX];
    json_t *subflows = NULL;

    sha256_of(source, strlen(source), hash);
    sha256_text(hash, sha256);
    int err = subflows_now(pg, tenant_id, source, &subflows);
    if (err)
        return err;
    CLEANUP(free_cleanup) char *held = json_dumps(subflows, JSON_COMPACT);
    const struct revision r = {source, sha256, held};
    err = publish_revision(pg, tenant_id, name, &r, now_ms, out, fresh);
    json_decref(subflows);
    return err;
}

int flow_publish(struct pg *pg, int tenant_id, const char *name, const char *source,
                 int64_t now_ms, struct flow_row *out, bool *fresh)
{
    bool own = false;
    int err =
        strlen(name) >= sizeof(out->name) ? EMSGSIZE : pg_begin_own(pg, tenant_id, &own);

    if (err)
        return err;
    return pg_end_own(pg, own, publish(pg, tenant_id, name, source, now_ms, out, fresh));
}

static int find(struct pg *pg, const char *name, struct flow_row *out, struct errtext *e)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    pg_arg_text(&a, name);
    int err = pg_run(pg, &res, "SELECT " COLUMNS NEWEST " WHERE f.name = $1", &a);
    if (err)
        return errtext_set(e, err, 0, 0, "%s", pg_error(pg));
    if (PQntuples(res) == 0)
        return names_missing(pg, "flow", "flows", name, e);
    return read_row(res, 0, out);
}

static int find_revision(struct pg *pg, const char *name, int64_t revision,
                         struct flow_row *out, struct errtext *e)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    int err = find(pg, name, out, e);
    if (err)
        return err;
    pg_arg_i64(&a, out->flow_id);
    pg_arg_i64(&a, revision);
    err = pg_run(pg, &res,
                 "SELECT " COLUMNS
                 " FROM flows f JOIN flow_revisions r ON r.flow_id = f.id "
                 "WHERE f.id = $1 AND r.revision = $2",
                 &a);
    if (err)
        return errtext_set(e, err, 0, 0, "%s", pg_error(pg));
    if (PQntuples(res) == 0)
        return errtext_set(e, ENOENT, 0, 0,
                           "flow '%s' has no revision %lld; its newest is %d", name,
                           (long long)revision, out->revision);
    return read_row(res, 0, out);
}

/* "survey@3"; a name may hold a '@' that no number follows. */
static int find_any(struct pg *pg, const char *name, struct flow_row *out,
                    struct errtext *e)
{
    const char *at = strrchr(name, '@');
    int64_t revision = 0;

    if (!at || !str_to_i64(at + 1, &revision) || revision < 1)
        return find(pg, name, out, e);
    CLEANUP(free_cleanup) char *bare = xstrndup(name, (size_t)(at - name));
    return find_revision(pg, bare, revision, out, e);
}

int flow_find(struct pg *pg, int tenant_id, const char *name, struct flow_row *out,
              struct errtext *e)
{
    bool own = false;
    int err = pg_begin_own(pg, tenant_id, &own);

    if (err)
        return errtext_set(e, err, 0, 0, "%s", pg_error(pg));
    return pg_end_own(pg, own, find_any(pg, name, out, e));
}

static int list(struct pg *pg, struct flow_row **out, size_t *n)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;

    int err = pg_run(pg, &res, "SELECT " COLUMNS NEWEST " ORDER BY f.name", NULL);
    if (err)
        return err;
    int rows = PQntuples(res);
    CLEANUP(free_cleanup)
    struct flow_row *all = xcalloc((size_t)rows + 1, sizeof(*all));
    for (int i = 0; i < rows && !err; i++)
        err = read_row(res, i, &all[i]);
    if (err)
        return err;
    *n = (size_t)rows;
    *out = STEAL(all);
    return 0;
}

int flow_list(struct pg *pg, int tenant_id, struct flow_row **out, size_t *n)
{
    bool own = false;
    int err = pg_begin_own(pg, tenant_id, &own);

    return err ? err : pg_end_own(pg, own, list(pg, out, n));
}

static int load(struct pg *pg, const char *sql, const struct pg_args *a,
                struct flow_row *out, char **source)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;

    int err = pg_run(pg, &res, sql, a);
    if (!err && PQntuples(res) == 0)
        err = ENOENT;
    if (!err)
        err = read_row(res, 0, out);
    if (!err)
        *source = xstrdup(pg_text(res, 0, 6));
    return err;
}

int flow_load(struct pg *pg, int tenant_id, int64_t revision_id, struct flow_row *out,
              char **source)
{
    struct pg_args a = {0};
    bool own = false;

    pg_arg_i64(&a, revision_id);
    int err = pg_begin_own(pg, tenant_id, &own);
    if (err)
        return err;
    err = load(pg,
               "SELECT " COLUMNS ", r.source FROM flow_revisions r JOIN flows f ON "
               "f.id = r.flow_id WHERE r.id = $1",
               &a, out, source);
    return pg_end_own(pg, own, err);
}

int flow_load_by_name(struct pg *pg, int tenant_id, const char *name,
                      struct flow_row *out, char **source)
{
    struct pg_args a = {0};
    bool own = false;

    pg_arg_text(&a, name);
    int err = pg_begin_own(pg, tenant_id, &own);
    if (err)
        return err;
    err = load(pg, "SELECT " COLUMNS ", r.source" NEWEST " WHERE f.name = $1", &a, out,
               source);
    return pg_end_own(pg, own, err);
}

int flow_load_by_hash(struct pg *pg, int tenant_id, const char *name, const char *sha256,
                      struct flow_row *out, char **source)
{
    struct pg_args a = {0};
    bool own = false;

    pg_arg_text(&a, name);
    pg_arg_text(&a, sha256);
    int err = pg_begin_own(pg, tenant_id, &own);
    if (err)
        return err;
    err = load(pg,
               "SELECT " COLUMNS ", r.source FROM flow_revisions r JOIN flows f ON "
               "f.id = r.flow_id WHERE f.name = $1 AND r.sha256 = $2 ORDER BY "
               "r.revision DESC LIMIT 1",
               &a, out, source);
    return pg_end_own(pg, own, err);
}
