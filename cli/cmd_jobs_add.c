/* furrow jobs add, schedule, schedules, unschedule: jobs by hand and by cron. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/pg.h"
#include "campaigns/job_store.h"
#include "cli/jobs.h"
#include "workers/job_schedule.h"

static int parse_payload(const char *text, json_t **out)
{
    json_error_t error;

    *out = json_loads(text ? text : "{}", 0, &error);
    if (json_is_object(*out))
        return CLI_OK;
    json_decref(*out);
    *out = NULL;
    return cli_usage("--payload is a JSON object: %s", error.text);
}

static int add_one(struct cli *cli, const struct jobs_args *a, const struct job_new *job)
{
    int64_t added = 0;
    int err = pg_begin(cli->pg, cli->tenant_id);

    if (!err)
        err = pg_end(cli->pg, job_enqueue_many(cli->pg, cli->tenant_id, job, 1,
                                               clock_now_ms(), &added));
    if (err)
        return cli_fail("jobs: %s", pg_error(cli->pg));
    if (a->json)
        return cli_print_json(json_pack("{s:I}", "added", (json_int_t)added));
    puts(added ? "added" : "there was one of that kind and key already; nothing is new");
    return CLI_OK;
}

int jobs_add(struct cli *cli, int argc, char **argv)
{
    json_auto_t *payload = NULL;
    struct jobs_args a;

    if (jobs_parse(&a, argc, argv) || parse_payload(a.payload, &payload))
        return CLI_USAGE;
    if (argc - optind != 1 || !a.key)
        return cli_usage("say which kind, and --key KEY, which makes it the only one");
    if (cli_open_pg(cli) || jobs_check_kind(cli, argv[optind]))
        return CLI_FAILED;
    const struct job_new job = {.kind = argv[optind],
                                .key = a.key,
                                .payload = payload,
                                .run_after_ms = a.delay_s * 1000,
                                .priority = a.priority};
    return add_one(cli, &a, &job);
}

int jobs_schedule(struct cli *cli, int argc, char **argv)
{
    json_auto_t *payload = NULL;
    struct errtext e = {0};
    struct jobs_args a;
    char at[CLOCK_TEXT_MAX];
    int64_t next_ms = 0;

    if (jobs_parse(&a, argc, argv) || parse_payload(a.payload, &payload))
        return CLI_USAGE;
    if (argc - optind != 3)
        return cli_usage("say NAME KIND 'CRON'");
    if (cli_open_pg(cli) || jobs_check_kind(cli, argv[optind + 1]))
        return CLI_FAILED;
    const struct job_schedule s = {.name = argv[optind],
                                   .kind = argv[optind + 1],
                                   .cron = argv[optind + 2],
                                   .timezone = a.zone,
                                   .payload = payload};
    if (job_schedule_set(cli->pg, cli->tenant_id, &s, clock_now_ms(), &next_ms, &e))
        return cli_fail("schedule: %s", e.text);
    if (a.json)
        return cli_print_json(
            json_pack("{s:s, s:s}", "name", s.name, "next_at", clock_text(next_ms, at)));
    printf("%s is next at %s\n", s.name, clock_text(next_ms, at));
    return CLI_OK;
}

int jobs_schedules(struct cli *cli, int argc, char **argv)
{
    struct jobs_args a;
    json_t *rows = NULL, *row;
    size_t i;

    int code = jobs_open(cli, &a, argc, argv);
    if (code)
        return code;
    if (job_schedule_list(cli->pg, cli->tenant_id, &rows))
        return cli_fail("jobs: %s", pg_error(cli->pg));
    if (a.json)
        return cli_print_json(rows);
    printf("%-20s %-18s %-20s %-22s %s\n", "name", "kind", "cron", "zone", "next");
    json_array_foreach(rows, i, row)
    {
        printf("%-20s %-18s %-20s %-22s %s\n", cli_text(row, "name"),
               cli_text(row, "kind"), cli_text(row, "cron"), cli_text(row, "timezone"),
               cli_text(row, "next_at"));
    }
    json_decref(rows);
    return CLI_OK;
}

int jobs_unschedule(struct cli *cli, int argc, char **argv)
{
    if (argc != 2)
        return cli_usage("say which schedule; 'furrow jobs schedules' shows them");
    if (cli_open_pg(cli))
        return CLI_FAILED;
    int err = job_schedule_remove(cli->pg, cli->tenant_id, argv[1]);
    if (err == ENOENT)
        return cli_fail("there is no schedule '%s'", argv[1]);
    if (err)
        return cli_fail("jobs: %s", pg_error(cli->pg));
    puts("removed; what it enqueued stays");
    return CLI_OK;
}
