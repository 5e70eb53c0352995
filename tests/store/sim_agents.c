#include "store/sim_agents.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "campaigns/agent_store.h"
#include "campaigns/flow_store.h"
#include "simulate/run.h"
#include "simulate/scene_store.h"
#include "store/ledger_fixture.h"
#include "store/sim_ledger.h"

enum { SEED = 7, LOOK_MS = 6000, WRAP_UP_S = 6 };
#define DAY_MS (INT64_C(86400) * 1000)

static void must(struct pg *pg, int err, const char *what)
{
    if (!err)
        return;
    fprintf(stderr, "sim_agents: %s: %d %s\n", what, err, pg_error(pg));
    exit(1);
}

static int64_t publish(struct pg *pg, const char *name, const char *queue)
{
    static const char form[] =
        "{\"furrow\":1,\"name\":\"%s\",\"language\":\"en\",\"entry\":\"q\",\"prompts\":{"
        "\"sorry\":{\"en\":\"We called you, and nobody is free.\"}},\"nodes\":{\"q\":{"
        "\"kind\":\"queue\",\"queue\":\"%s\",\"exits\":{\"served\":\"bye\",\"full\":"
        "\"sorry\",\"timeout\":\"sorry\",\"left_by_key\":\"bye\",\"failed\":\"sorry\"}},"
        "\"sorry\":{\"kind\":\"hangup\",\"prompt\":\"sorry\"},\"bye\":{\"kind\":"
        "\"hangup\"}}}";
    CLEANUP(free_cleanup) char *flow = xasprintf(form, name, queue);
    struct flow_row published = {0};
    bool fresh = false;

    must(pg, flow_publish(pg, TENANT, name, flow, T0, &published, &fresh), "flow");
    return published.revision_id;
}

int64_t sim_agents_flow(struct pg *pg)
{
    return publish(pg, "desk", "sales");
}

static void fill_list(struct pg *pg, const char *name, int people)
{
    static int64_t next = INT64_C(251931000000);

    ledger_run(pg,
               "INSERT INTO lists (tenant_id, name, created_at) VALUES (1, '%s', now())",
               name);
    ledger_run(pg,
               "INSERT INTO contacts (tenant_id, list_id, phone, number_type, "
               "zone_group, region) SELECT 1, l.id, %" PRId64 " + g, 1, %" PRId64
               ", 'ET' FROM lists l CROSS JOIN generate_series(0, %d) g WHERE l.name = "
               "'%s'",
               next, ledger_zone(pg, "ET", "Africa/Addis_Ababa"), people - 1, name);
    next += people;
}

static void let_in(struct pg *pg, const char *queue, int agents)
{
    static int extensions = 7000;
    struct errtext e = {0};

    for (int i = 0; i < agents; i++) {
        struct agent_row row = {.wrap_up_s = WRAP_UP_S};

        snprintf(row.name, sizeof(row.name), "%.40s-%d", queue, i);
        snprintf(row.extension, sizeof(row.extension), "%d", ++extensions);
        snprintf(row.queue, sizeof(row.queue), "%s", queue);
        must(pg, agent_add(pg, TENANT, &row, T0, &e), "agent");
        must(pg, agent_command(pg, TENANT, row.name, AGENT_LOGIN, T0, &row, &e), e.text);
    }
}

static struct campaign_row start(struct pg *pg, const char *name, const char *kind,
                                 const char *mode, const char *more, int people,
                                 int agents)
{
    static const char form[] =
        "{\"name\":\"%s\",\"list\":\"%s\",\"flow\":\"%s\",\"trunk\":\"sim\",\"regions\":["
        "\"ET\"],\"purpose\":\"informational\",\"caller_id\":\"+251115550100\","
        "\"limits\":{\"per_24h\":0,\"min_gap_s\":300},\"retry\":{\"max_attempts\":3,"
        "\"no_answer\":{\"max_attempts\":3,\"delay_s\":400},\"completed\":{"
        "\"max_attempts\":2,\"delay_s\":900}},\"mode\":{\"kind\":\"%s\",\"queue\":\"%s\","
        "\"abandon_limit\":3%s}%s}";
    CLEANUP(free_cleanup)
    char *text = xasprintf(form, name, name, name, kind, name, mode, more);
    struct campaign_issues issues = {0};
    struct campaign_row row = {0};
    bool loading = false;
    size_t added = 0;

    fill_list(pg, name, people);
    publish(pg, name, name);
    let_in(pg, name, agents);
    int err = campaign_create(pg, TENANT, text, strlen(text), T0, &row, &issues);
    if (err)
        must(pg, err, issues.n ? issues.at[0].text : "campaign");
    ledger_run(pg, "UPDATE campaigns SET state = 'running' WHERE id = %" PRId64, row.id);
    must(pg, campaign_populate(pg, TENANT, row.id, people, T0, &added, &loading),
         "people");
    return row;
}

/* ---- both runs ---- */

/* Many people answer, calls are short, and what an agent writes down takes as long as the
 * ledger has it for each agent. */
static void network_of(struct network *out)
{
    static const char text[] =
        "{\"bad_number\":0,\"never\":0,\"answer\":0.7,\"machine\":0.5,\"talk_s\":[5,15],"
        "\"wrap_up_s\":[6,6],\"agent_answers_s\":[0.1,0.6],\"silent\":0,\"hello_after_"
        "s\":[0.1,0.3],"
        "\"hello_s\":[0.2,0.4]}";
    struct errtext e = {0};

    network_default(out);
    if (!network_parse(out, text, sizeof(text) - 1, &e))
        return;
    fprintf(stderr, "sim_agents: %s\n", e.text);
    exit(1);
}

static void run(struct pg *pg, const struct scene *s, const struct sim_store_ops *store,
                void *arg, struct run_counts *counts)
{
    struct network network;

    network_of(&network);
    const struct run_options o = {.seed = SEED,
                                  .network = &network,
                                  .store = store,
                                  .store_arg = arg,
                                  .look_ms = LOOK_MS,
                                  .books = true};
    run_counts_init(counts, s);
    must(pg, run_simulation(s, &o, counts), "simulation");
}

static int64_t differs(const char *what, int64_t rows, int64_t memory)
{
    if (rows != memory)
        printf("%s: %" PRId64 ", in memory %" PRId64 "\n", what, rows, memory);
    return rows != memory;
}

static int64_t calls_differ(struct pg *pg, int64_t campaign_id,
                            const struct desk_counts *d)
{
    const struct {
        const char *what, *rows;
        int64_t counted;
    } all[] = {
        {"served", "agent_calls WHERE connected_at IS NOT NULL", d->served},
        {"abandoned", "agent_calls WHERE result IN ('abandoned', 'late')", d->abandoned},
        {"late", "agent_calls WHERE result = 'late'", d->late},
        {"answered", "agent_calls WHERE result IN ('connected', 'abandoned', 'late')",
         d->answered},
    };
    int64_t n = 0;

    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        n += differs(all[i].what,
                     ledger_i64(pg, "SELECT count(*) FROM %s AND campaign_id = %" PRId64,
                                all[i].rows, campaign_id),
                     all[i].counted);
    return n;
}

struct sim_agents_told sim_agents_compare(struct pg *pg, const char *name,
                                          const char *kind, const char *mode,
                                          const char *more, int people, int agents)
{
    const struct scene_options day = {.from_ms = T0, .to_ms = T0 + DAY_MS};
    const struct campaign_row row = start(pg, name, kind, mode, more, people, agents);
    struct scene_source source;
    struct run_counts counts[2];
    struct errtext e = {0};

    must(pg, scene_load(pg, TENANT, &row, &day, &source, &e), e.text);
    const struct scene *s = &source.scene;
    struct desk *desk = desk_new(s, agents);
    struct memory *m = memory_new(s, desk, false, NULL, NULL);
    struct sim_ledger *l = sim_ledger_new(pg, s);
    run(pg, s, &memory_ops, m, &counts[0]);
    run(pg, s, &sim_ledger_ops, l, &counts[1]);
    must(pg, sim_ledger_flush(l), "flush");
    const struct desk_counts d = desk_counts(desk);
    int64_t n = sim_ledger_differences(pg, s, m) + calls_differ(pg, row.id, &d) +
                differs("calls", counts[1].calls, counts[0].calls) +
                differs("talk", counts[1].talk_ms, counts[0].talk_ms);
    printf("%s: %" PRId64 " calls, %" PRId64 " answered, %" PRId64 " served, %" PRId64
           " abandoned, %" PRId64 " of them late\n",
           name, counts[0].calls, d.answered, d.served, d.abandoned, d.late);
    sim_ledger_free(l);
    memory_free(m);
    desk_free(desk);
    run_counts_free(&counts[0]);
    run_counts_free(&counts[1]);
    scene_free(&source);
    return (struct sim_agents_told){n, d};
}
