/* furrow calling - the kill switch of a tenant. */
#include <getopt.h>
#include <string.h>

#include "base/clock.h"
#include "base/pg.h"
#include "base/str.h"
#include "cli/groups.h"
#include "compliance/calling_store.h"

static int parse(int argc, char **argv, const char **note, bool *json)
{
    static const struct option options[] = {
        {"note", required_argument, NULL, 'n'}, {"json", no_argument, NULL, 'j'}, {0}};

    for (int o; (o = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (o == '?')
            return CLI_USAGE;
        if (o == 'n')
            *note = optarg;
        *json |= o == 'j';
    }
    return optind == argc ? CLI_OK : cli_usage("'%s' is one word too many", argv[optind]);
}

static int stop(struct cli *cli, int argc, char **argv)
{
    const char *note = "";
    bool json = false;

    int code = parse(argc, argv, &note, &json);
    if (code == CLI_OK)
        code = cli_open_pg(cli);
    if (code != CLI_OK)
        return code;
    if (calling_stop(cli->pg, cli->tenant_id, note, clock_now_ms()))
        return cli_fail("%s", pg_error(cli->pg));
    puts("all calling is off: no call goes out any more; calls that are up go on.\n"
         "'furrow calling resume' switches it on again.");
    return CLI_OK;
}

static int resume(struct cli *cli, int argc, char **argv)
{
    const char *note = "";
    bool json = false;

    int code = parse(argc, argv, &note, &json);
    if (code == CLI_OK)
        code = cli_open_pg(cli);
    if (code != CLI_OK)
        return code;
    if (calling_resume(cli->pg, cli->tenant_id))
        return cli_fail("%s", pg_error(cli->pg));
    puts("calling is on; campaigns go on where their state says so");
    return CLI_OK;
}

static int status(struct cli *cli, int argc, char **argv)
{
    char text[CLOCK_TEXT_MAX], reason[256];
    const char *note = "";
    int64_t stopped_ms = 0;
    bool json = false;

    int code = parse(argc, argv, &note, &json);
    if (code == CLI_OK)
        code = cli_open_pg(cli);
    if (code != CLI_OK)
        return code;
    if (calling_state(cli->pg, cli->tenant_id, &stopped_ms, reason, sizeof(reason)))
        return cli_fail("%s", pg_error(cli->pg));
    clock_text(stopped_ms, text);
    if (json)
        return cli_print_json(json_pack("{s:b, s:s?, s:s}", "on", stopped_ms == 0,
                                        "stopped_at", stopped_ms ? text : NULL, "note",
                                        reason));
    if (stopped_ms)
        printf("calling is off since %s%s%s\n", text, *reason ? ": " : "", reason);
    else
        puts("calling is on");
    return CLI_OK;
}

static const struct cli_verb verbs[] = {
    {"stop", "[--note TEXT]",
     "Switches all calling off at once: no permit is made after it. Calls that are up go "
     "on.",
     "furrow calling stop --note 'wrong list imported'", stop},
    {"resume", "", "Switches calling on again.", "furrow calling resume", resume},
    {"status", "[--json]", "Whether calling is on.", "furrow calling status", status},
};

const struct cli_group cmd_calling = {"calling", "switch all calling off and on", verbs,
                                      ARRAY_LEN(verbs)};
