#include "batches/caller_store.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/pg.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "batches/news_store.h"

enum { LIST_MAX = 10000 };

static const char *const role_names[CALLER_ROLES] = {
    [ROLE_FARMER] = "FARMER",     [ROLE_COOPERATIVE_MANAGER] = "COOPERATIVE_MANAGER",
    [ROLE_EXPORTER] = "EXPORTER", [ROLE_BUYER] = "BUYER",
    [ROLE_ADMIN] = "ADMIN",
};

const char *caller_role_name(enum caller_role role)
{
    return role_names[role];
}

static bool same_role(const char *name, const char *role)
{
    for (; *name && *role; name++, role++) {
        char c = *name == '-' || *name == ' ' ? '_' : *name;
        if (toupper((unsigned char)c) != *role)
            return false;
    }
    return !*name && !*role;
}

bool caller_role_parse(const char *name, enum caller_role *out)
{
    for (int i = 0; i < CALLER_ROLES; i++) {
        if (!same_role(name, role_names[i]))
            continue;
        *out = i;
        return true;
    }
    return false;
}

bool caller_role_verifies(enum caller_role role)
{
    return role == ROLE_COOPERATIVE_MANAGER || role == ROLE_EXPORTER ||
           role == ROLE_ADMIN;
}

/* --- who it is --------------------------------------------------------------------- */

static int find(struct pg *pg, int64_t phone, const char *telegram, struct caller *out)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    *out = (struct caller){.phone = phone};
    pg_arg_i64(&a, phone);
    pg_arg_text(&a, telegram);
    int err = pg_run(pg, &res,
                     "SELECT id, phone, state, role, name, organization, language FROM "
                     "callers WHERE ($1::bigint > 0 AND phone = $1) OR ($2 <> '' AND "
                     "telegram_user_id = $2) ORDER BY id LIMIT 1",
                     &a);
    if (err || PQntuples(res) == 0)
        return err;
    out->id = pg_i64(res, 0, 0);
    out->phone = pg_i64(res, 0, 1);
    out->approved = str_is(pg_text(res, 0, 2), "approved");
    /* Who was rejected is not registered. */
    out->registered = !str_is(pg_text(res, 0, 2), "rejected");
    if (!caller_role_parse(pg_text(res, 0, 3), &out->role))
        return EPROTO;
    str_cut(out->name, sizeof(out->name), pg_text(res, 0, 4));
    str_cut(out->organization, sizeof(out->organization), pg_text(res, 0, 5));
    str_cut(out->language, sizeof(out->language), pg_text(res, 0, 6));
    return 0;
}

static int find_own(struct pg *pg, int tenant_id, int64_t phone, const char *telegram,
                    struct caller *out)
{
    bool own = false;
    int err = pg_begin_own(pg, tenant_id, &own);

    return err ? err : pg_end_own(pg, own, find(pg, phone, telegram, out));
}

int caller_find(struct pg *pg, int tenant_id, int64_t phone, struct caller *out)
{
    *out = (struct caller){0};
    return phone > 0 ? find_own(pg, tenant_id, phone, "", out) : 0;
}

int caller_find_user(struct pg *pg, int tenant_id, const char *user, struct caller *out)
{
    int64_t phone = 0;

    *out = (struct caller){0};
    if (!*user || strlen(user) >= CALLER_TEXT_MAX)
        return 0;
    if (*user == '+' && (!str_to_i64(user + 1, &phone) || phone <= 0))
        return 0;
    return find_own(pg, tenant_id, phone, phone ? "" : user, out);
}

/* --- registration ------------------------------------------------------------------ */

static bool is_language(const char *s)
{
    return !*s || str_is(s, "en") || str_is(s, "am") || str_is(s, "om");
}

static bool is_sound(const struct caller_new *n)
{
    const char *const texts[] = {n->organization, n->location, n->reason,
                                 n->telegram_user_id};

    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        if (strlen(texts[i]) >= CALLER_TEXT_MAX)
            return false;
    return n->phone > 0 && *n->name && strlen(n->name) < CALLER_NAME_MAX &&
           strlen(n->organization) < CALLER_NAME_MAX && is_language(n->language);
}

static int insert(struct pg *pg, int tenant_id, const struct caller_new *n,
                  int64_t now_ms, int64_t *id)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    pg_arg_i64(&a, tenant_id);
    pg_arg_i64(&a, n->phone);
    pg_arg_text(&a, n->name);
    pg_arg_text(&a, caller_role_name(n->role));
    pg_arg_text(&a, n->organization);
    pg_arg_text(&a, n->location);
    pg_arg_text(&a, n->language);
    pg_arg_text(&a, n->reason);
    pg_arg_text(&a, n->telegram_user_id);
    pg_arg_ms(&a, now_ms);
    int err = pg_run(
        pg, &res,
        "INSERT INTO callers AS c (tenant_id, phone, name, role, organization, location, "
        "language, reason, telegram_user_id, created_at) SELECT $1, $2::bigint, $3, $4, "
        "$5, $6, $7, $8, $9, furrow_ts($10) WHERE NOT EXISTS (SELECT 1 FROM callers t "
        "WHERE $9 <> '' AND t.telegram_user_id = $9 AND t.phone <> $2) ON CONFLICT "
        "(tenant_id, phone) DO UPDATE SET name = $3, role = $4, organization = $5, "
        "location = $6, language = $7, reason = $8, telegram_user_id = $9, state = "
        "'pending', reviewed_by = '', reviewed_at = NULL, review_note = '', created_at = "
        "furrow_ts($10) WHERE c.state = 'rejected' RETURNING id",
        &a);
    if (err)
        return err;
    if (PQntuples(res) == 0)
        return EEXIST;
    *id = pg_i64(res, 0, 0);
    return 0;
}

int caller_register(struct pg *pg, int tenant_id, const struct caller_new *n,
                    int64_t now_ms, int64_t *id)
{
    bool own = false;

    if (!is_sound(n))
        return EINVAL;
    int err = pg_begin_own(pg, tenant_id, &own);
    return err ? err : pg_end_own(pg, own, insert(pg, tenant_id, n, now_ms, id));
}

static int decide(struct pg *pg, int64_t id, const struct caller_decision *d)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    pg_arg_i64(&a, id);
    pg_arg_text(&a, d->approve ? "approved" : "rejected");
    pg_arg_text(&a, d->by);
    pg_arg_text(&a, d->note);
    pg_arg_ms(&a, d->at_ms);
    int err = pg_run(pg, &res,
                     "WITH was AS (SELECT id, state FROM callers WHERE id = $1 FOR "
                     "UPDATE), done AS (UPDATE callers c SET state = $2, reviewed_by = "
                     "$3, review_note = $4, reviewed_at = furrow_ts($5) FROM was WHERE "
                     "c.id = was.id AND was.state <> $2) SELECT state = $2 FROM was",
                     &a);
    if (err)
        return err;
    if (PQntuples(res) == 0)
        return ENOENT;
    return pg_bool(res, 0, 0) ? EALREADY : 0;
}

int caller_decide(struct pg *pg, int tenant_id, int64_t id,
                  const struct caller_decision *d)
{
    char text[24];
    bool own = false;
    int err = pg_begin_own(pg, tenant_id, &own);

    if (err)
        return err;
    err = decide(pg, id, d);
    if (!err && d->approve && d->tell) {
        snprintf(text, sizeof(text), "%" PRId64, id);
        err = news_enqueue(pg, tenant_id, NEWS_APPROVED, text, d->at_ms);
    }
    return pg_end_own(pg, own, err);
}

static int list(struct pg *pg, const char *state, json_t **out)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    pg_arg_text(&a, state);
    pg_arg_i64(&a, LIST_MAX);
    int err =
        pg_run(pg, &res,
               "SELECT coalesce(json_agg(q), '[]') FROM (SELECT id, '+' || phone AS "
               "phone, name, role, organization, location, language, state, reason, "
               "reviewed_by, furrow_ms(reviewed_at) AS reviewed_ms, review_note, "
               "furrow_ms(created_at) AS created_ms FROM callers WHERE $1::text IS "
               "NULL OR state = $1 ORDER BY id LIMIT $2) q",
               &a);
    if (!err)
        *out = json_loads(pg_text(res, 0, 0), 0, NULL);
    return err ? err : *out ? 0 : EPROTO;
}

int caller_list(struct pg *pg, int tenant_id, const char *state, json_t **out)
{
    bool own = false;
    int err = pg_begin_own(pg, tenant_id, &own);

    return err ? err : pg_end_own(pg, own, list(pg, state, out));
}
