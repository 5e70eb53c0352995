#include "store/sim_tables.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "campaigns/flow_store.h"
#include "campaigns/table_memory.h"
#include "campaigns/table_store.h"
#include "simulate/memory.h"
#include "simulate/run.h"
#include "simulate/scene_store.h"
#include "simulate/tables.h"
#include "store/ledger_fixture.h"
#include "store/sim_ledger.h"

enum { SEED = 7, LOOK_MS = 6000 };
#define DAY_MS (INT64_C(86400) * 1000)

static const char flow[] =
    "{\"furrow\":1,\"name\":\"stocked\",\"language\":\"en\",\"entry\":\"ask\",\"nodes\":{"
    "\"ask\":{\"kind\":\"collect\",\"prompt\":{\"en\":\"Press one for a seat, two to "
    "give "
    "it back.\"},\"attempts\":1,\"exits\":{\"1\":\"mine\",\"2\":\"back\",\"3\":\"gone\","
    "\"no_input\":\"bye\",\"invalid\":\"bye\"}},"
    /* Who has been here already keeps the seat. */
    "\"mine\":{\"kind\":\"data\",\"table\":\"visits\",\"where\":{\"phone\":"
    "\"{{call.phone}}\"},\"exits\":{\"done\":\"bye\",\"none\":\"take\",\"failed\":"
    "\"bye\"}},"
    "\"take\":{\"kind\":\"data\",\"table\":\"places\",\"do\":\"update\",\"where\":{"
    "\"tour\":\"hills\",\"seats\":{\"at_least\":1}},\"set\":{\"seats\":{\"add\":-1}},"
    "\"into\":{\"left\":\"seats\"},\"exits\":{\"done\":\"note\",\"none\":\"full\","
    "\"failed\":\"bye\"}},"
    "\"note\":{\"kind\":\"data\",\"table\":\"visits\",\"do\":\"insert\",\"set\":{"
    "\"phone\":\"{{call.phone}}\",\"left\":\"{{vars.left}}\"},\"exits\":{\"done\":"
    "\"send\",\"none\":\"bye\",\"failed\":\"bye\"}},"
    "\"send\":{\"kind\":\"submit\",\"intent\":\"record_receipt\",\"entities\":{"
    "\"quantity\":1},\"exits\":{\"done\":\"booked\",\"failed\":\"bye\"}},"
    "\"back\":{\"kind\":\"data\",\"table\":\"visits\",\"do\":\"delete\",\"where\":{"
    "\"phone\":\"{{call.phone}}\"},\"exits\":{\"done\":\"free\",\"none\":\"bye\","
    "\"failed\":\"bye\"}},"
    "\"free\":{\"kind\":\"data\",\"table\":\"places\",\"do\":\"update\",\"where\":{"
    "\"tour\":\"hills\"},\"set\":{\"seats\":{\"add\":1}},\"exits\":{\"done\":\"bye\","
    "\"none\":\"bye\",\"failed\":\"bye\"}},"
    "\"gone\":{\"kind\":\"data\",\"table\":\"missing\",\"exits\":{\"done\":\"bye\","
    "\"none\":\"bye\",\"failed\":\"bye\"}},"
    "\"booked\":{\"kind\":\"hangup\",\"outcome\":\"booked\",\"prompt\":{\"en\":\"It is "
    "yours.\"}},\"full\":{\"kind\":\"hangup\",\"outcome\":\"full\"},\"bye\":{\"kind\":"
    "\"hangup\",\"outcome\":\"done\"}}}";

static const char rules[] =
    "{\"name\":\"stocked\",\"list\":\"stocked\",\"flow\":\"stocked\",\"trunk\":\"sim\","
    "\"regions\":[\"ET\"],\"purpose\":\"informational\",\"caller_id\":\"+251115550100\","
    "\"pacing\":{\"cps\":1},\"limits\":{\"per_24h\":0,\"min_gap_s\":300},\"retry\":{"
    "\"max_attempts\":3,\"no_answer\":{\"max_attempts\":3,\"delay_s\":400},"
    "\"completed\":{\"max_attempts\":3,\"delay_s\":900}}}";

static void must(struct pg *pg, int err, const char *what)
{
    if (!err)
        return;
    fprintf(stderr, "sim_tables: %s: %d %s\n", what, err, pg_error(pg));
    exit(1);
}

static void add_table(struct pg *pg, const char *name, const char *const *columns,
                      json_t *rows)
{
    struct table_def def = {.key = -1};
    struct table_counts counts;
    struct errtext e = {0};

    for (; *columns; columns++)
        must(pg, table_def_add(&def, *columns, &e), e.text);
    must(pg, table_import(pg, TENANT, name, &def, rows, true, T0, &counts, &e), e.text);
    json_decref(rows);
}

void sim_tables_start(struct pg *pg, int people, int seats)
{
    static const char *const places[] = {"tour:key", "seats:int", NULL};
    static const char *const visits[] = {"phone:key", "left:int", NULL};
    struct campaign_issues issues = {0};
    struct campaign_row row = {0};
    struct flow_row published = {0};
    bool fresh = false, loading = false;
    size_t added = 0;

    add_table(pg, "places", places,
              json_pack("[{s:s, s:i}, {s:s, s:i}]", "tour", "hills", "seats", seats,
                        "tour", "lake", "seats", 1));
    add_table(pg, "visits", visits, json_array());
    ledger_run(pg,
               "INSERT INTO lists (tenant_id, name, created_at) VALUES (1, 'stocked', "
               "now())");
    ledger_run(pg,
               "INSERT INTO contacts (tenant_id, list_id, phone, number_type, "
               "zone_group, region) SELECT 1, l.id, 251941000000 + g, 1, %" PRId64
               ", 'ET' FROM lists l CROSS JOIN generate_series(1, %d) g WHERE l.name = "
               "'stocked'",
               ledger_zone(pg, "ET", "Africa/Addis_Ababa"), people);
    must(pg, flow_publish(pg, TENANT, "stocked", flow, T0, &published, &fresh), "flow");
    int err = campaign_create(pg, TENANT, rules, sizeof(rules) - 1, T0, &row, &issues);
    if (err)
        must(pg, err, issues.n ? issues.at[0].text : "campaign");
    ledger_run(pg, "UPDATE campaigns SET state = 'running' WHERE id = %" PRId64, row.id);
    must(pg, campaign_populate(pg, TENANT, row.id, people, T0, &added, &loading),
         "people");
}

/* ---- both runs ---- */

static int run_rows(void *arg, const struct ivr_data *d, int64_t now_ms,
                    struct table_result *out)
{
    struct pg *pg = arg;
    bool own = false;

    int err = pg_begin_own(pg, TENANT, &own);
    return err ? err : pg_end_own(pg, own, table_run(pg, TENANT, d, now_ms, out));
}

static void run(struct pg *pg, const struct scene *s, const struct sim_store_ops *store,
                void *arg, const struct talk_tables *tables, struct run_counts *counts)
{
    static const char shares[] = "{\"bad_number\":0,\"never\":0,\"answer\":0.7,\"keys\":{"
                                 "\"1\":0.6,\"2\":0.3,\"3\":0.05}}";
    struct network network;
    struct errtext e = {0};

    network_default(&network);
    must(pg, network_parse(&network, shares, sizeof(shares) - 1, &e), e.text);
    const struct run_options o = {.seed = SEED,
                                  .network = &network,
                                  .store = store,
                                  .store_arg = arg,
                                  .tables = tables,
                                  .look_ms = LOOK_MS};
    run_counts_init(counts, s);
    must(pg, run_simulation(s, &o, counts), "simulation");
}

static int64_t rows_differ(struct pg *pg, const struct table_memory *m)
{
    int64_t n = 0;

    for (size_t i = 0; i < m->n; i++) {
        struct errtext e = {0};
        json_t *shown = NULL;
        must(pg, table_show(pg, TENANT, m->tables[i].name, &shown, &e), e.text);
        n += !json_equal(json_object_get(shown, "rows"), m->tables[i].rows);
        json_decref(shown);
    }
    return n;
}

static int64_t outcome(const struct run_counts *c, const char *name)
{
    for (size_t i = 0; i < c->outcome_count; i++)
        if (strcmp(c->outcomes[i].name, name) == 0)
            return c->outcomes[i].n;
    return 0;
}

struct sim_tables_told sim_tables_compare(struct pg *pg)
{
    const struct scene_options day = {.from_ms = T0, .to_ms = T0 + DAY_MS};
    struct campaign_row row;
    struct scene_source source;
    struct run_counts c[2];
    struct errtext e = {0};

    must(pg, campaign_find(pg, TENANT, "stocked", &row, &e), e.text);
    must(pg, scene_load(pg, TENANT, &row, &day, &source, &e), e.text);
    const struct scene *s = &source.scene;
    struct memory *m = memory_new(s, NULL, false, NULL, NULL);
    struct sim_ledger *l = sim_ledger_new(pg, s);
    struct tables *tables = tables_new(s);
    const struct talk_tables rows = {run_rows, pg};
    run(pg, s, &memory_ops, m, tables_ops(tables), &c[0]);
    run(pg, s, &sim_ledger_ops, l, &rows, &c[1]);
    must(pg, sim_ledger_flush(l), "flush");
    const struct sim_tables_told told = {
        .differences = sim_ledger_differences(pg, s, m) +
                       rows_differ(pg, tables_rows(tables)) +
                       (memcmp(c[0].data, c[1].data, sizeof(c[0].data)) != 0) +
                       (memcmp(c[0].outcomes, c[1].outcomes, sizeof(c[0].outcomes)) != 0),
        .booked = outcome(&c[0], "booked"),
        .full = outcome(&c[0], "full"),
        .commands = c[0].commands,
        .failed = c[0].data[IVR_DATA_FAILED]};
    tables_free(tables);
    sim_ledger_free(l);
    memory_free(m);
    run_counts_free(&c[0]);
    run_counts_free(&c[1]);
    scene_free(&source);
    return told;
}
