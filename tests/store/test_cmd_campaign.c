/*
 * furrow trunk, extension, campaign and run, as a user runs them. Where a dialer is
 * wanted the test is one: it holds a lease in node_slots and moves contacts.
 */
#include "unit/cm.h"

#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <jansson.h>

#include "base/files.h"
#include "base/str.h"
#include "store/pgtest.h"

enum { OUTPUT_MAX = 32000, ARGS_MAX = 24, PATIENCE = 600 };

struct outcome {
    int code; /* exit code; -1 when a signal ended it */
    char out[OUTPUT_MAX], err[OUTPUT_MAX];
};

static struct pg *pg;
static char program[400]; /* the furrow that is run */

static const char *path(const char *name)
{
    static char text[32][300];
    static int next;
    char *p = text[next++ % 32];

    snprintf(p, sizeof(text[0]), "%s/%s", pgtest_dir(), name);
    return p;
}

static const char *write_file(const char *name, const char *data)
{
    const char *p = path(name);

    assert_int_equal(files_write_atomic(p, data, strlen(data)), 0);
    return p;
}

static void read_file(const char *name, char out[OUTPUT_MAX])
{
    FILE *f = fopen(path(name), "r");

    assert_non_null(f);
    out[fread(out, 1, OUTPUT_MAX - 1, f)] = '\0';
    fclose(f);
}

/* Output goes to <tag>.out and <tag>.err. */
static pid_t spawn(const char *tag, const char *const *args)
{
    const char *argv[ARGS_MAX] = {program};
    char out_name[64], err_name[64];
    size_t n = 1;

    while (*args && n < ARGS_MAX - 1)
        argv[n++] = *args++;
    snprintf(out_name, sizeof(out_name), "%s.out", tag);
    snprintf(err_name, sizeof(err_name), "%s.err", tag);
    int out = open(path(out_name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    int err = open(path(err_name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    int in = open("/dev/null", O_RDONLY | O_CLOEXEC);
    assert_true(out >= 0 && err >= 0 && in >= 0);
    pid_t pid = fork();
    if (pid == 0) {
        dup2(in, 0);
        dup2(out, 1);
        dup2(err, 2);
        execv(argv[0], (char *const *)(uintptr_t)argv);
        _exit(127);
    }
    close(in);
    close(out);
    close(err);
    assert_true(pid > 0);
    return pid;
}

static struct outcome *await(const char *tag, pid_t pid)
{
    static struct outcome o;
    char name[64];
    int status = 0;

    assert_int_equal(waitpid(pid, &status, 0), pid);
    o.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    snprintf(name, sizeof(name), "%s.out", tag);
    read_file(name, o.out);
    snprintf(name, sizeof(name), "%s.err", tag);
    read_file(name, o.err);
    return &o;
}

static struct outcome *run(const char *const *args)
{
    return await("run", spawn("run", args));
}

#define ARGS(...) ((const char *const[]){__VA_ARGS__, NULL})
#define RUN(...)  run(ARGS(__VA_ARGS__))

/* As expected, else everything it said. */
static void expect(const struct outcome *o, int code, const char *out, const char *err)
{
    if (o->code != code || !strstr(o->out, out) || !strstr(o->err, err))
        fail_msg("exit %d (wanted %d '%s' '%s')\n%s\n%s", o->code, code, out, err, o->out,
                 o->err);
}

static int64_t count(const char *sql)
{
    return pgtest_i64(pg, 1, sql);
}

/* True once the query answers n, asked PATIENCE times. */
static bool becomes(const char *sql, int64_t n)
{
    for (int i = 0; i < PATIENCE; i++) {
        if (pgtest_i64(pg, 1, sql) == n)
            return true;
        pgtest_run(pg, 0, "SELECT pg_sleep(0.02)");
    }
    return false;
}

/* We are a dialer (and a worker) that is alive, or no longer. */
static void be_alive(bool alive)
{
    pgtest_run(pg, 0, "DELETE FROM node_slots");
    if (alive)
        pgtest_run(pg, 0,
                   "INSERT INTO node_slots (kind, slot, holder, host, pid, lease_until) "
                   "SELECT k, 0, gen_random_uuid(), 'test', 1, clock_timestamp() + "
                   "interval '1 hour' FROM unnest(ARRAY['dialer', 'worker']) k");
}

static const char *document(const char *name, const char *list, const char *more)
{
    char text[1000], file[100];

    snprintf(text, sizeof(text),
             "{\"name\": \"%s\", \"list\": \"%s\",\n\"flow\": \"coffee\", \"trunk\": "
             "\"sim\"%s}\n",
             name, list, more);
    snprintf(file, sizeof(file), "%s.json", name);
    return write_file(file, text);
}

static void create(const char *name, const char *list, const char *more)
{
    expect(RUN("campaign", "create", document(name, list, more)), 0, "created as a draft",
           "");
}

static void finish_contacts(void)
{
    pgtest_run(pg, 1,
               "UPDATE campaign_contacts SET state = 'final', final = 'completed', "
               "final_at = next_attempt_at");
}

/* ---- trunks and extensions ---- */

static void trunks_are_added_shown_and_removed(void **state)
{
    (void)state;
    expect(RUN("trunk", "add", "sim", "--kind", "simulated", "--cps", "0.5",
               "--max-channels", "60", "--settings", "{\"seed\": 3}"),
           0, "trunk 'sim' (simulated): 0.5 calls a second, 60 at once", "");
    expect(RUN("trunk", "add", "sim", "--kind", "simulated", "--cps", "1",
               "--max-channels", "1"),
           1, "", "there is a trunk 'sim' already");
    expect(RUN("trunk", "add", "odd", "--kind", "simulated", "--cps", "1",
               "--max-channels", "1", "--settings", "{\"answer\": 7}"),
           1, "", "answer: want a probability from 0 to 1");
    expect(RUN("trunk", "add", "main", "--kind", "ari", "--endpoint",
               "PJSIP/{number}@provider", "--cps", "5", "--max-channels", "10"),
           0, "trunk 'main'", "");
    expect(RUN("trunk", "list"), 0, "PJSIP/{number}@provider", "");
    expect(RUN("trunk", "list", "--json"), 0, "\"cps\": 0.5", "");
    expect(RUN("trunk", "show", "sim", "--json"), 0, "\"seed\": 3", "");
    expect(RUN("trunk", "show", "mian"), 1, "", "did you mean 'main'?");
    expect(RUN("trunk", "remove", "main"), 0, "removed", "");
}

static void a_wrong_command_line_says_what_is_wrong(void **state)
{
    static const struct {
        const char *args[12];
        int code;
        const char *says;
    } cases[] = {
        {{"trunk", "add"}, 2, "what is the trunk's name?"},
        {{"trunk", "add", "x"}, 2, "--kind ari, twilio, plivo or simulated"},
        {{"trunk", "add", "x", "--kind", "ari"}, 2, "--cps N and --max-channels N"},
        {{"trunk", "add", "x", "--kind", "ari", "--cps", "a"}, 2, "not 'a'"},
        {{"trunk", "add", "x", "--kind", "sip", "--cps", "1", "--max-channels", "1"},
         1,
         "none of ari, twilio, plivo, simulated"},
        {{"trunk", "show"}, 2, "which trunk?"},
        {{"extension", "add", "2001"}, 2, "--flow NAME"},
        {{"extension", "add", "2001", "--flow", "coffee", "--missed-call"},
         2,
         "--missed-call needs --campaign"},
        {{"extension", "add", "20x1", "--flow", "coffee"}, 1, "digits only"},
        {{"extension", "remove"}, 2, "which number?"},
        {{"campaign", "create"}, 2, "which file?"},
        {{"campaign", "create", "/nonexistent.json"}, 1, "No such file"},
        {{"campaign", "show"}, 2, "which campaign?"},
        {{"campaign", "show", "nothing"}, 1, "no campaign 'nothing'; there are none yet"},
        {{"campaign", "start", "a", "--csv"}, 2, "there is no --csv here"},
        {{"campaign", "report", "a", "--csv", "--json"}, 2, "not both"},
        {{"campaign", "list", "a"}, 2, "unexpected argument 'a'"},
        {{"flow", "run", "coffee.json", "--from", "abc"}, 2, "--from wants a number as"},
        {{"run", "a", "b"}, 2, "one campaign, or none"},
        {{"run", "nothing"}, 1, "no campaign 'nothing'"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        expect(run(cases[i].args), cases[i].code, "", cases[i].says);
}

static void extensions_name_flow_and_callback_campaign(void **state)
{
    (void)state;
    create("callbacks", "near", ", \"keep_open\": true");
    expect(RUN("extension", "add", "2001", "--flow", "coffee"), 0,
           "2001: answered by flow 'coffee'", "");
    expect(RUN("extension", "add", "2002", "--flow", "coffee", "--missed-call",
               "--campaign", "callbacks"),
           0, "called back by campaign 'callbacks'", "");
    expect(RUN("extension", "add", "2001", "--flow", "coffee"), 1, "",
           "number 2001 is taken");
    expect(RUN("extension", "list", "--json"), 0, "\"campaign\": \"callbacks\"", "");
    expect(RUN("extension", "remove", "2001"), 0, "removed", "");
    expect(RUN("extension", "add", "+1 (555) 010-0100", "--flow", "coffee"), 0,
           "15550100100: answered", "");
    expect(RUN("extension", "add", "555 0100", "--flow", "coffee"), 1, "",
           "no number to dial in");
    expect(RUN("extension", "remove", "+15550100100"), 0, "15550100100 removed", "");
    expect(RUN("extension", "remove", "2001"), 1, "", "no extension 2001");
}

/* ---- campaign ---- */

static void a_wrong_document_gets_file_line_and_hint_for_each_error(void **state)
{
    const char *file = document("wrong", "nobody",
                                ",\n\"windows\": {\"mo\": []},\n"
                                "\"ring_timeout\": 3");
    struct outcome *o = RUN("campaign", "validate", file);

    (void)state;
    expect(o, 1, "", "wrong.json:3:13: 'mo' is no day\n    write mon,");
    expect(o, 1, "",
           "wrong.json:4:1: unknown key 'ring_timeout'\n    did you mean "
           "'ring_timeout_s'?");
    expect(o, 1, "", "2 things are wrong\n");
    expect(RUN("campaign", "create", file, "--json"), 1, "\"pointer\": \"/windows/mo\"",
           "");
    /* Sound by itself, but there is no such list. */
    file = document("wrong", "nobody", "");
    expect(RUN("campaign", "validate", file), 0, "campaign 'wrong' is sound", "");
    expect(RUN("campaign", "create", file), 1, "",
           "wrong.json:1:27: no list 'nobody'; there are: far, near");
    assert_int_equal(count("SELECT count(*) FROM campaigns WHERE name = 'wrong'"), 0);
}

static void a_campaign_is_created_listed_shown_and_moved(void **state)
{
    (void)state;
    expect(RUN("campaign", "create",
               document("moves", "near",
                        ", \"schedule\": {\"cron\": \"0 9 * * *\", \"timezone\": "
                        "\"Africa/Addis_Ababa\"}")),
           0, "it starts at 2026-11-25T06:00:00Z, or earlier by 'furrow run moves'", "");
    expect(RUN("campaign", "create", path("moves.json")), 1, "",
           "moves.json:1:10: there is a campaign 'moves' already");
    expect(RUN("campaign", "list"), 0, "moves", "");
    expect(RUN("campaign", "show", "moves"), 0, "next     2026-11-25T06:00:00Z", "");
    expect(RUN("campaign", "show", "moves", "--json"), 0, "\"cron\": \"0 9 * * *\"", "");
    expect(RUN("campaign", "pause", "moves"), 1, "",
           "a draft campaign can be started or stopped or archived, not paused");
    expect(RUN("campaign", "start", "moves"), 0, "is running", "no dialer is alive");
    expect(RUN("campaign", "pause", "moves", "--reason", "a feast"), 0, "is paused", "");
    expect(RUN("campaign", "list"), 0, "a feast", "");
    expect(RUN("campaign", "resume", "moves", "--json"), 0, "\"state\": \"running\"", "");
    expect(RUN("campaign", "stop", "moves"), 0, "is stopped", "");
    assert_int_equal(
        count("SELECT count(*) FROM campaigns WHERE name = 'moves' AND state "
              "= 'stopped'"),
        1);
}

static void a_report_has_the_same_figures_as_text_json_and_csv(void **state)
{
    static const char *const keys[] = {"contacts", "attempted",   "retried",
                                       "opt_outs", "transcribed", "recordings",
                                       "batches",  "answered"};
    struct outcome *o = RUN("campaign", "report", "moves", "--json");
    json_error_t where;
    json_t *report = json_loads(o->out, 0, &where);

    (void)state;
    assert_non_null(report);
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
        assert_true(json_is_integer(json_object_get(report, keys[i])));
    assert_true(json_is_array(json_object_get(report, "refusals")));
    json_decref(report);
    expect(RUN("campaign", "report", "moves"), 0, "campaign 'moves' is stopped", "");
    expect(RUN("campaign", "report", "moves"), 0, "calls attempted            0\n", "");
    expect(RUN("campaign", "report", "moves", "--csv"), 0,
           "group,name,count\ntotal,contacts,0\n", "");
}

static void a_pool_of_caller_ids_is_kept_watched_and_explained(void **state)
{
    (void)state;
    expect(RUN("caller-id", "add", "+251115550101", "+251115550102"), 2, "",
           "--pool names the pool");
    expect(RUN("caller-id", "add", "0115550101", "--pool", "et"), 2, "",
           "'0115550101' is no number with its country code: write it with + and the "
           "country code, e.g. +251911234567\n");
    expect(RUN("campaign", "create",
               document("pooled", "near", ", \"caller_ids\": {\"pool\": \"et\"}")),
           1, "", "no caller-id pool 'et'; there are none");
    expect(RUN("caller-id", "add", "+251115550101", "+251115550102", "--pool", "et",
               "--daily", "200"),
           0, "+251115550102 shows in pool 'et', at most 200 calls in any 24 hours", "");
    create("pooled", "near", ", \"caller_ids\": {\"pool\": \"et\"}");
    expect(RUN("caller-id", "list"), 0, "0 of 200     ready", "");
    expect(RUN("caller-id", "hold", "+251115550101", "+251115550102", "--hours", "3",
               "--reason", "marked as spam"),
           0, "+251115550101 rests until 2026-11-24T09:", "");
    expect(
        RUN("caller-id", "health", "--pool", "et"), 0,
        "0 calls        - answered        - short  QUARANTINE until 2026-11-24T09:", "");
    expect(RUN("campaign", "forecast", "pooled", "--json"), 0,
           "\"not_foreseen\": \"what may go into quarantine\"", "");
    create("agented", "near", "");
    pgtest_run(
        pg, 1,
        "UPDATE campaigns SET document_text = regexp_replace(document_text, '[{]', "
        "'{\"mode\": {\"kind\": \"progressive\", \"queue\": \"sales\"},') WHERE "
        "name = 'agented'");
    expect(RUN("campaign", "forecast", "agented", "--json"), 0,
           "\"not_foreseen\": \"how many agents there are: each call finds one\"", "");
    expect(RUN("campaign", "start", "pooled"), 0, "is running", "");
    pgtest_run(
        pg, 1,
        "INSERT INTO campaign_contacts (tenant_id, campaign_id, contact_id, phone, "
        "zone_group, number_type, next_attempt_at) SELECT 1, c.id, k.id, k.phone, "
        "k.zone_group, k.number_type, '2026-11-24' FROM campaigns c JOIN contacts "
        "k ON k.list_id = c.list_id WHERE c.name = 'pooled'");
    expect(RUN("campaign", "watch", "pooled"), 0,
           "no number of the caller-id pool 'et' is left: 0 over the daily cap, 2 in "
           "quarantine; the next at 2026-11-24T09:",
           "");
    expect(RUN("why", "+251911000001", "--campaign", "pooled"), 0,
           "but it waits: no number of the caller-id pool 'et' is left", "");
    expect(RUN("caller-id", "release", "+251115550101"), 0, "shows again", "");
    expect(RUN("caller-id", "release", "+251115550101"), 1, "", "is not in quarantine");
    expect(RUN("caller-id", "list", "--json"), 0, "\"why\": \"marked as spam\"", "");
    expect(RUN("caller-id", "remove", "+251115550102"), 0, "removed", "");
    expect(RUN("campaign", "stop", "pooled"), 0, "is stopped", "");
}

static int64_t member(const json_t *json, const char *key)
{
    assert_true(json_is_integer(json_object_get(json, key)));
    return json_integer_value(json_object_get(json, key));
}

static void a_forecast_is_told_printed_as_json_and_as_a_page(void **state)
{
    json_error_t where;

    (void)state;
    create("ahead", "near", "");
    expect(RUN("campaign", "forecast", "ahead"), 0,
           "forecast of 'ahead' from 2026-11-24 09:0", "");
    expect(RUN("campaign", "forecast", "ahead"), 0, "3  may be called at once", "");
    struct outcome *o =
        RUN("campaign", "forecast", "ahead", "--answer-rate", "100", "--json");
    json_t *f = json_loads(o->out, 0, &where);
    assert_non_null(f);
    assert_int_equal(member(f, "contacts"), 3);
    assert_int_equal(member(f, "calls"), 3);
    assert_int_equal(member(json_object_get(f, "outcomes"), "completed"), 3);
    assert_int_equal(member(f, "left"), 0);
    assert_int_equal(json_array_size(json_object_get(f, "zones")), 1);
    json_decref(f);
    o = RUN("campaign", "forecast", "ahead", "--html");
    expect(o, 0, "<!doctype html>", "");
    assert_non_null(strstr(o->out, "</html>"));
    /* Nothing is loaded from anywhere. */
    assert_null(strstr(o->out, "http"));
    assert_null(strstr(o->out, "<script"));
    expect(RUN("campaign", "forecast", "ahead", "--answer-rate", "most"), 2, "",
           "a share in percent");
    expect(RUN("campaign", "forecast", "ahead", "--from", "monday"), 2, "",
           "an instant like");
    expect(RUN("campaign", "forecast", "ahead", "--to", "2026-11-01T00:00:00Z"), 1, "",
           "ends before it begins");
    expect(RUN("campaign", "forecast", "ahed"), 1, "", "did you mean 'ahead'?");
    /* Nothing was called, nobody enrolled. */
    assert_int_equal(count("SELECT count(*) FROM campaign_contacts"), 0);
}

static void watch_shows_one_picture_where_there_is_no_terminal(void **state)
{
    (void)state;
    expect(RUN("campaign", "watch", "moves"), 0, "the campaign is stopped", "");
    expect(RUN("campaign", "watch", "moves", "--once"), 0, "dialers  0", "");
    expect(RUN("campaign", "watch", "moves"), 0, "finals   none\nrefused  0 contacts\n",
           "");
    expect(RUN("calling", "stop", "--note", "wrong list"), 0, "all calling is off", "");
    expect(RUN("campaign", "watch", "moves"), 0, "\nstopped  all calling is off since ",
           "");
    expect(RUN("campaign", "watch", "moves"), 0, ": wrong list; 'furrow calling resume'",
           "");
    expect(RUN("campaign", "watch", "moves", "--json"), 0, "\"calling_off\": true", "");
    expect(RUN("calling", "resume"), 0, "calling is on", "");
}

static void what_has_ended_is_not_started(void **state)
{
    (void)state;
    expect(RUN("campaign", "create",
               document("late", "near", ", \"end\": \"2020-01-01T00:00:00Z\"")),
           0, "its 'end' has passed (2020-01-01T00:00:00Z)", "");
    expect(RUN("campaign", "start", "late"), 1, "",
           "its 'end' has passed (2020-01-01T00:00:00Z); 'furrow campaign change late");
    expect(RUN("campaign", "change", "late", "--set", "end="), 0, "changed: end", "");
    expect(RUN("campaign", "start", "late"), 0, "is running", "");
    expect(RUN("campaign", "stop", "late"), 0, "is stopped", "");
    expect(RUN("campaign", "archive", "late"), 0, "is archived", "");
}

static double real_member(const json_t *object, const char *key)
{
    return json_real_value(json_object_get(object, key));
}

static void watch_has_the_same_picture_for_programs(void **state)
{
    json_error_t where;

    (void)state;
    struct outcome *o = RUN("campaign", "watch", "moves", "--json");
    json_t *w = json_loads(o->out, 0, &where);
    assert_non_null(w);
    assert_string_equal(json_string_value(json_object_get(w, "campaign")), "moves");
    assert_string_equal(json_string_value(json_object_get(w, "why_dry")),
                        "the campaign is stopped");
    assert_true(real_member(w, "answer_rate") == 0);
    assert_true(json_is_object(json_object_get(w, "refusals")));
    assert_true(json_is_null(json_object_get(w, "budget")));
    json_decref(w);
}

/* Ten calls in the last minute, four of them answered, one by a machine; a budget of
 * twelve. */
static void watch_shows_pace_answers_refusals_and_budget(void **state)
{
    json_error_t where;

    (void)state;
    create("seen", "near", ", \"pacing\": {\"cps\": 2}, \"budget\": {\"calls\": 12}");
    pgtest_run(pg, 1,
               "UPDATE campaigns SET state = 'running', started_at = furrow_ts("
               "1795507200000) WHERE name = 'seen'");
    pgtest_run(
        pg, 1,
        "INSERT INTO campaign_contacts (tenant_id, campaign_id, contact_id, phone, "
        "zone_group, next_attempt_at) SELECT 1, c.id, k.id, k.phone, "
        "k.zone_group, furrow_ts(1795507100000) FROM contacts k JOIN campaigns c "
        "ON c.list_id = k.list_id WHERE c.name = 'seen'");
    pgtest_run(
        pg, 1,
        "INSERT INTO attempts (id, tenant_id, campaign_id, contact_id, phone, "
        "trunk_id, slot, number, state, intent_at, released_at, answered_at, "
        "ended_at, disposition) SELECT gen_random_uuid(), 1, c.id, 1, 251911000000 "
        "+ i, 1, 0, 1, 'ended', t, t, CASE WHEN i <= 5 THEN t END, t, CASE WHEN i <= 4 "
        "THEN 'completed' WHEN i = 5 THEN 'message' ELSE 'busy' END FROM "
        "campaigns c, generate_series(1, 10) i, (SELECT furrow_ts(1795507190000) "
        "t) q WHERE c.name = 'seen'");
    pgtest_run(pg, 1,
               "INSERT INTO campaign_spend (tenant_id, campaign_id, calls, seconds, "
               "micros) SELECT 1, id, 12, 0, 0 FROM campaigns WHERE name = 'seen'");
    pgtest_run(
        pg, 1,
        "INSERT INTO decisions (id, tenant_id, stage, campaign_id, contact_id, "
        "phone, decided_at, reason, reasons, inputs) SELECT "
        "furrow_uuid_floor(furrow_ts(1795507190000 + i)), 1, 1, c.id, 1, "
        "251911000000, furrow_ts(1795507190000), 502, '{502}', '{}' FROM campaigns "
        "c, generate_series(1, 3) i WHERE c.name = 'seen'");
    struct outcome *o = RUN("campaign", "watch", "seen");
    expect(o, 0, "pace     0.17 calls/s in the last minute (set: 2/s)", "");
    expect(o, 0,
           "calls    10 in all: 4 answered, 0 machines, 1 messages left, 5 busy, 0 no "
           "answer, 0 failed",
           "");
    expect(o, 0,
           "answers  40.0 % of all, 40.0 % of the 10 that ended in the last 5 minutes",
           "");
    expect(o, 0, "3 times in the last 5 minutes:   FREQ_24H 3", "");
    expect(o, 0, "budget   12 of 12 calls; room for 0 more calls", "");
    expect(o, 0, "; the budget has no room for a call: 12 of 12 calls", "");
    o = RUN("campaign", "watch", "seen", "--json");
    json_t *w = json_loads(o->out, 0, &where);
    assert_non_null(w);
    assert_int_equal(member(w, "calls"), 10);
    assert_int_equal(member(w, "message"), 1);
    assert_true(real_member(w, "answer_rate_recent") == 0.4);
    assert_int_equal(member(json_object_get(w, "refusals_recent"), "FREQ_24H"), 3);
    assert_int_equal(member(json_object_get(w, "budget"), "room"), 0);
    json_decref(w);
    /* While nobody can be called the pace of before says nothing of the time left. */
    pgtest_run(
        pg, 1,
        "UPDATE attempts SET intent_at = furrow_ts(1795499900000) WHERE campaign_id "
        "= (SELECT id FROM campaigns WHERE name = 'seen')");
    pgtest_run(pg, 1,
               "UPDATE campaign_contacts SET state = 'final', final = 'completed', "
               "final_at = furrow_ts(1795499950000) WHERE (campaign_id, contact_id) = "
               "(SELECT campaign_id, min(contact_id) FROM campaign_contacts k JOIN "
               "campaigns c ON c.id = k.campaign_id WHERE c.name = 'seen' GROUP BY 1)");
    expect(RUN("campaign", "watch", "seen", "--json"), 0, "\"seconds_left\": 0,", "");
    o = RUN("campaign", "watch", "seen");
    expect(o, 0, " final (", "");
    assert_null(strstr(o->out, " left\n"));
    expect(RUN("campaign", "change", "seen", "--set", "budget.calls=500"), 0, "", "");
    o = RUN("campaign", "watch", "seen");
    expect(o, 0, " left\n", "");
    expect(RUN("campaign", "change", "seen", "--set", "budget.calls=12"), 0, "", "");
    expect(RUN("campaign", "forecast", "seen"), 0, "The budget is spent by", "");
    expect(RUN("campaign", "stop", "seen"), 0, "", "");
}

/* People are due and nobody is dialled: that has a reason too. */
static void watch_says_when_no_line_takes_a_call(void **state)
{
    (void)state;
    /* Ids of before hold no time. */
    pgtest_run(pg, 1,
               "DELETE FROM attempts WHERE campaign_id = (SELECT id FROM "
               "campaigns WHERE name = 'seen')");
    create("lines", "near", ", \"pacing\": {\"max_concurrent\": 10}");
    pgtest_run(pg, 1,
               "UPDATE campaigns SET state = 'running', started_at = furrow_ts("
               "1795500000000) WHERE name = 'lines'");
    pgtest_run(
        pg, 1,
        "INSERT INTO campaign_contacts (tenant_id, campaign_id, contact_id, phone, "
        "zone_group, next_attempt_at) SELECT 1, c.id, k.id, k.phone, "
        "k.zone_group, furrow_ts(1795499900000) FROM contacts k JOIN campaigns c "
        "ON c.list_id = k.list_id WHERE c.name = 'lines'");
    pgtest_run(
        pg, 1,
        "INSERT INTO attempts (id, tenant_id, campaign_id, contact_id, phone, "
        "trunk_id, slot, number, state, intent_at, released_at, ended_at, disposition) "
        "SELECT furrow_uuid_floor(furrow_ts(1795500000000 + i)), 1, c.id, 1, "
        "251911000000 + i, c.trunk_id, 0, 1, 'ended', t, t, t, 'congestion' FROM "
        "campaigns c, generate_series(1, 10) i, (SELECT furrow_ts(1795500000000) t) q "
        "WHERE c.name = 'lines'");
    expect(RUN("campaign", "watch", "lines"), 0,
           "for their time; trunk 'sim' refused its last 10 calls", "");
    pgtest_run(pg, 1,
               "UPDATE attempts SET state = 'answered', ended_at = NULL, disposition = "
               "NULL WHERE campaign_id = (SELECT id FROM campaigns WHERE name = "
               "'lines')");
    expect(RUN("campaign", "watch", "lines"), 0,
           "; 10 calls are up, as many as 'pacing' allows at once", "");
    /* The campaign would allow more, the trunk does not. */
    expect(RUN("campaign", "change", "lines", "--set", "pacing.max_concurrent=50"), 0,
           "changed: pacing", "");
    pgtest_run(pg, 1, "UPDATE trunks SET max_channels = 10 WHERE name = 'sim'");
    expect(RUN("campaign", "watch", "lines"), 0,
           "for their time; trunk 'sim' carries 10 calls, as many as it may\n", "");
    pgtest_run(pg, 1, "UPDATE trunks SET max_channels = 11 WHERE name = 'sim'");
    expect(RUN("campaign", "watch", "lines"), 0, "for their time\n", "");
    pgtest_run(pg, 1,
               "DELETE FROM attempts WHERE campaign_id = (SELECT id FROM "
               "campaigns WHERE name = 'lines')");
    struct outcome *o = RUN("campaign", "watch", "lines");
    expect(o, 0, "for their time\n", "");
    expect(RUN("campaign", "stop", "lines"), 0, "", "");
}

static void watch_says_when_no_dialer_is_with_the_trunks_asterisk(void **state)
{
    (void)state;
    pgtest_run(pg, 1, "UPDATE campaigns SET state = 'running' WHERE name = 'lines'");
    pgtest_run(pg, 1, "UPDATE trunks SET kind = 'ari' WHERE name = 'sim'");
    expect(RUN("campaign", "watch", "lines"), 0, "dialers  0: nothing is dialled", "");
    /* It says that it is ready: it places the calls of other kinds of trunks. */
    pgtest_run(pg, 1,
               "INSERT INTO node_slots (kind, slot, holder, host, pid, lease_until) "
               "SELECT 'dialer', s, gen_random_uuid(), 'here', 1, clock_timestamp() + "
               "interval '1 hour' FROM generate_series(40, 41) s");
    expect(RUN("campaign", "watch", "lines"), 0,
           "for their time; trunk 'sim' is not connected: none of the dialers that run "
           "has an Asterisk",
           "");
    expect(RUN("campaign", "watch", "lines", "--json"), 0,
           "\"why_dry\": \"trunk 'sim' is not connected", "");
    pgtest_run(pg, 1, "UPDATE node_slots SET has_switch = true WHERE slot = 41");
    expect(RUN("campaign", "watch", "lines"), 0, "for their time\n", "");
    pgtest_run(pg, 1, "DELETE FROM node_slots WHERE slot >= 40");
    pgtest_run(pg, 1, "UPDATE trunks SET kind = 'simulated' WHERE name = 'sim'");
    expect(RUN("campaign", "stop", "lines"), 0, "", "");
}

static void a_failed_canary_is_shown_and_resuming_it_is_said(void **state)
{
    static const char why[] = "12 of 20 calls failed, more than 50 % of 20";

    (void)state;
    create("canary", "near", ", \"canary\": {\"calls\": 20}");
    expect(RUN("campaign", "start", "canary"), 0, "is running", "");
    expect(RUN("campaign", "watch", "canary"), 0,
           "canary   trial: 0 of 20 calls placed, 0 over: 0 answered, 0 failed", "");
    pgtest_run(pg, 1,
               "INSERT INTO campaign_canaries (tenant_id, campaign_id, from_at, state, "
               "judged_at, verdict) SELECT 1, id, furrow_ts(1795507200000), 'failed', "
               "furrow_ts(1795507200000), '12 of 20 calls failed, more than 50 % of 20' "
               "FROM campaigns WHERE name = 'canary'");
    expect(RUN("campaign", "pause", "canary", "--reason", why), 0, "is paused", "");
    expect(RUN("campaign", "show", "canary"), 0,
           "canary   failed 2026-11-24T08:00:00Z: 12 of 20 calls failed", "");
    expect(RUN("campaign", "list"), 0, why, "");
    expect(RUN("campaign", "resume", "canary"), 0,
           "its canary failed; it goes on all the same, without one", "");
    expect(RUN("campaign", "watch", "canary", "--json"), 0, "\"state\": \"overruled\"",
           "");
    struct outcome *o = RUN("campaign", "history", "canary");
    expect(o, 0, " resumed although the canary had failed\n", "");
    assert_true(strstr(o->out, "   1  from ") < strstr(o->out, "resumed although"));
    expect(RUN("campaign", "stop", "canary"), 0, "", "");
}

static void what_is_in_quarantine_is_shown_and_released_by_name(void **state)
{
    (void)state;
    create("resting", "near", ", \"quarantine\": {\"lists\": {}}");
    pgtest_run(pg, 1,
               "INSERT INTO campaign_holds (tenant_id, campaign_id, kind, name, held_at, "
               "why, counts_from) SELECT 1, id, 'list', 'near', "
               "furrow_ts(1795507200000), '48 of 50 numbers', furrow_ts(1795507200000) "
               "FROM campaigns WHERE name = 'resting'");
    pgtest_run(pg, 1,
               "INSERT INTO campaign_contacts (tenant_id, campaign_id, contact_id, "
               "phone, zone_group, number_type, next_attempt_at) SELECT 1, c.id, k.id, "
               "k.phone, k.zone_group, k.number_type, '9999-12-31' FROM campaigns c JOIN "
               "contacts k ON k.list_id = c.list_id WHERE c.name = 'resting'");
    expect(RUN("campaign", "start", "resting"), 0, "is running", "");
    struct outcome *o = RUN("campaign", "watch", "resting");
    expect(o, 0,
           "held     list 'near' is in quarantine since 2026-11-24T08:00:00Z: 48 of 50 "
           "numbers",
           "");
    expect(o, 0, "who is left is on list 'near', in quarantine: 'furrow campaign release",
           "");
    o = RUN("why", "+251911000001", "--campaign", "resting");
    expect(o, 0, "in resting: set aside, 0 calls so far", "");
    expect(o, 0, "but it waits: its list 'near' is in quarantine: 48 of 50 numbers", "");
    expect(RUN("campaign", "show", "resting", "--json"), 0, "\"kind\": \"list\"", "");
    expect(RUN("campaign", "release", "resting"), 2, "", "--variant NAME, --list NAME");
    expect(RUN("campaign", "release", "resting", "--list", "far"), 1, "",
           "nothing of that is in quarantine in 'resting'");
    expect(RUN("campaign", "release", "resting", "--list", "near"), 0, "1 released", "");
    expect(RUN("campaign", "history", "resting", "--json"), 0,
           "\"list 'near' was released from quarantine by hand\"", "");
    assert_int_equal(count("SELECT count(*) FROM campaign_contacts k JOIN campaigns c ON "
                           "c.id = k.campaign_id WHERE c.name = 'resting' AND "
                           "k.next_attempt_at > '9999-01-01'"),
                     0);
    expect(RUN("campaign", "stop", "resting"), 0, "", "");
}

/* ---- change, clone ---- */

static void change_says_what_differs_and_what_is_wrong(void **state)
{
    (void)state;
    create("turns", "near", "");
    expect(RUN("campaign", "change", "turns"), 2, "", "--set KEY=VALUE");
    expect(RUN("campaign", "change", "turns", "--set", "pacing.cps=2", "--set",
               "limits.per_24h=1"),
           0, "campaign 'turns' changed: pacing, limits", "");
    expect(RUN("campaign", "show", "turns"), 0, "\"cps\": 2", "");
    expect(RUN("campaign", "change", "turns", "--set", "pacing.cps=2"), 0,
           "nothing differs", "");
    expect(RUN("campaign", "change", "turns", "--set", "pacing.cps=fast"), 1, "",
           "'cps' must be a number");
    expect(RUN("campaign", "change", "turns", "--set", "list=far"), 1, "",
           "the list of a campaign stays what it was: 'near'");
    expect(RUN("campaign", "change", "turns", "--set", "pacing.cps="), 0,
           "changed: pacing", "");
    assert_int_equal(count("SELECT revision FROM campaigns WHERE name = 'turns'"), 3);
    expect(RUN("campaign", "change", "turn", "--set", "priority=1"), 1, "",
           "did you mean 'turns'?");
    struct outcome *o = RUN("campaign", "history", "turns");
    expect(o, 0, "   1  from ", "");
    expect(o, 0, "  changed: pacing, limits\n", "");
    expect(o, 0, "   3  from 2026-11-24T06:0", "");
    assert_null(strstr(o->out, "   4 "));
    o = RUN("campaign", "history", "turns", "--revision", "2", "--json");
    expect(o, 0, "\"cps\": 2", "");
    expect(o, 0, "\"changed\": \"pacing, limits\"", "");
    expect(RUN("campaign", "history", "turns", "--revision", "9"), 1, "",
           "'turns' has had 3 documents");
}

static void clone_makes_a_draft_with_the_same_rules_and_another_name(void **state)
{
    (void)state;
    expect(RUN("campaign", "clone", "turns"), 2, "", "what is the new one's name?");
    /* The name has its place; a second one is not passed over. */
    expect(RUN("campaign", "clone", "turns", "--set", "name=turns-2"), 2, "",
           "furrow campaign clone turns turns-2");
    expect(RUN("campaign", "clone", "turns", "turns-2", "--set", "priority=7", "--set",
               "name=other"),
           2, "", "the new campaign's name is the second argument");
    assert_int_equal(
        count("SELECT count(*) FROM campaigns WHERE name IN ('turns-2', 'other')"), 0);
    expect(RUN("campaign", "clone", "turns", "turns-2", "--set", "priority=7"), 0,
           "campaign 'turns-2' created as a draft, with the rules of 'turns'", "");
    assert_int_equal(
        count("SELECT count(*) FROM campaigns a JOIN campaigns b ON b.name = "
              "'turns' WHERE a.name = 'turns-2' AND a.state = 'draft' AND "
              "a.document - 'name' - 'priority' = b.document - 'name' AND "
              "a.document->>'priority' = '7'"),
        1);
    expect(RUN("campaign", "clone", "turns", "turns-2"), 1, "",
           "there is a campaign 'turns-2' already");
    expect(RUN("campaign", "clone", "turns", "2027"), 0,
           "campaign '2027' created as a draft, with the rules of 'turns'\n"
           "  'furrow run 2027' works it off",
           "");
    /* A planned start comes along. */
    expect(RUN("campaign", "clone", "turns", "turns-3", "--set",
               "start=2099-01-01T00:00:00Z"),
           0, "  it starts at 2099-01-01T00:00:00Z, or earlier by 'furrow run turns-3'",
           "");
    expect(RUN("campaign", "show", "turns-3"), 0, "next     2099-01-01T00:00:00Z", "");
    pgtest_run(pg, 1, "UPDATE campaigns SET state = 'paused' WHERE name = 'turns-3'");
    expect(RUN("campaign", "show", "turns-3"), 0,
           "next     none while it is paused: planned starts leave it to people", "");
    expect(RUN("campaign", "show", "turns-3", "--json"), 0, "\"next_start\": null", "");
    pgtest_run(pg, 1,
               "DELETE FROM campaigns WHERE name IN ('turns-2', '2027', 'turns-3')");
    pgtest_run(pg, 1, "UPDATE campaigns SET state = 'stopped' WHERE name = 'turns'");
}

static void an_archived_campaign_is_out_of_the_way_until_it_is_restored(void **state)
{
    (void)state;
    create("old", "near",
           ", \"schedule\": {\"cron\": \"* * * * *\", \"timezone\": \"UTC\"}");
    expect(RUN("campaign", "archive", "old"), 0, "campaign 'old' is archived", "");
    assert_null(strstr(RUN("campaign", "list")->out, "old "));
    expect(RUN("campaign", "list", "--all"), 0, "old ", "");
    expect(RUN("campaign", "start", "old"), 1, "",
           "an archived campaign can be restored");
    expect(RUN("campaign", "change", "old", "--set", "priority=1"), 1, "",
           "an archived campaign is not changed");
    /* Its schedule is due every minute. */
    pgtest_run(pg, 1,
               "UPDATE campaigns SET created_at = created_at - interval '1 day' WHERE "
               "name = 'old'");
    expect(RUN("run", "old"), 1, "", "'furrow campaign restore old' takes it out");
    assert_int_equal(count("SELECT count(*) FROM campaign_fires f JOIN campaigns c ON "
                           "c.id = f.campaign_id WHERE c.name = 'old'"),
                     0);
    expect(RUN("campaign", "report", "old"), 0, "campaign 'old' is archived", "");
    expect(RUN("campaign", "restore", "old"), 0, "campaign 'old' is stopped", "");
}

/* ---- run ---- */

static void run_with_nothing_due_says_when_the_next_start_is(void **state)
{
    (void)state;
    be_alive(true);
    expect(RUN("run"), 3, "", "nothing is due and no start is planned");
    create("tomorrow", "near",
           ", \"schedule\": {\"cron\": \"0 9 * * *\", \"timezone\": "
           "\"Africa/Addis_Ababa\"}");
    expect(RUN("run"), 3, "",
           "the next planned start is 'tomorrow' at 2026-11-25T06:00:00Z");
    pgtest_run(pg, 1, "UPDATE campaigns SET state = 'stopped'");
}

static void run_waits_for_the_end_and_a_second_run_says_so(void **state)
{
    (void)state;
    create("work", "near", "");
    pid_t first = spawn("first", ARGS("run", "work", "--json"));
    assert_true(becomes("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND "
                        "classid = 1179800910",
                        1));
    assert_true(
        becomes("SELECT count(*) FROM campaign_contacts k JOIN campaigns c ON c.id "
                "= k.campaign_id WHERE c.name = 'work' AND k.state = 'pending'",
                3));
    expect(RUN("run", "work"), 0, "", "another 'furrow run' works on 'work' already");
    expect(RUN("run"), 0, "", "another 'furrow run' works on 'work' already");
    finish_contacts();
    struct outcome *o = await("first", first);
    expect(o, 0, "\"ending\": \"done\"", "");
    expect(o, 0, "\"final\": 3", "");
    expect(RUN("run", "work"), 3, "", "'work' is done: all 3 contacts are final");
    /* A new contact in the list is new work. */
    pgtest_run(
        pg, 1,
        "INSERT INTO contacts (tenant_id, list_id, phone, number_type, zone_group, "
        "region) SELECT tenant_id, list_id, 251911999999, 1, zone_group, 'ET' FROM "
        "contacts WHERE list_id = (SELECT id FROM lists WHERE name = 'near') LIMIT 1");
    first = spawn("first", ARGS("run", "work"));
    assert_true(
        becomes("SELECT count(*) FROM campaign_contacts k JOIN campaigns c ON c.id "
                "= k.campaign_id WHERE c.name = 'work' AND k.state = 'pending'",
                1));
    finish_contacts();
    expect(await("first", first), 0, "work: done; 4 of 4 contacts final", "");
}

static void run_ends_when_what_is_left_waits_for_its_windows(void **state)
{
    (void)state;
    create("night", "far", "");
    expect(RUN("run", "night"), 0, "night: windows closed; 0 of 1 contacts final", "");
    assert_int_equal(
        count(
            "SELECT count(*) FROM campaigns WHERE name = 'night' AND state = 'running'"),
        1);
    expect(RUN("campaign", "watch", "night"), 0, "the calling windows are closed", "");
    /* By itself 'run' goes on with what runs. */
    expect(RUN("run"), 0, "night: windows closed", "");
    expect(RUN("campaign", "stop", "night"), 0, "", "");
}

static void run_tells_a_fault_and_a_pause_apart_from_the_end(void **state)
{
    (void)state;
    create("faulty", "near", "");
    pid_t first = spawn("first", ARGS("run", "faulty"));
    assert_true(
        becomes("SELECT count(*) FROM campaigns WHERE name = 'faulty' AND state = "
                "'running'",
                1));
    pgtest_run(
        pg, 1,
        "UPDATE campaigns SET state = 'faulted', stop_reason = 'the trunk is gone' "
        "WHERE name = 'faulty'");
    expect(await("first", first), 4, "faulty: faulted: the trunk is gone", "");
    expect(RUN("run", "faulty"), 4, "", "mend it, then 'furrow campaign resume faulty'");
    expect(RUN("campaign", "resume", "faulty"), 0, "is running", "");
    expect(RUN("campaign", "pause", "faulty"), 0, "is paused", "");
    expect(RUN("run", "faulty"), 1, "", "'furrow campaign resume faulty' goes on");
    expect(RUN("campaign", "stop", "faulty"), 0, "", "");
}

static void ctrl_c_leaves_the_campaign_to_dialers_of_others(void **state)
{
    (void)state;
    create("theirs", "near", "");
    pid_t first = spawn("first", ARGS("run", "theirs"));
    assert_true(
        becomes("SELECT count(*) FROM campaign_contacts k JOIN campaigns c ON c.id "
                "= k.campaign_id WHERE c.name = 'theirs'",
                4));
    assert_int_equal(kill(first, SIGINT), 0);
    expect(await("first", first), 130, "theirs: interrupted", "its dialers are not ours");
    assert_int_equal(
        count("SELECT count(*) FROM campaigns WHERE name = 'theirs' AND state "
              "= 'running'"),
        1);
    expect(RUN("campaign", "stop", "theirs"), 0, "", "");
}

static bool gone(const char *pid_file)
{
    char text[OUTPUT_MAX];
    int64_t pid = 0;

    read_file(pid_file, text);
    assert_true(str_to_i64(str_trim(text), &pid) && pid > 1);
    return kill((pid_t)pid, 0) != 0;
}

/* A furrow with its own dialer and worker beside it, which note their pid. */
static void put_programs_aside(char saved[400])
{
    static const char *const names[] = {"dialer", "worker"};
    char name[64], text[400];

    str_cut(saved, 400, program);
    assert_int_equal(mkdir(path("bin"), 0755), 0);
    assert_int_equal(link(program, path("bin/furrow")) == 0 ||
                         symlink(program, path("bin/furrow")) == 0,
                     1);
    for (int i = 0; i < 2; i++) {
        snprintf(name, sizeof(name), "bin/furrow-%s", names[i]);
        snprintf(text, sizeof(text),
                 "#!/bin/sh\necho $$ >'%s/%s.pid'\necho \"$DATABASE_URL\" "
                 "\"$FURROW_CLOCK\"\nexec tail -f /dev/null\n",
                 pgtest_dir(), names[i]);
        assert_int_equal(chmod(write_file(name, text), 0755), 0);
    }
    snprintf(program, sizeof(program), "%s", path("bin/furrow"));
}

static void without_a_dialer_run_has_its_own_and_ctrl_c_pauses(void **state)
{
    char saved[400], log[OUTPUT_MAX];

    (void)state;
    be_alive(false);
    put_programs_aside(saved);
    create("ours", "near", "");
    pid_t first = spawn("first", ARGS("run", "ours"));
    for (int i = 0; i < PATIENCE && (access(path("dialer.pid"), F_OK) != 0 ||
                                     access(path("worker.pid"), F_OK) != 0);
         i++)
        pgtest_run(pg, 0, "SELECT pg_sleep(0.02)");
    assert_int_equal(access(path("dialer.pid"), F_OK), 0);
    assert_int_equal(access(path("worker.pid"), F_OK), 0);
    assert_true(
        becomes("SELECT count(*) FROM campaign_contacts k JOIN campaigns c ON c.id "
                "= k.campaign_id WHERE c.name = 'ours'",
                4));
    assert_int_equal(kill(first, SIGINT), 0);
    struct outcome *o = await("first", first);
    expect(o, 130, "ours: interrupted",
           "no dialer is alive: one runs until this command "
           "ends");
    expect(o, 130, "", "'ours' is paused; 'furrow run ours' goes on");
    assert_true(gone("dialer.pid"));
    assert_true(gone("worker.pid"));
    assert_int_equal(
        count("SELECT count(*) FROM campaigns WHERE name = 'ours' AND state = "
              "'paused'"),
        1);
    /* They were told where the database is and which clock holds. */
    FILE *f = fopen(getenv("TEST_DIALER_LOG"), "r");
    assert_non_null(f);
    log[fread(log, 1, sizeof(log) - 1, f)] = '\0';
    fclose(f);
    assert_non_null(strstr(log, pgtest_url()));
    assert_non_null(strstr(log, "2026-11-24T06:00:00Z@"));
    /* It goes on, and then to its end. */
    first = spawn("first", ARGS("run", "ours"));
    assert_true(becomes("SELECT count(*) FROM campaigns WHERE name = 'ours' AND state = "
                        "'running'",
                        1));
    finish_contacts();
    expect(await("first", first), 0, "ours: done; 4 of 4 contacts final", "");
    assert_true(gone("dialer.pid"));
    snprintf(program, sizeof(program), "%s", saved);
}

static int set_up(void **state)
{
    char log[400];

    (void)state;
    snprintf(program, sizeof(program), "%s/bin/furrow", BUILD_DIR);
    /* Tuesday morning in Addis Ababa, one in the night in New York. */
    setenv("FURROW_CLOCK", "2026-11-24T06:00:00Z@1", 1);
    setenv("FURROW_LOG_LEVEL", "warn", 1);
    snprintf(log, sizeof(log), "%s/log/run-furrow-dialer.log", getenv("FURROW_DATA_DIR"));
    setenv("TEST_DIALER_LOG", log, 1);
    pg = pgtest_open();
    pgtest_run(
        pg, 1,
        "INSERT INTO lists (tenant_id, name, created_at) VALUES (1, 'near', now()), "
        "(1, 'far', now())");
    pgtest_run(pg, 1,
               "INSERT INTO zone_groups (tenant_id, region, zones) VALUES (1, 'ET', "
               "'{Africa/Addis_Ababa}'), (1, 'US', '{America/New_York}')");
    pgtest_run(
        pg, 1,
        "INSERT INTO contacts (tenant_id, list_id, phone, number_type, zone_group, "
        "region) SELECT 1, l.id, 251911000000 + i, 1, z.id, 'ET' FROM "
        "generate_series(1, 3) i, lists l, zone_groups z WHERE l.name = 'near' AND "
        "z.region = 'ET' UNION ALL SELECT 1, l.id, 12125550100, 2, z.id, 'US' FROM "
        "lists l, zone_groups z WHERE l.name = 'far' AND z.region = 'US'");
    pgtest_run(pg, 1,
               "INSERT INTO flows (tenant_id, name, created_at) VALUES (1, 'coffee', "
               "now())");
    pgtest_run(
        pg, 1,
        "INSERT INTO flow_revisions (tenant_id, flow_id, revision, sha256, source, "
        "published_at) SELECT 1, id, 1, 'h', '{}', now() FROM flows");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    pg_close(pg);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(trunks_are_added_shown_and_removed),
        cmocka_unit_test(a_wrong_command_line_says_what_is_wrong),
        cmocka_unit_test(extensions_name_flow_and_callback_campaign),
        cmocka_unit_test(a_wrong_document_gets_file_line_and_hint_for_each_error),
        cmocka_unit_test(a_campaign_is_created_listed_shown_and_moved),
        cmocka_unit_test(a_report_has_the_same_figures_as_text_json_and_csv),
        cmocka_unit_test(a_forecast_is_told_printed_as_json_and_as_a_page),
        cmocka_unit_test(watch_shows_one_picture_where_there_is_no_terminal),
        cmocka_unit_test(what_has_ended_is_not_started),
        cmocka_unit_test(watch_has_the_same_picture_for_programs),
        cmocka_unit_test(watch_shows_pace_answers_refusals_and_budget),
        cmocka_unit_test(watch_says_when_no_line_takes_a_call),
        cmocka_unit_test(watch_says_when_no_dialer_is_with_the_trunks_asterisk),
        cmocka_unit_test(a_failed_canary_is_shown_and_resuming_it_is_said),
        cmocka_unit_test(what_is_in_quarantine_is_shown_and_released_by_name),
        cmocka_unit_test(change_says_what_differs_and_what_is_wrong),
        cmocka_unit_test(clone_makes_a_draft_with_the_same_rules_and_another_name),
        cmocka_unit_test(an_archived_campaign_is_out_of_the_way_until_it_is_restored),
        cmocka_unit_test(run_with_nothing_due_says_when_the_next_start_is),
        cmocka_unit_test(run_waits_for_the_end_and_a_second_run_says_so),
        cmocka_unit_test(run_ends_when_what_is_left_waits_for_its_windows),
        cmocka_unit_test(run_tells_a_fault_and_a_pause_apart_from_the_end),
        cmocka_unit_test(ctrl_c_leaves_the_campaign_to_dialers_of_others),
        cmocka_unit_test(without_a_dialer_run_has_its_own_and_ctrl_c_pauses),
        cmocka_unit_test(a_pool_of_caller_ids_is_kept_watched_and_explained),
    };

    signal(SIGPIPE, SIG_IGN);
    pgtest_start(PGTEST_POSTGRES);
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
