/* `furrow jobs` as a user runs it. */
#include "unit/cm.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <jansson.h>

#include "base/clock.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "campaigns/job_store.h"
#include "store/pgtest.h"

enum { OUTPUT_MAX = 32000, ARGS_MAX = 16 };

static struct pg *pg;
static char out[OUTPUT_MAX], said[OUTPUT_MAX];

static void read_file(const char *path, char to[OUTPUT_MAX])
{
    FILE *f = fopen(path, "r");

    assert_non_null(f);
    to[fread(to, 1, OUTPUT_MAX - 1, f)] = '\0';
    fclose(f);
}

/* `furrow jobs …`, the words separated by spaces ('_' is a space in a word with '*');
 * its exit code. */
static int jobs(const char *line)
{
    CLEANUP(free_cleanup) char *words = xstrdup(line);
    CLEANUP(free_cleanup) char *o = xasprintf("%s/out", pgtest_dir());
    CLEANUP(free_cleanup) char *e = xasprintf("%s/err", pgtest_dir());
    const char *argv[ARGS_MAX] = {BUILD_DIR "/bin/furrow", "jobs"};
    char *save = NULL;
    int n = 2, status = 0;

    for (char *w = strtok_r(words, " ", &save); w && n < ARGS_MAX - 1;
         w = strtok_r(NULL, " ", &save)) {
        for (char *c = w; strchr(w, '*') && *c; c++)
            if (*c == '_')
                *c = ' ';
        argv[n++] = w;
    }
    pid_t pid = fork();
    if (pid == 0) {
        dup2(open(o, O_WRONLY | O_CREAT | O_TRUNC, 0600), 1);
        dup2(open(e, O_WRONLY | O_CREAT | O_TRUNC, 0600), 2);
        execv(argv[0], (char *const *)(uintptr_t)argv);
        _exit(127);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    read_file(o, out);
    read_file(e, said);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static json_t *jobs_json(const char *line)
{
    if (jobs(line))
        fail_msg("furrow jobs %s: %s", line, said);
    json_t *json = json_loads(out, 0, NULL);
    if (!json)
        fail_msg("furrow jobs %s: no JSON: %s", line, out);
    return json;
}

static int64_t member(const char *line, const char *name)
{
    json_auto_t *json = jobs_json(line);
    const json_t *m = json_object_get(json, name);

    assert_true(json_is_integer(m));
    return json_integer_value(m);
}

static bool output_has(const char *text)
{
    return strstr(out, text) || strstr(said, text);
}

static const char *id_of(const char *key)
{
    static char id[UUID_TEXT_MAX];
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    pg_arg_text(&a, key);
    assert_int_equal(pg_begin(pg, 1), 0);
    assert_int_equal(
        pg_end(pg, pg_run(pg, &res, "SELECT id FROM jobs WHERE unique_key = $1", &a)), 0);
    assert_int_equal(PQntuples(res), 1);
    assert_int_equal(str_copy(id, sizeof(id), pg_text(res, 0, 0)), 0);
    return id;
}

static int64_t count(const char *where)
{
    CLEANUP(free_cleanup)
    char *sql = xasprintf("SELECT count(*) FROM jobs WHERE %s", where);

    return pgtest_i64(pg, 1, sql);
}

/* Three of asr wait, two of sms are buried, one of nlu runs. */
static int set_up(void **state)
{
    (void)state;
    pgtest_run(pg, 1, "DELETE FROM outbox");
    pgtest_run(pg, 1, "DELETE FROM jobs");
    pgtest_run(pg, 1, "DELETE FROM job_queues");
    pgtest_run(
        pg, 1,
        "INSERT INTO jobs (id, tenant_id, kind, unique_key, state, last_error, "
        "finished_at, lease_holder, lease_until) SELECT gen_random_uuid(), 1, k, "
        "key, s, e, CASE WHEN s = 'buried' THEN clock_timestamp() END, CASE WHEN s "
        "= 'running' THEN 'w' END, CASE WHEN s = 'running' THEN clock_timestamp() "
        "+ interval '1 min' END FROM (VALUES ('asr', 'a1', 'queued', ''), ('asr', "
        "'a2', 'queued', ''), ('asr', 'a3', 'queued', 'HTTP 503'), ('sms', 's1', "
        "'buried', 'the number is not valid'), ('sms', 's2', 'buried', 'HTTP 500'), "
        "('nlu', 'n1', 'running', '')) v (k, key, s, e)");
    return 0;
}

static void has_instant(const json_t *row, const char *key)
{
    const char *text = json_string_value(json_object_get(row, key));

    if (!text || strlen(text) != strlen("2026-11-24T08:00:00Z") || !strchr(text, 'Z'))
        fail_msg("%s is '%s'", key, text ? text : "nothing");
}

/* As all of the command line writes them. What a job was given is its own. */
static void instants_end_in_z(void **state)
{
    char line[128];

    (void)state;
    pgtest_run(pg, 1,
               "UPDATE jobs SET payload = '{\"due_at\": \"2026-11-24T08:00:00+00:00\"}'");
    json_auto_t *all = jobs_json("list --state buried --json");
    has_instant(json_array_get(all, 0), "created_at");
    has_instant(json_array_get(all, 0), "run_at");
    has_instant(json_array_get(all, 1), "finished_at");
    snprintf(line, sizeof(line), "show %s", id_of("n1"));
    json_auto_t *one = jobs_json(line);
    has_instant(one, "created_at");
    assert_true(json_is_null(json_object_get(one, "finished_at")));
    assert_string_equal(
        json_string_value(json_object_get(json_object_get(one, "payload"), "due_at")),
        "2026-11-24T08:00:00+00:00");
}

static void list_shows_the_jobs_a_filter_takes(void **state)
{
    (void)state;
    json_auto_t *all = jobs_json("list --json");
    assert_int_equal(json_array_size(all), 6);
    json_auto_t *buried = jobs_json("list --state buried --error HTTP --json");
    assert_int_equal(json_array_size(buried), 1);
    const json_t *row = json_array_get(buried, 0);
    assert_string_equal(json_string_value(json_object_get(row, "key")), "s2");
    assert_string_equal(json_string_value(json_object_get(row, "last_error")),
                        "HTTP 500");
    assert_int_equal(jobs("list --kind asr --limit 2"), 0);
    assert_true(output_has("the newest 2 are shown"));
    assert_int_equal(jobs("list --state dead"), 2);
    assert_true(output_has("--state is queued, running, done, buried or cancelled"));
    assert_int_equal(jobs("list --older soon"), 2);
    assert_true(output_has("90s, 15m, 2h or 3d"));
}

static void show_tells_everything_about_one(void **state)
{
    CLEANUP(free_cleanup) char *line = xasprintf("show %s", id_of("s1"));

    (void)state;
    json_auto_t *row = jobs_json(line);
    assert_string_equal(json_string_value(json_object_get(row, "unique_key")), "s1");
    assert_string_equal(json_string_value(json_object_get(row, "state")), "buried");
    assert_int_equal(jobs("show 00000000-0000-7000-8000-000000000000"), 1);
    assert_true(output_has("there is no job"));
}

static void retry_takes_ids_or_a_filter_but_never_everything_by_accident(void **state)
{
    CLEANUP(free_cleanup) char *line = xasprintf("retry %s", id_of("s1"));

    (void)state;
    assert_int_equal(jobs("retry"), 2);
    assert_true(output_has("say which jobs"));
    assert_int_equal(
        member("retry --kind sms --error HTTP --dry-run --json", "would_take"), 1);
    assert_int_equal(count("state = 'buried'"), 2);
    assert_int_equal(member("retry --kind sms --error HTTP --json", "retried"), 1);
    assert_int_equal(count("unique_key = 's2' AND state = 'queued'"), 1);
    assert_int_equal(jobs(line), 0);
    assert_string_equal(out, "1 job will start over\n");
    assert_int_equal(pgtest_i64(pg, 1, "SELECT count(*) FROM outbox"), 2);
    CLEANUP(free_cleanup) char *running = xasprintf("retry %s", id_of("n1"));
    assert_int_equal(jobs(running), 1);
    assert_true(output_has("is not waiting, buried or cancelled"));
}

static void bury_puts_waiting_ones_aside(void **state)
{
    CLEANUP(free_cleanup) char *line = xasprintf("bury %s --json", id_of("a1"));

    (void)state;
    assert_int_equal(member(line, "buried"), 1);
    assert_int_equal(count("unique_key = 'a1' AND last_error = 'put aside by a person'"),
                     1);
    assert_int_equal(member("bury --kind asr --json", "buried"), 2);
    assert_int_equal(count("kind = 'asr' AND state = 'buried'"), 3);
    assert_int_equal(count("unique_key = 'a3' AND last_error = 'HTTP 503'"), 1);
    /* A kind that there is not is no filter that found nothing. */
    assert_int_equal(jobs("bury --kind asrr"), 1);
    assert_true(output_has("there is no kind 'asrr'; the kinds are "));
    assert_int_equal(jobs("list --kind asrr"), 1);
    assert_int_equal(jobs("retry --kind notice"), 1);
    assert_true(output_has("'notice' is volatile: 'furrow jobs volatile notice'"));
}

static void cancel_ends_waiting_ones_and_tells_running_ones(void **state)
{
    (void)state;
    json_auto_t *told = jobs_json("cancel --kind nlu --json");
    assert_int_equal(json_integer_value(json_object_get(told, "cancelled")), 0);
    assert_int_equal(json_integer_value(json_object_get(told, "asked_to_stop")), 1);
    assert_int_equal(count("unique_key = 'n1' AND cancel_asked AND state = 'running'"),
                     1);
    assert_int_equal(member("cancel --kind asr --state queued --json", "cancelled"), 3);
    assert_int_equal(count("kind = 'asr' AND state = 'cancelled'"), 3);
    CLEANUP(free_cleanup) char *over = xasprintf("cancel %s", id_of("s1"));
    assert_int_equal(jobs(over), 1);
    assert_true(output_has("is over, or is not there"));
}

static void a_kind_is_paused_drained_and_resumed(void **state)
{
    (void)state;
    assert_int_equal(jobs("pause asr"), 0);
    json_auto_t *queues = jobs_json("queues --json");
    const json_t *asr = json_array_get(queues, 0);
    assert_string_equal(json_string_value(json_object_get(asr, "kind")), "asr");
    assert_string_equal(json_string_value(json_object_get(asr, "hold")), "paused");
    assert_int_equal(json_integer_value(json_object_get(asr, "queued")), 3);
    assert_int_equal(jobs("resume asr"), 0);
    assert_int_equal(pgtest_i64(pg, 1, "SELECT count(*) FROM outbox WHERE kind = 'asr'"),
                     3);
    /* With one left the wait is bounded. */
    assert_int_equal(jobs("drain nlu --wait=1"), 1);
    assert_true(output_has("1 jobs are left after 1 s"));
    json_auto_t *held = jobs_json("stats --json");
    const json_t *nlu = json_object_get(held, "nlu");
    assert_string_equal(json_string_value(json_object_get(nlu, "hold")), "draining");
    assert_int_equal(json_integer_value(json_object_get(nlu, "running")), 1);
    assert_int_equal(jobs("pause azr"), 1);
    assert_true(output_has("the kinds are recording.fetch, asr, nlu, batch, news, sms"));
}

static void limits_new_jobs_and_schedules_are_said_and_shown(void **state)
{
    (void)state;
    assert_int_equal(jobs("limit asr --rate 90/m --running 4"), 0);
    json_auto_t *queues = jobs_json("queues --json");
    const json_t *asr = json_array_get(queues, 0);
    assert_true(json_real_value(json_object_get(asr, "rate_per_s")) == 1.5);
    assert_int_equal(json_integer_value(json_object_get(asr, "max_running")), 4);
    assert_int_equal(jobs("limit asr --rate fast"), 2);
    assert_true(output_has("20/s, 90/m or 500/h"));
    assert_int_equal(
        member("add batch --key b1 --priority high --delay 2h --json", "added"), 1);
    assert_int_equal(count("unique_key = 'b1' AND priority = 1 AND run_at > "
                           "clock_timestamp() + interval '1 h'"),
                     1);
    assert_int_equal(jobs("schedule hourly batch @ --zone UTC"), 1);
    assert_int_equal(jobs("schedule hourly batch 0,30_*_*_*_* --zone Africa/Addis_Ababa"),
                     0);
    json_auto_t *rows = jobs_json("schedules --json");
    assert_string_equal(
        json_string_value(json_object_get(json_array_get(rows, 0), "cron")),
        "0,30 * * * *");
    const char *next =
        json_string_value(json_object_get(json_array_get(rows, 0), "next_at"));
    assert_int_equal(strlen(next), strlen("2026-11-25T08:00:00Z"));
    assert_string_equal(next + strlen(next) - 4, ":00Z");
    assert_int_equal(jobs("unschedule hourly"), 0);
}

static void watch_prints_look_after_look(void **state)
{
    (void)state;
    assert_int_equal(jobs("watch --every 1 --times 2 --json"), 0);
    char *second = strchr(out, '\n');
    assert_non_null(second);
    json_auto_t *line = json_loads(second, 0, NULL);
    const json_t *asr = json_object_get(json_object_get(line, "kinds"), "asr");
    assert_int_equal(json_integer_value(json_object_get(asr, "due")), 3);
    const json_t *sms = json_object_get(json_object_get(line, "kinds"), "sms");
    assert_int_equal(json_integer_value(json_object_get(sms, "buried")), 2);
    assert_int_equal(jobs("watch --times 1"), 0);
    assert_true(output_has("waited"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(instants_end_in_z, set_up),
        cmocka_unit_test_setup(list_shows_the_jobs_a_filter_takes, set_up),
        cmocka_unit_test_setup(show_tells_everything_about_one, set_up),
        cmocka_unit_test_setup(
            retry_takes_ids_or_a_filter_but_never_everything_by_accident, set_up),
        cmocka_unit_test_setup(bury_puts_waiting_ones_aside, set_up),
        cmocka_unit_test_setup(cancel_ends_waiting_ones_and_tells_running_ones, set_up),
        cmocka_unit_test_setup(a_kind_is_paused_drained_and_resumed, set_up),
        cmocka_unit_test_setup(limits_new_jobs_and_schedules_are_said_and_shown, set_up),
        cmocka_unit_test_setup(watch_prints_look_after_look, set_up),
    };

    pgtest_start(PGTEST_POSTGRES);
    pg = pgtest_open();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    pg_close(pg);
    return failed;
}
