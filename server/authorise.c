#include "server/authorise.h"

#include <errno.h>
#include <string.h>

#include "base/pg.h"
#include "base/str.h"
#include "campaigns/api_key_store.h"
#include "server/contract.h"
#include "server/server.h"

/* The one key that the voice API had where it was before, of the tenant of its mount. */
static bool is_voice_key(const struct request *req, const char *key, const char *scope)
{
    const struct server *s = req->app;
    const char *want = s->config.voice_ledger_api_key;

    return want[0] && str_is(scope, "voice") &&
           req->mount->contract == contracts[CONTRACT_VOICE_LEDGER] &&
           strlen(key) == strlen(want) && mem_equal_ct(key, want, strlen(want));
}

int server_authorise(struct request *req, const char *key, const char *scope, int *wait_s)
{
    const struct server *s = req->app;
    bool any = s->config.voice_ledger_api_key[0] != '\0';

    if (is_voice_key(req, key, scope)) { /* the mount's tenant is there already */
        str_cut(req->key_name, sizeof(req->key_name), "VOICE_LEDGER_API_KEY");
        return 0;
    }
    struct pg *pg = pg_pool_take(s->pool);
    int err = api_key_find(pg, key, scope, &req->tenant_id, req->key_name, wait_s);

    if (err == ENOENT && !any && !api_key_exists(pg, &any) && !any)
        err = ENOKEY;
    pg_pool_give(s->pool, pg);
    return err;
}
