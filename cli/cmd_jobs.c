/*
 * furrow jobs: list, show, stats; the other verbs are in cmd_jobs_*.c.
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
#include "cli/jobs.h"
#include "cli/jobs_volatile.h"
#include "workers/worker.h"

static const struct option long_options[] = {
    {"state", required_argument, NULL, 's'},
    {"kind", required_argument, NULL, 'k'},
    {"error", required_argument, NULL, 'e'},
    {"older", required_argument, NULL, 'o'},
    {"newer", required_argument, NULL, 'w'},
    {"limit", required_argument, NULL, 'n'},
    {"wait", optional_argument, NULL, 'W'},
    {"dry-run", no_argument, NULL, 'd'},
    {"all", no_argument, NULL, 'a'},
    {"json", no_argument, NULL, 'j'},
    {"every", required_argument, NULL, 'E'},
    {"times", required_argument, NULL, 'T'},
    {"rate", required_argument, NULL, 'R'},
    {"running", required_argument, NULL, 'r'},
    {"none", no_argument, NULL, 'N'},
    {"payload", required_argument, NULL, 'p'},
    {"key", required_argument, NULL, 'K'},
    {"priority", required_argument, NULL, 'P'},
    {"delay", required_argument, NULL, 'D'},
    {"zone", required_argument, NULL, 'z'},
    {0},
};

/* "90s", "15m", "2h", "3d". */
static int parse_age(const char *option, const char *text, int64_t *out_s)
{
    static const struct {
        char unit;
        int64_t s;
    } units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}};
    char number[16] = "";
    size_t len = strlen(text);

    for (size_t i = 0; i < ARRAY_LEN(units); i++) {
        if (len < 2 || len > sizeof(number) || text[len - 1] != units[i].unit)
            continue;
        memcpy(number, text, len - 1);
        if (str_to_i64(number, out_s) && *out_s > 0 && *out_s < 1000000) {
            *out_s *= units[i].s;
            return CLI_OK;
        }
    }
    return cli_usage("--%s is an age such as 90s, 15m, 2h or 3d, not '%s'", option, text);
}

static int check_state(const char *state)
{
    static const char *const states[] = {"queued", "running", "done", "buried",
                                         "cancelled"};

    for (size_t i = 0; i < ARRAY_LEN(states); i++)
        if (str_is(state, states[i]))
            return CLI_OK;
    return cli_usage("--state is queued, running, done, buried or cancelled, not '%s'",
                     state);
}

/* "20/s", "90/m", "500/h". */
static int parse_rate(const char *text, double *out)
{
    char *end = NULL;
    double n = strtod(text, &end);
    double seconds = strcmp(end, "/s") == 0   ? 1
                     : strcmp(end, "/m") == 0 ? 60
                     : strcmp(end, "/h") == 0 ? 3600
                                              : 0;

    if (!(n > 0) || n > 1e6 || seconds == 0)
        return cli_usage("--rate is such as 20/s, 90/m or 500/h, not '%s'", text);
    *out = n / seconds;
    return CLI_OK;
}

static int parse_priority(const char *text, int *out)
{
    static const char *const names[] = {"low", "normal", "high"};

    for (int i = 0; i < 3; i++)
        if (str_is(text, names[i])) {
            *out = i - 1;
            return CLI_OK;
        }
    return cli_usage("--priority is low, normal or high, not '%s'", text);
}

static int parse_count(const char *option, int64_t max, int64_t *out)
{
    return str_to_i64(optarg, out) && *out >= 1 && *out <= max
               ? CLI_OK
               : cli_usage("--%s is a number from 1 to %" PRId64 ", not '%s'", option,
                           max, optarg);
}

/* Options of limits, new jobs and watching. */
static int parse_more(struct jobs_args *a, int c)
{
    if (c == 'E')
        return parse_count("every", 3600, &a->every_s);
    if (c == 'T')
        return parse_count("times", 1000000, &a->times);
    if (c == 'r')
        return parse_count("running", 100000, &a->running);
    if (c == 'R')
        return parse_rate(optarg, &a->rate_per_s);
    if (c == 'P')
        return parse_priority(optarg, &a->priority);
    if (c == 'D')
        return parse_age("delay", optarg, &a->delay_s);
    if (c == 'p')
        a->payload = optarg;
    if (c == 'K')
        a->key = optarg;
    if (c == 'z')
        a->zone = optarg;
    a->none |= c == 'N';
    return CLI_OK;
}

static int parse_one(struct jobs_args *a, int c)
{
    struct job_filter *f = &a->filter;

    if (c == 's')
        f->state = optarg;
    if (c == 'k')
        f->kind = optarg;
    if (c == 'e')
        f->error = optarg;
    if (c == 'o')
        return parse_age("older", optarg, &f->older_s);
    if (c == 'w')
        return parse_age("newer", optarg, &f->newer_s);
    if (c == 'n' && (!str_to_i64(optarg, &a->limit) || a->limit < 1))
        return cli_usage("--limit is a number of 1 or more, not '%s'", optarg);
    if (c == 'W' && optarg && (!str_to_i64(optarg, &a->wait_s) || a->wait_s < 1))
        return cli_usage("--wait is a number of seconds, not '%s'", optarg);
    a->wait |= c == 'W';
    a->dry_run |= c == 'd';
    a->all |= c == 'a';
    a->json |= c == 'j';
    return c == '?' ? CLI_USAGE : parse_more(a, c);
}

int jobs_parse(struct jobs_args *a, int argc, char **argv)
{
    *a = (struct jobs_args){.limit = 50, .wait_s = 3600, .every_s = 5, .zone = "UTC"};
    for (int c; (c = getopt_long(argc, argv, "", long_options, NULL)) != -1;)
        if (parse_one(a, c))
            return CLI_USAGE;
    return a->filter.state ? check_state(a->filter.state) : CLI_OK;
}

int jobs_open(struct cli *cli, struct jobs_args *a, int argc, char **argv)
{
    int code = jobs_parse(a, argc, argv);

    if (!code && optind < argc)
        code = cli_usage("unexpected argument '%s'", argv[optind]);
    return code ? code : cli_open_pg(cli);
}

int jobs_parse_id(const char *text, struct uuid *id)
{
    return uuid_parse(text, id)
               ? cli_usage("'%s' is no id; 'furrow jobs list' shows them", text)
               : CLI_OK;
}

/* Until it is buried: what its kind says, else its row. */
static int tries_of(const json_t *row)
{
    for (size_t k = 0; k < WORKER_KINDS; k++)
        if (worker_kinds[k]->tries > 0 &&
            strcmp(cli_text(row, "kind"), worker_kinds[k]->name) == 0)
            return worker_kinds[k]->tries;
    return (int)json_integer_value(json_object_get(row, "max_attempts"));
}

static int list(struct cli *cli, int argc, char **argv)
{
    struct jobs_args a;
    json_t *rows = NULL, *row;
    size_t i;

    int code = jobs_open(cli, &a, argc, argv);
    if (code)
        return code;
    if (a.filter.kind && jobs_check_kind(cli, a.filter.kind))
        return CLI_FAILED;
    int err = job_admin_list(cli->pg, cli->tenant_id, &a.filter, a.limit, &rows);
    if (err)
        return cli_fail("jobs: %s", pg_error(cli->pg));
    if (a.json)
        return cli_print_json(rows);
    printf("%-36s  %-15s  %-9s  %5s  %s\n", "id", "kind", "state", "tries", "last error");
    json_array_foreach(rows, i, row) printf(
        "%-36s  %-15s  %-9s  %2d/%-2d  %s\n", cli_text(row, "id"), cli_text(row, "kind"),
        cli_text(row, "state"), (int)json_integer_value(json_object_get(row, "attempts")),
        tries_of(row), cli_text(row, "last_error"));
    if (json_array_size(rows) == (size_t)a.limit)
        fprintf(stderr, "the newest %" PRId64 " are shown; --limit N shows more\n",
                a.limit);
    json_decref(rows);
    return CLI_OK;
}

static int show(struct cli *cli, int argc, char **argv)
{
    json_t *row = NULL;
    struct uuid id;

    if (argc != 2)
        return cli_usage("say which job");
    if (jobs_parse_id(argv[1], &id))
        return CLI_USAGE;
    if (cli_open_pg(cli))
        return CLI_FAILED;
    int err = job_admin_show(cli->pg, cli->tenant_id, &id, &row);
    if (err == ENOENT)
        return cli_fail("there is no job %s", argv[1]);
    return err ? cli_fail("jobs: %s", pg_error(cli->pg)) : cli_print_json(row);
}

static int stats(struct cli *cli, int argc, char **argv)
{
    static const char *const columns[] = {"queued", "running",   "done",
                                          "buried", "cancelled", "oldest_s"};
    struct jobs_args a;
    json_t *kinds = NULL, *row;
    const char *kind;

    int code = jobs_open(cli, &a, argc, argv);
    if (code)
        return code;
    if (job_admin_stats(cli->pg, cli->tenant_id, &kinds))
        return cli_fail("jobs: %s", pg_error(cli->pg));
    jobs_volatile_stats(cli, kinds);
    if (a.json)
        return cli_print_json(kinds);
    printf("%-18s", "kind");
    for (size_t i = 0; i < ARRAY_LEN(columns); i++)
        printf(" %9s", columns[i]);
    putchar('\n');
    json_object_foreach(kinds, kind, row)
    {
        printf("%-18s", kind);
        for (size_t i = 0; i < ARRAY_LEN(columns); i++)
            if (json_object_get(row, columns[i]))
                printf(" %9.0f", json_number_value(json_object_get(row, columns[i])));
            else
                printf(" %9s", "-");
        printf("%s%s\n", *cli_text(row, "hold") ? "  " : "", cli_text(row, "hold"));
    }
    json_decref(kinds);
    return CLI_OK;
}

static const struct cli_verb verbs[] = {
    {.name = "list",
     .arguments =
         "[--state STATE] [--kind KIND] [--error TEXT] [--older AGE] [--newer AGE] "
         "[--limit N] [--json]",
     .about = "The newest jobs.\n"
              "States: queued, running, done, buried (a person must look), cancelled.\n"
              "Kinds: recording.fetch, asr, nlu, batch, news, sms.",
     .example = "furrow jobs list --state buried",
     .run = list},
    {.name = "show",
     .arguments = "ID",
     .about = "Everything about a job, as JSON.",
     .example = "furrow jobs show 01932d3e-7c1a-7000-8000-000000000001",
     .run = show},
    {.name = "retry",
     .arguments = "ID… | FILTER [--dry-run] [--json]",
     .about =
         "Jobs start over at once, with all their tries.\n"
         "FILTER: --kind KIND, --state buried|cancelled (buried), --error TEXT (the\n"
         "last error contains it), --older AGE, --newer AGE (90s, 15m, 2h, 3d), or\n"
         "--all. --dry-run says how many there are.",
     .example = "furrow jobs retry --kind asr --error 'HTTP 503' --newer 2h",
     .run = jobs_retry},
    {.name = "bury",
     .arguments = "ID… | FILTER [--dry-run] [--json]",
     .about = "Put waiting jobs aside; what they were about is marked as failed.\n"
              "FILTER as for retry, with --state queued|cancelled (queued).",
     .example = "furrow jobs bury --kind sms --older 2d",
     .run = jobs_bury},
    {.name = "cancel",
     .arguments = "ID… | FILTER [--dry-run] [--json]",
     .about = "Waiting jobs are cancelled; running ones are told to stop, which breaks\n"
              "off their requests within a second. What they were about is marked as\n"
              "failed. FILTER as for retry, with --state queued|running (both).",
     .example = "furrow jobs cancel --kind nlu --state queued",
     .run = jobs_cancel},
    {.name = "pause",
     .arguments = "KIND [--json]",
     .about = "No further job of the kind begins, in any worker; those at work end.\n"
              "New ones are taken in and wait. A volatile kind pauses for all tenants.",
     .example = "furrow jobs pause asr",
     .run = jobs_pause},
    {.name = "drain",
     .arguments = "KIND [--wait[=SECONDS]] [--json]",
     .about = "The jobs of the kind that are there go on, those that come wait.\n"
              "--wait returns when the last one has ended (at most an hour), for\n"
              "example before a service is replaced.",
     .example = "furrow jobs drain asr --wait=600",
     .run = jobs_drain},
    {.name = "resume",
     .arguments = "KIND [--json]",
     .about = "A paused or drained kind goes on.",
     .example = "furrow jobs resume asr",
     .run = jobs_resume},
    {.name = "limit",
     .arguments = "KIND [--rate N/s|N/m|N/h] [--running N] | --none [--json]",
     .about =
         "How many jobs of the kind begin in a time and how many run at once, in all\n"
         "workers together. --none lifts both.",
     .example = "furrow jobs limit sms --rate 10/s --running 4",
     .run = jobs_limit},
    {.name = "queues",
     .arguments = "[--json]",
     .about = "Every kind with what waits, what runs, and whether it is held.",
     .example = "furrow jobs queues",
     .run = jobs_queues},
    {.name = "watch",
     .arguments = "[--every SECONDS] [--times N] [--json]",
     .about =
         "How it goes: what is due, waits for later, runs and is buried, the age of\n"
         "the oldest that is due, and since the last look how many were done and\n"
         "failed in a second, how long they waited and took. Ends with Ctrl-C.",
     .example = "furrow jobs watch --every 2",
     .run = jobs_watch},
    {.name = "add",
     .arguments = "KIND --key KEY [--payload JSON] [--priority low|normal|high] "
                  "[--delay AGE] [--json]",
     .about = "A job by hand; a second one of that kind and key is nothing new.\n"
              "High ones go before all others of their kind, low ones when a worker has\n"
              "nothing else.",
     .example =
         "furrow jobs add asr --key 01932d3e-7c1a-7000-8000-000000000001 --payload "
         "'{\"v\": 1, \"recording_id\": \"01932d3e-7c1a-7000-8000-000000000001\"}'",
     .run = jobs_add},
    {.name = "schedule",
     .arguments = "NAME KIND CRON [--zone ZONE] [--payload JSON] [--json]",
     .about =
         "A job at every instant that five-field cron plans in the zone (UTC). A job's\n"
         "key is NAME@INSTANT. Of those missed while no worker lived, the latest runs.",
     .example =
         "furrow jobs schedule nightly batch '30 2 * * *' --zone Africa/Addis_Ababa",
     .run = jobs_schedule},
    {.name = "schedules",
     .arguments = "[--json]",
     .about = "The schedules and when each is next.",
     .example = "furrow jobs schedules",
     .run = jobs_schedules},
    {.name = "unschedule",
     .arguments = "NAME",
     .about = "Remove a schedule.",
     .example = "furrow jobs unschedule nightly",
     .run = jobs_unschedule},
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

const struct cli_group cmd_jobs = {
    .name = "jobs",
    .about = "see, add, watch, retry, cancel and limit background jobs",
    .verbs = verbs,
    .verb_count = ARRAY_LEN(verbs)};
