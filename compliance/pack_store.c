#include "compliance/pack_store.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/pg.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "compliance/pack.h"
#include "compliance/policy.h"

static int keep(struct pg *pg, const struct pack *p)
{
    CLEANUP(free_cleanup) char *body = json_dumps(p->json, JSON_COMPACT | JSON_SORT_KEYS);
    struct pg_args a = {0};

    pg_arg_text(&a, p->hash);
    pg_arg_text(&a, p->name);
    pg_arg_text(&a, body);
    return pg_run(pg, NULL,
                  "INSERT INTO pack_bodies (sha256, name, body) VALUES ($1, $2, $3) ON "
                  "CONFLICT DO NOTHING",
                  &a);
}

int packs_keep(struct pg *pg, const struct packs *packs)
{
    int err = packs ? pg_begin(pg, 0) : 0;

    if (err || !packs)
        return err;
    for (size_t i = 0; !err && i < packs->n; i++)
        err = keep(pg, &packs->at[i]);
    return pg_end(pg, err);
}

static char *hash_body(const json_t *body, char hash[SHA256_TEXT_MAX])
{
    char *text = json_dumps(body, JSON_COMPACT | JSON_SORT_KEYS);
    uint8_t bytes[SHA256_BYTES];

    hash[0] = '\0';
    if (text) {
        sha256_of(text, strlen(text), bytes);
        sha256_text(bytes, hash);
    }
    return text;
}

int policy_keep(struct pg *pg, int tenant_id, const struct policy *policy,
                char hash[SHA256_TEXT_MAX])
{
    json_auto_t *json = policy_to_json(policy);
    CLEANUP(free_cleanup) char *body = hash_body(json, hash);
    struct pg_args a = {0};

    if (!body)
        return EPROTO;
    pg_arg_i64(&a, tenant_id);
    pg_arg_text(&a, hash);
    pg_arg_text(&a, body);
    return pg_run(pg, NULL,
                  "INSERT INTO policy_bodies (tenant_id, sha256, body) VALUES ($1, $2, "
                  "$3) ON CONFLICT DO NOTHING",
                  &a);
}

static json_t *read_body(const struct inputs_bodies *b, const char *sha256)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    char hash[SHA256_TEXT_MAX];
    struct pg_args a = {0};
    /* In the caller's transaction, however it was begun, or in one of its own. */
    bool own = PQtransactionStatus(pg_conn(b->pg)) == PQTRANS_IDLE;

    int err = own ? pg_begin(b->pg, b->tenant_id) : 0;
    if (err)
        return NULL;
    pg_arg_text(&a, sha256);
    pg_arg_i64(&a, b->tenant_id);
    err = pg_run(b->pg, &res,
                 "SELECT body FROM pack_bodies WHERE sha256 = $1 UNION ALL SELECT body "
                 "FROM policy_bodies WHERE tenant_id = $2 AND sha256 = $1 LIMIT 1",
                 &a);
    err = own ? pg_end(b->pg, err) : err;
    if (err || PQntuples(res) == 0)
        return NULL;
    json_t *body = json_loads(pg_text(res, 0, 0), 0, NULL);
    free(hash_body(body, hash));
    if (body && !str_is(hash, sha256)) {
        json_decref(body);
        body = NULL;
    }
    return body;
}

json_t *inputs_body(const char *sha256, void *arg)
{
    struct inputs_bodies *b = arg;
    json_t *body = json_object_get(b->found, sha256);

    if (!body) {
        body = read_body(b, sha256);
        if (!body)
            return NULL;
        if (!b->found)
            b->found = json_object();
        json_object_set_new(b->found, sha256, body);
    }
    return json_incref(body);
}

void inputs_bodies_free(struct inputs_bodies *b)
{
    json_decref(b->found);
    b->found = NULL;
}
