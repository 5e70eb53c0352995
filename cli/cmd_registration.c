/* furrow registration - the jurisdictions the caller is registered in. Rule packs that
 * ask for a registration refuse every call without one. */
#include <errno.h>
#include <getopt.h>
#include <string.h>

#include "base/clock.h"
#include "base/pg.h"
#include "base/str.h"
#include "cli/fact_import.h"
#include "cli/groups.h"
#include "compliance/fact_store.h"
#include "compliance/pack.h"

struct registration_command {
    const char *region, *note;
    int64_t until_ms;
    bool json;
};

static int parse(struct registration_command *c, int argc, char **argv)
{
    static const struct option options[] = {{"until", required_argument, NULL, 'u'},
                                            {"note", required_argument, NULL, 'n'},
                                            {"json", no_argument, NULL, 'j'},
                                            {0}};

    for (int o; (o = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (o == '?')
            return CLI_USAGE;
        if (o == 'u' && !fact_time_parse(optarg, &c->until_ms))
            return cli_usage("--until wants 2027-06-30 or 2027-06-30T00:00:00Z, not '%s'",
                             optarg);
        if (o == 'n')
            c->note = optarg;
        c->json |= o == 'j';
    }
    if (argc - optind > 1)
        return cli_usage("one region at a time");
    c->region = optind < argc ? argv[optind] : NULL;
    if (c->region && !fact_region_is_known(c->region))
        return cli_usage("'%s' is no region; write it as US-FL, or as IN", c->region);
    return CLI_OK;
}

static int parse_one(struct registration_command *c, int argc, char **argv)
{
    int code = parse(c, argc, argv);

    return code || c->region ? code : cli_usage("which region? e.g. US-FL");
}

/* Whether any rule asks for it, so that a wrong name is seen. */
static bool is_asked_for(const char *region)
{
    const struct packs *packs = packs_of_process();

    for (size_t i = 0; packs && i < packs->n; i++)
        for (size_t k = 0; k < packs->at[i].row_count; k++)
            if (strcmp(packs->at[i].name, region) == 0 &&
                packs->at[i].rows[k].kind == PACK_REGISTRATION)
                return true;
    return false;
}

static int add(struct cli *cli, int argc, char **argv)
{
    struct registration_command c = {0};
    char until[CLOCK_TEXT_MAX];

    int code = parse_one(&c, argc, argv);
    if (!code && c.until_ms && c.until_ms <= clock_now_ms())
        code = cli_usage("--until is over already");
    if (!code && (!c.note || !*c.note))
        code =
            cli_usage("--note says what proves it, e.g. 'licence TC-1234 of 2026-07-01'");
    if (!code)
        code = cli_open_pg(cli);
    if (code)
        return code;
    if (registration_add(cli->pg, cli->tenant_id, c.region, c.until_ms, c.note,
                         cli_user(), clock_now_ms()))
        return cli_fail("%s", pg_error(cli->pg));
    printf("registered in %s%s%s\n", c.region, c.until_ms ? " until " : ", without end",
           c.until_ms ? clock_text(c.until_ms, until) : "");
    if (!is_asked_for(c.region))
        fprintf(stderr,
                "furrow: no rule pack asks for a registration in %s; 'furrow packs "
                "show' has what they ask for\n",
                c.region);
    return CLI_OK;
}

static int remove_one(struct cli *cli, int argc, char **argv)
{
    struct registration_command c = {0};

    int code = parse_one(&c, argc, argv);
    if (!code)
        code = cli_open_pg(cli);
    if (code)
        return code;
    int err = registration_remove(cli->pg, cli->tenant_id, c.region, c.note, cli_user(),
                                  clock_now_ms());
    if (err == ENOENT)
        return cli_fail("there is no registration in %s; 'furrow registration list' has "
                        "them",
                        c.region);
    if (err)
        return cli_fail("%s", pg_error(cli->pg));
    printf("not registered in %s any more; rules that ask for it refuse from now on\n",
           c.region);
    return CLI_OK;
}

static int list(struct cli *cli, int argc, char **argv)
{
    struct registration_command c = {0};
    char until[CLOCK_TEXT_MAX];
    json_t *all = NULL, *row = NULL;
    size_t i = 0;

    int code = parse(&c, argc, argv);
    if (!code && c.region)
        code = cli_usage("unexpected argument '%s'", c.region);
    if (!code)
        code = cli_open_pg(cli);
    if (code)
        return code;
    if (registration_list(cli->pg, cli->tenant_id, &all))
        return cli_fail("%s", pg_error(cli->pg));
    if (c.json)
        return cli_print_json(all);
    json_array_foreach(all, i, row)
    {
        int64_t until_ms = json_integer_value(json_object_get(row, "until_ms"));
        printf("%-8s %s%s%s: %s\n", cli_text(row, "region"),
               until_ms ? "until " : "without end",
               until_ms ? clock_text(until_ms, until) : "",
               until_ms && until_ms <= clock_now_ms() ? " (OVER)" : "",
               cli_text(row, "note"));
    }
    if (i == 0)
        puts("no registrations");
    json_decref(all);
    return CLI_OK;
}

static const struct cli_verb verbs[] = {
    {"add", "REGION --note TEXT [--until TIME]",
     "Records that the caller is registered there, as seller or telemarketer, and what "
     "proves it.\n"
     "Without --until it holds for ever. A later one for the region takes its place.",
     "furrow registration add US-FL --until 2027-06-30 --note 'licence TC-1234'", add},
    {"remove", "REGION [--note TEXT]",
     "It holds no more: calls that need it are refused at once.",
     "furrow registration remove US-FL --note 'not renewed'", remove_one},
    {"list", "[--json]", "Every registration and until when it holds.",
     "furrow registration list", list},
};

const struct cli_group cmd_registration = {
    "registration", "where the caller is registered", verbs, ARRAY_LEN(verbs)};
