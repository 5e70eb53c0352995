/*
 * /healthz says the process lives; /readyz says it can work: Postgres answers with
 * the right schema, and whether Redis does (degraded, not unready, without it).
 */
#include "base/migrate.h"
#include "base/pg.h"
#include "base/redis.h"
#include "server/server.h"

void route_healthz(const struct request *req, struct response *resp)
{
    (void)req;
    respond_text(resp, 200, "ok\n");
}

static bool redis_answers(const char *url)
{
    struct redis *r = NULL;

    if (redis_open(&r, url, NULL))
        return false;
    int err = redis_cmd(r, NULL, "PING");
    redis_close(r);
    return err == 0;
}

void route_readyz(const struct request *req, struct response *resp)
{
    struct server *s = req->app;
    struct errtext e = {0};

    struct pg *pg = pg_pool_take(s->pool);
    int err = migrate_check(pg, &e);
    pg_pool_give(s->pool, pg);
    bool redis = redis_answers(s->config.common.redis_url);
    resp->status = err ? 503 : 200;
    resp->content_type = "application/json";
    buf_printf(&resp->body,
               "{\"ready\":%s,\"postgres\":%s,\"redis\":%s,\"hint\":\"%s\"}\n",
               err ? "false" : "true", err ? "false" : "true", redis ? "true" : "false",
               err ? "PostgreSQL is away or not migrated: see the log, run furrow migrate"
               : redis ? ""
                       : "Redis is away: no new calls are placed and jobs run slowly");
}
