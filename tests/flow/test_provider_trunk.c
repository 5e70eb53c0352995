/*
 * The real furrow-dialer over a provider that takes calls and drops the answer, fails,
 * refuses, queues (provider_peer.h). The test stands where furrow-server stands: it tells
 * what webhooks would have told, by the same function.
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

#include "base/clock.h"
#include "base/files.h"
#include "base/form.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "campaigns/campaign_store.h"
#include "campaigns/flow_store.h"
#include "campaigns/provider_call_store.h"
#include "campaigns/provider_store.h"
#include "flow/provider_peer.h"
#include "store/furrow_run.h"
#include "store/pgtest.h"

enum { TENANT = 1, BOUND_MS = 60000 };
#define CLOCK "2026-11-24T06:00:00Z@60"

static struct pg *pg;
static int64_t account_id;

/* ---- programs ---- */

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

static int ended(pid_t pid)
{
    int64_t bound = mono_ms() + BOUND_MS;
    int status = 0;

    while (waitpid(pid, &status, WNOHANG) == 0) {
        if (mono_ms() > bound) {
            kill(pid, SIGKILL);
            waitpid(pid, &status, 0);
            return -1;
        }
        poll(NULL, 0, 20);
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void stop_dialer(pid_t pid)
{
    kill(pid, SIGTERM);
    assert_int_equal(ended(pid), 0);
}

static void show_log(void)
{
    char path[512], line[600];

    snprintf(path, sizeof(path), "%s/dialer.log", pgtest_dir());
    FILE *f = fopen(path, "r");
    while (f && fgets(line, sizeof(line), f))
        print_message("%s", line);
    if (f)
        fclose(f);
}

/* ---- campaigns ---- */

/* Contacts whose numbers end in these digits; until: when its window closes, local. */
static int64_t start_campaign(const char *name, const char *trunk, const char *digits,
                              const char *until)
{
    struct campaign_issues issues = {0};
    struct errtext e = {0};
    struct campaign_row row;
    char path[512], text[1200];

    snprintf(path, sizeof(path), "%s/%s.csv", pgtest_dir(), name);
    FILE *f = fopen(path, "w");
    fputs("phone\n", f);
    for (const char *d = digits; *d; d++)
        fprintf(f, "+25191100%03d%c\n", (int)(name[0] - 'a') * 10, *d);
    fclose(f);
    RUN(0, "contacts", "import", path, "--list", name, "--region", "ET");
    snprintf(text, sizeof(text),
             "{\"name\": \"%s\", \"list\": \"%s\", \"flow\": \"coffee\", \"trunk\": "
             "\"%s\", \"windows\": {\"mon-sun\": [\"00:00-%s\"]}, \"regions\": [\"ET\"], "
             "\"caller_id\": \"+12025550100\", \"limits\": {\"per_24h\": 0, \"per_7d\": "
             "0, \"min_gap_s\": 1}, \"ring_timeout_s\": 25, \"retry\": "
             "{\"max_attempts\": 1, \"busy\": {\"max_attempts\": 1}, \"no_answer\": "
             "{\"max_attempts\": 1}}}",
             name, name, trunk, until);
    if (campaign_create(pg, TENANT, text, strlen(text), clock_now_ms(), &row, &issues))
        fail_msg("campaign: %s", issues.at[0].text);
    if (campaign_command(pg, TENANT, row.id, CAMPAIGN_START, NULL, clock_now_ms(), &row,
                         &e))
        fail_msg("start: %s", e.text);
    return row.id;
}

static void wait_until(const char *sql)
{
    int64_t bound = mono_ms() + BOUND_MS;

    while (pgtest_i64(pg, TENANT, sql) == 0) {
        if (mono_ms() > bound) {
            show_log();
            fail_msg("never true: %s", sql);
        }
        poll(NULL, 0, 20);
    }
}

/* The only attempt of a number that ends so has ended with this disposition. */
static void wait_for_end(int64_t campaign, int digit, const char *disposition)
{
    char sql[400];

    snprintf(sql, sizeof(sql),
             "SELECT (count(*) = 1 AND bool_and(coalesce(disposition, '') = '%s'))::int "
             "FROM attempts WHERE campaign_id = %lld AND phone %% 10 = %d AND state <> "
             "'withdrawn'",
             disposition, (long long)campaign, digit);
    wait_until(sql);
}

static void wait_for_state(int64_t campaign, int digit, const char *state)
{
    char sql[300];

    snprintf(sql, sizeof(sql),
             "SELECT count(*) FROM attempts WHERE campaign_id = %lld AND phone %% 10 = "
             "%d AND state = '%s'",
             (long long)campaign, digit, state);
    wait_until(sql);
}

/* ---- what webhooks tell ---- */

static void webhook(enum provider_kind kind, int digit, const char *rest)
{
    CLEANUP(form_free) struct form form = {0};
    struct provider_call_news news = PROVIDER_CALL_NEWS;
    struct uuid attempt;
    char id[64], status[24], body[400];

    assert_true(peer_call(digit, &attempt, id, status));
    snprintf(body, sizeof(body), "%s=%s&%s",
             kind == PROVIDER_TWILIO ? "CallSid" : "CallUUID", id, rest);
    assert_int_equal(form_parse(&form, body, strlen(body)), 0);
    assert_int_equal(provider_call_read_form(kind, &form, &news), 0);
    news.attempt = attempt;
    assert_int_equal(
        provider_call_told(pg, TENANT, account_id, &news, clock_now_ms(), NULL), 0);
}

static void wait_for_call(int digit)
{
    int64_t bound = mono_ms() + BOUND_MS;
    struct uuid attempt;
    char id[64], status[24];

    while (!peer_call(digit, &attempt, id, status)) {
        if (mono_ms() > bound) {
            show_log();
            fail_msg("no call to …%d", digit);
        }
        poll(NULL, 0, 10);
    }
}

static void body_has(const char *body, const char *part)
{
    if (!strstr(body, part))
        fail_msg("'%s' is not in %s", part, body);
}

static void every_answer_of_the_provider_ends_in_the_ledger_and_one_post(void **state)
{
    pid_t dialer = start_dialer();
    int64_t c = start_campaign("answers", "tw", "01234567", "24:00");

    (void)state;
    /* Dropped after it was taken, and the webhook is quicker than the lists. */
    wait_for_call(PEER_DROPS_2);
    webhook(PROVIDER_TWILIO, PEER_DROPS_2,
            "CallStatus=no-answer&SequenceNumber=2&SipResponseCode=487");
    wait_for_end(c, PEER_DROPS_2, "no_answer");
    /* The usual call, its callbacks in disorder and twice. */
    wait_for_call(PEER_RINGS);
    peer_set_status(PEER_RINGS, "in-progress");
    webhook(PROVIDER_TWILIO, PEER_RINGS, "CallStatus=in-progress&SequenceNumber=2");
    webhook(PROVIDER_TWILIO, PEER_RINGS, "CallStatus=ringing&SequenceNumber=1");
    wait_for_state(c, PEER_RINGS, "answered");
    for (int twice = 0; twice < 2; twice++)
        webhook(
            PROVIDER_TWILIO, PEER_RINGS,
            "CallStatus=completed&SequenceNumber=3&CallDuration=9&SipResponseCode=200");
    wait_for_end(c, PEER_RINGS, "completed");
    wait_for_end(c, PEER_BAD, "bad_number");
    wait_for_end(c, PEER_BUSY, "congestion");
    wait_until("SELECT count(*) FROM attempts WHERE disposition = 'bad_number' AND cause "
               "= 1 AND note LIKE '%21211%' AND note NOT LIKE '%251911%'");
    assert_int_equal(pgtest_i64(pg, TENANT,
                                "SELECT count(*) FROM provider_calls WHERE code IN "
                                "('21211', '20429')"),
                     2);
    /* No webhook at all. */
    wait_for_end(c, PEER_COMPLETES, "completed");
    /* Taken, the answer lost: it is found in the provider's list, then it rings on. */
    wait_for_state(c, PEER_DROPS, "ringing");
    webhook(PROVIDER_TWILIO, PEER_DROPS,
            "CallStatus=busy&SequenceNumber=2&SipResponseCode=486");
    wait_for_end(c, PEER_DROPS, "busy");
    /* Queued for too long: taken back. */
    wait_for_end(c, PEER_QUEUES, "canceled");
    wait_for_end(c, PEER_FAILS, "unknown");
    stop_dialer(dialer);
    for (int digit = 0; digit < 8; digit++)
        assert_int_equal(peer_posts(digit), 1);
    const char *body = peer_body(PEER_RINGS);
    static const char *const parts[] = {
        "To=%2B25191100",
        "From=%2B12025550100",
        "Method=POST",
        "StatusCallbackMethod=POST",
        "StatusCallbackEvent=initiated",
        "StatusCallbackEvent=completed",
        "Timeout=25",
        "TimeLimit=600",
        "Url=https%3A%2F%2Fvoice.example.test%2Fhooks%2F"};
    for (size_t i = 0; i < ARRAY_LEN(parts); i++)
        body_has(body, parts[i]);
}

/* The number was called a moment before, and both numbers and the time are the same. */
static void a_call_that_was_not_made_is_not_taken_for_the_one_before(void **state)
{
    pid_t dialer = start_dialer();

    (void)state;
    int64_t before = start_campaign("one", "patient", "8", "24:00");
    wait_for_end(before, PEER_ONCE, "busy");
    int64_t c = start_campaign("other", "patient", "8", "24:00");
    wait_for_end(c, PEER_ONCE, "unknown");
    stop_dialer(dialer);
    assert_int_equal(peer_posts(PEER_ONCE), 2);
}

/* Killed when the provider had taken the call and nothing of it was written. */
static void a_killed_dialers_call_is_found_and_never_sent_again(void **state)
{
    (void)state;
    int posts = peer_posts(PEER_RINGS);
    setenv("FURROW_FAULT", "provider_sent:1", 1);
    pid_t dialer = start_dialer();
    int64_t c = start_campaign("crash", "tw", "0", "24:00");
    assert_int_equal(ended(dialer), 128 + SIGKILL);
    unsetenv("FURROW_FAULT");
    wait_for_state(c, PEER_RINGS, "released");
    peer_set_status(PEER_RINGS, "in-progress");
    dialer = start_dialer();
    wait_for_state(c, PEER_RINGS, "answered"); /* it talks on: its flow is the server's */
    webhook(PROVIDER_TWILIO, PEER_RINGS,
            "CallStatus=completed&SequenceNumber=3&CallDuration=9&SipResponseCode=200");
    wait_for_end(c, PEER_RINGS, "completed");
    stop_dialer(dialer);
    assert_int_equal(peer_posts(PEER_RINGS), posts + 1);
}

static void what_is_queued_is_taken_back_when_its_window_closes(void **state)
{
    char until[8];
    int64_t local_min = (clock_now_ms() + INT64_C(3) * 3600000) / 60000 % 1440 + 5;

    (void)state;
    snprintf(until, sizeof(until), "%02d:%02d", (int)(local_min / 60),
             (int)(local_min % 60));
    pid_t dialer = start_dialer();
    int64_t c = start_campaign("dusk", "patient", "5", until);
    wait_for_state(c, PEER_QUEUES, "ringing");
    wait_for_end(c, PEER_QUEUES, "canceled");
    /* The hours end a little early, by the guard; it was not queued_max_s. */
    int64_t now_min = (clock_now_ms() + INT64_C(3) * 3600000) / 60000 % 1440;
    assert_in_range(now_min, local_min - 2, local_min + 5);
    assert_int_equal(pgtest_i64(pg, TENANT,
                                "SELECT count(*) FROM attempts WHERE disposition = "
                                "'canceled' AND ended_at - ringing_at > interval '1 "
                                "minute' AND phone % 1000 = 305"),
                     1);
    stop_dialer(dialer);
}

static void what_is_queued_is_taken_back_when_its_campaign_is_paused(void **state)
{
    struct uuid attempt;
    char id[64], status[24];

    (void)state;
    account_id =
        pgtest_i64(pg, TENANT, "SELECT id FROM provider_accounts WHERE name = 'pl'");
    pid_t dialer = start_dialer();
    int64_t c = start_campaign("lunch", "pl", "51", "24:00");
    wait_for_state(c, PEER_QUEUES, "ringing");
    wait_for_state(c, PEER_DROPS, "ringing"); /* found among the queued ones */
    RUN(0, "campaign", "pause", "lunch");
    wait_for_end(c, PEER_QUEUES, "canceled");
    wait_for_end(c, PEER_DROPS, "canceled");
    assert_true(peer_call(PEER_QUEUES, &attempt, id, status));
    assert_string_equal(status, "cancel");
    stop_dialer(dialer);
}

/* ---- the command line ---- */

static void trunks_over_accounts_are_judged_when_they_are_added(void **state)
{
    (void)state;
    text_has(RUN(1, "trunk", "add", "x", "--kind", "twilio", "--cps", "1",
                 "--max-channels", "5"),
             "--account");
    text_has(RUN(1, "trunk", "add", "x", "--kind", "twilio", "--account", "mian", "--cps",
                 "1", "--max-channels", "5"),
             "no provider 'mian'; there are: pl, tw");
    text_has(RUN(1, "trunk", "add", "x", "--kind", "plivo", "--account", "tw", "--cps",
                 "1", "--max-channels", "5"),
             "is twilio");
    text_has(RUN(1, "trunk", "add", "x", "--kind", "twilio", "--account", "tw", "--cps",
                 "9", "--max-channels", "5"),
             "account 'tw' takes (5)");
    text_has(RUN(1, "trunk", "add", "x", "--kind", "twilio", "--account", "tw", "--cps",
                 "1", "--max-channels", "5", "--settings",
                 "{\"form\": \"+12025550100\"}"),
             "form");
    text_has(RUN(1, "trunk", "add", "x", "--kind", "twilio", "--account", "tw", "--cps",
                 "1", "--max-channels", "5", "--settings", "{\"from\": \"2025\"}"),
             "is no number");
    text_has(RUN(1, "trunk", "add", "x", "--kind", "ari", "--account", "tw", "--endpoint",
                 "PJSIP/{number}@x", "--cps", "1", "--max-channels", "5"),
             "has no account");
    text_has(RUN(2, "trunk", "set", "tw", "--account", "pl"), "kind and account");
    text_has(RUN(1, "trunk", "set", "tw", "--cps", "6"), "account 'tw' takes (5)");
    text_has(RUN(0, "trunk", "list"), "twilio");
    text_has(RUN(0, "trunk", "show", "tw"), "account   tw");
    text_has(RUN(1, "provider", "remove", "tw"), "trunks or messages");
}

static void doctor_says_what_keeps_a_trunk_from_calling(void **state)
{
    char key[SECRET_KEY_TEXT_MAX], other[SECRET_KEY_TEXT_MAX];

    (void)state;
    assert_int_equal(str_copy(key, sizeof(key), getenv("FURROW_SECRET_KEY")), 0);
    unsetenv("FURROW_PUBLIC_URL");
    text_has(RUN(1, "doctor"), "tw: the provider must reach furrow-server");
    setenv("FURROW_PUBLIC_URL", "https://voice.example.test", 1);
    secret_key_new(other);
    setenv("FURROW_SECRET_KEY", other, 1);
    text_has(RUN(1, "doctor"), "is sealed by another key");
    setenv("FURROW_SECRET_KEY", key, 1);
    text_has(RUN(0, "doctor"), "tw: through twilio account 'tw', whose token opens");
}

static void add_account(const char *name, const char *kind, const char *account, int port)
{
    char file[512], settings[200];

    snprintf(file, sizeof(file), "%s/token", pgtest_dir());
    assert_int_equal(files_write_atomic(file, "t0ken", 5), 0);
    snprintf(settings, sizeof(settings),
             "{\"api_url\": \"http://127.0.0.1:%d\", \"cps\": 5}", port);
    RUN(0, "provider", "add", name, "--kind", kind, "--account", account, "--token-file",
        file, "--settings", settings);
}

static void publish(void)
{
    CLEANUP(free_cleanup) char *text = NULL;
    struct flow_row flow;
    size_t len = 0;
    bool fresh = false;

    assert_int_equal(
        files_read(SOURCE_DIR "/deploy/demo/coffee.json", 1 << 20, &text, &len), 0);
    assert_int_equal(
        flow_publish(pg, TENANT, "coffee", text, clock_now_ms(), &flow, &fresh), 0);
}

static int setup(void **state)
{
    static const char hasty[] = "{\"queued_max_s\": 4, \"look_s\": 2, \"search_s\": 1, "
                                "\"time_limit_s\": 600}",
                      patient[] =
                          "{\"queued_max_s\": 600, \"look_s\": 1, \"search_s\": 5}";
    static char key[SECRET_KEY_TEXT_MAX];
    int port = peer_start();

    (void)state;
    secret_key_new(key);
    setenv("FURROW_SECRET_KEY", key, 1);
    setenv("FURROW_PUBLIC_URL", "https://voice.example.test", 1);
    setenv("no_proxy", "127.0.0.1", 1);
    add_account("tw", "twilio", "AC0001", port);
    add_account("pl", "plivo", "MA0001", port);
    RUN(0, "trunk", "add", "tw", "--kind", "twilio", "--account", "tw", "--cps", "5",
        "--max-channels", "20", "--settings", hasty);
    RUN(0, "trunk", "add", "patient", "--kind", "twilio", "--account", "tw", "--cps", "5",
        "--max-channels", "20", "--settings", patient);
    RUN(0, "trunk", "add", "pl", "--kind", "plivo", "--account", "pl", "--cps", "5",
        "--max-channels", "20", "--settings", patient);
    account_id =
        pgtest_i64(pg, TENANT, "SELECT id FROM provider_accounts WHERE name = 'tw'");
    publish();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    peer_stop();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(trunks_over_accounts_are_judged_when_they_are_added),
        cmocka_unit_test(doctor_says_what_keeps_a_trunk_from_calling),
        cmocka_unit_test(every_answer_of_the_provider_ends_in_the_ledger_and_one_post),
        cmocka_unit_test(a_call_that_was_not_made_is_not_taken_for_the_one_before),
        cmocka_unit_test(a_killed_dialers_call_is_found_and_never_sent_again),
        cmocka_unit_test(what_is_queued_is_taken_back_when_its_window_closes),
        cmocka_unit_test(what_is_queued_is_taken_back_when_its_campaign_is_paused),
    };
    struct errtext e = {0};

    setenv("FURROW_CLOCK", CLOCK, 1);
    pgtest_start(PGTEST_POSTGRES_AND_REDIS);
    pg = pgtest_open();
    setenv("DATABASE_URL", pgtest_url(), 1);
    if (clock_init(CLOCK, &e) || clock_share(pg, &e)) {
        fprintf(stderr, "%s\n", e.text);
        return 1;
    }
    int code = cmocka_run_group_tests(tests, setup, teardown);
    pg_close(pg);
    return code;
}
