/*
 * The simulator's store in memory held against the ledger in Postgres: one driver, one
 * seeded network, one virtual clock, every contact compared.
 */
#include "unit/cm.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <jansson.h>

#include "base/files.h"
#include "base/xalloc.h"
#include "campaigns/caller_id_store.h"
#include "campaigns/flow_store.h"
#include "simulate/holds.h"
#include "simulate/pool.h"
#include "simulate/run.h"
#include "simulate/scene_store.h"
#include "simulate/trial.h"
#include "store/ledger_fixture.h"
#include "store/pgtest.h"
#include "store/sim_agents.h"
#include "store/sim_ledger.h"
#include "store/sim_people.h"
#include "store/sim_tables.h"

/* Looked at rarely: each look costs Postgres some milliseconds. */
enum { LOOK_MS = 600000 };
enum { CONTACTS = 1000, CPS = 40, CHANNELS = 1000, FEW = 12, CALLERS = 6, CAP = 90 };
enum { PEOPLE = 160, A_FEW = 20, AGENTS = 4 };
/* What campaigns have beside a flow: a pool, variants, machines that are told apart. */
#define MORE                                                                             \
    ",\"caller_ids\":{\"pool\":\"p\",\"health\":{\"min_calls\":40,"                      \
    "\"min_answer_rate\":0.188,\"quarantine_h\":1}},\"machine\":{\"action\":\"hang_"     \
    "up\"},"                                                                             \
    "\"variants\":[{\"name\":\"a\",\"weight\":2},{\"name\":\"b\",\"weight\":1}],"        \
    "\"canary\":{\"calls\":50,\"min_answer_rate\":0.01,\"max_failed_rate\":0.9}"
#define DAY_MS (INT64_C(86400) * 1000)

static struct pg *pg, *super;
static struct campaign_row row;
static int64_t look_ms; /* 0: as a dialer */

static void load(struct scene_source *source, int64_t people, int64_t days)
{
    const struct scene_options o = {
        .from_ms = T0, .to_ms = T0 + days * DAY_MS, .people = people};
    struct errtext e = {0};

    if (scene_load(pg, TENANT, &row, &o, source, &e))
        fail_msg("%s", e.text);
}

static void simulate(const struct scene *scene, uint64_t seed,
                     const struct sim_store_ops *store, void *arg,
                     struct run_counts *counts)
{
    struct network network;

    network_default(&network);
    const struct run_options o = {.seed = seed,
                                  .network = &network,
                                  .store = store,
                                  .store_arg = arg,
                                  .look_ms = look_ms};
    if (run_simulation(scene, &o, counts))
        fail_msg("%s", pg_error(pg));
}

static struct memory *in_memory(const struct scene *scene, uint64_t seed,
                                struct run_counts *counts)
{
    run_counts_init(counts, scene);
    struct memory *m = memory_new(scene, NULL, false, run_count_refusal, counts);
    simulate(scene, seed, &memory_ops, m, counts);
    return m;
}

static int64_t finals(const struct scene *scene, const struct memory *m, const char *name)
{
    int64_t n = 0;

    for (size_t i = 0; i < scene->people_count; i++)
        n += strcmp(memory_contact(m, i).final, name) == 0;
    return n;
}

/* ---- in memory ---- */

static bool is_same(const struct scene *scene, const struct memory *a,
                    const struct memory *b)
{
    for (size_t i = 0; i < scene->people_count; i++) {
        struct memory_contact x = memory_contact(a, i), y = memory_contact(b, i);
        if (x.state != y.state || x.attempts != y.attempts || x.due_ms != y.due_ms ||
            strcmp(x.final, y.final) != 0 ||
            strcmp(x.last_disposition, y.last_disposition) != 0)
            return false;
    }
    return true;
}

static void the_same_seed_gives_the_same_run_and_another_another(void **state)
{
    struct scene_source source;
    struct run_counts counts[3];
    struct memory *m[3];

    (void)state;
    load(&source, 0, 2);
    for (int i = 0; i < 3; i++)
        m[i] = in_memory(&source.scene, i == 2 ? 8 : 7, &counts[i]);
    assert_true(is_same(&source.scene, m[0], m[1]));
    assert_false(is_same(&source.scene, m[0], m[2]));
    assert_int_equal(counts[0].calls, counts[1].calls);
    assert_int_equal(counts[0].minute_count, counts[1].minute_count);
    assert_memory_equal(counts[0].minutes, counts[1].minutes,
                        counts[0].minute_count * sizeof(struct run_minute));
    for (int i = 0; i < 3; i++) {
        memory_free(m[i]);
        run_counts_free(&counts[i]);
    }
    scene_free(&source);
}

static void the_pace_and_the_channels_are_never_exceeded(void **state)
{
    struct scene_source source;
    struct run_counts counts;

    (void)state;
    load(&source, 0, 2);
    source.scene.cps = 2;
    source.scene.channels = FEW;
    struct memory *m = in_memory(&source.scene, 7, &counts);
    int64_t calls = 0;
    for (size_t i = 0; i < counts.minute_count; i++) {
        assert_true(counts.minutes[i].calls <= 60 * 2 + 1);
        assert_true(counts.minutes[i].open <= FEW);
        calls += counts.minutes[i].calls;
    }
    assert_int_equal(calls, counts.calls);
    assert_int_equal(counts.peak_open, FEW);
    assert_true(counts.calls > CONTACTS && counts.opt_outs > 10 && counts.callbacks > 20);
    memory_free(m);
    run_counts_free(&counts);
    scene_free(&source);
}

static void more_people_than_the_list_has_are_copies_of_those(void **state)
{
    struct scene_source source;
    struct run_counts counts;

    (void)state;
    load(&source, 3 * CONTACTS + 1, 2);
    const struct scene *s = &source.scene;
    assert_int_equal(s->people_count, 3 * CONTACTS + 1);
    assert_true(s->invented);
    for (size_t i = 0; i < s->people_count;
         i++) { /* rings stay rings, and in their copy */
        uint32_t next = s->people[i].next_number;
        assert_int_equal(s->people[next].next_number, i);
        assert_int_equal(next / CONTACTS, i / CONTACTS);
        assert_int_equal(s->people[i].group, s->people[i % CONTACTS].group);
    }
    struct memory *m = in_memory(s, 7, &counts);
    assert_in_range(finals(s, m, "completed"), 300, 2000);
    memory_free(m);
    run_counts_free(&counts);
    scene_free(&source);
}

static void what_only_data_could_help_is_set_aside(void **state)
{
    struct scene_source source;
    struct run_counts counts[2];

    (void)state;
    load(&source, 0, 2);
    run_counts_init(&counts[0], &source.scene);
    struct memory *set_aside =
        memory_new(&source.scene, NULL, true, run_count_refusal, &counts[0]);
    simulate(&source.scene, 7, &memory_ops, set_aside, &counts[0]);
    struct memory *asked = in_memory(&source.scene, 7, &counts[1]);
    int64_t blocked = 0;
    for (size_t i = 0; i < CONTACTS; i++) {
        struct memory_contact k = memory_contact(set_aside, i);
        blocked += k.state == MEMORY_BLOCKED;
        if (k.state == MEMORY_BLOCKED)
            assert_int_equal(memory_contact(asked, i).state, MEMORY_PENDING);
    }
    assert_true(blocked > CONTACTS / 40); /* of whom no zone is known */
    assert_in_range(counts[0].calls, counts[1].calls - 20, counts[1].calls + 20);
    memory_free(set_aside);
    memory_free(asked);
    run_counts_free(&counts[0]);
    run_counts_free(&counts[1]);
    scene_free(&source);
}

static void what_the_budget_spent_before_counts(void **state)
{
    struct scene_source source;
    struct run_counts counts;

    (void)state;
    load(&source, 0, 2);
    struct campaign_doc doc = *source.scene.doc;
    doc.budget = (struct budget){.stated = true, .calls = 300, .call_s = 60};
    source.scene.doc = &doc;
    source.scene.spent.calls = 100;
    struct memory *m = in_memory(&source.scene, 7, &counts);
    assert_int_equal(counts.calls, 200);
    assert_true(counts.budget_ms > 0);
    memory_free(m);
    run_counts_free(&counts);
    scene_free(&source);
}

static void a_canary_that_fails_pauses_the_campaign(void **state)
{
    struct scene_source source;
    struct run_counts counts;

    (void)state;
    load(&source, 0, 2);
    struct campaign_doc doc = *source.scene.doc;
    source.scene.doc = &doc;
    doc.canary.min_answer_rate = 0.9;
    struct memory *m = in_memory(&source.scene, 7, &counts);
    const struct trial *t = memory_trial(m);
    assert_int_equal(t->verdict, CANARY_BAD);
    assert_true(t->judged_ms > 0 && t->why[0]);
    assert_in_range(counts.calls, 1, doc.canary.calls);
    memory_free(m);
    run_counts_free(&counts);
    scene_free(&source);
}

/* Over two trunks, three calls to one; each no faster than it may. */
static void calls_go_over_several_trunks(void **state)
{
    struct scene_source source;
    struct run_counts counts;

    (void)state;
    load(&source, 0, 2);
    source.scene.trunk_count = 2;
    source.scene.trunks[0] =
        (struct scene_trunk){.name = "a", .cps = 2, .channels = 50, .weight = 3};
    source.scene.trunks[1] =
        (struct scene_trunk){.name = "b", .cps = 2, .channels = FEW, .weight = 1};
    struct memory *m = in_memory(&source.scene, 7, &counts);
    assert_int_equal(counts.lines[0].calls + counts.lines[1].calls, counts.calls);
    assert_true(counts.lines[0].calls > counts.lines[1].calls);
    assert_true(counts.lines[1].calls > 100 && counts.lines[1].peak <= FEW);
    for (size_t i = 0; i < counts.minute_count; i++)
        assert_true(counts.minutes[i].calls <= 2 * (60 * 2 + 1));
    memory_free(m);
    run_counts_free(&counts);
    scene_free(&source);
}

/* ---- the command ---- */

/* Its standard output, or what it said of why not, goes to a file, whose text is
 * answered. */
static char *furrow(const char *name, int code, const char *const *args)
{
    CLEANUP(free_cleanup) char *path = xasprintf("%s/%s", pgtest_dir(), name);
    const char *argv[16] = {BUILD_DIR "/bin/furrow", "simulate"};
    char *text = NULL;
    size_t len = 0;
    int status = 0;

    for (size_t n = 2; *args && n < 15; args++)
        argv[n++] = *args;
    pid_t pid = fork();
    if (pid == 0) {
        if (freopen(path, "w", code ? stderr : stdout))
            execv(argv[0], (char *const *)(uintptr_t)argv);
        _exit(127);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), code);
    assert_int_equal(files_read(path, 1 << 24, &text, &len), 0);
    return text;
}

#define FURROW(name, ...) furrow(name, 0, (const char *const[]){__VA_ARGS__, NULL})
#define REFUSED(...)      furrow("refused", 1, (const char *const[]){__VA_ARGS__, NULL})
#define SPAN              "--from", "2026-11-24T08:00:00Z", "--to", "2026-11-25T08:00:00Z"

static void the_command_gives_the_same_bytes_for_the_same_seed(void **state)
{
    CLEANUP(free_cleanup) char *page = xasprintf("%s/page.html", pgtest_dir());
    CLEANUP(free_cleanup)
    char *a = FURROW("a", "simulated", "--seed", "7", "--json", SPAN);
    CLEANUP(free_cleanup)
    char *b = FURROW("b", "simulated", "--seed", "7", "--json", "--html", page, "--speed",
                     "1000000", SPAN);
    /* Nor do zone and language of the one who asks make a difference. */
    setenv("TZ", "Pacific/Apia", 1);
    setenv("PGTZ", "America/St_Johns", 1);
    setenv("PGDATESTYLE", "SQL, DMY", 1);
    setenv("LC_ALL", "de_DE.UTF-8", 1);
    CLEANUP(free_cleanup)
    char *elsewhere = FURROW("e", "simulated", "--seed", "7", "--json", SPAN);
    unsetenv("TZ");
    unsetenv("PGTZ");
    unsetenv("PGDATESTYLE");
    unsetenv("LC_ALL");
    CLEANUP(free_cleanup)
    char *c = FURROW("c", "simulated", "--seed", "8", "--json", SPAN);
    CLEANUP(free_cleanup)
    char *again = FURROW("d", "simulated", "--seed", "7", "--html", "-", SPAN);
    CLEANUP(free_cleanup) char *text = NULL;
    size_t len = 0;

    (void)state;
    assert_string_equal(a, b);
    assert_string_equal(a, elsewhere);
    assert_string_not_equal(a, c);
    json_auto_t *json = json_loads(a, 0, NULL);
    assert_int_equal(json_integer_value(json_object_get(json, "contacts")), CONTACTS);
    assert_true(json_integer_value(json_object_get(json, "calls")) > CONTACTS / 2);
    assert_int_equal(json_array_size(json_object_get(json, "hours")), 24);
    assert_int_equal(files_read(page, 1 << 24, &text, &len), 0);
    assert_string_equal(text, again);
    static const char *const shown[] = {
        "<h2>Calls and answers per ", "<h2>Calls at once</h2>",
        "<h2>Refusals per ",          "<h2>Contacts done</h2>",
        "<h2>Variants</h2>",          "<h2>Numbers that were shown"};
    for (size_t i = 0; i < sizeof(shown) / sizeof(shown[0]); i++)
        if (!strstr(text, shown[i]))
            fail_msg("%s is not on the page", shown[i]);
    assert_null(strstr(text, "<script"));
    assert_null(strstr(text, "://")); /* nothing is loaded */
}

static void the_network_is_shown_as_it_would_be_written(void **state)
{
    (void)state;
    CLEANUP(free_cleanup)
    char *shown = furrow("shown", 0, (const char *[]){"--show-pstn", NULL});
    assert_non_null(strstr(shown, "\"bad_number\": 0.04,"));
}

/* One that changes nothing is no outage. */
static void an_outage_is_of_a_trunk_of_the_campaign(void **state)
{
    static const char other[] = "{\"outages\":[[\"sim\",1,2],[\"main\",2,4.5]]}";
    static const char own[] = "{\"outages\":[[\"sim\",0,100]]}";
    CLEANUP(free_cleanup) char *file = xasprintf("%s/pstn.json", pgtest_dir());

    (void)state;
    assert_int_equal(files_write_atomic(file, other, strlen(other)), 0);
    CLEANUP(free_cleanup) char *said = REFUSED("simulated", "--pstn", file, SPAN);
    assert_non_null(strstr(said, "an outage is of the trunk 'main', over which the "
                                 "campaign does not call"));
    assert_int_equal(files_write_atomic(file, own, strlen(own)), 0);
    CLEANUP(free_cleanup)
    char *told = FURROW("down", "simulated", "--pstn", file, "--json", SPAN);
    json_auto_t *json = json_loads(told, 0, NULL);
    assert_int_equal(json_integer_value(json_object_get(json, "calls")), 0);
}

/* Of other campaigns: they are over when the simulation begins. */
static void calls_under_way_hold_nobody_for_ever(void **state)
{
    struct scene_source source;

    (void)state;
    ledger_run(pg,
               "INSERT INTO attempts (id, tenant_id, campaign_id, contact_id, phone, "
               "trunk_id, slot, number, state, intent_at, released_at) SELECT "
               "gen_random_uuid(), 1, %" PRId64 ", contact_id, phone, 1, 0, 1, "
               "'released', furrow_ts(%" PRId64 "), furrow_ts(%" PRId64 ") FROM "
               "campaign_contacts WHERE campaign_id = %" PRId64
               " ORDER BY contact_id LIMIT 5",
               ledger_campaign(pg, "calling", ""), T0 - 60000, T0 - 60000, row.id);
    load(&source, 0, 2);
    size_t calls = 0;
    for (size_t i = 0; i < source.scene.group_count; i++)
        for (size_t k = 0; k < source.scene.groups[i].facts.call_count; k++, calls++)
            assert_false(source.scene.groups[i].facts.calls[k].open);
    assert_true(calls > 0);
    scene_free(&source);
    ledger_run(pg, "DELETE FROM attempts WHERE state = 'released'");
}

/* Before they are enrolled they are known as they will be afterwards: band, mix, the
 * number of two lists once. */
static void people_of_several_lists_are_those_who_will_be_enrolled(void **state)
{
    static const char text[] =
        "{\"name\":\"mixed\",\"lists\":[{\"name\":\"one\",\"share\":3},{\"name\":\"two\"}"
        ","
        "{\"name\":\"last\",\"priority\":-1}],\"flow\":\"sim\",\"trunk\":\"sim\"}";
    struct campaign_issues issues = {0};
    struct scene_source before, after;
    struct errtext e = {0};
    size_t added = 0;
    bool loading = false;
    struct campaign_row mixed;
    const struct scene_options o = {.from_ms = T0, .to_ms = T0 + DAY_MS};

    (void)state;
    ledger_run(pg, "INSERT INTO lists (tenant_id, name, created_at) SELECT 1, n, now() "
                   "FROM unnest('{one,two,last}'::text[]) n");
    ledger_run(pg, "INSERT INTO contacts (tenant_id, list_id, phone, number_type, "
                   "zone_group, region) SELECT 1, l.id, 251912000000 + g + CASE l.name "
                   "WHEN 'one' THEN 0 WHEN 'two' THEN 30 ELSE 100 END, 1, (SELECT "
                   "min(id) FROM zone_groups), 'ET' FROM lists l CROSS JOIN "
                   "generate_series(0, 39) g WHERE l.name IN ('one', 'two', 'last')");
    if (campaign_create(pg, TENANT, text, sizeof(text) - 1, T0, &mixed, &issues))
        fail_msg("%s: %s", issues.at[0].pointer, issues.at[0].text);
    if (scene_load(pg, TENANT, &mixed, &o, &before, &e))
        fail_msg("%s", e.text);
    assert_int_equal(campaign_populate(pg, TENANT, mixed.id, 1000, T0, &added, &loading),
                     0);
    if (scene_load(pg, TENANT, &mixed, &o, &after, &e))
        fail_msg("%s", e.text);
    assert_int_equal(before.scene.people_count, 110); /* ten are in two lists */
    assert_int_equal(after.scene.people_count, 110);
    for (size_t i = 0; i < 110; i++) {
        const struct scene_person *a = &before.scene.people[i];
        const struct scene_person *b = &after.scene.people[i];
        assert_int_equal(a->id, b->id);
        assert_int_equal(a->priority, b->priority);
        assert_int_equal(a->base_priority, b->base_priority);
        assert_int_equal(a->due_ms, b->due_ms);
    }
    scene_free(&before);
    scene_free(&after);

    /* It is told in the zone in which most of them live, not in that of the first. */
    ledger_run(
        pg,
        "UPDATE campaign_contacts c SET zone_group = CASE WHEN contact_id = (SELECT "
        "min(contact_id) FROM campaign_contacts WHERE campaign_id = c.campaign_id) "
        "THEN %" PRId64 " ELSE %" PRId64 " END WHERE campaign_id = %" PRId64,
        ledger_zone(pg, "IN", "Asia/Calcutta"),
        ledger_zone(pg, "ET", "Africa/Addis_Ababa"), mixed.id);
    CLEANUP(free_cleanup) char *told = FURROW("told", "mixed", SPAN);
    assert_non_null(strstr(told, "(Africa/Addis_Ababa), seed 1"));
}

/* A campaign with agents whose flow is a queue, of this kind. */
static json_t *with_agents(const char *kind)
{
    CLEANUP(free_cleanup)
    char *rules = xasprintf(",\"regions\":[\"ET\"],\"mode\":{\"kind\":\"%s\",\"queue\":"
                            "\"sales\",\"abandon_limit\":3%s}",
                            kind, strcmp(kind, "ratio") == 0 ? ",\"ratio\":4" : "");
    int64_t revision = sim_agents_flow(pg);
    int64_t id = ledger_campaign(pg, kind, rules);
    ledger_run(pg,
               "UPDATE campaigns SET flow_revision_id = %" PRId64 " WHERE id = %" PRId64,
               revision, id);
    CLEANUP(free_cleanup)
    char *text =
        FURROW(kind, kind, "--agents", "6", "--contacts", "3000", "--json", SPAN);
    return json_loads(text, 0, NULL);
}

static int64_t of_agents(const json_t *report, const char *key)
{
    return json_integer_value(json_object_get(json_object_get(report, "agents"), key));
}

static void agents_are_kept_busier_by_a_ratio_within_the_abandonment_limit(void **state)
{
    (void)state;
    json_auto_t *one = with_agents("progressive");
    json_auto_t *more = with_agents("ratio");
    assert_int_equal(of_agents(one, "abandoned"), 0);
    assert_true(of_agents(one, "served") > 300);
    assert_true(of_agents(more, "abandoned") > 0);
    assert_true(of_agents(more, "abandoned") * 100 <=
                3 * (of_agents(more, "served") + of_agents(more, "abandoned")));
    double busy[2] = {0};
    json_t *both[] = {one, more};
    for (int i = 0; i < 2; i++)
        busy[i] = json_real_value(
            json_object_get(json_object_get(both[i], "agents"), "busy_percent"));
    assert_true(busy[1] > busy[0]);
}

/* ---- against the rows; the last, for it changes them ---- */

/* Each number of the pool was shown as often, and as often put into quarantine. */
static void numbers_are_used_alike(const struct pool *pool)
{
    int held = 0;

    assert_int_equal(pool_count(pool), CALLERS);
    for (size_t i = 0; i < pool_count(pool); i++) {
        struct pool_result r = pool_result(pool, i);
        assert_int_equal(
            r.calls,
            ledger_i64(pg,
                       "SELECT count(*) FROM attempts WHERE caller_id = '+%" PRId64
                       "' AND pooled AND state <> 'withdrawn'",
                       r.phone));
        assert_int_equal(r.held_until_ms,
                         ledger_i64(pg,
                                    "SELECT coalesce(furrow_ms(held_until), 0) FROM "
                                    "caller_ids WHERE phone = %" PRId64,
                                    r.phone));
        held += r.held;
    }
    assert_true(held > 0);
}

static void variants_are_given_alike(const struct scene *s)
{
    int64_t others = 0;

    for (size_t i = 0; i < s->people_count; i++)
        others +=
            ledger_i64(pg,
                       "SELECT count(*) FROM attempts WHERE campaign_id <> 0 AND "
                       "contact_id = %" PRId64 " AND variant <> '%s'",
                       s->people[i].id, s->doc->variants.at[s->people[i].variant].name);
    assert_int_equal(others, 0);
}

static void every_contact_ends_in_memory_as_it_ends_in_postgres(void **state)
{
    struct scene_source source;
    struct run_counts counts[2];

    (void)state;
    load(&source, 0, 4);
    look_ms = LOOK_MS;
    const struct scene *s = &source.scene;
    struct memory *m = in_memory(s, 7, &counts[0]);
    struct sim_ledger *l = sim_ledger_new(pg, s);
    run_counts_init(&counts[1], s);
    simulate(s, 7, &sim_ledger_ops, l, &counts[1]);
    assert_int_equal(sim_ledger_flush(l), 0);
    printf("%" PRId64 " calls, %" PRId64 " opt-outs, %" PRId64 " callbacks, %" PRId64
           " completed, %" PRId64 " other numbers, %" PRId64 " never allowed\n",
           counts[0].calls, counts[0].opt_outs, counts[0].callbacks,
           finals(s, m, "completed"), finals(s, m, "other_number"),
           finals(s, m, "DNC_INTERNAL"));
    assert_int_equal(sim_ledger_differences(pg, s, m), 0);
    assert_int_equal(counts[0].calls, counts[1].calls);
    assert_memory_equal(counts[0].ends, counts[1].ends, sizeof(counts[0].ends));
    assert_true(counts[0].ends[DISPOSITION_MACHINE] > 20);
    assert_int_equal(memory_trial(m)->verdict, CANARY_GOOD);
    assert_int_equal(ledger_i64(pg,
                                "SELECT count(*) FROM campaign_canaries WHERE state = "
                                "'passed'"),
                     1);
    numbers_are_used_alike(memory_pool(m));
    variants_are_given_alike(s);
    assert_true(finals(s, m, "other_number") > 10 && finals(s, m, "opted_out") > 10 &&
                finals(s, m, "DNC_INTERNAL") > 5);
    assert_int_equal(ledger_i64(pg,
                                "SELECT count(*) FROM attempts WHERE campaign_id <> 0 "
                                "AND state <> 'withdrawn'"),
                     counts[0].calls);
    sim_ledger_free(l);
    memory_free(m);
    run_counts_free(&counts[0]);
    run_counts_free(&counts[1]);
    scene_free(&source);
}

/* ---- quarantine ---- */

enum { OF_A_LIST = 90, SEED = 7 };

/* Contacts of a list, of whose numbers most are none in the network of the seed. */
static void fill_list(const char *name, int64_t phone, bool poor)
{
    struct network network;
    struct network_call call;

    network_default(&network);
    ledger_run(pg,
               "INSERT INTO lists (tenant_id, name, created_at) VALUES (1, '%s', "
               "now())",
               name);
    for (int n = 0; n < OF_A_LIST; phone++) {
        network_dial(&network, SEED, phone, 1, 12, 25, &call);
        bool none = call.disposition == DISPOSITION_BAD_NUMBER;
        if (none != (poor && n % 5 > 0))
            continue;
        n++;
        ledger_run(pg,
                   "INSERT INTO contacts (tenant_id, list_id, phone, number_type, "
                   "zone_group, region) SELECT 1, id, %" PRId64 ", 1, %" PRId64
                   ", 'ET' FROM lists WHERE name = '%s'",
                   phone, ledger_zone(pg, "ET", "Africa/Addis_Ababa"), name);
    }
}

static struct campaign_row resting_campaign(void)
{
    static const char brief[] =
        "{\"furrow\":1,\"name\":\"brief\",\"language\":\"en\",\"entry\":\"bye\","
        "\"nodes\":{"
        "\"bye\":{\"kind\":\"hangup\",\"prompt\":{\"en\":\"Bye.\"}}}}";
    static const char text[] =
        "{\"name\":\"resting\",\"lists\":[{\"name\":\"fair\"},{\"name\":\"poor\"}],"
        "\"flow\":"
        "\"sim\",\"trunk\":\"sim\",\"regions\":[\"ET\"],\"purpose\":\"informational\","
        "\"pacing\":{\"cps\":0.5},\"limits\":{\"per_24h\":0,\"min_gap_s\":600},"
        "\"variants\":[{"
        "\"name\":\"a\",\"weight\":1},{\"name\":\"b\",\"flow\":\"brief\",\"weight\":1}],"
        "\"quarantine\":{\"variants\":{\"min_calls\":10},\"lists\":{\"min_numbers\":30}}"
        "}";
    struct campaign_issues issues = {0};
    struct flow_row published = {0};
    struct campaign_row resting;
    size_t added = 0;
    bool fresh = false, loading = false;

    fill_list("fair", 251921000000, false);
    fill_list("poor", 251922000000, true);
    assert_int_equal(flow_publish(pg, TENANT, "brief", brief, T0, &published, &fresh), 0);
    if (campaign_create(pg, TENANT, text, sizeof(text) - 1, T0, &resting, &issues))
        fail_msg("%s: %s", issues.at[0].pointer, issues.at[0].text);
    ledger_run(pg, "UPDATE campaigns SET state = 'running' WHERE id = %" PRId64,
               resting.id);
    assert_int_equal(
        campaign_populate(pg, TENANT, resting.id, 1000, T0, &added, &loading), 0);
    assert_int_equal(added, 2 * OF_A_LIST);
    return resting;
}

static void a_bad_variant_and_a_bad_list_rest_as_in_the_ledger(void **state)
{
    struct scene_source source;
    struct run_counts counts[2];

    (void)state;
    row = resting_campaign();
    load(&source, 0, 1);
    look_ms = 60000;
    CLEANUP(free_cleanup) char *told = FURROW("f", "resting", "--seed", "7", SPAN);
    CLEANUP(free_cleanup)
    char *page = FURROW("g", "resting", "--seed", "7", "--html", "-", SPAN);
    assert_non_null(strstr(told, "quarantine: list 'poor' at "));
    assert_non_null(strstr(told, "quarantine: variant 'b' at "));
    assert_non_null(strstr(page, "<h2>Quarantine</h2>"));
    const struct scene *s = &source.scene;
    struct memory *m = in_memory(s, SEED, &counts[0]);
    struct sim_ledger *l = sim_ledger_new(pg, s);
    run_counts_init(&counts[1], s);
    simulate(s, SEED, &sim_ledger_ops, l, &counts[1]);
    assert_int_equal(sim_ledger_flush(l), 0);
    const struct holds *h = memory_holds(m);
    assert_int_equal(h->n, 2);
    for (size_t i = 0; i < h->n; i++) {
        assert_string_equal(holds_name(h, &h->at[i]), h->at[i].list ? "poor" : "b");
        assert_int_equal(
            h->at[i].at_ms,
            ledger_i64(pg,
                       "SELECT furrow_ms(held_at) FROM campaign_holds WHERE campaign_id "
                       "= %" PRId64 " AND name = '%s' AND why = '%s'",
                       s->campaign_id, holds_name(h, &h->at[i]), h->at[i].why));
    }
    assert_int_equal(sim_ledger_differences(pg, s, m), 0);
    assert_memory_equal(counts[0].ends, counts[1].ends, sizeof(counts[0].ends));
    assert_memory_equal(counts[0].variants, counts[1].variants,
                        sizeof(counts[0].variants));
    assert_true(counts[0].variants[0].calls > counts[0].variants[1].calls);
    /* What rests already rests in the next simulation from the beginning. */
    struct scene_source later;
    load(&later, 0, 1);
    assert_int_equal(later.scene.held_variants, 2);
    assert_int_not_equal(later.scene.held_lists, 0);
    for (size_t i = 0; i < later.scene.list_count; i++)
        assert_int_equal(later.scene.held_lists >> i & 1,
                         strcmp(later.scene.lists[i].name, "poor") == 0);
    scene_free(&later);
    sim_ledger_free(l);
    memory_free(m);
    run_counts_free(&counts[0]);
    run_counts_free(&counts[1]);
    scene_free(&source);
}

/* ---- agents ---- */

static void agents_fare_in_memory_as_they_fare_in_postgres(void **state)
{
    (void)state;
    struct sim_agents_told one =
        sim_agents_compare(pg, "an-agent-each", "progressive", "", "", A_FEW, AGENTS);
    struct sim_agents_told more =
        sim_agents_compare(pg, "four-calls-each", "ratio", ",\"ratio\":4,\"margin\":0",
                           ",\"machine\":{\"action\":\"human\"}", PEOPLE, AGENTS);
    struct sim_agents_told most =
        sim_agents_compare(pg, "guessed", "predictive", ",\"margin\":0",
                           ",\"machine\":{\"action\":\"hang_up\"},"
                           "\"cooldowns\":[{\"code\":\"COOLDOWN_ABANDONED\",\"after\":"
                           "\"abandoned\",\"seconds\":86400,\"scope\":\"number\"}]",
                           PEOPLE, AGENTS);
    assert_int_equal(one.differences + more.differences + most.differences, 0);
    assert_true(one.counts.served > A_FEW / 2 && more.counts.served > PEOPLE / 2);
    assert_true(more.counts.abandoned > 0 && most.counts.abandoned > 0);
}

/* ---- tables ---- */

enum { SEATS = 25, WHO_WANT = 120 };

static int64_t in(const json_t *report, const char *object, const char *key)
{
    return json_integer_value(json_object_get(json_object_get(report, object), key));
}

static void tables_are_those_of_the_store_or_of_files(void **state)
{
    static const char few[] = "tour:key,seats:int\nhills,3\nhills,2\n";
    CLEANUP(free_cleanup) char *path = xasprintf("%s/places.csv", pgtest_dir());
    CLEANUP(free_cleanup) char *of_file = xasprintf("places=%s", path);
    CLEANUP(free_cleanup) char *unknown = xasprintf("orders=%s", path);

    (void)state;
    sim_tables_start(pg, WHO_WANT, SEATS);
    assert_int_equal(files_write_atomic(path, few, strlen(few)), 0);
    CLEANUP(free_cleanup) char *a = FURROW("h", "stocked", "--seed", "7", "--json", SPAN);
    CLEANUP(free_cleanup) char *b = FURROW("i", "stocked", "--seed", "7", "--json", SPAN);
    assert_string_equal(a, b); /* the rows are what they were */
    json_auto_t *all = json_loads(a, 0, NULL);
    int64_t booked = in(all, "flow_ends", "booked");
    assert_in_range(booked, SEATS, WHO_WANT / 2); /* some seats are given back */
    assert_true(in(all, "flow_ends", "full") > 0);
    assert_int_equal(in(all, "submitted", "commands"), booked);
    assert_int_equal(in(all, "submitted", "recordings"), 0);
    assert_int_equal(in(all, "tables", "requests"), in(all, "tables", "done") +
                                                        in(all, "tables", "none") +
                                                        in(all, "tables", "failed"));
    assert_true(in(all, "tables", "done") > SEATS && in(all, "tables", "failed") > 0);
    CLEANUP(free_cleanup)
    char *c = FURROW("j", "stocked", "--seed", "7", "--json", "--table", of_file, SPAN);
    json_auto_t *fewer = json_loads(c, 0, NULL);
    assert_in_range(in(fewer, "flow_ends", "booked"), 2, SEATS / 2);
    CLEANUP(free_cleanup) char *said = REFUSED("stocked", "--table", unknown, SPAN);
    assert_non_null(strstr(said, "no flow of the campaign reads a table 'orders'"));
    CLEANUP(free_cleanup) char *text = FURROW("k", "stocked", "--seed", "7", SPAN);
    assert_non_null(strstr(text, "submitted to the jobs: 0 recordings, "));
    assert_non_null(strstr(text, "(the tables 'missing')"));
    CLEANUP(free_cleanup)
    char *page = FURROW("l", "stocked", "--seed", "7", "--html", "-", SPAN);
    assert_non_null(strstr(page, "<h2>What tables answered</h2>"));
    assert_non_null(strstr(page, "submitted to the jobs"));
}

/* Not a span that is over. */
static void a_spent_budget_is_how_it_ends(void **state)
{
    (void)state;
    ledger_run(pg, "UPDATE campaigns SET document_text = replace(document_text, "
                   "'\"pacing\"', '\"budget\":{\"calls\":30},\"pacing\"') WHERE name = "
                   "'stocked'");
    CLEANUP(free_cleanup) char *text = FURROW("m", "stocked", "--seed", "7", SPAN);
    CLEANUP(free_cleanup)
    char *json = FURROW("n", "stocked", "--seed", "7", "--json", SPAN);
    ledger_run(pg, "UPDATE campaigns SET document_text = replace(document_text, "
                   "'\"budget\":{\"calls\":30},', '') WHERE name = 'stocked'");
    assert_non_null(strstr(text, ": The budget is spent by 2026-11-24 1"));
    assert_non_null(strstr(text, " contacts still wait after 30 calls"));
    assert_non_null(strstr(json, "\"budget_spent\": \"2026-11-24T"));
}

static void tables_end_in_memory_as_they_end_in_postgres(void **state)
{
    (void)state;
    const struct sim_tables_told told = sim_tables_compare(pg);
    assert_int_equal(told.differences, 0);
    assert_true(told.booked >= SEATS);
    assert_int_equal(told.commands, told.booked);
    /* Each seat is somebody's or nobody's. */
    assert_int_equal(ledger_i64(pg,
                                "SELECT (SELECT (cells->>'seats')::int FROM data_rows "
                                "WHERE key = 'hills') + (SELECT count(*) FROM "
                                "data_rows WHERE key LIKE '+251941%%')"),
                     SEATS);
    assert_true(told.full > 0 && told.failed > 0);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_seed_gives_the_same_run_and_another_another),
        cmocka_unit_test(the_pace_and_the_channels_are_never_exceeded),
        cmocka_unit_test(more_people_than_the_list_has_are_copies_of_those),
        cmocka_unit_test(what_only_data_could_help_is_set_aside),
        cmocka_unit_test(what_the_budget_spent_before_counts),
        cmocka_unit_test(a_canary_that_fails_pauses_the_campaign),
        cmocka_unit_test(calls_go_over_several_trunks),
        cmocka_unit_test(the_command_gives_the_same_bytes_for_the_same_seed),
        cmocka_unit_test(the_network_is_shown_as_it_would_be_written),
        cmocka_unit_test(an_outage_is_of_a_trunk_of_the_campaign),
        cmocka_unit_test(calls_under_way_hold_nobody_for_ever),
        cmocka_unit_test(people_of_several_lists_are_those_who_will_be_enrolled),
        cmocka_unit_test(agents_are_kept_busier_by_a_ratio_within_the_abandonment_limit),
        cmocka_unit_test(every_contact_ends_in_memory_as_it_ends_in_postgres),
        cmocka_unit_test(a_bad_variant_and_a_bad_list_rest_as_in_the_ledger),
        cmocka_unit_test(agents_fare_in_memory_as_they_fare_in_postgres),
        cmocka_unit_test(tables_are_those_of_the_store_or_of_files),
        cmocka_unit_test(a_spent_budget_is_how_it_ends),
        cmocka_unit_test(tables_end_in_memory_as_they_end_in_postgres),
    };

    pgtest_start(PGTEST_POSTGRES);
    pg = pgtest_open();
    super = pgtest_open_super();
    ledger_fixture_start(pg);
    row = sim_people(pg, "simulated", CONTACTS, CPS, CHANNELS, MORE);
    ledger_run(pg, "UPDATE campaigns SET document_text = replace(document_text, "
                   "'\"caller_id\":\"+251115550100\",', '')"); /* the pool instead */
    for (int64_t i = 0; i < CALLERS; i++)
        if (caller_id_add(pg, TENANT, "p", INT64_C(251115550200) + i, i == 0 ? 0 : CAP,
                          T0))
            return 1;
    sim_ledger_order_ties(pg, super);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    pg_close(super);
    pg_close(pg);
    return failed;
}
