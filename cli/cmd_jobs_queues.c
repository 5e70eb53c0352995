/* furrow jobs pause, drain, resume, queues: whole kinds. */
#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/pg.h"
#include "base/str.h"
#include "cli/jobs.h"
#include "cli/jobs_volatile.h"
#include "workers/worker.h"

enum { LOOK_MS = 200 };

int jobs_check_kind(struct cli *cli, const char *kind)
{
    CLEANUP(buf_free) struct buf names = {0};
    const struct job_filter f = {.kind = kind};
    int64_t n = 0;

    for (size_t k = 0; k < WORKER_KINDS; k++) {
        if (strcmp(worker_kinds[k]->name, kind) == 0)
            return CLI_OK;
        buf_printf(&names, "%s%s", k ? ", " : "", worker_kinds[k]->name);
    }
    if (jobs_is_volatile(kind))
        return cli_fail(
            "'%s' is volatile: 'furrow jobs volatile %s' shows its jobs; only "
            "pause, resume and send work on it",
            kind, kind);
    if (job_admin_count(cli->pg, cli->tenant_id, &f, &n))
        return cli_fail("jobs: %s", pg_error(cli->pg));
    return n > 0 ? CLI_OK
                 : cli_fail("there is no kind '%s'; the kinds are %s", kind, names.data);
}

static int hold(struct cli *cli, struct jobs_args *a, int argc, char **argv,
                enum job_hold what)
{
    if (jobs_parse(a, argc, argv))
        return CLI_USAGE;
    if (argc - optind != 1)
        return cli_usage("say which kind; 'furrow jobs queues' shows them");
    a->filter.kind = argv[optind];
    if (cli_open_pg(cli))
        return CLI_FAILED;
    if (jobs_is_volatile(a->filter.kind))
        return what == JOB_HOLD_NEW
                   ? cli_fail("'%s' is volatile: it can be paused, not drained",
                              a->filter.kind)
                   : jobs_volatile_hold(cli, a->filter.kind, what == JOB_HOLD_ALL);
    if (jobs_check_kind(cli, a->filter.kind))
        return CLI_FAILED;
    return job_admin_hold(cli->pg, cli->tenant_id, a->filter.kind, what)
               ? cli_fail("jobs: %s", pg_error(cli->pg))
               : CLI_OK;
}

static int say(const struct jobs_args *a, const char *state, const char *text)
{
    if (a->json)
        return cli_print_json(
            json_pack("{s:s, s:s}", "kind", a->filter.kind, "hold", state));
    printf("%s %s\n", a->filter.kind, text);
    return CLI_OK;
}

int jobs_pause(struct cli *cli, int argc, char **argv)
{
    struct jobs_args a;
    int code = hold(cli, &a, argc, argv, JOB_HOLD_ALL);

    return code ? code
                : say(&a, "paused",
                      "is paused: no further job of it begins; 'furrow jobs resume' goes "
                      "on");
}

int jobs_resume(struct cli *cli, int argc, char **argv)
{
    struct jobs_args a;
    int code = hold(cli, &a, argc, argv, JOB_HOLD_NONE);

    return code ? code : say(&a, "", "goes on");
}

static int wait_drained(struct cli *cli, const struct jobs_args *a)
{
    struct progress progress = {.label = "jobs left", .unit = "jobs"};
    int64_t end_ms = mono_ms() + a->wait_s * 1000, left = 0;

    do {
        if (job_admin_unheld(cli->pg, cli->tenant_id, a->filter.kind, &left))
            return cli_fail("jobs: %s", pg_error(cli->pg));
        progress_show(&progress, left, 0);
        if (left > 0)
            poll(NULL, 0, LOOK_MS);
    } while (left > 0 && mono_ms() < end_ms);
    progress_end(&progress, left);
    return left > 0 ? cli_fail("%" PRId64 " jobs are left after %" PRId64
                               " s; what is new still waits",
                               left, a->wait_s)
                    : CLI_OK;
}

int jobs_drain(struct cli *cli, int argc, char **argv)
{
    struct jobs_args a;
    int code = hold(cli, &a, argc, argv, JOB_HOLD_NEW);

    if (!code && a.wait)
        code = wait_drained(cli, &a);
    if (code)
        return code;
    return say(&a, "draining",
               a.wait ? "is drained; what came since waits for 'furrow jobs resume'"
                      : "drains: what was there goes on, what comes waits for 'furrow "
                        "jobs resume'");
}

static void print_queue(const json_t *row)
{
    char running[24] = "-", rate[24] = "-";

    if (json_is_number(json_object_get(row, "max_running")))
        snprintf(running, sizeof(running), "%.0f",
                 json_number_value(json_object_get(row, "max_running")));
    if (json_is_number(json_object_get(row, "rate_per_s")))
        snprintf(rate, sizeof(rate), "%.3g",
                 json_number_value(json_object_get(row, "rate_per_s")));
    printf("%-18s %9" PRId64 " %9" PRId64 " %9s %9s  %s\n", cli_text(row, "kind"),
           (int64_t)json_integer_value(json_object_get(row, "queued")),
           (int64_t)json_integer_value(json_object_get(row, "running")), running, rate,
           cli_text(row, "hold"));
}

int jobs_limit(struct cli *cli, int argc, char **argv)
{
    struct jobs_args a;

    if (jobs_parse(&a, argc, argv))
        return CLI_USAGE;
    if (argc - optind != 1 || (a.rate_per_s > 0 || a.running > 0) == a.none)
        return cli_usage("say which kind, and --rate, --running or both, or --none");
    if (cli_open_pg(cli) || jobs_check_kind(cli, argv[optind]))
        return CLI_FAILED;
    if (job_admin_limit(cli->pg, cli->tenant_id, argv[optind], a.rate_per_s, a.running))
        return cli_fail("jobs: %s", pg_error(cli->pg));
    if (a.json)
        return cli_print_json(json_pack("{s:s, s:f, s:I}", "kind", argv[optind],
                                        "rate_per_s", a.rate_per_s, "max_running",
                                        (json_int_t)a.running));
    printf("%s: %s\n", argv[optind],
           a.none ? "no limits" : "limited, in all workers together, within a second");
    return CLI_OK;
}

/* A kind nobody has had a job of, and said nothing of, has no row. */
static void add_idle_kinds(json_t *rows)
{
    for (size_t k = 0; k < WORKER_KINDS; k++) {
        bool there = false;
        json_t *row;
        size_t i;

        json_array_foreach(rows, i, row)
        {
            there |= strcmp(cli_text(row, "kind"), worker_kinds[k]->name) == 0;
        }
        if (!there)
            json_array_append_new(
                rows, json_pack("{s:s, s:s, s:n, s:n, s:n, s:i, s:i}", "kind",
                                worker_kinds[k]->name, "hold", "", "hold_from",
                                "rate_per_s", "max_running", "queued", 0, "running", 0));
    }
}

int jobs_queues(struct cli *cli, int argc, char **argv)
{
    struct jobs_args a;
    json_t *rows = NULL, *row;
    size_t i;

    int code = jobs_open(cli, &a, argc, argv);
    if (code)
        return code;
    if (job_admin_queues(cli->pg, cli->tenant_id, &rows))
        return cli_fail("jobs: %s", pg_error(cli->pg));
    add_idle_kinds(rows);
    if (a.json)
        return cli_print_json(rows);
    printf("%-18s %9s %9s %9s %9s  %s\n", "kind", "queued", "running", "at most", "per s",
           "held");
    json_array_foreach(rows, i, row)
    {
        print_queue(row);
    }
    json_decref(rows);
    return CLI_OK;
}
