#include "workers/job_schedule.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "campaigns/job_store.h"
#include "campaigns/schedule.h"
#include "workers/job_admin_internal.h"

enum { TENANTS_MAX = 4096, FIRE_BATCH = 100, BROKEN_AGAIN_MS = 3600000 };

int job_schedule_set(struct pg *pg, int tenant_id, const struct job_schedule *s,
                     int64_t now_ms, int64_t *next_ms, struct errtext *e)
{
    CLEANUP(free_cleanup)
    char *text = s->payload ? json_dumps(s->payload, JSON_COMPACT) : xstrdup("{}");
    struct schedule schedule;
    struct pg_args a = {0};

    int err = schedule_parse(&schedule, s->cron, s->timezone, e);
    if (!err && (err = schedule_next(&schedule, now_ms, next_ms)))
        errtext_set(e, EINVAL, 0, 0, "'%s' in %s never comes", s->cron, s->timezone);
    if (err || !text)
        return EINVAL;
    pg_arg_i64(&a, tenant_id);
    pg_arg_text(&a, s->name);
    pg_arg_text(&a, s->kind);
    pg_arg_text(&a, text);
    pg_arg_text(&a, s->cron);
    pg_arg_text(&a, s->timezone);
    pg_arg_ms(&a, *next_ms);
    err = pg_begin(pg, tenant_id);
    if (!err)
        err = pg_end(pg,
                     pg_run(pg, NULL,
                            "INSERT INTO job_schedules (tenant_id, name, kind, payload, "
                            "cron, timezone, next_at) VALUES ($1, $2, $3, $4, $5, $6, "
                            "furrow_ts($7)) ON CONFLICT (tenant_id, name) DO UPDATE "
                            "SET kind = excluded.kind, payload = excluded.payload, "
                            "cron = excluded.cron, timezone = excluded.timezone, "
                            "next_at = excluded.next_at",
                            &a));
    return err ? errtext_set(e, err, 0, 0, "%s", pg_error(pg)) : 0;
}

int job_schedule_remove(struct pg *pg, int tenant_id, const char *name)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};
    int err = pg_begin(pg, tenant_id);

    pg_arg_text(&a, name);
    if (!err)
        err =
            pg_end(pg, pg_run(pg, &res, "DELETE FROM job_schedules WHERE name = $1", &a));
    return err ? err : pg_affected(res) == 1 ? 0 : ENOENT;
}

/* As clock_text() writes it. */
#define INSTANT(column)                                                                  \
    "to_char(" column " AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')"

int job_schedule_list(struct pg *pg, int tenant_id, json_t **out)
{
    return job_admin_json(
        pg, tenant_id,
        "SELECT coalesce(jsonb_agg(to_jsonb(s) - 'tenant_id' || "
        "jsonb_build_object('next_at', " INSTANT(
            "next_at") ", "
                       "'last_at', " INSTANT("last_at") ") ORDER BY name), '[]') "
                                                        "FROM job_schedules s",
        NULL, out);
}

/* Row r of what is due: its job, and when it is due next. */
static int fire_one(struct pg *pg, int tenant_id, const PGresult *res, int r,
                    int64_t now_ms)
{
    json_auto_t *payload = json_loads(pg_text(res, r, 2), 0, NULL);
    const char *name = pg_text(res, r, 0);
    char at[CLOCK_TEXT_MAX];
    int64_t fired_ms = pg_i64(res, r, 6); /* 0: never */
    int64_t planned_ms = pg_i64(res, r, 5), next_ms = 0;
    bool comes = false;
    struct schedule s;
    struct errtext e = {0};
    struct pg_args a = {0};

    int err = schedule_parse(&s, pg_text(res, r, 3), pg_text(res, r, 4), &e);
    if (!err) {
        err = schedule_latest(&s, fired_ms ? fired_ms : planned_ms - 1, now_ms,
                              &planned_ms);
        comes = !err;
        if (err == ENODATA) /* planned by other rules of the zone: only planned anew */
            err = 0;
    }
    if (!err)
        err = schedule_next(&s, now_ms, &next_ms);
    if (err) { /* a zone that went: a person reads the log, the others go on */
        log_warn("schedule", "name=%s err=%d it cannot be planned: %s", name, err,
                 LOG_ESC(e.text));
        next_ms = now_ms + BROKEN_AGAIN_MS;
    } else if (comes) {
        fired_ms = planned_ms;
        CLEANUP(free_cleanup)
        char *key = xasprintf("%s@%s", name, clock_text(planned_ms, at));
        err = job_enqueue(pg, tenant_id, pg_text(res, r, 1), key, payload, now_ms, 0);
        if (err)
            return err;
    }
    pg_arg_text(&a, name);
    pg_arg_ms(&a, next_ms);
    pg_arg_ms(&a, fired_ms);
    return pg_run(pg, NULL,
                  "UPDATE job_schedules SET next_at = furrow_ts($2), last_at = "
                  "nullif(furrow_ts($3), furrow_ts(0)) WHERE name = $1",
                  &a);
}

static int fire_tenant(struct pg *pg, int tenant_id, int64_t now_ms, int *fired)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};
    int err = pg_begin(pg, tenant_id);

    if (err)
        return err;
    pg_arg_ms(&a, now_ms);
    pg_arg_i64(&a, FIRE_BATCH);
    err = pg_run(pg, &res,
                 "SELECT name, kind, payload, cron, timezone, furrow_ms(next_at), "
                 "furrow_ms(last_at) FROM job_schedules WHERE next_at <= furrow_ts($1) "
                 "ORDER BY next_at LIMIT $2 "
                 "FOR UPDATE SKIP LOCKED",
                 &a);
    for (int r = 0; !err && r < PQntuples(res); r++)
        err = fire_one(pg, tenant_id, res, r, now_ms);
    err = pg_end(pg, err);
    if (!err)
        *fired += PQntuples(res);
    return err;
}

int job_schedules_fire(struct pg *pg, int64_t now_ms, int *fired)
{
    CLEANUP(free_cleanup) int *tenants = xcalloc(TENANTS_MAX, sizeof(*tenants));
    size_t n = 0;
    int err = pg_tenants(pg, tenants, TENANTS_MAX, &n);

    *fired = 0;
    for (size_t t = 0; t < n && !err; t++)
        err = fire_tenant(pg, tenants[t], now_ms, fired);
    return err;
}
