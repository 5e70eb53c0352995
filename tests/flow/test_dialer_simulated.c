/*
 * The real furrow-dialer on private servers and a fast virtual clock: campaigns over the
 * simulated carrier run to their end, the same seed twice gives the same ends, and a
 * dialer killed between sending and recording is taken up by the next one.
 */
#include "unit/cm.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sndfile.h>

#include "base/clock.h"
#include "base/files.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "campaigns/campaign_change.h"
#include "campaigns/campaign_store.h"
#include "campaigns/flow_store.h"
#include "campaigns/trunk_store.h"
#include "store/pgtest.h"

enum { CONTACTS = 100, BOUND_MS = 90000 };
#define CLOCK "2026-11-24T06:00:00Z@300"

/* Open day and night: on a busy machine the virtual day would end before the test. */
static const char document[] =
    "{\"name\": \"harvest\", \"list\": \"farmers\", \"flow\": \"coffee\", \"trunk\": "
    "\"sim\", \"windows\": {\"mon-sun\": [\"00:00-24:00\"]}, \"regions\": [\"ET\"], "
    "\"limits\": {\"per_24h\": 3, \"per_7d\": 7, \"min_gap_s\": 600}, \"pacing\": "
    "{\"cps\": 1, \"max_concurrent\": 40}, \"ring_timeout_s\": 20, \"retry\": "
    "{\"max_attempts\": 3, \"busy\": {\"max_attempts\": 3, \"delay_s\": 900, "
    "\"backoff\": 2}, \"no_answer\": {\"max_attempts\": 2, \"delay_s\": 900, "
    "\"backoff\": 1.5}}}";

/* The first refuses every call; three quarters of the rest go over the second. */
static const char several_trunks[] =
    "{\"name\": \"harvest\", \"list\": \"farmers\", \"flow\": \"coffee\", "
    "\"trunks\": [{\"trunk\": \"broken\"}, {\"trunk\": \"sim\", \"priority\": 1, "
    "\"weight\": 3}, {\"trunk\": \"second\", \"priority\": 1}], \"windows\": "
    "{\"mon-sun\": [\"00:00-24:00\"]}, \"regions\": [\"ET\"], \"limits\": "
    "{\"per_24h\": 0, \"per_7d\": 0, \"min_gap_s\": 1}, \"pacing\": "
    "{\"max_concurrent\": 10}, \"ring_timeout_s\": 20, \"retry\": {\"busy\": "
    "{\"max_attempts\": 1}, \"no_answer\": {\"max_attempts\": 1}}}";

static struct pg *pg;

/* ---- programs ---- */

static pid_t run(const char *const *argv, const char *log)
{
    char path[512], out[512];

    snprintf(path, sizeof(path), BUILD_DIR "/bin/%s", argv[0]);
    snprintf(out, sizeof(out), "%s/%s", pgtest_dir(), log);
    pid_t pid = fork();
    if (pid == 0) {
        int fd = open(out, O_WRONLY | O_CREAT | O_APPEND, 0644);
        dup2(fd, 1);
        dup2(fd, 2);
        union {
            const char *const *in;
            char **out;
        } args = {.in = argv};
        execv(path, args.out);
        _exit(127);
    }
    return pid;
}

static void show_log(const char *log)
{
    char path[512], line[512];

    snprintf(path, sizeof(path), "%s/%s", pgtest_dir(), log);
    FILE *f = fopen(path, "r");
    while (f && fgets(line, sizeof(line), f))
        print_message("%s", line);
    if (f)
        fclose(f);
}

static int wait_exit(pid_t pid, int bound_ms)
{
    int64_t end = mono_ms() + bound_ms;
    int status = 0;

    while (waitpid(pid, &status, WNOHANG) == 0) {
        if (mono_ms() > end) {
            kill(pid, SIGKILL);
            waitpid(pid, &status, 0);
            return -1;
        }
        poll(NULL, 0, 20);
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static pid_t start_dialer(void)
{
    return run((const char *[]){"furrow-dialer", NULL}, "dialer.log");
}

/* ---- the campaign ---- */

static void write_voice(void)
{
    char path[512];
    SF_INFO info = {
        .samplerate = 16000, .channels = 1, .format = SF_FORMAT_WAV | SF_FORMAT_PCM_16};
    static short samples[16000];

    snprintf(path, sizeof(path), "%s/voice.wav", pgtest_dir());
    SNDFILE *f = sf_open(path, SFM_WRITE, &info);
    assert_non_null(f);
    for (int i = 0; i < 16000; i++)
        samples[i] = (short)((i % 80) * 100);
    assert_int_equal(sf_write_short(f, samples, 16000), 16000);
    sf_close(f);
    snprintf(path, sizeof(path), "%s/manifest.json", pgtest_dir());
    FILE *m = fopen(path, "w");
    fputs("[{\"file\": \"voice.wav\", \"text\": \"five bags\"}]", m);
    fclose(m);
}

static void import(const char *tenant)
{
    char path[512];

    snprintf(path, sizeof(path), "%s/contacts.csv", pgtest_dir());
    FILE *f = fopen(path, "w");
    fputs("phone,first_name\n", f);
    for (int i = 0; i < CONTACTS; i++)
        fprintf(f, "+2519110%05d,F%d\n", 10000 + i * 7, i);
    fclose(f);
    const char *argv[] = {"furrow",  "contacts", "import", path, "--list",
                          "farmers", "--region", "ET",     NULL};
    setenv("FURROW_TENANT", tenant, 1);
    if (wait_exit(run(argv, "import.log"), BOUND_MS) != 0) {
        show_log("import.log");
        fail_msg("the import failed");
    }
}

static void add_trunk(int tenant_id, const char *name, const char *settings)
{
    struct trunk_row trunk = {.kind = "simulated", .cps = 2, .max_channels = 50};
    struct errtext e = {0};

    snprintf(trunk.name, sizeof(trunk.name), "%s", name);
    snprintf(trunk.settings, sizeof(trunk.settings), "%s", settings);
    if (trunk_add(pg, tenant_id, &trunk, clock_now_ms(), &e))
        fail_msg("trunk: %s", e.text);
}

static void set_up(int tenant_id, const char *tenant, const char *campaign)
{
    struct errtext e = {0};
    struct campaign_issues issues = {0};
    struct flow_row flow;
    struct campaign_row row;
    char settings[1000];
    bool fresh = false;

    CLEANUP(free_cleanup) char *flow_text = NULL;
    size_t len = 0;

    import(tenant);
    assert_int_equal(
        files_read(SOURCE_DIR "/deploy/demo/coffee.json", 1 << 20, &flow_text, &len), 0);
    assert_int_equal(
        flow_publish(pg, tenant_id, "coffee", flow_text, clock_now_ms(), &flow, &fresh),
        0);
    snprintf(settings, sizeof(settings),
             "{\"seed\": 5, \"answer\": 0.6, \"busy\": 0.15, \"no_answer\": 0.15, "
             "\"rejected\": 0.05, \"bad_number\": 0.05, \"ring_s\": [2, 15], \"speak\": "
             "0.4, \"opt_out\": 0.1, \"hang_up\": 0.2, \"voices\": "
             "\"%s/manifest.json\"}",
             pgtest_dir());
    add_trunk(tenant_id, "sim", settings);
    add_trunk(tenant_id, "second", settings);
    add_trunk(tenant_id, "broken", "{\"answer\": 0, \"congestion\": 1}");
    if (campaign_create(pg, tenant_id, campaign, strlen(campaign), clock_now_ms(), &row,
                        &issues))
        fail_msg("campaign: %s", issues.at[0].text);
    if (campaign_command(pg, tenant_id, row.id, CAMPAIGN_START, NULL, clock_now_ms(),
                         &row, &e))
        fail_msg("start: %s", e.text);
}

static int64_t count(int tenant_id, const char *sql)
{
    return pgtest_i64(pg, tenant_id, sql);
}

static void run_to_the_end(int tenant_id)
{
    int64_t end = mono_ms() + BOUND_MS;

    while (count(tenant_id, "SELECT count(*) FROM campaign_contacts WHERE state = "
                            "'final'") < CONTACTS ||
           count(tenant_id, "SELECT count(*) FROM campaigns WHERE state = 'done'") == 0) {
        if (mono_ms() > end) {
            show_log("dialer.log");
            fail_msg("contacts are left after %d ms", BOUND_MS);
        }
        poll(NULL, 0, 100);
    }
}

static char *finals(int tenant_id)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;

    assert_int_equal(pg_begin(pg, tenant_id), 0);
    assert_int_equal(
        pg_run(pg, &res,
               "SELECT string_agg(phone || ':' || final || ':' || attempts, ' ' ORDER BY "
               "phone) FROM campaign_contacts",
               NULL),
        0);
    assert_int_equal(pg_commit(pg), 0);
    return xstrdup(pg_text(res, 0, 0));
}

/* What must hold whatever happened. */
static void check_ledger(int tenant_id)
{
    assert_int_equal(count(tenant_id, "SELECT count(*) FROM attempts WHERE state IN "
                                      "('intent', 'released', 'ringing', 'answered')"),
                     0);
    assert_int_equal(
        count(tenant_id, "SELECT count(*) FROM calls WHERE ended_at IS NULL"), 0);
    /* Nobody is in two calls at once, and no attempt was made twice. */
    assert_int_equal(
        count(tenant_id,
              "SELECT count(*) FROM attempts a JOIN attempts b ON a.phone = b.phone AND "
              "a.id < b.id AND a.state <> 'withdrawn' AND b.state <> 'withdrawn' AND "
              "b.released_at < a.ended_at"),
        0);
    assert_int_equal(
        count(tenant_id, "SELECT count(*) FROM (SELECT contact_id, number FROM attempts "
                         "WHERE state <> 'withdrawn' GROUP BY 1, 2 HAVING count(*) > 1) "
                         "x"),
        0);
}

static void the_same_seed_gives_the_same_end_for_every_contact(void **state)
{
    (void)state;
    pgtest_run(pg, 0, "SELECT 1");
    set_up(1, "default", document);
    set_up(2, "twin", document);
    pid_t dialer = start_dialer();
    run_to_the_end(1);
    run_to_the_end(2);
    kill(dialer, SIGTERM);
    int code = wait_exit(dialer, 30000);
    if (code)
        show_log("dialer.log");
    assert_int_equal(code, 0);
    check_ledger(1);
    check_ledger(2);
    CLEANUP(free_cleanup) char *first = finals(1), *second = finals(2);
    assert_string_equal(first, second);
    /* All kinds of ends happened. */
    static const char *const kinds[] = {":completed:", ":no_answer:", ":bad_number:"};
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        assert_non_null(strstr(first, kinds[i]));
    assert_true(count(1, "SELECT count(*) FROM attempts WHERE number > 1") > 0);
    assert_true(count(1, "SELECT count(*) FROM calls WHERE outcome = 'opted_out'") > 0);
    assert_true(count(1, "SELECT count(*) FROM recordings WHERE state = 'finished'") > 0);
    assert_int_equal(count(1, "SELECT count(*) FROM recordings WHERE state = 'live'"), 0);
    assert_int_equal(count(1, "SELECT count(*) FROM attempts WHERE state = 'unknown'"),
                     0);
    /* The slot was given back. */
    assert_int_equal(pgtest_i64(pg, 0, "SELECT count(*) FROM node_slots"), 0);
}

static void a_killed_dialer_is_taken_up_and_nobody_is_called_twice(void **state)
{
    char log[512];

    (void)state;
    set_up(3, "crash", document);
    snprintf(log, sizeof(log), "%s/faults", pgtest_dir());
    setenv("FURROW_FAULT", "sent-ringing:15", 1);
    setenv("FURROW_FAULT_LOG", log, 1);
    pid_t dialer = start_dialer();
    assert_int_equal(wait_exit(dialer, BOUND_MS), 128 + SIGKILL);
    unsetenv("FURROW_FAULT");
    int64_t sent = count(3, "SELECT count(*) FROM attempts WHERE state IN ('released', "
                            "'ringing', 'answered')");
    assert_true(sent > 0);
    dialer = start_dialer();
    run_to_the_end(3);
    kill(dialer, SIGTERM);
    assert_int_equal(wait_exit(dialer, 30000), 0);
    check_ledger(3);
    /* What was on its way is unknown (or had been answered), never called again as the
     * same attempt. */
    assert_true(count(3, "SELECT count(*) FROM attempts WHERE state = 'unknown'") > 0);
    assert_int_equal(count(3, "SELECT count(*) FROM recordings WHERE state = 'live' AND "
                              "call_id IN (SELECT id FROM calls WHERE outcome <> "
                              "'interrupted')"),
                     0);
}

/* ---- rules that change under a running dialer ---- */

static void change(const struct campaign_row *row, const char *const *settings, size_t n)
{
    CLEANUP(free_cleanup) char *before = NULL;
    CLEANUP(free_cleanup) char *text = NULL;
    struct campaign_issues issues = {0};
    struct errtext e = {0};

    assert_int_equal(campaign_text(pg, row->tenant_id, row->id, &before), 0);
    assert_int_equal(campaign_text_with(before, settings, n, &text, &e), 0);
    if (campaign_change(pg, row, text, strlen(text), clock_now_ms(), &issues))
        fail_msg("%s", issues.at[0].text);
}

/* Business seconds between two of the newest n calls, on average. */
static int64_t gap_s(int tenant_id, int n)
{
    char sql[300];

    snprintf(sql, sizeof(sql),
             "SELECT (extract(epoch FROM max(t) - min(t)) / (count(*) - 1))::bigint FROM "
             "(SELECT ringing_at AS t FROM attempts WHERE ringing_at IS NOT NULL ORDER "
             "BY 1 DESC LIMIT %d) q",
             n);
    return count(tenant_id, sql);
}

static void wait_for(int tenant_id, const char *sql)
{
    int64_t end = mono_ms() + BOUND_MS;

    while (count(tenant_id, sql) == 0) {
        if (mono_ms() > end) {
            show_log("dialer.log");
            fail_msg("never true: %s", sql);
        }
        poll(NULL, 0, 50);
    }
}

static void a_running_campaign_takes_up_another_pace_and_a_budget(void **state)
{
    struct campaign_row row = {0};
    struct errtext e = {0};

    (void)state;
    set_up(4, "change", document);
    assert_int_equal(campaign_find(pg, 4, "harvest", &row, &e), 0);
    change(&row, (const char *const[]){"pacing.cps=0.01"}, 1);
    pid_t dialer = start_dialer();
    wait_for(4, "SELECT (count(*) >= 4)::int FROM attempts WHERE ringing_at IS NOT NULL");
    assert_true(gap_s(4, 4) >= 75);
    change(&row, (const char *const[]){"pacing.cps=1", "budget.calls=50"}, 2);
    wait_for(4, "SELECT count(*) FROM campaigns WHERE state = 'paused'");
    assert_true(gap_s(4, 20) <= 50);
    assert_int_equal(count(4, "SELECT count(*) FROM attempts WHERE state <> 'withdrawn'"),
                     50);
    assert_int_equal(count(4,
                           "SELECT count(*) FROM campaigns WHERE stop_reason LIKE 'the "
                           "budget is spent: 50 of 50 calls%'"),
                     1);
    kill(dialer, SIGTERM);
    assert_int_equal(wait_exit(dialer, 30000), 0);
    check_ledger(4);
}

static int64_t count_over(int tenant_id, const char *trunk)
{
    char sql[200];

    snprintf(sql, sizeof(sql),
             "SELECT count(*) FROM attempts a JOIN trunks t ON t.id = a.trunk_id WHERE "
             "a.state <> 'withdrawn' AND t.name = '%s'",
             trunk);
    return count(tenant_id, sql);
}

static void a_trunk_that_refuses_is_passed_over_and_the_others_share(void **state)
{
    (void)state;
    set_up(5, "trunks", several_trunks);
    pid_t dialer = start_dialer();
    run_to_the_end(5);
    kill(dialer, SIGTERM);
    assert_int_equal(wait_exit(dialer, 30000), 0);
    check_ledger(5);
    int64_t broken = count_over(5, "broken"), a = count_over(5, "sim"),
            b = count_over(5, "second");
    print_message("calls over broken %d, sim %d, second %d\n", (int)broken, (int)a,
                  (int)b);
    assert_in_range(broken, 10, 60); /* ten refusals, what was under way, a trial */
    assert_true(a + b >= CONTACTS);
    assert_true(a > 2 * b && a < 4 * b + 10);
    /* Nobody was given up for the broken trunk. */
    assert_int_equal(count(5, "SELECT count(*) FROM campaign_contacts WHERE final = "
                              "'congestion'"),
                     0);
}

static void furrow(const char *verb, const char *slot)
{
    const char *argv[] = {"furrow", "node", verb, slot, NULL};

    assert_int_equal(wait_exit(run(argv, "node.log"), BOUND_MS), 0);
}

#define HELD(what) "SELECT count(*) FROM node_slots WHERE held LIKE '%" what "%'"

static void
a_dialer_holds_when_messages_pile_up_or_it_is_drained_and_says_so(void **state)
{
    (void)state;
    set_up(6, "piled", document);
    pgtest_run(pg, 6,
               "INSERT INTO jobs (id, tenant_id, kind, unique_key) SELECT "
               "gen_random_uuid(), 6, 'sms', i::text FROM generate_series(1, 3) i");
    setenv("FURROW_MAX_SMS_BACKLOG", "2", 1);
    pid_t dialer = start_dialer();
    wait_for(6, HELD("more messages wait"));
    furrow("drain", "0");
    wait_for(6, HELD("drained by hand")); /* before the other reason goes */
    pgtest_run(pg, 6,
               "UPDATE jobs SET state = 'done', finished_at = clock_timestamp() WHERE "
               "kind = 'sms'");
    wait_for(6, "SELECT count(*) FROM node_slots WHERE held LIKE 'drained by hand%' AND "
                "held NOT LIKE '%messages%'");
    assert_int_equal(count(6, "SELECT count(*) FROM attempts"), 0);
    furrow("resume", "0");
    wait_for(6, "SELECT least(count(*), 1) FROM attempts WHERE answered_at IS NOT NULL");
    kill(dialer, SIGTERM);
    kill(dialer, SIGTERM);
    assert_int_equal(wait_exit(dialer, 60000), 0);
    unsetenv("FURROW_MAX_SMS_BACKLOG");
}

/* A dead dialer's slot, lapsed. */
static void leave_slot(struct pg *super, int slot)
{
    char sql[200];

    snprintf(sql, sizeof(sql),
             "INSERT INTO node_slots (kind, slot, holder, host, pid, lease_until) VALUES "
             "('dialer', %d, gen_random_uuid(), 'gone', 0, now())",
             slot);
    pgtest_run(super, 0, sql);
}

#define SETTLED(slot) "SELECT (count(*) = 0)::int FROM node_slots WHERE slot = " #slot

/* The slot is taken over, and then what is left in it cannot be read: as when the answer
 * of the takeover is lost, the dialer has a slot that it does not know of. Whoever only
 * waits for it to lapse waits for ever. */
static void take_over_unheard(struct pg *super)
{
    pgtest_run(super, 0, "REVOKE SELECT ON attempts FROM furrow_app");
    leave_slot(super, 9);
    wait_for(1, "SELECT count(*) FROM node_slots WHERE slot = 9 AND host <> 'gone'");
    pgtest_run(super, 0, "UPDATE node_slots SET lease_until = 'infinity' WHERE slot = 9");
}

static void
a_takeover_that_was_not_heard_of_is_gone_on_with_or_left_to_others(void **state)
{
    struct pg *super = pgtest_open_super();

    (void)state;
    pid_t dialer = start_dialer();
    leave_slot(super, 8);
    wait_for(1, SETTLED(8));
    take_over_unheard(super);
    pgtest_run(super, 0, "GRANT SELECT ON attempts TO furrow_app");
    wait_for(1, SETTLED(9));
    take_over_unheard(super);
    kill(dialer, SIGTERM);
    assert_int_equal(wait_exit(dialer, 30000), 0);
    pgtest_run(super, 0, "GRANT SELECT ON attempts TO furrow_app");
    assert_int_equal(pgtest_i64(pg, 0,
                                "SELECT count(*) FROM node_slots WHERE slot = 9 AND "
                                "lease_until < clock_timestamp()"),
                     1);
    assert_int_equal(pgtest_i64(pg, 0, "SELECT count(*) FROM node_slots"), 1);
    pgtest_run(super, 0, "DELETE FROM node_slots");
    pg_close(super);
}

static void leave(void)
{
    pg_close(pg);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_seed_gives_the_same_end_for_every_contact),
        cmocka_unit_test(a_killed_dialer_is_taken_up_and_nobody_is_called_twice),
        cmocka_unit_test(a_running_campaign_takes_up_another_pace_and_a_budget),
        cmocka_unit_test(a_trunk_that_refuses_is_passed_over_and_the_others_share),
        cmocka_unit_test(
            a_takeover_that_was_not_heard_of_is_gone_on_with_or_left_to_others),
        cmocka_unit_test(
            a_dialer_holds_when_messages_pile_up_or_it_is_drained_and_says_so),
    };
    struct errtext e = {0};

    setenv("FURROW_CLOCK", CLOCK, 1);
    pgtest_start(PGTEST_POSTGRES_AND_REDIS);
    pg = pgtest_open();
    atexit(leave);
    if (clock_init(CLOCK, &e) || clock_share(pg, &e)) {
        fprintf(stderr, "%s\n", e.text);
        return 1;
    }
    struct pg *super = pgtest_open_super();
    pgtest_run(super, 0,
               "INSERT INTO tenants (name) VALUES ('twin'), ('crash'), ('change'), "
               "('trunks'), ('piled')");
    pg_close(super);
    write_voice();
    return cmocka_run_group_tests_name("dialer_simulated", tests, NULL, NULL);
}
