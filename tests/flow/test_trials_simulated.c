/*
 * Five campaigns at once over the simulated carrier, by the real furrow-dialer on a fast
 * clock: variants, a pool of caller-ids with caps, a topic that is left and a callback
 * that is moved into the hours; machines that are hung up on, in a campaign with agents;
 * machines that are left a message; a canary that passes and one that does not.
 */
#include "unit/cm.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "campaigns/agent_store.h"
#include "campaigns/caller_id_store.h"
#include "campaigns/campaign_store.h"
#include "campaigns/cohort.h"
#include "campaigns/flow_store.h"
#include "campaigns/limit_store.h"
#include "campaigns/trunk_store.h"
#include "store/pgtest.h"

enum { TENANT = 1, PEOPLE = 40, ROOM = 35, TAPES = 24, CANARY = 7, BOUND_MS = 90000 };
#define CLOCK "2026-11-24T06:00:00Z@300"

static struct pg *pg;

static pid_t start_dialer(void)
{
    char log[512];

    snprintf(log, sizeof(log), "%s/dialer.log", pgtest_dir());
    pid_t pid = fork();
    if (pid == 0) {
        int fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0644);
        dup2(fd, 1);
        dup2(fd, 2);
        execl(BUILD_DIR "/bin/furrow-dialer", "furrow-dialer", (char *)NULL);
        _exit(127);
    }
    return pid;
}

static int stop_dialer(pid_t pid)
{
    int64_t end = mono_ms() + 30000;
    int status = 0;

    kill(pid, SIGTERM);
    while (waitpid(pid, &status, WNOHANG) == 0) {
        if (mono_ms() > end)
            kill(pid, SIGKILL);
        poll(NULL, 0, 20);
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void show_log(void)
{
    char path[512], line[512];

    snprintf(path, sizeof(path), "%s/dialer.log", pgtest_dir());
    FILE *f = fopen(path, "r");
    while (f && fgets(line, sizeof(line), f))
        print_message("%s", line);
    if (f)
        fclose(f);
}

static int64_t count(const char *sql)
{
    return pgtest_i64(pg, TENANT, sql);
}

/* ---- what is called ---- */

static void publish(const char *name, const char *rest)
{
    CLEANUP(free_cleanup)
    char *text = xasprintf("{\"furrow\": 1, \"name\": \"%s\", \"language\": \"en\", %s}",
                           name, rest);
    struct flow_row flow;
    bool fresh = false;

    assert_int_equal(flow_publish(pg, TENANT, name, text, clock_now_ms(), &flow, &fresh),
                     0);
}

static void publish_all(void)
{
    publish(
        "ask",
        "\"entry\": \"menu\", \"global_keys\": {\"9\": \"opt_out_topic\"}, "
        "\"nodes\": {\"menu\": {\"kind\": \"collect\", \"prompt\": {\"en\": \"Press 1 "
        "to be called tonight.\"}, \"exits\": {\"1\": \"later\", \"invalid\": "
        "\"end\", \"no_input\": \"end\"}}, \"later\": {\"kind\": \"callback\", "
        "\"in_s\": 46800, \"into\": \"at\", \"exits\": {\"scheduled\": \"kept\", "
        "\"moved\": \"moved\", \"duplicate\": \"end\", \"refused\": \"end\"}}, "
        "\"kept\": {\"kind\": \"hangup\", \"outcome\": \"kept\"}, \"moved\": "
        "{\"kind\": \"hangup\", \"outcome\": \"moved\", \"prompt\": {\"en\": \"We "
        "may not then. We will call at {{time(vars.at)}}.\"}}}");
    publish("tell",
            "\"entry\": \"say\", \"nodes\": {\"say\": {\"kind\": \"say\", \"prompt\": "
            "{\"en\": \"Hello.\"}, \"exits\": {\"done\": \"end\", \"failed\": "
            "\"end\"}}}");
    publish("tape",
            "\"entry\": \"bye\", \"nodes\": {\"bye\": {\"kind\": \"hangup\", "
            "\"outcome\": \"left\", \"prompt\": {\"en\": \"Please call us back.\"}}}");
}

static void trunk(const char *name, const char *settings)
{
    struct trunk_row t = {.kind = "simulated", .cps = 2, .max_channels = 50};
    struct errtext e = {0};

    str_cut(t.name, sizeof(t.name), name);
    str_cut(t.settings, sizeof(t.settings), settings);
    if (trunk_add(pg, TENANT, &t, clock_now_ms(), &e))
        fail_msg("trunk: %s", e.text);
}

/* A list of n people of the same name, a campaign over it, started. */
static int64_t campaign(const char *name, int64_t first, int n, const char *rest)
{
    CLEANUP(free_cleanup)
    char *text = xasprintf(
        "{\"name\": \"%s\", \"list\": \"%s\", \"windows\": {\"mon-sat\": "
        "[\"08:00-20:00\"]}, \"regions\": [\"ET\"], \"ring_timeout_s\": 20, \"retry\": "
        "{\"machine\": {\"max_attempts\": 1}}, \"limits\": {\"min_gap_s\": 600}, %s}",
        name, name, rest);
    struct campaign_issues issues = {0};
    struct campaign_row row;
    struct errtext e = {0};
    char sql[700];

    snprintf(sql, sizeof(sql),
             "WITH l AS (INSERT INTO lists (tenant_id, name, created_at) VALUES (1, "
             "'%s', now()) RETURNING id), z AS (INSERT INTO zone_groups (tenant_id, "
             "region, zones) VALUES (1, 'ET', '{Africa/Addis_Ababa}') ON CONFLICT "
             "(tenant_id, region, zones) DO UPDATE SET region = 'ET' RETURNING id) "
             "INSERT INTO contacts (tenant_id, list_id, phone, number_type, zone_group, "
             "region) SELECT 1, l.id, %" PRId64 " + i, 1, z.id, 'ET' FROM l, z, "
             "generate_series(0, %d) i",
             name, first, n - 1);
    pgtest_run(pg, TENANT, sql);
    if (campaign_create(pg, TENANT, text, strlen(text), clock_now_ms(), &row, &issues))
        fail_msg("%s: %s", issues.at[0].pointer, issues.at[0].text);
    if (campaign_command(pg, TENANT, row.id, CAMPAIGN_START, NULL, clock_now_ms(), &row,
                         &e))
        fail_msg("start: %s", e.text);
    return row.id;
}

static void agents(int n)
{
    struct errtext e = {0};

    for (int i = 0; i < n; i++) {
        struct agent_row row = {.queue = "desk"};

        snprintf(row.name, sizeof(row.name), "desk%d", i);
        snprintf(row.extension, sizeof(row.extension), "%d", 200 + i);
        assert_int_equal(agent_add(pg, TENANT, &row, clock_now_ms(), &e), 0);
        assert_int_equal(
            agent_command(pg, TENANT, row.name, AGENT_LOGIN, clock_now_ms(), &row, &e),
            0);
    }
}

static int64_t trial, hang_up, message, fit, sick;

static void set_up(void)
{
    publish_all();
    publish("desk", "\"entry\": \"gone\", \"nodes\": {\"gone\": {\"kind\": \"hangup\"}, "
                    "\"desk\": {\"kind\": \"queue\", \"queue\": \"desk\", \"exits\": "
                    "{\"served\": \"end\", "
                    "\"timeout\": \"sorry\", \"full\": \"sorry\", \"failed\": \"sorry\", "
                    "\"left_by_key\": \"sorry\"}}, \"sorry\": {\"kind\": \"hangup\", "
                    "\"prompt\": {\"en\": "
                    "\"Sorry, nobody is free.\"}}}");
    agents(TAPES);
    trunk("people", "{\"seed\": 5, \"answer\": 1, \"ring_s\": [1, 3], \"opt_out\": 0.4}");
    trunk("silent", "{\"seed\": 5, \"answer\": 0, \"ring_s\": [1, 3]}");
    trunk("tapes", "{\"seed\": 5, \"answer\": 1, \"ring_s\": [1, 3], \"machine\": 0.5}");
    assert_int_equal(
        caller_id_add(pg, TENANT, "et", INT64_C(251115550101), ROOM - 10, clock_now_ms()),
        0);
    assert_int_equal(
        caller_id_add(pg, TENANT, "et", INT64_C(251115550102), 10, clock_now_ms()), 0);
    const struct limit_row one = {.caller_id = "+251115550102", .max_concurrent = 1};
    assert_int_equal(limit_set(pg, TENANT, &one, clock_now_ms(), &(struct errtext){0}),
                     0);
    trial = campaign(
        "trial", INT64_C(251911100000), PEOPLE,
        "\"flow\": \"tell\", \"trunk\": \"people\", \"topic\": \"harvest\", "
        "\"caller_ids\": {\"pool\": \"et\"}, \"variants\": [{\"name\": \"a\", \"flow\": "
        "\"ask@1\", \"weight\": 70}, {\"name\": \"b\", \"weight\": 30}]");
    hang_up = campaign("hangup", INT64_C(251911200000), TAPES,
                       "\"flow\": \"desk\", \"trunk\": \"tapes\", \"machine\": "
                       "{\"action\": \"hang_up\"}, \"mode\": {\"kind\": "
                       "\"progressive\", \"queue\": \"desk\"}");
    message = campaign("message", INT64_C(251911300000), TAPES,
                       "\"flow\": \"tell\", \"trunk\": \"tapes\", \"machine\": "
                       "{\"action\": \"message\", \"flow\": \"tape\"}");
    fit = campaign("fit", INT64_C(251911400000), 2 * CANARY,
                   "\"flow\": \"tell\", \"trunk\": \"people\", \"canary\": "
                   "{\"calls\": 7, \"max_short_rate\": 1}");
    sick = campaign("sick", INT64_C(251911500000), 2 * CANARY,
                    "\"flow\": \"tell\", \"trunk\": \"silent\", \"canary\": "
                    "{\"calls\": 7, \"min_answer_rate\": 0.1}");
}

static int run_all(void **state)
{
    int64_t end = mono_ms() + BOUND_MS;
    char sql[600];

    (void)state;
    set_up();
    pid_t dialer = start_dialer();
    snprintf(sql, sizeof(sql),
             "SELECT count(*) FROM attempts WHERE state = 'ended' AND ((campaign_id = "
             "%" PRId64 " AND number = 1) OR campaign_id IN (%" PRId64 ", %" PRId64
             ", %" PRId64 ") OR (campaign_id = %" PRId64
             " AND EXISTS (SELECT FROM campaigns WHERE name = 'sick' AND state = "
             "'paused')))",
             trial, hang_up, message, fit, sick);
    while (count(sql) < ROOM + 2 * TAPES + 3 * CANARY) {
        if (mono_ms() > end) {
            show_log();
            fail_msg("%" PRId64 " of %d calls after %d ms", count(sql),
                     ROOM + 2 * TAPES + 3 * CANARY, BOUND_MS);
        }
        poll(NULL, 0, 100);
    }
    int code = stop_dialer(dialer);
    if (code)
        show_log();
    assert_int_equal(code, 0);
    return 0;
}

static char sql_text[900];
/* The query's %PRId64 is the campaign. */
#define OF(campaign_id, query)                                                           \
    (snprintf(sql_text, sizeof(sql_text), query, campaign_id), count(sql_text))

/* ---- what became of it ---- */

static void nobody_is_called_beyond_the_caps_of_the_pool(void **state)
{
    (void)state;
    assert_int_equal(OF(trial, "SELECT count(*) FROM attempts WHERE campaign_id = "
                               "%" PRId64 " AND state <> 'withdrawn'"),
                     ROOM);
    assert_int_equal(OF(trial, "SELECT count(*) FROM attempts WHERE campaign_id = "
                               "%" PRId64 " AND state <> 'withdrawn' AND caller_id = "
                               "'+251115550102'"),
                     10);
    assert_int_equal(OF(trial, "SELECT count(*) FROM campaign_contacts WHERE campaign_id "
                               "= %" PRId64 " AND state = 'pending' AND attempts = 0"),
                     PEOPLE - ROOM);
}

static void a_limit_of_a_number_holds_in_a_pool_too(void **state)
{
    static const char together[] =
        "SELECT count(*) FROM attempts a JOIN attempts b USING (caller_id) WHERE a.id <> "
        "b.id AND caller_id = '%s' AND b.ringing_at > a.ringing_at AND b.ringing_at < "
        "a.ended_at";
    char sql[300];

    (void)state;
    snprintf(sql, sizeof(sql), together, "+251115550102");
    assert_int_equal(count(sql), 0);
    snprintf(sql, sizeof(sql), together, "+251115550101");
    assert_true(count(sql) > 0);
}

static void everybody_gets_the_variant_of_their_cohort(void **state)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    const struct variant_rules rules = {
        .n = 2, .at = {{.name = "a", .weight = 70}, {.name = "b", .weight = 30}}};
    size_t of_a = 0;

    (void)state;
    assert_int_equal(pg_begin(pg, TENANT), 0);
    assert_int_equal(
        pg_run(pg, &res,
               "SELECT a.phone, a.variant, f.name FROM attempts a JOIN calls "
               "c ON c.id = a.id JOIN flow_revisions r ON r.id = "
               "c.flow_revision_id JOIN flows f ON f.id = r.flow_id WHERE "
               "a.variant <> ''",
               NULL),
        0);
    assert_int_equal(pg_commit(pg), 0);
    assert_int_equal(PQntuples(res), ROOM);
    for (int i = 0; i < ROOM; i++) {
        char phone[PHONE_TEXT_MAX];
        size_t at = cohort_of(&rules, trial, phone_text(pg_i64(res, i, 0), phone), 0);
        assert_string_equal(pg_text(res, i, 1), rules.at[at].name);
        assert_string_equal(pg_text(res, i, 2), at == 0 ? "ask" : "tell");
        of_a += at == 0;
    }
    assert_in_range(of_a, ROOM / 3, ROOM - 3);
}

static void a_callback_in_the_night_is_moved_to_the_morning_and_said_so(void **state)
{
    int64_t moved = OF(trial, "SELECT count(*) FROM calls WHERE campaign_id = %" PRId64
                              " AND outcome = 'moved'");

    (void)state;
    assert_true(moved > 3);
    assert_int_equal(OF(trial, "SELECT count(*) FROM calls WHERE campaign_id = %" PRId64
                               " AND outcome = 'kept'"),
                     0);
    /* 08:00 in Addis Ababa on the next day; before everybody else. */
    assert_int_equal(OF(trial, "SELECT count(*) FROM campaign_contacts WHERE campaign_id "
                               "= %" PRId64 " AND state = 'pending' AND priority > 0 AND "
                               "next_attempt_at = '2026-11-25 05:00:00+00'"),
                     moved);
}

static void who_leaves_the_topic_is_on_its_list_and_final(void **state)
{
    int64_t left = OF(trial, "SELECT count(*) FROM campaign_contacts WHERE campaign_id = "
                             "%" PRId64 " AND final = 'opted_out'");

    (void)state;
    assert_true(left > 3);
    assert_int_equal(count("SELECT count(*) FROM dnc_entries WHERE topic = 'harvest' AND "
                           "campaign_id = 0 AND source = 'keypress'"),
                     left);
    assert_int_equal(count("SELECT count(*) FROM dnc_entries WHERE topic = ''"), 0);
}

static void machines_are_hung_up_on_and_hear_no_flow(void **state)
{
    int64_t machines = OF(hang_up, "SELECT count(*) FROM attempts WHERE campaign_id = "
                                   "%" PRId64 " AND disposition = 'machine' AND "
                                   "answered_by = 'machine'");
    int64_t people = OF(hang_up, "SELECT count(*) FROM attempts WHERE campaign_id = "
                                 "%" PRId64 " AND disposition = 'completed' AND "
                                 "answered_by = 'human'");

    (void)state;
    assert_true(machines > 3 && people > 3);
    assert_int_equal(machines + people, TAPES);
    assert_int_equal(
        OF(hang_up, "SELECT count(*) FROM calls WHERE campaign_id = %" PRId64), people);
    assert_int_equal(OF(hang_up, "SELECT count(*) FROM campaign_contacts WHERE "
                                 "campaign_id = %" PRId64 " AND final = 'machine'"),
                     machines);
    /* The flow leads nobody to an agent: each person is abandoned, and no machine. */
    assert_int_equal(OF(hang_up,
                        "SELECT abandoned FROM abandon_periods WHERE campaign_id "
                        "= %" PRId64 " AND anchor = 'campaign30d'"),
                     people);
    assert_int_equal(OF(hang_up, "SELECT answered FROM abandon_periods WHERE campaign_id "
                                 "= %" PRId64 " AND anchor = 'campaign30d'"),
                     people);
    assert_int_equal(count("SELECT count(*) FROM agents WHERE state = 'ready'"), TAPES);
}

static void machines_are_left_a_message_after_their_beep(void **state)
{
    int64_t machines = OF(message, "SELECT count(*) FROM attempts a JOIN calls c ON c.id "
                                   "= a.id WHERE a.campaign_id = %" PRId64
                                   " AND disposition = 'message' AND answered_by = "
                                   "'machine' AND c.outcome = 'left'");
    int64_t people = OF(message, "SELECT count(*) FROM attempts a JOIN calls c ON c.id = "
                                 "a.id WHERE a.campaign_id = %" PRId64
                                 " AND disposition = 'completed' AND answered_by = "
                                 "'human' AND c.outcome = 'completed'");

    (void)state;
    assert_true(machines > 3 && people > 3);
    assert_int_equal(machines + people, TAPES);
    /* The greeting of the shortest is four seconds, and the beep comes after it. */
    assert_int_equal(
        OF(message, "SELECT count(*) FROM calls c JOIN attempts a ON a.id = c.id WHERE "
                    "a.campaign_id = %" PRId64 " AND a.disposition = 'message' AND "
                    "c.started_at < a.answered_at + interval '4 seconds'"),
        0);
}

static void a_canary_that_passes_lets_the_rest_go_after_its_judgement(void **state)
{
    (void)state;
    assert_int_equal(OF(fit, "SELECT count(*) FROM campaign_canaries WHERE campaign_id = "
                             "%" PRId64 " AND state = 'passed'"),
                     1);
    assert_int_equal(OF(fit, "SELECT count(*) FROM attempts a JOIN campaign_canaries c "
                             "USING (campaign_id) WHERE campaign_id = %" PRId64
                             " AND a.state <> 'withdrawn' AND a.intent_at < c.judged_at"),
                     CANARY);
    assert_int_equal(OF(fit, "SELECT count(*) FROM attempts WHERE campaign_id = "
                             "%" PRId64 " AND state = 'ended'"),
                     2 * CANARY);
}

static void a_canary_that_nobody_answers_stops_the_campaign_at_its_calls(void **state)
{
    (void)state;
    assert_int_equal(OF(sick, "SELECT count(*) FROM attempts WHERE campaign_id = "
                              "%" PRId64 " AND state <> 'withdrawn'"),
                     CANARY);
    assert_int_equal(OF(sick, "SELECT count(*) FROM campaigns WHERE id = %" PRId64
                              " AND state = 'paused' AND stop_reason = 'the canary "
                              "failed: 0 of 7 calls were answered, less than 10 %% of 7; "
                              "''resume'' goes on all the same'"),
                     1);
}

static void leave(void)
{
    pg_close(pg);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody_is_called_beyond_the_caps_of_the_pool),
        cmocka_unit_test(a_limit_of_a_number_holds_in_a_pool_too),
        cmocka_unit_test(everybody_gets_the_variant_of_their_cohort),
        cmocka_unit_test(a_callback_in_the_night_is_moved_to_the_morning_and_said_so),
        cmocka_unit_test(who_leaves_the_topic_is_on_its_list_and_final),
        cmocka_unit_test(machines_are_hung_up_on_and_hear_no_flow),
        cmocka_unit_test(machines_are_left_a_message_after_their_beep),
        cmocka_unit_test(a_canary_that_passes_lets_the_rest_go_after_its_judgement),
        cmocka_unit_test(a_canary_that_nobody_answers_stops_the_campaign_at_its_calls),
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
    return cmocka_run_group_tests_name("trials_simulated", tests, run_all, NULL);
}
