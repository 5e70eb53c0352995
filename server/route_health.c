/*
 * /healthz says the process lives, and whether it has more to do than it can; /readyz
 * says it can work: Postgres answers with the right schema, and whether Redis does
 * (degraded, not unready, without it, and while requests are shed).
 */
#include <stdio.h>

#include "base/migrate.h"
#include "base/pg.h"
#include "base/redis.h"
#include "server/load.h"

void route_healthz(const struct request *req, struct response *resp)
{
    char why[LOAD_TROUBLE_MAX];

    respond_text(resp, 200, load_trouble(req, why) ? "degraded: " : "ok");
    buf_puts(&resp->body, why);
    buf_puts(&resp->body, "\n");
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

static void answer_ready(struct response *resp, bool postgres, bool redis,
                         const char *trouble)
{
    const char *hint =
        !postgres ? "PostgreSQL is away or not migrated: see the log, run furrow migrate"
        : !redis  ? "Redis is away: no new calls are placed and jobs run slowly"
                  : trouble;

    resp->status = postgres ? 200 : 503;
    resp->content_type = "application/json";
    buf_printf(&resp->body,
               "{\"ready\":%s,\"postgres\":%s,\"redis\":%s,\"degraded\":%s,"
               "\"load\":\"%s\",\"hint\":\"%s\"}\n",
               postgres ? "true" : "false", postgres ? "true" : "false",
               redis ? "true" : "false",
               postgres && redis && !trouble[0] ? "false" : "true", trouble, hint);
}

void route_readyz(const struct request *req, struct response *resp)
{
    struct server *s = req->app;
    char why[LOAD_TROUBLE_MAX];
    struct errtext e = {0};

    struct pg *pg = pg_pool_take(s->pool);
    int err = migrate_check(pg, &e);
    pg_pool_give(s->pool, pg);
    load_trouble(req, why);
    answer_ready(resp, !err, redis_answers(s->config.common.redis_url), why);
}

/* Whoever asks has waited for the database as long as a probe does. */
void route_readyz_shed(const struct request *req, struct response *resp)
{
    char why[LOAD_TROUBLE_MAX];

    if (!load_trouble(req, why))
        snprintf(why, sizeof(why), "the database does not answer in time");
    resp->status = 503;
    resp->content_type = "application/json";
    respond_header(resp, "Retry-After", "5");
    buf_printf(
        &resp->body,
        "{\"ready\":false,\"postgres\":false,\"redis\":null,\"degraded\":true,"
        "\"load\":\"%s\",\"hint\":\"the database does not answer in time: what holds "
        "it? see pg_stat_activity\"}\n",
        why);
}
