#include "compliance/pack_store.h"

#include <stdlib.h>

#include "base/pg.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "compliance/pack.h"

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

json_t *pack_body(const char *sha256, void *arg)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    pg_arg_text(&a, sha256);
    if (pg_run(arg, &res, "SELECT body FROM pack_bodies WHERE sha256 = $1", &a) ||
        PQntuples(res) == 0)
        return NULL;
    return json_loads(pg_text(res, 0, 0), 0, NULL);
}
