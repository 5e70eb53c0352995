/* furrow emergency - emergency orders: no call into a region while one is in force. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/pg.h"
#include "base/str.h"
#include "cli/fact_import.h"
#include "cli/groups.h"
#include "compliance/fact_store.h"

struct emergency_command {
    const char *argument, *note;
    int64_t from_ms, until_ms;
    bool all, json;
};

static int parse(struct emergency_command *c, int argc, char **argv)
{
    static const struct option options[] = {
        {"from", required_argument, NULL, 'f'}, {"until", required_argument, NULL, 'u'},
        {"note", required_argument, NULL, 'n'}, {"all", no_argument, NULL, 'a'},
        {"json", no_argument, NULL, 'j'},       {0}};

    for (int o; (o = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (o == '?')
            return CLI_USAGE;
        if ((o == 'f' && !fact_time_parse(optarg, &c->from_ms)) ||
            (o == 'u' && !fact_time_parse(optarg, &c->until_ms)))
            return cli_usage("'%s' is no time; write 2026-11-24 or 2026-11-24T08:00:00Z",
                             optarg);
        if (o == 'n')
            c->note = optarg;
        c->all |= o == 'a';
        c->json |= o == 'j';
    }
    if (argc - optind > 1)
        return cli_usage("unexpected argument '%s'", argv[optind + 1]);
    c->argument = optind < argc ? argv[optind] : NULL;
    return CLI_OK;
}

static int add(struct cli *cli, int argc, char **argv)
{
    struct emergency_command c = {.from_ms = clock_now_ms()};
    char from[CLOCK_TEXT_MAX], until[CLOCK_TEXT_MAX];
    int64_t id = 0;

    int code = parse(&c, argc, argv);
    if (!code && (!c.argument || !fact_region_is_known(c.argument)))
        code = cli_usage("which region? e.g. US-LA, or US for all of it");
    if (!code && c.until_ms && c.until_ms <= c.from_ms)
        code = cli_usage("--until must be after the beginning");
    if (!code && (!c.note || !*c.note))
        code =
            cli_usage("--note says whose order it is, e.g. 'Governor, Proclamation 12'");
    if (!code)
        code = cli_open_pg(cli);
    if (code)
        return code;
    if (emergency_add(cli->pg, cli->tenant_id, c.argument, c.from_ms, c.until_ms, c.note,
                      cli_user(), clock_now_ms(), &id))
        return cli_fail("%s", pg_error(cli->pg));
    if (c.json)
        return cli_print_json(json_pack("{s:I}", "id", (json_int_t)id));
    printf("emergency %" PRId64 ": no call into %s from %s %s%s\n", id, c.argument,
           clock_text(c.from_ms, from), c.until_ms ? "until " : "until it is ended",
           c.until_ms ? clock_text(c.until_ms, until) : "");
    return CLI_OK;
}

static int end(struct cli *cli, int argc, char **argv)
{
    struct emergency_command c = {0};
    int64_t id = 0;

    int code = parse(&c, argc, argv);
    if (!code && (!c.argument || !str_to_i64(c.argument, &id)))
        code = cli_usage("which one? 'furrow emergency list' has the ids");
    if (!code)
        code = cli_open_pg(cli);
    if (code)
        return code;
    int err =
        emergency_end(cli->pg, cli->tenant_id, id, c.note, cli_user(), clock_now_ms());
    if (err == ENOENT)
        return cli_fail("no emergency %" PRId64 " is in force; 'furrow emergency list' "
                        "has those that are",
                        id);
    if (err)
        return cli_fail("%s", pg_error(cli->pg));
    printf("emergency %" PRId64 " is over\n", id);
    return CLI_OK;
}

static int list(struct cli *cli, int argc, char **argv)
{
    struct emergency_command c = {0};
    char from[CLOCK_TEXT_MAX], until[CLOCK_TEXT_MAX];
    json_t *all = NULL, *row = NULL;
    size_t i = 0;

    int code = parse(&c, argc, argv);
    if (!code && c.argument)
        code = cli_usage("unexpected argument '%s'", c.argument);
    if (!code)
        code = cli_open_pg(cli);
    if (code)
        return code;
    if (emergency_list(cli->pg, cli->tenant_id, c.all, clock_now_ms(), &all))
        return cli_fail("%s", pg_error(cli->pg));
    if (c.json)
        return cli_print_json(all);
    json_array_foreach(all, i, row)
    {
        int64_t until_ms = json_integer_value(json_object_get(row, "until_ms"));
        printf("%-4" JSON_INTEGER_FORMAT " %-8s from %s %s%s: %s\n",
               json_integer_value(json_object_get(row, "id")), cli_text(row, "region"),
               clock_text(json_integer_value(json_object_get(row, "from_ms")), from),
               until_ms ? "until " : "until it is ended",
               until_ms ? clock_text(until_ms, until) : "", cli_text(row, "note"));
    }
    if (i == 0)
        puts(c.all ? "there was none" : "none is in force");
    json_decref(all);
    return CLI_OK;
}

static const struct cli_verb verbs[] = {
    {"add", "REGION --note TEXT [--from TIME] [--until TIME] [--json]",
     "An order of an authority: no call into the region from now, or from TIME. It acts "
     "at once.",
     "furrow emergency add US-LA --until 2026-12-24 --note 'Governor, Proclamation 12'",
     add},
    {"end", "ID [--note TEXT]", "The order holds no more.",
     "furrow emergency end 3 --note 'lifted'", end},
    {"list", "[--all] [--json]", "Orders in force and to come; --all: past ones too.",
     "furrow emergency list", list},
};

const struct cli_group cmd_emergency = {"emergency",
                                        "emergency orders: regions that are not called",
                                        verbs, ARRAY_LEN(verbs)};
