#include "store/ledger_fixture.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "store/pgtest.h"

static int64_t list_id, trunk_id, revision_id;

static void format(char *out, size_t size, const char *fmt, va_list ap)
{
    int n = vsnprintf(out, size, fmt, ap);

    if (n < 0 || (size_t)n >= size)
        abort();
}

int64_t ledger_i64(struct pg *pg, const char *fmt, ...)
{
    char sql[4000];
    va_list ap;

    va_start(ap, fmt);
    format(sql, sizeof(sql), fmt, ap);
    va_end(ap);
    return pgtest_i64(pg, TENANT, sql);
}

void ledger_run(struct pg *pg, const char *fmt, ...)
{
    char sql[4000];
    va_list ap;

    va_start(ap, fmt);
    format(sql, sizeof(sql), fmt, ap);
    va_end(ap);
    pgtest_run(pg, TENANT, sql);
}

int ledger_is(struct pg *pg, const char *wanted, const char *fmt, ...)
{
    char sql[4000];
    va_list ap;

    va_start(ap, fmt);
    format(sql, sizeof(sql), fmt, ap);
    va_end(ap);
    return ledger_i64(pg, "SELECT (coalesce((%s)::text, 'null') = '%s')::int", sql,
                      wanted) == 1;
}

void ledger_fixture_start(struct pg *pg)
{
    struct errtext e = {0};

    if (clock_init("2026-11-24T08:00:00Z@1", &e))
        abort();
    list_id = ledger_i64(pg, "INSERT INTO lists (tenant_id, name, created_at) VALUES (1, "
                             "'farmers', now()) RETURNING id");
    int64_t flow = ledger_i64(pg, "INSERT INTO flows (tenant_id, name, created_at) "
                                  "VALUES (1, 'greet', now()) RETURNING id");
    revision_id = ledger_i64(
        pg,
        "INSERT INTO flow_revisions (tenant_id, flow_id, revision, sha256, source, "
        "published_at) VALUES (1, %" PRId64
        ", 1, 'abc', '{\"v\":1}', now()) RETURNING id",
        flow);
    trunk_id = ledger_i64(pg, "INSERT INTO trunks (tenant_id, name, kind, cps, "
                              "max_channels, created_at) VALUES (1, 'sim', 'simulated', "
                              "100, 100, now()) RETURNING id");
}

int64_t ledger_campaign(struct pg *pg, const char *name, const char *rules)
{
    return ledger_i64(
        pg,
        "INSERT INTO campaigns (tenant_id, name, state, document, document_text, "
        "list_id, trunk_id, flow_revision_id, created_at, changed_at) SELECT 1, '%s', "
        "'running', d::jsonb, d, %" PRId64 ", %" PRId64 ", %" PRId64
        ", now(), now() FROM (SELECT '{\"name\":\"%s\",\"list\":\"farmers\",\"flow\":"
        "\"greet\",\"trunk\":\"sim\",\"caller_id\":\"+251115550100\"%s}' AS d) q "
        "RETURNING id",
        name, list_id, trunk_id, revision_id, name, rules);
}

int64_t ledger_zone(struct pg *pg, const char *region, const char *zone)
{
    return ledger_i64(pg,
                      "INSERT INTO zone_groups (tenant_id, region, zones) VALUES (1, "
                      "'%s', CASE WHEN '%s' = '' THEN '{}'::text[] ELSE "
                      "string_to_array('%s', ',') END) ON CONFLICT (tenant_id, region, "
                      "zones) DO UPDATE SET region = excluded.region RETURNING id",
                      region, zone, zone);
}

int64_t ledger_contact(struct pg *pg, int64_t campaign_id, int64_t zone_group,
                       int64_t phone, int priority)
{
    int64_t id = ledger_i64(
        pg,
        "INSERT INTO contacts (tenant_id, list_id, phone, number_type, zone_group, "
        "region, attrs) VALUES (1, %" PRId64 ", %" PRId64 ", 1, %" PRId64
        ", 'ET', '{\"name\": \"John\"}') ON CONFLICT (list_id, phone) DO UPDATE SET "
        "phone = excluded.phone RETURNING id",
        list_id, phone, zone_group);

    ledger_run(
        pg,
        "INSERT INTO campaign_contacts (tenant_id, campaign_id, contact_id, phone, "
        "zone_group, number_type, priority, base_priority, next_attempt_at) VALUES (1, "
        "%" PRId64 ", %" PRId64 ", %" PRId64 ", %" PRId64
        ", 1, %d, %d, furrow_ts(%" PRId64 "))",
        campaign_id, id, phone, zone_group, priority, priority, T0 - 1000);
    return id;
}
