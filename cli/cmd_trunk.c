/*
 * furrow trunk: add, set, list, show, remove.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/pg.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "campaigns/provider_rest.h"
#include "campaigns/trunk_store.h"
#include "cli/groups.h"
#include "cli/settings.h"
#include "dialer/simulated_script.h"

/* ---- add ---- */

static int copy_option(char *to, size_t size, const char *option, const char *value)
{
    if (str_copy(to, size, value) == 0)
        return CLI_OK;
    return cli_usage("%s takes at most %zu characters", option, size - 1);
}

static int parse_rate(struct trunk_row *t, const char *text)
{
    char *end = NULL;

    t->cps = strtod(text, &end);
    return *text && !*end
               ? CLI_OK
               : cli_usage("--cps is calls per second, e.g. 1 or 0.5, not '%s'", text);
}

static int parse_channels(struct trunk_row *t, const char *text)
{
    int64_t n = 0;

    if (!str_to_i64(text, &n) || n < 1 || n > 100000)
        return cli_usage("--max-channels is a number of calls at once, not '%s'", text);
    t->max_channels = (int)n;
    return CLI_OK;
}

static int parse_option(struct trunk_row *t, int option, const char *value)
{
    switch (option) {
    case 'k':
        return copy_option(t->kind, sizeof(t->kind), "--kind", value);
    case 'e':
        return copy_option(t->endpoint, sizeof(t->endpoint), "--endpoint", value);
    case 's':
        return copy_option(t->settings, sizeof(t->settings), "--settings", value);
    case 'a':
        return copy_option(t->account, sizeof(t->account), "--account", value);
    case 'c':
        return parse_rate(t, value);
    case 'm':
        return parse_channels(t, value);
    default:
        return CLI_USAGE;
    }
}

static const struct option trunk_options[] = {
    {"endpoint", required_argument, NULL, 'e'},
    {"cps", required_argument, NULL, 'c'},
    {"max-channels", required_argument, NULL, 'm'},
    {"settings", required_argument, NULL, 's'},
    {"kind", required_argument, NULL, 'k'},
    {"account", required_argument, NULL, 'a'},
    {0}};

static int parse_add(struct trunk_row *t, int argc, char **argv)
{
    for (int o; (o = getopt_long(argc, argv, "", trunk_options, NULL)) != -1;) {
        int code = parse_option(t, o, optarg);
        if (code)
            return code;
    }
    if (argc - optind != 1)
        return cli_usage(argc == optind ? "what is the trunk's name?"
                                        : "one trunk at a time");
    if (!t->kind[0])
        return cli_usage("say what it is with --kind ari, twilio, plivo or simulated");
    if (t->cps == 0 || t->max_channels == 0)
        return cli_usage("say what it can carry with --cps N and --max-channels N");
    return copy_option(t->name, sizeof(t->name), "a trunk's name", argv[optind]);
}

/* Said now: no dialer can open such a trunk, and its campaigns would only wait. */
static int check_settings(const struct trunk_row *t)
{
    struct provider_trunk_settings provider;
    struct errtext e = {0};
    int err = 0;

    if (str_is(t->kind, "ari")) {
        json_auto_t *settings = json_loads(t->settings, 0, NULL);
        return json_object_size(settings) > 0
                   ? cli_fail("--settings: a trunk of kind 'ari' has none; what it needs "
                              "is in --endpoint")
                   : CLI_OK;
    }
    if (str_is(t->kind, "simulated"))
        err = simulated_settings_check(t->settings, &e);
    else if (str_is(t->kind, "twilio") || str_is(t->kind, "plivo"))
        err = provider_trunk_settings_read(&provider, t->settings, &e);
    return err ? cli_fail("--settings: %s", e.text) : CLI_OK;
}

static int cmd_add(struct cli *cli, int argc, char **argv)
{
    struct trunk_row t = {.settings = "{}"};
    struct errtext e = {0};

    int code = parse_add(&t, argc, argv);
    if (!code)
        code = check_settings(&t);
    if (!code)
        code = cli_open_pg(cli);
    if (code)
        return code;
    if (trunk_add(cli->pg, cli->tenant_id, &t, clock_now_ms(), &e))
        return cli_fail("%s", e.text);
    printf("trunk '%s' (%s): %g calls a second, %d at once\n", t.name, t.kind, t.cps,
           t.max_channels);
    return CLI_OK;
}

/* ---- set ---- */

/* The name is wanted before the trunk is read and the options after it. */
static int cmd_set(struct cli *cli, int argc, char **argv)
{
    struct trunk_row given = {0}, t = {0};
    struct errtext e = {0};
    bool any = false;
    int code = CLI_OK;

    for (int o; !code && (o = getopt_long(argc, argv, "", trunk_options, NULL)) != -1;) {
        any = true;
        code = o == 'k' || o == 'a'
                   ? cli_usage("a trunk stays of its kind and account: add another one")
                   : parse_option(&given, o, optarg);
    }
    if (!code && argc - optind != 1)
        code = cli_usage(argc == optind ? "which trunk?" : "one trunk at a time");
    if (!code && !any)
        code = cli_usage("say what is to change: --cps N, --max-channels N, --endpoint "
                         "TEXT or --settings JSON");
    if (!code)
        code = cli_open_pg(cli);
    if (code)
        return code;
    if (trunk_find(cli->pg, cli->tenant_id, argv[optind], &t, &e))
        return cli_fail("%s", e.text);
    CLEANUP(free_cleanup) char *before = xstrdup(t.settings);
    optind = 1;
    for (int o; !code && (o = getopt_long(argc, argv, "", trunk_options, NULL)) != -1;)
        code = o == 's' ? settings_merge(t.settings, sizeof(t.settings), optarg)
                        : parse_option(&t, o, optarg);
    if (!code)
        code = check_settings(&t);
    if (code)
        return code;
    if (trunk_set(cli->pg, cli->tenant_id, &t, &e))
        return cli_fail("%s", e.text);
    printf("trunk '%s' (%s): %g calls a second, %d at once, from the next call on\n",
           t.name, t.kind, t.cps, t.max_channels);
    settings_tell(before, t.settings);
    return CLI_OK;
}

/* ---- list, show, remove ---- */

/* One name, and --json where the verb has it. */
static int parse_name(int argc, char **argv, const char **name, bool *json)
{
    static const struct option options[] = {{"json", no_argument, NULL, 'j'}, {0}};

    for (int o; (o = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (o != 'j' || !json)
            return o == 'j' ? cli_usage("there is no --json here") : CLI_USAGE;
        *json = true;
    }
    if (!name)
        return argc == optind ? CLI_OK
                              : cli_usage("unexpected argument '%s'", argv[optind]);
    if (argc - optind != 1)
        return cli_usage(argc == optind ? "which trunk?" : "one trunk at a time");
    *name = argv[optind];
    return CLI_OK;
}

/* Settings may hold words of the switch: they are shown by 'show' alone. */
static json_t *to_json(const struct trunk_row *t)
{
    return json_pack("{s:I, s:s, s:s, s:s, s:s, s:f, s:i}", "id", (json_int_t)t->id,
                     "name", t->name, "kind", t->kind, "endpoint", t->endpoint, "account",
                     t->account, "cps", t->cps, "max_channels", t->max_channels);
}

static int cmd_list(struct cli *cli, int argc, char **argv)
{
    CLEANUP(free_cleanup) struct trunk_row *all = NULL;
    json_t *list = NULL;
    size_t n = 0;
    bool json = false;

    int code = parse_name(argc, argv, NULL, &json);
    if (!code)
        code = cli_open_pg(cli);
    if (code)
        return code;
    if (trunk_list(cli->pg, cli->tenant_id, &all, &n))
        return cli_fail("%s", pg_error(cli->pg));
    if (!json) {
        for (size_t i = 0; i < n; i++)
            printf("%-20s %-10s %6g calls/s %5d at once  %s\n", all[i].name, all[i].kind,
                   all[i].cps, all[i].max_channels,
                   all[i].account_id ? all[i].account : all[i].endpoint);
        if (n == 0)
            puts("no trunks; 'furrow trunk add' makes one");
        return CLI_OK;
    }
    list = json_array();
    for (size_t i = 0; i < n; i++)
        json_array_append_new(list, to_json(&all[i]));
    return cli_print_json(list);
}

static int cmd_show(struct cli *cli, int argc, char **argv)
{
    struct trunk_row t = {0};
    struct errtext e = {0};
    const char *name = NULL;
    bool json = false;

    int code = parse_name(argc, argv, &name, &json);
    if (!code)
        code = cli_open_pg(cli);
    if (code)
        return code;
    if (trunk_find(cli->pg, cli->tenant_id, name, &t, &e))
        return cli_fail("%s", e.text);
    if (json) {
        json_t *one = to_json(&t);

        json_object_set_new(one, "settings", json_loads(t.settings, 0, NULL));
        return cli_print_json(one);
    }
    printf("trunk '%s'\n  kind      %s\n  %s  %s\n  capacity  %g calls a second, "
           "%d at once\n  settings  %s\n",
           t.name, t.kind, t.account_id ? "account " : "endpoint",
           t.account_id    ? t.account
           : t.endpoint[0] ? t.endpoint
                           : "-",
           t.cps, t.max_channels, t.settings);
    return CLI_OK;
}

static int cmd_remove(struct cli *cli, int argc, char **argv)
{
    struct errtext e = {0};
    const char *name = NULL;

    int code = parse_name(argc, argv, &name, NULL);
    if (!code)
        code = cli_open_pg(cli);
    if (code)
        return code;
    if (trunk_remove(cli->pg, cli->tenant_id, name, &e))
        return cli_fail("%s", e.text);
    printf("trunk '%s' removed\n", name);
    return CLI_OK;
}

static const struct cli_verb verbs[] = {
    {.name = "add",
     .arguments = "NAME --kind ari|twilio|plivo|simulated --cps N --max-channels N\n"
                  "                 [--endpoint PJSIP/{number}@trunk | --account NAME] "
                  "[--settings JSON]",
     .about = "Say over what calls go out, how many begin in a second and how many may "
              "live at once.\n\n"
              "  --kind ari         an Asterisk; --endpoint names its dial string, with "
              "{number} where\n"
              "                     the number goes, without its +\n"
              "  --kind twilio, plivo\n"
              "                     an account at a provider, named by --account "
              "('furrow provider add');\n"
              "                     flows of its calls run in furrow-server. Settings: "
              "from, time_limit_s,\n"
              "                     queued_max_s, look_s, search_s\n"
              "  --kind simulated   the built-in carrier: seeded outcomes, nobody is "
              "called\n"
              "  --settings JSON    an object, the kind's own settings",
     .example = "furrow trunk add main --kind ari --endpoint 'PJSIP/{number}@provider' "
                "--cps 5 --max-channels 60\n  furrow trunk add main --kind twilio "
                "--account main "
                "--cps 1 --max-channels 20",
     .run = cmd_add},
    {.name = "set",
     .arguments = "NAME [--cps N] [--max-channels N] [--endpoint TEXT] [--settings JSON]",
     .about =
         "Change a trunk; what is not named stays, of the settings too, and null takes "
         "a setting away.\nRate and calls at once hold from the next call on; "
         "endpoint and settings when a dialer starts.",
     .example = "furrow trunk set main --cps 2",
     .run = cmd_set},
    {.name = "list",
     .arguments = "[--json]",
     .about = "Show all trunks.",
     .example = "furrow trunk list",
     .run = cmd_list},
    {.name = "show",
     .arguments = "NAME [--json]",
     .about = "Show one trunk with its settings.",
     .example = "furrow trunk show main",
     .run = cmd_show},
    {.name = "remove",
     .arguments = "NAME",
     .about = "Remove a trunk that no campaign uses.",
     .example = "furrow trunk remove old",
     .run = cmd_remove},
};

const struct cli_group cmd_trunk = {.name = "trunk",
                                    .about = "over what calls go out",
                                    .verbs = verbs,
                                    .verb_count = ARRAY_LEN(verbs)};
