/*
 * furrow extension: add, list, remove - numbers that may be called in.
 */
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/pg.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "campaigns/extension_store.h"
#include "cli/groups.h"

static int copy(char *to, size_t size, const char *what, const char *value)
{
    return str_copy(to, size, value) ? cli_usage("%s is too long: '%.80s'", what, value)
                                     : CLI_OK;
}

/* "+1 (555) 010-0100", as a provider's console shows it, is the digits that are dialled.
 */
static int take_number(const char *given, char *out, size_t size)
{
    size_t n = 0;

    if (given[0] != '+')
        return copy(out, size, "the number", given);
    for (const char *c = given + 1; *c && n + 1 < size; c++)
        if (!strchr(" -().", *c))
            out[n++] = *c;
    out[n] = '\0';
    return CLI_OK;
}

static int parse_add(struct extension_row *x, int argc, char **argv)
{
    static const struct option options[] = {{"flow", required_argument, NULL, 'f'},
                                            {"missed-call", no_argument, NULL, 'm'},
                                            {"campaign", required_argument, NULL, 'c'},
                                            {0}};
    int code = CLI_OK;

    for (int o; !code && (o = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (o == 'f')
            code = copy(x->flow, sizeof(x->flow), "a flow's name", optarg);
        else if (o == 'c')
            code = copy(x->callback_campaign, sizeof(x->callback_campaign),
                        "a campaign's name", optarg);
        else if (o == 'm')
            x->missed_call = true;
        else
            code = CLI_USAGE;
    }
    if (code)
        return code;
    if (argc - optind != 1)
        return cli_usage(argc == optind ? "which number is dialled in?"
                                        : "one number at a time");
    if (!x->flow[0])
        return cli_usage("say what answers with --flow NAME");
    if (x->missed_call && !x->callback_campaign[0])
        return cli_usage(
            "--missed-call needs --campaign NAME: its rules say when and how "
            "often is called back");
    return take_number(argv[optind], x->number, sizeof(x->number));
}

static int cmd_add(struct cli *cli, int argc, char **argv)
{
    struct extension_row x = {0};
    struct errtext e = {0};

    int code = parse_add(&x, argc, argv);
    if (!code)
        code = cli_open_pg(cli);
    if (code)
        return code;
    if (extension_add(cli->pg, cli->tenant_id, &x, clock_now_ms(), &e))
        return cli_fail("%s", e.text);
    if (x.missed_call)
        printf("%s: a call is not answered and called back by campaign '%s'\n", x.number,
               x.callback_campaign);
    else
        printf("%s: answered by flow '%s'\n", x.number, x.flow);
    return CLI_OK;
}

static int cmd_list(struct cli *cli, int argc, char **argv)
{
    CLEANUP(free_cleanup) struct extension_row *all = NULL;
    bool json = argc == 2 && strcmp(argv[1], "--json") == 0;
    size_t n = 0;

    if (argc > 1 && !json)
        return cli_usage("unexpected argument '%s'", argv[1]);
    int code = cli_open_pg(cli);
    if (code)
        return code;
    if (extension_list(cli->pg, cli->tenant_id, &all, &n))
        return cli_fail("%s", pg_error(cli->pg));
    json_t *list = json_array();
    for (size_t i = 0; i < n; i++) {
        const struct extension_row *x = &all[i];

        json_array_append_new(list, json_pack("{s:s, s:s, s:b, s:s}", "number", x->number,
                                              "flow", x->flow, "missed_call",
                                              (int)x->missed_call, "campaign",
                                              x->callback_campaign));
        if (!json)
            printf("%-18s %-24s %s%s\n", x->number, x->flow,
                   x->missed_call ? "missed call, called back by " : "",
                   x->callback_campaign);
    }
    if (json)
        return cli_print_json(list);
    json_decref(list);
    if (n == 0)
        puts("no numbers may be called in; 'furrow extension add' lets one");
    return CLI_OK;
}

static int cmd_remove(struct cli *cli, int argc, char **argv)
{
    struct extension_row x = {0};
    struct errtext e = {0};

    if (argc != 2)
        return cli_usage(argc < 2 ? "which number?" : "one number at a time");
    int code = take_number(argv[1], x.number, sizeof(x.number));
    if (!code)
        code = cli_open_pg(cli);
    if (code)
        return code;
    if (extension_remove(cli->pg, cli->tenant_id, x.number, &e))
        return cli_fail("%s", e.text);
    printf("%s removed\n", x.number);
    return CLI_OK;
}

static const struct cli_verb verbs[] = {
    {.name = "add",
     .arguments = "NUMBER --flow NAME [--missed-call --campaign NAME]",
     .about =
         "Let a number be called in: the newest revision of the flow answers.\n\n"
         "  NUMBER             digits, as the switch passes them, or +1 555 010 0100\n"
         "  --flow NAME        a published flow\n"
         "  --missed-call      hang up unanswered and call back, so that the caller "
         "pays nothing\n"
         "  --campaign NAME    the campaign whose rules a callback obeys",
     .example = "furrow extension add 2001 --flow coffee",
     .run = cmd_add},
    {.name = "list",
     .arguments = "[--json]",
     .about = "Show the numbers that may be called in.",
     .example = "furrow extension list",
     .run = cmd_list},
    {.name = "remove",
     .arguments = "NUMBER",
     .about = "Answer a number no more.",
     .example = "furrow extension remove 2001",
     .run = cmd_remove},
};

const struct cli_group cmd_extension = {.name = "extension",
                                        .about = "numbers that may be called in",
                                        .verbs = verbs,
                                        .verb_count = ARRAY_LEN(verbs)};
