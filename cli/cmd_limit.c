/* furrow limit: set, list, remove - how fast and how many at once, over all campaigns. */
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/pg.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "campaigns/limit_store.h"
#include "cli/groups.h"
#include "contacts/phone.h"

static const double cps_max = 10000;
enum { CALLS_MAX = 1000000 };

/* "tenant" is the tenant as a whole; anything else is a number that is shown. */
static int parse_what(struct limit_row *row, int argc, char **argv)
{
    if (argc - optind != 1)
        return cli_usage("say what is limited: tenant, or a caller ID as campaigns have "
                         "it, e.g. +251115550100");
    const char *what = str_is(argv[optind], "tenant") ? "" : argv[optind];
    if (str_copy(row->caller_id, sizeof(row->caller_id), what))
        return cli_usage("'%.80s' is too long for a caller ID", what);
    return CLI_OK;
}

/* A campaign may show a number as its carrier wants it; any other text would limit
 * nothing, and nobody would notice. */
static int check_number(struct cli *cli, const struct limit_row *row)
{
    const char *number = row->caller_id;
    struct phone phone;
    bool shown = false;

    if (!*number)
        return CLI_OK;
    if (*number == '+') {
        enum phone_error error = phone_parse(number, strlen(number), NULL, &phone);
        char text[PHONE_TEXT_MAX];
        if (error != PHONE_VALID && error != PHONE_INVALID)
            return cli_usage("'%s' is no number: %s", number, phone_error_hint(error));
        if (!str_is(phone_text(phone.e164, text), number))
            return cli_usage("'%s' is written as campaigns have it: %s", number, text);
        return CLI_OK;
    }
    if (limit_number_is_shown(cli->pg, cli->tenant_id, number, &shown))
        return cli_fail("%s", pg_error(cli->pg));
    return shown ? CLI_OK
                 : cli_usage("'%s' has no country code, and no campaign shows it so: "
                             "write it as +251115550100",
                             number);
}

static int parse_limit(struct limit_row *row, int option, const char *text)
{
    char *end = NULL;
    int64_t n = 0;

    switch (option) {
    case 'c':
        row->cps = strtod(text, &end);
        if (!*text || *end || !(row->cps > 0) || row->cps > cps_max)
            return cli_usage("--cps is calls per second, e.g. 1 or 0.5, not '%s'", text);
        return CLI_OK;
    case 'm':
        if (!str_to_i64(text, &n) || n < 1 || n > CALLS_MAX)
            return cli_usage("--max-calls is a number of calls at once, not '%s'", text);
        row->max_concurrent = (int)n;
        return CLI_OK;
    default:
        return CLI_USAGE;
    }
}

static int cmd_set(struct cli *cli, int argc, char **argv)
{
    static const struct option options[] = {{"cps", required_argument, NULL, 'c'},
                                            {"max-calls", required_argument, NULL, 'm'},
                                            {0}};
    struct limit_row row = {0};
    struct errtext e = {0};
    int code = CLI_OK;

    for (int o; !code && (o = getopt_long(argc, argv, "", options, NULL)) != -1;)
        code = parse_limit(&row, o, optarg);
    if (!code)
        code = parse_what(&row, argc, argv);
    if (!code && row.cps <= 0 && row.max_concurrent <= 0)
        code = cli_usage("say how much with --cps N, --max-calls N or both");
    if (!code)
        code = cli_open_pg(cli);
    if (!code)
        code = check_number(cli, &row);
    if (code)
        return code;
    if (limit_set(cli->pg, cli->tenant_id, &row, clock_now_ms(), &e))
        return cli_fail("%s", e.text);
    printf("limit of %s is set; it holds for all campaigns from the next call on\n",
           row.caller_id[0] ? row.caller_id : "the tenant");
    return CLI_OK;
}

static void number_text(char *out, size_t size, double v)
{
    if (v > 0)
        snprintf(out, size, "%g", v);
    else
        str_cut(out, size, "no limit");
}

static int cmd_list(struct cli *cli, int argc, char **argv)
{
    CLEANUP(free_cleanup) struct limit_row *rows = NULL;
    bool json = false;
    size_t n = 0;

    int code = cli_only_json(argc, argv, &json);
    if (!code)
        code = cli_open_pg(cli);
    if (code)
        return code;
    if (limit_list(cli->pg, cli->tenant_id, &rows, &n))
        return cli_fail("%s", pg_error(cli->pg));
    json_t *all = json_array();
    for (size_t i = 0; i < n; i++) {
        const char *of = rows[i].caller_id[0] ? rows[i].caller_id : "tenant";
        char cps[32], calls[32];
        number_text(cps, sizeof(cps), rows[i].cps);
        number_text(calls, sizeof(calls), rows[i].max_concurrent);
        if (json)
            json_array_append_new(all, json_pack("{s:s, s:f, s:i}", "of", of, "cps",
                                                 rows[i].cps, "max_calls",
                                                 rows[i].max_concurrent));
        else
            printf("%-24s calls a second: %-10s at once: %s\n", of, cps, calls);
    }
    if (json)
        return cli_print_json(all);
    json_decref(all);
    if (n == 0)
        puts("no limits but those of trunks and campaigns");
    return CLI_OK;
}

static int cmd_remove(struct cli *cli, int argc, char **argv)
{
    static const struct option options[] = {{0}};
    struct limit_row row = {0};
    struct errtext e = {0};

    if (getopt_long(argc, argv, "", options, NULL) != -1)
        return CLI_USAGE;
    int code = parse_what(&row, argc, argv);
    if (!code)
        code = cli_open_pg(cli);
    if (code)
        return code;
    if (limit_remove(cli->pg, cli->tenant_id, row.caller_id, &e))
        return cli_fail("%s", e.text);
    puts("removed");
    return CLI_OK;
}

static const struct cli_verb verbs[] = {
    {"set", "tenant|CALLER-ID [--cps N] [--max-calls N]",
     "Sets how many calls begin in a second and how many are up at once, over all "
     "campaigns "
     "and dialers.",
     "furrow limit set +251115550100 --cps 0.5 --max-calls 10", cmd_set},
    {"list", "[--json]", "Shows the limits that are set.", "furrow limit list", cmd_list},
    {"remove", "tenant|CALLER-ID", "Takes a limit away.", "furrow limit remove tenant",
     cmd_remove},
};

const struct cli_group cmd_limit = {"limit", "how fast, over all campaigns", verbs,
                                    ARRAY_LEN(verbs)};
