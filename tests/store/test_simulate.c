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
#include "simulate/run.h"
#include "simulate/scene_store.h"
#include "store/ledger_fixture.h"
#include "store/pgtest.h"
#include "store/sim_ledger.h"
#include "store/sim_people.h"

/* Looked at rarely: each look costs Postgres some milliseconds. */
enum { LOOK_MS = 600000 };
enum { CONTACTS = 1000, CPS = 40, CHANNELS = 1000, FEW = 12 };
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
    struct memory *m = memory_new(scene, false, run_count_refusal, counts);
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
        memory_new(&source.scene, true, run_count_refusal, &counts[0]);
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

/* ---- the command ---- */

/* Its standard output goes to a file, whose text is answered; exit code 0. */
static char *furrow(const char *name, const char *const *args)
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
        if (freopen(path, "w", stdout))
            execv(argv[0], (char *const *)(uintptr_t)argv);
        _exit(127);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_int_equal(files_read(path, 1 << 24, &text, &len), 0);
    return text;
}

#define FURROW(name, ...) furrow(name, (const char *const[]){__VA_ARGS__, NULL})
#define SPAN              "--from", "2026-11-24T08:00:00Z", "--to", "2026-11-25T08:00:00Z"

static void the_command_gives_the_same_bytes_for_the_same_seed(void **state)
{
    CLEANUP(free_cleanup) char *page = xasprintf("%s/page.html", pgtest_dir());
    CLEANUP(free_cleanup)
    char *a = FURROW("a", "simulated", "--seed", "7", "--json", SPAN);
    CLEANUP(free_cleanup)
    char *b = FURROW("b", "simulated", "--seed", "7", "--json", "--html", page, "--speed",
                     "1000000", SPAN);
    CLEANUP(free_cleanup)
    char *c = FURROW("c", "simulated", "--seed", "8", "--json", SPAN);
    CLEANUP(free_cleanup)
    char *again = FURROW("d", "simulated", "--seed", "7", "--html", "-", SPAN);
    CLEANUP(free_cleanup) char *text = NULL;
    size_t len = 0;

    (void)state;
    assert_string_equal(a, b);
    assert_string_not_equal(a, c);
    json_auto_t *json = json_loads(a, 0, NULL);
    assert_int_equal(json_integer_value(json_object_get(json, "contacts")), CONTACTS);
    assert_true(json_integer_value(json_object_get(json, "calls")) > CONTACTS / 2);
    assert_int_equal(json_array_size(json_object_get(json, "hours")), 24);
    assert_int_equal(files_read(page, 1 << 24, &text, &len), 0);
    assert_string_equal(text, again);
    assert_non_null(strstr(text, "<h2>Calls at once</h2>"));
}

/* ---- against the rows; the last, for it changes them ---- */

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

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_seed_gives_the_same_run_and_another_another),
        cmocka_unit_test(the_pace_and_the_channels_are_never_exceeded),
        cmocka_unit_test(more_people_than_the_list_has_are_copies_of_those),
        cmocka_unit_test(what_only_data_could_help_is_set_aside),
        cmocka_unit_test(the_command_gives_the_same_bytes_for_the_same_seed),
        cmocka_unit_test(every_contact_ends_in_memory_as_it_ends_in_postgres),
    };

    pgtest_start(PGTEST_POSTGRES);
    pg = pgtest_open();
    super = pgtest_open_super();
    ledger_fixture_start(pg);
    row = sim_people(pg, "simulated", CONTACTS, CPS, CHANNELS, "");
    sim_ledger_order_ties(pg, super);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    pg_close(super);
    pg_close(pg);
    return failed;
}
