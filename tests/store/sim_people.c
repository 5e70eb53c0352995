#include "store/sim_people.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/xalloc.h"
#include "campaigns/flow_store.h"
#include "store/ledger_fixture.h"

#define FIRST_PHONE INT64_C(251911000000)

static const char flow[] =
    "{\"furrow\":1,\"name\":\"sim\",\"language\":\"en\",\"languages\":[\"en\",\"am\"],"
    "\"entry\":\"menu\",\"prompts\":{\"menu\":{\"en\":\"Hello {{contact.name}}. To speak "
    "press 1, to be called later press 2, for Amharic press 3, to stop these calls press "
    "9.\",\"am\":\"1, 2, 3, 9.\"},\"speak\":{\"en\":\"Speak "
    "now.\",\"am\":\"...\"},\"thanks\":{\"en\":\"Thank you.\",\"am\":\"...\"},\"which\":"
    "{\"en\":\"For Amharic, press 2.\",\"am\":\"...\"}},\"nodes\":{"
    "\"menu\":{\"kind\":\"collect\",\"prompt\":\"menu\",\"timeout_s\":5,\"attempts\":2,"
    "\"exits\":{\"1\":\"record\",\"2\":\"later\",\"3\":\"which\",\"9\":\"stop\",\"0\":"
    "\"enough\",\"no_input\":\"bye\",\"invalid\":\"bye\"}},"
    "\"which\":{\"kind\":\"language\",\"prompt\":\"which\",\"choices\":{\"1\":\"en\","
    "\"2\":"
    "\"am\"},\"attempts\":1,\"exits\":{\"chosen\":\"bye\",\"invalid\":\"bye\",\"no_"
    "input\":"
    "\"bye\"}},"
    "\"record\":{\"kind\":\"record\",\"prompt\":\"speak\",\"max_s\":15,\"silence_s\":3,"
    "\"exits\":{\"recorded\":\"bye\",\"empty\":\"bye\",\"failed\":\"bye\"}},"
    "\"later\":{\"kind\":\"callback\",\"in_s\":5400,\"exits\":{\"scheduled\":\"bye\","
    "\"duplicate\":\"bye\",\"refused\":\"bye\"}},"
    "\"stop\":{\"kind\":\"hangup\",\"opt_out\":\"tenant\",\"outcome\":\"stopped\"},"
    "\"enough\":{\"kind\":\"hangup\",\"opt_out\":\"campaign\",\"outcome\":\"enough\"},"
    "\"bye\":{\"kind\":\"hangup\",\"prompt\":\"thanks\",\"outcome\":\"done\"}}}";

static void must(struct pg *pg, int err, const char *what)
{
    if (!err)
        return;
    fprintf(stderr, "sim_people: %s: %d %s\n", what, err, pg_error(pg));
    exit(1);
}

static void fill_contacts(struct pg *pg, int64_t campaign, int64_t contacts,
                          const int64_t zones[5])
{
    ledger_run(
        pg,
        "INSERT INTO contacts (tenant_id, list_id, phone, number_type, zone_group, "
        "region, attrs, person, person_rank) SELECT 1, c.list_id, %" PRId64
        " + g, 1, (ARRAY[%" PRId64 ", %" PRId64 ", %" PRId64 ", %" PRId64 ", %" PRId64
        "])[1 + CASE WHEN g %% 5 = 4 AND g %% 25 <> 4 THEN 0 ELSE g %% 5 END], 'ET', "
        "jsonb_build_object('name', 'farmer ' || g), CASE WHEN "
        "g %% 7 < 2 THEN 'p' || g / 7 END, CASE WHEN g %% 7 = 1 THEN 1 ELSE 0 END "
        "FROM generate_series(0, %" PRId64
        "::bigint) g CROSS JOIN campaigns c WHERE c.id = %" PRId64,
        FIRST_PHONE, zones[0], zones[1], zones[2], zones[3], zones[4], contacts - 1,
        campaign);
    ledger_run(
        pg,
        "INSERT INTO campaign_contacts (tenant_id, campaign_id, contact_id, phone, "
        "zone_group, number_type, priority, base_priority, next_attempt_at) SELECT 1, "
        "%" PRId64 ", id, phone, zone_group, 1, CASE WHEN phone %% 11 = 0 THEN 2 ELSE "
        "-person_rank END, -person_rank, furrow_ts(%" PRId64
        " + CASE WHEN phone %% 3 = 0 THEN 0 ELSE phone %% 97 * 60000 END) FROM "
        "contacts c WHERE list_id = (SELECT list_id FROM campaigns WHERE id = "
        "%" PRId64 ")",
        campaign, T0, campaign);
    ledger_run(
        pg,
        "UPDATE campaigns SET last_contact_id = (SELECT max(id) FROM contacts) WHERE "
        "id = %" PRId64,
        campaign);
}

static void fill_marks(struct pg *pg, int64_t campaign)
{
    ledger_run(
        pg,
        "INSERT INTO dnc_entries (tenant_id, phone, campaign_id, source, added_at) "
        "SELECT 1, phone, CASE phone %% 2 WHEN 0 THEN 0 ELSE %" PRId64
        " END, 'cli', furrow_ts(%" PRId64 ") FROM contacts WHERE phone %% 29 = 0",
        campaign, T0 - INT64_C(86400000));
    ledger_run(pg,
               "INSERT INTO consents (tenant_id, phone, level, evidence, given_at) "
               "SELECT 1, phone, 'express', 'form', timestamptz '2026-01-01 00:00Z' + "
               "phone %% 50 * interval '1 day' FROM contacts WHERE phone %% 17 <> 0");
    /* On quarters of an hour: that is how finely a simulation knows them. */
    ledger_run(
        pg,
        "INSERT INTO attempts (id, tenant_id, campaign_id, contact_id, phone, "
        "trunk_id, slot, number, state, intent_at, released_at, ended_at, "
        "disposition) SELECT gen_random_uuid(), 1, 0, id, phone, 1, 0, 1, 'ended', "
        "t, t, t, CASE phone %% 2 WHEN 0 THEN 'completed' ELSE 'no_answer' END FROM "
        "contacts CROSS JOIN LATERAL (SELECT furrow_ts(%" PRId64
        " - (1 + phone %% 300) * 900000) t) s WHERE phone %% 4 = 1",
        T0);
}

struct campaign_row sim_people(struct pg *pg, const char *name, int64_t contacts, int cps,
                               int channels, const char *more)
{
    CLEANUP(free_cleanup)
    char *rules = xasprintf(
        ",\"windows\":{\"mon-sat\":[\"09:00-20:00\"]},\"regions\":[\"ET\"],\"consent\":"
        "\"express\",\"purpose\":\"informational\",\"limits\":{\"per_24h\":2,\"per_7d\":"
        "4,"
        "\"min_gap_s\":3600},\"frequency\":[{\"code\":\"FREQ_24H\",\"kind\":\"rolling\","
        "\"seconds\":86400,\"max\":3,\"scope\":\"person\"}],\"keep_open\":true,"
        "\"pacing\":{"
        "\"cps\":%d,\"max_concurrent\":%d},\"retry\":{\"max_attempts\":4,\"busy\":{"
        "\"max_attempts\":4,\"delay_s\":700,\"backoff\":2,\"jitter\":0.3,\"order\":"
        "\"front\"},\"no_answer\":{\"max_attempts\":4,\"delay_s\":5000,\"jitter\":0.2,"
        "\"order\":\"back\",\"at\":\"best_hour\"},\"completed\":{\"max_"
        "attempts\":"
        "2,\"delay_s\":50000}}%s",
        cps, channels, more);
    const int64_t zones[5] = {ledger_zone(pg, "ET", "Africa/Addis_Ababa"),
                              ledger_zone(pg, "ET", "Europe/Berlin"),
                              ledger_zone(pg, "ET", "America/Lima,America/New_York"),
                              ledger_zone(pg, "ET", "Pacific/Honolulu"),
                              ledger_zone(pg, "ET", "")};
    struct campaign_row row = {0};
    struct flow_row published = {0};
    struct errtext e = {0};
    bool fresh = false;

    must(pg, flow_publish(pg, TENANT, "sim", flow, T0, &published, &fresh), "flow");
    int64_t campaign = ledger_campaign(pg, name, rules);
    ledger_run(pg,
               "UPDATE campaigns SET flow_revision_id = %" PRId64 " WHERE id = %" PRId64,
               published.revision_id, campaign);
    fill_contacts(pg, campaign, contacts, zones);
    fill_marks(pg, campaign);
    must(pg, campaign_find(pg, TENANT, name, &row, &e), e.text);
    return row;
}
