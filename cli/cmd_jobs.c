/*
 * furrow jobs: list, show, retry, bury, stats.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/pg.h"
#include "base/str.h"
#include "base/uuid.h"
#include "cli/groups.h"
#include "cli/jobs_volatile.h"
#include "workers/job_admin.h"

struct jobs_args {
    const char *state, *kind;
    int64_t limit;
    bool all, json;
};

static const struct option long_options[] = {
    {"state", required_argument, NULL, 's'}, {"kind", required_argument, NULL, 'k'},
    {"limit", required_argument, NULL, 'n'}, {"all", no_argument, NULL, 'a'},
    {"json", no_argument, NULL, 'j'},        {0},
};

static int parse(struct jobs_args *a, int argc, char **argv)
{
    static const char *const states[] = {"queued", "running", "done", "buried",
                                         "cancelled"};
    bool known = false;

    *a = (struct jobs_args){.limit = 50};
    for (int c; (c = getopt_long(argc, argv, "", long_options, NULL)) != -1;) {
        if (c == 's')
            a->state = optarg;
        if (c == 'k')
            a->kind = optarg;
        a->all |= c == 'a';
        a->json |= c == 'j';
        if (c == 'n' && (!str_to_i64(optarg, &a->limit) || a->limit < 1))
            return cli_usage("--limit is a number of 1 or more, not '%s'", optarg);
        if (c == '?')
            return CLI_USAGE;
    }
    for (size_t i = 0; i < ARRAY_LEN(states); i++)
        known |= str_is(a->state, states[i]);
    return !a->state || known ? CLI_OK
                              : cli_usage("--state is queued, running, done, buried or "
                                          "cancelled, not '%s'",
                                          a->state);
}

static int list(struct cli *cli, int argc, char **argv)
{
    struct jobs_args a;
    json_t *rows = NULL, *row;
    size_t i;

    if (parse(&a, argc, argv))
        return CLI_USAGE;
    if (optind < argc)
        return cli_usage("unexpected argument '%s'", argv[optind]);
    if (cli_open_pg(cli))
        return CLI_FAILED;
    int err = job_admin_list(cli->pg, cli->tenant_id, a.state, a.kind, a.limit, &rows);
    if (err)
        return cli_fail("jobs: %s", pg_error(cli->pg));
    if (a.json)
        return cli_print_json(rows);
    printf("%-36s  %-15s  %-9s  %5s  %s\n", "id", "kind", "state", "tries", "last error");
    json_array_foreach(rows, i, row) printf(
        "%-36s  %-15s  %-9s  %2d/%-2d  %s\n", cli_text(row, "id"), cli_text(row, "kind"),
        cli_text(row, "state"), (int)json_integer_value(json_object_get(row, "attempts")),
        (int)json_integer_value(json_object_get(row, "max_attempts")),
        cli_text(row, "last_error"));
    if (json_array_size(rows) == (size_t)a.limit)
        fprintf(stderr, "the newest %" PRId64 " are shown; --limit N shows more\n",
                a.limit);
    json_decref(rows);
    return CLI_OK;
}

static int parse_id(const char *text, struct uuid *id)
{
    return uuid_parse(text, id)
               ? cli_usage("'%s' is no id; 'furrow jobs list' shows them", text)
               : CLI_OK;
}

static int show(struct cli *cli, int argc, char **argv)
{
    json_t *row = NULL;
    struct uuid id;

    if (argc != 2)
        return cli_usage("say which job");
    if (parse_id(argv[1], &id))
        return CLI_USAGE;
    if (cli_open_pg(cli))
        return CLI_FAILED;
    int err = job_admin_show(cli->pg, cli->tenant_id, &id, &row);
    if (err == ENOENT)
        return cli_fail("there is no job %s", argv[1]);
    return err ? cli_fail("jobs: %s", pg_error(cli->pg)) : cli_print_json(row);
}

static int retry(struct cli *cli, int argc, char **argv)
{
    struct jobs_args a;
    int64_t n = 0, total = 0;
    struct uuid id;
    int err = 0;

    if (parse(&a, argc, argv))
        return CLI_USAGE;
    if (a.all == (optind < argc))
        return cli_usage("say which jobs, or --all with or without --kind KIND");
    for (int i = optind; i < argc; i++)
        if (parse_id(argv[i], &id))
            return CLI_USAGE;
    if (cli_open_pg(cli))
        return CLI_FAILED;
    if (a.all)
        err = job_admin_retry(cli->pg, cli->tenant_id, NULL, a.kind, &total);
    for (int i = optind; i < argc && !err; i++, total += n) {
        if (uuid_parse(argv[i], &id))
            return CLI_USAGE;
        err = job_admin_retry(cli->pg, cli->tenant_id, &id, NULL, &n);
        if (!err && n == 0)
            fprintf(stderr, "furrow: %s is not waiting or buried\n", argv[i]);
    }
    if (err)
        return cli_fail("jobs: %s", pg_error(cli->pg));
    printf("%" PRId64 " job%s start%s over\n", total, total == 1 ? "" : "s",
           total == 1 ? "s" : "");
    return !a.all && total < argc - optind ? CLI_FAILED : CLI_OK;
}

static int bury(struct cli *cli, int argc, char **argv)
{
    struct uuid id;

    if (argc != 2)
        return cli_usage("say which job");
    if (parse_id(argv[1], &id))
        return CLI_USAGE;
    if (cli_open_pg(cli))
        return CLI_FAILED;
    int err = job_admin_bury(cli->pg, cli->tenant_id, &id);
    if (err == ENOENT)
        return cli_fail("no job %s that could be put aside (it runs, is done, or is not "
                        "there)",
                        argv[1]);
    if (err)
        return cli_fail("jobs: %s", pg_error(cli->pg));
    puts("put aside; 'furrow jobs retry' brings it back");
    return CLI_OK;
}

static int stats(struct cli *cli, int argc, char **argv)
{
    static const char *const columns[] = {"queued", "running",   "done",
                                          "buried", "cancelled", "oldest_s"};
    struct jobs_args a;
    json_t *kinds = NULL, *row;
    const char *kind;

    if (parse(&a, argc, argv))
        return CLI_USAGE;
    if (optind < argc)
        return cli_usage("unexpected argument '%s'", argv[optind]);
    if (cli_open_pg(cli))
        return CLI_FAILED;
    if (job_admin_stats(cli->pg, cli->tenant_id, &kinds))
        return cli_fail("jobs: %s", pg_error(cli->pg));
    jobs_volatile_stats(cli, kinds);
    if (a.json)
        return cli_print_json(kinds);
    printf("%-16s", "kind");
    for (size_t i = 0; i < ARRAY_LEN(columns); i++)
        printf(" %9s", columns[i]);
    putchar('\n');
    json_object_foreach(kinds, kind, row)
    {
        printf("%-16s", kind);
        for (size_t i = 0; i < ARRAY_LEN(columns); i++)
            if (json_object_get(row, columns[i]))
                printf(" %9.0f", json_number_value(json_object_get(row, columns[i])));
            else
                printf(" %9s", "-");
        putchar('\n');
    }
    json_decref(kinds);
    return CLI_OK;
}

static const struct cli_verb verbs[] = {
    {.name = "list",
     .arguments = "[--state STATE] [--kind KIND] [--limit N] [--json]",
     .about = "The newest jobs.\n"
              "States: queued, running, done, buried (a person must look), cancelled.\n"
              "Kinds: recording.fetch, asr, nlu, batch, sms.",
     .example = "furrow jobs list --state buried",
     .run = list},
    {.name = "show",
     .arguments = "ID",
     .about = "Everything about a job, as JSON.",
     .example = "furrow jobs show 01932d3e-7c1a-7000-8000-000000000001",
     .run = show},
    {.name = "retry",
     .arguments = "ID… | --all [--kind KIND]",
     .about = "Jobs start over at once, with all their tries.\n"
              "--all takes every buried one.",
     .example = "furrow jobs retry --all --kind asr",
     .run = retry},
    {.name = "bury",
     .arguments = "ID",
     .about = "Put a waiting job aside.",
     .example = "furrow jobs bury 01932d3e-7c1a-7000-8000-000000000001",
     .run = bury},
    {.name = "stats",
     .arguments = "[--json]",
     .about =
         "How many jobs of each kind are in each state, and for how many seconds\n"
         "the oldest one that is due has waited. Volatile kinds are of all tenants, and\n"
         "nobody counts what they have done.",
     .example = "furrow jobs stats",
     .run = stats},
    {.name = "send",
     .arguments = "KIND [--payload JSON] [--delay-s N] [--key KEY [--key-s N]] [--json]",
     .about =
         "A job of a volatile kind, which Redis alone carries: it is run at least\n"
         "once, and lost when Redis loses its data. Kinds: notice (an HTTP request:\n"
         "{\"url\": …, \"body\": …}). --key: not while one of that key waits or\n"
         "runs, for at most --key-s seconds (3600).",
     .example = "furrow jobs send notice --payload "
                "'{\"url\": \"http://127.0.0.1:9000/hook\", \"body\": {\"n\": 1}}'",
     .run = jobs_send},
    {.name = "volatile",
     .arguments = "KIND [--retry | --forget] [--json]",
     .about =
         "The buried jobs of a volatile kind, of all tenants, newest first; --retry\n"
         "sends them again with all their tries, --forget drops them.",
     .example = "furrow jobs volatile notice --retry",
     .run = jobs_volatile},
};

const struct cli_group cmd_jobs = {.name = "jobs",
                                   .about = "see, retry and bury background jobs",
                                   .verbs = verbs,
                                   .verb_count = ARRAY_LEN(verbs)};
