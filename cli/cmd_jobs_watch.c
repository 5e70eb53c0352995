/* furrow jobs watch: how it goes, again and again. */
#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <string.h>

#include "base/clock.h"
#include "base/pg.h"
#include "cli/jobs.h"
#include "cli/jobs_volatile.h"

static int64_t number(const json_t *row, const char *name)
{
    return (int64_t)json_number_value(json_object_get(row, name));
}

/* What changed between two looks; -1 without an earlier one. */
static double per_s(const json_t *now, const json_t *before, const char *name, double s)
{
    return before && s > 0 ? (double)(number(now, name) - number(before, name)) / s : -1;
}

static double mean(const json_t *now, const json_t *before, const char *sum)
{
    int64_t n = before ? number(now, "ended") - number(before, "ended") : 0;

    return n > 0 ? (double)(number(now, sum) - number(before, sum)) / (double)n : -1;
}

static void print_number(double v, const char *unit)
{
    if (v < 0)
        printf(" %10s", "-");
    else
        printf(" %8.*f%s", v < 100 ? 1 : 0, v, unit);
}

static void print_table(const json_t *kinds, const json_t *before, double s)
{
    const char *kind;
    json_t *row;

    printf("%-18s %8s %8s %8s %8s %9s %10s %10s %10s %10s\n", "kind", "due", "later",
           "running", "buried", "oldest", "done", "failed", "waited", "took");
    json_object_foreach((json_t *)(uintptr_t)kinds, kind, row)
    {
        const json_t *b = json_object_get(before, kind);
        printf("%-18s %8" PRId64 " %8" PRId64 " %8" PRId64 " %8" PRId64 " %7" PRId64 " s",
               kind, number(row, "due"), number(row, "later"), number(row, "running"),
               number(row, "buried"), number(row, "oldest_s"));
        print_number(per_s(row, b, "done", s), "/s");
        print_number(per_s(row, b, "failed", s), "/s");
        print_number(mean(row, b, "wait_ms"), "ms");
        print_number(mean(row, b, "run_ms"), "ms");
        printf("%s%s\n", *cli_text(row, "hold") ? "  " : "", cli_text(row, "hold"));
    }
    fflush(stdout);
}

static void print_json(const json_t *kinds)
{
    char at[CLOCK_TEXT_MAX];
    json_auto_t *line =
        json_pack("{s:s, s:O}", "at", clock_text(clock_real_ms(), at), "kinds", kinds);

    json_dumpf(line, stdout, JSON_COMPACT);
    putchar('\n');
    fflush(stdout);
}

int jobs_watch(struct cli *cli, int argc, char **argv)
{
    json_t *before = NULL, *kinds = NULL;
    int64_t at_ms = mono_ms(), was_ms = at_ms;
    struct jobs_args a;
    int code = CLI_OK;

    if (jobs_parse(&a, argc, argv))
        return CLI_USAGE;
    if (optind < argc)
        return cli_usage("unexpected argument '%s'", argv[optind]);
    if (cli_open_pg(cli))
        return CLI_FAILED;
    for (int64_t i = 0; !code && (a.times == 0 || i < a.times); i++) {
        if (i > 0)
            poll(NULL, 0, (int)(a.every_s * 1000));
        if (job_admin_watch(cli->pg, cli->tenant_id, &kinds)) {
            code = cli_fail("jobs: %s", pg_error(cli->pg));
            break;
        }
        jobs_volatile_stats(cli, kinds);
        at_ms = mono_ms();
        if (a.json)
            print_json(kinds);
        else
            print_table(kinds, before, (double)(at_ms - was_ms) / 1000);
        json_decref(before);
        before = kinds;
        was_ms = at_ms;
    }
    json_decref(before);
    return code;
}
