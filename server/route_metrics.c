/*
 * /metrics in Prometheus' text format. Gauges are counted by SQL at each scrape,
 * tenant by tenant, so that they are the truth and survive restarts of any
 * process; queries touch partial or small indexes only. Who has metrics_token sees
 * tenants and campaigns by name, anybody else all of them together.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/pg.h"
#include "server/hook.h"
#include "server/http_allow.h"
#include "server/job_metrics.h"
#include "server/load.h"

enum { TENANTS_MAX = 1000 };

struct gauge {
    const char *name, *help,
        *labels;     /* labels: one name per text column after the value */
    const char *sql; /* value, label values…; rows of one tenant */
    bool largest;    /* seconds, of which the largest one counts */
};

static const struct gauge gauges[] = {
    {"furrow_attempts_open", "Attempts not over, by state", "state",
     "SELECT count(*), state FROM attempts WHERE ended_at IS NULL AND state IN "
     "('intent', "
     "'released', 'ringing', 'answered') GROUP BY state"},
    {"furrow_calls_open", "Calls with a live flow, by direction", "direction",
     "SELECT count(*), direction FROM calls WHERE ended_at IS NULL GROUP BY direction"},
    {"furrow_campaigns", "Campaigns, by state", "state",
     "SELECT count(*), state FROM campaigns GROUP BY state"},
    {"furrow_contacts_state", "Contacts of running campaigns, by state", "campaign,state",
     "SELECT count(*), c.name, cc.state FROM campaigns c JOIN campaign_contacts cc ON "
     "cc.campaign_id = c.id WHERE c.state IN ('running', 'paused') GROUP BY c.name, "
     "cc.state"},
    {"furrow_jobs", "Jobs that are not over, and buried ones, by kind and state",
     "kind,state",
     "SELECT count(*), kind, state FROM jobs WHERE finished_at IS NULL GROUP BY kind, "
     "state UNION ALL SELECT count(*), kind, state FROM jobs WHERE finished_at IS NOT "
     "NULL "
     "AND last_error <> '' AND state = 'buried' GROUP BY kind, state"},
    {"furrow_jobs_oldest_seconds", "Age of the oldest job that is due, by kind", "kind",
     "SELECT coalesce(extract(epoch FROM clock_timestamp() - min(run_at)), 0), kind FROM "
     "jobs "
     "WHERE finished_at IS NULL AND state = 'queued' AND run_at < clock_timestamp() "
     "GROUP "
     "BY kind",
     true},
    {"furrow_outbox", "Outbox rows not yet handed to Redis", "",
     "SELECT count(*) FROM outbox"},
    {"furrow_recordings", "Recordings, by state", "state",
     "SELECT count(*), state FROM recordings GROUP BY state"},
    {"furrow_messages", "SMS, by state", "state",
     "SELECT count(*), state FROM messages GROUP BY state"},
};

/* A campaign's name is a tenant's own, too. */
static void add_row(struct metrics_out *m, const struct gauge *g, const char *tenant,
                    const PGresult *res, int row)
{
    const struct metrics_value v = {.value = strtod(pg_text(res, row, 0), NULL),
                                    .decimals = g->largest ? 3 : 0,
                                    .largest = g->largest};
    CLEANUP(buf_free) struct buf labels = {0};
    const char *label = g->labels;

    for (int col = 1; col < PQnfields(res); col++) {
        size_t len = strcspn(label, ",");
        if (m->by_tenant || strncmp(label, "campaign", len) != 0)
            metrics_label(&labels, label, len, pg_text(res, row, col));
        label += len + (label[len] == ',');
    }
    metrics_row(m, g->name, tenant, labels.data ? labels.data : "", &v);
}

static int add_gauge(struct pg *pg, struct metrics_out *m, const struct gauge *g,
                     const PGresult *tenants)
{
    metrics_family(m, g->name, g->help, "gauge");
    for (int i = 0; i < PQntuples(tenants); i++) {
        CLEANUP(pg_result_free) PGresult *res = NULL;
        int err = pg_begin(pg, (int)pg_i64(tenants, i, 0));
        if (!err)
            err = pg_run(pg, &res, g->sql, NULL);
        if (!err)
            err = pg_commit(pg);
        if (err)
            return err;
        for (int row = 0; row < PQntuples(res); row++)
            add_row(m, g, pg_text(tenants, i, 1), res, row);
    }
    return 0;
}

static int add_slots(struct pg *pg, struct buf *b)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;

    int err = pg_run(pg, &res,
                     "SELECT kind, count(*) FROM node_slots WHERE lease_until > "
                     "clock_timestamp() GROUP BY kind",
                     NULL);
    if (err)
        return err;
    buf_puts(b, "# HELP furrow_processes Processes with a live lease.\n"
                "# TYPE furrow_processes gauge\n");
    for (int i = 0; i < PQntuples(res); i++)
        buf_printf(b, "furrow_processes{kind=\"%s\"} %s\n", pg_text(res, i, 0),
                   pg_text(res, i, 1));
    return 0;
}

static void add_hooks(struct buf *b)
{
    buf_puts(b,
             "# HELP furrow_hook_requests_total Requests of providers since the start.\n"
             "# TYPE furrow_hook_requests_total counter\n");
    for (int i = 0; i < HOOK_COUNTS; i++)
        buf_printf(b, "furrow_hook_requests_total{result=\"%s\"} %ld\n",
                   hook_count_name(i), hook_count_read(i));
}

static void add_load(struct buf *b, const struct request *req)
{
    static const char *const heads[] = {
        "furrow_requests_waiting Requests in line now.\n# TYPE furrow_requests_waiting "
        "gauge",
        "furrow_requests_running Requests that are being served.\n# TYPE "
        "furrow_requests_running gauge",
        "furrow_requests_oldest_seconds How long the first in line has waited.\n# TYPE "
        "furrow_requests_oldest_seconds gauge",
        "furrow_requests_served_total Requests served since the start.\n# TYPE "
        "furrow_requests_served_total counter",
        "furrow_requests_shed_total Requests that could not be served in time.\n# TYPE "
        "furrow_requests_shed_total counter"};
    struct http_load load;

    http_server_load(req->server, &load);
    for (size_t i = 0; i < ARRAY_LEN(heads); i++) {
        buf_printf(b, "# HELP %s\n", heads[i]);
        for (int c = 0; c < HTTP_CLASSES; c++) {
            const double values[] = {load.of[c].waiting, load.of[c].running,
                                     (double)load.of[c].oldest_ms / 1000.0,
                                     (double)load.of[c].served, (double)load.of[c].shed};
            buf_printf(b, "%.*s{class=\"%s\"} %.*f\n", (int)strcspn(heads[i], " "),
                       heads[i], load_class_name(c), i == 2 ? 3 : 0, values[i]);
        }
    }
}

static void add_process(struct buf *b, const struct request *req, bool database)
{
    const struct server *s = req->app;

    add_hooks(b);
    add_load(b, req);
    buf_printf(b,
               "# HELP furrow_up_seconds Time since furrow-server started.\n"
               "# TYPE furrow_up_seconds gauge\nfurrow_up_seconds %.0f\n"
               "# HELP furrow_database_up Whether Postgres answered this scrape.\n"
               "# TYPE furrow_database_up gauge\nfurrow_database_up %d\n",
               (double)(mono_ms() - s->started_ms) / 1000.0, database ? 1 : 0);
}

static void answer(struct response *resp)
{
    resp->status = 200;
    resp->content_type = "text/plain; version=0.0.4; charset=utf-8";
}

/* What is known without the database. */
void route_metrics_shed(const struct request *req, struct response *resp)
{
    add_process(&resp->body, req, false);
    answer(resp);
}

static int add_counted(struct pg *pg, struct metrics_out *m, const PGresult *tenants)
{
    int err = 0;

    for (size_t i = 0; i < ARRAY_LEN(gauges) && !err; i++)
        err = add_gauge(pg, m, &gauges[i], tenants);
    if (!err)
        err = job_metrics_add(pg, m, tenants);
    metrics_end(m);
    return err;
}

void route_metrics(const struct request *req, struct response *resp)
{
    struct server *s = req->app;
    CLEANUP(pg_result_free) PGresult *tenants = NULL;
    const char *token = s->config.metrics_token;
    struct metrics_out m = {.b = &resp->body,
                            .by_tenant = http_bearer_is(req->authorization, token)};

    if (req->authorization && *token && !m.by_tenant) {
        request_refuse(req, resp, 401, "send Authorization: Bearer <metrics_token>");
        return;
    }
    struct pg *pg = pg_pool_take(s->pool);
    int err =
        pg_run(pg, &tenants, "SELECT id, name FROM tenants ORDER BY id LIMIT 1000", NULL);
    if (!err)
        err = add_counted(pg, &m, tenants);
    if (!err)
        err = add_slots(pg, &resp->body);
    if (err)
        log_warn("metrics", "err=%d why=%s", err, LOG_ESC(pg_error(pg)));
    pg_pool_give(s->pool, pg);
    add_process(&resp->body, req, !err);
    answer(resp);
}
