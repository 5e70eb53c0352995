#include "bench/people.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/str.h"
#include "base/xalloc.h"
#include "store/ledger_fixture.h"

#define FIRST_PHONE INT64_C(251900000000)

/* At T0, Tuesday 08:00 UTC, two thirds of them are inside 09:00-20:00. */
static const struct {
    const char *region, *zone;
} places[PEOPLE_ZONES] = {
    {"ET", "Africa/Addis_Ababa"},
    {"KE", "Africa/Nairobi"},
    {"UG", "Africa/Kampala"},
    {"TZ", "Africa/Dar_es_Salaam"},
    {"RW", "Africa/Kigali"},
    {"ZA", "Africa/Johannesburg"},
    {"NG", "Africa/Lagos"},
    {"EG", "Africa/Cairo"},
    {"DE", "Europe/Berlin"},
    {"FR", "Europe/Paris"},
    {"IT", "Europe/Rome"},
    {"ES", "Europe/Madrid"},
    {"PL", "Europe/Warsaw"},
    {"SE", "Europe/Stockholm"},
    {"FI", "Europe/Helsinki"},
    {"GR", "Europe/Athens"},
    {"RO", "Europe/Bucharest"},
    {"TR", "Europe/Istanbul"},
    {"IN", "Asia/Kolkata"},
    {"LK", "Asia/Colombo"},
    {"NP", "Asia/Kathmandu"},
    {"BD", "Asia/Dhaka"},
    {"TH", "Asia/Bangkok"},
    {"VN", "Asia/Ho_Chi_Minh"},
    {"SG", "Asia/Singapore"},
    {"PH", "Asia/Manila"},
    {"JP", "Asia/Tokyo"},
    {"PE", "America/Lima"},
    {"CO", "America/Bogota"},
    {"GT", "America/Guatemala"},
    {"HN", "America/Tegucigalpa"},
    {"SV", "America/El_Salvador"},
    {"NI", "America/Managua"},
    {"CR", "America/Costa_Rica"},
    {"PA", "America/Panama"},
    {"JM", "America/Jamaica"},
    {"HT", "America/Port-au-Prince"},
    {"UY", "America/Montevideo"},
    {"PY", "America/Asuncion"},
    {"VE", "America/Caracas"},
};

/* ---- rows ---- */

void people_must(struct pg *super, const char *sql)
{
    if (!pg_script(super, sql))
        return;
    fprintf(stderr, "bench: %s\n%s\n", pg_error(super), sql);
    exit(1);
}

/* Rows first, indexes afterwards: ten million take minutes instead of an hour. */
static void fill_contacts(struct pg *super, int64_t contacts, int64_t first_campaign,
                          int64_t first_group)
{
    char *sql = xasprintf(
        "SET ROLE NONE; SET session_replication_role = replica; SET work_mem = '256MB'; "
        "SET maintenance_work_mem = '512MB'; "
        "CREATE TEMP TABLE defs AS SELECT indexrelid::regclass::text AS name, "
        "pg_get_indexdef(indexrelid) AS def FROM pg_index WHERE indrelid IN "
        "('contacts'::regclass, 'campaign_contacts'::regclass) AND NOT indisprimary; "
        "DO $$ DECLARE d text; BEGIN FOR d IN SELECT name FROM defs LOOP EXECUTE 'DROP "
        "INDEX ' || d; END LOOP; END $$; "
        "INSERT INTO contacts (id, tenant_id, list_id, phone, number_type, zone_group, "
        "region) OVERRIDING SYSTEM VALUE SELECT g + 1, 1, l.id, %" PRId64
        " + g, 1, %" PRId64 " + g %% %d, z.region FROM generate_series(0, %" PRId64
        ") g CROSS JOIN (SELECT min(id) AS id FROM lists) l JOIN zone_groups z ON z.id = "
        "%" PRId64 " + g %% %d; "
        "INSERT INTO campaign_contacts (tenant_id, campaign_id, contact_id, phone, "
        "zone_group, number_type, next_attempt_at) SELECT 1, %" PRId64
        " + id / %d %% %d, id, phone, zone_group, 1, furrow_ts(%" PRId64
        " + (hashint8(id) %% 100 - 70) * 600000) FROM contacts; "
        "DO $$ DECLARE d text; BEGIN FOR d IN SELECT def FROM defs LOOP EXECUTE d; END "
        "LOOP; END $$; DROP TABLE defs;",
        FIRST_PHONE, first_group, PEOPLE_ZONES, contacts - 1, first_group, PEOPLE_ZONES,
        first_campaign, PEOPLE_ZONES, PEOPLE_CAMPAIGNS, T0);

    people_must(super, sql);
    free(sql);
}

static void fill_marks(struct pg *super, int64_t contacts)
{
    char *sql = xasprintf(
        "INSERT INTO dnc_entries (tenant_id, phone, source, added_at) SELECT 1, "
        "%" PRId64 " + g, 'import', furrow_ts(%" PRId64 ") FROM generate_series(0, "
        "%" PRId64 ", 20) g; "
        "INSERT INTO attempts (id, tenant_id, campaign_id, contact_id, phone, trunk_id, "
        "slot, number, state, intent_at, released_at, ended_at, disposition) SELECT "
        "(lpad(to_hex(%" PRId64 " + g), 12, '0') || '7000' || '8000' || "
        "lpad(to_hex(g), 12, '0'))::uuid, 1, 0, g + 1, %" PRId64
        " + g, 1, 0, 1, 'ended', furrow_ts(t.at), furrow_ts(t.at), furrow_ts(t.at + "
        "30000), 'no_answer' FROM generate_series(2, %" PRId64
        ", 5) g CROSS JOIN LATERAL (SELECT %" PRId64 " - (g %% 2000) * 600000) t(at)",
        FIRST_PHONE, T0 - 1000, contacts - 1, T0 - INT64_C(86400000), FIRST_PHONE,
        contacts - 1, T0 - INT64_C(86400000));

    people_must(super, sql);
    people_must(super, "VACUUM (FREEZE, ANALYZE)");
    people_must(super, "CHECKPOINT");
    free(sql);
}

int64_t people_fill(struct pg *pg, struct pg *super, int64_t contacts)
{
    static const char *const names[PEOPLE_CAMPAIGNS] = {"spring", "summer", "autumn"};
    CLEANUP(buf_free) struct buf rules = {0};
    int64_t campaign = 0, group = 0;

    /* No pack covers most of these regions: the campaigns state hours themselves. */
    buf_printf(&rules, ",\"windows\":{\"mon-sat\":[\"09:00-20:00\"]},\"regions\":[");
    for (int i = 0; i < PEOPLE_ZONES; i++)
        buf_printf(&rules, "%s\"%s\"", i ? "," : "", places[i].region);
    buf_printf(&rules, "]");
    for (int i = PEOPLE_CAMPAIGNS - 1; i >= 0; i--)
        campaign = ledger_campaign(pg, names[i], rules.data);
    for (int i = PEOPLE_ZONES - 1; i >= 0; i--)
        group = ledger_zone(pg, places[i].region, places[i].zone);
    /* Ids ascend, so the first of them are so many less. */
    campaign -= PEOPLE_CAMPAIGNS - 1;
    fill_contacts(super, contacts, campaign, group - (PEOPLE_ZONES - 1));
    fill_marks(super, contacts);
    return campaign;
}
